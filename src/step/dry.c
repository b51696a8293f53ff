#include "step/dry.h"

#include "step/expect.h"
#include "step/frame.h"

static wh_step_context context_of(const wh_dry *dry) {
  return (wh_step_context){.os = dry->os, .mem = dry->mem, .dry = true};
}

static wh_status reserve(wh_dry *dry, wh_error *err) {
  enum { CAP_FIRST = 32 };
  if (dry->known.count < dry->cap) return WH_OK;
  size_t cap = dry->cap ? dry->cap * 2 : CAP_FIRST;
  wh_field *fields = WH_NEW_ARRAY(dry->arena, cap, wh_field);
  if (!fields) return wh_fail_memory(err);
  if (dry->known.count) memcpy(fields, dry->known.fields, dry->known.count * sizeof *fields);
  dry->fields = fields;
  dry->known.fields = fields;
  dry->cap = cap;
  return WH_OK;
}

wh_status wh_dry_add(wh_dry *dry, wh_str name, const wh_type *type, wh_error *err) {
  if (dry->known.count == WH_COLUMNS_MAX) return WH_OK; // a run will tell
  WH_TRY(reserve(dry, err));
  dry->fields[dry->known.count++] = (wh_field){.name = name, .type = *type, .nullable = true};
  return WH_OK;
}

static wh_status add_unknown(wh_dry *dry, const wh_node *name, wh_error *err) {
  if (name->kind != WH_NODE_SCALAR || dry->known.count == WH_COLUMNS_MAX) return WH_OK;
  if (wh_schema_find(&dry->known, name->text) >= 0) return WH_OK;
  wh_type unknown = wh_type_of(WH_NULL);
  return wh_dry_add(dry, name->text, &unknown, err);
}

// Every word of the options that can be a column: `[a, b]`, `{ a: ... }`, `{ key: [a, b] }`. Some
// are none, and being known does no harm to them.
static wh_status add_words(wh_dry *dry, const wh_node *options, wh_error *err) {
  if (options->kind != WH_NODE_MAP) {
    for (size_t i = 0; i < wh_node_count(options); i++)
      WH_TRY(add_unknown(dry, wh_node_item(options, i), err));
    return WH_OK;
  }
  for (size_t i = 0; i < options->count; i++) {
    WH_TRY(add_unknown(dry, options->entries[i].key, err));
    const wh_node *value = options->entries[i].value;
    if (value->kind != WH_NODE_MAP) WH_TRY(add_words(dry, value, err));
  }
  return WH_OK;
}

wh_status wh_dry_step(wh_dry *dry, const wh_node *step, wh_error *err) {
  const wh_step_type *type;
  const wh_node *options;
  WH_TRY(wh_step_read(step, &type, &options, err));
  wh_dry then = *dry;
  if (!type->finds_columns) WH_TRY(add_words(&then, options, err));
  wh_step_context context = context_of(dry);
  wh_step *bound;
  WH_TRY(type->bind(&context, options, &then.known, &bound, err));
  wh_status status = wh_schema_copy(bound->schema, dry->arena, &then.known, err);
  wh_step_close(bound);
  WH_TRY(status);
  then.fields = (wh_field *)then.known.fields; // ours: the copy is in our arena
  then.cap = then.known.count;
  *dry = then;
  return WH_OK;
}

wh_status wh_dry_rules(const wh_dry *dry, const wh_node_entry *column, wh_error *err) {
  wh_node_entry entry = *column;
  const wh_node rules = {.kind = WH_NODE_MAP,
                         .file = column->key->file,
                         .line = column->key->line,
                         .column = column->key->column,
                         .entries = &entry,
                         .count = 1};
  wh_step_context context = context_of(dry);
  wh_step *bound;
  WH_TRY(wh_expect_bind(&context, &rules, &dry->known, &bound, err));
  wh_step_close(bound);
  return WH_OK;
}
