// DuckDB as it runs models (connect/duckdb): rows of any type go in through a table function and
// come out as they were.
#include "test.h"

#ifdef WHERRY_DUCKDB
#include "connect/duckdb/duckdb.h"
#include "connect/sql_tables.h"
#include "random_batch.h"
#include "rows.h"

#include <stdlib.h>

enum { BATCHES_MAX = 8 };

// A table of batches, each of which a reader gives out once.
typedef struct table {
  wh_sql_table base;
  wh_batch batches[BATCHES_MAX];
  size_t count;
} table;

typedef struct tables {
  wh_sql_tables base;
  table *table;
  size_t opened, columns; // that were asked for the last time
} tables;

typedef struct reader {
  wh_reader base;
  const table *of;
  wh_schema schema;
  size_t *columns;
  wh_arena arena;
  size_t at;
} reader;

static wh_os_real os;
static wh_arena arena;
static tables all;
static wh_connection c;
static wh_duckdb_options options;
static atomic_bool stop;

static const char *variable(void *context, const char *name) {
  (void)context;
  return getenv(name);
}

// --- the table -----------------------------------------------------------------------------------

static wh_status next(wh_reader *base, wh_batch *out, wh_rejects *rejects, wh_error *err) {
  reader *r = (reader *)base;
  (void)rejects, (void)err;
  if (r->at == r->of->count) return WH_OK;
  wh_batch_borrow(out, &r->of->batches[r->at++], r->columns);
  return WH_OK;
}

static void close_reader(wh_reader *base) {
  reader *r = (reader *)base;
  wh_arena_free(&r->arena);
  wh_mem_free(&test_mem, r, sizeof *r);
}

static wh_status open_table(const wh_sql_table *base, const size_t *columns, size_t count,
                            wh_reader **ret, wh_error *err) {
  (void)err;
  reader *r = wh_mem_alloc_zero(&test_mem, sizeof *r);
  if (!r) abort();
  wh_arena_init(&r->arena, &test_mem);
  wh_field *fields = WH_NEW_ARRAY(&r->arena, count, wh_field);
  r->columns = WH_NEW_ARRAY(&r->arena, count, size_t);
  if (!fields || !r->columns) abort();
  for (size_t i = 0; i < count; i++) {
    fields[i] = base->schema.fields[columns[i]];
    r->columns[i] = columns[i];
  }
  r->schema = (wh_schema){count, fields};
  r->base = (wh_reader){.schema = &r->schema, .next = next, .close = close_reader};
  r->of = (const table *)base;
  all.opened++;
  all.columns = count;
  *ret = &r->base;
  return WH_OK;
}

static wh_status find(wh_sql_tables *base, wh_str function, wh_str argument,
                      const wh_sql_table **ret, wh_error *err) {
  (void)base;
  CHECK_STR(function, WH_STR("lake"));
  if (!wh_str_is(argument, "x"))
    return wh_fail(err, WH_ERR_NOT_FOUND, "there is no %.*s", WH_STR_ARG(argument));
  *ret = &all.table->base;
  return WH_OK;
}

static bool set_up(table *t) {
  static const wh_str functions[] = {WH_STR_INIT("lake")};
  if (!getenv("WHERRY_DUCKDB")) {
    test_skip("DuckDB's library is not named by WHERRY_DUCKDB (scripts/install-duckdb)");
    return false;
  }
  if (!CHECK_OK(wh_os_real_init(&os, &test_mem, &test_err))) return false;
  wh_arena_init(&arena, &test_mem);
  t->base.open = open_table;
  t->base.rows = WH_SIZE_UNKNOWN;
  stop = false;
  all = (tables){.base = {functions, 1, &stop, find}, .table = t};
  options = (wh_duckdb_options){.memory_bytes = 256 << 20, .threads = 1};
  options.scratch = wh_str_of(test_folder());
  c = (wh_connection){.name = WH_STR("m.sql"),
                      .type = &wh_connector_duckdb,
                      .options = &options,
                      .os = &os.base,
                      .mem = &test_mem,
                      .batch_rows = WH_BATCH_ROWS_DEFAULT,
                      .batch_bytes = WH_BATCH_BYTES_DEFAULT,
                      .environment = {variable, NULL}};
  return true;
}

