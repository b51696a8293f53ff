// A window over the input. What stands in it is moved or grown only by csv_feed_more.
//
// Memory: the window, 256 KiB or what is asked for (the row limit, if that is less); more for a
// sample or one large row, up to the row limit, and given back afterwards.
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "base/stream.h"
#include "codec/csv/scan.h"

enum {
  CSV_WINDOW_BYTES = 256 * 1024,
  CSV_WINDOW_MAX = 1 << 30, // positions are 32 bit
};

typedef struct csv_feed {
  const char *data; // the window; CSV_SLACK bytes behind len, which are zero, may be read
  size_t len;
  uint64_t base; // of the window in the input
  bool ended;    // nothing comes behind the window
  uint64_t read; // bytes taken in

  wh_input *in;
  wh_mem *mem;
  char *bytes; // = data
  size_t cap;  // without the slack
  size_t window;
  size_t row_limit;
  bool ranged; // by read_at: what comes next stands at base + len, and nothing at `size`
  uint64_t size;
} csv_feed;

// `window` bytes are looked at together; 0: CSV_WINDOW_BYTES, which the processor's caches like
// best.
void csv_feed_open(csv_feed *feed, wh_mem *mem, wh_input *in, size_t row_limit, size_t window);
// Reads [from, size) by read_at.
void csv_feed_open_at(csv_feed *feed, wh_mem *mem, wh_input *in, size_t row_limit, uint64_t from,
                      uint64_t size);
void csv_feed_close(csv_feed *feed); // zeroed is fine
// Begins anew at `from` (ranged).
void csv_feed_seek(csv_feed *feed, uint64_t from);

// Takes more bytes in, if there are; what is before `keep` is given up, and what stood there is at
// 0 then. WH_ERR_LIMIT when what is kept is as large as a row may be.
wh_status csv_feed_more(csv_feed *feed, size_t keep, wh_error *err);
// Has at least `bytes` in the window if there are so many, and the row limit allows.
wh_status csv_feed_fill(csv_feed *feed, size_t bytes, wh_error *err);
