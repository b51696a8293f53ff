// GRANTs in SQL Server's words. Who makes a table in somebody else's schema gets no rights on it,
// and none can be given before it is there: tables that are missing take rights on their schema.
#include "connect/sqlserver/grants.h"

#include "connect/sql_grants.h"
#include "connect/sqlserver/driver.h"
#include "connect/sqlserver/relate.h"

static wh_str home(const wh_connection *c) {
  (void)c;
  return WH_STR("dbo");
}

static wh_status say(wh_sql_grants *g, wh_buf *sql, wh_str why, wh_error *err) {
  wh_buf_add_c(sql, " TO ");
  wh_mssql_add_name(sql, g->user);
  wh_status status = wh_sql_grants_say(g, sql, why, err);
  wh_buf_clear(sql);
  return status;
}

// What the schema's tables that are missing take.
typedef struct missing {
  unsigned rights;
  wh_str who;
} missing;

static wh_status find_missing(wh_sql_grants *g, wh_str schema, missing *ret, wh_error *err) {
  *ret = (missing){0};
  for (size_t i = 0; i < g->count; i++) {
    const wh_sql_table_grant *t = &g->tables[i];
    if (!wh_str_eq(t->schema, schema) || !(t->rights & WH_SQL_MAY_CREATE)) continue;
    ret->rights |= t->rights;
    wh_str rest = t->who, piece;
    while (wh_str_split(&rest, ',', &piece)) {
      ret->who = wh_sql_join_who(g->arena, ret->who, wh_str_trim(piece));
      if (!ret->who.data) return wh_fail_memory(err);
    }
  }
  ret->rights &= ~(unsigned)(WH_SQL_MAY_CREATE | WH_SQL_MAY_DROP | WH_SQL_MAY_ALTER);
  return WH_OK;
}

static wh_status say_schema(wh_sql_grants *g, wh_str schema, wh_buf *sql, wh_error *err) {
  missing m;
  WH_TRY(find_missing(g, schema, &m, err));
  if (m.who.len == 0) return WH_OK;
  wh_buf_add_c(sql, "GRANT ALTER, ");
  wh_sql_add_rights(sql, g, &(wh_sql_table_grant){.every_column = true}, m.rights, false);
  wh_buf_add_c(sql, " ON SCHEMA::");
  wh_mssql_add_name(sql, schema);
  return say(g, sql, m.who, err);
}

static wh_status say_table(wh_sql_grants *g, const wh_sql_table_grant *t, wh_buf *sql,
                           wh_error *err) {
  missing m;
  WH_TRY(find_missing(g, t->schema, &m, err));
  unsigned rights = t->rights & ~(unsigned)(WH_SQL_MAY_CREATE | WH_SQL_MAY_DROP);
  if (m.who.len) rights &= ~(unsigned)WH_SQL_MAY_ALTER; // who makes tables may alter all of them
  if ((rights & ~m.rights) == 0) return WH_OK;          // the schema's hold for it
  wh_buf_add_c(sql, "GRANT ");
  wh_sql_add_rights(sql, g, t, rights, true);
  wh_buf_add_c(sql, " ON OBJECT::");
  wh_mssql_add_name(sql, t->schema);
  wh_buf_add_char(sql, '.');
  wh_mssql_add_name(sql, t->table);
  return say(g, sql, t->who, err);
}

static wh_status say_schemas(wh_sql_grants *g, wh_buf *sql, wh_error *err) {
  for (size_t i = 0; i < g->count; i++) {
    bool is_first = true;
    for (size_t k = 0; k < i; k++)
      is_first &= !wh_str_eq(g->tables[k].schema, g->tables[i].schema);
    if (is_first) WH_TRY(say_schema(g, g->tables[i].schema, sql, err));
  }
  return WH_OK;
}

static wh_status say_all(wh_sql_grants *g, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, g->connection->mem, WH_SQL_TEXT_MAX);
  bool creates = false;
  for (size_t i = 0; i < g->count; i++)
    creates |= (g->tables[i].rights & WH_SQL_MAY_CREATE) != 0;
  if (creates) {
    wh_buf_add_c(&sql, "GRANT CREATE TABLE");
    WH_TRY(say(g, &sql, g->who, err));
  }
  WH_TRY(say_schemas(g, &sql, err));
  for (size_t i = 0; i < g->count; i++)
    WH_TRY(say_table(g, &g->tables[i], &sql, err));
  return WH_OK;
}

static const wh_sql_dialect dialect = {
    .driver = &wh_mssql_driver,
    .to_append = WH_SQL_MAY_INSERT,
    .home = home,
    .say = say_all,
};

wh_status wh_mssql_grants(wh_connection *c, const wh_grants_request *request, wh_arena *arena,
                          wh_grant_visit visit, void *context, wh_error *err) {
  wh_grants_request r = *request;
  if (r.user.len == 0) r.user = ((const wh_mssql_options *)c->options)->server.user;
  if (r.user.len == 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: Kerberos logs in: say whom with --user",
                   WH_STR_ARG(c->name));
  return wh_sql_grants_visit(&dialect, c, &r, arena, visit, context, err);
}
