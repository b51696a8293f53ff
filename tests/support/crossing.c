#include "crossing.h"

#include "engine/checksum.h"
#include "ledger/manifest.h"

#include <sqlite3.h>
#include <stdio.h>

static const char config_text[] =
    "version: 1\n"
    "memory: 64MiB\n"
    "connections:\n"
    "  erp: { type: sqlite, path: erp.db }\n"
    "  lake: { type: local, path: lake }\n"
    "  website: { type: sqlite, path: website.db }\n"
    "pipelines:\n"
    "  export-orders:\n"
    "    from: erp:sales_order\n"
    "    read: { cursor: updated_at }\n"
    "    steps:\n"
    "      - trim: [number]\n"
    "    columns:\n"
    "      Number: number\n"
    "      Status: status\n"
    "      Total: total\n"
    "      UpdatedAt: updated_at\n"
    "    to: lake:inbound/orders-{run}.json\n"
    "  import-orders:\n"
    "    when: new\n"
    "    from: lake:inbound/*.json\n"
    "    columns: all\n"
    "    expect:\n"
    "      Number: [not_null]\n"
    "      Status: { in: [Open, Shipped, Cancelled] }\n"
    "    to: website:orders\n"
    "    write: { mode: upsert, key: Number, newest_by: UpdatedAt }\n";

wh_status crossing_write_config(wh_os *os, const char *chunk, wh_error *err) {
  char text[4096];
  snprintf(text, sizeof text, "%s%s%s%s", config_text, chunk ? "    chunk: " : "",
           chunk ? chunk : "", chunk ? "\n" : "");
  WH_TRY(wh_os_make_path(os, "shop", err));
  return wh_os_write_file(os, "shop/wherry.yaml", wh_str_of(text), false, err);
}

static wh_status open_database(wh_os *os, const char *name, sqlite3 **ret, wh_error *err) {
  char path[128];
  snprintf(path, sizeof path, "shop/%s.db", name);
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (sqlite3_open_v2(path, ret, flags, os->type->sqlite_vfs) == SQLITE_OK) return WH_OK;
  wh_status status = wh_fail(err, WH_ERR_IO, "%s: %s", path, sqlite3_errmsg(*ret));
  sqlite3_close(*ret);
  return status;
}

wh_status crossing_sql(wh_os *os, const char *name, const char *sql, wh_error *err) {
  sqlite3 *db;
  WH_TRY(open_database(os, name, &db, err));
  char *message = NULL;
  wh_status status = WH_OK;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
    status = wh_fail(err, WH_ERR_IO, "%s: %s", name, message ? message : sqlite3_errmsg(db));
  }
  sqlite3_free(message);
  sqlite3_close(db);
  return status;
}

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005ull + 1442695040888963407ull;
  return *state >> 33;
}

wh_status crossing_make_erp(wh_os *os, uint64_t rows, uint64_t seed, wh_error *err) {
  char sql[1024];
  WH_TRY(crossing_sql(os, "erp",
                      "PRAGMA journal_mode=WAL;"
                      "CREATE TABLE sales_order(id INTEGER PRIMARY KEY, number TEXT, status TEXT, "
                      "total DECIMAL(12,2), margin REAL, updated_at TIMESTAMP)",
                      err));
  // Deterministic rows without a random() of SQLite's own: arithmetic on the id and the seed. Every
  // 97th has a status that nobody knows.
  snprintf(
      sql, sizeof sql,
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %llu) "
      "INSERT INTO sales_order SELECT i, printf('SO%%06d ', i), "
      "CASE WHEN i %% 97 = 0 THEN 'Shiped' ELSE "
      "CASE (i * %llu) %% 3 WHEN 0 THEN 'Open' WHEN 1 THEN 'Shipped' ELSE 'Cancelled' END END, "
      "printf('%%d.%%02d', i * 7 %% 5000, i %% 100), i * 0.5, "
      "strftime('%%Y-%%m-%%d %%H:%%M:%%SZ', 1795000000 + (i * %llu) %% 200000, 'unixepoch') FROM n",
      (unsigned long long)rows, (unsigned long long)(seed % 1000 + 1),
      (unsigned long long)(seed % 777 + 1));
  WH_TRY(crossing_sql(os, "erp", sql, err));
  return os->type->sync_dir(os, "shop", err); // SQLite does not sync the name of a new database
}

