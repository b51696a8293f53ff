#include "codec/json/plan.h"

static uint32_t hash_name(wh_str name) {
  uint32_t h = 2166136261u; // FNV-1a
  for (size_t i = 0; i < name.len; i++)
    h = (h ^ (unsigned char)name.data[i]) * 16777619u;
  return h ^ h >> 15;
}

json_slot *json_plan_find(const json_plan *plan, wh_str name) {
  for (uint32_t i = hash_name(name) & plan->mask; plan->table[i]; i = (i + 1) & plan->mask) {
    json_slot *slot = &plan->slots[plan->table[i] - 1];
    if (wh_str_eq(slot->name, name)) return slot;
  }
  return NULL;
}

enum { PASSED_OVER_MAX = 256 }; // keys that nobody wants, of one object

static wh_status make(const wh_field *fields, size_t count, const json_keep *keep,
                      json_shape *shape, wh_arena *arena, json_plan **ret, wh_error *err);

static bool must_escape(wh_str name) {
  for (size_t i = 0; i < name.len; i++) {
    unsigned char c = (unsigned char)name.data[i];
    if (c < 0x20 || c == '"' || c == '\\') return true;
  }
  return false;
}

static wh_status make_key(json_slot *slot, wh_arena *arena, wh_error *err) {
  size_t len = slot->name.len + 3;
  if (must_escape(slot->name) || len >= UINT32_MAX) {
    static const char none[JSON_KEY_BLOCK] = "\1"; // which begins no key
    slot->key = none;
    slot->key_mask = 1;
    return WH_OK;
  }
  char *text = wh_arena_alloc(arena, len + JSON_KEY_BLOCK);
  if (!text) return wh_fail_memory(err);
  text[0] = '"';
  memcpy(text + 1, slot->name.data, slot->name.len);
  memcpy(text + len - 2, "\":", 2);
  slot->key = text;
  slot->key_len = (uint32_t)len;
  slot->key_mask = len < JSON_KEY_BLOCK ? (UINT32_C(1) << len) - 1 : UINT32_MAX;
  return WH_OK;
}

static wh_status name_slot(json_slot *slot, wh_str key, wh_arena *arena, wh_error *err) {
  // wh_arena_alloc zeroes, so that the padding is there.
  char *name = wh_arena_alloc(arena, key.len + 8);
  if (!name) return wh_fail_memory(err);
  if (key.len) memcpy(name, key.data, key.len);
  slot->name = wh_str_n(name, key.len);
  return make_key(slot, arena, err);
}

static wh_status make_slot(const wh_field *field, const json_keep *keep, json_shape *shape,
                           wh_arena *arena, json_slot *slot, wh_error *err) {
  *slot = (json_slot){.type = field->type, .nullable = field->nullable, .shape = shape};
  WH_TRY(name_slot(slot, field->name, arena, err));
  const json_keep *inner = keep ? keep->fields : NULL;
  if (field->type.kind == WH_STRUCT) {
    return make(field->type.fields, field->type.field_count, inner, shape, arena, &slot->fields,
                err);
  }
  if (field->type.kind != WH_LIST) return WH_OK;
  json_plan *plan = WH_NEW(arena, json_plan);
  if (!plan || !(plan->slots = WH_NEW(arena, json_slot))) return wh_fail_memory(err);
  plan->count = 1;
  slot->fields = plan;
  json_shape *item = NULL;
  if (shape) {
    if (!shape->item && !(shape->item = WH_NEW(arena, json_shape))) return wh_fail_memory(err);
    item = shape->item;
  }
  WH_TRY(make_slot(&field->type.fields[0], inner, item, arena, plan->slots, err));
  plan->slots->column = inner && !inner->some ? -1 : 0;
  return WH_OK;
}

static void enter(json_plan *plan, uint32_t number) {
  json_slot *slot = &plan->slots[number];
  slot->rank = number;
  plan->order[number] = slot;
  uint32_t at = hash_name(slot->name) & plan->mask;
  while (plan->table[at])
    at = (at + 1) & plan->mask;
  plan->table[at] = number + 1;
}

