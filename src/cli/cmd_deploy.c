#include "cli/account.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "deploy/deploy.h"

#define NAME_DEFAULT "wherry"
enum { BODY_BYTES_MAX = 51200 }; // of a template in a request

static const wh_flag flags[] = {
    {"--format", "FORMAT", "cloudformation (unless said otherwise) or terraform"},
    {"--name", "NAME",
     "of the stack, which begins the names that the configuration does not say; "
     "wherry unless said otherwise"},
    {"--existing", "CONNECTION", "what it names is there already; `ledger` is one; repeat"},
    {"--no-function", NULL, "every pipeline runs on a machine"},
    {"--deployer", NULL, "print the smallest policy of who makes the stack instead"},
    {"--account", "ID", "the AWS account that ARNs in that policy name"},
    {"-o", "FILE", "write there, and not to standard output"},
    {0},
};

typedef struct asked {
  bool is_terraform;
  wh_deploy_request request;
  wh_str existing[WH_FLAGS_MAX];
  const wh_pipeline *named[WH_ARGS_MAX];
} asked;

// --- what is asked for ---------------------------------------------------------------------------

static bool is_name(wh_str text) {
  bool ok = text.len > 0 && text.len <= WH_DEPLOY_NAME_CHARS_MAX;
  for (size_t i = 0; ok && i < text.len; i++) {
    char c = text.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    ok = letter || (i > 0 && ((c >= '0' && c <= '9') || c == '-'));
  }
  return ok;
}

static wh_exit read_flags(wh_cli *cli, const wh_args *args, asked *a) {
  wh_str format = wh_str_of(wh_args_value(args, "--format"));
  wh_str name = wh_str_of(wh_args_value(args, "--name"));
  wh_str account = wh_str_of(wh_args_value(args, "--account"));
  a->is_terraform = wh_str_is(format, "terraform");
  if (format.len && !a->is_terraform && !wh_str_is(format, "cloudformation"))
    return wh_cli_usage(cli, "--format takes cloudformation or terraform, not '%.*s'",
                        WH_STR_ARG(format));
  if (name.len && !is_name(name))
    return wh_cli_usage(cli, "--name takes 1 to %d letters, digits and '-', a letter first",
                        (int)WH_DEPLOY_NAME_CHARS_MAX);
  if (account.len && !wh_is_account(account)) return wh_cli_usage(cli, WH_ACCOUNT_FORMS);
  a->request = (wh_deploy_request){.name = name.len ? name : WH_STR(NAME_DEFAULT),
                                   .existing = a->existing,
                                   .named = a->named,
                                   .named_count = args->count,
                                   .no_function = wh_args_has(args, "--no-function"),
                                   .environment = cli->environment};
  for (size_t i = 0; i < args->flag_count; i++)
    if (strcmp(args->flags[i].flag->name, "--existing") == 0)
      a->existing[a->request.existing_count++] = wh_str_of(args->flags[i].value);
  if (a->request.no_function && args->count)
    return wh_cli_usage(cli, "--no-function and pipelines exclude each other");
  return WH_EXIT_DONE;
}

static wh_status find_named(wh_cli *cli, const wh_args *args, asked *a, wh_error *err) {
  for (size_t i = 0; i < args->count; i++)
    WH_TRY(wh_config_find_pipeline(cli->config, args->words[i], &a->named[i], err));
  return WH_OK;
}

// --- saying --------------------------------------------------------------------------------------

static void say_seats(const wh_cli *cli, const wh_deploy_seat *seats) {
  for (size_t i = 0; i < cli->config->pipeline_count; i++) {
    const wh_deploy_seat *s = &seats[i];
    if (s->is_function)
      wh_say(cli, "%.*s runs as a function.", WH_STR_ARG(s->pipeline->name));
    else
      wh_say(cli, "%.*s runs on a machine: %.*s.", WH_STR_ARG(s->pipeline->name),
             WH_STR_ARG(s->why_not));
  }
  for (size_t i = 0; i < cli->config->serve.ingest_count; i++) {
    const wh_deploy_seat *s = &seats[cli->config->pipeline_count + i];
    wh_str name = s->endpoint->endpoint->name;
    if (s->is_function)
      wh_say(cli, "/ingest/%.*s is served by the function.", WH_STR_ARG(name));
    else
      wh_say(cli, "/ingest/%.*s is served by a machine: %.*s.", WH_STR_ARG(name),
             WH_STR_ARG(s->why_not));
  }
}

