// A table or view, with its columns.
#include "connect/odbc/relate.h"

#include <stdio.h>

// --- Finding it ----------------------------------------------------------------------------------

static wh_status no_table(wh_odbc_session *s, wh_str table, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->connection->mem);
  wh_odbc_tables all;
  WH_TRY(wh_odbc_list(s, (wh_str){0}, &arena, &all, err));
  wh_str *names = WH_NEW_ARRAY(&arena, all.count, wh_str);
  if (!names) return wh_fail_memory(err);
  for (size_t i = 0; i < all.count; i++)
    names[i] = all.items[i].name;
  return wh_source_no_table(s->connection, table, names, all.count, err);
}

// Of several schemas the one that belongs to the user.
static wh_status choose(const wh_odbc_session *s, const wh_odbc_tables *t, wh_odbc_relation *r,
                        wh_error *err) {
  wh_str user = wh_odbc_options_of(s)->user;
  const wh_odbc_table *chosen = t->count == 1 ? t->items : NULL;
  for (size_t i = 0; !chosen && i < t->count; i++)
    if (user.len && wh_str_eq_nocase(t->items[i].schema, user)) chosen = &t->items[i];
  if (!chosen)
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s: there is a '%.*s' in %.*s and in %.*s. Write it as %.*s.%.*s",
                   WH_STR_ARG(s->connection->name), WH_STR_ARG(t->items[0].name),
                   WH_STR_ARG(t->items[0].schema), WH_STR_ARG(t->items[1].schema),
                   WH_STR_ARG(t->items[0].schema), WH_STR_ARG(t->items[0].name));
  r->schema = chosen->schema;
  r->table = chosen->name;
  return WH_OK;
}

static wh_status find_in_schema(wh_odbc_session *s, wh_str schema, wh_str table, wh_arena *arena,
                                wh_odbc_relation *r, wh_error *err) {
  wh_odbc_tables t;
  WH_TRY(wh_odbc_list(s, table, arena, &t, err));
  for (size_t i = 0; i < t.count; i++) {
    if (!wh_str_eq(t.items[i].schema, schema)) continue;
    r->schema = t.items[i].schema;
    r->table = t.items[i].name;
    return WH_OK;
  }
  return WH_OK;
}

// A name with points may be a table's whole name, or have its schema in front.
static wh_status find_table(wh_odbc_session *s, wh_str name, wh_arena *arena, wh_odbc_relation *r,
                            wh_error *err) {
  wh_odbc_tables t;
  WH_TRY(wh_odbc_list(s, name, arena, &t, err));
  if (t.count) return choose(s, &t, r, err);
  for (size_t at = 0; !r->table.len; at++) {
    at = wh_str_find(name, at, '.');
    if (at >= name.len) return no_table(s, name, err);
    WH_TRY(find_in_schema(s, wh_str_sub(name, 0, at), wh_str_sub(name, at + 1, name.len), arena, r,
                          err));
  }
  return WH_OK;
}

// --- Its columns ---------------------------------------------------------------------------------

static wh_status describe_column(wh_odbc_session *s, SQLHSTMT stmt, SQLUSMALLINT number,
                                 wh_arena *arena, wh_odbc_column *ret, wh_error *err) {
  SQLWCHAR name[WH_ODBC_NAME_MAX] = {0};
  SQLSMALLINT units = 0, nullable = SQL_NULLABLE_UNKNOWN;
  SQLLEN is_unsigned = SQL_FALSE;
  wh_odbc_column c = {0};
  SQLRETURN rc = wh_odbc.SQLDescribeColW(stmt, number, name, WH_ODBC_NAME_MAX, &units, &c.sql_type,
                                         &c.size, &c.digits, &nullable);
  if (!SQL_SUCCEEDED(rc)) return wh_odbc_fail(s, stmt, "describing the columns", err);
  WH_CLEAN_BUF wh_buf utf8;
  wh_buf_init(&utf8, arena->mem, 0);
  size_t len = units < 0 ? 0 : units < WH_ODBC_NAME_MAX ? (size_t)units : WH_ODBC_NAME_MAX - 1;
  if (!wh_odbc_from_wide(name, len, &utf8))
    return utf8.failed ? wh_fail_memory(err)
                       : wh_fail(err, WH_ERR_DATA, "%.*s: the name of column %d is no text",
                                 WH_STR_ARG(s->connection->name), number);
  c.sql.name = wh_arena_str(arena, wh_buf_str(&utf8));
  if (!c.sql.name.data) return wh_fail_memory(err);
  c.sql.nullable = nullable != SQL_NO_NULLS;
  (void)wh_odbc.SQLColAttributeW(stmt, number, SQL_DESC_UNSIGNED, NULL, 0, NULL, &is_unsigned);
  wh_odbc_set_type(&c, is_unsigned == SQL_TRUE);
  *ret = c;
  return WH_OK;
}

