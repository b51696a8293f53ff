#include "engine/kept.h"

void wh_kept_init(wh_kept *k, wh_mem *mem) {
  *k = (wh_kept){0};
  wh_arena_init(&k->arena, mem);
}

static void close_sink(wh_kept *k) {
  if (k->sink) k->type->close(k->sink);
  k->sink = NULL;
}

void wh_kept_drop(wh_kept *k) {
  close_sink(k);
  k->schema = k->table = (wh_schema){0};
  k->has_table = false;
  wh_arena_reset(&k->arena);
}

wh_sink *wh_kept_take(wh_kept *k, const wh_schema *schema) {
  if (!k || !k->sink || !wh_schema_eq(&k->schema, schema)) return NULL;
  wh_sink *sink = k->sink;
  k->sink = NULL;
  return sink;
}

// The schema stays where it is the same, so that the arena does not grow with each object.
static bool remember(wh_kept *k, const wh_schema *schema) {
  if (k->schema.fields && wh_schema_eq(&k->schema, schema)) return true;
  wh_kept_drop(k);
  return wh_schema_copy(schema, &k->arena, &k->schema, NULL) == WH_OK;
}

void wh_kept_give(wh_kept *k, const wh_sink_type *type, wh_sink *sink, const wh_schema *schema) {
  if (!k || !remember(k, schema)) {
    type->close(sink);
    return;
  }
  close_sink(k);
  k->type = type;
  k->sink = sink;
}

wh_status wh_kept_learn(wh_kept *k, const wh_source_info *table, wh_error *err) {
  for (size_t i = 0; table->guessed && i < table->schema.count; i++)
    if (table->guessed[i]) return WH_OK;
  WH_TRY(wh_schema_copy(&table->schema, &k->arena, &k->table, err));
  k->has_table = true;
  return WH_OK;
}
