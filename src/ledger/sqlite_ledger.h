// Inside of the SQLite ledger: one connection, its lock, its cached statements, its leases. The
// files sqlite_*.c each implement some of the verbs of ledger.h on top of this.
//
// A verb takes the lock (LEDGER_LOCK), works with queries that end with their scope (LEDGER_QUERY),
// and changes things only between ledger_begin and ledger_end. No lock and no statement is held
// while a visitor runs.
#pragma once

#include "ledger/ledger.h"

#include <pthread.h>
#include <sqlite3.h>

enum {
  LEDGER_STATEMENTS_MAX = 96,      // distinct SQL texts in the sqlite_*.c files
  LEDGER_CACHE_KIB = 2048,         // pages kept in memory
  LEDGER_BUSY_MS = 5000,           // how long another process may hold the database
  LEDGER_WAL_BYTES_KEPT = 8 << 20, // a larger write-ahead log is cut back at the next checkpoint
};

typedef struct ledger_statement {
  const char *sql; // identity: each text is one literal
  sqlite3_stmt *stmt;
} ledger_statement;

typedef struct ledger_lease ledger_lease;

typedef struct ledger {
  wh_ledger base;
  wh_os *os;
  wh_mem *mem;
  wh_arena arena; // the paths
  const char *path;
  const char *lock_folder;
  pthread_mutex_t mutex;
  bool has_mutex;
  sqlite3 *db;
  sqlite3_stmt *rollback;
  ledger_statement statements[LEDGER_STATEMENTS_MAX];
  size_t statement_count;
  ledger_lease *leases; // held
} ledger;

// --- the lock
// --------------------------------------------------------------------------------------

ledger *ledger_lock(wh_ledger *l);
void ledger_unlock(ledger **l);
#define LEDGER_LOCK __attribute__((cleanup(ledger_unlock))) ledger *

// --- errors and transactions
// -----------------------------------------------------------------------

// What SQLite's last failure on the connection means: no space, busy, damaged, ...
wh_status ledger_fail(ledger *l, int rc, wh_error *err);
// Takes the write lock at once, so that nothing read in the transaction can change under it.
wh_status ledger_begin(ledger *l, wh_error *err);
// Commits when `status` is WH_OK, else rolls back and returns `status`.
wh_status ledger_end(ledger *l, wh_status status, wh_error *err);
wh_status ledger_exec(ledger *l, const char *sql, wh_error *err);

// --- queries
// ---------------------------------------------------------------------------------------

// One use of a cached statement. Binds and reads go from left to right; the first failure is kept
// and comes out of ledger_step or ledger_read_end.
typedef struct ledger_query {
  ledger *owner;
  sqlite3_stmt *stmt; // NULL: ended
  int bound, read;
  int rc;         // first failed bind
  bool no_memory; // a read failed
} ledger_query;

wh_status ledger_query_open(ledger *l, const char *sql, ledger_query *ret, wh_error *err);
void ledger_query_end(ledger_query *q); // any number of times
#define LEDGER_QUERY __attribute__((cleanup(ledger_query_end))) ledger_query

void ledger_bind_text(ledger_query *q, wh_str text);  // borrowed until the query ends
void ledger_bind_blob(ledger_query *q, wh_str bytes); // borrowed until the query ends
void ledger_bind_i64(ledger_query *q, int64_t value);
void ledger_bind_u64(ledger_query *q, uint64_t value); // same bits
void ledger_bind_null(ledger_query *q);
void ledger_bind_zeroes(ledger_query *q, uint64_t bytes);
wh_status ledger_step(ledger_query *q, bool *ret_row, wh_error *err);
// A statement without rows. Ends the query.
wh_status ledger_run(ledger_query *q, wh_error *err);

wh_str ledger_read_text(ledger_query *q, wh_arena *arena); // copied
wh_str ledger_read_blob(ledger_query *q, wh_arena *arena); // copied
int64_t ledger_read_i64(ledger_query *q);
uint64_t ledger_read_u64(ledger_query *q);
bool ledger_next_is_null(const ledger_query *q);
wh_status ledger_read_end(const ledger_query *q, wh_error *err);

