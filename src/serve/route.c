#include "serve/server.h"

#include "base/log.h"
#include "serve/headers.h"
#include "serve/ingest.h"
#include "serve/page.h"
#include "serve/pages.h"
#include "serve/request.h"
#include "serve/respond.h"

enum { RETRY_FAILED_SECONDS = 30 };

typedef enum place_kind {
  PLACE_NONE,
  PLACE_ROOT,
  PLACE_HEALTH,
  PLACE_ICON,
  PLACE_DOCS,
  PLACE_OPENAPI,
  PLACE_LOOKUP,
  PLACE_LOGO
} place_kind;

typedef struct place {
  place_kind kind;
  wh_desk *desk; // lookup and logo
} place;

typedef enum method { METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST } method;

// One request, from its headers to its last byte.
typedef struct request {
  wh_exchange base;
  wh_server *server;
  struct MHD_Connection *connection;
  place place;
  method method;
  wh_body_kind kind;
  bool wants_json;
  int64_t start_ns;
  size_t len;
  char body[WH_REQUEST_BODY_MAX];
} request;

// --- what it is ----------------------------------------------------------------------------------

// Paths are taken as they come: nothing is decoded, so that each page has one name.
static place place_of(wh_server *server, const char *url) {
  wh_str path = wh_str_of(url);
  if (wh_str_is(path, "/")) return (place){.kind = PLACE_ROOT};
  if (wh_str_is(path, "/healthz")) return (place){.kind = PLACE_HEALTH};
  if (wh_str_is(path, "/icon.svg")) return (place){.kind = PLACE_ICON};
  if (server->docs.len && wh_str_is(path, "/docs")) return (place){.kind = PLACE_DOCS};
  if (server->docs.len && wh_str_is(path, "/openapi.json")) return (place){.kind = PLACE_OPENAPI};
  if (!wh_str_starts(path, "/")) return (place){0};
  size_t slash = wh_str_find(path, 1, '/');
  wh_str name = wh_str_sub(path, 1, slash), rest = wh_str_sub(path, slash, path.len);
  for (size_t i = 0; i < server->desk_count; i++) {
    wh_desk *desk = &server->desks[i];
    if (!wh_str_eq(desk->ask.lookup->name, name)) continue;
    if (!rest.len) return (place){.kind = PLACE_LOOKUP, .desk = desk};
    if (wh_str_is(rest, "/logo") && desk->logo.len)
      return (place){.kind = PLACE_LOGO, .desk = desk};
  }
  return (place){0};
}

static method method_of(const char *word) {
  if (strcmp(word, MHD_HTTP_METHOD_GET) == 0) return METHOD_GET;
  if (strcmp(word, MHD_HTTP_METHOD_HEAD) == 0) return METHOD_HEAD;
  if (strcmp(word, MHD_HTTP_METHOD_POST) == 0) return METHOD_POST;
  return METHOD_OTHER;
}

// --- the log -------------------------------------------------------------------------------------

// Names of the configuration and fixed words only: nothing that the request says.
static void log_request(const request *r, unsigned status) {
  static const char *const methods[] = {"other", "GET", "HEAD", "POST"};
  static const char *const places[] = {"-", "/", "/healthz", "/icon.svg", "/docs", "/openapi.json",
                                       "/", "/"};
  if (!wh_log_enabled(WH_LOG_INFO)) return;
  wh_str name = r->place.desk ? r->place.desk->ask.lookup->name : WH_STR("");
  WH_CLEAN_BUF wh_buf peer;
  wh_buf_init(&peer, r->server->mem, 0);
  wh_ip asker = wh_asker_of(r->server, r->connection);
  wh_ip_write_network(&asker, &peer);
  wh_str from = wh_buf_str(&peer);
  int64_t us = (r->server->os->type->monotonic_ns(r->server->os) - r->start_ns) / 1000;
  wh_log(WH_LOG_INFO, "serve", "%s %s%.*s%s %u, %lld us, from %.*s", methods[r->method],
         places[r->place.kind], WH_STR_ARG(name), r->place.kind == PLACE_LOGO ? "/logo" : "",
         status, (long long)us, WH_STR_ARG(from));
}

static enum MHD_Result answer(const request *r, const wh_response *response) {
  log_request(r, response->status);
  return wh_respond(r->server, r->connection, response);
}

// --- answers that say no -------------------------------------------------------------------------

