// The HTTP client against a server that breaks off, stalls and lies.
#include "test.h"

#include "http_peer.h"
#include "net/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static wh_os_real os;
static wh_http *http;
static http_peer *peer;
static wh_http_exchange *x;
static char url[200];

static void set_up(http_peer_answer answer, void *context) {
  signal(SIGPIPE, SIG_IGN);
  CHECK_OK(wh_os_real_init(&os, &test_mem, &test_err));
  wh_http_options options = {.os = &os.base, .mem = &test_mem};
  CHECK_OK(wh_http_new(&options, &http, &test_err));
  if (answer) {
    peer = http_peer_start(answer, context, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", http_peer_port(peer));
  }
}

static void tear_down(void) {
  wh_http_free(http);
  http_peer_stop(peer);
  wh_os_real_free(&os);
  http = NULL;
  peer = NULL;
}

// Runs one to its end; the test calls wh_http_end.
static bool ask(wh_http_request request) {
  if (!request.method) request.method = "GET";
  if (!request.url.len) request.url = wh_str_of(url);
  wh_http_exchange *done;
  x = NULL;
  if (!CHECK_OK(wh_http_start(http, &request, &x, &test_err))) return false;
  if (!CHECK_OK(wh_http_wait(http, x, -1, &done, &test_err))) return false;
  CHECK(done == x);
  test_err = x->error;
  return true;
}

static void check_fails(wh_http_request request, wh_status want, const char *text) {
  if (!ask(request)) return;
  if (!CHECK_EQ(x->status, want)) test_note("%s", x->error.text);
  CHECK_ERROR_HAS(text);
  CHECK_EQ(x->error.retry, want == WH_ERR_UNAVAILABLE);
  wh_http_end(x);
}

// --- what goes well ------------------------------------------------------------------------------

static bool echo(void *context, const http_peer_request *r, http_peer_line *line) {
  (void)context;
  http_peer_printf(line,
                   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Method: %.*s\r\nx-target:%.*s \r\n"
                   "X-Type: %.*s\r\nX-Agent: %.*s\r\nX-Own: %.*s\r\n\r\n",
                   r->body.len, WH_STR_ARG(r->method), WH_STR_ARG(r->target),
                   WH_STR_ARG(http_peer_field(r, "content-type")),
                   WH_STR_ARG(http_peer_field(r, "user-agent")),
                   WH_STR_ARG(http_peer_field(r, "x-own")));
  if (!wh_str_is(r->method, "HEAD")) http_peer_write(line, r->body.data, r->body.len);
  return true;
}

TEST(every_method_over_one_connection) {
  set_up(echo, NULL);
  static const char *const methods[] = {"GET", "PUT", "HEAD", "DELETE", "POST", "GET", "PUT"};
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    const char *m = methods[i];
    wh_str body[] = {WH_STR("ab"), WH_STR(""), WH_STR("cde")};
    bool sends = m[0] == 'P';
    wh_http_header own = {WH_STR("X-Own"), i % 2 ? WH_STR("a b") : WH_STR("")};
    char target[300];
    snprintf(target, sizeof target, "%sa/../b//c%%20d?x=1", url);
    REQUIRE(ask((wh_http_request){.method = m,
                                  .url = wh_str_of(target),
                                  .headers = &own,
                                  .header_count = 1,
                                  .body = sends ? body : NULL,
                                  .body_count = sends ? i % 3 + 1 : 0}));
    CHECK_EQ(x->code, 200);
    CHECK_STR(wh_http_header_get(x, "x-method"), wh_str_of(m));
    CHECK_STR(wh_http_header_get(x, "X-TARGET"), WH_STR("/a/../b//c%20d?x=1"));
    CHECK_STR(wh_http_header_get(x, "x-type"), WH_STR(""));
    CHECK_STR(wh_http_header_get(x, "x-own"), own.value);
    CHECK(wh_str_starts(wh_http_header_get(x, "x-agent"), "wherry/"));
    CHECK(wh_http_header_get(x, "x-none").data == NULL);
    CHECK_STR(x->body, wh_str_n("abcde", sends ? (i % 3 == 2 ? 5 : 2) : 0));
    wh_http_end(x);
  }
  CHECK_EQ(http_peer_connections(peer), 1);
  tear_down();
}

