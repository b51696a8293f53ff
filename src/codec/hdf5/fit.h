// Rows of a file made to be what was given: by name, cast where that loses nothing.
#pragma once

#include "codec/hdf5/table.h"

typedef struct h5_fit {
  wh_mem *mem;
  wh_schema schema; // what comes out; a copy of what was given
  size_t *sources;  // of each column, the file's; H5_NO_SOURCE: it has none
  wh_batch found;   // rows as the file has them
  wh_batch cast;
} h5_fit;

enum { H5_NO_SOURCE = -1 };

// Columns that were not given are left out. `may_widen`: where the file has more than fits, *ret is
// a fit whose schema holds both, and *ret_widened is set. Otherwise WH_ERR_DATA.
wh_status h5_fit_make(const h5_table *table, const wh_schema *given, bool may_widen, wh_mem *mem,
                      wh_arena *arena, h5_fit *ret, bool *ret_widened, wh_error *err);
void h5_fit_free(h5_fit *fit); // zeroed is fine
// Like h5_table_fill.
wh_status h5_fit_fill(h5_fit *fit, h5_table *table, wh_batch *batch, size_t rows_most,
                      size_t bytes_most, wh_rejects *rejects, wh_error *err);
