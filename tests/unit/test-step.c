#include "test.h"

#include "nodes.h"
#include "step_check.h"

#include "step/step.h"

static void check_step(const char *yaml, const char *fields, const char *rows, step_expected want) {
  step_check(yaml, NULL, fields, rows, want);
}

static void check_refused(const char *yaml, const char *fields, const char *error) {
  step_check_refused(yaml, NULL, fields, error);
}

#define ORDERS                                                                                     \
  "order_number: string, status: string?, status_code: int64?, quantity: string?, "                \
  "customer_name: string?, order_date: string?"

TEST(steps_are_found_by_name) {
  CHECK(wh_step_by_name(WH_STR("trim")) != NULL);
  CHECK(wh_step_by_name(WH_STR("Trim")) == NULL);
  check_refused("trimm: [status]", ORDERS,
                "test.yaml:1:1: steps has no word 'trimm'. Did you mean 'trim'?");
  check_refused("sort: [status]", ORDERS,
                "test.yaml:1:1: steps has no word 'sort'; its words are: trim, normalize, map, "
                "cast, null_if, default, filter, derive, split, flatten, lookup, dedupe");
  check_refused("trim", ORDERS,
                "test.yaml:1:1: expected one step as a map with one word, such as trim: [status]; "
                "found a single value");
  check_refused("{ trim: all, dedupe: row }", ORDERS,
                "test.yaml:1:1: expected one step as a map with one word, such as trim: [status]; "
                "found a map of several");
  check_refused("{ trim: }", ORDERS,
                "test.yaml:1:3: trim: says nothing; it is written trim: [column, ...] | all");
}

// Every example of the reference binds and runs.
TEST(step_examples_work) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_reference statuses;
  test_reference_init(&statuses, "code: int64, name: string", "1|Open\n2|Shipped\n");
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  context.tables = &statuses.tables;
  for (size_t i = 0; wh_step_types[i]; i++) {
    const wh_step_type *type = wh_step_types[i];
    CHECK(type->help && type->shape && type->help[strlen(type->help) - 1] != '.');
    CHECK(wh_step_by_name(wh_str_of(type->name)) == type);
    bool whole = strcmp(type->name, "default") == 0 || strcmp(type->name, "null_if") == 0;
    bool nested = strcmp(type->name, "flatten") == 0;
    test_table table; // quantity is a number where the example says so
    test_table_init(&table, whole    ? "order_number: string, status: string?, quantity: int64?, "
                                       "order_date: string?"
                            : nested ? "address: struct<city: string?, zip: int64?>?"
                                     : ORDERS);
    test_table_add(&table, whole    ? "a|~|~|n/a\nb|Open|-1|~\n"
                           : nested ? "~\n"
                                    : "a| Open|1|12|  X |21.11.2026\nb|~|2|13|Y|22.11.2026\n");
    wh_step *step = NULL;
    REQUIRE_OK(step_bind(&context, &arena, type->example, &table.schema, &step));
    test_run run;
    CHECK_OK(test_run_step(&run, step, &table, 1, &test_err));
    CHECK_STR(wh_buf_str(&run.rejects), WH_STR(""));
    CHECK(run.rows.len > 0);
    test_run_free(&run);
    wh_step_close(step);
    test_table_free(&table);
  }
  test_reference_free(&statuses);
  test_context_free(&context);
}

// --- trim ----------------------------------------------------------------------------------------

TEST(trim_takes_white_space_of_any_script) {
  check_step(
      "trim: [a]", "a: string?, b: string", "  x |  x \n\xC2\xA0y\xE3\x80\x80|y\n~|z\nq r|w\n",
      (step_expected){.schema = "a: string?, b: string", .rows = "x|  x \ny|y\n~|z\nq r|w\n"});
  check_step("trim: all", "a: string?, n: int64, b: string?",
             "\xEF\xBB\xBFx|1| \t\n~|2|\xE2\x80\x89z\xE2\x80\x8A\n",
             (step_expected){.rows = "x|1|\n~|2|z\n"});
  check_step("trim: a", "a: string", "clean\nalso\n", (step_expected){.rows = "clean\nalso\n"});
  // A column of another name may be called all.
  check_step("trim: [all]", "all: string, b: string", " x| y\n", (step_expected){.rows = "x| y\n"});
  check_step("trim: [n]", "n: null", "~\n", (step_expected){.rows = "~\n"});
}

TEST(trim_refuses) {
  check_refused("trim: [status, statsu]", ORDERS,
                "test.yaml:1:16: trim: no column 'statsu' at this point. Did you mean 'status'?");
  check_refused("trim: [zzz]", "a: string, b: string",
                "test.yaml:1:8: trim: no column 'zzz' at this point; there are: a, b");
  check_refused("trim: [status_code]", ORDERS,
                "test.yaml:1:8: trim: column 'status_code' is int64; only text can be trimmed");
  check_refused("trim: [{ a: b }]", ORDERS,
                "test.yaml:1:8: trim: expected the name of a column, found a map");
  check_refused("trim: [~]", ORDERS,
                "test.yaml:1:8: trim: expected the name of a column, found nothing");
}

