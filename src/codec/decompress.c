#include "codec/compression.h"

#define ZSTD_STATIC_LINKING_ONLY // ZSTD_createDCtx_advanced: memory from the accountant
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { IN_BYTES = 128 * 1024, GZIP_WINDOW = 15 + 16 /* with the header of gzip */ };

typedef struct decompressor {
  wh_input base;
  wh_mem *mem;
  wh_input *in;
  uint64_t taken, given; // bytes, so far
  bool ended;            // the input
  bool between;          // members or frames: here it may end
  z_stream gzip;
  bool has_gzip;
  ZSTD_DCtx *zstd;
  const unsigned char *next; // in `bytes`
  size_t left;
  unsigned char *bytes; // IN_BYTES
} decompressor;

static wh_status fail_damaged(const char *what, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "its compressed bytes are damaged: %s", what);
}

static wh_status fill(decompressor *d, wh_error *err) {
  WH_TRY(wh_input_read(d->in, d->bytes, IN_BYTES, &d->left, err));
  d->next = d->bytes;
  d->taken += d->left;
  d->ended = d->left == 0;
  return WH_OK;
}

// --- gzip ----------------------------------------------------------------------------------------

static wh_status start_member(decompressor *d, wh_error *err) {
  return inflateReset(&d->gzip) == Z_OK ? WH_OK : fail_damaged("gzip", err);
}

static wh_status inflate_some(decompressor *d, void *data, size_t cap, size_t *ret, wh_error *err) {
  z_stream *z = &d->gzip;
  if (d->between) {
    while (d->left && *d->next == 0)
      d->next++, d->left--;
    if (!d->left) return WH_OK;
    WH_TRY(start_member(d, err));
  }
  z->next_in = (Bytef *)(uintptr_t)d->next;
  z->avail_in = (uInt)d->left;
  z->next_out = data;
  z->avail_out = (uInt)cap;
  int result = inflate(z, Z_NO_FLUSH);
  d->next = z->next_in;
  d->left = z->avail_in;
  *ret = cap - z->avail_out;
  d->between = result == Z_STREAM_END;
  switch (result) {
  case Z_OK:
  case Z_STREAM_END:
  case Z_BUF_ERROR: // no input, or no room
    return WH_OK;
  case Z_MEM_ERROR:
    return wh_fail_memory(err);
  default:
    return fail_damaged(z->msg ? z->msg : "it is no gzip", err);
  }
}

// --- Zstandard -----------------------------------------------------------------------------------

static wh_status fail_zstd(size_t code, wh_error *err) {
  switch (ZSTD_getErrorCode(code)) {
  case ZSTD_error_memory_allocation:
    return wh_fail_memory(err);
  case ZSTD_error_frameParameter_windowTooLarge:
    return wh_fail(err, WH_ERR_LIMIT,
                   "it was compressed with a window of more than %d MiB (zstd --ultra or --long), "
                   "which takes too much memory. Compress it without",
                   (1 << WH_ZSTD_WINDOW_LOG_MAX) >> 20);
  default:
    return fail_damaged(ZSTD_getErrorName(code), err);
  }
}

static wh_status unzstd_some(decompressor *d, void *data, size_t cap, size_t *ret, wh_error *err) {
  ZSTD_inBuffer in = {d->next, d->left, 0};
  ZSTD_outBuffer out = {data, cap, 0};
  size_t result = ZSTD_decompressStream(d->zstd, &out, &in);
  if (ZSTD_isError(result)) return fail_zstd(result, err);
  d->next += in.pos;
  d->left -= in.pos;
  *ret = out.pos;
  // It asks for nothing more: the frame is whole, and all of it was given out.
  d->between = result == 0;
  return WH_OK;
}

// --- the input -----------------------------------------------------------------------------------

static wh_status check_expansion(const decompressor *d, wh_error *err) {
  if (d->given <= WH_EXPANSION_FREE_BYTES || d->given / WH_EXPANSION_MAX <= d->taken) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT,
                 "what is compressed becomes more than %d times as large, which is taken for an "
                 "attack. If it is meant so, decompress it first",
                 WH_EXPANSION_MAX);
}

static wh_status decompress_read(wh_input *base, void *data, size_t cap, size_t *ret,
                                 wh_error *err) {
  decompressor *d = (decompressor *)base;
  enum { OUT_MAX = 1 << 30 }; // zlib counts in unsigned
  size_t n = 0;
  if (cap > OUT_MAX) cap = OUT_MAX;
  while (n == 0 && cap) {
    if (d->left == 0 && !d->ended) WH_TRY(fill(d, err));
    if (d->ended && d->between) break;
    uint64_t before = d->left;
    WH_TRY(d->zstd ? unzstd_some(d, data, cap, &n, err) : inflate_some(d, data, cap, &n, err));
    if (d->ended && n == 0 && before == 0 && !d->between)
      return wh_fail(err, WH_ERR_DATA, "it ends in the middle of what is compressed");
  }
  d->given += n;
  *ret = n;
  return check_expansion(d, err);
}

static void decompress_close(wh_input *base) {
  decompressor *d = (decompressor *)base;
  if (d->has_gzip) inflateEnd(&d->gzip);
  ZSTD_freeDCtx(d->zstd);
  wh_input_close(d->in);
  wh_mem_free(d->mem, d->bytes, IN_BYTES);
  wh_mem_free(d->mem, d, sizeof *d);
}

static bool make_context(decompressor *d, wh_compression kind) {
  if (kind == WH_GZIP) {
    d->gzip =
        (z_stream){.zalloc = wh_mem_zlib_alloc, .zfree = wh_mem_library_free, .opaque = d->mem};
    d->has_gzip = inflateInit2(&d->gzip, GZIP_WINDOW) == Z_OK;
    return d->has_gzip;
  }
  d->zstd =
      ZSTD_createDCtx_advanced((ZSTD_customMem){wh_mem_library_alloc, wh_mem_library_free, d->mem});
  return d->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax,
                                                         WH_ZSTD_WINDOW_LOG_MAX));
}

wh_status wh_decompress_open(wh_mem *mem, wh_input *in, wh_compression kind, wh_input **ret,
                             wh_error *err) {
  decompressor *d = wh_mem_alloc_zero(mem, sizeof *d);
  if (!d) return wh_fail_memory(err);
  d->base = (wh_input){.size = WH_SIZE_UNKNOWN, .read = decompress_read, .close = decompress_close};
  d->mem = mem;
  d->bytes = wh_mem_alloc(mem, IN_BYTES);
  if (!d->bytes || !make_context(d, kind)) {
    decompress_close(&d->base);
    return wh_fail_memory(err);
  }
  d->in = in;
  *ret = &d->base;
  return WH_OK;
}
