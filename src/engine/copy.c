// One thread lists; lanes take what it found, an object each. What is at the target is asked for
// object by object, and only where something is there at all.
#include "engine/copy.h"

#include "base/queue.h"
#include "base/thread.h"
#include "engine/copy_object.h"
#include "ledger/manifest.h"

enum { PROGRESS_US = 100000 };

// What a copy that was killed left is thrown away by the next one, once no copy can be at it.

// What a small object may have of `memory`, so that every lane can hold one. Larger ones go one at
// a time, their parts side by side.
enum { SMALL_SHARE = 4 };

typedef struct copying {
  wh_engine *engine;
  const wh_copy *request;
  wh_str pattern; // of keys at the source; one key where is_one
  size_t cut;     // bytes of a key that `target` takes the place of
  bool is_one, ask, has_manifests;
  uint64_t small_bytes;
  wh_queue queue;
  uint64_t found;        // by the lister
  pthread_mutex_t large; // held while a large object is copied
  pthread_mutex_t mutex; // of what follows
  wh_copied done;
  uint64_t found_bytes;
  int64_t told_us;
  wh_copy_trouble trouble;
  void *context;
} copying;

// An object that waits for a lane; its strings stand behind it.
typedef struct waiting {
  wh_object object;
  size_t size; // of all this
  char text[];
} waiting;

// --- counting ------------------------------------------------------------------------------------

static void tell_progress(copying *c) {
  const wh_watcher *watcher = &c->engine->watcher;
  int64_t now = c->engine->os->type->monotonic_ns(c->engine->os) / 1000;
  if (!watcher->progress || now - c->told_us < PROGRESS_US) return;
  c->told_us = now;
  wh_progress p = {.pipeline = c->request->to->name,
                   .noun = "objects",
                   .rows = c->done.objects + c->done.present,
                   .bytes = c->done.bytes,
                   .bytes_total = c->found_bytes};
  watcher->progress(watcher->context, &p);
}

static void count(copying *c, bool copied, uint64_t bytes) {
  pthread_mutex_lock(&c->mutex);
  if (copied) {
    c->done.objects++;
    c->done.bytes += bytes;
  } else {
    c->done.present++;
  }
  tell_progress(c);
  pthread_mutex_unlock(&c->mutex);
}

static void count_failure(copying *c, wh_status status, const wh_error *err) {
  pthread_mutex_lock(&c->mutex);
  if (status == WH_ERR_CANCELLED) {
    c->done.stopped = true;
  } else {
    c->done.failed++;
    c->trouble(c->context, err);
  }
  pthread_mutex_unlock(&c->mutex);
}

// --- lanes ---------------------------------------------------------------------------------------

static wh_status new_key(const copying *c, const wh_object *object, wh_arena *arena, wh_str *ret,
                         wh_error *err) {
  wh_str target = c->request->target;
  bool whole = c->is_one && target.len && target.data[target.len - 1] != '/';
  wh_str rest = whole ? (wh_str){0} : wh_str_sub(object->key, c->cut, object->key.len);
  *ret = wh_arena_printf(arena, "%.*s%.*s", WH_STR_ARG(target), WH_STR_ARG(rest));
  return ret->data ? wh_key_check(*ret, err) : wh_fail_memory(err);
}

static wh_status copy_one(copying *c, wh_copy_lane *lane, const waiting *w, wh_error *err) {
  wh_arena_reset(&lane->arena);
  wh_str key;
  bool copied = false;
  WH_TRY(new_key(c, &w->object, &lane->arena, &key, err));
  bool is_large = w->object.size > c->small_bytes;
  lane->is_alone = is_large || c->is_one;
  if (is_large) pthread_mutex_lock(&c->large);
  wh_status status = wh_copy_object(lane, &w->object, key, &copied, err);
  if (is_large) pthread_mutex_unlock(&c->large);
  if (status == WH_OK) count(c, copied, w->object.size);
  return status;
}

static void *run_lane(void *context) {
  copying *c = context;
  wh_mem *mem = c->engine->mem;
  wh_copy_lane lane = {.engine = c->engine,
                       .request = c->request,
                       .ask = c->ask,
                       .has_manifests = c->has_manifests,
                       .data = wh_mem_alloc_aligned(mem, WH_COPY_READ_BYTES)};
  wh_arena_init(&lane.arena, mem);
  void *item;
  while (wh_queue_pop(&c->queue, &item)) {
    waiting *w = item;
    wh_error err = {0};
    wh_status status = lane.data ? copy_one(c, &lane, w, &err) : wh_fail_memory(&err);
    if (status != WH_OK) count_failure(c, status, &err);
    wh_mem_free(mem, w, w->size);
    if (status == WH_ERR_CANCELLED) wh_queue_cancel(&c->queue);
  }
  wh_arena_free(&lane.arena);
  wh_mem_free(mem, lane.data, lane.data ? WH_COPY_READ_BYTES : 0);
  return NULL;
}

// --- listing -------------------------------------------------------------------------------------

static wh_status hand_on(copying *c, const wh_object *object, wh_error *err) {
  size_t size = sizeof(waiting) + object->key.len + object->version.len;
  waiting *w = wh_mem_alloc(c->engine->mem, size);
  if (!w) return wh_fail_memory(err);
  c->found++;
  *w = (waiting){.object = *object, .size = size};
  w->object.key = wh_str_n(w->text, object->key.len);
  w->object.version = wh_str_n(w->text + object->key.len, object->version.len);
  memcpy(w->text, object->key.data, object->key.len);
  if (object->version.len)
    memcpy(w->text + object->key.len, object->version.data, object->version.len);
  pthread_mutex_lock(&c->mutex);
  c->found_bytes += object->size;
  pthread_mutex_unlock(&c->mutex);
  if (wh_queue_push(&c->queue, w)) return WH_OK;
  wh_mem_free(c->engine->mem, w, size);
  return wh_fail(err, WH_ERR_CANCELLED, "stopped");
}

