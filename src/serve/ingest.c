#include "serve/ingest.h"

#include "base/log.h"
#include "data/temporal.h"
#include "serve/auth_connection.h"
#include "serve/headers.h"
#include "serve/respond.h"
#include "serve/submission.h"

#define PATH_RECEIPTS "/receipts/"

typedef struct exchange {
  wh_exchange base;
  wh_server *server;
  struct MHD_Connection *connection;
  wh_inlet *inlet; // NULL: of a receipt
  wh_str id;       // of a receipt, in `body`
  wh_buf body;
  size_t held; // bytes that count in server->body_bytes
  bool is_active, is_settled;
  wh_submission submission;
  wh_deposit deposit;
} exchange;

// --- where ---------------------------------------------------------------------------------------

bool wh_ingest_is_at(const wh_server *s, wh_str path) {
  return s->inlet_count &&
         (wh_str_starts(path, WH_INGEST_PATH) || wh_str_starts(path, PATH_RECEIPTS));
}

static wh_inlet *inlet_at(wh_server *s, wh_str path) {
  if (!wh_str_starts(path, WH_INGEST_PATH)) return NULL;
  wh_str name = wh_str_sub(path, sizeof WH_INGEST_PATH - 1, path.len);
  for (size_t i = 0; i < s->inlet_count; i++)
    if (wh_str_eq(s->inlets[i].ingest->endpoint->name, name)) return &s->inlets[i];
  return NULL;
}

// --- answers -------------------------------------------------------------------------------------

// Words of the configuration and of ours: nothing that the request says.
static void log_refusal(const exchange *x, unsigned status) {
  if (!wh_log_enabled(WH_LOG_INFO)) return;
  WH_CLEAN_BUF wh_buf network;
  wh_buf_init(&network, x->server->mem, 0);
  wh_ip asker = wh_asker_of(x->server, x->connection);
  wh_ip_write_network(&asker, &network);
  wh_str from = wh_buf_str(&network);
  wh_str name = x->inlet ? x->inlet->ingest->endpoint->name : WH_STR("");
  wh_log(WH_LOG_INFO, "serve", "%s%.*s %u, from %.*s", x->inlet ? WH_INGEST_PATH : PATH_RECEIPTS,
         WH_STR_ARG(name), status, WH_STR_ARG(from));
}

static enum MHD_Result refuse(exchange *x, const wh_http_problem *p) {
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, x->server->mem, 0);
  wh_http_problem_write(p, &body);
  if (x->inlet) atomic_fetch_add(&x->inlet->refused, 1);
  log_refusal(x, p->status);
  wh_response response = {.status = p->status,
                          .type = WH_TYPE_PROBLEM,
                          .body = body.failed ? WH_STR("") : wh_buf_str(&body),
                          .retry_after_s = p->retry_after_s,
                          .allow = p->allow,
                          .authenticate = p->authenticate,
                          .closes = p->closes,
                          .for_programs = true};
  return wh_respond(x->server, x->connection, &response);
}

static enum MHD_Result refuse_busy(exchange *x, unsigned status, const char *detail,
                                   int64_t seconds, bool closes) {
  wh_http_problem p = {
      .status = status, .detail = detail, .retry_after_s = seconds, .closes = closes};
  return refuse(x, &p);
}

static enum MHD_Result refuse_unread(exchange *x, unsigned status, const char *detail) {
  wh_http_problem p = {.status = status, .detail = detail, .closes = true};
  return refuse(x, &p);
}

static enum MHD_Result answer(exchange *x, unsigned status, const wh_buf *body,
                              const char *location) {
  if (body->failed)
    return refuse_busy(x, MHD_HTTP_SERVICE_UNAVAILABLE, "there is no memory for the answer",
                       WH_INGEST_RETRY_SECONDS, false);
  wh_response response = {.status = status,
                          .type = WH_TYPE_JSON,
                          .body = wh_buf_str(body),
                          .location = location,
                          .for_programs = true};
  return wh_respond(x->server, x->connection, &response);
}

