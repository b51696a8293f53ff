// Columns as a sink sees them: what new ones are made with, and which values existing ones hold.
#include "connect/postgres/types.h"
#include "data/number.h"
#include "data/temporal.h"
#include "data/value.h"

enum {
  MIN_DATE_DAYS = -719162,    // 0001-01-01
  MAX_DATE_DAYS = 2145042905, // PostgreSQL's last, in the year 5874897
  DAY_SECONDS = 86400,
  TEXT_OID = 25,
};

#define DAY_US (86400ll * 1000000)

static bool is_nested(wh_kind kind) {
  return kind == WH_LIST || kind == WH_STRUCT;
}

// The kind whose column holds all values of the type.
static wh_kind stored_kind(wh_kind kind) {
  switch (kind) {
  case WH_INT8:
  case WH_UINT8:
    return WH_INT16;
  case WH_UINT16:
    return WH_INT32;
  case WH_UINT32:
    return WH_INT64;
  case WH_UINT64:
    return WH_DECIMAL;
  case WH_NULL:
    return WH_STRING;
  default:
    return kind;
  }
}

static const wh_pg_base *base_for(const wh_type *type) {
  wh_type stored = {.kind = stored_kind(type->kind), .zoned = type->zoned};
  return wh_pg_base_of_kind(&stored);
}

static bool is_array(const wh_type *type) {
  return type->kind == WH_LIST && !is_nested(type->fields[0].type.kind);
}

static bool declare_scalar(const wh_type *type, wh_buf *out) {
  static const int digits[] = {
      [WH_UNIT_S] = 0, [WH_UNIT_MS] = 3, [WH_UNIT_US] = 6, [WH_UNIT_NS] = 6};
  wh_buf_add_c(out, base_for(type)->name);
  if (type->kind == WH_DECIMAL) return wh_buf_printf(out, "(%d,%d)", type->precision, type->scale);
  if (type->kind == WH_UINT64) return wh_buf_add_c(out, "(20,0)");
  bool has_unit = type->kind == WH_TIME || type->kind == WH_TIMESTAMP;
  if (has_unit && digits[type->unit] < 6) wh_buf_printf(out, "(%d)", digits[type->unit]);
  return !out->failed;
}

bool wh_pg_declare(const wh_type *type, bool in_key, wh_buf *out) {
  (void)in_key; // text of any length may be a key
  if (is_array(type)) return declare_scalar(&type->fields[0].type, out) && wh_buf_add_c(out, "[]");
  if (is_nested(type->kind)) return wh_buf_add_c(out, "json");
  return declare_scalar(type, out);
}

void wh_pg_declared(const wh_type *type, bool in_key, wh_sql_column *column) {
  (void)in_key;
  column->nullable = true;
  column->type = *type;
  column->limit = 0;
  if (is_array(type)) {
    column->native = base_for(&type->fields[0].type)->array_oid;
    return;
  }
  if (is_nested(type->kind)) {
    column->type = wh_type_of(WH_STRING);
    column->native = 114;
    return;
  }
  column->native = base_for(type)->oid;
  column->type.kind = stored_kind(type->kind);
  if (type->kind == WH_UINT64) column->type.precision = 20;
  if (column->type.kind == WH_DECIMAL) column->limit = column->type.precision;
  if (type->unit == WH_UNIT_NS) column->type.unit = WH_UNIT_US;
}

// --- what cannot go in ---------------------------------------------------------------------------

static const char *int_clash(const wh_type *t) {
  if (wh_kind_is_int(t->kind)) return NULL;
  return t->kind == WH_DECIMAL && t->scale == 0 ? NULL : "keeps whole numbers";
}

static const char *float_clash(const wh_type *t, bool is_double) {
  if (t->kind == WH_FLOAT32 || (t->kind == WH_FLOAT64 && is_double)) return NULL;
  if (wh_kind_is_int(t->kind))
    return wh_kind_width(t->kind) < (is_double ? 8 : 4) ? NULL
                                                        : "keeps floats, which round large numbers";
  return t->kind == WH_FLOAT64   ? "keeps floats of half the digits"
         : t->kind == WH_DECIMAL ? "keeps floats, which round decimals"
                                 : "keeps numbers";
}

