#include "connect/sqlite/decode.h"

#include "data/number.h"

#include <math.h>

enum {
  QUOTE_MAX = 60, // bytes of a value in a reason
  NUMBER_TEXT_MAX = 400,
};

#define TWO_63 9223372036854775808.0

static wh_status misfit(wh_misfit *m, const char *rule) {
  m->rule = rule;
  return WH_ERR_TYPE;
}

// A number or text as the reason quotes it; control characters would make the log unreadable.
static void quote(sqlite3_value *value, char *out, size_t cap) {
  wh_str text = wh_sqlite_value_text(value);
  size_t valid = wh_utf8_valid_prefix(text);
  if (valid < text.len) text.len = valid;
  size_t len = wh_utf8_cut(text, QUOTE_MAX);
  int n = snprintf(out, cap, "%.*s%s", (int)len, text.data, len < text.len ? "..." : "");
  for (int i = 0; i < n && (size_t)i < cap; i++)
    if ((unsigned char)out[i] < ' ') out[i] = ' ';
}

// "'abc' is not a whole number"
static wh_status not_a(sqlite3_value *value, const char *what, wh_misfit *m) {
  int storage = sqlite3_value_type(value);
  char text[QUOTE_MAX + 8];
  if (storage == SQLITE_BLOB) {
    snprintf(m->reason, sizeof m->reason, "a blob is not %s", what);
    return misfit(m, "type");
  }
  quote(value, text, sizeof text);
  snprintf(m->reason, sizeof m->reason, "'%s' is not %s", text, what);
  return misfit(m, "type");
}

static const char *what_is(const wh_type *type) {
  switch (type->kind) {
  case WH_BOOL:
    return "0 or 1";
  case WH_FLOAT32:
  case WH_FLOAT64:
    return "a number";
  case WH_DECIMAL:
    return "a decimal number";
  case WH_DATE:
    return "a date";
  case WH_TIME:
    return "a time of day";
  case WH_TIMESTAMP:
    return "a date and time";
  case WH_STRING:
    return "text";
  case WH_BINARY:
    return "binary";
  default:
    return "a whole number";
  }
}

// Text of a value that is text; false without memory.
static bool text_of(sqlite3_value *value, wh_str *ret) {
  const char *text = (const char *)sqlite3_value_text(value);
  if (!text) return false;
  *ret = (wh_str){text, (size_t)sqlite3_value_bytes(value)};
  return true;
}

// The strict parser of the data layer, for what is stored as text in a column of another type.
static wh_status parse_text(wh_sqlite_decoder *d, wh_str text, wh_column *column, wh_misfit *m,
                            wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, d->mem);
  wh_value parsed;
  wh_error reason = {0};
  wh_status status = wh_value_parse(text, &d->type, &arena, &parsed, &reason);
  if (status == WH_OK) return wh_value_add(column, &parsed, err);
  if (status != WH_ERR_TYPE) return wh_fail(err, status, "%s", reason.text);
  size_t cut = wh_utf8_cut(wh_str_of(reason.text), sizeof m->reason - 1);
  memcpy(m->reason, reason.text, cut);
  m->reason[cut] = 0;
  return misfit(m, "type");
}

static wh_status parse_stored_text(wh_sqlite_decoder *d, sqlite3_value *value, wh_column *column,
                                   wh_misfit *m, wh_error *err) {
  wh_str text;
  if (!text_of(value, &text)) return wh_fail_memory(err);
  if (!wh_utf8_valid(text)) return not_a(value, what_is(&d->type), m);
  return parse_text(d, text, column, m, err);
}

static wh_status decode_int(wh_sqlite_decoder *d, sqlite3_value *value, int storage,
                            wh_column *column, wh_misfit *m, wh_error *err) {
  int64_t v;
  if (storage == SQLITE_INTEGER) {
    v = sqlite3_value_int64(value);
  } else if (storage == SQLITE_FLOAT) {
    double real = sqlite3_value_double(value);
    if (!(real >= -TWO_63 && real < TWO_63) || real != floor(real))
      return not_a(value, what_is(&d->type), m);
    v = (int64_t)real;
  } else if (storage == SQLITE_TEXT) {
    return parse_stored_text(d, value, column, m, err);
  } else {
    return not_a(value, what_is(&d->type), m);
  }
  if (!wh_int_fits(d->type.kind, v)) {
    snprintf(m->reason, sizeof m->reason, "%lld is out of range", (long long)v);
    return misfit(m, "type");
  }
  if (d->type.kind == WH_UINT64) return wh_column_add_u64(column, (uint64_t)v, err);
  return wh_column_add_i64(column, v, err);
}

