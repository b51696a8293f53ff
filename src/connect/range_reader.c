#include "connect/range_reader.h"

#include "base/queue.h"
#include "connect/row_reader.h"

enum {
  SLOTS_EACH = 2,         // batches of a session: one is filled while the other is taken
  SHARE_OF_MEMORY = 16,   // for all batches together
  ROOM_DEFAULT = 4 << 20, // where no limit is set
  BATCH_BYTES_MIN = 32 << 10,
};

// What a session has read and nobody has taken yet.
typedef struct kept_reject {
  wh_reject reject;
  wh_str text;
} kept_reject;

typedef struct kept_rejects {
  wh_rejects base;
  wh_arena arena;
  kept_reject *items;
  size_t count, cap;
} kept_rejects;

struct session;
typedef struct slot {
  struct session *session;
  wh_batch batch; // with the schema of the whole
  bool has_batch;
  kept_rejects rejects;
  uint64_t rows_before, rows; // of the session: before this batch, and read for it
  uint64_t bytes_read;
  wh_status status;
  wh_error error;
  bool is_last;
} slot;

typedef struct session {
  struct range_reader *whole;
  wh_reader *reader;
  wh_queue free; // of its slots
  slot slots[SLOTS_EACH];
  pthread_t thread;
  bool has_thread;
} session;

typedef struct range_reader {
  wh_reader base;
  wh_connection connection; // with each session's share
  wh_mem *mem;
  wh_arena arena;
  wh_schema schema;
  session sessions[WH_RANGES_MAX];
  size_t count, open; // sessions; those that have not ended
  wh_queue full;      // of slots, from all of them
  uint64_t rows;      // given out, rejected ones too
} range_reader;

// --- Rejected rows -------------------------------------------------------------------------------

static wh_status keep_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                          size_t row, wh_error *err) {
  (void)self, (void)reject, (void)batch, (void)row;
  return wh_fail(err, WH_ERR_BUG, "a source rejected a row of a batch");
}

static wh_status grow_rejects(kept_rejects *k, wh_error *err) {
  if (k->count < k->cap) return WH_OK;
  size_t cap = k->cap ? 2 * k->cap : 16;
  kept_reject *items = WH_NEW_ARRAY(&k->arena, cap, kept_reject);
  if (!items) return wh_fail_memory(err);
  if (k->count) memcpy(items, k->items, k->count * sizeof *items);
  k->items = items;
  k->cap = cap;
  return WH_OK;
}

static wh_status keep_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  kept_rejects *k = (kept_rejects *)self;
  WH_TRY(grow_rejects(k, err));
  kept_reject *item = &k->items[k->count];
  *item = (kept_reject){.reject = {.rule = wh_arena_str(&k->arena, reject->rule),
                                   .column = wh_arena_str(&k->arena, reject->column),
                                   .reason = wh_arena_str(&k->arena, reject->reason),
                                   .place = reject->place},
                        .text = wh_arena_str(&k->arena, text)};
  const wh_reject *r = &item->reject;
  if (!r->rule.data || !r->column.data || !r->reason.data || !item->text.data)
    return wh_fail_memory(err);
  k->count++;
  return WH_OK;
}

static void forget_rejects(kept_rejects *k) {
  wh_arena_reset(&k->arena);
  k->items = NULL;
  k->count = k->cap = 0;
}

// --- Sessions ------------------------------------------------------------------------------------

static void fill(session *s, slot *into) {
  const wh_row_reader *rows = (const wh_row_reader *)s->reader;
  wh_batch_reset(&into->batch);
  forget_rejects(&into->rejects);
  into->rows_before = rows->rows;
  uint64_t bytes = s->reader->bytes_read;
  into->error = (wh_error){0};
  into->status = s->reader->next(s->reader, &into->batch, &into->rejects.base, &into->error);
  into->rows = rows->rows - into->rows_before;
  into->bytes_read = s->reader->bytes_read - bytes;
  into->is_last = into->status != WH_OK || !s->reader->paused;
}

