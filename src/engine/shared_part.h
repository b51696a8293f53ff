// Parts of a shared extract: the rows of a range as a file of the object's codec, beside it the
// rejected ones and what the cursor's window remembers, in the target's store under names that
// listings do not show:
//   _wherry/parts/RUN/NUMBER-TAKE.rows, .rejects, .window
// A name belongs to one take of a range, so that a worker that slept writes beside whoever took the
// range after it.
#pragma once

#include "engine/input.h"
#include "engine/shared_words.h"

enum { WH_PIECE_HELD_US = 30 * 1000000 }; // where the ledger has no lease

// How long a worker that says nothing keeps a range: as the ledger's lease.
wh_status wh_part_held_us(wh_engine *engine, int64_t *ret, wh_error *err);
typedef enum wh_part_file {
  WH_PART_ROWS,
  WH_PART_REJECTS, // as wh_reject_lines_save has them
  WH_PART_WINDOW,  // wh_window_entry
  WH_PART_FILES,
} wh_part_file;
wh_str wh_part_key(const wh_piece *piece, wh_part_file file, wh_arena *arena);

// How many ranges a worker reads at once: one a lane (engine/lanes.h).
size_t wh_parts_at_once(const wh_engine *engine, const wh_pipeline *pipeline);
// Reads the range, renewing the piece meanwhile, and puts its part. WH_ERR_STALE: somebody else
// took the range. WH_ERR_CANCELLED: `cancel` was set, or the engine is to stop. After a failure
// nothing of it is left, as far as can be.
wh_status wh_part_make(wh_engine *engine, const wh_pipeline *pipeline, const wh_piece *piece,
                       const wh_range_task *task, const atomic_bool *cancel, wh_arena *arena,
                       wh_range_result *ret, wh_error *err);
// Those of one take; missing is fine.
wh_status wh_part_remove(wh_engine *engine, const wh_pipeline *pipeline, const wh_piece *piece,
                         wh_error *err);
// All of the run, and those of earlier runs that have ended, which a worker left that was killed.
wh_status wh_parts_sweep(wh_engine *engine, const wh_pipeline *pipeline, wh_str run, wh_error *err);