wh_status wh_odbc_describe_columns(wh_odbc_session *s, SQLHSTMT stmt, wh_arena *arena,
                                   wh_odbc_relation *r, wh_error *err) {
  SQLSMALLINT count = 0;
  if (!SQL_SUCCEEDED(wh_odbc.SQLNumResultCols(stmt, &count)))
    return wh_odbc_fail(s, stmt, "describing the columns", err);
  r->columns = WH_NEW_ARRAY(arena, (size_t)count, wh_odbc_column);
  if (!r->columns) return wh_fail_memory(err);
  for (SQLSMALLINT i = 0; i < count; i++)
    WH_TRY(describe_column(s, stmt, (SQLUSMALLINT)(i + 1), arena, &r->columns[i], err));
  r->count = (size_t)count;
  return WH_OK;
}

typedef struct catalog_names {
  wh_buf catalog, schema, table; // wide
} catalog_names;

static bool set_names(const wh_odbc_session *s, const wh_odbc_relation *r, catalog_names *n) {
  wh_buf_init(&n->catalog, s->connection->mem, 0);
  wh_buf_init(&n->schema, s->connection->mem, 0);
  wh_buf_init(&n->table, s->connection->mem, 0);
  return wh_odbc_to_wide(s->catalog, &n->catalog) && wh_odbc_to_wide(r->schema, &n->schema) &&
         wh_odbc_to_wide(r->table, &n->table);
}

static void free_names(catalog_names *n) {
  wh_buf_free(&n->catalog);
  wh_buf_free(&n->schema);
  wh_buf_free(&n->table);
}

static SQLWCHAR *or_null(const wh_buf *wide) {
  return wide->len > sizeof(SQLWCHAR) ? (SQLWCHAR *)wide->data : NULL;
}

static SQLSMALLINT length_of(const wh_buf *wide) {
  return or_null(wide) ? SQL_NTS : 0;
}

static wh_status get_number(wh_odbc_session *s, SQLHSTMT stmt, SQLUSMALLINT column, wh_buf *text,
                            int64_t *ret, wh_error *err) {
  WH_TRY(wh_odbc_get_text(s, stmt, column, text, "reading the catalog", err));
  if (!wh_str_to_i64(wh_buf_str(text), ret)) *ret = -1;
  return WH_OK;
}

// What SQLColumns knows better than a statement's description: what may not be NULL.
static wh_status take_nullable(wh_odbc_session *s, SQLHSTMT stmt, wh_odbc_relation *r,
                               wh_error *err) {
  enum { SCHEMA = 2, TABLE, COLUMN, NULLABLE = 11 };
  static const char doing[] = "reading the catalog";
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, s->connection->mem, 0);
  for (;;) {
    bool row;
    int64_t nullable;
    WH_TRY(wh_odbc_fetch_one(s, stmt, doing, &row, err));
    if (!row) return WH_OK;
    WH_TRY(wh_odbc_get_text(s, stmt, SCHEMA, &text, doing, err));
    bool is_ours = wh_str_eq(wh_buf_str(&text), r->schema);
    WH_TRY(wh_odbc_get_text(s, stmt, TABLE, &text, doing, err));
    is_ours = is_ours && wh_str_eq(wh_buf_str(&text), r->table);
    WH_TRY(wh_odbc_get_text(s, stmt, COLUMN, &text, doing, err));
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(r), wh_buf_str(&text));
    WH_TRY(get_number(s, stmt, NULLABLE, &text, &nullable, err));
    if (is_ours && at >= 0 && nullable == SQL_NO_NULLS) r->columns[at].sql.nullable = false;
  }
}

