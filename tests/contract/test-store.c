// What every store promises (connect/store.h), checked against each of them. A new store adds a
// maker and three lines to STORE_TEST.
#include "store_place.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static bool make_local(store_place *place) {
  return store_place_local(place, false);
}

static bool make_local_versioning(store_place *place) {
  return store_place_local(place, true);
}

static bool make_simulated(store_place *place) {
  return store_place_simulated(place, false);
}

static bool make_s3(store_place *place) {
  return store_place_s3(place, "moto", false);
}

static bool make_s3_versioning(store_place *place) {
  return store_place_s3(place, "moto", true);
}

static bool make_sealed(store_place *place) {
  return store_place_sealed(place, true);
}

static bool make_kms(store_place *place) {
  return store_place_kms(place, "moto", true);
}

static bool make_swift(store_place *place) {
  return store_place_s3(place, "swift", false);
}

static bool make_versity(store_place *place) {
  return store_place_s3(place, "versity", false);
}

static bool make_versity_versioning(store_place *place) {
  return store_place_s3(place, "versity", true);
}

static bool make_sftp(store_place *place) {
  return store_place_sftp(place);
}

static void on(bool (*make)(store_place *), void (*check)(store_place *, wh_arena *)) {
  store_place place;
  wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  if (make(&place))
    check(&place, &arena);
  else
    CHECK(place.is_missing);
  wh_arena_free(&arena);
  store_place_free(&place);
}

