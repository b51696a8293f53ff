#include "serve/jwks.h"

#include "base/crypto.h"
#include "base/json_doc.h"

#define PEM_BEGINS "-----BEGIN "

// --- a JWK ---------------------------------------------------------------------------------------

static bool is_for_checking(const json_t *jwk) {
  wh_str use = wh_json_text(jwk, "use");
  const json_t *operations = json_object_get(jwk, "key_ops"), *operation;
  if (json_object_get(jwk, "use") && !wh_str_is(use, "sig")) return false;
  if (!operations) return true;
  size_t i;
  json_array_foreach(operations, i, operation) {
    if (json_is_string(operation) && strcmp(json_string_value(operation), "verify") == 0)
      return true;
  }
  return false;
}

// The bytes of a member in base64url, appended.
static bool decode(const json_t *jwk, const char *name, wh_buf *out) {
  wh_str text = wh_json_text(jwk, name);
  return text.len && wh_base64_decode(WH_BASE64_URL, text, out);
}

typedef wh_status (*make_key)(wh_str a, wh_str b, wh_public_key *ret, wh_error *err);

static wh_status read_numbers(wh_mem *mem, const json_t *jwk, const char *a, const char *b,
                              make_key make, wh_public_key *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf first, second;
  wh_buf_init(&first, mem, WH_JWKS_BYTES_MAX);
  wh_buf_init(&second, mem, WH_JWKS_BYTES_MAX);
  if (!decode(jwk, a, &first) || !decode(jwk, b, &second))
    return wh_fail(err, WH_ERR_DATA, "a number of a key is not base64url");
  return make(wh_buf_str(&first), wh_buf_str(&second), ret, err);
}

// Without a key where it is not one that can be used here.
static wh_status read_key(wh_mem *mem, const json_t *jwk, wh_public_key *ret, wh_error *err) {
  wh_str kind = wh_json_text(jwk, "kty"), algorithm = wh_json_text(jwk, "alg");
  bool is_rsa = wh_str_is(kind, "RSA");
  bool is_p256 = wh_str_is(kind, "EC") && wh_str_is(wh_json_text(jwk, "crv"), "P-256");
  if ((!is_rsa && !is_p256) || !is_for_checking(jwk) ||
      (json_object_get(jwk, "alg") && !wh_str_is(algorithm, is_rsa ? "RS256" : "ES256")))
    return wh_fail(err, WH_ERR_DATA, "a key for something else");
  return is_rsa ? read_numbers(mem, jwk, "n", "e", wh_public_key_of_rsa, ret, err)
                : read_numbers(mem, jwk, "x", "y", wh_public_key_of_p256, ret, err);
}

// --- a set ---------------------------------------------------------------------------------------

static wh_status keep(wh_jwks *keys, wh_public_key key, wh_str id, wh_error *err) {
  wh_jwk *jwk = &keys->keys[keys->count++];
  *jwk = (wh_jwk){.key = key, .id = id};
  return wh_arena_own(&keys->arena, &jwk->id) ? WH_OK : wh_fail_memory(err);
}

static wh_status read_set(wh_mem *mem, const json_t *root, const char *what, wh_jwks *ret,
                          wh_error *err) {
  const json_t *list = json_object_get(root, "keys"), *jwk;
  if (!json_is_array(list))
    return wh_fail(err, WH_ERR_DATA, "%s is no JWK Set: it has no list of 'keys'", what);
  size_t i;
  json_array_foreach(list, i, jwk) {
    wh_public_key key;
    wh_str id = wh_json_text(jwk, "kid");
    if (id.len > WH_JWKS_ID_MAX || read_key(mem, jwk, &key, NULL) != WH_OK) continue;
    if (ret->count == WH_JWKS_KEYS_MAX) {
      wh_public_key_free(&key);
      return wh_fail(err, WH_ERR_LIMIT, "%s has more than %d keys", what, WH_JWKS_KEYS_MAX);
    }
    WH_TRY(keep(ret, key, id, err));
  }
  return WH_OK;
}

// Each block of a file in PEM is a key without an id.
static wh_status read_pem(wh_str text, const char *what, wh_jwks *ret, wh_error *err) {
  const char *end = text.data + text.len;
  for (const char *at = text.data; at;) {
    const char *next = memmem(at + 1, (size_t)(end - at - 1), PEM_BEGINS, sizeof PEM_BEGINS - 1);
    wh_public_key key;
    wh_status status =
        wh_public_key_of_pem(wh_str_n(at, (size_t)((next ? next : end) - at)), &key, err);
    if (status != WH_OK) {
      wh_error_prefix(err, "%s: key %zu: ", what, ret->count + 1);
      return status;
    }
    if (ret->count == WH_JWKS_KEYS_MAX) {
      wh_public_key_free(&key);
      return wh_fail(err, WH_ERR_LIMIT, "%s has more than %d keys", what, WH_JWKS_KEYS_MAX);
    }
    WH_TRY(keep(ret, key, WH_STR(""), err));
    at = next;
  }
  return WH_OK;
}

static wh_status read_text(wh_mem *mem, wh_str text, const char *what, wh_jwks *ret,
                           wh_error *err) {
  if (wh_str_starts(text, PEM_BEGINS)) return read_pem(text, what, ret, err);
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(text, WH_JWKS_BYTES_MAX, what, &root, err));
  WH_TRY(read_set(mem, root, what, ret, err));
  if (ret->count) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%s has no key for RS256 (of %d bits or more) or ES256", what,
                 WH_RSA_BITS_MIN);
}

wh_status wh_jwks_read(wh_mem *mem, wh_str text, const char *what, wh_jwks *ret, wh_error *err) {
  wh_jwks keys = {0};
  if (text.len > WH_JWKS_BYTES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "%s is longer than %d bytes", what, WH_JWKS_BYTES_MAX);
  wh_arena_init(&keys.arena, mem);
  keys.keys = WH_NEW_ARRAY(&keys.arena, WH_JWKS_KEYS_MAX, wh_jwk);
  wh_status status = keys.keys ? read_text(mem, text, what, &keys, err) : wh_fail_memory(err);
  if (status != WH_OK) {
    wh_jwks_free(&keys);
    return status;
  }
  *ret = keys;
  return WH_OK;
}

void wh_jwks_free(wh_jwks *keys) {
  if (!keys) return;
  for (size_t i = 0; i < keys->count; i++)
    wh_public_key_free(&keys->keys[i].key);
  wh_arena_free(&keys->arena);
  *keys = (wh_jwks){0};
}
