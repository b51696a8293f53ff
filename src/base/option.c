#include "base/option.h"

#include "base/os.h"

#include <stdio.h>

// What one value needs to be read and to be complained about.
typedef struct reader {
  const wh_option *option;
  const wh_node *node; // of the value
  const char *owner;
  const wh_option_context *context;
  bool hidden; // came from a secret or from ${...}: never shown
  wh_error *err;
} reader;

// --- scalars -------------------------------------------------------------------------------------

typedef struct unit {
  const char *name;
  int64_t factor;
} unit;

static const unit size_units[] = {
    {"b", 1},         {"kb", 1000},     {"mb", 1000000},  {"gb", 1000000000}, {"tb", 1000000000000},
    {"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1ll << 40}, {0},
};

static const unit duration_units[] = {
    {"us", 1},           {"ms", 1000},         {"s", 1000000},        {"m", 60000000},
    {"h", 3600000000ll}, {"d", 86400000000ll}, {"w", 604800000000ll}, {0},
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// A decimal number as digits / 10^places; `*rest` moves behind it.
static bool take_number(wh_str *rest, int64_t *ret_digits, int64_t *ret_divisor) {
  enum { PLACES_MAX = 12 };
  int64_t digits = 0, divisor = 1;
  size_t at = 0, count = 0, places = 0;
  bool point = false;
  for (; at < rest->len; at++) {
    char c = rest->data[at];
    if (c == '.' && !point && count > 0) {
      point = true;
      continue;
    }
    if (!is_digit(c)) break;
    if (__builtin_mul_overflow(digits, 10, &digits)) return false;
    if (__builtin_add_overflow(digits, c - '0', &digits)) return false;
    count++;
    if (!point) continue;
    if (++places > PLACES_MAX) return false;
    divisor *= 10;
  }
  if (count == 0 || (point && places == 0)) return false;
  *rest = wh_str_sub(*rest, at, rest->len);
  *ret_digits = digits;
  *ret_divisor = divisor;
  return true;
}

// The unit's factor, or 0. `*rest` moves behind it.
static int64_t take_unit(wh_str *rest, const unit *units, bool any_case) {
  size_t len = 0;
  while (len < rest->len && is_letter(rest->data[len]))
    len++;
  wh_str word = wh_str_sub(*rest, 0, len);
  *rest = wh_str_sub(*rest, len, rest->len);
  for (; units->name; units++) {
    wh_str name = wh_str_of(units->name);
    if (any_case ? wh_str_eq_nocase(word, name) : wh_str_eq(word, name)) return units->factor;
  }
  return 0;
}

// digits / divisor * factor, when that is a whole number that fits.
static bool scale(int64_t digits, int64_t divisor, int64_t factor, int64_t *ret) {
  __int128 product = (__int128)digits * factor;
  if (product % divisor != 0 || product / divisor > INT64_MAX) return false;
  *ret = (int64_t)(product / divisor);
  return true;
}

bool wh_parse_size(wh_str text, int64_t *ret_bytes) {
  int64_t digits, divisor;
  wh_str rest = text;
  if (!take_number(&rest, &digits, &divisor)) return false;
  if (rest.len == 0) return scale(digits, divisor, 1, ret_bytes);
  if (rest.data[0] == ' ') rest = wh_str_sub(rest, 1, rest.len);
  int64_t factor = take_unit(&rest, size_units, true);
  return factor && rest.len == 0 && scale(digits, divisor, factor, ret_bytes);
}

bool wh_parse_duration(wh_str text, int64_t *ret_us) {
  if (wh_str_is(text, "0")) {
    *ret_us = 0;
    return true;
  }
  wh_str rest = text;
  int64_t sum = 0;
  do {
    int64_t digits, divisor, part;
    if (!take_number(&rest, &digits, &divisor)) return false;
    int64_t factor = take_unit(&rest, duration_units, false);
    if (!factor || !scale(digits, divisor, factor, &part)) return false;
    if (__builtin_add_overflow(sum, part, &sum)) return false;
  } while (rest.len > 0);
  *ret_us = sum;
  return true;
}

bool wh_parse_bool(wh_str text, bool *ret) {
  static const char *const yes[] = {"true", "yes", "on"};
  static const char *const no[] = {"false", "no", "off"};
  for (size_t i = 0; i < 3; i++) {
    bool is_yes = wh_str_eq_nocase(text, wh_str_of(yes[i]));
    if (!is_yes && !wh_str_eq_nocase(text, wh_str_of(no[i]))) continue;
    *ret = is_yes;
    return true;
  }
  return false;
}

// --- complaints ----------------------------------------------------------------------------------

// The value as it may stand in a message.
typedef struct shown {
  char text[96];
} shown;

static shown show(const reader *r, wh_str text) {
  enum { SHOWN_MAX = 60 };
  shown s;
  if (r->option->secret)
    snprintf(s.text, sizeof s.text, "something else");
  else if (r->hidden)
    snprintf(s.text, sizeof s.text, "something else behind ${...}");
  else if (text.len <= SHOWN_MAX)
    snprintf(s.text, sizeof s.text, "'%.*s'", WH_STR_ARG(text));
  else
    snprintf(s.text, sizeof s.text, "'%.*s...'", (int)wh_utf8_cut(text, SHOWN_MAX), text.data);
  return s;
}

static wh_status expected(const reader *r, const char *what, wh_str found) {
  return wh_node_fail(r->node, r->err, "%s: %s: expected %s, found %s", r->owner, r->option->name,
                      what, show(r, found).text);
}

static wh_status wrong_kind(const reader *r, const char *what) {
  return wh_node_fail(r->node, r->err, "%s: %s: expected %s, found %s", r->owner, r->option->name,
                      what, wh_node_kind_name(r->node));
}

// "a, b or c" into `buf`, cut where it is full.
static void join_words(char *buf, size_t size, const char *const *words, const char *last) {
  size_t len = 0;
  buf[0] = 0;
  for (size_t i = 0; words[i] && len < size; i++) {
    const char *between = i == 0 ? "" : words[i + 1] ? ", " : last;
    int n = snprintf(buf + len, size - len, "%s%s", between, words[i]);
    len += n > 0 ? (size_t)n : 0;
  }
}

// " Did you mean 'x'?" or nothing.
static void suggest(char *buf, size_t size, wh_str word, const wh_str *words, size_t count) {
  wh_str near = wh_str_nearest(word, words, count);
  buf[0] = 0;
  if (near.len) snprintf(buf, size, " Did you mean '%.*s'?", WH_STR_ARG(near));
}

static wh_status not_a_choice(const reader *r, wh_str text) {
  enum { WORDS_MAX = 64 };
  char list[512], hint[96];
  wh_str words[WORDS_MAX];
  size_t count = 0;
  for (; count < WORDS_MAX && r->option->choices[count]; count++)
    words[count] = wh_str_of(r->option->choices[count]);
  join_words(list, sizeof list, r->option->choices, " or ");
  hint[0] = 0;
  if (!r->option->secret && !r->hidden) suggest(hint, sizeof hint, text, words, count);
  return wh_node_fail(r->node, r->err, "%s: %s: expected %s, found %s.%s", r->owner,
                      r->option->name, list, show(r, text).text, hint);
}

// A bound as it would be written.
static const char *bound_text(const reader *r, int64_t value, char *buf, size_t size) {
  const unit *units = r->option->type == WH_OPTION_SIZE       ? size_units
                      : r->option->type == WH_OPTION_DURATION ? duration_units
                                                              : NULL;
  static const char *const proper[] = {"B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"};
  const char *name = "";
  int64_t factor = 1;
  for (size_t i = 0; value != 0 && units && units[i].name; i++) {
    if (value % units[i].factor != 0 || units[i].factor < factor) continue;
    factor = units[i].factor;
    name = units == size_units ? proper[i] : units[i].name;
  }
  snprintf(buf, size, "%lld%s", (long long)(value / factor), name);
  return buf;
}

static wh_status out_of_range(const reader *r, wh_str text) {
  char low[32], high[32];
  bound_text(r, r->option->min, low, sizeof low);
  if (r->option->max < r->option->min) {
    return wh_node_fail(r->node, r->err, "%s: %s: must be at least %s, found %s", r->owner,
                        r->option->name, low, show(r, text).text);
  }
  return wh_node_fail(r->node, r->err, "%s: %s: must be between %s and %s, found %s", r->owner,
                      r->option->name, low, bound_text(r, r->option->max, high, sizeof high),
                      show(r, text).text);
}

// --- values --------------------------------------------------------------------------------------

static bool in_range(const wh_option *option, int64_t value) {
  if (option->min == 0 && option->max == 0) return true;
  return value >= option->min && (option->max < option->min || value <= option->max);
}

static bool is_whole_number(wh_str text) {
  size_t at = text.len > 0 && text.data[0] == '-';
  if (at == text.len) return false;
  while (at < text.len && is_digit(text.data[at]))
    at++;
  return at == text.len;
}

static wh_status read_number(const reader *r, wh_str text, int64_t *ret) {
  int64_t value;
  switch (r->option->type) {
  case WH_OPTION_SIZE:
    if (!wh_parse_size(text, &value)) return expected(r, "a size such as 64MiB or 1GB", text);
    break;
  case WH_OPTION_DURATION:
    if (!wh_parse_duration(text, &value)) {
      return expected(r, "a duration such as 500ms, 2s, 5m, 1h or 7d", text);
    }
    break;
  default:
    if (wh_str_to_i64(text, &value)) break;
    if (!is_whole_number(text)) return expected(r, "a whole number", text);
    return expected(r, "a number of at most 18 digits", text);
  }
  if (!in_range(r->option, value)) return out_of_range(r, text);
  *ret = value;
  return WH_OK;
}

static wh_status read_choice(const reader *r, wh_str text, int *ret) {
  for (int i = 0; r->option->choices[i]; i++) {
    if (!wh_str_is(text, r->option->choices[i])) continue;
    *ret = i;
    return WH_OK;
  }
  return not_a_choice(r, text);
}

static wh_status copy_text(const reader *r, wh_str text, wh_str *ret) {
  wh_str copy = wh_arena_str(r->context->arena, text);
  if (!copy.data) return wh_fail_memory(r->err);
  *ret = copy;
  return WH_OK;
}

static wh_status read_path(const reader *r, wh_str text, wh_str *ret) {
  if (text.len == 0) {
    return wh_node_fail(r->node, r->err, "%s: %s: expected a path, found an empty text", r->owner,
                        r->option->name);
  }
  if (memchr(text.data, 0, text.len)) {
    return wh_node_fail(r->node, r->err, "%s: %s: a path cannot hold a zero byte", r->owner,
                        r->option->name);
  }
  if (wh_str_is(text, "~") || wh_str_starts(text, "~/")) {
    return wh_node_fail(r->node, r->err, "%s: %s: '~' has no meaning here. Write ${HOME}%.*s",
                        r->owner, r->option->name, WH_STR_ARG(wh_str_sub(text, 1, text.len)));
  }
  wh_arena *arena = r->context->arena;
  char *folder = wh_arena_cstr(arena, r->context->base_folder);
  char *name = wh_arena_cstr(arena, text);
  char *path = folder && name ? wh_path_join(arena, folder, name) : NULL;
  if (!path) return wh_fail_memory(r->err);
  *ret = wh_str_of(path);
  return WH_OK;
}

static wh_status read_text(const reader *r, wh_str text, void *field) {
  switch (r->option->type) {
  case WH_OPTION_TEXT:
    return copy_text(r, text, field);
  case WH_OPTION_PATH:
    return read_path(r, text, field);
  case WH_OPTION_BOOL:
    return wh_parse_bool(text, field) ? WH_OK : expected(r, "true or false", text);
  case WH_OPTION_ENUM:
    return read_choice(r, text, field);
  default:
    return read_number(r, text, field);
  }
}

// The scalar's text with ${...} resolved.
static wh_status scalar_text(reader *r, wh_str *ret) {
  if (r->node->kind != WH_NODE_SCALAR) return wrong_kind(r, "a single value");
  wh_str text = r->node->text;
  r->hidden = memmem(text.data ? text.data : "", text.len, "${", 2) != NULL;
  if (!r->hidden || !r->context->resolve) {
    r->hidden = false;
    *ret = text;
    return WH_OK;
  }
  return r->context->resolve(r->context->resolve_context, r->node, r->context->arena, ret, r->err);
}

// A "${" that is not the escape "$${".
static bool holds_reference(const wh_node *node) {
  if (node->kind != WH_NODE_SCALAR) return false;
  wh_str rest = node->text;
  while (rest.len > 0) {
    if (wh_str_starts(rest, "${")) return true;
    rest = wh_str_sub(rest, wh_str_starts(rest, "$${") ? 3 : 1, rest.len);
  }
  return false;
}

static wh_status read_item(const reader *list, const wh_node *node, wh_str *ret) {
  reader r = *list;
  r.node = node;
  if (wh_node_is_null(node)) return wrong_kind(&r, "a single value");
  wh_str text = node->text;
  if (!r.context->lazy || !holds_reference(node)) WH_TRY(scalar_text(&r, &text));
  int index;
  bool unread = r.context->lazy && holds_reference(node);
  if (r.option->choices && !unread) WH_TRY(read_choice(&r, text, &index));
  return copy_text(&r, text, ret);
}

static wh_status read_list(const reader *r, wh_str_list *ret) {
  if (r->node->kind == WH_NODE_MAP) return wrong_kind(r, "a list");
  bool one = r->node->kind == WH_NODE_SCALAR;
  size_t count = one ? 1 : r->node->count;
  wh_str *items = WH_NEW_ARRAY(r->context->arena, count, wh_str);
  if (!items) return wh_fail_memory(r->err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(read_item(r, one ? r->node : r->node->items[i], &items[i]));
  *ret = (wh_str_list){items, count};
  return WH_OK;
}

static wh_status read_value(reader *r, void *field) {
  if (r->option->type == WH_OPTION_NODE) {
    *(const wh_node **)field = r->node;
    return WH_OK;
  }
  if (r->option->type == WH_OPTION_LIST) return read_list(r, field);
  if (r->context->lazy && holds_reference(r->node)) return WH_OK;
  wh_str text;
  WH_TRY(scalar_text(r, &text));
  return read_text(r, text, field);
}

// --- defaults ------------------------------------------------------------------------------------

static size_t field_size(wh_option_type type) {
  switch (type) {
  case WH_OPTION_TEXT:
  case WH_OPTION_PATH:
    return sizeof(wh_str);
  case WH_OPTION_BOOL:
    return sizeof(bool);
  case WH_OPTION_INT:
  case WH_OPTION_SIZE:
  case WH_OPTION_DURATION:
    return sizeof(int64_t);
  case WH_OPTION_ENUM:
    return sizeof(int);
  case WH_OPTION_LIST:
    return sizeof(wh_str_list);
  case WH_OPTION_NODE:
    return sizeof(const wh_node *);
  }
  return 0;
}

// "a, b" or "[a, b]"; an empty one has no items.
static wh_status default_list(const reader *r, wh_str text, wh_str_list *ret) {
  if (wh_str_starts(text, "[") && wh_str_ends(text, "]")) text = wh_str_sub(text, 1, text.len - 1);
  text = wh_str_trim(text);
  size_t count = text.len > 0;
  for (size_t i = 0; i < text.len; i++)
    count += text.data[i] == ',';
  wh_str *items = WH_NEW_ARRAY(r->context->arena, count, wh_str);
  if (!items) return wh_fail_memory(r->err);
  wh_str piece;
  size_t at = 0;
  while (at < count && wh_str_split(&text, ',', &piece))
    WH_TRY(copy_text(r, wh_str_trim(piece), &items[at++]));
  *ret = (wh_str_list){items, at};
  return WH_OK;
}

static wh_status set_default(reader *r, void *field) {
  memset(field, 0, field_size(r->option->type));
  if (!r->option->def || r->option->type == WH_OPTION_NODE) return WH_OK;
  wh_str text = wh_str_of(r->option->def);
  wh_node node = {.plain = true, .file = "the option table", .line = 1, .column = 1, .text = text};
  r->node = &node;
  wh_status status =
      r->option->type == WH_OPTION_LIST ? default_list(r, text, field) : read_text(r, text, field);
  r->node = NULL;
  // A table that contradicts itself is no fault of the user.
  if (status == WH_ERR_USAGE && r->err) r->err->status = WH_ERR_BUG;
  return status == WH_ERR_USAGE ? WH_ERR_BUG : status;
}

// --- tables --------------------------------------------------------------------------------------

static const wh_option *find_option(const wh_option *table, wh_str name) {
  for (; table->name; table++)
    if (wh_str_is(name, table->name)) return table;
  return NULL;
}

static bool is_skipped(const char *const *skip, wh_str name) {
  for (; skip && *skip; skip++)
    if (wh_str_is(name, *skip)) return true;
  return false;
}

enum { WORDS_MAX = 128 };

// The names that a map may have.
static size_t known_words(const wh_option *table, const char *const *skip,
                          wh_str words[WORDS_MAX]) {
  size_t count = 0;
  for (; table->name && count < WORDS_MAX; table++)
    words[count++] = wh_str_of(table->name);
  for (; skip && *skip && count < WORDS_MAX; skip++)
    words[count++] = wh_str_of(*skip);
  return count;
}

bool wh_option_misspelt(const wh_option *table, const wh_node *map, const char *const *skip,
                        const char *name) {
  if (!map || map->kind != WH_NODE_MAP) return false;
  wh_str words[WORDS_MAX];
  size_t count = known_words(table, skip, words);
  for (size_t i = 0; i < map->count; i++) {
    wh_str key = map->entries[i].key->text;
    if (find_option(table, key) || is_skipped(skip, key)) continue;
    if (wh_str_is(wh_str_nearest(key, words, count), name)) return true;
  }
  return false;
}

static wh_status unknown_word(const wh_option *table, const wh_node *key, const char *const *skip,
                              const char *owner, wh_error *err) {
  wh_str words[WORDS_MAX];
  char hint[96];
  suggest(hint, sizeof hint, key->text, words, known_words(table, skip, words));
  return wh_node_fail(key, err, "%s has no word '%.*s'.%s", owner, (int)wh_utf8_cut(key->text, 60),
                      key->text.data ? key->text.data : "", hint);
}

// Tells a problem of content to whoever collects them and goes on.
static wh_status settle(const wh_option_context *context, wh_status status, wh_error *err) {
  if (status != WH_ERR_USAGE || !context->problem) return status;
  return context->problem(context->problem_context, err);
}

// The key is known and there for the first time.
static wh_status check_key(const wh_option *table, const wh_node *map, size_t at,
                           const char *const *skip, const char *owner, wh_error *err) {
  const wh_node *key = map->entries[at].key;
  if (!is_skipped(skip, key->text) && !find_option(table, key->text)) {
    return unknown_word(table, key, skip, owner, err);
  }
  for (size_t j = 0; j < at; j++) {
    if (!wh_str_eq(map->entries[j].key->text, key->text)) continue;
    return wh_node_fail(key, err, "%s: '%.*s' is given twice, first in line %u", owner,
                        WH_STR_ARG(key->text), map->entries[j].key->line);
  }
  return WH_OK;
}

static wh_status check_keys(const wh_option *table, const wh_node *map, const char *const *skip,
                            const char *owner, const wh_option_context *context, wh_error *err) {
  for (size_t i = 0; i < map->count; i++)
    WH_TRY(settle(context, check_key(table, map, i, skip, owner, err), err));
  return WH_OK;
}

// Where problems are gathered, a word that was misspelt is not missing besides.
static bool is_told(const wh_option_context *context, const wh_option *table, const wh_node *map,
                    const char *const *skip, const wh_option *option) {
  return context->problem && wh_option_misspelt(table, map, skip, option->name);
}

static wh_status missing(const wh_option *option, const wh_node *map, const char *owner,
                         wh_error *err) {
  const char *help = option->help ? option->help : "";
  const char *between = option->help ? ": " : "";
  if (map) {
    return wh_node_fail(map, err, "%s needs '%s'%s%s", owner, option->name, between, help);
  }
  return wh_fail(err, WH_ERR_USAGE, "%s needs '%s'%s%s", owner, option->name, between, help);
}

wh_status wh_options_parse(const wh_option *table, const wh_node *map, const char *const *skip,
                           const char *owner, const wh_option_context *context, void *target,
                           wh_error *err) {
  bool empty = !map || wh_node_is_null(map), wrong = !empty && map->kind != WH_NODE_MAP;
  if (wrong) {
    wh_status status =
        wh_node_fail(map, err, "%s: expected a map, found %s", owner, wh_node_kind_name(map));
    WH_TRY(settle(context, status, err));
    empty = true;
  }
  if (!empty) WH_TRY(check_keys(table, map, skip, owner, context, err));
  for (const wh_option *option = table; option->name; option++) {
    void *field = (char *)target + option->offset;
    reader r = {.option = option, .owner = owner, .context = context, .err = err};
    WH_TRY(set_default(&r, field));
    r.node = empty ? NULL : wh_node_get(map, option->name);
    bool given = r.node && (!wh_node_is_null(r.node) || option->type == WH_OPTION_NODE);
    wh_status status = WH_OK;
    if (given)
      status = read_value(&r, field);
    else if (option->required && !wrong && !is_told(context, table, map, skip, option))
      status = missing(option, r.node ? r.node : map, owner, err);
    WH_TRY(settle(context, status, err));
  }
  return WH_OK;
}
