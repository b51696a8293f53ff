#include "codec/parquet/unpack.h"

#include <stdbool.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

static void unpack32_plain(const uint8_t *src, unsigned width, uint64_t from, size_t count,
                           uint32_t *out) {
  uint64_t mask = (UINT64_C(1) << width) - 1, bit = from * width;
  for (size_t i = 0; i < count; i++, bit += width)
    out[i] = (uint32_t)(pq_load64(src + (bit >> 3)) >> (bit & 7) & mask);
}

#ifdef __x86_64__
// Eight values of up to 25 bits at a time: each one's four bytes are brought to its lane, shifted
// to the right by what is left of its byte, and masked. The upper four values are loaded from
// where the first of them begins.
enum { WIDE_MAX = 25 };
typedef struct spread {
  uint8_t bytes[32];
  uint32_t shifts[8];
} spread;

#define BYTE(w, i)  ((uint8_t)((i) * (w) / 8 - ((i) < 4 ? 0 : 4 * (w) / 8)))
#define BYTES(w, i) BYTE(w, i), BYTE(w, i) + 1, BYTE(w, i) + 2, BYTE(w, i) + 3
#define SHIFT(w, i) ((i) * (w) % 8)
#define SPREAD(w)                                                                                  \
  {                                                                                                \
    {BYTES(w, 0), BYTES(w, 1), BYTES(w, 2), BYTES(w, 3),                                           \
     BYTES(w, 4), BYTES(w, 5), BYTES(w, 6), BYTES(w, 7)},                                          \
    {                                                                                              \
      SHIFT(w, 0), SHIFT(w, 1), SHIFT(w, 2), SHIFT(w, 3), SHIFT(w, 4), SHIFT(w, 5), SHIFT(w, 6),   \
          SHIFT(w, 7)                                                                              \
    }                                                                                              \
  }
static const spread spreads[WIDE_MAX + 1] = {
    SPREAD(0),  SPREAD(1),  SPREAD(2),  SPREAD(3),  SPREAD(4),  SPREAD(5),  SPREAD(6),
    SPREAD(7),  SPREAD(8),  SPREAD(9),  SPREAD(10), SPREAD(11), SPREAD(12), SPREAD(13),
    SPREAD(14), SPREAD(15), SPREAD(16), SPREAD(17), SPREAD(18), SPREAD(19), SPREAD(20),
    SPREAD(21), SPREAD(22), SPREAD(23), SPREAD(24), SPREAD(25)};

// `count` is a multiple of 8, `src` where the first value begins.
__attribute__((target("avx2"))) static void unpack32_avx2(const uint8_t *src, unsigned width,
                                                          size_t count, uint32_t *out) {
  const spread *s = &spreads[width];
  __m256i bytes = _mm256_loadu_si256((const __m256i *)s->bytes);
  __m256i shifts = _mm256_loadu_si256((const __m256i *)s->shifts);
  __m256i mask = _mm256_set1_epi32((int)((1u << width) - 1));
  size_t upper = 4 * width / 8;
  for (size_t i = 0; i < count; i += 8, src += width) {
    __m128i low = _mm_loadu_si128((const __m128i *)src);
    __m128i high = _mm_loadu_si128((const __m128i *)(src + upper));
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    both = _mm256_srlv_epi32(_mm256_shuffle_epi8(both, bytes), shifts);
    _mm256_storeu_si256((__m256i *)(out + i), _mm256_and_si256(both, mask));
  }
}
#endif

void pq_unpack32(wh_cpu cpu, const uint8_t *src, unsigned width, uint64_t from, size_t count,
                 uint32_t *out) {
  if (width == 0) {
    memset(out, 0, count * sizeof *out);
    return;
  }
#ifdef __x86_64__
  if (cpu >= WH_CPU_AVX2 && width <= WIDE_MAX) {
    size_t first = (size_t)(-from & 7);
    if (first > count) first = count;
    unpack32_plain(src, width, from, first, out);
    size_t whole = (count - first) & ~(size_t)7;
    unpack32_avx2(src + (from + first) / 8 * width, width, whole, out + first);
    from += first + whole;
    count -= first + whole;
    out += first + whole;
  }
#else
  (void)cpu;
#endif
  unpack32_plain(src, width, from, count, out);
}

void pq_unpack64(wh_cpu cpu, const uint8_t *src, unsigned width, size_t count, uint64_t *out) {
  uint32_t narrow[64];
  if (width > 32) {
    for (size_t i = 0; i < count; i++)
      out[i] = pq_bits_at(src, (uint64_t)i * width, width);
    return;
  }
  for (size_t done = 0; done < count;) {
    size_t n = count - done < 64 ? count - done : 64;
    pq_unpack32(cpu, src, width, done, n, narrow);
    for (size_t i = 0; i < n; i++)
      out[done + i] = narrow[i];
    done += n;
  }
}

static inline bool get(const uint8_t *bits, size_t i) {
  return (bits[i >> 3] >> (i & 7)) & 1;
}

static inline void put(uint8_t *bits, size_t i, bool value) {
  uint8_t bit = (uint8_t)(1u << (i & 7));
  bits[i >> 3] = (uint8_t)(value ? bits[i >> 3] | bit : bits[i >> 3] & ~bit);
}

void pq_copy_bits(uint8_t *dst, size_t dst_at, const uint8_t *src, size_t src_at, size_t count) {
  size_t i = 0;
  for (; i < count && (dst_at + i) & 7; i++)
    put(dst, dst_at + i, get(src, src_at + i));
  for (; count - i >= 64; i += 64) {
    uint64_t word = pq_bits_at(src, src_at + i, 64);
    memcpy(dst + (dst_at + i) / 8, &word, sizeof word);
  }
  for (; count - i >= 8; i += 8)
    dst[(dst_at + i) / 8] = (uint8_t)pq_bits_at(src, src_at + i, 8);
  for (; i < count; i++)
    put(dst, dst_at + i, get(src, src_at + i));
}

void pq_fill_bits(uint8_t *dst, size_t at, size_t count, bool value) {
  size_t i = 0;
  for (; i < count && (at + i) & 7; i++)
    put(dst, at + i, value);
  size_t whole = (count - i) / 8;
  if (whole) memset(dst + (at + i) / 8, value ? 0xFF : 0, whole);
  for (i += whole * 8; i < count; i++)
    put(dst, at + i, value);
}

size_t pq_count_bits(const uint8_t *bits, size_t at, size_t count) {
  size_t sum = 0, i = 0;
  for (; i < count && (at + i) & 7; i++)
    sum += get(bits, at + i);
  for (; count - i >= 64; i += 64)
    sum += (size_t)__builtin_popcountll(pq_load64(bits + (at + i) / 8));
  for (; i < count; i++)
    sum += get(bits, at + i);
  return sum;
}
