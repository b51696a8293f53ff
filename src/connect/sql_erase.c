// Rows that are gone at the source, in database servers. Deletions are remembered in a table beside
// the target, which is loaded like a target itself: its rows are keys, its guard is the order. What
// they delete goes before they are put there, in the same savepoint.
#include "connect/sink_table.h"
#include "connect/sql_sink.h"
#include "data/deleted.h"

#define TIME_COLUMN "_wherry_time"

// --- The table of deletions ----------------------------------------------------------------------

static wh_status name_deleted(wh_sink *sink, const wh_sql_target *t, wh_sql_target *d,
                              wh_error *err) {
  wh_arena *arena = &sink->arena;
  const wh_sql_driver *driver = t->driver;
  d->schema_name = t->schema_name;
  d->table_name = wh_sql_own_name(driver, arena, WH_SQL_DELETED, t->table_name);
  wh_str batch =
      wh_arena_printf(arena, "%s_wherry_deleted_%zu", driver->temporary_prefix, t->index);
  if (!d->table_name.data || !batch.data) return wh_fail_memory(err);
  d->name = d->table_name;
  d->table = wh_sql_quoted(driver, arena, t->schema_name, d->table_name);
  d->batch = wh_sql_quoted(driver, arena, (wh_str){0}, batch);
  return d->table.data && d->batch.data ? WH_OK : wh_fail_memory(err);
}

static wh_status add_time(wh_sink *sink, wh_sql_target *d, size_t at, wh_error *err) {
  WH_CLEAN_BUF wh_buf declared;
  wh_buf_init(&declared, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_type type = wh_type_of(WH_INT64);
  d->driver->declare(&type, false, &declared);
  WH_TRY(wh_buf_check(&declared, err));
  d->driver->declared(&type, false, &d->columns[at]);
  d->names[at] = d->columns[at].name = WH_STR(TIME_COLUMN);
  d->columns[at].declared = wh_arena_str(&sink->arena, wh_buf_str(&declared));
  return d->columns[at].declared.data ? WH_OK : wh_fail_memory(err);
}

// The target that remembers the deletions of `t`: its key, and when.
static wh_status make_target(wh_sink *sink, wh_sql_target *t, wh_sql_target **ret, wh_error *err) {
  wh_arena *arena = &sink->arena;
  size_t count = t->key_count + 1;
  wh_sql_target *d = WH_NEW(arena, wh_sql_target);
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  if (!d || !fields) return wh_fail_memory(err);
  *d = (wh_sql_target){.driver = t->driver, .index = t->index, .version = -1, .has_order = true};
  d->spec = (wh_target){.mode = WH_WRITE_UPSERT, .key_count = t->key_count};
  d->key = WH_NEW_ARRAY(arena, count, size_t);
  d->columns = WH_NEW_ARRAY(arena, count, wh_sql_column);
  d->names = WH_NEW_ARRAY(arena, count, wh_str);
  d->checked = WH_NEW_ARRAY(arena, count, bool);
  if (!d->key || !d->columns || !d->names || !d->checked) return wh_fail_memory(err);
  d->schema = (wh_schema){.count = count, .fields = fields};
  d->spec.schema = &d->schema;
  d->key_count = t->key_count;
  d->may_collide = t->may_collide;
  for (size_t i = 0; i < t->key_count; i++) {
    d->key[i] = i;
    fields[i] = t->schema.fields[t->key[i]];
    d->columns[i] = t->columns[t->key[i]];
    d->names[i] = t->names[t->key[i]];
    d->checked[i] = t->checked[t->key[i]];
  }
  fields[t->key_count] = (wh_field){.name = WH_STR(TIME_COLUMN), .type = wh_type_of(WH_INT64)};
  WH_TRY(name_deleted(sink, t, d, err));
  WH_TRY(add_time(sink, d, t->key_count, err));
  d->erases = t;
  *ret = d;
  return WH_OK;
}

wh_status wh_sql_show_deleted(wh_sink *sink, wh_sql_target *t, wh_buf *sql, wh_error *err) {
  wh_sql_target *d;
  WH_TRY(make_target(sink, t, &d, err));
  wh_sql_add_table(sql, d);
  return wh_buf_check(sql, err);
}

wh_status wh_sql_prepare_deleted(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  wh_sql_target *d;
  bool exists;
  t->deleted = NULL;
  if (t->spec.mode != WH_WRITE_UPSERT) return WH_OK;
  WH_TRY(make_target(sink, t, &d, err));
  WH_TRY(wh_sql_has_table(sink, d->schema_name, d->table_name, &exists, err));
  if (!exists && !t->spec.erases) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  if (!exists) {
    wh_sql_add_table(&sql, d);
    WH_TRY(wh_sql_make_table(sink, d->schema_name, d->table_name, &sql, err));
  }
  t->deleted = d;
  if (!t->spec.erases) return WH_OK;
  WH_CLEAN_STATEMENTS wh_sql_statements s;
  wh_sql_statements_init(&s, sink->connection->mem);
  WH_TRY(t->driver->add_batch_table(d, &s, err));
  return wh_sql_run_all(sink, &s, NULL, err);
}

wh_status wh_sql_begin_deleted(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  t->any_deleted = false;
  if (!t->deleted) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "SELECT CASE WHEN EXISTS (SELECT 1 FROM %.*s) THEN 1 ELSE 0 END",
                WH_STR_ARG(t->deleted->table));
  int64_t any = 0;
  WH_TRY(wh_sql_ask_i64(sink, &sql, NULL, 0, NULL, &any, 1, err));
  t->any_deleted = any != 0;
  return WH_OK;
}

