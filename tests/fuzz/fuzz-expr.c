// Expressions of any text, over a few rows of every type (step/expr.h). What binds also binds dry
// and in pieces of a batch gives what it gives in one.
#include "step/expr.h"

#include "data/value.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 16, ROWS = 11 };

typedef struct rows {
  wh_schema schema;
  wh_batch batch;
} rows;

static wh_mem mem;
static wh_arena arena;
static rows table, part; // all rows, and one

static const char fields[] =
    "struct<i: int64?, j: int32?, s: string?, t: string?, d: decimal(38,10)?, e: decimal(5,2)?, "
    "f: float64?, b: bool?, day: date?, at: timestamp[us,UTC]?, u: uint64?, none: null?, "
    "l: list<int64>?, local: timestamp[ms]?>";
static const char *const kinds_of_rows[] = {
    "1|-1|a|Straße|1.5|0.01|0.5|true|2026-01-31|2026-01-31T08:55:00Z|1|~|~|2026-01-31T08:55:00",
    ("9223372036854775807|-2147483648||50%_|-9999999999999999999999999999.9999999999|-999.99|"
     "-1e308|false|-000043-03-15|1969-12-31T23:59:59.999999Z|18446744073709551615|~|~|~"),
    "~|~|~|~|~|~|~|~|~|~|~|~|~|~",
    "-9223372036854775808|0|  b "
    "|12|0|0|NaN|true|9999-12-31|9999-12-31T23:59:59Z|0|~|~|1969-12-31T23:59:59.999",
    "0|7|2026-01-31|x|-0.5|1|Infinity|~|2024-02-29|2024-02-29T00:00:00Z|5|~|~|0001-01-01T00:00:00",
};

static void must(wh_status status) {
  if (status != WH_OK) abort();
}

static void make(rows *t) {
  wh_type type;
  must(wh_type_parse(wh_str_of(fields), &arena, &type, NULL));
  t->schema = (wh_schema){type.field_count, type.fields};
  must(wh_batch_init(&t->batch, &mem, &t->schema, NULL));
}

static void add_row(wh_str text) {
  for (size_t i = 0; i < table.schema.count; i++) {
    wh_column *column = &table.batch.columns[i];
    wh_value value = {.is_null = true};
    wh_str cell = {0};
    wh_str_split(&text, '|', &cell);
    if (!wh_str_is(cell, "~")) must(wh_value_parse(cell, &column->type, &arena, &value, NULL));
    must(wh_value_add(column, &value, NULL));
  }
  wh_batch_row_end(&table.batch);
}

// Once; it stays.
static void make_tables(void) {
  wh_mem_init(&mem, 256 << 20);
  wh_arena_init(&arena, &mem);
  make(&table);
  make(&part);
  for (size_t i = 0; i < ROWS; i++)
    add_row(wh_str_of(kinds_of_rows[i % 5]));
}

static wh_status ignore(void *context, size_t row, const char *reason, wh_error *err) {
  (void)err;
  if (!reason[0] || row >= ROWS) abort();
  ((bool *)context)[row] = true;
  return WH_OK;
}

static void evaluate(wh_expr *expr, const rows *t, wh_column *out, bool *bad) {
  const wh_column *columns[COLUMNS_MAX];
  wh_error err = {0};
  for (size_t i = 0; i < t->schema.count; i++)
    columns[i] = &t->batch.columns[i];
  wh_column_init(out, &mem, &wh_expr_field(expr)->type);
  wh_status status = wh_expr_eval(expr, columns, t->batch.rows, out, ignore, bad, &err);
  if (status != WH_OK && status != WH_ERR_LIMIT && status != WH_ERR_MEMORY) abort();
  if (status == WH_OK && out->length != t->batch.rows) abort();
  for (size_t i = 0; i < out->length && status == WH_OK; i++) {
    if (!wh_column_is_null(out, i) && out->type.kind == WH_STRING &&
        !wh_utf8_valid(wh_column_text(out, i)))
      abort();
    if (wh_column_is_null(out, i) && !bad[i] && !wh_expr_field(expr)->nullable) abort();
  }
}

// Row by row it is the same.
static void check_row(wh_expr *expr, size_t row, const wh_column *whole, bool is_bad) {
  wh_error err = {0};
  wh_batch_reset(&part.batch);
  for (size_t i = 0; i < table.schema.count; i++)
    if (wh_column_add_from(&part.batch.columns[i], &table.batch.columns[i], row, &err) != WH_OK)
      abort();
  part.batch.rows = 1;
  wh_column one;
  bool bad[ROWS] = {0};
  evaluate(expr, &part, &one, bad);
  if (bad[0] != is_bad) abort();
  WH_CLEAN_BUF wh_buf a, b;
  wh_buf_init(&a, &mem, 0);
  wh_buf_init(&b, &mem, 0);
  if (!is_bad) {
    if (wh_column_is_null(&one, 0) != wh_column_is_null(whole, row)) abort();
    if (!wh_column_is_null(&one, 0)) {
      wh_column_write(&one, 0, &a);
      wh_column_write(whole, row, &b);
      if (!wh_str_eq(wh_buf_str(&a), wh_buf_str(&b))) abort();
    }
  }
  wh_column_free(&one);
}

static void check(wh_expr *expr) {
  wh_column whole;
  bool bad[ROWS] = {0};
  evaluate(expr, &table, &whole, bad);
  for (size_t row = 0; row < whole.length; row++)
    check_row(expr, row, &whole, bad[row]);
  wh_column_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!table.schema.count) make_tables();
  wh_node node = {.kind = WH_NODE_SCALAR, .file = "f", .line = 1, .column = 1, .text_column = 1};
  node.text = wh_str_n((const char *)data, size);
  wh_step_context context = {.mem = &mem, .start_us = 1770000000000000};
  wh_expr *expr = NULL, *dry = NULL;
  wh_arena own;
  wh_arena_init(&own, &mem);
  wh_error err = {0};
  wh_status status = wh_expr_bind(&context, &own, &node, "fuzz", &table.schema, &expr, &err);
  context.dry = true;
  wh_schema nothing = {0};
  wh_status unknown = wh_expr_bind(&context, &own, &node, "fuzz", &nothing, &dry, &err);
  if (status == WH_OK && unknown != WH_OK && unknown != WH_ERR_MEMORY) abort();
  if (status == WH_OK) check(expr);
  wh_expr_free(expr);
  wh_expr_free(dry);
  wh_arena_free(&own);
  return 0;
}
