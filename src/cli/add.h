// What `wherry add` puts into the configuration: the text of a new pipeline, and its place.
#pragma once

#include "cli/address.h"

typedef struct wh_new_column {
  wh_str name;
  wh_str type; // as people say it
  bool key;
  bool looks_personal; // by its name: stays home until somebody says otherwise
} wh_new_column;

typedef struct wh_new_pipeline {
  wh_str name;
  wh_typed_address from, to;
  bool from_rows, to_rows;      // a database at that end, else objects
  const wh_new_column *columns; // none: the source is not there to be looked at
  size_t column_count;
  const wh_str *key;
  size_t key_count;
  wh_str cursor;     // suggested; empty: none
  bool cursor_local; // it is wall-clock time
  size_t indent;     // blanks in front of the pipeline's name
} wh_new_pipeline;

// The connection, table or pattern as the pipeline's name, where none was given.
wh_status wh_add_name(wh_new_pipeline *p, wh_arena *arena, wh_error *err);
// What the TO of a person who only named a connection means.
wh_status wh_add_thing(wh_new_pipeline *p, wh_arena *arena, wh_error *err);
// Which column a cursor would be, and which look personal, by type and name.
bool wh_add_is_cursor(const wh_field *field);
bool wh_add_is_personal(wh_str column);
// The pipeline as YAML, each line after p->indent blanks.
void wh_add_write(const wh_new_pipeline *p, wh_buf *out);

// Where new pipelines go: byte offset in `text`, the indentation of those that are there, and
// whether the `pipelines:` line itself is missing. `config` was loaded from that text alone.
typedef struct wh_add_place {
  size_t at;
  size_t indent;
  bool needs_key;
} wh_add_place;
wh_status wh_add_find_place(const wh_config *config, wh_str text, wh_add_place *ret, wh_error *err);
