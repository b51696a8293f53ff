// The JSON codec: rows in, rows out, and what becomes of bad input.
#include "codec-run.h"
#include "codec/json/json.h"
#include "test.h"

static codec_run run;

static void begin(const wh_codec_type *codec) {
  codec_run_init(&run, &test_mem, codec);
}

static wh_status read_text(const char *text) {
  return codec_run_read(&run, wh_str_of(text), &test_err);
}

static void give(const char *columns, wh_arena *arena) {
  wh_type type;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_printf(&text, "struct<%s>", columns);
  if (!CHECK_OK(wh_type_parse(wh_buf_str(&text), arena, &type, &test_err))) return;
  static wh_schema schema;
  schema = (wh_schema){.count = type.field_count, .fields = type.fields};
  run.given = &schema;
}

#define CHECK_ROWS(want)    CHECK_STR(wh_buf_str(&run.rows), WH_STR(want))
#define CHECK_REJECTS(want) CHECK_STR(wh_buf_str(&run.rejects), WH_STR(want))
#define CHECK_SCHEMA(want)  CHECK_STR(wh_buf_str(&run.schema), WH_STR(want))

// --- Reading -------------------------------------------------------------------------------------

TEST(array_of_objects) {
  begin(&wh_codec_json);
  CHECK_OK(read_text("[\n{\"id\":1,\"name\":\"a\"},\n{\"id\":2,\"name\":null}\n]\n"));
  CHECK_SCHEMA("id: int64?, name: string?");
  CHECK_ROWS("{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":null}\n");
  CHECK_REJECTS("");
  codec_run_free(&run);
}

TEST(one_object_is_one_row) {
  begin(&wh_codec_json);
  run.places = true;
  CHECK_OK(read_text(" \n {\"id\":1}\n "));
  CHECK_ROWS("@1:2:2:3 {\"id\":1}\n");
  codec_run_free(&run);
}

TEST(empty_array_and_empty_objects) {
  begin(&wh_codec_json);
  CHECK_OK(read_text("[]"));
  CHECK_ROWS("");
  CHECK_SCHEMA("");
  CHECK_OK(read_text(" [ \t\r\n ] \n"));
  CHECK_ROWS("");
  CHECK_OK(read_text("[{},{ }]"));
  CHECK_ROWS("{}\n{}\n");
  codec_run_free(&run);
}

TEST(lines) {
  begin(&wh_codec_ndjson);
  run.places = true;
  CHECK_OK(read_text("{\"id\":1}\r\n\n  {\"id\": 2 } \n{\"id\":3}"));
  CHECK_ROWS("@1:1:1:0 {\"id\":1}\n@2:3:3:13 {\"id\":2}\n@3:4:1:25 {\"id\":3}\n");
  CHECK_OK(read_text(""));
  CHECK_ROWS("");
  CHECK_OK(read_text("\n \n\r\n"));
  CHECK_ROWS("");
  codec_run_free(&run);
}

