#include "engine/shared_part.h"

#include "base/thread.h"
#include "connect/store.h"
#include "engine/checksum.h"
#include "engine/lanes.h"
#include "engine/output.h"
#include "engine/run.h"

#include <unistd.h>

wh_status wh_part_held_us(wh_engine *engine, int64_t *ret, wh_error *err) {
  wh_connection *ignored;
  *ret = WH_PIECE_HELD_US;
  if (!wh_config_ledger_type(engine->config)) return WH_OK;
  return wh_config_ledger(engine->config, &ignored, ret, err);
}

wh_str wh_part_key(const wh_piece *piece, wh_part_file file, wh_arena *arena) {
  static const char *const endings[WH_PART_FILES] = {"rows", "rejects", "window"};
  return wh_arena_printf(arena, WH_PARTS_PREFIX "%.*s/%llu-%llu.%s", WH_STR_ARG(piece->run),
                         (unsigned long long)piece->number, (unsigned long long)piece->take,
                         endings[file]);
}

// --- keeping the range -------------------------------------------------------------------------

// Renews a piece in a thread of its own, for a source may say nothing for long.
typedef struct keeper {
  wh_ledger *ledger;
  const wh_piece *piece;
  int64_t held_us;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool started, ended;
  bool is_lost;
  wh_error why;
} keeper;

static void *keep(void *context) {
  keeper *k = context;
  pthread_mutex_lock(&k->mutex);
  while (!k->ended && !k->is_lost) {
    struct timespec until = wh_cond_until(k->held_us / 3);
    pthread_cond_timedwait(&k->changed, &k->mutex, &until);
    if (k->ended) break;
    pthread_mutex_unlock(&k->mutex);
    wh_error err = {0};
    wh_status status = k->ledger->type->piece_renew(k->ledger, k->piece, k->held_us, &err);
    pthread_mutex_lock(&k->mutex);
    k->is_lost = status == WH_ERR_STALE; // other trouble may pass before the time is over
    k->why = err;
  }
  pthread_mutex_unlock(&k->mutex);
  return NULL;
}

static wh_status keeper_start(keeper *k, wh_error *err) {
  WH_TRY(wh_cond_init(&k->changed, err));
  pthread_mutex_init(&k->mutex, NULL);
  wh_status status = wh_thread_start(&k->thread, keep, k, err);
  k->started = status == WH_OK;
  if (k->started) return WH_OK;
  pthread_mutex_destroy(&k->mutex);
  pthread_cond_destroy(&k->changed);
  return status;
}

static void keeper_stop(keeper *k) {
  if (!k->started) return;
  pthread_mutex_lock(&k->mutex);
  k->ended = true;
  pthread_cond_broadcast(&k->changed);
  pthread_mutex_unlock(&k->mutex);
  pthread_join(k->thread, NULL);
  pthread_mutex_destroy(&k->mutex);
  pthread_cond_destroy(&k->changed);
}

static wh_status keeper_check(keeper *k, wh_error *err) {
  pthread_mutex_lock(&k->mutex);
  bool is_lost = k->is_lost;
  if (is_lost && err) *err = k->why;
  pthread_mutex_unlock(&k->mutex);
  return is_lost ? WH_ERR_STALE : WH_OK;
}

// --- files -------------------------------------------------------------------------------------

// One that is put when all of it was written.
typedef struct part_file {
  wh_upload *upload; // NULL: nothing was written
  wh_sha256_output hashing;
  wh_put_options options;
} part_file;

static wh_status file_seal(part_file *f, wh_arena *arena, wh_str *ret_sha256, wh_error *err) {
  char hex[WH_SHA256_HEX + 1];
  *ret_sha256 = WH_STR("");
  if (!f->upload) return WH_OK;
  WH_TRY(f->upload->seal(f->upload, err));
  WH_TRY(wh_sha256_finish_hex(&f->hashing.sha, hex, err));
  *ret_sha256 = wh_arena_str(arena, wh_str_of(hex));
  return ret_sha256->data ? WH_OK : wh_fail_memory(err);
}

static void file_close(part_file *f) {
  if (f->upload) f->upload->close(f->upload);
  wh_sha256_output_free(&f->hashing);
}