static void say(const wh_cli *cli, const wh_stack *stack, const wh_deploy_seat *seats) {
  say_seats(cli, seats);
  for (const wh_stack_text *t = stack->notes; t; t = t->next)
    wh_say(cli, "Note: %.*s.", WH_STR_ARG(t->text));
  for (const wh_stack_text *t = stack->before; t; t = t->next)
    wh_say(cli, "Before: %.*s", WH_STR_ARG(t->text));
}

static void say_length(const wh_cli *cli, const asked *a, const wh_buf *text) {
  if (a->is_terraform || text->len <= BODY_BYTES_MAX) return;
  wh_say(cli,
         "Note: the template has more than the %s bytes that CloudFormation takes by themselves; "
         "with --json it is shorter, and from a bucket it may have 1 MB.",
         wh_format_count(BODY_BYTES_MAX).s);
}

static wh_exit put(wh_cli *cli, const wh_args *args, wh_buf *text) {
  wh_error err = {0};
  const char *path = wh_args_value(args, "-o");
  if (wh_buf_check(text, &err) != WH_OK) return wh_cli_fail(cli, &err);
  if (!path) {
    wh_print_json(text);
    return WH_EXIT_DONE;
  }
  wh_buf_add_char(text, '\n');
  wh_status status = wh_buf_check(text, &err);
  if (status == WH_OK)
    status = wh_os_write_file(&cli->os.base, path, wh_buf_str(text), false, &err);
  return status == WH_OK ? WH_EXIT_DONE : wh_cli_fail(cli, &err);
}

// --- the command ---------------------------------------------------------------------------------

static wh_status write_deployer(wh_cli *cli, const wh_args *args, const asked *a,
                                const wh_stack *stack, wh_buf *out, wh_error *err) {
  wh_iam_policy policy;
  wh_iam_init(&policy, &cli->arena, wh_str_of(wh_args_value(args, "--account")));
  WH_TRY(wh_deploy_rights(cli->config, stack, !a->is_terraform, &policy, err));
  wh_iam_write(&policy, !cli->json, out);
  for (size_t i = 0; i < policy.notes.count; i++)
    wh_say(cli, "%.*s.", WH_STR_ARG(policy.notes.items[i]));
  return wh_buf_check(out, err);
}

static wh_status make(wh_cli *cli, const wh_args *args, asked *a, wh_stack *stack, wh_buf *out,
                      wh_error *err) {
  wh_deploy_seat *seats;
  WH_TRY(find_named(cli, args, a, err));
  WH_TRY(wh_deploy_make(cli->config, &a->request, stack, &seats, err));
  if (wh_args_has(args, "--deployer")) return write_deployer(cli, args, a, stack, out, err);
  say(cli, stack, seats);
  if (!stack->resources) wh_say(cli, "Nothing here is AWS's: the stack is empty.");
  WH_TRY(a->is_terraform ? wh_stack_write_terraform(stack, !cli->json, out, err)
                         : wh_stack_write_cloudformation(stack, !cli->json, out, err));
  say_length(cli, a, out);
  return WH_OK;
}

static wh_exit deploy(wh_cli *cli, const wh_args *args) {
  asked a = {0};
  wh_error err = {0};
  wh_exit exit = read_flags(cli, args, &a);
  if (exit != WH_EXIT_DONE) return exit;
  if (!wh_cli_config(cli)) return WH_EXIT_USAGE;
  WH_CLEAN_BUF wh_buf out;
  WH_CLEAN_STACK wh_stack stack;
  wh_buf_init(&out, &cli->mem, 0);
  wh_stack_init(&stack, &cli->arena, a.request.name);
  if (make(cli, args, &a, &stack, &out, &err) != WH_OK) return wh_cli_fail(cli, &err);
  return put(cli, args, &out);
}

const wh_command wh_cmd_deploy = {
    .name = "deploy",
    .usage = "[PIPELINE...]",
    .help = "write the stack of CloudFormation or Terraform that the configuration needs at AWS",
    .more =
        "The document goes to standard output, and to standard error where each pipeline runs and "
        "what has to be there first. It is made from the configuration alone: AWS is not asked, "
        "and no secret is read. Named pipelines run as a function of Lambda; when none is named, "
        "those that touch services of AWS's alone. The others get a policy each.",
    .example = "wherry deploy --env prod -o stack.json",
    .flags = flags,
    .words_min = 0,
    .words_max = WH_ARGS_MAX,
    .completes = "pipeline",
    .run = deploy,
};
