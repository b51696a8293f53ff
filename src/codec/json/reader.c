#include "codec/json/fast.h"
#include "codec/json/parts.h"

static bool look_decode(json_reader *r, void *context) {
  wh_batch *batch = context;
  if (json_decode_row(&r->decoder, batch) && json_frame_close(r)) return true;
  wh_batch_row_undo(batch);
  return false;
}

static wh_status reject_row(json_reader *r, wh_rejects *rejects, wh_error *err) {
  json_feed *feed = &r->feed;
  json_fault fault = feed->fault;
  wh_reject reject = {.rule = wh_str_of(fault.rule),
                      .column = fault.column,
                      .reason = wh_str_of(fault.reason),
                      .place = json_feed_place(feed, fault.at)};
  WH_TRY(json_frame_skip(r, err));
  if (!rejects) {
    return wh_fail_at(err, WH_ERR_DATA, reject.place, "%s (row %llu, line %llu, byte %llu)",
                      fault.reason, (unsigned long long)reject.place.row,
                      (unsigned long long)reject.place.line, (unsigned long long)reject.place.byte);
  }
  wh_str text = wh_str_n(feed->data + r->start, feed->pos - r->start);
  r->rejected_bytes += text.len + sizeof fault;
  return rejects->raw(rejects, &reject, wh_str_trim(text), err);
}

// The row in hand into the batch, or to the rejects.
static wh_status read_row(json_reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  json_feed *feed = &r->feed;
  wh_place place = json_feed_mark(feed, r->start);
  if (r->decoder.scratch.used) wh_arena_reset(&r->decoder.scratch);
  WH_TRY(json_frame_look(r, look_decode, batch, err));
  if (feed->fault.kind == JSON_FINE) {
    WH_TRY(json_frame_check_size(r, err));
    WH_TRY(wh_batch_set_place(batch, place, err));
    wh_batch_row_end(batch);
    return WH_OK;
  }
  if (feed->fault.kind == JSON_FAILED) {
    if (err) *err = r->failure;
    return r->failure.status;
  }
  if (json_frame_is_broken(r)) return json_frame_fail(r, err);
  if (feed->fault.kind == JSON_MISFIT && r->widens) WH_TRY(json_widen_row(r, err));
  return reject_row(r, rejects, err);
}

enum {
  FAST_ROWS = 64, // until their bytes are counted
  FAST_FEW = 8,   // rows, for which a guess was hardly worth while
  FAST_WAIT_MAX = 1000,
};

// Guesses that are wrong again and again cost more than they save.
static void count_guess(json_reader *r, size_t rows, size_t most) {
  if (rows == most) {
    r->fast_penalty /= 2;
  } else {
    r->fast_wait = 1 + r->fast_penalty;
    if (rows >= FAST_FEW)
      r->fast_penalty /= 2;
    else if (r->fast_penalty < FAST_WAIT_MAX)
      r->fast_penalty = 2 * r->fast_penalty + 1;
  }
}

// As many rows as a guess takes: perhaps none, and then the next one goes by the index.
static size_t guess_rows(json_reader *r, wh_batch *batch) {
  if (!r->fast_row) return 0;
  if (r->fast_wait) {
    r->fast_wait--;
    return 0;
  }
  size_t most = r->batch_rows - batch->rows, few = FAST_ROWS * 64 / (r->schema.count + 1);
  if (few > FAST_ROWS) few = FAST_ROWS;
  if (most > few) most = few ? few : 1;
  size_t rows = json_fast_rows(r, batch, most);
  count_guess(r, rows, most);
  return rows;
}

static wh_status reader_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects,
                             wh_error *err) {
  json_reader *r = (json_reader *)reader;
  wh_status status = WH_OK;
  bool end = false;
  r->rejected_bytes = 0;
  while (!wh_batch_full(batch, r->batch_rows, WH_BATCH_BYTES_DEFAULT) &&
         r->rejected_bytes < WH_BATCH_BYTES_DEFAULT) {
    if (guess_rows(r, batch)) continue;
    status = json_frame_next(r, &end, err);
    if (status != WH_OK || end) break;
    status = read_row(r, batch, rejects, err);
    if (status != WH_OK) break;
  }
  uint64_t at = json_feed_consumed(&r->feed);
  reader->bytes_read = at - reader->part.from;
  reader->paused = !end;
  if (r->parts && status == WH_OK) {
    reader->part.rows = r->feed.row;
    reader->part.lines = json_feed_mark(&r->feed, r->feed.pos).line - 1;
    if (end) reader->part.to = at;
  }
  return status;
}

