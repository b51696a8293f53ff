// Physical values that are something else in a column.
#include "codec/parquet/values.h"
#include "data/number.h"

enum { SHOWN_BYTES = 24, NANOS_PER_MICRO = 1000, JULIAN_1970 = 2440588 };
static const int64_t micros_per_day = INT64_C(86400000000);

static void store(wh_column *c, size_t i, const void *value) {
  memcpy(c->values + (c->length + i) * c->width, value, c->width);
}

// The hexadecimal form, cut.
static void show_bytes(const uint8_t *bytes, size_t len, char out[2 * SHOWN_BYTES + 4]) {
  static const char digits[] = "0123456789abcdef";
  size_t n = len < SHOWN_BYTES ? len : SHOWN_BYTES, at = 0;
  for (size_t i = 0; i < n; i++) {
    out[at++] = digits[bytes[i] >> 4];
    out[at++] = digits[bytes[i] & 15];
  }
  if (n < len) {
    memcpy(out + at, "...", 3);
    at += 3;
  }
  out[at] = 0;
}

static wh_status narrow(const uint8_t *from, size_t count, wh_column *c, pq_misfits *misfits,
                        wh_error *err) {
  static const char *const names[] = {
      [WH_INT8] = "int8", [WH_INT16] = "int16", [WH_UINT8] = "uint8", [WH_UINT16] = "uint16"};
  for (size_t i = 0; i < count; i++) {
    int32_t value = (int32_t)pq_load32(from + i * 4);
    // Writers store unsigned values as their bits.
    if (!wh_int_fits(c->type.kind, value)) {
      WH_TRY(pq_misfit_note(misfits, i, err, "%d does not fit %s", value, names[c->type.kind]));
      value = 0;
    }
    store(c, i, &value);
  }
  return WH_OK;
}

static wh_status take_time(const pq_tree_node *leaf, const uint8_t *from, size_t count,
                           wh_column *c, pq_misfits *misfits, wh_error *err) {
  static const int64_t per_second[] = {
      [WH_UNIT_S] = 1, [WH_UNIT_MS] = 1000, [WH_UNIT_US] = 1000000, [WH_UNIT_NS] = 1000000000};
  int64_t day = 86400 * per_second[c->type.unit];
  for (size_t i = 0; i < count; i++) {
    int64_t value = leaf->value_bytes == 4 ? (int32_t)pq_load32(from + i * 4)
                                           : (int64_t)pq_load64(from + i * 8);
    if (value < 0 || value >= day) {
      WH_TRY(pq_misfit_note(misfits, i, err, "%lld is no time of day", (long long)value));
      value = 0;
    }
    store(c, i, &value);
  }
  return WH_OK;
}

static wh_status note_decimal(const wh_column *c, size_t i, pq_misfits *misfits, wh_error *err) {
  return pq_misfit_note(misfits, i, err, "a number has more digits than decimal(%u,%u) keeps",
                        c->type.precision, c->type.scale);
}

static wh_status store_decimal(wh_column *c, size_t i, __int128 value, __int128 limit,
                               pq_misfits *misfits, wh_error *err) {
  if (value <= -limit || value >= limit) {
    WH_TRY(note_decimal(c, i, misfits, err));
    value = 0;
  }
  store(c, i, &value);
  return WH_OK;
}

// Two's complement, most significant byte first. False when it needs more than 128 bits.
static bool big_endian(const uint8_t *at, size_t len, __int128 *ret) {
  uint8_t fill = len && at[0] & 0x80 ? 0xFF : 0;
  for (; len > 16; at++, len--)
    if (*at != fill) return false;
  if (len && fill != (at[0] & 0x80 ? 0xFF : 0)) return false;
  unsigned __int128 value = fill ? ~(unsigned __int128)0 : 0;
  for (size_t i = 0; i < len; i++)
    value = value << 8 | at[i];
  *ret = (__int128)value;
  return true;
}

static wh_status big_decimal(wh_column *c, size_t i, const uint8_t *at, size_t len, __int128 limit,
                             pq_misfits *misfits, wh_error *err) {
  __int128 value;
  if (big_endian(at, len, &value)) return store_decimal(c, i, value, limit, misfits, err);
  WH_TRY(note_decimal(c, i, misfits, err));
  value = 0;
  store(c, i, &value);
  return WH_OK;
}

