#include "codec/csv/number.h"

#include <math.h>
#include <stdio.h>

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Copies the digits before the decimal mark; *at moves behind them. Counts how many came since the
// last separator.
static bool copy_whole(const csv_dialect *d, wh_str text, size_t *at, char *room, size_t *n) {
  size_t group = 0, groups = 0;
  for (; *at < text.len; (*at)++) {
    char c = text.data[*at];
    if (is_digit(c)) {
      room[(*n)++] = c;
      group++;
    } else if (d->thousands && c == d->thousands) {
      if (group == 0 || group > 3 || (groups && group != 3)) return false;
      groups++;
      group = 0;
    } else {
      break;
    }
  }
  return groups == 0 || group == 3;
}

bool csv_number_plain(const csv_dialect *dialect, wh_str text, char room[CSV_NUMBER_ROOM],
                      wh_str *ret) {
  size_t at = 0, n = 0;
  if (text.len == 0 || text.len >= CSV_NUMBER_ROOM) return false;
  if (text.data[0] == '-' || text.data[0] == '+') room[n++] = text.data[at++];
  if (!copy_whole(dialect, text, &at, room, &n)) return false;
  if (at < text.len && text.data[at] == dialect->decimal) {
    room[n++] = '.';
    at++;
  }
  for (; at < text.len; at++) {
    char c = text.data[at];
    if (!is_digit(c) && c != 'e' && c != 'E' && c != '+' && c != '-') return false;
    room[n++] = c;
  }
  *ret = wh_str_n(room, n);
  return true;
}

// By way of the C library's exact printing.
static bool keeps_slowly(uint64_t digits, int count, int exponent, double value) {
  char text[64];
  int n = snprintf(text, sizeof text, "%.*e", count - 1, fabs(value));
  uint64_t got = 0;
  int i = 0;
  for (; i < n && text[i] != 'e'; i++)
    if (is_digit(text[i])) got = got * 10 + (uint64_t)(text[i] - '0');
  int64_t power;
  if (i >= n || !wh_str_to_i64(wh_str_of(text + i + 1 + (text[i + 1] == '+')), &power))
    return false;
  return got == digits && power == exponent + count - 1;
}

bool csv_f64_keeps(uint64_t digits, int count, int exponent, double value) {
  if (!isfinite(value)) return false;
  if (digits == 0) return true;
  // Of 15 digits any survive, but not where doubles lose precision, near zero.
  if (count <= 15 && exponent > -290) return true;
  if (count > 17) return false;
  // With 64 bits of precision the digits come back with an error of less than a hundredth, so only
  // what lies very near the middle is in doubt.
  static const long double powers[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                       1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                       1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                       1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
  if (exponent <= 0 && exponent >= -27 && count <= 17) {
    long double off = fabsl((long double)fabs(value) * powers[-exponent] - (long double)digits);
    if (off < 0.47L) return true;
    if (off > 0.53L) return false;
  }
  return keeps_slowly(digits, count, exponent, value);
}
