// Earlier versions. An object that is replaced or removed under `versioning` gets a second name
// under _wherry/versions/<key>/ first, and loses its own afterwards. When the work stops in
// between, the newest earlier version is the same file as the object: it is shown once, and taken
// up by the next change.
#include "connect/local/local.h"

#include <inttypes.h>

enum { TIME_DIGITS = 20, NS_PER_MS = 1000000, LOCK_PAUSE_MS = 5, COPY_BYTES = 256 * 1024 };

// --- names ---------------------------------------------------------------------------------------

typedef struct kept {
  int64_t time_ns;
  wh_str version; // as in the name
  bool deleted;   // a marker
} kept;

static bool parse_name(wh_str name, kept *ret) {
  if (name.len < TIME_DIGITS + 2 || name.data[TIME_DIGITS] != '~') return false;
  if (!wh_str_to_i64(wh_str_sub(name, 0, TIME_DIGITS), &ret->time_ns)) return false;
  ret->version = wh_str_sub(name, TIME_DIGITS + 1, name.len);
  ret->deleted = wh_str_is(ret->version, WH_LOCAL_DELETED);
  return true;
}

static wh_status kept_path(wh_connection *c, wh_arena *arena, wh_str key, int64_t time_ns,
                           const char *version, char **ret, wh_error *err) {
  char tail[TIME_DIGITS + WH_LOCAL_VERSION_SIZE + 4];
  snprintf(tail, sizeof tail, "/%0*" PRId64 "~%s", (int)TIME_DIGITS, time_ns, version);
  return wh_local_kept_path(c, arena, key, tail, ret, err);
}

// --- what there is -------------------------------------------------------------------------------

// What a change needs to know of a key's earlier versions, in one pass and constant memory.
typedef struct survey {
  wh_str version;       // looked for
  int64_t newest;       // of all; -1: none
  int64_t newest_other; // of those that are not `version`, and not markers
  int64_t match;        // the newest with `version`
} survey;

static wh_status survey_entry(void *context, const wh_dir_entry *entry, wh_error *err) {
  (void)err;
  survey *s = context;
  kept k;
  if (entry->kind != WH_FILE_REGULAR || !parse_name(entry->name, &k)) return WH_OK;
  if (k.time_ns > s->newest) s->newest = k.time_ns;
  if (k.deleted) return WH_OK;
  int64_t *at = wh_str_eq(k.version, s->version) ? &s->match : &s->newest_other;
  if (k.time_ns > *at) *at = k.time_ns;
  return WH_OK;
}

static wh_status take_survey(wh_connection *c, const char *folder, wh_str version, survey *ret,
                             wh_error *err) {
  survey s = {version, -1, -1, -1};
  wh_status status = wh_local_look_folder(c, folder, err);
  if (status == WH_OK) status = c->os->type->list(c->os, folder, survey_entry, &s, err);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  *ret = s;
  return WH_OK;
}

// Whether `version`, being the present one, was on its way to the earlier ones when work stopped.
// (Behind it there can only be markers. Otherwise somebody linked an old version back by hand.)
static bool is_unfinished(const survey *s) {
  return s->match >= 0 && s->match > s->newest_other;
}

// Names sort by time even when the clock was set back.
static int64_t time_after(wh_connection *c, const survey *s) {
  int64_t now = c->os->type->now_ns(c->os);
  return now > s->newest ? now : s->newest + 1;
}

// --- the lock ------------------------------------------------------------------------------------

static wh_status wait_for_lock(wh_connection *c, wh_file *file, wh_error *err) {
  wh_os *os = c->os;
  int64_t until = os->type->monotonic_ns(os) + (int64_t)WH_LOCAL_LOCK_WAIT_MS * NS_PER_MS;
  for (;;) {
    wh_status status = file->type->lock(file, err);
    if (status != WH_ERR_BUSY) return status;
    if (os->type->monotonic_ns(os) >= until) {
      status = wh_fail(err, WH_ERR_BUSY,
                       "somebody else has been changing versions for %d s; try again later",
                       WH_LOCAL_LOCK_WAIT_MS / 1000);
      if (err) err->retry = true;
      return status;
    }
    os->type->sleep_ns(os, (int64_t)LOCK_PAUSE_MS * NS_PER_MS);
  }
}

wh_status wh_local_lock(wh_connection *c, const char *key, wh_file **ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *path = NULL;
  WH_TRY(wh_local_path(c, &arena, wh_str_of(key), &path, err));
  WH_TRY(wh_local_make_folders(c, path, err));
  wh_file_info info;
  wh_status status = wh_local_look(c, path, &info, err);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  wh_file *file = NULL;
  WH_TRY(wh_os_open(c->os, path, WH_OPEN_WRITE | WH_OPEN_CREATE, &file, err));
  status = wait_for_lock(c, file, err);
  if (status != WH_OK)
    wh_file_close(file);
  else
    *ret = file;
  return status;
}

