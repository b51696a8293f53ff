#include "serve/operations.h"

#include "base/log.h"
#include "engine/run.h"
#include "serve/auth.h"
#include "serve/auth_connection.h"
#include "serve/exposition.h"
#include "serve/listen.h"
#include "serve/metrics.h"

#include <microhttpd.h>
#include <signal.h>
#include <unistd.h>

enum { STACK_BYTES = 1 << 20, CONNECTION_BYTES = 16 << 10, TEXT_BYTES_MAX = 16 << 20 };

static const int64_t SECOND_NS = 1000000000;

struct wh_operations {
  wh_engine *engine;
  const wh_server *server;
  wh_arena arena;
  wh_str address;
  wh_auth *auth; // NULL: everybody may
  struct MHD_Daemon *daemon;
  wh_run_counts runs;
  int64_t started_us;
  _Atomic int64_t beat_ns; // 0: none yet

  pthread_mutex_t mutex;     // over what follows
  struct MHD_Response *page; // of /metrics, for all who ask while it is fresh; NULL: none
  int64_t page_ns;           // when it was made
  bool is_readable;          // the ledger, when /readyz looked at it
  int64_t looked_ns;         // 0: never
};

static int64_t now_ns(const wh_operations *o) {
  return o->engine->os->type->monotonic_ns(o->engine->os);
}

// --- answers -------------------------------------------------------------------------------------

typedef struct reply {
  unsigned status;
  const char *type;
  wh_str body;
  const char *challenge; // of WWW-Authenticate; NULL or empty: none
  const char *allow;
  int64_t retry_after_s;
} reply;

static bool add_headers(struct MHD_Response *response, const reply *r) {
  char seconds[24];
  snprintf(seconds, sizeof seconds, "%lld", (long long)r->retry_after_s);
  const struct {
    const char *name, *value;
  } headers[] = {
      {"Content-Type", r->type},
      {"Cache-Control", "no-store"},
      {"X-Content-Type-Options", "nosniff"},
      {"WWW-Authenticate", r->challenge},
      {"Allow", r->allow},
      {"Retry-After", r->retry_after_s ? seconds : NULL},
  };
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    if (!headers[i].value || !headers[i].value[0]) continue;
    if (MHD_add_response_header(response, headers[i].name, headers[i].value) != MHD_YES)
      return false;
  }
  return true;
}

static struct MHD_Response *make_response(const reply *r) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(r->body.len, (void *)r->body.data, MHD_RESPMEM_MUST_COPY);
  if (!response || add_headers(response, r)) return response;
  MHD_destroy_response(response);
  return NULL;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, const reply *r) {
  struct MHD_Response *response = make_response(r);
  if (!response) return MHD_NO;
  enum MHD_Result result = MHD_queue_response(connection, r->status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text) {
  return send_reply(
      connection,
      &(reply){.status = status, .type = "text/plain; charset=utf-8", .body = wh_str_of(text)});
}

// --- ready ---------------------------------------------------------------------------------------

static bool is_fresh(const wh_operations *o, int64_t made_ns) {
  return now_ns(o) - made_ns < WH_OPERATIONS_FRESH_SECONDS * SECOND_NS;
}

static bool ledger_is_readable(wh_operations *o) {
  wh_ledger *l = o->engine->ledger;
  wh_ledger_stats stats;
  pthread_mutex_lock(&o->mutex);
  if (!o->looked_ns || !is_fresh(o, o->looked_ns)) {
    o->is_readable = l->type->stats(l, WH_STR(""), &stats, NULL) == WH_OK;
    o->looked_ns = now_ns(o);
  }
  bool is_readable = o->is_readable;
  pthread_mutex_unlock(&o->mutex);
  return is_readable;
}

static void add_reasons(wh_operations *o, wh_buf *out) {
  int64_t beat_ns = atomic_load(&o->beat_ns);
  if (wh_engine_stopping(o->engine))
    wh_buf_add_c(out, "the service is ending\n");
  else if (!beat_ns)
    wh_buf_add_c(out, "the service has not begun yet\n");
  else if (now_ns(o) - beat_ns > WH_OPERATIONS_BEAT_SECONDS * SECOND_NS)
    wh_buf_add_c(out, "the service's main thread is stuck\n");
  if (o->server && !wh_server_is_alive(o->server))
    wh_buf_add_c(out, "the pages' threads are stuck\n");
  if (!ledger_is_readable(o)) wh_buf_add_c(out, "the ledger cannot be read\n");
}

static enum MHD_Result answer_ready(wh_operations *o, struct MHD_Connection *connection) {
  WH_CLEAN_BUF wh_buf reasons;
  wh_buf_init(&reasons, o->engine->mem, 0);
  add_reasons(o, &reasons);
  if (reasons.failed) return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory is left\n");
  if (reasons.len) return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, reasons.data);
  return say(connection, MHD_HTTP_OK, "ready\n");
}

