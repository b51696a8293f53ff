// Whole numbers.
#include "codec/csv/decode.h"
#include "codec/csv/swar.h"
#include "data/number.h"

#define ALWAYS static inline __attribute__((always_inline))

// Up to 18 digits, written the usual way. The sign is taken without a branch: it is hard to
// foresee.
ALWAYS bool read_int(const char *p, size_t len, int64_t *ret) {
  uint64_t sign = *p == '-';
  p += sign;
  len -= sign;
  uint64_t value;
  if (__builtin_expect(len - 1 < 8, 1)) {
    uint64_t digits = csv_load8(p) ^ 0x3030303030303030ull;
    if ((digits & 0xFF) == 0 && len + sign > 1) return false;
    digits <<= 64 - 8 * len;
    if (!csv_are_digits(digits)) return false;
    value = csv_eight_digits(digits);
  } else {
    if (len - 1 >= 18 || *p == '0') return false;
    uint64_t first = 0;
    for (; len > 16; len--, p++) {
      unsigned digit = (unsigned)(unsigned char)*p - '0';
      if (digit > 9) return false;
      first = first * 10 + digit;
    }
    if (!csv_read_digits(p, len, &value)) return false;
    value += first * 10000000000000000ull;
  }
  *ret = (int64_t)((value ^ -sign) + sign);
  return true;
}

ALWAYS wh_status decode(csv_job *job, size_t width, int64_t least, int64_t most) {
  csv_fields f = job->f;
  uint8_t *values = job->out->values;
  uint32_t rows = f.rows;
  bool wide = width == sizeof(int64_t) && least < 0;
  for (uint32_t row = 0; row < rows; row++) {
    size_t len;
    int64_t value = 0;
    const char *p = csv_take_field(&f, &len);
    bool fits = read_int(p, len, &value) && (wide || (value >= least && value <= most));
    if (__builtin_expect(fits, 1)) {
      memcpy(values + row * width, &value, width);
      continue;
    }
    value = 0;
    memcpy(values + row * width, &value, width);
    if (len == 0)
      csv_job_null(job, row);
    else
      WH_TRY(csv_job_odd(job, row));
  }
  return WH_OK;
}

// Whether all are exact in a float64, for when the column has to be widened.
static void note_extent(csv_job *job) {
  const int64_t *values = (const int64_t *)(const void *)job->out->values;
  const int64_t most = INT64_C(1) << 53;
  bool beyond = false;
  for (uint32_t row = 0; row < job->f.rows; row++)
    beyond |= values[row] > most || values[row] < -most;
  if (beyond) job->column->shape.seen |= CSV_SEEN_INEXACT;
  job->column->shape.whole = 19;
}

ALWAYS wh_status decode_any(csv_job *job) {
  switch (job->out->type.kind) {
  case WH_INT8:
    return decode(job, 1, INT8_MIN, INT8_MAX);
  case WH_INT16:
    return decode(job, 2, INT16_MIN, INT16_MAX);
  case WH_INT32:
    return decode(job, 4, INT32_MIN, INT32_MAX);
  case WH_UINT8:
    return decode(job, 1, 0, UINT8_MAX);
  case WH_UINT16:
    return decode(job, 2, 0, UINT16_MAX);
  case WH_UINT32:
    return decode(job, 4, 0, UINT32_MAX);
  case WH_UINT64:
    return decode(job, 8, 0, INT64_MAX);
  default:
    return decode(job, 8, INT64_MIN, INT64_MAX);
  }
}

#ifdef __x86_64__
// The same with shifts by any register.
__attribute__((target("bmi,bmi2"))) static wh_status decode_bmi(csv_job *job) {
  return decode_any(job);
}
#endif

static wh_status decode_plain(csv_job *job) {
  return decode_any(job);
}

wh_status csv_decode_ints(csv_job *job) {
  wh_status (*run)(csv_job *) = decode_plain;
#ifdef __x86_64__
  if (job->d->cpu >= WH_CPU_AVX2) run = decode_bmi;
#endif
  WH_TRY(run(job));
  if (job->out->type.kind == WH_INT64 && job->column->inferred) note_extent(job);
  return WH_OK;
}
