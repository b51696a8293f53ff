// Time zones, from the system's compiled zone files (RFC 8536), without touching TZ: several zones
// at once, any thread. A zone is read once and immutable.
#pragma once

#include "base/os.h"
#include "data/temporal.h"

typedef struct wh_zone wh_zone;

#define WH_ZONE_FOLDER "/usr/share/zoneinfo"
enum {
  WH_ZONE_NAME_MAX = 80,
  WH_ZONE_FILE_MAX = 1 << 20,
};

// "Europe/London", "UTC", or a fixed "+01:00". Names with "..", a leading '/', or unknown fail with
// WH_ERR_NOT_FOUND, as do zones that count leap seconds ("right/..."). UTC and fixed offsets need
// no files. The zone lives in the arena.
wh_status wh_zone_open(wh_os *os, wh_str name, wh_arena *arena, const wh_zone **ret, wh_error *err);
// From the bytes of a zone file (version 2 or later); WH_ERR_DATA when they are not one.
wh_status wh_zone_parse(wh_str name, wh_str file, wh_arena *arena, const wh_zone **ret,
                        wh_error *err);
wh_str wh_zone_name(const wh_zone *zone);

int32_t wh_zone_offset_at(const wh_zone *zone, int64_t utc_s); // seconds east of UTC

typedef enum wh_local_kind { WH_LOCAL_ONCE, WH_LOCAL_TWICE, WH_LOCAL_NEVER } wh_local_kind;
// A wall-clock time (as if UTC) to instants. TWICE (clocks went back): *first and *second.
// NEVER (clocks went forward): both are the instant of the jump.
wh_local_kind wh_zone_to_utc(const wh_zone *zone, int64_t local_s, int64_t *ret_first,
                             int64_t *ret_second);

// The first change of the offset strictly after utc_s; false when there is none any more.
bool wh_zone_next_change(const wh_zone *zone, int64_t utc_s, int64_t *ret_utc_s);
