// Roles, taken at the Security Token Service (API version 2011-06-15).
#include "net/aws_credentials_private.h"

#include "base/crypto.h"
#include "net/aws.h"
#include "net/uri.h"
#include "net/xml.h"

enum { WEB_TOKEN_BYTES_MAX = 20000 };

static wh_status take_credential(void *context, wh_str path, wh_str text, wh_error *err) {
  wh_aws_found *ret = context;
  if (wh_str_ends(path, "/Credentials/AccessKeyId"))
    return wh_aws_found_set(ret->access_key_id, sizeof ret->access_key_id, text, "a role's key id",
                            err);
  if (wh_str_ends(path, "/Credentials/SecretAccessKey"))
    return wh_aws_found_set(ret->secret_access_key, sizeof ret->secret_access_key, text,
                            "a role's secret key", err);
  if (wh_str_ends(path, "/Credentials/SessionToken"))
    return wh_aws_found_set(ret->session_token, sizeof ret->session_token, text, "a role's token",
                            err);
  if (wh_str_ends(path, "/Credentials/Expiration")) return wh_aws_found_expires(ret, text, err);
  return WH_OK;
}

static wh_status read_answer(wh_mem *mem, wh_str xml, wh_aws_found *ret, wh_error *err) {
  ret->access_key_id[0] = ret->secret_access_key[0] = ret->session_token[0] = 0;
  ret->expires_us = INT64_MAX;
  ret->source = "a role";
  wh_xml_visitor visitor = {.end = take_credential, .context = ret};
  WH_TRY(wh_xml_read(mem, xml, &visitor, err));
  if (ret->access_key_id[0] && ret->secret_access_key[0]) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "the answer holds no credentials");
}

static wh_status ask(wh_aws *aws, wh_aws_search *search, const wh_buf *form, bool anonymous,
                     wh_aws_found *ret, wh_error *err) {
  wh_aws_client *client;
  wh_aws_exchange *x = NULL;
  wh_http_header headers[WH_AWS_FORM_HEADERS];
  wh_str body = wh_buf_str(form);
  wh_aws_request request = wh_aws_form(headers, &body);
  request.anonymous = anonymous;
  WH_TRY(wh_aws_take(aws, search->cancel, &client, err));
  wh_status status = wh_aws_call(client, &request, &x, err);
  if (status == WH_OK) {
    status = read_answer(search->options->mem, x->body, ret, err);
    wh_wipe((char *)x->body.data, x->body.len);
  }
  wh_aws_end(x);
  wh_aws_give(client);
  return status;
}

// `from` NULL: nobody signs.
static wh_status call_sts(wh_aws_search *search, const wh_aws_role *role, const wh_buf *form,
                          const wh_aws_found *from, wh_aws_found *ret, wh_error *err) {
  const wh_aws_credentials_options *o = search->options;
  wh_aws_options options = {.os = o->os,
                            .mem = o->mem,
                            .environment = o->environment,
                            .service = "sts",
                            .region = o->region,
                            .profile = o->profile,
                            .tls_ca = o->tls_ca,
                            .proxy = o->proxy};
  if (from)
    options.keys =
        (wh_sigv4_keys){wh_str_of(from->access_key_id), wh_str_of(from->secret_access_key),
                        wh_str_of(from->session_token)};
  wh_aws *aws;
  WH_TRY(wh_buf_check(form, err));
  WH_TRY(wh_aws_new(&options, &aws, err));
  wh_status status = ask(aws, search, form, !from, ret, err);
  wh_aws_free(aws);
  if (status != WH_OK) wh_error_prefix(err, "the role %.*s: ", WH_STR_ARG(role->arn));
  // That the role is not there must not send the search on.
  return status == WH_ERR_NOT_FOUND ? WH_ERR_DENIED : status;
}

static void add_role(wh_buf *form, const wh_aws_role *role, const char *action) {
  wh_uri_add_param(form, "Action", wh_str_of(action));
  wh_uri_add_param(form, "Version", WH_STR("2011-06-15"));
  wh_uri_add_param(form, "RoleArn", role->arn);
  wh_uri_add_param(form, "RoleSessionName",
                   role->session_name.len ? role->session_name : WH_STR("wherry"));
  if (role->external_id.len) wh_uri_add_param(form, "ExternalId", role->external_id);
  if (role->duration.len) wh_uri_add_param(form, "DurationSeconds", role->duration);
}

wh_status wh_aws_assume(wh_aws_search *search, const wh_aws_role *role, const wh_aws_found *from,
                        wh_aws_found *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf form;
  wh_buf_init(&form, search->options->mem, 0);
  add_role(&form, role, "AssumeRole");
  return call_sts(search, role, &form, from, ret, err);
}

wh_status wh_aws_assume_by_web_identity(wh_aws_search *search, const wh_aws_role *role,
                                        const char *token_file, wh_aws_found *ret, wh_error *err) {
  const wh_aws_credentials_options *o = search->options;
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf form;
  wh_arena_init(&arena, o->mem);
  wh_buf_init(&form, o->mem, 0);
  wh_str token;
  wh_status status = wh_os_read_file(o->os, token_file, WEB_TOKEN_BYTES_MAX, &arena, &token, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "the token of the web identity: ");
    return status == WH_ERR_NOT_FOUND ? WH_ERR_DENIED : status;
  }
  add_role(&form, role, "AssumeRoleWithWebIdentity");
  wh_uri_add_param(&form, "WebIdentityToken", wh_str_trim(token));
  status = call_sts(search, role, &form, NULL, ret, err);
  wh_wipe((char *)token.data, token.len);
  wh_wipe(form.data, form.cap);
  return status;
}
