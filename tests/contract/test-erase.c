// Rows that are gone at the source, in every sink (connect/sink.h), against each place in
// support/place.c.
#include "data/deleted.h"
#include "place.h"
#include "row_text.h"

#define NOW_US        1795251600000000 // 2026-11-21T09:00:00Z
#define DAY_US        (86400ll * 1000000)
#define PLAIN         "k string!; v timestamp[us,UTC]; n int64"
#define MARKED        PLAIN "; _wherry_deleted bool"
#define ROW(k, v, n)  k "|2026-11-21T08:00:0" v "Z|" n
#define LIVE(k, v, n) ROW(k, v, n) "|false"

static wh_connection c;
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem;
static rows_rejects rejects;
static const test_place *place;
static wh_schema schema;
static wh_str key[1];
static wh_target target;
static int64_t now_us;

static void make_target(wh_deletes deletes, bool side) {
  rows_schema(deletes == WH_DELETES_MARK ? MARKED : PLAIN, &arena, &schema);
  target = (wh_target){.table = WH_STR("orders"),
                       .schema = &schema,
                       .mode = WH_WRITE_UPSERT,
                       .key = key,
                       .key_count = 1,
                       .newest_by = WH_STR("v"),
                       .side_table = side,
                       .erases = true,
                       .deletes = deletes,
                       .tombstone_keep_us = 30 * DAY_US};
}

static bool set_up(const test_place *p) {
  const char *reason = NULL;
  place = p;
  p->open(&c, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &out_mem, 0);
  rows_rejects_init(&rejects);
  key[0] = WH_STR("k");
  now_us = NOW_US;
  make_target(WH_DELETES_REMOVE, false);
  return true;
}

static void tear_down(void) {
  rows_rejects_free(&rejects);
  wh_buf_free(&out);
  wh_arena_free(&arena);
  place->close(&c);
}

#define CONTRACT(ident)                                                                            \
  static void contract_##ident(void);                                                              \
  TEST(ident) {                                                                                    \
    for (size_t i = 0; test_places[i]; i++) {                                                      \
      if (test_places[i]->only_reads || (test_places[i]->lacks & TEST_SQL)) continue;              \
      if (!set_up(test_places[i])) continue;                                                       \
      contract_##ident();                                                                          \
      tear_down();                                                                                 \
    }                                                                                              \
  }                                                                                                \
  static void contract_##ident(void)

// --- Loads ---------------------------------------------------------------------------------------

static wh_status put(wh_sink *sink, const char *rows, wh_counts *counts) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  rows_add(&batch, rows);
  counts->read += batch.rows;
  wh_status status = c.type->sink->write(sink, 0, &batch, &rejects.base, counts, &test_err);
  wh_batch_free(&batch);
  return status;
}

// `keys`: one a line.
static wh_status erase(wh_sink *sink, const char *keys, wh_counts *counts) {
  WH_CLEAN_BUF wh_buf rows;
  wh_buf_init(&rows, &out_mem, 0);
  wh_str rest = wh_str_of(keys), line;
  while (wh_str_split(&rest, '\n', &line))
    if (line.len)
      wh_buf_printf(&rows, "%.*s|~|~%s\n", WH_STR_ARG(line), schema.count > 3 ? "|~" : "");
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  rows_add(&batch, rows.data);
  counts->read += batch.rows;
  wh_status status = c.type->sink->erase(sink, 0, &batch, &rejects.base, counts, &test_err);
  wh_batch_free(&batch);
  return status;
}

typedef struct step {
  const char *rows, *keys; // either may be NULL; keys come first with `keys_first`
  bool keys_first;
} step;

static wh_status take_step(wh_sink *sink, const step *s, wh_counts *counts) {
  if (s->keys && s->keys_first) WH_TRY(erase(sink, s->keys, counts));
  if (s->rows) WH_TRY(put(sink, s->rows, counts));
  if (s->keys && !s->keys_first) WH_TRY(erase(sink, s->keys, counts));
  return WH_OK;
}

