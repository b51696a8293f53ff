// Stage one of reading JSON: finds the bytes that give a text its structure, 64 at a time.
//
// A classifier turns blocks of 64 bytes into bit masks (bit i: byte i of the block); there is one
// for AVX2, one for SSE2 and one for any machine. The scanner joins them with what it remembers of
// the blocks before (are we inside a string, is the next byte escaped) and writes down the
// positions of
//   { } [ ] : ,   outside strings,
//   "             that opens or closes a string,
//   newline       when lines are rows: there a newline always ends the row, even inside a string,
//                 so that a missing quote spoils one line and not the rest of the file.
// What stands between two positions is left to stage two (walk.h).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  JSON_BLOCK_BYTES = 64,
  JSON_SLICE_BYTES = 16 * 1024, // scanned at a time, so that the positions stay in the cache
  JSON_SLICE_BLOCKS = JSON_SLICE_BYTES / JSON_BLOCK_BYTES,
};

typedef struct json_masks {
  uint64_t quote;
  uint64_t backslash;
  uint64_t structure; // { } [ ] : ,
  uint64_t newline;
  uint64_t odd; // below 0x20 or above 0x7F: needs a look when it is inside a string
} json_masks;

// Reads blocks * 64 bytes.
typedef void json_classify(const char *data, size_t blocks, json_masks *ret);

json_classify json_classify_portable;
#ifdef __x86_64__
json_classify json_classify_sse2;
json_classify json_classify_avx2;
#endif

// A scan over one window of text. Positions are relative to the window.
typedef struct json_scan {
  json_classify *classify;
  bool fast_bits;     // the processor has BMI
  bool lines;         // a newline ends a row
  uint64_t in_string; // all ones: the next byte is inside a string
  uint64_t escaped;   // 1: the next byte is behind a backslash
  json_masks masks[JSON_SLICE_BLOCKS];
} json_scan;

// Chooses what the processor is best at.
void json_scan_init(json_scan *scan, bool lines);
// Forgets the state: the next byte is outside any string.
void json_scan_restart(json_scan *scan);

// Scans from `from` (outside any string after a restart, or where the last call stopped) to at most
// a slice further or to `len`, and returns where it stopped. A `len` that is not the end of the
// text is a multiple of 64. `data` is readable up to the next multiple of 64 behind len.
// `positions` has room for JSON_SLICE_BYTES; `*count` grows. attention[i] and newlines[i] take the
// masks of block i of the window: bytes that need a look inside strings, and newlines.
size_t json_scan_slice(json_scan *scan, const char *data, size_t from, size_t len,
                       uint32_t *positions, uint32_t *count, uint64_t *attention,
                       uint64_t *newlines);
