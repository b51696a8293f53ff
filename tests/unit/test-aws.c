// The AWS client against a server that checks signatures, throttles, breaks off and has another
// idea of the time.
#include "test.h"

#include "aws_test.h"
#include "http_peer.h"
#include "net/aws.h"

#include <signal.h>
#include <time.h>

static wh_os *os;
static http_peer *peer;
static wh_aws *aws;
static wh_aws_client *client;
static wh_aws_exchange *x;

static const wh_sigv4_keys keys = {.access_key_id = WH_STR_INIT("AKIDTEST"),
                                   .secret_access_key = WH_STR_INIT("test-secret"),
                                   .session_token = WH_STR_INIT("test/token==")};

typedef struct script {
  int fail;           // so many requests get the first answer
  int code;           // 0: the connection is cut
  const char *fields; // "Name: value\r\n"
  const char *body;
  bool checks_signatures, checks_time, breaks_off;
} script;

static script plan;

// The signature once more, from what came.
static bool is_signed(const http_peer_request *r) {
  wh_http_header headers[WH_HTTP_HEADERS_MAX];
  size_t count = 0, question = wh_str_find(r->target, 0, '?');
  wh_str line, names = http_peer_field(r, "authorization");
  const char *at = memmem(names.data, names.len, "SignedHeaders=", 14);
  if (!at) return false;
  names = wh_str_sub(names, (size_t)(at + 14 - names.data), names.len);
  names = wh_str_sub(names, 0, wh_str_find(names, 0, ','));
  while (wh_str_split(&names, ';', &line)) {
    char name[100];
    snprintf(name, sizeof name, "%.*s", WH_STR_ARG(line));
    headers[count++] = (wh_http_header){line, http_peer_field(r, name)};
  }
  uint8_t digest[WH_SHA256_BYTES];
  char hash[2 * WH_SHA256_BYTES + 1], time[WH_SIGV4_TIME_CHARS + 1], method[16];
  wh_sha256_of(r->body, digest);
  wh_hex_encode(digest, sizeof digest, hash);
  snprintf(time, sizeof time, "%.*s", WH_STR_ARG(http_peer_field(r, "x-amz-date")));
  snprintf(method, sizeof method, "%.*s", WH_STR_ARG(r->method));
  wh_str said = http_peer_field(r, "x-amz-content-sha256");
  wh_sigv4_request request = {.method = method,
                              .path = wh_str_sub(r->target, 0, question),
                              .query = wh_str_sub(r->target, question + 1, r->target.len),
                              .headers = headers,
                              .header_count = count,
                              .payload_hash = said.len ? said : wh_str_of(hash)};
  wh_sigv4_signer signer = {
      .region = WH_STR("eu-test-1"), .service = WH_STR("s3"), .plain_path = said.len > 0};
  wh_sigv4_work work;
  wh_buf out;
  wh_mem own;
  wh_mem_init(&own, 0);
  wh_buf_init(&out, &own, 0);
  wh_sigv4_work_init(&work, &own);
  bool ok = wh_sigv4_sign(&signer, &keys, &request, time, &work, &out, NULL) == WH_OK &&
            wh_str_eq(wh_buf_str(&out), http_peer_field(r, "authorization"));
  wh_sigv4_work_free(&work);
  wh_buf_free(&out);
  return ok && wh_str_eq(http_peer_field(r, "x-amz-security-token"), keys.session_token);
}

