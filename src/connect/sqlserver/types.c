#include "connect/sqlserver/types.h"

static const struct {
  const char *name;
  wh_mssql_native native;
  wh_kind kind;
} natives[] = {
    {"bit", WH_MSSQL_BIT, WH_BOOL},
    {"tinyint", WH_MSSQL_TINYINT, WH_UINT8},
    {"smallint", WH_MSSQL_SMALLINT, WH_INT16},
    {"int", WH_MSSQL_INT, WH_INT32},
    {"bigint", WH_MSSQL_BIGINT, WH_INT64},
    {"decimal", WH_MSSQL_DECIMAL, WH_DECIMAL},
    {"numeric", WH_MSSQL_DECIMAL, WH_DECIMAL},
    {"money", WH_MSSQL_MONEY, WH_DECIMAL},
    {"smallmoney", WH_MSSQL_SMALLMONEY, WH_DECIMAL},
    {"real", WH_MSSQL_REAL, WH_FLOAT32},
    {"float", WH_MSSQL_FLOAT, WH_FLOAT64},
    {"date", WH_MSSQL_DATE, WH_DATE},
    {"time", WH_MSSQL_TIME, WH_TIME},
    {"datetime", WH_MSSQL_DATETIME, WH_TIMESTAMP},
    {"smalldatetime", WH_MSSQL_SMALLDATETIME, WH_TIMESTAMP},
    {"datetime2", WH_MSSQL_DATETIME2, WH_TIMESTAMP},
    {"datetimeoffset", WH_MSSQL_DATETIMEOFFSET, WH_TIMESTAMP},
    {"char", WH_MSSQL_CHAR, WH_STRING},
    {"varchar", WH_MSSQL_VARCHAR, WH_STRING},
    {"nchar", WH_MSSQL_NCHAR, WH_STRING},
    {"nvarchar", WH_MSSQL_NVARCHAR, WH_STRING},
    {"sysname", WH_MSSQL_NVARCHAR, WH_STRING},
    {"text", WH_MSSQL_TEXT, WH_STRING},
    {"ntext", WH_MSSQL_NTEXT, WH_STRING},
    {"binary", WH_MSSQL_BINARY, WH_BINARY},
    {"varbinary", WH_MSSQL_VARBINARY, WH_BINARY},
    {"image", WH_MSSQL_IMAGE, WH_BINARY},
    {"uniqueidentifier", WH_MSSQL_UUID, WH_STRING},
    {"xml", WH_MSSQL_XML, WH_STRING},
    {"json", WH_MSSQL_JSON, WH_STRING},
    {"timestamp", WH_MSSQL_ROWVERSION, WH_UINT64},
    {"rowversion", WH_MSSQL_ROWVERSION, WH_UINT64},
    {"hierarchyid", WH_MSSQL_HIERARCHY, WH_STRING},
    {"geometry", WH_MSSQL_GEOMETRY, WH_BINARY},
    {"geography", WH_MSSQL_GEOMETRY, WH_BINARY},
    {"sql_variant", WH_MSSQL_VARIANT, WH_STRING},
};

// --- As the catalog has them ---------------------------------------------------------------------

static wh_type type_of(wh_kind kind, wh_mssql_native native, const wh_mssql_catalog_type *t) {
  wh_type type = wh_type_of(kind);
  bool is_fine =
      native == WH_MSSQL_TIME || native == WH_MSSQL_DATETIME2 || native == WH_MSSQL_DATETIMEOFFSET;
  if (is_fine && t->scale == WH_MSSQL_TICK_DIGITS) type.unit = WH_UNIT_NS;
  if (kind == WH_TIMESTAMP) type.zoned = native == WH_MSSQL_DATETIMEOFFSET;
  if (kind != WH_DECIMAL) return type;
  type.precision = (uint8_t)t->precision;
  type.scale = (uint8_t)t->scale;
  if (native == WH_MSSQL_MONEY || native == WH_MSSQL_SMALLMONEY) {
    type.precision = native == WH_MSSQL_MONEY ? 19 : 10;
    type.scale = 4;
  }
  return type;
}

