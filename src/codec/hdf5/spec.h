// What the options of a table say, read once.
#pragma once

#include "codec/hdf5/hdf5.h"

// A dataset of `rows`.
typedef struct h5_side {
  wh_str path;
  wh_str name;   // of its one column; empty: the last part of the path
  wh_str prefix; // of its columns
  wh_str start;  // the parent's field; empty: all of it
} h5_side;

typedef struct h5_kept {
  wh_str column, field;
} h5_kept;

typedef struct h5_repeated {
  wh_str column, path;
  wh_str attribute; // empty: a dataset
} h5_repeated;

typedef struct h5_spec {
  h5_side *sides;
  size_t side_count;
  wh_str parent; // empty: there is none
  h5_kept *kept;
  size_t kept_count;
  h5_repeated *repeated;
  size_t repeated_count;
  wh_str index, file; // empty: none
  int64_t index_from;
} h5_spec;

// Texts are views of the options; what is made of them lives in the arena. WH_ERR_USAGE without
// place: whoever knows the node of the options adds it.
wh_status h5_spec_make(const wh_hdf5_table *options, wh_arena *arena, h5_spec *ret, wh_error *err);
// wh_codec_type.check_read: neither `rows` nor `repeat` are needed where one dataset is all there
// is. wh_codec_type.check_table: they are.
wh_status h5_spec_check_read(const void *options, wh_error *err);
wh_status h5_spec_check_table(const void *options, wh_error *err);

// The part of the path behind its last '/'.
wh_str h5_path_name(wh_str path);
