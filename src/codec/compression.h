// Compressed objects: where a key ends in .gz (gzip, RFC 1952) or .zst (Zstandard, RFC 8878), its
// codec is the one of the ending before that, and reads or writes what is inside. Members and
// frames may stand one behind the other. Checksums are verified; zeros behind the last gzip member
// are passed over, as gzip(1) does.
//
// Memory comes from the accountant. What is inside comes in one stream: it cannot be read in parts.
#pragma once

#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"

enum {
  WH_ZSTD_WINDOW_LOG_MAX = 23, // 8 MiB, which zstd(1) keeps within unless --ultra or --long is said
  WH_EXPANSION_MAX = 500,      // bytes that one may become, once there are more than
  WH_EXPANSION_FREE_BYTES = 256 << 20,
  WH_GZIP_LEVEL = 6,
  WH_ZSTD_LEVEL = 3,
};

typedef enum wh_compression { WH_UNCOMPRESSED, WH_GZIP, WH_ZSTD } wh_compression;

// By the key's ending, whatever its case. `ret_inner` may be NULL: the key without that ending.
wh_compression wh_compression_of(wh_str key, wh_str *ret_inner);

// What is inside `in`, which belongs to the result from then on. WH_ERR_DATA, also from `read`: it
// is not what its name says, is damaged or not whole; WH_ERR_LIMIT: a limit above.
wh_status wh_decompress_open(wh_mem *mem, wh_input *in, wh_compression kind, wh_input **ret,
                             wh_error *err);

// Compresses what passes through it. `out` stays the caller's.
typedef struct wh_compressor wh_compressor;
struct wh_compressor {
  wh_output output;
  wh_status (*finish)(wh_compressor *c, wh_error *err); // nothing is whole before; then no write
  void (*close)(wh_compressor *c);                      // frees it, not `out`
};
wh_status wh_compress_open(wh_mem *mem, wh_output *out, wh_compression kind, wh_compressor **ret,
                           wh_error *err);
static inline void wh_compressor_close(wh_compressor *c) {
  if (c) c->close(c);
}