static enum MHD_Result answer_taken(exchange *x) {
  const wh_ingest_receipt *r = &x->deposit.entry.receipt;
  char location[sizeof PATH_RECEIPTS + WH_ULID_CHARS];
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, x->server->mem, 0);
  wh_submission_write_taken(r->id, r->events, r->rejected, &body);
  snprintf(location, sizeof location, PATH_RECEIPTS "%s", r->id);
  return answer(x, MHD_HTTP_ACCEPTED, &body, location);
}

static enum MHD_Result answer_receipt(exchange *x) {
  const wh_ingest_receipt *r = &x->deposit.entry.receipt;
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, x->server->mem, 0);
  wh_str endpoint = x->server->inlets[x->deposit.ingest].ingest->endpoint->name;
  wh_buf_printf(&body, "{\"receipt\":\"%s\",\"endpoint\":\"%.*s\",\"events\":%llu", r->id,
                WH_STR_ARG(endpoint), (unsigned long long)r->events);
  wh_buf_printf(&body, ",\"rejected\":%llu,\"received_at\":\"", (unsigned long long)r->rejected);
  wh_iso_write_timestamp(r->received_us, WH_UNIT_US, true, &body);
  wh_buf_printf(&body, "\",\"delivered\":%s}\n", x->deposit.taken ? "true" : "false");
  return answer(x, MHD_HTTP_OK, &body, NULL);
}

// --- what the committer says ---------------------------------------------------------------------

static enum MHD_Result refuse_unstored(exchange *x) {
  switch (x->deposit.status) {
  case WH_ERR_NO_SPACE:
    return refuse_busy(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the disk is full; nothing was stored",
                       WH_INGEST_BEHIND_SECONDS, false);
  case WH_ERR_CANCELLED:
    return refuse_busy(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the service is stopping",
                       WH_INGEST_RETRY_SECONDS, true);
  default:
    return refuse_busy(x, MHD_HTTP_SERVICE_UNAVAILABLE, "it cannot be stored for now",
                       WH_INGEST_BEHIND_SECONDS, false);
  }
}

static enum MHD_Result refuse_unknown(exchange *x) {
  wh_http_problem p = {.status = MHD_HTTP_NOT_FOUND,
                       .detail = "there is no such receipt, or it is too old"};
  return refuse(x, &p);
}

// What the headers say of who sends.
static bool may_send(exchange *x, wh_http_problem *ret) {
  wh_server *s = x->server;
  wh_ip asker = wh_asker_of(s, x->connection);
  wh_auth_request request = {.address = &asker,
                             .now_us = wh_now_us(s->os),
                             .header = wh_auth_connection_header,
                             .header_context = x->connection};
  return wh_submission_sender(&x->submission, &request, ret);
}

// Takes its place at the endpoint that it is for.
static void assign(exchange *x, wh_inlet *inlet) {
  x->inlet = inlet;
  wh_submission_init(&x->submission, x->server->mem, inlet->ingest, inlet->auth);
}

// Receipts are for who may send. A signature is of what was sent: of nothing.
static enum MHD_Result answer_found(exchange *x) {
  wh_http_problem p;
  assign(x, &x->server->inlets[x->deposit.ingest]);
  bool may = may_send(x, &p) && wh_submission_signed(&x->submission, WH_STR(""), &p);
  return may ? answer_receipt(x) : refuse(x, &p);
}

static enum MHD_Result answer_settled(exchange *x) {
  const wh_deposit *d = &x->deposit;
  if (d->status != WH_OK) return refuse_unstored(x);
  if (!x->inlet) {
    return d->found ? answer_found(x) : refuse_unknown(x);
  }
  if (d->entry.outcome == WH_INGEST_CONFLICT) {
    wh_http_problem p = {.status = MHD_HTTP_UNPROCESSABLE_CONTENT,
                         .detail = "this Idempotency-Key came with another body before"};
    return refuse(x, &p);
  }
  if (d->entry.outcome == WH_INGEST_STORED)
    atomic_fetch_add(&x->inlet->events, d->entry.receipt.events);
  return answer_taken(x);
}

