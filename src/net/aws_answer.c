#include "net/aws_private.h"

#include "base/json_doc.h"
#include "net/xml.h"

// --- what the service says -----------------------------------------------------------------------

static void copy(char *out, size_t size, wh_str text) {
  text = wh_str_trim(text);
  size_t len = wh_utf8_cut(text, size - 1);
  for (size_t i = 0; i < len; i++) // one line, whatever it was
    out[i] = (uint8_t)text.data[i] < ' ' || text.data[i] == 0x7F ? ' ' : text.data[i];
  out[len] = 0;
}

// "com.amazonaws.sqs#QueueDoesNotExist:http://..." -> "QueueDoesNotExist"
static void copy_code(call *c, wh_str text) {
  text = wh_str_sub(text, 0, wh_str_find(text, 0, ':'));
  size_t hash = wh_str_find(text, 0, '#');
  if (hash < text.len) text = wh_str_sub(text, hash + 1, text.len);
  if (text.len) copy(c->base.code, sizeof c->base.code, text);
}

// <Error> may be the root or stand in <ErrorResponse>.
static wh_status take_element(void *context, wh_str path, wh_str text, wh_error *err) {
  call *c = context;
  (void)err;
  if (wh_str_ends(path, "/Error/Code"))
    copy_code(c, text);
  else if (wh_str_ends(path, "/Error/Message"))
    copy(c->base.message, sizeof c->base.message, text);
  else if (wh_str_ends(path, "/RequestId") || wh_str_ends(path, "/RequestID"))
    copy(c->base.request_id, sizeof c->base.request_id, text);
  return WH_OK;
}

static void read_json(call *c, wh_str body) {
  json_t *root = json_loadb(body.data, body.len, 0, NULL);
  wh_str code = wh_json_text(root, "__type"), message = wh_json_text(root, "message");
  copy_code(c, code.len ? code : wh_json_text(root, "code"));
  copy(c->base.message, sizeof c->base.message,
       message.len ? message : wh_json_text(root, "Message"));
  json_decref(root);
}

static void read_said(call *c) {
  static const char *const ids[] = {"x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"};
  const wh_http_exchange *x = c->http;
  wh_str body = wh_str_trim(x->body);
  for (size_t i = 0; i < sizeof ids / sizeof ids[0] && !c->base.request_id[0]; i++)
    copy(c->base.request_id, sizeof c->base.request_id, wh_http_header_get(x, ids[i]));
  if (wh_str_starts(body, "<")) {
    wh_xml_visitor visitor = {.end = take_element, .context = c};
    WH_IGNORE(wh_xml_read(c->client->aws->options.mem, body, &visitor, NULL));
  } else if (wh_str_starts(body, "{")) {
    read_json(c, body);
  }
  copy_code(c, wh_http_header_get(x, "x-amzn-errortype"));
}

// --- what it means -------------------------------------------------------------------------------

bool wh_aws_is(const wh_aws_exchange *x, const char *code) {
  return strcmp(x->code, code) == 0;
}

static bool is_one_of(const call *c, const char *const *codes) {
  for (; *codes; codes++)
    if (wh_aws_is(&c->base, *codes)) return true;
  return false;
}

static bool code_has(const call *c, const char *part) {
  return strstr(c->base.code, part) != NULL;
}

bool wh_aws_is_expired(const call *c) {
  static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException",
                                      "TokenRefreshRequired", NULL};
  return is_one_of(c, codes);
}

bool wh_aws_is_clock(const call *c) {
  static const char *const codes[] = {"RequestTimeTooSkewed",
                                      "RequestExpired",
                                      "RequestInTheFuture",
                                      "InvalidSignatureException",
                                      "SignatureDoesNotMatch",
                                      "AuthFailure",
                                      NULL};
  // An answer to HEAD has no code.
  return is_one_of(c, codes) || (c->base.http == 403 && !c->base.code[0]);
}

static bool is_throttled(const call *c) {
  static const char *const codes[] = {"Throttling",
                                      "ThrottlingException",
                                      "ThrottledException",
                                      "RequestThrottledException",
                                      "RequestThrottled",
                                      "TooManyRequestsException",
                                      "ProvisionedThroughputExceededException",
                                      "TransactionInProgressException",
                                      "RequestLimitExceeded",
                                      "BandwidthLimitExceeded",
                                      "LimitExceededException",
                                      "SlowDown",
                                      "PriorRequestNotComplete",
                                      "EC2ThrottledException",
                                      NULL};
  return c->base.http == 429 || is_one_of(c, codes);
}

static bool is_transient(const call *c) {
  static const char *const codes[] = {
      "RequestTimeout",      "RequestTimeoutException", "InternalError",         "InternalFailure",
      "InternalServerError", "ServiceUnavailable",      "IDPCommunicationError", NULL};
  int http = c->base.http;
  return http == 500 || http == 502 || http == 503 || http == 504 || is_one_of(c, codes);
}

// Two writers at once: the same request may be taken a moment later.
static bool is_conflict(const call *c) {
  static const char *const codes[] = {"ConditionalRequestConflict", "OperationAborted", NULL};
  return is_one_of(c, codes);
}

