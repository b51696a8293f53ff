#include "connect/splunk/answer.h"

#include "connect/server.h"
#include "net/uri.h"

#define AT(member) offsetof(wh_splunk_options, member)
static const wh_option options[] = {
    {.name = "url",
     .type = WH_OPTION_TEXT,
     .offset = AT(url),
     .required = true,
     .help = "where the HTTP Event Collector is: https://splunk.internal:8088"},
    {.name = "token",
     .type = WH_OPTION_TEXT,
     .offset = AT(token),
     .required = true,
     .secret = true,
     .help = "the collector's token"},
    {.name = "index",
     .type = WH_OPTION_TEXT,
     .offset = AT(index),
     .help = "where events go, unless a column _index says so; the token's own without it"},
    {.name = "source",
     .type = WH_OPTION_TEXT,
     .offset = AT(source),
     .help = "what events say of where they come from, unless a column _source does"},
    {.name = "sourcetype",
     .type = WH_OPTION_TEXT,
     .offset = AT(sourcetype),
     .help = "what kind of events they are, unless a column _sourcetype says so"},
    {.name = "host",
     .type = WH_OPTION_TEXT,
     .offset = AT(host),
     .help = "the host that events are of, unless a column _host says so"},
    {.name = "fields",
     .type = WH_OPTION_LIST,
     .offset = AT(fields),
     .help = "columns that are indexed fields beside the event, instead of members of it"},
    {.name = "ack",
     .type = WH_OPTION_BOOL,
     .offset = AT(ack),
     .def = "yes",
     .help = "a request counts as delivered when the indexers acknowledge it, which the token must "
             "be set up for; otherwise when the collector has taken it"},
    {.name = "ack_timeout",
     .type = WH_OPTION_DURATION,
     .offset = AT(ack_timeout_us),
     .def = "5m",
     .min = 1000000,
     .max = 3600ll * 1000000,
     .help = "how long to wait for an acknowledgement before a request is sent again"},
    {.name = "batch_size",
     .type = WH_OPTION_SIZE,
     .offset = AT(batch_bytes),
     .def = "512KiB",
     .min = WH_SPLUNK_BATCH_BYTES_MIN,
     .max = WH_SPLUNK_BATCH_BYTES_MAX,
     .help = "of the events of one request, before they are compressed; Splunk Cloud takes 1 MB"},
    {.name = "gzip",
     .type = WH_OPTION_BOOL,
     .offset = AT(gzip),
     .def = "yes",
     .help = "compress requests"},
    {.name = "connections",
     .type = WH_OPTION_INT,
     .offset = AT(connections),
     .def = "4",
     .min = 1,
     .max = WH_SPLUNK_CONNECTIONS_MAX,
     .help = "requests that are under way at once"},
    {.name = "tls",
     .type = WH_OPTION_ENUM,
     .offset = AT(tls),
     .def = "verify",
     .choices = wh_tls_choices,
     .help = "verify the server's certificate and name, only encrypt, or neither"},
    {.name = "tls_ca",
     .type = WH_OPTION_PATH,
     .offset = AT(tls_ca),
     .help = "certificates of the authorities to trust; the system's without it"},
    {0},
};

// The address of the host, without what users copy along with it.
static wh_str base_of(wh_str url) {
  static const char *const ends[] = {"/", "/event", "/raw", "/services/collector", "/"};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (wh_str_ends(url, ends[i])) url.len -= strlen(ends[i]);
  return url;
}

static wh_status check_url(wh_str url, int tls, wh_error *err) {
  bool plain = wh_str_starts(url, "http://");
  if (!plain && !wh_str_starts(url, "https://"))
    return wh_fail(err, WH_ERR_USAGE, "url: write it as https://splunk.internal:8088");
  for (size_t i = 0; i < url.len; i++)
    if ((unsigned char)url.data[i] <= ' ' || strchr("@?#\"\\", url.data[i]))
      return wh_fail(err, WH_ERR_USAGE,
                     "url: no user, query or fragment, only https://HOST:PORT. The token has a "
                     "word of its own");
  if (plain && tls != WH_TLS_OFF)
    return wh_fail(err, WH_ERR_USAGE,
                   "url: over http:// anybody on the way reads the token. Write https://, or say "
                   "tls: off");
  if (!plain && tls == WH_TLS_OFF)
    return wh_fail(err, WH_ERR_USAGE, "tls: off is for http://, and url begins with https://");
  return WH_OK;
}

