// Sinks in database servers. What a load is, that the newest row wins, replacing by stage and
// difference, marks and leases are the same in every one of them, and stand in connect/sql_*.c.
// A server adds a wh_sql_driver: sessions, its catalog, how a batch gets into a table in bulk, and
// how some SQL is spelled. (SQLite, which is no server and has no bulk path, has its own sink.)
//
// How rows get into a table that has a key:
//   1. what cannot take part (a missing key, a version of the future, a value the column cannot
//      hold) is rejected here;
//   2. the others travel in bulk into a temporary table of the session, numbered by their row in
//      the batch; rows of one key go in rounds, so that each round has a key once and rows count
//      one by one;
//   3. one or two statements put them where their version is newer.
// All of it within a savepoint: when the server refuses a statement because of a row, the rows are
// halved until the one that it refuses stands alone, and that one is rejected with the server's
// reason.
#pragma once

#include "connect/connect.h"

typedef struct wh_sql_session wh_sql_session;

// A column as the catalog has it.
typedef struct wh_sql_column {
  wh_str name;
  wh_str declared;    // its type as the server spells it: "numeric(12,2)"; what a stage repeats
  wh_type type;       // what a source reads it as
  const char *unread; // why no type of ours holds its values, a phrase; NULL: one does
  bool nullable;
  bool has_default;      // or fills itself: identity, auto_increment, serial
  bool is_generated;     // computed: nobody can write it
  bool folds;            // values of different bytes may be equal: a collation, padding
  uint32_t key_position; // in the primary key, from 1; 0: not part of it
  uint32_t native;       // the driver's own: PostgreSQL's type OID, a TDS type
  int32_t limit;         // characters or bytes that it holds; 0: no limit of its own
} wh_sql_column;

typedef struct wh_sql_unique { // an index that lets each combination be there once
  const uint32_t *columns;     // indexes in the relation
  size_t count;
} wh_sql_unique;

// A table, a view, or what a query gives.
typedef struct wh_sql_relation {
  wh_str schema, table;   // as the server spells them; empty for a query
  const char *not_a_sink; // why rows cannot be loaded into it: "it is a view"; NULL: they can
  bool has_order;         // it has a column WH_ORDER_COLUMN
  wh_sql_column *columns; // without that one
  size_t count;
  const wh_sql_unique *uniques; // the primary key first; none of them partial or deferrable
  size_t unique_count;
  uint64_t rows_estimate; // WH_SIZE_UNKNOWN
} wh_sql_relation;

// One connection to the server, one thread at a time. Drivers put it first in a struct of theirs.
struct wh_sql_session {
  const struct wh_sql_driver *driver;
  wh_connection *connection;
};

typedef enum wh_sql_access { WH_SQL_READ, WH_SQL_WRITE } wh_sql_access;

// Rows of a batch on their way into a table in bulk. Columns come in this order: the constants, the
// row's number in the batch (when `number` is not empty), the batch's own.
typedef struct wh_sql_bulk {
  wh_str table;                 // quoted
  const wh_str *names;          // of the batch's columns, as the table spells them, not quoted
  const wh_sql_column *columns; // of the table, for each of them
  const wh_batch *batch;
  const uint32_t *rows; // which of its rows
  size_t row_count;
  wh_str number; // column that takes the row's index in the batch
  struct {
    wh_str name;
    int64_t value;
  } constants[2];
  size_t constant_count;
} wh_sql_bulk;

typedef wh_status (*wh_sql_row_visit)(void *context, const wh_str *values, size_t count,
                                      wh_error *err);

struct wh_sql_target;
struct wh_sql_statements;

