#include "engine/catalogue.h"

#include "base/crypto.h"
#include "engine/input.h"
#include "engine/outbox.h"

#define INSTANT                                                                                    \
  { .kind = WH_TIMESTAMP, .unit = WH_UNIT_US, .zoned = true }

enum {
  COLUMN_ID,
  COLUMN_STORE,
  COLUMN_KEY,
  COLUMN_VERSION,
  COLUMN_PIPELINE,
  COLUMN_RUN,
  COLUMN_SOURCE,
  COLUMN_FORMAT,
  COLUMN_ROWS,
  COLUMN_SIZE,
  COLUMN_CHECKSUM,
  COLUMN_SCHEMA,
  COLUMN_TIME,
  COLUMN_ORDER,
  COLUMNS,
};

#define ID                                                                                         \
  { WH_STR_INIT("id"), {.kind = WH_STRING}, false, WH_INTERNAL }
const wh_field wh_catalogue_key = ID;
static const wh_field fields[COLUMNS] = {
    [COLUMN_ID] = ID,
    [COLUMN_STORE] = {WH_STR_INIT("store"), {.kind = WH_STRING}, false, WH_INTERNAL},
    [COLUMN_KEY] = {WH_STR_INIT("key"), {.kind = WH_STRING}, false, WH_INTERNAL},
    [COLUMN_VERSION] = {WH_STR_INIT("version"), {.kind = WH_STRING}, false, WH_INTERNAL},
    [COLUMN_PIPELINE] = {WH_STR_INIT("pipeline"), {.kind = WH_STRING}, false, WH_INTERNAL},
    [COLUMN_RUN] = {WH_STR_INIT("run"), {.kind = WH_STRING}, false, WH_INTERNAL},
    [COLUMN_SOURCE] = {WH_STR_INIT("source"), {.kind = WH_STRING}, true, WH_INTERNAL},
    [COLUMN_FORMAT] = {WH_STR_INIT("format"), {.kind = WH_STRING}, false, WH_INTERNAL},
    [COLUMN_ROWS] = {WH_STR_INIT("rows"), {.kind = WH_INT64}, true, WH_INTERNAL},
    [COLUMN_SIZE] = {WH_STR_INIT("size"), {.kind = WH_INT64}, false, WH_INTERNAL},
    [COLUMN_CHECKSUM] = {WH_STR_INIT("checksum"), {.kind = WH_STRING}, false, WH_INTERNAL},
    [COLUMN_SCHEMA] = {WH_STR_INIT("schema"), {.kind = WH_STRING}, true, WH_INTERNAL},
    [COLUMN_TIME] = {WH_STR_INIT("time"), INSTANT, false, WH_INTERNAL},
    [COLUMN_ORDER] = {WH_STR_INIT("order"), {.kind = WH_INT64}, false, WH_INTERNAL},
};
static const wh_schema schema = {COLUMNS, fields};
static const wh_str key[] = {WH_STR_INIT("id")};

struct wh_catalogue {
  wh_engine *engine;
  wh_connection *connection;
  wh_sink *sink;
  wh_batch batch;
  bool has_batch;
};

static wh_target target_of(const wh_config *config) {
  return (wh_target){.table = config->catalog.thing,
                     .schema = &schema,
                     .mode = WH_WRITE_UPSERT,
                     .key = key,
                     .key_count = 1,
                     .newest_by = fields[COLUMN_ORDER].name,
                     .deletes = WH_DELETES_IGNORE};
}

// --- what a row says -----------------------------------------------------------------------------

typedef struct entry {
  wh_str store, key, version, source;
  const wh_run *run;
  wh_manifest manifest;
} entry;

static wh_status read_manifest(wh_catalogue *c, entry *e, wh_arena *arena, wh_error *err) {
  wh_connection *store;
  WH_TRY(wh_config_connect(c->engine->config, e->store, &store, err));
  wh_object object = {.key = e->key, .version = e->version, .size = e->run->bytes_written};
  bool found;
  WH_TRY(wh_input_manifest(store, &object, arena, &found, &e->manifest, err));
  if (found && wh_str_eq(e->manifest.run, e->run->id)) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: its manifest is gone from %.*s",
                 WH_STR_ARG(e->run->output), WH_STR_ARG(e->store));
}

