// The catalogue: a table that has a row for every object version that was published, made from its
// manifest. What a run published enters the outbox with the run's end, and comes here from there.
//
// A row is found by `id`, the SHA-256 of "lake:KEY@VERSION", so that names of any length are told
// apart by their bytes, whatever the table's keys can be. Writing it again changes nothing.
// Internal to engine/.
#pragma once

#include "engine/engine.h"

#define WH_CATALOGUE_PIPELINE "@catalog" // whose marks and lease a row is written with

extern const wh_field wh_catalogue_key; // by which its table finds a row

typedef struct wh_catalogue wh_catalogue;

// Makes ready to write rows; a missing table is created.
wh_status wh_catalogue_open(wh_engine *engine, wh_catalogue **ret, wh_error *err);
// The object that the run published. `arena` is for scratch. After a failure: close it.
wh_status wh_catalogue_put(wh_catalogue *c, const wh_run *run, wh_arena *arena, wh_error *err);
void wh_catalogue_close(wh_catalogue *c); // NULL is fine