// Errors of all verbs name the connection, except:
//   WH_ERR_TYPE        the server refused a statement because of a row: a constraint, a value too
//                      long or out of range. The text is the reason alone, fit for a quarantine:
//                      'violates check constraint "orders_n_check"'.
// With `retry` set: WH_ERR_BUSY (a lock, a deadlock, a serialization failure), WH_ERR_UNAVAILABLE
// (the connection is gone, the server restarts or is overloaded). Never retried: WH_ERR_DENIED.
typedef struct wh_sql_driver {
  const char *product; // "PostgreSQL"

  wh_status (*open)(wh_connection *c, wh_sql_access access, wh_sql_session **ret, wh_error *err);
  void (*close)(wh_sql_session *s); // NULL is fine; rolls back

  // One statement. Parameters are text; one without data is NULL. `ret_rows` may be NULL: rows that
  // were changed (for UPDATE: that matched).
  wh_status (*run)(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                   uint64_t *ret_rows, wh_error *err);
  // The same, but it may wait and go to the server with what is run, asked or sent in bulk next:
  // `ret_rows` is set by then, and a failure may come from there. NULL: it has only `run`.
  wh_status (*run_later)(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                         uint64_t *ret_rows, wh_error *err);
  // A query of few rows, as text; NULL comes as a string without data.
  wh_status (*ask)(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                   wh_sql_row_visit visit, void *context, wh_error *err);
  // WH_ERR_NOT_FOUND with the nearest name. `table` may be "schema.table".
  wh_status (*relate)(wh_sql_session *s, wh_str table, wh_arena *arena, wh_sql_relation *ret,
                      wh_error *err);
  // The schema of tables whose name has none, as the server spells it.
  wh_status (*home)(wh_sql_session *s, wh_arena *arena, wh_str *ret, wh_error *err);
  wh_status (*bulk)(wh_sql_session *s, const wh_sql_bulk *bulk, wh_error *err);

  // Types. The declaration for a new column; `in_key` where some types cannot be indexed.
  bool (*declare)(const wh_type *type, bool in_key, wh_buf *out);
  // What relate would say of a column so declared: for tables that are not there yet.
  void (*declared)(const wh_type *type, bool in_key, wh_sql_column *column);
  // Why no value of the type, or not each, survives in the column: a phrase ("turns text that
  // ..."); NULL: they do, or checks finds those that do not.
  const char *(*clash)(const wh_type *type, const wh_sql_column *column);
  // Whether values of the type have to be looked at one by one (fits).
  bool (*checks)(const wh_type *type, const wh_sql_column *column);
  // Whether the column holds all of the values, as far as a glance at them tells; false: each has
  // to be looked at. NULL: there is no telling at a glance.
  bool (*fits_all)(const wh_sql_column *column, const wh_column *values);
  // Whether the column holds the value exactly. `reason` takes a phrase of at most
  // WH_SQL_REASON_MAX bytes with its NUL: "'12.345' has 3 decimal places, numeric(10,2) keeps 2".
  bool (*fits)(const wh_sql_column *column, const wh_column *values, size_t row, char *reason);

  // Spelling.
  size_t name_max;                                     // bytes of an identifier
  bool names_are_short;                                // in it: of characters up to U+FFFF
  bool (*name)(wh_buf *sql, wh_str name);              // quoted
  bool (*param)(wh_buf *sql, unsigned number);         // from 1: $1, ?, @P1
  bool (*same)(wh_buf *sql, wh_str a, wh_str b);       // equal by bytes, or both NULL
  bool (*same_bytes)(wh_buf *sql, wh_str a, wh_str b); // equal, and not only by a collation
  bool (*bytes)(wh_buf *sql, wh_str a); // of a text: an expression that sorts by its bytes
  const char *yes;                      // true, as a literal for a column of booleans
  // Rows `t` of %t that a row `s` of %s fits, by the condition %c: are deleted; get %v set (names
  // without `t`).
  const char *delete_joined, *update_joined;
  const char *begin;                    // a transaction that sees what others have committed
  const char *savepoint, *to_savepoint; // makes one named wherry, goes back to it
  const char *release;                  // forgets it; empty: not needed
  // The same around a load that joins others (connect/sink.h), which has the above inside.
  const char *load_savepoint, *to_load_savepoint, *load_release;
  const char *text;             // declaration of long text: "text"
  const char *digest;           // of 64 hexadecimal digits as a primary key: "char(64)"
  const char *table_options;    // behind the columns of CREATE TABLE; empty: nothing
  const char *temporary_prefix; // of the names of a session's own tables: "#"; else ""

  // Where CREATE and DROP TABLE end a transaction, and row locks with it: a lock of the session's
  // by a name of 64 hexadecimal digits, which need not be reentrant. The first answers 1 when it
  // was had within lock_timeout. NULL: row locks hold through all.
  bool (*add_hold)(wh_buf *sql, wh_str name);
  bool (*add_let_go)(wh_buf *sql, wh_str name);

  // Whole statements, where the servers differ in more than spelling; see sql_target.h for what
  // they are made of. The batch's table is the session's own and holds the rows of one round.
  wh_status (*add_batch_table)(const struct wh_sql_target *t, struct wh_sql_statements *ret,
                               wh_error *err);
  bool (*add_clear)(wh_buf *sql, wh_str table); // empties the batch's table
  // The table that outlives transactions, for replace; it refuses what the target's would, as far
  // as that can be had.
  wh_status (*add_stage_table)(const struct wh_sql_target *t, struct wh_sql_statements *ret,
                               wh_error *err);
  // Puts the batch's rows into the target's table, or its stage, where the guard allows it.
  wh_status (*add_upsert)(const struct wh_sql_target *t, int64_t order,
                          struct wh_sql_statements *ret, wh_error *err);
  // Makes the table equal to its stage.
  wh_status (*add_replace)(const struct wh_sql_target *t, int64_t order,
                           struct wh_sql_statements *ret, wh_error *err);
  // Takes the values of rows out of the reason of a WH_ERR_TYPE, for where it is told to people.
  // NULL: there are none in it.
  void (*hide_values)(char *reason);
} wh_sql_driver;

enum {
  WH_SQL_REASON_MAX = 256,
  WH_SQL_TEXT_MAX = 4 << 20, // bytes of a statement
};

// A sink over a driver; see connect/sink.h. `driver` outlives it.
wh_status wh_sql_sink_open(const wh_sql_driver *driver, wh_connection *c, const wh_target *targets,
                           size_t count, wh_sink **ret, wh_error *err);
// The other verbs of wh_sink_type, the same for each.
wh_status wh_sql_sink_inspect(wh_sink *sink, wh_buf *ret_text, bool *ret_exists, bool *ret_fits,
                              wh_error *err);
wh_status wh_sql_sink_prepare(wh_sink *sink, wh_error *err);
wh_status wh_sql_sink_begin(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                            wh_error *err);
wh_status wh_sql_sink_write(wh_sink *sink, size_t target, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err);
wh_status wh_sql_sink_erase(wh_sink *sink, size_t target, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err);
wh_status wh_sql_sink_mark(wh_sink *sink, wh_mark *mark, wh_error *err);
wh_status wh_sql_sink_join(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                           wh_error *err);
wh_status wh_sql_sink_leave(wh_sink *sink, wh_error *err);
wh_status wh_sql_sink_commit(wh_sink *sink, wh_error *err);
void wh_sql_sink_abort(wh_sink *sink);
void wh_sql_sink_close(wh_sink *sink);
wh_status wh_sql_sink_marks(const wh_sql_driver *driver, wh_connection *c, wh_str pipeline,
                            wh_arena *arena, wh_mark_visit visit, void *context, wh_error *err);
