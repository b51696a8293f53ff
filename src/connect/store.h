// Stores of objects. Keys are UTF-8 with '/' between parts, never empty parts, ".", "..", control
// characters, or a leading '/'. A published object is immutable under its version.
//
// Writing: create an attempt under a name of its own, write, seal (from then on it is durable and
// complete, but not visible), publish (visible at once, whole, replacing nothing), or discard.
#pragma once

#include "base/stream.h"
#include "connect/connection.h"

enum { WH_KEY_MAX = 1024, WH_ATTEMPT_MAX = 128 }; // bytes

// Objects whose key begins with this are Wherry's own: manifests, attempts, versions. Listing from
// outside skips them; listing with this prefix shows them.
#define WH_OWN_PREFIX "_wherry/"

// The folder of a dataset (ledger/dataset.h) in which the indexes of its versions are.
#define WH_DATASET_VERSIONS "_versions/"
enum { WH_DATASET_PARTITION_MAX = 8 }; // columns
// Of these, parts of an object that is being made (engine/shared_part.h). They go when its run
// ends, and stores of files keep no earlier versions of them.
#define WH_PARTS_PREFIX WH_OWN_PREFIX "parts/"

typedef struct wh_object {
  wh_str key;
  wh_str version; // opaque identity of these bytes: version id, ETag, or inode-size-mtime
  uint64_t size;
  int64_t modified_us;
  int64_t changed_us; // list(), stat(): by the store's own clock, where `modified_us` may have been
                      // set by whoever put it there; 0: unknown
  int64_t settled_us; // list(), stat(): when, by our clock, it will have been seen to stay as it is
                      // for long enough; 0: the times above tell
  bool is_deleted;    // versions(): a marker that the object was removed then
  bool is_latest;     // versions()
} wh_object;
typedef wh_status (*wh_object_visit)(void *context, const wh_object *object, wh_error *err);

// What an object is besides its bytes, where a store can keep it. Texts may be empty.
typedef struct wh_attribute {
  wh_str name, value;
} wh_attribute;
typedef struct wh_attributes {
  wh_str content_type, content_encoding, content_language, content_disposition, cache_control;
  const wh_attribute *metadata; // of whoever put it there; names without a store's own prefix
  size_t metadata_count;
  int64_t modified_us; // of the bytes, which a copy keeps; 0: unknown
} wh_attributes;

typedef struct wh_put_options {
  const wh_attributes *attributes; // those that the store cannot keep are passed over; may be NULL
  bool replace;                    // else WH_ERR_EXISTS when other bytes have the key
} wh_put_options;

typedef struct wh_upload wh_upload;
struct wh_upload {
  wh_output output;
  // Everything written is durable afterwards; what was `put` is then visible. No write may follow.
  wh_status (*seal)(wh_upload *upload, wh_error *err);
  void (*close)(wh_upload *upload); // frees it; an unsealed attempt is removed
  // Instead of `output`, for bytes whose places are known: in any order, from several threads at
  // once, all of them before `seal`, which counts what came. `data` is the caller's again
  // afterwards. NULL: this store takes them in order only.
  wh_status (*write_part)(wh_upload *upload, uint64_t offset, const void *data, size_t len,
                          wh_error *err);
  size_t part_bytes; // of every part, which begins at a multiple of it; the last may be shorter.
                     // 0: any
};

// Attempts of put() begin with this; what a crash left of one is for whoever puts next.
#define WH_PUT_PREFIX "put-"

