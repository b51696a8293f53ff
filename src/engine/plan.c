// What would happen, without moving anything.
#include "config/glob.h"
#include "data/deleted.h"
#include "engine/crossings.h"
#include "engine/deletes.h"
#include "engine/fit.h"
#include "engine/model.h"
#include "engine/output.h"
#include "engine/run.h"

typedef struct planning {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_arena *arena;
  wh_plan *plan;
  wh_gate gate;
  wh_run_input in;
  wh_reader empty; // stands in for objects that are not there yet
  wh_flow *flow;
  int depth; // of pipelines that read what others write
} planning;

enum { UPSTREAM_DEPTH_MAX = 8 };

static wh_status plan_at_depth(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                               int depth, wh_plan *ret, wh_error *err);

// The newest object that the pipeline takes: what tells the columns of a lake.
typedef struct newest {
  const wh_pipeline *pipeline;
  wh_arena *arena;
  wh_str key, version;
  int64_t modified_us;
  uint64_t count;
  bool failed;
} newest;

static wh_status consider(void *context, const wh_object *object, wh_error *err) {
  newest *n = context;
  if (!wh_pipeline_takes(n->pipeline, object->key)) return WH_OK;
  n->count++;
  if (n->key.len && object->modified_us <= n->modified_us) return WH_OK;
  n->modified_us = object->modified_us;
  n->key = wh_arena_str(n->arena, object->key);
  n->version = wh_arena_str(n->arena, object->version);
  return n->key.data && n->version.data ? WH_OK : wh_fail_memory(err);
}

static wh_status no_rows(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  (void)reader, (void)batch, (void)rejects, (void)err;
  return WH_OK;
}
static void close_nothing(wh_reader *reader) {
  (void)reader;
}

// The pipeline whose objects this one will read, if the configuration has it.
static wh_status find_upstream(planning *p, const wh_pipeline **ret, wh_error *err) {
  const wh_config *config = p->engine->config;
  *ret = NULL;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *up = &config->pipelines[i];
    if (up == p->pipeline || up->raw || up->many) continue; // of many, any may be meant
    if (!wh_str_eq(up->to.connection, p->pipeline->from.connection)) continue;
    wh_str made;
    bool meet;
    WH_TRY(wh_template_glob(up->to.thing, p->arena, &made, err));
    WH_TRY(wh_glob_overlap(made, p->pipeline->from.thing, p->engine->mem, &meet, err));
    if (!meet) continue;
    *ret = up;
    return WH_OK;
  }
  return WH_OK;
}

// Nothing is in the lake yet: the pipeline that will fill it tells the columns.
static wh_status describe_by_upstream(planning *p, wh_error *err) {
  const wh_pipeline *up;
  WH_TRY(find_upstream(p, &up, err));
  wh_plan plan = {0};
  if (up && p->depth < UPSTREAM_DEPTH_MAX) {
    WH_TRY(plan_at_depth(p->engine, up, p->arena, p->depth + 1, &plan, err));
  }
  if (!plan.described) {
    p->plan->not_described = WH_STR("no object is there yet; its columns are known when one is");
    return WH_OK;
  }
  wh_field *fields = WH_NEW_ARRAY(p->arena, plan.cross_count + 1, wh_field);
  wh_schema *schema = WH_NEW(p->arena, wh_schema);
  if (!fields || !schema) return wh_fail_memory(err);
  for (size_t i = 0; i < plan.cross_count; i++) {
    const wh_plan_column *c = &plan.crosses[i];
    bool is_masked = c->mask.len > 0 && c->privacy > WH_INTERNAL;
    fields[i] = (wh_field){.name = c->name,
                           .type = c->type,
                           .nullable = true,
                           .privacy = is_masked ? WH_INTERNAL : c->privacy};
  }
  if (plan.tells_deleted)
    fields[plan.cross_count] = (wh_field){.name = WH_STR(WH_DELETED_COLUMN),
                                          .type = wh_type_of(WH_BOOL),
                                          .nullable = true,
                                          .privacy = WH_INTERNAL};
  *schema = (wh_schema){.count = plan.cross_count + plan.tells_deleted, .fields = fields};
  p->empty = (wh_reader){.schema = schema, .next = no_rows, .close = close_nothing};
  p->in.reader = &p->empty;
  p->plan->described = true;
  return WH_OK;
}

// Its first rows may have columns, or want types, that earlier objects did not know.
static wh_status widen_by_first_rows(planning *p, wh_error *err) {
  if (!p->in.inferred || !p->in.has_given) return WH_OK;
  for (;;) {
    wh_rejects rejects = wh_rejects_none();
    wh_batch batch = {0};
    wh_error ignored = {0}; // what is wrong with the object is a run's to tell
    WH_TRY(wh_batch_init(&batch, p->engine->mem, p->in.reader->schema, err));
    wh_status status = p->in.reader->next(p->in.reader, &batch, &rejects, &ignored);
    wh_batch_free(&batch);
    if (status != WH_ERR_WIDEN) return wh_input_reopen(&p->in, err);
    WH_TRY(wh_input_widen(&p->in, err));
  }
}

