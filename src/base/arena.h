// An arena: many small allocations that end together. Blocks come from the accountant.
// Not for several threads at once.
#pragma once

#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>

typedef struct wh_arena_block wh_arena_block;

typedef struct wh_arena {
  wh_mem *mem;
  wh_arena_block *head; // the block being filled; older ones behind it
  size_t used;          // bytes handed out since init or reset
} wh_arena;

enum { WH_ARENA_BLOCK_BYTES = 16 * 1024 };

void wh_arena_init(wh_arena *arena, wh_mem *mem); // allocates nothing
void wh_arena_reset(wh_arena *arena);             // keeps one block for the next round
void wh_arena_free(wh_arena *arena);              // NULL and zeroed are fine
void wh_arena_wipe(wh_arena *arena); // zeroes what it handed out; before freeing what held secrets

// Zeroed memory, aligned for any type; NULL when memory has run out. size 0 gives a valid pointer.
[[nodiscard]] void *wh_arena_alloc(wh_arena *arena, size_t size);
[[nodiscard]] void *wh_arena_array(wh_arena *arena, size_t count, size_t size); // overflow-checked

// Copies; data is NUL-terminated after len. A NULL .data with len > 0 never comes back: on
// failure .data is NULL and len 0 (check .data).
[[nodiscard]] wh_str wh_arena_str(wh_arena *arena, wh_str s);
// Puts a copy in the place of a borrowed text; an empty one stays. False without memory.
[[nodiscard]] static inline bool wh_arena_own(wh_arena *arena, wh_str *text) {
  if (text->len == 0) return true;
  *text = wh_arena_str(arena, *text);
  return text->data != NULL;
}
[[nodiscard]] char *wh_arena_cstr(wh_arena *arena, wh_str s);
[[nodiscard]] __attribute__((format(printf, 2, 3))) wh_str wh_arena_printf(wh_arena *arena,
                                                                           const char *fmt, ...);

#define WH_NEW(arena, type)          ((type *)wh_arena_alloc((arena), sizeof(type)))
#define WH_NEW_ARRAY(arena, n, type) ((type *)wh_arena_array((arena), (n), sizeof(type)))

static inline void wh_arena_cleanup_(wh_arena *arena) {
  wh_arena_free(arena);
}
#define WH_CLEAN_ARENA __attribute__((cleanup(wh_arena_cleanup_)))
