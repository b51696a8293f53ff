// CSV as it is written: what each value looks like, and what is quoted when.
#include "base/cpu.h"
#include "codec-run.h"
#include "codec/csv/writer.h"
#include "codec/text_block.h"
#include "data/format.h"
#include "data/put.h"
#include "data/temporal.h"
#include "data/value.h"
#include "random_batch.h"
#include "rows.h"
#include "test.h"

#include <stdio.h>

static const wh_cpu levels[] = {WH_CPU_PLAIN, WH_CPU_AVX512};
enum { LEVELS = sizeof levels / sizeof *levels };

static wh_status write_batch(const wh_csv_write_options *options, const wh_batch *batch,
                             wh_buf *text) {
  wh_codec_context context = {.mem = &test_mem};
  buf_output out;
  wh_buf_clear(text);
  buf_output_init(&out, text);
  wh_writer *writer;
  WH_TRY(csv_open_writer(&context, &out.base, options, batch->schema, &writer, &test_err));
  wh_status status = batch->rows ? writer->write(writer, batch, &test_err) : WH_OK;
  if (status == WH_OK) status = writer->finish(writer, &test_err);
  wh_writer_close(writer);
  return status;
}

// Rows as in test_table_add; the text must be the same on every kind of machine.
static void check_as(const wh_csv_write_options *options, const char *fields, const char *rows,
                     const char *want, int line) {
  test_table t;
  test_table_init(&t, fields);
  test_table_add(&t, rows);
  for (int i = 0; i < LEVELS; i++) {
    wh_cpu_limit(levels[i]);
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    if (!CHECK_OK(write_batch(options, &t.batch, &text))) test_note("in line %d", line);
    if (!CHECK_STR(wh_buf_str(&text), wh_str_of(want))) test_note("in line %d", line);
  }
  test_table_free(&t);
}
#define CHECK_WRITES(fields, rows, want) check_as(NULL, fields, rows, want, __LINE__)
#define CHECK_WRITES_AS(options, fields, rows, want)                                               \
  check_as(&(options), fields, rows, want, __LINE__)

static void check_fails(const wh_csv_write_options *options, const char *fields, const char *rows,
                        wh_status status, const char *part, int line) {
  test_table t;
  test_table_init(&t, fields);
  test_table_add(&t, rows);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  bool ok = CHECK_FAILS(write_batch(options, &t.batch, &text), status) && CHECK_ERROR_HAS(part);
  if (!ok) test_note("in line %d", line);
  test_table_free(&t);
}
#define CHECK_REFUSES(options, fields, rows, status, part)                                         \
  check_fails(&(options), fields, rows, status, part, __LINE__)

// --- Values --------------------------------------------------------------------------------------

TEST(every_type_has_its_canonical_text) {
  CHECK_WRITES("a: bool, b: int8, c: int16, d: int32, e: int64",
               "true|-128|-32768|-2147483648|-9223372036854775808\n"
               "false|127|32767|2147483647|9223372036854775807\n",
               "a,b,c,d,e\ntrue,-128,-32768,-2147483648,-9223372036854775808\n"
               "false,127,32767,2147483647,9223372036854775807\n");
  CHECK_WRITES("a: uint8, b: uint16, c: uint32, d: uint64",
               "0|0|0|0\n255|65535|4294967295|18446744073709551615\n",
               "a,b,c,d\n0,0,0,0\n255,65535,4294967295,18446744073709551615\n");
  CHECK_WRITES("a: float32, b: float64", "0.1|0.1\n5|5\nNaN|-Infinity\nInfinity|1e300\n-0|-2.5\n",
               "a,b\n0.1,0.1\n5.0,5.0\nNaN,-Infinity\nInfinity,1e+300\n-0.0,-2.5\n");
  CHECK_WRITES("a: date, b: time[us], c: time[ns]",
               "2026-11-21|08:55:00|00:00:00.000000001\n0001-01-01|23:59:59.999999|23:59:59.5\n"
               "9999-12-31|00:00:00.1|12:00:00.123456789\n",
               "a,b,c\n2026-11-21,08:55:00,00:00:00.000000001\n"
               "0001-01-01,23:59:59.999999,23:59:59.5\n9999-12-31,00:00:00.1,12:00:00.123456789\n");
  CHECK_WRITES("a: timestamp[us,UTC], b: timestamp[s], c: timestamp[ms]",
               "2026-11-21T08:55:00.000123Z|1969-12-31T23:59:59|1969-12-31T23:59:59.999\n",
               "a,b,c\n2026-11-21T08:55:00.000123Z,1969-12-31T23:59:59,1969-12-31T23:59:59.999\n");
  CHECK_WRITES("a: binary, b: null", "AAEC/w==|~\n", "a,b\nAAEC/w==,\n");
}

