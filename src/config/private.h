// Shared by the files of config/ only: the checks that turn the tree into wh_config.
//
// Checks are void: what is wrong with the content goes to the loader's problems, and running out of
// memory is remembered there too and looked at once, at the end of loading.
#pragma once

#include "config/config.h"
#include "config/problems.h"

#include <pthread.h>

enum {
  WH_CONFIG_CONNECTIONS_MAX = 1000,
  WH_CONFIG_MASKS_MAX = 1000,
  WH_CONFIG_PIPELINES_MAX = 1000,
  WH_CONFIG_LOOKUPS_MAX = 100,
  WH_CONFIG_INGESTS_MAX = 32,
};

typedef struct wh_connection_entry {
  wh_connection_info info;
  const char *owner;        // for messages: "connection erp", "ledger"
  const char *const *words; // of its map that are not its connector's; ends with NULL
  const wh_node *name_node;
  const void *made; // its options, where they are not written in a map of its own; NULL: they are
  wh_connection *ready; // NULL until somebody connects
} wh_connection_entry;

typedef struct wh_mask_entry {
  const wh_node *node;
  const wh_node *key;      // of an hmac or a token, as written
  const wh_node *keys_old; // of a token
  wh_mask mask;            // without the key
  const wh_mask *ready;
} wh_mask_entry;

typedef struct wh_config_private {
  pthread_mutex_t mutex; // over the arena and everything that is made ready
  wh_connection_entry *connections;
  size_t connection_count;
  wh_mask_entry *masks;
  size_t mask_count;
  wh_connection_entry ledger; // info.type NULL: in SQLite
  int64_t ledger_lease_us;
  const char *path;         // of wherry.yaml
  const char *overlay_path; // of wherry.ENV.yaml; NULL: none
  const char *key_path;     // of the keyring's key; NULL: nobody said
} wh_config_private;

typedef struct wh_loader {
  wh_config *config;
  wh_config_private *own;
  wh_arena *arena; // the configuration's
  wh_problems problems;
} wh_loader;

// --- what every check uses (load.c) --------------------------------------------------------------

// Fills `target` by the table; every problem goes to the loader. References are refused, or, with
// `lazy`, left for later and only their form is checked.
void wh_load_options(wh_loader *l, const wh_option *table, const wh_node *map,
                     const char *const *skip, const char *owner, bool lazy, void *target);
// "pipeline export-orders" in the arena; "" without memory.
__attribute__((format(printf, 2, 3))) const char *wh_load_owner(wh_loader *l, const char *fmt, ...);
// Zeroed; NULL without memory, which is remembered.
void *wh_load_array(wh_loader *l, size_t count, size_t size);
// A map, or a problem. A missing or null node is an empty map and gives false without a problem.
bool wh_load_is_map(wh_loader *l, const wh_node *node, const char *owner);
// A scalar that is not null, or a problem.
bool wh_load_is_text(wh_loader *l, const wh_node *node, const char *owner, const char *what);
// [A-Za-z0-9_-], at most WH_CONFIG_NAME_MAX.
bool wh_load_name(wh_loader *l, const wh_node *key, const char *what);
// " Did you mean 'x'?" into buf, or nothing.
typedef struct wh_hint {
  char text[WH_CONFIG_NAME_MAX * 4 + 32];
} wh_hint;
wh_hint wh_hint_of(wh_str word, const wh_str *words, size_t count);
// A text of a user's for a message: cut to a length that does not fill it.
#define WH_SHOWN(s) (int)wh_utf8_cut((s), WH_CONFIG_NAME_MAX * 2), (s).data ? (s).data : ""
const wh_node *wh_node_key(const wh_node *map, const char *key); // the key's own node, or NULL

// --- the sections --------------------------------------------------------------------------------

void wh_load_connections(wh_loader *l, const wh_node *node);
// What a connection of the entry's type is made of, from its map: `info`, `owner` and `words` are
// set. `secret` is what a secret of it is suggested to be called.
void wh_load_connector(wh_loader *l, const wh_connection_entry *entry, wh_str secret);
// The listed words of a map, as a map of its own. False without memory, which is remembered.
bool wh_load_words(wh_loader *l, const wh_node *node, const char *const *words, wh_node *ret);
// Ready to be opened: its options with the secrets in them. Once; the caller has the lock.
wh_status wh_connection_make_ready(wh_config *config, wh_connection_entry *entry, wh_error *err);
void wh_connection_close(wh_connection_entry *entry); // one that is not ready is fine
void wh_load_ledger(wh_loader *l, const wh_node *node);
// Whether it is a ledger on a server, whose words take references.
bool wh_ledger_is_on_server(const wh_node *node);
// What knows the words of a ledger of that type; NULL: not in this build, or no server.
const wh_connector *wh_ledger_connector(wh_str type);
void wh_load_masks(wh_loader *l, const wh_node *node);
void wh_load_pipelines(wh_loader *l, const wh_node *node);
void wh_load_log(wh_loader *l, const wh_node *node);
void wh_load_teams(wh_loader *l, const wh_node *node);
void wh_load_sites(wh_loader *l, const wh_node *node);
void wh_load_retain(wh_loader *l, const wh_node *node);
void wh_load_serve(wh_loader *l, const wh_node *node);
// `auth: node` of an endpoint, "ingest orders". What a secret of it is suggested to be called
// begins with `name`.
void wh_load_auth(wh_loader *l, const wh_node *node, const char *owner, wh_str name);
// The endpoints of serve.ingest and the connection they are read by, before the pipelines; and what
// they want of the ledger.
void wh_load_ingests(wh_loader *l, const wh_node *serve);
void wh_load_ingest_ledger(wh_loader *l);

