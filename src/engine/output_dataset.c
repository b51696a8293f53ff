// Rows into files of a dataset, which one index publishes: the next version (engine/dataset.h).
#include "engine/dataset.h"
#include "engine/dataset_files.h"
#include "engine/model.h"
#include "engine/output.h"

struct wh_dataset_output {
  wh_dataset_shape shape;
  wh_dataset_files *files;
  const wh_dataset_file *made;
  size_t made_count;
  uint64_t rows;
  bool published; // or sealed, and so for recovery to publish: the files are kept
};

// --- what is there -------------------------------------------------------------------------------

static wh_status refuse(const wh_run_output *out, const char *what, wh_str there, wh_str here,
                        wh_error *err) {
  return wh_fail(err, WH_ERR_TYPE,
                 "%.*s: the dataset has %s %.*s, and what arrives has %.*s. Rows are only added "
                 "that are like those before: write another dataset, or mode: replace",
                 WH_STR_ARG(out->pipeline->write.dataset), what, WH_STR_ARG(there),
                 WH_STR_ARG(here));
}

static wh_str describe_field(const wh_field *field, wh_arena *arena) {
  wh_str type = wh_type_friendly(&field->type, arena);
  return wh_arena_printf(arena, "%.*s (%.*s)", WH_STR_ARG(field->name), WH_STR_ARG(type));
}

static wh_status check_columns(const wh_run_output *out, const wh_schema *there, wh_error *err) {
  const wh_schema *here = &out->dataset->shape.schema;
  size_t count = there->count > here->count ? there->count : here->count;
  for (size_t i = 0; i < count; i++) {
    const wh_field *a = i < there->count ? &there->fields[i] : NULL;
    const wh_field *b = i < here->count ? &here->fields[i] : NULL;
    if (a && b && wh_str_eq(a->name, b->name) && wh_type_eq(&a->type, &b->type)) continue;
    return refuse(out, "the column", a ? describe_field(a, out->arena) : WH_STR("no more"),
                  b ? describe_field(b, out->arena) : WH_STR("no more"), err);
  }
  return WH_OK;
}

// Whether rows can be added to what the dataset is.
static wh_status check_same(const wh_run_output *out, const wh_dataset_index *there,
                            wh_error *err) {
  const wh_dataset_shape *here = &out->dataset->shape;
  wh_str format = wh_str_of(here->format.codec->name);
  if (!wh_str_eq(there->format, format)) return refuse(out, "files of", there->format, format, err);
  const wh_str_list *a = &there->partition_by, *b = &here->partition_by;
  bool same = a->count == b->count;
  for (size_t i = 0; same && i < a->count; i++)
    same = wh_str_eq(a->items[i], b->items[i]);
  if (!same)
    return wh_fail(err, WH_ERR_TYPE,
                   "%.*s: the dataset is partitioned by other columns than partition_by says. "
                   "Write another dataset, or mode: replace",
                   WH_STR_ARG(out->pipeline->write.dataset));
  return check_columns(out, &there->schema, err);
}

static bool appends(const wh_run_output *out) {
  return out->pipeline->write.mode == WH_WRITE_APPEND;
}

static wh_status check_present(const wh_run_output *out, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, out->engine->mem);
  wh_dataset_index present;
  WH_TRY(wh_dataset_present(out->connection, out->pipeline->write.dataset, &arena, &present, err));
  return present.version ? check_same(out, &present, err) : WH_OK;
}

// --- the verbs -----------------------------------------------------------------------------------

