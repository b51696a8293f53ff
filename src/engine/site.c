#include "engine/site_private.h"

#include "base/ulid.h"

#include <pthread.h>

static const int64_t HOUR_US = INT64_C(3600) * 1000000;
enum {
  SMALL_SHARE = 4, // of `memory` that all lanes may hold; larger files go one at a time
  PROGRESS_US = 100000,
};

const char *wh_site_change_name(wh_site_change change) {
  static const char *const names[] = {
      [WH_SITE_ADDED] = "added", [WH_SITE_CHANGED] = "changed", [WH_SITE_GONE] = "gone"};
  return names[change];
}

// --- beside the version before -------------------------------------------------------------------

static bool is_same(const wh_site_file *a, const wh_site_file *b) {
  return a && b && a->bytes == b->bytes && wh_str_eq(a->sha256, b->sha256) &&
         wh_str_eq(a->type, b->type);
}

static void tell(const wh_site_request *r, wh_site_change change, const wh_site_file *file,
                 uint64_t *count) {
  (*count)++;
  if (r->tell) r->tell(r->context, change, file);
}

static void compare(const wh_site_request *r, const wh_site_source *source,
                    const wh_site_index *before, wh_site_done *done) {
  wh_site_index now = {.files = source->files, .file_count = source->count};
  for (size_t i = 0; i < source->count; i++) {
    const wh_site_file *file = &source->files[i], *old = wh_site_find(before, file->path);
    if (!old)
      tell(r, WH_SITE_ADDED, file, &done->added);
    else if (!is_same(file, old))
      tell(r, WH_SITE_CHANGED, file, &done->changed);
  }
  for (size_t i = 0; i < before->file_count; i++)
    if (!wh_site_find(&now, before->files[i].path))
      tell(r, WH_SITE_GONE, &before->files[i], &done->gone);
}

// Where nothing was published yet, pages may stand that somebody else put there.
static wh_status check_doors(const wh_site_place *p, const wh_site_source *source, wh_error *err) {
  for (size_t i = 0; i < source->count; i++) {
    const wh_site_door *door = wh_site_door_at(p, source->files[i].path);
    if (!door || door->is_known) continue;
    return wh_fail(err, WH_ERR_EXISTS,
                   "site %.*s: %.*s:%.*s%.*s is there, and Wherry did not put it there. To have "
                   "it replaced: --replace",
                   WH_STR_ARG(p->site->name), WH_STR_ARG(p->c->name), WH_STR_ARG(p->site->to.thing),
                   WH_STR_ARG(door->path));
  }
  return WH_OK;
}

// --- files ---------------------------------------------------------------------------------------

typedef struct sending {
  wh_engine *engine;
  const wh_site_source *source;
  const wh_site_place *place;
  wh_str folder;
  uint64_t small_bytes;
  pthread_mutex_t large; // held while a large file is sent
  pthread_mutex_t mutex; // of what follows
  uint64_t files, bytes; // there
  uint64_t sent, sent_bytes;
  int64_t told_us;
} sending;

static void count(sending *s, uint64_t bytes, bool was_sent) {
  const wh_watcher *watcher = &s->engine->watcher;
  pthread_mutex_lock(&s->mutex);
  s->files++;
  s->bytes += bytes;
  s->sent += was_sent;
  s->sent_bytes += was_sent ? bytes : 0;
  int64_t now_us = s->engine->os->type->monotonic_ns(s->engine->os) / 1000;
  if (watcher->progress && now_us - s->told_us >= PROGRESS_US) {
    s->told_us = now_us;
    wh_progress p = {.pipeline = s->source->site->name,
                     .noun = "files",
                     .rows = s->files,
                     .rows_total = s->source->count,
                     .bytes = s->bytes,
                     .bytes_total = s->source->bytes};
    watcher->progress(watcher->context, &p);
  }
  pthread_mutex_unlock(&s->mutex);
}

static wh_status upload(sending *s, size_t i, wh_str key, wh_error *err) {
  const wh_site_file *file = &s->source->files[i];
  wh_connection *c = s->place->c;
  const wh_attributes attributes = {.content_type = file->type,
                                    .cache_control = WH_STR("max-age=31536000, immutable")};
  const wh_put_options options = {.attributes = &attributes, .replace = true};
  wh_upload *to;
  WH_TRY(c->type->store->put(c, key, &options, &to, err));
  wh_status status = wh_site_source_send(s->engine, s->source, i, to, err);
  if (status == WH_OK) status = to->seal(to, err);
  to->close(to);
  return status;
}

