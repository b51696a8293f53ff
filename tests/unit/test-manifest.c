// Manifests and receipts: every field comes back, nothing that is wrong gets through.
#include "ledger/manifest.h"
#include "ledger/receipt.h"
#include "test.h"

#include <jansson.h>

#define S(text) wh_str_of(text)

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
    {WH_STR_INIT("OrderNumber"), {.kind = WH_STRING}, false, WH_PUBLIC},
    {WH_STR_INIT("Gr\xC3\xB6\xC3\x9F"
                 "e \"x\"\n"),
     {.kind = WH_DECIMAL, .precision = 12, .scale = 2},
     true,
     WH_PERSONAL},
};

static wh_manifest example(void) {
  return (wh_manifest){
      .key = S("inbound/orders-01jd.json"),
      .pipeline = S("export-orders"),
      .run = S("01jd3v00000000000000000000"),
      .codec = S("json"),
      .sha256 = S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      .newest_by = S("UpdatedAt"),
      .order = 1795251600000001,
      .epoch = 3,
      .rows = 100000,
      .bytes = 14200000,
      .row_hash = 0xFEDCBA9876543210,
      .created_us = 1795251600123000,
      .schema = {2, FIELDS},
      .cursor_from = S("2026-11-21T08:00:00Z"),
      .cursor_to = S("2026-11-21T09:00:00Z"),
      .has_cursor = true,
      .cursor_last = {.type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_NS, .zoned = true},
                      .as.i = 1795251600123456789},
  };
}

static void check_same(const wh_manifest *got, const wh_manifest *want) {
  CHECK_STR(got->key, want->key);
  CHECK_STR(got->pipeline, want->pipeline);
  CHECK_STR(got->run, want->run);
  CHECK_STR(got->codec, want->codec);
  CHECK_STR(got->sha256, want->sha256);
  CHECK_STR(got->newest_by, want->newest_by);
  CHECK_STR(got->cursor_from, want->cursor_from);
  CHECK_STR(got->cursor_to, want->cursor_to);
  CHECK_EQ(got->order, want->order);
  CHECK_EQ(got->epoch, want->epoch);
  CHECK_EQ(got->rows, want->rows);
  CHECK_EQ(got->bytes, want->bytes);
  CHECK_EQ(got->row_hash, want->row_hash);
  CHECK_EQ(got->created_us, want->created_us);
  CHECK(wh_schema_eq(&got->schema, &want->schema));
  CHECK_EQ(got->has_cursor, want->has_cursor);
  if (!want->has_cursor) return;
  CHECK(wh_type_eq(&got->cursor_last.type, &want->cursor_last.type));
  CHECK_EQ(wh_value_compare(&got->cursor_last, &want->cursor_last), 0);
}

TEST(a_manifest_is_as_its_form_says) {
  begin();
  wh_manifest m = example();
  CHECK(wh_manifest_write(&m, &buf));
  CHECK_STR(
      wh_buf_str(&buf),
      S("{\"manifest\":1,\"key\":\"inbound/orders-01jd.json\",\"pipeline\":\"export-orders\","
        "\"run\":\"01jd3v00000000000000000000\",\"codec\":\"json\",\"order\":1795251600000001,"
        "\"epoch\":3,\"created\":\"2026-11-21T09:00:00.123Z\",\"sha256\":"
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
        "\"bytes\":14200000,\"rows\":100000,\"row_hash\":\"fedcba9876543210\","
        "\"newest_by\":\"UpdatedAt\",\"cursor\":{\"from\":\"2026-11-21T08:00:00Z\","
        "\"to\":\"2026-11-21T09:00:00Z\",\"type\":\"timestamp[ns,UTC]\","
        "\"last\":\"2026-11-21T09:00:00.123456789Z\"},\"schema\":[{\"name\":\"OrderNumber\","
        "\"type\":\"string\",\"nullable\":false,\"class\":\"public\"},{\"name\":"
        "\"Gr\xC3\xB6\xC3\x9F"
        "e \\\"x\\\"\\n\",\"type\":\"decimal(12,2)\",\"nullable\":true,"
        "\"class\":\"personal\"}]}\n"));
  end();
}

