// What the S3 store does without a server.
#ifdef WHERRY_S3
#include "connect/s3/s3.h"
#include "test.h"

static wh_s3_options options;
static wh_connection connection;

static void connect_to(wh_str endpoint, const char *bucket) {
  static wh_os_real os;
  REQUIRE_OK(wh_os_real_init(&os, &test_mem, &test_err));
  options = (wh_s3_options){.bucket = wh_str_of(bucket),
                            .prefix = WH_STR("a b/"),
                            .place = {.region = WH_STR("eu-west-1"), .endpoint = endpoint}};
  connection = (wh_connection){.name = WH_STR("lake"),
                               .type = &wh_connector_s3,
                               .options = &options,
                               .os = &os.base,
                               .mem = &test_mem};
  CHECK_OK(wh_connector_s3.open(&connection, &test_err));
}

static void path_is(const char *endpoint, const char *bucket, const char *host, const char *path) {
  wh_arena arena;
  wh_s3_request r;
  wh_arena_init(&arena, &test_mem);
  connect_to(wh_str_of(endpoint), bucket);
  CHECK_OK(wh_s3_request_init(&connection, &arena, "GET", "s3:GetObject", WH_STR("x+y/\xC3\xA9%"),
                              (wh_str){0}, &r, &test_err));
  CHECK_STR(r.aws.bucket, wh_str_of(host));
  CHECK_STR(r.aws.path, wh_str_of(path));
  wh_arena_free(&arena);
  wh_connector_s3.close(&connection);
}

TEST(the_bucket_stands_where_it_can) {
  static const char below[] = "/a%20b/x%2By/%C3%A9%25";
  static const char in_path[] = "/lake/a%20b/x%2By/%C3%A9%25";
  path_is("", "lake", "lake", below); // AWS
  path_is("https://s3.example.com", "lake", "lake", below);
  path_is("http://127.0.0.1:9000", "lake", "", in_path);
  path_is("http://[::1]:9000", "lake", "", in_path);
  path_is("http://localhost:9000", "lake", "", in_path);
  path_is("https://s3.example.com", "my.lake", "", "/my.lake/a%20b/x%2By/%C3%A9%25");
  path_is("http://s3.example.com", "my.lake", "my.lake", below);
}

TEST(a_version_is_etag_and_second) {
  wh_arena arena;
  wh_str version, etag;
  int64_t time;
  wh_arena_init(&arena, &test_mem);
  CHECK_OK(wh_s3_version(&arena, WH_STR("\"abc-2\""), 1764000000000000, &version, &test_err));
  CHECK_STR(version, WH_STR("abc-2-1764000000"));
  CHECK(wh_s3_version_split(version, &etag, &time));
  CHECK_STR(etag, WH_STR("abc-2"));
  CHECK_EQ(time, 1764000000000000);
  CHECK(!wh_s3_version_split(WH_STR("3HL4kqtJlcpXroDTDmJ"), &etag, &time));
  CHECK(!wh_s3_version_split(WH_STR("-17"), &etag, &time));
  CHECK(!wh_s3_version_split(WH_STR("a-9223372036854775807"), &etag, &time));
  wh_arena_free(&arena);
}

TEST(times_are_whole_seconds) {
  int64_t time;
  CHECK(wh_s3_time(WH_STR("2009-10-12T17:50:30.000Z"), &time));
  CHECK_EQ(time, 1255369830000000);
  CHECK(wh_s3_time(WH_STR("2009-10-12T17:50:30.999Z"), &time));
  CHECK_EQ(time, 1255369830000000);
  CHECK(!wh_s3_time(WH_STR("yesterday"), &time));
}

static void refuses(wh_s3_options o, const char *part) {
  CHECK_FAILS(wh_connector_s3.check(&o, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS(part);
}

TEST(options_that_cannot_be_are_refused) {
  wh_str tag = WH_STR("team");
  refuses((wh_s3_options){.bucket = WH_STR("My_Bucket")}, "'My_Bucket' is no bucket's name");
  refuses((wh_s3_options){.bucket = WH_STR("-ab")}, "is no bucket's name");
  refuses((wh_s3_options){.bucket = WH_STR("lake"), .prefix = WH_STR("a//b")}, "prefix: ");
  refuses((wh_s3_options){.bucket = WH_STR("lake"), .encryption_key = WH_STR("k")},
          "encryption_key is for encryption: kms");
  refuses((wh_s3_options){.bucket = WH_STR("lake"), .tags = {&tag, 1}}, "'team' is not NAME=VALUE");
  wh_s3_options sealed = {.bucket = WH_STR("lake"), .encryption = WH_S3_ENVELOPE};
  refuses(sealed, "encryption: envelope needs an encryption_key");
  sealed.encryption_key = WH_STR("passphrase");
  refuses(sealed, "encryption_key is not 32 bytes");
  sealed.encryption_key = WH_STR("alias/lake");
  sealed.encryption_keys_old = (wh_str_list){&tag, 1};
  refuses(sealed, "encryption_keys_old has to be of the same kind");
  sealed.encryption = WH_S3_ENCRYPT_KMS;
  refuses(sealed, "encryption_keys_old is for encryption: envelope");
  wh_s3_options good = {.bucket = WH_STR("my.lake-1"), .prefix = WH_STR("a/b/")};
  CHECK_OK(wh_connector_s3.check(&good, &test_err));
}
#else
#include "test.h"

TEST(s3) {
  SKIP("this build has no S3");
}
#endif
