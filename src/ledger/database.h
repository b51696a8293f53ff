// A ledger in a database. The verbs of ledger.h are SQL that SQLite and PostgreSQL both take, and
// stand in cursors.c, keys.c, leases.c, outbox.c, pieces.c, quarantine.c, queue.c, queue_state.c,
// runs.c, seal.c, services.c. A ledger_driver brings them to its database: transactions,
// statements, and what holds a lease.
//
// A verb takes the lock (LEDGER_LOCK), works with queries that end with their scope (LEDGER_QUERY),
// and changes more than one thing only in a LEDGER_TRANSACTION. No lock and no statement is held
// while a visitor runs.
//
// The SQL both take: parameters are `?`; `now_us()` is the ledger's clock, microseconds since 1970,
// and `later_us(n)` that plus n, INT64_MAX at most; names are qualified where a table and
// `excluded` both have them; sums are cast to BIGINT. What only one of them knows is left out for
// the other: FOR UPDATE [SKIP LOCKED], behind a SELECT whose rows decide what a transaction does
// (SQLite lets one transaction write at a time), and INDEXED BY.
#pragma once

#include "ledger/ledger.h"

#include <pthread.h>

enum {
  LEDGER_STATEMENTS_MAX = 96, // distinct SQL texts of the verbs
  LEDGER_SQL_MAX = 1024,      // bytes of one of them
  LEDGER_PARAMS_MAX = 40,     // of one of them
  LEDGER_TRIES_MAX = 5,       // of a transaction whose connection is lost
};

typedef struct ledger ledger;
typedef struct ledger_query ledger_query;
typedef struct ledger_lease ledger_lease;

// What a name is held by, in this process. `file` is the driver's.
struct ledger_lease {
  ledger_lease *next;
  wh_file *file;
  uint64_t epoch;
  size_t len;
  char name[];
};

typedef struct ledger_driver {
  wh_status (*begin)(ledger *l, wh_error *err);
  // Commits when `status` is WH_OK, else rolls back and returns `status`.
  wh_status (*end)(ledger *l, wh_status status, wh_error *err);
  // Whether the transaction that just failed did nothing and can be done again; with `once` also
  // not when nobody knows whether it committed.
  bool (*again)(ledger *l, bool once);
  int tries; // of a transaction; 0: LEDGER_TRIES_MAX
  // Others get in the way of whatever changes something, and are seen when it is committed: a
  // statement that gives rows of what it changed needs a transaction around it, to be done again.
  bool is_optimistic;

  // The next row; binds and runs the statement the first time. After the last, q->changes counts
  // the rows that were changed.
  wh_status (*step)(ledger_query *q, bool *ret_row, wh_error *err);
  void (*end_query)(ledger_query *q);
  // Starts the statement, which goes to the database together with what is stepped next, or with
  // the end of the transaction. A failure of one may come from any of them. With `alone` nobody
  // steps it, and the query may end at once. NULL: each is run when it is stepped.
  wh_status (*send)(ledger_query *q, bool alone, wh_error *err);
  // Of the row in hand. A text lives until the next call; NULL has no data.
  bool (*is_null)(const ledger_query *q, int column);
  int64_t (*number)(const ledger_query *q, int column);
  bool (*text)(const ledger_query *q, int column, wh_str *ret); // false: no memory
  wh_str (*bytes)(const ledger_query *q, int column);           // of a blob

  // Rows that a listing asks for at once. More than 1 only where a query that has been run holds
  // nothing that other queries need.
  int page;

  // The hashes of the cursor with that id, in a transaction.
  wh_status (*write_hashes)(ledger *l, int64_t id, const uint64_t *hashes, size_t count,
                            wh_error *err);
  wh_status (*read_hashes)(ledger *l, int64_t id, wh_arena *arena, wh_cursor *ret, wh_error *err);

  // Holding names for this process: until it gives them back, and not longer than it lives. hold
  // and renew run in a transaction. WH_ERR_BUSY: another process has it; renew: WH_ERR_STALE.
  wh_status (*hold)(ledger *l, ledger_lease *lease, wh_error *err);
  wh_status (*renew)(ledger *l, const ledger_lease *lease, wh_error *err);
  void (*give_back)(ledger *l, ledger_lease *lease);
  wh_status (*is_held)(ledger *l, wh_str name, bool *ret, wh_error *err); // by another process

  // In a transaction that puts works into a pipeline's queue: none other does meanwhile, so that
  // no two wait for each other. NULL: one transaction writes at a time anyway.
  wh_status (*lock_queue)(ledger *l, wh_str pipeline, wh_error *err);
  // Puts entries that are to be loaded at once, and counts the new ones. NULL: one by one is as
  // good.
  wh_status (*put_block)(ledger *l, wh_str pipeline, const wh_put *puts, size_t count,
                         uint64_t *ret_new, wh_error *err);
  // In a transaction that gives the pipeline something to do: tells the other workers.
  // NULL: there are none.
  wh_status (*tell)(ledger *l, wh_str pipeline, wh_error *err);
} ledger_driver;

