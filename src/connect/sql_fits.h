// What fits into columns, as far as all database servers agree (wh_sql_driver.clash and fits).
#pragma once

#include "connect/sql.h"

static inline bool wh_sql_is_float(wh_kind kind) {
  return kind == WH_FLOAT32 || kind == WH_FLOAT64;
}
static inline bool wh_sql_is_whole(wh_kind kind) {
  return kind == WH_BOOL || wh_kind_is_int(kind);
}

// wh_sql_driver.clash for columns that keep no text, by what they are read as.
const char *wh_sql_clash(const wh_type *type, const wh_sql_column *column);
// A bool, whole number or decimal as unscaled digits with a scale.
__int128 wh_sql_number(const wh_column *values, size_t row, int *ret_scale);
// Writes the reason of a misfit, WH_SQL_REASON_MAX bytes at most; false.
__attribute__((format(printf, 2, 3))) bool wh_sql_no(char *reason, const char *fmt, ...);
