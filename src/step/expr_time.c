// Dates, times and timestamps. What an instant says of itself is said in UTC; cast(t as
// timestamp[us]) before gives the local time of the pipeline's zone.
#include "data/temporal.h"

#include "step/expr_private.h"

enum { DAY_S = 86400 };

static const char out_of_range[] = "the result is out of the range of dates";

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

// --- units ---------------------------------------------------------------------------------------

typedef enum part_of { YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND } part_of;

static const char *const part_names[] = {"year", "quarter", "month",  "week",
                                         "day",  "hour",    "minute", "second"};
enum { PARTS = sizeof part_names / sizeof *part_names };

static wh_status read_part(wh_x_bind *bind, wh_x_node *node, size_t arg, part_of *ret,
                           wh_error *err) {
  wh_str text;
  WH_TRY(wh_x_constant_text(bind, node, arg, "the unit", &text, err));
  wh_str words[PARTS];
  for (size_t i = 0; i < PARTS; i++) {
    words[i] = wh_str_of(part_names[i]);
    if (!wh_str_eq(text, words[i])) continue;
    *ret = (part_of)i;
    return WH_OK;
  }
  wh_str nearest = wh_str_nearest(text, words, PARTS);
  size_t at = node->args[arg]->at;
  if (nearest.data)
    return wh_x_fail_at(bind, at, err, "%s: no unit '%.*s'. Did you mean '%.*s'?",
                        node->fn->help.name, WH_STR_ARG(text), WH_STR_ARG(nearest));
  return wh_x_fail_at(bind, at, err,
                      "%s: the units are year, quarter, month, week, day, hour, minute and second",
                      node->fn->help.name);
}

// Seconds that every such unit has; 0 for months and what is made of them.
static int64_t seconds_of(part_of part) {
  static const int32_t seconds[] = {
      [WEEK] = 7 * DAY_S, [DAY] = DAY_S, [HOUR] = 3600, [MINUTE] = 60, [SECOND] = 1};
  return seconds[part];
}

static int months_of(part_of part) {
  return part == YEAR ? 12 : part == QUARTER ? 3 : 1;
}

// --- a moment as a day and the rest of it
// ---------------------------------------------------------

static int64_t units_a_day(const wh_type *type) {
  return type->kind == WH_DATE ? 1 : DAY_S * wh_unit_per_second(type->unit);
}

static int64_t moment(const wh_x_value *v, size_t row) {
  return wh_column_i64(v->column, row * v->step);
}

static void put_moment(wh_column *out, size_t row, int64_t value) {
  if (out->width == sizeof value) {
    wh_x_put_i64(out, row, value);
    return;
  }
  int32_t days = (int32_t)value;
  memcpy(out->values + row * sizeof days, &days, sizeof days);
}

static bool fits_moment(const wh_type *type, __int128 value) {
  if (type->kind == WH_DATE) return value == (int32_t)value;
  return value >= INT64_MIN && value <= INT64_MAX;
}

// Days that have a year of 32 bits; timestamps in seconds reach further.
static bool has_civil(int64_t days) {
  enum { YEAR_MOST = 5000000 };
  return days < (int64_t)YEAR_MOST * 366 && days > -(int64_t)YEAR_MOST * 366;
}

// --- parts of a moment ---------------------------------------------------------------------------

enum { OF_YEAR, OF_MONTH, OF_DAY, OF_WEEKDAY, OF_HOUR, OF_MINUTE, OF_SECOND };

static int64_t part_of_civil(int64_t days, int mode) {
  if (mode == OF_WEEKDAY) return (wh_weekday_from_days(days) + 6) % 7 + 1;
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  return mode == OF_YEAR ? civil.year : mode == OF_MONTH ? civil.month : civil.day;
}

