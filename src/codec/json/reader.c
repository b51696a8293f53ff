#include "codec/json/fast.h"
#include "codec/json/parts.h"

static bool look_decode(json_reader *r, void *context) {
  wh_batch *batch = context;
  if (json_decode_row(&r->decoder, batch) && json_frame_close(r)) return true;
  json_decode_undo(&r->decoder, batch);
  return false;
}

// As it stands, less the white space that JSON knows: with less than that it might be a row.
static wh_str trim(wh_str text) {
  while (text.len && json_is_blank(text.data[0]))
    text = wh_str_sub(text, 1, text.len);
  while (text.len && json_is_blank(text.data[text.len - 1]))
    text.len--;
  return text;
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
  return rejects->raw(rejects, &reject, trim(text), err);
}

// The row in hand into the batch, or to the rejects.
static wh_status read_row(json_reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  json_feed *feed = &r->feed;
  wh_place place = json_feed_mark(feed, r->start);
  json_decode_begin(&r->decoder);
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

// Rows as they are decoded.
static wh_status read_rows(json_reader *r, wh_batch *batch, wh_rejects *rejects, bool *ret_end,
                           wh_error *err) {
  wh_status status = WH_OK;
  bool end = false;
  r->rejected_bytes = 0;
  while (!wh_batch_full(batch, r->batch_rows, r->batch_bytes) &&
         r->rejected_bytes < WH_BATCH_BYTES_DEFAULT) {
    if (guess_rows(r, batch)) continue;
    status = json_frame_next(r, &end, err);
    if (status != WH_OK || end) break;
    status = read_row(r, batch, rejects, err);
    if (status != WH_OK) break;
  }
  *ret_end = end;
  return status;
}

// Rows as they are given out.
static wh_status reshape_rows(json_reader *r, wh_batch *batch, wh_rejects *rejects, bool *ret_end,
                              wh_error *err) {
  json_reshape *reshape = &r->reshape;
  if (!json_reshape_has(reshape)) {
    wh_batch_reset(&reshape->rows);
    reshape->row = 0;
    WH_TRY(read_rows(r, &reshape->rows, rejects, ret_end, err));
  }
  if (json_reshape_has(reshape)) WH_TRY(json_reshape_take(reshape, r->batch_rows, batch, err));
  if (json_reshape_has(reshape)) *ret_end = false;
  return WH_OK;
}

static wh_status reader_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects,
                             wh_error *err) {
  json_reader *r = (json_reader *)reader;
  bool end = false;
  wh_status status = r->layout->direct ? read_rows(r, batch, rejects, &end, err)
                                       : reshape_rows(r, batch, rejects, &end, err);
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
  json_reshape_close(&r->reshape);
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
  r->batch_bytes = context->batch_bytes ? context->batch_bytes : WH_BATCH_BYTES_DEFAULT;
  r->base = (wh_reader){.schema = &r->schema, .next = reader_next, .close = reader_close};
  r->fast_row = json_fast_off ? NULL : json_fast_row_of(wh_cpu_level());
  wh_arena_init(&r->arena, context->mem);
  wh_arena_init(&r->row_arena, context->mem);
  wh_arena_init(&r->decoder.scratch, context->mem);
  r->decoder.notes.arena = &r->decoder.scratch;
  r->decoder.feed = &r->feed;
  r->decoder.err = &r->failure;
  r->decoder.arena = &r->arena;
  r->sample_bytes = context->row_limit_bytes < WH_JSON_SAMPLE_BYTES ? context->row_limit_bytes
                                                                    : WH_JSON_SAMPLE_BYTES;
}

static wh_status copy_wanted(const wh_codec_context *context, wh_arena *arena,
                             json_layout_options *ret, wh_error *err) {
  if (!context->wanted) return WH_OK;
  wh_str *wanted = WH_NEW_ARRAY(arena, context->wanted_count + 1, wh_str);
  if (!wanted) return wh_fail_memory(err);
  for (size_t i = 0; i < context->wanted_count; i++) {
    wanted[i] = wh_arena_str(arena, context->wanted[i]);
    if (!wanted[i].data) return wh_fail_memory(err);
  }
  ret->wanted = wanted;
  ret->wanted_count = context->wanted_count;
  return WH_OK;
}

static wh_status set_options(json_reader *r, const wh_codec_context *context,
                             const wh_json_read_options *o, bool given, wh_error *err) {
  static const wh_json_read_options defaults = {0};
  if (!o) o = &defaults;
  json_layout_options *options = &r->own_layout.options;
  r->layout = &r->own_layout;
  r->decoder.options = options;
  r->widens = (!given || context->schema_may_widen) && o->unknown == WH_JSON_UNKNOWN_DEFAULT;
  r->decoder.unknown =
      o->unknown == WH_JSON_UNKNOWN_IGNORE ? JSON_UNKNOWN_IGNORE : JSON_UNKNOWN_REJECT;
  options->flatten = o->flatten;
  if (o->explode.len) {
    options->explode = wh_arena_str(&r->arena, o->explode);
    if (!options->explode.data) return wh_fail_memory(err);
  }
  return copy_wanted(context, &r->arena, options, err);
}

// What is known of the rows: from the columns given, or from a sample.
static wh_status find_rows(json_reader *r, const wh_schema *given, wh_schema *ret, wh_error *err) {
  const json_layout_options *options = &r->own_layout.options;
  if (given) {
    wh_schema columns;
    WH_TRY(wh_schema_copy(given, &r->arena, &columns, err));
    WH_TRY(json_layout_unfold(options, &columns, r->widens, &r->arena, ret, err));
    return r->widens ? json_shape_of_schema(ret, &r->arena, &r->shape, err) : WH_OK;
  }
  WH_TRY(json_widen_sample(r, err));
  WH_TRY(json_shape_schema(r->shape, &r->arena, ret, err));
  if (!options->explode.len || ret->count == 0 || wh_schema_find(ret, options->explode) >= 0)
    return WH_OK;
  return wh_fail(err, WH_ERR_DATA,
                 "explode: none of the first rows has a key '%.*s'; give its type under columns if "
                 "only later ones have",
                 WH_STR_ARG(options->explode));
}

static wh_status set_schema(json_reader *r, const wh_schema *given, wh_error *err) {
  wh_schema full;
  WH_TRY(find_rows(r, given, &full, err));
  json_layout_options options = r->own_layout.options;
  WH_TRY(json_layout_make(&options, &full, &r->arena, &r->own_layout, err));
  if (given) WH_TRY(json_layout_order(&r->own_layout, given, &r->arena, err));
  r->schema = r->own_layout.columns;
  if (!r->layout->direct) WH_TRY(json_reshape_open(&r->reshape, r->layout, r->mem, err));
  return json_plan_make(r->layout, r->widens ? r->shape : NULL, &r->arena, &r->decoder.plan, err);
}

static wh_status open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                             const wh_schema *given, bool lines, wh_reader **ret, wh_error *err) {
  json_reader *r = wh_mem_alloc_zero(context->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  json_reader_init(r, context, lines);
  r->base.schema_inferred = !given;
  wh_status status =
      json_feed_open(&r->feed, context->mem, in, context->row_limit_bytes, lines, err);
  if (status == WH_OK) status = set_options(r, context, options, given, err);
  if (status == WH_OK) status = json_feed_start(&r->feed, err);
  if (status == WH_OK) status = set_schema(r, given, err);
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
