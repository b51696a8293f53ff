#include "config/model.h"

#include "config/private.h"
#include "config/sql_scan.h"
#ifdef WHERRY_DUCKDB
#include "connect/duckdb/duckdb.h"
#endif

static const int64_t default_memory_bytes = 1ll << 30;

bool wh_model_is(wh_str address) {
  return wh_str_ends(address, ".sql") && !memchr(address.data, ':', address.len);
}

// --- what it reads -------------------------------------------------------------------------------

typedef struct reading {
  wh_loader *l;
  const char *owner;
  wh_model *model;
  wh_address *tables; // WH_MODEL_TABLES_MAX
  wh_str *datasets;
} reading;

// A place in the model's file, for messages about it.
static const wh_node *place(const reading *r, size_t at, wh_str text) {
  wh_node *node = wh_load_array(r->l, 1, sizeof *node);
  char *file = wh_arena_cstr(r->l->arena, r->model->path);
  if (!node || !file) return NULL;
  *node = (wh_node){.kind = WH_NODE_SCALAR, .file = file, .text = text};
  wh_sql_place(r->model->sql, at, &node->line, &node->column);
  return node;
}

static const wh_connection_info *find_connection(const wh_config *config, wh_str name) {
  for (size_t i = 0; i < wh_config_connection_count(config); i++) {
    const wh_connection_info *info = wh_config_connection_info(config, i);
    if (wh_str_eq_nocase(info->name, name)) return info; // as SQL compares names
  }
  return NULL;
}

static void add_table(reading *r, const wh_connection_info *info, const wh_sql_call *call) {
  wh_str pattern = wh_sql_unquote(call->text, r->l->arena);
  const wh_node *node = place(r, call->at, pattern);
  if (!pattern.data || !node) {
    r->l->problems.out_of_memory = true;
    return;
  }
  wh_model *m = r->model;
  for (size_t i = 0; i < m->table_count; i++)
    if (wh_str_eq(r->tables[i].connection, info->name) && wh_str_eq(wh_model_reads(m, i), pattern))
      return;
  if (m->table_count == WH_MODEL_TABLES_MAX) {
    wh_problems_error(&r->l->problems, node, "%s: reads more than %d tables", r->owner,
                      WH_MODEL_TABLES_MAX);
    return;
  }
  wh_str *dataset = &r->datasets[m->table_count];
  wh_address *table = &r->tables[m->table_count++];
  *table = (wh_address){.connection = info->name, .thing = pattern, .node = node};
  if (wh_address_is_dataset(pattern)) {
    wh_load_dataset(r->l, table, r->owner, false, dataset);
    return;
  }
  wh_format format;
  wh_load_pattern(r->l, table, r->owner);
  wh_load_format(r->l, table, NULL, true, r->owner, &format);
}

