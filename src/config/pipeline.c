#include "config/pipeline.h"

enum { ATTEMPTS_MAX = 100, CHUNK_MAX = 100000000 };

static const char *const begin_choices[] = {"all", "now", NULL};
static const char *const new_column_choices[] = {"hold", "stop", "add", NULL};

const wh_option wh_pipeline_options[] = {
    {.name = "when",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, when),
     .shape = "new, { every: 5m }, { cron: \"0 6 * * *\" } or { event: queue }",
     .help = "what starts it; by hand where it is not given"},
    {.name = "from",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_pipeline_words, from),
     .required = true,
     .help = "address that is read: connection:table, a pattern of tables (connection:sales.*), "
             "connection:pattern of objects, connection:folder/ of a dataset, or the path of a "
             "model (models/owners.sql)"},
    {.name = "read",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, read),
     .shape = "{ cursor: column }",
     .help = "how it is read"},
    {.name = "steps",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, steps),
     .shape = "[{ trim: [column] }]",
     .help = "what is done to the rows, in this order"},
    {.name = "columns",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, columns),
     .shape = "all or { Name: source_column }",
     .help = "what may cross, and as what"},
    {.name = "on_new_column",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_pipeline_words, on_new_column),
     .choices = new_column_choices,
     .help =
         "what becomes of a column that is new at the source: it stays home (hold), the run "
         "fails (stop), or, with columns: all, it crosses and the target's table gets it (add)"},
    {.name = "raw",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(wh_pipeline_words, raw),
     .help = "objects move as they are, without looking inside"},
    {.name = "expect",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, expect),
     .shape = "{ Name: [not_null] }",
     .help = "rules that rows must keep; others go to quarantine"},
    {.name = "to",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_pipeline_words, to),
     .help = "address that is written, unless tables say it: connection:table, "
             "connection:template of objects, or connection:folder/ of a dataset"},
    {.name = "write",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, write),
     .shape = "{ mode: upsert, key: Name }",
     .help = "how it is written"},
    {.name = "tables",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, tables),
     .shape = "{ name: { columns: ..., to: connection:table, ... } }",
     .help =
         "for objects that hold several tables: what becomes of each, instead of steps, columns, "
         "expect, to and write. Rows of all tables are committed together"},
    {.name = "attempts",
     .type = WH_OPTION_INT,
     .offset = offsetof(wh_pipeline_words, attempts),
     .def = "5",
     .min = 1,
     .max = ATTEMPTS_MAX,
     .help = "failures after which an object becomes a dead letter"},
    {.name = "batch",
     .type = WH_OPTION_INT,
     .offset = offsetof(wh_pipeline_words, batch),
     .def = "0",
     .min = 0,
     .max = WH_BATCH_ROWS_MAX,
     .help = "rows that go through the steps together; 0: 4096, and 32768 on the way into a table"},
    {.name = "chunk",
     .type = WH_OPTION_INT,
     .offset = offsetof(wh_pipeline_words, chunk),
     .def = "100000",
     .min = 1,
     .max = CHUNK_MAX,
     .help = "rows that are committed at a time"},
    {.name = "begin",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_pipeline_words, begin),
     .choices = begin_choices,
     .def = "all",
     .help = "whether objects that are there at first sight count"},
    {.name = "complete",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, complete),
     .shape = "{ marker: \"{name}.{ext}.done\" }",
     .help = "when an object of somebody else's is whole, where that it is still does not say so"},
    {.name = "after",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, after),
     .shape = "leave, delete or { move: done/{name}.{ext} }",
     .def = "leave",
     .help = "what becomes of an object at the source once it is safe where it went"},
    {.name = "notify",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, notify),
     .shape = "topic, or { to: topic, on: [done, failed, quarantined] }",
     .help = "connections to topics or queues that are told of its runs"},
    {.name = "subject",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_pipeline_words, subject),
     .shape = "{ customer: customer_id }",
     .help = "whose rows they are: for each kind of person the column, as it is read, that tells "
             "them apart; `wherry erase customer=KEY` goes by it"},
    {0}};

// `read` as it is written.
void wh_pipeline_problem(const wh_pipeline_checker *c, const wh_node *node, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  wh_problems_error(&c->l->problems, node, "%s: %s", c->owner, text);
}

bool wh_node_given(const wh_node *node) {
  return node && !wh_node_is_null(node);
}

