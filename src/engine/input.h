// What a run reads: a database through its source, or one object through its store and codec.
#pragma once

#include "codec/tables.h"
#include "connect/range_reader.h"
#include "engine/window.h"
#include "ledger/manifest.h"

struct wh_model_scope;

typedef struct wh_run_input {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_arena *arena;
  wh_connection *connection;
  bool is_rows; // a database

  wh_reader *reader;
  wh_tables_reader *tables; // instead, where the pipeline has branches: theirs
  int64_t order; // of what is read: the manifest's, else the store's time; 0 for a database
  uint64_t rows_total, bytes_total; // 0: unknown

  // database
  wh_source_query query;
  wh_source_info info;
  wh_bound bound;
  wh_cursor previous;
  bool has_cursor;
  bool skips; // `--since` lies behind the cursor: what is between is still to be read
  wh_window window;
  wh_ranges ranges; // it is read by; count 0: by one session
  wh_str ranges_key;
  struct wh_shared *shared;     // of the reader (engine/shared.h); NULL: this process reads
  wh_schema fetched;            // schema of the rows: the columns that are needed
  struct wh_model_input *model; // what a model reads (engine/model.h); NULL: it is none

  // object
  wh_object object;
  wh_str identity; // "lake:inbound/x.json@version"
  wh_input *stream;
  const struct wh_dataset_index *dataset; // whose rows are read; NULL: the object has them itself
  bool has_manifest;                      // of these very bytes
  wh_manifest manifest;
  bool is_proven;  // its checksum, or else its framing, was found to be right
  bool at_fault;   // it failed for what the object is: another try would end the same way
  bool tells_rows; // the manifest knows the rows; that of a file moved as it is may not
  bool inferred;   // the schema comes from the object itself, or from earlier ones (pinned)
  bool every_column;
  const wh_str *wanted; // columns; NULL: all
  size_t wanted_count;
  wh_schema given; // from the manifest, pinned, or widened
  bool has_given;
  struct wh_deletes_reader *deletes; // of the reader (engine/deletes.h); NULL: it looks for none
  bool is_compressed;                // its size says nothing of how many rows it may have
  bool one_path; // not in parts: they were found to tell something else than the whole
} wh_run_input;

// Of its rows, or those of a branch.
const wh_schema *wh_input_schema(const wh_run_input *in, size_t branch);
uint64_t wh_input_bytes_read(const wh_run_input *in);

// The connection of an address, and whether it holds rows (else objects).
wh_status wh_input_connect(wh_engine *engine, const wh_address *address, wh_connection **ret,
                           bool *ret_is_rows, wh_error *err);

// "lake:key@version": what a run says that it has read.
wh_status wh_input_identity(const wh_pipeline *p, wh_str key, wh_str version, wh_arena *arena,
                            wh_str *ret, wh_error *err);
// The other way round; false for what is no such thing. Views of `identity`.
bool wh_input_split(wh_str identity, wh_str *ret_connection, wh_str *ret_key, wh_str *ret_version);

// Describes the source of a pipeline that reads a database, and works out what must be fetched: the
// columns that cross, that steps name, and the cursor. `all` is the source's whole schema.
wh_status wh_input_describe(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                            wh_run_input *ret, wh_error *err);

wh_status wh_input_open_rows(wh_engine *engine, const wh_pipeline *pipeline,
                             const wh_run_options *options, wh_arena *arena, wh_run_input *ret,
                             wh_error *err);
// The column that read: ranges cuts: the first of the primary key.
wh_status wh_input_ranges_key(const wh_run_input *in, const wh_field **ret, wh_error *err);
// `every_column`: also those that go nowhere.
// WH_ERR_NOT_FOUND: the object is gone. WH_ERR_CHANGED: the key holds another version now.
wh_status wh_input_open_object(wh_engine *engine, const wh_pipeline *pipeline, wh_str key,
                               wh_str version, bool every_column, wh_arena *arena,
                               wh_run_input *ret, wh_error *err);
// The same of an object that is a part of a table: only the columns `wanted` (NULL: all), as
// `given` says (NULL: as its manifest does, or as it is); of a dataset only the files in `scope`
// (NULL: all).
wh_status wh_input_open_columns(wh_engine *engine, const wh_pipeline *pipeline,
                                const wh_object *object, const wh_schema *given, wh_str *wanted,
                                size_t wanted_count, const struct wh_model_scope *scope,
                                wh_arena *arena, wh_run_input *ret, wh_error *err);
// Any version that a store still has, as it listed it, with every column; `object` lives as long.
wh_status wh_input_open_version(wh_engine *engine, const wh_pipeline *pipeline,
                                const wh_object *object, wh_arena *arena, wh_run_input *ret,
                                wh_error *err);
// A whole small object of a store. WH_ERR_LIMIT: it has more than `max` bytes.
wh_status wh_input_read_small(wh_connection *c, wh_str key, size_t max, wh_arena *arena,
                              wh_str *ret, wh_error *err);
// The manifest beside an object, if there is one that speaks of an object of this size.
wh_status wh_input_manifest(wh_connection *c, const wh_object *object, wh_arena *arena,
                            bool *ret_found, wh_manifest *ret, wh_error *err);
// For failures of the object itself and of nothing else: sets at_fault where it is the bytes that
// are wrong, or gone. Names the object in an error of its codec, which knows only the place, and
// says that nothing of it was loaded where that is so (WH_ERR_DATA). Returns `status`.
wh_status wh_input_blame(wh_run_input *in, wh_status status, wh_error *err);
// Whether such a failure is final.
bool wh_input_is_final(wh_status status);
// Opens the same object again from its start, with the schema in `given`.
wh_status wh_input_reopen(wh_run_input *in, wh_error *err);
// After WH_ERR_WIDEN: takes over the reader's wider schema and opens again.
wh_status wh_input_widen(wh_run_input *in, wh_error *err);
// Reads the whole object once without using it: the checksum where there is a manifest, the
// framing and the types where there is none, so that nothing has to be taken back later. Leaves it
// open at its start.
wh_status wh_input_prove(wh_run_input *in, wh_error *err);
// Reads the object once from its start, without using it, until the schema holds all of it; or
// fails with what is wrong with it, and where. Leaves it open at its start.
wh_status wh_input_read_whole(wh_run_input *in, wh_error *err);
// A reader of a part failed with `why`: WH_ERR_WIDEN, or for what the object is. What the whole
// needs, or where in it the fault is, shows only from its start. WH_OK: to be tried again.
wh_status wh_input_look_again(wh_run_input *in, wh_status why, wh_error *err);
void wh_input_close_run(wh_run_input *in); // zeroed is fine
