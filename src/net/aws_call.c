// Requests, attempt by attempt.
#include "net/aws_private.h"

enum { SLEEP_NS = 50000000, SIGNED_HEADERS = 5 };

static int64_t now_ns(const wh_aws_client *client) {
  wh_os *os = client->aws->options.os;
  return os->type->monotonic_ns(os);
}

// --- making one ----------------------------------------------------------------------------------

static wh_status copy_request(call *c, const wh_aws_request *r, wh_error *err) {
  wh_arena *a = &c->arena;
  c->request = *r;
  wh_http_header *headers = WH_NEW_ARRAY(a, r->header_count, wh_http_header);
  wh_str *body = WH_NEW_ARRAY(a, r->body_count, wh_str);
  c->request.bucket = wh_arena_str(a, r->bucket);
  c->request.path = wh_arena_str(a, r->path.len ? r->path : WH_STR("/"));
  c->request.query = wh_arena_str(a, r->query);
  bool ok =
      headers && body && c->request.bucket.data && c->request.path.data && c->request.query.data;
  for (size_t i = 0; ok && i < r->header_count; i++) {
    headers[i].name = wh_arena_str(a, r->headers[i].name);
    headers[i].value = wh_arena_str(a, r->headers[i].value);
    ok = headers[i].name.data && headers[i].value.data;
  }
  if (!ok) return wh_fail_memory(err);
  if (r->body_count) memcpy(body, r->body, r->body_count * sizeof *body);
  c->request.headers = headers;
  c->request.body = body;
  return WH_OK;
}

static wh_status hash_body(call *c, wh_error *err) {
  const wh_aws_request *r = &c->request;
  uint8_t digest[WH_SHA256_BYTES];
  if (r->payload_hash.len) {
    if (r->payload_hash.len >= sizeof c->payload_hash)
      return wh_fail(err, WH_ERR_BUG, "a payload's hash of %zu characters", r->payload_hash.len);
    memcpy(c->payload_hash, r->payload_hash.data, r->payload_hash.len);
    c->payload_hash[r->payload_hash.len] = 0;
    return WH_OK;
  }
  if (r->body_count == 0) {
    memcpy(c->payload_hash, WH_SIGV4_EMPTY, sizeof c->payload_hash);
    return WH_OK;
  }
  if (r->body_count == 1) {
    wh_sha256_of(r->body[0], digest);
  } else {
    wh_sha256 sha = {0};
    wh_status status = wh_sha256_init(&sha, err);
    for (size_t i = 0; status == WH_OK && i < r->body_count; i++)
      status = wh_sha256_add(&sha, r->body[i].data, r->body[i].len, err);
    if (status == WH_OK) status = wh_sha256_finish(&sha, digest, err);
    wh_sha256_free(&sha);
    if (status != WH_OK) return status;
  }
  wh_hex_encode(digest, sizeof digest, c->payload_hash);
  return WH_OK;
}

// What messages call it: the operation of JSON's target, else method and path.
static void write_label(call *c) {
  const wh_aws_request *r = &c->request;
  for (size_t i = 0; i < r->header_count; i++) {
    if (!wh_str_eq_nocase(r->headers[i].name, WH_STR("x-amz-target"))) continue;
    wh_str target = r->headers[i].value;
    size_t dot = wh_str_find(target, 0, '.');
    snprintf(c->label, sizeof c->label, "%.*s",
             WH_STR_ARG(wh_str_sub(target, dot + 1, target.len)));
    return;
  }
  snprintf(c->label, sizeof c->label, "%s %.*s%.*s", r->method, WH_STR_ARG(r->bucket),
           WH_STR_ARG(r->path));
}

