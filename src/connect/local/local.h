// A folder as a store of objects: the object with key "inbound/x.json" is the file
// <path>/inbound/x.json, so that people and other programs can put files there and take them away.
// This header is the folder's own; outside it only wh_connector_local matters.
//
// What Wherry keeps beside the objects, under <path>/_wherry/:
//   attempts/<name>                  what is being written, or is sealed and waits to be published
//   attempts/<name>~                 a second link to an attempt that is about to replace an object
//   versions/<key>/<time>~<version>  an earlier version: what was replaced or removed at <time>
//   versions/<key>/<time>~deleted    a marker: the object was removed at <time>
//   lock, restore.lock               held while an object moves among the versions
// <time> is nanoseconds since 1970 in 20 digits, so that names sort by it.
//
// A version is "<inode>-<size>-<time of modification in ns>", in decimal, and stays the same when
// the file becomes an earlier version, because that is a second link to the same file. What cannot
// be told apart: two contents of the same size written in place within one tick of the file
// system's clock (some ms), or of a file removed and one made anew within a tick that got its
// inode.
//
// Symbolic links. No link below <path> is followed: a key that leads over one is refused, a listing
// skips it. Each part of a key is looked at before the file is opened, and what was opened is
// compared with what was looked at, so a link that is put there in between shows as a changed file
// when reading. Someone who may rename folders inside the lake while Wherry writes could still lead
// a write elsewhere; a lake belongs in a folder that only those who may write to it can write to.
//
// Durability. An answer is given when the bytes and every name on the way, from <path> down, are
// synced. That goes for folders that are there already, too: whoever made them may not have come to
// it. Those that this program has synced once are remembered (wh_os_name_is_known).
//
// Where a file system has no hard links, the system moves the file instead (base/os.h): publishing
// stays atomic, but while an object is replaced under `versioning` there is a moment without it.
#pragma once

#include "connect/connect.h"

#include <stdio.h>

typedef struct wh_local_options {
  wh_str path;
  bool versioning;
  wh_str encryption_key; // empty: objects are files as they are; else connect/sealed_store.h
  wh_str_list encryption_keys_old;
} wh_local_options;

extern const wh_connector wh_connector_local;
extern const wh_store_type wh_local_store;
extern const wh_queue_type wh_local_queue;

#define WH_LOCAL_ATTEMPTS     WH_OWN_PREFIX "attempts/"
#define WH_LOCAL_VERSIONS     WH_OWN_PREFIX "versions/"
#define WH_LOCAL_LOCK         WH_OWN_PREFIX "lock"
#define WH_LOCAL_RESTORE_LOCK WH_OWN_PREFIX "restore.lock"
#define WH_LOCAL_DELETED      "deleted" // in the place of a version

enum {
  WH_LOCAL_NAME_MAX = 255,     // bytes of one part of a key: what file systems take
  WH_LOCAL_VERSION_SIZE = 72,  // three 64-bit numbers, dashes, NUL
  WH_LOCAL_OPEN_TRIES = 8,     // while somebody keeps replacing the file
  WH_LOCAL_WALK_NAMES = 32768, // names of one folder held at a time; a larger one is read again
  WH_LOCAL_LOCK_WAIT_MS = 30000,
};

static inline const wh_local_options *wh_local_options_of(const wh_connection *c) {
  return c->options;
}

// --- path.c: keys and paths ----------------------------------------------------------------------

// The file of a key, checked; in the arena. Touches nothing.
wh_status wh_local_path(wh_connection *c, wh_arena *arena, wh_str key, char **ret, wh_error *err);
// The folder of a key's earlier versions, with `tail` behind it ("/<time>~<version>"). Longer than
// a key may be.
wh_status wh_local_kept_path(wh_connection *c, wh_arena *arena, wh_str key, const char *tail,
                             char **ret, wh_error *err);
// As wh_local_path, for keys that may be written: not what the store keeps for itself.
wh_status wh_local_writable_path(wh_connection *c, wh_arena *arena, wh_str key, char **ret,
                                 wh_error *err);
// What is at `path` (from wh_local_path), after every folder on the way was seen to be one.
// WH_ERR_NOT_FOUND: nothing, or a folder; WH_ERR_REFUSED: a symbolic link, or another thing that
// is no file, is there or on the way.
wh_status wh_local_look(wh_connection *c, const char *path, wh_file_info *ret, wh_error *err);
// The same for a folder: `path` and those above it, up to the store's own.
wh_status wh_local_look_folder(wh_connection *c, const char *path, wh_error *err);
// Makes the folders above `path`, the store's own included. They are durable only after
// wh_local_sync_folders.
wh_status wh_local_make_folders(wh_connection *c, const char *path, wh_error *err);
// Makes the name at `path` durable, and those of the folders on the way to it.
wh_status wh_local_sync_folders(wh_connection *c, const char *path, wh_error *err);

