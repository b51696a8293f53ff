// Where rows begin and end.
#include "codec/json/reader.h"

static bool is_blank(char c, bool lines) {
  return c == ' ' || c == '\t' || c == '\r' || (c == '\n' && !lines);
}

// Takes more in, keeping what stands from `keep` on (while sampling: everything).
static wh_status take_more(json_reader *r, size_t *keep, wh_error *err) {
  json_feed *feed = &r->feed;
  if (!r->sampling) {
    WH_TRY(json_feed_more(feed, *keep, err));
    *keep = 0;
    return WH_OK;
  }
  if (feed->len == feed->cap && feed->len >= r->sample_bytes && feed->row > 1) {
    r->sample_full = true;
    return WH_OK;
  }
  json_feed_mark(feed, *keep); // while the lines before it are still known
  WH_TRY(json_feed_more(feed, 0, err));
  json_feed_seek(feed, *keep);
  return WH_OK;
}

wh_status json_frame_look(json_reader *reader, json_look *look, void *context, wh_error *err) {
  json_feed *feed = &reader->feed;
  for (;;) {
    feed->fault.kind = JSON_FINE;
    if (look(reader, context) || feed->fault.kind != JSON_MORE) return WH_OK;
    WH_TRY(take_more(reader, &reader->start, err));
    if (reader->sample_full) return WH_OK;
  }
}

// Leaves pos at the first byte that is not white space.
static bool to_value(json_reader *r) {
  json_feed *feed = &r->feed;
  json_feed_ahead(feed); // so that the lines passed over can be counted
  while (feed->pos < feed->len && is_blank(feed->data[feed->pos], r->lines))
    feed->pos++;
  if (feed->pos < feed->len) return true;
  return json_fault_at(feed, feed->ended ? JSON_BROKEN : JSON_MORE, feed->pos,
                       "a value is missing");
}

static bool begin_text(json_reader *r) {
  json_feed *feed = &r->feed;
  if (!to_value(r)) {
    if (feed->fault.kind == JSON_MORE) return false;
    feed->fault.kind = JSON_FINE;
    return json_fault_at(feed, JSON_BROKEN, feed->pos,
                         "there is nothing in it; an array of objects was expected");
  }
  r->open_byte = json_feed_consumed(feed);
  char c = feed->data[feed->pos];
  if (c == '{') {
    r->state = JSON_SINGLE;
    return true;
  }
  if (c != '[') {
    return json_fault_at(feed, JSON_BROKEN, feed->pos,
                         "an array of objects was expected, or one object");
  }
  feed->index_at++;
  feed->pos++;
  r->state = JSON_FIRST;
  return true;
}

static bool next_of_array(json_reader *r, bool *row) {
  bool done;
  if (!json_take_comma(&r->feed, r->state == JSON_FIRST, &done)) return false;
  if (done) {
    r->state = JSON_TAIL;
    return true;
  }
  r->state = JSON_REST;
  *row = true;
  return to_value(r);
}

static bool at_tail(json_reader *r) {
  json_feed *feed = &r->feed;
  if (to_value(r)) {
    return json_fault_at(feed, JSON_BROKEN, feed->pos,
                         "there is more text behind the last bracket");
  }
  if (feed->fault.kind == JSON_MORE) return false;
  r->state = JSON_DONE;
  feed->fault.kind = JSON_FINE;
  return true;
}

// Over empty lines.
static bool next_line(json_reader *r, bool *row) {
  json_feed *feed = &r->feed;
  if (!to_value(r)) {
    if (feed->fault.kind == JSON_MORE) return false;
    feed->fault.kind = JSON_FINE;
    r->state = JSON_DONE;
    return true;
  }
  if (feed->data[feed->pos] != '\n') {
    *row = true;
    return true;
  }
  feed->index_at++;
  feed->pos++;
  return true;
}