wh_status crossing_change_erp(wh_os *os, uint64_t seed, wh_error *err) {
  uint64_t state = seed;
  char sql[1024];
  long long now = (long long)(wh_now_us(os) / 1000000);
  snprintf(sql, sizeof sql,
           "UPDATE sales_order SET status = 'Shipped', total = '%llu.%02llu', "
           "updated_at = strftime('%%Y-%%m-%%d %%H:%%M:%%SZ', %lld, 'unixepoch') "
           "WHERE id %% 11 = %llu;"
           "INSERT INTO sales_order(number, status, total, updated_at) VALUES "
           "('NEW%llu', 'Open', '1.00', strftime('%%Y-%%m-%%d %%H:%%M:%%SZ', %lld, 'unixepoch'))",
           (unsigned long long)(next_random(&state) % 9999),
           (unsigned long long)(next_random(&state) % 100), now,
           (unsigned long long)(next_random(&state) % 11), (unsigned long long)next_random(&state),
           now);
  return crossing_sql(os, "erp", sql, err);
}

wh_status crossing_open(crossing *c, wh_os *os, wh_mem *mem, wh_error *err) {
  *c = (crossing){.os = os, .mem = mem};
  wh_config_source source = {.os = os, .mem = mem, .path = "shop/wherry.yaml"};
  WH_TRY(wh_config_load(&source, &c->config, err));
  if (c->config->error_count) {
    return wh_fail(err, WH_ERR_USAGE, "%s", c->config->problems[0].text);
  }
  WH_TRY(wh_os_make_path(os, "shop/.wherry/locks", err));
  WH_TRY(wh_ledger_open_sqlite(os, mem, "shop/.wherry/ledger.db", "shop/.wherry/locks", &c->ledger,
                               err));
  c->engine = (wh_engine){.os = os,
                          .mem = mem,
                          .config = c->config,
                          .ledger = c->ledger,
                          .stop = &c->stop,
                          .wake_fd = -1,
                          .single_thread = os->type->sqlite_vfs != NULL};
  return WH_OK;
}

typedef struct first_failure {
  char text[WH_ERROR_TEXT_MAX];
} first_failure;

static void keep_failure(void *context, const wh_run *run) {
  first_failure *f = context;
  if (run->state == WH_RUN_DONE || f->text[0]) return;
  snprintf(f->text, sizeof f->text, "%.*s", WH_STR_ARG(run->error));
}

wh_status crossing_run(crossing *c, wh_run_totals *totals, wh_error *err) {
  *totals = (wh_run_totals){0};
  first_failure failure = {0};
  c->engine.watcher = (wh_watcher){.context = &failure, .finished = keep_failure};
  wh_run_options options = {.hurry = true};
  WH_TRY(wh_engine_run(&c->engine, NULL, 0, &options, totals, err));
  if (totals->failed == 0) return WH_OK;
  return wh_fail(err, WH_ERR_IO, "a run failed: %s", failure.text);
}

void crossing_close(crossing *c) {
  wh_ledger_close(c->ledger);
  wh_config_free(c->config);
  c->ledger = NULL;
  c->config = NULL;
}

// --- what must hold ----------------------------------------------------------------------------

static wh_status first_text(sqlite3 *db, const char *sql, char *text, size_t cap, wh_error *err) {
  sqlite3_stmt *stmt;
  text[0] = 0;
  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
    return wh_fail(err, WH_ERR_IO, "%s", sqlite3_errmsg(db));
  }
  int code = sqlite3_step(stmt);
  if (code == SQLITE_ROW) snprintf(text, cap, "%s", (const char *)sqlite3_column_text(stmt, 0));
  wh_status status = code == SQLITE_ROW || code == SQLITE_DONE
                         ? WH_OK
                         : wh_fail(err, WH_ERR_IO, "%s", sqlite3_errmsg(db));
  sqlite3_finalize(stmt);
  return status;
}