TEST(byte_order_marks) {
  begin(&wh_codec_json);
  run.places = true;
  CHECK_OK(read_text("\xEF\xBB\xBF[{\"id\":1}]"));
  CHECK_ROWS("@1:1:2:4 {\"id\":1}\n");
  CHECK_FAILS(codec_run_read(&run, wh_str_n("\xFF\xFE[\0]\0", 6), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("UTF-16");
  CHECK_FAILS(codec_run_read(&run, wh_str_n("\0[\0]", 4), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("UTF-16");
  run.codec = &wh_codec_ndjson;
  CHECK_OK(read_text("\xEF\xBB\xBF{\"id\":1}\n"));
  CHECK_ROWS("@1:1:1:3 {\"id\":1}\n");
  codec_run_free(&run);
}

TEST(white_space_everywhere) {
  begin(&wh_codec_json);
  CHECK_OK(read_text("\r\n[ { \"a\" : 1 , \"b\" : [ 1 , 2 ] , \"c\" : { \"d\" : \"x\" } } \t, "
                     "{ \"a\"\n:\n2\n}\n]\n\n"));
  CHECK_ROWS("{\"a\":1,\"b\":[1,2],\"c\":{\"d\":\"x\"}}\n{\"a\":2,\"b\":null,\"c\":null}\n");
  codec_run_free(&run);
}

TEST(escapes_and_unicode) {
  begin(&wh_codec_json);
  CHECK_OK(read_text("[{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\uD83D\\uDE00\"},"
                     "{\"a\":\"\u00e9\u20ac\U0001F600\"},{\"\\u0061\":\"key\"},{\"a\":\"\"},"
                     "{\"a\":\"nul \\u0000 inside\"}]"));
  CHECK_ROWS("{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\u00e9\u20ac\U0001F600\"}\n"
             "{\"a\":\"\u00e9\u20ac\U0001F600\"}\n{\"a\":\"key\"}\n{\"a\":\"\"}\n"
             "{\"a\":\"nul \\u0000 inside\"}\n");
  CHECK_REJECTS("");
  codec_run_free(&run);
}

TEST(keys_in_another_order) {
  begin(&wh_codec_json);
  CHECK_OK(read_text("[{\"a\":1,\"b\":2,\"c\":3},{\"c\":6,\"a\":4,\"b\":5},{\"b\":8},{\"c\":9}]"));
  CHECK_ROWS("{\"a\":1,\"b\":2,\"c\":3}\n{\"a\":4,\"b\":5,\"c\":6}\n"
             "{\"a\":null,\"b\":8,\"c\":null}\n{\"a\":null,\"b\":null,\"c\":9}\n");
  codec_run_free(&run);
}

TEST(nested_values) {
  begin(&wh_codec_json);
  CHECK_OK(read_text("[{\"o\":{\"a\":[{\"x\":1},{\"x\":null,\"y\":\"t\"}]},\"l\":[]},"
                     "{\"o\":null,\"l\":[[1,2],[]]},{\"o\":{},\"l\":[null]}]"));
  CHECK_SCHEMA("o: struct<a: list<struct<x: int64?, y: string?>?>?>?, l: list<list<int64?>?>?");
  CHECK_ROWS("{\"o\":{\"a\":[{\"x\":1,\"y\":null},{\"x\":null,\"y\":\"t\"}]},\"l\":[]}\n"
             "{\"o\":null,\"l\":[[1,2],[]]}\n{\"o\":{\"a\":null},\"l\":[null]}\n");
  codec_run_free(&run);
}

// --- Broken structure ----------------------------------------------------------------------------

static void check_broken(const char *text, const char *part, uint64_t line, uint64_t byte) {
  test_err = (wh_error){0};
  CHECK_FAILS(read_text(text), WH_ERR_DATA);
  CHECK_ERROR_HAS(part);
  CHECK_EQ(test_err.place.line, line);
  CHECK_EQ(test_err.place.byte, byte);
}

TEST(broken_structure_is_an_error) {
  begin(&wh_codec_json);
  check_broken("", "nothing in it", 1, 0);
  check_broken(" \n", "nothing in it", 2, 2);
  check_broken("7", "an array of objects was expected", 1, 0);
  check_broken("[{\"id\":1}", "the array opened at byte 0 is never closed", 1, 9);
  check_broken("[{\"id\":1},", "the array opened at byte 0 is never closed", 1, 10);
  check_broken(" [\n{\"id\":1},\n{\"id\"", "the array opened at byte 1 is never closed", 3, 18);
  check_broken("[{\"id\":1},\n{\"id\":\"x}]", "the string opened at byte 17 is never closed", 2,
               17);
  check_broken("{\"id\":1", "the object opened at byte 0 is never closed", 1, 7);
  check_broken("[{\"id\":1}\n{\"id\":2}]", "expected ',' or ']' behind a value, found '{'", 2, 10);
  check_broken("[{\"id\":1},]", "expected a value, found ']'", 1, 10);
  check_broken("[{\"id\":1 \"b\":2}]", "',' is missing behind '1'", 1, 7);
  check_broken("[{\"id\":1 2}]", "',' is missing before '2'", 1, 9);
  check_broken("[{\"id\":\"1\" \"b\":2}]", "expected ',' or '}' behind a value, found '\"'", 1, 11);
  check_broken("[{\"id\" 1}]", "expected ':' behind a key, found '1'", 1, 7);
  check_broken("[{id:1}]", "'id' is not expected here", 1, 2);
  check_broken("[{\"id\":1}]\n]", "more text behind the last bracket", 2, 11);
  check_broken("[{\"id\":1}] x", "more text behind the last bracket", 1, 11);
  check_broken("[{\"id\":1}", "(the text ends in line 1, at byte 9)", 1, 9);
  check_broken("[{\"id\":[1}]", "expected ',' or ']' behind a value, found '}'", 1, 9);
  codec_run_free(&run);
}

TEST(a_schema_given_sees_the_same_breaks) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin(&wh_codec_json);
  give("id: int64?", &arena);
  check_broken("[{\"id\":1},\n{\"id\":2", "the array opened at byte 0 is never closed", 2, 18);
  CHECK_ROWS("");
  check_broken("[{\"id\":1},{\"id\":{\"x\":1]}", "expected ',' or '}' behind a value", 1, 22);
  codec_run_free(&run);
}

TEST(a_bad_line_spoils_only_itself) {
  begin(&wh_codec_ndjson);
  CHECK_OK(read_text("{\"id\":1}\n{\"id\":\"x}\n{\"id\":2}\n{\"id\":3\n{\"id\":4} x\n[5]\n\"6\"\n"
                     "{\"id\":7}{\"id\":8}\n{\"id\":9}\n{\"id\""));
  CHECK_ROWS("{\"id\":1}\n{\"id\":2}\n{\"id\":9}\n");
  CHECK_REJECTS(
      "json id @2:2:7:15 the string opened at byte 15 is never closed: {\"id\":\"x}\n"
      "json  @4:4:8:35 expected ',' or '}' behind a value, found the end of the line: {\"id\":3\n"
      "json  @5:5:10:45 'x' is not expected here: {\"id\":4} x\n"
      "json  @6:6:1:47 a row must be an object, found an array: [5]\n"
      "json  @7:7:1:51 a row must be an object, found text: \"6\"\n"
      "json  @8:8:9:63 expected the end of the line behind the object, found '{': "
      "{\"id\":7}{\"id\":8}\n"
      "json  @10:10:6:86 the text ends inside a value: {\"id\"\n");
  codec_run_free(&run);
}

// --- Rejected rows -------------------------------------------------------------------------------

TEST(bad_values_reject_their_row) {
  begin(&wh_codec_json);
  CHECK_OK(read_text("[{\"id\":1,\"t\":\"ok\"},\n"
                     "{\"id\":01,\"t\":\"a\"},\n"
                     "{\"id\":2,\"t\":\"\xC3\x28\"},\n"
                     "{\"id\":3,\"t\":\"\\x\"},\n"
                     "{\"id\":4,\"t\":\"\\uD800\"},\n"
                     "{\"id\":5,\"id\":6},\n"
                     "{\"id\":7,\"t\":\"a\tb\"},\n"
                     "{\"id\":tru},\n"
                     "5,[1],\n"
                     "{\"id\":8,\"t\":\"end\"}]"));
  CHECK_ROWS("{\"id\":1,\"t\":\"ok\"}\n{\"id\":8,\"t\":\"end\"}\n");
  CHECK_REJECTS("json id @2:2:7:26 '01' is not a JSON value: {\"id\":01,\"t\":\"a\"}\n"
                "json t @3:3:14:52 byte 0xC3 is not valid UTF-8: {\"id\":2,\"t\":\"\xC3\x28\"}\n"
                "json t @4:4:14:71 '\\x' is not an escape of JSON: {\"id\":3,\"t\":\"\\x\"}\n"
                "json t @5:5:14:90 \\uD800 is half a surrogate pair: {\"id\":4,\"t\":\"\\uD800\"}\n"
                "json id @6:6:9:108 the key 'id' stands twice in one object: {\"id\":5,\"id\":6}\n"
                "json t @7:7:15:131 the control character 0x09 must be escaped in a string: "
                "{\"id\":7,\"t\":\"a\tb\"}\n"
                "json id @8:8:7:143 'tru' is not a JSON value: {\"id\":tru}\n"
                "json  @9:9:1:149 a row must be an object, found a single value: 5\n"
                "json  @10:9:3:151 a row must be an object, found an array: [1]\n");
  codec_run_free(&run);
}

TEST(values_that_do_not_fit_a_given_schema) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin(&wh_codec_json);
  give("id: int64, d: decimal(10,2)?, t: timestamp[us,UTC]?, b: int8?, s: string?", &arena);
  CHECK_OK(read_text("[{\"id\":1.5},\n{\"id\":2,\"d\":12.345},\n{\"id\":3,\"t\":\"soon\"},\n"
                     "{\"id\":4,\"b\":128},\n{\"id\":5,\"s\":6},\n{\"d\":1},\n{\"id\":null},\n"
                     "{\"id\":8,\"zz\":1},\n{\"id\":9,\"d\":{}},\n{\"id\":true},\n"
                     "{\"id\":\"10\"},\n{\"id\":11,\"d\":1}]"));
  CHECK_ROWS("{\"id\":11,\"d\":\"1.00\",\"t\":null,\"b\":null,\"s\":null}\n");
  CHECK_REJECTS("type id @1:1:8:7 '1.5' is not a whole number: {\"id\":1.5}\n"
                "type d @2:2:13:25 '12.345' has 3 decimal places, decimal(10,2) keeps 2: "
                "{\"id\":2,\"d\":12.345}\n"
                "type t @3:3:13:46 'soon' is not a timestamp (2026-11-21T08:55:00Z): "
                "{\"id\":3,\"t\":\"soon\"}\n"
                "type b @4:4:13:67 '128' is out of the range of int8 (-128 to 127): "
                "{\"id\":4,\"b\":128}\n"
                "type s @5:5:13:85 a number, where text is expected: {\"id\":5,\"s\":6}\n"
                "missing id @6:6:7:95 'id' is missing: {\"d\":1}\n"
                "missing id @7:7:7:104 null, where a value is required: {\"id\":null}\n"
                "unknown zz @8:8:9:119 there is no column for the key 'zz': {\"id\":8,\"zz\":1}\n"
                "type d @9:9:13:140 an object, where decimal(10,2) is expected: "
                "{\"id\":9,\"d\":{}}\n"
                "type id @10:10:7:151 true, where int64 is expected: {\"id\":true}\n"
                "type id @11:11:7:164 text, where int64 is expected: {\"id\":\"10\"}\n");
  codec_run_free(&run);
}

TEST(unknown_keys_can_be_ignored) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin(&wh_codec_json);
  give("a: int64", &arena);
  wh_json_read_options options = {.unknown = WH_JSON_UNKNOWN_IGNORE};
  run.options = &options;
  CHECK_OK(read_text("[{\"z\":{\"y\":[1,{\"a\":2}]},\"a\":1,\"x\":\"]}\"},{\"a\":2,\"z\":nul}]"));
  CHECK_ROWS("{\"a\":1}\n");
  CHECK_REJECTS("json  @2:1:52:51 'nul' is not a JSON value: {\"a\":2,\"z\":nul}\n");
  codec_run_free(&run);
}

TEST(given_types_are_read_exactly) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin(&wh_codec_json);
  give("u: uint64?, i: int64?, d: decimal(38,0)?, e: decimal(38,38)?, f: float64?, g: float32?, "
       "day: date?, t: time[ns]?, ts: timestamp[ms]?, z: timestamp[us,UTC]?, bin: binary?, "
       "ok: bool?, n: null?",
       &arena);
  CHECK_OK(read_text(
      "[{\"u\":18446744073709551615,\"i\":-9223372036854775808,"
      "\"d\":99999999999999999999999999999999999999,"
      "\"e\":0.00000000000000000000000000000000000001,\"f\":0.1,\"g\":3.4028235e38,"
      "\"day\":\"2024-02-29\",\"t\":\"23:59:59.999999999\",\"ts\":\"1969-12-31T23:59:59.999\","
      "\"z\":\"2026-11-21T09:55:00+01:00\",\"bin\":\"AAH/\",\"ok\":true,\"n\":null},"
      "{\"u\":1e3,\"i\":-5.0,\"d\":\"7\",\"e\":-1e-38,\"f\":\"NaN\",\"g\":\"-Infinity\"},"
      "{\"f\":\"nan\"},{\"u\":-1},{\"i\":9223372036854775808},"
      "{\"d\":100000000000000000000000000000000000000},{\"f\":1e309},{\"bin\":\"A\"},{\"n\":0}]"));
  CHECK_ROWS(
      "{\"u\":18446744073709551615,\"i\":-9223372036854775808,"
      "\"d\":\"99999999999999999999999999999999999999\","
      "\"e\":\"0.00000000000000000000000000000000000001\",\"f\":0.1,\"g\":3.4028235e+38,"
      "\"day\":\"2024-02-29\",\"t\":\"23:59:59.999999999\",\"ts\":\"1969-12-31T23:59:59.999\","
      "\"z\":\"2026-11-21T08:55:00Z\",\"bin\":\"AAH/\",\"ok\":true,\"n\":null}\n"
      "{\"u\":1000,\"i\":-5,\"d\":7,\"e\":\"-0.00000000000000000000000000000000000001\","
      "\"f\":\"NaN\",\"g\":\"-Infinity\",\"day\":null,\"t\":null,\"ts\":null,\"z\":null,"
      "\"bin\":null,\"ok\":null,\"n\":null}\n");
  CHECK_EQ(run.reject_count, 7);
  codec_run_free(&run);
}

