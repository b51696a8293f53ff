#include "connect/splunk/deliver.h"
#include "connect/splunk/event.h"

#include "connect/sink_table.h"

#include <stdio.h>

enum { BATCH_ROWS = 8192 };

struct wh_sink {
  wh_connection *connection;
  wh_arena arena;
  bool has_target;
  wh_str url; // of the endpoint
  wh_splunk_rows rows;
  wh_splunk_delivery delivery;
  wh_buf event;
};

// --- opening -------------------------------------------------------------------------------------

static void sink_close(wh_sink *sink) {
  if (!sink) return;
  wh_mem *mem = sink->connection->mem;
  wh_splunk_delivery_free(&sink->delivery);
  wh_splunk_rows_free(&sink->rows);
  wh_buf_free(&sink->event);
  wh_arena_free(&sink->arena);
  wh_mem_free(mem, sink, sizeof *sink);
}

static wh_status check_target(const wh_connection *c, const wh_target *t, wh_error *err) {
  if (t->mode != WH_WRITE_APPEND)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: Splunk changes no event that it has. Write mode: append",
                   WH_STR_ARG(c->name));
  if (wh_str_is(t->table, "event") || wh_str_is(t->table, "raw")) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "%.*s: there is no endpoint '%.*s'. Write %.*s:event or %.*s:raw",
                 WH_STR_ARG(c->name), (int)wh_utf8_cut(t->table, 100), t->table.data,
                 WH_STR_ARG(c->name), WH_STR_ARG(c->name));
}

static wh_status build(wh_sink *sink, const wh_target *targets, size_t count, wh_error *err) {
  wh_connection *c = sink->connection;
  const wh_splunk_place *place = wh_splunk_place_of(c);
  sink->url = place->event_url;
  if (count > 1)
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: a load goes to one endpoint", WH_STR_ARG(c->name));
  if (count) {
    WH_TRY(check_target(c, targets, err));
    sink->has_target = true;
    WH_TRY(wh_splunk_rows_init(&sink->rows, c, targets, &sink->arena, err));
    if (sink->rows.is_raw) sink->url = place->raw_url;
  }
  return wh_splunk_delivery_init(&sink->delivery, c, sink->url, err);
}

static wh_status sink_open(wh_connection *c, const wh_target *targets, size_t count, wh_sink **ret,
                           wh_error *err) {
  wh_sink *sink = wh_mem_alloc_zero(c->mem, sizeof *sink);
  if (!sink) return wh_fail_memory(err);
  sink->connection = c;
  wh_arena_init(&sink->arena, c->mem);
  wh_buf_init(&sink->event, c->mem, 0);
  wh_status status = build(sink, targets, count, err);
  if (status == WH_OK)
    *ret = sink;
  else
    sink_close(sink);
  return status;
}

static wh_status sink_inspect(wh_sink *sink, wh_buf *ret_text, bool *ret_exists, bool *ret_fits,
                              wh_error *err) {
  const wh_splunk_options *o = wh_splunk_options_of(sink->connection);
  wh_str url = wh_str_sub(sink->url, 0, wh_str_find(sink->url, 0, '?'));
  wh_buf_printf(ret_text, "%.*s", WH_STR_ARG(url));
  if (o->index.len) wh_buf_printf(ret_text, ", index %.*s", WH_STR_ARG(o->index));
  if (o->sourcetype.len) wh_buf_printf(ret_text, ", sourcetype %.*s", WH_STR_ARG(o->sourcetype));
  wh_buf_printf(ret_text, "; %s; an event that comes twice has the same _wherry_id",
                o->ack ? "delivered when the indexers acknowledge it"
                       : "delivered when the collector has taken it (ack: no)");
  *ret_exists = *ret_fits = true;
  return wh_buf_check(ret_text, err);
}

static wh_status sink_prepare(wh_sink *sink, wh_error *err) {
  (void)sink, (void)err;
  return WH_OK;
}

static wh_status sink_begin(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                            wh_error *err) {
  (void)arena, (void)err;
  if (sink->has_target) wh_splunk_rows_begin(&sink->rows, load);
  *ret = (wh_mark){0};
  return WH_OK;
}

// --- writing -------------------------------------------------------------------------------------

typedef struct writing {
  wh_sink *sink;
  const wh_batch *batch;
  wh_rejects *rejects;
  uint64_t rejected;
  wh_splunk_parcel *parcel; // that is being filled; NULL: none
} writing;

