#ifdef WHERRY_MYSQL
#include "place_mysql.h"

#include "data/temporal.h"
#include "mariadb_server.h"
#include "test.h"

static wh_os_real real_os;
static wh_mysql_options options;

void test_mysql_open(wh_connection *c, const char **reason) {
  *reason = mariadb_start();
  if (*reason) return;
  REQUIRE_OK(wh_os_real_init(&real_os, &test_mem, &test_err));
  mariadb_open(c, &options, &real_os.base, &test_mem);
  options.server.database = WH_STR("place");
  options.server.lock_timeout_us = 1000000;
  wh_connection none = {0};
  mariadb_sql(&none, "DROP DATABASE IF EXISTS place;"
                     "CREATE DATABASE place CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin");
}

void test_mysql_close(wh_connection *c) {
  (void)c;
  wh_os_real_free(&real_os);
}

// The quoted text at `at`, when it is an instant with a zone: in UTC, without it.
static bool add_instant(wh_str text, wh_buf *out) {
  wh_iso iso;
  int64_t us;
  if (!wh_iso_parse(text, &iso) || !iso.has_date || !iso.has_zone ||
      !wh_iso_to_timestamp(&iso, WH_UNIT_US, &us))
    return false;
  return wh_iso_write_timestamp(us, WH_UNIT_US, false, out);
}

static void translate(const char *text, wh_buf *out) {
  wh_buf_add_c(out, "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,ALLOW_INVALID_DATES';");
  while (*text) {
    const char *end = *text == '\'' ? strchr(text + 1, '\'') : NULL;
    wh_buf_add_char(out, *text++);
    if (!end || !add_instant(wh_str_n(text, (size_t)(end - text)), out)) continue;
    text = end;
  }
}

void test_mysql_sql(wh_connection *c, const char *text) {
  static wh_mem mem;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, &mem, 0);
  translate(text, &sql);
  mariadb_sql(c, sql.data);
}

const char *test_mysql_ask(wh_connection *c, const char *text) {
  return mariadb_ask(c, text);
}
#else
typedef int place_mysql_is_left_out;
#endif
