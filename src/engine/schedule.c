// When a pipeline is due, from its schedule and from when it last was.
#include "engine/engine.h"

#include <xxhash.h>

#define CLOCK_WAS_AHEAD_US (3600ll * 1000000) // by so much: it was wrong, and has been set right

enum { CATCH_UP_GRACE_US = 60 * 1000000 }; // a start so late still counts as on time

// So much later than its time the start of then comes: the same whoever asks, and however often.
static int64_t jitter_of(const wh_pipeline *p, int64_t time_us) {
  if (p->when.jitter_us == 0 || time_us == INT64_MAX) return 0;
  uint64_t hash = XXH3_64bits_withSeed(p->name.data, p->name.len, (uint64_t)time_us);
  return (int64_t)(hash % (uint64_t)p->when.jitter_us);
}

static int64_t start_of(const wh_pipeline *p, int64_t time_us) {
  return time_us + jitter_of(p, time_us);
}

static wh_due due_at(const wh_pipeline *p, int64_t time_us) {
  return (wh_due){.time_us = time_us, .start_us = start_of(p, time_us)};
}

static wh_status cron_due(wh_engine *engine, const wh_pipeline *p, int64_t fired, int64_t now,
                          wh_due *ret, wh_error *err) {
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
  if (p->when.catch_up == WH_CATCH_UP_NONE) {
    while (start_of(p, due) < now - CATCH_UP_GRACE_US)
      due = wh_cron_next(&p->when.cron, zone, due);
  } else if (p->when.catch_up == WH_CATCH_UP_LAST && due <= now) {
    for (;;) {
      int64_t next = wh_cron_next(&p->when.cron, zone, due);
      if (start_of(p, next) > now) break;
      due = next;
    }
  }
  *ret = due_at(p, due);
  return WH_OK;
}

// After a long pause one run catches up, at the latest point of the rhythm.
static wh_due every_due(const wh_pipeline *p, int64_t fired, int64_t now) {
  if (fired == 0) return (wh_due){.time_us = now, .start_us = now};
  int64_t every = p->when.every_us, due = fired + every;
  if (due < now) due += (now - due) / every * every;
  if (due - every > fired && start_of(p, due) > now) due -= every; // that one has begun
  return due_at(p, due);
}

wh_status wh_engine_next_due(wh_engine *engine, const wh_pipeline *p, wh_due *ret, wh_error *err) {
  int64_t now = wh_now_us(engine->os);
  int64_t fired;
  WH_TRY(engine->ledger->type->fired(engine->ledger, p->name, &fired, err));
  if (fired > now && fired - now > CLOCK_WAS_AHEAD_US) {
    // Else the pipeline would stand still until that time has come.
    WH_TRY(engine->ledger->type->move_fired(engine->ledger, p->name, fired, now, err));
    fired = now;
  }
  switch (p->when.kind) {
  case WH_WHEN_EVERY:
    *ret = every_due(p, fired, now);
    return WH_OK;
  case WH_WHEN_CRON:
    return cron_due(engine, p, fired, now, ret, err);
  default:
    *ret = (wh_due){.time_us = INT64_MAX, .start_us = INT64_MAX};
    return WH_OK;
  }
}
