// wherry.ENV.yaml over wherry.yaml: maps merge key by key, anything else replaces, `~` removes.
// Nodes keep the positions of the file they came from.
#pragma once

#include "base/arena.h"
#include "base/node.h"

// Neither tree is changed; the result shares their nodes. Either may be a null scalar.
wh_status wh_overlay(const wh_node *base, const wh_node *over, wh_arena *arena, const wh_node **ret,
                     wh_error *err);
