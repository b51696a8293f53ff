// Bit-packed values, runs and differences: each against the plain definition, on every path.
#include "base/cpu.h"
#include "codec/parquet/delta_read.h"
#include "codec/parquet/pack.h"
#include "codec/parquet/rle_read.h"
#include "test.h"

enum { COUNT = 700 };

// Value i of a packed array, one bit at a time.
static uint64_t slow_value(const uint8_t *src, unsigned width, uint64_t i) {
  uint64_t value = 0;
  for (unsigned b = 0; b < width; b++) {
    uint64_t bit = i * width + b;
    value |= (uint64_t)(src[bit >> 3] >> (bit & 7) & 1) << b;
  }
  return value;
}

static void fill_random(uint8_t *out, size_t len) {
  for (size_t i = 0; i < len; i++)
    out[i] = (uint8_t)test_random();
}

TEST(packed_values_of_every_width) {
  static uint8_t src[COUNT * 8 + PQ_SLACK];
  static uint32_t got[COUNT];
  static uint64_t got64[COUNT];
  fill_random(src, sizeof src);
  for (wh_cpu cpu = WH_CPU_PLAIN; cpu <= wh_cpu_level(); cpu++) {
    for (unsigned width = 0; width <= 32; width++) {
      uint64_t from = test_random_below(100);
      size_t n = (size_t)test_random_below(COUNT - 100);
      pq_unpack32(cpu, src, width, from, n, got);
      for (size_t i = 0; i < n; i++)
        CHECK_EQ(got[i], slow_value(src, width, from + i));
    }
    for (unsigned width = 0; width <= 64; width++) {
      pq_unpack64(cpu, src, width, COUNT, got64);
      for (size_t i = 0; i < COUNT; i++)
        CHECK_EQ(got64[i], slow_value(src, width, i));
    }
  }
}

TEST(bits_are_copied_filled_and_counted) {
  uint8_t src[64 + PQ_SLACK], dst[64 + PQ_SLACK], want[64];
  for (int round = 0; round < 2000; round++) {
    size_t at = (size_t)test_random_below(100), from = (size_t)test_random_below(100);
    size_t n = (size_t)test_random_below(400);
    fill_random(src, sizeof src);
    fill_random(dst, sizeof dst);
    memcpy(want, dst, sizeof want);
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
      bool bit = src[(from + i) / 8] >> ((from + i) % 8) & 1;
      sum += bit;
      want[(at + i) / 8] =
          (uint8_t)((want[(at + i) / 8] & ~(1u << (at + i) % 8)) | (unsigned)bit << (at + i) % 8);
    }
    pq_copy_bits(dst, at, src, from, n);
    CHECK(memcmp(dst, want, sizeof want) == 0);
    CHECK_EQ(pq_count_bits(src, from, n), sum);
    bool value = round & 1;
    pq_fill_bits(dst, at, n, value);
    CHECK_EQ(pq_count_bits(dst, at, n), value ? n : 0);
  }
}

// Values in runs and without, as the writer encodes them.
static void random_values(uint16_t *values, size_t count, unsigned width) {
  for (size_t i = 0; i < count;) {
    uint16_t value = (uint16_t)(test_random() & ((1u << width) - 1));
    for (size_t n = test_random_below(3) ? 1 : test_random_below(60); n && i < count; n--)
      values[i++] = value;
  }
}

static void check_runs(wh_cpu cpu, unsigned width, const uint16_t *values, const uint8_t *data,
                       size_t len) {
  static uint32_t got[COUNT];
  pq_rle rle;
  pq_rle_init(&rle, cpu, data, len, width);
  for (size_t at = 0; at < COUNT;) {
    size_t n = 1 + (size_t)test_random_below(100);
    if (n > COUNT - at) n = COUNT - at;
    if (test_random_below(3) == 0) {
      CHECK_EQ(pq_rle_skip(&rle, n), n);
    } else {
      CHECK_EQ(pq_rle_u32(&rle, got, n), n);
      for (size_t i = 0; i < n; i++)
        CHECK_EQ(got[i], values[at + i]);
    }
    at += n;
  }
}

TEST(runs_of_every_width) {
  static uint16_t values[COUNT];
  static uint8_t data[COUNT * 4 + 1024], levels[COUNT];
  for (wh_cpu cpu = WH_CPU_PLAIN; cpu <= wh_cpu_level(); cpu++) {
    for (unsigned width = 0; width <= 16; width++) {
      random_values(values, COUNT, width);
      size_t len = pq_rle_encode(values, COUNT, width, data);
      check_runs(cpu, width, values, data, len);
      if (width > 8) continue;
      pq_rle rle;
      pq_rle_init(&rle, cpu, data, len, width);
      CHECK_EQ(pq_rle_u8(&rle, levels, COUNT), COUNT);
      for (size_t i = 0; i < COUNT; i++)
        CHECK_EQ(levels[i], values[i]);
    }
  }
}

