// A string view: bytes that somebody else owns. Not NUL-terminated unless its maker says so.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct wh_str {
  const char *data;
  size_t len;
} wh_str;

#define WH_STR(literal) ((wh_str){("" literal), sizeof(literal) - 1})
#define WH_STR_INIT(literal)                                                                       \
  { ("" literal), sizeof(literal) - 1 }
// For printf: "%.*s", WH_STR_ARG(s)
#define WH_STR_ARG(s) (int)(s).len, (s).data ? (s).data : ""

static inline wh_str wh_str_of(const char *cstr) {
  return (wh_str){cstr, cstr ? strlen(cstr) : 0};
}
static inline wh_str wh_str_n(const char *data, size_t len) {
  return (wh_str){data, len};
}
static inline bool wh_str_eq(wh_str a, wh_str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
static inline bool wh_str_is(wh_str a, const char *cstr) {
  return wh_str_eq(a, wh_str_of(cstr));
}

int wh_str_cmp(wh_str a, wh_str b);        // byte order, shorter first
bool wh_str_eq_nocase(wh_str a, wh_str b); // ASCII letters only
bool wh_str_starts(wh_str s, const char *prefix);
bool wh_str_ends(wh_str s, const char *suffix);
wh_str wh_str_sub(wh_str s, size_t from, size_t to); // clamped to s
wh_str wh_str_trim(wh_str s);                        // ASCII white space at both ends
// Index of the first `c` at or after `from`, or s.len.
size_t wh_str_find(wh_str s, size_t from, char c);
// The next piece up to `sep`; `*rest` moves behind it. False when nothing is left.
bool wh_str_split(wh_str *rest, char sep, wh_str *ret_piece);

// Whole-string numbers; false on anything else (sign only where the type has one), or overflow.
bool wh_str_to_u64(wh_str s, uint64_t *ret);
bool wh_str_to_i64(wh_str s, int64_t *ret);
// Exactly rounded, locale-independent; accepts what JSON accepts for a number.
bool wh_str_to_f64(wh_str s, double *ret);
bool wh_str_to_f32(wh_str s, float *ret);

// The value of a hexadecimal digit in either case, or -1.
static inline int wh_hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Length of the longest valid UTF-8 prefix (RFC 3629: no surrogates, no overlong forms).
size_t wh_utf8_valid_prefix(wh_str s);
static inline bool wh_utf8_valid(wh_str s) {
  return wh_utf8_valid_prefix(s) == s.len;
}
// The largest length <= max that does not cut a character of s.
size_t wh_utf8_cut(wh_str s, size_t max);

// Edit distance (insert, delete, replace, swap of neighbours), at most `limit` + 1; for "did you
// mean". Case is ignored.
size_t wh_str_distance(wh_str a, wh_str b, size_t limit);
// The nearest of `count` words within a distance worth suggesting, or an empty string.
wh_str wh_str_nearest(wh_str word, const wh_str *words, size_t count);
