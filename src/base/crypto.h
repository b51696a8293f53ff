// Digests, keyed digests, sealing and encodings, over OpenSSL's libcrypto.
// Threads: one object by one thread at a time, except a wh_hmac_key, which many may read at once.
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/os.h"

enum {
  WH_SHA256_BYTES = 32,
  WH_SEAL_KEY_BYTES = 32,
  WH_SEAL_NONCE_BYTES = 12,
  WH_SEAL_TAG_BYTES = 16,
  WH_SEAL_OVERHEAD = WH_SEAL_NONCE_BYTES + WH_SEAL_TAG_BYTES,
};

// SHA-256 (FIPS 180-4), in pieces: init, add..., finish. Free it in any case; zeroed is fine.
typedef struct wh_sha256 {
  void *context;
} wh_sha256;
wh_status wh_sha256_init(wh_sha256 *sha, wh_error *err);
wh_status wh_sha256_add(wh_sha256 *sha, const void *data, size_t len, wh_error *err);
// After it only free may follow.
wh_status wh_sha256_finish(wh_sha256 *sha, uint8_t out[WH_SHA256_BYTES], wh_error *err);
// The same as lower-case digits and a NUL.
enum { WH_SHA256_HEX = 2 * WH_SHA256_BYTES };
wh_status wh_sha256_finish_hex(wh_sha256 *sha, char out[WH_SHA256_HEX + 1], wh_error *err);
void wh_sha256_free(wh_sha256 *sha);
void wh_sha256_of(wh_str data, uint8_t out[WH_SHA256_BYTES]); // all at once

// HMAC-SHA-256 (RFC 2104), for millions of short values under one key: the key's two blocks are
// digested once, a value costs the rest. Plain data that allocates nothing; clear it after use.
typedef struct wh_hmac_key {
  uint64_t inner[14], outer[14]; // states of SHA-256
} wh_hmac_key;
void wh_hmac_key_init(wh_hmac_key *key, wh_str secret);
void wh_hmac_key_clear(wh_hmac_key *key);
void wh_hmac(const wh_hmac_key *key, wh_str data, uint8_t out[WH_SHA256_BYTES]);
void wh_hmac_of(wh_str secret, wh_str data, uint8_t out[WH_SHA256_BYTES]); // all at once

// The same of a text that comes in pieces. Plain data; clear it after use.
typedef struct wh_hmac_stream {
  uint64_t inner[14];
} wh_hmac_stream;
void wh_hmac_begin(const wh_hmac_key *key, wh_hmac_stream *ret);
void wh_hmac_add(wh_hmac_stream *stream, const void *data, size_t len);
void wh_hmac_end(const wh_hmac_key *key, wh_hmac_stream *stream, uint8_t out[WH_SHA256_BYTES]);

// AES-256-GCM (NIST SP 800-38D) with a random nonce: appends nonce, ciphertext and tag to `out`.
// One key may seal 2^32 texts. `aad` is authenticated but not in the output; unsealing needs it.
wh_status wh_seal(wh_os *os, const uint8_t key[WH_SEAL_KEY_BYTES], wh_str aad, wh_str plain,
                  wh_buf *out, wh_error *err);
// Appends the plain text; WH_ERR_DENIED when the key or the aad is another one or a bit was
// changed, and then nothing of it was appended.
wh_status wh_unseal(const uint8_t key[WH_SEAL_KEY_BYTES], wh_str aad, wh_str sealed, wh_buf *out,
                    wh_error *err);

// The same under nonces that the caller counts, for long texts in pieces: set up once, to seal or
// to unseal. A key must never seal two texts under one nonce. Free it in any case; zeroed is fine.
typedef struct wh_gcm {
  void *context;
  bool seals;
} wh_gcm;
wh_status wh_gcm_init(wh_gcm *gcm, const uint8_t key[WH_SEAL_KEY_BYTES], bool seals, wh_error *err);
// `out` takes plain.len + WH_SEAL_TAG_BYTES: the ciphertext with the tag behind it.
wh_status wh_gcm_seal(wh_gcm *gcm, const uint8_t nonce[WH_SEAL_NONCE_BYTES], wh_str aad,
                      wh_str plain, uint8_t *out, wh_error *err);
// `out` takes sealed.len - WH_SEAL_TAG_BYTES. WH_ERR_DENIED as wh_unseal, and then `out` is zeroed.
wh_status wh_gcm_unseal(wh_gcm *gcm, const uint8_t nonce[WH_SEAL_NONCE_BYTES], wh_str aad,
                        wh_str sealed, uint8_t *out, wh_error *err);
void wh_gcm_free(wh_gcm *gcm); // forgets the key

// AES-256-SIV (RFC 5297) with neither associated data nor nonce: a text always becomes the same
// bytes under one key, and whoever has the key gets it back. What is learnt without the key is
// which texts are equal, and how long they are. Free it in any case; zeroed is fine.
enum { WH_SIV_KEY_BYTES = 64, WH_SIV_BYTES = 16 };
typedef struct wh_siv {
  void *context, *cipher;
  uint8_t key[WH_SIV_KEY_BYTES];
} wh_siv;
wh_status wh_siv_init(wh_siv *siv, const uint8_t key[WH_SIV_KEY_BYTES], wh_error *err);
// A text that is not empty; `out` takes WH_SIV_BYTES + plain.len, apart from `plain`.
wh_status wh_siv_seal(wh_siv *siv, wh_str plain, uint8_t *out, wh_error *err);
// `out` takes sealed.len - WH_SIV_BYTES. WH_ERR_DENIED: another key, or other bytes than were
// sealed; `out` is then zeroed.
wh_status wh_siv_unseal(wh_siv *siv, wh_str sealed, uint8_t *out, wh_error *err);
void wh_siv_free(wh_siv *siv); // forgets the key

// A key of 32 bytes, as 64 hexadecimal digits or in base64; false: it is none.
bool wh_key_read(wh_str text, uint8_t ret[WH_SEAL_KEY_BYTES]);

// Takes the same time wherever they differ; only their lengths may be learnt from it.
bool wh_equal_in_constant_time(wh_str a, wh_str b);
void wh_wipe(void *data, size_t len); // cannot be optimised away

// RFC 4648. STANDARD is padded with '='. URL is written without padding and read with or without.
// Decoding is strict: no white space, no bits behind the end; false leaves `out` as it was.
typedef enum wh_base64 { WH_BASE64_STANDARD, WH_BASE64_URL } wh_base64;
bool wh_base64_encode(wh_base64 kind, wh_str data, wh_buf *out); // false: as wh_buf_add
bool wh_base64_decode(wh_base64 kind, wh_str text, wh_buf *out);
// Exactly 2 * len digits of either case.
bool wh_hex_decode(wh_str text, void *out, size_t len);
void wh_hex_encode(const void *data, size_t len, char *out); // 2 * len lower-case digits and a NUL