static const char *time_clash(const wh_type *t, const wh_sql_column *c) {
  if (t->kind != c->type.kind)
    return c->type.kind == WH_TIME ? "keeps times of day" : "keeps dates with times";
  if (t->zoned == c->type.zoned) return NULL;
  return c->type.zoned ? "keeps times with a zone" : "keeps times without a zone";
}

static const char *array_clash(const wh_type *t, const wh_sql_column *c) {
  if (!is_array(t)) return "keeps lists";
  const wh_pg_base *item = wh_pg_item_of(c->native);
  if (!item) return "keeps lists of another type";
  wh_sql_column inner = {.type = c->type.fields[0].type, .native = item->oid};
  return t->fields[0].type.kind == WH_NULL || !wh_pg_clash(&t->fields[0].type, &inner)
             ? NULL
             : "keeps lists of another type";
}

static const char *other_clash(const wh_type *t, const wh_sql_column *c) {
  if (c->type.kind == WH_LIST) return "keeps lists of a type that only PostgreSQL can write";
  if (c->type.kind == WH_DECIMAL)
    return "keeps money, which is written as the server's locale says";
  return t->kind == WH_STRING ? NULL : "keeps what is written as text";
}

const char *wh_pg_clash(const wh_type *t, const wh_sql_column *c) {
  if (t->kind == WH_NULL) return NULL;
  switch (wh_pg_write_form(c->native)) {
  case WH_PG_BOOL:
    return t->kind == WH_BOOL ? NULL : "keeps true and false";
  case WH_PG_INT2:
  case WH_PG_INT4:
  case WH_PG_INT8:
  case WH_PG_OID:
  case WH_PG_XID8:
    return int_clash(t);
  case WH_PG_FLOAT4:
    return float_clash(t, false);
  case WH_PG_FLOAT8:
    return float_clash(t, true);
  case WH_PG_NUMERIC:
    return wh_kind_is_int(t->kind) || t->kind == WH_DECIMAL ? NULL : "keeps decimals";
  case WH_PG_TEXT:
  case WH_PG_CHAR:
    return t->kind == WH_STRING || is_nested(t->kind) ? NULL : "keeps text";
  case WH_PG_BYTES:
    return t->kind == WH_BINARY ? NULL : "keeps bytes";
  case WH_PG_DATE:
    return t->kind == WH_DATE ? NULL : "keeps dates";
  case WH_PG_TIME:
  case WH_PG_TIMESTAMP:
    return time_clash(t, c);
  case WH_PG_UUID:
    return t->kind == WH_STRING ? NULL : "keeps UUIDs, which come as text";
  case WH_PG_JSON:
  case WH_PG_JSONB:
    return t->kind == WH_STRING || is_nested(t->kind) ? NULL : "keeps JSON";
  case WH_PG_ARRAY:
    return array_clash(t, c);
  case WH_PG_OTHER:
    break;
  }
  if (c->native == WH_PG_OID_GEOMETRY)
    return t->kind == WH_BINARY ? NULL : "keeps shapes, which come as WKB";
  return other_clash(t, c);
}

// --- single values -------------------------------------------------------------------------------

static bool int_range(const wh_sql_column *c, __int128 *least, __int128 *most) {
  switch (wh_pg_write_form(c->native)) {
  case WH_PG_INT2:
    wh_int_range(WH_INT16, least, most);
    return true;
  case WH_PG_INT4:
    wh_int_range(WH_INT32, least, most);
    return true;
  case WH_PG_INT8:
    wh_int_range(WH_INT64, least, most);
    return true;
  case WH_PG_OID:
    wh_int_range(WH_UINT32, least, most);
    return true;
  case WH_PG_XID8:
    wh_int_range(WH_UINT64, least, most);
    return true;
  default:
    return false;
  }
}

// numeric(p,s) with `limit` p; 0: any digits.
static bool numeric_checks(const wh_type *t, const wh_sql_column *c) {
  if (c->limit == 0) return false;
  int whole = c->limit - c->type.scale;
  if (t->kind == WH_DECIMAL) return t->scale > c->type.scale || t->precision - t->scale > whole;
  __int128 least, most;
  wh_int_range(t->kind, &least, &most);
  return whole < 0 || (whole <= WH_DECIMAL_DIGITS_MAX && most >= wh_pow10(whole));
}

