#include "serve/jwt.h"

#include "base/crypto.h"
#include "base/json_doc.h"

// The parts of a token, the first two decoded and read.
typedef struct parts {
  wh_str signed_text; // HEADER.CLAIMS
  wh_buf header_bytes, claims_bytes, signature;
  json_t *header, *claims;
} parts;

static wh_jwt_verdict invalid(wh_jwt *ret, const char *reason) {
  ret->reason = reason;
  return WH_JWT_INVALID;
}

// --- form ----------------------------------------------------------------------------------------

static bool decode(wh_str text, wh_buf *out) {
  return text.len && text.data[text.len - 1] != '=' && wh_base64_decode(WH_BASE64_URL, text, out);
}

static bool read_object(wh_str text, json_t **ret) {
  return wh_json_load(text, WH_JWT_BYTES_MAX, "", ret, NULL) == WH_OK && json_is_object(*ret);
}

static void parts_init(parts *p, wh_mem *mem) {
  *p = (parts){0};
  wh_buf_init(&p->header_bytes, mem, WH_JWT_BYTES_MAX);
  wh_buf_init(&p->claims_bytes, mem, WH_JWT_BYTES_MAX);
  wh_buf_init(&p->signature, mem, WH_JWT_BYTES_MAX);
}

static void parts_free(parts *p) {
  json_decref(p->header);
  json_decref(p->claims);
  wh_buf_free(&p->header_bytes);
  wh_buf_free(&p->claims_bytes);
  wh_buf_free(&p->signature);
}

static wh_jwt_verdict split(wh_str token, parts *p, wh_jwt *ret) {
  if (token.len > WH_JWT_BYTES_MAX) return invalid(ret, "the token is too long");
  size_t first = wh_str_find(token, 0, '.');
  size_t second = wh_str_find(token, first + 1, '.');
  if (second >= token.len) return invalid(ret, "no token of three parts");
  p->signed_text = wh_str_sub(token, 0, second);
  if (!decode(wh_str_sub(token, 0, first), &p->header_bytes) ||
      !decode(wh_str_sub(token, first + 1, second), &p->claims_bytes) ||
      !decode(wh_str_sub(token, second + 1, token.len), &p->signature)) {
    bool failed = p->header_bytes.failed || p->claims_bytes.failed || p->signature.failed;
    return failed ? WH_JWT_NO_MEMORY : invalid(ret, "a part of the token is not base64url");
  }
  if (!read_object(wh_buf_str(&p->header_bytes), &p->header))
    return invalid(ret, "the token's header is no JSON object");
  return WH_JWT_VALID;
}

// --- header and signature ------------------------------------------------------------------------

static bool is_token_type(const json_t *header) {
  static const char *const types[] = {"JWT", "at+jwt", "application/at+jwt"};
  if (!json_object_get(header, "typ")) return true;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (wh_str_eq_nocase(wh_json_text(header, "typ"), wh_str_of(types[i]))) return true;
  return false;
}

static wh_jwt_verdict check_header(const json_t *header, const wh_jwt_rules *rules,
                                   wh_key_kind *ret_kind, wh_jwt *ret) {
  wh_str algorithm = wh_json_text(header, "alg");
  if (rules->rs256 && wh_str_is(algorithm, "RS256"))
    *ret_kind = WH_KEY_RSA;
  else if (rules->es256 && wh_str_is(algorithm, "ES256"))
    *ret_kind = WH_KEY_P256;
  else
    return invalid(ret, "the token's algorithm is not one of those listed");
  if (json_object_get(header, "crit")) return invalid(ret, "the token has critical extensions");
  if (!is_token_type(header)) return invalid(ret, "the token is of another type");
  const json_t *id = json_object_get(header, "kid");
  if (id && !json_is_string(id)) return invalid(ret, "the token's kid is no text");
  return WH_JWT_VALID;
}

// The keys that may have signed it: those of its kind with its id, or without one.
static wh_jwt_verdict check_signature(const parts *p, const wh_jwks *keys, wh_key_kind kind,
                                      wh_jwt *ret) {
  wh_str id = wh_json_text(p->header, "kid"), signature = wh_buf_str(&p->signature);
  bool has_id = json_object_get(p->header, "kid") != NULL;
  bool is_known = false;
  for (size_t i = 0; i < keys->count; i++) {
    const wh_jwk *key = &keys->keys[i];
    if (key->key.kind != kind || (has_id && key->id.len && !wh_str_eq(key->id, id))) continue;
    is_known = true;
    if (wh_public_key_signed(&key->key, p->signed_text, signature)) return WH_JWT_VALID;
  }
  ret->reason = is_known ? "the token's signature does not hold" : "the token's key is not known";
  return is_known ? WH_JWT_INVALID : WH_JWT_UNKNOWN_KEY;
}

// --- claims --------------------------------------------------------------------------------------