static void reader_close(wh_reader *reader) {
  json_reader *r = (json_reader *)reader;
  json_parts_close(r->own_parts);
  json_feed_close(&r->feed);
  wh_arena_free(&r->decoder.scratch);
  wh_arena_free(&r->row_arena);
  wh_arena_free(&r->arena);
  wh_mem_free(r->mem, r, r->size);
}

void json_reader_init(json_reader *r, const wh_codec_context *context, bool lines) {
  r->mem = context->mem;
  r->size = sizeof *r;
  r->lines = lines;
  r->batch_rows = context->batch_rows ? context->batch_rows : WH_BATCH_ROWS_DEFAULT;
  if (r->batch_rows > WH_BATCH_ROWS_MAX) r->batch_rows = WH_BATCH_ROWS_MAX;
  r->base = (wh_reader){.schema = &r->schema, .next = reader_next, .close = reader_close};
  r->fast_row = json_fast_off ? NULL : json_fast_row_of(wh_cpu_level());
  wh_arena_init(&r->arena, context->mem);
  wh_arena_init(&r->row_arena, context->mem);
  wh_arena_init(&r->decoder.scratch, context->mem);
  r->decoder.feed = &r->feed;
  r->decoder.err = &r->failure;
  r->sample_bytes = context->row_limit_bytes < WH_JSON_SAMPLE_BYTES ? context->row_limit_bytes
                                                                    : WH_JSON_SAMPLE_BYTES;
}

static wh_status set_schema(json_reader *r, const wh_schema *given, bool may_widen,
                            wh_json_unknown unknown, wh_error *err) {
  r->widens = (!given || may_widen) && unknown == WH_JSON_UNKNOWN_DEFAULT;
  r->decoder.unknown =
      unknown == WH_JSON_UNKNOWN_IGNORE ? JSON_UNKNOWN_IGNORE : JSON_UNKNOWN_REJECT;
  if (given) {
    WH_TRY(wh_schema_copy(given, &r->arena, &r->schema, err));
    if (r->widens) WH_TRY(json_shape_of_schema(&r->schema, &r->arena, &r->shape, err));
  } else {
    WH_TRY(json_widen_sample(r, err));
    WH_TRY(json_shape_schema(r->shape, &r->arena, &r->schema, err));
  }
  return json_plan_make(&r->schema, NULL, r->widens ? r->shape : NULL, &r->arena, &r->decoder.plan,
                        err);
}

static wh_status open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                             const wh_schema *given, bool lines, wh_reader **ret, wh_error *err) {
  const wh_json_read_options *o = options;
  json_reader *r = wh_mem_alloc_zero(context->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  json_reader_init(r, context, lines);
  r->base.schema_inferred = !given;
  wh_status status =
      json_feed_open(&r->feed, context->mem, in, context->row_limit_bytes, lines, err);
  if (status == WH_OK) status = json_feed_start(&r->feed, err);
  if (status == WH_OK) {
    status = set_schema(r, given, context->schema_may_widen,
                        o ? o->unknown : WH_JSON_UNKNOWN_DEFAULT, err);
  }
  if (status == WH_OK && lines) status = json_parts_open(r, context, in, err);
  if (status != WH_OK) {
    reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}

wh_status json_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                           const wh_schema *given, wh_reader **ret, wh_error *err) {
  return open_reader(context, in, options, given, false, ret, err);
}

wh_status json_open_lines(const wh_codec_context *context, wh_input *in, const void *options,
                          const wh_schema *given, wh_reader **ret, wh_error *err) {
  return open_reader(context, in, options, given, true, ret, err);
}

static bool check_text(json_reader *r, void *context) {
  (void)context;
  json_feed *feed = &r->feed;
  if (!json_skip(feed, true)) return false;
  json_feed_ahead(feed);
  size_t next = feed->index[feed->index_at];
  if (!json_blank(feed, feed->pos, next)) return false;
  if (next < feed->len) return json_unexpected(feed, feed->index_at, "the end of the text");
  return feed->ended || json_fault_at(feed, JSON_MORE, next, "more");
}

wh_status wh_json_validate(wh_mem *mem, wh_input *in, size_t limit_bytes, wh_error *err) {
  json_reader *r = wh_mem_alloc_zero(mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->mem = mem;
  r->size = sizeof *r;
  wh_status status = json_feed_open(&r->feed, mem, in, limit_bytes, false, err);
  if (status == WH_OK) status = json_feed_start(&r->feed, err);
  if (status == WH_OK) {
    r->start = r->feed.pos;
    status = json_frame_look(r, check_text, NULL, err);
  }
  if (status == WH_OK && r->feed.fault.kind != JSON_FINE) status = json_fault_fail(&r->feed, err);
  reader_close(&r->base);
  return status;
}
