#include "cli/format.h"
#include "cli/retained.h"

static const wh_flag flags[] = {
    {"--dry-run", NULL, "only list what would go"},
    {0},
};

typedef struct telling {
  wh_cli *cli;
  bool dry;
} telling;

static wh_status tell_json(const telling *t, const wh_retained *z, wh_error *err) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &t->cli->mem, 0);
  wh_buf_add_c(&line, "{\"retain\":");
  wh_buf_add_json(&line, z->retain->zone);
  wh_buf_printf(&line, ",\"keep_us\":%lld,\"dry_run\":%s", (long long)z->retain->keep_us,
                t->dry ? "true" : "false");
  if (z->retain->connection.len)
    wh_buf_printf(&line, ",\"objects\":%llu,\"versions\":%llu,\"manifests\":%llu,\"staying\":%llu",
                  (unsigned long long)z->objects, (unsigned long long)z->versions,
                  (unsigned long long)z->manifests, (unsigned long long)z->staying);
  else
    wh_buf_printf(&line, ",\"rows\":%llu,\"dead_letters\":%llu", (unsigned long long)z->rows,
                  (unsigned long long)z->dead);
  if (z->why) {
    wh_buf_add_c(&line, ",\"why\":");
    wh_buf_add_json(&line, wh_str_of(z->why));
  }
  if (z->run.len) {
    wh_buf_add_c(&line, ",\"run\":");
    wh_buf_add_json(&line, z->run);
  }
  wh_buf_add_char(&line, '}');
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

static wh_status tell(void *context, const wh_retained *z, wh_error *err) {
  const telling *t = context;
  if (t->cli->json) return tell_json(t, z, err);
  const char *went = t->dry ? "would go" : "gone";
  printf("retain   %-24.*s %s   ", WH_STR_ARG(z->retain->zone),
         wh_format_period(z->retain->keep_us).s);
  if (z->retain->connection.len)
    printf("%s %s %s", wh_format_count(z->objects).s, wh_plural(z->objects, "object", "objects"),
           went);
  else
    printf("%s %s, %s %s %s", wh_format_count(z->rows).s,
           wh_plural(z->rows, "rejected row", "rejected rows"), wh_format_count(z->dead).s,
           wh_plural(z->dead, "dead letter", "dead letters"), went);
  if (z->versions)
    printf(", %s earlier %s", wh_format_count(z->versions).s,
           wh_plural(z->versions, "version", "versions"));
  if (z->staying)
    printf(", %s %s: %s", wh_format_count(z->staying).s, wh_plural(z->staying, "stays", "stay"),
           z->why);
  putchar('\n');
  return WH_OK;
}

wh_exit wh_cli_retain(wh_cli *cli, bool dry) {
  telling t = {.cli = cli, .dry = dry};
  wh_error err = {0};
  wh_status status = wh_engine_retain(&cli->engine, dry, tell, &t, &err);
  fflush(stdout);
  return status == WH_OK ? WH_EXIT_DONE : wh_cli_fail(cli, &err);
}

static wh_exit retain(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_engine(cli)) return cli->refused;
  if (cli->config->retain_count == 0)
    return wh_cli_usage(cli, "everything is kept. To let go what is old, write for example "
                             "retain: { lake:inbound/: 90d }");
  return wh_cli_retain(cli, wh_args_has(args, "--dry-run"));
}

const wh_command wh_cmd_retain = {
    .name = "retain",
    .usage = "",
    .help = "let go objects and rejected rows that are older than `retain` keeps",
    .more = "`wherry up` does it by itself, at its start and every six hours. An object "
            "stays until every pipeline that reads it has loaded it.",
    .example = "wherry retain --dry-run",
    .flags = flags,
    .run = retain,
};
