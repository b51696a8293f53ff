// The binary protocol's values: "Binary Protocol Resultset Row" in the servers' manuals. Numbers
// are little endian; what has no fixed size has its length in front, itself 1, 3, 4 or 9 bytes.
#include "connect/mysql/decode.h"

#include "data/number.h"
#include "data/temporal.h"

enum { QUOTE_MAX = 60 }; // bytes of a value in a reason

// --- Raw values ----------------------------------------------------------------------------------

static uint64_t little(const uint8_t *at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes; i-- > 0;)
    value = value << 8 | at[i];
  return value;
}

static wh_str body(const uint8_t *at) {
  switch (*at) {
  case 252:
    return wh_str_n((const char *)at + 3, little(at + 1, 2));
  case 253:
    return wh_str_n((const char *)at + 4, little(at + 1, 3));
  case 254:
    return wh_str_n((const char *)at + 9, little(at + 1, 8));
  default:
    return wh_str_n((const char *)at + 1, *at);
  }
}

static int64_t whole_of(const wh_mysql_field *f, const uint8_t *at) {
  switch (f->wire) {
  case WH_MYSQL_WIRE_INT8:
    return f->is_unsigned ? (int64_t)*at : (int8_t)*at;
  case WH_MYSQL_WIRE_INT16:
    return f->is_unsigned ? (int64_t)little(at, 2) : (int16_t)little(at, 2);
  case WH_MYSQL_WIRE_INT32:
    return f->is_unsigned ? (int64_t)little(at, 4) : (int32_t)little(at, 4);
  default:
    return (int64_t)little(at, 8);
  }
}

