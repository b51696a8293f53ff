// How much of a model is run: everything, or the partitions of its inputs that changed since its
// last version (write: { incremental: true }). A version says of itself what it was made of
// (ledger/dataset.h), so this is decided by names and versions, never by clocks; where it cannot
// be, everything is run.
#pragma once

#include "engine/engine.h"
#include "ledger/dataset.h"

enum { WH_SCOPE_SHOWN_MAX = 3 }; // partitions that are named to people

typedef struct wh_model_scope {
  bool is_asked; // the pipeline says so
  bool in_parts; // else everything is run
  wh_str told;   // a sentence without a full stop: which of both, and why
  wh_str_list by;
  uint64_t base; // in_parts: the version of the model's dataset that goes on
  const wh_str *const
      *changed; // in_parts: values of `by`, each as a file of a dataset has them, in order
  size_t changed_count;
  wh_dataset_origin origin; // of what is made now
} wh_model_scope;

struct wh_model_input;
// Once, before rows are read: sets model->scope, and what its tables read.
wh_status wh_model_scope_find(struct wh_model_input *model, bool full, wh_error *err);
// Whether a file's partition is one that changed. The index has all columns of `by`.
bool wh_model_scope_has(const wh_model_scope *scope, const wh_dataset_index *index,
                        const wh_dataset_file *file);
