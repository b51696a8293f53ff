#include "cli/completion.h"
#include "cli/templates.h"

enum { RUNS_OFFERED = 20 };

// --- what a command's arguments are --------------------------------------------------------------

static const char *const kinds[] = {"pipeline", "connection", "address", "run",    "secret",
                                    "template", "command",    "file",    "folder", NULL};

bool wh_completion_is_kind(wh_str what) {
  for (size_t i = 0; kinds[i]; i++) {
    if (wh_str_is(what, kinds[i])) return true;
  }
  return false;
}

bool wh_completion_is_path(wh_str what) {
  return wh_str_is(what, "file") || wh_str_is(what, "folder");
}

bool wh_completion_next(const wh_command *command, size_t *at, wh_completion *ret) {
  if (!command->completes || !wh_command_is_shown(command)) return false;
  wh_str rest = wh_str_of(command->completes), what;
  size_t count = 0;
  while (wh_str_split(&rest, ' ', &what)) {
    if (count++ < *at) continue;
    bool last = rest.data == NULL || rest.len == 0;
    *ret = (wh_completion){.position = *at, .what = what};
    ret->repeats = last && command->words_max > count;
    (*at)++;
    return true;
  }
  return false;
}

void wh_add_quoted(wh_buf *out, const char *text) {
  wh_buf_add_char(out, '\'');
  for (; *text; text++) {
    if (*text == '\'')
      wh_buf_add_c(out, "'\\''");
    else
      wh_buf_add_char(out, *text);
  }
  wh_buf_add_char(out, '\'');
}

void wh_add_quoted_fish(wh_buf *out, const char *text) {
  wh_buf_add_char(out, '\'');
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') wh_buf_add_char(out, '\\');
    wh_buf_add_char(out, *text);
  }
  wh_buf_add_char(out, '\'');
}

// --- the words that only the project knows -------------------------------------------------------

static wh_status print_run(void *context, const wh_run *run, wh_error *err) {
  (void)context, (void)err;
  printf("%.*s\n", WH_STR_ARG(run->id));
  return WH_OK;
}

// A project that never ran has no ledger, and asking for its runs must not make one.
static void print_runs(wh_cli *cli) {
  if (wh_config_ledger_type(cli->config)) return; // nor may a key press wait for a server
  char *path = wh_arena_cstr(&cli->arena, cli->config->ledger_path);
  bool there = false;
  if (!path || wh_os_exists(&cli->os.base, path, &there, NULL) != WH_OK || !there) return;
  if (cli->config->error_count || !wh_cli_engine(cli)) return;
  WH_IGNORE(cli->ledger->type->runs(cli->ledger, (wh_str){0}, -1, RUNS_OFFERED, &cli->arena,
                                    print_run, NULL, NULL));
}

static void print_secrets(wh_cli *cli) {
  wh_keyring ring;
  wh_str_list names;
  if (wh_config_keyring(cli->config, &cli->arena, &ring, NULL) != WH_OK) return;
  if (wh_keyring_list(&ring, &cli->arena, &names, NULL) != WH_OK) return;
  for (size_t i = 0; i < names.count; i++)
    printf("%.*s\n", WH_STR_ARG(names.items[i]));
}

static void print_of_config(wh_cli *cli, wh_str kind) {
  if (wh_cli_read_config(cli, NULL) != WH_OK) return;
  const wh_config *config = cli->config;
  if (wh_str_is(kind, "run")) print_runs(cli);
  if (wh_str_is(kind, "secret")) print_secrets(cli);
  for (size_t i = 0; wh_str_is(kind, "pipeline") && i < config->pipeline_count; i++)
    printf("%.*s\n", WH_STR_ARG(config->pipelines[i].name));
  bool address = wh_str_is(kind, "address");
  if (!address && !wh_str_is(kind, "connection")) return;
  for (size_t i = 0; i < wh_config_connection_count(config); i++) {
    wh_str name = wh_config_connection_info(config, i)->name;
    printf("%.*s%s\n", WH_STR_ARG(name), address ? ":" : "");
  }
}

// Silent when something is wrong: whoever presses Tab wants words, not sentences.
static wh_exit print_words(wh_cli *cli, wh_str kind) {
  if (wh_str_is(kind, "command")) {
    for (size_t i = 0; wh_commands[i]; i++) {
      if (wh_command_is_shown(wh_commands[i])) puts(wh_commands[i]->name);
    }
  } else if (wh_str_is(kind, "template")) {
    for (const wh_template *t = wh_templates; t->name; t++)
      puts(t->name);
  } else {
    print_of_config(cli, kind);
  }
  return WH_EXIT_DONE;
}

// --- the command ---------------------------------------------------------------------------------

static wh_exit completion(wh_cli *cli, const wh_args *args) {
  static const struct {
    const char *name;
    void (*write)(wh_buf *out);
  } shells[] = {
      {"bash", wh_completion_bash}, {"zsh", wh_completion_zsh}, {"fish", wh_completion_fish}};
  if (wh_str_is(args->words[0], "words") && args->count == 2) {
    return print_words(cli, args->words[1]);
  }
  for (size_t i = 0; args->count == 1 && i < sizeof shells / sizeof *shells; i++) {
    if (!wh_str_is(args->words[0], shells[i].name)) continue;
    WH_CLEAN_BUF wh_buf out;
    wh_buf_init(&out, &cli->mem, 0);
    shells[i].write(&out);
    return wh_cli_print(cli, "script", &out);
  }
  return wh_cli_usage(cli, "completion knows bash, zsh and fish, not '%.*s'",
                      WH_STR_ARG(args->words[0]));
}

const wh_command wh_cmd_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .help = "print a script that completes commands, flags and names in your shell",
    .more = "bash: put this into ~/.bashrc: source <(wherry completion bash)\n"
            "zsh: put this into ~/.zshrc, below compinit: source <(wherry completion zsh)\n"
            "fish: wherry completion fish > ~/.config/fish/completions/wherry.fish",
    .example = "wherry completion bash > /etc/bash_completion.d/wherry",
    .words_min = 1,
    .words_max = 2, // the second is for the scripts: completion words KIND
    .completes = "bash|zsh|fish",
    .run = completion,
};
