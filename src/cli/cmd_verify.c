#include "cli/cli.h"
#include "cli/format.h"
#include "engine/health.h"

typedef struct troubles {
  wh_cli *cli;
  uint64_t count;
} troubles;

enum { TROUBLES_SHOWN = 20 };

static void print_trouble(void *context, const char *text) {
  troubles *t = context;
  if (t->count++ < TROUBLES_SHOWN || t->cli->json)
    wh_say(t->cli, "%s", text);
  else if (t->count == TROUBLES_SHOWN + 1)
    wh_say(t->cli, "... and more");
}

static bool is_whole(const wh_verify_result *r) {
  return !r->objects_wrong && !r->older && !r->missing && !r->different && !r->receipts_wrong;
}

static void print_result(wh_cli *cli, const wh_verify_result *r) {
  if (cli->json) {
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &cli->mem, 0);
    wh_buf_add_c(&line, "{\"pipeline\":");
    wh_buf_add_json(&line, r->pipeline->name);
    wh_buf_printf(&line,
                  ",\"ok\":%s,\"runs\":%llu,\"rows\":%llu,\"objects_wrong\":%llu,\"equal\":%llu,"
                  "\"newer\":%llu,\"older\":%llu,\"missing\":%llu,\"different\":%llu,"
                  "\"objects_replaced\":%llu,\"receipts_wrong\":%llu}",
                  is_whole(r) ? "true" : "false", (unsigned long long)r->runs,
                  (unsigned long long)r->rows, (unsigned long long)r->objects_wrong,
                  (unsigned long long)r->equal, (unsigned long long)r->newer,
                  (unsigned long long)r->older, (unsigned long long)r->missing,
                  (unsigned long long)r->different, (unsigned long long)r->objects_replaced,
                  (unsigned long long)r->receipts_wrong);
    if (!line.failed) wh_print_json(&line);
    return;
  }
  printf("%.*s   %s %s   ", WH_STR_ARG(r->pipeline->name), wh_format_count(r->runs).s,
         wh_plural(r->runs, "run", "runs"));
  if (r->publishes) {
    printf("%s rows: ", wh_format_count(r->rows).s);
    if (r->objects_wrong)
      printf("%s %s say\n", wh_format_count(r->objects_wrong).s,
             wh_plural(r->objects_wrong, "object is not what its receipt",
                       "objects are not what their receipts"));
    else
      puts("every object has the bytes its receipt says");
    return;
  }
  uint64_t rows = r->equal + r->newer + r->older + r->missing + r->different;
  printf("%s rows: %s equal, %s newer, %s older, %s missing", wh_format_count(rows).s,
         wh_format_count(r->equal).s, wh_format_count(r->newer).s, wh_format_count(r->older).s,
         wh_format_count(r->missing).s);
  if (r->different) printf(", %s different", wh_format_count(r->different).s);
  if (r->objects_wrong) {
    printf("; %s %s gone", wh_format_count(r->objects_wrong).s,
           wh_plural(r->objects_wrong, "object is", "objects are"));
  }
  if (r->objects_replaced) {
    printf("; %s %s replaced or put away since", wh_format_count(r->objects_replaced).s,
           wh_plural(r->objects_replaced, "object was", "objects were"));
  }
  putchar('\n');
}

static wh_exit verify(wh_cli *cli, const wh_args *args) {
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) return cli->refused;
  bool whole = true;
  wh_error err = {0};
  const wh_pipeline **all;
  size_t total;
  if (wh_engine_pipelines(&cli->engine, args->words, args->count, &cli->arena, &all, &total,
                          &err) != WH_OK)
    return wh_cli_fail(cli, &err);
  for (size_t i = 0; i < total; i++) {
    const wh_pipeline *p = all[i];
    if (p->many) continue; // its tables are behind it
    troubles t = {.cli = cli};
    wh_verify_result result;
    if (wh_engine_verify(engine, p, print_trouble, &t, &result, &err) != WH_OK) {
      wh_error_prefix(&err, "%.*s: ", WH_STR_ARG(p->name));
      return wh_cli_fail(cli, &err);
    }
    print_result(cli, &result);
    whole = whole && is_whole(&result);
  }
  return whole ? WH_EXIT_DONE : WH_EXIT_FAILED;
}

const wh_command wh_cmd_verify = {
    .name = "verify",
    .usage = "[PIPELINE...]",
    .help = "check what the receipts say against what is there",
    .more =
        "Objects are hashed again. Rows of loaded objects are read again and looked up in the "
        "target: equal, newer (a later object brought another version), older, or missing. An "
        "object that was replaced or put away since it was loaded is told of, and is no failure.",
    .words_max = WH_ARGS_MAX,
    .completes = "pipeline",
    .run = verify,
};
