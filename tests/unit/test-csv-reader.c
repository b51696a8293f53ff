// Reading CSV: dialects, dirt, types, and what is said about rows that cannot be read.
#include "base/cpu.h"
#include "codec-run.h"
#include "codec/csv/csv.h"
#include "test.h"

static codec_run run;

// RFC 4180: so that nothing is found out from texts that are too short for it.
static const wh_csv_read_options rfc = {.delimiter = WH_STR_INIT(","),
                                        .quote = WH_STR_INIT("\""),
                                        .escape = WH_STR_INIT("none"),
                                        .header = WH_CSV_HEADER_YES,
                                        .decimal = WH_STR_INIT("."),
                                        .encoding = WH_CSV_UTF8};

static void begin(void) {
  codec_run_init(&run, &test_mem, &wh_codec_csv);
  run.options = &rfc;
}

static void end(void) {
  codec_run_free(&run);
}

// Reads `text`; the rows, and nothing rejected.
static void check_rows(const char *text, const char *rows) {
  if (!CHECK_OK(codec_run_read(&run, wh_str_of(text), &test_err))) return;
  if (!CHECK_STR(wh_buf_str(&run.rows), wh_str_of(rows))) test_note("of %s", text);
  CHECK_STR(wh_buf_str(&run.rejects), WH_STR(""));
}

static void check_schema(const char *text, const char *schema) {
  if (!CHECK_OK(codec_run_read(&run, wh_str_of(text), &test_err))) return;
  if (!CHECK_STR(wh_buf_str(&run.schema), wh_str_of(schema))) test_note("of %s", text);
}

static void check_rejects(const char *text, const char *rows, const char *rejects) {
  if (!CHECK_OK(codec_run_read(&run, wh_str_of(text), &test_err))) return;
  CHECK_STR(wh_buf_str(&run.rows), wh_str_of(rows));
  CHECK_STR(wh_buf_str(&run.rejects), wh_str_of(rejects));
}

static void check_fails(const char *text, wh_status status, const char *part) {
  CHECK_FAILS(codec_run_read(&run, wh_str_of(text), &test_err), status);
  CHECK_ERROR_HAS(part);
}

// The same through reads of one byte and with the plain loops.
static void check_rows_every_way(const char *text, const char *rows) {
  for (size_t most = 0; most < 3; most++) {
    run.most = most;
    check_rows(text, rows);
    wh_cpu_limit(WH_CPU_PLAIN);
    check_rows(text, rows);
    wh_cpu_limit(WH_CPU_AVX512);
  }
  run.most = 0;
}

TEST(rows_end_at_any_line_end) {
  begin();
  const char *rows = "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n";
  check_rows_every_way("a,b\n1,x\n2,y\n", rows);
  check_rows_every_way("a,b\n1,x\n2,y", rows);
  check_rows_every_way("a,b\r\n1,x\r\n2,y\r\n", rows);
  check_rows_every_way("a,b\r1,x\r2,y\r", rows);
  check_rows_every_way("a,b\r\n1,x\n2,y\r", rows);
  check_rows_every_way("\xEF\xBB\xBF"
                       "a,b\n\n1,x\n\n\n2,y\n\n",
                       rows);
  end();
}

TEST(quotes_hold_anything) {
  begin();
  check_rows_every_way(
      "a,b\n\"x,y\",\"line\nbreak\"\n\"q\"\"q\",\"\"\"\"\n",
      "{\"a\":\"x,y\",\"b\":\"line\\nbreak\"}\n{\"a\":\"q\\\"q\",\"b\":\"\\\"\"}\n");
  check_rows_every_way("\"a\",\"b\"\n\"1\",\"\"\n,\n",
                       "{\"a\":1,\"b\":\"\"}\n{\"a\":null,\"b\":null}\n");
  end();
}

TEST(empty_is_null_unless_quoted) {
  begin();
  check_rows("a,b,c\n,\"\",1\nx,,\"\"\n",
             "{\"a\":null,\"b\":\"\",\"c\":1}\n{\"a\":\"x\",\"b\":null,\"c\":null}\n");
  check_rows("a\n1\n\n2\n", "{\"a\":1}\n{\"a\":null}\n{\"a\":2}\n");
  end();
}

TEST(files_without_rows) {
  begin();
  check_rows("", "");
  CHECK_STR(wh_buf_str(&run.schema), WH_STR(""));
  check_rows("\n\n", "");
  check_rows("a,b", "");
  CHECK_STR(wh_buf_str(&run.schema), WH_STR("a: null?, b: null?"));
  end();
}

