#include "connect/splunk/answer.h"

#include "base/json_doc.h"

#include <stdio.h>

static bool is_whole(const json_t *number) {
  return json_is_integer(number) && json_integer_value(number) >= 0;
}

// The server's words are printed: nothing of a terminal's or a log's own goes with them.
static void keep_text(wh_str text, wh_splunk_answer *ret) {
  size_t len = wh_utf8_cut(text, sizeof ret->text - 1);
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    ret->text[i] = c < 0x20 || c == 0x7F ? ' ' : (char)c;
  }
  ret->text[len] = 0;
}

static bool is_about_an_event(int code) {
  return code == WH_SPLUNK_INVALID_FORMAT || code == WH_SPLUNK_INCORRECT_INDEX ||
         code == WH_SPLUNK_NO_EVENT || code == WH_SPLUNK_BLANK_EVENT ||
         code == WH_SPLUNK_BAD_FIELDS;
}

static wh_splunk_verdict judge(int status, int code) {
  if (status >= 200 && status < 300) return code < 0 ? WH_SPLUNK_REFUSED : WH_SPLUNK_TAKEN;
  if (status == 413) return WH_SPLUNK_TOO_LARGE;
  if (status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505))
    return WH_SPLUNK_LATER;
  return status == WH_SPLUNK_BAD_REQUEST && is_about_an_event(code) ? WH_SPLUNK_BAD_EVENT
                                                                    : WH_SPLUNK_REFUSED;
}

void wh_splunk_answer_read(int status, wh_str body, wh_splunk_answer *ret) {
  WH_CLEAN_JSON json_t *root = NULL;
  *ret = (wh_splunk_answer){.code = -1};
  if (wh_json_load(body, WH_SPLUNK_ANSWER_BYTES_MAX, "the answer", &root, NULL) == WH_OK) {
    const json_t *code = json_object_get(root, "code"), *ack = json_object_get(root, "ackId");
    const json_t *number = json_object_get(root, "invalid-event-number");
    if (is_whole(code) && json_integer_value(code) < 1000)
      ret->code = (int)json_integer_value(code);
    if ((ret->has_ack = is_whole(ack))) ret->ack = (uint64_t)json_integer_value(ack);
    if ((ret->has_number = is_whole(number))) ret->number = (uint64_t)json_integer_value(number);
    keep_text(wh_json_text(root, "text"), ret);
  }
  ret->verdict = judge(status, ret->code);
}

// What to do about a code. The token itself is never named, only where it comes from.
static const char *advice(int status, const wh_splunk_answer *a, wh_status *ret_kind) {
  *ret_kind = WH_ERR_USAGE;
  switch (a->code) {
  case WH_SPLUNK_INCORRECT_INDEX:
    return "The token may not write to that index. Name one of the token's under `index`, or have "
           "it added to the token";
  case WH_SPLUNK_NO_CHANNEL:
    return "No channel was seen: is there a proxy that drops X-Splunk-Request-Channel?";
  case WH_SPLUNK_ACK_DISABLED:
    return "The token acknowledges nothing. Turn on indexer acknowledgement for it, or say ack: no "
           "and accept that what the collector has taken may be lost with it";
  default:
    break;
  }
  if (status == 401 || status == 403 || a->code == 21 || a->code == 22) {
    *ret_kind = WH_ERR_DENIED;
    return "Splunk does not take the token. See Settings, Data inputs, HTTP Event Collector: "
           "whether it is there, is enabled, and is the one given under `token`";
  }
  if (status >= 200 && status < 300) {
    *ret_kind = WH_ERR_IO;
    return "That is no answer of an HTTP Event Collector. Check the host and port of `url`";
  }
  if (status == 404 || (status >= 300 && status < 400))
    return "There is no HTTP Event Collector. Check the host and port of `url` (8088 unless it was "
           "changed; on Splunk Cloud https://http-inputs-NAME.splunkcloud.com)";
  *ret_kind = WH_ERR_IO;
  return "It takes no such request";
}

wh_status wh_splunk_answer_fail(const wh_connection *c, int status, const wh_splunk_answer *a,
                                wh_error *err) {
  wh_status kind;
  const char *what = advice(status, a, &kind);
  char said[sizeof a->text + 48];
  if (a->code >= 0)
    snprintf(said, sizeof said, "%s%scode %d, HTTP %d", a->text, a->text[0] ? ": " : "", a->code,
             status);
  else
    snprintf(said, sizeof said, "HTTP %d", status);
  wh_str host = wh_http_host(wh_splunk_options_of(c)->url);
  return wh_fail(err, kind, "%.*s: %.*s says: %s. %s", WH_STR_ARG(c->name), WH_STR_ARG(host), said,
                 what);
}

wh_status wh_splunk_acks_read(wh_str body, wh_splunk_acked acked, void *context, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(body, WH_SPLUNK_ANSWER_BYTES_MAX, "the answer", &root, err));
  json_t *acks = json_object_get(root, "acks"), *value;
  if (!json_is_object(acks)) return wh_fail(err, WH_ERR_DATA, "the answer has no acks");
  const char *name;
  json_object_foreach(acks, name, value) {
    uint64_t number;
    if (json_is_true(value) && wh_str_to_u64(wh_str_of(name), &number)) acked(context, number);
  }
  return WH_OK;
}
