// The index of a dataset: every field comes back, nothing that is wrong gets through, and what a
// version's index is called.
#include "ledger/dataset.h"
#include "test.h"

#include <jansson.h>

#define S(text) wh_str_of(text)
#define SHA     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static wh_arena arena;
static wh_buf buf;

static void begin(void) {
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&buf, &test_mem, 0);
}

static void end(void) {
  wh_arena_free(&arena);
  wh_buf_free(&buf);
}

static const wh_field FIELDS[] = {
    {WH_STR_INIT("id"), {.kind = WH_INT64}, false, WH_INTERNAL},
    {WH_STR_INIT("year"), {.kind = WH_INT64}, true, WH_INTERNAL},
};
static wh_str by[] = {WH_STR_INIT("year")}, sorted[] = {WH_STR_INIT("id")};
static const wh_str in_2026[] = {WH_STR_INIT("2026")}, in_null[] = {{0}};

static wh_dataset_index example(void) {
  static wh_dataset_file files[2];
  files[0] = (wh_dataset_file){.path = S("year=2026/01jd-00001.parquet"),
                               .partition = in_2026,
                               .sorted_by = {sorted, 1},
                               .rows = 7,
                               .bytes = 100,
                               .row_hash = 0xFEDCBA9876543210,
                               .sha256 = S(SHA)};
  files[1] = (wh_dataset_file){.path = S("year=__HIVE_DEFAULT_PARTITION__/01jd-00002.parquet"),
                               .partition = in_null,
                               .rows = 1,
                               .bytes = 20,
                               .row_hash = 0x0123456789ABCDF1, // the sum runs over
                               .sha256 = S(SHA)};
  return (wh_dataset_index){.version = 12,
                            .of = 11,
                            .operation = WH_DATASET_COMPACT,
                            .run = S("01jd3v00000000000000000000"),
                            .pipeline = S("keep"),
                            .order = 1795251600000002,
                            .source_order = 1795251600000001,
                            .created_us = 1795251600123000,
                            .format = S("parquet"),
                            .partition_by = {by, 1},
                            .schema = {2, FIELDS},
                            .files = files,
                            .file_count = 2};
}

TEST(what_a_model_made_it_of_comes_back) {
  begin();
  static const wh_dataset_source_version sources[] = {
      {WH_STR_INIT("lake:warehouse/orders/"), 7, WH_STR_INIT("1234-567-89")},
      {WH_STR_INIT("lake:names/*.csv"), 0, WH_STR_INIT(SHA)},
  };
  wh_dataset_index want = example(), got;
  want.origin = (wh_dataset_origin){.model = S(SHA), .sources = sources, .count = 2};
  CHECK(wh_dataset_write(&want, &buf));
  CHECK_OK(wh_dataset_parse(wh_buf_str(&buf), &arena, &got, &test_err));
  CHECK_STR(got.origin.model, S(SHA));
  CHECK_EQ(got.origin.count, 2);
  for (size_t i = 0; i < 2 && got.origin.count == 2; i++) {
    CHECK_STR(got.origin.sources[i].address, sources[i].address);
    CHECK_EQ(got.origin.sources[i].version, sources[i].version);
    CHECK_STR(got.origin.sources[i].object, sources[i].object);
  }
  end();
}

TEST(every_field_comes_back) {
  begin();
  wh_dataset_index want = example(), got;
  CHECK(wh_dataset_write(&want, &buf));
  CHECK_OK(wh_dataset_parse(wh_buf_str(&buf), &arena, &got, &test_err));
  CHECK_EQ(got.version, 12);
  CHECK_EQ(got.of, 11);
  CHECK_EQ(got.operation, WH_DATASET_COMPACT);
  CHECK_STR(got.run, want.run);
  CHECK_STR(got.pipeline, want.pipeline);
  CHECK_EQ(got.origin.model.len, 0);
  CHECK_EQ(got.order, want.order);
  CHECK_EQ(got.source_order, want.source_order);
  CHECK_EQ(got.created_us, want.created_us);
  CHECK_STR(got.format, want.format);
  CHECK_EQ(got.partition_by.count, 1);
  CHECK(wh_schema_eq(&got.schema, &want.schema));
  CHECK_EQ(got.rows, 8);
  CHECK_EQ(got.bytes, 120);
  CHECK_EQ(got.row_hash, 1);
  CHECK_EQ(got.file_count, 2);
  CHECK_STR(got.files[0].path, want.files[0].path);
  CHECK_STR(got.files[0].partition[0], S("2026"));
  CHECK_EQ(got.files[0].sorted_by.count, 1);
  CHECK(!got.files[1].partition[0].data);
  CHECK_EQ(got.files[1].sorted_by.count, 0);
  CHECK_STR(got.files[1].sha256, S(SHA));
  end();
}

TEST(a_dataset_may_be_empty) {
  begin();
  wh_dataset_index want = example(), got;
  want.file_count = 0;
  want.partition_by = (wh_str_list){0};
  CHECK(wh_dataset_write(&want, &buf));
  CHECK_OK(wh_dataset_parse(wh_buf_str(&buf), &arena, &got, &test_err));
  CHECK_EQ(got.file_count, 0);
  CHECK_EQ(got.rows, 0);
  end();
}