static bool play(void *context, const http_peer_request *r, http_peer_line *line) {
  script *s = context;
  char now[20], real[20];
  if (s->checks_signatures) {
    CHECK(is_signed(r));
  }
  wh_sigv4_time((int64_t)time(NULL) * 1000000, real);
  snprintf(now, sizeof now, "%.*s", WH_STR_ARG(http_peer_field(r, "x-amz-date")));
  bool is_late = s->checks_time && memcmp(now, real, 11) != 0; // the hour
  if (s->fail-- > 0 || is_late) {
    if (s->breaks_off)
      http_peer_printf(line, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n%s", s->body);
    if (s->code == 0) return false;
    http_peer_reply(line, s->code, s->fields ? s->fields : "", s->body ? s->body : "");
    return true;
  }
  char body[400];
  snprintf(body, sizeof body, "%.*s %.*s", WH_STR_ARG(r->target),
           WH_STR_ARG(http_peer_field(r, "host")));
  if (wh_str_is(r->method, "HEAD"))
    http_peer_printf(line, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  else
    http_peer_reply(line, 200, "x-amz-request-id: R1\r\n", body);
  return true;
}

static void open_aws(const char *path, bool s3) {
  char endpoint[200];
  snprintf(endpoint, sizeof endpoint, "http://localhost:%d%s", http_peer_port(peer), path);
  wh_aws_options o = {.os = os,
                      .mem = &test_mem,
                      .environment = test_env(),
                      .service = "s3",
                      .region = WH_STR("eu-test-1"),
                      .endpoint = wh_str_of(endpoint),
                      .keys = keys,
                      .plain_path = s3};
  CHECK_OK(wh_aws_new(&o, &aws, &test_err));
  CHECK_OK(wh_aws_take(aws, NULL, &client, &test_err));
}

static void set_up(script s) {
  signal(SIGPIPE, SIG_IGN);
  plan = s;
  test_env_clear();
  os = test_aws_os_open();
  peer = http_peer_start(play, &plan, NULL);
  open_aws("", true);
}

static void close_aws(void) {
  wh_aws_give(client);
  wh_aws_free(aws);
}

static void tear_down(void) {
  close_aws();
  http_peer_stop(peer);
  test_aws_os_close();
}

static wh_status call(const char *method, const char *path) {
  wh_aws_request r = {.method = method, .path = wh_str_of(path)};
  wh_status status = wh_aws_call(client, &r, &x, &test_err);
  if (x) CHECK_EQ(x->status, status);
  return status;
}

TEST(requests_are_signed) {
  set_up((script){.checks_signatures = true});
  static const char *const queries[] = {"", "list-type=2&prefix=a%2Fb%20c", "uploads"};
  static const wh_http_header own[] = {{WH_STR_INIT("If-Match"), WH_STR_INIT("\"abc\"")},
                                       {WH_STR_INIT("x-amz-meta-a"), WH_STR_INIT(" b  c ")}};
  static char large[100000];
  wh_str pieces[] = {WH_STR("some"), WH_STR(" bytes"), wh_str_n(large, sizeof large)};
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < 9; i++) {
      wh_aws_request r = {.method = i % 3 == 2 ? "HEAD"
                                    : i % 3    ? "PUT"
                                               : "GET",
                          .path = WH_STR("/bucket/a%20b/./c%2Bd/%C3%A9"),
                          .query = wh_str_of(queries[i / 3]),
                          .headers = own,
                          .header_count = i % 2 ? 2 : 0,
                          .body = pieces,
                          .body_count = i % 3 == 1 ? i / 3 + 1 : 0};
      if (i == 7) r.payload_hash = WH_STR(WH_SIGV4_UNSIGNED);
      if (i == 7 && round) r.payload_hash = (wh_str){0};
      CHECK_OK(wh_aws_call(client, &r, &x, &test_err));
      CHECK_EQ(x->attempts, 1);
      CHECK_STR(wh_str_of(x->code), WH_STR(""));
      wh_aws_end(x);
    }
    close_aws();
    open_aws("/base", false); // every other service: paths are encoded once more
  }
  tear_down();
}

TEST(buckets_may_stand_in_the_host) {
  set_up((script){0});
  close_aws();
  open_aws("/base/", true);
  wh_aws_request r = {.method = "GET", .bucket = WH_STR("data"), .path = WH_STR("/k")};
  REQUIRE_OK(wh_aws_call(client, &r, &x, &test_err));
  char want[100];
  snprintf(want, sizeof want, "/base/k data.localhost:%d", http_peer_port(peer));
  CHECK_STR(x->body, wh_str_of(want));
  wh_aws_end(x);
  tear_down();
}

#define XML(code, message)                                                                         \
  "<?xml version=\"1.0\"?>\n<Error><Code>" code "</Code><Message>" message                         \
  "</Message><RequestId>R7</RequestId></Error>"

