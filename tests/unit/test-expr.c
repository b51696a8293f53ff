#include "test.h"

#include "rows.h"

#include "config/yaml.h"

#include "data/temporal.h"
#include "step/expr.h"
#include "step/expr_private.h"

#define COLUMNS                                                                                    \
  "i: int64?, j: int64?, s: string?, t: string?, d: decimal(10,2)?, f: float64?, b: bool?, "       \
  "c: bool?, day: date?, at: timestamp[us,UTC]?, local: timestamp[us]?, small: int16?, "           \
  "big: uint64?, none: null, when_: time[us]?, list: list<int64>?"

typedef struct sink { // rows that have no value
  wh_buf text;
  uint8_t bad[1024];
} sink;

static wh_status note(void *context, size_t row, const char *reason, wh_error *err) {
  sink *s = context;
  if (s->bad[row]) return WH_OK;
  s->bad[row] = 1;
  wh_buf_printf(&s->text, "%zu: %s\n", row + 1, reason);
  return wh_buf_check(&s->text, err);
}

static wh_status bind(const test_table *table, wh_arena *arena, const char *text, bool dry,
                      wh_expr **ret) {
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  context.dry = dry;
  context.start_us = 1770000000000000; // 2026-02-02T02:40:00Z
  WH_TRY(wh_zone_open(context.os, WH_STR("Europe/London"), arena, &context.zone, &test_err));
  wh_node node = {.kind = WH_NODE_SCALAR,
                  .file = "x.yaml",
                  .line = 3,
                  .column = 10,
                  .text_column = 11,
                  .text = wh_str_of(text)};
  test_err = (wh_error){0};
  wh_status status = wh_expr_bind(&context, arena, &node, "derive", &table->schema, ret, &test_err);
  test_context_free(&context);
  return status;
}

// "type?: value value value", with ! for a row that has none, and the errors below.
static void compute(const test_table *table, const char *text, wh_buf *out, sink *bad) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_expr *expr = NULL;
  wh_buf_init(out, &test_mem, 0);
  *bad = (sink){0};
  wh_buf_init(&bad->text, &test_mem, 0);
  if (bind(table, &arena, text, false, &expr) != WH_OK) {
    wh_buf_add_c(out, test_err.text);
    return;
  }
  const wh_field *field = wh_expr_field(expr);
  wh_type_write(&field->type, out);
  wh_buf_add_c(out, field->nullable ? "?:" : ":");
  const wh_column *columns[32];
  for (size_t i = 0; i < table->schema.count; i++)
    columns[i] = &table->batch.columns[i];
  wh_column result;
  wh_column_init(&result, &test_mem, &field->type);
  for (int round = 0; round < 2; round++) { // what is kept from the first must not show
    wh_column_reset(&result);
    memset(bad->bad, 0, sizeof bad->bad);
    wh_buf_clear(&bad->text);
    CHECK_OK(wh_expr_eval(expr, columns, table->batch.rows, &result, note, bad, &test_err));
  }
  CHECK_EQ(result.length, table->batch.rows);
  size_t nulls = 0;
  for (size_t row = 0; row < result.length; row++) {
    bool null = wh_column_is_null(&result, row);
    nulls += null;
    wh_buf_add_char(out, ' ');
    if (bad->bad[row])
      wh_buf_add_char(out, '!');
    else if (null)
      wh_buf_add_char(out, '~');
    else
      wh_column_write(&result, row, out);
    if (null && !bad->bad[row]) CHECK(field->nullable);
    if (null && result.width) { // NULL rows hold zero
      for (size_t k = 0; k < result.width; k++)
        CHECK_EQ(result.values[row * result.width + k], 0);
    }
  }
  CHECK_EQ(result.null_count, nulls);
  wh_column_free(&result);
  wh_expr_free(expr);
}

static void check(const test_table *table, const char *text, const char *want,
                  const char *want_bad) {
  wh_buf out;
  sink bad;
  compute(table, text, &out, &bad);
  if (!CHECK_STR(wh_buf_str(&out), wh_str_of(want))) printf("# in %s\n", text);
  if (!CHECK_STR(wh_buf_str(&bad.text), wh_str_of(want_bad ? want_bad : "")))
    printf("# in %s\n", text);
  wh_buf_free(&out);
  wh_buf_free(&bad.text);
}

typedef struct example {
  const char *text, *want, *bad;
} example;

static void check_all(const char *rows, const example *list, size_t count) {
  test_table table;
  test_table_init(&table, COLUMNS);
  test_table_add(&table, rows);
  for (size_t i = 0; i < count; i++)
    check(&table, list[i].text, list[i].want, list[i].bad);
  test_table_free(&table);
}
#define CHECK_ALL(rows, list) check_all(rows, list, sizeof(list) / sizeof *(list))

#define ONE                                                                                        \
  "1|2|x|y|1.50|0.5|true|false|2026-01-31|2026-01-31T08:55:00Z|2026-01-31T08:55:00|7|9|~|08:55:"   \
  "00|~\n"