static bool has_length(wh_mssql_native n) {
  return n == WH_MSSQL_CHAR || n == WH_MSSQL_VARCHAR || n == WH_MSSQL_NCHAR ||
         n == WH_MSSQL_NVARCHAR || n == WH_MSSQL_BINARY || n == WH_MSSQL_VARBINARY;
}

static bool is_text(wh_mssql_native n) {
  return n == WH_MSSQL_CHAR || n == WH_MSSQL_VARCHAR || n == WH_MSSQL_NCHAR ||
         n == WH_MSSQL_NVARCHAR || n == WH_MSSQL_TEXT || n == WH_MSSQL_NTEXT;
}

static int64_t length_of(wh_mssql_native n, int64_t bytes) {
  return n == WH_MSSQL_NCHAR || n == WH_MSSQL_NVARCHAR ? bytes / 2 : bytes;
}

// "nvarchar(50) COLLATE Latin1_General_CI_AS"
static wh_status write_declared(const wh_mssql_catalog_type *t, wh_mssql_native n, wh_arena *arena,
                                wh_sql_column *c, wh_error *err) {
  char text[320];
  wh_str name = n == WH_MSSQL_ROWVERSION ? WH_STR("rowversion") : t->name;
  int len = snprintf(text, sizeof text, "%.*s", (int)wh_utf8_cut(name, 140), name.data);
  size_t left = sizeof text - (size_t)len;
  if (n == WH_MSSQL_DECIMAL)
    len += snprintf(text + len, left, "(%lld,%lld)", (long long)t->precision, (long long)t->scale);
  else if (n == WH_MSSQL_TIME || n == WH_MSSQL_DATETIME2 || n == WH_MSSQL_DATETIMEOFFSET)
    len += snprintf(text + len, left, "(%lld)", (long long)t->scale);
  else if (has_length(n) && t->bytes < 0)
    len += snprintf(text + len, left, "(max)");
  else if (has_length(n))
    len += snprintf(text + len, left, "(%lld)", (long long)length_of(n, t->bytes));
  left = sizeof text - (size_t)len;
  if (is_text(n) && t->collation.len)
    snprintf(text + len, left, " COLLATE %.*s", (int)wh_utf8_cut(t->collation, 128),
             t->collation.data);
  c->declared = wh_arena_str(arena, wh_str_of(text));
  return c->declared.data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_mssql_type_column(const wh_mssql_catalog_type *t, wh_arena *arena, wh_sql_column *c,
                               wh_error *err) {
  wh_mssql_native native = WH_MSSQL_OTHER;
  wh_kind kind = WH_STRING;
  for (size_t i = 0; i < sizeof natives / sizeof natives[0]; i++) {
    if (!wh_str_eq_nocase(t->name, wh_str_of(natives[i].name))) continue;
    native = natives[i].native;
    kind = natives[i].kind;
  }
  c->type = type_of(kind, native, t);
  c->native = (c->native & (WH_MSSQL_IDENTITY | WH_MSSQL_OTHER_PAGE)) | native;
  if (native == WH_MSSQL_TIME || native == WH_MSSQL_DATETIME2 || native == WH_MSSQL_DATETIMEOFFSET)
    c->native |= (uint32_t)t->scale << WH_MSSQL_DIGITS_SHIFT;
  if (is_text(native) && !wh_mssql_is_unicode(c) && t->page > 0 && t->page <= UINT16_MAX)
    c->native |= (uint32_t)t->page << WH_MSSQL_PAGE_SHIFT;
  c->folds = is_text(native);
  c->limit = has_length(native) && t->bytes > 0 ? (int32_t)length_of(native, t->bytes) : 0;
  if (native == WH_MSSQL_VARIANT) c->unread = "holds values of any type (sql_variant)";
  if (native == WH_MSSQL_OTHER) c->unread = "is of a type that is not read";
  return write_declared(t, native, arena, c, err);
}

// --- New columns ---------------------------------------------------------------------------------

static const char *word_of(wh_kind kind) {
  static const char *const words[] = {
      [WH_BOOL] = "bit",     [WH_INT8] = "smallint", [WH_INT16] = "smallint",
      [WH_INT32] = "int",    [WH_INT64] = "bigint",  [WH_UINT8] = "tinyint",
      [WH_UINT16] = "int",   [WH_UINT32] = "bigint", [WH_UINT64] = "decimal(20,0)",
      [WH_FLOAT32] = "real", [WH_FLOAT64] = "float", [WH_DATE] = "date",
  };
  return kind < sizeof words / sizeof words[0] ? words[kind] : NULL;
}

// As fine as the unit, so that it reads back in it, or in microseconds.
static int digits_of(wh_unit unit) {
  static const int digits[] = {
      [WH_UNIT_S] = 0, [WH_UNIT_MS] = 3, [WH_UNIT_US] = 6, [WH_UNIT_NS] = WH_MSSQL_TICK_DIGITS};
  return digits[unit];
}

bool wh_mssql_declare(const wh_type *type, bool in_key, wh_buf *out) {
  const char *word = word_of(type->kind);
  if (word) return wh_buf_add_c(out, word);
  switch (type->kind) {
  case WH_DECIMAL:
    return wh_buf_printf(out, "decimal(%d,%d)", type->precision, type->scale);
  case WH_TIME:
    return wh_buf_printf(out, "time(%d)", digits_of(type->unit));
  case WH_TIMESTAMP:
    return wh_buf_printf(out, "%s(%d)", type->zoned ? "datetimeoffset" : "datetime2",
                         digits_of(type->unit));
  case WH_BINARY:
    return in_key ? wh_buf_printf(out, "varbinary(%d)", WH_MSSQL_KEY_CHARACTERS)
                  : wh_buf_add_c(out, "varbinary(max)");
  default: // text, and what is written as JSON
    return in_key ? wh_buf_printf(out, "nvarchar(%d) COLLATE " WH_MSSQL_BY_CODE,
                                  WH_MSSQL_KEY_CHARACTERS)
                  : wh_buf_add_c(out, "nvarchar(max)");
  }
}

static wh_mssql_native native_of(wh_type *type) {
  switch (type->kind) {
  case WH_BOOL:
    return WH_MSSQL_BIT;
  case WH_INT8:
  case WH_INT16:
    type->kind = WH_INT16;
    return WH_MSSQL_SMALLINT;
  case WH_UINT8:
    return WH_MSSQL_TINYINT;
  case WH_INT32:
  case WH_UINT16:
    type->kind = WH_INT32;
    return WH_MSSQL_INT;
  case WH_INT64:
  case WH_UINT32:
    type->kind = WH_INT64;
    return WH_MSSQL_BIGINT;
  case WH_UINT64:
    *type = (wh_type){.kind = WH_DECIMAL, .precision = 20, .unit = WH_UNIT_US};
    return WH_MSSQL_DECIMAL;
  case WH_DECIMAL:
    return WH_MSSQL_DECIMAL;
  case WH_FLOAT32:
    return WH_MSSQL_REAL;
  case WH_FLOAT64:
    return WH_MSSQL_FLOAT;
  case WH_DATE:
    return WH_MSSQL_DATE;
  case WH_TIME:
    if (type->unit != WH_UNIT_NS) type->unit = WH_UNIT_US;
    return WH_MSSQL_TIME;
  case WH_TIMESTAMP:
    if (type->unit != WH_UNIT_NS) type->unit = WH_UNIT_US;
    return type->zoned ? WH_MSSQL_DATETIMEOFFSET : WH_MSSQL_DATETIME2;
  case WH_BINARY:
    return WH_MSSQL_VARBINARY;
  default:
    *type = wh_type_of(WH_STRING);
    return WH_MSSQL_NVARCHAR;
  }
}

void wh_mssql_declared(const wh_type *type, bool in_key, wh_sql_column *c) {
  c->type = *type;
  wh_mssql_native native = native_of(&c->type);
  bool is_fine =
      native == WH_MSSQL_TIME || native == WH_MSSQL_DATETIME2 || native == WH_MSSQL_DATETIMEOFFSET;
  uint32_t digits = is_fine ? (uint32_t)digits_of(type->unit) : 0;
  c->native = native | digits << WH_MSSQL_DIGITS_SHIFT;
  c->folds = native == WH_MSSQL_NVARCHAR;
  bool is_limited = in_key && wh_kind_is_text(c->type.kind);
  c->limit = is_limited ? WH_MSSQL_KEY_CHARACTERS : 0;
}
