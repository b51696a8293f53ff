#include "codec/parquet/snappy.h"

#include "codec/parquet/copy.h"
#include "codec/parquet/unsnap.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

// Tags: the two low bits of an element's first byte.
enum { LITERAL = 0, COPY_1 = 1, COPY_2 = 2, COPY_4 = 3 };

enum {
  MARGIN = 17,      // the last bytes are never searched: sixteen are read at once, from the next
                    // position, too
  SKIP_BITS = 5,    // the step grows by a thirty-second with each position that has no match
  STEP_MOST = 64,   // bytes: what compresses again may begin anywhere
  MATCH_LEAST = 4,  // bytes
  COPY_MOST = 64,   // bytes of one copy
  COPY_1_MOST = 11, // of the two-byte form
  COPY_1_OFFSETS = 2048,
  HASHED_TEXT = 6, // bytes: longer matches are found sooner, and most are longer
  HASHED_NUMBERS = 5,
  GAIN_SHIFT = 6,        // what does not shrink by a sixty-fourth becomes one literal
  SPLIT_LEAST = 8 << 10, // bytes that are compressed as two halves
  LEARNED = 32 << 10,    // bytes before the second half that it may refer to
  LEARNED_STEP = 2,
};

static inline uint64_t load64(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, sizeof x);
  return x;
}

static inline uint32_t load32(const uint8_t *p) {
  uint32_t x;
  memcpy(&x, p, sizeof x);
  return x;
}

// --- Compression ---------------------------------------------------------------------------------

// What elements for so many bytes may take, and what is written behind them.
static size_t elements_bound(size_t len) {
  return len + len / 6 + PQ_SNAPPY_SLACK;
}

size_t pq_snappy_bound(size_t len) {
  return PQ_SNAPPY_SLACK + elements_bound(len / 2) + elements_bound(len - len / 2);
}

// Of so many bytes: matches of only four are seldom worth a copy of three.
static inline uint32_t hash(uint64_t x, unsigned bytes) {
  return (uint32_t)(((x << (64 - 8 * bytes)) * 0x9E3779B185EBCA87ull) >> (64 - PQ_SNAPPY_BITS));
}

static uint8_t *put_varint(uint8_t *out, size_t x) {
  for (; x >= 0x80; x >>= 7)
    *out++ = (uint8_t)(x | 0x80);
  *out++ = (uint8_t)x;
  return out;
}

// Bytes of the length behind the tag of a literal, whose length less one is `n`.
static unsigned length_bytes(size_t n) {
  return n < 60 ? 0 : n < 1 << 8 ? 1 : n < 1 << 16 ? 2 : n < 1 << 24 ? 3 : 4;
}

static uint8_t *put_literal_tag(uint8_t *out, size_t len) {
  size_t n = len - 1;
  unsigned bytes = length_bytes(n);
  *out++ = (uint8_t)((bytes ? 59 + bytes : n) << 2);
  for (unsigned i = 0; i < bytes; i++)
    *out++ = (uint8_t)(n >> (8 * i));
  return out;
}

static uint8_t *put_literal(uint8_t *out, const uint8_t *from, size_t len) {
  if (len == 0) return out;
  out = put_literal_tag(out, len);
  pq_copy(out, from, len);
  return out + len;
}

// The same where 32 bytes may be read and written past the end of a short one, which may be empty.
static inline uint8_t *put_literal_wild(uint8_t *out, const uint8_t *from, size_t len) {
  if (len > 16) return put_literal(out, from, len);
  *out = (uint8_t)((len - 1) << 2);
  memcpy(out + 1, from, 16);
  return out + len + (len != 0);
}

static inline uint8_t *put_copy_2(uint8_t *out, size_t offset, size_t len) {
  uint32_t element = (uint32_t)(COPY_2 | (len - 1) << 2 | offset << 8);
  memcpy(out, &element, sizeof element);
  return out + 3;
}

// Of at most COPY_MOST; without a branch, since nothing tells which form the next one will have.
static inline uint8_t *put_short_copy(uint8_t *out, size_t offset, size_t len) {
  uint32_t is_long = len > COPY_1_MOST || offset >= COPY_1_OFFSETS;
  uint32_t one =
      (uint32_t)(COPY_1 | (len - MATCH_LEAST) << 2 | (offset >> 8) << 5 | (offset & 0xFF) << 8);
  uint32_t two = (uint32_t)(COPY_2 | (len - 1) << 2 | offset << 8);
  uint32_t element = one ^ ((one ^ two) & (0 - is_long));
  memcpy(out, &element, sizeof element);
  return out + 2 + is_long;
}