static wh_status eval_part(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  const wh_type *type = &node->args[0]->type;
  int64_t a_day = units_a_day(type), a_second = a_day / DAY_S;
  for (size_t i = 0; i < run->rows; i++) {
    int64_t value = moment(&v, i), days = floor_div(value, a_day), result = 0;
    if (node->mode >= OF_HOUR) {
      int64_t second = (value - days * a_day) / a_second;
      result = node->mode == OF_HOUR     ? second / 3600
               : node->mode == OF_MINUTE ? second / 60 % 60
                                         : second % 60;
    } else if (has_civil(days)) {
      result = part_of_civil(days, node->mode);
    } else {
      WH_TRY(wh_x_bad_row(run, node, &v, 1, i, out_of_range, err));
    }
    wh_x_put_i64(out, i, result);
  }
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status bind_part(wh_x_bind *bind, wh_x_node *node, int mode, wh_error *err) {
  const wh_x_node *arg = node->args[0];
  bool clock = mode >= OF_HOUR;
  wh_kind kind = arg->type.kind, other = clock ? WH_TIME : WH_DATE;
  if (kind != WH_TIMESTAMP && kind != other && !wh_x_unknown(arg))
    return wh_x_fail_type(bind, node, arg, clock ? "a timestamp or time" : "a date or timestamp",
                          err);
  wh_type null = wh_type_of(WH_TIMESTAMP);
  if (wh_x_unknown(arg)) WH_TRY(wh_x_coerce(bind, node, 0, &null, err));
  node->mode = mode;
  return wh_x_strict(node, wh_type_of(WH_INT64), eval_part);
}

#define PART_FUNCTION(word, which, text, sample, result)                                           \
  static wh_status bind_##word(wh_x_bind *bind, wh_x_node *node, wh_error *err) {                  \
    return bind_part(bind, node, which, err);                                                      \
  }                                                                                                \
  const wh_x_function wh_x_##word = {                                                              \
      .help = {#word, #word "(moment)", text, #word sample, result},                               \
      .least = 1,                                                                                  \
      .most = 1,                                                                                   \
      .bind = bind_##word,                                                                         \
  };

PART_FUNCTION(year, OF_YEAR, "of a date or timestamp", "(date '2026-01-31')", "2026")
PART_FUNCTION(month, OF_MONTH, "1 to 12", "(date '2026-01-31')", "1")
PART_FUNCTION(day, OF_DAY, "1 to 31", "(date '2026-01-31')", "31")
PART_FUNCTION(weekday, OF_WEEKDAY, "1 (Monday) to 7", "(date '2026-01-31')", "6")
PART_FUNCTION(hour, OF_HOUR, "0 to 23, of a timestamp or time",
              "(timestamp '2026-01-31T08:55:00Z')", "8")
PART_FUNCTION(minute, OF_MINUTE, "0 to 59", "(timestamp '2026-01-31T08:55:00Z')", "55")
PART_FUNCTION(second, OF_SECOND, "0 to 59, without its fraction",
              "(timestamp '2026-01-31T08:55:07.5Z')", "7")

// --- date ----------------------------------------------------------------------------------------

static wh_status eval_date(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  int64_t a_day = units_a_day(&node->args[0]->type);
  for (size_t i = 0; i < run->rows; i++) {
    int64_t days = floor_div(moment(&v, i), a_day);
    if (!fits_moment(&node->type, days)) {
      days = 0;
      WH_TRY(wh_x_bad_row(run, node, &v, 1, i, out_of_range, err));
    }
    put_moment(out, i, days);
  }
  return wh_x_end(run, out, &v, 1, err);
}

// A moment: a date or timestamp.
static wh_status want_moment(wh_x_bind *bind, wh_x_node *node, size_t arg, wh_error *err) {
  const wh_x_node *from = node->args[arg];
  wh_kind kind = from->type.kind;
  if (kind == WH_DATE || kind == WH_TIMESTAMP) return WH_OK;
  if (!wh_x_unknown(from)) return wh_x_fail_type(bind, node, from, "a date or timestamp", err);
  wh_type null = wh_type_of(WH_TIMESTAMP);
  return wh_x_coerce(bind, node, arg, &null, err);
}

static wh_status bind_date(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(want_moment(bind, node, 0, err));
  return wh_x_strict(node, wh_type_of(WH_DATE), eval_date);
}

const wh_x_function wh_x_date = {
    .help = {"date", "date(moment)", "its day", "date(timestamp '2026-01-31T23:55:00Z')",
             "2026-01-31"},
    .least = 1,
    .most = 1,
    .bind = bind_date,
};

// --- date_trunc ----------------------------------------------------------------------------------

// The first day of the month, quarter or year, or the Monday.
static int64_t first_day(int64_t days, part_of part) {
  if (part == DAY) return days;
  if (part == WEEK) return days - (wh_weekday_from_days(days) + 6) % 7;
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  int32_t months = months_of(part);
  return wh_days_from_civil(civil.year, (civil.month - 1) / months * months + 1, 1);
}