void wh_pipeline_refuse(const wh_pipeline_checker *c, const wh_node *map, const char *word,
                        const char *why) {
  if (wh_node_given(wh_node_get(map, word)))
    wh_pipeline_problem(c, wh_node_key(map, word), "%s %s", word, why);
}

bool wh_pipeline_reads_objects(const wh_pipeline_checker *c) {
  return c->from && c->from->type->store;
}

bool wh_pipeline_writes_objects(const wh_pipeline_checker *c) {
  return c->to && c->to->type->store;
}

void wh_pipeline_check_crosses(const wh_pipeline_checker *c, const wh_node *node, wh_str name,
                               const char *word) {
  const wh_gate *gate = &c->p->gate;
  if (gate->all || gate->count == 0) return;
  wh_str *words = wh_load_array(c->l, gate->count, sizeof *words);
  if (!words) return;
  for (size_t i = 0; i < gate->count; i++) {
    if (wh_str_eq(gate->columns[i].name, name)) return;
    words[i] = gate->columns[i].name;
  }
  wh_pipeline_problem(c, node, "%s: column '%.*s' is not listed under columns.%s", word,
                      WH_SHOWN(name), wh_hint_of(name, words, gate->count).text);
}

// --- what is between -----------------------------------------------------------------------------

static void check_steps(wh_pipeline_checker *c) {
  const wh_node *steps = c->words.steps;
  if (!wh_node_given(steps)) return;
  if (steps->kind != WH_NODE_LIST) {
    wh_pipeline_problem(c, steps, "steps: expected a list, found %s", wh_node_kind_name(steps));
    return;
  }
  c->p->steps = steps;
}

// A deletion is sent by its key, so that all of the key has to cross.
static void check_read_key(const wh_pipeline_checker *c) {
  const wh_gate *gate = &c->p->gate;
  const wh_str_list *key = &c->p->read.key;
  for (size_t i = 0; i < key->count; i++)
    for (size_t j = 0; j < i; j++)
      if (wh_str_eq(key->items[i], key->items[j]))
        wh_pipeline_problem(c, wh_node_get(c->words.read, "key"),
                            "read: key: '%.*s' is listed twice", WH_SHOWN(key->items[i]));
  if (!c->p->read.deletes || gate->all || gate->count == 0) return;
  wh_str *words = wh_load_array(c->l, gate->count, sizeof *words);
  if (!words) return;
  for (size_t i = 0; i < key->count; i++) {
    bool crosses = false;
    for (size_t k = 0; k < gate->count; k++) {
      words[k] = gate->columns[k].from;
      crosses |= wh_str_eq(words[k], key->items[i]);
    }
    if (crosses) continue;
    const wh_node *node = wh_node_get(c->words.read, "key");
    wh_pipeline_problem(
        c, node->kind == WH_NODE_LIST ? node->items[i] : node,
        "read: key: the source's column '%.*s' does not cross, and deletions are sent by their "
        "key. List it under columns.%s",
        WH_SHOWN(key->items[i]), wh_hint_of(key->items[i], words, gate->count).text);
  }
}

// Which of the rows that are equal was sent, nobody knows when one of them is gone.
static void check_no_dedupe(const wh_pipeline_checker *c) {
  const wh_node *steps = c->p->steps;
  for (size_t i = 0; c->p->read.deletes && steps && i < steps->count; i++) {
    const wh_node *step = steps->items[i];
    if (step->kind != WH_NODE_MAP || step->count != 1) continue;
    if (wh_str_is(step->entries[0].key->text, "dedupe"))
      wh_pipeline_problem(
          c, step->entries[0].key,
          "steps: dedupe cannot go with read: { deletes: compare }, which has to know what was "
          "sent. Do it where the rows are loaded");
  }
}

static void check_expect(wh_pipeline_checker *c) {
  const wh_node *expect = c->words.expect;
  if (!wh_load_is_map(c->l, expect, wh_load_owner(c->l, "%s: expect", c->owner))) return;
  c->p->expect = expect;
  for (size_t i = 0; i < expect->count; i++) {
    const wh_node *key = expect->entries[i].key;
    if (!wh_run_rules_has(key)) wh_pipeline_check_crosses(c, key, key->text, "expect");
  }
  wh_error why = {0};
  if (wh_run_rules_parse(expect, &c->p->rules, &why) != WH_OK) {
    wh_problems_add(&c->l->problems, false, &why);
    c->p->rules = (wh_run_rules){0};
  }
}

