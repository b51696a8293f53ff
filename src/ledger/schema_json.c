#include "ledger/schema_json.h"

enum { SCHEMA_BYTES_MAX = 16 << 20 };

static wh_status fail_column(size_t number, const char *reason, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "column %zu of the schema %s", number, reason);
}

static wh_status read_field(const json_t *item, size_t number, wh_arena *arena, wh_field *ret,
                            wh_error *err) {
  if (!json_is_object(item)) return fail_column(number, "is not an object", err);
  if (!json_is_string(json_object_get(item, "name"))) {
    return fail_column(number, "has no name", err);
  }
  const json_t *nullable = json_object_get(item, "nullable");
  if (nullable && !json_is_boolean(nullable)) {
    return fail_column(number, "does not say true or false for 'nullable'", err);
  }
  wh_field field = {.nullable = !nullable || json_is_true(nullable), .privacy = WH_INTERNAL};
  if (json_object_get(item, "class") &&
      !wh_class_parse(wh_json_text(item, "class"), &field.privacy)) {
    return fail_column(number, "has a class that is none", err);
  }
  wh_status status = wh_type_parse(wh_json_text(item, "type"), arena, &field.type, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "column %zu of the schema: ", number);
    if (err && status == WH_ERR_TYPE) err->status = WH_ERR_DATA;
    return status == WH_ERR_TYPE ? WH_ERR_DATA : status;
  }
  field.name = wh_arena_str(arena, wh_json_text(item, "name"));
  if (!field.name.data) return wh_fail_memory(err);
  *ret = field;
  return WH_OK;
}

wh_status wh_schema_of_json(const json_t *list, wh_arena *arena, wh_schema *ret, wh_error *err) {
  if (!json_is_array(list)) return wh_fail(err, WH_ERR_DATA, "the schema is not a list");
  size_t count = json_array_size(list);
  if (count > WH_COLUMNS_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "the schema has %zu columns, more than %d", count,
                   WH_COLUMNS_MAX);
  }
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(read_field(json_array_get(list, i), i + 1, arena, &fields[i], err));
  *ret = (wh_schema){count, fields};
  return WH_OK;
}

wh_status wh_schema_read_json(wh_str json, wh_arena *arena, wh_schema *ret, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(json, SCHEMA_BYTES_MAX, "the schema", &root, err));
  return wh_schema_of_json(root, arena, ret, err);
}
