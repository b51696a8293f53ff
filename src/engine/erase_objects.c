// A person's rows in the objects that a pipeline reads. A published object is never changed, so
// those that have such rows are told. Earlier versions of an object of which one has such rows are
// removed for good.
#include "engine/erase.h"

#include "engine/input.h"

typedef struct objects {
  wh_erasure *e;
  wh_connection *c;
  wh_arena object;   // of one object, reset for each
  wh_arena *version; // of one version
} objects;

static wh_status count_rows(const wh_erasure *e, wh_run_input *in, uint64_t *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf scratch;
  wh_rejects rejects = wh_rejects_none();
  wh_batch batch;
  ptrdiff_t at = wh_schema_find(in->reader->schema, e->column);
  *ret = 0;
  if (at < 0) return WH_ERR_END;
  wh_buf_init(&scratch, e->engine->mem, 0);
  WH_TRY(wh_batch_init(&batch, e->engine->mem, in->reader->schema, err));
  wh_status status;
  do {
    wh_batch_reset(&batch);
    status = in->reader->next(in->reader, &batch, &rejects, err);
    for (size_t i = 0; status == WH_OK && i < batch.rows; i++)
      *ret += wh_erase_is_key(e, &batch.columns[at], i, &scratch);
    if (status == WH_OK && wh_buf_check(&scratch, err) != WH_OK) status = WH_ERR_MEMORY;
  } while (status == WH_OK && (batch.rows || in->reader->paused));
  wh_batch_free(&batch);
  return status;
}

// *ret_why: why nobody can tell; it is in the arena.
static wh_status look_into(objects *o, const wh_object *object, wh_arena *arena, uint64_t *ret,
                           const char **ret_why, wh_error *err) {
  wh_erasure *e = o->e;
  wh_run_input in = {0};
  wh_error why = {0};
  *ret = 0;
  *ret_why = NULL;
  wh_status status = wh_input_open_version(e->engine, e->pipeline, object, arena, &in, &why);
  if (status == WH_OK) status = wh_input_prove(&in, &why);
  if (status == WH_OK) status = count_rows(e, &in, ret, &why);
  wh_input_close_run(&in);
  if (status == WH_OK) return WH_OK;
  if (status == WH_ERR_NOT_FOUND) return WH_OK; // gone meanwhile
  if (status == WH_ERR_END) {
    *ret_why = "it has no such column, so that nobody knows whose rows they are";
    return WH_OK;
  }
  if (status == WH_ERR_CHANGED) {
    *ret_why = "it was replaced just now. Erase again";
    return WH_OK;
  }
  if (!wh_input_is_final(status)) {
    if (err) *err = why;
    return status;
  }
  *ret_why = wh_arena_printf(arena, "it cannot be read: %s", why.text).data;
  return *ret_why ? WH_OK : wh_fail_memory(err);
}

// --- earlier versions ----------------------------------------------------------------------------

typedef struct earlier {
  objects *o;
  wh_str key;
  uint64_t rows;
  const char *why; // one of them cannot be looked into
} earlier;

static wh_status look_at_version(void *context, const wh_object *object, wh_error *err) {
  earlier *v = context;
  uint64_t rows;
  const char *why;
  if (object->is_latest || object->is_deleted) return WH_OK;
  wh_arena_reset(v->o->version);
  wh_object version = *object;
  version.key = v->key;
  WH_TRY(look_into(v->o, &version, v->o->version, &rows, &why, err));
  v->rows += rows;
  if (why) v->why = "one cannot be looked into";
  return WH_OK;
}

static wh_status erase_versions(objects *o, wh_str key, wh_str where, wh_error *err) {
  wh_erasure *e = o->e;
  const wh_store_type *store = o->c->type->store;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, e->engine->mem);
  o->version = &arena;
  earlier v = {.o = o, .key = key};
  uint64_t purged = 0;
  if (!store->has_versions) return WH_OK;
  wh_error inner = {0};
  wh_status status = store->versions(o->c, key, look_at_version, &v, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK && err) *err = inner;
  WH_TRY(status);
  if (v.rows == 0) return v.why ? wh_erase_tell(e, "versions", where, 0, v.why, err) : WH_OK;
  if (!e->request->dry) WH_TRY(store->purge(o->c, key, INT64_MAX, &purged, err));
  return wh_erase_tell(e, "versions", where, v.rows, NULL, err);
}

// --- all of them ---------------------------------------------------------------------------------

static wh_status erase_object(void *context, const wh_object *object, wh_error *err) {
  objects *o = context;
  wh_erasure *e = o->e;
  uint64_t rows;
  const char *why;
  if (!wh_pipeline_takes(e->pipeline, object->key)) return WH_OK;
  wh_arena_reset(&o->object);
  wh_str where =
      wh_arena_printf(&o->object, "%.*s:%.*s", WH_STR_ARG(o->c->name), WH_STR_ARG(object->key));
  if (!where.data) return wh_fail_memory(err);
  WH_TRY(look_into(o, object, &o->object, &rows, &why, err));
  if (rows)
    why = "an object that was published is not changed. Have it put there again without them, or "
          "remove it";
  if (why) WH_TRY(wh_erase_tell(e, "object", where, rows, why, err));
  return erase_versions(o, object->key, where, err);
}

wh_status wh_erase_objects(wh_erasure *e, wh_connection *from, wh_error *err) {
  objects o = {.e = e, .c = from};
  if (e->pipeline->after.kind == WH_AFTER_MOVE)
    WH_TRY(wh_erase_tell(e, "objects", e->pipeline->after.to, 0,
                         "objects that were loaded were moved there, and nobody looks into them",
                         err));
  wh_arena_init(&o.object, e->engine->mem);
  wh_str prefix = wh_glob_prefix(e->pipeline->from.thing);
  wh_status status = from->type->store->list(from, prefix, erase_object, &o, err);
  wh_arena_free(&o.object);
  return status;
}
