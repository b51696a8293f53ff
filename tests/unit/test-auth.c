// Authentication of requests (serve/auth.h) and its words (config/auth.h).
#include "http_peer.h"
#include "jwt_signer.h"
#include "test.h"

#include "base/log.h"
#include "serve/auth.h"
#include "serve/key_source.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NOW_US    (1700000000LL * 1000000)
#define TIMESTAMP "1700000000"

static wh_os_real os;
static wh_os_type shifted; // the system's, but for its clock
static _Atomic int64_t ahead_ns;
static wh_config *config;
static wh_auth *auth;
static wh_arena arena;
static wh_auth_check check;

static int64_t shifted_ns(wh_os *any) {
  (void)any;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec + ahead_ns;
}

static const char *environment(void *context, const char *name) {
  (void)context;
  if (strcmp(name, "KEY_A") == 0) return "key-of-partner-a";
  if (strcmp(name, "KEY_B") == 0) return "key-of-partner-b-which-is-longer";
  if (strcmp(name, "SHORT") == 0) return "too-short";
  if (strcmp(name, "ODD") == 0) return "no name";
  return NULL;
}

static void begin(void) {
  signal(SIGPIPE, SIG_IGN);
  CHECK_OK(wh_os_real_init(&os, &test_mem, &test_err));
  shifted = *os.base.type;
  shifted.monotonic_ns = shifted_ns;
  os.base.type = &shifted;
  ahead_ns = 0;
  wh_arena_init(&arena, &test_mem);
}

static void close_auth(void) {
  wh_auth_free(auth);
  wh_config_free(config);
  auth = NULL;
  config = NULL;
}

static void end(void) {
  close_auth();
  wh_arena_free(&arena);
  wh_os_real_free(&os);
}

// A configuration whose endpoint has these words.
static bool load(const char *words) {
  close_auth();
  char path[1024];
  snprintf(path, sizeof path, "%s/wherry.yaml", test_folder());
  wh_str text = wh_arena_printf(
      &arena, "version: 1\nserve:\n  metrics:\n    listen: 127.0.0.1:0\n    auth: %s\n", words);
  wh_config_source source = {.os = &os.base, .mem = &test_mem, .path = path, .getenv = environment};
  return CHECK_OK(wh_os_write_file(&os.base, path, text, false, &test_err)) &&
         CHECK_OK(wh_config_load(&source, &config, &test_err));
}

static wh_status open_loaded(void) {
  return wh_auth_open(&os.base, &test_mem, config, config->serve.metrics.auth, "metrics: auth",
                      &auth, &test_err);
}

static bool open_auth(const char *words) {
  if (!load(words)) return false;
  for (size_t i = 0; i < config->problem_count; i++)
    if (!config->problems[i].warning) test_note("%s", config->problems[i].text);
  return CHECK_EQ(config->error_count, 0) && CHECK_OK(open_loaded());
}

// --- requests ------------------------------------------------------------------------------------

typedef struct header {
  const char *name, *value;
} header;

static size_t find_header(void *context, const char *name, wh_str *ret) {
  size_t count = 0;
  for (const header *h = context; h->name; h++) {
    if (!wh_str_eq_nocase(wh_str_of(h->name), wh_str_of(name))) continue;
    if (!count++) *ret = wh_str_of(h->value);
  }
  return count;
}

static unsigned ask_from(const char *address, const header *headers, const char *body) {
  wh_ip ip = {0};
  CHECK(wh_ip_parse(wh_str_of(address), &ip));
  wh_auth_request request = {
      .address = &ip, .now_us = NOW_US, .header = find_header, .header_context = (void *)headers};
  wh_auth_head(auth, &request, &check);
  if (wh_node_get(config->serve.metrics.auth, "hmac")) CHECK(!check.let_in);
  for (const char *at = body; *at; at++) // byte by byte
    wh_auth_body(&check, at, 1);
  wh_auth_end(&check);
  wh_auth_done(&check);
  CHECK_EQ(check.status == 0, check.reason == NULL);
  CHECK_EQ(check.status == 0, check.let_in);
  return check.status;
}

static unsigned ask(const header *headers, const char *body) {
  return ask_from("192.0.2.7", headers, body);
}

#define HEADERS(...) ((const header[]){__VA_ARGS__, {0}})
#define NO_HEADERS   ((const header[]){{0}})