TEST(long_lists_of_columns_are_cut) {
  check_refused("trim: [qqqq]",
                "a1: string, a2: string, a3: string, a4: string, a5: string, a6: string, "
                "a7: string, a8: string, a9: string, b1: string, b2: string, b3: string",
                "test.yaml:1:8: trim: no column 'qqqq' at this point; there are: a1, a2, a3, a4, "
                "a5, a6, a7, a8, a9, b1 and 2 more");
}

// --- map -----------------------------------------------------------------------------------------

TEST(map_turns_codes_into_words) {
  check_step("map: { c: { 1: Open, 2: Shipped } }", "c: int64?, n: string",
             "1|a\n2|b\n7|c\n~|d\n1|e\n",
             (step_expected){.schema = "c: string?, n: string",
                             .rows = "Open|a\nShipped|b\n~|d\nOpen|e\n",
                             .rejects = "map c row 3: 7 has no word in the map\n"});
  check_step("map: { c: { 1: Open, else: Unknown } }", "c: int16", "1\n2\n",
             (step_expected){.schema = "c: string", .rows = "Open\nUnknown\n"});
  check_step("map: { c: { 1: Open, else: ~ } }", "c: int64", "1\n2\n",
             (step_expected){.schema = "c: string?", .rows = "Open\n~\n"});
  check_step("map: { c: { 1: Open, ~: None } }", "c: int64?", "1\n~\n",
             (step_expected){.schema = "c: string", .rows = "Open\nNone\n"});
  check_step("map: { c: { true: Yes, false: ~ } }", "c: bool", "true\nfalse\n",
             (step_expected){.schema = "c: string?", .rows = "Yes\n~\n"});
  check_step("map: { c: { '1.50': A, 2: B } }", "c: decimal(10,2)", "1.5\n2.00\n",
             (step_expected){.rows = "A\nB\n"});
  check_step("map: { c: { 1: A, -0.0: B } }", "c: float64", "1\n0\n",
             (step_expected){.rows = "A\nB\n"});
  check_step("map: { c: { 2026-01-01: New Year } }", "c: date", "2026-01-01\n",
             (step_expected){.rows = "New Year\n"});
}

TEST(map_knows_text_by_its_bytes) {
  // Quoted, the special words are plain codes.
  check_step("map: { c: { 'else': E, 'null': N, '': empty, O: Open, o: open } }",
             "c: string, n: int64", "else|1\nnull|2\n|3\nO|4\no|5\nO |6\n",
             (step_expected){.rows = "E|1\nN|2\nempty|3\nOpen|4\nopen|5\n",
                             .rejects = "map c row 6: 'O ' has no word in the map\n"});
  check_step("map: { c: { a: 1, b: 2 }, d: { a: 3 } }", "c: string, d: string",
             "a|a\nb|a\nx|y\na|q\n",
             (step_expected){.rows = "1|3\n2|3\n",
                             .rejects = "map c row 3: 'x' has no word in the map\n"
                                        "map d row 4: 'q' has no word in the map\n"});
}

TEST(map_of_nothing_but_nulls) {
  check_step("map: { c: { 1: Open } }", "c: null", "~\n~\n",
             (step_expected){.schema = "c: string", .rows = "~\n~\n"});
}

TEST(reasons_stay_short_and_visible) {
  check_step("map: { c: { a: b } }", "c: string",
             "x\ty\x01\n"
             "0123456789012345678901234567890123456789012345678901234567890123456789\n",
             (step_expected){.rows = "",
                             .rejects =
                                 "map c row 1: 'x\\x09y\\x01' has no word in the map\n"
                                 "map c row 2: '01234567890123456789012345678901234567890123456789"
                                 "0123456789...' has no word in the map\n"});
}

TEST(map_refuses) {
  check_refused("map: [a]", ORDERS, "test.yaml:1:6: map: expected a map of columns, found a list");
  check_refused("map: { status: Open }", ORDERS,
                "test.yaml:1:16: map: expected a map of codes to words, found a single value");
  check_refused("map: { status_cod: { 1: Open } }", ORDERS,
                "test.yaml:1:8: map: no column 'status_cod' at this point. Did you mean "
                "'status_code'?");
  check_refused("map:\n  status_code:\n    1: Open\n    open: Open", ORDERS,
                "test.yaml:4:5: map: 'open' is not a whole number, and so no value of column "
                "'status_code'");
  check_refused("map: { status_code: { 1: Open, 1.0: Shut } }", ORDERS,
                "test.yaml:1:32: map: '1.0' is there twice");
  check_refused("map: { status_code: { 1: [Open] } }", ORDERS,
                "test.yaml:1:26: map: expected a word, found a list");
  check_refused("map: { l: { 1: Open } }", "l: list<int64>",
                "test.yaml:1:11: map: column 'l' holds lists, not single values");
}

// --- cast ----------------------------------------------------------------------------------------

