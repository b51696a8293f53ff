#include "connect/sqlite/types.h"

enum {
  DECLARED_MAX = 63,       // bytes of a declaration that we look at
  DECIMAL_REAL_DIGITS = 15 // digits that survive text -> REAL -> text
};

static char upper(char c) {
  return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static bool contains(wh_str declared, const char *part) {
  size_t len = strlen(part);
  for (size_t i = 0; i + len <= declared.len; i++)
    if (wh_str_eq_nocase(wh_str_n(declared.data + i, len), wh_str_n(part, len))) return true;
  return false;
}

// The rules and their order: https://sqlite.org/datatype3.html, section 3.1.
wh_sqlite_affinity wh_sqlite_affinity_of(wh_str declared) {
  if (contains(declared, "INT")) return WH_SQLITE_AFF_INTEGER;
  if (contains(declared, "CHAR") || contains(declared, "CLOB") || contains(declared, "TEXT"))
    return WH_SQLITE_AFF_TEXT;
  if (declared.len == 0 || contains(declared, "BLOB")) return WH_SQLITE_AFF_NONE;
  if (contains(declared, "REAL") || contains(declared, "FLOA") || contains(declared, "DOUB"))
    return WH_SQLITE_AFF_REAL;
  return WH_SQLITE_AFF_NUMERIC;
}

// A declaration in pieces: words in upper case with one space between, and the numbers in
// parentheses.
typedef struct pieces {
  char words[DECLARED_MAX + 1];
  int args[2];
  int arg_count;
} pieces;

static bool parse_args(wh_str text, pieces *p) {
  wh_str piece;
  while (wh_str_split(&text, ',', &piece)) {
    int64_t n;
    if (p->arg_count == 2 || !wh_str_to_i64(wh_str_trim(piece), &n) || n < 0 || n > 1000000)
      return false;
    p->args[p->arg_count++] = (int)n;
  }
  return true;
}

static bool split_declared(wh_str declared, pieces *p) {
  *p = (pieces){0};
  size_t n = 0;
  for (size_t i = 0; i < declared.len; i++) {
    char c = declared.data[i];
    if (c == '(') {
      size_t end = wh_str_find(declared, i, ')');
      if (!parse_args(wh_str_sub(declared, i + 1, end), p)) return false;
      i = end;
      c = ' ';
    }
    bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (is_space && (n == 0 || p->words[n - 1] == ' ')) continue;
    if (n == DECLARED_MAX) return false;
    p->words[n++] = is_space ? ' ' : upper(c);
  }
  if (n && p->words[n - 1] == ' ') n--;
  p->words[n] = 0;
  return true;
}

typedef struct known {
  const char *words;
  wh_sqlite_class is;
  wh_kind exact; // where it is narrower than the class says
} known;

static const known names[] = {
    {"BOOLEAN", WH_SQLITE_BOOL, WH_BOOL},
    {"BOOL", WH_SQLITE_BOOL, WH_BOOL},
    {"TINYINT", WH_SQLITE_INT, WH_INT8},
    {"SMALLINT", WH_SQLITE_INT, WH_INT16},
    {"INT", WH_SQLITE_INT, WH_INT32},
    {"INTEGER", WH_SQLITE_INT, WH_INT64},
    {"BIGINT", WH_SQLITE_INT, WH_INT64},
    {"MEDIUMINT", WH_SQLITE_INT, WH_INT32},
    {"INT2", WH_SQLITE_INT, WH_INT64},
    {"INT4", WH_SQLITE_INT, WH_INT64},
    {"INT8", WH_SQLITE_INT, WH_INT64},
    {"BIG INT", WH_SQLITE_INT, WH_INT64},
    {"TINYINT UNSIGNED", WH_SQLITE_INT, WH_UINT8},
    {"SMALLINT UNSIGNED", WH_SQLITE_INT, WH_UINT16},
    {"INT UNSIGNED", WH_SQLITE_INT, WH_UINT32},
    {"INTEGER UNSIGNED", WH_SQLITE_INT, WH_INT64},
    {"BIGINT UNSIGNED", WH_SQLITE_INT, WH_INT64},
    {"UNSIGNED BIG INT", WH_SQLITE_INT, WH_INT64},
    {"UNSIGNED INTEGER", WH_SQLITE_INT, WH_INT64},
    {"UNSIGNED TEXT", WH_SQLITE_TEXT, WH_UINT64},
    {"REAL", WH_SQLITE_FLOAT, WH_FLOAT64},
    {"FLOAT", WH_SQLITE_FLOAT, WH_FLOAT64},
    {"FLOAT32", WH_SQLITE_FLOAT, WH_FLOAT32},
    {"FLOAT64", WH_SQLITE_FLOAT, WH_FLOAT64},
    {"DOUBLE", WH_SQLITE_FLOAT, WH_FLOAT64},
    {"DOUBLE PRECISION", WH_SQLITE_FLOAT, WH_FLOAT64},
    {"DECIMAL", WH_SQLITE_DECIMAL, WH_DECIMAL},
    {"DECIMAL TEXT", WH_SQLITE_DECIMAL, WH_DECIMAL},
    {"NUMERIC", WH_SQLITE_DECIMAL, WH_DECIMAL},
    {"NUMBER", WH_SQLITE_DECIMAL, WH_DECIMAL},
    {"DEC", WH_SQLITE_DECIMAL, WH_DECIMAL},
    {"MONEY", WH_SQLITE_DECIMAL, WH_DECIMAL},
    {"JSON", WH_SQLITE_TEXT, WH_STRING},
    {"STRING", WH_SQLITE_TEXT, WH_STRING},
    {"UUID", WH_SQLITE_TEXT, WH_STRING},
    {"GUID", WH_SQLITE_TEXT, WH_STRING},
    {"UNIQUEIDENTIFIER", WH_SQLITE_TEXT, WH_STRING},
    {"BLOB", WH_SQLITE_BLOB, WH_BINARY},
    {"BINARY", WH_SQLITE_BLOB, WH_BINARY},
    {"VARBINARY", WH_SQLITE_BLOB, WH_BINARY},
    {"DATE", WH_SQLITE_DATE, WH_DATE},
    {"TIME", WH_SQLITE_TIME, WH_TIME},
    {"DATETIME", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
    {"DATETIME2", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
    {"SMALLDATETIME", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
    {"DATETIMEOFFSET", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
    {"TIMESTAMP", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
    {"TIMESTAMPTZ", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
    {"TIMESTAMP WITH TIME ZONE", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
    {"TIMESTAMP WITHOUT TIME ZONE", WH_SQLITE_TIMESTAMP, WH_TIMESTAMP},
};

static wh_type type_of_class(wh_sqlite_class is) {
  static const wh_kind kinds[] = {
      [WH_SQLITE_UNKNOWN] = WH_NULL,       [WH_SQLITE_INT] = WH_INT64,
      [WH_SQLITE_BOOL] = WH_BOOL,          [WH_SQLITE_FLOAT] = WH_FLOAT64,
      [WH_SQLITE_NUMBER] = WH_FLOAT64,     [WH_SQLITE_DECIMAL] = WH_DECIMAL,
      [WH_SQLITE_TEXT] = WH_STRING,        [WH_SQLITE_BLOB] = WH_BINARY,
      [WH_SQLITE_DATE] = WH_DATE,          [WH_SQLITE_TIME] = WH_TIME,
      [WH_SQLITE_TIMESTAMP] = WH_TIMESTAMP};
  return wh_type_of(kinds[is]);
}

static wh_unit unit_of_digits(const pieces *p) {
  if (p->arg_count == 0) return WH_UNIT_US;
  return p->args[0] == 0   ? WH_UNIT_S
         : p->args[0] == 3 ? WH_UNIT_MS
         : p->args[0] == 9 ? WH_UNIT_NS
                           : WH_UNIT_US;
}

static void refine_decimal(const pieces *p, wh_sqlite_decl *decl) {
  int scale = p->arg_count == 2 ? p->args[1] : 0;
  if (p->arg_count == 0 || p->args[0] < 1 || p->args[0] > WH_DECIMAL_DIGITS_MAX ||
      scale > p->args[0]) {
    decl->is = WH_SQLITE_NUMBER;
    decl->type = decl->exact = type_of_class(WH_SQLITE_NUMBER);
    return;
  }
  decl->type.precision = (uint8_t)p->args[0];
  decl->type.scale = (uint8_t)scale;
  decl->exact = decl->type;
}

wh_sqlite_decl wh_sqlite_decl_parse(wh_str declared) {
  pieces p;
  wh_sqlite_decl decl = {.is = WH_SQLITE_UNKNOWN};
  if (!split_declared(declared, &p)) p.words[0] = 0;
  wh_kind exact = WH_NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i].words, p.words) != 0) continue;
    decl.is = names[i].is;
    exact = names[i].exact;
  }
  if (decl.is == WH_SQLITE_UNKNOWN && wh_sqlite_affinity_of(declared) == WH_SQLITE_AFF_TEXT) {
    decl.is = WH_SQLITE_TEXT;
    exact = WH_STRING;
  }
  decl.type = decl.exact = type_of_class(decl.is);
  if (exact != WH_NULL) decl.exact.kind = exact;
  if (decl.is == WH_SQLITE_DECIMAL) refine_decimal(&p, &decl);
  if (decl.is == WH_SQLITE_TIME || decl.is == WH_SQLITE_TIMESTAMP)
    decl.exact.unit = unit_of_digits(&p);
  if (strcmp(p.words, "TIMESTAMPTZ") == 0 || strcmp(p.words, "TIMESTAMP WITH TIME ZONE") == 0 ||
      strcmp(p.words, "DATETIMEOFFSET") == 0)
    decl.type.zoned = decl.exact.zoned = true;
  return decl;
}

static bool write_with_unit(const char *word, wh_unit unit, wh_buf *out) {
  static const char *const digits[] = {
      [WH_UNIT_S] = "(0)", [WH_UNIT_MS] = "(3)", [WH_UNIT_US] = "", [WH_UNIT_NS] = "(9)"};
  wh_buf_add_c(out, word);
  return wh_buf_add_c(out, digits[unit]);
}

bool wh_sqlite_decl_write(const wh_type *type, wh_buf *out) {
  static const char *const words[] = {
      [WH_NULL] = "",
      [WH_BOOL] = "BOOLEAN",
      [WH_INT8] = "TINYINT",
      [WH_INT16] = "SMALLINT",
      [WH_INT32] = "INT",
      [WH_INT64] = "INTEGER",
      [WH_UINT8] = "TINYINT UNSIGNED",
      [WH_UINT16] = "SMALLINT UNSIGNED",
      [WH_UINT32] = "INT UNSIGNED",
      [WH_UINT64] = "UNSIGNED TEXT",
      [WH_FLOAT32] = "FLOAT32",
      [WH_FLOAT64] = "REAL",
      [WH_DATE] = "DATE",
      [WH_STRING] = "TEXT",
      [WH_BINARY] = "BLOB",
      [WH_LIST] = "JSON",
      [WH_STRUCT] = "JSON",
  };
  switch (type->kind) {
  case WH_DECIMAL:
    return wh_buf_printf(out, "%s(%d,%d)",
                         type->precision <= DECIMAL_REAL_DIGITS ? "DECIMAL" : "DECIMAL TEXT",
                         type->precision, type->scale);
  case WH_TIME:
    return write_with_unit("TIME", type->unit, out);
  case WH_TIMESTAMP:
    return write_with_unit(type->zoned ? "TIMESTAMPTZ" : "TIMESTAMP", type->unit, out);
  default:
    return wh_buf_add_c(out, words[type->kind]);
  }
}
