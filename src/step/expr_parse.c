// Text -> tree. Each rule of the grammar is a function, from the lowest precedence to the highest:
//
//   or    := and { OR and }
//   and   := not { AND not }
//   not   := [NOT] test
//   test  := join [ comparison join | IS [NOT] NULL | IS [NOT] DISTINCT FROM join
//                 | [NOT] IN ( join, ... ) | [NOT] BETWEEN join AND join
//                 | [NOT] LIKE join | [NOT] MATCHES join ]
//   join  := sum { || sum }
//   sum   := product { (+ | -) product }
//   product := sign { (* | / | %) sign }
//   sign  := - sign | one
//   one   := ( or ) | literal | column | function ( or, ... ) | CASE ... END | CAST ( or AS type )
#include "data/number.h"
#include "data/value.h"

#include "step/expr_lex.h"
#include "step/expr_private.h"

typedef struct parser {
  wh_x_bind *bind;
  wh_x_token now; // the token in hand
  size_t behind;  // where the one before it ended
  int depth;
} parser;

typedef struct node_list { // while arguments are counted
  wh_x_node **items;
  size_t count, cap;
} node_list;

static wh_status parse_or(parser *p, wh_x_node **ret, wh_error *err);
static wh_status parse_join(parser *p, wh_x_node **ret, wh_error *err);

static void step(parser *p) {
  p->behind = p->now.end;
  p->now = wh_x_lex(p->bind->expr->text, p->now.end);
}

static bool is_word(const parser *p, const char *word) {
  return p->now.kind == WH_X_NAME && wh_str_eq_nocase(p->now.text, wh_str_of(word));
}

static bool is_sign(const parser *p, const char *sign) {
  return p->now.kind == WH_X_SIGN && wh_str_is(p->now.text, sign);
}

static bool take_word(parser *p, const char *word) {
  bool is = is_word(p, word);
  if (is) step(p);
  return is;
}

static bool take_sign(parser *p, const char *sign) {
  bool is = is_sign(p, sign);
  if (is) step(p);
  return is;
}

static wh_status expected(parser *p, const char *what, wh_error *err) {
  const wh_x_token *t = &p->now;
  if (t->kind == WH_X_WRONG) return wh_x_fail_at(p->bind, t->at, err, "%s", t->why);
  if (t->kind == WH_X_END)
    return wh_x_fail_at(p->bind, t->at, err, "expected %s, found the end", what);
  wh_str shown = wh_str_sub(t->text, 0, wh_utf8_cut(t->text, WH_SHOWN_MAX));
  return wh_x_fail_at(p->bind, t->at, err, "expected %s, found %.*s", what, WH_STR_ARG(shown));
}

static wh_status want_sign(parser *p, const char *sign, const char *what, wh_error *err) {
  return take_sign(p, sign) ? WH_OK : expected(p, what, err);
}

static wh_status want_word(parser *p, const char *word, const char *what, wh_error *err) {
  return take_word(p, word) ? WH_OK : expected(p, what, err);
}

static wh_status check_depth(parser *p, int depth, wh_error *err) {
  if (depth <= WH_EXPR_DEPTH_MAX) return WH_OK;
  return wh_x_fail_at(p->bind, p->now.at, err, "more than %d levels stand inside one another",
                      WH_EXPR_DEPTH_MAX);
}

static wh_status deeper(parser *p, wh_error *err) {
  return check_depth(p, ++p->depth, err);
}

static wh_status add(parser *p, node_list *list, wh_x_node *node, wh_error *err) {
  if (list->count == list->cap) {
    enum { CAP_FIRST = 4 };
    size_t cap = list->cap ? list->cap * 2 : CAP_FIRST;
    wh_x_node **items = WH_NEW_ARRAY(p->bind->expr->arena, cap, wh_x_node *);
    if (!items) return wh_fail_memory(err);
    if (list->count) memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->cap = cap;
  }
  list->items[list->count++] = node;
  return WH_OK;
}

