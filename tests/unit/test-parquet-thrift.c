// Parquet's metadata in Thrift's compact protocol: what is written is read, and damage is named.
#include "codec/parquet/metadata.h"
#include "test.h"

static const wh_str path[] = {WH_STR_INIT("a"), WH_STR_INIT("list"), WH_STR_INIT("element")};
static const int32_t encodings[] = {PQ_PLAIN, PQ_RLE, PQ_RLE_DICTIONARY};

static pq_column_chunk a_chunk(void) {
  return (pq_column_chunk){
      .has = PQ_BIT(PQ_CHUNK_OFFSET) | PQ_BIT(PQ_CHUNK_META) | PQ_BIT(PQ_CHUNK_OFFSET_INDEX) |
             PQ_BIT(PQ_CHUNK_OFFSET_INDEX_LENGTH),
      .meta = {.has =
                   PQ_META_REQUIRED | PQ_BIT(PQ_META_STATISTICS) | PQ_BIT(PQ_META_DICTIONARY_PAGE),
               .type = PQ_BYTE_ARRAY,
               .encodings = {(int32_t *)encodings, 3},
               .path = {(wh_str *)path, 3},
               .compression = PQ_ZSTD,
               .values = 1234567890123,
               .uncompressed_size = -1,
               .compressed_size = INT64_MAX,
               .data_page = 4000,
               .dictionary_page = 4,
               .statistics = {.has = PQ_BIT(PQ_STAT_NULLS) | PQ_BIT(PQ_STAT_MIN) |
                                     PQ_BIT(PQ_STAT_MIN_EXACT),
                              .nulls = 7,
                              .min = WH_STR("abc"),
                              .min_exact = true}},
      .offset_index = 77,
      .offset_index_length = 78,
  };
}

static pq_schema_element elements[] = {
    {.has = PQ_BIT(PQ_ELEMENT_NAME) | PQ_BIT(PQ_ELEMENT_CHILDREN),
     .name = WH_STR_INIT("schema"),
     .children = 1},
    {.has = PQ_BIT(PQ_ELEMENT_TYPE) | PQ_BIT(PQ_ELEMENT_REPETITION) | PQ_BIT(PQ_ELEMENT_NAME) |
            PQ_BIT(PQ_ELEMENT_LOGICAL) | PQ_BIT(PQ_ELEMENT_FIELD_ID),
     .type = PQ_INT64,
     .repetition = PQ_OPTIONAL,
     .name = WH_STR_INIT("at"),
     .field_id = -5,
     .logical = {.has = PQ_BIT(PQ_LOGICAL_TIMESTAMP),
                 .timestamp = {.has = PQ_BIT(1) | PQ_BIT(2),
                               .utc = true,
                               .unit = {.has = PQ_BIT(PQ_UNIT_US)}}}},
};

// A footer of `groups` row groups with one column each.
static void write_file(wh_buf *out, size_t groups) {
  WH_CLEAN_BUF wh_buf columns, rows;
  wh_buf_init(&columns, &test_mem, 0);
  wh_buf_init(&rows, &test_mem, 0);
  pq_column_chunk chunk = a_chunk();
  pq_thrift_write(&columns, &pq_rule_column_chunk, &chunk);
  for (size_t i = 0; i < groups; i++) {
    pq_row_group group = {.has = PQ_GROUP_REQUIRED | PQ_BIT(PQ_GROUP_ORDINAL),
                          .columns = {wh_buf_str(&columns), 1},
                          .bytes = 99,
                          .rows = (int64_t)i,
                          .ordinal = (int16_t)i};
    pq_thrift_write(&rows, &pq_rule_row_group, &group);
  }
  pq_key_value note = {.has = PQ_BIT(1) | PQ_BIT(2), .key = WH_STR("k"), .value = WH_STR("")};
  pq_file_meta file = {.has = PQ_FILE_REQUIRED | PQ_BIT(PQ_FILE_KEY_VALUES),
                       .version = 2,
                       .schema = {elements, 2},
                       .rows = -3,
                       .row_groups = {wh_buf_str(&rows), groups},
                       .key_values = {&note, 1}};
  pq_thrift_write(out, &pq_rule_file, &file);
  CHECK(wh_buf_check(out, NULL) == WH_OK);
}

