// The snappy raw format (google/snappy, format_description.txt), both ways.
//
// The compressor is our own, after the manner of LZ4: one table of 16-bit positions, taken modulo
// 64 KiB, so that it never has to be cleared and matches may reach back over the whole window;
// ever larger steps where nothing matches; two halves side by side, since each match waits for the
// one before it; and data that does not shrink becomes one literal, which every decompressor copies
// at the speed of memory. docs/decisions tells what that gains.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  PQ_SNAPPY_BITS = 13,
  PQ_SNAPPY_SLACK = 32, // bytes that may be written behind what is needed
};

// What the compressor remembers between calls: nothing that matters; it need not be initialised
// more than once, with zeros.
typedef struct pq_snappy {
  uint16_t table[2][1 << PQ_SNAPPY_BITS]; // one for each half
} pq_snappy;

// Room that the output of `len` bytes must have; len < 2^32.
size_t pq_snappy_bound(size_t len);
// Returns the compressed size. `text` tells what it most likely is: only the size depends on it.
size_t pq_snappy_compress(pq_snappy *state, const uint8_t *in, size_t len, bool text, uint8_t *out);

// The length that the data says it has when decompressed; false when it does not begin well.
bool pq_snappy_length(const uint8_t *in, size_t len, size_t *ret);
// Exactly `out_len` bytes, or false. Writes nothing past out + out_len.
bool pq_snappy_decompress(const uint8_t *in, size_t len, uint8_t *out, size_t out_len);