static wh_status take_object(void *context, const wh_object *object, wh_error *err) {
  copying *c = context;
  if (c->engine->stop && atomic_load(c->engine->stop))
    return wh_fail(err, WH_ERR_CANCELLED, "stopped");
  return wh_glob_match(c->pattern, object->key) ? hand_on(c, object, err) : WH_OK;
}

static wh_status list(copying *c, wh_error *err) {
  wh_connection *from = c->request->from;
  const wh_store_type *store = from->type->store;
  wh_status status;
  if (c->is_one) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, c->engine->mem);
    wh_object object;
    WH_TRY(store->stat(from, c->pattern, &arena, &object, err));
    status = hand_on(c, &object, err);
  } else {
    status = store->list(from, wh_glob_prefix(c->pattern), take_object, c, err);
  }
  if (status == WH_ERR_CANCELLED) {
    pthread_mutex_lock(&c->mutex);
    c->done.stopped = true;
    pthread_mutex_unlock(&c->mutex);
    return WH_OK;
  }
  WH_TRY(status);
  if (c->found) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: nothing matches %.*s", WH_STR_ARG(from->name),
                 WH_STR_ARG(c->pattern));
}

// --- before and after
// ------------------------------------------------------------------------------

static bool has_wildcards(wh_str key) {
  return wh_glob_prefix(key).len < key.len;
}

// "a/b/" means all below it; a pattern keeps what comes behind its last folder without wildcards.
static wh_status read_source(copying *c, wh_arena *arena, wh_error *err) {
  wh_str source = c->request->source;
  bool is_folder = source.len == 0 || source.data[source.len - 1] == '/';
  c->is_one = !is_folder && !has_wildcards(source);
  c->pattern = is_folder ? wh_arena_printf(arena, "%.*s**", WH_STR_ARG(source)) : source;
  if (!c->pattern.data) return wh_fail_memory(err);
  c->cut = c->is_one ? source.len : wh_glob_prefix(c->pattern).len;
  while (c->cut && source.data[c->cut - 1] != '/')
    c->cut--;
  wh_str target = c->request->target;
  if (c->is_one || target.len == 0 || target.data[target.len - 1] == '/') return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "many objects go into a folder: write %.*s:%.*s/",
                 WH_STR_ARG(c->request->to->name), WH_STR_ARG(target));
}

static wh_status note_one(void *context, const wh_object *object, wh_error *err) {
  (void)object, (void)err;
  *(bool *)context = true;
  return WH_ERR_END;
}

// Whether a listing has anything in it.
static wh_status has_any(wh_connection *c, wh_str prefix, bool *ret, wh_error *err) {
  *ret = false;
  wh_status status = c->type->store->list(c, prefix, note_one, ret, err);
  return status == WH_ERR_END ? WH_OK : status;
}

static wh_status look_around(copying *c, wh_arena *arena, wh_error *err) {
  const wh_copy *r = c->request;
  WH_TRY(wh_store_sweep_puts(r->to, err));
  WH_TRY(has_any(r->to, r->target, &c->ask, err));
  wh_str manifests =
      wh_arena_printf(arena, WH_MANIFEST_PREFIX "%.*s", WH_STR_ARG(wh_glob_prefix(c->pattern)));
  if (!manifests.data) return wh_fail_memory(err);
  return has_any(r->from, manifests, &c->has_manifests, err);
}

static size_t start_lanes(copying *c, pthread_t *threads) {
  size_t wanted = c->request->lanes ? c->request->lanes : WH_COPY_LANES;
  if (wanted > WH_COPY_LANES_MAX) wanted = WH_COPY_LANES_MAX;
  if (c->is_one) wanted = 1;
  c->small_bytes = wh_engine_memory_limit(c->engine->config) / SMALL_SHARE / wanted;
  size_t count = 0;
  while (count < wanted && wh_thread_start(&threads[count], run_lane, c, NULL) == WH_OK)
    count++;
  return count;
}

static wh_status copy_all(copying *c, wh_error *err) {
  WH_TRY(wh_queue_init(&c->queue, c->engine->mem, WH_COPY_WAITING_MAX, err));
  pthread_t threads[WH_COPY_LANES_MAX];
  size_t count = start_lanes(c, threads);
  wh_status status = count ? list(c, err) : wh_fail(err, WH_ERR_IO, "cannot start a thread");
  wh_queue_close(&c->queue);
  for (size_t i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
  void *left;
  while (wh_queue_take(&c->queue, &left))
    wh_mem_free(c->engine->mem, left, ((waiting *)left)->size);
  wh_queue_free(&c->queue);
  return status;
}

wh_status wh_engine_copy(wh_engine *engine, const wh_copy *request, wh_copy_trouble trouble,
                         void *context, wh_copied *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  copying c = {.engine = engine,
               .request = request,
               .large = PTHREAD_MUTEX_INITIALIZER,
               .mutex = PTHREAD_MUTEX_INITIALIZER,
               .trouble = trouble,
               .context = context};
  WH_TRY(read_source(&c, &arena, err));
  WH_TRY(look_around(&c, &arena, err));
  WH_TRY(copy_all(&c, err));
  *ret = c.done;
  return WH_OK;
}
