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
  memset(k->tables, 0, sizeof k->tables);
  wh_arena_reset(&k->arena);
}

bool wh_kept_fits(const wh_kept *k, size_t table, const wh_schema *in) {
  return k && k->sink && wh_schema_eq(&k->tables[table].in, in);
}

wh_sink *wh_kept_take(wh_kept *k) {
  wh_sink *sink = k->sink;
  k->sink = NULL;
  return sink;
}

// The schemas stay where they are the same, so that the arena does not grow with each object.
static bool remember(wh_kept *k, const wh_schema *const *ins, size_t count) {
  bool same = true;
  for (size_t i = 0; i < count; i++)
    same = same && k->tables[i].in.fields && wh_schema_eq(&k->tables[i].in, ins[i]);
  if (same) return true;
  // What was learnt of the tables cannot be looked up again within a transaction.
  if (!k->is_shared) wh_kept_drop(k);
  for (size_t i = 0; i < count; i++)
    if (wh_schema_copy(ins[i], &k->arena, &k->tables[i].in, NULL) != WH_OK) return false;
  return true;
}

void wh_kept_give(wh_kept *k, const wh_sink_type *type, wh_sink *sink, const wh_schema *const *ins,
                  size_t count) {
  if (!k || !remember(k, ins, count)) {
    type->close(sink);
    return;
  }
  close_sink(k);
  k->type = type;
  k->sink = sink;
}

wh_status wh_kept_learn(wh_kept *k, size_t table, const wh_source_info *info, wh_error *err) {
  wh_kept_table *t = &k->tables[table];
  bool guessed = false;
  for (size_t i = 0; info->guessed && i < info->schema.count; i++)
    guessed = guessed || info->guessed[i];
  if (guessed && !k->is_shared) return WH_OK;
  WH_TRY(wh_schema_copy(&info->schema, &k->arena, &t->table, err));
  t->has_table = true;
  t->is_guessed = guessed;
  return WH_OK;
}

void wh_kept_forget_guesses(wh_kept *k) {
  for (size_t i = 0; i < WH_BRANCHES_MAX; i++)
    if (k->tables[i].is_guessed) k->tables[i].has_table = k->tables[i].is_guessed = false;
}
