// Snappy in pieces: the state of a decompressor between them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PQ_UNSNAP_SLACK = 64 }; // bytes behind `limit` that may be written

typedef struct pq_unsnap {
  uint64_t literal;      // bytes of input still to be taken as they are
  uint64_t copy, offset; // bytes still to be copied from so far back
} pq_unsnap;

typedef enum pq_unsnapped {
  PQ_UNSNAP_FULL,   // `limit` is reached
  PQ_UNSNAP_HUNGRY, // all input is used, but for a tag that is not all there
  PQ_UNSNAP_FAR,    // a copy reaches back before `out`; nothing of it was done
} pq_unsnapped;

// Goes on at *in, behind out[0 .. *len), up to `limit` bytes. Moves *in and *len. Offsets of 0 are
// reported as PQ_UNSNAP_FAR, too.
pq_unsnapped pq_unsnap_run(pq_unsnap *state, const uint8_t **in, const uint8_t *in_end,
                           uint8_t *out, size_t *len, size_t limit);
