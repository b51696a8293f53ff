#include "step/frame.h"
#include "step/steps.h"

const wh_step_type *const wh_step_types[] = {
    &wh_step_trim,
    &wh_step_normalize,
    &wh_step_map,
    &wh_step_cast,
    &wh_step_null_if,
    &wh_step_default,
    &wh_step_filter,
    &wh_step_derive,
    &wh_step_split,
    &wh_step_flatten,
    &wh_step_lookup,
    &wh_step_dedupe,
    NULL,
};

const wh_step_type *wh_step_by_name(wh_str name) {
  for (size_t i = 0; wh_step_types[i]; i++) {
    if (wh_str_is(name, wh_step_types[i]->name)) return wh_step_types[i];
  }
  return NULL;
}

const wh_node *wh_step_reads(const wh_node *step) {
  if (step->kind != WH_NODE_MAP || step->count != 1) return NULL;
  const wh_step_type *type = wh_step_by_name(step->entries[0].key->text);
  return type && type->reads ? wh_node_get(step->entries[0].value, type->reads) : NULL;
}

wh_status wh_step_read(const wh_node *step, const wh_step_type **ret_type,
                       const wh_node **ret_options, wh_error *err) {
  if (step->kind != WH_NODE_MAP || step->count != 1) {
    return wh_node_fail(step, err,
                        "expected one step as a map with one word, such as trim: [status]; found "
                        "%s%s",
                        wh_node_kind_name(step),
                        step->kind == WH_NODE_MAP ? (step->count ? " of several" : " of none")
                                                  : "");
  }
  const wh_node *name = step->entries[0].key;
  const wh_step_type *type = wh_step_by_name(name->text);
  if (!type) {
    const char *words[sizeof wh_step_types / sizeof *wh_step_types] = {0};
    for (size_t i = 0; wh_step_types[i]; i++)
      words[i] = wh_step_types[i]->name;
    return wh_fail_word(name, "steps", words, err);
  }
  if (wh_node_is_null(step->entries[0].value)) {
    return wh_node_fail(name, err, "%s: says nothing; it is written %s: %s", type->name, type->name,
                        type->shape);
  }
  *ret_type = type;
  *ret_options = step->entries[0].value;
  return WH_OK;
}
