// Letting go what is older than `retain` keeps. Objects go first and their manifests afterwards,
// when nothing is at the object's key any more: so what a crash leaves is found by its age, and a
// manifest that was just published in front of its object is left alone.
#include "base/ulid.h"
#include "engine/after.h"
#include "engine/input.h"
#include "engine/members.h"
#include "engine/reject_parts.h"
#include "engine/run.h"

typedef struct retaining {
  wh_engine *engine;
  bool dry;
  int64_t now_us;
  wh_lease lease; // of WH_RETAIN_LEASE
  wh_arena arena; // of one zone
  wh_arena item;  // of one object, reset for each
  wh_retained *zone;
  wh_connection *c;
  wh_run run; // the zone's record, begun before the first thing goes
} retaining;

static int64_t before(const retaining *r) {
  return r->now_us - r->zone->retain->keep_us;
}

// Says what went also when a crash comes before the zone's end.
static wh_status begin_record(retaining *r, wh_error *err) {
  if (r->run.id.len) return WH_OK;
  wh_ledger *ledger = r->engine->ledger;
  wh_str what = wh_arena_printf(&r->arena, "retain:%.*s", WH_STR_ARG(r->zone->retain->zone));
  if (!what.data) return wh_fail_memory(err);
  return ledger->type->run_start(ledger, &r->lease, what, &r->arena, &r->run, err);
}

static wh_status may_go(retaining *r, wh_error *err) {
  if (wh_engine_stopping(r->engine))
    return wh_fail(err, WH_ERR_CANCELLED, "stopped; the rest goes the next time");
  return r->dry ? WH_OK : begin_record(r, err);
}

// --- objects -------------------------------------------------------------------------------------

static wh_status stays(retaining *r, const char *why) {
  if (r->zone->staying++ == 0) r->zone->why = why;
  return WH_OK;
}

// NULL in *ret_why: every pipeline that reads it is done with it.
static wh_status find_reader(retaining *r, const wh_object *object, const char **ret_why,
                             wh_error *err) {
  const wh_config *config = r->engine->config;
  wh_ledger *ledger = r->engine->ledger;
  wh_str connection = r->zone->retain->connection;
  *ret_why = NULL;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (!wh_str_eq(p->from.connection, connection)) continue;
    if (!wh_pipeline_takes(p, object->key)) continue;
    wh_outcome outcome = WH_OUTCOME_OPEN;
    wh_error inner = {0};
    wh_status status =
        ledger->type->outcome(ledger, p->name, object->key, object->version, &outcome, &inner);
    if (status != WH_OK && status != WH_ERR_NOT_FOUND) {
      if (err) *err = inner;
      return status;
    }
    if (status == WH_OK && outcome == WH_OUTCOME_DONE) continue;
    *ret_why = "not loaded"; // only the first is told
    if (r->zone->staying) return WH_OK;
    *ret_why = wh_arena_printf(&r->arena, "%.*s %s", WH_STR_ARG(p->name),
                               outcome == WH_OUTCOME_DEAD ? "has given it up: a dead letter"
                                                          : "has not loaded it")
                   .data;
    return *ret_why ? WH_OK : wh_fail_memory(err);
  }
  return WH_OK;
}

static bool is_below(wh_str prefix, wh_str key) {
  return prefix.len && key.len > prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0;
}

// Its files may be old and in its present version; `keep` says which versions go.
static bool is_of_dataset(const wh_config *config, wh_str connection, wh_str key) {
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (wh_str_eq(p->to.connection, connection) && is_below(p->write.dataset, key)) return true;
    if (wh_str_eq(p->from.connection, connection) && is_below(p->read.dataset, key)) return true;
    for (size_t k = 0; p->model && k < p->model->table_count; k++)
      if (wh_str_eq(p->model->tables[k].connection, connection) &&
          is_below(p->model->datasets[k], key))
        return true;
  }
  return false;
}

static wh_status let_go(void *context, const wh_object *object, wh_error *err) {
  retaining *r = context;
  wh_str connection = r->zone->retain->connection;
  const char *why;
  if (object->modified_us >= before(r)) return WH_OK;
  wh_arena_reset(&r->item);
  if (is_of_dataset(r->engine->config, connection, object->key))
    return stays(r, "it is a file of a dataset, whose `keep` says which versions go");
  if (wh_after_takes(r->engine->config, connection, object->key))
    return stays(r, "`after` puts it away");
  WH_TRY(find_reader(r, object, &why, err));
  if (why) return stays(r, why);
  wh_error busy = {0};
  wh_status status = wh_after_check_publisher(r->engine, connection, object->key, &r->item, &busy);
  if (status == WH_ERR_BUSY) return stays(r, "the run that published it is not finished");
  if (status != WH_OK && err) *err = busy;
  WH_TRY(status);
  WH_TRY(may_go(r, err));
  wh_str away = {0};
  if (!r->dry) {
    wh_error other = {0};
    status = r->c->type->store->withdraw(r->c, object->key, object->version, away, &other);
    if (status == WH_ERR_CHANGED) return WH_OK; // the newer one is young
    if (status != WH_OK && err) *err = other;
    WH_TRY(status);
  }
  r->zone->objects++;
  return WH_OK;
}

