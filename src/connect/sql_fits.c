#include "connect/sql_fits.h"

static const char *number_clash(const wh_type *t, const wh_sql_column *c) {
  bool is_wide = t->kind == WH_INT64 || t->kind == WH_UINT64;
  if (wh_sql_is_float(c->type.kind)) {
    bool is_wide_here =
        is_wide || (c->type.kind == WH_FLOAT32 && (t->kind == WH_INT32 || t->kind == WH_UINT32));
    if (is_wide_here) return "keeps floats, which round large numbers";
    return wh_sql_is_float(t->kind) || wh_sql_is_whole(t->kind) ? NULL : "keeps floats";
  }
  if (wh_sql_is_whole(t->kind) || t->kind == WH_DECIMAL) return NULL;
  return c->type.kind == WH_DECIMAL ? "keeps decimals" : "keeps whole numbers";
}

static const char *timestamp_clash(const wh_type *t, const wh_sql_column *c) {
  if (t->kind != WH_TIMESTAMP) return "keeps dates with a time";
  if (t->zoned == c->type.zoned) return NULL;
  return t->zoned ? "keeps times without a zone" : "keeps instants, for which a zone is needed";
}

const char *wh_sql_clash(const wh_type *t, const wh_sql_column *c) {
  switch (c->type.kind) {
  case WH_BINARY:
    return t->kind == WH_BINARY ? NULL : "keeps binary";
  case WH_DATE:
    return t->kind == WH_DATE ? NULL : "keeps dates without a time";
  case WH_TIME:
    return t->kind == WH_TIME ? NULL : "keeps times of day";
  case WH_TIMESTAMP:
    return timestamp_clash(t, c);
  default:
    return number_clash(t, c);
  }
}

__int128 wh_sql_number(const wh_column *values, size_t row, int *ret_scale) {
  *ret_scale = values->type.kind == WH_DECIMAL ? values->type.scale : 0;
  switch (values->type.kind) {
  case WH_BOOL:
    return wh_column_bool(values, row);
  case WH_DECIMAL:
    return wh_column_decimal(values, row);
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    return (__int128)wh_column_u64(values, row);
  default:
    return wh_column_i64(values, row);
  }
}

bool wh_sql_no(char *reason, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(reason, WH_SQL_REASON_MAX, fmt, args);
  va_end(args);
  return false;
}