static void *read_range(void *context) {
  session *s = context;
  void *next;
  while (wh_queue_pop(&s->free, &next)) {
    slot *into = next;
    fill(s, into);
    bool is_last = into->is_last; // once it is pushed, it is somebody else's
    if (!wh_queue_push(&s->whole->full, into) || is_last) break;
  }
  return NULL;
}

// --- Giving out ----------------------------------------------------------------------------------

// Rows count on through the whole, in the order in which their batches come.
static wh_status give_rejects(const slot *from, uint64_t shift, wh_rejects *rejects,
                              wh_error *err) {
  for (size_t i = 0; i < from->rejects.count; i++) {
    kept_reject item = from->rejects.items[i];
    item.reject.place.row += shift;
    WH_TRY(rejects->raw(rejects, &item.reject, item.text, err));
  }
  return WH_OK;
}

static wh_status give(range_reader *r, slot *from, wh_batch *batch, wh_rejects *rejects,
                      wh_error *err) {
  if (from->status != WH_OK) {
    if (err) *err = from->error;
    return from->status;
  }
  uint64_t shift = r->rows - from->rows_before; // may wrap: it is added
  WH_TRY(give_rejects(from, shift, rejects, err));
  // The caller's batch may have more columns than ours: only ours change places.
  wh_batch taken = from->batch;
  wh_column *own = batch->columns;
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_column column = own[i];
    own[i] = taken.columns[i];
    taken.columns[i] = column;
  }
  from->batch = *batch;
  from->batch.columns = taken.columns;
  *batch = taken;
  batch->columns = own;
  batch->first_row += shift;
  for (size_t i = 0; batch->places && i < batch->rows; i++)
    batch->places[i].row += shift;
  r->rows += from->rows;
  r->base.bytes_read += from->bytes_read;
  return WH_OK;
}

static wh_status range_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  range_reader *r = (range_reader *)base;
  while (r->open) {
    void *next;
    if (!wh_queue_pop(&r->full, &next))
      return wh_fail(err, WH_ERR_BUG, "the sessions of a reader are gone");
    slot *from = next;
    bool rejected = from->rejects.count > 0; // goes on before more is gathered
    WH_TRY(give(r, from, batch, rejects, err));
    if (from->is_last)
      r->open--;
    else
      (void)wh_queue_push(&from->session->free, from);
    base->paused = r->open > 0;
    if (batch->rows || rejected) return WH_OK;
  }
  base->paused = false;
  return WH_OK;
}

static void close_session(session *s) {
  wh_queue_free(&s->free);
  for (size_t i = 0; i < SLOTS_EACH; i++) {
    if (s->slots[i].has_batch) wh_batch_free(&s->slots[i].batch);
    wh_arena_free(&s->slots[i].rejects.arena);
  }
  if (s->reader) wh_reader_close(s->reader);
}

static void range_close(wh_reader *base) {
  range_reader *r = (range_reader *)base;
  if (!r) return;
  wh_queue_cancel(&r->full);
  for (size_t i = 0; i < r->count; i++)
    wh_queue_cancel(&r->sessions[i].free);
  for (size_t i = 0; i < r->count; i++)
    if (r->sessions[i].has_thread) pthread_join(r->sessions[i].thread, NULL);
  for (size_t i = 0; i < r->count; i++)
    close_session(&r->sessions[i]);
  wh_queue_free(&r->full);
  wh_arena_free(&r->arena);
  wh_mem_free(r->mem, r, sizeof *r);
}

// --- Where to cut --------------------------------------------------------------------------------

typedef struct no_rejects {
  wh_rejects base;
  bool any;
} no_rejects;

static wh_status note_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)reject, (void)text, (void)err;
  ((no_rejects *)self)->any = true;
  return WH_OK;
}

