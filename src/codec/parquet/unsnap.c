#include "codec/parquet/unsnap.h"

#include <string.h>

enum { TAG_BYTES_MOST = 5, SHORT_MOST = 64, ROOM = SHORT_MOST + 16 };

typedef struct position {
  const uint8_t *in, *in_end;
  uint8_t *base, *out, *end;
} position;

static inline uint32_t load_some(const uint8_t *at, size_t n) {
  uint32_t value = 0;
  for (size_t i = 0; i < n; i++)
    value |= (uint32_t)at[i] << (8 * i);
  return value;
}

// Source and target may overlap; up to 16 bytes more than `n` are written.
static inline void copy_near(uint8_t *out, size_t offset, size_t n) {
  const uint8_t *from = out - offset;
  if (offset >= 16) {
    for (size_t i = 0; i < n; i += 16)
      memcpy(out + i, from + i, 16);
  } else if (offset >= 8) {
    for (size_t i = 0; i < n; i += 8)
      memcpy(out + i, from + i, 8);
  } else {
    // A short pattern over and over: once it is 8 bytes long, it repeats at a multiple of its
    // length that is 8 or more, too.
    static const uint8_t periods[8] = {0, 8, 8, 9, 8, 10, 12, 14};
    for (size_t i = 0; i < 8; i++)
      out[i] = from[i];
    from = out + 8 - periods[offset];
    for (size_t i = 8; i < n; i += 8, from += 8)
      memcpy(out + i, from, 8);
  }
}

// What is left of the literal or copy in hand.
static void go_on(pq_unsnap *s, position *p) {
  size_t room = (size_t)(p->end - p->out);
  if (s->literal) {
    size_t n = (size_t)(p->in_end - p->in);
    if (n > room) n = room;
    if (n > s->literal) n = (size_t)s->literal;
    memcpy(p->out, p->in, n);
    p->in += n;
    p->out += n;
    s->literal -= n;
  } else {
    size_t n = s->copy < room ? (size_t)s->copy : room;
    const uint8_t *from = p->out - s->offset;
    for (size_t i = 0; i < n; i++)
      p->out[i] = from[i];
    p->out += n;
    s->copy -= n;
  }
}

// Takes the next tag as an operation in hand. False: it is not all there.
static bool take_tag(pq_unsnap *s, position *p) {
  static const uint8_t copy_bytes[4] = {0, 1, 2, 4};
  size_t there = (size_t)(p->in_end - p->in);
  if (there == 0) return false;
  unsigned tag = *p->in, kind = tag & 3;
  size_t length = tag >> 2, bytes = copy_bytes[kind];
  if (kind == 0 && length >= 60) bytes = length - 59;
  if (there <= bytes) return false;
  uint32_t value = load_some(p->in + 1, bytes);
  if (kind == 0) {
    s->literal = (length >= 60 ? (uint64_t)value : length) + 1;
  } else if (kind == 1) {
    s->copy = (length & 7) + 4;
    s->offset = (tag >> 5) << 8 | value;
  } else {
    s->copy = length + 1;
    s->offset = value;
  }
  p->in += bytes + 1;
  return true;
}

typedef uint8_t word __attribute__((vector_size(16), aligned(1)));

// Up to 64 bytes; whole words are written. No more is read at once than is likely to have been
// written at once: the processor waits for stores that a load only partly covers.
static inline void copy_apart(uint8_t *out, const uint8_t *from, size_t n) {
  if (n <= 8) {
    uint64_t eight;
    memcpy(&eight, from, sizeof eight);
    memcpy(out, &eight, sizeof eight);
    return;
  }
  word a = *(const word *)(const void *)from;
  *(word *)(void *)out = a;
  for (size_t i = 16; i < n; i += 16) {
    a = *(const word *)(const void *)(from + i);
    *(word *)(void *)(out + i) = a;
  }
}

// What a tag says by itself: the length, the bytes it takes in all (0: not for the fast way), and
// the upper bits of the offset.
#define LENGTH(t) (((t)&3) == 1 ? (((t) >> 2) & 7) + 4u : ((t) >> 2) + 1u)
#define TAKEN(t)                                                                                   \
  (((t)&3) == 0 ? ((t) < 60 << 2 ? ((t) >> 2) + 2u : 0u) : ((t)&3) == 3 ? 0u : ((t)&3) + 1u)
#define UPPER(t)   (((t)&3) == 1 ? (t) >> 5 << 8 : 0u)
#define TAG(t)     (LENGTH(t) | TAKEN(t) << 8 | (uint32_t)UPPER(t) << 16)
#define TAGS_4(t)  TAG(t), TAG((t) + 1), TAG((t) + 2), TAG((t) + 3)
#define TAGS_16(t) TAGS_4(t), TAGS_4((t) + 4), TAGS_4((t) + 8), TAGS_4((t) + 12)
#define TAGS_64(t) TAGS_16(t), TAGS_16((t) + 16), TAGS_16((t) + 32), TAGS_16((t) + 48)
static const uint32_t tags[256] = {TAGS_64(0), TAGS_64(64), TAGS_64(128), TAGS_64(192)};

// Operations of the common kinds, while there is room to copy by whole words. Which kind comes next
// cannot be foretold, so literals and copies go the same way: they differ in where they come from.
static void run_fast(position *p) {
  static const uint32_t masks[4] = {0, 0xFF, 0xFFFF, 0};
  const uint8_t *in = p->in, *in_most = p->in_end - (SHORT_MOST + TAG_BYTES_MOST);
  uint8_t *out = p->out, *out_most = p->end - ROOM, *base = p->base;
  if (p->in_end - in < SHORT_MOST + TAG_BYTES_MOST || p->end - out < ROOM) return;
  while (in <= in_most && out <= out_most) {
    unsigned tag = *in, kind = tag & 3;
    uint32_t entry = tags[tag], next;
    memcpy(&next, in + 1, sizeof next);
    size_t length = entry & 0x7F, taken = entry >> 8 & 0xFF;
    size_t offset = (entry >> 16) + (next & masks[kind]);
    size_t copies = kind != 0;
    size_t far = copies & (offset - 1 >= (size_t)(out - base));
    if (__builtin_expect(far | (taken == 0), 0)) break;
    const uint8_t *from = copies ? out - offset : in + 1;
    in += taken;
    if (__builtin_expect(copies & (offset < length), 0)) {
      copy_near(out, offset, length);
    } else {
      copy_apart(out, from, length);
    }
    out += length;
  }
  p->in = in;
  p->out = out;
}

pq_unsnapped pq_unsnap_run(pq_unsnap *state, const uint8_t **in, const uint8_t *in_end,
                           uint8_t *out, size_t *len, size_t limit) {
  position p = {*in, in_end, out, out + *len, out + limit};
  pq_unsnapped result = PQ_UNSNAP_FULL;
  for (;;) {
    if (!state->literal && !state->copy) run_fast(&p);
    if (p.out >= p.end) break;
    if (!state->literal && !state->copy && !take_tag(state, &p)) {
      result = PQ_UNSNAP_HUNGRY;
      break;
    }
    if (state->copy && state->offset - 1 >= (size_t)(p.out - p.base)) {
      result = PQ_UNSNAP_FAR;
      break;
    }
    if (state->literal && p.in == p.in_end) {
      result = PQ_UNSNAP_HUNGRY;
      break;
    }
    go_on(state, &p);
  }
  *in = p.in;
  *len = (size_t)(p.out - out);
  return result;
}
