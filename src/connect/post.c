#include "connect/post.h"

static wh_status grow(wh_posts *posts, wh_arena *arena, wh_error *err) {
  enum { FIRST = 64 };
  size_t cap = posts->cap ? 2 * posts->cap : FIRST;
  wh_post *moved = WH_NEW_ARRAY(arena, cap, wh_post);
  if (!moved) return wh_fail_memory(err);
  if (posts->count) memcpy(moved, posts->items, posts->count * sizeof *moved);
  posts->items = moved;
  posts->cap = cap;
  return WH_OK;
}

wh_status wh_posts_add(wh_posts *posts, wh_str receipt, size_t first, wh_str group, wh_str lines,
                       wh_arena *arena, wh_error *err) {
  wh_str line;
  for (size_t i = first; wh_str_split(&lines, '\n', &line);) {
    if (!line.len) continue; // behind the last one
    if (posts->count == posts->cap) WH_TRY(grow(posts, arena, err));
    wh_str id = wh_arena_printf(arena, "%.*s-%zu", WH_STR_ARG(receipt), i++);
    if (!id.data) return wh_fail_memory(err);
    posts->items[posts->count++] = (wh_post){.id = id, .group = group, .body = line};
  }
  return WH_OK;
}
