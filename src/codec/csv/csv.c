#include "codec/csv/csv.h"

#include "codec/csv/reader.h"

static wh_status check_read(const void *options, wh_error *err) {
  csv_dialect dialect;
  return csv_dialect_of_options(options, &dialect, err);
}

const wh_codec_type wh_codec_csv = {
    .name = "csv",
    .help = "delimited text",
    .extensions = (const char *const[]){".csv", ".tsv", NULL},
    .read_options = wh_csv_read_table,
    .read_options_size = sizeof(wh_csv_read_options),
    .check_read = check_read,
    .open_reader = csv_open_reader,
};
