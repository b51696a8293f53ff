// What reading by ranges promises (connect/range_reader.h), against each place in support/place.c:
// each row exactly once, whatever the key holds, and in PostgreSQL as of one instant.
#include "connect/range_reader.h"
#include "place.h"
#include "row_text.h"

#include <stdlib.h>

static wh_connection c;
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem;
static rows_rejects rejects;
static const test_place *place;

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
      if (!set_up(test_places[i])) continue;                                                       \
      if (!c.type->source->extremes) {                                                             \
        tear_down();                                                                               \
        continue;                                                                                  \
      }                                                                                            \
      contract_##ident();                                                                          \
      tear_down();                                                                                 \
    }                                                                                              \
  }                                                                                                \
  static void contract_##ident(void)

static void sql(const char *text) {
  test_place_sql(place, &c, text);
}

static wh_status open_ranges(const wh_source_query *q, const char *key, size_t count,
                             wh_ranges *ranges, wh_reader **ret) {
  wh_source_info info;
  WH_TRY(c.type->source->describe(&c, q, &arena, &info, &test_err));
  ptrdiff_t at = wh_schema_find(&info.schema, wh_str_of(key));
  wh_field nowhere = {.name = wh_str_of(key), .type = wh_type_of(WH_INT64)};
  const wh_field *field = at < 0 ? &nowhere : &info.schema.fields[at];
  return wh_range_reader_open(&c, q, &info.schema, field, count, ranges, ret, &test_err);
}

