#include "engine/follower.h"

#include "connect/ingest/intake.h"

#include <pthread.h>

struct wh_follower {
  wh_engine *engine;
  const wh_ingest_endpoint *endpoint;
  wh_connection *connection;
  const wh_feed_type *type;
  wh_ingest_log *log;
  wh_schema rows;        // of the feed
  pthread_mutex_t mutex; // over `feed`, for waking it
  wh_feed *feed;         // NULL: not open
  bool has_problem, was_again;
};

wh_status wh_follower_make(wh_engine *engine, const wh_ingest_endpoint *endpoint,
                           wh_connection *connection, wh_ingest_log *log, wh_follower **ret,
                           wh_error *err) {
  wh_follower *f = wh_mem_alloc_zero(engine->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  *f = (wh_follower){.engine = engine,
                     .endpoint = endpoint,
                     .connection = connection,
                     .type = connection->type->feed,
                     .log = log,
                     .rows = wh_ingest_declared(endpoint),
                     .has_problem = true}; // perhaps, of an earlier life
  pthread_mutex_init(&f->mutex, NULL);
  *ret = f;
  return WH_OK;
}

// --- The feed ------------------------------------------------------------------------------------

static void set_feed(wh_follower *f, wh_feed *feed) {
  pthread_mutex_lock(&f->mutex);
  wh_feed *before = f->feed;
  f->feed = feed;
  pthread_mutex_unlock(&f->mutex);
  f->type->close(before);
}

static wh_status open(wh_follower *f, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, f->engine->mem);
  wh_feed_position *positions = NULL;
  wh_feed *feed;
  size_t all, count = 0;
  WH_TRY(wh_ingest_log_positions(f->log, &arena, &positions, &all, err));
  for (size_t i = 0; i < all; i++)
    if (!wh_str_is(positions[i].name, WH_FOLLOWER_PROBLEM)) positions[count++] = positions[i];
  WH_TRY(f->type->open(f->connection, &f->rows, positions, count, &feed, err));
  set_feed(f, feed);
  return WH_OK;
}

// For `status`. What cannot be told is in the log of the program.
static void tell_problem(wh_follower *f, const char *text) {
  wh_error ignored = {0};
  wh_feed_position p = {WH_STR(WH_FOLLOWER_PROBLEM), wh_str_of(text)};
  f->has_problem = text[0] != 0;
  WH_IGNORE(wh_ingest_log_append_from(f->log, NULL, 0, &p, 1, &ignored));
}

// --- What comes ----------------------------------------------------------------------------------

// Events that are stored as one request: none of them removes what another is about.
typedef struct group {
  wh_intake intake;
  wh_buf keys; // uint64_t
  wh_ingest_entry entry;
} group;

typedef struct storing {
  const wh_follower *follower;
  const wh_feed_page *page;
  wh_buf groups; // group
} storing;

static wh_str lines_of(const wh_feed_page *page, size_t from, size_t to) {
  size_t at = from ? page->events[from - 1].end : 0;
  return wh_str_sub(page->lines, at, page->events[to - 1].end);
}

static void free_group(group *g) {
  wh_intake_free(&g->intake);
  wh_buf_free(&g->keys);
}

static wh_status read_group(const storing *s, group *g, size_t from, size_t to, wh_error *err) {
  const wh_follower *f = s->follower;
  size_t line_max = (size_t)f->engine->config->memory_bytes / WH_CONFIG_ROW_SHARE;
  for (size_t i = from; i < to; i++) {
    uint64_t key = wh_ingest_key(&s->page->events[i]);
    wh_buf_add(&g->keys, &key, sizeof key);
  }
  WH_TRY(wh_buf_check(&g->keys, err));
  return wh_intake_read(&g->intake, &f->rows, WH_INTAKE_LINES, lines_of(s->page, from, to),
                        line_max, err);
}

static wh_status add_group(storing *s, size_t from, size_t to, wh_error *err) {
  wh_mem *mem = s->follower->engine->mem;
  group g = {0};
  wh_intake_init(&g.intake, mem);
  wh_buf_init(&g.keys, mem, 0);
  wh_status status = read_group(s, &g, from, to, err);
  // What does not fit goes behind what does: alone, it stays at its place.
  bool divides = status == WH_OK && g.intake.rejected && to - from > 1;
  if (status == WH_OK && !divides && !wh_buf_add(&s->groups, &g, sizeof g))
    status = wh_fail_memory(err);
  if (status == WH_OK && !divides) return WH_OK;
  free_group(&g);
  for (size_t i = from; divides && status == WH_OK && i < to; i++)
    status = add_group(s, i, i + 1, err);
  return status;
}

