// The digests for short values use libcrypto's SHA256_* directly: their state is plain data, so a
// keyed digest copies 112 bytes where EVP allocates. For a value of 7 bytes that is 117 ns against
// 208 ns (copied EVP_MD_CTX), 279 ns (EVP_MAC_init) and 778 ns (EVP_MAC_CTX_dup), and many threads
// can share a key. These functions are deprecated in favour of EVP but part of every libcrypto 3.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) == sizeof((wh_hmac_key){0}).inner, "the states are copied");

// --- SHA-256 -------------------------------------------------------------------------------------

static wh_status sha256_failed(wh_error *err) {
  return wh_fail(err, WH_ERR_BUG, "SHA-256: libcrypto refused");
}

wh_status wh_sha256_init(wh_sha256 *sha, wh_error *err) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (!context) return wh_fail_memory(err);
  if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
    EVP_MD_CTX_free(context);
    return sha256_failed(err);
  }
  sha->context = context;
  return WH_OK;
}

wh_status wh_sha256_add(wh_sha256 *sha, const void *data, size_t len, wh_error *err) {
  return EVP_DigestUpdate(sha->context, data, len) == 1 ? WH_OK : sha256_failed(err);
}

wh_status wh_sha256_finish(wh_sha256 *sha, uint8_t out[WH_SHA256_BYTES], wh_error *err) {
  return EVP_DigestFinal_ex(sha->context, out, NULL) == 1 ? WH_OK : sha256_failed(err);
}

wh_status wh_sha256_finish_hex(wh_sha256 *sha, char out[WH_SHA256_HEX + 1], wh_error *err) {
  uint8_t digest[WH_SHA256_BYTES];
  WH_TRY(wh_sha256_finish(sha, digest, err));
  wh_hex_encode(digest, sizeof digest, out);
  return WH_OK;
}

void wh_sha256_free(wh_sha256 *sha) {
  if (!sha) return;
  EVP_MD_CTX_free(sha->context);
  sha->context = NULL;
}

void wh_sha256_of(wh_str data, uint8_t out[WH_SHA256_BYTES]) {
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, data.data, data.len);
  SHA256_Final(out, &state);
}

// --- HMAC ----------------------------------------------------------------------------------------

enum { BLOCK_BYTES = SHA256_CBLOCK };

static void pad_state(void *state, const uint8_t block[BLOCK_BYTES], uint8_t pad) {
  uint8_t padded[BLOCK_BYTES];
  SHA256_CTX context;
  for (size_t i = 0; i < BLOCK_BYTES; i++)
    padded[i] = block[i] ^ pad;
  SHA256_Init(&context);
  SHA256_Update(&context, padded, sizeof padded);
  memcpy(state, &context, sizeof context);
  wh_wipe(padded, sizeof padded);
  wh_wipe(&context, sizeof context);
}

void wh_hmac_key_init(wh_hmac_key *key, wh_str secret) {
  uint8_t block[BLOCK_BYTES] = {0};
  if (secret.len > BLOCK_BYTES)
    wh_sha256_of(secret, block);
  else if (secret.len)
    memcpy(block, secret.data, secret.len);
  pad_state(key->inner, block, 0x36);
  pad_state(key->outer, block, 0x5C);
  wh_wipe(block, sizeof block);
}

void wh_hmac_key_clear(wh_hmac_key *key) {
  if (key) wh_wipe(key, sizeof *key);
}

// The states are copied in and out: they are not of SHA256_CTX's own type.
void wh_hmac_begin(const wh_hmac_key *key, wh_hmac_stream *ret) {
  memcpy(ret->inner, key->inner, sizeof ret->inner);
}

void wh_hmac_add(wh_hmac_stream *stream, const void *data, size_t len) {
  SHA256_CTX state;
  memcpy(&state, stream->inner, sizeof state);
  SHA256_Update(&state, data, len);
  memcpy(stream->inner, &state, sizeof state);
}

void wh_hmac_end(const wh_hmac_key *key, wh_hmac_stream *stream, uint8_t out[WH_SHA256_BYTES]) {
  SHA256_CTX state;
  memcpy(&state, stream->inner, sizeof state);
  SHA256_Final(out, &state);
  memcpy(&state, key->outer, sizeof state);
  SHA256_Update(&state, out, WH_SHA256_BYTES);
  SHA256_Final(out, &state);
}

void wh_hmac(const wh_hmac_key *key, wh_str data, uint8_t out[WH_SHA256_BYTES]) {
  SHA256_CTX state;
  memcpy(&state, key->inner, sizeof state);
  SHA256_Update(&state, data.data, data.len);
  SHA256_Final(out, &state);
  memcpy(&state, key->outer, sizeof state);
  SHA256_Update(&state, out, WH_SHA256_BYTES);
  SHA256_Final(out, &state);
}

