#include "config/glob.h"

#include "base/arena.h"
#include "connect/store.h"

// A pattern as the tokens of a nondeterministic automaton: being at token i means that what is in
// front of it has matched. Two patterns overlap when the automaton of both at once can reach its
// end, that is when the pair (end, end) can be reached from (0, 0).
typedef enum token_kind {
  TOKEN_CHAR,  // itself
  TOKEN_ONE,   // '?': any character but '/'
  TOKEN_CLASS, // "[a-z]"
  TOKEN_PART,  // '*': any number of characters but '/'
  TOKEN_ALL,   // "**": any number of characters
  TOKEN_PARTS, // "**/" at the start of a part, once begun: anything that ends in '/'
  TOKEN_MAYBE, // in front of it: the next token may be left out
  TOKEN_END,
} token_kind;

typedef struct token {
  token_kind kind;
  wh_str text;
} token;

// '?' and classes stand for characters, not bytes, so literals are taken by the character too.
static size_t char_len(wh_str s, size_t at) {
  size_t len = 1;
  while (at + len < s.len && ((unsigned char)s.data[at + len] & 0xC0) == 0x80)
    len++;
  return len;
}

static token star_token(wh_str s, size_t at) {
  size_t end = at;
  while (end < s.len && s.data[end] == '*')
    end++;
  if (end - at == 1) return (token){TOKEN_PART, wh_str_sub(s, at, end)};
  bool begins = at == 0 || s.data[at - 1] == '/';
  if (begins && end < s.len && s.data[end] == '/') {
    return (token){TOKEN_PARTS, wh_str_sub(s, at, end + 1)};
  }
  return (token){TOKEN_ALL, wh_str_sub(s, at, end)};
}

static token token_at(wh_str s, size_t at) {
  if (at == s.len) return (token){TOKEN_END, {0}};
  size_t end = 0;
  if (s.data[at] == '*') return star_token(s, at);
  if (s.data[at] == '?') return (token){TOKEN_ONE, wh_str_sub(s, at, at + 1)};
  if (s.data[at] == '[') end = wh_glob_class_end(s, at);
  if (end) return (token){TOKEN_CLASS, wh_str_sub(s, at, end)};
  return (token){TOKEN_CHAR, wh_str_sub(s, at, at + char_len(s, at))};
}

static size_t tokenize(wh_str s, token *tokens) {
  size_t count = 0, at = 0;
  do {
    token next = token_at(s, at);
    if (next.kind == TOKEN_PARTS) tokens[count++] = (token){TOKEN_MAYBE, {0}};
    tokens[count] = next;
    at += next.text.len;
  } while (tokens[count++].kind != TOKEN_END);
  return count;
}

static bool classes_meet(wh_str a, wh_str b) {
  for (int c = 0; c < 0x80; c++) {
    char byte = (char)c;
    wh_str one = wh_str_n(&byte, 1);
    if (c != '/' && wh_glob_match(a, one) && wh_glob_match(b, one)) return true;
  }
  bool plain = true;
  for (size_t i = 0; i < a.len; i++)
    plain = plain && (unsigned char)a.data[i] < 0x80;
  for (size_t i = 0; i < b.len; i++)
    plain = plain && (unsigned char)b.data[i] < 0x80;
  bool open = a.data[1] == '!' && b.data[1] == '!'; // both take what is not ASCII
  return !plain || open;
}

// Whether one character can be taken by both tokens at once.
static bool tokens_meet(const token *a, const token *b) {
  if (a->kind > b->kind) return tokens_meet(b, a);
  if (b->kind >= TOKEN_MAYBE) return false; // takes none
  if (b->kind == TOKEN_ALL || b->kind == TOKEN_PARTS) return true;
  if (a->kind == TOKEN_CHAR) {
    if (b->kind == TOKEN_CHAR) return wh_str_eq(a->text, b->text);
    if (b->kind == TOKEN_CLASS) return wh_glob_match(b->text, a->text);
    return !wh_str_is(a->text, "/");
  }
  return a->kind != TOKEN_CLASS || b->kind != TOKEN_CLASS || classes_meet(a->text, b->text);
}

