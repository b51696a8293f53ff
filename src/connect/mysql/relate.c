// The catalog: information_schema for names, keys and what a table is; the server's own description
// of a SELECT for the types, so that they are the ones that come when it is read.
#include "connect/mysql/relate.h"
#include "connect/sql_catalog.h"

typedef struct table_look {
  wh_arena *arena;
  wh_sql_relation *relation;
  bool found;
  bool is_exact;
  wh_str table; // that is looked for
  wh_str engine;
  wh_str kind;
  bool has_transactions;
} table_look;

// --- The table -----------------------------------------------------------------------------------

static bool copy(wh_arena *arena, wh_str from, wh_str *to) {
  *to = wh_arena_str(arena, from.data ? from : WH_STR(""));
  return to->data != NULL;
}

// Where names are compared without case there may be several; the one that is spelled so is meant.
static wh_status take_table(void *context, const wh_str *v, size_t count, wh_error *err) {
  table_look *l = context;
  (void)count;
  bool is_exact = wh_str_eq(v[1], l->table);
  if (l->found && (l->is_exact || !is_exact)) return WH_OK;
  l->found = true;
  l->is_exact = is_exact;
  l->has_transactions = wh_str_is(v[5], "YES");
  uint64_t rows;
  l->relation->rows_estimate = v[4].data && wh_str_to_u64(v[4], &rows) ? rows : WH_SIZE_UNKNOWN;
  bool whole = copy(l->arena, v[0], &l->relation->schema) &&
               copy(l->arena, v[1], &l->relation->table) && copy(l->arena, v[2], &l->kind) &&
               copy(l->arena, v[3], &l->engine);
  return whole ? WH_OK : wh_fail_memory(err);
}

static wh_status look_up(wh_sql_session *s, wh_str schema, wh_str table, void *look,
                         bool *ret_found, wh_error *err) {
  static const char sql[] =
      "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, t.TABLE_ROWS, e.TRANSACTIONS "
      "FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e "
      "ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?";
  table_look *l = look;
  l->table = table;
  WH_TRY(wh_mysql_ask(s, wh_str_of(sql), (wh_str[]){schema, table}, 2, take_table, l, err));
  *ret_found = l->found;
  return WH_OK;
}

// A table that the user has no right on is not shown, and whether it is there is not told either:
// WH_ERR_DENIED.
static wh_status check_denied(wh_sql_session *s, wh_str home, wh_str table, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT 1 FROM ");
  wh_mysql_add_name(&sql, home);
  wh_buf_add_char(&sql, '.');
  wh_mysql_add_name(&sql, table);
  wh_buf_add_c(&sql, " LIMIT 0");
  WH_CLEAN_MYSQL_STMT MYSQL_STMT *stmt = NULL;
  return wh_mysql_prepare((wh_mysql_session *)s, &sql, "looking for the table", &stmt, err);
}

static wh_status no_table(wh_sql_session *s, wh_str home, wh_str table, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->connection->mem);
  wh_sql_names l = {.arena = &arena};
  char sql[256];
  snprintf(sql, sizeof sql,
           "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME "
           "NOT LIKE '!_wherry!_%%' ESCAPE '!' LIMIT %d",
           WH_MYSQL_TABLES_MAX);
  WH_TRY(wh_mysql_ask(s, wh_str_of(sql), &home, 1, wh_sql_names_take, &l, err));
  wh_error why = {0};
  if (check_denied(s, home, table, &why) != WH_ERR_DENIED)
    return wh_source_no_table(s->connection, table, l.items, l.count, err);
  wh_str near = l.count ? wh_str_nearest(table, l.items, l.count) : (wh_str){0};
  return wh_fail(err, WH_ERR_DENIED, "%s%s%.*s%s", why.text, near.len ? ". Did you mean '" : "",
                 WH_STR_ARG(near), near.len ? "'?" : "");
}

