#include "codec/parquet/misfit.h"

#include <stdio.h>

enum { REASON_BYTES = 256 };

static wh_status append(pq_misfits *misfits, size_t at, wh_str reason, wh_error *err) {
  pq_misfit *m = WH_NEW(misfits->arena, pq_misfit);
  if (!m || !reason.data) return wh_fail_memory(err);
  *m = (pq_misfit){.at = at, .reason = reason};
  if (misfits->last)
    misfits->last->next = m;
  else
    misfits->first = m;
  misfits->last = m;
  return WH_OK;
}

wh_status pq_misfit_note(pq_misfits *misfits, size_t at, wh_error *err, const char *fmt, ...) {
  char text[REASON_BYTES];
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  return append(misfits, at, wh_arena_str(misfits->arena, wh_str_n(text, len)), err);
}

wh_status pq_misfit_repeat(pq_misfits *misfits, const pq_misfit *misfit, size_t at, wh_error *err) {
  // The dictionary that the reason belongs to may be gone before the batch is.
  return append(misfits, at, wh_arena_str(misfits->arena, misfit->reason), err);
}
