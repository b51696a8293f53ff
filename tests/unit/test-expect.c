#include "test.h"

#include "nodes.h"
#include "rows.h"

#include "step/expect.h"
#include "step/pattern.h"

static void check_expect(const char *yaml, const char *fields, const char *rows, const char *schema,
                         const char *want, const char *rejects) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, fields);
  test_table_add(&table, rows);
  static const size_t budgets[] = {0, 1 << 20};
  static const size_t sizes[] = {100, 1, 2};
  for (size_t i = 0; i < 6; i++) {
    wh_step_context context;
    test_context_init(&context, budgets[i % 2]);
    WH_CLEAN_ARENA wh_arena brief; // the rules may be gone once they are bound
    wh_arena_init(&brief, &test_mem);
    wh_step *step = NULL;
    if (!CHECK_OK(
            wh_expect_bind(&context, test_nodes(&brief, yaml), &table.schema, &step, &test_err)))
      return;
    wh_arena_free(&brief);
    test_run run;
    CHECK_OK(test_run_step(&run, step, &table, sizes[i / 2], &test_err));
    CHECK_STR(wh_buf_str(&run.rows), wh_str_of(want));
    CHECK_STR(wh_buf_str(&run.rejects), wh_str_of(rejects));
    test_run_free(&run);
    if (schema) {
      WH_CLEAN_BUF wh_buf text;
      wh_buf_init(&text, &test_mem, 0);
      test_write_schema(step->schema, &text);
      CHECK_STR(wh_buf_str(&text), wh_str_of(schema));
    }
    wh_step_close(step);
    test_context_free(&context);
  }
  test_table_free(&table);
}

static void check_refused(const char *yaml, const char *fields, const char *error) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, fields);
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  wh_step *step = NULL;
  test_err = (wh_error){0};
  CHECK_FAILS(wh_expect_bind(&context, test_nodes(&arena, yaml), &table.schema, &step, &test_err),
              WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(error));
  test_context_free(&context);
  test_table_free(&table);
}

#define ORDERS "OrderNumber: string?, OrderStatus: string?, Quantity: int64?, OrderDate: date?"

TEST(expect_not_null) {
  check_expect("{ a: not_null }", "a: string?, b: int64?", "x|~\n~|1\ny|2\n",
               "a: string, b: int64?", "x|~\ny|2\n", "not_null a row 2: missing\n");
  check_expect("{ a: { not_null: true }, b: { not_null: false } }", "a: string?, b: int64?",
               "x|~\n~|1\n", "a: string, b: int64?", "x|~\n", "not_null a row 2: missing\n");
  check_expect("{ a: [not_null] }", "a: null", "~\n", "a: null", "", "not_null a row 1: missing\n");
}

TEST(expect_in) {
  check_expect("{ s: { in: [Open, Back ordered, Shipped, Cancelled] } }", "s: string?",
               "Open\nShiped\n~\nopen\nBack ordered\n", "s: string?", "Open\n~\nBack ordered\n",
               "in s row 2: 'Shiped' is not one of Open, Back ordered, Shipped, Cancelled\n"
               "in s row 4: 'open' is not one of Open, Back ordered, Shipped, Cancelled\n");
  check_expect("{ n: { in: [1, 2, -3] } }", "n: int8?", "1\n3\n~\n-3\n", NULL, "1\n~\n-3\n",
               "in n row 2: 3 is not one of 1, 2, -3\n");
  check_expect("{ n: { in: 1.50 } }", "n: decimal(5,1)", "1.5\n2\n", NULL, "1.5\n",
               "in n row 2: 2.0 is not one of 1.50\n");
  check_expect("{ s: { in: ['', b] } }", "s: string, n: int64", "|1\nx|2\n", NULL, "|1\n",
               "in s row 2: 'x' is not one of '', b\n");
  check_expect("{ n: { in: [1,2,3,4,5,6,7,8,9,10,11,12,13,14] } }", "n: int64", "14\n0\n", NULL,
               "14\n", "in n row 2: 0 is not one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more\n");
  check_expect("{ b: { in: [true] } }", "b: bool", "true\nfalse\n", NULL, "true\n",
               "in b row 2: false is not one of true\n");
}

