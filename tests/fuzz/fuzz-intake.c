// Bodies of requests for events (connect/ingest/intake.h). The input's first byte says whether it
// is JSON or NDJSON, the rest is the body. What is taken is NDJSON of the declared columns: taken
// again it is the same, and nothing of it is refused.
#include "connect/ingest/intake.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_schema(wh_arena *arena, wh_schema *ret) {
  static const char *const types[] = {"string", "decimal(12,2)", "timestamp", "bool",
                                      "int64",  "list<string?>", "float64",   "date"};
  enum { COUNT = sizeof types / sizeof types[0] };
  static const wh_str names[COUNT] = {WH_STR("id"), WH_STR("a"), WH_STR("b"), WH_STR("c"),
                                      WH_STR("d"),  WH_STR("e"), WH_STR("f"), WH_STR("g/~")};
  wh_field *fields = WH_NEW_ARRAY(arena, COUNT, wh_field);
  if (!fields) abort();
  for (size_t i = 0; i < COUNT; i++) {
    fields[i] = (wh_field){.name = names[i], .nullable = i > 0};
    if (wh_type_parse(wh_str_of(types[i]), arena, &fields[i].type, NULL) != WH_OK) abort();
  }
  *ret = (wh_schema){COUNT, fields};
}

static void check_again(const wh_intake *first, const wh_schema *schema, wh_mem *mem) {
  wh_intake again;
  wh_buf text; // as the source reads it: a zero byte near its begin says nothing of its encoding
  wh_intake_init(&again, mem);
  wh_buf_init(&text, mem, 0);
  wh_buf_add_c(&text, "  ");
  if (!wh_buf_add_str(&text, wh_buf_str(&first->lines))) abort();
  wh_status status =
      wh_intake_read(&again, schema, WH_INTAKE_LINES, wh_buf_str(&text), SIZE_MAX, NULL);
  wh_buf_free(&text);
  if (status != WH_OK || again.events != first->events) abort();
  if (again.rejected != first->rejected) abort();
  if (!first->rejected && !wh_str_eq(wh_buf_str(&again.lines), wh_buf_str(&first->lines))) abort();
  wh_intake_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  wh_mem mem;
  wh_arena arena;
  wh_schema schema;
  wh_error err = {0};
  wh_intake intake;
  wh_mem_init(&mem, 64 << 20);
  wh_arena_init(&arena, &mem);
  make_schema(&arena, &schema);
  wh_intake_init(&intake, &mem);
  wh_intake_kind kind = data[0] % 2 ? WH_INTAKE_JSON : WH_INTAKE_LINES;
  wh_str body = wh_str_n((const char *)data + 1, size - 1);
  wh_status status = wh_intake_read(&intake, &schema, kind, body, SIZE_MAX, &err);
  if (status != WH_OK && status != WH_ERR_DATA) abort();
  if (status == WH_ERR_DATA && !err.text[0]) abort();
  if (status == WH_OK) check_again(&intake, &schema, &mem);
  wh_intake_free(&intake);
  wh_arena_free(&arena);
  if (atomic_load(&mem.used) != 0) abort();
  return 0;
}
