#include "config/overlay.h"

static bool find(const wh_node *map, wh_str key, size_t *ret) {
  for (size_t i = 0; i < map->count; i++) {
    if (!wh_str_eq(map->entries[i].key->text, key)) continue;
    *ret = i;
    return true;
  }
  return false;
}

// What an overlay's value becomes where the base has nothing: the same, less what `~` removes.
static wh_status without_nulls(const wh_node *map, wh_arena *arena, const wh_node **ret,
                               wh_error *err) {
  wh_node empty = *map;
  empty.count = 0;
  return wh_overlay(&empty, map, arena, ret, err);
}

static wh_status merge_value(const wh_node *base, const wh_node *over, wh_arena *arena,
                             const wh_node **ret, wh_error *err) {
  if (over->kind != WH_NODE_MAP) {
    *ret = over;
    return WH_OK;
  }
  if (!base || base->kind != WH_NODE_MAP) return without_nulls(over, arena, ret, err);
  return wh_overlay(base, over, arena, ret, err);
}

// What the overlay set to `~` goes; a `~` of the base stays as it is.
static void drop_removed(wh_node *merged, const wh_node *over) {
  size_t to = 0, at;
  for (size_t i = 0; i < merged->count; i++) {
    const wh_node_entry *entry = &merged->entries[i];
    bool removed = wh_node_is_null(entry->value) && find(over, entry->key->text, &at);
    if (!removed) merged->entries[to++] = *entry;
  }
  merged->count = to;
}

wh_status wh_overlay(const wh_node *base, const wh_node *over, wh_arena *arena, const wh_node **ret,
                     wh_error *err) {
  if (wh_node_is_null(over)) {
    *ret = base;
    return WH_OK;
  }
  if (base->kind != WH_NODE_MAP || over->kind != WH_NODE_MAP) {
    return merge_value(NULL, over, arena, ret, err);
  }
  wh_node *merged = WH_NEW(arena, wh_node);
  wh_node_entry *entries = WH_NEW_ARRAY(arena, base->count + over->count, wh_node_entry);
  if (!merged || !entries) return wh_fail_memory(err);
  *merged = *base;
  merged->entries = entries;
  if (base->count) memcpy(entries, base->entries, base->count * sizeof *entries);
  for (size_t i = 0; i < over->count; i++) {
    const wh_node_entry *entry = &over->entries[i];
    size_t at;
    bool known = find(merged, entry->key->text, &at);
    if (!known && wh_node_is_null(entry->value)) continue;
    if (!known) at = merged->count++;
    const wh_node *value = NULL;
    const wh_node *under = known ? entries[at].value : NULL;
    WH_TRY(merge_value(under, entry->value, arena, &value, err));
    bool is_merged = under && under->kind == WH_NODE_MAP && value->kind == WH_NODE_MAP;
    wh_node *key = is_merged ? entries[at].key : entry->key;
    // `~` stays for now, so that a later entry does not move into its place.
    entries[at] = (wh_node_entry){key, (wh_node *)value};
  }
  drop_removed(merged, over);
  *ret = merged;
  return WH_OK;
}
