#include "lambda/batch.h"

#include "connect/object_event.h"

// Longer than any invocation: nobody else gets the message meanwhile.
static const int64_t HIDDEN_US = 24ll * 3600 * 1000000;

struct wh_lambda_batch {
  const wh_lambda_event *event;
  wh_arena *arena;
  wh_message_outcome *outcomes;
  wh_error problem;
  size_t next;            // message
  wh_object_events found; // of the one before it
  size_t given;           // of those
};

static wh_lambda_batch *of(wh_queue_handle *handle) {
  return (wh_lambda_batch *)handle;
}

wh_lambda_batch *wh_lambda_batch_new(const wh_lambda_event *event, wh_arena *arena) {
  wh_lambda_batch *b = WH_NEW(arena, wh_lambda_batch);
  if (!b) return NULL;
  *b = (wh_lambda_batch){.event = event, .arena = arena};
  b->outcomes = WH_NEW_ARRAY(arena, event->message_count, wh_message_outcome);
  return b->outcomes ? b : NULL;
}

const wh_error *wh_lambda_batch_problem(const wh_lambda_batch *b) {
  return &b->problem;
}

wh_message_outcome wh_lambda_batch_outcome(const wh_lambda_batch *b, size_t message) {
  return b->outcomes[message];
}

bool wh_lambda_batch_is_taken(const wh_lambda_batch *b) {
  return b->next == b->event->message_count && b->given == b->found.count;
}

// Receipts are the messages' numbers, from 1.
static wh_event event_of(const wh_lambda_batch *b, size_t count) {
  return (wh_event){
      .receipt = b->next, .of_receipt = (uint32_t)count, .deliveries = 1, .hidden_us = HIDDEN_US};
}

// Reads the next message. One that cannot be understood is an event by itself.
static wh_status open_next(wh_lambda_batch *b, wh_event *events, size_t *count, wh_error *err) {
  wh_error why = {0};
  wh_str body = b->event->messages[b->next++].body;
  b->given = 0;
  b->found = (wh_object_events){0};
  wh_status status = wh_object_events_parse(body, b->arena, &b->found, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status == WH_OK) {
    if (b->found.count == 0) b->outcomes[b->next - 1] = WH_MESSAGE_DONE;
    return WH_OK;
  }
  if (b->problem.status == WH_OK) b->problem = why;
  wh_event *event = &events[(*count)++];
  *event = event_of(b, 1);
  event->problem = wh_arena_str(b->arena, wh_str_of(why.text));
  return event->problem.data ? WH_OK : wh_fail_memory(err);
}

static wh_status receive(wh_queue_handle *handle, wh_event *events, size_t max, int64_t wait_us,
                         size_t *ret_count, bool *ret_lost, wh_error *err) {
  (void)wait_us;
  wh_lambda_batch *b = of(handle);
  size_t count = 0;
  while (count < max && !wh_lambda_batch_is_taken(b)) {
    if (b->given == b->found.count) {
      WH_TRY(open_next(b, events, &count, err));
      continue;
    }
    const wh_object_event *found = &b->found.items[b->given++];
    events[count] = event_of(b, b->found.count);
    events[count].bucket = found->bucket;
    events[count].store_key = found->key;
    events[count++].version = found->version;
  }
  *ret_count = count;
  *ret_lost = false;
  return WH_OK;
}

static wh_status extend(wh_queue_handle *handle, uint64_t receipt, int64_t hidden_us,
                        wh_error *err) {
  (void)handle, (void)receipt, (void)hidden_us, (void)err;
  return WH_OK;
}

static wh_status done(wh_queue_handle *handle, uint64_t receipt, wh_error *err) {
  (void)err;
  of(handle)->outcomes[receipt - 1] = WH_MESSAGE_DONE;
  return WH_OK;
}

static wh_status fail(wh_queue_handle *handle, uint64_t receipt, wh_error *err) {
  (void)err;
  of(handle)->outcomes[receipt - 1] = WH_MESSAGE_FAILED;
  return WH_OK;
}

const wh_queue_type wh_lambda_queue = {
    .receive = receive, .extend = extend, .done = done, .fail = fail};
