// Text to float, after D. Lemire, "Number Parsing at a Gigabyte per Second" (2021), and
// N. Mushtak and D. Lemire, "Fast Number Parsing Without Fallback" (2022), which proves that the
// 128-bit product decides every case of up to 19 digits. More digits, when they matter, go to the C
// library, which is exact and slow.
#include "data/float.h"
#include "data/powers.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const double wh_f64_powers[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

enum {
  DIGITS_TAKEN = 19, // that a uint64_t always has room for
  // Two neighbouring doubles differ by their first 767 digits at the latest, so does a text from
  // what lies in the middle of them.
  DIGITS_THAT_MATTER = 770,
};

// --- The product ---------------------------------------------------------------------------------

typedef struct format {
  int mantissa_bits; // without the one that is not stored
  int bias;
  int exponent_max;
  int least, most;           // exponents of ten outside which all is zero or too large
  int even_least, even_most; // between which a product may lie exactly in the middle
} format;

static const format f64_format = {52, 1023, 0x7FF, -342, 308, -4, 23};
static const format f32_format = {23, 127, 0xFF, -64, 38, -17, 10};

// The upper 128 bits of w * 10^q, scaled, precise enough for `bits`: the lower half of the power is
// only multiplied in when it could change them.
static inline unsigned __int128 product(uint64_t w, int q, int bits) {
  wh_power power = wh_power_of_ten(q);
  unsigned __int128 first = (unsigned __int128)w * power.high;
  uint64_t mask = UINT64_MAX >> bits;
  if (((uint64_t)(first >> 64) & mask) == mask)
    first += (uint64_t)(((unsigned __int128)w * power.low) >> 64);
  return first;
}

// Too small for the hidden bit: the mantissa loses bits from below.
static inline uint64_t subnormal(uint64_t mantissa, int exponent) {
  if (1 - exponent >= 64) return 0;
  mantissa >>= 1 - exponent;
  mantissa += mantissa & 1;
  // Rounding up may make it a normal one: the bit is then that of the exponent 1.
  return mantissa >> 1;
}

// The bits of the float, without sign; false: too large.
static inline __attribute__((always_inline)) bool nearest(const format f, uint64_t w, int32_t q,
                                                          uint64_t *ret) {
  *ret = 0;
  if (w == 0 || q < f.least) return true;
  if (q > f.most) return false;
  int zeros = __builtin_clzll(w);
  unsigned __int128 p = product(w << zeros, q, f.mantissa_bits + 3);
  uint64_t high = (uint64_t)(p >> 64), low = (uint64_t)p;
  int upper = (int)(high >> 63);
  int shift = upper + 64 - f.mantissa_bits - 3;
  uint64_t mantissa = high >> shift; // one bit more than is kept
  // 217706 / 2^16 is log2(10), close enough for floor(q * log2(10)) where q is in range.
  int exponent = (217706 * q >> 16) + 63 + upper - zeros + f.bias;
  if (exponent <= 0) {
    *ret = subnormal(mantissa, exponent);
    return true;
  }
  // In the middle between two floats: to the even one.
  if (low <= 1 && q >= f.even_least && q <= f.even_most && (mantissa & 3) == 1 &&
      mantissa << shift == high)
    mantissa &= ~UINT64_C(1);
  mantissa += mantissa & 1;
  mantissa >>= 1;
  if (mantissa >> (f.mantissa_bits + 1)) {
    mantissa >>= 1;
    exponent++;
  }
  if (exponent >= f.exponent_max) return false;
  *ret = (mantissa & ((UINT64_C(1) << f.mantissa_bits) - 1)) | (uint64_t)exponent
                                                                   << f.mantissa_bits;
  return true;
}

bool wh_f64_nearest(uint64_t digits, int32_t exponent, bool negative, double *ret) {
  uint64_t bits;
  if (!nearest(f64_format, digits, exponent, &bits)) return false;
  bits |= (uint64_t)negative << 63;
  memcpy(ret, &bits, sizeof bits);
  return true;
}

bool wh_f32_nearest(uint64_t digits, int32_t exponent, bool negative, float *ret) {
  uint64_t bits;
  if (!nearest(f32_format, digits, exponent, &bits)) return false;
  uint32_t narrow = (uint32_t)bits | (uint32_t)negative << 31;
  memcpy(ret, &narrow, sizeof narrow);
  return true;
}

// --- The text ------------------------------------------------------------------------------------

static inline bool is_digit(char c) {
  return (unsigned char)(c - '0') <= 9;
}