// --- what is beside them -------------------------------------------------------------------------

static wh_status drop_version(void *context, const wh_object *object, wh_error *err) {
  retaining *r = context;
  wh_str prefix = wh_str_of(r->c->type->store->kept_below);
  wh_str key = wh_str_sub(object->key, prefix.len, object->key.len);
  if (object->modified_us >= before(r)) return WH_OK;
  while (key.len && key.data[key.len - 1] != '/')
    key.len--;
  if (key.len < 2) return WH_OK;
  key.len--;
  WH_TRY(may_go(r, err));
  if (!wh_str_ends(object->key, "~deleted")) r->zone->versions++;
  uint64_t counted = 0;
  return r->dry ? WH_OK : r->c->type->store->purge(r->c, key, before(r), &counted, err);
}

static wh_status drop_manifest(void *context, const wh_object *object, wh_error *err) {
  retaining *r = context;
  static const wh_str prefix = WH_STR_INIT(WH_MANIFEST_PREFIX);
  wh_str key = wh_str_sub(object->key, prefix.len, object->key.len);
  if (object->modified_us >= before(r) || !wh_str_ends(key, ".json")) return WH_OK;
  key.len -= sizeof ".json" - 1;
  wh_arena_reset(&r->item);
  wh_object there;
  wh_error inner = {0};
  wh_status status = r->c->type->store->stat(r->c, key, &r->item, &there, &inner);
  if (status == WH_OK) return WH_OK;
  if (status != WH_ERR_NOT_FOUND) {
    if (err) *err = inner;
    return status;
  }
  WH_TRY(may_go(r, err));
  r->zone->manifests++;
  return r->dry ? WH_OK : r->c->type->store->remove(r->c, object->key, err);
}

static wh_status let_go_objects(retaining *r, wh_error *err) {
  const wh_retain *retain = r->zone->retain;
  WH_TRY(wh_config_connect(r->engine->config, retain->connection, &r->c, err));
  const wh_store_type *store = r->c->type->store;
  wh_str manifests =
      wh_arena_printf(&r->arena, WH_MANIFEST_PREFIX "%.*s", WH_STR_ARG(retain->prefix));
  if (!manifests.data) return wh_fail_memory(err);
  WH_TRY(store->list(r->c, retain->prefix, let_go, r, err));
  if (store->kept_below) {
    wh_str versions =
        wh_arena_printf(&r->arena, "%s%.*s", store->kept_below, WH_STR_ARG(retain->prefix));
    if (!versions.data) return wh_fail_memory(err);
    WH_TRY(store->list(r->c, versions, drop_version, r, err));
  }
  return store->list(r->c, manifests, drop_manifest, r, err);
}

// --- the quarantine ------------------------------------------------------------------------------

static wh_status count_line(void *context, wh_str line, wh_error *err) {
  (void)err;
  *(uint64_t *)context += !wh_str_starts(line, "{\"wherry\":");
  return WH_OK;
}

// First the ledger forgets the entry, then its files go: a folder without an entry is found by the
// time that its run's name has.
static wh_status let_go_folder(void *context, wh_str folder, wh_str run, wh_error *err) {
  retaining *r = context;
  int64_t ms;
  if (!wh_ulid_time_ms(run, &ms) || ms * 1000 >= before(r)) return WH_OK;
  WH_TRY(may_go(r, err));
  uint64_t rows = 0;
  WH_TRY(wh_reject_folder_lines(r->engine, folder, count_line, &rows, err));
  r->zone->rows += rows;
  if (r->dry) return WH_OK;
  wh_ledger *ledger = r->engine->ledger;
  WH_TRY(ledger->type->quarantine_drop(ledger, run, err));
  return wh_reject_folder_remove(r->engine, folder, err);
}

static wh_status let_go_dead(void *context, const wh_work *work, wh_error *err) {
  retaining *r = context;
  if (!work->dead || work->order >= before(r)) return WH_OK;
  WH_TRY(may_go(r, err));
  r->zone->dead++;
  wh_ledger *ledger = r->engine->ledger;
  return r->dry ? WH_OK : ledger->type->done(ledger, NULL, work->id, err);
}

// A replay that is under way keeps its rows: they go the next time.
static wh_status let_go_of(retaining *r, const wh_pipeline *p, wh_error *err) {
  wh_ledger *ledger = r->engine->ledger;
  wh_lease lease = {0};
  if (!r->dry) {
    wh_error busy = {0};
    wh_status status = ledger->type->acquire(ledger, p->name, &lease, &busy);
    if (status == WH_ERR_BUSY) return WH_OK;
    if (status != WH_OK && err) *err = busy;
    WH_TRY(status);
  }
  WH_CLEAN_ARENA wh_arena works;
  wh_arena_init(&works, r->engine->mem);
  wh_status status = wh_reject_folders(r->engine, p, let_go_folder, r, err);
  if (status == WH_OK) status = ledger->type->works(ledger, p->name, &works, let_go_dead, r, err);
  if (!r->dry) ledger->type->release(ledger, &lease);
  return status;
}

