#include "connect/postgres/encode.h"

#include "data/number.h"
#include "data/temporal.h"
#include "data/value.h"

enum { EPOCH_DAYS = 10957, GROUP = 10000, GROUPS_MAX = 12, UUID_BYTES = 16 };
#define EPOCH_US (10957ll * 86400 * 1000000) // from 1970 to 2000

// For every value: mostly there is room.
static inline char *room(wh_buf *out, size_t len) {
  if (__builtin_expect(out->cap - out->len <= len || out->failed, 0) && !wh_buf_reserve(out, len))
    return NULL;
  char *at = out->data + out->len;
  out->len += len;
  return at;
}

static void put_u16(char *at, uint16_t v) {
  v = __builtin_bswap16(v);
  memcpy(at, &v, sizeof v);
}

static void put_u32(char *at, uint32_t v) {
  v = __builtin_bswap32(v);
  memcpy(at, &v, sizeof v);
}

static void put_u64(char *at, uint64_t v) {
  v = __builtin_bswap64(v);
  memcpy(at, &v, sizeof v);
}

static bool add_2(wh_buf *out, int64_t v) {
  char *at = room(out, 6);
  if (!at) return false;
  put_u32(at, 2);
  put_u16(at + 4, (uint16_t)v);
  return true;
}

static bool add_4(wh_buf *out, int64_t v) {
  char *at = room(out, 8);
  if (!at) return false;
  put_u32(at, 4);
  put_u32(at + 4, (uint32_t)v);
  return true;
}

static bool add_8(wh_buf *out, uint64_t v) {
  char *at = room(out, 12);
  if (!at) return false;
  put_u32(at, 8);
  put_u64(at + 4, v);
  return true;
}

static bool add_bytes(wh_buf *out, const char *data, size_t len) {
  char *at = room(out, 4 + len);
  if (!at) return false;
  put_u32(at, (uint32_t)len);
  if (len) memcpy(at + 4, data, len);
  return true;
}

// --- numbers -------------------------------------------------------------------------------------

static __int128 whole_of(const wh_column *c, size_t row) {
  if (c->type.kind == WH_DECIMAL) return wh_column_decimal(c, row);
  if (c->type.kind == WH_UINT64) return (__int128)wh_column_u64(c, row);
  return wh_column_i64(c, row);
}

static bool encode_bool(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  char *at = room(out, 5);
  if (!at) return false;
  put_u32(at, 1);
  at[4] = wh_column_bool(e->column, row);
  return true;
}

static bool encode_int2(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  return add_2(out, (int64_t)whole_of(e->column, row));
}

static bool encode_int4(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  return add_4(out, (int64_t)whole_of(e->column, row));
}

static bool encode_int8(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  return add_8(out, (uint64_t)whole_of(e->column, row));
}

// The same where the column holds just that.
static bool encode_int4_as_is(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  int32_t value;
  memcpy(&value, e->column->values + row * sizeof value, sizeof value);
  return add_4(out, value);
}

static bool encode_int8_as_is(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  uint64_t value;
  memcpy(&value, e->column->values + row * sizeof value, sizeof value);
  return add_8(out, value);
}

static double float_of(const wh_column *c, size_t row) {
  bool is_float = c->type.kind == WH_FLOAT32 || c->type.kind == WH_FLOAT64;
  return is_float ? wh_column_f64(c, row) : (double)wh_column_i64(c, row);
}

static bool encode_float4(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  float value = (float)float_of(e->column, row);
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return add_4(out, bits);
}

static bool encode_float8(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  double value = float_of(e->column, row);
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return add_8(out, bits);
}

// Digits of base 10000, the last first; returns how many.
static int groups_of(unsigned __int128 value, uint16_t groups[GROUPS_MAX]) {
  int count = 0;
  while (value > UINT64_MAX) {
    groups[count++] = (uint16_t)(value % GROUP);
    value /= GROUP;
  }
  for (uint64_t small = (uint64_t)value; small; small /= GROUP)
    groups[count++] = (uint16_t)(small % GROUP);
  return count;
}

