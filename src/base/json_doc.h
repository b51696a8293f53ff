// Small JSON documents (manifests, answers of services, events) as jansson's trees. Rows never come
// this way: see codec/json.
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

// Parses a document, strictly: UTF-8, no member twice, nothing behind it; at most max_bytes.
// `what` is for messages: "the manifest". The caller frees *ret with json_decref.
wh_status wh_json_load(wh_str json, size_t max_bytes, const char *what, json_t **ret,
                       wh_error *err);
static inline void wh_json_cleanup_(json_t **json) {
  json_decref(*json);
}
#define WH_CLEAN_JSON __attribute__((cleanup(wh_json_cleanup_)))
// A view of a string member, valid while `object` is; an empty view when it is missing or not a
// string.
wh_str wh_json_text(const json_t *object, const char *name);
