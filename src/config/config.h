// The configuration: wherry.yaml, with wherry.ENV.yaml laid over it, checked into plain structs.
// Everything here lives in the configuration's arena and is read-only after loading, except that
// connections and masks are made ready (secrets resolved) when first asked for.
//
// Positions: every message begins with "file:line:column: ". Loading gathers all problems it can
// find, not only the first.
#pragma once

#include "codec/codec.h"
#include "config/cloud_secret.h"
#include "config/keyring.h"
#include "connect/connect.h"
#include "connect/ingest/ingest.h"
#include "step/expect.h"
#include "step/gate.h"

enum {
  WH_CONFIG_BYTES_MAX = 4 << 20,
  WH_CONFIG_PROBLEMS_MAX = 100,
  WH_CONFIG_ROW_SHARE = 8,         // a row is at most `memory` divided by this
  WH_CONFIG_NAME_MAX = 64,         // of pipelines, connections, masks: [A-Za-z0-9_-]
  WH_REFERENCE_FILE_MAX = 1 << 20, // bytes of a file that ${file:PATH} names
};

// --- addresses ---------------------------------------------------------------------------------

typedef struct wh_address {
  wh_str connection;
  wh_str thing; // table, object pattern, object template; empty: the connection as a whole
  const wh_node *node;
} wh_address;

// Whether the thing, of a store, is a dataset: it ends in '/'.
bool wh_address_is_dataset(wh_str thing);

// --- when --------------------------------------------------------------------------------------

typedef enum wh_when_kind {
  WH_WHEN_HAND,
  WH_WHEN_EVERY,
  WH_WHEN_CRON,
  WH_WHEN_NEW,
  WH_WHEN_EVENT,
  WH_WHEN_GATHERED
} wh_when_kind;
typedef enum wh_catch_up { WH_CATCH_UP_LAST, WH_CATCH_UP_NONE, WH_CATCH_UP_ALL } wh_catch_up;

// Five fields (minute hour day month weekday) as bit sets; names (mon, jan), ranges, lists and
// steps as crontab(5) has them, 7 for Sunday too, and @yearly @annually @monthly @weekly @daily
// @midnight @hourly.
typedef struct wh_cron {
  uint64_t minutes;  // bits 0..59
  uint32_t hours;    // 0..23
  uint32_t days;     // 1..31
  uint32_t months;   // 1..12
  uint32_t weekdays; // 0 Sunday .. 6
  bool any_day;      // day field is '*': only the weekday counts
  bool any_weekday;  // with both given, either matches (cron's rule)
} wh_cron;
wh_status wh_cron_parse(wh_str text, wh_cron *ret, wh_error *err); // text without position
// The first due instant strictly after `after_us` (UTC microseconds); zone NULL: UTC. A local time
// that does not exist (spring) is due at the jump; one that exists twice (autumn) is due once, the
// first time. A schedule whose hours are '*' follows elapsed time instead: nothing more is due at
// the jump, and the hour that comes twice is due twice. INT64_MAX: not within 8 years.
int64_t wh_cron_next(const wh_cron *cron, const wh_zone *zone, int64_t after_us);

typedef struct wh_when {
  wh_when_kind kind;
  int64_t every_us;
  int64_t jitter_us; // every and cron: how much later than its time a start may be; 0: on time
  wh_cron cron;
  wh_str cron_text;
  wh_str timezone; // empty: UTC
  wh_catch_up catch_up;
  wh_str queue; // event: name of a queue connection
  wh_gather_limits gathered;
} wh_when;

// --- pipelines ---------------------------------------------------------------------------------

// How objects are read or written: a codec, and its options.
typedef struct wh_format {
  const wh_codec_type *codec; // NULL: each object's by its ending, with its defaults
  const void *options;        // of the codec's reader or writer
} wh_format;

// A file with a SELECT over objects (config/model.h). Its connection is one of its own, named by
// the path.
typedef struct wh_model {
  wh_str path; // as it is written
  wh_str sql;
  const wh_address *tables; // connection and pattern of objects; nodes are places in the file
  const wh_str *datasets;   // of each the prefix, where it is a dataset
  size_t table_count;
} wh_model;
// What stands in the SQL for a table.
wh_str wh_model_reads(const wh_model *model, size_t table);

