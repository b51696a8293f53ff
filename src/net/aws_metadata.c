// Credentials of the machine: from the container's address (ECS, EKS) or the instance's metadata
// service (EC2, version 2 alone: whoever only makes a server here fetch a URL gets nothing).
#include "net/aws_credentials_private.h"

#include "base/crypto.h"
#include "base/json_doc.h"
#include "net/retry.h"

#include <arpa/inet.h>

enum { ANSWER_BYTES_MAX = 64 * 1024, TOKEN_BYTES_MAX = 8192, URL_MAX = 1024, SLEEP_NS = 50000000 };

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST  "http://169.254.169.254"
#define INSTANCE_HOST6 "http://[fd00:ec2::254]"

// --- asking --------------------------------------------------------------------------------------

typedef struct question {
  wh_aws_search *search;
  wh_http *http;
  int64_t limit_us; // of an attempt
  int attempts;
} question;

static wh_status pause_for(const question *q, int64_t us, wh_error *err) {
  wh_os *os = q->search->options->os;
  int64_t end = os->type->monotonic_ns(os) + us * 1000;
  for (int64_t left; (left = end - os->type->monotonic_ns(os)) > 0;) {
    if (q->search->cancel && atomic_load(q->search->cancel))
      return wh_fail(err, WH_ERR_CANCELLED, "asked to stop");
    os->type->sleep_ns(os, left < SLEEP_NS ? left : SLEEP_NS);
  }
  return WH_OK;
}

// The exchange of an answer of 200, the caller's to end; *ret_code is what it was otherwise, 0
// without any answer.
static wh_status ask_once(const question *q, const wh_http_request *request, wh_http_exchange **ret,
                          int *ret_code, wh_error *err) {
  wh_http_exchange *x, *done;
  WH_TRY(wh_http_start(q->http, request, &x, err));
  wh_status status = wh_http_wait(q->http, x, -1, &done, err);
  *ret_code = x->code;
  if (status == WH_OK && x->status != WH_OK) {
    status = x->status;
    if (err) *err = x->error;
  } else if (status == WH_OK && x->code != 200) {
    wh_str host = wh_http_host(request->url);
    status = wh_fail(err, x->code >= 500 || x->code == 429 ? WH_ERR_UNAVAILABLE : WH_ERR_DENIED,
                     "%.*s answers %d", WH_STR_ARG(host), x->code);
  }
  if (status == WH_OK)
    *ret = x;
  else
    wh_http_end(x);
  return status;
}

static wh_status ask(const question *q, const char *method, const char *url,
                     const wh_http_header *header, wh_http_exchange **ret, int *ret_code,
                     wh_error *err) {
  wh_http_request request = {.method = method,
                             .url = wh_str_of(url),
                             .headers = header,
                             .header_count = header ? 1 : 0,
                             .body_bytes_max = ANSWER_BYTES_MAX,
                             .connect_us = q->limit_us,
                             .total_us = q->limit_us};
  wh_retry retry = {.os = q->search->options->os, .attempts_max = q->attempts};
  for (;;) {
    int64_t wait;
    *ret_code = 0;
    wh_status status = ask_once(q, &request, ret, ret_code, err);
    if (status != WH_ERR_UNAVAILABLE || !wh_retry_again(&retry, WH_RETRY_TRANSIENT, 0, &wait))
      return status;
    WH_TRY(pause_for(q, wait, err));
  }
}

static wh_status question_init(question *q, wh_aws_search *search, int64_t limit_us, int attempts,
                               wh_error *err) {
  const wh_aws_credentials_options *o = search->options;
  *q = (question){.search = search, .limit_us = limit_us, .attempts = attempts};
  wh_http_options http = {
      .os = o->os, .mem = o->mem, .cancel = search->cancel, .tls_ca = o->tls_ca};
  return wh_http_new(&http, &q->http, err);
}

// --- the answer ----------------------------------------------------------------------------------

