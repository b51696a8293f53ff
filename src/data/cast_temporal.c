#include "data/cast_one.h"
#include "data/temporal.h"
#include "data/time_format.h"

enum { DAY_S = 86400 };

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && a < 0);
}

static wh_status fail(wh_cast *cast, const char *phrase, const char *more, wh_str shown) {
  return wh_fail(&cast->why, WH_ERR_TYPE, "'%.*s' %s%s", WH_STR_ARG(shown), phrase, more);
}

static const char *zone_name(wh_cast *cast) {
  const char *name = wh_arena_cstr(&cast->scratch, wh_zone_name(cast->options->zone));
  return name ? name : "the zone";
}

static const char *unit_word(wh_unit unit) {
  static const char *const words[] = {"seconds", "milliseconds", "microseconds", "nanoseconds"};
  return words[unit];
}

// Shows local time `value` in a message.
static wh_str show_local(wh_cast *cast, int64_t value, wh_unit unit) {
  wh_buf_clear(&cast->text);
  wh_iso_write_timestamp(value, unit, false, &cast->text);
  return wh_buf_str(&cast->text);
}

static wh_status out_of_range(wh_cast *cast, wh_unit unit, wh_str shown) {
  return fail(cast, "is out of range in ", unit_word(unit), shown);
}

// Of the two instants of a local time: see wh_cast_options.
static int64_t settle(const wh_cast *cast, int64_t first_s, int64_t second_s) {
  return second_s <= floor_div(cast->options->clock_us, 1000000) ? second_s : first_s;
}

// A wall-clock time to the instant, in the same unit; the zone decides, once.
static wh_status local_to_utc(wh_cast *cast, int64_t local, wh_unit unit, bool may_settle,
                              int64_t *ret) {
  if (!cast->options->zone) {
    return fail(cast, "does not say its zone, and no timezone is given", "",
                show_local(cast, local, unit));
  }
  int64_t per_second = wh_unit_per_second(unit), first, second;
  int64_t local_s = floor_div(local, per_second);
  int64_t shift = 0;
  may_settle = may_settle && cast->options->settle_local;
  switch (wh_zone_to_utc(cast->options->zone, local_s, &first, &second)) {
  case WH_LOCAL_TWICE:
    if (may_settle) {
      shift = settle(cast, first, second) - local_s;
      break;
    }
    return fail(cast, "exists twice in ", zone_name(cast), show_local(cast, local, unit));
  case WH_LOCAL_NEVER:
    if (may_settle) {
      local = local_s * per_second; // the jump itself, without a fraction of the second
      shift = first - local_s;
      break;
    }
    return fail(cast, "does not exist in ", zone_name(cast), show_local(cast, local, unit));
  case WH_LOCAL_ONCE:
    shift = first - local_s;
    break;
  }
  if (__builtin_add_overflow(local, shift * per_second, ret))
    return out_of_range(cast, unit, show_local(cast, local, unit));
  return WH_OK;
}

static wh_status utc_to_local(wh_cast *cast, int64_t utc, wh_unit unit, int64_t *ret) {
  if (!cast->options->zone) {
    wh_buf_clear(&cast->text);
    wh_iso_write_timestamp(utc, unit, true, &cast->text);
    return fail(cast, "is an instant; without a timezone it has no local time", "",
                wh_buf_str(&cast->text));
  }
  int64_t per_second = wh_unit_per_second(unit), local, back;
  int64_t offset_s = wh_zone_offset_at(cast->options->zone, floor_div(utc, per_second));
  if (__builtin_add_overflow(utc, offset_s * per_second, &local))
    return out_of_range(cast, unit, show_local(cast, utc, unit));
  // One that exists twice could not go back.
  WH_TRY(local_to_utc(cast, local, unit, false, &back));
  *ret = local;
  return WH_OK;
}

static wh_status add(wh_cast *cast, wh_column *out, int64_t value) {
  return wh_column_add_i64(out, value, &cast->why);
}

static wh_status cast_unit(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  int64_t value = wh_column_i64(in, row);
  if (wh_unit_convert(value, in->type.unit, out->type.unit, &value)) return add(cast, out, value);
  bool finer = out->type.unit < in->type.unit;
  return fail(cast, finer ? "is finer than " : "is out of range in ", unit_word(out->type.unit),
              wh_cast_show(cast, in, row));
}

static wh_status cast_timestamp(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  wh_unit from = in->type.unit, to = out->type.unit;
  int64_t value = wh_column_i64(in, row);
  if (in->type.zoned && !out->type.zoned)
    WH_TRY(utc_to_local(cast, value, from, &value));
  else if (!in->type.zoned && out->type.zoned)
    WH_TRY(local_to_utc(cast, value, from, true, &value));
  if (wh_unit_convert(value, from, to, &value)) return add(cast, out, value);
  return fail(cast, to < from ? "is finer than " : "is out of range in ", unit_word(to),
              wh_cast_show(cast, in, row));
}

