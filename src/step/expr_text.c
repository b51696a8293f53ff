// Text. Characters are Unicode's, as in step/chars.h; positions and lengths count them from 1.
#include "step/chars.h"
#include "step/expr_private.h"
#include "step/form.h"
#include "step/pattern.h"

static wh_status want_texts(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(wh_x_want(bind, node, i, WH_STRING, "text", err));
  return WH_OK;
}

static bool any_null(const wh_x_value *v, size_t count, size_t row) {
  for (size_t i = 0; i < count; i++)
    if (wh_x_is_null(&v[i], row)) return true;
  return false;
}

static bool is_ascii(wh_str text) {
  unsigned char all = 0;
  for (size_t i = 0; i < text.len; i++)
    all |= (unsigned char)text.data[i];
  return all < 0x80;
}

// Of arguments that are bound: as strict text, by a loop of its own.
#define TEXT_FUNCTION(name, eval, kind)                                                            \
  static wh_status name(wh_x_bind *bind, wh_x_node *node, wh_error *err) {                         \
    WH_TRY(want_texts(bind, node, err));                                                           \
    return wh_x_strict(node, wh_type_of(kind), eval);                                              \
  }

// --- ||, concat ----------------------------------------------------------------------------------

// The pieces of a row, one behind the other, in the column itself.
static wh_status join_row(const wh_x_value *v, size_t count, size_t row, wh_column *out,
                          wh_error *err) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++)
    len += wh_x_text(&v[i], row).len; // of NULL: nothing
  WH_TRY(wh_column_grow(out, 1, len, err));
  size_t at = (size_t)out->offsets[out->length];
  for (size_t i = 0; i < count; i++) {
    wh_str piece = wh_x_text(&v[i], row);
    if (piece.len) memcpy(out->bytes + at, piece.data, piece.len);
    at += piece.len;
  }
  out->offsets[out->length + 1] = (int32_t)at;
  wh_column_added_(out);
  return WH_OK;
}

// `mode`: NULL is nothing, and not the end of it.
static wh_status eval_join(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value *v = WH_NEW_ARRAY(&run->expr->scratch, node->count, wh_x_value);
  if (!v) return wh_fail_memory(err);
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t row = 0; row < run->rows; row++) {
    if (!node->mode && any_null(v, node->count, row))
      WH_TRY(wh_column_add_null(out, err));
    else
      WH_TRY(join_row(v, node->count, row, out, err));
  }
  return WH_OK;
}

// a || b || c as one.
static wh_status bind_join(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  for (size_t i = 0; i < node->count; i++) {
    const wh_x_node *arg = node->args[i];
    if (arg->type.kind == WH_STRING || wh_x_unknown(arg)) continue;
    wh_str found = wh_type_friendly(&arg->type, bind->expr->arena);
    return wh_x_fail_at(bind, arg->at, err,
                        "||: expected text, found %.*s; write cast(... as text)",
                        WH_STR_ARG(found));
  }
  WH_TRY(want_texts(bind, node, err));
  wh_x_node *left = node->args[0];
  if (left->fn == &wh_x_join && !left->constant) {
    wh_x_node **args = WH_NEW_ARRAY(bind->expr->arena, left->count + 1, wh_x_node *);
    if (!args) return wh_fail_memory(err);
    memcpy(args, left->args, left->count * sizeof *args);
    args[left->count] = node->args[1];
    node->args = args;
    node->count = left->count + 1;
  }
  return wh_x_strict(node, wh_type_of(WH_STRING), eval_join);
}

static wh_status bind_concat(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(want_texts(bind, node, err));
  node->mode = 1;
  node->type = wh_type_of(WH_STRING);
  node->eval = eval_join;
  return WH_OK;
}

const wh_x_function wh_x_join = {.help.name = "||", .bind = bind_join};
const wh_x_function wh_x_concat = {
    .help = {"concat", "concat(text, ...)", "one behind the other; NULL counts as empty",
             "concat('a', null, 'b')", "ab"},
    .least = 1,
    .most = WH_EXPR_NODES_MAX,
    .bind = bind_concat,
};

// --- one text from one ---------------------------------------------------------------------------