TEST(decimals_have_their_places) {
  CHECK_WRITES("a: decimal(12,2), b: decimal(38,0), c: decimal(38,10), d: decimal(9,9)",
               "12.34|99999999999999999999999999999999999999|1.5|0.123456789\n"
               "-0.05|-1|-1234567890123456789012345678.0123456789|-0.000000001\n"
               "0|0|0|0\n-9999999999.99|9223372036854775808|-0.1|0.5\n",
               "a,b,c,d\n12.34,99999999999999999999999999999999999999,1.5000000000,0.123456789\n"
               "-0.05,-1,-1234567890123456789012345678.0123456789,-0.000000001\n"
               "0.00,0,0.0000000000,0.000000000\n"
               "-9999999999.99,9223372036854775808,-0.1000000000,0.500000000\n");
}

static double random_double(void) {
  double value = (double)(int64_t)test_random();
  switch (test_random_below(5)) {
  case 0:
    return (double)(int64_t)(test_random() >> 20) / 1e3;
  case 1:
    return (double)(int64_t)(test_random() >> test_random_below(64)) / 1e2 / 1e4;
  case 2:
    return value / 1e12;
  case 3: // one beside a short one
    return (double)(int64_t)(test_random() >> 34) / 100 * (1 + 2.3e-16);
  default: {
    uint64_t bits = test_random();
    memcpy(&value, &bits, sizeof value);
    return value == value ? value : -0.0;
  }
  }
}

TEST(floats_as_the_data_layer_writes_them) {
  test_table t;
  test_table_init(&t, "a: float64");
  WH_CLEAN_BUF wh_buf want;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&want, &test_mem, 0);
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < 60000; i++) {
    double value = random_double();
    char digits[WH_FORMAT_F64_MAX];
    if (value - value != 0) value = 0; // infinite
    CHECK_OK(wh_column_add_f64(&t.batch.columns[0], value, &test_err));
    wh_batch_row_end(&t.batch);
    wh_buf_add(&want, digits, wh_format_f64(value, digits));
    wh_buf_add_char(&want, '\n');
  }
  const wh_csv_write_options no_header = {0};
  for (int i = 0; i < LEVELS; i++) {
    wh_cpu_limit(levels[i]);
    CHECK_OK(write_batch(&no_header, &t.batch, &text));
    wh_str got_rest = wh_buf_str(&text), want_rest = wh_buf_str(&want), a, b;
    while (wh_str_split(&got_rest, '\n', &a) && wh_str_split(&want_rest, '\n', &b)) {
      if (!CHECK_STR(a, b)) break;
    }
    CHECK_EQ(text.len, want.len);
  }
  test_table_free(&t);
}

TEST(years_of_more_than_four_digits) {
  CHECK_WRITES("a: date, b: timestamp[s,UTC]",
               "+010000-01-01|-000043-03-15T00:00:00Z\n0001-01-01|9999-12-31T23:59:59Z\n",
               "a,b\n+010000-01-01,-000043-03-15T00:00:00Z\n0001-01-01,9999-12-31T23:59:59Z\n");
}