// On the committer's thread.
static void settled(wh_deposit *deposit) {
  exchange *x = (exchange *)((char *)deposit - offsetof(exchange, deposit));
  x->is_settled = true;
  MHD_resume_connection(x->connection);
}

static enum MHD_Result hand_over(exchange *x) {
  x->deposit.done = settled;
  MHD_suspend_connection(x->connection);
  wh_committer_deposit(x->server->committer, &x->deposit);
  return MHD_YES;
}

// --- the events ----------------------------------------------------------------------------------

static wh_str key_of(exchange *x) {
  const char *key = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Idempotency-Key");
  return key ? wh_str_of(key) : (wh_str){0};
}

static enum MHD_Result take_events(exchange *x) {
  wh_submission *s = &x->submission;
  wh_http_problem p;
  size_t line_max = (size_t)x->server->config->memory_bytes / WH_CONFIG_ROW_SHARE;
  if (!wh_submission_signed(s, wh_buf_str(&x->body), &p) ||
      !wh_submission_read(s, wh_buf_str(&x->body), key_of(x), line_max, &p))
    return refuse(x, &p);
  wh_buf_free(&x->body);
  x->deposit.ingest = (size_t)(x->inlet - x->server->inlets);
  x->deposit.entry = (wh_ingest_entry){.lines = wh_buf_str(&s->intake.lines),
                                       .events = s->intake.events,
                                       .rejected = s->intake.rejected,
                                       .idempotency = s->has_key ? s->key : NULL,
                                       .body_hash = s->has_key ? s->hash : NULL};
  return hand_over(x);
}

static enum MHD_Result find_receipt(exchange *x) {
  x->deposit.id = x->id;
  return hand_over(x);
}

static enum MHD_Result take(wh_exchange *base, const char *upload, size_t *upload_len) {
  exchange *x = (exchange *)base;
  if (*upload_len) {
    if (!wh_buf_add(&x->body, upload, *upload_len)) return MHD_NO;
    *upload_len = 0;
    return MHD_YES;
  }
  if (x->is_settled) return answer_settled(x);
  return x->inlet ? take_events(x) : find_receipt(x);
}

static void end(wh_exchange *base) {
  exchange *x = (exchange *)base;
  wh_server *s = x->server;
  if (x->is_active) atomic_fetch_sub(&x->inlet->active, 1);
  atomic_fetch_sub(&s->body_bytes, x->held);
  wh_buf_free(&x->body);
  wh_submission_free(&x->submission);
  wh_mem_free(s->mem, x, sizeof *x);
}

// --- before its body is read ---------------------------------------------------------------------

static bool is_too_fast(exchange *x, int64_t *ret_wait_s) {
  enum { V6_NETWORK_BITS = 64 };
  wh_server *s = x->server;
  int64_t rate = x->inlet->ingest->rate, wait_ns = 0;
  if (!rate) return false;
  wh_ip asker = wh_asker_of(s, x->connection);
  struct {
    uint64_t inlet;
    wh_ip network;
  } subject = {(uint64_t)(x->inlet - s->inlets), wh_ip_network(&asker, V6_NETWORK_BITS)};
  if (wh_limiter_take(&s->by_sender, wh_str_n((char *)&subject, sizeof subject), rate,
                      s->os->type->monotonic_ns(s->os), NULL, &wait_ns))
    return false;
  *ret_wait_s = (wait_ns + 999999999) / 1000000000;
  return true;
}

