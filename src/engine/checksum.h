// SHA-256 of whole objects.
#pragma once

#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"

// Reads `in` to its end and closes it; *ret tells whether its checksum is `sha256` (hex).
wh_status wh_sha256_matches(wh_input *in, wh_str sha256, wh_mem *mem, bool *ret, wh_error *err);
