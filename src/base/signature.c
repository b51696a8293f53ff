#include "base/signature.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { EXPONENT_BYTES_MAX = 8 };

static wh_status not_a_key(wh_error *err, const char *what) {
  ERR_clear_error();
  return wh_fail(err, WH_ERR_DATA, "%s", what);
}

// --- from its numbers ----------------------------------------------------------------------------

static EVP_PKEY *make(const char *type, OSSL_PARAM_BLD *builder) {
  OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  EVP_PKEY *key = NULL;
  if (!params || !context || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
    key = NULL;
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(params);
  return key;
}

static EVP_PKEY *make_rsa(wh_str modulus, wh_str exponent) {
  BIGNUM *n = BN_bin2bn((const uint8_t *)modulus.data, (int)modulus.len, NULL);
  BIGNUM *e = BN_bin2bn((const uint8_t *)exponent.data, (int)exponent.len, NULL);
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  EVP_PKEY *key = NULL;
  if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    key = make("RSA", builder);
  OSSL_PARAM_BLD_free(builder);
  BN_free(n);
  BN_free(e);
  return key;
}

static EVP_PKEY *make_p256(wh_str x, wh_str y) {
  uint8_t point[1 + 2 * WH_P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
  memcpy(point + 1, x.data, WH_P256_BYTES);
  memcpy(point + 1 + WH_P256_BYTES, y.data, WH_P256_BYTES);
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  EVP_PKEY *key = NULL;
  if (builder &&
      OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
    key = make("EC", builder);
  OSSL_PARAM_BLD_free(builder);
  return key;
}

// --- what may be used ----------------------------------------------------------------------------

static wh_status check_rsa(EVP_PKEY *key, wh_error *err) {
  BIGNUM *e = NULL;
  int bits = EVP_PKEY_get_bits(key);
  bool fits = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) &&
              !BN_is_one(e) && BN_num_bytes(e) <= EXPONENT_BYTES_MAX;
  BN_free(e);
  if (!fits) return not_a_key(err, "its exponent is none of an RSA key");
  if (bits >= WH_RSA_BITS_MIN && bits <= WH_RSA_BITS_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "an RSA key of %d bits; it takes %d to %d", bits,
                 WH_RSA_BITS_MIN, WH_RSA_BITS_MAX);
}

static wh_status check_p256(EVP_PKEY *key, wh_error *err) {
  char group[32];
  if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
      strcmp(group, "prime256v1") == 0)
    return WH_OK;
  return not_a_key(err, "a key of another curve than P-256");
}

// Takes the key over, in any case.
static wh_status check(EVP_PKEY *key, wh_public_key *ret, wh_error *err) {
  wh_status status;
  wh_key_kind kind = WH_KEY_RSA;
  if (!key) return not_a_key(err, "its numbers are no key");
  if (EVP_PKEY_is_a(key, "RSA")) {
    status = check_rsa(key, err);
  } else if (EVP_PKEY_is_a(key, "EC")) {
    kind = WH_KEY_P256;
    status = check_p256(key, err);
  } else {
    status = not_a_key(err, "neither an RSA key nor one of P-256");
  }
  if (status != WH_OK) {
    EVP_PKEY_free(key);
    return status;
  }
  *ret = (wh_public_key){key, kind};
  return WH_OK;
}

wh_status wh_public_key_of_rsa(wh_str modulus, wh_str exponent, wh_public_key *ret, wh_error *err) {
  if (!modulus.len || modulus.len > WH_RSA_BITS_MAX / 8 + 1 || !exponent.len ||
      exponent.len > EXPONENT_BYTES_MAX)
    return not_a_key(err, "its numbers are too long or empty");
  return check(make_rsa(modulus, exponent), ret, err);
}

wh_status wh_public_key_of_p256(wh_str x, wh_str y, wh_public_key *ret, wh_error *err) {
  if (x.len != WH_P256_BYTES || y.len != WH_P256_BYTES)
    return not_a_key(err, "a coordinate that is not of 32 bytes");
  return check(make_p256(x, y), ret, err);
}

wh_status wh_public_key_of_pem(wh_str pem, wh_public_key *ret, wh_error *err) {
  BIO *in = BIO_new_mem_buf(pem.data, (int)pem.len);
  if (!in) return wh_fail_memory(err);
  EVP_PKEY *key = NULL;
  if (memmem(pem.data, pem.len, "-----BEGIN CERTIFICATE-----", 27)) {
    X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
    key = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
  } else {
    key = PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
  }
  BIO_free(in);
  return check(key, ret, err);
}

void wh_public_key_free(wh_public_key *key) {
  if (!key) return;
  EVP_PKEY_free(key->key);
  key->key = NULL;
}

// --- signatures ----------------------------------------------------------------------------------

// DER, as libcrypto takes it.
static int der_of(wh_str signature, uint8_t **ret) {
  const uint8_t *at = (const uint8_t *)signature.data;
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(at, WH_P256_BYTES, NULL);
  BIGNUM *s = BN_bin2bn(at + WH_P256_BYTES, WH_P256_BYTES, NULL);
  int len = -1;
  if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
    r = s = NULL; // its own now
    len = i2d_ECDSA_SIG(pair, ret);
  }
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(pair);
  return len;
}

static bool verify(EVP_PKEY *key, wh_str data, const uint8_t *signature, size_t len) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool ok = context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
            EVP_DigestVerify(context, signature, len, (const uint8_t *)data.data, data.len) == 1;
  EVP_MD_CTX_free(context);
  ERR_clear_error();
  return ok;
}

bool wh_public_key_signed(const wh_public_key *key, wh_str data, wh_str signature) {
  if (key->kind == WH_KEY_RSA)
    return verify(key->key, data, (const uint8_t *)signature.data, signature.len);
  if (signature.len != (size_t)2 * WH_P256_BYTES) return false;
  uint8_t *der = NULL;
  int len = der_of(signature, &der);
  bool ok = len > 0 && verify(key->key, data, der, (size_t)len);
  OPENSSL_free(der);
  return ok;
}