// Midnight, in the zone where the target is an instant.
static wh_status cast_date_timestamp(wh_cast *cast, const wh_column *in, size_t row,
                                     wh_column *out) {
  wh_unit unit = out->type.unit;
  int64_t value;
  if (!wh_unit_convert(wh_column_i64(in, row) * DAY_S, WH_UNIT_S, unit, &value))
    return out_of_range(cast, unit, wh_cast_show(cast, in, row));
  if (out->type.zoned) WH_TRY(local_to_utc(cast, value, unit, true, &value));
  return add(cast, out, value);
}

static wh_status cast_timestamp_date(wh_cast *cast, const wh_column *in, size_t row,
                                     wh_column *out) {
  int64_t value = wh_column_i64(in, row);
  const int64_t day = DAY_S * wh_unit_per_second(in->type.unit);
  if (in->type.zoned) WH_TRY(utc_to_local(cast, value, in->type.unit, &value));
  if (value % day != 0)
    return fail(cast, "is not midnight", "", show_local(cast, value, in->type.unit));
  value /= day;
  if (value != (int32_t)value)
    return fail(cast, "is out of the range of date", "", wh_cast_show(cast, in, row));
  return add(cast, out, value);
}

// The first pattern that fits, else ISO 8601.
static bool read_text(const wh_cast *cast, wh_str text, wh_iso *ret) {
  for (size_t i = 0; i < cast->options->format_count; i++)
    if (wh_time_format_parse(cast->options->formats[i], text, ret)) return true;
  return wh_iso_parse(text, ret);
}

static wh_status cast_text_date(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  wh_iso iso;
  if (!read_text(cast, wh_column_text(in, row), &iso) || !iso.has_date || iso.has_zone)
    return fail(cast, "is not a date", "", wh_cast_show(cast, in, row));
  const wh_civil *c = &iso.civil;
  if (c->hour || c->minute || c->second || c->nanos)
    return fail(cast, "has a time of day, a date keeps none", "", wh_cast_show(cast, in, row));
  int64_t days = wh_days_from_civil(c->year, c->month, c->day);
  if (days != (int32_t)days)
    return fail(cast, "is out of the range of date", "", wh_cast_show(cast, in, row));
  return add(cast, out, days);
}

static wh_status cast_text_time(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  wh_iso iso;
  if (!read_text(cast, wh_column_text(in, row), &iso) || iso.has_date || iso.has_zone)
    return fail(cast, "is not a time", "", wh_cast_show(cast, in, row));
  int64_t value;
  if (!wh_iso_to_time(&iso, out->type.unit, &value))
    return fail(cast, "is finer than ", unit_word(out->type.unit), wh_cast_show(cast, in, row));
  return add(cast, out, value);
}

static wh_status cast_text_timestamp(wh_cast *cast, const wh_column *in, size_t row,
                                     wh_column *out) {
  wh_iso iso;
  wh_unit unit = out->type.unit;
  if (!read_text(cast, wh_column_text(in, row), &iso) || !iso.has_date)
    return fail(cast, "is not a timestamp", "", wh_cast_show(cast, in, row));
  int64_t value;
  if (!wh_iso_to_timestamp(&iso, unit, &value)) {
    bool finer = iso.civil.nanos % (1000000000 / wh_unit_per_second(unit)) != 0;
    return fail(cast, finer ? "is finer than " : "is out of range in ", unit_word(unit),
                wh_cast_show(cast, in, row));
  }
  if (iso.has_zone && !out->type.zoned)
    WH_TRY(utc_to_local(cast, value, unit, &value));
  else if (!iso.has_zone && out->type.zoned)
    WH_TRY(local_to_utc(cast, value, unit, true, &value));
  return add(cast, out, value);
}

wh_cast_fn wh_cast_temporal(const wh_type *from, const wh_type *to) {
  wh_kind a = from->kind, b = to->kind;
  if (a == WH_TIME && b == WH_TIME) return cast_unit;
  if (a == WH_TIMESTAMP && b == WH_TIMESTAMP) return cast_timestamp;
  if (a == WH_DATE && b == WH_TIMESTAMP) return cast_date_timestamp;
  if (a == WH_TIMESTAMP && b == WH_DATE) return cast_timestamp_date;
  if (a == WH_STRING && b == WH_DATE) return cast_text_date;
  if (a == WH_STRING && b == WH_TIME) return cast_text_time;
  if (a == WH_STRING && b == WH_TIMESTAMP) return cast_text_timestamp;
  return NULL;
}
