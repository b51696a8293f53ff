#include "connect/range_split.h"

#include <math.h>

enum {
  TEXT_DIGITS = 6,  // bytes behind the common prefix that count
  LAST_PLAIN = '~', // of the characters that a cut is made at
};

static bool is_signed(const wh_type *type) {
  return type->kind == WH_INT8 || type->kind == WH_INT16 || type->kind == WH_INT32 ||
         type->kind == WH_INT64 || type->kind == WH_DATE || type->kind == WH_TIME ||
         type->kind == WH_TIMESTAMP;
}

static bool is_float(const wh_type *type) {
  return type->kind == WH_FLOAT32 || type->kind == WH_FLOAT64;
}

static bool can_be_cut(const wh_value *v) {
  if (v->is_null) return false;
  if (is_float(&v->type)) return isfinite(v->as.f);
  return wh_kind_is_int(v->type.kind) || is_signed(&v->type) || v->type.kind == WH_DECIMAL ||
         v->type.kind == WH_STRING;
}

// --- Numbers and times ---------------------------------------------------------------------------

// min + (max - min) * i / count. Between two decimals of 38 digits there is more than a signed
// number holds.
static __int128 between(__int128 min, __int128 max, size_t i, size_t count) {
  unsigned __int128 span = (unsigned __int128)max - (unsigned __int128)min;
  unsigned __int128 offset = span / count * i + span % count * i / count;
  return (__int128)((unsigned __int128)min + offset);
}

static wh_value cut_number(const wh_value *min, const wh_value *max, size_t i, size_t count) {
  wh_value v = {.type = min->type};
  if (is_float(&min->type)) {
    double share = (double)i / (double)count;
    v.as.f = min->as.f * (1 - share) + max->as.f * share;
  } else if (min->type.kind == WH_DECIMAL) {
    v.as.d = between(min->as.d, max->as.d, i, count);
  } else if (is_signed(&min->type)) {
    v.as.i = (int64_t)between(min->as.i, max->as.i, i, count);
  } else {
    v.as.u = (uint64_t)between(min->as.u, max->as.u, i, count);
  }
  return v;
}

// --- Text ----------------------------------------------------------------------------------------

static size_t common_prefix(wh_str a, wh_str b) {
  size_t len = 0;
  while (len < a.len && len < b.len && a.data[len] == b.data[len])
    len++;
  return wh_utf8_cut(a, len);
}

static uint64_t number_behind(wh_str s, size_t from) {
  uint64_t number = 0;
  for (size_t i = 0; i < TEXT_DIGITS; i++)
    number = number << 8 | (from + i < s.len ? (unsigned char)s.data[from + i] : 0);
  return number;
}

// The prefix, and of the number's bytes those up to the first that is no plain character.
static wh_status cut_text(wh_str min, wh_str max, size_t i, size_t count, wh_arena *arena,
                          wh_value *ret, wh_error *err) {
  size_t prefix = common_prefix(min, max), len = prefix;
  uint64_t number = (uint64_t)between((__int128)number_behind(min, prefix),
                                      (__int128)number_behind(max, prefix), i, count);
  char *text = wh_arena_alloc(arena, prefix + TEXT_DIGITS + 1);
  if (!text) return wh_fail_memory(err);
  if (prefix) memcpy(text, min.data, prefix);
  for (int shift = 8 * (TEXT_DIGITS - 1); shift >= 0; shift -= 8) {
    unsigned char c = (unsigned char)(number >> shift & 0xFF);
    bool is_plain = c >= ' ' && c < LAST_PLAIN;
    if (is_plain || c >= LAST_PLAIN) text[len++] = is_plain ? (char)c : LAST_PLAIN;
    if (!is_plain) break;
  }
  *ret = (wh_value){.type = wh_type_of(WH_STRING), .as.s = wh_str_n(text, len)};
  return WH_OK;
}

// --- All of it -----------------------------------------------------------------------------------

static wh_status cut(const wh_value *min, const wh_value *max, size_t i, size_t count,
                     wh_arena *arena, wh_value *ret, wh_error *err) {
  if (min->type.kind == WH_STRING) return cut_text(min->as.s, max->as.s, i, count, arena, ret, err);
  *ret = cut_number(min, max, i, count);
  return WH_OK;
}

wh_status wh_range_bounds(const wh_value *min, const wh_value *max, size_t count, wh_arena *arena,
                          wh_value *ret, size_t *ret_count, wh_error *err) {
  *ret_count = 0;
  if (!can_be_cut(min) || !can_be_cut(max) || !wh_type_eq(&min->type, &max->type)) return WH_OK;
  // A server's own order may be another.
  bool is_turned = wh_value_compare(min, max) > 0;
  const wh_value *low = is_turned ? max : min, *high = is_turned ? min : max, *last = low;
  for (size_t i = 1; i < count; i++) {
    wh_value v;
    WH_TRY(cut(low, high, i, count, arena, &v, err));
    if (wh_value_compare(&v, last) <= 0) continue;
    ret[*ret_count] = v;
    last = &ret[(*ret_count)++];
  }
  return WH_OK;
}