static wh_status read_members(const json_t *root, wh_aws_found *ret, wh_error *err) {
  wh_str id = wh_json_text(root, "AccessKeyId"), secret = wh_json_text(root, "SecretAccessKey");
  if (!id.len || !secret.len) {
    wh_str code = wh_json_text(root, "Code");
    return wh_fail(err, WH_ERR_DENIED, "the answer holds no credentials%s%.*s",
                   code.len ? ": " : "", WH_STR_ARG(wh_str_sub(code, 0, 100)));
  }
  WH_TRY(wh_aws_found_set(ret->access_key_id, sizeof ret->access_key_id, id, "AccessKeyId", err));
  WH_TRY(wh_aws_found_set(ret->secret_access_key, sizeof ret->secret_access_key, secret,
                          "SecretAccessKey", err));
  WH_TRY(wh_aws_found_set(ret->session_token, sizeof ret->session_token,
                          wh_json_text(root, "Token"), "Token", err));
  return wh_aws_found_expires(ret, wh_json_text(root, "Expiration"), err);
}

static wh_status read_answer(wh_http_exchange *x, const char *source, wh_aws_found *ret,
                             wh_error *err) {
  json_t *root = json_loadb(x->body.data, x->body.len, 0, NULL);
  ret->source = source;
  wh_status status = read_members(root, ret, err);
  json_decref(root);
  wh_wipe((char *)x->body.data, x->body.len);
  return status;
}

// --- containers ----------------------------------------------------------------------------------