bool wh_pg_checks(const wh_type *t, const wh_sql_column *c) {
  __int128 least, most, lowest, highest;
  switch (t->kind) {
  case WH_STRING:
  case WH_LIST:
  case WH_STRUCT:
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return true;
  case WH_DECIMAL:
    return wh_pg_write_form(c->native) == WH_PG_NUMERIC ? numeric_checks(t, c) : true;
  default:
    if (!wh_kind_is_int(t->kind)) return false;
    if (wh_pg_write_form(c->native) == WH_PG_NUMERIC) return numeric_checks(t, c);
    if (!int_range(c, &least, &most)) return false;
    wh_int_range(t->kind, &lowest, &highest);
    return lowest < least || highest > most;
  }
}

__attribute__((format(printf, 2, 3))) static bool misfit(char *reason, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(reason, WH_SQL_REASON_MAX, fmt, args);
  va_end(args);
  return false;
}

static __int128 whole_of(const wh_column *values, size_t row) {
  if (values->type.kind == WH_DECIMAL) return wh_column_decimal(values, row);
  if (values->type.kind == WH_UINT64) return (__int128)wh_column_u64(values, row);
  return wh_column_i64(values, row);
}

// The value's text in `out`, for a reason.
static void show(const wh_column *values, size_t row, char out[64]) {
  char room[64];
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, values->mem ? values->mem : values->own.mem, sizeof room);
  wh_column_write(values, row, &text);
  snprintf(out, 64, "%.*s", WH_STR_ARG(wh_buf_str(&text)));
}

static bool number_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  __int128 least, most, value = whole_of(values, row), ignored;
  int scale = values->type.kind == WH_DECIMAL ? values->type.scale : 0;
  char text[64];
  if (wh_pg_write_form(c->native) != WH_PG_NUMERIC) {
    if (!int_range(c, &least, &most) || (value >= least && value <= most)) return true;
    show(values, row, text);
    return misfit(reason, "%s is out of range of %.*s", text, WH_STR_ARG(c->declared));
  }
  if (c->limit == 0) return true;
  int precision = c->limit < WH_DECIMAL_DIGITS_MAX ? c->limit : WH_DECIMAL_DIGITS_MAX;
  if (c->limit < c->type.scale) precision = c->type.scale;
  wh_fit fit = wh_decimal_rescale(value, scale, precision, c->type.scale, &ignored);
  if (fit == WH_FIT_OK || (fit == WH_FIT_RANGE && c->limit > precision)) return true;
  show(values, row, text);
  if (fit == WH_FIT_PLACES)
    return misfit(reason, "%s has %d decimal places, %.*s keeps %d", text, scale,
                  WH_STR_ARG(c->declared), c->type.scale);
  return misfit(reason, "%s is out of range of %.*s", text, WH_STR_ARG(c->declared));
}

static size_t characters(wh_str text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return count;
}

static bool text_fits(const wh_sql_column *c, wh_str text, char *reason) {
  if (text.len && memchr(text.data, 0, text.len))
    return misfit(reason, "has a NUL character, which PostgreSQL's text cannot hold");
  if (c->native == TEXT_OID && c->limit == 0) return true;
  wh_pg_form form = wh_pg_write_form(c->native);
  uint8_t id[16];
  if (form == WH_PG_UUID && !wh_pg_parse_uuid(text, id)) return misfit(reason, "is no UUID");
  if (c->limit && text.len > (size_t)c->limit && characters(text) > (size_t)c->limit)
    return misfit(reason, "has %zu characters, %.*s keeps %d", characters(text),
                  WH_STR_ARG(c->declared), c->limit);
  if (form == WH_PG_CHAR && text.len && text.data[text.len - 1] == ' ')
    return misfit(reason, "ends in blanks, which %.*s does not keep", WH_STR_ARG(c->declared));
  return true;
}

static bool is_date(int64_t days) {
  return days >= MIN_DATE_DAYS && days <= MAX_DATE_DAYS;
}

