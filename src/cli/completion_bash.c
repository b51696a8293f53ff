#include "cli/completion.h"

// The line is split at blanks here and not by bash, which would also split addresses at ':'.
static const char head[] =
    "# Completion of wherry for bash. Use it with: source <(wherry completion bash)\n"
    "_wherry_ask() {\n"
    "  wherry \"${common[@]}\" completion words \"$1\" 2>/dev/null\n"
    "}\n"
    "_wherry_offer() {\n"
    "  local IFS=$'\\n' at=${current%\"${current##*:}\"} i\n"
    "  COMPREPLY=($(compgen -W \"$1\" -- \"$current\"))\n"
    "  [[ ${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null\n"
    "  [[ $COMP_WORDBREAKS == *:* ]] || return 0\n"
    "  for i in \"${!COMPREPLY[@]}\"; do COMPREPLY[i]=${COMPREPLY[i]#\"$at\"}; done\n"
    "}\n"
    "_wherry() {\n"
    "  local words current='' previous='' command='' position=0 common=() i flags\n"
    "  read -ra words <<<\"${COMP_LINE:0:COMP_POINT}\"\n"
    "  if [[ ${COMP_LINE:0:COMP_POINT} != *[[:blank:]] ]]; then\n"
    "    current=${words[-1]}\n"
    "    unset 'words[-1]'\n"
    "  fi\n"
    "  for ((i = 1; i < ${#words[@]}; i++)); do\n"
    "    previous=''\n"
    "    case ${words[i]} in\n"
    "    -c | --env)\n"
    "      previous=${words[i]}\n"
    "      ((i + 1 < ${#words[@]})) && common+=(\"$previous\" \"${words[i + 1]}\") && previous=''\n"
    "      ((i++))\n"
    "      ;;\n";

static const char middle[] = "    -*) ;;\n"
                             "    *)\n"
                             "      [[ $command ]] && ((position++))\n"
                             "      command=${command:-${words[i]}}\n"
                             "      ;;\n"
                             "    esac\n"
                             "  done\n"
                             "  COMPREPLY=()\n"
                             "  case $previous in\n"
                             "  -c) COMPREPLY=($(compgen -f -- \"$current\")) && return ;;\n"
                             "  -*) return ;;\n"
                             "  esac\n";

static const char tail[] = "}\n"
                           "complete -F _wherry wherry\n";

// Flags of commands that take a value: the next word is no argument.
static void add_valued_flags(wh_buf *out) {
  bool any = false;
  for (size_t i = 0; wh_commands[i]; i++) {
    for (const wh_flag *f = wh_commands[i]->flags; f && f->name; f++) {
      if (!f->value) continue;
      wh_buf_printf(out, "%s%s", any ? " | " : "    ", f->name);
      any = true;
    }
  }
  if (!any) return;
  wh_buf_add_c(out, ")\n      ((i + 1 < ${#words[@]})) || previous=${words[i]}\n"
                    "      ((i++))\n"
                    "      ;;\n");
}

static void add_flags(wh_buf *out, const wh_flag *flags) {
  for (const wh_flag *f = flags; f && f->name; f++)
    wh_buf_printf(out, "%s\\n", f->name);
}

static void add_flag_cases(wh_buf *out) {
  wh_buf_add_c(out, "  if [[ $current == -* ]]; then\n"
                    "    flags=$'");
  add_flags(out, wh_common_flags);
  wh_buf_add_c(out, "'\n"
                    "    case $command in\n");
  for (size_t i = 0; wh_commands[i]; i++) {
    if (!wh_command_is_shown(wh_commands[i]) || !wh_commands[i]->flags) continue;
    wh_buf_printf(out, "    %s) flags+=$'", wh_commands[i]->name);
    add_flags(out, wh_commands[i]->flags);
    wh_buf_add_c(out, "' ;;\n");
  }
  wh_buf_add_c(out, "    esac\n"
                    "    _wherry_offer \"$flags\"\n"
                    "    return\n"
                    "  fi\n");
}

static void add_alternatives(wh_buf *out, wh_str what) {
  wh_str word;
  wh_buf_add_c(out, "_wherry_offer $'");
  while (wh_str_split(&what, '|', &word))
    wh_buf_printf(out, "%.*s\\n", WH_STR_ARG(word));
  wh_buf_add_c(out, "'");
}

static void add_argument(wh_buf *out, const wh_command *command, const wh_completion *c) {
  if (c->repeats)
    wh_buf_printf(out, "  %s:*) ", command->name);
  else
    wh_buf_printf(out, "  %s:%zu) ", command->name, c->position);
  if (wh_str_is(c->what, "file"))
    wh_buf_add_c(out, "COMPREPLY=($(compgen -f -- \"$current\"))");
  else if (wh_str_is(c->what, "folder"))
    wh_buf_add_c(out, "COMPREPLY=($(compgen -d -- \"$current\"))");
  else if (wh_completion_is_kind(c->what)) {
    wh_buf_printf(out, "_wherry_offer \"$(_wherry_ask %.*s)\"", WH_STR_ARG(c->what));
  } else
    add_alternatives(out, c->what);
  wh_buf_add_c(out, " ;;\n");
}

void wh_completion_bash(wh_buf *out) {
  wh_buf_add_c(out, head);
  add_valued_flags(out);
  wh_buf_add_c(out, middle);
  add_flag_cases(out);
  wh_buf_add_c(out, "  case $command:$position in\n"
                    "  :*) _wherry_offer $'");
  for (size_t i = 0; wh_commands[i]; i++) {
    if (wh_command_is_shown(wh_commands[i])) wh_buf_printf(out, "%s\\n", wh_commands[i]->name);
  }
  wh_buf_add_c(out, "' ;;\n");
  for (size_t i = 0; wh_commands[i]; i++) {
    wh_completion c;
    size_t at = 0;
    while (wh_completion_next(wh_commands[i], &at, &c))
      add_argument(out, wh_commands[i], &c);
  }
  wh_buf_add_c(out, "  esac\n");
  wh_buf_add_c(out, tail);
}
