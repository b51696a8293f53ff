#include "data/cast.h"

#include "data/cast_one.h"
#include "data/number.h"

#include <math.h>

enum { SHOWN_MAX = 60 };

static bool is_float(wh_kind k) {
  return k == WH_FLOAT32 || k == WH_FLOAT64;
}

static bool is_number(wh_kind k) {
  return k >= WH_INT8 && k <= WH_DECIMAL;
}

static bool is_exact(wh_kind k) {
  return wh_kind_is_int(k) || k == WH_DECIMAL;
}

wh_str wh_cast_show(wh_cast *cast, const wh_column *in, size_t row) {
  wh_buf_clear(&cast->text);
  if (in->type.kind == WH_STRING)
    wh_buf_add_str(&cast->text, wh_column_text(in, row));
  else
    wh_column_write(in, row, &cast->text);
  if (cast->text.len > SHOWN_MAX) {
    cast->text.len = wh_utf8_cut(wh_buf_str(&cast->text), SHOWN_MAX);
    wh_buf_add_c(&cast->text, "...");
  }
  return wh_buf_str(&cast->text);
}

// The reason is the one that reading the value's text would give.
static wh_status does_not_fit(wh_cast *cast, const wh_column *in, size_t row,
                              const wh_column *out) {
  wh_value unused;
  wh_buf_clear(&cast->text);
  if (!wh_column_write(in, row, &cast->text)) return wh_fail_memory(&cast->why);
  wh_status status =
      wh_value_parse(wh_buf_str(&cast->text), &out->type, &cast->scratch, &unused, &cast->why);
  if (status != WH_OK) return status;
  wh_str name = wh_type_friendly(&out->type, &cast->scratch);
  return wh_fail(&cast->why, WH_ERR_TYPE, "'%.*s' has more digits than %.*s keeps",
                 WH_STR_ARG(wh_buf_str(&cast->text)), WH_STR_ARG(name));
}

static wh_status cast_same(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  return wh_column_add_from(out, in, row, &cast->why);
}

static wh_status cast_to_text(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  wh_buf_clear(&cast->text);
  if (!wh_column_write(in, row, &cast->text)) return wh_buf_check(&cast->text, &cast->why);
  return wh_column_add_text(out, wh_buf_str(&cast->text), &cast->why);
}

static wh_status cast_from_text(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  wh_value value;
  WH_TRY(wh_value_parse(wh_column_text(in, row), &out->type, &cast->scratch, &value, &cast->why));
  return wh_value_add(out, &value, &cast->why);
}

// Integers and decimals, unscaled.
static __int128 exact_value(const wh_column *in, size_t row) {
  if (in->type.kind == WH_DECIMAL) return wh_column_decimal(in, row);
  if (in->type.kind == WH_UINT64) return (__int128)wh_column_u64(in, row);
  return wh_column_i64(in, row);
}

static wh_status add_int(wh_cast *cast, wh_column *out, __int128 value) {
  if (out->type.kind == WH_UINT64) return wh_column_add_u64(out, (uint64_t)value, &cast->why);
  return wh_column_add_i64(out, (int64_t)value, &cast->why);
}

static wh_status cast_exact(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  const wh_type *to = &out->type;
  bool decimal = to->kind == WH_DECIMAL;
  int from_scale = in->type.kind == WH_DECIMAL ? in->type.scale : 0;
  __int128 value;
  wh_fit fit = wh_decimal_rescale(exact_value(in, row), from_scale,
                                  decimal ? to->precision : WH_DECIMAL_DIGITS_MAX,
                                  decimal ? to->scale : 0, &value);
  if (fit != WH_FIT_OK || (!decimal && !wh_int_fits(to->kind, value)))
    return does_not_fit(cast, in, row, out);
  return decimal ? wh_column_add_decimal(out, value, &cast->why) : add_int(cast, out, value);
}

static bool write_float(wh_kind kind, double value, wh_buf *out) {
  return kind == WH_FLOAT32 ? wh_f32_write((float)value, out) : wh_f64_write(value, out);
}

// Whether the float's shortest text is the decimal's: then it can come back.
static bool says_the_same(wh_cast *cast, wh_kind kind, double value, __int128 unscaled, int scale) {
  wh_number number;
  __int128 again;
  wh_buf_clear(&cast->text);
  return write_float(kind, value, &cast->text) &&
         wh_number_parse(wh_buf_str(&cast->text), &number) &&
         wh_number_to_decimal(&number, WH_DECIMAL_DIGITS_MAX, scale, &again) == WH_FIT_OK &&
         again == unscaled;
}