static wh_status let_go_quarantine(retaining *r, wh_error *err) {
  const wh_config *config = r->engine->config;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    wh_pipeline *members;
    size_t count = 0;
    if (p->many) WH_TRY(wh_members_known(r->engine, p, &r->arena, &members, &count, err));
    for (size_t k = 0; k < count; k++)
      WH_TRY(let_go_of(r, &members[k], err));
    if (!p->many) WH_TRY(let_go_of(r, p, err));
  }
  return WH_OK;
}

// --- zones ---------------------------------------------------------------------------------------

static wh_status end_record(retaining *r, const wh_error *why, wh_error *err) {
  wh_run *run = &r->run;
  wh_retained *z = r->zone;
  if (!run->id.len) return WH_OK;
  run->counts.read = z->objects + z->rows + z->dead;
  run->counts.written = run->counts.deleted = run->counts.read;
  run->partial = true;
  run->finished_us = wh_now_us(r->engine->os);
  run->reading = wh_arena_printf(&r->arena,
                                 "objects: %llu, earlier versions: %llu, manifests: %llu, rejected "
                                 "rows: %llu, dead letters: %llu",
                                 (unsigned long long)z->objects, (unsigned long long)z->versions,
                                 (unsigned long long)z->manifests, (unsigned long long)z->rows,
                                 (unsigned long long)z->dead);
  run->output = z->retain->zone;
  run->state = why ? WH_RUN_FAILED : WH_RUN_DONE;
  if (why) run->error = wh_str_of(why->text);
  if (!run->reading.data) return wh_fail_memory(err);
  wh_finish finish = {.run = run};
  z->run = run->id;
  return r->engine->ledger->type->run_finish(r->engine->ledger, &finish, err);
}

static wh_status retain_zone(retaining *r, const wh_retain *retain, wh_retained_visit visit,
                             void *context, wh_error *err) {
  wh_retained zone = {.retain = retain};
  wh_error why = {0}, ignored = {0};
  wh_arena_reset(&r->arena);
  r->zone = &zone;
  r->run = (wh_run){0};
  wh_status status = retain->connection.len ? let_go_objects(r, &why) : let_go_quarantine(r, &why);
  if (status == WH_OK)
    status = end_record(r, NULL, &why);
  else
    WH_IGNORE(end_record(r, &why, &ignored));
  if (status == WH_OK) return visit ? visit(context, &zone, err) : WH_OK;
  if (err) *err = why;
  return status;
}

// What a crash left: how much went then is not known any more.
static wh_status end_interrupted(void *context, const wh_run *run, wh_error *err) {
  retaining *r = context;
  wh_run ended = *run;
  ended.state = WH_RUN_FAILED;
  ended.finished_us = r->now_us;
  ended.epoch = r->lease.epoch;
  ended.error = WH_STR("interrupted; what was left went with a later run");
  wh_finish finish = {.run = &ended};
  return r->engine->ledger->type->run_finish(r->engine->ledger, &finish, err);
}

static wh_status retain_all(retaining *r, wh_retained_visit visit, void *context, wh_error *err) {
  const wh_config *config = r->engine->config;
  wh_ledger *ledger = r->engine->ledger;
  if (!r->dry)
    WH_TRY(ledger->type->runs(ledger, WH_STR(WH_RETAIN_LEASE), WH_RUN_RUNNING, 0, &r->arena,
                              end_interrupted, r, err));
  for (size_t i = 0; i < config->retain_count; i++)
    WH_TRY(retain_zone(r, &config->retains[i], visit, context, err));
  return WH_OK;
}

wh_status wh_engine_retain(wh_engine *engine, bool dry, wh_retained_visit visit, void *context,
                           wh_error *err) {
  retaining r = {.engine = engine, .dry = dry, .now_us = wh_now_us(engine->os)};
  wh_ledger *ledger = engine->ledger;
  if (engine->config->retain_count == 0) return WH_OK;
  if (!dry) WH_TRY(ledger->type->acquire(ledger, WH_STR(WH_RETAIN_LEASE), &r.lease, err));
  wh_arena_init(&r.arena, engine->mem);
  wh_arena_init(&r.item, engine->mem);
  wh_status status = retain_all(&r, visit, context, err);
  wh_arena_free(&r.item);
  wh_arena_free(&r.arena);
  if (!dry) ledger->type->release(ledger, &r.lease);
  return status;
}

bool wh_engine_retain_took(const wh_engine *engine, wh_str connection, wh_str key,
                           int64_t time_us) {
  int64_t now_us = wh_now_us(engine->os);
  for (size_t i = 0; i < engine->config->retain_count; i++) {
    const wh_retain *r = &engine->config->retains[i];
    if (wh_retain_has(r, connection, key) && time_us < now_us - r->keep_us) return true;
  }
  return false;
}
