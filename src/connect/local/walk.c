// The names of one folder in order, in bounded memory: the system gives them in none, so a window
// of the first ones is collected and sorted, and for what did not fit the folder is read again.
#include "connect/local/local.h"

typedef struct window {
  const wh_local_walk *walk;
  wh_mem *mem;
  wh_arena names[2]; // one in use; the survivors of a full window are copied to the other
  int used;
  wh_local_entry *entries;
  size_t count;
  size_t cap;
  bool has_floor; // only what comes behind `floor` is wanted
  wh_local_entry floor;
  char floor_name[WH_LOCAL_NAME_MAX + 1];
  bool cut; // some did not fit: only what comes before the last entry of the full window was
} window;   // collected since

static int compare(const wh_local_entry *a, const wh_local_entry *b) {
  return wh_key_name_cmp(a->name, a->is_folder, b->name, b->is_folder);
}

static int compare_up(const void *a, const void *b) {
  return compare(a, b);
}

static int compare_down(const void *a, const void *b) {
  return compare(b, a);
}

static void sort(window *w) {
  if (w->count == 0) return;
  qsort(w->entries, w->count, sizeof *w->entries, w->walk->descending ? compare_down : compare_up);
}

static bool is_before(const window *w, const wh_local_entry *a, const wh_local_entry *b) {
  return w->walk->descending ? compare(a, b) > 0 : compare(a, b) < 0;
}

// Keeps the first half of a full window.
static wh_status halve(window *w, wh_error *err) {
  sort(w);
  wh_arena *old = &w->names[w->used], *new = &w->names[1 - w->used];
  for (size_t i = 0; i < WH_LOCAL_WALK_NAMES; i++) {
    w->entries[i].name = wh_arena_str(new, w->entries[i].name);
    if (!w->entries[i].name.data) return wh_fail_memory(err);
  }
  w->count = WH_LOCAL_WALK_NAMES;
  w->cut = true;
  w->used = 1 - w->used;
  wh_arena_reset(old);
  return WH_OK;
}

static wh_status grow(window *w, wh_error *err) {
  enum { FIRST = 64, FULL = 2 * WH_LOCAL_WALK_NAMES };
  if (w->count < w->cap) return WH_OK;
  if (w->cap == FULL) return halve(w, err);
  size_t cap = w->cap ? 2 * w->cap : FIRST;
  size_t size = sizeof *w->entries;
  wh_local_entry *moved = wh_mem_realloc(w->mem, w->entries, w->cap * size, cap * size);
  if (!moved) return wh_fail_memory(err);
  w->entries = moved;
  w->cap = cap;
  return WH_OK;
}

static wh_status collect(void *context, const wh_dir_entry *found, wh_error *err) {
  window *w = context;
  if (found->kind != WH_FILE_REGULAR && found->kind != WH_FILE_FOLDER) return WH_OK;
  wh_local_entry entry = {.name = found->name, .is_folder = found->kind == WH_FILE_FOLDER};
  if (!wh_local_is_name(entry.name) || entry.name.len > WH_LOCAL_NAME_MAX) return WH_OK;
  if (w->walk->accept && !w->walk->accept(w->walk->context, &entry)) return WH_OK;
  if (w->has_floor && !is_before(w, &w->floor, &entry)) return WH_OK;
  // After a cut, the last of the first half (sorted then) is the furthest that may still come in.
  if (w->cut && !is_before(w, &entry, &w->entries[WH_LOCAL_WALK_NAMES - 1])) return WH_OK;
  WH_TRY(grow(w, err));
  entry.name = wh_arena_str(&w->names[w->used], entry.name);
  if (!entry.name.data) return wh_fail_memory(err);
  w->entries[w->count++] = entry;
  return WH_OK;
}

static wh_status visit_window(window *w, wh_error *err) {
  sort(w);
  if (w->cut) w->count = WH_LOCAL_WALK_NAMES;
  for (size_t i = 0; i < w->count; i++)
    WH_TRY(w->walk->visit(w->walk->context, &w->entries[i], err));
  return WH_OK;
}

// The next window begins behind the last entry of this one.
static void move_floor(window *w) {
  wh_local_entry last = w->entries[w->count - 1];
  memcpy(w->floor_name, last.name.data, last.name.len);
  w->floor = (wh_local_entry){wh_str_n(w->floor_name, last.name.len), last.is_folder};
  w->has_floor = true;
  w->count = 0;
  w->cut = false;
  wh_arena_reset(&w->names[0]);
  wh_arena_reset(&w->names[1]);
}

wh_status wh_local_walk_folder(wh_connection *c, const char *path, const wh_local_walk *walk,
                               wh_error *err) {
  window w = {.walk = walk, .mem = c->mem};
  wh_arena_init(&w.names[0], c->mem);
  wh_arena_init(&w.names[1], c->mem);
  wh_status status;
  for (;;) {
    status = c->os->type->list(c->os, path, collect, &w, err);
    if (status == WH_ERR_NOT_FOUND) status = WH_OK; // gone, or never there
    if (status == WH_OK) status = visit_window(&w, err);
    if (status != WH_OK || !w.cut) break;
    move_floor(&w);
  }
  wh_arena_free(&w.names[0]);
  wh_arena_free(&w.names[1]);
  wh_mem_free(c->mem, w.entries, w.cap * sizeof *w.entries);
  return status;
}
