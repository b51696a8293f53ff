// Numbers with a point.
//
// In two steps, a few hundred values at a time: csv_read_plains cuts the text into digits and where
// the point stands, without a branch that depends on the value; then the digits become doubles or
// decimals.
#include "codec/csv/decode.h"
#include "codec/csv/number.h"
#include "codec/csv/plain.h"
#include "data/number.h"

enum { CHUNK = 256, EXACT_DIGITS = 15 };

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

// More than fifteen digits: the nearest one, if those digits survive it.
static bool read_long(const csv_plain *n, const char *p, size_t len, bool inferred, double *ret) {
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
  if (n->scale == 0 && n->digits > (UINT64_C(1) << 53)) return false;
  return csv_f64_keeps(digits, count, exponent, *ret);
}

// A value that is not as simple as most.
static wh_status decode_rare(csv_job *job, uint32_t row, const csv_plain *n, double *ret) {
  size_t len;
  const char *p = csv_field(&job->f, row, &len);
  *ret = 0;
  if (len == 0) {
    csv_job_null(job, row);
    return WH_OK;
  }
  if (n->state == CSV_PLAIN && read_long(n, p, len, job->column->inferred, ret)) return WH_OK;
  *ret = 0;
  return csv_job_odd(job, row);
}

// Fifteen digits are exact in a double and so is the power of ten, so that the one division rounds
// exactly (W. Clinger, "How to read floating point numbers accurately", 1990).
static wh_status decode_chunk(csv_job *job, uint32_t from, uint32_t count, const csv_plain *plains,
                              csv_shape *seen) {
  double *values = (double *)(void *)job->out->values + from;
  uint8_t whole = seen->whole, scale = seen->scale;
  for (uint32_t i = 0; i < count; i++) {
    const csv_plain *n = &plains[i];
    if (__builtin_expect(n->state != CSV_PLAIN || n->digits > 999999999999999ull, 0)) {
      if (n->state != CSV_PLAIN) whole = scale = CSV_MANY_DIGITS; // it may be anything
      WH_TRY(decode_rare(job, from + i, n, &values[i]));
      if (n->state != CSV_PLAIN) continue;
    } else {
      double value = (double)(int64_t)n->digits / powers[n->scale];
      values[i] = n->negative ? -value : value;
    }
    whole = n->whole > whole ? n->whole : whole;
    scale = n->scale > scale ? n->scale : scale;
  }
  seen->whole = whole;
  seen->scale = scale;
  return WH_OK;
}

wh_status csv_decode_floats(csv_job *job) {
  csv_plain plains[CHUNK];
  csv_shape seen = {0};
  for (uint32_t from = 0; from < job->f.rows; from += CHUNK) {
    uint32_t count = job->f.rows - from < CHUNK ? job->f.rows - from : CHUNK;
    csv_read_plains(&job->f, from, count, job->d->cpu, plains);
    WH_TRY(decode_chunk(job, from, count, plains, &seen));
  }
  if (job->column->inferred) csv_shape_join(&job->column->shape, &seen);
  return WH_OK;
}

static wh_status decode_decimal(csv_job *job, uint32_t row, const csv_plain *n, __int128 most,
                                __int128 *ret) {
  uint32_t scale = job->out->type.scale;
  *ret = 0;
  if (n->state == CSV_PLAIN && n->scale <= scale && scale - n->scale <= 18) {
    __int128 value = (__int128)n->digits * wh_pow10((int)(scale - n->scale));
    *ret = n->negative ? -value : value;
    if (value <= most) return WH_OK;
    *ret = 0;
  }
  size_t len;
  csv_field(&job->f, row, &len);
  if (len) return csv_job_odd(job, row);
  csv_job_null(job, row);
  return WH_OK;
}

wh_status csv_decode_decimals(csv_job *job) {
  csv_plain plains[CHUNK];
  __int128 most = wh_pow10(job->out->type.precision) - 1;
  for (uint32_t from = 0; from < job->f.rows; from += CHUNK) {
    uint32_t count = job->f.rows - from < CHUNK ? job->f.rows - from : CHUNK;
    csv_read_plains(&job->f, from, count, job->d->cpu, plains);
    for (uint32_t i = 0; i < count; i++) {
      // What csv_job_odd stores comes behind this.
      __int128 value = 0;
      uint8_t *to = job->out->values + (size_t)(from + i) * sizeof value;
      memcpy(to, &value, sizeof value);
      WH_TRY(decode_decimal(job, from + i, &plains[i], most, &value));
      if (value) memcpy(to, &value, sizeof value);
    }
  }
  return WH_OK;
}