static wh_status decode_bool(wh_sqlite_decoder *d, sqlite3_value *value, int storage,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  int64_t v = storage == SQLITE_INTEGER ? sqlite3_value_int64(value) : -1;
  if (v != 0 && v != 1) return not_a(value, what_is(&d->type), m);
  return wh_column_add_bool(column, v == 1, err);
}

static wh_status decode_float(wh_sqlite_decoder *d, sqlite3_value *value, int storage,
                              wh_column *column, wh_misfit *m, wh_error *err) {
  double real;
  if (storage == SQLITE_FLOAT) {
    real = sqlite3_value_double(value);
  } else if (storage == SQLITE_INTEGER) {
    int64_t v = sqlite3_value_int64(value);
    real = (double)v;
    if (real >= TWO_63 || (int64_t)real != v) {
      snprintf(m->reason, sizeof m->reason, "%lld is not exact as a float", (long long)v);
      return misfit(m, "type");
    }
  } else if (storage == SQLITE_TEXT) {
    return parse_stored_text(d, value, column, m, err);
  } else {
    return not_a(value, what_is(&d->type), m);
  }
  if (d->type.kind == WH_FLOAT32 && isfinite(real) && (double)(float)real != real) {
    snprintf(m->reason, sizeof m->reason, "%.17g is not exact as a 32-bit float", real);
    return misfit(m, "type");
  }
  return wh_column_add_f64(column, real, err);
}

// Powers of ten that a double holds exactly.
static const double exact_power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// A decimal of at most 15 digits is the only one of that length that its double stands for, so
// when r / 10^scale gives the double back, r is what the shortest text says. Most values end here.
static bool short_decimal(double real, const wh_type *type, __int128 *ret) {
  if (type->scale > 15) return false;
  double scaled = nearbyint(real * exact_power[type->scale]);
  if (!(fabs(scaled) < 1e15) || scaled / exact_power[type->scale] != real) return false;
  if (type->precision < 15 && fabs(scaled) >= exact_power[type->precision]) return false;
  *ret = (__int128)scaled;
  return true;
}

static wh_status decode_decimal(wh_sqlite_decoder *d, sqlite3_value *value, int storage,
                                wh_column *column, wh_misfit *m, wh_error *err) {
  if (storage == SQLITE_TEXT) return parse_stored_text(d, value, column, m, err);
  if (storage == SQLITE_BLOB) return not_a(value, what_is(&d->type), m);
  __int128 unscaled;
  if (storage == SQLITE_FLOAT && short_decimal(sqlite3_value_double(value), &d->type, &unscaled))
    return wh_column_add_decimal(column, unscaled, err);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, d->mem, NUMBER_TEXT_MAX);
  if (storage == SQLITE_FLOAT)
    wh_f64_write(sqlite3_value_double(value), &text);
  else
    wh_buf_add_i64(&text, sqlite3_value_int64(value));
  WH_TRY(wh_buf_check(&text, err));
  return parse_text(d, wh_buf_str(&text), column, m, err);
}

// What an instant lacks or has too much of for the type; NULL when nothing.
static const char *instant_trouble(const wh_type *type, const wh_sqlite_instant *at) {
  if (type->kind == WH_TIME) {
    return at->has_date ? "has a date" : at->has_zone ? "has a zone" : NULL;
  }
  if (!at->has_date) return "has no date";
  if (type->kind == WH_DATE) return at->has_time ? "has a time" : NULL;
  if (type->zoned && !at->has_zone) return "has no zone";
  if (!type->zoned && at->has_zone) return "has a zone, the column's other values have none";
  return NULL;
}

static wh_status decode_instant(wh_sqlite_decoder *d, sqlite3_value *value, int storage,
                                wh_column *column, wh_misfit *m, wh_error *err) {
  if (storage != SQLITE_TEXT) return not_a(value, what_is(&d->type), m);
  wh_str text;
  if (!text_of(value, &text)) return wh_fail_memory(err);
  wh_sqlite_instant at;
  if (!wh_sqlite_instant_parse(text, &d->day, &at)) return not_a(value, what_is(&d->type), m);
  const char *trouble = instant_trouble(&d->type, &at);
  int64_t v;
  if (!trouble && d->type.kind == WH_DATE) {
    v = at.seconds / 86400 - (at.seconds % 86400 < 0);
  } else if (!trouble && !wh_sqlite_instant_to(&at, d->type.unit, &v)) {
    trouble = "is finer, or further away, than the column's type can say";
  }
  if (!trouble) return wh_column_add_i64(column, v, err);
  char quoted[QUOTE_MAX + 8];
  quote(value, quoted, sizeof quoted);
  snprintf(m->reason, sizeof m->reason, "'%s' %s", quoted, trouble);
  return misfit(m, "type");
}

