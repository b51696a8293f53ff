#include "codec/csv/feed.h"

void csv_feed_open(csv_feed *feed, wh_mem *mem, wh_input *in, size_t row_limit, size_t window) {
  if (window < CSV_WINDOW_BYTES) window = CSV_WINDOW_BYTES;
  size_t most = row_limit < CSV_WINDOW_MAX ? row_limit : CSV_WINDOW_MAX;
  most = most > CSV_AHEAD ? most : CSV_AHEAD;
  *feed = (csv_feed){
      .data = "", .in = in, .mem = mem, .row_limit = most, .window = most < window ? most : window};
}

void csv_feed_open_at(csv_feed *feed, wh_mem *mem, wh_input *in, size_t row_limit, uint64_t from,
                      uint64_t size) {
  csv_feed_open(feed, mem, in, row_limit, 0);
  feed->ranged = true;
  feed->size = size;
  csv_feed_seek(feed, from);
}

void csv_feed_seek(csv_feed *feed, uint64_t from) {
  feed->base = from;
  feed->len = 0;
  feed->ended = from >= feed->size;
}

void csv_feed_close(csv_feed *feed) {
  if (feed->bytes) wh_mem_free(feed->mem, feed->bytes, feed->cap + CSV_SLACK);
  *feed = (csv_feed){.data = ""};
}

// Another capacity, of at least len.
static wh_status resize(csv_feed *feed, size_t cap, wh_error *err) {
  size_t old = feed->bytes ? feed->cap + CSV_SLACK : 0;
  char *bytes = wh_mem_realloc(feed->mem, feed->bytes, old, cap + CSV_SLACK);
  if (!bytes) return wh_fail_memory(err);
  feed->data = feed->bytes = bytes;
  feed->cap = cap;
  return WH_OK;
}

// One read; the zeros behind are set by the caller.
static wh_status take(csv_feed *feed, wh_error *err) {
  size_t room = feed->cap - feed->len, n;
  if (feed->ranged) {
    uint64_t at = feed->base + feed->len;
    n = feed->size - at < room ? (size_t)(feed->size - at) : room;
    if (n) WH_TRY(feed->in->read_at(feed->in, at, feed->bytes + feed->len, n, err));
    feed->ended = at + n >= feed->size;
  } else {
    WH_TRY(wh_input_read(feed->in, feed->bytes + feed->len, room, &n, err));
    feed->ended = n == 0;
  }
  feed->len += n;
  feed->read += n;
  return WH_OK;
}

static wh_status take_until(csv_feed *feed, size_t len, wh_error *err) {
  wh_status status = WH_OK;
  while (status == WH_OK && feed->len < len && !feed->ended)
    status = take(feed, err);
  if (feed->bytes) memset(feed->bytes + feed->len, 0, CSV_SLACK);
  return status;
}

wh_status csv_feed_more(csv_feed *feed, size_t keep, wh_error *err) {
  if (feed->ended) return WH_OK;
  size_t rest = feed->len - keep;
  if (keep) memmove(feed->bytes, feed->data + keep, rest);
  feed->base += keep;
  feed->len = rest;
  size_t cap = feed->window;
  while (cap < rest + rest / 2)
    cap *= 2;
  if (cap > feed->row_limit + CSV_AHEAD) cap = feed->row_limit + CSV_AHEAD;
  if (rest >= cap) {
    return wh_fail(err, WH_ERR_LIMIT, "a row is larger than %zu bytes, an eighth of memory",
                   feed->row_limit);
  }
  if (cap != feed->cap) WH_TRY(resize(feed, cap, err));
  return take_until(feed, feed->cap, err);
}

wh_status csv_feed_fill(csv_feed *feed, size_t bytes, wh_error *err) {
  if (bytes > feed->row_limit + CSV_AHEAD) bytes = feed->row_limit + CSV_AHEAD;
  if (bytes > feed->cap) WH_TRY(resize(feed, bytes, err));
  return take_until(feed, bytes, err);
}
