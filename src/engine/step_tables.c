#include "engine/step_tables.h"

#include "engine/input.h"

// A table is read as a pipeline of its own would read it, of which everything crosses.
typedef struct step_table {
  wh_table_input base;
  wh_engine *engine;
  wh_arena arena;
  wh_pipeline pipeline;
  wh_run_input in;
} step_table;

// A database is asked for no more than is wanted.
static wh_status open_rows(step_table *self, const wh_str *columns, size_t count, wh_error *err) {
  wh_run_input *in = &self->in;
  wh_field *fields = WH_NEW_ARRAY(&self->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_schema_find(&in->info.schema, columns[i]);
    if (at < 0) return wh_fail(err, WH_ERR_BUG, "the table has no column of that name");
    fields[i] = in->info.schema.fields[at];
  }
  in->fetched = (wh_schema){.count = count, .fields = fields};
  in->query.columns = columns;
  in->query.column_count = count;
  return in->connection->type->source->open(in->connection, &in->query, &in->fetched, &in->reader,
                                            err);
}

static wh_status table_open(wh_table_input *base, const wh_str *columns, size_t count,
                            wh_reader **ret, wh_error *err) {
  step_table *self = (step_table *)base;
  if (self->in.is_rows) WH_TRY(open_rows(self, columns, count, err));
  *ret = self->in.reader;
  return WH_OK;
}

static void table_close(wh_table_input *base) {
  step_table *self = (step_table *)base;
  wh_mem *mem = self->engine->mem;
  wh_input_close_run(&self->in);
  wh_arena_free(&self->arena);
  wh_mem_free(mem, self, sizeof *self);
}

// An object is read once before, so that its types hold all of it.
static wh_status describe(step_table *self, wh_error *err) {
  const wh_pipeline *p = &self->pipeline;
  wh_connection *c;
  bool is_rows;
  WH_TRY(wh_input_connect(self->engine, &p->from, &c, &is_rows, err));
  if (is_rows) {
    WH_TRY(wh_input_describe(self->engine, p, &self->arena, &self->in, err));
    self->base.all = &self->in.info.schema;
    return WH_OK;
  }
  WH_TRY(wh_input_open_object(self->engine, p, p->from.thing, WH_STR(""), true, &self->arena,
                              &self->in, err));
  WH_TRY(wh_input_prove(&self->in, err));
  self->base.all = self->in.reader->schema;
  return WH_OK;
}

static const wh_address *address_of(const wh_pipeline *p, const wh_node *from) {
  for (size_t i = 0; i < p->step_table_count; i++)
    if (p->step_tables[i].node == from) return &p->step_tables[i];
  return NULL;
}

static wh_status tables_describe(void *context, const wh_node *from, wh_table_input **ret,
                                 wh_error *err) {
  const wh_step_tables *tables = context;
  const wh_address *address = address_of(tables->pipeline, from);
  if (!address) return wh_fail(err, WH_ERR_BUG, "its address was not checked");
  step_table *self = wh_mem_alloc_zero(tables->engine->mem, sizeof *self);
  if (!self) return wh_fail_memory(err);
  self->base = (wh_table_input){.open = table_open, .close = table_close};
  self->engine = tables->engine;
  wh_arena_init(&self->arena, tables->engine->mem);
  self->pipeline = (wh_pipeline){.node = from, .from = *address, .gate = {.all = true}};
  wh_status status = describe(self, err);
  if (status != WH_OK) {
    table_close(&self->base);
    return status;
  }
  *ret = &self->base;
  return WH_OK;
}

void wh_step_tables_init(wh_step_tables *tables, wh_engine *engine, const wh_pipeline *pipeline) {
  tables->engine = engine;
  tables->pipeline = pipeline;
  tables->base = (wh_keyed_tables){
      .mem = engine->mem,
      .limit_bytes = (size_t)engine->config->memory_bytes / WH_KEYED_TABLE_SHARE,
      .describe = tables_describe,
      .context = tables,
  };
}
