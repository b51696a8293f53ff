// The ledger: Wherry's own state. Runs, cursors, pinned schemas, the queue of objects to load,
// receipts, quarantine index, schedules. One interface; SQLite beside the project by default,
// PostgreSQL behind the same verbs where several workers share the work. The same
// contract tests run against each.
//
// Threads: a wh_ledger may be used by several threads; calls are serialised inside.
// Durability: a verb that returned WH_OK is on disk. Strings in results live in the arena given.
// Visitors: no lock is held while one runs, so it may call any verb; it may also reset the arena
// when it keeps nothing. Anything but WH_OK ends the listing with that status.
// Errors that any verb may return: WH_ERR_NO_SPACE, WH_ERR_BUSY (another process holds the ledger;
// retry), WH_ERR_DATA (it is damaged: wherry ledger rebuild), WH_ERR_UNAVAILABLE (its server does
// not answer; retry), WH_ERR_IO, WH_ERR_MEMORY.
// A `pipeline` that is empty means all of them, where a verb lists, counts or revives.
#pragma once

#include "base/option.h"
#include "base/os.h"
#include "connect/connection.h"
#include "connect/sink.h"
#include "data/value.h"

enum {
  WH_RUN_ID_LEN = 26,            // ULID, lower case
  WH_RUN_ID_PREFIX_MIN = 6,      // that run_get takes for a run
  WH_SERVICES_MAX = 128,         // that share a ledger
  WH_WINDOW_HASHES_MAX = 262144, // rows of an overlap that are remembered
  WH_KEY_BYTES_MAX = 4096,       // of one key that is kept
};
#define WH_OUTBOX_LEASE "@outbox" // no pipeline is called that
#define WH_RETAIN_LEASE "@retain" // nor that; runs of that name say what went
#define WH_ERASE_PREFIX "erase:"  // KIND:SHA-256: the `object` of a run that erased a person
// Larger ones are refused (WH_ERR_LIMIT), so that a manifest or mark that lies cannot use them up.
#define WH_ORDER_MAX (INT64_MAX / 2)
#define WH_EPOCH_MAX ((uint64_t)INT64_MAX / 2)

typedef enum wh_run_state {
  WH_RUN_RUNNING, // nothing durable yet: thrown away after a crash
  WH_RUN_SEALED,  // the attempt is complete: a restart publishes it
  WH_RUN_DONE,
  WH_RUN_FAILED,
  WH_RUN_STOPPED, // asked to stop: what its chunks committed counts, the rest is for the next run
} wh_run_state;
const char *wh_run_state_name(wh_run_state state); // "running" ...
bool wh_run_state_parse(wh_str name, wh_run_state *ret);

// The object that a run publishes, as sealed.
typedef struct wh_sealed {
  wh_str attempt; // name in the store
  wh_str store;   // connection
  wh_str key;     // to publish under
  wh_str sha256;  // hex
  uint64_t bytes;
  uint64_t rows;
  uint64_t row_hash;
  wh_str manifest; // JSON, as it will stand in the lake; empty for raw objects without one
} wh_sealed;

typedef struct wh_run {
  wh_str id;
  wh_str pipeline;
  wh_str object;  // what it loads: identity; empty for runs that read a database
  int64_t order;  // grows with every run; microseconds since 1970 at least
  uint64_t epoch; // of the lease it ran under
  wh_run_state state;
  int64_t started_us, finished_us;
  wh_counts counts;
  uint64_t bytes_read, bytes_written;
  uint64_t row_hash; // sum over rows written (export) or consumed (load)
  wh_str output;     // object published, or table loaded; address
  wh_str output_version;
  wh_str sha256;                 // of the object published
  wh_str rejects;                // quarantine object; empty: none
  wh_str cursor_from, cursor_to; // as text; empty: none
  wh_str reading;                // "3 ranges of id, read in one snapshot"; empty: by one session.
                                 // Of one that removed something on purpose: what, where
  bool partial;                  // a part, on purpose: --limit, or rows of the quarantine
  wh_str error;                  // failed: the sentence
  wh_sealed sealed;              // state sealed
} wh_run;

