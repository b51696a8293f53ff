// The parts of the JSON codec by themselves, the corpora, and what is written is read back.
#include "codec-run.h"
#include "codec/json/json.h"
#include "codec/json/number.h"
#include "codec/json/scan.h"
#include "data/format.h"
#include "data/rowhash.h"
#include "data/temporal.h"
#include "data/value.h"
#include "test.h"

#include <dirent.h>
#include <float.h>
#include <math.h>

// --- Scan ----------------------------------------------------------------------------------------

static void random_json_bytes(char *data, size_t len) {
  static const char pool[] =
      "{}[]:,\"\"\"\\\\\n\t\r "
      "abcXYZ019.-+eE\x01\x1F\x20\x7F\x80\xC3\xFF\x5B\x7B\x3B\x1B\x5D\x7D\x02\x22\x2C\x3A\x1A\x0C";
  for (size_t i = 0; i < len; i++)
    data[i] = test_random_below(4) ? pool[test_random_below(sizeof pool - 1)]
                                   : (char)test_random_below(256);
}

TEST(classifiers_agree) {
  enum { BLOCKS = 40 };
  static char data[BLOCKS * JSON_BLOCK_BYTES];
  static json_masks plain[BLOCKS], other[BLOCKS];
  for (int round = 0; round < 200; round++) {
    random_json_bytes(data, sizeof data);
    json_classify_portable(data, BLOCKS, plain);
    for (size_t i = 0; i < sizeof data; i++) {
      unsigned char c = (unsigned char)data[i];
      const json_masks *m = &plain[i / 64];
      unsigned bit = i % 64;
      CHECK_EQ(m->quote >> bit & 1, c == '"');
      CHECK_EQ(m->backslash >> bit & 1, c == '\\');
      CHECK_EQ(m->newline >> bit & 1, c == '\n');
      CHECK_EQ(m->structure >> bit & 1, c && strchr("{}[]:,", c) != NULL);
      CHECK_EQ(m->odd >> bit & 1, c < 0x20 || c >= 0x80);
    }
#ifdef __x86_64__
    json_classify_sse2(data, BLOCKS, other);
    CHECK(memcmp(plain, other, sizeof plain) == 0);
    if (!__builtin_cpu_supports("avx2")) continue;
    json_classify_avx2(data, BLOCKS, other);
    CHECK(memcmp(plain, other, sizeof plain) == 0);
#endif
  }
}

// One byte after the other, as the words in scan.h say.
static uint32_t scan_slowly(const char *data, size_t len, bool lines, uint32_t *positions) {
  uint32_t n = 0;
  bool in_string = false, escaped = false;
  for (size_t i = 0; i < len; i++) {
    char c = data[i];
    bool was_escaped = escaped;
    escaped = c == '\\' && !was_escaped;
    if (lines && c == '\n') {
      positions[n++] = (uint32_t)i;
      if (in_string) in_string = escaped = false;
      continue;
    }
    if (c == '"' && !was_escaped) {
      positions[n++] = (uint32_t)i;
      in_string = !in_string;
    } else if (!in_string && c && strchr("{}[]:,", c)) {
      positions[n++] = (uint32_t)i;
    }
  }
  return n;
}

TEST(scan_finds_the_structure) {
  enum { LEN = 3 * JSON_SLICE_BYTES / 2 };
  static char data[LEN + 64];
  static uint32_t want[LEN], got[LEN + JSON_SLICE_BYTES];
  static uint64_t attention[LEN / 64 + 1], newlines[LEN / 64 + 1];
  for (int round = 0; round < 200; round++) {
    size_t len = test_random_below(LEN);
    size_t from = test_random_below(200);
    bool lines = round % 2;
    if (from > len) from = len;
    random_json_bytes(data, len);
    for (size_t i = 0; round % 3 && i < len; i++) // longer strings, too
      if (data[i] == '"' && test_random_below(8)) data[i] = 'q';
    json_scan scan;
    json_scan_init(&scan, lines);
    if (round % 5 == 0) scan.classify = json_classify_portable;
    if (round % 7 == 0) scan.fast_bits = false;
    uint32_t count = 0;
    for (size_t at = from; at < len;)
      at = json_scan_slice(&scan, data, at, len, got, &count, attention, newlines);
    uint32_t expected = scan_slowly(data + from, len - from, lines, want);
    REQUIRE(CHECK_EQ(count, expected));
    for (uint32_t i = 0; i < count; i++)
      if (got[i] != want[i] + from) REQUIRE(CHECK_EQ(got[i], want[i] + from));
  }
}

