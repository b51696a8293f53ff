// A query of the user's: one SELECT.
#include "connect/odbc/relate.h"

// Behind a character, or what is between quotes. A doubled quote is found as two texts.
static size_t step(wh_str q, size_t at) {
  char c = q.data[at++];
  if (c != '\'' && c != '"' && c != '`') return at;
  size_t end = wh_str_find(q, at, c);
  return end < q.len ? end + 1 : q.len;
}

// Without the semicolons, white space and comments behind it; *ret_more where something follows
// one. A query that is taken for two because of a dialect's own quotes is refused, never run.
static wh_str one_statement(wh_str q, bool *ret_more) {
  size_t end = 0;
  bool ended = false;
  *ret_more = false;
  for (size_t at = wh_source_skip(q, 0); at < q.len; at = wh_source_skip(q, at)) {
    bool is_end = q.data[at] == ';';
    at = step(q, at);
    *ret_more |= ended && !is_end;
    ended |= is_end;
    if (!is_end) end = at;
  }
  return wh_str_sub(q, 0, end);
}

static bool begins_with(wh_str q, const char *word) {
  size_t at = wh_source_skip(q, 0), len = strlen(word);
  while (at < q.len && q.data[at] == '(')
    at = wh_source_skip(q, at + 1);
  if (!wh_str_eq_nocase(wh_str_sub(q, at, at + len), wh_str_of(word))) return false;
  char next = at + len < q.len ? q.data[at + len] : ' ';
  bool is_word = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') ||
                 (next >= '0' && next <= '9') || next == '_';
  return !is_word;
}

static wh_status check_names(wh_odbc_session *s, const wh_odbc_relation *r, wh_error *err) {
  for (size_t i = 0; i < r->count; i++) {
    wh_str name = r->columns[i].sql.name;
    if (!name.len)
      return wh_source_refuse(s->connection, err,
                              "has a column without a name. Give it one with AS");
    for (size_t k = 0; k < i; k++)
      if (wh_str_eq_nocase(name, r->columns[k].sql.name))
        return wh_source_refuse(s->connection, err,
                                "has two columns named '%.*s'. Give one another name with AS",
                                (int)wh_utf8_cut(name, 128), name.data);
  }
  return WH_OK;
}

// Whether it is the query that is wrong, and not the line or the rights.
static wh_status does_not_run(wh_odbc_session *s, SQLHSTMT stmt, wh_error *err) {
  wh_odbc_trouble t;
  wh_error inner = {0};
  wh_odbc_trouble_of(s, SQL_HANDLE_STMT, stmt, &t);
  wh_status status = wh_odbc_fail(s, stmt, "reading the query", &inner);
  if (status == WH_ERR_IO || status == WH_ERR_NOT_FOUND)
    return wh_source_refuse(s->connection, err, "does not run: %s", t.text);
  if (err) *err = inner;
  return status;
}

static wh_status describe(wh_odbc_session *s, SQLHSTMT stmt, wh_arena *arena, wh_odbc_relation *r,
                          wh_error *err) {
  WH_CLEAN_BUF wh_buf wide;
  wh_buf_init(&wide, s->connection->mem, 0);
  if (!wh_odbc_to_wide(r->query, &wide)) return wh_fail_memory(err);
  SQLSMALLINT params = 0, columns = 0;
  wh_odbc_begin_call(s, stmt, wh_odbc_options_of(s)->statement_timeout_us);
  SQLRETURN rc = wh_odbc.SQLPrepareW(stmt, (SQLWCHAR *)wide.data, SQL_NTS);
  // Some drivers look at it only when they are asked about it.
  if (SQL_SUCCEEDED(rc)) rc = wh_odbc.SQLNumResultCols(stmt, &columns);
  if (SQL_SUCCEEDED(rc) && !SQL_SUCCEEDED(wh_odbc.SQLNumParams(stmt, &params))) params = 0;
  wh_odbc_end_call(s);
  if (!SQL_SUCCEEDED(rc)) return does_not_run(s, stmt, err);
  if (params)
    return wh_source_refuse(s->connection, err, "has a parameter ('?'), which nothing fills");
  if (!columns)
    return wh_source_refuse(s->connection, err,
                            "would write, or gives no rows. A source only reads: use a SELECT");
  WH_TRY(wh_odbc_describe_columns(s, stmt, arena, r, err));
  return check_names(s, r, err);
}

wh_status wh_odbc_relate_query(wh_odbc_session *s, wh_str query, wh_arena *arena,
                               wh_odbc_relation *ret, wh_error *err) {
  bool more;
  wh_odbc_relation r = {.query = one_statement(query, &more), .what = WH_STR("the query")};
  if (memchr(query.data, 0, query.len))
    return wh_source_refuse(s->connection, err, "has a NUL byte");
  if (!wh_utf8_valid(query)) return wh_source_refuse(s->connection, err, "is not UTF-8");
  if (!r.query.len) return wh_source_refuse(s->connection, err, "is empty");
  if (!begins_with(query, "SELECT") && !begins_with(query, "WITH"))
    return wh_source_refuse(s->connection, err,
                            "would write, or gives no rows. A source only reads: use a SELECT");
  if (more)
    return wh_source_refuse(s->connection, err, "has more than one statement. Keep one SELECT");
  r.query = wh_arena_str(arena, r.query);
  if (!r.query.data) return wh_fail_memory(err);
  WH_CLEAN_ODBC_STMT SQLHSTMT stmt = SQL_NULL_HSTMT;
  WH_TRY(wh_odbc_statement(s, &stmt, err));
  WH_TRY(describe(s, stmt, arena, &r, err));
  *ret = r;
  return WH_OK;
}
