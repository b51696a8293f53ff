#include "codec/json/parts.h"

#include <pthread.h>

enum { CUT_BYTES = 16 * 1024 }; // read at a time to find the newline that ends a part

// A stretch of the object as an input.
typedef struct part_input {
  wh_input base;
  wh_input *whole;
  uint64_t at, end;
} part_input;

struct json_parts {
  wh_mem *mem;
  wh_input *in;
  const json_reader *whole;
  wh_codec_context context; // of the readers
  uint64_t begin;           // of the text, behind a byte order mark
  uint64_t at;              // where the next part begins
  uint64_t count;
  uint64_t target; // bytes that a part should have
  char *cut;       // CUT_BYTES of scratch

  // What the whole object needs, found by the first part that has a row that does not fit. Under
  // the mutex until `looked`, then read-only.
  pthread_mutex_t mutex;
  bool looked;
  wh_status status; // of looking
  wh_error error;
  wh_arena arena;
  json_shape *shape; // before the first row: of the sample, or of the schema given
  wh_schema wider;
};

typedef struct json_part {
  json_reader reader;
  part_input in;
} json_part;

static wh_status part_read(wh_input *in, void *data, size_t cap, size_t *ret_len, wh_error *err) {
  part_input *p = (part_input *)in;
  uint64_t left = p->end - p->at;
  size_t n = left < cap ? (size_t)left : cap;
  if (n) WH_TRY(p->whole->read_at(p->whole, p->at, data, n, err));
  p->at += n;
  *ret_len = n;
  return WH_OK;
}

static void init_input(part_input *in, const json_parts *parts, uint64_t from, uint64_t to) {
  *in = (part_input){
      .base = {.size = to - from, .read = part_read}, .whole = parts->in, .at = from, .end = to};
}

// --- Where parts end -----------------------------------------------------------------------------

// Bytes of text that make so many rows, or so many bytes in memory, to judge by the first rows.
// Text is seldom smaller than its values.
static uint64_t target_bytes(const json_reader *r, const wh_codec_context *context) {
  uint64_t target = JSON_PART_BYTES;
  if (!context->part_rows) {
    return context->part_bytes && context->part_bytes < target ? context->part_bytes : target;
  }
  if (context->part_bytes) target = context->part_bytes;
  uint64_t lines = 0;
  for (size_t i = 0; i < r->feed.len; i++)
    lines += r->feed.data[i] == '\n';
  if (!lines) return target;
  uint64_t bytes = r->feed.len / lines * context->part_rows;
  bytes -= bytes / 16; // rather a few rows less than a rest of a few
  return bytes < target || !context->part_bytes ? bytes + 1 : target;
}

// Behind the first newline at or behind `at`.
static wh_status find_cut(const json_parts *parts, uint64_t at, uint64_t *ret, wh_error *err) {
  uint64_t size = parts->in->size;
  while (at < size) {
    size_t n = size - at < CUT_BYTES ? (size_t)(size - at) : CUT_BYTES;
    WH_TRY(parts->in->read_at(parts->in, at, parts->cut, n, err));
    const char *newline = memchr(parts->cut, '\n', n);
    if (newline) {
      *ret = at + (uint64_t)(newline - parts->cut) + 1;
      return WH_OK;
    }
    at += n;
  }
  *ret = size;
  return WH_OK;
}

static wh_status next_cut(const json_parts *parts, uint64_t *ret, wh_error *err) {
  uint64_t left = parts->in->size - parts->at;
  // A small rest goes with the last one.
  if (left <= parts->target + parts->target / 8) {
    *ret = parts->in->size;
    return WH_OK;
  }
  return find_cut(parts, parts->at + parts->target - 1, ret, err);
}

// --- A part's reader -----------------------------------------------------------------------------

static wh_status open_part(json_parts *parts, uint64_t from, uint64_t to, json_part **ret,
                           wh_error *err) {
  json_part *p = wh_mem_alloc_zero(parts->mem, sizeof *p);
  if (!p) return wh_fail_memory(err);
  init_input(&p->in, parts, from, to);
  const json_reader *whole = parts->whole;
  json_reader *r = &p->reader;
  json_reader_init(r, &parts->context, true);
  r->size = sizeof *p;
  r->parts = parts;
  r->schema = whole->schema;
  r->layout = whole->layout;
  r->decoder.options = &r->layout->options;
  r->widens = whole->widens;
  r->decoder.unknown = whole->decoder.unknown;
  r->base.part = (wh_part){.index = parts->count, .from = from, .to = from};
  wh_status status =
      json_feed_open(&r->feed, parts->mem, &p->in.base, parts->context.row_limit_bytes, true, err);
  if (status == WH_OK) status = json_feed_start_at(&r->feed, from, err);
  if (status == WH_OK && r->widens)
    status = json_shape_of_schema(&r->layout->full, &r->arena, &r->shape, err);
  if (status == WH_OK)
    status = json_plan_make(r->layout, r->shape, &r->arena, &r->decoder.plan, err);
  if (status == WH_OK && !r->layout->direct)
    status = json_reshape_open(&r->reshape, r->layout, parts->mem, err);
  if (status != WH_OK) {
    wh_reader_close(&r->base);
    return status;
  }
  *ret = p;
  return WH_OK;
}