// --- Numbers -------------------------------------------------------------------------------------

static bool parse(const char *text, json_number *number) {
  return json_number_parse(text, text + strlen(text), number);
}

TEST(number_grammar) {
  static const char *const good[] = {"0",   "-0",   "10",  "0.5", "-1.25e+10",
                                     "1E5", "1e-5", "0e0", "0.0"};
  static const char *const bad[] = {"",   "-",    "+1",       "01",  "-01", ".5",
                                    "1.", "1.e5", "1e",       "1e+", "0x1", "1 ",
                                    " 1", "1_0",  "Infinity", "NaN", "--1", "1.5.2"};
  json_number n;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    CHECK(parse(good[i], &n));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (!CHECK(!parse(bad[i], &n))) test_note("%s", bad[i]);
  CHECK(parse("-12.50e3", &n));
  CHECK_EQ(n.digits, 1250);
  CHECK_EQ(n.exponent, 1);
  CHECK(n.negative && !n.integer && !n.more);
  CHECK(parse("1e99999999999999999999", &n));
  CHECK_EQ(n.exponent, JSON_EXPONENT_MAX);
}

TEST(fast_doubles_are_exact) {
  char text[64];
  for (int i = 0; i < 40000; i++) {
    uint64_t digits = test_random() >> test_random_below(64);
    int n = snprintf(text, sizeof text, "%s%llu%s%lluE%d", i & 1 ? "-" : "",
                     (unsigned long long)(1 + digits % 1000000), i & 2 ? "." : "",
                     (unsigned long long)(digits / 1000000 % 100000000000ull),
                     (int)test_random_below(60) - 30);
    json_number number;
    double fast, slow;
    if (!CHECK(json_number_parse(text, text + n, &number))) continue;
    if (!json_number_fast_f64(&number, &fast)) continue;
    CHECK(wh_str_to_f64(wh_str_n(text, (size_t)n), &slow));
    if (!CHECK(memcmp(&fast, &slow, sizeof fast) == 0)) test_note("%s", text);
  }
}

static bool survives(const char *text) {
  json_number n;
  double value;
  return parse(text, &n) && wh_str_to_f64(wh_str_of(text), &value) &&
         json_number_survives_f64(wh_str_of(text), &n, value);
}

TEST(what_survives_a_double) {
  CHECK(survives("0.1"));
  CHECK(survives("123456789.012345"));
  CHECK(survives("0.30000000000000004"));
  CHECK(survives("1.7976931348623157e308"));
  CHECK(survives("5e-324"));
  CHECK(survives("1e22"));
  CHECK(survives("100000000000000000000.0"));
  CHECK(survives("0.000"));
  CHECK(survives("-51.507350912345"));
  CHECK(!survives("0.1234567890123456789"));
  CHECK(!survives("9007199254740993.0"));
  CHECK(!survives("4.9e-324"));
  CHECK(!survives("1e-400"));
  CHECK(!survives("0.3000000000000000444"));
  CHECK(!survives("123456789012345678.0"));
}

static double random_double(void) {
  switch (test_random_below(5)) {
  case 0:
    return (double)(int64_t)test_random() / 100;
  case 1:
    return (double)(int64_t)test_random_below(100000000) / 1000;
  case 2:
    return (double)(int32_t)test_random();
  case 3:
    return ldexp((double)test_random(), -(int)test_random_below(1100));
  default: {
    uint64_t bits = test_random();
    double value;
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 0;
  }
  }
}

