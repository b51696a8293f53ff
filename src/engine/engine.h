// The engine: what a run is, and everything that is done with runs. The command line and the
// service call this; nothing here prints.
//
// One engine a process. Threads: wh_engine_run_pipeline may be called from several threads for
// different pipelines; a lease in the ledger keeps two runs of one pipeline apart.
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "ledger/ledger.h"

#include <stdatomic.h>

typedef struct wh_progress {
  wh_str pipeline;
  wh_str object;       // what is read; empty: a table
  const char *noun;    // what `rows` counts; NULL: rows
  uint64_t rows;       // consumed so far
  uint64_t rows_total; // 0: unknown
  uint64_t bytes, bytes_total;
} wh_progress;

// What somebody who watches may want to show. Called from the thread that runs the pipeline.
typedef struct wh_watcher {
  void *context;
  void (*progress)(void *context, const wh_progress *progress); // about ten times a second
  void (*finished)(void *context, const wh_run *run);           // done or failed
  // Something a person should know: a new column that stays home, an object that was replaced.
  void (*notice)(void *context, wh_str pipeline, const char *text);
  // While serving: every WH_TICK_US, from the thread that called wh_engine_serve.
  void (*tick)(void *context);
} wh_watcher;

// Something that has to be said again and again while work goes on. Called after each batch, from
// the thread that runs the pipeline.
typedef struct wh_keep_alive {
  void (*say)(void *context); // NULL: nothing
  void *context;
} wh_keep_alive;

typedef struct wh_engine {
  wh_os *os;
  wh_mem *mem;
  wh_config *config;
  wh_ledger *ledger;
  const atomic_bool *stop; // set: finish the chunk in hand and leave the rest
  int wake_fd;             // readable once `stop` is set; -1: none
  // A function in a cloud, whose disk is gone with it: rejected rows need a store. And one whose
  // ledger is on that disk: a target's marks alone say what is loaded, with no epoch (connect/
  // sink.h), and whoever sent the event counts failures: an object that fails once is dead here.
  bool scratch_disk, scratch_ledger;
  bool single_thread; // stages do not overlap: for the simulation
  size_t lanes;       // of an object that is read in parts, at most; 0: one a processor
  wh_watcher watcher;
  wh_keep_alive keep_alive;
} wh_engine;

enum {
  WH_FLOW_SLOTS = 4,                        // batches in flight between two stages
  WH_VISIBILITY_US = 5 * 60 * 1000000,      // an object being loaded is hidden this long
  WH_SETTLE_US = 2 * 1000000,               // a foreign file counts when still for so long
  WH_SETTLE_PATIENCE_US = 5 * WH_SETTLE_US, // `run` waits so long in all for files to be still
  WH_CLOCK_AHEAD_US = 60 * 1000000,         // a file's time may be ahead of our clock by so much
  WH_ROW_SHARE_OF_MEMORY = 8,               // a row is at most memory / this
  WH_MEMORY_BESIDES = 12 << 20,             // code, libraries, stacks and the C library's own
  WH_TAKES_MAX = 20, // of an object in a row by processes that were killed and got nowhere with it
  WH_TICK_US = 5 * 1000000,
  WH_RETRY_FIRST_US = 5 * 1000000, // delay after a failure, doubling
  WH_RETRY_MAX_US = 15 * 60 * 1000000,
};

// What the accountant may hand out under `memory`: less what the process takes besides.
size_t wh_engine_memory_limit(const wh_config *config);

typedef struct wh_run_options {
  bool full; // as if there were no cursor
  bool has_since;
  int64_t since_us;    // as if the cursor stood there; it is moved unless it stood before that
  uint64_t limit_rows; // 0: none; then the cursor is not moved
  bool hurry;          // take retries that are not due yet
  bool scheduled;      // only if its schedule, or a retry, is due; then it has fired
} wh_run_options;

typedef struct wh_run_totals {
  uint64_t runs, failed;
  uint64_t rows_quarantined;
  bool stopped; // engine->stop was set
  bool passes;  // a scheduled run failed for a reason that passes: it is to be tried again soon
} wh_run_totals;

// Runs a pipeline once: a database is read, or every object that is waiting is taken, one run
// each. Adopts or throws away what a crash left. WH_ERR_BUSY: it is running elsewhere. A failed
// run is counted in totals and told to the watcher; the status is for what kept it from starting.
wh_status wh_engine_run_pipeline(wh_engine *engine, const wh_pipeline *pipeline,
                                 const wh_run_options *options, wh_run_totals *totals,
                                 wh_error *err);

// The same with whatever the pipeline's store has by now that is not known yet.
wh_status wh_engine_run_now(wh_engine *engine, const wh_pipeline *pipeline,
                            const wh_run_options *options, wh_run_totals *totals, wh_error *err);

// `wherry run`: the named pipelines (all when none), then whatever that makes due, until nothing is
// left or `stop` is set.
wh_status wh_engine_run(wh_engine *engine, const wh_str *names, size_t count,
                        const wh_run_options *options, wh_run_totals *totals, wh_error *err);