static inline uint8_t *put_copy(uint8_t *out, size_t offset, size_t len) {
  if (len <= COPY_MOST) return put_short_copy(out, offset, len);
  while (len >= COPY_MOST + MATCH_LEAST) {
    out = put_copy_2(out, offset, COPY_MOST);
    len -= COPY_MOST;
  }
  if (len > COPY_MOST) { // so that what is left is no shorter than a copy may be
    out = put_copy_2(out, offset, COPY_MOST - MATCH_LEAST);
    len -= COPY_MOST - MATCH_LEAST;
  }
  return put_short_copy(out, offset, len);
}

// How many bytes from `p` on equal those from `q` on; p ends at `end`, q is before p.
static inline size_t match_length(const uint8_t *p, const uint8_t *q, const uint8_t *end) {
  const uint8_t *start = p;
#ifdef __SSE2__
  if (end - p >= 16) { // nearly all matches end here, so that this is foreseen
    __m128i equal =
        _mm_cmpeq_epi8(_mm_loadu_si128((const void *)p), _mm_loadu_si128((const void *)q));
    unsigned unequal = 0xFFFFu & ~(unsigned)_mm_movemask_epi8(equal);
    if (unequal) return (size_t)__builtin_ctz(unequal);
    p += 16;
    q += 16;
  }
#endif
  while (end - p >= 8) {
    uint64_t x = load64(p) ^ load64(q);
    if (x) return (size_t)(p - start) + (size_t)__builtin_ctzll(x) / 8;
    p += 8;
    q += 8;
  }
  for (; p < end && *p == *q; p++)
    q++;
  return (size_t)(p - start);
}

// Remembers position `at`; returns how far back the last position with that hash lies, or 0 when
// it is before the start or too far. A stale entry gives a wrong place, but always one in the
// window: whoever asks compares the bytes.
static inline size_t swap_position(uint16_t *table, uint32_t h, size_t at) {
  size_t offset = (uint16_t)(at - table[h]);
  table[h] = (uint16_t)at;
  return offset <= at ? offset : 0;
}

// A part of the input on its way to elements.
typedef struct stream {
  const uint8_t *start;             // of the whole input: what matches may lie before the part
  const uint8_t *at, *anchor, *end; // elements are made of what is before the anchor
  uint8_t *out;
  uint16_t *table;
  uint32_t skip;
} stream;

static bool is_searched(const stream *s) {
  return s->end - s->at >= MARGIN;
}

// How many bytes before `p`, up to eight, equal those before `q`.
static inline size_t match_before(const stream *s, const uint8_t *p, const uint8_t *q) {
  if (q - s->start < 8) return 0;
  size_t n = (size_t)__builtin_clzll((load64(p - 8) ^ load64(q - 8)) | 1) / 8;
  size_t most = (size_t)(p - s->anchor);
  return n < most ? n : most;
}

static inline __attribute__((always_inline)) void add_match(stream *s, const uint8_t *p,
                                                            size_t offset) {
  size_t n = MATCH_LEAST + match_length(p + MATCH_LEAST, p + MATCH_LEAST - offset, s->end);
  size_t before = match_before(s, p, p - offset);
  const uint8_t *anchor = s->anchor;
  uint8_t *out = s->out;
  s->at = s->anchor = p + n;
  s->skip = 1u << SKIP_BITS;
  out = put_literal_wild(out, anchor, (size_t)(p - anchor) - before);
  s->out = put_copy(out, offset, before + n);
}

// Whether what stands at `p` stood before, and how far back.
static inline bool is_match(stream *s, const uint8_t *p, const unsigned bytes, size_t *offset) {
  uint64_t word = load64(p);
  *offset = swap_position(s->table, hash(word, bytes), (size_t)(p - s->start));
  return load32(p - *offset) == (uint32_t)word && *offset;
}

