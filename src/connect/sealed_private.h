// The pieces of connect/sealed_store.h: the verbs, what is read and what is written.
#pragma once

#include "connect/sealed_store.h"

typedef struct wh_sealed {
  wh_sealed_keys *keys;
  const wh_connector *inner_type;
  void *inner_own;
  wh_connector type; // the inner one with the store below
  wh_store_type store;
} wh_sealed;

static inline wh_sealed *wh_sealed_of(const wh_connection *c) {
  return c->own;
}
static inline const wh_store_type *wh_sealed_inner_store(const wh_connection *c) {
  return wh_sealed_of(c)->inner_type->store;
}
// What the inner store's verbs are given. What they return may keep a pointer to it.
wh_connection wh_sealed_inner(const wh_connection *c);

// Passes `status` on, with the connection's name and the key in front of the text when it is an
// error of ours; the inner store's have them.
wh_status wh_sealed_say(const wh_connection *c, wh_str key, wh_status status, wh_error *err);

wh_status wh_sealed_open_object(wh_connection *c, wh_str key, wh_str version, wh_input **ret,
                                wh_error *err);
wh_status wh_sealed_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err);
wh_status wh_sealed_put(wh_connection *c, wh_str key, const wh_put_options *options,
                        wh_upload **ret, wh_error *err);
