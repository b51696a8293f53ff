// Whether an object is whole, before anything of it is committed.
#include "engine/input.h"

#include "base/thread.h"
#include "engine/checksum.h"
#include "engine/dataset.h"
#include "engine/lanes.h"

static wh_status prove_files(const wh_run_input *in, wh_error *err) {
  for (size_t i = 0; i < in->dataset->file_count; i++) {
    const wh_dataset_file *file = &in->dataset->files[i];
    bool same;
    WH_TRY(wh_dataset_file_matches(in->connection, in->pipeline->read.dataset, file,
                                   in->engine->mem, &same, err));
    if (!same)
      return wh_fail(err, WH_ERR_DATA, "%.*s is not what was published, or is gone",
                     WH_STR_ARG(file->path));
  }
  return WH_OK;
}

static wh_status prove_checksum(wh_run_input *in, wh_error *err) {
  if (in->dataset) return prove_files(in, err);
  wh_input *stream;
  WH_TRY(in->connection->type->store->open(in->connection, in->object.key, in->object.version,
                                           &stream, err));
  bool same;
  WH_TRY(wh_sha256_matches(stream, in->manifest.sha256, in->engine->mem, &same, err));
  if (same) return WH_OK;
  return wh_fail(err, WH_ERR_DATA,
                 "its bytes are not those that were published: the checksum differs");
}

// From where the reader stands to its end, unless `stop` (or NULL) is set.
static wh_status read_to_end(wh_reader *reader, wh_mem *mem, const atomic_bool *stop,
                             wh_error *err) {
  wh_rejects rejects = wh_rejects_none(); // the real pass will meet the same rows again
  wh_batch batch = {0};
  wh_status status = wh_batch_init(&batch, mem, reader->schema, err);
  while (status == WH_OK) {
    if (stop && atomic_load(stop)) {
      status = wh_fail(err, WH_ERR_CANCELLED, "stopped; the rest goes on at the next start");
      break;
    }
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &rejects, err);
    if (status == WH_OK && batch.rows == 0 && !reader->paused) break;
  }
  wh_batch_free(&batch);
  return status;
}

// --- in parts, by several threads ----------------------------------------------------------------

typedef struct parts {
  wh_run_input *in;
  pthread_mutex_t lock;
  pthread_cond_t turned;
  uint64_t turn; // index of the part that is compared next with where the one before it ended
  uint64_t end;
  bool failed;
} parts;

// A part counts when it is whole, and begins where the one before it ended.
static void take_turn(parts *p, const wh_part *part, bool whole) {
  pthread_mutex_lock(&p->lock);
  while (!p->failed && p->turn != part->index)
    pthread_cond_wait(&p->turned, &p->lock);
  if (!whole || (part->index && part->from != p->end)) p->failed = true;
  p->end = part->to;
  p->turn++;
  pthread_cond_broadcast(&p->turned);
  pthread_mutex_unlock(&p->lock);
}

static wh_reader *next_part(parts *p) {
  wh_reader *whole = p->in->reader, *part = NULL;
  pthread_mutex_lock(&p->lock);
  wh_status status = p->failed ? WH_ERR_END : whole->next_part(whole, &part, NULL);
  if (status != WH_OK && status != WH_ERR_END) p->failed = true;
  pthread_mutex_unlock(&p->lock);
  return status == WH_OK ? part : NULL;
}

static void *read_parts(void *context) {
  parts *p = context;
  const wh_engine *engine = p->in->engine;
  wh_reader *part;
  while ((part = next_part(p))) {
    wh_status status = read_to_end(part, engine->mem, engine->stop, NULL);
    take_turn(p, &part->part, status == WH_OK);
    wh_reader_close(part);
  }
  return NULL;
}

// Whether all parts are whole and join. If not, what is wrong, if anything, shows from the start.
static bool parts_are_whole(wh_run_input *in, size_t threads) {
  parts p = {.in = in, .lock = PTHREAD_MUTEX_INITIALIZER, .turned = PTHREAD_COND_INITIALIZER};
  pthread_t others[WH_LANES_MAX];
  size_t count = 0;
  while (count + 1 < threads && wh_thread_start(&others[count], read_parts, &p, NULL) == WH_OK)
    count++;
  read_parts(&p);
  while (count)
    pthread_join(others[--count], NULL);
  return !p.failed;
}

// --- the whole -----------------------------------------------------------------------------------

static wh_status read_from_start(wh_run_input *in, wh_error *err) {
  for (;;) {
    wh_status status = read_to_end(in->reader, in->engine->mem, in->engine->stop, err);
    if (status == WH_OK) return wh_input_reopen(in, err);
    if (status != WH_ERR_WIDEN) return wh_input_blame(in, status, err);
    WH_TRY(wh_input_widen(in, err));
  }
}

wh_status wh_input_prove(wh_run_input *in, wh_error *err) {
  if (in->has_manifest) WH_TRY(wh_input_blame(in, prove_checksum(in, err), err));
  in->is_proven = true; // what fails below ends the run
  return in->tells_rows || in->tables ? WH_OK : wh_input_read_whole(in, err);
}

wh_status wh_input_read_whole(wh_run_input *in, wh_error *err) {
  size_t threads = in->engine->single_thread ? 1 : wh_lanes_count(in->engine, 0);
  if (!in->reader->next_part || threads < 2) return read_from_start(in, err);
  bool whole = parts_are_whole(in, threads);
  WH_TRY(wh_input_reopen(in, err));
  return whole ? WH_OK : read_from_start(in, err);
}

wh_status wh_input_look_again(wh_run_input *in, wh_status why, wh_error *err) {
  wh_schema before;
  WH_TRY(wh_schema_copy(in->reader->schema, in->arena, &before, err));
  wh_error fault = {0};
  WH_TRY(wh_input_reopen(in, err));
  wh_status status = read_from_start(in, &fault);
  if (status != WH_OK) {
    if (err) *err = fault;
    return status;
  }
  // Nothing is wrong with the whole: what it says counts.
  in->one_path = why != WH_ERR_WIDEN || wh_schema_eq(&before, in->reader->schema);
  return WH_OK;
}