// Looks for a match at two positions, and goes on.
static inline __attribute__((always_inline)) void advance(stream *s, const unsigned bytes) {
  const uint8_t *p = s->at;
  size_t offset;
  if (is_match(s, p, bytes, &offset) || is_match(s, ++p, bytes, &offset)) {
    add_match(s, p, offset);
  } else {
    uint32_t step = s->skip >> SKIP_BITS;
    if (step < STEP_MOST) s->skip += 2 * step;
    s->at = p + step;
  }
}

static uint8_t *finish(stream *s) {
  return put_literal(s->out, s->anchor, (size_t)(s->end - s->anchor));
}

static inline __attribute__((always_inline)) uint8_t *compress_one(stream *s,
                                                                   const unsigned bytes) {
  while (is_searched(s))
    advance(s, bytes);
  return finish(s);
}

// What lies before the part, as far as it pays to know it.
static void learn_before(stream *s, const unsigned bytes) {
  const uint8_t *from = s->at - s->start > LEARNED ? s->at - LEARNED : s->start;
  for (const uint8_t *p = from; p < s->at; p += LEARNED_STEP)
    s->table[hash(load64(p), bytes)] = (uint16_t)(p - s->start);
}

// Elements for all of `in`. Each match waits for the one before it, which says where it begins, so
// the two halves of what is not short go side by side.
static inline __attribute__((always_inline)) uint8_t *
compress_body(pq_snappy *state, const uint8_t *in, size_t len, uint8_t *out, const unsigned bytes) {
  size_t half = len < SPLIT_LEAST ? len : len / 2;
  stream a = {in, in, in, in + half, out, state->table[0], 1u << SKIP_BITS};
  if (half == len) return compress_one(&a, bytes);
  uint8_t *second = out + elements_bound(half);
  stream b = {in, in + half, in + half, in + len, second, state->table[1], 1u << SKIP_BITS};
  learn_before(&b, bytes);
  while (is_searched(&a) && is_searched(&b)) {
    advance(&a, bytes);
    advance(&b, bytes);
  }
  out = compress_one(&a, bytes);
  size_t more = (size_t)(compress_one(&b, bytes) - second);
  memmove(out, second, more);
  return out + more;
}

static uint8_t *compress_text(pq_snappy *state, const uint8_t *in, size_t len, uint8_t *out) {
  return compress_body(state, in, len, out, HASHED_TEXT);
}

static uint8_t *compress_numbers(pq_snappy *state, const uint8_t *in, size_t len, uint8_t *out) {
  return compress_body(state, in, len, out, HASHED_NUMBERS);
}

size_t pq_snappy_compress(pq_snappy *state, const uint8_t *in, size_t len, bool text,
                          uint8_t *out) {
  uint8_t *body = put_varint(out, len);
  if (len == 0) return (size_t)(body - out);
  size_t one_literal = len + 1 + length_bytes(len - 1), size = 0;
  if (len > MARGIN)
    size = (size_t)((text ? compress_text : compress_numbers)(state, in, len, body) - body);
  if (len <= MARGIN || (size + (len >> GAIN_SHIFT) >= len && size != one_literal))
    size = (size_t)(put_literal(body, in, len) - body);
  return (size_t)(body - out) + size;
}

// --- Decompression -------------------------------------------------------------------------------

// Returns how many bytes it took; 0: it is not one of at most 32 bits.
static size_t get_varint(const uint8_t *in, size_t len, size_t *ret) {
  uint64_t x = 0;
  for (size_t i = 0; i < 5 && i < len; i++) {
    x |= (uint64_t)(in[i] & 0x7F) << (7 * i);
    if (in[i] & 0x80) continue;
    if (x > UINT32_MAX) return 0;
    *ret = (size_t)x;
    return i + 1;
  }
  return 0;
}

bool pq_snappy_length(const uint8_t *in, size_t len, size_t *ret) {
  return get_varint(in, len, ret) != 0;
}

bool pq_snappy_decompress(const uint8_t *in, size_t len, uint8_t *out, size_t out_len) {
  size_t said, made = 0;
  size_t n = get_varint(in, len, &said);
  if (n == 0 || said != out_len) return false;
  pq_unsnap state = {0};
  const uint8_t *at = in + n;
  pq_unsnap_run(&state, &at, in + len, out, &made, out_len);
  return made == out_len && at == in + len && !state.literal && !state.copy;
}
