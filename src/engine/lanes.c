#include "engine/lanes.h"

#include <pthread.h>
#include <sched.h>

enum { REJECTS_BYTES = 1 << 20 }; // of rejected rows, after which an item is handed on

// What a lane hands on: a block, with what became of the rows it was made of.
typedef struct made {
  wh_flow_item item; // its first member
  wh_reject_lines lines;
  uint64_t part, from; // the part it is of, and where that began
  wh_reader *reader;   // with the last of its part: the part's reader, to be closed
  wh_status status;    // WH_OK, or why the part failed: then it is the last, too
  wh_error error;
  bool reader_failed, encoder_failed;
  size_t bytes;
  struct made *next;
} made;

typedef struct lane {
  wh_lanes *lanes;
  wh_stage stage;
  wh_slot slot;
  wh_encoder *encoder;
  wh_reader *reader; // of the part in hand
  pthread_t thread;
  bool started;
  bool running;       // its thread may still hand something on
  bool spoilt;        // steps and encoder have seen a part that failed
  made *first, *last; // what waits for its turn
} lane;

struct wh_lanes {
  wh_flow_options options;
  wh_encoding encoding;
  wh_mem *mem;
  pthread_mutex_t mutex; // of all below, and of the lanes' queues
  pthread_cond_t changed;
  bool cancelled;
  bool at_end;    // there are no more parts
  bool no_memory; // a lane could not even say so: its part will never end
  uint64_t parts; // that were begun
  uint64_t turn;  // the part that is handed out
  size_t ahead;   // bytes that wait
  size_t ahead_most;
  // of the thread that takes the items
  uint64_t expected;            // where the part whose turn it is has to begin
  uint64_t base_row, base_line; // in front of it
  uint64_t rows_given;          // of it
  bool begun;                   // something of it was handed out
  bool reader_failed;
  lane *again; // reads the part in hand once more
  size_t count;
  lane lanes[WH_LANES_MAX + 1]; // the last one for `again`
};

// --- sizes -------------------------------------------------------------------------------------

static size_t processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int count = CPU_COUNT(&set);
  return count > 0 ? (size_t)count : 1;
}

size_t wh_lanes_count(const wh_engine *engine, size_t columns) {
  size_t each =
      columns * WH_LANE_COLUMN > WH_LANE_MEMORY ? columns * WH_LANE_COLUMN : WH_LANE_MEMORY;
  size_t count = (size_t)engine->config->memory_bytes / each;
  size_t most = engine->lanes ? engine->lanes : processors();
  if (most > WH_LANES_MAX) most = WH_LANES_MAX;
  if (count > most) count = most;
  return count ? count : 1;
}

void wh_lanes_part_size(const wh_engine *engine, const wh_codec_type *codec,
                        wh_codec_context *context) {
  size_t bytes = (size_t)engine->config->memory_bytes / (2 * wh_lanes_count(engine, 0));
  context->part_rows = codec->block_rows;
  context->part_bytes =
      codec->block_bytes && codec->block_bytes < bytes ? codec->block_bytes : bytes;
}

// --- one lane ----------------------------------------------------------------------------------

static void free_made(wh_lanes *l, made *m) {
  if (!m) return;
  wh_block_free(m->item.block);
  wh_reader_close(m->reader);
  wh_reject_lines_free(&m->lines);
  wh_mem_free(l->mem, m, sizeof *m);
}

static void add_counts(made *m, const wh_flow_item *item) {
  m->item.counts.read += item->counts.read;
  m->item.counts.filtered += item->counts.filtered;
  m->item.counts.deleted += item->counts.deleted;
  m->item.counts.quarantined += item->counts.quarantined;
  m->item.hash_read += item->hash_read;
  m->item.hash_out += item->hash_out;
  wh_newest_add(m->item.newest, item->newest);
}

