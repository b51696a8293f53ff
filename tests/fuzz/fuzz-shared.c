// Any bytes as what workers that share an extract leave for each other.
//
// The first byte says what (0: a range, 1: its result, 2: rejected rows; bit 2: the allocation
// numbered by the second byte fails). What must hold: no crash, no leak; an error has a text; what
// was read is written and read again as the same.
#include "engine/rejects.h"
#include "engine/shared_words.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 20, KINDS = 3 };

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static wh_status parse_task(wh_mem *mem, wh_str json, wh_buf *out, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_range_task task;
  WH_TRY(wh_range_task_parse(json, &arena, &task, err));
  must(task.schema.count > 0, "a range has columns");
  return wh_range_task_write(&task, out) ? WH_OK : wh_fail_memory(err);
}

static wh_status parse_result(wh_mem *mem, wh_str json, wh_buf *out, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_range_result r;
  wh_type cursor = wh_type_of(WH_INT64);
  WH_TRY(wh_range_result_parse(json, &cursor, &arena, &r, err));
  must(r.counts.read == r.counts.written + r.counts.filtered + r.counts.quarantined, "it adds up");
  return wh_range_result_write(&r, out) ? WH_OK : wh_fail_memory(err);
}

typedef struct text_output {
  wh_output base;
  wh_buf *text;
} text_output;

static wh_status add_text(wh_output *base, const void *data, size_t len, wh_error *err) {
  wh_buf *text = ((text_output *)base)->text;
  wh_buf_add(text, data, len);
  return wh_buf_check(text, err);
}

static wh_status load_rejects(wh_mem *mem, wh_str saved, wh_buf *out, wh_error *err) {
  wh_bytes_input in;
  wh_reject_lines lines;
  text_output to = {{.write = add_text}, out};
  WH_CLEAN_BUF wh_buf text = {.mem = mem};
  wh_bytes_input_init(&in, saved.data, saved.len);
  wh_reject_lines_init(&lines, mem, 0);
  wh_status status = WH_OK;
  while (status == WH_OK) {
    status = wh_reject_lines_load(&lines, &in.base, err);
    lines.base_row = 7;
    if (status == WH_OK) status = wh_reject_lines_write(&lines, &text, err);
    if (status == WH_OK) status = wh_reject_lines_save(&lines, &to.base, err);
    must(status != WH_OK || text.len >= lines.lines.len, "every line is written");
  }
  wh_reject_lines_free(&lines);
  return status == WH_ERR_END ? WH_OK : status;
}

static wh_status run(int kind, wh_mem *mem, wh_str in, wh_buf *out, wh_error *err) {
  static wh_status (*const runs[KINDS])(wh_mem *, wh_str, wh_buf *,
                                        wh_error *) = {parse_task, parse_result, load_rejects};
  return runs[kind](mem, in, out, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_error err = {0};
  int kind = (data[0] & 3) % KINDS;
  wh_mem_init(&mem, MEMORY);
  wh_buf first = {.mem = &mem}, second = {.mem = &mem};
  if (data[0] & 4) atomic_store(&mem.fail_at, 1 + data[1]);
  wh_status status = run(kind, &mem, wh_str_n((const char *)data + 2, size - 2), &first, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || err.text[0], "an error has a text");
  must(status != WH_ERR_BUG, "an error of the bytes");
  if (status == WH_OK) {
    must(run(kind, &mem, wh_buf_str(&first), &second, &err) == WH_OK, "it is read again");
    must(wh_str_eq(wh_buf_str(&first), wh_buf_str(&second)), "as the same");
  }
  wh_buf_free(&first);
  wh_buf_free(&second);
  must(atomic_load(&mem.used) == 0, "all memory is given back");
  return 0;
}