// --- Inference -----------------------------------------------------------------------------------

static void check_inferred(const char *text, const char *schema) {
  CHECK_OK(read_text(text));
  CHECK_STR(wh_buf_str(&run.schema), wh_str_of(schema));
  CHECK_REJECTS("");
}

TEST(inferred_types) {
  begin(&wh_codec_json);
  check_inferred("[{\"a\":null}]", "a: null?");
  check_inferred("[{\"a\":null},{\"a\":true}]", "a: bool?");
  check_inferred("[{\"a\":9223372036854775807},{\"a\":-9223372036854775808}]", "a: int64?");
  check_inferred("[{\"a\":1},{\"a\":9223372036854775808}]", "a: decimal(38,0)?");
  check_inferred("[{\"a\":1.5},{\"a\":2}]", "a: float64?");
  check_inferred("[{\"a\":1e300}]", "a: float64?");
  check_inferred("[{\"a\":9007199254740993},{\"a\":0.5}]", "a: decimal(38,1)?");
  check_inferred("[{\"a\":0.1234567890123456789}]", "a: decimal(38,19)?");
  check_inferred("[{\"a\":12345678901234.5678}]", "a: decimal(38,4)?");
  check_inferred("[{\"a\":0.1},{\"a\":0.30000000000000004}]", "a: float64?");
  check_inferred("[{\"a\":5e-324}]", "a: float64?");
  check_inferred("[{\"a\":\"2026-11-21\"}]", "a: string?");
  check_inferred("[{\"a\":[1,2.5,null]}]", "a: list<float64?>?");
  check_inferred("[{\"a\":{\"b\":1}},{\"a\":{\"c\":true}}]", "a: struct<b: int64?, c: bool?>?");
  check_inferred("[{\"b\":1},{\"a\":2,\"b\":3}]", "b: int64?, a: int64?");
  codec_run_free(&run);
}

