// Changes of a table as rows: the records of its stream ("API_streams_Record" of the DynamoDB API
// Reference) and the items of a scan become lines of NDJSON with plain values, whose own columns
// come first:
//
//   _change           text       insert, modify or remove; export: the item was there
//   _changed_at       timestamp  when, in whole seconds; none of an export
//   _sequence         text       the record's SequenceNumber; none of an export
//   _old              text       the item as it was, as JSON, where the stream's view has it
//   _wherry_deleted   bool       the item is gone: of it there is the key alone (data/deleted.h)
//
// Values: S is text, N a number with all its digits (or, of a timestamp, seconds since 1970), B
// base64, M an object, L and sets a list, BOOL and NULL themselves. Only declared attributes are
// taken. Pure functions over an answer's bytes.
#pragma once

#include "base/buf.h"
#include "base/json_doc.h"
#include "connect/feed.h"

enum {
  WH_DYNAMODB_CHANGE_COLUMNS = 5, // own ones, which stand in front
  WH_DYNAMODB_SEQUENCE_MAX = 40,  // digits of a sequence number
};

// What lines are made of.
typedef struct wh_dynamodb_lines {
  const wh_schema *schema; // with the own columns
  wh_str key[2];           // names of the key's attributes: hash, range (or empty)
  int64_t since_us;        // older records are passed over
  wh_str after;            // and those up to this sequence number; empty: none
  wh_buf text, events;     // NDJSON; wh_feed_event
  wh_buf scratch;
} wh_dynamodb_lines;

void wh_dynamodb_lines_init(wh_dynamodb_lines *l, wh_mem *mem, const wh_schema *schema);
void wh_dynamodb_lines_free(wh_dynamodb_lines *l); // zeroed is fine
void wh_dynamodb_lines_clear(wh_dynamodb_lines *l);

wh_status wh_dynamodb_change_schema(const wh_schema *declared, wh_arena *arena, wh_schema *ret,
                                    wh_error *err);

// Where a page of records ended.
typedef struct wh_dynamodb_read_to {
  char sequence[WH_DYNAMODB_SEQUENCE_MAX + 1]; // of the last record; empty: there was none
  int64_t time_us;                             // and when it was made
} wh_dynamodb_read_to;

// The records of an answer to GetRecords. WH_ERR_DATA: it is none.
wh_status wh_dynamodb_add_records(wh_dynamodb_lines *l, const json_t *answer,
                                  wh_dynamodb_read_to *ret, wh_error *err);
// The items of an answer to Scan.
wh_status wh_dynamodb_add_items(wh_dynamodb_lines *l, const json_t *answer, wh_error *err);

// Of two sequence numbers, as strcmp.
int wh_dynamodb_sequence_cmp(wh_str a, wh_str b);
