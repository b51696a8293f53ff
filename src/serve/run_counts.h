// What the runs of this process did, by pipeline, since its start: counters for monitoring. The
// ledger has every run; adding all of them up at each question would take longer every day.
//
// Threads: any.
#pragma once

#include "ledger/ledger.h"

#include <pthread.h>

typedef struct wh_run_count {
  wh_str pipeline;
  uint64_t done, failed, stopped; // runs
  double seconds;
  wh_counts rows;
  uint64_t bytes_read, bytes_written;
} wh_run_count;

typedef struct wh_run_counts {
  pthread_mutex_t mutex;
  wh_arena arena;
  wh_run_count *items;
  size_t count, cap;
} wh_run_counts;

void wh_run_counts_init(wh_run_counts *counts, wh_mem *mem);
void wh_run_counts_free(wh_run_counts *counts);
// A run that ended. Without memory for a pipeline that is new, it is not counted.
void wh_run_counts_add(wh_run_counts *counts, const wh_run *run);
// Zeroes where it has not run.
wh_run_count wh_run_counts_of(wh_run_counts *counts, wh_str pipeline);