// Puts what is in the store and not yet known into the ledger's queue. *ret_settle_us is when to
// look again for files that were not still yet; INT64_MAX: no need.
wh_status wh_engine_scan(wh_engine *engine, const wh_pipeline *pipeline, uint64_t *ret_new,
                         int64_t *ret_settle_us, wh_error *err);

// When a pipeline is due next. Both are INT64_MAX for never.
typedef struct wh_due {
  int64_t time_us;  // by its schedule: what the ledger remembers when it was done
  int64_t start_us; // later by what `jitter` makes of that time
} wh_due;
wh_status wh_engine_next_due(wh_engine *engine, const wh_pipeline *pipeline, wh_due *ret,
                             wh_error *err);

// The service: schedules and events, until *engine->stop. Returns when work in hand is finished.
wh_status wh_engine_serve(wh_engine *engine, const wh_str *names, size_t count, wh_error *err);

// Every pipeline of the configuration that reads the endpoint of serve.ingest has taken the events
// below this number; 0: nobody reads it, or somebody has not begun.
wh_status wh_engine_ingested(wh_engine *engine, wh_str endpoint, int64_t *ret_next, wh_error *err);

// --- telling others (notify) -------------------------------------------------------------------

typedef struct wh_delivered {
  uint64_t sent;
  uint64_t failed; // tries that failed for a reason that a person has to mend
  bool paused;     // something could not be delivered for now
  int64_t next_us; // when there is something again; INT64_MAX: nothing waits
} wh_delivered;

// Whether the configuration tells anybody of anything, or has a catalogue.
bool wh_engine_tells(const wh_engine *engine);
// Delivers what waits in the ledger's outbox for those whom the configuration names, for at most
// about limit_us. `hurry`: also what waits for a retry, and what is given up. Who delivers
// elsewhere meanwhile is left alone (WH_OK). What fails stays, and is told by the ledger's
// `outbox`.
wh_status wh_engine_deliver(wh_engine *engine, bool hurry, int64_t limit_us, wh_delivered *ret,
                            wh_error *err);

typedef struct wh_catalog_plan {
  bool exists, fits;
  wh_str text; // DDL, or the difference
} wh_catalog_plan;
// What is at config->catalog, which is given. Changes nothing.
wh_status wh_engine_plan_catalog(wh_engine *engine, wh_arena *arena, wh_catalog_plan *ret,
                                 wh_error *err);

// --- looking -----------------------------------------------------------------------------------

typedef struct wh_plan_column {
  wh_str name, from;
  wh_type type;
  wh_class privacy;
  wh_str mask;   // name or empty
  wh_str sample; // one value as it would cross (masked); empty: none
} wh_plan_column;

// What a model reads.
typedef struct wh_plan_table {
  wh_str connection, thing;
  uint64_t objects;
} wh_plan_table;

typedef struct wh_plan {
  const wh_pipeline *pipeline;
  bool from_rows, to_rows; // database or objects at either end
  bool described;          // false: the source is not there yet (an empty lake); nothing is known
  wh_str not_described;    // why not
  wh_cursor_kind cursor_kind;
  wh_str ranges_key;    // that read: ranges cuts; empty: one session reads
  bool one_snapshot;    // in which the ranges are read; else each in its own
  wh_str format;        // what was found out about how the object is written; empty: nothing
  wh_plan_table *reads; // of a model
  size_t read_count;
  wh_str scope; // how much of an incremental model would be run, and why; empty: all, as always
  bool all_cross;
  wh_plan_column *crosses;
  size_t cross_count;
  wh_str *stays; // source columns that stay home
  size_t stay_count;
  bool sink_exact;
  bool target_exists, target_fits;
  bool target_alters; // it gets columns that it lacks
  wh_str target_text; // DDL, or the difference
  bool compares;      // keys, to find deletions: see the pipeline's read.deletes
  wh_str compared_by; // the key's columns, as a list
  bool keys_known;    // it has keys to compare with
  uint64_t keys_sent; // how many
  bool tells_deleted; // what goes to the target says which rows are deleted
  uint64_t waiting;   // objects in the queue or in the store
} wh_plan;

// What a model reads that is not there, and that no pipeline writes. In the arena.
wh_status wh_engine_unfed(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                          const wh_address ***ret, size_t *ret_count, wh_error *err);

// Moves nothing. Strings in the arena.
wh_status wh_engine_plan(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                         wh_plan *ret, wh_error *err);

// What has to be granted at a connection for everything that the configuration does there
// (connect/grants.h). `user` gets it; empty: whoever the connection logs in as.
wh_status wh_engine_grants(wh_config *config, wh_str connection, wh_str user, wh_arena *arena,
                           wh_grant_visit visit, void *context, wh_error *err);

