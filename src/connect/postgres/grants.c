// GRANTs in PostgreSQL's words. Whoever makes a table there owns it and needs no further right, so
// that a table which is missing takes CREATE on its schema and nothing else.
#include "connect/postgres/grants.h"

#include "connect/postgres/relate.h"
#include "connect/sql_grants.h"

static wh_str home(const wh_connection *c) {
  wh_str schema = wh_pg_options_of(c)->schema;
  return schema.len ? schema : WH_STR("public");
}

static wh_status see_yes(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count, (void)err;
  *(bool *)context = wh_str_is(v[0], "t");
  return WH_OK;
}

static wh_status owns(wh_sql_grants *g, wh_str schema, wh_str table, bool *ret, wh_error *err) {
  static const char sql[] =
      "SELECT pg_catalog.pg_get_userbyid(c.relowner) = $3 FROM pg_catalog.pg_class AS c JOIN "
      "pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND "
      "c.relname = $2";
  wh_str params[] = {schema, table, g->user};
  *ret = false;
  return wh_pg_ask((wh_pg_session *)g->session, wh_str_of(sql), params, 3, see_yes, ret, err);
}

// --- A query's tables ----------------------------------------------------------------------------

typedef struct reading {
  wh_sql_grants *grants;
  const wh_need *need;
} reading;

static wh_status see_dependency(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count;
  reading *r = context;
  wh_sql_table_grant *t;
  WH_TRY(wh_sql_grants_add(r->grants, v[0], v[1], r->need->who, WH_SQL_THERE, &t, err));
  t->rights |= WH_SQL_MAY_SELECT;
  if (v[2].data) return wh_sql_grants_add_column(r->grants, t, v[2], err);
  t->every_column = true;
  return WH_OK;
}

// The catalog knows what a view depends on, column by column: the query becomes one, and is rolled
// back.
static wh_status ask_dependencies(wh_pg_session *s, const wh_pg_relation *query, reading *r,
                                  wh_error *err) {
  static const char sql[] =
      "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_rewrite AS w "
      "JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND "
      "d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> "
      "w.ev_class JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid AND c.relkind IN "
      "('r', 'p', 'v', 'm', 'f') JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
      "LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND d.refobjsubid > 0 AND "
      "a.attnum = d.refobjsubid WHERE w.ev_class = 'pg_temp._wherry_query'::regclass "
      "ORDER BY 1, 2, d.refobjsubid";
  WH_CLEAN_BUF wh_buf view;
  wh_buf_init(&view, s->base.connection->mem, WH_PG_SQL_MAX);
  wh_buf_add_c(&view, "CREATE TEMPORARY VIEW _wherry_query AS SELECT *");
  wh_pg_add_from(&view, query);
  WH_TRY(wh_buf_check(&view, err));
  WH_TRY(wh_pg_run_c(s, "BEGIN", err));
  WH_TRY(wh_pg_run(s, wh_buf_str(&view), NULL, 0, NULL, err));
  return wh_pg_ask(s, wh_str_of(sql), NULL, 0, see_dependency, r, err);
}

// In a session of its own, which is never committed.
static wh_status add_query(wh_sql_grants *g, const wh_need *need, wh_error *err) {
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  wh_pg_relation query;
  reading r = {.grants = g, .need = need};
  WH_TRY(wh_pg_open(g->connection, WH_SQL_WRITE, &s, err));
  WH_TRY(wh_pg_query_relate(s, need->query, g->arena, &query, err));
  return ask_dependencies(s, &query, &r, err);
}

// --- Words ---------------------------------------------------------------------------------------

static wh_status say(wh_sql_grants *g, wh_buf *sql, wh_str why, wh_error *err) {
  wh_buf_add_c(sql, " TO ");
  wh_pg_add_name(sql, g->user);
  wh_status status = wh_sql_grants_say(g, sql, why, err);
  wh_buf_clear(sql);
  return status;
}

static wh_status say_database(wh_sql_grants *g, wh_buf *sql, const char *right, wh_str why,
                              wh_error *err) {
  wh_buf_printf(sql, "GRANT %s ON DATABASE ", right);
  wh_pg_add_name(sql, wh_pg_options_of(g->connection)->server.database);
  return say(g, sql, why, err);
}

static bool wants_create(const wh_sql_table_grant *t) {
  return t->presence != WH_SQL_OWNED && (t->rights & WH_SQL_MAY_CREATE);
}

