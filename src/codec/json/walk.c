#include "codec/json/walk.h"

#include "codec/json/number.h"
#include "codec/json/text.h"

#include <stdio.h>

enum { EXCERPT_BYTES = 24 };

bool json_fault_at(json_feed *feed, json_fault_kind kind, size_t at, const char *fmt, ...) {
  json_fault *fault = &feed->fault;
  if (fault->kind != JSON_FINE) return false;
  fault->kind = kind;
  fault->at = at;
  fault->rule = "json";
  fault->column = (wh_str){0};
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(fault->reason, sizeof fault->reason, fmt, args);
  va_end(args);
  if ((size_t)n >= sizeof fault->reason) {
    size_t most = sizeof fault->reason - 1;
    fault->reason[wh_utf8_cut(wh_str_n(fault->reason, most), most - 3)] = 0;
  }
  return false;
}

// What stands at `at`, fit for a sentence.
static void describe(const json_feed *feed, size_t at, char *ret, size_t size) {
  unsigned char c = (unsigned char)feed->data[at];
  if (c < 0x20 || c >= 0x7F) {
    snprintf(ret, size, c == '\n' ? "the end of the line" : "the byte 0x%02X", c);
    return;
  }
  size_t n = 1;
  bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  while (word && n < EXCERPT_BYTES && at + n < feed->len) {
    unsigned char next = (unsigned char)feed->data[at + n];
    if (next <= ' ' || next >= 0x7F || strchr("{}[]:,\"'", next)) break;
    n++;
  }
  snprintf(ret, size, "'%.*s'", (int)n, feed->data + at);
}

// The window ended at the entry: there is more to come, or the text stops short.
static bool stops_short(json_feed *feed, size_t at) {
  if (!feed->ended) return json_fault_at(feed, JSON_MORE, at, "more");
  return json_fault_at(feed, JSON_BROKEN, at, "the text ends inside a value");
}

bool json_unexpected(json_feed *feed, uint32_t entry, const char *expected) {
  size_t at = feed->pos, end = feed->index[entry];
  while (at < end && json_is_blank(feed->data[at]))
    at++;
  if (at >= feed->len) return stops_short(feed, at);
  // A window that ends in a gap may have cut it short.
  if (end >= feed->len && !feed->ended) return stops_short(feed, at);
  char found[48];
  describe(feed, at, found, sizeof found);
  return json_fault_at(feed, JSON_BROKEN, at, "expected %s, found %s", expected, found);
}

bool json_unclosed(json_feed *feed, uint32_t entry) {
  size_t open = feed->index[entry - 1], end = feed->index[entry];
  if (end >= feed->len && !feed->ended) return stops_short(feed, end);
  wh_place place = json_feed_place(feed, open);
  return json_fault_at(feed, JSON_BROKEN, open, "the string opened at byte %llu is never closed",
                       (unsigned long long)place.byte);
}

bool json_blank_slow(json_feed *feed, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    if (json_is_blank(feed->data[i])) continue;
    // The window may have cut the word.
    if (to >= feed->len && !feed->ended) return stops_short(feed, to);
    char found[48];
    describe(feed, i, found, sizeof found);
    return json_fault_at(feed, JSON_BROKEN, i, "%s is not expected here", found);
  }
  return true;
}

bool json_blank_before(json_feed *feed, size_t from, size_t to) {
  while (from < to && json_is_blank(feed->data[from]))
    from++;
  if (from == to) return true;
  char found[48];
  describe(feed, from, found, sizeof found);
  return json_fault_at(feed, JSON_BROKEN, from, "',' is missing behind %s", found);
}

bool json_take_scalar_slow(json_feed *feed, json_value *ret) {
  size_t from = feed->pos, end = feed->index[feed->index_at], to = end;
  // The window may have cut the token.
  if (end >= feed->len && !feed->ended) return stops_short(feed, from);
  while (from < to && json_is_blank(feed->data[from]))
    from++;
  while (from < to && json_is_blank(feed->data[to - 1]))
    to--;
  if (from == to) return json_unexpected(feed, feed->index_at, "a value");
  ret->kind = JSON_SCALAR;
  ret->plain = false;
  ret->text = wh_str_n(feed->data + from, to - from);
  feed->pos = end;
  return true;
}

// Two tokens with white space between them: the comma is missing. Otherwise the one is wrong.
static bool bad_scalar(json_feed *feed, wh_str token) {
  char found[48];
  for (size_t i = 0; i < token.len; i++) {
    if (!json_is_blank(token.data[i])) continue;
    while (json_is_blank(token.data[i]))
      i++;
    size_t at = json_at(feed, token.data + i);
    describe(feed, at, found, sizeof found);
    return json_fault_at(feed, JSON_BROKEN, at, "',' is missing before %s", found);
  }
  size_t at = json_at(feed, token.data);
  describe(feed, at, found, sizeof found);
  return json_fault_at(feed, JSON_BAD, at, "%s is not a JSON value", found);
}

bool json_check_value(json_feed *feed, const json_value *value) {
  if (value->kind == JSON_TEXT) return value->plain || json_text_check(feed, value);
  if (value->kind != JSON_SCALAR) return true;
  wh_str s = value->text;
  json_number number;
  if (json_number_parse(s.data, s.data + s.len, &number)) return true;
  if (wh_str_is(s, "true") || wh_str_is(s, "false") || wh_str_is(s, "null")) return true;
  return bad_scalar(feed, s);
}

// Which brackets are open: a bit each, set for objects.
typedef struct nesting {
  unsigned depth;
  uint64_t objects[JSON_DEPTH_MAX / 64];
} nesting;

static bool enter(json_feed *feed, nesting *n, bool object) {
  if (n->depth == JSON_DEPTH_MAX) {
    return json_fault_at(feed, JSON_BROKEN, feed->pos - 1,
                         "arrays and objects are nested more than %d deep", JSON_DEPTH_MAX);
  }
  uint64_t bit = 1ull << n->depth % 64;
  if (object)
    n->objects[n->depth / 64] |= bit;
  else
    n->objects[n->depth / 64] &= ~bit;
  n->depth++;
  return true;
}

// Steps to where the next value stands, leaving what ends there.
static bool next_value(json_feed *feed, nesting *n, bool first, bool thorough) {
  while (n->depth) {
    unsigned top = n->depth - 1;
    bool done = false;
    if (n->objects[top / 64] >> top % 64 & 1) {
      json_value key;
      if (!json_take_key(feed, first, &key, &done)) return false;
      if (!done) return !thorough || json_check_value(feed, &key);
    } else {
      if (!json_take_comma(feed, first, &done)) return false;
      if (!done) return true;
    }
    n->depth--;
    first = false;
  }
  return true;
}

bool json_skip(json_feed *feed, bool thorough) {
  nesting n = {0};
  do {
    json_value value;
    if (!json_take_value(feed, &value)) return false;
    bool opened = value.kind == JSON_OBJECT || value.kind == JSON_ARRAY;
    if (opened && !enter(feed, &n, value.kind == JSON_OBJECT)) return false;
    if (!opened && thorough && !json_check_value(feed, &value)) return false;
    if (!next_value(feed, &n, opened, thorough)) return false;
  } while (n.depth);
  return true;
}

wh_status json_fault_fail(const json_feed *feed, wh_error *err) {
  wh_place place = json_feed_place(feed, feed->fault.at);
  return wh_fail_at(err, WH_ERR_DATA, place, "%s (line %llu, column %llu, byte %llu)",
                    feed->fault.reason, (unsigned long long)place.line,
                    (unsigned long long)place.column, (unsigned long long)place.byte);
}