// See decode_numeric.c for the layout. The digits before and behind the point are cut into groups
// each for itself: the point stands between two groups.
static bool add_numeric(wh_buf *out, __int128 unscaled, int scale) {
  bool negative = unscaled < 0;
  unsigned __int128 value = negative ? -(unsigned __int128)unscaled : (unsigned __int128)unscaled;
  unsigned __int128 whole = value, fraction = 0;
  if (scale && value <= UINT64_MAX && scale < 19) { // dividing 64 bits is much faster than 128
    uint64_t power = (uint64_t)wh_pow10(scale);
    whole = (uint64_t)value / power;
    fraction = (uint64_t)value % power;
  } else if (scale) {
    unsigned __int128 power = (unsigned __int128)wh_pow10(scale);
    whole = value / power;
    fraction = value % power;
  }
  uint16_t before[GROUPS_MAX], behind[GROUPS_MAX];
  int before_count = groups_of(whole, before);
  // The last group of the fraction is filled up with zeros.
  int behind_count = (scale + 3) / 4, odd = scale % 4, at = behind_count;
  if (odd) {
    static const int tens[] = {1, 10, 100, 1000};
    behind[--at] = (uint16_t)((int)(fraction % (unsigned)tens[odd]) * tens[4 - odd]);
    fraction /= (unsigned)tens[odd];
  }
  while (at > 0) {
    behind[--at] = (uint16_t)(fraction % GROUP);
    fraction /= GROUP;
  }
  while (behind_count && behind[behind_count - 1] == 0)
    behind_count--;
  int skip = 0; // zeros at the front of the fraction, where there is nothing before the point
  while (before_count == 0 && skip < behind_count && behind[skip] == 0)
    skip++;
  int skip_last = 0; // and at the end of the whole part, where nothing is behind it
  while (behind_count == 0 && skip_last < before_count && before[skip_last] == 0)
    skip_last++;
  int count = before_count - skip_last + behind_count - skip;
  char *p = room(out, 4 + 8 + 2 * (size_t)count);
  if (!p) return false;
  put_u32(p, 8 + 2 * (uint32_t)count);
  put_u16(p + 4, (uint16_t)count);
  put_u16(p + 6, (uint16_t)(count ? before_count - 1 - skip : 0));
  put_u16(p + 8, negative ? 0x4000 : 0);
  put_u16(p + 10, (uint16_t)scale);
  p += 12;
  for (int i = before_count; i-- > skip_last; p += 2)
    put_u16(p, before[i]);
  for (int i = skip; i < behind_count; i++, p += 2)
    put_u16(p, behind[i]);
  return true;
}

static bool encode_numeric(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  int scale = e->column->type.kind == WH_DECIMAL ? e->column->type.scale : 0;
  return add_numeric(out, whole_of(e->column, row), scale);
}

bool wh_pg_encode_integer(uint32_t oid, int64_t value, wh_buf *out) {
  switch (wh_pg_write_form(oid)) {
  case WH_PG_INT2:
    return add_2(out, value);
  case WH_PG_INT4:
    return add_4(out, value);
  case WH_PG_INT8:
    return add_8(out, (uint64_t)value);
  case WH_PG_NUMERIC:
    return add_numeric(out, value, 0);
  default:
    return false;
  }
}

// --- text and bytes ------------------------------------------------------------------------------

static bool encode_text(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  wh_str text = wh_column_text(e->column, row);
  return add_bytes(out, text.data, text.len);
}

static bool encode_jsonb(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  wh_str text = wh_column_text(e->column, row);
  char *at = room(out, 5 + text.len);
  if (!at) return false;
  put_u32(at, (uint32_t)text.len + 1);
  at[4] = 1;
  if (text.len) memcpy(at + 5, text.data, text.len);
  return true;
}

// Lists and structures in columns of text or JSON.
static bool encode_nested(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  size_t start = out->len;
  if (!room(out, 4)) return false;
  if (e->form == WH_PG_JSONB && !wh_buf_add_char(out, 1)) return false;
  if (!wh_column_write(e->column, row, out)) return false;
  put_u32(out->data + start, (uint32_t)(out->len - start - 4));
  return true;
}

static bool encode_uuid(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  uint8_t id[UUID_BYTES] = {0};
  (void)wh_pg_parse_uuid(wh_column_text(e->column, row), id); // was looked at by wh_pg_fits
  return add_bytes(out, (const char *)id, sizeof id);
}

// --- times ---------------------------------------------------------------------------------------

static bool encode_date(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  return add_4(out, wh_column_i64(e->column, row) - EPOCH_DAYS);
}