// --- keys ----------------------------------------------------------------------------------------

TEST(a_key) {
  begin();
  REQUIRE(open_auth("{ api_key: '${KEY_A}' }"));
  CHECK_EQ(ask(HEADERS({"Authorization", "Bearer key-of-partner-a"}), "x"), 0);
  CHECK_EQ(ask(HEADERS({"authorization", "bearer  key-of-partner-a "}), "x"), 0);
  CHECK_EQ(ask(HEADERS({"x-api-key", "key-of-partner-a"}), "x"), 0);
  CHECK_STR(wh_str_of(check.client), WH_STR(""));
  CHECK_STR(wh_str_of(check.replay), WH_STR(""));
  CHECK_EQ(ask(NO_HEADERS, ""), 401);
  CHECK_STR(wh_str_of(check.challenge), WH_STR("Bearer realm=\"wherry\""));
  CHECK_EQ(ask(HEADERS({"Authorization", "Bearer key-of-partner-b"}), ""), 401);
  CHECK_STR(wh_str_of(check.challenge), WH_STR("Bearer realm=\"wherry\", error=\"invalid_token\""));
  CHECK_EQ(ask(HEADERS({"Authorization", "Basic key-of-partner-a"}), ""), 401);
  CHECK_EQ(ask(HEADERS({"Authorization", "Bearer"}), ""), 401);
  CHECK_EQ(ask(HEADERS({"X-Api-Key", ""}), ""), 401);
  CHECK_EQ(ask(HEADERS({"X-Api-Key", "key-of-partner-"}), ""), 401);
  CHECK_EQ(ask(HEADERS({"X-Api-Key", "key-of-partner-aa"}), ""), 401);
  CHECK_EQ(ask(HEADERS({"X-Api-Key", "key-of-partner-a"}, {"X-Api-Key", "x"}), ""), 401);
  CHECK_EQ(ask(HEADERS({"X-Api-Key", "key-of-partner-a"}, {"Authorization", "Bearer x"}), ""), 401);
  char *long_key = wh_arena_alloc(&arena, WH_AUTH_HEADER_MAX + 2);
  memset(long_key, 'k', WH_AUTH_HEADER_MAX + 1);
  CHECK_EQ(ask(HEADERS({"X-Api-Key", long_key}), ""), 401);
  end();
}

TEST(several_keys_have_names) {
  begin();
  REQUIRE(open_auth("{ api_keys: { partner-a: '${KEY_A}', partner-b: '${KEY_B}' } }"));
  CHECK_EQ(ask(HEADERS({"X-Api-Key", "key-of-partner-a"}), ""), 0);
  CHECK_STR(wh_str_of(check.client), WH_STR("partner-a"));
  CHECK_EQ(ask(HEADERS({"X-Api-Key", "key-of-partner-b-which-is-longer"}), ""), 0);
  CHECK_STR(wh_str_of(check.client), WH_STR("partner-b"));
  CHECK_EQ(ask(HEADERS({"X-Api-Key", "partner-b"}), ""), 401);
  CHECK_STR(wh_str_of(check.client), WH_STR(""));
  end();
}

static bool memory_has(const char *text) {
  FILE *maps = fopen("/proc/self/maps", "r");
  int fd = open("/proc/self/mem", O_RDONLY);
  char line[512];
  bool found = false;
  while (maps && fd >= 0 && !found && fgets(line, sizeof line, maps)) {
    unsigned long from, to;
    if (!strstr(line, "[heap]") || sscanf(line, "%lx-%lx rw", &from, &to) != 2) continue;
    char *copy = mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ssize_t len = pread(fd, copy, to - from, (off_t)from);
    found = len > 0 && memmem(copy, (size_t)len, text, strlen(text));
    munmap(copy, to - from);
  }
  if (fd >= 0) close(fd);
  if (maps) fclose(maps);
  return found;
}

