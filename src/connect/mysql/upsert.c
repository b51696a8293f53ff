// MySQL's whole statements: see connect/sql_target.h for what they are made of. Not ON DUPLICATE
// KEY UPDATE, which would take a row that another unique index has for the one of the same key:
// rows that are there are updated, then the others are inserted. No statement names the batch's
// table twice, which MySQL does not allow of a temporary one.
#include "connect/mysql/upsert.h"

#define CHOSEN "_wherry_w" // whether the row of the batch is written; for targets with a side table

// --- Tables --------------------------------------------------------------------------------------

// Columns of a SELECT keep their type, character set and NOT NULL, and nothing else.
wh_status wh_mysql_add_batch_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "DROP TEMPORARY TABLE IF EXISTS %.*s", WH_STR_ARG(t->batch));
  sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "CREATE TEMPORARY TABLE %.*s (", WH_STR_ARG(t->batch));
  t->driver->name(sql, WH_STR(WH_SQL_NUMBER));
  wh_buf_add_c(sql, " BIGINT NOT NULL PRIMARY KEY, ");
  t->driver->name(sql, WH_STR(CHOSEN));
  wh_buf_add_c(sql, " BOOLEAN NOT NULL DEFAULT 0) ENGINE=InnoDB SELECT 0 AS ");
  t->driver->name(sql, WH_STR(WH_SQL_NUMBER));
  wh_buf_add_c(sql, ", 0 AS ");
  t->driver->name(sql, WH_STR(CHOSEN));
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

// --- Pieces --------------------------------------------------------------------------------------

// `t._wherry_stage = N`
static void add_stage_is(wh_buf *sql, const wh_sql_target *t, const char *alias) {
  wh_buf_add_c(sql, alias);
  wh_buf_add_char(sql, '.');
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, " = ");
  wh_sql_add_i64(sql, t->stage_id);
}

// `UPDATE into t JOIN from s ON keys ` of a table or the load's stage.
static void add_join(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage) {
  wh_buf_printf(sql, "UPDATE %.*s t JOIN %.*s s ON ", WH_STR_ARG(into_stage ? t->stage : t->table),
                WH_STR_ARG(from));
  wh_sql_add_key_equal(sql, t, "t", "s");
  if (into_stage) {
    wh_buf_add_c(sql, " AND ");
    add_stage_is(sql, t, "t");
  }
}

static void add_set(wh_buf *sql, const wh_sql_target *t, bool into_stage, int64_t order) {
  wh_buf_add_c(sql, " SET ");
  wh_sql_add_set(sql, t, "t.", "s", into_stage, order);
  wh_buf_add_c(sql, " WHERE ");
}

// `INSERT INTO into (columns) SELECT columns FROM from s WHERE `
static void add_insert(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage,
                       int64_t order) {
  wh_str extra = into_stage ? WH_STR(WH_SQL_STAGE) : WH_STR(WH_ORDER_COLUMN);
  bool has_extra = into_stage || t->has_order;
  wh_buf_printf(sql, "INSERT INTO %.*s (", WH_STR_ARG(into_stage ? t->stage : t->table));
  wh_sql_add_columns(sql, t, NULL);
  if (has_extra) {
    wh_buf_add_c(sql, ", ");
    t->driver->name(sql, extra);
  }
  wh_buf_add_c(sql, ") SELECT ");
  wh_sql_add_columns(sql, t, "s");
  if (has_extra) {
    wh_buf_add_c(sql, ", ");
    wh_sql_add_i64(sql, into_stage ? t->stage_id : order);
  }
  wh_buf_printf(sql, " FROM %.*s s WHERE ", WH_STR_ARG(from));
}

// `NOT EXISTS (SELECT 1 FROM into t WHERE keys)`
static void add_is_new(wh_buf *sql, const wh_sql_target *t, bool into_stage) {
  wh_buf_printf(sql, "NOT EXISTS (SELECT 1 FROM %.*s t WHERE ",
                WH_STR_ARG(into_stage ? t->stage : t->table));
  wh_sql_add_key_equal(sql, t, "t", "s");
  if (into_stage) {
    wh_buf_add_c(sql, " AND ");
    add_stage_is(sql, t, "t");
  }
  wh_buf_add_char(sql, ')');
}

static void add_is_chosen(wh_buf *sql, const wh_sql_target *t) {
  wh_buf_add_c(sql, "s.");
  t->driver->name(sql, WH_STR(CHOSEN));
  wh_buf_add_c(sql, " = 1");
}

