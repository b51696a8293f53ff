#include "serve/server.h"

#include "base/log.h"
#include "base/thread.h"
#include "serve/docs.h"
#include "serve/listen.h"
#include "serve/openapi.h"
#include "serve/page.h"

#include <unistd.h>

#define STOP_STEP_NS (10LL * 1000000)

static const char policy_form[] =
    "default-src 'none'; style-src %.*s; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'";

// --- lookups -------------------------------------------------------------------------------------

static bool is_png(wh_str data) {
  static const char magic[] = "\x89PNG\r\n\x1A\n";
  return data.len > sizeof magic - 1 && memcmp(data.data, magic, sizeof magic - 1) == 0;
}

static bool is_svg(wh_str data) {
  return wh_utf8_valid(data) && memmem(data.data, data.len, "<svg", 4);
}

static wh_status load_logo(wh_server *s, wh_desk *desk, wh_error *err) {
  wh_str path = desk->ask.lookup->logo;
  if (!path.len) return WH_OK;
  const char *cpath = wh_arena_cstr(&s->arena, path);
  if (!cpath) return wh_fail_memory(err);
  wh_status status =
      wh_os_read_file(s->os, cpath, WH_SERVE_LOGO_BYTES_MAX, &s->arena, &desk->logo, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "lookup %.*s: logo: ", WH_STR_ARG(desk->ask.lookup->name));
    return status;
  }
  if (is_png(desk->logo)) {
    desk->logo_type = "image/png";
  } else if (is_svg(desk->logo)) {
    desk->logo_type = "image/svg+xml";
  } else {
    return wh_fail(err, WH_ERR_USAGE, "lookup %.*s: logo: %.*s is neither SVG nor PNG",
                   WH_STR_ARG(desk->ask.lookup->name), WH_STR_ARG(path));
  }
  return WH_OK;
}

static wh_status open_desks(wh_server *s, wh_error *err) {
  const wh_serve *serve = &s->config->serve;
  s->desks = WH_NEW_ARRAY(&s->arena, serve->lookup_count, wh_desk);
  if (!s->desks) return wh_fail_memory(err);
  for (size_t i = 0; i < serve->lookup_count; i++) {
    wh_desk *desk = &s->desks[s->desk_count++];
    const wh_lookup *l = &serve->lookups[i];
    WH_TRY(wh_ask_init(&desk->ask, s->os, s->mem, s->config, l, &s->arena, err));
    desk->ask.number = (uint32_t)i;
    desk->ask.by_address = &s->by_address;
    desk->ask.by_key = &s->by_key;
    WH_TRY(load_logo(s, desk, err));
  }
  return WH_OK;
}

// --- ingest --------------------------------------------------------------------------------------

static wh_status open_auth(wh_server *s, wh_inlet *inlet, wh_error *err) {
  const wh_ingest *ingest = inlet->ingest;
  if (!ingest->auth) return WH_OK;
  wh_str owner =
      wh_arena_printf(&s->arena, "ingest %.*s: auth", WH_STR_ARG(ingest->endpoint->name));
  if (!owner.data) return wh_fail_memory(err);
  return wh_auth_open(s->os, s->mem, s->config, ingest->auth, owner.data, &inlet->auth, err);
}

static wh_status start_forwarders(wh_server *s, wh_connection *events, wh_error *err) {
  for (size_t i = 0; i < s->inlet_count; i++) {
    wh_inlet *inlet = &s->inlets[i];
    if (inlet->ingest->to.len)
      WH_TRY(wh_forwarder_start(s->os, s->mem, s->config, events, i, s->committer,
                                &inlet->forwarder, err));
  }
  return WH_OK;
}

static void stop_forwarders(wh_server *s) {
  for (size_t i = 0; i < s->inlet_count; i++)
    wh_forwarder_ask_to_stop(s->inlets[i].forwarder);
  for (size_t i = 0; i < s->inlet_count; i++) {
    wh_forwarder_stop(s->inlets[i].forwarder);
    s->inlets[i].forwarder = NULL;
  }
}

static wh_status open_inlets(wh_server *s, wh_error *err) {
  const wh_serve *serve = &s->config->serve;
  wh_connection *c;
  if (!serve->ingest_count) return WH_OK;
  s->inlets = WH_NEW_ARRAY(&s->arena, serve->ingest_count, wh_inlet);
  if (!s->inlets) return wh_fail_memory(err);
  for (size_t i = 0; i < serve->ingest_count; i++) {
    wh_inlet *inlet = &s->inlets[s->inlet_count++];
    inlet->ingest = &serve->ingests[i];
    WH_TRY(open_auth(s, inlet, err));
  }
  WH_TRY(wh_limiter_init(&s->by_sender, s->os, s->mem, WH_INGEST_RATE_WINDOW_NS, err));
  WH_TRY(wh_config_connect(s->config, WH_STR(WH_INGEST_CONNECTION), &c, err));
  WH_TRY(wh_committer_start(s->os, s->mem, c, serve->ingests, serve->ingest_count, &s->committer,
                            err));
  return start_forwarders(s, c, err);
}