static void check_element(const pq_schema_element *e) {
  CHECK_STR(e->name, WH_STR("at"));
  CHECK_EQ(e->field_id, -5);
  CHECK(PQ_HAS(&e->logical, PQ_LOGICAL_TIMESTAMP));
  CHECK(e->logical.timestamp.utc);
  CHECK(PQ_HAS(&e->logical.timestamp.unit, PQ_UNIT_US));
}

static void check_chunk(const pq_column_chunk *c) {
  CHECK_EQ(c->has, a_chunk().has);
  CHECK_EQ(c->meta.has, a_chunk().meta.has);
  CHECK_EQ(c->meta.encodings.count, 3);
  CHECK_EQ(c->meta.encodings.items[2], PQ_RLE_DICTIONARY);
  CHECK_STR(c->meta.path.items[2], WH_STR("element"));
  CHECK_EQ(c->meta.values, 1234567890123);
  CHECK_EQ(c->meta.uncompressed_size, -1);
  CHECK_EQ(c->meta.compressed_size, INT64_MAX);
  CHECK_STR(c->meta.statistics.min, WH_STR("abc"));
  CHECK(c->meta.statistics.min_exact);
  CHECK_EQ(c->offset_index_length, 78);
}

TEST(what_is_written_is_read) {
  WH_CLEAN_BUF wh_buf out;
  WH_CLEAN_ARENA wh_arena arena;
  wh_buf_init(&out, &test_mem, 0);
  wh_arena_init(&arena, &test_mem);
  write_file(&out, 40);
  pq_cursor c = pq_cursor_over(wh_buf_str(&out), 0, "the footer");
  pq_file_meta file;
  REQUIRE_OK(pq_thrift_read(&c, &pq_rule_file, &arena, &file, &test_err));
  CHECK(c.at == c.end);
  CHECK_EQ(file.rows, -3);
  CHECK_EQ(file.row_groups.count, 40);
  REQUIRE(file.schema.count == 2);
  check_element((pq_schema_element *)file.schema.items + 1);
  pq_cursor groups = pq_cursor_over(file.row_groups.bytes, 0, "the footer");
  for (int i = 0; i < 40; i++) {
    pq_row_group group;
    pq_column_chunk chunk;
    REQUIRE_OK(pq_thrift_read(&groups, &pq_rule_row_group, &arena, &group, &test_err));
    CHECK_EQ(group.rows, i);
    CHECK_EQ(group.ordinal, i);
    pq_cursor columns = pq_cursor_over(group.columns.bytes, 0, "the footer");
    REQUIRE_OK(pq_thrift_read(&columns, &pq_rule_column_chunk, &arena, &chunk, &test_err));
    check_chunk(&chunk);
  }
  CHECK(groups.at == groups.end);
}

TEST(every_cut_is_an_error) {
  WH_CLEAN_BUF wh_buf out;
  WH_CLEAN_ARENA wh_arena arena;
  wh_buf_init(&out, &test_mem, 0);
  wh_arena_init(&arena, &test_mem);
  write_file(&out, 2);
  for (size_t cut = 0; cut < out.len; cut++) {
    pq_file_meta file;
    bool is_short = false;
    pq_cursor c = pq_cursor_over(wh_str_n(out.data, cut), 1000, "the footer");
    CHECK_EQ(pq_thrift_read(&c, &pq_rule_file, &arena, &file, &test_err), WH_ERR_DATA);
    CHECK_ERROR_HAS("the footer is damaged at byte 1");
    c = pq_cursor_over(wh_str_n(out.data, cut), 1000, "the footer");
    CHECK_OK(pq_thrift_read_part(&c, &pq_rule_file, &arena, &file, &is_short, &test_err));
    CHECK(is_short);
  }
}

