// Finds rows by key: one prepared statement. Key values that cannot be values of the column find
// nothing.
#include "connect/postgres/decode.h"
#include "connect/postgres/source.h"
#include "connect/sql_sink.h"
#include "data/value.h"

#define STATEMENT "find"

typedef struct finder {
  wh_finder base;
  wh_pg_session *session;
  wh_connection *connection;
  wh_arena arena;
  wh_arena round; // of one `find`
  wh_pg_relation relation;
  wh_schema show;
  wh_pg_decoder *decoders;
  const wh_pg_column **keys;
  size_t key_count;
  wh_str *params;
  const wh_str *side_key; // of the table that keeps the rows' orders; NULL: there is none
  size_t side_key_count;
  wh_pg_relation side;
} finder;

static void finder_close(wh_finder *base) {
  finder *f = (finder *)base;
  if (!f) return;
  wh_mem *mem = f->connection->mem;
  wh_pg_close(f->session);
  wh_arena_free(&f->round);
  wh_arena_free(&f->arena);
  wh_mem_free(mem, f, sizeof *f);
}

// The value's text, if it is one that the column can have; else WH_ERR_TYPE.
static wh_status add_param(finder *f, size_t i, const wh_value *given, wh_error *err) {
  const wh_type *type = &f->keys[i]->sql.type;
  if (given->is_null || type->kind == WH_LIST) return WH_ERR_TYPE;
  wh_buf text;
  wh_buf_init(&text, f->connection->mem, 0);
  wh_value_write(given, &text);
  wh_status status = wh_buf_check(&text, err);
  wh_value value;
  wh_error reason = {0};
  if (status == WH_OK) {
    status = wh_value_parse(wh_buf_str(&text), type, &f->round, &value, &reason);
    if (status != WH_OK && status != WH_ERR_TYPE) (void)wh_fail(err, status, "%s", reason.text);
  }
  // In the column's own spelling, which the server reads.
  if (status == WH_OK) {
    wh_buf_clear(&text);
    wh_value_write(&value, &text);
    status = wh_buf_check(&text, err);
  }
  if (status == WH_OK) f->params[i] = wh_arena_str(&f->round, wh_buf_str(&text));
  if (status == WH_OK && !f->params[i].data) status = wh_fail_memory(err);
  if (status == WH_OK && memchr(f->params[i].data, 0, f->params[i].len)) status = WH_ERR_TYPE;
  wh_buf_free(&text);
  return status;
}

static wh_status add_row(finder *f, const PGresult *result, int row, wh_batch *batch,
                         wh_error *err) {
  for (size_t i = 0; i < f->show.count; i++) {
    const wh_pg_decoder *d = &f->decoders[i];
    if (PQgetisnull(result, row, (int)i)) {
      WH_TRY(wh_column_add_null(&batch->columns[i], err));
      continue;
    }
    wh_misfit misfit;
    wh_status status =
        d->decode(d, PQgetvalue(result, row, (int)i), (size_t)PQgetlength(result, row, (int)i),
                  &batch->columns[i], &misfit, err);
    if (status == WH_OK) continue;
    wh_batch_row_undo(batch);
    if (status != WH_ERR_TYPE) return status;
    return wh_fail(err, WH_ERR_TYPE, "%.*s: %.*s.%.*s: %s", WH_STR_ARG(f->connection->name),
                   WH_STR_ARG(f->relation.table), WH_STR_ARG(d->name), misfit.reason);
  }
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_status finder_find(wh_finder *base, const wh_value *key, wh_batch *batch, wh_error *err) {
  finder *f = (finder *)base;
  char most[24];
  wh_arena_reset(&f->round);
  for (size_t i = 0; i < f->key_count; i++) {
    wh_status status = add_param(f, i, &key[i], err);
    if (status == WH_ERR_TYPE) return WH_OK;
    WH_TRY(status);
  }
  snprintf(most, sizeof most, "%zu", base->rows_max);
  f->params[f->key_count] = base->rows_max ? wh_str_of(most) : (wh_str){0};
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  wh_status status = wh_pg_exec_prepared(f->session, STATEMENT, f->params, f->key_count + 1,
                                         "looking up a row", &result, err);
  // 22xxx: the text is no value of the column's type, of which we know less than the server.
  if (status == WH_ERR_DATA) return WH_OK;
  WH_TRY(status);
  int rows = PQntuples(result);
  for (int row = 0; row < rows; row++)
    WH_TRY(add_row(f, result, row, batch, err));
  return WH_OK;
}

// --- opening -------------------------------------------------------------------------------------

static wh_status set_keys(finder *f, const wh_str *key, size_t count, wh_error *err) {
  f->keys = WH_NEW_ARRAY(&f->arena, count, const wh_pg_column *);
  f->params = WH_NEW_ARRAY(&f->arena, count + 1, wh_str);
  if (!f->keys || !f->params) return wh_fail_memory(err);
  f->key_count = count;
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->relation), key[i]);
    if (at < 0) return wh_pg_no_column(f->session, &f->relation, key[i], err);
    f->keys[i] = &f->relation.columns[at];
  }
  return WH_OK;
}

