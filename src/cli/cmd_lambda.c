#include "base/log.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "lambda/endpoints.h"
#include "lambda/handle.h"
#include "lambda/runtime.h"

#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

// What an invocation keeps of its time to finish the chunk in hand and to answer: a tenth, within
// these.
enum { MARGIN_MIN_US = 500000, MARGIN_MAX_US = 10000000, US_PER_S = 1000000 };

// The function's handler says which configuration it is of: "wherry", or "wherry.prod" for
// wherry.prod.yaml over wherry.yaml.
static void read_handler(wh_cli *cli) {
  const char *handler = wh_environment_get(&wh_cli_environment, "_HANDLER");
  const char *dot = handler ? strchr(handler, '.') : NULL;
  if (dot && dot[1] && !cli->environment) cli->environment = dot + 1;
}

// All that is written to goes where a function may write, for as long as it lives.
static wh_status use_scratch(wh_cli *cli, wh_error *err) {
  const char *folder = wh_environment_get(&wh_cli_environment, "TMPDIR");
  wh_config *config = cli->config;
  config->state_folder = wh_arena_printf(&cli->arena, "%s/wherry-lambda", folder ? folder : "/tmp");
  config->ledger_path =
      wh_arena_printf(&cli->arena, "%.*s/ledger.db", WH_STR_ARG(config->state_folder));
  return config->state_folder.data && config->ledger_path.data ? WH_OK : wh_fail_memory(err);
}

static wh_status load(wh_cli *cli, wh_error *err) {
  WH_TRY(wh_cli_read_config(cli, err));
  const wh_config *config = cli->config;
  if (config->error_count) return wh_fail(err, WH_ERR_USAGE, "%s", config->problems[0].text);
  return use_scratch(cli, err);
}

static wh_engine *open_engine(wh_cli *cli, wh_progress_view *view, wh_error *err) {
  if (cli->engine.config) return &cli->engine;
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) {
    WH_IGNORE(wh_fail(err, WH_ERR_UNAVAILABLE, "the ledger cannot be opened; the log says why"));
    return NULL;
  }
  engine->scratch_disk = true;
  engine->scratch_ledger = !wh_config_ledger_type(cli->config);
  wh_watcher watcher = wh_progress_watcher(view);
  watcher.progress = NULL;
  wh_cli_watch(cli, watcher);
  return engine;
}

// --- time ----------------------------------------------------------------------------------------

