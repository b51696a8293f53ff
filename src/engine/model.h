// What a model reads: each of its tables is the objects that a pattern matches, as they were when
// it was opened, under one schema that holds all of them. Columns go by name: where an object has
// not one it is NULL, and types are widened where that loses nothing.
#pragma once

#include "base/crypto.h"
#include "connect/sql_tables.h"
#include "engine/input.h"
#include "engine/model_scope.h"

enum {
  WH_MODEL_OBJECTS_MAX = 1000000, // of all tables of a model
};

typedef struct wh_model_object {
  wh_object object;        // key, version and size alone
  const wh_schema *schema; // its own; NULL: not looked at yet
} wh_model_object;

typedef struct wh_model_table {
  wh_sql_table base;
  struct wh_model_input *of;
  wh_pipeline pipeline; // that would read the objects, of which everything crosses
  wh_model_object *objects;
  size_t object_count;
  bool described;
  const wh_model_scope *scope; // only its partitions are read; NULL: all
} wh_model_table;

typedef struct wh_model_input {
  wh_sql_tables base;
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_arena arena;
  wh_model_table *tables;         // in the order of pipeline->model->tables
  wh_model_scope scope;           // after wh_model_scope_find
  char digest[WH_SHA256_HEX + 1]; // of the SQL, and of every object's name and version
} wh_model_input;

// Lists what is there. Objects are opened when a table is first asked for.
wh_status wh_model_open(wh_engine *engine, const wh_pipeline *pipeline, wh_model_input **ret,
                        wh_error *err);
void wh_model_close(wh_model_input *model); // NULL is fine; after whatever reads of it

// Whether there is something that the last run of the model, which is recorded as its cursor, did
// not read; and objects in each of its tables. ret_digest may be NULL.
wh_status wh_model_is_new(wh_engine *engine, const wh_pipeline *pipeline, bool *ret,
                          char ret_digest[WH_SHA256_HEX + 1], wh_error *err);
// What a run that is done records.
wh_cursor wh_model_cursor(const wh_model_input *model);

// The rows of a table's objects, one after the other (model_table.c).
wh_status wh_model_table_open(const wh_sql_table *table, const size_t *columns, size_t count,
                              wh_reader **ret, wh_error *err);
