// Rows into one object: encoded, compressed where its name says so, hashed on the way, uploaded.
#pragma once

#include "base/crypto.h"
#include "engine/flow.h"

typedef struct wh_hashed_upload wh_hashed_upload;

// Takes `upload` over, also when it fails. `encoding` outlives it; `key` is looked at for its
// ending.
wh_status wh_hashed_upload_open(wh_mem *mem, wh_upload *upload, wh_str key,
                                const wh_encoding *encoding, wh_hashed_upload **ret, wh_error *err);
// The rows of a batch, those of a block, or those of a file (codec/codec.h).
wh_status wh_hashed_upload_write(wh_hashed_upload *u, const wh_batch *batch, wh_error *err);
wh_status wh_hashed_upload_append(wh_hashed_upload *u, wh_block *block, wh_error *err);
wh_status wh_hashed_upload_append_file(wh_hashed_upload *u, wh_input *file, wh_error *err);
uint64_t wh_hashed_upload_bytes(const wh_hashed_upload *u); // so far
// Ends the object, which is durable then.
wh_status wh_hashed_upload_seal(wh_hashed_upload *u, char sha256[WH_SHA256_HEX + 1],
                                uint64_t *ret_bytes, wh_error *err);
void wh_hashed_upload_close(wh_hashed_upload *u); // NULL is fine
