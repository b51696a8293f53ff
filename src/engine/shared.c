#include "engine/shared.h"

#include "base/log.h"
#include "base/thread.h"
#include "engine/checksum.h"
#include "engine/lanes.h"
#include "engine/run.h"
#include "engine/shared_part.h"

enum {
  POLL_US = 50 * 1000,        // how often the owner looks whether a range is done
  GIVEN_BACK_US = 500 * 1000, // and whether one is free again
};

// --- who can do it -----------------------------------------------------------------------------

static wh_status add_text(wh_sha256 *sha, wh_str text, wh_error *err) {
  uint64_t len = text.len;
  WH_TRY(wh_sha256_add(sha, &len, sizeof len, err));
  return len ? wh_sha256_add(sha, text.data, text.len, err) : WH_OK;
}

static wh_status add_node(wh_sha256 *sha, const wh_node *node, wh_error *err) {
  uint64_t head[] = {node ? (uint64_t)node->kind + 1 : 0, node ? node->count : 0};
  WH_TRY(wh_sha256_add(sha, head, sizeof head, err));
  if (!node) return WH_OK;
  if (node->kind == WH_NODE_SCALAR) return add_text(sha, node->text, err);
  for (size_t i = 0; i < node->count; i++) {
    bool map = node->kind == WH_NODE_MAP;
    if (map) WH_TRY(add_node(sha, node->entries[i].key, err));
    WH_TRY(add_node(sha, map ? node->entries[i].value : node->items[i], err));
  }
  return WH_OK;
}

static wh_status add_mask(wh_sha256 *sha, const wh_mask *mask, wh_error *err) {
  if (!mask) return add_text(sha, WH_STR(""), err);
  uint64_t words[] = {mask->kind, mask->normalize, mask->keep_first, mask->keep_last};
  uint8_t key[WH_SHA256_BYTES]; // as much as a masked value tells of it
  wh_hmac_of(mask->key, WH_STR("shared"), key);
  WH_TRY(add_text(sha, mask->name, err));
  WH_TRY(wh_sha256_add(sha, words, sizeof words, err));
  WH_TRY(wh_sha256_add(sha, key, sizeof key, err));
  return add_text(sha, mask->fill, err);
}

static wh_status add_all(wh_sha256 *sha, wh_engine *e, const wh_pipeline *p, wh_arena *arena,
                         wh_error *err) {
  wh_gate gate;
  WH_TRY(wh_config_gate(e->config, p, arena, &gate, err));
  WH_TRY(add_text(sha, WH_STR(WHERRY_VERSION), err));
  WH_TRY(add_node(sha, p->node, err));
  WH_TRY(add_node(sha, wh_config_find_connection(e->config, p->from.connection)->node, err));
  WH_TRY(add_node(sha, wh_config_find_connection(e->config, p->to.connection)->node, err));
  for (size_t i = 0; i < gate.count; i++)
    WH_TRY(add_mask(sha, gate.columns[i].mask, err));
  return WH_OK;
}

