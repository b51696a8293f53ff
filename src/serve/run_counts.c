#include "serve/run_counts.h"

void wh_run_counts_init(wh_run_counts *c, wh_mem *mem) {
  *c = (wh_run_counts){0};
  pthread_mutex_init(&c->mutex, NULL);
  wh_arena_init(&c->arena, mem);
}

void wh_run_counts_free(wh_run_counts *c) {
  pthread_mutex_destroy(&c->mutex);
  wh_arena_free(&c->arena);
}

static wh_run_count *find(wh_run_counts *c, wh_str pipeline) {
  for (size_t i = 0; i < c->count; i++)
    if (wh_str_eq(c->items[i].pipeline, pipeline)) return &c->items[i];
  return NULL;
}

static wh_run_count *make(wh_run_counts *c, wh_str pipeline) {
  enum { FIRST = 16 };
  if (c->count == c->cap) {
    size_t cap = c->cap ? 2 * c->cap : FIRST;
    wh_run_count *items = WH_NEW_ARRAY(&c->arena, cap, wh_run_count);
    if (!items) return NULL;
    if (c->count) memcpy(items, c->items, c->count * sizeof *items);
    c->items = items;
    c->cap = cap;
  }
  wh_str name = wh_arena_str(&c->arena, pipeline);
  if (!name.data) return NULL;
  c->items[c->count] = (wh_run_count){.pipeline = name};
  return &c->items[c->count++];
}

static void add_rows(wh_counts *to, const wh_counts *more) {
  to->read += more->read;
  to->written += more->written;
  to->unchanged += more->unchanged;
  to->superseded += more->superseded;
  to->filtered += more->filtered;
  to->quarantined += more->quarantined;
  to->deleted += more->deleted;
}

void wh_run_counts_add(wh_run_counts *c, const wh_run *run) {
  pthread_mutex_lock(&c->mutex);
  wh_run_count *count = find(c, run->pipeline);
  if (!count) count = make(c, run->pipeline);
  if (count) {
    count->done += run->state == WH_RUN_DONE;
    count->failed += run->state == WH_RUN_FAILED;
    count->stopped += run->state == WH_RUN_STOPPED;
    count->seconds += (double)(run->finished_us - run->started_us) / 1e6;
    count->bytes_read += run->bytes_read;
    count->bytes_written += run->bytes_written;
    add_rows(&count->rows, &run->counts);
  }
  pthread_mutex_unlock(&c->mutex);
}

wh_run_count wh_run_counts_of(wh_run_counts *c, wh_str pipeline) {
  pthread_mutex_lock(&c->mutex);
  const wh_run_count *count = find(c, pipeline);
  wh_run_count copy = count ? *count : (wh_run_count){.pipeline = pipeline};
  pthread_mutex_unlock(&c->mutex);
  return copy;
}
