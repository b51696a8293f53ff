// Connections: named places. A connector is one folder under connect/ and one line in
// connect/registry.c; it can be a source of rows, a sink of rows, a store of objects, a queue, or
// several of these. The same contract tests run against every implementation.
#pragma once

#include "base/option.h"
#include "base/os.h"
#include "connect/cloud.h"
#include "connect/feed.h"
#include "connect/grants.h"
#include "connect/notify.h"
#include "connect/permits.h"
#include "connect/post.h"
#include "connect/queue.h"
#include "connect/sink.h"
#include "connect/source.h"
#include "connect/store.h"

typedef struct wh_connector {
  const char *name; // "sqlite", the value of `type:`
  const char *help;
  const wh_option *options;     // besides the shared ones (`type`, `accepts`), which config/ owns
  size_t options_size;          // of the struct the table fills
  const wh_source_type *source; // NULL: not one
  const wh_sink_type *sink;
  const wh_store_type *store;
  // A store's notifies of its new objects; a connection that is no store is a queue by itself.
  const wh_queue_type *queue;
  const wh_feed_type *feed;     // of rows, which config/ knows the columns of; NULL: not one
  const wh_notify_type *notify; // NULL: takes no messages
  const wh_post_type *post;     // NULL: takes no events
  // A problem in the options that the table cannot express; may be NULL.
  wh_status (*check)(const void *options, wh_error *err);
  // Makes what all verbs share (connection->own), without reaching the place; threads may then use
  // it at once. It may put another type around this one (connect/sealed_store.h): from then on the
  // verbs are those of connection->type. NULL: nothing is shared.
  wh_status (*open)(wh_connection *connection, wh_error *err);
  void (*close)(wh_connection *connection); // after the last verb; where `open` succeeded
  // Reaches the place without moving data, for `check --connect`; says what was found in one line.
  wh_status (*reach)(wh_connection *connection, wh_buf *ret_note, wh_error *err);
  // Visits the GRANTs that let the user do what is asked, in the server's words; connects when it
  // can, to see which tables there are. NULL: nothing has to be granted here.
  wh_status (*grants)(wh_connection *connection, const wh_grants_request *request, wh_arena *arena,
                      wh_grant_visit visit, void *context, wh_error *err);
  // Adds what an IAM policy must allow for the use. The connection is not open, and nobody is
  // asked. NULL: IAM knows nothing of the place.
  wh_status (*permits)(const wh_connection *connection, const wh_use *use, wh_iam_policy *policy,
                       wh_error *err);
  // What it is at AWS, told from its options: the connection is not open. NULL: nothing.
  wh_status (*cloud)(const wh_connection *connection, wh_arena *arena, wh_cloud_place *ret,
                     wh_error *err);
  size_t reserve_bytes;      // memory that libraries behind it need
  bool reserve_is_accounted; // they take it through the accountant; otherwise past it
} wh_connector;

extern const wh_connector *const wh_connectors[]; // NULL-terminated
const wh_connector *wh_connector_by_name(wh_str name);