typedef struct refusal {
  unsigned status;
  const char *heading, *text; // for a person
  const char *json;           // for a program: a whole body, or NULL: from `reason`
  const char *reason;
  int64_t retry_after_s;
  const char *allow;
  bool closes;
} refusal;

static const refusal miss = {
    .status = MHD_HTTP_NOT_FOUND,
    .heading = "Nothing found",
    .text = "What was entered does not match our records. Please check it and try again.",
    .json = "{\"found\":false}\n",
};
static const refusal limited = {
    .status = MHD_HTTP_TOO_MANY_REQUESTS,
    .heading = "Too many tries",
    .text = "Please wait a few minutes, then try again.",
    .reason = "too many tries",
};
static const refusal not_ready = {
    .status = MHD_HTTP_SERVICE_UNAVAILABLE,
    .heading = "Not ready yet",
    .text = "This information is not available at the moment. Please try again in a minute.",
    .reason = "not ready yet",
    .retry_after_s = RETRY_FAILED_SECONDS,
};
static const refusal unreadable = {
    .status = MHD_HTTP_BAD_REQUEST,
    .heading = "That could not be read",
    .text = "Please fill in the form and send it again.",
    .reason = "the request cannot be read",
};
static const refusal no_such_page = {
    .status = MHD_HTTP_NOT_FOUND,
    .heading = "Page not found",
    .text = "There is no page at this address.",
    .reason = "no such page",
};

static bool add_refusal_json(const refusal *no, wh_buf *out) {
  if (no->json) return wh_buf_add_c(out, no->json);
  wh_buf_add_c(out, "{\"error\":");
  wh_buf_add_json(out, wh_str_of(no->reason));
  if (no->retry_after_s) wh_buf_printf(out, ",\"retry_after\":%lld", (long long)no->retry_after_s);
  return wh_buf_add_c(out, "}\n");
}

// On the lookup's own page, with its form, where there is one.
static enum MHD_Result refuse(const request *r, const refusal *no) {
  wh_mem *mem = r->server->mem;
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, mem, 0);
  wh_page_note note = {.heading = no->heading, .text = no->text};
  bool ok = r->wants_json ? add_refusal_json(no, &body)
            : r->place.kind == PLACE_LOOKUP
                ? wh_page_lookup(r->place.desk->ask.lookup, &note, mem, &body)
                : wh_page_plain(no->heading, no->text, mem, &body);
  wh_response response = {.status = no->status,
                          .type = r->wants_json ? WH_TYPE_JSON : WH_TYPE_HTML,
                          .body = wh_buf_str(&body),
                          .allow = no->allow,
                          .retry_after_s = no->retry_after_s,
                          .closes = no->closes};
  if (ok) return answer(r, &response);
  response.type = WH_TYPE_TEXT; // memory has run out: the status must do
  response.body = WH_STR("");
  return answer(r, &response);
}

static enum MHD_Result refuse_as(const request *r, unsigned status, const char *reason) {
  refusal no = unreadable;
  no.status = status;
  no.reason = reason;
  no.closes = true;
  return refuse(r, &no);
}

// --- the question --------------------------------------------------------------------------------

static enum MHD_Result answer_found(const request *r, wh_str shown) {
  wh_response response = {.status = MHD_HTTP_OK, .type = WH_TYPE_JSON, .body = shown};
  if (r->wants_json) return answer(r, &response);
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, r->server->mem, 0);
  wh_page_note note = {.heading = "Result", .text = "", .answer = shown};
  if (!wh_page_lookup(r->place.desk->ask.lookup, &note, r->server->mem, &body))
    return refuse(r, &not_ready);
  response.type = WH_TYPE_HTML;
  response.body = wh_buf_str(&body);
  return answer(r, &response);
}

static enum MHD_Result ask(const request *r, const wh_question *question) {
  wh_server *s = r->server;
  WH_CLEAN_BUF wh_buf shown;
  wh_buf_init(&shown, s->mem, WH_ASK_ANSWER_MAX);
  int64_t wait_s = 0;
  wh_desk *desk = r->place.desk;
  atomic_fetch_add(&s->asked, 1);
  atomic_fetch_add(&desk->asked, 1);
  switch (wh_ask_question(&r->place.desk->ask, question, r->wants_json ? WH_ASK_JSON : WH_ASK_HTML,
                          &shown, &wait_s)) {
  case WH_VERDICT_FOUND:
    atomic_fetch_add(&s->found, 1);
    atomic_fetch_add(&desk->found, 1);
    return answer_found(r, wh_buf_str(&shown));
  case WH_VERDICT_LIMITED: {
    atomic_fetch_add(&s->limited, 1);
    atomic_fetch_add(&desk->limited, 1);
    refusal no = limited;
    no.retry_after_s = wait_s;
    return refuse(r, &no);
  }
  case WH_VERDICT_FAILED:
    atomic_fetch_add(&s->failed, 1);
    atomic_fetch_add(&desk->failed, 1);
    return refuse(r, &not_ready);
  case WH_VERDICT_MISSED:
    break;
  }
  atomic_fetch_add(&s->missed, 1);
  atomic_fetch_add(&desk->missed, 1);
  return refuse(r, &miss);
}

