// A bounded queue of pointers between two stages of a pipeline. What is pushed belongs to the
// queue until it is popped; whoever ends it drains it first.
//
// Threads: any number may push and pop at once; init and free are for one alone.
#pragma once

#include "base/error.h"
#include "base/mem.h"

#include <pthread.h>

typedef struct wh_queue {
  pthread_mutex_t mutex;
  pthread_cond_t not_empty, not_full;
  wh_mem *mem;
  void **items; // a ring of cap; NULL in a zeroed queue, which may be freed
  size_t cap, first, count;
  bool closed, cancelled;
} wh_queue;

wh_status wh_queue_init(wh_queue *queue, wh_mem *mem, size_t cap, wh_error *err); // cap >= 1
void wh_queue_free(wh_queue *queue); // zeroed is fine; nobody may be waiting

// Waits for room. False when the queue is closed or cancelled: the item stays the caller's.
bool wh_queue_push(wh_queue *queue, void *item);
// Waits for an item. False when the queue is cancelled, or closed and empty.
[[nodiscard]] bool wh_queue_pop(wh_queue *queue, void **ret_item);
// Without waiting, and also from a cancelled queue: for the owner who drains it.
[[nodiscard]] bool wh_queue_take(wh_queue *queue, void **ret_item);

void wh_queue_close(wh_queue *queue);  // no more will be pushed; what is in it can be popped
void wh_queue_cancel(wh_queue *queue); // pushes and pops fail from now on, waiting ones too