static wh_status reject(writing *w, const wh_reject *why, size_t row, wh_error *err) {
  w->rejected++;
  return w->rejects->row(w->rejects, why, w->batch, row, err);
}

static wh_status refused(void *context, size_t row, const wh_splunk_answer *answer, wh_error *err) {
  const wh_sink *sink = ((writing *)context)->sink;
  char reason[sizeof answer->text + 48];
  // Of the connection's own index no row knows better.
  if (answer->code == WH_SPLUNK_INCORRECT_INDEX && sink->rows.meta[WH_SPLUNK_INDEX] < 0)
    return wh_splunk_answer_fail(sink->connection, WH_SPLUNK_BAD_REQUEST, answer, err);
  snprintf(reason, sizeof reason, "Splunk does not take it: %s (code %d)", answer->text,
           answer->code);
  writing *w = context;
  wh_reject why = {.rule = WH_STR("splunk"),
                   .reason = wh_str_of(reason),
                   .place = wh_batch_place(w->batch, row)};
  return reject(w, &why, row, err);
}

static wh_status reject_large(writing *w, size_t row, wh_error *err) {
  char reason[96];
  snprintf(reason, sizeof reason, "%zu bytes as an event, of which a request has %lld (batch_size)",
           w->sink->event.len, (long long)wh_splunk_options_of(w->sink->connection)->batch_bytes);
  wh_reject why = {
      .rule = WH_STR("size"), .reason = wh_str_of(reason), .place = wh_batch_place(w->batch, row)};
  return reject(w, &why, row, err);
}

static wh_status send(writing *w, wh_error *err) {
  wh_splunk_parcel *p = w->parcel;
  w->parcel = NULL;
  return p ? wh_splunk_delivery_send(&w->sink->delivery, p, err) : WH_OK;
}

static wh_status write_row(writing *w, size_t row, wh_error *err) {
  wh_sink *sink = w->sink;
  wh_buf *event = &sink->event;
  size_t most = (size_t)wh_splunk_options_of(sink->connection)->batch_bytes;
  wh_reject why;
  wh_buf_clear(event);
  if (!wh_splunk_rows_write(&sink->rows, w->batch, row, event, &why))
    return reject(w, &why, row, err);
  WH_TRY(wh_buf_check(event, err));
  if (event->len > most) return reject_large(w, row, err);
  if (w->parcel && w->parcel->text.len + event->len > most) WH_TRY(send(w, err));
  if (!w->parcel) WH_TRY(wh_splunk_delivery_parcel(&sink->delivery, &w->parcel, err));
  wh_buf_add_str(&w->parcel->text, wh_buf_str(event));
  return wh_splunk_parcel_add(&sink->delivery, w->parcel, row, err);
}

static wh_status write_rows(writing *w, wh_error *err) {
  WH_TRY(wh_splunk_rows_take(&w->sink->rows, w->batch, err));
  for (size_t i = 0; i < w->batch->rows; i++)
    WH_TRY(write_row(w, i, err));
  WH_TRY(send(w, err));
  return wh_splunk_delivery_settle(&w->sink->delivery, err);
}

// Every event of the batch is taken, or rejected, when it returns: a rejected one is known by its
// row. Acknowledgements may come later.
static wh_status sink_write(wh_sink *sink, size_t target, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err) {
  (void)target;
  writing w = {.sink = sink, .batch = batch, .rejects = rejects};
  sink->delivery.refused = refused;
  sink->delivery.context = &w;
  wh_status status = write_rows(&w, err);
  sink->delivery.context = NULL;
  if (status != WH_OK) {
    wh_splunk_delivery_stop(&sink->delivery);
    return status;
  }
  counts->quarantined += w.rejected;
  counts->written += batch->rows - w.rejected;
  return WH_OK;
}

static wh_status sink_commit(wh_sink *sink, wh_error *err) {
  return wh_splunk_delivery_finish(&sink->delivery, err);
}

static void sink_abort(wh_sink *sink) {
  wh_splunk_delivery_stop(&sink->delivery);
}

const wh_sink_type wh_splunk_sink = {
    .exact = false,
    .keeps_writes = true,
    .appends_only = true,
    .batch_rows = BATCH_ROWS,
    .open = sink_open,
    .inspect = sink_inspect,
    .prepare = sink_prepare,
    .begin = sink_begin,
    .write = sink_write,
    .commit = sink_commit,
    .abort = sink_abort,
    .close = sink_close,
};
