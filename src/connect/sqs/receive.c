// The queue as events of objects, or as messages. A question for messages (a long poll) stays under
// way while the caller says what became of earlier ones, so that one thread and one client do for
// both.
//
// An answer takes at most what a row may take of `memory`, or one message. It begins with as many
// messages as fit even when each is as large as they get; events are small, so that soon ten are
// asked for. Where that was too much, what the answer had comes again when it is not hidden any
// more, and it begins anew.
#include "connect/object_event.h"
#include "connect/sqs/sqs.h"

enum { US_PER_S = 1000000, NS_PER_US = 1000 };

// Received, and neither done nor given back.
typedef struct message {
  uint64_t receipt;
  uint32_t deliveries;
  char *handle; // SQS's, NUL-terminated
} message;

typedef struct sqs_queue {
  wh_connection *c;
  bool for_messages; // what they say is handed out as it is
  wh_aws_client *client;
  wh_aws_exchange *poll; // NULL: none under way
  wh_buf body;           // of the poll
  wh_str body_piece;
  int64_t hidden_seconds; // 0: not asked yet
  size_t ask;             // messages at once; 0: not known yet
  message *messages;
  size_t message_count, message_cap;
  uint64_t last_receipt;
  wh_sqs_changes changes;
  wh_arena arena; // of the pending events; emptied when all were handed out and let go
  wh_event *pending;
  size_t pending_count, pending_cap, given;
  atomic_bool woken;
} sqs_queue;

static sqs_queue *of(wh_queue_handle *handle) {
  return (sqs_queue *)handle;
}

static wh_status say(const sqs_queue *q, wh_status status, wh_error *err) {
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(q->c->name));
  return status;
}

// --- messages that are out -----------------------------------------------------------------------

static wh_status keep_message(sqs_queue *q, wh_str handle, uint32_t deliveries, wh_error *err) {
  if (q->message_count == q->message_cap) {
    size_t cap = q->message_cap ? 2 * q->message_cap : 64;
    message *moved =
        wh_mem_realloc(q->c->mem, q->messages, q->message_cap * sizeof *moved, cap * sizeof *moved);
    if (!moved) return wh_fail_memory(err);
    q->messages = moved;
    q->message_cap = cap;
  }
  char *copy = wh_mem_alloc(q->c->mem, handle.len + 1);
  if (!copy) return wh_fail_memory(err);
  memcpy(copy, handle.data, handle.len);
  copy[handle.len] = 0;
  q->messages[q->message_count++] =
      (message){.receipt = ++q->last_receipt, .deliveries = deliveries, .handle = copy};
  return WH_OK;
}

// Receipts grow, and so the list is in their order.
static message *find(sqs_queue *q, uint64_t receipt) {
  size_t low = 0, high = q->message_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (q->messages[middle].receipt < receipt)
      low = middle + 1;
    else
      high = middle;
  }
  bool found = low < q->message_count && q->messages[low].receipt == receipt;
  return found ? &q->messages[low] : NULL;
}

static void drop(sqs_queue *q, message *m) {
  wh_mem_free(q->c->mem, m->handle, strlen(m->handle) + 1);
  size_t at = (size_t)(m - q->messages);
  memmove(m, m + 1, (q->message_count - at - 1) * sizeof *m);
  q->message_count--;
}

// --- reading an answer ---------------------------------------------------------------------------

static wh_status add_pending(sqs_queue *q, const wh_event *event, wh_error *err) {
  if (q->pending_count == q->pending_cap) {
    size_t cap = q->pending_cap ? 2 * q->pending_cap : 64;
    wh_event *moved =
        wh_mem_realloc(q->c->mem, q->pending, q->pending_cap * sizeof *moved, cap * sizeof *moved);
    if (!moved) return wh_fail_memory(err);
    q->pending = moved;
    q->pending_cap = cap;
  }
  q->pending[q->pending_count++] = *event;
  return WH_OK;
}

static wh_status add_problem(sqs_queue *q, wh_event event, const wh_error *why, wh_error *err) {
  event.problem = wh_arena_str(&q->arena, wh_str_of(why->text));
  event.of_receipt = 1;
  return event.problem.data ? add_pending(q, &event, err) : wh_fail_memory(err);
}

