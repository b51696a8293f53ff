// Parquet files that are not what they say: always an error or rows, never a crash, a hang or more
// memory than there is.
#include "codec-run.h"
#include "parquet_file.h"
#include "random_table.h"
#include "test.h"

#include <time.h>

enum { MEMORY = 64 << 20, CHANGES = 3000, SECONDS_MOST = 20 };

static wh_status one_row(wh_batch *batch, size_t row, wh_error *err) {
  return wh_column_add_i64(&batch->columns[0], (int64_t)row, err);
}

static const wh_field id_field = {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}};
static const wh_schema id_schema = {1, &id_field};

static void write_ids(wh_buf *out, size_t rows) {
  wh_buf_init(out, &test_mem, 0);
  wh_parquet_write_options options = {
      .compression = WH_PARQUET_NONE, .level = 1, .row_group_rows = 1000};
  CHECK_OK(parquet_file_write(&test_mem, &id_schema, rows, one_row, &options, out, &test_err));
}

static wh_status read_bytes(wh_str bytes, wh_mem *mem) {
  parquet_reading r;
  parquet_reading_init(&r, mem);
  r.context.row_limit_bytes = MEMORY / 8;
  wh_status status = parquet_reading_run(&r, bytes, &test_err);
  parquet_reading_free(&r);
  return status;
}

static void check_edit(void (*edit)(pq_file_meta *meta), wh_status want, const char *text) {
  WH_CLEAN_BUF wh_buf file, edited;
  write_ids(&file, 100);
  wh_buf_init(&edited, &test_mem, 0);
  CHECK_OK(parquet_file_edit(&test_mem, wh_buf_str(&file), edit, &edited, &test_err));
  CHECK_FAILS(read_bytes(wh_buf_str(&edited), &test_mem), want);
  CHECK_ERROR_HAS(text);
}

static void claim_rows(pq_file_meta *meta) {
  meta->rows = INT64_C(1) << 40;
}
static void claim_fewer(pq_file_meta *meta) {
  meta->rows = 99;
}
static void claim_negative(pq_file_meta *meta) {
  meta->rows = -5;
}

// The one row group, with so many rows.
static wh_buf *group_bytes;
static void claim_group_rows(pq_file_meta *meta) {
  WH_CLEAN_ARENA wh_arena arena;
  pq_row_group group;
  wh_arena_init(&arena, &test_mem);
  pq_cursor cursor = pq_cursor_over(meta->row_groups.bytes, 0, "the footer");
  REQUIRE_OK(pq_thrift_read(&cursor, &pq_rule_row_group, &arena, &group, &test_err));
  group.rows = meta->rows = INT64_C(1) << 40;
  wh_buf_clear(group_bytes);
  pq_thrift_write(group_bytes, &pq_rule_row_group, &group);
  meta->row_groups.bytes = wh_buf_str(group_bytes);
}
static void lose_root(pq_file_meta *meta) {
  meta->schema.count = 0;
}
static void too_many_members(pq_file_meta *meta) {
  ((pq_schema_element *)meta->schema.items)->children = 2;
}
static void be_both(pq_file_meta *meta) {
  pq_schema_element *e = meta->schema.items;
  e[1].has &= ~PQ_BIT(PQ_ELEMENT_REPETITION);
}

TEST(what_a_footer_claims_is_checked) {
  WH_CLEAN_BUF wh_buf groups;
  wh_buf_init(&groups, &test_mem, 0);
  group_bytes = &groups;
  check_edit(claim_rows, WH_ERR_DATA,
             "the footer says that the file has 1099511627776 rows, more than");
  check_edit(claim_group_rows, WH_ERR_DATA,
             "the footer says that the file has 1099511627776 rows, more than");
  check_edit(claim_fewer, WH_ERR_DATA,
             "the footer says that the file has 99 rows, but its row groups have 100");
  check_edit(claim_negative, WH_ERR_DATA, "the footer says that the file has -5 rows");
  check_edit(lose_root, WH_ERR_DATA, "the schema is damaged at its element 0: there is none");
  check_edit(too_many_members, WH_ERR_DATA, "a group has fewer members than it says");
  check_edit(be_both, WH_ERR_DATA, "it is neither required nor optional nor repeated");
}

