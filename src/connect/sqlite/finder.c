// Finds rows by key. Key values that cannot be values of the column find nothing.
#include "connect/sqlite/encode.h"
#include "connect/sqlite/source.h"

typedef struct finder {
  wh_finder base;
  wh_sqlite_db db;
  wh_arena arena;
  wh_sqlite_relation relation;
  wh_schema show;
  wh_sqlite_decoder *decoders;
  // Keys are encoded as the sink does: a batch of one row.
  wh_schema key;
  wh_batch row;
  wh_sqlite_encoder *encoders;
  bool *spelled; // a time in a table that is not ours: its text may be spelled in any way
  wh_sqlite_decoder *key_decoders;
  const wh_str *side_key; // of the table that keeps the rows' orders; NULL: there is none
  size_t side_key_count;
  sqlite3_stmt *stmt;
} finder;

static void finder_close(wh_finder *base) {
  finder *f = (finder *)base;
  if (!f) return;
  wh_mem *mem = f->arena.mem;
  sqlite3_finalize(f->stmt);
  for (size_t i = 0; f->encoders && i < f->key.count; i++)
    wh_sqlite_encoder_free(&f->encoders[i]);
  wh_batch_free(&f->row);
  wh_sqlite_close(&f->db);
  wh_arena_free(&f->arena);
  wh_mem_free(mem, f, sizeof *f);
}

// A value of the column's type, or WH_ERR_TYPE when it is none.
static wh_status add_key(finder *f, size_t i, const wh_value *given, wh_error *err) {
  wh_column *column = &f->row.columns[i];
  if (given->is_null) return WH_ERR_TYPE;
  if (wh_type_eq(&given->type, &column->type)) return wh_value_add(column, given, err);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, f->arena.mem, 0);
  wh_value_write(given, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_value value;
  wh_error reason;
  wh_status status =
      wh_value_parse(wh_buf_str(&text), &column->type, &f->row.arena, &value, &reason);
  if (status == WH_ERR_TYPE) return status;
  if (status != WH_OK) return wh_fail(err, status, "%s", reason.text);
  return wh_value_add(column, &value, err);
}

static wh_status bind_keys(finder *f, const wh_value *key, wh_error *err) {
  wh_batch_reset(&f->row);
  for (size_t i = 0; i < f->key.count; i++) {
    WH_TRY(add_key(f, i, &key[i], err));
    wh_misfit misfit;
    WH_TRY(wh_sqlite_encode(&f->encoders[i], &f->row.columns[i], 0, f->stmt, (int)i + 1, &misfit,
                            err));
  }
  wh_batch_row_end(&f->row);
  return WH_OK;
}

// Times in tables of others were narrowed to their day only.
static wh_status is_same_key(finder *f, bool *ret, wh_error *err) {
  *ret = true;
  for (size_t i = 0, at = f->show.count; i < f->key.count && *ret; i++) {
    if (!f->spelled[i]) continue;
    wh_column found;
    wh_column_init(&found, f->arena.mem, &f->key.fields[i].type);
    wh_misfit misfit;
    wh_status status = wh_sqlite_decode(
        &f->key_decoders[i], sqlite3_column_value(f->stmt, (int)at++), &found, &misfit, err);
    if (status == WH_OK)
      *ret = wh_column_i64(&found, 0) == wh_column_i64(&f->row.columns[i], 0);
    else
      *ret = false;
    wh_column_free(&found);
    if (status != WH_OK && status != WH_ERR_TYPE) return status;
  }
  return WH_OK;
}

static wh_status add_found(finder *f, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < f->show.count; i++) {
    wh_misfit misfit;
    wh_status status = wh_sqlite_decode(&f->decoders[i], sqlite3_column_value(f->stmt, (int)i),
                                        &batch->columns[i], &misfit, err);
    if (status == WH_OK) continue;
    wh_batch_row_undo(batch);
    if (status != WH_ERR_TYPE) return status;
    return wh_fail(err, WH_ERR_TYPE, "%.*s: %.*s.%.*s: %s", WH_STR_ARG(f->db.connection->name),
                   WH_STR_ARG(f->relation.table), WH_STR_ARG(f->decoders[i].name), misfit.reason);
  }
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_status find_rows(finder *f, wh_batch *batch, wh_error *err) {
  size_t before = batch->rows;
  while (f->base.rows_max == 0 || batch->rows - before < f->base.rows_max) {
    bool row, same;
    WH_TRY(wh_sqlite_step(&f->db, f->stmt, &row, err));
    if (!row) return WH_OK;
    WH_TRY(is_same_key(f, &same, err));
    if (same) WH_TRY(add_found(f, batch, err));
  }
  return WH_OK;
}

