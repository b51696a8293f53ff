// Sources of rows: databases. (An object source is a store and a codec; engine/ puts the two
// together.) Rows come through the same wh_reader as a codec's.
#pragma once

#include "codec/codec.h"
#include "connect/connection.h"
#include "data/value.h"

// What is asked of a source. Identifiers are names, not SQL: the connector quotes them.
typedef struct wh_source_query {
  wh_str table;          // "sales_order"; empty when `query` is given
  wh_str query;          // a SELECT of the user's
  const wh_str *columns; // only these are fetched, so that what stays home is not even read;
  size_t column_count;   // 0: all
  wh_str cursor;         // column, or empty: everything
  bool has_from;         // rows with cursor >= from, and rows whose cursor is NULL
  wh_value from;
  bool has_to; // and cursor < to (exact cursors)
  wh_value to;
  uint64_t limit_rows;            // 0: no limit
  size_t batch_rows, batch_bytes; // 0: the connection's
} wh_source_query;

typedef enum wh_cursor_kind { WH_CURSOR_WINDOWED, WH_CURSOR_EXACT } wh_cursor_kind;

typedef struct wh_source_info {
  wh_schema schema;           // of the query's result, all columns; in the caller's arena
  wh_cursor_kind cursor_kind; // meaningful when the query names a cursor
  const wh_str *key;          // primary key columns, if known
  size_t key_count;
  uint64_t rows_estimate; // 0: unknown
  const bool *guessed;    // for each column: its type rests on a sample that had no value, so that
                          // what an earlier run saw is the better guess; NULL: none is
} wh_source_info;

typedef struct wh_bound {
  int64_t clock_us; // the source's own clock: where windowed cursors start from
  bool has_to;      // exact cursors: the run reads [last, to)
  wh_value to;
} wh_bound;

typedef struct wh_table_info {
  wh_str name;
  uint64_t rows; // WH_SIZE_UNKNOWN if not cheap to know
  wh_schema schema;
  const wh_str *key;
  size_t key_count;
} wh_table_info;
typedef wh_status (*wh_table_visit)(void *context, const wh_table_info *table, wh_error *err);

// Finds rows by key, many times: for lookups and for verify. One thread at a time.
typedef struct wh_finder wh_finder;
struct wh_finder {
  const wh_schema *schema; // of what `find` returns: the `show` columns in their order
  size_t rows_max;         // of one key; 0, as it comes: no limit. Set by whoever calls find
  // Appends the rows whose key columns equal the values to `batch` (initialised with schema);
  // at most one for a unique key. No row is not an error.
  wh_status (*find)(wh_finder *finder, const wh_value *key, wh_batch *batch, wh_error *err);
  void (*close)(wh_finder *finder);
};

// Why a value does not fit its column.
typedef struct wh_misfit {
  const char *rule; // "type", "not_null", "utf8"
  char reason[256]; // "'infinity' is not a date"
} wh_misfit;

typedef struct wh_source_type {
  wh_status (*discover)(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                        wh_error *err);
  // Names, types and cursor exactness of what a query gives, without reading the data (a bounded
  // sample where the database itself does not know types).
  wh_status (*describe)(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                        wh_source_info *ret, wh_error *err);
  wh_status (*bound)(wh_connection *c, const wh_source_query *query, wh_arena *arena, wh_bound *ret,
                     wh_error *err);
  // Reads in one consistent snapshot. `schema` is from describe, reduced to query->columns (in that
  // order); a value that does not fit its column rejects the row.
  wh_status (*open)(wh_connection *c, const wh_source_query *query, const wh_schema *schema,
                    wh_reader **ret, wh_error *err);
  // `key` and `show` are column names. WH_ERR_NOT_FOUND: no such table or column (yet).
  wh_status (*open_finder)(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                           const wh_str *show, size_t show_count, wh_finder **ret, wh_error *err);
} wh_source_type;

// WH_ERR_LIMIT where row `row` of `what` ("sales_order", "the query") takes more than the
// connection's row_limit_bytes.
wh_status wh_source_check_row(const wh_connection *c, wh_str what, uint64_t row, size_t bytes,
                              wh_error *err);
