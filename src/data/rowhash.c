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

static uint64_t hash_number(__int128 digits, int32_t exponent, uint64_t seed) {
  if (digits == 0)
    exponent = 0;
  else if (digits == (int64_t)digits) { // nearly always; 64-bit division is the fast one
    int64_t narrow = (int64_t)digits;
    for (; narrow % 10 == 0; exponent++)
      narrow /= 10;
    digits = narrow;
  } else {
    for (; digits % 10 == 0; exponent++)
      digits /= 10;
  }
  uint8_t payload[20];
  memcpy(payload, &digits, 16);
  memcpy(payload + 16, &exponent, 4);
  return hash(payload, sizeof payload, seed, TAG_NUMBER);
}

static uint64_t hash_float(double value, uint64_t seed) {
  if (fabs(value) <= 0x1p53 && trunc(value) == value) return hash_number((int64_t)value, 0, seed);
  uint64_t bits = 0x7FF8000000000000u;
  if (!isnan(value)) memcpy(&bits, &value, sizeof bits);
  return hash(&bits, sizeof bits, seed, TAG_FLOAT);
}

static uint64_t hash_units(int64_t value, wh_unit unit, uint64_t seed, uint64_t tag) {
  __int128 ns = (__int128)value * (1000000000 / wh_unit_per_second(unit));
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
    return hash_units(wh_column_i64(column, row), type->unit, seed, TAG_TIME);
  case WH_TIMESTAMP:
    return hash_units(wh_column_i64(column, row), type->unit, seed,
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
    ADD_ROWS(hash_number(read_i64(c, row), 0, seed));
    break;
  case WH_INT32:
    ADD_ROWS(hash_number(read_i32(c, row), 0, seed));
    break;
  case WH_FLOAT64:
    ADD_ROWS(hash_float(read_f64(c, row), seed));
    break;
  case WH_DATE:
    ADD_ROWS(hash_days(read_i32(c, row), seed));
    break;
  case WH_TIMESTAMP: {
    uint64_t tag = c->type.zoned ? TAG_INSTANT : TAG_LOCAL;
    ADD_ROWS(hash_units(read_i64(c, row), c->type.unit, seed, tag));
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