// --- metrics -------------------------------------------------------------------------------------

static struct MHD_Response *make_page(wh_operations *o) {
  WH_CLEAN_ARENA wh_arena scratch;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&scratch, o->engine->mem);
  wh_buf_init(&text, o->engine->mem, TEXT_BYTES_MAX);
  wh_metrics_source source = {
      .engine = o->engine, .server = o->server, .runs = &o->runs, .started_us = o->started_us};
  wh_error err = {0};
  if (wh_metrics_write(&source, &scratch, &text, &err) != WH_OK) return NULL;
  if (err.status != WH_OK) wh_log_error(WH_LOG_DEBUG, "metrics", &err); // the page says so, too
  return make_response(&(reply){.type = WH_EXPOSITION_TYPE, .body = wh_buf_str(&text)});
}

// With the mutex held. Who is still being sent the old page keeps it.
static void refresh_page(wh_operations *o) {
  if (o->page && is_fresh(o, o->page_ns)) return;
  if (o->page) MHD_destroy_response(o->page);
  o->page = make_page(o);
  o->page_ns = now_ns(o);
}

static enum MHD_Result answer_metrics(wh_operations *o, struct MHD_Connection *connection) {
  pthread_mutex_lock(&o->mutex);
  refresh_page(o);
  enum MHD_Result result =
      o->page ? MHD_queue_response(connection, MHD_HTTP_OK, o->page)
              : say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory is left\n");
  pthread_mutex_unlock(&o->mutex);
  return result;
}

// --- who may -------------------------------------------------------------------------------------

static bool find_address(struct MHD_Connection *connection, wh_ip *ret) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info && wh_ip_of_socket(info->client_addr, ret);
}

static void check_auth(wh_operations *o, struct MHD_Connection *connection, wh_auth_check *ret) {
  wh_ip address = {0};
  (void)find_address(connection, &address); // else one that is nobody's
  wh_auth_request request = {.address = &address,
                             .now_us = wh_now_us(o->engine->os),
                             .header = wh_auth_connection_header,
                             .header_context = connection};
  wh_auth_head(o->auth, &request, ret);
  wh_auth_end(ret); // there is no body
  wh_auth_done(ret);
}

static enum MHD_Result answer_if_allowed(wh_operations *o, struct MHD_Connection *connection) {
  wh_auth_check check = {0};
  if (o->auth) check_auth(o, connection, &check);
  if (!o->auth || check.let_in) return answer_metrics(o, connection);
  wh_log(WH_LOG_INFO, "serve", "/metrics %u: %s", check.status, check.reason);
  return send_reply(connection, &(reply){.status = check.status,
                                         .type = "text/plain; charset=utf-8",
                                         .body = WH_STR("refused\n"),
                                         .challenge = check.challenge,
                                         .retry_after_s = check.retry_after_s});
}

// --- requests ------------------------------------------------------------------------------------

