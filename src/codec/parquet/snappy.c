#include "codec/parquet/snappy.h"

#include "codec/parquet/copy.h"
#include "codec/parquet/unsnap.h"

// Tags: the two low bits of an element's first byte.
enum { LITERAL = 0, COPY_1 = 1, COPY_2 = 2, COPY_4 = 3 };

enum {
  MARGIN = 16,      // the last bytes are never searched, so that eight may be read at once
  SKIP_BITS = 5,    // the step grows by one each 32 positions without a match
  MATCH_LEAST = 4,  // bytes
  COPY_MOST = 64,   // bytes of one copy
  COPY_1_MOST = 11, // of the two-byte form
  COPY_1_OFFSETS = 2048,
  HASHED_TEXT = 6, // bytes: longer matches are found sooner, and most are longer
  HASHED_NUMBERS = 5,
  GAIN_SHIFT = 6, // what does not shrink by a sixty-fourth becomes one literal
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

size_t pq_snappy_bound(size_t len) {
  return 32 + len + len / 6 + PQ_SNAPPY_SLACK;
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

// The same where 32 bytes may be read and written past the end of a short one.
static inline uint8_t *put_literal_wild(uint8_t *out, const uint8_t *from, size_t len) {
  if (len > 16) return put_literal(out, from, len);
  if (len == 0) return out;
  *out++ = (uint8_t)((len - 1) << 2);
  memcpy(out, from, 16);
  return out + len;
}

static inline uint8_t *put_copy_2(uint8_t *out, size_t offset, size_t len) {
  uint32_t element = (uint32_t)(COPY_2 | (len - 1) << 2 | offset << 8);
  memcpy(out, &element, sizeof element);
  return out + 3;
}

static inline uint8_t *put_copy(uint8_t *out, size_t offset, size_t len) {
  while (len >= COPY_MOST + MATCH_LEAST) {
    out = put_copy_2(out, offset, COPY_MOST);
    len -= COPY_MOST;
  }
  if (len > COPY_MOST) { // so that what is left is no shorter than a copy may be
    out = put_copy_2(out, offset, COPY_MOST - MATCH_LEAST);
    len -= COPY_MOST - MATCH_LEAST;
  }
  if (len > COPY_1_MOST || offset >= COPY_1_OFFSETS) return put_copy_2(out, offset, len);
  out[0] = (uint8_t)(COPY_1 | (len - MATCH_LEAST) << 2 | (offset >> 8) << 5);
  out[1] = (uint8_t)offset;
  return out + 2;
}

// How many bytes from `p` on equal those from `q` on; p ends at `end`, q is before p.
static inline size_t match_length(const uint8_t *p, const uint8_t *q, const uint8_t *end) {
  const uint8_t *start = p;
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

// Elements for all of `in`, which is longer than MARGIN.
static inline __attribute__((always_inline)) uint8_t *
compress_body(uint16_t *table, const uint8_t *in, size_t len, uint8_t *out, const unsigned bytes) {
  const uint8_t *end = in + len, *last = end - MARGIN;
  const uint8_t *anchor = in, *p = in + 1;
  table[hash(load64(in), bytes)] = 0;
  for (;;) {
    size_t offset;
    uint32_t skip = 1u << SKIP_BITS;
    uint64_t word = load64(p);
    for (;;) {
      offset = swap_position(table, hash(word, bytes), (size_t)(p - in));
      if (load32(p - offset) == (uint32_t)word && offset) break;
      p += skip++ >> SKIP_BITS;
      if (p > last) return put_literal(out, anchor, (size_t)(end - anchor));
      word = load64(p);
    }
    while (p > anchor && p - offset > in && p[-1] == p[-1 - (ptrdiff_t)offset])
      p--;
    out = put_literal_wild(out, anchor, (size_t)(p - anchor));
    do {
      size_t n = MATCH_LEAST + match_length(p + MATCH_LEAST, p + MATCH_LEAST - offset, end);
      out = put_copy(out, offset, n);
      p += n;
      anchor = p;
      if (p > last) return put_literal(out, anchor, (size_t)(end - anchor));
      // A position inside the match, too, where that makes more and longer ones.
      if (bytes != HASHED_TEXT) table[hash(load64(p - 2), bytes)] = (uint16_t)(p - 2 - in);
      word = load64(p);
      offset = swap_position(table, hash(word, bytes), (size_t)(p - in));
    } while (load32(p - offset) == (uint32_t)word && offset);
    p++;
    if (p > last) return put_literal(out, anchor, (size_t)(end - anchor));
  }
}

static uint8_t *compress_text(uint16_t *table, const uint8_t *in, size_t len, uint8_t *out) {
  return compress_body(table, in, len, out, HASHED_TEXT);
}

static uint8_t *compress_numbers(uint16_t *table, const uint8_t *in, size_t len, uint8_t *out) {
  return compress_body(table, in, len, out, HASHED_NUMBERS);
}

size_t pq_snappy_compress(pq_snappy *state, const uint8_t *in, size_t len, bool text,
                          uint8_t *out) {
  uint8_t *body = put_varint(out, len);
  if (len == 0) return (size_t)(body - out);
  size_t one_literal = len + 1 + length_bytes(len - 1), size = 0;
  if (len > MARGIN)
    size = (size_t)((text ? compress_text : compress_numbers)(state->table, in, len, body) - body);
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