TEST(constants_have_types_and_values) {
  static const example list[] = {
      {"1", "int64: 1", NULL},
      {"-9223372036854775807", "int64: -9223372036854775807", NULL},
      {"9223372036854775808", "decimal(19,0): 9223372036854775808", NULL},
      {"1.50", "decimal(3,2): 1.50", NULL},
      {"0.001", "decimal(3,3): 0.001", NULL},
      {"1e3", "float64: 1000", NULL},
      {"2.5E-1", "float64: 0.25", NULL},
      {"'it''s'", "string: it's", NULL},
      {"''", "string: ", NULL},
      {"true", "bool: true", NULL},
      {"NULL", "null?: ~", NULL},
      {"date '2026-01-31'", "date: 2026-01-31", NULL},
      {"timestamp '2026-01-31T08:55:00+01:00'", "timestamp[us,UTC]: 2026-01-31T07:55:00Z", NULL},
      {"Timestamp '2026-01-31 08:55:00.5'", "timestamp[us]: 2026-01-31T08:55:00.5", NULL},
      {"1 + 2 * 3", "int64: 7", NULL},
      {"(1 + 2) * 3", "int64: 9", NULL},
      {"7 - 2 - 1", "int64: 4", NULL},
      {"- - 5", "int64: 5", NULL},
      {"-2 * -3", "int64: 6", NULL},
      {"7 % 3", "int64: 1", NULL},
      {"-7 % 3", "int64: -1", NULL},
      {"7.5 % 2", "decimal(2,1): 1.5", NULL},
      {"0.1 + 0.2", "decimal(2,1): 0.3", NULL},
      {"1 - 0.05", "decimal(4,2): 0.95", NULL},
      {"1.5 * 1.25", "decimal(5,3): 1.875", NULL},
      {"1 / 3", "decimal(7,6): 0.333333", NULL},
      {"2 / 3", "decimal(7,6): 0.666667", NULL},
      {"-2 / 3", "decimal(7,6): -0.666667", NULL},
      {"1 / 8.00000000", "decimal(17,8): 0.12500000", NULL},
      {"0.1 + 1e0", "float64: 1.1", NULL},
      {"1e0 / 4", "float64: 0.25", NULL},
      {"'a' || 'b' || 'c'", "string: abc", NULL},
      {"1 + 1 || 'x'",
       "x.yaml:3:11: derive: ||: expected text, found int64; write cast(... as text)", NULL},
      {"not 1 = 2 and 2 < 3 or false", "bool: true", NULL},
      {"true or false and false", "bool: true", NULL},
      {"1 <> 2", "bool: true", NULL},
      {"'b' > 'a'", "bool: true", NULL},
      {"1 = 1.000", "bool: true", NULL},
      {"0.1e0 = 0.1", "bool: true", NULL},
      {"date '2026-01-31' < timestamp '2026-01-31T00:00:01'", "bool: true", NULL},
      {"date '2026-01-31' between '2026-01-01' and '2026-12-31'", "bool: true", NULL},
      {"3 not between 1 and 2", "bool: true", NULL},
      {"3 not in (1, 2, null)", "bool?: ~", NULL},
      {"3 in (1, 3, null)", "bool?: true", NULL},
      {"null = null", "bool?: ~", NULL},
      {"null is distinct from null", "bool: false", NULL},
      {"1 is not distinct from 1.0", "bool: true", NULL},
      {"null is null", "bool: true", NULL},
      {"1 is not null", "bool: true", NULL},
      {"case when 1 > 2 then 'a' when 2 > 1 then 'b' end", "string?: b", NULL},
      {"case when false then 1 else 2.5 end", "decimal(2,1): 2.5", NULL},
      {"if(true, 1, 1e0)", "float64: 1", NULL},
      {"nullif(1, 2)", "int64?: 1", NULL},
      {"nullif('', '')", "string?: ~", NULL},
      {"coalesce(null, null)", "null?: ~", NULL},
      {"coalesce(null, 1, 2.50)", "decimal(3,2): 1.00", NULL},
      {"least(3, 2, null)", "int64: 2", NULL},
      {"greatest('a', 'c', 'b')", "string: c", NULL},
      {"abs(-1.5)", "decimal(2,1): 1.5", NULL},
      {"round(2.345, 2)", "decimal(4,2): 2.35", NULL},
      {"round(-2.5)", "decimal(2,0): -3", NULL},
      {"round(9.99, 1)", "decimal(3,1): 10.0", NULL},
      {"round(9.99, 5)", "decimal(3,2): 9.99", NULL},
      {"round(7)", "int64: 7", NULL},
      {"round(2.345e0, 1)", "float64: 2.3", NULL},
      {"floor(-2.5)", "decimal(2,0): -3", NULL},
      {"floor(2.5)", "decimal(2,0): 2", NULL},
      {"ceil(-2.5)", "decimal(2,0): -2", NULL},
      {"ceil(2.1e0)", "float64: 3", NULL},
      {"length('Übung')", "int64: 5", NULL},
      {"upper('straße')", "string: STRAßE", NULL},
      {"substring('hello', 2)", "string: ello", NULL},
      {"substring('hello', 0, 3)", "string: he", NULL},
      {"substring('hello', -5, 3)", "string: ", NULL},
      {"substring('hello', 2, -1)", "string: ", NULL},
      {"substring('hello', 9)", "string: ", NULL},
      {"substring('äöü', 2, 1)", "string: ö", NULL},
      {"replace('aaa', 'aa', 'b')", "string: ba", NULL},
      {"replace('aaa', '', 'b')", "string: aaa", NULL},
      {"split_part('a--b', '--', 2)", "string: b", NULL},
      {"split_part('a--b', '--', 3)", "string: ", NULL},
      {"split_part('a--b', '--', 0)", "string: ", NULL},
      {"split_part('ab', '', 1)", "string: ab", NULL},
      {"contains('abc', '')", "bool: true", NULL},
      {"starts_with('a', 'ab')", "bool: false", NULL},
      {"'abc' like 'a%c'", "bool: true", NULL},
      {"'abc' like 'a_'", "bool: false", NULL},
      {"'aXbXc' like '%X_'", "bool: true", NULL},
      {"'ä' like '_'", "bool: true", NULL},
      {"'' like '%%'", "bool: true", NULL},
      {"'abc' not like 'b%'", "bool: true", NULL},
      {"'a1' matches '^[a-z][0-9]$'", "bool: true", NULL},
      {"'ä' matches '^[[:alpha:]]$'", "bool: true", NULL},
      {"weekday(date '2026-02-01')", "int64: 7", NULL},
      {"year(date '1969-12-31')", "int64: 1969", NULL},
      {"hour(timestamp '1969-12-31T23:30:00Z')", "int64: 23", NULL},
      {"date(timestamp '1969-12-31T23:30:00Z')", "date: 1969-12-31", NULL},
      {"date_trunc('week', date '2026-02-01')", "date: 2026-01-26", NULL},
      {"date_trunc('quarter', date '2026-06-30')", "date: 2026-04-01", NULL},
      {"date_trunc('year', timestamp '2026-06-30T12:00:00Z')",
       "timestamp[us,UTC]: 2026-01-01T00:00:00Z", NULL},
      {"date_trunc('hour', timestamp '1969-12-31T23:30:00Z')",
       "timestamp[us,UTC]: 1969-12-31T23:00:00Z", NULL},
      {"date_add(date '2024-02-29', 1, 'year')", "date: 2025-02-28", NULL},
      {"date_add(date '2026-01-31', -2, 'month')", "date: 2025-11-30", NULL},
      {"date_add(date '2026-01-31', 1, 'week')", "date: 2026-02-07", NULL},
      {"date_add(timestamp '2026-01-31T23:59:59.5Z', 1, 'month')",
       "timestamp[us,UTC]: 2026-02-28T23:59:59.5Z", NULL},
      {"date_add(timestamp '2026-01-31T23:59:59', 1, 'second')",
       "timestamp[us]: 2026-02-01T00:00:00", NULL},
      {"date_diff('year', date '2025-12-31', date '2026-01-01')", "int64: 1", NULL},
      {"date_diff('month', date '2026-03-01', date '2026-01-31')", "int64: -2", NULL},
      {"date_diff('week', date '2026-02-01', date '2026-02-02')", "int64: 1", NULL},
      {"date_diff('hour', date '2026-02-01', timestamp '2026-02-02T01:30:00')", "int64: 25", NULL},
      {"now()", "timestamp[us,UTC]: 2026-02-02T02:40:00Z", NULL},
      {"cast('12.50' as decimal(10, 2))", "decimal(10,2): 12.50", NULL},
      {"cast(1.0 as int64)", "int64: 1", NULL},
      {"cast(timestamp '2026-07-01T08:00:00Z' as timestamp[us])",
       "timestamp[us]: 2026-07-01T09:00:00", NULL},
      {"cast(12 as text) || '%'", "string: 12%", NULL},
  };
  CHECK_ALL(ONE, list);
}

