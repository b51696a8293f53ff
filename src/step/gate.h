// The `columns` gate: what may cross, and as what. It comes last before expectations and the sink.
#pragma once

#include "step/mask.h"
#include "step/step.h"

typedef struct wh_gate_column {
  wh_str name; // as it crosses
  wh_str from; // the source's
  bool has_type;
  wh_type type; // cast to
  bool has_privacy;
  wh_class privacy;    // default: internal; the source's own if it says so (manifest)
  const wh_mask *mask; // NULL: as it is
  const wh_node *node; // for messages
} wh_gate_column;

typedef struct wh_gate {
  bool all; // everything crosses, in the source's order; `columns` then only adjusts
  const wh_gate_column *columns;
  size_t count;
} wh_gate;

// Rows that do not cast are rejected with rule "type", the column under the name it crosses with.
// Where it is masked or personal the reason does not show the value. A column that has a type and a
// mask is cast first; the mask takes the canonical text of what is not text, gives text, and what
// has nothing to hide becomes NULL. Lists and structs cannot be masked.
// The class that comes out is the declared one, else the higher of internal and the source's,
// masked or not: whether a sink accepts a masked column is the caller's question, who has the mask.
// The column that says that a row is gone (data/deleted.h) crosses as the last one, listed or not.
// With `all`, listed columns stand where their source stood. Two columns of one name are refused.
// Masks are borrowed and must outlive the step; everything else is copied.
wh_status wh_gate_bind(const wh_step_context *context, const wh_gate *gate, const wh_schema *in,
                       wh_step **ret, wh_error *err);