static void tear_down(table *t) {
  for (size_t i = 0; i < t->count; i++)
    wh_batch_free(&t->batches[i]);
  wh_arena_free(&arena);
  wh_os_real_free(&os);
}

// --- queries -------------------------------------------------------------------------------------

static wh_status open_query(const char *sql, wh_schema *ret_schema, wh_reader **ret) {
  wh_source_query query = {.query = wh_str_of(sql), .tables = &all.base};
  wh_source_info info;
  WH_TRY(c.type->source->describe(&c, &query, &arena, &info, &test_err));
  *ret_schema = info.schema;
  return c.type->source->open(&c, &query, ret_schema, ret, &test_err);
}

typedef wh_status (*take_batch)(void *context, const wh_batch *batch);

static wh_status run(const char *sql, wh_schema *ret_schema, take_batch take, void *context) {
  wh_reader *r;
  WH_TRY(open_query(sql, ret_schema, &r));
  wh_rejects rejects = wh_rejects_none();
  wh_batch batch = {0};
  wh_status status = wh_batch_init(&batch, &test_mem, r->schema, &test_err);
  while (status == WH_OK) {
    wh_batch_reset(&batch);
    status = r->next(r, &batch, &rejects, &test_err);
    if (status != WH_OK || batch.rows == 0) break;
    status = take(context, &batch);
  }
  wh_batch_free(&batch);
  wh_reader_close(r);
  return status;
}

static wh_status write_rows(void *context, const wh_batch *batch) {
  test_write_rows(batch, context);
  return WH_OK;
}

static void check_query(const char *sql, const char *schema, const char *rows) {
  WH_CLEAN_BUF wh_buf out, types;
  wh_buf_init(&out, &test_mem, 0);
  wh_buf_init(&types, &test_mem, 0);
  wh_schema found;
  if (CHECK_OK(run(sql, &found, write_rows, &out))) {
    test_write_schema(&found, &types);
    CHECK_STR(wh_buf_str(&types), wh_str_of(schema));
    CHECK_STR(wh_buf_str(&out), wh_str_of(rows));
  } else {
    test_note("%s", sql);
  }
}

static void check_fails(const char *sql, wh_status want, const char *why) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  wh_schema found;
  test_err = (wh_error){0};
  CHECK_FAILS(run(sql, &found, write_rows, &out), want);
  CHECK_ERROR_HAS(why);
}

static void add_batch(table *t, test_table *rows) {
  wh_batch *b = &t->batches[t->count++];
  t->base.schema = rows->schema;
  REQUIRE_OK(wh_batch_init(b, &test_mem, &rows->schema, &test_err));
  for (size_t i = 0; i < rows->schema.count; i++)
    CHECK_OK(wh_column_add_range(&b->columns[i], &rows->batch.columns[i], 0, rows->batch.rows,
                                 &test_err));
  b->rows = rows->batch.rows;
}

// --- any rows ------------------------------------------------------------------------------------

// What DuckDB has, of the same value: a type as it comes back.
static wh_type expected(const wh_type *type) {
  wh_type t = *type;
  if (t.kind == WH_TIME && t.unit != WH_UNIT_NS) t.unit = WH_UNIT_US;
  if (t.kind == WH_TIMESTAMP && t.zoned) t.unit = WH_UNIT_US;
  if (t.kind != WH_TIME && t.kind != WH_TIMESTAMP) t.unit = WH_UNIT_US;
  if (!t.field_count) return t;
  wh_field *fields = WH_NEW_ARRAY(&arena, t.field_count, wh_field);
  if (!fields) abort();
  for (size_t i = 0; i < t.field_count; i++) {
    fields[i] = type->fields[i];
    fields[i].type = expected(&type->fields[i].type);
    if (t.kind == WH_LIST) fields[i].name = WH_STR("item");
  }
  t.fields = fields;
  return t;
}