static wh_status eval_case_of(wh_x_run *run, wh_x_node *node, wh_column *out, bool upper,
                              wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  WH_CLEAN_BUF wh_buf other;
  wh_buf_init(&other, out->mem, 0);
  const wh_form form = {.kind = upper ? WH_FORM_UPPER : WH_FORM_LOWER};
  const char first = upper ? 'a' : 'A', last = upper ? 'z' : 'Z';
  for (size_t row = 0; row < run->rows; row++) {
    if (wh_x_is_null(&v, row)) {
      WH_TRY(wh_column_add_null(out, err));
      continue;
    }
    wh_str text = wh_x_text(&v, row);
    if (!is_ascii(text)) {
      const char *why;
      WH_TRY(wh_form_write(&form, text, &other, &why, err));
      WH_TRY(wh_column_add_text(out, wh_buf_str(&other), err));
      continue;
    }
    WH_TRY(wh_column_add_text(out, text, err));
    uint8_t *bytes = out->bytes + out->offsets[row];
    for (size_t i = 0; i < text.len; i++)
      bytes[i] ^= (uint8_t)((bytes[i] >= first && bytes[i] <= last) << 5);
  }
  return WH_OK;
}

static wh_status eval_lower(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  return eval_case_of(run, node, out, false, err);
}

static wh_status eval_upper(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  return eval_case_of(run, node, out, true, err);
}

static wh_status eval_trim(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t row = 0; row < run->rows; row++) {
    if (wh_x_is_null(&v, row))
      WH_TRY(wh_column_add_null(out, err));
    else
      WH_TRY(wh_column_add_text(out, wh_chars_trim(wh_x_text(&v, row)), err));
  }
  return WH_OK;
}

static wh_status eval_length(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t row = 0; row < run->rows; row++)
    wh_x_put_i64(out, row, (int64_t)wh_chars_count(wh_x_text(&v, row)));
  return wh_x_end(run, out, &v, 1, err);
}

TEXT_FUNCTION(bind_lower, eval_lower, WH_STRING)
TEXT_FUNCTION(bind_upper, eval_upper, WH_STRING)
TEXT_FUNCTION(bind_trim, eval_trim, WH_STRING)
TEXT_FUNCTION(bind_length, eval_length, WH_INT64)

const wh_x_function wh_x_lower = {
    .help = {"lower", "lower(text)", "small letters", "lower('Übung A')", "übung a"},
    .least = 1,
    .most = 1,
    .bind = bind_lower,
};
const wh_x_function wh_x_upper = {
    .help = {"upper", "upper(text)", "capital letters", "upper('Übung a')", "ÜBUNG A"},
    .least = 1,
    .most = 1,
    .bind = bind_upper,
};
const wh_x_function wh_x_trim = {
    .help = {"trim", "trim(text)", "without white space at both ends", "trim('  a b ')", "a b"},
    .least = 1,
    .most = 1,
    .bind = bind_trim,
};
const wh_x_function wh_x_length = {
    .help = {"length", "length(text)", "its characters", "length('Übung')", "5"},
    .least = 1,
    .most = 1,
    .bind = bind_length,
};

// --- parts ---------------------------------------------------------------------------------------

// Where the character with this number, from 0, begins; text.len behind the last.
static size_t char_at(wh_str text, int64_t number) {
  size_t at = 0;
  while (number-- > 0 && at < text.len)
    wh_char_next(text, &at);
  return at;
}

// Characters [from, from + count) as far as they exist, from 1.
static wh_str substring(wh_str text, int64_t from, int64_t count) {
  int64_t end;
  if (count < 0) count = 0;
  if (__builtin_add_overflow(from, count, &end)) end = INT64_MAX;
  if (from < 1) from = 1;
  if (end <= from) return WH_STR("");
  size_t begin = char_at(text, from - 1);
  wh_str rest = wh_str_sub(text, begin, text.len);
  return wh_str_sub(rest, 0, char_at(rest, end - from));
}

static wh_status eval_substring(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[WH_X_ARGS_MAX];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t row = 0; row < run->rows; row++) {
    if (any_null(v, node->count, row)) {
      WH_TRY(wh_column_add_null(out, err));
      continue;
    }
    int64_t count = node->count == 3 ? wh_x_i64(&v[2], row) : INT64_MAX;
    wh_str part = substring(wh_x_text(&v[0], row), wh_x_i64(&v[1], row), count);
    WH_TRY(wh_column_add_text(out, part, err));
  }
  return WH_OK;
}

static wh_status bind_substring(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(wh_x_want(bind, node, 0, WH_STRING, "text", err));
  for (size_t i = 1; i < node->count; i++)
    WH_TRY(wh_x_want(bind, node, i, WH_INT64, "a whole number", err));
  return wh_x_strict(node, wh_type_of(WH_STRING), eval_substring);
}