TEST(cast_fails_rather_than_guesses) {
  check_step("cast: { q: int64, d: date }", "q: string?, d: string, n: string",
             "12|2026-11-21|a\n~|2026-11-21|b\n12x|2026-11-21|c\nx|y|d\n",
             (step_expected){.schema = "q: int64?, d: date, n: string",
                             .rows = "12|2026-11-21|a\n~|2026-11-21|b\n",
                             .rejects = "type q row 3: '12x' is not a whole number\n"
                                        "type q row 4: 'x' is not a whole number\n"});
  check_step("cast: { n: string }", "n: int64", "5\n",
             (step_expected){.schema = "n: string", .rows = "5\n"});
  check_step("cast: { n: int64 }", "n: null", "~\n",
             (step_expected){.schema = "n: int64", .rows = "~\n"});
}

TEST(cast_reads_formats_and_zones) {
  check_step("cast: { d: { type: date, format: \"%d.%m.%Y\" } }", "d: string", "21.11.2026\n",
             (step_expected){.rows = "2026-11-21\n"});
  check_step("cast: { d: { type: date, format: [\"%d.%m.%Y\", \"%Y/%m/%d\"] } }", "d: string",
             "21.11.2026\n2026/11/22\n2026-11-23\n",
             (step_expected){.rows = "2026-11-21\n2026-11-22\n2026-11-23\n"});
  check_step("cast: { t: { type: timestamp, zone: Europe/London } }", "t: string",
             "2026-07-01T12:00:00\n2026-12-01 12:00:00\n",
             (step_expected){.schema = "t: timestamp[us,UTC]",
                             .rows = "2026-07-01T11:00:00Z\n2026-12-01T12:00:00Z\n"});
}

TEST(cast_refuses) {
  check_refused("cast: { quantity: int65 }", ORDERS,
                "test.yaml:1:19: cast: 'int65' is not a type. Did you mean 'int64'?");
  check_refused(
      "cast: { quanttiy: int64 }", ORDERS,
      "test.yaml:1:9: cast: no column 'quanttiy' at this point. Did you mean 'quantity'?");
  check_refused("cast: { quantity: { typ: int64 } }", ORDERS,
                "test.yaml:1:21: cast has no word 'typ'. Did you mean 'type'?");
  check_refused("cast: { quantity: { format: \"%d\" } }", ORDERS,
                "test.yaml:1:19: cast: column 'quantity' needs a type");
  check_refused("cast: { quantity: { type: date, format: dd.mm } }", ORDERS,
                "test.yaml:1:41: cast: 'dd.mm' is no format: it has no %. A format is written like "
                "\"%d.%m.%Y\"");
  check_refused(
      "cast: { quantity: { type: timestamp, zone: Europe/Lodnon } }", ORDERS,
      "test.yaml:1:44: cast: there is no time zone 'Europe/Lodnon'. Did you mean 'Europe/London'?");
  check_refused("cast: [quantity]", ORDERS,
                "test.yaml:1:7: cast: expected a map of columns, found a list");
  check_refused("cast: { b: date }", "b: bool",
                "test.yaml:1:12: cast: column 'b' is bool, which cannot become date");
}

// --- null_if and default
// ---------------------------------------------------------------------------

TEST(null_if_makes_values_nothing) {
  check_step("null_if: { a: [\"\", n/a], q: -1 }", "a: string, q: int64, r: string",
             "x|1|p\n|-1|q\nn/a|2|r\nN/A|-1|s\n",
             (step_expected){.schema = "a: string?, q: int64?, r: string",
                             .rows = "x|1|p\n~|~|q\n~|2|r\nN/A|~|s\n"});
  check_step("null_if: { a: 0 }", "a: float64?", "0\n-0\n1\n~\n",
             (step_expected){.rows = "~\n~\n1\n~\n"});
  check_step("null_if: { a: x }", "a: string", "a\nb\n", (step_expected){.rows = "a\nb\n"});
  check_step("null_if: { a: x }", "a: null", "~\n", (step_expected){.rows = "~\n"});
  check_step("null_if: { a: NaN }", "a: float64", "NaN\n2\n", (step_expected){.rows = "~\n2\n"});
}

TEST(null_if_refuses) {
  check_refused("null_if: { status_code: n/a }", ORDERS,
                "test.yaml:1:25: null_if: 'n/a' is not a whole number, and so no value of column "
                "'status_code'");
  check_refused("null_if: { statu: x }", ORDERS,
                "test.yaml:1:12: null_if: no column 'statu' at this point. Did you mean 'status'?");
  check_refused("null_if: { status: [a, b, a] }", ORDERS,
                "test.yaml:1:27: null_if: 'a' is there twice");
  check_refused("null_if: { status: ~ }", ORDERS,
                "test.yaml:1:20: null_if: expected a value, found nothing");
}

