// The folder of a site as it stands on this machine. What is sent is what was looked at: a file is
// opened, compared with what its name was seen to be, and its bytes with their hash.
#include "engine/site_private.h"

#include <stdlib.h>

enum { READ_BYTES = 256 * 1024 };

typedef struct found {
  wh_str path;
  wh_file_kind kind;
} found;

typedef struct walk {
  wh_os *os;
  const wh_site *site;
  wh_arena *arena;
  wh_str folder; // being listed, below the site's; empty: that itself
  found *items;  // files and folders; those before `at` that are folders are listed
  size_t count, cap, files;
  uint64_t hidden;
} walk;

static wh_status refuse(const walk *w, wh_str path, const char *why, wh_error *err) {
  return wh_fail(err, WH_ERR_REFUSED, "site %.*s: %.*s/%.*s: %s", WH_STR_ARG(w->site->name),
                 WH_STR_ARG(w->site->from), WH_STR_ARG(path), why);
}

static wh_status check_entry(const walk *w, wh_str path, const wh_dir_entry *entry, wh_error *err) {
  if (entry->kind == WH_FILE_LINK)
    return refuse(w, path,
                  "is a symbolic link, which could lead out of the folder. Put there what it "
                  "leads to",
                  err);
  if (entry->kind == WH_FILE_OTHER) return refuse(w, path, "is neither a file nor a folder", err);
  if (wh_str_is(entry->name, "_versions") || wh_str_is(entry->name, "_wherry"))
    return refuse(w, path, "has the name of a folder that Wherry publishes to. Choose another",
                  err);
  if (entry->kind == WH_FILE_REGULAR && w->files == WH_SITE_FILES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "site %.*s: %.*s has more than %d files",
                   WH_STR_ARG(w->site->name), WH_STR_ARG(w->site->from), (int)WH_SITE_FILES_MAX);
  return WH_OK;
}

static wh_status take_entry(void *context, const wh_dir_entry *entry, wh_error *err) {
  walk *w = context;
  if (entry->name.len && entry->name.data[0] == '.') {
    w->hidden++;
    return WH_OK;
  }
  wh_str path = wh_arena_printf(w->arena, "%.*s%s%.*s", WH_STR_ARG(w->folder),
                                w->folder.len ? "/" : "", WH_STR_ARG(entry->name));
  if (!path.data) return wh_fail_memory(err);
  WH_TRY(check_entry(w, path, entry, err));
  void *items = w->items;
  WH_TRY(wh_site_grow(w->arena, &items, w->count, &w->cap, sizeof *w->items, err));
  w->items = items;
  w->items[w->count++] = (found){path, entry->kind};
  w->files += entry->kind == WH_FILE_REGULAR;
  return WH_OK;
}

static wh_status list_folder(walk *w, wh_str folder, wh_error *err) {
  const char *path = w->site->from.data;
  w->folder = folder;
  if (folder.len) path = wh_path_join(w->arena, path, folder.data);
  if (!path) return wh_fail_memory(err);
  wh_status status = w->os->type->list(w->os, path, take_entry, w, err);
  if (status == WH_ERR_NOT_FOUND && !folder.len)
    status =
        wh_fail(err, status, "site %.*s: there is no folder %s", WH_STR_ARG(w->site->name), path);
  return status;
}

static int by_path(const void *a, const void *b) {
  return wh_str_cmp(((const wh_site_file *)a)->path, ((const wh_site_file *)b)->path);
}

// --- bytes ---------------------------------------------------------------------------------------

static wh_status changed(const wh_site *site, wh_str path, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_CHANGED,
                             "site %.*s: %.*s changed while it was read. Nothing was published",
                             WH_STR_ARG(site->name), WH_STR_ARG(path));
  if (err) err->retry = true;
  return status;
}

static wh_status pass(wh_file *file, char *chunk, wh_upload *to, char hex[WH_SHA256_HEX + 1],
                      wh_error *err) {
  wh_sha256 sha;
  uint64_t at = 0;
  size_t n = 0;
  WH_TRY(wh_sha256_init(&sha, err));
  wh_status status;
  do {
    status = file->type->read_some(file, at, chunk, READ_BYTES, &n, err);
    if (status == WH_OK && n) status = wh_sha256_add(&sha, chunk, n, err);
    if (status == WH_OK && n && to) status = wh_output_write(&to->output, chunk, n, err);
    at += n;
  } while (status == WH_OK && n);
  if (status == WH_OK) status = wh_sha256_finish_hex(&sha, hex, err);
  wh_sha256_free(&sha);
  return status;
}

static bool is_same(const wh_file_info *a, const wh_file_info *b) {
  return a->inode == b->inode && a->device == b->device && a->size == b->size &&
         a->kind == WH_FILE_REGULAR && b->kind == WH_FILE_REGULAR;
}

