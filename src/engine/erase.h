// Erasing a person, inside the engine: where a pipeline may have rows of theirs. Each of these
// looks, removes where the erasure is no dry run, and tells what there is, or what stays and why.
#pragma once

#include "engine/engine.h"

typedef struct wh_erasure {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  const wh_erase_request *request;
  wh_str column;         // of the rows that the pipeline reads
  const wh_lease *lease; // of the pipeline; NULL: a dry run
  const wh_run *run;     // its record; NULL: a dry run
  wh_arena *arena;
  wh_buf record;     // what was done, for people
  uint64_t row_hash; // wh_erase_hash of what stands in the table; 0: nothing was looked for there
  uint64_t removed, left;
} wh_erasure;

// `why` NULL: the rows were removed, or would be.
wh_status wh_erase_tell(wh_erasure *e, const char *place, wh_str where, uint64_t rows,
                        const char *why, wh_error *err);
// Whether a value is the person's key.
bool wh_erase_is_key(const wh_erasure *e, const wh_column *column, size_t row, wh_buf *scratch);
// Of a value's text: by it verify knows rows that an erasure took.
uint64_t wh_erase_hash(wh_str text);

wh_status wh_erase_quarantine(wh_erasure *e, wh_error *err);
wh_status wh_erase_table(wh_erasure *e, wh_connection *to, wh_error *err);
wh_status wh_erase_objects(wh_erasure *e, wh_connection *from, wh_error *err);
// Only looked into: the source is its owner's.
wh_status wh_erase_source(wh_erasure *e, wh_connection *from, wh_error *err);

// The column of the pipeline's table that has the person's key, and what stands there for it;
// *ret_why is why none has (*ret_column is then empty).
wh_status wh_erase_crossed(wh_engine *engine, const wh_pipeline *pipeline, wh_str column,
                           wh_str key, wh_arena *arena, wh_str *ret_column, wh_str *ret_text,
                           const char **ret_why, wh_error *err);
