// Where credentials, region and endpoint come from; STS, container and metadata are played by a
// server of the test's own.
#include "test.h"

#include "aws_test.h"
#include "http_peer.h"
#include "net/aws.h"
#include "net/aws_credentials.h"

#include <pthread.h>
#include <signal.h>

static wh_os *os;
static wh_aws_credentials *credentials;
static wh_aws_keys keys;
static http_peer *peer;

static void set_up(void) {
  signal(SIGPIPE, SIG_IGN);
  test_env_clear();
  test_env_set("AWS_EC2_METADATA_DISABLED", "true");
  os = test_aws_os_open();
}

static void forget(void) {
  wh_aws_keys_free(&keys);
  wh_aws_credentials_free(credentials);
  credentials = NULL;
}

static void tear_down(void) {
  forget();
  http_peer_stop(peer);
  peer = NULL;
  test_aws_os_close();
}

static wh_status get_as(const char *profile) {
  wh_aws_credentials_options o = {.os = os,
                                  .mem = &test_mem,
                                  .environment = test_env(),
                                  .profile = wh_str_of(profile),
                                  .region = WH_STR("eu-test-1")};
  forget();
  WH_TRY(wh_aws_credentials_new(&o, &credentials, &test_err));
  return wh_aws_credentials_get(credentials, NULL, &keys, &test_err);
}

static void check_keys(const char *id, const char *secret, const char *token, const char *source) {
  CHECK_STR(keys.keys.access_key_id, wh_str_of(id));
  CHECK_STR(keys.keys.secret_access_key, wh_str_of(secret));
  CHECK_STR(keys.keys.session_token, wh_str_of(token));
  CHECK_STR(wh_str_of(keys.source), wh_str_of(source));
}

// --- written down --------------------------------------------------------------------------------

