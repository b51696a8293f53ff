// Any bytes as the index of a site.
//
// What must hold: no crash, no leak; an error has a text; what was taken, written and read again
// is the same document. The first byte: with bit 0 set, the allocation numbered by the second byte
// fails.
#include "ledger/site_index.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static void check_again(wh_mem *mem, const wh_site_index *index) {
  wh_arena arena;
  wh_buf first, second;
  wh_error err;
  wh_arena_init(&arena, mem);
  wh_buf_init(&first, mem, 0);
  wh_buf_init(&second, mem, 0);
  must(wh_site_write(index, &first), "what was read is written");
  wh_site_index again;
  wh_status status = wh_site_parse(wh_buf_str(&first), &arena, &again, &err);
  if (status != WH_OK) fprintf(stderr, "%s\n%s\n", err.text, first.data);
  must(status == WH_OK, "what was written is read");
  must(wh_site_write(&again, &second), "and written again");
  must(wh_str_eq(wh_buf_str(&first), wh_buf_str(&second)), "the same document");
  wh_arena_free(&arena);
  wh_buf_free(&first);
  wh_buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_arena arena;
  wh_error err = {0};
  wh_site_index index;
  wh_mem_init(&mem, 0);
  wh_arena_init(&arena, &mem);
  if (data[0] & 1) atomic_store(&mem.fail_at, data[1]);
  wh_str text = wh_str_n((const char *)data + 2, size - 2);
  wh_status status = wh_site_parse(text, &arena, &index, &err);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  atomic_store(&mem.fail_at, 0);
  if (status == WH_OK) check_again(&mem, &index);
  wh_arena_free(&arena);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
  return 0;
}