TEST(doubles_are_written_and_read_back) {
  static const double special[] = {0.0,  -0.0,    5e-324,     DBL_MIN, DBL_MAX,         -DBL_MAX,
                                   1e15, 1e16,    1e21,       1e22,    0x1p53,          0x1p63,
                                   0.1,  1.0 / 3, 123456.789, 1e-7,    99999999999999.9};
  char text[WH_FORMAT_F64_MAX];
  for (int i = 0; i < 20000; i++) {
    double value = (size_t)i < sizeof special / sizeof *special ? special[i] : random_double();
    size_t n = wh_format_f64(value, text);
    double back;
    json_number number;
    CHECK(n < sizeof text && json_number_parse(text, text + n, &number));
    CHECK(!number.integer);
    CHECK(wh_str_to_f64(wh_str_n(text, n), &back));
    if (!CHECK(memcmp(&back, &value, sizeof value) == 0))
      test_note("%.17g: %.*s", value, (int)n, text);
    // Not longer than what printf needs.
    char shortest[40];
    int digits = 1;
    double again;
    do
      snprintf(shortest, sizeof shortest, "%.*e", digits - 1, value);
    while (++digits <= 17 && (!wh_str_to_f64(wh_str_of(shortest), &again) || again != value));
    wh_number a, b;
    CHECK(wh_number_parse(wh_str_n(text, n), &a) && wh_number_parse(wh_str_of(shortest), &b));
    if (!CHECK(a.digits <= 99999999999999999 && a.digits / 10 <= b.digits))
      test_note("%s %.*s", shortest, (int)n, text);
  }
}

TEST(floats_are_written_and_read_back) {
  char text[WH_FORMAT_F64_MAX];
  for (int i = 0; i < 20000; i++) {
    uint32_t bits = (uint32_t)test_random();
    float value, back;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    size_t n = wh_format_f32(value, text);
    CHECK(wh_f32_parse(wh_str_n(text, n), &back));
    if (!CHECK(memcmp(&back, &value, sizeof value) == 0)) test_note("%.*s", (int)n, text);
  }
}

static void check_decimal(__int128 value, int scale, const char *want) {
  char text[WH_FORMAT_DECIMAL_MAX];
  size_t n = wh_format_decimal(value, scale, text);
  CHECK_STR(wh_str_n(text, n), wh_str_of(want));
}

TEST(decimals_are_written) {
  __int128 most = wh_pow10(38) - 1;
  check_decimal(0, 0, "0");
  check_decimal(0, 2, "0.00");
  check_decimal(-5, 2, "-0.05");
  check_decimal(12345, 2, "123.45");
  check_decimal(-most, 0, "-99999999999999999999999999999999999999");
  check_decimal(-most, 38, "-0.99999999999999999999999999999999999999");
  check_decimal(most, 1, "9999999999999999999999999999999999999.9");
  check_decimal(wh_pow10(19), 0, "10000000000000000000");
  check_decimal(wh_pow10(20) + 7, 3, "100000000000000000.007");
  check_decimal((__int128)UINT64_MAX + 1, 0, "18446744073709551616");
}

// --- The corpora ---------------------------------------------------------------------------------

static wh_status validate(wh_str text) {
  dribble_input in;
  dribble_input_init(&in, text, 0);
  return wh_json_validate(&test_mem, &in.bytes.base, 4 << 20, &test_err);
}

TEST(depth_of_documents) {
  char text[2 * WH_JSON_DEPTH_MAX + 3];
  for (int depth = WH_JSON_DEPTH_MAX; depth <= WH_JSON_DEPTH_MAX + 1; depth++) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    wh_status status = validate(wh_str_n(text, 2 * (size_t)depth));
    CHECK_EQ(status, depth <= WH_JSON_DEPTH_MAX ? WH_OK : WH_ERR_DATA);
  }
  CHECK_ERROR_HAS("nested more than 512 deep");
}

