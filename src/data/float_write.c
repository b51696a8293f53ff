// Float to text, after R. Giulietti, "The Schubfach way to render doubles" (2021).
//
// The decimals that read back as v are those of an interval around it. Of the decimals with
// exponent k, where 10^k is just smaller than the interval, at least one is inside; of those with
// k + 1, at most one: so there are four candidates, two of each, and which are inside is decided
// with v and the ends of the interval, each times 4 * 10^-k, as integers whose last bit says "and
// something more" (round to odd).
#include "data/float.h"
#include "data/powers.h"

#include <string.h>

enum {
  F64_BITS = 52, // stored ones
  F32_BITS = 23,
};

// floor(e * log2(10)), floor(e * log10(2)), floor(log10(3/4 * 2^e)): exact for all exponents of
// doubles.
static inline int floor_log2_of_power10(int e) {
  return e * 1741647 >> 19;
}
static inline int floor_log10_of_power2(int e) {
  return e * 1262611 >> 22;
}
static inline int floor_log10_of_three_quarters(int e) {
  return (e * 1262611 - 524031) >> 22;
}

// The least 128-bit significand that is not below 10^q.
static inline wh_power power_above(int q) {
  wh_power power = wh_power_of_ten(q);
  if (q > 55) { // cut off in the table
    power.low++;
    power.high += power.low == 0;
  }
  return power;
}

static inline uint64_t scale_f64(wh_power power, uint64_t c) {
  uint64_t low = (uint64_t)(((unsigned __int128)power.low * c) >> 64);
  unsigned __int128 product = (unsigned __int128)power.high * c + low;
  return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

static inline uint64_t scale_f32(wh_power power, uint64_t c) {
  uint64_t above = power.high + (power.low != 0);
  unsigned __int128 product = (unsigned __int128)above * c;
  return (uint64_t)(product >> 64) | ((uint32_t)(product >> 32) > 1);
}

static inline wh_float_digits strip_zeros(uint64_t digits, int exponent) {
  while (digits % 100000000 == 0) {
    digits /= 100000000;
    exponent += 8;
  }
  if (digits % 10000 == 0) {
    digits /= 10000;
    exponent += 4;
  }
  if (digits % 100 == 0) {
    digits /= 100;
    exponent += 2;
  }
  if (digits % 10 == 0) {
    digits /= 10;
    exponent++;
  }
  return (wh_float_digits){digits, exponent};
}

// c * 2^q. `closer`: the float below is nearer than the one above (c is a power of two).
static inline __attribute__((always_inline)) wh_float_digits
shortest(uint64_t c, int q, bool closer, uint64_t (*scale)(wh_power power, uint64_t c)) {
  int k = closer ? floor_log10_of_three_quarters(q) : floor_log10_of_power2(q);
  int h = q + floor_log2_of_power10(-k) + 1;
  wh_power power = power_above(-k);
  uint64_t odd = c & 1; // the ends of the interval read back as an even float only
  uint64_t lower = scale(power, (4 * c - 2 + closer) << h) + odd;
  uint64_t middle = scale(power, 4 * c << h);
  uint64_t upper = scale(power, (4 * c + 2) << h) - odd;
  uint64_t s = middle / 4;
  if (s >= 10) {
    uint64_t ten = s / 10;
    bool under = lower <= 40 * ten, over = 40 * ten + 40 <= upper;
    if (under != over) return strip_zeros(ten + over, k + 1);
  }
  bool under = lower <= 4 * s, over = 4 * s + 4 <= upper;
  if (under != over) return strip_zeros(s + over, k);
  uint64_t half = 4 * s + 2;
  bool up = middle > half || (middle == half && (s & 1));
  return strip_zeros(s + up, k);
}

// Most doubles in business data are amounts: m / 100 with m below 10^15. The quotient of two exact
// integers is rounded as reading the text would be, so that equality proves that it reads back; and
// of 15 digits or fewer there is only one number that does.
static inline bool is_amount(double value, wh_float_digits *ret) {
  if (!(value < 1e13)) return false;
  uint64_t cents = (uint64_t)(value * 100 + 0.5);
  if ((double)cents / 100 != value) return false;
  *ret = (wh_float_digits){cents, -2};
  for (; ret->exponent < 0 && ret->digits % 10 == 0; ret->exponent++)
    ret->digits /= 10;
  return true;
}

wh_float_digits wh_f64_shortest(double value) {
  wh_float_digits amount;
  if (is_amount(value, &amount) && amount.exponent < 0) return amount;
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint64_t stored = bits & ((UINT64_C(1) << F64_BITS) - 1);
  int exponent = (int)(bits >> F64_BITS);
  if (exponent == 0) return shortest(stored, -1074, false, scale_f64);
  uint64_t c = stored | UINT64_C(1) << F64_BITS;
  int q = exponent - 1075;
  // An integer has its digits already.
  if (q <= 0 && q >= -F64_BITS && (c & ((UINT64_C(1) << -q) - 1)) == 0)
    return strip_zeros(c >> -q, 0);
  return shortest(c, q, stored == 0 && exponent > 1, scale_f64);
}

wh_float_digits wh_f32_shortest(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t stored = bits & ((1u << F32_BITS) - 1);
  int exponent = (int)(bits >> F32_BITS);
  if (exponent == 0) return shortest(stored, -149, false, scale_f32);
  uint64_t c = stored | 1u << F32_BITS;
  int q = exponent - 150;
  if (q <= 0 && q >= -F32_BITS && (c & ((UINT64_C(1) << -q) - 1)) == 0)
    return strip_zeros(c >> -q, 0);
  return shortest(c, q, stored == 0 && exponent > 1, scale_f32);
}