TEST(every_field_of_a_manifest_comes_back) {
  begin();
  wh_manifest examples[6] = {example(), example(), example(), example(), example(), example()};
  examples[1].has_cursor = false;
  examples[1].newest_by = (wh_str){0};
  examples[2].has_cursor = false;
  examples[2].cursor_from = examples[2].cursor_to = (wh_str){0};
  examples[2].schema = (wh_schema){0};
  examples[3].cursor_last =
      (wh_value){.type = {.kind = WH_INT64, .unit = WH_UNIT_US}, .is_null = true};
  examples[3].cursor_from = (wh_str){0};
  examples[4].rows = examples[4].bytes = INT64_MAX;
  examples[4].row_hash = 0;
  examples[4].order = WH_ORDER_MAX;
  examples[4].epoch = WH_EPOCH_MAX;
  examples[5].cursor_last =
      (wh_value){.type = wh_type_of(WH_STRING), .as.s = WH_STR_INIT("nul \0 and \xF0\x9F\x9A\xA3")};
  examples[5].cursor_last.type.unit = WH_UNIT_S;
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    wh_buf_clear(&buf);
    CHECK(wh_manifest_write(&examples[i], &buf));
    wh_manifest got;
    CHECK_OK(wh_manifest_parse(wh_buf_str(&buf), &arena, &got, &test_err));
    check_same(&got, &examples[i]);
    CHECK(i == 2 || got.schema.fields[1].privacy == WH_PERSONAL);
  }
  end();
}

// The example with one member replaced (or removed, when `value` is NULL).
static wh_status parse_with(const char *name, const char *value) {
  wh_manifest m = example();
  wh_buf_clear(&buf);
  CHECK(wh_manifest_write(&m, &buf));
  json_t *root = json_loadb(buf.data, buf.len, 0, NULL);
  if (value)
    json_object_set_new(root, name, json_loads(value, JSON_DECODE_ANY, NULL));
  else
    json_object_del(root, name);
  char *text = json_dumps(root, 0);
  wh_manifest got = {.order = -5};
  test_err = (wh_error){0};
  wh_status status = wh_manifest_parse(S(text), &arena, &got, &test_err);
  if (status != WH_OK) CHECK_EQ(got.order, -5); // untouched
  free(text);
  json_decref(root);
  return status;
}

