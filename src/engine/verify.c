// The proof: what the receipts say against what is there. Objects are hashed again; rows of loaded
// objects are read again, through the pipeline's own steps, and looked up in the target.
#include "data/deleted.h"
#include "data/keybytes.h"
#include "data/rowhash.h"
#include "data/seen.h"
#include "engine/after.h"
#include "engine/checksum.h"
#include "engine/dataset.h"
#include "engine/erased.h"
#include "engine/fit.h"
#include "engine/output_rows.h"
#include "engine/run.h"

enum { SEEN_SHARE_OF_MEMORY = 16 };

typedef struct verification {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_trouble trouble;
  void *context;
  wh_verify_result *result;
  wh_arena *arena; // reset for each run
  wh_arena *runs;  // of the run that is looked at
  bool replaced;   // the load that the table equals was seen (runs come newest first)
  wh_connection *to;
  bool to_rows;
  wh_seen *files;   // of a dataset that were hashed; NULL: none yet
  wh_seen *deleted; // keys that were deleted by what was loaded, and the order; NULL: none
  wh_erased_people erased;
} verification;

__attribute__((format(printf, 2, 3))) static void tell(verification *v, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (v->trouble) v->trouble(v->context, text);
}

static bool was_put_away(const verification *v, wh_str connection, wh_str key, int64_t time_us) {
  return wh_after_takes(v->engine->config, connection, key) ||
         wh_engine_retain_took(v->engine, connection, key, time_us);
}

// --- objects -----------------------------------------------------------------------------------

static wh_status open_seen(verification *v, wh_seen **ret, wh_error *err) {
  if (*ret) return WH_OK;
  const wh_config *config = v->engine->config;
  wh_str scratch = wh_arena_printf(v->arena, "%.*s/scratch", WH_STR_ARG(config->state_folder));
  if (!scratch.data) return wh_fail_memory(err);
  size_t limit = (size_t)config->memory_bytes / SEEN_SHARE_OF_MEMORY;
  return wh_seen_open(v->engine->os, v->engine->mem, scratch, limit, ret, err);
}

// The files of a version whose index is as it was published, each file once.
static wh_status verify_files(verification *v, uint64_t version, wh_error *err) {
  wh_str prefix = v->pipeline->write.dataset;
  wh_dataset_index index;
  WH_TRY(wh_dataset_read(v->to, prefix, version, v->arena, &index, err));
  WH_TRY(open_seen(v, &v->files, err));
  for (size_t i = 0; i < index.file_count; i++) {
    const wh_dataset_file *file = &index.files[i];
    bool is_new, matches;
    uint64_t first;
    WH_TRY(wh_seen_add(v->files, file->path, 0, &is_new, &first, err));
    if (!is_new) continue;
    WH_TRY(wh_dataset_file_matches(v->to, prefix, file, v->engine->mem, &matches, err));
    if (matches) continue;
    v->result->objects_wrong++;
    tell(v, "%.*s:%.*s%.*s: is missing, or has other bytes than its index says (version %llu)",
         WH_STR_ARG(v->to->name), WH_STR_ARG(prefix), WH_STR_ARG(file->path),
         (unsigned long long)version);
  }
  return WH_OK;
}

// Whether the object was an index of a version of the dataset, with newer ones that are there.
static wh_status is_kept_no_more(verification *v, uint64_t version, bool *ret, wh_error *err) {
  wh_dataset_version *versions;
  size_t count;
  WH_TRY(wh_dataset_versions(v->to, v->pipeline->write.dataset, v->arena, &versions, &count, err));
  *ret = count && versions[0].version > version; // they go lowest first: a hole is damage
  return WH_OK;
}

