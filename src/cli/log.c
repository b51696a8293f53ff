// Where log lines go: to standard error, or to CloudWatch Logs with the numbers of each run.
#include "cli/cli.h"
#include "ledger/run_metrics.h"

#include <unistd.h>

enum { HOST_MAX = 256 };

static void to_cloudwatch(void *context, wh_log_level level, wh_str line) {
  wh_cli *cli = context;
  wh_aws_logs_add(cli->logs, line);
  // Whoever looks at the machine sees what is wrong.
  if (level >= WH_LOG_WARN) fprintf(stderr, "%.*s\n", WH_STR_ARG(line));
}

static void warn(void *context, const char *text) {
  (void)context;
  fprintf(stderr, "%s\n", text);
}

// "erp-office-4711"
static wh_str own_stream(wh_cli *cli) {
  char host[HOST_MAX] = "wherry";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  return wh_arena_printf(&cli->arena, "%s-%ld", host, (long)getpid());
}

static wh_status open_logs(wh_cli *cli, const wh_log_place *log, wh_error *err) {
  const wh_config_source *source = &cli->config->source;
  wh_aws_logs_options options = {.os = &cli->os.base,
                                 .mem = &cli->mem,
                                 .environment = {source->getenv, source->getenv_context},
                                 .group = log->group,
                                 .stream = log->stream.len ? log->stream : own_stream(cli),
                                 .region = log->region,
                                 .endpoint = log->endpoint,
                                 .profile = log->profile,
                                 .warn = warn};
  if (!options.stream.data) return wh_fail_memory(err);
  return wh_aws_logs_open(&options, &cli->logs, err);
}

wh_status wh_cli_log_open(wh_cli *cli, wh_log_level least, wh_error *err) {
  const wh_log_place *log = &cli->config->log;
  bool json = cli->json || log->to != WH_LOG_TEXT;
  if (log->to != WH_LOG_CLOUDWATCH) {
    wh_log_setup(least, json, NULL, NULL);
    return WH_OK;
  }
  if (!cli->logs) WH_TRY(open_logs(cli, log, err));
  wh_log_setup(least, true, to_cloudwatch, cli);
  return WH_OK;
}

void wh_cli_log_close(wh_cli *cli) {
  if (!cli->logs) return;
  wh_log_setup(WH_LOG_WARN, cli->json, NULL, NULL);
  wh_aws_logs_close(cli->logs);
  cli->logs = NULL;
}

// --- runs ----------------------------------------------------------------------------------------

static void on_progress(void *context, const wh_progress *progress) {
  const wh_watcher *w = &((wh_cli *)context)->watcher;
  if (w->progress) w->progress(w->context, progress);
}

static void on_finished(void *context, const wh_run *run) {
  wh_cli *cli = context;
  const wh_watcher *w = &cli->watcher;
  if (w->finished) w->finished(w->context, run);
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  if (wh_run_write_metrics(run, &line)) wh_aws_logs_add(cli->logs, wh_buf_str(&line));
}

static void on_notice(void *context, wh_str pipeline, const char *text) {
  const wh_watcher *w = &((wh_cli *)context)->watcher;
  if (w->notice) w->notice(w->context, pipeline, text);
}

static void on_tick(void *context) {
  const wh_watcher *w = &((wh_cli *)context)->watcher;
  if (w->tick) w->tick(w->context);
}

void wh_cli_watch(wh_cli *cli, wh_watcher watcher) {
  cli->watcher = watcher;
  cli->engine.watcher = watcher;
  if (!cli->logs) return;
  cli->engine.watcher = (wh_watcher){.context = cli,
                                     .progress = on_progress,
                                     .finished = on_finished,
                                     .notice = on_notice,
                                     .tick = on_tick};
}
