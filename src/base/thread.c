#include "base/thread.h"

#include <signal.h>

wh_status wh_thread_start(pthread_t *ret, void *(*run)(void *context), void *context,
                          wh_error *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(ret, NULL, run, context);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error ? wh_fail(err, wh_status_from_errno(error), "cannot start a thread") : WH_OK;
}

wh_status wh_cond_init(pthread_cond_t *ret, wh_error *err) {
  pthread_condattr_t monotonic;
  if (pthread_condattr_init(&monotonic) != 0) return wh_fail_memory(err);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  bool good = pthread_cond_init(ret, &monotonic) == 0;
  pthread_condattr_destroy(&monotonic);
  return good ? WH_OK : wh_fail_memory(err);
}

struct timespec wh_cond_until(int64_t us) {
  enum { US_PER_S = 1000000, NS_PER_US = 1000, NS_PER_S = 1000000000 };
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  int64_t ns = until.tv_nsec + us % US_PER_S * NS_PER_US;
  until.tv_sec += us / US_PER_S + ns / NS_PER_S;
  until.tv_nsec = ns % NS_PER_S;
  return until;
}