// --- Upsert --------------------------------------------------------------------------------------

// Which rows are written has to be known behind the writing, too: by their orders.
static void add_choice(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_printf(sql, "UPDATE %.*s s LEFT JOIN %.*s t ON ", WH_STR_ARG(t->batch),
                WH_STR_ARG(t->table));
  wh_sql_add_key_equal(sql, t, "t", "s");
  wh_buf_add_c(sql, " SET s.");
  t->driver->name(sql, WH_STR(CHOSEN));
  wh_buf_add_c(sql, " = 1 WHERE ");
  wh_sql_add_column(sql, t, "t", t->key[0]);
  wh_buf_add_c(sql, " IS NULL OR ");
  wh_sql_add_guard(sql, t, "t", "s", false, order);
}

// The side table has no index but its key's, so that here a duplicate is one of the key.
static void add_orders(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_printf(sql, "INSERT INTO %.*s (", WH_STR_ARG(t->side));
  wh_sql_add_key(sql, t, NULL);
  wh_buf_add_c(sql, ", ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, ") SELECT ");
  wh_sql_add_key(sql, t, "s");
  wh_buf_add_c(sql, ", ");
  wh_sql_add_i64(sql, order);
  wh_buf_printf(sql, " FROM %.*s s WHERE ", WH_STR_ARG(t->batch));
  add_is_chosen(sql, t);
  wh_buf_add_c(sql, " ON DUPLICATE KEY UPDATE ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, " = ");
  wh_sql_add_i64(sql, order);
}

wh_status wh_mysql_add_upsert(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                              wh_error *err) {
  bool into_stage = wh_sql_into_stage(t), has_side = t->has_side && !into_stage;
  if (has_side) add_choice(wh_sql_more(ret, false), t, order);
  wh_buf *sql = wh_sql_more(ret, true);
  add_join(sql, t, t->batch, into_stage);
  add_set(sql, t, into_stage, order);
  if (has_side)
    add_is_chosen(sql, t);
  else
    wh_sql_add_guard(sql, t, "t", "s", into_stage, order);
  sql = wh_sql_more(ret, true);
  add_insert(sql, t, t->batch, into_stage, order);
  add_is_new(sql, t, into_stage);
  if (has_side) add_orders(wh_sql_more(ret, false), t, order);
  return wh_sql_statements_check(ret, err);
}

// --- Replace -------------------------------------------------------------------------------------

// Rows that the stage does not have. Without a key nothing can be told apart: all of them. Two rows
// may change places in a column that must be unique: with such columns, what differs goes too,
// before the first row comes.
static void add_delete(wh_buf *sql, const wh_sql_target *t) {
  wh_buf_printf(sql, "DELETE t FROM %.*s AS t", WH_STR_ARG(t->table));
  if (!t->key_count) return;
  wh_buf_printf(sql, " WHERE NOT EXISTS (SELECT 1 FROM %.*s s WHERE ", WH_STR_ARG(t->stage));
  add_stage_is(sql, t, "s");
  wh_buf_add_c(sql, " AND ");
  wh_sql_add_key_equal(sql, t, "s", "t");
  if (t->may_collide) {
    wh_buf_add_c(sql, " AND ");
    wh_sql_add_key_same(sql, t, "s", "t");
  }
  if (t->has_unique) {
    wh_buf_add_c(sql, " AND NOT ");
    wh_sql_add_differs(sql, t, "s", "t");
  }
  wh_buf_add_char(sql, ')');
}

wh_status wh_mysql_add_replace(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                               wh_error *err) {
  add_delete(wh_sql_more(ret, false), t);
  wh_buf *sql;
  if (t->key_count) {
    sql = wh_sql_more(ret, true);
    add_join(sql, t, t->stage, false);
    wh_buf_add_c(sql, " AND ");
    add_stage_is(sql, t, "s");
    add_set(sql, t, false, order);
    wh_sql_add_differs(sql, t, "t", "s");
  }
  sql = wh_sql_more(ret, true);
  add_insert(sql, t, t->stage, false, order);
  add_stage_is(sql, t, "s");
  if (t->key_count) {
    wh_buf_add_c(sql, " AND ");
    add_is_new(sql, t, false);
  }
  return wh_sql_statements_check(ret, err);
}
