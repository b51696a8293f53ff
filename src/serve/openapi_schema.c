#include "serve/openapi_private.h"

// Formats are those of the OpenAPI Initiative's registry; what a type keeps beyond them is said in
// its description.
typedef struct form {
  const char *type, *format, *example; // example: as JSON
} form;

static const form forms[] = {
    [WH_BOOL] = {"boolean", NULL, "true"},
    [WH_INT8] = {"integer", "int8", "1"},
    [WH_INT16] = {"integer", "int16", "1"},
    [WH_INT32] = {"integer", "int32", "1"},
    [WH_INT64] = {"integer", "int64", "1"},
    [WH_UINT8] = {"integer", "uint8", "1"},
    [WH_UINT16] = {"integer", "uint16", "1"},
    [WH_UINT32] = {"integer", "uint32", "1"},
    [WH_UINT64] = {"integer", "uint64", "1"},
    [WH_FLOAT32] = {"number", "float", "0.5"},
    [WH_FLOAT64] = {"number", "double", "0.5"},
    [WH_DECIMAL] = {"number", "decimal", NULL},
    [WH_DATE] = {"string", "date", "\"2026-11-22\""},
    [WH_TIME] = {"string", NULL, "\"08:55:00\""},
    [WH_TIMESTAMP] = {"string", NULL, "\"2026-11-22T08:55:00\""},
    [WH_STRING] = {"string", NULL, NULL},
    [WH_BINARY] = {"string", NULL, "\"d2hlcnJ5\""},
};

static json_t *type_schema(wh_openapi *o, const wh_type *type, bool nullable);

static void set_type(wh_openapi *o, json_t *schema, const char *type, bool or_text, bool or_null) {
  if (!or_text && !or_null) {
    wh_openapi_set(o, schema, "type", json_string(type));
    return;
  }
  json_t *types = json_array();
  wh_openapi_set(o, schema, "type", types);
  wh_openapi_add(o, types, json_string(type));
  if (or_text) wh_openapi_add(o, types, json_string("string"));
  if (or_null) wh_openapi_add(o, types, json_string("null"));
}

static void set_fields(wh_openapi *o, json_t *schema, const wh_field *fields, size_t count) {
  json_t *properties = json_object(), *required = json_array();
  wh_openapi_set(o, schema, "properties", properties);
  for (size_t i = 0; i < count; i++) {
    char *name = wh_arena_cstr(o->arena, fields[i].name);
    if (!name) {
      o->failed = true;
      continue;
    }
    wh_openapi_set(o, properties, name, type_schema(o, &fields[i].type, fields[i].nullable));
    if (!fields[i].nullable) wh_openapi_add(o, required, wh_openapi_text(fields[i].name));
  }
  if (json_array_size(required))
    wh_openapi_set(o, schema, "required", required);
  else
    json_decref(required);
}

static json_t *type_schema(wh_openapi *o, const wh_type *type, bool nullable) {
  json_t *schema = json_object();
  if (type->kind == WH_LIST) {
    set_type(o, schema, "array", false, nullable);
    wh_openapi_set(o, schema, "items",
                   type_schema(o, &type->fields[0].type, type->fields[0].nullable));
  } else if (type->kind == WH_STRUCT) {
    set_type(o, schema, "object", false, nullable);
    set_fields(o, schema, type->fields, type->field_count);
  } else {
    const form *f = &forms[type->kind];
    set_type(o, schema, f->type, type->kind == WH_DECIMAL, nullable);
    bool is_instant = type->kind == WH_TIMESTAMP && type->zoned;
    const char *format = is_instant ? "date-time" : f->format;
    if (format) wh_openapi_set(o, schema, "format", json_string(format));
    if (type->kind == WH_BINARY)
      wh_openapi_set(o, schema, "contentEncoding", json_string("base64"));
  }
  wh_str words = wh_type_friendly(type, o->arena);
  wh_openapi_set(o, schema, "description", wh_openapi_text(words));
  return schema;
}

json_t *wh_openapi_event(wh_openapi *o, const wh_schema *columns) {
  json_t *schema = json_object();
  wh_openapi_set(o, schema, "type", json_string("object"));
  set_fields(o, schema, columns->fields, columns->count);
  return schema;
}

// --- examples ------------------------------------------------------------------------------------

// As a text: a number would be written as the nearest double.
static json_t *decimal_example(wh_openapi *o, const wh_type *type) {
  int whole = type->precision - type->scale;
  wh_str text = wh_arena_printf(o->arena, "%s%s",
                                whole > 1 ? "12"
                                : whole   ? "1"
                                          : "0",
                                type->scale ? ".5" : "");
  return wh_openapi_text(text);
}

static json_t *type_example(wh_openapi *o, const wh_field *field) {
  const wh_type *type = &field->type;
  switch (type->kind) {
  case WH_LIST: {
    json_t *list = json_array();
    wh_field item = type->fields[0];
    item.name = field->name;
    wh_openapi_add(o, list, type_example(o, &item));
    return list;
  }
  case WH_STRUCT: {
    wh_schema fields = {type->field_count, type->fields};
    return wh_openapi_example(o, &fields);
  }
  case WH_STRING:
    return wh_openapi_text(field->name);
  case WH_DECIMAL:
    return decimal_example(o, type);
  case WH_TIMESTAMP:
    if (type->zoned) return json_string("2026-11-22T08:55:00Z");
    break;
  default:
    break;
  }
  return json_loads(forms[type->kind].example, JSON_DECODE_ANY, NULL);
}

json_t *wh_openapi_example(wh_openapi *o, const wh_schema *columns) {
  json_t *object = json_object();
  for (size_t i = 0; i < columns->count; i++) {
    char *name = wh_arena_cstr(o->arena, columns->fields[i].name);
    if (!name)
      o->failed = true;
    else
      wh_openapi_set(o, object, name, type_example(o, &columns->fields[i]));
  }
  return object;
}
