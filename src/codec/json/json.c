#include "codec/json/json.h"

#include "codec/json/reader.h"
#include "codec/json/writer.h"

static_assert((int)WH_JSON_DEPTH_MAX == (int)JSON_DEPTH_MAX);

const wh_codec_type wh_codec_json = {
    .name = "json",
    .help = "JSON: an array of objects",
    .extensions = (const char *const[]){".json", NULL},
    .read_options_size = sizeof(wh_json_read_options),
    .open_reader = json_open_reader,
    .open_writer = json_open_writer,
};

const wh_codec_type wh_codec_ndjson = {
    .name = "ndjson",
    .help = "newline-delimited JSON: an object a line",
    .extensions = (const char *const[]){".ndjson", ".jsonl", NULL},
    .read_options_size = sizeof(wh_json_read_options),
    .open_reader = json_open_lines,
    .open_writer = json_open_lines_writer,
};
