// What every source of rows promises (connect/source.h), against each place in support/place.c.
#include "place.h"
#include "row_text.h"

#include <unistd.h>

static wh_connection c;
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem; // what tests collect is not what they measure
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

// A test that runs against every place that knows SQL, in which tables are made here.
#define CONTRACT(ident)                                                                            \
  static void contract_##ident(void);                                                              \
  TEST(ident) {                                                                                    \
    for (size_t i = 0; test_places[i]; i++) {                                                      \
      if ((test_places[i]->lacks & TEST_SQL) || !set_up(test_places[i])) continue;                 \
      contract_##ident();                                                                          \
      tear_down();                                                                                 \
    }                                                                                              \
  }                                                                                                \
  static void contract_##ident(void)

static void sql(const char *text) {
  test_place_sql(place, &c, text);
}

static const char *described(const wh_source_query *q) {
  wh_source_info info;
  wh_buf_clear(&out);
  if (!CHECK_OK(c.type->source->describe(&c, q, &arena, &info, &test_err))) return "";
  rows_write_schema(&info.schema, &out);
  return wh_arena_cstr(&arena, wh_buf_str(&out));
}

// Describes, reduces the schema to the query's columns, reads to the end.
static wh_status read_all(const wh_source_query *q) {
  wh_source_info info;
  wh_buf_clear(&out);
  wh_buf_clear(&rejects.text);
  WH_TRY(c.type->source->describe(&c, q, &arena, &info, &test_err));
  wh_schema schema = info.schema;
  if (q->column_count) {
    wh_field *fields = WH_NEW_ARRAY(&arena, q->column_count, wh_field);
    for (size_t i = 0; i < q->column_count; i++)
      fields[i] = info.schema.fields[wh_schema_find(&info.schema, q->columns[i])];
    schema = (wh_schema){.count = q->column_count, .fields = fields};
  }
  wh_reader *reader;
  WH_TRY(c.type->source->open(&c, q, &schema, &reader, &test_err));
  wh_status status = rows_read(reader, &rejects, &out, &test_err);
  wh_reader_close(reader);
  return status;
}

