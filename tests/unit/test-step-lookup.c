// lookup, and the tables it holds.
#include "test.h"

#include "nodes.h"
#include "step_check.h"

#include "step/dry.h"

#define COUNTRIES    "code: string?, name: string?, region: int32?"
#define COUNTRY_ROWS "GB|United Kingdom|1\nDE|Germany|2\n~|Nowhere|3\nXX|~|4\n"

static void check_with(const char *yaml, const char *table, const char *table_rows,
                       const char *fields, const char *rows, step_expected want) {
  test_reference reference;
  test_reference_init(&reference, table, table_rows);
  step_check(yaml, &reference, fields, rows, want);
  test_reference_free(&reference);
}

static void check_countries(const char *yaml, const char *rows, step_expected want) {
  check_with(yaml, COUNTRIES, COUNTRY_ROWS, "n: int64, country: string?", rows, want);
}

static void check_refused(const char *yaml, const char *error) {
  test_reference reference;
  test_reference_init(&reference, COUNTRIES, COUNTRY_ROWS);
  step_check_refused(yaml, &reference, "n: int64, country: string?", error);
  test_reference_free(&reference);
}

#define FROM "lookup: { from: \"lake:c.csv\", "

// --- rows ----------------------------------------------------------------------------------------

TEST(lookup_takes_columns_of_the_row_that_matches) {
  check_countries(
      FROM "on: { country: code }, take: { land: name, region: region } }",
      "1|DE\n2|GB\n3|DE\n4|XX\n",
      (step_expected){.schema = "n: int64, country: string?, land: string?, region: int32?",
                      .rows = "1|DE|Germany|2\n2|GB|United Kingdom|1\n3|DE|Germany|2\n"
                              "4|XX|~|4\n"});
  // In the place of what is there, even of the key.
  check_countries(FROM "on: { country: code }, take: { country: name, n: code } }", "1|DE\n2|GB\n",
                  (step_expected){.schema = "n: string?, country: string?",
                                  .rows = "DE|Germany\nGB|United Kingdom\n"});
}

TEST(lookup_without_a_match_does_as_missing_says) {
  const char *rows = "1|DE\n2|FR\n3|~\n4|de\n5|GB\n";
  check_countries(FROM "on: { country: code }, take: { land: name } }", rows,
                  (step_expected){.rows = "1|DE|Germany\n5|GB|United Kingdom\n",
                                  .rejects =
                                      "lookup country row 2: no row of lake:c.csv has code 'FR'\n"
                                      "lookup country row 3: no row of lake:c.csv has code NULL\n"
                                      "lookup country row 4: no row of lake:c.csv has code "
                                      "'de'\n"});
  check_countries(
      FROM "on: { country: code }, take: { land: name }, missing: null }", rows,
      (step_expected){.rows = "1|DE|Germany\n2|FR|~\n3|~|~\n4|de|~\n5|GB|United Kingdom\n"});
  check_countries(FROM "on: { country: code }, take: { land: name }, missing: drop }", rows,
                  (step_expected){.rows = "1|DE|Germany\n5|GB|United Kingdom\n", .filtered = 3});
}

TEST(lookup_gives_null_only_where_it_can) {
  const char *table = "code: int64, name: string", *rows = "1|Open\n";
  check_with(FROM "on: { s: code }, take: { status: name } }", table, rows, "s: int64", "1\n",
             (step_expected){.schema = "s: int64, status: string", .rows = "1|Open\n"});
  check_with(FROM "on: { s: code }, take: { status: name }, missing: null }", table, rows,
             "s: int64", "1\n2\n",
             (step_expected){.schema = "s: int64, status: string?", .rows = "1|Open\n2|~\n"});
}

TEST(lookup_by_several_keys_needs_all_of_them) {
  check_with(
      FROM "on: { a: x, b: y }, take: { v: v } }", "x: string, y: string, v: int64",
      "ab|c|1\na|bc|2\na|c|3\n", "a: string?, b: string?", "a|bc\nab|c\na|c\nab|bc\n~|c\na|~\n",
      (step_expected){.rows = "a|bc|2\nab|c|1\na|c|3\n",
                      .rejects = "lookup a row 4: no row of lake:c.csv has x 'ab', y 'bc'\n"
                                 "lookup a row 5: no row of lake:c.csv has x NULL, y 'c'\n"
                                 "lookup a row 6: no row of lake:c.csv has x 'a', y NULL\n"});
}

