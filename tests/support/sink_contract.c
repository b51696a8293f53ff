#include "sink_contract.h"

sink_contract here;

static bool set_up(const test_place *place) {
  const char *reason = NULL;
  here.place = place;
  place->open(&here.c, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  wh_arena_init(&here.arena, &test_mem);
  wh_buf_init(&here.out, &here.out_mem, 0);
  rows_rejects_init(&here.rejects);
  rows_schema(SINK_SCHEMA, &here.arena, &here.schema);
  here.key[0] = WH_STR("k");
  return true;
}

static void tear_down(void) {
  rows_rejects_free(&here.rejects);
  wh_buf_free(&here.out);
  wh_arena_free(&here.arena);
  here.place->close(&here.c);
}

void sink_contract_run(void (*test)(void), unsigned needs) {
  for (size_t i = 0; test_places[i]; i++) {
    if (test_places[i]->only_reads || (test_places[i]->lacks & needs)) continue;
    if (!set_up(test_places[i])) continue;
    test();
    tear_down();
  }
}

void sink_sql(const char *text) {
  test_place_sql(here.place, &here.c, text);
}

wh_target sink_target_of(wh_write_mode mode) {
  return (wh_target){
      .table = WH_STR("orders"),
      .schema = &here.schema,
      .mode = mode,
      .key = here.key,
      .key_count = mode == WH_WRITE_APPEND ? 0 : 1,
      .newest_by = mode == WH_WRITE_UPSERT ? WH_STR("v") : (wh_str){0},
  };
}

wh_load sink_load_of(const char *object, int64_t order) {
  return (wh_load){
      .pipeline = WH_STR("import"),
      .object = wh_str_of(object),
      .run = WH_STR("run-1"),
      .order = order,
      .epoch = 1,
      .now_us = SINK_NOW_US,
  };
}

wh_status sink_write_text(wh_sink *sink, const char *rows, wh_counts *counts) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, &here.schema, &test_err));
  rows_add(&batch, rows);
  counts->read += batch.rows;
  wh_status status =
      here.c.type->sink->write(sink, 0, &batch, &here.rejects.base, counts, &test_err);
  wh_batch_free(&batch);
  return status;
}

wh_status sink_load_text(const wh_target *target, const wh_load *load, const char *rows,
                         wh_counts *ret) {
  const wh_sink_type *type = here.c.type->sink;
  wh_sink *sink;
  wh_mark mark;
  WH_TRY(type->open(&here.c, target, 1, &sink, &test_err));
  wh_status status = type->prepare(sink, &test_err);
  if (status == WH_OK) status = type->begin(sink, load, &here.arena, &mark, &test_err);
  if (status == WH_OK) {
    mark.done = true;
    mark.counts = (wh_counts){0};
    status = sink_write_text(sink, rows, &mark.counts);
    mark.rows_done = mark.counts.read;
  }
  if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
  if (status == WH_OK) status = type->commit(sink, &test_err);
  if (status == WH_OK) *ret = mark.counts;
  type->close(sink);
  return status;
}

void sink_check_load(const wh_target *target, const char *object, int64_t order, const char *rows,
                     wh_counts want) {
  wh_counts got;
  wh_load load = sink_load_of(object, order);
  if (!CHECK_OK(sink_load_text(target, &load, rows, &got))) return;
  CHECK_EQ(got.written, want.written);
  CHECK_EQ(got.unchanged, want.unchanged);
  CHECK_EQ(got.superseded, want.superseded);
  CHECK_EQ(got.quarantined, want.quarantined);
  CHECK_EQ(got.read, got.written + got.unchanged + got.superseded + got.quarantined);
}

const char *sink_table_text(const char *table) {
  wh_source_query q = {.table = wh_str_of(table)};
  wh_source_info info;
  wh_reader *reader;
  rows_rejects none;
  rows_rejects_init(&none);
  wh_buf_clear(&here.out);
  if (CHECK_OK(here.c.type->source->describe(&here.c, &q, &here.arena, &info, &test_err)) &&
      CHECK_OK(here.c.type->source->open(&here.c, &q, &info.schema, &reader, &test_err))) {
    CHECK_OK(rows_read(reader, &none, &here.out, &test_err));
    wh_reader_close(reader);
    CHECK_STR(wh_buf_str(&none.text), WH_STR(""));
  }
  rows_sort(&here.out);
  rows_rejects_free(&none);
  return here.out.data ? here.out.data : "";
}

void sink_check_table(const char *want) {
  CHECK_STR(wh_str_of(sink_table_text("orders")), wh_str_of(want));
}

void sink_check_rejects(const char *want) {
  CHECK_STR(wh_buf_str(&here.rejects.text), wh_str_of(test_place_text(here.place, want)));
  wh_buf_clear(&here.rejects.text);
}

wh_mark sink_begun(wh_sink *sink, const wh_load *load) {
  wh_mark mark = {0};
  CHECK_OK(here.c.type->sink->begin(sink, load, &here.arena, &mark, &test_err));
  return mark;
}

wh_sink *sink_opened(const wh_target *target) {
  wh_sink *sink = NULL;
  if (CHECK_OK(here.c.type->sink->open(&here.c, target, 1, &sink, &test_err)))
    CHECK_OK(here.c.type->sink->prepare(sink, &test_err));
  return sink;
}
