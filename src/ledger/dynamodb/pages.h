// The pages of a SQLite database, in memory: as they were committed, and as they are being changed.
#pragma once

#include "base/buf.h"

enum {
  DYNAMO_PAGE_BYTES = 4096,
  DYNAMO_PAGES_MAX = 16384, // 64 MiB
};

typedef struct dynamo_page {
  uint8_t *now;  // NULL: cut off
  uint8_t *kept; // as committed, where `now` is another; NULL: `now` is, or there was none
} dynamo_page;

typedef struct dynamo_pages {
  wh_mem *mem;
  dynamo_page *pages;
  size_t count;      // now
  size_t kept_count; // as committed
  size_t cap;
  bool is_touched; // since accept or restore
} dynamo_pages;

void dynamo_pages_free(dynamo_pages *p); // zeroed but for `mem` is fine; empty afterwards

// Reading behind the end gives zeros, and false.
bool dynamo_pages_read(const dynamo_pages *p, uint64_t offset, void *out, size_t len);
// False: no memory, or more than DYNAMO_PAGES_MAX. What was there is kept.
bool dynamo_pages_write(dynamo_pages *p, uint64_t offset, const void *data, size_t len);
void dynamo_pages_truncate(dynamo_pages *p, uint64_t bytes);
void dynamo_pages_accept(dynamo_pages *p);  // it is committed
void dynamo_pages_restore(dynamo_pages *p); // as it was committed

// What leads from the committed pages to those of now; nothing where they are the same. `whole`:
// from no pages at all, so that it holds everything. Numbers are little-endian: u32 pages in all;
// u32 changed ones; u32 the place of each; each one's bytes, XORed with those it had (zeros for a
// new one), which makes what stayed compress to nothing. *ret_hash: of what the pages become.
wh_status dynamo_pages_differ(const dynamo_pages *p, bool whole, wh_buf *out, uint64_t *ret_hash,
                              wh_error *err);
// Takes such a difference over, as committed. WH_ERR_DATA: it is none, or not for these pages; they
// are then worth nothing.
wh_status dynamo_pages_apply(dynamo_pages *p, wh_str difference, uint64_t hash, wh_error *err);