static void check_rows(const wh_source_query *q, const char *want) {
  if (!CHECK_OK(read_all(q))) return;
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

static void check_rejects(const char *want) {
  CHECK_STR(wh_buf_str(&rejects.text), wh_str_of(want));
}

#define TABLE(name) (&(wh_source_query){.table = WH_STR(name)})
#define QUERY(text) (&(wh_source_query){.query = WH_STR(text)})

CONTRACT(source_types_survive) {
  sql("CREATE TABLE t (i {int64}, b BOOLEAN, f {double}, d DECIMAL(12,2), "
      "s VARCHAR(40), day DATE, at {timestamp});"
      "INSERT INTO t VALUES (9223372036854775807, TRUE, 0.1, 1234567890.10, "
      "'Größe | 北京', '2026-11-21', '2026-11-21 08:55:00.000001');"
      "INSERT INTO t VALUES (-9223372036854775808, FALSE, -1e300, -0.05, '', '0001-01-01', "
      "'9999-12-31 23:59:59');"
      "INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL);");
  CHECK_STR(wh_str_of(described(TABLE("t"))),
            WH_STR("i int64; b bool; f float64; d decimal(12,2); s string; day date; "
                   "at timestamp[us]"));
  check_rows(TABLE("t"),
             "9223372036854775807|true|0.1|1234567890.10|Größe | 北京|2026-11-21|"
             "2026-11-21T08:55:00.000001\n"
             "-9223372036854775808|false|-1e+300|-0.05||0001-01-01|9999-12-31T23:59:59\n"
             "~|~|~|~|~|~|~\n");
  check_rejects("");
}

CONTRACT(source_fetches_only_what_is_asked) {
  sql("CREATE TABLE t (a {int64}, \"b c\" {text}, \"q\"\"uote\" {text}, margin {int64});"
      "INSERT INTO t VALUES (1, 'x', 'y', 99)");
  wh_str columns[] = {WH_STR("q\"uote"), WH_STR("a"), WH_STR("b c")};
  wh_source_query q = {.table = WH_STR("t"), .columns = columns, .column_count = 3};
  check_rows(&q, "y|1|x\n");
  columns[1] = WH_STR("nowhere");
  wh_field fields[3] = {{.name = columns[0], .type = wh_type_of(WH_STRING)},
                        {.name = columns[1], .type = wh_type_of(WH_STRING)},
                        {.name = columns[2], .type = wh_type_of(WH_STRING)}};
  wh_schema schema = {.count = 3, .fields = fields};
  wh_reader *reader;
  CHECK_FAILS(c.type->source->open(&c, &q, &schema, &reader, &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("place: t has no column 'nowhere'");
}

CONTRACT(source_says_what_is_missing) {
  wh_source_info info;
  sql("CREATE TABLE sales_order (order_number {text})");
  CHECK_FAILS(c.type->source->describe(&c, TABLE("sales_ordr"), &arena, &info, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("place: no table or view 'sales_ordr'. Did you mean 'sales_order'?");
  wh_source_query q = {.table = WH_STR("sales_order"), .cursor = WH_STR("order_numer")};
  CHECK_FAILS(c.type->source->describe(&c, &q, &arena, &info, &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("sales_order has no column 'order_numer'. Did you mean 'order_number'?");
}

CONTRACT(source_runs_a_query_of_the_user) {
  sql("CREATE TABLE t (a {int64}, b {text}); INSERT INTO t VALUES (1, 'x'), (2, 'y'), "
      "(3, 'z')");
  check_rows(QUERY("SELECT b AS name, a * 10 AS ten FROM t WHERE a > 1 ORDER BY a DESC -- so"),
             "z|30\ny|20\n");
  check_rows(QUERY("SELECT a FROM t WHERE a = 1;\n-- done\n"), "1\n");
  check_rows(QUERY("WITH two AS (SELECT 2 AS n) SELECT b FROM t, two WHERE a = n"), "y\n");
  CHECK_FAILS(read_all(QUERY("SELECT a FROM t; DELETE FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: the query has more than one statement. Keep one SELECT");
  CHECK_FAILS(read_all(QUERY("DELETE FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("would write");
  CHECK_FAILS(read_all(QUERY("SELECT nmae FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS(test_place_text(place, "place: the query does not run: {no column nmae}"));
  CHECK_FAILS(read_all(QUERY("SELECT a, a FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("two columns named 'a'");
  wh_source_query parameter = {
      .query = wh_str_of(test_place_text(place, "SELECT a FROM t WHERE b = {param}"))};
  CHECK_FAILS(read_all(&parameter), WH_ERR_USAGE);
  CHECK_ERROR_HAS("parameter");
  CHECK_STR(wh_str_of(place->ask(&c, "SELECT count(*) FROM t")), WH_STR("3"));
}

static wh_value instant(const char *text, const char *type) {
  wh_value v = {0};
  wh_type t;
  CHECK_OK(wh_type_parse(wh_str_of(type), &arena, &t, &test_err));
  CHECK_OK(wh_value_parse(wh_str_of(text), &t, &arena, &v, &test_err));
  return v;
}

CONTRACT(source_cursor_narrows_exactly) {
  sql("CREATE TABLE t (n {int64}, at {timestamptz});"
      "INSERT INTO t VALUES"
      " (1, '2026-11-21 08:55:00+00:00'), (2, '2026-11-21 08:54:59.999999+00:00'),"
      " (3, '2026-11-21 10:55:00+02:00'), (4, '2026-11-21 10:54:00+02:00'),"
      " (5, '2026-11-20 23:55:00-09:00'), (6, '2026-11-20 23:54:59-09:00'), (7, NULL),"
      " (8, '2026-11-21 08:55:00.5+00:00'), (9, '2031-01-01 00:00:00+00:00'),"
      " (10, '2026-11-21 22:54:59+14:00'), (11, '2026-11-21 08:55:00.000001+00:00')");
  wh_str columns[] = {WH_STR("n")};
  wh_source_query q = {.table = WH_STR("t"),
                       .columns = columns,
                       .column_count = 1,
                       .cursor = WH_STR("at"),
                       .has_from = true,
                       .from = instant("2026-11-21T08:55:00Z", "timestamp[us,UTC]")};
  for (int i = 0; i < 3; i++) {
    if (i == 1) sql("CREATE INDEX t_at ON t (at)");
    // And through a query.
    if (i == 2) q.table = (wh_str){0}, q.query = WH_STR("SELECT * FROM t");
    q.has_to = false;
    if (!CHECK_OK(read_all(&q))) return;
    rows_sort(&out);
    CHECK_STR(wh_buf_str(&out), WH_STR("1\n11\n3\n5\n7\n8\n9\n"));
    q.has_to = true;
    q.to = instant("2026-11-21T08:55:00.5Z", "timestamp[us,UTC]");
    if (!CHECK_OK(read_all(&q))) return;
    rows_sort(&out);
    CHECK_STR(wh_buf_str(&out), WH_STR("1\n11\n3\n5\n7\n"));
  }
}

CONTRACT(source_cursor_of_other_types) {
  sql("CREATE TABLE t (n {int64} PRIMARY KEY, r {double}, s {text}, d DATE, x DECIMAL(10,2));"
      "INSERT INTO t VALUES (1, 1.5, 'a', '2026-11-20', 0.1), (2, 2.5, 'b', "
      "'2026-11-21', 0.2), (3, NULL, NULL, NULL, NULL), (4, 10, 'c', '2026-11-22', 0.3)");
  wh_str columns[] = {WH_STR("n")};
  wh_source_query q = {
      .table = WH_STR("t"), .columns = columns, .column_count = 1, .has_from = true};
  q.cursor = WH_STR("n"), q.from = instant("2", "int64");
  check_rows(&q, "2\n3\n4\n");
  q.cursor = WH_STR("r"), q.from = instant("2.5", "float64");
  check_rows(&q, "2\n3\n4\n");
  q.cursor = WH_STR("s"), q.from = instant("b", "string");
  check_rows(&q, "2\n3\n4\n");
  q.cursor = WH_STR("d"), q.from = instant("2026-11-21", "date");
  check_rows(&q, "2\n3\n4\n");
  q.cursor = WH_STR("x"), q.from = instant("0.20", "decimal(10,2)");
  check_rows(&q, "2\n3\n4\n");
  q.limit_rows = 2;
  check_rows(&q, "2\n3\n");
}

CONTRACT(source_rejects_what_does_not_fit) {
  sql("CREATE TABLE t (n {int64}, s {text}, at {misfit type});"
      "INSERT INTO t VALUES (1, 'a', '2026-11-21 08:55:00'), (2, 'b', {misfit}), (5, 'e', NULL)");
  check_rows(TABLE("t"), "1|a|2026-11-21T08:55:00\n5|e|~\n");
  check_rejects(test_place_text(
      place, "type|at|{misfit reason}|2|{\"n\":2,\"s\":\"b\",\"at\":\"{misfit raw}\"}\n"));
}

CONTRACT(source_tells_places_of_rows) {
  sql("CREATE TABLE t (at {misfit type}); INSERT INTO t VALUES ('2026-11-21 08:55:01'),"
      " ({misfit}), ('2026-11-21 08:55:03'), (NULL), ({misfit}), ('2026-11-21 08:55:06')");
  c.batch_rows = 2;
  wh_source_info info;
  REQUIRE_OK(c.type->source->describe(&c, TABLE("t"), &arena, &info, &test_err));
  wh_reader *reader;
  REQUIRE_OK(c.type->source->open(&c, TABLE("t"), &info.schema, &reader, &test_err));
  wh_batch batch;
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  const uint64_t want[] = {1, 3, 4, 6};
  size_t seen = 0;
  for (;;) {
    wh_batch_reset(&batch);
    if (!CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err)) || !batch.rows) break;
    CHECK(batch.rows <= 2);
    for (size_t i = 0; i < batch.rows; i++)
      CHECK_EQ(wh_batch_place(&batch, i).row, want[seen++]);
  }
  CHECK_EQ(seen, 4);
  CHECK_EQ(rejects.count, 2);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

CONTRACT(source_reads_one_snapshot) {
  sql("{readers do not wait} CREATE TABLE t (n {int64});"
      "INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE "
      "n < 1000) SELECT n FROM s");
  c.batch_rows = 10;
  wh_source_info info;
  REQUIRE_OK(c.type->source->describe(&c, TABLE("t"), &arena, &info, &test_err));
  CHECK(info.rows_estimate > 900 && info.rows_estimate < 1100); // InnoDB does not count
  wh_reader *reader;
  REQUIRE_OK(c.type->source->open(&c, TABLE("t"), &info.schema, &reader, &test_err));
  wh_batch batch;
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  sql("UPDATE t SET n = -n; INSERT INTO t VALUES (5000)");
  size_t rows = batch.rows;
  int64_t least = 0;
  while (batch.rows) {
    wh_batch_reset(&batch);
    if (!CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err))) break;
    rows += batch.rows;
    for (size_t i = 0; i < batch.rows; i++)
      least = wh_column_i64(&batch.columns[0], i) < least ? -1 : least;
  }
  CHECK_EQ(rows, 1000);
  CHECK_EQ(least, 0);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

CONTRACT(source_stops_when_asked) {
  sql("CREATE TABLE t (n {int64}); INSERT INTO t VALUES (1), (2)");
  atomic_bool cancel = false;
  c.cancel = &cancel;
  wh_source_info info;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(c.type->source->describe(&c, TABLE("t"), &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, TABLE("t"), &info.schema, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  cancel = true;
  CHECK_FAILS(reader->next(reader, &batch, &rejects.base, &test_err), WH_ERR_CANCELLED);
  wh_batch_free(&batch);
  wh_reader_close(reader);
  c.cancel = NULL;
}

static wh_status see_table(void *context, const wh_table_info *table, wh_error *err) {
  (void)err;
  wh_buf *text = context;
  wh_buf_printf(text, "%.*s ", WH_STR_ARG(table->name));
  if (table->rows != WH_SIZE_UNKNOWN) wh_buf_printf(text, "%llu", (unsigned long long)table->rows);
  wh_buf_add_c(text, " [");
  for (size_t i = 0; i < table->key_count; i++)
    wh_buf_printf(text, "%s%.*s", i ? "," : "", WH_STR_ARG(table->key[i]));
  wh_buf_add_c(text, "] ");
  rows_write_schema(&table->schema, text);
  wh_buf_add_char(text, '\n');
  return WH_OK;
}

CONTRACT(source_names_tables_and_views) {
  sql("CREATE TABLE t (a {int64}); CREATE TABLE _wherry_x (a {int64}); CREATE VIEW v AS SELECT a "
      "FROM t");
  wh_table_name *names;
  size_t count;
  REQUIRE_OK(c.type->source->tables(&c, &arena, &names, &count, &test_err));
  for (size_t i = 0; i < count; i++) // a server has other schemas besides
    if (names[i].is_home && !names[i].is_denied)
      wh_buf_printf(&out, "%.*s ", WH_STR_ARG(names[i].table));
  CHECK_STR(wh_buf_str(&out), WH_STR("t v "));
}

CONTRACT(source_discovers_tables_and_views) {
  sql("CREATE TABLE t (a {int64} NOT NULL PRIMARY KEY, b {text} NOT NULL);"
      "CREATE TABLE u (x {key text} NOT NULL, y {key text} NOT NULL, PRIMARY KEY (y, x));"
      "CREATE VIEW v AS SELECT b FROM t; INSERT INTO t VALUES (1, 'x'), (2, 'y')");
  CHECK_OK(c.type->source->discover(&c, &arena, see_table, &out, &test_err));
  CHECK_STR(wh_buf_str(&out), wh_str_of(test_place_text(place, "t 2 [a] a int64!; b string!\n"
                                                               "u 0 [y,x] x string!; y string!\n"
                                                               "v  [] {view of text}\n")));
}

static void find(wh_finder *finder, const wh_value *key, const char *want) {
  wh_batch batch;
  CHECK_OK(wh_batch_init(&batch, &test_mem, finder->schema, &test_err));
  wh_buf_clear(&out);
  CHECK_OK(finder->find(finder, key, &batch, &test_err));
  rows_write(&batch, &out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  wh_batch_free(&batch);
}

CONTRACT(source_finds_by_key) {
  sql("CREATE TABLE t (a {int64}, b {key text}, c {text}, PRIMARY KEY (a, b));"
      "INSERT INTO t VALUES (1, 'x', 'one'), (1, 'y', 'two'), (2, 'x', NULL)");
  wh_str key[] = {WH_STR("b"), WH_STR("a")}, show[] = {WH_STR("c"), WH_STR("a")};
  wh_finder *finder;
  REQUIRE_OK(c.type->source->open_finder(&c, WH_STR("t"), key, 2, show, 2, &finder, &test_err));
  find(finder, (wh_value[]){instant("y", "string"), instant("1", "int64")}, "two|1\n");
  find(finder, (wh_value[]){instant("x", "string"), instant("2", "string")}, "~|2\n");
  find(finder, (wh_value[]){instant("X", "string"), instant("2", "int64")}, "");
  find(finder, (wh_value[]){instant("x", "string"), instant("two", "string")}, "");
  find(finder, (wh_value[]){{.is_null = true}, instant("1", "int64")}, "");
  finder->close(finder);
  REQUIRE_OK(c.type->source->open_finder(&c, WH_STR("t"), key + 1, 1, show, 1, &finder, &test_err));
  find(finder, (wh_value[]){instant("1", "int64")}, "one\ntwo\n");
  finder->close(finder);
  show[0] = WH_STR("gone");
  CHECK_FAILS(c.type->source->open_finder(&c, WH_STR("t"), key, 2, show, 2, &finder, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_FAILS(c.type->source->open_finder(&c, WH_STR("u"), key, 2, show, 2, &finder, &test_err),
              WH_ERR_NOT_FOUND);
}

CONTRACT(source_survives_without_memory) {
  sql("CREATE TABLE t (a {int64} PRIMARY KEY, b {text}, at {timestamp});"
      "INSERT INTO t VALUES (1, 'x', '2026-11-21 08:55:00'), (2, 'y', {misfit})");
  wh_source_query q = {.table = WH_STR("t"),
                       .cursor = WH_STR("at"),
                       .has_from = true,
                       .from = instant("2026-11-21T00:00:00", "timestamp[us]")};
  wh_arena kept = arena;
  for (size_t n = 1;; n++) {
    wh_arena_init(&arena, &test_mem);
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = read_all(&q);
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    wh_arena_free(&arena);
    if (!refused) {
      CHECK_EQ(status, WH_OK);
      test_note("%zu allocations failed in turn", n - 1);
      break;
    }
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
  }
  arena = kept;
}
