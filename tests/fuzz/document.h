// The body of fuzzers of documents: any bytes as one of a kind.
//
// What must hold: no crash, no leak; an error has a text; what was taken, written and read again
// is the same document. The first byte: with bit 0 set, the allocation numbered by the second byte
// fails.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct document_kind {
  // Documents are those of the fuzzer; parse fills one, in the arena.
  wh_status (*parse)(wh_str text, wh_arena *arena, void *ret, wh_error *err);
  bool (*write)(const void *document, wh_buf *out);
  bool (*same)(const void *a, const void *b); // NULL: what they write says it all
  void *first, *second;                       // room for one each
} document_kind;

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static void check_again(const document_kind *kind, wh_mem *mem) {
  wh_arena arena;
  wh_buf first, second;
  wh_error err;
  wh_arena_init(&arena, mem);
  wh_buf_init(&first, mem, 0);
  wh_buf_init(&second, mem, 0);
  must(kind->write(kind->first, &first), "what was read is written");
  wh_status status = kind->parse(wh_buf_str(&first), &arena, kind->second, &err);
  if (status != WH_OK) fprintf(stderr, "%s\n%s\n", err.text, first.data);
  must(status == WH_OK, "what was written is read");
  must(kind->write(kind->second, &second), "and written again");
  must(wh_str_eq(wh_buf_str(&first), wh_buf_str(&second)), "the same document");
  if (kind->same) must(kind->same(kind->first, kind->second), "the same values");
  wh_arena_free(&arena);
  wh_buf_free(&first);
  wh_buf_free(&second);
}

static int fuzz_document(const document_kind *kind, const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_arena arena;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  wh_arena_init(&arena, &mem);
  if (data[0] & 1) atomic_store(&mem.fail_at, data[1]);
  wh_str text = wh_str_n((const char *)data + 2, size - 2);
  wh_status status = kind->parse(text, &arena, kind->first, &err);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  atomic_store(&mem.fail_at, 0);
  if (status == WH_OK) check_again(kind, &mem);
  wh_arena_free(&arena);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
  return 0;
}