// By the store itself, where it can and has it.
static wh_status copy(sending *s, const wh_site_file *file, wh_str key, wh_arena *arena,
                      bool *ret_copied, wh_error *err) {
  const wh_site_index *before = &s->place->newest;
  wh_connection *c = s->place->c;
  *ret_copied = false;
  if (!c->type->store->copy || !is_same(file, wh_site_find(before, file->path))) return WH_OK;
  wh_str old;
  WH_TRY(wh_site_file_key(s->source->site, before->folder, file->path, arena, &old, err));
  wh_status status = c->type->store->copy(c, old, key, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK; // went meanwhile
  *ret_copied = status == WH_OK;
  return status;
}

static wh_status send_file(void *context, size_t i, wh_error *err) {
  sending *s = context;
  const wh_site_file *file = &s->source->files[i];
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->engine->mem);
  wh_str key;
  bool copied;
  WH_TRY(wh_site_file_key(s->source->site, s->folder, file->path, &arena, &key, err));
  WH_TRY(copy(s, file, key, &arena, &copied, err));
  if (!copied) {
    bool is_large = file->bytes > s->small_bytes;
    if (is_large) pthread_mutex_lock(&s->large);
    wh_status status = upload(s, i, key, err);
    if (is_large) pthread_mutex_unlock(&s->large);
    WH_TRY(status);
  }
  count(s, file->bytes, !copied);
  return WH_OK;
}

static wh_status send_all(wh_engine *engine, const wh_site_source *source,
                          const wh_site_place *place, wh_str folder, wh_site_done *done,
                          wh_error *err) {
  sending s = {.engine = engine,
               .source = source,
               .place = place,
               .folder = folder,
               .small_bytes = wh_engine_memory_limit(engine->config) / SMALL_SHARE / WH_SITE_LANES,
               .large = PTHREAD_MUTEX_INITIALIZER,
               .mutex = PTHREAD_MUTEX_INITIALIZER};
  WH_TRY(wh_site_each(engine, source->count, send_file, &s, err));
  done->sent = s.sent;
  done->sent_bytes = s.sent_bytes;
  return WH_OK;
}

// --- a version -----------------------------------------------------------------------------------

// WH_ERR_EXISTS: somebody else was first.
static wh_status put_index(wh_connection *c, const wh_site *site, const wh_site_index *index,
                           wh_error *err) {
  static const wh_attributes attributes = {.content_type = WH_STR_INIT("application/json")};
  const wh_put_options options = {.attributes = &attributes};
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&arena, c->mem);
  wh_buf_init(&text, c->mem, 0);
  (void)wh_site_write(index, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_str key = wh_site_key(site->to.thing, index->version, &arena);
  if (!key.data) return wh_fail_memory(err);
  if (text.len > WH_SITE_INDEX_BYTES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "site %.*s: the list of its files is longer than %d MiB",
                   WH_STR_ARG(site->name), WH_SITE_INDEX_BYTES_MAX >> 20);
  return wh_site_put(c, key, &options, wh_buf_str(&text), err);
}

typedef struct publication {
  wh_engine *engine;
  const wh_site_request *request;
  wh_connection *c;
  wh_arena *arena;
  wh_site_source source;
  int64_t started_us;
  wh_str folder; // empty: nothing was sent yet
} publication;

static wh_status begin(publication *p, wh_error *err) {
  char name[WH_ULID_CHARS + 1];
  WH_TRY(wh_ulid_new(p->engine->os, name, err));
  p->folder = wh_arena_str(p->arena, wh_str_of(name));
  return p->folder.data ? WH_OK : wh_fail_memory(err);
}

// Files that are a day old and in no index may have been removed by somebody else.
static wh_status check_time(const publication *p, wh_error *err) {
  int64_t took_us = wh_now_us(p->engine->os) - p->started_us;
  if (took_us >= 0 && took_us < WH_SITE_ABANDONED_HOURS / 2 * HOUR_US) return WH_OK;
  return wh_fail(err, WH_ERR_STALE,
                 "site %.*s: it took more than %d hours, or the clock was set. "
                 "Publish it again",
                 WH_STR_ARG(p->request->site->name), WH_SITE_ABANDONED_HOURS / 2);
}

// One try: the version behind the one that is there now, unless that has the same files.
static wh_status try_to_publish(publication *p, wh_site_done *done, wh_error *err) {
  const wh_site_request *r = p->request;
  wh_site_place place;
  WH_TRY(wh_site_look(p->engine, r->site, p->c, p->arena, &place, err));
  done->added = done->changed = done->gone = 0;
  compare(r, &p->source, &place.newest, done);
  done->version = place.newest.version;
  if (!r->replace) WH_TRY(check_doors(&place, &p->source, err));
  done->is_new = !done->version || done->added || done->changed || done->gone;
  if (!done->is_new) return WH_OK;
  done->version++;
  if (r->dry) return WH_OK;
  if (!p->folder.len) {
    WH_TRY(begin(p, err));
    WH_TRY(send_all(p->engine, &p->source, &place, p->folder, done, err));
  }
  WH_TRY(check_time(p, err));
  wh_site_index index = {.version = done->version,
                         .folder = p->folder,
                         .created_us = wh_now_us(p->engine->os),
                         .files = p->source.files,
                         .file_count = p->source.count};
  return put_index(p->c, r->site, &index, err);
}