static wh_status describe_objects(planning *p, wh_error *err) {
  wh_connection *c;
  bool is_rows;
  WH_TRY(wh_input_connect(p->engine, &p->pipeline->from, &c, &is_rows, err));
  newest n = {.pipeline = p->pipeline, .arena = p->arena};
  wh_str prefix = wh_glob_prefix(p->pipeline->from.thing);
  WH_TRY(c->type->store->list(c, prefix, consider, &n, err));
  p->plan->waiting = n.count;
  if (p->pipeline->raw) return WH_OK;
  if (n.count == 0) return describe_by_upstream(p, err);
  WH_TRY(
      wh_input_open_object(p->engine, p->pipeline, n.key, n.version, true, p->arena, &p->in, err));
  WH_TRY(widen_by_first_rows(p, err));
  p->plan->described = true;
  p->plan->format = wh_arena_str(p->arena, p->in.reader->found);
  return p->plan->format.data || !p->in.reader->found.len ? WH_OK : wh_fail_memory(err);
}

// What a model reads may not be there yet.
static wh_status describe_model(planning *p, wh_status status, wh_error *err) {
  const wh_model_input *m = p->in.model;
  if (!m) return status;
  size_t count = p->pipeline->model->table_count;
  p->plan->reads = WH_NEW_ARRAY(p->arena, count, wh_plan_table);
  if (!p->plan->reads) return wh_fail_memory(err);
  p->plan->read_count = count;
  for (size_t i = 0; i < count; i++)
    p->plan->reads[i] = (wh_plan_table){.connection = p->pipeline->model->tables[i].connection,
                                        .thing = wh_model_reads(p->pipeline->model, i),
                                        .objects = m->tables[i].object_count};
  if (m->scope.told.data) {
    p->plan->scope = wh_arena_str(p->arena, m->scope.told);
    if (!p->plan->scope.data) return wh_fail_memory(err);
  }
  if (status != WH_ERR_NOT_FOUND) return status;
  for (size_t i = 0; i < count; i++)
    if (!m->tables[i].object_count)
      p->plan->not_described = WH_STR("not all that it reads is there yet; known when it is");
  return p->plan->not_described.len ? WH_OK : status;
}

static wh_status describe_rows(planning *p, wh_error *err) {
  wh_run_options options = {.limit_rows = 1};
  wh_status status = wh_input_open_rows(p->engine, p->pipeline, &options, p->arena, &p->in, err);
  WH_TRY(describe_model(p, status, err));
  if (p->plan->not_described.len) return WH_OK;
  WH_TRY(status);
  p->plan->described = true;
  p->plan->cursor_kind = p->in.info.cursor_kind;
  if (p->pipeline->read.ranges > 1) {
    const wh_field *key;
    WH_TRY(wh_input_ranges_key(&p->in, &key, err));
    p->plan->ranges_key = key->name;
    p->plan->one_snapshot = p->in.connection->type->source->share;
  }
  return wh_cursor_check(p->engine, p->pipeline, p->in.info.cursor_kind, p->arena, err);
}

static bool crosses(const planning *p, wh_str source_column) {
  if (p->gate.all) return true;
  for (size_t i = 0; i < p->gate.count; i++) {
    if (wh_str_eq(p->gate.columns[i].from, source_column)) return true;
  }
  return false;
}

static wh_status list_stays(planning *p, wh_error *err) {
  const wh_schema *all = p->plan->from_rows ? &p->in.info.schema : p->in.reader->schema;
  wh_str *stays = WH_NEW_ARRAY(p->arena, all->count, wh_str);
  if (!stays) return wh_fail_memory(err);
  for (size_t i = 0; i < all->count; i++) {
    if (crosses(p, all->fields[i].name) || i == (size_t)wh_deleted_column(all)) continue;
    wh_str name = wh_arena_str(p->arena, all->fields[i].name); // a reader's schema ends with it
    if (!name.data) return wh_fail_memory(err);
    stays[p->plan->stay_count++] = name;
  }
  p->plan->stays = stays;
  return WH_OK;
}

// One row, masked as it would cross.
static wh_status take_samples(planning *p, wh_error *err) {
  WH_TRY(wh_flow_start(p->flow, 0, err));
  wh_flow_item *item;
  wh_error inner = {0};
  do {
    wh_status status = wh_flow_next(p->flow, &item, &inner);
    if (status != WH_OK) return WH_OK; // a sample is a courtesy: no row, no sample
    if (item->batch->rows == 0)
      wh_flow_release(p->flow, item);
    else
      break;
  } while (true);
  for (size_t i = 0; i < p->plan->cross_count; i++) {
    const wh_column *column = &item->batch->columns[i];
    size_t row = 0;
    while (row + 1 < item->batch->rows && wh_column_is_null(column, row))
      row++;
    if (wh_column_is_null(column, row)) continue;
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, p->engine->mem, 0);
    wh_column_write(column, row, &text);
    WH_TRY(wh_buf_check(&text, err));
    p->plan->crosses[i].sample = wh_arena_str(p->arena, wh_buf_str(&text));
  }
  wh_flow_release(p->flow, item);
  return WH_OK;
}