static bool is_denied(const call *c) {
  static const char *const codes[] = {"AccessDenied",
                                      "AccessDeniedException",
                                      "UnrecognizedClientException",
                                      "InvalidSignatureException",
                                      "IncompleteSignature",
                                      "InvalidClientTokenId",
                                      "MissingAuthenticationToken",
                                      "MissingAuthenticationTokenException",
                                      "NotAuthorized",
                                      "OptInRequired",
                                      "RequestExpired",
                                      NULL};
  return c->base.http == 401 || c->base.http == 403 || wh_aws_is_expired(c) || is_one_of(c, codes);
}

static bool is_missing(const call *c) {
  static const char *const codes[] = {"ResourceNotFoundException", "ParameterNotFound",
                                      "QueueDoesNotExist",         "NotFound",
                                      "NotFoundException",         NULL};
  return c->base.http == 404 || is_one_of(c, codes) ||
         wh_str_starts(wh_str_of(c->base.code), "NoSuch") || code_has(c, "NonExistent");
}

static wh_status status_of(const call *c) {
  int http = c->base.http;
  if (is_throttled(c)) return WH_ERR_BUSY;
  if (is_conflict(c) || is_transient(c) || http > 500) return WH_ERR_UNAVAILABLE;
  if (http == 412 || http == 304 || code_has(c, "ConditionalCheckFailed")) return WH_ERR_CHANGED;
  if (is_denied(c)) return WH_ERR_DENIED;
  if (is_missing(c)) return WH_ERR_NOT_FOUND;
  if (http == 413 || code_has(c, "TooLarge") || code_has(c, "SizeLimitExceeded"))
    return WH_ERR_LIMIT;
  if (http == 409 || code_has(c, "AlreadyExist") || code_has(c, "AlreadyOwned") ||
      code_has(c, "ResourceInUse") || code_has(c, "ResourceConflict"))
    return WH_ERR_EXISTS;
  return WH_ERR_REFUSED;
}

static wh_retry_reason reason_of(const call *c) {
  if (is_throttled(c)) return WH_RETRY_THROTTLED;
  return is_transient(c) || is_conflict(c) ? WH_RETRY_TRANSIENT : WH_RETRY_NEVER;
}

// --- the sentence --------------------------------------------------------------------------------

static void add_details(call *c) {
  char text[2 * WH_AWS_ID_MAX];
  wh_error *err = &c->base.error;
  int n = snprintf(text, sizeof text, " (%d", c->base.http);
  if (c->retry.attempts > 0)
    n += snprintf(text + n, sizeof text - (size_t)n, ", attempt %d", c->retry.attempts + 1);
  if (c->base.request_id[0])
    n += snprintf(text + n, sizeof text - (size_t)n, ", request %s", c->base.request_id);
  snprintf(text + n, sizeof text - (size_t)n, ")");
  wh_error_append(err, text);
  // S3 says where a bucket is that is asked for in another region.
  wh_str region = wh_http_header_get(c->http, "x-amz-bucket-region");
  if (!region.len || c->base.http == 404 || wh_str_eq(region, c->client->aws->region)) return;
  snprintf(text, sizeof text, ". It is in %.*s: set `region`", WH_STR_ARG(region));
  wh_error_append(err, text);
}

static const char *meaning(int http) {
  switch (http) {
  case 301:
  case 307:
    return "it is somewhere else";
  case 304:
    return "it has not changed";
  case 401:
  case 403:
    return "access denied";
  case 404:
    return "not found";
  case 412:
    return "it is another one now";
  case 429:
    return "too many requests";
  default:
    return http >= 500 ? "the service failed" : "refused";
  }
}

static void write_refusal(call *c) {
  wh_aws_exchange *x = &c->base;
  const wh_str host = c->client->aws->host;
  const char *said = x->message[0] ? x->message : meaning(x->http);
  x->status = wh_fail(&x->error, status_of(c), "%.*s: %s: %s%s%s", WH_STR_ARG(host), c->label,
                      x->code, x->code[0] ? ": " : "", said);
  if (wh_str_ends(wh_str_of(x->error.text), ".")) x->error.text[strlen(x->error.text) - 1] = 0;
  x->error.retry = reason_of(c) != WH_RETRY_NEVER;
  add_details(c);
}

// S3 begins the answers to copying and completing with 200, and spaces, before it knows how they
// end [https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html]. What a
// GET answers may be an object that reads so.
static bool is_late_failure(const call *c) {
  if (!c->client->aws->options.plain_path || c->http->code != 200) return false;
  if (wh_str_starts(wh_str_of(c->label), "GET ")) return false;
  wh_str body = wh_str_sub(wh_str_trim(c->http->body), 0, WH_AWS_LABEL_MAX);
  return body.len && memmem(body.data, body.len, "<Error>", 7) != NULL;
}

wh_retry_reason wh_aws_judge(call *c) {
  wh_aws_exchange *x = &c->base;
  const wh_http_exchange *http = c->http;
  x->http = http->code;
  x->body = http->body;
  x->code[0] = x->message[0] = x->request_id[0] = 0;
  if (http->status != WH_OK) {
    x->status = http->status;
    x->error = http->error;
    wh_error_prefix(&x->error, "%s: ", c->label);
    if (x->status != WH_ERR_UNAVAILABLE) return WH_RETRY_NEVER;
    return http->timed_out ? WH_RETRY_TIMEOUT : WH_RETRY_TRANSIENT;
  }
  if (x->http >= 200 && x->http < 300 && !is_late_failure(c)) {
    x->status = WH_OK;
    return WH_RETRY_NEVER;
  }
  read_said(c);
  write_refusal(c);
  return reason_of(c);
}
