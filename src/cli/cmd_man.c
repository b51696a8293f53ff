// The man page (man(7)), from the table of commands.
#include "cli/commands.h"
#include "cli/page.h"

enum { LINE_WIDTH = 78, PARAGRAPH_MAX = 2048 };

// Text with what roff would take for its own escaped.
static void add_text(wh_buf *out, const char *text) {
  bool line_start = true;
  for (; *text; text++) {
    if (line_start && (*text == '.' || *text == '\'')) wh_buf_add_c(out, "\\&");
    if (*text == '\\')
      wh_buf_add_c(out, "\\e");
    else if (*text == '-')
      wh_buf_add_c(out, "\\-");
    else
      wh_buf_add_char(out, *text);
    line_start = *text == '\n';
  }
}

static void add_line(wh_buf *out, const char *text) {
  WH_CLEAN_BUF wh_buf lines;
  wh_buf_init(&lines, out->mem, 0);
  wh_doc_wrap(&lines, wh_str_of(text), 0, 0, LINE_WIDTH);
  if (lines.failed)
    out->failed = true;
  else
    add_text(out, lines.data);
}

static void add_flags(wh_buf *out, const wh_flag *flags) {
  for (const wh_flag *f = flags; f && f->name; f++) {
    wh_buf_add_c(out, ".TP\n\\fB");
    add_text(out, f->name);
    wh_buf_add_c(out, "\\fR");
    if (f->value) wh_buf_printf(out, " \\fI%s\\fR", f->value);
    wh_buf_add_char(out, '\n');
    add_line(out, f->help);
  }
}

static void add_paragraphs(wh_buf *out, const char *text) {
  wh_str rest = wh_str_of(text), line;
  while (wh_str_split(&rest, '\n', &line)) {
    char piece[PARAGRAPH_MAX];
    snprintf(piece, sizeof piece, "%.*s", WH_STR_ARG(line));
    wh_buf_add_c(out, ".PP\n");
    add_line(out, piece);
  }
}

static void add_command(wh_buf *out, const wh_command *c) {
  wh_buf_printf(out, ".SS wherry %s", c->name);
  if (c->usage[0]) {
    wh_buf_add_char(out, ' ');
    add_text(out, c->usage);
  }
  wh_buf_add_char(out, '\n');
  char help[256];
  snprintf(help, sizeof help, "%c%s.", c->help[0] & ~0x20, c->help + 1);
  add_line(out, help);
  if (c->more) add_paragraphs(out, c->more);
  add_flags(out, c->flags);
  if (c->example) {
    wh_buf_add_c(out, ".PP\nExample:\n.PP\n.RS\n.EX\n");
    add_line(out, c->example);
    wh_buf_add_c(out, ".EE\n.RE\n");
  }
}

static void add_item(wh_buf *out, const char *term, const char *text) {
  wh_buf_add_c(out, ".TP\n.B ");
  add_line(out, term);
  add_line(out, text);
}

static void add_end(wh_buf *out) {
  wh_buf_add_c(out, ".SH EXIT STATUS\n");
  for (const wh_exit_meaning *m = wh_exit_meanings; m->means; m++) {
    char number[8];
    snprintf(number, sizeof number, "%d", (int)m->exit);
    add_item(out, number, m->means);
  }
  wh_buf_add_c(out, ".SH FILES\n");
  add_item(out, "wherry.yaml", "the configuration; wherry.NAME.yaml lies over it with --env NAME");
  add_item(out, "wherry.lock", "what may cross where, written by wherry plan --lock");
  add_item(out, ".wherry/", "beside the configuration: the ledger, the keyring, the locks");
  add_item(out, "~/.config/wherry/key", "the key of the keyring");
  wh_buf_add_c(out, ".SH ENVIRONMENT\n");
  add_item(out, "WHERRY_KEY_FILE", "the key of the keyring, in place of ~/.config/wherry/key");
  add_item(out, "NO_COLOR", "no color, when it is set to anything");
}

static wh_exit man(wh_cli *cli, const wh_args *args) {
  (void)args;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &cli->mem, 0);
  wh_buf_printf(&out, ".TH WHERRY 1 \"\" \"wherry %s\" \"\"\n", WHERRY_VERSION);
  wh_buf_add_c(&out,
               ".SH NAME\nwherry \\- carry rows from where they are to where they are needed\n"
               ".SH SYNOPSIS\n.B wherry\n.I command\n[\\fIargument\\fR...] [\\fIflag\\fR...]\n"
               ".SH DESCRIPTION\n");
  add_line(&out, wh_program_summary);
  wh_buf_add_c(&out, ".PP\nData goes to standard output, words to standard error.\n.SH COMMANDS\n");
  for (size_t i = 0; wh_commands[i]; i++) {
    if (wh_command_is_shown(wh_commands[i])) add_command(&out, wh_commands[i]);
  }
  wh_buf_add_c(&out, ".SH FLAGS\nThese go with every command.\n");
  add_flags(&out, wh_common_flags);
  add_end(&out);
  return wh_cli_print(cli, "man", &out);
}

const wh_command wh_cmd_man = {
    .name = "man",
    .usage = "",
    .help = "print the manual page",
    .more = "In roff, for man(1).",
    .example = "wherry man | man -l -",
    .run = man,
};
