// The memory accountant: one for the process, passed to whatever allocates. It knows the
// ceiling, counts what is held, and can fail the Nth allocation, so that tests reach every
// out-of-memory path.
//
// Threads: all functions may be called from any thread.
// Sizes: frees and reallocations say the size, so that no header is needed in front of blocks;
// for libraries that cannot say it, the *_unsized calls ask the C library.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct wh_mem {
  size_t limit; // bytes; 0: no ceiling
  atomic_size_t used;
  atomic_size_t peak;
  atomic_size_t count;      // allocations so far
  atomic_size_t fail_at;    // fail the allocation with this number, and later ones; 0: never
  atomic_size_t fail_count; // how many from there on; 0: all
  atomic_size_t failed;     // how many were refused
} wh_mem;

void wh_mem_init(wh_mem *mem, size_t limit);

// Return NULL when the ceiling or the system refuses. Memory is not zeroed.
[[nodiscard]] void *wh_mem_alloc(wh_mem *mem, size_t size);
[[nodiscard]] void *wh_mem_alloc_zero(wh_mem *mem, size_t size);
[[nodiscard]] void *wh_mem_realloc(wh_mem *mem, void *ptr, size_t old_size, size_t new_size);
void wh_mem_free(wh_mem *mem, void *ptr, size_t size); // NULL is fine

// Begins with a line of the processor's cache, for what files and lines are read into for long:
// the system copies into a large block at a third of its pace on some processors (AMD's, with
// `rep movsb`) where it does not, as those of wh_mem_alloc do not. Not for many: malloc finds no
// use for what it leaves between such blocks.
[[nodiscard]] void *wh_mem_alloc_aligned(wh_mem *mem, size_t size);

[[nodiscard]] void *wh_mem_alloc_unsized(wh_mem *mem, size_t size);
[[nodiscard]] void *wh_mem_realloc_unsized(wh_mem *mem, void *ptr, size_t size);
void wh_mem_free_unsized(wh_mem *mem, void *ptr);
// As compression libraries want to be told where memory comes from; `mem` is a wh_mem.
void *wh_mem_library_alloc(void *mem, size_t size);
void *wh_mem_zlib_alloc(void *mem, unsigned count, unsigned size);
void wh_mem_library_free(void *mem, void *ptr);

// Resident size of the process, and its peak, in bytes; 0 where the system does not say.
size_t wh_mem_resident(void);
size_t wh_mem_resident_peak(void);
