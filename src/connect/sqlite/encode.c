#include "connect/sqlite/encode.h"

#include "data/number.h"

#include <math.h>

enum { REAL_DIGITS = 15 }; // digits that survive decimal -> REAL -> decimal

void wh_sqlite_encoder_free(wh_sqlite_encoder *e) {
  if (e && e->more.mem) wh_buf_free(&e->more);
}

static wh_status bound(int rc, wh_misfit *m, wh_error *err) {
  if (rc == SQLITE_OK) return WH_OK;
  if (rc == SQLITE_NOMEM) return wh_fail_memory(err);
  if (rc != SQLITE_TOOBIG)
    return wh_fail(err, WH_ERR_BUG, "a value cannot be bound: %s", sqlite3_errstr(rc));
  m->rule = "type";
  snprintf(m->reason, sizeof m->reason, "is longer than a row may be");
  return WH_ERR_TYPE;
}

static wh_status misfit(wh_misfit *m, const char *reason) {
  m->rule = "type";
  snprintf(m->reason, sizeof m->reason, "%s", reason);
  return WH_ERR_TYPE;
}

static bool keeps_text(wh_sqlite_affinity affinity) {
  return affinity == WH_SQLITE_AFF_TEXT || affinity == WH_SQLITE_AFF_NONE;
}

// Digits of an unscaled decimal with its point, at the end of e->text.
static wh_str write_decimal(wh_sqlite_encoder *e, __int128 unscaled) {
  unsigned __int128 rest =
      unscaled < 0 ? -(unsigned __int128)unscaled : (unsigned __int128)unscaled;
  size_t at = sizeof e->text;
  int digits = 0;
  do {
    if (digits == e->type.scale && digits) e->text[--at] = '.';
    e->text[--at] = (char)('0' + (int)(rest % 10));
    rest /= 10;
    digits++;
  } while (rest || digits <= e->type.scale);
  if (unscaled < 0) e->text[--at] = '-';
  return wh_str_n(e->text + at, sizeof e->text - at);
}

static const double exact_power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static int bind_decimal(wh_sqlite_encoder *e, __int128 unscaled, sqlite3_stmt *stmt, int index) {
  if (keeps_text(e->affinity)) return wh_sqlite_bind_str(stmt, index, write_decimal(e, unscaled));
  if (e->type.scale == 0 && unscaled == (int64_t)unscaled && e->affinity != WH_SQLITE_AFF_REAL)
    return sqlite3_bind_int64(stmt, index, (int64_t)unscaled);
  __int128 most = wh_pow10(REAL_DIGITS);
  if (unscaled >= most || unscaled <= -most) return SQLITE_MISMATCH;
  double real;
  if (e->type.scale <= REAL_DIGITS) { // both exact: the quotient is correctly rounded
    real = (double)(int64_t)unscaled / exact_power[e->type.scale];
  } else {
    wh_str text = write_decimal(e, unscaled);
    if (!wh_f64_parse(text, &real)) return SQLITE_MISMATCH;
  }
  return sqlite3_bind_double(stmt, index, real);
}

static int bind_u64(wh_sqlite_encoder *e, uint64_t value, sqlite3_stmt *stmt, int index) {
  if (keeps_text(e->affinity)) {
    int len = snprintf(e->text, sizeof e->text, "%llu", (unsigned long long)value);
    return wh_sqlite_bind_str(stmt, index, wh_str_n(e->text, (size_t)len));
  }
  return value <= INT64_MAX ? sqlite3_bind_int64(stmt, index, (int64_t)value) : SQLITE_MISMATCH;
}

static wh_status encode_json(wh_sqlite_encoder *e, const wh_column *column, size_t row,
                             sqlite3_stmt *stmt, int index, wh_misfit *m, wh_error *err) {
  if (!e->more.mem) wh_buf_init(&e->more, e->mem, 0);
  wh_buf_clear(&e->more);
  wh_column_write(column, row, &e->more);
  WH_TRY(wh_buf_check(&e->more, err));
  return bound(wh_sqlite_bind_str(stmt, index, wh_buf_str(&e->more)), m, err);
}

