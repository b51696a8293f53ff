#include "cli/cli.h"
#include "cli/format.h"

static void print_json(wh_cli *cli, const wh_rebuild_result *r) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line, "{\"runs\":%llu,\"cursors\":%llu,\"loads\":%llu,\"quarantines\":%llu}",
                (unsigned long long)r->runs, (unsigned long long)r->cursors,
                (unsigned long long)r->loads, (unsigned long long)r->quarantines);
  if (!line.failed) wh_print_json(&line);
}

static wh_exit ledger(wh_cli *cli, const wh_args *args) {
  if (!wh_str_is(args->words[0], "rebuild")) {
    return wh_cli_usage(cli, "ledger takes rebuild, not '%.*s'", WH_STR_ARG(args->words[0]));
  }
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) return cli->refused;
  wh_error err = {0};
  wh_rebuild_result r;
  if (wh_engine_rebuild(engine, &r, &err) != WH_OK) return wh_cli_fail(cli, &err);
  if (cli->json) {
    print_json(cli, &r);
    return WH_EXIT_DONE;
  }
  wh_say(cli, "Found %s %s, %s %s, %s loaded %s, %s quarantined %s.", wh_format_count(r.runs).s,
         wh_plural(r.runs, "run", "runs"), wh_format_count(r.cursors).s,
         wh_plural(r.cursors, "cursor", "cursors"), wh_format_count(r.loads).s,
         wh_plural(r.loads, "object", "objects"), wh_format_count(r.quarantines).s,
         wh_plural(r.quarantines, "object", "objects"));
  wh_say_next(cli, "wherry status");
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_ledger = {
    .name = "ledger",
    .usage = "rebuild",
    .help = "make a lost ledger again from what the lake and the targets know",
    .more = "Reads the manifests in the lakes and the marks in the target databases. What the "
            "ledger knows already stays.",
    .example = "wherry ledger rebuild",
    .words_min = 1,
    .words_max = 1,
    .completes = "rebuild",
    .run = ledger,
};
