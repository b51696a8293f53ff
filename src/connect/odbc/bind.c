// Values as parameters of statements.
#include "connect/odbc/types.h"

#include "data/temporal.h"

typedef struct param {
  SQLSMALLINT c_type, sql_type;
  SQLULEN size;
  SQLSMALLINT digits;
  void *data;
  SQLLEN bytes;
} param;

static bool is_long(SQLSMALLINT sql_type) {
  return sql_type == SQL_LONGVARCHAR || sql_type == SQL_WLONGVARCHAR;
}

static bool is_text(SQLSMALLINT sql_type) {
  return sql_type == SQL_CHAR || sql_type == SQL_VARCHAR || sql_type == SQL_WCHAR ||
         sql_type == SQL_WVARCHAR;
}

// In the column's own type, so that the database can use its index.
static wh_status text_param(const wh_odbc_column *c, wh_str text, wh_arena *arena, param *ret,
                            wh_error *err) {
  WH_CLEAN_BUF wh_buf wide;
  wh_buf_init(&wide, arena->mem, 0);
  if (!wh_odbc_to_wide(text, &wide)) return wh_fail_memory(err);
  wh_str kept = wh_arena_str(arena, wh_buf_str(&wide));
  if (!kept.data) return wh_fail_memory(err);
  bool is_standard = is_text(c->sql_type) || c->sql_type == SQL_GUID;
  size_t units = kept.len / sizeof(SQLWCHAR) - 1;
  *ret = (param){.c_type = SQL_C_WCHAR,
                 .sql_type = is_standard ? c->sql_type : SQL_WVARCHAR,
                 .size = units ? units : 1,
                 .data = (void *)(uintptr_t)kept.data,
                 .bytes = (SQLLEN)(units * sizeof(SQLWCHAR))};
  if (is_long(c->sql_type)) ret->sql_type = SQL_WVARCHAR;
  return WH_OK;
}

// Numbers and times go as their text, which no driver rounds.
static wh_status plain_param(const wh_value *v, SQLSMALLINT sql_type, SQLULEN size,
                             SQLSMALLINT digits, wh_arena *arena, param *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, arena->mem, 0);
  wh_value_write(v, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_str kept = wh_arena_str(arena, wh_buf_str(&text));
  if (!kept.data) return wh_fail_memory(err);
  *ret = (param){.c_type = SQL_C_CHAR,
                 .sql_type = sql_type,
                 .size = size,
                 .digits = digits,
                 .data = (void *)(uintptr_t)kept.data,
                 .bytes = (SQLLEN)kept.len};
  return WH_OK;
}

// ODBC knows the years 1 to 9999. Cut to the digits of the column, the instant is not later than it
// was: a cursor then reads again what it has read, rather than too little.
static wh_status timestamp_param(const wh_odbc_column *c, const wh_value *v, wh_arena *arena,
                                 param *ret, wh_error *err) {
  enum { DATE_TIME_CHARACTERS = 19, DIGITS_MAX = 9 };
  const int64_t first = wh_days_from_civil(1, 1, 1) * 86400, last = 253402300799;
  int64_t per_second = wh_unit_per_second(v->type.unit);
  int64_t seconds = v->as.i / per_second, rest = v->as.i % per_second;
  if (rest < 0) seconds--, rest += per_second;
  int64_t nanos = rest * (1000000000 / per_second);
  if (seconds < first) seconds = first, nanos = 0;
  if (seconds > last) seconds = last, nanos = 999999999;
  int digits = c->digits < 0 ? 0 : c->digits > DIGITS_MAX ? DIGITS_MAX : c->digits;
  for (int64_t step = 1, i = DIGITS_MAX; i >= digits; i--, step *= 10)
    nanos -= nanos % step;
  wh_civil civil;
  wh_civil_from_us(seconds * 1000000, &civil);
  SQL_TIMESTAMP_STRUCT *t = WH_NEW(arena, SQL_TIMESTAMP_STRUCT);
  if (!t) return wh_fail_memory(err);
  *t = (SQL_TIMESTAMP_STRUCT){.year = (SQLSMALLINT)civil.year,
                              .month = (SQLUSMALLINT)civil.month,
                              .day = (SQLUSMALLINT)civil.day,
                              .hour = (SQLUSMALLINT)civil.hour,
                              .minute = (SQLUSMALLINT)civil.minute,
                              .second = (SQLUSMALLINT)civil.second,
                              .fraction = (SQLUINTEGER)nanos};
  *ret = (param){.c_type = SQL_C_TYPE_TIMESTAMP,
                 .sql_type = SQL_TYPE_TIMESTAMP,
                 .size = (SQLULEN)(DATE_TIME_CHARACTERS + (digits ? digits + 1 : 0)),
                 .digits = (SQLSMALLINT)digits,
                 .data = t,
                 .bytes = sizeof *t};
  return WH_OK;
}

