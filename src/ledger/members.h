// Members of JSON documents that Wherry wrote itself: manifests, and the indexes of datasets. Each
// is what it has to be, or the error names it: "the manifest's 'rows' is missing".
#pragma once

#include "base/arena.h"
#include "base/json_doc.h"

typedef struct wh_members {
  const json_t *root;
  wh_arena *arena;
  const char *what; // "the manifest"
  wh_error *err;
} wh_members;

wh_status wh_member_fail(const wh_members *m, const char *name, const char *what);
// `text` in the arena.
wh_status wh_member_copy(const wh_members *m, wh_str text, wh_str *ret);
// A text that is not empty.
wh_status wh_member_text(const wh_members *m, const char *name, wh_str *ret);
// The same where there may be none: then empty.
wh_status wh_member_maybe(const wh_members *m, const char *name, wh_str *ret);
wh_status wh_member_number(const wh_members *m, const char *name, int64_t max, int64_t *ret);
wh_status wh_member_count(const wh_members *m, const char *name, int64_t max, uint64_t *ret);
// 64 lower-case hex digits.
wh_status wh_member_sha256(const wh_members *m, const char *name, wh_str *ret);
// 16 lower-case hex digits: a hash of 64 bits, which JSON readers elsewhere would not keep exactly.
wh_status wh_member_hash(const wh_members *m, const char *name, uint64_t *ret);
wh_status wh_member_instant(const wh_members *m, const char *name, int64_t *ret_us);
// The version of the document's form, its first member, which is to be `known`.
wh_status wh_member_form(const wh_members *m, const char *name, int known);
