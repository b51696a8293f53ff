// The encoders of levels, indices and integers against the decoders, and against bytes by hand.
#include "base/cpu.h"
#include "codec/parquet/crc.h"
#include "codec/parquet/delta_read.h"
#include "codec/parquet/pack.h"
#include "codec/parquet/rle_read.h"
#include "test.h"

#include <stdlib.h>
#include <zlib.h>

enum { MOST = 5000, ROUNDS = 200 };

// Values below 2^width: noise, runs, or both by turns.
static void random_indices(uint16_t *out, size_t count, unsigned width) {
  uint64_t kind = test_random_below(3);
  uint16_t mask = (uint16_t)((1u << width) - 1);
  for (size_t i = 0; i < count; i++) {
    bool again = i && (kind == 1 || (kind == 2 && (i >> 6) & 1)) && test_random_below(50);
    out[i] = again ? out[i - 1] : (uint16_t)(test_random() >> 20) & mask;
  }
}

TEST(the_hybrid_comes_back) {
  static uint16_t values[MOST];
  static uint32_t got[MOST];
  for (int round = 0; round < ROUNDS; round++) {
    unsigned width = (unsigned)test_random_below(PQ_RLE_WIDTH_MAX + 1);
    size_t count = test_random_below(round % 2 ? MOST : 70);
    random_indices(values, count, width);
    size_t bound = pq_rle_bound(count, width);
    uint8_t *out = calloc(bound + PQ_SLACK, 1);
    size_t size = pq_rle_encode(values, count, width, out);
    CHECK(size + PQ_PACK_SLACK <= bound);
    pq_rle rle;
    pq_rle_init(&rle, WH_CPU_PLAIN, out, size, width);
    CHECK_EQ(pq_rle_u32(&rle, got, count), count);
    size_t same = 0;
    while (same < count && got[same] == values[same])
      same++;
    CHECK_EQ(same, count);
    free(out);
  }
}

TEST(the_hybrid_is_what_the_specification_shows) {
  // Encodings.md: 0 to 7, three bits each, are 88 C6 FA.
  uint16_t counting[] = {0, 1, 2, 3, 4, 5, 6, 7};
  uint8_t out[64];
  CHECK_EQ(pq_rle_encode(counting, 8, 3, out), 4);
  CHECK(memcmp(out, "\x03\x88\xC6\xFA", 4) == 0);
  uint16_t run[100];
  for (size_t i = 0; i < 100; i++)
    run[i] = 4;
  CHECK_EQ(pq_rle_encode(run, 100, 3, out), 3); // a head of two bytes, and the value
  CHECK(memcmp(out, "\xC8\x01\x04", 3) == 0);
  CHECK_EQ(pq_rle_encode(run, 0, 3, out), 0);
}

TEST(bits_come_back) {
  static uint64_t bits[MOST / 64 + 2];
  for (int round = 0; round < ROUNDS; round++) {
    size_t count = test_random_below(round % 2 ? MOST : 200);
    uint64_t kind = test_random_below(3);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
      uint64_t whole = test_random_below(2) ? UINT64_MAX : 0;
      bits[i] = kind == 0 || (kind == 1 && i % 5 == 0) ? test_random() : whole;
    }
    size_t bound = pq_rle_bound(count, 1);
    uint8_t *out = calloc(bound + PQ_SLACK, 1);
    static uint8_t got[MOST];
    size_t size = pq_rle_encode_bits(bits, count, out);
    CHECK(size + PQ_PACK_SLACK <= bound);
    pq_rle rle;
    pq_rle_init(&rle, WH_CPU_PLAIN, out, size, 1);
    CHECK_EQ(pq_rle_u8(&rle, got, count), count);
    size_t same = 0;
    while (same < count && got[same] == (bits[same / 64] >> same % 64 & 1))
      same++;
    CHECK_EQ(same, count);
    free(out);
  }
}

TEST(deltas_come_back) {
  static int64_t wide[MOST];
  static int32_t narrow[MOST];
  static uint64_t got_wide[MOST];
  static uint32_t got_narrow[MOST];
  for (int round = 0; round < ROUNDS; round++) {
    size_t count = test_random_below(round % 2 ? MOST : 140);
    unsigned width = (unsigned)test_random_below(65);
    for (size_t i = 0; i < count; i++) {
      wide[i] = width ? (int64_t)(test_random() >> (64 - width)) : 0;
      if (round % 3 == 0) wide[i] += (int64_t)i * 1000;
      if (round % 7 == 0) wide[i] = i & 1 ? INT64_MAX : INT64_MIN;
      narrow[i] = (int32_t)wide[i];
    }
    for (int which = 0; which < 2; which++) {
      size_t bound = pq_delta_bound(count, which ? 8 : 4);
      uint8_t *out = calloc(bound + PQ_SLACK, 1);
      size_t size =
          which ? pq_delta_encode_i64(wide, count, out) : pq_delta_encode_i32(narrow, count, out);
      CHECK(size + PQ_PACK_SLACK <= bound);
      pq_delta delta;
      CHECK(pq_delta_init(&delta, WH_CPU_PLAIN, out, size));
      CHECK(pq_delta_end(&delta) == out + size);
      CHECK(pq_delta_init(&delta, WH_CPU_PLAIN, out, size));
      size_t n =
          which ? pq_delta_u64(&delta, got_wide, count) : pq_delta_u32(&delta, got_narrow, count);
      CHECK_EQ(n, count);
      CHECK(which ? memcmp(got_wide, wide, count * 8) == 0
                  : memcmp(got_narrow, narrow, count * 4) == 0);
      free(out);
    }
  }
}

TEST(bytes_are_split_into_streams) {
  for (size_t width = 4; width <= 8; width += 4) {
    for (size_t count = 0; count < 100; count++) {
      uint8_t *values = malloc(count * width + 1), *out = malloc(count * width + 1);
      for (size_t i = 0; i < count * width; i++)
        values[i] = (uint8_t)test_random();
      pq_split(values, count, width, out);
      bool same = true;
      for (size_t i = 0; i < count * width; i++)
        same &= out[i % width * count + i / width] == values[i];
      CHECK(same);
      free(values);
      free(out);
    }
  }
}

TEST(checksums_are_those_of_zlib) {
  enum { BYTES = 3000 };
  uint8_t *data = malloc(BYTES);
  for (size_t i = 0; i < BYTES; i++)
    data[i] = (uint8_t)test_random();
  for (int level = 0; level < 2; level++) {
    wh_cpu_limit(level ? WH_CPU_AVX512 : WH_CPU_PLAIN);
    size_t wrong = 0;
    for (size_t n = 0; n <= BYTES; n++)
      wrong += pq_crc32(data + BYTES - n, n) != crc32_z(0, data + BYTES - n, n);
    CHECK_EQ(wrong, 0);
  }
  wh_cpu_limit(WH_CPU_AVX512);
  free(data);
}
