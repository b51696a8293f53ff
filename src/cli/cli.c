#include "cli/cli.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdlib.h>

const wh_flag wh_common_flags[] = {
    {"-c", "FILE", "the configuration; default: wherry.yaml in this folder"},
    {"--env", "NAME", "lay wherry.NAME.yaml over it"},
    {"--json", NULL, "machine-readable output, one object a line"},
    {"--verbose", NULL, "log what is done in detail"},
    {"--help", NULL, "explain the command"},
    {"--version", NULL, "print the version"},
    {0},
};

bool wh_args_has(const wh_args *args, const char *flag) {
  for (size_t i = 0; i < args->flag_count; i++) {
    if (strcmp(args->flags[i].flag->name, flag) == 0) return true;
  }
  return false;
}

const char *wh_args_value(const wh_args *args, const char *flag) {
  const char *value = NULL;
  for (size_t i = 0; i < args->flag_count; i++) {
    if (strcmp(args->flags[i].flag->name, flag) == 0) value = args->flags[i].value;
  }
  return value;
}

void wh_print_json(const wh_buf *line) {
  fwrite(line->data, 1, line->len, stdout);
  putchar('\n');
  fflush(stdout);
}

wh_exit wh_cli_print(wh_cli *cli, const char *name, const wh_buf *text) {
  wh_error err = {0};
  if (wh_buf_check(text, &err) != WH_OK) return wh_cli_fail(cli, &err);
  if (!cli->json) {
    fwrite(text->data, 1, text->len, stdout);
    return WH_EXIT_DONE;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line, "{\"%s\":", name);
  wh_buf_add_json(&line, wh_buf_str(text));
  wh_buf_add_char(&line, '}');
  if (wh_buf_check(&line, &err) != WH_OK) return wh_cli_fail(cli, &err);
  wh_print_json(&line);
  return WH_EXIT_DONE;
}

static void print_error(const wh_cli *cli, const char *kind, const char *text, wh_status status) {
  if (!cli->json) {
    fprintf(stderr, "%s%s%s\n", cli->color ? "\033[31m" : "", text, cli->color ? "\033[0m" : "");
    return;
  }
  wh_mem mem;
  wh_mem_init(&mem, 0);
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &mem, 0);
  wh_buf_printf(&line, "{\"%s\":", kind);
  wh_buf_add_json(&line, wh_str_of(text));
  if (status != WH_OK) wh_buf_printf(&line, ",\"status\":\"%s\"", wh_status_name(status));
  wh_buf_add_char(&line, '}');
  wh_print_json(&line);
}

wh_exit wh_cli_fail(wh_cli *cli, const wh_error *err) {
  print_error(cli, "error", err->text, err->status);
  return err->status == WH_ERR_USAGE ? WH_EXIT_USAGE : WH_EXIT_FAILED;
}

wh_exit wh_cli_usage(wh_cli *cli, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  print_error(cli, "error", text, WH_ERR_USAGE);
  return WH_EXIT_USAGE;
}

void wh_say(const wh_cli *cli, const char *fmt, ...) {
  if (cli->json) return;
  va_list args;
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  fputc('\n', stderr);
}

void wh_say_next(const wh_cli *cli, const char *fmt, ...) {
  if (cli->json) return;
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  fprintf(stderr, "Next: %s%s%s\n", cli->color ? "\033[1m" : "", text, cli->color ? "\033[0m" : "");
}

static const char *get(void *context, const char *name) {
  (void)context;
  return getenv(name);
}

const wh_environment wh_cli_environment = {.get = get};

wh_status wh_cli_load(wh_cli *cli, const char *path, const char *environment_name, wh_config **ret,
                      wh_error *err) {
  wh_config_source source = {.os = &cli->os.base,
                             .mem = &cli->mem,
                             .path = path,
                             .environment = environment_name,
                             .getenv = get};
  return wh_config_load(&source, ret, err);
}

wh_status wh_cli_read_config(wh_cli *cli, wh_error *err) {
  if (cli->config) return WH_OK;
  return wh_cli_load(cli, cli->config_path, cli->environment, &cli->config, err);
}

wh_config *wh_cli_config(wh_cli *cli) {
  wh_error err = {0};
  if (wh_cli_read_config(cli, &err) != WH_OK) {
    print_error(cli, "error", err.text, WH_ERR_USAGE);
    return NULL;
  }
  const wh_config *config = cli->config;
  if (config->error_count == 0) return cli->config;
  for (size_t i = 0; i < config->problem_count; i++) {
    if (!config->problems[i].warning)
      print_error(cli, "error", config->problems[i].text, WH_ERR_USAGE);
  }
  return NULL;
}

static wh_status open_file_ledger(wh_cli *cli, const wh_config *config, wh_error *err) {
  char *path = wh_arena_cstr(&cli->arena, config->ledger_path);
  char *locks =
      (char *)wh_arena_printf(&cli->arena, "%.*s/locks", WH_STR_ARG(config->state_folder)).data;
  char *folder = path ? wh_path_folder(&cli->arena, path) : NULL;
  if (!path || !locks || !folder) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(&cli->os.base, folder, err));
  WH_TRY(wh_os_make_path(&cli->os.base, locks, err));
  return wh_ledger_open_sqlite(&cli->os.base, &cli->mem, path, locks, &cli->ledger, err);
}

static wh_status open_ledger(wh_cli *cli, wh_config *config, wh_error *err) {
  if (!wh_config_ledger_type(config)) return open_file_ledger(cli, config, err);
  wh_connection *c;
  int64_t lease_us;
  WH_TRY(wh_config_ledger(config, &c, &lease_us, err));
  return wh_ledger_open_shared(c, lease_us, &cli->ledger, err);
}

wh_engine *wh_cli_engine(wh_cli *cli) {
  if (cli->engine.config) return &cli->engine;
  cli->refused = WH_EXIT_USAGE;
  wh_config *config = wh_cli_config(cli);
  if (!config) return NULL;
  cli->mem.limit = wh_engine_memory_limit(config);
  wh_error err = {0};
  if (open_ledger(cli, config, &err) != WH_OK) {
    cli->refused = wh_cli_fail(cli, &err);
    return NULL;
  }
  cli->engine = (wh_engine){.os = &cli->os.base,
                            .mem = &cli->mem,
                            .config = config,
                            .ledger = cli->ledger,
                            .stop = &cli->stop,
                            .wake_fd = cli->wake_fd};
  if (wh_cli_log_open(cli, wh_log_enabled(WH_LOG_DEBUG) ? WH_LOG_DEBUG : WH_LOG_WARN, &err) !=
      WH_OK) {
    cli->refused = wh_cli_fail(cli, &err);
    return NULL;
  }
  return &cli->engine;
}
