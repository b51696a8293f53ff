// Stage two: the grammar of RFC 8259 over the positions that the scan found. Everything that reads
// JSON here (rows, inference, skipping, validation) takes its steps from this file, so there is
// one grammar.
//
// A step consumes what it names and the white space before it, and returns false with feed->fault
// filled when the text says otherwise. Positions and views are of the window.
#pragma once

#include "codec/json/feed.h"

enum {
  JSON_DEPTH_MAX = 512, // arrays and objects inside each other, where types do not set the limit
};

typedef enum json_kind { JSON_TEXT, JSON_SCALAR, JSON_OBJECT, JSON_ARRAY } json_kind;

typedef struct json_value {
  json_kind kind;
  bool plain;  // TEXT: no escapes, no control characters, ASCII only
  wh_str text; // TEXT: what stands between the quotes. SCALAR: the token, not looked at yet
} json_value;

static inline size_t json_at(const json_feed *feed, const char *p) {
  return (size_t)(p - feed->data);
}

// Returns false, for `return json_fault_at(...)`. A fault that is there is kept.
__attribute__((format(printf, 4, 5))) bool json_fault_at(json_feed *feed, json_fault_kind kind,
                                                         size_t at, const char *fmt, ...);
// Faults of the steps below, out of their way: the window or the text ended, or the byte at
// index entry `entry` (or what stands before it) is not what was expected.
bool json_unexpected(json_feed *feed, uint32_t entry, const char *expected);
bool json_unclosed(json_feed *feed, uint32_t entry);

bool json_blank_slow(json_feed *feed, size_t from, size_t to);
// Nothing but white space.
static inline bool json_blank(json_feed *feed, size_t from, size_t to) {
  if (__builtin_expect(from == to, 1)) return true;
  if (to - from == 1 && feed->data[from] == ' ') return true;
  return json_blank_slow(feed, from, to);
}

// The same before a string or bracket where a value begins: says that a comma is missing.
bool json_blank_before(json_feed *feed, size_t from, size_t to);

// Whether any byte between two positions needs a look (not ASCII, control, backslash).
static inline bool json_is_plain(const json_feed *feed, size_t from, size_t to) {
  if (from == to) return true;
  size_t a = from / JSON_BLOCK_BYTES, b = (to - 1) / JSON_BLOCK_BYTES;
  uint64_t low = ~0ull << from % JSON_BLOCK_BYTES;
  uint64_t high = ~0ull >> (JSON_BLOCK_BYTES - 1 - (to - 1) % JSON_BLOCK_BYTES);
  if (a == b) return !(feed->attention[a] & low & high);
  uint64_t any = (feed->attention[a] & low) | (feed->attention[b] & high);
  while (++a < b)
    any |= feed->attention[a];
  return !any;
}

// A string whose opening quote is the next entry.
static inline bool json_take_text(json_feed *feed, json_value *ret) {
  uint32_t at = feed->index_at;
  size_t open = feed->index[at], close = feed->index[at + 1];
  if (__builtin_expect(feed->data[close] != '"', 0)) return json_unclosed(feed, at + 1);
  ret->kind = JSON_TEXT;
  ret->text = wh_str_n(feed->data + open + 1, close - open - 1);
  ret->plain = json_is_plain(feed, open + 1, close);
  feed->index_at = at + 2;
  feed->pos = close + 1;
  return true;
}

// White space around the token, or no token.
bool json_take_scalar_slow(json_feed *feed, json_value *ret);

static inline bool json_is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// What stands before the next entry. Whether it is a number or a word is looked at later.
static inline bool json_take_scalar(json_feed *feed, json_value *ret) {
  size_t from = feed->pos, end = feed->index[feed->index_at];
  from += feed->data[from] == ' ';
  if (__builtin_expect(from >= end || end >= feed->len || json_is_blank(feed->data[from]) ||
                           json_is_blank(feed->data[end - 1]),
                       0)) {
    return json_take_scalar_slow(feed, ret);
  }
  ret->kind = JSON_SCALAR;
  ret->plain = false;
  ret->text = wh_str_n(feed->data + from, end - from);
  feed->pos = end;
  return true;
}

// A value: all of a string or scalar, the opening bracket of an object or array.
static inline bool json_take_value(json_feed *feed, json_value *ret) {
  json_feed_ahead(feed);
  size_t next = feed->index[feed->index_at];
  switch (feed->data[next]) {
  case '"':
    if (feed->pos != next && !json_blank_before(feed, feed->pos, next)) return false;
    return json_take_text(feed, ret);
  case '{':
  case '[':
    if (feed->pos != next && !json_blank_before(feed, feed->pos, next)) return false;
    ret->kind = feed->data[next] == '{' ? JSON_OBJECT : JSON_ARRAY;
    feed->index_at++;
    feed->pos = next + 1;
    return true;
  default:
    return json_take_scalar(feed, ret);
  }
}

// Behind the opening bracket (`first`) or a member: the comma if there must be one, the next key
// and its colon; or the closing bracket, then *done.
static inline bool json_take_key(json_feed *feed, bool first, json_value *key, bool *done) {
  json_feed_ahead(feed);
  size_t next = feed->index[feed->index_at];
  if (!first) {
    if (feed->data[next] == ',') {
      if (!json_blank(feed, feed->pos, next)) return false;
      feed->pos = next + 1;
      next = feed->index[++feed->index_at];
      if (feed->data[next] != '"') return json_unexpected(feed, feed->index_at, "a key in quotes");
    } else if (feed->data[next] != '}') {
      return json_unexpected(feed, feed->index_at, "',' or '}' behind a value");
    }
  }
  if (!json_blank(feed, feed->pos, next)) return false;
  if (feed->data[next] == '}') {
    feed->index_at++;
    feed->pos = next + 1;
    *done = true;
    return true;
  }
  if (feed->data[next] != '"') {
    return json_unexpected(feed, feed->index_at, "a key in quotes, or '}'");
  }
  if (!json_take_text(feed, key)) return false;
  next = feed->index[feed->index_at];
  if (feed->data[next] != ':') return json_unexpected(feed, feed->index_at, "':' behind a key");
  if (!json_blank(feed, feed->pos, next)) return false;
  feed->index_at++;
  feed->pos = next + 1;
  *done = false;
  return true;
}

// Behind the opening bracket (`first`) or an item: the comma, so that the next item stands before
// us; or the closing bracket, then *done.
static inline bool json_take_comma(json_feed *feed, bool first, bool *done) {
  json_feed_ahead(feed);
  size_t next = feed->index[feed->index_at];
  char c = feed->data[next];
  *done = false;
  if (first) {
    // Nothing but white space before a ']' is an empty array; anything else is for the next step.
    if (c != ']') return true;
    for (size_t i = feed->pos; i < next; i++)
      if (!json_is_blank(feed->data[i])) return true;
  } else if (c != ',' && c != ']') {
    return json_unexpected(feed, feed->index_at, "',' or ']' behind a value");
  } else if (!json_blank(feed, feed->pos, next)) {
    return false;
  }
  feed->index_at++;
  feed->pos = next + 1;
  *done = c == ']';
  return true;
}

// Looks at a string or scalar as a whole: escapes, UTF-8, numbers, words.
bool json_check_value(json_feed *feed, const json_value *value);

// Consumes a whole value. `thorough`: with json_check_value for all of it; otherwise only the
// structure counts, so that a value with a fault can be passed over.
bool json_skip(json_feed *feed, bool thorough);

// The fault in hand as an error of the whole input.
wh_status json_fault_fail(const json_feed *feed, wh_error *err);
