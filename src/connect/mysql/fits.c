// Which values may go into which columns. What would come out other than it went in is refused;
// what the server itself refuses in strict mode (characters that a column's set has not) is not
// looked for here, except where looking is cheap.
#include "connect/mysql/encode.h"
#include "connect/sql_fits.h"
#include "data/number.h"
#include "data/temporal.h"

#include <arpa/inet.h>
#include <math.h>

enum {
  QUOTE_MAX = 60,        // bytes of a value in a reason
  FLOAT_WHOLE_BITS = 24, // whole numbers that a float, or a double, keeps
  DOUBLE_WHOLE_BITS = 53,
  YEAR_FIRST = 1901,
  YEAR_LAST = 2155,
  UUID_TEXT = 36,
};

static const int64_t second_us = 1000000;
static const int64_t timestamp_last_s = 2147483647; // 2038-01-19T03:14:07Z

// --- Types ---------------------------------------------------------------------------------------

static const char *text_clash(const wh_type *t, const wh_sql_column *c) {
  if (t->kind == WH_STRING) return NULL;
  bool is_nested = t->kind == WH_LIST || t->kind == WH_STRUCT;
  switch (wh_mysql_native_of(c)) {
  case WH_MYSQL_ENUM:
  case WH_MYSQL_SET:
  case WH_MYSQL_UUID:
  case WH_MYSQL_INET:
    return "keeps text of a certain form";
  default:
    return is_nested ? NULL : "keeps text";
  }
}

const char *wh_mysql_clash(const wh_type *t, const wh_sql_column *c) {
  if (t->kind == WH_NULL) return NULL;
  if (c->unread) return c->unread;
  return c->type.kind == WH_STRING ? text_clash(t, c) : wh_sql_clash(t, c);
}

bool wh_mysql_checks(const wh_type *t, const wh_sql_column *c) {
  if (t->kind == WH_NULL) return false;
  if (t->kind == WH_BOOL && wh_sql_is_whole(c->type.kind)) return false;
  if (wh_kind_is_int(t->kind) && t->kind == c->type.kind) {
    wh_mysql_native native = wh_mysql_native_of(c);
    return native != WH_MYSQL_INT;
  }
  if (t->kind == WH_LIST || t->kind == WH_STRUCT) return false;
  if (!wh_kind_is_text(t->kind)) return true;
  wh_mysql_native native = wh_mysql_native_of(c);
  bool is_long = native == WH_MYSQL_TEXT || native == WH_MYSQL_BLOB || native == WH_MYSQL_JSON ||
                 native == WH_MYSQL_GEOMETRY || native == WH_MYSQL_OTHER;
  return !is_long || c->limit > 0;
}

// --- Values --------------------------------------------------------------------------------------

// The value as a reason quotes it.
static void quote(const wh_column *values, size_t row, char *out, size_t cap) {
  char fixed[WH_MYSQL_FIXED_ROOM];
  wh_str text = wh_kind_is_text(values->type.kind)
                    ? wh_column_text(values, row)
                    : wh_str_n(fixed, wh_mysql_put_fixed(values, row, WH_MYSQL_OTHER, fixed));
  size_t len = wh_utf8_cut(text, QUOTE_MAX);
  snprintf(out, cap, "'%.*s%s'", (int)len, text.data, len < text.len ? "..." : "");
  for (char *c = out; *c; c++)
    if ((unsigned char)*c < ' ') *c = ' ';
}

static bool no_value(const wh_column *values, size_t row, char *reason, const char *why) {
  char text[QUOTE_MAX + 8];
  quote(values, row, text, sizeof text);
  return wh_sql_no(reason, "%s %s", text, why);
}

static int bits_of(const wh_sql_column *c) {
  uint64_t bits;
  size_t open = wh_str_find(c->declared, 0, '('), close = wh_str_find(c->declared, open, ')');
  bool found = close < c->declared.len &&
               wh_str_to_u64(wh_str_sub(c->declared, open + 1, close), &bits) && bits <= 64;
  return found ? (int)bits : 64;
}

