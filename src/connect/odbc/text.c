// UTF-16, which ODBC's wide functions speak, in the machine's byte order.
#include "connect/odbc/session.h"

static_assert(sizeof(SQLWCHAR) == 2, "unixODBC has UTF-16");

static void add_unit(wh_buf *out, uint32_t unit) {
  SQLWCHAR u = (SQLWCHAR)unit;
  wh_buf_add(out, &u, sizeof u);
}

// A character of valid UTF-8.
static uint32_t take(wh_str text, size_t *at) {
  unsigned char first = (unsigned char)text.data[(*at)++];
  int more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
  uint32_t c = more == 0 ? first : first & (0x3Fu >> more);
  while (more-- > 0 && *at < text.len)
    c = c << 6 | ((unsigned char)text.data[(*at)++] & 0x3F);
  return c;
}

bool wh_odbc_to_wide(wh_str text, wh_buf *out) {
  text = wh_str_sub(text, 0, wh_utf8_valid_prefix(text));
  wh_buf_reserve(out, 2 * text.len + 2);
  for (size_t at = 0; at < text.len;) {
    uint32_t c = take(text, &at);
    if (c >= 0x10000) {
      add_unit(out, 0xD800 + ((c - 0x10000) >> 10));
      c = 0xDC00 + ((c - 0x10000) & 0x3FF);
    }
    add_unit(out, c);
  }
  add_unit(out, 0);
  return !out->failed;
}

static bool add_character(wh_buf *out, uint32_t c) {
  char bytes[4];
  if (c < 0x80) return wh_buf_add_char(out, (char)c);
  size_t count = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = count - 1; i > 0; i--, c >>= 6)
    bytes[i] = (char)(0x80 | (c & 0x3F));
  bytes[0] = (char)((0xF00 >> count & 0xFF) | c);
  return wh_buf_add(out, bytes, count);
}

bool wh_odbc_from_wide(const SQLWCHAR *text, size_t units, wh_buf *out) {
  wh_buf_reserve(out, units);
  for (size_t i = 0; i < units; i++) {
    uint32_t c = text[i];
    if (c >= 0xD800 && c < 0xDC00 && i + 1 < units && (text[i + 1] & 0xFC00) == 0xDC00)
      c = 0x10000 + ((c & 0x3FF) << 10) + (text[++i] & 0x3FFu);
    else if ((c & 0xF800) == 0xD800)
      return false;
    add_character(out, c);
  }
  return !out->failed;
}
