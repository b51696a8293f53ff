#include "base/log.h"
#include "cli/progress.h"
#include "cli/supervisor.h"
#include "cli/up_state.h"
#include "ledger/receipt.h"
#include "serve/operations.h"

#include <pthread.h>

// --- what happens, as log lines ------------------------------------------------------------------

typedef struct up_view {
  wh_cli *cli;
  wh_up_state state;
  wh_operations *operations; // NULL: nobody is told
  bool is_ready;             // the supervisor was told
  pthread_mutex_t mutex;     // runs end on the workers' threads; lines must not mix
} up_view;

static const char *topic_of(wh_str pipeline, char *text, size_t cap) {
  snprintf(text, cap, "%.*s", WH_STR_ARG(pipeline));
  return text;
}

static void on_finished(void *context, const wh_run *run) {
  up_view *v = context;
  char topic[WH_CONFIG_NAME_MAX + 1];
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &v->cli->mem, 0);
  wh_operations_count_run(v->operations, run);
  pthread_mutex_lock(&v->mutex);
  if (v->cli->json) {
    if (wh_receipt_write_json(run, &line)) wh_print_json(&line);
  } else if (wh_run_describe(run, "", "", &line)) {
    bool ok = run->state == WH_RUN_DONE && !run->counts.quarantined;
    wh_log(ok ? WH_LOG_INFO : WH_LOG_WARN, topic_of(run->pipeline, topic, sizeof topic), "%s",
           line.data);
  }
  pthread_mutex_unlock(&v->mutex);
}

static void on_notice(void *context, wh_str pipeline, const char *text) {
  (void)context;
  char topic[WH_CONFIG_NAME_MAX + 1];
  wh_log(WH_LOG_WARN, topic_of(pipeline, topic, sizeof topic), "%s", text);
}

static bool tell_supervisor(const char *what) {
  wh_error err = {0};
  if (wh_supervisor_tell(&wh_cli_environment, what, &err) == WH_OK) return true;
  wh_log_error(WH_LOG_WARN, "supervisor", &err);
  return false;
}

// READY until it was heard. The first tick comes when all queues are open and the workers run.
static void on_tick(void *context) {
  up_view *v = context;
  bool told = tell_supervisor(v->is_ready ? WH_SUPERVISOR_ALIVE : WH_SUPERVISOR_READY);
  v->is_ready = v->is_ready || told;
  wh_operations_beat(v->operations);
  wh_up_tick(&v->state);
}

// --- the pages -----------------------------------------------------------------------------------

static void tell_pages(wh_cli *cli, const wh_server *server) {
  wh_str address = wh_server_address(server);
  const wh_serve *serve = &cli->config->serve;
  for (size_t i = 0; i < serve->lookup_count; i++) {
    if (!cli->json) {
      wh_say(cli, "%.*s is at %.*s/%.*s", WH_STR_ARG(serve->lookups[i].name), WH_STR_ARG(address),
             WH_STR_ARG(serve->lookups[i].name));
      continue;
    }
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &cli->mem, 0);
    wh_buf_add_c(&line, "{\"lookup\":");
    wh_buf_add_json(&line, serve->lookups[i].name);
    wh_buf_printf(&line, ",\"url\":\"%.*s/%.*s\"}", WH_STR_ARG(address),
                  WH_STR_ARG(serve->lookups[i].name));
    if (!line.failed) wh_print_json(&line);
  }
}

static void tell_endpoints(wh_cli *cli, const wh_server *server) {
  wh_str address = wh_server_address(server);
  const wh_serve *serve = &cli->config->serve;
  for (size_t i = 0; i < serve->ingest_count; i++) {
    wh_str name = serve->ingests[i].endpoint->name;
    if (!cli->json) {
      wh_say(cli, "%.*s takes events at %.*s/ingest/%.*s", WH_STR_ARG(name), WH_STR_ARG(address),
             WH_STR_ARG(name));
      continue;
    }
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &cli->mem, 0);
    wh_buf_printf(&line, "{\"ingest\":\"%.*s\",\"url\":\"%.*s/ingest/%.*s\"}", WH_STR_ARG(name),
                  WH_STR_ARG(address), WH_STR_ARG(name));
    if (!line.failed) wh_print_json(&line);
  }
}