void wh_hmac_of(wh_str secret, wh_str data, uint8_t out[WH_SHA256_BYTES]) {
  wh_hmac_key key;
  wh_hmac_key_init(&key, secret);
  wh_hmac(&key, data, out);
  wh_hmac_key_clear(&key);
}

// --- AES-256-GCM ---------------------------------------------------------------------------------

static bool encrypt(EVP_CIPHER_CTX *c, const uint8_t *nonce, wh_str aad, wh_str plain,
                    uint8_t *out) {
  int n = 0;
  uint8_t *tag = out + plain.len;
  return EVP_EncryptInit_ex(c, NULL, NULL, NULL, nonce) == 1 &&
         (!aad.len ||
          EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)aad.data, (int)aad.len) == 1) &&
         (!plain.len ||
          EVP_EncryptUpdate(c, out, &n, (const uint8_t *)plain.data, (int)plain.len) == 1) &&
         EVP_EncryptFinal_ex(c, tag, &n) == 1 &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, WH_SEAL_TAG_BYTES, tag) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *c, const uint8_t *nonce, wh_str aad, wh_str cipher,
                    const uint8_t *tag, uint8_t *out) {
  int n = 0;
  return EVP_DecryptInit_ex(c, NULL, NULL, NULL, nonce) == 1 &&
         (!aad.len ||
          EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)aad.data, (int)aad.len) == 1) &&
         (!cipher.len ||
          EVP_DecryptUpdate(c, out, &n, (const uint8_t *)cipher.data, (int)cipher.len) == 1) &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, WH_SEAL_TAG_BYTES, (void *)tag) == 1 &&
         EVP_DecryptFinal_ex(c, out + cipher.len, &n) == 1;
}

static wh_status check_sealable(wh_str aad, wh_str text, wh_error *err) {
  if (aad.len <= INT_MAX / 2 && text.len <= INT_MAX / 2) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT, "%zu bytes are too many to seal at once", text.len);
}

static wh_status gcm_failed(wh_error *err) {
  return wh_fail(err, WH_ERR_BUG, "AES-256-GCM: libcrypto refused");
}

wh_status wh_gcm_init(wh_gcm *gcm, const uint8_t key[WH_SEAL_KEY_BYTES], bool seals,
                      wh_error *err) {
  EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
  if (!c) return wh_fail_memory(err);
  *gcm = (wh_gcm){c, seals};
  if (EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, NULL, seals) == 1) return WH_OK;
  wh_gcm_free(gcm);
  return gcm_failed(err);
}

wh_status wh_gcm_seal(wh_gcm *gcm, const uint8_t nonce[WH_SEAL_NONCE_BYTES], wh_str aad,
                      wh_str plain, uint8_t *out, wh_error *err) {
  WH_TRY(check_sealable(aad, plain, err));
  return gcm->seals && encrypt(gcm->context, nonce, aad, plain, out) ? WH_OK : gcm_failed(err);
}

wh_status wh_gcm_unseal(wh_gcm *gcm, const uint8_t nonce[WH_SEAL_NONCE_BYTES], wh_str aad,
                        wh_str sealed, uint8_t *out, wh_error *err) {
  WH_TRY(check_sealable(aad, sealed, err));
  if (gcm->seals || sealed.len < WH_SEAL_TAG_BYTES) return gcm_failed(err);
  wh_str cipher = wh_str_sub(sealed, 0, sealed.len - WH_SEAL_TAG_BYTES);
  const uint8_t *tag = (const uint8_t *)sealed.data + cipher.len;
  if (decrypt(gcm->context, nonce, aad, cipher, tag, out)) return WH_OK;
  wh_wipe(out, cipher.len); // what was not authenticated must not be used by mistake
  return wh_fail(err, WH_ERR_DENIED, "the key is another one, or the sealed text was changed");
}

void wh_gcm_free(wh_gcm *gcm) {
  if (!gcm) return;
  EVP_CIPHER_CTX_free(gcm->context);
  gcm->context = NULL;
}

