#include "data/sorter.h"

#include <assert.h>
#include <stdlib.h>

enum {
  NAME_RANDOM_BYTES = 8,
  LENGTH_BYTES = 4, // in front of a record in the file
  ENTRIES_FIRST = 256,
  LIMIT_MIN = 16 * 1024,
  LIMIT_MAX = 1 << 30, // offsets are 32 bit
  WRITE_BYTES = 64 * 1024,
};

// A record in memory: its first bytes as a number that sorts as they do, and where it is.
typedef struct entry {
  uint64_t head;
  uint32_t at, len;
} entry;

// What was sorted at one time: a stretch of the file, and a window of it.
typedef struct run {
  uint64_t from, to; // of the file: what the window does not have yet
  char *window;
  size_t at, len; // of the window
  wh_str record;  // the lowest that was not given out
} run;

struct wh_sorter {
  wh_os *os;
  wh_mem *mem;
  wh_arena arena;
  char *scratch;
  size_t limit;
  wh_buf bytes; // of the records in memory
  entry *entries;
  size_t count, cap;
  size_t longest; // record
  bool reading;
  size_t next; // of the entries, where nothing went to the file
  wh_buf last; // what was given out
  bool any;

  char *path;
  wh_file *file;
  uint64_t written;
  run *runs;
  size_t run_count, run_cap;
  size_t window_size;
  uint32_t *heap; // of the runs that have a record, the lowest first
  size_t heap_count;
};

// --- Opening and closing -------------------------------------------------------------------------