static wh_status first_row(wh_reader *reader, wh_batch *batch, wh_arena *arena, wh_value ret[2],
                           bool *ret_found, wh_error *err) {
  no_rejects rejects = {.base = {.raw = note_raw, .row = keep_row}};
  *ret_found = false;
  WH_TRY(reader->next(reader, batch, &rejects.base, err));
  if (batch->rows != 1 || batch->schema->count != 2) return WH_OK; // a value that no row could have
  for (size_t i = 0; i < 2; i++) {
    wh_value v;
    wh_status status = wh_value_get(&batch->columns[i], 0, &v, err);
    if (status == WH_ERR_TYPE) return WH_OK;
    if (status != WH_OK) return status;
    WH_TRY(wh_value_copy(&v, arena, &ret[i], err));
  }
  *ret_found = true;
  return WH_OK;
}

// Where types are known by the column alone (SQLite), the answer may be of another.
static wh_status make_typed(wh_value *v, const wh_type *type, wh_arena *arena, bool *ret_found,
                            wh_error *err) {
  if (v->is_null || v->type.kind == type->kind) return WH_OK;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, arena->mem, 0);
  wh_value_write(v, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_error ignored = {0};
  wh_status status = wh_value_parse(wh_buf_str(&text), type, arena, v, &ignored);
  *ret_found = status == WH_OK;
  return status == WH_ERR_MEMORY ? wh_fail_memory(err) : WH_OK;
}

// The lowest and the highest key, read as any query is.
static wh_status find_extremes(wh_connection *c, const wh_source_query *query, const wh_field *key,
                               wh_arena *arena, wh_value ret[2], bool *ret_found, wh_error *err) {
  const wh_source_type *source = c->type->source;
  wh_source_query ask = {.snapshot = query->snapshot};
  wh_source_info info;
  wh_reader *reader;
  wh_batch batch;
  WH_TRY(source->extremes(c, query->table, key->name, arena, &ask.query, err));
  WH_TRY(source->describe(c, &ask, arena, &info, err));
  WH_TRY(source->open(c, &ask, &info.schema, &reader, err));
  wh_status status = wh_batch_init(&batch, c->mem, reader->schema, err);
  if (status == WH_OK) {
    status = first_row(reader, &batch, arena, ret, ret_found, err);
    for (size_t i = 0; status == WH_OK && *ret_found && i < 2; i++)
      status = make_typed(&ret[i], &key->type, arena, ret_found, err);
    wh_batch_free(&batch);
  }
  wh_reader_close(reader);
  return status;
}

// --- Opening -------------------------------------------------------------------------------------

// Each session has its share of what all of them may take.
static size_t share_of_batches(const range_reader *r, const wh_source_query *query, size_t count) {
  size_t room = r->mem->limit ? r->mem->limit / SHARE_OF_MEMORY : ROOM_DEFAULT;
  size_t bytes = room / (SLOTS_EACH * count);
  size_t most = query->batch_bytes ? query->batch_bytes : r->connection.batch_bytes;
  if (most == 0) most = WH_BATCH_BYTES_DEFAULT;
  if (bytes < BATCH_BYTES_MIN) bytes = BATCH_BYTES_MIN;
  return bytes < most ? bytes : most;
}

static wh_status open_session(range_reader *r, const wh_source_query *query, wh_error *err) {
  session *s = &r->sessions[r->count++];
  s->whole = r;
  WH_TRY(wh_queue_init(&s->free, r->mem, SLOTS_EACH, err));
  for (size_t i = 0; i < SLOTS_EACH; i++) {
    slot *each = &s->slots[i];
    *each = (slot){.session = s, .rejects.base = {.row = keep_row, .raw = keep_raw}};
    wh_arena_init(&each->rejects.arena, r->mem);
    WH_TRY(wh_batch_init(&each->batch, r->mem, &r->schema, err));
    each->has_batch = true;
    (void)wh_queue_push(&s->free, each);
  }
  return r->connection.type->source->open(&r->connection, query, &r->schema, &s->reader, err);
}

