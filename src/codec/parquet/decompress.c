#include "codec/parquet/compress.h"
#include "codec/parquet/copy.h"
#include "codec/parquet/snappy.h"

#include <brotli/decode.h>
#include <limits.h>
#include <lz4.h>
#define ZSTD_STATIC_LINKING_ONLY // ZSTD_createDCtx_advanced: memory from the accountant
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

struct pq_decompressor {
  wh_mem *mem;
  ZSTD_DCtx *zstd;
  bool inflating;
  z_stream gzip;
};

enum { GZIP_WINDOW = 15 + 32 }; // the largest window, with the header of gzip or of zlib

wh_status pq_decompressor_open(wh_mem *mem, pq_decompressor **ret, wh_error *err) {
  pq_decompressor *d = wh_mem_alloc_zero(mem, sizeof *d);
  if (!d) return wh_fail_memory(err);
  d->mem = mem;
  *ret = d;
  return WH_OK;
}

void pq_decompressor_close(pq_decompressor *d) {
  if (!d) return;
  ZSTD_freeDCtx(d->zstd);
  if (d->inflating) inflateEnd(&d->gzip);
  wh_mem_free(d->mem, d, sizeof *d);
}

static wh_status not_all(int32_t kind, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "not all of it is %s, or not of the length it says",
                 pq_compression_name(kind));
}

static wh_status from_zstd(pq_decompressor *d, const void *in, size_t len, void *out,
                           size_t out_len, wh_error *err) {
  if (!d->zstd)
    d->zstd = ZSTD_createDCtx_advanced(
        (ZSTD_customMem){wh_mem_library_alloc, wh_mem_library_free, d->mem});
  if (!d->zstd) return wh_fail_memory(err);
  size_t got = ZSTD_decompressDCtx(d->zstd, out, out_len, in, len);
  if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
    return wh_fail_memory(err);
  return ZSTD_isError(got) || got != out_len ? not_all(PQ_ZSTD, err) : WH_OK;
}

// A series of members, one behind the other (RFC 1952 section 2.2).
static wh_status from_gzip(pq_decompressor *d, const void *in, size_t len, void *out,
                           size_t out_len, wh_error *err) {
  z_stream *z = &d->gzip;
  if (!d->inflating) {
    *z = (z_stream){.zalloc = wh_mem_zlib_alloc, .zfree = wh_mem_library_free, .opaque = d->mem};
    if (inflateInit2(z, GZIP_WINDOW) != Z_OK) return wh_fail_memory(err);
    d->inflating = true;
  } else if (inflateReset(z) != Z_OK) {
    return not_all(PQ_GZIP, err);
  }
  z->next_in = (Bytef *)(uintptr_t)in;
  z->avail_in = (uInt)len;
  z->next_out = out;
  z->avail_out = (uInt)out_len;
  for (;;) {
    int result = inflate(z, Z_FINISH);
    if (result == Z_MEM_ERROR) return wh_fail_memory(err);
    if (result != Z_STREAM_END) return not_all(PQ_GZIP, err);
    if (z->avail_in == 0) break;
    if (inflateReset(z) != Z_OK) return not_all(PQ_GZIP, err);
  }
  return z->avail_out ? not_all(PQ_GZIP, err) : WH_OK;
}

static wh_status from_brotli(pq_decompressor *d, const void *in, size_t len, void *out,
                             size_t out_len, wh_error *err) {
  BrotliDecoderState *b =
      BrotliDecoderCreateInstance(wh_mem_library_alloc, wh_mem_library_free, d->mem);
  if (!b) return wh_fail_memory(err);
  const uint8_t *next_in = in;
  uint8_t *next_out = out;
  size_t left_in = len, left_out = out_len;
  BrotliDecoderResult result =
      BrotliDecoderDecompressStream(b, &left_in, &next_in, &left_out, &next_out, NULL);
  BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(b);
  BrotliDecoderDestroyInstance(b);
  if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
      code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES) {
    return wh_fail_memory(err);
  }
  bool whole = result == BROTLI_DECODER_RESULT_SUCCESS && left_in == 0 && left_out == 0;
  return whole ? WH_OK : not_all(PQ_BROTLI, err);
}

static bool from_lz4(const void *in, size_t len, void *out, size_t out_len) {
  if (len > INT_MAX || out_len > INT_MAX) return false;
  return LZ4_decompress_safe(in, out, (int)len, (int)out_len) == (int)out_len;
}

static uint32_t load_big(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Hadoop's own frames: the sizes before and after, big-endian, then the block. The specification
// calls the whole deprecated; some writers left the frames out.
static bool from_hadoop_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t out_len) {
  while (len >= 8) {
    size_t big = load_big(in), small = load_big(in + 4);
    if (small > len - 8 || big > out_len || !from_lz4(in + 8, small, out, big)) return false;
    in += 8 + small;
    len -= 8 + small;
    out += big;
    out_len -= big;
  }
  return len == 0 && out_len == 0;
}

wh_status pq_decompress(pq_decompressor *d, int32_t kind, const void *in, size_t len, void *out,
                        size_t out_len, wh_error *err) {
  bool ok = false;
  switch (kind) {
  case PQ_UNCOMPRESSED:
    ok = len == out_len;
    if (ok) pq_copy(out, in, len);
    break;
  case PQ_SNAPPY:
    ok = pq_snappy_decompress(in, len, out, out_len);
    break;
  case PQ_LZ4_RAW:
    ok = from_lz4(in, len, out, out_len);
    break;
  case PQ_LZ4_HADOOP:
    ok = from_hadoop_lz4(in, len, out, out_len) || from_lz4(in, len, out, out_len);
    break;
  case PQ_ZSTD:
    return from_zstd(d, in, len, out, out_len, err);
  case PQ_GZIP:
    return from_gzip(d, in, len, out, out_len, err);
  case PQ_BROTLI:
    return from_brotli(d, in, len, out, out_len, err);
  default:
    return wh_fail(err, WH_ERR_DATA, "it is compressed with %s, which Wherry cannot read",
                   pq_compression_name(kind));
  }
  return ok ? WH_OK : not_all(kind, err);
}
