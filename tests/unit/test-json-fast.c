// Rows that are guessed at against the same ones read by the index alone, on every processor.
#include "base/cpu.h"
#include "codec-run.h"
#include "codec/json/fast.h"
#include "codec/json/fast_scalar.h"
#include "codec/json/json.h"
#include "test.h"

#include <stdio.h>

static const char *pick(const char *const *words, size_t count) {
  return words[test_random_below(count)];
}
#define PICK(words) pick(words, sizeof(words) / sizeof *(words))

static void add_number(wh_buf *out) {
  static const char *const odd[] = {"-0", "0.0", "-0.0", "01",     "1.",   ".5", "1e5",  "-1E-7",
                                    "+1", "1e",  "-",    "0.1e+2", "null", "00", "1.5.5"};
  uint64_t kind = test_random_below(8);
  if (kind == 0) {
    wh_buf_add_c(out, PICK(odd));
    return;
  }
  if (test_random_below(3) == 0) wh_buf_add_char(out, '-');
  size_t whole = 1 + test_random_below(kind == 1 ? 40 : 10);
  for (size_t i = 0; i < whole; i++)
    wh_buf_add_char(out, (char)('1' + test_random_below(9)));
  if (kind < 4) return;
  wh_buf_add_char(out, '.');
  size_t places = 1 + test_random_below(kind == 4 ? 30 : 4);
  for (size_t i = 0; i < places; i++)
    wh_buf_add_char(out, (char)('0' + test_random_below(10)));
}

static void add_text(wh_buf *out) {
  static const char *const odd[] = {"\\n",  "\\u00e9", "\\\"",    "\u00e9", "\U0001F600", "\\q",
                                    "\x01", "\xFF",    "\\ud800", "\\",     "\t",         "{[:,]}"};
  size_t len = test_random_below(test_random_below(4) ? 12 : 120);
  wh_buf_add_char(out, '"');
  for (size_t i = 0; i < len; i++) {
    if (test_random_below(60) == 0)
      wh_buf_add_c(out, PICK(odd));
    else
      wh_buf_add_char(out, (char)('a' + test_random_below(26)));
  }
  wh_buf_add_char(out, '"');
}

static void add_time(wh_buf *out) {
  static const char *const forms[] = {
      "2026-11-21",           "2026-11-21T08:55:00Z",      "2026-11-21T08:55:00.123456Z",
      "1969-02-28T23:59:59Z", "2026-11-22T00:00:00.5Z",    "2026-11-21T08:55:00.123",
      "2026-02-30",           "2026-11-21T24:00:00Z",      "2026-11-21 08:55:00",
      "0000-01-01",           "2026-11-21T08:55:00+01:00", "2026-11-21T08:55:00.1234567Z",
      "2026-11-21T08:55:00",  "2026-11-21T08:55Z",         "2026-11-21T08:5x:00Z"};
  wh_buf_printf(out, "\"%s\"", PICK(forms));
}

static void add_value(wh_buf *out, int kind, int depth) {
  static const char *const bools[] = {"true", "false", "true", "false", "truE", "fals"};
  if (test_random_below(15) == 0) {
    wh_buf_add_c(out, "null");
    return;
  }
  if (test_random_below(200) == 0) kind = (int)test_random_below(6);
  switch (kind) {
  case 0:
    add_number(out);
    return;
  case 1:
    add_text(out);
    return;
  case 2:
    add_time(out);
    return;
  case 3:
    wh_buf_add_c(out, PICK(bools));
    return;
  case 4:
    wh_buf_add_char(out, '[');
    for (size_t i = test_random_below(4), first = i; depth < 4 && i; i--) {
      if (i != first) wh_buf_add_c(out, test_random_below(9) ? "," : ", ");
      add_value(out, 0, depth + 1);
    }
    wh_buf_add_char(out, ']');
    return;
  default:
    wh_buf_add_c(out, "{\"x\":");
    add_value(out, 0, depth + 1);
    wh_buf_add_c(out, test_random_below(5) ? ",\"y\":" : ", \"y\" : ");
    add_value(out, 1, depth + 1);
    wh_buf_add_char(out, '}');
  }
}