// Takes the address of a dataset apart: the prefix, and what its indexes are called. False: it is
// none that can be.
bool wh_load_dataset(wh_loader *l, wh_address *address, const char *owner, bool writes,
                     wh_str *ret_prefix);
// How its files are written, or read where their index does not say it all.
void wh_load_dataset_format(wh_loader *l, const wh_address *address, wh_str prefix,
                            const wh_node *node, bool reads, const char *owner, wh_format *ret);

// "connection:thing"; the connection must be there. False when it is not usable.
bool wh_load_address(wh_loader *l, const wh_node *node, const char *owner, wh_address *ret);
// The connection of that name, or a problem at the node.
const wh_connection_info *wh_load_connection(wh_loader *l, const wh_node *node, const char *owner,
                                             wh_str name);
// A pattern of objects that can match something.
void wh_load_pattern(wh_loader *l, const wh_address *address, const char *owner);
// The codec of objects at an address, by `type` of `format` or by their ending, and its options.
void wh_load_format(wh_loader *l, const wh_address *address, const wh_node *format, bool reads,
                    const char *pipeline, wh_format *ret);
void wh_load_when(wh_loader *l, const wh_node *node, const char *owner, wh_when *ret);
// The zone that `timezone` of a map names must be one that the system knows.
void wh_load_zone(wh_loader *l, const wh_node *map, const char *owner, wh_str name);
// The gate of a pipeline; `to` is the connection the columns go to, or NULL.
void wh_load_columns(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner,
                     const wh_connection_info *to);
// The same where `from` is a pattern over tables.
void wh_load_tables(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner,
                    const wh_connection_info *to);
// What else such a pipeline must be.
void wh_load_many(wh_loader *l, const wh_pipeline *p, const char *owner, bool to_objects);
// The steps and expectations of a pipeline, as far as they can be judged without data; after its
// columns.
void wh_load_content(wh_loader *l, const wh_pipeline *p, const char *owner);
// The tables that its steps look rows up in.
void wh_load_step_tables(wh_loader *l, wh_pipeline *p, const char *owner);
void wh_load_catalog(wh_loader *l, const wh_node *node);
// When the objects at p->from, which is loaded, are whole; before what becomes of them.
void wh_load_complete(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner);
// What becomes of the objects at p->from, which is loaded.
void wh_load_after(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner);
// Whose rows they are; after its steps.
void wh_load_subjects(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner);
// Who is told of the pipeline's runs.
void wh_load_notify(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner);
// What can be known only of all pipelines together.
void wh_load_ranges(wh_loader *l);
void wh_load_datasets(wh_loader *l);
void wh_load_triggers(wh_loader *l);
// Reads the model that p->from.node names, and makes its connection. False where it is not usable.
bool wh_load_model(wh_loader *l, wh_pipeline *p, const char *owner);
// The order of all pipelines; models that read each other in a circle are a problem.
void wh_load_order(wh_loader *l);
// Whether two connections are the same place, and two patterns have a key in common.
bool wh_load_same_place(const wh_loader *l, wh_str a, wh_str b);
bool wh_load_overlap(wh_loader *l, wh_str a, wh_str b);

wh_mask_entry *wh_mask_entry_find(const wh_config *config, wh_str name);

// --- references (reference.c) --------------------------------------------------------------------

// Whether the references in a text have a form that can be resolved. `ret_count` may be NULL.
wh_status wh_reference_check(const wh_node *scalar, size_t *ret_count, wh_error *err);
// The whole tree: references have a form that can be resolved, and stand only where one is taken.
void wh_load_references(wh_loader *l, const wh_node *root);
// Warns of secret options of the table that are written literally, and refuses ${secret:...} in
// those that are not secret. What it suggests to call the secret is `name`, or `name-option`.
void wh_load_secrets(wh_loader *l, const wh_option *table, const wh_node *map, const char *owner,
                     wh_str name, bool with_option);
// The same without secrets, which stay empty: for what is only described.
wh_status wh_reference_resolve_shown(void *context, const wh_node *scalar, wh_arena *arena,
                                     wh_str *ret, wh_error *err);
// Visits what the texts below a node refer to; NULL has nothing.
wh_status wh_references_visit(const wh_node *node, wh_reference_visit visit, void *context,
                              wh_error *err);
// wh_option_context.resolve: `context` is the wh_config.
wh_status wh_reference_resolve(void *context, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                               wh_error *err);

// --- option tables -------------------------------------------------------------------------------

extern const wh_option wh_top_options[];
extern const wh_option wh_ledger_options[];
extern const wh_option wh_connection_options[]; // shared by all connectors
extern const wh_option wh_mask_options[];
extern const wh_option wh_partial_options[];
extern const wh_option wh_pipeline_options[];
extern const wh_option wh_branch_options[];
extern const wh_option wh_when_options[];
extern const wh_option wh_gathered_options[];
extern const wh_option wh_read_options[];
extern const wh_option wh_write_options[];
extern const wh_option wh_column_options[];
extern const wh_option wh_team_options[];
extern const wh_option wh_site_options[];
extern const wh_option wh_log_options[];
extern const wh_option wh_after_options[];
extern const wh_option wh_complete_options[];
extern const wh_option wh_notify_options[];
extern const wh_option wh_serve_options[];
extern const wh_option wh_tls_options[];
extern const wh_option wh_metrics_options[];
extern const wh_option wh_auth_options[];
extern const wh_option wh_auth_hmac_options[];
extern const wh_option wh_auth_bearer_options[];
extern const wh_option wh_lookup_options[];
extern const wh_option wh_proof_options[];
extern const wh_option wh_rate_options[];
extern const wh_option wh_ingest_words[];
extern const wh_option wh_ingest_column_options[];
extern const char *const wh_class_choices[];
