// Whether text is UTF-8 (RFC 3629), 32 bytes at a time.
//
// What is wrong with UTF-8 shows in two bytes that follow each other, except for the third and
// fourth byte of a character (J. Keiser, D. Lemire, "Validating UTF-8 in less than one instruction
// per byte", 2020). Three tables, by the upper and lower half of a byte and the upper half of the
// next one, each say which mistakes are still possible; a mistake is one that all three allow.
#include "codec/csv/scan.h"

#ifdef __x86_64__
#include <immintrin.h>

enum {
  SHORT = 1,      // a lead byte, and no continuation behind it
  LONG = 2,       // ASCII, and a continuation behind it
  OVERLONG_3 = 4, // E0 80..9F
  LARGE = 8,      // F4 90.., F5.. 9F..
  SURROGATE = 16, // ED A0..
  OVERLONG_2 = 32,
  LARGE_1000 = 64, // F5.. 80..8F
  OVERLONG_4 = 64, // F0 80..8F
  TWO = 128,       // two continuations: right only as third or fourth byte
  ANY = SHORT | LONG | TWO,
};

#define AVX2       __attribute__((target("avx2")))
#define TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))
#define C(x)       ((char)(x))

AVX2 static inline __m256i upper_half(__m256i v) {
  return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0F));
}

// `now` moved up by n bytes, filled from the end of the bytes before.
#define BEFORE(now, before, n)                                                                     \
  _mm256_alignr_epi8((now), _mm256_permute2x128_si256((before), (now), 0x21), 16 - (n))

AVX2 static inline __m256i pair_mistakes(__m256i now, __m256i first) {
  const __m256i first_upper =
      TABLE(LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, C(TWO), C(TWO), C(TWO), C(TWO),
            SHORT | OVERLONG_2, SHORT, SHORT | OVERLONG_3 | SURROGATE,
            SHORT | LARGE | LARGE_1000 | OVERLONG_4);
  const __m256i first_lower =
      TABLE(C(ANY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), C(ANY | OVERLONG_2), C(ANY), C(ANY),
            C(ANY | LARGE), C(ANY | LARGE | LARGE_1000), C(ANY | LARGE | LARGE_1000),
            C(ANY | LARGE | LARGE_1000), C(ANY | LARGE | LARGE_1000), C(ANY | LARGE | LARGE_1000),
            C(ANY | LARGE | LARGE_1000), C(ANY | LARGE | LARGE_1000), C(ANY | LARGE | LARGE_1000),
            C(ANY | LARGE | LARGE_1000 | SURROGATE), C(ANY | LARGE | LARGE_1000),
            C(ANY | LARGE | LARGE_1000));
  const __m256i second_upper =
      TABLE(SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
            C(LONG | OVERLONG_2 | TWO | OVERLONG_3 | LARGE_1000 | OVERLONG_4),
            C(LONG | OVERLONG_2 | TWO | OVERLONG_3 | LARGE),
            C(LONG | OVERLONG_2 | TWO | SURROGATE | LARGE),
            C(LONG | OVERLONG_2 | TWO | SURROGATE | LARGE), SHORT, SHORT, SHORT, SHORT);
  __m256i low = _mm256_and_si256(first, _mm256_set1_epi8(0x0F));
  return _mm256_and_si256(_mm256_and_si256(_mm256_shuffle_epi8(first_upper, upper_half(first)),
                                           _mm256_shuffle_epi8(first_lower, low)),
                          _mm256_shuffle_epi8(second_upper, upper_half(now)));
}

AVX2 static inline __m256i mistakes(__m256i now, __m256i before) {
  __m256i pairs = pair_mistakes(now, BEFORE(now, before, 1));
  // A byte two behind E0.. or three behind F0.. must be one of two continuations.
  __m256i third = _mm256_subs_epu8(BEFORE(now, before, 2), _mm256_set1_epi8(C(0xE0 - 0x80)));
  __m256i fourth = _mm256_subs_epu8(BEFORE(now, before, 3), _mm256_set1_epi8(C(0xF0 - 0x80)));
  __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(C(0x80)));
  return _mm256_xor_si256(must, pairs);
}

AVX2 static bool valid_avx2(const char *data, size_t len) {
  __m256i before = _mm256_setzero_si256(), wrong = _mm256_setzero_si256();
  char last[32] = {0};
  size_t i = 0;
  for (; len - i >= 32; i += 32) {
    __m256i now = _mm256_loadu_si256((const __m256i *)(data + i));
    if (_mm256_movemask_epi8(_mm256_or_si256(now, before)))
      wrong = _mm256_or_si256(wrong, mistakes(now, before));
    before = now;
  }
  // The rest with zeros behind it, at least one of them beyond three bytes: a character that is
  // cut shows there.
  if (len > i) memcpy(last, data + i, len - i);
  __m256i now = _mm256_loadu_si256((const __m256i *)last);
  wrong = _mm256_or_si256(wrong, mistakes(now, before));
  wrong = _mm256_or_si256(wrong, mistakes(_mm256_setzero_si256(), now));
  return _mm256_testz_si256(wrong, wrong);
}
#endif

bool csv_utf8_valid(const char *data, size_t len, wh_cpu cpu) {
#ifdef __x86_64__
  if (cpu >= WH_CPU_AVX2) return valid_avx2(data, len);
#else
  (void)cpu;
#endif
  return wh_utf8_valid(wh_str_n(data, len));
}