// Reads on until there is a block, or the part ends: *ret_end.
static wh_status fill_made(lane *self, made *m, bool *ret_end, wh_error *err) {
  wh_slot *s = &self->slot;
  *ret_end = false;
  while (!self->encoder->full && m->lines.lines.len < REJECTS_BYTES) {
    wh_stage_fill(&self->stage, s);
    *ret_end = s->status == WH_ERR_END;
    if (*ret_end) break;
    if (s->status != WH_OK) {
      m->reader_failed = s->reader_failed;
      if (err) *err = s->error;
      return s->status;
    }
    add_counts(m, &s->item);
    WH_TRY(wh_reject_lines_move(&m->lines, &s->lines, err));
    if (s->item.batch->rows == 0) continue;
    wh_status status = self->encoder->add(self->encoder, s->item.batch, err);
    m->encoder_failed = status != WH_OK;
    if (m->encoder_failed) return status;
  }
  return self->encoder->take(self->encoder, &m->item.block, err);
}

// The next thing this lane has to hand on. It is the last of its part when it has the reader.
static made *make(lane *self) {
  wh_lanes *l = self->lanes;
  made *m = wh_mem_alloc_zero(l->mem, sizeof *m);
  if (!m) return NULL;
  wh_reject_lines_init(&m->lines, l->mem, self->stage.row_limit);
  m->item.rejected = &m->lines;
  wh_newest_init(m->item.newest);
  m->part = self->reader->part.index;
  m->from = self->reader->part.from;
  bool end;
  m->status = fill_made(self, m, &end, &m->error);
  m->bytes = m->lines.lines.len + (m->item.block ? m->item.block->bytes : 0);
  if (m->status == WH_OK && !end) return m;
  self->spoilt = m->status != WH_OK;
  m->reader = self->reader;
  self->reader = NULL;
  return m;
}

static void close_path(lane *self) {
  wh_encoder_close(self->encoder);
  self->encoder = NULL;
  wh_slot_free(&self->slot, &self->stage);
  self->slot = (wh_slot){0};
  wh_stage_close(&self->stage);
  self->stage = (wh_stage){0};
}

static wh_status open_path(lane *self, wh_error *err) {
  const wh_encoding *e = &self->lanes->encoding;
  self->spoilt = true; // until all of it is there
  WH_TRY(wh_stage_open(&self->stage, &self->lanes->options, err));
  WH_TRY(wh_slot_init(&self->slot, &self->stage, err));
  WH_TRY(e->codec->open_encoder(&e->context, e->options, e->schema, &self->encoder, err));
  self->spoilt = false;
  return WH_OK;
}

static wh_status begin_part(lane *self, wh_reader *reader, wh_error *err) {
  self->reader = reader;
  if (self->spoilt) {
    close_path(self);
    WH_TRY(open_path(self, err));
  }
  self->stage.options.reader = reader;
  self->stage.at_end = false;
  self->stage.finishing = 0;
  return WH_OK;
}

// A part that could not be begun: it has no reader, or else no encoder.
static made *make_failure(lane *self, uint64_t part, wh_status status, const wh_error *err) {
  made *m = wh_mem_alloc_zero(self->lanes->mem, sizeof *m);
  if (!m) return NULL;
  *m = (made){.part = part, .reader = self->reader, .status = status, .error = *err};
  wh_reject_lines_init(&m->lines, self->lanes->mem, 0);
  m->item.rejected = &m->lines;
  m->reader_failed = !self->reader;
  if (self->reader) m->from = self->reader->part.from;
  self->reader = NULL;
  return m;
}

// Begins the next part. WH_ERR_END: there is none, or nobody wants more.
static wh_status next_part(lane *self, uint64_t *ret_number, wh_error *err) {
  wh_lanes *l = self->lanes;
  wh_reader *whole = l->options.reader;
  pthread_mutex_lock(&l->mutex);
  bool go = !l->cancelled && !l->at_end;
  wh_reader *part = NULL;
  wh_status status = go ? whole->next_part(whole, &part, err) : WH_ERR_END;
  if (status != WH_OK) l->at_end = true;
  *ret_number = status == WH_OK ? l->parts++ : l->parts;
  pthread_mutex_unlock(&l->mutex);
  return status == WH_OK ? begin_part(self, part, err) : status;
}

