// The body of a request, or of a message, as events: every one is checked against the declared
// columns and written anew as a line of NDJSON with these columns and no others, so that nothing
// else is ever stored. Pure functions over the bytes of a request; no text of an error is logged.
#pragma once

#include "base/buf.h"
#include "data/type.h"

enum { WH_INTAKE_ERRORS_MAX = 20 }; // that an answer lists

// By Content-Type: application/json, or application/x-ndjson (or jsonl), in UTF-8 if it names a
// charset at all.
typedef enum wh_intake_kind { WH_INTAKE_OTHER, WH_INTAKE_JSON, WH_INTAKE_LINES } wh_intake_kind;
wh_intake_kind wh_intake_kind_of(wh_str content_type);

typedef struct wh_intake {
  wh_buf lines; // NDJSON: the good events in their order, then those that do not fit, as they came
  uint64_t events, rejected;
  // What is wrong: items of a JSON array, {"pointer":"/0/amount","detail":"..."} (RFC 6901), the
  // first WH_INTAKE_ERRORS_MAX.
  wh_buf errors;
  bool is_malformed; // some of that is no JSON
} wh_intake;

void wh_intake_init(wh_intake *intake, wh_mem *mem);
void wh_intake_free(wh_intake *intake); // zeroed is fine

// WH_ERR_DATA, with a text for the sender: nothing of it can be read, or there is no event in it.
// WH_ERR_LIMIT: an event would take more than `line_max` bytes (digits that a type asks for can
// make it much longer than it came).
wh_status wh_intake_read(wh_intake *intake, const wh_schema *columns, wh_intake_kind kind,
                         wh_str body, size_t line_max, wh_error *err);