typedef struct wh_read {
  wh_str query; // of a model: its SQL
  wh_str cursor;
  int64_t overlap_us;            // default 10 minutes
  wh_str timezone;               // of local timestamps in the source; empty: not given
  int64_t ranges;                // sessions that read a table at once; 1: one
  bool shared;                   // its ranges, by all workers of the ledger
  bool deletes;                  // `deletes: compare`: keys that are gone are sent as deleted rows
  wh_str_list key;               // by which they are found; empty: the table's primary key
  int64_t memory_bytes, threads; // of DuckDB, for a model; 0: not said
  wh_format format;
  wh_str
      members; // pattern of those of a ZIP archive that have the rows; empty: the object has them
  wh_str dataset; // the prefix, which ends in '/', where `from` is a dataset; then from.thing is
                  // the pattern of its indexes
} wh_read;

typedef struct wh_write {
  wh_write_mode mode; // default append
  wh_str_list key;
  wh_str newest_by;
  bool side_table;    // `order: side-table`
  wh_deletes deletes; // append: MARK (they are rows like any other) or IGNORE; replace: IGNORE
  int64_t tombstone_keep_us;
  wh_format format;
  wh_str dataset; // the prefix, which ends in '/', where `to` is a dataset; then to.thing is the
                  // template of its indexes. What follows is for datasets only
  int64_t keep;   // versions, the present one among them
  wh_str_list partition_by, sort_by;
  bool incremental;   // a model is run over the partitions that changed: engine/model_scope.h
  int64_t file_bytes; // a file that has so many is ended, and another begun
} wh_write;

// Which runs somebody is told of.
enum {
  WH_NOTIFY_DONE = 1,        // that are done and wrote something
  WH_NOTIFY_FAILED = 2,      //
  WH_NOTIFY_QUARANTINED = 4, // that rejected rows
  WH_NOTIFY_MAX = 16,        // connections of one pipeline
};
typedef struct wh_notify {
  wh_str connection; // a topic or queue
  unsigned on;
} wh_notify;
// "alerts", or "alerts of runs that are failed, quarantined".
bool wh_notify_describe(const wh_notify *notify, wh_buf *out);

// What becomes of an object at the source once it is safe where it went. Of the pipelines that read
// an object one at most says so.
typedef enum wh_after_kind { WH_AFTER_LEAVE, WH_AFTER_DELETE, WH_AFTER_MOVE } wh_after_kind;
typedef struct wh_after {
  wh_after_kind kind;
  wh_str to;     // MOVE: the template of its new key, in the same connection
  wh_str target; // of what waits in the ledger's outbox
} wh_after;

// When an object of `from` is whole, where its size and time alone do not say so.
typedef struct wh_complete {
  wh_str_list renamed_from; // patterns of names that it has before
  // Its marker, beside it, is called BEFORE, its name, its ending where that is told, and BEHIND.
  wh_str marker_before, marker_behind;
  bool marker_has_ext;
  wh_str markers; // pattern of their keys; empty: it has none
  wh_str watched; // pattern of the objects and their markers
} wh_complete;

// Whose rows they are: people of this kind, told apart by this column of the rows as they are read.
enum { WH_SUBJECTS_MAX = 8 };
typedef struct wh_subject {
  wh_str kind, column;
} wh_subject;

// A table of a pipeline that reads many, and what of it may cross.
typedef struct wh_table_gate {
  wh_str table;
  wh_gate gate;
} wh_table_gate;

// What becomes of a column that was not there before.
typedef enum wh_on_new_column {
  WH_NEW_COLUMN_UNSAID, // what is listed crosses, with `columns: all` whatever the target takes
  WH_NEW_COLUMN_HOLD,   // it stays home, and that is told once
  WH_NEW_COLUMN_STOP,   // the run fails
  WH_NEW_COLUMN_ADD,    // it crosses, and the target's table gets it
} wh_on_new_column;