// --- the verbs, by file
// ----------------------------------------------------------------------------

wh_status ledger_acquire(wh_ledger *l, wh_str pipeline, wh_lease *ret, wh_error *err);
wh_status ledger_renew(wh_ledger *l, wh_lease *lease, wh_error *err);
void ledger_release(wh_ledger *l, wh_lease *lease);
wh_status ledger_raise_epoch(wh_ledger *l, wh_str pipeline, uint64_t epoch, wh_error *err);
void ledger_drop_leases(ledger *l);
// WH_ERR_STALE when a newer epoch holds the pipeline. In a transaction.
wh_status ledger_check_epoch(ledger *l, wh_str pipeline, uint64_t epoch, wh_error *err);

wh_status ledger_run_start(wh_ledger *l, const wh_lease *lease, wh_str object, wh_arena *arena,
                           wh_run *ret, wh_error *err);
wh_status ledger_run_seal(wh_ledger *l, const wh_run *run, const wh_finish *on_publish,
                          wh_error *err);
wh_status ledger_run_sealed_finish(wh_ledger *l, wh_str run, wh_arena *arena, wh_finish *ret,
                                   wh_error *err);
wh_status ledger_run_finish(wh_ledger *l, const wh_finish *finish, wh_error *err);
wh_status ledger_run_get(wh_ledger *l, wh_str id, wh_arena *arena, wh_run *ret, wh_error *err);
wh_status ledger_runs(wh_ledger *l, wh_str pipeline, int state, uint64_t limit, wh_arena *arena,
                      wh_run_visit visit, void *context, wh_error *err);
wh_status ledger_import_run(wh_ledger *l, const wh_run *run, wh_error *err);
wh_status ledger_raise_order(wh_ledger *l, int64_t order, wh_error *err);

// The columns of a run that change, in the tables run and sealed. `t` is "run." or "sealed.".
#define LEDGER_RUN_CHANGES(t)                                                                      \
  t "object," t "epoch," t "state," t "finished_us," t "rows_read," t "rows_written," t            \
    "rows_unchanged," t "rows_superseded," t "rows_filtered," t "rows_quarantined," t              \
    "rows_deleted," t "bytes_read," t "bytes_written," t "row_hash," t "output," t                 \
    "output_version," t "sha256," t "rejects," t "cursor_from," t "cursor_to," t "error"
#define LEDGER_RUN_FIXED(t)      t "id," t "pipeline," t "ord," t "started_us"
#define LEDGER_RUN_CHANGES_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"
void ledger_bind_run_changes(ledger_query *q, const wh_run *run, wh_run_state state);
void ledger_read_run(ledger_query *q, wh_arena *arena, wh_run *ret); // fixed, then changes
wh_status ledger_read_sealed(ledger *l, wh_run *run, wh_arena *arena, wh_error *err);
wh_status ledger_forget_sealed(ledger *l, wh_str pipeline, wh_str run, wh_error *err);

wh_status ledger_cursor(wh_ledger *l, wh_str pipeline, wh_arena *arena, wh_cursor *ret,
                        wh_error *err);
wh_status ledger_set_cursor(wh_ledger *l, wh_str pipeline, const wh_cursor *cursor, wh_error *err);
wh_status ledger_pinned(wh_ledger *l, wh_str pipeline, wh_arena *arena, bool *ret_found,
                        wh_schema *ret, wh_error *err);
wh_status ledger_pin(wh_ledger *l, wh_str pipeline, const wh_schema *schema, wh_error *err);
wh_status ledger_fired(wh_ledger *l, wh_str pipeline, int64_t *ret_us, wh_error *err);
wh_status ledger_set_fired(wh_ledger *l, wh_str pipeline, int64_t due_us, wh_error *err);
// `run` empty: what holds now; else what a sealed run will make it. In a transaction.
wh_status ledger_save_cursor(ledger *l, wh_str pipeline, wh_str run, const wh_cursor *cursor,
                             wh_error *err);
wh_status ledger_load_cursor(ledger *l, wh_str pipeline, wh_str run, wh_arena *arena,
                             bool *ret_stored, wh_cursor *ret, wh_error *err);