static wh_status verify_object(verification *v, const wh_run *run, wh_error *err) {
  if (run->sha256.len == 0) return WH_OK; // it published nothing
  size_t colon = wh_str_find(run->output, 0, ':');
  wh_str key = wh_str_sub(run->output, colon + 1, run->output.len);
  wh_input *in;
  wh_error inner = {0};
  wh_status status = v->to->type->store->open(v->to, key, (wh_str){0}, &in, &inner);
  bool matches = false;
  if (status == WH_OK) {
    status = wh_sha256_matches(in, run->sha256, v->engine->mem, &matches, &inner);
  }
  uint64_t version = wh_dataset_key_version(v->pipeline->write.dataset, key);
  if (status == WH_OK && matches) return version ? verify_files(v, version, err) : WH_OK;
  bool kept_no_more = false;
  if (version && status == WH_ERR_NOT_FOUND)
    WH_TRY(is_kept_no_more(v, version, &kept_no_more, err));
  bool damaged = status == WH_ERR_DATA;
  if (kept_no_more || (status == WH_ERR_NOT_FOUND &&
                       was_put_away(v, wh_str_sub(run->output, 0, colon), key, run->finished_us))) {
    v->result->objects_replaced++;
    return WH_OK;
  }
  if (status != WH_OK && status != WH_ERR_NOT_FOUND && status != WH_ERR_CHANGED && !damaged) {
    if (err) *err = inner;
    return status;
  }
  v->result->objects_wrong++;
  tell(v, "%.*s: %s (run %.*s)", WH_STR_ARG(run->output),
       status == WH_ERR_NOT_FOUND ? "is missing"
       : damaged                  ? inner.text
                                  : "has other bytes than its receipt says",
       WH_STR_ARG(run->id));
  return WH_OK;
}

// --- rows --------------------------------------------------------------------------------------

typedef struct comparison {
  verification *v;
  const wh_run *run;
  wh_finder *finder;
  const wh_schema *schema; // of the table's rows: rows.schema
  wh_output_rows rows;
  wh_batch live, gone; // what was loaded
  wh_buf key;          // of a row, as bytes
  size_t *key_at;      // columns of schema
  ptrdiff_t newest_at; // or -1
  bool has_order;      // the target shows each row's order, behind the columns of schema
  int64_t order;
  wh_batch found;
  wh_batch shown; // `found` without the order
  uint64_t missing, rejected;
} comparison;

static wh_status find_key(comparison *c, wh_arena *arena, wh_error *err) {
  const wh_str_list *key = &c->v->pipeline->write.key;
  c->key_at = WH_NEW_ARRAY(arena, key->count, size_t);
  if (!c->key_at) return wh_fail_memory(err);
  for (size_t i = 0; i < key->count; i++) {
    ptrdiff_t at = wh_schema_find(c->schema, key->items[i]);
    if (at < 0)
      return wh_fail(err, WH_ERR_USAGE, "the key %.*s is no column", WH_STR_ARG(key->items[i]));
    c->key_at[i] = (size_t)at;
  }
  return WH_OK;
}

static wh_status open_comparison(comparison *c, wh_arena *arena, wh_error *err) {
  const wh_write *write = &c->v->pipeline->write;
  size_t n = c->schema->count;
  wh_str *show = WH_NEW_ARRAY(arena, n + 1, wh_str);
  if (!show) return wh_fail_memory(err);
  for (size_t i = 0; i < n; i++)
    show[i] = c->schema->fields[i].name;
  show[n] = WH_STR(WH_ORDER_COLUMN);
  c->newest_at = write->newest_by.len ? wh_schema_find(c->schema, write->newest_by) : -1;
  const wh_source_type *source = c->v->to->type->source;
  wh_str table = c->v->pipeline->to.thing;
  wh_error inner = {0};
  wh_status status = source->open_finder(c->v->to, table, write->key.items, write->key.count, show,
                                         n + 1, &c->finder, &inner);
  c->has_order = status == WH_OK;
  if (status == WH_ERR_NOT_FOUND) { // orders are kept aside: compare without them
    status = source->open_finder(c->v->to, table, write->key.items, write->key.count, show, n,
                                 &c->finder, &inner);
  }
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  WH_TRY(wh_batch_init(&c->found, c->v->engine->mem, c->finder->schema, err));
  return WH_OK;
}