// The position is that of the character; here the text begins in column 11.
TEST(mistakes_are_told_where_they_stand) {
#define AT(column) "x.yaml:3:" column ": derive: "
  static const example list[] = {
      {"", AT("11") "expected a value, found the end", NULL},
      {"1 +", AT("14") "expected a value, found the end", NULL},
      {"1 2", AT("13") "expected an operator or the end, found 2", NULL},
      {"(1", AT("13") "expected ')', found the end", NULL},
      {"1 = 2 = 3", AT("17") "comparisons do not chain; write a < b and b < c", NULL},
      {"'abc", AT("11") "this quote has no end", NULL},
      {"12abc", AT("11") "this number has letters behind it", NULL},
      {"1 ! 2", AT("13") "'!' is no operator; write not", NULL},
      {"1 & 2", AT("13") "this is no operator", NULL},
      {"1.", AT("12") "this is no operator", NULL},
      {"in (1)", AT("11") "expected a value, found in", NULL},
      {"1 not null", AT("17") "expected in, between, like or matches, found null", NULL},
      {"1 is 2", AT("16") "expected null or distinct from, found 2", NULL},
      {"case 1 end", AT("16") "expected when, found 1", NULL},
      {"case when true then 1", AT("32") "expected when, else or end, found the end", NULL},
      {"statsu",
       AT("11") "no column 'statsu' at this point; there are: i, j, s, t, d, f, b, c, "
                "day, at and 6 more",
       NULL},
      {"'ä' || dey", AT("18") "no column 'dey' at this point. Did you mean 'day'?", NULL},
      {"\"odd name\"",
       AT("11") "no column 'odd name' at this point; there are: i, j, s, t, d, f, "
                "b, c, day, at and 6 more",
       NULL},
      {"lowr(s)", AT("11") "no function 'lowr'. Did you mean 'lower'?", NULL},
      {"xyzzy(s)", AT("11") "no function 'xyzzy'. See them: docs/reference/steps.md", NULL},
      {"lower()", AT("11") "it is written lower(text)", NULL},
      {"now(1)", AT("11") "it is written now()", NULL},
      {"if(b, 1)", AT("11") "if takes 3 arguments, found 2", NULL},
      {"lower(i)", AT("17") "lower: expected text, found int64", NULL},
      {"i + s", AT("15") "+: expected a number, found text", NULL},
      {"i = s", AT("15") "=: int64 and text do not go together; cast one of them", NULL},
      {"i = 'x'", AT("15") "=: int64 and text do not go together; cast one of them", NULL},
      {"day = at", AT("17") "=: date and timestamp do not go together; cast one of them", NULL},
      {"at = local",
       AT("16") "=: timestamp and timestamp without zone do not go together; cast one "
                "of them",
       NULL},
      {"list = list", AT("11") "=: expected single values, found list of int64", NULL},
      {"day > '2026-13-01'", AT("17") "'2026-13-01' is not a date", NULL},
      {"not i", AT("15") "not: expected a condition, found int64", NULL},
      {"b and i", AT("17") "and: expected a condition, found int64", NULL},
      {"if(i, 1, 2)", AT("14") "case: expected a condition, found int64", NULL},
      {"1 / 0", AT("11") "1 / 0: division by zero", NULL},
      {"9223372036854775807 + 1",
       AT("11") "9223372036854775807 + 1: the result is out of the range of int64", NULL},
      {"cast('x' as int64)", AT("11") "'x' is not a whole number", NULL},
      {"cast(s as integr)", AT("21") "'integr' is not a type. Did you mean 'integer'?", NULL},
      {"cast(day as bool)", AT("16") "cast: date cannot become bool", NULL},
      {"round(d, i)", AT("20") "round: the places must be written as a number from 0 to 38", NULL},
      {"date_trunc('months', day)", AT("22") "date_trunc: no unit 'months'. Did you mean 'month'?",
       NULL},
      {"date_trunc('hour', day)",
       AT("30") "date_trunc: a date has no hours; cast it to a timestamp", NULL},
      {"year(when_)", AT("16") "year: expected a date or timestamp, found time", NULL},
      {"s matches '('", AT("21") "the pattern '(' cannot be read: Unmatched ( or \\(", NULL},
      {"s matches t", AT("21") "matches: the pattern must be written as a text, in single quotes",
       NULL},
      {"0.00000000000000000001 * 0.00000000000000000001",
       AT("11") "the result would need 40 decimal places, and there are 38 at most; round before",
       NULL},
      {"1234567890123456789012345678901234567890", AT("11") "this number has more than 38 digits",
       NULL},
      {"1e999", AT("11") "this number is too large for a float", NULL},
  };
  CHECK_ALL(ONE, list);
}

