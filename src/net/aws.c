#include "net/aws_private.h"

// --- the place -----------------------------------------------------------------------------------

static wh_status find_place(wh_aws *aws, const wh_aws_profiles *profiles, wh_error *err) {
  const wh_aws_options *o = &aws->options;
  WH_TRY(wh_aws_region(&o->environment, profiles, o->region, &aws->arena, &aws->region, err));
  WH_TRY(wh_aws_endpoint(&o->environment, profiles, o->endpoint, o->service, aws->region,
                         &aws->arena, &aws->endpoint, err));
  size_t scheme = wh_str_starts(aws->endpoint, "https://") ? 8 : 7;
  size_t slash = wh_str_find(aws->endpoint, scheme, '/');
  aws->scheme = wh_str_sub(aws->endpoint, 0, scheme);
  aws->host = wh_http_host(aws->endpoint);
  aws->base_path = wh_str_sub(aws->endpoint, slash, aws->endpoint.len);
  return WH_OK;
}

static wh_status make_credentials(wh_aws *aws, wh_error *err) {
  const wh_aws_options *o = &aws->options;
  wh_aws_credentials_options c = {.os = o->os,
                                  .mem = o->mem,
                                  .environment = o->environment,
                                  .profile = o->profile,
                                  .given = o->keys,
                                  .region = aws->region,
                                  .tls_ca = o->tls_ca,
                                  .proxy = o->proxy};
  return wh_aws_credentials_new(&c, &aws->credentials, err);
}

static wh_status open_place(wh_aws *aws, wh_error *err) {
  wh_aws_options *o = &aws->options;
  if (!wh_arena_own(&aws->arena, &o->profile) || !wh_arena_own(&aws->arena, &o->tls_ca) ||
      !wh_arena_own(&aws->arena, &o->proxy))
    return wh_fail_memory(err);
  wh_aws_profiles profiles;
  WH_TRY(wh_aws_profiles_read(o->os, o->mem, &o->environment, o->profile, &profiles, err));
  wh_status status = find_place(aws, &profiles, err);
  wh_aws_profiles_free(&profiles);
  if (status == WH_OK) status = make_credentials(aws, err);
  // The caller's, who may forget them now.
  o->region = o->endpoint = (wh_str){0};
  o->keys = (wh_sigv4_keys){0};
  return status;
}

wh_status wh_aws_new(const wh_aws_options *options, wh_aws **ret, wh_error *err) {
  wh_aws *aws = wh_mem_alloc_zero(options->mem, sizeof *aws);
  if (!aws) return wh_fail_memory(err);
  aws->options = *options;
  wh_arena_init(&aws->arena, options->mem);
  pthread_mutex_init(&aws->mutex, NULL);
  wh_status status = open_place(aws, err);
  if (status == WH_OK)
    *ret = aws;
  else
    wh_aws_free(aws);
  return status;
}

wh_str wh_aws_region_of(const wh_aws *aws) {
  return aws->region;
}

int64_t wh_aws_skew_us(const wh_aws *aws) {
  return atomic_load(&aws->skew_us);
}

wh_str wh_aws_endpoint_of(const wh_aws *aws) {
  return aws->endpoint;
}

// --- clients -------------------------------------------------------------------------------------

static void free_calls(call *c, wh_mem *mem) {
  while (c) {
    call *next = c->next;
    wh_arena_free(&c->arena);
    wh_mem_free(mem, c, sizeof *c);
    c = next;
  }
}

static void free_client(wh_aws_client *client) {
  wh_mem *mem = client->aws->options.mem;
  free_calls(client->free, mem);
  wh_http_free(client->http);
  wh_sigv4_signer_clear(&client->signer);
  wh_sigv4_work_free(&client->work);
  wh_aws_keys_free(&client->keys);
  wh_buf_free(&client->url);
  wh_buf_free(&client->host);
  wh_buf_free(&client->authorization);
  wh_mem_free(mem, client, sizeof *client);
}

void wh_aws_free(wh_aws *aws) {
  if (!aws) return;
  while (aws->idle) {
    wh_aws_client *client = aws->idle;
    aws->idle = client->next;
    free_client(client);
  }
  wh_aws_credentials_free(aws->credentials);
  pthread_mutex_destroy(&aws->mutex);
  wh_arena_free(&aws->arena);
  wh_mem_free(aws->options.mem, aws, sizeof *aws);
}

static wh_status new_client(wh_aws *aws, wh_aws_client **ret, wh_error *err) {
  const wh_aws_options *o = &aws->options;
  wh_aws_client *client = wh_mem_alloc_zero(o->mem, sizeof *client);
  if (!client) return wh_fail_memory(err);
  client->aws = aws;
  client->signer =
      (wh_sigv4_signer){.region = aws->region,
                        .service = wh_str_of(o->signing_name ? o->signing_name : o->service),
                        .plain_path = o->plain_path};
  wh_sigv4_work_init(&client->work, o->mem);
  wh_buf_init(&client->url, o->mem, 0);
  wh_buf_init(&client->host, o->mem, 0);
  wh_buf_init(&client->authorization, o->mem, 0);
  wh_http_options http = {
      .os = o->os, .mem = o->mem, .tls = o->tls, .tls_ca = o->tls_ca, .proxy = o->proxy};
  wh_status status = wh_http_new(&http, &client->http, err);
  if (status == WH_OK)
    *ret = client;
  else
    free_client(client);
  return status;
}

wh_status wh_aws_take(wh_aws *aws, const atomic_bool *cancel, wh_aws_client **ret, wh_error *err) {
  pthread_mutex_lock(&aws->mutex);
  wh_aws_client *client = aws->idle;
  if (client) aws->idle = client->next;
  pthread_mutex_unlock(&aws->mutex);
  if (!client) WH_TRY(new_client(aws, &client, err));
  client->cancel = cancel;
  wh_http_cancel_by(client->http, cancel);
  *ret = client;
  return WH_OK;
}

void wh_aws_give(wh_aws_client *client) {
  if (!client) return;
  while (client->calls)
    wh_aws_end(&client->calls->base);
  wh_aws *aws = client->aws;
  pthread_mutex_lock(&aws->mutex);
  client->next = aws->idle;
  aws->idle = client;
  pthread_mutex_unlock(&aws->mutex);
}

// --- protocols -----------------------------------------------------------------------------------

wh_aws_request wh_aws_json(wh_str target, const char *version,
                           wh_http_header headers[WH_AWS_JSON_HEADERS], const wh_str *body) {
  headers[0] = (wh_http_header){WH_STR("X-Amz-Target"), target};
  headers[1] = (wh_http_header){WH_STR("Content-Type"), strcmp(version, "1.0") == 0
                                                            ? WH_STR("application/x-amz-json-1.0")
                                                            : WH_STR("application/x-amz-json-1.1")};
  return (wh_aws_request){.method = "POST",
                          .headers = headers,
                          .header_count = WH_AWS_JSON_HEADERS,
                          .body = body,
                          .body_count = 1};
}

wh_aws_request wh_aws_form(wh_http_header headers[WH_AWS_FORM_HEADERS], const wh_str *body) {
  headers[0] = (wh_http_header){WH_STR("Content-Type"),
                                WH_STR("application/x-www-form-urlencoded; charset=utf-8")};
  return (wh_aws_request){.method = "POST",
                          .headers = headers,
                          .header_count = WH_AWS_FORM_HEADERS,
                          .body = body,
                          .body_count = 1};
}