// --- documentation -------------------------------------------------------------------------------

static wh_status keep_docs(wh_server *s, const json_t *document, wh_error *err) {
  WH_CLEAN_BUF wh_buf text, page;
  wh_buf_init(&text, s->mem, 0);
  wh_buf_init(&page, s->mem, 0);
  if (!wh_openapi_write(document, &text) || !wh_docs_write(document, s->mem, &page))
    return wh_fail_memory(err);
  s->openapi = wh_arena_str(&s->arena, wh_buf_str(&text));
  s->docs = wh_arena_str(&s->arena, wh_buf_str(&page));
  return s->openapi.data && s->docs.data ? WH_OK : wh_fail_memory(err);
}

// `listen` is where it listens by now: port 0 has become another.
static wh_status make_docs(wh_server *s, wh_str listen, wh_error *err) {
  const wh_serve *serve = &s->config->serve;
  if (!serve->docs || (!serve->ingest_count && !serve->lookup_count)) return WH_OK;
  wh_str base = wh_openapi_base(serve, listen, &s->arena);
  if (!base.data) return wh_fail_memory(err);
  WH_CLEAN_JSON json_t *document = NULL;
  wh_str server = serve->url.len ? serve->url : WH_STR("/");
  WH_TRY(wh_openapi_make(s->config, base, server, s->mem, &document, err));
  return keep_docs(s, document, err);
}

// --- the server ----------------------------------------------------------------------------------

static wh_status read_proxies(wh_server *s, wh_error *err) {
  const wh_str_list *list = &s->config->serve.trusted_proxies;
  s->trusted = WH_NEW_ARRAY(&s->arena, list->count, wh_ip_block);
  if (!s->trusted) return wh_fail_memory(err);
  for (size_t i = 0; i < list->count; i++) {
    if (!wh_ip_block_parse(list->items[i], &s->trusted[i])) {
      return wh_fail(err, WH_ERR_USAGE, "serve: trusted_proxies: '%.*s' is no address or block",
                     WH_STR_ARG(list->items[i]));
    }
  }
  s->trusted_count = list->count;
  return WH_OK;
}

static wh_status make_policy(wh_server *s, wh_error *err) {
  WH_CLEAN_BUF wh_buf style;
  wh_buf_init(&style, s->mem, 0);
  if (!wh_page_style_source(&style)) return wh_fail_memory(err);
  wh_str source = wh_buf_str(&style);
  s->page_policy = wh_arena_printf(&s->arena, policy_form, WH_STR_ARG(source)).data;
  return s->page_policy ? WH_OK : wh_fail_memory(err);
}

static void init_waiting(wh_server *s) {
  WH_IGNORE(wh_cond_init(&s->wake, NULL));
  pthread_mutex_init(&s->mutex, NULL);
  s->has_mutex = true;
}

static wh_status open_daemon(wh_server *s, wh_error *err) {
  const wh_serve *serve = &s->config->serve;
  if (!s->has_tls) return wh_daemon_start(s, NULL, &s->daemon, err);
  wh_tls_files files;
  WH_TRY(wh_tls_read(s->os, s->mem, serve->tls_certificate, serve->tls_key, &files, err));
  memcpy(s->certificate, files.digest, sizeof s->certificate);
  wh_status status = wh_tls_check(&files, serve->tls_certificate, serve->tls_key, err);
  if (status == WH_OK) status = wh_daemon_start(s, &files, &s->daemon, err);
  wh_tls_free(&files);
  return status;
}

static wh_status open_server(wh_server *s, wh_error *err) {
  const wh_serve *serve = &s->config->serve;
  WH_TRY(wh_config_serve(s->config, err));
  s->has_tls = serve->tls_certificate.len > 0;
  WH_TRY(read_proxies(s, err));
  WH_TRY(wh_connections_init(&s->connections, s->os, s->mem, (size_t)serve->connections,
                             (size_t)serve->connections_per_address, err));
  s->connections.trusted = s->trusted;
  s->connections.trusted_count = s->trusted_count;
  WH_TRY(make_policy(s, err));
  WH_TRY(wh_limiter_init(&s->by_address, s->os, s->mem, WH_ASK_ADDRESS_WINDOW_NS, err));
  WH_TRY(wh_limiter_init(&s->by_key, s->os, s->mem, WH_ASK_KEY_WINDOW_NS, err));
  WH_TRY(open_desks(s, err));
  WH_TRY(open_inlets(s, err));
  WH_TRY(wh_listen(serve->listen, "listen", &s->listen_fd, err));
  wh_str name;
  WH_TRY(wh_listen_name(s->listen_fd, &s->arena, &name, err));
  s->address =
      wh_arena_printf(&s->arena, "%s://%.*s", s->has_tls ? "https" : "http", WH_STR_ARG(name));
  if (!s->address.data) return wh_fail_memory(err);
  WH_TRY(make_docs(s, name, err));
  WH_TRY(open_daemon(s, err));
  return wh_keeper_start(s, err);
}