// Types that DuckDB has, and values that their units can tell.
static wh_type suited(wh_type type) {
  if (type.kind == WH_NULL || (type.kind == WH_STRUCT && !type.field_count))
    return wh_type_of(WH_INT64);
  if (type.kind == WH_TIMESTAMP && type.zoned && type.unit == WH_UNIT_NS) type.unit = WH_UNIT_US;
  if (!type.field_count) return type;
  wh_field *fields = WH_NEW_ARRAY(&arena, type.field_count, wh_field);
  if (!fields) abort();
  for (size_t i = 0; i < type.field_count; i++) {
    fields[i] = type.fields[i];
    fields[i].type = suited(fields[i].type);
  }
  type.fields = fields;
  return type;
}

static wh_schema random_schema(size_t columns) {
  wh_schema schema = test_random_schema(&arena, columns, 3);
  wh_field *fields = WH_NEW_ARRAY(&arena, columns, wh_field);
  if (!fields) abort();
  for (size_t i = 0; i < columns; i++) {
    fields[i] = schema.fields[i];
    fields[i].type = suited(fields[i].type);
  }
  return (wh_schema){columns, fields};
}

static void fill_table(table *t, const wh_schema *schema) {
  t->base.schema = *schema;
  t->count = 1 + test_random_below(4);
  for (size_t i = 0; i < t->count; i++) {
    CHECK_OK(wh_batch_init(&t->batches[i], &test_mem, schema, &test_err));
    for (size_t rows = test_random_below(3) ? 1 + test_random_below(50) : 3000; rows; rows--)
      CHECK_OK(test_random_row(&t->batches[i], 5, &test_err));
  }
}

typedef struct comparison {
  const table *with;
  size_t batch, row, rows;
} comparison;

static wh_status compare(void *context, const wh_batch *batch) {
  comparison *k = context;
  for (size_t row = 0; row < batch->rows && !test_failed(); row++, k->row++, k->rows++) {
    if (k->row == k->with->batches[k->batch].rows) k->batch++, k->row = 0;
    for (size_t i = 0; i < batch->schema->count; i++)
      CHECK(test_cells_equal(&batch->columns[i], row, &k->with->batches[k->batch].columns[i],
                             k->row));
  }
  return WH_OK;
}

TEST(rows_of_any_type_come_back_as_they_went) {
  for (int round = 0; round < 25 && !test_failed(); round++) {
    table t = {0};
    if (!set_up(&t)) return;
    wh_schema schema = random_schema(1 + test_random_below(6)), found = {0};
    fill_table(&t, &schema);
    comparison k = {.with = &t};
    size_t rows = 0;
    for (size_t i = 0; i < t.count; i++)
      rows += t.batches[i].rows;
    CHECK_OK(run("SELECT * FROM lake('x')", &found, compare, &k));
    CHECK_EQ(k.rows, rows);
    CHECK_EQ(found.count, schema.count);
    for (size_t i = 0; i < found.count && i < schema.count; i++) {
      wh_type want = expected(&schema.fields[i].type);
      CHECK(wh_type_eq(&found.fields[i].type, &want));
    }
    tear_down(&t);
  }
}

// --- what is asked -------------------------------------------------------------------------------

TEST(only_the_columns_that_a_query_needs_are_read) {
  table t = {0};
  if (!set_up(&t)) return;
  test_table rows;
  test_table_init(&rows, "a: int64?, b: string?, d: decimal(10,2)?");
  test_table_add(&rows, "1|x|1.50\n2|y|2.25\n3|~|~\n");
  add_batch(&t, &rows);
  check_query("SELECT b FROM lake('x') WHERE a > 1 ORDER BY a", "b: string?", "y\n~\n");
  CHECK_EQ(all.columns, 2);
  check_query("SELECT count(*) AS n FROM lake('x')", "n: int64?", "3\n");
  CHECK_EQ(all.columns, 1);
  check_query("SELECT sum(d) AS s, sum(a) AS a FROM lake('x')",
              "s: decimal(38,2)?, a: decimal(38,0)?", "3.75|6\n");
  check_query("SELECT l.a FROM lake('x') l JOIN LAKE('x') r ON l.a = r.a + 1 ORDER BY 1",
              "a: int64?", "2\n3\n");
  check_fails("SELECT * FROM lake('y')", WH_ERR_NOT_FOUND, "m.sql: there is no y");
  check_fails("SELECT * FROM pond('x')", WH_ERR_USAGE, "m.sql:1: Catalog Error");
  test_table_free(&rows);
  tear_down(&t);
}

