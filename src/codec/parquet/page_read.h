// The pages of one column chunk, in order: their headers, and their bodies when these are wanted.
//
// Memory: a window over the file of `window` bytes, more where a page is larger; and the page
// decompressed. Both are kept from chunk to chunk. A body's bytes hold until the next call, and
// have PQ_SLACK readable bytes behind each section.
#pragma once

#include "base/stream.h"
#include "codec/parquet/compress.h"
#include "codec/parquet/unpack.h"
#include "codec/parquet/unsnap.h"

enum {
  PQ_PAGE_BYTES_MAX = 1 << 29,        // of one page, decompressed
  PQ_PAGE_HEADER_BYTES_MAX = 1 << 24, // statistics of long texts are part of it
  PQ_WINDOW_BYTES_MIN = 1 << 12,
};

// A page that is taken in pieces (page_stream.h).
typedef struct pq_stream {
  bool compressed;
  uint64_t values_at, values_end; // in the file, as they stand there
  uint64_t at;                    // the next byte to take in
  uint64_t total, made;           // bytes decompressed: in all, and so far
  size_t len;                     // of them in pages->plain, the last ones
  pq_unsnap unsnap;
  uint64_t crc_at, crc_end; // of the body: what was checked, and its end
  uint32_t crc;
} pq_stream;

// A buffer for the bodies of compressed pages, which need it only while they are decompressed.
typedef struct pq_shared_raw {
  uint8_t *data;
  size_t cap;
} pq_shared_raw;

typedef struct pq_pages {
  wh_mem *mem;
  wh_input *in;
  pq_decompressor *decompressor;
  size_t window;
  uint64_t bytes_read; // of the input, since init

  uint64_t end;  // of the chunk in the file: no header begins from there on,
  uint64_t most; // and no body reaches past there
  uint64_t at;   // of the next header
  int32_t compression;
  bool peeking; // only headers are wanted: read no more than they take

  uint64_t number; // of the page in hand, from 1; the dictionary is one too
  uint64_t page_at;
  uint64_t body_at;
  pq_page_header header; // its texts hold until the body is read

  uint8_t *raw; // bytes of the file from raw_from on
  size_t raw_cap, raw_len;
  uint64_t raw_from;
  uint8_t *plain;
  size_t plain_cap;
  uint8_t *levels; // of a page that is taken in pieces
  size_t levels_cap;
  pq_stream stream;
  pq_shared_raw *shared_raw; // of a scan
  wh_arena arena;            // of the header
} pq_pages;

typedef struct pq_body {
  const uint8_t *repetitions, *definitions, *values;
  size_t repetition_bytes, definition_bytes, value_bytes;
  bool repetitions_legacy, definitions_legacy; // BIT_PACKED
  uint64_t value_bytes_behind;                 // of a page in pieces: those not there yet
} pq_body;

void pq_pages_init(pq_pages *pages, wh_mem *mem, wh_input *in, pq_decompressor *decompressor,
                   pq_shared_raw *shared_raw, size_t window);
void pq_pages_free(pq_pages *pages); // zeroed is fine
// Begins with a chunk: bytes [from, to) of the file, up to `most` for its last page.
void pq_pages_open(pq_pages *pages, uint64_t from, uint64_t to, uint64_t most, int32_t compression);
// Goes to the page whose header stands at `at`.
void pq_pages_seek(pq_pages *pages, uint64_t at);
// The header of the next page; WH_ERR_END behind the last. What is between two headers is passed
// over.
wh_status pq_pages_next(pq_pages *pages, wh_error *err);
// Values with their NULLs, of a data page or dictionary.
int64_t pq_pages_values(const pq_pages *pages);
// The body of the page whose header was read last: checked, decompressed and cut into its parts.
// `max_rep` and `max_def` of the leaf.
wh_status pq_pages_body(pq_pages *pages, unsigned max_rep, unsigned max_def, pq_body *ret,
                        wh_error *err);

// Gives back the room of a large body that is not needed any more.
void pq_pages_trim(pq_pages *pages);

// Bits that levels up to `max` take.
static inline unsigned pq_level_width(unsigned max) {
  return max ? 32u - (unsigned)__builtin_clz(max) : 0;
}

// Private to page_*.c: makes bytes [at, at + want) of the file, which lie inside the chunk, stand
// in the window.
wh_status pq_pages_fetch(pq_pages *pages, uint64_t at, size_t want, const uint8_t **ret,
                         wh_error *err);
wh_status pq_pages_grow(wh_mem *mem, uint8_t **buffer, size_t *cap, size_t need, size_t keep,
                        wh_error *err);
