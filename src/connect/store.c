#include "connect/store.h"

#include "connect/connect.h"

#include <stdio.h>

#define PUT_ABANDONED_US (INT64_C(24) * 3600 * 1000000)

// --- characters ----------------------------------------------------------------------------------

// Where bytes are no UTF-8, each stands for a character of its own that equals no other.
enum { NOT_UTF8 = 0x110000 };

// The character at `at` (< s.len) and its length in bytes.
static uint32_t char_at(wh_str s, size_t at, size_t *ret_len) {
  const unsigned char *p = (const unsigned char *)s.data + at;
  size_t len = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
  *ret_len = 1;
  if (len == 1) return p[0];
  if (p[0] < 0xC0 || len > s.len - at) return NOT_UTF8 + (uint32_t)p[0];
  uint32_t code = p[0] & (0x7Fu >> len);
  for (size_t i = 1; i < len; i++) {
    if ((p[i] & 0xC0) != 0x80) return NOT_UTF8 + (uint32_t)p[0];
    code = code << 6 | (p[i] & 0x3Fu);
  }
  *ret_len = len;
  return code;
}

// Unicode category Cc: U+0000..U+001F, U+007F..U+009F. They would steer a terminal that shows them.
static bool is_control(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

// --- keys ----------------------------------------------------------------------------------------

static wh_status check_characters(wh_str key, wh_error *err) {
  size_t valid = wh_utf8_valid_prefix(key);
  if (valid < key.len) {
    return wh_fail(err, WH_ERR_USAGE, "not a key: its byte %zu is not UTF-8", valid);
  }
  size_t len;
  for (size_t at = 0; at < key.len; at += len) {
    if (is_control(char_at(key, at, &len))) {
      return wh_fail(err, WH_ERR_USAGE, "not a key: its byte %zu is a control character", at);
    }
  }
  return WH_OK;
}

wh_status wh_key_check(wh_str key, wh_error *err) {
  if (key.len == 0) return wh_fail(err, WH_ERR_USAGE, "not a key: it is empty");
  if (key.len > WH_KEY_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "not a key: it has %zu bytes, and %d are allowed", key.len,
                   (int)WH_KEY_MAX);
  }
  WH_TRY(check_characters(key, err)); // first, so that the texts below can show the key
  for (size_t from = 0; from <= key.len;) {
    size_t to = wh_str_find(key, from, '/');
    wh_str part = wh_str_sub(key, from, to);
    if (part.len == 0) {
      const char *where = from == 0       ? "it begins with '/'"
                          : to == key.len ? "it ends with '/'"
                                          : "it has an empty part ('//')";
      return wh_fail(err, WH_ERR_USAGE, "'%.*s' is not a key: %s", WH_STR_ARG(key), where);
    }
    if (wh_str_is(part, ".") || wh_str_is(part, "..")) {
      return wh_fail(err, WH_ERR_USAGE, "'%.*s' is not a key: '%.*s' cannot be a part of one",
                     WH_STR_ARG(key), WH_STR_ARG(part));
    }
    from = to + 1;
  }
  return WH_OK;
}

// Anything else could lead out of the folder that a store keeps attempts in.
wh_status wh_attempt_check(wh_str attempt, wh_error *err) {
  bool ok = attempt.len > 0 && attempt.len <= WH_ATTEMPT_MAX && attempt.data[0] != '.';
  for (size_t i = 0; ok && i < attempt.len; i++) {
    char c = attempt.data[i];
    ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '.';
  }
  if (ok) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "an attempt's name is 1 to %d letters, digits, '-' or '.', not beginning with '.'",
                 (int)WH_ATTEMPT_MAX);
}

// --- what is left of puts ------------------------------------------------------------------------

static wh_status sweep_put(void *context, const wh_object *attempt, wh_error *err) {
  wh_connection *c = context;
  if (!wh_str_starts(attempt->key, WH_PUT_PREFIX)) return WH_OK;
  if (attempt->modified_us > wh_now_us(c->os) - PUT_ABANDONED_US) return WH_OK;
  return c->type->store->discard(c, attempt->key, err);
}

wh_status wh_store_sweep_puts(wh_connection *c, wh_error *err) {
  return c->type->store->attempts(c, sweep_put, c, err);
}

// --- globs ---------------------------------------------------------------------------------------

// A pattern is run as a nondeterministic automaton whose states are positions in it, all states at
// once: time is at most (length of the pattern) x (length of the key), whatever the stars.
typedef struct matcher {
  wh_str pattern;
  uint16_t now[WH_GLOB_MAX + 1]; // states
  uint16_t next[WH_GLOB_MAX + 1];
  size_t now_count;
  size_t next_count;
  uint32_t seen[WH_GLOB_MAX + 1]; // the round in which the state was added to `next`
  uint32_t round;
} matcher;

// The end of a run of two or more stars at `at`, or 0.
static size_t double_star_end(wh_str pattern, size_t at) {
  size_t end = at;
  while (end < pattern.len && pattern.data[end] == '*')
    end++;
  return end - at >= 2 ? end : 0;
}

// For "**" as a whole part with more behind it, which also stands for no part at all: the position
// behind its '/'. Else 0.
static size_t any_parts_end(wh_str pattern, size_t at) {
  size_t end = double_star_end(pattern, at);
  bool begins = at == 0 || pattern.data[at - 1] == '/';
  return end && begins && end < pattern.len && pattern.data[end] == '/' ? end + 1 : 0;
}

size_t wh_glob_class_end(wh_str pattern, size_t at) {
  size_t i = at + 1;
  if (i < pattern.len && pattern.data[i] == '!') i++;
  for (size_t first = i; i < pattern.len && pattern.data[i] != '/'; i++) {
    if (pattern.data[i] == ']' && i > first) return i + 1;
  }
  return 0;
}

