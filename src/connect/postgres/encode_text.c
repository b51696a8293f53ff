// COPY's text format, for tables with columns whose binary form only the server knows: every value
// is what a person would write.
#include "connect/postgres/encode.h"
#include "data/temporal.h"
#include "data/value.h"

static bool add_escaped(wh_buf *out, wh_str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    switch (c) {
    case '\\':
      wh_buf_add_c(out, "\\\\");
      break;
    case '\n':
      wh_buf_add_c(out, "\\n");
      break;
    case '\r':
      wh_buf_add_c(out, "\\r");
      break;
    case '\t':
      wh_buf_add_c(out, "\\t");
      break;
    default:
      wh_buf_add_char(out, c);
    }
  }
  return !out->failed;
}

// As many digits as a year takes: ISO 8601's sign in front of long ones is not PostgreSQL's.
static bool add_date(wh_buf *out, int64_t days) {
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  return wh_buf_printf(out, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
}

static bool add_timestamp(wh_buf *out, const wh_column *c, size_t row) {
  int64_t value = wh_column_i64(c, row), day = 86400 * wh_unit_per_second(c->type.unit);
  int64_t days = value / day - (value % day < 0);
  add_date(out, days);
  wh_buf_add_char(out, ' ');
  wh_iso_write_time(value - days * day, c->type.unit, out);
  return c->type.zoned ? wh_buf_add_char(out, 'Z') : !out->failed;
}

static bool add_value(const wh_column *c, size_t row, wh_buf *out);

// {"a","b",NULL}
static bool add_list(const wh_column *c, size_t row, wh_buf *out) {
  const wh_column *items = &c->children[0];
  WH_CLEAN_BUF wh_buf item;
  wh_buf_init(&item, out->mem, 0);
  wh_buf_add_char(out, '{');
  for (int32_t i = c->offsets[row]; i < c->offsets[row + 1]; i++) {
    if (i > c->offsets[row]) wh_buf_add_char(out, ',');
    if (wh_column_is_null(items, (size_t)i)) {
      wh_buf_add_c(out, "NULL");
      continue;
    }
    wh_buf_clear(&item);
    if (!add_value(items, (size_t)i, &item)) return false;
    wh_buf_add_char(out, '"');
    for (size_t k = 0; k < item.len; k++) {
      if (item.data[k] == '"' || item.data[k] == '\\') wh_buf_add_char(out, '\\');
      wh_buf_add_char(out, item.data[k]);
    }
    wh_buf_add_char(out, '"');
  }
  return wh_buf_add_char(out, '}');
}

static bool add_value(const wh_column *c, size_t row, wh_buf *out) {
  wh_str bytes;
  switch (c->type.kind) {
  case WH_DATE:
    return add_date(out, wh_column_i64(c, row));
  case WH_TIMESTAMP:
    return add_timestamp(out, c, row);
  case WH_BINARY:
    bytes = wh_column_text(c, row);
    wh_buf_add_c(out, "\\x");
    return wh_buf_add_hex(out, bytes.data, bytes.len);
  default:
    return wh_column_write(c, row, out);
  }
}

bool wh_pg_encode_text(const wh_column *column, uint32_t native, size_t row, wh_buf *scratch,
                       wh_buf *out) {
  if (wh_column_is_null(column, row)) return wh_buf_add_c(out, "\\N");
  wh_str bytes = {0};
  if (wh_kind_is_text(column->type.kind)) bytes = wh_column_text(column, row);
  if (column->type.kind == WH_STRING) return add_escaped(out, bytes);
  if (native == WH_PG_OID_GEOMETRY) return wh_buf_add_hex(out, bytes.data, bytes.len);
  wh_buf_clear(scratch);
  bool as_array = wh_pg_write_form(native) == WH_PG_ARRAY;
  bool whole = as_array ? add_list(column, row, scratch) : add_value(column, row, scratch);
  return whole && add_escaped(out, wh_buf_str(scratch));
}
