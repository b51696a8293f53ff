#include "jwt_signer.h"

#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

enum { HALF = 32, NUMBER_MAX = 1024 };

bool jwt_signer_rsa(jwt_signer *ret, int bits) {
  *ret = (jwt_signer){.key = EVP_RSA_gen((unsigned)bits), .is_rsa = true};
  return ret->key;
}

bool jwt_signer_p256(jwt_signer *ret) {
  *ret = (jwt_signer){.key = EVP_EC_gen("P-256")};
  return ret->key;
}

void jwt_signer_free(jwt_signer *signer) {
  EVP_PKEY_free(signer->key);
  signer->key = NULL;
}

static const char *encode(wh_arena *arena, const void *data, size_t len) {
  wh_buf out;
  wh_buf_init(&out, arena->mem, 0);
  if (!wh_base64_encode(WH_BASE64_URL, wh_str_n(data, len), &out)) abort();
  char *copy = wh_arena_cstr(arena, wh_buf_str(&out));
  wh_buf_free(&out);
  if (!copy) abort();
  return copy;
}

// `len` 0: as many bytes as it has.
static const char *number(const jwt_signer *signer, const char *name, int len, wh_arena *arena) {
  BIGNUM *n = NULL;
  uint8_t bytes[NUMBER_MAX];
  if (EVP_PKEY_get_bn_param(signer->key, name, &n) != 1) abort();
  if (!len) len = BN_num_bytes(n);
  if (BN_bn2binpad(n, bytes, len) != len) abort();
  BN_free(n);
  return encode(arena, bytes, (size_t)len);
}

const char *jwt_signer_jwk(const jwt_signer *s, const char *id, wh_arena *arena) {
  wh_str text =
      s->is_rsa
          ? wh_arena_printf(arena, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"%s\",\"e\":\"%s\"}", id,
                            number(s, OSSL_PKEY_PARAM_RSA_N, 0, arena),
                            number(s, OSSL_PKEY_PARAM_RSA_E, 0, arena))
          : wh_arena_printf(
                arena,
                "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", id,
                number(s, OSSL_PKEY_PARAM_EC_PUB_X, HALF, arena),
                number(s, OSSL_PKEY_PARAM_EC_PUB_Y, HALF, arena));
  if (!text.data) abort();
  return text.data;
}

const char *jwt_signer_pem(const jwt_signer *s, wh_arena *arena) {
  BIO *out = BIO_new(BIO_s_mem());
  char *data;
  if (!out || PEM_write_bio_PUBKEY(out, s->key) != 1) abort();
  long len = BIO_get_mem_data(out, &data);
  char *copy = wh_arena_cstr(arena, wh_str_n(data, (size_t)len));
  BIO_free(out);
  if (!copy) abort();
  return copy;
}

static size_t sign(const jwt_signer *s, wh_str data, uint8_t out[NUMBER_MAX]) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  size_t len = NUMBER_MAX;
  if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, s->key) != 1 ||
      EVP_DigestSign(context, out, &len, (const uint8_t *)data.data, data.len) != 1)
    abort();
  EVP_MD_CTX_free(context);
  if (s->is_rsa) return len;
  const uint8_t *der = out;
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
  if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, HALF) != HALF ||
      BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + HALF, HALF) != HALF)
    abort();
  ECDSA_SIG_free(pair);
  return (size_t)2 * HALF;
}

static wh_str signed_text(const char *header, const char *claims, wh_arena *arena) {
  return wh_arena_printf(arena, "%s.%s", encode(arena, header, strlen(header)),
                         encode(arena, claims, strlen(claims)));
}

static wh_str join(wh_str text, const uint8_t *signature, size_t len, wh_arena *arena) {
  wh_str token = wh_arena_printf(arena, "%.*s.%s", WH_STR_ARG(text), encode(arena, signature, len));
  if (!token.data) abort();
  return token;
}

wh_str jwt_signer_token(const jwt_signer *s, const char *header, const char *claims,
                        wh_arena *arena) {
  uint8_t signature[NUMBER_MAX];
  wh_str text = signed_text(header, claims, arena);
  return join(text, signature, sign(s, text, signature), arena);
}

wh_str jwt_hs256_token(wh_str secret, const char *header, const char *claims, wh_arena *arena) {
  uint8_t signature[WH_SHA256_BYTES];
  wh_str text = signed_text(header, claims, arena);
  wh_hmac_of(secret, text, signature);
  return join(text, signature, sizeof signature, arena);
}