// Where `many` is set, `from` is a pattern over tables ("sales.*"), and the pipeline stands for one
// of each table that it matches: a member, named "export:sales.order", with a cursor, runs, objects
// and a pinned schema of its own. Only members run.
typedef struct wh_pipeline {
  wh_str name;
  const wh_node *node;
  wh_when when;
  wh_address from, to;
  const wh_model *model; // that `from` names; NULL: none
  wh_read read;
  wh_write write;
  const wh_node *steps;          // list, or NULL
  const wh_address *step_tables; // what the steps look rows up in: a table, or one object
  size_t step_table_count;
  const wh_node *expect; // map, or NULL
  wh_run_rules rules;    // of `expect`, for the run as a whole
  wh_gate gate;
  bool many, is_member;
  const wh_table_gate *tables; // many: those that may cross; none: `columns: all`, each
  size_t table_count;
  bool raw; // objects moved as they are
  wh_on_new_column on_new_column;
  int64_t attempts;   // default 5
  int64_t batch_rows; // 0: as suits where they go
  int64_t chunk_rows; // rows committed at a time by a sink; default 100,000
  bool begin_now;     // `begin: now`: objects that are there at first sight do not count
  wh_complete complete;
  wh_after after;
  const wh_notify *notify;
  size_t notify_count;
  const wh_subject *subjects;
  size_t subject_count;
  // `tables`: what each object is loaded into, in this order and all at once. Each is the pipeline
  // with one table of its objects: it has the same name, `from` and when, and `steps`, `columns`,
  // `expect`, `to` and `write` of its own. Then those of the pipeline say nothing, but for the
  // connection of `to`. None: the pipeline has one table, what is in an object.
  const struct wh_pipeline *branches;
  size_t branch_count;
  wh_str table;              // of a branch: its name under `tables`
  const void *table_options; // of a branch, for its codec (codec/tables.h)
} wh_pipeline;

enum { WH_BRANCHES_MAX = 64 };

// What the pipeline loads: its branches, or itself alone.
static inline const wh_pipeline *wh_pipeline_branches(const wh_pipeline *p, size_t *ret_count) {
  *ret_count = p->branch_count ? p->branch_count : 1;
  return p->branch_count ? p->branches : p;
}

// The column by which the pipeline tells people of that kind apart; without data: it has none.
wh_str wh_pipeline_subject(const wh_pipeline *pipeline, wh_str kind);
// The addresses of a pipeline as they were written: of a dataset the prefix.
wh_str wh_pipeline_reads(const wh_pipeline *p);
wh_str wh_pipeline_writes(const wh_pipeline *p);

// Whether an object under this key is one that the pipeline reads: it matches `from`, has a name of
// its own by now, and is no marker. Of a marker it may still have to wait for.
bool wh_pipeline_takes(const wh_pipeline *pipeline, wh_str key);
// What tells of such objects, a pattern of keys: `from`, or with the markers.
wh_str wh_pipeline_watches(const wh_pipeline *pipeline);
static inline bool wh_complete_has_marker(const wh_complete *complete) {
  return complete->markers.len > 0;
}
// The marker of the object under this key; without data: no memory.
wh_str wh_complete_marker(const wh_complete *complete, wh_str key, wh_arena *arena);

// "db:orders", or of several tables "db:artist, track, bar"; without data: no memory.
wh_str wh_pipeline_target(const wh_pipeline *p, wh_arena *arena);

// Whether `thing` is a pattern over tables: it has a '*' in it.
bool wh_table_is_pattern(wh_str thing);
// '*' stands for any characters of a schema's name, or of a table's. Without a schema in front the
// pattern is of tables whose names need none (is_home).
bool wh_table_matches(wh_str pattern, wh_str schema, wh_str table, bool is_home);
// Whether a table that matches may cross: promise 1 holds for tables as it does for columns.
bool wh_pipeline_lets_cross(const wh_pipeline *many, wh_str table);
// The pipeline of one table. WH_ERR_LIMIT: its name is too long.
wh_status wh_pipeline_member(const wh_pipeline *many, wh_str table, wh_arena *arena,
                             wh_pipeline *ret, wh_error *err);
// The pipeline of many tables that a member's name begins with; else the name itself.
wh_str wh_pipeline_base(wh_str name);
// The table from what stands behind "export:" in a member's name; without data: no memory.
wh_str wh_pipeline_member_table(wh_str escaped, wh_arena *arena);

// --- teams -------------------------------------------------------------------------------------

// People who may read and write objects by themselves: `wherry policy --team` says what IAM has to
// allow them.
typedef struct wh_team {
  wh_str name;
  const wh_node *node;
  wh_address *reads, *writes; // globs over objects
  size_t read_count, write_count;
} wh_team;

// --- sites -------------------------------------------------------------------------------------

// A folder of pages that is published as one thing, by `wherry site`: engine/site.h.
typedef struct wh_site {
  wh_str name;
  const wh_node *node;
  wh_str from;    // the folder's path
  wh_address to;  // thing: empty, or a prefix with a '/' at the end
  int64_t keep;   // versions, the present one among them
  bool is_usable; // `to` is; a problem told why not
} wh_site;

// --- how long things are kept --------------------------------------------------------------------