// Opens and begins the load of an object.
static wh_sink *begin(const char *object, int64_t order, wh_mark *ret) {
  wh_sink *sink = NULL;
  wh_load load = {.pipeline = WH_STR("import"),
                  .object = wh_str_of(object),
                  .run = WH_STR("run-1"),
                  .order = order,
                  .epoch = 1,
                  .now_us = now_us};
  if (!CHECK_OK(c.type->sink->open(&c, &target, 1, &sink, &test_err))) return NULL;
  bool fine = CHECK_OK(c.type->sink->prepare(sink, &test_err)) &&
              CHECK_OK(c.type->sink->begin(sink, &load, &arena, ret, &test_err));
  if (fine) return sink;
  c.type->sink->close(sink);
  return NULL;
}

static void commit(wh_sink *sink, wh_mark *mark, bool done) {
  mark->done = done;
  mark->rows_done = mark->counts.read;
  CHECK_OK(c.type->sink->mark(sink, mark, &test_err));
  CHECK_OK(c.type->sink->commit(sink, &test_err));
}

static wh_counts load(const char *object, int64_t order, step s) {
  wh_mark mark;
  wh_sink *sink = begin(object, order, &mark);
  if (!sink) return (wh_counts){0};
  mark.counts = (wh_counts){0};
  if (CHECK_OK(take_step(sink, &s, &mark.counts))) commit(sink, &mark, true);
  c.type->sink->close(sink);
  return mark.counts;
}

static void check_load(int64_t order, step s, wh_counts want) {
  static int copies;
  char name[32];
  snprintf(name, sizeof name, "object-%d", copies++);
  wh_counts got = load(name, order, s);
  CHECK_EQ(got.written, want.written);
  CHECK_EQ(got.deleted, want.deleted);
  CHECK_EQ(got.unchanged, want.unchanged);
  CHECK_EQ(got.superseded, want.superseded);
  CHECK_EQ(got.quarantined, want.quarantined);
  CHECK_EQ(got.read, got.written + got.unchanged + got.superseded + got.quarantined);
}

static void check_table(const char *want) {
  wh_source_query q = {.table = WH_STR("orders")};
  wh_source_info info;
  wh_reader *reader;
  rows_rejects none;
  rows_rejects_init(&none);
  wh_buf_clear(&out);
  if (CHECK_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err)) &&
      CHECK_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err))) {
    CHECK_OK(rows_read(reader, &none, &out, &test_err));
    wh_reader_close(reader);
  }
  rows_sort(&out);
  rows_rejects_free(&none);
  CHECK_STR(wh_str_of(out.data ? out.data : ""), wh_str_of(want));
}

static void check_remembered(const char *want) {
  const char *got = test_place_ask(place, &c, "SELECT count(*) FROM _wherry_deleted_orders");
  CHECK_STR(wh_str_of(got), wh_str_of(want));
}

// --- Removing ------------------------------------------------------------------------------------

CONTRACT(erase_removes_what_is_older) {
  check_load(1, (step){.rows = ROW("a", "1", "1") "\n" ROW("b", "1", "1")},
             (wh_counts){.written = 2});
  check_load(3, (step){.keys = "a\nz"}, (wh_counts){.written = 2, .deleted = 2});
  check_table("b|2026-11-21T08:00:01Z|1\n");
  check_remembered("2");
  // Older ones that come late, whatever their version.
  check_load(2, (step){.rows = ROW("a", "9", "2") "\n" ROW("z", "9", "2")},
             (wh_counts){.superseded = 2});
  check_load(2, (step){.keys = "a"}, (wh_counts){.superseded = 1});
  check_table("b|2026-11-21T08:00:01Z|1\n");
  // A newer one ends the deletion, with an older version too.
  check_load(4, (step){.rows = ROW("a", "0", "4")}, (wh_counts){.written = 1});
  check_remembered("1");
  check_load(3, (step){.keys = "a"}, (wh_counts){.superseded = 1});
  check_table("a|2026-11-21T08:00:00Z|4\nb|2026-11-21T08:00:01Z|1\n");
  check_load(5, (step){.keys = "a"}, (wh_counts){.written = 1, .deleted = 1});
  check_table("b|2026-11-21T08:00:01Z|1\n");
}

