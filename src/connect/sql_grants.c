#include "connect/sql_grants.h"

#include "connect/sql_sink.h"

#include <stdarg.h>
#include <stdio.h>

// --- What dialects build on ----------------------------------------------------------------------

wh_str wh_sql_join_who(wh_arena *arena, wh_str all, wh_str who) {
  wh_str rest = all, piece;
  while (wh_str_split(&rest, ',', &piece))
    if (wh_str_eq(wh_str_trim(piece), who)) return all;
  if (all.len == 0) return wh_arena_str(arena, who);
  return wh_arena_printf(arena, "%.*s, %.*s", WH_STR_ARG(all), WH_STR_ARG(who));
}

static wh_status join(wh_sql_grants *g, wh_str *all, wh_str who, wh_error *err) {
  wh_str joined = wh_sql_join_who(g->arena, *all, who);
  if (!joined.data) return wh_fail_memory(err);
  *all = joined;
  return WH_OK;
}

static wh_status grow(wh_sql_grants *g, wh_error *err) {
  if (g->count < g->cap) return WH_OK;
  size_t cap = g->cap ? 2 * g->cap : 16;
  wh_sql_table_grant *tables = WH_NEW_ARRAY(g->arena, cap, wh_sql_table_grant);
  if (!tables) return wh_fail_memory(err);
  if (g->count) memcpy(tables, g->tables, g->count * sizeof *tables);
  g->tables = tables;
  g->cap = cap;
  return WH_OK;
}

wh_status wh_sql_grants_add(wh_sql_grants *g, wh_str schema, wh_str table, wh_str who,
                            wh_sql_presence presence, wh_sql_table_grant **ret, wh_error *err) {
  for (size_t i = 0; i < g->count; i++) {
    wh_sql_table_grant *t = &g->tables[i];
    if (!wh_str_eq(t->schema, schema) || !wh_str_eq(t->table, table)) continue;
    *ret = t;
    return join(g, &t->who, who, err);
  }
  WH_TRY(grow(g, err));
  wh_sql_table_grant *t = &g->tables[g->count];
  *t = (wh_sql_table_grant){.schema = wh_arena_str(g->arena, schema),
                            .table = wh_arena_str(g->arena, table),
                            .presence = presence,
                            .who = wh_arena_str(g->arena, who)};
  if (!t->schema.data || !t->table.data || !t->who.data) return wh_fail_memory(err);
  bool owned = false;
  if (presence == WH_SQL_THERE && g->dialect->owns)
    WH_TRY(g->dialect->owns(g, t->schema, t->table, &owned, err));
  if (owned) t->presence = WH_SQL_OWNED;
  g->count++;
  *ret = t;
  return WH_OK;
}

wh_status wh_sql_grants_add_column(wh_sql_grants *g, wh_sql_table_grant *t, wh_str column,
                                   wh_error *err) {
  for (size_t i = 0; i < t->column_count; i++)
    if (wh_str_eq(t->columns[i], column)) return WH_OK;
  wh_str *columns = WH_NEW_ARRAY(g->arena, t->column_count + 1, wh_str);
  if (!columns) return wh_fail_memory(err);
  if (t->column_count) memcpy(columns, t->columns, t->column_count * sizeof *columns);
  columns[t->column_count] = wh_arena_str(g->arena, column);
  if (!columns[t->column_count].data) return wh_fail_memory(err);
  t->columns = columns;
  t->column_count++;
  return WH_OK;
}

wh_status wh_sql_grants_say(wh_sql_grants *g, const wh_buf *sql, wh_str why, wh_error *err) {
  WH_TRY(wh_buf_check(sql, err));
  return g->visit(g->context, &(wh_grant){.sql = wh_buf_str(sql), .why = why}, err);
}

wh_status wh_sql_grants_remark(wh_sql_grants *g, wh_error *err, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return g->visit(g->context, &(wh_grant){.why = wh_str_of(text)}, err);
}