// Where the sink may not alter the table, orders are in one of their own, beside it.
static wh_status find_side_table(finder *f, wh_error *err) {
  if (f->relation.has_order) return WH_OK;
  wh_str own = wh_sql_own_name(&wh_pg_driver, &f->arena, WH_SQL_SIDE, f->relation.table);
  if (!own.data) return wh_fail_memory(err);
  wh_str name =
      wh_arena_printf(&f->arena, "%.*s.%.*s", WH_STR_ARG(f->relation.schema), WH_STR_ARG(own));
  if (!name.data) return wh_fail_memory(err);
  wh_error ignored = {0};
  wh_status status = wh_pg_relate(f->session, name, (wh_str){0}, &f->arena, &f->side, &ignored);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    if (err) *err = ignored;
    return status;
  }
  return wh_sql_key(WH_SQL_COLUMNS(&f->side), &f->arena, &f->side_key, &f->side_key_count, err);
}

static wh_status set_show(finder *f, const wh_str *show, size_t count, wh_error *err) {
  static const wh_pg_reading order = {.type = {.kind = WH_INT64}, .form = WH_PG_INT8};
  wh_field *fields = WH_NEW_ARRAY(&f->arena, count, wh_field);
  f->decoders = WH_NEW_ARRAY(&f->arena, count, wh_pg_decoder);
  if (!fields || !f->decoders) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->relation), show[i]);
    bool is_order = (f->relation.has_order || f->side_key) && wh_str_is(show[i], WH_ORDER_COLUMN);
    if (at < 0 && !is_order) return wh_pg_no_column(f->session, &f->relation, show[i], err);
    const wh_pg_column *c = is_order ? NULL : &f->relation.columns[at];
    fields[i] = is_order ? (wh_field){.name = WH_STR(WH_ORDER_COLUMN),
                                      .type = wh_type_of(WH_INT64),
                                      .nullable = true}
                         : (wh_field){.name = c->sql.name, .type = c->sql.type, .nullable = true};
    WH_TRY(wh_pg_decoder_init(&f->decoders[i], &fields[i], is_order ? &order : &c->reading,
                              &f->arena, err));
    if (c) fields[i].nullable = c->sql.nullable;
  }
  f->show = (wh_schema){.count = count, .fields = fields};
  f->base.schema = &f->show;
  return WH_OK;
}

