#include "cli/cli.h"

static const wh_flag flags[] = {
    {"--connect", NULL, "also reach every connection, without moving data"},
    {0},
};

static void print_problem(wh_cli *cli, const wh_problem *problem) {
  if (!cli->json) {
    const char *color = !cli->color ? "" : problem->warning ? "\033[33m" : "\033[31m";
    fprintf(stderr, "%s%s%s%s\n", color, problem->warning ? "warning: " : "", problem->text,
            cli->color ? "\033[0m" : "");
    return;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line, "{\"%s\":", problem->warning ? "warning" : "error");
  wh_buf_add_json(&line, wh_str_of(problem->text));
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

static void print_reached(wh_cli *cli, wh_str name, bool ok, wh_str text) {
  if (!cli->json) {
    printf("%-12.*s  %s  %.*s\n", WH_STR_ARG(name), ok ? "ok    " : "failed", WH_STR_ARG(text));
    return;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"connection\":");
  wh_buf_add_json(&line, name);
  wh_buf_printf(&line, ",\"ok\":%s,\"note\":", ok ? "true" : "false");
  wh_buf_add_json(&line, text);
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

static bool reach(wh_cli *cli, wh_str name, wh_connection *c, wh_status status, wh_error *err) {
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, &cli->mem, 0);
  if (status == WH_OK && c->type->reach) status = c->type->reach(c, &note, err);
  bool ok = status == WH_OK;
  print_reached(cli, name, ok, ok ? wh_buf_str(&note) : wh_str_of(err->text));
  return ok;
}

static bool reach_connection(wh_cli *cli, const wh_connection_info *info) {
  wh_error err = {0};
  wh_connection *c = NULL;
  wh_status status = wh_config_connect(cli->config, info->name, &c, &err);
  return reach(cli, info->name, c, status, &err);
}

// Where it is on a server.
static bool reach_ledger(wh_cli *cli) {
  const wh_connector *type = wh_config_ledger_type(cli->config);
  if (!type) return true;
  wh_error err = {0};
  wh_connection *c = NULL;
  int64_t lease_us;
  wh_status status = wh_config_ledger(cli->config, &c, &lease_us, &err);
  return reach(cli, WH_STR("ledger"), c, status, &err);
}

// Whether its table fits, where there is one already.
static bool reach_catalog(wh_cli *cli) {
  if (!cli->config->catalog.node) return true;
  wh_engine engine = {.os = &cli->os.base, .mem = &cli->mem, .config = cli->config};
  wh_catalog_plan plan = {0};
  wh_error err = {0};
  wh_status status = wh_engine_plan_catalog(&engine, &cli->arena, &plan, &err);
  if (status == WH_OK && plan.exists && !plan.fits)
    status = wh_fail(&err, WH_ERR_REFUSED, "the table does not fit. Look: wherry plan");
  bool ok = status == WH_OK;
  print_reached(cli, WH_STR("catalog"), ok,
                !ok           ? wh_str_of(err.text)
                : plan.exists ? WH_STR("the table is there and fits")
                              : WH_STR("the table does not exist yet; it will be created"));
  return ok;
}

// DuckDB is looked for in any case: that reaches nobody.
static bool reach_models(wh_cli *cli) {
  for (size_t i = 0; i < cli->config->pipeline_count; i++) {
    const wh_pipeline *p = &cli->config->pipelines[i];
    wh_error err = {0};
    wh_connection *c;
    WH_CLEAN_BUF wh_buf note;
    wh_buf_init(&note, &cli->mem, 0);
    if (!p->model) continue;
    wh_status status = wh_config_connect(cli->config, p->from.connection, &c, &err);
    if (status == WH_OK) status = c->type->reach(c, &note, &err);
    if (status == WH_OK) continue;
    print_reached(cli, p->from.connection, false, wh_str_of(err.text));
    return false; // the others lack it too
  }
  return true;
}

// What a model reads that is not there, and that nothing here will ever make.
static size_t warn_of_unfed(wh_cli *cli) {
  wh_engine engine = {.os = &cli->os.base, .mem = &cli->mem, .config = cli->config};
  size_t count = 0;
  for (size_t i = 0; i < cli->config->pipeline_count; i++) {
    const wh_pipeline *p = &cli->config->pipelines[i];
    const wh_address **unfed;
    size_t unfed_count;
    wh_error err = {0};
    if (wh_engine_unfed(&engine, p, &cli->arena, &unfed, &unfed_count, &err) != WH_OK) continue;
    for (size_t j = 0; j < unfed_count; j++, count++) {
      wh_error problem = {0};
      WH_IGNORE(wh_node_fail(unfed[j]->node, &problem,
                             "pipeline %.*s: nothing matches %.*s:%.*s, and no pipeline writes it",
                             WH_STR_ARG(p->name), WH_STR_ARG(unfed[j]->connection),
                             WH_STR_ARG(unfed[j]->thing)));
      print_problem(cli, &(wh_problem){.warning = true, .text = problem.text});
    }
  }
  return count;
}

static wh_exit check(wh_cli *cli, const wh_args *args) {
  bool usable = wh_cli_config(cli) != NULL;
  if (!cli->config) return WH_EXIT_USAGE;
  size_t warnings = 0;
  for (size_t i = 0; i < cli->config->problem_count; i++) {
    if (!cli->config->problems[i].warning) continue; // errors were printed already
    print_problem(cli, &cli->config->problems[i]);
    warnings++;
  }
  if (!usable) return WH_EXIT_USAGE;
  bool reached = true;
  if (wh_args_has(args, "--connect")) {
    for (size_t i = 0; i < wh_config_connection_count(cli->config); i++) {
      if (!reach_connection(cli, wh_config_connection_info(cli->config, i))) reached = false;
    }
    if (!reach_ledger(cli)) reached = false;
    if (!reach_catalog(cli)) reached = false;
    warnings += warn_of_unfed(cli);
  } else {
    reached = reach_models(cli);
  }
  fflush(stdout); // what was reached stands above what is said of it
  if (!reached) return WH_EXIT_FAILED;
  wh_say(cli, "%zu pipeline%s, %zu connection%s: %s.", cli->config->pipeline_count,
         cli->config->pipeline_count == 1 ? "" : "s", wh_config_connection_count(cli->config),
         wh_config_connection_count(cli->config) == 1 ? "" : "s",
         warnings ? "usable, with warnings" : "in order");
  wh_say_next(cli, "wherry plan");
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_check = {
    .name = "check",
    .usage = "",
    .help = "check the configuration, and with --connect every connection",
    .example = "wherry check --connect",
    .flags = flags,
    .run = check,
};
