#include "base/queue.h"
#include "test.h"

#include <unistd.h>

TEST(queue_keeps_the_order_within_its_bounds) {
  wh_queue q = {0};
  REQUIRE_OK(wh_queue_init(&q, &test_mem, 3, &test_err));
  int items[5];
  void *got = NULL;
  CHECK(!wh_queue_take(&q, &got));
  for (int round = 0; round < 4; round++) { // the ring goes round
    CHECK(wh_queue_push(&q, &items[0]));
    CHECK(wh_queue_push(&q, &items[1]));
    CHECK(wh_queue_pop(&q, &got) && got == &items[0]);
    CHECK(wh_queue_push(&q, &items[2]));
    CHECK(wh_queue_push(&q, &items[3]));
    for (int i = 1; i < 4; i++)
      CHECK(wh_queue_pop(&q, &got) && got == &items[i]);
  }
  wh_queue_free(&q);
  wh_queue_free(&q);
  wh_queue_free(NULL);
}

TEST(queue_closed_gives_what_is_in_it) {
  wh_queue q;
  REQUIRE_OK(wh_queue_init(&q, &test_mem, 2, &test_err));
  int item;
  void *got = NULL;
  CHECK(wh_queue_push(&q, &item));
  wh_queue_close(&q);
  CHECK(!wh_queue_push(&q, &item));
  CHECK(wh_queue_pop(&q, &got) && got == &item);
  CHECK(!wh_queue_pop(&q, &got));
  CHECK(!wh_queue_pop(&q, &got));
  wh_queue_free(&q);
}

TEST(queue_cancelled_gives_only_to_its_owner) {
  wh_queue q;
  REQUIRE_OK(wh_queue_init(&q, &test_mem, 2, &test_err));
  int item;
  void *got = NULL;
  CHECK(wh_queue_push(&q, &item));
  wh_queue_cancel(&q);
  CHECK(!wh_queue_push(&q, &item));
  CHECK(!wh_queue_pop(&q, &got));
  CHECK(wh_queue_take(&q, &got) && got == &item);
  CHECK(!wh_queue_take(&q, &got));
  wh_queue_free(&q);
}

TEST(queue_without_memory) {
  wh_queue q;
  test_mem.fail_at = test_mem.count + 1;
  CHECK_FAILS(wh_queue_init(&q, &test_mem, 2, &test_err), WH_ERR_MEMORY);
  test_mem.fail_at = 0;
}

// --- threads
// ---------------------------------------------------------------------------------------

enum { THREADS = 3, ITEMS = 20000 };

typedef struct stage {
  wh_queue *queue;
  uint64_t sum, count;
} stage;

static void *produce(void *context) {
  stage *s = context;
  for (uintptr_t i = 1; i <= ITEMS; i++) {
    if (!wh_queue_push(s->queue, (void *)i)) break;
    s->sum += i;
    s->count++;
  }
  return NULL;
}

static void *consume(void *context) {
  stage *s = context;
  void *item;
  while (wh_queue_pop(s->queue, &item)) {
    s->sum += (uintptr_t)item;
    s->count++;
  }
  return NULL;
}

static void run_threads(bool cancel) {
  wh_queue q;
  REQUIRE_OK(wh_queue_init(&q, &test_mem, 2, &test_err));
  stage in[THREADS] = {0}, out[THREADS] = {0};
  pthread_t makers[THREADS], users[THREADS];
  for (int i = 0; i < THREADS; i++) {
    in[i].queue = out[i].queue = &q;
    CHECK_EQ(pthread_create(&makers[i], NULL, produce, &in[i]), 0);
    CHECK_EQ(pthread_create(&users[i], NULL, consume, &out[i]), 0);
  }
  if (cancel) {
    usleep(2000);
    wh_queue_cancel(&q);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(makers[i], NULL);
  wh_queue_close(&q);
  for (int i = 0; i < THREADS; i++)
    pthread_join(users[i], NULL);
  uint64_t sum = 0, count = 0;
  for (int i = 0; i < THREADS; i++) {
    sum += in[i].sum - out[i].sum;
    count += in[i].count - out[i].count;
  }
  void *item;
  while (wh_queue_take(&q, &item)) {
    sum -= (uintptr_t)item;
    count--;
  }
  CHECK_EQ(sum, 0);
  CHECK_EQ(count, 0);
  wh_queue_free(&q);
}

TEST(queue_between_threads) {
  run_threads(false);
}

TEST(queue_cancelled_between_threads) {
  for (int i = 0; i < 5; i++)
    run_threads(true);
}
