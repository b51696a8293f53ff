// Strings of JSON on their way out: the quick copy of those that need no escapes (RFC 8259 section
// 7: quotes, backslashes and control characters do).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

// Not zero when one of the eight bytes must be escaped. Sometimes a borrow says so of a byte above
// such a one, never without one.
static inline uint64_t json_escapes8(uint64_t x) {
  uint64_t quote = x ^ 0x2222222222222222u, slash = x ^ 0x5C5C5C5C5C5C5C5Cu;
  return (((x - 0x2020202020202020u) & ~x) | ((quote - 0x0101010101010101u) & ~quote) |
          ((slash - 0x0101010101010101u) & ~slash)) &
         0x8080808080808080u;
}

static inline uint64_t json_copy8(char *to, const char *from) {
  uint64_t x;
  memcpy(&x, from, sizeof x);
  memcpy(to, &x, sizeof x);
  return json_escapes8(x);
}

static inline uint64_t json_copy4(char *to, const char *from) {
  uint32_t x;
  memcpy(&x, from, sizeof x);
  memcpy(to, &x, sizeof x);
  return json_escapes8(x | 0x2D2D2D2D00000000u); // with four that need none
}

static inline uint64_t json_copy16(char *to, const char *from) {
#ifdef __SSE2__
  __m128i x = _mm_loadu_si128((const __m128i *)(const void *)from);
  _mm_storeu_si128((__m128i *)(void *)to, x);
  __m128i hit = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1F)), x);
  hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
  hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
  return (uint64_t)(unsigned)_mm_movemask_epi8(hit);
#else
  return json_copy8(to, from) | json_copy8(to + 8, from + 8);
#endif
}

// Copies n bytes, in pieces of fixed sizes that may overlap. Not zero when one of them must be
// escaped.
static inline uint64_t json_copy_text(char *to, const char *from, size_t n) {
  uint64_t hit = 0;
  if (n >= 16) {
    for (size_t i = 0; i + 16 < n; i += 16)
      hit |= json_copy16(to + i, from + i);
    return hit | json_copy16(to + n - 16, from + n - 16);
  }
  if (n >= 8) return json_copy8(to, from) | json_copy8(to + n - 8, from + n - 8);
  if (n >= 4) return json_copy4(to, from) | json_copy4(to + n - 4, from + n - 4);
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)from[i];
    to[i] = from[i];
    hit |= c < 0x20 || c == '"' || c == '\\';
  }
  return hit;
}
