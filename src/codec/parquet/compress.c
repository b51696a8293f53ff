#include "codec/parquet/compress.h"

#include "codec/parquet/copy.h"
#include "codec/parquet/snappy.h"

#include <lz4.h>
#define ZSTD_STATIC_LINKING_ONLY // ZSTD_createCCtx_advanced: memory from the accountant
#include <zstd.h>

struct pq_compressor {
  wh_mem *mem;
  pq_compression kind;
  int level;
  pq_snappy *snappy;
  ZSTD_CCtx *zstd;
  void *lz4; // LZ4_sizeofState() bytes
};

void pq_compressor_close(pq_compressor *c) {
  if (!c) return;
  wh_mem_free(c->mem, c->snappy, sizeof *c->snappy);
  wh_mem_free(c->mem, c->lz4, (size_t)LZ4_sizeofState());
  ZSTD_freeCCtx(c->zstd);
  wh_mem_free(c->mem, c, sizeof *c);
}

static bool make_context(pq_compressor *c) {
  switch (c->kind) {
  case PQ_SNAPPY:
    c->snappy = wh_mem_alloc_zero(c->mem, sizeof *c->snappy);
    return c->snappy;
  case PQ_LZ4_RAW:
    c->lz4 = wh_mem_alloc(c->mem, (size_t)LZ4_sizeofState());
    return c->lz4;
  case PQ_ZSTD:
    c->zstd = ZSTD_createCCtx_advanced(
        (ZSTD_customMem){wh_mem_library_alloc, wh_mem_library_free, c->mem});
    return c->zstd &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, c->level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_contentSizeFlag, 1));
  default:
    return true;
  }
}

wh_status pq_compressor_open(wh_mem *mem, pq_compression kind, int level, pq_compressor **ret,
                             wh_error *err) {
  pq_compressor *c = wh_mem_alloc_zero(mem, sizeof *c);
  if (!c) return wh_fail_memory(err);
  c->mem = mem;
  c->kind = kind;
  c->level = level;
  if (!make_context(c)) {
    pq_compressor_close(c);
    return wh_fail_memory(err);
  }
  *ret = c;
  return WH_OK;
}

size_t pq_compress_bound(const pq_compressor *c, size_t len) {
  switch (c->kind) {
  case PQ_SNAPPY:
    return pq_snappy_bound(len);
  case PQ_LZ4_RAW:
    return (size_t)LZ4_compressBound((int)len);
  case PQ_ZSTD:
    return ZSTD_compressBound(len);
  default:
    return len;
  }
}

wh_status pq_compress(pq_compressor *c, const void *in, size_t len, bool text, void *out,
                      size_t *ret_len, wh_error *err) {
  size_t bound = pq_compress_bound(c, len), got = len;
  switch (c->kind) {
  case PQ_SNAPPY:
    got = pq_snappy_compress(c->snappy, in, len, text, out);
    break;
  case PQ_LZ4_RAW:
    got = (size_t)LZ4_compress_fast_extState(c->lz4, in, out, (int)len, (int)bound, 1);
    break;
  case PQ_ZSTD:
    got = ZSTD_compress2(c->zstd, out, bound, in, len);
    if (ZSTD_isError(got)) {
      // With all the room it may need, only memory can be missing.
      return wh_fail_memory(err);
    }
    break;
  default:
    pq_copy(out, in, len);
  }
  *ret_len = got;
  return WH_OK;
}