TEST(what_does_not_go_together) {
  begin(&wh_codec_json);
  CHECK_FAILS(read_text("[{\"id\":null},\n{\"id\":5},\n{\"id\":6},\n{\"id\":\"x\"}]"), WH_ERR_DATA);
  CHECK_ERROR_HAS("row 2 has a number in 'id', row 4 text (line 4, byte 40)");
  CHECK_ERROR_HAS("give the type under columns");
  CHECK_EQ(test_err.place.row, 4);
  CHECK_FAILS(read_text("[{\"a\":{\"b\":[1]}},{\"a\":{\"b\":{}}}]"), WH_ERR_DATA);
  CHECK_ERROR_HAS("row 1 has an array in 'a', row 2 an object");
  // A row that is wrong by itself does not decide anything.
  CHECK_OK(read_text("[{\"id\":1},{\"id\":\"a\",\"id\":\"b\"},{\"id\":\"\\q\"},{\"l\":[1,\"x\"]},"
                     "{\"n\":123456789012345678901234567890123456789}]"));
  CHECK_SCHEMA("id: int64?");
  CHECK_ROWS("{\"id\":1}\n");
  CHECK_EQ(run.reject_count, 4);
  CHECK(strstr(run.rejects.data, "the key 'id' stands twice"));
  CHECK(strstr(run.rejects.data, "an array holds both a number and text"));
  CHECK(strstr(run.rejects.data, "more digits than a type keeps (decimals keep 38)"));
  codec_run_free(&run);
}