static wh_status add_message(sqs_queue *q, wh_str id, wh_str body, wh_error *err) {
  const message *m = &q->messages[q->message_count - 1];
  wh_event event = {.id = wh_arena_str(&q->arena, id),
                    .body = wh_arena_str(&q->arena, body),
                    .receipt = m->receipt,
                    .of_receipt = 1,
                    .deliveries = m->deliveries,
                    .hidden_us = q->hidden_seconds * US_PER_S};
  return event.id.data && event.body.data ? add_pending(q, &event, err) : wh_fail_memory(err);
}

// What the message says; one that speaks of no new object is done with.
static wh_status add_events(sqs_queue *q, wh_str body, wh_error *err) {
  message *m = &q->messages[q->message_count - 1];
  wh_event event = {.receipt = m->receipt,
                    .deliveries = m->deliveries,
                    .hidden_us = q->hidden_seconds * US_PER_S};
  wh_object_events found;
  wh_error why = {0};
  wh_status status = wh_object_events_parse(body, &q->arena, &found, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) return add_problem(q, event, &why, err);
  if (found.count == 0) {
    status = wh_sqs_delete(&q->changes, wh_str_of(m->handle), err);
    drop(q, m);
    return status;
  }
  event.of_receipt = (uint32_t)found.count;
  for (size_t i = 0; i < found.count; i++) {
    event.bucket = found.items[i].bucket;
    event.store_key = found.items[i].key;
    event.version = found.items[i].version;
    WH_TRY(add_pending(q, &event, err));
  }
  return WH_OK;
}

static wh_status read_message(sqs_queue *q, const json_t *json, wh_error *err) {
  wh_str handle = wh_json_text(json, "ReceiptHandle"), body = wh_json_text(json, "Body");
  const json_t *attributes = json_object_get(json, "Attributes");
  uint64_t deliveries = 0;
  if (!wh_str_to_u64(wh_json_text(attributes, "ApproximateReceiveCount"), &deliveries) ||
      deliveries > UINT32_MAX)
    deliveries = 0;
  if (!handle.len) return wh_fail(err, WH_ERR_IO, "the answer has a message without a handle");
  WH_TRY(keep_message(q, handle, (uint32_t)deliveries, err));
  uint64_t receipt = q->last_receipt;
  size_t before = q->pending_count;
  wh_status status = q->for_messages ? add_message(q, wh_json_text(json, "MessageId"), body, err)
                                     : add_events(q, body, err);
  if (status == WH_OK) return WH_OK;
  // Not some of its events: what is to be done when all have an outcome would never be. It comes
  // again when it is not hidden any more.
  message *m = find(q, receipt);
  if (m) drop(q, m);
  q->pending_count = before;
  return status;
}

// How many messages fit for sure.
static size_t sure_count(const sqs_queue *q) {
  size_t count = q->c->row_limit_bytes / WH_SQS_MESSAGE_BYTES_MAX;
  if (q->c->row_limit_bytes == 0 || count > WH_SQS_BATCH) return WH_SQS_BATCH;
  return count ? count : 1;
}

static size_t answer_bytes_max(const sqs_queue *q) {
  return sure_count(q) * WH_SQS_MESSAGE_BYTES_MAX;
}

// Twice as many as took less than a quarter of the room take less than half of it.
static void adapt(sqs_queue *q, size_t messages, size_t bytes) {
  if (messages == q->ask && bytes < answer_bytes_max(q) / 4) q->ask *= 2;
  if (q->ask > WH_SQS_BATCH) q->ask = WH_SQS_BATCH;
}

static wh_status read_answer(sqs_queue *q, wh_str text, wh_error *err) {
  WH_CLEAN_JSON json_t *json = NULL;
  WH_TRY(wh_json_load(text, WH_SQS_ANSWER_BYTES_MAX, "the answer", &json, err));
  const json_t *messages = json_object_get(json, "Messages");
  adapt(q, json_array_size(messages), text.len);
  for (size_t i = 0; i < json_array_size(messages); i++)
    WH_TRY(read_message(q, json_array_get(messages, i), err));
  return WH_OK;
}

// --- asking --------------------------------------------------------------------------------------

static wh_status find_out_hidden(sqs_queue *q, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, q->c->mem);
  const wh_sqs *s = q->c->own;
  wh_sqs_attributes found;
  WH_TRY(wh_sqs_ask(q->c, s->url, &arena, &found, err));
  q->hidden_seconds = found.hidden_seconds;
  return WH_OK;
}

// A second less than the caller waits, so that the answer is there in time.
static int64_t poll_seconds(int64_t wait_us) {
  int64_t seconds = wait_us / US_PER_S - 1;
  if (seconds > WH_SQS_POLL_SECONDS_MAX) return WH_SQS_POLL_SECONDS_MAX;
  return wait_us <= 0 ? 0 : seconds < 1 ? 1 : seconds;
}

