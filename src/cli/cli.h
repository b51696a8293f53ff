// The command line: one cmd_NAME.c a command, one table of them. Help, completion, the man page and
// the reference come from the same table.
//
// Data goes to standard output, words to standard error. Exit status: 0 done; 1 a run failed; 2 the
// command or the configuration is wrong; 3 done, but rows were quarantined.
#pragma once

#include "base/buf.h"
#include "base/log.h"
#include "engine/engine.h"
#include "net/aws_logs.h"

#include <stdio.h>

typedef enum wh_exit {
  WH_EXIT_DONE = 0,
  WH_EXIT_FAILED = 1,
  WH_EXIT_USAGE = 2,
  WH_EXIT_QUARANTINED = 3,
} wh_exit;

enum { WH_ARGS_MAX = 256, WH_FLAGS_MAX = 16 };

// A flag of a command, or one that all have (wh_common_flags).
typedef struct wh_flag {
  const char *name;  // "--full"; NULL ends a table
  const char *value; // what follows it, for help: "T"; NULL: nothing does
  const char *help;  // one line, no full stop
} wh_flag;

typedef struct wh_args {
  wh_str words[WH_ARGS_MAX]; // without flags and the command's name
  size_t count;
  struct {
    const wh_flag *flag;
    const char *value;
  } flags[WH_FLAGS_MAX];
  size_t flag_count;
} wh_args;

bool wh_args_has(const wh_args *args, const char *flag);
const char *wh_args_value(const wh_args *args, const char *flag); // NULL: not given

typedef struct wh_cli {
  wh_mem mem;
  wh_os_real os;
  const char *program;
  const char *config_path; // -c
  const char *environment; // --env
  bool json;
  bool color;     // standard error is a terminal, and NO_COLOR is not set
  bool color_out; // standard output is
  int columns;    // width of the terminal; 80 where there is none
  wh_arena arena; // for the command's own strings
  wh_config *config;
  wh_ledger *ledger;
  wh_engine engine;   // after wh_cli_engine
  wh_aws_logs *logs;  // where the log goes to CloudWatch; else NULL
  wh_watcher watcher; // see wh_cli_watch
  bool is_function;   // of AWS Lambda, which keeps what is written
  wh_exit refused;    // the exit status, after wh_cli_engine returned NULL
  atomic_bool stop;   // what is in hand
  atomic_bool ends;   // for good: somebody asked
  int wake_fd;        // readable once somebody asked us to stop
} wh_cli;

typedef struct wh_command {
  const char *name;
  const char *usage; // arguments: "[PIPELINE...]"
  const char *help;  // one line
  const char *more;  // paragraphs for --help and the man page; NULL: none
  const char *example;
  const wh_flag *flags; // NULL: only the common ones
  size_t words_min, words_max;
  // What its arguments are, with a blank between them, the last for all that follow: kinds
  // (pipeline, connection, address, run, secret, template, command, file, folder) or words with '|'
  // between them. NULL: nothing to complete.
  const char *completes;
  wh_exit (*run)(wh_cli *cli, const wh_args *args);
} wh_command;

extern const wh_command *const wh_commands[]; // NULL-terminated, in the order of the overview
extern const wh_flag wh_common_flags[];

extern const wh_environment wh_cli_environment; // what main sees

// Loads a configuration with the environment that main sees; the caller frees it.
wh_status wh_cli_load(wh_cli *cli, const char *path, const char *environment, wh_config **ret,
                      wh_error *err);
// Loads the configuration into cli->config and leaves its problems to the caller.
wh_status wh_cli_read_config(wh_cli *cli, wh_error *err);
// Loads the configuration; prints its problems. NULL: it cannot be used, and that was said.
wh_config *wh_cli_config(wh_cli *cli);
// The configuration, the ledger, and the engine over both. NULL: said why.
wh_engine *wh_cli_engine(wh_cli *cli);
// After wh_cli_engine: who is told of runs. Their numbers go to CloudWatch besides, where the log
// goes there.
void wh_cli_watch(wh_cli *cli, wh_watcher watcher);
// Log lines of this level and above, in the form and to the place that the configuration says; it
// is loaded. wh_cli_log_close sends what is left, before the end of the program.
wh_status wh_cli_log_open(wh_cli *cli, wh_log_level least, wh_error *err);
void wh_cli_log_close(wh_cli *cli);
// Prints the error the way errors look (or as JSON) and returns the exit status it means.
wh_exit wh_cli_fail(wh_cli *cli, const wh_error *err);
// "wherry: sentence" to standard error, exit status 2.
__attribute__((format(printf, 2, 3))) wh_exit wh_cli_usage(wh_cli *cli, const char *fmt, ...);
// "no command 'x'. Did you mean 'y'?"
wh_exit wh_cli_no_command(wh_cli *cli, wh_str name);
// Words for a person: standard error, nothing with --json.
__attribute__((format(printf, 2, 3))) void wh_say(const wh_cli *cli, const char *fmt, ...);
// The next useful command: "Next: wherry run".
__attribute__((format(printf, 2, 3))) void wh_say_next(const wh_cli *cli, const char *fmt, ...);
// One JSON document on a line of standard output.
void wh_print_json(const wh_buf *line);
// A whole text to standard output, or with --json {"name": "text"}; fails if the buffer has.
wh_exit wh_cli_print(wh_cli *cli, const char *name, const wh_buf *text);