TEST(a_large_body_in_pieces) {
  set_up(echo, NULL);
  enum { PIECE = 1 << 20, PIECES = 5 };
  static char bytes[PIECE];
  for (size_t i = 0; i < PIECE; i++)
    bytes[i] = (char)(test_random() >> 32);
  wh_str body[PIECES];
  for (size_t i = 0; i < PIECES; i++)
    body[i] = wh_str_n(bytes, PIECE - i);
  REQUIRE(ask((wh_http_request){
      .method = "PUT", .body = body, .body_count = PIECES, .body_bytes_max = PIECE * PIECES}));
  CHECK_EQ(x->status, WH_OK);
  CHECK_EQ(x->body.len, PIECE * PIECES - 10);
  size_t at = 0;
  for (size_t i = 0; i < PIECES; at += body[i++].len)
    CHECK(memcmp(x->body.data + at, bytes, body[i].len) == 0);
  wh_http_end(x);
  tear_down();
}

static bool number(void *context, const http_peer_request *r, http_peer_line *line) {
  (void)context;
  char body[100];
  snprintf(body, sizeof body, "%.*s", WH_STR_ARG(r->target));
  http_peer_reply(line, 200, "", body);
  return true;
}

TEST(many_side_by_side) {
  set_up(number, NULL);
  enum { MANY = 200, AT_ONCE = 16 };
  bool seen[MANY] = {0};
  int started = 0, done = 0;
  while (done < MANY) {
    while (started < MANY && started - done < AT_ONCE) {
      char target[300];
      snprintf(target, sizeof target, "%s%d", url, started);
      wh_http_request r = {
          .method = "GET", .url = wh_str_of(target), .tag = (void *)(intptr_t)started++};
      REQUIRE_OK(wh_http_start(http, &r, &x, &test_err));
    }
    REQUIRE_OK(wh_http_wait(http, NULL, -1, &x, &test_err));
    char want[20];
    snprintf(want, sizeof want, "/%d", (int)(intptr_t)x->tag);
    CHECK_STR(x->body, wh_str_of(want));
    CHECK(!seen[(intptr_t)x->tag]);
    seen[(intptr_t)x->tag] = true;
    wh_http_end(x);
    done++;
  }
  CHECK(http_peer_connections(peer) <= AT_ONCE);
  CHECK_FAILS(wh_http_wait(http, NULL, -1, &x, &test_err), WH_ERR_END);
  tear_down();
}

typedef struct taking {
  char text[64];
  size_t len;
  bool refuses;
} taking;

static wh_status take(void *context, uint64_t at, const void *data, size_t len, wh_error *err) {
  taking *t = context;
  if (t->refuses) return wh_fail(err, WH_ERR_NO_SPACE, "no room");
  CHECK_EQ(at, t->len);
  memcpy(t->text + at, data, len);
  t->len += len;
  return WH_OK;
}

static bool by_path(void *context, const http_peer_request *r, http_peer_line *line) {
  (void)context;
  bool ok = wh_str_is(r->target, "/good");
  http_peer_reply(line, ok ? 206 : 404, "", ok ? "the body" : "<Error/>");
  return true;
}

TEST(a_taker_gets_good_bodies_alone) {
  set_up(by_path, NULL);
  taking t = {0};
  char good[300];
  snprintf(good, sizeof good, "%sgood", url);
  REQUIRE(ask((wh_http_request){.url = wh_str_of(good), .take = take, .take_context = &t}));
  CHECK_EQ(x->code, 206);
  CHECK_STR(wh_str_n(t.text, t.len), WH_STR("the body"));
  CHECK_EQ(x->body.len, 0);
  wh_http_end(x);
  t.len = 0;
  REQUIRE(ask((wh_http_request){.take = take, .take_context = &t}));
  CHECK_EQ(x->code, 404);
  CHECK_EQ(t.len, 0);
  CHECK_STR(x->body, WH_STR("<Error/>"));
  wh_http_end(x);
  t.refuses = true;
  check_fails((wh_http_request){.url = wh_str_of(good), .take = take, .take_context = &t},
              WH_ERR_NO_SPACE, "no room");
  tear_down();
}