static wh_status start_poll(sqs_queue *q, int64_t wait_us, wh_error *err) {
  const wh_sqs *s = q->c->own;
  if (!q->ask) q->ask = sure_count(q);
  wh_buf_clear(&q->body);
  wh_sqs_begin(s->url, &q->body);
  wh_buf_printf(&q->body,
                ",\"MaxNumberOfMessages\":%zu,\"WaitTimeSeconds\":%lld,\"VisibilityTimeout\":%lld,"
                "\"AttributeNames\":[\"ApproximateReceiveCount\"]}",
                q->ask, (long long)poll_seconds(wait_us), (long long)q->hidden_seconds);
  WH_TRY(wh_buf_check(&q->body, err));
  q->body_piece = wh_buf_str(&q->body);
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request =
      wh_aws_json(WH_STR("AmazonSQS.ReceiveMessage"), "1.0", headers, &q->body_piece);
  request.body_bytes_max = answer_bytes_max(q);
  return wh_aws_start(q->client, &request, &q->poll, err);
}

// *ret_answered: the answer is there; not so when the time is over, or somebody wakes us.
static wh_status wait_for_answer(sqs_queue *q, int64_t wait_us, bool *ret_answered, wh_error *err) {
  int64_t until = q->c->os->type->monotonic_ns(q->c->os) / NS_PER_US + wait_us;
  *ret_answered = false;
  for (;;) {
    int64_t left = until - q->c->os->type->monotonic_ns(q->c->os) / NS_PER_US;
    // Where nobody wants to wait, only what the server has now is asked for: that is worth it.
    int64_t slice = wait_us <= 0 ? -1 : left < WH_SQS_WAKE_US ? left : WH_SQS_WAKE_US;
    if (wait_us > 0 && (left <= 0 || atomic_exchange(&q->woken, false))) return WH_OK;
    wh_aws_exchange *done = NULL;
    wh_status status = wh_aws_wait(q->client, q->poll, slice, &done, err);
    if (status == WH_ERR_CANCELLED) return WH_OK; // like waking: the caller knows
    WH_TRY(status);
    *ret_answered = done != NULL;
    if (done) return WH_OK;
  }
}

static wh_status poll(sqs_queue *q, int64_t wait_us, wh_error *err) {
  if (!q->hidden_seconds) WH_TRY(find_out_hidden(q, err));
  if (!q->poll) WH_TRY(say(q, start_poll(q, wait_us, err), err));
  bool answered = false;
  WH_TRY(say(q, wait_for_answer(q, wait_us, &answered, err), err));
  if (!answered) return WH_OK;
  wh_aws_exchange *x = q->poll;
  q->poll = NULL;
  wh_status status = x->status;
  bool asked_too_much = status == WH_ERR_LIMIT && q->ask > sure_count(q);
  if (asked_too_much) q->ask = 0;
  if (asked_too_much)
    status = WH_OK;
  else if (status == WH_OK)
    status = read_answer(q, x->body, err);
  else if (err)
    *err = x->error;
  wh_aws_end(x);
  return say(q, status, err);
}

// --- the verbs -----------------------------------------------------------------------------------

static size_t hand_out(sqs_queue *q, wh_event *events, size_t max) {
  size_t n = q->pending_count - q->given;
  if (n > max) n = max;
  if (n) memcpy(events, q->pending + q->given, n * sizeof *events);
  q->given += n;
  return n;
}

static wh_status sqs_receive(wh_queue_handle *handle, wh_event *events, size_t max, int64_t wait_us,
                             size_t *ret_count, bool *ret_lost, wh_error *err) {
  sqs_queue *q = of(handle);
  WH_TRY(wh_sqs_flush(&q->changes, err));
  if (q->given == q->pending_count) {
    q->given = q->pending_count = 0;
    wh_arena_reset(&q->arena);
    // What was read before something failed is handed out all the same.
    wh_status status = poll(q, wait_us, err);
    if (status != WH_OK && q->pending_count == 0) return status;
  }
  *ret_count = hand_out(q, events, max);
  *ret_lost = false;
  return WH_OK;
}

static wh_status sqs_flush(wh_queue_handle *handle, wh_error *err) {
  return wh_sqs_flush(&of(handle)->changes, err);
}