TEST(keys_are_not_kept) {
  begin();
  char key[] = "kez-that-is-nowhere-else", path[1024];
  key[2] = 'y'; // so that the program's own text does not have it
  char *copy = strdup(key);
  bool is_seen = memory_has(key);
  wh_wipe(copy, strlen(copy));
  free(copy);
  if (!is_seen) {
    end();
    SKIP("the heap is elsewhere");
  }
  snprintf(path, sizeof path, "%s/secret", test_folder());
  REQUIRE_OK(wh_os_write_file(&os.base, path, wh_str_of(key), false, &test_err));
  REQUIRE(load("{ api_key: '${file:secret}' }"));
  CHECK(!memory_has(key));
  REQUIRE_OK(open_loaded());
  CHECK(!memory_has(key));
  CHECK_EQ(ask(HEADERS({"X-Api-Key", key}), ""), 0);
  end();
}

// --- signatures ----------------------------------------------------------------------------------

// printf '%s.%s' 1700000000 '{"order":1}' | openssl dgst -sha256 -hmac key-of-partner-a
#define SIGNED_A "5225aa8743b8333a6d6672dea5bd1289d9b01a6c5bd57bb86a8723ad43ab4306"
#define BODY     "{\"order\":1}"

static const char *sign(const char *secret, const char *text) {
  uint8_t digest[WH_SHA256_BYTES];
  static char hex[WH_SHA256_HEX + 1];
  wh_hmac_of(wh_str_of(secret), wh_str_of(text), digest);
  wh_hex_encode(digest, sizeof digest, hex);
  return hex;
}

TEST(a_signature_over_time_and_body) {
  begin();
  REQUIRE(open_auth("{ hmac: { secret: '${KEY_A}' } }"));
  const char *good =
      wh_arena_str(&arena, wh_str_of(sign("key-of-partner-a", TIMESTAMP "." BODY))).data;
  CHECK_STR(wh_str_of(good), WH_STR(SIGNED_A));
  CHECK_EQ(ask(HEADERS({"X-Signature", good}, {"X-Timestamp", TIMESTAMP}), BODY), 0);
  CHECK_STR(wh_str_of(check.replay), wh_str_of(good));
  CHECK_EQ(ask(HEADERS({"X-Signature", good}, {"X-Timestamp", TIMESTAMP}), BODY " "), 401);
  CHECK_STR(wh_str_of(check.replay), WH_STR(""));
  CHECK_STR(wh_str_of(check.challenge),
            WH_STR("HMAC-SHA256 realm=\"wherry\", error=\"invalid_token\""));
  CHECK_EQ(ask(HEADERS({"X-Signature", good}, {"X-Timestamp", TIMESTAMP}), ""), 401);
  CHECK_EQ(ask(HEADERS({"X-Signature", good}, {"X-Timestamp", "1700000001"}), BODY), 401);
  CHECK_EQ(ask(HEADERS({"X-Signature", good}), BODY), 401);
  CHECK_EQ(ask(HEADERS({"X-Timestamp", TIMESTAMP}), BODY), 401);
  CHECK_EQ(ask(HEADERS({"X-Signature", "sha256="}, {"X-Timestamp", TIMESTAMP}), BODY), 401);
  good = sign("key-of-partner-b", TIMESTAMP "." BODY);
  CHECK_EQ(ask(HEADERS({"X-Signature", good}, {"X-Timestamp", TIMESTAMP}), BODY), 401);
  end();
}

TEST(timestamps_are_near) {
  static const struct {
    const char *timestamp;
    bool near;
  } cases[] = {{"1699999700", true},
               {"1699999699", false},
               {"1700000300", true},
               {"1700000301", false},
               {"+1700000000", false},
               {"1700000000 ", false},
               {"1700000000.5", false},
               {"-1", false},
               {"1700000000000", false},
               {"99999999999999999999", false},
               {"", false}};
  begin();
  REQUIRE(open_auth("{ hmac: { secret: '${KEY_A}', tolerance: 5m } }"));
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    wh_str text = wh_arena_printf(&arena, "%s.%s", cases[i].timestamp, BODY);
    unsigned status = ask(HEADERS({"X-Signature", sign("key-of-partner-a", text.data)},
                                  {"X-Timestamp", cases[i].timestamp}),
                          BODY);
    if (!CHECK_EQ(status == 0, cases[i].near)) test_note("%s", cases[i].timestamp);
  }
  end();
}

