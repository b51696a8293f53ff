#include "codec/hdf5/field.h"

#include "codec/hdf5/hdf5.h"

#include <stdlib.h>

typedef struct maker {
  wh_arena *arena;
  wh_error *err;
  wh_str what;
  h5_fields out;
  size_t cap;
} maker;

static wh_status add_field(maker *m, const h5_field *field) {
  if (m->out.count == WH_HDF5_FIELDS_MAX)
    return wh_fail(m->err, WH_ERR_DATA, "%.*s: a row has more than %d values", WH_STR_ARG(m->what),
                   WH_HDF5_FIELDS_MAX);
  if (m->out.count == m->cap) {
    size_t cap = m->cap ? 2 * m->cap : 16;
    h5_field *items = WH_NEW_ARRAY(m->arena, cap, h5_field);
    if (!items) return wh_fail_memory(m->err);
    if (m->out.count) memcpy(items, m->out.items, m->out.count * sizeof *items);
    m->out.items = items;
    m->cap = cap;
  }
  m->out.items[m->out.count++] = *field;
  return WH_OK;
}

// --- single values -------------------------------------------------------------------------------

static bool is_swapped(hid_t type) {
  return h5.H5Tget_order(type) ==
         (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? H5T_ORDER_BE : H5T_ORDER_LE);
}

static void make_int(hid_t type, bool is_signed, h5_field *f) {
  static const wh_kind kinds[2][4] = {{WH_UINT8, WH_UINT16, WH_UINT32, WH_UINT64},
                                      {WH_INT8, WH_INT16, WH_INT32, WH_INT64}};
  size_t precision = h5.H5Tget_precision(type);
  int shift = h5.H5Tget_offset(type);
  f->form = H5_FORM_INT;
  f->is_signed = is_signed;
  f->swapped = is_swapped(type);
  size_t step = f->size <= 1 ? 0 : f->size <= 2 ? 1 : f->size <= 4 ? 2 : 3;
  f->type = wh_type_of(kinds[is_signed][step]);
  if (f->size > 8) {
    f->refused = "it has integers of more than 64 bits";
  } else if (shift < 0 || precision == 0 || (size_t)shift + precision > f->size * 8) {
    f->refused = "its integers have no bits";
  } else {
    f->shift = (uint8_t)shift;
    f->precision = (uint8_t)precision;
    f->is_plain = precision == f->size * 8 && f->size == wh_kind_width(f->type.kind) &&
                  (!f->swapped || f->size == 1);
  }
}

// IEEE 754's binary16, binary32 and binary64 have their bits nowhere else.
static bool is_ieee(hid_t type, size_t size) {
  static const struct {
    size_t size, sign, exponent, exponent_bits, mantissa_bits, bias;
  } known[] = {{2, 15, 10, 5, 10, 15}, {4, 31, 23, 8, 23, 127}, {8, 63, 52, 11, 52, 1023}};
  size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
  H5T_order_t order = h5.H5Tget_order(type);
  if (order != H5T_ORDER_LE && order != H5T_ORDER_BE) return false;
  if (h5.H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0)
    return false;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (known[i].size == size)
      return sign == known[i].sign && exponent == known[i].exponent &&
             exponent_bits == known[i].exponent_bits && mantissa == 0 &&
             mantissa_bits == known[i].mantissa_bits && h5.H5Tget_ebias(type) == known[i].bias;
  }
  return false;
}

static void make_float(hid_t type, h5_field *f) {
  f->form = H5_FORM_FLOAT;
  f->type = wh_type_of(f->size == 8 ? WH_FLOAT64 : WH_FLOAT32);
  f->swapped = is_swapped(type);
  f->is_plain = f->size >= 4 && !f->swapped;
  if (!is_ieee(type, f->size))
    f->refused = "its floats are none of IEEE 754 with 16, 32 or 64 bits";
}

static void make_text(maker *m, hid_t type, h5_field *f) {
  f->type = wh_type_of(WH_STRING);
  f->form = H5_FORM_TEXT;
  if (h5.H5Tis_variable_str(type) > 0) {
    f->form = H5_FORM_TEXT_POINTER;
    m->out.pointers = true;
  }
  H5T_str_t pad = h5.H5Tget_strpad(type);
  f->space_padded = pad == H5T_STR_SPACEPAD;
  f->until_nul = pad == H5T_STR_NULLTERM;
}

static int by_value(const void *a, const void *b) {
  const h5_member *x = a, *y = b;
  return x->value < y->value ? -1 : x->value > y->value;
}