// Seconds since 1970, perhaps with a fraction (RFC 7519 section 2), as microseconds.
static bool read_time(const json_t *claim, int64_t *ret_us) {
  static const double SECONDS_MAX = 253402300799.0; // the year 9999
  if (!json_is_number(claim)) return false;
  double seconds = json_number_value(claim);
  if (!(seconds >= 0 && seconds <= SECONDS_MAX)) return false;
  *ret_us = (int64_t)(seconds * 1e6);
  return true;
}

static wh_jwt_verdict check_times(const json_t *claims, const wh_jwt_rules *rules, int64_t now_us,
                                  wh_jwt *ret) {
  static const char *const starts[] = {"nbf", "iat"};
  int64_t at;
  if (!read_time(json_object_get(claims, "exp"), &at))
    return invalid(ret, "the token does not say when it expires");
  if (now_us >= at + rules->leeway_us) return invalid(ret, "the token has expired");
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
    const json_t *claim = json_object_get(claims, starts[i]);
    if (!claim) continue;
    if (!read_time(claim, &at)) return invalid(ret, "a time of the token cannot be read");
    if (now_us < at - rules->leeway_us) return invalid(ret, "the token is not valid yet");
  }
  return WH_JWT_VALID;
}

static bool is_text(const json_t *value, wh_str want) {
  return json_is_string(value) &&
         wh_str_eq(wh_str_n(json_string_value(value), json_string_length(value)), want);
}

static bool lists(const json_t *list, wh_str want) {
  size_t i;
  const json_t *item;
  json_array_foreach(list, i, item) {
    if (is_text(item, want)) return true;
  }
  return false;
}

static bool has_word(wh_str words, wh_str want) {
  for (wh_str word; wh_str_split(&words, ' ', &word);)
    if (wh_str_eq(word, want)) return true;
  return false;
}

static bool has_scope(const json_t *claims, wh_str want) {
  return has_word(wh_json_text(claims, "scope"), want) ||
         has_word(wh_json_text(claims, "scp"), want) || lists(json_object_get(claims, "scp"), want);
}

static wh_jwt_verdict check_claims(const json_t *claims, const wh_jwt_rules *rules, int64_t now_us,
                                   wh_jwt *ret) {
  const json_t *audience = json_object_get(claims, "aud");
  if (!is_text(json_object_get(claims, "iss"), rules->issuer))
    return invalid(ret, "the token is of another issuer");
  if (!is_text(audience, rules->audience) && !lists(audience, rules->audience))
    return invalid(ret, "the token is for another audience");
  wh_jwt_verdict verdict = check_times(claims, rules, now_us, ret);
  if (verdict != WH_JWT_VALID) return verdict;
  for (size_t i = 0; i < rules->scope.count; i++) {
    if (has_scope(claims, rules->scope.items[i])) continue;
    ret->reason = "the token's scope does not reach here";
    return WH_JWT_NO_SCOPE;
  }
  return WH_JWT_VALID;
}

// For the log: nothing but what can be printed.
static void copy_client(const json_t *claims, wh_jwt *ret) {
  static const char *const names[] = {"client_id", "azp", "sub"};
  wh_str text = {0};
  for (size_t i = 0; !text.len && i < sizeof names / sizeof names[0]; i++)
    text = wh_json_text(claims, names[i]);
  size_t len = text.len < WH_JWT_NAME_MAX ? text.len : WH_JWT_NAME_MAX;
  for (size_t i = 0; i < len; i++)
    ret->client[i] = text.data[i] > ' ' && text.data[i] < 0x7F ? text.data[i] : '?';
  ret->client[len] = 0;
}

// --- the whole -----------------------------------------------------------------------------------

static wh_jwt_verdict check(wh_str token, parts *p, const wh_jwks *keys, const wh_jwt_rules *rules,
                            int64_t now_us, wh_jwt *ret) {
  wh_key_kind kind;
  wh_jwt_verdict verdict = split(token, p, ret);
  if (verdict == WH_JWT_VALID) verdict = check_header(p->header, rules, &kind, ret);
  if (verdict == WH_JWT_VALID) verdict = check_signature(p, keys, kind, ret);
  if (verdict != WH_JWT_VALID) return verdict;
  // Only now: what nobody signed is not worth reading.
  if (!read_object(wh_buf_str(&p->claims_bytes), &p->claims))
    return invalid(ret, "the token's claims are no JSON object");
  verdict = check_claims(p->claims, rules, now_us, ret);
  if (verdict == WH_JWT_VALID) copy_client(p->claims, ret);
  return verdict;
}

wh_jwt_verdict wh_jwt_check(wh_mem *mem, wh_str token, const wh_jwks *keys,
                            const wh_jwt_rules *rules, int64_t now_us, wh_jwt *ret) {
  parts p;
  *ret = (wh_jwt){0};
  parts_init(&p, mem);
  wh_jwt_verdict verdict = check(token, &p, keys, rules, now_us, ret);
  parts_free(&p);
  return verdict;
}
