// Rows as text and back, and steps run over them, for tests.
//
//   test_table t;
//   test_table_init(&t, "id: int64, status: string?");
//   test_table_add(&t, "1|Open\n2|~\n");                  // ~ is NULL
//   test_run(&run, step, &t, 2);                          // in batches of 2 rows
//   CHECK_STR(wh_buf_str(&run.rows), WH_STR("1|Open\n2|~\n"));
//   CHECK_STR(wh_buf_str(&run.rejects), WH_STR("in status row 3: 'x' is not one of Open\n"));
#pragma once

#include "data/batch.h"
#include "data/reject.h"
#include "step/step.h"

typedef struct test_table {
  wh_arena arena;
  wh_schema schema;
  wh_batch batch;
} test_table;

// `fields` is the inside of a struct type; `?` behind a type means nullable.
void test_table_init(test_table *table, const char *fields);
void test_table_add(test_table *table, const char *rows);
void test_table_free(test_table *table);

// Appends the rows as text.
void test_write_rows(const wh_batch *batch, wh_buf *out);
// The schema as in test_table_init, with the class where it is not internal.
void test_write_schema(const wh_schema *schema, wh_buf *out);

// A collector that writes "RULE COLUMN row N: REASON" lines.
typedef struct test_rejects {
  wh_rejects base;
  wh_buf text;
  uint64_t count;
} test_rejects;
void test_rejects_init(test_rejects *rejects);

typedef struct test_run {
  wh_buf rows;
  wh_buf rejects;
  wh_buf places; // row numbers of what came out, separated by spaces
} test_run;
// Pushes the table's rows in batches of `size` and takes what is held back. The buffers are
// initialised here, and freed by the caller in any case.
wh_status test_run_step(test_run *run, wh_step *step, const test_table *table, size_t size,
                        wh_error *err);
void test_run_free(test_run *run);

// A real operating system, a scratch folder in the test's own, and a budget.
void test_context_init(wh_step_context *context, size_t state_limit_bytes);
void test_context_free(wh_step_context *context);
