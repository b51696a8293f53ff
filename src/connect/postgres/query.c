// Queries of the user's: one SELECT, which we wrap.
#include "connect/postgres/relate.h"

// --- as much of PostgreSQL's lexical rules as finding the end takes
// -------------------------------

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (c & 0x80);
}

static char at(wh_str s, size_t i) {
  return i < s.len ? s.data[i] : 0;
}

// Behind a comment; `i` itself where there is none. Block comments nest.
static size_t skip_comment(wh_str s, size_t i) {
  if (at(s, i) == '-' && at(s, i + 1) == '-') {
    while (i < s.len && s.data[i] != '\n')
      i++;
    return i;
  }
  if (at(s, i) != '/' || at(s, i + 1) != '*') return i;
  int depth = 0;
  while (i < s.len) {
    if (at(s, i) == '/' && at(s, i + 1) == '*') {
      depth++;
      i += 2;
    } else if (at(s, i) == '*' && at(s, i + 1) == '/') {
      i += 2;
      if (--depth == 0) return i;
    } else {
      i++;
    }
  }
  return s.len;
}

// Behind a quoted text or name that begins at `i`; a doubled quote is found as two of them.
static size_t skip_quoted(wh_str s, size_t i, bool escapes) {
  char quote = s.data[i++];
  while (i < s.len && s.data[i] != quote)
    i += escapes && s.data[i] == '\\' ? 2 : 1;
  return i < s.len ? i + 1 : s.len;
}

// Behind $tag$...$tag$; behind the dollar where it is none.
static size_t skip_dollar(wh_str s, size_t i) {
  size_t end = i + 1;
  while (is_word(at(s, end)))
    end++;
  bool is_parameter = at(s, i + 1) >= '0' && at(s, i + 1) <= '9';
  if (at(s, end) != '$' || is_parameter || (i > 0 && is_word(s.data[i - 1]))) return i + 1;
  size_t len = end + 1 - i;
  for (size_t k = end + 1; k + len <= s.len; k++)
    if (memcmp(s.data + k, s.data + i, len) == 0) return k + len;
  return s.len;
}

// Where the first statement ends: at its semicolon, or at the end of the text.
static size_t end_of_statement(wh_str s) {
  size_t i = 0;
  while (i < s.len && s.data[i] != ';') {
    size_t behind = skip_comment(s, i);
    char c = s.data[i];
    if (behind > i)
      i = behind;
    else if (c == '\'')
      i = skip_quoted(s, i,
                      i > 0 && (s.data[i - 1] | 0x20) == 'e' && (i < 2 || !is_word(s.data[i - 2])));
    else if (c == '"')
      i = skip_quoted(s, i, false);
    else if (c == '$')
      i = skip_dollar(s, i);
    else
      i++;
  }
  return i;
}

static size_t skip_blank(wh_str s, size_t i) {
  for (;;) {
    size_t before = i;
    while (i < s.len && (s.data[i] == ' ' || s.data[i] == '\t' || s.data[i] == '\n' ||
                         s.data[i] == '\r' || s.data[i] == ';'))
      i++;
    i = skip_comment(s, i);
    if (i == before) return i;
  }
}

static wh_str first_word(wh_str s) {
  size_t from = skip_blank(s, 0), to;
  while (at(s, from) == '(')
    from = skip_blank(s, from + 1);
  for (to = from; is_word(at(s, to));)
    to++;
  return wh_str_sub(s, from, to);
}

