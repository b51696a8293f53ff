// Option tables. Everything that takes options (a connector, a codec, a step, the pipeline
// itself) declares them once, here; parsing, error messages, `wherry schema`, --help and the
// reference pages come from that table.
//
//   typedef struct my_options { wh_str path; bool versioning; int64_t limit_bytes; } my_options;
//   static const wh_option my_table[] = {
//     {.name = "path", .type = WH_OPTION_TEXT, .offset = offsetof(my_options, path),
//      .required = true, .help = "folder that holds the objects"},
//     {0}};
//
// The struct the table fills is plain data in the configuration's arena; it needs no freeing.
// Texts in it are copies with a NUL behind them, so that .data serves as a C string too. A key
// whose value is nothing (`key:`, `key: ~`) counts as not given, except for a WH_OPTION_NODE.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/node.h"
#include "base/str.h"

#include <stddef.h>

typedef enum wh_option_type {
  WH_OPTION_TEXT = 1, // wh_str
  WH_OPTION_PATH,     // wh_str; relative ones are made relative to the configuration's folder
  WH_OPTION_BOOL,     // bool
  WH_OPTION_INT,      // int64_t; with min and max
  WH_OPTION_SIZE,     // int64_t bytes: 64MiB, 1GB, 4096
  WH_OPTION_DURATION, // int64_t microseconds: 500ms, 2s, 5m, 1h, 7d
  WH_OPTION_ENUM,     // int: index into choices
  WH_OPTION_LIST,     // wh_str_list; one scalar stands for a list of one
  WH_OPTION_NODE,     // const wh_node *: anything; whoever owns the table reads it
} wh_option_type;

typedef struct wh_str_list {
  wh_str *items;
  size_t count;
} wh_str_list;

typedef struct wh_option {
  const char *name; // NULL ends a table
  wh_option_type type;
  size_t offset;
  bool required;
  bool secret;                        // never shown; a value written literally draws a warning
  bool (*names_secret)(wh_str value); // one that only says where a secret is; NULL: none does
  const char *def;                    // as it would be written; NULL: zero
  const char *const *choices;         // WH_OPTION_ENUM, and of a LIST's items; NULL-terminated
  int64_t min, max;  // WH_OPTION_INT, SIZE, DURATION; both 0: no bounds; max < min: no max
  const char *shape; // WH_OPTION_NODE: how it looks, for the reference: "{ column: type }"
  const char *help;  // one line, no full stop
} wh_option;

// What parsing needs from the outside. `resolve` turns "${...}" into its value and is called for
// scalars that contain it; NULL: such scalars stay as written. It runs only when the options are
// parsed, which happens only when a selected pipeline needs them.
typedef struct wh_option_context {
  wh_arena *arena;
  wh_str base_folder; // of relative paths
  wh_status (*resolve)(void *context, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                       wh_error *err);
  void *resolve_context;
  // For checking without resolving: scalars that hold "${" are not read, their fields keep the
  // default (an item of a list stays as written).
  bool lazy;
  // Told every problem of content (status WH_ERR_USAGE), after which parsing goes on: the field
  // concerned keeps its default. NULL: parsing ends at the first one. Whoever sets it passes an
  // `err` to wh_options_parse. Anything but WH_OK ends parsing with that status.
  wh_status (*problem)(void *context, wh_error *problem);
  void *problem_context;
} wh_option_context;

// Fills `target` from `map`: defaults first, then what is there. `skip` names keys of the map that
// are somebody else's (NULL-terminated, may be NULL), e.g. "type". `owner` is for messages:
// "connection erp". Unknown keys are errors with the nearest word.
wh_status wh_options_parse(const wh_option *table, const wh_node *map, const char *const *skip,
                           const char *owner, const wh_option_context *context, void *target,
                           wh_error *err);

// Whether the map has an unknown word that was likely meant to be `name`: then it is not missing.
bool wh_option_misspelt(const wh_option *table, const wh_node *map, const char *const *skip,
                        const char *name);

// Scalars by themselves, for the owners of WH_OPTION_NODE and the command line.
//  size: a number, with a fraction if that makes whole bytes, and B, kB, MB, GB, TB (powers of
//    1000) or KiB, MiB, GiB, TiB (of 1024), in any case; without a unit bytes.
//  duration: one or more of a number and us, ms, s, m, h, d or w: "1h30m"; only 0 needs no unit.
//  bool: true false, yes no, on off.
bool wh_parse_size(wh_str text, int64_t *ret_bytes);
bool wh_parse_duration(wh_str text, int64_t *ret_us);
bool wh_parse_bool(wh_str text, bool *ret);