// A digest of all that decides what a row becomes.
static wh_status find_able(wh_engine *e, const wh_pipeline *p, wh_arena *arena, wh_str *ret,
                           wh_error *err) {
  wh_sha256 sha;
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(wh_sha256_init(&sha, err));
  wh_status status = add_all(&sha, e, p, arena, err);
  if (status == WH_OK) status = wh_sha256_finish_hex(&sha, hex, err);
  wh_sha256_free(&sha);
  WH_TRY(status);
  *ret = wh_arena_str(arena, wh_str_of(hex));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

// --- doing a range -----------------------------------------------------------------------------

// Those of a worker that take ranges, each in a thread of its own.
typedef struct crew {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_str able;
  bool waits;        // for ranges that others give back
  atomic_bool ended; // they are to leave what they have in hand
  pthread_t threads[WH_LANES_MAX];
  size_t count;
  pthread_mutex_t mutex; // of what follows
  wh_status status;      // why the first of them failed
  wh_error error;
} crew;

static wh_status do_piece(crew *c, const wh_piece *piece, wh_arena *arena, wh_error *err) {
  wh_engine *e = c->engine;
  const wh_pipeline *p = c->pipeline;
  wh_range_task task;
  wh_range_result result;
  WH_TRY(wh_range_task_parse(piece->task, arena, &task, err));
  WH_TRY(wh_part_make(e, p, piece, &task, &c->ended, arena, &result, err));
  WH_CLEAN_BUF wh_buf text = {.mem = e->mem};
  if (!wh_range_result_write(&result, &text)) return wh_fail_memory(err);
  wh_status status = e->ledger->type->piece_report(e->ledger, piece, wh_buf_str(&text), err);
  wh_error ignored = {0};
  if (status == WH_ERR_STALE) WH_IGNORE(wh_part_remove(e, p, piece, &ignored));
  return status;
}

// Takes the next range and does it. WH_ERR_END: there is none. What fails is given back.
static wh_status do_next(crew *c, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->engine->mem);
  wh_ledger *ledger = c->engine->ledger;
  int64_t held_us;
  wh_piece piece;
  if (wh_engine_stopping(c->engine) || atomic_load(&c->ended)) return WH_ERR_CANCELLED;
  WH_TRY(wh_part_held_us(c->engine, &held_us, err));
  WH_TRY(
      ledger->type->piece_take(ledger, c->pipeline->name, c->able, held_us, &arena, &piece, err));
  wh_status status = do_piece(c, &piece, &arena, err);
  wh_error ignored = {0};
  if (status != WH_OK && status != WH_ERR_STALE)
    WH_IGNORE(ledger->type->piece_renew(ledger, &piece, 0, &ignored));
  return status;
}

static void wait_for_more(crew *c) {
  wh_os *os = c->engine->os;
  for (int64_t waited = 0; waited < GIVEN_BACK_US && !atomic_load(&c->ended); waited += POLL_US)
    os->type->sleep_ns(os, POLL_US * 1000ll);
}

static void *work(void *context) {
  crew *c = context;
  for (;;) {
    wh_error err = {0};
    wh_status status = do_next(c, &err);
    if (status == WH_OK || status == WH_ERR_STALE) continue; // somebody else has it
    if (status == WH_ERR_END && c->waits) {
      wait_for_more(c);
      continue;
    }
    if (status == WH_ERR_END || status == WH_ERR_CANCELLED) return NULL;
    pthread_mutex_lock(&c->mutex);
    if (c->status == WH_OK) {
      c->status = status;
      c->error = err;
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
  }
}

static wh_status crew_status(crew *c, wh_error *err) {
  pthread_mutex_lock(&c->mutex);
  wh_status status = c->status;
  if (status != WH_OK && err) *err = c->error;
  pthread_mutex_unlock(&c->mutex);
  return status;
}

static void crew_join(crew *c) {
  for (size_t i = 0; i < c->count; i++)
    pthread_join(c->threads[i], NULL);
  c->count = 0;
}

static wh_status crew_start(crew *c, wh_error *err) {
  size_t count = wh_parts_at_once(c->engine, c->pipeline);
  for (; c->count < count; c->count++)
    WH_TRY(wh_thread_start(&c->threads[c->count], work, c, err));
  return WH_OK;
}

wh_status wh_shared_help(wh_engine *e, const wh_pipeline *p, wh_error *err) {
  if (!p->read.shared || e->scratch_ledger) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, e->mem);
  crew c = {.engine = e, .pipeline = p, .mutex = PTHREAD_MUTEX_INITIALIZER};
  WH_TRY(find_able(e, p, &arena, &c.able, err));
  wh_status status = crew_start(&c, err);
  if (status != WH_OK) atomic_store(&c.ended, true);
  crew_join(&c);
  return status == WH_OK ? crew_status(&c, err) : status;
}

typedef enum step { AWAIT, REJECTS, ROWS, BEHIND } step; // of the range in hand: what comes next