// A text whose first rows are the sample, and `tail` behind them.
static void with_sample(wh_buf *text, const char *row, const char *tail) {
  wh_buf_clear(text);
  wh_buf_add_char(text, '[');
  for (int i = 0; i < WH_JSON_SAMPLE_ROWS; i++) {
    wh_buf_add_c(text, row);
    wh_buf_add_c(text, ",\n");
  }
  wh_buf_add_c(text, tail);
  wh_buf_add_char(text, ']');
}

static void check_widened(wh_buf *text, const char *want) {
  test_err = (wh_error){0};
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(text), &test_err), WH_ERR_WIDEN);
  CHECK_EQ(test_err.place.row, WH_JSON_SAMPLE_ROWS + 1);
  WH_CLEAN_BUF wh_buf schema;
  wh_buf_init(&schema, &test_mem, 0);
  codec_write_schema(&run.wider, &schema);
  CHECK_STR(wh_buf_str(&schema), wh_str_of(want));
  // With the wider schema everything is read.
  size_t rejects = run.reject_count;
  wh_schema wider = run.wider;
  run.given = &wider;
  CHECK_OK(codec_run_read(&run, wh_buf_str(text), &test_err));
  CHECK_EQ(run.reject_count, rejects);
  run.given = NULL;
}

TEST(rows_behind_the_sample_widen) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_json);
  with_sample(&text, "{\"a\":1}", "{\"a\":1.5},{\"a\":2,\"b\":true},{\"c\":{\"d\":null}}");
  check_widened(&text, "a: float64?, b: bool?, c: struct<d: null?>?");
  with_sample(&text, "{\"a\":1}", "{\"b\":1},{\"a\":9007199254740993},{\"a\":1.5}");
  check_widened(&text, "a: decimal(38,1)?, b: int64?");
  with_sample(&text, "{\"a\":0.5}", "{\"a\":0.12345678901234567891}");
  check_widened(&text, "a: decimal(38,20)?");
  with_sample(&text, "{\"a\":null}", "{\"a\":\"x\"}");
  check_widened(&text, "a: string?");
  with_sample(&text, "{\"a\":[]}", "{\"a\":[[]]},{\"a\":[[{\"x\":1}]]}");
  check_widened(&text, "a: list<list<struct<x: int64?>?>?>?");
  with_sample(&text, "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":2,\"y\":3}}");
  check_widened(&text, "a: struct<x: int64?, y: int64?>?");
  CHECK_ERROR_HAS("");
  codec_run_free(&run);
}

// Numbers that only the fast path saw must be known when the type is chosen.
TEST(widening_remembers_numbers_behind_the_sample) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_json);
  with_sample(&text, "{\"a\":1}", "{\"a\":9007199254740993},{\"a\":0.5}");
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_WIDEN);
  CHECK_EQ(run.wider.fields[0].type.kind, WH_DECIMAL);
  CHECK_EQ(run.wider.fields[0].type.scale, 1);
  with_sample(&text, "{\"a\":0.5}", "{\"a\":0.1234567},{\"a\":12345678901234567890.5}");
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_WIDEN);
  CHECK_EQ(run.wider.fields[0].type.kind, WH_DECIMAL);
  CHECK_EQ(run.wider.fields[0].type.scale, 7);
  codec_run_free(&run);
}

TEST(what_cannot_widen_is_rejected) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_json);
  with_sample(&text, "{\"a\":1}", "{\"a\":\"x\"},{\"a\":{\"b\":1}},{\"a\":2}");
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK_EQ(run.row_count, 1001);
  CHECK_REJECTS(
      "type a @1001:1001:6:9006 text, where int64 is expected: {\"a\":\"x\"}\n"
      "type a @1002:1001:16:9016 an object, where int64 is expected: {\"a\":{\"b\":1}}\n");
  // Nor does a rejected row that comes with something new widen.
  with_sample(&text, "{\"a\":1}", "{\"a\":\"x\",\"b\":1}");
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK_EQ(run.reject_count, 1);
  with_sample(&text, "{\"a\":1e300}", "{\"a\":0.12345678901234567891}");
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK(strstr(run.rejects.data, "more digits than float64 keeps"));
  // Broken structure behind a row that widens is found by the look at the rest.
  with_sample(&text, "{\"a\":1}", "{\"b\":1},{\"c\"");
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_DATA);
  codec_run_free(&run);
}

