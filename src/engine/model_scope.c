#include "engine/model_scope.h"

#include "engine/dataset.h"
#include "engine/model.h"

#include <stdlib.h>

// What one of the model's tables is now, and was when the last version was made.
typedef struct source {
  wh_model_table *table;
  const wh_dataset_source_version *before; // that the last version read; NULL: not known
  bool changed, has_parts;
  wh_dataset_index now, then; // of a dataset; `then` where it changed
} source;

typedef struct finding {
  wh_model_input *m;
  wh_model_scope *scope;
  wh_arena *arena;
  wh_dataset_index present; // of the model's own dataset
  source *sources;
  size_t count;
  const wh_str **changed;
  size_t changed_count, changed_cap;
} finding;

// --- partitions ----------------------------------------------------------------------------------

static int compare_texts(wh_str a, wh_str b) {
  if (!a.data || !b.data) return (a.data != NULL) - (b.data != NULL);
  return wh_str_cmp(a, b);
}

static wh_str value_of(const wh_dataset_index *index, const wh_dataset_file *file, wh_str column) {
  for (size_t i = 0; i < index->partition_by.count; i++)
    if (wh_str_eq(index->partition_by.items[i], column)) return file->partition[i];
  return (wh_str){0};
}

static int compare_to_file(const wh_model_scope *s, const wh_str *values,
                           const wh_dataset_index *index, const wh_dataset_file *file) {
  for (size_t i = 0; i < s->by.count; i++) {
    int order = compare_texts(values[i], value_of(index, file, s->by.items[i]));
    if (order) return order;
  }
  return 0;
}