TEST(text_that_the_file_writes_otherwise_is_counted_in_bytes) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "status: string");
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  static const char *const texts[][2] = {
      {"status = statu", "test.yaml:1:10: derive: no column 'statu' at this point. Did you mean "
                         "'status'?"},
      {"\"status = statu\"", "test.yaml:1:11: derive: no column 'statu'"},
      {"'status = statu'", "test.yaml:1:11: derive: no column 'statu'"},
      {"'status = ''x'' +'", "test.yaml:1:1: derive: byte 15 of the expression: expected a value"},
      {"status\n  = statu", "test.yaml:1:1: derive: no column 'statu'"},
      {">\n  status =\n  statu", "test.yaml:1:1: derive: no column 'statu'"},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    wh_expr *expr = NULL;
    test_err = (wh_error){0};
    wh_problems problems;
    wh_node *node = NULL;
    wh_problems_init(&problems, &arena, NULL);
    CHECK_OK(
        wh_yaml_parse(wh_str_of(texts[i][0]), "test.yaml", &arena, &problems, &node, &test_err));
    CHECK_FAILS(wh_expr_bind(&context, &arena, node, "derive", &table.schema, &expr, &test_err),
                WH_ERR_USAGE);
    if (!CHECK(wh_str_starts(wh_str_of(test_err.text), texts[i][1])))
      printf("# %s\n", test_err.text);
  }
  test_context_free(&context);
  test_table_free(&table);
}