// --- keeping -------------------------------------------------------------------------------------

typedef struct marker_search {
  int64_t after;
  int64_t found; // -1: none
} marker_search;

static wh_status find_marker(void *context, const wh_dir_entry *entry, wh_error *err) {
  (void)err;
  marker_search *m = context;
  kept k;
  if (entry->kind != WH_FILE_REGULAR || !parse_name(entry->name, &k) || !k.deleted) return WH_OK;
  if (k.time_ns > m->after) m->found = k.time_ns;
  return WH_OK;
}

// A remove that stopped before the file was gone has left its marker behind.
static wh_status remove_markers_after(wh_connection *c, wh_arena *arena, wh_str key,
                                      const char *folder, int64_t after, wh_error *err) {
  for (;;) {
    marker_search m = {after, -1};
    WH_TRY(c->os->type->list(c->os, folder, find_marker, &m, err));
    if (m.found < 0) return WH_OK;
    char *path = NULL;
    WH_TRY(kept_path(c, arena, key, m.found, WH_LOCAL_DELETED, &path, err));
    WH_TRY(c->os->type->remove(c->os, path, err));
  }
}

wh_status wh_local_keep(wh_connection *c, wh_str key, const char *path, const wh_file_info *info,
                        wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char version[WH_LOCAL_VERSION_SIZE];
  wh_local_version(info, version);
  char *folder = NULL, *to = NULL;
  WH_TRY(wh_local_kept_path(c, &arena, key, "", &folder, err));
  survey s;
  WH_TRY(take_survey(c, folder, wh_str_of(version), &s, err));
  bool unfinished = is_unfinished(&s);
  int64_t time_ns = unfinished ? s.match : time_after(c, &s);
  WH_TRY(kept_path(c, &arena, key, time_ns, version, &to, err));
  if (unfinished) {
    WH_TRY(remove_markers_after(c, &arena, key, folder, time_ns, err));
  } else {
    WH_TRY(wh_local_make_folders(c, to, err));
    WH_TRY(c->os->type->link(c->os, path, to, err));
  }
  return wh_local_sync_folders(c, to, err);
}

wh_status wh_local_mark_deleted(wh_connection *c, wh_str key, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *folder = NULL, *path = NULL;
  WH_TRY(wh_local_kept_path(c, &arena, key, "", &folder, err));
  survey s;
  WH_TRY(take_survey(c, folder, WH_STR(""), &s, err));
  WH_TRY(kept_path(c, &arena, key, time_after(c, &s), WH_LOCAL_DELETED, &path, err));
  wh_file *marker = NULL;
  int flags = WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE;
  WH_TRY(wh_os_open(c->os, path, flags, &marker, err));
  wh_status status = marker->type->sync(marker, err);
  wh_file_close(marker);
  return status == WH_OK ? wh_local_sync_folders(c, path, err) : status;
}

// --- finding -------------------------------------------------------------------------------------

wh_status wh_local_find_version(wh_connection *c, wh_arena *arena, wh_str key, wh_str version,
                                char **ret, wh_error *err) {
  char *folder = NULL;
  WH_TRY(wh_local_kept_path(c, arena, key, "", &folder, err));
  survey s;
  WH_TRY(take_survey(c, folder, version, &s, err));
  if (s.match < 0) {
    *ret = NULL;
    return WH_OK;
  }
  char name[WH_LOCAL_VERSION_SIZE]; // what was found was made by kept_path, so it fits
  snprintf(name, sizeof name, "%.*s", WH_STR_ARG(version));
  return kept_path(c, arena, key, s.match, name, ret, err);
}

typedef struct version_list {
  wh_connection *c;
  wh_str key;
  wh_object_visit visit;
  void *context;
  bool visitor_failed;
  wh_arena names; // emptied after each
  size_t count;   // visited
  int64_t before; // later ones belong to a change that did not finish
} version_list;

static wh_status show(version_list *l, const wh_object *object, wh_error *err) {
  l->count++;
  wh_status status = l->visit(l->context, object, err);
  l->visitor_failed = status != WH_OK;
  return status;
}