TEST(expect_matches) {
  check_expect("{ p: { matches: \"^[A-Z]{2}[0-9]+$\" } }", "p: string?", "AB12\nab12\n~\nxAB1\n",
               NULL, "AB12\n~\n",
               "matches p row 2: 'ab12' does not match ^[A-Z]{2}[0-9]+$\n"
               "matches p row 4: 'xAB1' does not match ^[A-Z]{2}[0-9]+$\n");
  // The whole value is not implied, and neither is a whole line.
  check_expect("{ p: { matches: b } }", "p: string", "abc\nac\n", NULL, "abc\n",
               "matches p row 2: 'ac' does not match b\n");
  // Characters are Unicode's, whatever the locale of the program.
  check_expect("{ p: { matches: \"^.{3}$\" } }", "p: string", "\xC3\xA9\xC3\xA8z\nabcd\n", NULL,
               "\xC3\xA9\xC3\xA8z\n", "matches p row 2: 'abcd' does not match ^.{3}$\n");
  check_expect("{ p: { matches: \"^[[:alpha:]]+$\" } }", "p: string", "\xC3\x89t\xC3\xA9\na1\n",
               NULL, "\xC3\x89t\xC3\xA9\n",
               "matches p row 2: 'a1' does not match ^[[:alpha:]]+$\n");
  // What is no text is matched by its canonical text.
  check_expect("{ n: { matches: \"^[0-9]{4}$\" }, d: { matches: \"^2026-\" } }",
               "n: int64, d: date", "1234|2026-01-02\n123|2026-01-02\n9999|2025-01-02\n", NULL,
               "1234|2026-01-02\n",
               "matches n row 2: 123 does not match ^[0-9]{4}$\n"
               "matches d row 3: 2025-01-02 does not match ^2026-\n");
}

TEST(expect_matches_looks_behind_a_zero_byte) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "p: string");
  REQUIRE_OK(wh_column_add_text(&table.batch.columns[0], wh_str_n("ok\0bad", 6), &test_err));
  wh_batch_row_end(&table.batch);
  wh_step_context context;
  test_context_init(&context, 0);
  wh_step *step = NULL;
  REQUIRE_OK(wh_expect_bind(&context, test_nodes(&arena, "{ p: { matches: \"^[a-z]+$\" } }"),
                            &table.schema, &step, &test_err));
  test_run run;
  CHECK_OK(test_run_step(&run, step, &table, 1, &test_err));
  CHECK_STR(wh_buf_str(&run.rejects),
            WH_STR("matches p row 1: 'ok\\x00bad' does not match ^[a-z]+$\n"));
  test_run_free(&run);
  wh_step_close(step);
  test_context_free(&context);
  test_table_free(&table);
}

TEST(expect_range) {
  check_expect("{ q: { range: [1, 1000] } }", "q: int64?", "0\n1\n1000\n1001\n~\n-5\n", NULL,
               "1\n1000\n~\n",
               "range q row 1: 0 is not between 1 and 1000\n"
               "range q row 4: 1001 is not between 1 and 1000\n"
               "range q row 6: -5 is not between 1 and 1000\n");
  check_expect("{ q: { range: [0.5, ~] } }", "q: float64", "0.4\n0.5\nNaN\nInfinity\n", NULL,
               "0.5\nInfinity\n",
               "range q row 1: 0.4 is not 0.5 or more\nrange q row 3: NaN is not 0.5 or more\n");
  check_expect("{ q: { range: [null, 2.5] } }", "q: decimal(30,2)", "2.50\n2.51\n-99\n", NULL,
               "2.50\n-99.00\n", "range q row 2: 2.51 is not 2.5 or less\n");
  check_expect(
      "{ d: { range: [2026-01-01, 2026-12-31] }, t: { range: ['2026-01-01T00:00:00Z', ~] } }",
      "d: date, t: timestamp",
      "2026-01-01|2026-01-01T00:00:00Z\n2025-12-31|2026-01-01T00:00:00Z\n"
      "2026-12-31|2025-12-31T23:59:59.999999Z\n",
      NULL, "2026-01-01|2026-01-01T00:00:00Z\n",
      "range d row 2: 2025-12-31 is not between 2026-01-01 and 2026-12-31\n"
      "range t row 3: 2025-12-31T23:59:59.999999Z is not 2026-01-01T00:00:00Z or more\n");
  check_expect("{ q: { range: [0, 1000] } }", "q: int8", "5\n-1\n", NULL, "5\n",
               "range q row 2: -1 is not between 0 and 1000\n");
  check_expect("{ q: { range: [-1, 18446744073709551615] } }", "q: uint64",
               "18446744073709551615\n0\n", NULL, "18446744073709551615\n0\n", "");
  check_expect("{ q: { range: [1, 2] } }", "q: null", "~\n", NULL, "~\n", "");
}