TEST(a_timestamp_that_nobody_could_read_is_refused) {
  test_table t;
  test_table_init(&t, "a: timestamp[s]");
  CHECK_OK(wh_column_add_i64(&t.batch.columns[0], INT64_MAX, &test_err));
  wh_batch_row_end(&t.batch);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  CHECK_FAILS(write_batch(NULL, &t.batch, &text), WH_ERR_TYPE);
  CHECK_ERROR_HAS("column 'a' has a timestamp");
  CHECK_EQ(test_err.place.row, 1);
  test_table_free(&t);
}

TEST(lists_and_structs_are_json) {
  test_table t;
  test_table_init(&t, "id: int64, tags: list<string>, at: struct<x: int64, y: string>");
  wh_column *list = &t.batch.columns[1], *at = &t.batch.columns[2];
  CHECK_OK(wh_column_add_i64(&t.batch.columns[0], 1, &test_err));
  CHECK_OK(wh_column_reserve(list, 1, 0, &test_err));
  CHECK_OK(wh_column_add_text(&list->children[0], WH_STR("a"), &test_err));
  CHECK_OK(wh_column_add_text(&list->children[0], WH_STR("b\"c"), &test_err));
  CHECK_OK(wh_column_add_list(list, &test_err));
  CHECK_OK(wh_column_reserve(at, 1, 0, &test_err));
  CHECK_OK(wh_column_add_i64(&at->children[0], 7, &test_err));
  CHECK_OK(wh_column_add_null(&at->children[1], &test_err));
  CHECK_OK(wh_column_add_struct(at, &test_err));
  wh_batch_row_end(&t.batch);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  CHECK_OK(write_batch(NULL, &t.batch, &text));
  CHECK_STR(wh_buf_str(&text), WH_STR("id,tags,at\n1,\"[\"\"a\"\",\"\"b\\\"\"c\"\"]\",\"{\"\"x\"\":"
                                      "7,\"\"y\"\":null}\"\n"));
  test_table_free(&t);
}

static void check_integer(uint64_t value) {
  char got[WH_PUT_I64_ROOM], want[WH_PUT_I64_ROOM];
  int len = snprintf(want, sizeof want, "%" PRIu64, value);
  CHECK_STR(wh_str_n(got, (size_t)(wh_put_u64(got, value) - got)), wh_str_n(want, (size_t)len));
  len = snprintf(want, sizeof want, "%" PRId64, (int64_t)value);
  CHECK_STR(wh_str_n(got, (size_t)(wh_put_i64(got, (int64_t)value) - got)),
            wh_str_n(want, (size_t)len));
}

TEST(integers_of_every_length) {
  for (uint64_t power = 1;; power *= 10) {
    for (uint64_t near = power - 2; near != power + 3 && !test_failed(); near++)
      check_integer(near);
    if (power > UINT64_MAX / 10) break;
  }
  for (uint32_t value = 0; value < 100000 && !test_failed(); value++)
    check_integer(value);
  for (int i = 0; i < 20000 && !test_failed(); i++)
    check_integer(test_random() >> test_random_below(64));
  check_integer(UINT64_MAX);
  check_integer((uint64_t)INT64_MIN);
}

TEST(every_day_of_the_calendar) {
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &test_mem, 0);
  int step = test_is_long() ? 1 : 7;
  for (int32_t day = WH_PUT_FIRST_DAY; day <= WH_PUT_LAST_DAY && !test_failed(); day += step) {
    char got[WH_PUT_DATE_ROOM];
    wh_buf_clear(&want);
    wh_iso_write_date(day, &want);
    CHECK_STR(wh_str_n(got, (size_t)(wh_put_date(got, day) - got)), wh_buf_str(&want));
  }
}

