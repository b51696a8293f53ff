// The codec "hdf5" (HDF5, read only), on libhdf5, which is loaded when the first object is opened.
//
// An object holds groups of datasets. A table is made of them by what its options say (the same for
// an object that is read as one table, `read:`, and for each of several):
//
//   rows: /analysis/songs              # a compound dataset: each field is a column
//   rows: [/metadata/songs, /analysis/songs]   # side by side: row i with row i
//   rows:                              # arrays: element i of each is row i
//     - /analysis/bars_start           # column bars_start
//     - { path: /analysis/bars_confidence, name: confidence }
//     - { path: /analysis/segments_pitches, prefix: p }   # (N,12): columns p1..p12
//   parent:                            # whose row k owns the elements [start_k, start_k+1), or,
//   the
//     path: /analysis/songs            # last one, up to the end
//     start: "idx_{name}"              # the field with the start; {name}: of each array in `rows`
//     keep: [track_id]                 # fields of the parent that each row repeats
//   index: track_bar_id                # a column that counts the rows of each parent
//   index_from: 1
//   repeat: { title: /@TITLE, site: /site/name }   # an attribute, or a dataset of one value
//   file: file_name                    # the object's name without folder and extension
//
// Without `rows`, a table of `repeat` alone has one row. Only what is wanted is read.
//
// Types: integers of 8 to 64 bits, any byte order and precision; IEEE floats of 16 (as float32), 32
// and 64 bits, whose NaN stays NaN; strings of fixed and variable length, which must be UTF-8, as
// text without their padding; enumerations as text, those of FALSE and TRUE as bool; bit fields as
// unsigned integers; opaque as binary; arrays in a field, and further dimensions of a dataset, as
// columns NAME1, NAME2...; compounds in compounds with the names joined by '.'. References,
// sequences of variable length and other floats are refused where they are wanted.
//
// What is not in the object itself is never read: external links, external raw data and virtual
// datasets are refused. A row with a bad text or an enumeration's value without a name is rejected;
// everything else that is wrong is WH_ERR_DATA.
//
// Memory: an object of up to WH_HDF5_WHOLE_BYTES is kept whole, a larger one in
// WH_HDF5_BLOCKS blocks; for each dataset a stretch of rows. libhdf5 takes its own past the
// accountant: WH_HDF5_LIBRARY_BYTES; its metadata cache is held to WH_HDF5_METADATA_BYTES.
// Threads: libhdf5 is entered by one at a time (lib.h), decoding is done side by side.
// docs/decisions/042 tells why, and what damaged files can still do.
#pragma once

#include "codec/codec.h"
#include "codec/tables.h"

enum {
  WH_HDF5_LIBRARY_BYTES = 24 << 20,
  WH_HDF5_METADATA_BYTES = 2 << 20,
  WH_HDF5_WHOLE_BYTES = 4 << 20,
  WH_HDF5_BLOCK_BYTES = 64 << 10,
  WH_HDF5_BLOCKS = 32,
  WH_HDF5_STRETCH_BYTES = 256 << 10, // of rows read at once, where chunks are no larger
  WH_HDF5_CHUNK_BYTES = 16 << 20,    // of one chunk
  WH_HDF5_RECORD_BYTES = 1 << 20,    // of a row of one dataset
  WH_HDF5_FIELDS_MAX = 4096,         // that a row of one dataset may have
  WH_HDF5_NESTING_MAX = 8,           // of compounds and arrays in each other
  WH_HDF5_DIMENSIONS_MAX = 32,       // libhdf5's own limit
  WH_HDF5_MEMBERS_MAX = 4096,        // names of an enumeration
  WH_HDF5_DATASETS_MAX = 256,        // that tables of one object are made of
  WH_HDF5_PATH_BYTES = 1024,
  WH_HDF5_TEXTS_BYTES = 4 << 20,        // of the texts of variable length in one stretch
  WH_HDF5_EXPANSION_MAX = 1 << 16,      // of a dataset's claimed bytes by those of its file
  WH_HDF5_TEXT_EXPANSION_MAX = 1 << 10, // the same, with texts of variable length
};

// What table_options and read_options fill.
typedef struct wh_hdf5_table {
  const wh_node *rows, *parent, *repeat;
  wh_str index, file;
  int64_t index_from;
} wh_hdf5_table;

extern const wh_codec_type wh_codec_hdf5;
