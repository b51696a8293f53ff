#include "connect/dynamodb/sink.h"

static void sink_abort(wh_sink *sink) {
  if (sink->has_flight) wh_dynamodb_flight_stop(&sink->flight);
}

static void sink_close(wh_sink *sink) {
  if (!sink) return;
  wh_mem *mem = sink->connection->mem;
  if (sink->has_flight) wh_dynamodb_flight_free(&sink->flight);
  wh_aws_give(sink->client);
  wh_arena_free(&sink->load_arena);
  wh_arena_free(&sink->arena);
  wh_mem_free(mem, sink, sizeof *sink);
}

static wh_status build(wh_sink *sink, const wh_target *targets, size_t count, wh_error *err) {
  sink->targets = WH_NEW_ARRAY(&sink->arena, count, wh_dynamodb_target);
  if (!sink->targets) return wh_fail_memory(err);
  sink->count = count;
  for (size_t i = 0; i < count; i++)
    WH_TRY(wh_dynamodb_target_make(sink, &targets[i], &sink->targets[i], err));
  WH_TRY(wh_dynamodb_take(sink->connection, &sink->client, err));
  wh_dynamodb_flight_init(&sink->flight, sink->connection, sink->client);
  sink->has_flight = true;
  return WH_OK;
}

static wh_status sink_open(wh_connection *c, const wh_target *targets, size_t count, wh_sink **ret,
                           wh_error *err) {
  wh_sink *sink = wh_mem_alloc_zero(c->mem, sizeof *sink);
  if (!sink) return wh_fail_memory(err);
  sink->connection = c;
  wh_arena_init(&sink->arena, c->mem);
  wh_arena_init(&sink->load_arena, c->mem);
  wh_status status = build(sink, targets, count, err);
  if (status == WH_OK)
    *ret = sink;
  else
    sink_close(sink);
  return status;
}

static wh_status sink_begin(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                            wh_error *err) {
  wh_connection *c = sink->connection;
  if (!sink->is_ready)
    return wh_fail(err, WH_ERR_BUG, "%.*s: begin before prepare", WH_STR_ARG(c->name));
  wh_arena_reset(&sink->load_arena);
  WH_TRY(wh_load_copy(load, &sink->load_arena, &sink->load, err));
  WH_TRY(wh_dynamodb_take_lease(c, sink->client, &sink->load, err));
  return wh_dynamodb_begin_mark(c, sink->client, &sink->load, arena, ret, err);
}

static wh_status sink_write(wh_sink *sink, size_t target, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err) {
  const wh_dynamodb_target *t = &sink->targets[target];
  wh_connection *c = sink->connection;
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_dynamodb_writing w = {
      .sink = sink, .target = t, .batch = batch, .rejects = rejects, .counts = counts};
  w.rows = wh_sink_rows_of(&t->schema, t->key, t->key_count, t->version, sink->load.now_us);
  wh_buf_init(&w.row.text, c->mem, 0);
  wh_buf_init(&w.again.text, c->mem, 0);
  w.row.ends = WH_NEW_ARRAY(&arena, t->schema.count, size_t);
  w.again.ends = WH_NEW_ARRAY(&arena, t->schema.count, size_t);
  wh_status status = WH_ERR_MEMORY;
  if (!w.row.ends || !w.again.ends)
    WH_IGNORE(wh_fail_memory(err));
  else
    status =
        t->spec.mode == WH_WRITE_APPEND ? wh_dynamodb_append(&w, err) : wh_dynamodb_upsert(&w, err);
  if (status != WH_OK) wh_dynamodb_flight_stop(&sink->flight);
  wh_dynamodb_row_free(&w.row);
  wh_dynamodb_row_free(&w.again);
  return status;
}

// The rows are there by now. A worker that lost its lease since `begin` finds that out here.
static wh_status sink_mark(wh_sink *sink, wh_mark *mark, wh_error *err) {
  WH_TRY(wh_dynamodb_take_lease(sink->connection, sink->client, &sink->load, err));
  return wh_dynamodb_write_mark(sink->connection, sink->client, &sink->load, mark, err);
}

static wh_status sink_commit(wh_sink *sink, wh_error *err) {
  (void)sink, (void)err;
  return WH_OK;
}

const wh_sink_type wh_dynamodb_sink = {
    .exact = true,
    .keeps_writes = true,
    .batch_rows = 2048,
    .open = sink_open,
    .inspect = wh_dynamodb_sink_inspect,
    .prepare = wh_dynamodb_sink_prepare,
    .begin = sink_begin,
    .write = sink_write,
    .mark = sink_mark,
    .commit = sink_commit,
    .abort = sink_abort,
    .marks = wh_dynamodb_marks,
    .close = sink_close,
};