TEST(a_pinned_schema_widens) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf schema;
  wh_buf_init(&schema, &test_mem, 0);
  begin(&wh_codec_json);
  give("a: int64?, t: timestamp[us,UTC]?", &arena);
  run.may_widen = true;
  CHECK_OK(read_text("[{\"a\":1,\"t\":\"2026-11-21T08:55:00Z\"},{\"a\":\"x\"},{\"t\":5}]"));
  CHECK_EQ(run.row_count, 1);
  CHECK_EQ(run.reject_count, 2);
  // What int64 values came before is not known, so nothing may be lost of any of them.
  CHECK_FAILS(read_text("[{\"a\":1,\"b\":[\"x\"]},{\"a\":0.25}]"), WH_ERR_WIDEN);
  CHECK_ERROR_HAS("row 1 does not fit the types of the rows before it: there is no column for");
  codec_write_schema(&run.wider, &schema);
  CHECK_STR(wh_buf_str(&schema),
            WH_STR("a: decimal(38,2)?, t: timestamp[us,UTC]?, b: list<string?>?"));
  codec_run_free(&run);
}

// --- Sizes ---------------------------------------------------------------------------------------

TEST(deep_nesting) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_json);
  for (int depth = WH_NESTING_MAX; depth <= WH_NESTING_MAX + 1; depth++) {
    wh_buf_clear(&text);
    wh_buf_add_c(&text, "[{\"a\":");
    for (int i = 0; i < depth; i++)
      wh_buf_add_char(&text, '[');
    for (int i = 0; i < depth; i++)
      wh_buf_add_char(&text, ']');
    wh_buf_add_c(&text, "}]");
    CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
    CHECK_EQ(run.row_count, depth <= WH_NESTING_MAX);
  }
  CHECK(strstr(run.rejects.data, "values are nested more than 64 deep"));
  codec_run_free(&run);
}

// Rows of many lengths across the borders of windows, slices and blocks; larger than a window, too.
static void varied_rows(wh_buf *text, bool lines, size_t bytes, uint64_t *ret_rows) {
  *ret_rows = 0;
  if (!lines) wh_buf_add_char(text, '[');
  while (text->len < bytes) {
    if (*ret_rows) wh_buf_add_c(text, lines ? "\n" : test_random_below(2) ? ",\n  " : ",");
    wh_buf_printf(text, "{\"id\":%llu,\"text\":\"", (unsigned long long)++*ret_rows);
    size_t n = test_random_below(100) == 0 ? test_random_below(3000) : test_random_below(60);
    if (*ret_rows == 100) n = 400000;
    for (size_t i = 0; i < n; i++) {
      static const char *const pieces[] = {"a", "bc", "\\\\", "\\\"",           "\u00e9", "\\u00e9",
                                           "{", "}",  "[",    "\\uD83D\\uDE00", ",",      ":"};
      wh_buf_add_c(text, pieces[test_random_below(12)]);
    }
    wh_buf_printf(text, "\",\"n\":[%s]}", *ret_rows % 3 ? "1,2,3" : "");
  }
  wh_buf_add_c(text, lines ? "\n" : "]");
}

// The same rows, places and rejects through windows of any size.
TEST(any_window_gives_the_same_rows) {
  static const char row[] = "{\"a\":%d,\"b\":\"x\\\"y\\u00e9\",\"c\":[{},{\"d\":-2.5e1}]}%s";
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (int lines = 0; lines < 2; lines++) {
    wh_buf_clear(&text);
    if (!lines) wh_buf_add_c(&text, " [\n");
    for (int i = 0; i < 60; i++) {
      if (i && !lines) wh_buf_add_char(&text, ',');
      while (test_random_below(3) == 0)
        wh_buf_add_char(&text, test_random_below(2) ? ' ' : '\n');
      if (i % 20 == 7)
        wh_buf_printf(&text, "{\"a\":\"%d\"}", i);
      else if (i % 20 == 8)
        wh_buf_printf(&text, "{\"a\":%d.}", i);
      else if (i % 20 == 9 && lines)
        wh_buf_add_c(&text, "{unexpected}");
      else
        wh_buf_printf(&text, row, i, i % 7 ? "" : " ");
      if (lines) wh_buf_add_char(&text, '\n');
    }
    if (!lines) wh_buf_add_c(&text, "\n]");
    codec_run whole;
    codec_run_init(&whole, &test_mem, lines ? &wh_codec_ndjson : &wh_codec_json);
    begin(whole.codec);
    give("a: int64?, b: string?, c: list<struct<d: float64?>?>?", &arena);
    whole.given = run.given;
    whole.places = run.places = true;
    CHECK_OK(codec_run_read(&whole, wh_buf_str(&text), &test_err));
    CHECK_EQ(whole.row_count + whole.reject_count, 60);
    for (run.row_limit = 64; run.row_limit < 400; run.row_limit += 9) {
      CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
      CHECK_STR(wh_buf_str(&run.rows), wh_buf_str(&whole.rows));
      CHECK_STR(wh_buf_str(&run.rejects), wh_buf_str(&whole.rejects));
    }
    codec_run_free(&whole);
    codec_run_free(&run);
  }
}

