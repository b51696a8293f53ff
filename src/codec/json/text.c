#include "codec/json/text.h"

// Four hex digits at p, or -1.
static int32_t hex4(const char *p, const char *end) {
  if (end - p < 4) return -1;
  int32_t value = 0;
  for (int i = 0; i < 4; i++) {
    int digit = wh_hex_digit(p[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

static size_t put_utf8(uint32_t c, char out[4]) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3F));
  out[2] = (char)(0x80 | (c >> 6 & 0x3F));
  out[3] = (char)(0x80 | (c & 0x3F));
  return 4;
}

// \uXXXX at p (the backslash), with the low surrogate that must follow a high one. Moves p behind.
static bool take_unicode(json_feed *feed, const char **at, const char *end, uint32_t *ret) {
  const char *p = *at;
  size_t where = json_at(feed, p);
  int32_t unit = hex4(p + 2, end);
  if (unit < 0) return json_fault_at(feed, JSON_BAD, where, "\\u needs four hexadecimal digits");
  *at = p + 6;
  *ret = (uint32_t)unit;
  if (unit < 0xD800 || unit > 0xDFFF) return true;
  int32_t low = -1;
  if (unit < 0xDC00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') low = hex4(p + 8, end);
  if (low < 0xDC00 || low > 0xDFFF) {
    return json_fault_at(feed, JSON_BAD, where, "\\u%.4s is half a surrogate pair", p + 2);
  }
  *at = p + 12;
  *ret = 0x10000u + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
  return true;
}

static char simple_escape(char c) {
  switch (c) {
  case '"':
  case '\\':
  case '/':
    return c;
  case 'b':
    return '\b';
  case 'f':
    return '\f';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  default:
    return 0;
  }
}

// The escape at *at; moves behind it.
static bool take_escape(json_feed *feed, const char **at, const char *end, char out[4],
                        size_t *ret_len) {
  const char *p = *at;
  if (p[1] == 'u') {
    uint32_t c = 0;
    if (!take_unicode(feed, at, end, &c)) return false;
    *ret_len = put_utf8(c, out);
    return true;
  }
  out[0] = simple_escape(p[1]);
  if (!out[0]) {
    unsigned char c = (unsigned char)p[1];
    if (c > ' ' && c < 0x7F) {
      return json_fault_at(feed, JSON_BAD, json_at(feed, p), "'\\%c' is not an escape of JSON", c);
    }
    return json_fault_at(feed, JSON_BAD, json_at(feed, p),
                         "a backslash before the byte 0x%02X is not an escape of JSON", c);
  }
  *ret_len = 1;
  *at = p + 2;
  return true;
}

static bool check_utf8(json_feed *feed, wh_str text) {
  size_t valid = wh_utf8_valid_prefix(text);
  if (valid == text.len) return true;
  size_t at = json_at(feed, text.data + valid);
  return json_fault_at(feed, JSON_BAD, at, "byte 0x%02X is not valid UTF-8",
                       (unsigned)(unsigned char)text.data[valid]);
}

// Index of the first control character or backslash.
static size_t ordinary_prefix(const char *p, size_t len) {
  size_t i = 0;
  for (; len - i >= 8; i += 8) {
    uint64_t word;
    memcpy(&word, p + i, 8);
    // Sets the top bit of bytes below 0x20 or equal to a backslash; a borrow may set it for a byte
    // above such a one, which only ends the fast loop.
    uint64_t slash = word ^ 0x5C5C5C5C5C5C5C5Cull;
    uint64_t hit =
        ((word - 0x2020202020202020ull) & ~word) | ((slash - 0x0101010101010101ull) & ~slash);
    if (hit & 0x8080808080808080ull) break;
  }
  while (i < len && (unsigned char)p[i] >= 0x20 && p[i] != '\\')
    i++;
  return i;
}

// `out` NULL: only looks.
static bool unescape(json_feed *feed, wh_str text, char *out, size_t *ret_len) {
  if (!check_utf8(feed, text)) return false;
  const char *p = text.data, *end = text.data + text.len;
  size_t n = 0;
  while (p < end) {
    size_t plain = ordinary_prefix(p, (size_t)(end - p));
    if (out) memcpy(out + n, p, plain);
    n += plain;
    p += plain;
    if (p == end) break;
    if (*p != '\\') {
      return json_fault_at(feed, JSON_BAD, json_at(feed, p),
                           "the control character 0x%02X must be escaped in a string",
                           (unsigned)(unsigned char)*p);
    }
    char bytes[4];
    size_t count = 0;
    if (!take_escape(feed, &p, end, bytes, &count)) return false;
    if (out) memcpy(out + n, bytes, count);
    n += count;
  }
  *ret_len = n;
  return true;
}

bool json_text_check(json_feed *feed, const json_value *value) {
  size_t len;
  return unescape(feed, value->text, NULL, &len);
}

bool json_text_unescape(json_feed *feed, const json_value *value, char *out, size_t *ret_len) {
  return unescape(feed, value->text, out, ret_len);
}
