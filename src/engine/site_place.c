#include "connect/sealed_store.h"
#include "engine/input.h"
#include "engine/site_private.h"

#include "base/ulid.h"

// --- the store -----------------------------------------------------------------------------------

wh_status wh_site_open(wh_engine *engine, const wh_site *site, wh_connection **ret, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(engine->config, site->to.connection, &c, err));
  if (wh_sealed_is(c))
    return wh_fail(err, WH_ERR_REFUSED,
                   "site %.*s: %.*s encrypts what is written to it, and no browser could read it. "
                   "In a bucket say encryption: kms",
                   WH_STR_ARG(site->name), WH_STR_ARG(c->name));
  *ret = c;
  return WH_OK;
}

wh_status wh_site_file_key(const wh_site *site, wh_str folder, wh_str path, wh_arena *arena,
                           wh_str *ret, wh_error *err) {
  *ret = wh_arena_printf(arena, "%.*s" WH_SITE_VERSIONS "%.*s/%.*s", WH_STR_ARG(site->to.thing),
                         WH_STR_ARG(folder), WH_STR_ARG(path));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_site_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_str bytes,
                      wh_error *err) {
  wh_upload *upload;
  WH_TRY(c->type->store->put(c, key, options, &upload, err));
  wh_status status = wh_output_write(&upload->output, bytes.data, bytes.len, err);
  if (status == WH_OK) status = upload->seal(upload, err);
  upload->close(upload);
  return status;
}

// --- versions ------------------------------------------------------------------------------------

typedef struct listing {
  const wh_site *site;
  wh_arena *arena;
  uint64_t *versions;
  size_t count;
} listing;

static wh_status take_version(void *context, const wh_object *object, wh_error *err) {
  listing *l = context;
  uint64_t version = wh_site_key_version(l->site->to.thing, object->key);
  if (!version) return WH_OK; // of a site below this one, or somebody else's
  if (l->count == WH_SITE_VERSIONS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "site %.*s has more than %d versions",
                   WH_STR_ARG(l->site->name), (int)WH_SITE_VERSIONS_MAX);
  l->versions[l->count++] = version;
  return WH_OK;
}

wh_status wh_site_list(wh_connection *c, const wh_site *site, wh_arena *arena, uint64_t **ret,
                       size_t *ret_count, wh_error *err) {
  listing l = {.site = site, .arena = arena};
  wh_str folder = wh_arena_printf(arena, WH_SITE_INDEXES "%.*s", WH_STR_ARG(site->to.thing));
  l.versions = WH_NEW_ARRAY(arena, WH_SITE_VERSIONS_MAX, uint64_t);
  if (!folder.data || !l.versions) return wh_fail_memory(err);
  WH_TRY(c->type->store->list(c, folder, take_version, &l, err));
  *ret = l.versions;
  *ret_count = l.count;
  return WH_OK;
}

static wh_status read_index(wh_connection *c, const wh_site *site, uint64_t version,
                            wh_arena *arena, wh_site_index *ret, wh_error *err) {
  wh_str key = wh_site_key(site->to.thing, version, arena), text;
  if (!key.data) return wh_fail_memory(err);
  WH_TRY(wh_input_read_small(c, key, WH_SITE_INDEX_BYTES_MAX, arena, &text, err));
  wh_status status = wh_site_parse(text, arena, ret, err);
  if (status == WH_OK && ret->version != version)
    status = wh_fail(err, WH_ERR_DATA, "it says that it is version %llu",
                     (unsigned long long)ret->version);
  if (status != WH_OK) wh_error_prefix(err, "%.*s:%.*s: ", WH_STR_ARG(c->name), WH_STR_ARG(key));
  return status;
}

wh_status wh_site_versions(wh_engine *engine, const wh_site *site, wh_arena *arena, uint64_t **ret,
                           size_t *ret_count, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_site_open(engine, site, &c, err));
  return wh_site_list(c, site, arena, ret, ret_count, err);
}

wh_status wh_site_read(wh_engine *engine, const wh_site *site, uint64_t version, wh_arena *arena,
                       wh_site_index *ret, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_site_open(engine, site, &c, err));
  return read_index(c, site, version, arena, ret, err);
}

// --- what lies below the prefix ------------------------------------------------------------------