void wh_local_version(const wh_file_info *info, char ret[WH_LOCAL_VERSION_SIZE]);
// In the arena.
wh_status wh_local_object(wh_arena *arena, wh_str key, const wh_file_info *info, wh_object *ret,
                          wh_error *err);
static inline bool wh_local_same_file(const wh_file_info *a, const wh_file_info *b) {
  return a->inode == b->inode && a->device == b->device;
}
// A name in a folder that can be a part of a key and is not one of wh_os_write_file's leftovers.
bool wh_local_is_name(wh_str name);

// --- walk.c: the names of one folder, in order ---------------------------------------------------

typedef struct wh_local_entry {
  wh_str name;
  bool is_folder; // else a regular file; nothing else is shown
} wh_local_entry;

typedef struct wh_local_walk {
  bool descending;
  // Entries to leave out; may be NULL.
  bool (*accept)(void *context, const wh_local_entry *entry);
  wh_status (*visit)(void *context, const wh_local_entry *entry, wh_error *err);
  void *context;
} wh_local_walk;

// Visits files and folders in the byte order of the keys they stand for, that is, with a '/' behind
// the name of a folder ("a-b" < "a/" < "a0"). At most 2 x WH_LOCAL_WALK_NAMES names are in memory.
// A folder that is not there has no names.
wh_status wh_local_walk_folder(wh_connection *c, const char *path, const wh_local_walk *walk,
                               wh_error *err);

// --- list.c, read.c ------------------------------------------------------------------------------

wh_status wh_local_list(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                        wh_error *err);
wh_status wh_local_stat(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret,
                        wh_error *err);
wh_status wh_local_open(wh_connection *c, wh_str key, wh_str version, wh_input **ret,
                        wh_error *err);

// --- upload.c: attempts --------------------------------------------------------------------------

// The file of an attempt, its name checked.
wh_status wh_local_attempt_path(wh_connection *c, wh_arena *arena, wh_str attempt, char **ret,
                                wh_error *err);
wh_status wh_local_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err);
// The same for put(): sealing makes only its bytes durable, and its name lasts until it is
// published by wh_local_publish_brief or discarded.
wh_status wh_local_create_brief(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err);
wh_status wh_local_discard(wh_connection *c, wh_str attempt, wh_error *err);
wh_status wh_local_attempts(wh_connection *c, wh_object_visit visit, void *context, wh_error *err);

// --- put.c ---------------------------------------------------------------------------------------

wh_status wh_local_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_upload **ret,
                       wh_error *err);
wh_status wh_local_attributes(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                              wh_attributes *ret, wh_error *err);

// --- publish.c -----------------------------------------------------------------------------------

wh_status wh_local_publish(wh_connection *c, wh_str attempt, wh_str key, bool replace,
                           wh_arena *arena, wh_object *ret, wh_error *err);
// Of an attempt of wh_local_create_brief that was sealed. Once it is the object, what a crash may
// bring back of the attempt is a second link to it, for attempts() to show.
wh_status wh_local_publish_brief(wh_connection *c, wh_str attempt, wh_str key, bool replace,
                                 wh_error *err);
// Replaces what is under the key; with `keep`, that becomes an earlier version.
wh_status wh_local_replace(wh_connection *c, wh_str attempt, wh_str key, bool keep,
                           wh_file_info *ret, wh_error *err);
wh_status wh_local_remove(wh_connection *c, wh_str key, wh_error *err);
wh_status wh_local_withdraw(wh_connection *c, wh_str key, wh_str version, wh_str to, wh_error *err);

// --- versions.c ----------------------------------------------------------------------------------

// Takes a lock: WH_LOCAL_LOCK for what changes versions, WH_LOCAL_RESTORE_LOCK (first, where both
// are taken) for a restore. Closing the file releases it. Waits for it, with a limit: WH_ERR_BUSY.
wh_status wh_local_lock(wh_connection *c, const char *key, wh_file **ret, wh_error *err);
// Makes the present file of a key, which `info` is of, an earlier version too; durable afterwards.
// Under the lock, like all that changes versions.
wh_status wh_local_keep(wh_connection *c, wh_str key, const char *path, const wh_file_info *info,
                        wh_error *err);
// Notes that the object was removed now.
wh_status wh_local_mark_deleted(wh_connection *c, wh_str key, wh_error *err);
// The file of an earlier version, or NULL.
wh_status wh_local_find_version(wh_connection *c, wh_arena *arena, wh_str key, wh_str version,
                                char **ret, wh_error *err);
wh_status wh_local_versions(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                            wh_error *err);
wh_status wh_local_purge(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                         wh_error *err);
wh_status wh_local_restore(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                           wh_object *ret, wh_error *err);