TEST(default_fills_nulls) {
  check_step("default: { a: 7, s: \"\" }", "a: int64?, s: string?, t: string?",
             "1|~|~\n~|x|~\n~|~|y\n5|z|~\n",
             (step_expected){.schema = "a: int64, s: string, t: string?",
                             .rows = "1||~\n7|x|~\n7||y\n5|z|~\n"});
  check_step("default: { a: 7 }", "a: int64?", "1\n2\n", (step_expected){.rows = "1\n2\n"});
  check_step("default: { d: 2026-01-01, b: false, m: 0.5 }", "d: date?, b: bool?, m: decimal(5,2)?",
             "~|~|~\n", (step_expected){.rows = "2026-01-01|false|0.50\n"});
}

TEST(default_refuses) {
  check_refused("default: { status_code: some }", ORDERS,
                "test.yaml:1:25: default: 'some' is not a whole number, and so no value of column "
                "'status_code'");
  check_refused("default: { status: ~ }", ORDERS,
                "test.yaml:1:20: default: expected a value, found nothing");
  check_refused("default: { n: 1 }", "n: null",
                "test.yaml:1:15: default: column 'n' has no values, so its type is not known; give "
                "it one with a cast before");
  check_refused("default: { statuss: x }", ORDERS,
                "test.yaml:1:12: default: no column 'statuss' at this point. Did you mean "
                "'status'?");
}

// --- filter --------------------------------------------------------------------------------------

TEST(filter_keeps_what_is_true) {
  check_step(
      "filter: \"n > 1 and s != 'x'\"", "n: int64?, s: string?", "1|a\n2|b\n3|x\n~|c\n4|~\n5|d\n",
      (step_expected){.schema = "n: int64?, s: string?", .rows = "2|b\n5|d\n", .filtered = 4});
  check_step("filter: b", "b: bool?, n: int64", "true|1\nfalse|2\n~|3\n",
             (step_expected){.rows = "true|1\n", .filtered = 2});
  check_step("filter: n is null", "n: int64?", "1\n2\n",
             (step_expected){.rows = "", .filtered = 2});
  check_step("filter: n > 0", "n: int64", "1\n2\n", (step_expected){.rows = "1\n2\n"});
  check_step("filter: true", "n: int64", "1\n2\n", (step_expected){.rows = "1\n2\n"});
}

TEST(filter_rejects_rows_that_have_no_answer) {
  check_step("filter: 10 / n > 3", "n: int64?", "1\n0\n5\n~\n",
             (step_expected){.rows = "1\n",
                             .rejects = "filter  row 2: 10 / n: division by zero\n",
                             .filtered = 2});
}

// Of a row that is gone only the key is known; that it is gone has to be said all the same.
TEST(filter_lets_deletions_pass) {
  check_step("filter: s = 'x'", "id: int64, s: string?, _wherry_deleted: bool?",
             "1|x|~\n2|y|~\n3|~|true\n4|~|false\n",
             (step_expected){.rows = "1|x|~\n3|~|true\n", .filtered = 2});
}

TEST(filter_refuses) {
  check_refused("filter: n + 1", "n: int64",
                "test.yaml:1:9: filter: expected a condition, and this is int64");
  check_refused("filter: [n]", "n: bool",
                "test.yaml:1:9: filter: expected an expression, found a list");
}

// --- derive --------------------------------------------------------------------------------------

TEST(derive_adds_and_replaces_in_order) {
  check_step("derive: { full: \"a || ' ' || b\", size: length(full), a: upper(a), again: a }",
             "a: string, b: string?, n: int32", "x|y|1\nz|~|2\n",
             (step_expected){.schema =
                                 "a: string, b: string?, n: int32, full: string?, size: int64?, "
                                 "again: string",
                             .rows = "X|y|1|x y|3|X\nZ|~|2|~|~|Z\n"});
  check_step("derive: { one: 1, none: 'null', copy: n }", "n: int16", "7\n",
             (step_expected){.schema = "n: int16, one: int64, none: null?, copy: int16",
                             .rows = "7|1|~|7\n"});
}

TEST(derive_rejects_what_cannot_be_computed) {
  check_step("derive: { share: \"round(100 * n / total, 1)\", next: n + 1 }",
             "n: int64, total: int64", "1|3\n9223372036854775807|1\n1|0\n",
             (step_expected){
                 .schema = "n: int64, total: int64, share: decimal(21,1), next: int64",
                 .rows = "1|3|33.3|2\n",
                 .rejects = "derive share row 2: 100 * n: the result is out of the range of int64\n"
                            "derive share row 3: 100 * n / total: division by zero\n"});
}

TEST(derive_refuses) {
  check_refused("derive: { x: lower(n) }", "n: int64",
                "test.yaml:1:14: derive: byte 7 of the expression: lower: expected text, found "
                "int64");
  check_refused("derive: { x: y, y: n }", "n: int64",
                "test.yaml:1:14: derive: no column 'y' at this point. Did you mean 'n'?");
  check_refused("derive: { _wherry_deleted: 'true' }", "n: int64",
                "test.yaml:1:11: derive: _wherry_deleted says that a row is gone, and is no column "
                "to change");
  check_refused("derive: [x]", "n: int64",
                "test.yaml:1:9: derive: expected a map of columns to expressions, found a list");
  check_refused("derive: { '': n }", "n: int64",
                "test.yaml:1:11: derive: expected the name of a column");
}

