// Signature V4 against the published vectors, read in place, and on requests of our own.
#include "test.h"

#include "net/sigv4.h"
#include "net/uri.h"

#include <dirent.h>
#include <jansson.h>

enum { VECTORS = 38, FILE_MAX = 64 * 1024 };

typedef struct vector {
  char folder[1024];
  char request[FILE_MAX];
  char method[16];
  wh_str path, query, body;
  wh_http_header headers[WH_HTTP_HEADERS_MAX];
  size_t header_count;
  json_t *context;
  wh_sigv4_keys keys;
  char time[WH_SIGV4_TIME_CHARS + 1];
} vector;

static const char *corpus(void) {
  static char path[512];
  snprintf(path, sizeof path, "%s/../shared/corpora/sigv4/v4", test_root());
  return path;
}

static bool read_file(const vector *v, const char *name, char *out) {
  char path[1200];
  snprintf(path, sizeof path, "%s/%s", v->folder, name);
  FILE *f = fopen(path, "rb");
  if (!f) return false;
  size_t n = fread(out, 1, FILE_MAX - 1, f);
  out[n] = 0;
  fclose(f);
  return true;
}

static const char *text_of(const vector *v, const char *name) {
  return json_string_value(json_object_get(v->context, name));
}

static void add_header(vector *v, wh_str name, wh_str value) {
  v->headers[v->header_count++] = (wh_http_header){name, value};
}

// "GET /path?query HTTP/1.1", fields, of which a line that begins with a space goes on, and a body
// behind an empty line.
static void parse_request(vector *v) {
  wh_str rest = wh_str_of(v->request), line;
  wh_str_split(&rest, '\n', &line);
  size_t space = wh_str_find(line, 0, ' ');
  snprintf(v->method, sizeof v->method, "%.*s", (int)space, line.data);
  wh_str target = wh_str_sub(line, space + 1, line.len - strlen(" HTTP/1.1"));
  size_t question = wh_str_find(target, 0, '?');
  v->path = wh_str_sub(target, 0, question);
  v->query = wh_str_sub(target, question + 1, target.len);
  while (wh_str_split(&rest, '\n', &line) && line.len) {
    wh_http_header *last = v->header_count ? &v->headers[v->header_count - 1] : NULL;
    if (line.data[0] == ' ' && last) {
      last->value.len = (size_t)(line.data + line.len - last->value.data);
      continue;
    }
    size_t colon = wh_str_find(line, 0, ':');
    add_header(v, wh_str_sub(line, 0, colon), wh_str_sub(line, colon + 1, line.len));
  }
  v->body = rest;
}

static bool open_vector(vector *v, const char *name) {
  static char context[FILE_MAX];
  *v = (vector){0};
  snprintf(v->folder, sizeof v->folder, "%s/%s", corpus(), name);
  if (!CHECK(read_file(v, "request.txt", v->request) && read_file(v, "context.json", context)))
    return false;
  v->context = json_loads(context, 0, NULL);
  if (!CHECK(v->context != NULL)) return false;
  parse_request(v);
  const json_t *c = json_object_get(v->context, "credentials");
  v->keys.access_key_id = wh_str_of(json_string_value(json_object_get(c, "access_key_id")));
  v->keys.secret_access_key = wh_str_of(json_string_value(json_object_get(c, "secret_access_key")));
  v->keys.session_token = wh_str_of(json_string_value(json_object_get(c, "token")));
  // A token that is added afterwards takes no part in the signature.
  if (json_is_true(json_object_get(v->context, "omit_session_token")))
    v->keys.session_token = (wh_str){0};
  size_t n = 0;
  for (const char *t = text_of(v, "timestamp"); *t && n < WH_SIGV4_TIME_CHARS; t++)
    if (*t != '-' && *t != ':') v->time[n++] = *t;
  return true;
}

static bool check_file(const vector *v, const char *prefix, const char *name, wh_str got) {
  static char want[FILE_MAX];
  char file[100];
  snprintf(file, sizeof file, "%s-%s", prefix, name);
  if (!CHECK(read_file(v, file, want))) return false;
  bool ok = CHECK_STR(got, wh_str_trim(wh_str_of(want)));
  if (!ok) test_note("%s/%s", v->folder, file);
  return ok;
}

static void check_signed(const vector *v, const char *prefix, const wh_sigv4_work *work) {
  check_file(v, prefix, "canonical-request.txt", wh_buf_str(&work->canonical));
  check_file(v, prefix, "string-to-sign.txt", wh_buf_str(&work->to_sign));
  check_file(v, prefix, "signature.txt", wh_str_of(work->signature));
}

