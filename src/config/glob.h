// Whether two patterns have a key in common: the question behind "would it trigger itself?".
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

enum { WH_OVERLAP_BYTES_MAX = 4096 };

// Patterns as wh_glob_match (connect/store.h) takes them. Time and memory grow with the product of
// their lengths. Never says no when there is a common key; where two classes of other than ASCII
// characters meet, it may say yes without one.
wh_status wh_glob_overlap(wh_str a, wh_str b, wh_mem *mem, bool *ret, wh_error *err);
