// One thread's share of the data path: the rows of a reader through steps, gate and expectations, a
// batch at a time. A flow (engine/flow.h) has one stage, or one a lane (engine/lanes.h).
//
// Threads: a stage and its slots are used by one thread at a time.
#pragma once

#include "engine/flow.h"

enum { WH_STAGE_STEPS_MAX = 64 };

typedef struct wh_stage {
  wh_flow_options options; // the reader may be another for each part of an object
  wh_mem *mem;
  wh_arena arena; // what the steps go on using: the zone
  wh_step *steps[WH_STAGE_STEPS_MAX];
  size_t step_count;
  const wh_schema *schema; // of what comes out
  size_t expect_at;        // which step has the expectations; of these:
  const wh_fresh *fresh;
  size_t fresh_count;
  uint64_t skip_through;
  size_t row_limit; // bytes
  size_t finishing; // after the last row: the step whose held-back rows come out
  bool at_end;
  wh_batch early; // rows that a restart has behind it
} wh_stage;

// One batch in flight: what was read, and what each step made of it.
typedef struct wh_slot {
  wh_flow_item item; // its first member
  wh_batch read;
  wh_batch *made; // one a step, then one for the window
  size_t made_count;
  wh_reject_lines lines;
  size_t bytes;     // about what its rows take, while it is on its way
  wh_status status; // WH_ERR_END: the last; another failure: why
  wh_error error;
  bool reader_failed;
} wh_slot;

// Binds the steps to the reader's schema. Zeroed before, and closed whatever it returns.
wh_status wh_stage_open(wh_stage *stage, const wh_flow_options *options, wh_error *err);
wh_status wh_stage_add_gate(wh_stage *stage, const wh_gate *gate, wh_error *err);
void wh_stage_close(wh_stage *stage);
bool wh_stage_holds_back(const wh_stage *stage); // rows, until the end
bool wh_stage_remembers(const wh_stage *stage);  // rows, so that what comes later depends on them

// When all steps are bound. Zeroed before, and freed whatever it returns, before its stage.
wh_status wh_slot_init(wh_slot *slot, wh_stage *stage, wh_error *err);
void wh_slot_free(wh_slot *slot, wh_stage *stage);
// No rows. Large ones give their memory back at once.
void wh_slot_empty(wh_slot *slot);
// The next batch; slot->status and slot->error tell how it went.
void wh_stage_fill(wh_stage *stage, wh_slot *slot);
// The same of rows that somebody else read: the batch is exchanged for one of the slot's, and what
// was rejected meanwhile goes to the slot. When there are no more, set stage->at_end and fill.
void wh_stage_take(wh_stage *stage, wh_slot *slot, wh_batch *read, wh_reject_lines *rejected,
                   uint64_t bytes_read);
