#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

int wh_str_cmp(wh_str a, wh_str b) {
  size_t n = a.len < b.len ? a.len : b.len;
  int order = n ? memcmp(a.data, b.data, n) : 0;
  if (order) return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool wh_str_eq_nocase(wh_str a, wh_str b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++) {
    if (lower(a.data[i]) != lower(b.data[i])) return false;
  }
  return true;
}

bool wh_str_starts(wh_str s, const char *prefix) {
  size_t n = strlen(prefix);
  return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

bool wh_str_ends(wh_str s, const char *suffix) {
  size_t n = strlen(suffix);
  return s.len >= n && memcmp(s.data + s.len - n, suffix, n) == 0;
}

wh_str wh_str_sub(wh_str s, size_t from, size_t to) {
  if (to > s.len) to = s.len;
  if (from > to) from = to;
  // As a number: there is nothing in an empty text that has no data, and NULL + 0 is not defined.
  return wh_str_n((const char *)((uintptr_t)s.data + from), to - from);
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

wh_str wh_str_trim(wh_str s) {
  while (s.len && is_space(s.data[0])) {
    s.data++;
    s.len--;
  }
  while (s.len && is_space(s.data[s.len - 1]))
    s.len--;
  return s;
}

size_t wh_str_find(wh_str s, size_t from, char c) {
  if (from >= s.len) return s.len;
  const char *hit = memchr(s.data + from, c, s.len - from);
  return hit ? (size_t)(hit - s.data) : s.len;
}

bool wh_str_split(wh_str *rest, char sep, wh_str *ret_piece) {
  if (!rest->data) return false;
  size_t at = wh_str_find(*rest, 0, sep);
  *ret_piece = wh_str_n(rest->data, at);
  if (at == rest->len)
    *rest = (wh_str){0};
  else
    *rest = wh_str_n(rest->data + at + 1, rest->len - at - 1);
  return true;
}

bool wh_str_to_u64(wh_str s, uint64_t *ret) {
  if (s.len == 0 || s.len > 20) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < s.len; i++) {
    if (s.data[i] < '0' || s.data[i] > '9') return false;
    if (__builtin_mul_overflow(value, 10u, &value)) return false;
    if (__builtin_add_overflow(value, (uint64_t)(s.data[i] - '0'), &value)) return false;
  }
  *ret = value;
  return true;
}

bool wh_str_to_i64(wh_str s, int64_t *ret) {
  bool negative = s.len && s.data[0] == '-';
  uint64_t magnitude;
  if (!wh_str_to_u64(negative ? wh_str_sub(s, 1, s.len) : s, &magnitude)) return false;
  if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
  *ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
  return true;
}

// RFC 8259 section 6.
static bool is_json_number(wh_str s) {
  size_t i = 0;
  if (i < s.len && s.data[i] == '-') i++;
  size_t digits = i;
  while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9')
    i++;
  if (i == digits || (s.data[digits] == '0' && i > digits + 1)) return false;
  if (i < s.len && s.data[i] == '.') {
    size_t fraction = ++i;
    while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9')
      i++;
    if (i == fraction) return false;
  }
  if (i < s.len && (s.data[i] == 'e' || s.data[i] == 'E')) {
    i++;
    if (i < s.len && (s.data[i] == '+' || s.data[i] == '-')) i++;
    size_t exponent = i;
    while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9')
      i++;
    if (i == exponent) return false;
  }
  return i == s.len;
}

enum { NUMBER_MAX = 1100 }; // longer texts exist, but carry no more of a double

// The text as strtod takes it, and the locale to take it in; false: it is not JSON's.
static bool number_text(wh_str s, char text[NUMBER_MAX + 1], locale_t *ret_locale) {
  if (s.len == 0 || s.len > NUMBER_MAX || !is_json_number(s)) return false;
  memcpy(text, s.data, s.len);
  text[s.len] = 0;
  static locale_t c_locale;
  locale_t locale = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE);
  if (!locale) {
    locale = newlocale(LC_ALL_MASK, "C", NULL);
    locale_t expected = NULL;
    if (!__atomic_compare_exchange_n(&c_locale, &expected, locale, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
      freelocale(locale);
      locale = expected;
    }
  }
  *ret_locale = locale;
  return true;
}

bool wh_str_to_f64(wh_str s, double *ret) {
  char text[NUMBER_MAX + 1];
  locale_t locale;
  if (!number_text(s, text, &locale)) return false;
  double value = strtod_l(text, NULL, locale);
  if (isinf(value)) return false;
  *ret = value;
  return true;
}

bool wh_str_to_f32(wh_str s, float *ret) {
  char text[NUMBER_MAX + 1];
  locale_t locale;
  if (!number_text(s, text, &locale)) return false;
  float value = strtof_l(text, NULL, locale);
  if (isinf(value)) return false;
  *ret = value;
  return true;
}

// Length of the character at p (n > 0 bytes left), or 0 if it is not valid. RFC 3629 section 4.
static size_t char_len(const unsigned char *p, size_t n) {
  unsigned char c = p[0];
  if (c < 0x80) return 1;
  if (c < 0xC2) return 0;
  if (c < 0xE0) return n >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
  if (c < 0xF0) {
    if (n < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return 0;
    if (c == 0xE0 && p[1] < 0xA0) return 0;
    if (c == 0xED && p[1] > 0x9F) return 0;
    return 3;
  }
  if (c > 0xF4) return 0;
  if (n < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80) return 0;
  if (c == 0xF0 && p[1] < 0x90) return 0;
  if (c == 0xF4 && p[1] > 0x8F) return 0;
  return 4;
}

size_t wh_utf8_valid_prefix(wh_str s) {
  const unsigned char *p = (const unsigned char *)s.data;
  size_t i = 0;
  while (i < s.len) {
    // Eight ASCII bytes at a time: most text is that.
    uint64_t word;
    while (s.len - i >= 8) {
      memcpy(&word, p + i, 8);
      if (word & 0x8080808080808080ull) break;
      i += 8;
    }
    if (i == s.len) break;
    size_t n = char_len(p + i, s.len - i);
    if (n == 0) return i;
    i += n;
  }
  return i;
}

size_t wh_utf8_cut(wh_str s, size_t max) {
  if (s.len <= max) return s.len;
  while (max > 0 && ((unsigned char)s.data[max] & 0xC0) == 0x80)
    max--;
  return max;
}

size_t wh_str_distance(wh_str a, wh_str b, size_t limit) {
  enum { WORD_MAX = 64 };
  if (a.len > WORD_MAX || b.len > WORD_MAX) return wh_str_eq_nocase(a, b) ? 0 : limit + 1;
  // Optimal string alignment: three rows of the usual table.
  size_t rows[3][WORD_MAX + 1];
  for (size_t j = 0; j <= b.len; j++)
    rows[0][j] = j;
  for (size_t i = 1; i <= a.len; i++) {
    size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
      char x = lower(a.data[i - 1]), y = lower(b.data[j - 1]);
      size_t best = above[j - 1] + (x != y);
      if (above[j] + 1 < best) best = above[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && x == lower(b.data[j - 2]) && lower(a.data[i - 2]) == y &&
          above2[j - 2] + 1 < best) {
        best = above2[j - 2] + 1;
      }
      row[j] = best;
    }
  }
  size_t distance = rows[a.len % 3][b.len];
  return distance > limit ? limit + 1 : distance;
}

wh_str wh_str_nearest(wh_str word, const wh_str *words, size_t count) {
  size_t worth = word.len <= 3 ? 1 : word.len <= 6 ? 2 : 3;
  wh_str nearest = {0};
  for (size_t i = 0; i < count; i++) {
    size_t distance = wh_str_distance(word, words[i], worth);
    if (distance > worth) continue;
    nearest = words[i];
    if (distance == 0) break;
    worth = distance - 1; // only something nearer may replace it
  }
  return nearest;
}
