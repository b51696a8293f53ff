#include "connect/sql_upsert.h"

// --- Pieces --------------------------------------------------------------------------------------

void wh_sql_add_join_on(wh_buf *sql, const wh_sql_target *t, bool into_stage) {
  wh_sql_add_key_equal(sql, t, "t", "s");
  if (!into_stage) return;
  wh_buf_add_c(sql, " AND ");
  wh_sql_add_stage_is(sql, t, "t");
}

void wh_sql_add_is_to_choose(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_sql_add_column(sql, t, "t", t->key[0]);
  wh_buf_add_c(sql, " IS NULL OR ");
  wh_sql_add_guard(sql, t, "t", "s", false, order);
}

void wh_sql_add_is_chosen(wh_buf *sql, const wh_sql_target *t) {
  wh_buf_add_c(sql, "s.");
  t->driver->name(sql, WH_STR(WH_SQL_CHOSEN));
  wh_buf_add_c(sql, " = 1");
}

void wh_sql_add_side_insert(wh_buf *sql, const wh_sql_target *t, int64_t order) {
  wh_buf_printf(sql, "INSERT INTO %.*s (", WH_STR_ARG(t->side));
  wh_sql_add_key(sql, t, NULL);
  wh_buf_add_c(sql, ", ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, ") SELECT ");
  wh_sql_add_key(sql, t, "s");
  wh_buf_add_c(sql, ", ");
  wh_sql_add_i64(sql, order);
  wh_buf_printf(sql, " FROM %.*s AS s WHERE ", WH_STR_ARG(t->batch));
  wh_sql_add_is_chosen(sql, t);
}

static wh_str into(const wh_sql_target *t, bool into_stage) {
  return into_stage ? t->stage : t->table;
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
static void add_is_new(wh_buf *sql, const wh_sql_upsert *u, const wh_sql_target *t,
                       bool into_stage) {
  wh_buf_printf(sql, "NOT EXISTS (SELECT 1 FROM %.*s AS t%s WHERE ",
                WH_STR_ARG(into(t, into_stage)), u->locked);
  wh_sql_add_join_on(sql, t, into_stage);
  wh_buf_add_char(sql, ')');
}

// --- Statements ----------------------------------------------------------------------------------

wh_status wh_sql_add_upsert(const wh_sql_upsert *u, const wh_sql_target *t, int64_t order,
                            wh_sql_statements *ret, wh_error *err) {
  bool into_stage = wh_sql_into_stage(t), has_side = t->has_side && !into_stage;
  // Which rows are written has to be known behind the writing, too: by their orders.
  if (has_side) u->add_choice(wh_sql_more(ret, false), t, order);
  wh_buf *sql = wh_sql_more(ret, true);
  u->add_update(sql, t, t->batch, into_stage, order);
  if (has_side)
    wh_sql_add_is_chosen(sql, t);
  else
    wh_sql_add_guard(sql, t, "t", "s", into_stage, order);
  sql = wh_sql_more(ret, true);
  add_insert(sql, t, t->batch, into_stage, order);
  add_is_new(sql, u, t, into_stage);
  if (has_side) u->add_orders(wh_sql_more(ret, false), t, order);
  return wh_sql_statements_check(ret, err);
}

wh_status wh_sql_add_replace(const wh_sql_upsert *u, const wh_sql_target *t, int64_t order,
                             wh_sql_statements *ret, wh_error *err) {
  wh_buf *sql = wh_sql_more(ret, false);
  wh_buf_printf(sql, "DELETE t FROM %.*s AS t", WH_STR_ARG(t->table));
  wh_sql_add_not_staged(sql, t);
  if (t->key_count) {
    sql = wh_sql_more(ret, true);
    u->add_update(sql, t, t->stage, false, order);
    wh_sql_add_stage_is(sql, t, "s");
    wh_buf_add_c(sql, " AND ");
    wh_sql_add_differs(sql, t, "t", "s");
  }
  sql = wh_sql_more(ret, true);
  add_insert(sql, t, t->stage, false, order);
  wh_sql_add_stage_is(sql, t, "s");
  if (t->key_count) {
    wh_buf_add_c(sql, " AND ");
    add_is_new(sql, u, t, false);
  }
  return wh_sql_statements_check(ret, err);
}
