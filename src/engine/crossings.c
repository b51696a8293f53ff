#include "engine/crossings.h"

#include "config/glob.h"
#include "data/deleted.h"

static const wh_gate_column *gate_column(const wh_gate *gate, wh_str name) {
  for (size_t i = 0; i < gate->count; i++) {
    if (wh_str_eq(gate->columns[i].name, name)) return &gate->columns[i];
  }
  return NULL;
}

static wh_str address_text(const wh_address *address, wh_arena *arena) {
  return wh_arena_printf(arena, "%.*s:%.*s", WH_STR_ARG(address->connection),
                         WH_STR_ARG(address->thing));
}

wh_status wh_crossings_of(const wh_pipeline *p, const wh_gate *gate, const wh_schema *out,
                          wh_arena *arena, wh_crossing **ret, size_t *ret_count, wh_error *err) {
  wh_crossing *list = WH_NEW_ARRAY(arena, out->count, wh_crossing);
  wh_str to = address_text(&p->to, arena);
  if (!list || !to.data) return wh_fail_memory(err);
  // That a row is gone is no column of anybody's: it stands behind the others.
  size_t count = wh_deleted_column(out) >= 0 ? out->count - 1 : out->count;
  for (size_t i = 0; i < count; i++) {
    const wh_field *field = &out->fields[i];
    const wh_gate_column *column = gate_column(gate, field->name);
    list[i] =
        (wh_crossing){.pipeline = p->name,
                      .to = to,
                      .column = field->name,
                      .from = column ? column->from : field->name,
                      .type = field->type,
                      .privacy = column && column->has_privacy ? column->privacy : field->privacy,
                      .mask = column && column->mask ? column->mask->name : (wh_str){0}};
  }
  *ret = list;
  *ret_count = count;
  return WH_OK;
}

wh_status wh_crossings_check(wh_engine *engine, const wh_pipeline *p, const wh_crossing *crossings,
                             size_t count, wh_error *err) {
  const wh_connection_info *to = wh_config_find_connection(engine->config, p->to.connection);
  for (size_t i = 0; i < count; i++) {
    const wh_crossing *c = &crossings[i];
    if (!to || c->mask.len || to->accepts[c->privacy]) continue;
    return wh_node_fail(p->node, err,
                        "pipeline %.*s: column %.*s is %s, and %.*s does not accept that. Give it "
                        "a mask, or say accepts: [public, internal, %s] at the connection",
                        WH_STR_ARG(p->name), WH_STR_ARG(c->column), wh_class_name(c->privacy),
                        WH_STR_ARG(p->to.connection), wh_class_name(c->privacy));
  }
  return wh_lock_check(engine->config, p->name, crossings, count, err);
}

// A windowed cursor sends rows again: whoever takes them must know a row when it comes twice.
static bool takes_rows_twice(const wh_pipeline *p) {
  return p->write.mode == WH_WRITE_UPSERT && p->write.newest_by.len > 0;
}

wh_status wh_cursor_check(wh_engine *engine, const wh_pipeline *p, wh_cursor_kind kind,
                          wh_arena *arena, wh_error *err) {
  if (p->read.cursor.len == 0 || kind == WH_CURSOR_EXACT) return WH_OK;
  wh_connection *to;
  WH_TRY(wh_config_connect(engine->config, p->to.connection, &to, err));
  static const char why[] =
      "a windowed cursor reads the last minutes again, so rows come more than once; the sink needs "
      "write: { mode: upsert, key: ..., newest_by: ... }";
  if (to->type->sink) {
    if (takes_rows_twice(p)) return WH_OK;
    return wh_node_fail(p->node, err, "pipeline %.*s: %s", WH_STR_ARG(p->name), why);
  }
  // Into a lake: whoever loads these objects must.
  wh_str made;
  WH_TRY(wh_template_glob(p->to.thing, arena, &made, err));
  for (size_t i = 0; i < engine->config->pipeline_count; i++) {
    const wh_pipeline *next = &engine->config->pipelines[i];
    if (!wh_str_eq(next->from.connection, p->to.connection) || next->raw) continue;
    bool meet;
    WH_TRY(wh_glob_overlap(made, next->from.thing, engine->mem, &meet, err));
    if (!meet) continue;
    const wh_connection_info *sink = wh_config_find_connection(engine->config, next->to.connection);
    if (!sink || !sink->type->sink || takes_rows_twice(next)) continue;
    return wh_node_fail(next->node, err, "pipeline %.*s loads what %.*s exports: %s",
                        WH_STR_ARG(next->name), WH_STR_ARG(p->name), why);
  }
  return WH_OK;
}