typedef struct wh_store_type {
  bool has_versions;      // may keep earlier versions, if the connection's options say so
  const char *kept_below; // these are its objects PREFIX<key>/<version>; NULL: no objects are
  bool keeps_attributes;  // those that put() is given
  // Objects whose key begins with `prefix` (which need not end at a '/'), in byte order of keys;
  // `object` lives as long as the visit.
  wh_status (*list)(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                    wh_error *err);
  wh_status (*stat)(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret, wh_error *err);
  // `version` empty: the latest. WH_ERR_NOT_FOUND; WH_ERR_CHANGED when the key holds another
  // version now, also noticed while reading.
  wh_status (*open)(wh_connection *c, wh_str key, wh_str version, wh_input **ret, wh_error *err);
  // `attempt` is a short name unique to the run ("01jd3v...-0"): letters, digits, '-', '.'.
  wh_status (*create)(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err);
  // WH_ERR_EXISTS when other bytes have the key. Publishing an attempt that already is under the
  // key succeeds (a restart does that); WH_ERR_NOT_FOUND when there is no such attempt, which a
  // publish that was completed leaves behind, too: `stat` tells what the key holds. With `replace`,
  // what was there becomes an earlier version (or is gone, where the store keeps none).
  wh_status (*publish)(wh_connection *c, wh_str attempt, wh_str key, bool replace, wh_arena *arena,
                       wh_object *ret, wh_error *err);
  // Straight under the key, whole or not at all, when the upload is sealed: for bytes that no
  // ledger knows of. What a crash leaves behind is not visible, and goes away by itself or is found
  // by attempts(). `options` have to live until the upload is closed.
  wh_status (*put)(wh_connection *c, wh_str key, const wh_put_options *options, wh_upload **ret,
                   wh_error *err);
  // The bytes of `key` and what else it is also under the key `to`, made by the store without a way
  // through here; what was there is replaced. NULL: this store cannot.
  wh_status (*copy)(wh_connection *c, wh_str key, wh_str to, wh_error *err);
  // `version` as in open().
  wh_status (*attributes)(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                          wh_attributes *ret, wh_error *err);
  wh_status (*discard)(wh_connection *c, wh_str attempt, wh_error *err); // missing is fine
  wh_status (*attempts)(wh_connection *c, wh_object_visit visit, void *context, wh_error *err);
  // Missing is fine. Where earlier versions are kept, it becomes one, with a marker behind it.
  wh_status (*remove)(wh_connection *c, wh_str key, wh_error *err);
  // Takes `version` away from its key: to the key `to`, where it replaces nothing (WH_ERR_EXISTS),
  // or, with an empty `to`, as remove() does. WH_ERR_CHANGED: the key holds another version, which
  // stays. Missing is fine: an earlier call was cut short. Of a file that somebody puts under the
  // key in the moment between the look and the deed a server of SFTP gives back what was moved;
  // else it may be removed. On S3 two that move to one key at once may meet there.
  wh_status (*withdraw)(wh_connection *c, wh_str key, wh_str version, wh_str to, wh_error *err);
  // Newest first, the current one included. WH_ERR_NOT_FOUND: there is none, and never was.
  wh_status (*versions)(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                        wh_error *err);
  // Makes an earlier version the current one again (a copy: nothing of the history is lost).
  wh_status (*restore)(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                       wh_object *ret, wh_error *err);
  // Removes for good what was modified before `before_us` of the earlier versions and markers of a
  // key, never the present one; adds to *ret_count how many versions. None is fine.
  wh_status (*purge)(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                     wh_error *err);
  // Whether an object of a bucket, as queues announce it, is in this store; then its key here is a
  // view of `key`. Asks nobody. NULL: no queue speaks of its objects.
  bool (*announced)(wh_connection *c, wh_str bucket, wh_str key, wh_str *ret_key);
  // The other way round: the bucket, and the key there in the arena; without data: no memory. NULL
  // where `announced` is.
  wh_str (*located)(wh_connection *c, wh_str key, wh_arena *arena, wh_str *ret_bucket);
} wh_store_type;

// Removes what crashes left of put(): attempts that are a day old.
wh_status wh_store_sweep_puts(wh_connection *c, wh_error *err);

// Refuses keys that break the rules above, naming the rule: WH_ERR_USAGE, or WH_ERR_LIMIT for one
// that is too long. Control characters are those of Unicode (category Cc), DEL and C1 included.
wh_status wh_key_check(wh_str key, wh_error *err);

// --- for stores of files -------------------------------------------------------------------------

// Refuses a key of which a part has more bytes than a file's name can: WH_ERR_LIMIT.
wh_status wh_key_check_parts(wh_str key, size_t most, wh_error *err);
// The byte order of the keys that names in one folder lead to: those of folders have a '/' behind
// them ("a-b" < "a/" < "a0").
int wh_key_name_cmp(wh_str a, bool a_is_folder, wh_str b, bool b_is_folder);
// WH_ERR_CHANGED: what withdraw() found under the key is not what it was asked to take.
wh_status wh_store_other_version(wh_str key, wh_error *err);
// Passes `status` on, with the connection's name in front of the text when it is an error. Only the
// verbs that other code calls do this; what is below them speaks of keys alone.
wh_status wh_store_say(const wh_connection *c, wh_status status, wh_error *err);

// An attempt's name: 1 to WH_ATTEMPT_MAX letters, digits, '-' or '.', not beginning with '.'.
wh_status wh_attempt_check(wh_str attempt, wh_error *err);

enum { WH_GLOB_MAX = 1024 }; // bytes of a pattern; a longer one matches nothing

// Glob over whole keys: '*' and '?' do not cross '/', "**" does ("a/**/b" also matches "a/b"),
// [abc], [a-z] and [!abc] in a part. '?' and a class stand for one character (not byte). There is
// no escape; a class of one, "[*]", takes a wildcard literally, and so is a '[' that is never
// closed.
bool wh_glob_match(wh_str pattern, wh_str key);
// Whether some key that begins with `folder` (empty, or ending in '/') could match: whether a walk
// should go down there.
bool wh_glob_may_match_below(wh_str pattern, wh_str folder);
// The part of a pattern before its first wildcard: what to list.
wh_str wh_glob_prefix(wh_str pattern);
// The position behind the ']' of a class that opens at `at`, or 0 when it is never closed within
// its part ('[' then stands for itself). A ']' right behind the opening is a member.
size_t wh_glob_class_end(wh_str pattern, size_t at);
