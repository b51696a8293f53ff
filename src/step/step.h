// Steps: batch -> batch, plus the rows they reject. One file a step, one `const wh_step_type`
// each, listed in step/registry.c. In wherry.yaml a step is a map with one key, its name:
//   steps:
//     - trim: [customer_name, status]
//     - map: { status_code: { 1: Open, 2: Shipped } }
#pragma once

#include "base/node.h"
#include "base/os.h"
#include "data/batch.h"
#include "data/reject.h"
#include "data/zone.h"

typedef struct wh_step_context {
  wh_os *os;
  wh_mem *mem;
  const wh_zone *zone;      // of the pipeline, for local times; NULL: none given
  wh_str cursor;            // source column that holds the times of changes: its local times are
  int64_t clock_us;         // settled by this clock (wh_cast_options); empty: none
  int64_t start_us;         // of the run
  wh_str scratch;           // folder for state that spills to disk
  size_t state_limit_bytes; // of one step before it spills
  // Nothing will be pushed: bind only checks (step/dry.h). No state is opened, and a column of kind
  // WH_NULL is one whose type is not known.
  bool dry;
  struct wh_keyed_tables *tables; // that steps look rows up in (step/keyed_table.h); NULL: dry
} wh_step_context;

typedef struct wh_step wh_step;
struct wh_step {
  const wh_schema *schema; // of what it gives; owned by the step
  uint64_t rows_filtered;  // dropped on purpose so far
  bool
      remembers; // rows: what becomes of one depends on those before it, so that all must pass here
  // `in` has the schema that bind saw; `out` is initialised with `schema` and reset. Rejected and
  // filtered rows are left out. `out` may borrow from `in`, never from the step: it stays valid
  // while `in` does, also when the next batch is pushed. `rejects` NULL: rejected rows are only
  // left out (a sample for `plan`).
  wh_status (*push)(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                    wh_error *err);
  // Rows held back until the end; called until it leaves `out` empty. NULL: holds nothing back.
  wh_status (*finish)(wh_step *step, wh_batch *out, wh_rejects *rejects, wh_error *err);
  void (*close)(wh_step *step); // frees it
};

typedef struct wh_step_type {
  const char *name;
  const char *shape; // how its options look, for the reference: "[column, ...]"
  const char *help;
  const char *example; // a whole step, for the reference; a test runs it
  // Its options are not only names of columns: a dry bind (step/dry.h) is not given those that they
  // name, and takes what it does not find for one of a type that is not known.
  bool finds_columns;
  const char *reads; // the word of its options that is the address of a table to read; NULL: none
  // Checks the options against the schema: unknown columns are errors with position and the
  // nearest name.
  wh_status (*bind)(const wh_step_context *context, const wh_node *options, const wh_schema *in,
                    wh_step **ret, wh_error *err);
} wh_step_type;

extern const wh_step_type *const wh_step_types[]; // NULL-terminated
const wh_step_type *wh_step_by_name(wh_str name);
// What one item of `steps` says: its type and its options, ready for bind. An unknown word fails
// with the nearest one. Looks at no schema, so that `check` can call it.
wh_status wh_step_read(const wh_node *step, const wh_step_type **ret_type,
                       const wh_node **ret_options, wh_error *err);

// The address that a step reads besides its rows, as written; NULL: none.
const wh_node *wh_step_reads(const wh_node *step);

static inline void wh_step_close(wh_step *s) {
  if (s) s->close(s);
}