wh_status wh_seal(wh_os *os, const uint8_t key[WH_SEAL_KEY_BYTES], wh_str aad, wh_str plain,
                  wh_buf *out, wh_error *err) {
  WH_TRY(check_sealable(aad, plain, err));
  uint8_t nonce[WH_SEAL_NONCE_BYTES];
  WH_TRY(os->type->random(os, nonce, sizeof nonce, err));
  if (!wh_buf_reserve(out, plain.len + WH_SEAL_OVERHEAD)) return wh_buf_check(out, err);
  wh_gcm gcm;
  WH_TRY(wh_gcm_init(&gcm, key, true, err));
  uint8_t *at = (uint8_t *)out->data + out->len;
  memcpy(at, nonce, sizeof nonce);
  wh_status status = wh_gcm_seal(&gcm, nonce, aad, plain, at + sizeof nonce, err);
  wh_gcm_free(&gcm);
  WH_TRY(status);
  out->len += plain.len + WH_SEAL_OVERHEAD;
  out->data[out->len] = 0;
  return WH_OK;
}

wh_status wh_unseal(const uint8_t key[WH_SEAL_KEY_BYTES], wh_str aad, wh_str sealed, wh_buf *out,
                    wh_error *err) {
  if (sealed.len < WH_SEAL_OVERHEAD) {
    return wh_fail(err, WH_ERR_DENIED, "the sealed text is cut off: %zu bytes are left",
                   sealed.len);
  }
  WH_TRY(check_sealable(aad, sealed, err));
  if (!wh_buf_reserve(out, sealed.len - WH_SEAL_OVERHEAD)) return wh_buf_check(out, err);
  wh_gcm gcm;
  WH_TRY(wh_gcm_init(&gcm, key, false, err));
  wh_str behind = wh_str_sub(sealed, WH_SEAL_NONCE_BYTES, sealed.len);
  wh_status status = wh_gcm_unseal(&gcm, (const uint8_t *)sealed.data, aad, behind,
                                   (uint8_t *)out->data + out->len, err);
  wh_gcm_free(&gcm);
  WH_TRY(status);
  out->len += sealed.len - WH_SEAL_OVERHEAD;
  out->data[out->len] = 0;
  return WH_OK;
}

// --- AES-256-SIV ---------------------------------------------------------------------------------

static wh_status siv_failed(wh_error *err) {
  return wh_fail(err, WH_ERR_BUG, "AES-256-SIV: libcrypto refused");
}

wh_status wh_siv_init(wh_siv *siv, const uint8_t key[WH_SIV_KEY_BYTES], wh_error *err) {
  *siv = (wh_siv){.context = EVP_CIPHER_CTX_new()};
  if (!siv->context) return wh_fail_memory(err);
  memcpy(siv->key, key, WH_SIV_KEY_BYTES);
  siv->cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
  if (siv->cipher) return WH_OK;
  wh_siv_free(siv);
  return siv_failed(err);
}

// The mode takes one text for each time that it is given its key.
static bool siv_start(wh_siv *siv, bool seals) {
  return EVP_CipherInit_ex(siv->context, siv->cipher, NULL, siv->key, NULL, seals) == 1;
}

wh_status wh_siv_seal(wh_siv *siv, wh_str plain, uint8_t *out, wh_error *err) {
  WH_TRY(check_sealable((wh_str){0}, plain, err));
  EVP_CIPHER_CTX *c = siv->context;
  int n = 0;
  bool ok = plain.len && siv_start(siv, true) &&
            EVP_EncryptUpdate(c, out + WH_SIV_BYTES, &n, (const uint8_t *)plain.data,
                              (int)plain.len) == 1 &&
            EVP_EncryptFinal_ex(c, out + WH_SIV_BYTES + n, &n) == 1 &&
            EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, WH_SIV_BYTES, out) == 1;
  return ok ? WH_OK : siv_failed(err);
}

wh_status wh_siv_unseal(wh_siv *siv, wh_str sealed, uint8_t *out, wh_error *err) {
  WH_TRY(check_sealable((wh_str){0}, sealed, err));
  if (sealed.len <= WH_SIV_BYTES)
    return wh_fail(err, WH_ERR_DENIED, "the sealed text is cut off: %zu bytes are left",
                   sealed.len);
  EVP_CIPHER_CTX *c = siv->context;
  size_t len = sealed.len - WH_SIV_BYTES;
  int n = 0;
  if (!siv_start(siv, false) || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, WH_SIV_BYTES,
                                                    (void *)(uintptr_t)sealed.data) != 1)
    return siv_failed(err);
  const uint8_t *text = (const uint8_t *)sealed.data + WH_SIV_BYTES;
  if (EVP_DecryptUpdate(c, out, &n, text, (int)len) == 1 &&
      EVP_DecryptFinal_ex(c, out + n, &n) == 1)
    return WH_OK;
  memset(out, 0, len);
  return wh_fail(err, WH_ERR_DENIED, "the text was sealed with another key, or was changed");
}

