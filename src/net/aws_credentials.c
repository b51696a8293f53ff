#include "net/aws_credentials_private.h"

#include "base/crypto.h"
#include "data/temporal.h"

#include <pthread.h>
#include <stdarg.h>

struct wh_aws_credentials {
  wh_aws_credentials_options options; // its texts are here
  wh_arena arena;
  pthread_mutex_t mutex; // of what follows
  wh_aws_keys current;   // without bytes: none
  int64_t again_us;      // no new search before
  bool is_expired;       // the server said so
  // Of `current`, and 0 while it has to be looked at; for those who ask without the mutex.
  _Atomic uint64_t generation;
};

enum { AGAIN_US = 30 * 1000000 };

// --- what was found ------------------------------------------------------------------------------

wh_status wh_aws_tried(wh_aws_search *search, wh_error *err, const char *fmt, ...) {
  size_t len = strlen(search->tried);
  if (len && len + 2 < sizeof search->tried) {
    memcpy(search->tried + len, "; ", 3);
    len += 2;
  }
  va_list args;
  va_start(args, fmt);
  vsnprintf(search->tried + len, sizeof search->tried - len, fmt, args);
  va_end(args);
  return wh_fail(err, WH_ERR_NOT_FOUND, "%s", search->tried + len);
}

wh_status wh_aws_found_set(char *field, size_t size, wh_str text, const char *what, wh_error *err) {
  if (text.len >= size)
    return wh_fail(err, WH_ERR_DATA, "%s: %zu characters are more than it ever has", what,
                   text.len);
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] <= ' ' || text.data[i] >= 0x7F)
      return wh_fail(err, WH_ERR_DATA, "%s holds a character that it never has", what);
  if (text.len) memcpy(field, text.data, text.len);
  field[text.len] = 0;
  return WH_OK;
}

wh_status wh_aws_found_expires(wh_aws_found *found, wh_str text, wh_error *err) {
  wh_iso iso;
  if (text.len == 0) {
    found->expires_us = INT64_MAX;
    return WH_OK;
  }
  if (!wh_iso_parse(text, &iso) || !wh_iso_to_timestamp(&iso, WH_UNIT_US, &found->expires_us))
    return wh_fail(err, WH_ERR_DATA, "credentials that expire at '%.*s', which is no time",
                   WH_STR_ARG(text));
  return WH_OK;
}

void wh_aws_keys_free(wh_aws_keys *keys) {
  if (!keys || !keys->bytes) return;
  wh_wipe(keys->bytes, keys->size);
  wh_mem_free(keys->mem, keys->bytes, keys->size);
  *keys = (wh_aws_keys){0};
}

static wh_str put(char **at, wh_str text) {
  char *start = *at;
  if (text.len) memcpy(start, text.data, text.len);
  *at += text.len;
  return wh_str_n(start, text.len);
}

static wh_status set_keys(wh_aws_keys *keys, wh_mem *mem, const wh_sigv4_keys *from,
                          wh_error *err) {
  size_t size = from->access_key_id.len + from->secret_access_key.len + from->session_token.len + 1;
  char *bytes = wh_mem_alloc(mem, size), *at = bytes;
  if (!bytes) return wh_fail_memory(err);
  wh_aws_keys_free(keys);
  keys->mem = mem;
  keys->bytes = bytes;
  keys->size = size;
  keys->keys.access_key_id = put(&at, from->access_key_id);
  keys->keys.secret_access_key = put(&at, from->secret_access_key);
  keys->keys.session_token = put(&at, from->session_token);
  return WH_OK;
}

// --- the chain -----------------------------------------------------------------------------------

static wh_status fail_all(const wh_aws_search *search, wh_error *err) {
  return wh_fail(err, WH_ERR_DENIED,
                 "there are no AWS credentials. Tried %s. Set AWS_ACCESS_KEY_ID and "
                 "AWS_SECRET_ACCESS_KEY, or name a `profile`",
                 search->tried);
}

// A profile that the configuration names leaves the environment out.
static wh_status search_all(wh_aws_search *search, wh_aws_found *ret, wh_error *err) {
  static wh_aws_source *const all[] = {wh_aws_from_environment, wh_aws_from_web_identity,
                                       wh_aws_from_profile, wh_aws_from_container,
                                       wh_aws_from_instance};
  static wh_aws_source *const named[] = {wh_aws_from_profile};
  bool is_named = search->options->profile.len > 0;
  wh_aws_source *const *sources = is_named ? named : all;
  size_t count = is_named ? 1 : sizeof all / sizeof all[0];
  for (size_t i = 0; i < count; i++) {
    wh_status status = sources[i](search, ret, err);
    if (status != WH_ERR_NOT_FOUND) return status;
  }
  return fail_all(search, err);
}

