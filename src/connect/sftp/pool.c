// The lines of a connection: few, shared by all threads, each leased for a question or for as long
// as a file is open. What broke is replaced when somebody wants a line again.
#include "connect/sftp/sftp.h"

#include "base/log.h"
#include "base/thread.h"
#include "net/retry.h"

#include <xxhash.h>

enum {
  SHARERS = 4,                      // of a line, before another one is worth its key exchange
  CLEANED_MAX = 64,                 // folders that are remembered
  KEPT_MAX = 4 * WH_SFTP_LINES_MAX, // with those that broke and are still somebody's
};

typedef struct pooled {
  wh_sftp_line *line;
  size_t users;
  int64_t idle_since_ns;
} pooled;

// What a file looked like, and since when.
typedef struct seen {
  uint64_t key, version; // hashes; a key of 0: free
  int64_t since_us;
} seen;

struct wh_sftp {
  wh_mem *mem;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  pooled lines[KEPT_MAX];
  size_t count, opening, most;
  uint64_t cleaned[CLEANED_MAX]; // folders, as hashes
  size_t cleaned_count;
  seen *seen; // open addressing
  size_t seen_count, seen_cap;
};

static wh_sftp *pool_of(const wh_connection *c) {
  return c->own;
}

wh_status wh_sftp_open_pool(wh_connection *c, wh_error *err) {
  wh_sftp *pool = wh_mem_alloc_zero(c->mem, sizeof *pool);
  if (!pool) return wh_fail_memory(err);
  wh_status status = wh_cond_init(&pool->changed, err);
  if (status != WH_OK) {
    wh_mem_free(c->mem, pool, sizeof *pool);
    return status;
  }
  pthread_mutex_init(&pool->mutex, NULL);
  pool->mem = c->mem;
  pool->most = (size_t)wh_sftp_options_of(c)->connections;
  c->own = pool;
  return WH_OK;
}

void wh_sftp_close_pool(wh_connection *c) {
  wh_sftp *pool = pool_of(c);
  if (!pool) return;
  for (size_t i = 0; i < pool->count; i++)
    wh_sftp_line_close(pool->lines[i].line);
  wh_mem_free(pool->mem, pool->seen, pool->seen_cap * sizeof *pool->seen);
  pthread_cond_destroy(&pool->changed);
  pthread_mutex_destroy(&pool->mutex);
  wh_mem_free(pool->mem, pool, sizeof *pool);
  c->own = NULL;
}

// --- leasing -------------------------------------------------------------------------------------

static void take_out(wh_sftp *pool, size_t i) {
  pool->lines[i] = pool->lines[--pool->count];
}

// One that nobody uses and that broke, or rested for so long that it may have, is to be closed.
static wh_sftp_line *find_useless(wh_connection *c, wh_sftp *pool) {
  int64_t now_ns = c->os->type->monotonic_ns(c->os);
  for (size_t i = 0; i < pool->count; i++) {
    pooled *p = &pool->lines[i];
    if (p->users) continue;
    bool rested = now_ns - p->idle_since_ns > WH_SFTP_IDLE_US * 1000;
    if (!rested && wh_sftp_line_is_alive(p->line)) continue;
    wh_sftp_line *line = p->line;
    take_out(pool, i);
    return line;
  }
  return NULL;
}

static pooled *least_used(wh_sftp *pool) {
  pooled *best = NULL;
  for (size_t i = 0; i < pool->count; i++) {
    pooled *p = &pool->lines[i];
    if (wh_sftp_line_is_broken(p->line)) continue;
    if (!best || p->users < best->users) best = p;
  }
  return best;
}

static wh_status open_another(wh_connection *c, wh_sftp *pool, wh_error *err) {
  wh_sftp_line *line = NULL;
  pool->opening++;
  pthread_mutex_unlock(&pool->mutex);
  wh_status status = wh_sftp_line_open(c, &line, err);
  pthread_mutex_lock(&pool->mutex);
  pool->opening--;
  pthread_cond_broadcast(&pool->changed);
  if (status == WH_OK) pool->lines[pool->count++] = (pooled){.line = line};
  return status;
}

static wh_status lease(wh_connection *c, wh_sftp *pool, wh_sftp_line **ret, wh_error *err) {
  for (wh_sftp_line *line; (line = find_useless(c, pool));) {
    pthread_mutex_unlock(&pool->mutex);
    wh_sftp_line_close(line);
    pthread_mutex_lock(&pool->mutex);
  }
  pooled *best = least_used(pool);
  // While the first one is being opened, its host key may turn out wrong: no second try beside it.
  while (!best && pool->opening) {
    pthread_cond_wait(&pool->changed, &pool->mutex);
    best = least_used(pool);
  }
  if (!best && pool->count + pool->opening >= KEPT_MAX)
    return wh_fail(err, WH_ERR_UNAVAILABLE, "the connection breaks again and again");
  bool may_open = pool->count + pool->opening < pool->most;
  if (!best || (best->users >= SHARERS && may_open)) {
    wh_error refused = {0};
    wh_status status = open_another(c, pool, best ? &refused : err);
    best = least_used(pool);
    if (status == WH_ERR_CANCELLED || !best) {
      if (best && err) *err = refused;
      return status == WH_OK ? wh_fail(err, WH_ERR_UNAVAILABLE, "the connection broke") : status;
    }
    // The server takes no more of us: those that are there have to do.
    if (status != WH_OK) pool->most = pool->count ? pool->count : 1;
  }
  best->users++;
  *ret = best->line;
  return WH_OK;
}

