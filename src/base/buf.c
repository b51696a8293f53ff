#include "base/buf.h"

#include <stdio.h>

enum {
  BUF_FIRST_BYTES = 64,
  BUF_DOUBLES_UNTIL =
      1 << 20, // then it grows by a quarter: large ones must not take twice their size
};

void wh_buf_init(wh_buf *buf, wh_mem *mem, size_t max) {
  *buf = (wh_buf){.mem = mem, .max = max};
}

void wh_buf_clear(wh_buf *buf) {
  buf->len = 0;
  buf->failed = buf->too_long = false;
  if (buf->data) buf->data[0] = 0;
}

void wh_buf_free(wh_buf *buf) {
  if (!buf->data) return;
  wh_mem_free(buf->mem, buf->data, buf->cap);
  buf->data = NULL;
  buf->len = buf->cap = 0;
}

bool wh_buf_reserve(wh_buf *buf, size_t extra) {
  if (buf->failed) return false;
  size_t need;
  if (__builtin_add_overflow(buf->len, extra, &need) || __builtin_add_overflow(need, 1u, &need) ||
      (buf->max && need - 1 > buf->max)) {
    buf->failed = true;
    buf->too_long = buf->max != 0;
    return false;
  }
  if (need <= buf->cap) return true;
  size_t cap = buf->cap ? buf->cap : BUF_FIRST_BYTES;
  while (cap < need)
    cap = cap > SIZE_MAX / 2 ? need : cap + (cap < BUF_DOUBLES_UNTIL ? cap : cap / 4);
  if (buf->max && cap > buf->max + 1) cap = buf->max + 1;
  char *data = wh_mem_realloc(buf->mem, buf->data, buf->cap, cap);
  if (!data) {
    buf->failed = true;
    return false;
  }
  buf->data = data;
  buf->cap = cap;
  return true;
}

bool wh_buf_add(wh_buf *buf, const void *data, size_t len) {
  if (!wh_buf_reserve(buf, len)) return false;
  if (len) memcpy(buf->data + buf->len, data, len);
  buf->len += len;
  buf->data[buf->len] = 0;
  return true;
}

bool wh_buf_add_str(wh_buf *buf, wh_str s) {
  return wh_buf_add(buf, s.data, s.len);
}

bool wh_buf_add_c(wh_buf *buf, const char *cstr) {
  return wh_buf_add(buf, cstr, strlen(cstr));
}

bool wh_buf_add_char(wh_buf *buf, char c) {
  return wh_buf_add(buf, &c, 1);
}

bool wh_buf_add_u64(wh_buf *buf, uint64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  return wh_buf_add(buf, digits + at, sizeof digits - at);
}

bool wh_buf_add_i64(wh_buf *buf, int64_t value) {
  if (value >= 0) return wh_buf_add_u64(buf, (uint64_t)value);
  return wh_buf_add_char(buf, '-') && wh_buf_add_u64(buf, 0 - (uint64_t)value);
}

bool wh_buf_printf(wh_buf *buf, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  bool ok = n >= 0 && wh_buf_reserve(buf, (size_t)n);
  if (ok) {
    vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
    buf->len += (size_t)n;
  }
  va_end(again);
  return ok;
}

bool wh_buf_add_json(wh_buf *buf, wh_str s) {
  static const char hex[] = "0123456789abcdef";
  bool ok = wh_buf_reserve(buf, s.len + 2) && wh_buf_add_char(buf, '"');
  while (ok && s.len) {
    size_t valid = wh_utf8_valid_prefix(s);
    size_t from = 0;
    for (size_t i = 0; ok && i < valid; i++) {
      unsigned char c = (unsigned char)s.data[i];
      if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) continue;
      ok = wh_buf_add(buf, s.data + from, i - from);
      from = i + 1;
      char escape = c == '"' || c == '\\' ? (char)c
                    : c == '\n'           ? 'n'
                    : c == '\t'           ? 't'
                    : c == '\r'           ? 'r'
                    : c == '\b'           ? 'b'
                    : c == '\f'           ? 'f'
                                          : 'u';
      ok = ok && wh_buf_add_char(buf, '\\') && wh_buf_add_char(buf, escape);
      if (escape == 'u') {
        char digits[4] = {'0', '0', hex[c >> 4], hex[c & 15]};
        ok = ok && wh_buf_add(buf, digits, 4);
      }
    }
    ok = ok && wh_buf_add(buf, s.data + from, valid - from);
    s = wh_str_sub(s, valid, s.len);
    if (s.len) {
      ok = ok && wh_buf_add_c(buf, "\xEF\xBF\xBD");
      s = wh_str_sub(s, 1, s.len);
    }
  }
  return ok && wh_buf_add_char(buf, '"');
}

bool wh_buf_add_hex(wh_buf *buf, const void *data, size_t len) {
  static const char hex[] = "0123456789abcdef";
  const unsigned char *bytes = data;
  size_t digits;
  if (__builtin_mul_overflow(len, 2u, &digits)) digits = SIZE_MAX;
  if (!wh_buf_reserve(buf, digits)) return false;
  char *to = buf->data + buf->len;
  for (size_t i = 0; i < len; i++) {
    *to++ = hex[bytes[i] >> 4];
    *to++ = hex[bytes[i] & 15];
  }
  *to = 0;
  buf->len += digits;
  return true;
}

wh_status wh_buf_check(const wh_buf *buf, wh_error *err) {
  if (!buf->failed) return WH_OK;
  if (buf->too_long)
    return wh_fail(err, WH_ERR_LIMIT, "more than %zu bytes in one piece", buf->max);
  return wh_fail_memory(err);
}
