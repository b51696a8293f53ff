// The messages of an invocation as a queue (connect/queue.h): they come one after the other, once,
// and what becomes of each is kept here. Nothing is sent anywhere.
#pragma once

#include "connect/queue.h"
#include "lambda/event.h"

typedef enum wh_message_outcome {
  WH_MESSAGE_OPEN,
  WH_MESSAGE_DONE,
  WH_MESSAGE_FAILED,
} wh_message_outcome;

typedef struct wh_lambda_batch wh_lambda_batch;

extern const wh_queue_type wh_lambda_queue; // its handles are batches

// In the arena, as everything it makes; borrows the event. NULL: no memory.
wh_lambda_batch *wh_lambda_batch_new(const wh_lambda_event *event, wh_arena *arena);
// Why the first message that cannot be understood cannot; its status is WH_OK where there is none.
const wh_error *wh_lambda_batch_problem(const wh_lambda_batch *batch);
wh_message_outcome wh_lambda_batch_outcome(const wh_lambda_batch *batch, size_t message);
bool wh_lambda_batch_is_taken(const wh_lambda_batch *batch); // every message was received