wh_status wh_sorter_open(wh_os *os, wh_mem *mem, wh_str scratch, size_t limit_bytes,
                         wh_sorter **ret, wh_error *err) {
  wh_sorter *s = wh_mem_alloc_zero(mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->os = os;
  s->mem = mem;
  s->limit = limit_bytes > LIMIT_MIN ? limit_bytes : LIMIT_MIN;
  if (s->limit > LIMIT_MAX) s->limit = LIMIT_MAX;
  wh_arena_init(&s->arena, mem);
  wh_buf_init(&s->bytes, mem, 0);
  wh_buf_init(&s->last, mem, 0);
  s->scratch = wh_arena_cstr(&s->arena, scratch);
  if (!s->scratch) {
    wh_sorter_close(s);
    return wh_fail_memory(err);
  }
  *ret = s;
  return WH_OK;
}

static void free_windows(wh_sorter *s) {
  for (size_t i = 0; i < s->run_count; i++)
    wh_mem_free(s->mem, s->runs[i].window, s->runs[i].window ? s->window_size : 0);
}

static void free_entries(wh_sorter *s) {
  wh_mem_free(s->mem, s->entries, s->cap * sizeof *s->entries);
  s->entries = NULL;
  s->count = s->cap = 0;
  wh_buf_free(&s->bytes);
  wh_buf_init(&s->bytes, s->mem, 0);
}

void wh_sorter_close(wh_sorter *s) {
  if (!s) return;
  free_windows(s);
  free_entries(s);
  wh_mem_free(s->mem, s->runs, s->run_cap * sizeof *s->runs);
  wh_mem_free(s->mem, s->heap, s->heap ? s->run_count * sizeof *s->heap : 0);
  wh_file_close(s->file);
  if (s->path) WH_IGNORE(s->os->type->remove(s->os, s->path, NULL));
  wh_buf_free(&s->last);
  wh_arena_free(&s->arena);
  wh_mem_free(s->mem, s, sizeof *s);
}

// --- In memory -----------------------------------------------------------------------------------

static uint64_t head_of(wh_str record) {
  uint64_t head = 0;
  memcpy(&head, record.data, record.len < sizeof head ? record.len : sizeof head);
  return __builtin_bswap64(head);
}

static wh_str entry_record(const wh_sorter *s, const entry *e) {
  return wh_str_n(s->bytes.data + e->at, e->len);
}

static int compare_bytes(wh_str a, wh_str b) {
  size_t len = a.len < b.len ? a.len : b.len;
  int order = len ? memcmp(a.data, b.data, len) : 0;
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b, void *context) {
  const entry *x = a, *y = b;
  if (x->head != y->head) return x->head < y->head ? -1 : 1;
  return compare_bytes(entry_record(context, x), entry_record(context, y));
}

static void sort_entries(wh_sorter *s) {
  if (s->count > 1) qsort_r(s->entries, s->count, sizeof *s->entries, compare_entries, s);
}

static wh_status add_entry(wh_sorter *s, wh_str record, wh_error *err) {
  if (s->count == s->cap) {
    size_t cap = s->cap ? s->cap * 2 : ENTRIES_FIRST, size = sizeof *s->entries;
    entry *grown = wh_mem_realloc(s->mem, s->entries, s->cap * size, cap * size);
    if (!grown) return wh_fail_memory(err);
    s->entries = grown;
    s->cap = cap;
  }
  entry e = {head_of(record), (uint32_t)s->bytes.len, (uint32_t)record.len};
  wh_buf_add_str(&s->bytes, record);
  WH_TRY(wh_buf_check(&s->bytes, err));
  s->entries[s->count++] = e;
  return WH_OK;
}

// --- To the file ---------------------------------------------------------------------------------

static wh_status create_file(wh_sorter *s, wh_error *err) {
  uint64_t number;
  static_assert(sizeof number == NAME_RANDOM_BYTES, "");
  WH_TRY(s->os->type->random(s->os, &number, sizeof number, err));
  char name[sizeof "sort-" + 2 * NAME_RANDOM_BYTES];
  snprintf(name, sizeof name, "sort-%016llx", (unsigned long long)number);
  WH_TRY(wh_os_make_path(s->os, s->scratch, err));
  char *path = wh_path_join(&s->arena, s->scratch, name);
  if (!path) return wh_fail_memory(err);
  int flags = WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE | WH_OPEN_PRIVATE;
  WH_TRY(wh_os_open(s->os, path, flags, &s->file, err));
  s->path = path;
  return WH_OK;
}

static wh_status flush(wh_sorter *s, wh_buf *out, wh_error *err) {
  WH_TRY(wh_buf_check(out, err));
  WH_TRY(s->file->type->write_at(s->file, s->written, out->data, out->len, err));
  s->written += out->len;
  wh_buf_clear(out);
  return WH_OK;
}

static wh_status write_entries(wh_sorter *s, wh_buf *out, wh_error *err) {
  for (size_t i = 0; i < s->count; i++) {
    uint32_t len = s->entries[i].len;
    wh_buf_add(out, &len, sizeof len);
    wh_buf_add_str(out, entry_record(s, &s->entries[i]));
    if (out->len >= WRITE_BYTES) WH_TRY(flush(s, out, err));
  }
  return out->len ? flush(s, out, err) : WH_OK;
}

static wh_status add_run(wh_sorter *s, wh_error *err) {
  if (s->run_count == WH_SORTER_RUNS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "there are more keys than can be sorted within `memory`");
  if (s->run_count == s->run_cap) {
    size_t cap = s->run_cap ? s->run_cap * 2 : 8, size = sizeof *s->runs;
    run *grown = wh_mem_realloc(s->mem, s->runs, s->run_cap * size, cap * size);
    if (!grown) return wh_fail_memory(err);
    s->runs = grown;
    s->run_cap = cap;
  }
  if (!s->file) WH_TRY(create_file(s, err));
  uint64_t from = s->written;
  sort_entries(s);
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, s->mem, 0);
  WH_TRY(write_entries(s, &out, err));
  s->runs[s->run_count++] = (run){.from = from, .to = s->written};
  s->count = 0;
  wh_buf_clear(&s->bytes);
  return WH_OK;
}

wh_status wh_sorter_add(wh_sorter *s, wh_str record, wh_error *err) {
  assert(!s->reading);
  if (record.len > WH_SORTER_RECORD_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "a key of %zu bytes; at most %d can be sorted", record.len,
                   WH_SORTER_RECORD_MAX);
  // Buffers that double may be that much too large: twice what is in them counts.
  size_t taken = 2 * (s->bytes.len + record.len + (s->count + 1) * sizeof *s->entries);
  if (s->count && taken > s->limit) WH_TRY(add_run(s, err));
  if (record.len > s->longest) s->longest = record.len;
  return add_entry(s, record, err);
}

// --- Merging -------------------------------------------------------------------------------------