TEST(types_that_are_only_duckdb_s) {
  table t = {0};
  if (!set_up(&t)) return;
  check_query("SELECT 12345678901234567890123456789012345678::hugeint AS h, [1, 2]::int[2] AS a, "
              "NULL AS n, time '01:02:03' AS t, timestamptz '2026-01-31 08:00:00+01' AS z",
              "h: decimal(38,0)?, a: list<int32?>?, n: int32?, t: time[us]?, z: timestamp[us,UTC]?",
              "12345678901234567890123456789012345678|[1,2]|~|01:02:03|2026-01-31T07:00:00Z\n");
  check_query("SELECT timestamptz '2026-01-31 23:30:00+00'::date AS d", "d: date?", "2026-01-31\n");
  check_fails("SELECT ['a', 'b']::enum('a', 'b')[] AS e", WH_ERR_REFUSED, "column e is of type");
  check_fails("SELECT timestamp '-infinity' AS z", WH_ERR_TYPE, "column z is infinity");
  check_fails("SELECT (170141183460469231731687303715884105727::hugeint) AS h", WH_ERR_TYPE,
              "more than 38 digits");
  tear_down(&t);
}

TEST(a_time_that_microseconds_cannot_tell_is_an_error) {
  table t = {0};
  if (!set_up(&t)) return;
  test_table rows;
  test_table_init(&rows, "z: timestamp[ns,UTC]?");
  test_table_add(&rows, "2026-01-31T08:00:00.123456Z\n");
  add_batch(&t, &rows);
  check_query("SELECT * FROM lake('x')", "z: timestamp[us,UTC]?", "2026-01-31T08:00:00.123456Z\n");
  test_table more;
  test_table_init(&more, "z: timestamp[ns,UTC]?");
  test_table_add(&more, "2026-01-31T08:00:00.123456789Z\n");
  add_batch(&t, &more);
  check_fails("SELECT * FROM lake('x')", WH_ERR_TYPE,
              "lake('x'): column z has a time that microseconds cannot tell");
  test_table_free(&rows);
  test_table_free(&more);
  tear_down(&t);
}

TEST(names_that_sql_cannot_tell_apart_are_refused) {
  table t = {0};
  if (!set_up(&t)) return;
  test_table rows;
  test_table_init(&rows, "Id: int64, id: int64");
  test_table_add(&rows, "1|2\n");
  add_batch(&t, &rows);
  check_fails("SELECT * FROM lake('x')", WH_ERR_REFUSED,
              "lake('x'): columns Id and id differ in case only");
  test_table_free(&rows);
  tear_down(&t);
}

TEST(whoever_asks_it_to_stop_is_heard) {
  table t = {0};
  if (!set_up(&t)) return;
  wh_reader *r;
  wh_schema schema;
  wh_batch batch = {0};
  wh_rejects rejects = wh_rejects_none();
  REQUIRE_OK(open_query("SELECT count(*) AS n FROM range(3000000) a, range(3000000) b "
                        "WHERE a.range + b.range = 7",
                        &schema, &r));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, r->schema, &test_err));
  atomic_store(&stop, true);
  CHECK_FAILS(r->next(r, &batch, &rejects, &test_err), WH_ERR_CANCELLED);
  wh_batch_free(&batch);
  wh_reader_close(r);
  tear_down(&t);
}

TEST(a_limit_ends_the_query) {
  table t = {0};
  if (!set_up(&t)) return;
  wh_source_query query = {.query = WH_STR("SELECT range AS i FROM range(1000000000)"),
                           .tables = &all.base,
                           .limit_rows = 7};
  wh_source_info info;
  wh_reader *r;
  wh_batch batch = {0};
  wh_rejects rejects = wh_rejects_none();
  REQUIRE_OK(c.type->source->describe(&c, &query, &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, &query, &info.schema, &r, &test_err));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, r->schema, &test_err));
  CHECK_OK(r->next(r, &batch, &rejects, &test_err));
  CHECK_EQ(batch.rows, 7);
  wh_batch_free(&batch);
  wh_reader_close(r);
  tear_down(&t);
}
#else
TEST(models) {
  SKIP("this build has no DuckDB");
}
#endif
