// YAML (1.1 and 1.2, through libyaml) to a tree of wh_nodes with positions.
//
// What is taken: one document of maps with scalar keys, lists and scalars; anchors and aliases.
// What is refused, with a message: tags, merge keys ("<<"), several documents, a key that is given
// twice, zero bytes. All scalars are text: what `yes` or `012` means is for the option that reads
// it. An alias shares the node of its anchor, position included.
#pragma once

#include "config/problems.h"

enum {
  WH_YAML_DEPTH_MAX = 64,
  // Nodes of the tree as a walker meets them, that is with every alias counted in full: a file of
  // a few lines must not stand for billions of nodes.
  WH_YAML_NODES_MAX = 250000,
  WH_YAML_ANCHORS_MAX = 1000,
};

// `file` is how messages name it and must outlive the tree. An empty document gives a null scalar.
// Text that is no YAML fails with WH_ERR_USAGE; what is refused goes to `problems`, and the tree
// goes on without it.
wh_status wh_yaml_parse(wh_str text, const char *file, wh_arena *arena, wh_problems *problems,
                        wh_node **ret, wh_error *err);