// Gets the window to hold at least `need` more bytes, as far as the run has them.
static wh_status fill_window(wh_sorter *s, run *r, size_t need, wh_error *err) {
  if (r->len - r->at >= need || r->from == r->to) return WH_OK;
  memmove(r->window, r->window + r->at, r->len - r->at);
  r->len -= r->at;
  r->at = 0;
  size_t room = s->window_size - r->len;
  if (room > r->to - r->from) room = (size_t)(r->to - r->from);
  WH_TRY(s->file->type->read_at(s->file, r->from, r->window + r->len, room, err));
  r->from += room;
  r->len += room;
  return WH_OK;
}

// The run's next record; *ret_end: it has no more.
static wh_status advance(wh_sorter *s, run *r, bool *ret_end, wh_error *err) {
  WH_TRY(fill_window(s, r, LENGTH_BYTES, err));
  *ret_end = r->at == r->len;
  if (*ret_end) return WH_OK;
  uint32_t len;
  memcpy(&len, r->window + r->at, sizeof len);
  WH_TRY(fill_window(s, r, LENGTH_BYTES + len, err));
  if (r->len - r->at < LENGTH_BYTES + len)
    return wh_fail(err, WH_ERR_DATA, "%s is shorter than what was written to it", s->path);
  r->record = wh_str_n(r->window + r->at + LENGTH_BYTES, len);
  r->at += LENGTH_BYTES + len;
  return WH_OK;
}

static bool is_lower(const wh_sorter *s, uint32_t a, uint32_t b) {
  return compare_bytes(s->runs[a].record, s->runs[b].record) < 0;
}

static void sink_down(wh_sorter *s, size_t at) {
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= s->heap_count) return;
    if (child + 1 < s->heap_count && is_lower(s, s->heap[child + 1], s->heap[child])) child++;
    if (!is_lower(s, s->heap[child], s->heap[at])) return;
    uint32_t other = s->heap[child];
    s->heap[child] = s->heap[at];
    s->heap[at] = other;
    at = child;
  }
}

static wh_status begin_merge(wh_sorter *s, wh_error *err) {
  WH_TRY(add_run(s, err));
  free_entries(s);
  s->window_size = s->limit / s->run_count;
  size_t least = s->longest + LENGTH_BYTES;
  if (s->window_size < least) s->window_size = least;
  s->heap = wh_mem_alloc(s->mem, s->run_count * sizeof *s->heap);
  if (!s->heap) return wh_fail_memory(err);
  for (size_t i = 0; i < s->run_count; i++) {
    bool end;
    s->runs[i].window = wh_mem_alloc(s->mem, s->window_size);
    if (!s->runs[i].window) return wh_fail_memory(err);
    WH_TRY(advance(s, &s->runs[i], &end, err));
    if (!end) s->heap[s->heap_count++] = (uint32_t)i;
  }
  for (size_t i = s->heap_count / 2; i-- > 0;)
    sink_down(s, i);
  return WH_OK;
}

// The lowest record of all runs, into `last`.
static wh_status take_lowest(wh_sorter *s, wh_error *err) {
  if (s->heap_count == 0) return WH_ERR_END;
  run *r = &s->runs[s->heap[0]];
  wh_buf_clear(&s->last);
  wh_buf_add_str(&s->last, r->record);
  WH_TRY(wh_buf_check(&s->last, err));
  bool end;
  WH_TRY(advance(s, r, &end, err));
  if (end) s->heap[0] = s->heap[--s->heap_count];
  sink_down(s, 0);
  return WH_OK;
}

// --- Reading -------------------------------------------------------------------------------------

static wh_status next_in_memory(wh_sorter *s, wh_str *ret) {
  for (; s->next < s->count; s->next++) {
    wh_str record = entry_record(s, &s->entries[s->next]);
    bool again = s->next && wh_str_eq(record, entry_record(s, &s->entries[s->next - 1]));
    if (again) continue;
    s->next++;
    *ret = record;
    return WH_OK;
  }
  return WH_ERR_END;
}

wh_status wh_sorter_next(wh_sorter *s, wh_str *ret, wh_error *err) {
  if (!s->reading) {
    s->reading = true;
    if (s->file)
      WH_TRY(begin_merge(s, err));
    else
      sort_entries(s);
  }
  if (!s->file) return next_in_memory(s, ret);
  for (;;) {
    bool again =
        s->any && s->heap_count && wh_str_eq(s->runs[s->heap[0]].record, wh_buf_str(&s->last));
    WH_TRY(take_lowest(s, err));
    if (again) continue;
    s->any = true;
    *ret = wh_buf_str(&s->last);
    return WH_OK;
  }
}
