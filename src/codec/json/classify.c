#include "codec/json/scan.h"

#include <string.h>

// One bit for each byte of `word` that is zero, the lowest byte first. The usual trick
// (x - 0x01..) & ~x & 0x80.. lets a borrow run into the next byte; this form does not.
static uint64_t zero_bytes(uint64_t word) {
  const uint64_t low7 = 0x7F7F7F7F7F7F7F7Full;
  uint64_t high = ~(((word & low7) + low7) | word | low7); // 0x80 in each zero byte
  return (high >> 7) * 0x0102040810204080ull >> 56;
}

static uint64_t equal_bytes(uint64_t word, unsigned char c) {
  return zero_bytes(word ^ (0x0101010101010101ull * c));
}

void json_classify_portable(const char *data, size_t blocks, json_masks *ret) {
  for (size_t b = 0; b < blocks; b++, data += JSON_BLOCK_BYTES) {
    json_masks m = {0};
    for (unsigned i = 0; i < 8; i++) {
      uint64_t word;
      memcpy(&word, data + i * 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
      word = __builtin_bswap64(word);
#endif
      uint64_t folded = word | 0x2020202020202020ull; // [ and { differ in this bit, ] and } too
      unsigned shift = i * 8;
      m.quote |= equal_bytes(word, '"') << shift;
      m.backslash |= equal_bytes(word, '\\') << shift;
      m.newline |= equal_bytes(word, '\n') << shift;
      m.structure |= (equal_bytes(folded, '{') | equal_bytes(folded, '}') | equal_bytes(word, ':') |
                      equal_bytes(word, ','))
                     << shift;
      m.odd |= (zero_bytes(word & 0xE0E0E0E0E0E0E0E0ull) |
                (~zero_bytes(word & 0x8080808080808080ull) & 0xFF))
               << shift;
    }
    ret[b] = m;
  }
}

#ifdef __x86_64__
#include <immintrin.h>

static inline uint64_t join16(__m128i a, __m128i b, __m128i c, __m128i d) {
  return (uint64_t)(uint32_t)_mm_movemask_epi8(a) | (uint64_t)(uint32_t)_mm_movemask_epi8(b) << 16 |
         (uint64_t)(uint32_t)_mm_movemask_epi8(c) << 32 |
         (uint64_t)(uint32_t)_mm_movemask_epi8(d) << 48;
}

static inline __m128i structure16(__m128i x) {
  __m128i folded = _mm_or_si128(x, _mm_set1_epi8(0x20));
  return _mm_or_si128(
      _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')),
                   _mm_cmpeq_epi8(folded, _mm_set1_epi8('}'))),
      _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(':')), _mm_cmpeq_epi8(x, _mm_set1_epi8(','))));
}

static inline uint64_t equal64_sse2(const __m128i x[4], char c) {
  __m128i want = _mm_set1_epi8(c);
  return join16(_mm_cmpeq_epi8(x[0], want), _mm_cmpeq_epi8(x[1], want), _mm_cmpeq_epi8(x[2], want),
                _mm_cmpeq_epi8(x[3], want));
}

void json_classify_sse2(const char *data, size_t blocks, json_masks *ret) {
  const __m128i space = _mm_set1_epi8(0x20);
  for (size_t b = 0; b < blocks; b++, data += JSON_BLOCK_BYTES) {
    __m128i x[4];
    for (int i = 0; i < 4; i++)
      x[i] = _mm_loadu_si128((const __m128i *)(const void *)(data + 16 * i));
    ret[b] = (json_masks){
        .quote = equal64_sse2(x, '"'),
        .backslash = equal64_sse2(x, '\\'),
        .newline = equal64_sse2(x, '\n'),
        .structure =
            join16(structure16(x[0]), structure16(x[1]), structure16(x[2]), structure16(x[3])),
        // As signed bytes, those above 0x7F are below 0x20 too.
        .odd = join16(_mm_cmplt_epi8(x[0], space), _mm_cmplt_epi8(x[1], space),
                      _mm_cmplt_epi8(x[2], space), _mm_cmplt_epi8(x[3], space)),
    };
  }
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline uint64_t join32(__m256i a, __m256i b) {
  return (uint64_t)(uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b)
                                                           << 32;
}

AVX2 static inline uint64_t equal64_avx2(__m256i a, __m256i b, char c) {
  __m256i want = _mm256_set1_epi8(c);
  return join32(_mm256_cmpeq_epi8(a, want), _mm256_cmpeq_epi8(b, want));
}

AVX2 static inline __m256i structure32(__m256i x) {
  __m256i folded = _mm256_or_si256(x, _mm256_set1_epi8(0x20));
  return _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(folded, _mm256_set1_epi8('{')),
                                         _mm256_cmpeq_epi8(folded, _mm256_set1_epi8('}'))),
                         _mm256_or_si256(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(':')),
                                         _mm256_cmpeq_epi8(x, _mm256_set1_epi8(','))));
}

AVX2 void json_classify_avx2(const char *data, size_t blocks, json_masks *ret) {
  const __m256i space = _mm256_set1_epi8(0x20);
  for (size_t b = 0; b < blocks; b++, data += JSON_BLOCK_BYTES) {
    __m256i lo = _mm256_loadu_si256((const __m256i *)(const void *)data);
    __m256i hi = _mm256_loadu_si256((const __m256i *)(const void *)(data + 32));
    ret[b] = (json_masks){
        .quote = equal64_avx2(lo, hi, '"'),
        .backslash = equal64_avx2(lo, hi, '\\'),
        .newline = equal64_avx2(lo, hi, '\n'),
        .structure = join32(structure32(lo), structure32(hi)),
        .odd = join32(_mm256_cmpgt_epi8(space, lo), _mm256_cmpgt_epi8(space, hi)),
    };
  }
}
#endif