// --- split, flatten ------------------------------------------------------------------------------

TEST(split_makes_columns_of_parts) {
  check_step("split: { column: name, by: ' ', into: [first, last] }", "name: string?, n: int64",
             "Ada Lovelace|1\nPlato|2\n~|3\nGuido van Rossum|4\n|5\n x|6\n",
             (step_expected){.schema = "name: string?, n: int64, first: string?, last: string?",
                             .rows = "Ada Lovelace|1|Ada|Lovelace\nPlato|2|Plato|~\n~|3|~|~\n"
                                     "Guido van Rossum|4|Guido|van Rossum\n|5||~\n x|6||x\n"});
  check_step("split: { column: a, by: '::', into: [a, b, c] }", "a: string", "1::2\n1:2\n::\n",
             (step_expected){.schema = "a: string?, b: string?, c: string?",
                             .rows = "1|2|~\n1:2|~|~\n||~\n"});
  check_step("split: { column: a, by: x, into: b }", "a: null", "~\n",
             (step_expected){.rows = "~|~\n"});
}

TEST(split_refuses) {
  check_refused("split: { column: n, by: x, into: [a] }", "n: int64",
                "test.yaml:1:18: split: column 'n' is int64; only text can be split");
  check_refused("split: { column: s, by: '', into: [a] }", "s: string",
                "test.yaml:1:25: split: by is the text between the parts, such as \" \"");
  check_refused("split: { column: s, by: x, into: [a, a] }", "s: string",
                "test.yaml:1:38: split: 'a' is there twice");
  check_refused("split: { column: s, by: x }", "s: string",
                "test.yaml:1:8: split: needs column, by and into: [column, ...]");
  check_refused("split: { colum: s }", "s: string",
                "test.yaml:1:10: split has no word 'colum'. Did you mean 'column'?");
}

static wh_status add_address(test_table *table, int64_t id, const char *city, bool null) {
  wh_column *id_column = &table->batch.columns[0], *address = &table->batch.columns[1];
  WH_TRY(wh_column_add_i64(id_column, id, &test_err));
  if (null) {
    WH_TRY(wh_column_add_null(address, &test_err));
  } else {
    WH_TRY(wh_column_add_text(&address->children[0], wh_str_of(city), &test_err));
    WH_TRY(wh_column_add_i64(&address->children[1], id * 10, &test_err));
    WH_TRY(wh_column_add_struct(address, &test_err));
  }
  wh_batch_row_end(&table->batch);
  return WH_OK;
}

static void check_flatten(bool with_null, const char *want) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "id: int64, address: struct<city: string, zip: int64?>?");
  CHECK_OK(add_address(&table, 1, "Bath", false));
  CHECK_OK(add_address(&table, 2, "", with_null));
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  wh_step *step = NULL;
  REQUIRE_OK(step_bind(&context, &arena, "flatten: address", &table.schema, &step));
  WH_CLEAN_BUF wh_buf schema;
  wh_buf_init(&schema, &test_mem, 0);
  test_write_schema(step->schema, &schema);
  CHECK_STR(wh_buf_str(&schema), WH_STR("id: int64, address.city: string?, address.zip: int64?"));
  for (size_t size = 1; size < 3; size++) {
    test_run run;
    CHECK_OK(test_run_step(&run, step, &table, size, &test_err));
    CHECK_STR(wh_buf_str(&run.rows), wh_str_of(want));
    test_run_free(&run);
  }
  wh_step_close(step);
  test_context_free(&context);
  test_table_free(&table);
}

TEST(flatten_makes_columns_of_fields) {
  check_flatten(false, "1|Bath|10\n2||20\n");
  check_flatten(true, "1|Bath|10\n2|~|~\n");
}

TEST(flatten_refuses) {
  check_refused("flatten: n", "n: int64",
                "test.yaml:1:10: flatten: column 'n' is int64, and has no fields");
  check_refused("flatten: a", "a: struct<b: int64>, \"a.b\": int64",
                "test.yaml:1:10: flatten: there is a column 'a.b' already");
  check_refused("flatten: [a, c]", "a: struct<b: int64>",
                "test.yaml:1:14: flatten: no column 'c' at this point. Did you mean 'a'?");
}

// --- dedupe
// ----------------------------------------------------------------------------------------

TEST(dedupe_keeps_the_first) {
  check_step("dedupe: row", "a: string?, b: int64?", "x|1\nx|2\nx|1\n~|1\n~|1\nx|~\n~|~\nx|~\n",
             (step_expected){.rows = "x|1\nx|2\n~|1\nx|~\n~|~\n", .filtered = 3});
  check_step("dedupe: { key: a }", "a: string?, b: int64", "x|1\nx|2\ny|3\n~|4\n~|5\nx|6\n",
             (step_expected){.rows = "x|1\ny|3\n~|4\n~|5\n", .filtered = 2});
  // The pair is the key, and ("ab", "c") is not ("a", "bc").
  check_step("dedupe: { key: [a, b], keep: first }", "a: string, b: string", "ab|c\na|bc\nab|c\n",
             (step_expected){.rows = "ab|c\na|bc\n", .filtered = 1});
  check_step("dedupe: { key: f }", "f: float64, n: int64", "0|1\n-0|2\nNaN|3\nNaN|4\n1.5|5\n",
             (step_expected){.rows = "0|1\nNaN|3\n1.5|5\n", .filtered = 2});
}

