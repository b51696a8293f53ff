#include "codec/compression.h"

#define ZSTD_STATIC_LINKING_ONLY // ZSTD_createCCtx_advanced: memory from the accountant
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { OUT_BYTES = 128 * 1024, GZIP_WINDOW = 15 + 16 /* with the header of gzip */ };

typedef struct compressor {
  wh_compressor base;
  wh_mem *mem;
  wh_output *out;
  z_stream gzip;
  bool has_gzip;
  ZSTD_CCtx *zstd;
  unsigned char *bytes; // OUT_BYTES
} compressor;

// Compresses some of *len bytes, and says how many it took and made. *ret_more: there is more to
// come of what it has.
static wh_status deflate_some(compressor *c, const void *data, size_t *len, bool at_end,
                              size_t *ret_made, bool *ret_more, wh_error *err) {
  enum { IN_MAX = 1 << 30 }; // zlib counts in unsigned
  z_stream *z = &c->gzip;
  size_t n = *len < IN_MAX ? *len : IN_MAX;
  z->next_in = (Bytef *)(uintptr_t)data;
  z->avail_in = (uInt)n;
  z->next_out = c->bytes;
  z->avail_out = OUT_BYTES;
  int result = deflate(z, at_end ? Z_FINISH : Z_NO_FLUSH);
  if (result == Z_STREAM_ERROR) return wh_fail(err, WH_ERR_DATA, "gzip takes no more");
  *len = n - z->avail_in;
  *ret_made = OUT_BYTES - z->avail_out;
  *ret_more = at_end ? result != Z_STREAM_END : z->avail_out == 0;
  return WH_OK;
}

static wh_status zstd_some(compressor *c, const void *data, size_t *len, bool at_end,
                           size_t *ret_made, bool *ret_more, wh_error *err) {
  ZSTD_inBuffer in = {data, *len, 0};
  ZSTD_outBuffer out = {c->bytes, OUT_BYTES, 0};
  size_t left = ZSTD_compressStream2(c->zstd, &out, &in, at_end ? ZSTD_e_end : ZSTD_e_continue);
  if (ZSTD_isError(left))
    return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation
               ? wh_fail_memory(err)
               : wh_fail(err, WH_ERR_DATA, "zstd: %s", ZSTD_getErrorName(left));
  *len = in.pos;
  *ret_made = out.pos;
  *ret_more = at_end ? left != 0 : out.pos == OUT_BYTES;
  return WH_OK;
}

static wh_status pass(compressor *c, const char *data, size_t len, bool at_end, wh_error *err) {
  for (bool more = at_end; len || more;) {
    size_t n = len, made;
    WH_TRY(c->zstd ? zstd_some(c, data, &n, at_end, &made, &more, err)
                   : deflate_some(c, data, &n, at_end, &made, &more, err));
    data += n;
    len -= n;
    if (made) WH_TRY(wh_output_write(c->out, c->bytes, made, err));
  }
  return WH_OK;
}

static wh_status compress_write(wh_output *base, const void *data, size_t len, wh_error *err) {
  compressor *c = (compressor *)base;
  WH_TRY(pass(c, data, len, false, err));
  c->base.output.written += len;
  return WH_OK;
}

static wh_status compress_finish(wh_compressor *base, wh_error *err) {
  return pass((compressor *)base, "", 0, true, err);
}

static void compress_close(wh_compressor *base) {
  compressor *c = (compressor *)base;
  if (c->has_gzip) deflateEnd(&c->gzip);
  ZSTD_freeCCtx(c->zstd);
  wh_mem_free(c->mem, c->bytes, OUT_BYTES);
  wh_mem_free(c->mem, c, sizeof *c);
}

static bool make_context(compressor *c, wh_compression kind) {
  enum { MEM_LEVEL = 8 }; // zlib's default
  if (kind == WH_GZIP) {
    c->gzip =
        (z_stream){.zalloc = wh_mem_zlib_alloc, .zfree = wh_mem_library_free, .opaque = c->mem};
    c->has_gzip = deflateInit2(&c->gzip, WH_GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL,
                               Z_DEFAULT_STRATEGY) == Z_OK;
    return c->has_gzip;
  }
  c->zstd =
      ZSTD_createCCtx_advanced((ZSTD_customMem){wh_mem_library_alloc, wh_mem_library_free, c->mem});
  return c->zstd &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, WH_ZSTD_LEVEL)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1));
}

wh_status wh_compress_open(wh_mem *mem, wh_output *out, wh_compression kind, wh_compressor **ret,
                           wh_error *err) {
  compressor *c = wh_mem_alloc_zero(mem, sizeof *c);
  if (!c) return wh_fail_memory(err);
  c->base = (wh_compressor){
      .output.write = compress_write, .finish = compress_finish, .close = compress_close};
  c->mem = mem;
  c->out = out;
  c->bytes = wh_mem_alloc(mem, OUT_BYTES);
  if (!c->bytes || !make_context(c, kind)) {
    compress_close(&c->base);
    return wh_fail_memory(err);
  }
  *ret = &c->base;
  return WH_OK;
}
