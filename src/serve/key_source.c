#include "serve/key_source.h"

#include "base/log.h"
#include "base/thread.h"
#include "net/http.h"

struct wh_key_source {
  wh_os *os;
  wh_mem *mem;
  const wh_auth_bearer *words;
  bool is_url;

  pthread_rwlock_t lock; // over the two below
  wh_jwks keys;
  bool has_keys;

  pthread_t thread;
  bool has_thread;
  pthread_mutex_t mutex; // over what follows
  pthread_cond_t wake;
  bool is_asked, is_busy, has_failed;
  int64_t begun_ns; // the last fetch
  atomic_bool stopping;
};

// --- one fetch -----------------------------------------------------------------------------------

static void put_keys(wh_key_source *s, wh_jwks keys) {
  pthread_rwlock_wrlock(&s->lock);
  wh_jwks old = s->keys;
  s->keys = keys;
  s->has_keys = true;
  pthread_rwlock_unlock(&s->lock);
  wh_jwks_free(&old);
}

static wh_status take_answer(wh_key_source *s, const wh_http_exchange *x, wh_jwks *ret,
                             wh_error *err) {
  if (x->status != WH_OK) {
    if (err) *err = x->error;
    return x->status;
  }
  wh_str host = wh_http_host(s->words->jwks);
  if (x->code != 200)
    return wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s answers %d", WH_STR_ARG(host), x->code);
  return wh_jwks_read(s->mem, x->body, "its answer", ret, err);
}

static wh_status fetch_url(wh_key_source *s, wh_jwks *ret, wh_error *err) {
  static const wh_http_header accept = {WH_STR_INIT("Accept"),
                                        WH_STR_INIT("application/jwk-set+json, application/json")};
  wh_http_options options = {
      .os = s->os, .mem = s->mem, .cancel = &s->stopping, .tls_ca = s->words->tls_ca};
  wh_http_request request = {.method = "GET",
                             .url = s->words->jwks,
                             .headers = &accept,
                             .header_count = 1,
                             .body_bytes_max = WH_JWKS_BYTES_MAX,
                             .total_us = WH_KEYS_FETCH_SECONDS * 1000000LL};
  wh_http *http = NULL;
  wh_http_exchange *x = NULL, *done;
  WH_TRY(wh_http_new(&options, &http, err));
  wh_status status = wh_http_start(http, &request, &x, err);
  if (status == WH_OK) status = wh_http_wait(http, x, -1, &done, err);
  if (status == WH_OK) status = take_answer(s, x, ret, err);
  wh_http_end(x);
  wh_http_free(http);
  return status;
}

static wh_status fetch_file(wh_key_source *s, wh_jwks *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->mem);
  wh_str text;
  const char *path = s->words->jwks.data; // with a NUL: see base/option.h
  WH_TRY(wh_os_read_file(s->os, path, WH_JWKS_BYTES_MAX, &arena, &text, err));
  return wh_jwks_read(s->mem, text, path, ret, err);
}

static wh_status fetch(wh_key_source *s, wh_error *err) {
  wh_jwks keys;
  WH_TRY(s->is_url ? fetch_url(s, &keys, err) : fetch_file(s, &keys, err));
  put_keys(s, keys);
  return WH_OK;
}

// --- the thread ----------------------------------------------------------------------------------

// A failure is told once, until it goes well again.
static void tell(wh_key_source *s, wh_status status, const wh_error *err) {
  bool failed = status != WH_OK;
  if (failed && !s->has_failed && !atomic_load(&s->stopping))
    wh_log(WH_LOG_WARN, "serve", "the keys of tokens cannot be fetched from %.*s: %s. %s",
           WH_STR_ARG(s->words->jwks), err->text,
           s->has_keys ? "Those there are stay in use" : "Until they are there, nobody is let in");
  if (!failed && s->has_failed) wh_log(WH_LOG_INFO, "serve", "the keys of tokens are there again");
  s->has_failed = failed;
}

