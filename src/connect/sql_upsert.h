// Upsert and replace where no INSERT updates what is there: rows that are there are updated, then
// the others are inserted. See connect/sql_target.h for what statements are made of.
#pragma once

#include "connect/sql_target.h"

#define WH_SQL_CHOSEN "_wherry_w" // whether the row of the batch is written; for a side table

// What servers differ in.
typedef struct wh_sql_upsert {
  const char *locked; // behind a table in which rows are looked for, and its alias; empty: nothing
  // `UPDATE into t JOIN from s ON keys SET ... WHERE `, of the table or the load's stage.
  void (*add_update)(wh_buf *sql, const wh_sql_target *t, wh_str from, bool into_stage,
                     int64_t order);
  // Sets CHOSEN of the batch's rows that will be written.
  void (*add_choice)(wh_buf *sql, const wh_sql_target *t, int64_t order);
  // Keeps the order of those in the side table.
  void (*add_orders)(wh_buf *sql, const wh_sql_target *t, int64_t order);
} wh_sql_upsert;

// wh_sql_driver.add_upsert and add_replace.
wh_status wh_sql_add_upsert(const wh_sql_upsert *u, const wh_sql_target *t, int64_t order,
                            wh_sql_statements *ret, wh_error *err);
wh_status wh_sql_add_replace(const wh_sql_upsert *u, const wh_sql_target *t, int64_t order,
                             wh_sql_statements *ret, wh_error *err);

// Pieces for them. `keys`, with the stage's number where it is one: of `t` and `s`.
void wh_sql_add_join_on(wh_buf *sql, const wh_sql_target *t, bool into_stage);
// `t.key IS NULL OR guard`: of the batch's rows, those that will be written.
void wh_sql_add_is_to_choose(wh_buf *sql, const wh_sql_target *t, int64_t order);
// `s._wherry_w = 1`
void wh_sql_add_is_chosen(wh_buf *sql, const wh_sql_target *t);
// `INSERT INTO side (key, order) SELECT key, N FROM batch AS s WHERE s._wherry_w = 1`
void wh_sql_add_side_insert(wh_buf *sql, const wh_sql_target *t, int64_t order);
