// The certificate and its key: read, checked, and read again when they change. Compared by what
// the files hold, not by their times: certificates are renewed by swapping symbolic links.
#pragma once

#include "base/arena.h"
#include "base/crypto.h"
#include "base/os.h"

enum { WH_TLS_FILE_MAX = 256 * 1024 }; // bytes of either file

typedef struct wh_tls_files {
  wh_arena arena;
  wh_str certificate, key;         // PEM, NUL-terminated; the key is wiped by free
  uint8_t digest[WH_SHA256_BYTES]; // of both
} wh_tls_files;

// Reads both. WH_ERR_NOT_FOUND and the like name the file.
wh_status wh_tls_read(wh_os *os, wh_mem *mem, wh_str certificate_path, wh_str key_path,
                      wh_tls_files *ret, wh_error *err);
// Whether the first certificate and the key can be parsed and belong together: WH_ERR_USAGE, which
// also stands for a certificate that is no longer valid.
wh_status wh_tls_check(const wh_tls_files *files, wh_str certificate_path, wh_str key_path,
                       wh_error *err);
void wh_tls_free(wh_tls_files *files); // zeroed is fine
