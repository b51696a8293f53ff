// Masks: what a private value becomes before it crosses. A keyed hash lets the other side check a
// value that somebody presents without being able to list the values: HMAC-SHA-256 (RFC 2104) over
// a normal form, so that "ab1 2cd" and "AB12CD" agree.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

typedef enum wh_normalize {
  WH_NORMALIZE_NONE,
  WH_NORMALIZE_TRIM,               // white space at both ends
  WH_NORMALIZE_LOWER,              // trim, then ASCII and Unicode simple lower case
  WH_NORMALIZE_UPPER,
  WH_NORMALIZE_ALPHANUMERIC_UPPER, // only letters and digits, upper case
  WH_NORMALIZE_ALPHANUMERIC_LOWER,
  WH_NORMALIZE_DIGITS,
} wh_normalize;
extern const char *const wh_normalize_names[]; // "none", "trim", ...; NULL-terminated

typedef enum wh_mask_kind { WH_MASK_HMAC, WH_MASK_PARTIAL, WH_MASK_NULL } wh_mask_kind;

enum { WH_MASK_KEY_MIN = 16 }; // bytes; a shorter key is refused

typedef struct wh_mask {
  wh_str name;
  wh_mask_kind kind;
  wh_normalize normalize;
  wh_str key;          // hmac: secret
  size_t keep_first;   // partial: characters shown at the start
  size_t keep_last;    // and at the end
  wh_str fill;         // partial: in place of every hidden character, one character
} wh_mask;

// Appends the masked form of a text value. hmac: 64 lower-case hex digits. A value whose normal form
// is empty gives *ret_null = true, as does kind null: there is nothing to prove.
wh_status wh_mask_apply(const wh_mask *mask, wh_str value, wh_buf *out, bool *ret_null,
                        wh_error *err);
wh_status wh_mask_check(const wh_mask *mask, wh_error *err);