TEST(expect_unique) {
  check_expect("{ a: unique }", "a: string?, n: int64", "x|1\ny|2\nx|3\n~|4\n~|5\nx|6\n", NULL,
               "x|1\ny|2\n~|4\n~|5\n",
               "unique a row 3: 'x' is there twice; row 1 has it too\n"
               "unique a row 6: 'x' is there twice; row 1 has it too\n");
  check_expect("{ n: unique }", "n: float64", "0\n-0\n1\n", NULL, "0\n1\n",
               "unique n row 2: -0 is there twice; row 1 has it too\n");
}

// A row in quarantine is no reason to reject another one.
TEST(unique_counts_only_rows_that_pass) {
  check_expect("{ a: [unique, not_null], s: { in: [ok] } }", "a: string?, s: string",
               "x|bad\nx|ok\nx|ok\n~|ok\n", NULL, "x|ok\n",
               "in s row 1: 'bad' is not one of ok\n"
               "unique a row 3: 'x' is there twice; row 2 has it too\n"
               "not_null a row 4: missing\n");
  check_expect("{ a: unique, b: unique }", "a: string, b: string", "1|x\n2|x\n2|y\n1|z\n", NULL,
               "1|x\n2|y\n",
               "unique b row 2: 'x' is there twice; row 1 has it too\n"
               "unique a row 4: '1' is there twice; row 1 has it too\n");
}

TEST(expect_gives_one_reason_a_row_in_order) {
  check_expect("OrderNumber: [not_null, { matches: \"^A\" }]\n"
               "OrderStatus: [{ in: [Open] }, not_null]\n"
               "Quantity: { not_null: true, range: [1, 9] }\n"
               "at_most_rejected: 50%\n",
               ORDERS,
               "A1|Open|5|~\n"
               "~|Shut|0|~\n"
               "B1|Shut|5|~\n"
               "A2|~|5|~\n"
               "A3|Open|~|~\n"
               "A4|Open|10|~\n",
               "OrderNumber: string, OrderStatus: string, Quantity: int64, OrderDate: date?",
               "A1|Open|5|~\n",
               "not_null OrderNumber row 2: missing\n"
               "matches OrderNumber row 3: 'B1' does not match ^A\n"
               "not_null OrderStatus row 4: missing\n"
               "not_null Quantity row 5: missing\n"
               "range Quantity row 6: 10 is not between 1 and 9\n");
}

TEST(expect_hides_private_values) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "iban: string");
  wh_field field = table.schema.fields[0];
  field.privacy = WH_PERSONAL;
  table.schema.fields = &field;
  test_table_add(&table, "DE00\nGB00\nGB00\n");
  wh_step_context context;
  test_context_init(&context, 0);
  wh_step *step = NULL;
  REQUIRE_OK(wh_expect_bind(&context, test_nodes(&arena, "{ iban: [{ matches: ^G }, unique] }"),
                            &table.schema, &step, &test_err));
  test_run run;
  CHECK_OK(test_run_step(&run, step, &table, 9, &test_err));
  CHECK_STR(wh_buf_str(&run.rejects),
            WH_STR("matches iban row 1: the value does not match ^G\n"
                   "unique iban row 3: the value is there twice; row 2 has it too\n"));
  test_run_free(&run);
  wh_step_close(step);
  test_context_free(&context);
  test_table_free(&table);
}

TEST(expect_without_rules_passes_everything) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "a: int64");
  test_table_add(&table, "1\n2\n");
  wh_step_context context;
  test_context_init(&context, 0);
  wh_step *step = NULL;
  REQUIRE_OK(wh_expect_bind(&context, NULL, &table.schema, &step, &test_err));
  wh_batch out;
  REQUIRE_OK(wh_batch_init(&out, &test_mem, step->schema, &test_err));
  CHECK_OK(step->push(step, &table.batch, &out, NULL, &test_err));
  CHECK(out.columns[0].values == table.batch.columns[0].values); // borrowed
  wh_batch_free(&out);
  wh_step_close(step);
  test_context_free(&context);
  test_table_free(&table);
  check_expect("{ at_most_rejected: 5 }", "a: int64", "1\n", "a: int64", "1\n", "");
  // In quotes it is a column.
  check_expect("{ 'at_most_rejected': not_null }", "at_most_rejected: int64?", "~\n1\n", NULL,
               "1\n", "not_null at_most_rejected row 1: missing\n");
}

