// NDJSON read in parts, and rows written in blocks: the same as all in one.
#include "codec-run.h"
#include "codec/json/json.h"
#include "test.h"

static codec_run whole, run;

static void begin(const wh_codec_type *codec) {
  codec_run_init(&whole, &test_mem, codec);
  codec_run_init(&run, &test_mem, codec);
  whole.places = run.places = true;
}

// One of the lines below has text where inference would have made it a number.
static wh_arena arena;
static wh_schema given;
static void give(void) {
  wh_type type;
  wh_arena_init(&arena, &test_mem);
  if (!CHECK_OK(wh_type_parse(WH_STR("struct<id: int64?, text: string?, price: float64?, "
                                     "list: list<int64?>?>"),
                              &arena, &type, &test_err)))
    return;
  given = (wh_schema){.count = type.field_count, .fields = type.fields};
  whole.given = run.given = &given;
}

static void end(void) {
  wh_arena_free(&arena);
  codec_run_free(&whole);
  codec_run_free(&run);
}

// Lines of all sorts, good and bad.
static void add_line(wh_buf *text, uint64_t i) {
  static const char *const odd[] = {"",
                                    "\r",
                                    "  ",
                                    "{\"id\":1,",
                                    "{\"id\":\"x\"}",
                                    "[1]",
                                    "nonsense \"",
                                    "{\"id\":1}{",
                                    "{\"text\":\"\\q\"}",
                                    "{\"text\":\"\xFF\"}",
                                    "{\"id\":1,\"id\":2}"};
  switch (test_random_below(8)) {
  case 0:
    wh_buf_add_c(text, odd[test_random_below(sizeof odd / sizeof *odd)]);
    break;
  case 1:
    wh_buf_printf(text, " { \"text\" : \"%.*s\\n\u00e9\" , \"id\" : %" PRIu64 " } \r",
                  (int)test_random_below(40), "0123456789012345678901234567890123456789", i);
    break;
  case 2:
    wh_buf_printf(text, "{\"list\":[%" PRIu64 ",null],\"id\":%" PRIu64 "}", i % 7, i);
    break;
  default:
    wh_buf_printf(text,
                  "{\"id\":%" PRIu64 ",\"text\":\"row %" PRIu64 "\",\"price\":%" PRIu64 ".25}", i,
                  i * 977, i % 100);
  }
  wh_buf_add_char(text, '\n');
}

static void add_lines(wh_buf *text, size_t count) {
  wh_buf_add_c(text, "{\"id\":0,\"text\":\"\",\"price\":0.5,\"list\":[1]}\n");
  for (size_t i = 1; i < count; i++)
    add_line(text, i);
}

static void check_parts(wh_str text) {
  REQUIRE_OK(codec_run_read(&whole, text, &test_err));
  static const size_t sizes[] = {1, 30, 100, 1000, 1 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    run.part_bytes = sizes[i];
    REQUIRE_OK(codec_run_read(&run, text, &test_err));
    CHECK_STR(wh_buf_str(&run.rows), wh_buf_str(&whole.rows));
    CHECK_STR(wh_buf_str(&run.rejects), wh_buf_str(&whole.rejects));
    CHECK_EQ(run.sum, whole.sum);
    if (sizes[i] == 100) CHECK(run.part_count > 1 || text.len < 200);
  }
}

TEST(parts_give_the_same_rows) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_ndjson);
  give();
  for (int round = 0; round < (test_is_long() ? 200 : 12); round++) {
    wh_buf_clear(&text);
    if (round % 3 == 0) wh_buf_add_c(&text, "\xEF\xBB\xBF");
    add_lines(&text, 1 + test_random_below(400));
    size_t cut = test_random_below(4) ? 0 : test_random_below(40); // anywhere in the last line
    check_parts(wh_str_n(text.data, text.len > cut + 50 ? text.len - cut : text.len));
  }
  check_parts(WH_STR(""));
  check_parts(WH_STR("\n\n\n"));
  check_parts(WH_STR("{\"a\":1}"));
  end();
}