static void check_borders(const wh_codec_type *codec) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  uint64_t rows;
  varied_rows(&text, codec == &wh_codec_ndjson, 1500000, &rows);
  codec_run whole, piece;
  codec_run_init(&whole, &test_mem, codec);
  codec_run_init(&piece, &test_mem, codec);
  whole.row_limit = piece.row_limit = 8 << 20;
  whole.places = piece.places = true;
  CHECK_OK(codec_run_read(&whole, wh_buf_str(&text), &test_err));
  CHECK_EQ(whole.row_count, rows);
  CHECK_EQ(whole.reject_count, 0);
  for (piece.most = 1; piece.most <= 7; piece.most += 6) {
    CHECK_OK(codec_run_read(&piece, wh_buf_str(&text), &test_err));
    CHECK(wh_str_eq(wh_buf_str(&piece.rows), wh_buf_str(&whole.rows)));
  }
  for (piece.row_limit = 1200000; piece.row_limit < 3000000; piece.row_limit += 333333) {
    CHECK_OK(codec_run_read(&piece, wh_buf_str(&text), &test_err));
    CHECK(wh_str_eq(wh_buf_str(&piece.rows), wh_buf_str(&whole.rows)));
  }
  codec_run_free(&whole);
  codec_run_free(&piece);
}

TEST(borders_of_windows_do_not_show) {
  check_borders(&wh_codec_json);
  check_borders(&wh_codec_ndjson);
}

// The end of the window moves over every byte of a few rows.
TEST(every_cut_gives_the_same_rows) {
  static const char rows[] =
      "[{\"a\":1,\"b\":\"x\\\"y\",\"c\":[1,{\"d\":-2.5e1}]}, {\"a\":22,"
      "\"b\":\"\\u00e9\u00e9\",\"c\":[ ]} ,{\"a\":tru,\"b\":1},\n{\"b\":\"\",\"a\":null}]";
  WH_CLEAN_BUF wh_buf text, want, bad;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_init(&want, &test_mem, 0);
  wh_buf_init(&bad, &test_mem, 0);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin(&wh_codec_json);
  give("a: int64?, b: string?, c: list<struct<d: float64?>?>?", &arena);
  run.row_limit = 4095; // a window of 4096
  for (size_t cut = 0; cut <= sizeof rows; cut++) {
    wh_buf_clear(&text);
    while (text.len < 4096 - cut)
      wh_buf_add_char(&text, text.len % 100 ? ' ' : '\n');
    wh_buf_add(&text, rows, sizeof rows - 1);
    CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
    if (cut == 0) {
      wh_buf_add_str(&want, wh_buf_str(&run.rows));
      CHECK_EQ(run.row_count, 2);
    }
    CHECK_STR(wh_buf_str(&run.rows), wh_buf_str(&want));
    CHECK_EQ(run.reject_count, 2);
  }
  codec_run_free(&run);
}

TEST(a_row_over_the_limit) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_add_c(&text, "[{\"a\":\"x\"},\n{\"a\":\"");
  size_t start = 12;
  while (text.len < 1500)
    wh_buf_add_char(&text, 'y');
  wh_buf_add_c(&text, "\"}]");
  begin(&wh_codec_json);
  run.row_limit = 1000;
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("row 2 (line 2, byte 12) is larger than 1000 bytes");
  CHECK_EQ(test_err.place.byte, start);
  run.row_limit = 2000;
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  // One that never ends does not fill the memory.
  run.row_limit = 1000;
  while (text.len < 3000000)
    wh_buf_add_c(&text, "[[[[[[\"");
  wh_buf_clear(&text);
  wh_buf_add_c(&text, "[{\"a\":\"x\"},{\"a\":\"");
  while (text.len < 3000000)
    wh_buf_add_c(&text, "zzzzzzzzzzzzzzzz");
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("row 2 (line 1, byte 11)");
  run.codec = &wh_codec_ndjson;
  CHECK_FAILS(codec_run_read(&run, wh_str_sub(wh_buf_str(&text), 11, text.len), &test_err),
              WH_ERR_LIMIT);
  // Nor is it passed over by the look at what comes behind a row that widens.
  run.codec = &wh_codec_json;
  run.row_limit = 200;
  with_sample(&text, "{\"a\":1}", "{\"b\":1},{\"c\":\"");
  text.len--;
  for (int i = 0; i < 250; i++)
    wh_buf_add_char(&text, 'z');
  wh_buf_add_c(&text, "\"}]");
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("row 1002 ");
  codec_run_free(&run);
}

TEST(too_many_different_keys) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int row = 0; row < 3; row++) {
    for (int i = 0; i < 6000; i++)
      wh_buf_printf(&text, "%c\"k%d\":1", i ? ',' : '{', row * 6000 + i);
    wh_buf_add_c(&text, "}\n");
  }
  begin(&wh_codec_ndjson);
  run.quiet = true;
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("with row 3 the objects have more than 16384 different keys");
  size_t two = (size_t)(strrchr(text.data, '{') - text.data);
  CHECK_OK(codec_run_read(&run, wh_str_n(text.data, two), &test_err));
  CHECK_EQ(run.row_count, 2);
  codec_run_free(&run);
}