static enum MHD_Result route(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_len, void **request) {
  (void)version, (void)upload, (void)upload_len, (void)request;
  wh_operations *o = context;
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
    return send_reply(connection, &(reply){.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                                           .type = "text/plain; charset=utf-8",
                                           .body = WH_STR("this is only read\n"),
                                           .allow = "GET, HEAD"});
  if (strcmp(url, "/healthz") == 0) return say(connection, MHD_HTTP_OK, "ok\n");
  if (strcmp(url, "/readyz") == 0) return answer_ready(o, connection);
  if (strcmp(url, "/metrics") == 0) return answer_if_allowed(o, connection);
  return say(connection, MHD_HTTP_NOT_FOUND, "there are /healthz, /readyz and /metrics\n");
}

// --- its life ------------------------------------------------------------------------------------

static struct MHD_Daemon *start_daemon(wh_operations *o, int fd) {
  sigset_t all, before; // signals are for the program's own threads
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct MHD_Daemon *daemon = MHD_start_daemon(
      MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL,
      route, o, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)WH_OPERATIONS_CONNECTIONS_MAX,
      MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)WH_OPERATIONS_CONNECTIONS_PER_ADDRESS,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WH_OPERATIONS_IDLE_SECONDS,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_END);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return daemon;
}

static wh_status open_listener(wh_operations *o, wh_error *err) {
  const wh_metrics *words = &o->engine->config->serve.metrics;
  int fd;
  wh_str name;
  WH_TRY(wh_listen(words->listen, "metrics", &fd, err));
  wh_status status = wh_listen_name(fd, &o->arena, &name, err);
  if (status == WH_OK) {
    o->address = wh_arena_printf(&o->arena, "http://%.*s", WH_STR_ARG(name));
    o->daemon = o->address.data ? start_daemon(o, fd) : NULL;
    if (!o->daemon)
      status = wh_fail(err, WH_ERR_MEMORY, "serve: metrics: its thread cannot be started");
  }
  if (!o->daemon) close(fd); // else it closes it
  return status;
}

static wh_status open_all(wh_operations *o, wh_error *err) {
  const wh_engine *e = o->engine;
  wh_config *config = e->config;
  // The pages' server has done it, and reads it now.
  if (!o->server) WH_TRY(wh_config_serve(config, err));
  const wh_node *auth = config->serve.metrics.auth;
  if (auth)
    WH_TRY(wh_auth_open(e->os, e->mem, config, auth, "serve: metrics: auth", &o->auth, err));
  return open_listener(o, err);
}

wh_status wh_operations_start(wh_engine *engine, const wh_server *server, wh_operations **ret,
                              wh_error *err) {
  wh_operations *o = wh_mem_alloc_zero(engine->mem, sizeof *o);
  if (!o) return wh_fail_memory(err);
  o->engine = engine;
  o->server = server;
  o->started_us = wh_now_us(engine->os);
  wh_arena_init(&o->arena, engine->mem);
  wh_run_counts_init(&o->runs, engine->mem);
  pthread_mutex_init(&o->mutex, NULL);
  wh_status status = open_all(o, err);
  if (status != WH_OK) {
    wh_operations_stop(o);
    return status;
  }
  *ret = o;
  return WH_OK;
}

void wh_operations_stop(wh_operations *o) {
  if (!o) return;
  if (o->daemon) MHD_stop_daemon(o->daemon);
  wh_auth_free(o->auth);
  wh_run_counts_free(&o->runs);
  if (o->page) MHD_destroy_response(o->page);
  pthread_mutex_destroy(&o->mutex);
  wh_arena_free(&o->arena);
  wh_mem_free(o->engine->mem, o, sizeof *o);
}

wh_str wh_operations_address(const wh_operations *o) {
  return o->address;
}

void wh_operations_count_run(wh_operations *o, const wh_run *run) {
  if (o) wh_run_counts_add(&o->runs, run);
}

void wh_operations_beat(wh_operations *o) {
  if (o) atomic_store(&o->beat_ns, now_ns(o));
}
