// The sqs connector: a queue of Amazon SQS, or of a server that speaks like it, in its JSON
// protocol. It announces objects of S3 (connect/object_event.h), or brings rows, takes events, and
// is told of runs.
//
//   uploads:
//     type: sqs
//     queue: arn:aws:sqs:eu-west-1:123456789012:uploads
//
// The actions of the API that are needed stand in wh_sqs_permits; `depth` also asks the queue for
// dead letters for its attributes, where that is allowed.
//
// Threads: a handle belongs to one, but for `wake`.
#pragma once

#include "base/json_doc.h"
#include "connect/aws_place.h"
#include "connect/connect.h"

// Limits of the service ("Amazon SQS message quotas").
enum {
  WH_SQS_BATCH = 10,                     // messages received or sent, or changes, by one request
  WH_SQS_SEND_BYTES_MAX = 256 * 1024,    // of a message, and of all of a request together
  WH_SQS_POLL_SECONDS_MAX = 20,          // that a question waits for messages
  WH_SQS_HIDDEN_SECONDS_MAX = 12 * 3600, // since it was received
  // What a message takes of an answer: 1 MiB, with every quote escaped, and what is said of it.
  WH_SQS_MESSAGE_BYTES_MAX = 5 << 19,
  WH_SQS_ANSWER_BYTES_MAX = WH_SQS_BATCH * WH_SQS_MESSAGE_BYTES_MAX,
};

// Ours.
enum {
  WH_SQS_FAIL_SECONDS_MAX = 15 * 60, // a message is given back later than this by no means
  WH_SQS_SEND_US = 10 * 1000000,     // of one attempt to send a message
  WH_SQS_SEND_ATTEMPTS = 2,          // the outbox tries again, too
  WH_SQS_FLIGHTS = 8,                // requests with events under way at once
  WH_SQS_WAKE_US = 100000,           // how soon `wake` is seen
  WH_SQS_LIBRARY_BYTES = 2 << 20,    // TLS and jansson's trees, past the accountant
};

typedef struct wh_sqs_options {
  wh_aws_place place;
  wh_str queue;
  const wh_node *columns; // config/ reads them: its messages are rows, read by connect/ingest
} wh_sqs_options;

// What all verbs share.
typedef struct wh_sqs {
  wh_arena arena;
  wh_aws *aws;
  wh_aws_name name;
  wh_str url;
} wh_sqs;

extern const wh_connector wh_connector_sqs;
extern const wh_queue_type wh_sqs_queue;
extern const wh_notify_type wh_sqs_notify;
extern const wh_post_type wh_sqs_post;

// "{\"QueueUrl\":\"...\"": every request's body begins with it.
void wh_sqs_begin(wh_str url, wh_buf *body);

// attributes.c
typedef struct wh_sqs_attributes {
  int64_t hidden_seconds; // for which a message is hidden when it is received
  wh_queue_depth depth;   // without `dead`
  wh_str dead_queue;      // URL of where it puts dead letters, in the arena; empty: nowhere
} wh_sqs_attributes;
wh_status wh_sqs_ask(wh_connection *c, wh_str url, wh_arena *arena, wh_sqs_attributes *ret,
                     wh_error *err);
wh_status wh_sqs_depth(wh_connection *c, wh_queue_depth *ret, wh_error *err);

// changes.c: what is to be said of messages, gathered for one request each.
typedef struct wh_sqs_change {
  char *handle; // NUL-terminated, the list's
  int64_t seconds;
} wh_sqs_change;
typedef struct wh_sqs_changes {
  wh_connection *c;
  wh_aws_client *client;
  wh_sqs_change hides[WH_SQS_BATCH], deletes[WH_SQS_BATCH];
  size_t hide_count, delete_count;
} wh_sqs_changes;
wh_status wh_sqs_hide(wh_sqs_changes *changes, wh_str handle, int64_t seconds, wh_error *err);
wh_status wh_sqs_delete(wh_sqs_changes *changes, wh_str handle, wh_error *err);
// Sends what there is, and forgets it whatever comes of that.
wh_status wh_sqs_flush(wh_sqs_changes *changes, wh_error *err);
void wh_sqs_changes_free(wh_sqs_changes *changes);
