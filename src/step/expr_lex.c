#include "step/expr_lex.h"

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

// Up to the end of what is quoted; a doubled quote is one of it. text.len: it does not end.
static size_t quoted_end(wh_str text, size_t at) {
  char quote = text.data[at];
  for (size_t i = at + 1; i < text.len; i++) {
    if (text.data[i] != quote) continue;
    if (i + 1 == text.len || text.data[i + 1] != quote) return i + 1;
    i++;
  }
  return 0;
}

// Digits, a point between them, an exponent.
static size_t number_end(wh_str text, size_t at) {
  while (at < text.len && is_digit(text.data[at]))
    at++;
  if (at + 1 < text.len && text.data[at] == '.' && is_digit(text.data[at + 1])) {
    at++;
    while (at < text.len && is_digit(text.data[at]))
      at++;
  }
  if (at >= text.len || (text.data[at] | 0x20) != 'e') return at;
  size_t digits = at + 1;
  if (digits < text.len && (text.data[digits] == '+' || text.data[digits] == '-')) digits++;
  if (digits >= text.len || !is_digit(text.data[digits])) return at;
  while (digits < text.len && is_digit(text.data[digits]))
    digits++;
  return digits;
}

// Names of nested columns have points in them: address.city.
static size_t name_end(wh_str text, size_t at) {
  while (at < text.len) {
    char c = text.data[at];
    bool point = c == '.' && at + 1 < text.len && begins_name(text.data[at + 1]);
    if (!begins_name(c) && !is_digit(c) && !point) break;
    at++;
  }
  return at;
}

static size_t sign_length(wh_str text, size_t at) {
  static const char *const pairs[] = {"<=", ">=", "<>", "!=", "||"};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (at + 1 < text.len && memcmp(text.data + at, pairs[i], 2) == 0) return 2;
  return text.data[at] && strchr("=<>+-*/%(),", text.data[at]) ? 1 : 0;
}

static wh_x_token wrong(size_t at, size_t end, const char *why) {
  return (wh_x_token){.kind = WH_X_WRONG, .at = at, .end = end, .why = why};
}

wh_x_token wh_x_lex(wh_str text, size_t at) {
  while (at < text.len && is_space(text.data[at]))
    at++;
  wh_x_token token = {.kind = WH_X_END, .at = at, .end = at};
  if (at == text.len) return token;
  char c = text.data[at];
  if (c == '\'' || c == '"') {
    token.kind = c == '"' ? WH_X_QUOTED : WH_X_TEXT;
    token.end = quoted_end(text, at);
    if (!token.end) return wrong(at, text.len, "this quote has no end");
  } else if (is_digit(c)) {
    token.kind = WH_X_NUMBER;
    token.end = number_end(text, at);
    if (token.end < text.len && begins_name(text.data[token.end]))
      return wrong(at, token.end, "this number has letters behind it");
  } else if (begins_name(c)) {
    token.kind = WH_X_NAME;
    token.end = name_end(text, at);
  } else {
    token.kind = WH_X_SIGN;
    token.end = at + sign_length(text, at);
    if (token.end == at)
      return wrong(at, at + 1, c == '!' ? "'!' is no operator; write not" : "this is no operator");
  }
  token.text = wh_str_sub(text, at, token.end);
  return token;
}