// The rejected rows and dead letters of all pipelines, as a zone.
#define WH_RETAIN_QUARANTINE "quarantine"
#define WH_RETAIN_MIN_US     (24ll * 3600 * 1000000)
typedef struct wh_retain {
  wh_str zone;       // as written
  wh_str connection; // of objects; empty: the quarantine
  wh_str prefix;     // of their keys, with a '/' at the end
  int64_t keep_us;
} wh_retain;
// Whether an object belongs to the zone.
bool wh_retain_has(const wh_retain *retain, wh_str connection, wh_str key);

// --- lookups -----------------------------------------------------------------------------------

typedef struct wh_lookup_proof {
  wh_str column;
  const wh_mask *mask; // resolved by wh_config_mask
  wh_str mask_name;
  wh_str label;
} wh_lookup_proof;

typedef struct wh_lookup {
  wh_str name; // path of the page: /order-status
  const wh_node *node;
  wh_address from;
  wh_str by; // key column
  wh_lookup_proof *proofs;
  size_t proof_count;
  wh_str_list show;
  wh_str title; // default: the name in words
  wh_str logo;  // path of an SVG or PNG file; empty: none
  wh_str by_label;
  int64_t rate_by_address; // requests a minute; default 30
  int64_t rate_by_key;     // misses an hour; default 10
} wh_lookup;

// A name as people would say it: "order-status", "order_status" and "OrderStatus" become
// "Order status". In the arena; .data NULL without memory.
wh_str wh_name_in_words(wh_str name, wh_arena *arena);

// The listener of /healthz, /readyz and /metrics.
#define WH_METRICS_LISTEN "127.0.0.1:9090"
typedef struct wh_metrics {
  bool given;
  wh_str listen;
  const wh_node *auth; // NULL: none is asked for
} wh_metrics;

// --- ingest ------------------------------------------------------------------------------------

// An endpoint that takes events, POST /ingest/NAME. How it is read: connect/ingest/ingest.h.
typedef struct wh_ingest {
  const wh_ingest_endpoint *endpoint;
  const wh_node *node;
  const wh_node *auth;      // who may send; NULL: anybody who can reach it
  bool open_to_all;         // auth: none
  bool quarantines;         // takes events that do not fit
  wh_str to;                // connection of the queue that events go to; empty: none
  const wh_post_type *post; // its type's; NULL: none
  int64_t max_body, rate, concurrency, backlog, keep_us;
} wh_ingest;

typedef struct wh_serve {
  bool given;
  wh_str listen;                                // address:port; default 127.0.0.1:8080
  wh_str url;                                   // where clients reach it; empty: at `listen`
  bool docs;                                    // /docs and /openapi.json are there
  wh_str tls_certificate, tls_key;              // paths; empty: plain HTTP
  wh_str_list trusted_proxies;                  // addresses or CIDR blocks
  int64_t connections, connections_per_address; // open at once
  wh_metrics metrics;
  wh_lookup *lookups;
  size_t lookup_count;
  wh_ingest *ingests;
  size_t ingest_count;
} wh_serve;

// --- log ---------------------------------------------------------------------------------------

typedef enum wh_log_kind { WH_LOG_TEXT, WH_LOG_JSON, WH_LOG_CLOUDWATCH } wh_log_kind;

typedef struct wh_log_place {
  int to;                           // wh_log_kind
  wh_str group;                     // default "wherry"
  wh_str stream;                    // empty: of this process, by host and number
  wh_str region, endpoint, profile; // as connections have them
} wh_log_place;

// --- the whole ---------------------------------------------------------------------------------

typedef struct wh_problem {
  bool warning;
  char *text; // "file:line:column: sentence"
} wh_problem;

typedef struct wh_config_source {
  wh_os *os;
  wh_mem *mem;
  const char *path;        // NULL: "wherry.yaml"
  const char *environment; // "prod", or NULL
  // Environment variables, from main; NULL: none are visible.
  const char *(*getenv)(void *context, const char *name);
  void *getenv_context;
  // File of the keyring's key; NULL: where wh_keyring_key_path says.
  const char *key_path;
} wh_config_source;

typedef struct wh_config wh_config;

