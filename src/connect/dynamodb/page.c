// Items of a table, a page at a time.
#include "connect/dynamodb/source.h"

void wh_dynamodb_add_projection(const wh_schema *columns, wh_buf *body) {
  wh_buf_add_c(body, ",\"ProjectionExpression\":\"");
  for (size_t i = 0; i < columns->count; i++)
    wh_buf_printf(body, "%s#%zu", i ? "," : "", i);
  wh_buf_add_c(body, "\",\"ExpressionAttributeNames\":{");
  for (size_t i = 0; i < columns->count; i++) {
    wh_buf_printf(body, "%s\"#%zu\":", i ? "," : "", i);
    wh_buf_add_json(body, columns->fields[i].name);
  }
  wh_buf_add_char(body, '}');
}

wh_status wh_dynamodb_ask(const wh_dynamodb_asking *a, wh_str after, wh_buf *body, wh_error *err) {
  wh_buf_clear(body);
  wh_buf_add_c(body, "{\"TableName\":");
  wh_buf_add_json(body, a->table);
  wh_buf_printf(body, ",\"ConsistentRead\":true,\"Limit\":%zu", a->limit);
  if (a->segments > 1)
    wh_buf_printf(body, ",\"Segment\":%zu,\"TotalSegments\":%zu", a->segment, a->segments);
  if (a->columns && a->columns->count) wh_dynamodb_add_projection(a->columns, body);
  if (after.len) wh_buf_add_c(body, ",\"ExclusiveStartKey\":");
  wh_buf_add_str(body, after);
  wh_buf_add_char(body, '}');
  return wh_buf_check(body, err);
}

wh_status wh_dynamodb_after(const json_t *answer, wh_buf *after, wh_error *err) {
  const json_t *next = json_object_get(answer, "LastEvaluatedKey");
  wh_buf_clear(after);
  return next ? wh_dynamodb_dump(next, after, err) : WH_OK;
}
