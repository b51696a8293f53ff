#include "connect/mysql/types.h"

enum {
  BINARY_CHARSET = 63,
  MYSQL_SCALE_MAX = 30,
  FRACTION_DIGITS = 6,
};

// --- As the catalog spells them ------------------------------------------------------------------

static const struct {
  const char *name;
  wh_mysql_native native;
} natives[] = {
    {"tinyint", WH_MYSQL_INT},
    {"smallint", WH_MYSQL_INT},
    {"mediumint", WH_MYSQL_INT},
    {"int", WH_MYSQL_INT},
    {"bigint", WH_MYSQL_INT},
    {"year", WH_MYSQL_YEAR},
    {"bit", WH_MYSQL_BIT},
    {"decimal", WH_MYSQL_DECIMAL},
    {"float", WH_MYSQL_FLOAT},
    {"double", WH_MYSQL_DOUBLE},
    {"date", WH_MYSQL_DATE},
    {"time", WH_MYSQL_TIME},
    {"datetime", WH_MYSQL_DATETIME},
    {"timestamp", WH_MYSQL_TIMESTAMP},
    {"char", WH_MYSQL_CHAR},
    {"varchar", WH_MYSQL_VARCHAR},
    {"tinytext", WH_MYSQL_TEXT},
    {"text", WH_MYSQL_TEXT},
    {"mediumtext", WH_MYSQL_TEXT},
    {"longtext", WH_MYSQL_TEXT},
    {"binary", WH_MYSQL_BINARY},
    {"varbinary", WH_MYSQL_VARBINARY},
    {"tinyblob", WH_MYSQL_BLOB},
    {"blob", WH_MYSQL_BLOB},
    {"mediumblob", WH_MYSQL_BLOB},
    {"longblob", WH_MYSQL_BLOB},
    {"enum", WH_MYSQL_ENUM},
    {"set", WH_MYSQL_SET},
    {"json", WH_MYSQL_JSON},
    {"uuid", WH_MYSQL_UUID},
    {"inet4", WH_MYSQL_INET},
    {"inet6", WH_MYSQL_INET},
    {"geometry", WH_MYSQL_GEOMETRY},
    {"point", WH_MYSQL_GEOMETRY},
    {"linestring", WH_MYSQL_GEOMETRY},
    {"polygon", WH_MYSQL_GEOMETRY},
    {"multipoint", WH_MYSQL_GEOMETRY},
    {"multilinestring", WH_MYSQL_GEOMETRY},
    {"multipolygon", WH_MYSQL_GEOMETRY},
    {"geometrycollection", WH_MYSQL_GEOMETRY},
    {"geomcollection", WH_MYSQL_GEOMETRY},
};

// "datetime(3)" -> 3
static uint32_t digits_of(wh_str column_type) {
  size_t open = wh_str_find(column_type, 0, '(');
  size_t close = wh_str_find(column_type, open, ')');
  uint64_t digits;
  if (close >= column_type.len || close <= open) return 0;
  return wh_str_to_u64(wh_str_sub(column_type, open + 1, close), &digits) &&
                 digits <= FRACTION_DIGITS
             ? (uint32_t)digits
             : 0;
}

uint32_t wh_mysql_native_parse(wh_str data_type, wh_str column_type) {
  uint32_t native = WH_MYSQL_OTHER;
  for (size_t i = 0; i < sizeof natives / sizeof natives[0]; i++)
    if (wh_str_eq_nocase(data_type, wh_str_of(natives[i].name))) native = natives[i].native;
  if (native == WH_MYSQL_TIME || native == WH_MYSQL_DATETIME || native == WH_MYSQL_TIMESTAMP)
    native |= digits_of(column_type) << WH_MYSQL_DIGITS_SHIFT;
  bool is_number = native == WH_MYSQL_INT || native == WH_MYSQL_DECIMAL ||
                   native == WH_MYSQL_FLOAT || native == WH_MYSQL_DOUBLE;
  if (is_number && memmem(column_type.data, column_type.len, "unsigned", 8))
    native |= WH_MYSQL_UNSIGNED;
  return native;
}

// --- As rows come --------------------------------------------------------------------------------

static wh_mysql_field whole(wh_kind is_signed, wh_mysql_wire wire, const MYSQL_FIELD *f) {
  // The kinds stand in the order int8 .. int64, uint8 .. uint64.
  bool is_unsigned = (f->flags & UNSIGNED_FLAG) != 0;
  wh_kind kind = is_unsigned ? (wh_kind)(is_signed - WH_INT8 + WH_UINT8) : is_signed;
  return (wh_mysql_field){.type = wh_type_of(kind), .wire = wire, .is_unsigned = is_unsigned};
}

