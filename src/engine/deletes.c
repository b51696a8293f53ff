#include "engine/deletes.h"

#include "data/deleted.h"
#include "data/keybytes.h"
#include "engine/crossings.h"
#include "engine/sent_keys.h"
#include "ledger/schema_json.h"

enum { SORT_SHARE_OF_MEMORY = 16, BATCH_BYTES = 1 << 20 };

typedef enum phase { ROWS, SOURCE_KEYS, GONE, END } phase;

struct wh_deletes_reader {
  wh_reader reader; // first
  wh_reader *rows;
  wh_run_input *in;
  wh_mem *mem;
  wh_arena arena;   // of the thread that reads
  wh_schema schema; // the rows', and the column
  size_t column;    // its index
  wh_schema key;    // columns of the key
  size_t *key_at;   // in the schema
  wh_str shape;
  bool compares;
  const wh_run *run; // NULL: rows are only looked at
  phase phase;
  uint64_t last_row;
  wh_buf bytes; // of a key
  wh_sorter *sent, *source;
  wh_reader *keys; // of the source
  wh_batch key_batch;
  bool has_key_batch;
  wh_sent_keys *known;
};

// --- Keys ----------------------------------------------------------------------------------------

static wh_status open_sorter(wh_deletes_reader *d, wh_sorter **ret, wh_error *err) {
  wh_engine *e = d->in->engine;
  wh_str scratch = wh_arena_printf(&d->arena, "%.*s/scratch", WH_STR_ARG(e->config->state_folder));
  if (!scratch.data) return wh_fail_memory(err);
  size_t limit = (size_t)e->config->memory_bytes / SORT_SHARE_OF_MEMORY;
  return wh_sorter_open(e->os, d->mem, scratch, limit, ret, err);
}

// Adds the row's key, unless a part of it is NULL: `at` are the columns of the batch.
static wh_status add_key(wh_deletes_reader *d, wh_sorter *to, const wh_batch *batch,
                         const size_t *at, size_t row, wh_error *err) {
  wh_buf_clear(&d->bytes);
  for (size_t i = 0; i < d->key.count; i++) {
    const wh_column *column = &batch->columns[at ? at[i] : i];
    if (wh_column_is_null(column, row)) return WH_OK;
    wh_key_bytes_add(column, row, &d->bytes);
  }
  WH_TRY(wh_buf_check(&d->bytes, err));
  if (d->bytes.len > WH_KEY_BYTES_MAX)
    return wh_fail(
        err, WH_ERR_LIMIT, "the key of row %llu has %zu bytes; to compare deletions it may have %d",
        (unsigned long long)wh_batch_place(batch, row).row, d->bytes.len, WH_KEY_BYTES_MAX);
  return wh_sorter_add(to, wh_buf_str(&d->bytes), err);
}

wh_status wh_deletes_note(wh_deletes_reader *d, const wh_batch *read, const wh_batch *out,
                          wh_error *err) {
  if (!d->run) return WH_OK;
  if (!d->sent) WH_TRY(open_sorter(d, &d->sent, err));
  size_t from = 0;
  for (size_t i = 0; i < out->rows; i++) {
    // Both batches are in the order of their row numbers.
    uint64_t number = wh_batch_place(out, i).row;
    while (from < read->rows && wh_batch_place(read, from).row < number)
      from++;
    if (from == read->rows || wh_batch_place(read, from).row != number) continue;
    if (wh_row_is_deleted(read, (ptrdiff_t)d->column, from)) continue;
    WH_TRY(add_key(d, d->sent, read, d->key_at, from, err));
  }
  return WH_OK;
}

// --- Rows ----------------------------------------------------------------------------------------

// The rows' reader fills the batch as if it had not the last column.
static wh_status next_rows(wh_deletes_reader *d, wh_batch *batch, wh_rejects *rejects,
                           wh_error *err) {
  wh_batch view = *batch;
  view.schema = d->rows->schema;
  wh_status status = d->rows->next(d->rows, &view, rejects, err);
  view.schema = batch->schema;
  *batch = view;
  d->reader.bytes_read = d->rows->bytes_read;
  d->reader.paused = d->rows->paused;
  WH_TRY(status);
  if (d->rows->schema->count < d->schema.count) {
    for (size_t i = 0; i < batch->rows; i++)
      WH_TRY(wh_column_add_bool(&batch->columns[d->column], false, err));
  }
  if (batch->rows) d->last_row = wh_batch_place(batch, batch->rows - 1).row;
  if (batch->rows == 0 && !d->reader.paused) d->phase = d->run ? SOURCE_KEYS : END;
  return WH_OK;
}

