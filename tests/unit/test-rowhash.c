#include "data/rowhash.h"
#include "data/value.h"
#include "random_batch.h"

#include <math.h>
#include <xxhash.h>

static uint64_t hash_of(const char *type_text, const char *text) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_type type;
  wh_value value;
  wh_column c;
  uint64_t hash = 0;
  if (!CHECK_OK(wh_type_parse(wh_str_of(type_text), &arena, &type, &test_err))) return 0;
  wh_column_init(&c, &test_mem, &type);
  if (!text) {
    CHECK_OK(wh_column_add_null(&c, &test_err));
  } else if (CHECK_OK(wh_value_parse(wh_str_of(text), &type, &arena, &value, &test_err))) {
    CHECK_OK(wh_value_add(&c, &value, &test_err));
  }
  if (c.length) hash = wh_value_hash(&c, 0, 42);
  wh_column_free(&c);
  return hash;
}

TEST(rowhash_equal_values_hash_equally) {
  static const char *const same[][4] = {
      {"int8", "5", "uint64", "5"},
      {"int8", "-100", "decimal(20,3)", "-100"},
      {"int64", "0", "decimal(20,3)", "0"},
      {"uint64", "18446744073709551615", "decimal(38,2)", "18446744073709551615"},
      {"decimal(5,2)", "1.50", "decimal(38,37)", "1.5"},
      {"float64", "5", "int8", "5"},
      {"float32", "-0.0", "int8", "0"},
      {"float32", "0.5", "float64", "0.5"},
      {"float64", "NaN", "float32", "NaN"},
      {"float64", "9007199254740992", "int64", "9007199254740992"},
      {"timestamp[s,UTC]", "2026-11-21T08:55:00Z", "timestamp[ns,UTC]", "2026-11-21T08:55:00Z"},
      {"timestamp[s]", "9999-11-21T08:55:00", "timestamp[us]", "9999-11-21T08:55:00"},
      {"time[s]", "08:55:00", "time[ns]", "08:55:00"},
      {"int8", NULL, "string", NULL},
  };
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    if (hash_of(same[i][0], same[i][1]) == hash_of(same[i][2], same[i][3])) continue;
    test_note("%s %s", same[i][0], same[i][1] ? same[i][1] : "NULL");
    CHECK(false);
  }
}

TEST(rowhash_different_values_hash_differently) {
  static const char *const all[][2] = {
      {"int8", NULL},
      {"bool", "false"},
      {"bool", "true"},
      {"int8", "0"},
      {"int8", "1"},
      {"int8", "10"},
      {"int8", "-1"},
      {"decimal(5,2)", "0.1"},
      {"float64", "0.1"},
      {"float32", "0.1"},
      {"float64", "NaN"},
      {"float64", "Infinity"},
      {"float64", "-Infinity"},
      {"string", ""},
      {"string", "1"},
      {"string", "0"},
      {"binary", ""},
      {"binary", "MQ=="},
      {"date", "1970-01-01"},
      {"time[us]", "00:00"},
      {"timestamp[us]", "1970-01-01"},
      {"timestamp[us,UTC]", "1970-01-01T00:00:00Z"},
  };
  enum { N = sizeof all / sizeof *all };
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < i; j++) {
      if (hash_of(all[i][0], all[i][1]) != hash_of(all[j][0], all[j][1])) continue;
      test_note("%s %s and %s %s", all[i][0], all[i][1], all[j][0], all[j][1]);
      CHECK(false);
    }
  }
}

// The four columns of the golden row, in the order given by `order`.
static bool golden_batch(wh_batch *batch, wh_schema *schema, wh_field fields[4],
                         const int order[4]) {
  static const wh_field all[4] = {
      {WH_STR_INIT("id"), {.kind = WH_INT64}, false, WH_INTERNAL},
      {WH_STR_INIT("name"), {.kind = WH_STRING}, true, WH_INTERNAL},
      {WH_STR_INIT("price"), {.kind = WH_DECIMAL, .precision = 10, .scale = 2}, true, WH_INTERNAL},
      {WH_STR_INIT("at"), {.kind = WH_TIMESTAMP, .unit = WH_UNIT_US, .zoned = true}, true, 0},
  };
  for (int i = 0; i < 4; i++)
    fields[i] = all[order[i]];
  *schema = (wh_schema){4, fields};
  return CHECK_OK(wh_batch_init(batch, &test_mem, schema, &test_err));
}