// --- logic ---------------------------------------------------------------------------------------

static const char *const truths[] = {"true", "false", "null"};

static const char *said(int value) {
  static const char *const texts[] = {"true", "false", "~"};
  return texts[value];
}

static int and_of(int a, int b) {
  return a == 1 || b == 1 ? 1 : a == 0 && b == 0 ? 0 : 2;
}

static int not_of(int a) {
  return a == 2 ? 2 : !a;
}

static int or_of(int a, int b) {
  return not_of(and_of(not_of(a), not_of(b)));
}

// All nine pairs, as columns, as constants, and mixed, in more rows than a byte has bits.
TEST(logic_has_three_values) {
  test_table table;
  test_table_init(&table, "a: bool?, b: bool?");
  static const char rows[] = "true|true\ntrue|false\ntrue|~\nfalse|true\nfalse|false\nfalse|~\n"
                             "~|true\n~|false\n~|~\n";
  test_table_add(&table, rows);
  test_table_add(&table, rows);
  const char *texts[] = {"a and b",  "a or b", "not a", "a = b", "a is distinct from b",
                         "a is null"};
  for (int form = 0; form < 6; form++) {
    WH_CLEAN_BUF wh_buf want;
    wh_buf_init(&want, &test_mem, 0);
    wh_buf_add_c(&want, form < 4 ? "bool?:" : "bool:");
    for (int i = 0; i < 18; i++) {
      int a = i % 9 / 3, b = i % 3;
      int value = form == 0   ? and_of(a, b)
                  : form == 1 ? or_of(a, b)
                  : form == 2 ? not_of(a)
                  : form == 3 ? (a == 2 || b == 2 ? 2 : a != b)
                  : form == 4 ? a == b
                              : a != 2;
      wh_buf_printf(&want, " %s", said(value));
    }
    check(&table, texts[form], want.data, NULL);
  }
  for (int i = 0; i < 6; i++) {
    int constant = i / 2, is_or = i % 2;
    WH_CLEAN_BUF wh_buf text, want;
    wh_buf_init(&text, &test_mem, 0);
    wh_buf_init(&want, &test_mem, 0);
    wh_buf_printf(&text, "%s %s b", truths[constant], is_or ? "or" : "and");
    wh_buf_add_c(&want, "bool?:");
    for (int row = 0; row < 18; row++)
      wh_buf_printf(&want, " %s",
                    said(is_or ? or_of(constant, row % 3) : and_of(constant, row % 3)));
    check(&table, text.data, want.data, NULL);
  }
  test_table_free(&table);
}

// --- rows ----------------------------------------------------------------------------------------

#define ROWS                                                                                       \
  "1|0|Ab|x|1.50|0.5|true|false|2026-01-31|2026-01-31T08:55:00Z|2026-01-31T08:55:00|7|9|~|08:55:"  \
  "00|~\n"                                                                                         \
  "~|5| c |~|~|~|~|true|~|~|~|~|~|~|~|~\n"                                                         \
  "9223372036854775807|2||y|-99999999.99|1e308|false|~|1969-12-31|1969-12-31T23:59:59.5Z|"         \
  "1969-12-31T23:59:59.5|-32768|18446744073709551615|~|23:59:59|~\n"

