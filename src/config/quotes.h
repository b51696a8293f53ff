// "This needs quotes": what YAML makes of a value that was meant as text, told in the words of
// whoever wrote it. Works on the text of the file, because where YAML stumbles there is no tree.
#pragma once

#include "base/arena.h"
#include "base/error.h"

// A position as libyaml counts it: from 0, columns in characters.
typedef struct wh_yaml_place {
  size_t line, column;
} wh_yaml_place;

// What YAML said about a text it could not read.
typedef struct wh_yaml_trouble {
  wh_str text;
  const char *file;
  const char *problem; // "did not find expected key"
  const char *context; // "while parsing a block mapping"; NULL: none
  wh_yaml_place at;    // of the problem
  wh_yaml_place began; // of the context
  bool in_flow;        // inside { } or [ ]
} wh_yaml_trouble;

// Fills err with the friendliest true sentence; WH_ERR_USAGE.
wh_status wh_yaml_explain(const wh_yaml_trouble *trouble, wh_error *err);
// For what YAML can read, but not as it was meant: `as` is "a map", "a tag".
wh_status wh_yaml_needs_quotes(wh_str text, const char *file, wh_yaml_place at, bool in_flow,
                               const char *as, wh_error *err);
// Byte offset of a place, or text.len.
size_t wh_yaml_offset(wh_str text, wh_yaml_place place);