static wh_status sqs_extend(wh_queue_handle *handle, uint64_t receipt, int64_t hidden_us,
                            wh_error *err) {
  sqs_queue *q = of(handle);
  const message *m = find(q, receipt);
  if (!m) return WH_OK;
  int64_t seconds = (hidden_us + US_PER_S - 1) / US_PER_S;
  if (seconds > WH_SQS_HIDDEN_SECONDS_MAX) seconds = WH_SQS_HIDDEN_SECONDS_MAX;
  return wh_sqs_hide(&q->changes, wh_str_of(m->handle), seconds, err);
}

static wh_status sqs_done(wh_queue_handle *handle, uint64_t receipt, wh_error *err) {
  sqs_queue *q = of(handle);
  message *m = find(q, receipt);
  if (!m) return WH_OK;
  wh_status status = wh_sqs_delete(&q->changes, wh_str_of(m->handle), err);
  drop(q, m);
  return status;
}

// 0, 2, 4, 8 ... seconds: the first time somebody else may know better, then there is no hurry.
static int64_t fail_seconds(uint32_t deliveries) {
  enum { SHIFT_MAX = 10 };
  if (deliveries <= 1) return 0;
  int64_t seconds = deliveries > SHIFT_MAX ? WH_SQS_FAIL_SECONDS_MAX : 1ll << (deliveries - 1);
  return seconds < WH_SQS_FAIL_SECONDS_MAX ? seconds : WH_SQS_FAIL_SECONDS_MAX;
}

static wh_status sqs_fail(wh_queue_handle *handle, uint64_t receipt, wh_error *err) {
  sqs_queue *q = of(handle);
  message *m = find(q, receipt);
  if (!m) return WH_OK;
  wh_status status =
      wh_sqs_hide(&q->changes, wh_str_of(m->handle), fail_seconds(m->deliveries), err);
  drop(q, m);
  return status;
}

static int sqs_fd(wh_queue_handle *handle) {
  (void)handle;
  return -1;
}

static void sqs_wake(wh_queue_handle *handle) {
  atomic_store(&of(handle)->woken, true);
}

static void sqs_close(wh_queue_handle *handle) {
  sqs_queue *q = of(handle);
  if (!q) return;
  wh_error ignored = {0};
  if (q->client) WH_IGNORE(wh_sqs_flush(&q->changes, &ignored)); // else they come again
  wh_sqs_changes_free(&q->changes);
  wh_aws_end(q->poll);
  wh_aws_give(q->client);
  while (q->message_count)
    drop(q, &q->messages[q->message_count - 1]);
  wh_mem_free(q->c->mem, q->messages, q->message_cap * sizeof *q->messages);
  wh_mem_free(q->c->mem, q->pending, q->pending_cap * sizeof *q->pending);
  wh_arena_free(&q->arena);
  wh_buf_free(&q->body);
  wh_mem_free(q->c->mem, q, sizeof *q);
}

static wh_status open_handle(wh_connection *c, bool for_messages, wh_queue_handle **ret,
                             wh_error *err) {
  sqs_queue *q = wh_mem_alloc_zero(c->mem, sizeof *q);
  if (!q) return wh_fail_memory(err);
  q->c = c;
  q->for_messages = for_messages;
  wh_buf_init(&q->body, c->mem, 0);
  wh_arena_init(&q->arena, c->mem);
  const wh_sqs *s = c->own;
  wh_status status = say(q, wh_aws_take(s->aws, c->cancel, &q->client, err), err);
  q->changes = (wh_sqs_changes){.c = c, .client = q->client};
  if (status == WH_OK)
    *ret = (wh_queue_handle *)q;
  else
    sqs_close((wh_queue_handle *)q);
  return status;
}

static wh_status sqs_open(wh_connection *c, wh_str pattern, wh_queue_handle **ret, wh_error *err) {
  (void)pattern; // the queue's sender decides what comes
  return open_handle(c, false, ret, err);
}

static wh_status sqs_open_messages(wh_connection *c, wh_queue_handle **ret, wh_error *err) {
  return open_handle(c, true, ret, err);
}

const wh_queue_type wh_sqs_queue = {
    .open = sqs_open,
    .open_messages = sqs_open_messages,
    .receive = sqs_receive,
    .extend = sqs_extend,
    .flush = sqs_flush,
    .done = sqs_done,
    .fail = sqs_fail,
    .fd = sqs_fd,
    .wake = sqs_wake,
    .close = sqs_close,
    .depth = wh_sqs_depth,
};
