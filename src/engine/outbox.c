#include "engine/outbox.h"

#include "engine/after.h"
#include "engine/catalogue.h"
#include "engine/notice.h"
#include "engine/run.h"

const wh_pipeline *wh_outbox_pipeline(const wh_config *config, wh_str name) {
  return wh_config_pipeline(config, wh_pipeline_base(name));
}

// --- what is told --------------------------------------------------------------------------------

static unsigned what_happened(const wh_run *run) {
  if (run->state == WH_RUN_FAILED) return WH_NOTIFY_FAILED;
  if (run->state != WH_RUN_DONE) return 0;
  bool published = run->sealed.attempt.len > 0; // an object may hold no row
  unsigned on = run->counts.written || published ? WH_NOTIFY_DONE : 0;
  return run->counts.quarantined ? on | WH_NOTIFY_QUARANTINED : on;
}

void wh_outbox_tells(const wh_engine *engine, const wh_run *run, wh_tells *ret) {
  *ret = (wh_tells){0};
  const wh_pipeline *p = wh_outbox_pipeline(engine->config, run->pipeline);
  unsigned on = what_happened(run);
  for (size_t i = 0; p && i < p->notify_count; i++) {
    if (!(p->notify[i].on & on)) continue;
    ret->items[ret->count++] = (wh_tell){WH_OUTBOX_MESSAGE, p->notify[i].connection};
  }
  const wh_address *catalog = &engine->config->catalog;
  if (catalog->node && run->state == WH_RUN_DONE && run->sealed.manifest.len)
    ret->items[ret->count++] = (wh_tell){WH_OUTBOX_CATALOGUE, catalog->node->text};
  const wh_pipeline *after = wh_after_pipeline(engine->config, run);
  if (after && run->state == WH_RUN_DONE)
    ret->items[ret->count++] = (wh_tell){WH_OUTBOX_AFTER, after->after.target};
}

// --- delivering ----------------------------------------------------------------------------------

typedef struct delivery {
  wh_engine *engine;
  wh_arena *arena; // of the item in hand
  int64_t until_ns;
  wh_str *targets; // all that the configuration names
  size_t target_count;
  wh_catalogue *catalogue; // open; NULL: not yet
  bool hurry;              // also what waits for a retry, and what is given up
  wh_delivered *ret;
} delivery;

static wh_status send_message(delivery *d, const wh_run *run, const wh_outbox_item *item,
                              wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(d->engine->config, item->target, &c, err));
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, d->engine->mem, 0);
  wh_notice notice;
  WH_TRY(wh_notice_make(d->engine, run, item->target, d->arena, &body, &notice, err));
  return c->type->notify->send(c, &notice, err);
}

static wh_status put_in_catalogue(delivery *d, const wh_run *run, wh_error *err) {
  if (!d->catalogue) WH_TRY(wh_catalogue_open(d->engine, &d->catalogue, err));
  wh_status status = wh_catalogue_put(d->catalogue, run, d->arena, err);
  if (status == WH_OK) return WH_OK;
  wh_catalogue_close(d->catalogue);
  d->catalogue = NULL;
  return status;
}

static wh_status deliver_item(delivery *d, const wh_outbox_item *item, uint32_t *ret_attempts,
                              wh_error *err) {
  wh_ledger *ledger = d->engine->ledger;
  wh_run run;
  *ret_attempts = WH_OUTBOX_ATTEMPTS;
  WH_TRY(ledger->type->run_get(ledger, item->run, d->arena, &run, err));
  const wh_pipeline *p = wh_outbox_pipeline(d->engine->config, run.pipeline);
  if (p) *ret_attempts = (uint32_t)p->attempts;
  switch (item->kind) {
  case WH_OUTBOX_MESSAGE:
    return send_message(d, &run, item, err);
  case WH_OUTBOX_CATALOGUE:
    return put_in_catalogue(d, &run, err);
  case WH_OUTBOX_AFTER:
    return wh_after_run(d->engine, &run, d->arena, err);
  }
  return WH_OK;
}

// No fault of what is delivered.
static bool passes(wh_status status) {
  return wh_will_pass(status) || status == WH_ERR_MEMORY;
}

static bool is_over(const delivery *d) {
  wh_os *os = d->engine->os;
  return wh_engine_stopping(d->engine) || os->type->monotonic_ns(os) >= d->until_ns;
}

// *ret_dead: nothing waits for it any more.
static wh_status note_failure(delivery *d, const wh_outbox_item *item, uint32_t attempts,
                              const wh_error *why, bool *ret_dead, wh_error *err) {
  wh_ledger *ledger = d->engine->ledger;
  bool counts = !passes(why->status);
  d->ret->paused = true;
  if (counts) d->ret->failed++;
  return ledger->type->outbox_fail(ledger, item, counts ? attempts : 0,
                                   wh_retry_delay_us(item->tries + 1), wh_str_of(why->text),
                                   ret_dead, err);
}

// The next of a target. *ret_goes_on: those behind it may be tried now.
static wh_status deliver_next(delivery *d, wh_str target, bool *ret_goes_on, wh_error *err) {
  wh_ledger *ledger = d->engine->ledger;
  *ret_goes_on = false;
  wh_arena_reset(d->arena);
  wh_outbox_item item;
  wh_status status = ledger->type->outbox_next(ledger, target, d->hurry, d->arena, &item, err);
  if (status == WH_ERR_END) return WH_OK;
  WH_TRY(status);
  wh_error why = {0};
  uint32_t attempts;
  status = deliver_item(d, &item, &attempts, &why);
  if (status == WH_ERR_CANCELLED) return WH_OK;
  if (status != WH_OK) return note_failure(d, &item, attempts, &why, ret_goes_on, err);
  WH_TRY(ledger->type->outbox_done(ledger, &item, err));
  d->ret->sent++;
  *ret_goes_on = true;
  return WH_OK;
}