TEST(a_signature_over_the_body_alone) {
  begin();
  REQUIRE(open_auth("{ hmac: { secret: '${KEY_A}', header: X-Hub-Signature-256, timestamp: none, "
                    "prefix: 'sha256=' } }"));
  CHECK_EQ(config->problem_count, 1);
  CHECK(strstr(config->problems[0].text, "which only idempotency stops"));
  const char *hex = sign("key-of-partner-a", BODY);
  wh_str value = wh_arena_printf(&arena, "sha256=%s", hex);
  CHECK_EQ(ask(HEADERS({"X-Hub-Signature-256", value.data}), BODY), 0);
  CHECK_STR(wh_str_of(check.replay), wh_str_of(hex));
  CHECK_EQ(ask(HEADERS({"X-Hub-Signature-256", hex}), BODY), 401);
  value = wh_arena_printf(&arena, "SHA256=%s", hex);
  CHECK_EQ(ask(HEADERS({"X-Hub-Signature-256", value.data}), BODY), 401);
  end();
}

TEST(two_secrets_while_one_takes_the_others_place) {
  begin();
  REQUIRE(open_auth("{ hmac: { secret: ['${KEY_A}', '${KEY_B}'], timestamp: none, encoding: "
                    "base64 } }"));
  static const char *const secrets[] = {"key-of-partner-a", "key-of-partner-b-which-is-longer"};
  for (size_t i = 0; i < 2; i++) {
    uint8_t digest[WH_SHA256_BYTES];
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    wh_hmac_of(wh_str_of(secrets[i]), WH_STR(BODY), digest);
    CHECK(wh_base64_encode(WH_BASE64_STANDARD, wh_str_n((char *)digest, sizeof digest), &text));
    CHECK_EQ(ask(HEADERS({"X-Signature", text.data}), BODY), 0);
    CHECK_EQ(strlen(check.replay), WH_SHA256_HEX);
    CHECK_EQ(ask(HEADERS({"X-Signature", text.data + 1}), BODY), 401);
  }
  CHECK_EQ(ask(HEADERS({"X-Signature", sign(secrets[0], BODY)}), BODY), 401);
  end();
}

// --- addresses -----------------------------------------------------------------------------------

TEST(addresses_that_are_allowed) {
  begin();
  REQUIRE(open_auth("{ allow: [10.0.0.0/8, '2001:db8::/32'] }"));
  CHECK_EQ(ask_from("10.1.2.3", NO_HEADERS, ""), 0);
  CHECK_EQ(ask_from("2001:db8::7", NO_HEADERS, ""), 0);
  CHECK_EQ(ask_from("192.0.2.7", NO_HEADERS, ""), 403);
  CHECK_STR(wh_str_of(check.challenge), WH_STR(""));
  REQUIRE(open_auth("{ api_key: '${KEY_A}', allow: 10.0.0.0/8 }"));
  CHECK_EQ(ask_from("10.1.2.3", NO_HEADERS, ""), 401);
  CHECK_EQ(ask_from("10.1.2.3", HEADERS({"X-Api-Key", "key-of-partner-a"}), ""), 0);
  CHECK_EQ(ask_from("192.0.2.7", HEADERS({"X-Api-Key", "key-of-partner-a"}), ""), 403);
  end();
}

// --- tokens --------------------------------------------------------------------------------------

static jwt_signer first, second;

typedef struct provider {
  http_peer *peer;
  pthread_mutex_t mutex;
  char set[4096]; // what it answers; empty: 500
} provider;

static provider id = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool answer_set(void *context, const http_peer_request *request, http_peer_line *line) {
  (void)request;
  provider *p = context;
  pthread_mutex_lock(&p->mutex);
  http_peer_reply(line, p->set[0] ? 200 : 500, "", p->set);
  pthread_mutex_unlock(&p->mutex);
  return true;
}

static void make_keys(void) {
  if (first.key) return;
  CHECK(jwt_signer_p256(&first));
  CHECK(jwt_signer_p256(&second));
}

static void serve_set(const jwt_signer *a, const char *a_id, const jwt_signer *b,
                      const char *b_id) {
  make_keys();
  WH_CLEAN_ARENA wh_arena set;
  wh_arena_init(&set, &test_mem);
  pthread_mutex_lock(&id.mutex);
  id.set[0] = 0;
  if (a)
    snprintf(id.set, sizeof id.set, "{\"keys\":[%s%s%s]}", jwt_signer_jwk(a, a_id, &set),
             b ? "," : "", b ? jwt_signer_jwk(b, b_id, &set) : "");
  pthread_mutex_unlock(&id.mutex);
}