const wh_x_function wh_x_substring = {
    .help = {"substring", "substring(text, from [, count])",
             "from that character on, which counts from 1", "substring('SO-4711', 4, 2)", "47"},
    .least = 2,
    .most = 3,
    .bind = bind_substring,
};

// Where `what`, which is not empty, stands at or behind `from`; text.len + 1: nowhere.
static size_t find(wh_str text, size_t from, wh_str what) {
  if (from >= text.len) return text.len + 1;
  const char *found = memmem(text.data + from, text.len - from, what.data, what.len);
  return found ? (size_t)(found - text.data) : text.len + 1;
}

// The part with this number, from 1; empty where there is none.
static wh_str part_of(wh_str text, wh_str by, int64_t number) {
  size_t from = 0;
  for (int64_t i = 1;; i++) {
    size_t end = by.len ? find(text, from, by) : text.len + 1;
    bool last = end > text.len;
    if (i == number) return wh_str_sub(text, from, end);
    if (last) return WH_STR("");
    from = end + by.len;
  }
}

static wh_status eval_split_part(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[WH_X_ARGS_MAX];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t row = 0; row < run->rows; row++) {
    if (any_null(v, 3, row)) {
      WH_TRY(wh_column_add_null(out, err));
      continue;
    }
    wh_str part = part_of(wh_x_text(&v[0], row), wh_x_text(&v[1], row), wh_x_i64(&v[2], row));
    WH_TRY(wh_column_add_text(out, part, err));
  }
  return WH_OK;
}

static wh_status bind_split_part(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(wh_x_want(bind, node, 0, WH_STRING, "text", err));
  WH_TRY(wh_x_want(bind, node, 1, WH_STRING, "text", err));
  WH_TRY(wh_x_want(bind, node, 2, WH_INT64, "a whole number", err));
  return wh_x_strict(node, wh_type_of(WH_STRING), eval_split_part);
}

const wh_x_function wh_x_split_part = {
    .help = {"split_part", "split_part(text, by, number)",
             "the part of that number, from 1; empty where there is none",
             "split_part('a/b/c', '/', 2)", "b"},
    .least = 3,
    .most = 3,
    .bind = bind_split_part,
};

// --- replace -------------------------------------------------------------------------------------

static bool replace(wh_str text, wh_str what, wh_str with, wh_buf *out) {
  wh_buf_clear(out);
  size_t from = 0;
  while (what.len) {
    size_t at = find(text, from, what);
    if (at > text.len) break;
    wh_buf_add_str(out, wh_str_sub(text, from, at));
    wh_buf_add_str(out, with);
    from = at + what.len;
  }
  return wh_buf_add_str(out, wh_str_sub(text, from, text.len)) && !out->failed;
}

static wh_status eval_replace(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[WH_X_ARGS_MAX];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  WH_CLEAN_BUF wh_buf made;
  wh_buf_init(&made, out->mem, WH_BATCH_BYTES_MAX);
  for (size_t row = 0; row < run->rows; row++) {
    if (any_null(v, 3, row)) {
      WH_TRY(wh_column_add_null(out, err));
      continue;
    }
    if (!replace(wh_x_text(&v[0], row), wh_x_text(&v[1], row), wh_x_text(&v[2], row), &made))
      return wh_buf_check(&made, err);
    WH_TRY(wh_column_add_text(out, wh_buf_str(&made), err));
  }
  return WH_OK;
}

TEXT_FUNCTION(bind_replace, eval_replace, WH_STRING)

const wh_x_function wh_x_replace = {
    .help = {"replace", "replace(text, what, with)", "each `what` in it by `with`",
             "replace('1.234.5', '.', '')", "12345"},
    .least = 3,
    .most = 3,
    .bind = bind_replace,
};

// --- tests ---------------------------------------------------------------------------------------

static bool starts(wh_str text, wh_str with) {
  return with.len <= text.len && wh_str_eq(wh_str_sub(text, 0, with.len), with);
}

static bool ends(wh_str text, wh_str with) {
  return with.len <= text.len && wh_str_eq(wh_str_sub(text, text.len - with.len, text.len), with);
}

static bool contains(wh_str text, wh_str what) {
  return what.len == 0 || find(text, 0, what) <= text.len;
}