TEST(an_object_may_read_like_an_error) {
  set_up((script){.fail = 1, .code = 200, .body = XML("InternalError", "somebody's file")});
  CHECK_OK(call("GET", "/b/k"));
  CHECK_EQ(x->attempts, 1);
  wh_aws_end(x);
  tear_down();
}

TEST(what_may_pass_is_repeated) {
  static const script cases[] = {
      {.fail = 2, .code = 503, .body = XML("SlowDown", "Please reduce your request rate.")},
      {.fail = 2, .code = 500},
      {.fail = 2, .code = 0},
      {.fail = 1, .code = 429},
      {.fail = 2, .code = 400, .body = "{\"__type\":\"a#ThrottlingException\"}"},
      {.fail = 2, .code = 400, .fields = "x-amzn-errortype: InternalServerError:http://x\r\n"},
      {.fail = 2, .code = 200, .body = XML("InternalError", "after all")},
      {.fail = 1, .code = 409, .body = XML("ConditionalRequestConflict", "at once")},
      {.fail = 1, .code = 503, .fields = "Retry-After: 0\r\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    set_up(cases[i]);
    CHECK_OK(call("PUT", "/b/k"));
    CHECK_EQ(x->attempts, cases[i].fail + 1);
    if (cases[i].code) CHECK_EQ(http_peer_requests(peer), cases[i].fail + 1);
    CHECK_EQ(x->code[0], 0);
    wh_aws_end(x);
    tear_down();
  }
}

TEST(three_times_and_no_more) {
  set_up((script){.fail = 100, .code = 503, .body = XML("SlowDown", "Reduce your\nrate.")});
  CHECK_FAILS(call("PUT", "/b/k"), WH_ERR_BUSY);
  CHECK(test_err.retry);
  CHECK_EQ(http_peer_requests(peer), 3);
  CHECK(wh_aws_is(x, "SlowDown"));
  CHECK_STR(wh_str_of(x->request_id), WH_STR("R7"));
  char want[200];
  snprintf(want, sizeof want,
           "localhost:%d: PUT /b/k: SlowDown: Reduce your rate (503, attempt 3, request R7)",
           http_peer_port(peer));
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(want));
  wh_aws_end(x);
  wh_aws_request once = {.method = "GET", .path = WH_STR("/"), .attempts = 1};
  CHECK_FAILS(wh_aws_call(client, &once, NULL, &test_err), WH_ERR_BUSY);
  CHECK_EQ(http_peer_requests(peer), 4);
  tear_down();
  set_up((script){.fail = 100, .code = 0});
  CHECK_FAILS(call("GET", "/b/k"), WH_ERR_UNAVAILABLE);
  CHECK_EQ(x->attempts, 3);
  CHECK_EQ(x->http, 0);
  CHECK_ERROR_HAS("GET /b/k: localhost:");
  wh_aws_end(x);
  tear_down();
}

