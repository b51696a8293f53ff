// Tokens (serve/jwt.h) and key sets (serve/jwks.h). Valid tokens are signed here with OpenSSL by
// keys made for the test; those of RFC 7515 were signed by somebody else.
#include "jwt_signer.h"
#include "test.h"

#include "base/crypto.h"
#include "serve/jwt.h"

#define NOW_US (1700000000LL * 1000000)

static jwt_signer rsa, p256;
static wh_arena arena;
static wh_jwks keys;
static wh_jwt_rules rules;
static wh_jwt jwt;

static const char claims[] =
    "{\"iss\":\"https://id.example\",\"aud\":\"orders\",\"exp\":1700000300,\"sub\":\"partner-a\"}";

static bool read_keys(const char *text) {
  wh_jwks_free(&keys);
  return CHECK_OK(wh_jwks_read(&test_mem, wh_str_of(text), "the set", &keys, &test_err));
}

static const char *print(const char *fmt, ...) {
  static char text[64 << 10];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return text;
}

static bool begin(void) {
  wh_arena_init(&arena, &test_mem);
  if (!rsa.key && (!CHECK(jwt_signer_rsa(&rsa, 2048)) || !CHECK(jwt_signer_p256(&p256))))
    return false;
  rules = (wh_jwt_rules){.rs256 = true,
                         .es256 = true,
                         .issuer = WH_STR("https://id.example"),
                         .audience = WH_STR("orders"),
                         .leeway_us = 60 * 1000000};
  return read_keys(print("{\"keys\":[%s,%s]}", jwt_signer_jwk(&rsa, "r1", &arena),
                         jwt_signer_jwk(&p256, "e1", &arena)));
}

static void end(void) {
  wh_jwks_free(&keys);
  wh_arena_free(&arena);
}

static wh_jwt_verdict check(wh_str token) {
  return wh_jwt_check(&test_mem, token, &keys, &rules, NOW_US, &jwt);
}

static wh_jwt_verdict check_signed(const jwt_signer *signer, const char *header,
                                   const char *payload) {
  return check(jwt_signer_token(signer, header, payload, &arena));
}

#define R1 "{\"alg\":\"RS256\",\"kid\":\"r1\"}"
#define E1 "{\"alg\":\"ES256\",\"kid\":\"e1\",\"typ\":\"JWT\"}"

static void refuses(wh_jwt_verdict verdict, const char *reason) {
  CHECK_EQ(verdict, WH_JWT_INVALID);
  if (!CHECK(jwt.reason && strcmp(jwt.reason, reason) == 0)) test_note("%s", jwt.reason);
  CHECK_EQ(jwt.client[0], 0);
}

TEST(tokens_that_hold) {
  REQUIRE(begin());
  CHECK_EQ(check_signed(&rsa, R1, claims), WH_JWT_VALID);
  CHECK_STR(wh_str_of(jwt.client), WH_STR("partner-a"));
  CHECK_EQ(check_signed(&p256, E1, claims), WH_JWT_VALID);
  CHECK_EQ(check_signed(&rsa, "{\"alg\":\"RS256\"}", claims), WH_JWT_VALID);
  CHECK_EQ(check_signed(&p256, "{\"alg\":\"ES256\",\"typ\":\"at+JWT\"}", claims), WH_JWT_VALID);
  CHECK_EQ(check_signed(&rsa, R1,
                        "{\"iss\":\"https://id.example\",\"aud\":[\"x\",\"orders\"],"
                        "\"exp\":1700000000.5,\"nbf\":1699999000,\"iat\":1700000059,"
                        "\"client_id\":\"a b\\u0007\\u00e9\",\"sub\":\"x\"}"),
           WH_JWT_VALID);
  CHECK_STR(wh_str_of(jwt.client), WH_STR("a?b???"));
  end();
}