// Who of all needs the schema; empty: nobody.
static wh_status who_needs(wh_sql_grants *g, wh_str schema, bool to_create, wh_str *ret,
                           wh_error *err) {
  *ret = (wh_str){0};
  for (size_t i = 0; i < g->count; i++) {
    const wh_sql_table_grant *t = &g->tables[i];
    if (!wh_str_eq(t->schema, schema) || (to_create && !wants_create(t))) continue;
    wh_str rest = t->who, piece;
    while (wh_str_split(&rest, ',', &piece)) {
      *ret = wh_sql_join_who(g->arena, *ret, wh_str_trim(piece));
      if (!ret->data) return wh_fail_memory(err);
    }
  }
  return WH_OK;
}

static wh_status say_schema(wh_sql_grants *g, wh_buf *sql, wh_str schema, wh_error *err) {
  static const char *const rights[] = {"USAGE", "CREATE"};
  for (size_t i = 0; i < 2; i++) {
    wh_str who;
    WH_TRY(who_needs(g, schema, i == 1, &who, err));
    if (who.len == 0) continue;
    wh_buf_printf(sql, "GRANT %s ON SCHEMA ", rights[i]);
    wh_pg_add_name(sql, schema);
    WH_TRY(say(g, sql, who, err));
  }
  return WH_OK;
}

static wh_status say_schemas(wh_sql_grants *g, wh_buf *sql, wh_error *err) {
  for (size_t i = 0; i < g->count; i++) {
    bool is_first = true;
    for (size_t k = 0; k < i; k++)
      is_first &= !wh_str_eq(g->tables[k].schema, g->tables[i].schema);
    if (is_first) WH_TRY(say_schema(g, sql, g->tables[i].schema, err));
  }
  return WH_OK;
}

static wh_status say_table(wh_sql_grants *g, const wh_sql_table_grant *t, wh_buf *sql,
                           wh_error *err) {
  unsigned rights = t->rights & ~(unsigned)(WH_SQL_MAY_CREATE | WH_SQL_MAY_DROP | WH_SQL_MAY_ALTER);
  if (t->presence == WH_SQL_OWNED) return WH_OK;
  // What it would make itself is its own.
  if (t->presence == WH_SQL_MISSING && (t->rights & WH_SQL_MAY_CREATE)) return WH_OK;
  if (t->rights & WH_SQL_MAY_ALTER)
    WH_TRY(wh_sql_grants_remark(
        g, err, "%.*s.%.*s gets columns (on_new_column: add): its owner alone may add them",
        WH_STR_ARG(t->schema), WH_STR_ARG(t->table)));
  wh_buf_add_c(sql, "GRANT ");
  wh_sql_add_rights(sql, g, t, rights, true);
  wh_buf_add_c(sql, " ON ");
  wh_pg_add_name(sql, t->schema);
  wh_buf_add_char(sql, '.');
  wh_pg_add_name(sql, t->table);
  if (t->presence != WH_SQL_UNKNOWN || !(t->rights & WH_SQL_MAY_CREATE))
    return say(g, sql, t->who, err);
  wh_buf_add_c(sql, " TO ");
  wh_pg_add_name(sql, g->user);
  WH_TRY(wh_buf_check(sql, err));
  wh_status status =
      wh_sql_grants_remark(g, err, "where it is there already: %.*s", WH_STR_ARG(wh_buf_str(sql)));
  wh_buf_clear(sql);
  return status;
}

static wh_status say_all(wh_sql_grants *g, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, g->connection->mem, WH_PG_SQL_MAX);
  WH_TRY(say_database(g, &sql, "CONNECT", g->who, err));
  if (g->temporary.len) WH_TRY(say_database(g, &sql, "TEMPORARY", g->temporary, err));
  WH_TRY(say_schemas(g, &sql, err));
  for (size_t i = 0; i < g->count; i++)
    WH_TRY(say_table(g, &g->tables[i], &sql, err));
  return WH_OK;
}

static const wh_sql_dialect dialect = {
    .driver = &wh_pg_driver,
    .to_append = WH_SQL_MAY_INSERT,
    .home = home,
    .owns = owns,
    .add_query = add_query,
    .say = say_all,
};

wh_status wh_pg_grants(wh_connection *c, const wh_grants_request *request, wh_arena *arena,
                       wh_grant_visit visit, void *context, wh_error *err) {
  wh_grants_request r = *request;
  if (r.user.len == 0) r.user = wh_pg_options_of(c)->server.user;
  if (r.user.len == 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: no `user` logs in by name: say whom with --user",
                   WH_STR_ARG(c->name));
  return wh_sql_grants_visit(&dialect, c, &r, arena, visit, context, err);
}