static wh_status open_sessions(range_reader *r, const wh_source_query *query, const wh_field *key,
                               const wh_value *bounds, size_t bound_count, wh_error *err) {
  size_t sessions = bound_count + 1, batch_bytes = share_of_batches(r, query, sessions);
  r->connection.row_limit_bytes /= sessions;
  for (size_t i = 0; i <= bound_count; i++) {
    wh_range range = {.column = key->name,
                      .low = i > 0 ? &bounds[i - 1] : NULL,
                      .high = i < bound_count ? &bounds[i] : NULL,
                      .sharers = sessions};
    wh_source_query own = *query;
    own.batch_bytes = batch_bytes;
    if (bound_count) own.range = &range;
    WH_TRY(open_session(r, &own, err));
  }
  return wh_queue_init(&r->full, r->mem, SLOTS_EACH * sessions, err);
}

static wh_status start_threads(range_reader *r, wh_error *err) {
  for (size_t i = 0; i < r->count; i++) {
    session *s = &r->sessions[i];
    int error = pthread_create(&s->thread, NULL, read_range, s);
    if (error) return wh_fail(err, wh_status_from_errno(error), "cannot start a thread");
    s->has_thread = true;
    r->open++;
  }
  return WH_OK;
}

wh_status wh_range_cut(wh_connection *c, const wh_source_query *query, const wh_field *key,
                       size_t count, wh_arena *arena, wh_value ret[WH_RANGES_MAX],
                       size_t *ret_count, wh_error *err) {
  wh_value extremes[2];
  bool found;
  *ret_count = 0;
  WH_TRY(find_extremes(c, query, key, arena, extremes, &found, err));
  if (!found) return WH_OK;
  if (count > WH_RANGES_MAX) count = WH_RANGES_MAX;
  return wh_range_bounds(&extremes[0], &extremes[1], count, arena, ret, ret_count, err);
}

static wh_status open_all(range_reader *r, const wh_source_query *query, const wh_field *key,
                          size_t count, wh_error *err) {
  wh_value bounds[WH_RANGES_MAX];
  size_t bound_count;
  WH_TRY(wh_range_cut(&r->connection, query, key, count, &r->arena, bounds, &bound_count, err));
  return open_sessions(r, query, key, bounds, bound_count, err);
}

static wh_status new_reader(wh_connection *c, const wh_schema *schema, range_reader **ret,
                            wh_error *err) {
  range_reader *r = wh_mem_alloc_zero(c->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->base = (wh_reader){.next = range_next, .close = range_close, .schema = &r->schema};
  r->connection = *c;
  r->mem = c->mem;
  wh_arena_init(&r->arena, c->mem);
  *ret = r;
  return wh_schema_copy(schema, &r->arena, &r->schema, err);
}

wh_status wh_range_reader_open(wh_connection *c, const wh_source_query *query,
                               const wh_schema *schema, const wh_field *key, size_t count,
                               wh_ranges *ret_ranges, wh_reader **ret, wh_error *err) {
  const wh_source_type *source = c->type->source;
  range_reader *r = NULL;
  wh_snapshot *snapshot = NULL;
  wh_source_query own = *query;
  wh_status status = new_reader(c, schema, &r, err);
  if (status == WH_OK && source->share) status = source->share(c, &snapshot, err);
  if (snapshot) own.snapshot = snapshot->id;
  if (status == WH_OK) status = open_all(r, &own, key, count, err);
  if (snapshot) snapshot->close(snapshot); // each session has it by now
  if (status == WH_OK) status = start_threads(r, err);
  if (status != WH_OK) {
    range_close(r ? &r->base : NULL);
    return status;
  }
  *ret_ranges = (wh_ranges){.count = r->count, .one_snapshot = r->count == 1 || source->share};
  *ret = &r->base;
  return WH_OK;
}