// Keys, most of them in the same order, some of them missing; `wide`: with spaces between.
static void add_row(wh_buf *out, bool wide, bool shuffled) {
  static const struct {
    const char *name;
    int kind;
  } keys[] = {{"id", 0},     {"name of the customer who ordered it", 1},
              {"at", 2},     {"day", 2},
              {"amount", 0}, {"price", 0},
              {"paid", 3},   {"items", 4},
              {"to", 5},     {"q\\\"q", 0},
              {"small", 0},  {"unwanted", 5}};
  enum { KEYS = sizeof keys / sizeof *keys };
  size_t first = shuffled ? test_random_below(KEYS) : 0;
  bool comma = false;
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < KEYS; i++) {
    size_t k = (first + i) % KEYS;
    if (test_random_below(40) == 0) continue;
    wh_buf_printf(out, "%s\"%s\":%s",
                  !comma ? ""
                  : wide ? ", "
                         : ",",
                  keys[k].name, wide ? " " : "");
    comma = true;
    add_value(out, keys[k].kind, 0);
  }
  wh_buf_add_char(out, '}');
}

static void make_text(wh_buf *text, bool lines) {
  bool wide = test_random_below(2), shuffled = test_random_below(4) == 0;
  size_t rows = 1 + test_random_below(200);
  wh_buf_clear(text);
  if (!lines) wh_buf_add_char(text, '[');
  for (size_t i = 0; i < rows; i++) {
    if (i) wh_buf_add_c(text, lines ? "\n" : test_random_below(3) ? ",\n" : " , ");
    if (lines && test_random_below(30) == 0) wh_buf_add_c(text, " \r\n\n");
    add_row(text, wide, shuffled && test_random_below(2));
  }
  wh_buf_add_c(text, lines ? test_random_below(2) ? "\n" : "" : "\n]");
  // And some bytes that are simply wrong; in an array they usually end everything.
  static const char wrong[] = "{}[]\",:x 0\n\\\xC3";
  for (size_t i = lines ? test_random_below(4) : test_random_below(8) == 0; i; i--)
    text->data[test_random_below(text->len)] = wrong[test_random_below(sizeof wrong - 1)];
}

static codec_run slow, fast;

static void check_same(wh_str text, const char *how) {
  json_fast_off = true;
  wh_error want = {0}, got = {0};
  wh_status status = codec_run_read(&slow, text, &want);
  json_fast_off = false;
  for (int cpu = WH_CPU_PLAIN; cpu <= WH_CPU_AVX2; cpu++) {
    wh_cpu_limit((wh_cpu)cpu);
    bool same = CHECK_EQ(codec_run_read(&fast, text, &got), status) &&
                CHECK_STR(wh_str_of(got.text), wh_str_of(want.text)) &&
                CHECK_STR(wh_buf_str(&fast.rows), wh_buf_str(&slow.rows)) &&
                CHECK_STR(wh_buf_str(&fast.rejects), wh_buf_str(&slow.rejects)) &&
                CHECK_EQ(fast.sum, slow.sum);
    if (same && status == WH_ERR_WIDEN) CHECK(wh_schema_eq(&fast.wider, &slow.wider));
    wh_cpu_limit(WH_CPU_AVX512);
    if (same) continue;
    test_note("%s: %.*s", how, (int)(text.len < 2000 ? text.len : 2000), text.data);
    return;
  }
}

static void begin(const wh_codec_type *codec) {
  codec_run_init(&slow, &test_mem, codec);
  codec_run_init(&fast, &test_mem, codec);
  slow.places = fast.places = true;
}

static void end(void) {
  codec_run_free(&slow);
  codec_run_free(&fast);
}

static const char all_types[] =
    "struct<id: int64?, \"name of the customer who ordered it\": string?, at: timestamp[us,UTC]?, "
    "day: date?, amount: decimal(12,2)?, price: float64?, paid: bool?, items: list<float64?>?, "
    "to: struct<x: int64?, y: string?>?, \"q\\\"q\": float32?, small: uint16?, "
    "unwanted: struct<x: decimal(38,10)?, y: string?>?>";
static const char other_types[] =
    "struct<id: decimal(38,0), \"name of the customer who ordered it\": string, at: "
    "timestamp[ms]?, "
    "day: timestamp[ns]?, amount: int32?, price: decimal(38,20)?, paid: bool?, items: "
    "list<decimal(9,3)?>?, to: struct<y: string?, x: float64>?, small: float64>";

