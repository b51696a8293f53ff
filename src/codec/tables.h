// Objects that hold several tables, as scientific files do. One pass over the object feeds all that
// are asked for.
//
// What a table is made of is said in the codec's own options (for HDF5: paths, see
// codec/hdf5/hdf5.h). The same object and the same specs always give the same rows in the same
// order, so that a load may pass over those that an earlier chunk committed.
#pragma once

#include "codec/codec.h"

typedef struct wh_table_spec {
  wh_str name;         // "bar", for errors and quarantine
  const void *options; // of wh_codec_type.table_options; borrowed until the reader is closed
  // The only columns that are wanted, by name; NULL: all.
  const wh_str *wanted;
  size_t wanted_count;
  const wh_schema *given; // what its rows have to be; NULL: what the object says
} wh_table_spec;

typedef struct wh_tables_reader wh_tables_reader;
struct wh_tables_reader {
  size_t count;
  const wh_schema *const *schemas; // of each table's batches; owned by the reader
  uint64_t bytes_read;             // of the input, so far
  // Adds rows of one table, *ret_table, to its batch of `batches`, which the caller initialised
  // with its schema and has reset; as many as fit. WH_ERR_END: that were all rows of all tables.
  wh_status (*next)(wh_tables_reader *reader, size_t *ret_table, wh_batch *batches,
                    wh_rejects *rejects, wh_error *err);
  void (*close)(wh_tables_reader *reader); // frees it, not the input
};

static inline void wh_tables_reader_close(wh_tables_reader *r) {
  if (r) r->close(r);
}

// One table of an object, as if there were no other. `spec` is borrowed until the reader is closed.
wh_status wh_table_reader_open(const wh_codec_type *codec, const wh_codec_context *context,
                               wh_input *in, const wh_table_spec *spec, wh_reader **ret,
                               wh_error *err);
