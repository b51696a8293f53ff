#include "connect/odbc/rows.h"

#include <stdio.h>

enum { NARROW_BYTES = 64, DATE_TEXT_MAX = 48, REFUSAL_MAX = 256 };

struct wh_odbc_slot {
  wh_odbc_form form;
  SQLSMALLINT c_type;
  SQLLEN width;    // of a bound cell; 0: the value's length is not known
  uint8_t *data;   // of the array
  SQLLEN *lengths; //
  wh_buf pieces;   // the value at hand, when it came so
  bool is_null;    //
  char date[DATE_TEXT_MAX], refusal[REFUSAL_MAX];
};

// --- Forms ---------------------------------------------------------------------------------------

static wh_odbc_form form_of(const wh_odbc_session *s, const wh_odbc_column *c) {
  bool structures = wh_odbc_options_of(s)->dates == WH_ODBC_DATES_BINARY;
  switch (c->sql.type.kind) {
  case WH_STRING:
    return WH_ODBC_WIDE;
  case WH_BINARY:
    return WH_ODBC_BYTES;
  case WH_FLOAT32:
  case WH_FLOAT64:
    return WH_ODBC_DOUBLE;
  case WH_DATE:
    return structures ? WH_ODBC_DATE : WH_ODBC_NARROW;
  case WH_TIMESTAMP:
    return structures ? WH_ODBC_TIMESTAMP : WH_ODBC_NARROW;
  default: // ODBC's structure for times has no fractions
    return WH_ODBC_NARROW;
  }
}

static SQLSMALLINT c_type_of(wh_odbc_form form) {
  static const SQLSMALLINT types[] = {
      [WH_ODBC_NARROW] = SQL_C_CHAR,    [WH_ODBC_WIDE] = SQL_C_WCHAR,
      [WH_ODBC_BYTES] = SQL_C_BINARY,   [WH_ODBC_DOUBLE] = SQL_C_DOUBLE,
      [WH_ODBC_DATE] = SQL_C_TYPE_DATE, [WH_ODBC_TIMESTAMP] = SQL_C_TYPE_TIMESTAMP,
  };
  return types[form];
}

// Characters beyond the first 65,536 take two units.
static SQLLEN width_of(wh_odbc_form form, const wh_odbc_column *c) {
  bool is_long = c->sql_type == SQL_LONGVARCHAR || c->sql_type == SQL_WLONGVARCHAR ||
                 c->sql_type == SQL_LONGVARBINARY || c->size == 0 || c->size > WH_ODBC_CELL_MAX;
  SQLLEN width;
  switch (form) {
  case WH_ODBC_NARROW:
    return NARROW_BYTES;
  case WH_ODBC_DOUBLE:
    return sizeof(double);
  case WH_ODBC_DATE:
    return sizeof(SQL_DATE_STRUCT);
  case WH_ODBC_TIMESTAMP:
    return sizeof(SQL_TIMESTAMP_STRUCT);
  case WH_ODBC_WIDE:
    width = is_long ? 0 : (SQLLEN)((2 * c->size + 1) * sizeof(SQLWCHAR));
    return width > WH_ODBC_CELL_MAX ? 0 : width;
  default:
    return is_long ? 0 : (SQLLEN)c->size;
  }
}

// Behind text there is a NUL, which lengths do not count.
static SQLLEN nul_of(wh_odbc_form form) {
  return form == WH_ODBC_WIDE ? sizeof(SQLWCHAR) : form == WH_ODBC_NARROW ? 1 : 0;
}

static bool is_fixed(wh_odbc_form form) {
  return form >= WH_ODBC_DOUBLE;
}

// --- Opening -------------------------------------------------------------------------------------

static size_t rows_at_once(const wh_odbc_rows *rows, size_t rows_max) {
  size_t width = 0;
  for (size_t i = 0; i < rows->count; i++) {
    if (rows->slots[i].width == 0) return 0;
    width += (size_t)rows->slots[i].width + sizeof(SQLLEN);
  }
  if (!rows->session->goes_back || !width) return 0;
  size_t most = WH_ODBC_ARRAY_BYTES / width;
  if (most > WH_ODBC_ARRAY_ROWS) most = WH_ODBC_ARRAY_ROWS;
  if (most > rows_max) most = rows_max;
  return most ? most : 1;
}

