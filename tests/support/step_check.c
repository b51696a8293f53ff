#include "step_check.h"

#include "nodes.h"
#include "test.h"

wh_status step_bind(const wh_step_context *context, wh_arena *arena, const char *yaml,
                    const wh_schema *schema, wh_step **ret) {
  const wh_step_type *type = NULL;
  const wh_node *options = NULL;
  test_err = (wh_error){0};
  WH_TRY(wh_step_read(test_nodes(arena, yaml), &type, &options, &test_err));
  return type->bind(context, options, schema, ret, &test_err);
}

static void begin(wh_step_context *context, test_reference *reference) {
  test_context_init(context, 1 << 20);
  if (reference) context->tables = &reference->tables;
}

static void check_run(wh_step *step, const test_table *table, size_t size, step_expected want) {
  test_run run;
  CHECK_OK(test_run_step(&run, step, table, size, &test_err));
  CHECK_STR(wh_buf_str(&run.rows), wh_str_of(want.rows));
  CHECK_STR(wh_buf_str(&run.rejects), wh_str_of(want.rejects ? want.rejects : ""));
  CHECK_EQ(step->rows_filtered, want.filtered);
  test_run_free(&run);
  if (!want.schema) return;
  WH_CLEAN_BUF wh_buf schema;
  wh_buf_init(&schema, &test_mem, 0);
  test_write_schema(step->schema, &schema);
  CHECK_STR(wh_buf_str(&schema), wh_str_of(want.schema));
}

void step_check(const char *yaml, test_reference *reference, const char *fields, const char *rows,
                step_expected want) {
  static const size_t sizes[] = {1000, 1, 2, 3};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, fields);
  test_table_add(&table, rows);
  wh_step_context context;
  begin(&context, reference);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    wh_step *step = NULL;
    if (!CHECK_OK(step_bind(&context, &arena, yaml, &table.schema, &step))) break;
    check_run(step, &table, sizes[i], want);
    wh_step_close(step);
  }
  test_context_free(&context);
  test_table_free(&table);
}

void step_check_refused(const char *yaml, test_reference *reference, const char *fields,
                        const char *error) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, fields);
  wh_step_context context;
  begin(&context, reference);
  wh_step *step = NULL;
  CHECK_FAILS(step_bind(&context, &arena, yaml, &table.schema, &step), WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(error));
  CHECK(!step);
  test_context_free(&context);
  test_table_free(&table);
}
