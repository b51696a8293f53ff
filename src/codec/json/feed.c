#include "codec/json/feed.h"

enum {
  PAD_BYTES = JSON_BLOCK_BYTES,
  SLICE_FIRST = 1024, // behind a seek: it may be only to pass over one row
};

static size_t mask_count(size_t cap) {
  return cap / JSON_BLOCK_BYTES + 1;
}

static const size_t index_entries = JSON_AHEAD + JSON_SLICE_BYTES + JSON_AHEAD;

// Keeps what is in the window. Either all of it is resized or nothing.
static wh_status resize(json_feed *feed, size_t cap, wh_error *err) {
  wh_mem *mem = feed->mem;
  size_t masks = mask_count(cap) * sizeof *feed->attention;
  char *bytes = wh_mem_alloc(mem, cap + PAD_BYTES);
  uint64_t *attention = wh_mem_alloc(mem, masks);
  uint64_t *newlines = wh_mem_alloc(mem, masks);
  if (!bytes || !attention || !newlines) {
    wh_mem_free(mem, bytes, cap + PAD_BYTES);
    wh_mem_free(mem, attention, masks);
    wh_mem_free(mem, newlines, masks);
    return wh_fail_memory(err);
  }
  size_t old_masks = mask_count(feed->cap) * sizeof *feed->attention;
  if (feed->len) memcpy(bytes, feed->bytes, feed->len);
  wh_mem_free(mem, feed->bytes, feed->cap + PAD_BYTES);
  wh_mem_free(mem, feed->attention, old_masks);
  wh_mem_free(mem, feed->newlines, old_masks);
  feed->data = feed->bytes = bytes;
  feed->attention = attention;
  feed->newlines = newlines;
  feed->cap = cap;
  return WH_OK;
}

wh_status json_feed_open(json_feed *feed, wh_mem *mem, wh_input *in, size_t row_limit, bool lines,
                         wh_error *err) {
  *feed = (json_feed){.in = in, .mem = mem, .mark_line = 1, .row_limit = row_limit};
  if (feed->row_limit > JSON_WINDOW_MAX) feed->row_limit = JSON_WINDOW_MAX;
  json_scan_init(&feed->scan, lines);
  feed->window = JSON_WINDOW_BYTES;
  if (feed->row_limit < JSON_WINDOW_BYTES)
    feed->window = (feed->row_limit / JSON_BLOCK_BYTES + 1) * JSON_BLOCK_BYTES;
  WH_TRY(resize(feed, feed->window, err));
  feed->index = wh_mem_alloc(mem, index_entries * sizeof *feed->index);
  if (!feed->index) return wh_fail_memory(err);
  memset(feed->bytes, 0, PAD_BYTES);
  json_feed_seek(feed, 0);
  return WH_OK;
}

void json_feed_close(json_feed *feed) {
  if (!feed || !feed->mem) return;
  wh_mem *mem = feed->mem;
  size_t masks = mask_count(feed->cap) * sizeof *feed->attention;
  wh_mem_free(mem, feed->bytes, feed->cap + PAD_BYTES);
  wh_mem_free(mem, feed->attention, masks);
  wh_mem_free(mem, feed->newlines, masks);
  wh_mem_free(mem, feed->index, index_entries * sizeof *feed->index);
  *feed = (json_feed){0};
}

void json_feed_seek(json_feed *feed, size_t pos) {
  json_scan_restart(&feed->scan);
  feed->pos = feed->scanned = pos;
  feed->index_at = feed->index_count = 0;
  feed->sealed = false;
  feed->slice = SLICE_FIRST;
}

// The next piece of the window: up to a border between blocks, so that no state is cut.
static void index_slice(json_feed *feed) {
  size_t until = feed->scanned / JSON_BLOCK_BYTES * JSON_BLOCK_BYTES + feed->slice;
  feed->scanned =
      json_scan_slice(&feed->scan, feed->data, feed->scanned, until < feed->len ? until : feed->len,
                      feed->index, &feed->index_count, feed->attention, feed->newlines);
  if (feed->slice < JSON_SLICE_BYTES) feed->slice *= 2;
}

void json_feed_index(json_feed *feed) {
  if (feed->sealed) return;
  uint32_t left = feed->index_count - feed->index_at;
  memmove(feed->index, feed->index + feed->index_at, left * sizeof *feed->index);
  feed->index_at = 0;
  feed->index_count = left;
  while (feed->index_count < JSON_AHEAD && feed->scanned < feed->len)
    index_slice(feed);
  if (feed->index_count >= JSON_AHEAD) return;
  for (int i = 0; i < JSON_AHEAD; i++)
    feed->index[feed->index_count++] = (uint32_t)feed->len;
  feed->sealed = true;
}

