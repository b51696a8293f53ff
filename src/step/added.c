#include "step/added.h"

#include "data/deleted.h"

wh_status wh_added_reserve(wh_frame *frame, size_t more, wh_error *err) {
  size_t count = frame->schema.count;
  wh_field *fields = WH_NEW_ARRAY(&frame->arena, count + more, wh_field);
  if (!fields) return wh_fail_memory(err);
  if (count) memcpy(fields, frame->fields, count * sizeof *fields);
  frame->fields = fields;
  frame->schema.fields = fields;
  return WH_OK;
}

static wh_status check_name(const wh_node *name, const char *owner, wh_error *err) {
  WH_TRY(wh_node_expect(name, WH_NODE_SCALAR, owner, "the name of a column", err));
  if (name->text.len == 0 || !wh_utf8_valid(name->text))
    return wh_node_fail(name, err, "%s: expected the name of a column", owner);
  if (wh_str_is(name->text, WH_DELETED_COLUMN))
    return wh_node_fail(name, err, "%s: %s says that a row is gone, and is no column to change",
                        owner, WH_DELETED_COLUMN);
  return WH_OK;
}

wh_status wh_added_put(wh_frame *frame, const wh_node *name, const char *owner,
                       const wh_field *field, size_t *ret_at, wh_error *err) {
  WH_TRY(check_name(name, owner, err));
  ptrdiff_t found = wh_schema_find(&frame->schema, name->text);
  size_t at = found < 0 ? frame->schema.count : (size_t)found;
  if (at == WH_COLUMNS_MAX)
    return wh_node_fail(name, err, "%s: more than %d columns", owner, WH_COLUMNS_MAX);
  wh_field made = *field;
  made.name = wh_arena_str(&frame->arena, name->text);
  if (!made.name.data) return wh_fail_memory(err);
  frame->fields[at] = made;
  if (found < 0) frame->schema.count++;
  *ret_at = at;
  return WH_OK;
}