CONTRACT(erase_of_the_same_object_again_changes_nothing) {
  check_load(1, (step){.rows = ROW("a", "1", "1")}, (wh_counts){.written = 1});
  step two = {.rows = ROW("b", "2", "2"), .keys = "a"};
  check_load(2, two, (wh_counts){.written = 2, .deleted = 1});
  check_load(2, two, (wh_counts){.unchanged = 2});
  check_table("b|2026-11-21T08:00:02Z|2\n");
}

CONTRACT(erase_and_a_row_of_one_object_leave_the_row) {
  check_load(1, (step){.rows = ROW("a", "1", "1") "\n" ROW("b", "1", "1")},
             (wh_counts){.written = 2});
  check_load(2, (step){.rows = ROW("a", "2", "2"), .keys = "a"},
             (wh_counts){.written = 1, .unchanged = 1});
  check_load(2, (step){.rows = ROW("b", "2", "2"), .keys = "b", .keys_first = true},
             (wh_counts){.written = 2, .deleted = 1});
  check_table("a|2026-11-21T08:00:02Z|2\nb|2026-11-21T08:00:02Z|2\n");
  check_remembered("0");
}

CONTRACT(erase_knows_deletions_where_none_come) {
  check_load(3, (step){.keys = "a"}, (wh_counts){.written = 1, .deleted = 1});
  target.erases = false; // an object from before deletions were looked for
  check_load(2, (step){.rows = ROW("a", "2", "2") "\n" ROW("b", "2", "2")},
             (wh_counts){.written = 1, .superseded = 1});
  check_table("b|2026-11-21T08:00:02Z|2\n");
}

CONTRACT(erase_is_remembered_for_a_time) {
  check_load(1, (step){.rows = ROW("a", "1", "1")}, (wh_counts){.written = 1});
  check_load(3, (step){.keys = "a"}, (wh_counts){.written = 1, .deleted = 1});
  now_us += 29 * DAY_US;
  check_load(4, (step){.rows = ROW("b", "1", "1")}, (wh_counts){.written = 1});
  check_remembered("1");
  now_us += 2 * DAY_US;
  check_load(5, (step){.rows = ROW("b", "1", "5")}, (wh_counts){.written = 1});
  check_remembered("0");
  check_load(2, (step){.rows = ROW("a", "1", "2")}, (wh_counts){.written = 1});
}

CONTRACT(erase_keeps_orders_beside_the_table) {
  make_target(WH_DELETES_REMOVE, true);
  check_load(1, (step){.rows = ROW("a", "1", "1") "\n" ROW("b", "1", "1")},
             (wh_counts){.written = 2});
  check_load(3, (step){.keys = "a"}, (wh_counts){.written = 1, .deleted = 1});
  check_load(2, (step){.rows = ROW("a", "9", "2")}, (wh_counts){.superseded = 1});
  check_table("b|2026-11-21T08:00:01Z|1\n");
  check_load(4, (step){.rows = ROW("a", "4", "4")}, (wh_counts){.written = 1});
  check_load(3, (step){.keys = "a"}, (wh_counts){.superseded = 1});
  check_table("a|2026-11-21T08:00:04Z|4\nb|2026-11-21T08:00:01Z|1\n");
}

CONTRACT(erase_quarantines_what_has_no_key) {
  rows_schema("k string; v timestamp[us,UTC]; n int64", &arena, &schema);
  check_load(2, (step){.keys = "~\na"}, (wh_counts){.written = 1, .deleted = 1, .quarantined = 1});
}

// --- Marking -------------------------------------------------------------------------------------