// What every reader may see; the rest is private to config/.
struct wh_config {
  wh_arena arena;
  wh_config_source source;
  wh_str folder;       // that holds wherry.yaml; "." or a path
  wh_str state_folder; // FOLDER/.wherry: ledger, keyring, quarantine, locks
  const wh_node *root;
  int64_t memory_bytes; // default 64 MiB
  wh_str ledger_path;   // default FOLDER/.wherry/ledger.db; for one in SQLite
  wh_str quarantine;    // store that keeps the rejected rows of pipelines that read it; empty: none
  wh_log_place log;
  wh_address catalog; // the table that keeps every manifest; without a node: none
  wh_pipeline *pipelines;
  size_t pipeline_count;
  const size_t *order; // of pipelines, when all run: what models read before the models
  wh_team *teams;
  size_t team_count;
  wh_site *sites; // none lies within another
  size_t site_count;
  wh_retain *retains; // no zone lies within another
  size_t retain_count;
  wh_serve serve;
  const wh_ingest_endpoint *inboxes; // queues that bring rows
  size_t inbox_count;
  wh_problem *problems; // errors first, each group in file order
  size_t problem_count;
  size_t error_count;
  struct wh_config_private *own;
};

// Options of a codec as a YAML map, from elsewhere than wherry.yaml: `type` names the codec, else
// the ending of `path` does; none of both: codec NULL.
wh_status wh_format_parse(wh_str yaml, bool reads, wh_str path, wh_arena *arena, wh_format *ret,
                          wh_error *err);

// Returns WH_OK even with problems of content (look at error_count); fails when there is no file
// (WH_ERR_NOT_FOUND: the text says to run `wherry init`), it is no YAML, or memory runs out.
wh_status wh_config_load(const wh_config_source *source, wh_config **ret, wh_error *err);
void wh_config_free(wh_config *config);

// "no team 'x'. Did you mean 'y'?" for the command line.
wh_status wh_config_find_team(const wh_config *config, wh_str name, const wh_team **ret,
                              wh_error *err);
// "no site 'x'. Did you mean 'y'?" for the command line.
wh_status wh_config_find_site(const wh_config *config, wh_str name, const wh_site **ret,
                              wh_error *err);
// The site whose `to` it is; NULL: none.
const wh_site *wh_config_site_at(const wh_config *config, wh_str connection, wh_str prefix);
// What a pipeline reads of a queue that brings rows; NULL: it reads something else.
const wh_ingest_endpoint *wh_config_inbox(const wh_config *config, const wh_pipeline *pipeline);
// Whether some pipeline reads the endpoint: then its events have to be on the disk that took them.
bool wh_config_reads_ingest(const wh_config *config, wh_str endpoint);
const wh_pipeline *wh_config_pipeline(const wh_config *config, wh_str name); // NULL: none
// "no pipeline 'x'. Did you mean 'y'?" for the command line.
wh_status wh_config_find_pipeline(const wh_config *config, wh_str name, const wh_pipeline **ret,
                                  wh_error *err);
// The same for names of members, too ("export:sales.order"), which are made in the arena.
wh_status wh_config_find_any(const wh_config *config, wh_str name, wh_arena *arena,
                             const wh_pipeline **ret, wh_error *err);

typedef struct wh_connection_info {
  wh_str name;
  const wh_connector *type;
  const wh_node *node;
  bool accepts[4]; // by wh_class
} wh_connection_info;
size_t wh_config_connection_count(const wh_config *config);
const wh_connection_info *wh_config_connection_info(const wh_config *config, size_t i);
const wh_connection_info *wh_config_find_connection(const wh_config *config, wh_str name);

// What the libraries of the codecs that pipelines read with take past the accountant.
size_t wh_config_codec_reserve(const wh_config *config);

// Where the ledger is, when it is on a server that workers share: its connector, NULL for SQLite.
const wh_connector *wh_config_ledger_type(const wh_config *config);
// Makes the connection to it ready, as wh_config_connect does; and how long a worker that says
// nothing keeps what it holds.
wh_status wh_config_ledger(wh_config *config, wh_connection **ret, int64_t *ret_lease_us,
                           wh_error *err);

// Makes the connection ready: parses its options, resolving the secrets in them. The same pointer
// every time. Thread-safe. `cancel` etc. of the connection may be set by the caller once.
wh_status wh_config_connect(wh_config *config, wh_str name, wh_connection **ret, wh_error *err);
// The connection as its options say, not open and without its secrets: for what asks nobody.
wh_status wh_config_describe(wh_config *config, wh_str name, const wh_connection **ret,
                             wh_error *err);
