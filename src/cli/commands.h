// Every command there is, each in a cmd_*.c of its own. Help, completion, the man page and the
// reference are made from wh_commands; nothing else lists them.
#pragma once

#include "cli/cli.h"

extern const wh_command wh_cmd_init;
extern const wh_command wh_cmd_discover;
extern const wh_command wh_cmd_add;
extern const wh_command wh_cmd_check;
extern const wh_command wh_cmd_grants;
extern const wh_command wh_cmd_policy;
extern const wh_command wh_cmd_deploy;
extern const wh_command wh_cmd_plan;
extern const wh_command wh_cmd_run;
extern const wh_command wh_cmd_up;
extern const wh_command wh_cmd_lambda;
extern const wh_command wh_cmd_status;
extern const wh_command wh_cmd_runs;
extern const wh_command wh_cmd_quarantine;
extern const wh_command wh_cmd_receipt;
extern const wh_command wh_cmd_verify;
extern const wh_command wh_cmd_versions;
extern const wh_command wh_cmd_restore;
extern const wh_command wh_cmd_erase;
extern const wh_command wh_cmd_retain;
extern const wh_command wh_cmd_reveal;
extern const wh_command wh_cmd_rollback;
extern const wh_command wh_cmd_compact;
extern const wh_command wh_cmd_convert;
extern const wh_command wh_cmd_copy;
extern const wh_command wh_cmd_site;
extern const wh_command wh_cmd_secret;
extern const wh_command wh_cmd_schema;
extern const wh_command wh_cmd_openapi;
extern const wh_command wh_cmd_ledger;
extern const wh_command wh_cmd_help;
extern const wh_command wh_cmd_completion;
extern const wh_command wh_cmd_man;
extern const wh_command wh_cmd_docs; // not shown: it has no help line

// The overview's sections: each begins with a command of wh_commands and goes on to the next.
typedef struct wh_command_group {
  const char *title; // NULL ends
  const wh_command *first;
} wh_command_group;
extern const wh_command_group wh_command_groups[];

// What the program is, in a sentence, and what its exit statuses say; for help, man and reference.
extern const char wh_program_summary[];
typedef struct wh_exit_meaning {
  wh_exit exit;
  const char *means; // NULL ends
} wh_exit_meaning;
extern const wh_exit_meaning wh_exit_meanings[];

static inline bool wh_command_is_shown(const wh_command *command) {
  return command->help != NULL;
}
