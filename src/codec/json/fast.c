#include "codec/json/fast.h"

#include "base/cpu.h"
#include "codec/json/fast_scalar.h"
#include "codec/json/text.h"

bool json_fast_off;

const uint64_t json_powers[17] = {1,
                                  10,
                                  100,
                                  1000,
                                  10000,
                                  100000,
                                  1000000,
                                  10000000,
                                  100000000,
                                  1000000000,
                                  10000000000,
                                  100000000000,
                                  1000000000000,
                                  10000000000000,
                                  100000000000000,
                                  1000000000000000,
                                  10000000000000000};

enum {
  LOOK_BYTES = 32,
  NULL_WORD = 0x6C6C756E, // "null", as it is loaded
  TRUE_WORD = 0x65757274,
  FALS_WORD = 0x736C6166,
};

// --- Keys and values that are not there ----------------------------------------------------------

// Whether the rest of a long key stands there, too.
static bool is_long_key(const json_slot *slot, const char *p) {
  // Zeros, with which the window ends, stand in no key: so this does not run beyond them.
  for (uint32_t i = JSON_KEY_BLOCK; i < slot->key_len; i++)
    if (p[i] != slot->key[i]) return false;
  return true;
}

static bool missing(json_decoder *d, json_slot **from, json_slot **end, wh_column *columns) {
  for (; from < end; from++) {
    const json_slot *slot = *from;
    if (slot->column < 0) continue;
    if (!slot->nullable || wh_column_add_null(&columns[slot->column], d->err) != WH_OK)
      return false;
  }
  return true;
}

// --- Values that are not wanted ------------------------------------------------------------------

// p is behind the opening quote.
static const char *skip_text(const char *p) {
  for (;; p++) {
    if ((unsigned char)*p < 0x20) return NULL;
    if (*p == '"') return p + 1;
    if (*p == '\\' && (unsigned char)*++p < 0x20) return NULL;
  }
}

static inline const char *skip_spaces(const char *p) {
  while (*p == ' ' || *p == '\t' || *p == '\r')
    p++;
  return p;
}

static const char *skip_value(const char *p, int depth);

// p is behind the opening bracket. A key and a colon stand before each value of an object.
static const char *skip_nested(const char *p, char close, int depth) {
  p = skip_spaces(p);
  if (*p == close) return p + 1;
  for (;;) {
    if (close == '}') {
      if (*p != '"' || !(p = skip_text(p + 1))) return NULL;
      p = skip_spaces(p);
      if (*p++ != ':') return NULL;
      p = skip_spaces(p);
    }
    p = skip_value(p, depth);
    if (!p) return NULL;
    p = skip_spaces(p);
    if (*p == close) return p + 1;
    if (*p++ != ',') return NULL;
    p = skip_spaces(p);
  }
}

// What json_skip passes over when it is not thorough: only the structure counts.
static const char *skip_value(const char *p, int depth) {
  enum { DEEP = 64 };
  if (*p == '"') return skip_text(p + 1);
  if (*p == '{' || *p == '[')
    return depth < DEEP ? skip_nested(p + 1, *p == '{' ? '}' : ']', depth + 1) : NULL;
  const char *from = p;
  while ((unsigned char)*p >= 0x20 && *p != ',' && *p != '}' && *p != ']') {
    if (*p == '"' || *p == ':' || *p == '{' || *p == '[') return NULL;
    p++;
  }
  return p > from && *from != ' ' ? p : NULL;
}

// Of a list whose items are only counted.
static const char *pass_item(json_decoder *d, wh_column *c, const char *p) {
  p = skip_value(p, 0);
  return p && wh_column_add_null(c, d->err) == WH_OK ? p : NULL;
}

// --- Values --------------------------------------------------------------------------------------

// A string in which `n` bytes are ordinary, and the next is a backslash or should not be there.
static const char *escaped_text(json_decoder *d, wh_column *c, const char *p, size_t n) {
  if (p[n] != '\\') return NULL;
  const char *end = skip_text(p + n);
  if (!end) return NULL;
  json_value value = {.kind = JSON_TEXT, .text = wh_str_n(p, (size_t)(end - p) - 1)};
  return json_add_escaped(d, c, &value) ? end : NULL;
}

