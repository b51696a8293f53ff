#include "lambda/endpoints.h"

#include "base/log.h"
#include "base/ulid.h"
#include "serve/submission.h"

enum {
  FIRST_PAUSE_US = 100000, // then twice as long each time
  PAUSE_US_MAX = 2000000,
  KEYS_PAUSE_US = 50000,
  ID_BYTES = 16, // of the hash that a request with a key is known by
  ID_CHARS = 2 * ID_BYTES > WH_ULID_CHARS ? 2 * ID_BYTES : WH_ULID_CHARS,
};

typedef struct door {
  const wh_ingest *ingest;
  wh_auth *auth; // NULL: everybody may send
  wh_connection *queue;
  bool is_open;
} door;

struct wh_lambda_endpoints {
  wh_os *os;
  wh_mem *mem;
  wh_config *config;
  wh_arena arena;
  door *doors; // one an endpoint, in the configuration's order
};

wh_lambda_endpoints *wh_lambda_endpoints_new(wh_os *os, wh_mem *mem, wh_config *config) {
  wh_lambda_endpoints *e = wh_mem_alloc_zero(mem, sizeof *e);
  if (!e) return NULL;
  e->os = os;
  e->mem = mem;
  e->config = config;
  wh_arena_init(&e->arena, mem);
  e->doors = WH_NEW_ARRAY(&e->arena, config->serve.ingest_count, door);
  for (size_t i = 0; e->doors && i < config->serve.ingest_count; i++)
    e->doors[i].ingest = &config->serve.ingests[i];
  if (e->doors) return e;
  wh_lambda_endpoints_free(e);
  return NULL;
}

void wh_lambda_endpoints_free(wh_lambda_endpoints *e) {
  if (!e) return;
  for (size_t i = 0; e->doors && i < e->config->serve.ingest_count; i++)
    wh_auth_free(e->doors[i].auth);
  wh_arena_free(&e->arena);
  wh_mem_free(e->mem, e, sizeof *e);
}

// --- opening -------------------------------------------------------------------------------------

// The address that a configuration listens at says nothing here: the function's is everybody's.
static wh_status check(const wh_ingest *ingest, wh_error *err) {
  wh_str name = ingest->endpoint->name;
  if (!ingest->to.len)
    return wh_fail(err, WH_ERR_REFUSED,
                   "ingest %.*s: a function's disk keeps no events. Say which queue they go to, "
                   "with to: QUEUE",
                   WH_STR_ARG(name));
  if (!ingest->auth && !ingest->open_to_all)
    return wh_fail(err, WH_ERR_REFUSED,
                   "ingest %.*s: everybody could send events. Say who may: auth: { api_key: "
                   "${ssm:...} }, or auth: none",
                   WH_STR_ARG(name));
  return WH_OK;
}

static wh_status open_door(wh_lambda_endpoints *e, door *d, wh_error *err) {
  if (d->is_open) return WH_OK;
  WH_TRY(check(d->ingest, err));
  char owner[WH_CONFIG_NAME_MAX + 16];
  snprintf(owner, sizeof owner, "ingest %.*s: auth", WH_STR_ARG(d->ingest->endpoint->name));
  WH_TRY(wh_config_connect(e->config, d->ingest->to, &d->queue, err));
  if (d->ingest->auth)
    WH_TRY(wh_auth_open(e->os, e->mem, e->config, d->ingest->auth, owner, &d->auth, err));
  d->is_open = true;
  return WH_OK;
}

// A stage's name, or what a domain maps to the API, may stand in front.
static door *door_at(wh_lambda_endpoints *e, wh_str path) {
  for (size_t i = 0; i < e->config->serve.ingest_count; i++) {
    wh_str name = e->doors[i].ingest->endpoint->name;
    size_t len = strlen(WH_INGEST_PATH) + name.len;
    wh_str end = path.len < len ? (wh_str){0} : wh_str_sub(path, path.len - len, path.len);
    if (wh_str_starts(end, WH_INGEST_PATH) &&
        wh_str_eq(wh_str_sub(end, strlen(WH_INGEST_PATH), end.len), name))
      return &e->doors[i];
  }
  return NULL;
}

