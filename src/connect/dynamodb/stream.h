// The connector dynamodb-stream: what changes in a table of DynamoDB, as a feed of rows
// (connect/feed.h). All items come first, by a scan; then the records of the table's stream.
//
//   staff-changes:
//     type: dynamodb-stream
//     table: Employees
//     columns: { emp_id: int64, name: text }
//
// Rows are as in changes.h, shards as in shards.h. Positions of the feed:
//   stream      the ARN of the stream that is read
//   since       records that are older (microseconds) are in the export
//   begun       when the feed began (microseconds)
//   export/N    of segment N of the scan: where it goes on, or "done"
//   shard/ID    of a shard: "done", or the last record that was read ("-": none), and the time that
//               what comes behind it is younger than, in its children where it is done
//   read-to     everything that was made before is read (microseconds)
//
// The stream is never switched on, off or over: what is missing is said.
#pragma once

#include "connect/connect.h"
#include "connect/dynamodb/pace.h"
#include "connect/dynamodb/shards.h"
#include "connect/dynamodb/source.h"

// Limits of the service, and ours.
enum {
  WH_DYNAMODB_STREAM_RECORDS = 1000,     // of one answer
  WH_DYNAMODB_STREAM_FLIGHT_MAX = 4,     // requests at once: each answer is up to 1 MB
  WH_DYNAMODB_STREAM_EMPTIES = 3,        // answers without records: the end, for now
  WH_DYNAMODB_STREAM_BUSY_US = 200000,   // between two requests to a shard: 5 a second
  WH_DYNAMODB_STREAM_IDLE_US = 1000000,  // and to one at whose end nothing has come
  WH_DYNAMODB_STREAM_LIST_US = 10000000, // between two descriptions of the stream
  WH_DYNAMODB_STREAM_TELL_US = 10000000, // between two times that `caught-up` is told
  WH_DYNAMODB_STREAM_PAUSE_US = 500000,  // after a refusal; twice as long after the next, up to
  WH_DYNAMODB_STREAM_PAUSE_MAX_US = 20000000,
  WH_DYNAMODB_STREAM_WAKE_US = 100000, // how soon a wish to stop is seen
};
// How much older than the export a record may be that comes all the same. Clocks that differ by
// more than five minutes are refused by the service, or corrected by its.
#define WH_DYNAMODB_STREAM_MARGIN_US (15ll * 60 * 1000000)
// How long a shard is not told of while nothing comes.
#define WH_DYNAMODB_STREAM_REST_US (3600ll * 1000000)

typedef struct wh_dynamodb_stream_options {
  wh_aws_place place;
  wh_str table;
  const wh_node *columns; // config/ reads them
  bool export;
  int64_t segments;
} wh_dynamodb_stream_options;

extern const wh_connector wh_connector_dynamodb_stream;
extern const wh_feed_type wh_dynamodb_feed;

// connection->own
typedef struct wh_dynamodb_stream {
  wh_aws *tables, *streams; // the two services
} wh_dynamodb_stream;

// A shard that is read, or a segment of the scan.
typedef struct wh_dynamodb_part {
  wh_dynamodb_shard *shard;  // NULL: a segment
  wh_dynamodb_asking asking; // of a segment
  wh_buf after;              // and where it goes on
  bool is_done;              // the segment
  wh_buf iterator;           // of a shard; empty: it has to be asked for
  bool asks_iterator;        // by the request under way
  wh_buf body;
  wh_str piece;
  wh_aws_exchange *exchange; // under way
  int64_t asked_us;          // when records were asked for last
  int64_t due_us, pause_us;  // monotonic; the last pause after a refusal
} wh_dynamodb_part;

struct wh_feed {
  wh_connection *connection;
  const wh_dynamodb_stream_options *options;
  wh_aws_client *tables, *streams;
  wh_arena arena;
  wh_dynamodb_lines lines;
  wh_str stream; // ARN
  bool is_begun; // it has positions
  wh_dynamodb_shards shards;
  bool knows_shards; // positions speak of some
  bool is_described; // since it was opened
  int64_t list_us;   // monotonic: when to describe the stream
  wh_dynamodb_part *segments;
  size_t segment_count, segments_left;
  wh_schema scanned; // attributes that the scan asks for
  int64_t begun_us, opened_us, told_us;
  int64_t read_to_us; // as the positions had it; 0: they did not say
  wh_arena page_arena; // of positions
  wh_buf positions;    // wh_feed_position
  _Atomic bool woken;
};

// stream.c: to the page.
wh_status wh_dynamodb_tell(wh_feed *f, const char *name, wh_str value, wh_error *err);
// The service's clock.
int64_t wh_dynamodb_stream_now(const wh_feed *f);
void wh_dynamodb_part_free(wh_dynamodb_part *part); // zeroed is fine
// A request that was refused as too much: the part waits. Another failure is one.
wh_status wh_dynamodb_part_failed(wh_feed *f, wh_dynamodb_part *part, wh_error *err);
wh_status wh_dynamodb_part_start(wh_feed *f, wh_dynamodb_part *part, wh_str action, wh_error *err);

// stream_export.c: the scan.
wh_status wh_dynamodb_export_make(wh_feed *f, const wh_dynamodb_table *table, wh_error *err);
wh_status wh_dynamodb_export_restore(wh_feed *f, const wh_feed_position *position, wh_error *err);
wh_status wh_dynamodb_export_begin(wh_feed *f, wh_error *err); // tells the first positions
wh_status wh_dynamodb_export_ask(wh_feed *f, wh_dynamodb_part *part, wh_error *err);
wh_status wh_dynamodb_export_take(wh_feed *f, wh_dynamodb_part *part, wh_error *err);

// stream_shard.c: the stream.
wh_status wh_dynamodb_stream_list(wh_feed *f, wh_error *err);
wh_status wh_dynamodb_shard_ask(wh_feed *f, wh_dynamodb_part *part, wh_error *err);
wh_status wh_dynamodb_shard_take(wh_feed *f, wh_dynamodb_part *part, wh_error *err);
// Times of shards at which nothing came, and of the whole.
wh_status wh_dynamodb_stream_tell_rest(wh_feed *f, wh_error *err);
bool wh_dynamodb_stream_caught_up(const wh_feed *f);
