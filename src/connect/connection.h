// A connection as its connector sees it: made by config/ from the option table, handed to every
// verb. Immutable and shared by threads; what is open lives in the objects the verbs return.
#pragma once

#include "base/environment.h"
#include "base/error.h"
#include "base/os.h"
#include "base/str.h"

#include <stdatomic.h>

struct wh_connector;

typedef struct wh_connection {
  wh_str name; // as in the configuration; errors begin with it
  const struct wh_connector *type;
  const void *options; // the struct that type->options fills
  wh_os *os;
  wh_mem *mem;
  const atomic_bool *cancel; // set when the program is asked to stop at once; may be NULL
  size_t batch_rows;         // a source closes its batches at these
  size_t batch_bytes;
  size_t row_limit_bytes;
  int64_t wait_limit_us; // for somebody else's lock, at most; 0: as its options say
  wh_environment environment;
  void *own; // what the connector's `open` keeps for all its verbs
} wh_connection;
