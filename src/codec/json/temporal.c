#include "codec/json/temporal.h"

#include "data/temporal.h"

// Two digits, or something above 99.
static inline uint32_t two(const char *p) {
  unsigned a = (unsigned)(unsigned char)p[0] - '0', b = (unsigned)(unsigned char)p[1] - '0';
  return a > 9 || b > 9 ? 1000 : a * 10 + b;
}

bool json_read_day(json_known_day *known, const char *text) {
  if (known->known && memcmp(known->text, text, 10) == 0) return true;
  wh_iso iso;
  if (!wh_iso_parse(wh_str_n(text, 10), &iso) || !iso.has_date || iso.has_time) return false;
  known->day = wh_days_from_civil(iso.civil.year, iso.civil.month, iso.civil.day);
  memcpy(known->text, text, 10);
  known->known = true;
  return true;
}

static bool read_day(json_known_day *known, const char *text, int64_t *ret) {
  if (!json_read_day(known, text)) return false;
  *ret = known->day;
  return true;
}

// Up to six digits as microseconds.
static bool read_micros(const char *p, size_t count, int64_t *ret) {
  static const int64_t scale[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
  if (count == 0 || count > 6) return false;
  int64_t value = 0;
  for (size_t i = 0; i < count; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  *ret = value * scale[count];
  return true;
}

bool json_fast_temporal(json_known_day *known, wh_str text, const wh_type *type, int64_t *ret) {
  const char *p = text.data;
  int64_t day, micros = 0;
  if (type->kind == WH_DATE) return text.len == 10 && read_day(known, p, ret);
  if (type->unit != WH_UNIT_US || text.len < 19) return false;
  size_t len = text.len;
  if ((p[len - 1] == 'Z') != type->zoned) return false;
  len -= type->zoned;
  if (len < 19 || p[10] != 'T' || p[13] != ':' || p[16] != ':') return false;
  uint32_t hour = two(p + 11), minute = two(p + 14), second = two(p + 17);
  if (hour > 23 || minute > 59 || second > 59 || !read_day(known, p, &day)) return false;
  if (len > 19 && (p[19] != '.' || !read_micros(p + 20, len - 20, &micros))) return false;
  *ret = (day * 86400 + hour * 3600 + minute * 60 + second) * 1000000 + micros;
  return true;
}