// Takes its place among those that are in hand.
static enum MHD_Result check_room(exchange *x, size_t length) {
  wh_server *s = x->server;
  const wh_ingest *ingest = x->inlet->ingest;
  size_t most = (size_t)s->config->memory_bytes / WH_INGEST_BODIES_SHARE;
  x->is_active = true;
  x->held = length;
  int64_t active = atomic_fetch_add(&x->inlet->active, 1);
  size_t held = atomic_fetch_add(&s->body_bytes, length);
  if (active >= ingest->concurrency || held + length > most)
    return refuse_busy(x, MHD_HTTP_SERVICE_UNAVAILABLE, "too much is sent at once",
                       WH_INGEST_RETRY_SECONDS, true);
  size_t number = (size_t)(x->inlet - s->inlets);
  if (wh_committer_waiting(s->committer, number) >= (uint64_t)ingest->backlog)
    return refuse_busy(x, MHD_HTTP_SERVICE_UNAVAILABLE,
                       "whoever takes the events is behind; too many wait already",
                       WH_INGEST_BEHIND_SECONDS, true);
  return MHD_YES;
}

static enum MHD_Result check_post(exchange *x, const char *method, const wh_framing *f) {
  const wh_ingest *ingest = x->inlet->ingest;
  int64_t wait_s = 0;
  atomic_fetch_add(&x->inlet->requests, 1);
  if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
    wh_http_problem p = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                         .detail = "events are sent by POST",
                         .allow = "POST",
                         .closes = true};
    return refuse(x, &p);
  }
  if (is_too_fast(x, &wait_s))
    return refuse_busy(x, MHD_HTTP_TOO_MANY_REQUESTS, "too many requests", wait_s, true);
  wh_http_problem p;
  if (!may_send(x, &p)) {
    p.closes = true;
    return refuse(x, &p);
  }
  if (f->encodings || !f->lengths)
    return refuse_unread(x, MHD_HTTP_LENGTH_REQUIRED, "Content-Length is missing");
  if (f->length > (uint64_t)ingest->max_body)
    return refuse_unread(x, MHD_HTTP_CONTENT_TOO_LARGE,
                         "the body is larger than this endpoint takes");
  if (!wh_submission_type(&x->submission, wh_header_of(x->connection, "Content-Type"),
                          wh_header_of(x->connection, "Content-Encoding"), &p)) {
    p.closes = true;
    return refuse(x, &p);
  }
  return check_room(x, (size_t)f->length);
}

static enum MHD_Result check_get(exchange *x, const char *method, wh_str path,
                                 const wh_framing *f) {
  wh_str id = wh_str_sub(path, sizeof PATH_RECEIPTS - 1, path.len);
  if (!wh_str_starts(path, PATH_RECEIPTS) || id.len != WH_ULID_CHARS)
    return refuse_unread(x, MHD_HTTP_NOT_FOUND, "there is nothing at this address");
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 || f->length || f->encodings) {
    wh_http_problem p = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                         .detail = "receipts are asked for by GET",
                         .allow = "GET",
                         .closes = true};
    return refuse(x, &p);
  }
  wh_buf_add_str(&x->body, id);
  x->id = wh_buf_str(&x->body);
  return x->body.failed ? MHD_NO : MHD_YES;
}

enum MHD_Result wh_ingest_begin(wh_server *s, struct MHD_Connection *connection, const char *url,
                                const char *method, wh_exchange **ret) {
  exchange *x = wh_mem_alloc_zero(s->mem, sizeof *x);
  if (!x) return MHD_NO;
  x->base = (wh_exchange){.take = take, .end = end};
  x->server = s;
  x->connection = connection;
  wh_buf_init(&x->body, s->mem, 0);
  wh_inlet *inlet = inlet_at(s, wh_str_of(url));
  if (inlet) assign(x, inlet);
  *ret = &x->base;
  wh_connections_request_begins(&s->connections);
  wh_framing f = wh_framing_of(connection);
  if (wh_framing_is_doubtful(&f))
    return refuse_unread(x, MHD_HTTP_BAD_REQUEST, "the request's headers contradict each other");
  return x->inlet ? check_post(x, method, &f) : check_get(x, method, wh_str_of(url), &f);
}
