// The tables of the database, from SQLTables.
#include "connect/odbc/relate.h"

#include <stdlib.h>

typedef struct listing {
  wh_odbc_session *session;
  wh_arena *arena;
  wh_odbc_tables tables;
  size_t cap;
} listing;

static wh_status add_table(listing *l, const wh_odbc_table *table, wh_error *err) {
  wh_odbc_tables *t = &l->tables;
  if (t->count == WH_ODBC_TABLES_MAX)
    return wh_fail(err, WH_ERR_LIMIT,
                   "%.*s: the database has more than %d tables. Give the user fewer to see",
                   WH_STR_ARG(l->session->connection->name), WH_ODBC_TABLES_MAX);
  if (t->count == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 64;
    wh_odbc_table *items = WH_NEW_ARRAY(l->arena, cap, wh_odbc_table);
    if (!items) return wh_fail_memory(err);
    if (t->count) memcpy(items, t->items, t->count * sizeof *items);
    t->items = items;
    l->cap = cap;
  }
  t->items[t->count++] = *table;
  return WH_OK;
}

// Names as arguments are patterns: '_' only finds more than is looked for, which is sorted out
// here; drivers do not agree on what escapes the rest.
static bool is_own_pattern(const wh_odbc_session *s, wh_str name) {
  return name.len && wh_str_find(name, 0, '%') == name.len &&
         (!s->escape || wh_str_find(name, 0, s->escape) == name.len);
}

static wh_status ask(wh_odbc_session *s, SQLHSTMT stmt, wh_str name, wh_error *err) {
  WH_CLEAN_BUF wh_buf catalog, schema, pattern, kinds;
  wh_buf_init(&catalog, s->connection->mem, 0);
  wh_buf_init(&schema, s->connection->mem, 0);
  wh_buf_init(&pattern, s->connection->mem, 0);
  wh_buf_init(&kinds, s->connection->mem, 0);
  if (!wh_odbc_to_wide(s->catalog, &catalog) || !wh_odbc_to_wide(WH_STR("%"), &schema) ||
      !wh_odbc_to_wide(name, &pattern) ||
      !wh_odbc_to_wide(WH_STR("TABLE,VIEW,SYNONYM,ALIAS,MATERIALIZED VIEW,FOREIGN TABLE"), &kinds))
    return wh_fail_memory(err);
  SQLWCHAR *in = s->catalog.len ? (SQLWCHAR *)catalog.data : NULL;
  // Without a schema some drivers look into one alone, with one others look for it.
  SQLWCHAR *any = s->has_schemas ? (SQLWCHAR *)schema.data : NULL;
  SQLWCHAR *like = is_own_pattern(s, name) ? (SQLWCHAR *)pattern.data : NULL;
  wh_odbc_begin_call(s, stmt, wh_odbc_options_of(s)->statement_timeout_us);
  SQLRETURN rc = wh_odbc.SQLTablesW(stmt, in, in ? SQL_NTS : 0, any, any ? SQL_NTS : 0, like,
                                    like ? SQL_NTS : 0, (SQLWCHAR *)kinds.data, SQL_NTS);
  wh_odbc_end_call(s);
  return SQL_SUCCEEDED(rc) ? WH_OK : wh_odbc_fail(s, stmt, "listing the tables", err);
}

static wh_status take(listing *l, SQLHSTMT stmt, wh_str name, wh_error *err) {
  enum { SCHEMA = 2, NAME, KIND };
  static const char doing[] = "listing the tables";
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, l->session->connection->mem, 0);
  wh_odbc_table table = {.is_alone = true};
  WH_TRY(wh_odbc_get_text(l->session, stmt, SCHEMA, &text, doing, err));
  table.schema = wh_arena_str(l->arena, wh_buf_str(&text));
  WH_TRY(wh_odbc_get_text(l->session, stmt, NAME, &text, doing, err));
  table.name = wh_arena_str(l->arena, wh_buf_str(&text));
  if (!table.schema.data || !table.name.data) return wh_fail_memory(err);
  WH_TRY(wh_odbc_get_text(l->session, stmt, KIND, &text, doing, err));
  table.is_view = memmem(text.data ? text.data : "", text.len, "VIEW", 4) != NULL;
  bool is_ours = wh_str_starts(table.name, "_wherry_");
  if (is_ours || (name.len && !wh_str_eq(table.name, name))) return WH_OK;
  return add_table(l, &table, err);
}

static int compare(const void *a, const void *b) {
  const wh_odbc_table *x = a, *y = b;
  int by_name = wh_str_cmp(x->name, y->name);
  return x->is_view != y->is_view ? x->is_view - y->is_view
         : by_name                ? by_name
                                  : wh_str_cmp(x->schema, y->schema);
}

// A table and a view of one name are far apart here; the schema is then left out of both, and
// wh_odbc_relate says that it has to be given.
static void mark_alone(wh_odbc_tables *t) {
  for (size_t i = 1; i < t->count; i++)
    if (wh_str_eq(t->items[i].name, t->items[i - 1].name))
      t->items[i].is_alone = t->items[i - 1].is_alone = false;
}

wh_status wh_odbc_list(wh_odbc_session *s, wh_str name, wh_arena *arena, wh_odbc_tables *ret,
                       wh_error *err) {
  WH_CLEAN_ODBC_STMT SQLHSTMT stmt = SQL_NULL_HSTMT;
  listing l = {.session = s, .arena = arena};
  WH_TRY(wh_odbc_statement(s, &stmt, err));
  WH_TRY(ask(s, stmt, name, err));
  for (;;) {
    bool row;
    WH_TRY(wh_odbc_fetch_one(s, stmt, "listing the tables", &row, err));
    if (!row) break;
    WH_TRY(take(&l, stmt, name, err));
  }
  if (l.tables.count) qsort(l.tables.items, l.tables.count, sizeof *l.tables.items, compare);
  mark_alone(&l.tables);
  *ret = l.tables;
  return WH_OK;
}
