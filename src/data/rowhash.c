#include "data/rowhash.h"

#include "data/number.h"
#include "data/temporal.h"

#define XXH_INLINE_ALL
#include <math.h>
#include <xxhash.h>

enum {
  TAG_NULL,
  TAG_BOOL,
  TAG_NUMBER,
  TAG_FLOAT,
  TAG_DATE,
  TAG_TIME,
  TAG_LOCAL,
  TAG_INSTANT,
  TAG_STRING,
  TAG_BINARY,
  TAG_LIST,
  TAG_STRUCT,
};

static uint64_t hash(const void *payload, size_t size, uint64_t seed, uint64_t tag) {
  return XXH3_64bits_withSeed(payload, size, seed + tag * 0x9E3779B97F4A7C15u);
}

static uint64_t name_seed(wh_str name) {
  return XXH3_64bits_withSeed(name.data, name.len, 0);
}

// XXH3_64bits_withSeed of twenty bytes: `low` and `high` in eight each, `last` in four ("XXH3
// algorithm overview", xxhash_spec.md, inputs of 17 to 128 bytes). In registers: the second half of
// the input overlaps the first, and reading it back across two stores would wait for both.
static inline uint64_t hash_20(uint64_t low, uint64_t high, uint32_t last, uint64_t seed) {
  static const uint64_t secret[] = {0xBE4BA423396CFEB8u, 0x1CAD21F72C81017Cu, 0xDB979083E96DD4DEu,
                                    0x1F67B3B7A4A44072u};
  uint64_t middle = low >> 32 | high << 32, end = high >> 32 | (uint64_t)last << 32;
  unsigned __int128 a = (unsigned __int128)(low ^ (secret[0] + seed)) * (high ^ (secret[1] - seed));
  unsigned __int128 b =
      (unsigned __int128)(middle ^ (secret[2] + seed)) * (end ^ (secret[3] - seed));
  uint64_t h = 20 * 0x9E3779B185EBCA87u;
  h += (uint64_t)a ^ (uint64_t)(a >> 64);
  h += (uint64_t)b ^ (uint64_t)(b >> 64);
  h ^= h >> 37;
  h *= 0x165667919E3779F9u;
  return h ^ h >> 32;
}

// The quotient, if there is no rest: a multiple of ten times the inverse of five is even, and half
// of it is small (Granlund and Montgomery, "Division by invariant integers using multiplication",
// 9).
static inline bool divide_by_ten(uint64_t *magnitude) {
  uint64_t fifth = *magnitude * 0xCCCCCCCCCCCCCCCDu, quotient = fifth >> 1 | fifth << 63;
  if (quotient > UINT64_MAX / 10) return false;
  *magnitude = quotient;
  return true;
}

static inline uint64_t hash_i64(int64_t value, int32_t exponent, uint64_t seed) {
  uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  if (value == 0)
    exponent = 0;
  else
    while (divide_by_ten(&magnitude))
      exponent++;
  uint64_t low = value < 0 ? 0 - magnitude : magnitude, high = value < 0 ? UINT64_MAX : 0;
  return hash_20(low, high, (uint32_t)exponent, seed + TAG_NUMBER * 0x9E3779B97F4A7C15u);
}

static uint64_t hash_number(__int128 digits, int32_t exponent, uint64_t seed) {
  if (digits == (int64_t)digits) return hash_i64((int64_t)digits, exponent, seed); // nearly always
  for (; digits % 10 == 0; exponent++)
    digits /= 10;
  return hash_20((uint64_t)digits, (uint64_t)(digits >> 64), (uint32_t)exponent,
                 seed + TAG_NUMBER * 0x9E3779B97F4A7C15u);
}

static uint64_t hash_float(double value, uint64_t seed) {
  if (fabs(value) <= 0x1p53 && trunc(value) == value) return hash_i64((int64_t)value, 0, seed);
  uint64_t bits = 0x7FF8000000000000u;
  if (!isnan(value)) memcpy(&bits, &value, sizeof bits);
  return hash(&bits, sizeof bits, seed, TAG_FLOAT);
}

static int64_t nanos_of(wh_unit unit) {
  return 1000000000 / wh_unit_per_second(unit);
}

static uint64_t hash_units(int64_t value, int64_t nanos, uint64_t seed, uint64_t tag) {
  __int128 ns = (__int128)value * nanos;
  return hash(&ns, sizeof ns, seed, tag);
}

static uint64_t hash_days(int64_t days, uint64_t seed) {
  return hash(&days, sizeof days, seed, TAG_DATE);
}

static uint64_t hash_list(const wh_column *column, size_t row, uint64_t seed) {
  uint64_t count = (uint64_t)(column->offsets[row + 1] - column->offsets[row]);
  uint64_t h = hash(&count, sizeof count, seed, TAG_LIST);
  for (int32_t i = column->offsets[row]; i < column->offsets[row + 1]; i++)
    h = wh_value_hash(&column->children[0], (size_t)i, h);
  return h;
}

static uint64_t hash_struct(const wh_column *column, size_t row, uint64_t seed) {
  uint64_t sum = 0;
  for (size_t i = 0; i < column->child_count; i++)
    sum += wh_value_hash(&column->children[i], row, name_seed(column->type.fields[i].name));
  return hash(&sum, sizeof sum, seed, TAG_STRUCT);
}

