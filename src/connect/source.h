// Sources of rows: databases. (An object source is a store and a codec; engine/ puts the two
// together.) Rows come through the same wh_reader as a codec's.
#pragma once

#include "codec/codec.h"
#include "connect/connection.h"
#include "data/value.h"

// A part of a table: rows with low <= column < high, as the source compares them. Without `low`
// also rows whose column is NULL; so ranges that adjoin, the first without `low` and the last
// without `high`, have every row once. Text compares by its bytes.
typedef struct wh_range {
  wh_str column;
  const wh_value *low, *high; // of numbers, times and text; NULL: there is none
  size_t sharers;             // sessions that read at once, which share the connection's rate
} wh_range;

// A look at the data that several sessions share. Closed by whoever asked for it, once all of them
// have begun.
typedef struct wh_snapshot wh_snapshot;
struct wh_snapshot {
  wh_str id; // for wh_source_query
  void (*close)(wh_snapshot *snapshot);
};

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
  const wh_range *range;          // of a table; NULL: all of it
  wh_str snapshot;                // of wh_source_type.share; empty: one of its own
  struct wh_sql_tables *tables;   // of a model: what its query may read (connect/sql_tables.h)
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
  bool tells_deleted;     // WH_DELETED_COLUMN is a word of the source's: it crosses with the rows
  const bool *guessed;    // for each column: its type rests on a sample that had no value, so that
                          // what an earlier run saw is the better guess; NULL: none is
} wh_source_info;

typedef struct wh_bound {
  int64_t clock_us; // the source's own clock: where windowed cursors start from
  bool has_to;      // exact cursors: the run reads [last, to)
  wh_value to;
  bool has_more; // there is more behind it already, for a run of its own
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

// A table or view, as the server spells it.
typedef struct wh_table_name {
  wh_str schema; // empty where there are none
  wh_str table;
  bool is_home;   // its name alone finds it
  bool is_denied; // it is there, but the user may not read it (where the server tells of such)
} wh_table_name;

// How much has to come together before it is worth a run: whichever is first.
typedef struct wh_gather_limits {
  uint64_t rows, bytes;
  int64_t age_us; // of the oldest
} wh_gather_limits;

// Somebody who waits for new rows of a table, and is told of them as they come. What is there when
// it is opened is due at once. One thread.
typedef struct wh_gather wh_gather;
struct wh_gather {
  int fd; // readable when a run may have become due earlier; whoever polls it empties it
  int64_t (*due_us)(wh_gather *gather); // INT64_MAX: nothing has come
  void (*begin)(wh_gather *gather);     // a run takes what is there: count afresh. Any thread
  void (*close)(wh_gather *gather);
};

typedef struct wh_source_type {
  // Names alone: cheap, also of many.
  wh_status (*tables)(wh_connection *c, wh_arena *arena, wh_table_name **ret, size_t *ret_count,
                      wh_error *err);
  wh_status (*discover)(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                        wh_error *err);
  // Names, types and cursor exactness of what a query gives, without reading the data (a bounded
  // sample where the database itself does not know types).
  wh_status (*describe)(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                        wh_source_info *ret, wh_error *err);
  // The query knows where an exact cursor begins.
  wh_status (*bound)(wh_connection *c, const wh_source_query *query, wh_arena *arena, wh_bound *ret,
                     wh_error *err);
  // Reads in one consistent snapshot. `schema` is from describe, reduced to query->columns (in that
  // order); a value that does not fit its column rejects the row.
  wh_status (*open)(wh_connection *c, const wh_source_query *query, const wh_schema *schema,
                    wh_reader **ret, wh_error *err);
  // A query whose one row is the lowest and the highest value of a table's column. NULL: tables are
  // not read by ranges here.
  wh_status (*extremes)(wh_connection *c, wh_str table, wh_str column, wh_arena *arena, wh_str *ret,
                        wh_error *err);
  // NULL: sessions cannot share a snapshot here.
  wh_status (*share)(wh_connection *c, wh_snapshot **ret, wh_error *err);
  // `key` and `show` are column names. WH_ERR_NOT_FOUND: no such table or column (yet).
  wh_status (*open_finder)(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                           const wh_str *show, size_t show_count, wh_finder **ret, wh_error *err);
  // NULL: nobody tells of new rows here.
  wh_status (*gather)(wh_connection *c, wh_str table, const wh_gather_limits *limits,
                      wh_gather **ret, wh_error *err);
} wh_source_type;

// WH_ERR_LIMIT where row `row` of `what` ("sales_order", "the query") takes more than the
// connection's row_limit_bytes.
wh_status wh_source_check_row(const wh_connection *c, wh_str what, uint64_t row, size_t bytes,
                              wh_error *err);

// What a finder looks for, as a value of its column's type, or WH_ERR_TYPE where it is none and is
// found nowhere. Text lives in the arena.
wh_status wh_source_key_value(const wh_value *given, const wh_type *type, wh_arena *arena,
                              wh_value *ret, wh_error *err);
// WH_ERR_NOT_FOUND: "erp: sales_order has no column 'x'" with the nearest name of its columns.
// Those are structs of `size` bytes that begin with their name.
wh_status wh_source_no_column(const wh_connection *c, wh_str what, wh_str column,
                              const void *columns, size_t count, size_t size, wh_error *err);
// WH_ERR_NOT_FOUND: "erp: no table or view 'x'" with the nearest of the names that there are.
wh_status wh_source_no_table(const wh_connection *c, wh_str table, const wh_str *names,
                             size_t count, wh_error *err);
// Of a user's query: behind white space and comments (`--` to the end of the line, and those that
// do not nest).
size_t wh_source_skip(wh_str query, size_t at);
// WH_ERR_USAGE of the user's query: "erp: the query is empty".
__attribute__((format(printf, 3, 4))) wh_status
wh_source_refuse(const wh_connection *c, wh_error *err, const char *fmt, ...);
