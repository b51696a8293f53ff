// Finds rows by key, each time as they are committed then. Key values that cannot be values of the
// column find nothing.
#include "connect/sqlserver/source.h"

enum { OTHER_CHARACTERS = 1267 }; // the text has some that the column's set has not

typedef struct finder {
  wh_finder base;
  wh_mssql_session *session;
  wh_arena arena;
  wh_sql_from from;
  wh_sql_from side; // where the rows' orders are in a table of their own
  wh_schema show;
  wh_mssql_decoder *decoders;
  const wh_sql_column **key; // of the relation
  size_t key_count;
  wh_buf where;  // FROM and WHERE
  wh_buf select; // the columns that are shown
  char doing[128];
} finder;

static void finder_close(wh_finder *base) {
  finder *f = (finder *)base;
  if (!f) return;
  wh_mem *mem = f->arena.mem;
  wh_mssql_close(f->session);
  wh_buf_free(&f->where);
  wh_buf_free(&f->select);
  wh_arena_free(&f->arena);
  wh_mem_free(mem, f, sizeof *f);
}

// --- Finding -------------------------------------------------------------------------------------

static wh_status add_found(finder *f, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < f->show.count; i++) {
    wh_misfit misfit;
    wh_status status =
        wh_mssql_decode(f->session, &f->decoders[i], &batch->columns[i], &misfit, err);
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

static wh_status send_find(finder *f, const wh_value *key, wh_arena *arena, wh_error *err) {
  wh_str *params = WH_NEW_ARRAY(arena, f->key_count, wh_str);
  if (!params) return wh_fail_memory(err);
  for (size_t i = 0; i < f->key_count; i++) {
    wh_value value;
    WH_TRY(wh_source_key_value(&key[i], &f->key[i]->type, arena, &value, err));
    WH_TRY(wh_mssql_operand(f->key[i], &value, arena, &params[i], err));
  }
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, f->arena.mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT ");
  if (f->base.rows_max) wh_buf_printf(&sql, "TOP (%zu) ", f->base.rows_max);
  wh_buf_add_str(&sql, wh_buf_str(&f->select));
  wh_buf_add_str(&sql, wh_buf_str(&f->where));
  WH_TRY(wh_buf_check(&sql, err));
  return wh_mssql_send(f->session, wh_buf_str(&sql), params, f->key_count, f->doing, err);
}

static void make_decoders(finder *f) {
  for (size_t i = 0; i < f->show.count; i++)
    f->decoders[i] = wh_mssql_decoder_of(f->session, i, &f->show.fields[i]);
}

static wh_status find_rows(finder *f, wh_batch *batch, wh_error *err) {
  for (;;) {
    bool more, row = true;
    WH_TRY(wh_mssql_next_result(f->session, f->doing, &more, err));
    if (!more) return WH_OK;
    if (dbnumcols(f->session->db) < (int)f->show.count) continue;
    make_decoders(f);
    for (;;) {
      WH_TRY(wh_mssql_fetch(f->session, f->doing, &row, err));
      if (!row) break;
      WH_TRY(add_found(f, batch, err));
    }
  }
}

static wh_status finder_find(wh_finder *base, const wh_value *key, wh_batch *batch, wh_error *err) {
  finder *f = (finder *)base;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, f->arena.mem);
  wh_status status = send_find(f, key, &arena, err);
  if (status == WH_ERR_TYPE) return WH_OK;
  return status == WH_OK ? find_rows(f, batch, err) : status;
}

// --- Opening -------------------------------------------------------------------------------------

// Text is compared twice: as the column does, for its index, and by its bytes.
static wh_status set_keys(finder *f, const wh_str *key, size_t count, wh_error *err) {
  wh_buf *where = &f->where;
  f->key_count = count;
  f->key = WH_NEW_ARRAY(&f->arena, count, const wh_sql_column *);
  if (!f->key) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->from.relation), key[i]);
    if (at < 0) return wh_sql_no_column(&f->session->base, &f->from, key[i], err);
    const wh_sql_column *c = f->key[i] = &f->from.relation.columns[at];
    wh_buf_add_c(where, i ? " AND " : " WHERE ");
    wh_mssql_add_name(where, c->name);
    wh_buf_add_c(where, " = ");
    wh_mssql_add_operand(where, c, (unsigned)i + 1);
    if (!c->folds) continue;
    wh_buf_add_c(where, " AND CAST(CAST(");
    wh_mssql_add_name(where, c->name);
    wh_buf_printf(where, " AS nvarchar(max)) AS varbinary(max)) = CAST(@P%zu AS varbinary(max))",
                  i + 1);
  }
  return wh_buf_check(where, err);
}

static wh_status set_show(finder *f, const wh_str *show, size_t count, wh_error *err) {
  wh_buf *sql = &f->select;
  wh_schema all;
  wh_field *fields = WH_NEW_ARRAY(&f->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  WH_TRY(wh_sql_schema(WH_SQL_COLUMNS(&f->from.relation), &f->arena, &all, err));
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->from.relation), show[i]);
    if (at < 0 && !wh_sql_is_order(&f->from, &f->side, show[i]))
      return wh_sql_no_column(&f->session->base, &f->from, show[i], err);
    if (i) wh_buf_add_c(sql, ", ");
    if (at >= 0) {
      fields[i] = all.fields[at];
      wh_mssql_add_shown(sql, &f->from.relation.columns[at]);
      continue;
    }
    fields[i] =
        (wh_field){.name = WH_STR(WH_ORDER_COLUMN), .type = wh_type_of(WH_INT64), .nullable = true};
    wh_sql_add_order(sql, &f->session->base, &f->side);
  }
  if (count == 0) wh_buf_add_c(sql, "1 AS one");
  f->show = (wh_schema){.count = count, .fields = fields};
  f->base.schema = &f->show;
  return WH_OK;
}

static wh_status prepare_find(finder *f, const wh_str *key, size_t key_count, const wh_str *show,
                              size_t show_count, wh_error *err) {
  WH_TRY(wh_sql_find_side(&f->session->base, &f->from, &f->arena, &f->side, err));
  wh_sql_add_from(&f->where, &f->session->base, &f->from);
  wh_buf_add_c(&f->where, " AS t");
  WH_TRY(set_keys(f, key, key_count, err));
  WH_TRY(set_show(f, show, show_count, err));
  WH_TRY(wh_buf_check(&f->select, err));
  f->decoders = WH_NEW_ARRAY(&f->arena, show_count, wh_mssql_decoder);
  return f->decoders ? WH_OK : wh_fail_memory(err);
}

wh_status wh_mssql_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                               const wh_str *show, size_t show_count, wh_finder **ret,
                               wh_error *err) {
  finder *f = wh_mem_alloc_zero(c->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->base = (wh_finder){.find = finder_find, .close = finder_close};
  wh_arena_init(&f->arena, c->mem);
  wh_buf_init(&f->where, c->mem, WH_SQL_TEXT_MAX);
  wh_buf_init(&f->select, c->mem, WH_SQL_TEXT_MAX);
  snprintf(f->doing, sizeof f->doing, "looking into %.*s", (int)wh_utf8_cut(table, 64), table.data);
  wh_status status = wh_mssql_open(c, WH_SQL_READ, &f->session, err);
  if (status == WH_OK)
    status = wh_mssql_from_of(f->session, table, (wh_str){0}, &f->arena, &f->from, err);
  if (status == WH_OK) status = prepare_find(f, key, key_count, show, show_count, err);
  if (status != WH_OK) {
    finder_close(&f->base);
    return status;
  }
  *ret = &f->base;
  return WH_OK;
}
