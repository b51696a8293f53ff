// How the rows of an object become the columns of batches.
//
// Rows are decoded as they are nested; the columns given out may be fewer (only the wanted ones),
// the members of their objects (flatten) and the items of one of their lists (explode):
//
//   {"id":1,"to":{"city":"Cork","zip":null},"items":[{"sku":"a"},{"sku":"b"}]}
//   flatten, explode: items                  -> id, to.city, to.zip, items.sku: two rows
//
// Names are joined with a point. A key that has a point of its own stands in double quotes, so that
// no two columns have the same name, and what a name means can be told from it: to."zip.code".
//
// Explode: a row of n items becomes n rows, all else repeated; one without items (an empty list, or
// NULL) becomes one row with NULL. Each has the place of the row that it came from.
#pragma once

#include "codec/json/keep.h"
#include "data/type.h"

typedef struct json_layout_options {
  bool flatten;
  wh_str explode;       // a key of the rows; empty: none
  const wh_str *wanted; // names of columns; NULL: all
  size_t wanted_count;
} json_layout_options;

// Where a column of the batches comes from: a column of the rows and children from there on.
typedef struct json_source {
  uint32_t depth; // at least 1
  uint32_t *path;
  bool exploded; // items of the list, by its offsets
} json_source;

typedef struct json_layout {
  json_layout_options options;
  wh_schema full;    // all that is known of the rows
  json_keep *keep;   // which of it is wanted; NULL: all
  wh_schema rows;    // that of it, as it is decoded
  wh_schema columns; // of the batches
  bool direct;       // these are the same
  ptrdiff_t list;    // column of `rows` that is exploded, or -1
  json_source *sources;
} json_layout;

// All of it lives in the arena, with parts of `full`.
wh_status json_layout_make(const json_layout_options *options, const wh_schema *full,
                           wh_arena *arena, json_layout *ret, wh_error *err);
// Puts the layout's columns in the order of those that were given: these, or some of them. Where
// they were found before `flatten` or `explode` was said, they are of another shape than that asks
// for: then the layout stays as it is.
wh_status json_layout_order(json_layout *layout, const wh_schema *columns, wh_arena *arena,
                            wh_error *err);
// From columns that were given, to which those of unknown keys may come, to the rows they come
// from.
wh_status json_layout_unfold(const json_layout_options *options, const wh_schema *columns,
                             bool may_widen, wh_arena *arena, wh_schema *ret, wh_error *err);
// The name of what the key of rows (`prefix` without data) or of the object at `prefix` becomes; no
// data without memory.
wh_str json_layout_name(const json_layout_options *options, wh_str prefix, wh_str key,
                        wh_arena *arena);
// Whether the key of rows (or, with flatten, of the object at `prefix`) may become a wanted column,
// or some of it.
// The arena is for scratch.
bool json_layout_wants(const json_layout_options *options, wh_str prefix, wh_str key,
                       wh_arena *arena);
