// The Arrow C data interface (structs as its specification prints them), so that anything that
// speaks Arrow can look at a batch in the same process.
#pragma once

#include "data/batch.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif

// A struct array of the batch's columns, and its schema. The array points into the batch, which
// must outlive it; release frees only the bookkeeping (and the copies of times in seconds and
// milliseconds, which Arrow keeps in 32 bits). The caller releases both. Children may be moved out
// and released later, as the specification allows. `mem` outlives them all.
wh_status wh_arrow_export_schema(const wh_schema *schema, wh_mem *mem, struct ArrowSchema *ret,
                                 wh_error *err);
// Also WH_ERR_TYPE for a time of day in seconds or milliseconds that does not fit 32 bits.
wh_status wh_arrow_export_batch(const wh_batch *batch, wh_mem *mem, struct ArrowArray *ret,
                                wh_error *err);
