#include "engine/crossings.h"

#include "config/glob.h"
#include "data/deleted.h"

static const wh_gate_column *gate_column(const wh_gate *gate, wh_str name) {
  for (size_t i = 0; i < gate->count; i++) {
    if (wh_str_eq(gate->columns[i].name, name)) return &gate->columns[i];
  }
  return NULL;
}

static wh_str target_text(const wh_pipeline *p, wh_arena *arena) {
  return wh_arena_printf(arena, "%.*s:%.*s", WH_STR_ARG(p->to.connection),
                         WH_STR_ARG(wh_pipeline_writes(p)));
}

wh_status wh_crossings_of(const wh_pipeline *p, const wh_gate *gate, const wh_schema *out,
                          wh_arena *arena, wh_crossing **ret, size_t *ret_count, wh_error *err) {
  wh_crossing *list = WH_NEW_ARRAY(arena, out->count, wh_crossing);
  wh_str to = target_text(p, arena);
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

// The next pipeline of the configuration, from *at on, that loads into a table what `p` puts into a
// lake; NULL: no more.
static wh_status find_loader(wh_engine *engine, const wh_pipeline *p, wh_arena *arena, size_t *at,
                             const wh_pipeline **ret, wh_error *err) {
  wh_str made;
  WH_TRY(wh_template_glob(p->to.thing, arena, &made, err));
  for (; *at < engine->config->pipeline_count; ++*at) {
    const wh_pipeline *next = &engine->config->pipelines[*at];
    if (!wh_str_eq(next->from.connection, p->to.connection) || next->raw) continue;
    bool meet;
    WH_TRY(wh_glob_overlap(made, next->from.thing, engine->mem, &meet, err));
    const wh_connection_info *to = wh_config_find_connection(engine->config, next->to.connection);
    if (!meet || !to || !to->type->sink) continue;
    ++*at;
    *ret = next;
    return WH_OK;
  }
  *ret = NULL;
  return WH_OK;
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
  const wh_pipeline *next;
  for (size_t at = 0;;) {
    WH_TRY(find_loader(engine, p, arena, &at, &next, err));
    if (!next) return WH_OK;
    if (takes_rows_twice(next)) continue;
    return wh_node_fail(next->node, err, "pipeline %.*s loads what %.*s exports: %s",
                        WH_STR_ARG(next->name), WH_STR_ARG(p->name), why);
  }
}

// The name that a column has in front of the gate, which lets it cross as `name`.
static wh_str name_before(const wh_gate *gate, wh_str name) {
  const wh_gate_column *column = gate_column(gate, name);
  return column ? column->from : name;
}

// Whether deletions that are sent by `key` (the source's names) reach the rows of the table that
// `next` loads; `next` may be `p` itself.
static wh_status check_reaches(const wh_pipeline *p, const wh_pipeline *next, const wh_str *key,
                               size_t count, wh_error *err) {
  const wh_write *write = &next->write;
  if (write->mode != WH_WRITE_UPSERT || write->deletes == WH_DELETES_IGNORE) return WH_OK;
  for (size_t i = 0; i < write->key.count; i++) {
    wh_str name = write->key.items[i];
    if (next != p) name = name_before(&next->gate, name);
    name = name_before(&p->gate, name);
    bool found = false;
    for (size_t k = 0; k < count; k++)
      found |= wh_str_eq(key[k], name);
    if (found) continue;
    return wh_node_fail(next->node, err,
                        "pipeline %.*s tells rows apart by %.*s, and %.*s sends deletions by a key "
                        "without it. Name the same key there: read: { deletes: compare, key: ... }",
                        WH_STR_ARG(next->name), WH_STR_ARG(write->key.items[i]),
                        WH_STR_ARG(p->name));
  }
  return WH_OK;
}

wh_status wh_deletes_check(wh_engine *engine, const wh_pipeline *p, const wh_str *key, size_t count,
                           wh_arena *arena, wh_error *err) {
  const wh_connection_info *to = wh_config_find_connection(engine->config, p->to.connection);
  if (to && to->type->sink) return check_reaches(p, p, key, count, err);
  for (size_t at = 0;;) {
    const wh_pipeline *next;
    WH_TRY(find_loader(engine, p, arena, &at, &next, err));
    if (!next) return WH_OK;
    WH_TRY(check_reaches(p, next, key, count, err));
  }
}
