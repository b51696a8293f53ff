// What is in a member: its local header, its bytes, and whether they are those that were meant.
#include "codec/zip_private.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zlib.h>

static const uint32_t LOCAL = 0x04034b50, DESCRIPTOR = 0x08074b50;
enum { RAW_WINDOW = -15 }; // deflated bytes without a header of zlib's

typedef struct member_input {
  wh_input base;
  wh_zip *zip;
  uint64_t at;           // of the next of its bytes in the archive
  uint64_t packed, left; // bytes still to be read there, and to be given out
  uint32_t crc, wanted;
  bool is_stored, ended;
  z_stream z;
  bool has_z;
} member_input;

uint64_t zip_hash(const char *name, size_t len) {
  return XXH3_64bits(name, len);
}

wh_status wh_zip_check(const wh_zip_member *m, wh_error *err) {
  if (m->flags & (ZIP_ENCRYPTED | ZIP_STRONGLY_ENCRYPTED | ZIP_MASKED))
    return wh_fail(err, WH_ERR_DATA, "is encrypted, and no password opens it here");
  if (m->method == ZIP_STORED || m->method == ZIP_DEFLATED) return WH_OK;
  return wh_fail(err, WH_ERR_DATA,
                 "is compressed by method %u; those that are read are 0 (stored) and 8 (deflated)",
                 m->method);
}

// --- the local header ----------------------------------------------------------------------------

// Where sizes and CRC stand behind the bytes they are zero in front of them, or right.
static bool agree(const wh_zip_member *m, uint32_t crc, uint64_t size, uint64_t packed) {
  bool open = m->flags & ZIP_DESCRIBED;
  return (crc == m->crc || (open && crc == 0)) && (size == m->size || (open && size == 0)) &&
         (packed == m->packed || (open && packed == 0));
}

static wh_status disagree(wh_error *err) {
  return zip_damaged(err, "its directory says something else of it than stands in front of it");
}

// *ret: where its bytes begin.
static wh_status read_local(wh_zip *zip, const wh_zip_member *m, uint64_t *ret, wh_error *err) {
  unsigned char b[ZIP_LOCAL_BYTES];
  char name[WH_ZIP_NAME_MAX];
  WH_TRY(zip_get(zip, &zip->data, m->offset, b, sizeof b, err));
  uint64_t name_at = m->offset + ZIP_LOCAL_BYTES, extra_at = name_at + zip->name_len;
  const uint16_t same = ZIP_ENCRYPTED | ZIP_DESCRIBED | ZIP_UTF8;
  if (zip_u32(b) != LOCAL || zip_u16(b + 26) != zip->name_len || zip_u16(b + 8) != m->method ||
      ((zip_u16(b + 6) ^ m->flags) & same))
    return disagree(err);
  WH_TRY(zip_get(zip, &zip->data, name_at, name, zip->name_len, err));
  if (memcmp(name, zip->name, zip->name_len) != 0) return disagree(err);
  *ret = extra_at + zip_u16(b + 28);
  uint64_t sizes[] = {zip_u32(b + 22), zip_u32(b + 18)};
  bool wide[] = {sizes[0] == UINT32_MAX, sizes[1] == UINT32_MAX};
  if (wide[0] || wide[1])
    WH_TRY(zip_find_wide(zip, &zip->data, extra_at, *ret, wide, sizes, 2, err));
  return agree(m, zip_u32(b + 14), sizes[0], sizes[1]) ? WH_OK : disagree(err);
}

// The descriptor may begin with a signature (4.3.9.3); the CRC comes next.
static wh_status check_descriptor(wh_zip *zip, const wh_zip_member *m, uint64_t at, uint64_t limit,
                                  wh_error *err) {
  unsigned char b[8];
  enum { LEAST = 12 };
  if (limit - at < LEAST) return zip_damaged(err, "a data descriptor is missing");
  WH_TRY(zip_get(zip, &zip->data, at, b, sizeof b, err));
  bool is_signed = zip_u32(b) == DESCRIPTOR;
  return zip_u32(b) == m->crc || (is_signed && zip_u32(b + 4) == m->crc) ? WH_OK : disagree(err);
}

// --- its bytes -----------------------------------------------------------------------------------

static wh_status fail_bytes(const char *what, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "its compressed bytes are damaged: %s", what);
}

