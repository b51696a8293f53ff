// Finds items by the table's key, or by the first part of a key of two, as they are then.
#include "connect/dynamodb/encode.h"
#include "connect/dynamodb/source.h"

typedef struct finder {
  wh_finder base;
  wh_connection *connection;
  wh_aws_client *client;
  wh_arena arena;
  wh_dynamodb_relation relation;
  wh_schema show;
  wh_schema key; // in the order of the values that come
  bool is_whole; // all of the table's key
  wh_buf body, scratch, after;
} finder;

static void finder_close(wh_finder *base) {
  finder *f = (finder *)base;
  if (!f) return;
  wh_mem *mem = f->arena.mem;
  wh_aws_give(f->client);
  wh_buf_free(&f->body);
  wh_buf_free(&f->scratch);
  wh_buf_free(&f->after);
  wh_arena_free(&f->arena);
  wh_mem_free(mem, f, sizeof *f);
}

// --- Finding -------------------------------------------------------------------------------------

// The attribute of a key's value, or WH_ERR_TYPE when no item can have it.
static wh_status add_key_value(finder *f, size_t i, const wh_value *given, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&arena, f->arena.mem);
  wh_buf_init(&text, f->arena.mem, 0);
  const wh_type *type = &f->key.fields[i].type;
  wh_value value = *given;
  if (given->is_null) return WH_ERR_TYPE;
  if (!wh_type_eq(&given->type, type)) {
    wh_value_write(given, &text);
    WH_TRY(wh_buf_check(&text, err));
    wh_error reason = {0};
    wh_status status = wh_value_parse(wh_buf_str(&text), type, &arena, &value, &reason);
    if (status == WH_ERR_TYPE) return status;
    if (status != WH_OK) return wh_fail(err, status, "%s", reason.text);
  }
  wh_column column;
  wh_misfit misfit;
  wh_column_init(&column, f->arena.mem, type);
  wh_status status = wh_value_add(&column, &value, err);
  bool empty = status == WH_OK && wh_kind_is_text(type->kind) && value.as.s.len == 0;
  if (empty) status = WH_ERR_TYPE;
  if (status == WH_OK)
    status = wh_dynamodb_encode(&column, 0, (wh_dynamodb_how){0}, &f->body, &misfit, err);
  wh_column_free(&column);
  return status;
}

static wh_status make_get(finder *f, const wh_value *key, wh_error *err) {
  wh_buf_add_c(&f->body, "{\"ConsistentRead\":true,\"TableName\":");
  wh_buf_add_json(&f->body, f->relation.name);
  wh_dynamodb_add_projection(&f->show, &f->body);
  wh_buf_add_c(&f->body, ",\"Key\":{");
  for (size_t i = 0; i < f->key.count; i++) {
    if (i) wh_buf_add_char(&f->body, ',');
    wh_buf_add_json(&f->body, f->key.fields[i].name);
    wh_buf_add_char(&f->body, ':');
    WH_TRY(add_key_value(f, i, &key[i], err));
  }
  wh_buf_add_c(&f->body, "}}");
  return wh_buf_check(&f->body, err);
}

// The name of the key stands among those of the projection.
static wh_status make_query(finder *f, const wh_value *key, wh_error *err) {
  wh_buf_add_c(&f->body, "{\"ConsistentRead\":true,\"TableName\":");
  wh_buf_add_json(&f->body, f->relation.name);
  wh_dynamodb_add_projection(&f->show, &f->body);
  f->body.len--; // its last '}'
  wh_buf_add_c(&f->body, ",\"#k\":");
  wh_buf_add_json(&f->body, f->key.fields[0].name);
  wh_buf_add_c(&f->body, "},\"KeyConditionExpression\":\"#k = :k\","
                         "\"ExpressionAttributeValues\":{\":k\":");
  WH_TRY(add_key_value(f, 0, &key[0], err));
  wh_buf_add_char(&f->body, '}');
  if (f->base.rows_max)
    wh_buf_printf(&f->body, ",\"Limit\":%zu",
                  f->base.rows_max < WH_DYNAMODB_PAGE_ITEMS ? f->base.rows_max
                                                            : (size_t)WH_DYNAMODB_PAGE_ITEMS);
  if (f->after.len) wh_buf_add_c(&f->body, ",\"ExclusiveStartKey\":");
  wh_buf_add_str(&f->body, wh_buf_str(&f->after));
  wh_buf_add_char(&f->body, '}');
  return wh_buf_check(&f->body, err);
}

static wh_status add_item(finder *f, const json_t *item, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < f->show.count; i++) {
    const wh_field *field = &f->show.fields[i];
    wh_misfit misfit;
    const json_t *attribute = json_object_getn(item, field->name.data, field->name.len);
    wh_status status =
        wh_dynamodb_decode(attribute, field, &batch->columns[i], &f->scratch, &misfit, err);
    if (status == WH_OK) continue;
    wh_batch_row_undo(batch);
    if (status != WH_ERR_TYPE) return status;
    return wh_fail(err, WH_ERR_TYPE, "%.*s: %.*s.%.*s: %s", WH_STR_ARG(f->connection->name),
                   WH_STR_ARG(f->relation.name), WH_STR_ARG(field->name), misfit.reason);
  }
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_status find_one(finder *f, const wh_value *key, wh_batch *batch, wh_error *err) {
  WH_CLEAN_JSON json_t *answer = NULL;
  wh_buf_clear(&f->body);
  WH_TRY(make_get(f, key, err));
  WH_TRY(wh_dynamodb_call(f->connection, f->client, WH_DYNAMODB_ACTION("GetItem"), &f->body, NULL,
                          &answer, err));
  const json_t *item = json_object_get(answer, "Item");
  return item ? add_item(f, item, batch, err) : WH_OK;
}

