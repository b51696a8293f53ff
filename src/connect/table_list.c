#include "connect/table_list.h"

wh_status wh_table_list_add(wh_table_list *list, const wh_table_name *name, wh_error *err) {
  if (list->count == list->cap) {
    size_t cap = list->cap ? 2 * list->cap : 64;
    wh_table_name *items = WH_NEW_ARRAY(list->arena, cap, wh_table_name);
    if (!items) return wh_fail_memory(err);
    if (list->count) memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->cap = cap;
  }
  wh_table_name *t = &list->items[list->count];
  *t = *name;
  t->schema = wh_arena_str(list->arena, name->schema.data ? name->schema : WH_STR(""));
  t->table = wh_arena_str(list->arena, name->table);
  if (!t->schema.data || !t->table.data) return wh_fail_memory(err);
  list->count++;
  return WH_OK;
}

static bool is_yes(wh_str value) {
  return wh_str_is(value, "1") || wh_str_is(value, "t");
}

wh_status wh_table_list_take(void *context, const wh_str *v, size_t count, wh_error *err) {
  wh_table_name name = {.schema = v[0],
                        .table = v[1],
                        .is_home = is_yes(v[2]),
                        .is_denied = count > 3 && is_yes(v[3])};
  return wh_table_list_add(context, &name, err);
}