static void mark_story(bool side) {
  make_target(WH_DELETES_MARK, side);
  check_load(1, (step){.rows = LIVE("a", "1", "1") "\n" LIVE("b", "1", "1")},
             (wh_counts){.written = 2});
  check_load(3, (step){.keys = "a\nz"}, (wh_counts){.written = 2, .deleted = 2});
  check_table("a|2026-11-21T08:00:01Z|1|true\nb|2026-11-21T08:00:01Z|1|false\n");
  check_load(2, (step){.rows = LIVE("a", "9", "2") "\n" LIVE("z", "9", "2")},
             (wh_counts){.superseded = 2});
  check_load(3, (step){.keys = "a"}, (wh_counts){.unchanged = 1});
  check_table("a|2026-11-21T08:00:01Z|1|true\nb|2026-11-21T08:00:01Z|1|false\n");
  // The row that comes again has a life of its own, and so an older version counts, too.
  check_load(4, (step){.rows = LIVE("a", "0", "4")}, (wh_counts){.written = 1});
  check_table("a|2026-11-21T08:00:00Z|4|false\nb|2026-11-21T08:00:01Z|1|false\n");
  check_remembered("1");
}

CONTRACT(erase_marks) {
  mark_story(false);
}

CONTRACT(erase_marks_beside_the_table) {
  mark_story(true);
}

// --- Chunks and crashes --------------------------------------------------------------------------

CONTRACT(erase_commits_with_rows_and_mark) {
  check_load(1, (step){.rows = ROW("a", "1", "1") "\n" ROW("b", "1", "1")},
             (wh_counts){.written = 2});
  wh_mark mark;
  wh_sink *sink = begin("two", 2, &mark);
  if (!sink) return;
  step first = {.keys = "a"}, second = {.rows = ROW("c", "2", "2"), .keys = "b"};
  CHECK_OK(take_step(sink, &first, &mark.counts));
  commit(sink, &mark, false);
  c.type->sink->close(sink);
  // The worker is gone before the second chunk commits.
  sink = begin("two", 2, &mark);
  if (!sink) return;
  CHECK(mark.found && !mark.done);
  CHECK_EQ(mark.counts.deleted, 1);
  CHECK_OK(take_step(sink, &second, &mark.counts));
  c.type->sink->abort(sink);
  c.type->sink->close(sink);
  check_table("b|2026-11-21T08:00:01Z|1\n");
  check_remembered("1");
  sink = begin("two", 2, &mark);
  if (!sink) return;
  CHECK_OK(take_step(sink, &second, &mark.counts));
  commit(sink, &mark, true);
  c.type->sink->close(sink);
  CHECK_EQ(mark.counts.deleted, 2);
  CHECK_EQ(mark.counts.written, 3);
  check_table("c|2026-11-21T08:00:02Z|2\n");
  check_remembered("2");
}

// Returns whether memory was refused.
static bool erase_without(size_t n, wh_status *ret) {
  wh_mark mark;
  wh_batch batch;
  wh_sink *sink = NULL;
  const wh_sink_type *type = c.type->sink;
  wh_load two = {.pipeline = WH_STR("import"),
                 .object = WH_STR("two"),
                 .run = WH_STR("run-1"),
                 .order = 2,
                 .epoch = 1,
                 .now_us = now_us};
  if (!CHECK_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err))) return false;
  rows_add(&batch, "a|~|~|~\nz|~|~|~"); // the rows of the test itself come first
  atomic_store(&test_mem.count, 0);
  atomic_store(&test_mem.failed, 0);
  atomic_store(&test_mem.fail_at, n);
  wh_status status = type->open(&c, &target, 1, &sink, &test_err);
  if (status == WH_OK) status = type->prepare(sink, &test_err);
  if (status == WH_OK) status = type->begin(sink, &two, &arena, &mark, &test_err);
  if (status == WH_OK)
    status = type->erase(sink, 0, &batch, &rejects.base, &mark.counts, &test_err);
  if (status == WH_OK) mark.done = true;
  if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
  if (status == WH_OK) status = type->commit(sink, &test_err);
  if (sink) type->close(sink);
  bool refused = atomic_load(&test_mem.failed) > 0;
  atomic_store(&test_mem.fail_at, 0);
  wh_batch_free(&batch);
  *ret = status;
  return refused;
}

