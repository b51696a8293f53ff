// The local keyring: named secrets in one encrypted file, FOLDER/.wherry/keyring (AES-256-GCM, one
// random nonce a write, names and values both inside), mode 0600. Its key is 32 random bytes in a
// file outside the project, mode 0600, made at the first `secret set`; whoever calls says where
// (main: $WHERRY_KEY_FILE, else ~/.config/wherry/key).
#pragma once

#include "base/option.h"
#include "base/os.h"

enum { WH_SECRET_BYTES_MAX = 64 * 1024, WH_SECRETS_MAX = 1000, WH_SECRET_NAME_MAX = 128 };
#define WH_KEYRING_LOCK_SUFFIX ".lock"
#define WH_KEYRING_WAIT_NS     (5ll * 1000000000)

typedef struct wh_keyring {
  wh_os *os;
  wh_mem *mem;
  const char *path;     // of the keyring
  const char *key_path; // of the key
} wh_keyring;

// $WHERRY_KEY_FILE, else $XDG_CONFIG_HOME/wherry/key, else ~/.config/wherry/key, as `get` tells the
// environment; WH_ERR_USAGE when it has none of these.
wh_status wh_keyring_key_path(const char *(*get)(void *context, const char *name), void *context,
                              wh_arena *arena, const char **ret, wh_error *err);

// Names of secrets: 1 to WH_SECRET_NAME_MAX letters, digits, '-', '_', '.' and '/'. Reading needs
// no lock; writers hold WH_KEYRING_LOCK_SUFFIX beside the file, and wait for each other up to
// WH_KEYRING_WAIT_NS (then WH_ERR_BUSY).
// WH_ERR_DENIED: the key is not the one the keyring was written with, or the file was changed.

// WH_ERR_NOT_FOUND names the command that sets it: "wherry secret set NAME".
wh_status wh_keyring_get(const wh_keyring *k, wh_str name, wh_arena *arena, wh_str *ret,
                         wh_error *err);
wh_status wh_keyring_set(const wh_keyring *k, wh_str name, wh_str value, wh_error *err);
wh_status wh_keyring_remove(const wh_keyring *k, wh_str name, wh_error *err);
wh_status wh_keyring_list(const wh_keyring *k, wh_arena *arena, wh_str_list *ret, wh_error *err);