TEST(header_names_are_made_unique) {
  begin();
  check_schema(
      "a,,a,a_2,a,\n1,2,3,4,5,6\n",
      "a: int64?, column_2: int64?, a_3: int64?, a_2: int64?, a_4: int64?, column_6: int64?");
  wh_csv_read_options o = rfc;
  o.header = WH_CSV_HEADER_NO;
  run.options = &o;
  check_schema("1,x\n2,y\n", "column_1: int64?, column_2: string?");
  CHECK_EQ(run.row_count, 2);
  end();
}

static void check_type(const char *values, const char *type) {
  char text[512], want[64];
  snprintf(text, sizeof text, "v,k\n");
  for (const char *p = values; *p;) {
    size_t n = strcspn(p, "|");
    snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s,k\n", (int)n, p);
    p += n + (p[n] == '|');
  }
  snprintf(want, sizeof want, "v: %s?, k: string?", type);
  check_schema(text, want);
}

TEST(types_are_inferred_exactly) {
  begin();
  static const char *const cases[][2] = {
      {"1|-2|0|9223372036854775807", "int64"},
      {"1|9223372036854775808", "decimal(38,0)"},
      {"99999999999999999999999999999999999999", "decimal(38,0)"},
      {"999999999999999999999999999999999999999", "string"},
      {"007|1", "string"},
      {"+44|1", "string"},
      {"1.|2", "string"},
      {"-|1", "string"},
      {"1 |2", "string"},
      {"0|-0", "float64"},
      {"1.5|2", "float64"},
      {".5|-.25", "float64"},
      {"1.5|9007199254740993", "decimal(38,1)"},
      {"0.1|0.30000000000000004", "float64"},
      {"123456789012345.678", "decimal(38,3)"},
      {"1.12345678901234567890", "decimal(38,20)"},
      {"1e300|1.5", "float64"},
      {"12E3|44", "string"},
      {"12E3|4.5", "float64"},
      {"1e+5", "float64"},
      {"1.5e400", "string"},
      {"NaN|1.5", "float64"},
      {"NaN|1", "string"},
      {"true|false|TRUE", "bool"},
      {"true|1", "string"},
      {"yes|no", "string"},
      {"2026-11-21|1999-02-28", "date"},
      {"2026-02-29", "string"},
      {"2026-11-21 08:55:00|2026-11-21", "timestamp[us]"},
      {"2026-11-21T08:55:00.123456", "timestamp[us]"},
      {"2026-11-21T08:55:00.123456789", "timestamp[ns]"},
      {"2026-11-21T08:55:00.123456789|1500-01-01T00:00:00", "string"},
      {"2026-11-21T08:55:00Z|2026-11-21T08:55:00+02:00", "timestamp[us,UTC]"},
      {"2026-11-21T08:55:00Z|2026-11-21T08:55:00", "string"},
      {"08:55:00|23:59:59.5", "time[us]"},
      {"08:55", "string"},
      {"25:00:00", "string"},
      {"|", "null"},
      {"\"\"|", "string"},
      {"\"\"|5", "int64"},
      {"\"12\"|13", "int64"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_type(cases[i][0], cases[i][1]);
  end();
}

TEST(values_are_read) {
  begin();
  check_rows_every_way(
      "i,f,d,t,z,b,n\n"
      "-5,1.25,2026-11-21,2026-11-21 08:55:00.5,2026-11-21T08:55:00+01:00,true,9007199254740993.5\n"
      "1234567890123456789,-0.1,0001-01-01,2026-11-21,1969-12-31T23:59:59.999999Z,False,1\n"
      "-9223372036854775808,1e-7,9999-12-31,1600-02-29T12:00:00,2000-02-29T00:00:00Z,FALSE,\n"
      "12345678,123456.78901234,2024-02-29,2026-11-21T08:55,2000-02-29T00:00:00.000001Z,,-0.5\n",
      "{\"i\":-5,\"f\":1.25,\"d\":\"2026-11-21\",\"t\":\"2026-11-21T08:55:00.5\",\"z\":"
      "\"2026-11-21T07:55:00Z\",\"b\":true,\"n\":\"9007199254740993.5\"}\n"
      "{\"i\":1234567890123456789,\"f\":-0.1,\"d\":\"0001-01-01\",\"t\":\"2026-11-21T00:00:00\","
      "\"z\":\"1969-12-31T23:59:59.999999Z\",\"b\":false,\"n\":\"1.0\"}\n"
      "{\"i\":-9223372036854775808,\"f\":1e-07,\"d\":\"9999-12-31\",\"t\":\"1600-02-29T12:00:00\","
      "\"z\":\"2000-02-29T00:00:00Z\",\"b\":false,\"n\":null}\n"
      "{\"i\":12345678,\"f\":123456.78901234,\"d\":\"2024-02-29\",\"t\":\"2026-11-21T08:55:00\","
      "\"z\":\"2000-02-29T00:00:00.000001Z\",\"b\":null,\"n\":\"-0.5\"}\n");
  end();
}

TEST(bad_rows_are_kept_with_their_reason) {
  begin();
  check_rejects("a,b,c\n1,2,3\n1,2\n1,2,3,4\n4,5,6\n",
                "{\"a\":1,\"b\":2,\"c\":3}\n{\"a\":4,\"b\":5,\"c\":6}\n",
                "fields  @2:3:1:12 has 2 fields, the header has 3: 1,2\n"
                "fields  @3:4:1:16 has 4 fields, the header has 3: 1,2,3,4\n");
  check_rejects("a,b\nx,y\"z\n\"p\nq\"r,s\nu,v\n", "{\"a\":\"u\",\"b\":\"v\"}\n",
                "csv  @1:2:4:7 a quote inside a field that does not begin with one: x,y\"z\n"
                "csv  @2:4:3:15 text behind a closing quote: \"p\nq\"r,s\n");
  check_rejects("a,b\nx,\"y\xFFz\"\nu,v\n", "{\"a\":\"u\",\"b\":\"v\"}\n",
                "csv  @1:2:5:8 byte 0xFF is not valid UTF-8: x,\"y\xFFz\"\n");
  end();
}

TEST(an_unclosed_quote_is_an_error_with_its_place) {
  begin();
  check_fails("a,b\n1,2\n3,\"x\n4,5\n", WH_ERR_DATA,
              "the quote that opens in line 3, column 3 (byte 10) is never closed");
  CHECK_EQ(test_err.place.row, 2);
  check_fails("a,\"b\n1,2\n", WH_ERR_DATA, "a quote that is never closed");
  check_fails("a,b\"c\n1,2\n", WH_ERR_DATA, "a quote inside a field");
  end();
}

static const wh_field given_fields[] = {
    {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT32}},
    {.name = WH_STR_INIT("price"),
     .type = {.kind = WH_DECIMAL, .precision = 6, .scale = 2},
     .nullable = true},
    {.name = WH_STR_INIT("at"),
     .type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_MS, .zoned = true},
     .nullable = true},
    {.name = WH_STR_INIT("note"), .type = {.kind = WH_STRING}, .nullable = true},
};
static const wh_schema given = {4, given_fields};

