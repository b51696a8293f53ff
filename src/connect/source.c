#include "connect/source.h"

wh_status wh_source_check_row(const wh_connection *c, wh_str what, uint64_t row, size_t bytes,
                              wh_error *err) {
  if (!c->row_limit_bytes || bytes <= c->row_limit_bytes) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT,
                 "%.*s: row %llu of %.*s is larger than %zu bytes, the most that a row may take; "
                 "raise `memory`, of which a row may take an eighth",
                 WH_STR_ARG(c->name), (unsigned long long)row, WH_STR_ARG(what),
                 c->row_limit_bytes);
}
