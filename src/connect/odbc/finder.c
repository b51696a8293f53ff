// Finds rows by key, each time as they are committed then. Key values that cannot be values of the
// column find nothing.
#include "connect/odbc/source.h"

#include <stdio.h>

typedef struct finder {
  wh_finder base;
  wh_odbc_session *session;
  wh_arena arena;
  wh_odbc_relation relation;
  wh_schema show;
  wh_schema key;
  const wh_odbc_column **columns; // those that are shown, then the key's
  wh_buf sql, scratch;
  char doing[128];
} finder;

static void finder_close(wh_finder *base) {
  finder *f = (finder *)base;
  if (!f) return;
  wh_mem *mem = f->arena.mem;
  wh_odbc_close(f->session);
  wh_buf_free(&f->sql);
  wh_buf_free(&f->scratch);
  wh_arena_free(&f->arena);
  wh_mem_free(mem, f, sizeof *f);
}

// --- Finding -------------------------------------------------------------------------------------

// The database compares text by rules of its own; by its bytes it is compared here.
static wh_status is_same_key(finder *f, wh_odbc_rows *rows, const wh_value *key, bool *ret,
                             wh_error *err) {
  *ret = true;
  for (size_t i = 0; *ret && i < f->key.count; i++) {
    if (key[i].type.kind != WH_STRING) continue;
    wh_odbc_cell cell;
    wh_misfit misfit;
    wh_column found;
    WH_TRY(wh_odbc_rows_cell(rows, f->show.count + i, &cell, err));
    wh_column_init(&found, f->arena.mem, &f->key.fields[i].type);
    wh_status status = wh_odbc_decode(&cell, &f->key.fields[i], &found, &f->scratch, &misfit, err);
    if (status == WH_OK)
      *ret = !wh_column_is_null(&found, 0) && wh_str_eq(wh_column_text(&found, 0), key[i].as.s);
    wh_column_free(&found);
    if (status == WH_ERR_TYPE) *ret = false;
    if (status != WH_OK && status != WH_ERR_TYPE) return status;
  }
  return WH_OK;
}

static wh_status add_found(finder *f, wh_odbc_rows *rows, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < f->show.count; i++) {
    wh_odbc_cell cell;
    wh_misfit misfit;
    WH_TRY(wh_odbc_rows_cell(rows, i, &cell, err));
    wh_status status =
        wh_odbc_decode(&cell, &f->show.fields[i], &batch->columns[i], &f->scratch, &misfit, err);
    if (status == WH_OK) continue;
    wh_batch_row_undo(batch);
    if (status != WH_ERR_TYPE) return status;
    return wh_fail(err, WH_ERR_TYPE, "%.*s: %.*s.%.*s: %s",
                   WH_STR_ARG(f->session->connection->name), WH_STR_ARG(f->relation.what),
                   WH_STR_ARG(f->show.fields[i].name), misfit.reason);
  }
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_status take_rows(finder *f, wh_odbc_rows *rows, const wh_value *key, wh_batch *batch,
                           wh_error *err) {
  for (size_t found = 0; !f->base.rows_max || found < f->base.rows_max;) {
    bool row, is_same;
    WH_TRY(wh_odbc_rows_next(rows, &row, err));
    if (!row) return WH_OK;
    WH_TRY(is_same_key(f, rows, key, &is_same, err));
    if (!is_same) continue;
    WH_TRY(add_found(f, rows, batch, err));
    found++;
  }
  return WH_OK;
}

