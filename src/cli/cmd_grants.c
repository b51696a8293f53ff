#include "cli/cli.h"

static const wh_flag flags[] = {
    {"--user", "NAME", "who gets the rights, when it is not the connection's user"},
    {0},
};

typedef struct showing {
  wh_cli *cli;
  size_t count;
  wh_str why; // shown last
} showing;

static wh_status show_json(showing *s, const wh_grant *grant, wh_error *err) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &s->cli->mem, 0);
  wh_buf_add_c(&line, grant->sql.len ? "{\"grant\":" : "{\"note\":");
  wh_buf_add_json(&line, grant->sql.len ? grant->sql : grant->why);
  if (grant->sql.len) {
    wh_buf_add_c(&line, ",\"for\":");
    wh_buf_add_json(&line, grant->why);
  }
  wh_buf_add_char(&line, '}');
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

// Names of tables, which are the server's, may have line breaks.
static void show_remark(wh_str text) {
  printf("-- ");
  for (size_t i = 0; i < text.len; i++)
    putchar((unsigned char)text.data[i] < ' ' ? ' ' : text.data[i]);
  putchar('\n');
}

// What is printed can be run as it is: whatever is no statement is a comment.
static wh_status show(void *context, const wh_grant *grant, wh_error *err) {
  showing *s = context;
  s->count++;
  if (s->cli->json) return show_json(s, grant, err);
  if (!wh_str_eq(s->why, grant->why)) show_remark(grant->why);
  if (grant->sql.len) printf("%.*s;\n", WH_STR_ARG(grant->sql));
  s->why = wh_arena_str(&s->cli->arena, grant->why);
  return s->why.data ? WH_OK : wh_fail_memory(err);
}

static wh_exit grants(wh_cli *cli, const wh_args *args) {
  wh_config *config = wh_cli_config(cli);
  if (!config) return WH_EXIT_USAGE;
  wh_error err = {0};
  wh_str name = args->words[0];
  showing s = {.cli = cli};
  wh_status status = wh_engine_grants(config, name, wh_str_of(wh_args_value(args, "--user")),
                                      &cli->arena, show, &s, &err);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  const wh_connection_info *info = wh_config_find_connection(config, name);
  if (!info->type->grants)
    wh_say(cli, "%.*s: %s knows no GRANTs; none are needed.", WH_STR_ARG(name), info->type->name);
  else if (s.count == 0)
    wh_say(cli, "No pipeline reads from %.*s or loads into it.", WH_STR_ARG(name));
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_grants = {
    .name = "grants",
    .usage = "CONNECTION",
    .help = "print the smallest GRANTs that the pipelines need there",
    .more = "The statements are in the server's own SQL, for whoever administers it; the comments "
            "say which pipelines need them. The server is asked which tables there are, so that a "
            "right to create is there only where one is missing; where it cannot be reached, names "
            "are as the configuration has them.",
    .example = "wherry grants erp --user wherry",
    .flags = flags,
    .words_min = 1,
    .words_max = 1,
    .completes = "connection",
    .run = grants,
};
