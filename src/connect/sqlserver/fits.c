// Which values may go into which columns. What would come out other than it went in is refused.
#include "connect/sql_fits.h"
#include "connect/sqlserver/types.h"
#include "data/number.h"
#include "data/temporal.h"

#include <iconv.h>
#include <math.h>

enum {
  QUOTE_MAX = 60,        // bytes of a value in a reason
  FLOAT_WHOLE_BITS = 24, // whole numbers that a float, or a double, keeps
  DOUBLE_WHOLE_BITS = 53,
  UUID_TEXT = 36,
  TICKS_PER_SECOND = 10000000,
  DAYS_1900 = -25567, // 1900-01-01
};

// --- Types ---------------------------------------------------------------------------------------

static const char *text_clash(const wh_type *t, const wh_sql_column *c) {
  if (t->kind == WH_STRING) return NULL;
  if (wh_mssql_native_of(c) == WH_MSSQL_UUID) return "keeps UUIDs";
  return t->kind == WH_LIST || t->kind == WH_STRUCT ? NULL : "keeps text";
}

static const char *never_written(const wh_sql_column *c) {
  if (c->native & WH_MSSQL_IDENTITY) return "is numbered by the server (identity)";
  // The library says of all texts that they are in the database's.
  if (c->native & WH_MSSQL_OTHER_PAGE)
    return "has another code page than the database; make it nvarchar";
  switch (wh_mssql_native_of(c)) {
  case WH_MSSQL_TEXT:
  case WH_MSSQL_NTEXT:
  case WH_MSSQL_IMAGE:
    return "cannot be compared; ALTER it to (n)varchar(max) or varbinary(max)";
  case WH_MSSQL_XML:
  case WH_MSSQL_JSON:
    return "keeps documents in a form of the server's";
  case WH_MSSQL_HIERARCHY:
  case WH_MSSQL_GEOMETRY:
    return "keeps objects of the server's";
  case WH_MSSQL_ROWVERSION:
    return "is numbered by the server (rowversion)";
  default:
    return c->unread;
  }
}

const char *wh_mssql_clash(const wh_type *t, const wh_sql_column *c) {
  const char *never = never_written(c);
  if (never) return never;
  if (t->kind == WH_NULL) return NULL;
  return c->type.kind == WH_STRING ? text_clash(t, c) : wh_sql_clash(t, c);
}

bool wh_mssql_checks(const wh_type *t, const wh_sql_column *c) {
  if (t->kind == WH_NULL) return false;
  if (t->kind == WH_BOOL && wh_sql_is_whole(c->type.kind)) return false;
  if (wh_kind_is_int(t->kind) && t->kind == c->type.kind) return false;
  wh_mssql_native native = wh_mssql_native_of(c);
  bool is_long = native == WH_MSSQL_NVARCHAR || native == WH_MSSQL_VARBINARY;
  if (t->kind == WH_LIST || t->kind == WH_STRUCT) return false;
  if (wh_kind_is_text(t->kind)) return !is_long || c->limit > 0;
  return true;
}

// --- Values --------------------------------------------------------------------------------------

// "'VALUE' why"
static bool no_value(const wh_column *values, size_t row, char *reason, const char *why) {
  static wh_mem unlimited;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, values->mem ? values->mem : &unlimited, 0);
  wh_column_write(values, row, &text);
  wh_str all = wh_buf_str(&text);
  size_t len = wh_utf8_cut(all, QUOTE_MAX);
  wh_sql_no(reason, "'%.*s%s' %s", (int)len, all.data, len < all.len ? "..." : "", why);
  for (char *c = reason; *c; c++)
    if ((unsigned char)*c < ' ') *c = ' ';
  return false;
}

static bool whole_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  int scale;
  __int128 unscaled = wh_sql_number(values, row, &scale), number;
  if (wh_decimal_rescale(unscaled, scale, WH_DECIMAL_DIGITS_MAX, 0, &number) != WH_FIT_OK)
    return no_value(values, row, reason, "is no whole number");
  if (c->type.kind == WH_BOOL)
    return number == 0 || number == 1 ? true : no_value(values, row, reason, "is not 0 or 1");
  return wh_int_fits(c->type.kind, number) ? true
                                           : no_value(values, row, reason, "is out of range");
}

static bool money_fits(const wh_sql_column *c, __int128 unscaled, const wh_column *values,
                       size_t row, char *reason) {
  bool is_small = wh_mssql_native_of(c) == WH_MSSQL_SMALLMONEY;
  if (wh_int_fits(is_small ? WH_INT32 : WH_INT64, unscaled)) return true;
  return no_value(values, row, reason,
                  is_small ? "is out of the range of smallmoney" : "is out of the range of money");
}