static const char *corpus_folder(char *path, size_t size) {
  const char *shared = getenv("WHERRY_SHARED");
  static const char *const places[] = {"/../shared", "/../../shared"};
  for (int i = -1; i < 2; i++) {
    if (i < 0 && !shared) continue;
    snprintf(path, size, "%s%s/corpora/json/test_parsing", i < 0 ? shared : test_root(),
             i < 0 ? "" : places[i]);
    DIR *dir = opendir(path);
    if (!dir) continue;
    closedir(dir);
    return path;
  }
  return NULL;
}

static size_t read_file(const char *folder, const char *name, char *data, size_t cap) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "rb");
  if (!f) return 0;
  size_t n = fread(data, 1, cap, f);
  fclose(f);
  return n;
}

static void check_document(const char *name, wh_str text) {
  wh_status status = validate(text);
  bool right = name[0] == 'y' ? status == WH_OK : name[0] == 'n' ? status == WH_ERR_DATA : true;
  if (!CHECK(right)) test_note("%s: %s", name, wh_status_name(status));
  if (name[0] == 'n') CHECK(test_err.text[0] && test_err.place.line);
  // The readers take the same bytes as whatever they are.
  for (int lines = 0; lines < 2; lines++) {
    codec_run run;
    codec_run_init(&run, &test_mem, lines ? &wh_codec_ndjson : &wh_codec_json);
    wh_status ended = codec_run_read(&run, text, &test_err);
    CHECK(ended == WH_OK || ended == WH_ERR_DATA);
    if (name[0] == 'n' && !lines) CHECK(ended == WH_ERR_DATA || run.reject_count > 0);
    codec_run_free(&run);
  }
}

TEST(json_test_suite) {
  char path[512];
  const char *folder = corpus_folder(path, sizeof path);
  if (!folder) SKIP("shared/corpora/json is not there");
  enum { FILE_MAX = 1 << 20 };
  static char data[FILE_MAX];
  DIR *dir = opendir(folder);
  REQUIRE(dir != NULL);
  int files = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (!wh_str_ends(wh_str_of(entry->d_name), ".json")) continue;
    check_document(entry->d_name, wh_str_n(data, read_file(folder, entry->d_name, data, FILE_MAX)));
    files++;
  }
  closedir(dir);
  CHECK(files > 300);
}

// --- Writing -------------------------------------------------------------------------------------

static const wh_field text_fields[] = {
    {.name = WH_STR_INIT("a\"\n"), .type = {.kind = WH_STRING}},
    {.name = WH_STR_INIT("\u00e9"), .type = {.kind = WH_INT64}, .nullable = true}};
static const wh_schema text_schema = {2, text_fields};

TEST(what_is_written) {
  wh_batch batch;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &text_schema, &test_err));
  CHECK_OK(codec_run_write(&test_mem, &wh_codec_json, &batch, &out, &test_err));
  CHECK_STR(wh_buf_str(&out), WH_STR("[]\n"));
  wh_buf_clear(&out);
  CHECK_OK(codec_run_write(&test_mem, &wh_codec_ndjson, &batch, &out, &test_err));
  CHECK_STR(wh_buf_str(&out), WH_STR(""));
  CHECK_OK(wh_column_add_text(&batch.columns[0], WH_STR("x\x01\b\f\n\r\t\x1F\"\\/\x7F\u20ac"),
                              &test_err));
  CHECK_OK(wh_column_add_null(&batch.columns[1], &test_err));
  wh_batch_row_end(&batch);
  CHECK_OK(wh_column_add_text(&batch.columns[0], WH_STR(""), &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[1], INT64_MIN, &test_err));
  wh_batch_row_end(&batch);
  CHECK_OK(codec_run_write(&test_mem, &wh_codec_json, &batch, &out, &test_err));
  CHECK_STR(wh_buf_str(&out), WH_STR("[\n{\"a\\\"\\n\":\"x\\u0001\\b\\f\\n\\r\\t\\u001f\\\"\\\\/"
                                     "\x7F\u20ac\",\"\u00e9\":null},\n"
                                     "{\"a\\\"\\n\":\"\",\"\u00e9\":-9223372036854775808}\n]\n"));
  wh_buf_clear(&out);
  CHECK_OK(codec_run_write(&test_mem, &wh_codec_ndjson, &batch, &out, &test_err));
  CHECK_STR(wh_str_sub(wh_buf_str(&out), out.len - 39, out.len),
            WH_STR("{\"a\\\"\\n\":\"\",\"\u00e9\":-9223372036854775808}\n"));
  wh_batch_free(&batch);
}

