#include "codec/hdf5/hdf5.h"

#include "codec/hdf5/reader.h"
#include "codec/hdf5/spec.h"

#define AT(field) offsetof(wh_hdf5_table, field)
static const wh_option table[] = {
    {.name = "rows",
     .type = WH_OPTION_NODE,
     .offset = AT(rows),
     .shape = "PATH | [PATH or { path: PATH, name: COLUMN, prefix: TEXT, start: FIELD }, ...]",
     .help = "datasets that stand side by side: row i of the table is row i of each"},
    {.name = "parent",
     .type = WH_OPTION_NODE,
     .offset = AT(parent),
     .shape = "{ path: PATH, start: FIELD, keep: [FIELD, ...] }",
     .help = "the dataset whose rows own slices of `rows`, from the element that a field of it "
             "says; {name} in `start` is the dataset's. Fields in `keep` are repeated"},
    {.name = "index",
     .type = WH_OPTION_TEXT,
     .offset = AT(index),
     .help = "a column that counts the rows, those of each parent by themselves"},
    {.name = "index_from",
     .type = WH_OPTION_INT,
     .offset = AT(index_from),
     .def = "1",
     .min = 0,
     .max = 1,
     .help = "where the index begins"},
    {.name = "repeat",
     .type = WH_OPTION_NODE,
     .offset = AT(repeat),
     .shape = "{ column: PATH@ATTRIBUTE or PATH, ... }",
     .help = "columns of an attribute, or of a dataset with one value, that each row repeats; "
             "without `rows`, they are one row"},
    {.name = "file",
     .type = WH_OPTION_TEXT,
     .offset = AT(file),
     .help = "a column with the object's name, without folder and extension"},
    {0}};
#undef AT

const wh_codec_type wh_codec_hdf5 = {
    .name = "hdf5",
    .help = "HDF5, read only",
    .extensions = (const char *const[]){".h5", ".hdf5", NULL},
    .compresses = true,
    .read_options = table,
    .read_options_size = sizeof(wh_hdf5_table),
    .check_read = h5_spec_check_read,
    .open_reader = h5_open_reader,
    .table_options = table,
    .table_options_size = sizeof(wh_hdf5_table),
    .check_table = h5_spec_check_table,
    .open_tables = h5_open_tables,
    .reserve_bytes = WH_HDF5_LIBRARY_BYTES,
};