static wh_status fetch(wh_aws_credentials *c, const atomic_bool *cancel, wh_aws_found *found,
                       wh_error *err) {
  const wh_aws_credentials_options *o = &c->options;
  wh_aws_search search = {.options = o, .cancel = cancel};
  WH_TRY(wh_aws_profiles_read(o->os, o->mem, &o->environment, o->profile, &search.profiles, err));
  wh_status status = search_all(&search, found, err);
  wh_aws_profiles_free(&search.profiles);
  return status;
}

static wh_status renew(wh_aws_credentials *c, const atomic_bool *cancel, wh_error *err) {
  wh_aws_found found;
  found.session_token[0] = 0;
  wh_status status = fetch(c, cancel, &found, err);
  c->again_us = wh_now_us(c->options.os) + AGAIN_US;
  if (status == WH_OK) {
    wh_sigv4_keys keys = {wh_str_of(found.access_key_id), wh_str_of(found.secret_access_key),
                          wh_str_of(found.session_token)};
    status = set_keys(&c->current, c->options.mem, &keys, err);
  }
  if (status == WH_OK) {
    static _Atomic uint64_t generations;
    c->current.source = found.source;
    c->current.expires_us = found.expires_us;
    c->current.generation = atomic_fetch_add(&generations, 1) + 1;
    c->is_expired = false;
  }
  wh_wipe(&found, sizeof found);
  return status;
}

// Keys that still hold serve until new ones can be had.
static wh_status bring_up_to_date(wh_aws_credentials *c, const atomic_bool *cancel, wh_error *err) {
  int64_t now = wh_now_us(c->options.os);
  bool holds = c->current.bytes && !c->is_expired && c->current.expires_us > now;
  bool is_near = holds && c->current.expires_us - now <= WH_AWS_REFRESH_US;
  if (holds && (!is_near || now < c->again_us)) return WH_OK;
  wh_status status = renew(c, cancel, err);
  if (status != WH_OK && holds && status != WH_ERR_CANCELLED) return WH_OK;
  return status;
}

static wh_status copy_current(wh_aws_credentials *c, wh_aws_keys *keys, wh_error *err) {
  if (keys->bytes && keys->generation == c->current.generation) return WH_OK;
  WH_TRY(set_keys(keys, c->options.mem, &c->current.keys, err));
  keys->source = c->current.source;
  keys->generation = c->current.generation;
  keys->expires_us = c->current.expires_us;
  return WH_OK;
}

wh_status wh_aws_credentials_get(wh_aws_credentials *c, const atomic_bool *cancel,
                                 wh_aws_keys *keys, wh_error *err) {
  if (keys->bytes && keys->generation == atomic_load(&c->generation) &&
      (keys->expires_us == INT64_MAX ||
       keys->expires_us - wh_now_us(c->options.os) > WH_AWS_REFRESH_US)) {
    return WH_OK;
  }
  pthread_mutex_lock(&c->mutex);
  wh_status status = bring_up_to_date(c, cancel, err);
  if (status == WH_OK) {
    atomic_store(&c->generation, c->current.generation);
    status = copy_current(c, keys, err);
  }
  pthread_mutex_unlock(&c->mutex);
  return status;
}

void wh_aws_credentials_expired(wh_aws_credentials *c, uint64_t generation) {
  pthread_mutex_lock(&c->mutex);
  if (c->current.generation == generation && c->current.expires_us != INT64_MAX) {
    c->is_expired = true;
    atomic_store(&c->generation, 0);
  }
  pthread_mutex_unlock(&c->mutex);
}

// --- the object ----------------------------------------------------------------------------------

static wh_status take_given(wh_aws_credentials *c, wh_error *err) {
  if (c->options.given.access_key_id.len == 0) return WH_OK;
  WH_TRY(set_keys(&c->current, c->options.mem, &c->options.given, err));
  c->options.given = (wh_sigv4_keys){0};
  c->current.source = "the configuration";
  c->current.generation = 1;
  c->current.expires_us = INT64_MAX;
  return WH_OK;
}

wh_status wh_aws_credentials_new(const wh_aws_credentials_options *options,
                                 wh_aws_credentials **ret, wh_error *err) {
  wh_aws_credentials *c = wh_mem_alloc_zero(options->mem, sizeof *c);
  if (!c) return wh_fail_memory(err);
  c->options = *options;
  wh_arena_init(&c->arena, options->mem);
  pthread_mutex_init(&c->mutex, NULL);
  wh_status status = take_given(c, err);
  if (status == WH_OK &&
      !(wh_arena_own(&c->arena, &c->options.profile) &&
        wh_arena_own(&c->arena, &c->options.region) &&
        wh_arena_own(&c->arena, &c->options.tls_ca) && wh_arena_own(&c->arena, &c->options.proxy)))
    status = wh_fail_memory(err);
  if (status == WH_OK)
    *ret = c;
  else
    wh_aws_credentials_free(c);
  return status;
}

void wh_aws_credentials_free(wh_aws_credentials *c) {
  if (!c) return;
  wh_aws_keys_free(&c->current);
  pthread_mutex_destroy(&c->mutex);
  wh_arena_free(&c->arena);
  wh_mem_free(c->options.mem, c, sizeof *c);
}