// A cursor: the highest value seen, with its type, and what is needed to leave out rows of the
// overlap that were sent already: the hashes of the rows read in [from, ...) by the last run, in
// the order they were given. Storing one with `found` false forgets the cursor.
typedef struct wh_cursor {
  bool found;
  wh_value last; // text in the arena
  const uint64_t *window;
  size_t window_count;
  bool window_cut; // more rows than WH_WINDOW_HASHES_MAX: none are remembered, all are sent again
} wh_cursor;

// An object waiting to be loaded by a pipeline.
typedef struct wh_work {
  uint64_t id;
  wh_str pipeline;
  wh_str key;
  wh_str version;
  int64_t order;      // what decides who comes first; not who wins
  uint32_t attempts;  // failures so far, and this try
  uint32_t takes;     // received in a row without an outcome, and this time
  int64_t visible_us; // hidden until then, by the ledger's clock
  wh_str error;       // of the last attempt
  wh_str progress;    // what was last noted of it; empty: nothing
  bool dead;
} wh_work;

typedef enum wh_outcome { WH_OUTCOME_OPEN, WH_OUTCOME_DONE, WH_OUTCOME_DEAD } wh_outcome;

// An object version to put into the queue.
typedef struct wh_put {
  wh_str key;
  wh_str version;
  int64_t order;
} wh_put;

// One for each run that rejected rows.
typedef struct wh_quarantine_entry {
  wh_str run;
  wh_str pipeline;
  wh_str object; // source object or table the rows came from
  wh_str file;   // where the rejected rows are: key under the quarantine folder
  uint64_t rows; // still waiting
  int64_t time_us;
} wh_quarantine_entry;

// A lease: one run of a pipeline at a time.
typedef struct wh_lease {
  wh_str pipeline;
  uint64_t epoch;
  void *own;
} wh_lease;

// A range of the keys that a pipeline has sent (engine/sent_keys.h): those from `first` up to the
// next range's. What the bytes mean is not the ledger's business.
typedef struct wh_key_range {
  wh_str first;      // at most WH_KEY_BYTES_MAX; may be empty
  uint64_t count;    // keys; 0 in what a run stages: the range is gone
  uint64_t checksum; // of `keys`
  wh_str keys;       // empty where it was not asked for
} wh_key_range;

// A piece of a run's work, which any worker may do (engine/shared.h). What its task and result say
// is not the ledger's business.
typedef struct wh_piece {
  wh_str run;
  uint64_t number; // of the run's, from 0
  uint64_t take;   // how often it was taken, this time too: no two takes have the same
  wh_str task;
  wh_str result; // empty: it is not done
} wh_piece;

// What is to be done with a run that ended, when whoever it is for can be reached.
typedef enum wh_outbox_kind {
  WH_OUTBOX_MESSAGE,   // a topic or queue is told; the target is the connection's name
  WH_OUTBOX_CATALOGUE, // the object's manifest becomes a row; the target is the table's address
  WH_OUTBOX_AFTER,     // the object that was read is moved or removed; the target is the pipeline's
} wh_outbox_kind;
typedef struct wh_tell {
  wh_outbox_kind kind;
  wh_str target;
} wh_tell;

// What waits in the outbox: one for each run and target, until it is delivered.
typedef struct wh_outbox_item {
  wh_str run; // what is told is read from it
  wh_str target;
  wh_outbox_kind kind;
  uint32_t tries; // failures so far
} wh_outbox_item;

// All that waits for one target.
typedef struct wh_outbox_box {
  wh_str target;
  wh_outbox_kind kind;
  uint64_t waiting;  // not dead
  uint64_t dead;     // not tried again by itself
  int64_t oldest_us; // when the oldest entered, dead or not
  int64_t next_us;   // when the next is visible, by our clock; INT64_MAX: none waits
  wh_str error;      // of a failure; empty: none yet
} wh_outbox_box;

// What a finished run changes, all in one transaction.
typedef struct wh_finish {
  const wh_run *run;                     // state done, failed or stopped; receipt numbers
  const wh_cursor *cursor;               // NULL: unchanged
  uint64_t work;                         // queue entry that is done by it; 0: none
  const wh_quarantine_entry *quarantine; // NULL: nothing rejected
  const wh_schema *pin;                  // schema to pin for the pipeline's source; NULL: unchanged
  const wh_tell *tells;                  // enter the outbox; not sealed: whoever finishes says them
  size_t tell_count;
} wh_finish;

