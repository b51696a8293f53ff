// Queues that take events as messages, one each. A message may be sent again: its id stays the
// same, and whoever receives it leaves out what it knows.
#pragma once

#include "base/arena.h"
#include "connect/connection.h"

enum { WH_POST_ID_MAX = 128 };

typedef struct wh_post {
  wh_str id;    // letters, digits and '-'; at most WH_POST_ID_MAX
  wh_str group; // those of one stay in order, where order is kept
  wh_str body;  // a JSON object
  bool accepted;
} wh_post;

// Messages to be sent, in an arena that is reset with them.
typedef struct wh_posts {
  wh_post *items;
  size_t count, cap;
} wh_posts;
// The events of a request from its `first` on, a line each, as messages RECEIPT-0, RECEIPT-1 ...
// Copies nothing.
wh_status wh_posts_add(wh_posts *posts, wh_str receipt, size_t first, wh_str group, wh_str lines,
                       wh_arena *arena, wh_error *err);

typedef struct wh_post_type {
  size_t bytes_max;             // that a message's body may take
  size_t (*bytes)(wh_str body); // and what one takes
  const char *limit;            // half a sentence that names the limit
  // Sends those that are not accepted yet, each once, until one is not accepted or `stop`, which
  // may be NULL, is set. WH_OK: now all are. WH_ERR_UNAVAILABLE, WH_ERR_BUSY: later, perhaps.
  wh_status (*send)(wh_connection *c, wh_post *posts, size_t count, const atomic_bool *stop,
                    wh_error *err);
} wh_post_type;
