#include "cli/account.h"
#include "cli/cli.h"

static const wh_flag flags[] = {
    {"--team", "NAME", "what that team may do, as `teams` says"},
    {"--site", "NAME", "what publishing that site takes, as `sites` says"},
    {"--account", "ID", "the AWS account that ARNs name where the configuration does not"},
    {0},
};

static wh_status find_pipelines(wh_cli *cli, const wh_args *args, const wh_pipeline **list,
                                wh_error *err) {
  for (size_t i = 0; i < args->count; i++)
    WH_TRY(wh_config_find_any(cli->config, args->words[i], &cli->arena, &list[i], err));
  return WH_OK;
}

static wh_exit print(wh_cli *cli, const wh_iam_policy *policy) {
  wh_error err = {0};
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &cli->mem, 0);
  wh_iam_write(policy, !cli->json, &text);
  if (wh_buf_check(&text, &err) != WH_OK) return wh_cli_fail(cli, &err);
  wh_print_json(&text);
  for (size_t i = 0; i < policy->notes.count; i++)
    wh_say(cli, "%.*s.", WH_STR_ARG(policy->notes.items[i]));
  if (policy->count == 0) wh_say(cli, "Nothing here is AWS's: no policy is needed.");
  return WH_EXIT_DONE;
}

static wh_exit policy(wh_cli *cli, const wh_args *args) {
  wh_str team = wh_str_of(wh_args_value(args, "--team"));
  wh_str account = wh_str_of(wh_args_value(args, "--account"));
  wh_str site = wh_str_of(wh_args_value(args, "--site"));
  if ((team.len > 0) + (site.len > 0) + (args->count > 0) > 1)
    return wh_cli_usage(cli, "--team, --site and pipelines exclude each other");
  if (account.len && !wh_is_account(account)) return wh_cli_usage(cli, WH_ACCOUNT_FORMS);
  wh_config *config = wh_cli_config(cli);
  if (!config) return WH_EXIT_USAGE;
  wh_error err = {0};
  const wh_pipeline *pipelines[WH_ARGS_MAX];
  wh_policy_request request = {.pipelines = pipelines, .count = args->count};
  wh_iam_policy document;
  wh_iam_init(&document, &cli->arena, account);
  wh_status status = find_pipelines(cli, args, pipelines, &err);
  if (status == WH_OK && team.len) status = wh_config_find_team(config, team, &request.team, &err);
  if (status == WH_OK && site.len) status = wh_config_find_site(config, site, &request.site, &err);
  if (status == WH_OK) status = wh_engine_policy(config, &request, &document, &err);
  return status == WH_OK ? print(cli, &document) : wh_cli_fail(cli, &err);
}

const wh_command wh_cmd_policy = {
    .name = "policy",
    .usage = "[PIPELINE...]",
    .help = "print the smallest IAM policy under which pipelines run, or that of a team or a site",
    .more =
        "The document goes to standard output, and what it leaves open to standard error. It is "
        "made from the configuration alone: AWS is not asked, and no credentials are needed. "
        "Without a pipeline it is what all of them need together, with the lookup pages. It "
        "covers `run` and `up`; see docs/guide/policy.md for what other commands take.",
    .example = "wherry policy import-orders --account 123456789012",
    .flags = flags,
    .words_min = 0,
    .words_max = WH_ARGS_MAX,
    .completes = "pipeline",
    .run = policy,
};