// In a column of text, numbers become their canonical text; blobs are nothing that text could be.
static wh_status decode_text(wh_sqlite_decoder *d, sqlite3_value *value, int storage,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  if (storage == SQLITE_TEXT) {
    wh_str text;
    if (!text_of(value, &text)) return wh_fail_memory(err);
    size_t valid = wh_utf8_valid_prefix(text);
    if (valid == text.len) return wh_column_add_text(column, text, err);
    snprintf(m->reason, sizeof m->reason, "is not UTF-8 at byte %zu", valid);
    return misfit(m, "utf8");
  }
  if (storage == SQLITE_BLOB) return not_a(value, what_is(&d->type), m);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, d->mem, NUMBER_TEXT_MAX);
  if (storage == SQLITE_INTEGER)
    wh_buf_add_i64(&text, sqlite3_value_int64(value));
  else
    wh_f64_write(sqlite3_value_double(value), &text);
  WH_TRY(wh_buf_check(&text, err));
  return wh_column_add_text(column, wh_buf_str(&text), err);
}

static wh_status decode_binary(wh_sqlite_decoder *d, sqlite3_value *value, int storage,
                               wh_column *column, wh_misfit *m, wh_error *err) {
  if (storage != SQLITE_BLOB && storage != SQLITE_TEXT) return not_a(value, what_is(&d->type), m);
  const char *bytes = sqlite3_value_blob(value);
  size_t len = (size_t)sqlite3_value_bytes(value);
  if (!bytes && len) return wh_fail_memory(err);
  return wh_column_add_text(column, (wh_str){bytes ? bytes : "", len}, err);
}

wh_status wh_sqlite_decode(wh_sqlite_decoder *d, sqlite3_value *value, wh_column *column,
                           wh_misfit *m, wh_error *err) {
  int storage = sqlite3_value_type(value);
  if (storage == SQLITE_NULL) {
    if (d->nullable) return wh_column_add_null(column, err);
    snprintf(m->reason, sizeof m->reason, "missing");
    return misfit(m, "not_null");
  }
  switch (d->type.kind) {
  case WH_INT64:
    if (storage == SQLITE_INTEGER)
      return wh_column_add_i64(column, sqlite3_value_int64(value), err);
    return decode_int(d, value, storage, column, m, err);
  case WH_BOOL:
    return decode_bool(d, value, storage, column, m, err);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return decode_float(d, value, storage, column, m, err);
  case WH_DECIMAL:
    return decode_decimal(d, value, storage, column, m, err);
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return decode_instant(d, value, storage, column, m, err);
  case WH_STRING:
    return decode_text(d, value, storage, column, m, err);
  case WH_BINARY:
    return decode_binary(d, value, storage, column, m, err);
  case WH_NULL:
  case WH_LIST:
  case WH_STRUCT:
    return not_a(value, "what the column holds", m);
  default:
    return decode_int(d, value, storage, column, m, err);
  }
}

// Bytes that the row may still take in quarantine.
static size_t raw_left(const wh_buf *out) {
  return out->len < WH_SQLITE_RAW_MAX ? WH_SQLITE_RAW_MAX - out->len : 0;
}

static void add_json_real(wh_buf *out, double real) {
  bool quoted = !isfinite(real);
  if (quoted) wh_buf_add_char(out, '"');
  wh_f64_write(real, out);
  if (quoted) wh_buf_add_char(out, '"');
}

static void add_json(wh_buf *out, sqlite3_value *value) {
  wh_str text;
  size_t left = raw_left(out), len;
  switch (sqlite3_value_type(value)) {
  case SQLITE_NULL:
    wh_buf_add_c(out, "null");
    return;
  case SQLITE_INTEGER:
    wh_buf_add_i64(out, sqlite3_value_int64(value));
    return;
  case SQLITE_FLOAT:
    add_json_real(out, sqlite3_value_double(value));
    return;
  case SQLITE_TEXT:
    text = wh_sqlite_value_text(value);
    wh_buf_add_json(out, wh_str_sub(text, 0, wh_utf8_cut(text, left)));
    return;
  default:
    len = (size_t)sqlite3_value_bytes(value);
    wh_buf_add_c(out, "\"x'");
    wh_buf_add_hex(out, sqlite3_value_blob(value), len < left / 2 ? len : left / 2);
    wh_buf_add_c(out, "'\"");
  }
}

wh_status wh_sqlite_row_json(sqlite3_stmt *stmt, const wh_sqlite_decoder *decoders, size_t count,
                             wh_buf *out, wh_error *err) {
  wh_buf_clear(out);
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < count && raw_left(out); i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, decoders[i].name);
    wh_buf_add_char(out, ':');
    add_json(out, sqlite3_column_value(stmt, (int)i));
  }
  wh_buf_add_char(out, '}');
  return wh_buf_check(out, err);
}
