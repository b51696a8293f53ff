// Names of runs: ULIDs (github.com/ulid/spec), in lower case. 48 bits of milliseconds since 1970
// and 80 random ones, as 26 characters of Crockford's base32, so that their order as text is the
// order of their making.
#pragma once

#include "base/os.h"

enum { WH_ULID_CHARS = 26 };

// In the same millisecond of the same process each is the one before plus one. `out` is
// NUL-terminated. Any thread.
wh_status wh_ulid_new(wh_os *os, char out[WH_ULID_CHARS + 1], wh_error *err);
// The time in it, in milliseconds since 1970; false when it is none. Accepts either case.
bool wh_ulid_time_ms(wh_str text, int64_t *ret_ms);