TEST(times_and_timestamps_as_the_data_layer_writes_them) {
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &test_mem, 0);
  for (int i = 0; i < 40000 && !test_failed(); i++) {
    char got[WH_PUT_TIMESTAMP_ROOM];
    wh_unit unit = (wh_unit)(i % 4);
    int64_t per_second = wh_unit_per_second(unit);
    int64_t second = (int64_t)test_random_below(9000000000) - 3000000000;
    int64_t fraction = (int64_t)test_random_below((uint64_t)per_second);
    for (uint64_t zeros = test_random_below(7); zeros; zeros--)
      fraction -= fraction % 10, fraction /= zeros > 3 ? 10 : 1;
    wh_buf_clear(&want);
    int64_t time = (int64_t)test_random_below(86400) * per_second + fraction;
    wh_iso_write_time(time, unit, &want);
    CHECK_STR(wh_str_n(got, (size_t)(wh_put_time(got, time, unit) - got)), wh_buf_str(&want));
    wh_buf_clear(&want);
    int64_t at = second * per_second + fraction;
    wh_iso_write_timestamp(at, unit, i & 1, &want);
    CHECK_STR(wh_str_n(got, (size_t)(wh_put_timestamp(got, at, unit, i & 1) - got)),
              wh_buf_str(&want));
  }
  char out[WH_PUT_TIMESTAMP_ROOM];
  CHECK(!wh_put_timestamp(out, INT64_MAX, WH_UNIT_S, true));
  CHECK(!wh_put_timestamp(out, INT64_MIN, WH_UNIT_MS, true));
}

// --- Quotes --------------------------------------------------------------------------------------

TEST(text_is_quoted_where_it_must_be) {
  CHECK_WRITES(
      "a: int64, b: string",
      "1|plain\n2|a,b\n3|say \"hi\"\n4| blank \n5|caf\xC3\xA9\n6|semi;colon\n7|tab\there\n",
      "a,b\n1,plain\n2,\"a,b\"\n3,\"say \"\"hi\"\"\"\n4, blank \n5,caf\xC3\xA9\n"
      "6,semi;colon\n7,\"tab\there\"\n");
}

TEST(null_and_the_empty_text_stay_apart) {
  CHECK_WRITES("a: string?, b: int64?", "|1\n~|~\n", "a,b\n\"\",1\n,\n");
  CHECK_WRITES("a: string?", "~\n\n|\nx\n", "a\n\n\"\"\nx\n");
  const wh_csv_write_options na = {.header = true, .null = WH_STR("NA")};
  CHECK_WRITES_AS(na, "a: string?, b: int64?", "|1\n~|~\nNA|2\nNAN|3\n",
                  "a,b\n\"\",1\nNA,NA\n\"NA\",2\nNAN,3\n");
  // A number may be spelt like NULL too.
  const wh_csv_write_options minus = {.header = true, .null = WH_STR("-1")};
  CHECK_WRITES_AS(minus, "a: int64?, b: float64?", "-1|-1\n~|~\n-11|1\n",
                  "a,b\n\"-1\",-1.0\n-1,-1\n-11,1.0\n");
}

TEST(what_looks_like_a_comment_or_a_mark_is_quoted_at_the_start) {
  CHECK_WRITES("a: string, b: string", "#1|#2\n\xEF\xBB\xBFx|\xEF\xBB\xBFx\n",
               "a,b\n\"#1\",#2\n\"\xEF\xBB\xBFx\",\xEF\xBB\xBFx\n");
  CHECK_WRITES("\"#a\": string", "x\n", "\"#a\"\nx\n");
}

TEST(names_are_quoted_like_text) {
  test_table t;
  test_table_init(&t, "a: int64, b: int64");
  const wh_field fields[] = {{.name = WH_STR("say \"hi\", you"), .type = t.schema.fields[0].type},
                             {.name = WH_STR(""), .type = t.schema.fields[1].type}};
  const wh_schema schema = {2, fields};
  t.batch.schema = &schema;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  CHECK_OK(write_batch(NULL, &t.batch, &text));
  CHECK_STR(wh_buf_str(&text), WH_STR("\"say \"\"hi\"\", you\",\"\"\n"));
  test_table_free(&t);
}

