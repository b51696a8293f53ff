// The catalog: sys.objects, sys.columns, sys.indexes.
#include "connect/sqlserver/relate.h"
#include "connect/sql_catalog.h"

typedef struct table_look {
  wh_arena *arena;
  wh_sql_relation *relation;
  wh_str table; // that is looked for
  bool found, is_exact;
  wh_str kind; // 'U' or 'V'
  wh_str id;   // object_id
  bool is_in_memory, is_temporal_history;
} table_look;

static bool copy(wh_arena *arena, wh_str from, wh_str *to) {
  *to = wh_arena_str(arena, from.data ? from : WH_STR(""));
  return to->data != NULL;
}

static bool is_yes(wh_str value) {
  return wh_str_is(value, "1");
}

// --- The table -----------------------------------------------------------------------------------

// Where names are compared without case there may be only one; a server that tells case apart has
// the exact one.
static wh_status take_table(void *context, const wh_str *v, size_t count, wh_error *err) {
  table_look *l = context;
  (void)count;
  bool is_exact = wh_str_eq(v[1], l->table);
  if (l->found && (l->is_exact || !is_exact)) return WH_OK;
  l->found = true;
  l->is_exact = is_exact;
  l->is_in_memory = is_yes(v[4]);
  l->is_temporal_history = is_yes(v[5]);
  bool whole = copy(l->arena, v[0], &l->relation->schema) &&
               copy(l->arena, v[1], &l->relation->table) && copy(l->arena, v[2], &l->kind) &&
               copy(l->arena, v[3], &l->id);
  return whole ? WH_OK : wh_fail_memory(err);
}

static wh_status look_up(wh_sql_session *s, wh_str schema, wh_str table, void *look,
                         bool *ret_found, wh_error *err) {
  static const char sql[] =
      "SELECT s.name, o.name, RTRIM(o.type), o.object_id, t.is_memory_optimized, CASE WHEN "
      "t.temporal_type = 1 THEN 1 ELSE 0 END FROM sys.objects AS o INNER JOIN sys.schemas AS s ON "
      "s.schema_id = o.schema_id LEFT JOIN sys.tables AS t ON t.object_id = o.object_id WHERE "
      "o.type IN ('U', 'V') AND s.name = @P1 AND o.name = @P2";
  table_look *l = look;
  l->table = table;
  WH_TRY(wh_mssql_ask(s, wh_str_of(sql), (wh_str[]){schema, table}, 2, take_table, l, err));
  *ret_found = l->found;
  return WH_OK;
}

static wh_status no_table(wh_sql_session *s, wh_str home, wh_str table, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->connection->mem);
  wh_sql_names l = {.arena = &arena};
  char sql[320];
  snprintf(
      sql, sizeof sql,
      "SELECT TOP (%d) o.name FROM sys.objects AS o INNER JOIN sys.schemas AS s ON s.schema_id "
      "= o.schema_id WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND s.name = @P1 AND "
      "o.name NOT LIKE '!_wherry!_%%' ESCAPE '!'",
      WH_MSSQL_TABLES_MAX);
  WH_TRY(wh_mssql_ask(s, wh_str_of(sql), &home, 1, wh_sql_names_take, &l, err));
  return wh_source_no_table(s->connection, table, l.items, l.count, err);
}

static void judge_sink(const table_look *l, wh_sql_relation *r) {
  if (wh_str_is(l->kind, "V"))
    r->not_a_sink = "it is a view";
  else if (l->is_in_memory)
    r->not_a_sink = "it is memory-optimised, which allows no savepoints";
  else if (l->is_temporal_history)
    r->not_a_sink = "it keeps the history of another table";
}

// --- Columns -------------------------------------------------------------------------------------

enum {
  COLUMN_NAME,
  TYPE_NAME,
  MAX_LENGTH,
  PRECISION,
  SCALE,
  IS_NULLABLE,
  IS_IDENTITY,
  IS_GENERATED,
  HAS_DEFAULT,
  COLLATION,
  CODE_PAGE,
  DATABASE_PAGE,
};

static int64_t number(wh_str text) {
  int64_t value;
  return text.data && wh_str_to_i64(text, &value) ? value : 0;
}

static wh_status describe_column(const wh_sql_column_list *l, const wh_str *v, wh_sql_column *c,
                                 wh_error *err) {
  wh_mssql_catalog_type t = {.name = v[TYPE_NAME].data ? v[TYPE_NAME] : WH_STR("?"),
                             .bytes = number(v[MAX_LENGTH]),
                             .precision = number(v[PRECISION]),
                             .scale = number(v[SCALE]),
                             .collation = v[COLLATION],
                             .page = number(v[CODE_PAGE])};
  bool is_identity = is_yes(v[IS_IDENTITY]);
  *c = (wh_sql_column){.name = wh_arena_str(l->arena, v[COLUMN_NAME]),
                       .nullable = is_yes(v[IS_NULLABLE]),
                       .has_default = is_yes(v[HAS_DEFAULT]) || is_identity,
                       .is_generated = is_yes(v[IS_GENERATED]),
                       .native = is_identity ? WH_MSSQL_IDENTITY : 0};
  if (!c->name.data) return wh_fail_memory(err);
  WH_TRY(wh_mssql_type_column(&t, l->arena, c, err));
  bool is_other = t.page > 0 && t.page != number(v[DATABASE_PAGE]);
  if (is_other && !wh_mssql_is_unicode(c)) c->native |= WH_MSSQL_OTHER_PAGE;
  if (wh_mssql_native_of(c) == WH_MSSQL_ROWVERSION) c->has_default = true;
  return WH_OK;
}