static wh_status judge_sink(const table_look *l, wh_arena *arena, wh_sql_relation *r,
                            wh_error *err) {
  if (wh_str_is(l->kind, "VIEW") || wh_str_is(l->kind, "SYSTEM VIEW"))
    r->not_a_sink = "it is a view";
  else if (wh_str_is(l->kind, "SEQUENCE"))
    r->not_a_sink = "it is a sequence";
  else if (!l->has_transactions) {
    wh_str text = wh_arena_printf(arena,
                                  "its engine %.*s has no transactions, so that a load could stay "
                                  "half done: ALTER TABLE ... ENGINE=InnoDB makes it fit",
                                  WH_STR_ARG(l->engine));
    if (!text.data) return wh_fail_memory(err);
    r->not_a_sink = text.data;
  }
  return WH_OK;
}

// --- Columns -------------------------------------------------------------------------------------

static bool is_nopad_binary(wh_str collation) {
  return wh_str_ends(collation, "_nopad_bin") || wh_str_ends(collation, "_0900_bin") ||
         wh_str_is(collation, "binary");
}

static int32_t limit_of(wh_mysql_native native, wh_str characters, wh_str octets) {
  uint64_t limit;
  bool in_characters = native == WH_MYSQL_CHAR || native == WH_MYSQL_VARCHAR;
  wh_str text = in_characters ? characters : octets;
  bool is_limited = in_characters || native == WH_MYSQL_TEXT || native == WH_MYSQL_BINARY ||
                    native == WH_MYSQL_VARBINARY || native == WH_MYSQL_BLOB;
  if (!is_limited || !text.data || !wh_str_to_u64(text, &limit) || limit > INT32_MAX) return 0;
  return (int32_t)limit;
}

enum {
  COLUMN_NAME,
  COLUMN_TYPE,
  DATA_TYPE,
  IS_NULLABLE,
  HAS_DEFAULT,
  EXTRA,
  IS_GENERATED,
  CHARACTER_SET,
  COLLATION,
  CHARACTERS,
  OCTETS,
};

static wh_status describe_column(const wh_sql_column_list *l, const wh_str *v, wh_sql_column *c,
                                 wh_error *err) {
  bool has_set = v[CHARACTER_SET].data && v[COLLATION].data;
  *c = (wh_sql_column){
      .name = wh_arena_str(l->arena, v[COLUMN_NAME]),
      .declared = has_set ? wh_arena_printf(l->arena, "%.*s CHARACTER SET %.*s COLLATE %.*s",
                                            WH_STR_ARG(v[COLUMN_TYPE]),
                                            WH_STR_ARG(v[CHARACTER_SET]), WH_STR_ARG(v[COLLATION]))
                          : wh_arena_str(l->arena, v[COLUMN_TYPE]),
      .native = wh_mysql_native_parse(v[DATA_TYPE], v[COLUMN_TYPE]),
      .nullable = wh_str_is(v[IS_NULLABLE], "YES"),
      .has_default = wh_str_is(v[HAS_DEFAULT], "1") ||
                     memmem(v[EXTRA].data, v[EXTRA].len, "auto_increment", 14) != NULL,
      .is_generated = wh_str_is(v[IS_GENERATED], "1"),
      .folds = has_set && !is_nopad_binary(v[COLLATION]),
  };
  c->limit = limit_of(wh_mysql_native_of(c), v[CHARACTERS], v[OCTETS]);
  return c->name.data && c->declared.data ? WH_OK : wh_fail_memory(err);
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

static wh_status read_columns(wh_sql_session *s, wh_arena *arena, wh_sql_relation *r,
                              wh_error *err) {
  static const char sql[] =
      "SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, COLUMN_DEFAULT IS NOT NULL AND "
      "COLUMN_DEFAULT <> 'NULL', EXTRA, coalesce(GENERATION_EXPRESSION, '') <> '' OR EXTRA LIKE "
      "'%GENERATED ALWAYS%', CHARACTER_SET_NAME, COLLATION_NAME, CHARACTER_MAXIMUM_LENGTH, "
      "CHARACTER_OCTET_LENGTH FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND "
      "TABLE_NAME "
      "= ? ORDER BY ORDINAL_POSITION";
  wh_sql_column_list l = {.arena = arena, .relation = r};
  return wh_mysql_ask(s, wh_str_of(sql), (wh_str[]){r->schema, r->table}, 2, take_column, &l, err);
}

// --- Types ---------------------------------------------------------------------------------------

static bool has_own_form(wh_mysql_native native) {
  return native == WH_MYSQL_UUID || native == WH_MYSQL_INET;
}

static wh_status read_types(wh_sql_session *base, wh_sql_relation *r, wh_error *err) {
  wh_mysql_session *s = (wh_mysql_session *)base;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, base->connection->mem, WH_SQL_TEXT_MAX);
  for (size_t i = 0; i < r->count; i++) {
    wh_buf_add_c(&sql, i ? ", " : "SELECT ");
    wh_mysql_add_name(&sql, r->columns[i].name);
  }
  wh_buf_add_c(&sql, r->count ? " FROM " : "SELECT 1 FROM ");
  wh_mysql_add_name(&sql, r->schema);
  wh_buf_add_char(&sql, '.');
  wh_mysql_add_name(&sql, r->table);
  char doing[160];
  snprintf(doing, sizeof doing, "reading %.*s", (int)wh_utf8_cut(r->table, 64), r->table.data);
  WH_CLEAN_MYSQL_STMT MYSQL_STMT *stmt = NULL;
  WH_TRY(wh_mysql_prepare(s, &sql, doing, &stmt, err));
  for (size_t i = 0; i < r->count && i < mysql_stmt_field_count(stmt); i++) {
    wh_sql_column *c = &r->columns[i];
    c->type = wh_mysql_field_of(&stmt->fields[i], wh_mysql_options_of(s)).type;
    if (has_own_form(wh_mysql_native_of(c))) c->type = wh_type_of(WH_STRING);
  }
  return WH_OK;
}