static bool redirect(void *context, const http_peer_request *r, http_peer_line *line) {
  (void)context, (void)r;
  http_peer_printf(line, "HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n");
  http_peer_reply(line, 301, "Location: http://127.0.0.1:1/\r\nX-B: 2\r\n", "");
  return true;
}

TEST(redirects_are_answers) {
  set_up(redirect, NULL);
  REQUIRE(ask((wh_http_request){0}));
  CHECK_EQ(x->code, 301);
  CHECK_STR(wh_http_header_get(x, "location"), WH_STR("http://127.0.0.1:1/"));
  CHECK(wh_http_header_get(x, "x-a").data == NULL);
  wh_http_end(x);
  tear_down();
}

TEST(the_environment_has_no_say) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  set_up(number, NULL);
  REQUIRE(ask((wh_http_request){0}));
  CHECK_EQ(x->code, 200);
  wh_http_end(x);
  tear_down();
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

TEST(a_proxy_that_is_given_is_used) {
  set_up(number, NULL);
  wh_http_free(http);
  wh_http_options options = {.os = &os.base, .mem = &test_mem, .proxy = wh_str_of(url)};
  REQUIRE_OK(wh_http_new(&options, &http, &test_err));
  REQUIRE(ask((wh_http_request){.url = WH_STR("http://nowhere.invalid/x")}));
  CHECK_STR(x->body, WH_STR("http://nowhere.invalid/x"));
  wh_http_end(x);
  tear_down();
}

// --- what does not -------------------------------------------------------------------------------

typedef enum trouble {
  CUT_AT_ONCE,
  CUT_IN_FIRST_LINE,
  CUT_IN_HEADER,
  CUT_BEFORE_BODY,
  CUT_IN_BODY,
  CUT_IN_CHUNKS,
  NO_HTTP,
  TOO_MANY_FIELDS,
  LONG_BODY,
  LONG_CHUNKS,
  STALLS,
  STALLS_IN_BODY,
} trouble;