struct wh_shared {
  wh_reader base; // gives no rows
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_mem *mem;
  wh_run_input *in;
  wh_snapshot *snapshot; // NULL: each range has its own
  wh_value bounds[WH_RANGES_MAX];
  size_t count; // of ranges
  wh_arena arena;
  wh_str run;
  crew crew;
  wh_shared_watch watch;
  wh_str workers[WH_RANGES_MAX];
  size_t worker_count;
  // the range in hand
  size_t number;
  step step;
  wh_arena own; // of it
  wh_piece piece;
  wh_range_result result;
  wh_connection *to;
  wh_sha256_input file;
  bool has_file;
  uint64_t rejects; // of it, given out
  uint64_t base_row;
  wh_flow_item item;
  wh_reject_lines lines;
};

// --- opening -----------------------------------------------------------------------------------

static wh_status no_rows(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  (void)reader, (void)batch, (void)rejects;
  return wh_fail(err, WH_ERR_BUG, "the rows of a shared extract are read by ranges");
}

static void close_file(wh_shared *s) {
  if (s->has_file) wh_input_close(&s->file.base);
  s->has_file = false;
}

static void shared_close(wh_reader *base) {
  wh_shared *s = (wh_shared *)base;
  atomic_store(&s->crew.ended, true);
  crew_join(&s->crew);
  close_file(s);
  if (s->snapshot) s->snapshot->close(s->snapshot);
  wh_reject_lines_free(&s->lines);
  wh_arena_free(&s->own);
  wh_arena_free(&s->arena);
  wh_mem_free(s->mem, s, sizeof *s);
}

static wh_status cut(wh_shared *s, wh_error *err) {
  wh_run_input *in = s->in;
  const wh_field *key;
  WH_TRY(wh_input_ranges_key(in, &key, err));
  in->ranges_key = key->name;
  const wh_source_type *source = in->connection->type->source;
  if (source->share) WH_TRY(source->share(in->connection, &s->snapshot, err));
  wh_source_query query = in->query;
  if (s->snapshot) query.snapshot = s->snapshot->id;
  size_t bounds;
  WH_TRY(wh_range_cut(in->connection, &query, key, (size_t)in->pipeline->read.ranges, &s->arena,
                      s->bounds, &bounds, err));
  s->count = bounds + 1;
  in->ranges = (wh_ranges){.count = s->count, .one_snapshot = s->count == 1 || source->share};
  return WH_OK;
}