#define TEST_FUNCTION(word)                                                                        \
  static wh_status eval_##word(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {    \
    wh_x_value v[2];                                                                               \
    WH_TRY(wh_x_get_args(run, node, v, err));                                                      \
    WH_TRY(wh_x_begin(run, out, err));                                                             \
    memset(out->values, 0, wh_x_bytes(run));                                                       \
    for (size_t row = 0; row < run->rows; row++)                                                   \
      if (word(wh_x_text(&v[0], row), wh_x_text(&v[1], row))) wh_bit_set(out->values, row);        \
    return wh_x_end(run, out, v, 2, err);                                                          \
  }                                                                                                \
  TEXT_FUNCTION(bind_##word, eval_##word, WH_BOOL)

TEST_FUNCTION(starts)
TEST_FUNCTION(ends)
TEST_FUNCTION(contains)

const wh_x_function wh_x_starts_with = {
    .help = {"starts_with", "starts_with(text, with)", "whether it begins so",
             "starts_with('SO-4711', 'SO-')", "true"},
    .least = 2,
    .most = 2,
    .bind = bind_starts,
};
const wh_x_function wh_x_ends_with = {
    .help = {"ends_with", "ends_with(text, with)", "whether it ends so",
             "ends_with('a.csv', '.json')", "false"},
    .least = 2,
    .most = 2,
    .bind = bind_ends,
};
const wh_x_function wh_x_contains = {
    .help = {"contains", "contains(text, what)", "whether it stands in it",
             "contains('50% off', '%')", "true"},
    .least = 2,
    .most = 2,
    .bind = bind_contains,
};

// --- like ----------------------------------------------------------------------------------------

// % is any text, _ is any character. Where a % was tried too short, it takes one character more;
// only the last one is tried again, so that it takes no more steps than text times pattern.
static bool is_like(wh_str text, wh_str pattern) {
  size_t at = 0, p = 0, again_text = 0, again_pattern = SIZE_MAX;
  while (at < text.len) {
    if (p < pattern.len && pattern.data[p] == '%') {
      again_pattern = ++p;
      again_text = at;
    } else if (p < pattern.len && pattern.data[p] == '_') {
      p++;
      wh_char_next(text, &at);
    } else if (p < pattern.len && pattern.data[p] == text.data[at]) {
      p++;
      at++;
    } else if (again_pattern != SIZE_MAX) {
      p = again_pattern;
      wh_char_next(text, &again_text);
      at = again_text;
    } else {
      return false;
    }
  }
  while (p < pattern.len && pattern.data[p] == '%')
    p++;
  return p == pattern.len;
}

TEST_FUNCTION(is_like)

const wh_x_function wh_x_like = {.help.name = "like", .bind = bind_is_like};

// --- matches -------------------------------------------------------------------------------------

static wh_status match_rows(wh_x_run *run, wh_pattern *pattern, const wh_x_value *v, wh_column *out,
                            wh_error *err) {
  for (size_t row = 0; row < run->rows; row++) {
    if (wh_x_is_null(v, row)) continue;
    bool matches;
    wh_buf_clear(&pattern->text);
    wh_buf_add_str(&pattern->text, wh_x_text(v, row));
    wh_buf_add_c(&pattern->text, ""); // at least a zero
    WH_TRY(wh_pattern_match(pattern, &matches, err));
    if (matches) wh_bit_set(out->values, row);
  }
  return WH_OK;
}

static wh_status eval_matches(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  wh_pattern *pattern = node->data;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  memset(out->values, 0, wh_x_bytes(run));
  locale_t before = wh_pattern_begin(pattern);
  wh_status status = match_rows(run, pattern, &v, out, err);
  wh_pattern_end(before);
  WH_TRY(status);
  return wh_x_end(run, out, &v, 1, err);
}

static void release_pattern(wh_x_node *node) {
  wh_pattern_free(node->data);
}

static wh_status bind_matches(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  wh_str text;
  WH_TRY(wh_x_want(bind, node, 0, WH_STRING, "text", err));
  WH_TRY(wh_x_constant_text(bind, node, 1, "the pattern", &text, err));
  wh_pattern *pattern = WH_NEW(bind->expr->arena, wh_pattern);
  if (!pattern) return wh_fail_memory(err);
  node->data = pattern;
  node->release = release_pattern;
  wh_error why = {0};
  wh_status status = wh_pattern_compile(pattern, bind->expr->mem, text, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) return wh_x_fail_at(bind, node->args[1]->at, err, "%s", why.text);
  node->count = 1; // the pattern is known
  return wh_x_strict(node, wh_type_of(WH_BOOL), eval_matches);
}

const wh_x_function wh_x_matches = {.help.name = "matches", .bind = bind_matches};