// A service (`wherry up`), as it tells others of itself.
typedef struct wh_service {
  int64_t pid;
  int64_t started_us;
  int64_t told_us; // when it last did
  uint64_t memory_bytes;
  wh_str address; // of its pages: "http://127.0.0.1:8080"; empty: it serves none
  bool running;   // listed: false where it ended without saying so
  uint32_t slot;  // the ledger's own
  void *own;
} wh_service;

// Questions to one lookup.
typedef struct wh_asked {
  wh_str lookup;
  uint64_t asked, found, limited;
} wh_asked;

typedef struct wh_ledger wh_ledger;

typedef wh_status (*wh_run_visit)(void *context, const wh_run *run, wh_error *err);
typedef wh_status (*wh_work_visit)(void *context, const wh_work *work, wh_error *err);
typedef wh_status (*wh_service_visit)(void *context, const wh_service *service, wh_error *err);
typedef wh_status (*wh_quarantine_visit)(void *context, const wh_quarantine_entry *entry,
                                         wh_error *err);

typedef void (*wh_heard_visit)(void *context, wh_str pipeline);

typedef struct wh_ledger_stats {
  uint64_t waiting; // visible or hidden, not dead
  uint64_t dead;
  int64_t oldest_us; // when the oldest waiting one was put in; 0: none
  uint64_t quarantined_rows;
} wh_ledger_stats;