TEST(dedupe_keeps_the_last) {
  check_step("dedupe: { key: a, keep: last }", "a: string?, b: int64",
             "x|1\ny|2\n~|3\nx|4\nz|5\n~|6\ny|7\n",
             (step_expected){.rows = "~|3\nx|4\nz|5\n~|6\ny|7\n", .filtered = 2});
  check_step(
      "dedupe: { key: [k], keep: last }",
      "k: int32, b: bool?, f: float32, d: decimal(20,3), u: uint16, s: binary, t: timestamp",
      "1|true|1.5|12.345|7|AAE=|2026-11-21T08:55:00Z\n1|~|-0|-1|65535||1969-01-01T00:00:00Z\n"
      "-2|false|NaN|0|0|/w==|2026-11-21T08:55:00.000001Z\n",
      (step_expected){.rows = "1|~|-0|-1.000|65535||1969-01-01T00:00:00Z\n"
                              "-2|false|NaN|0.000|0|/w==|2026-11-21T08:55:00.000001Z\n",
                      .filtered = 1});
  check_step("dedupe: { key: a, keep: last }", "a: string", "", (step_expected){.rows = ""});
}

TEST(dedupe_refuses) {
  check_refused("dedupe: { keep: last }", ORDERS,
                "test.yaml:1:9: dedupe: needs a key, or the word row to compare whole rows");
  check_refused("dedupe: rows", ORDERS,
                "test.yaml:1:9: dedupe: expected row or { key: [column, ...] }, found a single "
                "value");
  check_refused("dedupe: { key: [] }", ORDERS,
                "test.yaml:1:16: dedupe: key needs at least one column");
  check_refused("dedupe: { key: order_nmber }", ORDERS,
                "test.yaml:1:16: dedupe: no column 'order_nmber' at this point. Did you mean "
                "'order_number'?");
  check_refused("dedupe: { key: status, keep: lst }", ORDERS,
                "test.yaml:1:30: dedupe: keep has no word 'lst'. Did you mean 'last'?");
  check_refused("dedupe: { kye: status }", ORDERS,
                "test.yaml:1:11: dedupe has no word 'kye'. Did you mean 'key'?");
}

// Random rows over few keys, against the plain model, with budgets that spill and one that does
// not.
static void make_rows(wh_buf *rows, uint8_t *keys, size_t count) {
  for (size_t i = 0; i < count; i++) {
    keys[i] = (uint8_t)test_random_below(90);
    if (keys[i] == 0)
      wh_buf_printf(rows, "~|%zu\n", i);
    else
      wh_buf_printf(rows, "key-%u|%zu\n", keys[i], i);
  }
}

static void model(const uint8_t *keys, size_t count, bool last, wh_buf *rows, wh_buf *places) {
  for (size_t i = 0; i < count; i++) {
    bool goes = true;
    for (size_t k = 0; k < count && keys[i]; k++) {
      if (keys[k] == keys[i] && (last ? k > i : k < i)) goes = false;
    }
    if (!goes) continue;
    if (keys[i])
      wh_buf_printf(rows, "key-%u|%zu\n", keys[i], i);
    else
      wh_buf_printf(rows, "~|%zu\n", i);
    wh_buf_printf(places, "%zu ", i + 1);
  }
}

TEST(dedupe_agrees_with_the_model_whatever_its_memory) {
  enum { ROWS = 1500 };
  static uint8_t keys[ROWS];
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  make_rows(&text, keys, ROWS);
  test_table table;
  test_table_init(&table, "k: string?, n: int64");
  test_table_add(&table, text.data);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (int last = 0; last < 2; last++) {
    WH_CLEAN_BUF wh_buf rows;
    WH_CLEAN_BUF wh_buf places;
    wh_buf_init(&rows, &test_mem, 0);
    wh_buf_init(&places, &test_mem, 0);
    model(keys, ROWS, last, &rows, &places);
    static const size_t budgets[] = {0, 2000, 1 << 20};
    for (size_t b = 0; b < 3; b++) {
      wh_step_context context;
      test_context_init(&context, budgets[b]);
      wh_step *step = NULL;
      REQUIRE_OK(step_bind(&context, &arena,
                           last ? "dedupe: { key: k, keep: last }" : "dedupe: { key: k }",
                           &table.schema, &step));
      test_run run;
      CHECK_OK(test_run_step(&run, step, &table, 1 + test_random_below(200), &test_err));
      CHECK_STR(wh_buf_str(&run.rows), wh_buf_str(&rows));
      CHECK_STR(wh_buf_str(&run.places), wh_buf_str(&places));
      test_run_free(&run);
      wh_step_close(step);
      test_context_free(&context);
    }
  }
  test_table_free(&table);
}

