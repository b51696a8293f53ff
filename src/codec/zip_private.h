// An archive while it is open: what zip.c, of the directory, and zip_member.c, of what is in it,
// share.
#pragma once

#include "codec/zip.h"

enum { ZIP_LOCAL_BYTES = 30, ZIP_STORED = 0, ZIP_DEFLATED = 8 };
enum { // general purpose flags (4.4.4)
  ZIP_ENCRYPTED = 1 << 0,
  ZIP_DESCRIBED = 1 << 3, // sizes and CRC stand behind the bytes, in a data descriptor
  ZIP_STRONGLY_ENCRYPTED = 1 << 6,
  ZIP_UTF8 = 1 << 11,
  ZIP_MASKED = 1 << 13,
};

// Bytes of the archive, from `at`.
typedef struct zip_window {
  unsigned char *bytes;
  size_t cap, len;
  uint64_t at;
} zip_window;

// Of a member, at least; the name's hash.
typedef struct zip_range {
  uint64_t start, end, name;
} zip_range;

struct wh_zip {
  wh_mem *mem;
  wh_input *in;
  zip_window directory, data;
  uint64_t start, end, at; // of the directory; where its next entry is
  size_t count;
  zip_range *ranges;           // by their start
  char name[WH_ZIP_NAME_MAX];  // of the entry before `at`, as it stands there
  char shown[WH_ZIP_NAME_MAX]; //
  size_t name_len;
};

static inline uint16_t zip_u16(const unsigned char *b) {
  return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t zip_u32(const unsigned char *b) {
  return (uint32_t)zip_u16(b) | (uint32_t)zip_u16(b + 2) << 16;
}
static inline uint64_t zip_u64(const unsigned char *b) {
  return (uint64_t)zip_u32(b) | (uint64_t)zip_u32(b + 4) << 32;
}

wh_status zip_damaged(wh_error *err, const char *what);
uint64_t zip_hash(const char *name, size_t len);
// What the window holds at `at`, at least a byte.
wh_status zip_view(wh_zip *zip, zip_window *w, uint64_t at, const unsigned char **ret,
                   size_t *ret_len, wh_error *err);
wh_status zip_get(wh_zip *zip, zip_window *w, uint64_t at, void *to, size_t len, wh_error *err);
// The values that are `wanted`, in their order, of the ZIP64 field (4.5.3) among the extra fields
// from `at` to `end`.
wh_status zip_find_wide(wh_zip *zip, zip_window *w, uint64_t at, uint64_t end, const bool *wanted,
                        uint64_t *ret, size_t count, wh_error *err);
// Where a member that starts there ends at the latest.
uint64_t zip_limit_of(const wh_zip *zip, uint64_t start);