static bool decimal_fits(const wh_sql_column *c, const wh_column *values, size_t row,
                         char *reason) {
  int scale;
  char why[96];
  __int128 unscaled = wh_sql_number(values, row, &scale), there;
  wh_fit fit = wh_decimal_rescale(unscaled, scale, c->type.precision, c->type.scale, &there);
  wh_mssql_native native = wh_mssql_native_of(c);
  if (fit == WH_FIT_OK && (native == WH_MSSQL_MONEY || native == WH_MSSQL_SMALLMONEY))
    return money_fits(c, there, values, row, reason);
  if (fit == WH_FIT_OK) return true;
  if (fit == WH_FIT_PLACES)
    snprintf(why, sizeof why, "has more decimal places than the %d that decimal(%d,%d) keeps",
             c->type.scale, c->type.precision, c->type.scale);
  else
    snprintf(why, sizeof why, "has more digits than decimal(%d,%d) keeps", c->type.precision,
             c->type.scale);
  return no_value(values, row, reason, why);
}

static bool float_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  if (!wh_sql_is_float(values->type.kind)) {
    int scale, bits = c->type.kind == WH_FLOAT32 ? FLOAT_WHOLE_BITS : DOUBLE_WHOLE_BITS;
    __int128 number = wh_sql_number(values, row, &scale), most = (__int128)1 << bits;
    return number >= -most && number <= most
               ? true
               : no_value(values, row, reason, "is not exact as a float");
  }
  double value = wh_column_f64(values, row);
  if (isnan(value)) return wh_sql_no(reason, "NaN is no value that the server keeps");
  if (isinf(value)) return wh_sql_no(reason, "infinity is no value that the server keeps");
  if (c->type.kind == WH_FLOAT32 && (double)(float)value != value)
    return no_value(values, row, reason, "is not exact as a 32-bit float");
  return true;
}

// --- Text ----------------------------------------------------------------------------------------

// As the server counts: what needs four bytes of UTF-8 counts twice.
static size_t characters(wh_str text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += (((unsigned char)text.data[i] & 0xC0) != 0x80) + ((unsigned char)text.data[i] >= 0xF0);
  return count;
}

static bool is_ascii(wh_str text) {
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.data[i] >= 0x80) return false;
  return true;
}

static bool convert(iconv_t cd, wh_str text, wh_buf *out) {
  enum { PART = 256 };
  char *in = (char *)(uintptr_t)text.data; // iconv does not write to it
  size_t left = text.len;
  while (left) {
    char part[PART], *to = part;
    size_t room = sizeof part;
    size_t changed = iconv(cd, &in, &left, &to, &room);
    // Others than exact ones would count, and a part that is full is no failure.
    if ((changed == (size_t)-1 && room == sizeof part) || (changed != (size_t)-1 && changed > 0))
      return false;
    if (out && !wh_buf_add(out, part, sizeof part - room)) return false;
  }
  return true;
}

bool wh_mssql_to_page(uint32_t page, wh_str text, wh_buf *out) {
  char name[24];
  if (page == WH_MSSQL_UTF8_PAGE || is_ascii(text)) return !out || wh_buf_add_str(out, text);
  snprintf(name, sizeof name, "CP%u", page ? page : 1252);
  iconv_t cd = iconv_open(name, "UTF-8");
  if (cd == (iconv_t)-1) return false;
  bool whole = convert(cd, text, out);
  iconv_close(cd);
  return whole;
}

static bool length_fits(const wh_sql_column *c, size_t length, const char *unit, char *reason) {
  if (c->limit <= 0 || length <= (size_t)c->limit) return true;
  return wh_sql_no(reason, "has %zu %s, the column keeps %d", length, unit, c->limit);
}

// It reads back in upper case, whatever it came in: a UUID is a number.
static bool is_uuid(wh_str text) {
  if (text.len != UUID_TEXT) return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? c != '-'
                : !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f')))
      return false;
  }
  return true;
}

static bool page_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  wh_str text = wh_column_text(values, row);
  uint32_t page = wh_mssql_page_of(c);
  if (is_ascii(text) || page == WH_MSSQL_UTF8_PAGE)
    return length_fits(c, text.len, "bytes", reason);
  WH_CLEAN_BUF wh_buf bytes;
  static wh_mem unlimited;
  wh_buf_init(&bytes, values->mem ? values->mem : &unlimited, 0);
  if (wh_mssql_to_page(page, text, &bytes)) return length_fits(c, bytes.len, "bytes", reason);
  return no_value(values, row, reason, "has characters that the column's code page has not");
}

