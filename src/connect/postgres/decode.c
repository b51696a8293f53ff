#include "connect/postgres/decode.h"

#include "data/temporal.h"

enum {
  EPOCH_DAYS = 10957,  // from 1970-01-01 to 2000-01-01
  FIRST_DAY = -719162, // 0001-01-01
  TEXT_MAX = 64,
};
#define EPOCH_US (10957ll * 86400 * 1000000)
#define DAY_US   (86400ll * 1000000)

__attribute__((format(printf, 3, 4))) static wh_status misfit(wh_misfit *m, const char *rule,
                                                              const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(m->reason, sizeof m->reason, fmt, args);
  va_end(args);
  m->rule = rule;
  return WH_ERR_TYPE;
}

// The server does not send what its catalog says.
static wh_status wrong_size(const wh_pg_decoder *d, size_t len, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "column %.*s: a value of %zu bytes is not what its type says",
                 WH_STR_ARG(d->name), len);
}

#define SIZE_IS(n)                                                                                 \
  do {                                                                                             \
    if (__builtin_expect(len != (n), 0)) return wrong_size(d, len, err);                           \
  } while (0)

static wh_status decode_bool(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(1);
  return wh_column_add_bool(column, *data != 0, err);
}

static wh_status decode_int2(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(2);
  return wh_column_add_i64(column, (int16_t)wh_pg_u16(data), err);
}

static wh_status decode_int4(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(4);
  return wh_column_add_i64(column, (int32_t)wh_pg_u32(data), err);
}

static wh_status decode_oid(const wh_pg_decoder *d, const char *data, size_t len, wh_column *column,
                            wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(4);
  return wh_column_add_i64(column, wh_pg_u32(data), err);
}

static wh_status decode_int8(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(8);
  return wh_column_add_i64(column, (int64_t)wh_pg_u64(data), err);
}

static wh_status decode_xid8(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(8);
  return wh_column_add_u64(column, wh_pg_u64(data), err);
}

static wh_status decode_float4(const wh_pg_decoder *d, const char *data, size_t len,
                               wh_column *column, wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(4);
  uint32_t bits = wh_pg_u32(data);
  float value;
  memcpy(&value, &bits, sizeof value);
  return wh_column_add_f64(column, (double)value, err);
}

static wh_status decode_float8(const wh_pg_decoder *d, const char *data, size_t len,
                               wh_column *column, wh_misfit *m, wh_error *err) {
  (void)m;
  SIZE_IS(8);
  uint64_t bits = wh_pg_u64(data);
  double value;
  memcpy(&value, &bits, sizeof value);
  return wh_column_add_f64(column, value, err);
}

// Most text is ASCII, eight bytes of which are looked at together.
static size_t valid_prefix(const char *data, size_t len) {
  size_t at = 0;
  for (; at + 8 <= len; at += 8) {
    uint64_t word;
    memcpy(&word, data + at, sizeof word);
    if (word & 0x8080808080808080ull) break;
  }
  while (at < len && !(data[at] & 0x80))
    at++;
  return at == len ? len : at + wh_utf8_valid_prefix(wh_str_n(data + at, len - at));
}

static wh_status decode_text(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  (void)d;
  size_t valid = valid_prefix(data, len);
  if (valid != len) return misfit(m, "utf8", "is not UTF-8 at byte %zu", valid);
  return wh_column_add_text(column, wh_str_n(data, len), err);
}

static wh_status decode_char(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  while (len && data[len - 1] == ' ')
    len--;
  return decode_text(d, data, len, column, m, err);
}

static wh_status decode_jsonb(const wh_pg_decoder *d, const char *data, size_t len,
                              wh_column *column, wh_misfit *m, wh_error *err) {
  if (len == 0 || data[0] != 1) return wrong_size(d, len, err);
  return decode_text(d, data + 1, len - 1, column, m, err);
}

static wh_status decode_bytes(const wh_pg_decoder *d, const char *data, size_t len,
                              wh_column *column, wh_misfit *m, wh_error *err) {
  (void)d, (void)m;
  return wh_column_add_text(column, wh_str_n(data, len), err);
}

static wh_status decode_uuid(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  static const char digits[] = "0123456789abcdef";
  (void)m;
  SIZE_IS(16);
  char text[36], *out = text;
  for (size_t i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = digits[(unsigned char)data[i] >> 4];
    *out++ = digits[(unsigned char)data[i] & 15];
  }
  return wh_column_add_text(column, wh_str_n(text, sizeof text), err);
}

