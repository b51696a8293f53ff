// A few finders on one table, shared by the threads that answer. They are opened when they are
// needed, closed when they are old (the file behind a connection may have been replaced by
// another, which no error would tell) and when they have failed.
#pragma once

#include "config/config.h"

#include <pthread.h>

enum {
  WH_FINDERS_MAX = 2,         // open at once on one table; a third who asks waits
  WH_FINDER_AGE_SECONDS = 10, // then it is opened anew
  WH_FINDER_WAIT_US = 200000, // for somebody else's lock on the database
};

typedef struct wh_finder_slot {
  wh_finder *finder;        // NULL: not open
  wh_batch batch;           // for its rows
  wh_connection connection; // that it is open on: the configuration's, with less patience
  int64_t opened_ns;
  bool is_taken;
} wh_finder_slot;

typedef struct wh_finders {
  pthread_mutex_t mutex;
  pthread_cond_t given;
  wh_os *os;
  wh_mem *mem;
  wh_config *config;
  wh_address from;
  wh_str by;
  const wh_str *columns; // fetched
  size_t column_count;
  wh_finder_slot slots[WH_FINDERS_MAX];
} wh_finders;

// Opens nothing. Strings are borrowed.
void wh_finders_init(wh_finders *f, wh_os *os, wh_mem *mem, wh_config *config,
                     const wh_lookup *lookup, const wh_str *columns, size_t count);
void wh_finders_free(wh_finders *f); // zeroed is fine; nobody may have one

// Finds the rows of a key, at most `rows_max`: they are in (*ret)->batch until it is given back,
// which the caller does when WH_OK is returned. A finder that fails is opened anew once.
wh_status wh_finders_find(wh_finders *f, wh_str key, size_t rows_max, wh_finder_slot **ret,
                          wh_error *err);
void wh_finders_give(wh_finders *f, wh_finder_slot *slot);
void wh_finders_expire(wh_finders *f); // closes the old ones that nobody has