// Of a type that has no way of its own here.
static const char *by_token(json_decoder *d, json_slot *slot, wh_column *c, const char *p) {
  const char *from = p;
  json_value value = {.kind = JSON_TEXT};
  if (*p == '"') {
    p = skip_text(p + 1);
    if (!p) return NULL;
    value.text = wh_str_n(from + 1, (size_t)(p - from) - 2);
    return json_convert_text(d, slot, c, &value) ? p : NULL;
  }
  while ((unsigned char)*p > ' ' && *p != ',' && *p != '}' && *p != ']')
    p++;
  return p > from && json_convert_scalar(d, slot, c, wh_str_n(from, (size_t)(p - from))) ? p : NULL;
}

static inline bool add_float(json_decoder *d, json_slot *slot, wh_column *c,
                             const json_number *number) {
  double value;
  if (!wh_f64_of_digits(number->digits, number->exponent, number->negative, &value)) return false;
  if (slot->shape) {
    // What a double may not give back is looked at by the slow way.
    if (number->count > 15) return false;
    if (!json_note_float(&d->notes, slot, number)) return false;
  }
  return wh_column_add_f64(c, value, d->err) == WH_OK;
}

static inline bool add_decimal(json_decoder *d, json_slot *slot, wh_column *c,
                               const json_number *number) {
  int shift = slot->type.scale + number->exponent;
  if (shift < 0 || shift > 16) return false;
  __int128 value = (__int128)number->digits * (int64_t)json_powers[shift];
  if (value >= wh_pow10(slot->type.precision)) return false;
  if (!json_note_float(&d->notes, slot, number)) return false;
  return wh_column_add_decimal(c, number->negative ? -value : value, d->err) == WH_OK;
}

static const char *take_bool(json_decoder *d, wh_column *c, const char *p) {
  bool yes = json_load4(p) == TRUE_WORD;
  if (!yes && (json_load4(p) != FALS_WORD || p[4] != 'e')) return NULL;
  return wh_column_add_bool(c, yes, d->err) == WH_OK ? p + 5 - yes : NULL;
}

// --- Looks at 32 bytes ---------------------------------------------------------------------------

// Copies them, and says of each whether it ends the ordinary part of a string (a quote, a
// backslash, a control character), and in *high whether it is not ASCII: a bit a byte.

static inline uint32_t top_bits(uint64_t x) {
  return (uint32_t)((x & 0x8080808080808080u) * 0x0002040810204081u >> 56);
}

static inline uint32_t look_plain(const char *p, char *out, uint32_t *high) {
  uint32_t stop = 0;
  *high = 0;
  for (unsigned i = 0; i < LOOK_BYTES; i += 8) {
    uint64_t x = json_load8(p + i), low = x & 0x7F7F7F7F7F7F7F7Fu;
    memcpy(out + i, &x, sizeof x);
    // Zero bytes of a difference, and bytes below 0x20, exactly: no borrow leaves its byte.
    uint64_t quote = (low ^ 0x2222222222222222u) + 0x7F7F7F7F7F7F7F7Fu;
    uint64_t slash = (low ^ 0x5C5C5C5C5C5C5C5Cu) + 0x7F7F7F7F7F7F7F7Fu;
    uint64_t control = low + 0x6060606060606060u;
    stop |= top_bits(~(quote & slash & control) & ~x) << i;
    *high |= top_bits(x) << i;
  }
  return stop;
}

// Which of JSON_KEY_BLOCK bytes are the same.
static inline uint32_t same_plain(const char *p, const char *key) {
  uint32_t same = 0;
  for (unsigned i = 0; i < JSON_KEY_BLOCK; i += 8) {
    uint64_t x = json_load8(p + i) ^ json_load8(key + i);
    uint64_t differs = ((x & 0x7F7F7F7F7F7F7F7Fu) + 0x7F7F7F7F7F7F7F7Fu) | x;
    same |= top_bits(~differs) << i;
  }
  return same;
}

#define FAST(name) name##_plain
#define FAST_LOOK  look_plain
#define FAST_SAME  same_plain
#define FAST_TARGET
#include "codec/json/fast_rows.h"
#undef FAST
#undef FAST_LOOK
#undef FAST_SAME
#undef FAST_TARGET

#ifdef __x86_64__
#include <immintrin.h>

