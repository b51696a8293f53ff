#include "base/sqlite_mem.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>

// What SQLite keeps for itself while no accountant is in use.
static wh_mem unaccounted;
static _Atomic(wh_mem *) current = &unaccounted;

static wh_mem *mem_now(void) {
  return atomic_load_explicit(&current, memory_order_acquire);
}

// SQLite asks beforehand what it will get; the C library's blocks are in eights.
static int round_up(int size) {
  return (size + 7) & ~7;
}

static void *sqlite_alloc(int size) {
  return wh_mem_alloc_unsized(mem_now(), (size_t)size);
}

static void sqlite_free(void *ptr) {
  wh_mem_free_unsized(mem_now(), ptr);
}

static void *sqlite_realloc(void *ptr, int size) {
  return wh_mem_realloc_unsized(mem_now(), ptr, (size_t)size);
}

static int sqlite_size(void *ptr) {
  return ptr ? (int)malloc_usable_size(ptr) : 0;
}

static int sqlite_init(void *data) {
  (void)data;
  return SQLITE_OK;
}

static void sqlite_shutdown(void *data) {
  (void)data;
}

static const sqlite3_mem_methods methods = {
    .xMalloc = sqlite_alloc,
    .xFree = sqlite_free,
    .xRealloc = sqlite_realloc,
    .xSize = sqlite_size,
    .xRoundup = round_up,
    .xInit = sqlite_init,
    .xShutdown = sqlite_shutdown,
};

bool wh_sqlite_use_mem(wh_mem *mem) {
  static atomic_bool hooked;
  if (!atomic_exchange(&hooked, true)) {
    int code = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    // Its own count of the same bytes would only cost a mutex at each allocation.
    if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (code != SQLITE_OK) {
      atomic_store(&hooked, false);
      return false;
    }
  }
  atomic_store_explicit(&current, mem ? mem : &unaccounted, memory_order_release);
  return true;
}