// What is no value of the table's type, exactly, is in no row of it.
TEST(lookup_compares_numbers_by_their_values) {
  const char *yaml = FROM "on: { k: code }, take: { v: v }, missing: null }";
  check_with(yaml, "code: int32, v: int64", "1|10\n-2|20\n", "k: int64", "1\n-2\n5000000000\n",
             (step_expected){.rows = "1|10\n-2|20\n5000000000|~\n"});
  check_with(yaml, "code: int64, v: int64", "1|10\n0|20\n", "k: float64", "1\n1.5\n-0\nNaN\n",
             (step_expected){.rows = "1|10\n1.5|~\n-0|20\nNaN|~\n"});
  check_with(yaml, "code: decimal(6,2), v: int64", "1.50|10\n2|20\n", "k: decimal(9,3)",
             "1.500\n1.501\n2.000\n", (step_expected){.rows = "1.500|10\n1.501|~\n2.000|20\n"});
  check_with(yaml, "code: timestamp[s], v: int64", "2026-11-21T08:55:00|1\n", "k: timestamp[us]",
             "2026-11-21T08:55:00\n2026-11-21T08:55:00.5\n",
             (step_expected){.rows = "2026-11-21T08:55:00|1\n2026-11-21T08:55:00.5|~\n"});
  check_with(yaml, "code: bool, v: int64", "true|1\n", "k: bool?", "true\nfalse\n~\n",
             (step_expected){.rows = "true|1\nfalse|~\n~|~\n"});
  check_with(yaml, "code: date, v: int64", "2026-11-21|1\n", "k: date", "2026-11-21\n2026-11-22\n",
             (step_expected){.rows = "2026-11-21|1\n2026-11-22|~\n"});
}

TEST(lookup_in_a_table_without_keys_finds_nothing) {
  const char *yaml = FROM "on: { k: code }, take: { v: v }, missing: null }";
  check_with(yaml, "code: string, v: int64", "", "k: string", "a\n",
             (step_expected){.rows = "a|~\n"});
  check_with(yaml, "code: null, v: null", "~|~\n", "k: string", "a\n",
             (step_expected){.rows = "a|~\n"});
  check_with(yaml, "code: string, v: int64", "a|1\n", "k: null", "~\n",
             (step_expected){.rows = "~|~\n"});
}

TEST(lookup_lets_rows_that_are_gone_pass) {
  check_with(FROM "on: { k: code }, take: { v: v } }", "code: string, v: int64", "a|1\n",
             "k: string, s: string?, _wherry_deleted: bool?", "a|x|~\nb|~|true\na|~|true\nc|y|~\n",
             (step_expected){.rows = "a|x|~|1\nb|~|true|~\na|~|true|1\n",
                             .rejects = "lookup k row 4: no row of lake:c.csv has code 'c'\n"});
  // Nor are they rows of the table.
  check_with(FROM "on: { k: code }, take: { v: v } }",
             "code: string, v: int64, _wherry_deleted: bool?", "a|1|~\nb|2|true\na|3|true\n",
             "k: string", "a\nb\n",
             (step_expected){.rows = "a|1\n",
                             .rejects = "lookup k row 2: no row of lake:c.csv has code 'b'\n"});
}

TEST(lookup_agrees_with_a_model_of_many_keys) {
  enum { KEYS = 3000 };
  WH_CLEAN_BUF wh_buf table;
  WH_CLEAN_BUF wh_buf rows;
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&table, &test_mem, 0);
  wh_buf_init(&rows, &test_mem, 0);
  wh_buf_init(&want, &test_mem, 0);
  for (unsigned i = 0; i < KEYS; i++)
    if (i % 3) wh_buf_printf(&table, "key-%u|%u\n", i, i * 7);
  for (unsigned n = 0; n < 500; n++) {
    unsigned key = (unsigned)test_random_below(KEYS);
    wh_buf_printf(&rows, "key-%u\n", key);
    if (key % 3)
      wh_buf_printf(&want, "key-%u|%u\n", key, key * 7);
    else
      wh_buf_printf(&want, "key-%u|~\n", key);
  }
  check_with(FROM "on: { k: code }, take: { v: v }, missing: null }", "code: string, v: int64",
             table.data, "k: string", rows.data, (step_expected){.rows = want.data});
}

// --- the class of what is taken ------------------------------------------------------------------

TEST(lookup_hands_the_class_of_its_key_on) {
  test_reference reference;
  test_reference_init(&reference, COUNTRIES, COUNTRY_ROWS);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_step_context context;
  test_context_init(&context, 0);
  context.tables = &reference.tables;
  test_table table;
  test_table_init(&table, "country: string");
  test_table_add(&table, "FR\n");
  wh_field field = table.schema.fields[0];
  field.privacy = WH_PERSONAL;
  const wh_schema schema = {1, &field};
  wh_step *step = NULL;
  REQUIRE_OK(step_bind(&context, &arena, FROM "on: { country: code }, take: { land: name } }",
                       &schema, &step));
  CHECK_EQ(step->schema->fields[1].privacy, WH_PERSONAL);
  test_run run;
  CHECK_OK(test_run_step(&run, step, &table, 1, &test_err));
  CHECK_STR(wh_buf_str(&run.rejects),
            WH_STR("lookup country row 1: no row of lake:c.csv has code the value\n"));
  test_run_free(&run);
  wh_step_close(step);
  test_context_free(&context);
  test_table_free(&table);
  test_reference_free(&reference);
}