// --- The source's keys ---------------------------------------------------------------------------

static wh_status open_source_keys(wh_deletes_reader *d, wh_error *err) {
  wh_str *names = WH_NEW_ARRAY(&d->arena, d->key.count, wh_str);
  if (!names) return wh_fail_memory(err);
  for (size_t i = 0; i < d->key.count; i++)
    names[i] = d->key.fields[i].name;
  wh_source_query query = {.table = d->in->query.table,
                           .query = d->in->query.query,
                           .columns = names,
                           .column_count = d->key.count,
                           .batch_rows = d->in->query.batch_rows};
  WH_TRY(open_sorter(d, &d->source, err));
  WH_TRY(wh_batch_init(&d->key_batch, d->mem, &d->key, err));
  d->has_key_batch = true;
  wh_connection *c = d->in->connection;
  return c->type->source->open(c, &query, &d->key, &d->keys, err);
}

static wh_status begin_gone(wh_deletes_reader *d, wh_error *err) {
  wh_reader_close(d->keys);
  d->keys = NULL;
  if (!d->sent) WH_TRY(open_sorter(d, &d->sent, err));
  wh_sent_options options = {.ledger = d->in->engine->ledger,
                             .mem = d->mem,
                             .run = d->run,
                             .shape = d->shape,
                             .sent = d->sent,
                             .source = d->source,
                             .assume = d->in->query.has_from};
  d->phase = GONE;
  return wh_sent_keys_open(&options, &d->known, err);
}

// One batch of them; the caller gets a pause, in which the lease is kept.
static wh_status read_source_keys(wh_deletes_reader *d, wh_error *err) {
  d->reader.paused = true;
  if (!d->compares) return begin_gone(d, err);
  if (!d->source) WH_TRY(open_source_keys(d, err));
  // A key that cannot be read was not sent either.
  wh_rejects rejects = wh_rejects_none();
  wh_batch_reset(&d->key_batch);
  WH_TRY(d->keys->next(d->keys, &d->key_batch, &rejects, err));
  for (size_t i = 0; i < d->key_batch.rows; i++)
    WH_TRY(add_key(d, d->source, &d->key_batch, NULL, i, err));
  if (d->key_batch.rows == 0 && !d->keys->paused) return begin_gone(d, err);
  return WH_OK;
}

// --- What is gone --------------------------------------------------------------------------------

static wh_status add_gone(wh_deletes_reader *d, wh_str key, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < d->key.count; i++)
    WH_TRY(wh_key_bytes_read(&batch->columns[d->key_at[i]], &key, &d->bytes, err));
  for (size_t i = 0; i < d->schema.count; i++) {
    wh_column *column = &batch->columns[i];
    if (column->length > batch->rows) continue; // of the key
    if (i == d->column)
      WH_TRY(wh_column_add_bool(column, true, err));
    else
      WH_TRY(wh_column_add_null(column, err));
  }
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_status next_gone(wh_deletes_reader *d, wh_batch *batch, wh_error *err) {
  size_t rows = d->in->query.batch_rows ? d->in->query.batch_rows : WH_BATCH_ROWS_DEFAULT;
  d->reader.paused = false;
  batch->first_row = d->last_row + 1;
  while (!wh_batch_full(batch, rows, BATCH_BYTES)) {
    wh_str key;
    wh_status status = wh_sent_keys_next(d->known, &key, err);
    if (status == WH_ERR_END) {
      d->phase = END;
      break;
    }
    WH_TRY(status);
    WH_TRY(add_gone(d, key, batch, err));
  }
  d->last_row += batch->rows;
  return WH_OK;
}