// --- making ------------------------------------------------------------------------------------

typedef struct making {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  const wh_piece *piece;
  const wh_range_task *task;
  const atomic_bool *cancel;
  wh_arena *arena;
  wh_range_result *result;
  keeper keeper;
  wh_connection *to;
  wh_reader *reader;
  wh_flow *flow;
  wh_encoding encoding;
  wh_writer *writer;
  wh_window window; // where there is a cursor
  part_file files[WH_PART_FILES];
} making;

static wh_status open_file(making *m, wh_part_file file, wh_error *err) {
  part_file *f = &m->files[file];
  wh_str key = wh_part_key(m->piece, file, m->arena);
  if (!key.data) return wh_fail_memory(err);
  f->options = (wh_put_options){.replace = true}; // what this take left
  WH_TRY(m->to->type->store->put(m->to, key, &f->options, &f->upload, err));
  return wh_sha256_output_init(&f->hashing, &f->upload->output, err);
}

size_t wh_parts_at_once(const wh_engine *engine, const wh_pipeline *pipeline) {
  return wh_lanes_count(engine, pipeline->gate.count);
}

// All that is read at once is a share of memory.
static size_t batch_bytes(const making *m) {
  enum { SHARE_OF_MEMORY = 16, LEAST = 32 << 10 };
  size_t slots = WH_FLOW_SLOTS * wh_parts_at_once(m->engine, m->pipeline);
  size_t bytes = (size_t)m->engine->config->memory_bytes / (SHARE_OF_MEMORY * slots);
  if (bytes < LEAST) return LEAST;
  return bytes < WH_BATCH_BYTES_DEFAULT ? bytes : WH_BATCH_BYTES_DEFAULT;
}

static wh_status open_reader(making *m, wh_error *err) {
  const wh_range_task *t = m->task;
  wh_connection *from;
  bool is_rows;
  WH_TRY(wh_input_connect(m->engine, &m->pipeline->from, &from, &is_rows, err));
  wh_str *columns = WH_NEW_ARRAY(m->arena, t->schema.count, wh_str);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < t->schema.count; i++)
    columns[i] = t->schema.fields[i].name;
  wh_range range = {.column = t->key,
                    .low = t->has_low ? &t->low : NULL,
                    .high = t->has_high ? &t->high : NULL,
                    .sharers = t->count};
  wh_source_query query = {.table = t->table,
                           .columns = columns,
                           .column_count = t->schema.count,
                           .cursor = t->cursor,
                           .has_to = t->has_to,
                           .to = t->to,
                           .snapshot = t->snapshot,
                           .batch_rows = (size_t)m->pipeline->batch_rows,
                           .batch_bytes = batch_bytes(m)};
  if (t->has_low || t->has_high) query.range = &range;
  return from->type->source->open(from, &query, &t->schema, &m->reader, err);
}

static wh_status open_flow(making *m, wh_error *err) {
  const wh_range_task *t = m->task;
  wh_gate gate;
  bool is_rows;
  wh_window_init(&m->window, m->engine->mem);
  m->window.cursor = t->cursor;
  m->window.step = t->step;
  m->window.overlap = t->overlap;
  m->window.clock = t->clock;
  m->window.clock_us = t->clock_us;
  WH_TRY(wh_config_gate(m->engine->config, m->pipeline, m->arena, &gate, err));
  WH_TRY(wh_input_connect(m->engine, &m->pipeline->to, &m->to, &is_rows, err));
  wh_flow_options options = {.engine = m->engine,
                             .pipeline = m->pipeline,
                             .gate = &gate,
                             .reader = m->reader,
                             .window = t->cursor.len ? &m->window : NULL,
                             .hash_out = true,
                             .start_us = t->start_us};
  WH_TRY(wh_flow_open(&options, &m->flow, err));
  wh_str name = wh_arena_printf(m->arena, "part.%.*s", WH_STR_ARG(t->codec));
  if (!name.data) return wh_fail_memory(err);
  WH_TRY(
      wh_output_encoding(m->engine, m->pipeline, name, wh_flow_schema(m->flow), &m->encoding, err));
  return wh_flow_start(m->flow, 0, err);
}

