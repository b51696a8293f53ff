// PostgreSQL's whole statements: see connect/sql_target.h for what they are made of.
#include "connect/postgres/upsert.h"

wh_status pg_add_batch_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "DROP TABLE IF EXISTS %.*s", WH_STR_ARG(t->batch));
  sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "CREATE TEMPORARY TABLE %.*s AS SELECT 0 AS ", WH_STR_ARG(t->batch));
  t->driver->name(sql, WH_STR(WH_SQL_NUMBER));
  wh_buf_add_c(sql, ", ");
  wh_sql_add_columns(sql, t, NULL);
  wh_buf_printf(sql, " FROM %.*s WITH NO DATA", WH_STR_ARG(t->table));
  return wh_sql_statements_check(ret, err);
}

bool pg_add_clear(wh_buf *sql, wh_str table) {
  return wh_buf_printf(sql, "TRUNCATE %.*s", WH_STR_ARG(table));
}

// Its CHECKs and NOT NULLs come with it; what other unique indexes would refuse comes out at the
// end.
wh_status pg_add_stage_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql,
                "CREATE TABLE %.*s (LIKE %.*s INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING "
                "GENERATED, ",
                WH_STR_ARG(t->stage), WH_STR_ARG(t->table));
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, " bigint NOT NULL");
  if (t->key_count) {
    wh_buf_add_c(sql, ", PRIMARY KEY (");
    t->driver->name(sql, WH_STR(WH_SQL_STAGE));
    wh_buf_add_c(sql, ", ");
    wh_sql_add_key(sql, t, NULL);
    wh_buf_add_char(sql, ')');
  }
  wh_buf_add_char(sql, ')');
  if (t->has_order) { // of no use in the stage
    sql = wh_sql_more(ret, false);
    wh_buf_printf(sql, "ALTER TABLE %.*s DROP COLUMN ", WH_STR_ARG(t->stage));
    t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  }
  return wh_sql_statements_check(ret, err);
}

static void add_into_stage(wh_buf *sql, const wh_sql_target *t) {
  wh_buf_printf(sql, "INSERT INTO %.*s AS t (", WH_STR_ARG(t->stage));
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, ", ");
  wh_sql_add_columns(sql, t, NULL);
  wh_buf_add_c(sql, ") SELECT ");
  wh_sql_add_i64(sql, t->stage_id);
  wh_buf_add_c(sql, ", ");
  wh_sql_add_columns(sql, t, NULL);
  wh_buf_printf(sql, " FROM %.*s ON CONFLICT (", WH_STR_ARG(t->batch));
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, ", ");
}

// `INSERT INTO table AS t (columns, order) SELECT columns, N `
static void add_insert(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_printf(sql, "INSERT INTO %.*s AS t (", WH_STR_ARG(t->table));
  wh_sql_add_columns(sql, t, NULL);
  if (t->has_order) {
    wh_buf_add_c(sql, ", ");
    t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  }
  // What came counts also where the column would count by itself (GENERATED ALWAYS AS IDENTITY).
  wh_buf_add_c(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
  wh_sql_add_columns(sql, t, NULL);
  if (t->has_order) {
    wh_buf_add_c(sql, ", ");
    wh_sql_add_i64(sql, order);
  }
}

static void add_update(wh_buf *sql, const wh_sql_target *t, bool into_stage, int64_t order) {
  wh_sql_add_key(sql, t, NULL);
  wh_buf_add_c(sql, ") DO UPDATE SET ");
  wh_sql_add_set(sql, t, "", "excluded", into_stage, order);
  wh_buf_add_c(sql, " WHERE ");
}

// The orders of the rows that the insert returns.
static void add_side(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_add_c(sql, " RETURNING ");
  wh_sql_add_key(sql, t, "t");
  wh_buf_printf(sql, ") INSERT INTO %.*s (", WH_STR_ARG(t->side));
  wh_sql_add_key(sql, t, NULL);
  wh_buf_add_c(sql, ", ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, ") SELECT ");
  wh_sql_add_key(sql, t, NULL);
  wh_buf_add_c(sql, ", ");
  wh_sql_add_i64(sql, order);
  wh_buf_add_c(sql, " FROM written ON CONFLICT (");
  wh_sql_add_key(sql, t, NULL);
  wh_buf_add_c(sql, ") DO UPDATE SET ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, " = excluded.");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
}

wh_status pg_add_upsert(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                        wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, true);
  bool into_stage = wh_sql_into_stage(t);
  if (into_stage) {
    add_into_stage(sql, t);
  } else {
    if (t->has_side) wh_buf_add_c(sql, "WITH written AS (");
    add_insert(sql, t, order);
    wh_buf_printf(sql, " FROM %.*s ON CONFLICT (", WH_STR_ARG(t->batch));
  }
  add_update(sql, t, into_stage, order);
  wh_sql_add_guard(sql, t, "t", "excluded", into_stage, order);
  if (t->has_side && !into_stage) add_side(sql, t, order);
  return wh_sql_statements_check(ret, err);
}

wh_status pg_add_replace(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                         wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "DELETE FROM %.*s AS t", WH_STR_ARG(t->table));
  wh_sql_add_not_staged(sql, t);
  sql = wh_sql_more(ret, true);
  add_insert(sql, t, order);
  wh_buf_printf(sql, " FROM %.*s WHERE ", WH_STR_ARG(t->stage));
  wh_sql_add_stage_is(sql, t, NULL);
  if (t->key_count) {
    wh_buf_add_c(sql, " ON CONFLICT (");
    add_update(sql, t, false, order);
    wh_sql_add_differs(sql, t, "t", "excluded");
  }
  return wh_sql_statements_check(ret, err);
}
