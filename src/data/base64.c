#include "data/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool wh_base64_write(wh_str bytes, wh_buf *out) {
  if (bytes.len > SIZE_MAX / 2 || !wh_buf_reserve(out, (bytes.len + 2) / 3 * 4)) {
    out->failed = true;
    return false;
  }
  const unsigned char *p = (const unsigned char *)bytes.data;
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
    unsigned group = (unsigned)p[i] << 16;
    if (n > 1) group |= (unsigned)p[i + 1] << 8;
    if (n > 2) group |= p[i + 2];
    char text[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
                    n > 1 ? alphabet[group >> 6 & 63] : '=', n > 2 ? alphabet[group & 63] : '='};
    if (!wh_buf_add(out, text, 4)) return false;
  }
  return true;
}

static int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool wh_base64_read(wh_str text, uint8_t *out, size_t *ret_len) {
  if (text.len % 4) return false;
  size_t len = 0;
  for (size_t i = 0; i < text.len; i += 4) {
    const char *p = text.data + i;
    bool last = i + 4 == text.len;
    int pad = last && p[3] == '=' ? (p[2] == '=' ? 2 : 1) : 0;
    unsigned group = 0;
    for (int j = 0; j < 4 - pad; j++) {
      int value = digit(p[j]);
      if (value < 0) return false;
      group |= (unsigned)value << (18 - 6 * j);
    }
    if (group & ((1u << (8 * pad)) - 1)) return false;
    for (int j = 0; j < 3 - pad; j++)
      out[len++] = (uint8_t)(group >> (16 - 8 * j));
  }
  *ret_len = len;
  return true;
}