TEST(parts_are_about_as_long_as_asked) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < 20000; i++)
    wh_buf_printf(&text, "{\"id\":%d}\n", 10000000 + i);
  wh_bytes_input in;
  wh_bytes_input_init(&in, text.data, text.len);
  wh_codec_context context = {
      .mem = &test_mem, .row_limit_bytes = 1 << 20, .part_rows = 1600, .part_bytes = 1 << 20};
  wh_reader *reader, *part;
  REQUIRE_OK(wh_codec_ndjson.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err));
  uint64_t expected = 0, rows = 0, count = 0;
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  while (reader->next_part(reader, &part, &test_err) == WH_OK) {
    CHECK_EQ(part->part.index, count++);
    CHECK_EQ(part->part.from, expected);
    CHECK(wh_schema_eq(part->schema, reader->schema));
    do {
      wh_batch_reset(&batch);
      CHECK_OK(part->next(part, &batch, NULL, &test_err));
    } while (batch.rows);
    expected = part->part.to;
    CHECK_EQ(part->bytes_read, part->part.to - part->part.from);
    CHECK_EQ(part->part.lines, part->part.rows);
    if (expected < text.len) CHECK(part->part.rows <= 1600 && part->part.rows > 1400);
    rows += part->part.rows;
    wh_reader_close(part);
  }
  CHECK_EQ(expected, text.len);
  CHECK_EQ(rows, 20000);
  CHECK_EQ(count, 14);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

// A sample that is not enough, and then something that does not fit, in any part.
static void sample(wh_buf *text, const char *first, const char *rest) {
  wh_buf_clear(text);
  for (int i = 0; i < WH_JSON_SAMPLE_ROWS; i++)
    wh_buf_printf(text, "%s\n", first);
  wh_buf_add_c(text, rest);
}

// Parts find the same wider schema, and with it all rows fit.
static void check_widens(wh_buf *text, bool widens) {
  wh_status want = widens ? WH_ERR_WIDEN : WH_OK;
  CHECK_FAILS(codec_run_read(&whole, wh_buf_str(text), &test_err), want);
  run.part_bytes = 500;
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(text), &test_err), want);
  CHECK_EQ(run.reject_count, whole.reject_count);
  if (!widens) return;
  CHECK(wh_schema_eq(&run.wider, &whole.wider));
  wh_schema wider = run.wider;
  for (int parts = 0; parts < 2; parts++) {
    run.part_bytes = parts ? 500 : 0;
    run.given = &wider;
    run.may_widen = true;
    CHECK_OK(codec_run_read(&run, wh_buf_str(text), &test_err));
  }
  run.given = NULL;
  run.may_widen = false;
}

TEST(parts_widen_as_the_whole_does) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_ndjson);
  sample(&text, "{\"a\":1}", "{\"a\":0.5}\n{\"b\":\"x\"}\n");
  check_widens(&text, true);
  // What an earlier part knows decides: not float64, of which not all integers come back.
  sample(&text, "{\"a\":1}", "{\"a\":9007199254740993}\n");
  for (int i = 0; i < 100; i++)
    wh_buf_add_c(&text, "{\"a\":12}\n");
  wh_buf_add_c(&text, "{\"a\":0.5}\n");
  check_widens(&text, true);
  CHECK_EQ(run.wider.fields[0].type.kind, WH_DECIMAL);
  // Whole digits of integers that inference has not seen count, too.
  sample(&text, "{\"a\":1}", "{\"a\":1000000000000000000}\n");
  for (int i = 0; i < 100; i++)
    wh_buf_add_c(&text, "{\"a\":12}\n");
  wh_buf_add_c(&text, "{\"a\":0.12345678901234567890123}\n");
  check_widens(&text, false);
  CHECK_EQ(run.reject_count, 1);
  sample(&text, "{\"a\":1}", "{\"a\":100000000000}\n{\"a\":0.123456789012345678901234567}\n");
  check_widens(&text, false);
  sample(&text, "{\"a\":1}", "{\"a\":10000000000}\n{\"a\":0.123456789012345678901234567}\n");
  check_widens(&text, true);
  // Zeros at the end of a fraction do not.
  sample(&text, "{\"a\":0.5}", "{\"a\":1.5000}\n{\"a\":1.12345678901234567890}\n");
  check_widens(&text, true);
  CHECK_EQ(run.wider.fields[0].type.scale, 19);
  sample(&text, "{\"a\":1}", "{\"a\":\"x\"}\n{\"a\":{\"b\":1}}\n{\"a\":2}\n");
  check_widens(&text, false);
  CHECK_EQ(run.reject_count, 2);
  end();
}

