// Words of eight bytes, for any machine.
#include "codec/csv/encode.h"

#define ROWS csv_rows_plain
#define TARGET
#define BLOCK 8

typedef uint64_t block;
typedef uint64_t hits; // the top bit of each byte that is one

enum { FIRST_PLAIN = 0x0E };
#define EACH_(byte) (0x0101010101010101ull * (uint8_t)(byte))

typedef struct needles {
  uint64_t delimiter, quote;
} needles;

static inline block load(const char *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

static inline void store(char *p, block word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  memcpy(p, &word, sizeof word);
}

// Bytes below `least`, which is at most 128; no carry runs into the next byte.
static inline hits below(uint64_t word, unsigned least) {
  return ~(((word & EACH_(0x7F)) + EACH_(0x80 - least)) | word) & EACH_(0x80);
}

static inline hits special(const needles *n, block word) {
  return below(word ^ n->delimiter, 1) | below(word ^ n->quote, 1) | below(word, FIRST_PLAIN);
}

static inline hits doubled(const needles *n, block word) {
  return below(word ^ n->quote, 1) | below(word, 1);
}

static inline unsigned first(hits h) {
  return (unsigned)__builtin_ctzll(h) / 8;
}

static inline hits within(hits h, size_t len) {
  return len < 8 ? h & ((1ull << 8 * len) - 1) : h;
}

static inline needles make_needles(const csv_encode *e) {
  return (needles){EACH_(e->delimiter[0]), EACH_(e->quote)};
}

#include "codec/csv/encode_rows.h"

char *csv_put_text(csv_encode *e, const csv_cell *cell, wh_str text, size_t row, char *at) {
  needles n = make_needles(e);
  return put_text(e, cell, &n, text, text.data + text.len, row, at);
}
