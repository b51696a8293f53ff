// A window over the input: the bytes of the row in hand and what was read ahead, with their
// structure (scan.h) as a queue of positions.
//
// The window keeps everything from `keep` on and is only moved or grown by json_feed_more, so
// positions hold until then. Memory: the window (256 KiB, or the row limit if that is less; more
// for one large row, up to the row limit), a quarter of it for masks, and 64 KiB of positions.
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "codec/json/scan.h"

enum {
  JSON_WINDOW_BYTES = 256 * 1024,
  JSON_WINDOW_MAX = 1 << 30, // positions are 32 bit
  JSON_AHEAD = 8,            // entries that json_feed_ahead promises
};

typedef enum json_fault_kind {
  JSON_FINE,
  JSON_MORE,   // the window ended: take more in and do it again
  JSON_BAD,    // a value is wrong, but where it ends is clear
  JSON_MISFIT, // a value is right, but not one of the column's type; or its column is unknown
  JSON_BROKEN, // the structure is wrong: nothing behind it can be trusted
  JSON_FAILED, // memory, a limit: the status is in the error
} json_fault_kind;

// What went wrong with the value or row in hand.
typedef struct json_fault {
  json_fault_kind kind;
  size_t at;        // in the window
  const char *rule; // for rejects
  wh_str column;
  char reason[256];
} json_fault;

typedef struct json_feed {
  const char *data; // the window; readable 64 bytes behind len, which are zero
  uint32_t *index;  // positions of structure; at the window's end JSON_AHEAD entries of `len`
  uint32_t index_at, index_count;
  size_t pos; // behind the last byte that was consumed
  size_t len;
  bool ended;          // nothing comes behind the window
  uint64_t *attention; // for each 64 bytes of the window, see scan.h
  json_fault fault;

  wh_input *in;
  wh_mem *mem;
  char *bytes; // = data
  size_t cap;
  size_t window;
  size_t row_limit;
  uint64_t base; // of the window in the input
  uint64_t *newlines;
  size_t scanned;
  size_t slice; // bytes to scan next
  bool sealed;  // the entries at the end are there
  bool shrink;  // the window was grown for a sample; give that back when it has been read
  json_scan scan;

  // Counting lines: up to `mark`, which only moves forward.
  size_t mark;
  uint64_t mark_line;
  uint64_t mark_line_start; // byte of the input
  uint64_t row;             // the row in hand, from 1; 0: none yet
} json_feed;

// `lines`: a newline ends a row.
wh_status json_feed_open(json_feed *feed, wh_mem *mem, wh_input *in, size_t row_limit, bool lines,
                         wh_error *err);
void json_feed_close(json_feed *feed); // zeroed is fine

// Takes the first bytes in and stands behind the byte order mark, if there is one. WH_ERR_DATA for
// UTF-16 and UTF-32.
wh_status json_feed_start(json_feed *feed, wh_error *err);
// The same for an input that is the rest of one, from byte `base` on, which begins a line.
wh_status json_feed_start_at(json_feed *feed, uint64_t base, wh_error *err);
// Goes back to `pos` of the first window, which was never moved.
void json_feed_rewind(json_feed *feed, size_t pos);

// Takes more bytes in. What is before `keep` is given up; `keep` becomes 0, and so do pos and the
// index. `keep` stands outside any string. WH_ERR_LIMIT when the row from `keep` on exceeds the
// row limit.
wh_status json_feed_more(json_feed *feed, size_t keep, wh_error *err);
// Goes to `pos`, which is outside any string.
void json_feed_seek(json_feed *feed, size_t pos);

void json_feed_index(json_feed *feed);
// At least JSON_AHEAD entries, or those at the end.
static inline void json_feed_ahead(json_feed *feed) {
  if (__builtin_expect(feed->index_count - feed->index_at < JSON_AHEAD, 0)) json_feed_index(feed);
}

wh_status json_feed_fail_limit(const json_feed *feed, size_t at, wh_error *err);

// Where a byte of the window stands in the input. `row` is that in hand.
wh_place json_feed_place(const json_feed *feed, size_t at);
// The same, and remembers it: later calls are for bytes behind it.
wh_place json_feed_mark(json_feed *feed, size_t at);
// The input's bytes that were consumed.
static inline uint64_t json_feed_consumed(const json_feed *feed) {
  return feed->base + feed->pos;
}