wh_status wh_sql_purge_deleted(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  if (!t->any_deleted) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "DELETE FROM %.*s WHERE ", WH_STR_ARG(t->deleted->table));
  t->driver->name(&sql, WH_STR(TIME_COLUMN));
  wh_buf_add_c(&sql, " < ");
  wh_sql_add_i64(&sql, sink->load.now_us - t->spec.tombstone_keep_us);
  return wh_sql_run(sink, &sql, NULL, 0, NULL, err);
}

// --- Pieces --------------------------------------------------------------------------------------

// Of `t` and `s`, or other names: the same key, as the index compares, and by its bytes.
static void add_key_is(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b) {
  wh_sql_add_key_equal(sql, t, a, b);
  if (!t->may_collide) return;
  wh_buf_add_c(sql, " AND ");
  wh_sql_add_key_same(sql, t, a, b);
}

// One of the driver's joined statements: %t the table, %s the other, %v what is set, %c on what.
static void add_joined(wh_buf *sql, const char *format, wh_str table, wh_str from,
                       const wh_buf *set, const wh_buf *condition) {
  for (const char *c = format; *c; c++) {
    if (*c != '%') {
      wh_buf_add_char(sql, *c);
      continue;
    }
    c++;
    wh_buf_add_str(sql, *c == 't'   ? table
                        : *c == 's' ? from
                        : *c == 'v' ? wh_buf_str(set)
                                    : wh_buf_str(condition));
  }
  sql->failed |= condition->failed || (set && set->failed);
}

// Runs it for the rows of `table` that have a key of `from`; `and` may be NULL.
static wh_status run_joined(wh_sink *sink, const wh_sql_target *t, const char *format, wh_str table,
                            wh_str from, const wh_buf *set, const wh_buf *and, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  WH_CLEAN_BUF wh_buf condition;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_init(&condition, sink->connection->mem, WH_SQL_TEXT_MAX);
  add_key_is(&condition, t, "t", "s");
  if (and) {
    wh_buf_add_str(&condition, wh_buf_str(and));
    condition.failed |= and->failed;
  }
  add_joined(&sql, format, table, from, set, &condition);
  return wh_sql_run(sink, &sql, NULL, 0, NULL, err);
}

// `SELECT number FROM batch s JOIN table t ON key WHERE order op N`
static wh_status ask_by_order(const wh_sql_erase *e, const wh_sql_target *of, wh_str batch,
                              const char *op, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, e->sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT s.");
  of->driver->name(&sql, WH_STR(WH_SQL_NUMBER));
  wh_buf_printf(&sql, " FROM %.*s s JOIN %.*s t ON ", WH_STR_ARG(batch), WH_STR_ARG(of->table));
  add_key_is(&sql, of, "t", "s");
  wh_buf_add_c(&sql, " WHERE ");
  wh_sql_add_stored_order(&sql, of, "t");
  wh_buf_printf(&sql, " %s ", op);
  wh_sql_add_i64(&sql, e->sink->load.order);
  return e->drop(e->context, &sql, op[0] == '=', err);
}

// --- Rows that come ------------------------------------------------------------------------------