// --- one request ---------------------------------------------------------------------------------

typedef struct answering {
  wh_lambda_endpoints *endpoints;
  const wh_gateway_request *request;
  const atomic_bool *stop;
  int64_t until_us; // that anything is waited for
  door *door;
  wh_arena arena;
  wh_submission submission;
  char receipt[ID_CHARS + 1];
} answering;

static bool refuse(wh_http_problem *ret, unsigned status, const char *detail) {
  *ret = (wh_http_problem){.status = status, .detail = detail};
  return false;
}

// Nobody's fault who sends.
static bool refuse_later(const answering *a, const wh_error *why, const char *detail,
                         wh_http_problem *ret) {
  char topic[WH_CONFIG_NAME_MAX + 16];
  snprintf(topic, sizeof topic, "ingest %.*s", WH_STR_ARG(a->door->ingest->endpoint->name));
  wh_log_error(WH_LOG_ERROR, topic, why);
  refuse(ret, 503, detail);
  ret->retry_after_s = WH_INGEST_BEHIND_SECONDS;
  return false;
}

static size_t header_of(void *context, const char *name, wh_str *ret_first) {
  return wh_gateway_header_of(context, name, ret_first);
}

static wh_str first_of(const answering *a, const char *name) {
  wh_str value = {0};
  wh_gateway_header_of(a->request, name, &value);
  return value;
}

static bool is_over(const answering *a) {
  return wh_now_us(a->endpoints->os) >= a->until_us || atomic_load(a->stop);
}

static void pause_for(const answering *a, int64_t us) {
  wh_os *os = a->endpoints->os;
  os->type->sleep_ns(os, us * 1000);
}

// A function that has just begun has no keys yet: they are waited for, so that who sends need not
// come again.
static bool check_sender(answering *a, wh_http_problem *ret) {
  wh_os *os = a->endpoints->os;
  wh_ip asker = {0};
  (void)wh_ip_parse(a->request->source_ip, &asker); // else it is in no block
  for (;;) {
    wh_auth_request request = {.address = &asker,
                               .now_us = wh_now_us(os),
                               .header = header_of,
                               .header_context = (void *)a->request};
    if (wh_submission_sender(&a->submission, &request, ret)) return true;
    if (ret->status != 503 || is_over(a)) return false;
    pause_for(a, KEYS_PAUSE_US);
  }
}

static bool check_count(const answering *a, wh_http_problem *ret) {
  if (a->submission.intake.events <= WH_LAMBDA_EVENTS_MAX) return true;
  return refuse(ret, 413, "a request has 10,000 events at most here: send them in several");
}

static bool check_request(answering *a, wh_http_problem *ret) {
  wh_str body = a->request->body;
  const wh_config *config = a->endpoints->config;
  size_t line_max = (size_t)config->memory_bytes / WH_CONFIG_ROW_SHARE;
  if (!check_sender(a, ret)) return false;
  if (body.len > (uint64_t)a->door->ingest->max_body)
    return refuse(ret, 413, "the body is larger than this endpoint takes");
  return wh_submission_type(&a->submission, first_of(a, "Content-Type"),
                            first_of(a, "Content-Encoding"), ret) &&
         wh_submission_signed(&a->submission, body, ret) &&
         wh_submission_read(&a->submission, body, first_of(a, "Idempotency-Key"), line_max, ret) &&
         check_count(a, ret);
}

// --- sending -------------------------------------------------------------------------------------

