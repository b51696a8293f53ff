// Time zones, from the system's compiled zone files (RFC 8536), without touching TZ: several zones
// at once, any thread. A zone is read once and immutable.
#pragma once

#include "base/os.h"
#include "data/temporal.h"

typedef struct wh_zone wh_zone;

// "Europe/London", "UTC", or a fixed "+01:00". Names with "..", a leading '/', or unknown fail with
// WH_ERR_NOT_FOUND. The zone lives in the arena.
wh_status wh_zone_open(wh_os *os, wh_str name, wh_arena *arena, const wh_zone **ret, wh_error *err);
wh_str wh_zone_name(const wh_zone *zone);

int32_t wh_zone_offset_at(const wh_zone *zone, int64_t utc_s); // seconds east of UTC

typedef enum wh_local_kind { WH_LOCAL_ONCE, WH_LOCAL_TWICE, WH_LOCAL_NEVER } wh_local_kind;
// A wall-clock time (as if UTC) to instants. TWICE (clocks went back): *first and *second.
// NEVER (clocks went forward): both are the instant of the jump.
wh_local_kind wh_zone_to_utc(const wh_zone *zone, int64_t local_s, int64_t *ret_first,
                             int64_t *ret_second);