static wh_status take_column(void *context, const wh_str *v, size_t count, wh_error *err) {
  wh_sql_column_list *l = context;
  wh_sql_relation *r = l->relation;
  (void)count;
  if (wh_str_is(v[COLUMN_NAME], WH_ORDER_COLUMN)) {
    r->has_order = true;
    return WH_OK;
  }
  wh_sql_column *c;
  WH_TRY(wh_sql_next_column(l, &c, err));
  WH_TRY(describe_column(l, v, c, err));
  r->count++;
  return WH_OK;
}

// Types of CLR (hierarchyid, geometry) share one system type; an alias type (CREATE TYPE ... FROM)
// is read as what it stands for.
static wh_status read_columns(wh_sql_session *s, wh_str id, wh_arena *arena, wh_sql_relation *r,
                              wh_error *err) {
  static const char sql[] =
      "SELECT c.name, CASE WHEN c.system_type_id = 240 THEN TYPE_NAME(c.user_type_id) ELSE "
      "TYPE_NAME(c.system_type_id) END, c.max_length, c.precision, c.scale, c.is_nullable, "
      "c.is_identity, CASE WHEN c.is_computed = 1 OR c.generated_always_type > 0 THEN 1 ELSE 0 "
      "END, "
      "CASE WHEN c.default_object_id <> 0 THEN 1 ELSE 0 END, c.collation_name, "
      "CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int), "
      "CAST(COLLATIONPROPERTY(CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS nvarchar(128)), "
      "'CodePage') AS int) FROM sys.columns AS c WHERE "
      "c.object_id = CAST(@P1 AS int) ORDER BY c.column_id";
  wh_sql_column_list l = {.arena = arena, .relation = r};
  return wh_mssql_ask(s, wh_str_of(sql), &id, 1, take_column, &l, err);
}

// --- Unique indexes ------------------------------------------------------------------------------

static wh_status take_index(void *context, const wh_str *v, size_t count, wh_error *err) {
  wh_sql_unique_list *l = context;
  (void)count;
  ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(l->relation), v[2]);
  return wh_sql_unique_take(l, v[0], is_yes(v[1]), at, err);
}

static wh_status read_uniques(wh_sql_session *s, wh_str id, wh_arena *arena, wh_sql_relation *r,
                              wh_error *err) {
  static const char sql[] =
      "SELECT i.name, i.is_primary_key, c.name FROM sys.indexes AS i INNER JOIN sys.index_columns "
      "AS "
      "k ON k.object_id = i.object_id AND k.index_id = i.index_id INNER JOIN sys.columns AS c ON "
      "c.object_id = k.object_id AND c.column_id = k.column_id WHERE i.object_id = CAST(@P1 AS "
      "int) "
      "AND i.is_unique = 1 AND i.is_disabled = 0 AND i.has_filter = 0 AND k.key_ordinal > 0 ORDER "
      "BY "
      "i.is_primary_key DESC, i.index_id, k.key_ordinal";
  wh_sql_unique_list l = {.arena = arena, .relation = r};
  WH_TRY(wh_mssql_ask(s, wh_str_of(sql), &id, 1, take_index, &l, err));
  return wh_sql_unique_end(&l, err);
}

// --- All of it -----------------------------------------------------------------------------------

static wh_status take_rows(void *context, const wh_str *v, size_t count, wh_error *err) {
  uint64_t *rows = context;
  (void)count, (void)err;
  if (v[0].data && !wh_str_to_u64(v[0], rows)) *rows = WH_SIZE_UNKNOWN;
  return WH_OK;
}

wh_status wh_mssql_relate(wh_sql_session *s, wh_str table, wh_arena *arena, wh_sql_relation *ret,
                          wh_error *err) {
  wh_sql_relation relation = {.rows_estimate = WH_SIZE_UNKNOWN};
  table_look l = {.arena = arena, .relation = &relation};
  wh_str home;
  WH_TRY(wh_mssql_home(s, arena, &home, err));
  WH_TRY(wh_sql_find_table(s, home, table, look_up, &l, &l.found, err));
  if (!l.found) return no_table(s, home, table, err);
  judge_sink(&l, &relation);
  WH_TRY(read_columns(s, l.id, arena, &relation, err));
  WH_TRY(read_uniques(s, l.id, arena, &relation, err));
  WH_TRY(wh_mssql_ask(s,
                      WH_STR("SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = "
                             "CAST(@P1 AS int) AND p.index_id IN (0, 1)"),
                      &l.id, 1, take_rows, &relation.rows_estimate, err));
  *ret = relation;
  return WH_OK;
}

wh_status wh_mssql_home(wh_sql_session *s, wh_arena *arena, wh_str *ret, wh_error *err) {
  wh_sql_names l = {.arena = arena};
  WH_TRY(wh_mssql_ask(s, WH_STR("SELECT SCHEMA_NAME()"), NULL, 0, wh_sql_names_take, &l, err));
  *ret = l.count && l.items[0].len ? l.items[0] : WH_STR("dbo");
  return WH_OK;
}