static void set_alarm(int64_t us) {
  struct itimerval timer = {.it_value = {us / US_PER_S, us % US_PER_S}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

// When the time for work will be over; 0: never.
static int64_t begin_time(wh_cli *cli, const wh_invocation *invocation) {
  if (!invocation->deadline_us) return 0;
  int64_t now = wh_now_us(&cli->os.base);
  int64_t left = invocation->deadline_us - now, margin = left / 10;
  if (margin < MARGIN_MIN_US) margin = MARGIN_MIN_US;
  if (margin > MARGIN_MAX_US) margin = MARGIN_MAX_US;
  int64_t work = left > 2 * margin ? left - margin : left > 1 ? left / 2 : 1;
  set_alarm(work);
  return now + work;
}

static void end_time(wh_cli *cli) {
  uint64_t ignored;
  set_alarm(0);
  if (atomic_load(&cli->ends)) return;
  atomic_store(&cli->stop, false);
  while (read(cli->wake_fd, &ignored, sizeof ignored) > 0)
    continue;
}

// --- invocations ---------------------------------------------------------------------------------

// What the function keeps from one invocation to the next.
typedef struct function {
  wh_cli *cli;
  wh_progress_view view;
  wh_lambda_endpoints *endpoints; // NULL: nobody has asked yet
} function;

// Needs no ledger, and so opens none.
static wh_status answer_request(function *f, const wh_lambda_event *event, wh_buf *answer,
                                wh_error *err) {
  wh_cli *cli = f->cli;
  if (!f->endpoints) f->endpoints = wh_lambda_endpoints_new(&cli->os.base, &cli->mem, cli->config);
  if (!f->endpoints) return wh_fail_memory(err);
  return wh_lambda_answer(f->endpoints, &event->request, &cli->stop, answer, err);
}

static wh_status work(function *f, const wh_invocation *invocation, wh_buf *answer, wh_error *err) {
  wh_cli *cli = f->cli;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &cli->mem);
  wh_lambda_event event;
  WH_TRY(wh_lambda_event_parse(invocation->event, &arena, &event, err));
  bool is_request = event.kind == WH_LAMBDA_REQUEST;
  wh_engine *engine = is_request ? NULL : open_engine(cli, &f->view, err);
  if (!engine && !is_request) return err->status;
  int64_t end_us = begin_time(cli, invocation);
  wh_status status = is_request ? answer_request(f, &event, answer, err)
                                : wh_lambda_handle(engine, &event, end_us, answer, err);
  end_time(cli);
  return status;
}

static wh_status serve_one(function *f, wh_runtime *runtime, wh_error *err) {
  wh_cli *cli = f->cli;
  wh_invocation invocation;
  WH_TRY(wh_runtime_next(runtime, &invocation, err));
  WH_CLEAN_BUF wh_buf answer;
  wh_buf_init(&answer, &cli->mem, WH_RUNTIME_EVENT_BYTES_MAX);
  wh_error why = {0};
  if (work(f, &invocation, &answer, &why) == WH_OK)
    return wh_runtime_answer(runtime, invocation.id, wh_buf_str(&answer), err);
  wh_log_error(WH_LOG_ERROR, "lambda", &why);
  return wh_runtime_fail(runtime, invocation.id, &why, err);
}

static wh_exit refuse(wh_cli *cli, wh_runtime *runtime, const wh_error *why) {
  wh_error ignored = {0};
  WH_IGNORE(wh_runtime_fail(runtime, (wh_str){0}, why, &ignored));
  return wh_cli_fail(cli, why);
}

static wh_exit serve(wh_cli *cli, wh_runtime *runtime) {
  wh_error err = {0};
  function f = {.cli = cli};
  if (load(cli, &err) != WH_OK) return refuse(cli, runtime, &err);
  wh_progress_init(&f.view, cli);
  wh_status status;
  do
    status = serve_one(&f, runtime, &err);
  while (status == WH_OK);
  wh_lambda_endpoints_free(f.endpoints);
  return atomic_load(&cli->ends) ? WH_EXIT_DONE : wh_cli_fail(cli, &err);
}

static wh_exit run(wh_cli *cli, const wh_args *args) {
  (void)args;
  const char *api = wh_environment_get(&wh_cli_environment, "AWS_LAMBDA_RUNTIME_API");
  if (!api)
    return wh_cli_usage(cli, "this is what AWS Lambda starts; there is no AWS_LAMBDA_RUNTIME_API "
                             "here. How to make a function: make lambda");
  cli->json = cli->is_function = true;
  cli->color = cli->color_out = false;
  wh_log_setup(WH_LOG_WARN, true, NULL, NULL);
  read_handler(cli);
  wh_runtime runtime;
  wh_runtime_init(&runtime, &cli->mem, wh_str_of(api), &cli->ends, cli->wake_fd);
  wh_exit exit = serve(cli, &runtime);
  wh_runtime_free(&runtime);
  return exit;
}

const wh_command wh_cmd_lambda = {
    .name = "lambda",
    .usage = "",
    .help = "the service as a function of AWS Lambda, which starts it",
    .more = "Takes the events of S3, SNS, SQS and EventBridge, and loads what they announce with "
            "the pipelines that wait for it. {\"pipeline\": \"NAME\"} runs one. Requests of API "
            "Gateway are for the endpoints of serve.ingest. The function's "
            "handler is wherry, or wherry.NAME for wherry.NAME.yaml over wherry.yaml. `make "
            "lambda` builds the function, whose `bootstrap` is this program.",
    .example = "wherry lambda",
    .run = run,
};
