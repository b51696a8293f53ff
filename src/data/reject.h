// Rows that cannot go on. Whoever finds one (a codec, a step, an expectation, a sink) hands it to
// the run's collector and goes on with the others; the engine publishes them as quarantine.
#pragma once

#include "data/batch.h"

typedef struct wh_reject {
  wh_str rule;   // a short stable word: "not_null", "in", "cast", "json", "key_collision"
  wh_str column; // as the rule's owner names it; empty: the whole row
  wh_str reason; // a phrase: "'Shiped' is not one of Open, Shipped"
  wh_place place;
} wh_reject;

typedef struct wh_rejects wh_rejects;
struct wh_rejects {
  // A row of a batch. The collector copies what it needs. Fails when the pipeline's limits say
  // that too many were rejected, or when it cannot be written.
  wh_status (*row)(wh_rejects *self, const wh_reject *reject, const wh_batch *batch, size_t row,
                   wh_error *err);
  // Something that never became a row: its text as found in the source (may be cut).
  wh_status (*raw)(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err);
};

// A collector that drops what it is given.
wh_rejects wh_rejects_none(void);
