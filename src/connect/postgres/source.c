#include "connect/postgres/source.h"

#include "connect/table_list.h"
#include "data/temporal.h"

// By the names that `from` takes. Partitions stand behind their table, and what belongs to an
// extension is not the user's.
static wh_status ask_tables(wh_pg_session *s, wh_table_list *list, wh_error *err) {
  static const char sql[] =
      "SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid) AND "
      "n.nspname = coalesce(nullif($1::pg_catalog.text, ''), n.nspname), "
      "NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND "
      "(pg_catalog.has_table_privilege(c.oid, 'SELECT') OR "
      "pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))) "
      "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
      "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND "
      "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND "
      "c.relname NOT LIKE '\\_wherry\\_%' AND ($1 = '' OR n.nspname = $1) AND NOT EXISTS ("
      "SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_class'::regclass "
      "AND d.objid = c.oid AND d.deptype = 'e') "
      "ORDER BY c.relkind IN ('v', 'm'), NOT pg_catalog.pg_table_is_visible(c.oid), "
      "n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";
  wh_str schema = wh_pg_options_of(s->base.connection)->schema;
  wh_str params[] = {schema.data ? schema : WH_STR("")};
  return wh_pg_ask(s, wh_str_of(sql), params, 1, wh_table_list_take, list, err);
}

static wh_status list_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                             size_t *ret_count, wh_error *err) {
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  wh_table_list list = {.arena = arena};
  WH_TRY(wh_pg_open(c, WH_SQL_READ, &s, err));
  WH_TRY(ask_tables(s, &list, err));
  *ret = list.items;
  *ret_count = list.count;
  return WH_OK;
}

static wh_status describe_table(wh_pg_session *s, wh_arena *arena, wh_table_info *info,
                                wh_error *err) {
  wh_pg_relation r;
  WH_TRY(wh_pg_relate(s, info->name, (wh_str){0}, arena, &r, err));
  WH_TRY(wh_sql_schema(WH_SQL_COLUMNS(&r), arena, &info->schema, err));
  WH_TRY(wh_sql_key(WH_SQL_COLUMNS(&r), arena, &info->key, &info->key_count, err));
  WH_TRY(wh_pg_count(s, &r, &info->rows, err));
  WH_TRY(wh_pg_sample(s, &r, err));
  return wh_sql_schema(WH_SQL_COLUMNS(&r), arena, &info->schema, err);
}

// A view that fails when it is read (over a function, or a server that is gone) is shown without
// what reading it would have told; it must not hide the others.
static bool may_go_on(wh_status status) {
  return status == WH_ERR_USAGE || status == WH_ERR_DATA || status == WH_ERR_DENIED ||
         status == WH_ERR_NOT_FOUND || status == WH_ERR_LIMIT || status == WH_ERR_BUSY;
}

static wh_status see_one(wh_pg_session *s, wh_arena *arena, wh_str name, wh_table_visit visit,
                         void *context, wh_error *err) {
  wh_table_info info = {.name = name, .rows = WH_SIZE_UNKNOWN};
  WH_TRY(wh_pg_run_c(s, "SAVEPOINT wherry", err));
  wh_status status = describe_table(s, arena, &info, err);
  if (status != WH_OK && !may_go_on(status)) return status;
  WH_TRY(wh_pg_run_c(s,
                     status == WH_OK ? "RELEASE SAVEPOINT wherry"
                                     : "ROLLBACK TO SAVEPOINT wherry; RELEASE SAVEPOINT wherry",
                     err));
  return visit(context, &info, err);
}

wh_status wh_pg_discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                         wh_error *err) {
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  WH_TRY(wh_pg_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_pg_run_c(s, WH_PG_BEGIN_READING, err));
  wh_table_list list = {.arena = arena};
  WH_TRY(ask_tables(s, &list, err));
  for (size_t i = 0; i < list.count; i++) {
    const wh_table_name *t = &list.items[i];
    if (t->is_denied) continue;
    wh_str name = t->is_home ? t->table
                             : wh_arena_printf(arena, "%.*s.%.*s", WH_STR_ARG(t->schema),
                                               WH_STR_ARG(t->table));
    if (!name.data) return wh_fail_memory(err);
    WH_TRY(see_one(s, arena, name, visit, context, err));
  }
  return WH_OK;
}

