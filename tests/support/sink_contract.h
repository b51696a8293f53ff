// What the programs that test connect/sink.h share: one test against every place of place.h that
// has what it needs, and loads of rows that are written as text.
#pragma once

#include "place.h"
#include "row_text.h"

#define SINK_NOW_US 1795251600000000 // 2026-11-21T09:00:00Z
#define SINK_SCHEMA "k string!; v timestamp[us,UTC]; n int64; s string"
// A row's first two columns, to be followed by "n|s".
#define ROW(k, v) k "|2026-11-21T" v "Z|"

// Where the test is.
typedef struct sink_contract {
  const test_place *place;
  wh_connection c;
  wh_arena arena;
  wh_buf out;
  wh_mem out_mem; // what tests collect is not what they measure
  rows_rejects rejects;
  wh_schema schema; // SINK_SCHEMA; a test may put another one here
  wh_str key[1];
} sink_contract;
extern sink_contract here;

// Runs `test` against every place that lacks none of what it needs.
void sink_contract_run(void (*test)(void), unsigned needs);

#define CONTRACT(ident) CONTRACT_OF(ident, 0)
#define CONTRACT_OF(ident, needs)                                                                  \
  static void contract_##ident(void);                                                              \
  TEST(ident) {                                                                                    \
    sink_contract_run(contract_##ident, needs);                                                    \
  }                                                                                                \
  static void contract_##ident(void)

void sink_sql(const char *text);
// Of the table "orders" with the key k, whose newest rows win by v.
wh_target sink_target_of(wh_write_mode mode);
wh_load sink_load_of(const char *object, int64_t order);

// Opened and prepared; NULL where that failed, and the test with it.
wh_sink *sink_opened(const wh_target *target);
// Begins, and says what the mark said.
wh_mark sink_begun(wh_sink *sink, const wh_load *load);
wh_status sink_write_text(wh_sink *sink, const char *rows, wh_counts *counts);
// One whole load in one transaction.
wh_status sink_load_text(const wh_target *target, const wh_load *load, const char *rows,
                         wh_counts *ret);
// The same; its counts are `want` and add up.
void sink_check_load(const wh_target *target, const char *object, int64_t order, const char *rows,
                     wh_counts want);

// A table through the same connector's source, sorted. Lives until the next call.
const char *sink_table_text(const char *table);
void sink_check_table(const char *want); // of "orders"
// What was rejected since the last call.
void sink_check_rejects(const char *want);
