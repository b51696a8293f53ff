#include "codec/parquet/block.h"

static void free_chunk(wh_mem *mem, pq_chunk_pages *chunk) {
  pq_page *pages = pq_pages_of(chunk);
  for (size_t i = 0; i < chunk->page_count; i++)
    wh_mem_free(mem, pages[i].data, pages[i].size);
  if (chunk->pages.mem) pq_store_free(&chunk->pages);
  wh_mem_free(mem, chunk->dictionary, chunk->dictionary_size);
  wh_mem_free(mem, chunk->bloom, chunk->bloom_size);
}

static void block_free(wh_block *base) {
  pq_block *block = (pq_block *)base;
  for (size_t g = 0; g < block->count; g++) {
    for (size_t i = 0; i < block->leaves; i++)
      free_chunk(block->mem, &block->groups[g].chunks[i]);
    wh_mem_free(block->mem, block->groups[g].chunks, block->leaves * sizeof(pq_chunk_pages));
  }
  wh_mem_free(block->mem, block->groups, block->cap * sizeof *block->groups);
  wh_batch_free(&block->ends);
  wh_mem_free(block->mem, block, sizeof *block);
}

wh_status pq_block_new(wh_mem *mem, size_t leaves, pq_block **ret, wh_error *err) {
  pq_block *block = wh_mem_alloc_zero(mem, sizeof *block);
  if (!block) return wh_fail_memory(err);
  block->base.free = block_free;
  block->mem = mem;
  block->leaves = leaves;
  *ret = block;
  return WH_OK;
}

wh_status pq_block_add_group(pq_block *block, pq_block_group **ret, wh_error *err) {
  if (block->count == block->cap) {
    size_t cap = block->cap ? 2 * block->cap : 1;
    pq_block_group *groups = wh_mem_realloc(block->mem, block->groups, block->cap * sizeof *groups,
                                            cap * sizeof *groups);
    if (!groups) return wh_fail_memory(err);
    block->groups = groups;
    block->cap = cap;
  }
  pq_chunk_pages *chunks = wh_mem_alloc_zero(block->mem, block->leaves * sizeof *chunks);
  if (!chunks) return wh_fail_memory(err);
  for (size_t i = 0; i < block->leaves; i++)
    chunks[i].pages.mem = block->mem;
  pq_block_group *group = &block->groups[block->count++];
  *group = (pq_block_group){.chunks = chunks};
  *ret = group;
  return WH_OK;
}
