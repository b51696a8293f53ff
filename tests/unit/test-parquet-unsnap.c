// Snappy taken in pieces: the same bytes, however it is cut, and nothing out of bounds.
#include "codec/parquet/snappy.h"
#include "codec/parquet/unsnap.h"
#include "test.h"

#include <stdlib.h>

enum { MOST = 200000 };

static uint8_t *data, *packed, *out;
static pq_snappy state;

__attribute__((constructor)) static void allocate(void) {
  data = calloc(1, MOST);
  packed = calloc(1, pq_snappy_bound(MOST) + PQ_SNAPPY_SLACK);
  out = calloc(1, MOST + PQ_UNSNAP_SLACK);
}

// Bytes with repetitions near and far, patterns of every length, and noise.
static size_t make_data(void) {
  size_t len = 1 + (size_t)test_random_below(test_random_below(2) ? 300 : MOST), at = 0;
  while (at < len) {
    size_t n = 1 + (size_t)test_random_below(test_random_below(4) ? 20 : 500);
    if (n > len - at) n = len - at;
    size_t offset = 1 + (size_t)test_random_below(test_random_below(2) ? 20 : 60000);
    bool noise = test_random_below(3) == 0 || offset > at;
    for (size_t i = 0; i < n; i++, at++)
      data[at] = noise ? (uint8_t)test_random() : data[at - offset];
  }
  return len;
}

// Gives the packed bytes away a few at a time, for a few bytes at a time.
static bool unpack_in_pieces(const uint8_t *from, const uint8_t *end, size_t total, size_t piece) {
  pq_unsnap unsnap = {0};
  const uint8_t *in = from, *known = from;
  size_t len = 0;
  while (len < total) {
    size_t limit = len + 1 + (size_t)test_random_below(piece);
    if (limit > total) limit = total;
    pq_unsnapped result = pq_unsnap_run(&unsnap, &in, known, out, &len, limit);
    CHECK(in >= from && in <= known);
    CHECK(len <= limit);
    if (result == PQ_UNSNAP_FAR) return false;
    if (result == PQ_UNSNAP_HUNGRY) {
      if (known == end) return false;
      size_t more = 1 + (size_t)test_random_below(piece);
      known += more < (size_t)(end - known) ? more : (size_t)(end - known);
    }
  }
  return in == end && !unsnap.literal && !unsnap.copy;
}

static const uint8_t *behind_length(const uint8_t *at) {
  while (*at & 0x80)
    at++;
  return at + 1;
}

TEST(pieces_of_any_size) {
  static const size_t pieces[] = {1, 10, 1000, MOST};
  for (int round = 0; round < 200; round++) {
    size_t len = make_data(), n = pq_snappy_compress(&state, data, len, false, packed);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
      if (len > 5000 && pieces[i] < 1000 && round % 20) continue;
      memset(out, 0, len);
      CHECK(unpack_in_pieces(behind_length(packed), packed + n, len, pieces[i]));
      CHECK(memcmp(out, data, len) == 0);
    }
  }
}

// In buffers of exactly the size, so that a sanitizer sees every byte too far.
TEST(damage_stays_inside) {
  for (int round = 0; round < 3000; round++) {
    size_t len = make_data() % 2000 + 1, n = pq_snappy_compress(&state, data, len, false, packed);
    size_t head = (size_t)(behind_length(packed) - packed);
    uint8_t *in = malloc(n - head + 1), *to = malloc(len + PQ_UNSNAP_SLACK);
    REQUIRE(in && to);
    memcpy(in, packed + head, n - head);
    for (uint64_t changes = 1 + test_random_below(3); changes && n > head; changes--)
      in[test_random_below(n - head)] = (uint8_t)test_random();
    pq_unsnap unsnap = {0};
    const uint8_t *at = in;
    size_t made = 0;
    pq_unsnap_run(&unsnap, &at, in + (n - head), to, &made, len);
    CHECK(made <= len);
    free(in);
    free(to);
  }
}

TEST(a_copy_from_before_the_start_is_far) {
  static const uint8_t bytes[] = {0x0C, 'a', 'b', 'c', 'd', 0x0E, 5, 0}; // 4 bytes from 5 back
  pq_unsnap unsnap = {0};
  const uint8_t *at = bytes;
  size_t made = 0;
  CHECK_EQ(pq_unsnap_run(&unsnap, &at, bytes + sizeof bytes, out, &made, 100), PQ_UNSNAP_FAR);
  CHECK_EQ(made, 4);
  uint8_t zero[] = {0x0C, 'a', 'b', 'c', 'd', 0x0E, 0, 0};
  unsnap = (pq_unsnap){0};
  at = zero;
  made = 0;
  CHECK_EQ(pq_unsnap_run(&unsnap, &at, zero + sizeof zero, out, &made, 100), PQ_UNSNAP_FAR);
}