// --- the table -----------------------------------------------------------------------------------

TEST(lookup_reads_its_table_once_whoever_binds) {
  test_reference reference;
  test_reference_init(&reference, COUNTRIES, COUNTRY_ROWS);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_step_context context;
  test_context_init(&context, 0);
  context.tables = &reference.tables;
  test_table table;
  test_table_init(&table, "country: string");
  const wh_step_type *type = NULL;
  const wh_node *options = NULL;
  const char *yaml = FROM "on: { country: code }, take: { a: name, b: name, c: code } }";
  REQUIRE_OK(wh_step_read(test_nodes(&arena, yaml), &type, &options, &test_err));
  wh_step *lanes[3];
  for (size_t i = 0; i < 3; i++)
    REQUIRE_OK(type->bind(&context, options, &table.schema, &lanes[i], &test_err));
  CHECK_EQ(reference.opened, 1);
  CHECK_EQ(reference.columns, 2);
  size_t bytes = reference.tables.bytes;
  CHECK(bytes > 0);
  for (size_t i = 0; i < 3; i++)
    wh_step_close(lanes[i]);
  CHECK_EQ(reference.tables.bytes, bytes);
  test_context_free(&context);
  test_table_free(&table);
  test_reference_free(&reference);
}

TEST(lookup_refuses_a_key_that_is_there_twice) {
  test_reference reference;
  test_reference_init(&reference, "a: string?, b: int64",
                      "x|1\n~|2\n~|2\ny|3\nx|2\nsecret|4\nsecret|4\n");
  step_check_refused(FROM "on: { k: a }, take: { v: b } }", &reference, "k: string, l: int64",
                     "test.yaml:1:17: lookup: lake:c.csv: row 5 has the same a as row 1. Each must "
                     "be there once");
  step_check_refused(
      FROM "on: { k: a, l: b }, take: { v: b } }", &reference, "k: string, l: int64",
      "test.yaml:1:17: lookup: lake:c.csv: row 7 has the same key as row 6. Each must "
      "be there once");
  test_reference_free(&reference);
}

TEST(lookup_refuses_a_table_that_it_cannot_hold) {
  test_reference reference;
  test_reference_init(&reference, COUNTRIES, COUNTRY_ROWS);
  reference.tables.limit_bytes = 64;
  const char *yaml = FROM "on: { country: code }, take: { land: name } }";
  step_check_refused(
      yaml, &reference, "country: string",
      "test.yaml:1:17: lookup: lake:c.csv is too large to be held: tables of steps "
      "take at most 0 KiB together, an eighth of `memory`. Raise memory, or load the "
      "table and join it where the rows go");
  reference.tables.limit_bytes = 1 << 20;
  reference.rejects = 1;
  step_check_refused(
      yaml, &reference, "country: string",
      "test.yaml:1:17: lookup: lake:c.csv: row 5 cannot be read (type, column code)");
  // What is wrong with the table is no word on what the run reads.
  static const wh_status final[] = {WH_ERR_DATA, WH_ERR_LIMIT, WH_ERR_WIDEN, WH_ERR_TYPE};
  for (size_t i = 0; i < 4; i++) {
    reference.fails = final[i];
    step_check_refused(yaml, &reference, "country: string",
                       "test.yaml:1:17: lookup: lake:c.csv: it broke");
  }
  step_check_refused(
      "lookup: { from: \"lake:gone.csv\", on: { country: code }, take: { a: name } }", &reference,
      "country: string", "test.yaml:1:17: lookup: lake:gone.csv: no object");
  test_reference_free(&reference);
}

