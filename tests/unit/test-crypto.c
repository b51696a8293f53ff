// Vectors: FIPS 180-4's examples, RFC 4231, NIST's GCM test case 16, RFC 4648.
#include "base/crypto.h"
#include "base/ulid.h"
#include "sim_os.h"
#include "test.h"

#include <pthread.h>

static wh_str hex_of(const void *data, size_t len) {
  static wh_buf buf;
  static char text[256];
  wh_buf_init(&buf, &test_mem, 0);
  wh_buf_add_hex(&buf, data, len);
  snprintf(text, sizeof text, "%s", buf.data ? buf.data : "");
  wh_buf_free(&buf);
  return wh_str_of(text);
}

// --- SHA-256
// ---------------------------------------------------------------------------------------

TEST(sha256_of_the_standards_examples) {
  static const struct {
    const char *text, *digest;
  } cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
  };
  for (size_t i = 0; i < 3; i++) {
    wh_str text = wh_str_of(cases[i].text);
    uint8_t out[WH_SHA256_BYTES];
    wh_sha256_of(text, out);
    CHECK_STR(hex_of(out, sizeof out), wh_str_of(cases[i].digest));
    wh_sha256 sha = {0};
    REQUIRE_OK(wh_sha256_init(&sha, &test_err));
    for (size_t j = 0; j < text.len; j++)
      CHECK_OK(wh_sha256_add(&sha, text.data + j, 1, &test_err));
    CHECK_OK(wh_sha256_finish(&sha, out, &test_err));
    CHECK_STR(hex_of(out, sizeof out), wh_str_of(cases[i].digest));
    wh_sha256_free(&sha);
    wh_sha256_free(&sha);
  }
  wh_sha256_free(&(wh_sha256){0});
  wh_sha256_free(NULL);
}

