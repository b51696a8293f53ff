// Which objects wait to be loaded: the store is listed, and what is not known yet enters the
// ledger's queue. Notifications only say when to look; the listing is what counts, so that an event
// that was lost, doubled or forged changes nothing.
#include "engine/run.h"

#include "ledger/manifest.h"

typedef struct scan {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_connection *connection;
  wh_arena *arena; // reset for each object
  int64_t now_us, settle_at_us;
  bool skip_all; // `begin: now`, at first sight
  uint64_t fresh;
} scan;

// A file that somebody else writes counts when it has been still for a while. One that Wherry
// published is complete the moment it is there; its manifest tells, if it has as many bytes as that
// says: a copy may be under way whose manifest came first.
static wh_status is_settled(scan *s, const wh_object *object, bool *ret, wh_error *err) {
  int64_t still_at = object->modified_us + WH_SETTLE_US;
  // A time far ahead of our clock says nothing about when the file was written.
  *ret = still_at <= s->now_us || object->modified_us > s->now_us + WH_CLOCK_AHEAD_US;
  if (*ret) return WH_OK;
  wh_manifest manifest;
  wh_error ignored = {0};
  wh_status status = wh_input_manifest(s->connection, object, s->arena, ret, &manifest, &ignored);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) *ret = false; // whatever it is: when the file is still, it is read again
  if (!*ret && still_at < s->settle_at_us) s->settle_at_us = still_at;
  return WH_OK;
}

static wh_status put_if_settled(scan *s, const wh_object *object, wh_error *err) {
  bool settled, fresh;
  WH_TRY(is_settled(s, object, &settled, err));
  if (!settled) return WH_OK;
  wh_ledger *ledger = s->engine->ledger;
  WH_TRY(ledger->type->put(ledger, s->pipeline->name, object->key, object->version,
                           object->modified_us, &fresh, err));
  s->fresh += fresh;
  return WH_OK;
}

static wh_status look_at(void *context, const wh_object *object, wh_error *err) {
  scan *s = context;
  if (!wh_glob_match(s->pipeline->from.thing, object->key)) return WH_OK;
  wh_arena_reset(s->arena);
  if (s->skip_all) {
    wh_ledger *ledger = s->engine->ledger;
    return ledger->type->put_done(ledger, s->pipeline->name, object->key, object->version, err);
  }
  return put_if_settled(s, object, err);
}

wh_status wh_engine_offer(wh_engine *engine, const wh_pipeline *p, wh_connection *c,
                          const wh_object *object, wh_arena *arena, wh_error *err) {
  scan s = {.engine = engine,
            .pipeline = p,
            .connection = c,
            .arena = arena,
            .now_us = wh_now_us(engine->os),
            .settle_at_us = INT64_MAX};
  return put_if_settled(&s, object, err);
}

wh_status wh_engine_scan(wh_engine *engine, const wh_pipeline *p, uint64_t *ret_new,
                         int64_t *ret_settle_us, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  scan s = {.engine = engine,
            .pipeline = p,
            .arena = &arena,
            .now_us = wh_now_us(engine->os),
            .settle_at_us = INT64_MAX};
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &p->from, &s.connection, &is_rows, err));
  wh_ledger *ledger = engine->ledger;
  int64_t seen_us = 1;
  if (p->begin_now) WH_TRY(ledger->type->fired(ledger, p->name, &seen_us, err));
  s.skip_all = seen_us == 0;
  wh_str prefix = wh_glob_prefix(p->from.thing);
  WH_TRY(s.connection->type->store->list(s.connection, prefix, look_at, &s, err));
  if (s.skip_all) WH_TRY(ledger->type->set_fired(ledger, p->name, s.now_us, err));
  *ret_new = s.fresh;
  *ret_settle_us = s.settle_at_us;
  return WH_OK;
}
