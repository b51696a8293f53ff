#include "connect/sink_rows.h"

#include "data/temporal.h"

#define DAY_US    ((int64_t)86400 * 1000000)
#define FUTURE_US DAY_US // versions further ahead than this are mistakes

// Now and a day in units of the column, rounded down; false for versions that are no times.
static bool last_version(const wh_type *type, int64_t now_us, int64_t *ret) {
  int64_t limit_us;
  if (type->kind != WH_DATE && type->kind != WH_TIMESTAMP) return false;
  if (__builtin_add_overflow(now_us, FUTURE_US, &limit_us)) return false;
  int64_t per_second = type->kind == WH_DATE ? 0 : wh_unit_per_second(type->unit);
  if (type->unit == WH_UNIT_NS && type->kind == WH_TIMESTAMP)
    return !__builtin_mul_overflow(limit_us, 1000, ret);
  int64_t unit_us = per_second ? 1000000 / per_second : DAY_US;
  *ret = limit_us / unit_us - (limit_us % unit_us < 0);
  return true;
}

wh_sink_rows wh_sink_rows_of(const wh_schema *schema, const size_t *key, size_t key_count,
                             ptrdiff_t version, int64_t now_us) {
  wh_sink_rows r = {.schema = schema, .key = key, .key_count = key_count, .version = version};
  if (version >= 0)
    r.limits_version = last_version(&schema->fields[version].type, now_us, &r.last_version);
  return r;
}

static bool is_bad(const wh_sink_rows *r, const wh_batch *batch, size_t row, size_t column,
                   const char *rule, const char *reason, wh_reject *ret) {
  *ret = (wh_reject){.rule = wh_str_of(rule),
                     .column = r->schema->fields[column].name,
                     .reason = wh_str_of(reason),
                     .place = wh_batch_place(batch, row)};
  return true;
}

bool wh_sink_row_is_bad(const wh_sink_rows *r, const wh_batch *batch, size_t row, wh_reject *ret) {
  for (size_t i = 0; i < r->key_count; i++) {
    if (wh_column_is_null(&batch->columns[r->key[i]], row))
      return is_bad(r, batch, row, r->key[i], "key", "missing", ret);
  }
  if (r->version < 0) return false;
  const wh_column *version = &batch->columns[r->version];
  if (wh_column_is_null(version, row))
    return is_bad(r, batch, row, (size_t)r->version, "version", "missing", ret);
  if (r->limits_version && wh_column_i64(version, row) > r->last_version)
    return is_bad(r, batch, row, (size_t)r->version, "version_future",
                  "more than a day in the future", ret);
  return false;
}
