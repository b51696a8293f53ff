// Blocks of text, and files of it, for codecs whose files are their rows one behind the other.
#pragma once

#include "base/buf.h"
#include "codec/codec.h"

typedef struct wh_text_block {
  wh_block base;
  wh_mem *mem;
  wh_buf text;
} wh_text_block;

enum {
  WH_TEXT_BLOCK_BYTES = 1 << 20, // of a block, at most
  WH_TEXT_BLOCKS_OF_PART = 16,   // blocks that a part makes, at least
};
// When a block of text is full; `part_bytes` is that of the codec's context, 0 where nobody says.
static inline size_t wh_text_block_bytes(size_t part_bytes) {
  size_t share = part_bytes / WH_TEXT_BLOCKS_OF_PART;
  return share && share < WH_TEXT_BLOCK_BYTES ? share : WH_TEXT_BLOCK_BYTES;
}

// An empty one; its owner adds to `text` and sets base.rows and base.bytes.
wh_status wh_text_block_new(wh_mem *mem, wh_text_block **ret, wh_error *err);

// Appends to `out` what stands in a file between `head` and `tail`, which it has to begin and end
// with. See wh_writer.append_file.
wh_status wh_text_append(wh_input *file, wh_str head, wh_str tail, wh_output *out, wh_mem *mem,
                         wh_error *err);