TEST(columns_are_computed_row_by_row) {
  static const example list[] = {
      {"i", "int64?: 1 ~ 9223372036854775807", NULL},
      {"small", "int16?: 7 ~ -32768", NULL},
      {"small + 1", "int64?: 8 ~ -32767", NULL},
      {"-small", "int64?: -7 ~ 32768", NULL},
      {"big", "uint64?: 9 ~ 18446744073709551615", NULL},
      {"big + 1", "decimal(21,0)?: 10 ~ 18446744073709551616", NULL},
      {"big > i", "bool?: true ~ true", NULL},
      {"i * d", "decimal(29,2)?: 1.50 ~ -922337203593243860331452241.93", NULL},
      {"i + 1", "int64?: 2 ~ !", "3: i + 1: the result is out of the range of int64\n"},
      {"i * 2 - 1", "int64?: 1 ~ !", "3: i * 2: the result is out of the range of int64\n"},
      {"i / j", "decimal(25,6)?: ! ~ 4611686018427387903.500000", "1: i / j: division by zero\n"},
      {"i % j", "int64?: ! ~ 1", "1: i % j: division by zero\n"},
      {"f * 10e0", "float64?: 5 ~ !", "3: f * 10e0: the result is out of the range of floats\n"},
      {"f / 0", "float64?: ! ~ !", "1: f / 0: division by zero\n3: f / 0: division by zero\n"},
      {"j != 0 and 10 / j > 1", "bool?: false true true", NULL},
      {"j = 0 or 10 / j > 1", "bool?: true true true", NULL},
      {"if(j = 0, null, 10 / j)", "decimal(8,6)?: ~ 2.000000 5.000000", NULL},
      {"case when j = 0 then 'none' when 10 / j > 3 then 'many' else 'few' end",
       "string: none few many", NULL},
      {"coalesce(if(j = 0, 0.5, null), 10 / j)", "decimal(8,6)?: 0.500000 2.000000 5.000000", NULL},
      {"round(d * 1.2, 1)", "decimal(11,1)?: 1.8 ~ -120000000.0", NULL},
      {"s || t", "string?: Abx ~ y", NULL},
      {"concat(s, t, '.')", "string: Abx.  c . y.", NULL},
      {"'<' || trim(s) || '>'", "string?: <Ab> <c> <>", NULL},
      {"lower(s) = 'ab'", "bool?: true false false", NULL},
      {"length(s)", "int64?: 2 3 0", NULL},
      {"nullif(trim(s), '')", "string?: Ab c ~", NULL},
      {"t is null or t = 'x'", "bool?: true true false", NULL},
      {"t in ('x', 'z')", "bool?: true ~ false", NULL},
      {"i between 1 and 5", "bool?: true ~ false", NULL},
      {"least(i, j, small)", "int64?: 0 5 -32768", NULL},
      {"greatest(d, 0)", "decimal(10,2): 1.50 0.00 0.00", NULL},
      {"d > f", "bool?: true ~ false", NULL},
      {"c is not distinct from null", "bool: false false true", NULL},
      {"day < '2000-01-01'", "bool?: false ~ true", NULL},
      {"at >= '2026-01-01'", "bool?: true ~ false", NULL},
      {"local = at",
       "x.yaml:3:19: derive: =: timestamp without zone and timestamp do not go "
       "together; cast one of them",
       NULL},
      {"local >= day", "bool?: true ~ true", NULL},
      {"year(at) * 100 + month(at)", "int64?: 202601 ~ 196912", NULL},
      {"second(when_)", "int64?: 0 ~ 59", NULL},
      {"date_diff('day', day, date(at))", "int64?: 0 ~ 0", NULL},
      {"date_add(day, j, 'day')", "date?: 2026-01-31 ~ 1970-01-02", NULL},
      {"date_add(day, i, 'day')", "date?: 2026-02-01 ~ !",
       "3: date_add(day, i, 'day'): the result is out of the range of dates\n"},
      {"cast(s as int64)", "int64?: ! ! !",
       "1: 'Ab' is not a whole number\n2: ' c ' is not a whole number\n3: '' is not a whole "
       "number\n"},
      {"none", "null?: ~ ~ ~", NULL},
      {"none + 1", "int64?: ~ ~ ~", NULL},
      {"coalesce(none, i)", "int64?: 1 ~ 9223372036854775807", NULL},
      {"none = 1", "bool?: ~ ~ ~", NULL},
      {"lower(none)", "string?: ~ ~ ~", NULL},
      {"'x'", "string: x x x", NULL},
      {"list is null", "bool: true true true", NULL},
      {"if(b, day, null)", "date?: 2026-01-31 ~ ~", NULL},
  };
  CHECK_ALL(ROWS, list);
}

// --- the table of the reference ------------------------------------------------------------------

static void check_help(const wh_expr_help *help) {
  test_table table;
  test_table_init(&table, "x: int64");
  test_table_add(&table, "1\n");
  wh_buf out;
  sink bad;
  compute(&table, help->example, &out, &bad);
  wh_str type, rest = wh_buf_str(&out);
  CHECK(wh_str_split(&rest, ' ', &type));
  const char *want = strcmp(help->gives, "NULL") == 0 ? "~" : help->gives;
  if (!CHECK_STR(rest, wh_str_of(want))) printf("# in %s\n", help->example);
  CHECK(help->help[0] && help->help[strlen(help->help) - 1] != '.');
  CHECK(help->written[0]);
  wh_buf_free(&out);
  wh_buf_free(&bad.text);
  test_table_free(&table);
}

TEST(examples_of_the_reference_are_true) {
  size_t count = 0;
  for (const wh_expr_help *help = wh_expr_operators; help->name; help++)
    check_help(help);
  for (const wh_expr_help *help; (help = wh_expr_function_help(count)); count++)
    check_help(help);
  CHECK(count > 30);
}

// --- limits --------------------------------------------------------------------------------------

