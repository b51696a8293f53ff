#include "connect/odbc/decode.h"

#include "data/number.h"
#include "data/temporal.h"

#include <stdio.h>

static wh_status misfit(wh_misfit *m, const char *rule, const char *reason) {
  m->rule = rule;
  snprintf(m->reason, sizeof m->reason, "%s", reason);
  return WH_ERR_TYPE;
}

// --- Texts ---------------------------------------------------------------------------------------

// What the cell holds as UTF-8; false where it is no text. Borrowed from the cell or `scratch`.
static bool text_of(const wh_odbc_cell *cell, wh_buf *scratch, wh_str *ret) {
  wh_buf_clear(scratch);
  *ret = cell->bytes;
  if (cell->form == WH_ODBC_NARROW) return wh_utf8_valid(*ret);
  if (cell->form == WH_ODBC_BYTES) return false;
  bool whole = cell->form == WH_ODBC_DOUBLE
                   ? wh_f64_write(cell->number, scratch)
                   : wh_odbc_from_wide((const SQLWCHAR *)(const void *)cell->bytes.data,
                                       cell->bytes.len / sizeof(SQLWCHAR), scratch);
  *ret = wh_buf_str(scratch);
  return whole;
}

// --- Numbers and times ---------------------------------------------------------------------------

static bool add_whole(wh_column *column, wh_str text, wh_status *ret, wh_error *err) {
  wh_number number;
  __int128 value;
  if (!wh_number_parse(text, &number) ||
      wh_number_to_decimal(&number, WH_DECIMAL_DIGITS_MAX, 0, &value) != WH_FIT_OK ||
      !wh_int_fits(column->type.kind, value))
    return false;
  *ret = column->type.kind == WH_UINT64 ? wh_column_add_u64(column, (uint64_t)value, err)
                                        : wh_column_add_i64(column, (int64_t)value, err);
  return true;
}

static bool add_decimal(wh_column *column, wh_str text, wh_status *ret, wh_error *err) {
  wh_number number;
  __int128 value;
  if (!wh_number_parse(text, &number) ||
      wh_number_to_decimal(&number, column->type.precision, column->type.scale, &value) !=
          WH_FIT_OK)
    return false;
  *ret = wh_column_add_decimal(column, value, err);
  return true;
}

static bool add_time(wh_column *column, wh_str text, wh_status *ret, wh_error *err) {
  wh_iso iso;
  int64_t value;
  const wh_type *type = &column->type;
  if (!wh_iso_parse(text, &iso) || iso.has_zone) return false;
  if (iso.has_date != (type->kind != WH_TIME)) return false;
  const wh_civil *c = &iso.civil;
  bool is_midnight = (c->hour | c->minute | c->second | c->nanos) == 0;
  if (type->kind == WH_DATE) {
    if (!is_midnight) return false;
    value = wh_days_from_civil(c->year, c->month, c->day);
  } else if (!(type->kind == WH_TIME ? wh_iso_to_time(&iso, type->unit, &value)
                                     : wh_iso_to_timestamp(&iso, type->unit, &value))) {
    return false;
  }
  *ret = wh_column_add_i64(column, value, err);
  return true;
}

static bool add_bool(wh_column *column, wh_str text, wh_status *ret, wh_error *err) {
  if (!wh_str_is(text, "0") && !wh_str_is(text, "1")) return false;
  *ret = wh_column_add_bool(column, text.data[0] == '1', err);
  return true;
}

// Values as they mostly come; false: not so.
static bool add_fast(wh_column *column, wh_str text, wh_status *ret, wh_error *err) {
  switch (column->type.kind) {
  case WH_BOOL:
    return add_bool(column, text, ret, err);
  case WH_DECIMAL:
    return add_decimal(column, text, ret, err);
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return !column->type.zoned && add_time(column, text, ret, err);
  default:
    return wh_kind_is_int(column->type.kind) && add_whole(column, text, ret, err);
  }
}

