// The pieces of the local queue: watch.c waits and hands out events, watch_tree.c knows which
// folder each inotify watch is of.
#pragma once

#include "connect/local/local.h"

struct inotify_event;

enum {
  WH_LOCAL_WATCH_FOLDERS = 262144, // watched at once; the system has a limit of its own, too
  WH_LOCAL_WATCH_EVENTS = 65536,   // announced but not yet handed out; more are lost (ret_lost)
  WH_LOCAL_WATCH_BYTES = 65536,    // read from inotify at a time
};

// A watched folder. `folder` is "" for the store's own, else a key with '/' behind it.
typedef struct wh_local_watch {
  int wd;
  wh_str folder; // in the accountant's memory
} wh_local_watch;

typedef struct wh_local_tree {
  wh_connection *c;
  wh_str pattern;
  int fd;                  // inotify
  wh_local_watch *watches; // by wd, which the system hands out in growing order
  size_t count;
  size_t cap;
  bool root_gone;
  // Called for each file that may be new and whose key matches. Events for files that were there
  // before the tree was built are not announced.
  wh_status (*announce)(void *context, wh_str key, wh_error *err);
  void *context;
} wh_local_tree;

// Watches what can hold matching keys. On failure the tree is to be freed all the same.
wh_status wh_local_tree_build(wh_local_tree *tree, wh_error *err);
// What one event means: a file to announce, a folder to watch (with what is in it announced) or to
// forget.
wh_status wh_local_tree_handle(wh_local_tree *tree, const struct inotify_event *event,
                               wh_error *err);
void wh_local_tree_free(wh_local_tree *tree); // may be built again