static wh_status new_call(wh_aws_client *client, call **ret, wh_error *err) {
  wh_mem *mem = client->aws->options.mem;
  call *c = client->free;
  if (c) {
    client->free = c->next;
  } else {
    c = wh_mem_alloc(mem, sizeof *c);
    if (!c) return wh_fail_memory(err);
    wh_arena_init(&c->arena, mem);
  }
  wh_arena arena = c->arena;
  *c = (call){.client = client, .arena = arena, .state = CALL_RETURNED};
  wh_arena_reset(&c->arena);
  call **last = &client->calls; // in order, so that the oldest is returned first
  while (*last)
    last = &(*last)->next;
  *last = c;
  *ret = c;
  return WH_OK;
}

static wh_status fill_call(call *c, const wh_aws_request *request, wh_error *err) {
  const wh_aws *aws = c->client->aws;
  WH_TRY(copy_request(c, request, err));
  WH_TRY(hash_body(c, err));
  write_label(c);
  c->base.tag = request->tag;
  c->base.body = WH_STR("");
  c->retry = (wh_retry){
      .os = aws->options.os, .quota = &c->client->aws->quota, .attempts_max = request->attempts};
  c->state = CALL_WAITING;
  c->due_ns = now_ns(c->client);
  return WH_OK;
}

// --- an attempt ----------------------------------------------------------------------------------

static wh_status write_url(call *c, wh_error *err) {
  const wh_aws *aws = c->client->aws;
  const wh_aws_request *r = &c->request;
  wh_buf *url = &c->client->url, *host = &c->client->host;
  wh_buf_clear(host);
  wh_buf_clear(url);
  if (r->bucket.len) {
    wh_buf_add_str(host, r->bucket);
    wh_buf_add_char(host, '.');
  }
  wh_buf_add_str(host, aws->host);
  WH_TRY(wh_buf_check(host, err));
  wh_buf_add_str(url, aws->scheme);
  wh_buf_add_str(url, wh_buf_str(host));
  wh_buf_add_str(url, aws->base_path);
  wh_buf_add_str(url, r->path);
  if (r->query.len) {
    wh_buf_add_char(url, '?');
    wh_buf_add_str(url, r->query);
  }
  return wh_buf_check(url, err);
}

// The request's own header fields and those of signing, as they are sent.
static wh_status write_headers(call *c, wh_http_header *headers, size_t *ret_count, char *time,
                               wh_error *err) {
  wh_aws_client *client = c->client;
  const wh_aws *aws = client->aws;
  const wh_aws_request *r = &c->request;
  size_t n = 0;
  if (r->header_count > WH_HTTP_HEADERS_MAX - SIGNED_HEADERS)
    return wh_fail(err, WH_ERR_LIMIT, "more than %d header fields",
                   WH_HTTP_HEADERS_MAX - SIGNED_HEADERS);
  wh_sigv4_time(wh_now_us(aws->options.os) + atomic_load(&client->aws->skew_us), time);
  headers[n++] = (wh_http_header){WH_STR("Host"), wh_buf_str(&client->host)};
  headers[n++] = (wh_http_header){WH_STR("X-Amz-Date"), wh_str_of(time)};
  if (client->keys.keys.session_token.len && !r->anonymous)
    headers[n++] =
        (wh_http_header){WH_STR("X-Amz-Security-Token"), client->keys.keys.session_token};
  if (aws->options.plain_path)
    headers[n++] = (wh_http_header){WH_STR("X-Amz-Content-Sha256"), wh_str_of(c->payload_hash)};
  for (size_t i = 0; i < r->header_count; i++)
    headers[n++] = r->headers[i];
  *ret_count = n;
  if (r->anonymous) return WH_OK;
  size_t from = aws->scheme.len + client->host.len;
  wh_str path = wh_str_sub(wh_buf_str(&client->url), from, from + aws->base_path.len + r->path.len);
  wh_sigv4_request request = {.method = r->method,
                              .path = path,
                              .query = r->query,
                              .headers = headers,
                              .header_count = n,
                              .payload_hash = wh_str_of(c->payload_hash)};
  wh_buf_clear(&client->authorization);
  WH_TRY(wh_sigv4_sign(&client->signer, &client->keys.keys, &request, time, &client->work,
                       &client->authorization, err));
  headers[n++] = (wh_http_header){WH_STR("Authorization"), wh_buf_str(&client->authorization)};
  *ret_count = n;
  return WH_OK;
}

