#include "codec/parquet/parquet.h"

#include "codec/parquet/compress.h"
#include "codec/parquet/encoder.h"
#include "codec/parquet/reader.h"

static const char *const compressions[] = {"snappy", "zstd", "lz4", "none", NULL};
static const char *const dictionaries[] = {"auto", "off", NULL};

#define AT(field) offsetof(wh_parquet_write_options, field)
static const wh_option write_options[] = {
    {.name = "compression",
     .type = WH_OPTION_ENUM,
     .offset = AT(compression),
     .def = "snappy",
     .choices = compressions,
     .help = "how pages are compressed"},
    {.name = "level",
     .type = WH_OPTION_INT,
     .offset = AT(level),
     .def = "1",
     .min = 1,
     .max = PQ_ZSTD_LEVEL_MAX,
     .help = "of zstd; higher levels make smaller files, more slowly"},
    {.name = "row_group_rows",
     .type = WH_OPTION_INT,
     .offset = AT(row_group_rows),
     .def = "131072",
     .min = 1,
     .max = WH_PARQUET_GROUP_ROWS_MAX,
     .help = "rows of a row group, which may have an eighth more"},
    {.name = "row_group_bytes",
     .type = WH_OPTION_SIZE,
     .offset = AT(row_group_bytes),
     .def = "0",
     .min = 0,
     .max = 1 << 30,
     .help = "encoded bytes at which a row group ends; 0: by the columns and the memory"},
    {.name = "page_bytes",
     .type = WH_OPTION_SIZE,
     .offset = AT(page_bytes),
     .def = "0",
     .min = 0,
     .max = WH_PARQUET_PAGE_BYTES_MAX,
     .help = "bytes of a page before it is encoded; 0: 128 KiB, of zstd 512 KiB, less for many "
             "columns"},
    {.name = "dictionary",
     .type = WH_OPTION_ENUM,
     .offset = AT(dictionary),
     .def = "auto",
     .choices = dictionaries,
     .help = "whether columns of few distinct values get a dictionary"},
    {.name = "bloom",
     .type = WH_OPTION_LIST,
     .offset = AT(bloom),
     .help = "columns that get a bloom filter, which tells readers what is not there"},
    {.name = "sort",
     .type = WH_OPTION_LIST,
     .offset = AT(sort),
     .help = "columns the rows are sorted by, each as 'name' or 'name desc'; checked and recorded"},
    {.name = "page_index",
     .type = WH_OPTION_BOOL,
     .offset = AT(page_index),
     .def = "true",
     .help = "write the page index, by which readers pass over pages"},
    {.name = "crc",
     .type = WH_OPTION_BOOL,
     .offset = AT(crc),
     .def = "true",
     .help = "write a checksum of each page"},
    {0}};
#undef AT

const wh_codec_type wh_codec_parquet = {
    .name = "parquet",
    .help = "Apache Parquet",
    .extensions = (const char *const[]){".parquet", NULL},
    .compresses = true,
    .read_options = pq_read_table,
    .read_options_size = sizeof(pq_read_options),
    .write_options = write_options,
    .write_options_size = sizeof(wh_parquet_write_options),
    .block_rows = WH_PARQUET_GROUP_ROWS,
    .block_bytes = 2 * WH_PARQUET_GROUP_BYTES_WIDE,
    .open_reader = pq_open_reader,
    .open_writer = pq_open_writer,
    .open_encoder = pq_open_encoder,
};
