// Datasets (ledger/dataset.h): which versions there are, publishing the next, and what is tended
// behind it.
//
// A version is published as any object is: its index is written under a name of its own, sealed,
// and put where none is (engine/publish.h); its manifest, which is for a lost ledger, comes behind.
// Whoever finds the number taken makes the index again, on top of what is there now; after a crash,
// what was sealed on top of a version that is no more the present one is given up, and its rows
// come again. So the versions of a dataset are one line, whoever writes it.
//
// What is behind the switch may be done twice, or later: the copy of the present index and the
// list of its files, for other programs, and the removal of versions that are kept no more.
#pragma once

#include "codec/codec.h"
#include "engine/run.h"
#include "ledger/dataset.h"

// For the tools that know it (Athena, Trino, Spark): the files' URIs, one a line.
#define WH_DATASET_SYMLINKS "_symlink_format_manifest/manifest"

typedef struct wh_dataset_version {
  uint64_t version;
  wh_object object; // its index
} wh_dataset_version;

// Every version there is, lowest first.
wh_status wh_dataset_versions(wh_connection *c, wh_str prefix, wh_arena *arena,
                              wh_dataset_version **ret, size_t *ret_count, wh_error *err);
// WH_ERR_NOT_FOUND: there is none such.
wh_status wh_dataset_read(wh_connection *c, wh_str prefix, uint64_t version, wh_arena *arena,
                          wh_dataset_index *ret, wh_error *err);
// The highest; version 0 where there is none.
wh_status wh_dataset_present(wh_connection *c, wh_str prefix, wh_arena *arena,
                             wh_dataset_index *ret, wh_error *err);

// --- publishing ----------------------------------------------------------------------------------

typedef struct wh_dataset_publication {
  wh_engine *engine;
  const wh_pipeline *pipeline; // whose `to` is the dataset
  wh_connection *connection;
  wh_run *run;
  wh_arena *arena;
  wh_finish *finish;
  // The next index on top of `present`, whose version may be 0: everything but what tells which
  // version it is. WH_ERR_END: there is nothing to publish any more.
  wh_status (*make)(void *context, const wh_dataset_index *present, wh_dataset_index *ret,
                    wh_error *err);
  void *context;
  const struct wh_manifest *cursor; // of the manifest whose cursor holds on; NULL: `finish` has it
  bool in_ledger;                   // sealed there: the files are kept, whatever happens
} wh_dataset_publication;

// Seals and publishes; fills output, sha256 ... of the run. WH_ERR_END from `make` comes back, with
// nothing published.
wh_status wh_dataset_publish(wh_dataset_publication *p, wh_error *err);
// Publishes what a run sealed before a crash. WH_ERR_EXISTS, WH_ERR_NOT_FOUND: it was not, and
// never will be.
wh_status wh_dataset_adopt(wh_engine *engine, const wh_pipeline *pipeline, const wh_run *run,
                           wh_arena *arena, wh_object *ret, wh_error *err);
// What is behind the switch. What cannot be removed is told of, and left for the next time.
wh_status wh_dataset_tend(wh_engine *engine, const wh_pipeline *pipeline, wh_error *err);
// Whether a file of this name was written by the run.
bool wh_dataset_wrote(wh_str run, wh_str path);
// Removes the files of a run that published nothing.
wh_status wh_dataset_discard(wh_connection *c, wh_str prefix, wh_str run, wh_error *err);

// --- reading -------------------------------------------------------------------------------------

typedef struct wh_dataset_source {
  wh_connection *connection;
  wh_str prefix;
  const wh_dataset_index *index;
  const wh_format *format; // options of the files' reader; may have no codec
  wh_codec_context context;
} wh_dataset_source;

// The rows of its files, one after the other, with the columns of the partition in their places.
// Everything in `source` but the context outlives the reader.
// WH_ERR_CHANGED: the version was removed meanwhile.
wh_status wh_dataset_reader_open(const wh_dataset_source *source, wh_reader **ret, wh_error *err);
// Whether a file has the bytes that its index says; false too where it is gone.
wh_status wh_dataset_file_matches(wh_connection *c, wh_str prefix, const wh_dataset_file *file,
                                  wh_mem *mem, bool *ret, wh_error *err);

// --- changing ------------------------------------------------------------------------------------

typedef struct wh_dataset_changed {
  uint64_t version; // that was published; 0: there was nothing to do
  uint64_t of;      // ROLLBACK: the version that is back
  uint64_t files_before, files_after, rows, bytes;
} wh_dataset_changed;

// The pipeline that writes the dataset. WH_ERR_NOT_FOUND.
wh_status wh_dataset_pipeline(const wh_config *config, wh_str connection, wh_str prefix,
                              const wh_pipeline **ret, wh_error *err);
// Small files become larger ones, and, with sort_by, those that are not sorted sorted ones. A run
// of the pipeline; its rows are the same.
wh_status wh_dataset_compact(wh_engine *engine, const wh_pipeline *pipeline,
                             wh_dataset_changed *ret, wh_error *err);
// Publishes the files of an earlier version again; 0: the one before the present one.
wh_status wh_dataset_rollback(wh_engine *engine, const wh_pipeline *pipeline, uint64_t version,
                              wh_dataset_changed *ret, wh_error *err);
