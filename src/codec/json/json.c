#include "codec/json/json.h"

#include "codec/json/reader.h"
#include "codec/json/writer.h"

static_assert((int)WH_JSON_DEPTH_MAX == (int)JSON_DEPTH_MAX);

static const wh_option read_options[] = {
    {.name = "flatten",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(wh_json_read_options, flatten),
     .def = "false",
     .help = "make the members of objects columns of their own, named like to.city"},
    {.name = "explode",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_json_read_options, explode),
     .help = "a column that is a list: read each of its items as a row, with all else repeated"},
    {0}};

static const char *const nulls_words[] = {"keep", "omit", NULL};

static const wh_option write_options[] = {
    {.name = "nulls",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_json_write_options, nulls),
     .choices = nulls_words,
     .def = "keep",
     .help = "omit: leave out the keys of values that are NULL"},
    {0}};

const wh_codec_type wh_codec_json = {
    .name = "json",
    .help = "JSON: an array of objects",
    .extensions = (const char *const[]){".json", NULL},
    .read_options = read_options,
    .read_options_size = sizeof(wh_json_read_options),
    .open_reader = json_open_reader,
    .write_options = write_options,
    .write_options_size = sizeof(wh_json_write_options),
    .open_writer = json_open_writer,
    .open_encoder = json_open_encoder,
};

const wh_codec_type wh_codec_ndjson = {
    .name = "ndjson",
    .help = "newline-delimited JSON: an object a line",
    .extensions = (const char *const[]){".ndjson", ".jsonl", NULL},
    .read_options = read_options,
    .read_options_size = sizeof(wh_json_read_options),
    .open_reader = json_open_lines,
    .write_options = write_options,
    .write_options_size = sizeof(wh_json_write_options),
    .open_writer = json_open_lines_writer,
    .open_encoder = json_open_lines_encoder,
};
