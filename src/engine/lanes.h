// Several data paths side by side. Each lane is a thread with a stage (engine/stage.h) and an
// encoder of its own: it takes the next part of the object, reads it a batch at a time through the
// steps, and encodes what comes out, all while the rows are in the processor's cache. What the
// lanes made is handed out in the order of the parts, so that the object, its counts and its
// quarantine are those of one path.
//
// Where a part begins may have been a guess (codec/codec.h). It is compared with where the part
// before it ended before anything of it is handed out; a part that began elsewhere is thrown away
// and read again.
//
// Memory: what is made ahead of its turn is bounded (WH_LANES_AHEAD_SHARE). The lane whose turn it
// is may always have one block in line, so that nobody waits for ever.
#pragma once

#include "engine/stage.h"

enum {
  WH_LANES_MAX = 16,
  WH_LANE_MEMORY = 16 << 20, // of `memory` that a lane should have
  WH_LANE_COLUMN = 80 << 10, // and for each column at least: its batch, its pages, its dictionary
  WH_LANES_AHEAD_SHARE = 8,  // of `memory`, for blocks that wait for their turn
};

typedef struct wh_lanes wh_lanes;

// How many lanes this machine and `memory` are good for, with so many columns; at least 1.
size_t wh_lanes_count(const wh_engine *engine, size_t columns);
// The size of parts that suits so many lanes, for `codec` to write.
void wh_lanes_part_size(const wh_engine *engine, const wh_codec_type *codec,
                        wh_codec_context *context);
// options->reader is the one that is cut into parts, and never read itself.
wh_status wh_lanes_open(const wh_flow_options *options, const wh_encoding *encoding, wh_lanes **ret,
                        wh_error *err);
// Like wh_flow_next and wh_flow_release; an item holds until the next call of either.
wh_status wh_lanes_next(wh_lanes *lanes, wh_flow_item **ret, wh_error *err);
void wh_lanes_release(wh_lanes *lanes, wh_flow_item *item);
// After a failure: whether it was a reader's.
bool wh_lanes_reader_failed(const wh_lanes *lanes);
void wh_lanes_close(wh_lanes *lanes); // stops the threads; NULL is fine