static wh_status check(const void *given, wh_error *err) {
  const wh_splunk_options *o = given;
  WH_TRY(check_url(o->url, o->tls, err));
  if (o->token.len == 0) return wh_fail(err, WH_ERR_USAGE, "token is empty");
  for (size_t i = 0; i < o->token.len; i++)
    if ((unsigned char)o->token.data[i] <= ' ' || (unsigned char)o->token.data[i] >= 0x7F)
      return wh_fail(err, WH_ERR_USAGE, "token has a space or another character that no token has");
  if (o->tls_ca.len && o->tls != WH_TLS_VERIFY)
    return wh_fail(err, WH_ERR_USAGE, "tls_ca is only used with tls: verify");
  return WH_OK;
}

// With `raw` what is said of events goes into the address, with each request.
static wh_status write_raw_url(wh_splunk_place *place, const wh_splunk_options *o, wh_str base,
                               wh_mem *mem, wh_error *err) {
  WH_CLEAN_BUF wh_buf query;
  wh_buf_init(&query, mem, 0);
  if (o->index.len) wh_uri_add_param(&query, "index", o->index);
  if (o->source.len) wh_uri_add_param(&query, "source", o->source);
  if (o->sourcetype.len) wh_uri_add_param(&query, "sourcetype", o->sourcetype);
  if (o->host.len) wh_uri_add_param(&query, "host", o->host);
  WH_TRY(wh_buf_check(&query, err));
  place->raw_url =
      wh_arena_printf(&place->arena, "%.*s/services/collector/raw%s%.*s", WH_STR_ARG(base),
                      query.len ? "?" : "", WH_STR_ARG(wh_buf_str(&query)));
  return place->raw_url.data ? WH_OK : wh_fail_memory(err);
}

static wh_str url_of(wh_splunk_place *place, wh_str base, const char *name) {
  return wh_arena_printf(&place->arena, "%.*s/services/collector/%s", WH_STR_ARG(base), name);
}

static wh_status fill_place(wh_splunk_place *place, const wh_connection *c, wh_error *err) {
  const wh_splunk_options *o = c->options;
  wh_str base = base_of(o->url);
  place->event_url = url_of(place, base, "event");
  place->ack_url = url_of(place, base, "ack");
  place->health_url = url_of(place, base, "health");
  place->authorization = wh_arena_printf(&place->arena, "Splunk %.*s", WH_STR_ARG(o->token));
  if (!place->event_url.data || !place->ack_url.data || !place->health_url.data ||
      !place->authorization.data)
    return wh_fail_memory(err);
  return write_raw_url(place, o, base, c->mem, err);
}

static void splunk_close(wh_connection *c) {
  wh_splunk_place *place = c->own;
  wh_arena_wipe(&place->arena); // the token
  wh_arena_free(&place->arena);
  wh_mem_free(c->mem, place, sizeof *place);
  c->own = NULL;
}

static wh_status splunk_open(wh_connection *c, wh_error *err) {
  wh_splunk_place *place = wh_mem_alloc_zero(c->mem, sizeof *place);
  if (!place) return wh_fail_memory(err);
  wh_arena_init(&place->arena, c->mem);
  c->own = place;
  wh_status status = fill_place(place, c, err);
  if (status != WH_OK) splunk_close(c);
  return status;
}

// --- requests ------------------------------------------------------------------------------------

wh_status wh_splunk_http(const wh_connection *c, wh_http **ret, wh_error *err) {
  const wh_splunk_options *o = c->options;
  wh_http_options http = {
      .os = c->os, .mem = c->mem, .cancel = c->cancel, .tls = (wh_tls)o->tls, .tls_ca = o->tls_ca};
  return wh_http_new(&http, ret, err);
}