TEST(given_types_reject_what_does_not_fit) {
  begin();
  run.given = &given;
  check_rejects(
      "id,price,at,note\n"
      "1,1.50,2026-11-21T08:55:00.123Z,x\n"
      "2,1.505,,x\n"
      ",1,,x\n"
      "3000000000,1,,x\n"
      "5,99999.00,,\"two\nlines\"\n"
      "6,,2026-11-21T08:55:00,x\n"
      "007,-12.5,2026-11-21T09:55:00+01:00,\n",
      "{\"id\":1,\"price\":\"1.50\",\"at\":\"2026-11-21T08:55:00.123Z\",\"note\":\"x\"}\n"
      "{\"id\":7,\"price\":\"-12.50\",\"at\":\"2026-11-21T08:55:00Z\",\"note\":null}\n",
      "type price @2:3:3:53 '1.505' has 3 decimal places, decimal(6,2) keeps 2: 2,1.505,,x\n"
      "missing id @3:4:1:62 no value, where one is required: ,1,,x\n"
      "type id @4:5:1:68 '3000000000' is out of the range of int32 (-2147483648 to "
      "2147483647): 3000000000,1,,x\n"
      "type price @5:6:3:86 '99999.00' has more than the 4 digits before the point that "
      "decimal(6,2) keeps: 5,99999.00,,\"two\nlines\"\n"
      "type at @6:8:4:111 '2026-11-21T08:55:00' does not say its zone: "
      "6,,2026-11-21T08:55:00,x\n");
  end();
}