wh_status wh_shared_open(wh_run_input *in, wh_error *err) {
  wh_mem *mem = in->engine->mem;
  wh_shared *s = wh_mem_alloc_zero(mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->base = (wh_reader){.schema = &in->fetched, .next = no_rows, .close = shared_close};
  s->engine = in->engine;
  s->pipeline = in->pipeline;
  s->mem = mem;
  s->in = in;
  wh_arena_init(&s->arena, mem);
  wh_arena_init(&s->own, mem);
  wh_reject_lines_init(&s->lines, mem, 0);
  wh_status status = cut(s, err);
  if (status != WH_OK) {
    shared_close(&s->base);
    return status;
  }
  in->shared = s;
  in->reader = &s->base;
  return WH_OK;
}

static wh_status write_task(const wh_shared *s, size_t i, wh_str codec, int64_t start_us,
                            wh_str *ret, wh_arena *arena, wh_error *err) {
  bool has_low = i > 0, has_high = i + 1 < s->count;
  wh_range_task task = {.table = s->in->query.table,
                        .key = s->in->ranges_key,
                        .has_low = has_low,
                        .has_high = has_high,
                        .schema = s->in->fetched,
                        .cursor = WH_STR(""),
                        .snapshot = s->snapshot ? s->snapshot->id : WH_STR(""),
                        .codec = codec,
                        .count = s->count,
                        .start_us = start_us};
  if (s->in->has_cursor) {
    const wh_window *w = &s->in->window;
    task.cursor = w->cursor;
    task.step = w->step;
    task.overlap = w->overlap;
    task.clock = w->clock;
    task.clock_us = w->clock_us;
    task.has_to = s->in->query.has_to;
    task.to = s->in->query.to;
  }
  if (has_low) task.low = s->bounds[i - 1];
  if (has_high) task.high = s->bounds[i];
  WH_CLEAN_BUF wh_buf text = {.mem = s->mem};
  if (!wh_range_task_write(&task, &text)) return wh_fail_memory(err);
  *ret = wh_arena_str(arena, wh_buf_str(&text));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_shared_begin(wh_shared *s, const wh_run *run, wh_str codec,
                          const wh_shared_watch *watch, wh_error *err) {
  wh_ledger *ledger = s->engine->ledger;
  bool is_rows;
  s->watch = *watch;
  s->run = run->id;
  WH_TRY(wh_input_connect(s->engine, &s->pipeline->to, &s->to, &is_rows, err));
  s->crew = (crew){.engine = s->engine,
                   .pipeline = s->pipeline,
                   .waits = true,
                   .mutex = PTHREAD_MUTEX_INITIALIZER};
  WH_TRY(find_able(s->engine, s->pipeline, &s->arena, &s->crew.able, err));
  WH_TRY(wh_parts_sweep(s->engine, s->pipeline, WH_STR(""), err));
  wh_str tasks[WH_RANGES_MAX];
  for (size_t i = 0; i < s->count; i++)
    WH_TRY(write_task(s, i, codec, run->started_us, &tasks[i], &s->arena, err));
  WH_TRY(ledger->type->pieces_put(ledger, run, s->crew.able, tasks, s->count, err));
  return crew_start(&s->crew, err);
}

void wh_shared_end(wh_engine *engine, const wh_pipeline *pipeline, const wh_run *run) {
  wh_error err = {0};
  if (wh_parts_sweep(engine, pipeline, run->id, &err) != WH_OK)
    wh_log_error(WH_LOG_WARN, "parts", &err); // the next shared run sweeps them
}

// --- in their order ----------------------------------------------------------------------------

static void note_worker(wh_shared *s) {
  for (size_t i = 0; i < s->worker_count; i++)
    if (wh_str_eq(s->workers[i], s->result.worker)) return;
  wh_str name = wh_arena_str(&s->arena, s->result.worker);
  if (name.data && s->worker_count < WH_RANGES_MAX) s->workers[s->worker_count++] = name;
}

size_t wh_shared_workers(const wh_shared *s) {
  return s->worker_count;
}

// Until the range in hand is done, by whomever.
static wh_status await(wh_shared *s, wh_error *err) {
  wh_ledger *ledger = s->engine->ledger;
  for (;;) {
    if (wh_engine_stopping(s->engine))
      return wh_fail(err, WH_ERR_CANCELLED, "stopped; the rest goes on at the next start");
    wh_arena_reset(&s->own);
    wh_status status = ledger->type->piece_get(ledger, s->run, s->number, &s->own, &s->piece, err);
    if (status == WH_ERR_NOT_FOUND)
      return wh_fail(err, WH_ERR_STALE, "another worker has taken over pipeline %.*s",
                     WH_STR_ARG(s->pipeline->name));
    WH_TRY(status);
    if (s->piece.result.len) break;
    WH_TRY(crew_status(&s->crew, err));
    WH_TRY(s->watch.still(s->watch.context, err));
    s->engine->os->type->sleep_ns(s->engine->os, POLL_US * 1000ll);
  }
  const wh_run_input *in = s->in;
  ptrdiff_t cursor = in->has_cursor ? wh_schema_find(&in->fetched, in->window.cursor) : -1;
  const wh_type *type = cursor < 0 ? NULL : &in->fetched.fields[cursor].type;
  WH_TRY(wh_range_result_parse(s->piece.result, type, &s->own, &s->result, err));
  note_worker(s);
  return WH_OK;
}

static wh_status open_file(wh_shared *s, wh_part_file file, wh_error *err) {
  wh_str key = wh_part_key(&s->piece, file, &s->own);
  if (!key.data) return wh_fail_memory(err);
  wh_input *in;
  WH_TRY(s->to->type->store->open(s->to, key, (wh_str){0}, &in, err));
  WH_TRY(wh_sha256_input_init(&s->file, in, err));
  s->has_file = true;
  return WH_OK;
}

// The file in hand was read to its end: it must be what the worker reported.
static wh_status leave_file(wh_shared *s, wh_str sha256, wh_error *err) {
  if (!s->has_file) return WH_OK;
  wh_status status = wh_sha256_input_check(&s->file, sha256, err);
  if (status == WH_ERR_DATA)
    wh_error_prefix(err, "part %zu is not what %.*s put: ", s->number + 1,
                    WH_STR_ARG(s->result.worker));
  close_file(s);
  return status;
}

static wh_status merge_entries(wh_shared *s, wh_error *err) {
  enum { AT_ONCE = 4096 };
  size_t most = AT_ONCE * sizeof(struct wh_window_entry), len = 0, n = 1;
  char *data = wh_arena_alloc(&s->own, most);
  if (!data) return wh_fail_memory(err);
  while (n) {
    WH_TRY(wh_input_read(&s->file.base, data + len, most - len, &n, err));
    len += n;
    if (n && len < most) continue;
    WH_TRY(wh_window_merge(&s->in->window, NULL, false, (void *)data,
                           len / sizeof(struct wh_window_entry), err));
    len = 0;
  }
  return WH_OK;
}

// What the cursor's window has seen in the range.
static wh_status merge_window(wh_shared *s, wh_error *err) {
  const wh_range_result *r = &s->result;
  if (!s->in->has_cursor) return WH_OK;
  WH_TRY(
      wh_window_merge(&s->in->window, r->has_highest ? &r->highest : NULL, r->cut, NULL, 0, err));
  if (!r->window_sha256.len) return WH_OK;
  WH_TRY(open_file(s, WH_PART_WINDOW, err));
  WH_TRY(merge_entries(s, err));
  return leave_file(s, r->window_sha256, err);
}

static void clear_item(wh_shared *s) {
  s->item = (wh_flow_item){.rejected = &s->lines, .bytes_read = s->base.bytes_read};
  wh_newest_init(s->item.newest);
}

static wh_status next_rejects(wh_shared *s, wh_error *err) {
  if (!s->has_file) WH_TRY(open_file(s, WH_PART_REJECTS, err));
  WH_TRY(wh_reject_lines_load(&s->lines, &s->file.base, err));
  snprintf(s->lines.first, sizeof s->lines.first, "%.*s", WH_STR_ARG(s->result.first));
  s->lines.base_row = s->base_row;
  s->rejects += s->lines.count;
  s->item.counts.read = s->item.counts.quarantined = s->lines.count;
  return WH_OK;
}

static wh_status next_rows(wh_shared *s, wh_error *err) {
  const wh_counts *c = &s->result.counts;
  if (s->rejects != c->quarantined)
    return wh_fail(err, WH_ERR_DATA, "part %zu has %llu rejected rows, and %.*s spoke of %llu",
                   s->number + 1, (unsigned long long)s->rejects, WH_STR_ARG(s->result.worker),
                   (unsigned long long)c->quarantined);
  if (c->written) WH_TRY(open_file(s, WH_PART_ROWS, err));
  wh_reject_lines_clear(&s->lines, NULL);
  s->base.bytes_read += s->result.bytes_read;
  s->base_row += c->read;
  clear_item(s);
  s->item.file = s->has_file ? &s->file.base : NULL;
  s->item.file_rows = c->written;
  s->item.counts =
      (wh_counts){.read = c->read - c->quarantined, .filtered = c->filtered, .deleted = c->deleted};
  s->item.rows_through = s->base_row;
  s->item.hash_out = s->result.row_hash;
  wh_newest_add(s->item.newest, s->result.newest);
  return WH_OK;
}

wh_status wh_shared_next(wh_shared *s, wh_flow_item **ret, wh_error *err) {
  *ret = &s->item;
  if (s->step == BEHIND) {
    WH_TRY(leave_file(s, s->result.sha256, err));
    s->number++;
    s->step = AWAIT;
  }
  if (s->step == AWAIT) {
    if (s->number == s->count) return WH_ERR_END;
    WH_TRY(await(s, err));
    WH_TRY(merge_window(s, err));
    s->rejects = 0;
    s->step = s->result.counts.quarantined ? REJECTS : ROWS;
  }
  clear_item(s);
  if (s->step == REJECTS) {
    wh_status status = next_rejects(s, err);
    if (status != WH_ERR_END) return status;
    WH_TRY(leave_file(s, s->result.rejects_sha256, err));
  }
  s->step = BEHIND;
  return next_rows(s, err);
}
