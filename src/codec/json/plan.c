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

static wh_status make(const wh_field *fields, size_t count, json_shape *shape, wh_arena *arena,
                      json_plan **ret, wh_error *err);

static wh_status make_slot(const wh_field *field, json_shape *shape, wh_arena *arena,
                           json_slot *slot, wh_error *err) {
  // wh_arena_alloc zeroes, so that the padding is there.
  char *name = wh_arena_alloc(arena, field->name.len + 8);
  if (!name) return wh_fail_memory(err);
  memcpy(name, field->name.data, field->name.len);
  *slot = (json_slot){.name = wh_str_n(name, field->name.len),
                      .type = field->type,
                      .nullable = field->nullable,
                      .shape = shape};
  if (field->type.kind == WH_STRUCT) {
    return make(field->type.fields, field->type.field_count, shape, arena, &slot->fields, err);
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
  return make_slot(&field->type.fields[0], item, arena, plan->slots, err);
}

static wh_status make(const wh_field *fields, size_t count, json_shape *shape, wh_arena *arena,
                      json_plan **ret, wh_error *err) {
  json_plan *plan = WH_NEW(arena, json_plan);
  if (!plan) return wh_fail_memory(err);
  plan->count = (uint32_t)count;
  plan->mask = 3;
  while (plan->mask < count * 2)
    plan->mask = plan->mask * 2 + 1;
  plan->slots = WH_NEW_ARRAY(arena, count, json_slot);
  plan->table = WH_NEW_ARRAY(arena, plan->mask + 1, uint32_t);
  if (!plan->slots || !plan->table) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    // A shape's members stand in the order of the fields that were made of it.
    json_shape *member = shape ? shape->members[i].shape : NULL;
    WH_TRY(make_slot(&fields[i], member, arena, &plan->slots[i], err));
    uint32_t at = hash_name(fields[i].name) & plan->mask;
    while (plan->table[at])
      at = (at + 1) & plan->mask;
    plan->table[at] = (uint32_t)i + 1;
  }
  *ret = plan;
  return WH_OK;
}

wh_status json_plan_make(const wh_schema *schema, json_shape *shape, wh_arena *arena,
                         json_plan **ret, wh_error *err) {
  return make(schema->fields, schema->count, shape, arena, ret, err);
}