wh_status wh_server_start(wh_os *os, wh_mem *mem, wh_config *config, wh_server **ret,
                          wh_error *err) {
  wh_server *s = wh_mem_alloc_zero(mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->os = os;
  s->mem = mem;
  s->config = config;
  s->listen_fd = -1;
  wh_arena_init(&s->arena, mem);
  init_waiting(s);
  wh_status status = open_server(s, err);
  if (status != WH_OK) {
    wh_server_stop(s);
    return status;
  }
  *ret = s;
  return WH_OK;
}

static void finish_requests(wh_server *s) {
  struct MHD_Daemon *daemons[] = {s->daemon, s->retired};
  if (s->daemon) wh_daemon_quiesce(s->daemon);
  int64_t until = s->os->type->monotonic_ns(s->os) + WH_SERVE_STOP_SECONDS * 1000000000LL;
  struct timespec step = {.tv_nsec = STOP_STEP_NS};
  // Not os->sleep_ns: whoever stops us may have woken all sleepers already.
  while (s->daemon && wh_connections_busy(&s->connections) > 0 &&
         s->os->type->monotonic_ns(s->os) < until)
    nanosleep(&step, NULL);
  stop_forwarders(s);
  wh_committer_stop(s->committer); // none is suspended any more
  for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++)
    if (daemons[i]) MHD_stop_daemon(daemons[i]);
}

void wh_server_stop(wh_server *s) {
  if (!s) return;
  wh_keeper_stop(s);
  finish_requests(s);
  if (s->listen_fd >= 0) close(s->listen_fd);
  for (size_t i = 0; i < s->desk_count; i++)
    wh_ask_free(&s->desks[i].ask);
  wh_limiter_free(&s->by_address);
  wh_limiter_free(&s->by_key);
  wh_limiter_free(&s->by_sender);
  for (size_t i = 0; i < s->inlet_count; i++)
    wh_auth_free(s->inlets[i].auth);
  wh_committer_free(s->committer);
  wh_connections_free(&s->connections);
  if (s->has_mutex) {
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->mutex);
  }
  wh_arena_free(&s->arena);
  wh_mem_free(s->mem, s, sizeof *s);
}

wh_str wh_server_address(const wh_server *s) {
  return s->address;
}

bool wh_server_has_docs(const wh_server *s) {
  return s->docs.len > 0;
}

wh_server_counts wh_server_count(const wh_server *s) {
  return (wh_server_counts){
      .asked = atomic_load(&s->asked),
      .found = atomic_load(&s->found),
      .missed = atomic_load(&s->missed),
      .limited = atomic_load(&s->limited),
      .failed = atomic_load(&s->failed),
  };
}

wh_server_counts wh_server_count_lookup(const wh_server *s, size_t lookup) {
  const wh_desk *desk = &s->desks[lookup];
  return (wh_server_counts){
      .asked = atomic_load(&desk->asked),
      .found = atomic_load(&desk->found),
      .missed = atomic_load(&desk->missed),
      .limited = atomic_load(&desk->limited),
      .failed = atomic_load(&desk->failed),
  };
}

bool wh_server_is_alive(const wh_server *s) {
  int64_t age_ns = s->os->type->monotonic_ns(s->os) - atomic_load(&s->kept_ns);
  return age_ns < WH_SERVE_ALIVE_SECONDS * 1000000000LL;
}

wh_ingest_counts wh_server_count_ingest(const wh_server *s, size_t ingest) {
  const wh_inlet *inlet = &s->inlets[ingest];
  return (wh_ingest_counts){
      .requests = atomic_load(&inlet->requests),
      .refused = atomic_load(&inlet->refused),
      .events = atomic_load(&inlet->events),
      .waiting_bytes = wh_committer_waiting(s->committer, ingest),
  };
}

void wh_server_ingest_taken(wh_server *s, size_t ingest, int64_t number) {
  wh_committer_taken(s->committer, ingest, number);
}

size_t wh_server_reserve(const wh_serve *serve) {
  enum { COUNTED = 128 }; // connections that WH_SERVE_RESERVE_BYTES covers
  size_t most = (size_t)serve->connections, more = most > COUNTED ? most - COUNTED : 0;
  return WH_SERVE_RESERVE_BYTES + more * WH_SERVE_CONNECTION_BYTES;
}

void wh_server_refresh(wh_server *s) {
  pthread_mutex_lock(&s->mutex);
  s->refresh = true;
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->mutex);
}