// RFC 7515 appendix A.2 and A.3. Their claims have no audience: that this is what is missed says
// that the signature holds.
TEST(examples_of_rfc_7515) {
  REQUIRE(begin());
  static const char set[] =
      "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPd"
      "dxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo"
      "9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD"
      "Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h"
      "4FRWyuXpoQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
  static char a2[] =
      "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
      "LmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
      "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO7"
      "5vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6Bf"
      "I7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77"
      "Rw";
  static char a3[] =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
      "LmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
      "pmWQxfKTUJqPP3-Kg6NU1Q";
  REQUIRE(read_keys(set));
  CHECK_EQ(keys.count, 2);
  rules.issuer = WH_STR("joe");
  refuses(check(wh_str_of(a2)), "the token is for another audience");
  refuses(check(wh_str_of(a3)), "the token is for another audience");
  a2[sizeof a2 - 10] ^= 1;
  a3[sizeof a3 - 10] ^= 1;
  refuses(check(wh_str_of(a2)), "the token's signature does not hold");
  refuses(check(wh_str_of(a3)), "the token's signature does not hold");
  end();
}

TEST(algorithms_are_those_listed) {
  REQUIRE(begin());
  static const char *const others[] = {"none",  "None",   "NONE",  "HS256", "HS512",
                                       "RS384", "RS512",  "PS256", "ES384", "EdDSA",
                                       "rs256", "RS256 ", ""};
  const char *reason = "the token's algorithm is not one of those listed";
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    const char *header = wh_arena_printf(&arena, "{\"alg\":\"%s\"}", others[i]).data;
    refuses(check_signed(&rsa, header, claims), reason);
  }
  refuses(check_signed(&rsa, "{\"kid\":\"r1\"}", claims), reason);
  refuses(check_signed(&rsa, "{\"alg\":256}", claims), reason);
  // The public key as the secret of a keyed hash.
  wh_str pem = wh_str_of(jwt_signer_pem(&rsa, &arena));
  refuses(check(jwt_hs256_token(pem, "{\"alg\":\"HS256\"}", claims, &arena)), reason);
  // A key says nothing about a signature of another kind, whatever the header claims.
  refuses(check_signed(&p256, R1, claims), "the token's signature does not hold");
  refuses(check_signed(&rsa, E1, claims), "the token's signature does not hold");
  rules.rs256 = false;
  refuses(check_signed(&rsa, R1, claims), reason);
  CHECK_EQ(check_signed(&p256, E1, claims), WH_JWT_VALID);
  rules = (wh_jwt_rules){
      .rs256 = true, .issuer = rules.issuer, .audience = rules.audience, .leeway_us = 0};
  refuses(check_signed(&p256, E1, claims), reason);
  end();
}

TEST(headers_that_ask_for_something_else) {
  REQUIRE(begin());
  refuses(check_signed(&rsa, "{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", claims),
          "the token has critical extensions");
  refuses(check_signed(&rsa, "{\"alg\":\"RS256\",\"crit\":[]}", claims),
          "the token has critical extensions");
  refuses(check_signed(&rsa, "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", claims),
          "the token is of another type");
  refuses(check_signed(&rsa, "{\"alg\":\"RS256\",\"kid\":7}", claims),
          "the token's kid is no text");
  refuses(check_signed(&rsa, "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", claims),
          "the token's header is no JSON object");
  refuses(check_signed(&rsa, "[\"RS256\"]", claims), "the token's header is no JSON object");
  CHECK_EQ(check_signed(&rsa, "{\"alg\":\"RS256\",\"kid\":\"r2\"}", claims), WH_JWT_UNKNOWN_KEY);
  CHECK_EQ(check_signed(&rsa, "{\"alg\":\"RS256\",\"kid\":\"e1\"}", claims), WH_JWT_UNKNOWN_KEY);
  // A key that the token brings along counts for nothing.
  jwt_signer stranger = {0};
  REQUIRE(jwt_signer_p256(&stranger));
  const char *header = wh_arena_printf(&arena, "{\"alg\":\"ES256\",\"kid\":\"e1\",\"jwk\":%s}",
                                       jwt_signer_jwk(&stranger, "e1", &arena))
                           .data;
  refuses(check_signed(&stranger, header, claims), "the token's signature does not hold");
  jwt_signer_free(&stranger);
  end();
}

