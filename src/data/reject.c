#include "data/reject.h"

static wh_status drop_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                          size_t row, wh_error *err) {
  (void)self, (void)reject, (void)batch, (void)row, (void)err;
  return WH_OK;
}

static wh_status drop_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)self, (void)reject, (void)text, (void)err;
  return WH_OK;
}

wh_rejects wh_rejects_none(void) {
  return (wh_rejects){.row = drop_row, .raw = drop_raw};
}
