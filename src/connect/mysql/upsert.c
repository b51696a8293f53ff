// MySQL's whole statements: see connect/sql_target.h for what they are made of. Not ON DUPLICATE
// KEY UPDATE, which would take a row that another unique index has for the one of the same key:
// rows that are there are updated, then the others are inserted. No statement names the batch's
// table twice, which MySQL does not allow of a temporary one.
#include "connect/mysql/upsert.h"
#include "connect/sql_upsert.h"

// --- Tables --------------------------------------------------------------------------------------

// Columns of a SELECT keep their type, character set and NOT NULL, and nothing else.
wh_status wh_mysql_add_batch_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "DROP TEMPORARY TABLE IF EXISTS %.*s", WH_STR_ARG(t->batch));
  sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "CREATE TEMPORARY TABLE %.*s (", WH_STR_ARG(t->batch));
  t->driver->name(sql, WH_STR(WH_SQL_NUMBER));
  wh_buf_add_c(sql, " BIGINT NOT NULL PRIMARY KEY, ");
  t->driver->name(sql, WH_STR(WH_SQL_CHOSEN));
  wh_buf_add_c(sql, " BOOLEAN NOT NULL DEFAULT 0) ENGINE=InnoDB SELECT 0 AS ");
  t->driver->name(sql, WH_STR(WH_SQL_NUMBER));
  wh_buf_add_c(sql, ", 0 AS ");
  t->driver->name(sql, WH_STR(WH_SQL_CHOSEN));
  wh_buf_add_c(sql, ", ");
  wh_sql_add_columns(sql, t, NULL);
  wh_buf_printf(sql, " FROM %.*s LIMIT 0", WH_STR_ARG(t->table));
  return wh_sql_statements_check(ret, err);
}

// Not TRUNCATE, which would commit.
bool wh_mysql_add_clear(wh_buf *sql, wh_str table) {
  wh_buf_add_c(sql, "DELETE FROM ");
  return wh_buf_add_str(sql, table);
}

// CHECKs and other unique indexes refuse at the end only.
wh_status wh_mysql_add_stage_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "CREATE TABLE %.*s (", WH_STR_ARG(t->stage));
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, t->key_count ? " BIGINT NOT NULL, PRIMARY KEY (" : " BIGINT NOT NULL, KEY (");
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  if (t->key_count) {
    wh_buf_add_c(sql, ", ");
    wh_sql_add_key(sql, t, NULL);
  }
  wh_buf_add_c(sql, ")) ENGINE=InnoDB SELECT 0 AS ");
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, ", ");
  wh_sql_add_columns(sql, t, NULL);
  wh_buf_printf(sql, " FROM %.*s LIMIT 0", WH_STR_ARG(t->table));
  return wh_sql_statements_check(ret, err);
}

// --- Upsert and replace --------------------------------------------------------------------------

static void add_update(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage,
                       int64_t order) {
  wh_buf_printf(sql, "UPDATE %.*s AS t JOIN %.*s AS s ON ",
                WH_STR_ARG(into_stage ? t->stage : t->table), WH_STR_ARG(from));
  wh_sql_add_join_on(sql, t, into_stage);
  wh_buf_add_c(sql, " SET ");
  wh_sql_add_set(sql, t, "t.", "s", into_stage, order);
  wh_buf_add_c(sql, " WHERE ");
}

static void add_choice(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_printf(sql, "UPDATE %.*s AS s LEFT JOIN %.*s AS t ON ", WH_STR_ARG(t->batch),
                WH_STR_ARG(t->table));
  wh_sql_add_key_equal(sql, t, "t", "s");
  wh_buf_add_c(sql, " SET s.");
  t->driver->name(sql, WH_STR(WH_SQL_CHOSEN));
  wh_buf_add_c(sql, " = 1 WHERE ");
  wh_sql_add_is_to_choose(sql, t, order);
}

// The side table has no index but its key's, so that here a duplicate is one of the key.
static void add_orders(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_sql_add_side_insert(sql, t, order);
  wh_buf_add_c(sql, " ON DUPLICATE KEY UPDATE ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, " = ");
  wh_sql_add_i64(sql, order);
}

static const wh_sql_upsert upsert = {
    .locked = "", .add_update = add_update, .add_choice = add_choice, .add_orders = add_orders};

wh_status wh_mysql_add_upsert(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                              wh_error *err) {
  return wh_sql_add_upsert(&upsert, t, order, ret, err);
}

wh_status wh_mysql_add_replace(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                               wh_error *err) {
  return wh_sql_add_replace(&upsert, t, order, ret, err);
}
