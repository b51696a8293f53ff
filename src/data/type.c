#include "data/type.h"

size_t wh_kind_width(wh_kind kind) {
  switch (kind) {
  case WH_INT8:
  case WH_UINT8:
    return 1;
  case WH_INT16:
  case WH_UINT16:
    return 2;
  case WH_INT32:
  case WH_UINT32:
  case WH_FLOAT32:
  case WH_DATE:
    return 4;
  case WH_INT64:
  case WH_UINT64:
  case WH_FLOAT64:
  case WH_TIME:
  case WH_TIMESTAMP:
    return 8;
  case WH_DECIMAL:
    return 16;
  case WH_NULL:
  case WH_BOOL:
  case WH_STRING:
  case WH_BINARY:
  case WH_LIST:
  case WH_STRUCT:
    return 0;
  }
  return 0;
}

static bool fields_eq(const wh_field *a, const wh_field *b, bool names) {
  return (!names || wh_str_eq(a->name, b->name)) && a->nullable == b->nullable &&
         wh_type_eq(&a->type, &b->type);
}

bool wh_type_eq(const wh_type *a, const wh_type *b) {
  if (a->kind != b->kind) return false;
  switch (a->kind) {
  case WH_DECIMAL:
    return a->precision == b->precision && a->scale == b->scale;
  case WH_TIME:
    return a->unit == b->unit;
  case WH_TIMESTAMP:
    return a->unit == b->unit && a->zoned == b->zoned;
  case WH_LIST:
    // The item's name is a convention of formats, not content.
    return a->fields == b->fields || fields_eq(&a->fields[0], &b->fields[0], false);
  case WH_STRUCT:
    if (a->field_count != b->field_count) return false;
    if (a->fields == b->fields) return true;
    for (uint32_t i = 0; i < a->field_count; i++)
      if (!fields_eq(&a->fields[i], &b->fields[i], true)) return false;
    return true;
  default:
    return true;
  }
}

bool wh_schema_eq(const wh_schema *a, const wh_schema *b) {
  if (a->count != b->count) return false;
  if (a->fields == b->fields) return true;
  for (size_t i = 0; i < a->count; i++)
    if (!fields_eq(&a->fields[i], &b->fields[i], true)) return false;
  return true;
}

ptrdiff_t wh_schema_find(const wh_schema *schema, wh_str name) {
  for (size_t i = 0; i < schema->count; i++)
    if (wh_str_eq(schema->fields[i].name, name)) return (ptrdiff_t)i;
  return -1;
}

static wh_field *copy_fields(const wh_field *fields, size_t count, wh_arena *arena) {
  wh_field *copy = WH_NEW_ARRAY(arena, count, wh_field);
  for (size_t i = 0; copy && i < count; i++) {
    copy[i] = fields[i];
    copy[i].name = wh_arena_str(arena, fields[i].name);
    if (!copy[i].name.data) return NULL;
    if (fields[i].type.field_count == 0) continue;
    copy[i].type.fields = copy_fields(fields[i].type.fields, fields[i].type.field_count, arena);
    if (!copy[i].type.fields) return NULL;
  }
  return copy;
}

wh_status wh_type_copy(const wh_type *type, wh_arena *arena, wh_type *ret, wh_error *err) {
  wh_type copy = *type;
  if (type->field_count) {
    copy.fields = copy_fields(type->fields, type->field_count, arena);
    if (!copy.fields) return wh_fail_memory(err);
  }
  *ret = copy;
  return WH_OK;
}

wh_status wh_schema_copy(const wh_schema *schema, wh_arena *arena, wh_schema *ret, wh_error *err) {
  wh_field *fields = copy_fields(schema->fields, schema->count, arena);
  if (!fields) return wh_fail_memory(err);
  *ret = (wh_schema){.count = schema->count, .fields = fields};
  return WH_OK;
}

static const char *const class_names[] = {
    [WH_PUBLIC] = "public",
    [WH_INTERNAL] = "internal",
    [WH_PERSONAL] = "personal",
    [WH_SECRET] = "secret",
};

const char *wh_class_name(wh_class c) {
  return class_names[c];
}

bool wh_class_parse(wh_str text, wh_class *ret) {
  for (size_t i = 0; i < sizeof class_names / sizeof *class_names; i++) {
    if (!wh_str_is(text, class_names[i])) continue;
    *ret = (wh_class)i;
    return true;
  }
  return false;
}

static bool write_field_json(const wh_field *field, wh_buf *out) {
  WH_CLEAN_BUF wh_buf type;
  wh_buf_init(&type, out->mem, 0);
  bool ok = wh_type_write(&field->type, &type) && wh_buf_add_c(out, "{\"name\":") &&
            wh_buf_add_json(out, field->name) && wh_buf_add_c(out, ",\"type\":") &&
            wh_buf_add_json(out, wh_buf_str(&type)) &&
            wh_buf_add_c(out, field->nullable ? ",\"nullable\":true" : ",\"nullable\":false") &&
            wh_buf_add_c(out, ",\"class\":\"") &&
            wh_buf_add_c(out, wh_class_name(field->privacy)) && wh_buf_add_c(out, "\"}");
  if (!ok) out->failed = true;
  return ok;
}

bool wh_schema_write_json(const wh_schema *schema, wh_buf *out) {
  bool ok = wh_buf_add_char(out, '[');
  for (size_t i = 0; ok && i < schema->count; i++)
    ok = (i == 0 || wh_buf_add_char(out, ',')) && write_field_json(&schema->fields[i], out);
  return ok && wh_buf_add_char(out, ']');
}