// -1, 0, 1: the target's version against the row's.
static wh_status compare_versions(const comparison *c, const wh_batch *batch, size_t row, int *ret,
                                  wh_error *err) {
  *ret = 0;
  if (c->newest_at >= 0) {
    wh_value there, here;
    WH_TRY(wh_value_get(&c->found.columns[c->newest_at], 0, &there, err));
    WH_TRY(wh_value_get(&batch->columns[c->newest_at], row, &here, err));
    *ret = wh_value_compare(&there, &here);
  }
  // A row that a replacement left as it was keeps the order it had.
  if (*ret == 0 && c->has_order && c->v->pipeline->write.mode != WH_WRITE_REPLACE) {
    int64_t order = wh_column_i64(&c->found.columns[c->schema->count], 0);
    *ret = order < c->order ? -1 : order > c->order;
  }
  return WH_OK;
}

// The text of a number without zeros that say nothing: 1.50 and 1.5 are one number.
static wh_str number_text(const wh_column *column, size_t row, wh_buf *text) {
  wh_column_write(column, row, text);
  wh_str s = wh_buf_str(text);
  if (wh_str_find(s, 0, '.') == s.len || wh_str_find(s, 0, 'e') < s.len) return s;
  while (wh_str_ends(s, "0"))
    s.len--;
  if (wh_str_ends(s, ".")) s.len--;
  return s;
}

// A table may keep a number in another type than it came in: a JSON 1.5 as decimal 1.50.
static bool same_number(const comparison *c, const wh_column *a, size_t row_a, const wh_column *b,
                        size_t row_b) {
  if (wh_column_is_null(a, row_a) || wh_column_is_null(b, row_b)) return false;
  bool numbers = a->type.kind >= WH_INT8 && a->type.kind <= WH_DECIMAL && b->type.kind >= WH_INT8 &&
                 b->type.kind <= WH_DECIMAL;
  if (!numbers) return false;
  WH_CLEAN_BUF wh_buf text_a;
  WH_CLEAN_BUF wh_buf text_b;
  wh_buf_init(&text_a, c->v->engine->mem, 0);
  wh_buf_init(&text_b, c->v->engine->mem, 0);
  return wh_str_eq(number_text(a, row_a, &text_a), number_text(b, row_b, &text_b));
}

static bool same_values(const comparison *c, const wh_batch *batch, size_t row) {
  for (size_t i = 0; i < c->schema->count; i++) {
    const wh_column *here = &batch->columns[i], *there = &c->found.columns[i];
    if (wh_value_hash(here, row, 0) == wh_value_hash(there, 0, 0)) continue;
    if (!same_number(c, here, row, there, 0)) return false;
  }
  return true;
}

static void tell_row(comparison *c, const wh_batch *batch, size_t row, const char *what) {
  WH_CLEAN_BUF wh_buf key;
  wh_buf_init(&key, c->v->engine->mem, 0);
  for (size_t i = 0; i < c->v->pipeline->write.key.count; i++) {
    if (i) wh_buf_add_c(&key, ", ");
    wh_column_write(&batch->columns[c->key_at[i]], row, &key);
  }
  tell(c->v, "%.*s: the row %.*s %s", WH_STR_ARG(c->run->output), WH_STR_ARG(wh_buf_str(&key)),
       what);
}

static wh_status find_row(comparison *c, const wh_batch *batch, size_t row, wh_error *err) {
  enum { KEY_COLUMNS_MAX = 64 };
  wh_value key[KEY_COLUMNS_MAX];
  size_t count = c->v->pipeline->write.key.count;
  for (size_t i = 0; i < count && i < KEY_COLUMNS_MAX; i++)
    WH_TRY(wh_value_get(&batch->columns[c->key_at[i]], row, &key[i], err));
  wh_batch_reset(&c->found);
  return c->finder->find(c->finder, key, &c->found, err);
}

// The row's key as bytes; *ret_whole false: a part of it is NULL.
static wh_status make_key(comparison *c, const wh_batch *batch, size_t row, bool *ret_whole,
                          wh_error *err) {
  wh_buf_clear(&c->key);
  *ret_whole = true;
  for (size_t i = 0; i < c->v->pipeline->write.key.count; i++) {
    const wh_column *column = &batch->columns[c->key_at[i]];
    if (wh_column_is_null(column, row))
      *ret_whole = false;
    else
      wh_key_bytes_add(column, row, &c->key);
  }
  return wh_buf_check(&c->key, err);
}

