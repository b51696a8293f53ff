// Numbers with a point.
#include "codec/csv/decode.h"
#include "codec/csv/number.h"
#include "codec/csv/swar.h"
#include "data/number.h"

#define ALWAYS static inline __attribute__((always_inline))

// A number of up to 19 digits and no exponent.
typedef struct plain {
  uint64_t digits;
  uint32_t count; // of digits, with zeros in front and behind
  uint32_t whole; // digits before the point
  uint32_t scale; // and behind it
  bool negative;
  bool point;
} plain;

ALWAYS bool read_plain(const char *p, size_t len, plain *ret) {
  plain n = {.negative = *p == '-'};
  p += n.negative;
  len -= n.negative;
  if (__builtin_expect(len - 1 >= 20, 0)) return false;
  // 00.5 and 007 are no usual numbers.
  if (*p == '0' && len > 1 && p[1] != '.') return false;
  size_t i = 0;
  for (; i < len; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';
    if (digit > 9) break;
    n.digits = n.digits * 10 + digit;
  }
  n.whole = (uint32_t)i;
  if (i < len) {
    if (p[i] != '.' || i + 1 == len) return false;
    n.point = true;
    for (i++; i < len; i++) {
      unsigned digit = (unsigned)(unsigned char)p[i] - '0';
      if (digit > 9) return false;
      n.digits = n.digits * 10 + digit;
    }
    n.scale = (uint32_t)len - n.whole - 1;
  }
  n.count = n.whole + n.scale;
  *ret = n;
  return n.count <= 19;
}

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

// Fifteen digits are exact in a double and so is the power of ten, so that the one division rounds
// exactly (W. Clinger, "How to read floating point numbers accurately", 1990).
ALWAYS bool read_exact(const plain *n, double *ret) {
  if (__builtin_expect(n->digits > 999999999999999ull, 0)) return false;
  double value = (double)n->digits / powers[n->scale];
  *ret = n->negative ? -value : value;
  return true;
}

// More than fifteen digits: the nearest one, if those digits survive it.
static bool read_long(const plain *n, const char *p, size_t len, bool inferred, double *ret) {
  if (!wh_f64_parse(wh_str_n(p, len), ret)) return false;
  if (!inferred) return true;
  uint64_t digits = n->digits;
  int exponent = -(int)n->scale, count = 0;
  while (digits && digits % 10 == 0) {
    digits /= 10;
    exponent++;
  }
  for (uint64_t rest = digits; rest; rest /= 10)
    count++;
  // Whole numbers have to be below 2^53.
  if (!n->point && n->digits > (UINT64_C(1) << 53)) return false;
  return csv_f64_keeps(digits, count, exponent, *ret);
}

wh_status csv_decode_floats(csv_job *job) {
  csv_fields f = job->f;
  double *values = (double *)(void *)job->out->values;
  bool inferred = job->column->inferred;
  uint32_t whole = 0, scale = 0;
  for (uint32_t row = 0; row < f.rows; row++) {
    size_t len;
    plain n;
    const char *p = csv_field(&f, row, &len);
    values[row] = 0;
    if (__builtin_expect(len == 0, 0)) {
      csv_job_null(job, row);
      continue;
    }
    if (__builtin_expect(!read_plain(p, len, &n), 0)) {
      whole = scale = CSV_MANY_DIGITS; // it may be anything
      WH_TRY(csv_job_odd(job, row));
      continue;
    }
    whole = n.whole > whole ? n.whole : whole;
    scale = n.scale > scale ? n.scale : scale;
    if (__builtin_expect(read_exact(&n, &values[row]), 1)) continue;
    if (read_long(&n, p, len, inferred, &values[row])) continue;
    values[row] = 0;
    WH_TRY(csv_job_odd(job, row));
  }
  csv_shape seen = {.whole = (uint8_t)whole, .scale = (uint8_t)scale};
  if (inferred) csv_shape_join(&job->column->shape, &seen);
  return WH_OK;
}

wh_status csv_decode_decimals(csv_job *job) {
  csv_fields f = job->f;
  uint8_t *values = job->out->values;
  uint32_t scale = job->out->type.scale;
  __int128 most = wh_pow10(job->out->type.precision) - 1;
  for (uint32_t row = 0; row < f.rows; row++) {
    size_t len;
    plain n;
    __int128 value = 0;
    const char *p = csv_field(&f, row, &len);
    if (len == 0) {
      csv_job_null(job, row);
    } else if (read_plain(p, len, &n) && n.scale <= scale && scale - n.scale <= 18 &&
               (__int128)n.digits * wh_pow10((int)(scale - n.scale)) <= most) {
      value = (__int128)n.digits * wh_pow10((int)(scale - n.scale));
      if (n.negative) value = -value;
    } else {
      memcpy(values + row * sizeof value, &value, sizeof value);
      WH_TRY(csv_job_odd(job, row));
      continue;
    }
    memcpy(values + row * sizeof value, &value, sizeof value);
  }
  return WH_OK;
}