static wh_status eval_trunc(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[1], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  const wh_type *type = &node->type;
  part_of part = (part_of)node->mode;
  int64_t a_day = units_a_day(type), unit = seconds_of(part) * (a_day / DAY_S);
  for (size_t i = 0; i < run->rows; i++) {
    int64_t value = moment(&v, i), days = floor_div(value, a_day);
    __int128 result = 0;
    if (part > DAY)
      result = (__int128)floor_div(value, unit) * unit;
    else if (has_civil(days))
      result = (__int128)first_day(days, part) * a_day;
    if (!fits_moment(type, result) || (part <= DAY && !has_civil(days))) {
      result = 0;
      WH_TRY(wh_x_bad_row(run, node, &v, 1, i, out_of_range, err));
    }
    put_moment(out, i, (int64_t)result);
  }
  return wh_x_end(run, out, &v, 1, err);
}

// Of a date there are no hours.
static wh_status check_part(wh_x_bind *bind, const wh_x_node *node, const wh_x_node *of,
                            part_of part, wh_error *err) {
  if (of->type.kind != WH_DATE || part <= DAY) return WH_OK;
  return wh_x_fail_at(bind, of->at, err, "%s: a date has no %ss; cast it to a timestamp",
                      node->fn->help.name, part_names[part]);
}

static wh_status bind_trunc(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  part_of part;
  WH_TRY(read_part(bind, node, 0, &part, err));
  WH_TRY(want_moment(bind, node, 1, err));
  WH_TRY(check_part(bind, node, node->args[1], part, err));
  node->mode = (int)part;
  if (wh_x_unknown(node->args[1])) {
    wh_x_be_null(node, wh_type_of(WH_NULL));
    return WH_OK;
  }
  return wh_x_strict(node, node->args[1]->type, eval_trunc);
}

const wh_x_function wh_x_date_trunc = {
    .help = {"date_trunc", "date_trunc(unit, moment)",
             "where the year, quarter, month, week (Monday), day, hour, minute or second begins",
             "date_trunc('month', date '2026-01-31')", "2026-01-01"},
    .least = 2,
    .most = 2,
    .bind = bind_trunc,
};

// --- date_add ------------------------------------------------------------------------------------

static int32_t days_of_month(int64_t year, int32_t month) {
  int64_t next = month == 12 ? wh_days_from_civil((int32_t)year + 1, 1, 1)
                             : wh_days_from_civil((int32_t)year, month + 1, 1);
  return (int32_t)(next - wh_days_from_civil((int32_t)year, month, 1));
}

// The same day of another month, or its last one. False: out of range.
static bool add_months(int64_t days, int64_t months, int64_t *ret) {
  enum { MONTHS_MOST = 60000000 };
  if (!has_civil(days) || months > MONTHS_MOST || months < -MONTHS_MOST) return false;
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  int64_t month = civil.year * 12ll + civil.month - 1 + months, year = floor_div(month, 12);
  int32_t of_year = (int32_t)(month - year * 12) + 1, last = days_of_month(year, of_year);
  *ret = wh_days_from_civil((int32_t)year, of_year, civil.day < last ? civil.day : last);
  return true;
}

static bool add_to(const wh_type *type, int64_t value, int64_t n, part_of part, int64_t *ret) {
  int64_t a_day = units_a_day(type), seconds = seconds_of(part);
  __int128 result;
  if (seconds) {
    result = type->kind == WH_DATE ? (__int128)n * (seconds / DAY_S)
                                   : (__int128)n * seconds * (a_day / DAY_S);
    result += value;
  } else {
    int64_t days = floor_div(value, a_day), months;
    if (__builtin_mul_overflow(n, months_of(part), &months)) return false;
    int64_t rest = value - days * a_day;
    if (!add_months(days, months, &days)) return false;
    result = (__int128)days * a_day + rest;
  }
  if (!fits_moment(type, result)) return false;
  *ret = (int64_t)result;
  return true;
}

