// Values that were read but that the column's type cannot hold: text that is not UTF-8, a decimal
// with too many digits. Their rows are rejected when the batch is complete.
#pragma once

#include "base/arena.h"
#include "base/error.h"

typedef struct pq_misfit pq_misfit;
struct pq_misfit {
  pq_misfit *next;
  size_t at; // among the values in hand
  wh_str reason;
};

typedef struct pq_misfits {
  wh_arena *arena; // of the reasons
  pq_misfit *first, *last;
} pq_misfits;

__attribute__((format(printf, 4, 5))) wh_status pq_misfit_note(pq_misfits *misfits, size_t at,
                                                               wh_error *err, const char *fmt, ...);
// Notes it again, at another place.
wh_status pq_misfit_repeat(pq_misfits *misfits, const pq_misfit *misfit, size_t at, wh_error *err);