// Whether a newer object says that the row is gone.
static wh_status was_deleted(comparison *c, const wh_batch *batch, size_t row, bool *ret,
                             wh_error *err) {
  bool whole;
  uint64_t order = 0;
  *ret = false;
  if (!c->v->deleted) return WH_OK;
  WH_TRY(make_key(c, batch, row, &whole, err));
  if (!whole) return WH_OK;
  WH_TRY(wh_seen_find(c->v->deleted, wh_buf_str(&c->key), ret, &order, err));
  *ret = *ret && order > (uint64_t)c->order;
  return WH_OK;
}

static wh_status note_deleted(comparison *c, size_t row, wh_error *err) {
  bool whole, found, is_new;
  uint64_t order;
  WH_TRY(make_key(c, &c->gone, row, &whole, err));
  if (!whole) return WH_OK;
  wh_str key = wh_buf_str(&c->key);
  WH_TRY(wh_seen_find(c->v->deleted, key, &found, &order, err));
  if (found && order >= (uint64_t)c->order) return WH_OK;
  return wh_seen_put(c->v->deleted, key, (uint64_t)c->order, &is_new, err);
}

// A row that says it is gone: nothing older may be there, unless it is marked.
static wh_status compare_gone(comparison *c, size_t row, wh_error *err) {
  wh_verify_result *r = c->v->result;
  WH_TRY(find_row(c, &c->gone, row, err));
  if (c->found.rows == 0) {
    r->equal++;
    return WH_OK;
  }
  int64_t order = c->has_order ? wh_column_i64(&c->found.columns[c->schema->count], 0) : c->order;
  bool is_marked = wh_row_is_deleted(&c->found, wh_deleted_column(c->schema), 0);
  if (order > c->order || (order == c->order && !is_marked)) {
    r->newer++;
  } else if (order == c->order) {
    r->equal++;
  } else {
    r->different++;
    tell_row(c, &c->gone, row, "is still there, though it was deleted");
  }
  return WH_OK;
}

static wh_status compare_row(comparison *c, const wh_batch *batch, size_t row, wh_error *err) {
  WH_TRY(find_row(c, batch, row, err));
  wh_verify_result *r = c->v->result;
  if (c->found.rows == 0) {
    bool deleted;
    WH_TRY(was_deleted(c, batch, row, &deleted, err));
    if (!deleted) deleted = wh_erased_people_have(&c->v->erased, batch, row, c->order);
    if (deleted) {
      r->newer++;
      return WH_OK;
    }
    c->missing++;
    if (c->missing > c->rejected) tell_row(c, batch, row, "is missing");
    return WH_OK;
  }
  int order;
  WH_TRY(compare_versions(c, batch, row, &order, err));
  if (order > 0) {
    r->newer++;
  } else if (order < 0) {
    r->older++;
    tell_row(c, batch, row, "is older there than what was loaded");
  } else if (same_values(c, batch, row)) {
    r->equal++;
  } else {
    r->different++;
    tell_row(c, batch, row, "has the same version but other values");
  }
  return WH_OK;
}

// Without a finder deletions are only noted.
static wh_status compare_batch(comparison *c, const wh_batch *batch, wh_error *err) {
  wh_status status = wh_output_rows_split(&c->rows, batch, &c->live, &c->gone, err);
  for (size_t i = 0; status == WH_OK && i < c->live.rows && c->finder; i++)
    status = compare_row(c, &c->live, i, err);
  for (size_t i = 0; status == WH_OK && i < c->gone.rows && c->rows.erases; i++)
    status = c->finder ? compare_gone(c, i, err) : note_deleted(c, i, err);
  return status;
}

static wh_status compare_rows(comparison *c, wh_flow *flow, wh_error *err) {
  WH_TRY(wh_flow_start(flow, 0, err));
  uint64_t rejected_by_steps = 0;
  wh_flow_item *item;
  wh_status status;
  // Rows that the sink itself refused are not in the table, and rightly so. How many: those the
  // receipt counts less those that the steps refuse again now.
  c->rejected = c->run->counts.quarantined;
  while ((status = wh_flow_next(flow, &item, err)) == WH_OK) {
    rejected_by_steps += item->counts.quarantined;
    status = compare_batch(c, item->batch, err);
    wh_flow_release(flow, item);
    if (status != WH_OK) return status;
    if (wh_engine_stopping(c->v->engine)) return wh_fail(err, WH_ERR_CANCELLED, "stopped");
  }
  if (status != WH_ERR_END) return status;
  if (!c->finder) return WH_OK;
  uint64_t by_sink = c->rejected > rejected_by_steps ? c->rejected - rejected_by_steps : 0;
  if (c->missing > by_sink) c->v->result->missing += c->missing - by_sink;
  return WH_OK;
}