static wh_status dataset_open(wh_run_output *out, const wh_flow *flow, wh_error *err) {
  const wh_schema *schema = wh_flow_schema(flow);
  const wh_write *write = &out->pipeline->write;
  struct wh_dataset_output *o = WH_NEW(out->arena, struct wh_dataset_output);
  if (!o) return wh_fail_memory(err);
  *o = (struct wh_dataset_output){.shape = {.prefix = write->dataset,
                                            .run = out->run->id,
                                            .format = write->format,
                                            .schema = *schema,
                                            .partition_by = write->partition_by,
                                            .sort_by = write->sort_by,
                                            .file_bytes = (uint64_t)write->file_bytes}};
  out->dataset = o;
  if (!appends(out) && out->run->partial)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s is replaced as a whole, and this would be a part. Mend the source, or the "
                   "rule, and run all of it",
                   WH_STR_ARG(write->dataset));
  if (appends(out)) WH_TRY(check_present(out, err));
  return wh_dataset_files_open(out->engine, out->connection, &o->shape, out->arena, &o->files, err);
}

static wh_status dataset_write(wh_run_output *out, wh_flow_item *item, wh_counts *counts,
                               wh_error *err) {
  uint64_t rows = item->batch->rows;
  wh_status status = wh_dataset_files_add(out->dataset->files, item->batch, err);
  if (status != WH_OK) {
    wh_error_append_row(err);
    return status;
  }
  out->dataset->rows += rows;
  counts->written += rows;
  return WH_OK;
}

// The columns as both say them: one may hold a NULL where it did in either.
static wh_status join_schemas(const wh_run_output *out, const wh_schema *there, wh_schema *ret,
                              wh_error *err) {
  const wh_schema *here = &out->dataset->shape.schema;
  wh_field *fields = WH_NEW_ARRAY(out->arena, here->count + 1, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < here->count; i++) {
    fields[i] = here->fields[i];
    fields[i].nullable |= there->fields[i].nullable;
  }
  *ret = (wh_schema){.count = here->count, .fields = fields};
  return WH_OK;
}

static const wh_model_scope *scope_of(const wh_run_output *out) {
  return out->input && out->input->model ? &out->input->model->scope : NULL;
}

// A model's rows of the partitions that it was run for.
static wh_status check_made(const wh_run_output *out, const wh_model_scope *scope,
                            const wh_dataset_index *made, wh_error *err) {
  const struct wh_dataset_output *o = out->dataset;
  for (size_t i = 0; i < o->made_count; i++) {
    if (wh_model_scope_has(scope, made, &o->made[i])) continue;
    return wh_fail(
        err, WH_ERR_REFUSED,
        "rows came out for a partition that was not read (%.*s), so the model cannot be "
        "run by partitions: each row must come of rows of its own. Take incremental away",
        WH_STR_ARG(o->made[i].path));
  }
  return WH_OK;
}

static wh_status make_parts(const wh_run_output *out, const wh_model_scope *scope,
                            const wh_dataset_index *present, wh_dataset_index *ret, wh_error *err) {
  const struct wh_dataset_output *o = out->dataset;
  if (present->version != scope->base)
    return wh_fail(err, WH_ERR_BUSY, "%.*s: somebody published version %llu meanwhile; try again",
                   WH_STR_ARG(o->shape.prefix), (unsigned long long)present->version);
  wh_status status = check_same(out, present, err);
  if (status == WH_ERR_TYPE && err)
    wh_error_append(err, ". To make all of it anew: wherry run --full");
  WH_TRY(status);
  WH_TRY(check_made(out, scope, ret, err));
  WH_TRY(join_schemas(out, &present->schema, &ret->schema, err));
  wh_dataset_file *files =
      WH_NEW_ARRAY(out->arena, present->file_count + o->made_count + 1, wh_dataset_file);
  if (!files) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < present->file_count; i++)
    if (!wh_model_scope_has(scope, present, &present->files[i])) files[count++] = present->files[i];
  for (size_t i = 0; i < o->made_count; i++)
    files[count++] = o->made[i];
  ret->files = files;
  ret->file_count = count;
  ret->of = present->version;
  return WH_OK;
}

