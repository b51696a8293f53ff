// The keys of a place whose objects are encrypted (connect/sealed_format.h): each object has a data
// key of its own, which a key of the place wraps. Two kinds: keys of the configuration, here, and
// those of KMS, connect/s3/kms_keys.h. Shared by threads.
#pragma once

#include "base/option.h"
#include "connect/connection.h"
#include "connect/sealed_format.h"

typedef struct wh_sealed_keys wh_sealed_keys;
typedef struct wh_sealed_keys_type {
  // A new data key; fills the header but for its nonce, the texts in the arena or as long as
  // `keys`.
  wh_status (*make)(wh_sealed_keys *keys, wh_connection *c, wh_arena *arena,
                    uint8_t ret_key[WH_SEAL_KEY_BYTES], wh_sealed_header *ret, wh_error *err);
  // The data key of an object. WH_ERR_DENIED: it needs a key that the place does not have, which
  // the text names. WH_ERR_DATA: the header was changed.
  wh_status (*find)(wh_sealed_keys *keys, wh_connection *c, const wh_sealed_header *header,
                    uint8_t ret_key[WH_SEAL_KEY_BYTES], wh_error *err);
  void (*close)(wh_sealed_keys *keys); // forgets them
  wh_sealed_wrap wrap;
} wh_sealed_keys_type;
struct wh_sealed_keys {
  const wh_sealed_keys_type *type;
  wh_str key_id; // that new objects are encrypted with, as the configuration has it
  wh_str place;  // of new objects' headers
};
static inline void wh_sealed_keys_close(wh_sealed_keys *keys) {
  if (keys) keys->type->close(keys);
}

// Whether a text says which key of KMS is meant, and is none itself: an ARN, "alias/NAME" or an id.
bool wh_sealed_is_kms_key(wh_str text);

// --- keys of the configuration -------------------------------------------------------------------

// "local:" and 16 digits that tell keys apart and nothing about them.
enum { WH_SEALED_KEY_ID_CHARS = 6 + 16, WH_SEALED_OLD_KEYS_MAX = 64 };

// A key is 32 bytes, as 64 hexadecimal digits or in base64; a passphrase is refused. WH_ERR_USAGE
// says how to make one, and not what the text is. Without a key (empty) there are no old ones.
wh_status wh_sealed_keys_check(wh_str key, const wh_str_list *old, wh_error *err);
// Objects are written with `key` and read with it or one of `old`. `place` has to live as long.
wh_status wh_sealed_keys_new(wh_mem *mem, wh_str key, const wh_str_list *old, wh_str place,
                             wh_sealed_keys **ret, wh_error *err);

// The words of a connector's option table; `struct_` has members of these names, a text and a list.
#define WH_SEALED_KEY      "encryption_key"
#define WH_SEALED_OLD_KEYS "encryption_keys_old"
#define WH_SEALED_KEY_OPTIONS(struct_, help_)                                                      \
  {.name = WH_SEALED_KEY,                                                                          \
   .type = WH_OPTION_TEXT,                                                                         \
   .offset = offsetof(struct_, encryption_key),                                                    \
   .secret = true,                                                                                 \
   .names_secret = wh_sealed_is_kms_key,                                                           \
   .help = help_},                                                                                 \
  {                                                                                                \
    .name = WH_SEALED_OLD_KEYS, .type = WH_OPTION_LIST,                                            \
    .offset = offsetof(struct_, encryption_keys_old), .secret = true,                              \
    .names_secret = wh_sealed_is_kms_key,                                                          \
    .help = "earlier keys, with which what they encrypted can still be read"                       \
  }
