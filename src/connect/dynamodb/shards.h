// The shards of a stream, and how far each was read. A shard's records are in order, and those of a
// child come after those of its parent: so a shard is read when its parent was read to its end, or
// is not there any more. ("DynamoDB Streams" in the developer guide, "Reading and processing a
// stream".)
#pragma once

#include "base/json_doc.h"
#include "base/os.h"
#include "connect/dynamodb/changes.h"
#include "connect/feed.h"

#define WH_DYNAMODB_SHARD_POSITION "shard/" // in front of the shard's name

enum {
  WH_DYNAMODB_SHARD_ID_MAX = 65,
  WH_DYNAMODB_SHARDS_MAX = 20000, // that are read of one stream
};

// How long records are kept.
#define WH_DYNAMODB_KEEP_US (24ll * 3600 * 1000000)

typedef struct wh_dynamodb_shard wh_dynamodb_shard;
struct wh_dynamodb_shard {
  char id[WH_DYNAMODB_SHARD_ID_MAX + 1], parent[WH_DYNAMODB_SHARD_ID_MAX + 1]; // parent empty: none
  const wh_dynamodb_shard *of;              // the parent, where it is there
  bool is_listed;                           // by the latest description
  bool is_done;                             // it is closed, and was read to its end
  char after[WH_DYNAMODB_SEQUENCE_MAX + 1]; // the last record that was read; empty: none
  // What comes behind it was made later than this; 0: nobody knows, it was never read.
  int64_t fresh_us;
  int64_t told_us;  // fresh_us as it was last a position
  bool is_at_front; // where its iterator was, the server does not know it any more: from the oldest
  int empties;      // answers without records, one after the other
  bool is_caught_up; // what there was when the feed was opened was read
  void *reading;     // whoever reads it
};

typedef struct wh_dynamodb_shards {
  wh_mem *mem;
  wh_dynamodb_shard **items;
  size_t count, cap;
} wh_dynamodb_shards;

void wh_dynamodb_shards_init(wh_dynamodb_shards *all, wh_mem *mem);
void wh_dynamodb_shards_free(wh_dynamodb_shards *all); // zeroed is fine

// Takes up a position. Others than those of shards are left alone. WH_ERR_DATA: it cannot be read.
wh_status wh_dynamodb_shards_restore(wh_dynamodb_shards *all, const wh_feed_position *position,
                                     wh_error *err);
// The position of a shard, as text behind `out`.
void wh_dynamodb_shard_write(const wh_dynamodb_shard *shard, wh_buf *out);

// A page of DescribeStream (StreamDescription); *ret_last is the shard behind which the next page
// begins, empty at the end. A description begins with _forget, and ends with _settle.
void wh_dynamodb_shards_forget(wh_dynamodb_shards *all);
wh_status wh_dynamodb_shards_list(wh_dynamodb_shards *all, const json_t *description,
                                  wh_str *ret_last, wh_error *err);
// Gives the shards that are not there any more to `gone`, and removes them; finds the parents.
// WH_ERR_CHANGED: one of them was not read to its end.
wh_status wh_dynamodb_shards_settle(wh_dynamodb_shards *all,
                                    wh_status (*gone)(void *context, wh_dynamodb_shard *shard,
                                                      wh_error *err),
                                    void *context, wh_error *err);

static inline bool wh_dynamodb_shard_is_ready(const wh_dynamodb_shard *shard) {
  return !shard->is_done && (!shard->of || shard->of->is_done);
}
// Whether nothing can have been trimmed that was not read.
static inline bool wh_dynamodb_shard_is_whole(const wh_dynamodb_shard *shard, int64_t now_us) {
  return !shard->fresh_us || now_us - shard->fresh_us < WH_DYNAMODB_KEEP_US;
}