static wh_status from_list(parser *p, const wh_x_function *fn, size_t at, const node_list *list,
                           wh_x_node **ret, wh_error *err) {
  wh_x_node *node;
  WH_TRY(wh_x_new(p->bind, fn, at, p->behind, list->count, &node, err));
  for (size_t i = 0; i < list->count; i++) {
    node->args[i] = list->items[i];
    if (node->depth <= node->args[i]->depth) node->depth = node->args[i]->depth + 1;
  }
  *ret = node;
  return check_depth(p, node->depth, err); // chains lean to the left
}

static wh_status make(parser *p, const wh_x_function *fn, size_t at, wh_x_node *a, wh_x_node *b,
                      wh_x_node **ret, wh_error *err) {
  return from_list(p, fn, at, &(node_list){(wh_x_node *[]){a, b}, b ? 2 : 1, 2}, ret, err);
}

// --- literals ------------------------------------------------------------------------------------

// 'it''s' -> it's
static wh_status unquote(parser *p, wh_str quoted, wh_str *ret, wh_error *err) {
  char *text = wh_arena_alloc(p->bind->expr->arena, quoted.len);
  if (!text) return wh_fail_memory(err);
  size_t n = 0;
  for (size_t i = 1; i + 1 < quoted.len; i++) {
    text[n++] = quoted.data[i];
    if (quoted.data[i] == quoted.data[0]) i++;
  }
  *ret = wh_str_n(text, n);
  return WH_OK;
}

static wh_status decimal_value(parser *p, const wh_x_token *t, wh_value *ret, wh_error *err) {
  size_t point = wh_str_find(t->text, 0, '.');
  size_t places = point < t->text.len ? t->text.len - point - 1 : 0;
  wh_number number;
  __int128 value;
  if (places > WH_DECIMAL_DIGITS_MAX || !wh_number_parse(t->text, &number) ||
      wh_number_to_decimal(&number, WH_DECIMAL_DIGITS_MAX, (int)places, &value) != WH_FIT_OK)
    return wh_x_fail_at(p->bind, t->at, err, "this number has more than %d digits",
                        WH_DECIMAL_DIGITS_MAX);
  int digits = 1;
  while (digits < WH_DECIMAL_DIGITS_MAX && value >= wh_pow10(digits))
    digits++;
  if (digits < (int)places) digits = (int)places;
  *ret = (wh_value){
      .type = {.kind = WH_DECIMAL, .precision = (uint8_t)digits, .scale = (uint8_t)places},
      .as.d = value};
  return WH_OK;
}

static wh_status parse_number(parser *p, wh_x_node **ret, wh_error *err) {
  wh_x_token t = p->now;
  wh_value value = {.type = wh_type_of(WH_INT64)};
  bool has_exponent = memchr(t.text.data, 'e', t.text.len) || memchr(t.text.data, 'E', t.text.len);
  if (has_exponent) {
    value.type = wh_type_of(WH_FLOAT64);
    if (!wh_f64_parse(t.text, &value.as.f))
      return wh_x_fail_at(p->bind, t.at, err, "this number is too large for a float");
  } else if (!wh_str_to_i64(t.text, &value.as.i)) {
    WH_TRY(decimal_value(p, &t, &value, err));
  }
  step(p);
  return wh_x_constant(p->bind, t.at, t.end, &value, ret, err);
}

static wh_status parse_text(parser *p, wh_x_node **ret, wh_error *err) {
  wh_x_token t = p->now;
  wh_value value = {.type = wh_type_of(WH_STRING)};
  WH_TRY(unquote(p, t.text, &value.as.s, err));
  step(p);
  WH_TRY(wh_x_constant(p->bind, t.at, t.end, &value, ret, err));
  (*ret)->is_text = true;
  return WH_OK;
}