// The same key with the same body: the same request, whatever function takes it.
static wh_status name_request(answering *a, wh_error *err) {
  const wh_submission *s = &a->submission;
  if (!s->has_key) return wh_ulid_new(a->endpoints->os, a->receipt, err);
  uint8_t hash[WH_SHA256_BYTES];
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, a->endpoints->mem, 0);
  wh_buf_add_str(&text, s->ingest->endpoint->name);
  wh_buf_add_char(&text, '\n');
  wh_buf_add(&text, s->key, sizeof s->key);
  wh_buf_add(&text, s->hash, sizeof s->hash);
  WH_TRY(wh_buf_check(&text, err));
  wh_sha256_of(wh_buf_str(&text), hash);
  wh_hex_encode(hash, ID_BYTES, a->receipt);
  return WH_OK;
}

static wh_status send_all(answering *a, wh_posts *posts, wh_error *err) {
  const wh_post_type *type = a->door->ingest->post;
  for (int64_t pause_us = FIRST_PAUSE_US;; pause_us *= 2) {
    wh_status status = type->send(a->door->queue, posts->items, posts->count, a->stop, err);
    bool passes = status == WH_ERR_UNAVAILABLE || status == WH_ERR_BUSY;
    if (!passes || is_over(a)) return status;
    pause_for(a, pause_us < PAUSE_US_MAX ? pause_us : PAUSE_US_MAX);
  }
}

static wh_status deliver(answering *a, wh_error *err) {
  wh_posts posts = {0};
  WH_TRY(name_request(a, err));
  WH_TRY(wh_posts_add(&posts, wh_str_of(a->receipt), 0, a->door->ingest->endpoint->name,
                      wh_buf_str(&a->submission.intake.lines), &a->arena, err));
  return send_all(a, &posts, err);
}

static bool take(answering *a, wh_http_problem *ret) {
  wh_error why = {0};
  if (!wh_str_is(a->request->method, "POST")) {
    refuse(ret, 405, "events are sent by POST");
    ret->allow = "POST";
    return false;
  }
  if (open_door(a->endpoints, a->door, &why) != WH_OK)
    return refuse_later(a, &why, "this endpoint cannot take events now", ret);
  wh_submission_init(&a->submission, a->endpoints->mem, a->door->ingest, a->door->auth);
  if (!check_request(a, ret)) return false;
  if (deliver(a, &why) == WH_OK) return true;
  return refuse_later(a, &why, "the queue has not accepted all of it", ret);
}

// --- the answer ----------------------------------------------------------------------------------

static void answer(answering *a, wh_buf *body, wh_gateway_answer *ret) {
  wh_http_problem problem = {0};
  a->door = door_at(a->endpoints, a->request->path);
  bool is_taken =
      a->door ? take(a, &problem) : refuse(&problem, 404, "there is no endpoint at this address");
  if (is_taken) {
    wh_submission_write_taken(a->receipt, a->submission.intake.events, 0, body);
    *ret = (wh_gateway_answer){.status = 202, .type = "application/json"};
    return;
  }
  wh_http_problem_write(&problem, body);
  *ret = (wh_gateway_answer){.status = problem.status,
                             .type = WH_TYPE_PROBLEM,
                             .retry_after_s = problem.retry_after_s,
                             .allow = problem.allow,
                             .authenticate = problem.authenticate};
}

wh_status wh_lambda_answer(wh_lambda_endpoints *e, const wh_gateway_request *request,
                           const atomic_bool *stop, wh_buf *ret_json, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  wh_gateway_answer said;
  answering a = {.endpoints = e, .request = request, .stop = stop};
  a.until_us = wh_now_us(e->os) + WH_LAMBDA_PATIENCE_US;
  wh_buf_init(&body, e->mem, 0);
  wh_arena_init(&a.arena, e->mem);
  answer(&a, &body, &said);
  said.body = wh_buf_str(&body);
  if (!body.failed) wh_gateway_write(&said, ret_json); // whose texts are the submission's
  wh_submission_free(&a.submission);
  wh_arena_free(&a.arena);
  WH_TRY(wh_buf_check(&body, err));
  return wh_buf_check(ret_json, err);
}