static wh_status bind(wh_odbc_rows *rows, wh_arena *arena, wh_error *err) {
  bool ok = true;
  rows->statuses = WH_NEW_ARRAY(arena, rows->at_once, SQLUSMALLINT);
  if (!rows->statuses) return wh_fail_memory(err);
  SQLHSTMT stmt = rows->stmt;
  ok = ok && SQL_SUCCEEDED(wh_odbc.SQLSetStmtAttrW(stmt, SQL_ATTR_ROW_BIND_TYPE,
                                                   (SQLPOINTER)SQL_BIND_BY_COLUMN, 0));
  ok = ok && SQL_SUCCEEDED(wh_odbc.SQLSetStmtAttrW(stmt, SQL_ATTR_ROW_ARRAY_SIZE,
                                                   (SQLPOINTER)(uintptr_t)rows->at_once, 0));
  ok = ok &&
       SQL_SUCCEEDED(wh_odbc.SQLSetStmtAttrW(stmt, SQL_ATTR_ROW_STATUS_PTR, rows->statuses, 0));
  ok = ok &&
       SQL_SUCCEEDED(wh_odbc.SQLSetStmtAttrW(stmt, SQL_ATTR_ROWS_FETCHED_PTR, &rows->fetched, 0));
  for (size_t i = 0; ok && i < rows->count; i++) {
    wh_odbc_slot *slot = &rows->slots[i];
    slot->data = wh_arena_array(arena, rows->at_once, (size_t)slot->width);
    slot->lengths = WH_NEW_ARRAY(arena, rows->at_once, SQLLEN);
    if (!slot->data || !slot->lengths) return wh_fail_memory(err);
    ok = SQL_SUCCEEDED(wh_odbc.SQLBindCol(stmt, (SQLUSMALLINT)(i + 1), slot->c_type, slot->data,
                                          slot->width, slot->lengths));
  }
  return ok ? WH_OK : wh_odbc_fail(rows->session, stmt, rows->doing, err);
}

// `ret` stays where it is: the driver writes into it.
wh_status wh_odbc_rows_open(wh_odbc_session *s, SQLHSTMT stmt, const wh_odbc_column *const *columns,
                            size_t count, size_t rows_max, wh_str what, const char *doing,
                            wh_arena *arena, wh_odbc_rows *ret, wh_error *err) {
  *ret = (wh_odbc_rows){.session = s, .stmt = stmt, .what = what, .doing = doing};
  ret->slots = WH_NEW_ARRAY(arena, count, wh_odbc_slot);
  if (!ret->slots) return wh_fail_memory(err);
  ret->count = count;
  for (size_t i = 0; i < count; i++) {
    wh_odbc_slot *slot = &ret->slots[i];
    slot->form = form_of(s, columns[i]);
    slot->c_type = c_type_of(slot->form);
    slot->width = width_of(slot->form, columns[i]);
    wh_buf_init(&slot->pieces, s->connection->mem, 0);
  }
  ret->at_once = rows_at_once(ret, rows_max);
  return ret->at_once ? bind(ret, arena, err) : WH_OK;
}

void wh_odbc_rows_close(wh_odbc_rows *rows) {
  for (size_t i = 0; i < rows->count; i++)
    wh_buf_free(&rows->slots[i].pieces);
  rows->count = 0;
}

// --- Rows ----------------------------------------------------------------------------------------

wh_status wh_odbc_rows_next(wh_odbc_rows *rows, bool *ret_row, wh_error *err) {
  *ret_row = true;
  for (;;) {
    rows->row++;
    if (rows->row < rows->fetched && rows->statuses[rows->row] == SQL_ROW_NOROW) continue;
    if (rows->row < rows->fetched) break;
    WH_TRY(wh_odbc_fetch_one(rows->session, rows->stmt, rows->doing, ret_row, err));
    if (!*ret_row) return WH_OK;
    rows->row = 0;
    if (!rows->at_once) rows->fetched = 1;
    if (rows->fetched && (!rows->at_once || rows->statuses[0] != SQL_ROW_NOROW)) break;
  }
  rows->number++;
  rows->got = 0;
  return WH_OK;
}

// --- Values in pieces ----------------------------------------------------------------------------

static wh_status refuse(wh_odbc_rows *rows, wh_odbc_slot *slot, wh_error *err) {
  wh_odbc_trouble t;
  wh_odbc_trouble_of(rows->session, SQL_HANDLE_STMT, rows->stmt, &t);
  if (!wh_odbc_is_of_value(&t)) return wh_odbc_fail(rows->session, rows->stmt, rows->doing, err);
  size_t shown = wh_utf8_cut(wh_str_of(t.text), sizeof slot->refusal - 32);
  snprintf(slot->refusal, sizeof slot->refusal, "is refused by the driver: %.*s", (int)shown,
           t.text);
  return WH_OK;
}

// A value that is too large ends the reading before it is in memory whole; of a character's two
// bytes in UTF-16 one is left at least.
static wh_status check_size(const wh_odbc_rows *rows, const wh_odbc_slot *slot, wh_error *err) {
  size_t bytes = slot->form == WH_ODBC_WIDE ? slot->pieces.len / 2 : slot->pieces.len;
  return wh_source_check_row(rows->session->connection, rows->what, rows->number, bytes, err);
}