static void tell_docs(wh_cli *cli, const wh_server *server) {
  wh_str address = wh_server_address(server);
  if (!wh_server_has_docs(server)) return;
  if (!cli->json) {
    wh_say(cli, "The documentation is at %.*s/docs", WH_STR_ARG(address));
    return;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line, "{\"docs\":\"%.*s/docs\"}", WH_STR_ARG(address));
  if (!line.failed) wh_print_json(&line);
}

// `serve` with nothing but metrics has none.
static bool has_pages(const wh_serve *serve) {
  return serve->lookup_count > 0 || serve->ingest_count > 0 || !serve->metrics.given;
}

static wh_status start_pages(wh_cli *cli, wh_server **ret, wh_error *err) {
  *ret = NULL;
  if (!cli->config->serve.given) return WH_OK;
  // The web server's libraries allocate past the accountant.
  size_t reserve = wh_server_reserve(&cli->config->serve);
  if (cli->mem.limit > 2 * reserve) cli->mem.limit -= reserve;
  if (!has_pages(&cli->config->serve)) return WH_OK;
  WH_TRY(wh_server_start(&cli->os.base, &cli->mem, cli->config, ret, err));
  tell_pages(cli, *ret);
  tell_endpoints(cli, *ret);
  tell_docs(cli, *ret);
  return WH_OK;
}

static wh_status start_operations(wh_cli *cli, const wh_server *server, wh_operations **ret,
                                  wh_error *err) {
  *ret = NULL;
  if (!cli->config->serve.metrics.given) return WH_OK;
  WH_TRY(wh_operations_start(&cli->engine, server, ret, err));
  wh_str address = wh_operations_address(*ret);
  if (!cli->json) {
    wh_say(cli, "metrics are at %.*s/metrics", WH_STR_ARG(address));
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line, "{\"metrics\":\"%.*s/metrics\"}", WH_STR_ARG(address));
  if (!line.failed) wh_print_json(&line);
  return WH_OK;
}

// --- the command ---------------------------------------------------------------------------------

static wh_status check_names(const wh_cli *cli, const wh_args *args, wh_error *err) {
  const wh_pipeline *ignored;
  for (size_t i = 0; i < args->count; i++)
    WH_TRY(wh_config_find_pipeline(cli->config, args->words[i], &ignored, err));
  return WH_OK;
}

static wh_exit up(wh_cli *cli, const wh_args *args) {
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) return cli->refused;
  up_view view = {.cli = cli};
  pthread_mutex_init(&view.mutex, NULL);
  wh_cli_watch(
      cli, (wh_watcher){
               .context = &view, .finished = on_finished, .notice = on_notice, .tick = on_tick});
  wh_error err = {0};
  wh_server *server = NULL;
  wh_log_level least = wh_args_has(args, "--verbose") ? WH_LOG_DEBUG : WH_LOG_INFO;
  wh_status status = wh_cli_log_open(cli, least, &err);
  if (status == WH_OK) status = check_names(cli, args, &err);
  if (status == WH_OK) status = start_pages(cli, &server, &err);
  if (status == WH_OK) status = start_operations(cli, server, &view.operations, &err);
  if (status == WH_OK) status = wh_up_begin(&view.state, cli, server, &err);
  if (status == WH_OK) {
    wh_say(cli, "Up. Stop it with Ctrl-C; what is in hand is finished first.");
    status = wh_engine_serve(engine, args->words, args->count, &err);
    (void)tell_supervisor(WH_SUPERVISOR_STOPPING);
  }
  wh_up_end(&view.state);
  wh_operations_stop(view.operations);
  wh_server_stop(server);
  pthread_mutex_destroy(&view.mutex);
  if (status != WH_OK && status != WH_ERR_CANCELLED) return wh_cli_fail(cli, &err);
  wh_say(cli, "Stopped. What is left goes on at the next start.");
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_up = {
    .name = "up",
    .usage = "[PIPELINE...]",
    .help = "the service: run what is due, load what arrives, serve the pages",
    .more = "Runs pipelines by their `when`, all when none is named, and answers lookups where the "
            "configuration has `serve`. SIGTERM or Ctrl-C finishes the chunk in hand, leaves the "
            "rest for the next start, and exits with 0. Each run is a line on standard error; "
            "with --json its receipt on standard output. Under a supervisor that waits for it "
            "(NOTIFY_SOCKET, as systemd has it) it says when it is up, and that it lives.",
    .example = "wherry up",
    .words_max = WH_ARGS_MAX,
    .completes = "pipeline",
    .run = up,
};
