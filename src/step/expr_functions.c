// The table of functions, in the order of the reference, and what is said of the operators.
#include "step/expr_private.h"

// The parser makes these of others.
static const wh_x_function short_if = {
    .help = {"if", "if(condition, a, b)",
             "a where the condition is true, else b; `case when ... then ... else ... end` has "
             "several",
             "if(1 > 2, 'yes', 'no')", "no"}};
static const wh_x_function short_nullif = {.help = {"nullif", "nullif(a, b)",
                                                    "NULL where they are equal, else a",
                                                    "nullif('', '')", "NULL"}};

static const wh_x_function *const functions[] = {
    &wh_x_lower,    &wh_x_upper,     &wh_x_trim,       &wh_x_length,      &wh_x_substring,
    &wh_x_replace,  &wh_x_concat,    &wh_x_split_part, &wh_x_starts_with, &wh_x_ends_with,
    &wh_x_contains, &wh_x_coalesce,  &short_nullif,    &short_if,         &wh_x_least,
    &wh_x_greatest, &wh_x_cast,      &wh_x_abs,        &wh_x_round,       &wh_x_floor,
    &wh_x_ceil,     &wh_x_date,      &wh_x_year,       &wh_x_month,       &wh_x_day,
    &wh_x_weekday,  &wh_x_hour,      &wh_x_minute,     &wh_x_second,      &wh_x_date_trunc,
    &wh_x_date_add, &wh_x_date_diff, &wh_x_now,
};
enum { COUNT = sizeof functions / sizeof *functions };

const wh_expr_help *wh_expr_function_help(size_t i) {
  return i < COUNT ? &functions[i]->help : NULL;
}

const wh_x_function *wh_x_function_by_name(wh_str name) {
  for (size_t i = 0; i < COUNT; i++)
    if (wh_str_eq_nocase(name, wh_str_of(functions[i]->help.name))) return functions[i];
  return NULL;
}

wh_status wh_x_fail_function(const wh_x_bind *bind, wh_str name, size_t at, wh_error *err) {
  wh_str words[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    words[i] = wh_str_of(functions[i]->help.name);
  wh_str nearest = wh_str_nearest(name, words, COUNT);
  wh_str shown = wh_str_sub(name, 0, wh_utf8_cut(name, WH_SHOWN_MAX));
  if (nearest.data)
    return wh_x_fail_at(bind, at, err, "no function '%.*s'. Did you mean '%.*s'?",
                        WH_STR_ARG(shown), WH_STR_ARG(nearest));
  return wh_x_fail_at(bind, at, err, "no function '%.*s'. See them: docs/reference/steps.md",
                      WH_STR_ARG(shown));
}

const wh_expr_help wh_expr_operators[] = {
    {"or", "a or b", "true where one is; NULL where that depends on a NULL", "null or true",
     "true"},
    {"and", "a and b", "true where both are; NULL where that depends on a NULL", "null and true",
     "NULL"},
    {"not", "not a", "the contrary; of NULL, NULL", "not 1 > 2", "true"},
    {"= != <> < <= > >=", "a = b, a != b, a <> b, a < b, a <= b, a > b, a >= b",
     "of one kind: numbers by value, text by its bytes; NULL beside a NULL", "1.50 = 1.5", "true"},
    {"is null", "a is null, a is not null", "never NULL", "null is null", "true"},
    {"is distinct from", "a is distinct from b, a is not distinct from b",
     "!= and =, with NULL as a value like others", "null is distinct from 1", "true"},
    {"in", "a in (b, c), a not in (b, c)", "whether it is one of them", "2 in (1, 2, 3)", "true"},
    {"between", "a between b and c", "a >= b and a <= c", "2 between 1 and 3", "true"},
    {"like", "a like 'SO-%'", "the whole text, with % for any text and _ for any character",
     "'SO-4711' like 'SO-____'", "true"},
    {"matches", "a matches '^[0-9]+$'", "a POSIX extended regular expression, anywhere in the text",
     "'SO-4711' matches '[0-9]+$'", "true"},
    {"||", "a || b", "two texts, one behind the other", "'a' || 'b'", "ab"},
    {"+ -", "a + b, a - b", "int64, an exact decimal, or a float where one is a float",
     "0.1 + 0.20", "0.30"},
    {"* / %", "a * b, a / b, a % b",
     "a quotient of whole numbers and decimals is a decimal with 6 places, or as many as they have "
     "where that is more, the half rounded away from zero; % has the sign of a",
     "2 / 3", "0.666667"},
    {"-", "-a", "its negative", "-(2 + 3)", "-5"},
    {0},
};