static wh_status send(call *c, wh_error *err) {
  wh_aws_client *client = c->client;
  const wh_aws_request *r = &c->request;
  wh_http_header headers[WH_HTTP_HEADERS_MAX];
  size_t count;
  char time[WH_SIGV4_TIME_CHARS + 1];
  wh_http_end(c->http);
  c->http = NULL;
  if (!r->anonymous) {
    WH_TRY(wh_aws_credentials_get(client->aws->credentials, client->cancel, &client->keys, err));
    c->generation = client->keys.generation;
  }
  WH_TRY(write_url(c, err));
  WH_TRY(write_headers(c, headers, &count, time, err));
  wh_http_request request = {.method = r->method,
                             .url = wh_buf_str(&client->url),
                             .headers = headers,
                             .header_count = count,
                             .body = r->body,
                             .body_count = r->body_count,
                             .take = r->take,
                             .take_context = r->take_context,
                             .body_bytes_max = r->body_bytes_max,
                             .idle_us = r->idle_us,
                             .total_us = r->total_us,
                             .tag = c};
  return wh_http_start(client->http, &request, &c->http, err);
}

static void attempt(call *c) {
  wh_error error = {0};
  c->base.attempts++;
  wh_status status = send(c, &error);
  if (status == WH_OK) {
    c->state = CALL_SENT;
    return;
  }
  c->base.status = status;
  c->base.error = error;
  c->state = CALL_DONE;
}

// --- after an attempt ----------------------------------------------------------------------------

// The server's clock counts: its difference is remembered for all that follow.
static bool set_clock(call *c) {
  wh_aws *aws = c->client->aws;
  int64_t server;
  if (c->tried_clock || !wh_aws_is_clock(c) ||
      !wh_http_date(wh_http_header_get(c->http, "date"), &server))
    return false;
  int64_t skew = server - wh_now_us(aws->options.os);
  int64_t change = skew - atomic_load(&aws->skew_us);
  if (change < WH_AWS_SKEW_US_MIN && change > -(int64_t)WH_AWS_SKEW_US_MIN) return false;
  atomic_store(&aws->skew_us, skew);
  return c->tried_clock = true;
}

static bool renew_keys(call *c) {
  if (c->tried_keys || !wh_aws_is_expired(c)) return false;
  wh_aws_credentials_expired(c->client->aws->credentials, c->generation);
  return c->tried_keys = true;
}

static int64_t asked_wait(const call *c) {
  uint64_t ms;
  if (wh_str_to_u64(wh_http_header_get(c->http, "x-amz-retry-after"), &ms) && ms < 1000000)
    return (int64_t)ms * 1000;
  return wh_retry_after_us(wh_http_header_get(c->http, "retry-after"),
                           wh_now_us(c->client->aws->options.os));
}

static void settle(call *c) {
  wh_retry_reason reason = wh_aws_judge(c);
  int64_t wait = 0;
  c->state = CALL_DONE;
  if (c->base.status == WH_OK) {
    wh_retry_succeeded(&c->retry);
    return;
  }
  // What is mended at once costs no attempt.
  bool again =
      set_clock(c) || renew_keys(c) || wh_retry_again(&c->retry, reason, asked_wait(c), &wait);
  if (!again) return;
  c->state = CALL_WAITING;
  c->due_ns = now_ns(c->client) + wait * 1000;
}

// --- waiting -------------------------------------------------------------------------------------

static call *find_done(wh_aws_client *client, call *wanted) {
  call *c = wanted;
  if (!wanted)
    for (c = client->calls; c && c->state != CALL_DONE; c = c->next)
      continue;
  if (!c || c->state < CALL_DONE) return NULL;
  c->state = CALL_RETURNED;
  return c;
}