static wh_status list_crosses(planning *p, wh_error *err) {
  wh_flow_options options = {
      .engine = p->engine, .pipeline = p->pipeline, .gate = &p->gate, .reader = p->in.reader};
  WH_TRY(wh_flow_open(&options, &p->flow, err));
  if (p->pipeline->read.shared) WH_TRY(wh_flow_share(p->flow, NULL, err));
  wh_crossing *crossings;
  size_t count;
  WH_TRY(wh_crossings_of(p->pipeline, &p->gate, wh_flow_schema(p->flow), p->arena, &crossings,
                         &count, err));
  p->plan->crosses = WH_NEW_ARRAY(p->arena, count, wh_plan_column);
  if (!p->plan->crosses) return wh_fail_memory(err);
  p->plan->cross_count = count;
  for (size_t i = 0; i < count; i++) {
    p->plan->crosses[i] = (wh_plan_column){.name = crossings[i].column,
                                           .from = crossings[i].from,
                                           .privacy = crossings[i].privacy,
                                           .mask = crossings[i].mask};
  }
  // Types and names are the flow's, which ends before the plan is read.
  wh_schema copy;
  WH_TRY(wh_schema_copy(wh_flow_schema(p->flow), p->arena, &copy, err));
  for (size_t i = 0; i < count; i++) {
    wh_plan_column *c = &p->plan->crosses[i];
    c->from = wh_arena_str(p->arena, c->from);
    if (!c->from.data) return wh_fail_memory(err);
    c->name = copy.fields[i].name;
    c->type = copy.fields[i].type;
  }
  return WH_OK;
}

static wh_status inspect_target(planning *p, wh_error *err) {
  wh_connection *to;
  WH_TRY(wh_config_connect(p->engine->config, p->pipeline->to.connection, &to, err));
  if (!to->type->sink) {
    p->plan->sink_exact = true;
    return WH_OK;
  }
  WH_TRY(wh_flow_fit(p->flow, 0, NULL, p->pipeline, to, p->arena, err));
  const wh_sink_type *type = to->type->sink;
  p->plan->sink_exact = type->exact;
  wh_output_rows rows = {0};
  wh_status status = wh_output_rows_init(&rows, &p->pipeline->write, wh_flow_schema(p->flow),
                                         p->engine->mem, p->arena, err);
  wh_target target = wh_output_target(p->pipeline, &rows);
  wh_output_rows_free(&rows);
  WH_TRY(status);
  wh_sink *sink;
  WH_TRY(type->open(to, &target, 1, &sink, err));
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, p->engine->mem, 0);
  status = type->inspect(sink, &text, &p->plan->target_exists, &p->plan->target_fits, err);
  type->close(sink);
  WH_TRY(status);
  p->plan->target_text = wh_arena_str(p->arena, wh_buf_str(&text));
  p->plan->target_alters = p->plan->target_exists && p->plan->target_fits &&
                           wh_str_starts(p->plan->target_text, WH_ALTERS);
  return p->plan->target_text.data ? WH_OK : wh_fail_memory(err);
}

static wh_status make_plan(planning *p, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_input_connect(p->engine, &p->pipeline->from, &c, &p->plan->from_rows, err));
  WH_TRY(wh_input_connect(p->engine, &p->pipeline->to, &c, &p->plan->to_rows, err));
  p->plan->sink_exact = !p->plan->to_rows || c->type->sink->exact;
  p->plan->all_cross = p->pipeline->gate.all;
  WH_TRY(p->plan->from_rows ? describe_rows(p, err) : describe_objects(p, err));
  if (!p->plan->described) return WH_OK;
  WH_TRY(wh_config_gate(p->engine->config, p->pipeline, p->arena, &p->gate, err));
  WH_TRY(list_crosses(p, err));
  p->plan->tells_deleted = wh_deleted_column(wh_flow_schema(p->flow)) >= 0;
  if (p->in.deletes) WH_TRY(wh_deletes_plan(p->in.deletes, p->plan, err));
  WH_TRY(list_stays(p, err));
  WH_TRY(inspect_target(p, err));
  return p->pipeline->model ? WH_OK : take_samples(p, err); // a model's first row may take it all
}

static wh_status plan_at_depth(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                               int depth, wh_plan *ret, wh_error *err) {
  *ret = (wh_plan){.pipeline = pipeline};
  planning p = {
      .engine = engine, .pipeline = pipeline, .arena = arena, .plan = ret, .depth = depth};
  wh_status status = make_plan(&p, err);
  wh_flow_close(p.flow);
  wh_input_close_run(&p.in);
  return status;
}

wh_status wh_engine_plan(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                         wh_plan *ret, wh_error *err) {
  return plan_at_depth(engine, pipeline, arena, 0, ret, err);
}