wh_status crossing_compare(wh_os *os, wh_error *err) {
  // As the ERP has it and as the website shows it, in one form. Timestamps may be written with or
  // without fraction digits and with ' ' or 'T'.
  static const char truth[] =
      "SELECT trim(number) || '|' || status || '|' || printf('%.2f', total) || '|' || "
      "strftime('%s', updated_at) FROM erp.sales_order WHERE status IN "
      "('Open','Shipped','Cancelled')";
  static const char shown[] =
      "SELECT \"Number\" || '|' || \"Status\" || '|' || printf('%.2f', \"Total\") || '|' || "
      "strftime('%s', \"UpdatedAt\") FROM main.orders";
  sqlite3 *db;
  WH_TRY(open_database(os, "website", &db, err));
  char sql[2048], text[512];
  wh_status status = WH_OK;
  if (sqlite3_exec(db, "ATTACH 'shop/erp.db' AS erp", NULL, NULL, NULL) != SQLITE_OK) {
    status = wh_fail(err, WH_ERR_IO, "%s", sqlite3_errmsg(db));
  }
  const char *const sides[2][2] = {{truth, shown}, {shown, truth}};
  for (int i = 0; status == WH_OK && i < 2; i++) {
    snprintf(sql, sizeof sql, "%s EXCEPT %s", sides[i][0], sides[i][1]);
    status = first_text(db, sql, text, sizeof text, err);
    if (status == WH_OK && text[0]) {
      status = wh_fail(err, WH_ERR_DATA, "%s: %s", i ? "only the website has" : "the website lacks",
                       text);
    }
  }
  if (status == WH_OK) {
    snprintf(sql, sizeof sql, "SELECT (SELECT count(*) FROM (%s)) - (SELECT count(*) FROM (%s))",
             truth, shown);
    status = first_text(db, sql, text, sizeof text, err);
    if (status == WH_OK && strcmp(text, "0") != 0) {
      status = wh_fail(err, WH_ERR_DATA, "the number of rows differs by %s", text);
    }
  }
  sqlite3_close(db);
  return status;
}

static wh_status read_manifest(wh_connection *lake, wh_str object_key, wh_arena *arena,
                               wh_manifest *ret, wh_error *err) {
  wh_str key = wh_manifest_key(object_key, arena);
  wh_input *in;
  WH_TRY(lake->type->store->open(lake, key, (wh_str){0}, &in, err));
  char *data = wh_arena_alloc(arena, (size_t)in->size + 1);
  size_t at = 0, n = 1;
  wh_status status = WH_OK;
  while (status == WH_OK && n && at < in->size) {
    status = wh_input_read(in, data + at, (size_t)in->size - at, &n, err);
    at += n;
  }
  wh_input_close(in);
  WH_TRY(status);
  return wh_manifest_parse(wh_str_n(data, at), arena, ret, err);
}

static wh_status check_object(void *context, const wh_object *object, wh_error *err) {
  crossing *c = context;
  if (!wh_str_starts(object->key, "inbound/")) return WH_OK;
  wh_connection *lake;
  WH_TRY(wh_config_connect(c->config, WH_STR("lake"), &lake, err));
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_manifest manifest;
  WH_TRY(read_manifest(lake, object->key, &arena, &manifest, err));
  wh_input *in;
  WH_TRY(lake->type->store->open(lake, object->key, (wh_str){0}, &in, err));
  bool same;
  WH_TRY(wh_sha256_matches(in, manifest.sha256, c->mem, &same, err));
  if (same && manifest.bytes == object->size) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s is visible and not whole", WH_STR_ARG(object->key));
}

wh_status crossing_check_lake(crossing *c, wh_error *err) {
  wh_connection *lake;
  WH_TRY(wh_config_connect(c->config, WH_STR("lake"), &lake, err));
  wh_status status = lake->type->store->list(lake, (wh_str){0}, check_object, c, err);
  return status == WH_ERR_NOT_FOUND ? WH_OK : status; // no lake yet
}