// Eight digits at once: whether they are (each byte 0x30..0x39), and their value, pairs first.
static inline bool eight_digits(const char *p, uint64_t *ret) {
  uint64_t x;
  memcpy(&x, p, sizeof x);
  uint64_t low = x - 0x3030303030303030u;
  if (((x + 0x4646464646464646u) | low) & 0x8080808080808080u) return false;
  low = low * 10 + (low >> 8);
  *ret = ((low & 0x000000FF000000FFu) * 0x000F424000000064u +
          ((low >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u) >>
         32;
  return true;
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight_digits reads the first digit low");

// Multiplies in the digits at p and returns where they end. Wraps around past 19 of them.
static inline const char *take_digits(const char *p, const char *end, uint64_t *value) {
  uint64_t eight;
  while (end - p >= 8 && eight_digits(p, &eight)) {
    *value = *value * 100000000 + eight;
    p += 8;
  }
  for (; p < end && is_digit(*p); p++)
    *value = *value * 10 + (uint64_t)(*p - '0');
  return p;
}

// Behind the 'e'.
static bool take_exponent(const char *p, const char *end, int64_t *ret) {
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end) return false;
  const int64_t far = 1000000000000; // beyond what the digits of any text could make up for
  int64_t value = 0;
  for (; p < end; p++) {
    if (!is_digit(*p)) return false;
    if (value < far) value = value * 10 + (*p - '0');
  }
  *ret = negative ? -value : value;
  return true;
}

// More digits than fit, from `p` to `end`, perhaps with a point: again, up to 19 that count.
static void take_many(const char *p, const char *end, wh_float_text *text, int64_t *exponent) {
  int taken = 0;
  bool behind_point = false;
  text->digits = 0;
  for (; p < end; p++) {
    if (*p == '.') {
      behind_point = true;
      continue;
    }
    if (taken == DIGITS_TAKEN) {
      text->more |= *p != '0';
      *exponent += !behind_point;
      continue;
    }
    text->digits = text->digits * 10 + (uint64_t)(*p - '0');
    taken += text->digits != 0;
    *exponent -= behind_point;
  }
}

bool wh_float_scan(const char *text, size_t len, wh_float_text *ret) {
  const char *p = text, *end = text + len;
  if (len >= INT32_MAX) return false;
  *ret = (wh_float_text){.negative = p < end && *p == '-'};
  p += p < end && (*p == '-' || *p == '+');
  const char *first = p;
  p = take_digits(p, end, &ret->digits);
  size_t count = (size_t)(p - first);
  int64_t exponent = 0, shift = 0;
  ret->whole = p == end;
  if (p < end && *p == '.') {
    const char *behind = p + 1;
    p = take_digits(behind, end, &ret->digits);
    exponent = behind - p;
    count += (size_t)(p - behind);
  }
  if (count == 0) return false;
  const char *last = p;
  if (p < end && ((*p | 0x20) != 'e' || !take_exponent(p + 1, end, &shift))) return false;
  if (__builtin_expect(count > DIGITS_TAKEN, 0)) {
    exponent = 0;
    take_many(first, last, ret, &exponent);
  }
  exponent += shift;
  if (exponent > WH_FLOAT_EXPONENT_MAX) exponent = WH_FLOAT_EXPONENT_MAX;
  if (exponent < -WH_FLOAT_EXPONENT_MAX) exponent = -WH_FLOAT_EXPONENT_MAX;
  ret->exponent = (int32_t)exponent;
  return true;
}

// --- More than 19 digits -------------------------------------------------------------------------

// The number in JSON's syntax, with as many digits as can matter; a last 1 stands for all others.
static size_t write_plain(const wh_float_text *scanned, wh_str text, char *out) {
  size_t n = 0, digits = 0;
  int64_t exponent = scanned->exponent + DIGITS_TAKEN;
  bool rest = false;
  if (scanned->negative) out[n++] = '-';
  out[n++] = '0';
  out[n++] = '.';
  for (size_t i = 0; i < text.len && (text.data[i] | 0x20) != 'e'; i++) {
    char c = text.data[i];
    if (!is_digit(c) || (digits == 0 && c == '0')) continue;
    if (digits < DIGITS_THAT_MATTER) {
      out[n++] = c;
      digits++;
    } else {
      rest |= c != '0';
    }
  }
  out[n++] = rest ? '1' : '0';
  out[n++] = 'e';
  n += (size_t)snprintf(out + n, 16, "%lld", (long long)exponent);
  return n;
}

bool wh_float_to_f64(const wh_float_text *scanned, wh_str text, double *ret) {
  uint64_t w = scanned->digits;
  double value, above;
  if (!scanned->more) return wh_f64_of_digits(w, scanned->exponent, scanned->negative, ret);
  bool fits = wh_f64_nearest(w, scanned->exponent, scanned->negative, &value);
  if (wh_f64_nearest(w + 1, scanned->exponent, scanned->negative, &above) == fits &&
      (!fits || value == above)) {
    if (fits) *ret = value;
    return fits;
  }
  char plain[DIGITS_THAT_MATTER + 32];
  return wh_str_to_f64(wh_str_n(plain, write_plain(scanned, text, plain)), ret);
}

bool wh_float_to_f32(const wh_float_text *scanned, wh_str text, float *ret) {
  uint64_t w = scanned->digits;
  float value, above;
  if (!scanned->more) return wh_f32_nearest(w, scanned->exponent, scanned->negative, ret);
  bool fits = wh_f32_nearest(w, scanned->exponent, scanned->negative, &value);
  if (wh_f32_nearest(w + 1, scanned->exponent, scanned->negative, &above) == fits &&
      (!fits || value == above)) {
    if (fits) *ret = value;
    return fits;
  }
  char plain[DIGITS_THAT_MATTER + 32];
  return wh_str_to_f32(wh_str_n(plain, write_plain(scanned, text, plain)), ret);
}
