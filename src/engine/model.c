#include "engine/model.h"

#include "config/glob.h"
#include "ledger/dataset.h"

// --- what is there -------------------------------------------------------------------------------

typedef struct listing {
  wh_model_table *table;
  wh_arena *arena;
  size_t room, most;
} listing;

static wh_status grow(listing *l, wh_error *err) {
  enum { FIRST = 64 };
  wh_model_table *t = l->table;
  if (t->object_count < l->room) return WH_OK;
  l->room = l->room ? l->room * 2 : FIRST;
  wh_model_object *grown = WH_NEW_ARRAY(l->arena, l->room, wh_model_object);
  if (!grown) return wh_fail_memory(err);
  if (t->object_count) memcpy(grown, t->objects, t->object_count * sizeof *grown);
  t->objects = grown;
  return WH_OK;
}

static wh_status add_object(void *context, const wh_object *object, wh_error *err) {
  listing *l = context;
  wh_model_table *t = l->table;
  const wh_address *from = &t->pipeline.from;
  wh_str dataset = t->pipeline.read.dataset;
  if (!wh_glob_match(from->thing, object->key)) return WH_OK;
  if (dataset.len && !wh_dataset_key_version(dataset, object->key)) return WH_OK;
  if (dataset.len) t->object_count = 0; // each version is whole: the newest counts
  if (t->object_count == l->most)
    return wh_fail(err, WH_ERR_LIMIT, "%.*s: more than %d objects; a model reads no more",
                   WH_STR_ARG(from->connection), WH_MODEL_OBJECTS_MAX);
  WH_TRY(grow(l, err));
  wh_object *kept = &t->objects[t->object_count].object;
  kept->size = object->size;
  kept->key = wh_arena_str(l->arena, object->key);
  kept->version = wh_arena_str(l->arena, object->version);
  if (!kept->key.data || !kept->version.data) return wh_fail_memory(err);
  t->object_count++;
  return WH_OK;
}

static wh_status list_table(wh_model_input *m, wh_model_table *t, size_t most, wh_error *err) {
  const wh_address *from = &t->pipeline.from;
  wh_connection *c;
  bool is_rows;
  WH_TRY(wh_input_connect(m->engine, from, &c, &is_rows, err));
  listing l = {.table = t, .arena = &m->arena, .most = most};
  return c->type->store->list(c, wh_glob_prefix(from->thing), add_object, &l, err);
}

// Each text with its length in front, so that no two lists have the same bytes.
static wh_status add_text(wh_sha256 *sha, wh_str text, wh_error *err) {
  uint64_t len = text.len;
  WH_TRY(wh_sha256_add(sha, &len, sizeof len, err));
  return wh_sha256_add(sha, text.data, text.len, err);
}

static wh_status digest_tables(const wh_model_input *m, wh_sha256 *sha, wh_error *err) {
  const wh_model *model = m->pipeline->model;
  WH_TRY(add_text(sha, model->sql, err));
  for (size_t i = 0; i < model->table_count; i++) {
    WH_TRY(add_text(sha, model->tables[i].connection, err));
    for (size_t j = 0; j < m->tables[i].object_count; j++) {
      WH_TRY(add_text(sha, m->tables[i].objects[j].object.key, err));
      WH_TRY(add_text(sha, m->tables[i].objects[j].object.version, err));
    }
  }
  return WH_OK;
}

static wh_status digest(wh_model_input *m, wh_error *err) {
  wh_sha256 sha;
  WH_TRY(wh_sha256_init(&sha, err));
  wh_status status = digest_tables(m, &sha, err);
  if (status == WH_OK) status = wh_sha256_finish_hex(&sha, m->digest, err);
  wh_sha256_free(&sha);
  return status;
}

// --- one schema ----------------------------------------------------------------------------------

static wh_status add_field(wh_model_input *m, const wh_field *field, wh_field *fields,
                           size_t *count, wh_error *err) {
  for (size_t i = 0; i < *count; i++) {
    wh_field *known = &fields[i];
    if (!wh_str_eq(known->name, field->name)) continue;
    known->nullable |= field->nullable;
    if (field->privacy > known->privacy) known->privacy = field->privacy;
    wh_type wider;
    if (wh_type_eq(&known->type, &field->type)) return WH_OK;
    if (!wh_type_widen(&known->type, &field->type, &m->arena, &wider)) {
      wh_str a = wh_type_friendly(&known->type, &m->arena);
      wh_str b = wh_type_friendly(&field->type, &m->arena);
      return wh_fail(err, WH_ERR_TYPE,
                     "column %.*s is %.*s here, and %.*s in objects before it. Read them apart, or "
                     "land them with one type",
                     WH_STR_ARG(field->name), WH_STR_ARG(b), WH_STR_ARG(a));
    }
    known->type = wider;
    return WH_OK;
  }
  if (*count == WH_COLUMNS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "together they have more than %d columns", WH_COLUMNS_MAX);
  fields[(*count)++] = *field;
  return WH_OK;
}

