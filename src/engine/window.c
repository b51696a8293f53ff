#include "engine/window.h"

#include "data/deleted.h"
#include "data/rowhash.h"

#include <stdlib.h>

void wh_window_init(wh_window *w, wh_mem *mem) {
  *w = (wh_window){.mem = mem};
}

void wh_window_free(wh_window *w) {
  if (w->entries) wh_mem_free(w->mem, w->entries, w->cap * sizeof *w->entries);
  w->entries = NULL;
  w->count = w->cap = 0;
}

// The value as a position on the cursor's line; false: it has none (NULL, or not a number or time).
static bool position(const wh_value *value, int64_t *ret) {
  if (value->is_null) return false;
  switch (value->type.kind) {
  case WH_DATE:
    *ret = value->as.i * 86400 * 1000000;
    return true;
  case WH_TIMESTAMP:
    if (wh_unit_convert(value->as.i, value->type.unit, WH_UNIT_US, ret)) return true;
    // Finer than a microsecond: the position rounds down, which only reads a little more.
    *ret = value->as.i / 1000 - (value->as.i % 1000 < 0);
    return true;
  case WH_UINT64:
    *ret = value->as.u > INT64_MAX ? INT64_MAX - 1 : (int64_t)value->as.u;
    return true;
  default:
    if (!wh_kind_is_int(value->type.kind)) return false;
    *ret = value->type.kind >= WH_UINT8 ? (int64_t)value->as.u : value->as.i;
    return true;
  }
}

static int64_t minus(int64_t a, int64_t b) {
  int64_t difference;
  return __builtin_sub_overflow(a, b, &difference) ? (b > 0 ? INT64_MIN : INT64_MAX) : difference;
}

// Rows below this will not be in the next window, whatever comes.
static int64_t threshold(const wh_window *w) {
  int64_t last = w->any && w->highest < w->clock ? w->highest : w->clock;
  int64_t start = minus(last, w->overlap);
  if (w->step == 0 || start < INT64_MIN + w->step) return start;
  return start - (start % w->step + w->step) % w->step;
}

static void forget_old(wh_window *w) {
  int64_t least = threshold(w);
  size_t kept = 0;
  for (size_t i = 0; i < w->count; i++) {
    if (w->entries[i].at >= least) w->entries[kept++] = w->entries[i];
  }
  w->count = kept;
}

static wh_status remember(wh_window *w, int64_t at, uint64_t hash, wh_error *err) {
  if (w->cut) return WH_OK;
  if (w->count == w->cap) {
    forget_old(w);
    if (w->count > WH_WINDOW_HASHES_MAX) {
      w->cut = true;
      return WH_OK;
    }
    if (w->count * 2 > w->cap || w->cap == 0) {
      size_t cap = w->cap ? w->cap * 2 : 1024;
      void *grown =
          wh_mem_realloc(w->mem, w->entries, w->cap * sizeof *w->entries, cap * sizeof *w->entries);
      if (!grown) return wh_fail_memory(err);
      w->entries = grown;
      w->cap = cap;
    }
  }
  w->entries[w->count++] = (struct wh_window_entry){.at = at, .hash = hash};
  return WH_OK;
}

static bool is_known(const wh_window *w, uint64_t hash) {
  size_t low = 0, high = w->known_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (w->known[middle] < hash)
      low = middle + 1;
    else
      high = middle;
  }
  return low < w->known_count && w->known[low] == hash;
}

// Notes the cursor value of a row that was read, whether or not it goes on; *ret_at is where it
// lies.
static wh_status note_row(wh_window *w, const wh_column *cursor, size_t row, int64_t *ret_at,
                          wh_error *err) {
  wh_value value;
  WH_TRY(wh_value_get(cursor, row, &value, err));
  if (!position(&value, ret_at)) {
    *ret_at = INT64_MAX;
    return WH_OK;
  }
  if (w->any && *ret_at <= w->highest) return WH_OK;
  w->any = true;
  w->highest = *ret_at;
  w->highest_value = value;
  return WH_OK;
}

static wh_status note_highest(wh_window *w, const wh_column *cursor, size_t rows, wh_error *err) {
  int64_t at;
  for (size_t i = 0; i < rows; i++)
    WH_TRY(note_row(w, cursor, i, &at, err));
  return WH_OK;
}

