#include "cli/completion.h"

static const char head[] =
    "# Completion of wherry for fish. Put it into ~/.config/fish/completions/wherry.fish\n"
    "function __wherry_words\n"
    "    set -l skip 0\n"
    "    for word in (commandline -opc)[2..]\n"
    "        if test $skip = 1\n"
    "            set skip 0\n"
    "            continue\n"
    "        end\n"
    "        switch $word\n"
    "            case %s\n"
    "                set skip 1\n"
    "            case '-*'\n"
    "            case '*'\n"
    "                echo $word\n"
    "        end\n"
    "    end\n"
    "end\n"
    "function __wherry_no_command\n"
    "    test (count (__wherry_words)) = 0\n"
    "end\n"
    "function __wherry_command\n"
    "    set -l words (__wherry_words)\n"
    "    test (count $words) -gt 0; and test $words[1] = $argv[1]\n"
    "end\n"
    "function __wherry_argument\n" // command, position from 0, and "more" where it repeats
    "    set -l words (__wherry_words)\n"
    "    __wherry_command $argv[1]; or return 1\n"
    "    set -l position (math (count $words) - 1)\n"
    "    test $position = $argv[2]; or test \"$argv[3]\" = more -a $position -ge $argv[2]\n"
    "end\n"
    "complete -c wherry -f\n";

static void add_flag(wh_buf *out, const wh_flag *f, const char *condition) {
  wh_buf_add_c(out, "complete -c wherry");
  if (condition) wh_buf_printf(out, " -n '__wherry_command %s'", condition);
  if (f->name[1] == '-')
    wh_buf_printf(out, " -l %s", f->name + 2);
  else
    wh_buf_printf(out, " -s %s", f->name + 1);
  if (f->value) wh_buf_add_c(out, strcmp(f->value, "FILE") == 0 ? " -r -F" : " -x");
  wh_buf_add_c(out, " -d ");
  wh_add_quoted_fish(out, f->help);
  wh_buf_add_char(out, '\n');
}

static void add_argument(wh_buf *out, const wh_command *command, const wh_completion *c) {
  wh_buf_printf(out, "complete -c wherry -n '__wherry_argument %s %zu%s'", command->name,
                c->position, c->repeats ? " more" : "");
  wh_str what = c->what, word;
  if (wh_completion_is_path(what)) {
    wh_buf_add_c(out, wh_str_is(what, "file") ? " -F\n" : " -a '(__fish_complete_directories)'\n");
    return;
  }
  if (wh_completion_is_kind(what)) {
    wh_buf_printf(out, " -a '(wherry completion words %.*s 2>/dev/null)'\n", WH_STR_ARG(what));
    return;
  }
  wh_buf_add_c(out, " -a '");
  for (bool first = true; wh_str_split(&what, '|', &word); first = false)
    wh_buf_printf(out, "%s%.*s", first ? "" : " ", WH_STR_ARG(word));
  wh_buf_add_c(out, "'\n");
}

static void add_head(wh_buf *out) {
  const char *rest = strstr(head, "%s");
  wh_buf_add(out, head, (size_t)(rest - head));
  for (const wh_flag *f = wh_common_flags; f->name; f++) {
    if (f->value) wh_buf_printf(out, "%s ", f->name);
  }
  for (size_t i = 0; wh_commands[i]; i++) {
    for (const wh_flag *f = wh_commands[i]->flags; f && f->name; f++) {
      if (f->value) wh_buf_printf(out, "%s ", f->name);
    }
  }
  out->len -= out->len > 0; // the last blank
  wh_buf_add_c(out, rest + 2);
}

void wh_completion_fish(wh_buf *out) {
  add_head(out);
  for (const wh_flag *f = wh_common_flags; f->name; f++)
    add_flag(out, f, NULL);
  for (size_t i = 0; wh_commands[i]; i++) {
    const wh_command *command = wh_commands[i];
    if (!wh_command_is_shown(command)) continue;
    wh_buf_printf(out, "complete -c wherry -n __wherry_no_command -a %s -d ", command->name);
    wh_add_quoted_fish(out, command->help);
    wh_buf_add_char(out, '\n');
    for (const wh_flag *f = command->flags; f && f->name; f++)
      add_flag(out, f, command->name);
    wh_completion c;
    size_t at = 0;
    while (wh_completion_next(command, &at, &c))
      add_argument(out, command, &c);
  }
}
