// SHA-256 of whole objects.
#pragma once

#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"

// Reads `in` to its end and closes it; *ret tells whether its checksum is `sha256` (hex).
wh_status wh_sha256_matches(wh_input *in, wh_str sha256, wh_mem *mem, bool *ret, wh_error *err);

// An output that passes what is written to it on to another, and hashes it.
typedef struct wh_sha256_output {
  wh_output base;
  wh_output *to;
  wh_sha256 sha;
} wh_sha256_output;
wh_status wh_sha256_output_init(wh_sha256_output *out, wh_output *to, wh_error *err);
void wh_sha256_output_free(wh_sha256_output *out); // zeroed is fine

// An input that hashes what is read of another in order. `read_at` is passed on. Closing it closes
// the other.
typedef struct wh_sha256_input {
  wh_input base;
  wh_input *from;
  wh_sha256 sha;
} wh_sha256_input;
// The other is this one's in any case.
wh_status wh_sha256_input_init(wh_sha256_input *in, wh_input *from, wh_error *err);
// When all was read: WH_ERR_DATA where it was something else.
wh_status wh_sha256_input_check(wh_sha256_input *in, wh_str sha256, wh_error *err);
