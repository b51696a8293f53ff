#include "connect/sqlite/query.h"

__attribute__((format(printf, 3, 4))) static wh_status refuse(const wh_sqlite_db *db, wh_error *err,
                                                              const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return wh_fail(err, WH_ERR_USAGE, "%.*s: the query %s", WH_STR_ARG(db->connection->name), text);
}

// "near line 2, column 8" of the place SQLite complains about.
static wh_status does_not_compile(wh_sqlite_db *db, const char *text, int rc, wh_error *err) {
  if ((rc & 0xFF) != SQLITE_ERROR) return wh_sqlite_fail(db, rc, err, "reading the query");
  int offset = sqlite3_error_offset(db->handle);
  if (offset < 0) return refuse(db, err, "does not run: %s", sqlite3_errmsg(db->handle));
  int line = 1, column = 1;
  for (int i = 0; i < offset && text[i]; i++) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n';
  }
  return refuse(db, err, "does not run: %s, at line %d, column %d", sqlite3_errmsg(db->handle),
                line, column);
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';';
}

// Only comments and white space may follow the first statement.
static wh_status check_tail(wh_sqlite_db *db, const char *tail, wh_error *err) {
  while (*tail) {
    sqlite3_stmt *more = NULL;
    const char *next = NULL;
    int rc = sqlite3_prepare_v2(db->handle, tail, -1, &more, &next);
    bool is_statement = rc != SQLITE_OK || more != NULL;
    sqlite3_finalize(more);
    if (is_statement) return refuse(db, err, "has more than one statement. Keep one SELECT");
    if (next == tail) break;
    tail = next;
  }
  return WH_OK;
}

static wh_status check_names(wh_sqlite_db *db, sqlite3_stmt *stmt, wh_error *err) {
  int count = sqlite3_column_count(stmt);
  for (int i = 0; i < count; i++) {
    const char *name = sqlite3_column_name(stmt, i);
    if (!name) return wh_fail_memory(err);
    for (int k = 0; k < i; k++) {
      const char *earlier = sqlite3_column_name(stmt, k);
      if (earlier && wh_str_eq_nocase(wh_str_of(name), wh_str_of(earlier)))
        return refuse(db, err, "has two columns named '%s'. Give one another name with AS", name);
    }
  }
  return WH_OK;
}

static wh_status check_statement(wh_sqlite_db *db, sqlite3_stmt *stmt, wh_error *err) {
  if (!stmt) return refuse(db, err, "is empty");
  if (!sqlite3_stmt_readonly(stmt))
    return refuse(db, err, "would write. A source only reads: use a SELECT");
  if (sqlite3_column_count(stmt) == 0) return refuse(db, err, "gives no rows. Use a SELECT");
  if (sqlite3_bind_parameter_count(stmt) > 0)
    return refuse(db, err, "has a parameter ('?' or ':name'), which nothing fills");
  return check_names(db, stmt, err);
}

static wh_status name_columns(wh_sqlite_db *db, wh_arena *arena, wh_sqlite_relation *r,
                              wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, db->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT *");
  wh_sqlite_add_from(&sql, r);
  WH_TRY(wh_buf_check(&sql, err));
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db->handle, wh_buf_str(&sql).data, -1, &stmt, NULL);
  if (rc != SQLITE_OK && (rc & 0xFF) != SQLITE_ERROR)
    return wh_sqlite_fail(db, rc, err, "reading the query");
  if (rc != SQLITE_OK) return refuse(db, err, "is not a SELECT that gives rows");
  r->count = (size_t)sqlite3_column_count(stmt);
  r->columns = WH_NEW_ARRAY(arena, r->count, wh_sqlite_column);
  if (!r->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++) {
    r->columns[i] = (wh_sqlite_column){
        .name = wh_arena_str(arena, wh_str_of(sqlite3_column_name(stmt, (int)i))),
        .declared = wh_arena_str(arena, wh_str_of(sqlite3_column_decltype(stmt, (int)i))),
        .nullable = true,
    };
    if (!r->columns[i].name.data || !r->columns[i].declared.data) return wh_fail_memory(err);
  }
  return WH_OK;
}

wh_status wh_sqlite_query_relate(wh_sqlite_db *db, wh_str query, wh_arena *arena,
                                 wh_sqlite_relation *ret, wh_error *err) {
  if (memchr(query.data, 0, query.len)) return refuse(db, err, "has a NUL byte");
  const char *text = wh_arena_cstr(arena, query);
  if (!text) return wh_fail_memory(err);
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  const char *tail = NULL;
  int rc = sqlite3_prepare_v2(db->handle, text, -1, &stmt, &tail);
  if (rc != SQLITE_OK) return does_not_compile(db, text, rc, err);
  WH_TRY(check_statement(db, stmt, err));
  WH_TRY(check_tail(db, tail, err));
  wh_str body = wh_str_n(text, (size_t)(tail - text));
  while (body.len && is_space(body.data[body.len - 1]))
    body.len--;
  *ret = (wh_sqlite_relation){.query = body};
  return name_columns(db, arena, ret, err);
}