static wh_status take_decimal(const pq_tree_node *leaf, const uint8_t *from, size_t count,
                              wh_column *c, pq_misfits *misfits, wh_error *err) {
  __int128 limit = wh_pow10(c->type.precision);
  size_t width = leaf->value_bytes;
  for (size_t i = 0; i < count; i++, from += width) {
    if (leaf->element->type == PQ_INT32)
      WH_TRY(store_decimal(c, i, (int32_t)pq_load32(from), limit, misfits, err));
    else if (leaf->element->type == PQ_INT64)
      WH_TRY(store_decimal(c, i, (int64_t)pq_load64(from), limit, misfits, err));
    else
      WH_TRY(big_decimal(c, i, from, width, limit, misfits, err));
  }
  return WH_OK;
}

// Nanoseconds of the day, then the Julian day. In microseconds the sum is taken modulo 2^64, as the
// writer took it: dates of far away are right then, and only then.
static bool int96_time(int64_t days, int64_t nanos, wh_unit unit, int64_t *ret) {
  if (unit == WH_UNIT_NS) {
    return !__builtin_mul_overflow(days, micros_per_day * NANOS_PER_MICRO, ret) &&
           !__builtin_add_overflow(*ret, nanos, ret);
  }
  *ret = (int64_t)((uint64_t)days * (uint64_t)micros_per_day + (uint64_t)(nanos / NANOS_PER_MICRO));
  return nanos % NANOS_PER_MICRO == 0;
}

static wh_status take_int96(const uint8_t *from, size_t count, wh_column *c, pq_misfits *misfits,
                            wh_error *err) {
  for (size_t i = 0; i < count; i++, from += 12) {
    int64_t nanos = (int64_t)pq_load64(from), value;
    int64_t days = (int64_t)(int32_t)pq_load32(from + 8) - JULIAN_1970;
    if (!int96_time(days, nanos, c->type.unit, &value)) {
      WH_TRY(pq_misfit_note(misfits, i, err, "day %lld and %lld ns: %s", (long long)days,
                            (long long)nanos,
                            c->type.unit == WH_UNIT_NS ? "out of the range of timestamp[ns]"
                                                       : "finer than timestamp[us]"));
      value = 0;
    }
    store(c, i, &value);
  }
  return WH_OK;
}

// IEEE 754 binary16.
static float half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, rest = half & 0x3FF;
  uint32_t bits;
  if (exponent == 31) {
    bits = sign | 0x7F800000 | rest << 13;
  } else if (exponent) {
    bits = sign | (exponent + 112) << 23 | rest << 13;
  } else {
    // 2^-24 times the rest: exact.
    float tiny = (float)rest * 0x1p-24f;
    memcpy(&bits, &tiny, sizeof bits);
    bits |= sign;
  }
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void take_half(const uint8_t *from, size_t count, wh_column *c) {
  for (size_t i = 0; i < count; i++, from += 2) {
    float value = half_to_float((uint16_t)(from[0] | from[1] << 8));
    store(c, i, &value);
  }
}

enum { UUID_BYTES = 16, UUID_TEXT = 36 };

static wh_status take_uuid(const uint8_t *from, size_t count, wh_column *c, wh_error *err) {
  static const char digits[] = "0123456789abcdef";
  WH_TRY(pq_values_room(c, count, count * UUID_TEXT, err));
  int32_t *offsets = c->offsets + c->length;
  char *to = (char *)c->bytes + offsets[0];
  for (size_t i = 0; i < count; i++, from += UUID_BYTES) {
    for (int b = 0; b < UUID_BYTES; b++) {
      if (b == 4 || b == 6 || b == 8 || b == 10) *to++ = '-';
      *to++ = digits[from[b] >> 4];
      *to++ = digits[from[b] & 15];
    }
    offsets[i + 1] = offsets[i] + UUID_TEXT;
  }
  return WH_OK;
}

static wh_status take_bytes(const pq_tree_node *leaf, const uint8_t *from, size_t count,
                            wh_column *c, wh_error *err) {
  size_t width = leaf->value_bytes;
  WH_TRY(pq_values_room(c, count, count * width, err));
  int32_t *offsets = c->offsets + c->length;
  memcpy(c->bytes + offsets[0], from, count * width);
  for (size_t i = 0; i < count; i++)
    offsets[i + 1] = offsets[i] + (int32_t)width;
  return WH_OK;
}

