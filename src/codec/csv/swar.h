// Digits, eight at a time in a word.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t csv_load8(const char *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

// Whether each byte is 0..9.
static inline bool csv_are_digits(uint64_t bytes) {
  return (((bytes + 0x0606060606060606ull) | bytes) & 0xF0F0F0F0F0F0F0F0ull) == 0;
}

// Of eight digits, as numbers 0..9, the first in the lowest byte.
static inline uint64_t csv_eight_digits(uint64_t v) {
  v = (v * 10 + (v >> 8)) & 0x00FF00FF00FF00FFull;
  v = (v * 100 + (v >> 16)) & 0x0000FFFF0000FFFFull;
  return (v * 10000 + (v >> 32)) & 0xFFFFFFFFull;
}

// 1 to 16 bytes as a number; false when they are not all digits. Reads eight bytes from p.
static inline bool csv_read_digits(const char *p, size_t n, uint64_t *ret) {
  const uint64_t zeros = 0x3030303030303030ull;
  if (n <= 8) {
    uint64_t v = (csv_load8(p) ^ zeros) << (64 - 8 * n);
    *ret = csv_eight_digits(v);
    return csv_are_digits(v);
  }
  uint64_t high = (csv_load8(p) ^ zeros) << (128 - 8 * n), low = csv_load8(p + n - 8) ^ zeros;
  *ret = csv_eight_digits(high) * 100000000 + csv_eight_digits(low);
  return csv_are_digits(high) && csv_are_digits(low);
}