static wh_status unite(wh_model_table *t, const wh_schema *own, wh_error *err) {
  wh_model_input *m = t->of;
  const wh_schema *known = &t->base.schema;
  wh_field *fields = WH_NEW_ARRAY(&m->arena, known->count + own->count, wh_field);
  if (!fields) return wh_fail_memory(err);
  size_t count = known->count;
  if (count) memcpy(fields, known->fields, count * sizeof *fields);
  for (size_t i = 0; i < own->count; i++)
    WH_TRY(add_field(m, &own->fields[i], fields, &count, err));
  t->base.schema = (wh_schema){count, fields};
  return WH_OK;
}

// What the manifest says, or the object itself, which is read whole where its types are inferred.
static wh_status look_inside(wh_model_table *t, const wh_object *object, wh_run_input *in,
                             wh_arena *arena, const wh_schema **ret, wh_error *err) {
  wh_connection *c;
  bool is_rows, found;
  WH_TRY(wh_input_connect(t->of->engine, &t->pipeline.from, &c, &is_rows, err));
  wh_manifest *manifest = WH_NEW(arena, wh_manifest);
  if (!manifest) return wh_fail_memory(err);
  WH_TRY(wh_input_manifest(c, object, arena, &found, manifest, err));
  if (found && !wh_str_is(manifest->codec, WH_CODEC_RAW)) {
    if (t->base.rows != WH_SIZE_UNKNOWN) t->base.rows += manifest->rows;
    *ret = &manifest->schema;
    return WH_OK;
  }
  t->base.rows = WH_SIZE_UNKNOWN;
  WH_TRY(wh_input_open_columns(t->of->engine, &t->pipeline, object, NULL, NULL, 0, NULL, arena, in,
                               err));
  if (in->reader->schema_inferred) WH_TRY(wh_input_read_whole(in, err));
  *ret = in->reader->schema;
  return WH_OK;
}

// Most objects of a table have the schema of the one before.
static wh_status describe_object(wh_model_table *t, size_t i, wh_arena *scratch, wh_error *err) {
  wh_model_object *o = &t->objects[i];
  wh_run_input in = {0};
  const wh_schema *found, *before = i ? t->objects[i - 1].schema : NULL;
  wh_status status = look_inside(t, &o->object, &in, scratch, &found, err);
  bool is_same = status == WH_OK && before && wh_schema_eq(before, found);
  wh_schema *own = NULL;
  if (status == WH_OK && !is_same) {
    own = WH_NEW(&t->of->arena, wh_schema);
    status = own ? wh_schema_copy(found, &t->of->arena, own, err) : wh_fail_memory(err);
  }
  wh_input_close_run(&in);
  o->schema = is_same ? before : own;
  if (status == WH_OK && own) status = unite(t, own, err);
  if (status != WH_OK)
    wh_error_prefix(err, "%.*s: %.*s: ", WH_STR_ARG(t->pipeline.from.connection),
                    WH_STR_ARG(o->object.key));
  return status;
}

static bool stopping(const wh_model_input *m) {
  return m->base.stop && atomic_load(m->base.stop);
}

static wh_status describe(wh_model_table *t, wh_error *err) {
  const wh_address *from = &t->pipeline.from;
  if (t->described) return WH_OK;
  if (!t->object_count)
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: nothing matches %.*s yet",
                   WH_STR_ARG(from->connection), WH_STR_ARG(wh_pipeline_reads(&t->pipeline)));
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, t->of->engine->mem);
  for (size_t i = 0; i < t->object_count; i++) {
    if (stopping(t->of))
      return wh_fail(err, WH_ERR_CANCELLED, "stopped; the model runs again at the next start");
    wh_arena_reset(&scratch);
    WH_TRY(describe_object(t, i, &scratch, err));
  }
  t->described = true;
  return WH_OK;
}

static wh_status find(wh_sql_tables *base, wh_str function, wh_str argument,
                      const wh_sql_table **ret, wh_error *err) {
  wh_model_input *m = (wh_model_input *)base;
  const wh_model *model = m->pipeline->model;
  for (size_t i = 0; i < model->table_count; i++) {
    const wh_address *a = &model->tables[i];
    if (!wh_str_eq(a->connection, function) || !wh_str_eq(wh_model_reads(model, i), argument))
      continue;
    WH_TRY(describe(&m->tables[i], err));
    *ret = &m->tables[i].base;
    return WH_OK;
  }
  return wh_fail(
      err, WH_ERR_USAGE,
      "what a model reads stands in its SQL as a plain text, so that its order is known: "
      "%.*s('...')",
      WH_STR_ARG(function));
}

// --- all of it -----------------------------------------------------------------------------------

static wh_status name_functions(wh_model_input *m, wh_error *err) {
  const wh_model *model = m->pipeline->model;
  wh_str *names = WH_NEW_ARRAY(&m->arena, model->table_count, wh_str);
  if (!names) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < model->table_count; i++) {
    bool is_known = false;
    for (size_t j = 0; j < count; j++)
      is_known |= wh_str_eq(names[j], model->tables[i].connection);
    if (!is_known) names[count++] = model->tables[i].connection;
  }
  m->base.functions = names;
  m->base.function_count = count;
  return WH_OK;
}

