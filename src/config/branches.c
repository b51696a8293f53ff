// Pipelines whose objects hold several tables (codec/tables.h): what becomes of each stands under
// `tables`. A branch is checked as the pipeline of one table that it is.
#include "codec/codec.h"
#include "config/pipeline.h"

static const char *const instead[] = {"steps", "columns", "expect",        "to",
                                      "write", "raw",     "on_new_column", "subject"};

const wh_option wh_branch_options[] = {
    {.name = "steps",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, steps),
     .shape = "[{ trim: [column] }]",
     .help = "what is done to its rows, in this order"},
    {.name = "columns",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, columns),
     .shape = "all or { Name: source_column }",
     .help = "what of it may cross, and as what"},
    {.name = "expect",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, expect),
     .shape = "{ Name: [not_null] }",
     .help = "rules that its rows must keep; others go to quarantine"},
    {.name = "to",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_pipeline_words, to),
     .required = true,
     .help = "table that it goes to, connection:table; all are of one connection"},
    {.name = "write",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, write),
     .shape = "{ mode: upsert, key: Name }",
     .help = "how it is written: append or upsert"},
    {0}};

// The words of two tables, for messages about either.
static const char *const *names_of(wh_loader *l, const wh_option *table) {
  size_t count = 0;
  while (table && table[count].name)
    count++;
  const char **names = wh_load_array(l, count + 1, sizeof *names);
  for (size_t i = 0; names && i < count; i++)
    names[i] = table[i].name;
  return names;
}

static const wh_codec_type *codec_of(const wh_pipeline_checker *c) {
  const wh_codec_type *codec = c->p->read.format.codec;
  if (codec && codec->open_tables) return codec;
  if (codec)
    wh_pipeline_problem(c, c->words.tables, "tables: an object of %s holds one table", codec->name);
  else if (c->from)
    wh_pipeline_problem(c, c->words.tables,
                        "tables: say of which format the objects are: by their ending in `from`, "
                        "or with read: { format: { type: ... } }");
  return NULL;
}

static void load_options(wh_pipeline_checker *b, const wh_codec_type *codec) {
  char *options = wh_load_array(b->l, 1, codec->table_options_size + 1);
  const char *const *own = names_of(b->l, wh_branch_options);
  const char *const *theirs = names_of(b->l, codec->table_options);
  if (!options || !own || !theirs) return;
  size_t problems = b->l->problems.count;
  wh_load_options(b->l, wh_branch_options, b->node, theirs, b->owner, true, &b->words);
  if (codec->table_options)
    wh_load_options(b->l, codec->table_options, b->node, own, b->owner, false, options);
  b->p->table_options = options;
  wh_error why = {0};
  if (b->l->problems.count == problems && codec->check_table &&
      codec->check_table(options, &why) != WH_OK)
    wh_pipeline_problem(b, b->node, "%s", why.text);
}

// What one load of several tables cannot have.
static void check_branch(const wh_pipeline_checker *b) {
  const wh_pipeline *p = b->p;
  if (b->to && b->to->type->store)
    wh_pipeline_problem(b, p->to.node, "to: %.*s holds objects. Name a table of a database",
                        WH_SHOWN(b->to->name));
  else if (b->to && !b->to->type->sink->join)
    wh_pipeline_problem(b, p->to.node,
                        "to: a %s has no transactions, and rows of all tables are committed "
                        "together. Write to a database that has",
                        b->to->type->name);
  if (p->write.mode == WH_WRITE_REPLACE)
    wh_pipeline_problem(b, wh_node_get(b->words.write, "mode"),
                        "write: mode: replace makes a table what one object is. Here write append "
                        "or upsert");
  for (int i = 0; i < WH_RUN_RULES; i++)
    if (p->rules.limits[i].has_percent && !p->rules.limits[i].implied && i != WH_AT_MOST_REJECTED)
      wh_pipeline_problem(b, wh_node_key(b->words.expect, wh_run_rule_types[i].word),
                          "expect: %s: receipts tell the rows of all tables, so that a share of "
                          "the last run's is not known of one. Write a number of rows",
                          wh_run_rule_types[i].word);
}