// What it was made of: the object that was read, else the pipeline's `from`.
static wh_str source_of(const wh_engine *engine, const wh_run *run, wh_arena *arena) {
  const wh_pipeline *p = wh_outbox_pipeline(engine->config, run->pipeline);
  if (run->object.len || !p) return run->object;
  wh_str base, member = run->pipeline, table = p->from.thing;
  if (wh_str_split(&member, ':', &base) && member.len)
    table = wh_pipeline_member_table(member, arena);
  if (p->model) return p->model->path;
  return wh_arena_printf(arena, "%.*s:%.*s", WH_STR_ARG(p->from.connection), WH_STR_ARG(table));
}

static wh_status fill_entry(wh_catalogue *c, const wh_run *run, wh_arena *arena, entry *e,
                            wh_error *err) {
  wh_str store = {0}, thing = run->output;
  (void)wh_str_split(&thing, ':', &store);
  *e = (entry){.store = store,
               .key = thing,
               .version = run->output_version,
               .source = source_of(c->engine, run, arena),
               .run = run};
  if (!e->source.data) return wh_fail_memory(err);
  return read_manifest(c, e, arena, err);
}

static wh_status add_text(wh_catalogue *c, size_t column, wh_str text, wh_error *err) {
  return wh_column_add_text(&c->batch.columns[column], text, err);
}

static wh_status add_number(wh_catalogue *c, size_t column, int64_t number, wh_error *err) {
  return wh_column_add_i64(&c->batch.columns[column], number, err);
}

static wh_status add_id(wh_catalogue *c, const entry *e, wh_arena *arena, wh_error *err) {
  wh_str name =
      wh_arena_printf(arena, "%.*s@%.*s", WH_STR_ARG(e->run->output), WH_STR_ARG(e->version));
  if (!name.data) return wh_fail_memory(err);
  uint8_t digest[WH_SHA256_BYTES];
  char hex[WH_SHA256_HEX + 1];
  wh_sha256_of(name, digest);
  wh_hex_encode(digest, sizeof digest, hex);
  return add_text(c, COLUMN_ID, wh_str_of(hex), err);
}

// Of an object whose bytes are somebody else's, both may be unknown.
static wh_status add_content(wh_catalogue *c, const wh_manifest *m, wh_error *err) {
  if (wh_str_is(m->codec, WH_CODEC_RAW)) {
    WH_TRY(wh_column_add_null(&c->batch.columns[COLUMN_ROWS], err));
    return wh_column_add_null(&c->batch.columns[COLUMN_SCHEMA], err);
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, c->engine->mem, 0);
  wh_schema_write_json(&m->schema, &text);
  WH_TRY(wh_buf_check(&text, err));
  WH_TRY(add_number(c, COLUMN_ROWS, (int64_t)m->rows, err));
  return add_text(c, COLUMN_SCHEMA, wh_buf_str(&text), err);
}

static wh_status add_row(wh_catalogue *c, const entry *e, wh_arena *arena, wh_error *err) {
  const wh_manifest *m = &e->manifest;
  wh_batch_reset(&c->batch);
  WH_TRY(add_id(c, e, arena, err));
  WH_TRY(add_text(c, COLUMN_STORE, e->store, err));
  WH_TRY(add_text(c, COLUMN_KEY, e->key, err));
  WH_TRY(add_text(c, COLUMN_VERSION, e->version, err));
  WH_TRY(add_text(c, COLUMN_PIPELINE, m->pipeline, err));
  WH_TRY(add_text(c, COLUMN_RUN, m->run, err));
  if (e->source.len)
    WH_TRY(add_text(c, COLUMN_SOURCE, e->source, err));
  else
    WH_TRY(wh_column_add_null(&c->batch.columns[COLUMN_SOURCE], err));
  WH_TRY(add_text(c, COLUMN_FORMAT, m->codec, err));
  WH_TRY(add_content(c, m, err));
  WH_TRY(add_number(c, COLUMN_SIZE, (int64_t)m->bytes, err));
  WH_TRY(add_text(c, COLUMN_CHECKSUM, m->sha256, err));
  WH_TRY(add_number(c, COLUMN_TIME, m->created_us, err));
  WH_TRY(add_number(c, COLUMN_ORDER, m->order, err));
  wh_batch_row_end(&c->batch);
  return WH_OK;
}