// What is given up is taken up when everything else is delivered, and one by one, as long as it
// goes well: nothing waits for what nobody has mended.
static wh_status take_up_again(delivery *d, wh_str target, wh_error *err) {
  wh_ledger *ledger = d->engine->ledger;
  uint64_t failed = d->ret->failed;
  bool any = true, goes_on = true;
  while (any && goes_on && d->ret->failed == failed && !is_over(d)) {
    WH_TRY(ledger->type->outbox_revive(ledger, target, &any, err));
    if (any) WH_TRY(deliver_next(d, target, &goes_on, err));
  }
  return WH_OK;
}

static wh_status deliver_to(delivery *d, wh_str target, wh_error *err) {
  uint64_t sent, failed = d->ret->failed;
  bool goes_on = true, is_paused = d->ret->paused;
  while (goes_on && d->ret->failed - failed < WH_OUTBOX_IN_A_ROW && !is_over(d)) {
    sent = d->ret->sent;
    WH_TRY(deliver_next(d, target, &goes_on, err));
    if (d->ret->sent > sent) failed = d->ret->failed;
  }
  bool all_is_well = d->ret->paused == is_paused;
  return d->hurry && all_is_well ? take_up_again(d, target, err) : WH_OK;
}

// --- for whom ------------------------------------------------------------------------------------

static bool is_listed(const wh_str *targets, size_t count, wh_str target) {
  for (size_t i = 0; i < count; i++)
    if (wh_str_eq(targets[i], target)) return true;
  return false;
}

// All that the configuration names. What is for others is theirs who know them.
static wh_status list_targets(const wh_config *config, wh_arena *arena, wh_str **ret,
                              size_t *ret_count, wh_error *err) {
  size_t max = 0, count = 0;
  for (size_t i = 0; i < config->pipeline_count; i++)
    max += config->pipelines[i].notify_count + 1;
  wh_str *targets = WH_NEW_ARRAY(arena, max + 1, wh_str);
  if (!targets) return wh_fail_memory(err);
  if (config->catalog.node) targets[count++] = config->catalog.node->text;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (p->after.kind != WH_AFTER_LEAVE) targets[count++] = p->after.target;
    for (size_t j = 0; j < p->notify_count; j++)
      if (!is_listed(targets, count, p->notify[j].connection))
        targets[count++] = p->notify[j].connection;
  }
  *ret = targets;
  *ret_count = count;
  return WH_OK;
}

bool wh_engine_tells(const wh_engine *engine) {
  if (engine->config->catalog.node) return true;
  for (size_t i = 0; i < engine->config->pipeline_count; i++) {
    const wh_pipeline *p = &engine->config->pipelines[i];
    if (p->notify_count || p->after.kind != WH_AFTER_LEAVE) return true;
  }
  return false;
}

// When something is visible again; *ret_any: something is there at all.
static wh_status find_next(delivery *d, wh_arena *arena, bool *ret_any, wh_error *err) {
  wh_ledger *ledger = d->engine->ledger;
  wh_outbox_box *boxes;
  size_t count;
  *ret_any = false;
  d->ret->next_us = INT64_MAX;
  WH_TRY(ledger->type->outbox(ledger, arena, &boxes, &count, err));
  for (size_t i = 0; i < count; i++) {
    if (!is_listed(d->targets, d->target_count, boxes[i].target)) continue;
    *ret_any = true;
    if (boxes[i].next_us < d->ret->next_us) d->ret->next_us = boxes[i].next_us;
  }
  return WH_OK;
}

static wh_status deliver_all(delivery *d, wh_arena *arena, wh_error *err) {
  for (size_t i = 0; i < d->target_count && !is_over(d); i++)
    WH_TRY(deliver_to(d, d->targets[i], err));
  bool any;
  return find_next(d, arena, &any, err);
}

static wh_status deliver_alone(delivery *d, wh_arena *arena, wh_error *err) {
  wh_ledger *ledger = d->engine->ledger;
  wh_lease lease;
  wh_status status = ledger->type->acquire(ledger, WH_STR(WH_OUTBOX_LEASE), &lease, err);
  if (status == WH_ERR_BUSY) {
    d->ret->next_us = wh_now_us(d->engine->os) + WH_OUTBOX_AGAIN_US;
    return WH_OK;
  }
  WH_TRY(status);
  status = deliver_all(d, arena, err);
  wh_catalogue_close(d->catalogue);
  ledger->type->release(ledger, &lease);
  return status;
}

wh_status wh_engine_deliver(wh_engine *engine, bool hurry, int64_t limit_us, wh_delivered *ret,
                            wh_error *err) {
  *ret = (wh_delivered){.next_us = INT64_MAX};
  if (!wh_engine_tells(engine)) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena, item;
  wh_arena_init(&arena, engine->mem);
  wh_arena_init(&item, engine->mem);
  delivery d = {.engine = engine,
                .arena = &item,
                .until_ns = engine->os->type->monotonic_ns(engine->os) + limit_us * 1000,
                .hurry = hurry,
                .ret = ret};
  bool any;
  WH_TRY(list_targets(engine->config, &arena, &d.targets, &d.target_count, err));
  WH_TRY(find_next(&d, &arena, &any, err)); // most of the time there is nothing
  if (!any || (!hurry && ret->next_us > wh_now_us(engine->os))) return WH_OK;
  return deliver_alone(&d, &arena, err);
}
