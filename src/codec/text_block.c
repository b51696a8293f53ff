#include "codec/text_block.h"

static void block_free(wh_block *base) {
  wh_text_block *block = (wh_text_block *)base;
  wh_buf_free(&block->text);
  wh_mem_free(block->mem, block, sizeof *block);
}

wh_status wh_text_block_new(wh_mem *mem, wh_text_block **ret, wh_error *err) {
  wh_text_block *block = wh_mem_alloc_zero(mem, sizeof *block);
  if (!block) return wh_fail_memory(err);
  block->base.free = block_free;
  block->mem = mem;
  wh_buf_init(&block->text, mem, 0);
  *ret = block;
  return WH_OK;
}