static void golden_row(wh_batch *batch, int64_t id, const char *name) {
  for (size_t i = 0; i < 4; i++) {
    wh_column *c = &batch->columns[i];
    if (c->type.kind == WH_INT64)
      CHECK_OK(wh_column_add_i64(c, id, &test_err));
    else if (c->type.kind == WH_TIMESTAMP)
      CHECK_OK(wh_column_add_i64(c, 1795251300000000, &test_err));
    else if (c->type.kind == WH_DECIMAL)
      CHECK_OK(wh_column_add_decimal(c, 1250, &test_err));
    else if (name)
      CHECK_OK(wh_column_add_text(c, wh_str_of(name), &test_err));
    else
      CHECK_OK(wh_column_add_null(c, &test_err));
  }
  wh_batch_row_end(batch);
}

TEST(rowhash_order_does_not_matter_content_does) {
  static const int orders[2][4] = {{0, 1, 2, 3}, {3, 1, 0, 2}};
  wh_batch a, b;
  wh_schema schema_a, schema_b;
  wh_field fields_a[4], fields_b[4];
  REQUIRE(golden_batch(&a, &schema_a, fields_a, orders[0]));
  REQUIRE(golden_batch(&b, &schema_b, fields_b, orders[1]));
  for (int i = 0; i < 600; i++) {
    golden_row(&a, i, i % 3 ? "x" : NULL);
    golden_row(&b, 599 - i, (599 - i) % 3 ? "x" : NULL);
  }
  CHECK_EQ(wh_row_hash(&a, 0), wh_row_hash(&b, 599));
  CHECK_EQ(wh_batch_hash_sum(&a), wh_batch_hash_sum(&b));
  uint64_t sum = 0;
  for (size_t i = 0; i < 600; i++)
    sum += wh_row_hash(&a, i);
  CHECK_EQ(wh_batch_hash_sum(&a), sum);
  wh_batch_free(&b);
  // Exchanging two values between rows is a change.
  REQUIRE(golden_batch(&b, &schema_b, fields_b, orders[0]));
  wh_batch_reset(&a);
  golden_row(&a, 1, "x");
  golden_row(&a, 2, "y");
  golden_row(&b, 1, "y");
  golden_row(&b, 2, "x");
  CHECK(wh_batch_hash_sum(&a) != wh_batch_hash_sum(&b));
  // So is another name for a column.
  uint64_t before = wh_row_hash(&b, 0);
  fields_b[1].name = WH_STR("title");
  CHECK(wh_row_hash(&b, 0) != before);
  wh_batch_free(&a);
  wh_batch_free(&b);
}

// A receipt made today is verified years from now: these never change.
TEST(rowhash_golden_values) {
  static const int order[4] = {0, 1, 2, 3};
  wh_batch batch;
  wh_schema schema;
  wh_field fields[4];
  REQUIRE(golden_batch(&batch, &schema, fields, order));
  golden_row(&batch, 4711, "Zo\xC3\xAB");
  golden_row(&batch, -1, NULL);
  CHECK_EQ(wh_row_hash(&batch, 0), 0xE08E3C19CB91317A);
  CHECK_EQ(wh_row_hash(&batch, 1), 0xC458C2A63C1D4927);
  wh_batch_free(&batch);
  static const struct {
    const char *type, *text;
    uint64_t hash;
  } golden[] = {
      {"int8", NULL, 0xB029411FF43D84D2},
      {"bool", "true", 0x730800710118E0A8},
      {"int64", "-9223372036854775808", 0xC563E07517C42F29},
      {"decimal(38,2)", "123456789012345678901234567890.50", 0xD55F5FA6A2D47A20},
      {"float64", "0.1", 0x7E5E2C10E420FECD},
      {"float64", "NaN", 0x55A995980B12FAFC},
      {"float64", "1e300", 0xEB6372ECE51E8896},
      {"date", "2026-11-21", 0xA617801A85C6A818},
      {"time[ms]", "08:55:00", 0x6416021AB0437AED},
      {"timestamp[us]", "2026-11-21T08:55:00", 0x158ED16E14C933A9},
      {"timestamp[s,UTC]", "2026-11-21T08:55:00Z", 0xF9AEE29598E3E100},
      {"string", "Wherry", 0xDBB6BA9E22B93DCA},
      {"binary", "V2hlcnJ5", 0xDFE724014579A5F9},
  };
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
    CHECK_EQ(hash_of(golden[i].type, golden[i].text), golden[i].hash);
}