static wh_status to_type(parser *p, wh_x_node *arg, size_t at, const wh_type *type, wh_x_node **ret,
                         wh_error *err) {
  wh_type *to = WH_NEW(p->bind->expr->arena, wh_type);
  if (!to) return wh_fail_memory(err);
  *to = *type;
  WH_TRY(make(p, &wh_x_cast, at, arg, NULL, ret, err));
  (*ret)->data = to;
  return WH_OK;
}

// date '2026-01-31', timestamp '2026-01-31T08:00:00Z'; the word has been taken.
static wh_status parse_time(parser *p, size_t at, bool is_date, wh_x_node **ret, wh_error *err) {
  wh_x_node *text;
  WH_TRY(parse_text(p, &text, err));
  wh_type type = wh_type_of(is_date ? WH_DATE : WH_TIMESTAMP);
  wh_iso iso = {0};
  if (!is_date && wh_iso_parse(wh_column_text(&text->result, 0), &iso)) type.zoned = iso.has_zone;
  return to_type(p, text, at, &type, ret, err);
}

// --- one -----------------------------------------------------------------------------------------

static bool is_reserved(const parser *p) {
  static const char *const words[] = {"and",  "or",   "not",  "is",  "in",   "between", "like",
                                      "case", "when", "then", "end", "else", "matches"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (is_word(p, words[i])) return true;
  return false;
}

// CASE has been taken.
static wh_status parse_case(parser *p, size_t at, wh_x_node **ret, wh_error *err) {
  node_list list = {0};
  wh_x_node *node;
  if (!is_word(p, "when")) return expected(p, "when", err);
  while (take_word(p, "when")) {
    WH_TRY(parse_or(p, &node, err));
    WH_TRY(add(p, &list, node, err));
    WH_TRY(want_word(p, "then", "then", err));
    WH_TRY(parse_or(p, &node, err));
    WH_TRY(add(p, &list, node, err));
  }
  if (take_word(p, "else")) {
    WH_TRY(parse_or(p, &node, err));
    WH_TRY(add(p, &list, node, err));
  }
  WH_TRY(want_word(p, "end", "when, else or end", err));
  return from_list(p, &wh_x_case, at, &list, ret, err);
}

// "cast (" has been taken. The type is read as it is written elsewhere, up to the bracket.
static wh_status parse_cast(parser *p, size_t at, wh_x_node **ret, wh_error *err) {
  wh_x_node *arg;
  WH_TRY(parse_or(p, &arg, err));
  if (!is_word(p, "as")) return expected(p, "as and a type", err);
  wh_str text = p->bind->expr->text;
  size_t from = p->now.end, end = from;
  for (int depth = 0; end < text.len && (depth || text.data[end] != ')'); end++)
    depth += (text.data[end] == '(') - (text.data[end] == ')');
  wh_str name = wh_str_trim(wh_str_sub(text, from, end));
  size_t name_at = name.len ? (size_t)(name.data - text.data) : p->now.end;
  wh_type type;
  wh_error why = {0};
  wh_status status = wh_type_parse(name, p->bind->expr->arena, &type, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) return wh_x_fail_at(p->bind, name_at, err, "%s", why.text);
  p->now = wh_x_lex(text, end);
  WH_TRY(want_sign(p, ")", "')' behind the type", err));
  return to_type(p, arg, at, &type, ret, err);
}

// A short form of CASE: if(condition, a, b) and nullif(a, b).
static wh_status short_case(parser *p, size_t at, bool is_if, const node_list *list,
                            wh_x_node **ret, wh_error *err) {
  size_t want = is_if ? 3 : 2;
  if (list->count != want)
    return wh_x_fail_at(p->bind, at, err, "%s takes %zu arguments, found %zu",
                        is_if ? "if" : "nullif", want, list->count);
  if (is_if) return from_list(p, &wh_x_case, at, list, ret, err);
  wh_x_node *args[3];
  wh_value null = {.is_null = true};
  WH_TRY(make(p, &wh_x_eq, at, list->items[0], list->items[1], &args[0], err));
  WH_TRY(wh_x_constant(p->bind, at, p->behind, &null, &args[1], err));
  args[2] = list->items[0];
  return from_list(p, &wh_x_case, at, &(node_list){args, 3, 3}, ret, err);
}

// "name (" has been taken.
static wh_status parse_call(parser *p, const wh_x_token *name, wh_x_node **ret, wh_error *err) {
  if (wh_str_eq_nocase(name->text, WH_STR("cast"))) return parse_cast(p, name->at, ret, err);
  const wh_x_function *fn = wh_x_function_by_name(name->text);
  if (!fn) return wh_x_fail_function(p->bind, name->text, name->at, err);
  node_list list = {0};
  while (!is_sign(p, ")")) {
    wh_x_node *arg;
    if (list.count) WH_TRY(want_sign(p, ",", "',' or ')'", err));
    WH_TRY(parse_or(p, &arg, err));
    WH_TRY(add(p, &list, arg, err));
  }
  step(p);
  bool is_if = strcmp(fn->help.name, "if") == 0;
  if (is_if || strcmp(fn->help.name, "nullif") == 0)
    return short_case(p, name->at, is_if, &list, ret, err);
  if (list.count < fn->least || list.count > fn->most)
    return wh_x_fail_at(p->bind, name->at, err, "it is written %s", fn->help.written);
  return from_list(p, fn, name->at, &list, ret, err);
}

static wh_status new_column(parser *p, const wh_x_token *t, wh_str name, wh_x_node **ret,
                            wh_error *err) {
  WH_TRY(wh_x_new(p->bind, NULL, t->at, t->end, 0, ret, err));
  (*ret)->name = name;
  return WH_OK;
}

// What begins with a word.
static wh_status parse_name(parser *p, wh_x_node **ret, wh_error *err) {
  if (is_reserved(p) && !is_word(p, "case")) return expected(p, "a value", err);
  wh_x_token name = p->now;
  bool is_case = is_word(p, "case"), is_null = is_word(p, "null"), is_true = is_word(p, "true");
  bool is_bool = is_true || is_word(p, "false");
  bool is_date = is_word(p, "date"), is_time = is_date || is_word(p, "timestamp");
  step(p);
  if (is_case) return parse_case(p, name.at, ret, err);
  wh_value value = {.is_null = is_null, .type = wh_type_of(is_null ? WH_NULL : WH_BOOL)};
  value.as.b = is_true;
  if (is_null || is_bool) return wh_x_constant(p->bind, name.at, name.end, &value, ret, err);
  if (is_time && p->now.kind == WH_X_TEXT) return parse_time(p, name.at, is_date, ret, err);
  if (take_sign(p, "(")) return parse_call(p, &name, ret, err);
  return new_column(p, &name, name.text, ret, err);
}

static wh_status parse_one(parser *p, wh_x_node **ret, wh_error *err) {
  wh_x_token t = p->now;
  switch (t.kind) {
  case WH_X_NUMBER:
    return parse_number(p, ret, err);
  case WH_X_TEXT:
    return parse_text(p, ret, err);
  case WH_X_NAME:
    return parse_name(p, ret, err);
  case WH_X_QUOTED: {
    wh_str name;
    WH_TRY(unquote(p, t.text, &name, err));
    step(p);
    return new_column(p, &t, name, ret, err);
  }
  default:
    if (!take_sign(p, "(")) return expected(p, "a value", err);
    WH_TRY(parse_or(p, ret, err));
    return want_sign(p, ")", "')'", err);
  }
}

// --- operators -----------------------------------------------------------------------------------

static wh_status parse_sign(parser *p, wh_x_node **ret, wh_error *err) {
  size_t at = p->now.at;
  if (!take_sign(p, "-")) return parse_one(p, ret, err);
  wh_x_node *arg;
  WH_TRY(deeper(p, err));
  WH_TRY(parse_sign(p, &arg, err));
  p->depth--;
  return make(p, &wh_x_negate, at, arg, NULL, ret, err);
}

typedef struct sign_of {
  const char *sign;
  const wh_x_function *fn;
} sign_of;

static const sign_of products[] = {
    {"*", &wh_x_multiply}, {"/", &wh_x_divide}, {"%", &wh_x_modulo}, {0}};
static const sign_of sums[] = {{"+", &wh_x_add}, {"-", &wh_x_subtract}, {0}};
static const sign_of joins[] = {{"||", &wh_x_join}, {0}};
static const sign_of comparisons[] = {
    {"=", &wh_x_eq},  {"!=", &wh_x_ne}, {"<>", &wh_x_ne}, {"<", &wh_x_lt},
    {"<=", &wh_x_le}, {">", &wh_x_gt},  {">=", &wh_x_ge}, {0}};

static const sign_of *take_operator(parser *p, const sign_of *table) {
  for (; table->sign; table++)
    if (take_sign(p, table->sign)) return table;
  return NULL;
}

// Of one precedence, from left to right.
static wh_status parse_chain(parser *p, const sign_of *table,
                             wh_status (*next)(parser *, wh_x_node **, wh_error *), wh_x_node **ret,
                             wh_error *err) {
  size_t at = p->now.at;
  wh_x_node *left, *right;
  WH_TRY(next(p, &left, err));
  for (const sign_of *found; (found = take_operator(p, table));) {
    WH_TRY(next(p, &right, err));
    WH_TRY(make(p, found->fn, at, left, right, &left, err));
  }
  *ret = left;
  return WH_OK;
}

static wh_status parse_product(parser *p, wh_x_node **ret, wh_error *err) {
  return parse_chain(p, products, parse_sign, ret, err);
}

static wh_status parse_sum(parser *p, wh_x_node **ret, wh_error *err) {
  return parse_chain(p, sums, parse_product, ret, err);
}

static wh_status parse_join(parser *p, wh_x_node **ret, wh_error *err) {
  return parse_chain(p, joins, parse_sum, ret, err);
}

// x in (a, b): x = a or x = b. "in" has been taken.
static wh_status parse_in(parser *p, size_t at, wh_x_node *left, wh_x_node **ret, wh_error *err) {
  node_list list = {0};
  WH_TRY(want_sign(p, "(", "'(' behind in", err));
  do {
    wh_x_node *item, *equal;
    WH_TRY(parse_join(p, &item, err));
    WH_TRY(make(p, &wh_x_eq, at, left, item, &equal, err));
    WH_TRY(add(p, &list, equal, err));
  } while (take_sign(p, ","));
  WH_TRY(want_sign(p, ")", "',' or ')'", err));
  return from_list(p, &wh_x_or, at, &list, ret, err);
}

// x between a and b: x >= a and x <= b. "between" has been taken.
static wh_status parse_between(parser *p, size_t at, wh_x_node *left, wh_x_node **ret,
                               wh_error *err) {
  wh_x_node *least, *most;
  WH_TRY(parse_join(p, &least, err));
  WH_TRY(make(p, &wh_x_ge, at, left, least, &least, err));
  WH_TRY(want_word(p, "and", "and", err));
  WH_TRY(parse_join(p, &most, err));
  WH_TRY(make(p, &wh_x_le, at, left, most, &most, err));
  return make(p, &wh_x_and, at, least, most, ret, err);
}

static wh_status negate(parser *p, size_t at, bool negated, wh_x_node **node, wh_error *err) {
  return negated ? make(p, &wh_x_not, at, *node, NULL, node, err) : WH_OK;
}

// "is" has been taken.
static wh_status parse_is(parser *p, size_t at, wh_x_node *left, wh_x_node **ret, wh_error *err) {
  bool negated = take_word(p, "not");
  if (take_word(p, "null")) {
    WH_TRY(make(p, &wh_x_is_null_fn, at, left, NULL, ret, err));
    return negate(p, at, negated, ret, err);
  }
  if (!take_word(p, "distinct")) return expected(p, "null or distinct from", err);
  wh_x_node *right;
  WH_TRY(want_word(p, "from", "from", err));
  WH_TRY(parse_join(p, &right, err));
  WH_TRY(make(p, &wh_x_distinct, at, left, right, ret, err));
  return negate(p, at, negated, ret, err);
}

static wh_status parse_test(parser *p, wh_x_node **ret, wh_error *err) {
  size_t at = p->now.at;
  wh_x_node *left, *right;
  WH_TRY(parse_join(p, &left, err));
  if (take_word(p, "is")) return parse_is(p, at, left, ret, err);
  const sign_of *found = take_operator(p, comparisons);
  if (found) {
    WH_TRY(parse_join(p, &right, err));
    WH_TRY(make(p, found->fn, at, left, right, ret, err));
    size_t again = p->now.at;
    if (!take_operator(p, comparisons)) return WH_OK;
    return wh_x_fail_at(p->bind, again, err, "comparisons do not chain; write a < b and b < c");
  }
  bool negated = take_word(p, "not");
  bool like = is_word(p, "like");
  if (take_word(p, "in"))
    WH_TRY(parse_in(p, at, left, &left, err));
  else if (take_word(p, "between"))
    WH_TRY(parse_between(p, at, left, &left, err));
  else if (take_word(p, "like") || take_word(p, "matches")) {
    WH_TRY(parse_join(p, &right, err));
    WH_TRY(make(p, like ? &wh_x_like : &wh_x_matches, at, left, right, &left, err));
  } else if (negated)
    return expected(p, "in, between, like or matches", err);
  WH_TRY(negate(p, at, negated, &left, err));
  *ret = left;
  return WH_OK;
}

static wh_status parse_not(parser *p, wh_x_node **ret, wh_error *err) {
  size_t at = p->now.at;
  if (!take_word(p, "not")) return parse_test(p, ret, err);
  wh_x_node *arg;
  WH_TRY(deeper(p, err));
  WH_TRY(parse_not(p, &arg, err));
  p->depth--;
  return make(p, &wh_x_not, at, arg, NULL, ret, err);
}

// a and b and c as one.
static wh_status parse_logic(parser *p, const char *word, const wh_x_function *fn,
                             wh_status (*next)(parser *, wh_x_node **, wh_error *), wh_x_node **ret,
                             wh_error *err) {
  size_t at = p->now.at;
  node_list list = {0};
  wh_x_node *node;
  do {
    WH_TRY(next(p, &node, err));
    WH_TRY(add(p, &list, node, err));
  } while (take_word(p, word));
  *ret = node;
  return list.count == 1 ? WH_OK : from_list(p, fn, at, &list, ret, err);
}

static wh_status parse_and(parser *p, wh_x_node **ret, wh_error *err) {
  return parse_logic(p, "and", &wh_x_and, parse_not, ret, err);
}

static wh_status parse_or(parser *p, wh_x_node **ret, wh_error *err) {
  WH_TRY(deeper(p, err));
  WH_TRY(parse_logic(p, "or", &wh_x_or, parse_and, ret, err));
  p->depth--;
  return WH_OK;
}

wh_status wh_x_parse(wh_x_bind *bind, wh_x_node **ret, wh_error *err) {
  parser p = {.bind = bind, .now = wh_x_lex(bind->expr->text, 0)};
  wh_x_node *root;
  WH_TRY(parse_or(&p, &root, err));
  if (p.now.kind != WH_X_END) return expected(&p, "an operator or the end", err);
  *ret = root;
  return WH_OK;
}