static double real_of(const wh_mysql_field *f, const uint8_t *at) {
  if (f->wire == WH_MYSQL_WIRE_FLOAT) {
    uint32_t bits = (uint32_t)little(at, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  uint64_t bits = little(at, 8);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint64_t bits_of(const uint8_t *at) {
  wh_str bytes = body(at);
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.len; i++)
    value = value << 8 | (uint8_t)bytes.data[i];
  return value;
}

// What is not sent is zero.
typedef struct day_time {
  uint32_t year, month, day, hour, minute, second, us;
} day_time;

static day_time day_of(const uint8_t *cell) {
  wh_str bytes = body(cell);
  const uint8_t *at = (const uint8_t *)bytes.data;
  day_time d = {0};
  if (bytes.len >= 4) {
    d.year = (uint32_t)little(at, 2);
    d.month = at[2];
    d.day = at[3];
  }
  if (bytes.len >= 7) {
    d.hour = at[4];
    d.minute = at[5];
    d.second = at[6];
  }
  if (bytes.len >= 11) d.us = (uint32_t)little(at + 7, 4);
  return d;
}

typedef struct span {
  bool is_negative;
  uint64_t hours;
  uint32_t minute, second, us;
} span;

static span span_of(const uint8_t *cell) {
  wh_str bytes = body(cell);
  const uint8_t *at = (const uint8_t *)bytes.data;
  span s = {0};
  if (bytes.len >= 8) {
    s.is_negative = at[0] != 0;
    s.hours = little(at + 1, 4) * 24 + at[5];
    s.minute = at[6];
    s.second = at[7];
  }
  if (bytes.len >= 12) s.us = (uint32_t)little(at + 8, 4);
  return s;
}

static void write_day(const wh_mysql_decoder *d, const uint8_t *cell, char *out, size_t cap) {
  day_time v = day_of(cell);
  int n = snprintf(out, cap, "%04u-%02u-%02u", v.year, v.month, v.day);
  if (d->field.type.kind == WH_DATE) return;
  n += snprintf(out + n, cap - (size_t)n, " %02u:%02u:%02u", v.hour, v.minute, v.second);
  if (v.us) snprintf(out + n, cap - (size_t)n, ".%06u", v.us);
}

static void write_span(const uint8_t *cell, char *out, size_t cap) {
  span v = span_of(cell);
  int n = snprintf(out, cap, "%s%02llu:%02u:%02u", v.is_negative ? "-" : "",
                   (unsigned long long)v.hours, v.minute, v.second);
  if (v.us) snprintf(out + n, cap - (size_t)n, ".%06u", v.us);
}

// --- Values that do not fit ----------------------------------------------------------------------

static wh_status misfit(wh_misfit *m, const char *rule) {
  m->rule = rule;
  return WH_ERR_TYPE;
}

// "'838:59:59' is no time of day"
static wh_status not_a(const char *text, const char *what, wh_misfit *m) {
  snprintf(m->reason, sizeof m->reason, "'%s' %s", text, what);
  return misfit(m, "type");
}

// --- Columns of the type that comes --------------------------------------------------------------

static wh_status decode_whole(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                              wh_misfit *m, wh_error *err) {
  int64_t value = whole_of(&d->field, cell);
  if (column->type.kind == WH_UINT64) return wh_column_add_u64(column, (uint64_t)value, err);
  if (column->type.kind != WH_BOOL) return wh_column_add_i64(column, value, err);
  if (value == 0 || value == 1) return wh_column_add_bool(column, value == 1, err);
  snprintf(m->reason, sizeof m->reason,
           "'%lld' is not 0 or 1; with `booleans: off` the column is read as numbers",
           (long long)value);
  return misfit(m, "type");
}

// As many places as the scale; a value beyond 38 digits can only come from a wider column.
static wh_status decode_decimal(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                                wh_misfit *m, wh_error *err) {
  wh_str text = body(cell);
  char quoted[QUOTE_MAX + 8];
  wh_number number;
  __int128 value;
  if (wh_number_parse(text, &number) && !number.overlong &&
      wh_number_to_decimal(&number, column->type.precision, column->type.scale, &value) ==
          WH_FIT_OK)
    return wh_column_add_decimal(column, value, err);
  snprintf(quoted, sizeof quoted, "%.*s%s", (int)(text.len < QUOTE_MAX ? text.len : QUOTE_MAX),
           text.data, text.len < QUOTE_MAX ? "" : "...");
  (void)d;
  return not_a(quoted, "has more digits than the 38 that a decimal keeps", m);
}

// Most decimals have at most 18 digits and all of their column's places.
static bool short_decimal(wh_str text, int scale, int64_t *ret) {
  size_t at = text.len && text.data[0] == '-', digits = text.len - at;
  if (digits == 0 || digits > 19) return false;
  size_t point = scale ? text.len - (size_t)scale - 1 : text.len;
  if (scale && ((size_t)scale + at + 2 > text.len || text.data[point] != '.')) return false;
  if (digits - (scale > 0) > 18) return false;
  int64_t value = 0;
  for (size_t i = at; i < text.len; i++) {
    unsigned digit = (unsigned char)text.data[i] - '0';
    if (i == point) continue;
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  *ret = text.data[0] == '-' ? -value : value;
  return true;
}

static bool is_calendar_day(const day_time *v) {
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (v->year < 1 || v->month < 1 || v->month > 12 || v->day < 1) return false;
  bool is_leap = v->year % 4 == 0 && (v->year % 100 != 0 || v->year % 400 == 0);
  return v->day <= days[v->month - 1] + (uint32_t)(v->month == 2 && is_leap);
}

static wh_status decode_day(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                            wh_misfit *m, wh_error *err) {
  day_time v = day_of(cell);
  if (!is_calendar_day(&v)) {
    char text[QUOTE_MAX];
    bool is_zero = v.year == 0 && v.month == 0 && v.day == 0;
    if (is_zero && d->zero_is_null && d->nullable) return wh_column_add_null(column, err);
    write_day(d, cell, text, sizeof text);
    return not_a(text,
                 is_zero ? "is no date; with `zero_dates: \"null\"` it is read as missing"
                         : "is no date",
                 m);
  }
  int64_t days = wh_days_from_civil((int32_t)v.year, (int32_t)v.month, (int32_t)v.day);
  if (column->type.kind == WH_DATE) return wh_column_add_i64(column, days, err);
  int64_t seconds = days * 86400 + v.hour * 3600 + v.minute * 60 + v.second;
  return wh_column_add_i64(column, seconds * 1000000 + v.us, err);
}

static wh_status decode_time(const uint8_t *cell, wh_column *column, wh_misfit *m, wh_error *err) {
  span v = span_of(cell);
  if (!v.is_negative && v.hours < 24) {
    int64_t seconds = (int64_t)v.hours * 3600 + v.minute * 60 + v.second;
    return wh_column_add_i64(column, seconds * 1000000 + v.us, err);
  }
  char text[QUOTE_MAX];
  write_span(cell, text, sizeof text);
  return not_a(text, "is no time of day", m);
}

static wh_status decode_bits(const uint8_t *cell, wh_column *column, wh_error *err) {
  uint64_t value = bits_of(cell);
  if (column->type.kind == WH_BOOL) return wh_column_add_bool(column, value != 0, err);
  return wh_column_add_u64(column, value, err);
}

static wh_str bytes_of(const wh_mysql_decoder *d, const uint8_t *cell) {
  wh_str bytes = body(cell);
  return d->field.wire == WH_MYSQL_WIRE_GEOMETRY ? wh_str_sub(bytes, 4, bytes.len) : bytes;
}

static wh_status decode_bytes(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                              wh_misfit *m, wh_error *err) {
  wh_str bytes = bytes_of(d, cell);
  if (column->type.kind == WH_BINARY) return wh_column_add_text(column, bytes, err);
  size_t valid = wh_utf8_valid_prefix(bytes);
  if (valid == bytes.len) return wh_column_add_text(column, bytes, err);
  snprintf(m->reason, sizeof m->reason, "is not UTF-8 at byte %zu", valid);
  return misfit(m, "utf8");
}

static wh_status decode_same(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                             wh_misfit *m, wh_error *err) {
  int64_t digits;
  switch (d->field.wire) {
  case WH_MYSQL_WIRE_INT8:
  case WH_MYSQL_WIRE_INT16:
  case WH_MYSQL_WIRE_INT32:
  case WH_MYSQL_WIRE_INT64:
    return decode_whole(d, cell, column, m, err);
  case WH_MYSQL_WIRE_FLOAT:
  case WH_MYSQL_WIRE_DOUBLE:
    return wh_column_add_f64(column, real_of(&d->field, cell), err);
  case WH_MYSQL_WIRE_DECIMAL:
    if (short_decimal(body(cell), column->type.scale, &digits))
      return wh_column_add_decimal(column, digits, err);
    return decode_decimal(d, cell, column, m, err);
  case WH_MYSQL_WIRE_DAY:
    return decode_day(d, cell, column, m, err);
  case WH_MYSQL_WIRE_TIME:
    return decode_time(cell, column, m, err);
  case WH_MYSQL_WIRE_BIT:
    return decode_bits(cell, column, err);
  case WH_MYSQL_WIRE_BYTES:
  case WH_MYSQL_WIRE_GEOMETRY:
    return decode_bytes(d, cell, column, m, err);
  case WH_MYSQL_WIRE_NONE:
    break;
  }
  return wh_column_add_null(column, err);
}

// --- Columns of another type ---------------------------------------------------------------------

// The table was altered since it was described: by way of the text that both types share.
static wh_status decode_other(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                              wh_misfit *m, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&arena, d->mem);
  wh_buf_init(&text, d->mem, 0);
  wh_column found;
  wh_column_init(&found, d->mem, &d->field.type);
  wh_status status = decode_same(d, cell, &found, m, err);
  bool is_null = status == WH_OK && wh_column_is_null(&found, 0);
  if (status == WH_OK && !is_null) {
    wh_column_write(&found, 0, &text);
    status = wh_buf_check(&text, err);
  }
  wh_column_free(&found);
  if (status != WH_OK) return status;
  if (is_null) return wh_column_add_null(column, err);
  wh_value value;
  wh_error reason = {0};
  status = wh_value_parse(wh_buf_str(&text), &d->type, &arena, &value, &reason);
  if (status == WH_OK) return wh_value_add(column, &value, err);
  if (status != WH_ERR_TYPE) return wh_fail(err, status, "%s", reason.text);
  size_t cut = wh_utf8_cut(wh_str_of(reason.text), sizeof m->reason - 1);
  memcpy(m->reason, reason.text, cut);
  m->reason[cut] = 0;
  return misfit(m, "type");
}

wh_mysql_decoder wh_mysql_decoder_of(const MYSQL_FIELD *field, const wh_field *into,
                                     const wh_mysql_options *options, wh_mem *mem) {
  wh_mysql_decoder d = {
      .name = into->name,
      .type = into->type,
      .field = wh_mysql_field_of(field, options),
      .nullable = into->nullable,
      .zero_is_null = options->zero_dates == WH_MYSQL_ZERO_NULL,
      .mem = mem,
  };
  // Bytes come alike for text and binary, and what has a form of its own (a UUID) says neither.
  if (d.field.wire == WH_MYSQL_WIRE_BYTES && wh_kind_is_text(d.type.kind)) d.field.type = d.type;
  d.is_same = wh_type_eq(&d.field.type, &d.type);
  return d;
}

wh_status wh_mysql_decode(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                          wh_misfit *m, wh_error *err) {
  if (!cell) {
    if (d->nullable) return wh_column_add_null(column, err);
    snprintf(m->reason, sizeof m->reason, "missing");
    return misfit(m, "not_null");
  }
  return d->is_same ? decode_same(d, cell, column, m, err) : decode_other(d, cell, column, m, err);
}

// --- For quarantine ------------------------------------------------------------------------------

static size_t raw_left(const wh_buf *out) {
  return out->len < WH_MYSQL_RAW_MAX ? WH_MYSQL_RAW_MAX - out->len : 0;
}

static void add_bytes(wh_buf *out, const wh_mysql_decoder *d, const uint8_t *cell) {
  wh_str bytes = bytes_of(d, cell);
  size_t left = raw_left(out);
  if (d->field.type.kind == WH_STRING) {
    wh_buf_add_json(out, wh_str_sub(bytes, 0, wh_utf8_cut(bytes, left)));
    return;
  }
  wh_buf_add_c(out, "\"x'");
  wh_buf_add_hex(out, bytes.data, bytes.len < left / 2 ? bytes.len : left / 2);
  wh_buf_add_c(out, "'\"");
}

static void add_json(wh_buf *out, const wh_mysql_decoder *d, const uint8_t *cell) {
  char text[QUOTE_MAX];
  switch (cell ? d->field.wire : WH_MYSQL_WIRE_NONE) {
  case WH_MYSQL_WIRE_NONE:
    wh_buf_add_c(out, "null");
    return;
  case WH_MYSQL_WIRE_INT64:
    if (d->field.is_unsigned) {
      wh_buf_add_u64(out, little(cell, 8));
      return;
    }
    [[fallthrough]];
  case WH_MYSQL_WIRE_INT8:
  case WH_MYSQL_WIRE_INT16:
  case WH_MYSQL_WIRE_INT32:
    wh_buf_add_i64(out, whole_of(&d->field, cell));
    return;
  case WH_MYSQL_WIRE_FLOAT:
  case WH_MYSQL_WIRE_DOUBLE:
    wh_f64_write(real_of(&d->field, cell), out);
    return;
  case WH_MYSQL_WIRE_DECIMAL:
    wh_buf_add_json(out, body(cell));
    return;
  case WH_MYSQL_WIRE_DAY:
    write_day(d, cell, text, sizeof text);
    wh_buf_printf(out, "\"%s\"", text);
    return;
  case WH_MYSQL_WIRE_TIME:
    write_span(cell, text, sizeof text);
    wh_buf_printf(out, "\"%s\"", text);
    return;
  case WH_MYSQL_WIRE_BIT:
    wh_buf_add_u64(out, bits_of(cell));
    return;
  case WH_MYSQL_WIRE_BYTES:
  case WH_MYSQL_WIRE_GEOMETRY:
    add_bytes(out, d, cell);
    return;
  }
}

wh_status wh_mysql_row_json(const MYSQL_STMT *stmt, const wh_mysql_decoder *decoders, size_t count,
                            wh_buf *out, wh_error *err) {
  wh_buf_clear(out);
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < count && raw_left(out); i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, decoders[i].name);
    wh_buf_add_char(out, ':');
    add_json(out, &decoders[i], wh_mysql_cell(stmt, i));
  }
  wh_buf_add_char(out, '}');
  return wh_buf_check(out, err);
}