#define FAST_TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

FAST_TARGET static inline uint32_t look_avx2(const char *p, char *out, uint32_t *high) {
  __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p);
  _mm256_storeu_si256((__m256i *)(void *)out, x);
  __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(x, _mm256_set1_epi8(0x1F)), x);
  __m256i quote = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('"'));
  __m256i slash = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('\\'));
  *high = (uint32_t)_mm256_movemask_epi8(x);
  return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(control, _mm256_or_si256(quote, slash)));
}

FAST_TARGET static inline uint32_t same_avx2(const char *p, const char *key) {
  __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
  __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)key);
  return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
}

#define FAST(name) name##_avx2
#define FAST_LOOK  look_avx2
#define FAST_SAME  same_avx2
#include "codec/json/fast_rows.h"
#endif

// --- Rows ----------------------------------------------------------------------------------------

typedef struct cursor {
  const char *p;
  uint64_t line, line_start; // the byte of the input that it starts with
} cursor;

// Passes white space, and one comma if there is one.
static inline bool skip_blank(const json_feed *feed, cursor *at) {
  for (bool comma = false;; at->p++) {
    if (*at->p == '\n') {
      at->line++;
      at->line_start = feed->base + (uint64_t)(at->p + 1 - feed->data);
    } else if (*at->p == ',' && !comma) {
      comma = true;
    } else if (*at->p != ' ' && *at->p != '\t' && *at->p != '\r') {
      return comma;
    }
  }
}

static inline wh_place place_of(const json_feed *feed, const cursor *at, uint64_t row) {
  uint64_t byte = feed->base + (uint64_t)(at->p - feed->data);
  return (wh_place){
      .row = row, .line = at->line, .column = byte - at->line_start + 1, .byte = byte};
}

static inline wh_status set_place(wh_batch *batch, wh_place place, wh_error *err) {
  if (__builtin_expect(!batch->places || batch->rows >= batch->places_cap, 0))
    return wh_batch_set_place(batch, place, err);
  batch->places[batch->rows] = place;
  return WH_OK;
}

// In lines nothing but white space stands between a row and its newline.
static inline bool ends_line(const char *p) {
  while (*p == ' ' || *p == '\r' || *p == '\t')
    p++;
  return *p == '\n';
}

// The next row, if it is as expected: then the cursor is behind it.
static bool take_row(json_reader *r, wh_batch *batch, bool comma, cursor *at) {
  json_feed *feed = &r->feed;
  json_decoder *d = &r->decoder;
  cursor next = *at;
  if (skip_blank(feed, &next) != comma || *next.p != '{') return false;
  wh_place place = place_of(feed, &next, feed->row + 1);
  json_decode_begin(d);
  const char *p = r->fast_row(d, batch, next.p);
  if (p && p <= feed->data + feed->len && (size_t)(p - next.p) <= feed->row_limit &&
      (!r->lines || ends_line(p)) && set_place(batch, place, d->err) == WH_OK) {
    *at = next;
    at->p = p;
    return true;
  }
  feed->fault.kind = JSON_FINE;
  json_decode_undo(d, batch);
  return false;
}

size_t json_fast_rows(json_reader *r, wh_batch *batch, size_t most) {
  json_feed *feed = &r->feed;
  if (r->state != JSON_LINE && r->state != JSON_FIRST && r->state != JSON_REST) return 0;
  json_feed_mark(feed, feed->pos);
  cursor at = {feed->data + feed->pos, feed->mark_line, feed->mark_line_start};
  size_t rows = 0;
  while (rows < most && take_row(r, batch, r->state == JSON_REST, &at)) {
    if (!r->lines) r->state = JSON_REST;
    feed->row++;
    batch->rows++;
    rows++;
  }
  if (rows == 0) return 0;
  batch->rows--;
  wh_batch_row_end(batch); // counts the bytes of all
  json_feed_seek(feed, (size_t)(at.p - feed->data));
  feed->mark = feed->pos;
  feed->mark_line = at.line;
  feed->mark_line_start = at.line_start;
  return rows;
}

json_fast_row *json_fast_row_of(wh_cpu cpu) {
#ifdef __x86_64__
  if (cpu >= WH_CPU_AVX2) return row_avx2;
#endif
  (void)cpu;
  return row_plain;
}
