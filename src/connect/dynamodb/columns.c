// What is known of tables' columns.
#include "connect/dynamodb/marks.h"

static wh_status read_columns(const json_t *list, wh_arena *arena, wh_schema *ret, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(arena, json_array_size(list), wh_field);
  size_t count = 0, i;
  json_t *item;
  if (!fields) return wh_fail_memory(err);
  json_array_foreach(list, i, item) {
    const json_t *map = json_object_get(item, "M");
    wh_field *f = &fields[count];
    *f = (wh_field){.nullable = true, .privacy = WH_INTERNAL};
    f->name = wh_arena_str(arena, wh_dynamodb_item_text(map, "name", "S"));
    if (!f->name.data) return wh_fail_memory(err);
    // A type that a later version wrote is as good as none.
    wh_status status =
        wh_type_parse(wh_dynamodb_item_text(map, "type", "S"), arena, &f->type, NULL);
    if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
    count += status == WH_OK;
  }
  *ret = (wh_schema){.count = count, .fields = fields};
  return WH_OK;
}

wh_status wh_dynamodb_known_columns(wh_connection *c, wh_aws_client *client, wh_str table,
                                    wh_arena *arena, wh_schema *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_JSON json_t *answer = NULL;
  bool missing;
  wh_buf_init(&body, c->mem, 0);
  wh_buf_add_c(&body, "{\"ConsistentRead\":true,\"TableName\":");
  wh_buf_add_json(&body, wh_dynamodb_options_of(c)->marks);
  wh_buf_add_c(&body, ",\"Key\":{\"pipeline\":{\"S\":");
  wh_buf_add_json(&body, WH_STR(WH_DYNAMODB_COLUMNS_KEY));
  wh_buf_add_c(&body, "},\"id\":{\"S\":");
  wh_buf_add_json(&body, table);
  wh_buf_add_c(&body, "}}}");
  *ret = (wh_schema){0};
  wh_error inner = {0};
  wh_status status =
      wh_dynamodb_call(c, client, WH_DYNAMODB_ACTION("GetItem"), &body, &missing, &answer, &inner);
  // Who reads a table need not be allowed to read the marks, nor need they be a table of ours.
  if (status == WH_ERR_DENIED || status == WH_ERR_REFUSED) return WH_OK;
  if (status != WH_OK && err) *err = inner;
  if (status != WH_OK || missing) return status;
  const json_t *columns = json_object_get(json_object_get(answer, "Item"), "columns");
  return read_columns(json_object_get(columns, "L"), arena, ret, err);
}

static bool knows(const wh_schema *known, const wh_schema *schema) {
  for (size_t i = 0; i < schema->count; i++) {
    ptrdiff_t at = wh_schema_find(known, schema->fields[i].name);
    if (at < 0 || !wh_type_eq(&known->fields[at].type, &schema->fields[i].type)) return false;
  }
  return true;
}

static void add_column(wh_buf *body, const wh_field *field, wh_buf *type, bool is_first) {
  wh_buf_clear(type);
  wh_type_write(&field->type, type);
  wh_buf_add_c(body, is_first ? "" : ",");
  wh_buf_add_c(body, "{\"M\":{\"name\":{\"S\":");
  wh_buf_add_json(body, field->name);
  wh_buf_add_c(body, "},\"type\":{\"S\":");
  wh_buf_add_json(body, wh_buf_str(type));
  wh_buf_add_c(body, "}}}");
}

wh_status wh_dynamodb_note_columns(wh_connection *c, wh_aws_client *client, wh_str table,
                                   const wh_schema *schema, bool is_new, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_BUF wh_buf type;
  WH_CLEAN_JSON json_t *answer = NULL;
  wh_schema known = {0};
  wh_arena_init(&arena, c->mem);
  wh_buf_init(&body, c->mem, 0);
  wh_buf_init(&type, c->mem, 0);
  if (!is_new) WH_TRY(wh_dynamodb_known_columns(c, client, table, &arena, &known, err));
  if (knows(&known, schema)) return WH_OK;
  wh_buf_add_c(&body, "{\"TableName\":");
  wh_buf_add_json(&body, wh_dynamodb_options_of(c)->marks);
  wh_buf_add_c(&body, ",\"Item\":{\"pipeline\":{\"S\":");
  wh_buf_add_json(&body, WH_STR(WH_DYNAMODB_COLUMNS_KEY));
  wh_buf_add_c(&body, "},\"id\":{\"S\":");
  wh_buf_add_json(&body, table);
  wh_buf_add_c(&body, "},\"columns\":{\"L\":[");
  for (size_t i = 0; i < schema->count; i++)
    add_column(&body, &schema->fields[i], &type, i == 0);
  for (size_t i = 0; i < known.count; i++)
    if (wh_schema_find(schema, known.fields[i].name) < 0)
      add_column(&body, &known.fields[i], &type, false);
  wh_buf_add_c(&body, "]}}}");
  WH_TRY(wh_buf_check(&type, err));
  return wh_dynamodb_call(c, client, WH_DYNAMODB_ACTION("PutItem"), &body, NULL, &answer, err);
}
