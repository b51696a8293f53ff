#include "cli/cli.h"
#include "cli/format.h"
#include "engine/members.h"

#include <unistd.h>

enum { KEY_MAX = 4096 };

static const wh_flag flags[] = {
    {"--dry-run", NULL, "only list what would go and what would stay"},
    {0},
};

typedef struct erasing {
  wh_cli *cli;
  wh_erase_request request;
  uint64_t removed, left;
} erasing;

// --- what is printed -----------------------------------------------------------------------------

static wh_status print_json(const erasing *s, const wh_erased *x, wh_error *err) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &s->cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, x->pipeline);
  wh_buf_printf(&line, ",\"place\":\"%s\",\"where\":", x->place);
  wh_buf_add_json(&line, x->where);
  wh_buf_printf(&line, ",\"rows\":%llu,\"removed\":%s", (unsigned long long)x->rows,
                x->removed ? "true" : "false");
  if (x->why) {
    wh_buf_add_c(&line, ",\"why\":");
    wh_buf_add_json(&line, wh_str_of(x->why));
  }
  wh_buf_add_char(&line, '}');
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

static const char *verb_of(const erasing *s, const wh_erased *x) {
  if (x->why) return x->rows == 1 ? "stays in" : x->rows ? "stay in" : "may be in";
  return s->request.dry ? "would go from" : "removed from";
}

static wh_status print_erased(void *context, const wh_erased *x, wh_error *err) {
  const erasing *s = context;
  if (s->cli->json) return print_json(s, x, err);
  bool is_versions = wh_str_is(wh_str_of("versions"), x->place);
  printf("%-20.*s  ", WH_STR_ARG(x->pipeline));
  if (x->rows)
    printf("%s %s %s ", wh_format_count(x->rows).s, wh_plural(x->rows, "row", "rows"),
           verb_of(s, x));
  else
    printf("%s ", x->why ? verb_of(s, x) : s->request.dry ? "would go:" : "removed:");
  printf("%s%.*s", is_versions ? "earlier versions of " : "", WH_STR_ARG(x->where));
  printf("%s%s\n", x->why ? ": " : "", x->why ? x->why : "");
  return WH_OK;
}

static wh_status print_record(const erasing *s, const wh_pipeline *p, const wh_erase_result *r,
                              wh_error *err) {
  if (!s->cli->json) {
    fflush(stdout); // in this order, where both are one
    if (r->run.len)
      wh_say(s->cli, "%-20.*s  recorded: wherry receipt %.*s", WH_STR_ARG(p->name),
             WH_STR_ARG(r->run));
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &s->cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, p->name);
  if (r->run.len) {
    wh_buf_add_c(&line, ",\"run\":");
    wh_buf_add_json(&line, r->run);
  }
  wh_buf_printf(&line, ",\"rows_removed\":%llu,\"places_left\":%llu,\"dry_run\":%s}",
                (unsigned long long)(s->request.dry ? 0 : r->removed), (unsigned long long)r->left,
                s->request.dry ? "true" : "false");
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

// --- what is asked -------------------------------------------------------------------------------

// "-": from standard input, so that neither the list of processes nor the shell's history has it.
static wh_status read_key(wh_cli *cli, wh_str word, wh_str *ret, wh_error *err) {
  *ret = word;
  if (wh_str_is(word, "-")) {
    char *data = wh_arena_alloc(&cli->arena, KEY_MAX + 1);
    size_t len = 0;
    ssize_t n;
    if (!data) return wh_fail_memory(err);
    while (len <= KEY_MAX && (n = read(STDIN_FILENO, data + len, KEY_MAX + 1 - len)) > 0)
      len += (size_t)n;
    if (len && data[len - 1] == '\n') len--;
    if (len && data[len - 1] == '\r') len--;
    *ret = wh_str_n(data, len);
  }
  if (ret->len == 0) return wh_fail(err, WH_ERR_USAGE, "the key is empty");
  if (ret->len > KEY_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "the key has more than %d bytes", KEY_MAX);
  return WH_OK;
}

static wh_status parse(wh_cli *cli, wh_str word, wh_erase_request *ret, wh_error *err) {
  size_t equals = wh_str_find(word, 0, '=');
  ret->kind = wh_str_sub(word, 0, equals);
  bool known = false;
  for (size_t i = 0; i < cli->config->pipeline_count; i++)
    known |= wh_pipeline_subject(&cli->config->pipelines[i], ret->kind).data != NULL;
  if (equals == word.len)
    return wh_fail(err, WH_ERR_USAGE,
                   "say who, as a pipeline's `subject` names them: customer=KEY,"
                   " or customer=- and the key by standard input");
  if (!known)
    return wh_fail(err, WH_ERR_USAGE,
                   "no pipeline says subject: { %.*s: ... }, so that nobody knows whose rows are "
                   "whose",
                   WH_STR_ARG(ret->kind));
  return read_key(cli, wh_str_sub(word, equals + 1, word.len), &ret->key, err);
}

// --- the pipelines -------------------------------------------------------------------------------

static wh_status erase_one(erasing *s, const wh_pipeline *p, wh_error *err) {
  wh_erase_result r;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &s->cli->mem);
  WH_TRY(wh_engine_erase(&s->cli->engine, p, &s->request, &arena, &r, err));
  s->removed += r.removed;
  s->left += r.left;
  return print_record(s, p, &r, err);
}

static wh_status erase_pipeline(erasing *s, const wh_pipeline *p, wh_error *err) {
  if (!wh_pipeline_subject(p, s->request.kind).data) return WH_OK;
  if (!p->many) return erase_one(s, p, err);
  wh_pipeline *members;
  size_t count;
  WH_TRY(wh_members_known(&s->cli->engine, p, &s->cli->arena, &members, &count, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(erase_one(s, &members[i], err));
  return WH_OK;
}

static wh_exit erase(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_engine(cli)) return cli->refused;
  erasing s = {.cli = cli};
  wh_error err = {0};
  s.request = (wh_erase_request){
      .dry = wh_args_has(args, "--dry-run"), .visit = print_erased, .context = &s};
  if (parse(cli, args->words[0], &s.request, &err) != WH_OK) return wh_cli_fail(cli, &err);
  for (size_t i = 0; i < cli->config->pipeline_count; i++)
    if (erase_pipeline(&s, &cli->config->pipelines[i], &err) != WH_OK) {
      fflush(stdout);
      return wh_cli_fail(cli, &err);
    }
  fflush(stdout);
  if (s.left == 0) {
    wh_say(cli, s.removed ? "Nothing of theirs is left where Wherry looked."
                          : "There is nothing of theirs where Wherry looked.");
    return WH_EXIT_DONE;
  }
  wh_say(cli, "%s %s: see what stays, and why, above.", wh_format_count(s.left).s,
         wh_plural(s.left, "place needs you", "places need you"));
  return WH_EXIT_FAILED;
}

const wh_command wh_cmd_erase = {
    .name = "erase",
    .usage = "KIND=KEY",
    .help = "remove a person's rows from quarantine, tables and earlier versions",
    .more =
        "Pipelines say whose rows they carry: subject: { customer: customer_id }. What Wherry "
        "may not or cannot remove is listed with the reason, and the exit status is 1. A record "
        "stays in the ledger, with a hash of the key.\n\n"
        "With KIND=- the key comes by standard input, so that it is in no list of processes.",
    .example = "wherry erase customer=4711 --dry-run",
    .flags = flags,
    .words_min = 1,
    .words_max = 1,
    .run = erase,
};
