// A queue as one that takes events: SendMessageBatch, several requests under way at once. A queue
// that keeps order (".fifo") gets one after the other, up to the first that is not accepted.
#include "connect/sqs/sqs.h"

#define ID_ATTRIBUTE "_wherry_id"

// What a message takes besides its body: the name, the type and the value of its attribute.
enum { BESIDES = sizeof ID_ATTRIBUTE - 1 + sizeof "String" - 1 + WH_POST_ID_MAX };

typedef struct flight {
  wh_buf body;
  wh_str piece;
  wh_aws_exchange *x;
  wh_post *posts[WH_SQS_BATCH];
  size_t count;
} flight;

typedef struct sending {
  wh_connection *c;
  const wh_sqs *sqs;
  wh_aws_client *client;
  wh_post *posts;
  size_t count, next;
  bool is_fifo;
  flight flights[WH_SQS_FLIGHTS];
} sending;

// --- bodies --------------------------------------------------------------------------------------

// SQS takes the characters of XML 1.0 [1]. Of those that JSON has beyond them in a text as they are
// only U+FFFE and U+FFFF are left (others are escaped already), so they are escaped, too.
// [1] https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
enum { ODD_BYTES = 3, ESCAPED_BYTES = 6 };

static size_t next_odd(wh_str text, size_t at) {
  for (; at < text.len; at++) {
    at = wh_str_find(text, at, '\xEF');
    wh_str three = wh_str_sub(text, at, at + ODD_BYTES);
    if (wh_str_is(three, "\xEF\xBF\xBE") || wh_str_is(three, "\xEF\xBF\xBF")) return at;
  }
  return text.len;
}

static size_t bytes_of(wh_str body) {
  size_t bytes = body.len;
  for (size_t at = next_odd(body, 0); at < body.len; at = next_odd(body, at + ODD_BYTES))
    bytes += ESCAPED_BYTES - ODD_BYTES;
  return bytes;
}

static void add_body(wh_buf *out, wh_str body) {
  size_t at = next_odd(body, 0), from = 0;
  if (at == body.len) {
    wh_buf_add_json(out, body);
    return;
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, out->mem, 0);
  for (; at < body.len; from = at + ODD_BYTES, at = next_odd(body, from)) {
    wh_buf_add_str(&text, wh_str_sub(body, from, at));
    wh_buf_add_c(&text, body.data[at + 2] == '\xBE' ? "\\ufffe" : "\\uffff");
  }
  wh_buf_add_str(&text, wh_str_sub(body, from, body.len));
  wh_buf_add_json(out, wh_buf_str(&text));
  if (text.failed) out->failed = true;
}

// --- a request -----------------------------------------------------------------------------------

static void add_entry(const sending *s, flight *f, wh_post *post) {
  wh_buf *body = &f->body;
  wh_buf_printf(body, "%s{\"Id\":\"%zu\",\"MessageBody\":", f->count ? "," : "", f->count);
  add_body(body, post->body);
  wh_buf_add_c(body, ",\"MessageAttributes\":{\"" ID_ATTRIBUTE
                     "\":{\"DataType\":\"String\",\"StringValue\":");
  wh_buf_add_json(body, post->id);
  wh_buf_add_c(body, "}}");
  if (s->is_fifo) {
    wh_buf_add_c(body, ",\"MessageGroupId\":");
    wh_buf_add_json(body, post->group);
    wh_buf_add_c(body, ",\"MessageDeduplicationId\":");
    wh_buf_add_json(body, post->id);
  }
  wh_buf_add_char(body, '}');
  f->posts[f->count++] = post;
}

// As many of those that are left as one request takes.
static void fill(sending *s, flight *f) {
  size_t bytes = 0;
  wh_buf_clear(&f->body);
  f->count = 0;
  wh_sqs_begin(s->sqs->url, &f->body);
  wh_buf_add_c(&f->body, ",\"Entries\":[");
  for (; s->next < s->count && f->count < WH_SQS_BATCH; s->next++) {
    wh_post *post = &s->posts[s->next];
    if (post->accepted) continue;
    bytes += bytes_of(post->body) + BESIDES;
    if (f->count && bytes > WH_SQS_SEND_BYTES_MAX) break;
    add_entry(s, f, post);
  }
  wh_buf_add_c(&f->body, "]}");
}

static wh_status start(sending *s, flight *f, wh_error *err) {
  WH_TRY(wh_buf_check(&f->body, err));
  f->piece = wh_buf_str(&f->body);
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request =
      wh_aws_json(WH_STR("AmazonSQS.SendMessageBatch"), "1.0", headers, &f->piece);
  request.total_us = WH_SQS_SEND_US;
  request.attempts = 1; // who sends tries again
  return wh_aws_start(s->client, &request, &f->x, err);
}

