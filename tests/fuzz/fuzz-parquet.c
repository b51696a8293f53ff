// Any bytes as a Parquet file.
//
// The first byte says how it is read (bit 0: in parts; bit 1: in small batches; bit 2: the
// allocation numbered by the second byte fails; bit 3: some rows only, by the second byte; bit 4:
// without vector instructions); the file follows behind the second.
// What must hold: no crash, no leak, no undefined behaviour; an error has a text; memory stays
// below a ceiling; all ways give the same rows.
#include "base/cpu.h"
#include "parquet_file.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 20, ROW_MOST = 1 << 20 };

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static wh_status run(wh_mem *mem, wh_str file, uint8_t how, uint8_t number, parquet_reading *r) {
  wh_error err = {0};
  static wh_node from = {.kind = WH_NODE_SCALAR}, to = {.kind = WH_NODE_SCALAR, .plain = true};
  static wh_node key = {.kind = WH_NODE_SCALAR, .text = WH_STR_INIT("c0")};
  static wh_node *items[] = {&from, &to};
  static wh_node range = {.kind = WH_NODE_LIST, .items = items, .count = 2};
  static wh_node_entry entry = {&key, &range};
  static const wh_node where = {.kind = WH_NODE_MAP, .entries = &entry, .count = 1};
  char bound[] = {(char)('0' + number % 10), 0};
  from.text = wh_str_n(bound, 1);
  parquet_reading_init(r, mem);
  r->context.row_limit_bytes = ROW_MOST;
  r->in_parts = how & 1;
  r->context.part_rows = 50;
  r->context.batch_rows = how & 2 ? 3 : 0;
  if (how & 8) r->options.where = &where;
  wh_cpu_limit(how & 16 ? WH_CPU_PLAIN : WH_CPU_AVX512);
  wh_status status = parquet_reading_run(r, file, &err);
  must(status == WH_OK || err.text[0], "an error has a text");
  must(status != WH_ERR_BUG && status != WH_ERR_IO && status != WH_ERR_END, "an error of the file");
  return status;
}

// The rows that came before an error may differ by way; those of a whole file must not.
static void compare(wh_mem *mem, wh_str file, const parquet_reading *first) {
  static const uint8_t ways[] = {0, 1, 2, 16 + 3};
  for (size_t i = 0; i < sizeof ways; i++) {
    parquet_reading r;
    wh_status status = run(mem, file, ways[i], 0, &r);
    must(status == WH_OK || status == WH_ERR_MEMORY, "read another way, it is read too");
    if (status == WH_OK)
      must(wh_str_eq(wh_buf_str(&first->text), wh_buf_str(&r.text)), "the same rows");
    parquet_reading_free(&r);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_mem mem;
  parquet_reading r;
  if (size < 2) return 0;
  wh_mem_init(&mem, MEMORY);
  wh_str file = wh_str_n((const char *)data + 2, size - 2);
  if (data[0] & 4) atomic_store(&mem.fail_at, 1 + data[1]);
  wh_status status = run(&mem, file, data[0], data[1], &r);
  atomic_store(&mem.fail_at, 0);
  if (status == WH_OK && !(data[0] & 12)) compare(&mem, file, &r);
  parquet_reading_free(&r);
  must(atomic_load(&mem.used) == 0, "all memory is given back");
  return 0;
}