// Puts it in line; waits while too much is there already, unless it is what the others wait for.
static bool hand_on(lane *self, made *m) {
  wh_lanes *l = self->lanes;
  pthread_mutex_lock(&l->mutex);
  while (!l->cancelled && l->ahead > l->ahead_most && (m->part != l->turn || self->first))
    pthread_cond_wait(&l->changed, &l->mutex);
  bool go = !l->cancelled;
  if (self->last)
    self->last->next = m;
  else
    self->first = m;
  self->last = m;
  l->ahead += m->bytes;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->mutex);
  return go;
}

// What this lane had in hand will never come: whoever waits for it must not.
static void give_up(wh_lanes *l) {
  pthread_mutex_lock(&l->mutex);
  l->no_memory = true;
  l->cancelled = true;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->mutex);
}

static void run_parts(lane *self) {
  for (;;) {
    wh_error err = {0};
    uint64_t number;
    wh_status status = next_part(self, &number, &err);
    if (status == WH_ERR_END) return;
    made *m;
    do {
      m = status == WH_OK ? make(self) : make_failure(self, number, status, &err);
      if (!m) give_up(self->lanes);
    } while (m && hand_on(self, m) && self->reader);
    if (!m || status != WH_OK) return;
  }
}

static void *run_lane(void *context) {
  lane *self = context;
  wh_lanes *l = self->lanes;
  run_parts(self);
  pthread_mutex_lock(&l->mutex);
  self->running = false;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->mutex);
  return NULL;
}

// --- the order ---------------------------------------------------------------------------------

// What is next of the part whose turn it is; NULL: there is no such part, or no memory.
static made *take(wh_lanes *l) {
  made *found = NULL;
  pthread_mutex_lock(&l->mutex);
  while (!l->no_memory) {
    bool any = false;
    for (size_t i = 0; i < l->count && !found; i++) {
      lane *self = &l->lanes[i];
      any = any || self->running;
      if (!self->first || self->first->part != l->turn) continue;
      found = self->first;
      self->first = found->next;
      if (!self->first) self->last = NULL;
    }
    if (found || !any) break;
    pthread_cond_wait(&l->changed, &l->mutex);
  }
  if (found) {
    l->ahead -= found->bytes;
    pthread_cond_broadcast(&l->changed);
  }
  pthread_mutex_unlock(&l->mutex);
  return found;
}

static wh_status lane_open(wh_lanes *l, lane *self, wh_error *err) {
  self->lanes = l;
  return open_path(self, err);
}

static void lane_close(lane *self) {
  if (!self->lanes) return;
  for (made *m = self->first; m;) {
    made *next = m->next;
    free_made(self->lanes, m);
    m = next;
  }
  wh_reader_close(self->reader);
  close_path(self);
}

// The part that `m` is the first of began elsewhere than it should: lets it come to its end, throws
// it away, and begins it again.
static wh_status read_again(wh_lanes *l, made *m, wh_error *err) {
  while (m && m->status == WH_OK && !m->reader) {
    free_made(l, m);
    m = take(l);
  }
  wh_reader *reader = m ? m->reader : NULL;
  if (m) m->reader = NULL;
  free_made(l, m);
  if (!reader) return wh_fail_memory(err);
  lane *again = &l->lanes[l->count];
  wh_status status = again->lanes ? WH_OK : lane_open(l, again, err);
  if (status == WH_OK && !reader->restart_part) {
    status = wh_fail(err, WH_ERR_BUG,
                     "part %llu of the object does not begin where the one "
                     "before it ended",
                     (unsigned long long)l->turn);
  }
  if (status == WH_OK) status = reader->restart_part(reader, l->expected, err);
  if (status != WH_OK) {
    wh_reader_close(reader);
    return status;
  }
  l->again = again;
  return begin_part(again, reader, err);
}

// The last of the part whose turn it was: the next one's turn.
static void end_part(wh_lanes *l, made *m) {
  const wh_part *part = &m->reader->part;
  l->expected = part->to;
  l->base_row += part->rows;
  l->base_line += part->lines;
  l->options.reader->bytes_read += m->reader->bytes_read;
  l->rows_given = 0;
  l->begun = false;
  l->again = NULL;
  wh_reader_close(m->reader);
  m->reader = NULL;
  pthread_mutex_lock(&l->mutex);
  l->turn++;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->mutex);
}

