#include "connect/sealed_private.h"

wh_connection wh_sealed_inner(const wh_connection *c) {
  wh_connection inner = *c;
  inner.type = wh_sealed_of(c)->inner_type;
  inner.own = wh_sealed_of(c)->inner_own;
  return inner;
}

wh_status wh_sealed_say(const wh_connection *c, wh_str key, wh_status status, wh_error *err) {
  if (status != WH_OK) wh_error_prefix(err, "%.*s: %.*s: ", WH_STR_ARG(c->name), WH_STR_ARG(key));
  return status;
}

// --- what the inner store tells of objects -------------------------------------------------------

// A length that no encrypted object has stays: opening it says that it is none.
static void show_plain(wh_object *object) {
  uint64_t size;
  if (!object->is_deleted && wh_sealed_plain_size(object->size, &size)) object->size = size;
}

static wh_status shown(wh_status status, wh_object *ret) {
  if (status == WH_OK) show_plain(ret);
  return status;
}

typedef struct visiting {
  wh_object_visit visit;
  void *context;
} visiting;

static wh_status visit_plain(void *context, const wh_object *object, wh_error *err) {
  visiting *v = context;
  wh_object plain = *object;
  show_plain(&plain);
  return v->visit(v->context, &plain, err);
}

static wh_status sealed_list(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                             wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  visiting v = {visit, context};
  return inner.type->store->list(&inner, prefix, visit_plain, &v, err);
}

static wh_status sealed_attempts(wh_connection *c, wh_object_visit visit, void *context,
                                 wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  visiting v = {visit, context};
  return inner.type->store->attempts(&inner, visit_plain, &v, err);
}

static wh_status sealed_versions(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                                 wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  visiting v = {visit, context};
  return inner.type->store->versions(&inner, key, visit_plain, &v, err);
}

static wh_status sealed_stat(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret,
                             wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return shown(inner.type->store->stat(&inner, key, arena, ret, err), ret);
}

// --- what happens to objects as they are ---------------------------------------------------------

static wh_status sealed_publish(wh_connection *c, wh_str attempt, wh_str key, bool replace,
                                wh_arena *arena, wh_object *ret, wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return shown(inner.type->store->publish(&inner, attempt, key, replace, arena, ret, err), ret);
}

static wh_status sealed_restore(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                                wh_object *ret, wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return shown(inner.type->store->restore(&inner, key, version, arena, ret, err), ret);
}

static wh_status sealed_attributes(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                                   wh_attributes *ret, wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return inner.type->store->attributes(&inner, key, version, arena, ret, err);
}

static wh_status sealed_discard(wh_connection *c, wh_str attempt, wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return inner.type->store->discard(&inner, attempt, err);
}

static wh_status sealed_remove(wh_connection *c, wh_str key, wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return inner.type->store->remove(&inner, key, err);
}

static wh_status sealed_withdraw(wh_connection *c, wh_str key, wh_str version, wh_str to,
                                 wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return inner.type->store->withdraw(&inner, key, version, to, err);
}

static wh_status sealed_purge(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                              wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  return inner.type->store->purge(&inner, key, before_us, ret_count, err);
}

static bool sealed_announced(wh_connection *c, wh_str bucket, wh_str key, wh_str *ret_key) {
  wh_connection inner = wh_sealed_inner(c);
  return inner.type->store->announced(&inner, bucket, key, ret_key);
}

static wh_str sealed_located(wh_connection *c, wh_str key, wh_arena *arena, wh_str *ret_bucket) {
  wh_connection inner = wh_sealed_inner(c);
  return inner.type->store->located(&inner, key, arena, ret_bucket);
}

static wh_status sealed_reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  wh_connection inner = wh_sealed_inner(c);
  WH_TRY(inner.type->reach(&inner, ret_note, err));
  wh_str id = wh_sealed_of(c)->keys->key_id;
  wh_buf_printf(ret_note, ", encrypted here with key %.*s", WH_STR_ARG(id));
  return wh_buf_check(ret_note, err);
}

// --- the connection ------------------------------------------------------------------------------

static wh_store_type store_around(const wh_store_type *inner) {
  return (wh_store_type){
      .has_versions = inner->has_versions,
      .kept_below = inner->kept_below,
      .keeps_attributes = inner->keeps_attributes,
      .list = sealed_list,
      .stat = sealed_stat,
      .open = wh_sealed_open_object,
      .create = wh_sealed_create,
      .publish = sealed_publish,
      .put = wh_sealed_put,
      .attributes = sealed_attributes,
      .discard = sealed_discard,
      .attempts = sealed_attempts,
      .remove = sealed_remove,
      .withdraw = sealed_withdraw,
      .versions = sealed_versions,
      .restore = sealed_restore,
      .purge = sealed_purge,
      .announced = inner->announced ? sealed_announced : NULL,
      .located = inner->located ? sealed_located : NULL,
  };
}

wh_status wh_sealed_open(wh_connection *c, wh_sealed_keys *keys, wh_error *err) {
  wh_sealed *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) {
    wh_sealed_keys_close(keys);
    return wh_fail_memory(err);
  }
  s->keys = keys;
  s->inner_type = c->type;
  s->inner_own = c->own;
  s->store = store_around(c->type->store);
  s->type = *c->type;
  s->type.store = &s->store;
  s->type.reach = sealed_reach;
  c->own = s;
  c->type = &s->type;
  return WH_OK;
}

bool wh_sealed_is(const wh_connection *c) {
  return c->type->store && c->type->store->open == wh_sealed_open_object;
}

void wh_sealed_close(wh_connection *c) {
  if (!wh_sealed_is(c)) return;
  wh_sealed *s = wh_sealed_of(c);
  c->type = s->inner_type;
  c->own = s->inner_own;
  wh_sealed_keys_close(s->keys);
  wh_mem_free(c->mem, s, sizeof *s);
}
