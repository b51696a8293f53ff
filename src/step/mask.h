// Masks: what a private value becomes before it crosses. A keyed hash lets the other side check a
// value that somebody presents without being able to list the values: HMAC-SHA-256 (RFC 2104) over
// a normal form, so that "ab1 2cd" and "AB12CD" agree. A token is what whoever has the key can turn
// back: AES-256-SIV (RFC 5297) over the normal form, in base64url (RFC 4648 section 5), under a key
// that is derived from the mask's.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/option.h"
#include "base/str.h"

// Normal forms. They know Unicode by a table of their own (step/chars.h), never by the machine's
// locale, so that a hash made today and there is the hash made tomorrow and here. There is no NFC:
// an accented letter and the same letter with a combining accent are two values.
typedef enum wh_normalize {
  WH_NORMALIZE_NONE,
  WH_NORMALIZE_TRIM,  // without white space at both ends, Unicode's too
  WH_NORMALIZE_LOWER, // trim, then simple lower case: one character to one character
  WH_NORMALIZE_UPPER,
  WH_NORMALIZE_ALPHANUMERIC_UPPER, // only letters and digits (of any script), upper case
  WH_NORMALIZE_ALPHANUMERIC_LOWER,
  WH_NORMALIZE_DIGITS, // only 0 to 9
} wh_normalize;
extern const char *const wh_normalize_names[]; // "none", "trim", ...; NULL-terminated

// Appends the normal form of a text. False when `out` refuses (wh_buf_check tells why).
bool wh_normalize_text(wh_normalize form, wh_str text, wh_buf *out);

typedef enum wh_mask_kind {
  WH_MASK_HMAC,
  WH_MASK_PARTIAL,
  WH_MASK_NULL,
  WH_MASK_TOKEN
} wh_mask_kind;

enum { WH_MASK_KEY_MIN = 16 };     // bytes; a shorter key is refused
enum { WH_MASK_HMAC_DIGITS = 64 }; // hex digits of a keyed hash

#define WH_MASK_FILL "*" // where `fill` is empty

typedef struct wh_mask {
  wh_str name;
  wh_mask_kind kind;
  wh_normalize normalize; // hmac and partial: what the value becomes first
  wh_str key;             // hmac, token: secret
  wh_str_list keys_old;   // token: that earlier ones were made with
  size_t keep_first;      // partial: characters (code points) shown at the start
  size_t keep_last;       // and at the end
  wh_str fill;            // partial: in place of every hidden character, one character
} wh_mask;

// Appends the masked form of a text value, allocating nothing but what `out` needs. hmac: 64
// lower-case hex digits. token: some 4/3 of the value's length, and 22. partial: a value with no
// more than keep_first + keep_last characters is hidden whole. A value whose normal form is empty
// gives *ret_null = true and appends nothing, as does kind null: there is nothing to prove. On
// failure `out` is as it was.
wh_status wh_mask_apply(const wh_mask *mask, wh_str value, wh_buf *out, bool *ret_null,
                        wh_error *err);
// The same for many values, by one thread at a time: what the mask's key makes ready once.
typedef struct wh_mask_key {
  wh_hmac_key hmac;
  wh_siv siv;
} wh_mask_key;
wh_status wh_mask_key_init(wh_mask_key *key, const wh_mask *mask, wh_error *err);
void wh_mask_key_clear(wh_mask_key *key); // zeroed is fine
wh_status wh_mask_apply_keyed(const wh_mask *mask, wh_mask_key *key, wh_str value, wh_buf *out,
                              bool *ret_null, wh_error *err);
// Appends the value that a token stands for, in its normal form. WH_ERR_DENIED: it is no token of
// this mask's keys.
wh_status wh_mask_reveal(const wh_mask *mask, wh_str token, wh_buf *out, wh_error *err);
// Whether the mask can work at all: the length of its key, its fill. The text says "mask NAME: ".
wh_status wh_mask_check(const wh_mask *mask, wh_error *err);