static wh_status check_cursor(const wh_pg_session *s, const wh_pg_relation *r, wh_str cursor,
                              wh_cursor_kind *ret, wh_error *err) {
  *ret = WH_CURSOR_WINDOWED;
  if (cursor.len == 0) return WH_OK;
  ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(r), cursor);
  if (at < 0) return wh_pg_no_column(s, r, cursor, err);
  if (r->columns[at].reading.form == WH_PG_XID8) *ret = WH_CURSOR_EXACT;
  return WH_OK;
}

static wh_status check_readable(const wh_pg_session *s, const wh_pg_relation *r, wh_error *err) {
  for (size_t i = 0; i < r->count; i++) {
    const wh_sql_column *c = &r->columns[i].sql;
    if (!c->unread) continue;
    return wh_fail(err, WH_ERR_USAGE, "%.*s: column %.*s %s. Leave it out with a query",
                   WH_STR_ARG(s->base.connection->name), WH_STR_ARG(c->name), c->unread);
  }
  return WH_OK;
}

static wh_status set_guessed(const wh_pg_relation *r, wh_arena *arena, wh_source_info *info,
                             wh_error *err) {
  bool *guessed = WH_NEW_ARRAY(arena, r->count, bool);
  if (!guessed) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++)
    guessed[i] = !r->columns[i].seen;
  info->guessed = guessed;
  return WH_OK;
}

wh_status wh_pg_describe_source(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                                wh_source_info *ret, wh_error *err) {
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  wh_pg_relation r;
  wh_source_info info = {0};
  WH_TRY(wh_pg_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_pg_run_c(s, WH_PG_BEGIN_READING, err));
  WH_TRY(wh_pg_relate(s, query->table, query->query, arena, &r, err));
  WH_TRY(check_readable(s, &r, err));
  WH_TRY(check_cursor(s, &r, query->cursor, &info.cursor_kind, err));
  WH_TRY(wh_pg_sample(s, &r, err));
  WH_TRY(wh_sql_schema(WH_SQL_COLUMNS(&r), arena, &info.schema, err));
  WH_TRY(set_guessed(&r, arena, &info, err));
  WH_TRY(wh_sql_key(WH_SQL_COLUMNS(&r), arena, &info.key, &info.key_count, err));
  if (!query->has_from && !query->has_to) {
    uint64_t rows;
    WH_TRY(wh_pg_count(s, &r, &rows, err));
    info.rows_estimate = rows == WH_SIZE_UNKNOWN ? 0 : rows;
  }
  if (query->limit_rows && info.rows_estimate > query->limit_rows)
    info.rows_estimate = query->limit_rows;
  *ret = info;
  return WH_OK;
}

typedef struct bounds {
  int64_t clock_us;
  uint64_t lowest;
} bounds;

static wh_status see_bounds(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)err;
  bounds *b = context;
  (void)wh_str_to_i64(v[0], &b->clock_us);
  if (count > 1) (void)wh_str_to_u64(v[1], &b->lowest);
  return WH_OK;
}

// The snapshot that is read in is taken later than this one, so that whatever ended below its xmin
// is in it. Exact bounds are asked for where the cursor is an xid8; elsewhere the clock alone.
static wh_status bound(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                       wh_bound *ret, wh_error *err) {
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  wh_pg_relation r;
  wh_cursor_kind kind;
  bounds b = {0};
  WH_TRY(wh_pg_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_pg_relate(s, query->table, query->query, arena, &r, err));
  WH_TRY(check_cursor(s, &r, query->cursor, &kind, err));
#define CLOCK "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8"
  wh_str sql = kind == WH_CURSOR_EXACT
                   ? WH_STR(CLOCK ", pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())")
                   : WH_STR(CLOCK);
#undef CLOCK
  WH_TRY(wh_pg_ask(s, sql, NULL, 0, see_bounds, &b, err));
  *ret = (wh_bound){.clock_us = b.clock_us,
                    .has_to = kind == WH_CURSOR_EXACT,
                    .to = {.type = wh_type_of(WH_UINT64), .as.u = b.lowest}};
  return WH_OK;
}

const wh_source_type wh_pg_source = {
    .tables = list_tables,
    .discover = wh_pg_discover,
    .describe = wh_pg_describe_source,
    .bound = bound,
    .open = wh_pg_open_reader,
    .extremes = wh_pg_extremes,
    .share = wh_pg_share,
    .open_finder = wh_pg_open_finder,
};
