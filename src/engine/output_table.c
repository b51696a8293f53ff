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

static wh_status open_sink(wh_run_output *out, const wh_target *targets, wh_error *err) {
  const wh_sink_type *type = out->connection->type->sink;
  WH_TRY(type->open(out->connection, targets, out->table.count, &out->table.sink, err));
  WH_TRY(type->prepare(out->table.sink, err));
  return begin(out, err);
}

// What the ledger knows, where the target keeps no marks.
static wh_status find_note(wh_run_output *out, wh_error *err) {
  if (out->connection->type->sink->mark || !out->work) return WH_OK;
  return wh_noted_mark_read(out->work->progress, out->arena, &out->mark, err);
}

static bool has_kept(const wh_run_output *out) {
  bool fits = true;
  for (size_t i = 0; fits && i < out->table.count; i++)
    fits = wh_kept_fits(out->kept, i, &out->table.branches[i].rows.in);
  return fits;
}

// Beside the loads before, in their transaction.
static wh_status join(wh_run_output *out, wh_error *err) {
  out->table.sink = wh_kept_take(out->kept);
  out->table.in_transaction = true;
  wh_status status =
      out->connection->type->sink->join(out->table.sink, &out->load, out->arena, &out->mark, err);
  // Else there is nothing of its own to leave: what is there is the savepoint of the load before.
  out->table.has_joined = status == WH_OK;
  return status;
}

// With the sink of the object before. Its line may have been lost since: then with another.
static wh_status begin_again(wh_run_output *out, const wh_target *targets, wh_error *err) {
  if (out->group && wh_group_has_loads(out->group)) {
    if (has_kept(out)) return join(out, err);
    WH_TRY(wh_group_commit(out->group, err));
  }
  if (!has_kept(out)) return open_sink(out, targets, err);
  out->table.sink = wh_kept_take(out->kept);
  wh_status status = begin(out, err);
  if (status != WH_ERR_UNAVAILABLE) return status;
  out->connection->type->sink->close(out->table.sink);
  out->table.sink = NULL;
  return open_sink(out, targets, err);
}

static wh_status open_branch(wh_run_output *out, const wh_pipeline *p, const wh_schema *schema,
                             wh_output_branch *b, wh_target *ret, wh_error *err) {
  wh_output_rows *rows = &b->rows;
  wh_mem *mem = out->engine->mem;
  WH_TRY(wh_output_rows_init(rows, &p->write, schema, mem, out->arena, err));
  b->has_batches = true;
  WH_TRY(wh_batch_init(&b->live, mem, &rows->schema, err));
  WH_TRY(wh_batch_init(&b->gone, mem, &rows->schema, err));
  *ret = wh_output_target(p, rows);
  if (!rows->erases || out->connection->type->sink->erase) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s cannot delete rows, and what comes says which are deleted. To leave them as "
                 "they are, say write: { deletes: ignore }",
                 WH_STR_ARG(p->to.connection));
}

static wh_status table_open(wh_run_output *out, const wh_flow *flow, wh_error *err) {
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(out->pipeline, &count);
  out->table.branches = WH_NEW_ARRAY(out->arena, count, wh_output_branch);
  wh_target *targets = WH_NEW_ARRAY(out->arena, count, wh_target);
  if (!out->table.branches || !targets) return wh_fail_memory(err);
  out->table.count = count;
  for (size_t i = 0; i < count; i++)
    WH_TRY(open_branch(out, &branches[i], wh_flow_schema_of(flow, i), &out->table.branches[i],
                       &targets[i], err));
  WH_TRY(find_note(out, err));
  return begin_again(out, targets, err);
}

static wh_status table_write(wh_run_output *out, wh_flow_item *item, wh_counts *counts,
                             wh_error *err) {
  if (item->batch->rows == 0) return WH_OK;
  wh_rejects *rejects = &item->rejected->rejects;
  wh_output_branch *b = &out->table.branches[item->branch];
  wh_output_rows *rows = &b->rows;
  const wh_sink_type *sink = out->connection->type->sink;
  wh_batch *live = &b->live, *gone = &b->gone;
  WH_TRY(wh_output_rows_split(rows, item->batch, live, gone, err));
  if (rows->column >= 0) counts->deleted = 0; // the sink says how many there were
  // What is gone makes room first: for a key that only changed its case, where the table cannot
  // tell. A row and a deletion of one key and one object end as the row, in either order.
  if (gone->rows && rows->erases)
    WH_TRY(sink->erase(out->table.sink, item->branch, gone, rejects, counts, err));
  else
    counts->filtered += gone->rows;
  return live->rows ? sink->write(out->table.sink, item->branch, live, rejects, counts, err)
                    : WH_OK;
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

// "db:artist", or "db:artist, track, bar".
static wh_status name_output(const wh_run_output *out, wh_run *run, wh_error *err) {
  run->output = wh_pipeline_target(out->pipeline, out->arena);
  return run->output.data ? WH_OK : wh_fail_memory(err);
}

static wh_status table_complete(wh_run_output *out, wh_mark *mark, wh_finish *finish, wh_run *run,
                                wh_error *err) {
  WH_TRY(name_output(out, run, err));
  // Rows that come straight from a database are not there to be read again after a crash between
  // the commit and the ledger: keep what is to be recorded, and let the mark tell whether it holds.
  if (out->input->is_rows) {
    wh_ledger *ledger = out->engine->ledger;
    WH_TRY(ledger->type->run_seal(ledger, run, finish, err));
    run->state = WH_RUN_SEALED;
  }
  if (out->group)
    WH_TRY(out->connection->type->sink->mark(out->table.sink, mark, err));
  else
    WH_TRY(commit(out, mark, err));
  out->table.is_complete = true;
  run->counts = mark->counts;
  return WH_OK;
}

static void keep(wh_run_output *out) {
  const wh_schema *ins[WH_BRANCHES_MAX];
  for (size_t i = 0; i < out->table.count; i++)
    ins[i] = &out->table.branches[i].rows.in;
  wh_kept_give(out->kept, out->connection->type->sink, out->table.sink, ins, out->table.count);
}

// What others have written stays, where that can be had; else the group has lost its transaction,
// and finds no sink.
static bool leave(wh_run_output *out) {
  const wh_sink_type *type = out->connection->type->sink;
  return out->table.has_joined && type->leave(out->table.sink, NULL) == WH_OK;
}

// `replace` makes ready for each object.
static void let_go(wh_run_output *out) {
  const wh_sink_type *type = out->connection->type->sink;
  if (!out->table.sink) return;
  bool replaces = out->pipeline->write.mode == WH_WRITE_REPLACE;
  if (out->table.is_complete ? !replaces : leave(out)) {
    keep(out);
  } else {
    if (out->table.in_transaction) type->abort(out->table.sink);
    type->close(out->table.sink);
  }
  out->table.sink = NULL;
}

static void table_close(wh_run_output *out) {
  let_go(out);
  for (size_t i = 0; i < out->table.count; i++) {
    wh_output_branch *b = &out->table.branches[i];
    // Later ones show earlier ones' columns.
    if (b->has_batches) wh_batch_free(&b->live);
    if (b->has_batches) wh_batch_free(&b->gone);
    wh_output_rows_free(&b->rows);
  }
  out->table.count = 0;
}

const wh_output_verbs wh_output_table = {
    .open = table_open,
    .write = table_write,
    .checkpoint = table_checkpoint,
    .complete = table_complete,
    .close = table_close,
};
