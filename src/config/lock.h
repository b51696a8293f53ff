// wherry.lock: the list of what crosses where, for review in version control. One line a column,
// sorted, so that a diff reads as what it is:
//   export-orders  lake:inbound/erp/orders/...  PostcodeProof  from postcode  string  personal mask
//   postcode-proof
// Where the file exists, a run that would cross anything that is not in it stops (WH_ERR_REFUSED).
#pragma once

#include "config/config.h"

typedef struct wh_crossing {
  wh_str pipeline;
  wh_str to; // address as written
  wh_str column;
  wh_str from; // source column
  wh_type type;
  wh_class privacy;
  wh_str mask; // name or empty
} wh_crossing;

// Writes FOLDER/wherry.lock from the crossings (of all pipelines).
wh_status wh_lock_write(const wh_config *config, const wh_crossing *crossings, size_t count,
                        wh_error *err);
// Checks the crossings of one pipeline: WH_OK when there is no lock file or all are in it; else
// WH_ERR_REFUSED naming the first that is not and the command to review and accept it.
wh_status wh_lock_check(const wh_config *config, wh_str pipeline, const wh_crossing *crossings,
                        size_t count, wh_error *err);