TEST(sha256_of_a_million_letters) {
  wh_sha256 sha;
  REQUIRE_OK(wh_sha256_init(&sha, &test_err));
  char letters[1000];
  memset(letters, 'a', sizeof letters);
  for (int i = 0; i < 1000; i++)
    CHECK_OK(wh_sha256_add(&sha, letters, sizeof letters, &test_err));
  uint8_t out[WH_SHA256_BYTES];
  CHECK_OK(wh_sha256_finish(&sha, out, &test_err));
  wh_sha256_free(&sha);
  CHECK_STR(hex_of(out, sizeof out),
            WH_STR("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
}

// --- HMAC
// ------------------------------------------------------------------------------------------

static void check_hmac(wh_str key, wh_str data, const char *want) {
  uint8_t out[WH_SHA256_BYTES];
  wh_hmac_of(key, data, out);
  CHECK_STR(wh_str_sub(hex_of(out, sizeof out), 0, strlen(want)), wh_str_of(want));
  wh_hmac_key state;
  wh_hmac_key_init(&state, key);
  for (int i = 0; i < 3; i++) { // the key is not used up
    memset(out, 0, sizeof out);
    wh_hmac(&state, data, out);
    CHECK_STR(wh_str_sub(hex_of(out, sizeof out), 0, strlen(want)), wh_str_of(want));
  }
  for (size_t piece = 1; piece < 100; piece += 13) {
    wh_hmac_stream stream;
    wh_hmac_begin(&state, &stream);
    for (size_t at = 0; at < data.len; at += piece) {
      wh_str part = wh_str_sub(data, at, at + piece);
      wh_hmac_add(&stream, part.data, part.len);
    }
    wh_hmac_end(&state, &stream, out);
    CHECK_STR(wh_str_sub(hex_of(out, sizeof out), 0, strlen(want)), wh_str_of(want));
  }
  wh_hmac_key_clear(&state);
  for (size_t i = 0; i < 14; i++)
    CHECK(state.inner[i] == 0 && state.outer[i] == 0);
}

TEST(hmac_of_rfc_4231) {
  char key[200], data[200];
  memset(key, 0x0b, 20);
  check_hmac(wh_str_n(key, 20), WH_STR("Hi There"),
             "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  check_hmac(WH_STR("Jefe"), WH_STR("what do ya want for nothing?"),
             "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, sizeof key);
  memset(data, 0xdd, 50);
  check_hmac(wh_str_n(key, 20), wh_str_n(data, 50),
             "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  char counting[25];
  for (int i = 0; i < 25; i++)
    counting[i] = (char)(i + 1);
  memset(data, 0xcd, 50);
  check_hmac(wh_str_n(counting, 25), wh_str_n(data, 50),
             "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  char twelve[20];
  memset(twelve, 0x0c, sizeof twelve);
  check_hmac(wh_str_n(twelve, 20), WH_STR("Test With Truncation"),
             "a3b6167473100ee06e0c796c2955552b");
  check_hmac(wh_str_n(key, 131), WH_STR("Test Using Larger Than Block-Size Key - Hash Key First"),
             "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  check_hmac(wh_str_n(key, 131),
             WH_STR("This is a test using a larger than block-size key and a larger than "
                    "block-size data. The key needs to be hashed before being used by the HMAC "
                    "algorithm."),
             "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(hmac_of_nothing) {
  check_hmac((wh_str){0}, (wh_str){0},
             "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

// --- sealing
// ---------------------------------------------------------------------------------------

// NIST's vector, whose nonce is given: through unseal, which takes it from the text.
TEST(unseal_of_a_nist_vector) {
  uint8_t key[WH_SEAL_KEY_BYTES], sealed[12 + 60 + 16];
  char aad[20];
  CHECK(wh_hex_decode(WH_STR("feffe9928665731c6d6a8f9467308308"
                             "feffe9928665731c6d6a8f9467308308"),
                      key, sizeof key));
  CHECK(wh_hex_decode(WH_STR("feedfacedeadbeeffeedfacedeadbeefabaddad2"), aad, sizeof aad));
  CHECK(wh_hex_decode(WH_STR("cafebabefacedbaddecaf888"
                             "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                             "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                             "76fc6ece0f4e1768cddf8853bb2d551b"),
                      sealed, sizeof sealed));
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 60); // exactly
  wh_str text = wh_str_n((char *)sealed, sizeof sealed);
  CHECK_OK(wh_unseal(key, wh_str_n(aad, sizeof aad), text, &out, &test_err));
  CHECK_STR(hex_of(out.data, out.len),
            WH_STR("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                   "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"));
}

TEST(seal_and_unseal) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  uint8_t key[WH_SEAL_KEY_BYTES] = {1, 2, 3}, other[WH_SEAL_KEY_BYTES] = {1, 2, 4};
  WH_CLEAN_BUF wh_buf sealed, again, plain;
  wh_buf_init(&sealed, &test_mem, 0);
  wh_buf_init(&again, &test_mem, 0);
  wh_buf_init(&plain, &test_mem, 0);
  wh_buf_add_c(&plain, "before ");
  static const char *const texts[] = {"", "x", "a longer text, of more than one block of AES"};
  for (size_t i = 0; i < 3; i++) {
    wh_buf_clear(&sealed);
    wh_buf_clear(&again);
    wh_str text = wh_str_of(texts[i]), aad = WH_STR("keyring 1");
    REQUIRE_OK(wh_seal(os, key, aad, text, &sealed, &test_err));
    REQUIRE_OK(wh_seal(os, key, aad, text, &again, &test_err));
    CHECK_EQ(sealed.len, text.len + WH_SEAL_OVERHEAD);
    CHECK(!wh_str_eq(wh_buf_str(&sealed), wh_buf_str(&again)));
    plain.len = 7;
    CHECK_OK(wh_unseal(key, aad, wh_buf_str(&sealed), &plain, &test_err));
    CHECK_STR(wh_str_sub(wh_buf_str(&plain), 7, plain.len), text);
    CHECK_FAILS(wh_unseal(other, aad, wh_buf_str(&sealed), &plain, &test_err), WH_ERR_DENIED);
    CHECK_FAILS(wh_unseal(key, WH_STR("keyring 2"), wh_buf_str(&sealed), &plain, &test_err),
                WH_ERR_DENIED);
    for (size_t j = 0; j < sealed.len; j++) { // any bit
      sealed.data[j] ^= 4;
      CHECK_FAILS(wh_unseal(key, aad, wh_buf_str(&sealed), &plain, &test_err), WH_ERR_DENIED);
      sealed.data[j] ^= 4;
      CHECK_FAILS(wh_unseal(key, aad, wh_str_n(sealed.data, j), &plain, &test_err), WH_ERR_DENIED);
    }
    CHECK_EQ(plain.len, 7 + text.len);
  }
  WH_CLEAN_BUF wh_buf tiny;
  wh_buf_init(&tiny, &test_mem, 10);
  CHECK_FAILS(wh_seal(os, key, WH_STR(""), WH_STR("text"), &tiny, &test_err), WH_ERR_LIMIT);
  sim_os_free(os);
}

// Made with the AESSIV of Python's cryptography 48 under the key 00 01 ... 3f.
TEST(siv_of_another_implementation) {
  static const struct {
    const char *text, *sealed;
  } cases[] = {
      {"a", "ba092609c39c78a53203bb6c759c7396d9"},
      {"4711", "70a4bfa432e5a6068b1b2d4ced7a067ecc7b6f9d"},
      {"0123456789abcdef", "df101a0c5f8eb90a0fe9891adaaf16a8c4df02080e7fa1603eb826a453f1bf63"},
      {"a text of more than one block of sixteen bytes",
       "4a15713853ffed8dac1bc36b06abd9317914c6cc274b3efa394f3f6219fe59faca05eef9b111f41ac4ef5c7f5e1"
       "3"
       "b2411e09ff8d87f4010960e2c618ba4f"},
  };
  uint8_t key[WH_SIV_KEY_BYTES];
  wh_siv siv;
  for (size_t i = 0; i < sizeof key; i++)
    key[i] = (uint8_t)i;
  REQUIRE_OK(wh_siv_init(&siv, key, &test_err));
  for (size_t round = 0; round < 2; round++) // one after the other, in both directions
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      uint8_t sealed[128], back[128];
      wh_str text = wh_str_of(cases[i].text);
      size_t len = text.len + WH_SIV_BYTES;
      CHECK_OK(wh_siv_seal(&siv, text, sealed, &test_err));
      CHECK_STR(hex_of(sealed, len), wh_str_of(cases[i].sealed));
      CHECK_OK(wh_siv_unseal(&siv, wh_str_n((char *)sealed, len), back, &test_err));
      CHECK_STR(wh_str_n((char *)back, text.len), text);
    }
  wh_siv_free(&siv);
}

TEST(siv_refuses_what_was_changed) {
  uint8_t key[WH_SIV_KEY_BYTES] = {7}, sealed[64], back[64];
  wh_siv siv;
  wh_str text = WH_STR("a value of twenty-two b");
  size_t len = text.len + WH_SIV_BYTES;
  REQUIRE_OK(wh_siv_init(&siv, key, &test_err));
  CHECK_OK(wh_siv_seal(&siv, text, sealed, &test_err));
  for (size_t bit = 0; bit < 8 * len; bit++) {
    sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    memset(back, 1, sizeof back);
    CHECK_FAILS(wh_siv_unseal(&siv, wh_str_n((char *)sealed, len), back, &test_err), WH_ERR_DENIED);
    for (size_t i = 0; i < text.len; i++)
      CHECK_EQ(back[i], 0);
    sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (size_t cut = 0; cut < len; cut++)
    CHECK_FAILS(wh_siv_unseal(&siv, wh_str_n((char *)sealed, cut), back, &test_err), WH_ERR_DENIED);
  CHECK_OK(wh_siv_unseal(&siv, wh_str_n((char *)sealed, len), back, &test_err));
  wh_siv_free(&siv);
  key[63] = 1;
  REQUIRE_OK(wh_siv_init(&siv, key, &test_err));
  CHECK_FAILS(wh_siv_unseal(&siv, wh_str_n((char *)sealed, len), back, &test_err), WH_ERR_DENIED);
  wh_siv_free(&siv);
}

TEST(keys_of_32_bytes_are_read) {
  uint8_t key[WH_SEAL_KEY_BYTES], want[WH_SEAL_KEY_BYTES];
  for (size_t i = 0; i < sizeof want; i++)
    want[i] = (uint8_t)(i * 7);
  char hex[2 * WH_SEAL_KEY_BYTES + 1];
  wh_hex_encode(want, sizeof want, hex);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_base64_encode(WH_BASE64_STANDARD, wh_str_n((char *)want, sizeof want), &text);
  CHECK(wh_key_read(wh_str_of(hex), key) && memcmp(key, want, sizeof key) == 0);
  memset(key, 0, sizeof key);
  CHECK(wh_key_read(wh_buf_str(&text), key) && memcmp(key, want, sizeof key) == 0);
  CHECK(!wh_key_read(wh_str_sub(wh_buf_str(&text), 0, 43), key));
  CHECK(!wh_key_read(WH_STR("a passphrase of exactly forty-four letters!!"), key));
  CHECK(!wh_key_read(WH_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB="), key)); // bits behind
  CHECK(!wh_key_read(WH_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), key)); // 33 bytes
  CHECK(!wh_key_read(WH_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="), key)); // 31
  CHECK(!wh_key_read(WH_STR(""), key));
}

TEST(secrets_compare) {
  CHECK(wh_equal_in_constant_time(WH_STR("abc"), WH_STR("abc")));
  CHECK(!wh_equal_in_constant_time(WH_STR("abc"), WH_STR("abd")));
  CHECK(!wh_equal_in_constant_time(WH_STR("abc"), WH_STR("abcd")));
  CHECK(wh_equal_in_constant_time((wh_str){0}, WH_STR("")));
  char secret[8] = "secret";
  wh_wipe(secret, sizeof secret);
  for (size_t i = 0; i < sizeof secret; i++)
    CHECK_EQ(secret[i], 0);
  wh_wipe(NULL, 0);
}

// --- encodings
// -------------------------------------------------------------------------------------

TEST(base64_of_rfc_4648) {
  static const char *const cases[][3] = {
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {"\xFB\xEF\xFF", "++//", "--__"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int kind = 0; kind < 2; kind++) {
      WH_CLEAN_BUF wh_buf buf;
      wh_str text = wh_str_of(cases[i][1 + kind]);
      wh_buf_init(&buf, &test_mem, text.len ? text.len : 1); // no room to spare
      CHECK(wh_base64_encode((wh_base64)kind, wh_str_of(cases[i][0]), &buf));
      CHECK_STR(wh_buf_str(&buf), text);
      wh_buf_free(&buf);
      wh_str data = wh_str_of(cases[i][0]);
      wh_buf_init(&buf, &test_mem, data.len ? data.len : 1);
      CHECK(wh_base64_decode((wh_base64)kind, text, &buf));
      CHECK_STR(wh_buf_str(&buf), data);
    }
  }
}

TEST(base64_is_strict) {
  static const char *const bad[] = {
      "Z",    "Zg", "Zg=",  "Zh==",     "Zm9=", "Zm9v\n",   " Zm9v",
      "Zm-_", "=",  "====", "Zg==Zg==", "Z===", "Zm9v====", "Zm9\xC3"};
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_buf_add_c(&buf, "kept");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (!CHECK(!wh_base64_decode(WH_BASE64_STANDARD, wh_str_of(bad[i]), &buf)))
      test_note("%s", bad[i]);
  CHECK(!wh_base64_decode(WH_BASE64_URL, WH_STR("Zg="), &buf));
  CHECK(!wh_base64_decode(WH_BASE64_URL, WH_STR("Zh"), &buf));
  CHECK(!wh_base64_decode(WH_BASE64_URL, WH_STR("++//"), &buf));
  CHECK_STR(wh_buf_str(&buf), WH_STR("kept"));
  CHECK(wh_base64_decode(WH_BASE64_URL, WH_STR("Zg=="), &buf));
  CHECK_STR(wh_buf_str(&buf), WH_STR("keptf"));
}

TEST(base64_goes_round) {
  for (int i = 0; i < 300; i++) {
    char data[70];
    size_t len = test_random_below(sizeof data);
    for (size_t j = 0; j < len; j++)
      data[j] = (char)test_random();
    wh_base64 kind = (wh_base64)test_random_below(2);
    WH_CLEAN_BUF wh_buf text, back;
    wh_buf_init(&text, &test_mem, 0);
    wh_buf_init(&back, &test_mem, 0);
    CHECK(wh_base64_encode(kind, wh_str_n(data, len), &text));
    CHECK(wh_base64_decode(kind, wh_buf_str(&text), &back));
    CHECK_STR(wh_buf_str(&back), wh_str_n(data, len));
  }
}

TEST(hex_decodes) {
  uint8_t out[3] = {9, 9, 9};
  CHECK(wh_hex_decode(WH_STR("00fFA5"), out, 3));
  CHECK(out[0] == 0 && out[1] == 0xFF && out[2] == 0xA5);
  CHECK(!wh_hex_decode(WH_STR("00ff"), out, 3));
  CHECK(!wh_hex_decode(WH_STR("00ff0g"), out, 3));
  CHECK(!wh_hex_decode(WH_STR("00ff0a0"), out, 3));
  CHECK(out[1] == 0xFF);
  CHECK(wh_hex_decode(WH_STR(""), out, 0));
}

// --- ULIDs
// -----------------------------------------------------------------------------------------

TEST(ulids_are_ordered_and_say_when) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  char before[WH_ULID_CHARS + 1] = "", id[WH_ULID_CHARS + 1];
  for (int i = 0; i < 5000; i++) { // a millisecond has about 400 of them here
    REQUIRE_OK(wh_ulid_new(os, id, &test_err));
    CHECK_EQ(strlen(id), WH_ULID_CHARS);
    CHECK_EQ(strspn(id, "0123456789abcdefghjkmnpqrstvwxyz"), WH_ULID_CHARS);
    if (strcmp(id, before) <= 0) CHECK(false);
    memcpy(before, id, sizeof id);
  }
  int64_t ms = 0;
  CHECK(wh_ulid_time_ms(wh_str_of(id), &ms));
  CHECK_EQ(ms, os->type->now_ns(os) / 1000000);
  CHECK(wh_ulid_time_ms(WH_STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &ms)); // of the specification
  CHECK_EQ(ms, 1469922850259);
  CHECK(wh_ulid_time_ms(WH_STR("7zzzzzzzzzzzzzzzzzzzzzzzzz"), &ms));
  CHECK_EQ(ms, (1ll << 48) - 1);
  CHECK(!wh_ulid_time_ms(WH_STR("8zzzzzzzzzzzzzzzzzzzzzzzzz"), &ms));
  CHECK(!wh_ulid_time_ms(WH_STR("01ARZ3NDEKTSV4RRFFQ69G5FA"), &ms));
  CHECK(!wh_ulid_time_ms(WH_STR("01ARZ3NDEKTSV4RRFFQ69G5FAU"), &ms));
  CHECK(!wh_ulid_time_ms(wh_str_n("01ARZ3NDEKTSV4RRFFQ69G5FA\0", 26), &ms));
  sim_os_free(os);
}

enum { ULID_THREADS = 4, ULIDS = 2000 };

static void *make_ulids(void *context) {
  wh_os_real real;
  WH_IGNORE(wh_os_real_init(&real, &test_mem, NULL));
  char(*ids)[WH_ULID_CHARS + 1] = context;
  for (int i = 0; i < ULIDS; i++)
    WH_IGNORE(wh_ulid_new(&real.base, ids[i], NULL));
  return NULL;
}

static int by_text(const void *a, const void *b) {
  return strcmp(a, b);
}

TEST(ulids_of_several_threads_differ) {
  static char ids[ULID_THREADS * ULIDS][WH_ULID_CHARS + 1];
  pthread_t threads[ULID_THREADS];
  for (int i = 0; i < ULID_THREADS; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, make_ulids, ids[i * ULIDS]), 0);
  for (int i = 0; i < ULID_THREADS; i++)
    pthread_join(threads[i], NULL);
  qsort(ids, ULID_THREADS * ULIDS, sizeof ids[0], by_text);
  for (int i = 1; i < ULID_THREADS * ULIDS; i++)
    if (strcmp(ids[i - 1], ids[i]) == 0) CHECK(false);
}
