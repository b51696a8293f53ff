// Sites: folders of pages, published to a store. How one lies there: ledger/site_index.h; why so:
// docs/decisions/040.
//
// A version is put in full under a folder of its own, which nothing changes any more; then its
// index; then the page at the door, which leads to it, is replaced. So a reader who came in by the
// door has all pages, styles and pictures of one version, and keeps them while others are
// published. A call that was killed is finished, or what it left removed, by the next one.
#pragma once

#include "engine/engine.h"
#include "ledger/site_index.h"

enum {
  WH_SITE_LANES = 8,            // files on their way at once
  WH_SITE_TRIES_MAX = 16,       // against others who publish the same site; WH_ERR_BUSY
  WH_SITE_VERSIONS_MAX = 1000,  // that there can be at once
  WH_SITE_ABANDONED_HOURS = 24, // after which files that no index names are taken to be left over
};

typedef enum wh_site_change { WH_SITE_ADDED, WH_SITE_CHANGED, WH_SITE_GONE } wh_site_change;
const char *wh_site_change_name(wh_site_change change);
typedef void (*wh_site_tell)(void *context, wh_site_change change, const wh_site_file *file);

typedef struct wh_site_request {
  const wh_site *site;
  bool dry;          // only looks
  bool replace;      // pages that are at its doors, and that Wherry did not put there
  wh_site_tell tell; // of each file that differs from the present version, in order; NULL: nobody
  void *context;
} wh_site_request;

typedef struct wh_site_done {
  uint64_t version;              // that is shown now; dry: that would be
  uint64_t of;                   // of a rollback: the version that it shows again
  bool is_new;                   // false: it was shown already
  uint64_t files, bytes;         // of the version
  uint64_t added, changed, gone; // files, beside the version before
  uint64_t sent, sent_bytes;     // files that went over; the store copied the others by itself
  uint64_t hidden;               // names that begin with a dot, which stay
  uint64_t removed;              // earlier versions that went
} wh_site_done;

// WH_ERR_EXISTS: there is another page at a door. WH_ERR_CHANGED: a file changed meanwhile.
wh_status wh_site_publish(wh_engine *engine, const wh_site_request *request, wh_site_done *ret,
                          wh_error *err);
// Shows an earlier version again, as a new one with the same files; 0: the one before what is
// shown. WH_ERR_NOT_FOUND.
wh_status wh_site_rollback(wh_engine *engine, const wh_site *site, uint64_t version,
                           wh_site_done *ret, wh_error *err);
// The versions there are, lowest first.
wh_status wh_site_versions(wh_engine *engine, const wh_site *site, wh_arena *arena, uint64_t **ret,
                           size_t *ret_count, wh_error *err);
wh_status wh_site_read(wh_engine *engine, const wh_site *site, uint64_t version, wh_arena *arena,
                       wh_site_index *ret, wh_error *err);
