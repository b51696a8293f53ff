// GRANTs in MySQL's and MariaDB's words. A right on a table may be given before the table is there;
// who makes one gets no rights by that.
#include "connect/mysql/grants.h"

#include "connect/mysql/driver.h"
#include "connect/mysql/relate.h"
#include "connect/sql_grants.h"

static wh_str home(const wh_connection *c) {
  return ((const wh_mysql_options *)c->options)->server.database;
}

static void add_text(wh_buf *sql, wh_str text) {
  wh_buf_add_char(sql, '\'');
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '\'' || text.data[i] == '\\') wh_buf_add_char(sql, '\\');
    wh_buf_add_char(sql, text.data[i]);
  }
  wh_buf_add_char(sql, '\'');
}

// NAME or NAME@HOST.
static void add_user(wh_buf *sql, wh_str user) {
  size_t at = user.len;
  while (at > 0 && user.data[at - 1] != '@')
    at--;
  add_text(sql, at ? wh_str_sub(user, 0, at - 1) : user);
  wh_buf_add_char(sql, '@');
  add_text(sql, at ? wh_str_sub(user, at, user.len) : WH_STR("%"));
}

static wh_status say(wh_sql_grants *g, wh_buf *sql, wh_str why, wh_error *err) {
  wh_buf_add_c(sql, " TO ");
  add_user(sql, g->user);
  wh_status status = wh_sql_grants_say(g, sql, why, err);
  wh_buf_clear(sql);
  return status;
}

// The name of a database alone is a pattern there, as that of LIKE.
static void add_database(wh_buf *sql, wh_str name) {
  wh_buf_add_char(sql, '`');
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    if (c == '_' || c == '%' || c == '\\') wh_buf_add_char(sql, '\\');
    if (c == '`') wh_buf_add_char(sql, '`');
    wh_buf_add_char(sql, c);
  }
  wh_buf_add_c(sql, "`.*");
}

static wh_status say_table(wh_sql_grants *g, const wh_sql_table_grant *t, wh_buf *sql,
                           wh_error *err) {
  // ALTER TABLE asks for CREATE, too.
  unsigned rights = t->rights & WH_SQL_MAY_ALTER ? t->rights | WH_SQL_MAY_CREATE : t->rights;
  wh_buf_add_c(sql, "GRANT ");
  wh_sql_add_rights(sql, g, t, rights, true);
  wh_buf_add_c(sql, " ON ");
  wh_mysql_add_name(sql, t->schema);
  wh_buf_add_char(sql, '.');
  wh_mysql_add_name(sql, t->table);
  return say(g, sql, t->who, err);
}

static wh_status say_all(wh_sql_grants *g, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, g->connection->mem, WH_SQL_TEXT_MAX);
  if (g->temporary.len) {
    wh_buf_add_c(&sql, "GRANT CREATE TEMPORARY TABLES ON ");
    add_database(&sql, home(g->connection));
    WH_TRY(say(g, &sql, g->temporary, err));
  }
  for (size_t i = 0; i < g->count; i++)
    WH_TRY(say_table(g, &g->tables[i], &sql, err));
  return WH_OK;
}

static const wh_sql_dialect dialect = {
    .driver = &wh_mariadb_driver,
    // What its columns are is asked by a SELECT.
    .to_append = WH_SQL_MAY_SELECT | WH_SQL_MAY_INSERT,
    .home = home,
    .say = say_all,
};

wh_status wh_mysql_grants(wh_connection *c, const wh_grants_request *request, wh_arena *arena,
                          wh_grant_visit visit, void *context, wh_error *err) {
  wh_grants_request r = *request;
  if (r.user.len == 0) r.user = ((const wh_mysql_options *)c->options)->server.user;
  if (r.user.len == 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: no `user` is set: say whom with --user",
                   WH_STR_ARG(c->name));
  return wh_sql_grants_visit(&dialect, c, &r, arena, visit, context, err);
}
