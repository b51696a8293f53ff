// Inference over many rows: the sample at the beginning, and everything that is left once a row
// did not fit, so that one more pass over the input is enough.
#include "codec/json/parts.h"

static bool look_shape(json_reader *r, void *context) {
  (void)context;
  wh_arena_reset(&r->row_arena);
  return json_infer_row(&r->feed, &r->layout->options, &r->row_arena, &r->row_shape, &r->failure) &&
         json_frame_close(r);
}

// The shape of the row in hand, or why it has none: feed->fault. WH_ERR_DATA in broken structure.
static wh_status shape_row(json_reader *r, wh_error *err) {
  WH_TRY(json_frame_look(r, look_shape, NULL, err));
  if (r->sample_full) return WH_OK;
  if (r->feed.fault.kind == JSON_FINE) return json_frame_check_size(r, err);
  if (r->feed.fault.kind == JSON_FAILED) {
    if (err) *err = r->failure;
    return r->failure.status;
  }
  return json_frame_is_broken(r) ? json_frame_fail(r, err) : WH_OK;
}

static wh_status fail_conflict(const json_conflict *c, wh_error *err) {
  return wh_fail_at(err, WH_ERR_DATA, c->b,
                    "row %llu has %s in '%.*s', row %llu %s (line %llu, byte %llu); give the type "
                    "under columns",
                    (unsigned long long)c->a.row, c->what_a, WH_STR_ARG(c->column),
                    (unsigned long long)c->b.row, c->what_b, (unsigned long long)c->b.line,
                    (unsigned long long)c->b.byte);
}

// What is the matter with a row alone is said when it is read; here it does not count.
static wh_status sample_row(json_reader *r, wh_error *err) {
  json_conflict conflict;
  json_feed_mark(&r->feed, r->start);
  WH_TRY(shape_row(r, err));
  if (r->sample_full) return WH_OK;
  if (r->feed.fault.kind != JSON_FINE) return json_frame_skip(r, err);
  if (!json_shape_fits(r->shape, r->row_shape, &conflict)) return fail_conflict(&conflict, err);
  return json_shape_merge(r->shape, r->row_shape, &r->arena, err);
}

wh_status json_widen_sample(json_reader *reader, wh_error *err) {
  json_feed *feed = &reader->feed;
  size_t begin = feed->pos;
  reader->shape = WH_NEW(&reader->arena, json_shape);
  if (!reader->shape) return wh_fail_memory(err);
  reader->shape->seen = JSON_SEEN_OBJECT;
  reader->sampling = true;
  while (feed->row < WH_JSON_SAMPLE_ROWS && !reader->sample_full) {
    bool end;
    WH_TRY(json_frame_next(reader, &end, err));
    if (end) break;
    WH_TRY(sample_row(reader, err));
  }
  reader->sampling = reader->sample_full = false;
  reader->state = JSON_START;
  json_feed_rewind(feed, begin);
  return WH_OK;
}

wh_status json_widen_columns(const json_reader *reader, const json_shape *shape, wh_arena *arena,
                             wh_schema *ret, wh_error *err) {
  wh_schema full;
  json_layout layout;
  WH_TRY(json_shape_schema(shape, arena, &full, err));
  WH_TRY(json_layout_make(&reader->layout->options, &full, arena, &layout, err));
  *ret = layout.columns;
  return WH_OK;
}

wh_status json_widen_fail(const json_fault *fault, wh_place place, wh_error *err) {
  return wh_fail_at(err, WH_ERR_WIDEN, place,
                    "row %llu does not fit the types of the rows before it: %s",
                    (unsigned long long)place.row, fault->reason);
}

wh_status json_widen_rest(json_reader *r, wh_error *err) {
  for (;;) {
    bool end;
    json_conflict conflict;
    WH_TRY(json_frame_next(r, &end, err));
    if (end) return WH_OK;
    json_feed_mark(&r->feed, r->start);
    WH_TRY(shape_row(r, err));
    if (r->feed.fault.kind != JSON_FINE)
      WH_TRY(json_frame_skip(r, err));
    else if (json_shape_fits(r->shape, r->row_shape, &conflict))
      WH_TRY(json_shape_merge(r->shape, r->row_shape, &r->arena, err));
  }
}

wh_status json_widen_row(json_reader *reader, wh_error *err) {
  if (reader->parts || reader->own_parts) return json_parts_widen(reader, err);
  json_feed *feed = &reader->feed;
  json_fault fault = feed->fault;
  wh_place place = json_feed_place(feed, fault.at);
  json_conflict conflict;
  json_feed_seek(feed, reader->start);
  WH_TRY(shape_row(reader, err));
  if (feed->fault.kind != JSON_FINE) return WH_OK;
  // The window may have moved, so the fault is found again by its byte.
  fault.at = (size_t)(place.byte - feed->base);
  feed->fault = fault;
  if (!json_shape_fits(reader->shape, reader->row_shape, &conflict)) return WH_OK;
  WH_TRY(json_shape_merge(reader->shape, reader->row_shape, &reader->arena, err));
  WH_TRY(json_widen_columns(reader, reader->shape, &reader->arena, &reader->wider, err));
  if (wh_schema_eq(&reader->wider, &reader->schema)) return WH_OK;
  WH_TRY(json_widen_rest(reader, err));
  WH_TRY(json_widen_columns(reader, reader->shape, &reader->arena, &reader->wider, err));
  reader->base.schema = &reader->wider;
  return json_widen_fail(&fault, place, err);
}