TEST(expect_refuses) {
  check_refused("[a]", ORDERS, "test.yaml:1:1: expect: expected a map of columns, found a list");
  check_refused("{ OrderNmber: unique }", ORDERS,
                "test.yaml:1:3: expect: no column 'OrderNmber' at this point. Did you mean "
                "'OrderNumber'?");
  check_refused("{ OrderNumber: [not_nul] }", ORDERS,
                "test.yaml:1:17: expect has no word 'not_nul'. Did you mean 'not_null'?");
  check_refused("{ OrderNumber: { bigger: 5 } }", ORDERS,
                "test.yaml:1:18: expect has no word 'bigger'; its words are: not_null, unique, in, "
                "matches, range, fresher_than");
  check_refused("{ OrderNumber: ~ }", ORDERS,
                "test.yaml:1:16: expect: column 'OrderNumber' has no rule");
  check_refused("{ OrderNumber: [[unique]] }", ORDERS,
                "test.yaml:1:17: expect: expected a rule, found a list");
  check_refused("{ OrderNumber: { unique: maybe } }", ORDERS,
                "test.yaml:1:26: expect: unique is true or false");
  check_refused("{ OrderStatus: in }", ORDERS,
                "test.yaml:1:16: expect: in says nothing; it is written { in: [value, ...] }");
  check_refused("{ OrderStatus: { in: [] } }", ORDERS,
                "test.yaml:1:22: expect: in needs at least one value");
  check_refused("{ OrderStatus: { in: [a, ~] } }", ORDERS,
                "test.yaml:1:26: expect: a missing value passes `in` anyway (not_null refuses it); "
                "leave it out of the list");
  check_refused("{ Quantity: { in: [1, two] } }", ORDERS,
                "test.yaml:1:23: expect: 'two' is not a whole number, and so no value of column "
                "'Quantity'");
  check_refused("{ OrderStatus: { in: [a, a] } }", ORDERS,
                "test.yaml:1:26: expect: 'a' is there twice");
}

TEST(expect_refuses_patterns) {
  check_refused("{ OrderStatus: { matches: \"^[A-Z\" } }", ORDERS,
                "test.yaml:1:27: expect: the pattern '^[A-Z' cannot be read: Unmatched [, [^, [:, "
                "[., or [=");
  check_refused("{ OrderStatus: { matches: [a] } }", ORDERS,
                "test.yaml:1:27: expect: matches: expected a pattern, found a list");
  check_refused("{ OrderStatus: { matches: '(a)\\1' } }", ORDERS,
                "test.yaml:1:27: expect: the pattern refers back (\\1), which POSIX extended "
                "patterns cannot");
  check_refused("{ s: { matches: a } }", "s: list<string>",
                "test.yaml:1:17: expect: column 's' is a list and has no text to match");
  check_expect("{ s: { matches: 'a\\\\1' } }", "s: string", "a\\1\n", NULL, "a\\1\n", "");
  static char yaml[2000];
  size_t at = (size_t)snprintf(yaml, sizeof yaml, "{ OrderStatus: { matches: ");
  memset(yaml + at, 'a', WH_PATTERN_MAX + 1);
  memcpy(yaml + at + WH_PATTERN_MAX + 1, " } }", 5);
  check_refused(yaml, ORDERS,
                "test.yaml:1:27: expect: the pattern has 1025 bytes; at most 1024 are taken");
}

