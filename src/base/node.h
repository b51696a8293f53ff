// A tree of configuration values that remember where they were written. config/ makes it from
// YAML; option tables and steps read it.
#pragma once

#include "base/error.h"
#include "base/str.h"

typedef enum wh_node_kind { WH_NODE_SCALAR, WH_NODE_LIST, WH_NODE_MAP } wh_node_kind;

typedef struct wh_node wh_node;

typedef struct wh_node_entry {
  wh_node *key; // a scalar
  wh_node *value;
} wh_node_entry;

struct wh_node {
  wh_node_kind kind;
  bool plain;       // scalar without quotes: `~`, `null` and the empty string mean "nothing"
  const char *file; // as the user named it
  uint32_t line;    // from 1
  uint32_t column;  // from 1
  // Scalar: the column of its first character, where the file says the text letter by letter on one
  // line; 0: it is folded, or has escapes, or comes from elsewhere.
  uint32_t text_column;
  wh_str text;            // scalar; secrets are NOT resolved here: `${...}` stands as written
  wh_node **items;        // list
  wh_node_entry *entries; // map, in the order written
  size_t count;           // of items or entries
};

// The value of a map's key, or NULL. NULL node gives NULL.
const wh_node *wh_node_get(const wh_node *map, const char *key);
// Whether the text stands anywhere in the tree, as a key or a value. NULL: no.
bool wh_node_mentions(const wh_node *node, wh_str text);
// A plain empty scalar, `~` or `null`.
bool wh_node_is_null(const wh_node *node);
// "file:line:column: " in front of the sentence; WH_ERR_USAGE.
__attribute__((format(printf, 3, 4))) wh_status wh_node_fail(const wh_node *node, wh_error *err,
                                                             const char *fmt, ...);
// "a scalar", "a list", "a map" for messages: "expected a list, found a map".
const char *wh_node_kind_name(const wh_node *node);
