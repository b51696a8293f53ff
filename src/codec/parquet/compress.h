// The compressions of pages, behind one interface. Contexts of the libraries are made when first
// needed, from the accountant, and kept. Not for several threads at once.
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "codec/parquet/metadata.h"

enum {
  PQ_COMPRESS_BYTES_MAX = 1 << 30, // of one page
  PQ_ZSTD_LEVEL_DEFAULT = 1,
  PQ_ZSTD_LEVEL_MAX = 22,
};

typedef struct pq_compressor pq_compressor;

// PQ_UNCOMPRESSED, PQ_SNAPPY, PQ_ZSTD or PQ_LZ4_RAW; the level counts for zstd alone.
wh_status pq_compressor_open(wh_mem *mem, pq_compression kind, int level, pq_compressor **ret,
                             wh_error *err);
void pq_compressor_close(pq_compressor *compressor); // NULL is fine
// Room that the output must have. `len` is at most PQ_COMPRESS_BYTES_MAX.
size_t pq_compress_bound(const pq_compressor *compressor, size_t len);
// `text` tells what it most likely is: only size and speed depend on it.
wh_status pq_compress(pq_compressor *compressor, const void *in, size_t len, bool text, void *out,
                      size_t *ret_len, wh_error *err);

typedef struct pq_decompressor pq_decompressor;

wh_status pq_decompressor_open(wh_mem *mem, pq_decompressor **ret, wh_error *err);
void pq_decompressor_close(pq_decompressor *decompressor); // NULL is fine
// Every compression that Parquet names, but LZO. Fills exactly `out_len` bytes, or fails:
// WH_ERR_DATA, "not all of it is snappy", for the caller to say of what.
wh_status pq_decompress(pq_decompressor *decompressor, int32_t kind, const void *in, size_t len,
                        void *out, size_t out_len, wh_error *err);
