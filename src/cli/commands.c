#include "cli/commands.h"

const wh_command *const wh_commands[] = {
    &wh_cmd_init,   &wh_cmd_discover,   &wh_cmd_add,     &wh_cmd_check,      &wh_cmd_grants,
    &wh_cmd_policy, &wh_cmd_plan,
#ifndef WHERRY_LAMBDA // that is what it would make
    &wh_cmd_deploy,
#endif
    &wh_cmd_run,
#ifndef WHERRY_LAMBDA // there Lambda listens
    &wh_cmd_up,
#endif
    &wh_cmd_lambda, &wh_cmd_status,     &wh_cmd_runs,    &wh_cmd_quarantine, &wh_cmd_receipt,
    &wh_cmd_verify, &wh_cmd_versions,   &wh_cmd_restore, &wh_cmd_rollback,   &wh_cmd_compact,
    &wh_cmd_erase,  &wh_cmd_retain,     &wh_cmd_convert, &wh_cmd_copy,       &wh_cmd_site,
    &wh_cmd_reveal, &wh_cmd_secret,     &wh_cmd_schema,  &wh_cmd_openapi,    &wh_cmd_ledger,
    &wh_cmd_help,   &wh_cmd_completion, &wh_cmd_man,     &wh_cmd_docs,       NULL,
};

const wh_command_group wh_command_groups[] = {
    {"Begin", &wh_cmd_init},
    {"Look before anything moves", &wh_cmd_check},
    {"Move", &wh_cmd_run},
    {"See what happened", &wh_cmd_status},
    {"Prove it, and go back", &wh_cmd_receipt},
    {"Files by themselves", &wh_cmd_convert},
    {"Set up and explain", &wh_cmd_secret},
    {0},
};

const char wh_program_summary[] =
    "Wherry carries rows from where they are to where they are needed: it exports, publishes, "
    "loads and serves them as wherry.yaml says, exactly once, and can prove it.";

const wh_exit_meaning wh_exit_meanings[] = {
    {WH_EXIT_DONE, "done"},
    {WH_EXIT_FAILED, "a run failed, or something is not as it should be"},
    {WH_EXIT_USAGE, "the command or the configuration is wrong"},
    {WH_EXIT_QUARANTINED, "done, but rows were quarantined"},
    {0},
};