uint64_t wh_value_hash(const wh_column *column, size_t row, uint64_t seed) {
  if (wh_column_is_null(column, row)) return hash("", 0, seed, TAG_NULL);
  const wh_type *type = &column->type;
  switch (type->kind) {
  case WH_BOOL: {
    uint8_t byte = wh_column_bool(column, row);
    return hash(&byte, 1, seed, TAG_BOOL);
  }
  case WH_FLOAT32:
  case WH_FLOAT64:
    return hash_float(wh_column_f64(column, row), seed);
  case WH_DECIMAL:
    return hash_number(wh_column_decimal(column, row), -type->scale, seed);
  case WH_UINT64:
    return hash_number((__int128)wh_column_u64(column, row), 0, seed);
  case WH_DATE:
    return hash_days(wh_column_i64(column, row), seed);
  case WH_TIME:
    return hash_units(wh_column_i64(column, row), nanos_of(type->unit), seed, TAG_TIME);
  case WH_TIMESTAMP:
    return hash_units(wh_column_i64(column, row), nanos_of(type->unit), seed,
                      type->zoned ? TAG_INSTANT : TAG_LOCAL);
  case WH_STRING:
  case WH_BINARY: {
    wh_str text = wh_column_text(column, row);
    return hash(text.data, text.len, seed, type->kind == WH_STRING ? TAG_STRING : TAG_BINARY);
  }
  case WH_LIST:
    return hash_list(column, row, seed);
  case WH_STRUCT:
    return hash_struct(column, row, seed);
  default:
    return hash_number(wh_column_i64(column, row), 0, seed);
  }
}

uint64_t wh_row_hash(const wh_batch *batch, size_t row) {
  uint64_t sum = 0;
  for (size_t i = 0; i < batch->schema->count; i++)
    sum += wh_value_hash(&batch->columns[i], row, name_seed(batch->schema->fields[i].name));
  return hash(&sum, sizeof sum, 0, TAG_STRUCT);
}

// --- whole columns -----------------------------------------------------------------------------

// Adds the hash of each of `count` rows from `first` on to `sums`. VALUE is what is hashed of a row
// that has a value, an expression of `row`.
#define ADD_ROWS(VALUE)                                                                            \
  do {                                                                                             \
    uint64_t null = hash("", 0, seed, TAG_NULL);                                                   \
    bool full = c->null_count == 0;                                                                \
    for (size_t i = 0; i < count; i++) {                                                           \
      size_t row = first + i;                                                                      \
      sums[i] += full || !wh_column_is_null(c, row) ? (VALUE) : null;                              \
    }                                                                                              \
  } while (0)

static int64_t read_i64(const wh_column *c, size_t row) {
  int64_t value;
  memcpy(&value, c->values + row * sizeof value, sizeof value);
  return value;
}

static int32_t read_i32(const wh_column *c, size_t row) {
  int32_t value;
  memcpy(&value, c->values + row * sizeof value, sizeof value);
  return value;
}

static double read_f64(const wh_column *c, size_t row) {
  double value;
  memcpy(&value, c->values + row * sizeof value, sizeof value);
  return value;
}

// The kinds that come most are spelled out, so that nothing is decided anew for each value.
static void add_column(const wh_column *c, size_t first, size_t count, uint64_t seed,
                       uint64_t *sums) {
  switch (c->type.kind) {
  case WH_INT64:
    ADD_ROWS(hash_i64(read_i64(c, row), 0, seed));
    break;
  case WH_INT32:
    ADD_ROWS(hash_i64(read_i32(c, row), 0, seed));
    break;
  case WH_FLOAT64:
    ADD_ROWS(hash_float(read_f64(c, row), seed));
    break;
  case WH_DATE:
    ADD_ROWS(hash_days(read_i32(c, row), seed));
    break;
  case WH_TIMESTAMP: {
    uint64_t tag = c->type.zoned ? TAG_INSTANT : TAG_LOCAL;
    int64_t nanos = nanos_of(c->type.unit);
    ADD_ROWS(hash_units(read_i64(c, row), nanos, seed, tag));
    break;
  }
  case WH_STRING:
    ADD_ROWS(hash(wh_column_text(c, row).data, wh_column_text(c, row).len, seed, TAG_STRING));
    break;
  default:
    for (size_t i = 0; i < count; i++)
      sums[i] += wh_value_hash(c, first + i, seed);
  }
}

uint64_t wh_batch_hash_sum(const wh_batch *batch) {
  enum { BLOCK = 256 }; // rows at a time, column by column
  uint64_t total = 0;
  for (size_t first = 0; first < batch->rows; first += BLOCK) {
    size_t count = batch->rows - first < BLOCK ? batch->rows - first : BLOCK;
    uint64_t sums[BLOCK] = {0};
    for (size_t i = 0; i < batch->schema->count; i++)
      add_column(&batch->columns[i], first, count, name_seed(batch->schema->fields[i].name), sums);
    for (size_t row = 0; row < count; row++)
      total += hash(&sums[row], sizeof sums[row], 0, TAG_STRUCT);
  }
  return total;
}
