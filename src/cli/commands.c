#include "cli/cli.h"

extern const wh_command wh_cmd_run, wh_cmd_plan, wh_cmd_check, wh_cmd_discover, wh_cmd_status,
    wh_cmd_runs, wh_cmd_receipt, wh_cmd_verify, wh_cmd_quarantine;

const wh_command *const wh_commands[] = {
    &wh_cmd_discover, &wh_cmd_check,   &wh_cmd_plan,   &wh_cmd_run,        &wh_cmd_status,
    &wh_cmd_runs,     &wh_cmd_receipt, &wh_cmd_verify, &wh_cmd_quarantine, NULL,
};
