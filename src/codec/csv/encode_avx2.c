// Vectors of 32 bytes.
#ifdef __x86_64__
#include "codec/csv/encode.h"

#include <immintrin.h>

#define ROWS   csv_rows_avx2
#define TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define BLOCK  32

typedef __m256i block;
typedef uint32_t hits; // a bit for each byte

typedef struct needles {
  __m256i delimiter, quote, last_odd;
} needles;

TARGET static inline block load(const char *p) {
  return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

TARGET static inline void store(char *p, block b) {
  _mm256_storeu_si256((__m256i *)(void *)p, b);
}

TARGET static inline hits special(const needles *n, block b) {
  __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(b, n->last_odd), b);
  __m256i mark =
      _mm256_or_si256(_mm256_cmpeq_epi8(b, n->delimiter), _mm256_cmpeq_epi8(b, n->quote));
  return (hits)_mm256_movemask_epi8(_mm256_or_si256(low, mark));
}

TARGET static inline hits doubled(const needles *n, block b) {
  __m256i nul = _mm256_cmpeq_epi8(b, _mm256_setzero_si256());
  return (hits)_mm256_movemask_epi8(_mm256_or_si256(nul, _mm256_cmpeq_epi8(b, n->quote)));
}

TARGET static inline unsigned first(hits h) {
  return (unsigned)__builtin_ctz(h);
}

TARGET static inline hits within(hits h, size_t len) {
  return (hits)_bzhi_u64(h, (unsigned)len);
}

TARGET static inline needles make_needles(const csv_encode *e) {
  enum { LAST_ODD = 0x0D };
  return (needles){_mm256_set1_epi8(e->delimiter[0]), _mm256_set1_epi8(e->quote),
                   _mm256_set1_epi8(LAST_ODD)};
}

#include "codec/csv/encode_rows.h"
#endif