// Sends what is due. Returns when the next is, and counts those under way.
static int64_t send_due(wh_aws_client *client, size_t *ret_sent, size_t *ret_waiting) {
  int64_t next = INT64_MAX, now = now_ns(client);
  *ret_sent = *ret_waiting = 0;
  for (call *c = client->calls; c; c = c->next) {
    if (c->state == CALL_WAITING && c->due_ns <= now) attempt(c);
    *ret_sent += c->state == CALL_SENT;
    *ret_waiting += c->state == CALL_WAITING;
    if (c->state == CALL_WAITING && c->due_ns < next) next = c->due_ns;
  }
  return next;
}

// Goes on until something comes, at most until `until`.
static wh_status go_on(wh_aws_client *client, bool any_sent, int64_t until, wh_error *err) {
  wh_os *os = client->aws->options.os;
  int64_t left = until - now_ns(client);
  if (left < 0) left = 0;
  if (any_sent) {
    wh_http_exchange *http;
    WH_TRY(wh_http_wait(client->http, NULL, left / 1000, &http, err));
    if (http) settle(http->tag);
    return WH_OK;
  }
  if (client->cancel && atomic_load(client->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "asked to stop");
  os->type->sleep_ns(os, left < SLEEP_NS ? left : SLEEP_NS);
  return WH_OK;
}

wh_status wh_aws_wait(wh_aws_client *client, wh_aws_exchange *x, int64_t timeout_us,
                      wh_aws_exchange **ret, wh_error *err) {
  int64_t end = timeout_us < 0 ? INT64_MAX : now_ns(client) + timeout_us * 1000;
  for (bool first = true;; first = false) {
    size_t sent = 0, waiting = 0;
    int64_t next = end;
    call *done = find_done(client, (call *)x);
    if (!done) {
      next = send_due(client, &sent, &waiting);
      done = find_done(client, (call *)x); // one that could not be sent
    }
    if (!done && sent + waiting == 0) return wh_fail(err, WH_ERR_END, "nothing is under way");
    if (done || (!first && now_ns(client) >= end)) {
      *ret = done ? &done->base : NULL;
      return WH_OK;
    }
    WH_TRY(go_on(client, sent > 0, next < end ? next : end, err));
  }
}

// --- for callers ---------------------------------------------------------------------------------

wh_status wh_aws_start(wh_aws_client *client, const wh_aws_request *request, wh_aws_exchange **ret,
                       wh_error *err) {
  call *c;
  WH_TRY(new_call(client, &c, err));
  wh_status status = fill_call(c, request, err);
  if (status != WH_OK) {
    wh_aws_end(&c->base);
    return status;
  }
  attempt(c);
  *ret = &c->base;
  return WH_OK;
}

void wh_aws_end(wh_aws_exchange *x) {
  if (!x) return;
  call *c = (call *)x, **at = &c->client->calls;
  wh_http_end(c->http);
  c->http = NULL;
  while (*at != c)
    at = &(*at)->next;
  *at = c->next;
  c->next = c->client->free;
  c->client->free = c;
}

wh_str wh_aws_header(const wh_aws_exchange *x, const char *name) {
  const call *c = (const call *)x;
  return c->http ? wh_http_header_get(c->http, name) : (wh_str){0};
}

bool wh_aws_header_next(const wh_aws_exchange *x, wh_http_cursor *cursor, wh_http_header *ret) {
  const call *c = (const call *)x;
  return c->http && wh_http_header_next(c->http, cursor, ret);
}

wh_status wh_aws_call(wh_aws_client *client, const wh_aws_request *request, wh_aws_exchange **ret,
                      wh_error *err) {
  wh_aws_exchange *x = NULL, *done;
  wh_status status = wh_aws_start(client, request, &x, err);
  if (status == WH_OK) status = wh_aws_wait(client, x, -1, &done, err);
  if (status == WH_OK) {
    status = x->status;
    if (status != WH_OK && err) *err = x->error;
  }
  if (ret)
    *ret = x;
  else
    wh_aws_end(x);
  return status;
}
