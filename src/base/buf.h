// A growable byte buffer with a named maximum. It owns its bytes, which come from the
// accountant; growing past `max` fails with WH_ERR_LIMIT semantics (the append returns false and
// the buffer remembers it in `failed`), so that a series of appends needs one check at its end.
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

typedef struct wh_buf {
  char *data; // NUL-terminated after len once anything was appended
  size_t len;
  size_t cap;
  size_t max; // bytes; 0: no maximum of its own
  wh_mem *mem;
  bool failed;
  bool too_long; // it failed because of max, not for want of memory
} wh_buf;

void wh_buf_init(wh_buf *buf, wh_mem *mem, size_t max);
void wh_buf_clear(wh_buf *buf); // len = 0, keeps the memory, forgets a failure
void wh_buf_free(wh_buf *buf);  // zeroed is fine

bool wh_buf_reserve(wh_buf *buf, size_t extra); // room for `extra` more bytes
bool wh_buf_add(wh_buf *buf, const void *data, size_t len);
bool wh_buf_add_str(wh_buf *buf, wh_str s);
bool wh_buf_add_c(wh_buf *buf, const char *cstr);
bool wh_buf_add_char(wh_buf *buf, char c);
bool wh_buf_add_u64(wh_buf *buf, uint64_t value);
bool wh_buf_add_i64(wh_buf *buf, int64_t value);
__attribute__((format(printf, 2, 3))) bool wh_buf_printf(wh_buf *buf, const char *fmt, ...);
// A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
bool wh_buf_add_json(wh_buf *buf, wh_str s);
bool wh_buf_add_hex(wh_buf *buf, const void *data, size_t len);

static inline wh_str wh_buf_str(const wh_buf *buf) {
  return (wh_str){buf->data ? buf->data : "", buf->len};
}
// WH_OK, or the failure that some append met.
wh_status wh_buf_check(const wh_buf *buf, wh_error *err);

static inline void wh_buf_cleanup_(wh_buf *buf) {
  wh_buf_free(buf);
}
#define WH_CLEAN_BUF __attribute__((cleanup(wh_buf_cleanup_)))
