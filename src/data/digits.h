// Integers as decimal digits, eight at a time in one word. For whoever writes many.
#pragma once

#include <stdint.h>
#include <string.h>

// The eight digits of a value below 10^8, the first in the lowest byte, without '0'.
static inline uint64_t wh_digits_eight(uint32_t value) {
  // Into two numbers of four digits, four of two, eight of one: each quotient by a multiplication
  // that is exact in its range, in lanes that do not touch.
  uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
  uint64_t high = (fours * 10486 >> 20) & 0x0000007F0000007Fu; // / 100
  uint64_t twos = high | (fours - high * 100) << 16;
  uint64_t tens = (twos * 103 >> 10) & 0x000F000F000F000Fu; // / 10
  return tens | (twos - tens * 10) << 8;
}

#define WH_DIGITS_ZEROS UINT64_C(0x3030303030303030)

// Below 10^8, with its leading zeros.
static inline void wh_digits_put_eight(uint32_t value, char *out) {
  uint64_t text = wh_digits_eight(value) | WH_DIGITS_ZEROS;
  memcpy(out, &text, sizeof text);
}

// Below 10^8, without them; stores eight bytes.
static inline size_t wh_digits_put_few(uint32_t value, char *out) {
  uint64_t digits = wh_digits_eight(value);
  unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) / 8;
  uint64_t text = (digits | WH_DIGITS_ZEROS) >> zeros * 8;
  memcpy(out, &text, sizeof text);
  return 8 - zeros;
}

// Stores up to 20 bytes.
static inline size_t wh_digits_put(uint64_t value, char *out) {
  const uint64_t eight = 100000000;
  if (__builtin_expect(value < eight, 1)) return wh_digits_put_few((uint32_t)value, out);
  uint64_t high = value / eight;
  size_t n;
  if (high < eight) {
    n = wh_digits_put_few((uint32_t)high, out);
  } else {
    n = wh_digits_put_few((uint32_t)(high / eight), out);
    wh_digits_put_eight((uint32_t)(high % eight), out + n);
    n += 8;
  }
  wh_digits_put_eight((uint32_t)(value % eight), out + n);
  return n + 8;
}

// Below 100.
static inline void wh_digits_put_two(uint32_t value, char *out) {
  uint32_t tens = value * 103 >> 10;
  out[0] = (char)('0' + tens);
  out[1] = (char)('0' + (value - tens * 10));
}