CONTRACT(erase_survives_without_memory) {
  make_target(WH_DELETES_MARK, false);
  check_load(1, (step){.rows = LIVE("a", "1", "1")}, (wh_counts){.written = 1});
  size_t most = place->is_slow && !test_is_long() ? 9 : 1;
  for (size_t n = 1;; n += 1 + test_random_below(most)) {
    wh_status status;
    if (erase_without(n, &status)) {
      CHECK_EQ(status, WH_ERR_MEMORY);
      continue;
    }
    CHECK_OK(status);
    break;
  }
  check_table("a|2026-11-21T08:00:01Z|1|true\n");
}

// --- Histories -----------------------------------------------------------------------------------

enum { OBJECTS = 12, KEYS = 9 };

// What object o says of key k: 0 nothing, 1 a row, 2 that it is gone. Versions grow with orders.
static int said[OBJECTS][KEYS];

static void make_object(int o, wh_buf *rows, wh_buf *keys) {
  for (int k = 0; k < KEYS; k++) {
    if (said[o][k] == 1)
      wh_buf_printf(rows, "key-%d|2026-11-21T08:00:%02dZ|%d%s\n", k, o / 2, o,
                    schema.count > 3 ? "|false" : "");
    if (said[o][k] == 2) wh_buf_printf(keys, "key-%d\n", k);
  }
}

static void load_object(int o) {
  WH_CLEAN_BUF wh_buf rows;
  WH_CLEAN_BUF wh_buf keys;
  wh_buf_init(&rows, &out_mem, 0);
  wh_buf_init(&keys, &out_mem, 0);
  make_object(o, &rows, &keys);
  static int copies;
  char name[48];
  snprintf(name, sizeof name, "object-%d-%d", o, copies++);
  step s = {.rows = rows.len ? rows.data : NULL,
            .keys = keys.len ? keys.data : NULL,
            .keys_first = test_random_below(2) == 0};
  wh_counts got = load(name, o + 1, s);
  CHECK_EQ(got.read, got.written + got.unchanged + got.superseded + got.quarantined);
}

static void run_history(bool side) {
  test_place_sql(place, &c,
                 "DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_deleted_orders; "
                 "DROP TABLE IF EXISTS _wherry_order_orders");
  make_target(WH_DELETES_REMOVE, side);
  int order[OBJECTS];
  for (int o = 0; o < OBJECTS; o++) {
    order[o] = o;
    for (int k = 0; k < KEYS; k++)
      said[o][k] = (int)test_random_below(4) % 3;
  }
  for (int o = OBJECTS - 1; o > 0; o--) {
    int other = (int)test_random_below((uint64_t)o + 1), held = order[o];
    order[o] = order[other];
    order[other] = held;
  }
  for (int i = 0; i < OBJECTS; i++) {
    load_object(order[i]);
    if (test_random_below(4) == 0) load_object(order[test_random_below((uint64_t)i + 1)]);
  }
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &out_mem, 0);
  for (int k = 0; k < KEYS; k++) {
    int last = OBJECTS - 1;
    while (last >= 0 && said[last][k] == 0)
      last--;
    if (last >= 0 && said[last][k] == 1)
      wh_buf_printf(&want, "key-%d|2026-11-21T08:00:%02dZ|%d\n", k, last / 2, last);
  }
  check_table(want.data ? want.data : "");
}

CONTRACT(erase_histories_end_the_same_in_any_order) {
  int count = test_is_long() ? 200 : place->is_slow ? 4 : 20;
  for (int i = 0; i < count; i++)
    run_history(i % 2 == 1);
}