static wh_status eval_add(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get(run, node->args[0], &v[0], err));
  WH_TRY(wh_x_get(run, node->args[1], &v[1], err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    int64_t result = 0;
    if (!add_to(&node->type, moment(&v[0], i), wh_x_i64(&v[1], i), (part_of)node->mode, &result))
      WH_TRY(wh_x_bad_row(run, node, v, 2, i, out_of_range, err));
    put_moment(out, i, result);
  }
  return wh_x_end(run, out, v, 2, err);
}

static wh_status bind_date_add(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  part_of part;
  WH_TRY(want_moment(bind, node, 0, err));
  WH_TRY(wh_x_want(bind, node, 1, WH_INT64, "a whole number", err));
  WH_TRY(read_part(bind, node, 2, &part, err));
  WH_TRY(check_part(bind, node, node->args[0], part, err));
  node->mode = (int)part;
  if (wh_x_unknown(node->args[0])) {
    wh_x_be_null(node, wh_type_of(WH_NULL));
    return WH_OK;
  }
  return wh_x_strict(node, node->args[0]->type, eval_add);
}

const wh_x_function wh_x_date_add = {
    .help = {"date_add", "date_add(moment, number, unit)",
             "so many later; of months that are too short the last day",
             "date_add(date '2026-01-31', 1, 'month')", "2026-02-28"},
    .least = 3,
    .most = 3,
    .bind = bind_date_add,
};

// --- date_diff -----------------------------------------------------------------------------------

// The number of the unit that the moment is in.
static int64_t number_of(const wh_type *type, int64_t value, part_of part) {
  int64_t a_day = units_a_day(type), days = floor_div(value, a_day);
  if (part > DAY) return floor_div(value, seconds_of(part) * (a_day / DAY_S));
  if (part == DAY) return days;
  if (part == WEEK) return floor_div(days + 3, 7); // 1970-01-01 was a Thursday
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  return floor_div(civil.year * 12ll + civil.month - 1, months_of(part));
}

static wh_status eval_diff(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get(run, node->args[1], &v[0], err));
  WH_TRY(wh_x_get(run, node->args[2], &v[1], err));
  WH_TRY(wh_x_begin(run, out, err));
  const wh_type *type = &node->args[1]->type;
  int64_t a_day = units_a_day(type);
  for (size_t i = 0; i < run->rows; i++) {
    int64_t a = moment(&v[0], i), b = moment(&v[1], i), result = 0;
    if (has_civil(floor_div(a, a_day)) && has_civil(floor_div(b, a_day)))
      result = number_of(type, b, (part_of)node->mode) - number_of(type, a, (part_of)node->mode);
    else
      WH_TRY(wh_x_bad_row(run, node, v, 2, i, out_of_range, err));
    wh_x_put_i64(out, i, result);
  }
  return wh_x_end(run, out, v, 2, err);
}

static wh_status bind_date_diff(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  part_of part;
  wh_type type;
  WH_TRY(read_part(bind, node, 0, &part, err));
  WH_TRY(wh_x_unify(bind, node, 1, 1, &type, err));
  for (size_t i = 1; i < 3; i++)
    WH_TRY(want_moment(bind, node, i, err));
  WH_TRY(check_part(bind, node, node->args[1], part, err));
  node->mode = (int)part;
  return wh_x_strict(node, wh_type_of(WH_INT64), eval_diff);
}

const wh_x_function wh_x_date_diff = {
    .help = {"date_diff", "date_diff(unit, from, to)",
             "how many times a unit begins between them: 1 from New Year's Eve to New Year's Day, "
             "in years",
             "date_diff('day', date '2026-01-31', date '2026-03-01')", "29"},
    .least = 3,
    .most = 3,
    .bind = bind_date_diff,
};

// --- now -----------------------------------------------------------------------------------------

static wh_status eval_now(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  (void)run;
  return wh_column_add_i64(out, *(const int64_t *)node->data, err);
}

// A constant: folded with one row.
static wh_status bind_now(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  int64_t *now = WH_NEW(bind->expr->arena, int64_t);
  if (!now) return wh_fail_memory(err);
  *now = bind->context->start_us;
  node->data = now;
  node->type = (wh_type){.kind = WH_TIMESTAMP, .unit = WH_UNIT_US, .zoned = true};
  node->eval = eval_now;
  return WH_OK;
}

const wh_x_function wh_x_now = {
    .help = {"now", "now()", "when the run began, the same for all of its rows", "now() > now()",
             "false"},
    .bind = bind_now,
};