void wh_siv_free(wh_siv *siv) {
  EVP_CIPHER_CTX_free(siv->context);
  EVP_CIPHER_free(siv->cipher);
  wh_wipe(siv, sizeof *siv);
}

bool wh_equal_in_constant_time(wh_str a, wh_str b) {
  return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void wh_wipe(void *data, size_t len) {
  if (len) OPENSSL_cleanse(data, len);
}

// --- encodings -----------------------------------------------------------------------------------

static const char base64_standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool wh_base64_encode(wh_base64 kind, wh_str data, wh_buf *out) {
  const char *alphabet = kind == WH_BASE64_URL ? base64_url : base64_standard;
  size_t whole = data.len / 3 * 4, rest = data.len % 3;
  size_t last = rest == 0 ? 0 : kind == WH_BASE64_URL ? rest + 1 : 4;
  if (!wh_buf_reserve(out, whole + last)) return false;
  char *to = out->data + out->len;
  for (size_t i = 0; i < data.len; i += 3) {
    size_t n = data.len - i < 3 ? data.len - i : 3;
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; j++)
      bits = bits << 8 | (j < n ? (uint8_t)data.data[i + j] : 0);
    for (size_t j = 0; j < 4; j++) {
      if (j <= n)
        *to++ = alphabet[bits >> (18 - 6 * j) & 63];
      else if (kind == WH_BASE64_STANDARD)
        *to++ = '=';
    }
  }
  *to = 0;
  out->len = (size_t)(to - out->data);
  return true;
}

// The six bits of a digit, or -1.
static int base64_value(wh_base64 kind, char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == (kind == WH_BASE64_URL ? '-' : '+')) return 62;
  if (c == (kind == WH_BASE64_URL ? '_' : '/')) return 63;
  return -1;
}

// The text without its padding; false where that is wrong.
static bool base64_unpad(wh_base64 kind, wh_str *text) {
  size_t len = text->len;
  while (len > 0 && text->len - len < 2 && text->data[len - 1] == '=')
    len--;
  bool padded = text->len != len;
  if ((padded || kind == WH_BASE64_STANDARD) && text->len % 4 != 0) return false;
  text->len = len;
  return len % 4 != 1;
}

bool wh_base64_decode(wh_base64 kind, wh_str text, wh_buf *out) {
  if (!base64_unpad(kind, &text)) return false;
  if (!wh_buf_reserve(out, text.len / 4 * 3 + text.len % 4 * 3 / 4)) return false;
  char *to = out->data + out->len;
  uint32_t bits = 0;
  int count = 0;
  for (size_t i = 0; i < text.len; i++) {
    int value = base64_value(kind, text.data[i]);
    if (value < 0) return false;
    bits = bits << 6 | (uint32_t)value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    *to++ = (char)(bits >> count);
    bits &= (1u << count) - 1;
  }
  if (bits != 0) return false; // two texts would mean the same
  *to = 0;
  out->len = (size_t)(to - out->data);
  return true;
}

bool wh_hex_decode(wh_str text, void *out, size_t len) {
  if (text.len != 2 * len) return false;
  uint8_t *bytes = out;
  for (size_t i = 0; i < text.len; i++)
    if (wh_hex_digit(text.data[i]) < 0) return false;
  for (size_t i = 0; i < len; i++)
    bytes[i] = (uint8_t)(wh_hex_digit(text.data[2 * i]) << 4 | wh_hex_digit(text.data[2 * i + 1]));
  return true;
}

void wh_hex_encode(const void *data, size_t len, char *out) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *bytes = data;
  for (size_t i = 0; i < len; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[2 * len] = 0;
}

bool wh_key_read(wh_str text, uint8_t ret[WH_SEAL_KEY_BYTES]) {
  enum { BASE64_CHARS = (WH_SEAL_KEY_BYTES + 2) / 3 * 4 };
  if (wh_hex_decode(text, ret, WH_SEAL_KEY_BYTES)) return true;
  if (text.len != BASE64_CHARS) return false;
  uint8_t bytes[BASE64_CHARS / 4 * 3];
  int len = EVP_DecodeBlock(bytes, (const uint8_t *)text.data, (int)text.len);
  // It takes padding for zeros, and passes over bits behind the end.
  char again[BASE64_CHARS + 1] = "";
  if (len == sizeof bytes) EVP_EncodeBlock((uint8_t *)again, bytes, WH_SEAL_KEY_BYTES);
  bool ok = wh_str_is(text, again);
  if (ok) memcpy(ret, bytes, WH_SEAL_KEY_BYTES);
  wh_wipe(bytes, sizeof bytes);
  wh_wipe(again, sizeof again);
  return ok;
}
