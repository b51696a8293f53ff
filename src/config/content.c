// What is between `from` and `to`, tried without data: each step and each rule is bound to what is
// known of the columns at its place.
#include "config/private.h"

#include "step/dry.h"

// A problem that a step found: its text has the position in front, where the pipeline's name goes
// in.
static void tell(wh_loader *l, const char *owner, const char *word, const wh_node *node,
                 const wh_error *why) {
  if (why->status == WH_ERR_MEMORY) {
    l->problems.out_of_memory = true;
    return;
  }
  wh_str prefix =
      wh_arena_printf(l->arena, "%s:%llu:%llu: ", node->file, (unsigned long long)why->place.line,
                      (unsigned long long)why->place.column);
  if (!prefix.data) {
    l->problems.out_of_memory = true;
    return;
  }
  wh_str text = wh_str_of(why->text);
  wh_node at = *node;
  if (wh_str_starts(text, prefix.data)) {
    at.line = (uint32_t)why->place.line;
    at.column = (uint32_t)why->place.column;
    text = wh_str_sub(text, prefix.len, text.len);
  }
  if (wh_str_starts(text, "steps")) word = "";
  wh_problems_error(&l->problems, &at, "%s: %s%.*s", owner, word, WH_STR_ARG(text));
}

static void try_steps(wh_loader *l, const wh_pipeline *p, const char *owner, wh_dry *dry) {
  for (size_t i = 0; p->steps && i < p->steps->count; i++) {
    wh_error why = {0};
    if (wh_dry_step(dry, p->steps->items[i], &why) == WH_OK) continue;
    tell(l, owner, "steps: ", p->steps->items[i], &why);
  }
}

// What a column is when it crosses.
static wh_type type_of(const wh_gate_column *column, const wh_dry *before) {
  if (wh_node_get(column->node, "mask")) return wh_type_of(WH_NULL); // text or nothing
  if (column->has_type) return column->type;
  ptrdiff_t at = wh_schema_find(&before->known, column->from);
  return at < 0 ? wh_type_of(WH_NULL) : before->known.fields[at].type;
}

// The columns behind the gate, of which rules speak. With `columns: all` they are what the steps
// are known to give, and whatever else.
static wh_status pass_gate(const wh_pipeline *p, const wh_dry *before, wh_dry *ret, wh_error *err) {
  wh_dry after = *before;
  if (!p->gate.all) {
    after.known = (wh_schema){0};
    after.cap = 0;
  }
  for (size_t i = 0; !p->gate.all && i < p->gate.count; i++) {
    wh_type type = type_of(&p->gate.columns[i], before);
    WH_TRY(wh_dry_add(&after, p->gate.columns[i].name, &type, err));
  }
  for (size_t i = 0; p->gate.all && i < p->expect->count; i++) {
    wh_str name = p->expect->entries[i].key->text;
    wh_type unknown = wh_type_of(WH_NULL);
    if (wh_schema_find(&after.known, name) < 0) WH_TRY(wh_dry_add(&after, name, &unknown, err));
  }
  *ret = after;
  return WH_OK;
}

static void try_rules(wh_loader *l, const wh_pipeline *p, const char *owner, const wh_dry *dry) {
  for (size_t i = 0; i < p->expect->count; i++) {
    const wh_node_entry *entry = &p->expect->entries[i];
    wh_error why = {0};
    // A column that does not cross is told already, with the nearest that does.
    if (wh_schema_find(&dry->known, entry->key->text) < 0) continue;
    if (wh_dry_rules(dry, entry, &why) != WH_OK) tell(l, owner, "", entry->key, &why);
  }
}

void wh_load_content(wh_loader *l, const wh_pipeline *p, const char *owner) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, l->config->source.mem);
  wh_dry dry = {.os = l->config->source.os, .mem = l->config->source.mem, .arena = &scratch};
  try_steps(l, p, owner, &dry);
  if (!p->expect || (!p->gate.all && p->gate.count == 0)) return;
  wh_error why = {0};
  wh_dry after;
  if (pass_gate(p, &dry, &after, &why) != WH_OK) {
    l->problems.out_of_memory = true;
    return;
  }
  try_rules(l, p, owner, &after);
}
