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

// In memory, because compilers make constants anew for every value otherwise.
static const uint8_t zeros_[VECTOR] = {48, 48, 48, 48, 48, 48, 48, 48,
                                       48, 48, 48, 48, 48, 48, 48, 48};
static const uint8_t points_[VECTOR] = {46, 46, 46, 46, 46, 46, 46, 46,
                                        46, 46, 46, 46, 46, 46, 46, 46};
static const uint8_t nines_[VECTOR] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
// How the digits of a text of n characters with its point at i move to the end, at [15 - n + i...]:
// from a window over the places, the part up to the point one further.
static const uint8_t places_[2 * VECTOR] = {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
                                            128, 128, 128, 128, 128, 0,   1,   2,   3,   4,   5,
                                            6,   7,   8,   9,   10,  11,  12,  13,  14,  15};

#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))

// Up to sixteen characters at once: a shuffle closes the gap of the point and moves the digits to
// the end. False: more.
AVX2 static inline __attribute__((always_inline)) bool read_sixteen(const char *p, size_t len,
                                                                    csv_plain *ret) {
  uint32_t negative = *p == '-';
  p += negative;
  uint32_t n = (uint32_t)len - negative;
  if (__builtin_expect(n - 1 >= VECTOR, 0)) return false;
  __m128i text = LOAD(p);
  __m128i digits = _mm_sub_epi8(text, LOAD(zeros_));
  __m128i right = _mm_cmpeq_epi8(_mm_min_epu8(digits, LOAD(nines_)), digits);
  uint32_t live = (1u << n) - 1;
  uint32_t points = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, LOAD(points_))) & live;
  uint32_t odd = ~((uint32_t)_mm_movemask_epi8(right) | points) & live;
  uint32_t point = (uint32_t)__builtin_ctz(points | 1u << n); // n: none
  uint32_t has = point < n;
  // With digits[-1] and what is before it out of range, as zero: the place in front of place i is
  // i - 1.
  __m128i behind = LOAD(places_ + n), front = LOAD(places_ + n - 1);
  __m128i limit = _mm_set1_epi8((char)(point | (has - 1))); // -1: nothing moves further
  __m128i moved = _mm_cmpgt_epi8(behind, limit);
  __m128i from = _mm_blendv_epi8(front, behind, moved);
  // Two points, one at the end, a zero in front of other digits: not the usual way.
  odd |= (points & (points - 1)) | (point + 1 == n ? points : 0) | (*p == '0' && point > 1);
  *ret = (csv_plain){.digits = sixteen_digits(_mm_shuffle_epi8(digits, from)),
                     .whole = (uint8_t)point,
                     .scale = (uint8_t)(n - point - has),
                     .negative = negative,
                     .state = odd == 0};
  return true;
}

AVX2 static void read_plains_avx2(const csv_fields *fields, uint32_t count, csv_plain *ret) {
  csv_fields f = *fields;
  for (uint32_t i = 0; i < count; i++) {
    size_t len;
    const char *p = csv_take_field(&f, &len);
    if (!read_sixteen(p, len, &ret[i])) read_plain(p, len, &ret[i]);
  }
}
#endif

void csv_read_plains(const csv_fields *fields, uint32_t from, uint32_t count, wh_cpu cpu,
                     csv_plain *ret) {
  csv_fields f = *fields;
  f.from += from * f.from_stride;
  f.to += from * f.to_stride;
#ifdef __x86_64__
  if (cpu >= WH_CPU_AVX2) {
    read_plains_avx2(&f, count, ret);
    return;
  }
#else
  (void)cpu;
#endif
  for (uint32_t i = 0; i < count; i++) {
    size_t len;
    const char *p = csv_take_field(&f, &len);
    read_plain(p, len, &ret[i]);
  }
}
