#include "data/batch.h"
#include "random_batch.h"

static wh_type parse(const char *text, wh_arena *arena) {
  wh_type type = {0};
  CHECK_OK(wh_type_parse(wh_str_of(text), arena, &type, &test_err));
  return type;
}

TEST(batch_takes_rows_and_gives_them_back) {
  wh_field fields[] = {{WH_STR_INIT("id"), {.kind = WH_INT64}, false, WH_INTERNAL},
                       {WH_STR_INIT("name"), {.kind = WH_STRING}, true, WH_INTERNAL},
                       {WH_STR_INIT("ok"), {.kind = WH_BOOL}, true, WH_INTERNAL}};
  wh_schema schema = {3, fields};
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 1000; i++) {
      CHECK_OK(wh_column_add_i64(&batch.columns[0], i, &test_err));
      if (i % 3)
        CHECK_OK(wh_column_add_text(&batch.columns[1], WH_STR("abc"), &test_err));
      else
        CHECK_OK(wh_column_add_null(&batch.columns[1], &test_err));
      if (i % 7 == 0) {
        wh_batch_row_undo(&batch);
        CHECK_OK(wh_column_add_i64(&batch.columns[0], -i, &test_err));
        CHECK_OK(wh_column_add_text(&batch.columns[1], WH_STR("x"), &test_err));
      }
      CHECK_OK(wh_column_add_bool(&batch.columns[2], i & 1, &test_err));
      wh_batch_row_end(&batch);
    }
    CHECK_EQ(batch.rows, 1000);
    CHECK_EQ(batch.columns[1].null_count, 334 - 48);
    CHECK_EQ(wh_column_i64(&batch.columns[0], 14), -14);
    CHECK(wh_column_is_null(&batch.columns[1], 3));
    CHECK_STR(wh_column_text(&batch.columns[1], 4), WH_STR("abc"));
    CHECK_STR(wh_column_text(&batch.columns[1], 7), WH_STR("x"));
    CHECK(wh_column_bool(&batch.columns[2], 5) && !wh_column_bool(&batch.columns[2], 6));
    CHECK_EQ(wh_batch_place(&batch, 5).row, 6);
    wh_batch_reset(&batch);
  }
  wh_batch_free(&batch);
}

TEST(batch_undoes_nested_rows) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_field field = {WH_STR_INIT("v"), parse("list<struct<a: int64?, b: string>>", &arena), true,
                    WH_INTERNAL};
  wh_schema schema = {1, &field};
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  wh_column *list = &batch.columns[0], *item = &list->children[0];
  for (int i = 0; i < 10; i++) {
    for (int undo = 1; undo >= 0; undo--) {
      for (int j = 0; j < i; j++) {
        CHECK_OK(wh_column_add_i64(&item->children[0], i * 100 + j, &test_err));
        CHECK_OK(wh_column_add_text(&item->children[1], WH_STR("text"), &test_err));
        CHECK_OK(wh_column_add_struct(item, &test_err));
      }
      CHECK_OK(wh_column_add_i64(&item->children[0], 7, &test_err));
      if (undo) wh_batch_row_undo(&batch);
    }
    CHECK_OK(wh_column_add_text(&item->children[1], WH_STR("x"), &test_err));
    CHECK_OK(wh_column_add_struct(item, &test_err));
    CHECK_OK(wh_column_add_list(list, &test_err));
    wh_batch_row_end(&batch);
  }
  CHECK_EQ(item->length, 55);
  CHECK_EQ(list->offsets[10], 55);
  CHECK_EQ(wh_column_i64(&item->children[0], 54), 7);
  wh_batch_free(&batch);
}

// null_count and the zeroes under NULLs.
static bool column_is_sound(const wh_column *c) {
  size_t nulls = 0;
  bool ok = true;
  for (size_t i = 0; i < c->length; i++) {
    if (!wh_column_is_null(c, i)) continue;
    nulls++;
    if (c->offsets) ok = ok && c->offsets[i] == c->offsets[i + 1];
    for (uint32_t b = 0; b < c->width; b++)
      ok = ok && c->values[i * c->width + b] == 0;
    if (c->type.kind == WH_BOOL) ok = ok && !wh_column_bool(c, i);
  }
  if (c->offsets) {
    ok = ok && c->offsets[0] == 0;
    for (size_t i = 0; i < c->length; i++)
      ok = ok && c->offsets[i] <= c->offsets[i + 1];
  }
  size_t inside = c->type.kind == WH_STRUCT ? c->length
                  : c->offsets              ? (size_t)c->offsets[c->length]
                                            : 0;
  for (size_t i = 0; i < c->child_count; i++)
    ok = ok && c->children[i].length == inside && column_is_sound(&c->children[i]);
  return ok && nulls == c->null_count;
}

