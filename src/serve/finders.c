#include "serve/finders.h"

#include "connect/connect.h"

void wh_finders_init(wh_finders *f, wh_os *os, wh_mem *mem, wh_config *config,
                     const wh_lookup *lookup, const wh_str *columns, size_t count) {
  *f = (wh_finders){.os = os,
                    .mem = mem,
                    .config = config,
                    .from = lookup->from,
                    .by = lookup->by,
                    .columns = columns,
                    .column_count = count};
  pthread_mutex_init(&f->mutex, NULL);
  pthread_cond_init(&f->given, NULL);
}

static void close_slot(wh_finder_slot *slot) {
  wh_batch_free(&slot->batch);
  slot->batch = (wh_batch){0};
  if (slot->finder) slot->finder->close(slot->finder);
  slot->finder = NULL;
}

void wh_finders_free(wh_finders *f) {
  if (!f || !f->os) return;
  for (size_t i = 0; i < WH_FINDERS_MAX; i++)
    close_slot(&f->slots[i]);
  pthread_cond_destroy(&f->given);
  pthread_mutex_destroy(&f->mutex);
  f->os = NULL;
}

static wh_finder_slot *take(wh_finders *f) {
  wh_finder_slot *best = NULL;
  pthread_mutex_lock(&f->mutex);
  while (!best) {
    // An open one if there is, so that a quiet page holds one database open, not two.
    for (size_t i = 0; i < WH_FINDERS_MAX; i++) {
      wh_finder_slot *slot = &f->slots[i];
      if (!slot->is_taken && (!best || (slot->finder && !best->finder))) best = slot;
    }
    if (!best) pthread_cond_wait(&f->given, &f->mutex);
  }
  best->is_taken = true;
  pthread_mutex_unlock(&f->mutex);
  return best;
}

void wh_finders_give(wh_finders *f, wh_finder_slot *slot) {
  if (slot->finder) wh_batch_reset(&slot->batch); // what was found is not kept
  pthread_mutex_lock(&f->mutex);
  slot->is_taken = false;
  pthread_cond_signal(&f->given);
  pthread_mutex_unlock(&f->mutex);
}

static bool is_old(const wh_finders *f, const wh_finder_slot *slot) {
  int64_t age_ns = f->os->type->monotonic_ns(f->os) - slot->opened_ns;
  return age_ns > WH_FINDER_AGE_SECONDS * 1000000000LL;
}

void wh_finders_expire(wh_finders *f) {
  pthread_mutex_lock(&f->mutex);
  for (size_t i = 0; i < WH_FINDERS_MAX; i++) {
    wh_finder_slot *slot = &f->slots[i];
    if (!slot->is_taken && slot->finder && is_old(f, slot)) close_slot(slot);
  }
  pthread_mutex_unlock(&f->mutex);
}

static wh_status open_slot(wh_finders *f, wh_finder_slot *slot, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(f->config, f->from.connection, &c, err));
  // Whoever asks waits on one of few threads: a locked database is told at once, not waited for.
  slot->connection = *c;
  slot->connection.wait_limit_us = WH_FINDER_WAIT_US;
  c = &slot->connection;
  wh_finder *finder;
  WH_TRY(c->type->source->open_finder(c, f->from.thing, &f->by, 1, f->columns, f->column_count,
                                      &finder, err));
  wh_status status = wh_batch_init(&slot->batch, f->mem, finder->schema, err);
  if (status != WH_OK) {
    finder->close(finder);
    return status;
  }
  slot->finder = finder;
  slot->opened_ns = f->os->type->monotonic_ns(f->os);
  return WH_OK;
}

static wh_status find(wh_finders *f, wh_finder_slot *slot, wh_str key, size_t rows_max,
                      wh_error *err) {
  if (!slot->finder) WH_TRY(open_slot(f, slot, err));
  wh_value value = {.type = wh_type_of(WH_STRING), .as.s = key};
  wh_batch_reset(&slot->batch);
  slot->finder->rows_max = rows_max;
  return slot->finder->find(slot->finder, &value, &slot->batch, err);
}

wh_status wh_finders_find(wh_finders *f, wh_str key, size_t rows_max, wh_finder_slot **ret,
                          wh_error *err) {
  wh_finder_slot *slot = take(f);
  if (slot->finder && is_old(f, slot)) close_slot(slot);
  bool was_open = slot->finder != NULL;
  wh_status status = find(f, slot, key, rows_max, err);
  // A table that was made anew may have other types; a lock will not go away by opening again.
  if (status != WH_OK && was_open && status != WH_ERR_BUSY) {
    close_slot(slot);
    status = find(f, slot, key, rows_max, err);
  }
  if (status != WH_OK) {
    close_slot(slot);
    wh_finders_give(f, slot);
    return status;
  }
  *ret = slot;
  return WH_OK;
}