TEST(claims_that_do_not_do) {
  REQUIRE(begin());
#define ISS "\"iss\":\"https://id.example\","
#define AUD "\"aud\":\"orders\","
  static const struct {
    const char *claims, *reason;
  } cases[] = {
      {"{" ISS AUD "\"exp\":1699999940}", "the token has expired"},
      {"{" ISS AUD "\"exp\":0}", "the token has expired"},
      {"{" ISS AUD "\"sub\":\"x\"}", "the token does not say when it expires"},
      {"{" ISS AUD "\"exp\":\"1700000300\"}", "the token does not say when it expires"},
      {"{" ISS AUD "\"exp\":-1}", "the token does not say when it expires"},
      {"{" ISS AUD "\"exp\":1e300}", "the token does not say when it expires"},
      {"{" ISS AUD "\"exp\":1700000300,\"nbf\":1700000061}", "the token is not valid yet"},
      {"{" ISS AUD "\"exp\":1700000300,\"iat\":1700000061}", "the token is not valid yet"},
      {"{" ISS AUD "\"exp\":1700000300,\"nbf\":null}", "a time of the token cannot be read"},
      {"{" AUD "\"exp\":1700000300}", "the token is of another issuer"},
      {"{\"iss\":\"https://id.example/\"," AUD "\"exp\":1700000300}",
       "the token is of another issuer"},
      {"{\"iss\":[\"https://id.example\"]," AUD "\"exp\":1700000300}",
       "the token is of another issuer"},
      {"{\"iss\":\"https://id.example\\u0000\"," AUD "\"exp\":1700000300}",
       "the token is of another issuer"},
      {"{" ISS "\"exp\":1700000300}", "the token is for another audience"},
      {"{" ISS "\"aud\":\"Orders\",\"exp\":1700000300}", "the token is for another audience"},
      {"{" ISS "\"aud\":[],\"exp\":1700000300}", "the token is for another audience"},
      {"{" ISS "\"aud\":{\"orders\":1},\"exp\":1700000300}", "the token is for another audience"},
      {"{" ISS AUD "\"exp\":1700000300,\"exp\":1700000300}",
       "the token's claims are no JSON object"},
      {"[1]", "the token's claims are no JSON object"},
      {"{\"iss\":", "the token's claims are no JSON object"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    refuses(check_signed(&p256, E1, cases[i].claims), cases[i].reason);
    if (test_failed()) test_note("%s", cases[i].claims);
  }
  end();
}

TEST(scopes) {
  static const struct {
    const char *more;
    wh_jwt_verdict want;
  } cases[] = {
      {"\"scope\":\"read orders.write\"", WH_JWT_VALID},
      {"\"scp\":\"orders.write read\"", WH_JWT_VALID},
      {"\"scp\":[\"read\",\"orders.write\"]", WH_JWT_VALID},
      {"\"scope\":\"read\"", WH_JWT_NO_SCOPE},
      {"\"scope\":\"read orders.write2\"", WH_JWT_NO_SCOPE},
      {"\"scope\":[\"read\",\"orders.write\"]", WH_JWT_NO_SCOPE},
      {"\"x\":1", WH_JWT_NO_SCOPE},
  };
  REQUIRE(begin());
  wh_str asked[] = {WH_STR("orders.write"), WH_STR("read")};
  rules.scope = (wh_str_list){asked, 2};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *payload =
        wh_arena_printf(&arena, "{" ISS AUD "\"exp\":1700000300,%s}", cases[i].more).data;
    if (!CHECK_EQ(check_signed(&p256, E1, payload), cases[i].want)) test_note("%s", payload);
  }
  end();
}

TEST(garbage_is_no_token) {
  REQUIRE(begin());
  static const char *const garbage[] = {"",         ".",     "..",           "...",
                                        "a.b.c",    "e30",   "e30.",         "e30..",
                                        "e30.e30.", "=.=.=", "e30.e30.e3 0", "\x01\xff.\x02.\x03"};
  for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
    CHECK_EQ(check(wh_str_of(garbage[i])), WH_JWT_INVALID);
  wh_str token = jwt_signer_token(&p256, E1, claims, &arena);
  refuses(check(wh_arena_printf(&arena, "%.*s.", WH_STR_ARG(token))),
          "a part of the token is not base64url");
  refuses(check(wh_arena_printf(&arena, "%.*s=", WH_STR_ARG(token))),
          "a part of the token is not base64url");
  refuses(check(wh_str_sub(token, 0, token.len - 2)), "the token's signature does not hold");
  char *long_text = wh_arena_alloc(&arena, WH_JWT_BYTES_MAX + 2);
  memset(long_text, 'a', WH_JWT_BYTES_MAX + 1);
  refuses(check(wh_str_of(long_text)), "the token is too long");
  // Any bit of it that is changed makes another.
  for (size_t i = 0; i < token.len; i++) {
    wh_str copy = wh_arena_str(&arena, token);
    ((char *)copy.data)[i] ^= 1 << (i % 7);
    if (!CHECK(check(copy) != WH_JWT_VALID)) test_note("byte %zu", i);
  }
  end();
}

