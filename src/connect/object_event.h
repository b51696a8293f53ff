// What services say of objects: that one was made, removed or changed. These are notifications of
// S3 [1], as they come through SNS [2] (wrapped, or raw), from EventBridge [3], or in the events
// that Lambda hands to a function [4]; and what another Wherry tells of its runs (engine/notice.h).
// Bytes in, names out; nobody is asked.
//
// Nothing in them is trusted: whoever may send to the queue can say anything. An event only says
// where to look. Its `sequencer` and times are passed over: what is newer, the rows' versions say.
//
// [1] https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
// [2] https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
// [3] https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
// [4] https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

enum {
  WH_OBJECT_EVENT_BYTES_MAX = 6 << 20, // what Lambda takes at most; SQS carries 1 MiB
  WH_OBJECT_EVENTS_MAX = 10000,        // in one message
};

// What Wherry tells has this member, the version of its form. It grows when a reader that does not
// know it would go wrong.
#define WH_NOTICE_FORM "wherry"
enum { WH_NOTICE_VERSION = 1 };

typedef struct wh_object_event {
  wh_str bucket;
  wh_str key;     // decoded; not checked (wh_key_check)
  wh_str version; // of a bucket that keeps versions; else empty
  wh_str etag;    // without quotes
} wh_object_event;

typedef struct wh_object_events {
  const wh_object_event *items; // objects that were made
  size_t count;
  size_t ignored; // records that say anything else: removed, restored, a test event, a run that
                  // published no object in a bucket
} wh_object_events;

// Strings live in the arena. WH_ERR_DATA: it is none of the above, or a record lacks its bucket or
// key; the text says what was found.
wh_status wh_object_events_parse(wh_str message, wh_arena *arena, wh_object_events *ret,
                                 wh_error *err);