// What the run's rules need of the pipeline; and the one that `mode: replace` has of itself.
static void check_run_rules(wh_pipeline_checker *c) {
  wh_run_limit *least = &c->p->rules.limits[WH_AT_LEAST_ROWS];
  const wh_run_rule shares[] = {WH_AT_LEAST_ROWS, WH_AT_MOST_ROWS};
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    const char *word = wh_run_rule_types[shares[i]].word;
    if (c->p->read.cursor.len && c->p->rules.limits[shares[i]].has_percent)
      wh_pipeline_problem(
          c, wh_node_key(c->words.expect, word),
          "expect: %s: a run with a cursor reads what is new, whose number is no share of the "
          "last run's. Write a number of rows",
          word);
  }
  bool is_kept = c->to && (c->to->type->sink || wh_address_is_dataset(c->p->to.thing));
  bool replaces = c->p->write.mode == WH_WRITE_REPLACE && is_kept;
  if (replaces && !wh_run_limit_given(least) && !c->p->read.cursor.len)
    *least = (wh_run_limit){.has_percent = true, .percent = 50, .implied = true};
}

static void check_raw(wh_pipeline_checker *c) {
  static const char *const words[] = {"read",  "steps", "columns",       "expect", "write",
                                      "batch", "chunk", "on_new_column", "subject"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    wh_pipeline_refuse(c, c->node, words[i],
                       "excludes raw, which moves objects without looking inside");
  if (c->from && !wh_pipeline_reads_objects(c)) {
    wh_pipeline_problem(c, c->p->from.node, "raw moves objects, and %.*s is a database",
                        WH_SHOWN(c->from->name));
  }
  if (c->to && !wh_pipeline_writes_objects(c)) {
    wh_pipeline_problem(c, c->p->to.node, "raw moves objects, and %.*s is a database",
                        WH_SHOWN(c->to->name));
  }
}

static void check_new_column(wh_pipeline_checker *c) {
  const wh_node *node = wh_node_get(c->node, "on_new_column");
  bool all = c->p->many ? c->p->table_count == 0 : c->p->gate.all;
  if (!wh_node_given(node)) return;
  c->p->on_new_column = (wh_on_new_column)(c->words.on_new_column + WH_NEW_COLUMN_HOLD);
  if (all && c->p->on_new_column == WH_NEW_COLUMN_HOLD)
    wh_pipeline_problem(
        c, node,
        "on_new_column: hold leaves nothing home where columns: all lets everything cross. "
        "List the columns, or write stop or add");
  if (!all && c->p->on_new_column == WH_NEW_COLUMN_ADD && wh_node_given(c->words.columns))
    wh_pipeline_problem(
        c, node,
        "on_new_column: add lets every new column cross, which needs columns: all. Where "
        "columns are listed, write hold or stop");
}

void wh_pipeline_load_content(wh_pipeline_checker *c) {
  if (c->p->raw) {
    check_raw(c);
    return;
  }
  check_steps(c);
  wh_load_step_tables(c->l, c->p, wh_load_owner(c->l, "%s: steps", c->owner));
  if (wh_node_given(c->words.columns)) {
    void (*load)(wh_loader *, wh_pipeline *, const wh_node *, const char *,
                 const wh_connection_info *) = c->p->many ? wh_load_tables : wh_load_columns;
    load(c->l, c->p, c->words.columns, wh_load_owner(c->l, "%s: columns", c->owner), c->to);
  } else if (!wh_option_misspelt(wh_pipeline_options, c->node, NULL, "columns")) {
    const wh_node *key = wh_node_key(c->node, "columns");
    wh_problems_error(
        &c->l->problems, key ? key : c->node,
        "%s needs 'columns': what may cross. List them as { Name: source_column }, or "
        "write columns: all",
        c->owner);
  }
  check_new_column(c);
  check_read_key(c);
  check_no_dedupe(c);
  check_expect(c);
  check_run_rules(c);
  wh_load_subjects(c->l, c->p, c->words.subject, wh_load_owner(c->l, "%s: subject", c->owner));
  wh_load_content(c->l, c->p, c->owner);
}

static void load_pipeline(wh_loader *l, wh_pipeline *p, const wh_node *key, const wh_node *node) {
  wh_load_name(l, key, "pipeline");
  *p = (wh_pipeline){.name = key->text, .node = node};
  wh_pipeline_checker c = {.l = l,
                           .p = p,
                           .node = node,
                           .owner = wh_load_owner(l, "pipeline %.*s", WH_SHOWN(key->text))};
  if (wh_node_is_null(node)) {
    wh_problems_error(&l->problems, key, "%s needs 'from', 'columns' and 'to'", c.owner);
    return;
  }
  if (!wh_load_is_map(l, node, c.owner)) return;
  wh_load_options(l, wh_pipeline_options, node, NULL, c.owner, true, &c.words);
  p->raw = c.words.raw;
  p->attempts = c.words.attempts;
  p->batch_rows = c.words.batch;
  p->chunk_rows = c.words.chunk;
  p->begin_now = c.words.begin == 1;
  wh_load_when(l, c.words.when, wh_load_owner(l, "%s: when", c.owner), &p->when);
  wh_load_notify(l, p, c.words.notify, wh_load_owner(l, "%s: notify", c.owner));
  wh_pipeline_load_read(&c);
  wh_pipeline_load_write(&c);
  wh_pipeline_check_from(&c);
  if (wh_node_given(c.words.tables)) {
    wh_pipeline_load_branches(&c);
    return;
  }
  wh_pipeline_find_to(&c);
  wh_pipeline_load_content(&c);
  wh_pipeline_check_to(&c);
}

void wh_load_pipelines(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "pipelines")) return;
  if (node->count > WH_CONFIG_PIPELINES_MAX) {
    wh_problems_error(&l->problems, node, "more than %d pipelines", WH_CONFIG_PIPELINES_MAX);
    return;
  }
  l->config->pipelines = wh_load_array(l, node->count, sizeof *l->config->pipelines);
  if (!l->config->pipelines) return;
  for (size_t i = 0; i < node->count; i++) {
    wh_pipeline *p = &l->config->pipelines[l->config->pipeline_count++];
    load_pipeline(l, p, node->entries[i].key, node->entries[i].value);
  }
}