TEST(quoting_all_text_or_nothing) {
  const char *fields = "a: string?, b: int64?, c: date, d: decimal(5,2), e: binary";
  const char *rows = "x|1|2026-11-21|1.5|AAEC\n~|~|2026-11-22|2|AA==\n";
  const wh_csv_write_options all = {.header = true, .quoting = WH_CSV_QUOTE_ALL};
  CHECK_WRITES_AS(all, fields, rows,
                  "\"a\",\"b\",\"c\",\"d\",\"e\"\n\"x\",\"1\",\"2026-11-21\",\"1.50\",\"AAEC\"\n"
                  ",,\"2026-11-22\",\"2.00\",\"AA==\"\n");
  const wh_csv_write_options texts = {.header = true, .quoting = WH_CSV_QUOTE_TEXT};
  CHECK_WRITES_AS(texts, fields, rows,
                  "\"a\",\"b\",\"c\",\"d\",\"e\"\n\"x\",1,2026-11-21,1.50,\"AAEC\"\n"
                  ",,2026-11-22,2.00,\"AA==\"\n");
  const wh_csv_write_options none = {.header = true, .quoting = WH_CSV_QUOTE_NONE};
  CHECK_WRITES_AS(none, fields, rows,
                  "a,b,c,d,e\nx,1,2026-11-21,1.50,AAEC\n,,2026-11-22,2.00,AA==\n");
}

TEST(quoting_none_refuses_what_it_cannot_write) {
  wh_csv_write_options none = {.header = true, .quoting = WH_CSV_QUOTE_NONE};
  CHECK_REFUSES(none, "a: int64, b: string", "1|x\n2|a,b\n", WH_ERR_TYPE,
                "column 'b' has a value that has a delimiter, and nothing may be quoted");
  CHECK_EQ(test_err.place.row, 2);
  CHECK_REFUSES(none, "a: int64, b: string?", "1|~\n2|\n", WH_ERR_TYPE, "is spelt like NULL");
  CHECK_REFUSES(none, "a: int64, b: string", "1|5\" pipe\n", WH_ERR_TYPE, "has a quote");
  CHECK_REFUSES(none, "a: int64, b: string", "1|a\rb\n", WH_ERR_TYPE, "has a line end");
  CHECK_REFUSES(none, "b: string", "#b\n", WH_ERR_TYPE, "begins like a comment");
  CHECK_REFUSES(none, "\"a,b\": string", "b\n", WH_ERR_TYPE, "column 'a,b' has");
  CHECK_WRITES_AS(none, "a: int64, b: string", "1|a\tb\n", "a,b\n1,a\tb\n");
  none.null = WH_STR("NA");
  CHECK_WRITES_AS(none, "a: int64, b: string?", "1|~\n2|\n", "a,b\n1,NA\n2,\n");
  none.null = WH_STR("");
  none.quote = WH_STR("none");
  none.quoting = WH_CSV_QUOTE_MINIMAL;
  CHECK_WRITES_AS(none, "a: int64, b: string", "1|5\" pipe\n", "a,b\n1,5\" pipe\n");
  none.delimiter = WH_STR("||");
  CHECK_WRITES_AS(none, "a: int64, b: decimal(3,1)", "1|2\n", "a||b\n1||2.0\n");
}

TEST(a_delimiter_of_several_bytes) {
  test_table t;
  test_table_init(&t, "a: string, b: string");
  static const char *const cells[] = {"a|", "|b", "c||d", "e", "e:"};
  for (int i = 0; i < 4; i++) {
    CHECK_OK(wh_column_add_text(&t.batch.columns[0], wh_str_of(cells[i]), &test_err));
    CHECK_OK(wh_column_add_text(&t.batch.columns[1], wh_str_of(cells[i + 1]), &test_err));
    wh_batch_row_end(&t.batch);
  }
  wh_csv_write_options o = {.delimiter = WH_STR("||")};
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  CHECK_OK(write_batch(&o, &t.batch, &text));
  CHECK_STR(wh_buf_str(&text), WH_STR("\"a|\"||\"|b\"\n\"|b\"||\"c||d\"\n\"c||d\"||e\ne||e:\n"));
  o.quoting = WH_CSV_QUOTE_NONE;
  CHECK_FAILS(write_batch(&o, &t.batch, &text), WH_ERR_TYPE);
  CHECK_ERROR_HAS("ends like a delimiter");
  test_table_free(&t);
}