TEST(lookup_refuses_columns_and_types) {
  check_refused(FROM "on: { cuntry: code }, take: { land: name } }",
                "test.yaml:1:37: lookup: no column 'cuntry' at this point. Did you mean "
                "'country'?");
  check_refused(FROM "on: { country: cod }, take: { land: name } }",
                "test.yaml:1:46: lookup: lake:c.csv has no column 'cod'. Did you mean 'code'?");
  check_refused(FROM "on: { country: code }, take: { land: xylophone } }",
                "test.yaml:1:68: lookup: lake:c.csv has no column 'xylophone'");
  check_refused(FROM "on: { n: code }, take: { land: name } }",
                "test.yaml:1:37: lookup: n is int64, and code of lake:c.csv is text. Make them the "
                "same with a cast in front");
  test_reference reference;
  test_reference_init(&reference, "at: timestamp, l: list<int64>", "");
  step_check_refused(FROM "on: { t: at }, take: { l: l } }", &reference, "t: timestamp[us]",
                     "test.yaml:1:37: lookup: t is timestamp without zone, and at of lake:c.csv is "
                     "timestamp. Make them the same with a cast in front");
  test_reference_free(&reference);
  test_reference_init(&reference, "at: timestamp, l: list<int64>", "");
  step_check_refused(FROM "on: { l: l }, take: { t: at } }", &reference, "l: list<int64>",
                     "test.yaml:1:40: lookup: 'l' of lake:c.csv holds lists, which are no keys");
  test_reference_free(&reference);
}

TEST(lookup_refuses_words) {
  check_refused("lookup: [a]",
                "test.yaml:1:9: lookup: expected a map with from, on and take, found a list");
  check_refused(FROM "onn: { country: code }, take: { land: name } }",
                "test.yaml:1:31: lookup has no word 'onn'. Did you mean 'on'?");
  check_refused("lookup: { on: { country: code }, take: { land: name } }",
                "test.yaml:1:9: lookup: needs from: connection:table");
  check_refused(FROM "take: { land: name } }",
                "test.yaml:1:9: lookup: needs on: { column: column of the table, ... }");
  check_refused(FROM "on: { country: code } }",
                "test.yaml:1:9: lookup: needs take: { new column: column of the table, ... }");
  check_refused(FROM "on: { country: [code] }, take: { land: name } }",
                "test.yaml:1:46: lookup: expected the name of a column of the table, found a list");
  check_refused(FROM "on: { country: code }, take: { land: name }, missing: rejct }",
                "test.yaml:1:85: lookup: missing has no word 'rejct'. Did you mean 'reject'?");
  check_refused(FROM "on: { country: code }, take: { land: name }, missing: [drop] }",
                "test.yaml:1:85: lookup: missing is one of reject, null, drop");
}

// Without data: the words alone, and what is taken is known from there on.
TEST(lookup_is_checked_without_its_table) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_dry dry = {.mem = &test_mem, .arena = &arena};
  const char *good = FROM "on: { country: code }, take: { land: name } }";
  CHECK_OK(wh_dry_step(&dry, test_nodes(&arena, good), &test_err));
  CHECK(wh_schema_find(&dry.known, WH_STR("land")) >= 0);
  test_err = (wh_error){0};
  CHECK_FAILS(wh_dry_step(&dry, test_nodes(&arena, FROM "on: { country: code } }"), &test_err),
              WH_ERR_USAGE);
  const wh_node *from = wh_step_reads(test_nodes(&arena, good));
  REQUIRE(from);
  CHECK_STR(from->text, WH_STR("lake:c.csv"));
  CHECK(!wh_step_reads(test_nodes(&arena, "trim: [a]")));
  CHECK(!wh_step_reads(test_nodes(&arena, "[a]")));
}

TEST(lookup_without_memory) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_reference reference;
  test_reference_init(&reference, "code: int32?, b: string, name: string?",
                      "1|x|one\n2|y|~\n~|z|none\n3|x|three\n");
  test_table table;
  test_table_init(&table, "k: int64?, l: string");
  test_table_add(&table, "1|x\n2|y\n~|x\n3|x\n9|x\n");
  wh_step_context context;
  test_context_init(&context, 0);
  context.tables = &reference.tables;
  const wh_step_type *type = NULL;
  const wh_node *options = NULL;
  const char *yaml = FROM "on: { k: code, l: b }, take: { name: name } }";
  REQUIRE_OK(wh_step_read(test_nodes(&arena, yaml), &type, &options, &test_err));
  size_t before = atomic_load(&test_mem.used), n = 1;
  for (;; n++) {
    wh_step *step = NULL;
    test_run run = {0};
    test_err = (wh_error){0};
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_status status = type->bind(&context, options, &table.schema, &step, &test_err);
    if (status == WH_OK) status = test_run_step(&run, step, &table, 3, &test_err);
    test_mem.fail_at = 0;
    test_run_free(&run);
    wh_step_close(step);
    wh_keyed_tables_free(&reference.tables);
    CHECK_EQ(atomic_load(&test_mem.used), before);
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    REQUIRE(n < 2000);
  }
  CHECK(n > 20);
  test_context_free(&context);
  test_table_free(&table);
  test_reference_free(&reference);
}
