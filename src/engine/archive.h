// The rows of an archive's members, one member after the other in the order of its directory, as
// those of one object. A row's number counts through all of them; its line and byte are those in
// its member.
//
// What is wrong with any member, also with one that is not read, is wrong with the archive: names
// that would lead elsewhere, bytes that belong to two, more than the limits of codec/zip.h.
#pragma once

#include "codec/codec.h"

typedef struct wh_archive_source {
  wh_input *in;               // outlives the reader
  wh_str members;             // pattern of the names of those that are read
  const wh_codec_type *codec; // of each; NULL: by its name
  const void *options;        // of that codec
  wh_codec_context context;   // what it points to outlives the reader
  const wh_schema *given;     // NULL: infer
} wh_archive_source;

wh_status wh_archive_open(const wh_archive_source *source, wh_reader **ret, wh_error *err);
// What is in the members that are read.
uint64_t wh_archive_bytes(const wh_reader *reader);
