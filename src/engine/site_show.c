// What comes behind the index of a new version. All of it follows from what is there, so that it
// can be done again, by whoever comes next.
//
// A rollback brings the folder of an earlier version back while another call may be removing it.
// The other removes the version's index, then looks whether there are newer versions, then removes
// the files; the rollback puts its own index, then looks whether that of the earlier version is
// still there. One of both sees the other (engine/site.c).
#include "engine/input.h"
#include "engine/site_private.h"

enum { DOOR_BYTES_MAX = 64 * 1024 };

static const int64_t HOUR_US = INT64_C(3600) * 1000000;

// Readers ask whether it is still the same each time; what it leads to never changes.
static wh_status put_door(const wh_site_place *p, wh_str path, wh_str bytes, wh_error *err) {
  static const wh_attributes attributes = {.content_type = WH_STR_INIT("text/html; charset=utf-8"),
                                           .cache_control = WH_STR_INIT("no-cache")};
  const wh_put_options options = {.attributes = &attributes, .replace = true};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, p->engine->mem);
  wh_str key = wh_arena_printf(&arena, "%.*s%.*s", WH_STR_ARG(p->site->to.thing), WH_STR_ARG(path));
  return key.data ? wh_site_put(p->c, key, &options, bytes, err) : wh_fail_memory(err);
}

// --- doors ---------------------------------------------------------------------------------------

typedef struct opening {
  const wh_site_place *place;
  bool all;
} opening;

static wh_status open_page(void *context, size_t i, wh_error *err) {
  const opening *o = context;
  const wh_site_place *p = o->place;
  wh_str path = p->newest.files[i].path;
  if (!wh_site_is_page(path) || wh_str_is(path, WH_SITE_FRONT)) return WH_OK;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, p->engine->mem, 0);
  WH_TRY(wh_site_page_door(p->site, path, &text, err));
  const wh_site_door *there = wh_site_door_at(p, path);
  if (there && there->bytes == text.len && !o->all) return WH_OK;
  return put_door(p, path, wh_buf_str(&text), err);
}

// The switch.
static wh_status open_front(const wh_site_place *p, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&arena, p->engine->mem);
  wh_buf_init(&text, p->engine->mem, 0);
  WH_TRY(wh_site_front_door(p->site, &p->newest, &text, err));
  wh_str key = wh_arena_printf(&arena, "%.*s" WH_SITE_FRONT, WH_STR_ARG(p->site->to.thing)), there;
  if (!key.data) return wh_fail_memory(err);
  wh_status status = wh_input_read_small(p->c, key, DOOR_BYTES_MAX, &arena, &there, err);
  if (status == WH_OK && wh_str_eq(there, wh_buf_str(&text))) return WH_OK;
  if (status != WH_ERR_NOT_FOUND && status != WH_ERR_LIMIT) WH_TRY(status);
  return put_door(p, WH_STR(WH_SITE_FRONT), wh_buf_str(&text), err);
}

static wh_status remove_key(const wh_site_place *p, wh_str key, wh_error *err) {
  return p->c->type->store->remove(p->c, key, err);
}

static wh_status close_page(void *context, size_t i, wh_error *err) {
  const wh_site_place *p = context;
  const wh_site_door *door = &p->doors[i];
  if (!door->is_known || wh_site_find(&p->newest, door->path)) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, p->engine->mem);
  wh_str key =
      wh_arena_printf(&arena, "%.*s%.*s", WH_STR_ARG(p->site->to.thing), WH_STR_ARG(door->path));
  return key.data ? remove_key(p, key, err) : wh_fail_memory(err);
}

// --- earlier versions ----------------------------------------------------------------------------

typedef struct keys {
  wh_site_place *place;
  wh_arena *arena;
  wh_str *items;
  size_t count, cap;
} keys;

