#include "serve/ingest.h"

#include "base/log.h"
#include "connect/ingest/intake.h"
#include "data/temporal.h"
#include "serve/auth_connection.h"
#include "serve/headers.h"
#include "serve/respond.h"

#define PATH_INGEST   "/ingest/"
#define PATH_RECEIPTS "/receipts/"

typedef struct exchange {
  wh_exchange base;
  wh_server *server;
  struct MHD_Connection *connection;
  wh_inlet *inlet; // NULL: of a receipt
  wh_intake_kind kind;
  wh_str id; // of a receipt, in `body`
  wh_buf body;
  size_t held; // bytes that count in server->body_bytes
  bool is_active, is_settled;
  wh_intake intake;
  wh_auth_check sender;
  uint8_t key[WH_SHA256_BYTES], hash[WH_SHA256_BYTES];
  wh_deposit deposit;
} exchange;

// --- where ---------------------------------------------------------------------------------------

bool wh_ingest_is_at(const wh_server *s, wh_str path) {
  return s->inlet_count && (wh_str_starts(path, PATH_INGEST) || wh_str_starts(path, PATH_RECEIPTS));
}

static wh_inlet *inlet_at(wh_server *s, wh_str path) {
  if (!wh_str_starts(path, PATH_INGEST)) return NULL;
  wh_str name = wh_str_sub(path, sizeof PATH_INGEST - 1, path.len);
  for (size_t i = 0; i < s->inlet_count; i++)
    if (wh_str_eq(s->inlets[i].ingest->endpoint->name, name)) return &s->inlets[i];
  return NULL;
}

// --- answers -------------------------------------------------------------------------------------

// A problem (RFC 9457) of the type about:blank, whose title is the status' phrase.
typedef struct problem {
  unsigned status;
  const char *title, *detail;
  wh_str errors; // items of a JSON array; empty: none
  int64_t retry_after_s;
  const char *allow, *authenticate;
  bool closes; // the body is not read
} problem;

// Words of the configuration and of ours: nothing that the request says.
static void log_refusal(const exchange *x, unsigned status) {
  if (!wh_log_enabled(WH_LOG_INFO)) return;
  WH_CLEAN_BUF wh_buf network;
  wh_buf_init(&network, x->server->mem, 0);
  wh_ip asker = wh_asker_of(x->server, x->connection);
  wh_ip_write_network(&asker, &network);
  wh_str from = wh_buf_str(&network);
  wh_str name = x->inlet ? x->inlet->ingest->endpoint->name : WH_STR("");
  wh_log(WH_LOG_INFO, "serve", "%s%.*s %u, from %.*s", x->inlet ? PATH_INGEST : PATH_RECEIPTS,
         WH_STR_ARG(name), status, WH_STR_ARG(from));
}

static enum MHD_Result refuse(exchange *x, const problem *p) {
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, x->server->mem, 0);
  wh_buf_add_c(&body, "{\"title\":");
  wh_buf_add_json(&body, wh_str_of(p->title));
  wh_buf_printf(&body, ",\"status\":%u,\"detail\":", p->status);
  wh_buf_add_json(&body, wh_str_of(p->detail));
  if (p->errors.len) {
    wh_buf_add_c(&body, ",\"errors\":[");
    wh_buf_add_str(&body, p->errors);
    wh_buf_add_char(&body, ']');
  }
  wh_buf_add_c(&body, "}\n");
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
  const char *title =
      status == MHD_HTTP_TOO_MANY_REQUESTS ? "Too Many Requests" : "Service Unavailable";
  problem p = {.status = status,
               .title = title,
               .detail = detail,
               .retry_after_s = seconds,
               .closes = closes};
  return refuse(x, &p);
}

static enum MHD_Result refuse_unread(exchange *x, unsigned status, const char *title,
                                     const char *detail) {
  problem p = {.status = status, .title = title, .detail = detail, .closes = true};
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
  wh_buf_printf(&body, "{\"receipt\":\"%s\",\"events\":%llu", r->id, (unsigned long long)r->events);
  if (r->rejected) wh_buf_printf(&body, ",\"rejected\":%llu", (unsigned long long)r->rejected);
  wh_buf_add_c(&body, "}\n");
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
  problem p = {.status = MHD_HTTP_NOT_FOUND,
               .title = "Not Found",
               .detail = "there is no such receipt, or it is too old"};
  return refuse(x, &p);
}

