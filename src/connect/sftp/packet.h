// The packets of SFTP, version 3 (draft-ietf-secsh-filexfer-02), as bytes. What a server sends is
// believed in nothing: a reader that meets what cannot be is `bad` and reads zeros from then on.
#pragma once

#include "base/buf.h"

enum {
  WH_SFTP_INIT = 1,
  WH_SFTP_VERSION = 2,
  WH_SFTP_OPEN = 3,
  WH_SFTP_CLOSE = 4,
  WH_SFTP_READ = 5,
  WH_SFTP_WRITE = 6,
  WH_SFTP_LSTAT = 7,
  WH_SFTP_FSTAT = 8,
  WH_SFTP_OPENDIR = 11,
  WH_SFTP_READDIR = 12,
  WH_SFTP_REMOVE = 13,
  WH_SFTP_MKDIR = 14,
  WH_SFTP_REALPATH = 16,
  WH_SFTP_STAT = 17,
  WH_SFTP_RENAME = 18,
  WH_SFTP_STATUS = 101,
  WH_SFTP_HANDLE = 102,
  WH_SFTP_DATA = 103,
  WH_SFTP_NAME = 104,
  WH_SFTP_ATTRS = 105,
  WH_SFTP_EXTENDED = 200,
  WH_SFTP_EXTENDED_REPLY = 201,
};

// Flags of OPEN.
enum {
  WH_SFTP_FLAG_READ = 1,
  WH_SFTP_FLAG_WRITE = 2,
  WH_SFTP_FLAG_CREATE = 8,
  WH_SFTP_FLAG_TRUNCATE = 16,
  WH_SFTP_FLAG_EXCLUSIVE = 32,
};

// Codes of STATUS. Those from 9 on are of later versions; some servers send them all the same.
enum {
  WH_SFTP_OK = 0,
  WH_SFTP_EOF = 1,
  WH_SFTP_NO_SUCH_FILE = 2,
  WH_SFTP_PERMISSION_DENIED = 3,
  WH_SFTP_FAILURE = 4,
  WH_SFTP_BAD_MESSAGE = 5,
  WH_SFTP_UNSUPPORTED = 8,
  WH_SFTP_NO_SUCH_PATH = 10,
  WH_SFTP_ALREADY_EXISTS = 11,
  WH_SFTP_WRITE_PROTECT = 12,
  WH_SFTP_NO_SPACE = 14,
  WH_SFTP_QUOTA_EXCEEDED = 15,
};

enum {
  WH_SFTP_TEXTS = 3,
  WH_SFTP_HANDLE_MAX = 256,             // bytes
  WH_SFTP_PACKET_BYTES_MAX = 320 << 10, // of what a server may send; OpenSSH's send 256 KiB
  WH_SFTP_HEADER_BYTES = 9,             // length, type, id
};

// What is asked, in the order that the bytes have.
typedef struct wh_sftp_message {
  uint8_t type;
  uint8_t text_count, number_count;
  bool has_offset, has_data;
  wh_str texts[WH_SFTP_TEXTS]; // a path or a handle; the name of an extension before it
  uint64_t offset;
  uint32_t numbers[2];
  wh_str data;
} wh_sftp_message;

size_t wh_sftp_message_size(const wh_sftp_message *m);
// Exactly that many bytes.
void wh_sftp_message_write(const wh_sftp_message *m, uint32_t id, char *out);

typedef struct wh_sftp_reader {
  const unsigned char *at, *end;
  bool bad;
} wh_sftp_reader;
static inline wh_sftp_reader wh_sftp_reader_of(wh_str bytes) {
  const unsigned char *at = (const unsigned char *)bytes.data;
  return (wh_sftp_reader){at, at + bytes.len, false};
}
uint8_t wh_sftp_take_u8(wh_sftp_reader *r);
uint32_t wh_sftp_take_u32(wh_sftp_reader *r);
uint64_t wh_sftp_take_u64(wh_sftp_reader *r);
wh_str wh_sftp_take_text(wh_sftp_reader *r); // a view

typedef struct wh_sftp_attrs {
  bool has_size, has_mode, has_times;
  uint64_t size;
  uint32_t mode;     // as POSIX has it
  uint32_t modified; // seconds since 1970
} wh_sftp_attrs;
void wh_sftp_take_attrs(wh_sftp_reader *r, wh_sftp_attrs *ret);

typedef enum wh_sftp_kind {
  WH_SFTP_KIND_UNKNOWN,
  WH_SFTP_KIND_FILE,
  WH_SFTP_KIND_FOLDER,
  WH_SFTP_KIND_LINK,
  WH_SFTP_KIND_OTHER,
} wh_sftp_kind;
wh_sftp_kind wh_sftp_kind_of(const wh_sftp_attrs *attrs);

// One name of an answer to READDIR. Where the attributes do not say what it is, the first character
// of the line that stands for people does.
typedef struct wh_sftp_name {
  wh_str name;
  wh_sftp_attrs attrs;
  wh_sftp_kind kind;
} wh_sftp_name;
void wh_sftp_take_name(wh_sftp_reader *r, wh_sftp_name *ret);
