// What an invocation's event asks for. The events of S3, SNS, SQS and EventBridge are told from
// each other by their content, as Lambda does not say which it hands over [1].
//
//   {"Records":[{"eventSource":"aws:sqs","messageId":...,"body":...},...]}   messages, each by
//   itself anything that connect/object_event.h knows                              one message
//   {"pipeline":"NAME"} or {"pipelines":["A","B"]}, with "full", "since", "limit" as `wherry run`
//                                                                           run these
//   {"detail-type":"Scheduled Event",...}                                   run what is due
//   what lambda/gateway.h knows                                             answer a request
//
// [1] https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
#pragma once

#include "base/arena.h"
#include "engine/engine.h"
#include "lambda/gateway.h"

enum { WH_LAMBDA_MESSAGES_MAX = 10000 }; // SQS hands over at most so many

typedef struct wh_lambda_message {
  wh_str id; // of SQS, to say which failed; empty: the event is all there is
  wh_str body;
} wh_lambda_message;

typedef enum wh_lambda_kind {
  WH_LAMBDA_MESSAGES,
  WH_LAMBDA_RUN,
  WH_LAMBDA_SCHEDULE,
  WH_LAMBDA_REQUEST,
} wh_lambda_kind;

typedef struct wh_lambda_event {
  wh_lambda_kind kind;
  bool is_sqs; // whoever gave the messages wants to know which failed
  wh_lambda_message *messages;
  size_t message_count;
  wh_str *pipelines; // to run
  size_t pipeline_count;
  wh_run_options options;
  wh_gateway_request request;
} wh_lambda_event;

// Strings live in the arena. WH_ERR_DATA: it is no JSON object, or a direct call that says
// something else than it may.
wh_status wh_lambda_event_parse(wh_str event, wh_arena *arena, wh_lambda_event *ret, wh_error *err);