static wh_status cast_exact_float(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  int scale = in->type.kind == WH_DECIMAL ? in->type.scale : 0;
  __int128 unscaled = exact_value(in, row);
  double value = (double)unscaled;
  if (scale) {
    wh_buf_clear(&cast->text);
    if (!wh_decimal_write(unscaled, scale, &cast->text)) return wh_fail_memory(&cast->why);
    if (!wh_f64_parse(wh_buf_str(&cast->text), &value)) return does_not_fit(cast, in, row, out);
  }
  if (out->type.kind == WH_FLOAT32) value = (double)(float)value;
  // The way back decides: a whole float becomes its exact value, another what its text says.
  bool same = unscaled % wh_pow10(scale) == 0
                  ? wh_decimal_compare_f64(unscaled, scale, value) == 0
                  : says_the_same(cast, out->type.kind, value, unscaled, scale);
  if (!same) return does_not_fit(cast, in, row, out);
  return wh_column_add_f64(out, value, &cast->why);
}

static wh_status cast_float_float(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  double value = wh_column_f64(in, row);
  if (out->type.kind == WH_FLOAT32 && !isnan(value) && (double)(float)value != value)
    return does_not_fit(cast, in, row, out);
  return wh_column_add_f64(out, value, &cast->why);
}

static wh_status cast_float_int(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  double value = wh_column_f64(in, row);
  if (!(fabs(value) < 0x1p100) || trunc(value) != value ||
      !wh_int_fits(out->type.kind, (__int128)value))
    return does_not_fit(cast, in, row, out);
  return add_int(cast, out, (__int128)value);
}

// Whole floats by their value; of another, what its shortest text says: 0.1 is meant as 0.1.
static wh_status cast_float_decimal(wh_cast *cast, const wh_column *in, size_t row,
                                    wh_column *out) {
  const wh_type *to = &out->type;
  double value = wh_column_f64(in, row);
  __int128 unscaled;
  wh_fit fit = WH_FIT_RANGE;
  wh_number number;
  wh_buf_clear(&cast->text);
  if (!wh_column_write(in, row, &cast->text)) return wh_fail_memory(&cast->why);
  if (fabs(value) < 1e38 && trunc(value) == value)
    fit = wh_decimal_rescale((__int128)value, 0, to->precision, to->scale, &unscaled);
  else if (wh_number_parse(wh_buf_str(&cast->text), &number))
    fit = wh_number_to_decimal(&number, to->precision, to->scale, &unscaled);
  if (fit != WH_FIT_OK) return does_not_fit(cast, in, row, out);
  return wh_column_add_decimal(out, unscaled, &cast->why);
}

static wh_status cast_int_bool(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  __int128 value = exact_value(in, row);
  if (value == 0 || value == 1) return wh_column_add_bool(out, value == 1, &cast->why);
  return wh_fail(&cast->why, WH_ERR_TYPE, "'%.*s' is neither 0 nor 1",
                 WH_STR_ARG(wh_cast_show(cast, in, row)));
}

static wh_status cast_bool_int(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  return wh_column_add_i64(out, wh_column_bool(in, row), &cast->why);
}

static wh_cast_fn find(const wh_type *from, const wh_type *to);

// A part of a nested value, with its NULLs.
static wh_status cast_part(wh_cast *cast, const wh_column *in, size_t row, const wh_field *to,
                           wh_column *out) {
  if (!wh_column_is_null(in, row)) return find(&in->type, &out->type)(cast, in, row, out);
  if (to->nullable) return wh_column_add_null(out, &cast->why);
  return wh_fail(&cast->why, WH_ERR_TYPE, "its '%.*s' is missing", WH_STR_ARG(to->name));
}

static wh_status cast_list(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  const wh_field *item = &out->type.fields[0];
  for (int32_t i = in->offsets[row]; i < in->offsets[row + 1]; i++)
    WH_TRY(cast_part(cast, &in->children[0], (size_t)i, item, &out->children[0]));
  return wh_column_add_list(out, &cast->why);
}

static wh_status cast_struct(wh_cast *cast, const wh_column *in, size_t row, wh_column *out) {
  const wh_schema from = {in->type.field_count, in->type.fields};
  for (size_t i = 0; i < out->child_count; i++) {
    const wh_field *field = &out->type.fields[i];
    ptrdiff_t source = wh_schema_find(&from, field->name);
    if (source < 0)
      WH_TRY(wh_column_add_null(&out->children[i], &cast->why));
    else
      WH_TRY(cast_part(cast, &in->children[source], row, field, &out->children[i]));
  }
  return wh_column_add_struct(out, &cast->why);
}