static wh_status list_tables(wh_model_input *m, wh_error *err) {
  const wh_model *model = m->pipeline->model;
  m->tables = WH_NEW_ARRAY(&m->arena, model->table_count, wh_model_table);
  if (!m->tables) return wh_fail_memory(err);
  size_t most = WH_MODEL_OBJECTS_MAX;
  for (size_t i = 0; i < model->table_count; i++) {
    wh_model_table *t = &m->tables[i];
    *t = (wh_model_table){.base = {.open = wh_model_table_open},
                          .of = m,
                          .pipeline = {.node = model->tables[i].node,
                                       .from = model->tables[i],
                                       .read = {.dataset = model->datasets[i]},
                                       .gate = {.all = true}}};
    WH_TRY(list_table(m, t, most, err));
    most -= t->object_count;
  }
  return digest(m, err);
}

wh_status wh_model_open(wh_engine *engine, const wh_pipeline *p, wh_model_input **ret,
                        wh_error *err) {
  wh_model_input *m = wh_mem_alloc_zero(engine->mem, sizeof *m);
  if (!m) return wh_fail_memory(err);
  m->base = (wh_sql_tables){.stop = engine->stop, .find = find};
  m->engine = engine;
  m->pipeline = p;
  wh_arena_init(&m->arena, engine->mem);
  wh_status status = name_functions(m, err);
  if (status == WH_OK) status = list_tables(m, err);
  if (status == WH_OK)
    *ret = m;
  else
    wh_model_close(m);
  return status;
}

void wh_model_close(wh_model_input *m) {
  if (!m) return;
  wh_arena_free(&m->arena);
  wh_mem_free(m->engine->mem, m, sizeof *m);
}

// --- what is new ---------------------------------------------------------------------------------

wh_cursor wh_model_cursor(const wh_model_input *m) {
  return (wh_cursor){.found = true,
                     .last = {.type = wh_type_of(WH_STRING), .as.s = wh_str_of(m->digest)}};
}

static wh_status compare(const wh_model_input *m, bool *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, m->engine->mem);
  wh_ledger *ledger = m->engine->ledger;
  wh_cursor last;
  WH_TRY(ledger->type->cursor(ledger, m->pipeline->name, &arena, &last, err));
  bool is_known = last.found && !last.last.is_null && last.last.type.kind == WH_STRING;
  *ret = !is_known || !wh_str_is(last.last.as.s, m->digest);
  for (size_t i = 0; i < m->pipeline->model->table_count; i++)
    *ret = *ret && m->tables[i].object_count;
  return WH_OK;
}

wh_status wh_model_is_new(wh_engine *engine, const wh_pipeline *p, bool *ret,
                          char ret_digest[WH_SHA256_HEX + 1], wh_error *err) {
  wh_model_input *m;
  WH_TRY(wh_model_open(engine, p, &m, err));
  wh_status status = compare(m, ret, err);
  if (ret_digest) memcpy(ret_digest, m->digest, sizeof m->digest);
  wh_model_close(m);
  return status;
}

// --- what nobody makes ---------------------------------------------------------------------------

static wh_status is_written(wh_engine *engine, const wh_address *table, wh_arena *arena, bool *ret,
                            wh_error *err) {
  const wh_config *config = engine->config;
  *ret = false;
  for (size_t i = 0; i < config->pipeline_count && !*ret; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (!wh_str_eq(p->to.connection, table->connection)) continue;
    wh_str made;
    WH_TRY(wh_template_glob(p->to.thing, arena, &made, err));
    WH_TRY(wh_glob_overlap(made, table->thing, engine->mem, ret, err));
  }
  return WH_OK;
}

static wh_status find_unfed(const wh_model_input *m, wh_arena *arena, const wh_address **unfed,
                            size_t *count, wh_error *err) {
  const wh_model *model = m->pipeline->model;
  for (size_t i = 0; i < model->table_count; i++) {
    bool written = true;
    if (!m->tables[i].object_count)
      WH_TRY(is_written(m->engine, &model->tables[i], arena, &written, err));
    if (!written) unfed[(*count)++] = &model->tables[i];
  }
  return WH_OK;
}

wh_status wh_engine_unfed(wh_engine *engine, const wh_pipeline *p, wh_arena *arena,
                          const wh_address ***ret, size_t *ret_count, wh_error *err) {
  *ret_count = 0;
  if (!p->model) return WH_OK;
  const wh_address **unfed = WH_NEW_ARRAY(arena, p->model->table_count, const wh_address *);
  if (!unfed) return wh_fail_memory(err);
  wh_model_input *m;
  WH_TRY(wh_model_open(engine, p, &m, err));
  wh_status status = find_unfed(m, arena, unfed, ret_count, err);
  wh_model_close(m);
  *ret = unfed;
  return status;
}