TEST(bits_in_runs) {
  static uint16_t values[COUNT];
  static uint8_t data[COUNT * 4 + 1024], bits[COUNT / 8 + PQ_SLACK];
  random_values(values, COUNT, 1);
  size_t len = pq_rle_encode(values, COUNT, 1, data);
  pq_rle rle;
  pq_rle_init(&rle, wh_cpu_level(), data, len, 1);
  for (size_t at = 0; at < COUNT; at += 7)
    CHECK_EQ(pq_rle_bits(&rle, bits, at, 7), 7);
  for (size_t i = 0; i < COUNT; i++)
    CHECK_EQ(bits[i / 8] >> (i % 8) & 1, values[i]);
}

// The example of Encodings.md: 0 to 7, three bits each.
TEST(legacy_levels_are_most_significant_first) {
  uint8_t data[3 + PQ_SLACK] = {0x05, 0x39, 0x77}, got[8];
  pq_rle rle;
  pq_rle_init_legacy(&rle, data, 3, 3);
  REQUIRE(pq_rle_u8(&rle, got, 8) == 8);
  for (int i = 0; i < 8; i++)
    CHECK_EQ(got[i], i);
}

TEST(runs_that_are_cut_end_early) {
  static uint16_t values[COUNT];
  static uint8_t data[COUNT * 4 + 1024], copy[COUNT * 4 + 1024];
  static uint32_t got[COUNT];
  random_values(values, COUNT, 9);
  size_t len = pq_rle_encode(values, COUNT, 9, data);
  for (size_t cut = 0; cut < len; cut++) {
    memset(copy, 0, sizeof copy);
    memcpy(copy, data, cut);
    pq_rle rle;
    pq_rle_init(&rle, wh_cpu_level(), copy, cut, 9);
    size_t n = pq_rle_u32(&rle, got, COUNT);
    CHECK(n < COUNT || cut + 9 >= len); // the last group's padding may be missing
    for (size_t i = 0; i < n; i++)
      CHECK_EQ(got[i], values[i]);
  }
}

static int64_t random_number(int bits) {
  int64_t value = (int64_t)(test_random() >> (64 - bits));
  return test_random_below(2) ? value : -value;
}

TEST(differences_of_every_width) {
  static int64_t values[COUNT];
  static int32_t narrow[COUNT];
  static uint64_t got[COUNT];
  static uint32_t got32[COUNT];
  static uint8_t data[COUNT * 12 + 4096];
  for (wh_cpu cpu = WH_CPU_PLAIN; cpu <= wh_cpu_level(); cpu++) {
    for (int bits = 1; bits <= 64; bits++) {
      size_t count = (size_t)test_random_below(COUNT);
      for (size_t i = 0; i < count; i++)
        narrow[i] = (int32_t)(values[i] = random_number(bits));
      pq_delta d;
      size_t len = pq_delta_encode_i64(values, count, data);
      REQUIRE(pq_delta_init(&d, cpu, data, len));
      CHECK(pq_delta_end(&d) == data + len);
      size_t first = (size_t)test_random_below(count + 1);
      CHECK_EQ(pq_delta_u64(&d, NULL, first), first);
      CHECK_EQ(pq_delta_u64(&d, got, COUNT), count - first);
      for (size_t i = first; i < count; i++)
        CHECK_EQ(got[i - first], values[i]);
      len = pq_delta_encode_i32(narrow, count, data);
      REQUIRE(pq_delta_init(&d, cpu, data, len));
      CHECK_EQ(pq_delta_u32(&d, got32, COUNT), count);
      for (size_t i = 0; i < count; i++)
        CHECK_EQ((int32_t)got32[i], narrow[i]);
    }
  }
}

TEST(damaged_differences_end_early) {
  static int64_t values[COUNT];
  static uint64_t got[COUNT];
  static uint8_t data[COUNT * 12 + 4096];
  for (size_t i = 0; i < COUNT; i++)
    values[i] = random_number(20);
  size_t len = pq_delta_encode_i64(values, COUNT, data);
  for (int round = 0; round < 20000; round++) {
    size_t at = (size_t)test_random_below(len);
    uint8_t kept = data[at];
    data[at] = (uint8_t)test_random();
    pq_delta d;
    if (pq_delta_init(&d, wh_cpu_level(), data, (size_t)test_random_below(len + 1))) {
      const uint8_t *end = pq_delta_end(&d);
      CHECK(!end || (end >= data && end <= data + len));
      CHECK(pq_delta_u64(&d, got, COUNT) <= COUNT);
    }
    data[at] = kept;
  }
}