wh_status wh_window_pass(wh_window *w, const wh_batch *read, const wh_batch *out, uint8_t *keep,
                         uint64_t *ret_unchanged, wh_error *err) {
  ptrdiff_t index = wh_schema_find(read->schema, w->cursor);
  if (index < 0) {
    return wh_fail(err, WH_ERR_BUG, "the cursor column was not read");
  }
  const wh_column *cursor = &read->columns[index];
  WH_TRY(note_highest(w, cursor, read->rows, err));
  if (!keep) return WH_OK;
  int64_t least = threshold(w);
  uint64_t unchanged = 0;
  size_t from = 0;
  ptrdiff_t deleted = wh_deleted_column(out->schema);
  for (size_t i = 0; i < out->rows; i++) {
    if (wh_row_is_deleted(out, deleted, i)) continue; // has no place in any window
    // Both batches are in the order of their row numbers.
    uint64_t number = wh_batch_place(out, i).row;
    while (from < read->rows && wh_batch_place(read, from).row < number)
      from++;
    if (from == read->rows || wh_batch_place(read, from).row != number) continue;
    wh_value value;
    int64_t at;
    WH_TRY(wh_value_get(cursor, from, &value, err));
    if (!position(&value, &at)) at = INT64_MAX;
    bool may_be_known = w->known_count > 0;
    if (at < least && !may_be_known) continue;
    uint64_t hash = wh_row_hash(out, i);
    if (at >= least) WH_TRY(remember(w, at, hash, err));
    if (may_be_known && is_known(w, hash)) {
      wh_bit_clear(keep, i);
      unchanged++;
    }
  }
  *ret_unchanged = unchanged;
  return WH_OK;
}

// So that a rejected row is not taken for the same row when it was sent.
#define REJECTED_SALT 0x9E3779B97F4A7C15u

wh_status wh_window_reject(wh_window *w, const wh_batch *read, size_t row, bool *ret_known,
                           wh_error *err) {
  ptrdiff_t index = wh_schema_find(read->schema, w->cursor);
  if (index < 0) return wh_fail(err, WH_ERR_BUG, "the cursor column was not read");
  int64_t at;
  *ret_known = false;
  if (wh_row_is_deleted(read, wh_deleted_column(read->schema), row)) return WH_OK;
  WH_TRY(note_row(w, &read->columns[index], row, &at, err));
  uint64_t hash = wh_row_hash(read, row) ^ REJECTED_SALT;
  *ret_known = is_known(w, hash);
  return at >= threshold(w) ? remember(w, at, hash, err) : WH_OK;
}

wh_status wh_window_merge(wh_window *w, const wh_value *highest, bool cut,
                          const struct wh_window_entry *entries, size_t count, wh_error *err) {
  int64_t at;
  if (highest && position(highest, &at) && (!w->any || at > w->highest)) {
    w->any = true;
    w->highest = at;
    w->highest_value = *highest;
  }
  w->cut = w->cut || cut;
  int64_t least = threshold(w);
  for (size_t i = 0; i < count; i++)
    if (entries[i].at >= least) WH_TRY(remember(w, entries[i].at, entries[i].hash, err));
  return WH_OK;
}

static int compare_hashes(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

wh_status wh_window_finish(wh_window *w, const wh_cursor *previous, wh_arena *arena, wh_cursor *ret,
                           wh_error *err) {
  wh_cursor cursor = {.found = w->any || previous->found, .last = previous->last};
  int64_t before;
  bool higher =
      w->any && (!previous->found || !position(&previous->last, &before) || w->highest > before);
  if (higher) {
    cursor.last = w->highest_value;
  } else if (previous->found && position(&previous->last, &before)) {
    // The next window starts from the previous value: keep what lies above that.
    w->any = true;
    w->highest = before;
  }
  forget_old(w);
  cursor.window_cut = w->cut || w->count > WH_WINDOW_HASHES_MAX;
  if (!cursor.window_cut && w->count) {
    uint64_t *hashes = WH_NEW_ARRAY(arena, w->count, uint64_t);
    if (!hashes) return wh_fail_memory(err);
    for (size_t i = 0; i < w->count; i++)
      hashes[i] = w->entries[i].hash;
    qsort(hashes, w->count, sizeof *hashes, compare_hashes);
    cursor.window = hashes;
    cursor.window_count = w->count;
  }
  *ret = cursor;
  return WH_OK;
}

wh_status wh_window_start(const wh_value *last, int64_t clock_us, int64_t overlap_us, wh_value *ret,
                          wh_error *err) {
  wh_value start = *last;
  int64_t at;
  if (!position(last, &at)) {
    return wh_fail(err, WH_ERR_TYPE, "a cursor must be a time or a whole number");
  }
  switch (last->type.kind) {
  case WH_DATE: {
    int64_t us = minus(at < clock_us ? at : clock_us, overlap_us);
    int64_t day = 86400ll * 1000000;
    start.as.i = us / day - (us % day < 0);
    break;
  }
  case WH_TIMESTAMP: {
    int64_t us = minus(at < clock_us ? at : clock_us, overlap_us);
    if (!wh_unit_convert(us, WH_UNIT_US, last->type.unit, &start.as.i)) {
      // Coarser unit: round down.
      int64_t per = 1000000 / wh_unit_per_second(last->type.unit);
      start.as.i = us / per - (us % per < 0);
    }
    break;
  }
  default:
    break; // a number has no clock: rows equal to the last value are read again
  }
  *ret = start;
  return WH_OK;
}