static bool make_trouble(void *context, const http_peer_request *r, http_peer_line *line) {
  (void)r;
  char many[3000];
  switch (*(trouble *)context) {
  case CUT_AT_ONCE:
    break;
  case CUT_IN_FIRST_LINE:
    http_peer_printf(line, "HTTP/1.1 2");
    break;
  case CUT_IN_HEADER:
    http_peer_printf(line, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-A: ");
    break;
  case CUT_BEFORE_BODY:
    http_peer_printf(line, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    break;
  case CUT_IN_BODY:
    http_peer_printf(line, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
    break;
  case CUT_IN_CHUNKS:
    http_peer_printf(line, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
    break;
  case NO_HTTP:
    http_peer_printf(line, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    break;
  case TOO_MANY_FIELDS:
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = 0;
    http_peer_printf(line, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 30; i++)
      http_peer_printf(line, "X-%d: %s\r\n", i, many);
    http_peer_printf(line, "Content-Length: 0\r\n\r\n");
    break;
  case LONG_BODY:
    http_peer_reply(line, 200, "", "12345678901");
    break;
  case LONG_CHUNKS:
    http_peer_printf(line, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901"
                           "\r\n0\r\n\r\n");
    break;
  case STALLS:
    http_peer_stall(line);
    break;
  case STALLS_IN_BODY:
    http_peer_printf(line, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
    http_peer_stall(line);
    break;
  }
  return false;
}

TEST(connections_that_are_cut) {
  static const struct {
    trouble trouble;
    const char *text;
  } cases[] = {
      {CUT_AT_ONCE, "closed the connection before the answer was complete"},
      {CUT_IN_FIRST_LINE, "closed the connection before the answer was complete"},
      {CUT_IN_HEADER, "closed the connection before the answer was complete"},
      {CUT_BEFORE_BODY, "closed the connection in the middle of the answer"},
      {CUT_IN_BODY, "closed the connection in the middle of the answer"},
      {CUT_IN_CHUNKS, "closed the connection in the middle of the answer"},
      {NO_HTTP, "is no HTTP"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    trouble t = cases[i].trouble;
    set_up(make_trouble, &t);
    check_fails((wh_http_request){0}, WH_ERR_UNAVAILABLE, cases[i].text);
    char host[40];
    snprintf(host, sizeof host, "127.0.0.1:%d", http_peer_port(peer));
    CHECK_ERROR_HAS(host);
    tear_down();
  }
}

TEST(answers_have_their_limits) {
  trouble t = TOO_MANY_FIELDS;
  set_up(make_trouble, &t);
  check_fails((wh_http_request){0}, WH_ERR_LIMIT, "more than 65536 bytes of header fields");
  t = LONG_BODY;
  check_fails((wh_http_request){.body_bytes_max = 10}, WH_ERR_LIMIT, "more than 10 bytes");
  REQUIRE(ask((wh_http_request){.body_bytes_max = 11}));
  CHECK_EQ(x->status, WH_OK);
  wh_http_end(x);
  t = LONG_CHUNKS;
  check_fails((wh_http_request){.body_bytes_max = 10}, WH_ERR_LIMIT, "more than 10 bytes");
  tear_down();
}

TEST(those_who_say_nothing_are_left) {
  trouble t = STALLS;
  set_up(make_trouble, &t);
  int64_t start = wh_now_us(&os.base);
  check_fails((wh_http_request){.idle_us = 200000}, WH_ERR_UNAVAILABLE,
              "sent nothing more within 0.2 s");
  t = STALLS_IN_BODY;
  check_fails((wh_http_request){.idle_us = 200000}, WH_ERR_UNAVAILABLE, "sent nothing more");
  check_fails((wh_http_request){.total_us = 300000}, WH_ERR_UNAVAILABLE,
              "did not finish its answer within 0.3 s");
  CHECK(wh_now_us(&os.base) - start < 3000000);
  REQUIRE(ask((wh_http_request){.total_us = 100000}));
  CHECK(x->timed_out && x->was_sent);
  wh_http_end(x);
  tear_down();
}

TEST(waiting_ends_when_asked) {
  trouble t = STALLS;
  set_up(make_trouble, &t);
  wh_http_request r = {.method = "GET", .url = wh_str_of(url)};
  wh_http_exchange *done = NULL;
  REQUIRE_OK(wh_http_start(http, &r, &x, &test_err));
  REQUIRE_OK(wh_http_wait(http, x, 50000, &done, &test_err));
  CHECK(done == NULL);
  REQUIRE_OK(wh_http_wait(http, NULL, 0, &done, &test_err));
  CHECK(done == NULL);
  atomic_bool cancel = true;
  wh_http_cancel_by(http, &cancel);
  CHECK_FAILS(wh_http_wait(http, x, -1, &done, &test_err), WH_ERR_CANCELLED);
  wh_http_end(x);
  tear_down();
}

static void *set_later(void *context) {
  usleep(150000);
  atomic_store((atomic_bool *)context, true);
  return NULL;
}

TEST(a_wish_to_stop_is_heard_soon) {
  trouble t = STALLS;
  set_up(make_trouble, &t);
  atomic_bool cancel = false;
  pthread_t thread;
  wh_http_request r = {.method = "GET", .url = wh_str_of(url)};
  wh_http_exchange *done;
  wh_http_cancel_by(http, &cancel);
  REQUIRE_OK(wh_http_start(http, &r, &x, &test_err));
  REQUIRE(pthread_create(&thread, NULL, set_later, &cancel) == 0);
  int64_t start = wh_now_us(&os.base);
  CHECK_FAILS(wh_http_wait(http, x, -1, &done, &test_err), WH_ERR_CANCELLED);
  CHECK(wh_now_us(&os.base) - start < 500000);
  pthread_join(thread, NULL);
  tear_down(); // with the exchange under way
}

// A port that nobody listens at; with a backlog of none, one that takes no connection either.
static int quiet_port(int *ret_fd) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(*ret_fd, (struct sockaddr *)&a, len) == 0);
  getsockname(*ret_fd, (struct sockaddr *)&a, &len);
  return ntohs(a.sin_port);
}

TEST(places_that_cannot_be_reached) {
  set_up(NULL, NULL);
  int fd;
  char text[100];
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", quiet_port(&fd));
  snprintf(text, sizeof text, "cannot connect to %.*s: nobody listens there",
           WH_STR_ARG(wh_http_host(wh_str_of(url))));
  check_fails((wh_http_request){0}, WH_ERR_UNAVAILABLE, text);
  close(fd);
  check_fails((wh_http_request){.url = WH_STR("http://nowhere.invalid:81/x")}, WH_ERR_UNAVAILABLE,
              "no server is known by the name of nowhere.invalid:81. Check endpoint");
  tear_down();
}

TEST(a_connection_that_does_not_come) {
  set_up(NULL, NULL);
  int fd, fill[3];
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int port = quiet_port(&fd);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
  REQUIRE(listen(fd, 0) == 0);
  a.sin_port = htons((uint16_t)port);
  for (int i = 0; i < 3; i++) {
    fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(connect(fill[i], (struct sockaddr *)&a, sizeof a) <= 0);
  }
  check_fails((wh_http_request){.connect_us = 300000}, WH_ERR_UNAVAILABLE,
              "took no connection within 0.3 s");
  for (int i = 0; i < 3; i++)
    close(fill[i]);
  close(fd);
  tear_down();
}

TEST(requests_that_cannot_be) {
  set_up(NULL, NULL);
  static const char *const urls[] = {
      "",          "ftp://a/",     "file:///etc/passwd", "http://",
      "http:///x", "http://a/b c", "http://a/\r\nX: y",  "http://a/\xC3\xA9"};
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    wh_http_request r = {.method = "GET", .url = wh_str_of(urls[i])};
    if (!CHECK_FAILS(wh_http_start(http, &r, &x, &test_err), WH_ERR_USAGE))
      test_note("%s", urls[i]);
  }
  static const wh_http_header wrong[] = {{WH_STR_INIT("X"), WH_STR_INIT("a\r\nY: b")},
                                         {WH_STR_INIT("X:"), WH_STR_INIT("a")},
                                         {WH_STR_INIT("X Y"), WH_STR_INIT("a")},
                                         {WH_STR_INIT(""), WH_STR_INIT("a")},
                                         {WH_STR_INIT("X"), WH_STR_INIT("a\0b")}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    wh_http_request r = {
        .method = "GET", .url = WH_STR("http://a/"), .headers = &wrong[i], .header_count = 1};
    CHECK_FAILS(wh_http_start(http, &r, &x, &test_err), WH_ERR_USAGE);
  }
  CHECK_STR(wh_http_host(WH_STR("https://user:secret@a.b:443/c@d")), WH_STR("a.b"));
  CHECK_STR(wh_http_host(WH_STR("http://a.b:443?x")), WH_STR("a.b:443"));
  tear_down();
}

// A kept connection that the server has closed meanwhile is replaced without a word.
static bool close_odd(void *context, const http_peer_request *r, http_peer_line *line) {
  (void)context;
  http_peer_reply(line, 200, "", "x");
  return r->number % 2 == 0;
}

TEST(kept_connections_that_were_closed) {
  set_up(close_odd, NULL);
  for (int i = 0; i < 6; i++) {
    wh_str body = WH_STR("body");
    REQUIRE(ask((wh_http_request){.method = "PUT", .body = &body, .body_count = 1}));
    CHECK_EQ(x->status, WH_OK);
    wh_http_end(x);
    usleep(20000);
  }
  tear_down();
}

// --- TLS -----------------------------------------------------------------------------------------

static void use_tls(wh_tls tls, const char *ca) {
  wh_http_free(http);
  wh_http_options o = {.os = &os.base, .mem = &test_mem, .tls = tls, .tls_ca = wh_str_of(ca)};
  CHECK_OK(wh_http_new(&o, &http, &test_err));
}

TEST(certificates) {
  char good[300], other[300];
  snprintf(good, sizeof good, "%s/good.pem", test_folder());
  snprintf(other, sizeof other, "%s/other.pem", test_folder());
  if (!http_peer_certificate(good, "127.0.0.1")) SKIP("there is no openssl");
  REQUIRE(http_peer_certificate(other, "other.example"));
  set_up(NULL, NULL);
  peer = http_peer_start(number, NULL, good);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", http_peer_port(peer));
  check_fails((wh_http_request){0}, WH_ERR_DENIED,
              "is signed by nobody whom the system trusts. Give `tls_ca`");
  use_tls(WH_TLS_VERIFY, other);
  check_fails((wh_http_request){0}, WH_ERR_DENIED, "is signed by nobody whom `tls_ca` trusts");
  use_tls(WH_TLS_VERIFY, "/nowhere.pem");
  check_fails((wh_http_request){0}, WH_ERR_USAGE, "/nowhere.pem holds no certificates");
  use_tls(WH_TLS_VERIFY, good);
  REQUIRE(ask((wh_http_request){0}));
  CHECK_EQ(x->code, 200);
  wh_http_end(x);
  use_tls(WH_TLS_REQUIRE, NULL);
  REQUIRE(ask((wh_http_request){0}));
  CHECK_EQ(x->code, 200);
  wh_http_end(x);
  use_tls(WH_TLS_OFF, NULL);
  wh_http_request r = {.method = "GET", .url = wh_str_of(url)};
  CHECK_FAILS(wh_http_start(http, &r, &x, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("asks for TLS, which `tls: off` turns off");
  http_peer_stop(peer);
  peer = http_peer_start(number, NULL, other);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", http_peer_port(peer));
  use_tls(WH_TLS_VERIFY, other);
  check_fails((wh_http_request){0}, WH_ERR_DENIED,
              "certificate is for another name than 127.0.0.1");
  tear_down();
}

TEST(plain_text_where_tls_is_expected) {
  set_up(number, NULL);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", http_peer_port(peer));
  check_fails((wh_http_request){.idle_us = 500000, .connect_us = 500000}, WH_ERR_UNAVAILABLE,
              "127.0.0.1");
  tear_down();
}

// --- memory --------------------------------------------------------------------------------------

TEST(exchanges_without_memory) {
  signal(SIGPIPE, SIG_IGN);
  REQUIRE_OK(wh_os_real_init(&os, &test_mem, &test_err));
  peer = http_peer_start(echo, NULL, NULL);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", http_peer_port(peer));
  wh_status status = WH_ERR_MEMORY;
  size_t n = 1;
  for (; status != WH_OK && n < 2000; n++) {
    wh_http_options options = {.os = &os.base, .mem = &test_mem};
    wh_http_exchange *done;
    wh_http *pool = NULL;
    wh_http_header own = {WH_STR("X-Own"), WH_STR("1")};
    wh_str body[] = {WH_STR("a"), WH_STR("b")};
    wh_http_request r = {.method = "PUT",
                         .url = wh_str_of(url),
                         .headers = &own,
                         .header_count = 1,
                         .body = body,
                         .body_count = 2};
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    x = NULL;
    status = wh_http_new(&options, &pool, &test_err);
    if (status == WH_OK) status = wh_http_start(pool, &r, &x, &test_err);
    if (status == WH_OK) status = wh_http_wait(pool, x, -1, &done, &test_err);
    if (status == WH_OK) status = x->status;
    atomic_store(&test_mem.fail_at, 0);
    if (status != WH_OK && status != WH_ERR_MEMORY) CHECK_EQ(status, WH_ERR_UNAVAILABLE);
    wh_http_free(pool);
  }
  CHECK_EQ(status, WH_OK);
  test_note("%zu allocations", n);
  tear_down();
}