// Nested values survive being held back.
TEST(dedupe_holds_back_lists_and_structs) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "k: int64, l: list<string?>?, s: struct<a: int64?, b: list<int64>>?");
  for (int64_t i = 0; i < 40; i++) {
    wh_column *c = table.batch.columns;
    REQUIRE_OK(wh_column_add_i64(&c[0], i % 30, &test_err));
    if (i % 3 == 0) {
      REQUIRE_OK(wh_column_add_null(&c[1], &test_err));
    } else {
      REQUIRE_OK(wh_column_add_text(&c[1].children[0], WH_STR("item"), &test_err));
      if (i % 2) REQUIRE_OK(wh_column_add_null(&c[1].children[0], &test_err));
      REQUIRE_OK(wh_column_add_list(&c[1], &test_err));
    }
    if (i % 5 == 0) {
      REQUIRE_OK(wh_column_add_null(&c[2], &test_err));
    } else {
      REQUIRE_OK(wh_column_add_i64(&c[2].children[0], i, &test_err));
      for (int64_t n = 0; n < i % 4; n++)
        REQUIRE_OK(wh_column_add_i64(&c[2].children[1].children[0], n * i, &test_err));
      REQUIRE_OK(wh_column_add_list(&c[2].children[1], &test_err));
      REQUIRE_OK(wh_column_add_struct(&c[2], &test_err));
    }
    wh_batch_row_end(&table.batch);
  }
  WH_CLEAN_BUF wh_buf all;
  wh_buf_init(&all, &test_mem, 0);
  test_write_rows(&table.batch, &all);
  // Rows 0 to 9 have later ones of the same key.
  wh_str want = wh_buf_str(&all);
  for (int i = 0; i < 10; i++)
    want = wh_str_sub(want, wh_str_find(want, 0, '\n') + 1, want.len);
  for (size_t budget = 0; budget <= 1 << 20; budget += 1 << 20) {
    wh_step_context context;
    test_context_init(&context, budget);
    wh_step *step = NULL;
    REQUIRE_OK(step_bind(&context, &arena, "dedupe: { key: k, keep: last }", &table.schema, &step));
    test_run run;
    CHECK_OK(test_run_step(&run, step, &table, 7, &test_err));
    CHECK_STR(wh_buf_str(&run.rows), want);
    CHECK_EQ(step->rows_filtered, 10);
    test_run_free(&run);
    wh_step_close(step);
    test_context_free(&context);
  }
  test_table_free(&table);
}

// --- without memory
// --------------------------------------------------------------------------------

static void starve(const char *yaml, const char *fields, const char *rows) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, fields);
  test_table_add(&table, rows);
  wh_step_context context;
  test_context_init(&context, 1000);
  const wh_step_type *type = NULL;
  const wh_node *options = NULL;
  REQUIRE_OK(wh_step_read(test_nodes(&arena, yaml), &type, &options, &test_err));
  size_t before = atomic_load(&test_mem.used);
  for (size_t n = 1;; n++) {
    wh_step *step = NULL;
    test_run run = {0};
    test_err = (wh_error){0};
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_status status = type->bind(&context, options, &table.schema, &step, &test_err);
    if (status == WH_OK) status = test_run_step(&run, step, &table, 3, &test_err);
    test_mem.fail_at = 0;
    test_run_free(&run);
    wh_step_close(step);
    CHECK_EQ(atomic_load(&test_mem.used), before);
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    REQUIRE(n < 2000);
  }
  test_context_free(&context);
  test_table_free(&table);
}

TEST(steps_without_memory) {
  starve("trim: all", "a: string?, b: string", " x|y\n~| z\nq|w\n1|2 \n");
  starve("map: { c: { 1: Open, ~: Null, else: ~ } }", "c: int64?", "1\n2\n~\n1\n");
  starve("map: { c: { a: Open } }", "c: string", "a\nb\na\na\n");
  starve("cast: { a: { type: date, format: \"%d.%m.%Y\" }, b: int64 }", "a: string, b: string",
         "21.11.2026|1\nx|2\n22.11.2026|3\n23.11.2026|y\n");
  starve("null_if: { a: [x, y] }", "a: string?", "x\na\ny\n~\n");
  starve("default: { a: zero }", "a: string?", "x\n~\n~\ny\n");
  starve("dedupe: { key: a }", "a: string, b: int64", "x|1\ny|2\nx|3\nz|4\nx|5\n");
  starve("dedupe: { key: a, keep: last }", "a: string, b: int64", "x|1\ny|2\nx|3\nz|4\nx|5\n");
}

// --- normalize -----------------------------------------------------------------------------------

TEST(normalize_writes_white_space_and_case) {
  check_step("normalize: { a: whitespace, b: [whitespace, lower], c: upper }",
             "a: string?, b: string?, c: string",
             "  x \t y  |\xC2\xA0 \xC3\x84 B\xE2\x80\x83"
             "C |stra\xC3\x9F"
             "e\n~|~|\nplain|plain|P\n",
             (step_expected){.rows = "x y|\xC3\xA4 b c|STRA\xC3\x9F"
                                     "E\n~|~|\nplain|plain|P\n"});
}