TEST(expect_refuses_ranges) {
  check_refused("{ Quantity: { range: [1] } }", ORDERS,
                "test.yaml:1:22: expect: range needs two bounds, [least, most]; ~ stands for none");
  check_refused("{ Quantity: { range: 5 } }", ORDERS,
                "test.yaml:1:22: expect: range needs two bounds, [least, most]; ~ stands for none");
  check_refused("{ Quantity: { range: [~, ~] } }", ORDERS,
                "test.yaml:1:22: expect: range needs at least one bound");
  check_refused("{ Quantity: { range: [9, 1] } }", ORDERS,
                "test.yaml:1:22: expect: range: 9 is above 1");
  check_refused("{ Quantity: { range: [1, many] } }", ORDERS,
                "test.yaml:1:26: expect: range: 'many' is not a whole number, and so no bound of "
                "column 'Quantity'");
  check_refused("{ OrderDate: { range: [2026-13-01, ~] } }", ORDERS,
                "test.yaml:1:24: expect: range: '2026-13-01' is not a date (2026-11-21), and so no "
                "bound of column 'OrderDate'");
  check_refused("{ OrderStatus: { range: [a, b] } }", ORDERS,
                "test.yaml:1:25: expect: column 'OrderStatus' is text; range is for numbers, dates "
                "and times");
}

// --- the run as a whole --------------------------------------------------------------------------

static wh_run_rules run_rules;

static wh_status parse_run_rules(const char *yaml) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_err = (wh_error){0};
  return wh_run_rules_parse(yaml ? test_nodes(&arena, yaml) : NULL, &run_rules, &test_err);
}

