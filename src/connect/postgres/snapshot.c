// Reading by several sessions: a snapshot that one of them exports and the others take.
#include "connect/postgres/source.h"

enum { ID_MAX = 64 };

typedef struct snapshot {
  wh_snapshot base;
  wh_pg_session *session; // whose transaction keeps it
  char id[ID_MAX];
} snapshot;

static void snapshot_close(wh_snapshot *base) {
  snapshot *s = (snapshot *)base;
  if (!s) return;
  wh_mem *mem = s->session->base.connection->mem;
  wh_pg_close(s->session);
  wh_mem_free(mem, s, sizeof *s);
}

// It becomes part of a statement's text, since SET takes no parameters.
static bool is_id(wh_str id) {
  static const char allowed[] = "0123456789ABCDEFabcdef-";
  for (size_t i = 0; i < id.len; i++)
    if (!memchr(allowed, id.data[i], sizeof allowed - 1)) return false;
  return id.len > 0 && id.len < ID_MAX;
}

static wh_status see_id(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count;
  snapshot *s = context;
  if (!is_id(v[0]))
    return wh_fail(err, WH_ERR_DATA, "the server names a snapshot '%.*s'", WH_STR_ARG(v[0]));
  memcpy(s->id, v[0].data, v[0].len);
  s->base.id = wh_str_n(s->id, v[0].len);
  return WH_OK;
}

static wh_status export_snapshot(wh_pg_session *session, snapshot *s, wh_error *err) {
  WH_TRY(wh_pg_run_c(session, WH_PG_BEGIN_READING, err));
  return wh_pg_ask(session, WH_STR("SELECT pg_catalog.pg_export_snapshot()"), NULL, 0, see_id, s,
                   err);
}

wh_status wh_pg_share(wh_connection *c, wh_snapshot **ret, wh_error *err) {
  wh_pg_session *session;
  WH_TRY(wh_pg_open(c, WH_SQL_READ, &session, err));
  snapshot *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  wh_status status = s ? export_snapshot(session, s, err) : wh_fail_memory(err);
  if (status != WH_OK) {
    if (s) wh_mem_free(c->mem, s, sizeof *s);
    wh_pg_close(session);
    return status;
  }
  s->base.close = snapshot_close;
  s->session = session;
  *ret = &s->base;
  return WH_OK;
}

wh_status wh_pg_take_snapshot(wh_pg_session *s, wh_str id, wh_error *err) {
  char sql[ID_MAX + 64];
  snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%.*s'", WH_STR_ARG(id));
  return wh_pg_run_c(s, sql, err);
}

// Not min() and max(), which not every type has.
static void add_end(wh_buf *sql, const wh_pg_relation *relation, wh_str column, const char *order,
                    const char *name) {
  wh_buf_add_c(sql, "(SELECT ");
  wh_pg_add_name(sql, column);
  wh_pg_add_from(sql, relation);
  wh_buf_add_c(sql, " WHERE ");
  wh_pg_add_name(sql, column);
  wh_buf_add_c(sql, " IS NOT NULL ORDER BY ");
  wh_pg_add_name(sql, column);
  wh_buf_printf(sql, " %s LIMIT 1) AS %s", order, name);
}

wh_status wh_pg_extremes(wh_connection *c, wh_str table, wh_str column, wh_arena *arena,
                         wh_str *ret, wh_error *err) {
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  wh_pg_relation relation;
  WH_TRY(wh_pg_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_pg_relate(s, table, (wh_str){0}, arena, &relation, err));
  if (wh_sql_find(WH_SQL_COLUMNS(&relation), column) < 0)
    return wh_pg_no_column(s, &relation, column, err);
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, c->mem, WH_PG_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT ");
  add_end(&sql, &relation, column, "ASC", "low");
  wh_buf_add_c(&sql, ", ");
  add_end(&sql, &relation, column, "DESC", "high");
  WH_TRY(wh_buf_check(&sql, err));
  *ret = wh_arena_str(arena, wh_buf_str(&sql));
  return ret->data ? WH_OK : wh_fail_memory(err);
}