static bool stays(const token *t) {
  return t->kind == TOKEN_PART || t->kind == TOKEN_ALL || t->kind == TOKEN_PARTS;
}

// How many tokens may be passed without a character: none, one, or a second way of two.
static size_t skips(const token *t) {
  return t->kind == TOKEN_MAYBE ? 2 : t->kind == TOKEN_PART || t->kind == TOKEN_ALL;
}

typedef struct product {
  const token *a, *b;
  size_t a_count, b_count;
  uint32_t *queue; // pairs as i * b_count + j
  size_t head, tail;
  uint8_t *seen;
} product;

static void visit(product *p, size_t i, size_t j) {
  size_t pair = i * p->b_count + j;
  if (p->seen[pair]) return;
  p->seen[pair] = 1;
  p->queue[p->tail++] = (uint32_t)pair;
}

// "**/" is left only through a '/'.
static bool slash_meets(const token *t) {
  if (t->kind == TOKEN_CHAR) return wh_str_is(t->text, "/");
  return t->kind == TOKEN_ALL || t->kind == TOKEN_PARTS;
}

static void step_pair(product *p, size_t i, size_t j) {
  const token *a = &p->a[i], *b = &p->b[j];
  for (size_t n = skips(a); n > 0; n--)
    visit(p, i + n, j);
  for (size_t n = skips(b); n > 0; n--)
    visit(p, i, j + n);
  if (!tokens_meet(a, b)) return;
  // The same character taken by both: a token that stays may take more, another one is done.
  size_t next_i = stays(a) ? i : i + 1, next_j = stays(b) ? j : j + 1;
  visit(p, next_i, next_j);
  if (!slash_meets(a) || !slash_meets(b)) return;
  if (a->kind == TOKEN_PARTS) visit(p, i + 1, next_j);
  if (b->kind == TOKEN_PARTS) visit(p, next_i, j + 1);
  if (a->kind == TOKEN_PARTS && b->kind == TOKEN_PARTS) visit(p, i + 1, j + 1);
}

static bool search(product *p) {
  visit(p, 0, 0);
  while (p->head < p->tail) {
    size_t pair = p->queue[p->head++], i = pair / p->b_count, j = pair % p->b_count;
    if (i == p->a_count - 1 && j == p->b_count - 1) return true;
    step_pair(p, i, j);
  }
  return false;
}

wh_status wh_glob_overlap(wh_str a, wh_str b, wh_mem *mem, bool *ret, wh_error *err) {
  if (a.len > WH_OVERLAP_BYTES_MAX || b.len > WH_OVERLAP_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "a pattern of more than %d bytes", WH_OVERLAP_BYTES_MAX);
  }
  // Most pairs differ before their first wildcard.
  size_t literal = wh_glob_prefix(a).len, other = wh_glob_prefix(b).len;
  if (other < literal) literal = other;
  if (literal && memcmp(a.data, b.data, literal) != 0) {
    *ret = false;
    return WH_OK;
  }
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  token *ta = WH_NEW_ARRAY(&arena, a.len + 1, token);
  token *tb = WH_NEW_ARRAY(&arena, b.len + 1, token);
  if (!ta || !tb) return wh_fail_memory(err);
  product p = {.a = ta, .b = tb, .a_count = tokenize(a, ta), .b_count = tokenize(b, tb)};
  size_t pairs = p.a_count * p.b_count;
  p.queue = WH_NEW_ARRAY(&arena, pairs, uint32_t);
  p.seen = WH_NEW_ARRAY(&arena, pairs, uint8_t);
  if (!p.queue || !p.seen) return wh_fail_memory(err);
  *ret = search(&p);
  return WH_OK;
}