static wh_status make_member(maker *m, hid_t type, unsigned i, const h5_field *f, h5_member *ret) {
  uint8_t value[8] = {0};
  char *name = h5.H5Tget_member_name(type, i);
  if (!name || h5.H5Tget_member_value(type, i, value) < 0) {
    if (name) h5.H5free_memory(name);
    return h5_fail(m->err, "%.*s: the names of an enumeration cannot be read", WH_STR_ARG(m->what));
  }
  ret->name = wh_arena_str(m->arena, wh_str_of(name));
  h5.H5free_memory(name);
  if (!ret->name.data) return wh_fail_memory(m->err);
  h5_field alone = *f;
  alone.offset = 0;
  ret->value = h5_field_int(&alone, value);
  return WH_OK;
}

static bool is_bool(const h5_field *f) {
  return f->member_count == 2 && f->members[0].value == 0 && f->members[1].value == 1 &&
         wh_str_eq_nocase(f->members[0].name, WH_STR("false")) &&
         wh_str_eq_nocase(f->members[1].name, WH_STR("true"));
}

// `f` describes the integers behind it already.
static wh_status make_names(maker *m, hid_t type, h5_field *f) {
  int count = h5.H5Tget_nmembers(type);
  if (count < 0 || count > WH_HDF5_MEMBERS_MAX)
    return wh_fail(m->err, WH_ERR_DATA, "%.*s: an enumeration has more than %d names",
                   WH_STR_ARG(m->what), WH_HDF5_MEMBERS_MAX);
  h5_member *members = WH_NEW_ARRAY(m->arena, (size_t)count, h5_member);
  if (!members) return wh_fail_memory(m->err);
  for (int i = 0; i < count; i++) {
    WH_TRY(make_member(m, type, (unsigned)i, f, &members[i]));
    if (!wh_utf8_valid(members[i].name)) f->refused = "a name of its enumeration is not UTF-8";
  }
  qsort(members, (size_t)count, sizeof *members, by_value);
  f->members = members;
  f->member_count = (size_t)count;
  f->form = is_bool(f) ? H5_FORM_BOOL : H5_FORM_NAME;
  f->type = wh_type_of(f->form == H5_FORM_BOOL ? WH_BOOL : WH_STRING);
  f->is_plain = false;
  return WH_OK;
}

static wh_status make_enum(maker *m, hid_t type, h5_field *f) {
  hid_t base = h5.H5Tget_super(type);
  if (base < 0) return h5_fail(m->err, "%.*s: an enumeration has no type", WH_STR_ARG(m->what));
  bool is_int = h5.H5Tget_class(base) == H5T_INTEGER;
  if (is_int) make_int(base, h5.H5Tget_sign(base) == H5T_SGN_2, f);
  h5.H5Tclose(base);
  if (!is_int) f->refused = "it is an enumeration of something other than integers";
  return f->refused ? WH_OK : make_names(m, type, f);
}

static wh_status make_scalar(maker *m, hid_t type, H5T_class_t class, h5_field *f) {
  switch (class) {
  case H5T_INTEGER:
    make_int(type, h5.H5Tget_sign(type) == H5T_SGN_2, f);
    break;
  case H5T_BITFIELD:
    make_int(type, false, f);
    break;
  case H5T_FLOAT:
    make_float(type, f);
    break;
  case H5T_STRING:
    make_text(m, type, f);
    break;
  case H5T_OPAQUE:
    f->form = H5_FORM_BYTES;
    f->type = wh_type_of(WH_BINARY);
    break;
  case H5T_ENUM:
    WH_TRY(make_enum(m, type, f));
    break;
  case H5T_REFERENCE:
    f->refused = "it holds references to other objects of the file";
    break;
  case H5T_VLEN:
    f->refused = "it holds sequences of variable length";
    break;
  default:
    f->refused = "its type is none that becomes a column";
    break;
  }
  return add_field(m, f);
}

// --- nested types --------------------------------------------------------------------------------

static wh_status make(maker *m, hid_t type, wh_str name, size_t offset, int depth);

static wh_status make_values(maker *m, hid_t type, wh_str name, uint64_t count, size_t offset,
                             int depth) {
  size_t each = h5.H5Tget_size(type);
  if (count > WH_HDF5_FIELDS_MAX)
    return wh_fail(m->err, WH_ERR_DATA,
                   "%.*s: a row has %llu values. At most %d become columns of it",
                   WH_STR_ARG(m->what), (unsigned long long)count, WH_HDF5_FIELDS_MAX);
  for (uint64_t i = 0; i < count; i++) {
    wh_str one = wh_arena_printf(m->arena, "%.*s%llu", WH_STR_ARG(name), (unsigned long long)i + 1);
    if (!one.data) return wh_fail_memory(m->err);
    WH_TRY(make(m, type, one, offset + (size_t)i * each, depth));
  }
  return WH_OK;
}

