#include "codec/parquet/range.h"

// --- Numbers -------------------------------------------------------------------------------------

static void set_number(pq_range *range, const void *min, const void *max, size_t width) {
  range->any = true;
  range->min_len = range->max_len = (uint8_t)width;
  memcpy(range->min, min, width);
  memcpy(range->max, max, width);
}

#define DEFINE_INTEGERS(name, type)                                                                \
  static void name(pq_range *range, const uint8_t *values, size_t count) {                         \
    const type *v = (const type *)(const void *)values;                                            \
    type min = v[0], max = v[0];                                                                   \
    if (range->any) {                                                                              \
      memcpy(&min, range->min, sizeof min);                                                        \
      memcpy(&max, range->max, sizeof max);                                                        \
    }                                                                                              \
    for (size_t i = 0; i < count; i++) {                                                           \
      min = v[i] < min ? v[i] : min;                                                               \
      max = v[i] > max ? v[i] : max;                                                               \
    }                                                                                              \
    set_number(range, &min, &max, sizeof min);                                                     \
  }
DEFINE_INTEGERS(add_i32, int32_t)
DEFINE_INTEGERS(add_u32, uint32_t)
DEFINE_INTEGERS(add_i64, int64_t)
DEFINE_INTEGERS(add_u64, uint64_t)
DEFINE_INTEGERS(add_bool, uint8_t)

// NaN is in no order, so it is left out; a zero may be either, so the least is written as -0 and
// the greatest as +0 (parquet.thrift, ColumnOrder).
#define DEFINE_FLOATS(name, type, infinity)                                                        \
  static void name(pq_range *range, const uint8_t *values, size_t count) {                         \
    const type *v = (const type *)(const void *)values;                                            \
    type min = infinity, max = -infinity;                                                          \
    bool nan = false;                                                                              \
    for (size_t i = 0; i < count; i++) {                                                           \
      min = v[i] < min ? v[i] : min;                                                               \
      max = v[i] > max ? v[i] : max;                                                               \
      nan |= v[i] != v[i];                                                                         \
    }                                                                                              \
    range->has_nan |= nan;                                                                         \
    if (min > max) return;                                                                         \
    type was;                                                                                      \
    if (range->any) {                                                                              \
      memcpy(&was, range->min, sizeof was);                                                        \
      min = was < min ? was : min;                                                                 \
      memcpy(&was, range->max, sizeof was);                                                        \
      max = was > max ? was : max;                                                                 \
    }                                                                                              \
    if (min == 0) min = -(type)0.0;                                                                \
    if (max == 0) max = (type)0.0;                                                                 \
    set_number(range, &min, &max, sizeof min);                                                     \
  }
DEFINE_FLOATS(add_f32, float, __builtin_inff())
DEFINE_FLOATS(add_f64, double, __builtin_inf())

// Two's complement, the highest byte first.
static int compare_fixed(const uint8_t *a, const uint8_t *b, size_t width) {
  int top = (int)(int8_t)a[0] - (int)(int8_t)b[0];
  return top ? top : memcmp(a + 1, b + 1, width - 1);
}

static void add_fixed(pq_range *range, const uint8_t *values, size_t count, size_t width) {
  const uint8_t *min = range->any ? range->min : values, *max = range->any ? range->max : values;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *v = values + i * width;
    if (compare_fixed(v, min, width) < 0) min = v;
    if (compare_fixed(v, max, width) > 0) max = v;
  }
  uint8_t both[2][sizeof(__int128)];
  memcpy(both[0], min, width);
  memcpy(both[1], max, width);
  set_number(range, both[0], both[1], width);
}

// --- Text ----------------------------------------------------------------------------------------

// The first eight bytes as a number that compares as they do; zeros behind a short text.
static uint64_t text_head(const uint8_t *text, size_t len) {
  uint64_t x = 0;
  memcpy(&x, text, len < 8 ? len : 8);
  return __builtin_bswap64(x);
}

static int compare_kept(wh_str text, const uint8_t *kept, size_t kept_len) {
  return wh_str_cmp(wh_str_sub(text, 0, PQ_RANGE_BYTES), wh_str_n((const char *)kept, kept_len));
}

static void keep(wh_str text, uint8_t *kept, uint8_t *ret_len, bool *ret_cut) {
  *ret_len = (uint8_t)(text.len < PQ_RANGE_BYTES ? text.len : PQ_RANGE_BYTES);
  *ret_cut = text.len > PQ_RANGE_BYTES;
  if (*ret_len) memcpy(kept, text.data, *ret_len);
}

void pq_range_add_text(pq_range *range, wh_str text) {
  int below = range->any ? compare_kept(text, range->min, range->min_len) : -1;
  int above = range->any ? compare_kept(text, range->max, range->max_len) : 1;
  // Of two that begin alike, the whole one is the less.
  bool long_one = text.len > PQ_RANGE_BYTES;
  if (below < 0 || (below == 0 && range->min_cut && !long_one))
    keep(text, range->min, &range->min_len, &range->min_cut);
  if (above > 0 || (above == 0 && !range->max_cut && long_one))
    keep(text, range->max, &range->max_len, &range->max_cut);
  range->any = true;
}

void pq_range_heads(const pq_range *range, uint64_t *ret_min, uint64_t *ret_max) {
  *ret_min = text_head(range->min, range->min_len);
  *ret_max = text_head(range->max, range->max_len);
}

static void add_texts(pq_range *range, const pq_values *values) {
  const char *bytes = (const char *)values->bytes;
  const int32_t *offsets = values->offsets;
  if (!range->any)
    pq_range_add_text(range, wh_str_n(bytes + offsets[0], (size_t)(offsets[1] - offsets[0])));
  uint64_t least, most;
  pq_range_heads(range, &least, &most);
  for (size_t i = 0; i < values->count; i++) {
    size_t len = (size_t)(offsets[i + 1] - offsets[i]);
    uint64_t head = text_head(values->bytes + offsets[i], len);
    if (head > least && head < most) continue;
    pq_range_add_text(range, wh_str_n(bytes + offsets[i], len));
    pq_range_heads(range, &least, &most);
  }
}