static wh_status make_append(const wh_run_output *out, const wh_dataset_index *present,
                             wh_dataset_index *ret, wh_error *err) {
  const struct wh_dataset_output *o = out->dataset;
  WH_TRY(check_same(out, present, err));
  WH_TRY(join_schemas(out, &present->schema, &ret->schema, err));
  size_t count = present->file_count + o->made_count;
  wh_dataset_file *files = WH_NEW_ARRAY(out->arena, count + 1, wh_dataset_file);
  if (!files) return wh_fail_memory(err);
  for (size_t i = 0; i < present->file_count; i++)
    files[i] = present->files[i];
  for (size_t i = 0; i < o->made_count; i++)
    files[present->file_count + i] = o->made[i];
  ret->files = files;
  ret->file_count = count;
  ret->of = present->version;
  if (present->source_order > ret->source_order) ret->source_order = present->source_order;
  return WH_OK;
}

static wh_status make_index(void *context, const wh_dataset_index *present, wh_dataset_index *ret,
                            wh_error *err) {
  const wh_run_output *out = context;
  const struct wh_dataset_output *o = out->dataset;
  *ret = (wh_dataset_index){.operation = appends(out) ? WH_DATASET_APPEND : WH_DATASET_REPLACE,
                            .source_order = out->load.order,
                            .format = wh_str_of(o->shape.format.codec->name),
                            .partition_by = o->shape.partition_by,
                            .schema = o->shape.schema,
                            .files = o->made,
                            .file_count = o->made_count};
  const wh_model_scope *scope = scope_of(out);
  if (scope) ret->origin = scope->origin;
  if (!present->version && !(scope && scope->in_parts)) return WH_OK;
  if (appends(out)) return make_append(out, present, ret, err);
  // What is there came of a newer source.
  if (present->source_order > out->load.order) return WH_ERR_END;
  return scope && scope->in_parts ? make_parts(out, scope, present, ret, err) : WH_OK;
}

static void sum_up(const struct wh_dataset_output *o, wh_run *run) {
  run->bytes_written = 0;
  run->row_hash = 0;
  for (size_t i = 0; i < o->made_count; i++) {
    run->bytes_written += o->made[i].bytes;
    run->row_hash += o->made[i].row_hash;
  }
}

static wh_status dataset_complete(wh_run_output *out, wh_mark *mark, wh_finish *finish, wh_run *run,
                                  wh_error *err) {
  (void)mark;
  struct wh_dataset_output *o = out->dataset;
  if (o->rows == 0 && appends(out)) return WH_OK;
  WH_TRY(wh_dataset_files_finish(o->files, &o->made, &o->made_count, err));
  sum_up(o, run);
  if (scope_of(out) && scope_of(out)->in_parts) run->partial = true; // the next is not compared
  wh_dataset_publication publication = {.engine = out->engine,
                                        .pipeline = out->pipeline,
                                        .connection = out->connection,
                                        .run = run,
                                        .arena = out->arena,
                                        .finish = finish,
                                        .make = make_index,
                                        .context = out};
  wh_status status = wh_dataset_publish(&publication, err);
  o->published = publication.in_ledger && status != WH_ERR_END;
  if (status != WH_ERR_END) return status;
  run->counts.superseded += run->counts.written;
  run->counts.written = 0;
  run->output = run->sha256 = (wh_str){0};
  run->bytes_written = 0;
  o->rows = 0; // what is removed before the run is recorded is not left behind by a crash
  return wh_dataset_discard(out->connection, o->shape.prefix, o->shape.run, err);
}

static void dataset_close(wh_run_output *out) {
  struct wh_dataset_output *o = out->dataset;
  if (!o) return;
  wh_dataset_files_close(o->files);
  wh_error ignored = {0};
  if (o->rows && !o->published)
    WH_IGNORE(wh_dataset_discard(out->connection, o->shape.prefix, o->shape.run, &ignored));
  out->dataset = NULL;
}

const wh_output_verbs wh_output_dataset = {
    .open = dataset_open,
    .write = dataset_write,
    .complete = dataset_complete,
    .close = dataset_close,
};
