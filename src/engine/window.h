// The overlap of a windowed cursor. Every run reads the last minutes again, so that a row which
// committed late is not missed; rows of it that were sent already, unchanged, are left out by
// comparing their hashes with those the run before remembered. What is remembered is exactly what
// this run read in the next window, sent or not: so a row that goes from A to B and back to A is
// sent each time.
#pragma once

#include "engine/engine.h"

typedef struct wh_window {
  wh_mem *mem;
  wh_str cursor;         // source column
  int64_t step;          // of the next start, which is rounded down to it, in microseconds: a day
                         // for dates, the unit of timestamps; 0 or 1 where nothing is rounded
  int64_t overlap;       // in units of the cursor's type (microseconds for timestamps)
  int64_t clock;         // of the source, in the same units; INT64_MAX where it has no clock
  int64_t clock_us;      // the same clock in UTC
  const uint64_t *known; // hashes that were sent, sorted; borrowed from the ledger's cursor
  size_t known_count;
  // what this run saw
  bool any;
  int64_t highest;        // cursor value, in microseconds for temporal types
  wh_value highest_value; // as it was read
  struct wh_window_entry {
    int64_t at; // INT64_MAX: NULL or not comparable, always in the window
    uint64_t hash;
  } * entries;
  size_t count, cap;
  bool cut;
} wh_window;

void wh_window_init(wh_window *w, wh_mem *mem);
void wh_window_free(wh_window *w);
// Looks at the rows of `out` (after the gate), which were read as rows of `read`; clears the bit of
// `keep` of each row that was sent before. `keep` has all bits set on entry; NULL when `out` has no
// rows.
wh_status wh_window_pass(wh_window *w, const wh_batch *read, const wh_batch *out, uint8_t *keep,
                         uint64_t *ret_unchanged, wh_error *err);
// A row of `read` is rejected. *ret_known: it was before, as it is, and waits in the quarantine (or
// was dropped from there); else it is remembered like a row that was sent.
wh_status wh_window_reject(wh_window *w, const wh_batch *read, size_t row, bool *ret_known,
                           wh_error *err);
// What another window saw of rows that this one did not, as if they had come here: its highest
// value (NULL: none), and what it remembers, which may be more than this one would. The entries may
// come a few at a time.
wh_status wh_window_merge(wh_window *w, const wh_value *highest, bool cut,
                          const struct wh_window_entry *entries, size_t count, wh_error *err);
// The cursor to store: highest value, and the hashes of the rows at or above the next start.
// `previous` is kept where this run saw nothing higher. Strings and hashes in the arena.
wh_status wh_window_finish(wh_window *w, const wh_cursor *previous, wh_arena *arena, wh_cursor *ret,
                           wh_error *err);
// Where the next run of a cursor starts: the smaller of last and clock, less the overlap.
wh_status wh_window_start(const wh_value *last, int64_t clock_us, int64_t overlap_us, wh_value *ret,
                          wh_error *err);