TEST(each_failure_has_its_status) {
  static const struct {
    int code;
    const char *body, *fields;
    wh_status want;
    const char *says;
  } cases[] = {
      {404, XML("NoSuchKey", "The key does not exist."), "", WH_ERR_NOT_FOUND, "NoSuchKey"},
      {404, "", "", WH_ERR_NOT_FOUND, "not found"},
      {403, XML("AccessDenied", "No."), "", WH_ERR_DENIED, "AccessDenied: No (403, request R7)"},
      {403, "", "", WH_ERR_DENIED, "access denied"},
      {412, XML("PreconditionFailed", "x"), "", WH_ERR_CHANGED, "PreconditionFailed"},
      {304, "", "", WH_ERR_CHANGED, "has not changed"},
      {409, XML("BucketAlreadyExists", "x"), "", WH_ERR_EXISTS, "BucketAlreadyExists"},
      {413, XML("EntityTooLarge", "x"), "", WH_ERR_LIMIT, "EntityTooLarge"},
      {400, XML("InvalidArgument", "&lt;x&gt;"), "", WH_ERR_REFUSED, "InvalidArgument: <x>"},
      {301, XML("PermanentRedirect", "x"), "x-amz-bucket-region: us-west-2\r\n", WH_ERR_REFUSED,
       "It is in us-west-2: set `region`"},
      {400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\"}", "",
       WH_ERR_NOT_FOUND, "ResourceNotFoundException"},
      {400, "{\"__type\":\"x#ConditionalCheckFailedException\",\"message\":\"The check\"}", "",
       WH_ERR_CHANGED, "ConditionalCheckFailedException: The check"},
      {400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"No way\"}", "", WH_ERR_DENIED,
       "No way"},
      {400, "{\"code\":\"ValidationException\"}", "x-amzn-RequestId: Q1\r\n", WH_ERR_REFUSED,
       "request Q1"},
      {400, "{]", "", WH_ERR_REFUSED, "refused"},
      {400, "<a><b>", "", WH_ERR_REFUSED, "refused"},
      {400,
       "<ErrorResponse xmlns=\"x\"><Error><Code>InvalidClientTokenId</Code><Message>m</Message>"
       "</Error><RequestId>S1</RequestId></ErrorResponse>",
       "", WH_ERR_DENIED, "InvalidClientTokenId: m (400, request S1)"},
  };
  set_up((script){0});
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    plan = (script){
        .fail = 1, .code = cases[i].code, .body = cases[i].body, .fields = cases[i].fields};
    if (cases[i].code == 304) plan.body = NULL;
    if (!CHECK_FAILS(call("GET", "/b/k"), cases[i].want)) test_note("%s", test_err.text);
    CHECK_ERROR_HAS(cases[i].says);
    CHECK_EQ(x->attempts, 1);
    CHECK(!test_err.retry);
    wh_aws_end(x);
  }
  tear_down();
}

static void skewed(int code, const char *body, const char *method) {
  char fields[100], date[64];
  time_t now = time(NULL);
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
  snprintf(fields, sizeof fields, "Date: %s\r\n", date);
  set_up((script){.checks_time = true, .code = code, .body = body, .fields = fields});
  test_aws_clock_add(INT64_C(-7200) * 1000000);
  CHECK_OK(call(method, "/b/k"));
  CHECK_EQ(http_peer_requests(peer), 2);
  wh_aws_end(x);
  CHECK_OK(call(method, "/b/k")); // remembered
  CHECK_EQ(http_peer_requests(peer), 3);
  wh_aws_end(x);
  tear_down();
}

TEST(the_servers_clock_counts) {
  skewed(403, XML("RequestTimeTooSkewed", "x"), "GET");
  skewed(400, "{\"__type\":\"x#InvalidSignatureException\"}", "POST");
}

TEST(a_wrong_signature_is_no_matter_of_clocks) {
  char fields[100], date[64];
  time_t now = time(NULL);
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
  snprintf(fields, sizeof fields, "Date: %s\r\n", date);
  set_up((script){
      .fail = 9, .code = 403, .body = XML("SignatureDoesNotMatch", "x"), .fields = fields});
  CHECK_FAILS(call("GET", "/b/k"), WH_ERR_DENIED);
  CHECK_EQ(http_peer_requests(peer), 1);
  wh_aws_end(x);
  tear_down();
}

TEST(others_go_on_while_one_waits) {
  set_up((script){.fail = 1, .code = 503, .fields = "Retry-After: 1\r\n"});
  wh_aws_request r = {.method = "GET", .path = WH_STR("/slow"), .tag = (void *)1};
  wh_aws_exchange *slow, *done;
  REQUIRE_OK(wh_aws_start(client, &r, &slow, &test_err));
  while (http_peer_requests(peer) == 0) {
    REQUIRE_OK(wh_aws_wait(client, NULL, 10000, &done, &test_err));
    CHECK(done == NULL);
  }
  r = (wh_aws_request){.method = "GET", .path = WH_STR("/quick"), .tag = (void *)2};
  for (int i = 0; i < 5; i++) {
    REQUIRE_OK(wh_aws_start(client, &r, &x, &test_err));
    REQUIRE_OK(wh_aws_wait(client, NULL, -1, &done, &test_err));
    CHECK(done == x && done->tag == (void *)2);
    wh_aws_end(done);
  }
  REQUIRE_OK(wh_aws_wait(client, NULL, 0, &done, &test_err));
  CHECK(done == NULL);
  REQUIRE_OK(wh_aws_wait(client, NULL, -1, &done, &test_err));
  CHECK(done == slow && slow->attempts == 2 && slow->status == WH_OK);
  wh_aws_end(slow);
  CHECK_FAILS(wh_aws_wait(client, NULL, -1, &done, &test_err), WH_ERR_END);
  tear_down();
}