static int64_t seconds_until_next(const wh_key_source *s) {
  if (s->has_failed) return s->has_keys ? WH_KEYS_GAP_SECONDS : WH_KEYS_FIRST_SECONDS;
  return s->is_url ? WH_KEYS_FRESH_SECONDS : WH_KEYS_FILE_SECONDS;
}

// Waits until it is time for a fetch, and says that it has begun; false when the source ends.
static bool wait_turn(wh_key_source *s) {
  struct timespec until = wh_cond_until(seconds_until_next(s) * 1000000);
  int error = 0;
  pthread_mutex_lock(&s->mutex);
  while (!s->stopping && !s->is_asked && !error)
    error = pthread_cond_timedwait(&s->wake, &s->mutex, &until);
  s->is_asked = false;
  s->is_busy = true;
  s->begun_ns = s->os->type->monotonic_ns(s->os);
  pthread_mutex_unlock(&s->mutex);
  return !s->stopping;
}

static void *keep(void *context) {
  wh_key_source *s = context;
  while (wait_turn(s)) {
    wh_error err = {0};
    tell(s, fetch(s, &err), &err);
    pthread_mutex_lock(&s->mutex);
    s->is_busy = false;
    pthread_mutex_unlock(&s->mutex);
  }
  return NULL;
}

// --- for those who check -------------------------------------------------------------------------

const wh_jwks *wh_key_source_hold(wh_key_source *s) {
  pthread_rwlock_rdlock(&s->lock);
  return s->has_keys ? &s->keys : NULL;
}

void wh_key_source_release(wh_key_source *s) {
  pthread_rwlock_unlock(&s->lock);
}

bool wh_key_source_ask(wh_key_source *s) {
  pthread_mutex_lock(&s->mutex);
  int64_t age_ns = s->os->type->monotonic_ns(s->os) - s->begun_ns;
  if (!s->is_busy && age_ns >= WH_KEYS_GAP_SECONDS * 1000000000LL) {
    s->is_asked = true;
    pthread_cond_signal(&s->wake);
  }
  bool is_coming = s->is_asked || s->is_busy;
  pthread_mutex_unlock(&s->mutex);
  return is_coming;
}

// --- its life ------------------------------------------------------------------------------------

static wh_status start(wh_key_source *s, wh_error *err) {
  if (!s->is_url) WH_TRY(fetch(s, err));
  s->begun_ns = s->os->type->monotonic_ns(s->os);
  s->is_asked = s->is_url;
  wh_status status = wh_thread_start(&s->thread, keep, s, err);
  s->has_thread = status == WH_OK;
  return status;
}

wh_status wh_key_source_open(wh_os *os, wh_mem *mem, const wh_auth_bearer *words,
                             wh_key_source **ret, wh_error *err) {
  wh_key_source *s = wh_mem_alloc_zero(mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->os = os;
  s->mem = mem;
  s->words = words;
  s->is_url = wh_auth_is_url(words->jwks);
  pthread_rwlock_init(&s->lock, NULL);
  pthread_mutex_init(&s->mutex, NULL);
  WH_IGNORE(wh_cond_init(&s->wake, NULL));
  wh_status status = start(s, err);
  if (status != WH_OK) {
    wh_key_source_free(s);
    return status;
  }
  *ret = s;
  return WH_OK;
}

void wh_key_source_free(wh_key_source *s) {
  if (!s) return;
  pthread_mutex_lock(&s->mutex);
  atomic_store(&s->stopping, true);
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->mutex);
  if (s->has_thread) pthread_join(s->thread, NULL);
  wh_jwks_free(&s->keys);
  pthread_cond_destroy(&s->wake);
  pthread_mutex_destroy(&s->mutex);
  pthread_rwlock_destroy(&s->lock);
  wh_mem_free(s->mem, s, sizeof *s);
}
