#include "engine/fit.h"

static bool is_moment(const wh_type *type) {
  return type->kind == WH_DATE || type->kind == WH_TIMESTAMP;
}

// Whether a value may change its type from `from` to `to` without anybody guessing.
static bool may_fit(const wh_type *from, const wh_type *to) {
  if (from->kind == WH_NULL) return to->kind != WH_NULL;
  // Not to a whole number: a column may be described as that only because of the values that happen
  // to be there.
  bool number = wh_kind_is_int(from->kind) || from->kind == WH_FLOAT32 ||
                from->kind == WH_FLOAT64 || from->kind == WH_DECIMAL;
  if (number && to->kind == WH_DECIMAL) return true;
  if (wh_kind_is_int(from->kind) && to->kind == WH_FLOAT64) return true;
  // JSON has no times and only binary fractions: they come as text, and are read strictly.
  if (from->kind == WH_STRING)
    return is_moment(to) || to->kind == WH_TIME || to->kind == WH_DECIMAL;
  if (!is_moment(from) || !is_moment(to)) return false;
  bool from_zoned = from->kind == WH_TIMESTAMP && from->zoned;
  bool to_zoned = to->kind == WH_TIMESTAMP && to->zoned;
  return from_zoned == to_zoned;
}

// What the table is like; without columns where there is none.
static wh_status find_table(wh_kept *kept, size_t branch, const wh_pipeline *pipeline,
                            wh_connection *to, wh_arena *arena, wh_schema *ret, wh_error *err) {
  *ret = kept && kept->tables[branch].has_table ? kept->tables[branch].table : (wh_schema){0};
  // One that is not known within a transaction was made in front of it, of what comes.
  if (ret->count || (kept && kept->is_open)) return WH_OK;
  wh_source_query query = {.table = pipeline->to.thing};
  wh_source_info table;
  wh_error inner = {0};
  wh_status status = to->type->source->describe(to, &query, arena, &table, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  *ret = table.schema;
  return kept ? wh_kept_learn(kept, branch, &table, err) : WH_OK;
}

wh_status wh_fit_has_table(wh_kept *kept, const wh_pipeline *pipeline, wh_connection *to,
                           wh_arena *arena, bool *ret, wh_error *err) {
  wh_schema table = {0};
  if (to->type->source) WH_TRY(find_table(kept, 0, pipeline, to, arena, &table, err));
  *ret = !to->type->source || table.count > 0;
  return WH_OK;
}

wh_status wh_flow_fit(wh_flow *flow, size_t branch, wh_kept *kept, const wh_pipeline *pipeline,
                      wh_connection *to, wh_arena *arena, wh_error *err) {
  wh_schema table;
  if (!to->type->source) return WH_OK;
  WH_TRY(find_table(kept, branch, pipeline, to, arena, &table, err));
  const wh_schema *rows = wh_flow_schema_of(flow, branch);
  wh_gate_column *casts = WH_NEW_ARRAY(arena, rows->count, wh_gate_column);
  if (!casts) return wh_fail_memory(err);
  wh_gate gate = {.all = true, .columns = casts};
  for (size_t i = 0; i < rows->count; i++) {
    const wh_field *field = &rows->fields[i];
    ptrdiff_t at = wh_schema_find(&table, field->name);
    if (at < 0 || wh_type_eq(&field->type, &table.fields[at].type)) continue;
    if (!may_fit(&field->type, &table.fields[at].type)) continue;
    casts[gate.count++] = (wh_gate_column){.name = field->name,
                                           .from = field->name,
                                           .has_type = true,
                                           .type = table.fields[at].type,
                                           .has_privacy = true,
                                           .privacy = field->privacy,
                                           .node = pipeline->node};
  }
  return gate.count ? wh_flow_add_gate(flow, branch, &gate, err) : WH_OK;
}
