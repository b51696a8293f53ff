// Where the outside comes in: arguments, environment, signals. Everything below gets it handed.
#include "base/log.h"
#include "base/sqlite_mem.h"
#include "cli/commands.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

static wh_cli *the_cli; // for the signal handler

static void on_stop_signal(int signal_number) {
  int saved = errno;
  if (signal_number != SIGALRM) atomic_store(&the_cli->ends, true);
  atomic_store(&the_cli->stop, true);
  uint64_t one = 1;
  ssize_t ignored = write(the_cli->wake_fd, &one, sizeof one);
  (void)ignored;
  wh_os_real_wake(&the_cli->os);
  errno = saved;
}

static void catch_signals(wh_cli *cli) {
  the_cli = cli;
  struct sigaction action = {.sa_handler = on_stop_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGALRM, &action, NULL); // of an invocation whose time is over (cmd_lambda.c)
  signal(SIGPIPE, SIG_IGN);
}

static const wh_command *find_command(wh_str name) {
  for (size_t i = 0; wh_commands[i]; i++) {
    if (wh_str_is(name, wh_commands[i]->name)) return wh_commands[i];
  }
  return NULL;
}

static const wh_flag *find_flag(const wh_flag *table, wh_str name) {
  for (; table && table->name; table++) {
    if (wh_str_is(name, table->name)) return table;
  }
  return NULL;
}

wh_exit wh_cli_no_command(wh_cli *cli, wh_str name) {
  wh_str names[64];
  size_t count = 0;
  for (size_t i = 0; wh_commands[i] && count < 64; i++) {
    if (wh_command_is_shown(wh_commands[i])) names[count++] = wh_str_of(wh_commands[i]->name);
  }
  wh_str nearest = wh_str_nearest(name, names, count);
  if (nearest.len) {
    return wh_cli_usage(cli, "no command '%.*s'. Did you mean '%.*s'?", WH_STR_ARG(name),
                        WH_STR_ARG(nearest));
  }
  return wh_cli_usage(cli, "no command '%.*s'. See: wherry help", WH_STR_ARG(name));
}

static wh_exit unknown_flag(wh_cli *cli, const wh_command *command, wh_str name) {
  wh_str names[32];
  size_t count = 0;
  for (const wh_flag *f = command->flags; f && f->name && count < 24; f++)
    names[count++] = wh_str_of(f->name);
  for (const wh_flag *f = wh_common_flags; f->name; f++)
    names[count++] = wh_str_of(f->name);
  wh_str nearest = wh_str_nearest(name, names, count);
  if (nearest.len) {
    return wh_cli_usage(cli, "%s has no flag '%.*s'. Did you mean '%.*s'?", command->name,
                        WH_STR_ARG(name), WH_STR_ARG(nearest));
  }
  return wh_cli_usage(cli, "%s has no flag '%.*s'. See: wherry help %s", command->name,
                      WH_STR_ARG(name), command->name);
}

// A flag with its value, as "--flag value" or "--flag=value"; *i moves over what it takes.
static wh_exit take_flag(wh_cli *cli, const wh_command *command, int argc, char **argv, int *i,
                         wh_args *args) {
  wh_str word = wh_str_of(argv[*i]);
  size_t equals = wh_str_find(word, 0, '=');
  wh_str name = wh_str_sub(word, 0, equals);
  const wh_flag *flag = command ? find_flag(command->flags, name) : NULL;
  if (!flag) flag = find_flag(wh_common_flags, name);
  if (!flag) {
    return command ? unknown_flag(cli, command, name)
                   : wh_cli_usage(cli, "no flag '%.*s'. See: wherry help", WH_STR_ARG(name));
  }
  const char *value = NULL;
  if (flag->value) {
    if (equals < word.len)
      value = argv[*i] + equals + 1;
    else if (*i + 1 < argc)
      value = argv[++*i];
    else
      return wh_cli_usage(cli, "%s needs a value: %s %s", flag->name, flag->name, flag->value);
  } else if (equals < word.len) {
    return wh_cli_usage(cli, "%s takes no value", flag->name);
  }
  if (args->flag_count == WH_FLAGS_MAX) return wh_cli_usage(cli, "too many flags");
  args->flags[args->flag_count].flag = flag;
  args->flags[args->flag_count++].value = value;
  return WH_EXIT_DONE;
}

// The flag that all commands have, not one of the command's own with the same name.
static bool has_common(const wh_args *args, const char *name) {
  for (size_t i = 0; i < args->flag_count; i++) {
    if (args->flags[i].flag == find_flag(wh_common_flags, wh_str_of(name))) return true;
  }
  return false;
}

