#include "connect/sftp/packet.h"

// Flags of attributes.
enum {
  ATTR_SIZE = 1,
  ATTR_OWNER = 2,
  ATTR_MODE = 4,
  ATTR_TIMES = 8,
};
#define ATTR_EXTENDED UINT32_C(0x80000000)

// The kinds of files in a mode, as POSIX has them.
enum {
  MODE_KIND = 0170000,
  MODE_FILE = 0100000,
  MODE_FOLDER = 0040000,
  MODE_LINK = 0120000,
};

// --- writing -------------------------------------------------------------------------------------

size_t wh_sftp_message_size(const wh_sftp_message *m) {
  size_t size = WH_SFTP_HEADER_BYTES + 4 * (size_t)m->number_count;
  for (size_t i = 0; i < m->text_count; i++)
    size += 4 + m->texts[i].len;
  if (m->has_offset) size += 8;
  if (m->has_data) size += 4 + m->data.len;
  return size;
}

static char *put_u32(char *out, uint32_t value) {
  for (int i = 0; i < 4; i++)
    out[i] = (char)(value >> (24 - 8 * i));
  return out + 4;
}

static char *put_text(char *out, wh_str text) {
  out = put_u32(out, (uint32_t)text.len);
  if (text.len) memcpy(out, text.data, text.len);
  return out + text.len;
}

void wh_sftp_message_write(const wh_sftp_message *m, uint32_t id, char *out) {
  out = put_u32(out, (uint32_t)(wh_sftp_message_size(m) - 4));
  *out++ = (char)m->type;
  out = put_u32(out, id);
  for (size_t i = 0; i < m->text_count; i++)
    out = put_text(out, m->texts[i]);
  if (m->has_offset) {
    out = put_u32(out, (uint32_t)(m->offset >> 32));
    out = put_u32(out, (uint32_t)m->offset);
  }
  for (size_t i = 0; i < m->number_count; i++)
    out = put_u32(out, m->numbers[i]);
  if (m->has_data) put_text(out, m->data);
}

// --- reading -------------------------------------------------------------------------------------

static bool has(wh_sftp_reader *r, size_t len) {
  if (!r->bad && (size_t)(r->end - r->at) >= len) return true;
  r->bad = true;
  return false;
}

uint8_t wh_sftp_take_u8(wh_sftp_reader *r) {
  return has(r, 1) ? *r->at++ : 0;
}

uint32_t wh_sftp_take_u32(wh_sftp_reader *r) {
  if (!has(r, 4)) return 0;
  uint32_t value = 0;
  for (int i = 0; i < 4; i++)
    value = value << 8 | *r->at++;
  return value;
}

uint64_t wh_sftp_take_u64(wh_sftp_reader *r) {
  uint64_t high = wh_sftp_take_u32(r);
  return high << 32 | wh_sftp_take_u32(r);
}

wh_str wh_sftp_take_text(wh_sftp_reader *r) {
  uint32_t len = wh_sftp_take_u32(r);
  if (!has(r, len)) return (wh_str){"", 0};
  wh_str text = wh_str_n((const char *)r->at, len);
  r->at += len;
  return text;
}

void wh_sftp_take_attrs(wh_sftp_reader *r, wh_sftp_attrs *ret) {
  uint32_t flags = wh_sftp_take_u32(r);
  *ret = (wh_sftp_attrs){0};
  if (flags & ATTR_SIZE) ret->size = wh_sftp_take_u64(r);
  if (flags & ATTR_OWNER) wh_sftp_take_u64(r); // user and group
  if (flags & ATTR_MODE) ret->mode = wh_sftp_take_u32(r);
  if (flags & ATTR_TIMES) {
    wh_sftp_take_u32(r); // of the last access
    ret->modified = wh_sftp_take_u32(r);
  }
  if (flags & ATTR_EXTENDED) {
    uint32_t count = wh_sftp_take_u32(r);
    for (uint32_t i = 0; i < count && !r->bad; i++) {
      wh_sftp_take_text(r);
      wh_sftp_take_text(r);
    }
  }
  if (r->bad) return;
  ret->has_size = flags & ATTR_SIZE;
  ret->has_mode = flags & ATTR_MODE;
  ret->has_times = flags & ATTR_TIMES;
}

wh_sftp_kind wh_sftp_kind_of(const wh_sftp_attrs *attrs) {
  if (!attrs->has_mode) return WH_SFTP_KIND_UNKNOWN;
  switch (attrs->mode & MODE_KIND) {
  case MODE_FILE:
    return WH_SFTP_KIND_FILE;
  case MODE_FOLDER:
    return WH_SFTP_KIND_FOLDER;
  case MODE_LINK:
    return WH_SFTP_KIND_LINK;
  case 0:
    return WH_SFTP_KIND_UNKNOWN; // permissions alone
  default:
    return WH_SFTP_KIND_OTHER;
  }
}

void wh_sftp_take_name(wh_sftp_reader *r, wh_sftp_name *ret) {
  ret->name = wh_sftp_take_text(r);
  wh_str line = wh_sftp_take_text(r); // as `ls -l` has it
  wh_sftp_take_attrs(r, &ret->attrs);
  ret->kind = wh_sftp_kind_of(&ret->attrs);
  if (ret->kind != WH_SFTP_KIND_UNKNOWN || line.len == 0) return;
  char first = line.data[0];
  ret->kind = first == '-'   ? WH_SFTP_KIND_FILE
              : first == 'd' ? WH_SFTP_KIND_FOLDER
              : first == 'l' ? WH_SFTP_KIND_LINK
                             : WH_SFTP_KIND_UNKNOWN;
}
