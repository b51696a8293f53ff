// The sqlite sink when the power fails, or the disk fills, at any change to the disk: after it a
// new worker goes on from the mark, and the table is as if nothing had happened.
#include "connect/sqlite/sqlite.h"
#include "row_text.h"
#include "sim_os.h"
#include "sim_vfs.h"

enum { ROWS = 60, CHUNK = 20, NOW_US_SECONDS = 1795251600 };

static wh_schema schema;
static wh_arena arena;
static wh_connection c;
static wh_sqlite_options options;
static wh_write_mode mode;

static void set_up(wh_os *os) {
  sim_vfs_use(os);
  options = (wh_sqlite_options){.path = WH_STR("website.db"), .busy_timeout_us = 1000};
  c = (wh_connection){.name = WH_STR("website"),
                      .type = &wh_connector_sqlite,
                      .options = &options,
                      .os = os,
                      .mem = &test_mem};
}

static void row_text(int n, char *out, size_t size) {
  snprintf(out, size, "key-%d|2026-11-21T08:00:00Z|%d", n * 7 % ROWS, n);
}

static wh_status write_rows(wh_sink *sink, size_t from, size_t to, wh_counts *counts,
                            wh_rejects *rejects) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  for (size_t i = from; i < to; i++) {
    char text[128];
    row_text((int)i, text, sizeof text);
    rows_add(&batch, text);
  }
  counts->read += to - from;
  wh_status status = wh_sqlite_sink.write(sink, 0, &batch, rejects, counts, &test_err);
  wh_batch_free(&batch);
  return status;
}

static wh_status load_chunks(wh_sink *sink, const wh_load *load, wh_mark *mark,
                             wh_rejects *rejects) {
  WH_TRY(wh_sqlite_sink.prepare(sink, &test_err));
  while (!mark->done) {
    WH_TRY(wh_sqlite_sink.begin(sink, load, &arena, mark, &test_err));
    if (mark->done) {
      wh_sqlite_sink.abort(sink);
      return WH_OK;
    }
    size_t from = mark->rows_done;
    WH_TRY(write_rows(sink, from, from + CHUNK, &mark->counts, rejects));
    mark->rows_done = from + CHUNK;
    mark->done = mark->rows_done == ROWS;
    WH_TRY(wh_sqlite_sink.mark(sink, mark, &test_err));
    WH_TRY(wh_sqlite_sink.commit(sink, &test_err));
  }
  return WH_OK;
}

// A worker's life: goes on where the mark says.
static wh_status work(wh_mark *mark) {
  wh_str key = WH_STR("k");
  wh_target target = {.table = WH_STR("orders"),
                      .schema = &schema,
                      .mode = mode,
                      .key = &key,
                      .key_count = mode == WH_WRITE_APPEND ? 0 : 1,
                      .newest_by = mode == WH_WRITE_UPSERT ? WH_STR("v") : (wh_str){0}};
  wh_load load = {.pipeline = WH_STR("import"),
                  .object = WH_STR("one"),
                  .run = WH_STR("run"),
                  .order = 1,
                  .epoch = 1,
                  .now_us = (int64_t)NOW_US_SECONDS * 1000000};
  rows_rejects rejects;
  rows_rejects_init(&rejects);
  wh_sink *sink;
  *mark = (wh_mark){0};
  WH_TRY(wh_sqlite_sink.open(&c, &target, 1, &sink, &test_err));
  wh_status status = load_chunks(sink, &load, mark, &rejects.base);
  wh_sqlite_sink.close(sink);
  CHECK_EQ(rejects.count, 0);
  rows_rejects_free(&rejects);
  return status;
}

static void check_table(const wh_mark *mark) {
  CHECK_EQ(mark->rows_done, ROWS);
  CHECK_EQ(mark->counts.written, ROWS);
  CHECK_EQ(mark->counts.read, ROWS);
  WH_CLEAN_BUF wh_buf got, want;
  wh_buf_init(&got, &test_mem, 0);
  wh_buf_init(&want, &test_mem, 0);
  for (int i = 0; i < ROWS; i++) {
    char text[128];
    row_text(i, text, sizeof text);
    wh_buf_printf(&want, "%s\n", text);
  }
  wh_source_query q = {.table = WH_STR("orders")};
  wh_source_info info;
  wh_reader *reader;
  if (CHECK_OK(wh_sqlite_source.describe(&c, &q, &arena, &info, &test_err)) &&
      CHECK_OK(wh_sqlite_source.open(&c, &q, &info.schema, &reader, &test_err))) {
    CHECK_OK(rows_read(reader, NULL, &got, &test_err));
    wh_reader_close(reader);
  }
  rows_sort(&got);
  rows_sort(&want);
  CHECK_STR(wh_buf_str(&got), wh_buf_str(&want));
}

static uint64_t changes_of_a_load(void) {
  wh_os *os = sim_os_new(&test_mem, test_seed());
  set_up(os);
  wh_mark mark;
  CHECK_OK(work(&mark));
  check_table(&mark);
  uint64_t changes = sim_os_changes(os);
  sim_vfs_use(NULL);
  sim_os_free(os);
  return changes;
}

static void fail_power_at(uint64_t at) {
  wh_os *os = sim_os_new(&test_mem, test_seed() + at);
  set_up(os);
  wh_mark mark;
  sim_os_fail_at(os, at);
  wh_status status = work(&mark);
  sim_os_fail_at(os, 0);
  CHECK(status == WH_OK || sim_os_power_is_off(os));
  if (at % 3)
    sim_os_restart(os);
  else
    sim_os_kill(os);
  if (CHECK_OK(work(&mark))) check_table(&mark);
  sim_vfs_use(NULL);
  sim_os_free(os);
}

static void fill_disk_at(uint64_t at) {
  wh_os *os = sim_os_new(&test_mem, test_seed() + at);
  set_up(os);
  wh_mark mark;
  sim_os_full_at(os, at, 0);
  wh_status status = work(&mark);
  sim_os_full_at(os, 0, 0);
  // A change that needs no room may have been the last.
  if (status != WH_OK) {
    CHECK_EQ(status, WH_ERR_NO_SPACE);
    CHECK(test_err.retry);
    CHECK_ERROR_HAS("website: ");
  }
  if (CHECK_OK(work(&mark))) check_table(&mark);
  sim_vfs_use(NULL);
  sim_os_free(os);
}

static void at_every_change(void (*fail)(uint64_t at)) {
  wh_arena_init(&arena, &test_mem);
  rows_schema("k string!; v timestamp[us,UTC]; n int64", &arena, &schema);
  for (int m = WH_WRITE_APPEND; m <= WH_WRITE_REPLACE; m++) {
    mode = (wh_write_mode)m;
    uint64_t changes = changes_of_a_load();
    uint64_t step = test_is_long() ? 1 : 2;
    test_note("mode %d: a load makes %llu changes", m, (unsigned long long)changes);
    for (uint64_t at = 1 + test_random_below(step); at <= changes; at += step)
      fail(at);
  }
  wh_arena_free(&arena);
}

TEST(sink_survives_power_loss_at_every_change) {
  at_every_change(fail_power_at);
}

TEST(sink_goes_on_after_a_full_disk) {
  at_every_change(fill_disk_at);
}