static wh_status read_ranges(const wh_source_query *q, const char *key, size_t count,
                             wh_ranges *ranges) {
  wh_reader *reader;
  wh_buf_clear(&out);
  wh_buf_clear(&rejects.text);
  WH_TRY(open_ranges(q, key, count, ranges, &reader));
  wh_status status = rows_read(reader, &rejects, &out, &test_err);
  wh_reader_close(reader);
  return status;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

// The lines of a text in the order of their bytes.
static const char *sorted(wh_str text) {
  char *lines[4096];
  size_t count = 0;
  wh_str line;
  while (count < 4096 && wh_str_split(&text, '\n', &line))
    lines[count++] = wh_arena_cstr(&arena, line);
  qsort(lines, count, sizeof *lines, by_text);
  WH_CLEAN_BUF wh_buf all;
  wh_buf_init(&all, &out_mem, 0);
  for (size_t i = 0; i < count; i++)
    wh_buf_printf(&all, "%s\n", lines[i]);
  return wh_arena_cstr(&arena, wh_buf_str(&all));
}

// By ranges comes what comes by one session.
static void check_same(const wh_source_query *q, const char *key, size_t want_sessions) {
  wh_source_info info;
  wh_reader *reader;
  wh_buf_clear(&out);
  REQUIRE_OK(c.type->source->describe(&c, q, &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, q, &info.schema, &reader, &test_err));
  CHECK_OK(rows_read(reader, &rejects, &out, &test_err));
  wh_reader_close(reader);
  const char *whole = sorted(wh_buf_str(&out));
  wh_ranges ranges;
  if (!CHECK_OK(read_ranges(q, key, 3, &ranges))) return;
  CHECK_STR(wh_str_of(sorted(wh_buf_str(&out))), wh_str_of(whole));
  CHECK_EQ(ranges.count, want_sessions);
  CHECK_EQ(ranges.one_snapshot, want_sessions == 1 || strcmp(place->name, "postgres") == 0);
}

#define TABLE(name_) (&(wh_source_query){.table = WH_STR(name_)})

CONTRACT(ranges_have_each_row_once) {
  sql("CREATE TABLE t (n {int64}, s {text}, at {timestamp}, d DECIMAL(12,2), f {double});"
      "INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE "
      "n < 900) SELECT n, 'x', '2026-11-21 08:00:00', n, n FROM s;"
      "UPDATE t SET n = NULL WHERE n > 880; UPDATE t SET n = 300 WHERE n BETWEEN 290 AND 310;"
      "UPDATE t SET n = 1 WHERE n < 5");
  check_same(TABLE("t"), "n", 3);
  check_same(TABLE("t"), "d", 3);
  check_same(TABLE("t"), "f", 3);
  check_same(TABLE("t"), "s", 1); // all the same
}

CONTRACT(ranges_by_text_and_time) {
  sql("CREATE TABLE t (k {key text}, at {timestamp});"
      "INSERT INTO t VALUES ('', '2026-01-01 00:00:00'), ('a', NULL), ('A', '2026-02-01 "
      "00:00:00'), "
      "('b', '2026-03-01 00:00:00.000001'), ('B', '2026-03-01 00:00:00'), "
      "('c', '2026-06-01 00:00:00'), ('C', '2026-07-01 00:00:00'), ('ä', '2026-08-01 00:00:00'), "
      "('z', '9999-12-31 23:59:59'), (NULL, '1970-01-01 00:00:00'), ('m', '2026-05-01 00:00:00'), "
      "('M', '0001-01-01 00:00:00')");
  check_same(TABLE("t"), "k", 3);
  check_same(TABLE("t"), "at", 3);
}

CONTRACT(ranges_of_nothing) {
  sql("CREATE TABLE t (n {int64})");
  check_same(TABLE("t"), "n", 1);
  sql("INSERT INTO t VALUES (NULL); INSERT INTO t VALUES (NULL)");
  check_same(TABLE("t"), "n", 1);
  sql("INSERT INTO t VALUES (7)");
  check_same(TABLE("t"), "n", 1);
  wh_ranges ranges;
  CHECK_FAILS(read_ranges(TABLE("t"), "nowhere", 3, &ranges), WH_ERR_NOT_FOUND);
  CHECK_FAILS(read_ranges(TABLE("nowhere"), "n", 3, &ranges), WH_ERR_NOT_FOUND);
}

CONTRACT(ranges_keep_to_a_cursor) {
  sql("CREATE TABLE t (n {int64}, changed {int64});"
      "INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE "
      "n < 300) SELECT n, n % 10 FROM s; UPDATE t SET changed = NULL WHERE n % 50 = 0");
  wh_source_query q = {.table = WH_STR("t"),
                       .cursor = WH_STR("changed"),
                       .has_from = true,
                       .from = {.type = wh_type_of(WH_INT64), .as.i = 7}};
  check_same(&q, "n", 3);
}

CONTRACT(ranges_count_rows_through) {
  sql("CREATE TABLE t (n {int64}, f {double});"
      "INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE "
      "n < 500) SELECT n, n FROM s");
  c.batch_rows = 7;
  wh_ranges ranges;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(open_ranges(TABLE("t"), "n", 3, &ranges, &reader));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  uint64_t next = 1, sum = 0;
  for (;;) {
    wh_batch_reset(&batch);
    if (!CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err)) || !batch.rows) break;
    CHECK(batch.rows <= 7);
    for (size_t i = 0; i < batch.rows; i++) {
      CHECK_EQ(wh_batch_place(&batch, i).row, next++);
      sum += (uint64_t)wh_column_i64(&batch.columns[0], i);
    }
  }
  CHECK_EQ(next, 501);
  CHECK_EQ(sum, 500 * 501 / 2);
  CHECK(!reader->paused);
  wh_batch_reset(&batch);
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  CHECK_EQ(batch.rows, 0);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