TEST(normalize_composes) {
  // Latin, a Hangul syllable of three, a Kelvin sign, marks in the wrong order.
  check_step("normalize: { a: nfc }", "a: string?",
             "e\xCC\x81\n\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\n\xE2\x84\xAA\nq\xCC\x87\xCC\xA3\n~"
             "\nplain\n",
             (step_expected){.rows = "\xC3\xA9\n\xED\x95\x9C\nK\nq\xCC\xA3\xCC\x87\n~\nplain\n"});
}

TEST(normalize_writes_email_addresses) {
  check_step(
      "normalize: { a: email }", "a: string?",
      " Ann.B+x@Example.COM \no'n@xn--bcher-kva.example\nj\xC3\xBC@B\xC3\x9C"
      "CHER.example\n~\n"
      "ann\n@example.com\nann@\nann@localhost\na b@example.com\na..b@example.com\n.a@example.com\n"
      "a@b@example.com\na@-b.com\na@b..com\na@b.com.\n\n\"a b\"@example.com\n",
      (step_expected){.rows = "Ann.B+x@example.com\no'n@xn--bcher-kva.example\n"
                              "j\xC3\xBC@b\xC3\xBC"
                              "cher.example\n~\n",
                      .rejects =
                          "normalize a row 5: 'ann' is no email address\n"
                          "normalize a row 6: '@example.com' is no email address\n"
                          "normalize a row 7: 'ann@' is no email address\n"
                          "normalize a row 8: 'ann@localhost' is no email address\n"
                          "normalize a row 9: 'a b@example.com' is no email address\n"
                          "normalize a row 10: 'a..b@example.com' is no email address\n"
                          "normalize a row 11: '.a@example.com' is no email address\n"
                          "normalize a row 12: 'a@b@example.com' is no email address\n"
                          "normalize a row 13: 'a@-b.com' is no email address\n"
                          "normalize a row 14: 'a@b..com' is no email address\n"
                          "normalize a row 15: 'a@b.com.' is no email address\n"
                          "normalize a row 16: '\"a b\"@example.com' is no email address\n"});
}

TEST(normalize_writes_telephone_numbers) {
  check_step("normalize: { a: phone +44 }", "a: string?",
             "020 7946 0958\n+44 (0)20 7946-0958\n0044 20.7946.0958\n(020)\xC2\xA0"
             "79460958\n+1 415/555 2671\n~\n",
             (step_expected){.rows = "+442079460958\n+442079460958\n+442079460958\n+442079460958\n"
                                     "+14155552671\n~\n"});
  check_step(
      "normalize: { a: phone +1, b: phone +39, c: phone +36 }", "a: string, b: string, c: string",
      "1 415 555 2671|06 6982|06 1 268 3300\n415-555-2671|+39 06 6982|+36 1 268 3300\n",
      (step_expected){
          .rows = "+14155552671|+39066982|+3612683300\n+14155552671|+39066982|+3612683300\n"});
  check_step(
      "normalize: { a: phone }", "a: string",
      "020 7946 0958\n+0 20 7946 0958\n+44 20 7946 0958 x12\n"
      "+1 23\n+1234567890123456\n12+3456789\n\n",
      (step_expected){
          .rows = "",
          .rejects =
              "normalize a row 1: '020 7946 0958' names no country, and normalize does not either\n"
              "normalize a row 2: '+0 20 7946 0958' is no telephone number\n"
              "normalize a row 3: '+44 20 7946 0958 x12' is no telephone number\n"
              "normalize a row 4: '+1 23' is no telephone number\n"
              "normalize a row 5: '+1234567890123456' is no telephone number\n"
              "normalize a row 6: '12+3456789' is no telephone number\n"});
}

TEST(normalize_refuses) {
  check_refused("normalize: { quantity: lower }", "quantity: int64",
                "test.yaml:1:14: normalize: column 'quantity' is int64; only text has these forms");
  check_refused("normalize: { a: lowr }", "a: string",
                "test.yaml:1:17: normalize has no word 'lowr'. Did you mean 'lower'?");
  check_refused("normalize: { a: lower b }", "a: string",
                "test.yaml:1:17: normalize: 'lower b' is no form. A telephone number's may name "
                "the country of numbers that do not: phone +44");
  check_refused("normalize: { a: phone 44 }", "a: string",
                "test.yaml:1:17: normalize: 'phone 44' is no form. A telephone number's may name "
                "the country of numbers that do not: phone +44");
  check_refused("normalize: { a: phone +12345 }", "a: string",
                "test.yaml:1:17: normalize: 'phone +12345' is no form. A telephone number's may "
                "name the country of numbers that do not: phone +44");
  check_refused("normalize: [a]", "a: string",
                "test.yaml:1:12: normalize: expected a map of columns, found a list");
}