static bool writes(wh_str word) {
  static const char *const words[] = {"insert", "update", "delete", "merge",   "truncate",
                                      "create", "alter",  "drop",   "grant",   "revoke",
                                      "copy",   "call",   "do",     "refresh", "vacuum",
                                      "lock",   "set",    "begin",  "commit",  "rollback"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (wh_str_eq_nocase(word, wh_str_of(words[i]))) return true;
  return false;
}

// --- what the server says of it
// --------------------------------------------------------------------

// The position counts characters from 1; `skip` of them are ours.
static wh_status does_not_run(wh_pg_session *s, wh_str text, const PGresult *result, int skip,
                              wh_error *err) {
  const char *says = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
  uint64_t number = 0;
  says = says ? says : "?";
  if (!position || !wh_str_to_u64(wh_str_of(position), &number) || number <= (uint64_t)skip)
    return wh_source_refuse(s->base.connection, err, "does not run: %s", says);
  int line = 1, column = 1;
  uint64_t left = number - (uint64_t)skip - 1;
  for (size_t i = 0; i < text.len && left > 0; i++) {
    bool ends_character = i + 1 >= text.len || ((unsigned char)text.data[i + 1] & 0xC0) != 0x80;
    if (!ends_character) continue;
    column = text.data[i] == '\n' ? 1 : column + 1;
    line += text.data[i] == '\n';
    left--;
  }
  return wh_source_refuse(s->base.connection, err, "does not run: %s, at line %d, column %d", says,
                          line, column);
}

static wh_status why_not(wh_pg_session *s, wh_str text, const PGresult *result, wh_error *err) {
  const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  code = code ? code : "";
  if (strcmp(code, "42601") == 0 && skip_blank(text, end_of_statement(text)) < text.len)
    return wh_source_refuse(s->base.connection, err,
                            "has more than one statement. Keep one SELECT");
  if (strncmp(code, "42", 2) == 0 && strcmp(code, "42501") != 0)
    return does_not_run(s, text, result, 0, err);
  if (strcmp(code, "0A000") == 0) return does_not_run(s, text, result, 0, err);
  return wh_pg_fail_result(s, result, "reading the query", err);
}

static wh_status check_columns(const wh_pg_session *s, const PGresult *result, wh_error *err) {
  if (PQnparams(result) > 0)
    return wh_source_refuse(s->base.connection, err, "has a parameter ('$1'), which nothing fills");
  int count = PQnfields(result);
  if (count == 0) return wh_source_refuse(s->base.connection, err, "gives no rows. Use a SELECT");
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < i; k++) {
      if (strcmp(PQfname(result, i), PQfname(result, k)) == 0)
        return wh_source_refuse(s->base.connection, err,
                                "has two columns named '%s'. Give one another name with AS",
                                PQfname(result, i));
    }
  }
  return WH_OK;
}

static wh_status take_columns(const PGresult *result, wh_arena *arena, wh_pg_relation *r,
                              wh_error *err) {
  r->count = (size_t)PQnfields(result);
  r->columns = WH_NEW_ARRAY(arena, r->count, wh_pg_column);
  if (!r->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++) {
    r->columns[i] = (wh_pg_column){
        .sql = {.name = wh_arena_str(arena, wh_str_of(PQfname(result, (int)i))), .nullable = true},
        .declared = {.oid = PQftype(result, (int)i), .modifier = PQfmod(result, (int)i)},
        .may_read = true,
        .seen = true,
    };
    if (!r->columns[i].sql.name.data) return wh_fail_memory(err);
  }
  return WH_OK;
}

// Whether it can stand where we put it: within a SELECT of ours.
static wh_status check_wrapped(wh_pg_session *s, const wh_pg_relation *r, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_PG_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT *");
  wh_pg_add_from(&sql, r);
  WH_TRY(wh_buf_check(&sql, err));
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(wh_pg_describe(s, "", wh_buf_str(&sql), &result, err));
  if (PQresultStatus(result) == PGRES_COMMAND_OK) return WH_OK;
  const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (code && strcmp(code, "42601") == 0)
    return wh_source_refuse(s->base.connection, err, "is not a SELECT that gives rows");
  return does_not_run(s, r->query, result, (int)strlen("SELECT * FROM ("), err);
}

static wh_status describe_text(wh_pg_session *s, wh_str text, wh_arena *arena, wh_pg_relation *r,
                               wh_error *err) {
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(wh_pg_describe(s, "", text, &result, err));
  if (PQresultStatus(result) != PGRES_COMMAND_OK) return why_not(s, text, result, err);
  WH_TRY(check_columns(s, result, err));
  WH_TRY(take_columns(result, arena, r, err));
  return check_wrapped(s, r, err);
}

wh_status wh_pg_query_relate(wh_pg_session *s, wh_str query, wh_arena *arena, wh_pg_relation *ret,
                             wh_error *err) {
  if (memchr(query.data, 0, query.len))
    return wh_source_refuse(s->base.connection, err, "has a NUL byte");
  wh_str word = first_word(query);
  if (word.len == 0) return wh_source_refuse(s->base.connection, err, "is empty");
  if (writes(word))
    return wh_source_refuse(s->base.connection, err,
                            "would write, or is no query. A source only reads: use a SELECT");
  wh_str statement = wh_str_sub(query, 0, end_of_statement(query));
  wh_pg_relation r = {.query = wh_arena_str(arena, statement)};
  if (!r.query.data) return wh_fail_memory(err);
  WH_TRY(describe_text(s, query, arena, &r, err));
  WH_TRY(wh_pg_resolve_types(s, r.columns, r.count, arena, err));
  *ret = r;
  return WH_OK;
}