static wh_status full_disk(wh_output *out, const void *data, size_t len, wh_error *err) {
  (void)out, (void)data, (void)len;
  return wh_fail(err, WH_ERR_NO_SPACE, "full");
}

static const wh_field far_fields[] = {
    {.name = WH_STR_INIT("t"), .type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_S}}};
static const wh_schema far_schema = {1, far_fields};

TEST(a_timestamp_that_no_text_has) {
  wh_batch batch;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &far_schema, &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[0], INT64_MAX, &test_err));
  wh_batch_row_end(&batch);
  CHECK_FAILS(codec_run_write(&test_mem, &wh_codec_json, &batch, &out, &test_err), WH_ERR_TYPE);
  CHECK_ERROR_HAS("too far from now to be written");
  wh_batch_free(&batch);
}

TEST(a_failing_output_ends_writing) {
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &text_schema, &test_err));
  for (int i = 0; i < 3000; i++) {
    char big[200];
    memset(big, i % 2 ? '"' : 'b', sizeof big);
    CHECK_OK(wh_column_add_text(&batch.columns[0], wh_str_n(big, sizeof big), &test_err));
    CHECK_OK(wh_column_add_null(&batch.columns[1], &test_err));
    wh_batch_row_end(&batch);
  }
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20};
  wh_output out = {.write = full_disk};
  wh_writer *writer;
  REQUIRE_OK(wh_codec_json.open_writer(&context, &out, NULL, &text_schema, &writer, &test_err));
  CHECK_FAILS(writer->write(writer, &batch, &test_err), WH_ERR_NO_SPACE);
  wh_writer_close(writer);
  wh_batch_free(&batch);
}

// --- Written and read ----------------------------------------------------------------------------

static wh_type random_type(wh_arena *arena, int depth);

static wh_field *random_fields(wh_arena *arena, size_t count, int depth) {
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  if (!fields) abort();
  for (size_t i = 0; i < count; i++) {
    static const char *const names[] = {"id", "name \"q\"", "\u00e9t\u00e9", "back\\slash", ""};
    fields[i] = (wh_field){.name = wh_arena_printf(arena, "%s%zu", names[test_random_below(5)], i),
                           .type = random_type(arena, depth),
                           .nullable = test_random_below(3) > 0};
    if (fields[i].type.kind == WH_NULL) fields[i].nullable = true;
  }
  return fields;
}

static wh_type random_type(wh_arena *arena, int depth) {
  wh_type type = wh_type_of((wh_kind)test_random_below(depth > 2 ? WH_LIST : WH_STRUCT + 1));
  if (type.kind == WH_DECIMAL) {
    type.precision = (uint8_t)(1 + test_random_below(38));
    type.scale = (uint8_t)test_random_below(type.precision + 1u);
  }
  type.unit = (wh_unit)test_random_below(4);
  if (type.kind != WH_TIME && type.kind != WH_TIMESTAMP) type.unit = WH_UNIT_US;
  if (type.kind == WH_TIMESTAMP) type.zoned = test_random_below(2);
  if (type.kind == WH_LIST || type.kind == WH_STRUCT) {
    type.field_count = type.kind == WH_LIST ? 1 : 1 + (uint32_t)test_random_below(3);
    wh_field *fields = random_fields(arena, type.field_count, depth + 1);
    if (type.kind == WH_LIST) fields[0].name = WH_STR("item");
    type.fields = fields;
  }
  return type;
}

static __int128 random_decimal(int precision) {
  unsigned __int128 value = (unsigned __int128)test_random() << 64 | test_random();
  __int128 below = wh_pow10(1 + (int)test_random_below((uint64_t)precision));
  value %= (unsigned __int128)below;
  return test_random_below(2) ? (__int128)value : -(__int128)value;
}