// --- key sets ------------------------------------------------------------------------------------

TEST(keys_of_other_kinds_are_left_out) {
  REQUIRE(begin());
  jwt_signer weak = {0};
  REQUIRE(jwt_signer_rsa(&weak, 1024));
  const char *good = jwt_signer_jwk(&p256, "e1", &arena);
  const char *more = wh_arena_printf(&arena, "%.*s", (int)strlen(good) - 1, good).data;
  REQUIRE(read_keys(print(
      "{\"keys\":[%s,{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\"},"
      "7,{},%s,\"use\":\"enc\"},%s,\"key_ops\":[\"sign\"]},%s,\"alg\":\"ES384\"},%s}",
      jwt_signer_jwk(&weak, "w", &arena), more, more, more,
      wh_arena_printf(&arena, "%s,\"use\":\"sig\",\"key_ops\":[\"verify\"],\"alg\":\"ES256\"}]",
                      more)
          .data)));
  CHECK_EQ(keys.count, 1);
  CHECK_EQ(check_signed(&p256, E1, claims), WH_JWT_VALID);
  CHECK_FAILS(wh_jwks_read(&test_mem,
                           wh_str_of(print("{\"keys\":[%s]}", jwt_signer_jwk(&weak, "w", &arena))),
                           "the set", &keys, &test_err),
              WH_ERR_DATA);
  CHECK_ERROR_HAS("the set has no key for RS256 (of 2048 bits or more) or ES256");
  jwt_signer_free(&weak);
  end();
}

TEST(sets_that_are_none) {
  static const char *const none[] = {"",
                                     "{}",
                                     "[]",
                                     "{\"keys\":{}}",
                                     "{\"keys\":[]}",
                                     "{\"keys\":[],\"keys\":[]}",
                                     "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
                                     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}]}",
                                     "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                                     "-----BEGIN "};
  wh_jwks none_read = {0};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
    CHECK_FAILS(wh_jwks_read(&test_mem, wh_str_of(none[i]), "the set", &none_read, &test_err),
                WH_ERR_DATA);
  // A point that is not on the curve.
  char off[300];
  snprintf(off, sizeof off,
           "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
           "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
           "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}]}");
  CHECK_FAILS(wh_jwks_read(&test_mem, wh_str_of(off), "the set", &none_read, &test_err),
              WH_ERR_DATA);
}

TEST(keys_in_pem) {
  REQUIRE(begin());
  const char *both =
      wh_arena_printf(&arena, "%s%s", jwt_signer_pem(&rsa, &arena), jwt_signer_pem(&p256, &arena))
          .data;
  REQUIRE(read_keys(both));
  CHECK_EQ(keys.count, 2);
  // Without an id, a key may be any.
  CHECK_EQ(check_signed(&rsa, R1, claims), WH_JWT_VALID);
  CHECK_EQ(check_signed(&p256, E1, claims), WH_JWT_VALID);
  jwt_signer weak = {0};
  REQUIRE(jwt_signer_rsa(&weak, 1024));
  wh_jwks none;
  CHECK_FAILS(wh_jwks_read(&test_mem, wh_str_of(jwt_signer_pem(&weak, &arena)), "keys.pem", &none,
                           &test_err),
              WH_ERR_DATA);
  CHECK_ERROR_HAS("keys.pem: key 1: an RSA key of 1024 bits; it takes 2048 to 8192");
  jwt_signer_free(&weak);
  end();
}

TEST(tokens_without_memory) {
  REQUIRE(begin());
  wh_str token = jwt_signer_token(&p256, E1, claims, &arena);
  for (size_t n = 1;; n++) {
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_jwt_verdict verdict = check(token);
    atomic_store(&test_mem.fail_at, 0);
    if (verdict == WH_JWT_VALID) break;
    CHECK_EQ(verdict, WH_JWT_NO_MEMORY);
  }
  end();
}