// --- Unique indexes ------------------------------------------------------------------------------

static wh_status take_index(void *context, const wh_str *v, size_t count, wh_error *err) {
  wh_sql_unique_list *l = context;
  ptrdiff_t at = -1; // a prefix of a column, or an expression
  (void)count;
  for (size_t i = 0; v[1].data && !v[2].data && i < l->relation->count; i++)
    if (wh_str_eq_nocase(l->relation->columns[i].name, v[1])) at = (ptrdiff_t)i;
  return wh_sql_unique_take(l, v[0], wh_str_is(v[0], "PRIMARY"), at, err);
}

static wh_status read_uniques(wh_sql_session *s, wh_arena *arena, wh_sql_relation *r,
                              wh_error *err) {
  static const char sql[] =
      "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS WHERE "
      "TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 "
      "ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX";
  wh_sql_unique_list l = {.arena = arena, .relation = r};
  WH_TRY(wh_mysql_ask(s, wh_str_of(sql), (wh_str[]){r->schema, r->table}, 2, take_index, &l, err));
  return wh_sql_unique_end(&l, err);
}

// --- All of it -----------------------------------------------------------------------------------

wh_status wh_mysql_relate(wh_sql_session *s, wh_str table, wh_arena *arena, wh_sql_relation *ret,
                          wh_error *err) {
  wh_sql_relation relation = {.rows_estimate = WH_SIZE_UNKNOWN};
  table_look l = {.arena = arena, .relation = &relation};
  wh_str home;
  WH_TRY(wh_mysql_home(s, arena, &home, err));
  WH_TRY(wh_sql_find_table(s, home, table, look_up, &l, &l.found, err));
  if (!l.found) return no_table(s, home, table, err);
  WH_TRY(judge_sink(&l, arena, &relation, err));
  WH_TRY(read_columns(s, arena, &relation, err));
  WH_TRY(read_types(s, &relation, err));
  WH_TRY(read_uniques(s, arena, &relation, err));
  *ret = relation;
  return WH_OK;
}

wh_status wh_mysql_home(wh_sql_session *s, wh_arena *arena, wh_str *ret, wh_error *err) {
  wh_sql_names l = {.arena = arena};
  WH_TRY(wh_mysql_ask(s, WH_STR("SELECT DATABASE()"), NULL, 0, wh_sql_names_take, &l, err));
  *ret = l.count ? l.items[0] : (wh_str){0};
  return WH_OK;
}
