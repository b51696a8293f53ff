// The parts of a site's publication. Internal to engine/.
#pragma once

#include "base/crypto.h"
#include "engine/site.h"

#define WH_SITE_FRONT "index.html"

// Room for one more of `count` items of `size` bytes, in the arena. WH_OK: *items has it.
wh_status wh_site_grow(wh_arena *arena, void **items, size_t count, size_t *cap, size_t size,
                       wh_error *err);

// --- site_door.c: what stands where people come in -----------------------------------------------

// A page, which gets a door of its own: "a/orders.html".
bool wh_site_is_page(wh_str path);
// Its Content-Type, by its ending.
wh_str wh_site_type(wh_str path);
// The door that leads to the version: the front page, or the one that another door names.
wh_status wh_site_front_door(const wh_site *site, const wh_site_index *index, wh_buf *out,
                             wh_error *err);
// The door of a page, the same for all versions: it leads to the front door, and names the page.
wh_status wh_site_page_door(const wh_site *site, wh_str path, wh_buf *out, wh_error *err);

// --- site_source.c: the folder that is published -------------------------------------------------

typedef struct wh_site_source {
  const wh_site *site;
  wh_site_file *files; // in the byte order of their paths
  wh_file_info *infos; // of each, as it was when its hash was taken
  size_t count;
  uint64_t bytes, hidden;
} wh_site_source;

// Every file, with its hash. Refuses symbolic links, names that no key can have, and a folder
// without a front page.
wh_status wh_site_source_read(wh_engine *engine, const wh_site *site, wh_arena *arena,
                              wh_site_source *ret, wh_error *err);
// The bytes of one into `to`. WH_ERR_CHANGED: they are not those whose hash was taken.
wh_status wh_site_source_send(wh_engine *engine, const wh_site_source *source, size_t i,
                              wh_upload *to, wh_error *err);

// --- site_lanes.c --------------------------------------------------------------------------------

// Calls `work` for 0 .. count-1, from WH_SITE_LANES threads at once. The first failure ends it, and
// so does the engine's `stop` (WH_ERR_CANCELLED).
typedef wh_status (*wh_site_work)(void *context, size_t i, wh_error *err);
wh_status wh_site_each(wh_engine *engine, size_t count, wh_site_work work, void *context,
                       wh_error *err);

// --- site_place.c: what is there -----------------------------------------------------------------

typedef struct wh_site_door {
  wh_str path; // below the prefix
  uint64_t bytes;
  bool is_known; // a version has such a page: Wherry put it there
} wh_site_door;

typedef struct wh_site_folder {
  wh_str name;
  int64_t modified_us; // of its newest file, by the store's clock
} wh_site_folder;

typedef struct wh_site_place {
  wh_engine *engine;
  const wh_site *site;
  wh_connection *c;
  wh_arena *arena;
  uint64_t *versions; // lowest first
  wh_str *shows;      // the folder of each
  size_t version_count;
  wh_site_index newest; // version 0: none
  wh_site_door *doors;  // pages that are there, in the byte order of their paths
  size_t door_count, door_cap;
  wh_site_folder *folders; // below _versions/, whether or not an index names them
  size_t folder_count, folder_cap;
} wh_site_place;

wh_status wh_site_open(wh_engine *engine, const wh_site *site, wh_connection **ret, wh_error *err);
wh_status wh_site_list(wh_connection *c, const wh_site *site, wh_arena *arena, uint64_t **ret,
                       size_t *ret_count, wh_error *err);
wh_status wh_site_look(wh_engine *engine, const wh_site *site, wh_connection *c, wh_arena *arena,
                       wh_site_place *ret, wh_error *err);
wh_site_door *wh_site_door_at(const wh_site_place *place, wh_str path); // NULL: none
// "PREFIX_versions/FOLDER/PATH".
wh_status wh_site_file_key(const wh_site *site, wh_str folder, wh_str path, wh_arena *arena,
                           wh_str *ret, wh_error *err);
wh_status wh_site_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_str bytes,
                      wh_error *err);

// --- site_show.c ---------------------------------------------------------------------------------

// Makes the doors lead to the newest version, and removes what is older than `keep` versions.
// `all_doors`: puts those of pages anew, too. What is shown is in *place afterwards.
wh_status wh_site_show(wh_engine *engine, const wh_site *site, wh_connection *c, bool all_doors,
                       wh_arena *arena, wh_site_place *ret, uint64_t *ret_removed, wh_error *err);
