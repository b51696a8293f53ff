// Finds rows by key, each time as they are committed then. Key values that cannot be values of the
// column find nothing.
#include "connect/mysql/source.h"

enum { OTHER_CHARACTERS = 1267 }; // the text has some that the column's set has not

typedef struct finder {
  wh_finder base;
  wh_mysql_session *session;
  wh_arena arena;
  wh_sql_from from;
  wh_sql_from side; // where the rows' orders are in a table of their own
  wh_schema show;
  wh_mysql_decoder *decoders;
  wh_type *key_types; // of the columns
  size_t key_count;
  MYSQL_BIND *binds; // one for each key, a second one for each that is text, the limit
  wh_mysql_param *params;
  MYSQL_STMT *stmt;
  char doing[128];
} finder;

static void finder_close(wh_finder *base) {
  finder *f = (finder *)base;
  if (!f) return;
  wh_mem *mem = f->arena.mem;
  wh_mysql_close(f->session);
  if (f->stmt) mysql_stmt_close(f->stmt);
  wh_arena_free(&f->arena);
  wh_mem_free(mem, f, sizeof *f);
}

// --- Finding -------------------------------------------------------------------------------------

// Text is bound twice: as text for the index, as bytes for what its collation takes for equal.
static wh_status bind_keys(finder *f, const wh_value *key, wh_arena *arena, wh_error *err) {
  size_t at = 0;
  for (size_t i = 0; i < f->key_count; i++) {
    wh_value value;
    WH_TRY(wh_source_key_value(&key[i], &f->key_types[i], arena, &value, err));
    wh_mysql_bind_value(&f->binds[at], &f->params[at], &value);
    at++;
    if (value.type.kind != WH_STRING) continue;
    wh_mysql_bind_text(&f->binds[at++], value.as.s.data ? value.as.s : WH_STR(""), true);
  }
  wh_value most = {.type = wh_type_of(WH_INT64)};
  most.as.i =
      f->base.rows_max && f->base.rows_max < INT64_MAX ? (int64_t)f->base.rows_max : INT64_MAX;
  wh_mysql_bind_value(&f->binds[at], &f->params[at], &most);
  return wh_mysql_bind(f->session, f->stmt, f->binds, err);
}

static wh_status add_found(finder *f, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < f->show.count; i++) {
    wh_misfit misfit;
    wh_status status = wh_mysql_decode(&f->decoders[i], wh_mysql_cell(f->stmt, i),
                                       &batch->columns[i], &misfit, err);
    if (status == WH_OK) continue;
    wh_batch_row_undo(batch);
    if (status != WH_ERR_TYPE) return status;
    return wh_fail(err, WH_ERR_TYPE, "%.*s: %.*s.%.*s: %s",
                   WH_STR_ARG(f->session->base.connection->name), WH_STR_ARG(f->from.what),
                   WH_STR_ARG(f->decoders[i].name), misfit.reason);
  }
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_status find_rows(finder *f, wh_batch *batch, wh_error *err) {
  for (;;) {
    bool row;
    WH_TRY(wh_mysql_fetch(f->session, f->stmt, f->doing, &row, err));
    if (!row) return WH_OK;
    WH_TRY(add_found(f, batch, err));
  }
}

static wh_status finder_find(wh_finder *base, const wh_value *key, wh_batch *batch, wh_error *err) {
  finder *f = (finder *)base;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, f->arena.mem);
  wh_status status = bind_keys(f, key, &arena, err);
  if (status == WH_ERR_TYPE) return WH_OK;
  if (status != WH_OK) return status;
  wh_error inner = {0};
  status = wh_mysql_execute(f->session, f->stmt, f->doing, &inner);
  if (status != WH_OK && mysql_stmt_errno(f->stmt) == OTHER_CHARACTERS) return WH_OK;
  if (status != WH_OK && err) *err = inner;
  if (status != WH_OK) return status;
  status = find_rows(f, batch, err);
  wh_mysql_will_wait(f->session);
  mysql_stmt_free_result(f->stmt);
  return status;
}

// --- Opening -------------------------------------------------------------------------------------

