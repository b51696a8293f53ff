// Trees of configuration values from YAML text, for tests of whatever takes options.
#pragma once

#include "base/arena.h"
#include "base/node.h"

// Everything is in the arena; the file is called "test.yaml". A text that is not YAML ends the
// program.
const wh_node *test_nodes(wh_arena *arena, const char *yaml);
