#include "serve/submission.h"

#include "base/log.h"
#include "base/ulid.h"

#include <stdio.h>

void wh_submission_init(wh_submission *s, wh_mem *mem, const wh_ingest *ingest,
                        const wh_auth *auth) {
  *s = (wh_submission){.mem = mem, .ingest = ingest, .auth = auth};
  wh_intake_init(&s->intake, mem);
}

void wh_submission_free(wh_submission *s) {
  wh_auth_done(&s->sender);
  wh_intake_free(&s->intake);
}

static bool refuse(wh_http_problem *ret, unsigned status, const char *detail) {
  *ret = (wh_http_problem){.status = status, .detail = detail};
  return false;
}

// --- who -----------------------------------------------------------------------------------------

static bool refuse_sender(const wh_submission *s, wh_http_problem *ret) {
  const wh_auth_check *c = &s->sender;
  wh_log(WH_LOG_INFO, "serve", "%.*s: %s", WH_STR_ARG(s->ingest->endpoint->name), c->reason);
  refuse(ret, c->status,
         c->status == 503 ? "who sends cannot be checked now"
                          : "this endpoint does not know who sends, or not as one who may");
  ret->authenticate = c->challenge[0] ? c->challenge : NULL;
  ret->retry_after_s = c->retry_after_s;
  return false;
}

bool wh_submission_sender(wh_submission *s, const wh_auth_request *request, wh_http_problem *ret) {
  if (!s->auth) return true;
  wh_auth_head(s->auth, request, &s->sender);
  return s->sender.status ? refuse_sender(s, ret) : true;
}

bool wh_submission_signed(wh_submission *s, wh_str body, wh_http_problem *ret) {
  if (!s->auth) return true;
  wh_auth_body(&s->sender, body.data, body.len);
  wh_auth_end(&s->sender);
  return s->sender.let_in ? true : refuse_sender(s, ret);
}

// --- what ----------------------------------------------------------------------------------------

bool wh_submission_type(wh_submission *s, wh_str type, wh_str encoding, wh_http_problem *ret) {
  s->kind = wh_intake_kind_of(type);
  if (s->kind != WH_INTAKE_OTHER && !encoding.len) return true;
  return refuse(ret, 415,
                "send application/json or application/x-ndjson, in UTF-8 and not compressed");
}

static bool take_key(wh_submission *s, wh_str body, wh_str key, wh_http_problem *ret) {
  char scoped[WH_AUTH_CLIENT_MAX + 2 + WH_INGEST_KEY_MAX + 1];
  if (key.data && (!key.len || key.len > WH_INGEST_KEY_MAX))
    return refuse(ret, 400, "an Idempotency-Key has 1 to 255 characters");
  s->has_key = key.data || s->sender.replay[0];
  if (!s->has_key) return true;
  if (s->sender.replay[0])
    snprintf(scoped, sizeof scoped, "signature\n%s", s->sender.replay);
  else
    snprintf(scoped, sizeof scoped, "%s\n%.*s", s->sender.client, WH_STR_ARG(key));
  wh_sha256_of(wh_str_of(scoped), s->key);
  wh_sha256_of(body, s->hash);
  return true;
}

static bool refuse_unread(wh_submission *s, wh_status status, wh_http_problem *ret) {
  if (status == WH_ERR_DATA) return refuse(ret, 400, s->error.text);
  if (status == WH_ERR_LIMIT) return refuse(ret, 413, s->error.text);
  refuse(ret, 503, "there is no memory for it now");
  ret->retry_after_s = WH_INGEST_RETRY_SECONDS;
  return false;
}

static bool refuse_invalid(const wh_submission *s, wh_http_problem *ret) {
  if (s->intake.is_malformed)
    refuse(ret, 400, "an event cannot be read; nothing was stored");
  else
    refuse(ret, 422, "an event does not fit its columns; nothing was stored");
  ret->errors = wh_buf_str(&s->intake.errors);
  return false;
}

// An event that its queue would never accept.
static wh_status check_post(const wh_submission *s, wh_error *err) {
  const wh_post_type *post = s->ingest->post;
  wh_str rest = wh_buf_str(&s->intake.lines), line;
  while (post && wh_str_split(&rest, '\n', &line))
    if (post->bytes(line) > post->bytes_max)
      return wh_fail(err, WH_ERR_LIMIT,
                     "an event takes more than %zu bytes in its columns' types: %s",
                     post->bytes_max, post->limit);
  return WH_OK;
}

bool wh_submission_read(wh_submission *s, wh_str body, wh_str key, size_t line_max,
                        wh_http_problem *ret) {
  wh_schema columns = wh_ingest_declared(s->ingest->endpoint);
  if (!take_key(s, body, key, ret)) return false;
  wh_status status = wh_intake_read(&s->intake, &columns, s->kind, body, line_max, &s->error);
  if (status == WH_OK && s->intake.rejected && !s->ingest->quarantines)
    return refuse_invalid(s, ret);
  if (status == WH_OK) status = check_post(s, &s->error);
  return status == WH_OK ? true : refuse_unread(s, status, ret);
}

// --- the answer ----------------------------------------------------------------------------------

void wh_submission_write_taken(const char *receipt, uint64_t events, uint64_t rejected,
                               wh_buf *out) {
  wh_buf_printf(out, "{\"receipt\":\"%s\",\"events\":%llu", receipt, (unsigned long long)events);
  if (rejected) wh_buf_printf(out, ",\"rejected\":%llu", (unsigned long long)rejected);
  wh_buf_add_c(out, "}\n");
}
