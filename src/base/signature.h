// Public keys and the signatures that they check, over OpenSSL's libcrypto: RSASSA-PKCS1-v1_5 with
// SHA-256 (RFC 8017 section 8.2) and ECDSA over P-256 with SHA-256 (FIPS 186-4).
//
// Threads: a key may be used by many at once.
#pragma once

#include "base/error.h"
#include "base/str.h"

enum {
  WH_RSA_BITS_MIN = 2048, // RFC 7518 section 3.3
  WH_RSA_BITS_MAX = 8192, // what is longer takes too long to check
  WH_P256_BYTES = 32,     // of a coordinate, and of each half of a signature
};

typedef enum wh_key_kind { WH_KEY_RSA, WH_KEY_P256 } wh_key_kind;

typedef struct wh_public_key {
  void *key;
  wh_key_kind kind;
} wh_public_key;

// Each makes a key that wh_public_key_free ends. WH_ERR_DATA: it is none, or a weak one; the text
// says why.
//
// Modulus and exponent, big-endian.
wh_status wh_public_key_of_rsa(wh_str modulus, wh_str exponent, wh_public_key *ret, wh_error *err);
// A point on the curve: two coordinates of WH_P256_BYTES.
wh_status wh_public_key_of_p256(wh_str x, wh_str y, wh_public_key *ret, wh_error *err);
// "-----BEGIN PUBLIC KEY-----" (RFC 7468 section 13) or "-----BEGIN CERTIFICATE-----", the first.
wh_status wh_public_key_of_pem(wh_str pem, wh_public_key *ret, wh_error *err);
void wh_public_key_free(wh_public_key *key); // zeroed is fine

// Whether the key made the signature. That of P-256 is the two numbers one behind the other
// (RFC 7518 section 3.4), not DER.
bool wh_public_key_signed(const wh_public_key *key, wh_str data, wh_str signature);
