// Packs 32 values of `width` bits, one behind the other, least significant bit first: 4 * width
// bytes. The width is known when each copy of the loop is compiled, so all shifts are constants.
#pragma once

#include <stdint.h>
#include <string.h>

#ifdef __clang__
#define PQ_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PQ_UNROLL _Pragma("GCC unroll 32")
#endif

enum { PQ_BITS_GROUP = 32 };

#define PQ_DEFINE_PACK(name, type)                                                                 \
  static inline __attribute__((always_inline)) void name(const type *in, uint8_t *out,             \
                                                         const unsigned width) {                   \
    uint64_t word = 0;                                                                             \
    unsigned fill = 0;                                                                             \
    PQ_UNROLL                                                                                      \
    for (unsigned i = 0; i < PQ_BITS_GROUP; i++) {                                                 \
      uint64_t value = in[i];                                                                      \
      word |= value << fill;                                                                       \
      fill += width;                                                                               \
      if (fill >= 64) {                                                                            \
        memcpy(out, &word, sizeof word);                                                           \
        out += sizeof word;                                                                        \
        fill -= 64;                                                                                \
        word = fill ? value >> (width - fill) : 0;                                                 \
      }                                                                                            \
    }                                                                                              \
    if (fill) memcpy(out, &word, sizeof(uint32_t));                                                \
  }

#define PQ_CASES_8(c, n)                                                                           \
  c((n) + 0) c((n) + 1) c((n) + 2) c((n) + 3) c((n) + 4) c((n) + 5) c((n) + 6) c((n) + 7)
