#include "engine/group.h"

#include "engine/run.h"

wh_status wh_group_init(wh_group *g, wh_error *err) {
  wh_arena_init(&g->arena, g->engine->mem);
  g->kept->is_shared = true;
  g->loads = wh_mem_alloc_zero(g->engine->mem, WH_GROUP_OBJECTS_MAX * sizeof *g->loads);
  return g->loads ? WH_OK : wh_fail_memory(err);
}

void wh_group_free(wh_group *g) {
  wh_mem_free(g->engine->mem, g->loads, WH_GROUP_OBJECTS_MAX * sizeof *g->loads);
  wh_arena_free(&g->arena);
}

static int64_t now_us(const wh_group *g) {
  return g->engine->os->type->monotonic_ns(g->engine->os) / 1000;
}

wh_status wh_group_add(wh_group *g, const wh_run *run, const wh_work *work, wh_error *err) {
  wh_group_load *load = &g->loads[g->count];
  *load = (wh_group_load){.run = *run, .work = work->id, .attempts = work->attempts};
  wh_str *texts[] = {&load->run.id,     &load->run.pipeline, &load->run.object,
                     &load->run.output, &load->run.rejects,  &load->run.reading};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (!texts[i]->len) continue;
    *texts[i] = wh_arena_str(&g->arena, *texts[i]);
    if (!texts[i]->data) return wh_fail_memory(err);
  }
  if (g->count == 0) g->since_us = now_us(g);
  g->count++;
  g->rows += run->counts.read;
  g->kept->is_open = true;
  return WH_OK;
}

bool wh_group_is_full(const wh_group *g) {
  return g->count == WH_GROUP_OBJECTS_MAX || g->rows >= (uint64_t)g->pipeline->chunk_rows ||
         (g->count && now_us(g) - g->since_us >= WH_GROUP_AGE_US);
}

static wh_status commit(wh_group *g, wh_error *err) {
  const wh_kept *kept = g->kept;
  if (!kept->sink)
    return wh_fail(err, WH_ERR_UNAVAILABLE,
                   "the transaction was lost in which this object was loaded with others");
  return kept->type->commit(kept->sink, err);
}

static wh_status record_done(wh_group *g, wh_group_load *load, wh_error *err) {
  wh_run *run = &load->run;
  wh_quarantine_entry quarantine = {.run = run->id,
                                    .pipeline = run->pipeline,
                                    .object = run->object,
                                    .file = run->rejects,
                                    .rows = run->counts.quarantined,
                                    .time_us = run->finished_us};
  wh_finish finish = {.work = load->work};
  if (run->counts.quarantined) finish.quarantine = &quarantine;
  WH_TRY(wh_run_record_done(g->engine, run, &finish, err));
  g->ended(g->context, run);
  return WH_OK;
}

// Nothing of it is there, or its mark will tell.
static wh_status record_failed(wh_group *g, wh_group_load *load, wh_status status,
                               const wh_error *why, wh_error *err) {
  wh_ledger *ledger = g->engine->ledger;
  wh_run_record_failure(g->engine, &load->run, why);
  g->ended(g->context, &load->run);
  if (status == WH_ERR_CANCELLED) return ledger->type->forgive(ledger, g->lease, load->work, err);
  // Which of several it was shows when each is tried alone.
  return wh_work_fail(g->engine, g->pipeline, g->lease, load->work, load->attempts,
                      g->count > 1 ? WH_ERR_BUSY : status, false, why, err);
}

wh_status wh_group_commit(wh_group *g, wh_error *err) {
  if (g->count == 0) return WH_OK;
  wh_error why = {0};
  wh_status committed = commit(g, &why), status = WH_OK;
  g->kept->is_open = false;
  if (committed == WH_OK)
    wh_kept_forget_guesses(g->kept);
  else
    wh_kept_drop(g->kept);
  for (size_t i = 0; status == WH_OK && i < g->count; i++)
    status = committed == WH_OK ? record_done(g, &g->loads[i], err)
                                : record_failed(g, &g->loads[i], committed, &why, err);
  g->count = 0;
  g->rows = 0;
  wh_arena_reset(&g->arena);
  return status;
}

wh_status wh_group_keep_alive(wh_group *g, wh_error *err) {
  wh_ledger *ledger = g->engine->ledger;
  for (size_t i = 0; i < g->count; i++)
    WH_TRY(ledger->type->extend(ledger, g->lease, g->loads[i].work, WH_VISIBILITY_US, err));
  return WH_OK;
}
