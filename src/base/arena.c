#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct wh_arena_block {
  wh_arena_block *older;
  size_t size; // of the whole block, this header included
  size_t at;   // next free byte, from the block's start
};

enum { ALIGN = _Alignof(max_align_t) };

void wh_arena_init(wh_arena *arena, wh_mem *mem) {
  *arena = (wh_arena){.mem = mem};
}

static void free_blocks(wh_arena *arena, wh_arena_block *block) {
  while (block) {
    wh_arena_block *older = block->older;
    wh_mem_free(arena->mem, block, block->size);
    block = older;
  }
}

void wh_arena_reset(wh_arena *arena) {
  arena->used = 0;
  if (!arena->head) return;
  free_blocks(arena, arena->head->older);
  arena->head->older = NULL;
  if (arena->head->size > 4 * WH_ARENA_BLOCK_BYTES) { // an unusual round: give it back
    wh_mem_free(arena->mem, arena->head, arena->head->size);
    arena->head = NULL;
    return;
  }
  arena->head->at = (sizeof(wh_arena_block) + ALIGN - 1) / ALIGN * ALIGN;
}

void wh_arena_free(wh_arena *arena) {
  if (!arena) return;
  free_blocks(arena, arena->head);
  arena->head = NULL;
  arena->used = 0;
}

void wh_arena_wipe(wh_arena *arena) {
  for (wh_arena_block *block = arena->head; block; block = block->older)
    explicit_bzero(block + 1, block->size - sizeof *block);
}

void *wh_arena_alloc(wh_arena *arena, size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  size = (size + ALIGN - 1) / ALIGN * ALIGN;
  wh_arena_block *head = arena->head;
  if (!head || head->size - head->at < size) {
    size_t header = (sizeof(wh_arena_block) + ALIGN - 1) / ALIGN * ALIGN;
    size_t want = header + size;
    // Grow with use, so that large arenas do not consist of thousands of blocks.
    size_t block_size =
        arena->used < 8 * WH_ARENA_BLOCK_BYTES ? WH_ARENA_BLOCK_BYTES : 4 * WH_ARENA_BLOCK_BYTES;
    if (want > block_size) block_size = want;
    wh_arena_block *block = wh_mem_alloc(arena->mem, block_size);
    if (!block) return NULL;
    *block = (wh_arena_block){.older = head, .size = block_size, .at = header};
    arena->head = head = block;
  }
  void *ptr = (char *)head + head->at;
  head->at += size;
  arena->used += size;
  memset(ptr, 0, size);
  return ptr;
}

void *wh_arena_array(wh_arena *arena, size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) return NULL;
  return wh_arena_alloc(arena, total);
}

wh_str wh_arena_str(wh_arena *arena, wh_str s) {
  char *copy = wh_arena_cstr(arena, s);
  return copy ? wh_str_n(copy, s.len) : (wh_str){0};
}

char *wh_arena_cstr(wh_arena *arena, wh_str s) {
  char *copy = wh_arena_alloc(arena, s.len + 1);
  if (copy && s.len) memcpy(copy, s.data, s.len);
  return copy;
}

wh_str wh_arena_printf(wh_arena *arena, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  char *text = n < 0 ? NULL : wh_arena_alloc(arena, (size_t)n + 1);
  if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
  va_end(again);
  return text ? wh_str_n(text, (size_t)n) : (wh_str){0};
}
