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
    for (size_t i = 0; i < n; i++)
      out[i] = from[i];
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
    for (size_t i = 0; i < n; i++)
      p->out[i] = p->out[i - s->offset];
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

// Operations of the common kinds, while there is room to copy by whole words.
static void run_fast(position *p) {
  while (p->in_end - p->in >= SHORT_MOST + TAG_BYTES_MOST && p->end - p->out >= ROOM) {
    unsigned tag = *p->in, kind = tag & 3;
    size_t length = (tag >> 2) + 1, offset;
    if (kind == 0) {
      if (length > 60) return;
      memcpy(p->out, p->in + 1, 16);
      if (length > 16) memcpy(p->out + 16, p->in + 17, SHORT_MOST - 16);
      p->in += length + 1;
      p->out += length;
      continue;
    }
    if (kind == 2) {
      offset = load_some(p->in + 1, 2);
      if (offset - 1 >= (size_t)(p->out - p->base)) return;
      p->in += 3;
    } else if (kind == 1) {
      length = ((tag >> 2) & 7) + 4;
      offset = (size_t)(tag >> 5) << 8 | p->in[1];
      if (offset - 1 >= (size_t)(p->out - p->base)) return;
      p->in += 2;
    } else {
      return;
    }
    copy_near(p->out, offset, length);
    p->out += length;
  }
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
