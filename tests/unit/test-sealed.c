// Encrypted objects: the format against vectors of another implementation (Python's cryptography),
// and what is done to objects behind the store's back.
#include "connect/sealed_format.h"
#include "connect/sealed_keys.h"
#include "store_place.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = WH_SEALED_CHUNK_BYTES, STORED = WH_SEALED_STORED_BYTES };
enum { HEADER = WH_SEALED_HEADER_BYTES, TAG = WH_SEAL_TAG_BYTES };

static store_place place;
static wh_arena arena;

static bool begin(void) {
  wh_arena_init(&arena, &test_mem);
  return CHECK(store_place_sealed(&place, false));
}

static void end(void) {
  wh_arena_free(&arena);
  store_place_free(&place);
}

// --- the format ----------------------------------------------------------------------------------

// Of store_key, the data key 0, 1, 2 ... 31, wrapped with the nonce 100, 101 ... 111.
static const char known_id[] = "local:368988ebe961af8c";
static const char known_wrapped[] =
    "6465666768696a6b6c6d6e6fadd3006c74f6c8463ce15b91b77d834252fafc1dffd3495e7a6bde0c6ed7f62f2e9bd6"
    "47bc3bc8a87031ddc07600ef09";
enum { WRAPPED = 60 };

static void known_key(uint8_t key[WH_SEAL_KEY_BYTES]) {
  for (int i = 0; i < WH_SEAL_KEY_BYTES; i++)
    key[i] = (uint8_t)i;
}

static bool known_header(uint8_t header[HEADER]) {
  static uint8_t wrapped[WRAPPED];
  wh_sealed_header h = {.wrap = WH_SEALED_BY_KEY,
                        .nonce = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6},
                        .wrapped = wh_str_n((const char *)wrapped, sizeof wrapped),
                        .key_id = wh_str_of(known_id),
                        .place = WH_STR("lake")};
  return CHECK(wh_hex_decode(wh_str_of(known_wrapped), wrapped, sizeof wrapped)) &&
         CHECK_OK(wh_sealed_header_write(&h, header, &test_err));
}

static void is_hex(const uint8_t *data, size_t len, const char *want) {
  char hex[256];
  wh_hex_encode(data, len, hex);
  CHECK_STR(wh_str_of(hex), wh_str_of(want));
}

TEST(the_format_is_that_of_another_implementation) {
  uint8_t header[HEADER], key[WH_SEAL_KEY_BYTES], out[STORED], digest[WH_SHA256_BYTES];
  static char many[CHUNK];
  wh_sealed_cipher cipher;
  known_key(key);
  REQUIRE(known_header(header));
  wh_sha256_of(wh_str_n((const char *)header, HEADER), digest);
  is_hex(digest, sizeof digest, "a724d18be41bd08f1651049a33c054c1208d942f14dcfe66a289ad65986c7131");
  REQUIRE_OK(wh_sealed_cipher_init(&cipher, key, header, true, &test_err));
  wh_str hello = WH_STR("hello, lake");
  CHECK_OK(wh_sealed_chunk_seal(&cipher, 0, true, hello, out, &test_err));
  is_hex(out, 11 + TAG, "1f042572d72ac0ac620ebdd408aa301698effc990df388bcc6734c");
  CHECK_OK(wh_sealed_chunk_seal(&cipher, 0, true, WH_STR(""), out, &test_err));
  is_hex(out, TAG, "24aa2d5bdc4da31651405795b3b1d1f1");
  CHECK_OK(wh_sealed_chunk_seal(&cipher, 0x01020304, false, hello, out, &test_err));
  is_hex(out, 11 + TAG, "d2f6615053c255ca6978cb55eeca09596ffada169057af079dca88");
  memset(many, 'x', sizeof many);
  CHECK_OK(wh_sealed_chunk_seal(&cipher, 0, false, wh_str_n(many, sizeof many), out, &test_err));
  wh_sha256_of(wh_str_n((const char *)out, sizeof out), digest);
  is_hex(digest, sizeof digest, "0d82dff212bf49cb1ad34107d8f80c4572526a8c414f81a657ed149ef12073be");
  CHECK_FAILS(wh_sealed_chunk_seal(&cipher, WH_SEALED_CHUNKS_MAX, true, hello, out, &test_err),
              WH_ERR_LIMIT);
  CHECK_ERROR_HAS("256 TiB");
  wh_sealed_cipher_free(&cipher);
}