static wh_status take_key(void *context, const wh_object *object, wh_error *err) {
  keys *k = context;
  void *items = k->items;
  WH_TRY(wh_site_grow(k->arena, &items, k->count, &k->cap, sizeof *k->items, err));
  k->items = items;
  k->items[k->count] = wh_arena_str(k->arena, object->key);
  return k->items[k->count++].data ? WH_OK : wh_fail_memory(err);
}

static wh_status remove_one(void *context, size_t i, wh_error *err) {
  const keys *k = context;
  return remove_key(k->place, k->items[i], err);
}

static wh_status remove_folder(wh_site_place *p, wh_str name, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, p->engine->mem);
  keys k = {.place = p, .arena = &arena};
  wh_str prefix;
  WH_TRY(wh_site_file_key(p->site, name, (wh_str){"", 0}, &arena, &prefix, err));
  WH_TRY(p->c->type->store->list(p->c, prefix, take_key, &k, err));
  return wh_site_each(p->engine, k.count, remove_one, &k, err);
}

// Whether one of the versions from `begin` to `end` shows the folder.
static bool shows(const wh_site_place *p, size_t begin, size_t end, wh_str folder) {
  for (size_t i = begin; i < end; i++)
    if (wh_str_eq(p->shows[i], folder)) return true;
  return false;
}

static wh_status is_newest(const wh_site_place *p, bool *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, p->engine->mem);
  uint64_t *versions;
  size_t count;
  WH_TRY(wh_site_list(p->c, p->site, &arena, &versions, &count, err));
  *ret = count && versions[count - 1] == p->newest.version;
  return WH_OK;
}

// Folders that no index names are those of publications that were killed, or are under way.
static wh_status tidy(wh_site_place *p, uint64_t *ret_removed, wh_error *err) {
  size_t keep = (size_t)p->site->keep;
  size_t gone = p->version_count > keep ? p->version_count - keep : 0;
  for (size_t i = 0; i < gone; i++) {
    wh_str key = wh_site_key(p->site->to.thing, p->versions[i], p->arena);
    if (!key.data) return wh_fail_memory(err);
    WH_TRY(remove_key(p, key, err));
  }
  *ret_removed = gone;
  bool newest;
  WH_TRY(is_newest(p, &newest, err));
  int64_t old_us = wh_now_us(p->engine->os) - WH_SITE_ABANDONED_HOURS * HOUR_US;
  for (size_t i = 0; newest && i < p->folder_count; i++) {
    const wh_site_folder *f = &p->folders[i];
    if (shows(p, gone, p->version_count, f->name)) continue;
    if (!shows(p, 0, gone, f->name) && f->modified_us > old_us) continue;
    WH_TRY(remove_folder(p, f->name, err));
  }
  return WH_OK;
}

// --- the whole -----------------------------------------------------------------------------------

wh_status wh_site_show(wh_engine *engine, const wh_site *site, wh_connection *c, bool all_doors,
                       wh_arena *arena, wh_site_place *ret, uint64_t *ret_removed, wh_error *err) {
  wh_site_place p;
  bool newest = false;
  for (int tries = 0; !newest; tries++) {
    if (tries == WH_SITE_TRIES_MAX)
      return wh_fail(err, WH_ERR_BUSY, "site %.*s: others publish it all the time",
                     WH_STR_ARG(site->name));
    WH_TRY(wh_site_look(engine, site, c, arena, &p, err));
    opening o = {.place = &p, .all = all_doors};
    WH_TRY(wh_site_each(engine, p.newest.file_count, open_page, &o, err));
    WH_TRY(open_front(&p, err));
    WH_TRY(wh_site_each(engine, p.door_count, close_page, &p, err));
    // Whoever published meanwhile may have met a door that is closed now: it is opened again.
    WH_TRY(is_newest(&p, &newest, err));
  }
  WH_TRY(wh_store_sweep_puts(c, err));
  WH_TRY(tidy(&p, ret_removed, err));
  *ret = p;
  return WH_OK;
}
