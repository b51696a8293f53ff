// A table read by several sessions at once, a range of its key each. Rows come in any order, each
// once: what is below a bound, and what is not, are as the server compares them.
#pragma once

#include "connect/connect.h"
#include "connect/range_split.h"

typedef struct wh_ranges {
  size_t count;      // of sessions; 1: it was not worth, or not possible, to cut
  bool one_snapshot; // all of them read in
} wh_ranges;

// The bounds by which the key of the query's table is cut into at most `count` ranges, in the
// arena; none where it is not worth, or not possible, to cut.
wh_status wh_range_cut(wh_connection *c, const wh_source_query *query, const wh_field *key,
                       size_t count, wh_arena *arena, wh_value ret[WH_RANGES_MAX],
                       size_t *ret_count, wh_error *err);

// `key` is a column of the query's table, as the source describes it; it need not be fetched. The
// connection's limits (rows a second, bytes of a row, memory) hold for the sessions together. The
// query has no limit_rows.
wh_status wh_range_reader_open(wh_connection *c, const wh_source_query *query,
                               const wh_schema *schema, const wh_field *key, size_t count,
                               wh_ranges *ret_ranges, wh_reader **ret, wh_error *err);