// --- its answer ----------------------------------------------------------------------------------

static wh_post *entry_of(const flight *f, const json_t *item) {
  uint64_t number;
  return wh_str_to_u64(wh_json_text(item, "Id"), &number) && number < f->count ? f->posts[number]
                                                                               : NULL;
}

// What is the sender's fault would be refused again; all the same it stays to be sent.
static wh_status read_failed(const json_t *failed, wh_error *err) {
  const json_t *first = json_array_get(failed, 0);
  wh_str code = wh_json_text(first, "Code"), message = wh_json_text(first, "Message");
  bool ours = json_is_true(json_object_get(first, "SenderFault"));
  return wh_fail(err, ours ? WH_ERR_REFUSED : WH_ERR_UNAVAILABLE,
                 "%zu messages of a batch are not accepted: %.*s (%.*s)", json_array_size(failed),
                 WH_STR_ARG(message), WH_STR_ARG(code));
}

static wh_status read_answer(flight *f, wh_str answer, wh_error *err) {
  WH_CLEAN_JSON json_t *json = NULL;
  WH_TRY(wh_json_load(answer, WH_SQS_ANSWER_BYTES_MAX, "the answer", &json, err));
  const json_t *failed = json_object_get(json, "Failed"), *item;
  size_t i;
  json_array_foreach(json_object_get(json, "Successful"), i, item) {
    wh_post *post = entry_of(f, item);
    if (post) post->accepted = true;
  }
  if (json_array_size(failed)) return read_failed(failed, err);
  for (i = 0; i < f->count; i++)
    if (!f->posts[i]->accepted)
      return wh_fail(err, WH_ERR_UNAVAILABLE, "the answer does not say that it has every message");
  return WH_OK;
}

static wh_status finish(const sending *s, flight *f, wh_error *err) {
  wh_aws_exchange *done = NULL;
  WH_TRY(wh_aws_wait(s->client, f->x, -1, &done, err));
  if (f->x->status == WH_OK) return read_answer(f, f->x->body, err);
  *err = f->x->error;
  return f->x->status;
}

// --- all of them ---------------------------------------------------------------------------------

// Requests that are under way together.
static wh_status send_round(sending *s, wh_error *err) {
  size_t most = s->is_fifo ? 1 : WH_SQS_FLIGHTS, n = 0;
  wh_status status = WH_OK;
  for (; n < most && s->next < s->count && status == WH_OK; n++) {
    flight *f = &s->flights[n];
    fill(s, f);
    if (f->count) status = start(s, f, err);
  }
  for (size_t i = 0; i < n; i++) {
    flight *f = &s->flights[i];
    wh_error why = {0};
    wh_status ended = f->x ? finish(s, f, &why) : WH_OK;
    if (status == WH_OK && ended != WH_OK) *err = why;
    if (status == WH_OK) status = ended;
    wh_aws_end(f->x);
    f->x = NULL;
  }
  return status;
}

static wh_status send_all(sending *s, const atomic_bool *stop, wh_error *err) {
  while (s->next < s->count) {
    if (stop && atomic_load(stop)) return wh_fail(err, WH_ERR_CANCELLED, "asked to stop");
    WH_TRY(send_round(s, err));
  }
  return WH_OK;
}

static wh_status sqs_send(wh_connection *c, wh_post *posts, size_t count, const atomic_bool *stop,
                          wh_error *err) {
  wh_error ignored = {0};
  if (!err) err = &ignored;
  sending *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  *s = (sending){.c = c, .sqs = c->own, .posts = posts, .count = count};
  s->is_fifo = wh_str_ends(s->sqs->name.name, ".fifo");
  for (size_t i = 0; i < WH_SQS_FLIGHTS; i++)
    wh_buf_init(&s->flights[i].body, c->mem, 0);
  wh_status status = wh_aws_take(s->sqs->aws, c->cancel, &s->client, err);
  if (status == WH_OK) status = send_all(s, stop, err);
  wh_aws_give(s->client);
  for (size_t i = 0; i < WH_SQS_FLIGHTS; i++)
    wh_buf_free(&s->flights[i].body);
  wh_mem_free(c->mem, s, sizeof *s);
  if (status != WH_OK && status != WH_ERR_CANCELLED)
    wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

const wh_post_type wh_sqs_post = {
    .bytes_max = WH_SQS_SEND_BYTES_MAX - BESIDES,
    .bytes = bytes_of,
    .limit = "SQS takes 256 KiB a message",
    .send = sqs_send,
};