static bool whole_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  int scale;
  __int128 unscaled = wh_sql_number(values, row, &scale), number;
  if (wh_decimal_rescale(unscaled, scale, WH_DECIMAL_DIGITS_MAX, 0, &number) != WH_FIT_OK)
    return no_value(values, row, reason, "is no whole number");
  wh_mysql_native native = wh_mysql_native_of(c);
  if (native == WH_MYSQL_YEAR)
    return number == 0 || (number >= YEAR_FIRST && number <= YEAR_LAST)
               ? true
               : no_value(values, row, reason, "is not 0 or a year from 1901 to 2155");
  if (native == WH_MYSQL_BIT)
    return number >= 0 && (unsigned __int128)number >> bits_of(c) == 0
               ? true
               : no_value(values, row, reason, "has more bits than the column keeps");
  if (c->type.kind == WH_BOOL)
    return number == 0 || number == 1 ? true : no_value(values, row, reason, "is not 0 or 1");
  return wh_int_fits(c->type.kind, number) ? true
                                           : no_value(values, row, reason, "is out of range");
}

static bool decimal_fits(const wh_sql_column *c, const wh_column *values, size_t row,
                         char *reason) {
  int scale;
  char text[QUOTE_MAX + 8];
  __int128 unscaled = wh_sql_number(values, row, &scale), there;
  if ((c->native & WH_MYSQL_UNSIGNED) && unscaled < 0)
    return no_value(values, row, reason, "is below 0, the column is unsigned");
  wh_fit fit = wh_decimal_rescale(unscaled, scale, c->type.precision, c->type.scale, &there);
  if (fit == WH_FIT_OK) return true;
  quote(values, row, text, sizeof text);
  if (fit == WH_FIT_PLACES)
    return wh_sql_no(reason, "%s has more decimal places than the %d that decimal(%d,%d) keeps",
                     text, c->type.scale, c->type.precision, c->type.scale);
  return wh_sql_no(reason, "%s has more digits than decimal(%d,%d) keeps", text, c->type.precision,
                   c->type.scale);
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
  if ((c->native & WH_MYSQL_UNSIGNED) && value < 0)
    return no_value(values, row, reason, "is below 0, the column is unsigned");
  return true;
}

static size_t characters(wh_str text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return count;
}

// The next of "enum('a','it''s')", without its quotes, in `out`; false behind the last one.
static bool next_member(wh_str *rest, char *out, size_t cap, size_t *ret_len) {
  size_t at = wh_str_find(*rest, 0, '\''), len = 0;
  if (at >= rest->len) return false;
  for (at++; at < rest->len; at++) {
    if (rest->data[at] == '\'') {
      if (at + 1 >= rest->len || rest->data[at + 1] != '\'') break;
      at++;
    }
    if (len < cap) out[len] = rest->data[at];
    len++;
  }
  *rest = wh_str_sub(*rest, at + 1, rest->len);
  *ret_len = len;
  return true;
}

enum { MEMBER_MAX = 1024 }; // bytes; the servers allow 255 characters

static ptrdiff_t member_index(wh_str declared, wh_str value) {
  char member[MEMBER_MAX];
  size_t len;
  for (ptrdiff_t i = 0; next_member(&declared, member, sizeof member, &len); i++)
    if (len == value.len && len <= sizeof member && memcmp(member, value.data, len) == 0) return i;
  return -1;
}

// Each one of the members, in their order, none twice: else the server would put it so.
static bool is_set(wh_str declared, wh_str value) {
  ptrdiff_t last = -1;
  wh_str part;
  if (value.len == 0) return true;
  if (value.data[value.len - 1] == ',') return false;
  while (wh_str_split(&value, ',', &part)) {
    ptrdiff_t at = member_index(declared, part);
    if (at <= last) return false;
    last = at;
  }
  return true;
}

