// Any bytes as a request of API Gateway (lambda/gateway.h), and a part of them as what it is
// answered.
//
// What must hold: no crash, no leak; an error has a text; what is read has a method, a path and an
// address or none, and every header has a name; an answer is a JSON object of the four words that
// the gateway knows, with the body that was given.
// The first byte: with bit 0 set, the allocation numbered by the second byte fails.
#include "lambda/gateway.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static void try_answer(const wh_gateway_request *request, wh_mem *mem) {
  wh_gateway_answer answer = {.status = 503, .type = "application/json", .body = request->body};
  WH_CLEAN_BUF wh_buf out;
  WH_CLEAN_JSON json_t *json = NULL;
  wh_error err = {0};
  wh_buf_init(&out, mem, 0);
  if (!wh_utf8_valid(request->body)) return; // what is answered is ours, and text
  wh_gateway_write(&answer, &out);
  must(!out.failed, "memory");
  must(wh_json_load(wh_buf_str(&out), out.len, "it", &json, &err) == WH_OK, "an answer is JSON");
  must(json_integer_value(json_object_get(json, "statusCode")) == 503, "it has its status");
  must(wh_str_eq(wh_json_text(json, "body"), request->body), "and its body");
}

static void try_request(const json_t *event, wh_mem *mem, const uint8_t *choice) {
  wh_gateway_request request;
  wh_arena arena;
  wh_error err = {0};
  wh_str value = {0};
  wh_arena_init(&arena, mem);
  if (choice[0] & 1) atomic_store(&mem->fail_at, choice[1]);
  wh_status status = wh_gateway_read(event, &arena, &request, &err);
  atomic_store(&mem->fail_at, 0);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  if (status == WH_OK) {
    must(request.method.data && request.path.data && request.source_ip.data && request.body.data,
         "what is not said is empty");
    for (size_t i = 0; i < request.header_count; i++)
      must(request.headers[i].name.data && request.headers[i].value.data, "a header has a name");
    size_t count = wh_gateway_header_of(&request, "Content-Type", &value);
    must(count <= request.header_count && (!count || value.data),
         "a header that is there is found");
    try_answer(&request, mem);
  }
  wh_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_error err = {0};
  json_t *event = NULL;
  wh_mem_init(&mem, 0);
  wh_str text = wh_str_n((const char *)data + 2, size - 2);
  if (wh_json_load(text, size, "the event", &event, &err) == WH_OK && wh_gateway_is(event))
    try_request(event, &mem, data);
  json_decref(event);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
  return 0;
}