static wh_status reader_next_part(wh_reader *reader, wh_reader **ret, wh_error *err) {
  json_reader *whole = (json_reader *)reader;
  json_parts *parts = whole->own_parts;
  json_feed_close(&whole->feed); // what inference has read is not needed any more
  if (parts->at >= parts->in->size) return WH_ERR_END;
  uint64_t to;
  json_part *part;
  WH_TRY(next_cut(parts, &to, err));
  WH_TRY(open_part(parts, parts->at, to, &part, err));
  parts->at = to;
  parts->count++;
  *ret = &part->reader.base;
  return WH_OK;
}

wh_status json_parts_open(json_reader *reader, const wh_codec_context *context, wh_input *in,
                          wh_error *err) {
  if (!in->read_at || in->size == WH_SIZE_UNKNOWN) return WH_OK;
  json_parts *parts = wh_mem_alloc_zero(context->mem, sizeof *parts);
  if (!parts) return wh_fail_memory(err);
  *parts = (json_parts){.mem = context->mem, .in = in, .whole = reader, .context = *context};
  parts->context.wanted = NULL; // borrowed only while opening
  parts->cut = wh_mem_alloc(parts->mem, CUT_BYTES);
  if (!parts->cut) {
    wh_mem_free(parts->mem, parts, sizeof *parts);
    return wh_fail_memory(err);
  }
  pthread_mutex_init(&parts->mutex, NULL);
  wh_arena_init(&parts->arena, parts->mem);
  parts->begin = parts->at = json_feed_consumed(&reader->feed);
  parts->target = target_bytes(reader, context);
  reader->own_parts = parts; // which closes it
  reader->base.next_part = reader_next_part;
  if (!reader->widens) return WH_OK;
  // A copy, since reading goes on to note things in the reader's own.
  parts->shape = WH_NEW(&parts->arena, json_shape);
  if (!parts->shape) return wh_fail_memory(err);
  return json_shape_merge(parts->shape, reader->shape, &parts->arena, err);
}

void json_parts_close(json_parts *parts) {
  if (!parts) return;
  pthread_mutex_destroy(&parts->mutex);
  wh_arena_free(&parts->arena);
  wh_mem_free(parts->mem, parts->cut, CUT_BYTES);
  wh_mem_free(parts->mem, parts, sizeof *parts);
}

// --- Widening ------------------------------------------------------------------------------------

// What the rows of the whole object are, beginning with what its reader knew: as if it had been
// read from its start to its end.
static wh_status look_at_all(json_parts *parts, wh_error *err) {
  json_part *p;
  WH_TRY(open_part(parts, parts->begin, parts->in->size, &p, err));
  json_reader *r = &p->reader;
  wh_status status = WH_OK;
  r->shape = WH_NEW(&r->arena, json_shape);
  if (!r->shape) status = wh_fail_memory(err);
  if (status == WH_OK) status = json_shape_merge(r->shape, parts->shape, &r->arena, err);
  if (status == WH_OK) status = json_widen_rest(r, err);
  if (status == WH_OK) status = json_widen_columns(r, r->shape, &parts->arena, &parts->wider, err);
  wh_reader_close(&r->base);
  return status;
}

wh_status json_parts_widen(json_reader *part, wh_error *err) {
  json_parts *parts = part->parts ? part->parts : part->own_parts;
  json_feed *feed = &part->feed;
  pthread_mutex_lock(&parts->mutex);
  if (!parts->looked) {
    parts->status = look_at_all(parts, &parts->error);
    parts->looked = true;
  }
  pthread_mutex_unlock(&parts->mutex);
  if (parts->status != WH_OK) {
    if (err) *err = parts->error;
    return parts->status;
  }
  if (wh_schema_eq(&parts->wider, &part->schema)) return WH_OK;
  WH_TRY(wh_schema_copy(&parts->wider, &part->arena, &part->wider, err));
  part->base.schema = &part->wider;
  return json_widen_fail(&feed->fault, json_feed_place(feed, feed->fault.at), err);
}
