// Threads beside the main one, and waits of theirs with a limit of time.
#pragma once

#include "base/error.h"

#include <pthread.h>
#include <time.h>

// The thread gets no signals: they are the main thread's, which waits for them.
wh_status wh_thread_start(pthread_t *ret, void *(*run)(void *context), void *context,
                          wh_error *err);

// A condition whose limits of time are of the monotonic clock, which nobody sets.
wh_status wh_cond_init(pthread_cond_t *ret, wh_error *err);
// The time that much from now on that clock, for pthread_cond_timedwait.
struct timespec wh_cond_until(int64_t us);