TEST(any_byte_may_be_wrong) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  write_file(&out, 2);
  for (size_t i = 0; i < out.len; i++) {
    char kept = out.data[i];
    for (int value = 0; value < 256; value++) {
      WH_CLEAN_ARENA wh_arena arena;
      wh_arena_init(&arena, &test_mem);
      out.data[i] = (char)value;
      pq_file_meta file;
      pq_cursor c = pq_cursor_over(wh_buf_str(&out), 0, "the footer");
      wh_status status = pq_thrift_read(&c, &pq_rule_file, &arena, &file, &test_err);
      CHECK(status == WH_OK || status == WH_ERR_DATA);
      CHECK(c.at >= c.start && c.at <= c.end);
    }
    out.data[i] = kept;
  }
}

static wh_status read_page_header(wh_str bytes) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  pq_page_header header;
  pq_cursor c = pq_cursor_over(bytes, 0, "the page header");
  return pq_thrift_read(&c, &pq_rule_page_header, &arena, &header, &test_err);
}

TEST(lies_are_named) {
  static const struct {
    wh_str bytes;
    const char *text;
  } cases[] = {
      {WH_STR_INIT("\x15\x00\x15\x02\x00"),
       "the page header is damaged at byte 5: the page header has no 'compressed_size'"},
      {WH_STR_INIT("\x15\x00\x05\x02\x00\x00"), "at byte 4: 'type' stands twice"},
      {WH_STR_INIT("\x18\x01x"), "at byte 1: 'type' has the type 8"},
      {WH_STR_INIT("\x15\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "more than 10 bytes"},
      {WH_STR_INIT("\x15\xFE\xFF\xFF\xFF\xFF\x01"), "'type' is 34359738367"},
      {WH_STR_INIT("\xE8\xFF\xFF\xFF\xFF\x0F"), "a text goes past its end"},
      {WH_STR_INIT("\xE9\xF6\xFF\xFF\xFF\x0F"), "a list goes past its end"},
      {WH_STR_INIT("\xEE"), "a field has the type 14"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK_FAILS(read_page_header(cases[i].bytes), WH_ERR_DATA);
    CHECK_ERROR_HAS(cases[i].text);
  }
}

TEST(nesting_has_an_end) {
  char deep[4096];
  memset(deep, 0xEC, sizeof deep); // a struct in an unknown field, over and over
  CHECK_FAILS(read_page_header(wh_str_n(deep, sizeof deep)), WH_ERR_DATA);
  CHECK_ERROR_HAS("it nests deeper than 32 levels");
  memset(deep + 1, 0x19, sizeof deep - 1); // lists of lists
  deep[0] = (char)0xE9;
  CHECK_FAILS(read_page_header(wh_str_n(deep, sizeof deep)), WH_ERR_DATA);
  CHECK_ERROR_HAS("it nests deeper than 32 levels");
}

TEST(unknown_fields_are_passed_over) {
  // Behind the three that are needed: a bool, an i8, a double, a text, a list of bools, a map, a
  // struct, an empty map, in fields 20 and on.
  static const char bytes[] =
      "\x15\x00\x15\x02\x15\x04\xF1\x13\x7F\x17"
      "12345678"
      "\x18\x02hi\x19\x21\x01\x02\x1B\x01\x85\x01x\x02\x1C\x15\x02\x00\x1B\x00\x00";
  CHECK_OK(read_page_header(wh_str_n(bytes, sizeof bytes - 1)));
}

TEST(no_memory_is_an_error) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  write_file(&out, 2);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  pq_file_meta file;
  pq_cursor c = pq_cursor_over(wh_buf_str(&out), 0, "the footer");
  atomic_store(&test_mem.count, 0);
  atomic_store(&test_mem.fail_at, 1);
  CHECK_FAILS(pq_thrift_read(&c, &pq_rule_file, &arena, &file, &test_err), WH_ERR_MEMORY);
  atomic_store(&test_mem.fail_at, 0);
}