static bool structs_match(const wh_type *from, const wh_type *to) {
  const wh_schema a = {from->field_count, from->fields}, b = {to->field_count, to->fields};
  size_t matched = 0;
  for (size_t i = 0; i < b.count; i++) {
    ptrdiff_t source = wh_schema_find(&a, b.fields[i].name);
    if (source < 0 && !b.fields[i].nullable) return false;
    if (source < 0) continue;
    if (!wh_cast_possible(&a.fields[source].type, &b.fields[i].type)) return false;
    matched++;
  }
  return matched == a.count;
}

static wh_cast_fn find_number(wh_kind a, wh_kind b) {
  if (is_exact(a) && is_exact(b)) return cast_exact;
  if (is_exact(a) && is_float(b)) return cast_exact_float;
  if (is_float(a) && is_float(b)) return cast_float_float;
  return b == WH_DECIMAL ? cast_float_decimal : cast_float_int;
}

static wh_cast_fn find(const wh_type *from, const wh_type *to) {
  wh_kind a = from->kind, b = to->kind;
  if (a == WH_NULL || wh_type_eq(from, to)) return cast_same;
  if (is_number(a) && is_number(b)) return find_number(a, b);
  wh_cast_fn temporal = wh_cast_temporal(from, to);
  if (temporal) return temporal;
  if (b == WH_STRING) return cast_to_text;
  if (a == WH_STRING && b != WH_NULL && b != WH_LIST && b != WH_STRUCT) return cast_from_text;
  if (wh_kind_is_int(a) && b == WH_BOOL) return cast_int_bool;
  if (a == WH_BOOL && wh_kind_is_int(b)) return cast_bool_int;
  if (a == WH_LIST && b == WH_LIST)
    return wh_cast_possible(&from->fields[0].type, &to->fields[0].type) ? cast_list : NULL;
  if (a == WH_STRUCT && b == WH_STRUCT) return structs_match(from, to) ? cast_struct : NULL;
  return NULL;
}

bool wh_cast_possible(const wh_type *from, const wh_type *to) {
  return find(from, to) != NULL;
}

static wh_status refuse(const wh_column *in, const wh_column *out, wh_mem *mem, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_str from = wh_type_friendly(&in->type, &arena), to = wh_type_friendly(&out->type, &arena);
  return wh_fail(err, WH_ERR_TYPE, "%.*s cannot become %.*s", WH_STR_ARG(from), WH_STR_ARG(to));
}

static wh_status cast_rows(wh_cast *cast, const wh_column *in, wh_column *out,
                           wh_cast_failed failed, void *context, wh_error *err) {
  wh_cast_fn one = find(&in->type, &out->type);
  for (size_t row = 0; row < in->length; row++) {
    if (wh_column_is_null(in, row)) {
      WH_TRY(wh_column_add_null(out, err));
      continue;
    }
    size_t before = out->length;
    wh_arena_reset(&cast->scratch);
    wh_status status = one(cast, in, row, out);
    if (status == WH_OK) continue;
    wh_column_truncate(out, before); // what a nested value left
    if (status != WH_ERR_TYPE || !failed) {
      if (err) *err = cast->why;
      if (status == WH_ERR_TYPE) wh_error_prefix(err, "row %zu: ", row + 1);
      return status;
    }
    WH_TRY(wh_column_add_null(out, err));
    WH_TRY(failed(context, row, cast->why.text, err));
  }
  return WH_OK;
}

wh_status wh_cast_column(const wh_column *in, wh_column *out, const wh_cast_options *options,
                         wh_cast_failed failed, void *context, wh_error *err) {
  static const wh_cast_options none = {0};
  if (!wh_cast_possible(&in->type, &out->type)) return refuse(in, out, out->mem, err);
  if (wh_type_eq(&in->type, &out->type)) return wh_column_add_range(out, in, 0, in->length, err);
  WH_TRY(wh_column_reserve(out, in->length, 0, err));
  wh_cast cast = {.options = options ? options : &none};
  wh_arena_init(&cast.scratch, out->mem);
  wh_buf_init(&cast.text, out->mem, 0);
  wh_status status = cast_rows(&cast, in, out, failed, context, err);
  wh_arena_free(&cast.scratch);
  wh_buf_free(&cast.text);
  return status;
}