static bool text_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  wh_str text = wh_column_text(values, row);
  wh_mssql_native native = wh_mssql_native_of(c);
  bool is_padded = native == WH_MSSQL_CHAR || native == WH_MSSQL_NCHAR;
  if (native == WH_MSSQL_UUID)
    return is_uuid(text) ? true : no_value(values, row, reason, "is no UUID");
  if (is_padded && text.len && text.data[text.len - 1] == ' ')
    return wh_sql_no(reason, "ends in spaces, which a char column adds by itself");
  if (wh_mssql_is_unicode(c)) return length_fits(c, characters(text), "characters", reason);
  return page_fits(c, values, row, reason);
}

static bool binary_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  size_t len = wh_column_text(values, row).len;
  if (wh_mssql_native_of(c) == WH_MSSQL_BINARY && len != (size_t)c->limit)
    return wh_sql_no(reason, "has %zu bytes, the column keeps exactly %d", len, c->limit);
  return length_fits(c, len, "bytes", reason);
}

// --- Times ---------------------------------------------------------------------------------------

static bool year_fits(const wh_sql_column *c, int64_t days, const wh_column *values, size_t row,
                      char *reason) {
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  switch (wh_mssql_native_of(c)) {
  case WH_MSSQL_DATETIME:
    if (civil.year >= 1753 && civil.year <= 9999) return true;
    return no_value(values, row, reason, "is not of the years 1753 to 9999 of a datetime");
  case WH_MSSQL_SMALLDATETIME:
    if (days >= DAYS_1900 && days <= DAYS_1900 + UINT16_MAX) return true; // to 2079-06-06
    return no_value(values, row, reason, "is not of the years 1900 to 2079 of a smalldatetime");
  default:
    if (civil.year >= 1 && civil.year <= 9999) return true;
    return no_value(values, row, reason, "is not of the years 1 to 9999");
  }
}

// How many ticks of 100 ns the last digit that the column keeps stands for.
static int64_t step_ticks(const wh_sql_column *c) {
  int64_t step = 1;
  for (int i = wh_mssql_digits_of(c); i < WH_MSSQL_TICK_DIGITS; i++)
    step *= 10;
  return step;
}

static bool fraction_fits(const wh_sql_column *c, int64_t ticks, const wh_column *values,
                          size_t row, char *reason) {
  int64_t ms = ticks / (TICKS_PER_SECOND / 1000);
  switch (wh_mssql_native_of(c)) {
  case WH_MSSQL_DATETIME: // thirds of a hundredth, shown as .000, .003 and .007
    if (ticks % (TICKS_PER_SECOND / 1000) == 0 && (ms % 10 == 0 || ms % 10 == 3 || ms % 10 == 7))
      return true;
    return no_value(values, row, reason, "is finer than a datetime keeps");
  case WH_MSSQL_SMALLDATETIME:
    if (ticks % (60LL * TICKS_PER_SECOND) == 0) return true;
    return no_value(values, row, reason, "has seconds, which a smalldatetime does not keep");
  default:
    if (ticks % step_ticks(c) == 0) return true;
    return no_value(values, row, reason, "has more digits of a second than the column keeps");
  }
}

static bool time_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  int64_t value = wh_column_i64(values, row);
  if (values->type.kind == WH_DATE) return year_fits(c, value, values, row, reason);
  int64_t per_second = wh_unit_per_second(values->type.unit);
  int64_t seconds = value / per_second - (value % per_second < 0);
  int64_t rest = value - seconds * per_second;
  if (per_second > TICKS_PER_SECOND && rest % (per_second / TICKS_PER_SECOND))
    return no_value(values, row, reason, "is finer than 100 nanoseconds");
  int64_t day = seconds / 86400 - (seconds % 86400 < 0);
  int64_t ticks = (seconds - day * 86400) * TICKS_PER_SECOND;
  ticks += per_second > TICKS_PER_SECOND ? rest / (per_second / TICKS_PER_SECOND)
                                         : rest * (TICKS_PER_SECOND / per_second);
  if (!fraction_fits(c, ticks, values, row, reason)) return false;
  return values->type.kind == WH_TIME || year_fits(c, day, values, row, reason);
}

bool wh_mssql_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  if (wh_column_is_null(values, row)) return true;
  switch (values->type.kind) {
  case WH_STRING:
    return text_fits(c, values, row, reason);
  case WH_BINARY:
    return binary_fits(c, values, row, reason);
  case WH_LIST:
  case WH_STRUCT:
    return true; // text that the server measures
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return time_fits(c, values, row, reason);
  default:
    break;
  }
  if (wh_sql_is_float(c->type.kind)) return float_fits(c, values, row, reason);
  if (c->type.kind == WH_DECIMAL) return decimal_fits(c, values, row, reason);
  return whole_fits(c, values, row, reason);
}