// What an IAM policy must allow for pipelines to run (connect/permits.h), for a team to use its
// objects, or for somebody to publish a site. Asks nobody.
typedef struct wh_policy_request {
  const wh_pipeline *const *pipelines; // when there is no team; none: all, and the lookup pages
  size_t count;
  const wh_team *team;
  const wh_site *site;               // what it takes to publish it, and nothing else
  bool served;                       // the lookup pages alone, and what all of `serve` refers to
  const wh_ingest *const *endpoints; // and these
  size_t endpoint_count;
} wh_policy_request;
// Adds to `policy`, which is then finished.
wh_status wh_engine_policy(wh_config *config, const wh_policy_request *request,
                           wh_iam_policy *policy, wh_error *err);

// --- quarantine --------------------------------------------------------------------------------

typedef struct wh_rejected_row {
  wh_str rule, column, reason, object;
  wh_str table; // of an object that holds several
  wh_place place;
  wh_str data; // the row as JSON, or its text
  bool is_text;
} wh_rejected_row;
typedef wh_status (*wh_rejected_visit)(void *context, const wh_quarantine_entry *entry,
                                       const wh_rejected_row *row, wh_error *err);
// Every rejected row of a pipeline, oldest first.
wh_status wh_quarantine_rows(wh_engine *engine, wh_str pipeline, wh_rejected_visit visit,
                             void *context, wh_error *err);
// Sends them through the pipeline again; what is rejected again is quarantined anew.
wh_status wh_quarantine_replay(wh_engine *engine, const wh_pipeline *pipeline,
                               wh_run_totals *totals, wh_error *err);
wh_status wh_quarantine_drop(wh_engine *engine, wh_str pipeline, uint64_t *ret_rows, wh_error *err);

// --- erasing a person ----------------------------------------------------------------------------

typedef struct wh_erased {
  wh_str pipeline;
  const char *place; // "quarantine", "table", "object", "versions", "source", "events"
  wh_str where;      // an address, or the quarantine's folder
  uint64_t rows;     // of the person; 0: nobody could look
  bool removed;
  const char *why; // they stay; NULL: removed, or only looked for
} wh_erased;
typedef wh_status (*wh_erased_visit)(void *context, const wh_erased *erased, wh_error *err);

typedef struct wh_erase_request {
  wh_str kind; // of person, as `subject` of pipelines names them
  wh_str key;  // as it is read
  bool dry;    // only looks
  wh_erased_visit visit;
  void *context;
} wh_erase_request;

typedef struct wh_erase_result {
  wh_str run; // its record; empty: a dry run
  uint64_t removed;
  uint64_t left; // places that still have rows of the person, or might
} wh_erase_result;

// Removes what a pipeline with such a `subject` has of the person: rows in quarantine, rows in its
// table, earlier versions of the objects that it reads. Its record is a run. Doing it again, after
// a crash for example, ends the same.
wh_status wh_engine_erase(wh_engine *engine, const wh_pipeline *pipeline,
                          const wh_erase_request *request, wh_arena *arena, wh_erase_result *ret,
                          wh_error *err);

// --- how long things are kept (retain) -----------------------------------------------------------

typedef struct wh_retained {
  const wh_retain *retain;
  uint64_t objects, versions, manifests; // that went, or would
  uint64_t rows, dead;                   // of the quarantine: rejected rows, dead letters
  uint64_t staying;                      // objects that are old enough, and stay
  const char *why;                       // the first of them does
  wh_str run;                            // its record; empty: nothing went
} wh_retained;
typedef wh_status (*wh_retained_visit)(void *context, const wh_retained *retained, wh_error *err);

// Removes what is older than the configuration's `retain` keeps, zone by zone. An object goes when
// every pipeline that reads it has loaded it. `dry`: only looks. WH_ERR_BUSY: another one is at it.
wh_status wh_engine_retain(wh_engine *engine, bool dry, wh_retained_visit visit, void *context,
                           wh_error *err);
// Whether an object of that age, that is not there any more, was let go.
bool wh_engine_retain_took(const wh_engine *engine, wh_str connection, wh_str key, int64_t time_us);

// --- proof -------------------------------------------------------------------------------------

typedef struct wh_verify_result {
  const wh_pipeline *pipeline;
  bool publishes;            // it writes objects, else tables
  uint64_t runs;             // checked
  uint64_t rows;             // in them
  uint64_t objects_wrong;    // missing, or other bytes than the receipt says
  uint64_t objects_replaced; // loaded, and overwritten or put away since: what they brought cannot
                             // be read again
  uint64_t equal, newer, older, missing, different; // rows of tables, by comparison
  uint64_t receipts_wrong;                          // counts that do not add up
} wh_verify_result;
// `trouble` is called for each thing that is not as it should be.
typedef void (*wh_trouble)(void *context, const char *text);
wh_status wh_engine_verify(wh_engine *engine, const wh_pipeline *pipeline, wh_trouble trouble,
                           void *context, wh_verify_result *ret, wh_error *err);
// Rebuilds a lost ledger from the manifests in the lakes and the marks in the targets.
typedef struct wh_rebuild_result {
  uint64_t runs, cursors, loads, quarantines;
} wh_rebuild_result;
wh_status wh_engine_rebuild(wh_engine *engine, wh_rebuild_result *ret, wh_error *err);