static void sign_vector(vector *v, bool in_query) {
  wh_sigv4_signer signer = {.region = wh_str_of(text_of(v, "region")),
                            .service = wh_str_of(text_of(v, "service")),
                            .no_normalize =
                                json_is_false(json_object_get(v->context, "normalize"))};
  uint8_t digest[WH_SHA256_BYTES];
  WH_CLEAN_BUF wh_buf hash, out;
  wh_buf_init(&hash, &test_mem, 0);
  wh_buf_init(&out, &test_mem, 0);
  wh_sha256_of(v->body, digest);
  wh_buf_add_hex(&hash, digest, sizeof digest);
  if (!in_query) {
    add_header(v, WH_STR("X-Amz-Date"), wh_str_of(v->time));
    if (v->keys.session_token.len)
      add_header(v, WH_STR("X-Amz-Security-Token"), v->keys.session_token);
    if (json_is_true(json_object_get(v->context, "sign_body")))
      add_header(v, WH_STR("x-amz-content-sha256"), wh_buf_str(&hash));
  }
  wh_sigv4_request request = {.method = v->method,
                              .path = v->path,
                              .query = v->query,
                              .headers = v->headers,
                              .header_count = v->header_count,
                              .payload_hash = wh_buf_str(&hash)};
  int64_t seconds = json_integer_value(json_object_get(v->context, "expiration_in_seconds"));
  wh_sigv4_work work;
  wh_sigv4_work_init(&work, &test_mem);
  if (in_query)
    CHECK_OK(
        wh_sigv4_presign(&signer, &v->keys, &request, v->time, seconds, &work, &out, &test_err));
  else
    CHECK_OK(wh_sigv4_sign(&signer, &v->keys, &request, v->time, &work, &out, &test_err));
  check_signed(v, in_query ? "query" : "header", &work);
  CHECK(memmem(out.data, out.len, work.signature, WH_SIGV4_HEX_CHARS) != NULL);
  wh_sigv4_signer_clear(&signer);
  wh_sigv4_work_free(&work);
}

static void sign_all(bool in_query) {
  static vector v;
  DIR *folder = opendir(corpus());
  if (!folder) SKIP("../shared/corpora/sigv4 is not there");
  int count = 0;
  for (struct dirent *e; (e = readdir(folder));) {
    if (e->d_name[0] == '.') continue;
    if (open_vector(&v, e->d_name)) {
      sign_vector(&v, in_query);
      count++;
    }
    json_decref(v.context);
  }
  closedir(folder);
  CHECK_EQ(count, VECTORS); // all that there are: none is left out
}

TEST(vectors_signed_in_header_fields) {
  sign_all(false);
}

TEST(vectors_signed_in_the_query) {
  sign_all(true);
}

// --- on our own ----------------------------------------------------------------------------------

static const wh_sigv4_keys keys = {.access_key_id = WH_STR_INIT("AKIDEXAMPLE"),
                                   .secret_access_key = WH_STR_INIT("secret")};
static const wh_http_header host = {WH_STR_INIT("Host"), WH_STR_INIT("example.com")};

static wh_status sign(wh_sigv4_signer *signer, wh_sigv4_request request, wh_sigv4_work *work) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  request.method = "GET";
  request.payload_hash = WH_STR(WH_SIGV4_UNSIGNED);
  if (!request.headers) {
    request.headers = &host;
    request.header_count = 1;
  }
  return wh_sigv4_sign(signer, &keys, &request, "20260101T000000Z", work, &out, &test_err);
}

TEST(s3_signs_paths_as_they_are_sent) {
  wh_sigv4_signer signer = {.region = WH_STR("r"), .service = WH_STR("s3"), .plain_path = true};
  wh_sigv4_work work;
  wh_sigv4_work_init(&work, &test_mem);
  CHECK_OK(sign(&signer, (wh_sigv4_request){.path = WH_STR("/b/a%20b//../%E1%88%B4")}, &work));
  CHECK(wh_str_starts(wh_buf_str(&work.canonical), "GET\n/b/a%20b//../%E1%88%B4\n\nhost:"));
  CHECK(wh_str_ends(wh_buf_str(&work.canonical), "\nhost\nUNSIGNED-PAYLOAD"));
  signer.plain_path = false;
  CHECK_OK(sign(&signer, (wh_sigv4_request){.path = WH_STR("/b/a%20b//../%E1")}, &work));
  CHECK(wh_str_starts(wh_buf_str(&work.canonical), "GET\n/b/%25E1\n\n"));
  CHECK_OK(sign(&signer, (wh_sigv4_request){.path = WH_STR("/../..")}, &work));
  CHECK(wh_str_starts(wh_buf_str(&work.canonical), "GET\n/\n\n"));
  wh_sigv4_work_free(&work);
}

