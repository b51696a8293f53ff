// What an existing table holds its rows to, for the stage of a replace: a row that breaks a rule is
// found when it comes, with its place, and not when the table is made equal to the stage.
//
// Rules that only the table itself can judge stay its own: partial and computed indices, CHECKs
// over columns that do not arrive, foreign keys.
#include "connect/sqlite/sink.h"

// --- CHECK: SQLite tells them nowhere but in the table's own text
// ----------------------------------

static size_t skip_to(wh_str sql, size_t at, const char *end) {
  size_t len = strlen(end);
  for (; at + len <= sql.len; at++)
    if (memcmp(sql.data + at, end, len) == 0) return at + len;
  return sql.len;
}

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (unsigned char)c >= 0x80;
}

// Behind the token that begins at `at`: a quoted name or text, a comment, a word, or one character.
// (A doubled quote inside of quotes is two tokens here, which comes to the same.)
static size_t next_token(wh_str sql, size_t at) {
  static const char *const quotes[][2] = {{"'", "'"}, {"\"", "\""}, {"`", "`"},
                                          {"[", "]"}, {"--", "\n"}, {"/*", "*/"}};
  wh_str rest = wh_str_sub(sql, at, sql.len);
  for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++)
    if (wh_str_starts(rest, quotes[i][0]))
      return skip_to(sql, at + strlen(quotes[i][0]), quotes[i][1]);
  if (!is_word(sql.data[at])) return at + 1;
  while (at < sql.len && is_word(sql.data[at]))
    at++;
  return at;
}

// The expression in parentheses that begins at or behind `at`; empty: there is none.
static wh_str take_parentheses(wh_str sql, size_t at) {
  size_t depth = 0, begin = at;
  while (at < sql.len) {
    char c = sql.data[at];
    size_t end = next_token(sql, at);
    if (depth == 0 && c != '(' && !strchr(" \t\r\n", c)) break; // no rule after all
    if (c == '(' && depth++ == 0) begin = at;
    if (c == ')' && --depth == 0) return wh_str_sub(sql, begin, end);
    at = end;
  }
  return (wh_str){0};
}

// Whether the columns that arrive are enough to judge it.
static wh_status can_judge(wh_sqlite_db *db, const wh_sqlite_target *t, wh_str rule, bool *ret,
                           wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, db->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT 1 FROM (SELECT ");
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(&sql, i ? ", NULL AS " : "NULL AS ");
    wh_sqlite_add_name(&sql, t->names[i]);
  }
  wh_buf_add_c(&sql, ") WHERE ");
  wh_buf_add_str(&sql, rule);
  WH_TRY(wh_buf_check(&sql, err));
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  // "status" of a column that does not arrive is no text (quirks.html, section 8).
  int lenient = 0;
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, -1, &lenient);
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  int rc = sqlite3_prepare_v2(db->handle, sql.data, (int)sql.len, &stmt, NULL);
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, lenient, NULL);
  if (rc == SQLITE_NOMEM) return wh_fail_memory(err);
  *ret = rc == SQLITE_OK;
  return WH_OK;
}

static wh_status add_checks(wh_sqlite_db *db, const wh_sqlite_target *t, wh_str sql, wh_buf *rules,
                            wh_error *err) {
  for (size_t at = 0; at < sql.len;) {
    size_t end = next_token(sql, at);
    wh_str word = wh_str_sub(sql, at, end);
    at = end;
    if (!wh_str_eq_nocase(word, WH_STR("CHECK"))) continue;
    wh_str rule = take_parentheses(sql, at);
    bool fine = false;
    if (rule.len) WH_TRY(can_judge(db, t, rule, &fine, err));
    if (!fine) continue;
    wh_buf_add_c(rules, ",\n  CHECK ");
    wh_buf_add_str(rules, rule);
  }
  return WH_OK;
}

static wh_status read_checks(wh_sqlite_db *db, const wh_sqlite_target *t, wh_buf *rules,
                             wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      db, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE", &stmt,
      err));
  wh_sqlite_bind_str(stmt, 1, t->spec.table);
  bool row;
  WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  return row ? add_checks(db, t, wh_sqlite_text(stmt, 0), rules, err) : WH_OK;
}