static wh_status make(const wh_field *fields, size_t count, const json_keep *keep,
                      json_shape *shape, wh_arena *arena, json_plan **ret, wh_error *err) {
  json_plan *plan = WH_NEW(arena, json_plan);
  if (!plan) return wh_fail_memory(err);
  plan->count = (uint32_t)count;
  plan->cap = plan->count + (keep ? PASSED_OVER_MAX : 0);
  plan->by_column = keep;
  plan->mask = 3;
  while (plan->mask < plan->cap * 2)
    plan->mask = plan->mask * 2 + 1;
  plan->slots = WH_NEW_ARRAY(arena, plan->cap, json_slot);
  plan->table = WH_NEW_ARRAY(arena, plan->mask + 1, uint32_t);
  plan->order = WH_NEW_ARRAY(arena, plan->cap, json_slot *);
  plan->seen = WH_NEW_ARRAY(arena, plan->cap, uint32_t);
  if (!plan->slots || !plan->table || !plan->order || !plan->seen) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    json_slot *slot = &plan->slots[i];
    // A shape's members stand in the order of the fields that were made of it.
    json_shape *member = shape ? shape->members[i].shape : NULL;
    WH_TRY(make_slot(&fields[i], keep ? &keep[i] : NULL, member, arena, slot, err));
    slot->column = keep && !keep[i].some ? -1 : (int32_t)plan->wanted++;
    enter(plan, (uint32_t)i);
  }
  *ret = plan;
  return WH_OK;
}

// The names that the keys of nested objects begin with, where they are columns.
static wh_status name_prefixes(const json_layout *layout, json_plan *plan, wh_arena *arena,
                               wh_error *err) {
  for (uint32_t i = 0; i < plan->count; i++) {
    json_plan *inner = plan->slots[i].fields;
    if (inner && plan->slots[i].type.kind == WH_LIST) inner = inner->slots[0].fields;
    if (!inner || !inner->by_column) continue;
    inner->prefix = json_layout_name(&layout->options, plan->prefix, plan->slots[i].name, arena);
    if (!inner->prefix.data) return wh_fail_memory(err);
    WH_TRY(name_prefixes(layout, inner, arena, err));
  }
  return WH_OK;
}

wh_status json_plan_make(const json_layout *layout, json_shape *shape, wh_arena *arena,
                         json_plan **ret, wh_error *err) {
  const wh_schema *full = &layout->full;
  json_plan *plan = NULL;
  WH_TRY(make(full->fields, full->count, layout->keep, shape, arena, &plan, err));
  for (uint32_t i = 0; layout->list >= 0 && i < plan->count; i++) {
    json_slot *slot = &plan->slots[i];
    slot->needs_item = slot->column == (int32_t)layout->list && !slot->nullable;
  }
  *ret = plan;
  return name_prefixes(layout, plan, arena, err);
}

void json_plan_pass_over(json_plan *plan, wh_str name, wh_arena *arena) {
  if (plan->count == plan->cap) return;
  json_slot *slot = &plan->slots[plan->count];
  *slot = (json_slot){.column = -1};
  if (name_slot(slot, name, arena, NULL) != WH_OK) return;
  enter(plan, plan->count++);
}

void json_plan_learn(json_plan *plan, uint32_t seen_count) {
  // Those that were not there come last, in the order that they had.
  uint32_t count = 0;
  for (uint32_t i = 0; i < seen_count; i++)
    plan->slots[plan->seen[i]].rank = UINT32_MAX;
  for (uint32_t i = 0; i < plan->count; i++) {
    if (plan->order[i]->rank != UINT32_MAX)
      plan->seen[seen_count + count++] = (uint32_t)(plan->order[i] - plan->slots);
  }
  for (uint32_t i = 0; i < plan->count; i++) {
    plan->order[i] = &plan->slots[plan->seen[i]];
    plan->order[i]->rank = i;
  }
}
