#include "codec/csv/plain.h"

#include "codec/csv/swar.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define ALWAYS static inline __attribute__((always_inline))

enum { VECTOR = 16, DIGITS_MAX = 19 };

// Digit by digit.
static void read_plain(const char *p, size_t len, csv_plain *ret) {
  csv_plain n = {.negative = *p == '-'};
  *ret = n;
  p += n.negative;
  len -= n.negative;
  if (len - 1 > DIGITS_MAX) return;
  if (*p == '0' && len > 1 && p[1] != '.') return;
  size_t point = len;
  for (size_t i = 0; i < len; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';
    if (digit <= 9) {
      n.digits = n.digits * 10 + digit;
    } else if (p[i] == '.' && point == len && i + 1 < len) {
      point = i;
    } else {
      return;
    }
  }
  n.whole = (uint8_t)point;
  n.scale = (uint8_t)(point == len ? 0 : len - point - 1);
  n.state = n.whole + n.scale <= DIGITS_MAX ? CSV_PLAIN : 0;
  *ret = n;
}

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

// Sixteen digits, the last one in the last byte, as a number.
AVX2 static inline uint64_t sixteen_digits(__m128i digits) {
  const __m128i tens = _mm_set1_epi16(0x010A), hundreds = _mm_set1_epi32(0x00010064);
  const __m128i myriads = _mm_set1_epi32(0x00012710);
  __m128i pairs = _mm_maddubs_epi16(digits, tens);
  __m128i fours = _mm_madd_epi16(pairs, hundreds);
  __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), myriads);
  uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
  return (both & 0xFFFFFFFF) * 100000000 + (both >> 32);
}

// Up to sixteen characters at once: a shuffle closes the gap of the point and moves the digits to
// the end.
AVX2 static inline void read_plain_avx2(const char *p, size_t len, csv_plain *ret) {
  const __m128i places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  uint32_t negative = *p == '-';
  const char *q = p + negative;
  uint32_t n = (uint32_t)len - negative;
  if (__builtin_expect(n - 1 >= VECTOR, 0)) {
    read_plain(p, len, ret);
    return;
  }
  __m128i text = _mm_loadu_si128((const __m128i *)q);
  __m128i digits = _mm_sub_epi8(text, _mm_set1_epi8('0'));
  __m128i no_digits = _mm_cmpgt_epi8(_mm_max_epu8(digits, _mm_set1_epi8(9)), _mm_set1_epi8(9));
  no_digits = _mm_or_si128(no_digits, _mm_cmpgt_epi8(_mm_setzero_si128(), digits));
  uint32_t live = (1u << n) - 1;
  uint32_t points = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.'))) & live;
  uint32_t odd = ((uint32_t)_mm_movemask_epi8(no_digits) & live) ^ points;
  uint32_t point = points ? (uint32_t)__builtin_ctz(points) : n;
  // Digits up to the point move one place further than those behind it.
  __m128i from = _mm_add_epi8(places, _mm_set1_epi8((char)(n - VECTOR)));
  __m128i front = _mm_cmpgt_epi8(_mm_set1_epi8((char)(points ? point + 1 : 0)), from);
  from = _mm_add_epi8(from, _mm_and_si128(front, _mm_set1_epi8((char)(points ? -1 : 0))));
  // Two points, one at the end, a zero in front of other digits: not the usual way.
  odd |= (points & (points - 1)) | (point + 1 == n ? points : 0) | (*q == '0' && point > 1);
  *ret = (csv_plain){.digits = sixteen_digits(_mm_shuffle_epi8(digits, from)),
                     .whole = (uint8_t)point,
                     .scale = (uint8_t)(points ? n - point - 1 : 0),
                     .negative = negative,
                     .state = odd == 0};
}

AVX2 static void read_plains_avx2(const csv_fields *fields, uint32_t from, uint32_t count,
                                  csv_plain *ret) {
  csv_fields f = *fields;
  for (uint32_t i = 0; i < count; i++) {
    size_t len;
    const char *p = csv_field(&f, from + i, &len);
    read_plain_avx2(p, len, &ret[i]);
  }
}
#endif

void csv_read_plains(const csv_fields *f, uint32_t from, uint32_t count, wh_cpu cpu,
                     csv_plain *ret) {
#ifdef __x86_64__
  if (cpu >= WH_CPU_AVX2) {
    read_plains_avx2(f, from, count, ret);
    return;
  }
#else
  (void)cpu;
#endif
  for (uint32_t i = 0; i < count; i++) {
    size_t len;
    const char *p = csv_field(f, from + i, &len);
    read_plain(p, len, &ret[i]);
  }
}
