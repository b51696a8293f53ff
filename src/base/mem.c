#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void wh_mem_init(wh_mem *mem, size_t limit) {
  memset(mem, 0, sizeof *mem);
  mem->limit = limit;
}

// What a test asked for: the allocation with this number is refused.
static bool must_fail(wh_mem *mem, size_t number) {
  size_t fail_at = atomic_load(&mem->fail_at);
  if (!fail_at || number < fail_at) return false;
  size_t count = atomic_load(&mem->fail_count);
  return !count || number - fail_at < count;
}

// Claims `size` bytes of the budget, or refuses.
static bool claim(wh_mem *mem, size_t size) {
  size_t number = atomic_fetch_add(&mem->count, 1) + 1;
  bool fail = must_fail(mem, number);
  size_t used = fail ? 0 : atomic_fetch_add(&mem->used, size) + size;
  if (!fail && mem->limit && used > mem->limit) {
    atomic_fetch_sub(&mem->used, size);
    fail = true;
  }
  if (fail) {
    atomic_fetch_add(&mem->failed, 1);
    return false;
  }
  size_t peak = atomic_load(&mem->peak);
  while (used > peak && !atomic_compare_exchange_weak(&mem->peak, &peak, used)) {
  }
  return true;
}

static void give_back(wh_mem *mem, size_t size) {
  atomic_fetch_sub(&mem->used, size);
}

void *wh_mem_alloc(wh_mem *mem, size_t size) {
  if (!claim(mem, size)) return NULL;
  void *ptr = malloc(size ? size : 1);
  if (!ptr) give_back(mem, size);
  return ptr;
}

void *wh_mem_alloc_aligned(wh_mem *mem, size_t size) {
  enum { CACHE_LINE_BYTES = 64 };
  void *ptr;
  if (!claim(mem, size)) return NULL;
  if (posix_memalign(&ptr, CACHE_LINE_BYTES, size ? size : 1) == 0) return ptr;
  give_back(mem, size);
  return NULL;
}

void *wh_mem_alloc_zero(wh_mem *mem, size_t size) {
  if (!claim(mem, size)) return NULL;
  void *ptr = calloc(1, size ? size : 1);
  if (!ptr) give_back(mem, size);
  return ptr;
}

void *wh_mem_realloc(wh_mem *mem, void *ptr, size_t old_size, size_t new_size) {
  if (!ptr) return wh_mem_alloc(mem, new_size);
  if (new_size > old_size && !claim(mem, new_size - old_size)) return NULL;
  void *moved = realloc(ptr, new_size ? new_size : 1);
  if (!moved) {
    if (new_size > old_size) give_back(mem, new_size - old_size);
    return NULL;
  }
  if (new_size < old_size) give_back(mem, old_size - new_size);
  return moved;
}

void wh_mem_free(wh_mem *mem, void *ptr, size_t size) {
  if (!ptr) return;
  give_back(mem, size);
  free(ptr);
}

void *wh_mem_alloc_unsized(wh_mem *mem, size_t size) {
  if (!claim(mem, size)) return NULL;
  void *ptr = malloc(size ? size : 1);
  // The C library may hand out a little more; account for what is really there.
  if (ptr)
    atomic_fetch_add(&mem->used, malloc_usable_size(ptr) - size);
  else
    give_back(mem, size);
  return ptr;
}

void *wh_mem_realloc_unsized(wh_mem *mem, void *ptr, size_t size) {
  if (!ptr) return wh_mem_alloc_unsized(mem, size);
  size_t old_size = malloc_usable_size(ptr);
  if (size > old_size && !claim(mem, size - old_size)) return NULL;
  void *moved = realloc(ptr, size ? size : 1);
  size_t claimed = size > old_size ? size : old_size;
  if (!moved) {
    give_back(mem, claimed - old_size);
    return NULL;
  }
  size_t now = malloc_usable_size(moved);
  if (now > claimed)
    atomic_fetch_add(&mem->used, now - claimed);
  else
    give_back(mem, claimed - now);
  return moved;
}

void wh_mem_free_unsized(wh_mem *mem, void *ptr) {
  if (!ptr) return;
  give_back(mem, malloc_usable_size(ptr));
  free(ptr);
}

size_t wh_mem_resident(void) {
  FILE *f = fopen("/proc/self/statm", "re");
  if (!f) return 0;
  unsigned long total = 0, resident = 0;
  int n = fscanf(f, "%lu %lu", &total, &resident);
  fclose(f);
  return n == 2 ? resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

size_t wh_mem_resident_peak(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return (size_t)usage.ru_maxrss * 1024;
}

void *wh_mem_library_alloc(void *mem, size_t size) {
  return wh_mem_alloc_unsized(mem, size);
}

void *wh_mem_zlib_alloc(void *mem, unsigned count, unsigned size) {
  return wh_mem_alloc_unsized(mem, (size_t)count * size);
}

void wh_mem_library_free(void *mem, void *ptr) {
  wh_mem_free_unsized(mem, ptr);
}