typedef struct wh_ledger_type {
  const char *name;

  // --- leases. acquire: WH_ERR_BUSY when another run of the pipeline is going on, in this process
  // or another. The epoch is higher than any before. It lasts until release, and not longer than
  // the process: in SQLite a lock, on a server a time that the ledger itself renews meanwhile. A
  // process that was stopped for longer than that finds it gone: WH_ERR_STALE from every verb that
  // takes the lease, and from run_seal and run_finish. They change nothing then: the epoch is
  // looked at in the transaction that would have changed something, and nobody else can raise it
  // meanwhile.
  wh_status (*acquire)(wh_ledger *l, wh_str pipeline, wh_lease *ret, wh_error *err);
  wh_status (*renew)(wh_ledger *l, wh_lease *lease, wh_error *err); // WH_ERR_STALE: lost it
  void (*release)(wh_ledger *l, wh_lease *lease); // zeroes it; NULL and zeroed are fine

  // Names of pipelines that have run and begin with `prefix`, in the order of their bytes.
  wh_status (*pipelines)(wh_ledger *l, wh_str prefix, wh_arena *arena, wh_str **ret,
                         size_t *ret_count, wh_error *err);

  // --- runs
  // Fills id, order (greater than every earlier one of this ledger, and at least now), started.
  wh_status (*run_start)(wh_ledger *l, const wh_lease *lease, wh_str object, wh_arena *arena,
                         wh_run *ret, wh_error *err);
  // Stores the run, run->sealed, and what run_finish will be told when the object is published,
  // so that another process can do it. WH_ERR_STALE: a newer epoch than run->epoch holds the
  // pipeline, or the run has ended. A second seal of the run replaces the first.
  wh_status (*run_seal)(wh_ledger *l, const wh_run *run, const wh_finish *on_publish,
                        wh_error *err);
  // The finish that run_seal stored, for adopting after a crash. The run in it has `sealed` too and
  // the state it is to end in. WH_ERR_NOT_FOUND: not sealed.
  wh_status (*run_sealed_finish)(wh_ledger *l, wh_str run, wh_arena *arena, wh_finish *ret,
                                 wh_error *err);
  // Ends a run: state done, failed or stopped. What was sealed for it is dropped; only what is in
  // `finish` holds. Once more with the same state changes nothing (WH_OK). WH_ERR_STALE: it ended
  // in the another state, or it was not sealed and a newer epoch than finish->run->epoch holds the
  // pipeline; whoever finishes the unsealed run of another sets the epoch of its own lease. Saying
  // that a run failed is always allowed. id, pipeline, order and started_us of a run never change.
  wh_status (*run_finish)(wh_ledger *l, const wh_finish *finish, wh_error *err);
  // `id` may be an unambiguous prefix. WH_ERR_NOT_FOUND, WH_ERR_USAGE (ambiguous, too short).
  wh_status (*run_get)(wh_ledger *l, wh_str id, wh_arena *arena, wh_run *ret, wh_error *err);
  // Newest first. pipeline empty: all; state < 0: any; limit 0: all.
  wh_status (*runs)(wh_ledger *l, wh_str pipeline, int state, uint64_t limit, wh_arena *arena,
                    wh_run_visit visit, void *context, wh_error *err);

  // --- cursors, pinned schemas, schedules
  wh_status (*cursor)(wh_ledger *l, wh_str pipeline, wh_arena *arena, wh_cursor *ret,
                      wh_error *err);
  wh_status (*pinned)(wh_ledger *l, wh_str pipeline, wh_arena *arena, bool *ret_found,
                      wh_schema *ret, wh_error *err);
  wh_status (*pin)(wh_ledger *l, wh_str pipeline, const wh_schema *schema, wh_error *err);
  wh_status (*fired)(wh_ledger *l, wh_str pipeline, int64_t *ret_us, wh_error *err); // 0: never
  wh_status (*set_fired)(wh_ledger *l, const wh_lease *lease, int64_t due_us, wh_error *err);
  // Without a lease: changes nothing where it is not `was_us` any more.
  wh_status (*move_fired)(wh_ledger *l, wh_str pipeline, int64_t was_us, int64_t due_us,
                          wh_error *err);

  // --- keys that were sent. The next range behind `after` (NULL: the first), in the order of the
  // bytes of `first`. WH_ERR_END: no more.
  wh_status (*keys_next)(wh_ledger *l, wh_str pipeline, const wh_str *after, bool with_keys,
                         wh_arena *arena, wh_key_range *ret, wh_error *err);
  // Ranges that the run will put in place of those with the same `first`, all of them when it ends
  // as done (run_finish), none when it ends otherwise. Once more replaces what was staged.
  // WH_ERR_STALE: a newer epoch than run->epoch holds the pipeline.
  wh_status (*keys_stage)(wh_ledger *l, const wh_run *run, const wh_key_range *ranges, size_t count,
                          wh_error *err);

  // --- pieces of a run's work. put: numbered from 0, of a run that has none; other workers are
  // told. `able`: what a worker has to be like to do them. They go when the run ends. WH_ERR_STALE:
  // a newer epoch than run->epoch holds the pipeline.
  wh_status (*pieces_put)(wh_ledger *l, const wh_run *run, wh_str able, const wh_str *tasks,
                          size_t count, wh_error *err);
  // The first that is not done and that nobody has in hand, of a run of the pipeline that goes on
  // under its latest epoch. It is the taker's until now + held_us. WH_ERR_END: none.
  wh_status (*piece_take)(wh_ledger *l, wh_str pipeline, wh_str able, int64_t held_us,
                          wh_arena *arena, wh_piece *ret, wh_error *err);
  // The taker's until now + held_us; 0: given back. WH_ERR_STALE: somebody took it since, it is
  // done, or its run does not go on.
  wh_status (*piece_renew)(wh_ledger *l, const wh_piece *piece, int64_t held_us, wh_error *err);
  // It is done, for good. `result` is not empty; the same once more changes nothing. WH_ERR_STALE
  // as above: nothing is kept of it.
  wh_status (*piece_report)(wh_ledger *l, const wh_piece *piece, wh_str result, wh_error *err);
  wh_status (*piece_get)(wh_ledger *l, wh_str run, uint64_t number, wh_arena *arena, wh_piece *ret,
                         wh_error *err); // WH_ERR_NOT_FOUND

  // --- the queue. put: an object version enters once; *ret_new says whether it was new. Known
  // ones, also done and dead ones, are left as they are.
  wh_status (*put)(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, int64_t order,
                   bool *ret_new, wh_error *err);
  // Many in one transaction, in order; *ret_new counts the new ones. With is_done as put_done.
  wh_status (*put_many)(wh_ledger *l, wh_str pipeline, const wh_put *puts, size_t count,
                        bool is_done, uint64_t *ret_new, wh_error *err);
  // Known and dealt with: `begin: now`, or a mark says that it is loaded. One that waits is done.
  wh_status (*put_done)(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_error *err);
  // Of the lease's pipeline, the visible one with the lowest order (then: first put in), hidden
  // until now + hidden_us. WH_ERR_END: none.
  wh_status (*receive)(wh_ledger *l, const wh_lease *lease, int64_t hidden_us, wh_arena *arena,
                       wh_work *ret, wh_error *err);
  // Hidden until now + hidden_us, whatever it was before. WH_ERR_STALE: it is done or dead, too.
  wh_status (*extend)(wh_ledger *l, const wh_lease *lease, uint64_t work, int64_t hidden_us,
                      wh_error *err);
  // How far it is, in the engine's words, for whoever receives it next. WH_ERR_STALE as extend.
  wh_status (*note)(wh_ledger *l, const wh_lease *lease, uint64_t work, wh_str progress,
                    wh_error *err);
  // It got on, or was put down on purpose: earlier takes do not count any more.
  wh_status (*forgive)(wh_ledger *l, const wh_lease *lease, uint64_t work, wh_error *err);
  // Makes visible what was received and neither done nor failed since: whoever received it is gone.
  // `delayed_too`: also what waits for a retry.
  wh_status (*reclaim)(wh_ledger *l, const wh_lease *lease, bool delayed_too, wh_error *err);
  // Not done: visible again after delay_us, or dead when it has failed `attempts` times or
  // `definite` says that a retry cannot help. One that is done stays done.
  wh_status (*fail)(wh_ledger *l, const wh_lease *lease, uint64_t work, uint32_t attempts,
                    bool definite, int64_t delay_us, wh_str error, bool *ret_dead, wh_error *err);
  // lease NULL: whoever says so, a person for example.
  wh_status (*done)(wh_ledger *l, const wh_lease *lease, uint64_t work, wh_error *err);
  wh_status (*works)(wh_ledger *l, wh_str pipeline, wh_arena *arena, wh_work_visit visit,
                     void *context, wh_error *err); // not done ones, by pipeline and order
  // Dead ones are visible again, as if they had never failed.
  wh_status (*revive)(wh_ledger *l, wh_str pipeline, uint64_t *ret_count, wh_error *err);
  // What became of an object version that was put. WH_ERR_NOT_FOUND: it was not.
  wh_status (*outcome)(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_outcome *ret,
                       wh_error *err);
  // One that is dead is visible again, for one more try. Any other stays as it is.
  wh_status (*retry)(wh_ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_error *err);
  // When there is something to receive: now (or earlier) when there is already; INT64_MAX: never.
  wh_status (*next_visible)(wh_ledger *l, wh_str pipeline, int64_t *ret_us, wh_error *err);

  // --- quarantine, oldest first; put replaces the run's entry; dropping what is not there is fine.
  wh_status (*quarantined)(wh_ledger *l, wh_str pipeline, wh_arena *arena,
                           wh_quarantine_visit visit, void *context, wh_error *err);
  wh_status (*quarantine_put)(wh_ledger *l, const wh_quarantine_entry *entry, wh_error *err);
  wh_status (*quarantine_drop)(wh_ledger *l, wh_str run, wh_error *err);

  wh_status (*stats)(wh_ledger *l, wh_str pipeline, wh_ledger_stats *ret, wh_error *err);

  // --- the outbox: what run_finish put in. Whoever delivers holds the lease WH_OUTBOX_LEASE, so
  // that one does at a time; one who dies in between leaves it to be delivered again.
  // The one of a target with the lowest run that is not dead; those behind it wait for it, so that
  // they stay in order. WH_ERR_END: there is none, or, without `hurry`, it is not visible yet.
  wh_status (*outbox_next)(wh_ledger *l, wh_str target, bool hurry, wh_arena *arena,
                           wh_outbox_item *ret, wh_error *err);
  wh_status (*outbox_done)(wh_ledger *l, const wh_outbox_item *item, wh_error *err); // it goes
  // Visible again after delay_us; dead when it has failed `attempts` times. attempts 0: the failure
  // is nobody's fault, and does not count.
  wh_status (*outbox_fail)(wh_ledger *l, const wh_outbox_item *item, uint32_t attempts,
                           int64_t delay_us, wh_str error, bool *ret_dead, wh_error *err);
  // The dead one of a target that was not tried for longest is visible, for one more try.
  wh_status (*outbox_revive)(wh_ledger *l, wh_str target, bool *ret_any, wh_error *err);
  // By target, in the order of their bytes.
  wh_status (*outbox)(wh_ledger *l, wh_arena *arena, wh_outbox_box **ret, size_t *ret_count,
                      wh_error *err);

  // --- services. begin fills slot and own, for tell and end; WH_ERR_BUSY: WH_SERVICES_MAX run
  // already. Whether one lives is known by what it holds: in SQLite a lock that is gone with its
  // process, on a server a lease that nobody renews any more.
  wh_status (*service_begin)(wh_ledger *l, wh_service *service, wh_error *err);
  // What is true of it now, and what was asked since it last told, on `day` (since 1970, UTC).
  wh_status (*service_tell)(wh_ledger *l, const wh_service *service, int64_t day,
                            const wh_asked *more, size_t count, wh_error *err);
  void (*service_end)(wh_ledger *l, wh_service *service); // not begun is fine
  wh_status (*services)(wh_ledger *l, wh_arena *arena, wh_service_visit visit, void *context,
                        wh_error *err);
  // ret->lookup says which; zeroes when nothing was asked that day.
  wh_status (*asked)(wh_ledger *l, int64_t day, wh_asked *ret, wh_error *err);

  // --- other workers
  // A file descriptor that is readable when another worker gave this one something to do; -1: none
  // does, look now and then. It stays the ledger's. A worker that dies tells nobody.
  wh_status (*listen)(wh_ledger *l, int *ret_fd, wh_error *err);
  // Takes what was told: for which pipelines; an empty name stands for any. One thread at a time.
  void (*heard)(wh_ledger *l, wh_heard_visit visit, void *context);

  // For rebuild: a run as told by a manifest or a mark. Existing ones are left as they are. Later
  // orders are greater than the run's.
  wh_status (*import_run)(wh_ledger *l, const wh_run *run, wh_error *err);
  wh_status (*set_cursor)(wh_ledger *l, wh_str pipeline, const wh_cursor *cursor, wh_error *err);
  // Next orders are greater than this.
  wh_status (*raise_order)(wh_ledger *l, int64_t order, wh_error *err);
  wh_status (*raise_epoch)(wh_ledger *l, wh_str pipeline, uint64_t epoch, wh_error *err);
  void (*close)(wh_ledger *l);
} wh_ledger_type;