static char *repeated(const char *before, const char *piece, const char *after, size_t times) {
  size_t size = strlen(before) + strlen(piece) * times + strlen(after) + 1;
  char *text = malloc(size), *at = stpcpy(text, before);
  for (size_t i = 0; i < times; i++)
    at = stpcpy(at, piece);
  stpcpy(at, after);
  return text;
}

static void check_limit(const char *before, const char *piece, const char *after, size_t times,
                        const char *want) {
  char *text = repeated(before, piece, after, times);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, COLUMNS);
  wh_expr *expr = NULL;
  wh_status status = bind(&table, &arena, text, false, &expr);
  if (want) {
    CHECK_EQ(status, WH_ERR_USAGE);
    if (!CHECK(strstr(test_err.text, want) != NULL)) printf("# %s\n", test_err.text);
  } else {
    CHECK_OK(status);
  }
  wh_expr_free(expr);
  test_table_free(&table);
  free(text);
}

TEST(limits_are_told) {
  check_limit("", "(", "1", 200, "more than 100 levels");
  check_limit("", "not ", "b", 200, "more than 100 levels");
  check_limit("", "-", "i", 99, NULL);
  check_limit("i", " + i", "", 98, NULL);
  check_limit("i", " + i", "", 120, "more than 100 levels");
  check_limit("b", " and b", "", 700, NULL);
  check_limit("i in (1", ",1", ")", 900, NULL);
  check_limit("i in (1", ",1", ")", 1100, "more than 2000 literals");
  check_limit("'", "x", "'", 9000, "at most 8192 are taken");
}

// Without the columns, everything that depends on one is not known, and the rest is still checked.
TEST(dry_binds_know_what_can_be_known) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "known: int64");
  static const char *const texts[][2] = {
      {"other * 2", "null?"},
      {"lower(other)", "string?"},
      {"other > 1 and other < 'x'", "bool?"},
      {"coalesce(other, 1)", "null"},
      {"case when other then 1 else null end", "null?"},
      {"known + 1", "int64"},
      {"date_trunc('day', other)", "null?"},
      {"cast(other as int64)", "int64?"},
      {"round(other, 2) / 3", "null?"},
      {"other between 1 and '2026-01-01'", "bool?"},
      {"least(other, 3)", "null"},
      {"date_diff('day', other, date '2026-01-01')", "int64?"},
      {"other || 'x'", "string?"},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    wh_expr *expr = NULL;
    if (!CHECK_OK(bind(&table, &arena, texts[i][0], true, &expr))) continue;
    WH_CLEAN_BUF wh_buf type;
    wh_buf_init(&type, &test_mem, 0);
    wh_type_write(&wh_expr_field(expr)->type, &type);
    if (wh_expr_field(expr)->nullable) wh_buf_add_char(&type, '?');
    if (!CHECK_STR(wh_buf_str(&type), wh_str_of(texts[i][1]))) printf("# in %s\n", texts[i][0]);
    wh_expr_free(expr);
  }
  wh_expr *expr = NULL;
  CHECK_FAILS(bind(&table, &arena, "lower(known)", true, &expr), WH_ERR_USAGE);
  CHECK_FAILS(bind(&table, &arena, "other + 'x'", true, &expr), WH_ERR_USAGE);
  test_table_free(&table);
}

// --- exact division and rounding -----------------------------------------------------------------

// a * 10^places / b by schoolbook division in base ten, digit by digit, on texts of digits.
static bool long_quotient(unsigned __int128 a, unsigned __int128 b, int places, char out[100]) {
  char digits[100];
  int count = 0;
  char reversed[50];
  int n = 0;
  for (; a || !n; a /= 10)
    reversed[n++] = (char)('0' + (int)(a % 10));
  while (n)
    digits[count++] = reversed[--n];
  for (int i = 0; i < places; i++)
    digits[count++] = '0';
  unsigned __int128 rest = 0;
  int at = 0;
  for (int i = 0; i < count; i++) {
    rest = rest * 10 + (unsigned)(digits[i] - '0'); // b is below 10^37
    int digit = 0;
    for (; rest >= b; rest -= b)
      digit++;
    if (at || digit) out[at++] = (char)('0' + digit);
  }
  if (!at) out[at++] = '0';
  out[at] = 0;
  if (rest * 2 >= b) { // add one
    int i = at - 1;
    while (i >= 0 && out[i] == '9')
      out[i--] = '0';
    if (i >= 0) {
      out[i]++;
    } else {
      memmove(out + 1, out, (size_t)at + 1);
      out[0] = '1';
      at++;
    }
  }
  return at <= 38;
}

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 11;
}

static unsigned __int128 random_digits(uint64_t *state, int most) {
  int digits = 1 + (int)(next_random(state) % (unsigned)most);
  unsigned __int128 value = 0;
  for (int i = 0; i < digits; i++)
    value = value * 10 + next_random(state) % 10;
  return value;
}

