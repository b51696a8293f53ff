// The words of an expression.
#pragma once

#include "base/str.h"

typedef enum wh_x_token_kind {
  WH_X_END,
  WH_X_NAME,   // a word: a column, a function or one of the language
  WH_X_QUOTED, // "a column"; without the quotes
  WH_X_NUMBER,
  WH_X_TEXT, // 'text', as written: with its quotes
  WH_X_SIGN, // an operator or a bracket
  WH_X_WRONG,
} wh_x_token_kind;

typedef struct wh_x_token {
  wh_x_token_kind kind;
  size_t at, end; // bytes
  wh_str text;
  const char *why; // WH_X_WRONG
} wh_x_token;

// The token at or behind `at`.
wh_x_token wh_x_lex(wh_str text, size_t at);
