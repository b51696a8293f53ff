#include "net/uri.h"

#include "base/crypto.h"

static bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

static bool add(wh_buf *out, wh_str text, bool keep_slash) {
  static const char hex[] = "0123456789ABCDEF";
  if (!wh_buf_reserve(out, text.len > SIZE_MAX / 3 ? SIZE_MAX : 3 * text.len)) return false;
  char *to = out->data + out->len;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      *to++ = c;
      continue;
    }
    *to++ = '%';
    *to++ = hex[(uint8_t)c >> 4];
    *to++ = hex[(uint8_t)c & 15];
  }
  *to = 0;
  out->len = (size_t)(to - out->data);
  return true;
}

bool wh_uri_add(wh_buf *out, wh_str text) {
  return add(out, text, false);
}

bool wh_uri_add_path(wh_buf *out, wh_str text) {
  return add(out, text, true);
}

bool wh_uri_add_decoded(wh_buf *out, wh_str text) {
  if (!wh_buf_reserve(out, text.len)) return false;
  char *to = out->data + out->len;
  for (size_t i = 0; i < text.len; i++) {
    *to = text.data[i];
    if (*to == '%' && i + 2 < text.len && wh_hex_decode(wh_str_sub(text, i + 1, i + 3), to, 1))
      i += 2;
    to++;
  }
  *to = 0;
  out->len = (size_t)(to - out->data);
  return true;
}

bool wh_uri_add_param(wh_buf *out, const char *name, wh_str value) {
  return (out->len == 0 || wh_buf_add_char(out, '&')) && wh_uri_add(out, wh_str_of(name)) &&
         wh_buf_add_char(out, '=') && wh_uri_add(out, value);
}
