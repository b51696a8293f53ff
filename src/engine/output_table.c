// Rows into a table: begin, write, mark, commit, in chunks. See connect/sink.h for the contract.
#include "engine/noted_mark.h"
#include "engine/output.h"

static wh_status begin(wh_run_output *out, wh_error *err) {
  const wh_sink_type *sink = out->connection->type->sink;
  wh_mark mark;
  WH_TRY(sink->begin(out->table.sink, &out->load, out->arena, &mark, err));
  out->table.in_transaction = true;
  if (sink->mark) out->mark = mark;
  return WH_OK;
}

wh_target wh_output_target(const wh_pipeline *p, const wh_output_rows *rows) {
  return (wh_target){.table = p->to.thing,
                     .schema = &rows->schema,
                     .mode = p->write.mode,
                     .key = p->write.key.items,
                     .key_count = p->write.key.count,
                     .newest_by = p->write.newest_by,
                     .side_table = p->write.side_table,
                     .adds_columns = p->on_new_column == WH_NEW_COLUMN_ADD,
                     .erases = rows->erases,
                     .deletes = p->write.deletes,
                     .tombstone_keep_us = p->write.tombstone_keep_us};
}

static wh_status open_sink(wh_run_output *out, const wh_target *target, wh_error *err) {
  const wh_sink_type *type = out->connection->type->sink;
  WH_TRY(type->open(out->connection, target, 1, &out->table.sink, err));
  WH_TRY(type->prepare(out->table.sink, err));
  return begin(out, err);
}

// What the ledger knows, where the target keeps no marks.
static wh_status find_note(wh_run_output *out, wh_error *err) {
  if (out->connection->type->sink->mark || !out->work) return WH_OK;
  return wh_noted_mark_read(out->work->progress, out->arena, &out->mark, err);
}

// With the sink of the object before. Its line may have been lost since: then with another.
static wh_status begin_again(wh_run_output *out, const wh_target *target, wh_error *err) {
  out->table.sink = wh_kept_take(out->kept, &out->table.rows.in);
  if (!out->table.sink) return open_sink(out, target, err);
  wh_status status = begin(out, err);
  if (status != WH_ERR_UNAVAILABLE) return status;
  out->connection->type->sink->close(out->table.sink);
  out->table.sink = NULL;
  return open_sink(out, target, err);
}

static wh_status table_open(wh_run_output *out, const wh_schema *schema, wh_error *err) {
  const wh_pipeline *p = out->pipeline;
  const wh_sink_type *type = out->connection->type->sink;
  wh_output_rows *rows = &out->table.rows;
  wh_mem *mem = out->engine->mem;
  WH_TRY(wh_output_rows_init(rows, &p->write, schema, mem, out->arena, err));
  out->table.has_batches = true;
  WH_TRY(wh_batch_init(&out->table.live, mem, &rows->schema, err));
  WH_TRY(wh_batch_init(&out->table.gone, mem, &rows->schema, err));
  wh_target target = wh_output_target(p, rows);
  if (rows->erases && !type->erase)
    return wh_fail(
        err, WH_ERR_REFUSED,
        "%.*s cannot delete rows, and what comes says which are deleted. To leave them as "
        "they are, say write: { deletes: ignore }",
        WH_STR_ARG(p->to.connection));
  WH_TRY(find_note(out, err));
  return begin_again(out, &target, err);
}

static wh_status table_write(wh_run_output *out, wh_flow_item *item, wh_counts *counts,
                             wh_error *err) {
  if (item->batch->rows == 0) return WH_OK;
  wh_rejects *rejects = &item->rejected->rejects;
  wh_output_rows *rows = &out->table.rows;
  const wh_sink_type *sink = out->connection->type->sink;
  wh_batch *live = &out->table.live, *gone = &out->table.gone;
  WH_TRY(wh_output_rows_split(rows, item->batch, live, gone, err));
  if (rows->column >= 0) counts->deleted = 0; // the sink says how many there were
  // What is gone makes room first: for a key that only changed its case, where the table cannot
  // tell. A row and a deletion of one key and one object end as the row, in either order.
  if (gone->rows && rows->erases)
    WH_TRY(sink->erase(out->table.sink, 0, gone, rejects, counts, err));
  else
    counts->filtered += gone->rows;
  return live->rows ? sink->write(out->table.sink, 0, live, rejects, counts, err) : WH_OK;
}

static wh_status commit(wh_run_output *out, wh_mark *mark, wh_error *err) {
  const wh_sink_type *sink = out->connection->type->sink;
  if (sink->mark) WH_TRY(sink->mark(out->table.sink, mark, err));
  WH_TRY(sink->commit(out->table.sink, err));
  out->table.in_transaction = false;
  if (sink->mark || !out->work) return WH_OK;
  out->mark = *mark;
  wh_engine *e = out->engine;
  return wh_noted_mark_put(e->ledger, out->lease, out->work->id, mark, &out->load, e->mem, err);
}

// Where no ledger keeps workers apart another may load the same object: the mark tells.
static wh_status table_checkpoint(wh_run_output *out, const wh_mark *mark, wh_error *err) {
  wh_mark copy = *mark;
  WH_TRY(commit(out, &copy, err));
  WH_TRY(begin(out, err));
  if (!out->mark.done && out->mark.rows_done == mark->rows_done) return WH_OK;
  return wh_fail(err, WH_ERR_STALE, "another worker loads %.*s, too; this one stops",
                 WH_STR_ARG(out->load.object));
}

static wh_status table_complete(wh_run_output *out, wh_mark *mark, wh_finish *finish, wh_run *run,
                                wh_error *err) {
  run->output = wh_arena_printf(out->arena, "%.*s:%.*s", WH_STR_ARG(out->pipeline->to.connection),
                                WH_STR_ARG(out->pipeline->to.thing));
  if (!run->output.data) return wh_fail_memory(err);
  // Rows that come straight from a database are not there to be read again after a crash between
  // the commit and the ledger: keep what is to be recorded, and let the mark tell whether it holds.
  if (out->input->is_rows) {
    wh_ledger *ledger = out->engine->ledger;
    WH_TRY(ledger->type->run_seal(ledger, run, finish, err));
    run->state = WH_RUN_SEALED;
  }
  WH_TRY(commit(out, mark, err));
  out->table.is_complete = true;
  run->counts = mark->counts;
  return WH_OK;
}

// `replace` makes ready for each object.
static void let_go(wh_run_output *out) {
  const wh_sink_type *type = out->connection->type->sink;
  wh_sink *sink = out->table.sink;
  if (!sink) return;
  out->table.sink = NULL;
  if (out->table.in_transaction) type->abort(sink);
  if (out->table.is_complete && out->pipeline->write.mode != WH_WRITE_REPLACE)
    wh_kept_give(out->kept, type, sink, &out->table.rows.in);
  else
    type->close(sink);
}

static void table_close(wh_run_output *out) {
  let_go(out);
  // Later ones show earlier ones' columns.
  if (out->table.has_batches) wh_batch_free(&out->table.live);
  if (out->table.has_batches) wh_batch_free(&out->table.gone);
  out->table.has_batches = false;
  wh_output_rows_free(&out->table.rows);
  out->table.rows = (wh_output_rows){0};
}

const wh_output_verbs wh_output_table = {
    .open = table_open,
    .write = table_write,
    .checkpoint = table_checkpoint,
    .complete = table_complete,
    .close = table_close,
};