static wh_status open_rows(comparison *c, const wh_flow *flow, bool only_notes, wh_error *err) {
  verification *v = c->v;
  wh_mem *mem = v->engine->mem;
  WH_TRY(
      wh_output_rows_init(&c->rows, &v->pipeline->write, wh_flow_schema(flow), mem, v->arena, err));
  c->schema = &c->rows.schema;
  wh_buf_init(&c->key, mem, 0);
  WH_TRY(wh_batch_init(&c->live, mem, c->schema, err));
  WH_TRY(wh_batch_init(&c->gone, mem, c->schema, err));
  WH_TRY(find_key(c, v->arena, err));
  return only_notes ? WH_OK : open_comparison(c, v->arena, err);
}

static wh_status compare_object(verification *v, const wh_run *run, wh_run_input *in,
                                bool only_notes, wh_error *err) {
  wh_gate gate;
  WH_TRY(wh_config_gate(v->engine->config, v->pipeline, v->arena, &gate, err));
  wh_flow_options options = {.engine = v->engine,
                             .pipeline = v->pipeline,
                             .gate = &gate,
                             .reader = in->reader,
                             .start_us = run->started_us};
  wh_flow *flow;
  WH_TRY(wh_flow_open(&options, &flow, err));
  wh_status status = wh_flow_fit(flow, 0, NULL, v->pipeline, v->to, v->arena, err);
  comparison c = {.v = v, .run = run, .order = in->order};
  if (status == WH_OK) status = open_rows(&c, flow, only_notes, err);
  if (status == WH_OK) status = compare_rows(&c, flow, err);
  wh_buf_free(&c.key);
  wh_batch_free(&c.live);
  wh_batch_free(&c.gone);
  wh_output_rows_free(&c.rows);
  wh_batch_free(&c.found);
  if (c.finder) c.finder->close(c.finder);
  wh_flow_close(flow);
  return status;
}

// With `replace` the table equals one object, the newest that was applied: what earlier ones
// brought may rightly be gone. One that came too late has only superseded rows.
static bool was_replaced(verification *v, const wh_run *run) {
  if (v->pipeline->write.mode != WH_WRITE_REPLACE) return false;
  if (v->replaced) return true;
  const wh_counts *c = &run->counts;
  bool late = c->superseded > 0 && c->superseded + c->filtered + c->quarantined == c->read;
  v->replaced = !late;
  return late;
}

// The rows of one table, or of the branch that v->pipeline is. *ret_readable false: the object is
// not what it was, which is told.
static wh_status verify_table(verification *v, const wh_run *run, bool *ret_readable,
                              wh_error *err) {
  wh_str connection, key, version;
  *ret_readable = true;
  if (was_replaced(v, run)) return WH_OK;
  bool is_object = wh_input_split(run->object, &connection, &key, &version);
  if (v->pipeline->write.key.count == 0 || !is_object) {
    return WH_OK; // without a key there is nothing to look a row up by: the receipt and the mark
  }
  wh_run_input in = {0};
  wh_error inner = {0};
  wh_status status =
      wh_input_open_object(v->engine, v->pipeline, key, version, true, v->arena, &in, &inner);
  // Also finds the types of an object that has no manifest, where those that were pinned are lost.
  if (status == WH_OK) status = wh_input_prove(&in, &inner);
  bool damaged = status == WH_ERR_DATA;
  if (status == WH_OK) status = compare_object(v, run, &in, false, &inner);
  wh_input_close_run(&in);
  // Whoever owns the object may write a newer one over it: told, and no fault of anybody's.
  bool replaced = status == WH_ERR_CHANGED;
  bool put_away = status == WH_ERR_NOT_FOUND && was_put_away(v, connection, key, run->finished_us);
  if (status == WH_ERR_NOT_FOUND || replaced || damaged) {
    *ret_readable = false;
    v->result->objects_wrong += !replaced && !put_away;
    v->result->objects_replaced += replaced || put_away;
    tell(v, "%.*s: %s, so what was loaded from it cannot be compared", WH_STR_ARG(run->object),
         damaged    ? "is damaged"
         : replaced ? "was replaced since"
         : put_away ? "was put away since"
                    : "is gone");
    return WH_OK;
  }
  if (status != WH_OK && err) *err = inner;
  return status;
}