TEST(blocks_make_the_same_text) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_ndjson);
  give();
  add_lines(&text, 3000);
  const wh_codec_type *const codecs[] = {&wh_codec_json, &wh_codec_ndjson};
  for (int c = 0; c < 2; c++) {
    whole.copy_codec = run.copy_codec = codecs[c];
    REQUIRE_OK(codec_run_read(&whole, wh_buf_str(&text), &test_err));
    for (size_t size = 1; size <= 1 << 20; size *= 32) {
      run.block_bytes = size;
      run.part_bytes = size > 1000 ? 5000 : 0;
      REQUIRE_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
      CHECK_STR(wh_buf_str(&run.copy), wh_buf_str(&whole.copy));
    }
    REQUIRE_OK(codec_run_read(&whole, WH_STR("{\"a\":\n"), &test_err));
    REQUIRE_OK(codec_run_read(&run, WH_STR("{\"a\":\n"), &test_err));
    CHECK_STR(wh_buf_str(&whole.copy), c ? WH_STR("") : WH_STR("[]\n"));
    CHECK_STR(wh_buf_str(&run.copy), wh_buf_str(&whole.copy));
  }
  end();
}

TEST(nulls_can_be_left_out) {
  begin(&wh_codec_json);
  wh_json_write_options options = {.nulls = WH_JSON_NULLS_OMIT};
  run.copy_codec = &wh_codec_ndjson;
  run.copy_options = &options;
  REQUIRE_OK(codec_run_read(&run,
                            WH_STR("[{\"a\":1,\"b\":null,\"c\":{\"d\":null,\"e\":[null]}},"
                                   "{\"a\":null,\"b\":null,\"c\":null},"
                                   "{\"a\":null,\"b\":\"x\",\"c\":{\"d\":2,\"e\":null}}]"),
                            &test_err));
  CHECK_STR(wh_buf_str(&run.copy), WH_STR("{\"a\":1,\"c\":{\"e\":[null]}}\n{}\n"
                                          "{\"b\":\"x\",\"c\":{\"d\":2}}\n"));
  end();
}

// Each allocation in turn fails: an error, no crash, nothing kept.
TEST(every_allocation_of_parts_and_blocks_fails) {
  WH_CLEAN_BUF wh_buf text;
  wh_mem mem;
  wh_mem_init(&mem, 0);
  wh_buf_init(&text, &test_mem, 0);
  sample(&text, "{\"a\":1}", "{\"a\":0.5}\n{\"a\":3}\n");
  for (int widens = 0; widens < 2; widens++) {
    for (size_t n = 1;; n++) {
      codec_run_init(&run, &mem, &wh_codec_ndjson);
      run.part_bytes = 6000;
      run.block_bytes = 3000;
      run.copy_codec = &wh_codec_json;
      atomic_store(&mem.count, 0);
      atomic_store(&mem.failed, 0);
      atomic_store(&mem.fail_at, n);
      wh_str s = wh_str_n(text.data, widens ? text.len : 1000 * sizeof "{\"a\":1}");
      wh_status status = codec_run_read(&run, s, &test_err);
      bool failed = atomic_load(&mem.failed);
      CHECK_FAILS(status, failed ? WH_ERR_MEMORY : widens ? WH_ERR_WIDEN : WH_OK);
      codec_run_free(&run);
      CHECK_EQ(atomic_load(&mem.used), 0);
      if (!failed || test_failed()) break;
    }
  }
}
