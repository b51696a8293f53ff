// Any bytes as an answer of an HTTP Event Collector, and as the ledger's note of a mark.
//
// What must hold: no crash, no leak; an error has a text; what was said is printable; only an
// answer with a code counts as taken. The first byte: with bit 0 set, the allocation numbered by
// the second byte fails (of the note; jansson's own are not accounted for); the HTTP status is
// chosen by the rest of it.
#include "connect/splunk/answer.h"
#include "engine/noted_mark.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static void add(void *context, uint64_t ack) {
  uint64_t *sum = context;
  *sum += ack;
}

static void read_answer(int status, wh_str body) {
  wh_splunk_answer a;
  wh_splunk_options options = {.url = WH_STR("https://splunk:8088")};
  wh_connection c = {.name = WH_STR("splunk"), .options = &options};
  wh_error err = {0};
  uint64_t sum = 0;
  wh_splunk_answer_read(status, body, &a);
  must(a.verdict != WH_SPLUNK_TAKEN || a.code >= 0, "only the collector takes");
  for (size_t i = 0; a.text[i]; i++)
    must((unsigned char)a.text[i] >= 0x20 && a.text[i] != 0x7F, "its words are printable");
  must(wh_splunk_answer_fail(&c, status, &a, &err) != WH_OK && err.text[0], "an error has a text");
  err = (wh_error){0};
  wh_status read = wh_splunk_acks_read(body, add, &sum, &err);
  must(read == WH_OK || err.text[0], "an error has a text");
}

static void read_note(bool fails, uint8_t at, wh_str note) {
  wh_mem mem;
  wh_arena arena;
  wh_mark mark;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  wh_arena_init(&arena, &mem);
  if (fails) atomic_store(&mem.fail_at, at);
  wh_status status = wh_noted_mark_read(note, &arena, &mark, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  wh_arena_free(&arena);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int statuses[] = {200, 201, 301, 400, 401, 403, 404, 408, 413, 429, 500, 501, 503};
  if (size < 2) return 0;
  wh_str text = wh_str_n((const char *)data + 2, size - 2);
  read_answer(statuses[(data[0] >> 1) % (sizeof statuses / sizeof *statuses)], text);
  read_note(data[0] & 1, data[1], text);
  return 0;
}
