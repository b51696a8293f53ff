#include "engine/after.h"

#include "engine/input.h"
#include "engine/markers.h"
#include "engine/raw.h"

static bool reads(const wh_pipeline *p, wh_str connection, wh_str key) {
  return wh_str_eq(p->from.connection, connection) && wh_pipeline_takes(p, key);
}

static const wh_pipeline *find(const wh_config *config, wh_str connection, wh_str key) {
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (p->after.kind != WH_AFTER_LEAVE && reads(p, connection, key)) return p;
  }
  return NULL;
}

const wh_pipeline *wh_after_pipeline(const wh_config *config, const wh_run *run) {
  wh_str connection, key, version;
  bool is_object = wh_input_split(run->object, &connection, &key, &version);
  return is_object ? find(config, connection, key) : NULL;
}

bool wh_after_takes(const wh_config *config, wh_str connection, wh_str key) {
  return find(config, connection, key) != NULL;
}

static wh_status is_done(wh_engine *engine, const wh_pipeline *p, wh_str key, wh_str version,
                         bool *ret, wh_error *err) {
  wh_outcome outcome;
  wh_error inner = {0};
  wh_status status =
      engine->ledger->type->outcome(engine->ledger, p->name, key, version, &outcome, &inner);
  *ret = status == WH_OK && outcome == WH_OUTCOME_DONE;
  if (status == WH_OK || status == WH_ERR_NOT_FOUND) return WH_OK;
  if (err) *err = inner;
  return status;
}

// Whoever is not done yet will ask again.
static wh_status all_are_done(wh_engine *engine, wh_str connection, wh_str key, wh_str version,
                              bool *ret, wh_error *err) {
  *ret = true;
  for (size_t i = 0; *ret && i < engine->config->pipeline_count; i++) {
    const wh_pipeline *p = &engine->config->pipelines[i];
    if (reads(p, connection, key)) WH_TRY(is_done(engine, p, key, version, ret, err));
  }
  return WH_OK;
}

typedef struct publisher {
  wh_str key;
  bool found;
} publisher;

// Another connection may have a part of the key as its prefix.
static wh_status is_publisher(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  publisher *p = context;
  wh_str a = p->key, b = run->sealed.key;
  size_t len = a.len < b.len ? a.len : b.len;
  p->found |=
      len && wh_str_eq(wh_str_sub(a, a.len - len, a.len), wh_str_sub(b, b.len - len, b.len));
  return WH_OK;
}

wh_status wh_after_check_publisher(wh_engine *engine, wh_str connection, wh_str key,
                                   wh_arena *arena, wh_error *err) {
  publisher p = {.key = key};
  WH_TRY(engine->ledger->type->runs(engine->ledger, (wh_str){0}, WH_RUN_SEALED, 0, arena,
                                    is_publisher, &p, err));
  if (!p.found) return WH_OK;
  return wh_fail(err, WH_ERR_BUSY, "%.*s:%.*s stays until the run that published it is finished",
                 WH_STR_ARG(connection), WH_STR_ARG(key));
}

static wh_status is_there(wh_connection *c, wh_str key, wh_arena *arena, bool *ret, wh_error *err) {
  wh_object there;
  wh_error inner = {0};
  wh_status status = c->type->store->stat(c, key, arena, &there, &inner);
  *ret = status == WH_OK;
  if (status == WH_OK || status == WH_ERR_NOT_FOUND) return WH_OK;
  if (err) *err = inner;
  return status;
}

static wh_status withdraw(wh_connection *c, const wh_pipeline *p, const wh_run *run, wh_str key,
                          wh_str version, wh_arena *arena, wh_error *err) {
  wh_str to = {0};
  if (p->after.kind == WH_AFTER_DELETE) return c->type->store->withdraw(c, key, version, to, err);
  wh_error taken = {0};
  WH_TRY(wh_raw_key(p->after.to, p, run, key, false, arena, &to, err));
  wh_status status = c->type->store->withdraw(c, key, version, to, &taken);
  if (status != WH_ERR_EXISTS) {
    if (err) *err = taken;
    return status;
  }
  WH_TRY(wh_raw_key(p->after.to, p, run, key, true, arena, &to, err));
  status = c->type->store->withdraw(c, key, version, to, &taken);
  // Nobody else makes that name: if it is there, it is since a call that was cut off before it
  // removed it here. Else something stands in its way, such as a file where a folder has to be.
  bool is_moved = false;
  if (status == WH_ERR_EXISTS) WH_TRY(is_there(c, to, arena, &is_moved, err));
  if (is_moved) return c->type->store->withdraw(c, key, version, (wh_str){0}, err);
  if (status != WH_OK && err) *err = taken;
  return status;
}

wh_status wh_after_run(wh_engine *engine, const wh_run *run, wh_arena *arena, wh_error *err) {
  wh_str connection, key, version;
  if (!wh_input_split(run->object, &connection, &key, &version)) return WH_OK;
  const wh_pipeline *p = find(engine->config, connection, key);
  if (!p) return WH_OK;
  bool all, is_rows;
  WH_TRY(all_are_done(engine, connection, key, version, &all, err));
  if (!all) return WH_OK;
  WH_TRY(wh_after_check_publisher(engine, connection, key, arena, err));
  wh_connection *c;
  WH_TRY(wh_input_connect(engine, &p->from, &c, &is_rows, err));
  // Were the marker left for last, a crash could leave it for an object that is not whole.
  if (wh_complete_has_marker(&p->complete))
    WH_TRY(wh_marker_withdraw(c, p, key, version, arena, err));
  wh_status status = withdraw(c, p, run, key, version, arena, err);
  return status == WH_ERR_CHANGED ? WH_OK : status; // the newer version is another piece of work
}