// The width counts a sign where there may be one, and a point.
static wh_mysql_field decimal(const MYSQL_FIELD *f) {
  unsigned scale = f->decimals < WH_DECIMAL_DIGITS_MAX ? f->decimals : WH_DECIMAL_DIGITS_MAX;
  long digits = (long)f->length - (f->decimals > 0) - ((f->flags & UNSIGNED_FLAG) == 0);
  if (digits > WH_DECIMAL_DIGITS_MAX) digits = WH_DECIMAL_DIGITS_MAX;
  if (digits < (long)scale) digits = scale;
  if (digits < 1) digits = 1;
  wh_type type = wh_type_of(WH_DECIMAL);
  type.precision = (uint8_t)digits;
  type.scale = (uint8_t)scale;
  return (wh_mysql_field){.type = type, .wire = WH_MYSQL_WIRE_DECIMAL};
}

static wh_mysql_field bytes(const MYSQL_FIELD *f) {
  bool is_text = f->charsetnr != BINARY_CHARSET || (f->flags & (ENUM_FLAG | SET_FLAG));
  return (wh_mysql_field){.type = wh_type_of(is_text ? WH_STRING : WH_BINARY),
                          .wire = WH_MYSQL_WIRE_BYTES};
}

static wh_mysql_field simple(wh_kind kind, wh_mysql_wire wire) {
  return (wh_mysql_field){.type = wh_type_of(kind), .wire = wire};
}

wh_mysql_field wh_mysql_field_of(const MYSQL_FIELD *f, const wh_mysql_options *options) {
  wh_mysql_field field;
  switch (f->type) {
  case MYSQL_TYPE_TINY:
    if (f->length == 1 && !(f->flags & UNSIGNED_FLAG) && options->booleans)
      return simple(WH_BOOL, WH_MYSQL_WIRE_INT8);
    return whole(WH_INT8, WH_MYSQL_WIRE_INT8, f);
  case MYSQL_TYPE_SHORT:
    return whole(WH_INT16, WH_MYSQL_WIRE_INT16, f);
  case MYSQL_TYPE_YEAR:
    return simple(WH_INT16, WH_MYSQL_WIRE_INT16);
  case MYSQL_TYPE_INT24:
  case MYSQL_TYPE_LONG:
    return whole(WH_INT32, WH_MYSQL_WIRE_INT32, f);
  case MYSQL_TYPE_LONGLONG:
    return whole(WH_INT64, WH_MYSQL_WIRE_INT64, f);
  case MYSQL_TYPE_FLOAT:
    return simple(WH_FLOAT32, WH_MYSQL_WIRE_FLOAT);
  case MYSQL_TYPE_DOUBLE:
    return simple(WH_FLOAT64, WH_MYSQL_WIRE_DOUBLE);
  case MYSQL_TYPE_DECIMAL:
  case MYSQL_TYPE_NEWDECIMAL:
    return decimal(f);
  case MYSQL_TYPE_DATE:
  case MYSQL_TYPE_NEWDATE:
    return simple(WH_DATE, WH_MYSQL_WIRE_DAY);
  case MYSQL_TYPE_TIME:
    return simple(WH_TIME, WH_MYSQL_WIRE_TIME);
  case MYSQL_TYPE_DATETIME:
    return simple(WH_TIMESTAMP, WH_MYSQL_WIRE_DAY);
  case MYSQL_TYPE_TIMESTAMP:
    field = simple(WH_TIMESTAMP, WH_MYSQL_WIRE_DAY);
    field.type.zoned = true; // the session's zone is UTC
    return field;
  case MYSQL_TYPE_BIT:
    return simple(f->length == 1 ? WH_BOOL : WH_UINT64, WH_MYSQL_WIRE_BIT);
  case MYSQL_TYPE_GEOMETRY:
    return simple(WH_BINARY, WH_MYSQL_WIRE_GEOMETRY);
  case MYSQL_TYPE_NULL:
    return simple(WH_STRING, WH_MYSQL_WIRE_NONE);
  case MYSQL_TYPE_JSON:
    return simple(WH_STRING, WH_MYSQL_WIRE_BYTES);
  default:
    return bytes(f);
  }
}

// --- New columns ---------------------------------------------------------------------------------

