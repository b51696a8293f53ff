// SQL Server's whole statements: see connect/sql_target.h for what they are made of. Not MERGE,
// which takes no lock between looking for a row and inserting it: rows that are there are updated,
// then the others are inserted, and the locks of the first (UPDLOCK, HOLDLOCK: the gaps, too) hold
// until the transaction ends.
#include "connect/sqlserver/upsert.h"

#define CHOSEN "_wherry_w" // whether the row of the batch is written; for targets with a side table
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
  t->driver->name(sql, WH_STR(CHOSEN));
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

// --- Pieces --------------------------------------------------------------------------------------

// `t.[_wherry_stage] = N`
static void add_stage_is(wh_buf *sql, const wh_sql_target *t, const char *alias) {
  wh_buf_add_c(sql, alias);
  wh_buf_add_char(sql, '.');
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, " = ");
  wh_sql_add_i64(sql, t->stage_id);
}

static wh_str into(const wh_sql_target *t, bool into_stage) {
  return into_stage ? t->stage : t->table;
}

// ` FROM into AS t INNER JOIN from AS s ON keys`
static void add_join(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage) {
  wh_buf_printf(sql, " FROM %.*s AS t" LOCKED " INNER JOIN %.*s AS s ON ",
                WH_STR_ARG(into(t, into_stage)), WH_STR_ARG(from));
  wh_sql_add_key_equal(sql, t, "t", "s");
  if (into_stage) {
    wh_buf_add_c(sql, " AND ");
    add_stage_is(sql, t, "t");
  }
}

static void add_update(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage,
                       int64_t order) {
  wh_buf_add_c(sql, "UPDATE t SET ");
  wh_sql_add_set(sql, t, "", "s", into_stage, order);
  add_join(sql, t, from, into_stage);
}

// `INSERT INTO into (columns) SELECT columns FROM from AS s WHERE `
static void add_insert(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage,
                       int64_t order) {
  wh_str extra = into_stage ? WH_STR(WH_SQL_STAGE) : WH_STR(WH_ORDER_COLUMN);
  bool has_extra = into_stage || t->has_order;
  wh_buf_printf(sql, "INSERT INTO %.*s (", WH_STR_ARG(into(t, into_stage)));
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
  wh_buf_printf(sql, " FROM %.*s AS s WHERE ", WH_STR_ARG(from));
}

// `NOT EXISTS (SELECT 1 FROM into AS t WHERE keys)`
static void add_is_new(wh_buf *sql, const wh_sql_target *t, bool into_stage) {
  wh_buf_printf(sql, "NOT EXISTS (SELECT 1 FROM %.*s AS t" LOCKED " WHERE ",
                WH_STR_ARG(into(t, into_stage)));
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
  wh_buf_add_c(sql, "UPDATE s SET ");
  t->driver->name(sql, WH_STR(CHOSEN));
  wh_buf_printf(sql, " = 1 FROM %.*s AS s LEFT JOIN %.*s AS t" LOCKED " ON ", WH_STR_ARG(t->batch),
                WH_STR_ARG(t->table));
  wh_sql_add_key_equal(sql, t, "t", "s");
  wh_buf_add_c(sql, " WHERE ");
  wh_sql_add_column(sql, t, "t", t->key[0]);
  wh_buf_add_c(sql, " IS NULL OR ");
  wh_sql_add_guard(sql, t, "t", "s", false, order);
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
  add_is_chosen(sql, t);
  wh_buf_printf(sql, "; INSERT INTO %.*s (", WH_STR_ARG(t->side));
  wh_sql_add_key(sql, t, NULL);
  wh_buf_add_c(sql, ", ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, ") SELECT ");
  wh_sql_add_key(sql, t, "s");
  wh_buf_add_c(sql, ", ");
  wh_sql_add_i64(sql, order);
  wh_buf_printf(sql, " FROM %.*s AS s WHERE ", WH_STR_ARG(t->batch));
  add_is_chosen(sql, t);
  wh_buf_printf(sql, " AND NOT EXISTS (SELECT 1 FROM %.*s AS o" LOCKED " WHERE ",
                WH_STR_ARG(t->side));
  wh_sql_add_key_equal(sql, t, "o", "s");
  wh_buf_add_char(sql, ')');
}

wh_status wh_mssql_add_upsert(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                              wh_error *err) {
  bool into_stage = wh_sql_into_stage(t), has_side = t->has_side && !into_stage;
  if (has_side) add_choice(wh_sql_more(ret, false), t, order);
  wh_buf *sql = wh_sql_more(ret, true);
  add_update(sql, t, t->batch, into_stage, order);
  wh_buf_add_c(sql, " WHERE ");
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
  wh_buf_printf(sql, " WHERE NOT EXISTS (SELECT 1 FROM %.*s AS s WHERE ", WH_STR_ARG(t->stage));
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

wh_status wh_mssql_add_replace(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                               wh_error *err) {
  add_delete(wh_sql_more(ret, false), t);
  wh_buf *sql;
  if (t->key_count) {
    sql = wh_sql_more(ret, true);
    add_update(sql, t, t->stage, false, order);
    wh_buf_add_c(sql, " AND ");
    add_stage_is(sql, t, "s");
    wh_buf_add_c(sql, " WHERE ");
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