// *ret NULL: the end.
static wh_status take_good(wh_lanes *l, made **ret, wh_error *err) {
  for (;;) {
    if (l->again) {
      *ret = make(l->again);
      return *ret ? WH_OK : wh_fail_memory(err);
    }
    made *m = take(l);
    if (!m) {
      *ret = NULL;
      return l->no_memory ? wh_fail_memory(err) : WH_OK;
    }
    bool wrong = !l->begun && l->turn > 0 && m->from != l->expected;
    bool unknown = m->status != WH_OK && !m->reader; // it was never begun
    if (!wrong || unknown) {
      *ret = m;
      return WH_OK;
    }
    WH_TRY(read_again(l, m, err));
  }
}

wh_status wh_lanes_next(wh_lanes *l, wh_flow_item **ret, wh_error *err) {
  for (;;) {
    made *m;
    WH_TRY(take_good(l, &m, err));
    if (!m) return WH_ERR_END;
    l->begun = true;
    if (m->status != WH_OK) {
      wh_status status = m->status;
      l->reader_failed = m->reader_failed;
      if (m->encoder_failed && m->error.place.row) { // of the part, so far
        m->error.place.row += l->base_row;
        wh_error_append_row(&m->error);
      }
      if (err) *err = m->error;
      free_made(l, m);
      return status;
    }
    m->lines.base_row = l->base_row;
    m->lines.base_line = l->base_line;
    l->rows_given += m->item.counts.read;
    m->item.rows_through = l->base_row + l->rows_given;
    if (m->reader) end_part(l, m);
    m->item.bytes_read = l->options.reader->bytes_read;
    if (m->item.block || m->item.counts.read) {
      *ret = &m->item;
      return WH_OK;
    }
    free_made(l, m);
  }
}

void wh_lanes_release(wh_lanes *l, wh_flow_item *item) {
  free_made(l, (made *)item);
}

bool wh_lanes_reader_failed(const wh_lanes *l) {
  return l->reader_failed;
}

// --- outside -----------------------------------------------------------------------------------

static wh_status start(wh_lanes *l, wh_error *err) {
  size_t count = wh_lanes_count(l->options.engine, l->options.reader->schema->count);
  for (; l->count < count; l->count++) {
    lane *self = &l->lanes[l->count];
    WH_TRY(lane_open(l, self, err));
  }
  for (size_t i = 0; i < count; i++) {
    lane *self = &l->lanes[i];
    self->running = true; // from here on it is the thread's to say
    int error = pthread_create(&self->thread, NULL, run_lane, self);
    self->started = error == 0;
    if (error) return wh_fail(err, wh_status_from_errno(error), "cannot start a thread");
  }
  return WH_OK;
}

wh_status wh_lanes_open(const wh_flow_options *options, const wh_encoding *encoding, wh_lanes **ret,
                        wh_error *err) {
  wh_mem *mem = options->engine->mem;
  wh_lanes *l = wh_mem_alloc_zero(mem, sizeof *l);
  if (!l) return wh_fail_memory(err);
  l->options = *options;
  l->encoding = *encoding;
  l->mem = mem;
  size_t memory = (size_t)options->engine->config->memory_bytes;
  // Where little is given, most of it is what the process takes besides.
  l->ahead_most = (mem->limit && mem->limit < memory ? mem->limit : memory) / WH_LANES_AHEAD_SHARE;
  pthread_mutex_init(&l->mutex, NULL);
  pthread_cond_init(&l->changed, NULL);
  wh_status status = start(l, err);
  if (status != WH_OK) {
    wh_lanes_close(l);
    return status;
  }
  *ret = l;
  return WH_OK;
}

void wh_lanes_close(wh_lanes *l) {
  if (!l) return;
  pthread_mutex_lock(&l->mutex);
  l->cancelled = true;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->mutex);
  for (size_t i = 0; i <= WH_LANES_MAX; i++) {
    if (l->lanes[i].started) pthread_join(l->lanes[i].thread, NULL);
  }
  for (size_t i = 0; i <= WH_LANES_MAX; i++)
    lane_close(&l->lanes[i]);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->mutex);
  wh_mem_free(l->mem, l, sizeof *l);
}