// Functions of DuckDB that change what it does past its locked settings, or write.
static bool is_forbidden(wh_str name) {
  static const char *const names[] = {"enable_logging", "disable_logging",  "truncate_duckdb_logs",
                                      "write_log",      "enable_profiling", "disable_profiling",
                                      "checkpoint",     "force_checkpoint"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (wh_str_eq_nocase(name, wh_str_of(names[i]))) return true;
  return false;
}

static void look_at_call(reading *r, const wh_sql_call *call) {
  wh_str name = wh_sql_unquote(call->name, r->l->arena);
  if (name.data && is_forbidden(name)) {
    wh_problems_error(&r->l->problems, place(r, call->at, name),
                      "%s: a model reads, and does not call %.*s", r->owner, WH_SHOWN(name));
    return;
  }
  const wh_connection_info *info = name.data ? find_connection(r->l->config, name) : NULL;
  if (!info || !info->type) return;
  bool is_store = info->type->store;
  if (!is_store && call->from) {
    wh_problems_error(&r->l->problems, place(r, call->at, name),
                      "%s: %.*s holds no objects, and a model reads nothing else. Land what it "
                      "needs of it in a lake, with a pipeline of its own",
                      r->owner, WH_SHOWN(info->name));
  } else if (is_store && call->has_text) {
    add_table(r, info, call);
  } else if (is_store && call->from && !call->qualified) {
    wh_problems_error(
        &r->l->problems, place(r, call->at, name),
        "%s: what %.*s is to give stands as a plain text: %.*s('warehouse/*.parquet')", r->owner,
        WH_SHOWN(info->name), WH_SHOWN(info->name));
  }
}

static bool find_tables(reading *r) {
  r->tables = wh_load_array(r->l, WH_MODEL_TABLES_MAX, sizeof *r->tables);
  r->datasets = wh_load_array(r->l, WH_MODEL_TABLES_MAX, sizeof *r->datasets);
  if (!r->tables || !r->datasets) return false;
  r->model->tables = r->tables;
  r->model->datasets = r->datasets;
  wh_sql_scan scan = {.sql = r->model->sql};
  wh_sql_call call;
  while (wh_sql_next_call(&scan, &call))
    look_at_call(r, &call);
  return true;
}

wh_str wh_model_reads(const wh_model *model, size_t table) {
  return model->datasets[table].len ? model->datasets[table] : model->tables[table].thing;
}

// --- its file, its connection --------------------------------------------------------------------

static bool read_sql(wh_loader *l, const wh_node *node, const char *owner, wh_model *m) {
  char *folder = wh_arena_cstr(l->arena, l->config->folder);
  char *name = wh_arena_cstr(l->arena, m->path);
  char *path = folder && name ? wh_path_join(l->arena, folder, name) : NULL;
  if (!path) {
    l->problems.out_of_memory = true;
    return false;
  }
  wh_error why = {0};
  wh_status status =
      wh_os_read_file(l->config->source.os, path, WH_MODEL_BYTES_MAX, l->arena, &m->sql, &why);
  if (status == WH_OK) return true;
  if (status == WH_ERR_MEMORY) l->problems.out_of_memory = true;
  wh_problems_error(&l->problems, node, "%s: from: the model cannot be read: %s", owner, why.text);
  return false;
}

#ifdef WHERRY_DUCKDB
static wh_duckdb_options *make_options(wh_loader *l, const wh_pipeline *p) {
  wh_duckdb_options *options = wh_load_array(l, 1, sizeof *options);
  if (!options) return NULL;
  options->memory_bytes = p->read.memory_bytes ? p->read.memory_bytes : default_memory_bytes;
  options->threads = p->read.threads;
  options->scratch = wh_arena_printf(l->arena, "%.*s/models", WH_STR_ARG(l->config->state_folder));
  if (!options->scratch.data) l->problems.out_of_memory = true;
  return options;
}

static bool add_connection(wh_loader *l, const wh_pipeline *p, const char *owner) {
  wh_config_private *own = l->own;
  wh_duckdb_options *options = make_options(l, p);
  wh_connection_entry *grown = wh_load_array(l, own->connection_count + 1, sizeof *grown);
  if (!grown || !options) return false;
  for (size_t i = 0; i < own->connection_count; i++) {
    const wh_connection_entry *e = &own->connections[i];
    if (!wh_str_eq(e->info.name, p->model->path)) continue;
    const wh_duckdb_options *other = e->made;
    if (other->memory_bytes == options->memory_bytes && other->threads == options->threads)
      return true;
    wh_problems_error(&l->problems, p->from.node,
                      "%s: another pipeline gives the same model other memory or threads", owner);
    return false;
  }
  if (own->connection_count) memcpy(grown, own->connections, own->connection_count * sizeof *grown);
  grown[own->connection_count++] = (wh_connection_entry){
      .info = {.name = p->model->path, .type = &wh_connector_duckdb, .node = p->from.node},
      .owner = "model",
      .made = options};
  own->connections = grown;
  return true;
}
#else
static bool add_connection(wh_loader *l, const wh_pipeline *p, const char *owner) {
  (void)default_memory_bytes;
  wh_problems_error(&l->problems, p->from.node,
                    "%s: from: this Wherry was built without DuckDB, which a model needs", owner);
  return false;
}
#endif

bool wh_load_model(wh_loader *l, wh_pipeline *p, const char *owner) {
  wh_model *m = wh_load_array(l, 1, sizeof *m);
  if (!m) return false;
  m->path = p->from.node->text;
  reading r = {.l = l, .owner = owner, .model = m};
  if (!read_sql(l, p->from.node, owner, m) || !find_tables(&r)) return false;
  p->model = m;
  p->read.query = m->sql;
  if (!add_connection(l, p, owner)) return false;
  p->from.connection = m->path;
  return true;
}
