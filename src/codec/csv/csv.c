#include "codec/csv/csv.h"

#include "codec/csv/reader.h"
#include "codec/csv/writer.h"

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
    .write_options = wh_csv_write_table,
    .write_options_size = sizeof(wh_csv_write_options),
    .check_read = check_read,
    .check_write = csv_check_write,
    .open_reader = csv_open_reader,
    .open_writer = csv_open_writer,
    .open_encoder = csv_open_encoder,
};
