// ZIP archives (PKWARE APPNOTE.TXT 6.3.10), read by their central directory: members that are
// stored or deflated, ZIP64 and data descriptors included.
//
// An archive is taken at its word only where all of it agrees: its directory ends where its end
// record begins, every local header says what the directory does, no two members share a byte or a
// name, and a member has exactly the bytes and the CRC-32 that it says. Anything else is
// WH_ERR_DATA. Memory: two windows of bytes and 24 bytes a member, from the accountant.
//
// Threads: one at a time for an archive and what is open of it.
#pragma once

#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"

enum {
  WH_ZIP_MEMBERS_MAX = 65535, // folders among them
  WH_ZIP_NAME_MAX = 1024,     // bytes of a member's name
};

typedef struct wh_zip wh_zip;

typedef struct wh_zip_member {
  wh_str name;     // as it stands there; bytes of no UTF-8 are '_'. Valid until the next one
  bool is_folder;  // ends in '/'; has no bytes
  uint64_t size;   // of what is in it
  uint64_t packed; // as it is stored
  uint64_t offset; // of its local header
  uint32_t crc;
  uint16_t flags, method;
} wh_zip_member;

// `in` stays the caller's, and outlives the archive; it must have read_at. Reads all of the
// directory. WH_ERR_LIMIT: more than WH_ZIP_MEMBERS_MAX, or what is in it is more than
// WH_EXPANSION_MAX times as large as the archive (codec/compression.h).
wh_status wh_zip_open(wh_mem *mem, wh_input *in, wh_zip **ret, wh_error *err);
void wh_zip_close(wh_zip *zip); // NULL is fine

void wh_zip_rewind(wh_zip *zip);
// The next member in the order of the directory. WH_ERR_END.
wh_status wh_zip_next(wh_zip *zip, wh_zip_member *ret, wh_error *err);
// Whether it can be read at all: it is not encrypted, and compressed in a way that is known.
wh_status wh_zip_check(const wh_zip_member *member, wh_error *err);
// What is in the member that `next` gave last; it is closed before the archive.
wh_status wh_zip_open_member(wh_zip *zip, const wh_zip_member *member, wh_input **ret,
                             wh_error *err);