static wh_status finder_find(wh_finder *base, const wh_value *key, wh_batch *batch, wh_error *err) {
  finder *f = (finder *)base;
  wh_status status = bind_keys(f, key, err);
  if (status == WH_OK)
    status = find_rows(f, batch, err);
  else if (status == WH_ERR_TYPE)
    status = WH_OK;
  sqlite3_reset(f->stmt);
  return status;
}

static bool is_time(wh_kind kind) {
  return kind == WH_DATE || kind == WH_TIME || kind == WH_TIMESTAMP;
}

static wh_status set_keys(finder *f, const wh_str *key, size_t count, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(&f->arena, count, wh_field);
  f->encoders = WH_NEW_ARRAY(&f->arena, count, wh_sqlite_encoder);
  f->key_decoders = WH_NEW_ARRAY(&f->arena, count, wh_sqlite_decoder);
  f->spelled = WH_NEW_ARRAY(&f->arena, count, bool);
  if (!fields || !f->encoders || !f->key_decoders || !f->spelled) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sqlite_relation_find(&f->relation, key[i]);
    if (at < 0) return wh_sqlite_no_column(&f->db, &f->relation, key[i], err);
    const wh_sqlite_column *c = &f->relation.columns[at];
    fields[i] = (wh_field){.name = c->name, .type = c->type};
    f->encoders[i] = (wh_sqlite_encoder){.type = c->type,
                                         .stored = c->type,
                                         .affinity = wh_sqlite_affinity_of(c->declared),
                                         .mem = f->arena.mem};
    f->key_decoders[i] = (wh_sqlite_decoder){.name = c->name, .type = c->type, .mem = f->arena.mem};
    f->spelled[i] = is_time(c->type.kind) && !f->relation.has_order;
  }
  f->key = (wh_schema){.count = count, .fields = fields};
  return wh_batch_init(&f->row, f->arena.mem, &f->key, err);
}

// Where the sink may not alter the table, orders are in one of their own.
static wh_status find_side_table(finder *f, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  bool found;
  if (f->relation.has_order) return WH_OK;
  WH_TRY(wh_sqlite_prepare_c(
      &f->db, "SELECT name FROM sqlite_schema WHERE name = '_wherry_order_' || ?1", &stmt, err));
  wh_sqlite_bind_str(stmt, 1, f->relation.table);
  WH_TRY(wh_sqlite_step(&f->db, stmt, &found, err));
  if (!found) return WH_OK;
  wh_sqlite_relation side;
  WH_TRY(wh_sqlite_relate(&f->db, wh_sqlite_text(stmt, 0), (wh_str){0}, &f->arena, &side, err));
  return wh_sqlite_relation_key(&side, &f->arena, &f->side_key, &f->side_key_count, err);
}

static wh_status set_show(finder *f, const wh_str *show, size_t count, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(&f->arena, count, wh_field);
  f->decoders = WH_NEW_ARRAY(&f->arena, count, wh_sqlite_decoder);
  if (!fields || !f->decoders) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sqlite_relation_find(&f->relation, show[i]);
    bool has_order = f->relation.has_order || f->side_key;
    bool is_order = has_order && wh_str_is(show[i], WH_ORDER_COLUMN);
    if (at < 0 && !is_order) return wh_sqlite_no_column(&f->db, &f->relation, show[i], err);
    fields[i] = is_order ? (wh_field){.name = WH_STR(WH_ORDER_COLUMN),
                                      .type = wh_type_of(WH_INT64),
                                      .nullable = true}
                         : (wh_field){.name = f->relation.columns[at].name,
                                      .type = f->relation.columns[at].type,
                                      .nullable = f->relation.columns[at].nullable};
    f->decoders[i] = (wh_sqlite_decoder){.name = fields[i].name,
                                         .type = fields[i].type,
                                         .nullable = fields[i].nullable,
                                         .mem = f->arena.mem};
  }
  f->show = (wh_schema){.count = count, .fields = fields};
  f->base.schema = &f->show;
  return WH_OK;
}