static bool class_has(wh_str pattern, size_t at, size_t end, uint32_t code) {
  size_t i = at + 1, len;
  bool negated = pattern.data[i] == '!';
  if (negated) i++;
  while (i < end - 1) {
    uint32_t low = char_at(pattern, i, &len), high = low;
    i += len;
    if (i + 1 < end - 1 && pattern.data[i] == '-') {
      high = char_at(pattern, i + 1, &len);
      i += 1 + len;
    }
    if (low <= code && code <= high) return !negated;
  }
  return negated;
}

// The position of the second of two stars stands for being within what any_parts_end describes:
// from there a '/' leads on, and nothing else does. (It is no state of other stars.)
static bool is_within(wh_str pattern, size_t at) {
  return at > 0 && pattern.data[at] == '*' && pattern.data[at - 1] == '*';
}

// Adds a state, and those it reaches without a character: a star may stand for nothing.
static void add_state(matcher *m, size_t state) {
  while (m->seen[state] != m->round) {
    m->seen[state] = m->round;
    m->next[m->next_count++] = (uint16_t)state;
    if (state == m->pattern.len || m->pattern.data[state] != '*') return;
    if (is_within(m->pattern, state)) return;
    size_t parts = any_parts_end(m->pattern, state), stars = double_star_end(m->pattern, state);
    state = parts ? parts : stars ? stars : state + 1;
  }
}

// Where one state goes with one character.
static void step_state(matcher *m, size_t state, uint32_t code) {
  wh_str pattern = m->pattern;
  if (state == pattern.len) return;
  size_t len, end;
  switch (pattern.data[state]) {
  case '*':
    if (is_within(pattern, state)) state--;
    if ((end = any_parts_end(pattern, state))) {
      add_state(m, state + 1);
      if (code == '/') add_state(m, end);
    } else if (code != '/' || double_star_end(pattern, state)) {
      add_state(m, state);
    }
    return;
  case '?':
    if (code != '/') add_state(m, state + 1);
    return;
  case '[':
    end = wh_glob_class_end(pattern, state);
    if (end) {
      if (code != '/' && class_has(pattern, state, end, code)) add_state(m, end);
      return;
    }
    break;
  }
  if (char_at(pattern, state, &len) == code) add_state(m, state + len);
}

static void next_round(matcher *m) {
  memcpy(m->now, m->next, m->next_count * sizeof m->next[0]);
  m->now_count = m->next_count;
  m->next_count = 0;
  m->round++;
}

// Runs the pattern over the text; false when no state is left.
static bool run_glob(matcher *m, wh_str pattern, wh_str text) {
  if (pattern.len > WH_GLOB_MAX) return false;
  m->pattern = pattern;
  m->next_count = 0;
  m->round = 1;
  memset(m->seen, 0, (pattern.len + 1) * sizeof m->seen[0]);
  add_state(m, 0);
  size_t len;
  for (size_t at = 0; at < text.len && m->next_count; at += len) {
    uint32_t code = char_at(text, at, &len);
    next_round(m);
    for (size_t i = 0; i < m->now_count; i++)
      step_state(m, m->now[i], code);
  }
  return m->next_count > 0;
}

bool wh_glob_match(wh_str pattern, wh_str key) {
  matcher m;
  return run_glob(&m, pattern, key) && m.seen[pattern.len] == m.round;
}

bool wh_glob_may_match_below(wh_str pattern, wh_str folder) {
  matcher m;
  if (!run_glob(&m, pattern, folder)) return false;
  return m.next_count > 1 || m.seen[pattern.len] != m.round; // a state that can still go on
}

wh_str wh_glob_prefix(wh_str pattern) {
  size_t at = 0;
  while (at < pattern.len && !strchr("*?[", pattern.data[at]))
    at++;
  return wh_str_sub(pattern, 0, at);
}

// --- for stores of files -------------------------------------------------------------------------

wh_status wh_key_check_parts(wh_str key, size_t most, wh_error *err) {
  wh_str rest = key, part;
  while (wh_str_split(&rest, '/', &part)) {
    if (part.len <= most) continue;
    return wh_fail(err, WH_ERR_LIMIT,
                   "%.*s: a part of the key has %zu bytes, and a file's name can have %zu",
                   WH_STR_ARG(key), part.len, most);
  }
  return WH_OK;
}

int wh_key_name_cmp(wh_str a, bool a_is_folder, wh_str b, bool b_is_folder) {
  size_t n = a.len < b.len ? a.len : b.len;
  int order = memcmp(a.data, b.data, n);
  if (order) return order;
  int next_a = a.len > n ? (unsigned char)a.data[n] : a_is_folder ? '/' : -1;
  int next_b = b.len > n ? (unsigned char)b.data[n] : b_is_folder ? '/' : -1;
  return next_a - next_b;
}

wh_status wh_store_other_version(wh_str key, wh_error *err) {
  return wh_fail(err, WH_ERR_CHANGED, "%.*s: holds another version now, which stays",
                 WH_STR_ARG(key));
}

wh_status wh_store_say(const wh_connection *c, wh_status status, wh_error *err) {
  if (status == WH_OK || status == WH_ERR_END || !err) return status;
  wh_str text = wh_str_of(err->text);
  bool said = wh_str_eq(wh_str_sub(text, 0, c->name.len), c->name) &&
              wh_str_starts(wh_str_sub(text, c->name.len, text.len), ": ");
  if (said) return status; // one verb may call another
  wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  if (status == WH_ERR_NO_SPACE) wh_error_append(err, "; it goes on when there is room");
  return status;
}
