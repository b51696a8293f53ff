// Where rejected rows are kept: part files in a folder for each run that rejected some. A folder is
// named
//
//   PIPELINE/RUN                              of the machine: STATE/quarantine/PIPELINE/RUN
//   STORE:_wherry/quarantine/PIPELINE/RUN     of a store: objects whose keys begin with that
//
// Rows are kept as they were read, so they stay where they were read from: the store that the
// configuration names with `quarantine` takes those of the pipelines that read it, and no others.
//
// Threads: as the engine's.
#pragma once

#include "connect/store.h"
#include "engine/engine.h"

// In a store the folders are below this.
#define WH_REJECT_STORE_PREFIX WH_OWN_PREFIX "quarantine/"

// The name of a run's folder, in the arena; NULL data without memory.
wh_str wh_reject_folder_of(const wh_engine *engine, const wh_pipeline *pipeline, wh_str run,
                           wh_arena *arena);
// As a person finds it: a path, or an address.
wh_str wh_reject_folder_text(const wh_engine *engine, wh_str folder, wh_arena *arena);

typedef struct wh_reject_part wh_reject_part;

// A new part in place of what has its number. WH_ERR_REFUSED: on a machine whose disk is gone with
// the process.
wh_status wh_reject_part_open(wh_engine *engine, wh_str folder, uint64_t number,
                              wh_reject_part **ret, wh_error *err);
wh_status wh_reject_part_write(wh_reject_part *part, wh_str text, wh_error *err);
wh_status wh_reject_part_seal(wh_reject_part *part, wh_error *err); // durable from then on
void wh_reject_part_close(wh_reject_part *part);                    // NULL is fine

typedef wh_status (*wh_reject_line_visit)(void *context, wh_str line, wh_error *err);
// Every line of every part, in order; each part begins with its header. WH_ERR_NOT_FOUND.
wh_status wh_reject_folder_lines(wh_engine *engine, wh_str folder, wh_reject_line_visit visit,
                                 void *context, wh_error *err);
// Whether a line stays.
typedef wh_status (*wh_reject_line_test)(void *context, wh_str line, bool *ret_stays,
                                         wh_error *err);
// Writes each part that has a line which does not stay once more without it, in one step: a crash
// leaves a part as it was or as it is to be. Where a store keeps earlier versions of parts, these
// are removed for good.
wh_status wh_reject_folder_rewrite(wh_engine *engine, wh_str folder, wh_reject_line_test test,
                                   void *context, wh_error *err);
// Removes the parts from that number on; none is fine.
wh_status wh_reject_parts_remove(wh_engine *engine, wh_str folder, uint64_t from, wh_error *err);
wh_status wh_reject_folder_remove(wh_engine *engine, wh_str folder, wh_error *err);

typedef wh_status (*wh_reject_folder_visit)(void *context, wh_str folder, wh_str run,
                                            wh_error *err);
// Every folder of a pipeline, of the machine and of its store.
wh_status wh_reject_folders(wh_engine *engine, const wh_pipeline *pipeline,
                            wh_reject_folder_visit visit, void *context, wh_error *err);