TEST(run_rules_are_numbers_percentages_or_both) {
  CHECK_OK(parse_run_rules(NULL));
  CHECK_OK(parse_run_rules("{ a: unique, \"at_most_rejected\": not_null }")); // a column's name
  for (int i = 0; i < WH_RUN_RULES; i++)
    CHECK(!wh_run_limit_given(&run_rules.limits[i]));
  CHECK_OK(parse_run_rules("{ at_most_rejected: 0.5 %, at_least_rows: [1000, 50%], "
                           "at_most_rows: 0 }"));
  CHECK_STR(wh_str_of(wh_run_rules_text(&run_rules, WH_AT_MOST_REJECTED).s),
            WH_STR("at_most_rejected: 0.5%"));
  CHECK_STR(wh_str_of(wh_run_rules_text(&run_rules, WH_AT_LEAST_ROWS).s),
            WH_STR("at_least_rows: [1000, 50%]"));
  CHECK_STR(wh_str_of(wh_run_rules_text(&run_rules, WH_AT_MOST_ROWS).s), WH_STR("at_most_rows: 0"));
  CHECK_OK(parse_run_rules("{ at_most_rows: 250% }"));
  CHECK(run_rules.limits[WH_AT_MOST_ROWS].has_percent);
  static const char *const bad[] = {"1.5", "-1", "101%", "many", "%", "-1%", "nan%"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char yaml[64], want[128];
    snprintf(yaml, sizeof yaml, "{ at_most_rejected: '%s' }", bad[i]);
    snprintf(want, sizeof want,
             "test.yaml:1:21: at_most_rejected: '%s' is neither a number of rows (100) nor a "
             "percentage (1%%)",
             bad[i]);
    CHECK_FAILS(parse_run_rules(yaml), WH_ERR_USAGE);
    CHECK_STR(wh_str_of(test_err.text), wh_str_of(want));
  }
  CHECK_FAILS(parse_run_rules("{ at_least_rows: { of: 1 } }"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("test.yaml:1:18: at_least_rows: expected a number of rows or a percentage, "
                  "found a map");
  CHECK_FAILS(parse_run_rules("{ at_least_rows: [1, 2] }"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("test.yaml:1:22: at_least_rows: at most one number of rows and one percentage");
  CHECK_FAILS(parse_run_rules("{ at_least_rows: [] }"), WH_ERR_USAGE);
  CHECK_FAILS(parse_run_rules("{ at_least_rows: ~ }"), WH_ERR_USAGE);
}

static bool passes(wh_run_rule rule, wh_run_tally tally) {
  test_err = (wh_error){0};
  return wh_run_rules_check(&run_rules, rule, &tally, &test_err) == WH_OK;
}

TEST(run_rules_hold_at_the_limit_and_break_behind_it) {
  CHECK_OK(parse_run_rules("{ at_most_rejected: [10, 1%], at_least_rows: [5, 50%], "
                           "at_most_rows: [400, 200%] }"));
  const struct {
    wh_run_rule rule;
    wh_run_tally tally;
    bool passes;
  } cases[] = {
      {WH_AT_MOST_REJECTED, {.read = 100, .rejected = 1}, true},
      {WH_AT_MOST_REJECTED, {.read = 100, .rejected = 2}, false},
      {WH_AT_MOST_REJECTED, {.read = 5000, .rejected = 10}, true},
      {WH_AT_MOST_REJECTED, {.read = 5000, .rejected = 11}, false}, // both hold
      {WH_AT_MOST_REJECTED, {0}, true},
      {WH_AT_LEAST_ROWS, {.kept = 5}, true}, // no run before
      {WH_AT_LEAST_ROWS, {.kept = 4}, false},
      {WH_AT_LEAST_ROWS, {.kept = 50, .has_earlier = true, .earlier = 100}, true},
      {WH_AT_LEAST_ROWS, {.kept = 50, .has_earlier = true, .earlier = 101}, false},
      {WH_AT_LEAST_ROWS, {.kept = 4, .has_earlier = true, .earlier = 2}, false},
      {WH_AT_MOST_ROWS, {.kept = 400}, true},
      {WH_AT_MOST_ROWS, {.kept = 401, .has_earlier = true, .earlier = 400}, false},
      {WH_AT_MOST_ROWS, {.kept = 200, .has_earlier = true, .earlier = 100}, true},
      {WH_AT_MOST_ROWS, {.kept = 201, .has_earlier = true, .earlier = 100}, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (!CHECK_EQ(passes(cases[i].rule, cases[i].tally), cases[i].passes)) test_note("case %zu", i);
  }
  CHECK(!passes(WH_AT_LEAST_ROWS, (wh_run_tally){.kept = 0, .has_earlier = true, .earlier = 9}));
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("this run has 0 rows, the last had 9: fewer than at_least_rows: [5, 50%] "
                   "allows"));
  CHECK_OK(parse_run_rules("{ a: unique }"));
  CHECK(passes(WH_AT_MOST_ROWS, (wh_run_tally){.kept = 1000000}));
}

// --- fresher_than --------------------------------------------------------------------------------

#define NOON ((int64_t)20778 * 86400 * 1000000 + (int64_t)12 * 3600 * 1000000) // 2026-11-21

// The oldest and latest values that a column of the type may have.
static wh_fresh fresh_of(const wh_type *type, const char *yaml, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  const wh_field field = {WH_STR_INIT("at"), *type, true, WH_INTERNAL};
  const wh_schema schema = {1, &field};
  const wh_step_context context = {.mem = &test_mem, .start_us = NOON};
  wh_step *step = NULL;
  if (wh_expect_bind(&context, test_nodes(&arena, yaml), &schema, &step, err) != WH_OK)
    return (wh_fresh){0};
  size_t count;
  const wh_fresh *fresh = wh_expect_fresh(step, &count);
  wh_fresh ret = {0};
  if (CHECK_EQ(count, 1)) ret = fresh[0];
  wh_step_close(step);
  return ret;
}

TEST(fresher_than_counts_from_the_start_of_the_run) {
  const int64_t hour = 3600;
  static const wh_unit units[] = {WH_UNIT_S, WH_UNIT_MS, WH_UNIT_US, WH_UNIT_NS};
  for (size_t i = 0; i < 4; i++) {
    wh_type type = {.kind = WH_TIMESTAMP, .unit = units[i], .zoned = true};
    int64_t second = wh_unit_per_second(units[i]), noon = NOON / 1000000 * second;
    wh_fresh f = fresh_of(&type, "{ at: { fresher_than: 24h } }", &test_err);
    CHECK_EQ(f.oldest, noon - 24 * hour * second);
    CHECK_EQ(f.latest, noon + 24 * hour * second);
  }
  // All of yesterday is younger than a day, at noon of today.
  wh_type date = wh_type_of(WH_DATE);
  wh_fresh f = fresh_of(&date, "{ at: [not_null, { fresher_than: 1d }] }", &test_err);
  CHECK_EQ(f.oldest, 20777);
  f = fresh_of(&date, "{ at: { fresher_than: 13h } }", &test_err);
  CHECK_EQ(f.oldest, 20777);
  f = fresh_of(&date, "{ at: { fresher_than: 11h } }", &test_err);
  CHECK_EQ(f.oldest, 20778);
}

TEST(fresher_than_is_refused_for_what_is_no_date) {
  const wh_type text = wh_type_of(WH_STRING), number = wh_type_of(WH_INT64);
  wh_error err = {0};
  (void)fresh_of(&text, "{ at: { fresher_than: 24h } }", &err);
  CHECK_STR(wh_str_of(err.text), WH_STR("test.yaml:1:23: expect: column 'at' is text; fresher_than "
                                        "is for dates and times with a date"));
  err = (wh_error){0};
  (void)fresh_of(&number, "{ at: { fresher_than: 24h } }", &err);
  CHECK_EQ(err.status, WH_ERR_USAGE);
  const wh_type date = wh_type_of(WH_DATE);
  static const char *const bad[] = {"soon", "0", "-1h", "24"};
  for (size_t i = 0; i < 4; i++) {
    char yaml[64];
    snprintf(yaml, sizeof yaml, "{ at: { fresher_than: '%s' } }", bad[i]);
    err = (wh_error){0};
    (void)fresh_of(&date, yaml, &err);
    CHECK_EQ(err.status, WH_ERR_USAGE);
  }
}

TEST(expect_agrees_with_the_model) {
  enum { ROWS = 2000 };
  static uint64_t a[ROWS], b[ROWS]; // 0: NULL
  WH_CLEAN_BUF wh_buf rows;
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&rows, &test_mem, 0);
  wh_buf_init(&want, &test_mem, 0);
  size_t passed[ROWS], count = 0, rejected = 0;
  for (size_t i = 0; i < ROWS; i++) {
    a[i] = test_random_below(700);
    b[i] = test_random_below(40);
    if (a[i])
      wh_buf_printf(&rows, "%u", (unsigned)a[i]);
    else
      wh_buf_add_char(&rows, '~');
    if (b[i])
      wh_buf_printf(&rows, "|v%u\n", (unsigned)b[i]);
    else
      wh_buf_add_c(&rows, "|~\n");
    bool good = b[i] && a[i] <= 600 && b[i] % 10 != 7;
    for (size_t k = 0; k < count && good && a[i]; k++) {
      if (a[passed[k]] == a[i]) good = false;
    }
    if (!good) {
      rejected++;
      continue;
    }
    passed[count++] = i;
    if (a[i])
      wh_buf_printf(&want, "%u|v%u\n", (unsigned)a[i], (unsigned)b[i]);
    else
      wh_buf_printf(&want, "~|v%u\n", (unsigned)b[i]);
  }
  test_table table;
  test_table_init(&table, "a: int32?, b: string?");
  test_table_add(&table, rows.data);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (size_t budget = 0; budget <= 1 << 20; budget += 1 << 19) {
    wh_step_context context;
    test_context_init(&context, budget);
    wh_step *step = NULL;
    REQUIRE_OK(wh_expect_bind(
        &context,
        test_nodes(&arena,
                   "{ a: [unique, { range: [~, 600] }], b: [not_null, { matches: '[^7]$' }] }"),
        &table.schema, &step, &test_err));
    test_run run;
    CHECK_OK(test_run_step(&run, step, &table, 1 + test_random_below(300), &test_err));
    CHECK_STR(wh_buf_str(&run.rows), wh_buf_str(&want));
    size_t lines = 0;
    for (size_t i = 0; i < run.rejects.len; i++)
      lines += run.rejects.data[i] == '\n';
    CHECK_EQ(lines, rejected);
    test_run_free(&run);
    wh_step_close(step);
    test_context_free(&context);
  }
  test_table_free(&table);
}

TEST(expect_without_memory) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "a: string?, b: int64?, c: int64?");
  test_table_add(&table, "x|1|5\ny|2|6\nx|3|7\n~|4|8\nz|99|8\nw|5|~\nv|6|5\n");
  wh_step_context context;
  test_context_init(&context, 500);
  const wh_node *rules =
      test_nodes(&arena, "{ a: [not_null, unique, { in: [v, w, x, y, z] }], b: { "
                         "range: [1, 50] }, c: [unique, { matches: '^[0-9]$' }] }");
  size_t before = atomic_load(&test_mem.used);
  for (size_t n = 1;; n++) {
    wh_step *step = NULL;
    test_run run = {0};
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_status status = wh_expect_bind(&context, rules, &table.schema, &step, &test_err);
    if (status == WH_OK) status = test_run_step(&run, step, &table, 3, &test_err);
    test_mem.fail_at = 0;
    test_run_free(&run);
    wh_step_close(step);
    CHECK_EQ(atomic_load(&test_mem.used), before);
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    REQUIRE(n < 1000);
  }
  test_context_free(&context);
  test_table_free(&table);
}
