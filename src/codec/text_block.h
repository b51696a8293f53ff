// Blocks of text, for codecs whose files are their rows one behind the other.
#pragma once

#include "base/buf.h"
#include "codec/codec.h"

typedef struct wh_text_block {
  wh_block base;
  wh_mem *mem;
  wh_buf text;
} wh_text_block;

// An empty one; its owner adds to `text` and sets base.rows and base.bytes.
wh_status wh_text_block_new(wh_mem *mem, wh_text_block **ret, wh_error *err);
