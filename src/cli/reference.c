#include "cli/reference.h"

#include "cli/commands.h"
#include "config/config.h"
#include "step/expr.h"
#include "step/rule.h"

static const char made[] = "<!-- Made by `make docs` from the tables in the source. -->\n\n";

static void add_title(wh_buf *out, const char *title, const char *first) {
  wh_buf_printf(out, "# %s\n\n%s%s\n", title, made, first);
}

// --- option tables -------------------------------------------------------------------------------

// Text in a cell of a table: a bar would end it.
static void add_cell(wh_buf *out, const char *text) {
  for (; text && *text; text++) {
    if (*text == '|') wh_buf_add_char(out, '\\');
    wh_buf_add_char(out, *text);
  }
}

static void add_choices(wh_buf *out, const char *const *choices) {
  for (size_t i = 0; choices[i]; i++)
    wh_buf_printf(out, "%s`%s`", i ? ", " : "", choices[i]);
}

static void add_value(wh_buf *out, const wh_option *o) {
  static const char *const names[] = {
      [WH_OPTION_TEXT] = "text",
      [WH_OPTION_PATH] = "path",
      [WH_OPTION_BOOL] = "`true` or `false`",
      [WH_OPTION_INT] = "number",
      [WH_OPTION_SIZE] = "size",
      [WH_OPTION_DURATION] = "duration",
      [WH_OPTION_ENUM] = "",
      [WH_OPTION_LIST] = "list of text",
      [WH_OPTION_NODE] = "",
  };
  if (o->type == WH_OPTION_NODE) {
    wh_buf_add_char(out, '`');
    add_cell(out, o->shape ? o->shape : "...");
    wh_buf_add_char(out, '`');
  } else if (o->choices) {
    if (o->type == WH_OPTION_LIST) wh_buf_add_c(out, "list of ");
    add_choices(out, o->choices);
  } else {
    wh_buf_add_c(out, names[o->type]);
  }
  if (o->type == WH_OPTION_INT && (o->min || o->max)) {
    if (o->max >= o->min)
      wh_buf_printf(out, ", %lld to %lld", (long long)o->min, (long long)o->max);
    else
      wh_buf_printf(out, ", at least %lld", (long long)o->min);
  }
  if (o->secret) wh_buf_add_c(out, ", secret");
}

static void add_options(wh_buf *out, const wh_option *table) {
  if (!table || !table->name) {
    wh_buf_add_c(out, "It has no options.\n");
    return;
  }
  wh_buf_add_c(out, "| word | value | default | what it does |\n| --- | --- | --- | --- |\n");
  for (const wh_option *o = table; o->name; o++) {
    wh_buf_printf(out, "| `%s` | ", o->name);
    add_value(out, o);
    wh_buf_add_c(out, " | ");
    if (o->required)
      wh_buf_add_c(out, "*required*");
    else if (o->def)
      wh_buf_printf(out, "`%s`", o->def);
    wh_buf_add_c(out, " | ");
    add_cell(out, o->help ? o->help : "");
    wh_buf_add_c(out, " |\n");
  }
}

// --- pages ---------------------------------------------------------------------------------------

static void write_configuration(wh_buf *out) {
  add_title(out, "Configuration",
            "Every word of `wherry.yaml`. `wherry schema` prints the same as a JSON Schema for "
            "editors.\n\n"
            "A size is a number with `B`, `kB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, "
            "`GiB`, `TiB` (of 1024). A duration is one or more numbers with `us`, `ms`, `s`, `m`, "
            "`h`, `d` or `w`: `1h30m`. Relative paths start at the folder of `wherry.yaml`.\n\n"
            "`${NAME}` takes an environment variable, `${file:PATH}` the content of a file, "
            "`${secret:NAME}` a value of the keyring. Write `$${` for a literal `${`.");
  for (const wh_option_section *s = wh_option_sections; s->name; s++) {
    wh_buf_printf(out, "\n## `%s`\n\n%c%s.\n\n", s->name, s->help[0] & ~0x20, s->help + 1);
    add_options(out, s->table);
  }
  wh_buf_add_c(out,
               "\nThe words of each type of connection are in [connectors](connectors.md), the "
               "steps in [steps](steps.md), the options of `format` in [codecs](codecs.md).\n");
}

static void write_connectors(wh_buf *out) {
  add_title(out, "Connectors",
            "The types of connections, and the words of each besides `type` and "
            "`accepts`.");
  for (size_t i = 0; wh_connectors[i]; i++) {
    const wh_connector *c = wh_connectors[i];
    wh_buf_printf(out, "\n## `%s`\n\n%c%s. ", c->name, c->help[0] & ~0x20, c->help + 1);
    const char *const roles[] = {c->source ? "source of rows" : NULL,
                                 c->sink ? "target of rows" : NULL,
                                 c->store ? "store of objects" : NULL, c->queue ? "queue" : NULL,
                                 c->feed ? "feed of rows" : NULL};
    size_t count = 0;
    for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
      if (roles[r]) wh_buf_printf(out, "%s%s", count++ ? ", " : "It is a ", roles[r]);
    }
    wh_buf_add_c(out, count ? ".\n\n" : "\n\n");
    add_options(out, c->options);
  }
}

static void add_expression(wh_buf *out, const wh_expr_help *help) {
  const char *const cells[] = {help->written, help->example, help->gives};
  for (size_t i = 0; i < 3; i++) {
    wh_buf_add_c(out, i ? " | `" : "| `");
    add_cell(out, cells[i]);
    wh_buf_add_char(out, '`');
    if (i) continue;
    wh_buf_add_c(out, " | ");
    add_cell(out, help->help);
  }
  wh_buf_add_c(out, " |\n");
}