wh_http_request wh_splunk_request(const wh_connection *c, const char *method, wh_str url,
                                  wh_str channel, bool gzip,
                                  wh_http_header headers[WH_SPLUNK_HEADERS], const wh_str *body) {
  size_t n = 0;
  headers[n++] = (wh_http_header){WH_STR("Authorization"), wh_splunk_place_of(c)->authorization};
  if (channel.len) headers[n++] = (wh_http_header){WH_STR("X-Splunk-Request-Channel"), channel};
  if (body) headers[n++] = (wh_http_header){WH_STR("Content-Type"), WH_STR("application/json")};
  if (gzip) headers[n++] = (wh_http_header){WH_STR("Content-Encoding"), WH_STR("gzip")};
  return (wh_http_request){.method = method,
                           .url = url,
                           .headers = headers,
                           .header_count = n,
                           .body = body,
                           .body_count = body != NULL,
                           .body_bytes_max = WH_SPLUNK_ANSWER_BYTES_MAX};
}

// --- looking -------------------------------------------------------------------------------------

// GUIDs that no sink uses: nothing is ever stored under it.
#define PROBE WH_STR("77686572-7279-4000-8000-70726f626521")

typedef struct probe {
  wh_connection *connection;
  wh_http *http;
  int status;
  wh_splunk_answer answer;
} probe;

static wh_status probe_with(probe *p, const char *method, wh_str url, const wh_str *body,
                            wh_error *err) {
  wh_http_header headers[WH_SPLUNK_HEADERS];
  wh_http_request request =
      wh_splunk_request(p->connection, method, url, PROBE, false, headers, body);
  wh_http_exchange *x, *done;
  wh_status status = wh_http_start(p->http, &request, &x, err);
  if (status == WH_OK) {
    status = wh_http_wait(p->http, x, -1, &done, err);
    if (status == WH_OK && x->status != WH_OK) {
      status = x->status;
      if (err) *err = x->error;
    }
    p->status = x->code;
    if (status == WH_OK) wh_splunk_answer_read(x->code, x->body, &p->answer);
    wh_http_end(x);
  }
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(p->connection->name));
  return status;
}

static wh_status busy(const probe *p, wh_error *err) {
  return wh_fail(err, WH_ERR_UNAVAILABLE,
                 "%.*s: the collector is there but takes nothing now: %s (HTTP %d). See whether "
                 "Splunk's indexers are up and have room",
                 WH_STR_ARG(p->connection->name),
                 p->answer.text[0] ? p->answer.text : "no reason given", p->status);
}

// An empty request is refused for having no data, or before that for its token: it stores nothing.
static wh_status look(probe *p, wh_error *err) {
  const wh_splunk_place *place = wh_splunk_place_of(p->connection);
  wh_str nothing = WH_STR(""), no_acks = WH_STR("{\"acks\":[]}");
  WH_TRY(probe_with(p, "GET", place->health_url, NULL, err));
  if (p->answer.verdict == WH_SPLUNK_LATER) return busy(p, err);
  WH_TRY(probe_with(p, "POST", place->event_url, &nothing, err));
  if (p->answer.verdict == WH_SPLUNK_LATER) return busy(p, err);
  if (p->answer.code != WH_SPLUNK_NO_DATA)
    return wh_splunk_answer_fail(p->connection, p->status, &p->answer, err);
  if (!wh_splunk_options_of(p->connection)->ack) return WH_OK;
  WH_TRY(probe_with(p, "POST", place->ack_url, &no_acks, err));
  bool is_off = p->answer.code == WH_SPLUNK_ACK_DISABLED;
  return is_off ? wh_splunk_answer_fail(p->connection, p->status, &p->answer, err) : WH_OK;
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  const wh_splunk_options *o = c->options;
  probe p = {.connection = c};
  WH_TRY(wh_splunk_http(c, &p.http, err));
  wh_status status = look(&p, err);
  wh_http_free(p.http);
  WH_TRY(status);
  wh_str host = wh_http_host(o->url);
  wh_buf_printf(ret_note, "the collector at %.*s takes the token, %s", WH_STR_ARG(host),
                o->ack ? "and acknowledges" : "without acknowledgement");
  return wh_buf_check(ret_note, err);
}

const wh_connector wh_connector_splunk = {
    .name = "splunk",
    .help = "events for Splunk's HTTP Event Collector, as a sink",
    .options = options,
    .options_size = sizeof(wh_splunk_options),
    .sink = &wh_splunk_sink,
    .check = check,
    .open = splunk_open,
    .close = splunk_close,
    .reach = reach,
    .reserve_bytes = WH_SPLUNK_LIBRARY_BYTES,
};