static wh_str random_text(char *data, size_t cap, bool binary) {
  static const char *const pieces[] = {
      "a",      "bcdefghijklmnop", "\"", "\\", "\n", "\x01", "\u00e9",
      "\u20ac", "\U0001F600",      " ",  "{",  "]",  ",",    "\x7F",
      "/"};
  size_t n = test_random_below(50) ? test_random_below(40) : test_random_below(cap - 20), len = 0;
  while (len < n) {
    if (binary) {
      data[len++] = (char)test_random();
    } else if (test_random_below(20) == 0) {
      data[len++] = 0;
    } else {
      const char *piece = pieces[test_random_below(15)];
      memcpy(data + len, piece, strlen(piece));
      len += strlen(piece);
    }
  }
  return wh_str_n(data, len);
}

static void add_random(wh_column *c, bool nullable);

static void add_random_nested(wh_column *c) {
  if (c->type.kind == WH_STRUCT) {
    for (uint32_t i = 0; i < c->type.field_count; i++)
      add_random(&c->children[i], c->type.fields[i].nullable);
    CHECK_OK(wh_column_add_struct(c, &test_err));
    return;
  }
  CHECK_OK(wh_column_reserve(c, 1, 0, &test_err));
  for (uint64_t n = test_random_below(4); n; n--)
    add_random(&c->children[0], c->type.fields[0].nullable);
  CHECK_OK(wh_column_add_list(c, &test_err));
}

static double random_float(void) {
  switch (test_random_below(8)) {
  case 0:
    return NAN;
  case 1:
    return INFINITY;
  case 2:
    return -INFINITY;
  default:
    return random_double();
  }
}

static int64_t random_int(const wh_type *type) {
  __int128 least = INT64_MIN, most = INT64_MAX;
  if (wh_kind_is_int(type->kind)) wh_int_range(type->kind, &least, &most);
  if (type->kind == WH_DATE) least = INT32_MIN, most = INT32_MAX;
  if (type->kind == WH_TIMESTAMP && type->unit < WH_UNIT_US) least /= 1000000, most /= 1000000;
  if (type->kind == WH_TIME) least = 0, most = 86400 * wh_unit_per_second(type->unit) - 1;
  switch (test_random_below(6)) {
  case 0:
    return (int64_t)least;
  case 1:
    return (int64_t)most;
  case 2:
    return (int64_t)(least > 0 ? least : most < 100 ? 0 : (__int128)test_random_below(100));
  default:
    return (int64_t)(least + (__int128)((unsigned __int128)test_random() %
                                        (unsigned __int128)(most - least + 1)));
  }
}

static void add_random(wh_column *c, bool nullable) {
  char data[3000];
  if (c->type.kind == WH_NULL || (nullable && test_random_below(5) == 0)) {
    CHECK_OK(wh_column_add_null(c, &test_err));
    return;
  }
  switch (c->type.kind) {
  case WH_BOOL:
    CHECK_OK(wh_column_add_bool(c, test_random_below(2), &test_err));
    break;
  case WH_UINT64:
    CHECK_OK(wh_column_add_u64(c, test_random() >> test_random_below(64), &test_err));
    break;
  case WH_FLOAT32:
    CHECK_OK(wh_column_add_f64(c, (double)(float)random_float(), &test_err));
    break;
  case WH_FLOAT64:
    CHECK_OK(wh_column_add_f64(c, random_float(), &test_err));
    break;
  case WH_DECIMAL:
    CHECK_OK(wh_column_add_decimal(c, random_decimal(c->type.precision), &test_err));
    break;
  case WH_STRING:
  case WH_BINARY:
    CHECK_OK(wh_column_add_text(c, random_text(data, sizeof data, c->type.kind == WH_BINARY),
                                &test_err));
    break;
  case WH_LIST:
  case WH_STRUCT:
    add_random_nested(c);
    break;
  default:
    CHECK_OK(wh_column_add_i64(c, random_int(&c->type), &test_err));
  }
}

