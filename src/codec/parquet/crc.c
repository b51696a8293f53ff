#include "codec/parquet/crc.h"

#include "base/cpu.h"

#include <zlib.h>
#ifdef __x86_64__
#include <immintrin.h>

enum { FOLD_LEAST = 64 }; // bytes; fewer are left to zlib

// Folds 64 bytes at a time into 512 bits, these into 128, and leaves the rest of the division to
// the table: "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ" (Gopal and others,
// 2009), bit-reflected. The constants are x^n mod P(x), reflected, for the distances folded over.
static const uint64_t over_512[2] = {0x0154442bd4, 0x01c6e41596};
static const uint64_t over_128[2] = {0x01751997d0, 0x00ccaa009e};

__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i x, __m128i next,
                                                                    __m128i by) {
  __m128i low = _mm_clmulepi64_si128(x, by, 0x00);
  __m128i high = _mm_clmulepi64_si128(x, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

static inline __m128i load(const uint8_t *p) {
  return _mm_loadu_si128((const __m128i *)(const void *)p);
}

// `len` is a multiple of 16, at least FOLD_LEAST. Returns what CRC-32 makes of it.
__attribute__((target("pclmul,sse4.1"))) static uint32_t fold_all(const uint8_t *data, size_t len) {
  __m128i x[4];
  for (int i = 0; i < 4; i++)
    x[i] = load(data + 16 * i);
  x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128(-1)); // the register begins with all ones
  data += 64;
  len -= 64;
  __m128i by = _mm_set_epi64x((long long)over_512[1], (long long)over_512[0]);
  for (; len >= 64; len -= 64, data += 64) {
    for (int i = 0; i < 4; i++)
      x[i] = fold(x[i], load(data + 16 * i), by);
  }
  by = _mm_set_epi64x((long long)over_128[1], (long long)over_128[0]);
  __m128i all = fold(fold(fold(x[0], x[1], by), x[2], by), x[3], by);
  for (; len; len -= 16, data += 16)
    all = fold(all, load(data), by);
  // What is left is a message of 16 bytes with the same remainder, the register having been zero.
  uint8_t rest[16];
  _mm_storeu_si128((__m128i *)(void *)rest, all);
  // zlib begins with ones and ends with their complement; a register of zeros is passed so.
  return (uint32_t)crc32_z(0xFFFFFFFF, rest, sizeof rest);
}
#endif

uint32_t pq_crc32(const uint8_t *data, size_t len) {
#ifdef __x86_64__
  if (len >= FOLD_LEAST && wh_cpu_level() >= WH_CPU_AVX2 && __builtin_cpu_supports("pclmul")) {
    size_t folded = len / 16 * 16;
    uint32_t crc = fold_all(data, folded);
    return (uint32_t)crc32_z(crc, data + folded, len - folded);
  }
#endif
  return (uint32_t)crc32_z(0, data, len);
}