bool wh_sql_add_grant_columns(wh_buf *sql, const wh_sql_grants *g, const wh_sql_table_grant *t) {
  for (size_t i = 0; i < t->column_count; i++) {
    if (i) wh_buf_add_c(sql, ", ");
    g->dialect->driver->name(sql, t->columns[i]);
  }
  return !sql->failed;
}

bool wh_sql_add_rights(wh_buf *sql, const wh_sql_grants *g, const wh_sql_table_grant *t,
                       unsigned rights, bool columns) {
  static const char *const names[] = {"SELECT", "INSERT", "UPDATE", "DELETE",
                                      "CREATE", "DROP",   "ALTER"};
  bool first = true;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!(rights & 1u << i)) continue;
    if (!first) wh_buf_add_c(sql, ", ");
    first = false;
    wh_buf_add_c(sql, names[i]);
    if (1u << i != WH_SQL_MAY_SELECT || !columns || t->every_column) continue;
    wh_buf_add_c(sql, " (");
    wh_sql_add_grant_columns(sql, g, t);
    wh_buf_add_char(sql, ')');
  }
  return !sql->failed;
}

// --- Tables --------------------------------------------------------------------------------------

typedef struct place {
  wh_str schema, table;
  wh_sql_presence presence;
  bool is_related;
  wh_sql_relation relation; // where it is
} place;

// "schema.table", or a table of the home schema.
static void name_unseen(const wh_sql_grants *g, wh_str name, place *p) {
  p->schema = g->home;
  p->table = name;
  size_t dot = wh_str_find(name, 0, '.');
  if (dot == 0 || dot + 1 >= name.len) return;
  p->schema = wh_str_sub(name, 0, dot);
  p->table = wh_str_sub(name, dot + 1, name.len);
}

static wh_status look_up(wh_sql_grants *g, wh_str name, place *ret, wh_error *err) {
  place p = {.presence = g->session ? WH_SQL_MISSING : WH_SQL_UNKNOWN};
  name_unseen(g, name, &p);
  if (g->session) {
    wh_error why = {0};
    wh_status status = g->session->driver->relate(g->session, name, g->arena, &p.relation, &why);
    if (status == WH_OK) {
      p.schema = p.relation.schema;
      p.table = p.relation.table;
      p.presence = WH_SQL_THERE;
      p.is_related = true;
    } else if (status != WH_ERR_NOT_FOUND && status != WH_ERR_DENIED) {
      if (err) *err = why;
      return status;
    }
  }
  *ret = p;
  return WH_OK;
}

static wh_status add_table(wh_sql_grants *g, const place *p, wh_str who, unsigned rights,
                           wh_error *err) {
  wh_sql_table_grant *t;
  WH_TRY(wh_sql_grants_add(g, p->schema, p->table, who, p->presence, &t, err));
  t->rights |= rights;
  t->every_column = true;
  return WH_OK;
}

// --- Reading -------------------------------------------------------------------------------------

static wh_status add_read_columns(wh_sql_grants *g, const wh_need *need, const place *p,
                                  wh_sql_table_grant *t, wh_error *err) {
  for (size_t i = 0; i < need->column_count; i++)
    WH_TRY(wh_sql_grants_add_column(g, t, need->columns[i], err));
  for (size_t i = 0; p->is_related && i < p->relation.count; i++) {
    wh_str name = p->relation.columns[i].name;
    bool is_key = need->by_key && p->relation.columns[i].key_position == 1;
    if (is_key || wh_node_mentions(need->words, name))
      WH_TRY(wh_sql_grants_add_column(g, t, name, err));
  }
  return WH_OK;
}

static wh_status add_read_table(wh_sql_grants *g, const wh_need *need, wh_error *err) {
  place p;
  wh_sql_table_grant *t;
  WH_TRY(look_up(g, need->table, &p, err));
  WH_TRY(wh_sql_grants_add(g, p.schema, p.table, need->who, p.presence, &t, err));
  t->rights |= WH_SQL_MAY_SELECT;
  // Which of the words are columns, and what its key is, only the table can tell.
  t->every_column |= need->every_column || ((need->words || need->by_key) && !p.is_related);
  if (p.presence == WH_SQL_MISSING)
    WH_TRY(wh_sql_grants_remark(g, err, "%.*s reads '%.*s', which is not there, or not to be seen",
                                WH_STR_ARG(need->who), WH_STR_ARG(need->table)));
  return add_read_columns(g, need, &p, t, err);
}

