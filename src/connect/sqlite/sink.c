#include "connect/sqlite/sink.h"

void wh_sqlite_close_statements(wh_sqlite_target *t) {
  sqlite3_finalize(t->put);
  sqlite3_finalize(t->put_many);
  sqlite3_finalize(t->why);
  sqlite3_finalize(t->put_order);
  t->put = t->put_many = t->why = t->put_order = NULL;
  for (size_t i = 0; t->many_encoders && i < t->many * t->schema.count; i++)
    wh_sqlite_encoder_free(&t->many_encoders[i]);
  t->many_encoders = NULL;
}

static void sink_abort(wh_sink *sink) {
  if (!sink->is_open) return;
  for (size_t i = 0; i < sink->count; i++) {
    if (sink->targets[i].put) sqlite3_reset(sink->targets[i].put);
    if (sink->targets[i].put_many) sqlite3_reset(sink->targets[i].put_many);
    if (sink->targets[i].why) sqlite3_reset(sink->targets[i].why);
  }
  if (!sqlite3_get_autocommit(sink->db.handle))
    sqlite3_exec(sink->db.handle, "ROLLBACK", NULL, NULL, NULL);
}

static void sink_close(wh_sink *sink) {
  if (!sink) return;
  sink_abort(sink);
  for (size_t i = 0; sink->targets && i < sink->count; i++) {
    wh_sqlite_target *t = &sink->targets[i];
    wh_sqlite_close_statements(t);
    for (size_t k = 0; t->encoders && k < t->schema.count; k++)
      wh_sqlite_encoder_free(&t->encoders[k]);
  }
  wh_mem *mem = sink->connection->mem;
  wh_sqlite_close(&sink->db);
  wh_arena_free(&sink->load_arena);
  wh_arena_free(&sink->arena);
  wh_mem_free(mem, sink, sizeof *sink);
}

// The key and the version have to be columns that can be compared.
static wh_status find_column(wh_sink *sink, const wh_sqlite_target *t, wh_str name,
                             const char *what, size_t *ret, wh_error *err) {
  wh_str c = sink->connection->name;
  ptrdiff_t at = wh_schema_find(&t->schema, name);
  if (at < 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: the %s '%.*s' of table %.*s is not among the columns",
                   WH_STR_ARG(c), what, WH_STR_ARG(name), WH_STR_ARG(t->spec.table));
  wh_kind kind = t->schema.fields[at].type.kind;
  if (kind == WH_LIST || kind == WH_STRUCT)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: the %s '%.*s' of table %.*s is a list or a structure",
                   WH_STR_ARG(c), what, WH_STR_ARG(name), WH_STR_ARG(t->spec.table));
  *ret = (size_t)at;
  return WH_OK;
}

static wh_status check_names(wh_sink *sink, const wh_sqlite_target *t, wh_error *err) {
  wh_str c = sink->connection->name;
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_str name = t->schema.fields[i].name;
    if (wh_str_starts(name, "_wherry_"))
      return wh_fail(err, WH_ERR_REFUSED,
                     "%.*s: column '%.*s' has a name that Wherry keeps to itself", WH_STR_ARG(c),
                     WH_STR_ARG(name));
    for (size_t k = 0; k < i; k++)
      if (wh_str_eq_nocase(name, t->schema.fields[k].name))
        return wh_fail(err, WH_ERR_REFUSED,
                       "%.*s: SQLite cannot tell the columns '%.*s' and '%.*s' apart",
                       WH_STR_ARG(c), WH_STR_ARG(t->schema.fields[k].name), WH_STR_ARG(name));
  }
  if (t->schema.count == 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: table %.*s would have no columns", WH_STR_ARG(c),
                   WH_STR_ARG(t->spec.table));
  if (t->spec.mode == WH_WRITE_UPSERT && t->spec.key_count == 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: upsert into %.*s needs a key", WH_STR_ARG(c),
                   WH_STR_ARG(t->spec.table));
  if (wh_str_starts(t->spec.table, "_wherry_") || wh_str_starts(t->spec.table, "sqlite_"))
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: table '%.*s' has a name that is reserved",
                   WH_STR_ARG(c), WH_STR_ARG(t->spec.table));
  return WH_OK;
}

static wh_status make_encoders(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  size_t count = t->schema.count;
  t->names = WH_NEW_ARRAY(&sink->arena, count, wh_str);
  t->declared = WH_NEW_ARRAY(&sink->arena, count, wh_str);
  t->encoders = WH_NEW_ARRAY(&sink->arena, count, wh_sqlite_encoder);
  if (!t->names || !t->declared || !t->encoders) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    t->encoders[i] =
        (wh_sqlite_encoder){.type = t->schema.fields[i].type, .mem = sink->connection->mem};
  return WH_OK;
}

