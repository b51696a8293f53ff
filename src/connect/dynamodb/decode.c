#include "connect/dynamodb/decode.h"

#include "base/crypto.h"
#include "data/number.h"
#include "data/temporal.h"

#include <stdio.h>

typedef struct decoding {
  wh_buf *scratch;
  wh_misfit *misfit;
  wh_error *err;
} decoding;

__attribute__((format(printf, 3, 4))) static wh_status misfit(const decoding *d, const char *rule,
                                                              const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  d->misfit->rule = rule;
  vsnprintf(d->misfit->reason, sizeof d->misfit->reason, fmt, args);
  va_end(args);
  return WH_ERR_TYPE;
}

static const char *kind_word(const char *kind) {
  static const char *const words[][2] = {
      {"S", "text (S)"},         {"N", "a number (N)"}, {"B", "binary (B)"},
      {"BOOL", "a bool (BOOL)"}, {"L", "a list (L)"},   {"M", "a map (M)"},
      {"SS", "a set (SS)"},      {"NS", "a set (NS)"},  {"BS", "a set (BS)"},
  };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(words[i][0], kind) == 0) return words[i][1];
  return "no attribute that is known";
}

static wh_status wrong_kind(const decoding *d, const char *kind, const wh_type *type) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, d->scratch->mem);
  return misfit(d, "type", "%s, where %.*s is expected", kind_word(kind),
                WH_STR_ARG(wh_type_friendly(type, &arena)));
}

// --- Scalars -------------------------------------------------------------------------------------

// The text of a number or a time.
static wh_status add_parsed(const decoding *d, wh_str text, wh_column *column) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, d->scratch->mem);
  wh_value value;
  wh_error reason = {0};
  wh_status status = wh_value_parse(text, &column->type, &arena, &value, &reason);
  if (status == WH_OK) return wh_value_add(column, &value, d->err);
  if (status == WH_ERR_TYPE) return misfit(d, "type", "%s", reason.text);
  return wh_fail(d->err, status, "%s", reason.text);
}

// Seconds since 1970, as TTL attributes are.
static wh_status add_seconds(const decoding *d, wh_str text, wh_column *column) {
  int64_t seconds, value;
  bool fits = wh_str_to_i64(text, &seconds) &&
              wh_unit_convert(seconds, WH_UNIT_S, column->type.unit, &value);
  if (!fits) return misfit(d, "type", "'%.*s' is no number of seconds", WH_STR_ARG(text));
  return wh_column_add_i64(column, value, d->err);
}

static wh_status add_binary(const decoding *d, wh_str text, wh_column *column) {
  wh_buf_clear(d->scratch);
  if (!wh_base64_decode(WH_BASE64_STANDARD, text, d->scratch)) {
    WH_TRY(wh_buf_check(d->scratch, d->err));
    return misfit(d, "type", "the server's base64 cannot be read");
  }
  return wh_column_add_text(column, wh_buf_str(d->scratch), d->err);
}

static wh_status add_scalar(const decoding *d, const char *kind, const json_t *value,
                            wh_column *column) {
  wh_str text = wh_dynamodb_text(value);
  const wh_type *type = &column->type;
  bool is_text = strcmp(kind, "S") == 0, is_number = strcmp(kind, "N") == 0;
  if (wh_kind_is_int(type->kind) || type->kind == WH_DECIMAL || type->kind == WH_FLOAT32 ||
      type->kind == WH_FLOAT64)
    return is_number ? add_parsed(d, text, column) : wrong_kind(d, kind, type);
  switch (type->kind) {
  case WH_BOOL:
    if (strcmp(kind, "BOOL") != 0) return wrong_kind(d, kind, type);
    return wh_column_add_bool(column, json_is_true(value), d->err);
  case WH_STRING:
    return is_text ? wh_column_add_text(column, text, d->err) : wrong_kind(d, kind, type);
  case WH_BINARY:
    return strcmp(kind, "B") == 0 ? add_binary(d, text, column) : wrong_kind(d, kind, type);
  case WH_TIMESTAMP:
    if (is_number && type->zoned) return add_seconds(d, text, column);
    return is_text ? add_parsed(d, text, column) : wrong_kind(d, kind, type);
  case WH_DATE:
  case WH_TIME:
    return is_text ? add_parsed(d, text, column) : wrong_kind(d, kind, type);
  default:
    return wrong_kind(d, kind, type);
  }
}

