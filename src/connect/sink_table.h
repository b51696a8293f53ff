// What the sinks of tables have in common, whatever the database: what they ask of a target and of
// a row before it goes there, and what they write down of a load.
#pragma once

#include "base/buf.h"
#include "connect/sink.h"

typedef struct wh_sink_rows {
  const wh_schema *schema;
  const size_t *key; // indexes of columns that must have a value
  size_t key_count;
  ptrdiff_t version;    // index of newest_by, or -1
  bool limits_version;  // versions are times: later ones than this are mistakes
  int64_t last_version; // in the version column's unit
} wh_sink_rows;

// For one load: versions more than a day after `now_us` are mistakes. Borrows schema and key.
wh_sink_rows wh_sink_rows_of(const wh_schema *schema, const size_t *key, size_t key_count,
                             ptrdiff_t version, int64_t now_us);
// Whether the row cannot take part; then *ret says why (its place is the row's).
bool wh_sink_row_is_bad(const wh_sink_rows *r, const wh_batch *batch, size_t row, wh_reject *ret);

// The names and the key of a target, before its table is looked at. `product` cannot tell names
// apart that differ in case only (NULL: it can); tables whose names begin with `reserved` are its
// own (NULL: none are).
wh_status wh_target_check(const wh_connection *c, const wh_target *target, const char *product,
                          const char *reserved, wh_error *err);
// The index of a column that rows are compared by; `what` is it: "key", "version".
wh_status wh_target_find(const wh_connection *c, const wh_target *target, wh_str name,
                         const char *what, size_t *ret, wh_error *err);
// WH_ERR_REFUSED, with what does not fit: lines of wh_difference_add, either may be empty.
wh_status wh_target_refuse(const wh_connection *c, wh_str table, wh_str difference, wh_str clashes,
                           wh_error *err);
// One more line, of at most WH_DIFFERENCE_LINE_MAX bytes.
enum { WH_DIFFERENCE_LINE_MAX = 512 };
__attribute__((format(printf, 2, 3))) void wh_difference_add(wh_buf *difference, const char *fmt,
                                                             ...);
// What `plan` shows of targets: a line (or several) more; what does not fit, indented below its
// table.
void wh_target_show(wh_buf *text, wh_str lines);
void wh_target_show_difference(wh_buf *text, wh_str table, wh_str difference);

// A copy in the arena.
wh_status wh_load_copy(const wh_load *load, wh_arena *arena, wh_load *ret, wh_error *err);

// A mark as a row of numbers and texts, in this order: done, rows_done, the counts (read, written,
// unchanged, superseded, filtered, quarantined, deleted), row_hash (64 bits, as a signed number),
// ord, time_us; rejects, run. What the mark leaves open (order, time, run) is the load's.
enum { WH_MARK_NUMBERS = 12, WH_MARK_TEXTS = 2 };
void wh_mark_write(const wh_mark *mark, const wh_load *load, int64_t numbers[WH_MARK_NUMBERS],
                   wh_str texts[WH_MARK_TEXTS]);
wh_status wh_mark_read(const int64_t numbers[WH_MARK_NUMBERS], const wh_str texts[WH_MARK_TEXTS],
                       wh_arena *arena, wh_mark *ret, wh_error *err);
