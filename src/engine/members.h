// Pipelines that read many tables: which pipelines they stand for.
#pragma once

#include "engine/engine.h"

typedef struct wh_members {
  wh_pipeline *items;
  size_t count;
  // Tables that match and stay home, by why.
  wh_str *unlisted; // `columns` does not list them
  size_t unlisted_count;
  wh_str *denied; // the user may not read them
  size_t denied_count;
  wh_str *gone; // members that have run and whose table is not there any more
  size_t gone_count;
} wh_members;

// Those that have run, as the ledger knows them: without the source.
wh_status wh_members_known(wh_engine *engine, const wh_pipeline *many, wh_arena *arena,
                           wh_pipeline **ret, size_t *ret_count, wh_error *err);
// Asks the source which tables there are now. With tables listed under `columns`, those are the
// members, there or not: one that is not there fails as any pipeline whose table is missing.
wh_status wh_members_now(wh_engine *engine, const wh_pipeline *many, wh_arena *arena,
                         wh_members *ret, wh_error *err);
