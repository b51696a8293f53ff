#include "engine/erased.h"

#include "engine/erase.h"

typedef struct reading {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_arena *arena, *scratch;
  wh_erased_one *items;
  size_t count, cap;
} reading;

static wh_status add(reading *r, wh_erased_one one, wh_error *err) {
  if (r->count == r->cap) {
    size_t cap = r->cap ? 2 * r->cap : 16;
    wh_erased_one *items = WH_NEW_ARRAY(r->arena, cap, wh_erased_one);
    if (!items) return wh_fail_memory(err);
    if (r->count) memcpy(items, r->items, r->count * sizeof *items);
    r->items = items;
    r->cap = cap;
  }
  r->items[r->count++] = one;
  return WH_OK;
}

static wh_status read_run(void *context, const wh_run *run, wh_error *err) {
  reading *r = context;
  wh_str kind = wh_str_sub(run->object, sizeof WH_ERASE_PREFIX - 1, run->object.len);
  if (!wh_str_starts(run->object, WH_ERASE_PREFIX) || !run->row_hash) {
    wh_arena_reset(r->scratch);
    return WH_OK;
  }
  wh_erased_one one = {.hash = run->row_hash, .order = run->order};
  wh_str column = wh_pipeline_subject(r->pipeline, wh_str_sub(kind, 0, wh_str_find(kind, 0, ':')));
  wh_str text;
  const char *why;
  wh_status status = WH_OK;
  if (column.data)
    status = wh_erase_crossed(r->engine, r->pipeline, column, (wh_str){0}, r->arena, &one.column,
                              &text, &why, err);
  wh_arena_reset(r->scratch);
  return status == WH_OK && one.column.data ? add(r, one, err) : status;
}

wh_status wh_erased_people_read(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                                wh_erased_people *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, engine->mem);
  *ret = (wh_erased_people){.mem = engine->mem};
  if (pipeline->subject_count == 0) return WH_OK;
  reading r = {.engine = engine, .pipeline = pipeline, .arena = arena, .scratch = &scratch};
  wh_ledger *ledger = engine->ledger;
  WH_TRY(ledger->type->runs(ledger, pipeline->name, WH_RUN_DONE, 0, &scratch, read_run, &r, err));
  ret->items = r.items;
  ret->count = r.count;
  return WH_OK;
}

bool wh_erased_people_have(const wh_erased_people *people, const wh_batch *batch, size_t row,
                           int64_t order) {
  for (size_t i = 0; i < people->count; i++) {
    const wh_erased_one *one = &people->items[i];
    ptrdiff_t at = wh_schema_find(batch->schema, one->column);
    if (at < 0 || order >= one->order || wh_column_is_null(&batch->columns[at], row)) continue;
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, people->mem, 0);
    if (!wh_column_write(&batch->columns[at], row, &text)) continue;
    if (wh_erase_hash(wh_buf_str(&text)) == one->hash) return true;
  }
  return false;
}