static wh_status verify_load(verification *v, const wh_run *run, wh_error *err) {
  const wh_pipeline *p = v->pipeline;
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(p, &count);
  wh_status status = WH_OK;
  bool readable = true;
  for (size_t i = 0; status == WH_OK && readable && i < count; i++) {
    v->pipeline = &branches[i];
    status = verify_table(v, run, &readable, err);
  }
  v->pipeline = p;
  return status;
}

// What newer objects have deleted is rightly missing. Objects that cannot be read are told of when
// they are compared.
static wh_status note_deletions(void *context, const wh_run *run, wh_error *err) {
  verification *v = context;
  wh_str connection, key, version;
  wh_error inner = {0};
  wh_status status = WH_OK;
  wh_arena_reset(v->arena);
  if (run->counts.deleted && wh_input_split(run->object, &connection, &key, &version)) {
    WH_TRY(open_seen(v, &v->deleted, err));
    wh_run_input in = {0};
    status =
        wh_input_open_object(v->engine, v->pipeline, key, version, true, v->arena, &in, &inner);
    if (status == WH_OK) status = compare_object(v, run, &in, true, &inner);
    wh_input_close_run(&in);
  }
  if (wh_input_is_final(status) || status == WH_ERR_CHANGED) status = WH_OK;
  if (status != WH_OK && err) *err = inner;
  wh_arena_reset(v->runs);
  return status;
}

// --- runs --------------------------------------------------------------------------------------

static bool adds_up(const wh_counts *c) {
  return c->read == c->written + c->unchanged + c->superseded + c->filtered + c->quarantined;
}

static wh_status verify_run(void *context, const wh_run *run, wh_error *err) {
  verification *v = context;
  wh_arena_reset(v->arena);
  v->result->runs++;
  v->result->rows += run->counts.written;
  if (!adds_up(&run->counts)) {
    v->result->receipts_wrong++;
    tell(v, "the receipt of run %.*s does not add up", WH_STR_ARG(run->id));
  }
  WH_TRY(v->to_rows ? verify_load(v, run, err) : verify_object(v, run, err));
  wh_arena_reset(v->runs); // there may be very many runs
  return WH_OK;
}

wh_status wh_engine_verify(wh_engine *engine, const wh_pipeline *pipeline, wh_trouble trouble,
                           void *context, wh_verify_result *ret, wh_error *err) {
  *ret = (wh_verify_result){.pipeline = pipeline};
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_ARENA wh_arena runs;
  WH_CLEAN_ARENA wh_arena erased;
  wh_arena_init(&arena, engine->mem);
  wh_arena_init(&runs, engine->mem);
  wh_arena_init(&erased, engine->mem);
  verification v = {.engine = engine,
                    .pipeline = pipeline,
                    .trouble = trouble,
                    .context = context,
                    .result = ret,
                    .arena = &arena,
                    .runs = &runs};
  WH_TRY(wh_input_connect(engine, &pipeline->to, &v.to, &v.to_rows, err));
  WH_TRY(wh_erased_people_read(engine, pipeline, &erased, &v.erased, err));
  ret->publishes = !v.to_rows;
  wh_ledger *ledger = engine->ledger;
  wh_status status = WH_OK;
  if (v.to_rows && pipeline->write.deletes == WH_DELETES_REMOVE)
    status =
        ledger->type->runs(ledger, pipeline->name, WH_RUN_DONE, 0, &runs, note_deletions, &v, err);
  if (status == WH_OK)
    status = ledger->type->runs(ledger, pipeline->name, WH_RUN_DONE, 0, &runs, verify_run, &v, err);
  wh_seen_close(v.files);
  wh_seen_close(v.deleted);
  return status;
}