static bool same_rows(const wh_batch *batch, const codec_run *run) {
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &test_mem, 0);
  for (size_t row = 0; row < batch->rows; row++) {
    wh_buf_add_char(&want, '{');
    for (size_t i = 0; i < batch->schema->count; i++) {
      if (i) wh_buf_add_char(&want, ',');
      wh_buf_add_json(&want, batch->schema->fields[i].name);
      wh_buf_add_char(&want, ':');
      wh_column_write_json(&batch->columns[i], row, &want);
    }
    wh_buf_add_c(&want, "}\n");
  }
  return wh_str_eq(wh_buf_str(&want), wh_buf_str(&run->rows));
}

static void round_trip(const wh_batch *batch, const wh_codec_type *codec) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  REQUIRE_OK(codec_run_write(&test_mem, codec, batch, &text, &test_err));
  codec_run run;
  codec_run_init(&run, &test_mem, codec);
  run.given = batch->schema;
  if (CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err))) {
    CHECK_EQ(run.row_count, batch->rows);
    if (!CHECK_EQ(run.reject_count, 0)) test_note("%.300s", run.rejects.data);
    CHECK_EQ(run.sum, wh_batch_hash_sum(batch));
    CHECK(same_rows(batch, &run));
  }
  codec_run_free(&run);
  if (codec != &wh_codec_json) return;
  dribble_input in;
  dribble_input_init(&in, wh_buf_str(&text), 0);
  CHECK_OK(wh_json_validate(&test_mem, &in.bytes.base, 64 << 20, &test_err));
}

TEST(rows_of_every_type_survive) {
  int rounds = test_is_long() ? 20000 : 300;
  for (int round = 0; round < rounds; round++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    size_t count = test_random_below(8);
    wh_schema schema = {.count = count, .fields = random_fields(&arena, count, 0)};
    wh_batch batch;
    REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
    for (uint64_t rows = test_random_below(60); rows; rows--) {
      for (size_t i = 0; i < count; i++)
        add_random(&batch.columns[i], schema.fields[i].nullable);
      wh_batch_row_end(&batch);
    }
    round_trip(&batch, round % 2 ? &wh_codec_json : &wh_codec_ndjson);
    wh_batch_free(&batch);
  }
}

TEST(every_allocation_of_a_writer_fails) {
  wh_mem outside;
  wh_mem_init(&outside, 0);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &outside);
  wh_type type;
  REQUIRE_OK(wh_type_parse(WH_STR("struct<a: string, b: binary, l: list<struct<d: date>>>"), &arena,
                           &type, &test_err));
  wh_schema schema = {.count = type.field_count, .fields = type.fields};
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &outside, &schema, &test_err));
  for (int row = 0; row < 3; row++) {
    CHECK_OK(wh_column_add_text(&batch.columns[0], WH_STR("text"), &test_err));
    CHECK_OK(wh_column_add_text(&batch.columns[1], WH_STR("\x01\x02"), &test_err));
    CHECK_OK(wh_column_add_i64(&batch.columns[2].children[0].children[0], INT32_MAX, &test_err));
    CHECK_OK(wh_column_add_struct(&batch.columns[2].children[0], &test_err));
    CHECK_OK(wh_column_reserve(&batch.columns[2], 1, 0, &test_err));
    CHECK_OK(wh_column_add_list(&batch.columns[2], &test_err));
    wh_batch_row_end(&batch);
  }
  bool done = false;
  size_t n = 1;
  for (; !done && n < 1000; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    WH_CLEAN_BUF wh_buf out;
    wh_buf_init(&out, &test_mem, 0);
    wh_status status = codec_run_write(&test_mem, &wh_codec_json, &batch, &out, &test_err);
    done = atomic_load(&test_mem.failed) == 0;
    atomic_store(&test_mem.fail_at, 0);
    atomic_store(&test_mem.failed, 0);
    CHECK_EQ(status, done ? WH_OK : WH_ERR_MEMORY);
  }
  CHECK(n > 4);
  wh_batch_free(&batch);
}