static wh_status set_keys(finder *f, const wh_str *key, size_t count, wh_buf *where,
                          wh_error *err) {
  f->key_count = count;
  f->key_types = WH_NEW_ARRAY(&f->arena, count, wh_type);
  f->binds = WH_NEW_ARRAY(&f->arena, 2 * count + 1, MYSQL_BIND);
  f->params = WH_NEW_ARRAY(&f->arena, 2 * count + 1, wh_mysql_param);
  if (!f->key_types || !f->binds || !f->params) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->from.relation), key[i]);
    if (at < 0) return wh_sql_no_column(&f->session->base, &f->from, key[i], err);
    const wh_sql_column *c = &f->from.relation.columns[at];
    f->key_types[i] = c->type;
    wh_buf_add_c(where, i ? " AND " : " WHERE ");
    wh_mysql_add_name(where, c->name);
    wh_buf_add_c(where, " = ?");
    if (c->type.kind != WH_STRING) continue;
    wh_buf_add_c(where, " AND CAST(CONVERT(");
    wh_mysql_add_name(where, c->name);
    wh_buf_add_c(where, " USING utf8mb4) AS BINARY) = ?");
  }
  return WH_OK;
}

static wh_status set_show(finder *f, const wh_str *show, size_t count, wh_buf *sql, wh_error *err) {
  wh_schema all;
  wh_field *fields = WH_NEW_ARRAY(&f->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  WH_TRY(wh_mysql_schema(&f->session->base, &f->from.relation, &f->arena, &all, err));
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->from.relation), show[i]);
    if (at < 0 && !wh_sql_is_order(&f->from, &f->side, show[i]))
      return wh_sql_no_column(&f->session->base, &f->from, show[i], err);
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    if (at >= 0) {
      fields[i] = all.fields[at];
      wh_mysql_add_shown(sql, &f->from.relation.columns[at]);
      continue;
    }
    fields[i] =
        (wh_field){.name = WH_STR(WH_ORDER_COLUMN), .type = wh_type_of(WH_INT64), .nullable = true};
    wh_sql_add_order(sql, &f->session->base, &f->side);
  }
  if (count == 0) wh_buf_add_c(sql, "SELECT 1");
  f->show = (wh_schema){.count = count, .fields = fields};
  f->base.schema = &f->show;
  return WH_OK;
}

static wh_status prepare_find(finder *f, const wh_str *key, size_t key_count, const wh_str *show,
                              size_t show_count, wh_error *err) {
  wh_mem *mem = f->arena.mem;
  WH_CLEAN_BUF wh_buf sql;
  WH_CLEAN_BUF wh_buf where;
  wh_buf_init(&sql, mem, WH_SQL_TEXT_MAX);
  wh_buf_init(&where, mem, WH_SQL_TEXT_MAX);
  WH_TRY(wh_sql_find_side(&f->session->base, &f->from, &f->arena, &f->side, err));
  WH_TRY(set_keys(f, key, key_count, &where, err));
  WH_TRY(set_show(f, show, show_count, &sql, err));
  WH_TRY(wh_buf_check(&where, err));
  wh_sql_add_from(&sql, &f->session->base, &f->from);
  wh_buf_add_c(&sql, " AS t");
  wh_buf_add_str(&sql, wh_buf_str(&where));
  wh_buf_add_c(&sql, " LIMIT ?");
  WH_TRY(wh_mysql_prepare(f->session, &sql, f->doing, &f->stmt, err));
  f->decoders = WH_NEW_ARRAY(&f->arena, show_count, wh_mysql_decoder);
  if (!f->decoders) return wh_fail_memory(err);
  for (size_t i = 0; i < show_count; i++)
    f->decoders[i] = wh_mysql_decoder_of(&f->stmt->fields[i], &f->show.fields[i],
                                         wh_mysql_options_of(f->session), mem);
  return WH_OK;
}

wh_status wh_mysql_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                               const wh_str *show, size_t show_count, wh_finder **ret,
                               wh_error *err) {
  finder *f = wh_mem_alloc_zero(c->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->base = (wh_finder){.find = finder_find, .close = finder_close};
  wh_arena_init(&f->arena, c->mem);
  snprintf(f->doing, sizeof f->doing, "looking into %.*s", (int)wh_utf8_cut(table, 64), table.data);
  wh_status status = wh_mysql_open(c, WH_SQL_READ, &f->session, err);
  if (status == WH_OK)
    status = wh_mysql_from_of(f->session, table, (wh_str){0}, &f->arena, &f->from, err);
  if (status == WH_OK) status = prepare_find(f, key, key_count, show, show_count, err);
  if (status != WH_OK) {
    finder_close(&f->base);
    return status;
  }
  *ret = &f->base;
  return WH_OK;
}
