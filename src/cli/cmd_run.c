#include "cli/format.h"
#include "cli/outbox.h"
#include "cli/progress.h"
#include "data/temporal.h"
#include "engine/health.h"

static const wh_flag flags[] = {
    {"--full", NULL, "read everything, as if there were no cursor"},
    {"--since", "TIME", "read as if the cursor stood at TIME (2026-11-21 or 2026-11-21T08:00:00Z)"},
    {"--limit", "N", "read at most N rows of each database; the cursor is not moved"},
    {0},
};

static wh_exit read_flags(wh_cli *cli, const wh_args *args, wh_run_options *options) {
  *options = (wh_run_options){.full = wh_args_has(args, "--full"), .hurry = true};
  const char *limit = wh_args_value(args, "--limit");
  if (limit && (!wh_str_to_u64(wh_str_of(limit), &options->limit_rows) || !options->limit_rows)) {
    return wh_cli_usage(cli, "--limit needs a number of rows, not '%s'", limit);
  }
  const char *since = wh_args_value(args, "--since");
  if (!since) return WH_EXIT_DONE;
  options->has_since = wh_instant_parse(wh_str_of(since), &options->since_us);
  if (options->has_since) return WH_EXIT_DONE;
  return wh_cli_usage(cli, "--since needs a time like 2026-11-21 or 2026-11-21T08:00:00Z, not '%s'",
                      since);
}

// The one pipeline with rejected rows; NULL: several or none.
static const wh_pipeline *only_quarantined(wh_cli *cli) {
  const wh_pipeline *only = NULL;
  const wh_pipeline **all;
  size_t count;
  wh_error ignored = {0};
  if (wh_engine_pipelines(&cli->engine, NULL, 0, &cli->arena, &all, &count, &ignored) != WH_OK)
    return NULL;
  for (size_t i = 0; i < count; i++) {
    wh_ledger_stats stats;
    const wh_pipeline *p = all[i];
    if (cli->ledger->type->stats(cli->ledger, p->name, &stats, &ignored) != WH_OK) continue;
    if (stats.quarantined_rows == 0) continue;
    if (only) return NULL;
    only = p;
  }
  return only;
}

static void say_next(wh_cli *cli, const wh_run_totals *totals) {
  if (totals->rows_quarantined) {
    wh_say(cli, "%s %s you.", wh_format_count(totals->rows_quarantined).s,
           totals->rows_quarantined == 1 ? "row needs" : "rows need");
  }
  if (totals->failed) {
    wh_say_next(cli, "wherry status");
  } else if (totals->rows_quarantined) {
    const wh_pipeline *only = only_quarantined(cli);
    if (only)
      wh_say_next(cli, "wherry quarantine show %.*s", WH_STR_ARG(only->name));
    else
      wh_say_next(cli, "wherry quarantine list");
  } else if (totals->runs == 0) {
    wh_say(cli, "Nothing was due.");
  }
}

static wh_exit run(wh_cli *cli, const wh_args *args) {
  wh_run_options options;
  wh_exit exit = read_flags(cli, args, &options);
  if (exit != WH_EXIT_DONE) return exit;
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) return cli->refused;
  wh_progress_view view;
  wh_progress_init(&view, cli);
  wh_cli_watch(cli, wh_progress_watcher(&view));
  wh_run_totals totals = {0};
  wh_error err = {0};
  wh_status status = wh_engine_run(engine, args->words, args->count, &options, &totals, &err);
  wh_progress_end(&view);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  say_next(cli, &totals);
  wh_exit ended = totals.failed             ? WH_EXIT_FAILED
                  : totals.rows_quarantined ? WH_EXIT_QUARANTINED
                                            : WH_EXIT_DONE;
  return wh_cli_deliver(cli, ended);
}

const wh_command wh_cmd_run = {
    .name = "run",
    .usage = "[PIPELINE...]",
    .help = "run now, all pipelines when none is named, then whatever that makes due",
    .more =
        "Prints one line a run. With --json each run is an object with its counts, which always "
        "add up: rows_read = rows_written + rows_unchanged + rows_superseded + rows_filtered + "
        "rows_quarantined; rows_deleted of those written say that a row is gone. Exit status 3 "
        "says that rows were quarantined.",
    .example = "wherry run export-orders --since 2026-11-01",
    .flags = flags,
    .words_max = WH_ARGS_MAX,
    .completes = "pipeline",
    .run = run,
};