TEST(other_delimiters_quotes_ends_and_marks) {
  wh_csv_write_options o = {
      .header = true, .delimiter = WH_STR(";"), .decimal = WH_STR(","), .line_ending = WH_CSV_CRLF};
  CHECK_WRITES_AS(o, "a: decimal(5,2), b: float64, c: float32, d: string",
                  "1.5|2.25|0.5|a,b\n-0.05|1e300|NaN|x;y\n",
                  "a;b;c;d\r\n1,50;2,25;0,5;a,b\r\n-0,05;1e+300;NaN;\"x;y\"\r\n");
  o = (wh_csv_write_options){.decimal = WH_STR(",")}; // numbers then have the delimiter in them
  CHECK_WRITES_AS(o, "a: decimal(5,2), b: float64, c: decimal(5,0)", "1.5|2.25|3\n",
                  "\"1,50\",\"2,25\",3\n");
  o = (wh_csv_write_options){.delimiter = WH_STR("tab"), .quote = WH_STR("'")};
  CHECK_WRITES_AS(o, "a: string, b: string", "it's|a\"b\nx\ty|,\n", "'it''s'\ta\"b\n'x\ty'\t,\n");
  o = (wh_csv_write_options){.delimiter = WH_STR(":")};
  CHECK_WRITES_AS(o, "a: time[s], b: timestamp[s], c: date",
                  "08:55:00|2026-11-21T08:55:00|2026-11-21\n",
                  "\"08:55:00\":\"2026-11-21T08:55:00\":2026-11-21\n");
  o = (wh_csv_write_options){.delimiter = WH_STR("-")};
  CHECK_WRITES_AS(o, "a: int64, b: date, c: bool", "-5|2026-11-21|true\n",
                  "\"-5\"-\"2026-11-21\"-true\n");
}

TEST(options_that_make_no_sense) {
  wh_csv_write_options o = {.delimiter = WH_STR("a\nb")};
  CHECK_REFUSES(o, "a: int64", "", WH_ERR_USAGE, "delimiter: ");
  o = (wh_csv_write_options){.delimiter = WH_STR("\"")};
  CHECK_REFUSES(o, "a: int64", "", WH_ERR_USAGE, "delimiter: ");
  o = (wh_csv_write_options){.delimiter = WH_STR("123456789")};
  CHECK_REFUSES(o, "a: int64", "", WH_ERR_USAGE, "delimiter: ");
  o = (wh_csv_write_options){.quote = WH_STR("''")};
  CHECK_REFUSES(o, "a: int64", "", WH_ERR_USAGE, "quote: ");
  o = (wh_csv_write_options){.null = WH_STR("a,b")};
  CHECK_REFUSES(o, "a: int64", "", WH_ERR_USAGE, "null: 'a,b' is not up to 32 bytes");
  o = (wh_csv_write_options){.null = WH_STR("123456789012345678901234567890123")};
  CHECK_REFUSES(o, "a: int64", "", WH_ERR_USAGE, "null: ");
  o = (wh_csv_write_options){.decimal = WH_STR("5")};
  CHECK_REFUSES(o, "a: int64", "", WH_ERR_USAGE, "decimal: ");
}