static wh_status write_rows(making *m, const wh_batch *batch, wh_error *err) {
  const wh_encoding *e = &m->encoding;
  if (batch->rows == 0) return WH_OK;
  if (!m->writer) {
    WH_TRY(open_file(m, WH_PART_ROWS, err));
    wh_output *to = &m->files[WH_PART_ROWS].hashing.base;
    WH_TRY(e->codec->open_writer(&e->context, to, e->options, e->schema, &m->writer, err));
  }
  return m->writer->write(m->writer, batch, err);
}

static wh_status write_rejects(making *m, const wh_reject_lines *lines, wh_error *err) {
  if (lines->count == 0) return WH_OK;
  part_file *f = &m->files[WH_PART_REJECTS];
  if (!f->upload) {
    WH_TRY(open_file(m, WH_PART_REJECTS, err));
    m->result->first = wh_arena_str(m->arena, wh_str_of(lines->first));
    if (!m->result->first.data) return wh_fail_memory(err);
  }
  return wh_reject_lines_save(lines, &f->hashing.base, err);
}

static wh_status take_item(making *m, const wh_flow_item *item, wh_error *err) {
  wh_counts *c = &m->result->counts;
  WH_TRY(write_rows(m, item->batch, err));
  WH_TRY(write_rejects(m, item->rejected, err));
  c->read += item->counts.read;
  c->written += item->batch->rows;
  c->filtered += item->counts.filtered;
  c->quarantined += item->rejected->count;
  c->deleted += item->counts.deleted;
  m->result->row_hash += item->hash_out;
  wh_newest_add(m->result->newest, item->newest);
  return WH_OK;
}

static wh_status take_all(making *m, wh_error *err) {
  for (;;) {
    wh_flow_item *item;
    WH_TRY(keeper_check(&m->keeper, err));
    if (wh_engine_stopping(m->engine) || atomic_load(m->cancel))
      return wh_fail(err, WH_ERR_CANCELLED, "stopped; the rest goes on at the next start");
    wh_status status = wh_flow_next(m->flow, &item, err);
    if (status == WH_ERR_END) return WH_OK;
    WH_TRY(status);
    status = take_item(m, item, err);
    wh_flow_release(m->flow, item);
    WH_TRY(status);
  }
}

static wh_status write_window(making *m, wh_error *err) {
  const wh_window *w = &m->window;
  m->result->has_highest = w->any;
  m->result->highest = w->highest_value;
  m->result->cut = w->cut;
  if (w->count == 0 || w->cut) return WH_OK;
  WH_TRY(open_file(m, WH_PART_WINDOW, err));
  return wh_output_write(&m->files[WH_PART_WINDOW].hashing.base, w->entries,
                         w->count * sizeof *w->entries, err);
}

static wh_status name_worker(making *m, wh_error *err) {
  char host[256];
  if (gethostname(host, sizeof host) != 0) host[0] = 0;
  host[sizeof host - 1] = 0;
  m->result->worker = wh_arena_printf(m->arena, "%s/%lld", host, (long long)getpid());
  return m->result->worker.data ? WH_OK : wh_fail_memory(err);
}

static wh_status make(making *m, wh_error *err) {
  wh_range_result *r = m->result;
  WH_TRY(name_worker(m, err));
  WH_TRY(keeper_start(&m->keeper, err));
  WH_TRY(open_reader(m, err));
  WH_TRY(open_flow(m, err));
  WH_TRY(take_all(m, err));
  if (m->writer) WH_TRY(m->writer->finish(m->writer, err));
  WH_TRY(write_window(m, err));
  WH_TRY(file_seal(&m->files[WH_PART_ROWS], m->arena, &r->sha256, err));
  WH_TRY(file_seal(&m->files[WH_PART_REJECTS], m->arena, &r->rejects_sha256, err));
  WH_TRY(file_seal(&m->files[WH_PART_WINDOW], m->arena, &r->window_sha256, err));
  r->bytes_read = m->reader->bytes_read;
  return WH_OK;
}