static wh_status publish(publication *p, wh_site_done *done, wh_error *err) {
  wh_status status = WH_ERR_EXISTS;
  for (int tries = 0; status == WH_ERR_EXISTS && tries < WH_SITE_TRIES_MAX; tries++) {
    status = try_to_publish(p, done, err);
    if (!p->folder.len) break; // what is there is a page at a door
  }
  return status;
}

// What is shown in the end may be a version that somebody else published meanwhile.
static wh_status show(wh_engine *engine, const wh_site *site, wh_connection *c, bool all_doors,
                      wh_arena *arena, wh_site_done *done, wh_error *err) {
  wh_site_place place;
  uint64_t version = done->version;
  wh_status status = wh_site_show(engine, site, c, all_doors, arena, &place, &done->removed, err);
  if (status != WH_OK)
    wh_error_prefix(err, "version %llu is there; to go on: wherry site %.*s: ",
                    (unsigned long long)version, WH_STR_ARG(site->name));
  WH_TRY(status);
  done->version = place.newest.version;
  return WH_OK;
}

wh_status wh_site_publish(wh_engine *engine, const wh_site_request *request, wh_site_done *ret,
                          wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  publication p = {
      .engine = engine, .request = request, .arena = &arena, .started_us = wh_now_us(engine->os)};
  WH_TRY(wh_site_source_read(engine, request->site, &arena, &p.source, err));
  WH_TRY(wh_site_open(engine, request->site, &p.c, err));
  wh_site_done done = {.files = p.source.count, .bytes = p.source.bytes, .hidden = p.source.hidden};
  WH_TRY(publish(&p, &done, err));
  if (!request->dry) WH_TRY(show(engine, request->site, p.c, request->replace, &arena, &done, err));
  *ret = done;
  return WH_OK;
}

// --- rollback ------------------------------------------------------------------------------------

static wh_status none(const wh_site *site, uint64_t version, wh_error *err) {
  if (!version)
    return wh_fail(err, WH_ERR_NOT_FOUND, "site %.*s: there is no version before the present one",
                   WH_STR_ARG(site->name));
  return wh_fail(err, WH_ERR_NOT_FOUND, "site %.*s: there is no version %llu",
                 WH_STR_ARG(site->name), (unsigned long long)version);
}

// The newest that shows something else, or that one.
static wh_status choose(const wh_site_place *p, uint64_t version, uint64_t *ret, wh_error *err) {
  for (size_t i = p->version_count; i-- > 0;) {
    bool fits = version ? p->versions[i] == version
                        : p->shows[i].len && !wh_str_eq(p->shows[i], p->newest.folder);
    if (!fits) continue;
    *ret = p->versions[i];
    return WH_OK;
  }
  return none(p->site, version, err);
}

// See engine/site_show.c: whoever removes the version may not have seen ours.
static wh_status check_kept(wh_connection *c, const wh_site *site, uint64_t of, uint64_t version,
                            wh_arena *arena, wh_error *err) {
  wh_object object;
  wh_str key = wh_site_key(site->to.thing, of, arena);
  wh_str own = wh_site_key(site->to.thing, version, arena);
  if (!key.data || !own.data) return wh_fail_memory(err);
  wh_status status = c->type->store->stat(c, key, arena, &object, err);
  if (status != WH_ERR_NOT_FOUND) return status;
  WH_TRY(c->type->store->remove(c, own, err));
  return none(site, of, err);
}

static wh_status bring_back(wh_engine *engine, const wh_site *site, wh_connection *c,
                            uint64_t version, wh_arena *arena, wh_site_done *done, wh_error *err) {
  wh_site_place place;
  WH_TRY(wh_site_look(engine, site, c, arena, &place, err));
  WH_TRY(choose(&place, version, &done->of, err));
  wh_site_index index;
  WH_TRY(wh_site_read(engine, site, done->of, arena, &index, err));
  done->files = index.file_count;
  done->bytes = index.bytes;
  done->version = place.newest.version;
  done->is_new = !wh_str_eq(index.folder, place.newest.folder);
  if (!done->is_new) return WH_OK;
  index.version = ++done->version;
  index.of = done->of;
  index.created_us = wh_now_us(engine->os);
  WH_TRY(put_index(c, site, &index, err));
  return check_kept(c, site, done->of, done->version, arena, err);
}

wh_status wh_site_rollback(wh_engine *engine, const wh_site *site, uint64_t version,
                           wh_site_done *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_connection *c;
  WH_TRY(wh_site_open(engine, site, &c, err));
  wh_site_done done = {0};
  wh_status status = WH_ERR_EXISTS;
  for (int tries = 0; status == WH_ERR_EXISTS && tries < WH_SITE_TRIES_MAX; tries++)
    status = bring_back(engine, site, c, version, &arena, &done, err);
  WH_TRY(status);
  WH_TRY(show(engine, site, c, false, &arena, &done, err));
  *ret = done;
  return WH_OK;
}
