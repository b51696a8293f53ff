#include "lambda/runtime.h"

#include "base/buf.h"

#define API "http://%.*s/2018-06-01/runtime/"

// The answer to `next` comes with the next event, whenever that is.
static const int64_t PATIENCE_US = 366ll * 24 * 3600 * 1000000;

wh_status wh_runtime_open(wh_os *os, wh_mem *mem, wh_str api, const atomic_bool *cancel,
                          wh_runtime *ret, wh_error *err) {
  wh_http_options options = {.os = os, .mem = mem, .cancel = cancel, .tls = WH_TLS_OFF};
  *ret = (wh_runtime){.mem = mem, .api = api};
  return wh_http_new(&options, &ret->http, err);
}

static wh_status exchange(wh_runtime *r, wh_http_request *request, wh_arena *arena,
                          const char *what, wh_str id, wh_http_exchange **ret, wh_error *err) {
  request->url = wh_arena_printf(arena, API "%s%.*s%s", WH_STR_ARG(r->api),
                                 id.len ? "invocation/" : "", WH_STR_ARG(id), what);
  if (!request->url.data) return wh_fail_memory(err);
  wh_http_exchange *x, *done;
  WH_TRY(wh_http_start(r->http, request, &x, err));
  wh_status status = wh_http_wait(r->http, x, -1, &done, err);
  if (status == WH_OK && x->status != WH_OK) {
    if (err) *err = x->error;
    status = x->status;
  }
  if (status == WH_OK && x->code / 100 != 2)
    status = wh_fail(err, WH_ERR_UNAVAILABLE, "Lambda's Runtime API says %d to %.*s: %.*s", x->code,
                     WH_STR_ARG(request->url), (int)wh_utf8_cut(x->body, 200), x->body.data);
  if (status == WH_OK)
    *ret = x;
  else
    wh_http_end(x);
  return status;
}

wh_status wh_runtime_next(wh_runtime *r, wh_invocation *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, r->mem);
  wh_http_end(r->next);
  r->next = NULL;
  wh_http_request request = {
      .method = "GET", .body_bytes_max = WH_RUNTIME_EVENT_BYTES_MAX, .idle_us = PATIENCE_US};
  WH_TRY(exchange(r, &request, &arena, "invocation/next", (wh_str){0}, &r->next, err));
  int64_t deadline_ms = 0;
  wh_str text = wh_http_header_get(r->next, "Lambda-Runtime-Deadline-Ms");
  if (text.len && !wh_str_to_i64(text, &deadline_ms)) deadline_ms = 0;
  *ret = (wh_invocation){.id = wh_http_header_get(r->next, "Lambda-Runtime-Aws-Request-Id"),
                         .deadline_us = deadline_ms * 1000,
                         .event = r->next->body};
  if (ret->id.len) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "Lambda's Runtime API gave an invocation without an id");
}

static wh_status post(wh_runtime *r, const char *what, wh_str id, wh_str body,
                      const char *error_type, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, r->mem);
  wh_http_header headers[] = {
      {WH_STR("Content-Type"), WH_STR("application/json")},
      {WH_STR("Lambda-Runtime-Function-Error-Type"), wh_str_of(error_type ? error_type : "")}};
  wh_http_request request = {.method = "POST",
                             .headers = headers,
                             .header_count = error_type ? 2 : 1,
                             .body = &body,
                             .body_count = 1};
  wh_http_exchange *x;
  WH_TRY(exchange(r, &request, &arena, what, id, &x, err));
  wh_http_end(x);
  return WH_OK;
}

wh_status wh_runtime_answer(wh_runtime *r, wh_str id, wh_str json, wh_error *err) {
  return post(r, "/response", id, json, NULL, err);
}

wh_status wh_runtime_fail(wh_runtime *r, wh_str id, const wh_error *why, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, r->mem, 0);
  const char *type = wh_status_name(why->status);
  wh_buf_add_c(&body, "{\"errorMessage\":");
  wh_buf_add_json(&body, wh_str_of(why->text));
  wh_buf_printf(&body, ",\"errorType\":\"%s\",\"stackTrace\":[]}", type);
  WH_TRY(wh_buf_check(&body, err));
  return post(r, id.len ? "/error" : "init/error", id, wh_buf_str(&body), type, err);
}

void wh_runtime_close(wh_runtime *r) {
  wh_http_end(r->next);
  wh_http_free(r->http);
  *r = (wh_runtime){0};
}
