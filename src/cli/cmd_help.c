#include "cli/commands.h"
#include "cli/page.h"

enum { NAME_COLUMN = 14, FLAG_COLUMN = 18 };

static void add_bold(const wh_cli *cli, wh_buf *out, const char *text) {
  wh_buf_printf(out, "%s%s%s", cli->color_out ? "\033[1m" : "", text,
                cli->color_out ? "\033[0m" : "");
}

static void add_flags(wh_buf *out, const wh_flag *flags, size_t width) {
  for (const wh_flag *f = flags; f && f->name; f++) {
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
    wh_doc_item(out, wh_str_of(name), f->help, FLAG_COLUMN, width);
  }
}

static void write_overview(const wh_cli *cli, wh_buf *out) {
  size_t width = wh_doc_width(cli->columns);
  const wh_command_group *group = wh_command_groups;
  wh_doc_wrap(out, wh_str_of(wh_program_summary), 0, 0, width);
  wh_buf_add_c(out, "\nUsage: wherry COMMAND [ARGUMENT...] [FLAG...]\n");
  for (size_t i = 0; wh_commands[i]; i++) {
    if (!wh_command_is_shown(wh_commands[i])) continue;
    if (group->title && group->first == wh_commands[i]) {
      wh_buf_add_char(out, '\n');
      add_bold(cli, out, group->title);
      wh_buf_add_char(out, '\n');
      group++;
    }
    wh_doc_item(out, wh_str_of(wh_commands[i]->name), wh_commands[i]->help, NAME_COLUMN, width);
  }
  wh_buf_add_char(out, '\n');
  add_bold(cli, out, "Flags that every command takes");
  wh_buf_add_char(out, '\n');
  add_flags(out, wh_common_flags, width);
}

static void write_one(const wh_cli *cli, const wh_command *c, wh_buf *out) {
  size_t width = wh_doc_width(cli->columns);
  wh_buf_add_c(out, "Usage: ");
  wh_buf_printf(out, "wherry %s%s%s%s\n\n", c->name, c->usage[0] ? " " : "", c->usage,
                c->flags ? " [FLAG...]" : "");
  wh_buf_printf(out, "%c", c->help[0] & ~0x20); // every help line begins with a letter
  wh_doc_wrap(out, wh_str_of(c->help + 1), 1, 0, width);
  if (c->more) {
    wh_buf_add_char(out, '\n');
    wh_doc_wrap(out, wh_str_of(c->more), 0, 0, width);
  }
  if (c->flags) {
    wh_buf_add_char(out, '\n');
    add_bold(cli, out, "Flags");
    wh_buf_add_char(out, '\n');
    add_flags(out, c->flags, width);
  }
  wh_buf_add_char(out, '\n');
  add_bold(cli, out, "Flags that every command takes");
  wh_buf_add_char(out, '\n');
  add_flags(out, wh_common_flags, width);
  if (c->example) {
    wh_buf_add_char(out, '\n');
    add_bold(cli, out, "Example");
    wh_buf_printf(out, "\n  %s\n", c->example);
  }
}

static void add_member(wh_buf *out, const char *name, const char *value) {
  if (!value) return;
  wh_buf_printf(out, ",\"%s\":", name);
  wh_buf_add_json(out, wh_str_of(value));
}

static void write_json(const wh_command *c, wh_buf *out) {
  wh_buf_printf(out, "{\"command\":\"%s\"", c->name);
  add_member(out, "usage", c->usage);
  add_member(out, "help", c->help);
  add_member(out, "more", c->more);
  add_member(out, "example", c->example);
  wh_buf_add_c(out, ",\"flags\":[");
  for (const wh_flag *f = c->flags; f && f->name; f++) {
    wh_buf_printf(out, "%s{\"flag\":\"%s\"", f == c->flags ? "" : ",", f->name);
    add_member(out, "value", f->value);
    add_member(out, "help", f->help);
    wh_buf_add_char(out, '}');
  }
  wh_buf_add_c(out, "]}");
}

static const wh_command *find(wh_str name) {
  for (size_t i = 0; wh_commands[i]; i++) {
    if (wh_str_is(name, wh_commands[i]->name) && wh_command_is_shown(wh_commands[i])) {
      return wh_commands[i];
    }
  }
  return NULL;
}

static wh_exit help(wh_cli *cli, const wh_args *args) {
  const wh_command *about = NULL;
  if (args->count) {
    about = find(args->words[0]);
    if (!about) return wh_cli_no_command(cli, args->words[0]);
  }
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &cli->mem, 0);
  wh_error err = {0};
  for (size_t i = 0; cli->json && wh_commands[i]; i++) {
    if (about ? about != wh_commands[i] : !wh_command_is_shown(wh_commands[i])) continue;
    wh_buf_clear(&out);
    write_json(wh_commands[i], &out);
    if (wh_buf_check(&out, &err) != WH_OK) return wh_cli_fail(cli, &err);
    wh_print_json(&out);
  }
  if (cli->json) return WH_EXIT_DONE;
  if (about)
    write_one(cli, about, &out);
  else
    write_overview(cli, &out);
  if (wh_buf_check(&out, &err) != WH_OK) return wh_cli_fail(cli, &err);
  fwrite(out.data, 1, out.len, stdout);
  fflush(stdout);
  if (!about) wh_say(cli, "\nMore of one: wherry help COMMAND");
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .help = "explain the commands, or one of them",
    .example = "wherry help run",
    .words_max = 1,
    .completes = "command",
    .run = help,
};