static wh_status cannot_tell(wh_sql_grants *g, const wh_need *need, wh_error *err) {
  WH_CLEAN_BUF wh_buf line; // the query without its line breaks
  wh_buf_init(&line, g->connection->mem, 0);
  for (size_t i = 0; i < need->query.len; i++) {
    char c = need->query.data[i];
    wh_buf_add_char(&line, c == '\n' || c == '\r' || c == '\t' ? ' ' : c);
  }
  WH_TRY(wh_buf_check(&line, err));
  return wh_sql_grants_remark(g, err, "%.*s wants SELECT on the tables of its query: %.*s",
                              WH_STR_ARG(need->who), WH_STR_ARG(wh_buf_str(&line)));
}

static wh_status add_read(wh_sql_grants *g, const wh_need *need, wh_error *err) {
  if (need->query.len == 0) return add_read_table(g, need, err);
  if (!g->session || !g->dialect->add_query) return cannot_tell(g, need, err);
  wh_error why = {0};
  wh_status status = g->dialect->add_query(g, need, &why);
  if (status != WH_ERR_DENIED && status != WH_ERR_NOT_FOUND && status != WH_ERR_USAGE) {
    if (status != WH_OK && err) *err = why;
    return status;
  }
  WH_TRY(wh_sql_grants_remark(g, err, "%s", why.text));
  return cannot_tell(g, need, err);
}

// --- Loading -------------------------------------------------------------------------------------

static unsigned create_if(const place *p) {
  return p->presence == WH_SQL_THERE ? 0 : WH_SQL_MAY_CREATE;
}

// A table that Wherry makes for itself.
static wh_status add_own(wh_sql_grants *g, wh_str schema, wh_str table, wh_str who, unsigned rights,
                         wh_error *err) {
  place p;
  wh_str name = wh_arena_printf(g->arena, "%.*s.%.*s", WH_STR_ARG(schema), WH_STR_ARG(table));
  if (!name.data) return wh_fail_memory(err);
  WH_TRY(look_up(g, name, &p, err));
  p.schema = p.is_related ? p.schema : schema;
  p.table = p.is_related ? p.table : table;
  return add_table(g, &p, who, rights | create_if(&p), err);
}

static wh_status add_own_beside(wh_sql_grants *g, const wh_need *need, const place *target,
                                const char *prefix, unsigned rights, wh_error *err) {
  wh_str name = wh_sql_own_name(g->dialect->driver, g->arena, prefix, target->table);
  if (!name.data) return wh_fail_memory(err);
  return add_own(g, target->schema, name, need->who, rights, err);
}

static wh_status add_bookkeeping(wh_sql_grants *g, const wh_need *need, wh_error *err) {
  static const struct {
    const char *name;
    bool of_replace;
    unsigned rights;
  } own[] = {{"_wherry_marks", false, WH_SQL_MAY_CHANGE},
             {"_wherry_lease", false, WH_SQL_MAY_CHANGE},
             {"_wherry_tables", true, WH_SQL_MAY_CHANGE},
             {"_wherry_stages", true, WH_SQL_MAY_CHANGE | WH_SQL_MAY_DELETE}};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    if (own[i].of_replace && need->mode != WH_WRITE_REPLACE) continue;
    WH_TRY(add_own(g, g->home, wh_str_of(own[i].name), need->who, own[i].rights, err));
  }
  return WH_OK;
}