static bool batch_is_sound(const wh_batch *batch) {
  bool ok = true;
  for (size_t i = 0; i < batch->schema->count; i++)
    ok = ok && batch->columns[i].length == batch->rows && column_is_sound(&batch->columns[i]);
  return ok;
}

static wh_status fill(wh_batch *batch, size_t rows, bool places, wh_error *err) {
  unsigned nulls = (unsigned)test_random_below(5);
  for (size_t i = 0; i < rows; i++) {
    if (test_random_below(8) == 0) { // a row that goes wrong somewhere
      for (size_t c = test_random_below(batch->schema->count + 1); c; c--)
        WH_TRY(test_random_value(&batch->columns[c - 1], nulls, err));
      wh_batch_row_undo(batch);
    }
    if (places) WH_TRY(wh_batch_set_place(batch, (wh_place){.row = i * 3 + 1, .line = i + 1}, err));
    WH_TRY(test_random_row(batch, nulls, err));
  }
  return WH_OK;
}

static bool filtered_as_by_hand(const wh_batch *in, const uint8_t *keep, const wh_batch *out) {
  size_t n = 0;
  for (size_t row = 0; row < in->rows; row++) {
    if (!wh_bit_get(keep, row)) continue;
    if (n >= out->rows) return false;
    for (size_t c = 0; c < in->schema->count; c++)
      if (!test_cells_equal(&in->columns[c], row, &out->columns[c], n)) return false;
    wh_place a = wh_batch_place(in, row), b = wh_batch_place(out, n);
    if (memcmp(&a, &b, sizeof a) != 0) return false;
    n++;
  }
  return n == out->rows;
}

static void random_bits(uint8_t *bits, size_t count) {
  uint64_t density = test_random_below(5), run = 0;
  bool value = false;
  memset(bits, 0, (count + 7) / 8);
  for (size_t i = 0; i < count; i++) {
    if (run-- == 0) {
      run = test_random_below(20);
      value = test_random_below(4) < density; // never .. always
    }
    if (value) wh_bit_set(bits, i);
  }
}

TEST(batch_filter_agrees_with_a_naive_one) {
  for (int round = 0; round < 200; round++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_schema schema = test_random_schema(&arena, 1 + test_random_below(5), 3);
    wh_batch in, out;
    REQUIRE_OK(wh_batch_init(&in, &test_mem, &schema, &test_err));
    REQUIRE_OK(wh_batch_init(&out, &test_mem, &schema, &test_err));
    for (int again = 0; again < 3; again++) {
      uint8_t keep[64];
      wh_batch_reset(&in);
      in.first_row = 1000;
      CHECK_OK(fill(&in, test_random_below(300), round & 1, &test_err));
      CHECK(batch_is_sound(&in));
      random_bits(keep, in.rows);
      CHECK_OK(wh_batch_filter(&in, keep, &out, &test_err));
      CHECK(batch_is_sound(&out));
      CHECK(filtered_as_by_hand(&in, keep, &out));
    }
    wh_batch_free(&out);
    wh_batch_free(&in);
  }
}

