#include "place.h"

#include "connect/sqlite/sqlite.h"

#include <sqlite3.h>

static wh_os_real real_os;
static wh_sqlite_options sqlite_options;
static char sqlite_path[512];

static void sqlite_open(wh_connection *c, const char **reason) {
  (void)reason;
  REQUIRE_OK(wh_os_real_init(&real_os, &test_mem, &test_err));
  snprintf(sqlite_path, sizeof sqlite_path, "%s/test.db", test_folder());
  sqlite_options = (wh_sqlite_options){.path = wh_str_of(sqlite_path), .busy_timeout_us = 200000};
  *c = (wh_connection){
      .name = WH_STR("place"),
      .type = &wh_connector_sqlite,
      .options = &sqlite_options,
      .os = &real_os.base,
      .mem = &test_mem,
      .row_limit_bytes = 8 << 20,
  };
}

static void sqlite_close(wh_connection *c) {
  (void)c;
  wh_os_real_free(&real_os);
}

static sqlite3 *raw_open(void) {
  sqlite3 *db = NULL;
  CHECK_EQ(sqlite3_open(sqlite_path, &db), SQLITE_OK);
  return db;
}

static void sqlite_sql(wh_connection *c, const char *text) {
  (void)c;
  sqlite3 *db = raw_open();
  char *message = NULL;
  if (!CHECK_EQ(sqlite3_exec(db, text, NULL, NULL, &message), SQLITE_OK))
    test_note("%s", message ? message : "?");
  sqlite3_free(message);
  sqlite3_close(db);
}

static const char *sqlite_ask(wh_connection *c, const char *text) {
  (void)c;
  static char answer[4096];
  answer[0] = 0;
  sqlite3 *db = raw_open();
  sqlite3_stmt *stmt = NULL;
  if (!CHECK_EQ(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK))
    test_note("%s", sqlite3_errmsg(db));
  if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *value = (const char *)sqlite3_column_text(stmt, 0);
    snprintf(answer, sizeof answer, "%s", value ? value : "~");
  }
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  return answer;
}

static const test_place sqlite_place = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .sql = sqlite_sql,
    .ask = sqlite_ask,
};

const test_place *const test_places[] = {&sqlite_place, NULL};