// Equal, byte for byte also where the column's collation sees more as equal (the first comparison
// is for the index). A spelled time: any text of its day or the ones around it.
static void add_key_condition(finder *f, size_t i, wh_buf *sql) {
  wh_str name = f->key.fields[i].name;
  int number = (int)i + 1;
  wh_buf_add_c(sql, i ? " AND " : " WHERE ");
  if (f->spelled[i] && f->key.fields[i].type.kind != WH_TIME) {
    wh_sqlite_add_name(sql, name);
    wh_buf_printf(sql, " >= date(?%d, '-1 day') AND ", number);
    wh_sqlite_add_name(sql, name);
    wh_buf_printf(sql, " < date(?%d, '+2 days')", number);
    return;
  }
  if (f->spelled[i]) {
    wh_buf_printf(sql, "?%d IS NOT NULL", number);
    return;
  }
  wh_sqlite_add_name(sql, name);
  wh_buf_printf(sql, " = ?%d AND ", number);
  wh_sqlite_add_name(sql, name);
  wh_buf_printf(sql, " COLLATE BINARY = ?%d", number);
}

static void add_shown(finder *f, wh_str name, wh_buf *sql) {
  if (!f->side_key || !wh_str_is(name, WH_ORDER_COLUMN)) {
    wh_sqlite_add_name(sql, name);
    return;
  }
  wh_buf_add_c(sql, "(SELECT s.\"" WH_ORDER_COLUMN "\" FROM ");
  wh_sqlite_add_name2(sql, "_wherry_order_", f->relation.table);
  wh_buf_add_c(sql, " AS s WHERE ");
  for (size_t i = 0; i < f->side_key_count; i++) {
    wh_buf_add_c(sql, i ? " AND s." : "s.");
    wh_sqlite_add_name(sql, f->side_key[i]);
    wh_buf_add_c(sql, " = ");
    wh_sqlite_add_name(sql, f->relation.table);
    wh_buf_add_char(sql, '.');
    wh_sqlite_add_name(sql, f->side_key[i]);
  }
  wh_buf_add_char(sql, ')');
}

static wh_status prepare_find(finder *f, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, f->arena.mem, WH_SQLITE_SQL_MAX);
  const char *sep = "SELECT ";
  for (size_t i = 0; i < f->show.count; i++, sep = ", ") {
    wh_buf_add_c(&sql, sep);
    add_shown(f, f->show.fields[i].name, &sql);
  }
  for (size_t i = 0; i < f->key.count; i++) {
    if (!f->spelled[i]) continue;
    wh_buf_add_c(&sql, sep);
    wh_sqlite_add_name(&sql, f->key.fields[i].name);
    sep = ", ";
  }
  wh_sqlite_add_from(&sql, &f->relation);
  for (size_t i = 0; i < f->key.count; i++)
    add_key_condition(f, i, &sql);
  return wh_sqlite_prepare(&f->db, &sql, &f->stmt, err);
}

wh_status wh_sqlite_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                                const wh_str *show, size_t show_count, wh_finder **ret,
                                wh_error *err) {
  finder *f = wh_mem_alloc_zero(c->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->base = (wh_finder){.find = finder_find, .close = finder_close};
  wh_arena_init(&f->arena, c->mem);
  wh_status status = wh_sqlite_open(c, WH_SQLITE_READ, &f->db, err);
  if (status == WH_OK)
    status = wh_sqlite_relate(&f->db, table, (wh_str){0}, &f->arena, &f->relation, err);
  if (status == WH_OK) status = wh_sqlite_sample(&f->db, &f->relation, err);
  if (status == WH_OK) status = set_keys(f, key, key_count, err);
  if (status == WH_OK) status = find_side_table(f, err);
  if (status == WH_OK) status = set_show(f, show, show_count, err);
  if (status == WH_OK) status = prepare_find(f, err);
  if (status != WH_OK) {
    finder_close(&f->base);
    return status;
  }
  *ret = &f->base;
  return WH_OK;
}