// --- All -----------------------------------------------------------------------------------------

void pq_range_add(pq_range *range, const pq_leaf *leaf, const pq_values *values) {
  if (values->count == 0) return;
  switch (leaf->physical) {
  case PQ_BOOLEAN:
    add_bool(range, values->fixed, values->count);
    break;
  case PQ_INT32:
    (leaf->unsigned_order ? add_u32 : add_i32)(range, values->fixed, values->count);
    break;
  case PQ_INT64:
    (leaf->unsigned_order ? add_u64 : add_i64)(range, values->fixed, values->count);
    break;
  case PQ_FLOAT:
    add_f32(range, values->fixed, values->count);
    break;
  case PQ_DOUBLE:
    add_f64(range, values->fixed, values->count);
    break;
  case PQ_BYTE_ARRAY:
    add_texts(range, values);
    break;
  default:
    add_fixed(range, values->fixed, values->count, leaf->width);
  }
}

static void merge_text(pq_range *range, const uint8_t *kept, size_t len, bool cut) {
  // One byte more says that there was more.
  char text[PQ_RANGE_BYTES + 1] = {0};
  memcpy(text, kept, len);
  pq_range_add_text(range, wh_str_n(text, len + cut));
}

void pq_range_merge(pq_range *range, const pq_leaf *leaf, const pq_range *other) {
  range->has_nan |= other->has_nan;
  if (!other->any) return;
  if (!range->any) {
    bool nan = range->has_nan;
    *range = *other;
    range->has_nan = nan;
  } else if (leaf->physical == PQ_BYTE_ARRAY) {
    merge_text(range, other->min, other->min_len, other->min_cut);
    merge_text(range, other->max, other->max_len, other->max_cut);
  } else {
    _Alignas(16) uint8_t both[2 * sizeof(__int128)];
    memcpy(both, other->min, leaf->width);
    memcpy(both + leaf->width, other->max, leaf->width);
    pq_range_add(range, leaf, &(pq_values){.count = 2, .fixed = both});
  }
}

// Makes the text greater than all that begin with it, and no longer: the last character that has
// one behind it takes that one, and what follows goes. False when there is none.
static bool round_up_utf8(uint8_t *text, uint8_t *len) {
  while (*len) {
    size_t at = wh_utf8_cut(wh_str_n((const char *)text, *len), *len - 1u);
    uint32_t c = text[at];
    unsigned more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    c &= more ? 0x3Fu >> more : 0x7Fu;
    for (unsigned i = 1; i <= more; i++)
      c = c << 6 | (text[at + i] & 0x3F);
    c = c + 1 == 0xD800 ? 0xE000 : c + 1;
    *len = (uint8_t)at;
    // A character that would take more bytes is as good as none; the one before serves.
    static const uint32_t ends[4] = {0x80, 0x800, 0x10000, 0x110000};
    if (c >= ends[more]) continue;
    for (unsigned i = more; i > 0; i--, c >>= 6)
      text[at + i] = (uint8_t)(0x80 | (c & 0x3F));
    text[at] = (uint8_t)(more ? (0xFF00u >> (more + 1) & 0xFF) | c : c);
    *len = (uint8_t)(at + more + 1);
    return true;
  }
  return false;
}

static bool round_up_bytes(uint8_t *bytes, uint8_t *len) {
  while (*len && bytes[*len - 1] == 0xFF)
    --*len;
  if (*len == 0) return false;
  bytes[*len - 1]++;
  return true;
}

void pq_range_bounds(const pq_range *range, const pq_leaf *leaf, pq_bounds *ret) {
  *ret = (pq_bounds){.has_min = range->any, .has_max = range->any};
  if (!range->any) return;
  ret->min_exact = !range->min_cut;
  ret->max_exact = !range->max_cut;
  ret->min_len = range->min_len;
  ret->max_len = range->max_len;
  memcpy(ret->min, range->min, range->min_len);
  memcpy(ret->max, range->max, range->max_len);
  bool string = leaf->type->kind == WH_STRING;
  if (range->min_cut && string)
    ret->min_len = (uint8_t)wh_utf8_valid_prefix(wh_str_n((const char *)ret->min, ret->min_len));
  if (!range->max_cut) return;
  if (string) {
    ret->max_len = (uint8_t)wh_utf8_valid_prefix(wh_str_n((const char *)ret->max, ret->max_len));
    ret->has_max = round_up_utf8(ret->max, &ret->max_len);
  } else {
    ret->has_max = round_up_bytes(ret->max, &ret->max_len);
  }
}

int pq_bound_compare(const pq_leaf *leaf, wh_str a, wh_str b) {
  if (leaf->physical == PQ_BYTE_ARRAY) return wh_str_cmp(a, b);
  // Whether b widens the range of a alone, and on which side.
  pq_range range = {0};
  _Alignas(16) uint8_t value[sizeof(__int128)] = {0};
  memcpy(value, a.data, leaf->width);
  pq_range_add(&range, leaf, &(pq_values){.count = 1, .fixed = value});
  uint8_t was[sizeof value];
  memcpy(was, range.min, leaf->width);
  memcpy(value, b.data, leaf->width);
  pq_range_add(&range, leaf, &(pq_values){.count = 1, .fixed = value});
  if (memcmp(range.min, was, leaf->width) != 0) return 1;
  return memcmp(range.max, range.min, leaf->width) != 0 ? -1 : 0;
}