wh_status wh_site_grow(wh_arena *arena, void **items, size_t count, size_t *cap, size_t size,
                       wh_error *err) {
  if (count < *cap) return WH_OK;
  size_t more = *cap ? 2 * *cap : 16;
  void *grown = wh_arena_array(arena, more, size);
  if (!grown) return wh_fail_memory(err);
  if (count) memcpy(grown, *items, count * size);
  *items = grown;
  *cap = more;
  return WH_OK;
}

// Files of one folder come one after the other.
static wh_status take_folder(wh_site_place *p, wh_str rest, const wh_object *object,
                             wh_error *err) {
  size_t slash = wh_str_find(rest, 0, '/');
  wh_str name = wh_str_sub(rest, 0, slash);
  int64_t time_ms;
  if (slash == rest.len || !wh_ulid_time_ms(name, &time_ms)) return WH_OK; // not ours
  wh_site_folder *last = p->folder_count ? &p->folders[p->folder_count - 1] : NULL;
  if (!last || !wh_str_eq(last->name, name)) {
    void *items = p->folders;
    WH_TRY(
        wh_site_grow(p->arena, &items, p->folder_count, &p->folder_cap, sizeof *p->folders, err));
    p->folders = items;
    last = &p->folders[p->folder_count++];
    *last = (wh_site_folder){.name = wh_arena_str(p->arena, name)};
    if (!last->name.data) return wh_fail_memory(err);
  }
  if (object->modified_us > last->modified_us) last->modified_us = object->modified_us;
  return WH_OK;
}

static wh_status take_object(void *context, const wh_object *object, wh_error *err) {
  wh_site_place *p = context;
  wh_str path = wh_str_sub(object->key, p->site->to.thing.len, object->key.len);
  if (wh_str_starts(path, WH_SITE_VERSIONS))
    return take_folder(p, wh_str_sub(path, strlen(WH_SITE_VERSIONS), path.len), object, err);
  if (!wh_site_is_page(path)) return WH_OK;
  void *items = p->doors;
  WH_TRY(wh_site_grow(p->arena, &items, p->door_count, &p->door_cap, sizeof *p->doors, err));
  p->doors = items;
  wh_site_door *door = &p->doors[p->door_count++];
  *door = (wh_site_door){.path = wh_arena_str(p->arena, path), .bytes = object->size};
  return door->path.data ? WH_OK : wh_fail_memory(err);
}

wh_site_door *wh_site_door_at(const wh_site_place *p, wh_str path) {
  size_t low = 0, high = p->door_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = wh_str_cmp(p->doors[middle].path, path);
    if (order == 0) return &p->doors[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

// One that another publication removed meanwhile shows nothing.
static wh_status read_version(wh_site_place *p, size_t i, wh_arena *arena, wh_error *err) {
  wh_site_index index;
  wh_status status = read_index(p->c, p->site, p->versions[i], arena, &index, err);
  p->shows[i] = (wh_str){"", 0};
  if (status == WH_ERR_NOT_FOUND && i + 1 < p->version_count) return WH_OK;
  WH_TRY(status);
  p->shows[i] = wh_arena_str(p->arena, index.folder);
  for (size_t k = 0; k < index.file_count; k++) {
    wh_site_door *door = wh_site_door_at(p, index.files[k].path);
    if (door) door->is_known = true;
  }
  if (i + 1 == p->version_count) p->newest = index;
  return p->shows[i].data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_site_look(wh_engine *engine, const wh_site *site, wh_connection *c, wh_arena *arena,
                       wh_site_place *ret, wh_error *err) {
  wh_site_place p = {.engine = engine, .site = site, .c = c, .arena = arena};
  WH_CLEAN_ARENA wh_arena each;
  wh_arena_init(&each, engine->mem);
  WH_TRY(wh_site_list(c, site, arena, &p.versions, &p.version_count, err));
  WH_TRY(c->type->store->list(c, site->to.thing, take_object, &p, err));
  p.shows = WH_NEW_ARRAY(arena, p.version_count + 1, wh_str);
  if (!p.shows) return wh_fail_memory(err);
  for (size_t i = 0; i < p.version_count; i++) {
    wh_arena_reset(&each);
    WH_TRY(read_version(&p, i, i + 1 == p.version_count ? arena : &each, err));
  }
  *ret = p;
  return WH_OK;
}