static enum MHD_Result answer_question(const request *r) {
  const wh_lookup *l = r->place.desk->ask.lookup;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, r->server->mem);
  size_t count = 1 + l->proof_count;
  wh_request_field *fields = WH_NEW_ARRAY(&arena, count, wh_request_field);
  wh_str *proofs = WH_NEW_ARRAY(&arena, count, wh_str);
  if (!fields || !proofs) return refuse(r, &not_ready);
  fields[0].name = l->by;
  for (size_t i = 0; i < l->proof_count; i++)
    fields[i + 1].name = l->proofs[i].column;
  wh_error err = {0};
  wh_status status =
      wh_request_parse(r->kind, wh_str_n(r->body, r->len), &arena, fields, count, &err);
  if (status == WH_ERR_MEMORY) return refuse(r, &not_ready);
  if (status != WH_OK) {
    refusal no = unreadable;
    no.reason = err.text;
    return refuse(r, &no);
  }
  for (size_t i = 0; i < l->proof_count; i++)
    proofs[i] = fields[i + 1].value;
  wh_ip address = wh_asker_of(r->server, r->connection);
  wh_question question = {.address = &address, .key = fields[0].value, .proofs = proofs};
  return ask(r, &question);
}

// --- pages ---------------------------------------------------------------------------------------

static enum MHD_Result answer_page(const request *r, bool is_made, const wh_buf *body) {
  if (!is_made) return refuse(r, &not_ready);
  wh_response response = {.status = MHD_HTTP_OK, .type = WH_TYPE_HTML, .body = wh_buf_str(body)};
  return answer(r, &response);
}

static enum MHD_Result answer_root(const request *r) {
  wh_server *s = r->server;
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, s->mem, 0);
  bool has_docs_alone = !s->desk_count && s->docs.len;
  if (s->desk_count != 1 && !has_docs_alone)
    return answer_page(r, wh_page_list(&s->config->serve, s->mem, &body), &body);
  wh_str name = has_docs_alone ? WH_STR("docs") : s->desks[0].ask.lookup->name;
  wh_buf_printf(&body, "/%.*s", WH_STR_ARG(name));
  if (body.failed) return refuse(r, &not_ready);
  wh_response response = {.status = MHD_HTTP_FOUND,
                          .type = WH_TYPE_TEXT,
                          .body = WH_STR(""),
                          .is_static = true,
                          .location = body.data};
  return answer(r, &response);
}

static enum MHD_Result answer_form(const request *r) {
  wh_page_note none = {0};
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, r->server->mem, 0);
  return answer_page(r, wh_page_lookup(r->place.desk->ask.lookup, &none, r->server->mem, &body),
                     &body);
}

static enum MHD_Result answer_get(const request *r) {
  wh_response response = {.status = MHD_HTTP_OK, .is_static = true};
  switch (r->place.kind) {
  case PLACE_ROOT:
    return answer_root(r);
  case PLACE_LOOKUP:
    return answer_form(r);
  case PLACE_HEALTH:
    response.type = WH_TYPE_TEXT;
    response.body = WH_STR("ok\n");
    return answer(r, &response);
  case PLACE_ICON:
    response.type = "image/svg+xml";
    response.body = wh_page_icon;
    response.is_cacheable = true;
    return answer(r, &response);
  case PLACE_DOCS:
    response.type = WH_TYPE_HTML;
    response.body = r->server->docs;
    return answer(r, &response);
  case PLACE_OPENAPI:
    response.type = WH_TYPE_JSON;
    response.body = r->server->openapi;
    return answer(r, &response);
  case PLACE_LOGO:
    response.type = r->place.desk->logo_type;
    response.body = r->place.desk->logo;
    response.is_cacheable = true;
    return answer(r, &response);
  case PLACE_NONE:
    break;
  }
  return refuse(r, &no_such_page);
}

// --- what need not be read further --------------------------------------------------------------

