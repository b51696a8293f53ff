// How fast the sqlite connector reads and writes order rows, one thread, beside the plainest loops
// over the SQLite API that do the same.
//
//   build/bench/sqlite-rows FOLDER [ROWS]
//
// Prints seconds of processor time of this thread, and of the clock. FOLDER is scratch.
#include "connect/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS = 10, CHUNK = 100000 };

static wh_mem mem;
static wh_os_real os;
static wh_error err;
static wh_sqlite_options erp_options, website_options;
static wh_connection erp, website;
static char erp_path[512], website_path[512];

static void must(wh_status status) {
  if (status == WH_OK) return;
  fprintf(stderr, "%s\n", err.text);
  exit(1);
}

static void must_sql(sqlite3 *db, int rc) {
  if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
  fprintf(stderr, "%s\n", sqlite3_errmsg(db));
  exit(1);
}

static double cpu(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_started, wall_started;
static void start(void) {
  cpu_started = cpu(CLOCK_THREAD_CPUTIME_ID);
  wall_started = cpu(CLOCK_MONOTONIC);
}
static void stop(const char *what) {
  printf("%-44s %.2f s cpu  %.2f s\n", what, cpu(CLOCK_THREAD_CPUTIME_ID) - cpu_started,
         cpu(CLOCK_MONOTONIC) - wall_started);
}

static const char orders_sql[] =
    "CREATE TABLE sales_order (id INTEGER PRIMARY KEY, number TEXT NOT NULL, customer TEXT, status "
    "INTEGER, total DECIMAL(12,2), margin REAL, ordered DATE, paid BOOLEAN, note TEXT, updated_at "
    "TIMESTAMP)";

static sqlite3 *open_raw(const char *path) {
  sqlite3 *db;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  must_sql(NULL, sqlite3_open_v2(path, &db, flags, NULL));
  must_sql(db, sqlite3_exec(db,
                            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                            "PRAGMA cache_size=-8192",
                            NULL, NULL, NULL));
  return db;
}

static void make_orders(int rows) {
  sqlite3 *db = open_raw(erp_path);
  sqlite3_stmt *stmt;
  must_sql(db, sqlite3_exec(db, orders_sql, NULL, NULL, NULL));
  must_sql(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
  must_sql(db, sqlite3_prepare_v2(
                   db,
                   "INSERT INTO sales_order VALUES (?1, printf('SO%08d', ?1), 'Customer ' || (?1 % "
                   "5000), ?1 % 5, (?1 * 7919 % 1000000) / 100.0, 0.25, date(1780000000 + ?1 * 10, "
                   "'unixepoch'), ?1 % 2, CASE ?1 % 3 WHEN 0 THEN NULL ELSE 'Bitte klingeln, "
                   "Größe 5' END, strftime('%Y-%m-%d %H:%M:%f', 1780000000 + ?1 * 10, 'unixepoch') "
                   "|| 'Z')",
                   -1, &stmt, NULL));
  for (int i = 1; i <= rows; i++) {
    sqlite3_bind_int(stmt, 1, i);
    must_sql(db, sqlite3_step(stmt));
    sqlite3_reset(stmt);
  }
  sqlite3_finalize(stmt);
  must_sql(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
  sqlite3_close(db);
}

static void read_plain(void) {
  start();
  sqlite3 *db = open_raw(erp_path);
  sqlite3_stmt *stmt;
  must_sql(db, sqlite3_prepare_v2(db, "SELECT * FROM sales_order", -1, &stmt, NULL));
  size_t bytes = 0;
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    for (int i = 0; i < COLUMNS; i++) {
      int type = sqlite3_column_type(stmt, i);
      if (type == SQLITE_TEXT) {
        (void)sqlite3_column_text(stmt, i);
        bytes += (size_t)sqlite3_column_bytes(stmt, i);
      } else if (type == SQLITE_INTEGER) {
        bytes += (size_t)sqlite3_column_int64(stmt, i) & 7;
      } else if (type == SQLITE_FLOAT) {
        bytes += sqlite3_column_double(stmt, i) > 0;
      }
    }
  }
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  stop(bytes ? "read, a plain loop" : "read nothing");
}

static wh_status no_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                        size_t row, wh_error *e) {
  (void)self, (void)batch, (void)row;
  return wh_fail(e, WH_ERR_DATA, "%.*s: %.*s", WH_STR_ARG(reject->column),
                 WH_STR_ARG(reject->reason));
}
static wh_status no_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *e) {
  (void)text;
  return no_row(self, reject, NULL, 0, e);
}
static wh_rejects rejects = {.row = no_row, .raw = no_raw};