static enum MHD_Result refuse_sender(exchange *x, bool closes) {
  const wh_auth_check *c = &x->sender;
  problem p = {.status = c->status,
               .title = c->status == MHD_HTTP_FORBIDDEN             ? "Forbidden"
                        : c->status == MHD_HTTP_SERVICE_UNAVAILABLE ? "Service Unavailable"
                                                                    : "Unauthorized",
               .detail = c->status == MHD_HTTP_SERVICE_UNAVAILABLE
                             ? "who sends cannot be checked now"
                             : "this endpoint does not know who sends, or not as one who may",
               .authenticate = c->challenge[0] ? c->challenge : NULL,
               .retry_after_s = c->retry_after_s,
               .closes = closes};
  wh_log(WH_LOG_INFO, "serve", "%.*s: %s", WH_STR_ARG(x->inlet->ingest->endpoint->name), c->reason);
  return refuse(x, &p);
}

// What the headers say of who sends. True: let in, or it is for the body to say.
static bool may_send(exchange *x) {
  wh_server *s = x->server;
  wh_ip asker = wh_asker_of(s, x->connection);
  wh_auth_request request = {.address = &asker,
                             .now_us = wh_now_us(s->os),
                             .header = wh_auth_connection_header,
                             .header_context = x->connection};
  if (!x->inlet->auth) return true;
  wh_auth_head(x->inlet->auth, &request, &x->sender);
  return !x->sender.status;
}

// And with the body.
static bool has_sent(exchange *x) {
  if (!x->inlet->auth) return true;
  wh_auth_body(&x->sender, x->body.data, x->body.len);
  wh_auth_end(&x->sender);
  return x->sender.let_in;
}

// Receipts are for who may send.
static enum MHD_Result answer_found(exchange *x) {
  x->inlet = &x->server->inlets[x->deposit.ingest];
  wh_buf_clear(&x->body); // a signature is of what was sent: of nothing
  return may_send(x) && has_sent(x) ? answer_receipt(x) : refuse_sender(x, false);
}

