#include "step/chars.h"

typedef struct chars_range {
  uint32_t first, last;
} chars_range;

typedef struct chars_case {
  uint32_t first, last;
  uint32_t step;
  int32_t delta;
} chars_case;

#include "step/chars_table.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

// Bytes of the character beyond ASCII at `at`, 0 if they are not UTF-8 (RFC 3629 section 4).
static size_t char_len(wh_str s, size_t at) {
  unsigned char lead = (unsigned char)s.data[at];
  size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  wh_str piece = wh_str_sub(s, at, at + len);
  return piece.len == len && wh_utf8_valid(piece) ? len : 0;
}

uint32_t wh_char_next_wide_(wh_str s, size_t *at) {
  const unsigned char *p = (const unsigned char *)s.data + *at;
  size_t len = char_len(s, *at);
  *at += len ? len : 1;
  switch (len) {
  case 2:
    return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
  case 3:
    return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
  case 4:
    return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
  default:
    return WH_CHAR_INVALID;
  }
}

size_t wh_char_encode(uint32_t c, char out[4]) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = len; i-- > 1; c >>= 6)
    out[i] = (char)(0x80 | (c & 0x3F));
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  out[0] = (char)(lead[len] | c);
  return len;
}

bool wh_char_is_space(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200B) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x2060 || c == 0x3000 || c == 0xFEFF;
}

bool wh_char_is_alphanumeric(uint32_t c) {
  if (c < 0x80) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  }
  size_t low = 0, high = COUNT(chars_alphanumeric);
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (chars_alphanumeric[middle].last < c)
      low = middle + 1;
    else
      high = middle;
  }
  return low < COUNT(chars_alphanumeric) && chars_alphanumeric[low].first <= c;
}

static uint32_t convert(const chars_case *table, size_t count, uint32_t c) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (table[middle].last < c)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == count || table[low].first > c || (c - table[low].first) % table[low].step) return c;
  return (uint32_t)((int32_t)c + table[low].delta);
}

uint32_t wh_char_upper(uint32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  return convert(chars_upper, COUNT(chars_upper), c);
}

uint32_t wh_char_lower(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return convert(chars_lower, COUNT(chars_lower), c);
}

// Where the character before `end` begins.
static size_t char_before(wh_str s, size_t end) {
  size_t at = end - 1;
  while (at > 0 && end - at < 4 && ((unsigned char)s.data[at] & 0xC0) == 0x80)
    at--;
  size_t next = at;
  wh_char_next(wh_str_sub(s, 0, end), &next);
  return next == end ? at : end - 1;
}

wh_str wh_chars_trim(wh_str s) {
  size_t from = 0, to = s.len;
  for (size_t at = 0; at < to; from = at) {
    if (!wh_char_is_space(wh_char_next(s, &at))) break;
  }
  while (to > from) {
    size_t begin = char_before(s, to), at = begin;
    if (!wh_char_is_space(wh_char_next(s, &at))) break;
    to = begin;
  }
  return wh_str_sub(s, from, to);
}

size_t wh_chars_count(wh_str s) {
  size_t count = 0;
  for (size_t at = 0; at < s.len; count++)
    wh_char_next(s, &at);
  return count;
}
