// What the steps share: the memory of one step, finding columns by their names in the
// configuration, and the way of a batch through a step that changes columns and leaves out rows.
//
//   push:  wh_frame_begin   -> `out` stands for the rows of `in`, all of them kept
//          each column of `out` is borrowed from `in` or appended, in.rows of them
//          wh_frame_reject / wh_frame_drop for rows that do not go on
//          wh_frame_end     -> they are gone from `out`
//
// `out` never borrows from the step itself, so that it stays valid when the next batch is pushed.
#pragma once

#include "step/step.h"

enum {
  WH_SHOWN_MAX = 60,    // bytes of a value in a reason
  WH_REASON_MAX = 1000, // bytes of a reason
  WH_LISTED_MAX = 10,   // columns or words that a message lists before "and 14 more"
};

typedef struct wh_frame {
  wh_step step; // must be first
  size_t size;  // bytes of the struct that begins with this frame
  wh_mem *mem;
  wh_arena arena;   // lives as long as the step
  wh_schema schema; // of what the step gives
  wh_field *fields; // the same, for bind to change
  uint8_t *keep;    // bit i set: row i of the batch in hand goes on
  size_t keep_cap;  // bytes
  size_t left_out;  // bits that were cleared
  wh_batch spare;   // changes places with `out` when rows are left out
  wh_buf text;      // scratch for reasons
} wh_frame;

// Zeroed memory for a step whose struct begins with a wh_frame; its schema is a copy of `in`, and
// step.close frees just this (set another where there is more to free).
wh_status wh_frame_new(const wh_step_context *context, size_t size, const wh_schema *in,
                       void *ret_step, wh_error *err);
void wh_frame_free(wh_frame *frame); // NULL and half-built are fine
void wh_frame_close(wh_step *step);

wh_status wh_frame_begin(wh_frame *frame, const wh_batch *in, wh_batch *out, wh_error *err);
static inline bool wh_frame_keeps(const wh_frame *frame, size_t row) {
  return wh_bit_get(frame->keep, row);
}
// The row does not go on, without a word. It must still be kept.
void wh_frame_drop(wh_frame *frame, size_t row);
// Hands the row to `rejects` (which may be NULL) and drops it. A row that was dropped before is
// left alone: one reason is enough.
wh_status wh_frame_reject(wh_frame *frame, const wh_batch *in, size_t row, wh_rejects *rejects,
                          const char *rule, wh_str column, wh_str reason, wh_error *err);
wh_status wh_frame_end(wh_frame *frame, wh_batch *out, wh_error *err);

// Appends a value for a reason: 'Shiped', 12.5, 2026-11-21; cut, control characters escaped. Where
// the field is personal or secret, the words "the value".
void wh_step_show_value(wh_buf *out, const wh_field *field, const wh_column *column, size_t row);

// --- options -------------------------------------------------------------------------------------
// `owner` is the step's name, for messages. All failures are WH_ERR_USAGE with the node's position.

// The index of the column that the scalar names.
wh_status wh_column_by_node(const wh_schema *schema, const wh_node *name, const char *owner,
                            size_t *ret, wh_error *err);
// "no column 'x' at this point. Did you mean 'y'?" `node` may be NULL: then without position.
wh_status wh_fail_no_column(const wh_schema *schema, const wh_node *node, const char *owner,
                            wh_str name, wh_error *err);
wh_status wh_node_expect(const wh_node *node, wh_node_kind kind, const char *owner,
                         const char *what, wh_error *err);
// The items of a list; anything else is a list of itself.
static inline size_t wh_node_count(const wh_node *node) {
  return node->kind == WH_NODE_LIST ? node->count : 1;
}
static inline const wh_node *wh_node_item(const wh_node *node, size_t i) {
  return node->kind == WH_NODE_LIST ? node->items[i] : node;
}
// A word that is none of `words` (NULL-terminated): "x has no word 'fmt'. Did you mean 'format'?"
wh_status wh_fail_word(const wh_node *word, const char *owner, const char *const *words,
                       wh_error *err);
