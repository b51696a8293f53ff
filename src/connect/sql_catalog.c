#include "connect/sql_catalog.h"

wh_status wh_sql_names_take(void *names, const wh_str *v, size_t count, wh_error *err) {
  wh_sql_names *n = names;
  (void)count;
  if (n->count == n->cap) {
    size_t cap = n->cap ? n->cap * 2 : 64;
    wh_str *items = WH_NEW_ARRAY(n->arena, cap, wh_str);
    if (!items) return wh_fail_memory(err);
    if (n->count) memcpy(items, n->items, n->count * sizeof *items);
    n->items = items;
    n->cap = cap;
  }
  n->items[n->count] = wh_arena_str(n->arena, v[0].data ? v[0] : WH_STR(""));
  return n->items[n->count++].data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_sql_find_table(wh_sql_session *s, wh_str home, wh_str name, wh_sql_look_up look_up,
                            void *look, bool *ret_found, wh_error *err) {
  WH_TRY(look_up(s, home, name, look, ret_found, err));
  for (size_t at = 0; !*ret_found; at++) {
    at = wh_str_find(name, at, '.');
    if (at >= name.len) return WH_OK;
    WH_TRY(look_up(s, wh_str_sub(name, 0, at), wh_str_sub(name, at + 1, name.len), look, ret_found,
                   err));
  }
  return WH_OK;
}

wh_status wh_sql_next_column(wh_sql_column_list *list, wh_sql_column **ret, wh_error *err) {
  wh_sql_relation *r = list->relation;
  if (r->count == list->cap) {
    size_t cap = list->cap ? list->cap * 2 : 32;
    wh_sql_column *columns = WH_NEW_ARRAY(list->arena, cap, wh_sql_column);
    if (!columns) return wh_fail_memory(err);
    if (r->count) memcpy(columns, r->columns, r->count * sizeof *columns);
    r->columns = columns;
    list->cap = cap;
  }
  *ret = &r->columns[r->count];
  return WH_OK;
}

static wh_status end_index(wh_sql_unique_list *l, wh_error *err) {
  if (l->column_count == 0 || l->is_partial) return WH_OK;
  if (l->count == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 8;
    wh_sql_unique *items = WH_NEW_ARRAY(l->arena, cap, wh_sql_unique);
    if (!items) return wh_fail_memory(err);
    if (l->count) memcpy(items, l->items, l->count * sizeof *items);
    l->items = items;
    l->cap = cap;
  }
  l->items[l->count++] = (wh_sql_unique){.columns = l->columns, .count = l->column_count};
  for (size_t i = 0; l->is_primary && i < l->column_count; i++)
    l->relation->columns[l->columns[i]].key_position = (uint32_t)i + 1;
  return WH_OK;
}

wh_status wh_sql_unique_take(wh_sql_unique_list *l, wh_str index, bool is_primary, ptrdiff_t column,
                             wh_error *err) {
  if (!l->index.data || !wh_str_eq(l->index, index)) {
    WH_TRY(end_index(l, err));
    l->index = wh_arena_str(l->arena, index);
    l->columns = WH_NEW_ARRAY(l->arena, l->relation->count + 1, uint32_t);
    l->column_count = 0;
    l->is_partial = false;
    l->is_primary = is_primary;
    if (!l->columns || !l->index.data) return wh_fail_memory(err);
  }
  if (column < 0 || l->column_count >= l->relation->count)
    l->is_partial = true;
  else
    l->columns[l->column_count++] = (uint32_t)column;
  return WH_OK;
}

wh_status wh_sql_unique_end(wh_sql_unique_list *l, wh_error *err) {
  WH_TRY(end_index(l, err));
  l->relation->uniques = l->items;
  l->relation->unique_count = l->count;
  return WH_OK;
}
