// Sinks of rows. A load is an object version (or a run, when rows come straight from a database)
// that is written to one or more tables of a sink, exactly once, newest row winning.
//
// The order of calls:
//   open -> prepare -> { begin -> write... -> mark -> commit } ... -> close      (abort any time)
// prepare does DDL, outside transactions. begin starts a transaction, takes the pipeline's lease
// row with our epoch (WH_ERR_STALE when a higher epoch is there) and returns the mark as it stands.
// Everything between begin and commit is one transaction of the target: rows and mark become
// visible together or not at all. A large load commits in chunks: mark with done = false and
// commit, then begin again. Small loads of one pipeline may share a transaction: mark with done =
// true, then join with the next one instead of a commit.
#pragma once

#include "connect/connection.h"
#include "data/batch.h"
#include "data/reject.h"

typedef enum wh_write_mode { WH_WRITE_APPEND, WH_WRITE_UPSERT, WH_WRITE_REPLACE } wh_write_mode;

// What becomes of a row that is gone at the source (data/deleted.h).
typedef enum wh_deletes { WH_DELETES_REMOVE, WH_DELETES_MARK, WH_DELETES_IGNORE } wh_deletes;

// The column that keeps each row's object order in targets that Wherry created or may alter.
#define WH_ORDER_COLUMN "_wherry_order"

typedef struct wh_target {
  wh_str table;
  const wh_schema *schema; // of the batches that will come
  wh_write_mode mode;
  const wh_str *key; // upsert, replace (optional there)
  size_t key_count;
  wh_str newest_by;  // column of the row's version; empty: the object's order alone decides
  bool side_table;   // keep orders in a table of their own: an existing target is not altered
  bool adds_columns; // an existing table gets the columns that it lacks, unless they are the key's
  // Upsert. MARK: the schema has WH_DELETED_COLUMN, false in rows that come.
  bool erases; // rows that are gone will come, see wh_sink_type.erase
  wh_deletes deletes;
  int64_t tombstone_keep_us; // how long a deletion is remembered
} wh_target;

// The epoch of a worker that no ledger keeps apart from others. It takes the lease row, too, so
// that transactions of one pipeline follow one another, but neither asks for its epoch nor raises
// it: that several may load one object at once is told by its mark, which is then not where they
// left it.
enum { WH_EPOCH_NONE = 0 };

typedef struct wh_load {
  wh_str pipeline;
  wh_str object; // identity: "lake:inbound/x.json@version"; the run's id when no object
  wh_str run;
  int64_t order;  // grows with every object of a producer
  uint64_t epoch; // or WH_EPOCH_NONE
  int64_t now_us;
} wh_load;

// Rows of a run, by what became of them. They always add up:
// read = written + unchanged + superseded + filtered + quarantined.
typedef struct wh_counts {
  uint64_t read;
  uint64_t written;
  uint64_t unchanged;  // equal version: nothing to do
  uint64_t superseded; // older than what is there
  uint64_t filtered;   // dropped by a step, on purpose
  uint64_t quarantined;
  uint64_t deleted; // of those written: rows that say that a row is gone (data/deleted.h)
} wh_counts;

// The row in the target that says which object version is loaded, and how far.
typedef struct wh_mark {
  bool found; // false: no mark for this object yet
  bool done;
  uint64_t rows_done; // rows of the object that committed chunks have consumed
  wh_counts counts;   // so far
  uint64_t row_hash;  // sum over rows consumed
  wh_str rejects;     // key of the published quarantine object; empty: none. Arena of the caller
  wh_str run;
  int64_t order;
  int64_t time_us;
} wh_mark;
typedef wh_status (*wh_mark_visit)(void *context, wh_str object, const wh_mark *mark,
                                   wh_error *err);

#define WH_ALTERS "ALTER TABLE "

typedef struct wh_sink wh_sink;
typedef struct wh_sink_type {
  // false: at-least-once. Then there are no tables, and `inspect` tells in one line where rows go.
  bool exact;
  // What is written stays, whatever becomes of the load: it has no transactions.
  bool keeps_writes;
  bool appends_only; // the other modes are refused
  // Rows of a batch at most; 0: as many as a table likes best. Fewer where each is a request, so
  // that whoever is asked to stop can.
  size_t batch_rows;
  wh_status (*open)(wh_connection *c, const wh_target *targets, size_t count, wh_sink **ret,
                    wh_error *err);
  // What prepare would do, for `plan`: DDL for what is missing, or the difference when an existing
  // table does not fit (then *ret_fits is false). Where an existing one gets columns, the text
  // begins with WH_ALTERS. Changes nothing.
  wh_status (*inspect)(wh_sink *sink, wh_buf *ret_text, bool *ret_exists, bool *ret_fits,
                       wh_error *err);
  // Creates what is missing; an existing table is checked and never silently altered
  // (WH_ERR_REFUSED with the difference). Columns are added where the target says adds_columns.
  wh_status (*prepare)(wh_sink *sink, wh_error *err);
  // `arena` for the strings of the mark. WH_ERR_STALE; WH_ERR_BUSY (retry) when somebody holds the
  // database.
  wh_status (*begin)(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                     wh_error *err);
  // Begins another load of the same pipeline within the transaction, whose mark was written. NULL:
  // it cannot. `leave` takes back what was written since, and nothing else; where it fails, the
  // transaction is lost. Not with replace.
  wh_status (*join)(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                    wh_error *err);
  wh_status (*leave)(wh_sink *sink, wh_error *err);
  // Adds to counts->written, unchanged, superseded, quarantined. `target` is an index.
  wh_status (*write)(wh_sink *sink, size_t target, const wh_batch *batch, wh_rejects *rejects,
                     wh_counts *counts, wh_error *err);
  // Rows of the batch are gone at the source: only their keys say anything. Their version is the
  // load's order: what is stored with a lower one is removed, or marked as deleted, and the
  // deletion is remembered, so that a load with a lower order cannot bring the row back (its row is
  // superseded), while one with a higher order, or the same, does. For upsert. Adds to the counts
  // as write does, and to `deleted` what it adds to `written`.
  wh_status (*erase)(wh_sink *sink, size_t target, const wh_batch *batch, wh_rejects *rejects,
                     wh_counts *counts, wh_error *err);
  // For `replace`, mark with done applies the staged difference, in the same transaction, and moves
  // rows between counts (written, unchanged, superseded) accordingly. NULL, as `marks` then: the
  // target has no place for marks. The engine keeps them in the ledger, after each commit, for as
  // long as the object is worked on; what was written since the last is written again after a
  // crash.
  wh_status (*mark)(wh_sink *sink, wh_mark *mark, wh_error *err);
  wh_status (*commit)(wh_sink *sink, wh_error *err);
  void (*abort)(wh_sink *sink);
  // All marks of a pipeline, for verify and for rebuilding a lost ledger. Their strings live in the
  // arena, which the visitor may reset when it keeps nothing.
  wh_status (*marks)(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                     void *context, wh_error *err);
  void (*close)(wh_sink *sink);
} wh_sink_type;
