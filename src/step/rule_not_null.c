#include "step/rule.h"

static wh_status check(wh_rule *rule, const wh_column *column, uint16_t *broken, uint16_t mark,
                       wh_error *err) {
  (void)rule, (void)err;
  if (column->null_count == 0) return WH_OK;
  for (size_t row = 0; row < column->length; row++) {
    if (!broken[row] && wh_column_is_null(column, row)) broken[row] = mark;
  }
  return WH_OK;
}

static wh_status reason(wh_rule *rule, const wh_column *column, size_t row, wh_buf *out,
                        wh_error *err) {
  (void)rule, (void)column, (void)row;
  wh_buf_add_c(out, "missing");
  return wh_buf_check(out, err);
}

const wh_rule_type wh_rule_not_null = {.name = "not_null", .check = check, .reason = reason};
