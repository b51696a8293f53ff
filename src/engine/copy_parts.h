// A large object from store to store in parts, several side by side. Internal to engine/.
#pragma once

#include "base/crypto.h"
#include "engine/copy_object.h"

enum {
  WH_COPY_PART_BYTES = 1 << 20, // where the target leaves it open
  WH_COPY_PARTS_MAX = 8,        // side by side, unless said otherwise
  WH_COPY_PARTS_SHARE = 2,      // of `memory` that they take at most: a half
};

// Whether `in`, from its beginning, can go that way into `upload`, and is more than one part.
bool wh_copy_has_parts(const wh_copy_lane *lane, const wh_input *in, const wh_upload *upload);
// All of `in`. `sha`, which may be NULL, gets the bytes in order.
wh_status wh_copy_parts(wh_copy_lane *lane, wh_input *in, wh_upload *upload, wh_sha256 *sha,
                        wh_error *err);
