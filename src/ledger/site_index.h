// The index of a site: what one version of it is. A site is a folder of pages that is shown as one
// thing. Each publication puts its files into a folder of its own, then its index where none is;
// the highest version there is is the present one, and the page at the site's door leads to it.
//
//   _wherry/sites/PREFIX000000000012.json   the index of version 12
//   PREFIX_versions/01jd3v.../style.css     a file, for as long as an index names its folder
//   PREFIXindex.html                        the door (engine/site_door.h)
//
//   {"site": 1, "version": 12, "of": 0, "folder": "01jd3v00000000000000000000",
//    "created": "2026-11-21T09:00:00.123Z", "bytes": 14200,
//    "files": [{"path": "style.css", "type": "text/css; charset=utf-8", "bytes": 14200,
//               "sha256": "<64 hex digits>"}]}
//
// "site" is the version of the form. `of` is the version that a rollback shows again, whose folder
// it has too: 0 for none. Files stand in the byte order of their paths.
#pragma once

#include "base/buf.h"
#include "connect/store.h"

#define WH_SITE_INDEXES  WH_OWN_PREFIX "sites/"
#define WH_SITE_VERSIONS "_versions/"

enum {
  WH_SITE_VERSION = 1,
  WH_SITE_INDEX_BYTES_MAX = 8 << 20,
  WH_SITE_FILES_MAX = 10000,
  WH_SITE_VERSION_DIGITS = 12,
};

typedef struct wh_site_file {
  wh_str path; // below the folder, a key
  wh_str type; // as Content-Type has it
  uint64_t bytes;
  wh_str sha256;
} wh_site_file;

typedef struct wh_site_index {
  uint64_t version, of;
  wh_str folder; // a ULID
  int64_t created_us;
  const wh_site_file *files;
  size_t file_count;
  uint64_t bytes; // sum over the files
} wh_site_index;

// Adds the bytes up; false, and out->failed, without memory.
bool wh_site_write(const wh_site_index *index, wh_buf *out);
// Strict about what it knows: a path that is no key, files that are not in order, or a sum that is
// another are WH_ERR_DATA. Strings live in the arena.
wh_status wh_site_parse(wh_str json, wh_arena *arena, wh_site_index *ret, wh_error *err);
// "_wherry/sites/PREFIX000000000012.json"; an empty .data without memory.
wh_str wh_site_key(wh_str prefix, uint64_t version, wh_arena *arena);
// The version that such a key is of; 0: it is none.
uint64_t wh_site_key_version(wh_str prefix, wh_str key);
// The file of that path; NULL: none.
const wh_site_file *wh_site_find(const wh_site_index *index, wh_str path);