static wh_status get_pieces(wh_odbc_rows *rows, size_t column, wh_error *err) {
  wh_odbc_slot *slot = &rows->slots[column];
  SQLLEN nul = nul_of(slot->form);
  wh_buf *out = &slot->pieces;
  wh_buf_clear(out);
  slot->is_null = false;
  slot->refusal[0] = 0;
  for (bool first = true;; first = false) {
    // At first little, as most values are short.
    size_t room = first ? 256 : WH_ODBC_PIECE_BYTES;
    SQLLEN length = 0;
    if (!wh_buf_reserve(out, room)) return wh_fail_memory(err);
    wh_odbc_begin_call(rows->session, rows->stmt,
                       wh_odbc_options_of(rows->session)->statement_timeout_us);
    SQLRETURN rc = wh_odbc.SQLGetData(rows->stmt, (SQLUSMALLINT)(column + 1), slot->c_type,
                                      out->data + out->len, (SQLLEN)room, &length);
    wh_odbc_end_call(rows->session);
    if (rc == SQL_NO_DATA) return WH_OK;
    if (!SQL_SUCCEEDED(rc)) return refuse(rows, slot, err);
    if (length == SQL_NULL_DATA) {
      slot->is_null = true;
      return WH_OK;
    }
    bool more = !is_fixed(slot->form) && (length == SQL_NO_TOTAL || length > (SQLLEN)room - nul);
    out->len += more ? room - (size_t)nul : (size_t)length;
    WH_TRY(check_size(rows, slot, err));
    if (!more) return WH_OK;
  }
}

// --- Cells ---------------------------------------------------------------------------------------

static void show_date(wh_odbc_slot *slot, const void *data) {
  if (slot->form == WH_ODBC_DATE) {
    SQL_DATE_STRUCT d;
    memcpy(&d, data, sizeof d);
    snprintf(slot->date, sizeof slot->date, "%04d-%02d-%02d", d.year, d.month, d.day);
    return;
  }
  SQL_TIMESTAMP_STRUCT t;
  memcpy(&t, data, sizeof t);
  int n = snprintf(slot->date, sizeof slot->date, "%04d-%02d-%02d %02d:%02d:%02d", t.year, t.month,
                   t.day, t.hour, t.minute, t.second);
  if (t.fraction) snprintf(slot->date + n, sizeof slot->date - (size_t)n, ".%09u", t.fraction);
}

static void show(wh_odbc_slot *slot, const void *data, size_t len, wh_odbc_cell *ret) {
  *ret = (wh_odbc_cell){.form = slot->form, .bytes = wh_str_n(data, len)};
  if (slot->form == WH_ODBC_DOUBLE) {
    memcpy(&ret->number, data, sizeof ret->number);
  } else if (is_fixed(slot->form)) {
    show_date(slot, data);
    ret->form = WH_ODBC_NARROW;
    ret->bytes = wh_str_of(slot->date);
  }
}

static void show_pieces(wh_odbc_slot *slot, wh_odbc_cell *ret) {
  static const uint8_t nothing[sizeof(SQL_TIMESTAMP_STRUCT)];
  bool is_there = !slot->is_null && !slot->refusal[0];
  if (is_there) {
    show(slot, slot->pieces.len ? (const void *)slot->pieces.data : nothing, slot->pieces.len, ret);
    return;
  }
  *ret = (wh_odbc_cell){.form = slot->form, .is_null = slot->is_null};
  if (slot->refusal[0]) ret->refused = slot->refusal;
}

// A value that the array had no room for, or that the driver had trouble with.
static wh_status get_again(wh_odbc_rows *rows, size_t column, wh_odbc_cell *ret, wh_error *err) {
  SQLRETURN rc = wh_odbc.SQLSetPos(rows->stmt, rows->row + 1, SQL_POSITION, SQL_LOCK_NO_CHANGE);
  if (!SQL_SUCCEEDED(rc)) return wh_odbc_fail(rows->session, rows->stmt, rows->doing, err);
  WH_TRY(get_pieces(rows, column, err));
  show_pieces(&rows->slots[column], ret);
  return WH_OK;
}

static wh_status bound_cell(wh_odbc_rows *rows, size_t column, wh_odbc_cell *ret, wh_error *err) {
  wh_odbc_slot *slot = &rows->slots[column];
  SQLLEN length = slot->lengths[rows->row];
  bool is_cut = length == SQL_NO_TOTAL || length > slot->width - nul_of(slot->form);
  if (rows->statuses[rows->row] == SQL_ROW_ERROR || (is_cut && !is_fixed(slot->form)))
    return get_again(rows, column, ret, err);
  if (length == SQL_NULL_DATA)
    *ret = (wh_odbc_cell){.form = slot->form, .is_null = true};
  else
    show(slot, slot->data + rows->row * (size_t)slot->width, (size_t)length, ret);
  return WH_OK;
}

wh_status wh_odbc_rows_cell(wh_odbc_rows *rows, size_t column, wh_odbc_cell *ret, wh_error *err) {
  if (rows->at_once) return bound_cell(rows, column, ret, err);
  for (; rows->got <= column; rows->got++)
    WH_TRY(get_pieces(rows, rows->got, err));
  show_pieces(&rows->slots[column], ret);
  return WH_OK;
}