TEST(a_wrapped_key_is_that_of_another_implementation) {
  uint8_t header[HEADER], key[WH_SEAL_KEY_BYTES], want[WH_SEAL_KEY_BYTES];
  wh_sealed_header h;
  wh_sealed_keys *keys;
  wh_str_list none = {0};
  REQUIRE(begin());
  REQUIRE(known_header(header));
  REQUIRE_OK(wh_sealed_header_read(header, &h, &test_err));
  REQUIRE_OK(
      wh_sealed_keys_new(&test_mem, wh_str_of(store_key), &none, WH_STR("lake"), &keys, &test_err));
  CHECK_STR(keys->key_id, wh_str_of(known_id));
  if (CHECK_OK(keys->type->find(keys, &place.connection, &h, key, &test_err))) {
    known_key(want);
    CHECK(memcmp(key, want, sizeof key) == 0);
  }
  h.place = WH_STR("other"); // it is bound to its place
  CHECK_FAILS(keys->type->find(keys, &place.connection, &h, key, &test_err), WH_ERR_DATA);
  wh_sealed_keys_close(keys);
  end();
}

TEST(each_length_tells_the_other) {
  const uint64_t plain[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, UINT64_C(5) << 40};
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    uint64_t back = 7;
    CHECK(wh_sealed_plain_size(wh_sealed_stored_size(plain[i]), &back));
    CHECK_EQ(back, plain[i]);
  }
  CHECK_EQ(wh_sealed_stored_size(0), HEADER + TAG);
  CHECK_EQ(wh_sealed_stored_size(CHUNK), HEADER + STORED);
  CHECK_EQ(wh_sealed_stored_size(CHUNK + 1), HEADER + STORED + 1 + TAG);
  const uint64_t none[] = {0, HEADER, HEADER + TAG - 1, HEADER + STORED + TAG, HEADER + STORED + 3};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    uint64_t back;
    CHECK(!wh_sealed_plain_size(none[i], &back));
  }
}