TEST(from_the_environment) {
  set_up();
  test_env_set("AWS_ACCESS_KEY_ID", "ID");
  CHECK_FAILS(get_as(NULL), WH_ERR_USAGE);
  CHECK_ERROR_HAS("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
  test_env_set("AWS_SECRET_ACCESS_KEY", "SECRET");
  REQUIRE_OK(get_as(NULL));
  check_keys("ID", "SECRET", "", "the environment");
  test_env_set("AWS_SESSION_TOKEN", "TOKEN");
  REQUIRE_OK(get_as(NULL));
  check_keys("ID", "SECRET", "TOKEN", "the environment");
  test_env_set("AWS_SECRET_ACCESS_KEY", "SEC\nRET");
  CHECK_FAILS(get_as(NULL), WH_ERR_DATA);
  CHECK(strstr(test_err.text, "RET") == NULL);
  tear_down();
}

TEST(what_is_given_goes_first) {
  set_up();
  test_env_set("AWS_ACCESS_KEY_ID", "ID");
  test_env_set("AWS_SECRET_ACCESS_KEY", "SECRET");
  wh_aws_credentials_options o = {.os = os,
                                  .mem = &test_mem,
                                  .environment = test_env(),
                                  .given = {WH_STR("A"), WH_STR("B"), {0}}};
  REQUIRE_OK(wh_aws_credentials_new(&o, &credentials, &test_err));
  REQUIRE_OK(wh_aws_credentials_get(credentials, NULL, &keys, &test_err));
  check_keys("A", "B", "", "the configuration");
  uint64_t generation = keys.generation;
  wh_aws_credentials_expired(credentials, generation); // there are no others
  REQUIRE_OK(wh_aws_credentials_get(credentials, NULL, &keys, &test_err));
  CHECK_EQ(keys.generation, generation);
  tear_down();
}

TEST(everything_that_was_tried_is_said) {
  set_up();
  CHECK_FAILS(get_as(NULL), WH_ERR_DENIED);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("there are no AWS credentials. Tried AWS_ACCESS_KEY_ID (not set); "
                   "AWS_WEB_IDENTITY_TOKEN_FILE (not set); the profile 'default' (not there); "
                   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (not set); the instance's metadata "
                   "(AWS_EC2_METADATA_DISABLED). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                   "or name a `profile`"));
  tear_down();
}

TEST(from_profiles) {
  set_up();
  test_write(".aws/config", "# a comment\n"
                            "[default]\nregion = eu-west-9 ; here\naws_access_key_id = CONFIG\n"
                            "aws_secret_access_key = NOT-THIS\n"
                            "[profile other]\n  aws_access_key_id=ID#2\n"
                            "aws_secret_access_key = S=2 # a comment\naws_session_token=T2\n"
                            "[profile half]\naws_access_key_id = X\n"
                            "[profile process]\ncredential_process = /bin/tool\n"
                            "[profile sso]\nsso_session = mine\n"
                            "[profile empty]\noutput = json\n"
                            "[sso-session mine]\nsso_region = x\n");
  test_write(".aws/credentials", "[default]\r\naws_access_key_id = ID1\r\n"
                                 "aws_secret_access_key = S1\r\n");
  REQUIRE_OK(get_as(NULL));
  check_keys("ID1", "S1", "", "the profile");
  REQUIRE_OK(get_as("other"));
  check_keys("ID#2", "S=2", "T2", "the profile");
  test_env_set("AWS_PROFILE", "other");
  REQUIRE_OK(get_as(NULL));
  check_keys("ID#2", "S=2", "T2", "the profile");
  test_env_set("AWS_ACCESS_KEY_ID", "ID");
  test_env_set("AWS_SECRET_ACCESS_KEY", "SECRET");
  REQUIRE_OK(get_as("default")); // the configuration names it
  check_keys("ID1", "S1", "", "the profile");
  CHECK_FAILS(get_as("half"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("'half' needs both aws_access_key_id and aws_secret_access_key");
  CHECK_FAILS(get_as("process"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("'process' runs a program for its credentials (credential_process)");
  CHECK_FAILS(get_as("sso"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("'sso' signs in through a browser");
  CHECK_FAILS(get_as("empty"), WH_ERR_DENIED);
  CHECK_ERROR_HAS("Tried the profile 'empty' (without credentials)");
  CHECK_FAILS(get_as("none"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("no AWS profile 'none' in ");
  CHECK_ERROR_HAS("/.aws/config or ");
  tear_down();
}

TEST(files_that_cannot_be_read) {
  static const char *const texts[][2] = {{"a = b\n", ":1: this stands before any [section]"},
                                         {"[default]\n\nnonsense\n", ":3: expected NAME = VALUE"},
                                         {"[default\n", ":1: a section ends with ']'"}};
  set_up();
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    test_env_set("AWS_CONFIG_FILE", test_write("odd", texts[i][0]));
    CHECK_FAILS(get_as(NULL), WH_ERR_USAGE);
    CHECK_ERROR_HAS(texts[i][1]);
  }
  test_write("mine", "[default]\naws_access_key_id = M\naws_secret_access_key = N\n");
  test_env_set("AWS_CONFIG_FILE", "~/absent");
  test_env_set("AWS_SHARED_CREDENTIALS_FILE", "~/mine");
  REQUIRE_OK(get_as(NULL));
  check_keys("M", "N", "", "the profile");
  tear_down();
}

// --- roles ---------------------------------------------------------------------------------------

typedef struct sts {
  int calls;
  char bodies[4][600];
  bool is_signed[4];
  char signer[4][32];
  int64_t expires_us;
  int fail;
  int expired; // so many requests to the queue are told so
} sts;

static sts service;

static bool answer_sts(void *context, const http_peer_request *r, http_peer_line *line) {
  sts *s = context;
  int i = s->calls++ % 4;
  char body[1000], time[40];
  snprintf(s->bodies[i], sizeof s->bodies[0], "%.*s", WH_STR_ARG(r->body));
  wh_str authorization = http_peer_field(r, "authorization");
  if (wh_str_is(r->target, "/queue")) {
    bool expired = s->expired-- > 0;
    http_peer_reply(line, expired ? 400 : 200, "",
                    expired ? "{\"__type\":\"x#ExpiredTokenException\"}" : "{}");
    return true;
  }
  s->is_signed[i] = authorization.len > 0;
  const char *credential =
      authorization.len ? memmem(authorization.data, authorization.len, "Credential=", 11) : NULL;
  snprintf(s->signer[i], sizeof s->signer[0], "%.*s", credential ? 4 : 0,
           credential ? credential + 11 : "");
  if (s->fail) {
    http_peer_reply(line, s->fail, "",
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message>"
                    "</Error></ErrorResponse>");
    return true;
  }
  time_t seconds = (time_t)(s->expires_us / 1000000);
  strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
  snprintf(body, sizeof body,
           "<R xmlns=\"x\"><A><Credentials><AccessKeyId>ROLE%d</AccessKeyId><SecretAccessKey>RS%d"
           "</SecretAccessKey><SessionToken>RT%d</SessionToken><Expiration>%s</Expiration>"
           "</Credentials></A></R>",
           s->calls, s->calls, s->calls, time);
  http_peer_reply(line, 200, "", body);
  return true;
}

static void set_up_sts(void) {
  char url[100];
  set_up();
  service = (sts){.expires_us = wh_now_us(os) + INT64_C(3600000000)};
  peer = http_peer_start(answer_sts, &service, NULL);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", http_peer_port(peer));
  test_env_set("AWS_ENDPOINT_URL_STS", url);
}

TEST(roles_are_taken) {
  set_up_sts();
  test_write(".aws/config",
             "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = S\n"
             "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n"
             "external_id = e/1\nrole_session_name = me\nduration_seconds = 900\n"
             "[profile chain]\nrole_arn = arn:2\nsource_profile = role\n"
             "[profile env]\nrole_arn = arn:3\ncredential_source = Environment\n"
             "[profile self]\nrole_arn = arn:4\nsource_profile = self\naws_access_key_id = SELF\n"
             "aws_secret_access_key = S\n"
             "[profile alone]\nrole_arn = arn:5\n"
             "[profile mfa]\nrole_arn = arn:6\nsource_profile = base\nmfa_serial = x\n"
             "[profile a]\nrole_arn = arn:7\nsource_profile = b\n"
             "[profile b]\nrole_arn = arn:8\nsource_profile = a\n"
             "[profile lost]\nrole_arn = arn:9\nsource_profile = nowhere\n");
  REQUIRE_OK(get_as("role"));
  check_keys("ROLE1", "RS1", "RT1", "a role");
  CHECK(service.is_signed[0]);
  CHECK_STR(wh_str_of(service.signer[0]), WH_STR("BASE"));
  CHECK_STR(wh_str_of(service.bodies[0]),
            WH_STR("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
                   "&RoleSessionName=me&ExternalId=e%2F1&DurationSeconds=900"));
  REQUIRE_OK(get_as("chain"));
  check_keys("ROLE3", "RS3", "RT3", "a role");
  CHECK_STR(wh_str_of(service.signer[2]), WH_STR("ROLE")); // signed by the role before
  CHECK_FAILS(get_as("env"), WH_ERR_DENIED);
  CHECK_ERROR_HAS("'env' takes its credentials from Environment, which has none");
  test_env_set("AWS_ACCESS_KEY_ID", "ENVI");
  test_env_set("AWS_SECRET_ACCESS_KEY", "S");
  REQUIRE_OK(get_as("env"));
  CHECK_STR(wh_str_of(service.signer[3]), WH_STR("ENVI"));
  REQUIRE_OK(get_as("self"));
  CHECK_STR(wh_str_of(service.signer[0]), WH_STR("SELF"));
  CHECK_FAILS(get_as("alone"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("neither source_profile nor credential_source");
  CHECK_FAILS(get_as("mfa"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("mfa_serial");
  CHECK_FAILS(get_as("a"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("in a circle");
  CHECK_FAILS(get_as("lost"), WH_ERR_DENIED);
  CHECK_ERROR_HAS("from nowhere, which has none");
  service.fail = 403;
  CHECK_FAILS(get_as("role"), WH_ERR_DENIED);
  CHECK_ERROR_HAS("the role arn:aws:iam::1:role/r: 127.0.0.1:");
  CHECK_ERROR_HAS("AccessDenied: not you (403)");
  tear_down();
}

TEST(web_identities) {
  set_up_sts();
  test_env_set("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token");
  CHECK_FAILS(get_as(NULL), WH_ERR_USAGE);
  CHECK_ERROR_HAS("AWS_ROLE_ARN is not");
  test_env_set("AWS_ROLE_ARN", "arn:1");
  CHECK_FAILS(get_as(NULL), WH_ERR_DENIED);
  CHECK_ERROR_HAS("the token of the web identity: /nowhere/token");
  test_env_set("AWS_WEB_IDENTITY_TOKEN_FILE", test_write("token", "eyJh.b.c\n"));
  REQUIRE_OK(get_as(NULL));
  check_keys("ROLE1", "RS1", "RT1", "a role");
  CHECK(!service.is_signed[0]);
  CHECK_STR(wh_str_of(service.bodies[0]),
            WH_STR("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3A1"
                   "&RoleSessionName=wherry&WebIdentityToken=eyJh.b.c"));
  tear_down();
}

TEST(they_are_fetched_again_before_they_expire) {
  set_up_sts();
  test_write(".aws/config", "[default]\nrole_arn = arn:1\nsource_profile = default\n"
                            "aws_access_key_id = B\naws_secret_access_key = S\n");
  REQUIRE_OK(get_as(NULL));
  REQUIRE_OK(wh_aws_credentials_get(credentials, NULL, &keys, &test_err));
  CHECK_EQ(service.calls, 1);
  test_aws_clock_add(INT64_C(3540000000)); // a minute is left
  service.fail = 403;
  REQUIRE_OK(wh_aws_credentials_get(credentials, NULL, &keys, &test_err)); // the old ones hold
  check_keys("ROLE1", "RS1", "RT1", "a role");
  CHECK_EQ(service.calls, 2);
  REQUIRE_OK(wh_aws_credentials_get(credentials, NULL, &keys, &test_err));
  CHECK_EQ(service.calls, 2); // not each time
  service.fail = 0;
  service.expires_us += INT64_C(3600000000);
  test_aws_clock_add(INT64_C(31000000));
  REQUIRE_OK(wh_aws_credentials_get(credentials, NULL, &keys, &test_err));
  check_keys("ROLE3", "RS3", "RT3", "a role");
  wh_aws_credentials_expired(credentials, keys.generation); // so the server said
  REQUIRE_OK(wh_aws_credentials_get(credentials, NULL, &keys, &test_err));
  check_keys("ROLE4", "RS4", "RT4", "a role");
  test_aws_clock_add(INT64_C(7200000000));
  service.fail = 403;
  CHECK_FAILS(wh_aws_credentials_get(credentials, NULL, &keys, &test_err), WH_ERR_DENIED);
  tear_down();
}

static void *ask_often(void *context) {
  wh_aws_keys own = {0};
  for (int i = 0; i < 200; i++)
    if (wh_aws_credentials_get(credentials, NULL, &own, NULL) != WH_OK) *(bool *)context = true;
  wh_aws_keys_free(&own);
  return NULL;
}

TEST(threads_share_what_one_fetched) {
  enum { THREADS = 8 };
  set_up_sts();
  test_env_set("AWS_ROLE_ARN", "arn:1");
  test_env_set("AWS_WEB_IDENTITY_TOKEN_FILE", test_write("token", "t"));
  wh_aws_credentials_options o = {
      .os = os, .mem = &test_mem, .environment = test_env(), .region = WH_STR("eu-test-1")};
  REQUIRE_OK(wh_aws_credentials_new(&o, &credentials, &test_err));
  pthread_t threads[THREADS];
  bool failed[THREADS] = {0};
  for (int i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, ask_often, &failed[i]) == 0);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    CHECK(!failed[i]);
  }
  CHECK_EQ(service.calls, 1);
  tear_down();
}

// --- the machine's -------------------------------------------------------------------------------

typedef struct machine {
  bool no_role, no_service, no_token_needed;
  int fail; // so many answers of 500
  char seen[40];
} machine;

#define CREDENTIALS                                                                                \
  "{\"Code\":\"Success\",\"AccessKeyId\":\"MID\",\"SecretAccessKey\":\"MS\",\"Token\":\"MT\","     \
  "\"Expiration\":\"2099-01-01T00:00:00Z\"}"

static bool answer_machine(void *context, const http_peer_request *r, http_peer_line *line) {
  machine *m = context;
  bool has_token = wh_str_is(http_peer_field(r, "x-aws-ec2-metadata-token"), "SESSION");
  snprintf(m->seen, sizeof m->seen, "%.*s", WH_STR_ARG(http_peer_field(r, "authorization")));
  if (m->fail-- > 0)
    http_peer_reply(line, 500, "", "");
  else if (wh_str_is(r->target, "/creds"))
    http_peer_reply(line, 200, "", CREDENTIALS);
  else if (wh_str_is(r->target, "/none"))
    http_peer_reply(line, 200, "", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}");
  else if (wh_str_is(r->target, "/latest/api/token") && wh_str_is(r->method, "PUT") &&
           http_peer_field(r, "x-aws-ec2-metadata-token-ttl-seconds").len)
    http_peer_reply(line, 200, "", "SESSION");
  else if (!has_token)
    http_peer_reply(line, 401, "", "");
  else if (wh_str_is(r->target, "/latest/meta-data/iam/security-credentials/"))
    http_peer_reply(line, m->no_role ? 404 : 200, "", "the-role\n");
  else if (wh_str_is(r->target, "/latest/meta-data/iam/security-credentials/the-role"))
    http_peer_reply(line, 200, "", CREDENTIALS);
  else
    http_peer_reply(line, 404, "", "");
  return true;
}

static machine host;

static void set_up_machine(const char *path, char url[100]) {
  set_up();
  host = (machine){0};
  peer = http_peer_start(answer_machine, &host, NULL);
  snprintf(url, 100, "http://127.0.0.1:%d%s", http_peer_port(peer), path);
}

TEST(from_the_container) {
  char url[100];
  set_up_machine("/creds", url);
  test_env_set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
  test_env_set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc");
  host.fail = 2;
  REQUIRE_OK(get_as(NULL));
  check_keys("MID", "MS", "MT", "the container");
  CHECK_STR(wh_str_of(host.seen), WH_STR("Basic abc"));
  test_env_set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", test_write("t", "from-a-file\n"));
  REQUIRE_OK(get_as(NULL));
  CHECK_STR(wh_str_of(host.seen), WH_STR("from-a-file"));
  snprintf(url, sizeof url, "http://127.0.0.1:%d/none", http_peer_port(peer));
  test_env_set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
  CHECK_FAILS(get_as(NULL), WH_ERR_DENIED);
  CHECK_ERROR_HAS("the container's credentials: the answer holds no credentials: AssumeRole");
  static const char *const refused[] = {"http://example.com/creds",      "ftp://127.0.0.1/",
                                        "http://127.0.0.1.example.com/", "http://169.254.170.3/",
                                        "http://localhost@example.com/", "http://128.0.0.1/"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    test_env_set("AWS_CONTAINER_CREDENTIALS_FULL_URI", refused[i]);
    CHECK_FAILS(get_as(NULL), WH_ERR_USAGE);
    CHECK_ERROR_HAS("AWS_CONTAINER_CREDENTIALS_FULL_URI is set to what must not be asked");
  }
  tear_down();
}

TEST(from_the_instance) {
  char url[100];
  set_up_machine("/", url);
  test_env_set("AWS_EC2_METADATA_DISABLED", "false");
  test_env_set("AWS_EC2_METADATA_SERVICE_ENDPOINT", url);
  REQUIRE_OK(get_as(NULL));
  check_keys("MID", "MS", "MT", "the instance");
  CHECK_EQ(http_peer_requests(peer), 3);
  host.fail = 1;
  REQUIRE_OK(get_as(NULL));
  host.no_role = true;
  CHECK_FAILS(get_as(NULL), WH_ERR_DENIED);
  CHECK_ERROR_HAS("the instance's metadata (it has no role)");
  host.fail = 9;
  CHECK_FAILS(get_as(NULL), WH_ERR_UNAVAILABLE);
  CHECK_ERROR_HAS("the instance's metadata: 127.0.0.1:");
  test_env_set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
  CHECK_FAILS(get_as(NULL), WH_ERR_DENIED);
  CHECK_ERROR_HAS("the instance's metadata (no answer)");
  tear_down();
}

// --- region and endpoint -------------------------------------------------------------------------

static wh_arena arena;

static wh_status find_region(const char *given, wh_str *ret) {
  wh_environment environment = test_env();
  wh_aws_profiles profiles;
  WH_TRY(wh_aws_profiles_read(os, &test_mem, &environment, (wh_str){0}, &profiles, &test_err));
  wh_status status =
      wh_aws_region(&environment, &profiles, wh_str_of(given), &arena, ret, &test_err);
  wh_aws_profiles_free(&profiles);
  return status;
}

static void check_endpoint(const char *given, const char *name, const char *region,
                           const char *want) {
  wh_environment environment = test_env();
  wh_aws_profiles profiles;
  wh_str got;
  REQUIRE_OK(wh_aws_profiles_read(os, &test_mem, &environment, (wh_str){0}, &profiles, &test_err));
  if (CHECK_OK(wh_aws_endpoint(&environment, &profiles, wh_str_of(given), name, wh_str_of(region),
                               &arena, &got, &test_err)))
    CHECK_STR(got, wh_str_of(want));
  wh_aws_profiles_free(&profiles);
}

TEST(the_region) {
  wh_str region;
  set_up();
  wh_arena_init(&arena, &test_mem);
  CHECK_FAILS(find_region(NULL, &region), WH_ERR_USAGE);
  CHECK_ERROR_HAS("no AWS region is known. Write `region: eu-west-1`, or set AWS_REGION");
  test_write(".aws/config", "[default]\nregion = profile-1\n");
  CHECK_OK(find_region(NULL, &region));
  CHECK_STR(region, WH_STR("profile-1"));
  test_env_set("AWS_DEFAULT_REGION", "default-1");
  CHECK_OK(find_region(NULL, &region));
  CHECK_STR(region, WH_STR("default-1"));
  test_env_set("AWS_REGION", "region-1");
  CHECK_OK(find_region(NULL, &region));
  CHECK_STR(region, WH_STR("region-1"));
  CHECK_OK(find_region("given-1", &region));
  CHECK_STR(region, WH_STR("given-1"));
  CHECK_FAILS(find_region("x.example.com/", &region), WH_ERR_USAGE);
  CHECK_ERROR_HAS("'x.example.com/' is no AWS region");
  wh_arena_free(&arena);
  tear_down();
}

TEST(the_endpoint) {
  set_up();
  wh_arena_init(&arena, &test_mem);
  check_endpoint(NULL, "s3", "eu-west-1", "https://s3.eu-west-1.amazonaws.com");
  check_endpoint(NULL, "sqs", "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn");
  test_write(".aws/config", "[default]\nendpoint_url = http://profile\nservices = mine\n"
                            "[services mine]\ns3 =\n  endpoint_url = http://s3-of-profile/\n"
                            "secrets_manager =\n  endpoint_url = http://secrets\n");
  check_endpoint(NULL, "sqs", "r", "http://profile");
  check_endpoint(NULL, "s3", "r", "http://s3-of-profile");
  check_endpoint(NULL, "secretsmanager", "r", "http://secrets");
  test_env_set("AWS_ENDPOINT_URL", "http://environment:4566//");
  check_endpoint(NULL, "s3", "r", "http://environment:4566");
  test_env_set("AWS_ENDPOINT_URL_S3", "http://s3-of-environment/base");
  test_env_set("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://logs");
  check_endpoint(NULL, "s3", "r", "http://s3-of-environment/base");
  check_endpoint(NULL, "sqs", "r", "http://environment:4566");
  check_endpoint(NULL, "logs", "r", "http://logs");
  check_endpoint("https://given", "s3", "r", "https://given");
  test_env_set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
  check_endpoint(NULL, "s3", "r", "https://s3.r.amazonaws.com");
  check_endpoint("https://given", "s3", "r", "https://given");
  wh_arena_free(&arena);
  tear_down();
}

TEST(keys_that_a_server_calls_expired_are_replaced) {
  set_up_sts();
  test_env_set("AWS_ROLE_ARN", "arn:1");
  test_env_set("AWS_WEB_IDENTITY_TOKEN_FILE", test_write("token", "t"));
  char url[100];
  wh_aws *aws;
  wh_aws_client *client;
  wh_aws_exchange *x;
  snprintf(url, sizeof url, "http://127.0.0.1:%d", http_peer_port(peer));
  wh_aws_options o = {.os = os,
                      .mem = &test_mem,
                      .environment = test_env(),
                      .service = "sqs",
                      .region = WH_STR("r"),
                      .endpoint = wh_str_of(url)};
  REQUIRE_OK(wh_aws_new(&o, &aws, &test_err));
  REQUIRE_OK(wh_aws_take(aws, NULL, &client, &test_err));
  wh_aws_request r = {.method = "GET", .path = WH_STR("/queue")};
  service.expired = 1;
  REQUIRE_OK(wh_aws_call(client, &r, &x, &test_err));
  CHECK_EQ(service.calls, 4); // STS, the queue, STS, the queue
  wh_aws_end(x);
  service.expired = 9;
  CHECK_FAILS(wh_aws_call(client, &r, &x, &test_err), WH_ERR_DENIED);
  CHECK_EQ(service.calls, 7); // once is enough
  wh_aws_end(x);
  wh_aws_give(client);
  wh_aws_free(aws);
  tear_down();
}

TEST(credentials_without_memory) {
  set_up_sts();
  test_write(".aws/config", "[default]\nrole_arn = arn:1\nsource_profile = default\n"
                            "aws_access_key_id = B\naws_secret_access_key = S\n");
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 2000; n++) {
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    status = get_as(NULL);
    atomic_store(&test_mem.fail_at, 0);
    if (status != WH_OK && status != WH_ERR_MEMORY) CHECK_EQ(status, WH_ERR_UNAVAILABLE);
  }
  CHECK_EQ(status, WH_OK);
  tear_down();
}