static const char *word_of(wh_kind kind) {
  static const char *const words[] = {
      [WH_BOOL] = "BOOLEAN",
      [WH_INT8] = "TINYINT",
      [WH_INT16] = "SMALLINT",
      [WH_INT32] = "INT",
      [WH_INT64] = "BIGINT",
      [WH_UINT8] = "TINYINT UNSIGNED",
      [WH_UINT16] = "SMALLINT UNSIGNED",
      [WH_UINT32] = "INT UNSIGNED",
      [WH_UINT64] = "BIGINT UNSIGNED",
      [WH_FLOAT32] = "FLOAT",
      [WH_FLOAT64] = "DOUBLE",
      [WH_DATE] = "DATE",
      [WH_TIME] = "TIME(6)",
  };
  return kind < sizeof words / sizeof words[0] ? words[kind] : NULL;
}

static bool declare(const wh_type *type, bool in_key, const char *text, int scale_max,
                    wh_buf *out) {
  const char *word = word_of(type->kind);
  if (word) return wh_buf_add_c(out, word);
  switch (type->kind) {
  case WH_DECIMAL:
    return wh_buf_printf(out, "DECIMAL(%d,%d)", type->precision,
                         type->scale < scale_max ? type->scale : scale_max);
  case WH_TIMESTAMP:
    return wh_buf_add_c(out, type->zoned ? "TIMESTAMP(6) NULL" : "DATETIME(6)");
  case WH_BINARY:
    return in_key ? wh_buf_printf(out, "VARBINARY(%d)", WH_MYSQL_KEY_CHARACTERS)
                  : wh_buf_add_c(out, "LONGBLOB");
  default: // text, and what is written as JSON
    return in_key ? wh_buf_printf(out, "VARCHAR(%d) %s", WH_MYSQL_KEY_CHARACTERS, text)
                  : wh_buf_printf(out, "LONGTEXT %s", text);
  }
}

bool wh_mysql_declare(const wh_type *type, bool in_key, wh_buf *out) {
  return declare(type, in_key, WH_MYSQL_TEXT_SET, MYSQL_SCALE_MAX, out);
}

bool wh_mariadb_declare(const wh_type *type, bool in_key, wh_buf *out) {
  return declare(type, in_key, WH_MARIADB_TEXT_SET, WH_DECIMAL_DIGITS_MAX, out);
}

static uint32_t native_of(const wh_type *type, bool in_key) {
  const uint32_t fraction = FRACTION_DIGITS << WH_MYSQL_DIGITS_SHIFT;
  switch (type->kind) {
  case WH_FLOAT32:
    return WH_MYSQL_FLOAT;
  case WH_FLOAT64:
    return WH_MYSQL_DOUBLE;
  case WH_DECIMAL:
    return WH_MYSQL_DECIMAL;
  case WH_DATE:
    return WH_MYSQL_DATE;
  case WH_TIME:
    return WH_MYSQL_TIME | fraction;
  case WH_TIMESTAMP:
    return (type->zoned ? WH_MYSQL_TIMESTAMP : WH_MYSQL_DATETIME) | fraction;
  case WH_BINARY:
    return in_key ? WH_MYSQL_VARBINARY : WH_MYSQL_BLOB;
  case WH_BOOL:
    return WH_MYSQL_INT;
  default:
    if (wh_kind_is_int(type->kind))
      return WH_MYSQL_INT | (type->kind >= WH_UINT8 ? WH_MYSQL_UNSIGNED : 0);
    return in_key ? WH_MYSQL_VARCHAR : WH_MYSQL_TEXT;
  }
}

void wh_mysql_declared(const wh_type *type, bool in_key, wh_sql_column *column) {
  bool is_number = type->kind == WH_BOOL || wh_kind_is_int(type->kind);
  bool is_plain = is_number || type->kind == WH_FLOAT32 || type->kind == WH_FLOAT64 ||
                  type->kind == WH_DECIMAL || type->kind == WH_DATE || type->kind == WH_BINARY;
  column->type = is_plain ? *type : wh_type_of(WH_STRING);
  if (type->kind == WH_TIME || type->kind == WH_TIMESTAMP) {
    column->type = wh_type_of(type->kind);
    column->type.zoned = type->zoned;
  }
  column->native = native_of(type, in_key);
  column->folds = false;
  bool is_limited = in_key && wh_kind_is_text(column->type.kind);
  column->limit = is_limited ? WH_MYSQL_KEY_CHARACTERS : 0;
}
