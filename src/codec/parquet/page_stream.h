// Large pages piece by piece: decompressed (snappy) or read (uncompressed) only as far as their
// values are taken, so that a file with one page a column chunk, as some write it, does not have to
// be in memory whole. Snappy's compressor works on blocks of 64 KiB, and its copies do not reach
// over their borders; where one does, the page is decompressed as a whole after all.
//
// The values of such a page are taken in order, and only those whose encoding can be read in pieces
// (pq_stream_can). The levels in front of them are taken out first.
#pragma once

#include "codec/parquet/page_read.h"
#include "codec/parquet/schema_read.h"

enum {
  PQ_STREAM_BLOCK = 64 << 10, // over whose borders copies do not reach
  PQ_STREAM_PIECE = 16 << 10, // decompressed at a time, at least
};

// Whether the data page whose header was read last is one to be taken in pieces. `node` is a leaf
// without lists above.
bool pq_stream_can(const pq_pages *pages, const pq_tree_node *node);
// Instead of pq_pages_body: ret->values and value_bytes are the first piece of the values.
wh_status pq_stream_begin(pq_pages *pages, unsigned max_def, pq_body *ret, wh_error *err);
// Makes `want` bytes stand from `keep` on, which is a byte of the piece in hand or its end; fewer
// at the page's end. What is before `keep` is gone. *ret_left: bytes of the page behind the piece.
wh_status pq_stream_more(pq_pages *pages, const uint8_t *keep, size_t want, const uint8_t **ret_at,
                         const uint8_t **ret_end, uint64_t *ret_left, wh_error *err);