// --- Lists and structures ------------------------------------------------------------------------

static wh_status add_value(const decoding *d, const json_t *attribute, const wh_field *field,
                           wh_column *column);

static wh_status add_items(const decoding *d, const char *kind, const json_t *items,
                           wh_column *column) {
  const wh_field *field = &column->type.fields[0];
  bool is_set = kind[0] != 'L';
  size_t i;
  json_t *item;
  if (strcmp(kind, "L") != 0 && !(is_set && kind[1] == 'S' && !kind[2]))
    return wrong_kind(d, kind, &column->type);
  WH_TRY(wh_column_reserve(column, 1, 0, d->err)); // its items' column is there
  const char letter[] = {kind[0], 0};
  json_array_foreach(items, i, item) {
    wh_column *child = &column->children[0];
    WH_TRY(is_set ? add_scalar(d, letter, item, child) : add_value(d, item, field, child));
  }
  return wh_column_add_list(column, d->err);
}

// A member that the structure has not would be lost.
static wh_status check_members(const decoding *d, const json_t *map, const wh_type *type) {
  for (void *at = json_object_iter((json_t *)(uintptr_t)map); at;
       at = json_object_iter_next((json_t *)(uintptr_t)map, at)) {
    wh_str name = wh_str_n(json_object_iter_key(at), json_object_iter_key_len(at));
    bool known = false;
    for (size_t i = 0; i < type->field_count && !known; i++)
      known = wh_str_eq(type->fields[i].name, name);
    if (!known)
      return misfit(d, "type", "it has a member '%.*s', which none of the sample had",
                    WH_STR_ARG(name));
  }
  return WH_OK;
}

static wh_status add_members(const decoding *d, const char *kind, const json_t *map,
                             wh_column *column) {
  const wh_type *type = &column->type;
  if (strcmp(kind, "M") != 0) return wrong_kind(d, kind, type);
  WH_TRY(check_members(d, map, type));
  WH_TRY(wh_column_reserve(column, 1, 0, d->err));
  for (size_t i = 0; i < type->field_count; i++) {
    wh_str name = type->fields[i].name;
    const json_t *member = json_object_getn(map, name.data, name.len);
    WH_TRY(add_value(d, member, &type->fields[i], &column->children[i]));
  }
  return wh_column_add_struct(column, d->err);
}

static wh_status add_value(const decoding *d, const json_t *attribute, const wh_field *field,
                           wh_column *column) {
  const json_t *value = NULL;
  const char *kind = attribute ? wh_dynamodb_kind(attribute, &value) : "NULL";
  if (!kind) return misfit(d, "type", "the server's answer is no attribute");
  if (strcmp(kind, "NULL") == 0) {
    if (field->nullable) return wh_column_add_null(column, d->err);
    return misfit(d, "not_null", "missing");
  }
  if (column->type.kind == WH_LIST) return add_items(d, kind, value, column);
  if (column->type.kind == WH_STRUCT) return add_members(d, kind, value, column);
  return add_scalar(d, kind, value, column);
}

wh_status wh_dynamodb_decode(const json_t *attribute, const wh_field *field, wh_column *column,
                             wh_buf *scratch, wh_misfit *ret_misfit, wh_error *err) {
  decoding d = {.scratch = scratch, .misfit = ret_misfit, .err = err};
  return add_value(&d, attribute, field, column);
}

// --- Types ---------------------------------------------------------------------------------------