// Every length around a vector's, with something to quote at every place, in the middle of the
// column's bytes and at their end.
static void check_text_of(size_t len, size_t at, char odd) {
  test_table t;
  test_table_init(&t, "n: int64, a: string");
  char body[160], want[400];
  for (size_t i = 0; i < len; i++)
    body[i] = (char)('a' + i % 26);
  if (at < len) body[at] = odd;
  size_t n = (size_t)snprintf(want, sizeof want, "1,");
  if (at < len || len == 0) want[n++] = '"';
  for (size_t i = 0; i < len; i++) {
    if (body[i] == '"') want[n++] = '"';
    want[n++] = body[i];
  }
  if (at < len || len == 0) want[n++] = '"';
  want[n++] = '\n';
  memcpy(want + n, want, n);
  for (int i = 0; i < 2; i++) {
    CHECK_OK(wh_column_add_i64(&t.batch.columns[0], 1, &test_err));
    CHECK_OK(wh_column_add_text(&t.batch.columns[1], wh_str_n(body, len), &test_err));
    wh_batch_row_end(&t.batch);
  }
  const wh_csv_write_options no_header = {0};
  for (int i = 0; i < LEVELS; i++) {
    wh_cpu_limit(levels[i]);
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    CHECK_OK(write_batch(&no_header, &t.batch, &text));
    if (!CHECK_STR(wh_buf_str(&text), wh_str_n(want, 2 * n)))
      test_note("length %zu, '%c' at %zu", len, odd, at);
  }
  test_table_free(&t);
}

TEST(text_of_every_length) {
  for (size_t len = 0; len < 72 && !test_failed(); len++) {
    for (size_t at = 0; at <= len && !test_failed(); at++) {
      check_text_of(len, at, '"');
      check_text_of(len, at, at % 2 ? ',' : '\n');
    }
  }
  check_text_of(150, 149, '"');
}

TEST(a_nul_byte_has_no_place) {
  for (int i = 0; i < LEVELS; i++) {
    for (int quoting = WH_CSV_QUOTE_MINIMAL; quoting <= WH_CSV_QUOTE_NONE; quoting++) {
      wh_cpu_limit(levels[i]);
      test_table t;
      test_table_init(&t, "a: string");
      CHECK_OK(wh_column_add_text(&t.batch.columns[0], WH_STR("a\0b"), &test_err));
      wh_batch_row_end(&t.batch);
      WH_CLEAN_BUF wh_buf text;
      wh_buf_init(&text, &test_mem, 0);
      const wh_csv_write_options o = {.quoting = quoting};
      CHECK_FAILS(write_batch(&o, &t.batch, &text), WH_ERR_TYPE);
      CHECK_ERROR_HAS("a NUL byte");
      CHECK_EQ(test_err.place.row, 1);
      test_table_free(&t);
    }
  }
}

TEST(large_rows) {
  enum { LARGE = 600000 };
  test_table t;
  test_table_init(&t, "a: string?, b: string");
  char *body = malloc(LARGE);
  REQUIRE(body);
  memset(body, '"', LARGE);
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &test_mem, 0);
  for (int i = 0; i < 3; i++) {
    CHECK_OK(wh_column_add_null(&t.batch.columns[0], &test_err));
    CHECK_OK(wh_column_add_text(&t.batch.columns[1], wh_str_n(body, LARGE), &test_err));
    wh_batch_row_end(&t.batch);
    wh_buf_add_c(&want, ",\"");
    wh_buf_add(&want, body, LARGE);
    wh_buf_add(&want, body, LARGE);
    wh_buf_add_c(&want, "\"\n");
  }
  const wh_csv_write_options no_header = {0};
  for (int i = 0; i < LEVELS; i++) {
    wh_cpu_limit(levels[i]);
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    CHECK_OK(write_batch(&no_header, &t.batch, &text));
    CHECK(wh_str_eq(wh_buf_str(&text), wh_buf_str(&want)));
  }
  free(body);
  test_table_free(&t);
}

// --- Files ---------------------------------------------------------------------------------------

