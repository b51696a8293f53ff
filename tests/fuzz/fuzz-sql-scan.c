// Texts that may be SQL (config/sql_scan.h): the scan ends, its calls stand in the text one behind
// the other, and what it says of each is so.
#include "config/sql_scan.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wh_mem mem;

static void must(bool holds) {
  if (!holds) abort();
}

static bool lies_in(wh_str part, wh_str whole) {
  return part.data >= whole.data && part.data + part.len <= whole.data + whole.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &mem);
  wh_sql_scan scan = {.sql = wh_str_n((const char *)data, size)};
  wh_sql_call call;
  size_t before = 0;
  while (wh_sql_next_call(&scan, &call)) {
    must(call.name.len && lies_in(call.name, scan.sql));
    must(call.at >= before && call.at + call.name.len <= scan.at && scan.at <= size);
    before = scan.at;
    must(wh_sql_unquote(call.name, &arena).data);
    if (!call.has_text) continue;
    must(call.text.len >= 2 && lies_in(call.text, scan.sql));
    must(wh_sql_unquote(call.text, &arena).len <= call.text.len - 2);
    uint32_t line, column;
    wh_sql_place(scan.sql, call.at, &line, &column);
    must(line >= 1 && column >= 1);
  }
  must(scan.at == size);
  return 0;
}
