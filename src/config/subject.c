// Whose rows a pipeline carries, so that a person can be erased.
#include "config/private.h"

// Steps that change no value.
static bool only_chooses(const wh_step_type *type) {
  return wh_str_is(wh_str_of(type->name), "filter") || wh_str_is(wh_str_of(type->name), "dedupe");
}

static bool names(const wh_node *node, wh_str column) {
  if (node->kind == WH_NODE_SCALAR)
    return wh_str_eq(node->text, column) || wh_str_is(node->text, "all"); // trim: all
  for (size_t i = 0; node->kind == WH_NODE_LIST && i < node->count; i++)
    if (names(node->items[i], column)) return true;
  for (size_t i = 0; node->kind == WH_NODE_MAP && i < node->count; i++)
    if (names(node->entries[i].key, column) || names(node->entries[i].value, column)) return true;
  return false;
}

// Behind a step that changes it, another value would stand where the rows went, and not be found.
static void check_steps(wh_loader *l, const wh_pipeline *p, const wh_node *node, wh_str column,
                        const char *owner) {
  for (size_t i = 0; p->steps && i < p->steps->count; i++) {
    const wh_step_type *type;
    const wh_node *options;
    if (wh_step_read(p->steps->items[i], &type, &options, NULL) != WH_OK) continue; // told there
    if (only_chooses(type) || !options || !names(options, column)) continue;
    wh_problems_error(&l->problems, node,
                      "%s: the step '%s' may change %.*s, and whoever is to be erased would not be "
                      "found where the rows went. Do that step in a pipeline in front of this one",
                      owner, type->name, WH_SHOWN(column));
  }
}

static bool load_one(wh_loader *l, const wh_node *key, const wh_node *value, const char *owner,
                     wh_subject *ret) {
  if (!wh_load_name(l, key, "kind of person")) return false;
  const char *place = wh_load_owner(l, "%s: %.*s", owner, WH_SHOWN(key->text));
  if (!wh_load_is_text(l, value, place, "a column")) return false;
  *ret = (wh_subject){.kind = key->text, .column = value->text};
  return true;
}

void wh_load_subjects(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner) {
  if (!wh_load_is_map(l, node, owner)) return;
  if (node->count > WH_SUBJECTS_MAX) {
    wh_problems_error(&l->problems, node, "%s: more than %d kinds of people", owner,
                      WH_SUBJECTS_MAX);
    return;
  }
  wh_subject *subjects = wh_load_array(l, node->count, sizeof *subjects);
  if (!subjects) return;
  p->subjects = subjects;
  for (size_t i = 0; i < node->count; i++) {
    wh_subject *s = &subjects[p->subject_count];
    const wh_node *value = node->entries[i].value;
    if (!load_one(l, node->entries[i].key, value, owner, s)) continue;
    p->subject_count++;
    check_steps(l, p, value, s->column, owner);
  }
}

wh_str wh_pipeline_subject(const wh_pipeline *p, wh_str kind) {
  for (size_t i = 0; i < p->subject_count; i++)
    if (wh_str_eq(p->subjects[i].kind, kind)) return p->subjects[i].column;
  return (wh_str){0};
}
