// A record of a dataset or an attribute, as fields of bytes: what they are named, where they stand
// and what they become. Records are read as they are stored, without a conversion by libhdf5.
#pragma once

#include "codec/hdf5/lib.h"
#include "data/batch.h"

typedef enum h5_form {
  H5_FORM_INT, // with its bits at `shift`, `precision` of them
  H5_FORM_FLOAT,
  H5_FORM_TEXT,
  H5_FORM_TEXT_POINTER, // of variable length: where libhdf5 put it
  H5_FORM_BYTES,
  H5_FORM_BOOL, // an enumeration of FALSE and TRUE
  H5_FORM_NAME, // any other
} h5_form;

typedef struct h5_member {
  int64_t value;
  wh_str name;
} h5_member;

typedef struct h5_field {
  wh_str name;
  wh_type type;
  h5_form form;
  uint32_t offset, size; // within the record
  uint8_t shift, precision;
  bool is_signed;
  bool swapped;  // not in the order of this machine
  bool is_plain; // the same bytes as a value of `type`
  bool space_padded, until_nul;
  const h5_member *members; // by value
  size_t member_count;
  const char *refused; // why it cannot be read; NULL: it can
} h5_field;

typedef struct h5_fields {
  h5_field *items;
  size_t count;
  size_t record; // bytes, as libhdf5 gives them out
  bool pointers; // among them are texts of variable length
} h5_fields;

// How the fields are named: a compound's members `prefix` and member, the values of further
// dimensions `prefix` (or else `name`) and a number from 1, a single value `name`.
typedef struct h5_naming {
  wh_str name, prefix;
} h5_naming;

// Of a dataset or attribute `what` (for errors) of the type, each of whose rows has `width` values
// of it. h5_enter was called.
wh_status h5_fields_make(hid_t type, uint64_t width, const h5_naming *naming, wh_str what,
                         wh_arena *arena, h5_fields *ret, wh_error *err);
// Or -1.
ptrdiff_t h5_fields_find(const h5_fields *fields, wh_str name);

// How many of the n records, `stride` bytes apart, have a good value in the field before the first
// that has none.
size_t h5_field_good(const h5_field *field, const uint8_t *records, size_t stride, size_t n);
// Why the record has none, as a phrase, and its value.
wh_str h5_field_fault(const h5_field *field, const uint8_t *record, wh_arena *arena,
                      wh_str *ret_value);
// Appends their values, all of which are good, to a column of the field's type. Stride 0: the same
// n times.
wh_status h5_field_append(const h5_field *field, const uint8_t *records, size_t stride, size_t n,
                          wh_column *column, wh_error *err);
// The value of an integer field.
int64_t h5_field_int(const h5_field *field, const uint8_t *record);