// One step towards the next row. State and position move only when it succeeds.
static bool step(json_reader *r, bool *row) {
  switch (r->state) {
  case JSON_START:
    if (!r->lines) return begin_text(r);
    r->state = JSON_LINE;
    return true;
  case JSON_FIRST:
  case JSON_REST:
    return next_of_array(r, row);
  case JSON_SINGLE:
    r->state = JSON_TAIL;
    *row = true;
    return true;
  case JSON_LINE:
    return next_line(r, row);
  default:
    return at_tail(r);
  }
}

wh_status json_frame_next(json_reader *reader, bool *ret_end, wh_error *err) {
  json_feed *feed = &reader->feed;
  bool row = false;
  while (!row && reader->state != JSON_DONE) {
    size_t before = feed->pos;
    json_state state = reader->state;
    feed->fault.kind = JSON_FINE;
    if (step(reader, &row)) continue;
    if (feed->fault.kind != JSON_MORE) return json_frame_fail(reader, err);
    // White space need not be kept; there may be any amount of it.
    while (before < feed->len && is_blank(feed->data[before], reader->lines))
      before++;
    reader->state = state;
    row = false;
    WH_TRY(take_more(reader, &before, err));
    if (reader->sample_full) break;
  }
  *ret_end = !row;
  if (!row) return WH_OK;
  feed->row++;
  reader->start = feed->pos;
  return WH_OK;
}

wh_status json_frame_check_size(const json_reader *reader, wh_error *err) {
  const json_feed *feed = &reader->feed;
  // A sample is going to be read again.
  if (reader->sampling || feed->pos - reader->start <= feed->row_limit) return WH_OK;
  return json_feed_fail_limit(feed, reader->start, err);
}

bool json_frame_close(json_reader *reader) {
  json_feed *feed = &reader->feed;
  if (!reader->lines) return true;
  json_feed_ahead(feed);
  size_t next = feed->index[feed->index_at];
  if (next >= feed->len && !feed->ended) {
    return json_fault_at(feed, JSON_MORE, next, "more");
  }
  if (next < feed->len && feed->data[next] != '\n') {
    return json_unexpected(feed, feed->index_at, "the end of the line behind the object");
  }
  return json_blank(feed, feed->pos, next);
}

static bool skip_value(json_reader *r, void *context) {
  (void)context;
  return json_skip(&r->feed, false);
}

static bool skip_line(json_reader *r, void *context) {
  (void)context;
  json_feed *feed = &r->feed;
  for (;; feed->index_at++) {
    json_feed_ahead(feed);
    size_t next = feed->index[feed->index_at];
    if (next >= feed->len && !feed->ended) {
      return json_fault_at(feed, JSON_MORE, next, "more");
    }
    feed->pos = next;
    if (next >= feed->len || feed->data[next] == '\n') return true;
  }
}

wh_status json_frame_skip(json_reader *reader, wh_error *err) {
  json_feed_seek(&reader->feed, reader->start);
  WH_TRY(json_frame_look(reader, reader->lines ? skip_line : skip_value, NULL, err));
  if (reader->sample_full) return WH_OK;
  if (reader->feed.fault.kind != JSON_FINE) return json_frame_fail(reader, err);
  return json_frame_check_size(reader, err);
}

bool json_frame_is_broken(const json_reader *reader) {
  return reader->feed.fault.kind == JSON_BROKEN && !reader->lines;
}

wh_status json_frame_fail(json_reader *reader, wh_error *err) {
  json_feed *feed = &reader->feed;
  bool opened = reader->state != JSON_START && !reader->lines;
  if (feed->fault.at < feed->len || !opened) return json_fault_fail(feed, err);
  wh_place place = json_feed_place(feed, feed->len);
  // The one object's state is TAIL while it is read.
  const char *what = reader->state == JSON_TAIL ? "object" : "array";
  return wh_fail_at(err, WH_ERR_DATA, place,
                    "the %s opened at byte %llu is never closed (the text ends in line %llu, at "
                    "byte %llu)",
                    what, (unsigned long long)reader->open_byte, (unsigned long long)place.line,
                    (unsigned long long)place.byte);
}