wh_status wh_sql_meet_deleted(const wh_sql_erase *e, const wh_sql_target *t, wh_error *err) {
  WH_TRY(ask_by_order(e, t->deleted, t->batch, ">", err));
  if (t->spec.deletes != WH_DELETES_MARK) return WH_OK;
  // What is marked, and whose deletion is over, makes room for the row, whatever its version.
  WH_CLEAN_BUF wh_buf and;
  wh_buf_init(&and, e->sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&and, " AND t.");
  t->driver->name(&and, WH_STR(WH_DELETED_COLUMN));
  wh_buf_printf(&and, " = %s AND EXISTS (SELECT 1 FROM %.*s o WHERE ", t->driver->yes,
                WH_STR_ARG(t->deleted->table));
  add_key_is(&and, t->deleted, "o", "t");
  wh_buf_add_char(&and, ')');
  return run_joined(e->sink, t, t->driver->delete_joined, t->table, t->batch, NULL, &and, err);
}

wh_status wh_sql_end_deleted(wh_sink *sink, const wh_sql_target *t, wh_error *err) {
  return run_joined(sink, t->deleted, t->driver->delete_joined, t->deleted->table, t->batch, NULL,
                    NULL, err);
}

// --- Rows that go --------------------------------------------------------------------------------

static wh_status set_order(wh_sink *sink, const wh_sql_target *t, wh_str table, bool marks,
                           wh_error *err) {
  WH_CLEAN_BUF wh_buf set;
  wh_buf_init(&set, sink->connection->mem, WH_SQL_TEXT_MAX);
  if (marks) {
    t->driver->name(&set, WH_STR(WH_DELETED_COLUMN));
    wh_buf_printf(&set, " = %s", t->driver->yes);
  }
  if (!marks || t->has_order) {
    wh_buf_add_c(&set, marks ? ", " : "");
    t->driver->name(&set, WH_STR(WH_ORDER_COLUMN));
    wh_buf_add_c(&set, " = ");
    wh_sql_add_i64(&set, sink->load.order);
  }
  return run_joined(sink, t, t->driver->update_joined, table, t->deleted->batch, &set, NULL, err);
}

wh_status wh_sql_erase_rows(const wh_sql_erase *e, const wh_sql_target *t, wh_error *err) {
  wh_sink *sink = e->sink;
  wh_str keys = t->deleted->batch;
  // Rows and deletions that are as new stay: a row that came with the same order counts more.
  const wh_sql_target *const there[] = {t, t->deleted};
  for (size_t i = 0; i < 2; i++) {
    WH_TRY(ask_by_order(e, there[i], keys, ">", err));
    WH_TRY(ask_by_order(e, there[i], keys, "=", err));
  }
  if (t->spec.deletes == WH_DELETES_MARK) {
    WH_TRY(set_order(sink, t, t->table, true, err));
    return t->has_side ? set_order(sink, t, t->side, false, err) : WH_OK;
  }
  const char *format = t->driver->delete_joined;
  WH_TRY(run_joined(sink, t, format, t->table, keys, NULL, NULL, err));
  return t->has_side ? run_joined(sink, t, format, t->side, keys, NULL, NULL, err) : WH_OK;
}

static wh_status make_keys(wh_sink *sink, const wh_sql_target *t, const wh_batch *batch,
                           wh_batch *ret, wh_error *err) {
  wh_batch_borrow_rows(ret, batch);
  for (size_t i = 0; i < t->key_count; i++)
    wh_column_borrow(&ret->columns[i], &batch->columns[t->key[i]]);
  for (size_t i = 0; i < batch->rows; i++)
    WH_TRY(wh_column_add_i64(&ret->columns[t->key_count], sink->load.now_us, err));
  return WH_OK;
}

wh_status wh_sql_sink_erase(wh_sink *sink, size_t target, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err) {
  wh_sql_target *t = &sink->targets[target];
  if (!sink->in_transaction || !t->spec.erases)
    return wh_fail(err, WH_ERR_BUG, "%.*s: deletions outside a transaction, or without notice",
                   WH_STR_ARG(sink->connection->name));
  t->any_deleted = t->any_deleted || batch->rows > 0;
  wh_batch keys;
  uint64_t before = counts->written;
  wh_status status = wh_batch_init(&keys, sink->connection->mem, &t->deleted->schema, err);
  if (status == WH_OK) status = make_keys(sink, t, batch, &keys, err);
  if (status == WH_OK) status = wh_sql_write_rows(sink, t->deleted, &keys, rejects, counts, err);
  wh_batch_free(&keys);
  counts->deleted += counts->written - before;
  return status;
}