static const wh_field zoned_fields[] = {
    {.name = WH_STR_INIT("z"),
     .type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_US, .zoned = true},
     .nullable = true},
    {.name = WH_STR_INIT("n"), .type = {.kind = WH_INT64}, .nullable = true},
};
static const wh_schema zoned = {2, zoned_fields};

// An offset, and the same instant in UTC; NULL: no time at all.
TEST(offsets_of_times_are_read_in_each_form) {
  static const char *const cases[][2] = {
      {"2026-11-21T08:55:00+01", "2026-11-21T07:55:00Z"},
      {"2026-11-21 08:55:00-0530", "2026-11-21T14:25:00Z"},
      {"2026-11-21 08:55:00+05:30", "2026-11-21T03:25:00Z"},
      {"2026-11-21 08:55:00.5+00", "2026-11-21T08:55:00.5Z"},
      {"2026-11-21 08:55:00.123456-00:01", "2026-11-21T08:56:00.123456Z"},
      {"2026-12-31T23:59:59.25-23:59", "2027-01-01T23:58:59.25Z"},
      {"2026-11-21T08:55+0100", "2026-11-21T07:55:00Z"},
      {"2026-11-21T08:55:00+24", NULL},
      {"2026-11-21T08:55:00+05:60", NULL},
      {"2026-11-21T08:55:00+05:", NULL},
      {"2026-11-21T08:55:00+5", NULL},
      {"2026-11-21T08:55:00*05", NULL},
      {"2026-11-21T08:55:00+0a", NULL},
      {"2026-11-21T08:55:00++1", NULL},
      {"2026-11-21T08:55:00+01:0/", NULL},
      {"2026-11-21T08:55:00.1234567+01", NULL}, // finer than the column
  };
  static const char ok[] = "2000-01-01T00:00:00Z";
  begin();
  wh_buf text, rows;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_init(&rows, &test_mem, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    wh_buf_clear(&text);
    wh_buf_clear(&rows);
    wh_buf_printf(&text, "z,n\n%s,1\n%s,2\n%s,3\n", ok, cases[i][0], ok);
    for (int n = 1; n <= 3; n++)
      if (n != 2 || cases[i][1])
        wh_buf_printf(&rows, "{\"z\":\"%s\",\"n\":%d}\n", n == 2 ? cases[i][1] : ok, n);
    wh_buf_add_char(&text, 0), wh_buf_add_char(&rows, 0);
    run.given = &zoned;
    if (cases[i][1])
      check_rows_every_way(text.data, rows.data);
    else if (CHECK_OK(codec_run_read(&run, wh_str_of(text.data), &test_err)))
      CHECK_STR(wh_buf_str(&run.rows), wh_str_of(rows.data));
    CHECK_EQ(run.rejects.len > 0, cases[i][1] == NULL);
  }
  wh_buf_free(&text);
  wh_buf_free(&rows);
  end();
}

TEST(given_columns_are_found_by_name) {
  begin();
  run.given = &given;
  check_rows("note,id\nx,5\n", "{\"id\":5,\"price\":null,\"at\":null,\"note\":\"x\"}\n");
  check_fails("note,price\nx,5\n", WH_ERR_DATA, "the file has no column 'id'");
  check_fails("note,id,other\nx,5,6\n", WH_ERR_DATA, "a column 'other' (the 3. of 3)");
  wh_csv_read_options o = rfc;
  o.header = WH_CSV_HEADER_NO;
  run.options = &o;
  check_rows("5,1,,x\n", "{\"id\":5,\"price\":\"1.00\",\"at\":null,\"note\":\"x\"}\n");
  check_fails("5,1\n", WH_ERR_DATA, "the file has no column 'id'");
  end();
}

// `rows` of "1,x", then one more.
static void long_text(wh_buf *out, size_t rows, const char *last) {
  wh_buf_add_c(out, "n,s\n");
  for (size_t i = 0; i < rows; i++)
    wh_buf_add_c(out, "1,some text that is repeated\n");
  wh_buf_add_c(out, last);
}