TEST(waits_between_attempts_end_when_asked) {
  set_up((script){.fail = 9, .code = 503, .fields = "Retry-After: 30\r\n"});
  atomic_bool cancel = false;
  wh_aws_give(client);
  REQUIRE_OK(wh_aws_take(aws, &cancel, &client, &test_err)); // the same one
  wh_aws_request r = {.method = "GET"};
  wh_aws_exchange *done;
  REQUIRE_OK(wh_aws_start(client, &r, &x, &test_err));
  REQUIRE_OK(wh_aws_wait(client, x, 200000, &done, &test_err));
  CHECK(done == NULL && x->attempts == 1);
  cancel = true;
  CHECK_FAILS(wh_aws_wait(client, x, -1, &done, &test_err), WH_ERR_CANCELLED);
  tear_down(); // with the request under way
}

typedef struct taking {
  char text[200];
  size_t len;
  int begun;
} taking;

static wh_status take(void *context, uint64_t at, const void *data, size_t len, wh_error *err) {
  taking *t = context;
  (void)err;
  t->begun += at == 0;
  memcpy(t->text + at, data, len);
  t->len = at + len;
  return WH_OK;
}

TEST(a_taker_begins_anew_with_each_attempt) {
  set_up((script){.fail = 2, .breaks_off = true, .body = "a part of it"});
  taking t = {0};
  wh_aws_request r = {.method = "GET", .path = WH_STR("/k"), .take = take, .take_context = &t};
  REQUIRE_OK(wh_aws_call(client, &r, &x, &test_err));
  CHECK_EQ(t.begun, 3);
  CHECK(wh_str_starts(wh_str_n(t.text, t.len), "/k localhost:"));
  CHECK_EQ(x->body.len, 0);
  wh_aws_end(x);
  tear_down();
}

TEST(json_and_forms) {
  set_up((script){0});
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_str body = WH_STR("{}");
  wh_aws_request r = wh_aws_json(WH_STR("DynamoDB_20120810.PutItem"), "1.0", headers, &body);
  CHECK_OK(wh_aws_call(client, &r, NULL, &test_err));
  plan = (script){.fail = 1, .code = 400};
  CHECK_FAILS(wh_aws_call(client, &r, NULL, &test_err), WH_ERR_REFUSED);
  CHECK_ERROR_HAS(": PutItem: refused (400)");
  r = wh_aws_form(headers, &body);
  CHECK_OK(wh_aws_call(client, &r, NULL, &test_err));
  tear_down();
}

TEST(calls_without_memory) {
  set_up((script){0});
  close_aws();
  wh_status status = WH_ERR_MEMORY;
  size_t n = 1;
  for (; status != WH_OK && n < 2000; n++) {
    aws = NULL;
    client = NULL;
    x = NULL;
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_aws_options o = {.os = os,
                        .mem = &test_mem,
                        .environment = test_env(),
                        .service = "s3",
                        .region = WH_STR("eu-test-1"),
                        .endpoint = WH_STR("http://127.0.0.1:1"),
                        .keys = keys};
    status = wh_aws_new(&o, &aws, &test_err);
    if (status == WH_OK) status = wh_aws_take(aws, NULL, &client, &test_err);
    wh_aws_request r = {
        .method = "GET", .path = WH_STR("/k"), .query = WH_STR("a=b"), .attempts = 1};
    if (status == WH_OK) status = wh_aws_call(client, &r, &x, &test_err);
    atomic_store(&test_mem.fail_at, 0);
    if (status == WH_ERR_UNAVAILABLE && strstr(test_err.text, "nobody listens")) status = WH_OK;
    if (status != WH_OK && status != WH_ERR_MEMORY) CHECK_EQ(status, WH_ERR_UNAVAILABLE);
    wh_aws_end(x);
    wh_aws_give(client);
    wh_aws_free(aws);
  }
  CHECK_EQ(status, WH_OK);
  open_aws("", true);
  tear_down();
}