static wh_status deletes_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects,
                              wh_error *err) {
  wh_deletes_reader *d = (wh_deletes_reader *)reader;
  if (d->phase == ROWS) {
    WH_TRY(next_rows(d, batch, rejects, err));
    if (d->phase == ROWS || batch->rows) return WH_OK;
  }
  if (d->phase == SOURCE_KEYS) return read_source_keys(d, err);
  if (d->phase == GONE) return next_gone(d, batch, err);
  d->reader.paused = false;
  return WH_OK;
}

static void deletes_close(wh_reader *reader) {
  wh_deletes_reader *d = (wh_deletes_reader *)reader;
  wh_sent_keys_close(d->known);
  wh_sorter_close(d->sent);
  wh_sorter_close(d->source);
  wh_reader_close(d->keys);
  if (d->has_key_batch) wh_batch_free(&d->key_batch);
  wh_buf_free(&d->bytes);
  wh_arena_free(&d->arena);
  wh_reader_close(d->rows);
  d->in->deletes = NULL;
  wh_mem_free(d->mem, d, sizeof *d);
}

// --- Opening -------------------------------------------------------------------------------------

void wh_deletes_begin(wh_deletes_reader *d, const wh_run *run, const wh_run_options *options) {
  d->run = run;
  if (options->limit_rows) d->compares = false; // only some of the rows: nothing is decided
}

const char *wh_deletes_notice(const wh_deletes_reader *d) {
  if (!d->run || !d->compares || !d->known || wh_sent_keys_known(d->known)) return NULL;
  if (!d->in->query.has_from) return NULL; // all rows were sent: nothing was to be compared
  return "there were no keys to compare with. Those that the source has now are recorded; what was "
         "deleted before is not known";
}

wh_status wh_deletes_plan(const wh_deletes_reader *d, wh_plan *plan, wh_error *err) {
  WH_CLEAN_BUF wh_buf names;
  wh_buf_init(&names, d->mem, 0);
  for (size_t i = 0; i < d->key.count; i++)
    wh_buf_printf(&names, "%s%.*s", i ? ", " : "", WH_STR_ARG(d->key.fields[i].name));
  WH_TRY(wh_buf_check(&names, err));
  plan->compares = true;
  plan->compared_by = wh_arena_str(d->in->arena, wh_buf_str(&names));
  if (!plan->compared_by.data) return wh_fail_memory(err);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, d->mem);
  wh_str shape;
  WH_TRY(wh_sent_keys_shape(d->in->engine->ledger, d->in->pipeline->name, &arena, &shape, err));
  plan->keys_known = wh_str_eq(shape, d->shape);
  if (!plan->keys_known) return WH_OK;
  return wh_sent_keys_count(d->in->engine->ledger, d->in->pipeline->name, d->mem, &plan->keys_sent,
                            err);
}

// The column stands behind the others, and what is gone has a value in no column but the key's.
static wh_status make_schema(wh_deletes_reader *d, wh_error *err) {
  const wh_schema *rows = d->rows->schema;
  ptrdiff_t at = wh_deleted_column(rows);
  d->column = at >= 0 ? (size_t)at : rows->count;
  wh_field *fields = WH_NEW_ARRAY(d->in->arena, rows->count + 1, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < rows->count; i++) {
    fields[i] = rows->fields[i];
    fields[i].nullable = true;
  }
  if (at < 0)
    fields[rows->count] = (wh_field){.name = WH_STR(WH_DELETED_COLUMN),
                                     .type = wh_type_of(WH_BOOL),
                                     .nullable = true,
                                     .privacy = WH_INTERNAL};
  d->schema = (wh_schema){.count = rows->count + (at < 0), .fields = fields};
  return WH_OK;
}

// A column that steps use, and that does not cross, is read too.
static bool crosses(const wh_pipeline *p, wh_str column) {
  for (size_t i = 0; i < p->gate.count; i++)
    if (wh_str_eq(p->gate.columns[i].from, column)) return true;
  return p->gate.all;
}

