#include "data/batch.h"
#include "test.h"

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