TEST(batches_are_as_long_as_asked) {
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20, .batch_rows = 2};
  wh_bytes_input in;
  wh_reader *reader;
  wh_batch batch;
  static const char text[] = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n";
  wh_bytes_input_init(&in, text, sizeof text - 1);
  REQUIRE_OK(wh_codec_ndjson.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  for (size_t want = 2; want < 3; want--) {
    wh_batch_reset(&batch);
    CHECK_OK(reader->next(reader, &batch, NULL, &test_err));
    CHECK_EQ(batch.rows, want);
    CHECK_EQ(reader->bytes_read, want == 2 ? 15 : 24);
  }
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

// Who has no place for rejects is told.
TEST(without_rejects_a_bad_row_is_an_error) {
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20};
  wh_bytes_input in;
  wh_reader *reader;
  wh_batch batch;
  static const char text[] = "[{\"a\":1},\n{\"a\":x}]";
  wh_bytes_input_init(&in, text, sizeof text - 1);
  REQUIRE_OK(wh_codec_json.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err));
  CHECK(reader->schema_inferred);
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_FAILS(reader->next(reader, &batch, NULL, &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("'x' is not a JSON value (row 2, line 2, byte 15)");
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

// --- Memory --------------------------------------------------------------------------------------

static void sweep(const wh_codec_type *codec, const char *text, const wh_schema *given) {
  size_t n = 1;
  for (;; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    codec_run_init(&run, &test_mem, codec);
    run.given = given;
    wh_status status = codec_run_read(&run, wh_str_of(text), &test_err);
    size_t failed = atomic_load(&test_mem.failed);
    atomic_store(&test_mem.fail_at, 0);
    atomic_store(&test_mem.failed, 0);
    codec_run_free(&run);
    if (!CHECK_EQ(atomic_load(&test_mem.used), given ? atomic_load(&test_mem.used) : 0)) return;
    if (failed == 0) break;
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) return;
    if (!CHECK(n < 2000)) return;
  }
  CHECK(n > 10);
}

TEST(every_allocation_of_a_reader_fails) {
  static const char text[] = "[{\"a\":1,\"b\":\"x\\n\",\"c\":[{\"d\":1.5},{\"d\":null}],"
                             "\"e\\u0031\":12345678901234567890},"
                             "{\"a\":2,\"b\":\"\u00e9\"},{\"a\":x},{\"a\":\"\\q\"}]";
  sweep(&wh_codec_json, text, NULL);
  sweep(&wh_codec_ndjson, "{\"a\":1,\"b\":{\"c\":[]}}\n{\"a\":\n{\"b\":null}\n", NULL);
  WH_CLEAN_BUF wh_buf wide;
  wh_buf_init(&wide, &test_mem, 0);
  wh_mem none;
  wh_mem_init(&none, 0);
  WH_CLEAN_BUF wh_buf sample;
  wh_buf_init(&sample, &none, 0);
  with_sample(&sample, "{\"a\":1}", "{\"a\":1.5,\"b\":[{\"c\":1}]}");
  size_t n = 1;
  for (bool done = false; !done && n < 2000; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    begin(&wh_codec_json);
    wh_status status = codec_run_read(&run, wh_buf_str(&sample), &test_err);
    done = atomic_load(&test_mem.failed) == 0;
    atomic_store(&test_mem.fail_at, 0);
    atomic_store(&test_mem.failed, 0);
    codec_run_free(&run);
    if (!CHECK_EQ(status, done ? WH_ERR_WIDEN : WH_ERR_MEMORY)) return;
  }
  CHECK(n > 10);
}

TEST(memory_stays_bounded) {
  // One line, in less than 3 MiB with the batch.
  const size_t size = test_is_long() ? 200000000 : 6000000;
  wh_mem outside;
  wh_mem_init(&outside, 0);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &outside, 0);
  wh_buf_add_char(&text, '[');
  for (int i = 0; text.len < size; i++)
    wh_buf_printf(&text, "%s{\"id\":%d,\"name\":\"customer %d\",\"price\":%d.5}", i ? "," : "", i,
                  i, i);
  wh_buf_add_char(&text, ']');
  begin(&wh_codec_json);
  run.quiet = true;
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK_EQ(run.reject_count, 0);
  CHECK(run.row_count > size / 80);
  CHECK(atomic_load(&test_mem.peak) < 3 << 20);
  codec_run_free(&run);
}

// --- The list of codecs --------------------------------------------------------------------------

TEST(codecs_by_name_and_key) {
  CHECK(wh_codec_by_name(WH_STR("json")) == &wh_codec_json);
  CHECK(wh_codec_by_name(WH_STR("ndjson")) == &wh_codec_ndjson);
  CHECK(wh_codec_by_name(WH_STR("JSON")) == NULL);
  CHECK(wh_codec_by_key(WH_STR("a/b/orders-1.json")) == &wh_codec_json);
  CHECK(wh_codec_by_key(WH_STR("ORDERS.JSON")) == &wh_codec_json);
  CHECK(wh_codec_by_key(WH_STR("x.ndjson")) == &wh_codec_ndjson);
  CHECK(wh_codec_by_key(WH_STR("x.jsonl")) == &wh_codec_ndjson);
  CHECK(wh_codec_by_key(WH_STR("x.json.bak")) == NULL);
  CHECK(wh_codec_by_key(WH_STR("a/.json")) == NULL);
  CHECK(wh_codec_by_key(WH_STR("")) == NULL);
}