// A full address may be https, or this machine's own, or that of ECS and EKS: the token that goes
// with the question must not reach anybody else.
static bool may_be_asked(const char *url) {
  static const char *const known[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
                                      "localhost", "[::1]"};
  char host[64];
  wh_str name = wh_http_host(wh_str_of(url));
  if (wh_str_starts(wh_str_of(url), "https://")) return name.len > 0;
  if (!wh_str_starts(wh_str_of(url), "http://")) return false;
  size_t end = wh_str_starts(name, "[") ? wh_str_find(name, 0, ']') + 1 : wh_str_find(name, 0, ':');
  name = wh_str_sub(name, 0, end);
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (wh_str_is(name, known[i])) return true;
  struct in_addr address;
  snprintf(host, sizeof host, "%.*s", WH_STR_ARG(name));
  return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static wh_status container_token(wh_aws_search *search, wh_arena *arena, wh_str *ret,
                                 wh_error *err) {
  const wh_environment *e = &search->options->environment;
  const char *file = wh_environment_get(e, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (!file) {
    *ret = wh_str_of(wh_environment_get(e, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    return WH_OK;
  }
  wh_status status = wh_os_read_file(search->options->os, file, TOKEN_BYTES_MAX, arena, ret, err);
  if (status == WH_OK) *ret = wh_str_trim(*ret);
  return status == WH_ERR_NOT_FOUND ? WH_ERR_DENIED : status;
}

static wh_status ask_container(wh_aws_search *search, const char *url, wh_aws_found *ret,
                               wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, search->options->mem);
  wh_http_header header = {WH_STR("Authorization"), {0}};
  WH_TRY(container_token(search, &arena, &header.value, err));
  question q;
  wh_http_exchange *x;
  int code;
  WH_TRY(question_init(&q, search, WH_AWS_CONTAINER_US, WH_RETRY_ATTEMPTS, err));
  wh_status status = ask(&q, "GET", url, header.value.len ? &header : NULL, &x, &code, err);
  if (status == WH_OK) {
    status = read_answer(x, "the container", ret, err);
    wh_http_end(x);
  }
  wh_http_free(q.http);
  if (status != WH_OK) wh_error_prefix(err, "the container's credentials: ");
  return status;
}

wh_status wh_aws_from_container(wh_aws_search *search, wh_aws_found *ret, wh_error *err) {
  const wh_environment *e = &search->options->environment;
  const char *relative = wh_environment_get(e, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const char *full = wh_environment_get(e, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  char url[URL_MAX];
  if (!relative && !full)
    return wh_aws_tried(search, err, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (not set)");
  int n =
      snprintf(url, sizeof url, "%s%s", relative ? CONTAINER_HOST : "", relative ? relative : full);
  if (n >= (int)sizeof url || (relative && relative[0] != '/') || !may_be_asked(url)) {
    return wh_fail(err, WH_ERR_USAGE,
                   "%s is set to what must not be asked for credentials: only https, this machine "
                   "and the addresses of ECS and EKS may",
                   relative ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
                            : "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  }
  return ask_container(search, url, ret, err);
}

// --- instances -----------------------------------------------------------------------------------

#define ROLES "/latest/meta-data/iam/security-credentials/"

static const char *instance_host(const wh_aws_search *search) {
  const wh_environment *e = &search->options->environment;
  const char *said = wh_environment_get(e, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const char *mode = wh_environment_get(e, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
  if (said) return said;
  return mode && wh_str_eq_nocase(wh_str_of(mode), WH_STR("ipv6")) ? INSTANCE_HOST6 : INSTANCE_HOST;
}

static void write_url(const wh_aws_search *search, const char *path, wh_str more,
                      char out[URL_MAX]) {
  wh_str host = wh_str_of(instance_host(search));
  while (wh_str_ends(host, "/"))
    host.len--;
  snprintf(out, URL_MAX, "%.*s%s%.*s", WH_STR_ARG(host), path, WH_STR_ARG(more));
}

// First a token, by PUT.
static wh_status open_session(const question *q, char *token, wh_error *err) {
  static const wh_http_header header = {WH_STR_INIT("X-aws-ec2-metadata-token-ttl-seconds"),
                                        WH_STR_INIT("21600")};
  char url[URL_MAX];
  wh_http_exchange *x;
  int code;
  write_url(q->search, "/latest/api/token", WH_STR(""), url);
  wh_status status = ask(q, "PUT", url, &header, &x, &code, err);
  if (status != WH_OK) return code == 0 && status == WH_ERR_UNAVAILABLE ? WH_ERR_END : status;
  status =
      wh_aws_found_set(token, TOKEN_BYTES_MAX, wh_str_trim(x->body), "the metadata's token", err);
  wh_http_end(x);
  return status;
}

static wh_status ask_roles(const question *q, const wh_http_header *header, wh_aws_found *ret,
                           wh_error *err) {
  char url[URL_MAX];
  wh_http_exchange *x;
  int code;
  write_url(q->search, ROLES, WH_STR(""), url);
  wh_status status = ask(q, "GET", url, header, &x, &code, err);
  if (code == 404) return WH_ERR_NOT_FOUND;
  if (status != WH_OK) return status;
  wh_str role = wh_str_sub(x->body, 0, wh_str_find(x->body, 0, '\n'));
  write_url(q->search, ROLES, wh_str_trim(role), url);
  wh_http_end(x);
  WH_TRY(ask(q, "GET", url, header, &x, &code, err));
  status = read_answer(x, "the instance", ret, err);
  wh_http_end(x);
  return status;
}

wh_status wh_aws_from_instance(wh_aws_search *search, wh_aws_found *ret, wh_error *err) {
  const wh_environment *e = &search->options->environment;
  const char *disabled = wh_environment_get(e, "AWS_EC2_METADATA_DISABLED");
  if (disabled && wh_str_eq_nocase(wh_str_of(disabled), WH_STR("true")))
    return wh_aws_tried(search, err, "the instance's metadata (AWS_EC2_METADATA_DISABLED)");
  question q;
  char token[TOKEN_BYTES_MAX];
  wh_http_header header = {WH_STR("X-aws-ec2-metadata-token"), {0}};
  WH_TRY(question_init(&q, search, WH_AWS_METADATA_US, 2, err));
  wh_status status = open_session(&q, token, err);
  bool is_there = status != WH_ERR_END;
  if (status == WH_OK) {
    header.value = wh_str_of(token);
    status = ask_roles(&q, &header, ret, err);
  }
  wh_http_free(q.http);
  wh_wipe(token, sizeof token);
  if (!is_there) return wh_aws_tried(search, err, "the instance's metadata (no answer)");
  if (status == WH_ERR_NOT_FOUND)
    return wh_aws_tried(search, err, "the instance's metadata (it has no role)");
  if (status != WH_OK) wh_error_prefix(err, "the instance's metadata: ");
  return status;
}