// Rejected rows count, too: each has the number that no other row has.
CONTRACT(ranges_reject_what_does_not_fit) {
  sql("CREATE TABLE t (n {int64}, at {misfit type}); INSERT INTO t VALUES (1, '2026-11-21 "
      "08:55:01'), (2, {misfit}), (40, '2026-11-21 08:55:03'), (50, NULL), (60, {misfit}), "
      "(90, '2026-11-21 08:55:06'), (91, {misfit})");
  c.batch_rows = 2;
  wh_ranges ranges;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(open_ranges(TABLE("t"), "n", 3, &ranges, &reader));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  uint64_t seen = 0, rows = 0; // a bit for each number
  do {
    wh_batch_reset(&batch);
    if (!CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err))) break;
    for (size_t i = 0; i < batch.rows; i++) {
      uint64_t number = wh_batch_place(&batch, i).row;
      CHECK(number >= 1 && number <= 7 && !(seen & 1u << number));
      seen |= 1u << number;
      rows++;
    }
  } while (batch.rows || reader->paused);
  CHECK_EQ(rows, 4);
  CHECK_EQ(rejects.count, 3);
  wh_str text = wh_buf_str(&rejects.text), line;
  while (wh_str_split(&text, '\n', &line)) {
    if (line.len == 0) continue; // behind the last
    wh_str rest = line, part = {0};
    uint64_t number = 0;
    for (int i = 0; i < 3; i++) { // rule, column, reason
      if (!wh_str_split(&rest, '|', &part)) break;
    }
    (void)(wh_str_split(&rest, '|', &part) && wh_str_to_u64(part, &number));
    CHECK(number >= 1 && number <= 7 && !(seen & 1u << number));
    seen |= 1u << number;
  }
  CHECK_EQ(seen, 0xFE);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

// A row that is read has to be true of one instant: the two halves of a sum that others move about.
CONTRACT(ranges_read_one_snapshot) {
  if (!c.type->source->share) return;
  sql("{readers do not wait} CREATE TABLE t (n {int64}, v {int64});"
      "INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE "
      "n < 1000) SELECT n, 1 FROM s");
  c.batch_rows = 10;
  wh_ranges ranges;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(open_ranges(TABLE("t"), "n", 3, &ranges, &reader));
  CHECK_EQ(ranges.count, 3);
  CHECK(ranges.one_snapshot);
  sql("INSERT INTO t VALUES (5000, 99); DELETE FROM t WHERE n BETWEEN 300 AND 400; UPDATE t SET n "
      "= "
      "n + 900, v = 7 WHERE n < 100");
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  uint64_t rows = 0, sum = 0, values = 0;
  for (;;) {
    wh_batch_reset(&batch);
    if (!CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err)) || !batch.rows) break;
    rows += batch.rows;
    for (size_t i = 0; i < batch.rows; i++) {
      sum += (uint64_t)wh_column_i64(&batch.columns[0], i);
      values += (uint64_t)wh_column_i64(&batch.columns[1], i);
    }
  }
  CHECK_EQ(rows, 1000);
  CHECK_EQ(sum, 1000 * 1001 / 2);
  CHECK_EQ(values, 1000);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

CONTRACT(ranges_can_be_given_up) {
  sql("CREATE TABLE t (n {int64}, s {text});"
      "INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE "
      "n < 900) SELECT n, 'some text' FROM s");
  c.batch_rows = 2;
  wh_ranges ranges;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(open_ranges(TABLE("t"), "n", 4, &ranges, &reader));
  wh_reader_close(reader); // before anything was read
  REQUIRE_OK(open_ranges(TABLE("t"), "n", 4, &ranges, &reader));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  wh_batch_free(&batch);
  wh_reader_close(reader); // in the middle
  atomic_bool stop = false;
  c.cancel = &stop;
  REQUIRE_OK(open_ranges(TABLE("t"), "n", 4, &ranges, &reader));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  atomic_store(&stop, true);
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < 1000; i++) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &rejects.base, &test_err);
  }
  CHECK_EQ(status, WH_ERR_CANCELLED);
  wh_batch_free(&batch);
  wh_reader_close(reader);
  c.cancel = NULL;
}

CONTRACT(ranges_survive_without_memory) {
  sql("CREATE TABLE t (n {int64}, s {text}); INSERT INTO t VALUES (1, 'x'); INSERT INTO t VALUES "
      "(50, 'y'); INSERT INTO t VALUES (99, 'z')");
  size_t step = place->is_slow ? 7 : 1;
  for (size_t n = 1;; n += step) {
    wh_ranges ranges;
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = read_ranges(TABLE("t"), "n", 3, &ranges);
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    wh_arena_reset(&arena);
    if (!refused) {
      CHECK_EQ(status, WH_OK);
      break;
    }
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
  }
}
