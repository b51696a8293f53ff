// Dates and timestamps.
#include "codec/csv/decode.h"
#include "codec/csv/swar.h"
#include "data/temporal.h"

#define ALWAYS static inline __attribute__((always_inline))

// Days before the month, and its length, in a year that begins in January.
static const int16_t before_month[] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
static const int8_t month_days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

// The day that was read last: in most files it comes again and again.
typedef struct known_day {
  uint64_t front;
  uint16_t back;
  int64_t day;
} known_day;

ALWAYS bool find_day(const char *p, uint64_t front, int64_t *ret);

// "2026-11-21": years 1 to 9999.
ALWAYS bool read_day(known_day *known, const char *p, int64_t *ret) {
  uint64_t front = csv_load8(p);
  uint16_t back;
  memcpy(&back, p + 8, sizeof back);
  if (front != known->front || back != known->back) {
    if (!find_day(p, front ^ 0x2D30302D30303030ull, &known->day)) { // "0000-00-"
      known->front = 0;
      return false;
    }
    known->front = front;
    known->back = back;
  }
  *ret = known->day;
  return true;
}

ALWAYS bool find_day(const char *p, uint64_t front, int64_t *ret) {
  unsigned d1 = (unsigned)(unsigned char)p[8] - '0', d2 = (unsigned)(unsigned char)p[9] - '0';
  if (!csv_are_digits(front) || d1 > 9 || d2 > 9) return false;
  // The dashes are zero now; were they 1 to 9 they would still be caught.
  if (front & 0xFF0000FF00000000ull) return false;
  uint64_t pairs = front * 10 + (front >> 8);
  int32_t year = (int32_t)((pairs & 0xFF) * 100 + (pairs >> 16 & 0xFF));
  uint32_t month = (uint32_t)(pairs >> 40 & 0xFF), day = d1 * 10 + d2;
  if (year == 0 || month - 1 > 11) return false;
  bool leap = (year & 3) == 0 && (year % 100 != 0 || (year & 15) == 0);
  if (day - 1 >= (uint32_t)month_days[month] + (month == 2 && leap)) return false;
  int32_t y = year - 1;
  int32_t days = y * 365 + y / 4 - y / 100 + y / 400 + before_month[month] + (month > 2 && leap);
  *ret = days + (int32_t)day - 1 - 719162; // 0001-01-01 is so far before 1970
  return true;
}

wh_status csv_decode_dates(csv_job *job) {
  csv_fields f = job->f;
  int32_t *values = (int32_t *)(void *)job->out->values;
  known_day known = {0};
  for (uint32_t row = 0; row < f.rows; row++) {
    size_t len;
    int64_t day;
    const char *p = csv_take_field(&f, &len);
    if (__builtin_expect(len == 10 && read_day(&known, p, &day), 1)) {
      values[row] = (int32_t)day;
      continue;
    }
    values[row] = 0;
    if (len == 0)
      csv_job_null(job, row);
    else
      WH_TRY(csv_job_odd(job, row));
  }
  return WH_OK;
}

// Up to six digits as microseconds.
ALWAYS bool read_micros(const char *p, size_t count, int64_t *ret) {
  if (count - 1 > 5) return false;
  // Zeros behind, so that six digits are read as if all were there.
  uint64_t v = (csv_load8(p) ^ 0x3030303030303030ull) & ((1ull << 8 * count) - 1);
  *ret = (int64_t)(csv_eight_digits(v) / 100);
  return csv_are_digits(v);
}

// "2026-11-21 08:55:00", with a T between and up to six digits of a fraction behind it.
ALWAYS bool read_moment(known_day *known, const char *p, size_t len, int64_t *ret) {
  int64_t day, micros = 0;
  if (p[10] != 'T' && p[10] != ' ') return false;
  uint64_t clock = csv_load8(p + 11) ^ 0x30303A30303A3030ull; // "00:00:00"
  if (!csv_are_digits(clock) || (clock & 0x0000FF0000FF0000ull)) return false;
  uint64_t pairs = clock * 10 + (clock >> 8);
  uint32_t hour = pairs & 0xFF, minute = pairs >> 24 & 0xFF, second = pairs >> 48 & 0xFF;
  if (hour > 23 || minute > 59 || second > 59 || !read_day(known, p, &day)) return false;
  if (len > 19 && (p[19] != '.' || !read_micros(p + 20, len - 20, &micros))) return false;
  *ret = (day * 86400 + hour * 3600 + minute * 60 + second) * 1000000 + micros;
  return true;
}

// What is behind the time: Z, or an offset as +hh, +hhmm or +hh:mm. Its length; 0: something else.
ALWAYS size_t read_zone(const char *p, size_t len, int64_t *ret_offset_us) {
  *ret_offset_us = 0;
  if (len < 22) return len >= 20 && p[len - 1] == 'Z';
  const char *end = p + len;
  if (end[-1] == 'Z') return 1;
  bool has_colon = end[-3] == ':';
  size_t sign = end[-3] == '+' || end[-3] == '-' ? 3 : has_colon ? 6 : 5;
  const char *at = end - sign, *m = end - 2;
  if ((*at != '+' && *at != '-') || len - sign < 19) return 0;
  unsigned h1 = (unsigned)(unsigned char)at[1] - '0', h2 = (unsigned)(unsigned char)at[2] - '0';
  unsigned m1 = sign == 3 ? 0 : (unsigned)(unsigned char)m[0] - '0';
  unsigned m2 = sign == 3 ? 0 : (unsigned)(unsigned char)m[1] - '0';
  unsigned hours = h1 * 10 + h2;
  if (h1 > 9 || h2 > 9 || hours > 23 || m1 > 5 || m2 > 9) return 0;
  int64_t minutes = hours * 60 + m1 * 10 + m2;
  *ret_offset_us = (*at == '-' ? -minutes : minutes) * 60 * 1000000;
  return sign;
}

ALWAYS wh_status decode_micros(csv_job *job, bool zoned) {
  csv_fields f = job->f;
  int64_t *values = (int64_t *)(void *)job->out->values;
  known_day known = {0};
  for (uint32_t row = 0; row < f.rows; row++) {
    size_t len;
    const char *p = csv_take_field(&f, &len);
    values[row] = 0;
    if (__builtin_expect(len == 0, 0)) {
      csv_job_null(job, row);
      continue;
    }
    int64_t offset = 0;
    size_t zone = zoned ? read_zone(p, len, &offset) : 0, bare = len - zone;
    if (bare >= 19 && (zone || !zoned) && read_moment(&known, p, bare, &values[row])) {
      values[row] -= offset;
      continue;
    }
    values[row] = 0;
    WH_TRY(csv_job_odd(job, row));
  }
  return WH_OK;
}

wh_status csv_decode_timestamps(csv_job *job) {
  if (job->out->type.unit == WH_UNIT_US) {
    return job->out->type.zoned ? decode_micros(job, true) : decode_micros(job, false);
  }
  memset(job->out->values, 0, job->f.rows * sizeof(int64_t));
  for (uint32_t row = 0; row < job->f.rows; row++)
    WH_TRY(csv_job_odd(job, row));
  return WH_OK;
}