static wh_status add_parsed(wh_column *column, wh_str text, wh_mem *mem, wh_misfit *m,
                            wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_status status;
  wh_value value;
  wh_error reason = {0};
  text = wh_str_trim(text);
  if (add_fast(column, text, &status, err)) return status;
  status = wh_value_parse(text, &column->type, &arena, &value, &reason);
  if (status == WH_OK) return wh_value_add(column, &value, err);
  if (status != WH_ERR_TYPE) return wh_fail(err, status, "%s", reason.text);
  reason.text[wh_utf8_cut(wh_str_of(reason.text), sizeof m->reason - 1)] = 0;
  return misfit(m, "type", reason.text);
}

// --- Cells ---------------------------------------------------------------------------------------

wh_status wh_odbc_decode(const wh_odbc_cell *cell, const wh_field *field, wh_column *column,
                         wh_buf *scratch, wh_misfit *m, wh_error *err) {
  if (cell->refused) return misfit(m, "type", cell->refused);
  if (cell->is_null)
    return field->nullable ? wh_column_add_null(column, err) : misfit(m, "not_null", "missing");
  wh_kind kind = column->type.kind;
  bool is_float = kind == WH_FLOAT64 || kind == WH_FLOAT32;
  if (is_float && cell->form == WH_ODBC_DOUBLE) return wh_column_add_f64(column, cell->number, err);
  if (kind == WH_BINARY && cell->form == WH_ODBC_BYTES)
    return wh_column_add_text(column, cell->bytes, err);
  wh_str text;
  if (!text_of(cell, scratch, &text)) {
    if (scratch->failed) return wh_fail_memory(err);
    return cell->form == WH_ODBC_BYTES ? misfit(m, "type", "is binary")
                                       : misfit(m, "utf8", "has half a character (UTF-16)");
  }
  if (kind == WH_STRING) return wh_column_add_text(column, text, err);
  return add_parsed(column, text, scratch->mem, m, err);
}

// --- For quarantine ------------------------------------------------------------------------------

static size_t raw_left(const wh_buf *out) {
  return out->len < WH_ODBC_RAW_MAX ? WH_ODBC_RAW_MAX - out->len : 0;
}

static void add_json(const wh_odbc_cell *cell, const wh_type *type, wh_buf *scratch, wh_buf *out) {
  size_t left = raw_left(out);
  wh_str text;
  wh_number number;
  if (cell->is_null || cell->refused) {
    wh_buf_add_c(out, "null");
  } else if (cell->form == WH_ODBC_BYTES) {
    wh_buf_add_c(out, "\"0x");
    wh_buf_add_hex(out, cell->bytes.data, cell->bytes.len < left / 2 ? cell->bytes.len : left / 2);
    wh_buf_add_c(out, "\"");
  } else {
    (void)text_of(cell, scratch, &text); // of half a character what stands before it
    bool is_plain = wh_kind_is_int(type->kind) || cell->form == WH_ODBC_DOUBLE;
    if (is_plain && wh_number_parse(text, &number))
      wh_buf_add_str(out, text);
    else
      wh_buf_add_json(out, wh_str_sub(text, 0, wh_utf8_cut(text, left)));
  }
}

wh_status wh_odbc_row_json(wh_odbc_rows *rows, const wh_schema *schema, wh_buf *scratch,
                           wh_buf *out, wh_error *err) {
  wh_buf_clear(out);
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < schema->count && raw_left(out); i++) {
    wh_odbc_cell cell;
    WH_TRY(wh_odbc_rows_cell(rows, i, &cell, err));
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, schema->fields[i].name);
    wh_buf_add_char(out, ':');
    add_json(&cell, &schema->fields[i].type, scratch, out);
  }
  wh_buf_add_char(out, '}');
  if (scratch->failed) return wh_fail_memory(err);
  return wh_buf_check(out, err);
}
