// Any bytes as an event of objects.
//
// What must hold: no crash, no leak; an error has a text; what was found has a bucket and a key.
// The first byte: with bit 0 set, the allocation numbered by the second byte fails.
#include "connect/object_event.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_arena arena;
  wh_error err = {0};
  wh_object_events found;
  wh_mem_init(&mem, 0);
  wh_arena_init(&arena, &mem);
  if (data[0] & 1) atomic_store(&mem.fail_at, data[1]);
  wh_str text = wh_str_n((const char *)data + 2, size - 2);
  wh_status status = wh_object_events_parse(text, &arena, &found, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  for (size_t i = 0; status == WH_OK && i < found.count; i++) {
    must(found.items[i].bucket.len && found.items[i].key.len, "an object has a name");
    must(found.items[i].key.len <= text.len, "decoding makes nothing longer");
  }
  wh_arena_free(&arena);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
  return 0;
}