// Milliseconds that were seconds.
static wh_status take_seconds(const pq_tree_node *leaf, const uint8_t *from, size_t count,
                              wh_column *c, pq_misfits *misfits, wh_error *err) {
  for (size_t i = 0; i < count; i++) {
    int64_t millis = leaf->value_bytes == 4 ? (int32_t)pq_load32(from + i * 4)
                                            : (int64_t)pq_load64(from + i * 8);
    int64_t value = millis / 1000;
    if (millis % 1000)
      WH_TRY(pq_misfit_note(misfits, i, err, "%lld ms is no whole second", (long long)millis));
    store(c, i, &value);
  }
  return WH_OK;
}

wh_status pq_convert_fixed(const pq_tree_node *leaf, const uint8_t *from, size_t count,
                           wh_column *column, pq_misfits *misfits, wh_error *err) {
  switch (leaf->convert) {
  case PQ_NARROW:
    return narrow(from, count, column, misfits, err);
  case PQ_TIME:
    return take_time(leaf, from, count, column, misfits, err);
  case PQ_DECIMAL:
    return take_decimal(leaf, from, count, column, misfits, err);
  case PQ_INT96_TIME:
    return take_int96(from, count, column, misfits, err);
  case PQ_HALF:
    take_half(from, count, column);
    return WH_OK;
  case PQ_UUID_TEXT:
    return take_uuid(from, count, column, err);
  case PQ_BYTES:
    return take_bytes(leaf, from, count, column, err);
  case PQ_UNIT_SECONDS:
    return take_seconds(leaf, from, count, column, misfits, err);
  default:
    return wh_fail(err, WH_ERR_BUG, "no values of fixed width become this type");
  }
}

wh_status pq_convert_texts(const pq_tree_node *leaf, const wh_column *from, size_t count,
                           wh_column *column, pq_misfits *misfits, wh_error *err) {
  (void)leaf;
  __int128 limit = wh_pow10(column->type.precision);
  for (size_t i = 0; i < count; i++) {
    const uint8_t *at = from->bytes + from->offsets[i];
    size_t len = (size_t)(from->offsets[i + 1] - from->offsets[i]);
    WH_TRY(big_decimal(column, i, at, len, limit, misfits, err));
  }
  return WH_OK;
}

static bool is_ascii(const uint8_t *at, size_t len) {
  uint64_t seen = 0;
  size_t i = 0;
  for (; len - i >= 32; i += 32)
    seen |=
        pq_load64(at + i) | pq_load64(at + i + 8) | pq_load64(at + i + 16) | pq_load64(at + i + 24);
  for (; i < len; i++)
    seen |= at[i];
  return (seen & 0x8080808080808080u) == 0;
}

// No value begins in the middle of a character.
static bool begins_are_whole(const wh_column *c, size_t count) {
  const int32_t *offsets = c->offsets + c->length;
  for (size_t i = 0; i < count; i++)
    if (offsets[i] < offsets[count] && (c->bytes[offsets[i]] & 0xC0) == 0x80) return false;
  return true;
}

static wh_status check_each(wh_column *c, size_t count, pq_misfits *misfits, wh_error *err) {
  const int32_t *offsets = c->offsets + c->length;
  for (size_t i = 0; i < count; i++) {
    uint8_t *at = c->bytes + offsets[i];
    size_t len = (size_t)(offsets[i + 1] - offsets[i]);
    size_t good = wh_utf8_valid_prefix(wh_str_n((const char *)at, len));
    if (good == len) continue;
    char shown[2 * SHOWN_BYTES + 4];
    show_bytes(at, len, shown);
    WH_TRY(pq_misfit_note(misfits, i, err, "byte %zu of the text is not UTF-8 (in hexadecimal: %s)",
                          good, shown));
    for (size_t b = good; b < len; b++)
      if (at[b] & 0x80) at[b] = '?';
  }
  return WH_OK;
}

wh_status pq_check_utf8(wh_column *column, size_t count, pq_misfits *misfits, wh_error *err) {
  const int32_t *offsets = column->offsets + column->length;
  const uint8_t *at = column->bytes + offsets[0];
  size_t len = (size_t)(offsets[count] - offsets[0]);
  if (is_ascii(at, len)) return WH_OK;
  // All of it at once: valid as a whole, and cut only between characters, is valid in each part.
  if (wh_utf8_valid(wh_str_n((const char *)at, len)) && begins_are_whole(column, count))
    return WH_OK;
  return check_each(column, count, misfits, err);
}