static enum MHD_Result check_question(request *r, const wh_framing *f) {
  if (f->encodings || !f->lengths)
    return refuse_as(r, MHD_HTTP_LENGTH_REQUIRED, "Content-Length is missing");
  if (f->length > WH_REQUEST_BODY_MAX)
    return refuse_as(r, MHD_HTTP_CONTENT_TOO_LARGE, "the request is too long");
  if (r->kind == WH_BODY_OTHER) {
    return refuse_as(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                     "send application/x-www-form-urlencoded or application/json, in UTF-8");
  }
  return MHD_YES;
}

// Called when the headers are there: refuses what need not be read further.
static enum MHD_Result check_headers(request *r) {
  wh_framing f = wh_framing_of(r->connection);
  if (wh_framing_is_doubtful(&f))
    return refuse_as(r, MHD_HTTP_BAD_REQUEST, "the request's headers contradict each other");
  if (r->place.kind == PLACE_NONE) {
    refusal no = no_such_page;
    no.closes = f.length > 0 || f.encodings > 0;
    return no.closes ? refuse(r, &no) : MHD_YES;
  }
  if (r->method == METHOD_POST && r->place.kind == PLACE_LOOKUP) return check_question(r, &f);
  if (r->method == METHOD_GET || r->method == METHOD_HEAD) {
    return f.length || f.encodings ? refuse_as(r, MHD_HTTP_BAD_REQUEST, "this request has no body")
                                   : MHD_YES;
  }
  refusal no = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                .heading = "That does not work here",
                .text = "This page cannot be used in this way.",
                .reason = "method not allowed",
                .allow = r->place.kind == PLACE_LOOKUP ? "GET, HEAD, POST" : "GET, HEAD",
                .closes = true};
  return refuse(r, &no);
}

// --- for libmicrohttpd ---------------------------------------------------------------------------

static enum MHD_Result take(wh_exchange *exchange, const char *upload, size_t *upload_len) {
  request *r = (request *)exchange;
  if (*upload_len) {
    // check_headers has seen that it fits; a body that is longer than its length is a bug.
    if (*upload_len > sizeof r->body - r->len) return MHD_NO;
    memcpy(r->body + r->len, upload, *upload_len);
    r->len += *upload_len;
    *upload_len = 0;
    return MHD_YES;
  }
  return r->method == METHOD_POST && r->place.kind == PLACE_LOOKUP ? answer_question(r)
                                                                   : answer_get(r);
}

static void end(wh_exchange *exchange) {
  request *r = (request *)exchange;
  wh_wipe(r->body, r->len);
  wh_mem_free(r->server->mem, r, sizeof *r);
}

static enum MHD_Result begin(wh_server *server, struct MHD_Connection *connection, const char *url,
                             const char *word, wh_exchange **ret) {
  request *r = wh_mem_alloc(server->mem, sizeof *r);
  if (!r) return MHD_NO;
  r->base = (wh_exchange){.take = take, .end = end};
  r->server = server;
  r->connection = connection;
  r->place = place_of(server, url);
  r->method = method_of(word);
  r->start_ns = server->os->type->monotonic_ns(server->os);
  r->len = 0;
  r->kind = wh_body_kind_of(wh_header_of(connection, "Content-Type"));
  r->wants_json = r->kind == WH_BODY_JSON || wh_accepts_json(wh_header_of(connection, "Accept"));
  *ret = &r->base;
  wh_connections_request_begins(&server->connections);
  return check_headers(r);
}

enum MHD_Result wh_route_request(void *context, struct MHD_Connection *connection, const char *url,
                                 const char *word, const char *version, const char *upload,
                                 size_t *upload_len, void **ret_exchange) {
  (void)version;
  wh_server *server = context;
  wh_exchange **exchange = (wh_exchange **)ret_exchange;
  if (*exchange) return (*exchange)->take(*exchange, upload, upload_len);
  bool is_ingest = wh_ingest_is_at(server, wh_str_of(url));
  return is_ingest ? wh_ingest_begin(server, connection, url, word, exchange)
                   : begin(server, connection, url, word, exchange);
}

void wh_route_completed(void *context, struct MHD_Connection *connection, void **exchange_context,
                        enum MHD_RequestTerminationCode code) {
  (void)code;
  wh_server *server = context;
  wh_exchange *exchange = *exchange_context;
  if (!exchange) return;
  *exchange_context = NULL;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  wh_connections_request_ends(&server->connections, info ? info->socket_context : NULL);
  exchange->end(exchange);
}