static wh_status make_array(maker *m, hid_t type, wh_str name, size_t offset, int depth) {
  hsize_t dims[WH_HDF5_DIMENSIONS_MAX];
  uint64_t count = 1;
  int rank = h5.H5Tget_array_ndims(type);
  if (rank < 1 || rank > WH_HDF5_DIMENSIONS_MAX || h5.H5Tget_array_dims2(type, dims) < 0)
    return h5_fail(m->err, "%.*s: an array has no dimensions", WH_STR_ARG(m->what));
  for (int i = 0; i < rank; i++) {
    if (__builtin_mul_overflow(count, dims[i], &count)) count = UINT64_MAX;
  }
  hid_t base = h5.H5Tget_super(type);
  if (base < 0) return h5_fail(m->err, "%.*s: an array has no type", WH_STR_ARG(m->what));
  wh_status status = make_values(m, base, name, count, offset, depth + 1);
  h5.H5Tclose(base);
  return status;
}

// A name of the file, as it is.
static wh_status member_name(maker *m, hid_t type, unsigned i, wh_str in, bool is_top,
                             wh_str *ret) {
  char *name = h5.H5Tget_member_name(type, i);
  if (!name) return h5_fail(m->err, "%.*s: a field has no name", WH_STR_ARG(m->what));
  *ret = wh_arena_printf(m->arena, "%.*s%s%s", WH_STR_ARG(in), is_top ? "" : ".", name);
  h5.H5free_memory(name);
  if (!ret->data) return wh_fail_memory(m->err);
  if (!wh_utf8_valid(*ret))
    return wh_fail(m->err, WH_ERR_DATA, "%.*s: the name of field %u is not UTF-8",
                   WH_STR_ARG(m->what), i + 1);
  return WH_OK;
}

static wh_status make_compound(maker *m, hid_t type, wh_str name, size_t offset, int depth) {
  int count = h5.H5Tget_nmembers(type);
  if (count < 0) return h5_fail(m->err, "%.*s: a compound has no fields", WH_STR_ARG(m->what));
  for (unsigned i = 0; i < (unsigned)count; i++) {
    wh_str inner;
    WH_TRY(member_name(m, type, i, name, depth == 0, &inner));
    hid_t member = h5.H5Tget_member_type(type, i);
    if (member < 0) return h5_fail(m->err, "%.*s: a field has no type", WH_STR_ARG(m->what));
    wh_status status = make(m, member, inner, offset + h5.H5Tget_member_offset(type, i), depth + 1);
    h5.H5Tclose(member);
    WH_TRY(status);
  }
  return WH_OK;
}

static wh_status make(maker *m, hid_t type, wh_str name, size_t offset, int depth) {
  size_t size = h5.H5Tget_size(type);
  if (depth > WH_HDF5_NESTING_MAX)
    return wh_fail(m->err, WH_ERR_DATA, "%.*s: types are nested more than %d deep",
                   WH_STR_ARG(m->what), WH_HDF5_NESTING_MAX);
  if (size == 0 || offset > m->out.record || size > m->out.record - offset)
    return h5_fail(m->err, "%.*s: a field lies outside of its record", WH_STR_ARG(m->what));
  H5T_class_t class = h5.H5Tget_class(type);
  if (class == H5T_COMPOUND) return make_compound(m, type, name, offset, depth);
  if (class == H5T_ARRAY) return make_array(m, type, name, offset, depth);
  h5_field field = {.name = name, .offset = (uint32_t)offset, .size = (uint32_t)size};
  return make_scalar(m, type, class, &field);
}

wh_status h5_fields_make(hid_t type, uint64_t width, const h5_naming *naming, wh_str what,
                         wh_arena *arena, h5_fields *ret, wh_error *err) {
  maker m = {.arena = arena, .err = err, .what = what};
  size_t each = h5.H5Tget_size(type);
  uint64_t record;
  if (each == 0) return h5_fail(err, "%.*s: its type has no size", WH_STR_ARG(what));
  if (__builtin_mul_overflow(each, width, &record) || record > WH_HDF5_RECORD_BYTES)
    return wh_fail(err, WH_ERR_DATA, "%.*s: a row has more than %d KiB", WH_STR_ARG(what),
                   WH_HDF5_RECORD_BYTES >> 10);
  m.out.record = record;
  wh_str many = naming->prefix.len ? naming->prefix : naming->name;
  if (width != 1)
    WH_TRY(make_values(&m, type, many, width, 0, 1));
  else if (h5.H5Tget_class(type) == H5T_COMPOUND)
    WH_TRY(make(&m, type, naming->prefix, 0, 0));
  else
    WH_TRY(make(&m, type, h5.H5Tget_class(type) == H5T_ARRAY ? many : naming->name, 0, 1));
  *ret = m.out;
  return WH_OK;
}

ptrdiff_t h5_fields_find(const h5_fields *fields, wh_str name) {
  for (size_t i = 0; i < fields->count; i++)
    if (wh_str_eq(fields->items[i].name, name)) return (ptrdiff_t)i;
  return -1;
}