#define STORE_TEST(ident)                                                                          \
  static void check_##ident(store_place *place, wh_arena *arena);                                  \
  TEST(local_##ident) {                                                                            \
    on(make_local, check_##ident);                                                                 \
  }                                                                                                \
  TEST(local_versioning_##ident) {                                                                 \
    on(make_local_versioning, check_##ident);                                                      \
  }                                                                                                \
  TEST(simulated_##ident) {                                                                        \
    on(make_simulated, check_##ident);                                                             \
  }                                                                                                \
  TEST(s3_##ident) {                                                                               \
    on(make_s3, check_##ident);                                                                    \
  }                                                                                                \
  TEST(s3_versioning_##ident) {                                                                    \
    on(make_s3_versioning, check_##ident);                                                         \
  }                                                                                                \
  TEST(sealed_##ident) {                                                                           \
    on(make_sealed, check_##ident);                                                                \
  }                                                                                                \
  TEST(kms_##ident) {                                                                              \
    on(make_kms, check_##ident);                                                                   \
  }                                                                                                \
  TEST(swift_##ident) {                                                                            \
    on(make_swift, check_##ident);                                                                 \
  }                                                                                                \
  TEST(versity_##ident) {                                                                          \
    on(make_versity, check_##ident);                                                               \
  }                                                                                                \
  TEST(versity_versioning_##ident) {                                                               \
    on(make_versity_versioning, check_##ident);                                                    \
  }                                                                                                \
  TEST(sftp_##ident) {                                                                             \
    on(make_sftp, check_##ident);                                                                  \
  }                                                                                                \
  static void check_##ident(store_place *place, wh_arena *arena)

// The verbs, short.
static wh_status stat_key(store_place *p, wh_arena *arena, const char *key, wh_object *ret) {
  return p->store->stat(&p->connection, wh_str_of(key), arena, ret, &test_err);
}

static wh_status publish(store_place *p, wh_arena *arena, const char *attempt, const char *key,
                         bool replace, wh_object *ret) {
  return p->store->publish(&p->connection, wh_str_of(attempt), wh_str_of(key), replace, arena, ret,
                           &test_err);
}

static bool holds(store_place *p, wh_arena *arena, const char *key, const char *text) {
  wh_str got = {0};
  return CHECK_OK(store_get(p, arena, key, WH_STR(""), &got, &test_err)) &&
         CHECK_STR(got, wh_str_of(text));
}

// --- writing and reading -------------------------------------------------------------------------

STORE_TEST(what_was_published_is_read_back) {
  wh_object published, found;
  REQUIRE_OK(store_seal(place, "a-0", "hello, lake", 11, &test_err));
  REQUIRE_OK(publish(place, arena, "a-0", "inbound/erp/x.json", false, &published));
  CHECK(holds(place, arena, "inbound/erp/x.json", "hello, lake"));
  REQUIRE_OK(stat_key(place, arena, "inbound/erp/x.json", &found));
  CHECK_STR(found.key, WH_STR("inbound/erp/x.json"));
  CHECK_EQ(found.size, 11);
  CHECK(found.version.len > 0);
  CHECK(found.is_latest && !found.is_deleted);
  CHECK(found.modified_us > 1500000000000000);
  CHECK_STR(published.key, found.key);
  CHECK_STR(published.version, found.version);
  CHECK_EQ(published.size, found.size);
  CHECK_EQ(published.modified_us, found.modified_us);
  wh_str got;
  CHECK_OK(store_get(place, arena, "inbound/erp/x.json", found.version, &got, &test_err));
  CHECK_STR(got, WH_STR("hello, lake"));
}

// Where an object is to others, and back.
STORE_TEST(what_is_announced_is_where_it_is_located) {
  const wh_store_type *store = place->store;
  CHECK_EQ(store->announced != NULL, store->located != NULL);
  if (!store->located) return;
  wh_str bucket = {0}, key = {0};
  wh_str there = store->located(&place->connection, WH_STR("inbound/x y.json"), arena, &bucket);
  CHECK(bucket.len && wh_str_ends(there, "inbound/x y.json"));
  CHECK(store->announced(&place->connection, bucket, there, &key));
  CHECK_STR(key, WH_STR("inbound/x y.json"));
  CHECK(!store->announced(&place->connection, WH_STR("another"), there, &key));
}

STORE_TEST(nothing_is_visible_before_publish) {
  wh_str keys;
  wh_upload *upload;
  REQUIRE_OK(place->store->create(&place->connection, WH_STR("run-0"), &upload, &test_err));
  CHECK_OK(wh_output_write(&upload->output, "half", 4, &test_err));
  CHECK_EQ(upload->output.written, 4);
  CHECK_OK(store_list(place, arena, "", &keys, &test_err));
  CHECK_STR(keys, WH_STR(""));
  CHECK_OK(upload->seal(upload, &test_err));
  upload->close(upload);
  CHECK_OK(store_list(place, arena, "", &keys, &test_err));
  CHECK_STR(keys, WH_STR(""));
  CHECK_OK(store_attempts(place, arena, &keys, &test_err));
  CHECK_STR(keys, WH_STR("run-0;"));
  wh_object object;
  CHECK_OK(publish(place, arena, "run-0", "x", false, &object));
  CHECK_OK(store_list(place, arena, "", &keys, &test_err));
  CHECK_STR(keys, WH_STR("x;"));
  CHECK_OK(store_attempts(place, arena, &keys, &test_err));
  CHECK_STR(keys, WH_STR(""));
}

STORE_TEST(an_unsealed_attempt_goes_away_when_closed) {
  wh_upload *upload;
  wh_str names;
  REQUIRE_OK(place->store->create(&place->connection, WH_STR("run-0"), &upload, &test_err));
  CHECK_OK(wh_output_write(&upload->output, "x", 1, &test_err));
  upload->close(upload);
  CHECK_OK(store_attempts(place, arena, &names, &test_err));
  CHECK_STR(names, WH_STR(""));
  wh_object object;
  CHECK_FAILS(publish(place, arena, "run-0", "x", false, &object), WH_ERR_NOT_FOUND);
}

STORE_TEST(no_write_follows_the_seal) {
  (void)arena;
  wh_upload *upload;
  REQUIRE_OK(place->store->create(&place->connection, WH_STR("run-0"), &upload, &test_err));
  CHECK_OK(upload->seal(upload, &test_err));
  CHECK_FAILS(wh_output_write(&upload->output, "x", 1, &test_err), WH_ERR_BUG);
  upload->close(upload);
}

STORE_TEST(an_attempts_name_is_its_own) {
  (void)arena;
  wh_upload *upload;
  REQUIRE_OK(store_seal(place, "run-0", "a", 1, &test_err));
  CHECK_FAILS(place->store->create(&place->connection, WH_STR("run-0"), &upload, &test_err),
              WH_ERR_EXISTS);
  const char *bad[] = {"", ".", "..", "a/b", "../x", "a b", "a\n", ".x"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wh_status status =
        place->store->create(&place->connection, wh_str_of(bad[i]), &upload, &test_err);
    CHECK_FAILS(status, WH_ERR_USAGE);
    CHECK_ERROR_HAS("lake: ");
  }
}

STORE_TEST(discard_throws_away_and_missing_is_fine) {
  wh_str names;
  REQUIRE_OK(store_seal(place, "run-0", "a", 1, &test_err));
  CHECK_OK(place->store->discard(&place->connection, WH_STR("run-0"), &test_err));
  CHECK_OK(place->store->discard(&place->connection, WH_STR("run-0"), &test_err));
  CHECK_OK(place->store->discard(&place->connection, WH_STR("never"), &test_err));
  CHECK_OK(store_attempts(place, arena, &names, &test_err));
  CHECK_STR(names, WH_STR(""));
}

STORE_TEST(an_empty_object_is_an_object) {
  REQUIRE_OK(store_put(place, "e-0", "empty", "", false, &test_err));
  CHECK(holds(place, arena, "empty", ""));
  wh_object object;
  CHECK_OK(stat_key(place, arena, "empty", &object));
  CHECK_EQ(object.size, 0);
}

STORE_TEST(keys_are_any_text) {
  const char *keys[] = {"Ærø/注文 1…/naïve 😀.json", ".hidden/..dots", "a\\b", "con:aux*?<>|\"",
                        "-rf ~"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    char attempt[16];
    snprintf(attempt, sizeof attempt, "k-%zu", i);
    CHECK_OK(store_put(place, attempt, keys[i], keys[i], false, &test_err));
    CHECK(holds(place, arena, keys[i], keys[i]));
  }
}

static void check_pieces(wh_input *in, const unsigned char *data, size_t size) {
  static unsigned char piece[100003];
  size_t at = 0, got = 0;
  CHECK_EQ(in->size, size);
  while (CHECK_OK(wh_input_read(in, piece, sizeof piece, &got, &test_err)) && got) {
    if (!CHECK(at + got <= size && memcmp(piece, data + at, got) == 0)) break;
    at += got;
    CHECK_OK(in->read_at(in, 77, piece, 1000, &test_err)); // does not move the other reading
    CHECK(memcmp(piece, data + 77, 1000) == 0);
  }
  CHECK_EQ(at, size);
  CHECK_FAILS(in->read_at(in, size - 5, piece, 6, &test_err), WH_ERR_END);
  CHECK_OK(in->read_at(in, size - 5, piece, 5, &test_err));
  CHECK(memcmp(piece, data + size - 5, 5) == 0);
}

STORE_TEST(a_large_object_comes_in_pieces_and_by_range) {
  enum { SIZE = 3 * 1000 * 1000 };
  unsigned char *data = wh_mem_alloc(&test_mem, SIZE);
  REQUIRE(data);
  for (size_t i = 0; i < SIZE; i++)
    data[i] = (unsigned char)(i * 2654435761u >> 13);
  wh_object object;
  wh_input *in = NULL;
  wh_str key = WH_STR("big.bin");
  if (CHECK_OK(store_seal(place, "big-0", data, SIZE, &test_err)) &&
      CHECK_OK(publish(place, arena, "big-0", "big.bin", false, &object)) &&
      CHECK_OK(place->store->open(&place->connection, key, object.version, &in, &test_err))) {
    CHECK_EQ(object.size, SIZE);
    check_pieces(in, data, SIZE);
  }
  wh_input_close(in);
  wh_mem_free(&test_mem, data, SIZE);
}

STORE_TEST(what_is_missing_is_not_found) {
  wh_object object;
  wh_input *in;
  wh_connection *c = &place->connection;
  for (int i = 0; i < 2; i++) { // before and after the store's first write
    CHECK_FAILS(stat_key(place, arena, "no/such", &object), WH_ERR_NOT_FOUND);
    CHECK_ERROR_HAS("lake: no/such");
    CHECK_FAILS(place->store->open(c, WH_STR("no/such"), WH_STR(""), &in, &test_err),
                WH_ERR_NOT_FOUND);
    CHECK_FAILS(place->store->open(c, WH_STR("no"), WH_STR("1-2-3"), &in, &test_err),
                WH_ERR_NOT_FOUND);
    CHECK_FAILS(publish(place, arena, "nothing-0", "key", false, &object), WH_ERR_NOT_FOUND);
    CHECK_FAILS(publish(place, arena, "nothing-0", "key", true, &object), WH_ERR_NOT_FOUND);
    CHECK_ERROR_HAS("nothing-0");
    REQUIRE_OK(store_put(place, i ? "y" : "x", i ? "seen/y" : "seen/x", "x", false, &test_err));
    CHECK_FAILS(stat_key(place, arena, "seen", &object), WH_ERR_NOT_FOUND);
  }
}

STORE_TEST(a_broken_key_is_refused_by_every_verb) {
  const char *keys[] = {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a\nb", "\xFF"};
  REQUIRE_OK(store_seal(place, "run-0", "a", 1, &test_err));
  wh_connection *c = &place->connection;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    wh_object object;
    wh_input *in;
    wh_str key = wh_str_of(keys[i]);
    CHECK_FAILS(stat_key(place, arena, keys[i], &object), WH_ERR_USAGE);
    CHECK_FAILS(place->store->open(c, key, WH_STR(""), &in, &test_err), WH_ERR_USAGE);
    CHECK_FAILS(publish(place, arena, "run-0", keys[i], false, &object), WH_ERR_USAGE);
    CHECK_FAILS(publish(place, arena, "run-0", keys[i], true, &object), WH_ERR_USAGE);
    CHECK_FAILS(place->store->remove(c, key, &test_err), WH_ERR_USAGE);
    CHECK_FAILS(place->store->versions(c, key, NULL, NULL, &test_err), WH_ERR_USAGE);
    CHECK_FAILS(place->store->restore(c, key, WH_STR("1"), arena, &object, &test_err),
                WH_ERR_USAGE);
  }
}

// --- putting -------------------------------------------------------------------------------------

static wh_status put(store_place *p, const char *key, const char *text,
                     const wh_put_options *options) {
  wh_upload *upload;
  WH_TRY(p->store->put(&p->connection, wh_str_of(key), options, &upload, &test_err));
  wh_status status = wh_output_write(&upload->output, text, strlen(text), &test_err);
  if (status == WH_OK) status = upload->seal(upload, &test_err);
  upload->close(upload);
  return status;
}

STORE_TEST(what_is_put_is_there_when_it_is_sealed) {
  wh_put_options options = {0};
  wh_upload *upload;
  wh_object object;
  wh_str names;
  wh_connection *c = &place->connection;
  REQUIRE_OK(place->store->put(c, WH_STR("d/x"), &options, &upload, &test_err));
  CHECK_OK(wh_output_write(&upload->output, "half", 4, &test_err));
  CHECK_FAILS(stat_key(place, arena, "d/x", &object), WH_ERR_NOT_FOUND);
  upload->close(upload);
  CHECK_FAILS(stat_key(place, arena, "d/x", &object), WH_ERR_NOT_FOUND);
  CHECK_OK(put(place, "d/x", "first", &options));
  CHECK(holds(place, arena, "d/x", "first"));
  CHECK_EQ(put(place, "d/x", "other", &options), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("lake: d/x: ");
  CHECK(holds(place, arena, "d/x", "first"));
  options.replace = true;
  CHECK_OK(put(place, "d/x", "other", &options));
  CHECK(holds(place, arena, "d/x", "other"));
  CHECK_OK(store_attempts(place, arena, &names, &test_err));
  CHECK_STR(names, WH_STR(""));
  CHECK_EQ(put(place, "a//b", "x", &options), WH_ERR_USAGE);
}

// --- in parts ------------------------------------------------------------------------------------

enum { PARTS = 4, PART_BYTES = 5 << 20, LAST_BYTES = 1000 };

typedef struct part_writer {
  wh_upload *upload;
  size_t number;
  unsigned char *data; // of the whole
  wh_status status;
  wh_error err;
} part_writer;

static void *write_one_part(void *context) {
  part_writer *w = context;
  uint64_t at = (uint64_t)w->number * PART_BYTES;
  size_t len = w->number + 1 < PARTS ? PART_BYTES : LAST_BYTES;
  w->status = w->upload->write_part(w->upload, at, w->data + at, len, &w->err);
  return NULL;
}

// The last one first, the others by threads.
static void write_parts(wh_upload *upload, unsigned char *data) {
  part_writer writers[PARTS];
  pthread_t threads[PARTS];
  for (size_t i = 0; i < PARTS; i++)
    writers[i] = (part_writer){upload, i, data, WH_OK, {0}};
  write_one_part(&writers[PARTS - 1]);
  for (size_t i = 0; i < PARTS - 1; i++)
    pthread_create(&threads[i], NULL, write_one_part, &writers[i]);
  for (size_t i = 0; i < PARTS - 1; i++)
    pthread_join(threads[i], NULL);
  for (size_t i = 0; i < PARTS; i++)
    if (!CHECK_EQ(writers[i].status, WH_OK)) test_note("%s", writers[i].err.text);
}

static wh_upload *begin_in_parts(store_place *place, const char *key,
                                 const wh_put_options *options) {
  wh_upload *upload = NULL;
#ifdef WHERRY_S3
  if (place->is_remote) wh_s3_of(&place->connection)->part_bytes = PART_BYTES;
#endif
  CHECK_OK(place->store->put(&place->connection, wh_str_of(key), options, &upload, &test_err));
  if (upload && upload->write_part) return upload; // encrypted objects are written in order
  if (upload) upload->close(upload);
  return NULL;
}

STORE_TEST(parts_come_in_any_order_from_several_threads) {
  enum { SIZE = (PARTS - 1) * PART_BYTES + LAST_BYTES };
  wh_put_options options = {0};
  wh_upload *upload = begin_in_parts(place, "d/parts", &options);
  unsigned char *data = wh_mem_alloc(&test_mem, SIZE);
  wh_object object;
  wh_input *in = NULL;
  if (upload && CHECK(data)) {
    for (size_t i = 0; i < SIZE; i++)
      data[i] = (unsigned char)(i * 2654435761u >> 13);
    write_parts(upload, data);
    CHECK_FAILS(stat_key(place, arena, "d/parts", &object), WH_ERR_NOT_FOUND);
    CHECK_OK(upload->seal(upload, &test_err));
    if (CHECK_OK(stat_key(place, arena, "d/parts", &object)) &&
        CHECK_OK(place->store->open(&place->connection, WH_STR("d/parts"), object.version, &in,
                                    &test_err)))
      check_pieces(in, data, SIZE);
  }
  wh_input_close(in);
  if (upload) upload->close(upload);
  wh_mem_free(&test_mem, data, data ? SIZE : 0);
}

STORE_TEST(parts_of_an_object_that_is_given_up_are_gone) {
  wh_put_options options = {0};
  wh_object object;
  wh_str names;
  wh_upload *upload = begin_in_parts(place, "d/parts", &options);
  unsigned char *data = wh_mem_alloc_zero(&test_mem, PART_BYTES);
  if (upload && CHECK(data))
    CHECK_OK(upload->write_part(upload, PART_BYTES, data, PART_BYTES, &test_err));
  // S3 would make an object of what it has.
  if (upload && upload->part_bytes) CHECK_FAILS(upload->seal(upload, &test_err), WH_ERR_BUG);
  if (upload) upload->close(upload);
  CHECK_FAILS(stat_key(place, arena, "d/parts", &object), WH_ERR_NOT_FOUND);
  CHECK_OK(store_attempts(place, arena, &names, &test_err));
  CHECK_STR(names, WH_STR(""));
  wh_mem_free(&test_mem, data, data ? PART_BYTES : 0);
}

STORE_TEST(a_copy_is_the_same_under_another_key) {
  wh_connection *c = &place->connection;
  wh_attributes styled = {.content_type = WH_STR("text/css"), .cache_control = WH_STR("no-cache")};
  wh_attributes attributes;
  wh_put_options options = {.attributes = &styled, .replace = true};
  if (!place->store->copy) return; // whoever wants one reads and writes
  REQUIRE_OK(put(place, "d/x y", "one", &options));
  REQUIRE_OK(put(place, "taken", "other", &options));
  CHECK_OK(place->store->copy(c, WH_STR("d/x y"), WH_STR("e/\xC3\xBC"), &test_err));
  CHECK_OK(place->store->copy(c, WH_STR("d/x y"), WH_STR("taken"), &test_err));
  CHECK(holds(place, arena, "d/x y", "one"));
  CHECK(holds(place, arena, "e/\xC3\xBC", "one"));
  CHECK(holds(place, arena, "taken", "one"));
  CHECK_OK(place->store->attributes(c, WH_STR("taken"), WH_STR(""), arena, &attributes, &test_err));
  CHECK_STR(attributes.content_type, WH_STR("text/css"));
  CHECK_STR(attributes.cache_control, WH_STR("no-cache"));
  CHECK_FAILS(place->store->copy(c, WH_STR("gone"), WH_STR("z"), &test_err), WH_ERR_NOT_FOUND);
  CHECK_FAILS(place->store->copy(c, WH_STR("taken"), WH_STR("../z"), &test_err), WH_ERR_USAGE);
}

STORE_TEST(attributes_are_those_of_the_version) {
  wh_attributes attributes;
  wh_connection *c = &place->connection;
  wh_put_options options = {.replace = true};
  CHECK_FAILS(place->store->attributes(c, WH_STR("x"), WH_STR(""), arena, &attributes, &test_err),
              WH_ERR_NOT_FOUND);
  REQUIRE_OK(put(place, "x", "one", &options));
  wh_str one = store_version(place, arena, "x");
  CHECK_OK(place->store->attributes(c, WH_STR("x"), one, arena, &attributes, &test_err));
  CHECK(attributes.modified_us > 1500000000000000);
  REQUIRE_OK(put(place, "x", "other", &options));
  CHECK_FAILS(place->store->attributes(c, WH_STR("x"), one, arena, &attributes, &test_err),
              WH_ERR_CHANGED);
}

// --- publishing ----------------------------------------------------------------------------------

STORE_TEST(publish_never_replaces) {
  wh_object object;
  wh_str names;
  REQUIRE_OK(store_put(place, "a-0", "x", "first", false, &test_err));
  REQUIRE_OK(store_seal(place, "b-0", "second", 6, &test_err));
  CHECK_FAILS(publish(place, arena, "b-0", "x", false, &object), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("lake: x: ");
  CHECK(holds(place, arena, "x", "first"));
  CHECK_OK(store_attempts(place, arena, &names, &test_err)); // it can go elsewhere
  CHECK_STR(names, WH_STR("b-0;"));
  CHECK_OK(publish(place, arena, "b-0", "x-b", false, &object));
  CHECK(holds(place, arena, "x-b", "second"));
}

STORE_TEST(replace_replaces) {
  wh_object before, after;
  wh_str got;
  REQUIRE_OK(store_put(place, "a-0", "d/x", "first", true, &test_err)); // nothing was there: fine
  REQUIRE_OK(stat_key(place, arena, "d/x", &before));
  REQUIRE_OK(store_seal(place, "b-0", "second", 6, &test_err));
  CHECK_OK(publish(place, arena, "b-0", "d/x", true, &after));
  CHECK(holds(place, arena, "d/x", "second"));
  CHECK(!wh_str_eq(before.version, after.version));
  wh_status status = store_get(place, arena, "d/x", before.version, &got, &test_err);
  if (place->versioning) {
    CHECK_EQ(status, WH_OK);
    CHECK_STR(got, WH_STR("first"));
  } else {
    CHECK_EQ(status, WH_ERR_CHANGED);
    CHECK_ERROR_HAS("lake: d/x: ");
  }
  CHECK_OK(store_attempts(place, arena, &got, &test_err));
  CHECK_STR(got, WH_STR(""));
}

STORE_TEST(an_open_object_stays_what_it_was) {
  (void)arena;
  REQUIRE_OK(store_put(place, "a-0", "x", "first", false, &test_err));
  wh_input *in;
  REQUIRE_OK(place->store->open(&place->connection, WH_STR("x"), WH_STR(""), &in, &test_err));
  CHECK_OK(store_put(place, "b-0", "x", "other", true, &test_err));
  char data[16];
  size_t got = 0;
  wh_status status = wh_input_read(in, data, sizeof data, &got, &test_err);
  // The old bytes, or a clear word that they are gone; never the others.
  if (status == WH_OK)
    CHECK_STR(wh_str_n(data, got), WH_STR("first"));
  else
    CHECK_EQ(status, WH_ERR_CHANGED);
  wh_input_close(in);
}

STORE_TEST(remove_removes_and_missing_is_fine) {
  wh_object object;
  wh_str keys;
  REQUIRE_OK(store_put(place, "a-0", "d/x", "first", false, &test_err));
  CHECK_OK(place->store->remove(&place->connection, WH_STR("d/x"), &test_err));
  CHECK_FAILS(stat_key(place, arena, "d/x", &object), WH_ERR_NOT_FOUND);
  CHECK_OK(store_list(place, arena, "", &keys, &test_err));
  CHECK_STR(keys, WH_STR(""));
  CHECK_OK(place->store->remove(&place->connection, WH_STR("d/x"), &test_err));
  CHECK_OK(place->store->remove(&place->connection, WH_STR("n/o"), &test_err));
  if (place->odd_versions) {
    CHECK_FAILS(store_put(place, "b-0", "d/x", "again", false, &test_err), WH_ERR_UNAVAILABLE);
    CHECK_ERROR_HAS("lake: d/x: the server says that the name is taken, and has no such object");
    CHECK_OK(store_put(place, "c-0", "d/x", "again", true, &test_err));
  } else {
    CHECK_OK(store_put(place, "b-0", "d/x", "again", false, &test_err));
  }
  CHECK(holds(place, arena, "d/x", "again"));
}

static wh_status withdraw(store_place *p, const char *key, wh_str version, const char *to) {
  return p->store->withdraw(&p->connection, wh_str_of(key), version, wh_str_of(to), &test_err);
}

STORE_TEST(a_version_is_withdrawn_to_another_key) {
  wh_object there, gone;
  REQUIRE_OK(store_put(place, "a-0", "in/a.csv", "abc", false, &test_err));
  REQUIRE_OK(store_put(place, "b-0", "taken", "other", false, &test_err));
  REQUIRE_OK(stat_key(place, arena, "in/a.csv", &there));
  CHECK_FAILS(withdraw(place, "in/a.csv", WH_STR("1"), "done/a.csv"), WH_ERR_CHANGED);
  CHECK_FAILS(withdraw(place, "in/a.csv", there.version, "taken"), WH_ERR_EXISTS);
  CHECK_FAILS(withdraw(place, "in/a.csv", there.version, "../a.csv"), WH_ERR_USAGE);
  CHECK(holds(place, arena, "in/a.csv", "abc"));
  CHECK(holds(place, arena, "taken", "other"));
  CHECK_OK(withdraw(place, "in/a.csv", there.version, "done/x/a.csv"));
  CHECK(holds(place, arena, "done/x/a.csv", "abc"));
  CHECK_FAILS(stat_key(place, arena, "in/a.csv", &gone), WH_ERR_NOT_FOUND);
  // Once more, as after a crash.
  CHECK_OK(withdraw(place, "in/a.csv", there.version, "done/x/a.csv"));
  CHECK(holds(place, arena, "done/x/a.csv", "abc"));
}

STORE_TEST(a_version_is_withdrawn_altogether) {
  wh_object there, gone;
  REQUIRE_OK(store_put(place, "a-0", "in/a.csv", "abc", false, &test_err));
  REQUIRE_OK(stat_key(place, arena, "in/a.csv", &there));
  CHECK_FAILS(withdraw(place, "in/a.csv", WH_STR("1"), ""), WH_ERR_CHANGED);
  CHECK(holds(place, arena, "in/a.csv", "abc"));
  CHECK_OK(withdraw(place, "in/a.csv", there.version, ""));
  CHECK_FAILS(stat_key(place, arena, "in/a.csv", &gone), WH_ERR_NOT_FOUND);
  CHECK_OK(withdraw(place, "in/a.csv", there.version, ""));
}

#ifdef WHERRY_S3
TEST(a_server_that_refuses_conditions_is_told_of) {
  store_place place;
  wh_arena arena;
  wh_object object;
  wh_arena_init(&arena, &test_mem);
  if (make_swift(&place)) {
    place.s3.conditional_writes = WH_S3_REQUIRE;
    CHECK_OK(store_put(&place, "a-0", "x", "first", true, &test_err));
    CHECK_OK(store_seal(&place, "b-0", "second", 6, &test_err));
    CHECK_FAILS(publish(&place, &arena, "b-0", "y", false, &object), WH_ERR_REFUSED);
    CHECK_ERROR_HAS("say conditional_writes: off");
    CHECK(!test_err.retry);
  }
  wh_arena_free(&arena);
  store_place_free(&place);
}

// Many parts that are sent, many that S3 copies, and ranges that are read ahead.
static void check_large_objects(bool (*make)(store_place *)) {
  enum { SIZE = 17 * 1000 * 1000 + 1 };
  store_place place;
  wh_arena arena;
  wh_object object;
  wh_input *in = NULL;
  wh_arena_init(&arena, &test_mem);
  unsigned char *data = wh_mem_alloc(&test_mem, SIZE);
  if (make(&place) && CHECK(data)) {
    wh_s3_of(&place.connection)->part_bytes = WH_S3_PART_BYTES_MIN;
    for (size_t i = 0; i < SIZE; i++)
      data[i] = (unsigned char)(i * 2654435761u >> 13);
    if (CHECK_OK(store_seal(&place, "big-0", data, SIZE, &test_err)) &&
        CHECK_OK(publish(&place, &arena, "big-0", "big.bin", false, &object)) &&
        CHECK_OK(place.store->open(&place.connection, object.key, object.version, &in, &test_err)))
      check_pieces(in, data, SIZE);
    wh_input_close(in);
  }
  wh_mem_free(&test_mem, data, SIZE);
  wh_arena_free(&arena);
  store_place_free(&place);
}

TEST(s3_large_objects_go_in_parts) {
  check_large_objects(make_s3);
}

TEST(versity_large_objects_go_in_parts) {
  check_large_objects(make_versity);
}
#endif

// --- listing -------------------------------------------------------------------------------------

static void put_all(store_place *place, const char *const *keys, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char attempt[16];
    snprintf(attempt, sizeof attempt, "p-%zu", i);
    CHECK_OK(store_put(place, attempt, keys[i], keys[i], false, &test_err));
  }
}

static void lists(store_place *place, wh_arena *arena, const char *prefix, const char *want) {
  wh_str got = {0};
  if (!CHECK_OK(store_list(place, arena, prefix, &got, &test_err))) return;
  if (!CHECK_STR(got, wh_str_of(want))) test_note("with prefix '%s'", prefix);
}

STORE_TEST(list_is_in_byte_order_of_whole_keys) {
  const char *keys[] = {"a0",  "a/c",  "a-b", "a/b/z", "a/b!", "B",   "a/b/y/1",
                        "é/x", "a!/x", "zz",  "z",     "a/B",  "a./q"};
  put_all(place, keys, sizeof keys / sizeof *keys);
  lists(place, arena, "", "B;a!/x;a-b;a./q;a/B;a/b!;a/b/y/1;a/b/z;a/c;a0;z;zz;é/x;");
}

STORE_TEST(list_takes_any_beginning) {
  const char *keys[] = {"in/erp/1", "in/erp/2", "in/erp2/1", "in/er", "out/1", "in/other"};
  put_all(place, keys, sizeof keys / sizeof *keys);
  lists(place, arena, "in/erp/", "in/erp/1;in/erp/2;");
  lists(place, arena, "in/erp", "in/erp/1;in/erp/2;in/erp2/1;");
  lists(place, arena, "in/er", "in/er;in/erp/1;in/erp/2;in/erp2/1;");
  lists(place, arena, "in/erp/1", "in/erp/1;");
  lists(place, arena, "i", "in/er;in/erp/1;in/erp/2;in/erp2/1;in/other;");
  lists(place, arena, "o", "out/1;");
  lists(place, arena, "in/erp/1/", "");
  lists(place, arena, "none/", "");
  lists(place, arena, "none", "");
}

STORE_TEST(an_unused_store_is_empty) {
  wh_str names;
  lists(place, arena, "", "");
  lists(place, arena, "a/b", "");
  CHECK_OK(store_attempts(place, arena, &names, &test_err));
  CHECK_STR(names, WH_STR(""));
}

STORE_TEST(wherrys_own_is_listed_only_by_name) {
  REQUIRE_OK(store_put(place, "a-0", "_wherry/manifests/x", "m", false, &test_err));
  REQUIRE_OK(store_put(place, "b-0", "x", "x", false, &test_err));
  lists(place, arena, "", "x;");
  lists(place, arena, "_", "");
  lists(place, arena, "_wherry/m", "_wherry/manifests/x;");
  lists(place, arena, "_wherry/manifests/", "_wherry/manifests/x;");
  CHECK(holds(place, arena, "_wherry/manifests/x", "m"));
}

typedef struct stopper {
  int left;
} stopper;

static wh_status stop(void *context, const wh_object *object, wh_error *err) {
  stopper *s = context;
  if (--s->left > 0) return WH_OK;
  return wh_fail(err, WH_ERR_NO_SPACE, "website: full at %.*s", WH_STR_ARG(object->key));
}

STORE_TEST(a_visitor_can_stop_the_listing) {
  (void)arena;
  const char *keys[] = {"a/1", "a/2", "b/1"};
  put_all(place, keys, 3);
  stopper s = {2};
  CHECK_FAILS(place->store->list(&place->connection, WH_STR(""), stop, &s, &test_err),
              WH_ERR_NO_SPACE);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("website: full at a/2")); // its words, not ours
  s.left = 1;
  CHECK_FAILS(place->store->versions(&place->connection, WH_STR("a/1"), stop, &s, &test_err),
              WH_ERR_NO_SPACE);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("website: full at a/1"));
}

// --- versions ------------------------------------------------------------------------------------

typedef struct history {
  wh_arena *arena;
  wh_object items[16];
  size_t count;
} history;

static wh_status remember(void *context, const wh_object *object, wh_error *err) {
  history *h = context;
  if (h->count == sizeof h->items / sizeof *h->items) {
    return wh_fail(err, WH_ERR_LIMIT, "too many versions for this test");
  }
  wh_object copy = *object;
  copy.version = wh_arena_str(h->arena, object->version);
  h->items[h->count++] = copy;
  return copy.version.data ? WH_OK : wh_fail_memory(err);
}

static history versions_of(store_place *place, wh_arena *arena, const char *key) {
  history h = {.arena = arena};
  CHECK_OK(place->store->versions(&place->connection, wh_str_of(key), remember, &h, &test_err));
  return h;
}

STORE_TEST(versions_show_the_present_one) {
  REQUIRE_OK(store_put(place, "a-0", "d/x", "first", false, &test_err));
  history h = versions_of(place, arena, "d/x");
  REQUIRE(h.count == 1);
  CHECK_STR(h.items[0].version, store_version(place, arena, "d/x"));
  CHECK(h.items[0].is_latest && !h.items[0].is_deleted);
  CHECK_FAILS(place->store->versions(&place->connection, WH_STR("no"), remember, &h, &test_err),
              WH_ERR_NOT_FOUND);
}

// Without the time, where that of an earlier version is when it ceased to be the present one.
static wh_str lasting(const store_place *place, wh_str version) {
  size_t len = version.len;
  while (place->odd_versions && len && version.data[len - 1] != '-')
    len--;
  return wh_str_sub(version, 0, len);
}

STORE_TEST(versions_are_kept_newest_first) {
  if (!place->versioning) return;
  const char *texts[] = {"one", "two!", "three", "four!!"};
  wh_str version[4];
  for (int i = 0; i < 4; i++) {
    char attempt[8];
    snprintf(attempt, sizeof attempt, "v-%d", i);
    REQUIRE_OK(store_put(place, attempt, "d/x", texts[i], true, &test_err));
    version[i] = store_version(place, arena, "d/x");
  }
  history h = versions_of(place, arena, "d/x");
  REQUIRE(h.count == 4);
  for (int i = 0; i < 4; i++) {
    CHECK_STR(lasting(place, h.items[i].version), lasting(place, version[3 - i]));
    CHECK_EQ(h.items[i].size, strlen(texts[3 - i]));
    CHECK_EQ(h.items[i].is_latest, i == 0);
    CHECK(!h.items[i].is_deleted);
    wh_str got;
    CHECK_OK(store_get(place, arena, "d/x", h.items[i].version, &got, &test_err));
    CHECK_STR(got, wh_str_of(texts[3 - i]));
  }
  lists(place, arena, "", "d/x;");
}

// S3 tells times in whole seconds.
static void tick(store_place *place) {
  if (place->is_remote) usleep(1100000);
}

STORE_TEST(a_removed_object_can_be_restored) {
  if (!place->versioning || place->odd_versions) return;
  wh_connection *c = &place->connection;
  wh_object object;
  REQUIRE_OK(store_put(place, "a-0", "d/x", "one", true, &test_err));
  wh_str one = store_version(place, arena, "d/x");
  tick(place);
  REQUIRE_OK(place->store->remove(c, WH_STR("d/x"), &test_err));
  history h = versions_of(place, arena, "d/x");
  REQUIRE(h.count == 2);
  CHECK(h.items[0].is_deleted && h.items[0].is_latest);
  CHECK(!h.items[1].is_deleted && !h.items[1].is_latest);
  CHECK_STR(h.items[1].version, one);
  wh_str marker = h.items[0].version; // holds nothing that could be restored
  CHECK_FAILS(place->store->restore(c, WH_STR("d/x"), marker, arena, &object, &test_err),
              WH_ERR_NOT_FOUND);
  tick(place);
  REQUIRE_OK(place->store->restore(c, WH_STR("d/x"), one, arena, &object, &test_err));
  CHECK(holds(place, arena, "d/x", "one"));
  CHECK_STR(object.version, store_version(place, arena, "d/x"));
  h = versions_of(place, arena, "d/x");
  REQUIRE(h.count == 3);
  CHECK(h.items[0].is_latest && !h.items[0].is_deleted);
  CHECK(h.items[1].is_deleted && !h.items[1].is_latest);
}

STORE_TEST(a_restore_loses_nothing) {
  if (!place->versioning || place->odd_versions) return;
  wh_connection *c = &place->connection;
  wh_object object;
  wh_str got;
  REQUIRE_OK(store_put(place, "a-0", "x", "one", true, &test_err));
  wh_str one = store_version(place, arena, "x");
  REQUIRE_OK(store_put(place, "b-0", "x", "two", true, &test_err));
  wh_str two = store_version(place, arena, "x");
  REQUIRE_OK(place->store->restore(c, WH_STR("x"), one, arena, &object, &test_err));
  CHECK(holds(place, arena, "x", "one"));
  CHECK_OK(store_get(place, arena, "x", two, &got, &test_err));
  CHECK_STR(got, WH_STR("two"));
  CHECK_OK(store_get(place, arena, "x", one, &got, &test_err));
  CHECK_STR(got, WH_STR("one"));
  CHECK_EQ(versions_of(place, arena, "x").count, 3);
  CHECK_OK(store_attempts(place, arena, &got, &test_err));
  CHECK_STR(got, WH_STR(""));
  // The present one is there already.
  CHECK_OK(place->store->restore(c, WH_STR("x"), object.version, arena, &object, &test_err));
  CHECK_EQ(versions_of(place, arena, "x").count, 3);
  CHECK_FAILS(place->store->restore(c, WH_STR("x"), WH_STR("1-2-3"), arena, &object, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("wherry versions lake:x");
}

STORE_TEST(earlier_versions_can_be_removed_for_good) {
  wh_connection *c = &place->connection;
  uint64_t count = 0;
  const char *texts[] = {"one", "two!", "three"};
  for (int i = 0; i < 3; i++) {
    char attempt[8];
    snprintf(attempt, sizeof attempt, "v-%d", i);
    REQUIRE_OK(store_put(place, attempt, "d/x", texts[i], true, &test_err));
  }
  CHECK_OK(place->store->purge(c, WH_STR("d/x"), 0, &count, &test_err));
  CHECK_EQ(count, 0);
  CHECK_EQ(versions_of(place, arena, "d/x").count, place->versioning ? 3 : 1);
  CHECK_OK(place->store->purge(c, WH_STR("d/x"), INT64_MAX, &count, &test_err));
  CHECK_EQ(count, place->versioning ? 2 : 0);
  CHECK_EQ(versions_of(place, arena, "d/x").count, 1);
  CHECK(holds(place, arena, "d/x", "three"));
  CHECK_OK(place->store->purge(c, WH_STR("d/x"), INT64_MAX, &count, &test_err));
  CHECK_OK(place->store->purge(c, WH_STR("no"), INT64_MAX, &count, &test_err));
  CHECK_EQ(count, place->versioning ? 2 : 0);
}

// --- several at once -----------------------------------------------------------------------------

enum { RACERS = 4 };

typedef struct racer {
  store_place *place;
  pthread_barrier_t *start;
  int number, round;
  bool replace;
  wh_status status;
  wh_error err;
} racer;

static void *race(void *context) {
  racer *r = context;
  char attempt[32], key[32], text[16];
  snprintf(attempt, sizeof attempt, "r%d-%d", r->round, r->number);
  snprintf(key, sizeof key, "race/%d/new/key", r->round);
  snprintf(text, sizeof text, "by %d", r->number);
  r->status = store_seal(r->place, attempt, text, strlen(text), &r->err);
  pthread_barrier_wait(r->start);
  wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_object object;
  if (r->status == WH_OK) {
    r->status = r->place->store->publish(&r->place->connection, wh_str_of(attempt), wh_str_of(key),
                                         r->replace, &arena, &object, &r->err);
  }
  wh_arena_free(&arena);
  return NULL;
}

static void run_race(store_place *place, racer racers[RACERS], int round, bool replace) {
  pthread_t threads[RACERS];
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, RACERS);
  for (int i = 0; i < RACERS; i++) {
    racers[i] = (racer){place, &start, i, round, replace, WH_OK, {0}};
    pthread_create(&threads[i], NULL, race, &racers[i]);
  }
  for (int i = 0; i < RACERS; i++)
    pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&start);
}

STORE_TEST(of_racing_publishers_exactly_one_wins) {
  if (place->one_writer) return;
  int rounds = test_is_long() ? 500 : place->is_remote ? 5 : 30;
  for (int round = 0; round < rounds; round++) {
    racer racers[RACERS];
    run_race(place, racers, round, false);
    int winner = -1, losers = 0;
    for (int i = 0; i < RACERS; i++) {
      if (racers[i].status == WH_OK)
        winner = i;
      else
        losers += racers[i].status == WH_ERR_EXISTS;
    }
    REQUIRE(winner >= 0 && losers == RACERS - 1);
    char key[32], text[16];
    snprintf(key, sizeof key, "race/%d/new/key", round);
    snprintf(text, sizeof text, "by %d", winner);
    REQUIRE(holds(place, arena, key, text));
  }
}

// Which racers' objects are there, as bits.
static unsigned seen_in(store_place *place, wh_arena *arena, const char *key, const history *h) {
  unsigned seen = 0;
  for (size_t i = 0; i < h->count; i++) {
    wh_str text = WH_STR("none");
    CHECK_OK(store_get(place, arena, key, h->items[i].version, &text, &test_err));
    if (CHECK_EQ(text.len, 4)) seen |= 1u << ((unsigned)text.data[3] & 31);
  }
  return seen;
}

STORE_TEST(racing_replacements_lose_no_version) {
  for (int round = 0; round < 10; round++) {
    racer racers[RACERS];
    run_race(place, racers, round, true);
    for (int i = 0; i < RACERS; i++) {
      if (!CHECK_EQ(racers[i].status, WH_OK)) test_note("%s", racers[i].err.text);
    }
    char key[32];
    snprintf(key, sizeof key, "race/%d/new/key", round);
    history h = versions_of(place, arena, key);
    REQUIRE(h.count == (place->versioning ? RACERS : 1));
    unsigned seen = seen_in(place, arena, key, &h);
    CHECK_EQ(__builtin_popcount(seen), place->versioning ? RACERS : 1);
  }
}

// --- without memory ------------------------------------------------------------------------------

static wh_status ignore(void *context, const wh_object *object, wh_error *err) {
  (void)context, (void)object, (void)err;
  return WH_OK;
}

static wh_status all_verbs(store_place *place, const char *key, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_connection *c = &place->connection;
  wh_str text;
  wh_object object;
  WH_TRY(store_put(place, "m-0", key, "one", true, err));
  WH_TRY(place->store->stat(c, wh_str_of(key), &arena, &object, err));
  WH_TRY(store_put(place, "m-1", key, "two", true, err));
  WH_TRY(store_get(place, &arena, key, WH_STR(""), &text, err));
  WH_TRY(store_list(place, &arena, key, &text, err));
  WH_TRY(store_attempts(place, &arena, &text, err));
  WH_TRY(place->store->versions(c, wh_str_of(key), ignore, NULL, err));
  if (place->versioning) {
    WH_TRY(place->store->restore(c, wh_str_of(key), object.version, &arena, &object, err));
  }
  return place->store->remove(c, wh_str_of(key), err);
}

STORE_TEST(every_allocation_may_fail) {
  (void)arena;
  // Of a remote store some: the later ones, which are more of the same, further apart.
  for (size_t n = 1;; n += place->is_remote && !test_is_long() ? 1 + n / 8 : 1) {
    char key[16]; // a new one, whose versions are not yet many
    snprintf(key, sizeof key, "d/%zu", n);
    atomic_store(&test_mem.count, 0);
    test_mem.fail_at = n;
    wh_status status = all_verbs(place, key, &test_err);
    test_mem.fail_at = 0;
    if (status == WH_OK) break;
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
    REQUIRE(n < 10000);
    // What it had begun can be thrown away, and the next time goes as well.
    REQUIRE_OK(place->store->discard(&place->connection, WH_STR("m-0"), &test_err));
    REQUIRE_OK(place->store->discard(&place->connection, WH_STR("m-1"), &test_err));
  }
}