TEST(a_value_beyond_the_sample_widens) {
  begin();
  static const char *const cases[][2] = {
      {"2.5,x\n", "n: float64?, s: string?"},
      {"2.5,x\n9007199254740993,x\n", "n: decimal(38,1)?, s: string?"},
      {"007,x\n2.5,x\n", "n: string?, s: string?"},
      {"\"\",x\n-5.25,\n1e400,\n", "n: string?, s: string?"},
      {"99999999999999999999,x\n1,2,3\n", "n: decimal(38,0)?, s: string?"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    WH_CLEAN_BUF wh_buf text, schema;
    wh_buf_init(&text, &test_mem, 0);
    wh_buf_init(&schema, &test_mem, 0);
    long_text(&text, WH_CSV_SAMPLE_ROWS * 4, cases[i][0]);
    CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_WIDEN);
    CHECK_EQ(test_err.place.line, WH_CSV_SAMPLE_ROWS * 4 + 2 + (i == 3));
    codec_write_schema(&run.wider, &schema);
    CHECK_STR(wh_buf_str(&schema), wh_str_of(cases[i][1]));
    run.given = &run.wider;
    run.may_widen = true;
    CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
    CHECK_EQ(run.reject_count, i == 4);
    run.given = NULL;
    run.may_widen = false;
  }
  end();
}

TEST(a_new_column_widens_a_pinned_schema) {
  begin();
  run.given = &given;
  run.may_widen = true;
  CHECK_FAILS(codec_run_read(&run, WH_STR("id,extra\n1,2.5\n2,3\n"), &test_err), WH_ERR_WIDEN);
  CHECK_ERROR_HAS("a column 'extra'");
  WH_CLEAN_BUF wh_buf schema;
  wh_buf_init(&schema, &test_mem, 0);
  codec_write_schema(&run.wider, &schema);
  CHECK_STR(wh_buf_str(&schema), WH_STR("id: int32, price: decimal(6,2)?, at: timestamp[ms,UTC]?, "
                                        "note: string?, extra: float64?"));
  end();
}

TEST(options_are_honoured) {
  begin();
  wh_csv_read_options o = rfc;
  run.options = &o;
  o.delimiter = WH_STR(";");
  o.decimal = WH_STR(",");
  o.thousands = WH_STR(".");
  check_rows("a;b\n1,5;1.234\n-1.234.567,25;5\n",
             "{\"a\":1.5,\"b\":1234}\n{\"a\":-1234567.25,\"b\":5}\n");
  check_schema("a;b\n1.5;12.34\n", "a: string?, b: string?");
  o = rfc;
  o.delimiter = WH_STR("||");
  o.quote = WH_STR("'");
  check_rows_every_way("a||b\n'x||y'||\"q\n|||\n",
                       "{\"a\":\"x||y\",\"b\":\"\\\"q\"}\n{\"a\":null,\"b\":\"|\"}\n");
  o = rfc;
  o.quote = WH_STR("none");
  o.delimiter = WH_STR("tab");
  check_rows("a\tb\n\"x\t5\"\n", "{\"a\":\"\\\"x\",\"b\":\"5\\\"\"}\n");
  o = rfc;
  o.escape = WH_STR("\\");
  check_rows_every_way("a,b\n\"x\\\"y\",p\\,q\n", "{\"a\":\"x\\\"y\",\"b\":\"p,q\"}\n");
  o = rfc;
  o.comment = WH_STR("#");
  check_rows_every_way("# it's a \"file\na,b\n#\n1,\"#2\"\n# end", "{\"a\":1,\"b\":\"#2\"}\n");
  o = rfc;
  o.preamble = 2;
  o.footer = 2;
  check_rows_every_way("Report, \"of\r\nall\r\na,b\r\n1,2\r\n3,4\r\nTotal,4,6\r\nend",
                       "{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n");
  o = rfc;
  o.trim = true;
  check_rows_every_way("a , b\n 1 , \"x \" \n2,  y z\t\n",
                       "{\"a\":1,\"b\":\"x \"}\n{\"a\":2,\"b\":\"y z\"}\n");
  o = rfc;
  wh_str nulls[] = {WH_STR("NA"), WH_STR("-999"), WH_STR("\\N")};
  o.nulls = (wh_str_list){nulls, 3};
  check_rows("a,b,c\nNA,-999,\\N\n1,5,NA\n2,6,\"NA\"\n",
             "{\"a\":null,\"b\":null,\"c\":null}\n{\"a\":1,\"b\":5,\"c\":null}\n{\"a\":2,\"b\":6,"
             "\"c\":\"NA\"}\n");
  o = rfc;
  o.text = true;
  check_rows("a,b\n1,007\n", "{\"a\":\"1\",\"b\":\"007\"}\n");
  o = rfc;
  o.encoding = WH_CSV_LATIN1;
  check_rows_every_way("n\xE4me,b\nStra\xDF"
                       "e,\xFF\n",
                       "{\"n\xC3\xA4me\":\"Stra\xC3\x9F"
                       "e\",\"b\":\"\xC3\xBF\"}\n");
  end();
}