static void add_order(const finder *f, wh_buf *sql) {
  if (!f->side_key) {
    wh_pg_add_name(sql, WH_STR(WH_ORDER_COLUMN));
    wh_buf_add_c(sql, "::pg_catalog.int8");
    return;
  }
  wh_buf_add_c(sql, "(SELECT s.");
  wh_pg_add_name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, "::pg_catalog.int8");
  wh_pg_add_from(sql, &f->side);
  wh_buf_add_c(sql, " AS s");
  for (size_t i = 0; i < f->side_key_count; i++) {
    wh_buf_add_c(sql, i ? " AND s." : " WHERE s.");
    wh_pg_add_name(sql, f->side_key[i]);
    wh_buf_add_c(sql, " = t.");
    wh_pg_add_name(sql, f->side_key[i]);
  }
  wh_buf_add_char(sql, ')');
}

// A parameter takes the type of what it is compared with; that of a domain or an enum is known to
// the server alone. Where values of different bytes may be equal, the bytes are compared too.
static void add_condition(const finder *f, size_t i, wh_buf *sql) {
  const wh_pg_column *c = f->keys[i];
  wh_buf_add_c(sql, i ? " AND " : " WHERE ");
  bool by_text = c->reading.cast != WH_PG_AS_IS && c->sql.native != WH_PG_OID_ENUM;
  if (by_text) {
    wh_pg_add_read(sql, c);
    wh_buf_printf(sql, " = $%zu", i + 1);
    return;
  }
  wh_pg_add_name(sql, c->sql.name);
  wh_buf_printf(sql, " = $%zu", i + 1);
  if (!c->sql.folds) return;
  wh_buf_add_c(sql, " AND ");
  wh_pg_add_name(sql, c->sql.name);
  wh_buf_printf(sql, "::pg_catalog.text COLLATE \"C\" = $%zu::pg_catalog.text", i + 1);
}

static wh_status prepare_find(finder *f, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, f->connection->mem, WH_PG_SQL_MAX);
  for (size_t i = 0; i < f->show.count; i++) {
    wh_str name = f->show.fields[i].name;
    wh_buf_add_c(&sql, i ? ", " : "SELECT ");
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&f->relation), name);
    if (at < 0)
      add_order(f, &sql);
    else
      wh_pg_add_read(&sql, &f->relation.columns[at]);
  }
  wh_pg_add_from(&sql, &f->relation);
  wh_buf_add_c(&sql, " AS t");
  for (size_t i = 0; i < f->key_count; i++)
    add_condition(f, i, &sql);
  wh_buf_printf(&sql, " LIMIT $%zu", f->key_count + 1);
  WH_TRY(wh_buf_check(&sql, err));
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(wh_pg_describe(f->session, STATEMENT, wh_buf_str(&sql), &result, err));
  if (PQresultStatus(result) == PGRES_COMMAND_OK) return WH_OK;
  return wh_pg_fail_result(f->session, result, "looking up a row", err);
}

static wh_status start(finder *f, wh_str table, const wh_str *key, size_t key_count,
                       const wh_str *show, size_t show_count, wh_error *err) {
  WH_TRY(wh_pg_open(f->connection, WH_SQL_READ, &f->session, err));
  WH_TRY(wh_pg_relate(f->session, table, (wh_str){0}, &f->arena, &f->relation, err));
  WH_TRY(wh_pg_sample(f->session, &f->relation, err));
  WH_TRY(set_keys(f, key, key_count, err));
  WH_TRY(find_side_table(f, err));
  WH_TRY(set_show(f, show, show_count, err));
  return prepare_find(f, err);
}

wh_status wh_pg_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                            const wh_str *show, size_t show_count, wh_finder **ret, wh_error *err) {
  finder *f = wh_mem_alloc_zero(c->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->base = (wh_finder){.find = finder_find, .close = finder_close};
  f->connection = c;
  wh_arena_init(&f->arena, c->mem);
  wh_arena_init(&f->round, c->mem);
  wh_status status = start(f, table, key, key_count, show, show_count, err);
  if (status != WH_OK) {
    finder_close(&f->base);
    return status;
  }
  *ret = &f->base;
  return WH_OK;
}
