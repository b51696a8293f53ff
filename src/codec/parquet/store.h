// A growable array of bytes that is written in place, quicker than wh_buf: no terminator, and room
// is asked for once for many values.
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "codec/parquet/copy.h"

typedef struct pq_store {
  wh_mem *mem;
  uint8_t *data;
  size_t len, cap;
} pq_store;

enum { PQ_STORE_FIRST = 1024 };

static inline void pq_store_free(pq_store *store) {
  wh_mem_free(store->mem, store->data, store->cap);
  *store = (pq_store){.mem = store->mem};
}

// Room for `extra` bytes more.
static inline wh_status pq_store_reserve(pq_store *store, size_t extra, wh_error *err) {
  size_t need = store->len + extra;
  if (need <= store->cap) return WH_OK;
  size_t cap = store->cap ? store->cap : PQ_STORE_FIRST;
  while (cap < need)
    cap *= 2;
  uint8_t *data = wh_mem_alloc(store->mem, cap);
  if (!data) return wh_fail_memory(err);
  pq_copy(data, store->data, store->len);
  wh_mem_free(store->mem, store->data, store->cap);
  store->data = data;
  store->cap = cap;
  return WH_OK;
}

static inline wh_status pq_store_add(pq_store *store, const void *data, size_t len, wh_error *err) {
  if (len == 0) return WH_OK;
  WH_TRY(pq_store_reserve(store, len, err));
  pq_copy(store->data + store->len, data, len);
  store->len += len;
  return WH_OK;
}