// Up to `cap` bytes; *ret is 0 where zlib has to have more, or has met the end.
static wh_status inflate_some(member_input *in, void *data, size_t cap, size_t *ret,
                              wh_error *err) {
  const unsigned char *from = (const unsigned char *)"";
  size_t n = 0;
  if (in->packed) WH_TRY(zip_view(in->zip, &in->zip->data, in->at, &from, &n, err));
  if (n > in->packed) n = (size_t)in->packed;
  z_stream *z = &in->z;
  z->next_in = (Bytef *)(uintptr_t)from;
  z->avail_in = (uInt)n;
  z->next_out = data;
  z->avail_out = (uInt)cap;
  int result = inflate(z, Z_NO_FLUSH);
  in->at += n - z->avail_in;
  in->packed -= n - z->avail_in;
  *ret = cap - z->avail_out;
  in->ended = result == Z_STREAM_END;
  if (result == Z_MEM_ERROR) return wh_fail_memory(err);
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
    return fail_bytes(z->msg ? z->msg : "not deflated", err);
  bool stuck = !in->ended && in->packed == 0 && *ret == 0;
  return stuck ? fail_bytes("they end too early", err) : WH_OK;
}

static wh_status copy_some(member_input *in, void *data, size_t cap, size_t *ret, wh_error *err) {
  const unsigned char *from;
  size_t n;
  WH_TRY(zip_view(in->zip, &in->zip->data, in->at, &from, &n, err));
  if (n > cap) n = cap;
  memcpy(data, from, n);
  in->at += n;
  in->packed -= n;
  in->ended = in->packed == 0;
  *ret = n;
  return WH_OK;
}

// All that was said was given out: there must be no more of it.
static wh_status finish(member_input *in, wh_error *err) {
  while (!in->ended) {
    char more;
    size_t n;
    WH_TRY(inflate_some(in, &more, 1, &n, err));
    if (n) return fail_bytes("there is more than its directory says", err);
  }
  if (in->packed) return fail_bytes("there is more behind their end", err);
  if (in->crc != in->wanted) return fail_bytes("the CRC differs", err);
  return WH_OK;
}

static wh_status member_read(wh_input *base, void *data, size_t cap, size_t *ret, wh_error *err) {
  member_input *in = (member_input *)base;
  enum { OUT_MAX = 1 << 30 }; // zlib counts in unsigned
  size_t n = 0;
  if (cap > OUT_MAX) cap = OUT_MAX;
  if (cap > in->left) cap = (size_t)in->left;
  while (n == 0 && cap) {
    if (in->ended) return fail_bytes("there is less than its directory says", err);
    WH_TRY((in->is_stored ? copy_some : inflate_some)(in, data, cap, &n, err));
  }
  in->left -= n;
  if (n) in->crc = (uint32_t)crc32(in->crc, data, (uInt)n);
  *ret = n;
  return in->left ? WH_OK : finish(in, err);
}

static void member_close(wh_input *base) {
  member_input *in = (member_input *)base;
  if (in->has_z) inflateEnd(&in->z);
  wh_mem_free(in->zip->mem, in, sizeof *in);
}

static wh_status start(member_input *in, wh_error *err) {
  in->ended = in->is_stored && in->packed == 0;
  if (in->is_stored) return WH_OK;
  in->z =
      (z_stream){.zalloc = wh_mem_zlib_alloc, .zfree = wh_mem_library_free, .opaque = in->zip->mem};
  in->has_z = inflateInit2(&in->z, RAW_WINDOW) == Z_OK;
  return in->has_z ? WH_OK : wh_fail_memory(err);
}

wh_status wh_zip_open_member(wh_zip *zip, const wh_zip_member *m, wh_input **ret, wh_error *err) {
  uint64_t at, limit = zip_limit_of(zip, m->offset);
  WH_TRY(wh_zip_check(m, err));
  WH_TRY(read_local(zip, m, &at, err));
  if (at > limit || limit - at < m->packed)
    return zip_damaged(err, "a member runs into the next one");
  if (m->flags & ZIP_DESCRIBED) WH_TRY(check_descriptor(zip, m, at + m->packed, limit, err));
  member_input *in = wh_mem_alloc_zero(zip->mem, sizeof *in);
  if (!in) return wh_fail_memory(err);
  *in = (member_input){.base = {.size = m->size, .read = member_read, .close = member_close},
                       .zip = zip,
                       .at = at,
                       .packed = m->packed,
                       .left = m->size,
                       .wanted = m->crc,
                       .is_stored = m->method == ZIP_STORED};
  wh_status status = start(in, err);
  if (status == WH_OK)
    *ret = &in->base;
  else
    member_close(&in->base);
  return status;
}
