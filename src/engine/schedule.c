// When a pipeline is due, from its schedule and from when it last was.
#include "engine/engine.h"

#define CLOCK_WAS_AHEAD_US (3600ll * 1000000) // by so much: it was wrong, and has been set right

enum { CATCH_UP_GRACE_US = 60 * 1000000 }; // a start so late still counts as on time

static wh_status cron_due(wh_engine *engine, const wh_pipeline *p, int64_t fired, int64_t now,
                          int64_t *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  const wh_zone *zone = NULL;
  if (p->when.timezone.len) {
    WH_TRY(wh_zone_open(engine->os, p->when.timezone, &arena, &zone, err));
  }
  if (fired == 0) { // first sight: nothing was missed
    fired = now;
    // With `begin: now` the first listing of the store sets it, and skips what is there by it.
    if (!p->begin_now) {
      WH_TRY(engine->ledger->type->move_fired(engine->ledger, p->name, 0, now, err));
    }
  }
  int64_t due = wh_cron_next(&p->when.cron, zone, fired);
  if (due > now) {
    *ret = due;
    return WH_OK;
  }
  switch (p->when.catch_up) {
  case WH_CATCH_UP_ALL:
    break;
  case WH_CATCH_UP_NONE:
    while (due < now - CATCH_UP_GRACE_US)
      due = wh_cron_next(&p->when.cron, zone, due);
    break;
  case WH_CATCH_UP_LAST:
    for (;;) {
      int64_t next = wh_cron_next(&p->when.cron, zone, due);
      if (next > now) break;
      due = next;
    }
    break;
  }
  *ret = due;
  return WH_OK;
}

wh_status wh_engine_next_due(wh_engine *engine, const wh_pipeline *p, int64_t *ret_us,
                             wh_error *err) {
  int64_t now = wh_now_us(engine->os);
  int64_t fired;
  WH_TRY(engine->ledger->type->fired(engine->ledger, p->name, &fired, err));
  if (fired > now && fired - now > CLOCK_WAS_AHEAD_US) {
    // Else the pipeline would stand still until that time has come.
    WH_TRY(engine->ledger->type->move_fired(engine->ledger, p->name, fired, now, err));
    fired = now;
  }
  switch (p->when.kind) {
  case WH_WHEN_EVERY: {
    int64_t every = p->when.every_us;
    int64_t due = fired == 0 ? now : fired + every;
    // After a long pause one run catches up, at the latest point of the rhythm.
    if (due < now) due += (now - due) / every * every;
    *ret_us = due;
    return WH_OK;
  }
  case WH_WHEN_CRON:
    return cron_due(engine, p, fired, now, ret_us, err);
  default:
    *ret_us = INT64_MAX;
    return WH_OK;
  }
}
