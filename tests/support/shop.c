#include "shop.h"

#include "base/sqlite_mem.h"
#include "data/zone.h"
#include "sim_os.h"
#include "sim_vfs.h"

#include <sqlite3.h>
#include <stdio.h>

static wh_mem sqlite_mem;

static void take_finished(void *context, const wh_run *run) {
  shop *s = context;
  s->finished++;
  s->last.state = run->state;
  s->last.counts = run->counts;
  snprintf(s->last.id, sizeof s->last.id, "%.*s", WH_STR_ARG(run->id));
  snprintf(s->last.error, sizeof s->last.error, "%.*s", WH_STR_ARG(run->error));
}

static void take_progress(void *context, const wh_progress *progress) {
  (void)progress;
  shop *s = context;
  sim_os_advance(s->os, 1000000000); // so that each batch is told of
  if (s->stop_after >= 0 && s->stop_after-- == 0) atomic_store(&s->c.stop, true);
}

bool shop_config(shop *s, const char *config) {
  return CHECK_OK(wh_os_write_file(s->os, "shop/wherry.yaml", wh_str_of(config), false, &test_err));
}

bool shop_start(shop *s, const char *config) {
  *s = (shop){.stop_after = -1};
  wh_sqlite_use_mem(&sqlite_mem);
  s->os = sim_os_new(&test_mem, test_seed());
  if (!CHECK(s->os)) return false;
  sim_vfs_use(s->os);
  return CHECK_OK(wh_os_make_path(s->os, "shop", &test_err)) && shop_config(s, config);
}

void shop_end(shop *s) {
  shop_close(s);
  sim_os_free(s->os);
}

bool shop_write(shop *s, const char *path, const char *text) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  const char *full = wh_path_join(&arena, "shop", path);
  bool ok = CHECK_OK(wh_os_make_path(s->os, wh_path_folder(&arena, full), &test_err)) &&
            CHECK_OK(wh_os_write_file(s->os, full, wh_str_of(text), false, &test_err));
  sim_os_advance(s->os, 60ll * 1000000000);
  return ok;
}

bool shop_zone(shop *s, const char *name) {
  wh_os_real real;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  const char *path = wh_path_join(&arena, WH_ZONE_FOLDER, name);
  wh_str data;
  if (!CHECK_OK(wh_os_real_init(&real, &test_mem, &test_err))) return false;
  wh_status status = wh_os_read_file(&real.base, path, WH_ZONE_FILE_MAX, &arena, &data, &test_err);
  wh_os_real_free(&real);
  if (status != WH_OK) test_skip("no time zone files (package tzdata)");
  return status == WH_OK &&
         CHECK_OK(wh_os_make_path(s->os, wh_path_folder(&arena, path), &test_err)) &&
         CHECK_OK(wh_os_write_file(s->os, path, data, false, &test_err));
}

bool shop_sql(shop *s, const char *database, const char *sql) {
  return CHECK_OK(crossing_sql(s->os, database, sql, &test_err));
}

int64_t shop_ask(shop *s, const char *database, const char *sql) {
  char path[128];
  snprintf(path, sizeof path, "shop/%s.db", database);
  sqlite3 *db;
  sqlite3_stmt *stmt = NULL;
  int64_t value = -1;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (CHECK_EQ(sqlite3_open_v2(path, &db, flags, s->os->type->sqlite_vfs), SQLITE_OK) &&
      sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
      sqlite3_step(stmt) == SQLITE_ROW) {
    value = sqlite3_column_int64(stmt, 0);
  }
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  return value;
}

bool shop_open(shop *s) {
  s->is_open = true;
  bool ok = CHECK_OK(crossing_open(&s->c, s->os, &test_mem, &test_err));
  s->c.engine.watcher =
      (wh_watcher){.context = s, .finished = take_finished, .progress = take_progress};
  return ok;
}

void shop_close(shop *s) {
  if (s->is_open) crossing_close(&s->c);
  s->is_open = false;
}

const wh_pipeline *shop_pipeline(shop *s, const char *name) {
  const wh_pipeline *p = wh_config_pipeline(s->c.config, wh_str_of(name));
  CHECK(p);
  return p;
}

static wh_status run_one(shop *s, const char *name, const wh_run_options *options) {
  static const wh_run_options defaults = {0};
  const wh_pipeline *p = shop_pipeline(s, name);
  if (!p) return WH_ERR_NOT_FOUND;
  wh_connection *c;
  WH_TRY(wh_config_connect(s->c.config, p->from.connection, &c, &test_err));
  uint64_t fresh;
  int64_t settle_us;
  if (c->type->store) WH_TRY(wh_engine_scan(&s->c.engine, p, &fresh, &settle_us, &test_err));
  return wh_engine_run_pipeline(&s->c.engine, p, options ? options : &defaults, &s->totals,
                                &test_err);
}

wh_status shop_run(shop *s, const char *name, const wh_run_options *options) {
  bool was_open = s->is_open;
  test_err = (wh_error){0};
  if (!was_open && !shop_open(s)) return WH_ERR_BUG;
  s->finished = 0;
  s->totals = (wh_run_totals){0};
  s->last = (shop_last){0};
  wh_status status = run_one(s, name, options);
  if (!was_open) shop_close(s);
  return status;
}

wh_status shop_run_all(shop *s) {
  bool was_open = s->is_open;
  test_err = (wh_error){0};
  if (!was_open && !shop_open(s)) return WH_ERR_BUG;
  s->finished = 0;
  s->totals = (wh_run_totals){0};
  s->last = (shop_last){0};
  wh_run_options options = {.hurry = true};
  wh_status status = wh_engine_run(&s->c.engine, NULL, 0, &options, &s->totals, &test_err);
  if (!was_open) shop_close(s);
  return status;
}

typedef struct counting {
  wh_str prefix;
  uint64_t count;
} counting;

static wh_status count_object(void *context, const wh_object *object, wh_error *err) {
  (void)err;
  counting *c = context;
  c->count += wh_str_starts(object->key, c->prefix.data);
  return WH_OK;
}

static uint64_t count_in(shop *s, const char *connection, const char *prefix, bool attempts) {
  bool was_open = s->is_open;
  counting counted = {.prefix = wh_str_of(prefix)};
  wh_connection *c;
  if (!was_open && !shop_open(s)) return 0;
  if (CHECK_OK(wh_config_connect(s->c.config, wh_str_of(connection), &c, &test_err))) {
    if (attempts)
      CHECK_OK(c->type->store->attempts(c, count_object, &counted, &test_err));
    else
      CHECK_OK(c->type->store->list(c, counted.prefix, count_object, &counted, &test_err));
  }
  if (!was_open) shop_close(s);
  return counted.count;
}

uint64_t shop_count_objects(shop *s, const char *connection, const char *prefix) {
  return count_in(s, connection, prefix, false);
}

uint64_t shop_count_attempts(shop *s, const char *connection) {
  return count_in(s, connection, "", true);
}
