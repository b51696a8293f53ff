#include "engine/markers.h"

#include <stdlib.h>

typedef struct listing {
  const wh_pipeline *pipeline;
  wh_markers *markers;
} listing;

static wh_status collect(void *context, const wh_object *object, wh_error *err) {
  listing *l = context;
  wh_markers *m = l->markers;
  if (!wh_glob_match(l->pipeline->complete.markers, object->key)) return WH_OK;
  if (m->count == m->cap) {
    size_t cap = m->cap ? 2 * m->cap : 256;
    wh_marker *moved =
        wh_mem_realloc(m->keys.mem, m->items, m->cap * sizeof *moved, cap * sizeof *moved);
    if (!moved) return wh_fail_memory(err);
    m->items = moved;
    m->cap = cap;
  }
  wh_str key = wh_arena_str(&m->keys, object->key);
  if (!key.data) return wh_fail_memory(err);
  m->items[m->count++] = (wh_marker){key, object->modified_us};
  return WH_OK;
}

wh_status wh_markers_list(wh_connection *c, const wh_pipeline *p, wh_mem *mem, wh_markers *ret,
                          wh_error *err) {
  *ret = (wh_markers){0};
  wh_arena_init(&ret->keys, mem);
  listing l = {p, ret};
  return c->type->store->list(c, wh_glob_prefix(p->complete.markers), collect, &l, err);
}

void wh_markers_free(wh_markers *m) {
  if (!m->keys.mem) return;
  wh_mem_free(m->keys.mem, m->items, m->cap * sizeof *m->items);
  wh_arena_free(&m->keys);
  *m = (wh_markers){0};
}

static int compare(const void *a, const void *b) {
  return wh_str_cmp(((const wh_marker *)a)->key, ((const wh_marker *)b)->key);
}

wh_status wh_markers_tell(const wh_markers *m, const wh_pipeline *p, const wh_object *object,
                          wh_arena *arena, bool *ret, wh_error *err) {
  wh_marker wanted = {.key = wh_complete_marker(&p->complete, object->key, arena)};
  if (!wanted.key.data) return wh_fail_memory(err);
  const wh_marker *found =
      m->count ? bsearch(&wanted, m->items, m->count, sizeof wanted, compare) : NULL;
  *ret = found && found->modified_us >= object->modified_us;
  return WH_OK;
}

// What the key holds; *ret_found is false where there is nothing.
static wh_status look(wh_connection *c, wh_str key, wh_arena *arena, bool *ret_found,
                      wh_object *ret, wh_error *err) {
  wh_error inner = {0};
  wh_status status = c->type->store->stat(c, key, arena, ret, &inner);
  *ret_found = status == WH_OK;
  if (status == WH_OK || status == WH_ERR_NOT_FOUND) return WH_OK;
  if (err) *err = inner;
  return status;
}

static wh_status look_for_marker(wh_connection *c, const wh_pipeline *p, wh_str key,
                                 wh_arena *arena, bool *ret_found, wh_object *ret, wh_error *err) {
  wh_str marker = wh_complete_marker(&p->complete, key, arena);
  if (!marker.data) return wh_fail_memory(err);
  *ret_found = false;
  if (wh_key_check(marker, NULL) != WH_OK) return WH_OK; // too long: nobody can put it there
  return look(c, marker, arena, ret_found, ret, err);
}

wh_status wh_marker_tells(wh_connection *c, const wh_pipeline *p, const wh_object *object,
                          wh_arena *arena, bool *ret, wh_error *err) {
  wh_object marker;
  WH_TRY(look_for_marker(c, p, object->key, arena, ret, &marker, err));
  *ret = *ret && marker.modified_us >= object->modified_us;
  return WH_OK;
}

wh_status wh_marker_withdraw(wh_connection *c, const wh_pipeline *p, wh_str key, wh_str version,
                             wh_arena *arena, wh_error *err) {
  wh_object marker, object;
  bool is_marked, is_there;
  // The marker first: one that comes with a newer version is then another one.
  WH_TRY(look_for_marker(c, p, key, arena, &is_marked, &marker, err));
  WH_TRY(look(c, key, arena, &is_there, &object, err));
  if (!is_marked || !is_there || !wh_str_eq(object.version, version)) return WH_OK;
  wh_error changed = {0};
  wh_status status = c->type->store->withdraw(c, marker.key, marker.version, (wh_str){0}, &changed);
  if (status == WH_OK || status == WH_ERR_CHANGED) return WH_OK;
  if (err) *err = changed;
  return status;
}