static wh_status date_param(const wh_value *v, wh_arena *arena, param *ret, wh_error *err) {
  enum { DATE_CHARACTERS = 10 };
  wh_civil civil;
  wh_civil_from_days(v->as.i, &civil);
  SQL_DATE_STRUCT *d = WH_NEW(arena, SQL_DATE_STRUCT);
  if (!d) return wh_fail_memory(err);
  *d = (SQL_DATE_STRUCT){.year = (SQLSMALLINT)civil.year,
                         .month = (SQLUSMALLINT)civil.month,
                         .day = (SQLUSMALLINT)civil.day};
  *ret = (param){.c_type = SQL_C_TYPE_DATE,
                 .sql_type = SQL_TYPE_DATE,
                 .size = DATE_CHARACTERS,
                 .data = d,
                 .bytes = sizeof *d};
  return WH_OK;
}

static wh_status fixed_param(const wh_value *v, wh_arena *arena, param *ret, wh_error *err) {
  double *f = WH_NEW(arena, double);
  if (!f) return wh_fail_memory(err);
  *f = v->as.f;
  *ret = (param){
      .c_type = SQL_C_DOUBLE, .sql_type = SQL_DOUBLE, .size = 15, .data = f, .bytes = sizeof *f};
  return WH_OK;
}

static wh_status bool_param(const wh_value *v, wh_arena *arena, param *ret, wh_error *err) {
  unsigned char *b = WH_NEW(arena, unsigned char);
  if (!b) return wh_fail_memory(err);
  *b = v->as.b;
  *ret =
      (param){.c_type = SQL_C_BIT, .sql_type = SQL_BIT, .size = 1, .data = b, .bytes = sizeof *b};
  return WH_OK;
}

static wh_status binary_param(const wh_value *v, wh_arena *arena, param *ret, wh_error *err) {
  wh_str kept = wh_arena_str(arena, v->as.s);
  if (!kept.data) return wh_fail_memory(err);
  *ret = (param){.c_type = SQL_C_BINARY,
                 .sql_type = SQL_VARBINARY,
                 .size = kept.len ? kept.len : 1,
                 .data = (void *)(uintptr_t)kept.data,
                 .bytes = (SQLLEN)kept.len};
  return WH_OK;
}

static wh_status make_param(const wh_odbc_column *c, const wh_value *v, wh_arena *arena, param *ret,
                            wh_error *err) {
  enum { TIME_CHARACTERS = 18, INT_DIGITS = 19 };
  bool is_number = wh_kind_is_int(c->sql.type.kind);
  switch (v->type.kind) {
  case WH_STRING:
    return text_param(c, v->as.s, arena, ret, err);
  case WH_BINARY:
    return binary_param(v, arena, ret, err);
  case WH_BOOL:
    return bool_param(v, arena, ret, err);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return fixed_param(v, arena, ret, err);
  case WH_DATE:
    return date_param(v, arena, ret, err);
  case WH_TIMESTAMP:
    return timestamp_param(c, v, arena, ret, err);
  case WH_TIME:
    return plain_param(v, SQL_TYPE_TIME, TIME_CHARACTERS, c->digits, arena, ret, err);
  case WH_DECIMAL:
    return plain_param(v, SQL_DECIMAL, v->type.precision, v->type.scale, arena, ret, err);
  default:
    return plain_param(v, is_number ? c->sql_type : SQL_BIGINT, INT_DIGITS, 0, arena, ret, err);
  }
}

wh_status wh_odbc_bind(wh_odbc_session *s, SQLHSTMT stmt, SQLUSMALLINT number,
                       const wh_odbc_column *c, const wh_value *v, wh_arena *arena, wh_error *err) {
  param p;
  SQLLEN *bytes = WH_NEW(arena, SQLLEN);
  if (!bytes) return wh_fail_memory(err);
  WH_TRY(make_param(c, v, arena, &p, err));
  *bytes = p.bytes;
  SQLRETURN rc = wh_odbc.SQLBindParameter(stmt, number, SQL_PARAM_INPUT, p.c_type, p.sql_type,
                                          p.size, p.digits, p.data, p.bytes, bytes);
  return SQL_SUCCEEDED(rc) ? WH_OK : wh_odbc_fail(s, stmt, "giving a parameter", err);
}