// --- finding -------------------------------------------------------------------------------------

const wh_pipeline *wh_config_pipeline(const wh_config *config, wh_str name) {
  for (size_t i = 0; i < config->pipeline_count; i++)
    if (wh_str_eq(config->pipelines[i].name, name)) return &config->pipelines[i];
  return NULL;
}

wh_status wh_config_find_pipeline(const wh_config *config, wh_str name, const wh_pipeline **ret,
                                  wh_error *err) {
  const wh_pipeline *found = wh_config_pipeline(config, name);
  if (found) {
    *ret = found;
    return WH_OK;
  }
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, config->source.mem);
  wh_str *words = WH_NEW_ARRAY(&scratch, config->pipeline_count, wh_str);
  if (!words) return wh_fail_memory(err);
  for (size_t i = 0; i < config->pipeline_count; i++)
    words[i] = config->pipelines[i].name;
  wh_hint hint = wh_hint_of(name, words, config->pipeline_count);
  return wh_fail(err, WH_ERR_USAGE, "no pipeline '%.*s'.%s", WH_SHOWN(name),
                 hint.text[0] ? hint.text : " See them: wherry status");
}

wh_status wh_config_find_any(const wh_config *config, wh_str name, wh_arena *arena,
                             const wh_pipeline **ret, wh_error *err) {
  size_t colon = wh_str_find(name, 0, ':');
  const wh_pipeline *many = wh_config_pipeline(config, wh_str_sub(name, 0, colon));
  if (colon == name.len || !many || !many->many)
    return wh_config_find_pipeline(config, name, ret, err);
  wh_str table = wh_pipeline_member_table(wh_str_sub(name, colon + 1, name.len), arena);
  wh_pipeline *member = WH_NEW(arena, wh_pipeline);
  if (!table.data || !member) return wh_fail_memory(err);
  if (!wh_pipeline_lets_cross(many, table))
    return wh_fail(err, WH_ERR_USAGE, "%.*s: the table '%.*s' is not listed under columns",
                   WH_SHOWN(many->name), WH_SHOWN(table));
  WH_TRY(wh_pipeline_member(many, table, arena, member, err));
  *ret = member;
  return WH_OK;
}