wh_status wh_sftp_lease(wh_connection *c, wh_sftp_line **ret, wh_error *err) {
  wh_sftp *pool = pool_of(c);
  pthread_mutex_lock(&pool->mutex);
  wh_status status = lease(c, pool, ret, err);
  pthread_mutex_unlock(&pool->mutex);
  return status;
}

void wh_sftp_release(wh_connection *c, wh_sftp_line *line) {
  if (!line) return;
  wh_sftp *pool = pool_of(c);
  bool useless = false;
  pthread_mutex_lock(&pool->mutex);
  for (size_t i = 0; i < pool->count; i++) {
    pooled *p = &pool->lines[i];
    if (p->line != line) continue;
    p->users--;
    p->idle_since_ns = c->os->type->monotonic_ns(c->os);
    useless = p->users == 0 && wh_sftp_line_is_broken(line);
    if (useless) take_out(pool, i);
    break;
  }
  pthread_mutex_unlock(&pool->mutex);
  if (useless) wh_sftp_line_close(line);
}

// --- once more -----------------------------------------------------------------------------------

// At once the first time: a line that broke is soon laid again. Then after waits that grow.
bool wh_sftp_again(wh_connection *c, wh_sftp_tries *tries, wh_status status, const wh_error *err) {
  if (status != WH_ERR_UNAVAILABLE || !err->retry || ++tries->made >= WH_SFTP_TRIES) return false;
  if (c->cancel && atomic_load(c->cancel)) return false;
  wh_log_error(WH_LOG_DEBUG, "sftp", err);
  wh_retry retry = {.os = c->os, .attempts_max = WH_SFTP_TRIES, .attempts = tries->made - 2};
  int64_t wait_us = 0;
  if (tries->made > 1 && wh_retry_again(&retry, WH_RETRY_TRANSIENT, 0, &wait_us))
    c->os->type->sleep_ns(c->os, wait_us * 1000);
  return !(c->cancel && atomic_load(c->cancel));
}

wh_status wh_sftp_do(wh_connection *c, wh_sftp_work work, void *context, wh_error *err) {
  wh_error own = {0}, *e = err ? err : &own;
  wh_sftp_tries tries = {0};
  wh_status status;
  do {
    wh_sftp_line *line = NULL;
    status = wh_sftp_lease(c, &line, e);
    if (status == WH_OK) status = work(line, context, e);
    wh_sftp_release(c, line);
  } while (wh_sftp_again(c, &tries, status, e));
  return status;
}

// --- what was seen -------------------------------------------------------------------------------

static uint64_t hash_of(wh_str text) {
  uint64_t hash = XXH3_64bits(text.data, text.len);
  return hash ? hash : 1;
}

static seen *find_seen(seen *table, size_t cap, uint64_t key) {
  size_t at = key & (cap - 1);
  while (table[at].key && table[at].key != key)
    at = (at + 1) & (cap - 1);
  return &table[at];
}

static bool grow_seen(wh_sftp *pool) {
  enum { FIRST = 256 };
  if (pool->seen_count * 2 < pool->seen_cap) return true;
  size_t cap = pool->seen_cap ? 2 * pool->seen_cap : FIRST;
  seen *table = wh_mem_alloc_zero(pool->mem, cap * sizeof *table);
  if (!table) return false;
  for (size_t i = 0; i < pool->seen_cap; i++)
    if (pool->seen[i].key) *find_seen(table, cap, pool->seen[i].key) = pool->seen[i];
  wh_mem_free(pool->mem, pool->seen, pool->seen_cap * sizeof *table);
  pool->seen = table;
  pool->seen_cap = cap;
  return true;
}

// The server's clock may be another: what counts is how long a file was seen not to change. One
// that has been as it is for a day needs no second look, even where its clock is a few hours off.
int64_t wh_sftp_settles(wh_connection *c, const wh_object *object) {
  wh_sftp *pool = pool_of(c);
  int64_t now_us = wh_now_us(c->os), settle_us = wh_sftp_options_of(c)->settle_us;
  if (object->modified_us < now_us - WH_SFTP_STILL_US) return 1;
  pthread_mutex_lock(&pool->mutex);
  int64_t since_us = now_us; // without memory it is always new
  if (grow_seen(pool)) {
    uint64_t key = hash_of(object->key), version = hash_of(object->version);
    seen *s = find_seen(pool->seen, pool->seen_cap, key);
    if (!s->key) pool->seen_count++;
    if (s->key != key || s->version != version || s->since_us > now_us)
      *s = (seen){key, version, now_us};
    since_us = s->since_us;
  }
  pthread_mutex_unlock(&pool->mutex);
  return since_us + settle_us;
}

bool wh_sftp_is_first_put(wh_connection *c, wh_str folder) {
  wh_sftp *pool = pool_of(c);
  uint64_t hash = hash_of(folder);
  pthread_mutex_lock(&pool->mutex);
  bool first = true;
  for (size_t i = 0; i < pool->cleaned_count; i++)
    first = first && pool->cleaned[i] != hash;
  if (first && pool->cleaned_count < CLEANED_MAX) pool->cleaned[pool->cleaned_count++] = hash;
  pthread_mutex_unlock(&pool->mutex);
  return first;
}