// All of the file that `info` is of, and no other that a link leads to by now.
static wh_status read_file(wh_engine *engine, const wh_site *site, wh_str path,
                           const wh_file_info *info, wh_upload *to, char hex[WH_SHA256_HEX + 1],
                           wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  const char *name = wh_path_join(&arena, site->from.data, path.data);
  char *chunk = wh_arena_alloc(&arena, READ_BYTES);
  if (!name || !chunk) return wh_fail_memory(err);
  wh_file *file;
  wh_file_info now;
  wh_status status = engine->os->type->open(engine->os, name, WH_OPEN_READ, &file, err);
  if (status == WH_ERR_NOT_FOUND) return changed(site, path, err);
  WH_TRY(status);
  status = file->type->stat(file, &now, err);
  if (status == WH_OK && !is_same(&now, info)) status = changed(site, path, err);
  if (status == WH_OK) status = pass(file, chunk, to, hex, err);
  wh_file_close(file);
  return status;
}

wh_status wh_site_source_send(wh_engine *engine, const wh_site_source *source, size_t i,
                              wh_upload *to, wh_error *err) {
  const wh_site_file *file = &source->files[i];
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(read_file(engine, source->site, file->path, &source->infos[i], to, hex, err));
  return wh_str_is(file->sha256, hex) ? WH_OK : changed(source->site, file->path, err);
}

// --- the whole -----------------------------------------------------------------------------------

// Its key has a ULID's length more than the path and the site's place.
static wh_status check_name(const walk *w, wh_str path, wh_error *err) {
  wh_str key;
  wh_error why = {0};
  wh_status status =
      wh_site_file_key(w->site, WH_STR("01jd3v00000000000000000000"), path, w->arena, &key, &why);
  if (status == WH_OK) status = wh_key_check(path, &why);
  if (status == WH_OK) status = wh_key_check(key, &why);
  if (status == WH_OK) return WH_OK;
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  why.status = WH_ERR_REFUSED;
  if (err) *err = why;
  wh_error_prefix(err, "site %.*s: %.*s: ", WH_STR_ARG(w->site->name), WH_STR_ARG(w->site->from));
  return WH_ERR_REFUSED;
}

static wh_status take_file(wh_engine *engine, const walk *w, wh_site_source *source, size_t i,
                           wh_error *err) {
  wh_site_file *file = &source->files[i];
  wh_file_info *info = &source->infos[i];
  char hex[WH_SHA256_HEX + 1];
  const char *name = wh_path_join(w->arena, w->site->from.data, file->path.data);
  if (!name) return wh_fail_memory(err);
  WH_TRY(engine->os->type->stat(engine->os, name, info, err));
  if (info->kind != WH_FILE_REGULAR) return changed(w->site, file->path, err);
  WH_TRY(read_file(engine, w->site, file->path, info, NULL, hex, err));
  file->bytes = info->size;
  file->type = wh_site_type(file->path);
  file->sha256 = wh_arena_str(w->arena, wh_str_of(hex));
  source->bytes += file->bytes;
  return file->sha256.data ? WH_OK : wh_fail_memory(err);
}

static wh_status read_all(wh_engine *engine, walk *w, wh_site_source *source, wh_error *err) {
  source->files = WH_NEW_ARRAY(w->arena, w->files + 1, wh_site_file);
  source->infos = WH_NEW_ARRAY(w->arena, w->files + 1, wh_file_info);
  if (!source->files || !source->infos) return wh_fail_memory(err);
  for (size_t i = 0; i < w->count; i++) {
    if (w->items[i].kind != WH_FILE_REGULAR) continue;
    WH_TRY(check_name(w, w->items[i].path, err));
    source->files[source->count++].path = w->items[i].path;
  }
  qsort(source->files, source->count, sizeof *source->files, by_path);
  wh_site_index index = {.files = source->files, .file_count = source->count};
  if (!wh_site_find(&index, WH_STR(WH_SITE_FRONT)))
    return wh_fail(err, WH_ERR_REFUSED,
                   "site %.*s: there is no %.*s/" WH_SITE_FRONT ", which is where people come in",
                   WH_STR_ARG(w->site->name), WH_STR_ARG(w->site->from));
  for (size_t i = 0; i < source->count; i++) {
    if (engine->stop && atomic_load(engine->stop)) return wh_fail(err, WH_ERR_CANCELLED, "stopped");
    WH_TRY(take_file(engine, w, source, i, err));
  }
  return WH_OK;
}

wh_status wh_site_source_read(wh_engine *engine, const wh_site *site, wh_arena *arena,
                              wh_site_source *ret, wh_error *err) {
  walk w = {.os = engine->os, .site = site, .arena = arena};
  WH_TRY(list_folder(&w, (wh_str){"", 0}, err));
  for (size_t i = 0; i < w.count; i++)
    if (w.items[i].kind == WH_FILE_FOLDER) WH_TRY(list_folder(&w, w.items[i].path, err));
  wh_site_source source = {.site = site, .hidden = w.hidden};
  WH_TRY(read_all(engine, &w, &source, err));
  *ret = source;
  return WH_OK;
}