// Errors in the arguments themselves are told the way that was asked for.
static void look_for_json(wh_cli *cli, int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    cli->json = cli->json || strcmp(argv[i], "--json") == 0;
}

static wh_exit print_program_version(wh_cli *cli) {
  printf(cli->json ? "{\"version\":\"%s\"}\n" : "wherry %s\n", WHERRY_VERSION);
  return WH_EXIT_DONE;
}

static void use_common_flags(wh_cli *cli, const wh_args *args) {
  cli->config_path = wh_args_value(args, "-c");
  cli->environment = wh_args_value(args, "--env");
  cli->json = wh_args_has(args, "--json");
  if (cli->json) cli->color = cli->color_out = false;
  wh_log_setup(wh_args_has(args, "--verbose") ? WH_LOG_DEBUG : WH_LOG_WARN, cli->json, NULL, NULL);
}

// Under this name Lambda starts the program of a custom runtime, without arguments.
static bool is_bootstrap(const char *program) {
  const char *slash = strrchr(program, '/');
  return strcmp(slash ? slash + 1 : program, "bootstrap") == 0;
}

static wh_exit run_command(wh_cli *cli, int argc, char **argv) {
  wh_args args = {0};
  const wh_command *command = NULL;
  bool only_words = false;
  look_for_json(cli, argc, argv);
  for (int i = 1; i < argc; i++) {
    wh_str word = wh_str_of(argv[i]);
    if (!only_words && wh_str_is(word, "--")) {
      only_words = true;
    } else if (!only_words && word.len > 1 && word.data[0] == '-') {
      wh_exit exit = take_flag(cli, command, argc, argv, &i, &args);
      if (exit != WH_EXIT_DONE) return exit;
    } else if (!command) {
      command = find_command(word);
      if (!command) return wh_cli_no_command(cli, word);
    } else if (args.count == WH_ARGS_MAX) {
      return wh_cli_usage(cli, "too many arguments");
    } else {
      args.words[args.count++] = word;
    }
  }
  use_common_flags(cli, &args);
  bool help = wh_args_has(&args, "--help");
  if (has_common(&args, "--version")) return print_program_version(cli);
  if (help && command) {
    args.words[0] = wh_str_of(command->name);
    args.count = 1;
  }
  if (!help && !command && is_bootstrap(argv[0])) command = &wh_cmd_lambda;
  if (help || !command) command = find_command(WH_STR("help"));
  if (args.count < command->words_min || args.count > command->words_max) {
    return wh_cli_usage(cli, "usage: wherry %s %s", command->name, command->usage);
  }
  return command->run(cli, &args);
}

static void look_at_terminal(wh_cli *cli) {
  const char *no_color = getenv("NO_COLOR");
  bool wanted = !(no_color && no_color[0]);
  cli->color = wanted && isatty(STDERR_FILENO);
  cli->color_out = wanted && isatty(STDOUT_FILENO);
  struct winsize size;
  cli->columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

// The C library would keep what large rows took, in case more come, and so hold more than `memory`
// says: large blocks are to go back to the system when they are freed. But not the blocks of a
// megabyte that codecs take and free all the time: to get them back costs more than to fill them.
static void keep_memory_small(void) {
  mallopt(M_MMAP_THRESHOLD, 2 << 20);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
  mallopt(M_ARENA_MAX, 4);
}

int main(int argc, char **argv) {
  keep_memory_small();
  static wh_cli cli;
  cli.program = "wherry";
  wh_mem_init(&cli.mem, 0); // the ceiling is set when the configuration says it
  wh_sqlite_use_mem(&cli.mem);
  wh_arena_init(&cli.arena, &cli.mem);
  look_at_terminal(&cli);
  wh_error err = {0};
  cli.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (cli.wake_fd < 0 || wh_os_real_init(&cli.os, &cli.mem, &err) != WH_OK) {
    fprintf(stderr, "wherry: cannot start: %s\n", err.text);
    return WH_EXIT_FAILED;
  }
  catch_signals(&cli);
  wh_exit exit = run_command(&cli, argc, argv);
  wh_cli_log_close(&cli);
  wh_ledger_close(cli.ledger);
  wh_config_free(cli.config);
  wh_arena_free(&cli.arena);
  wh_os_real_free(&cli.os);
  close(cli.wake_fd);
  if (fflush(stdout) != 0 && exit == WH_EXIT_DONE) exit = WH_EXIT_FAILED;
  return exit;
}