struct wh_ledger {
  const wh_ledger_type *type;
};

// Opens (and creates, and migrates) the SQLite ledger. `lock_folder` holds one lock file a
// pipeline, locked while a lease is held, so that it is gone with the process.
wh_status wh_ledger_open_sqlite(wh_os *os, wh_mem *mem, const char *path, const char *lock_folder,
                                wh_ledger **ret, wh_error *err);
// Opens (and creates, and migrates) the ledger in a schema of a PostgreSQL database, which any
// number of workers share. `c`: of type postgres; its `schema` is the ledger's, WH_LEDGER_SCHEMA
// where it is empty; it outlives the ledger. `lease_us`: how long a worker that says nothing keeps
// what it holds; renewed in a thread of its own.
wh_status wh_ledger_open_postgres(wh_connection *c, int64_t lease_us, wh_ledger **ret,
                                  wh_error *err);
#define WH_LEDGER_SCHEMA "wherry"
// Opens (and creates, and migrates) the ledger in a table of DynamoDB, for workers without a disk
// of their own. `c`: of wh_dynamodb_ledger_place; it outlives the ledger. `lease_us` as above.
wh_status wh_ledger_open_dynamodb(wh_connection *c, int64_t lease_us, wh_ledger **ret,
                                  wh_error *err);
// One of the two, by the connection's type.
wh_status wh_ledger_open_shared(wh_connection *c, int64_t lease_us, wh_ledger **ret, wh_error *err);
static inline void wh_ledger_close(wh_ledger *l) {
  if (l) l->type->close(l);
}