TEST(rowhash_nested_values) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  uint64_t seen[6];
  // [], [null], [1], [1,2], [2,1], null: all different
  static const int items[6][3] = {{0}, {1, -1}, {1, 1}, {2, 1, 2}, {2, 2, 1}, {-1}};
  wh_type type;
  REQUIRE_OK(wh_type_parse(WH_STR("list<int8?>"), &arena, &type, &test_err));
  wh_column c;
  wh_column_init(&c, &test_mem, &type);
  REQUIRE_OK(wh_column_reserve(&c, 0, 0, &test_err));
  for (int i = 0; i < 6; i++) {
    for (int j = 0; j < items[i][0]; j++) {
      if (items[i][j + 1] < 0)
        CHECK_OK(wh_column_add_null(&c.children[0], &test_err));
      else
        CHECK_OK(wh_column_add_i64(&c.children[0], items[i][j + 1], &test_err));
    }
    if (items[i][0] < 0)
      CHECK_OK(wh_column_add_null(&c, &test_err));
    else
      CHECK_OK(wh_column_add_list(&c, &test_err));
    seen[i] = wh_value_hash(&c, (size_t)i, 7);
    for (int j = 0; j < i; j++)
      CHECK(seen[i] != seen[j]);
  }
  CHECK_EQ(seen[3], 0x16754B555A23E3B9); // golden, too
  wh_column_free(&c);
}

TEST(rowhash_survives_copies_of_any_batch) {
  for (int round = 0; round < 100; round++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_schema schema = test_random_schema(&arena, 1 + test_random_below(6), 3);
    wh_batch in, out;
    REQUIRE_OK(wh_batch_init(&in, &test_mem, &schema, &test_err));
    REQUIRE_OK(wh_batch_init(&out, &test_mem, &schema, &test_err));
    for (int i = 0; i < 40; i++)
      REQUIRE_OK(test_random_row(&in, 5, &test_err));
    uint8_t odd[5] = {0xAA, 0xAA, 0xAA, 0xAA, 0xAA};
    CHECK_OK(wh_batch_filter(&in, odd, &out, &test_err));
    for (size_t i = 0; i < out.rows; i++)
      CHECK_EQ(wh_row_hash(&out, i), wh_row_hash(&in, 2 * i + 1));
    wh_batch_free(&in);
    wh_batch_free(&out);
  }
}

// As the header says it, step by step.
static uint64_t number_as_specified(__int128 digits, int32_t exponent, uint64_t seed) {
  uint8_t payload[20];
  for (; digits != 0 && digits % 10 == 0; digits /= 10)
    exponent++;
  if (digits == 0) exponent = 0;
  memcpy(payload, &digits, 16);
  memcpy(payload + 16, &exponent, 4);
  return XXH3_64bits_withSeed(payload, sizeof payload, seed + 2 * 0x9E3779B97F4A7C15u);
}

TEST(rowhash_numbers_are_hashed_as_the_header_says) {
  static const __int128 powers[] = {1, 10, 1000, 1000000000, (__int128)1000000000000000000};
  wh_type decimal = {.kind = WH_DECIMAL, .precision = 38, .scale = 4};
  wh_column numbers, decimals;
  const wh_type integer = {.kind = WH_INT64};
  wh_column_init(&numbers, &test_mem, &integer);
  wh_column_init(&decimals, &test_mem, &decimal);
  for (size_t i = 0; i < 20000; i++) {
    uint64_t seed = test_random();
    int64_t value = (int64_t)test_random() >> test_random_below(64);
    __int128 wide = value * powers[test_random_below(5)];
    if (wide == (int64_t)wide) value = (int64_t)wide;
    REQUIRE_OK(wh_column_add_i64(&numbers, value, &test_err));
    REQUIRE_OK(wh_column_add_decimal(&decimals, wide, &test_err));
    REQUIRE(CHECK(wh_value_hash(&numbers, i, seed) == number_as_specified(value, 0, seed)));
    REQUIRE(CHECK(wh_value_hash(&decimals, i, seed) == number_as_specified(wide, -4, seed)));
  }
  wh_column_free(&numbers);
  wh_column_free(&decimals);
}