static wh_status make_target(wh_sink *sink, const wh_target *spec, wh_sqlite_target *t,
                             wh_error *err) {
  wh_arena *arena = &sink->arena;
  t->spec = *spec;
  t->version = -1;
  WH_TRY(wh_schema_copy(spec->schema, arena, &t->schema, err));
  t->spec.schema = &t->schema;
  t->spec.table = wh_arena_str(arena, spec->table);
  t->spec.newest_by = wh_arena_str(arena, spec->newest_by);
  t->key = WH_NEW_ARRAY(arena, spec->key_count, size_t);
  t->collations = WH_NEW_ARRAY(arena, spec->key_count, wh_str);
  if (!t->spec.table.data || !t->spec.newest_by.data || !t->key || !t->collations)
    return wh_fail_memory(err);
  WH_TRY(check_names(sink, t, err));
  WH_TRY(make_encoders(sink, t, err));
  if (spec->mode == WH_WRITE_APPEND) t->spec.key_count = 0;
  for (size_t i = 0; i < t->spec.key_count; i++)
    WH_TRY(find_column(sink, t, spec->key[i], "key", &t->key[i], err));
  t->spec.key = NULL; // `key` says it
  size_t version;
  if (spec->mode == WH_WRITE_APPEND || spec->newest_by.len == 0) return WH_OK;
  WH_TRY(find_column(sink, t, spec->newest_by, "version", &version, err));
  t->version = (ptrdiff_t)version;
  return WH_OK;
}

static wh_status sink_open(wh_connection *c, const wh_target *targets, size_t count, wh_sink **ret,
                           wh_error *err) {
  wh_sink *sink = wh_mem_alloc_zero(c->mem, sizeof *sink);
  if (!sink) return wh_fail_memory(err);
  sink->connection = c;
  wh_arena_init(&sink->arena, c->mem);
  wh_arena_init(&sink->load_arena, c->mem);
  sink->targets = WH_NEW_ARRAY(&sink->arena, count, wh_sqlite_target);
  wh_status status = sink->targets ? WH_OK : wh_fail_memory(err);
  for (size_t i = 0; status == WH_OK && i < count; i++) {
    sink->count = i + 1;
    status = make_target(sink, &targets[i], &sink->targets[i], err);
  }
  if (status != WH_OK) {
    sink_close(sink);
    return status;
  }
  *ret = sink;
  return WH_OK;
}

static wh_status copy_load(wh_sink *sink, const wh_load *load, wh_error *err) {
  wh_arena_reset(&sink->load_arena);
  sink->load = *load;
  sink->load.pipeline = wh_arena_str(&sink->load_arena, load->pipeline);
  sink->load.object = wh_arena_str(&sink->load_arena, load->object);
  sink->load.run = wh_arena_str(&sink->load_arena, load->run);
  if (!sink->load.pipeline.data || !sink->load.object.data || !sink->load.run.data)
    return wh_fail_memory(err);
  return WH_OK;
}

static wh_status begin_load(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err) {
  wh_mark mark;
  WH_TRY(wh_sqlite_take_lease(sink, err));
  WH_TRY(wh_sqlite_read_mark(sink, arena, &mark, err));
  for (size_t i = 0; i < sink->count; i++) {
    wh_sqlite_target *t = &sink->targets[i];
    bool lost;
    if (t->spec.mode != WH_WRITE_REPLACE) continue;
    WH_TRY(wh_sqlite_begin_stage(sink, t, &mark, &lost, err));
    // Rows that the mark counts are gone with their stage: the object is read from its beginning.
    if (lost) mark = (wh_mark){.found = true, .order = mark.order, .time_us = mark.time_us};
  }
  *ret = mark;
  return WH_OK;
}

static wh_status sink_begin(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                            wh_error *err) {
  if (!sink->is_open)
    return wh_fail(err, WH_ERR_BUG, "%.*s: begin before prepare",
                   WH_STR_ARG(sink->connection->name));
  WH_TRY(copy_load(sink, load, err));
  WH_TRY(wh_sqlite_run_c(&sink->db, "BEGIN IMMEDIATE", err));
  wh_status status = begin_load(sink, arena, ret, err);
  if (status != WH_OK) sink_abort(sink);
  return status;
}

static wh_status sink_mark(wh_sink *sink, wh_mark *mark, wh_error *err) {
  for (size_t i = 0; i < sink->count; i++) {
    wh_sqlite_target *t = &sink->targets[i];
    if (t->spec.mode != WH_WRITE_REPLACE) continue;
    if (mark->done)
      WH_TRY(wh_sqlite_apply_stage(sink, t, &mark->counts, err));
    else
      WH_TRY(wh_sqlite_keep_stage(sink, t, err));
  }
  return wh_sqlite_write_mark(sink, mark, err);
}

static wh_status sink_commit(wh_sink *sink, wh_error *err) {
  return wh_sqlite_run_c(&sink->db, "COMMIT", err);
}

const wh_sink_type wh_sqlite_sink = {
    .exact = true,
    .open = sink_open,
    .inspect = wh_sqlite_sink_inspect,
    .prepare = wh_sqlite_sink_prepare,
    .begin = sink_begin,
    .write = wh_sqlite_sink_write,
    .mark = sink_mark,
    .commit = sink_commit,
    .abort = sink_abort,
    .marks = wh_sqlite_marks,
    .close = sink_close,
};
