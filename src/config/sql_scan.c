// Lexical structure as PostgreSQL's parser has it, which DuckDB uses: comments nest, E'...' has
// escapes, $tag$...$tag$ has none (PostgreSQL, "SQL Syntax: Lexical Structure").
#include "config/sql_scan.h"

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool goes_on(char c) {
  return starts_name(c) || (c >= '0' && c <= '9') || c == '$';
}

static char char_at(wh_str s, size_t at) {
  return at < s.len ? s.data[at] : 0;
}

static bool is_at(wh_str s, size_t at, const char *what) {
  size_t len = strlen(what);
  return at <= s.len && len <= s.len - at && memcmp(s.data + at, what, len) == 0;
}

static size_t skip_block_comment(wh_str s, size_t at) {
  size_t depth = 0;
  while (at < s.len) {
    bool opens = is_at(s, at, "/*"), closes = is_at(s, at, "*/");
    at += opens || closes ? 2 : 1;
    if (opens) depth++;
    if (closes && --depth == 0) break;
  }
  return at;
}

static size_t skip_space(wh_str s, size_t at) {
  for (;;) {
    if (at < s.len && is_space(s.data[at]))
      at++;
    else if (is_at(s, at, "--"))
      at = wh_str_find(s, at, '\n');
    else if (is_at(s, at, "/*"))
      at = skip_block_comment(s, at);
    else
      return at;
  }
}

// Behind the closing quote; a doubled one does not close.
static size_t skip_quoted(wh_str s, size_t at, bool escapes) {
  char quote = s.data[at++];
  while (at < s.len) {
    char c = s.data[at++];
    if (escapes && c == '\\' && at < s.len)
      at++;
    else if (c == quote && char_at(s, at) == quote)
      at++;
    else if (c == quote)
      break;
  }
  return at;
}

static size_t skip_dollar(wh_str s, size_t at) {
  size_t end = at + 1;
  while (end < s.len && s.data[end] != '$' && goes_on(s.data[end]))
    end++;
  if (char_at(s, end) != '$') return at + 1; // $1
  wh_str tag = wh_str_sub(s, at, end + 1);
  for (at = end + 1; at < s.len; at++)
    if (s.len - at >= tag.len && memcmp(s.data + at, tag.data, tag.len) == 0) return at + tag.len;
  return s.len;
}

static size_t skip_name(wh_str s, size_t at) {
  if (s.data[at] == '"') return skip_quoted(s, at, false);
  while (at < s.len && goes_on(s.data[at]))
    at++;
  return at;
}

static bool is_escaped_text(wh_str s, size_t at) {
  return (s.data[at] == 'e' || s.data[at] == 'E') && char_at(s, at + 1) == '\'';
}

// Whatever is no name; what begins like a number ends before the next name.
static size_t skip_other(wh_str s, size_t at) {
  char c = s.data[at];
  if (c == '\'') return skip_quoted(s, at, false);
  if (c == '$') return skip_dollar(s, at);
  if (c < '0' || c > '9') return at + 1;
  while (at < s.len && goes_on(s.data[at]))
    at++;
  return at;
}

// What stands behind a name that ends at `end`.
static bool look_behind(wh_str s, size_t end, wh_sql_call *ret) {
  size_t at = skip_space(s, end);
  ret->qualified = char_at(s, at) == '.';
  if (char_at(s, at) != '(') return ret->qualified;
  at = skip_space(s, at + 1);
  if (char_at(s, at) != '\'') return true;
  size_t text_end = skip_quoted(s, at, false);
  char next = char_at(s, skip_space(s, text_end));
  ret->has_text = next == ')' && text_end - at >= 2;
  ret->text = wh_str_sub(s, at, text_end);
  return true;
}

bool wh_sql_next_call(wh_sql_scan *scan, wh_sql_call *ret) {
  wh_str s = scan->sql;
  while ((scan->at = skip_space(s, scan->at)) < s.len) {
    size_t at = scan->at;
    if (is_escaped_text(s, at)) {
      scan->at = skip_quoted(s, at + 1, true);
      scan->from = false;
      continue;
    }
    if (!starts_name(s.data[at]) && s.data[at] != '"') {
      scan->at = skip_other(s, at);
      scan->from = false;
      continue;
    }
    scan->at = skip_name(s, at);
    *ret = (wh_sql_call){.at = at, .name = wh_str_sub(s, at, scan->at), .from = scan->from};
    scan->from =
        wh_str_eq_nocase(ret->name, WH_STR("from")) || wh_str_eq_nocase(ret->name, WH_STR("join"));
    if (look_behind(s, scan->at, ret)) return true;
  }
  return false;
}

wh_str wh_sql_unquote(wh_str quoted, wh_arena *arena) {
  if (quoted.len < 2 || (quoted.data[0] != '\'' && quoted.data[0] != '"')) return quoted;
  char quote = quoted.data[0];
  wh_str inner = wh_str_sub(quoted, 1, quoted.len - 1);
  char *out = wh_arena_alloc(arena, inner.len + 1);
  if (!out) return (wh_str){0};
  size_t len = 0;
  for (size_t i = 0; i < inner.len; i++) {
    out[len++] = inner.data[i];
    if (inner.data[i] == quote) i++;
  }
  return wh_str_n(out, len);
}

void wh_sql_place(wh_str sql, size_t at, uint32_t *ret_line, uint32_t *ret_column) {
  *ret_line = *ret_column = 1;
  for (size_t i = 0; i < at && i < sql.len; i++) {
    ++*ret_column;
    if (sql.data[i] == '\n') ++*ret_line, *ret_column = 1;
  }
}
