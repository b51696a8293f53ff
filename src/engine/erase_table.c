// A person's rows in the table that a pipeline writes. They go as rows do that are gone at the
// source (connect/sink.h): guarded by an order that is higher than that of every object so far, and
// remembered, so that an older object that comes late does not bring them back.
#include "engine/erase.h"

#include "engine/input.h"

// --- what stands there ---------------------------------------------------------------------------

static bool can_tell(const wh_gate_column *c) {
  return !c->mask || c->mask->kind == WH_MASK_HMAC || c->mask->kind == WH_MASK_TOKEN;
}

static wh_status crossed_text(const wh_mask *mask, wh_str key, wh_arena *arena, wh_str *ret,
                              wh_error *err) {
  if (!mask) {
    *ret = key;
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf text;
  bool is_null = false;
  wh_buf_init(&text, arena->mem, 0);
  WH_TRY(wh_mask_apply(mask, key, &text, &is_null, err));
  *ret = wh_arena_str(arena, wh_buf_str(&text));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_erase_crossed(wh_engine *engine, const wh_pipeline *pipeline, wh_str column,
                           wh_str key, wh_arena *arena, wh_str *ret_column, wh_str *ret_text,
                           const char **ret_why, wh_error *err) {
  wh_gate gate;
  const wh_gate_column *found = NULL;
  bool named = false;
  *ret_column = *ret_text = (wh_str){0};
  *ret_why = NULL;
  WH_TRY(wh_config_gate(engine->config, pipeline, arena, &gate, err));
  for (size_t i = 0; i < gate.count; i++) {
    const wh_gate_column *c = &gate.columns[i];
    if (!wh_str_eq(c->from, column)) continue;
    named = true;
    if (can_tell(c) && (!found || (found->mask && !c->mask))) found = c;
  }
  if (found) {
    *ret_column = found->name;
    return crossed_text(found->mask, key, arena, ret_text, err);
  }
  if (gate.all && !named) {
    *ret_column = column;
    *ret_text = key;
    return WH_OK;
  }
  *ret_why = named ? "the mask of the subject's column leaves nothing to tell people apart by there"
                   : "the subject's column does not cross, so that nobody knows there whose rows "
                     "they are";
  return WH_OK;
}

// --- finding -------------------------------------------------------------------------------------

typedef struct table {
  wh_erasure *e;
  wh_connection *c;
  wh_str where, column;
  wh_value value; // text
  wh_schema rows; // of the table, without what is Wherry's own
  wh_batch found; // keys
  wh_finder *finder;
} table;

static wh_status find(table *t, wh_error *err) {
  wh_batch_reset(&t->found);
  return t->finder->find(t->finder, &t->value, &t->found, err);
}

// WH_ERR_NOT_FOUND: there is no table (`rows` is then empty), or it has no such column.
static wh_status open_table(table *t, wh_error *err) {
  const wh_write *write = &t->e->pipeline->write;
  wh_str name = t->e->pipeline->to.thing;
  wh_source_query query = {.table = name};
  wh_source_info info;
  WH_TRY(t->c->type->source->describe(t->c, &query, t->e->arena, &info, err));
  wh_field *fields = WH_NEW_ARRAY(t->e->arena, info.schema.count, wh_field);
  if (!fields) return wh_fail_memory(err);
  t->rows.fields = fields;
  for (size_t i = 0; i < info.schema.count; i++)
    if (!wh_str_is(info.schema.fields[i].name, WH_ORDER_COLUMN))
      fields[t->rows.count++] = info.schema.fields[i];
  const wh_str *show = write->key.count ? write->key.items : &t->column;
  WH_TRY(t->c->type->source->open_finder(t->c, name, &t->column, 1, show,
                                         write->key.count ? write->key.count : 1, &t->finder, err));
  return wh_batch_init(&t->found, t->e->engine->mem, t->finder->schema, err);
}

// --- removing ------------------------------------------------------------------------------------

static ptrdiff_t key_at(const wh_write *write, wh_str column) {
  for (size_t i = 0; i < write->key.count; i++)
    if (wh_str_eq(write->key.items[i], column)) return (ptrdiff_t)i;
  return -1;
}

static wh_status add_key(const table *t, size_t row, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < t->rows.count; i++) {
    ptrdiff_t at = key_at(&t->e->pipeline->write, t->rows.fields[i].name);
    if (at < 0) {
      WH_TRY(wh_column_add_null(&batch->columns[i], err));
      continue;
    }
    wh_value value;
    WH_TRY(wh_value_get(&t->found.columns[at], row, &value, err));
    WH_TRY(wh_value_add(&batch->columns[i], &value, err));
  }
  wh_batch_row_end(batch);
  return WH_OK;
}

// Where the person's key is the table's, it is remembered though no row has it: one may be on its
// way. A key that no value of the column can be is on no way.
static wh_status add_own_key(const table *t, wh_batch *batch, wh_error *err) {
  const wh_write *write = &t->e->pipeline->write;
  ptrdiff_t at = wh_schema_find(&t->rows, t->column);
  if (t->found.rows || write->key.count != 1 || key_at(write, t->column) != 0 || at < 0)
    return WH_OK;
  wh_value value;
  wh_error reason = {0};
  wh_status status =
      wh_value_parse(t->value.as.s, &t->rows.fields[at].type, t->e->arena, &value, &reason);
  if (status == WH_ERR_TYPE) return WH_OK;
  if (status != WH_OK) return wh_fail(err, status, "%s", reason.text);
  for (size_t i = 0; i < t->rows.count; i++)
    WH_TRY((ptrdiff_t)i == at ? wh_value_add(&batch->columns[i], &value, err)
                              : wh_column_add_null(&batch->columns[i], err));
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_target target_of(const table *t) {
  const wh_pipeline *p = t->e->pipeline;
  return (wh_target){.table = p->to.thing,
                     .schema = &t->rows,
                     .mode = WH_WRITE_UPSERT,
                     .key = p->write.key.items,
                     .key_count = p->write.key.count,
                     .newest_by = p->write.newest_by,
                     .side_table = p->write.side_table,
                     .erases = true,
                     .deletes = WH_DELETES_REMOVE,
                     .tombstone_keep_us = p->write.tombstone_keep_us};
}

static wh_status erase_in(const table *t, wh_sink *sink, const wh_batch *keys, wh_error *err) {
  const wh_sink_type *type = t->c->type->sink;
  const wh_run *run = t->e->run;
  wh_load load = {.pipeline = run->pipeline,
                  .object = run->id,
                  .run = run->id,
                  .order = run->order,
                  .epoch = t->e->engine->scratch_ledger ? WH_EPOCH_NONE : t->e->lease->epoch,
                  .now_us = wh_now_us(t->e->engine->os)};
  wh_mark mark;
  wh_rejects rejects = wh_rejects_none();
  wh_counts counts = {.read = keys->rows};
  WH_TRY(type->prepare(sink, err));
  WH_TRY(type->begin(sink, &load, t->e->arena, &mark, err));
  wh_status status = type->erase(sink, 0, keys, &rejects, &counts, err);
  mark = (wh_mark){.done = true, .rows_done = counts.read, .counts = counts};
  if (status == WH_OK) status = type->mark(sink, &mark, err);
  if (status == WH_OK) return type->commit(sink, err);
  type->abort(sink);
  return status;
}

static wh_status erase_keys(const table *t, wh_error *err) {
  const wh_sink_type *type = t->c->type->sink;
  wh_target target = target_of(t);
  wh_batch keys;
  WH_TRY(wh_batch_init(&keys, t->e->engine->mem, &t->rows, err));
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < t->found.rows; i++)
    status = add_key(t, i, &keys, err);
  if (status == WH_OK) status = add_own_key(t, &keys, err);
  if (status == WH_OK && keys.rows) {
    wh_sink *sink;
    status = type->open(t->c, &target, 1, &sink, err);
    if (status == WH_OK) {
      status = erase_in(t, sink, &keys, err);
      type->close(sink);
    }
  }
  wh_batch_free(&keys);
  return status;
}

static wh_status erase_found(table *t, wh_error *err) {
  wh_erasure *e = t->e;
  uint64_t rows = t->found.rows;
  bool keyed = e->pipeline->write.key.count > 0 && t->c->type->sink->erase;
  if (!keyed && rows)
    return wh_erase_tell(e, "table", t->where, rows,
                         "its rows have no key to remove them by. Remove them there", err);
  if (!keyed || e->request->dry)
    return rows ? wh_erase_tell(e, "table", t->where, rows, NULL, err) : WH_OK;
  WH_TRY(erase_keys(t, err));
  WH_TRY(find(t, err));
  uint64_t left = t->found.rows;
  if (rows > left) WH_TRY(wh_erase_tell(e, "table", t->where, rows - left, NULL, err));
  if (left == 0) return WH_OK;
  return wh_erase_tell(e, "table", t->where, left,
                       "they came with an object of a later order than now. Erase again later",
                       err);
}

static wh_status look(table *t, wh_error *err) {
  wh_error why = {0};
  wh_status status = open_table(t, &why);
  bool is_there = t->rows.fields != NULL;
  if (status == WH_ERR_NOT_FOUND && !is_there) return WH_OK; // no table yet: no rows
  if (status == WH_ERR_NOT_FOUND || status == WH_ERR_REFUSED || status == WH_ERR_USAGE)
    return wh_erase_tell(t->e, "table", t->where, 0, why.text, err);
  if (status == WH_OK) status = find(t, &why);
  if (status != WH_OK) {
    if (err) *err = why;
    return status;
  }
  return erase_found(t, err);
}

wh_status wh_erase_table(wh_erasure *e, wh_connection *to, wh_error *err) {
  const char *why;
  wh_str text;
  table t = {.e = e, .c = to};
  t.where = wh_arena_printf(e->arena, "%.*s:%.*s", WH_STR_ARG(to->name),
                            WH_STR_ARG(e->pipeline->to.thing));
  if (!t.where.data) return wh_fail_memory(err);
  WH_TRY(wh_erase_crossed(e->engine, e->pipeline, e->column, e->request->key, e->arena, &t.column,
                          &text, &why, err));
  if (!t.column.data) return wh_erase_tell(e, "table", t.where, 0, why, err);
  if (!to->type->source || !to->type->source->open_finder)
    return wh_erase_tell(e, "table", t.where, 0, "nobody can look into it", err);
  t.value = (wh_value){.type = wh_type_of(WH_STRING), .as.s = text};
  e->row_hash = wh_erase_hash(text);
  wh_status status = look(&t, err);
  if (t.finder) wh_batch_free(&t.found);
  if (t.finder) t.finder->close(t.finder);
  return status;
}

// --- the source ----------------------------------------------------------------------------------

static wh_status tell_source(table *t, wh_error *err) {
  WH_TRY(find(t, err));
  if (t->found.rows == 0) return WH_OK;
  return wh_erase_tell(t->e, "source", t->where, t->found.rows,
                       "they are the source's. Delete them there first, or the next run brings "
                       "them again",
                       err);
}

wh_status wh_erase_source(wh_erasure *e, wh_connection *from, wh_error *err) {
  const wh_pipeline *p = e->pipeline;
  const wh_source_type *source = from->type->source;
  table t = {.e = e, .c = from, .column = e->column};
  t.value = (wh_value){.type = wh_type_of(WH_STRING), .as.s = e->request->key};
  t.where = p->from.thing.len ? wh_arena_printf(e->arena, "%.*s:%.*s", WH_STR_ARG(from->name),
                                                WH_STR_ARG(p->from.thing))
                              : from->name;
  if (!t.where.data) return wh_fail_memory(err);
  if (wh_str_is(from->name, WH_INGEST_CONNECTION))
    return wh_erase_tell(e, "events", t.where, 0, "its log has them for as long as `keep` says",
                         err);
  if (p->read.query.len || !source->open_finder)
    return wh_erase_tell(e, "source", t.where, 0, "nobody looks into what a query reads", err);
  wh_error why = {0};
  wh_status status =
      source->open_finder(from, p->from.thing, &t.column, 1, &t.column, 1, &t.finder, &why);
  if (status == WH_ERR_MEMORY || status == WH_ERR_CANCELLED) {
    if (err) *err = why;
    return status;
  }
  // What is elsewhere goes whether the source is to be had or not.
  if (status != WH_OK) return wh_erase_tell(e, "source", t.where, 0, why.text, err);
  status = wh_batch_init(&t.found, e->engine->mem, t.finder->schema, err);
  if (status == WH_OK) status = tell_source(&t, err);
  wh_batch_free(&t.found);
  t.finder->close(t.finder);
  return status;
}