// The example with one member replaced (or removed, when `value` is NULL); of its first file, where
// the name begins with a dot.
static wh_status parse_with(const char *name, const char *value) {
  wh_dataset_index index = example();
  wh_buf_clear(&buf);
  CHECK(wh_dataset_write(&index, &buf));
  json_t *root = json_loadb(buf.data, buf.len, 0, NULL);
  bool of_file = name[0] == '.';
  json_t *at = of_file ? json_array_get(json_object_get(root, "files"), 0) : root;
  if (value)
    json_object_set_new(at, name + of_file, json_loads(value, JSON_DECODE_ANY, NULL));
  else
    json_object_del(at, name + of_file);
  char *text = json_dumps(root, 0);
  wh_dataset_index got = {.version = 5};
  test_err = (wh_error){0};
  wh_status status = wh_dataset_parse(S(text), &arena, &got, &test_err);
  if (status != WH_OK) CHECK_EQ(got.version, 5); // untouched
  free(text);
  json_decref(root);
  return status;
}

TEST(a_wrong_member_is_named) {
  begin();
  static const struct {
    const char *name, *value, *says;
  } cases[] = {
      {"dataset", NULL, "this is no dataset"},
      {"version", "-1", "the dataset's index's 'version' is not a number that it can have"},
      {"operation", "\"drop\"", "'operation' is none that there is"},
      {"operation", NULL, "'operation' is missing"},
      {"run", "\"\"", "'run' is not a text"},
      {"source_order", "9223372036854775807", "'source_order' is not a number"},
      {"created", "\"yesterday\"", "'created' is not an instant"},
      {"rows", "9", "'files' is not what its rows, bytes and row_hash add up to"},
      {"bytes", "121", "add up to"},
      {"row_hash", "\"0000000000000002\"", "add up to"},
      {"schema", NULL, "'schema' is missing"},
      {"schema", "[5]", "the dataset's index: column 1"},
      {"partition_by", "[\"month\"]", "'partition_by' is not columns of its schema"},
      {"partition_by", "[null]", "'partition_by' is not a list of texts"},
      {"partition_by", "[]", "'partition' is not a value for each of partition_by"},
      {"files", "{}", "'files' is not a list"},
      {"files", "[5]", "the dataset's file's 'path' is missing"},
      {".path", "\"../other/x.parquet\"", "the dataset's file's 'path' is no key"},
      {".path", "\"/etc/passwd\"", "'path' is no key"},
      {".partition", "[\"2026\", \"11\"]", "'partition' is not a value for each"},
      {".partition", "\"2026\"", "'partition' is not a list"},
      {".sorted_by", "[1]", "'sorted_by' is not a list of texts"},
      {".sha256", "\"00\"", "'sha256' is not 64 hex digits"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK_EQ(parse_with(cases[i].name, cases[i].value), WH_ERR_DATA);
    CHECK_ERROR_HAS(cases[i].says);
  }
  CHECK_EQ(parse_with("dataset", "2"), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("a newer wherry wrote this dataset (version 2; this one knows 1)");
  CHECK_EQ(parse_with("later", "{\"any\": [1, 2]}"), WH_OK);
  CHECK_EQ(parse_with(".later", "1"), WH_OK);
  end();
}

TEST(a_dataset_with_too_many_files_is_refused) {
  begin();
  json_t *root, *files = json_array(), *file = json_object();
  wh_dataset_index index = example(), got;
  CHECK(wh_dataset_write(&index, &buf));
  root = json_loadb(buf.data, buf.len, 0, NULL);
  for (int i = 0; i <= WH_DATASET_FILES_MAX; i++)
    json_array_append(files, file);
  json_object_set_new(root, "files", files);
  char *text = json_dumps(root, 0);
  CHECK_FAILS(wh_dataset_parse(S(text), &arena, &got, &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("more than 32768 files");
  free(text);
  json_decref(file);
  json_decref(root);
  end();
}

TEST(versions_have_names_in_their_order) {
  begin();
  wh_str prefix = S("mart/orders/");
  wh_str key = wh_dataset_key(prefix, 42, &arena);
  CHECK_STR(key, S("mart/orders/_versions/000000000042.json"));
  CHECK_EQ(wh_dataset_key_version(prefix, key), 42);
  static const char *const others[] = {
      "mart/orders/_versions/42.json",
      "mart/orders/_versions/00000000004x.json",
      "mart/orders/_versions/000000000042.jso",
      "mart/orders/_versions/0000000000042.json",
      "mart/orders/x_versions/00000000042.json",
      "mart/order/_versions/000000000042.json",
      "mart/orders/_current.json",
      "",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    CHECK_EQ(wh_dataset_key_version(prefix, S(others[i])), 0);
  CHECK_EQ(wh_dataset_key_version((wh_str){0}, key), 0);
  end();
}