static wh_status take_keys(wh_odbc_session *s, SQLHSTMT stmt, wh_odbc_relation *r, wh_error *err) {
  enum { COLUMN = 4, POSITION };
  static const char doing[] = "reading the catalog";
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, s->connection->mem, 0);
  for (;;) {
    bool row;
    int64_t position;
    WH_TRY(wh_odbc_fetch_one(s, stmt, doing, &row, err));
    if (!row) return WH_OK;
    WH_TRY(wh_odbc_get_text(s, stmt, COLUMN, &text, doing, err));
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(r), wh_buf_str(&text));
    WH_TRY(get_number(s, stmt, POSITION, &text, &position, err));
    if (at >= 0 && position > 0) r->columns[at].sql.key_position = (uint32_t)position;
  }
}

static wh_status ask_catalog(wh_odbc_session *s, const catalog_names *n, wh_odbc_relation *r,
                             wh_error *err) {
  WH_CLEAN_ODBC_STMT SQLHSTMT columns = SQL_NULL_HSTMT, keys = SQL_NULL_HSTMT;
  int64_t limit = wh_odbc_options_of(s)->statement_timeout_us;
  SQLWCHAR *catalog = or_null(&n->catalog), *schema = or_null(&n->schema);
  SQLSMALLINT catalog_len = length_of(&n->catalog), schema_len = length_of(&n->schema);
  SQLWCHAR *table = (SQLWCHAR *)n->table.data;
  WH_TRY(wh_odbc_statement(s, &columns, err));
  wh_odbc_begin_call(s, columns, limit);
  SQLRETURN rc = wh_odbc.SQLColumnsW(columns, catalog, catalog_len, schema, schema_len, table,
                                     SQL_NTS, NULL, 0);
  wh_odbc_end_call(s);
  if (!SQL_SUCCEEDED(rc)) return wh_odbc_fail(s, columns, "reading the catalog", err);
  WH_TRY(take_nullable(s, columns, r, err));
  WH_TRY(wh_odbc_statement(s, &keys, err));
  wh_odbc_begin_call(s, keys, limit);
  rc = wh_odbc.SQLPrimaryKeysW(keys, catalog, catalog_len, schema, schema_len, table, SQL_NTS);
  wh_odbc_end_call(s);
  if (!SQL_SUCCEEDED(rc)) return WH_OK; // not every driver can say
  return take_keys(s, keys, r, err);
}

static wh_status relate_table(wh_odbc_session *s, wh_arena *arena, wh_odbc_relation *r,
                              wh_error *err) {
  WH_CLEAN_ODBC_STMT SQLHSTMT stmt = SQL_NULL_HSTMT;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->connection->mem, WH_ODBC_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT *");
  WH_TRY(wh_odbc_add_from(s, &sql, r, err));
  WH_TRY(wh_odbc_statement(s, &stmt, err));
  WH_TRY(wh_odbc_prepare(s, stmt, wh_buf_str(&sql), "describing the columns", err));
  WH_TRY(wh_odbc_describe_columns(s, stmt, arena, r, err));
  catalog_names n;
  wh_status status = set_names(s, r, &n) ? ask_catalog(s, &n, r, err) : wh_fail_memory(err);
  free_names(&n);
  return status;
}

wh_status wh_odbc_relate(wh_odbc_session *s, wh_str table, wh_str query, wh_arena *arena,
                         wh_odbc_relation *ret, wh_error *err) {
  if (query.len) return wh_odbc_relate_query(s, query, arena, ret, err);
  wh_odbc_relation r = {0};
  WH_TRY(find_table(s, table, arena, &r, err));
  r.what = r.table;
  WH_TRY(relate_table(s, arena, &r, err));
  *ret = r;
  return WH_OK;
}

// --- Pieces --------------------------------------------------------------------------------------

wh_status wh_odbc_no_column(const wh_odbc_session *s, const wh_odbc_relation *r, wh_str name,
                            wh_error *err) {
  return wh_source_no_column(s->connection, r->what, name, r->columns, r->count, sizeof *r->columns,
                             err);
}

// Oracle takes no AS in front of another name of a table.
wh_status wh_odbc_add_from(const wh_odbc_session *s, wh_buf *sql, const wh_odbc_relation *r,
                           wh_error *err) {
  wh_buf_add_c(sql, " FROM ");
  if (r->query.len) { // the line break ends a comment that the query may end with
    wh_buf_add_char(sql, '(');
    wh_buf_add_str(sql, r->query);
    wh_buf_add_c(sql, "\n) q");
    return wh_buf_check(sql, err);
  }
  if (r->schema.len) {
    WH_TRY(wh_odbc_add_name(s, sql, r->schema, err));
    wh_buf_add_char(sql, '.');
  }
  return wh_odbc_add_name(s, sql, r->table, err);
}
