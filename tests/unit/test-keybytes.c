#include "test.h"

#include "data/keybytes.h"
#include "data/value.h"
#include "row_text.h"

// Ascending values of a type.
typedef struct ladder {
  const char *type;
  const char *values[10];
} ladder;

static const ladder ladders[] = {
    {"bool", {"false", "true"}},
    {"int8", {"-128", "-1", "0", "127"}},
    {"int32", {"-2147483648", "-1", "0", "1", "2147483647"}},
    {"int64", {"-9223372036854775808", "-256", "-1", "0", "255", "256", "9223372036854775807"}},
    {"uint8", {"0", "255"}},
    {"uint64", {"0", "9223372036854775807", "9223372036854775808", "18446744073709551615"}},
    {"float64", {"-1e300", "-2.5", "-1e-300", "0", "1e-300", "1.5", "1e300"}},
    {"float32", {"-2.5", "0", "0.5"}},
    {"decimal(38,10)",
     {"-1234567890123456789012345678.0123456789", "-0.0000000001", "0.0000000000", "0.0000000001",
      "9.0000000000", "1234567890123456789012345678.0123456789"}},
    {"date", {"0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31"}},
    {"time[us]", {"00:00:00", "23:59:59.999999"}},
    {"timestamp[us,UTC]",
     {"0001-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2026-11-21T09:00:00Z"}},
    {"string", {"", "A", "Z", "a", "aa", "ab", "b", "\xC3\xA4", "\xF0\x9F\x98\x80"}},
};

static wh_str bytes_of(const ladder *l, const char *value, wh_arena *arena) {
  wh_type type;
  wh_value v;
  wh_column column, back;
  WH_CLEAN_BUF wh_buf out;
  WH_CLEAN_BUF wh_buf scratch;
  wh_buf_init(&out, &test_mem, 0);
  wh_buf_init(&scratch, &test_mem, 0);
  CHECK_OK(wh_type_parse(wh_str_of(l->type), arena, &type, &test_err));
  CHECK_OK(wh_value_parse(wh_str_of(value), &type, arena, &v, &test_err));
  wh_column_init(&column, &test_mem, &type);
  wh_column_init(&back, &test_mem, &type);
  CHECK_OK(wh_value_add(&column, &v, &test_err));
  CHECK(wh_key_bytes_add(&column, 0, &out));
  wh_str rest = wh_buf_str(&out);
  CHECK_OK(wh_key_bytes_read(&back, &rest, &scratch, &test_err));
  CHECK_EQ(rest.len, 0);
  wh_value got;
  CHECK_OK(wh_value_get(&back, 0, &got, &test_err));
  CHECK_EQ(wh_value_compare(&got, &v), 0);
  // Torn bytes are no value.
  for (size_t len = 0; len < out.len; len++) {
    wh_column_reset(&back);
    rest = wh_str_n(out.data, len);
    CHECK_EQ(wh_key_bytes_read(&back, &rest, &scratch, &test_err), WH_ERR_DATA);
  }
  wh_str kept = wh_arena_str(arena, wh_buf_str(&out));
  wh_column_free(&column);
  wh_column_free(&back);
  return kept;
}

TEST(key_bytes_sort_as_values_do_and_come_back) {
  for (size_t i = 0; i < sizeof ladders / sizeof *ladders; i++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    const ladder *l = &ladders[i];
    wh_str before = {0};
    for (size_t k = 0; k < 10 && l->values[k]; k++) {
      wh_str now = bytes_of(l, l->values[k], &arena);
      if (k) CHECK(wh_key_bytes_compare(before, now) < 0);
      before = now;
    }
  }
}

TEST(key_bytes_of_texts_know_where_they_end) {
  wh_type type = wh_type_of(WH_BINARY);
  wh_column a;
  wh_column_init(&a, &test_mem, &type);
  static const wh_str texts[] = {{"", 0},  {"\0", 1},  {"\0\0", 2}, {"\0\xFF", 2}, {"\0\xFF\0", 3},
                                 {"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"\xFF", 1}};
  for (size_t i = 0; i < 9; i++)
    CHECK_OK(wh_column_add_text(&a, texts[i], &test_err));
  // Keys of two columns: no two pairs have the same bytes, and they sort as pairs do.
  WH_CLEAN_BUF wh_buf before;
  WH_CLEAN_BUF wh_buf now;
  wh_buf_init(&before, &test_mem, 0);
  wh_buf_init(&now, &test_mem, 0);
  for (size_t i = 0; i < 9; i++) {
    for (size_t k = 0; k < 9; k++) {
      wh_buf_clear(&now);
      wh_key_bytes_add(&a, i, &now);
      wh_key_bytes_add(&a, k, &now);
      if (i || k) CHECK(wh_key_bytes_compare(wh_buf_str(&before), wh_buf_str(&now)) < 0);
      wh_buf_clear(&before);
      wh_buf_add_str(&before, wh_buf_str(&now));
    }
  }
  wh_column_free(&a);
}

TEST(key_bytes_of_equal_floats_are_equal) {
  wh_type type = wh_type_of(WH_FLOAT64);
  wh_column a;
  wh_column_init(&a, &test_mem, &type);
  static const double values[] = {0.0, -0.0, __builtin_nan(""), -__builtin_nan("7")};
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  for (size_t i = 0; i < 4; i++) {
    CHECK_OK(wh_column_add_f64(&a, values[i], &test_err));
    wh_key_bytes_add(&a, i, &out);
  }
  CHECK(memcmp(out.data, out.data + 8, 8) == 0);
  CHECK(memcmp(out.data + 16, out.data + 24, 8) == 0);
  wh_column_free(&a);
}
