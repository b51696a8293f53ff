#include "reference.h"

#include "test.h"

typedef struct reading {
  wh_table_input base;
  wh_reader reader;
  test_reference *of;
  size_t at;
} reading;

static wh_status reference_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects,
                                wh_error *err) {
  reading *self = (reading *)((char *)reader - offsetof(reading, reader));
  const wh_batch *all = &self->of->table.batch;
  size_t left = all->rows - self->at, count = self->of->batch < left ? self->of->batch : left;
  for (size_t i = 0; count && i < all->schema->count; i++)
    WH_TRY(wh_column_add_range(&batch->columns[i], &all->columns[i], self->at, count, err));
  batch->rows = count;
  batch->first_row = self->at + 1;
  self->at += count;
  if (count) return WH_OK;
  if (self->of->fails) return wh_fail(err, self->of->fails, "it broke");
  if (!self->of->rejects) return WH_OK;
  wh_reject reject = {.rule = WH_STR("type"),
                      .column = WH_STR("code"),
                      .reason = WH_STR("'secret' is not a whole number"),
                      .place = {.row = self->at + 1}};
  return rejects->raw(rejects, &reject, WH_STR("secret"), err);
}

static wh_status reference_open(wh_table_input *in, const wh_str *columns, size_t count,
                                wh_reader **ret, wh_error *err) {
  reading *self = (reading *)in;
  (void)columns, (void)err;
  self->of->opened++;
  self->of->columns = count;
  self->reader = (wh_reader){.schema = &self->of->table.schema, .next = reference_next};
  *ret = &self->reader;
  return WH_OK;
}

static void reference_close(wh_table_input *in) {
  wh_mem_free(&test_mem, in, sizeof(reading));
}

static wh_status reference_describe(void *context, const wh_node *from, wh_table_input **ret,
                                    wh_error *err) {
  test_reference *of = context;
  if (wh_str_is(from->text, "lake:gone.csv")) return wh_fail(err, WH_ERR_NOT_FOUND, "no object");
  reading *self = wh_mem_alloc_zero(&test_mem, sizeof *self);
  if (!self) return wh_fail_memory(err);
  self->base =
      (wh_table_input){.all = &of->table.schema, .open = reference_open, .close = reference_close};
  self->of = of;
  *ret = &self->base;
  return WH_OK;
}

void test_reference_init(test_reference *reference, const char *fields, const char *rows) {
  *reference = (test_reference){.batch = 2};
  test_table_init(&reference->table, fields);
  test_table_add(&reference->table, rows);
  reference->tables = (wh_keyed_tables){.mem = &test_mem,
                                        .limit_bytes = 1 << 20,
                                        .describe = reference_describe,
                                        .context = reference};
}

void test_reference_free(test_reference *reference) {
  wh_keyed_tables_free(&reference->tables);
  test_table_free(&reference->table);
}
