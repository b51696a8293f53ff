#include "codec/parquet/pack.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __SSE2__
enum { LANE = 16 }; // bytes of a vector, and values taken at once

// The bytes of 16 values of `width` bytes (a power of two), numbered value * width + byte, become
// numbered byte * 16 + value: their numbers' bits turn left by four, one for each round, which
// interleaves the first half with the second.
static inline __attribute__((always_inline)) void split_lanes(const uint8_t *values, size_t count,
                                                              uint8_t *out, const size_t width) {
  for (size_t i = 0; i + LANE <= count; i += LANE) {
    __m128i a[8], b[8];
    for (size_t k = 0; k < width; k++)
      a[k] = _mm_loadu_si128((const __m128i *)(const void *)(values + i * width + k * LANE));
    for (int round = 0; round < 4; round++) {
      for (size_t k = 0; k < width / 2; k++) {
        b[2 * k] = _mm_unpacklo_epi8(a[k], a[k + width / 2]);
        b[2 * k + 1] = _mm_unpackhi_epi8(a[k], a[k + width / 2]);
      }
      memcpy(a, b, width * sizeof *a);
    }
    for (size_t k = 0; k < width; k++)
      _mm_storeu_si128((__m128i *)(void *)(out + k * count + i), a[k]);
  }
}
#endif

static size_t split_most(const uint8_t *values, size_t count, size_t width, uint8_t *out) {
#ifdef __SSE2__
  if (width == 8) {
    split_lanes(values, count, out, 8);
    return count / LANE * LANE;
  }
  if (width == 4) {
    split_lanes(values, count, out, 4);
    return count / LANE * LANE;
  }
#endif
  (void)values, (void)count, (void)width, (void)out;
  return 0;
}

void pq_split(const uint8_t *values, size_t count, size_t width, uint8_t *out) {
  size_t done = split_most(values, count, width, out);
  for (size_t k = 0; k < width; k++) {
    for (size_t i = done; i < count; i++)
      out[k * count + i] = values[i * width + k];
  }
}
