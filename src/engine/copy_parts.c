// Each thread has the memory of one part, into which it reads and from which it writes, so that no
// byte is copied in between; the checksums that the stores have of a part are worked out by its
// thread. The one over the whole goes from part to part in their order.
#include "engine/copy_parts.h"

#include "base/thread.h"

typedef struct parts {
  wh_copy_lane *lane;
  wh_input *in;
  wh_upload *upload;
  wh_sha256 *sha; // may be NULL; belongs to the thread whose part begins at `hashed`
  size_t part_bytes;
  pthread_mutex_t mutex; // of what follows
  pthread_cond_t turned; // `hashed` is another, or it failed
  uint64_t next;         // to be taken by a thread
  uint64_t hashed;
  wh_status status; // the first that is not WH_OK
  wh_error error;
} parts;

static void fail(parts *p, wh_status status, const wh_error *err) {
  pthread_mutex_lock(&p->mutex);
  if (p->status == WH_OK) {
    p->status = status;
    p->error = *err;
  }
  pthread_cond_broadcast(&p->turned);
  pthread_mutex_unlock(&p->mutex);
}

// False: there is none left, or a thread has failed.
static bool take(parts *p, uint64_t *ret_offset, size_t *ret_len) {
  pthread_mutex_lock(&p->mutex);
  uint64_t left = p->in->size - p->next;
  bool any = p->status == WH_OK && left;
  if (any) {
    *ret_offset = p->next;
    *ret_len = left < p->part_bytes ? (size_t)left : p->part_bytes;
    p->next += *ret_len;
  }
  pthread_mutex_unlock(&p->mutex);
  return any;
}

// False: a thread has failed, and the turn may never come.
static bool await_turn(parts *p, uint64_t offset) {
  pthread_mutex_lock(&p->mutex);
  while (p->hashed != offset && p->status == WH_OK)
    pthread_cond_wait(&p->turned, &p->mutex);
  bool good = p->status == WH_OK;
  pthread_mutex_unlock(&p->mutex);
  return good;
}

static wh_status hash(parts *p, uint64_t offset, const char *data, size_t len, wh_error *err) {
  if (!p->sha || !await_turn(p, offset)) return WH_OK;
  WH_TRY(wh_sha256_add(p->sha, data, len, err));
  pthread_mutex_lock(&p->mutex);
  p->hashed += len;
  pthread_cond_broadcast(&p->turned);
  pthread_mutex_unlock(&p->mutex);
  return WH_OK;
}

static wh_status pass(parts *p, char *data, uint64_t offset, size_t len, wh_error *err) {
  const wh_engine *engine = p->lane->engine;
  if (engine->stop && atomic_load(engine->stop)) return wh_copy_stopped(err);
  WH_TRY(p->in->read_at(p->in, offset, data, len, err));
  WH_TRY(hash(p, offset, data, len, err));
  return p->upload->write_part(p->upload, offset, data, len, err);
}

static void pass_all(parts *p, char *data) {
  uint64_t offset;
  size_t len;
  while (take(p, &offset, &len)) {
    wh_error err = {0};
    wh_status status = pass(p, data, offset, len, &err);
    if (status != WH_OK) fail(p, status, &err);
  }
}

// Without memory the others do it all.
static void *run_helper(void *context) {
  parts *p = context;
  wh_mem *mem = p->lane->engine->mem;
  char *data = wh_mem_alloc_aligned(mem, p->part_bytes);
  if (data) pass_all(p, data);
  wh_mem_free(mem, data, data ? p->part_bytes : 0);
  return NULL;
}

static size_t count_threads(const parts *p) {
  size_t memory = wh_engine_memory_limit(p->lane->engine->config) / WH_COPY_PARTS_SHARE;
  uint64_t most = (p->in->size - 1) / p->part_bytes + 1, count = memory / p->part_bytes;
  size_t lanes = p->lane->request->lanes;
  if (lanes && lanes < most) most = lanes;
  if (most > WH_COPY_PARTS_MAX) most = WH_COPY_PARTS_MAX;
  if (count > most) count = most;
  return count ? (size_t)count : 1;
}

static wh_status run(parts *p, wh_error *err) {
  wh_mem *mem = p->lane->engine->mem;
  char *data = wh_mem_alloc_aligned(mem, p->part_bytes);
  if (!data) return wh_fail_memory(err);
  pthread_t helpers[WH_COPY_PARTS_MAX];
  size_t count = 0, wanted = count_threads(p) - 1; // this one is one of them
  while (count < wanted && wh_thread_start(&helpers[count], run_helper, p, NULL) == WH_OK)
    count++;
  pass_all(p, data);
  for (size_t i = 0; i < count; i++)
    pthread_join(helpers[i], NULL);
  wh_mem_free(mem, data, p->part_bytes);
  if (p->status != WH_OK && err) *err = p->error;
  return p->status;
}

static size_t part_bytes_of(const wh_upload *upload) {
  return upload->part_bytes ? upload->part_bytes : WH_COPY_PART_BYTES;
}

bool wh_copy_has_parts(const wh_copy_lane *lane, const wh_input *in, const wh_upload *upload) {
  return lane->is_alone && !lane->engine->single_thread && in->read_at &&
         in->size != WH_SIZE_UNKNOWN && upload->write_part && in->size > part_bytes_of(upload);
}

wh_status wh_copy_parts(wh_copy_lane *lane, wh_input *in, wh_upload *upload, wh_sha256 *sha,
                        wh_error *err) {
  parts p = {.lane = lane,
             .in = in,
             .upload = upload,
             .sha = sha,
             .part_bytes = part_bytes_of(upload),
             .mutex = PTHREAD_MUTEX_INITIALIZER,
             .turned = PTHREAD_COND_INITIALIZER};
  return run(&p, err);
}
