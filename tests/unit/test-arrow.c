#include "data/arrow.h"
#include "random_batch.h"

static const wh_field *only_field(const char *type, wh_arena *arena) {
  wh_field *field = WH_NEW(arena, wh_field);
  *field = (wh_field){.name = WH_STR("col"), .nullable = true};
  CHECK_OK(wh_type_parse(wh_str_of(type), arena, &field->type, &test_err));
  return field;
}

TEST(arrow_formats_are_those_of_the_specification) {
  static const char *const formats[][2] = {{"null", "n"},
                                           {"bool", "b"},
                                           {"int8", "c"},
                                           {"uint8", "C"},
                                           {"int16", "s"},
                                           {"uint16", "S"},
                                           {"int32", "i"},
                                           {"uint32", "I"},
                                           {"int64", "l"},
                                           {"uint64", "L"},
                                           {"float32", "f"},
                                           {"float64", "g"},
                                           {"binary", "z"},
                                           {"string", "u"},
                                           {"decimal(19,10)", "d:19,10"},
                                           {"date", "tdD"},
                                           {"time[s]", "tts"},
                                           {"time[ms]", "ttm"},
                                           {"time[us]", "ttu"},
                                           {"time[ns]", "ttn"},
                                           {"timestamp[s]", "tss:"},
                                           {"timestamp[ms]", "tsm:"},
                                           {"timestamp[us,UTC]", "tsu:UTC"},
                                           {"timestamp[ns,UTC]", "tsn:UTC"},
                                           {"list<int8>", "+l"},
                                           {"struct<a: int8>", "+s"}};
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_schema schema = {1, only_field(formats[i][0], &arena)};
    struct ArrowSchema out;
    REQUIRE_OK(wh_arrow_export_schema(&schema, &test_mem, &out, &test_err));
    CHECK_STR(wh_str_of(out.format), WH_STR("+s"));
    CHECK_EQ(out.flags, 0);
    CHECK_EQ(out.n_children, 1);
    CHECK_STR(wh_str_of(out.children[0]->format), wh_str_of(formats[i][1]));
    CHECK_STR(wh_str_of(out.children[0]->name), WH_STR("col"));
    CHECK_EQ(out.children[0]->flags, ARROW_FLAG_NULLABLE);
    CHECK(!out.metadata && !out.dictionary && !out.children[0]->dictionary);
    out.release(&out);
    CHECK(out.release == NULL);
  }
}

// Reads a cell through the structs alone, as any consumer would, and compares with the column.
static bool cell_agrees(const struct ArrowArray *array, const struct ArrowSchema *schema,
                        const wh_column *c, size_t row) {
  const uint8_t *validity = array->n_buffers ? array->buffers[0] : NULL;
  const char *format = schema->format;
  bool null = *format == 'n' || (validity && !(validity[row / 8] >> (row % 8) & 1));
  if (null != wh_column_is_null(c, row)) return false;
  if (format[0] == '+' && format[1] == 's') {
    bool same = array->n_buffers == 1 && array->n_children == schema->n_children;
    for (int64_t i = 0; same && i < array->n_children; i++)
      same = cell_agrees(array->children[i], schema->children[i], &c->children[i], row);
    return same;
  }
  if (null) return true;
  const uint8_t *values = array->buffers[1];
  if (*format == 'b') return (values[row / 8] >> (row % 8) & 1) == wh_column_bool(c, row);
  if (*format == 'u' || *format == 'z' || *format == '+') {
    int32_t from, to;
    memcpy(&from, values + row * 4, 4);
    memcpy(&to, values + (row + 1) * 4, 4);
    bool same = true;
    for (int32_t i = from; *format == '+' && same && i < to; i++)
      same = cell_agrees(array->children[0], schema->children[0], &c->children[0], (size_t)i);
    if (*format == '+') return same && array->n_buffers == 2;
    wh_str text = {(const char *)array->buffers[2] + from, (size_t)(to - from)};
    return array->n_buffers == 3 && wh_str_eq(text, wh_column_text(c, row));
  }
  if (strcmp(format, "tts") == 0 || strcmp(format, "ttm") == 0) {
    int32_t narrow;
    memcpy(&narrow, values + row * 4, 4);
    return narrow == wh_column_i64(c, row);
  }
  return array->n_buffers == 2 &&
         memcmp(values + row * c->width, c->values + row * c->width, c->width) == 0;
}

