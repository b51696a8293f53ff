// Deleting messages and moving the time until which they are hidden, ten at a time.
#include "connect/sqs/sqs.h"

static void forget(wh_sqs_changes *changes, wh_sqs_change *list, size_t *count) {
  for (size_t i = 0; i < *count; i++)
    wh_mem_free(changes->c->mem, list[i].handle, strlen(list[i].handle) + 1);
  *count = 0;
}

// Says what the server did not do, of the first.
static wh_status read_failed(const wh_sqs_changes *changes, wh_str answer, const char *what,
                             wh_error *err) {
  WH_CLEAN_JSON json_t *json = NULL;
  WH_TRY(wh_json_load(answer, WH_SQS_ANSWER_BYTES_MAX, "the answer", &json, err));
  const json_t *failed = json_object_get(json, "Failed");
  size_t count = json_array_size(failed);
  if (!count) return WH_OK;
  const json_t *first = json_array_get(failed, 0);
  wh_str code = wh_json_text(first, "Code"), message = wh_json_text(first, "Message");
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: %zu messages cannot be %s: %.*s (%.*s). They come again",
                 WH_STR_ARG(changes->c->name), count, what, WH_STR_ARG(message), WH_STR_ARG(code));
}

static void add_entries(wh_buf *body, const wh_sqs_change *list, size_t count, bool hides) {
  wh_buf_add_c(body, ",\"Entries\":[");
  for (size_t i = 0; i < count; i++) {
    wh_buf_printf(body, "%s{\"Id\":\"%zu\",\"ReceiptHandle\":", i ? "," : "", i);
    wh_buf_add_json(body, wh_str_of(list[i].handle));
    if (hides) wh_buf_printf(body, ",\"VisibilityTimeout\":%lld", (long long)list[i].seconds);
    wh_buf_add_char(body, '}');
  }
  wh_buf_add_c(body, "]}");
}

static wh_status send(wh_sqs_changes *changes, bool hides, wh_error *err) {
  wh_sqs_change *list = hides ? changes->hides : changes->deletes;
  size_t *count = hides ? &changes->hide_count : &changes->delete_count;
  if (!*count) return WH_OK;
  const wh_sqs *s = changes->c->own;
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, changes->c->mem, 0);
  wh_sqs_begin(s->url, &body);
  add_entries(&body, list, *count, hides);
  forget(changes, list, count);
  WH_TRY(wh_buf_check(&body, err));
  wh_str text = wh_buf_str(&body);
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_str target = hides ? WH_STR("AmazonSQS.ChangeMessageVisibilityBatch")
                        : WH_STR("AmazonSQS.DeleteMessageBatch");
  wh_aws_request request = wh_aws_json(target, "1.0", headers, &text);
  wh_aws_exchange *x = NULL;
  wh_status status = wh_aws_call(changes->client, &request, &x, err);
  if (status == WH_OK)
    status = read_failed(changes, x->body, hides ? "hidden" : "deleted", err);
  else
    wh_error_prefix(err, "%.*s: ", WH_STR_ARG(changes->c->name));
  wh_aws_end(x);
  return status;
}

static wh_status add(wh_sqs_changes *changes, bool hides, wh_str handle, int64_t seconds,
                     wh_error *err) {
  wh_sqs_change *list = hides ? changes->hides : changes->deletes;
  size_t *count = hides ? &changes->hide_count : &changes->delete_count;
  wh_status status = *count == WH_SQS_BATCH ? send(changes, hides, err) : WH_OK;
  char *copy = wh_mem_alloc(changes->c->mem, handle.len + 1);
  if (!copy) return wh_fail_memory(err);
  memcpy(copy, handle.data, handle.len);
  copy[handle.len] = 0;
  list[(*count)++] = (wh_sqs_change){.handle = copy, .seconds = seconds};
  return status;
}

wh_status wh_sqs_hide(wh_sqs_changes *changes, wh_str handle, int64_t seconds, wh_error *err) {
  return add(changes, true, handle, seconds, err);
}

wh_status wh_sqs_delete(wh_sqs_changes *changes, wh_str handle, wh_error *err) {
  return add(changes, false, handle, 0, err);
}

wh_status wh_sqs_flush(wh_sqs_changes *changes, wh_error *err) {
  wh_status hidden = send(changes, true, err);
  wh_status deleted = send(changes, false, hidden == WH_OK ? err : NULL);
  return hidden != WH_OK ? hidden : deleted;
}

void wh_sqs_changes_free(wh_sqs_changes *changes) {
  if (!changes->c) return;
  forget(changes, changes->hides, &changes->hide_count);
  forget(changes, changes->deletes, &changes->delete_count);
}