static bool time_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  const wh_type *t = &values->type;
  int64_t value = wh_column_i64(values, row), us, unused;
  bool is_plain = t->kind == WH_TIMESTAMP && t->unit == WH_UNIT_US && c->type.unit == WH_UNIT_US;
  if (is_plain && value >= MIN_DATE_DAYS * DAY_US) return true; // all that 64 bits hold
  if (t->kind == WH_DATE)
    return is_date(value) ? true : misfit(reason, "is before the year 1, or too far away");
  int64_t per_second = wh_unit_per_second(t->unit);
  if (t->kind == WH_TIMESTAMP) {
    int64_t seconds = value / per_second - (value % per_second < 0);
    int64_t days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
    if (!is_date(days)) return misfit(reason, "is before the year 1, or too far away");
  } else if (value < 0 || value >= DAY_SECONDS * per_second) {
    return misfit(reason, "is not a time of day");
  }
  wh_unit unit = c->type.unit == WH_UNIT_NS ? WH_UNIT_US : c->type.unit;
  if (!wh_unit_convert(value, t->unit, WH_UNIT_US, &us))
    return misfit(reason, "is finer than the microseconds that PostgreSQL keeps");
  return wh_unit_convert(us, WH_UNIT_US, unit, &unused)
             ? true
             : misfit(reason, "is finer than %.*s keeps", WH_STR_ARG(c->declared));
}

static bool list_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  const wh_pg_base *item = wh_pg_item_of(c->native);
  if (!item) return true; // as JSON, which escapes whatever text cannot hold
  wh_sql_column inner = {
      .declared = c->declared, .type = c->type.fields[0].type, .native = item->oid};
  const wh_column *items = &values->children[0];
  if (!wh_pg_checks(&items->type, &inner)) return true;
  for (int32_t i = values->offsets[row]; i < values->offsets[row + 1]; i++)
    if (!wh_column_is_null(items, (size_t)i) && !wh_pg_fits(&inner, items, (size_t)i, reason))
      return false;
  return true;
}

static bool all_from(const int64_t *values, size_t count, int64_t least) {
  bool all = true;
  for (size_t i = 0; i < count; i++) // without a branch: to its end
    all &= values[i] >= least;
  return all;
}

static bool all_dates(const int32_t *days, size_t count) {
  bool all = true;
  for (size_t i = 0; i < count; i++)
    all &= days[i] >= MIN_DATE_DAYS && days[i] <= MAX_DATE_DAYS;
  return all;
}

// NULL rows are empty, or hold zero, which fits.
bool wh_pg_fits_all(const wh_sql_column *c, const wh_column *values) {
  const wh_type *t = &values->type;
  if (values->length == 0) return true;
  if (t->kind == WH_STRING && c->native == TEXT_OID && c->limit == 0) {
    size_t bytes = (size_t)values->offsets[values->length];
    return bytes == 0 || !memchr(values->bytes, 0, bytes);
  }
  if (t->kind == WH_TIMESTAMP && t->unit == WH_UNIT_US && c->type.unit == WH_UNIT_US)
    return all_from((const int64_t *)(const void *)values->values, values->length,
                    MIN_DATE_DAYS * DAY_US);
  return t->kind == WH_DATE &&
         all_dates((const int32_t *)(const void *)values->values, values->length);
}

bool wh_pg_fits(const wh_sql_column *c, const wh_column *values, size_t row, char *reason) {
  if (wh_column_is_null(values, row)) return true;
  switch (values->type.kind) {
  case WH_STRING:
    return text_fits(c, wh_column_text(values, row), reason);
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return time_fits(c, values, row, reason);
  case WH_LIST:
    return list_fits(c, values, row, reason);
  case WH_STRUCT:
    return true;
  default:
    return wh_kind_is_int(values->type.kind) || values->type.kind == WH_DECIMAL
               ? number_fits(c, values, row, reason)
               : true;
  }
}

wh_pg_form wh_pg_write_form(uint32_t native) {
  if (native == WH_PG_OID_ENUM) return WH_PG_TEXT; // its label
  const wh_pg_base *base = wh_pg_base_of(native);
  if (base) return base->form;
  return wh_pg_item_of(native) ? WH_PG_ARRAY : WH_PG_OTHER;
}

// The canonical form; and not capitals or braces, which would come back as another text.
bool wh_pg_parse_uuid(wh_str text, uint8_t out[16]) {
  if (text.len != 36) return false;
  size_t at = 0;
  for (size_t i = 0; i < 36; i += 2) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text.data[i] != '-') return false;
      i++;
    }
    if (text.data[i] >= 'A' && text.data[i] <= 'F') return false;
    if (text.data[i + 1] >= 'A' && text.data[i + 1] <= 'F') return false;
    int high = wh_hex_digit(text.data[i]), low = wh_hex_digit(text.data[i + 1]);
    if (high < 0 || low < 0) return false;
    out[at++] = (uint8_t)(high << 4 | low);
  }
  return at == 16;
}
