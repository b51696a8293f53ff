#include "connect/sqlite/sink.h"

#include "connect/sink_table.h"

void wh_sqlite_close_statements(wh_sqlite_target *t) {
  sqlite3_finalize(t->put);
  sqlite3_finalize(t->put_many);
  sqlite3_finalize(t->why);
  sqlite3_finalize(t->put_order);
  wh_sqlite_close_erase(t);
  t->put = t->put_many = t->why = t->put_order = NULL;
  for (size_t i = 0; t->many_encoders && i < t->many * t->schema.count; i++)
    wh_sqlite_encoder_free(&t->many_encoders[i]);
  t->many_encoders = NULL;
}

static void reset_statements(wh_sink *sink) {
  for (size_t i = 0; i < sink->count; i++) {
    if (sink->targets[i].put) sqlite3_reset(sink->targets[i].put);
    if (sink->targets[i].put_many) sqlite3_reset(sink->targets[i].put_many);
    if (sink->targets[i].why) sqlite3_reset(sink->targets[i].why);
    wh_sqlite_reset_erase(&sink->targets[i]);
  }
}

static void sink_abort(wh_sink *sink) {
  if (!sink->is_open) return;
  reset_statements(sink);
  sink->has_joined = false;
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

static wh_status make_encoders(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  size_t count = t->schema.count;
  t->names = WH_NEW_ARRAY(&sink->arena, count, wh_str);
  t->declared = WH_NEW_ARRAY(&sink->arena, count, wh_str);
  t->adds = WH_NEW_ARRAY(&sink->arena, count, bool);
  t->encoders = WH_NEW_ARRAY(&sink->arena, count, wh_sqlite_encoder);
  if (!t->names || !t->declared || !t->adds || !t->encoders) return wh_fail_memory(err);
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
  WH_TRY(wh_target_check(sink->connection, &t->spec, "SQLite", "sqlite_", err));
  WH_TRY(make_encoders(sink, t, err));
  if (spec->mode == WH_WRITE_APPEND) t->spec.key_count = 0;
  for (size_t i = 0; i < t->spec.key_count; i++)
    WH_TRY(wh_target_find(sink->connection, &t->spec, spec->key[i], "key", &t->key[i], err));
  t->spec.key = NULL; // `key` says it
  size_t version;
  if (spec->mode == WH_WRITE_APPEND || spec->newest_by.len == 0) return WH_OK;
  WH_TRY(wh_target_find(sink->connection, &t->spec, spec->newest_by, "version", &version, err));
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

static wh_status begin_load(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err) {
  wh_mark mark;
  WH_TRY(wh_sqlite_take_lease(sink, err));
  WH_TRY(wh_sqlite_read_mark(sink, arena, &mark, err));
  for (size_t i = 0; i < sink->count; i++) {
    wh_sqlite_target *t = &sink->targets[i];
    bool lost;
    WH_TRY(wh_sqlite_begin_erase(sink, t, err));
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
  wh_arena_reset(&sink->load_arena);
  WH_TRY(wh_load_copy(load, &sink->load_arena, &sink->load, err));
  WH_TRY(wh_sqlite_run_c(&sink->db, "BEGIN IMMEDIATE", err));
  wh_status status = begin_load(sink, arena, ret, err);
  if (status != WH_OK) sink_abort(sink);
  return status;
}

// The transaction has the database alone, and the lease with it.
static wh_status sink_join(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                           wh_error *err) {
  if (!sink->is_open || sqlite3_get_autocommit(sink->db.handle))
    return wh_fail(err, WH_ERR_BUG, "%.*s: nothing to join", WH_STR_ARG(sink->connection->name));
  wh_arena_reset(&sink->load_arena);
  WH_TRY(wh_load_copy(load, &sink->load_arena, &sink->load, err));
  if (sink->has_joined) WH_TRY(wh_sqlite_run_c(&sink->db, "RELEASE wherry_load", err));
  WH_TRY(wh_sqlite_run_c(&sink->db, "SAVEPOINT wherry_load", err));
  sink->has_joined = true;
  for (size_t i = 0; i < sink->count; i++)
    WH_TRY(wh_sqlite_begin_erase(sink, &sink->targets[i], err));
  return wh_sqlite_read_mark(sink, arena, ret, err);
}

static wh_status sink_leave(wh_sink *sink, wh_error *err) {
  reset_statements(sink);
  return wh_sqlite_run_c(&sink->db, "ROLLBACK TO wherry_load", err);
}

static wh_status sink_mark(wh_sink *sink, wh_mark *mark, wh_error *err) {
  for (size_t i = 0; i < sink->count; i++) {
    wh_sqlite_target *t = &sink->targets[i];
    if (mark->done) WH_TRY(wh_sqlite_purge_deleted(sink, t, err));
    if (t->spec.mode != WH_WRITE_REPLACE) continue;
    if (mark->done)
      WH_TRY(wh_sqlite_apply_stage(sink, t, &mark->counts, err));
    else
      WH_TRY(wh_sqlite_keep_stage(sink, t, err));
  }
  return wh_sqlite_write_mark(sink, mark, err);
}

static wh_status sink_commit(wh_sink *sink, wh_error *err) {
  sink->has_joined = false;
  return wh_sqlite_run_c(&sink->db, "COMMIT", err);
}

const wh_sink_type wh_sqlite_sink = {
    .exact = true,
    .open = sink_open,
    .inspect = wh_sqlite_sink_inspect,
    .prepare = wh_sqlite_sink_prepare,
    .begin = sink_begin,
    .write = wh_sqlite_sink_write,
    .erase = wh_sqlite_sink_erase,
    .join = sink_join,
    .leave = sink_leave,
    .mark = sink_mark,
    .commit = sink_commit,
    .abort = sink_abort,
    .marks = wh_sqlite_marks,
    .close = sink_close,
};