TEST(options_that_contradict_are_refused) {
  begin();
  wh_csv_read_options o = rfc;
  run.options = &o;
  o.delimiter = WH_STR("a\"");
  check_fails("a\n", WH_ERR_USAGE, "delimiter");
  o = rfc;
  o.quote = WH_STR("''");
  check_fails("a\n", WH_ERR_USAGE, "quote: '''' is not one ASCII character or none");
  o = rfc;
  o.thousands = WH_STR(".");
  check_fails("a\n", WH_ERR_USAGE, "another character than decimal");
  end();
}

TEST(rows_have_places) {
  begin();
  run.places = true;
  check_rows("a,b\n1,\"x\ny\"\n\n2,z\n",
             "@1:2:1:4 {\"a\":1,\"b\":\"x\\ny\"}\n@2:5:1:13 {\"a\":2,\"b\":\"z\"}\n");
  check_rejects("a,b\n1\n1,2\n3\n4,5\n",
                "@2:3:1:6 {\"a\":1,\"b\":2}\n@4:5:1:12 {\"a\":4,\"b\":5}\n",
                "fields  @1:2:1:4 has 1 field, the header has 2: 1\n"
                "fields  @3:4:1:10 has 1 field, the header has 2: 3\n");
  end();
}

TEST(a_row_too_large_is_an_error) {
  begin();
  run.row_limit = 4096;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_add_c(&text, "a,b\n1,2\n\"");
  for (int i = 0; i < 1000; i++)
    wh_buf_add_c(&text, "abcdefgh\n");
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("row 2 is larger than 4096 bytes, an eighth of memory (line 3, byte 8); perhaps");
  run.row_limit = 1 << 20;
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_DATA);
  wh_buf_add_c(&text, "\",3\n");
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK_EQ(run.row_count, 2);
  end();
}

TEST(tables_may_be_wide) {
  begin();
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int row = 0; row < 30; row++)
    for (int i = 0; i < 10000; i++)
      wh_buf_printf(&text, "%s%d%s", row ? "" : "c", i * row, i == 9999 ? "\n" : ",");
  run.quiet = true;
  REQUIRE_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK_EQ(run.row_count, 29);
  CHECK_EQ(run.reject_count, 0);
  end();
}

static void out_of_memory(const char *text, const wh_csv_read_options *o) {
  begin();
  run.options = o;
  for (size_t n = 1;; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = codec_run_read(&run, wh_str_of(text), &test_err);
    atomic_store(&test_mem.fail_at, 0);
    if (status == WH_OK) break;
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
  }
  end();
}

static void utf16(const char *text, bool big, wh_buf *out) {
  wh_buf_add(out, big ? "\xFE\xFF" : "\xFF\xFE", 2);
  for (const char *p = text; *p; p++) {
    wh_buf_add_char(out, big ? 0 : *p);
    wh_buf_add_char(out, big ? *p : 0);
  }
}

TEST(utf16_has_the_places_of_its_bytes) {
  begin();
  run.options = NULL;
  run.places = true;
  for (int big = 0; big < 2; big++) {
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    utf16("name,n\nx,1\ny\nz,3\nzz,44\n", big, &text);
    if (!CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err))) continue;
    CHECK_STR(wh_buf_str(&run.rows), WH_STR("@1:2:1:16 {\"name\":\"x\",\"n\":1}\n"
                                            "@3:4:1:28 {\"name\":\"z\",\"n\":3}\n"
                                            "@4:5:1:36 {\"name\":\"zz\",\"n\":44}\n"));
    CHECK_STR(wh_buf_str(&run.rejects),
              WH_STR("fields  @2:3:1:24 has 1 field, the header has 2: y\n"));
  }
  end();
}

TEST(without_memory_is_an_error) {
  out_of_memory("a,b,c,d\n1,x,2026-11-21,\"q\"\"q\"\n,\"y\",,z\n1,2\n3,4,2026-01-01,\n", &rfc);
  wh_csv_read_options o = rfc;
  o.trim = true;
  o.encoding = WH_CSV_LATIN1;
  out_of_memory("a,b,\xE4\n1, x,true\n 2,\"y\xE4\",false\n", &o);
}
