// Erasing a person: what a pipeline has of theirs, place by place, and the run that records it.
#include "engine/erase.h"

#include "base/crypto.h"
#include "config/glob.h"
#include "engine/run.h"

// --- what the places share -----------------------------------------------------------------------

enum { RECORD_BYTES_MAX = 4096 }; // about

static void add_record(wh_erasure *e, const wh_erased *erased) {
  if (e->record.len > RECORD_BYTES_MAX) {
    if (!wh_str_ends(wh_buf_str(&e->record), "...")) wh_buf_add_c(&e->record, "; ...");
    return;
  }
  if (e->record.len) wh_buf_add_c(&e->record, "; ");
  if (erased->rows)
    wh_buf_printf(&e->record, "%llu %s of ", (unsigned long long)erased->rows,
                  erased->rows == 1 ? "row" : "rows");
  wh_buf_printf(&e->record, "%s %.*s%s%s", erased->place, WH_STR_ARG(erased->where),
                erased->removed ? " removed" : " left", erased->why ? ": " : "");
  if (erased->why) wh_buf_add_c(&e->record, erased->why);
}

wh_status wh_erase_tell(wh_erasure *e, const char *place, wh_str where, uint64_t rows,
                        const char *why, wh_error *err) {
  wh_erased erased = {.pipeline = e->pipeline->name,
                      .place = place,
                      .where = where,
                      .rows = rows,
                      .removed = !why && !e->request->dry,
                      .why = why};
  if (why)
    e->left++;
  else
    e->removed += rows;
  if (e->run) add_record(e, &erased);
  return e->request->visit ? e->request->visit(e->request->context, &erased, err) : WH_OK;
}

bool wh_erase_is_key(const wh_erasure *e, const wh_column *column, size_t row, wh_buf *scratch) {
  if (wh_column_is_null(column, row)) return false;
  wh_buf_clear(scratch);
  wh_column_write(column, row, scratch);
  return wh_str_eq(wh_buf_str(scratch), e->request->key);
}

uint64_t wh_erase_hash(wh_str text) {
  uint8_t digest[WH_SHA256_BYTES];
  uint64_t hash;
  wh_sha256_of(text, digest);
  memcpy(&hash, digest, sizeof hash);
  return hash;
}

// --- what the objects that it writes are to others -----------------------------------------------

// A pipeline that tells the same people apart looks into all that this one may have written.
static wh_status is_read(wh_erasure *e, bool *ret, wh_error *err) {
  const wh_config *config = e->engine->config;
  wh_str made;
  *ret = false;
  WH_TRY(wh_template_glob_for(e->pipeline->to.thing, e->pipeline->name, e->arena, &made, err));
  for (size_t i = 0; !*ret && i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (!wh_str_eq(p->from.connection, e->pipeline->to.connection)) continue;
    if (!wh_pipeline_subject(p, e->request->kind).data) continue;
    WH_TRY(wh_glob_overlap(made, p->from.thing, e->engine->mem, ret, err));
  }
  return WH_OK;
}

static wh_status tell_written(wh_erasure *e, wh_error *err) {
  bool read;
  WH_TRY(is_read(e, &read, err));
  if (read) return WH_OK;
  wh_str where = wh_arena_printf(e->arena, "%.*s:%.*s", WH_STR_ARG(e->pipeline->to.connection),
                                 WH_STR_ARG(e->pipeline->to.thing));
  if (!where.data) return wh_fail_memory(err);
  return wh_erase_tell(e, "object", where, 0,
                       "no pipeline with such a subject reads these objects, so that nobody looks "
                       "into them",
                       err);
}

// --- the record ----------------------------------------------------------------------------------

static wh_status identity_of(const wh_erase_request *r, wh_arena *arena, wh_str *ret,
                             wh_error *err) {
  uint8_t digest[WH_SHA256_BYTES];
  char hex[WH_SHA256_HEX + 1];
  wh_sha256_of(r->key, digest);
  wh_hex_encode(digest, sizeof digest, hex);
  *ret = wh_arena_printf(arena, WH_ERASE_PREFIX "%.*s:%s", WH_STR_ARG(r->kind), hex);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status erase_places(wh_erasure *e, wh_error *err) {
  const wh_pipeline *p = e->pipeline;
  wh_connection *from, *to;
  bool from_rows, to_rows;
  WH_TRY(wh_input_connect(e->engine, &p->from, &from, &from_rows, err));
  WH_TRY(wh_input_connect(e->engine, &p->to, &to, &to_rows, err));
  WH_TRY(wh_erase_quarantine(e, err));
  WH_TRY(from_rows ? wh_erase_source(e, from, err) : wh_erase_objects(e, from, err));
  return to_rows ? wh_erase_table(e, to, err) : tell_written(e, err);
}

static wh_status finish(wh_erasure *e, wh_run *run, wh_error *err) {
  const wh_pipeline *p = e->pipeline;
  WH_TRY(wh_buf_check(&e->record, err));
  run->counts = (wh_counts){.read = e->removed, .written = e->removed, .deleted = e->removed};
  run->partial = true; // no measure for what a run usually brings
  run->row_hash = e->row_hash;
  run->reading = wh_buf_str(&e->record);
  run->output =
      wh_arena_printf(e->arena, "%.*s:%.*s", WH_STR_ARG(p->to.connection), WH_STR_ARG(p->to.thing));
  if (!run->output.data) return wh_fail_memory(err);
  run->state = WH_RUN_DONE;
  run->finished_us = wh_now_us(e->engine->os);
  wh_finish done = {.run = run};
  return e->engine->ledger->type->run_finish(e->engine->ledger, &done, err);
}

static wh_status erase_recorded(wh_erasure *e, wh_str *ret_run, wh_error *err) {
  wh_ledger *ledger = e->engine->ledger;
  wh_str identity;
  wh_run run = {0};
  WH_TRY(wh_run_recover(e->engine, e->pipeline, e->lease, err));
  WH_TRY(identity_of(e->request, e->arena, &identity, err));
  WH_TRY(ledger->type->run_start(ledger, e->lease, identity, e->arena, &run, err));
  e->run = &run;
  wh_error why = {0};
  wh_status status = erase_places(e, &why);
  if (status == WH_OK) status = finish(e, &run, &why);
  if (status == WH_OK) {
    *ret_run = run.id;
    return WH_OK;
  }
  wh_run_record_failure(e->engine, &run, &why);
  if (err) *err = why;
  return status;
}

wh_status wh_engine_erase(wh_engine *engine, const wh_pipeline *pipeline,
                          const wh_erase_request *request, wh_arena *arena, wh_erase_result *ret,
                          wh_error *err) {
  wh_erasure e = {.engine = engine,
                  .pipeline = pipeline,
                  .request = request,
                  .column = wh_pipeline_subject(pipeline, request->kind),
                  .arena = arena};
  wh_ledger *ledger = engine->ledger;
  wh_lease lease = {0};
  wh_status status;
  *ret = (wh_erase_result){0};
  wh_buf_init(&e.record, engine->mem, 0);
  if (request->dry) {
    status = erase_places(&e, err);
  } else {
    WH_TRY(ledger->type->acquire(ledger, pipeline->name, &lease, err));
    e.lease = &lease;
    status = erase_recorded(&e, &ret->run, err);
    ledger->type->release(ledger, &lease);
  }
  ret->removed = e.removed;
  ret->left = e.left;
  wh_buf_free(&e.record);
  return status;
}