TEST(what_is_no_parquet_file_is_named) {
  WH_CLEAN_BUF wh_buf file;
  write_ids(&file, 10);
  CHECK_FAILS(read_bytes(WH_STR(""), &test_mem), WH_ERR_DATA);
  CHECK_ERROR_HAS("this is no Parquet file, or not all of it: it does not begin and end with PAR1");
  CHECK_FAILS(read_bytes(WH_STR("{\"a\": 1, \"b\": 2}"), &test_mem), WH_ERR_DATA);
  CHECK_ERROR_HAS("this is no Parquet file");
  for (size_t cut = 1; cut < file.len; cut++)
    CHECK_EQ(read_bytes(wh_str_sub(wh_buf_str(&file), 0, file.len - cut), &test_mem), WH_ERR_DATA);
  memcpy(file.data + file.len - 4, "PARE", 4);
  CHECK_FAILS(read_bytes(wh_buf_str(&file), &test_mem), WH_ERR_DATA);
  CHECK_ERROR_HAS("the file is encrypted");
  memcpy(file.data + file.len - 8, "\xFF\xFF\xFF\x7FPAR1", 8);
  CHECK_FAILS(read_bytes(wh_buf_str(&file), &test_mem), WH_ERR_DATA);
  CHECK_ERROR_HAS("the footer says that it has 2147483647 bytes");
}

// A table of any types, written in any way.
static void write_random(wh_buf *out, uint64_t seed) {
  random_table t;
  wh_batch batch;
  wh_writer *writer;
  wh_codec_context context = {.mem = &test_mem};
  random_table_init(&t, &test_mem, seed, 4, 200, 3);
  wh_parquet_write_options options = {.compression = (int)(seed % 4),
                                      .level = 1,
                                      .row_group_rows = 100,
                                      .page_bytes = 500,
                                      .page_index = seed & 1};
  wh_buf_init(out, &test_mem, 0);
  buf_output output;
  buf_output_init(&output, out);
  CHECK_OK(wh_codec_parquet.open_writer(&context, &output.base, &options, &t.schema, &writer,
                                        &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, &t.schema, &test_err));
  CHECK_OK(random_table_fill(&t, &batch, t.rows, &test_err));
  CHECK_OK(writer->write(writer, &batch, &test_err));
  CHECK_OK(writer->finish(writer, &test_err));
  wh_writer_close(writer);
  wh_batch_free(&batch);
  random_table_free(&t);
}

// Some bytes changed to anything, or to what lengths and counts like least.
static void change(wh_buf *file) {
  static const uint8_t worst[] = {0, 1, 0x7F, 0x80, 0xFF, 0xFE};
  for (uint64_t n = 1 + test_random_below(3); n; n--) {
    size_t at = (size_t)test_random_below(file->len);
    file->data[at] =
        (char)(test_random_below(2) ? worst[test_random_below(sizeof worst)] : test_random());
  }
}

TEST(changed_bytes_do_no_harm) {
  WH_CLEAN_BUF wh_buf copy;
  wh_mem mem;
  wh_mem_init(&mem, MEMORY);
  wh_buf_init(&copy, &test_mem, 0);
  time_t begun = time(NULL);
  int refused = 0, changes = test_is_long() ? CHANGES * 50 : CHANGES;
  for (int i = 0; i < changes; i++) {
    WH_CLEAN_BUF wh_buf file;
    write_random(&file, test_random());
    for (int round = 0; round < 10; round++, i++) {
      wh_buf_clear(&copy);
      wh_buf_add_str(&copy, wh_buf_str(&file));
      change(&copy);
      wh_status status = read_bytes(wh_buf_str(&copy), &mem);
      refused += status != WH_OK;
      CHECK(status == WH_OK || test_err.text[0]);
      CHECK(status != WH_ERR_BUG && status != WH_ERR_IO && status != WH_ERR_END);
      CHECK_EQ(atomic_load(&mem.used), 0);
    }
  }
  CHECK(refused > changes / 10);
  if (!test_is_long()) CHECK(time(NULL) - begun < SECONDS_MOST);
}