// The text of a day that is out of range, or "infinity".
static void day_text(int64_t days, char out[TEXT_MAX]) {
  wh_civil civil;
  wh_civil_from_days(days, &civil);
  if (civil.year < 1)
    snprintf(out, TEXT_MAX, "%04d-%02d-%02d BC", 1 - civil.year, civil.month, civil.day);
  else
    snprintf(out, TEXT_MAX, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
}

static wh_status decode_date(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  SIZE_IS(4);
  int32_t days = (int32_t)wh_pg_u32(data);
  char text[TEXT_MAX];
  if (days == INT32_MAX || days == INT32_MIN)
    return misfit(m, "type", "'%sinfinity' is not a date", days < 0 ? "-" : "");
  int64_t since_1970 = (int64_t)days + EPOCH_DAYS;
  if (since_1970 < FIRST_DAY || since_1970 > INT32_MAX) {
    day_text(since_1970, text);
    return misfit(m, "type", "'%s' is before the year 1", text);
  }
  return wh_column_add_i64(column, since_1970, err);
}

static wh_status decode_time(const wh_pg_decoder *d, const char *data, size_t len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  SIZE_IS(8);
  int64_t us = (int64_t)wh_pg_u64(data), value;
  if (us >= DAY_US) return misfit(m, "type", "'24:00:00' is not a time of day");
  if (!wh_unit_convert(us, WH_UNIT_US, d->type.unit, &value))
    return misfit(m, "type", "is finer than its column says");
  return wh_column_add_i64(column, value, err);
}

static wh_status decode_timestamp(const wh_pg_decoder *d, const char *data, size_t len,
                                  wh_column *column, wh_misfit *m, wh_error *err) {
  SIZE_IS(8);
  int64_t us = (int64_t)wh_pg_u64(data), value;
  char text[TEXT_MAX];
  if (us == INT64_MAX || us == INT64_MIN)
    return misfit(m, "type", "'%sinfinity' is not a date and time", us < 0 ? "-" : "");
  if (__builtin_add_overflow(us, EPOCH_US, &us))
    return misfit(m, "type", "is too far away to be counted in microseconds since 1970");
  if (us < FIRST_DAY * DAY_US) {
    day_text(us / DAY_US - (us % DAY_US < 0), text);
    return misfit(m, "type", "'%s' is before the year 1", text);
  }
  if (!wh_unit_convert(us, WH_UNIT_US, d->type.unit, &value))
    return misfit(m, "type", "is finer than its column says");
  return wh_column_add_i64(column, value, err);
}

// Dimensions, whether there are NULLs, the items' OID; each dimension's length and lower bound; the
// items, each with its length in front.
static wh_status decode_array(const wh_pg_decoder *d, const char *data, size_t len,
                              wh_column *column, wh_misfit *m, wh_error *err) {
  enum { HEAD = 12, DIMENSION = 8 };
  if (len < HEAD) return wrong_size(d, len, err);
  uint32_t dimensions = wh_pg_u32(data), count = 0;
  if (dimensions > 1)
    return misfit(m, "type", "is an array of %u dimensions; a list has one", dimensions);
  const char *at = data + HEAD, *end = data + len;
  if (dimensions == 1) {
    if (len < HEAD + DIMENSION) return wrong_size(d, len, err);
    count = wh_pg_u32(at);
    at += DIMENSION;
  }
  WH_TRY(wh_column_reserve(column, 1, 0, err)); // makes the children
  wh_column *items = &column->children[0];
  for (uint32_t i = 0; i < count; i++) {
    if (end - at < 4) return wrong_size(d, len, err);
    uint32_t size = wh_pg_u32(at);
    at += 4;
    if (size == UINT32_MAX) {
      WH_TRY(wh_column_add_null(items, err));
      continue;
    }
    if (size > (size_t)(end - at)) return wrong_size(d, len, err);
    WH_TRY(d->item->decode(d->item, at, size, items, m, err));
    at += size;
  }
  return wh_column_add_list(column, err);
}

static const wh_pg_decode_fn functions[] = {
    [WH_PG_BOOL] = decode_bool,
    [WH_PG_INT2] = decode_int2,
    [WH_PG_INT4] = decode_int4,
    [WH_PG_INT8] = decode_int8,
    [WH_PG_OID] = decode_oid,
    [WH_PG_XID8] = decode_xid8,
    [WH_PG_FLOAT4] = decode_float4,
    [WH_PG_FLOAT8] = decode_float8,
    [WH_PG_NUMERIC] = wh_pg_decode_numeric,
    [WH_PG_TEXT] = decode_text,
    [WH_PG_CHAR] = decode_char,
    [WH_PG_BYTES] = decode_bytes,
    [WH_PG_DATE] = decode_date,
    [WH_PG_TIME] = decode_time,
    [WH_PG_TIMESTAMP] = decode_timestamp,
    [WH_PG_UUID] = decode_uuid,
    [WH_PG_JSON] = decode_text,
    [WH_PG_JSONB] = decode_jsonb,
    [WH_PG_ARRAY] = decode_array,
};

// A numeric whose scale nobody knows may be wanted as what an earlier run took it for.
static bool go_together(const wh_type *wanted, const wh_pg_reading *r) {
  if (r->form == WH_PG_NUMERIC) return wanted->kind == WH_DECIMAL || wh_kind_is_int(wanted->kind);
  return wanted->kind == r->type.kind && wanted->zoned == r->type.zoned;
}

wh_status wh_pg_decoder_init(wh_pg_decoder *d, const wh_field *field, const wh_pg_reading *r,
                             wh_arena *arena, wh_error *err) {
  *d = (wh_pg_decoder){.name = field->name,
                       .type = field->type,
                       .nullable = field->nullable,
                       .form = r->form,
                       .decode = functions[r->form]};
  if (!go_together(&field->type, r))
    return wh_fail(err, WH_ERR_CHANGED, "column %.*s has another type than it had a moment ago",
                   WH_STR_ARG(field->name));
  if (r->form != WH_PG_ARRAY) return WH_OK;
  wh_pg_decoder *item = WH_NEW(arena, wh_pg_decoder);
  if (!item) return wh_fail_memory(err);
  wh_pg_reading inner = {.type = r->type.fields[0].type, .form = r->item_form};
  WH_TRY(wh_pg_decoder_init(item, &field->type.fields[0], &inner, arena, err));
  item->name = field->name;
  d->item = item;
  return WH_OK;
}