TEST(arrow_structs_show_the_batch) {
  for (int round = 0; round < 200; round++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_schema schema = test_random_schema(&arena, 1 + test_random_below(6), 3);
    wh_batch batch;
    struct ArrowArray array;
    struct ArrowSchema shape;
    REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
    size_t rows = round % 10 ? test_random_below(100) : 0;
    for (size_t i = 0; i < rows; i++)
      REQUIRE_OK(test_random_row(&batch, (unsigned)test_random_below(4), &test_err));
    REQUIRE_OK(wh_arrow_export_schema(&schema, &test_mem, &shape, &test_err));
    REQUIRE_OK(wh_arrow_export_batch(&batch, &test_mem, &array, &test_err));
    CHECK_EQ(array.length, rows);
    CHECK_EQ(array.null_count, 0);
    CHECK_EQ(array.n_children, schema.count);
    for (size_t c = 0; c < schema.count; c++) {
      CHECK_EQ(array.children[c]->null_count, batch.columns[c].null_count);
      CHECK_EQ(array.children[c]->length, rows);
      bool same = true;
      for (size_t row = 0; same && row < rows; row++)
        same = cell_agrees(array.children[c], shape.children[c], &batch.columns[c], row);
      CHECK(same);
    }
    array.release(&array);
    CHECK(array.release == NULL);
    shape.release(&shape);
    wh_batch_free(&batch);
  }
}

TEST(arrow_children_may_be_moved_out) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_schema schema = {1, only_field("struct<a: time[s]?>", &arena)};
  wh_batch batch;
  struct ArrowArray array, moved;
  struct ArrowSchema shape, moved_shape;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[0].children[0], 32100, &test_err));
  CHECK_OK(wh_column_add_struct(&batch.columns[0], &test_err));
  wh_batch_row_end(&batch);
  REQUIRE_OK(wh_arrow_export_schema(&schema, &test_mem, &shape, &test_err));
  REQUIRE_OK(wh_arrow_export_batch(&batch, &test_mem, &array, &test_err));
  moved = *array.children[0]->children[0];
  array.children[0]->children[0]->release = NULL;
  moved_shape = *shape.children[0];
  shape.children[0]->release = NULL;
  array.release(&array);
  shape.release(&shape);
  CHECK_EQ(((const int32_t *)moved.buffers[1])[0], 32100);
  CHECK_STR(wh_str_of(moved_shape.children[0]->format), WH_STR("tts"));
  moved.release(&moved);
  moved_shape.release(&moved_shape);
  CHECK(!moved.release && !moved_shape.release);
  wh_batch_free(&batch);
}

TEST(arrow_survives_without_memory) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_schema schema = {1, only_field("list<struct<a: time[ms]?, b: string>?>", &arena)};
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  for (int i = 0; i < 10; i++)
    REQUIRE_OK(test_random_row(&batch, 0, &test_err));
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 50; n++) {
    struct ArrowArray array = {0};
    struct ArrowSchema shape = {0};
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    status = wh_arrow_export_schema(&schema, &test_mem, &shape, &test_err);
    if (status == WH_OK) status = wh_arrow_export_batch(&batch, &test_mem, &array, &test_err);
    test_mem.fail_at = 0;
    if (status != WH_OK) CHECK_EQ(status, WH_ERR_MEMORY);
    if (shape.release) shape.release(&shape);
    if (array.release) array.release(&array);
  }
  CHECK_EQ(status, WH_OK);
  wh_batch_free(&batch);
}

TEST(arrow_refuses_times_that_do_not_fit) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_schema schema = {1, only_field("time[ms]", &arena)};
  wh_batch batch;
  struct ArrowArray array;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[0], INT64_MAX, &test_err));
  wh_batch_row_end(&batch);
  CHECK_FAILS(wh_arrow_export_batch(&batch, &test_mem, &array, &test_err), WH_ERR_TYPE);
  wh_batch_free(&batch);
}