// Drivers put it first in a struct of theirs.
struct ledger {
  wh_ledger base;
  const ledger_driver *driver;
  wh_os *os;
  wh_mem *mem;
  const char *path; // what messages begin with
  pthread_mutex_t mutex;
  pthread_mutex_t lease_mutex; // over `leases` alone, so that they are renewed while a verb waits
  bool has_mutex;
  ledger_lease *leases; // held
};

wh_status ledger_init(ledger *l, const ledger_driver *driver, wh_os *os, wh_mem *mem,
                      wh_error *err);
void ledger_free(ledger *l); // gives back what is held; half-built is fine

// --- the lock
// --------------------------------------------------------------------------------------

ledger *ledger_lock(wh_ledger *l);
void ledger_unlock(ledger **l);
#define LEDGER_LOCK __attribute__((cleanup(ledger_unlock))) ledger *

// --- transactions
// ----------------------------------------------------------------------------------

// Runs `work`, an expression that gives a status, in a transaction of its own, and again from the
// start where the driver says so. LEDGER_TRANSACTION_ONCE: not where it may have happened already.
#define LEDGER_TRANSACTION(l, work, err)      LEDGER_TRANSACT_(l, work, false, err)
#define LEDGER_TRANSACTION_ONCE(l, work, err) LEDGER_TRANSACT_(l, work, true, err)
#define LEDGER_TRANSACT_(l, work, once, err)                                                       \
  ({                                                                                               \
    wh_status transaction_;                                                                        \
    int tries_ = 0, max_ = (l)->driver->tries ? (l)->driver->tries : LEDGER_TRIES_MAX;             \
    do {                                                                                           \
      transaction_ = (l)->driver->begin(l, err);                                                   \
      if (transaction_ == WH_OK) transaction_ = (l)->driver->end(l, (work), err);                  \
    } while (transaction_ != WH_OK && ++tries_ < max_ && (l)->driver->again(l, once));             \
    transaction_;                                                                                  \
  })

// --- queries
// ---------------------------------------------------------------------------------------

// Tells the other workers that the pipeline has something to do, when the transaction commits.
static inline wh_status ledger_tell(ledger *l, wh_str pipeline, wh_error *err) {
  return l->driver->tell ? l->driver->tell(l, pipeline, err) : WH_OK;
}

typedef struct ledger_param {
  enum { LEDGER_NULL, LEDGER_TEXT, LEDGER_BLOB, LEDGER_NUMBER, LEDGER_ZEROES } kind;
  wh_str text;
  int64_t number; // the value; of zeroes how many bytes
} ledger_param;

// One use of a statement. Binds and reads go from left to right; the first failure of a read is
// kept and comes out of ledger_read_end.
struct ledger_query {
  ledger *owner;
  const char *sql; // identity: each text is one literal; NULL: ended
  ledger_param params[LEDGER_PARAMS_MAX];
  int bound, read;
  bool started;
  bool sent;      // the driver's: its result has not been looked at
  bool no_memory; // a read failed
  uint64_t changes;
  void *own; // the driver's: what runs
  int row;   // the driver's
};

void ledger_query_open(ledger *l, const char *sql, ledger_query *ret);
void ledger_query_end(ledger_query *q); // any number of times
#define LEDGER_QUERY __attribute__((cleanup(ledger_query_end))) ledger_query

void ledger_bind_text(ledger_query *q, wh_str text);  // borrowed until the query ends
void ledger_bind_blob(ledger_query *q, wh_str bytes); // the same
void ledger_bind_i64(ledger_query *q, int64_t value);
void ledger_bind_u64(ledger_query *q, uint64_t value); // same bits
void ledger_bind_null(ledger_query *q);
void ledger_bind_zeroes(ledger_query *q, uint64_t bytes);
wh_status ledger_step(ledger_query *q, bool *ret_row, wh_error *err);
// A statement without rows. Ends the query; q->changes stays.
wh_status ledger_run(ledger_query *q, wh_error *err);
// For journeys: statements that do not depend on each other's rows are sent before the first of
// them is stepped, and are stepped in the same order; one without rows, whose q->changes nobody
// needs, is left to what comes behind it in the transaction.
wh_status ledger_send(ledger_query *q, wh_error *err);
wh_status ledger_run_later(ledger_query *q, wh_error *err);

// The next row of a listing, whose query stays open from one visit to the next where the driver
// lets it: steps one that is open; *ret_row false: open it again, behind the last row, and step
// that.
wh_status ledger_list_step(ledger_query *q, bool *ret_row, wh_error *err);
// Behind each row, with the lock held: ends the query where it cannot stay open.
void ledger_list_pause(ledger_query *q, wh_status status);