wh_status ledger_save_pin(ledger *l, wh_str pipeline, wh_str run, const wh_schema *schema,
                          wh_error *err);
wh_status ledger_load_pin(ledger *l, wh_str pipeline, wh_str run, wh_arena *arena, bool *ret_found,
                          wh_schema *ret, wh_error *err);

wh_status ledger_keys_next(wh_ledger *l, wh_str pipeline, const wh_str *after, bool with_keys,
                           wh_arena *arena, wh_key_range *ret, wh_error *err);
wh_status ledger_keys_stage(wh_ledger *l, const wh_run *run, const wh_key_range *ranges,
                            size_t count, wh_error *err);
// What the run staged holds from now on, or is forgotten. In a transaction.
wh_status ledger_settle_keys(ledger *l, wh_str pipeline, wh_str run, bool holds, wh_error *err);

wh_status ledger_put_many(wh_ledger *l, wh_str pipeline, const wh_put *puts, size_t count,
                          bool is_done, uint64_t *ret_new, wh_error *err);
wh_status ledger_put(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, int64_t order,
                     bool *ret_new, wh_error *err);
wh_status ledger_put_done(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_error *err);
wh_status ledger_receive(wh_ledger *l, wh_str pipeline, int64_t hidden_us, wh_arena *arena,
                         wh_work *ret, wh_error *err);
wh_status ledger_extend(wh_ledger *l, uint64_t work, int64_t hidden_us, wh_error *err);
wh_status ledger_forgive(wh_ledger *l, uint64_t work, wh_error *err);
wh_status ledger_reclaim(wh_ledger *l, wh_str pipeline, bool delayed_too, wh_error *err);
wh_status ledger_fail_work(wh_ledger *l, uint64_t work, uint32_t attempts, bool definite,
                           int64_t delay_us, wh_str error, bool *ret_dead, wh_error *err);
wh_status ledger_done(wh_ledger *l, uint64_t work, wh_error *err);
wh_status ledger_works(wh_ledger *l, wh_str pipeline, wh_arena *arena, wh_work_visit visit,
                       void *context, wh_error *err);
wh_status ledger_revive(wh_ledger *l, wh_str pipeline, uint64_t *ret_count, wh_error *err);
wh_status ledger_next_visible(wh_ledger *l, wh_str pipeline, int64_t *ret_us, wh_error *err);
wh_status ledger_stats(wh_ledger *l, wh_str pipeline, wh_ledger_stats *ret, wh_error *err);
wh_status ledger_finish_work(ledger *l, uint64_t work, wh_error *err); // in a transaction

// Holds NAME.lock of the lock folder until ledger_unhold, or the process ends.
wh_status ledger_hold(ledger *l, wh_str name, ledger_lease **ret, wh_error *err);
void ledger_unhold(ledger *l, void *lease);
// Whether somebody, also this process, holds it.
bool ledger_is_held(ledger *l, wh_str name);

wh_status ledger_service_begin(wh_ledger *l, wh_service *service, wh_error *err);
wh_status ledger_service_tell(wh_ledger *l, const wh_service *service, int64_t day,
                              const wh_asked *more, size_t count, wh_error *err);
void ledger_service_end(wh_ledger *l, wh_service *service);
wh_status ledger_services(wh_ledger *l, wh_arena *arena, wh_service_visit visit, void *context,
                          wh_error *err);
wh_status ledger_asked(wh_ledger *l, int64_t day, wh_asked *ret, wh_error *err);

wh_status ledger_quarantined(wh_ledger *l, wh_str pipeline, wh_arena *arena,
                             wh_quarantine_visit visit, void *context, wh_error *err);
wh_status ledger_quarantine_put(wh_ledger *l, const wh_quarantine_entry *entry, wh_error *err);
wh_status ledger_quarantine_drop(wh_ledger *l, wh_str run, wh_error *err);
// `pending`: of a sealed run. In a transaction.
wh_status ledger_save_quarantine(ledger *l, const wh_quarantine_entry *entry, bool pending,
                                 wh_error *err);
wh_status ledger_load_pending_quarantine(ledger *l, wh_str run, wh_arena *arena, bool *ret_found,
                                         wh_quarantine_entry *ret, wh_error *err);
