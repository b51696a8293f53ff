// The sqlite connector when memory runs out inside SQLite itself: an error, nothing wrong in the
// table, nothing leaked, and the next try works.
#include "base/sqlite_mem.h"
#include "connect/sqlite/sqlite.h"
#include "row_text.h"
#include "sim_os.h"
#include "sim_vfs.h"

static wh_mem sqlite_mem;
static wh_schema schema;
static wh_arena arena;
static wh_connection c;
static wh_sqlite_options options;
static rows_rejects rejects;
static wh_buf out;
static wh_mem out_mem;

static wh_status load(wh_write_mode mode, int64_t order, wh_batch *batch) {
  const wh_sink_type *type = &wh_sqlite_sink;
  wh_str key = WH_STR("k");
  wh_target target = {.table = WH_STR("orders"),
                      .schema = &schema,
                      .mode = mode,
                      .key = &key,
                      .key_count = 1,
                      .newest_by = WH_STR("v")};
  wh_load l = {.pipeline = WH_STR("p"),
               .object = order == 1 ? WH_STR("one") : WH_STR("two"),
               .run = WH_STR("r"),
               .order = order,
               .epoch = 1,
               .now_us = INT64_C(1795251600000000)};
  wh_sink *sink;
  wh_mark mark;
  WH_TRY(type->open(&c, &target, 1, &sink, &test_err));
  wh_status status = type->prepare(sink, &test_err);
  if (status == WH_OK) status = type->begin(sink, &l, &arena, &mark, &test_err);
  if (status == WH_OK) status = type->write(sink, 0, batch, &rejects.base, &mark.counts, &test_err);
  mark.done = true;
  if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
  if (status == WH_OK) status = type->commit(sink, &test_err);
  type->close(sink);
  return status;
}

static wh_status read_back(void) {
  wh_source_query q = {.table = WH_STR("orders"), .cursor = WH_STR("v"), .has_from = true};
  q.from = (wh_value){.type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_US, .zoned = true}, .as.i = 0};
  wh_source_info info;
  wh_reader *reader;
  wh_buf_clear(&out);
  WH_TRY(wh_sqlite_source.describe(&c, &q, &arena, &info, &test_err));
  WH_TRY(wh_sqlite_source.open(&c, &q, &info.schema, &reader, &test_err));
  wh_status status = rows_read(reader, &rejects, &out, &test_err);
  wh_reader_close(reader);
  rows_sort(&out);
  return status;
}

static void fill(wh_batch *batch, char version, const char *text) {
  CHECK_OK(wh_batch_init(batch, &test_mem, &schema, &test_err));
  for (int i = 0; i < 40; i++) {
    char line[128];
    snprintf(line, sizeof line, "key-%d|2026-11-21T08:00:0%cZ|%s %d", i, version, text, i);
    rows_add(batch, line);
  }
}

// Loads an object over another and reads it back, with the nth allocation of SQLite failing.
// True when none failed.
static bool run_once(wh_write_mode mode, wh_batch batches[2], size_t fail_at) {
  wh_os *os = sim_os_new(&test_mem, 1);
  sim_vfs_use(os);
  c.os = os;
  CHECK_OK(load(mode, 1, &batches[0]));
  atomic_store(&sqlite_mem.count, 0);
  atomic_store(&sqlite_mem.failed, 0);
  atomic_store(&sqlite_mem.fail_at, fail_at);
  wh_status status = load(mode, 2, &batches[1]);
  if (status == WH_OK) status = read_back();
  bool refused = atomic_load(&sqlite_mem.failed) > 0;
  atomic_store(&sqlite_mem.fail_at, 0);
  // SQLite goes on without what it can do without (a page less in its cache).
  if (status != WH_OK) CHECK_EQ(status, WH_ERR_MEMORY);
  if (status != WH_OK || mode != WH_WRITE_APPEND) CHECK_OK(load(mode, 2, &batches[1]));
  if (CHECK_OK(read_back()) && mode != WH_WRITE_APPEND) {
    WH_CLEAN_BUF wh_buf want;
    wh_buf_init(&want, &out_mem, 0);
    rows_write(&batches[1], &want);
    rows_sort(&want);
    CHECK_STR(wh_buf_str(&out), wh_buf_str(&want));
  }
  CHECK_EQ(rejects.count, 0);
  sim_vfs_use(NULL);
  sim_os_free(os);
  return !refused;
}

TEST(sqlite_survives_without_memory_inside) {
  wh_mem_init(&sqlite_mem, 0);
  wh_sqlite_use_mem(&sqlite_mem);
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &out_mem, 0);
  rows_rejects_init(&rejects);
  rows_schema("k string!; v timestamp[us,UTC]; s string", &arena, &schema);
  options = (wh_sqlite_options){.path = WH_STR("website.db"), .busy_timeout_us = 1000};
  c = (wh_connection){.name = WH_STR("website"),
                      .type = &wh_connector_sqlite,
                      .options = &options,
                      .mem = &test_mem};
  wh_batch batches[2];
  fill(&batches[0], '1', "old");
  fill(&batches[1], '2', "new");
  size_t step = test_is_long() ? 1 : 23;
  for (int mode = WH_WRITE_APPEND; mode <= WH_WRITE_REPLACE; mode++) {
    size_t n = 1 + test_random_below(step);
    while (!run_once((wh_write_mode)mode, batches, n))
      n += step;
    test_note("mode %d: %zu allocations of SQLite failed in turn", mode, n / step);
  }
  wh_batch_free(&batches[0]);
  wh_batch_free(&batches[1]);
  rows_rejects_free(&rejects);
  wh_buf_free(&out);
  wh_arena_free(&arena);
}
