#include "connect/aws_place.h"

#include "net/aws_profile.h"

// The next part of an ARN; what is behind the last ':' is taken whole.
static wh_str part(wh_str *rest, bool is_last) {
  wh_str piece = *rest;
  if (is_last || !wh_str_split(rest, ':', &piece)) *rest = (wh_str){0};
  return piece;
}

static bool parse_arn(wh_str text, const char *service, wh_aws_name *ret) {
  wh_str rest = text;
  bool is_arn = wh_str_is(part(&rest, false), "arn");
  part(&rest, false); // aws, aws-cn, aws-us-gov
  is_arn = is_arn && wh_str_is(part(&rest, false), service);
  *ret = (wh_aws_name){.region = part(&rest, false)};
  ret->account = part(&rest, false);
  ret->name = part(&rest, true);
  bool is_one = wh_str_find(ret->name, 0, ':') == ret->name.len;
  return is_arn && ret->region.len && ret->account.len && ret->name.len && is_one;
}

// "https://HOST/ACCOUNT/NAME", HOST being "SERVICE.REGION.amazonaws.com" or another server's.
static bool parse_url(wh_str text, const char *service, wh_aws_name *ret) {
  size_t scheme = wh_str_starts(text, "https://") ? 8 : wh_str_starts(text, "http://") ? 7 : 0;
  size_t slash = wh_str_find(text, scheme, '/');
  size_t next = wh_str_find(text, slash + 1, '/');
  if (!scheme || next >= text.len) return false;
  wh_str host = wh_str_sub(text, scheme, slash);
  *ret = (wh_aws_name){.account = wh_str_sub(text, slash + 1, next),
                       .name = wh_str_sub(text, next + 1, text.len)};
  if (!wh_aws_is_amazon(host)) {
    ret->endpoint = wh_str_sub(text, 0, slash);
  } else {
    wh_str rest = host, first;
    if (wh_str_split(&rest, '.', &first) && wh_str_is(first, service))
      WH_IGNORE(wh_str_split(&rest, '.', &ret->region) ? WH_OK : WH_ERR_END);
  }
  return host.len && ret->account.len && ret->name.len &&
         wh_str_find(ret->name, 0, '/') == ret->name.len;
}

wh_status wh_aws_name_parse(wh_str text, const char *service, bool takes_url, const char *example,
                            wh_aws_name *ret, wh_error *err) {
  if (parse_arn(text, service, ret)) return WH_OK;
  if (takes_url && parse_url(text, service, ret)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "'%.*s' is no %s. Write it as %s", (int)wh_utf8_cut(text, 200),
                 text.data ? text.data : "", takes_url ? "URL or ARN" : "ARN", example);
}

wh_aws_options wh_aws_place_options(const wh_connection *c, const wh_aws_place *place,
                                    const char *service) {
  return (wh_aws_options){
      .os = c->os,
      .mem = c->mem,
      .environment = c->environment,
      .service = service,
      .region = place->region,
      .endpoint = place->endpoint,
      .profile = place->profile,
      .tls = (wh_tls)place->tls,
      .tls_ca = place->tls_ca,
  };
}

wh_status wh_aws_place_open(wh_connection *c, const wh_aws_place *place, const wh_aws_name *name,
                            const char *service, wh_aws **ret, wh_error *err) {
  wh_aws_options options = wh_aws_place_options(c, place, service);
  if (name && !options.region.len) options.region = name->region;
  if (name && !options.endpoint.len) options.endpoint = name->endpoint;
  wh_status status = wh_aws_new(&options, ret, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

static wh_status call(wh_aws_client *client, const wh_aws_request *request, wh_arena *arena,
                      wh_str *ret_body, wh_error *err) {
  wh_aws_exchange *x = NULL;
  wh_status status = wh_aws_call(client, request, &x, err);
  if (status == WH_OK && ret_body) {
    *ret_body = wh_arena_str(arena, x->body);
    if (!ret_body->data) status = wh_fail_memory(err);
  }
  wh_aws_end(x);
  return status;
}

wh_status wh_aws_place_call(wh_connection *c, wh_aws *aws, const wh_aws_request *request,
                            wh_arena *arena, wh_str *ret_body, wh_error *err) {
  wh_aws_client *client = NULL;
  wh_status status = wh_aws_take(aws, c->cancel, &client, err);
  if (status == WH_OK) status = call(client, request, arena, ret_body, err);
  wh_aws_give(client);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

wh_status wh_aws_place_iam(const wh_connection *c, const wh_aws_place *place,
                           const wh_aws_name *name, const char *service,
                           const wh_iam_policy *policy, wh_iam_place *ret, wh_error *err) {
  wh_iam_asked asked = {.os = c->os,
                        .environment = c->environment,
                        .service = service,
                        .profile = place->profile,
                        .region = place->region,
                        .endpoint = place->endpoint};
  if (name && !asked.region.len) asked.region = name->region;
  if (name && !asked.endpoint.len) asked.endpoint = name->endpoint;
  return wh_iam_find_place(policy, &asked, ret, err);
}
