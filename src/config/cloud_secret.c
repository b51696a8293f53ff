#include "config/cloud_secret.h"

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json_doc.h"
#include "net/aws.h"

enum { ANSWER_BYTES_MAX = 8 * WH_CLOUD_SECRET_BYTES_MAX, WAIT_US = 30 * 1000000 };

// What an answer is made of, and a request, may be the secret itself.
static void wipe(wh_str text) {
  if (text.len) wh_wipe((char *)text.data, text.len);
}

static void end_answer(wh_aws_exchange *x) {
  if (!x) return;
  wipe(x->body);
  wh_aws_end(x);
}

// One action: `body` is JSON, and *ret the parsed answer, which the caller frees.
static wh_status ask_client(wh_aws_client *client, const char *target, wh_str body, json_t **ret,
                            wh_error *err) {
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request = wh_aws_json(wh_str_of(target), "1.1", headers, &body);
  request.body_bytes_max = ANSWER_BYTES_MAX;
  request.total_us = WAIT_US;
  wh_aws_exchange *x = NULL;
  wh_status status = wh_aws_call(client, &request, &x, err);
  if (status == WH_OK) status = wh_json_load(x->body, ANSWER_BYTES_MAX, "the answer", ret, err);
  end_answer(x);
  return status;
}

static wh_status ask(const wh_cloud_secrets *s, const char *service, const char *target,
                     const wh_buf *body, json_t **ret, wh_error *err) {
  WH_TRY(wh_buf_check(body, err));
  wh_aws_options options = {
      .os = s->os, .mem = s->mem, .environment = s->environment, .service = service};
  wh_aws *aws;
  WH_TRY(wh_aws_new(&options, &aws, err));
  wh_aws_client *client = NULL;
  wh_status status = wh_aws_take(aws, NULL, &client, err);
  if (status == WH_OK) status = ask_client(client, target, wh_buf_str(body), ret, err);
  if (client) wh_aws_give(client);
  if (status == WH_ERR_NOT_FOUND && err) {
    char said[WH_ERROR_TEXT_MAX];
    snprintf(said, sizeof said, "%s", err->text);
    wh_str region = wh_aws_region_of(aws);
    status = wh_fail(err, status, "it is not there, in region %.*s (%s)", WH_STR_ARG(region), said);
  }
  wh_aws_free(aws);
  return status;
}

// {"Name": "/erp/password"} and the like; the caller goes on with it.
static void begin_body(wh_buf *body, wh_mem *mem, const char *member, wh_str name) {
  wh_buf_init(body, mem, 0);
  wh_buf_printf(body, "{\"%s\":", member);
  wh_buf_add_json(body, name);
}

// --- reading -------------------------------------------------------------------------------------

static wh_status keep(wh_str value, wh_arena *arena, wh_str *ret, wh_error *err) {
  if (memchr(value.data, 0, value.len))
    return wh_fail(err, WH_ERR_USAGE, "it holds a zero byte, which no option takes");
  wh_str copy = wh_arena_str(arena, value);
  if (!copy.data) return wh_fail_memory(err);
  *ret = copy;
  return WH_OK;
}

static wh_status get_parameter(const wh_cloud_secrets *s, wh_str name, wh_arena *arena, wh_str *ret,
                               wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  begin_body(&body, s->mem, "Name", name);
  wh_buf_add_c(&body, ",\"WithDecryption\":true}");
  WH_CLEAN_JSON json_t *answer = NULL;
  WH_TRY(ask(s, "ssm", "AmazonSSM.GetParameter", &body, &answer, err));
  const json_t *parameter = json_object_get(answer, "Parameter");
  if (!json_is_string(json_object_get(parameter, "Value")))
    return wh_fail(err, WH_ERR_DATA, "the answer has no value");
  return keep(wh_json_text(parameter, "Value"), arena, ret, err);
}

static wh_status keep_member(wh_str secret, wh_str member, wh_arena *arena, wh_str *ret,
                             wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  char *name = wh_arena_cstr(arena, member);
  if (!name) return wh_fail_memory(err);
  // The error of the parser would show a piece of the secret.
  wh_error hidden = {0};
  wh_status status = wh_json_load(secret, WH_CLOUD_SECRET_BYTES_MAX, "the secret", &root, &hidden);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status == WH_OK && json_is_string(json_object_get(root, name)))
    return keep(wh_json_text(root, name), arena, ret, err);
  return wh_fail(err, WH_ERR_NOT_FOUND, "the secret is %s",
                 status != WH_OK ? "not JSON, so that nothing can stand behind '#'"
                                 : "JSON without a text of that name");
}

static wh_status get_secret(const wh_cloud_secrets *s, wh_str name, wh_arena *arena, wh_str *ret,
                            wh_error *err) {
  size_t hash = wh_str_find(name, 0, '#');
  WH_CLEAN_BUF wh_buf body;
  begin_body(&body, s->mem, "SecretId", wh_str_sub(name, 0, hash));
  wh_buf_add_char(&body, '}');
  WH_CLEAN_JSON json_t *answer = NULL;
  WH_TRY(ask(s, "secretsmanager", "secretsmanager.GetSecretValue", &body, &answer, err));
  if (!json_is_string(json_object_get(answer, "SecretString")))
    return wh_fail(err, WH_ERR_DATA, "the secret is binary; only texts can be taken");
  wh_str secret = wh_json_text(answer, "SecretString");
  if (hash == name.len) return keep(secret, arena, ret, err);
  return keep_member(secret, wh_str_sub(name, hash + 1, name.len), arena, ret, err);
}

wh_status wh_cloud_secret_get(const wh_cloud_secrets *s, wh_cloud_keeper keeper, wh_str name,
                              wh_arena *arena, wh_str *ret, wh_error *err) {
  return keeper == WH_KEEPER_SSM ? get_parameter(s, name, arena, ret, err)
                                 : get_secret(s, name, arena, ret, err);
}

// --- writing -------------------------------------------------------------------------------------

wh_status wh_parameter_set(const wh_cloud_secrets *s, wh_str name, wh_str value, wh_error *err) {
  if (value.len > WH_PARAMETER_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "a parameter has at most %d bytes, this value %zu",
                   WH_PARAMETER_BYTES_MAX, value.len);
  }
  if (!wh_utf8_valid(value))
    return wh_fail(err, WH_ERR_USAGE, "the value is not UTF-8, which a parameter has to be");
  WH_CLEAN_BUF wh_buf body;
  begin_body(&body, s->mem, "Name", name);
  wh_buf_add_c(&body, ",\"Type\":\"SecureString\",\"Overwrite\":true,"
                      "\"Tier\":\"Intelligent-Tiering\",\"Value\":");
  wh_buf_add_json(&body, value);
  wh_buf_add_char(&body, '}');
  WH_CLEAN_JSON json_t *answer = NULL;
  wh_status status = ask(s, "ssm", "AmazonSSM.PutParameter", &body, &answer, err);
  wipe(wh_buf_str(&body));
  return status;
}

wh_status wh_parameter_remove(const wh_cloud_secrets *s, wh_str name, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  begin_body(&body, s->mem, "Name", name);
  wh_buf_add_char(&body, '}');
  WH_CLEAN_JSON json_t *answer = NULL;
  return ask(s, "ssm", "AmazonSSM.DeleteParameter", &body, &answer, err);
}