TEST(a_wrong_member_is_named) {
  begin();
  static const struct {
    const char *name, *value, *says;
  } cases[] = {
      {"manifest", NULL, "this is no manifest"},
      {"manifest", "0", "this is no manifest"},
      {"manifest", "\"1\"", "this is no manifest"},
      {"key", NULL, "the manifest's 'key' is missing"},
      {"key", "5", "the manifest's 'key' is not a text"},
      {"key", "\"\"", "the manifest's 'key' is not a text"},
      {"run", "null", "'run' is not a text"},
      {"order", "1.5", "'order' is not a number that it can have"},
      {"order", "-1", "'order' is not a number that it can have"},
      {"order", "9223372036854775807", "'order' is not a number that it can have"},
      {"epoch", "\"3\"", "'epoch' is not a number that it can have"},
      {"created", "\"2026-11-21T09:00:00\"", "'created' is not an instant"},
      {"created", "\"2026-13-21T09:00:00Z\"", "'created' is not an instant"},
      {"sha256", "\"E3b0\"", "'sha256' is not 64 hex digits"},
      {"row_hash", "12", "'row_hash' is not 16 hex digits"},
      {"row_hash", "\"FEDCBA9876543210\"", "'row_hash' is not 16 hex digits"},
      {"rows", NULL, "'rows' is missing"},
      {"cursor", "[]", "'cursor' is not an object"},
      {"cursor", "{\"type\": \"int64\"}", "without a 'last'"},
      {"cursor", "{\"type\": \"int64\", \"last\": 5}", "without a 'last'"},
      {"cursor", "{\"type\": \"int64\", \"last\": \"5x\"}", "the manifest's cursor: "},
      {"cursor", "{\"type\": \"int65\", \"last\": \"5\"}", "the manifest's cursor: "},
      {"schema", NULL, "'schema' is missing"},
      {"schema", "{}", "the schema is not a list"},
      {"schema", "[5]", "column 1 of the schema is not an object"},
      {"schema", "[{\"type\": \"string\"}]", "column 1 of the schema has no name"},
      {"schema", "[{\"name\": \"a\", \"type\": \"strin\"}]", "column 1 of the schema: "},
      {"schema", "[{\"name\": \"a\", \"type\": \"string\", \"class\": \"x\"}]", "class"},
      {"schema", "[{\"name\": \"a\", \"type\": \"string\", \"nullable\": 1}]", "nullable"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK_EQ(parse_with(cases[i].name, cases[i].value), WH_ERR_DATA);
    CHECK_ERROR_HAS(cases[i].says);
    CHECK_EQ(test_err.status, WH_ERR_DATA);
  }
  CHECK_EQ(parse_with("manifest", "2"), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("a newer wherry wrote this manifest (version 2; this one knows 1)");
  CHECK_EQ(parse_with("later", "{\"any\": [1, 2]}"), WH_OK);
  CHECK_EQ(parse_with("cursor", "{\"later\": 1}"), WH_OK);
  end();
}

TEST(what_is_not_json_has_a_place) {
  begin();
  wh_manifest got;
  CHECK_FAILS(wh_manifest_parse(S("{\"a\": 1,\n \"b\": }"), &arena, &got, &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("the manifest is not JSON: ");
  CHECK_EQ(test_err.place.line, 2);
  static const char *const bad[] = {"",
                                    "[]",
                                    "{} {}",
                                    "{\"manifest\":1,\"manifest\":1}",
                                    "{\"manifest\":99999999999999999999}",
                                    "{\"key\":\"\xFF\"}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    CHECK_FAILS(wh_manifest_parse(S(bad[i]), &arena, &got, &test_err), WH_ERR_DATA);
  char *large = calloc(1, WH_MANIFEST_BYTES_MAX + 1);
  CHECK_FAILS(
      wh_manifest_parse(wh_str_n(large, WH_MANIFEST_BYTES_MAX + 1), &arena, &got, &test_err),
      WH_ERR_LIMIT);
  free(large);
  CHECK_STR(wh_manifest_key(S("a/b.json"), &arena), S("_wherry/manifests/a/b.json.json"));
  end();
}

TEST(manifests_without_memory) {
  begin();
  wh_manifest m = example();
  CHECK(wh_manifest_write(&m, &buf));
  wh_str text = wh_arena_str(&arena, wh_buf_str(&buf));
  wh_status status = WH_ERR_MEMORY;
  size_t n = 0;
  while (status == WH_ERR_MEMORY && ++n < 1000) {
    wh_arena small;
    wh_buf out;
    wh_arena_init(&small, &test_mem);
    wh_buf_init(&out, &test_mem, 0);
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_manifest got;
    status = wh_manifest_parse(text, &small, &got, &test_err);
    if (status == WH_OK && !wh_manifest_write(&m, &out)) status = WH_ERR_MEMORY;
    if (status == WH_OK) CHECK_STR(wh_buf_str(&out), text);
    atomic_store(&test_mem.fail_at, 0);
    wh_arena_free(&small);
    wh_buf_free(&out);
  }
  CHECK_EQ(status, WH_OK);
  CHECK(n > 3);
  end();
}

// --- receipts
// --------------------------------------------------------------------------------------

static wh_run a_run(void) {
  return (wh_run){.id = S("01jd3v00000000000000000000"),
                  .pipeline = S("export-orders"),
                  .order = 1795251600000000,
                  .epoch = 3,
                  .state = WH_RUN_DONE,
                  .started_us = 1795251600000000,
                  .finished_us = 1795251600312345,
                  .counts = {100000, 99000, 500, 1, 487, 12},
                  .bytes_read = 21000000,
                  .bytes_written = 14200000,
                  .row_hash = 0xFEDCBA9876543210,
                  .output = S("lake:inbound/x.json"),
                  .sha256 = S("e3b0"),
                  .cursor_to = S("2026-11-21T09:00:00Z")};
}

TEST(counts_add_up_or_not) {
  wh_counts c = {10, 1, 2, 3, 4, 0};
  CHECK(wh_counts_add_up(&c));
  c.quarantined = 1;
  CHECK(!wh_counts_add_up(&c));
  // 2^64 + 10 is not 10.
  c = (wh_counts){10, UINT64_MAX, 11, 0, 0, 0};
  CHECK(!wh_counts_add_up(&c));
  CHECK(wh_counts_add_up(&(wh_counts){0}));
  CHECK(wh_counts_add_up(&(wh_counts){UINT64_MAX, UINT64_MAX, 0, 0, 0, 0}));
}

TEST(a_receipt_as_json) {
  begin();
  wh_run run = a_run();
  CHECK(wh_receipt_write_json(&run, &buf));
  CHECK_STR(wh_buf_str(&buf),
            S("{\"run\":\"01jd3v00000000000000000000\",\"pipeline\":\"export-orders\","
              "\"status\":\"done\",\"started\":\"2026-11-21T09:00:00Z\","
              "\"finished\":\"2026-11-21T09:00:00.312345Z\",\"seconds\":0.312345,"
              "\"order\":1795251600000000,\"epoch\":3,\"rows_read\":100000,"
              "\"rows_written\":99000,\"rows_unchanged\":500,\"rows_superseded\":1,"
              "\"rows_filtered\":487,\"rows_quarantined\":12,\"rows_deleted\":0,\"adds_up\":true,"
              "\"bytes_read\":21000000,\"bytes_written\":14200000,"
              "\"row_hash\":\"fedcba9876543210\",\"output\":\"lake:inbound/x.json\","
              "\"sha256\":\"e3b0\",\"cursor_to\":\"2026-11-21T09:00:00Z\",\"partial\":false}"));
  wh_buf_clear(&buf);
  run.finished_us = 0;
  run.state = WH_RUN_RUNNING;
  run.counts.read++;
  run.object = S("lake:\"x\"");
  run.partial = true;
  CHECK(wh_receipt_write_json(&run, &buf));
  json_t *root = json_loadb(buf.data, buf.len, 0, NULL);
  CHECK(json_is_null(json_object_get(root, "seconds")));
  CHECK(json_is_false(json_object_get(root, "adds_up")));
  CHECK(json_is_true(json_object_get(root, "partial")));
  CHECK(!json_object_get(root, "finished"));
  CHECK_STR(S(json_string_value(json_object_get(root, "object"))), S("lake:\"x\""));
  json_decref(root);
  end();
}

TEST(a_receipt_for_people) {
  begin();
  wh_run run = a_run();
  CHECK(wh_receipt_write_text(&run, &buf));
  CHECK_STR(wh_buf_str(&buf), S("export-orders   run 01jd3v00000000000000000000   done\n"
                                "  started       2026-11-21T09:00:00Z, took 0.312345 s\n"
                                "  output        lake:inbound/x.json\n"
                                "  read                100,000 rows\n"
                                "  written              99,000 rows\n"
                                "  unchanged               500 rows, there already\n"
                                "  superseded                1 row, older than what is there\n"
                                "  filtered                487 rows, dropped by a step\n"
                                "  quarantined              12 rows, kept with their reasons\n"
                                "  adds up       yes: what was read is all accounted for\n"
                                "  bytes         21,000,000 read, 14,200,000 written\n"
                                "  row hash      fedcba9876543210\n"
                                "  sha256        e3b0\n"
                                "  cursor        to 2026-11-21T09:00:00Z\n"
                                "  order         1795251600000000\n"));
  wh_buf_clear(&buf);
  run.counts.written--;
  run.state = WH_RUN_FAILED;
  run.error = S("the disk was full");
  CHECK(wh_receipt_write_text(&run, &buf));
  CHECK(strstr(buf.data, "adds up       NO"));
  CHECK(strstr(buf.data, "error         the disk was full\n"));
  end();
}

TEST(run_states_have_names) {
  for (wh_run_state s = WH_RUN_RUNNING; s <= WH_RUN_FAILED; s++) {
    wh_run_state back;
    CHECK(wh_run_state_parse(S(wh_run_state_name(s)), &back) && back == s);
  }
  wh_run_state back;
  CHECK(!wh_run_state_parse(S("finished"), &back));
}