wh_str ledger_read_text(ledger_query *q, wh_arena *arena); // copied
wh_str ledger_read_blob(ledger_query *q, wh_arena *arena); // copied
int64_t ledger_read_i64(ledger_query *q);                  // NULL reads as 0
uint64_t ledger_read_u64(ledger_query *q);
bool ledger_next_is_null(const ledger_query *q);
wh_status ledger_read_end(const ledger_query *q, wh_error *err);

// --- the verbs, by file
// ----------------------------------------------------------------------------

wh_status ledger_pipelines(wh_ledger *l, wh_str prefix, wh_arena *arena, wh_str **ret,
                           size_t *ret_count, wh_error *err);
wh_status ledger_acquire(wh_ledger *l, wh_str pipeline, wh_lease *ret, wh_error *err);
wh_status ledger_renew(wh_ledger *l, wh_lease *lease, wh_error *err);
void ledger_release(wh_ledger *l, wh_lease *lease);
wh_status ledger_raise_epoch(wh_ledger *l, wh_str pipeline, uint64_t epoch, wh_error *err);
// WH_ERR_STALE when a newer epoch holds the pipeline. In a transaction.
wh_status ledger_check_epoch(ledger *l, wh_str pipeline, uint64_t epoch, wh_error *err);
// The same in two: sent, and looked at.
wh_status ledger_send_epoch(ledger *l, wh_str pipeline, ledger_query *q, wh_error *err);
wh_status ledger_see_epoch(ledger_query *q, wh_str pipeline, uint64_t epoch, wh_error *err);

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
    "output_version," t "sha256," t "rejects," t "cursor_from," t "cursor_to," t "error," t        \
    "reading," t "partial"
#define LEDGER_RUN_FIXED(t)      t "id," t "pipeline," t "ord," t "started_us"
#define LEDGER_RUN_CHANGES_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"
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
wh_status ledger_set_fired(wh_ledger *l, const wh_lease *lease, int64_t due_us, wh_error *err);
wh_status ledger_move_fired(wh_ledger *l, wh_str pipeline, int64_t was_us, int64_t due_us,
                            wh_error *err);
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
// What the run staged holds from now on, or is forgotten. In a transaction; `any` is of
// ledger_send_staged.
wh_status ledger_send_staged(ledger *l, wh_str pipeline, wh_str run, ledger_query *any,
                             wh_error *err);
wh_status ledger_settle_keys(ledger *l, ledger_query *any, wh_str pipeline, wh_str run, bool holds,
                             wh_error *err);

wh_status ledger_put_many(wh_ledger *l, wh_str pipeline, const wh_put *puts, size_t count,
                          bool is_done, uint64_t *ret_new, wh_error *err);
wh_status ledger_put(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, int64_t order,
                     bool *ret_new, wh_error *err);
wh_status ledger_put_done(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_error *err);
wh_status ledger_receive(wh_ledger *l, const wh_lease *lease, int64_t hidden_us, wh_arena *arena,
                         wh_work *ret, wh_error *err);
wh_status ledger_extend(wh_ledger *l, const wh_lease *lease, uint64_t work, int64_t hidden_us,
                        wh_error *err);
wh_status ledger_note(wh_ledger *l, const wh_lease *lease, uint64_t work, wh_str progress,
                      wh_error *err);
wh_status ledger_forgive(wh_ledger *l, const wh_lease *lease, uint64_t work, wh_error *err);
wh_status ledger_reclaim(wh_ledger *l, const wh_lease *lease, bool delayed_too, wh_error *err);
wh_status ledger_fail_work(wh_ledger *l, const wh_lease *lease, uint64_t work, uint32_t attempts,
                           bool definite, int64_t delay_us, wh_str error, bool *ret_dead,
                           wh_error *err);
wh_status ledger_done(wh_ledger *l, const wh_lease *lease, uint64_t work, wh_error *err);
wh_status ledger_works(wh_ledger *l, wh_str pipeline, wh_arena *arena, wh_work_visit visit,
                       void *context, wh_error *err);
wh_status ledger_revive(wh_ledger *l, wh_str pipeline, uint64_t *ret_count, wh_error *err);
wh_status ledger_outcome(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_outcome *ret,
                         wh_error *err);
wh_status ledger_retry(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_error *err);
wh_status ledger_next_visible(wh_ledger *l, wh_str pipeline, int64_t *ret_us, wh_error *err);
wh_status ledger_stats(wh_ledger *l, wh_str pipeline, wh_ledger_stats *ret, wh_error *err);
wh_status ledger_finish_work(ledger *l, uint64_t work, wh_error *err); // in a transaction

