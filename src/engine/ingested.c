// How far the pipelines that read an endpoint of serve.ingest are.
#include "engine/engine.h"

static bool reads(const wh_pipeline *p, wh_str endpoint) {
  return wh_str_is(p->from.connection, WH_INGEST_CONNECTION) && wh_str_eq(p->from.thing, endpoint);
}

static bool goes_to_queue(const wh_config *config, wh_str endpoint) {
  for (size_t i = 0; i < config->serve.ingest_count; i++)
    if (wh_str_eq(config->serve.ingests[i].endpoint->name, endpoint))
      return config->serve.ingests[i].to.len > 0;
  return false;
}

wh_status wh_engine_ingested(wh_engine *engine, wh_str endpoint, int64_t *ret_next, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  int64_t least = INT64_MAX;
  const wh_config *config = engine->config;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (!reads(p, endpoint)) continue;
    wh_cursor cursor;
    WH_TRY(engine->ledger->type->cursor(engine->ledger, p->name, &arena, &cursor, err));
    int64_t next = cursor.found ? cursor.last.as.i : 0;
    if (next < least) least = next;
  }
  bool waits = least == INT64_MAX && !goes_to_queue(config, endpoint); // for one that will read it
  *ret_next = waits ? 0 : least;
  return WH_OK;
}