// Years of more or fewer than four digits are written as ISO 8601's expanded years; they sort
// wrong, but they survive.
static bool write_odd_year(wh_sqlite_encoder *e, int64_t value) {
  wh_buf_clear(&e->more);
  return e->type.kind == WH_DATE
             ? wh_iso_write_date(value, &e->more)
             : wh_iso_write_timestamp(value, e->stored.unit, e->stored.zoned, &e->more);
}

static wh_status encode_instant(wh_sqlite_encoder *e, int64_t value, sqlite3_stmt *stmt, int index,
                                wh_misfit *m, wh_error *err) {
  static_assert(sizeof e->text >= WH_SQLITE_INSTANT_TEXT, "an instant fits");
  if (e->type.kind != WH_DATE && e->stored.unit != e->type.unit &&
      !wh_unit_convert(value, e->type.unit, e->stored.unit, &value))
    return misfit(m, "is finer, or further away, than the column's type can say");
  size_t len = wh_sqlite_instant_write(&e->stored, value, &e->day, e->text);
  if (len) return bound(wh_sqlite_bind_str(stmt, index, wh_str_n(e->text, len)), m, err);
  if (e->type.kind == WH_TIME) return misfit(m, "is not a time of day");
  if (!e->more.mem) wh_buf_init(&e->more, e->mem, 0);
  if (!write_odd_year(e, value)) return wh_buf_check(&e->more, err);
  return bound(wh_sqlite_bind_str(stmt, index, wh_buf_str(&e->more)), m, err);
}

static wh_status encode_number(wh_sqlite_encoder *e, const wh_column *column, size_t row,
                               sqlite3_stmt *stmt, int index, wh_misfit *m, wh_error *err) {
  int rc;
  if (e->type.kind == WH_DECIMAL) {
    rc = bind_decimal(e, wh_column_decimal(column, row), stmt, index);
    if (rc == SQLITE_MISMATCH)
      return misfit(m, "has more digits than the 15 that a number in SQLite keeps");
  } else if (e->type.kind == WH_UINT64) {
    rc = bind_u64(e, wh_column_u64(column, row), stmt, index);
    if (rc == SQLITE_MISMATCH) return misfit(m, "is larger than SQLite's integers, 2^63 - 1");
  } else if (e->type.kind == WH_FLOAT64 || e->type.kind == WH_FLOAT32) {
    double real = wh_column_f64(column, row);
    if (isnan(real)) return misfit(m, "is NaN, which SQLite would store as NULL");
    rc = sqlite3_bind_double(stmt, index, real);
  } else {
    rc = sqlite3_bind_int64(stmt, index, wh_column_i64(column, row));
  }
  return bound(rc, m, err);
}

wh_status wh_sqlite_encode(wh_sqlite_encoder *e, const wh_column *column, size_t row,
                           sqlite3_stmt *stmt, int index, wh_misfit *m, wh_error *err) {
  if (wh_column_is_null(column, row)) return bound(sqlite3_bind_null(stmt, index), m, err);
  wh_str text;
  switch (e->type.kind) {
  case WH_BOOL:
    return bound(sqlite3_bind_int(stmt, index, wh_column_bool(column, row)), m, err);
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return encode_instant(e, wh_column_i64(column, row), stmt, index, m, err);
  case WH_STRING:
    return bound(wh_sqlite_bind_str(stmt, index, wh_column_text(column, row)), m, err);
  case WH_BINARY:
    text = wh_column_text(column, row);
    // An empty blob is not NULL.
    return bound(text.len ? sqlite3_bind_blob(stmt, index, text.data, (int)text.len, SQLITE_STATIC)
                          : sqlite3_bind_zeroblob(stmt, index, 0),
                 m, err);
  case WH_LIST:
  case WH_STRUCT:
    return encode_json(e, column, row, stmt, index, m, err);
  default:
    return encode_number(e, column, row, stmt, index, m, err);
  }
}