static void read_wherry(wh_arena *arena, const wh_source_query *q, wh_schema *ret_schema) {
  start();
  wh_source_info info;
  wh_reader *reader;
  wh_batch batch;
  must(wh_sqlite_source.describe(&erp, q, arena, &info, &err));
  wh_schema schema = info.schema;
  if (q->column_count) {
    wh_field *fields = WH_NEW_ARRAY(arena, q->column_count, wh_field);
    for (size_t i = 0; i < q->column_count; i++)
      fields[i] = info.schema.fields[wh_schema_find(&info.schema, q->columns[i])];
    schema = (wh_schema){.count = q->column_count, .fields = fields};
  }
  must(wh_sqlite_source.open(&erp, q, &schema, &reader, &err));
  must(wh_batch_init(&batch, &mem, reader->schema, &err));
  do {
    wh_batch_reset(&batch);
    must(reader->next(reader, &batch, &rejects, &err));
  } while (batch.rows);
  wh_batch_free(&batch);
  wh_reader_close(reader);
  stop("read, wherry");
  *ret_schema = schema;
}

static void unlink_website(void) {
  const char *const ends[] = {"", "-wal", "-shm"};
  char path[600];
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s%s", website_path, ends[i]);
    unlink(path);
  }
}

// Six columns: key, customer, status, total, date, version.
static void write_plain(const char *what, const char *conflict, const char *end, int rows) {
  unlink_website();
  sqlite3 *db = open_raw(website_path);
  char sql[1024];
  snprintf(sql, sizeof sql,
           "CREATE TABLE orders (number TEXT NOT NULL, customer TEXT, status INTEGER, total "
           "DECIMAL(12,2), ordered DATE, updated_at TIMESTAMPTZ, ord INTEGER NOT NULL, PRIMARY KEY "
           "(number))%s",
           end);
  must_sql(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
  sqlite3_stmt *stmt;
  snprintf(sql, sizeof sql, "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)%s", conflict);
  must_sql(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL));
  start();
  must_sql(db, sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
  char number[16] = "SO00000000", customer[] = "Customer 4711";
  for (int i = 1; i <= rows; i++) {
    for (int at = 9, rest = i; at > 1; at--, rest /= 10)
      number[at] = (char)('0' + rest % 10);
    sqlite3_bind_text(stmt, 1, number, 10, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, customer, 13, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 3, i % 5);
    sqlite3_bind_double(stmt, 4, (i % 1000000) / 100.0);
    sqlite3_bind_text(stmt, 5, "2026-11-21", 10, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 6, "2026-11-21T08:55:00.000000Z", 27, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 7, 1);
    must_sql(db, sqlite3_step(stmt));
    sqlite3_reset(stmt);
    if (i % CHUNK) continue;
    must_sql(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    must_sql(db, sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
  }
  must_sql(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
  stop(what);
  sqlite3_finalize(stmt);
  sqlite3_close(db);
}

static void checkpoint(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *mark) {
  must(wh_sqlite_sink.mark(sink, mark, &err));
  must(wh_sqlite_sink.commit(sink, &err));
  must(wh_sqlite_sink.begin(sink, load, arena, mark, &err));
}

// Reading is taken off: it runs beside this, in the same batches.
static void write_wherry(const char *what, wh_arena *arena, const wh_source_query *q,
                         const wh_schema *schema, wh_write_mode mode, int64_t order) {
  wh_str key = WH_STR("number");
  wh_target target = {.table = WH_STR("orders"),
                      .schema = schema,
                      .mode = mode,
                      .key = &key,
                      .key_count = 1,
                      .newest_by = WH_STR("updated_at")};
  wh_load load = {.pipeline = WH_STR("p"),
                  .object = WH_STR("o"),
                  .run = WH_STR("r"),
                  .order = order,
                  .epoch = 1,
                  .now_us = INT64_C(2000000000000000)};
  wh_reader *reader;
  wh_batch batch;
  wh_sink *sink;
  wh_mark mark;
  must(wh_sqlite_source.open(&erp, q, schema, &reader, &err));
  must(wh_batch_init(&batch, &mem, reader->schema, &err));
  must(wh_sqlite_sink.open(&website, &target, 1, &sink, &err));
  must(wh_sqlite_sink.prepare(sink, &err));
  double reading_cpu = 0, reading_wall = 0;
  start();
  must(wh_sqlite_sink.begin(sink, &load, arena, &mark, &err));
  uint64_t rows = 0;
  mark.counts = (wh_counts){0};
  for (;;) {
    double c0 = cpu(CLOCK_THREAD_CPUTIME_ID), w0 = cpu(CLOCK_MONOTONIC);
    wh_batch_reset(&batch);
    must(reader->next(reader, &batch, &rejects, &err));
    reading_cpu += cpu(CLOCK_THREAD_CPUTIME_ID) - c0;
    reading_wall += cpu(CLOCK_MONOTONIC) - w0;
    if (!batch.rows) break;
    must(wh_sqlite_sink.write(sink, 0, &batch, &rejects, &mark.counts, &err));
    rows += batch.rows;
    if (rows % CHUNK < batch.rows) checkpoint(sink, &load, arena, &mark);
  }
  mark.done = true;
  must(wh_sqlite_sink.mark(sink, &mark, &err));
  must(wh_sqlite_sink.commit(sink, &err));
  cpu_started += reading_cpu;
  wall_started += reading_wall;
  stop(what);
  printf("  written %llu, unchanged %llu, superseded %llu\n",
         (unsigned long long)mark.counts.written, (unsigned long long)mark.counts.unchanged,
         (unsigned long long)mark.counts.superseded);
  wh_sqlite_sink.close(sink);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int rows = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1000000;
  wh_mem_init(&mem, 0);
  must(wh_os_real_init(&os, &mem, &err));
  snprintf(erp_path, sizeof erp_path, "%s/erp.db", argv[1]);
  snprintf(website_path, sizeof website_path, "%s/website.db", argv[1]);
  erp_options = (wh_sqlite_options){.path = wh_str_of(erp_path), .busy_timeout_us = 1000000};
  website_options =
      (wh_sqlite_options){.path = wh_str_of(website_path), .busy_timeout_us = 1000000};
  erp =
      (wh_connection){.name = WH_STR("erp"), .options = &erp_options, .os = &os.base, .mem = &mem};
  website = erp;
  website.options = &website_options;
  if (access(erp_path, R_OK) != 0) make_orders(rows);
  wh_arena arena;
  wh_arena_init(&arena, &mem);
  wh_schema all, six;
  wh_str columns[] = {WH_STR("number"), WH_STR("customer"), WH_STR("status"),
                      WH_STR("total"),  WH_STR("ordered"),  WH_STR("updated_at")};
  wh_source_query q = {.table = WH_STR("sales_order")};
  read_plain();
  read_wherry(&arena, &q, &all);
  q.columns = columns;
  q.column_count = 6;
  read_wherry(&arena, &q, &six);
  write_plain("insert, a plain loop", "", "", rows);
  write_plain("insert, a plain loop, WITHOUT ROWID", "", " WITHOUT ROWID", rows);
  write_plain("upsert, a plain loop, WITHOUT ROWID",
              " ON CONFLICT (number) DO UPDATE SET customer = excluded.customer, status = "
              "excluded.status, total = excluded.total, ordered = excluded.ordered, updated_at = "
              "excluded.updated_at, ord = excluded.ord WHERE excluded.updated_at > updated_at",
              " WITHOUT ROWID", rows);
  unlink_website();
  write_wherry("append, wherry", &arena, &q, &six, WH_WRITE_APPEND, 1);
  unlink_website();
  write_wherry("upsert, wherry, new rows", &arena, &q, &six, WH_WRITE_UPSERT, 1);
  write_wherry("upsert, wherry, the same again", &arena, &q, &six, WH_WRITE_UPSERT, 1);
  write_wherry("upsert, wherry, all newer", &arena, &q, &six, WH_WRITE_UPSERT, 2);
  unlink_website();
  write_wherry("replace, wherry", &arena, &q, &six, WH_WRITE_REPLACE, 1);
  unlink_website();
  wh_arena_free(&arena);
  wh_os_real_free(&os);
  return 0;
}