wh_status json_feed_fail_limit(const json_feed *feed, size_t at, wh_error *err) {
  wh_place place = json_feed_place(feed, at);
  return wh_fail_at(err, WH_ERR_LIMIT, place,
                    "row %llu (line %llu, byte %llu) is larger than %zu bytes, the most that a row "
                    "may take; raise `memory`, of which a row may take an eighth",
                    (unsigned long long)place.row, (unsigned long long)place.line,
                    (unsigned long long)place.byte, feed->row_limit);
}

wh_status json_feed_more(json_feed *feed, size_t keep, wh_error *err) {
  if (keep) {
    json_feed_mark(feed, keep);
    memmove(feed->bytes, feed->bytes + keep, feed->len - keep);
    feed->len -= keep;
    feed->base += keep;
    feed->mark = 0;
  }
  if (feed->shrink && keep && feed->len < feed->window) {
    feed->shrink = false;
    if (feed->cap > feed->window) WH_TRY(resize(feed, feed->window, err));
  }
  if (feed->len == feed->cap) {
    if (feed->len > feed->row_limit) return json_feed_fail_limit(feed, 0, err);
    size_t cap = feed->cap * 2;
    if (cap > feed->row_limit + feed->window) cap = feed->row_limit + feed->window;
    WH_TRY(resize(feed, cap, err));
  }
  while (feed->len < feed->cap && !feed->ended) {
    size_t got = 0;
    WH_TRY(wh_input_read(feed->in, feed->bytes + feed->len, feed->cap - feed->len, &got, err));
    feed->len += got;
    feed->ended = got == 0;
  }
  memset(feed->bytes + feed->len, 0, PAD_BYTES);
  json_feed_seek(feed, 0);
  feed->fault.kind = JSON_FINE;
  return WH_OK;
}

wh_status json_feed_start(json_feed *feed, wh_error *err) {
  WH_TRY(json_feed_more(feed, 0, err));
  const char *p = feed->data;
  bool mark = feed->len >= 2 && (memcmp(p, "\xFE\xFF", 2) == 0 || memcmp(p, "\xFF\xFE", 2) == 0);
  // The first characters of JSON are ASCII, so a zero byte among them is half of one.
  if (mark || (feed->len >= 2 && (p[0] == 0) != (p[1] == 0))) {
    return wh_fail_at(err, WH_ERR_DATA, (wh_place){.line = 1, .column = 1},
                      "this is UTF-16 or UTF-32 text, but JSON is UTF-8; convert it first");
  }
  if (feed->len >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) json_feed_rewind(feed, 3);
  return WH_OK;
}

wh_status json_feed_start_at(json_feed *feed, uint64_t base, wh_error *err) {
  WH_TRY(json_feed_more(feed, 0, err));
  feed->base = feed->mark_line_start = base;
  return WH_OK;
}

void json_feed_rewind(json_feed *feed, size_t pos) {
  json_feed_seek(feed, pos);
  feed->mark = feed->mark_line_start = pos;
  feed->mark_line = 1;
  feed->row = 0;
  feed->shrink = true;
}

// Counts the newlines of [from, to) and finds the last. All of it has been scanned.
static uint64_t count_lines(const json_feed *feed, size_t from, size_t to, size_t *last) {
  uint64_t count = 0;
  if (from >= to) return 0;
  size_t first_block = from / JSON_BLOCK_BYTES, last_block = (to - 1) / JSON_BLOCK_BYTES;
  for (size_t b = first_block; b <= last_block; b++) {
    uint64_t bits = feed->newlines[b];
    if (b == first_block) bits &= ~0ull << from % JSON_BLOCK_BYTES;
    if (b == last_block) bits &= ~0ull >> (JSON_BLOCK_BYTES - 1 - (to - 1) % JSON_BLOCK_BYTES);
    if (!bits) continue;
    count += (unsigned)__builtin_popcountll(bits);
    *last = b * JSON_BLOCK_BYTES + 63 - (size_t)__builtin_clzll(bits);
  }
  return count;
}

wh_place json_feed_place(const json_feed *feed, size_t at) {
  size_t last = 0;
  wh_place place = {.row = feed->row, .line = feed->mark_line, .byte = feed->base + at};
  uint64_t line_start = feed->mark_line_start;
  uint64_t lines = count_lines(feed, feed->mark, at, &last);
  if (lines) {
    place.line += lines;
    line_start = feed->base + last + 1;
  }
  place.column = place.byte - line_start + 1;
  return place;
}

wh_place json_feed_mark(json_feed *feed, size_t at) {
  wh_place place = json_feed_place(feed, at);
  feed->mark = at;
  feed->mark_line = place.line;
  feed->mark_line_start = place.byte - (place.column - 1);
  return place;
}
