// Values of a field, from the bytes of records.
#include "codec/hdf5/field.h"

#include <inttypes.h>
#include <math.h>

enum { FAULT_TEXT_BYTES = 64 }; // of a bad value in a reason

// --- one value -----------------------------------------------------------------------------------

// The bytes as a number, the lowest first.
static uint64_t load(const h5_field *f, const uint8_t *at) {
  uint64_t value = 0;
  bool little = (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) != f->swapped;
  for (size_t i = 0; i < f->size; i++)
    value |= (uint64_t)at[little ? i : f->size - 1 - i] << (8 * i);
  return value;
}

int64_t h5_field_int(const h5_field *f, const uint8_t *record) {
  uint64_t value = load(f, record + f->offset) >> f->shift;
  if (f->precision == 64) return (int64_t)value;
  value &= (UINT64_C(1) << f->precision) - 1;
  uint64_t sign = UINT64_C(1) << (f->precision - 1);
  return f->is_signed && value & sign ? (int64_t)(value | ~(sign | (sign - 1))) : (int64_t)value;
}

// IEEE 754, binary16.
static double half(uint16_t bits) {
  int exponent = bits >> 10 & 0x1F, mantissa = bits & 0x3FF;
  double value = exponent == 0x1F ? (mantissa ? (double)NAN : (double)INFINITY)
                 : exponent       ? ldexp(mantissa + 0x400, exponent - 25)
                                  : ldexp(mantissa, -24);
  return bits & 0x8000 ? -value : value;
}

static double float_of(const h5_field *f, const uint8_t *record) {
  uint64_t bits = load(f, record + f->offset);
  if (f->size == 2) return half((uint16_t)bits);
  if (f->size == 4) {
    uint32_t narrow = (uint32_t)bits;
    float value;
    memcpy(&value, &narrow, sizeof value);
    return (double)value;
  }
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Without its padding.
static wh_str text_of(const h5_field *f, const uint8_t *record) {
  const char *text = (const char *)record + f->offset;
  if (f->form == H5_FORM_TEXT_POINTER) {
    memcpy(&text, record + f->offset, sizeof text);
    return wh_str_of(text ? text : ""); // nothing is stored for an empty one
  }
  size_t len = f->size;
  const char *nul = f->until_nul ? memchr(text, 0, len) : NULL;
  if (nul) return wh_str_n(text, (size_t)(nul - text));
  char pad = f->space_padded ? ' ' : 0;
  // Long fields are nearly empty: eight at a time.
  uint64_t pads, word;
  memset(&pads, pad, sizeof pads);
  while (len >= sizeof word && (memcpy(&word, text + len - sizeof word, sizeof word), word == pads))
    len -= sizeof word;
  while (len && text[len - 1] == pad)
    len--;
  return wh_str_n(text, len);
}

static const h5_member *member_of(const h5_field *f, const uint8_t *record) {
  int64_t value = h5_field_int(f, record);
  size_t low = 0, high = f->member_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (f->members[middle].value == value) return &f->members[middle];
    if (f->members[middle].value < value)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

// --- what is good --------------------------------------------------------------------------------

static bool is_good(const h5_field *f, const uint8_t *record) {
  if (f->form == H5_FORM_BOOL || f->form == H5_FORM_NAME) return member_of(f, record) != NULL;
  return wh_utf8_valid(text_of(f, record));
}

size_t h5_field_good(const h5_field *f, const uint8_t *records, size_t stride, size_t n) {
  if (f->form == H5_FORM_INT || f->form == H5_FORM_FLOAT || f->form == H5_FORM_BYTES) return n;
  for (size_t i = 0; i < n; i++)
    if (!is_good(f, records + i * stride)) return i;
  return n;
}

wh_str h5_field_fault(const h5_field *f, const uint8_t *record, wh_arena *arena,
                      wh_str *ret_value) {
  if (f->form == H5_FORM_BOOL || f->form == H5_FORM_NAME) {
    *ret_value = wh_arena_printf(arena, "%" PRId64, h5_field_int(f, record));
    return wh_arena_printf(arena, "%" PRId64 " is no value of its enumeration",
                           h5_field_int(f, record));
  }
  wh_str text = text_of(f, record);
  size_t good = wh_utf8_valid_prefix(text);
  size_t from = good > FAULT_TEXT_BYTES ? good - FAULT_TEXT_BYTES : 0;
  while (from < good && ((uint8_t)text.data[from] & 0xC0) == 0x80)
    from++; // not from within a character
  *ret_value = text;
  return wh_arena_printf(arena, "the text is not UTF-8 from its byte %zu on, after '%.*s'",
                         good + 1, (int)(good - from), text.data + from);
}

// --- appending -----------------------------------------------------------------------------------

// Values that have the same bytes in the column.
static wh_status append_plain(const h5_field *f, const uint8_t *at, size_t stride, size_t n,
                              wh_column *c, wh_error *err) {
  WH_TRY(wh_column_reserve(c, n, 0, err));
  uint8_t *to = c->values + c->length * f->size;
  if (stride == f->size)
    memcpy(to, at, n * f->size);
  else if (f->size == 8)
    for (size_t i = 0; i < n; i++)
      memcpy(to + 8 * i, at + i * stride, 8);
  else
    for (size_t i = 0; i < n; i++)
      memcpy(to + i * f->size, at + i * stride, f->size);
  for (size_t i = 0; c->validity && i < n; i++)
    wh_bit_set(c->validity, c->length + i);
  c->length += n;
  return WH_OK;
}

static wh_status append_one(const h5_field *f, const uint8_t *record, wh_column *c, wh_error *err) {
  switch (f->form) {
  case H5_FORM_INT:
    if (f->is_signed) return wh_column_add_i64(c, h5_field_int(f, record), err);
    return wh_column_add_u64(c, (uint64_t)h5_field_int(f, record), err);
  case H5_FORM_FLOAT:
    return wh_column_add_f64(c, float_of(f, record), err);
  case H5_FORM_BYTES:
    return wh_column_add_text(c, wh_str_n((const char *)record + f->offset, f->size), err);
  case H5_FORM_BOOL:
    return wh_column_add_bool(c, h5_field_int(f, record) == 1, err);
  case H5_FORM_NAME:
    return wh_column_add_text(c, member_of(f, record)->name, err);
  case H5_FORM_TEXT:
  case H5_FORM_TEXT_POINTER:
    break;
  }
  return wh_column_add_text(c, text_of(f, record), err);
}

wh_status h5_field_append(const h5_field *f, const uint8_t *records, size_t stride, size_t n,
                          wh_column *c, wh_error *err) {
  if (f->is_plain) return append_plain(f, records + f->offset, stride, n, c, err);
  for (size_t i = 0; i < n; i++)
    WH_TRY(append_one(f, records + i * stride, c, err));
  return WH_OK;
}