TEST(queries_are_sorted_and_encoded_once) {
  wh_sigv4_signer signer = {.region = WH_STR("r"), .service = WH_STR("s3"), .plain_path = true};
  wh_sigv4_work work;
  wh_sigv4_work_init(&work, &test_mem);
  static const struct {
    const char *query, *want;
  } cases[] = {
      {"uploads", "uploads="},        {"b=2&a=1", "a=1&b=2"},
      {"a=2&a=1&a", "a=&a=1&a=2"},    {"prefix=x%2Fy&list-type=2", "list-type=2&prefix=x%2Fy"},
      {"prefix=x/y", "prefix=x%2Fy"}, {"a=b=c", "a=b%3Dc"},
      {"a=%zz", "a=%25zz"},           {"a=+&&b", "a=%2B&b="},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char want[200];
    snprintf(want, sizeof want, "GET\n/\n%s\n", cases[i].want);
    CHECK_OK(sign(&signer, (wh_sigv4_request){.query = wh_str_of(cases[i].query)}, &work));
    if (!CHECK(wh_str_starts(wh_buf_str(&work.canonical), want))) test_note("%s", cases[i].query);
  }
  static char many[1000];
  memset(many, '&', sizeof many - 1);
  for (size_t i = 0; i < sizeof many - 1; i += 2)
    many[i] = 'a';
  CHECK_FAILS(sign(&signer, (wh_sigv4_request){.query = wh_str_of(many)}, &work), WH_ERR_LIMIT);
  wh_sigv4_work_free(&work);
}

TEST(the_key_of_the_day_follows_the_day_and_the_secret) {
  wh_sigv4_signer kept = {.region = WH_STR("r"), .service = WH_STR("s")};
  static const char *const times[] = {"20260101T000000Z", "20260102T000000Z", "20260101T000000Z"};
  const wh_sigv4_keys other = {.access_key_id = keys.access_key_id,
                               .secret_access_key = WH_STR("another")};
  wh_sigv4_work work, again;
  wh_sigv4_work_init(&work, &test_mem);
  wh_sigv4_work_init(&again, &test_mem);
  for (int i = 0; i < 6; i++) {
    WH_CLEAN_BUF wh_buf a, b;
    wh_buf_init(&a, &test_mem, 0);
    wh_buf_init(&b, &test_mem, 0);
    wh_sigv4_signer fresh = {.region = WH_STR("r"), .service = WH_STR("s")};
    wh_sigv4_request request = {
        .method = "GET", .headers = &host, .header_count = 1, .payload_hash = WH_STR("x")};
    const wh_sigv4_keys *k = i % 2 ? &other : &keys;
    CHECK_OK(wh_sigv4_sign(&kept, k, &request, times[i / 2], &work, &a, &test_err));
    CHECK_OK(wh_sigv4_sign(&fresh, k, &request, times[i / 2], &again, &b, &test_err));
    CHECK_STR(wh_buf_str(&a), wh_buf_str(&b));
  }
  wh_sigv4_work_free(&work);
  wh_sigv4_work_free(&again);
}

TEST(what_cannot_be_signed) {
  wh_sigv4_signer signer = {.region = WH_STR("r"), .service = WH_STR("s")};
  wh_sigv4_request request = {
      .method = "GET", .headers = &host, .header_count = 1, .payload_hash = WH_STR("x")};
  wh_sigv4_keys none = {.access_key_id = WH_STR("A")};
  wh_sigv4_work work;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  wh_sigv4_work_init(&work, &test_mem);
  const char *time = "20260101T000000Z";
  CHECK_FAILS(wh_sigv4_sign(&signer, &none, &request, time, &work, &out, &test_err), WH_ERR_USAGE);
  CHECK_FAILS(wh_sigv4_presign(&signer, &keys, &request, time, 0, &work, &out, &test_err),
              WH_ERR_USAGE);
  CHECK_FAILS(wh_sigv4_presign(&signer, &keys, &request, time, 700000, &work, &out, &test_err),
              WH_ERR_USAGE);
  CHECK_EQ(out.len, 0);
  wh_sigv4_work_free(&work);
}

TEST(signing_without_memory) {
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 100; n++) {
    wh_sigv4_signer signer = {.region = WH_STR("r"), .service = WH_STR("s")};
    wh_sigv4_request request = {.path = WH_STR("/a/b"), .query = WH_STR("b=1&a=2")};
    wh_sigv4_work work;
    wh_sigv4_work_init(&work, &test_mem);
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    status = sign(&signer, request, &work);
    atomic_store(&test_mem.fail_at, 0);
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
    wh_sigv4_work_free(&work);
  }
  CHECK_EQ(status, WH_OK);
}

TEST(percent_encoding) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  CHECK(wh_uri_add(&out, WH_STR("a/b c+~\xC3\xA9*")));
  CHECK_STR(wh_buf_str(&out), WH_STR("a%2Fb%20c%2B~%C3%A9%2A"));
  wh_buf_clear(&out);
  CHECK(wh_uri_add_path(&out, WH_STR("a/b c")));
  CHECK_STR(wh_buf_str(&out), WH_STR("a/b%20c"));
  wh_buf_clear(&out);
  CHECK(wh_uri_add_decoded(&out, WH_STR("a%2fb%20c+%4")));
  CHECK_STR(wh_buf_str(&out), WH_STR("a/b c+%4"));
  wh_buf_clear(&out);
  CHECK(wh_uri_add_param(&out, "Action", WH_STR("a b")));
  CHECK(wh_uri_add_param(&out, "X", WH_STR("")));
  CHECK_STR(wh_buf_str(&out), WH_STR("Action=a%20b&X="));
}