static wh_type number_type(wh_str text) {
  wh_number n;
  int64_t whole;
  wh_type type = wh_type_of(WH_INT64);
  if (wh_str_to_i64(text, &whole)) return type;
  if (!wh_number_parse(text, &n)) return wh_type_of(WH_STRING);
  int digits = 0;
  for (unsigned __int128 rest = n.digits; rest; rest /= 10)
    digits++;
  int scale = n.exponent < 0 ? -n.exponent : 0;
  int places = n.exponent > 0 ? digits + n.exponent : digits > scale ? digits : scale;
  if (places > WH_DECIMAL_DIGITS_MAX) return wh_type_of(WH_FLOAT64);
  type = wh_type_of(WH_DECIMAL);
  type.precision = (uint8_t)(places ? places : 1);
  type.scale = (uint8_t)scale;
  return type;
}

static wh_status list_type(const wh_type *item, wh_arena *arena, wh_type *ret, wh_error *err) {
  wh_field *field = WH_NEW(arena, wh_field);
  if (!field) return wh_fail_memory(err);
  *field = (wh_field){.name = WH_STR("item"), .type = *item, .nullable = true};
  field->privacy = WH_INTERNAL;
  *ret = (wh_type){.kind = WH_LIST, .field_count = 1, .fields = field};
  return WH_OK;
}

// Items that do not go together reject their row when it is read.
static wh_status type_of_items(const char *kind, const json_t *items, wh_arena *arena, wh_type *ret,
                               wh_error *err) {
  wh_type all = wh_type_of(WH_NULL);
  size_t i;
  json_t *item;
  json_array_foreach(items, i, item) {
    wh_type one = wh_type_of(kind[0] == 'B' ? WH_BINARY : WH_STRING), wide;
    if (kind[0] == 'N') one = number_type(wh_dynamodb_text(item));
    if (kind[0] == 'L') WH_TRY(wh_dynamodb_type_of(item, arena, &one, err));
    if (wh_type_widen(&all, &one, arena, &wide)) all = wide;
  }
  return list_type(&all, arena, ret, err);
}

static wh_status type_of_members(const json_t *map, wh_arena *arena, wh_type *ret, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(arena, json_object_size(map), wh_field);
  uint32_t count = 0;
  if (!fields) return wh_fail_memory(err);
  for (void *at = json_object_iter((json_t *)(uintptr_t)map); at;
       at = json_object_iter_next((json_t *)(uintptr_t)map, at)) {
    wh_field *f = &fields[count++];
    wh_str name = wh_str_n(json_object_iter_key(at), json_object_iter_key_len(at));
    *f = (wh_field){.nullable = true, .privacy = WH_INTERNAL};
    f->name = wh_arena_str(arena, name);
    if (!f->name.data) return wh_fail_memory(err);
    WH_TRY(wh_dynamodb_type_of(json_object_iter_value(at), arena, &f->type, err));
  }
  *ret = (wh_type){.kind = WH_STRUCT, .field_count = count, .fields = fields};
  return WH_OK;
}

wh_status wh_dynamodb_type_of(const json_t *attribute, wh_arena *arena, wh_type *ret,
                              wh_error *err) {
  const json_t *value = NULL;
  const char *kind = wh_dynamodb_kind(attribute, &value);
  *ret = wh_type_of(WH_NULL);
  if (!kind || strcmp(kind, "NULL") == 0) return WH_OK;
  if (strcmp(kind, "M") == 0) return type_of_members(value, arena, ret, err);
  if (strcmp(kind, "L") == 0 || kind[1] == 'S') return type_of_items(kind, value, arena, ret, err);
  if (strcmp(kind, "BOOL") == 0)
    *ret = wh_type_of(WH_BOOL);
  else if (strcmp(kind, "N") == 0)
    *ret = number_type(wh_dynamodb_text(value));
  else
    *ret = wh_type_of(strcmp(kind, "B") == 0 ? WH_BINARY : WH_STRING);
  return WH_OK;
}