static wh_status find_many(finder *f, const wh_value *key, wh_batch *batch, wh_error *err) {
  size_t found = 0;
  wh_buf_clear(&f->after);
  do {
    WH_CLEAN_JSON json_t *answer = NULL;
    size_t i;
    json_t *item;
    wh_buf_clear(&f->body);
    WH_TRY(make_query(f, key, err));
    WH_TRY(wh_dynamodb_call(f->connection, f->client, WH_DYNAMODB_ACTION("Query"), &f->body, NULL,
                            &answer, err));
    json_array_foreach(json_object_get(answer, "Items"), i, item) {
      if (f->base.rows_max && found++ == f->base.rows_max) return WH_OK;
      WH_TRY(add_item(f, item, batch, err));
    }
    WH_TRY(wh_dynamodb_after(answer, &f->after, err));
  } while (f->after.len);
  return WH_OK;
}

static wh_status finder_find(wh_finder *base, const wh_value *key, wh_batch *batch, wh_error *err) {
  finder *f = (finder *)base;
  wh_error inner = {0};
  wh_status status =
      f->is_whole ? find_one(f, key, batch, &inner) : find_many(f, key, batch, &inner);
  // Without a text it is a key that no item can have.
  if (status == WH_ERR_TYPE && !inner.text[0]) return WH_OK;
  if (status != WH_OK && err) *err = inner;
  return status;
}

// --- Opening -------------------------------------------------------------------------------------

static wh_status pick(finder *f, const wh_str *names, size_t count, wh_schema *ret, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(&f->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_schema_find(&f->relation.schema, names[i]);
    bool is_order = wh_str_eq(names[i], WH_STR(WH_ORDER_COLUMN));
    if (at < 0 && !is_order)
      return wh_dynamodb_no_column(f->connection, &f->relation, names[i], err);
    fields[i] = is_order ? (wh_field){.name = WH_STR(WH_ORDER_COLUMN),
                                      .type = wh_type_of(WH_INT64),
                                      .nullable = true}
                         : f->relation.schema.fields[at];
  }
  *ret = (wh_schema){.count = count, .fields = fields};
  return WH_OK;
}

static wh_status check_key(finder *f, const wh_str *key, size_t count, wh_error *err) {
  const wh_dynamodb_table *t = &f->relation.table;
  bool hash = false, range = false;
  for (size_t i = 0; i < count; i++) {
    hash = hash || wh_str_eq(key[i], t->hash.name);
    range = range || (t->range.name.len && wh_str_eq(key[i], t->range.name));
  }
  f->is_whole = hash && count == (t->range.name.len ? 2u : 1u) && (count == 1 || range);
  if (f->is_whole || (hash && count == 1)) return WH_OK;
  return wh_fail(
      err, WH_ERR_REFUSED, "%.*s: items of %.*s are found by its key alone, which is %.*s%s%.*s",
      WH_STR_ARG(f->connection->name), WH_STR_ARG(f->relation.name), WH_STR_ARG(t->hash.name),
      t->range.name.len ? ", " : "", WH_STR_ARG(t->range.name));
}

static wh_status prepare_find(finder *f, wh_str table, const wh_str *key, size_t key_count,
                              const wh_str *show, size_t show_count, wh_error *err) {
  wh_connection *c = f->connection;
  wh_str name = wh_arena_str(&f->arena, table);
  if (!name.data) return wh_fail_memory(err);
  WH_TRY(wh_dynamodb_take(c, &f->client, err));
  WH_TRY(wh_dynamodb_relate(c, f->client, name, &f->arena, &f->relation, err));
  WH_TRY(pick(f, show, show_count, &f->show, err));
  WH_TRY(pick(f, key, key_count, &f->key, err));
  f->base.schema = &f->show;
  return check_key(f, key, key_count, err);
}

wh_status wh_dynamodb_open_finder(wh_connection *c, wh_str table, const wh_str *key,
                                  size_t key_count, const wh_str *show, size_t show_count,
                                  wh_finder **ret, wh_error *err) {
  finder *f = wh_mem_alloc_zero(c->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->base = (wh_finder){.find = finder_find, .close = finder_close};
  f->connection = c;
  wh_arena_init(&f->arena, c->mem);
  wh_buf_init(&f->body, c->mem, 0);
  wh_buf_init(&f->scratch, c->mem, 0);
  wh_buf_init(&f->after, c->mem, 0);
  wh_status status = prepare_find(f, table, key, key_count, show, show_count, err);
  if (status == WH_OK)
    *ret = &f->base;
  else
    finder_close(&f->base);
  return status;
}