#define CLAIMS                                                                                     \
  "{\"iss\":\"https://id.example\",\"aud\":\"orders\",\"exp\":1700000300,\"sub\":\"service-7\","   \
  "\"scope\":\"write\"}"

static unsigned ask_with_token(const jwt_signer *signer, const char *kid) {
  wh_str head = wh_arena_printf(&arena, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
  wh_str token = jwt_signer_token(signer, head.data, CLAIMS, &arena);
  wh_str value = wh_arena_printf(&arena, "Bearer %.*s", WH_STR_ARG(token));
  return ask(HEADERS({"Authorization", value.data}), "");
}

// The keys are fetched beside the requests: 503 means in a moment.
static unsigned ask_until_known(const jwt_signer *signer, const char *kid) {
  unsigned status = 503;
  for (int i = 0; i < 500 && status == 503; i++) {
    status = ask_with_token(signer, kid);
    if (status == 503) CHECK_EQ(check.retry_after_s, WH_AUTH_RETRY_SECONDS);
    if (status == 503) usleep(10000);
  }
  return status;
}

static void wait_for_requests(int count) {
  for (int i = 0; i < 500 && http_peer_requests(id.peer) < count; i++)
    usleep(10000);
  usleep(50000);
  CHECK_EQ(http_peer_requests(id.peer), count);
}

static bool begin_tokens(const char *more) {
  begin();
  id.peer = http_peer_start(answer_set, &id, NULL);
  return open_auth(wh_arena_printf(&arena,
                                   "{ bearer: { jwks: 'http://127.0.0.1:%d/keys', issuer: "
                                   "'https://id.example', audience: orders%s } }",
                                   http_peer_port(id.peer), more)
                       .data);
}

static void end_tokens(void) {
  close_auth();
  http_peer_stop(id.peer);
  id.peer = NULL;
  end();
}

TEST(tokens_with_keys_of_a_url) {
  serve_set(&first, "k1", NULL, NULL);
  REQUIRE(begin_tokens(", scope: write"));
  CHECK_EQ(ask(NO_HEADERS, ""), 401);
  CHECK_STR(wh_str_of(check.challenge), WH_STR("Bearer realm=\"wherry\""));
  CHECK_EQ(ask_until_known(&first, "k1"), 0);
  CHECK_STR(wh_str_of(check.client), WH_STR("service-7"));
  CHECK_EQ(ask_with_token(&second, "k1"), 401);
  CHECK_STR(wh_str_of(check.challenge), WH_STR("Bearer realm=\"wherry\", error=\"invalid_token\""));
  CHECK_EQ(ask(HEADERS({"Authorization", "Bearer a.b.c"}), ""), 401);
  wait_for_requests(1);
  end_tokens();
}

TEST(a_scope_that_is_missing_forbids) {
  serve_set(&first, "k1", NULL, NULL);
  REQUIRE(begin_tokens(", scope: [write, delete]"));
  CHECK_EQ(ask_until_known(&first, "k1"), 403);
  CHECK_STR(wh_str_of(check.challenge),
            WH_STR("Bearer realm=\"wherry\", error=\"insufficient_scope\""));
  end_tokens();
}

TEST(keys_that_rotate_and_go_away) {
  serve_set(&first, "k1", NULL, NULL);
  REQUIRE(begin_tokens(""));
  CHECK_EQ(ask_until_known(&first, "k1"), 0);
  wait_for_requests(1);
  // A key that is not there is asked for, but not more often than once a minute.
  CHECK_EQ(ask_with_token(&second, "k2"), 401);
  wait_for_requests(1);
  ahead_ns += (WH_KEYS_GAP_SECONDS + 1) * 1000000000LL;
  serve_set(&first, "k1", &second, "k2");
  CHECK_EQ(ask_with_token(&second, "k2"), 503);
  CHECK_EQ(ask_until_known(&second, "k2"), 0);
  CHECK_EQ(ask_with_token(&first, "k1"), 0);
  wait_for_requests(2);
  for (int i = 0; i < 20; i++)
    CHECK_EQ(ask_with_token(&second, "k3"), 401);
  wait_for_requests(2);
  // Away: what was there stays in use.
  ahead_ns += (WH_KEYS_GAP_SECONDS + 1) * 1000000000LL;
  serve_set(NULL, NULL, NULL, NULL);
  CHECK_EQ(ask_with_token(&second, "k3"), 503);
  CHECK_EQ(ask_until_known(&second, "k3"), 401);
  CHECK_EQ(ask_with_token(&second, "k2"), 0);
  wait_for_requests(3);
  // An answer that is no set changes nothing either.
  ahead_ns += (WH_KEYS_GAP_SECONDS + 1) * 1000000000LL;
  pthread_mutex_lock(&id.mutex);
  snprintf(id.set, sizeof id.set, "<html>");
  pthread_mutex_unlock(&id.mutex);
  CHECK_EQ(ask_until_known(&second, "k3"), 401);
  CHECK_EQ(ask_with_token(&second, "k2"), 0);
  // A key that was taken out does not hold any more.
  ahead_ns += (WH_KEYS_GAP_SECONDS + 1) * 1000000000LL;
  serve_set(&second, "k2", NULL, NULL);
  CHECK_EQ(ask_until_known(&second, "k3"), 401);
  CHECK_EQ(ask_with_token(&first, "k1"), 401);
  CHECK_EQ(ask_with_token(&second, "k2"), 0);
  end_tokens();
}

typedef struct flood {
  pthread_t thread;
  const char *value;
  unsigned bad;
} flood;

static void *ask_often(void *context) {
  flood *f = context;
  wh_ip ip = {0};
  const header headers[] = {{"Authorization", f->value}, {0}};
  for (int i = 0; i < 300; i++) {
    wh_auth_check mine;
    wh_auth_request request = {
        .address = &ip, .now_us = NOW_US, .header = find_header, .header_context = (void *)headers};
    wh_auth_head(auth, &request, &mine);
    wh_auth_end(&mine);
    f->bad += !mine.let_in;
    wh_auth_done(&mine);
  }
  return NULL;
}

TEST(many_threads_check_while_keys_change) {
  enum { THREADS = 4 };
  serve_set(&first, "k1", NULL, NULL);
  REQUIRE(begin_tokens(""));
  CHECK_EQ(ask_until_known(&first, "k1"), 0);
  wh_str token = jwt_signer_token(&first, "{\"alg\":\"ES256\",\"kid\":\"k1\"}", CLAIMS, &arena);
  flood floods[THREADS] = {0};
  for (int i = 0; i < THREADS; i++) {
    floods[i].value = wh_arena_printf(&arena, "Bearer %.*s", WH_STR_ARG(token)).data;
    REQUIRE(pthread_create(&floods[i].thread, NULL, ask_often, &floods[i]) == 0);
  }
  for (int i = 0; i < 10; i++) {
    ahead_ns += (WH_KEYS_GAP_SECONDS + 1) * 1000000000LL;
    CHECK(ask_until_known(&second, "k2") == 401);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(floods[i].thread, NULL);
    CHECK_EQ(floods[i].bad, 0);
  }
  CHECK(http_peer_requests(id.peer) >= 10);
  end_tokens();
}

TEST(keys_of_a_file) {
  begin();
  make_keys();
  char path[1024];
  snprintf(path, sizeof path, "%s/keys.pem", test_folder());
  const char *words = "{ bearer: { jwks: keys.pem, issuer: 'https://id.example', audience: orders, "
                      "algorithms: ES256 } }";
  REQUIRE(load(words));
  CHECK_FAILS(open_loaded(), WH_ERR_USAGE);
  CHECK_ERROR_HAS("wherry.yaml:5:11: metrics: auth: jwks: ");
  CHECK_ERROR_HAS("keys.pem: no such file or folder");
  const char *pem = jwt_signer_pem(&first, &arena);
  REQUIRE_OK(wh_os_write_file(&os.base, path, wh_str_of(pem), false, &test_err));
  REQUIRE_OK(open_loaded());
  CHECK_EQ(ask_with_token(&first, "any"), 0);
  CHECK_EQ(ask_with_token(&second, "any"), 401);
  end();
}

// --- words ---------------------------------------------------------------------------------------

TEST(words_that_do_not_do) {
  static const struct {
    const char *words, *problem;
  } cases[] = {
      {"", "serve: metrics: auth needs api_key, api_keys, hmac, bearer or allow"},
      {"{}", "serve: metrics: auth needs api_key, api_keys, hmac, bearer or allow"},
      {"open", "serve: metrics: auth: expected a map, found a single value"},
      {"{ api_kye: '${A}' }", "has no word 'api_kye'. Did you mean 'api_key'?"},
      {"{ api_key: '${A}', hmac: { secret: '${A}' } }",
       "one of api_key, api_keys, hmac and bearer, not several"},
      {"{ api_key: literal }", "Keep it with: wherry secret set metrics-api_key"},
      {"{ api_keys: { partner: literal } }",
       "api_keys: partner is written literally, where everybody who has the file can read it. Keep "
       "it with: wherry secret set partner"},
      {"{ api_keys: [a] }", "api_keys: expected a map of 1 to 100 names and keys"},
      {"{ api_keys: { 'a b': '${A}' } }", "'a b' cannot be the name of a key"},
      {"{ allow: 10.0.0.0/33 }", "allow: expected an address or a block"},
      {"{ allow: [] }", "allow: nobody could ask"},
      {"{ allow: ['${secret:x}'] }", "so no secret can stand in it"},
      {"{ hmac: {} }", "hmac"},
      {"{ hmac: { secret: literal } }", "secret set metrics-secret"},
      {"{ hmac: { secret: ['${A}', '${B}', '${C}'] } }",
       "hmac: secret: expected one, or a list of 1 to 2"},
      {"{ hmac: { secret: '${A}', header: 'X Y' } }", "header: 'X Y' is no name of a header"},
      {"{ hmac: { secret: '${A}', tolerance: 2d } }", "tolerance: "},
      {"{ hmac: { secret: '${A}', encoding: hax } }", "Did you mean 'hex'?"},
      {"{ bearer: { jwks: 'http://id.example/', issuer: i, audience: a } }",
       "jwks: keys that come over plain http: can be anybody's. Use https:"},
      {"{ bearer: { jwks: 'http://127.0.0.1.example/', issuer: i, audience: a } }",
       "can be anybody's"},
      {"{ bearer: { jwks: 'http://a@localhost:x@id.example/', issuer: i, audience: a } }",
       "can be anybody's"},
      {"{ bearer: { jwks: 'http://[::1].id.example/', issuer: i, audience: a } }",
       "can be anybody's"},
      {"{ bearer: { jwks: 'https://id.example/', audience: a } }", "issuer"},
      {"{ bearer: { jwks: 'https://id.example/', issuer: i } }", "audience"},
      {"{ bearer: { jwks: f, issuer: i, audience: a, algorithms: [HS256] } }",
       "algorithms: expected RS256 or ES256, found 'HS256'. Did you mean"},
      {"{ bearer: { jwks: f, issuer: i, audience: a, algorithms: none } }",
       "algorithms: expected RS256 or ES256, found 'none'"},
      {"{ bearer: { jwks: f, issuer: '${secret:i}', audience: a } }",
       "so no secret can stand in it"},
  };
  begin();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool found = false;
    REQUIRE(load(cases[i].words));
    for (size_t j = 0; j < config->problem_count; j++)
      found = found || strstr(config->problems[j].text, cases[i].problem);
    if (CHECK(found)) continue;
    test_note("%s", cases[i].words);
    for (size_t j = 0; j < config->problem_count; j++)
      test_note("  %s", config->problems[j].text);
  }
  end();
}

TEST(what_references_stand_for_is_checked) {
  static const struct {
    const char *words, *problem;
  } cases[] = {
      {"{ api_key: '${SHORT}' }", "a secret of 9 bytes is too short: 16 are the least"},
      {"{ api_keys: { a: '${KEY_A}', b: '${SHORT}' } }", "a secret of 9 bytes is too short"},
      {"{ hmac: { secret: '${SHORT}' } }", "a secret of 9 bytes is too short"},
      {"{ hmac: { secret: '${KEY_A}', header: '${ODD}' } }", "is no name of a header"},
      {"{ api_key: '${NOBODY}' }", "the environment variable NOBODY is not set"},
      {"{ allow: '${ODD}' }", "is no address or block"},
  };
  begin();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    REQUIRE(load(cases[i].words));
    CHECK_EQ(config->error_count, 0);
    CHECK(open_loaded() != WH_OK);
    CHECK_ERROR_HAS(cases[i].problem);
    CHECK(!strstr(test_err.text, "too-short"));
  }
  end();
}