// --- UNIQUE
// ----------------------------------------------------------------------------------------

static ptrdiff_t find_name(const wh_sqlite_target *t, wh_str name) {
  for (size_t i = 0; i < t->schema.count; i++)
    if (wh_str_eq_nocase(t->names[i], name)) return (ptrdiff_t)i;
  return -1;
}

// An index over columns that all arrive, and that are not the key: the stage has that already.
static wh_status add_index(wh_sqlite_db *db, wh_sqlite_target *t, wh_str index, wh_buf *rules,
                           wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db, "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key = 1",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, index);
  size_t before = rules->len, columns = 0, of_key = 0;
  wh_buf_add_c(rules, ",\n  UNIQUE (\"_wherry_stage\"");
  bool fine = true;
  for (;; columns++) {
    bool row;
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
    if (!row) break;
    ptrdiff_t at = find_name(t, wh_sqlite_text(stmt, 0)); // an expression has no name
    fine = fine && at >= 0;
    if (!fine) continue;
    of_key += wh_sqlite_is_key(t, (size_t)at);
    wh_buf_add_c(rules, ", ");
    wh_sqlite_add_name(rules, t->names[at]);
    wh_buf_add_c(rules, " COLLATE ");
    wh_sqlite_add_name(rules, wh_sqlite_text(stmt, 1));
  }
  wh_buf_add_char(rules, ')');
  bool is_key = columns == t->spec.key_count && of_key == columns;
  if (is_key || !fine)
    rules->len = before;
  else
    t->has_unique = true;
  return wh_buf_check(rules, err);
}

static wh_status read_indices(wh_sqlite_db *db, wh_sqlite_target *t, wh_buf *rules, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      db, "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND partial = 0", &stmt,
      err));
  wh_sqlite_bind_str(stmt, 1, t->spec.table);
  for (;;) {
    bool row;
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
    if (!row) return WH_OK;
    WH_TRY(add_index(db, t, wh_sqlite_text(stmt, 0), rules, err));
  }
}

// An INTEGER PRIMARY KEY is the rowid and has no index.
static void add_rowid(wh_sqlite_target *t, const wh_sqlite_relation *r, wh_buf *rules) {
  const wh_sqlite_column *key = NULL;
  size_t count = 0;
  for (size_t i = 0; i < r->count; i++) {
    if (!r->columns[i].key_position) continue;
    key = &r->columns[i];
    count++;
  }
  if (!r->has_rowid || count != 1 || !wh_str_eq_nocase(key->declared, WH_STR("INTEGER"))) return;
  ptrdiff_t at = find_name(t, key->name);
  if (at < 0 || (t->spec.key_count == 1 && t->key[0] == (size_t)at)) return;
  wh_buf_add_c(rules, ",\n  UNIQUE (\"_wherry_stage\", ");
  wh_sqlite_add_name(rules, t->names[at]);
  wh_buf_add_char(rules, ')');
  t->has_unique = true;
}

// --- all of them
// -----------------------------------------------------------------------------------

wh_status wh_sqlite_read_rules(wh_sqlite_db *db, wh_sqlite_target *t, const wh_sqlite_relation *r,
                               wh_arena *arena, wh_error *err) {
  t->has_unique = false;
  t->required = WH_NEW_ARRAY(arena, t->schema.count, bool);
  if (!t->required) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++) {
    const wh_sqlite_column *c = &r->columns[i];
    // A rowid that is NULL fills itself.
    ptrdiff_t at = c->nullable || (r->has_rowid && c->key_position) ? -1 : find_name(t, c->name);
    if (at >= 0) t->required[at] = true;
  }
  WH_CLEAN_BUF wh_buf rules;
  wh_buf_init(&rules, arena->mem, WH_SQLITE_SQL_MAX);
  WH_TRY(read_checks(db, t, &rules, err));
  WH_TRY(read_indices(db, t, &rules, err));
  add_rowid(t, r, &rules);
  WH_TRY(wh_buf_check(&rules, err));
  t->rules = wh_arena_str(arena, wh_buf_str(&rules));
  return t->rules.data ? WH_OK : wh_fail_memory(err);
}