static void write_expressions(wh_buf *out) {
  static const char head[] =
      "| written as | what it does | example | gives |\n| --- | --- | --- | --- |\n";
  wh_buf_printf(out,
                "\n## Expressions\n\nWhat `filter` and `derive` compute; see [expressions]"
                "(../guide/expressions.md). An expression has at most %d bytes, %d parts, and %d "
                "levels of them. Operators, from the loosest to the tightest:\n\n%s",
                WH_EXPR_BYTES_MAX, WH_EXPR_NODES_MAX, WH_EXPR_DEPTH_MAX, head);
  for (const wh_expr_help *help = wh_expr_operators; help->name; help++)
    add_expression(out, help);
  wh_buf_printf(out, "\nFunctions; of NULL they give NULL where nothing else is said:\n\n%s", head);
  const wh_expr_help *help;
  for (size_t i = 0; (help = wh_expr_function_help(i)); i++)
    add_expression(out, help);
}

static void write_steps(wh_buf *out) {
  add_title(out, "Steps",
            "What happens to rows between `from` and `columns`, in the order written. A row that a "
            "step cannot take goes to quarantine with the reason.");
  for (size_t i = 0; wh_step_types[i]; i++) {
    const wh_step_type *s = wh_step_types[i];
    wh_buf_printf(out, "\n## `%s`\n\n%c%s.\n\n", s->name, s->help[0] & ~0x20, s->help + 1);
    if (s->shape) wh_buf_printf(out, "Written as `%s: %s`.\n\n", s->name, s->shape);
    if (s->example) wh_buf_printf(out, "```yaml\nsteps:\n  - %s\n```\n", s->example);
  }
  write_expressions(out);
  wh_buf_add_c(out,
               "\n## Expectations\n\nRules of `expect`, on the columns that crossed. Rules are "
               "tried in the order written; the first that a row breaks is its reason. NULL "
               "breaks only `not_null`.\n\n| rule | written as |\n| --- | --- |\n");
  for (const wh_rule_type *const *rule = wh_rule_types; *rule; rule++) {
    wh_buf_printf(out, "| `%s` | `", (*rule)->name);
    add_cell(out, (*rule)->shape ? (*rule)->shape : (*rule)->name);
    wh_buf_add_c(out, "` |\n");
  }
  wh_buf_add_c(out,
               "\n`fresher_than` rejects no row: it stops the run when the newest value of the "
               "column is older than that. Rules of the run as a whole stand beside the columns; "
               "each takes a number of rows, a percentage, or a list of both.\n\n"
               "| word | a percentage is of | means |\n| --- | --- | --- |\n");
  for (size_t i = 0; i < WH_RUN_RULES; i++) {
    const wh_run_rule_type *rule = &wh_run_rule_types[i];
    wh_buf_printf(out, "| `%s` | %s | %s |\n", rule->word, rule->of, rule->help);
  }
}

static void write_codecs(wh_buf *out) {
  add_title(out, "Codecs", "The formats of objects, chosen by the ending of their names.");
  for (size_t i = 0; wh_codecs[i]; i++) {
    const wh_codec_type *c = wh_codecs[i];
    wh_buf_printf(out, "\n## `%s`\n\n%c%s. Endings: ", c->name, c->help[0] & ~0x20, c->help + 1);
    for (size_t e = 0; c->extensions[e]; e++)
      wh_buf_printf(out, "%s`%s`", e ? ", " : "", c->extensions[e]);
    wh_buf_add_c(out, ".\n");
    if (c->read_options) {
      wh_buf_add_c(out, "\nUnder `read: { format: ... }`:\n\n");
      add_options(out, c->read_options);
    }
    if (c->write_options) {
      wh_buf_add_c(out, "\nUnder `write: { format: ... }`:\n\n");
      add_options(out, c->write_options);
    }
  }
}

static void add_flags(wh_buf *out, const wh_flag *flags) {
  wh_buf_add_c(out, "| flag | what it does |\n| --- | --- |\n");
  for (const wh_flag *f = flags; f->name; f++) {
    wh_buf_printf(out, "| `%s%s%s` | ", f->name, f->value ? " " : "", f->value ? f->value : "");
    add_cell(out, f->help);
    wh_buf_add_c(out, " |\n");
  }
}

static void write_commands(wh_buf *out) {
  add_title(out, "Commands", "Data goes to standard output, words to standard error.");
  for (size_t i = 0; wh_commands[i]; i++) {
    const wh_command *c = wh_commands[i];
    if (!wh_command_is_shown(c)) continue;
    wh_buf_printf(out, "\n## `wherry %s%s%s`\n\n%c%s.\n", c->name, c->usage[0] ? " " : "", c->usage,
                  c->help[0] & ~0x20, c->help + 1);
    wh_str rest = wh_str_of(c->more), line;
    while (wh_str_split(&rest, '\n', &line))
      wh_buf_printf(out, "\n%.*s\n", WH_STR_ARG(line));
    if (c->flags) {
      wh_buf_add_char(out, '\n');
      add_flags(out, c->flags);
    }
    if (c->example) wh_buf_printf(out, "\n```sh\n%s\n```\n", c->example);
  }
  wh_buf_add_c(out, "\n## Flags of every command\n\n");
  add_flags(out, wh_common_flags);
  wh_buf_add_c(out, "\n## Exit status\n\n| status | means |\n| --- | --- |\n");
  for (const wh_exit_meaning *m = wh_exit_meanings; m->means; m++)
    wh_buf_printf(out, "| %d | %s |\n", (int)m->exit, m->means);
}

const wh_reference_page wh_reference_pages[] = {
    {"commands.md", write_commands},     {"configuration.md", write_configuration},
    {"connectors.md", write_connectors}, {"steps.md", write_steps},
    {"codecs.md", write_codecs},         {0},
};
