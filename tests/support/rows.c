#include "rows.h"

#include "test.h"

#include "base/os.h"
#include "data/value.h"

#include <stdio.h>
#include <stdlib.h>

// Helpers cannot fail: a mistake in a test's table ends the program.
static void must(wh_status status, const wh_error *err) {
  if (status == WH_OK) return;
  fprintf(stderr, "rows: %s\n", err->text);
  exit(1);
}

void test_table_init(test_table *table, const char *fields) {
  *table = (test_table){0};
  wh_arena_init(&table->arena, &test_mem);
  wh_str text = wh_arena_printf(&table->arena, "struct<%s>", fields);
  wh_type type;
  wh_error err = {0};
  must(wh_type_parse(text, &table->arena, &type, &err), &err);
  table->schema = (wh_schema){type.field_count, type.fields};
  must(wh_batch_init(&table->batch, &test_mem, &table->schema, &err), &err);
}

void test_table_add(test_table *table, const char *rows) {
  wh_error err = {0};
  wh_str rest = wh_str_of(rows), line;
  while (wh_str_split(&rest, '\n', &line)) {
    if (line.len == 0) continue;
    for (size_t i = 0; i < table->schema.count; i++) {
      wh_column *column = &table->batch.columns[i];
      wh_str cell = {0};
      if (!wh_str_split(&line, '|', &cell)) must(wh_fail(&err, WH_ERR_BUG, "too few cells"), &err);
      if (wh_str_is(cell, "~")) {
        must(wh_column_add_null(column, &err), &err);
        continue;
      }
      wh_value value;
      must(wh_value_parse(cell, &column->type, &table->arena, &value, &err), &err);
      must(wh_value_add(column, &value, &err), &err);
    }
    wh_batch_row_end(&table->batch);
  }
}

void test_table_free(test_table *table) {
  wh_batch_free(&table->batch);
  wh_arena_free(&table->arena);
}

void test_write_rows(const wh_batch *batch, wh_buf *out) {
  for (size_t row = 0; row < batch->rows; row++) {
    for (size_t i = 0; i < batch->schema->count; i++) {
      if (i) wh_buf_add_char(out, '|');
      if (batch->columns[i].length != batch->rows) wh_buf_add_c(out, "!!");
      if (wh_column_is_null(&batch->columns[i], row))
        wh_buf_add_char(out, '~');
      else
        wh_column_write(&batch->columns[i], row, out);
    }
    wh_buf_add_char(out, '\n');
  }
}

void test_write_schema(const wh_schema *schema, wh_buf *out) {
  for (size_t i = 0; i < schema->count; i++) {
    const wh_field *field = &schema->fields[i];
    wh_buf_printf(out, "%s%.*s: ", i ? ", " : "", WH_STR_ARG(field->name));
    wh_type_write(&field->type, out);
    if (field->nullable) wh_buf_add_char(out, '?');
    if (field->privacy != WH_INTERNAL) wh_buf_printf(out, " %s", wh_class_name(field->privacy));
  }
}

static wh_status reject_row(wh_rejects *base, const wh_reject *reject, const wh_batch *batch,
                            size_t row, wh_error *err) {
  test_rejects *self = (test_rejects *)base;
  (void)batch, (void)row;
  self->count++;
  wh_buf_printf(&self->text, "%.*s %.*s row %llu: %.*s\n", WH_STR_ARG(reject->rule),
                WH_STR_ARG(reject->column), (unsigned long long)reject->place.row,
                WH_STR_ARG(reject->reason));
  return wh_buf_check(&self->text, err);
}

void test_rejects_init(test_rejects *rejects) {
  *rejects = (test_rejects){.base = {.row = reject_row}};
  wh_buf_init(&rejects->text, &test_mem, 0);
}

static wh_status write_out(test_run *run, const wh_batch *out, wh_error *err) {
  test_write_rows(out, &run->rows);
  for (size_t row = 0; row < out->rows; row++)
    wh_buf_printf(&run->places, "%llu ", (unsigned long long)wh_batch_place(out, row).row);
  WH_TRY(wh_buf_check(&run->rows, err));
  return wh_buf_check(&run->places, err);
}

// Two outgoing batches take turns, and each is only read after the next push: nothing of it may
// lie in the step.
static wh_status run_step(test_run *run, wh_step *step, const test_table *table, size_t size,
                          wh_batch in[2], wh_batch out[2], test_rejects *rejects, wh_error *err) {
  for (int i = 0; i < 2; i++) {
    WH_TRY(wh_batch_init(&in[i], &test_mem, &table->schema, err));
    WH_TRY(wh_batch_init(&out[i], &test_mem, step->schema, err));
  }
  size_t turn = 0;
  for (size_t from = 0; from < table->batch.rows; from += size, turn++) {
    wh_batch *now = &in[turn % 2];
    size_t count = table->batch.rows - from < size ? table->batch.rows - from : size;
    wh_batch_reset(now);
    for (size_t i = 0; i < table->schema.count; i++)
      WH_TRY(wh_column_add_range(&now->columns[i], &table->batch.columns[i], from, count, err));
    now->rows = count;
    now->first_row = from + 1;
    wh_batch_reset(&out[turn % 2]);
    WH_TRY(step->push(step, now, &out[turn % 2], &rejects->base, err));
    if (turn) WH_TRY(write_out(run, &out[(turn - 1) % 2], err));
  }
  if (turn) WH_TRY(write_out(run, &out[(turn - 1) % 2], err));
  if (!step->finish) return WH_OK;
  do {
    wh_batch_reset(&out[0]);
    WH_TRY(step->finish(step, &out[0], &rejects->base, err));
    WH_TRY(write_out(run, &out[0], err));
  } while (out[0].rows);
  return WH_OK;
}

wh_status test_run_step(test_run *run, wh_step *step, const test_table *table, size_t size,
                        wh_error *err) {
  wh_buf_init(&run->rows, &test_mem, 0);
  wh_buf_init(&run->places, &test_mem, 0);
  test_rejects rejects;
  test_rejects_init(&rejects);
  wh_batch in[2] = {0}, out[2] = {0};
  wh_status status = run_step(run, step, table, size, in, out, &rejects, err);
  for (int i = 0; i < 2; i++) {
    wh_batch_free(&out[i]);
    wh_batch_free(&in[i]);
  }
  run->rejects = rejects.text;
  return status;
}

void test_run_free(test_run *run) {
  wh_buf_free(&run->rows);
  wh_buf_free(&run->rejects);
  wh_buf_free(&run->places);
}

static wh_os_real real;
static char scratch[512];

void test_context_init(wh_step_context *context, size_t state_limit_bytes) {
  wh_error err = {0};
  must(wh_os_real_init(&real, &test_mem, &err), &err);
  snprintf(scratch, sizeof scratch, "%s/scratch", test_folder());
  *context = (wh_step_context){.os = &real.base,
                               .mem = &test_mem,
                               .scratch = wh_str_of(scratch),
                               .state_limit_bytes = state_limit_bytes};
}

void test_context_free(wh_step_context *context) {
  (void)context;
  wh_os_real_free(&real);
}