TEST(batch_borrowed_columns_come_back_to_their_own_buffers) {
  wh_field fields[] = {{WH_STR_INIT("a"), {.kind = WH_STRING}, true, WH_INTERNAL},
                       {WH_STR_INIT("b"), {.kind = WH_STRING}, true, WH_INTERNAL}};
  wh_schema schema = {2, fields};
  wh_batch in, out, last;
  REQUIRE_OK(wh_batch_init(&in, &test_mem, &schema, &test_err));
  REQUIRE_OK(wh_batch_init(&out, &test_mem, &schema, &test_err));
  REQUIRE_OK(wh_batch_init(&last, &test_mem, &schema, &test_err));
  CHECK_OK(fill(&in, 50, true, &test_err));
  CHECK_OK(fill(&out, 20, false, &test_err));
  uint8_t *own = out.columns[0].bytes;
  const size_t swap[] = {1, 0};
  wh_batch_borrow(&out, &in, swap);
  wh_batch_borrow(&last, &out, swap);
  CHECK_EQ(last.rows, 50);
  for (size_t i = 0; i < 50; i++) {
    CHECK(test_cells_equal(&in.columns[0], i, &out.columns[1], i));
    CHECK(test_cells_equal(&in.columns[0], i, &last.columns[0], i));
    CHECK_EQ(wh_batch_place(&last, i).row, i * 3 + 1);
  }
  CHECK(out.columns[0].mem == NULL);
  wh_batch_reset(&out);
  CHECK(out.columns[0].bytes == own);
  size_t before = atomic_load(&test_mem.count);
  CHECK_OK(wh_column_add_text(&out.columns[0], WH_STR("kept"), &test_err));
  CHECK_OK(wh_column_add_text(&out.columns[1], WH_STR("kept"), &test_err));
  wh_batch_row_end(&out);
  CHECK_EQ(atomic_load(&test_mem.count), before);
  wh_batch_free(&last);
  wh_batch_free(&out);
  wh_batch_free(&in);
}

TEST(batch_ranges_are_copied) {
  for (int round = 0; round < 300; round++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_type type = test_random_type(&arena, 3);
    wh_column from, to;
    wh_column_init(&from, &test_mem, &type);
    wh_column_init(&to, &test_mem, &type);
    CHECK_OK(wh_column_reserve(&from, 0, 0, &test_err));
    for (int i = 0; i < 100; i++)
      CHECK_OK(test_random_value(&from, (unsigned)round % 4, &test_err));
    size_t model[1000], n = 0;
    for (int i = 0; i < 20; i++) {
      size_t at = test_random_below(100), count = test_random_below(101 - at);
      if (n + count > 1000) break;
      CHECK_OK(wh_column_add_range(&to, &from, at, count, &test_err));
      for (size_t j = 0; j < count; j++)
        model[n++] = at + j;
      if (test_random_below(4)) continue;
      n = test_random_below(n + 1);
      wh_column_truncate(&to, n);
    }
    bool same = to.length == n && column_is_sound(&to);
    for (size_t i = 0; same && i < n; i++)
      same = test_cells_equal(&from, model[i], &to, i);
    CHECK(same);
    wh_column_free(&from);
    wh_column_free(&to);
  }
}

TEST(batch_survives_without_memory) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_field fields[] = {
      {WH_STR_INIT("n"), parse("list<struct<a: string?, b: list<int16?>?>?>", &arena), true, 0},
      {WH_STR_INIT("t"), parse("string", &arena), true, 0},
      {WH_STR_INIT("d"), parse("decimal(20,2)", &arena), true, 0},
      {WH_STR_INIT("b"), parse("bool", &arena), true, 0}};
  wh_schema schema = {4, fields};
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 1000; n++) {
    wh_batch in = {0}, out = {0};
    uint8_t keep[64];
    random_bits(keep, 300);
    wh_bit_clear(keep, 7);
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    status = wh_batch_init(&in, &test_mem, &schema, &test_err);
    if (status == WH_OK) status = wh_batch_init(&out, &test_mem, &schema, &test_err);
    if (status == WH_OK) status = fill(&in, 300, true, &test_err);
    if (status == WH_OK) status = wh_batch_filter(&in, keep, &out, &test_err);
    test_mem.fail_at = 0;
    if (status != WH_OK) {
      CHECK_EQ(status, WH_ERR_MEMORY);
      if (in.columns) {
        wh_batch_row_undo(&in); // what was complete is still sound
        CHECK(batch_is_sound(&in));
      }
    }
    wh_batch_free(&out);
    wh_batch_free(&in);
  }
  CHECK_EQ(status, WH_OK);
}

TEST(batch_failed_append_changes_nothing) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (int round = 0; round < 200; round++) {
    wh_type type = test_random_type(&arena, 2);
    wh_column from, to;
    wh_column_init(&from, &test_mem, &type);
    wh_column_init(&to, &test_mem, &type);
    CHECK_OK(wh_column_reserve(&from, 0, 0, &test_err));
    for (int i = 0; i < 200; i++)
      CHECK_OK(test_random_value(&from, 3, &test_err));
    CHECK_OK(wh_column_add_range(&to, &from, 0, 60, &test_err));
    wh_status status = WH_ERR_MEMORY;
    for (size_t n = 1; status != WH_OK && n < 200; n++) {
      test_mem.fail_at = atomic_load(&test_mem.count) + n;
      status = wh_column_add_range(&to, &from, 60, 140, &test_err);
      test_mem.fail_at = 0;
      if (status != WH_OK && !(to.length == 60 && column_is_sound(&to))) CHECK(false);
    }
    CHECK_EQ(status, WH_OK);
    CHECK(column_is_sound(&to) && to.length == 200);
    wh_column_free(&from);
    wh_column_free(&to);
  }
}

