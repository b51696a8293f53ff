#include "base/queue.h"

wh_status wh_queue_init(wh_queue *queue, wh_mem *mem, size_t cap, wh_error *err) {
  void **items = wh_mem_alloc_zero(mem, cap * sizeof *items);
  if (!items) return wh_fail_memory(err);
  *queue = (wh_queue){.mem = mem, .items = items, .cap = cap};
  // With default attributes these cannot fail on Linux.
  pthread_mutex_init(&queue->mutex, NULL);
  pthread_cond_init(&queue->not_empty, NULL);
  pthread_cond_init(&queue->not_full, NULL);
  return WH_OK;
}

void wh_queue_free(wh_queue *queue) {
  if (!queue || !queue->items) return;
  pthread_cond_destroy(&queue->not_full);
  pthread_cond_destroy(&queue->not_empty);
  pthread_mutex_destroy(&queue->mutex);
  wh_mem_free(queue->mem, queue->items, queue->cap * sizeof *queue->items);
  *queue = (wh_queue){0};
}

static void *take_first(wh_queue *queue) {
  void *item = queue->items[queue->first];
  queue->first = (queue->first + 1) % queue->cap;
  queue->count--;
  pthread_cond_signal(&queue->not_full);
  return item;
}

bool wh_queue_push(wh_queue *queue, void *item) {
  pthread_mutex_lock(&queue->mutex);
  while (queue->count == queue->cap && !queue->closed && !queue->cancelled)
    pthread_cond_wait(&queue->not_full, &queue->mutex);
  bool open = !queue->closed && !queue->cancelled;
  if (open) {
    queue->items[(queue->first + queue->count) % queue->cap] = item;
    queue->count++;
    pthread_cond_signal(&queue->not_empty);
  }
  pthread_mutex_unlock(&queue->mutex);
  return open;
}

bool wh_queue_pop(wh_queue *queue, void **ret_item) {
  pthread_mutex_lock(&queue->mutex);
  while (queue->count == 0 && !queue->closed && !queue->cancelled)
    pthread_cond_wait(&queue->not_empty, &queue->mutex);
  bool got = queue->count > 0 && !queue->cancelled;
  if (got) *ret_item = take_first(queue);
  pthread_mutex_unlock(&queue->mutex);
  return got;
}

bool wh_queue_take(wh_queue *queue, void **ret_item) {
  pthread_mutex_lock(&queue->mutex);
  bool got = queue->count > 0;
  if (got) *ret_item = take_first(queue);
  pthread_mutex_unlock(&queue->mutex);
  return got;
}

static void end_queue(wh_queue *queue, bool *flag) {
  pthread_mutex_lock(&queue->mutex);
  *flag = true;
  pthread_cond_broadcast(&queue->not_empty);
  pthread_cond_broadcast(&queue->not_full);
  pthread_mutex_unlock(&queue->mutex);
}

void wh_queue_close(wh_queue *queue) {
  end_queue(queue, &queue->closed);
}

void wh_queue_cancel(wh_queue *queue) {
  end_queue(queue, &queue->cancelled);
}
