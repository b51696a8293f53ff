// Which objects wait to be loaded: the store is listed, and what is not known yet enters the
// ledger's queue. Notifications only say when to look; the listing is what counts, so that an event
// that was lost, doubled or forged changes nothing.
#include "engine/markers.h"
#include "engine/run.h"

#include "ledger/dataset.h"
#include "ledger/manifest.h"

enum { PUTS_AT_ONCE = 500 }; // in one transaction of the ledger: each costs it an fsync

typedef struct scan {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_connection *connection;
  wh_arena *scratch; // reset for each object
  wh_arena *arena;   // what `puts` names, reset when they are put
  wh_put puts[PUTS_AT_ONCE];
  size_t put_count;
  int64_t now_us, settle_at_us;
  wh_markers markers;
  bool skip_all; // `begin: now`, at first sight
  uint64_t fresh;
} scan;

// A file that somebody else writes counts when it has been still for a while. One that Wherry
// published is complete the moment it is there; its manifest tells, if it has as many bytes as that
// says: a copy may be under way whose manifest came first.
static wh_status is_settled(scan *s, const wh_object *object, bool *ret, wh_error *err) {
  int64_t still_at = object->modified_us + WH_SETTLE_US;
  if (object->modified_us > s->now_us && object->changed_us) {
    // A date that lies ahead was brought along from elsewhere: it must not hold the file back.
    still_at = object->changed_us + WH_SETTLE_US;
  }
  // Where clocks are not ours, the store itself has seen for how long the file was still.
  if (object->settled_us) still_at = object->settled_us;
  // Nor may one that nothing else is known of, far ahead of our clock.
  bool is_strange = !object->settled_us && still_at > s->now_us + WH_CLOCK_AHEAD_US;
  *ret = still_at <= s->now_us || is_strange;
  if (*ret) return WH_OK;
  wh_arena_reset(s->scratch);
  wh_manifest manifest;
  wh_error ignored = {0};
  wh_status status = wh_input_manifest(s->connection, object, s->scratch, ret, &manifest, &ignored);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) *ret = false; // whatever it is: when the file is still, it is read again
  if (!*ret && still_at < s->settle_at_us) s->settle_at_us = still_at;
  return WH_OK;
}

// What has no marker yet is not there, also not at first sight.
static wh_status is_whole(scan *s, const wh_object *object, bool *ret, wh_error *err) {
  *ret = s->skip_all;
  if (!wh_complete_has_marker(&s->pipeline->complete))
    return *ret ? WH_OK : is_settled(s, object, ret, err);
  wh_arena_reset(s->scratch);
  return wh_markers_tell(&s->markers, s->pipeline, object, s->scratch, ret, err);
}

static wh_status put_found(scan *s, wh_error *err) {
  if (s->put_count == 0) return WH_OK;
  wh_ledger *ledger = s->engine->ledger;
  uint64_t fresh;
  WH_TRY(ledger->type->put_many(ledger, s->pipeline->name, s->puts, s->put_count, s->skip_all,
                                &fresh, err));
  if (!s->skip_all) s->fresh += fresh;
  s->put_count = 0;
  wh_arena_reset(s->arena);
  return WH_OK;
}

static wh_status look_at(void *context, const wh_object *object, wh_error *err) {
  scan *s = context;
  if (!wh_pipeline_takes(s->pipeline, object->key)) return WH_OK;
  bool is_dataset = s->pipeline->read.dataset.len > 0; // whose indexes nobody else writes
  if (is_dataset && !wh_dataset_key_version(s->pipeline->read.dataset, object->key)) return WH_OK;
  bool whole = is_dataset;
  if (!whole) WH_TRY(is_whole(s, object, &whole, err));
  if (!whole) return WH_OK;
  if (is_dataset) s->put_count = 0; // each version is whole: the newest counts
  wh_put *put = &s->puts[s->put_count];
  *put = (wh_put){.key = wh_arena_str(s->arena, object->key),
                  .version = wh_arena_str(s->arena, object->version),
                  .order = s->skip_all ? 0 : object->modified_us};
  if (!put->key.data || !put->version.data) return wh_fail_memory(err);
  return ++s->put_count == PUTS_AT_ONCE ? put_found(s, err) : WH_OK;
}

static wh_status list_store(scan *s, wh_error *err) {
  wh_ledger *ledger = s->engine->ledger;
  const wh_pipeline *p = s->pipeline;
  bool is_rows;
  WH_TRY(wh_input_connect(s->engine, &p->from, &s->connection, &is_rows, err));
  int64_t seen_us = 1;
  if (p->begin_now) WH_TRY(ledger->type->fired(ledger, p->name, &seen_us, err));
  s->skip_all = seen_us == 0;
  if (wh_complete_has_marker(&p->complete))
    WH_TRY(wh_markers_list(s->connection, p, s->engine->mem, &s->markers, err));
  wh_str prefix = wh_glob_prefix(p->from.thing);
  WH_TRY(s->connection->type->store->list(s->connection, prefix, look_at, s, err));
  WH_TRY(put_found(s, err));
  return s->skip_all ? ledger->type->move_fired(ledger, p->name, 0, s->now_us, err) : WH_OK;
}

wh_status wh_engine_offer(wh_engine *engine, const wh_pipeline *p, wh_connection *c,
                          const wh_object *object, wh_arena *arena, wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, engine->mem);
  scan *s = WH_NEW(arena, scan);
  if (!s) return wh_fail_memory(err);
  *s = (scan){.engine = engine,
              .pipeline = p,
              .connection = c,
              .scratch = &scratch,
              .now_us = wh_now_us(engine->os),
              .settle_at_us = INT64_MAX};
  bool whole, fresh;
  if (wh_complete_has_marker(&p->complete))
    WH_TRY(wh_marker_tells(c, p, object, &scratch, &whole, err));
  else
    WH_TRY(is_settled(s, object, &whole, err));
  if (!whole) return WH_OK;
  wh_ledger *ledger = engine->ledger;
  return ledger->type->put(ledger, p->name, object->key, object->version, object->modified_us,
                           &fresh, err);
}

wh_status wh_engine_scan(wh_engine *engine, const wh_pipeline *p, uint64_t *ret_new,
                         int64_t *ret_settle_us, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena, scratch;
  wh_arena_init(&arena, engine->mem);
  wh_arena_init(&scratch, engine->mem);
  scan s = {.engine = engine,
            .pipeline = p,
            .arena = &arena,
            .scratch = &scratch,
            .now_us = wh_now_us(engine->os),
            .settle_at_us = INT64_MAX};
  wh_status status = list_store(&s, err);
  wh_markers_free(&s.markers);
  WH_TRY(status);
  *ret_new = s.fresh;
  *ret_settle_us = s.settle_at_us;
  return WH_OK;
}
