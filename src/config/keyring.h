// The local keyring: named secrets in one encrypted file, FOLDER/.wherry/keyring (AES-256-GCM, one
// random nonce a write, names and values both inside), mode 0600. Its key is 32 random bytes in a
// file outside the project, mode 0600, made at the first `secret set`; whoever calls says where
// (main: $WHERRY_KEY_FILE, else ~/.config/wherry/key).
#pragma once

#include "base/option.h"
#include "base/os.h"

enum { WH_SECRET_BYTES_MAX = 64 * 1024, WH_SECRETS_MAX = 1000 };

typedef struct wh_keyring {
  wh_os *os;
  wh_mem *mem;
  const char *path;     // of the keyring
  const char *key_path; // of the key
} wh_keyring;

// WH_ERR_NOT_FOUND names the command that sets it: "wherry secret set NAME".
wh_status wh_keyring_get(const wh_keyring *k, wh_str name, wh_arena *arena, wh_str *ret,
                         wh_error *err);
wh_status wh_keyring_set(const wh_keyring *k, wh_str name, wh_str value, wh_error *err);
wh_status wh_keyring_remove(const wh_keyring *k, wh_str name, wh_error *err);
wh_status wh_keyring_list(const wh_keyring *k, wh_arena *arena, wh_str_list *ret,
                          wh_error *err);
