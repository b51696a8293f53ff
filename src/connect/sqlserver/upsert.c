// SQL Server's whole statements: see connect/sql_target.h for what they are made of. Not MERGE,
// which takes no lock between looking for a row and inserting it: rows that are there are updated,
// then the others are inserted, and the locks of the first (UPDLOCK, HOLDLOCK: the gaps, too) hold
// until the transaction ends.
#include "connect/sqlserver/upsert.h"
#include "connect/sql_upsert.h"

#define LOCKED " WITH (UPDLOCK, HOLDLOCK)"

// --- Tables --------------------------------------------------------------------------------------

static void add_definitions(wh_buf *sql, const wh_sql_target *t) {
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, ", ");
    wh_sql_add_column(sql, t, NULL, i);
    bool is_key = false;
    for (size_t k = 0; k < t->key_count; k++)
      is_key |= t->key[k] == i;
    wh_buf_printf(sql, " %.*s %s", WH_STR_ARG(t->columns[i].declared),
                  is_key ? "NOT NULL" : "NULL");
  }
}

// Bulk copy fills columns by their order: the number, then those of the batch.
wh_status wh_mssql_add_batch_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "IF OBJECT_ID(N'tempdb..%.*s') IS NOT NULL DROP TABLE %.*s",
                WH_STR_ARG(t->batch), WH_STR_ARG(t->batch));
  sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "CREATE TABLE %.*s (", WH_STR_ARG(t->batch));
  t->driver->name(sql, WH_STR(WH_SQL_NUMBER));
  wh_buf_add_c(sql, " int NOT NULL");
  add_definitions(sql, t);
  wh_buf_add_c(sql, ", ");
  t->driver->name(sql, WH_STR(WH_SQL_CHOSEN));
  wh_buf_add_c(sql, " bit NULL)");
  return wh_sql_statements_check(ret, err);
}

bool wh_mssql_add_clear(wh_buf *sql, wh_str table) {
  wh_buf_add_c(sql, "TRUNCATE TABLE ");
  return wh_buf_add_str(sql, table);
}

// CHECKs and other unique indexes refuse at the end only.
wh_status wh_mssql_add_stage_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "CREATE TABLE %.*s (", WH_STR_ARG(t->stage));
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, " bigint NOT NULL");
  add_definitions(sql, t);
  if (t->key_count) {
    wh_buf_add_c(sql, ", PRIMARY KEY (");
    t->driver->name(sql, WH_STR(WH_SQL_STAGE));
    wh_buf_add_c(sql, ", ");
    wh_sql_add_key(sql, t, NULL);
    wh_buf_add_char(sql, ')');
  }
  wh_buf_add_char(sql, ')');
  return wh_sql_statements_check(ret, err);
}

// --- Upsert and replace --------------------------------------------------------------------------

static void add_update(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage,
                       int64_t order) {
  wh_buf_add_c(sql, "UPDATE t SET ");
  wh_sql_add_set(sql, t, "", "s", into_stage, order);
  wh_buf_printf(sql, " FROM %.*s AS t" LOCKED " INNER JOIN %.*s AS s ON ",
                WH_STR_ARG(into_stage ? t->stage : t->table), WH_STR_ARG(from));
  wh_sql_add_join_on(sql, t, into_stage);
  wh_buf_add_c(sql, " WHERE ");
}

static void add_choice(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_add_c(sql, "UPDATE s SET ");
  t->driver->name(sql, WH_STR(WH_SQL_CHOSEN));
  wh_buf_printf(sql, " = 1 FROM %.*s AS s LEFT JOIN %.*s AS t" LOCKED " ON ", WH_STR_ARG(t->batch),
                WH_STR_ARG(t->table));
  wh_sql_add_key_equal(sql, t, "t", "s");
  wh_buf_add_c(sql, " WHERE ");
  wh_sql_add_is_to_choose(sql, t, order);
}

// `UPDATE o SET order FROM side JOIN batch; INSERT INTO side`
static void add_orders(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_add_c(sql, "UPDATE o SET ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, " = ");
  wh_sql_add_i64(sql, order);
  wh_buf_printf(sql, " FROM %.*s AS o" LOCKED " INNER JOIN %.*s AS s ON ", WH_STR_ARG(t->side),
                WH_STR_ARG(t->batch));
  wh_sql_add_key_equal(sql, t, "o", "s");
  wh_buf_add_c(sql, " WHERE ");
  wh_sql_add_is_chosen(sql, t);
  wh_buf_add_c(sql, "; ");
  wh_sql_add_side_insert(sql, t, order);
  wh_buf_printf(sql, " AND NOT EXISTS (SELECT 1 FROM %.*s AS o" LOCKED " WHERE ",
                WH_STR_ARG(t->side));
  wh_sql_add_key_equal(sql, t, "o", "s");
  wh_buf_add_char(sql, ')');
}

static const wh_sql_upsert upsert = {
    .locked = LOCKED, .add_update = add_update, .add_choice = add_choice, .add_orders = add_orders};

wh_status wh_mssql_add_upsert(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                              wh_error *err) {
  return wh_sql_add_upsert(&upsert, t, order, ret, err);
}

wh_status wh_mssql_add_replace(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                               wh_error *err) {
  return wh_sql_add_replace(&upsert, t, order, ret, err);
}