static enum MHD_Result answer_settled(exchange *x) {
  const wh_deposit *d = &x->deposit;
  if (d->status != WH_OK) return refuse_unstored(x);
  if (!x->inlet) {
    return d->found ? answer_found(x) : refuse_unknown(x);
  }
  if (d->entry.outcome == WH_INGEST_CONFLICT) {
    problem p = {.status = MHD_HTTP_UNPROCESSABLE_CONTENT,
                 .title = "Unprocessable Content",
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

// What came with the key before is known by its hash. False: it is no key.
// A signature is its own key, whatever else is said beside it: a request that was recorded and is
// sent again changes nothing. Else the key is the sender's own.
static bool take_key(exchange *x) {
  char scoped[WH_AUTH_CLIENT_MAX + 2 + WH_INGEST_KEY_MAX + 1];
  const char *key = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Idempotency-Key");
  if (key && (!*key || strlen(key) > WH_INGEST_KEY_MAX)) return false;
  if (!key && !x->sender.replay[0]) return true;
  if (x->sender.replay[0])
    snprintf(scoped, sizeof scoped, "signature\n%s", x->sender.replay);
  else
    snprintf(scoped, sizeof scoped, "%s\n%s", x->sender.client, key);
  wh_sha256_of(wh_str_of(scoped), x->key);
  wh_sha256_of(wh_buf_str(&x->body), x->hash);
  x->deposit.entry.idempotency = x->key;
  x->deposit.entry.body_hash = x->hash;
  return true;
}

static enum MHD_Result refuse_invalid(exchange *x) {
  bool is_malformed = x->intake.is_malformed;
  problem p = {.status = is_malformed ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_UNPROCESSABLE_CONTENT,
               .title = is_malformed ? "Bad Request" : "Unprocessable Content",
               .detail = is_malformed ? "an event cannot be read; nothing was stored"
                                      : "an event does not fit its columns; nothing was stored",
               .errors = wh_buf_str(&x->intake.errors)};
  return refuse(x, &p);
}

static enum MHD_Result take_events(exchange *x) {
  const wh_ingest *ingest = x->inlet->ingest;
  problem p = {.status = MHD_HTTP_BAD_REQUEST, .title = "Bad Request"};
  if (!has_sent(x)) return refuse_sender(x, false);
  p.detail = "an Idempotency-Key has 1 to 255 characters";
  if (!take_key(x)) return refuse(x, &p);
  wh_error err = {0};
  wh_schema columns = wh_ingest_declared(ingest->endpoint);
  size_t line_max = (size_t)x->server->config->memory_bytes / WH_CONFIG_ROW_SHARE;
  wh_status status =
      wh_intake_read(&x->intake, &columns, x->kind, wh_buf_str(&x->body), line_max, &err);
  p.detail = err.text;
  if (status == WH_ERR_DATA) return refuse(x, &p);
  if (status == WH_ERR_LIMIT) {
    p.status = MHD_HTTP_CONTENT_TOO_LARGE;
    p.title = "Content Too Large";
    return refuse(x, &p);
  }
  if (status != WH_OK)
    return refuse_busy(x, MHD_HTTP_SERVICE_UNAVAILABLE, "there is no memory for it now",
                       WH_INGEST_RETRY_SECONDS, false);
  if (x->intake.rejected && !ingest->quarantines) return refuse_invalid(x);
  wh_buf_free(&x->body);
  x->deposit.ingest = (size_t)(x->inlet - x->server->inlets);
  x->deposit.entry.lines = wh_buf_str(&x->intake.lines);
  x->deposit.entry.events = x->intake.events;
  x->deposit.entry.rejected = x->intake.rejected;
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
  wh_auth_done(&x->sender);
  wh_buf_free(&x->body);
  wh_intake_free(&x->intake);
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
                       "the pipelines are behind; too many events wait already",
                       WH_INGEST_BEHIND_SECONDS, true);
  return MHD_YES;
}

static enum MHD_Result check_post(exchange *x, const char *method, const wh_framing *f) {
  const wh_ingest *ingest = x->inlet->ingest;
  int64_t wait_s = 0;
  atomic_fetch_add(&x->inlet->requests, 1);
  if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
    problem p = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                 .title = "Method Not Allowed",
                 .detail = "events are sent by POST",
                 .allow = "POST",
                 .closes = true};
    return refuse(x, &p);
  }
  if (is_too_fast(x, &wait_s))
    return refuse_busy(x, MHD_HTTP_TOO_MANY_REQUESTS, "too many requests", wait_s, true);
  if (!may_send(x)) return refuse_sender(x, true);
  if (f->encodings || !f->lengths)
    return refuse_unread(x, MHD_HTTP_LENGTH_REQUIRED, "Length Required",
                         "Content-Length is missing");
  if (f->length > (uint64_t)ingest->max_body)
    return refuse_unread(x, MHD_HTTP_CONTENT_TOO_LARGE, "Content Too Large",
                         "the body is larger than this endpoint takes");
  x->kind = wh_intake_kind_of(wh_header_of(x->connection, "Content-Type"));
  if (x->kind == WH_INTAKE_OTHER || wh_header_of(x->connection, "Content-Encoding").len)
    return refuse_unread(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type",
                         "send application/json or application/x-ndjson, in UTF-8 and not "
                         "compressed");
  return check_room(x, (size_t)f->length);
}

static enum MHD_Result check_get(exchange *x, const char *method, wh_str path,
                                 const wh_framing *f) {
  wh_str id = wh_str_sub(path, sizeof PATH_RECEIPTS - 1, path.len);
  if (!wh_str_starts(path, PATH_RECEIPTS) || id.len != WH_ULID_CHARS)
    return refuse_unread(x, MHD_HTTP_NOT_FOUND, "Not Found", "there is nothing at this address");
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 || f->length || f->encodings) {
    problem p = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                 .title = "Method Not Allowed",
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
  x->inlet = inlet_at(s, wh_str_of(url));
  wh_buf_init(&x->body, s->mem, 0);
  wh_intake_init(&x->intake, s->mem);
  *ret = &x->base;
  wh_connections_request_begins(&s->connections);
  wh_framing f = wh_framing_of(connection);
  if (wh_framing_is_doubtful(&f))
    return refuse_unread(x, MHD_HTTP_BAD_REQUEST, "Bad Request",
                         "the request's headers contradict each other");
  return x->inlet ? check_post(x, method, &f) : check_get(x, method, wh_str_of(url), &f);
}