TEST(a_header_that_is_none_is_refused) {
  uint8_t good[HEADER], bad[HEADER];
  wh_sealed_header h;
  REQUIRE(known_header(good));
  const struct {
    size_t at;
    uint8_t value;
    const char *says;
  } cases[] = {{0, 'x', "it is none"},         {8, 2, "version 2 of the format"},
               {9, 3, "whose key it needs"},   {10, 1, "where nothing is"},
               {13, 2, "another size"},        {23, 1, "where nothing is"},
               {24, 4, "longer than it is"},   {26, 4, "longer than it is"},
               {28, 4, "longer than it is"},   {30, 1, "where nothing is"},
               {1023, 1, "stands at its end"}, {32 + WRAPPED, 0xff, "no UTF-8"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    memcpy(bad, good, HEADER);
    bad[cases[i].at] = cases[i].value;
    CHECK_FAILS(wh_sealed_header_read(bad, &h, &test_err), WH_ERR_DATA);
    CHECK_ERROR_HAS(cases[i].says);
  }
  static char many[HEADER];
  memset(many, 'k', sizeof many);
  h = (wh_sealed_header){.wrap = WH_SEALED_BY_KMS, .wrapped = wh_str_n(many, HEADER - 31)};
  CHECK_FAILS(wh_sealed_header_write(&h, bad, &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("993 bytes; the header of an encrypted object takes 992");
}

// --- keys ----------------------------------------------------------------------------------------

TEST(a_key_is_32_bytes) {
  wh_str none = WH_STR(""), good = wh_str_of(store_key);
  wh_str_list no = {0}, one = {&good, 1}, bad = {&none, 1};
  CHECK_OK(wh_sealed_keys_check(none, &no, &test_err));
  CHECK_OK(wh_sealed_keys_check(good, &no, &test_err));
  CHECK_OK(wh_sealed_keys_check(WH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), &one,
                                &test_err));
  const char *const wrong[] = {"correct horse battery staple", "6b0e", "alias/lake",
                               "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
                               "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    CHECK_FAILS(wh_sealed_keys_check(wh_str_of(wrong[i]), &no, &test_err), WH_ERR_USAGE);
    CHECK_ERROR_HAS("encryption_key is not 32 bytes");
    CHECK_ERROR_HAS("wherry secret set lake --random");
    CHECK(!strstr(test_err.text, wrong[i]));
  }
  CHECK_FAILS(wh_sealed_keys_check(good, &bad, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("encryption_keys_old is not 32 bytes");
  CHECK_FAILS(wh_sealed_keys_check(none, &one, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("there is no encryption_key");
}

TEST(a_key_of_kms_is_known_by_how_it_is_written) {
  CHECK(wh_sealed_is_kms_key(WH_STR("alias/lake")));
  CHECK(wh_sealed_is_kms_key(WH_STR("arn:aws:kms:eu-west-1:111122223333:key/mrk-1")));
  CHECK(wh_sealed_is_kms_key(WH_STR("mrk-1234abcd12ab34cd56ef1234567890ab")));
  CHECK(wh_sealed_is_kms_key(WH_STR("1234abcd-12ab-34cd-56ef-1234567890ab")));
  CHECK(!wh_sealed_is_kms_key(WH_STR("1234abcd-12ab-34cd-56ef-1234567890ag")));
  CHECK(!wh_sealed_is_kms_key(wh_str_of(store_key)));
  CHECK(!wh_sealed_is_kms_key(WH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")));
}

// The place with other keys.
static bool rekey(wh_str key, wh_str_list old) {
  wh_connector_local.close(&place.connection);
  place.local.encryption_key = key;
  place.local.encryption_keys_old = old;
  if (!CHECK_OK(wh_connector_local.open(&place.connection, &test_err))) return false;
  place.store = place.connection.type->store;
  return true;
}

TEST(an_old_key_still_reads) {
  static const char other[] = "0000000000000000000000000000000000000000000000000000000000000001";
  wh_str old = wh_str_of(store_key), got;
  REQUIRE(begin());
  REQUIRE_OK(store_put(&place, "a-0", "x", "one", false, &test_err));
  REQUIRE(rekey(wh_str_of(other), (wh_str_list){0}));
  CHECK_FAILS(store_get(&place, &arena, "x", WH_STR(""), &got, &test_err), WH_ERR_DENIED);
  CHECK_ERROR_HAS("lake: x: it is encrypted with key local:368988ebe961af8c");
  CHECK_ERROR_HAS("Add that key to encryption_keys_old");
  REQUIRE(rekey(wh_str_of(other), (wh_str_list){&old, 1}));
  CHECK_OK(store_get(&place, &arena, "x", WH_STR(""), &got, &test_err));
  CHECK_STR(got, WH_STR("one"));
  REQUIRE_OK(store_put(&place, "a-1", "y", "two", false, &test_err));
  REQUIRE(rekey(wh_str_of(other), (wh_str_list){0}));
  CHECK_OK(store_get(&place, &arena, "y", WH_STR(""), &got, &test_err)); // written with the new one
  end();
}

TEST(a_connection_may_run_out_of_memory) {
  REQUIRE(begin());
  wh_connector_local.close(&place.connection);
  for (size_t n = 1;; n++) {
    atomic_store(&test_mem.count, 0);
    test_mem.fail_at = n;
    wh_status status = wh_connector_local.open(&place.connection, &test_err);
    test_mem.fail_at = 0;
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    CHECK(place.connection.type == &wh_connector_local);
    REQUIRE(n < 100);
  }
  end();
}

// --- what is done to the file --------------------------------------------------------------------

static size_t load(const char *key, uint8_t *data, size_t cap) {
  FILE *f = fopen(store_path(key), "rb");
  size_t n = f ? fread(data, 1, cap, f) : 0;
  if (f) fclose(f);
  return n;
}

static bool save(const char *key, const uint8_t *data, size_t len) {
  FILE *f = fopen(store_path(key), "wb");
  bool ok = f && fwrite(data, 1, len, f) == len;
  return (f ? fclose(f) == 0 : false) && ok;
}

static void fill(uint8_t *data, size_t len, uint64_t seed) {
  for (size_t i = 0; i < len; i++)
    data[i] = (uint8_t)(seed = seed * 6364136223846793005u + 1442695040888963407u, seed >> 56);
}

static bool put_bytes(const char *attempt, const char *key, const uint8_t *data, size_t len) {
  wh_object object;
  return CHECK_OK(store_seal(&place, attempt, data, len, &test_err)) &&
         CHECK_OK(place.store->publish(&place.connection, wh_str_of(attempt), wh_str_of(key), true,
                                       &arena, &object, &test_err)) &&
         CHECK_EQ(object.size, len);
}

// The whole object, read on in pieces of `step`.
static wh_status read_all(const char *key, uint8_t *data, size_t cap, size_t step,
                          size_t *ret_len) {
  wh_input *in;
  WH_TRY(place.store->open(&place.connection, wh_str_of(key), WH_STR(""), &in, &test_err));
  wh_status status = WH_OK;
  size_t at = 0, n = 1;
  while (status == WH_OK && n && at < cap) {
    size_t room = cap - at < step ? cap - at : step;
    status = wh_input_read(in, data + at, room, &n, &test_err);
    if (status == WH_OK) at += n;
  }
  wh_input_close(in);
  if (status == WH_OK) *ret_len = at;
  return status;
}

enum { PLAIN = 2 * CHUNK + 5000, ALL = HEADER + 2 * STORED + 5000 + TAG, ROOM = ALL + STORED };
static uint8_t plain[PLAIN], got[ROOM], file[ROOM], other[ROOM], changed[ROOM];

// Two objects, a and b, whose files are in `file` and `other`.
static bool begin_files(void) {
  if (!begin()) return false;
  fill(plain, PLAIN, 2);
  if (!put_bytes("b-0", "b", plain, PLAIN)) return false;
  fill(plain, PLAIN, 1);
  return put_bytes("a-0", "a", plain, PLAIN) && CHECK_EQ(load("a", file, ROOM), ALL) &&
         CHECK_EQ(load("b", other, ROOM), ALL);
}

static void fails(const uint8_t *data, size_t len, const char *says) {
  size_t n = 0;
  REQUIRE(save("a", data, len));
  wh_status status = read_all("a", got, sizeof got, 10000, &n);
  CHECK(status == WH_ERR_DATA || (!says[0] && status == WH_ERR_DENIED));
  CHECK_ERROR_HAS("lake: a: ");
  CHECK_ERROR_HAS(says);
}

TEST(no_byte_can_be_changed) {
  REQUIRE(begin_files());
  CHECK(!memmem(file, ALL, plain, 16));
  for (size_t at = 0; at < ALL && !test_failed(); at += at < HEADER + 40 ? 1 : 997) {
    memcpy(changed, file, ALL);
    changed[at] ^= (uint8_t)(1 << test_random_below(8));
    fails(changed, ALL, "");
  }
  memcpy(changed, file, ALL);
  changed[HEADER + STORED + 7] ^= 4;
  fails(changed, ALL, "encrypted chunk 2, from byte 65536: it was changed");
  changed[HEADER + STORED + 7] ^= 4;
  changed[HEADER + 2 * STORED - 1] ^= 4;
  fails(changed, ALL, "encrypted chunk 2, from byte 65536: it was changed");
  end();
}

TEST(no_end_can_be_cut_off) {
  REQUIRE(begin_files());
  fails(file, HEADER + STORED, "encrypted chunk 1, from byte 0: others came behind it");
  fails(file, HEADER + 2 * STORED,
        "encrypted chunk 2, from byte 65536: others came behind it: the "
        "object was cut short");
  fails(file, ALL - 1, "encrypted chunk 3, from byte 131072");
  fails(file, HEADER, "was cut short");
  fails(file, HEADER + TAG, "encrypted chunk 1, from byte 0");
  fails(file, HEADER + STORED + TAG, "make no whole chunks");
  fails(file, HEADER - 1, "was cut short");
  fails(file, 0, "is not encrypted");
  end();
}

TEST(nothing_can_be_put_behind) {
  REQUIRE(begin_files());
  memcpy(changed, file, ALL);
  fails(changed, ALL + 1, "encrypted chunk 3");
  memcpy(changed + HEADER + 2 * STORED, other + HEADER + STORED, STORED);
  fails(changed, HEADER + 3 * STORED, "encrypted chunk 3");
  // A whole object as the beginning of another.
  REQUIRE(put_bytes("c-0", "c", plain, CHUNK));
  REQUIRE(load("c", changed, ROOM) == HEADER + STORED);
  memcpy(changed + HEADER + STORED, file + HEADER + STORED, STORED);
  fails(changed, HEADER + 2 * STORED, "something was put behind the object's end");
  end();
}

TEST(no_chunk_can_be_moved_or_mixed) {
  REQUIRE(begin_files());
  memcpy(changed, file, ALL);
  memcpy(changed + HEADER, file + HEADER + STORED, STORED);
  memcpy(changed + HEADER + STORED, file + HEADER, STORED);
  fails(changed, ALL, "encrypted chunk 1, from byte 0: it was changed, or is not the one");
  memcpy(changed, file, ALL);
  memcpy(changed + HEADER + STORED, other + HEADER + STORED, STORED);
  fails(changed, ALL, "encrypted chunk 2");
  memcpy(changed, other, HEADER); // the other's header and the own chunks
  memcpy(changed + HEADER, file + HEADER, ALL - HEADER);
  fails(changed, ALL, "encrypted chunk 1");
  fails(plain, PLAIN, "is not encrypted, and the connection has an encryption_key");
  end();
}

TEST(an_empty_object_is_one_too) {
  size_t n = 7;
  REQUIRE(begin());
  REQUIRE(put_bytes("a-0", "a", plain, 0));
  CHECK_OK(read_all("a", got, sizeof got, 100, &n));
  CHECK_EQ(n, 0);
  REQUIRE(load("a", file, ROOM) == HEADER + TAG);
  file[HEADER + 3] ^= 1;
  fails(file, HEADER + TAG, "encrypted chunk 1, from byte 0");
  end();
}

// --- reading anywhere ----------------------------------------------------------------------------

static void check_ranges(wh_input *in, const uint8_t *all, size_t size) {
  uint8_t *range = malloc(size);
  size_t at = 0;
  for (int i = 0; i < 300 && !test_failed(); i++) {
    size_t from = test_random_below(size + 1), len = test_random_below(size - from + 1), n;
    if (i % 3) len %= 70000;
    if (i % 5 == 0) from -= from % CHUNK;
    CHECK_OK(in->read_at(in, from, range, len, &test_err));
    CHECK(memcmp(range, all + from, len) == 0);
    // Reading on is not moved by it.
    CHECK_OK(wh_input_read(in, range, test_random_below(90000), &n, &test_err));
    CHECK(memcmp(range, all + at, n) == 0);
    at += n;
  }
  CHECK_FAILS(in->read_at(in, size - 3, range, 4, &test_err), WH_ERR_END);
  CHECK_OK(in->read_at(in, size, range, 0, &test_err));
  free(range);
}

TEST(a_range_needs_its_chunks_alone) {
  enum { SIZE = 9 * 1000 * 1000 };
  uint8_t *all = malloc(SIZE);
  fill(all, SIZE, test_random());
  REQUIRE(begin());
  REQUIRE(put_bytes("a-0", "a", all, SIZE));
  wh_input *in;
  for (int i = 0; i < 2; i++) {
    test_mem.limit = i ? 16 << 20 : 0; // the less memory there is, the less is read at once
    if (!CHECK_OK(place.store->open(&place.connection, WH_STR("a"), WH_STR(""), &in, &test_err)))
      break;
    CHECK_EQ(in->size, SIZE);
    check_ranges(in, all, SIZE);
    wh_input_close(in);
  }
  test_mem.limit = 0;
  free(all);
  end();
}

TEST(a_damaged_chunk_spoils_no_other) {
  wh_input *in;
  REQUIRE(begin_files());
  memcpy(changed, file, ALL);
  changed[HEADER + STORED + 1] ^= 1;
  REQUIRE(save("a", changed, ALL));
  REQUIRE_OK(place.store->open(&place.connection, WH_STR("a"), WH_STR(""), &in, &test_err));
  CHECK_OK(in->read_at(in, 10, got, CHUNK - 10, &test_err));
  CHECK(memcmp(got, plain + 10, CHUNK - 10) == 0);
  CHECK_OK(in->read_at(in, 2 * CHUNK, got, 5000, &test_err));
  CHECK_FAILS(in->read_at(in, CHUNK - 1, got, 2, &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("lake: a: encrypted chunk 2, from byte 65536");
  for (size_t n = 1; n < 10; n++) {
    atomic_store(&test_mem.count, 0);
    test_mem.fail_at = n;
    wh_status status = in->read_at(in, 10, got, 100, &test_err);
    test_mem.fail_at = 0;
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
  }
  wh_input_close(in);
  end();
}