TEST(quotients_are_those_of_long_division) {
  uint64_t state = 7;
  size_t fits = 0, large = 0;
  for (int i = 0; i < 20000; i++) {
    unsigned __int128 a = random_digits(&state, 38), b = random_digits(&state, 37);
    int places = (int)(next_random(&state) % 39);
    if (!b) continue;
    char want[100];
    bool is_wanted = long_quotient(a, b, places, want);
    __int128 got;
    bool is_given = wh_x_quotient((__int128)a, -(__int128)b, places, &got);
    CHECK_EQ(is_given, is_wanted);
    (is_given ? &fits : &large)[0]++;
    if (!is_given || !is_wanted) continue;
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    wh_column column;
    wh_type type = {.kind = WH_DECIMAL, .precision = 38};
    wh_column_init(&column, &test_mem, &type);
    CHECK_OK(wh_column_add_decimal(&column, -got, &test_err));
    wh_column_write(&column, 0, &text);
    wh_column_free(&column);
    CHECK_STR(wh_buf_str(&text), wh_str_of(want));
  }
  CHECK(fits > 3000 && large > 3000);
}

TEST(rounding_takes_the_half_away_from_zero) {
  CHECK_EQ((int64_t)wh_x_round_digits(25, 1), 3);
  CHECK_EQ((int64_t)wh_x_round_digits(24, 1), 2);
  CHECK_EQ((int64_t)wh_x_round_digits(-25, 1), -3);
  CHECK_EQ((int64_t)wh_x_round_digits(-24, 1), -2);
  CHECK_EQ((int64_t)wh_x_round_digits(7, 0), 7);
  CHECK_EQ((int64_t)wh_x_round_digits(4, 38), 0);
}

// --- memory --------------------------------------------------------------------------------------

static wh_status bind_and_eval(const test_table *table, wh_arena *arena, const char *text) {
  wh_expr *expr = NULL;
  WH_TRY(bind(table, arena, text, false, &expr));
  sink bad = {0};
  wh_buf_init(&bad.text, &test_mem, 0);
  const wh_column *columns[32];
  for (size_t i = 0; i < table->schema.count; i++)
    columns[i] = &table->batch.columns[i];
  wh_column out;
  wh_column_init(&out, &test_mem, &wh_expr_field(expr)->type);
  wh_status status = wh_expr_eval(expr, columns, table->batch.rows, &out, note, &bad, &test_err);
  wh_column_free(&out);
  wh_buf_free(&bad.text);
  wh_expr_free(expr);
  return status;
}

// Each allocation in turn is refused: nothing else comes of it, and nothing is left.
TEST(refused_memory_is_told) {
  static const char *const texts[] = {
      "case when i / j > 1.5 and s like 'a%' or b is null then upper(s || 'ä') else 'x' end",
      "s matches '^a' and coalesce(t, replace(s, 'a', 'bb')) in ('x', 'y', null)",
      "if(day > '2026-01-01', greatest(d, i, cast(concat('1', '2') as int64)), round(d * 1.2, 1))",
      "date_add(at, i, 'month') is distinct from date_trunc('week', at)",
  };
  test_table table;
  test_table_init(&table, COLUMNS);
  test_table_add(&table, ROWS);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    size_t used = atomic_load(&test_mem.used), refused = 0;
    for (;; refused++) {
      wh_arena arena;
      wh_arena_init(&arena, &test_mem);
      atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + refused + 1);
      wh_status status = bind_and_eval(&table, &arena, texts[i]);
      atomic_store(&test_mem.fail_at, 0);
      wh_arena_free(&arena);
      CHECK_EQ(atomic_load(&test_mem.used), used);
      if (status == WH_OK) break;
      if (!CHECK_EQ(status, WH_ERR_MEMORY) || refused > 1000) break;
    }
    CHECK(refused > 10);
  }
  test_table_free(&table);
}

// What is read decides the class of what comes of it.
TEST(classes_are_inherited) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "name: string?, n: int64");
  wh_field fields[2] = {table.schema.fields[0], table.schema.fields[1]};
  fields[0].privacy = WH_PERSONAL;
  fields[1].privacy = WH_PUBLIC;
  table.schema.fields = fields;
  static const struct {
    const char *text;
    wh_class privacy;
  } list[] = {{"upper(name)", WH_PERSONAL},          {"n + 1", WH_INTERNAL},
              {"length(name) > n", WH_PERSONAL},     {"'x'", WH_INTERNAL},
              {"if(name = 'x', 1, 2)", WH_PERSONAL}, {"coalesce(name, 'x')", WH_PERSONAL}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    wh_expr *expr = NULL;
    if (!CHECK_OK(bind(&table, &arena, list[i].text, false, &expr))) continue;
    CHECK_EQ(wh_expr_field(expr)->privacy, list[i].privacy);
    wh_expr_free(expr);
  }
  test_table_add(&table, "secret|1\n");
  check(&table, "cast(name as int64)", "int64?: !", "1: the value does not fit the type\n");
  test_table_free(&table);
}
