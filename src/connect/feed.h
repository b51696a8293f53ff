// Feeds: what another place keeps in order and for a while, such as the changes of a table. Nothing
// is taken from there. How far it was read is remembered here, by whoever stores what came of it,
// with it (engine/inbox.h): so each event is stored once.
#pragma once

#include "connect/connection.h"
#include "data/type.h"

// A place to go on from: of a part of the feed, or what the feed knows besides.
typedef struct wh_feed_position {
  wh_str name, value; // no value: it is over, and to be forgotten
} wh_feed_position;

typedef struct wh_feed_event {
  size_t end;   // of its line in the page's
  uint64_t key; // a hash of what it is about: of two events of one thing it is the same
  bool removes; // the thing is gone
} wh_feed_event;

// What is stored in one transaction.
typedef struct wh_feed_page {
  wh_str lines; // NDJSON with the feed's columns
  const wh_feed_event *events;
  size_t count;
  const wh_feed_position *positions; // that have changed
  size_t position_count;
} wh_feed_page;

typedef struct wh_feed wh_feed;
typedef struct wh_feed_type {
  // The rows of a feed: the feed's own columns, then those that are declared. In the arena.
  wh_status (*schema)(const wh_schema *declared, wh_arena *arena, wh_schema *ret, wh_error *err);
  // `positions` are those that pages gave, as they were last; none: it begins. The schema is that
  // of `schema`, and outlives the feed.
  wh_status (*open)(wh_connection *c, const wh_schema *schema, const wh_feed_position *positions,
                    size_t count, wh_feed **ret, wh_error *err);
  // Waits at most wait_us for a page, which has neither events nor positions when nothing came. It
  // lives until the next call, for which it counts as stored: after a page that was not, and after
  // an error, the feed is of no use any more.
  wh_status (*next)(wh_feed *feed, int64_t wait_us, wh_feed_page *ret, wh_error *err);
  // Whether everything has come that was there when it was opened.
  bool (*caught_up)(const wh_feed *feed);
  void (*wake)(wh_feed *feed); // from any thread: a `next` that waits returns soon
  void (*close)(wh_feed *feed);
} wh_feed_type;