static bool is_about(const wh_feed_page *page, size_t from, size_t to, uint64_t key) {
  for (size_t i = from; i < to; i++)
    if (page->events[i].key == key && !page->events[i].removes) return true;
  return false;
}

static wh_status add_groups(storing *s, wh_error *err) {
  const wh_feed_page *page = s->page;
  size_t from = 0;
  for (size_t i = 0; i < page->count; i++) {
    const wh_feed_event *e = &page->events[i];
    if (!e->removes || !is_about(page, from, i, e->key)) continue;
    WH_TRY(add_group(s, from, i, err));
    from = i;
  }
  return from < page->count ? add_group(s, from, page->count, err) : WH_OK;
}

static wh_status append(const storing *s, uint64_t *ret_bytes, wh_error *err) {
  group *groups = (group *)(void *)s->groups.data;
  size_t count = s->groups.len / sizeof *groups;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->follower->engine->mem);
  wh_ingest_entry **entries = WH_NEW_ARRAY(&arena, count, wh_ingest_entry *);
  if (!entries) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    group *g = &groups[i];
    g->entry = (wh_ingest_entry){.lines = wh_buf_str(&g->intake.lines),
                                 .events = g->intake.events,
                                 .rejected = g->intake.rejected,
                                 .keys = (const uint64_t *)(const void *)g->keys.data};
    entries[i] = &g->entry;
    *ret_bytes += g->entry.lines.len;
  }
  return wh_ingest_log_append_from(s->follower->log, entries, count, s->page->positions,
                                   s->page->position_count, err);
}

static wh_status store(const wh_follower *f, const wh_feed_page *page, uint64_t *ret_bytes,
                       wh_error *err) {
  storing s = {.follower = f, .page = page};
  wh_buf_init(&s.groups, f->engine->mem, 0);
  wh_status status = add_groups(&s, err);
  if (status == WH_OK) status = append(&s, ret_bytes, err);
  group *groups = (group *)(void *)s.groups.data;
  for (size_t i = 0; i < s.groups.len / sizeof *groups; i++)
    free_group(&groups[i]);
  wh_buf_free(&s.groups);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(f->connection->name));
  return status;
}

wh_status wh_follower_take(wh_follower *f, int64_t wait_us, size_t *ret_count, uint64_t *ret_bytes,
                           wh_error *err) {
  wh_feed_page page = {0};
  wh_error why = {0};
  *ret_count = *ret_bytes = 0;
  wh_status status = f->feed ? WH_OK : open(f, &why);
  if (status == WH_OK) status = f->type->next(f->feed, wait_us, &page, &why);
  if (status == WH_OK && (page.count || page.position_count))
    status = store(f, &page, ret_bytes, &why);
  if (status == WH_OK) {
    *ret_count = page.count;
    if (f->has_problem) tell_problem(f, "");
    return WH_OK;
  }
  set_feed(f, NULL);
  if (status != WH_ERR_CANCELLED) tell_problem(f, why.text);
  if (err) *err = why;
  return status;
}

bool wh_follower_caught_up(const wh_follower *f) {
  return f->feed && f->type->caught_up(f->feed);
}

wh_status wh_follower_again(wh_follower *f, wh_error *err) {
  if (f->was_again) return WH_OK;
  WH_TRY(wh_ingest_log_forget(f->log, err));
  f->was_again = true;
  set_feed(f, NULL);
  return WH_OK;
}

void wh_follower_wake(wh_follower *f) {
  pthread_mutex_lock(&f->mutex);
  if (f->feed) f->type->wake(f->feed);
  pthread_mutex_unlock(&f->mutex);
}

void wh_follower_close(wh_follower *f) {
  if (!f) return;
  set_feed(f, NULL);
  pthread_mutex_destroy(&f->mutex);
  wh_mem_free(f->engine->mem, f, sizeof *f);
}