wh_status wh_part_make(wh_engine *engine, const wh_pipeline *pipeline, const wh_piece *piece,
                       const wh_range_task *task, const atomic_bool *cancel, wh_arena *arena,
                       wh_range_result *ret, wh_error *err) {
  *ret = (wh_range_result){.first = WH_STR("")};
  wh_newest_init(ret->newest);
  making m = {.engine = engine,
              .pipeline = pipeline,
              .piece = piece,
              .task = task,
              .cancel = cancel,
              .arena = arena,
              .result = ret,
              .keeper = {.ledger = engine->ledger, .piece = piece}};
  WH_TRY(wh_part_held_us(engine, &m.keeper.held_us, err));
  wh_status status = make(&m, err);
  wh_flow_close(m.flow);
  wh_reader_close(m.reader);
  wh_writer_close(m.writer);
  for (size_t i = 0; i < WH_PART_FILES; i++)
    file_close(&m.files[i]);
  wh_window_free(&m.window);
  keeper_stop(&m.keeper);
  wh_error ignored = {0};
  if (status != WH_OK) WH_IGNORE(wh_part_remove(engine, pipeline, piece, &ignored));
  return status;
}

// --- removing ----------------------------------------------------------------------------------

wh_status wh_part_remove(wh_engine *engine, const wh_pipeline *pipeline, const wh_piece *piece,
                         wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_connection *to;
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &pipeline->to, &to, &is_rows, err));
  for (int i = 0; i < WH_PART_FILES; i++) {
    wh_str key = wh_part_key(piece, (wh_part_file)i, &arena);
    if (!key.data) return wh_fail_memory(err);
    WH_TRY(to->type->store->remove(to, key, err));
  }
  return WH_OK;
}

typedef struct sweep {
  wh_engine *engine;
  wh_arena arena; // of what follows
  wh_str *keys;
  size_t count, cap;
  wh_str run;   // the last that was looked at
  bool is_over; // it
  wh_str own;   // is over, whatever the ledger says
} sweep;

// A run of another ledger is nobody's here.
static wh_status look_at(sweep *s, wh_str run, wh_error *err) {
  if (wh_str_eq(run, s->run)) return WH_OK;
  s->run = wh_arena_str(&s->arena, run);
  if (!s->run.data) return wh_fail_memory(err);
  s->is_over = wh_str_eq(run, s->own);
  if (s->is_over || run.len != WH_RUN_ID_LEN) return WH_OK;
  wh_ledger *ledger = s->engine->ledger;
  wh_run found;
  wh_error inner = {0};
  wh_status status = ledger->type->run_get(ledger, run, &s->arena, &found, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK && err) *err = inner;
  s->is_over = status == WH_OK && found.state != WH_RUN_RUNNING && found.state != WH_RUN_SEALED;
  return status;
}

static wh_status collect(void *context, const wh_object *object, wh_error *err) {
  sweep *s = context;
  wh_str rest = wh_str_sub(object->key, strlen(WH_PARTS_PREFIX), object->key.len);
  WH_TRY(look_at(s, wh_str_sub(rest, 0, wh_str_find(rest, 0, '/')), err));
  if (!s->is_over) return WH_OK;
  if (s->count == s->cap) {
    size_t cap = s->cap ? 2 * s->cap : 32;
    wh_str *keys = WH_NEW_ARRAY(&s->arena, cap, wh_str);
    if (!keys) return wh_fail_memory(err);
    if (s->count) memcpy(keys, s->keys, s->count * sizeof *keys);
    s->keys = keys;
    s->cap = cap;
  }
  s->keys[s->count] = wh_arena_str(&s->arena, object->key);
  return s->keys[s->count++].data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_parts_sweep(wh_engine *engine, const wh_pipeline *pipeline, wh_str run,
                         wh_error *err) {
  wh_connection *to;
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &pipeline->to, &to, &is_rows, err));
  sweep s = {.engine = engine, .own = run};
  wh_arena_init(&s.arena, engine->mem);
  wh_status status = to->type->store->list(to, WH_STR(WH_PARTS_PREFIX), collect, &s, err);
  for (size_t i = 0; status == WH_OK && i < s.count; i++)
    status = to->type->store->remove(to, s.keys[i], err);
  wh_arena_free(&s.arena);
  return status;
}