// Deletions that are remembered: read by every load where there are any.
static wh_status add_deleted(wh_sql_grants *g, const wh_need *need, const place *target,
                             wh_error *err) {
  if (need->mode != WH_WRITE_UPSERT) return WH_OK;
  wh_str name = wh_sql_own_name(g->dialect->driver, g->arena, WH_SQL_DELETED, target->table);
  wh_str full =
      wh_arena_printf(g->arena, "%.*s.%.*s", WH_STR_ARG(target->schema), WH_STR_ARG(name));
  if (!name.data || !full.data) return wh_fail_memory(err);
  place p;
  WH_TRY(look_up(g, full, &p, err));
  if (!need->erases && p.presence != WH_SQL_THERE) return WH_OK;
  return add_own(g, target->schema, name, need->who, WH_SQL_MAY_CHANGE | WH_SQL_MAY_DELETE, err);
}

static wh_status add_load(wh_sql_grants *g, const wh_need *need, wh_error *err) {
  place p;
  WH_TRY(look_up(g, need->table, &p, err));
  unsigned rights = need->mode == WH_WRITE_APPEND ? g->dialect->to_append : WH_SQL_MAY_CHANGE;
  if (need->mode == WH_WRITE_REPLACE || need->erases) rights |= WH_SQL_MAY_DELETE;
  if (need->adds_columns) rights |= WH_SQL_MAY_ALTER;
  WH_TRY(add_table(g, &p, need->who, rights | create_if(&p), err));
  WH_TRY(add_bookkeeping(g, need, err));
  bool has_side = p.is_related ? !p.relation.has_order : need->side_table;
  if (has_side && need->mode == WH_WRITE_UPSERT)
    WH_TRY(add_own_beside(g, need, &p, "_wherry_order_",
                          WH_SQL_MAY_CHANGE | (need->erases ? WH_SQL_MAY_DELETE : 0), err));
  WH_TRY(add_deleted(g, need, &p, err));
  // The stage is made anew when the table changes.
  unsigned stage = WH_SQL_MAY_CHANGE | WH_SQL_MAY_DELETE | WH_SQL_MAY_CREATE | WH_SQL_MAY_DROP;
  if (need->mode == WH_WRITE_REPLACE)
    WH_TRY(add_own_beside(g, need, &p, "_wherry_stage_", stage, err));
  bool has_batch = need->mode != WH_WRITE_APPEND && need->has_key;
  return has_batch ? join(g, &g->temporary, need->who, err) : WH_OK;
}

// --- All of it -----------------------------------------------------------------------------------

static wh_status ask_server(wh_sql_grants *g, wh_error *err) {
  const wh_sql_driver *driver = g->dialect->driver;
  wh_error why = {0};
  wh_status status = driver->open(g->connection, WH_SQL_READ, &g->session, &why);
  if (status == WH_OK) {
    status = g->session->driver->home(g->session, g->arena, &g->home, &why);
    if (status == WH_ERR_NOT_FOUND) status = WH_OK; // the user may not use it yet
    if (status != WH_OK && err) *err = why;
    return status;
  }
  if (status == WH_ERR_MEMORY || status == WH_ERR_CANCELLED) {
    if (err) *err = why;
    return status;
  }
  g->session = NULL;
  return wh_sql_grants_remark(g, err, "the server was not asked which tables there are: %s",
                              why.text);
}

static wh_status collect(wh_sql_grants *g, const wh_grants_request *request, wh_error *err) {
  for (size_t i = 0; i < request->count; i++) {
    const wh_need *need = &request->needs[i];
    WH_TRY(join(g, &g->who, need->who, err));
    WH_TRY(need->loads ? add_load(g, need, err) : add_read(g, need, err));
  }
  return WH_OK;
}

wh_status wh_sql_grants_visit(const wh_sql_dialect *dialect, wh_connection *c,
                              const wh_grants_request *request, wh_arena *arena,
                              wh_grant_visit visit, void *context, wh_error *err) {
  wh_sql_grants g = {.dialect = dialect,
                     .connection = c,
                     .arena = arena,
                     .user = request->user,
                     .home = dialect->home(c),
                     .visit = visit,
                     .context = context};
  if (request->count == 0) return WH_OK;
  wh_status status = ask_server(&g, err);
  if (status == WH_OK) status = collect(&g, request, err);
  if (status == WH_OK) status = dialect->say(&g, err);
  if (g.session) g.session->driver->close(g.session);
  return status;
}