static wh_status run(finder *f, const wh_value *key, wh_arena *arena, wh_batch *batch,
                     wh_error *err) {
  enum { ROWS_MAX = 16 }; // of a key there are few
  WH_CLEAN_ODBC_STMT SQLHSTMT stmt = SQL_NULL_HSTMT;
  wh_odbc_rows rows = {0};
  wh_value *values = WH_NEW_ARRAY(arena, f->key.count, wh_value);
  if (!values) return wh_fail_memory(err);
  WH_TRY(wh_odbc_statement(f->session, &stmt, err));
  for (size_t i = 0; i < f->key.count; i++) {
    WH_TRY(wh_source_key_value(&key[i], &f->key.fields[i].type, arena, &values[i], err));
    WH_TRY(wh_odbc_bind(f->session, stmt, (SQLUSMALLINT)(i + 1), f->columns[f->show.count + i],
                        &values[i], arena, err));
  }
  WH_TRY(wh_odbc_prepare(f->session, stmt, wh_buf_str(&f->sql), f->doing, err));
  wh_status status = wh_odbc_rows_open(f->session, stmt, f->columns, f->show.count + f->key.count,
                                       ROWS_MAX, f->relation.what, f->doing, arena, &rows, err);
  if (status == WH_OK) status = wh_odbc_execute(f->session, stmt, f->doing, err);
  if (status == WH_OK) status = take_rows(f, &rows, values, batch, err);
  wh_odbc_statement_free(&stmt); // it may write into the rows until then
  wh_odbc_rows_close(&rows);
  return status;
}

static wh_status finder_find(wh_finder *base, const wh_value *key, wh_batch *batch, wh_error *err) {
  finder *f = (finder *)base;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, f->arena.mem);
  wh_error inner = {0};
  wh_status status = run(f, key, &arena, batch, &inner);
  // Without a text it is a key that no row can have.
  if (status == WH_ERR_TYPE && !inner.text[0]) return WH_OK;
  if (status != WH_OK && err) *err = inner;
  return status;
}

// --- Opening -------------------------------------------------------------------------------------

static wh_status add_columns(finder *f, const wh_str *names, size_t count, size_t from,
                             wh_schema *ret, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(&f->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->relation), names[i]);
    if (at < 0) return wh_odbc_no_column(f->session, &f->relation, names[i], err);
    const wh_odbc_column *c = f->columns[from + i] = &f->relation.columns[at];
    fields[i] = (wh_field){.name = c->sql.name, .type = c->sql.type, .nullable = c->sql.nullable};
    if (from + i) wh_buf_add_c(&f->sql, ", ");
    WH_TRY(wh_odbc_add_name(f->session, &f->sql, c->sql.name, err));
  }
  *ret = (wh_schema){.count = count, .fields = fields};
  return WH_OK;
}

static wh_status prepare_find(finder *f, const wh_str *key, size_t key_count, const wh_str *show,
                              size_t show_count, wh_error *err) {
  f->columns = WH_NEW_ARRAY(&f->arena, show_count + key_count, const wh_odbc_column *);
  if (!f->columns) return wh_fail_memory(err);
  wh_buf_add_c(&f->sql, "SELECT ");
  WH_TRY(add_columns(f, show, show_count, 0, &f->show, err));
  WH_TRY(add_columns(f, key, key_count, show_count, &f->key, err));
  WH_TRY(wh_odbc_add_from(f->session, &f->sql, &f->relation, err));
  for (size_t i = 0; i < key_count; i++) {
    wh_buf_add_c(&f->sql, i ? " AND " : " WHERE ");
    WH_TRY(wh_odbc_add_name(f->session, &f->sql, key[i], err));
    wh_buf_add_c(&f->sql, " = ?");
  }
  f->base.schema = &f->show;
  return wh_buf_check(&f->sql, err);
}

wh_status wh_odbc_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                              const wh_str *show, size_t show_count, wh_finder **ret,
                              wh_error *err) {
  finder *f = wh_mem_alloc_zero(c->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->base = (wh_finder){.find = finder_find, .close = finder_close};
  wh_arena_init(&f->arena, c->mem);
  wh_buf_init(&f->sql, c->mem, WH_ODBC_TEXT_MAX);
  wh_buf_init(&f->scratch, c->mem, 0);
  snprintf(f->doing, sizeof f->doing, "looking into %.*s", (int)wh_utf8_cut(table, 64), table.data);
  wh_status status = wh_odbc_open(c, true, &f->session, err);
  if (status == WH_OK)
    status = wh_odbc_relate(f->session, table, (wh_str){0}, &f->arena, &f->relation, err);
  if (status == WH_OK) status = prepare_find(f, key, key_count, show, show_count, err);
  if (status != WH_OK) {
    finder_close(&f->base);
    return status;
  }
  *ret = &f->base;
  return WH_OK;
}