TEST(batch_knows_its_size_and_when_it_is_full) {
  wh_field fields[] = {{WH_STR_INIT("i"), {.kind = WH_INT64}, false, WH_INTERNAL},
                       {WH_STR_INIT("s"), {.kind = WH_STRING}, false, WH_INTERNAL}};
  wh_schema schema = {2, fields};
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  for (int i = 0; i < 10; i++) {
    CHECK(!wh_batch_full(&batch, 10, 1000));
    CHECK_OK(wh_column_add_i64(&batch.columns[0], i, &test_err));
    CHECK_OK(wh_column_add_text(&batch.columns[1], WH_STR("12345678"), &test_err));
    wh_batch_row_end(&batch);
  }
  CHECK_EQ(batch.bytes, 10 * (8 + 4 + 8));
  CHECK(wh_batch_full(&batch, 10, 1000));
  CHECK(wh_batch_full(&batch, 100, 200));
  wh_batch_reset(&batch);
  CHECK_EQ(batch.bytes, 0);
  wh_batch_free(&batch);
}

TEST(batch_limits_text_of_a_column) {
  wh_type type = wh_type_of(WH_STRING);
  wh_column c;
  wh_column_init(&c, &test_mem, &type);
  CHECK_OK(wh_column_add_text(&c, WH_STR("x"), &test_err));
  volatile size_t too_many = WH_BATCH_BYTES_MAX; // refused before it is looked at
  wh_str huge = {"", too_many};
  CHECK_FAILS(wh_column_add_text(&c, huge, &test_err), WH_ERR_LIMIT);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("more than 1073741824 bytes of text in one column of a batch"));
  CHECK_FAILS(wh_column_reserve(&c, WH_COLUMN_VALUES_MAX, 0, &test_err), WH_ERR_LIMIT);
  CHECK_EQ(c.length, 1);
  wh_column_free(&c);
}

TEST(batch_all_fixed_kinds_keep_their_extremes) {
  static const struct {
    wh_kind kind;
    int64_t least, most;
  } kinds[] = {{WH_INT8, INT8_MIN, INT8_MAX},    {WH_INT16, INT16_MIN, INT16_MAX},
               {WH_INT32, INT32_MIN, INT32_MAX}, {WH_INT64, INT64_MIN, INT64_MAX},
               {WH_UINT8, 0, UINT8_MAX},         {WH_UINT16, 0, UINT16_MAX},
               {WH_UINT32, 0, UINT32_MAX},       {WH_DATE, INT32_MIN, INT32_MAX},
               {WH_TIME, 0, INT64_MAX},          {WH_TIMESTAMP, INT64_MIN, INT64_MAX}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    wh_type type = wh_type_of(kinds[i].kind);
    wh_column c;
    wh_column_init(&c, &test_mem, &type);
    CHECK_OK(wh_column_add_i64(&c, kinds[i].least, &test_err));
    CHECK_OK(wh_column_add_null(&c, &test_err));
    CHECK_OK(wh_column_add_i64(&c, kinds[i].most, &test_err));
    CHECK_EQ(wh_column_i64(&c, 0), kinds[i].least);
    CHECK_EQ(wh_column_i64(&c, 2), kinds[i].most);
    CHECK(wh_column_is_null(&c, 1) && wh_column_i64(&c, 1) == 0);
    wh_column_free(&c);
  }
  wh_type type = wh_type_of(WH_UINT64);
  wh_column c;
  wh_column_init(&c, &test_mem, &type);
  CHECK_OK(wh_column_add_u64(&c, UINT64_MAX, &test_err));
  CHECK_OK(wh_column_add_i64(&c, 7, &test_err));
  CHECK(wh_column_u64(&c, 0) == UINT64_MAX && wh_column_u64(&c, 1) == 7);
  wh_column_free(&c);
}
