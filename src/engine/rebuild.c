// A lost ledger, from what the world still knows: manifests in the lakes tell what was exported, up
// to which cursor and in which order; marks in the targets tell what was loaded; the quarantine's
// folders tell what was rejected. Nothing is sent or loaded twice after it.
#include "engine/run.h"
#include "ledger/manifest.h"

typedef struct rebuilding {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_connection *to, *from;
  bool from_rows;
  wh_arena *arena; // reset for each thing that is found: there may be very many
  wh_rebuild_result *result;
  int64_t highest_order;
  wh_cursor cursor; // a time or a number: borrows nothing
} rebuilding;

static wh_status import_published(rebuilding *r, const wh_manifest *m, wh_error *err) {
  wh_object object;
  wh_error inner = {0};
  wh_status status = r->to->type->store->stat(r->to, m->key, r->arena, &object, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK; // the crash came before the object itself
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  wh_run run = {.id = m->run,
                .pipeline = m->pipeline,
                .order = m->order,
                .epoch = m->epoch,
                .state = WH_RUN_DONE,
                .started_us = m->created_us,
                .finished_us = object.modified_us,
                .counts = {.read = m->rows, .written = m->rows},
                .bytes_written = m->bytes,
                .row_hash = m->row_hash,
                .output_version = object.version,
                .sha256 = m->sha256,
                .cursor_from = m->cursor_from,
                .cursor_to = m->cursor_to};
  run.output = wh_arena_printf(r->arena, "%.*s:%.*s", WH_STR_ARG(r->pipeline->to.connection),
                               WH_STR_ARG(m->key));
  if (!run.output.data) return wh_fail_memory(err);
  wh_ledger *ledger = r->engine->ledger;
  WH_TRY(ledger->type->import_run(ledger, &run, err));
  r->result->runs++;
  if (m->order > r->highest_order || !r->cursor.found) {
    r->highest_order = m->order > r->highest_order ? m->order : r->highest_order;
    if (m->has_cursor) r->cursor = (wh_cursor){.found = true, .last = m->cursor_last};
  }
  return WH_OK;
}

static wh_status look_at_manifest(void *context, const wh_object *object, wh_error *err) {
  rebuilding *r = context;
  wh_arena_reset(r->arena);
  wh_str text;
  WH_TRY(wh_input_read_small(r->to, object->key, WH_MANIFEST_BYTES_MAX, r->arena, &text, err));
  wh_manifest manifest;
  WH_TRY(wh_manifest_parse(text, r->arena, &manifest, err));
  if (!wh_str_eq(manifest.pipeline, r->pipeline->name)) return WH_OK;
  return import_published(r, &manifest, err);
}

static wh_status rebuild_published(rebuilding *r, wh_error *err) {
  WH_TRY(r->to->type->store->list(r->to, WH_STR(WH_MANIFEST_PREFIX), look_at_manifest, r, err));
  wh_ledger *ledger = r->engine->ledger;
  if (r->highest_order) WH_TRY(ledger->type->raise_order(ledger, r->highest_order, err));
  if (!r->cursor.found) return WH_OK;
  r->result->cursors++;
  return ledger->type->set_cursor(ledger, r->pipeline->name, &r->cursor, err);
}

static wh_status import_load(rebuilding *r, wh_str object, const wh_mark *mark, wh_error *err) {
  if (!mark->done) return WH_OK; // it is taken up where the mark says
  wh_run run = {.id = mark->run,
                .pipeline = r->pipeline->name,
                .object = object,
                .order = mark->order,
                .state = WH_RUN_DONE,
                .started_us = mark->time_us,
                .finished_us = mark->time_us,
                .counts = mark->counts,
                .row_hash = mark->row_hash,
                .rejects = mark->rejects};
  run.output = wh_pipeline_target(r->pipeline, r->arena);
  if (!run.output.data) return wh_fail_memory(err);
  wh_ledger *ledger = r->engine->ledger;
  WH_TRY(ledger->type->import_run(ledger, &run, err));
  r->result->loads++;
  wh_str connection, key, version;
  if (r->from_rows || !wh_input_split(object, &connection, &key, &version)) return WH_OK;
  return ledger->type->put_done(ledger, r->pipeline->name, key, version, err);
}

static wh_status import_mark(void *context, wh_str object, const wh_mark *mark, wh_error *err) {
  rebuilding *r = context;
  wh_status status = import_load(r, object, mark, err);
  wh_arena_reset(r->arena);
  return status;
}

static wh_status rebuild_loaded(rebuilding *r, wh_error *err) {
  if (!r->to->type->sink->marks) return WH_OK; // only the ledger knew: events go out again
  return r->to->type->sink->marks(r->to, r->pipeline->name, r->arena, import_mark, r, err);
}

// --- the quarantine's folders ------------------------------------------------------------------

static wh_status count_part(void *context, wh_str line, wh_error *err) {
  (void)err;
  wh_quarantine_entry *entry = context;
  if (!wh_str_starts(line, "{\"wherry\":")) entry->rows++;
  return WH_OK;
}

static wh_status import_rejects(void *context, wh_str folder, wh_str run, wh_error *err) {
  rebuilding *r = context;
  wh_quarantine_entry entry = {.run = run,
                               .pipeline = r->pipeline->name,
                               .file = folder,
                               .time_us = wh_now_us(r->engine->os)};
  WH_TRY(wh_reject_folder_lines(r->engine, folder, count_part, &entry, err));
  if (entry.rows == 0) return WH_OK;
  r->result->quarantines++;
  wh_ledger *ledger = r->engine->ledger;
  return ledger->type->quarantine_put(ledger, &entry, err);
}

static wh_status rebuild_quarantine(rebuilding *r, wh_error *err) {
  return wh_reject_folders(r->engine, r->pipeline, import_rejects, r, err);
}

static wh_status rebuild_pipeline(wh_engine *engine, const wh_pipeline *p, wh_arena *arena,
                                  wh_rebuild_result *result, wh_error *err) {
  rebuilding r = {.engine = engine, .pipeline = p, .arena = arena, .result = result};
  bool to_rows;
  WH_TRY(wh_input_connect(engine, &p->from, &r.from, &r.from_rows, err));
  WH_TRY(wh_input_connect(engine, &p->to, &r.to, &to_rows, err));
  // Targets know the epochs of leases that were lost with the ledger. Epochs count one by one from
  // 1, so seconds since 1970 are above every one of them.
  uint64_t epoch = (uint64_t)(wh_now_us(engine->os) / 1000000);
  WH_TRY(engine->ledger->type->raise_epoch(engine->ledger, p->name, epoch, err));
  WH_TRY(to_rows ? rebuild_loaded(&r, err) : rebuild_published(&r, err));
  return rebuild_quarantine(&r, err);
}

// --- many tables -------------------------------------------------------------------------------

typedef struct member_list {
  const wh_pipeline *many;
  wh_connection *to;
  wh_arena *arena;   // reset for each manifest
  wh_arena *members; // keeps them
  wh_pipeline *items;
  size_t count, cap;
} member_list;

static bool is_known(const member_list *l, wh_str name) {
  for (size_t i = 0; i < l->count; i++)
    if (wh_str_eq(l->items[i].name, name)) return true;
  return false;
}

static wh_status add_member(member_list *l, wh_str escaped, wh_error *err) {
  if (l->count == l->cap) {
    size_t cap = l->cap ? 2 * l->cap : 16;
    wh_pipeline *items = WH_NEW_ARRAY(l->members, cap, wh_pipeline);
    if (!items) return wh_fail_memory(err);
    if (l->count) memcpy(items, l->items, l->count * sizeof *items);
    l->items = items;
    l->cap = cap;
  }
  wh_str table = wh_pipeline_member_table(escaped, l->members);
  if (!table.data) return wh_fail_memory(err);
  WH_TRY(wh_pipeline_member(l->many, table, l->members, &l->items[l->count], err));
  l->count++;
  return WH_OK;
}

// The manifests name the pipelines that made them.
static wh_status look_for_member(void *context, const wh_object *object, wh_error *err) {
  member_list *l = context;
  wh_arena_reset(l->arena);
  wh_str text, many = l->many->name;
  wh_manifest m;
  WH_TRY(wh_input_read_small(l->to, object->key, WH_MANIFEST_BYTES_MAX, l->arena, &text, err));
  WH_TRY(wh_manifest_parse(text, l->arena, &m, err));
  bool is_member = m.pipeline.len > many.len && m.pipeline.data[many.len] == ':' &&
                   wh_str_eq(wh_str_sub(m.pipeline, 0, many.len), many);
  if (!is_member || is_known(l, m.pipeline)) return WH_OK;
  return add_member(l, wh_str_sub(m.pipeline, many.len + 1, m.pipeline.len), err);
}

static wh_status rebuild_many(wh_engine *engine, const wh_pipeline *many, wh_arena *arena,
                              wh_rebuild_result *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena members;
  wh_arena_init(&members, engine->mem);
  member_list l = {.many = many, .arena = arena, .members = &members};
  WH_TRY(wh_config_connect(engine->config, many->to.connection, &l.to, err));
  WH_TRY(l.to->type->store->list(l.to, WH_STR(WH_MANIFEST_PREFIX), look_for_member, &l, err));
  for (size_t i = 0; i < l.count; i++) {
    wh_arena_reset(arena);
    WH_TRY(rebuild_pipeline(engine, &l.items[i], arena, ret, err));
  }
  return WH_OK;
}

wh_status wh_engine_rebuild(wh_engine *engine, wh_rebuild_result *ret, wh_error *err) {
  *ret = (wh_rebuild_result){0};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  for (size_t i = 0; i < engine->config->pipeline_count; i++) {
    wh_arena_reset(&arena);
    const wh_pipeline *p = &engine->config->pipelines[i];
    WH_TRY(p->many ? rebuild_many(engine, p, &arena, ret, err)
                   : rebuild_pipeline(engine, p, &arena, ret, err));
  }
  return WH_OK;
}