static bool is_uuid(wh_str text) {
  if (text.len != UUID_TEXT) return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

// As the server would write it.
static bool is_inet(wh_str text, wh_str declared) {
  char given[INET6_ADDRSTRLEN], back[INET6_ADDRSTRLEN];
  unsigned char bytes[16];
  int family = wh_str_starts(declared, "inet4") ? AF_INET : AF_INET6;
  if (text.len >= sizeof given) return false;
  memcpy(given, text.data, text.len);
  given[text.len] = 0;
  return inet_pton(family, given, bytes) == 1 && inet_ntop(family, bytes, back, sizeof back) &&
         strcmp(given, back) == 0;
}

static bool length_fits(const wh_sql_column *c, size_t length, const char *unit, char *reason) {
  if (c->limit <= 0 || length <= (size_t)c->limit) return true;
  return wh_sql_no(reason, "has %zu %s, the column keeps %d", length, unit, c->limit);
}

static bool text_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  wh_str text = wh_column_text(values, row);
  switch (wh_mysql_native_of(c)) {
  case WH_MYSQL_CHAR:
    if (text.len && text.data[text.len - 1] == ' ')
      return wh_sql_no(reason, "ends in spaces, which a char column forgets");
    return length_fits(c, characters(text), "characters", reason);
  case WH_MYSQL_VARCHAR:
    return length_fits(c, characters(text), "characters", reason);
  case WH_MYSQL_ENUM:
    if (member_index(c->declared, text) >= 0) return true;
    return no_value(values, row, reason, "is none of the column's words");
  case WH_MYSQL_SET:
    if (is_set(c->declared, text)) return true;
    return no_value(values, row, reason, "is no list of the column's words in their order");
  case WH_MYSQL_UUID:
    return is_uuid(text) ? true : no_value(values, row, reason, "is no UUID in lower case");
  case WH_MYSQL_INET:
    return is_inet(text, c->declared)
               ? true
               : no_value(values, row, reason, "is no address as the server writes it");
  default:
    return length_fits(c, text.len, "bytes", reason);
  }
}

static bool binary_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  size_t len = wh_column_text(values, row).len;
  if (wh_mysql_native_of(c) == WH_MYSQL_BINARY && len != (size_t)c->limit)
    return wh_sql_no(reason, "has %zu bytes, the column keeps exactly %d", len, c->limit);
  return length_fits(c, len, "bytes", reason);
}

static bool is_year(int64_t days) {
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  return civil.year >= 1 && civil.year <= 9999;
}

// How many microseconds the last digit that the column keeps stands for.
static int64_t step_us(const wh_sql_column *c) {
  int64_t step = 1;
  for (int i = wh_mysql_digits_of(c); i < 6; i++)
    step *= 10;
  return step;
}

static bool time_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  int64_t value = wh_column_i64(values, row), us;
  if (values->type.kind == WH_DATE)
    return is_year(value) ? true : no_value(values, row, reason, "is not of the years 1 to 9999");
  if (!wh_unit_convert(value, values->type.unit, WH_UNIT_US, &us))
    return no_value(values, row, reason, "is finer than a microsecond, or too far away");
  if (us % step_us(c))
    return no_value(values, row, reason, "has more digits of a second than the column keeps");
  if (values->type.kind == WH_TIME) return true;
  int64_t seconds = us / second_us - (us % second_us < 0);
  if (!is_year(seconds / 86400 - (seconds % 86400 < 0)))
    return no_value(values, row, reason, "is not of the years 1 to 9999");
  if (wh_mysql_native_of(c) == WH_MYSQL_TIMESTAMP && (seconds < 1 || seconds > timestamp_last_s))
    return no_value(values, row, reason,
                    "is out of the range of a timestamp column, the years 1970 to 2038");
  return true;
}

bool wh_mysql_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
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
