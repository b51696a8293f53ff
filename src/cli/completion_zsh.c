#include "cli/completion.h"

// zsh's _arguments takes "[text]" and ":text" in its specifications, so those need a backslash.
static void add_spec_text(wh_buf *out, const char *text) {
  for (; *text; text++) {
    if (strchr("[]:\\", *text)) wh_buf_add_char(out, '\\');
    if (*text == '\'')
      wh_buf_add_c(out, "'\\''");
    else
      wh_buf_add_char(out, *text);
  }
}

static void add_flags(wh_buf *out, const wh_flag *flags) {
  for (const wh_flag *f = flags; f && f->name; f++) {
    wh_buf_printf(out, " \\\n      '%s[", f->name);
    add_spec_text(out, f->help);
    wh_buf_add_char(out, ']');
    if (f->value) {
      wh_buf_printf(out, ":%s:%s", f->value, strcmp(f->value, "FILE") == 0 ? "_files" : "");
    }
    wh_buf_add_char(out, '\'');
  }
}

static void add_argument(wh_buf *out, const wh_completion *c) {
  if (c->repeats)
    wh_buf_add_c(out, " \\\n      '*:");
  else
    wh_buf_printf(out, " \\\n      '%zu:", c->position + 1);
  wh_str what = c->what, word;
  if (wh_str_is(what, "file"))
    wh_buf_add_c(out, "file:_files");
  else if (wh_str_is(what, "folder"))
    wh_buf_add_c(out, "folder:_files -/");
  else if (wh_completion_is_kind(what)) {
    wh_buf_printf(out, "%.*s: _wherry_ask %.*s", WH_STR_ARG(what), WH_STR_ARG(what));
  } else {
    wh_buf_add_c(out, "word:(");
    for (bool first = true; wh_str_split(&what, '|', &word); first = false)
      wh_buf_printf(out, "%s%.*s", first ? "" : " ", WH_STR_ARG(word));
    wh_buf_add_char(out, ')');
  }
  wh_buf_add_char(out, '\'');
}

static void add_command(wh_buf *out, const wh_command *command) {
  wh_buf_printf(out, "  %s)\n    _arguments -s", command->name);
  add_flags(out, command->flags);
  add_flags(out, wh_common_flags);
  wh_completion c;
  size_t at = 0;
  while (wh_completion_next(command, &at, &c))
    add_argument(out, &c);
  wh_buf_add_c(out, "\n    ;;\n");
}

void wh_completion_zsh(wh_buf *out) {
  wh_buf_add_c(out,
               "#compdef wherry\n"
               "# Completion of wherry for zsh. Put it into a folder of $fpath as _wherry, or:\n"
               "#   source <(wherry completion zsh)\n"
               "_wherry_ask() {\n"
               "  local -a found\n"
               "  local -a common\n"
               "  (( ${+opt_args[-c]} )) && common+=(-c ${(Q)opt_args[-c]})\n"
               "  (( ${+opt_args[--env]} )) && common+=(--env ${(Q)opt_args[--env]})\n"
               "  found=(${(f)\"$(wherry $common completion words $1 2>/dev/null)\"})\n"
               "  if [[ $1 == address ]]; then compadd -S '' -a found; else compadd -a found; fi\n"
               "}\n"
               "_wherry() {\n"
               "  local context state state_descr line curcontext=$curcontext\n"
               "  typeset -A opt_args\n"
               "  local -a commands\n"
               "  commands=(\n");
  for (size_t i = 0; wh_commands[i]; i++) {
    if (!wh_command_is_shown(wh_commands[i])) continue;
    wh_buf_printf(out, "    '%s:", wh_commands[i]->name);
    add_spec_text(out, wh_commands[i]->help);
    wh_buf_add_c(out, "'\n");
  }
  wh_buf_add_c(out, "  )\n"
                    "  _arguments -C");
  add_flags(out, wh_common_flags);
  wh_buf_add_c(out, " \\\n      '1:command:->command' '*::argument:->argument'\n"
                    "  if [[ $state == command ]]; then\n"
                    "    _describe command commands\n"
                    "    return\n"
                    "  fi\n"
                    "  case $line[1] in\n");
  for (size_t i = 0; wh_commands[i]; i++) {
    if (wh_command_is_shown(wh_commands[i])) add_command(out, wh_commands[i]);
  }
  wh_buf_add_c(out, "  esac\n"
                    "}\n"
                    "if [[ $funcstack[1] == _wherry ]]; then\n"
                    "  _wherry \"$@\"\n"
                    "else\n"
                    "  compdef _wherry wherry\n"
                    "fi\n");
}
