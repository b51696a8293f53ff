// Any bytes as an event of Lambda, or as an answer of its Runtime API.
//
// What must hold: no crash, no leak; an error has a text; a message of SQS has an id; an answer's
// parts lie within it.
// The first byte: 0 is an answer; with bit 0 set, the allocation numbered by the second byte fails.
#include "lambda/event.h"
#include "lambda/runtime.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static void try_answer(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  must(text != NULL, "memory");
  memcpy(text, data, size);
  wh_runtime_said said;
  if (wh_runtime_parse(text, size, &said)) {
    must(said.code <= 999, "a code has three digits");
    must(said.body.data >= text && said.body.data + said.body.len <= text + size,
         "a body is there");
  }
  free(text);
}

static void try_event(wh_str text, const uint8_t *choice) {
  wh_mem mem;
  wh_arena arena;
  wh_error err = {0};
  wh_lambda_event event;
  wh_mem_init(&mem, 0);
  wh_arena_init(&arena, &mem);
  if (choice[0] & 1) atomic_store(&mem.fail_at, choice[1]);
  wh_status status = wh_lambda_event_parse(text, &arena, &event, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  if (status == WH_OK) {
    bool is_messages = event.kind == WH_LAMBDA_MESSAGES;
    must(is_messages == (event.message_count > 0), "there are messages, or a call");
    must((event.kind == WH_LAMBDA_RUN) == (event.pipeline_count > 0), "a call names a pipeline");
    for (size_t i = 0; event.is_sqs && i < event.message_count; i++)
      must(event.messages[i].id.len, "a message has an id");
  }
  wh_arena_free(&arena);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  if (data[0] == 0)
    try_answer(data + 2, size - 2);
  else
    try_event(wh_str_n((const char *)data + 2, size - 2), data);
  return 0;
}
