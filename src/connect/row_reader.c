#include "connect/row_reader.h"

enum {
  TURNS_PER_SECOND = 10,    // of a reader that keeps to a number of rows a second
  SLEEP_NS_MAX = 100000000, // between two looks at the wish to stop
};

static void row_reader_close(wh_reader *base) {
  wh_row_reader *r = (wh_row_reader *)base;
  if (!r) return;
  r->type->close(r);
  wh_buf_free(&r->raw);
  wh_arena_free(&r->arena);
  wh_mem_free(r->connection->mem, r, r->type->size);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status reject_row(wh_row_reader *r, size_t column, const wh_misfit *misfit,
                            wh_rejects *rejects, wh_error *err) {
  WH_TRY(r->type->write_json(r, &r->raw, err));
  wh_reject reject = {
      .rule = wh_str_of(misfit->rule),
      .column = r->schema.fields[column].name,
      .reason = wh_str_of(misfit->reason),
      .place = {.row = r->rows},
  };
  r->rejected_bytes += r->raw.len + sizeof *misfit;
  return rejects->raw(rejects, &reject, wh_buf_str(&r->raw), err);
}

static wh_status append_row(wh_row_reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  size_t column = 0;
  wh_misfit misfit;
  wh_status status = r->type->append(r, batch->columns, &column, &misfit, err);
  if (__builtin_expect(status != WH_OK, 0)) {
    wh_batch_row_undo(batch);
    return status == WH_ERR_TYPE ? reject_row(r, column, &misfit, rejects, err) : status;
  }
  // Rows count on from the first one until a rejected one leaves a gap.
  if (batch->rows == 0) batch->first_row = r->rows;
  if (batch->places || r->rows != batch->first_row + batch->rows)
    WH_TRY(wh_batch_set_place(batch, (wh_place){.row = r->rows}, err));
  size_t before = batch->bytes;
  wh_batch_row_end(batch);
  return wh_source_check_row(r->connection, r->what, r->rows, batch->bytes - before, err);
}

// --- Not too fast --------------------------------------------------------------------------------

static bool is_cancelled(const wh_connection *c) {
  return c->cancel && atomic_load(c->cancel);
}

// Until the next batch is due. Time that was not used is not saved up.
static void wait_turn(wh_row_reader *r) {
  wh_os *os = r->connection->os;
  if (r->rate == 0) return;
  for (;;) {
    int64_t now = os->type->monotonic_ns(os), left = r->due_ns - now;
    if (left <= 0) r->due_ns = now;
    if (left <= 0 || is_cancelled(r->connection)) return;
    (void)os->type->sleep_ns(os, left < SLEEP_NS_MAX ? left : SLEEP_NS_MAX);
  }
}

static wh_status row_reader_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects,
                                 wh_error *err) {
  wh_row_reader *r = (wh_row_reader *)base;
  if (!r->ended) wait_turn(r);
  if (is_cancelled(r->connection))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(r->connection->name));
  r->rejected_bytes = 0;
  uint64_t before = r->rows;
  size_t bytes_before = batch->bytes;
  while (!r->ended && !wh_batch_full(batch, r->batch_rows, r->batch_bytes) &&
         r->rows - before < r->batch_rows && r->rejected_bytes < WH_BATCH_BYTES_DEFAULT) {
    bool row = false;
    WH_TRY(r->type->fetch(r, &row, err));
    if (!row) {
      r->ended = true;
      break;
    }
    r->rows++;
    WH_TRY(append_row(r, batch, rejects, err));
  }
  if (r->rate) r->due_ns += (int64_t)((__int128)(r->rows - before) * 1000000000 / r->rate);
  base->bytes_read += batch->bytes - bytes_before;
  base->paused = !r->ended;
  return WH_OK;
}

// --- Opening -------------------------------------------------------------------------------------

static size_t or_default(size_t value, size_t otherwise, size_t most) {
  if (value == 0) value = otherwise;
  return value < most ? value : most;
}

wh_status wh_row_reader_open(const wh_row_reader_type *type, wh_connection *c,
                             const wh_source_query *query, const wh_schema *schema,
                             int64_t rows_per_second, wh_reader **ret, wh_error *err) {
  wh_row_reader *r = wh_mem_alloc_zero(c->mem, type->size);
  if (!r) return wh_fail_memory(err);
  r->base = (wh_reader){.next = row_reader_next, .close = row_reader_close, .schema = &r->schema};
  r->type = type;
  r->connection = c;
  r->limit = query->limit_rows;
  r->rate = rows_per_second;
  if (r->rate && query->range) { // the sessions together keep to it
    r->rate /= (int64_t)query->range->sharers;
    if (r->rate == 0) r->rate = 1;
  }
  size_t batch_rows = query->batch_rows ? query->batch_rows : c->batch_rows;
  r->batch_rows = or_default(batch_rows, WH_BATCH_ROWS_DEFAULT, WH_BATCH_ROWS_MAX);
  size_t batch_bytes = query->batch_bytes ? query->batch_bytes : c->batch_bytes;
  r->batch_bytes = or_default(batch_bytes, WH_BATCH_BYTES_DEFAULT, WH_BATCH_BYTES_MAX);
  size_t turn = (size_t)(r->rate / TURNS_PER_SECOND) + 1;
  if (r->rate && turn < r->batch_rows) r->batch_rows = turn;
  wh_arena_init(&r->arena, c->mem);
  wh_buf_init(&r->raw, c->mem, 0);
  wh_status status = wh_schema_copy(schema, &r->arena, &r->schema, err);
  if (status == WH_OK) status = type->start(r, query, err);
  if (status == WH_OK)
    *ret = &r->base;
  else
    row_reader_close(&r->base);
  return status;
}