// --- writing it ----------------------------------------------------------------------------------

static wh_status refuse_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                            size_t row, wh_error *err) {
  (void)self, (void)batch, (void)row;
  return wh_fail(err, WH_ERR_REFUSED, "column '%.*s': %.*s", WH_STR_ARG(reject->column),
                 WH_STR_ARG(reject->reason));
}

static wh_status refuse_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)text;
  return refuse_row(self, reject, NULL, 0, err);
}

// Every run has the same mark: the rows themselves say what is there. Nor does an epoch keep
// anybody out, since several ledgers may share the table.
static wh_status write_row(wh_catalogue *c, const wh_run *run, wh_arena *arena, wh_error *err) {
  const wh_sink_type *type = c->connection->type->sink;
  wh_load load = {.pipeline = WH_STR(WH_CATALOGUE_PIPELINE),
                  .object = WH_STR("manifests"),
                  .run = run->id,
                  .order = run->order,
                  .epoch = 1,
                  .now_us = wh_now_us(c->engine->os)};
  wh_mark mark;
  WH_TRY(type->begin(c->sink, &load, arena, &mark, err));
  wh_rejects rejects = {.row = refuse_row, .raw = refuse_raw};
  wh_counts counts = {.read = 1};
  wh_status status = type->write(c->sink, 0, &c->batch, &rejects, &counts, err);
  mark = (wh_mark){.done = true, .run = run->id, .order = run->order, .time_us = load.now_us};
  if (status == WH_OK) status = type->mark(c->sink, &mark, err);
  if (status == WH_OK) return type->commit(c->sink, err);
  type->abort(c->sink);
  return status;
}

wh_status wh_catalogue_put(wh_catalogue *c, const wh_run *run, wh_arena *arena, wh_error *err) {
  entry e;
  WH_TRY(fill_entry(c, run, arena, &e, err));
  WH_TRY(add_row(c, &e, arena, err));
  return write_row(c, run, arena, err);
}

static wh_status open_sink(wh_engine *engine, wh_connection **ret_connection, wh_sink **ret,
                           wh_error *err) {
  const wh_config *config = engine->config;
  WH_TRY(wh_config_connect(engine->config, config->catalog.connection, ret_connection, err));
  wh_target target = target_of(config);
  return (*ret_connection)->type->sink->open(*ret_connection, &target, 1, ret, err);
}

wh_status wh_catalogue_open(wh_engine *engine, wh_catalogue **ret, wh_error *err) {
  wh_catalogue *c = wh_mem_alloc_zero(engine->mem, sizeof *c);
  if (!c) return wh_fail_memory(err);
  c->engine = engine;
  wh_status status = open_sink(engine, &c->connection, &c->sink, err);
  if (status == WH_OK) status = c->connection->type->sink->prepare(c->sink, err);
  if (status == WH_OK) {
    status = wh_batch_init(&c->batch, engine->mem, &schema, err);
    c->has_batch = status == WH_OK;
  }
  if (status == WH_OK)
    *ret = c;
  else
    wh_catalogue_close(c);
  return status;
}

void wh_catalogue_close(wh_catalogue *c) {
  if (!c) return;
  if (c->sink) c->connection->type->sink->close(c->sink);
  if (c->has_batch) wh_batch_free(&c->batch);
  wh_mem_free(c->engine->mem, c, sizeof *c);
}

// --- looking -------------------------------------------------------------------------------------

wh_status wh_engine_plan_catalog(wh_engine *engine, wh_arena *arena, wh_catalog_plan *ret,
                                 wh_error *err) {
  wh_connection *connection;
  wh_sink *sink;
  WH_TRY(open_sink(engine, &connection, &sink, err));
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, engine->mem, 0);
  const wh_sink_type *type = connection->type->sink;
  wh_catalog_plan plan = {0};
  wh_status status = type->inspect(sink, &text, &plan.exists, &plan.fits, err);
  type->close(sink);
  WH_TRY(status);
  plan.text = wh_arena_str(arena, wh_buf_str(&text));
  if (!plan.text.data) return wh_fail_memory(err);
  *ret = plan;
  return WH_OK;
}
