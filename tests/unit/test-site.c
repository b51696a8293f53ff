// The index of a site: every field comes back, nothing that is wrong gets through, and what a
// version's index is called.
#include "ledger/site_index.h"
#include "test.h"

#define S(text) wh_str_of(text)
#define SHA     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define FOLDER  "01jd3v00000000000000000000"

static wh_arena arena;
static wh_buf buf;

static void begin(void) {
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&buf, &test_mem, 0);
}

static void end(void) {
  wh_arena_free(&arena);
  wh_buf_free(&buf);
}

static const wh_site_file FILES[] = {
    {WH_STR_INIT("a/orders.html"), WH_STR_INIT("text/html"), 100, WH_STR_INIT(SHA)},
    {WH_STR_INIT("a/two \"words\".css"), WH_STR_INIT("text/css"), 20, WH_STR_INIT(SHA)},
    {WH_STR_INIT("index.html"), WH_STR_INIT("text/html"), 0, WH_STR_INIT(SHA)},
};

static wh_site_index example(void) {
  return (wh_site_index){.version = 12,
                         .of = 7,
                         .folder = S(FOLDER),
                         .created_us = 1795251600123000,
                         .files = FILES,
                         .file_count = 3};
}

TEST(every_field_comes_back) {
  begin();
  wh_site_index want = example(), got;
  CHECK(wh_site_write(&want, &buf));
  CHECK_OK(wh_site_parse(wh_buf_str(&buf), &arena, &got, &test_err));
  CHECK_EQ(got.version, 12);
  CHECK_EQ(got.of, 7);
  CHECK_STR(got.folder, S(FOLDER));
  CHECK_EQ(got.created_us, want.created_us);
  CHECK_EQ(got.bytes, 120);
  CHECK_EQ(got.file_count, 3);
  for (size_t i = 0; i < got.file_count; i++) {
    CHECK_STR(got.files[i].path, FILES[i].path);
    CHECK_STR(got.files[i].type, FILES[i].type);
    CHECK_EQ(got.files[i].bytes, FILES[i].bytes);
    CHECK_STR(got.files[i].sha256, S(SHA));
    CHECK(wh_site_find(&got, FILES[i].path) == &got.files[i]);
  }
  CHECK(!wh_site_find(&got, S("a/orders.htm")));
  CHECK(!wh_site_find(&got, S("")));
  end();
}

TEST(keys_have_a_version) {
  begin();
  CHECK_STR(wh_site_key(S("report/"), 12, &arena), S("_wherry/sites/report/000000000012.json"));
  CHECK_STR(wh_site_key(S(""), 1, &arena), S("_wherry/sites/000000000001.json"));
  CHECK_EQ(wh_site_key_version(S("report/"), S("_wherry/sites/report/000000000012.json")), 12);
  CHECK_EQ(wh_site_key_version(S(""), S("_wherry/sites/000000000001.json")), 1);
  static const char *const none[] = {
      "_wherry/sites/000000000012.json",         "_wherry/sites/report/a/000000000012.json",
      "_wherry/sites/report/000000000000.json",  "_wherry/sites/report/00000000001x.json",
      "_wherry/sites/report/0000000000012.json", "_wherry/sites/report/000000000012.jso",
      "_wherry/sitez/report/000000000012.json",  "",
  };
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    CHECK_EQ(wh_site_key_version(S("report/"), S(none[i])), 0);
  end();
}

static void check_refused(const char *json, const char *why) {
  wh_site_index got;
  test_err = (wh_error){0};
  CHECK(wh_site_parse(S(json), &arena, &got, &test_err) != WH_OK);
  CHECK_ERROR_HAS(why);
}

#define HEAD(version, folder, bytes)                                                               \
  "{\"site\":1,\"version\":" version ",\"of\":0,\"folder\":\"" folder                              \
  "\",\"created\":\"2026-11-21T09:00:00Z\",\"bytes\":" bytes ",\"files\":"
#define ONE(path, bytes)                                                                           \
  "{\"path\":\"" path "\",\"type\":\"text/css\",\"bytes\":" bytes ",\"sha256\":\"" SHA "\"}"

TEST(what_is_wrong_is_refused) {
  begin();
  wh_site_index got;
  CHECK_OK(wh_site_parse(S(HEAD("1", FOLDER, "3") "[" ONE("a", "1") "," ONE("b", "2") "]}"), &arena,
                         &got, &test_err));
  check_refused("[]", "is not an object");
  check_refused("{\"site\":2}", "a newer wherry wrote this site");
  check_refused("{\"version\":1}", "this is no site");
  check_refused(HEAD("-1", FOLDER, "0") "[]}", "'version'");
  check_refused(HEAD("1", "../../etc", "0") "[]}", "'folder' is no ULID");
  check_refused(HEAD("1", FOLDER, "0") "{}}", "'files' is not a list");
  check_refused(HEAD("1", FOLDER, "4") "[" ONE("a", "1") "," ONE("b", "2") "]}", "add up to");
  check_refused(HEAD("1", FOLDER, "3") "[" ONE("b", "1") "," ONE("a", "2") "]}", "in the order");
  check_refused(HEAD("1", FOLDER, "2") "[" ONE("a", "1") "," ONE("a", "1") "]}", "in the order");
  check_refused(HEAD("1", FOLDER, "1") "[" ONE("../a", "1") "]}", "'path' is no key");
  check_refused(HEAD("1", FOLDER, "1") "[{}]}", "'path' is missing");
  end();
}
