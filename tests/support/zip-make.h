// ZIP archives for tests, written field by field, so that any of them can be wrong.
#pragma once

#include "base/buf.h"

#include <string.h>
#include <zlib.h>

typedef struct zip_make {
  const char *name;
  wh_str data;
  bool deflated;
  bool described; // sizes and CRC behind the bytes
  bool wide;      // ZIP64 fields, though nothing is so large
  // What the directory says instead, where it is not 0.
  uint32_t says_size, says_offset;
  uint16_t says_flags, says_method;
} zip_make;

static inline void zip_put(wh_buf *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    wh_buf_add_char(out, (char)(value >> 8 * i));
}

// As it is stored, until the next call.
static inline wh_str zip_pack(const zip_make *m) {
  static unsigned char packed[1 << 20];
  if (!m->deflated) return m->data;
  z_stream z = {0};
  if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) return (wh_str){0};
  z.next_in = (Bytef *)(uintptr_t)m->data.data;
  z.avail_in = (uInt)m->data.len;
  z.next_out = packed;
  z.avail_out = sizeof packed;
  deflate(&z, Z_FINISH);
  size_t len = sizeof packed - z.avail_out;
  deflateEnd(&z);
  return wh_str_n((const char *)packed, len);
}

typedef struct zip_made {
  size_t at, packed;
  uint32_t crc;
} zip_made;

static inline uint16_t zip_flags(const zip_make *m) {
  return (uint16_t)(1 << 11 | (m->described ? 1 << 3 : 0));
}

static inline void zip_put_member(wh_buf *out, const zip_make *m, zip_made *made) {
  size_t name = strlen(m->name);
  wh_str packed = zip_pack(m);
  *made = (zip_made){.at = out->len,
                     .packed = packed.len,
                     .crc = (uint32_t)crc32(0, (const Bytef *)m->data.data, (uInt)m->data.len)};
  bool known = !m->described;
  zip_put(out, 0x04034b50, 4);
  zip_put(out, m->wide ? 45 : 20, 2);
  zip_put(out, zip_flags(m), 2);
  zip_put(out, m->deflated ? 8 : 0, 2);
  zip_put(out, 0, 4);
  zip_put(out, known ? made->crc : 0, 4);
  zip_put(out, m->wide ? UINT32_MAX : known ? packed.len : 0, 4);
  zip_put(out, m->wide ? UINT32_MAX : known ? m->data.len : 0, 4);
  zip_put(out, name, 2);
  zip_put(out, m->wide ? 20 : 0, 2);
  wh_buf_add(out, m->name, name);
  if (m->wide) {
    zip_put(out, 1 | 16 << 16, 4);
    zip_put(out, known ? m->data.len : 0, 8);
    zip_put(out, known ? packed.len : 0, 8);
  }
  wh_buf_add_str(out, packed);
  if (known) return;
  zip_put(out, 0x08074b50, 4);
  zip_put(out, made->crc, 4);
  zip_put(out, packed.len, m->wide ? 8 : 4);
  zip_put(out, m->data.len, m->wide ? 8 : 4);
}

static inline void zip_put_entry(wh_buf *out, const zip_make *m, const zip_made *made) {
  size_t name = strlen(m->name);
  uint64_t size = m->says_size ? m->says_size : m->data.len;
  uint64_t at = m->says_offset ? m->says_offset : made->at;
  zip_put(out, 0x02014b50, 4);
  zip_put(out, 0x031E, 2);
  zip_put(out, m->wide ? 45 : 20, 2);
  zip_put(out, m->says_flags ? m->says_flags : zip_flags(m), 2);
  zip_put(out, m->says_method ? m->says_method : m->deflated ? 8 : 0, 2);
  zip_put(out, 0, 4);
  zip_put(out, made->crc, 4);
  zip_put(out, m->wide ? UINT32_MAX : made->packed, 4);
  zip_put(out, m->wide ? UINT32_MAX : size, 4);
  zip_put(out, name, 2);
  zip_put(out, m->wide ? 28 : 0, 2);
  zip_put(out, 0, 2);
  zip_put(out, 0, 2);
  zip_put(out, 0, 2);
  zip_put(out, 0, 4);
  zip_put(out, m->wide ? UINT32_MAX : at, 4);
  wh_buf_add(out, m->name, name);
  if (!m->wide) return;
  zip_put(out, 1 | 24 << 16, 4);
  zip_put(out, size, 8);
  zip_put(out, made->packed, 8);
  zip_put(out, at, 8);
}

// With `wide` there is a ZIP64 end record, too.
static inline void zip_put_end(wh_buf *out, size_t count, size_t start, bool wide,
                               const char *comment) {
  size_t at = out->len, bytes = at - start;
  if (wide) {
    zip_put(out, 0x06064b50, 4);
    zip_put(out, 44, 8);
    zip_put(out, 45 | 45 << 16, 4);
    zip_put(out, 0, 8);
    zip_put(out, count, 8);
    zip_put(out, count, 8);
    zip_put(out, bytes, 8);
    zip_put(out, start, 8);
    zip_put(out, 0x07064b50, 4);
    zip_put(out, 0, 4);
    zip_put(out, at, 8);
    zip_put(out, 1, 4);
  }
  zip_put(out, 0x06054b50, 4);
  zip_put(out, 0, 4);
  zip_put(out, wide ? UINT16_MAX : count, 2);
  zip_put(out, wide ? UINT16_MAX : count, 2);
  zip_put(out, wide ? UINT32_MAX : bytes, 4);
  zip_put(out, wide ? UINT32_MAX : start, 4);
  zip_put(out, strlen(comment), 2);
  wh_buf_add(out, comment, strlen(comment));
}

enum { ZIP_MAKE_MAX = 64 };

static inline void zip_make_archive(wh_buf *out, const zip_make *members, size_t count,
                                    const char *comment) {
  zip_made made[ZIP_MAKE_MAX];
  for (size_t i = 0; i < count; i++)
    zip_put_member(out, &members[i], &made[i]);
  size_t start = out->len;
  for (size_t i = 0; i < count; i++)
    zip_put_entry(out, &members[i], &made[i]);
  zip_put_end(out, count, start, count && members[0].wide, comment);
}