static void load_branch(wh_pipeline_checker *c, const wh_codec_type *codec,
                        const wh_node_entry *entry, wh_pipeline *ret) {
  const wh_node *node = entry->value;
  wh_load_name(c->l, entry->key, "table");
  *ret = *c->p;
  ret->table = entry->key->text;
  ret->node = node;
  wh_pipeline_checker b = {
      .l = c->l,
      .p = ret,
      .owner = wh_load_owner(c->l, "%s: tables: %.*s", c->owner, WH_SHOWN(entry->key->text)),
      .node = node,
      .from = c->from};
  if (wh_node_is_null(node)) {
    wh_pipeline_problem(&b, entry->key, "says neither 'columns' nor 'to'");
    return;
  }
  if (!wh_load_is_map(c->l, node, b.owner)) return;
  load_options(&b, codec);
  wh_pipeline_load_write(&b);
  wh_pipeline_find_to(&b);
  wh_pipeline_load_content(&b);
  wh_pipeline_check_to(&b);
  check_branch(&b);
}

static bool same_table(const wh_pipeline *a, const wh_pipeline *b) {
  return a->to.thing.len && wh_str_eq(a->to.thing, b->to.thing);
}

// One transaction, and each table once.
static void check_together(const wh_pipeline_checker *c, const wh_pipeline *branches, size_t i) {
  const wh_pipeline *b = &branches[i], *first = &branches[0];
  if (!b->to.connection.len || !first->to.connection.len) return;
  if (!wh_str_eq(b->to.connection, first->to.connection)) {
    wh_pipeline_problem(c, b->to.node,
                        "tables: %.*s goes to %.*s, and %.*s to %.*s: rows of all tables are "
                        "committed together, which takes one connection. Give the others a "
                        "pipeline of their own",
                        WH_SHOWN(b->table), WH_SHOWN(b->to.connection), WH_SHOWN(first->table),
                        WH_SHOWN(first->to.connection));
    return;
  }
  for (size_t j = 0; j < i; j++)
    if (same_table(b, &branches[j]))
      wh_pipeline_problem(c, b->to.node, "tables: %.*s and %.*s go to the same table",
                          WH_SHOWN(branches[j].table), WH_SHOWN(b->table));
}

// What steps read is asked of pipelines by whoever grants and draws.
static void gather_step_tables(wh_pipeline_checker *c, const wh_pipeline *branches, size_t count) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++)
    total += branches[i].step_table_count;
  wh_address *all = total ? wh_load_array(c->l, total, sizeof *all) : NULL;
  if (!all) return;
  c->p->step_tables = all;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < branches[i].step_table_count; k++)
      all[c->p->step_table_count++] = branches[i].step_tables[k];
}

void wh_pipeline_load_branches(wh_pipeline_checker *c) {
  const wh_node *tables = c->words.tables;
  for (size_t i = 0; i < sizeof instead / sizeof *instead; i++)
    wh_pipeline_refuse(c, c->node, instead[i],
                       "has no place beside tables, each of which has its own");
  if (c->p->raw) c->p->raw = false;
  if (!wh_load_is_map(c->l, tables, wh_load_owner(c->l, "%s: tables", c->owner))) return;
  if (c->from && (!wh_pipeline_reads_objects(c) || c->p->read.dataset.len || c->p->model)) {
    wh_pipeline_problem(c, tables, "tables are of objects, and `from` names none");
    return;
  }
  if (tables->count == 0 || tables->count > WH_BRANCHES_MAX) {
    wh_pipeline_problem(c, tables, "tables: expected 1 to %d tables", WH_BRANCHES_MAX);
    return;
  }
  const wh_codec_type *codec = codec_of(c);
  wh_pipeline *branches = codec ? wh_load_array(c->l, tables->count, sizeof *branches) : NULL;
  if (!branches) return;
  for (size_t i = 0; i < tables->count; i++) {
    load_branch(c, codec, &tables->entries[i], &branches[i]);
    check_together(c, branches, i);
  }
  gather_step_tables(c, branches, tables->count);
  c->p->to = (wh_address){.connection = branches[0].to.connection, .node = branches[0].to.node};
  c->p->branches = branches;
  c->p->branch_count = tables->count;
}

wh_str wh_pipeline_target(const wh_pipeline *p, wh_arena *arena) {
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(p, &count);
  wh_str all = wh_arena_printf(arena, "%.*s:%.*s", WH_STR_ARG(p->to.connection),
                               WH_STR_ARG(branches[0].to.thing));
  for (size_t i = 1; all.data && i < count; i++)
    all = wh_arena_printf(arena, "%.*s, %.*s", WH_STR_ARG(all), WH_STR_ARG(branches[i].to.thing));
  return all;
}