bool wh_model_scope_has(const wh_model_scope *s, const wh_dataset_index *index,
                        const wh_dataset_file *file) {
  size_t low = 0, high = s->changed_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = compare_to_file(s, s->changed[middle], index, file);
    if (order == 0) return true;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

static int by_values(const void *a, const void *b, void *context) {
  const wh_str *x = *(const wh_str *const *)a, *y = *(const wh_str *const *)b;
  const wh_str_list *by = context;
  for (size_t i = 0; i < by->count; i++) {
    int order = compare_texts(x[i], y[i]);
    if (order) return order;
  }
  return 0;
}

static wh_status add_changed(finding *f, const wh_dataset_index *index, const wh_dataset_file *file,
                             wh_error *err) {
  const wh_str_list *by = &f->scope->by;
  if (f->changed_count == f->changed_cap) {
    size_t cap = f->changed_cap ? 2 * f->changed_cap : 16;
    const wh_str **grown = WH_NEW_ARRAY(f->arena, cap, const wh_str *);
    if (!grown) return wh_fail_memory(err);
    if (f->changed_count) memcpy(grown, f->changed, f->changed_count * sizeof *grown);
    f->changed = grown;
    f->changed_cap = cap;
  }
  wh_str *values = WH_NEW_ARRAY(f->arena, by->count, wh_str);
  if (!values) return wh_fail_memory(err);
  for (size_t i = 0; i < by->count; i++)
    values[i] = value_of(index, file, by->items[i]);
  f->changed[f->changed_count++] = values;
  return WH_OK;
}

// In order, and each once.
static void sort_changed(finding *f) {
  wh_str_list *by = &f->scope->by;
  size_t kept = 0;
  if (f->changed_count) qsort_r(f->changed, f->changed_count, sizeof *f->changed, by_values, by);
  for (size_t i = 0; i < f->changed_count; i++)
    if (!kept || by_values(&f->changed[kept - 1], &f->changed[i], by))
      f->changed[kept++] = f->changed[i];
  f->scope->changed = f->changed;
  f->scope->changed_count = kept;
}

// --- files that differ ---------------------------------------------------------------------------

static int by_path(const void *a, const void *b) {
  const wh_dataset_file *const *x = a, *const *y = b;
  return wh_str_cmp((*x)->path, (*y)->path);
}

static const wh_dataset_file **sorted(const wh_dataset_index *index, wh_arena *arena) {
  const wh_dataset_file **files =
      WH_NEW_ARRAY(arena, index->file_count + 1, const wh_dataset_file *);
  for (size_t i = 0; files && i < index->file_count; i++)
    files[i] = &index->files[i];
  if (files) qsort(files, index->file_count, sizeof(wh_dataset_file *), by_path);
  return files;
}

// The partitions of files that only one of two versions has. Names of files are never used again.
static wh_status differ(finding *f, const wh_dataset_index *a, const wh_dataset_index *b,
                        wh_error *err) {
  const wh_dataset_file **x = sorted(a, f->arena), **y = sorted(b, f->arena);
  if (!x || !y) return wh_fail_memory(err);
  size_t i = 0, k = 0;
  while (i < a->file_count || k < b->file_count) {
    int order = i == a->file_count   ? 1
                : k == b->file_count ? -1
                                     : wh_str_cmp(x[i]->path, y[k]->path);
    bool same = order == 0 && wh_str_eq(x[i]->sha256, y[k]->sha256);
    if (order <= 0 && !same) WH_TRY(add_changed(f, a, x[i], err));
    if (order >= 0 && !same) WH_TRY(add_changed(f, b, y[k], err));
    i += order <= 0;
    k += order >= 0;
  }
  return WH_OK;
}

// --- what the result will say that it was made of ------------------------------------------------

static wh_status add_text(wh_sha256 *sha, wh_str text, wh_error *err) {
  uint64_t len = text.len;
  WH_TRY(wh_sha256_add(sha, &len, sizeof len, err));
  return wh_sha256_add(sha, text.data, text.len, err);
}

static wh_status add_node(wh_sha256 *sha, const wh_node *node, wh_error *err) {
  uint64_t kind = node->kind, count = node->count;
  WH_TRY(wh_sha256_add(sha, &kind, sizeof kind, err));
  WH_TRY(wh_sha256_add(sha, &count, sizeof count, err));
  if (node->kind == WH_NODE_SCALAR) return add_text(sha, node->text, err);
  for (size_t i = 0; i < node->count; i++) {
    if (node->kind == WH_NODE_MAP) WH_TRY(add_text(sha, node->entries[i].key->text, err));
    WH_TRY(add_node(sha, node->kind == WH_NODE_MAP ? node->entries[i].value : node->items[i], err));
  }
  return WH_OK;
}

// Its SQL, and everything that the pipeline says.
static wh_status digest_model(const finding *f, wh_str *ret, wh_error *err) {
  wh_sha256 sha;
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(wh_sha256_init(&sha, err));
  wh_status status = add_text(&sha, f->m->pipeline->model->sql, err);
  if (status == WH_OK) status = add_node(&sha, f->m->pipeline->node, err);
  if (status == WH_OK) status = wh_sha256_finish_hex(&sha, hex, err);
  wh_sha256_free(&sha);
  WH_TRY(status);
  *ret = wh_arena_str(f->arena, wh_str_of(hex));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status digest_objects(const finding *f, const wh_model_table *t, wh_str *ret,
                                wh_error *err) {
  wh_sha256 sha;
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(wh_sha256_init(&sha, err));
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < t->object_count; i++) {
    status = add_text(&sha, t->objects[i].object.key, err);
    if (status == WH_OK) status = add_text(&sha, t->objects[i].object.version, err);
  }
  if (status == WH_OK) status = wh_sha256_finish_hex(&sha, hex, err);
  wh_sha256_free(&sha);
  WH_TRY(status);
  *ret = wh_arena_str(f->arena, wh_str_of(hex));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

// Of a dataset the version; the object of its index, as the store tells it apart, says that the
// version is of this very dataset.
static wh_status describe(const finding *f, size_t i, wh_dataset_source_version *ret,
                          wh_error *err) {
  const wh_model *model = f->m->pipeline->model;
  const wh_model_table *t = f->sources[i].table;
  wh_str dataset = t->pipeline.read.dataset;
  *ret = (wh_dataset_source_version){0};
  ret->address = wh_arena_printf(f->arena, "%.*s:%.*s", WH_STR_ARG(model->tables[i].connection),
                                 WH_STR_ARG(wh_model_reads(model, i)));
  if (!ret->address.data) return wh_fail_memory(err);
  if (!dataset.len || !t->object_count) return digest_objects(f, t, &ret->object, err);
  ret->version = wh_dataset_key_version(dataset, t->objects[0].object.key);
  ret->object = t->objects[0].object.version;
  return WH_OK;
}

static wh_status describe_all(finding *f, wh_error *err) {
  wh_dataset_origin *origin = &f->scope->origin;
  wh_dataset_source_version *list = WH_NEW_ARRAY(f->arena, f->count + 1, wh_dataset_source_version);
  if (!list) return wh_fail_memory(err);
  for (size_t i = 0; i < f->count; i++)
    WH_TRY(describe(f, i, &list[i], err));
  origin->sources = list;
  origin->count = f->count;
  return digest_model(f, &origin->model, err);
}

// --- whether it can be decided -------------------------------------------------------------------

// Everything is run, for this reason.
__attribute__((format(printf, 3, 4))) static wh_status whole(finding *f, wh_error *err,
                                                             const char *fmt, ...) {
  char why[256];
  va_list args;
  va_start(args, fmt);
  vsnprintf(why, sizeof why, fmt, args);
  va_end(args);
  f->scope->told = wh_arena_printf(f->arena, "everything is run: %s", why);
  return f->scope->told.data ? WH_OK : wh_fail_memory(err);
}
#define SHOWN(s) (int)wh_utf8_cut((s), 120), (s).data

static bool has_columns(const finding *f, const wh_dataset_index *index) {
  const wh_str_list *by = &f->scope->by;
  const wh_schema *own = &f->present.schema;
  for (size_t i = 0; i < by->count; i++) {
    bool found = false;
    for (size_t k = 0; k < index->partition_by.count; k++)
      found |= wh_str_eq(index->partition_by.items[k], by->items[i]);
    ptrdiff_t here = wh_schema_find(own, by->items[i]);
    ptrdiff_t there = wh_schema_find(&index->schema, by->items[i]);
    if (!found || here < 0 || there < 0 ||
        !wh_type_eq(&own->fields[here].type, &index->schema.fields[there].type))
      return false;
  }
  return true;
}

static wh_status find_then(const finding *f, source *s, wh_connection *c, bool *ret,
                           wh_error *err) {
  wh_dataset_version *versions;
  size_t count;
  wh_str prefix = s->table->pipeline.read.dataset;
  *ret = false;
  WH_TRY(wh_dataset_versions(c, prefix, f->arena, &versions, &count, err));
  for (size_t i = 0; i < count; i++) {
    if (versions[i].version != s->before->version ||
        !wh_str_eq(versions[i].object.version, s->before->object))
      continue;
    *ret = true;
    return wh_dataset_read(c, prefix, s->before->version, f->arena, &s->then, err);
  }
  return WH_OK;
}

// What changed of one source. f->scope->told is set where it cannot be said by partitions.
static wh_status look_at(finding *f, size_t i, wh_error *err) {
  source *s = &f->sources[i];
  const wh_dataset_source_version *now = &f->scope->origin.sources[i];
  wh_str dataset = s->table->pipeline.read.dataset, name = now->address;
  s->before = &f->present.origin.sources[i];
  if (!wh_str_eq(s->before->address, name)) return whole(f, err, "it reads other things now");
  s->changed = s->before->version != now->version || !wh_str_eq(s->before->object, now->object);
  if (!dataset.len || !s->table->object_count)
    return s->changed ? whole(f, err, "%.*s changed, and has no partitions", SHOWN(name)) : WH_OK;
  wh_connection *c;
  bool is_rows, found;
  WH_TRY(wh_input_connect(f->m->engine, &s->table->pipeline.from, &c, &is_rows, err));
  WH_TRY(wh_dataset_read(c, dataset, now->version, f->arena, &s->now, err));
  s->has_parts = has_columns(f, &s->now);
  if (!s->changed) return WH_OK;
  if (s->before->version > now->version) return whole(f, err, "%.*s was made anew", SHOWN(name));
  WH_TRY(find_then(f, s, c, &found, err));
  if (!found)
    return whole(f, err, "version %llu of %.*s, which was read last, is kept no more",
                 (unsigned long long)s->before->version, SHOWN(name));
  if (s->now.operation == WH_DATASET_ROLLBACK)
    return whole(f, err, "%.*s was rolled back", SHOWN(name));
  if (!s->has_parts || !has_columns(f, &s->then))
    return whole(f, err, "%.*s changed, and is not partitioned like the result", SHOWN(name));
  if (!wh_schema_eq(&s->now.schema, &s->then.schema))
    return whole(f, err, "the columns of %.*s changed", SHOWN(name));
  return differ(f, &s->then, &s->now, err);
}

static wh_status compare(finding *f, bool full, wh_error *err) {
  const wh_dataset_origin *before = &f->present.origin;
  if (full) return whole(f, err, "--full asks for it");
  if (!f->present.version) return whole(f, err, "it is the first time");
  if (!before->model.len)
    return whole(f, err, "version %llu does not say what it was made of",
                 (unsigned long long)f->present.version);
  if (!wh_str_eq(before->model, f->scope->origin.model) || before->count != f->count)
    return whole(f, err, "the model or its pipeline changed");
  for (size_t i = 0; i < f->count && !f->scope->told.data; i++)
    WH_TRY(look_at(f, i, err));
  if (f->scope->told.data) return WH_OK;
  sort_changed(f);
  return f->scope->changed_count ? WH_OK : whole(f, err, "nothing changed, and it was asked for");
}

// --- the whole -----------------------------------------------------------------------------------

// "2 partitions are run, those that changed: day=2026-11-20, day=2026-11-21"
static wh_status tell(finding *f, wh_error *err) {
  wh_model_scope *s = f->scope;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, f->arena->mem, 0);
  wh_buf_printf(&text, "%zu %s: ", s->changed_count,
                s->changed_count == 1 ? "partition is run, the one that changed"
                                      : "partitions are run, those that changed");
  for (size_t i = 0; i < s->changed_count && i < WH_SCOPE_SHOWN_MAX; i++) {
    if (i) wh_buf_add_c(&text, ", ");
    for (size_t k = 0; k < s->by.count; k++) {
      wh_str value = s->changed[i][k];
      wh_buf_printf(&text, "%s%.*s=%.*s", k ? "/" : "", SHOWN(s->by.items[k]),
                    value.data ? (int)wh_utf8_cut(value, 60) : 4, value.data ? value.data : "null");
    }
  }
  if (s->changed_count > WH_SCOPE_SHOWN_MAX) wh_buf_add_c(&text, ", ...");
  WH_TRY(wh_buf_check(&text, err));
  s->told = wh_arena_str(f->arena, wh_buf_str(&text));
  return s->told.data ? WH_OK : wh_fail_memory(err);
}

static wh_status find(finding *f, bool full, wh_error *err) {
  const wh_pipeline *p = f->m->pipeline;
  wh_connection *to;
  f->sources = WH_NEW_ARRAY(f->arena, f->count + 1, source);
  if (!f->sources) return wh_fail_memory(err);
  for (size_t i = 0; i < f->count; i++)
    f->sources[i] = (source){.table = &f->m->tables[i]};
  WH_TRY(describe_all(f, err));
  WH_TRY(wh_config_connect(f->m->engine->config, p->to.connection, &to, err));
  WH_TRY(wh_dataset_present(to, p->write.dataset, f->arena, &f->present, err));
  f->scope->base = f->present.version;
  WH_TRY(compare(f, full, err));
  f->scope->in_parts = !f->scope->told.data;
  if (!f->scope->in_parts) return WH_OK;
  for (size_t i = 0; i < f->count; i++)
    if (f->sources[i].has_parts) f->sources[i].table->scope = f->scope;
  return tell(f, err);
}

wh_status wh_model_scope_find(wh_model_input *m, bool full, wh_error *err) {
  const wh_pipeline *p = m->pipeline;
  m->scope = (wh_model_scope){.is_asked = p->write.incremental, .by = p->write.partition_by};
  if (!m->scope.is_asked) return WH_OK;
  finding f = {.m = m, .scope = &m->scope, .arena = &m->arena, .count = p->model->table_count};
  return find(&f, full, err);
}