TEST(no_rows_and_no_columns) {
  CHECK_WRITES("a: int64, b: string", "", "a,b\n");
  const wh_csv_write_options no_header = {0};
  CHECK_WRITES_AS(no_header, "a: int64, b: string", "", "");
  const wh_schema none = {0};
  wh_batch batch = {0};
  CHECK_OK(wh_batch_init(&batch, &test_mem, &none, &test_err));
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  CHECK_OK(write_batch(NULL, &batch, &text));
  CHECK_STR(wh_buf_str(&text), WH_STR(""));
  wh_batch_row_end(&batch);
  CHECK_FAILS(write_batch(NULL, &batch, &text), WH_ERR_TYPE);
  wh_batch_free(&batch);
}

static wh_status write_blocks(const wh_batch *batch, size_t adds, wh_buf *text) {
  wh_codec_context context = {.mem = &test_mem};
  buf_output out;
  wh_buf_clear(text);
  buf_output_init(&out, text);
  wh_writer *writer;
  wh_encoder *encoder = NULL;
  wh_block *block = NULL;
  WH_TRY(csv_open_writer(&context, &out.base, NULL, batch->schema, &writer, &test_err));
  wh_status status = csv_open_encoder(&context, NULL, batch->schema, &encoder, &test_err);
  for (size_t i = 0; status == WH_OK && i < adds; i++) {
    status = encoder->add(encoder, batch, &test_err);
    if (status != WH_OK || (!encoder->full && i + 1 < adds)) continue;
    status = encoder->take(encoder, &block, &test_err);
    if (status == WH_OK) status = writer->append(writer, block, &test_err);
    wh_block_free(block);
    block = NULL;
  }
  if (status == WH_OK) status = encoder->take(encoder, &block, &test_err);
  CHECK(!block);
  if (status == WH_OK) status = writer->finish(writer, &test_err);
  wh_encoder_close(encoder);
  wh_writer_close(writer);
  return status;
}

TEST(blocks_give_the_file_that_writing_gives) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_schema schema = test_random_schema(&arena, 12, 1);
  wh_batch batch = {0};
  CHECK_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  for (int i = 0; i < 1000; i++)
    CHECK_OK(test_random_row(&batch, 5, &test_err));
  WH_CLEAN_BUF wh_buf once;
  WH_CLEAN_BUF wh_buf blocks;
  wh_buf_init(&once, &test_mem, 0);
  wh_buf_init(&blocks, &test_mem, 0);
  for (int i = 0; i < LEVELS; i++) {
    wh_cpu_limit(levels[i]);
    CHECK_OK(write_batch(NULL, &batch, &once));
    CHECK_OK(write_blocks(&batch, 1, &blocks));
    CHECK(wh_str_eq(wh_buf_str(&blocks), wh_buf_str(&once)));
    CHECK_OK(write_blocks(&batch, 9, &blocks));
    size_t head = (size_t)((const char *)memchr(once.data, '\n', once.len) + 1 - once.data);
    CHECK_EQ(blocks.len, head + 9 * (once.len - head));
  }
  wh_batch_free(&batch);
}

TEST(no_memory_is_an_error) {
  test_table t;
  test_table_init(&t, "a: string, b: list<int64>, c: int64, d: date");
  for (int i = 0; i < 3000; i++) {
    CHECK_OK(wh_column_add_text(&t.batch.columns[0], WH_STR("it is \"so\""), &test_err));
    CHECK_OK(wh_column_reserve(&t.batch.columns[1], 1, 0, &test_err));
    CHECK_OK(wh_column_add_i64(&t.batch.columns[1].children[0], i, &test_err));
    CHECK_OK(wh_column_add_list(&t.batch.columns[1], &test_err));
    CHECK_OK(wh_column_add_i64(&t.batch.columns[2], i, &test_err));
    CHECK_OK(wh_column_add_i64(&t.batch.columns[3], 4000000, &test_err));
    wh_batch_row_end(&t.batch);
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 100; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    status = write_blocks(&t.batch, 3, &text);
    atomic_store(&test_mem.fail_at, 0);
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
  }
  CHECK_EQ(status, WH_OK);
  test_table_free(&t);
}