// The same of the ledger; *ret is NULL for one in a file.
wh_status wh_config_describe_ledger(wh_config *config, const wh_connection **ret, wh_error *err);
// Visits what the pipeline's references name, with those of the ledger; without a pipeline, of what
// is served and the ledger. `name` is what stands behind the colon, or the variable's.
typedef enum wh_reference_kind {
  WH_REFERENCE_ENV,
  WH_REFERENCE_FILE,
  WH_REFERENCE_SECRET,
  WH_REFERENCE_SSM,
  WH_REFERENCE_SECRETS_MANAGER,
} wh_reference_kind;
typedef wh_status (*wh_reference_visit)(void *context, wh_reference_kind kind, wh_str name,
                                        wh_error *err);
wh_status wh_config_visit_references(const wh_config *config, const wh_pipeline *pipeline,
                                     wh_reference_visit visit, void *context, wh_error *err);
// Those of them that are secrets in AWS. `name` is as wh_cloud_secret_get takes it.
typedef wh_status (*wh_cloud_secret_visit)(void *context, wh_cloud_keeper keeper, wh_str name,
                                           wh_error *err);
wh_status wh_config_visit_cloud_secrets(const wh_config *config, const wh_pipeline *pipeline,
                                        wh_cloud_secret_visit visit, void *context, wh_error *err);
// The same of one endpoint: its queue, and who may send.
wh_status wh_config_visit_ingest_references(const wh_config *config, const wh_ingest *ingest,
                                            wh_reference_visit visit, void *context, wh_error *err);
wh_status wh_config_visit_ingest_secrets(const wh_config *config, const wh_ingest *ingest,
                                         wh_cloud_secret_visit visit, void *context, wh_error *err);
// The mask with its key resolved.
wh_status wh_config_mask(wh_config *config, wh_str name, const wh_mask **ret, wh_error *err);
// The pipeline's gate with masks resolved, ready for wh_gate_bind.
wh_status wh_config_gate(wh_config *config, const wh_pipeline *pipeline, wh_arena *arena,
                         wh_gate *ret, wh_error *err);

// The pipeline's read.query with its references resolved (a query may be ${file:orders.sql});
// empty when it reads a table. wh_read.query is the text as written.
wh_status wh_config_query(wh_config *config, const wh_pipeline *pipeline, wh_arena *arena,
                          wh_str *ret, wh_error *err);
// Resolves the references and the proofs' masks in config->serve, in place; call it before serving.
// Not while other threads read config->serve.
wh_status wh_config_serve(wh_config *config, wh_error *err);
// The keyring of this project; its strings live in the arena.
wh_status wh_config_keyring(const wh_config *config, wh_arena *arena, wh_keyring *ret,
                            wh_error *err);
// Where secrets in AWS are asked for.
wh_cloud_secrets wh_config_cloud_secrets(const wh_config *config);

// References are taken in connections, masks, read.query, serve.listen, serve.url, serve.tls,
// serve.trusted_proxies and serve.metrics; "$${" stands for a literal "${".
// Turns "${...}" parts of a scalar into their values.
wh_status wh_config_resolve(wh_config *config, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                            wh_error *err);
// Whether a text holds a reference at all.
bool wh_config_has_reference(wh_str text);

// --- object templates --------------------------------------------------------------------------

typedef struct wh_template_values {
  int64_t start_us; // of the run
  wh_str run, pipeline, source, name, ext;
  uint32_t part;
} wh_template_values;
// Fills `name` and `ext`: the last part of an object's key without and with its ending. Views of
// it.
void wh_template_name(wh_template_values *values, wh_str key);
// Checks names and that {run} (or {name} for raw) is there; used while loading.
wh_status wh_template_check(wh_str text, bool raw, wh_error *err);
wh_status wh_template_expand(wh_str text, const wh_template_values *values, wh_arena *arena,
                             wh_str *ret, wh_error *err);
// A glob that matches everything the template can make (for `check`: would it trigger itself?).
wh_status wh_template_glob(wh_str text, wh_arena *arena, wh_str *ret, wh_error *err);
// The same with {pipeline} known.
wh_status wh_template_glob_for(wh_str text, wh_str pipeline, wh_arena *arena, wh_str *ret,
                               wh_error *err);

// The JSON Schema (2020-12) of wherry.yaml, made from the option tables.
bool wh_config_schema_json(wh_buf *out);
// The option tables of the configuration's own words, for the reference pages:
// "connection", "pipeline", "read", "write", "when", "column", "mask", "serve", "lookup", top
// level.
typedef struct wh_option_section {
  const char *name;
  const char *help;
  const wh_option *table;
} wh_option_section;
extern const wh_option_section wh_option_sections[]; // name NULL ends