// Holds a name for this process, in a transaction of its own, and raises its epoch.
wh_status ledger_take(ledger *l, wh_str name, bool has_epoch, ledger_lease **ret, wh_error *err);
void ledger_unhold(ledger *l, ledger_lease *lease); // gives it back
wh_status ledger_is_held(ledger *l, wh_str name, bool *ret, wh_error *err);
// `holder`: where it is going on, or empty.
wh_status ledger_fail_held(wh_str name, wh_str holder, wh_error *err); // WH_ERR_BUSY
wh_status ledger_fail_stale(wh_str pipeline, wh_error *err);           // WH_ERR_STALE

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

wh_status ledger_outbox_next(wh_ledger *l, wh_str target, bool hurry, wh_arena *arena,
                             wh_outbox_item *ret, wh_error *err);
wh_status ledger_outbox_done(wh_ledger *l, const wh_outbox_item *item, wh_error *err);
wh_status ledger_outbox_fail(wh_ledger *l, const wh_outbox_item *item, uint32_t attempts,
                             int64_t delay_us, wh_str error, bool *ret_dead, wh_error *err);
wh_status ledger_outbox_revive(wh_ledger *l, wh_str target, bool *ret_any, wh_error *err);
wh_status ledger_outbox(wh_ledger *l, wh_arena *arena, wh_outbox_box **ret, size_t *ret_count,
                        wh_error *err);
wh_status ledger_outbox_put(ledger *l, wh_str run, const wh_tell *tell,
                            wh_error *err); // in a transaction
wh_status ledger_pieces_put(wh_ledger *l, const wh_run *run, wh_str able, const wh_str *tasks,
                            size_t count, wh_error *err);
wh_status ledger_piece_take(wh_ledger *l, wh_str pipeline, wh_str able, int64_t held_us,
                            wh_arena *arena, wh_piece *ret, wh_error *err);
wh_status ledger_piece_renew(wh_ledger *l, const wh_piece *piece, int64_t held_us, wh_error *err);
wh_status ledger_piece_report(wh_ledger *l, const wh_piece *piece, wh_str result, wh_error *err);
wh_status ledger_piece_get(wh_ledger *l, wh_str run, uint64_t number, wh_arena *arena,
                           wh_piece *ret, wh_error *err);
wh_status ledger_forget_pieces(ledger *l, wh_str run, wh_error *err); // in a transaction
// Where no worker tells another anything.
wh_status ledger_listen_to_nobody(wh_ledger *l, int *ret_fd, wh_error *err);
void ledger_heard_nothing(wh_ledger *l, wh_heard_visit visit, void *context);

// For the table of a ledger type: all but its name, listening and closing.
#define LEDGER_VERBS                                                                               \
  .acquire = ledger_acquire, .renew = ledger_renew, .release = ledger_release,                     \
  .pipelines = ledger_pipelines, .keys_next = ledger_keys_next, .keys_stage = ledger_keys_stage,   \
  .run_start = ledger_run_start, .run_seal = ledger_run_seal,                                      \
  .run_sealed_finish = ledger_run_sealed_finish, .run_finish = ledger_run_finish,                  \
  .run_get = ledger_run_get, .runs = ledger_runs, .cursor = ledger_cursor,                         \
  .pinned = ledger_pinned, .pin = ledger_pin, .fired = ledger_fired,                               \
  .set_fired = ledger_set_fired, .move_fired = ledger_move_fired, .put = ledger_put,               \
  .put_many = ledger_put_many, .put_done = ledger_put_done, .receive = ledger_receive,             \
  .extend = ledger_extend, .note = ledger_note, .forgive = ledger_forgive,                         \
  .reclaim = ledger_reclaim,                                                                       \
  .fail = ledger_fail_work, .done = ledger_done, .works = ledger_works, .revive = ledger_revive,   \
  .outcome = ledger_outcome, .retry = ledger_retry, .next_visible = ledger_next_visible,           \
  .quarantined = ledger_quarantined, .quarantine_put = ledger_quarantine_put,                      \
  .quarantine_drop = ledger_quarantine_drop, .stats = ledger_stats,                                \
  .outbox_next = ledger_outbox_next, .outbox_done = ledger_outbox_done,                            \
  .outbox_fail = ledger_outbox_fail, .outbox_revive = ledger_outbox_revive,                        \
  .outbox = ledger_outbox, .service_begin = ledger_service_begin,                                  \
  .service_tell = ledger_service_tell, .service_end = ledger_service_end,                          \
  .services = ledger_services, .asked = ledger_asked, .import_run = ledger_import_run,             \
  .set_cursor = ledger_set_cursor, .raise_order = ledger_raise_order,                              \
  .raise_epoch = ledger_raise_epoch, .pieces_put = ledger_pieces_put,                              \
  .piece_take = ledger_piece_take, .piece_renew = ledger_piece_renew,                              \
  .piece_report = ledger_piece_report, .piece_get = ledger_piece_get