static wh_status show_kept(version_list *l, const kept *k, wh_str name, const wh_file_info *info,
                           wh_error *err) {
  wh_object object = {
      .key = l->key,
      .version = k->deleted ? name : k->version,
      .size = info->size,
      .modified_us = (k->deleted ? k->time_ns : info->modified_ns) / 1000,
      .is_deleted = k->deleted,
      // The present one came first, if there is one. A file that vanished by other hands than ours
      // has no marker; then none is the latest.
      .is_latest = k->deleted && l->count == 0,
  };
  return show(l, &object, err);
}

static wh_status visit_kept(void *context, const wh_local_entry *entry, wh_error *err) {
  version_list *l = context;
  kept k;
  if (entry->is_folder || !parse_name(entry->name, &k) || k.time_ns >= l->before) return WH_OK;
  wh_arena_reset(&l->names);
  wh_str tail = wh_arena_printf(&l->names, "/%.*s", WH_STR_ARG(entry->name));
  if (!tail.data) return wh_fail_memory(err);
  char *path = NULL;
  WH_TRY(wh_local_kept_path(l->c, &l->names, l->key, tail.data, &path, err));
  wh_file_info info;
  wh_status status = wh_local_look(l->c, path, &info, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK; // removed meanwhile
  return status == WH_OK ? show_kept(l, &k, entry->name, &info, err) : status;
}

static wh_status list_versions(version_list *l, wh_arena *arena, wh_error *err) {
  char *path = NULL, *folder = NULL;
  WH_TRY(wh_local_path(l->c, arena, l->key, &path, err));
  WH_TRY(wh_local_kept_path(l->c, arena, l->key, "", &folder, err));
  wh_file_info info;
  wh_status present = wh_local_look(l->c, path, &info, err);
  if (present != WH_OK && present != WH_ERR_NOT_FOUND) return present;
  if (present == WH_OK) {
    wh_object object;
    WH_TRY(wh_local_object(arena, l->key, &info, &object, err));
    survey s;
    WH_TRY(take_survey(l->c, folder, object.version, &s, err));
    if (is_unfinished(&s)) l->before = s.match;
    WH_TRY(show(l, &object, err));
  }
  wh_local_walk walk = {.descending = true, .visit = visit_kept, .context = l};
  wh_status status = wh_local_look_folder(l->c, folder, err);
  if (status == WH_OK) status = wh_local_walk_folder(l->c, folder, &walk, err);
  if (l->visitor_failed || (status != WH_OK && status != WH_ERR_NOT_FOUND)) return status;
  if (l->count) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: there is no such object, nor was there",
                 WH_STR_ARG(l->key));
}

wh_status wh_local_versions(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                            wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  version_list l = {.c = c, .key = key, .visit = visit, .context = context, .before = INT64_MAX};
  wh_arena_init(&l.names, c->mem);
  wh_status status = list_versions(&l, &arena, err);
  wh_arena_free(&l.names);
  return l.visitor_failed ? status : wh_store_say(c, status, err);
}

// --- removing for good ---------------------------------------------------------------------------

enum { PURGED_AT_ONCE = 256 };

typedef struct purge {
  wh_connection *c;
  wh_arena *arena;
  const char *folder;
  int64_t before_us;
  const char *paths[PURGED_AT_ONCE]; // found in one pass
  size_t count;
  uint64_t versions;
} purge;

static wh_status find_old(void *context, const wh_dir_entry *entry, wh_error *err) {
  purge *p = context;
  kept k;
  if (entry->kind != WH_FILE_REGULAR || !parse_name(entry->name, &k)) return WH_OK;
  if (p->count == PURGED_AT_ONCE) return WH_OK;
  const char *path = wh_arena_printf(p->arena, "%s/%.*s", p->folder, WH_STR_ARG(entry->name)).data;
  if (!path) return wh_fail_memory(err);
  wh_file_info info;
  WH_TRY(p->c->os->type->stat(p->c->os, path, &info, err));
  if ((k.deleted ? k.time_ns : info.modified_ns) / 1000 >= p->before_us) return WH_OK;
  p->paths[p->count++] = path;
  p->versions += !k.deleted;
  return WH_OK;
}

static wh_status purge_folder(purge *p, wh_error *err) {
  wh_os *os = p->c->os;
  do {
    wh_arena_reset(p->arena);
    p->count = 0;
    WH_TRY(os->type->list(os, p->folder, find_old, p, err));
    for (size_t i = 0; i < p->count; i++)
      WH_TRY(os->type->remove(os, p->paths[i], err));
  } while (p->count == PURGED_AT_ONCE);
  return os->type->sync_dir(os, p->folder, err);
}