static void check_random(const wh_codec_type *codec, const char *types) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&text, &test_mem, 0);
  begin(codec);
  wh_type type;
  wh_schema schema;
  if (types) {
    REQUIRE_OK(wh_type_parse(wh_str_of(types), &arena, &type, &test_err));
    schema = (wh_schema){type.field_count, type.fields};
    slow.given = fast.given = &schema;
  }
  for (int n = test_is_long() ? 20000 : 150; n && !test_failed(); n--) {
    make_text(&text, codec == &wh_codec_ndjson);
    slow.may_widen = fast.may_widen = test_random_below(3) == 0;
    slow.most = fast.most = test_random_below(2) ? 0 : 1 + test_random_below(1000);
    slow.row_limit = fast.row_limit = test_random_below(2) ? 0 : 400 + test_random_below(2000);
    check_same(wh_buf_str(&text), types ? "given" : "inferred");
  }
  end();
}

TEST(guessed_lines_are_what_the_index_says) {
  check_random(&wh_codec_ndjson, NULL);
  check_random(&wh_codec_ndjson, all_types);
  check_random(&wh_codec_ndjson, other_types);
}

TEST(guessed_rows_of_arrays_are_what_the_index_says) {
  check_random(&wh_codec_json, NULL);
  check_random(&wh_codec_json, all_types);
  check_random(&wh_codec_json, other_types);
}

TEST(what_stands_between_rows_is_looked_at) {
  static const char *const texts[] = {"[{\"a\":1}{\"a\":2}]",
                                      "[{\"a\":1},,{\"a\":2}]",
                                      "[,{\"a\":1}]",
                                      "[{\"a\":1},]",
                                      "[{\"a\":1},\n\n {\"a\":2}\n\t,\r\n{\"a\":3}]",
                                      "[{\"a\":1},{\"a\":2}",
                                      "[{\"a\":1},{\"a\":2}]]"};
  begin(&wh_codec_json);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    check_same(wh_str_of(texts[i]), "between");
  slow.codec = fast.codec = &wh_codec_ndjson;
  check_same(WH_STR("{\"a\":1}{\"a\":2}\n{\"a\":1},\n,{\"a\":1}\n{\"a\":3}  \r\n\t{\"a\":4}"),
             "lines");
  end();
}

// Digits that only a rejected row had would make the wider type larger than the rows need.
TEST(digits_of_rejected_rows_do_not_count) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&text, &test_mem, 0);
  wh_type wider;
  REQUIRE_OK(wh_type_parse(WH_STR("struct<a: decimal(38,1)?>"), &arena, &wider, &test_err));
  wh_schema want = {wider.field_count, wider.fields};
  for (int i = 0; i < WH_JSON_SAMPLE_ROWS; i++)
    wh_buf_add_c(&text, i ? ",{\"a\":1.5}" : "[{\"a\":1.5}");
  wh_buf_add_c(&text, ",{\"a\":0.123456789012,\"a\":1},{\"a\":12345678901234567.5}]");
  begin(&wh_codec_json);
  check_same(wh_buf_str(&text), "rejected");
  CHECK(wh_schema_eq(&slow.wider, &want));
  CHECK(wh_schema_eq(&fast.wider, &want));
  end();
}

// At every place of a window.
TEST(guesses_end_with_the_window) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin(&wh_codec_ndjson);
  slow.row_limit = fast.row_limit = 200;
  for (int shift = 0; shift < 130; shift++) {
    wh_buf_clear(&text);
    wh_buf_printf(&text, "{\"b\":\"%0*d\"}\n", shift, 0);
    for (int i = 0; i < 40; i++)
      wh_buf_printf(&text, "{\"a\":%d,\"b\":\"x\u00e9y\",\"c\":[1,2.25]}\n", i);
    check_same(wh_buf_str(&text), "window");
  }
  end();
}

TEST(digits_are_joined) {
  for (int n = 0; n < 100000; n++) {
    char text[64];
    uint64_t want = test_random() >> (12 + test_random_below(52)), got;
    int len = snprintf(text, sizeof text, "%" PRIu64, want);
    memset(text + len, (int)(test_random_below(2) ? ',' : 0xFF), sizeof text - (size_t)len);
    unsigned digits = json_digits16(text, &got);
    REQUIRE(CHECK_EQ(digits, len) && CHECK_EQ(got, want));
  }
}