static wh_status find_key(wh_deletes_reader *d, const wh_str *names, size_t count, wh_error *err) {
  const wh_pipeline *p = d->in->pipeline;
  wh_field *fields = WH_NEW_ARRAY(d->in->arena, count, wh_field);
  d->key_at = WH_NEW_ARRAY(d->in->arena, count, size_t);
  if (!fields || !d->key_at) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_schema_find(d->rows->schema, names[i]);
    if (at < 0 || !crosses(p, names[i]))
      return wh_node_fail(p->node, err,
                          "pipeline %.*s: the key's column '%.*s' does not cross, and deletions "
                          "are sent by their key. List it under columns, or name another key: "
                          "read: { key: ... }",
                          WH_STR_ARG(p->name), WH_STR_ARG(names[i]));
    fields[i] = d->rows->schema->fields[at];
    d->key_at[i] = (size_t)at;
    fields[i].nullable = true; // says nothing of the shape
    if (wh_key_bytes_can(&fields[i].type)) continue;
    return wh_node_fail(p->node, err, "pipeline %.*s: '%.*s' cannot be part of a key for deletes",
                        WH_STR_ARG(p->name), WH_STR_ARG(names[i]));
  }
  d->key = (wh_schema){.count = count, .fields = fields};
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, d->mem, 0);
  wh_schema_write_json(&d->key, &text);
  WH_TRY(wh_buf_check(&text, err));
  d->shape = wh_arena_str(d->in->arena, wh_buf_str(&text));
  return d->shape.data ? WH_OK : wh_fail_memory(err);
}

static wh_status open_around(wh_run_input *in, const wh_str *names, size_t count, bool compares,
                             wh_error *err) {
  wh_mem *mem = in->engine->mem;
  wh_deletes_reader *d = wh_mem_alloc_zero(mem, sizeof *d);
  if (!d) return wh_fail_memory(err);
  *d = (wh_deletes_reader){.rows = in->reader, .in = in, .mem = mem, .compares = compares};
  wh_buf_init(&d->bytes, mem, 0);
  wh_arena_init(&d->arena, mem);
  wh_status status = make_schema(d, err);
  if (status == WH_OK) status = find_key(d, names, count, err);
  if (status != WH_OK) {
    d->rows = NULL; // still the input's
    deletes_close(&d->reader);
    return status;
  }
  d->reader = (wh_reader){.schema = &d->schema,
                          .found = in->reader->found,
                          .schema_inferred = in->reader->schema_inferred,
                          .next = deletes_next,
                          .close = deletes_close};
  in->reader = &d->reader;
  in->deletes = d;
  return WH_OK;
}

wh_status wh_deletes_open(wh_run_input *in, wh_error *err) {
  const wh_pipeline *p = in->pipeline;
  const wh_str_list *key = &p->read.key;
  const wh_str *names = key->count ? key->items : in->info.key;
  size_t count = key->count ? key->count : in->info.key_count;
  if (count == 0)
    return wh_node_fail(p->node, err,
                        "pipeline %.*s: %.*s has no primary key, by which deletions could be "
                        "found. Name the columns that tell its rows apart: read: { deletes: "
                        "compare, key: ... }",
                        WH_STR_ARG(p->name), WH_STR_ARG(p->from.thing));
  WH_TRY(wh_deletes_check(in->engine, p, names, count, in->arena, err));
  return open_around(in, names, count, true, err);
}

wh_status wh_deletes_open_replay(wh_run_input *in, wh_error *err) {
  if (!in->pipeline->read.deletes) return WH_OK;
  wh_ledger *l = in->engine->ledger;
  wh_str shape;
  WH_TRY(wh_sent_keys_shape(l, in->pipeline->name, in->arena, &shape, err));
  if (shape.len == 0) return WH_OK;
  wh_schema key;
  WH_TRY(wh_schema_read_json(shape, in->arena, &key, err));
  wh_str *names = WH_NEW_ARRAY(in->arena, key.count, wh_str);
  if (!names) return wh_fail_memory(err);
  for (size_t i = 0; i < key.count; i++) {
    // Rows that were rejected under another shape have no place in the set.
    ptrdiff_t at = wh_schema_find(in->reader->schema, key.fields[i].name);
    if (at < 0 || !wh_type_eq(&in->reader->schema->fields[at].type, &key.fields[i].type))
      return WH_OK;
    names[i] = key.fields[i].name;
  }
  return open_around(in, names, key.count, false, err);
}