static int64_t microseconds(const wh_column *c, size_t row) {
  int64_t value = wh_column_i64(c, row), us = 0;
  if (c->type.unit == WH_UNIT_US) return value;
  (void)wh_unit_convert(value, c->type.unit, WH_UNIT_US, &us); // was looked at by wh_pg_fits
  return us;
}

static bool encode_time(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  return add_8(out, (uint64_t)microseconds(e->column, row));
}

static bool encode_timestamp(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  return add_8(out, (uint64_t)(microseconds(e->column, row) - EPOCH_US));
}

// --- arrays --------------------------------------------------------------------------------------

static bool encode_array(const wh_pg_encoder *e, size_t row, wh_buf *out) {
  const wh_column *c = e->column, *items = &c->children[0];
  int32_t from = c->offsets[row], to = c->offsets[row + 1];
  bool has_null = false;
  for (int32_t i = from; i < to; i++)
    has_null |= wh_column_is_null(items, (size_t)i);
  size_t start = out->len;
  char *at = room(out, to > from ? 24 : 16);
  if (!at) return false;
  put_u32(at + 4, to > from); // dimensions
  put_u32(at + 8, has_null);
  put_u32(at + 12, e->item_oid);
  if (to > from) {
    put_u32(at + 16, (uint32_t)(to - from));
    put_u32(at + 20, 1); // the first index
  }
  for (int32_t i = from; i < to; i++) {
    if (wh_column_is_null(items, (size_t)i)) {
      if (!(at = room(out, 4))) return false;
      put_u32(at, UINT32_MAX);
    } else if (!e->item->encode(e->item, (size_t)i, out)) {
      return false;
    }
  }
  put_u32(out->data + start, (uint32_t)(out->len - start - 4));
  return true;
}

// -------------------------------------------------------------------------------------------------

static const wh_pg_encode_fn functions[] = {
    [WH_PG_BOOL] = encode_bool,
    [WH_PG_INT2] = encode_int2,
    [WH_PG_INT4] = encode_int4,
    [WH_PG_INT8] = encode_int8,
    [WH_PG_OID] = encode_int4,
    [WH_PG_XID8] = encode_int8,
    [WH_PG_FLOAT4] = encode_float4,
    [WH_PG_FLOAT8] = encode_float8,
    [WH_PG_NUMERIC] = encode_numeric,
    [WH_PG_TEXT] = encode_text,
    [WH_PG_CHAR] = encode_text,
    [WH_PG_BYTES] = encode_text,
    [WH_PG_DATE] = encode_date,
    [WH_PG_TIME] = encode_time,
    [WH_PG_TIMESTAMP] = encode_timestamp,
    [WH_PG_UUID] = encode_uuid,
    [WH_PG_JSON] = encode_text,
    [WH_PG_JSONB] = encode_jsonb,
    [WH_PG_ARRAY] = encode_array,
};

static wh_pg_encode_fn function_for(const wh_type *type, wh_pg_form form) {
  bool is_nested = type->kind == WH_LIST || type->kind == WH_STRUCT;
  if (is_nested && form != WH_PG_ARRAY) return encode_nested;
  if (form == WH_PG_INT4 && type->kind == WH_INT32) return encode_int4_as_is;
  if (form == WH_PG_INT8 && type->kind == WH_INT64) return encode_int8_as_is;
  if (form == WH_PG_FLOAT8 && type->kind == WH_FLOAT64) return encode_int8_as_is; // the bits
  return functions[form];
}

wh_status wh_pg_encoder_init(wh_pg_encoder *e, const wh_column *column, uint32_t native,
                             wh_arena *arena, wh_error *err) {
  wh_pg_form form = wh_pg_write_form(native);
  *e = (wh_pg_encoder){.column = column, .form = form};
  if (form == WH_PG_OTHER) return wh_fail(err, WH_ERR_BUG, "a column has no binary form");
  e->encode = function_for(&column->type, form);
  if (form != WH_PG_ARRAY) return WH_OK;
  const wh_pg_base *base = wh_pg_item_of(native);
  wh_pg_encoder *item = WH_NEW(arena, wh_pg_encoder);
  if (!item) return wh_fail_memory(err);
  e->item_oid = base->oid;
  e->item = item;
  // A column of lists that has no rows yet has no children.
  if (column->child_count == 0) return WH_OK;
  return wh_pg_encoder_init(item, &column->children[0], base->oid, arena, err);
}