static wh_status purge_key(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                           wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena, names;
  wh_arena_init(&arena, c->mem);
  wh_arena_init(&names, c->mem);
  char *folder = NULL;
  WH_TRY(wh_local_kept_path(c, &arena, key, "", &folder, err));
  wh_error none = {0};
  wh_status status = wh_local_look_folder(c, folder, &none);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK && err) *err = none;
  WH_TRY(status);
  wh_file *lock = NULL;
  WH_TRY(wh_local_lock(c, WH_LOCAL_LOCK, &lock, err));
  purge p = {.c = c, .arena = &names, .folder = folder, .before_us = before_us};
  status = purge_folder(&p, err);
  wh_file_close(lock);
  *ret_count += p.versions;
  return status;
}

wh_status wh_local_purge(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                         wh_error *err) {
  return wh_store_say(c, purge_key(c, key, before_us, ret_count, err), err);
}

// --- restoring -----------------------------------------------------------------------------------

static wh_status copy_all(wh_connection *c, wh_input *in, wh_upload *out, wh_error *err) {
  char *buffer = wh_mem_alloc(c->mem, COPY_BYTES);
  if (!buffer) return wh_fail_memory(err);
  wh_status status;
  for (;;) {
    size_t got = 0;
    status = in->read(in, buffer, COPY_BYTES, &got, err);
    if (status != WH_OK || got == 0) break;
    status = out->output.write(&out->output, buffer, got, err);
    if (status == WH_OK && c->cancel && atomic_load(c->cancel)) {
      status = wh_fail(err, WH_ERR_CANCELLED, "the copy was stopped");
    }
    if (status != WH_OK) break;
  }
  wh_mem_free(c->mem, buffer, COPY_BYTES);
  return status == WH_OK ? out->seal(out, err) : status;
}

// The bytes are copied rather than linked, so that a change in place by somebody else to the object
// leaves the earlier version alone.
static wh_status copy_version(wh_connection *c, wh_str key, wh_str version, wh_str attempt,
                              wh_error *err) {
  WH_TRY(wh_local_discard(c, attempt, err)); // what a crash may have left of another one
  wh_input *in = NULL;
  WH_TRY(wh_local_open(c, key, version, &in, err));
  wh_upload *out = NULL;
  wh_status status = wh_local_create(c, attempt, &out, err);
  if (status == WH_OK) status = copy_all(c, in, out, err);
  if (out) out->close(out);
  wh_input_close(in);
  return status;
}

static wh_status check_version(wh_connection *c, wh_arena *arena, wh_str key, wh_str version,
                               wh_error *err) {
  char *kept_file = NULL;
  WH_TRY(wh_local_find_version(c, arena, key, version, &kept_file, err));
  if (kept_file) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "%.*s: has no earlier version '%.*s'. See what it has: wherry versions %.*s:%.*s",
                 WH_STR_ARG(key), WH_STR_ARG(version), WH_STR_ARG(c->name), WH_STR_ARG(key));
}

// One restore at a time, so that the attempt has a name that the next one finds.
static wh_status copy_back(wh_connection *c, wh_str key, wh_str version, wh_file_info *ret,
                           wh_error *err) {
  const wh_str attempt = WH_STR_INIT("restore");
  wh_file *lock = NULL;
  WH_TRY(wh_local_lock(c, WH_LOCAL_RESTORE_LOCK, &lock, err));
  wh_status status = copy_version(c, key, version, attempt, err);
  // Kept whatever `versioning` says now: a restore loses nothing.
  if (status == WH_OK) status = wh_local_replace(c, attempt, key, true, ret, err);
  if (status != WH_OK) WH_IGNORE(wh_local_discard(c, attempt, NULL));
  wh_file_close(lock);
  return status;
}

static wh_status restore(wh_connection *c, wh_arena *arena, wh_str key, wh_str version,
                         wh_file_info *ret, wh_error *err) {
  char *path = NULL;
  WH_TRY(wh_local_writable_path(c, arena, key, &path, err));
  char present[WH_LOCAL_VERSION_SIZE];
  wh_file_info info;
  wh_status status = wh_local_look(c, path, &info, err);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  if (status == WH_OK) {
    wh_local_version(&info, present);
    if (wh_str_is(version, present)) { // it is the present one
      *ret = info;
      return WH_OK;
    }
  }
  WH_TRY(check_version(c, arena, key, version, err));
  return copy_back(c, key, version, ret, err);
}

wh_status wh_local_restore(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                           wh_object *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, c->mem);
  wh_file_info info;
  wh_status status = restore(c, &scratch, key, version, &info, err);
  if (status == WH_OK) status = wh_local_object(arena, key, &info, ret, err);
  return wh_store_say(c, status, err);
}
