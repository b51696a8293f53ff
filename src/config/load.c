#include "config/private.h"

#include "config/overlay.h"
#include "config/yaml.h"
#include "net/aws_logs.h"

#include <stdio.h>

#define DEFAULT_FILE "wherry.yaml"

enum {
  MEMORY_MIN_BYTES = 20 << 20,    // of the `memory` word
  MEMORY_OWN_MIN_BYTES = 8 << 20, // that must be left when libraries have taken their reserves
};

typedef struct top_words {
  int64_t version;
  const wh_node *connections, *masks, *pipelines, *teams, *sites, *serve, *ledger, *log, *retain;
  wh_str quarantine;
  int64_t memory_bytes;
  wh_str catalog;
} top_words;

const wh_option wh_top_options[] = {
    {.name = "version",
     .type = WH_OPTION_INT,
     .offset = offsetof(top_words, version),
     .required = true,
     .help = "of this file's words: 1"},
    {.name = "connections",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, connections),
     .shape = "{ name: { type: ..., ... } }",
     .help = "the named places that data comes from and goes to"},
    {.name = "masks",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, masks),
     .shape = "{ name: { hmac: ${secret:name} } }",
     .help = "what private values become before they cross"},
    {.name = "pipelines",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, pipelines),
     .shape = "{ name: { from: ..., columns: ..., to: ... } }",
     .help = "what crosses, from where to where"},
    {.name = "teams",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, teams),
     .shape = "{ name: { read: [...], write: [...] } }",
     .help = "people who may use objects: see `wherry policy`"},
    {.name = "sites",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, sites),
     .shape = "{ name: { from: FOLDER, to: web:report/ } }",
     .help = "folders of pages that `wherry site` publishes"},
    {.name = "retain",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, retain),
     .shape = "{ lake:inbound/: 90d, quarantine: 30d }",
     .help = "how long objects of a zone, and what was rejected, are kept; see `wherry retain`"},
    {.name = "serve",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, serve),
     .shape = "{ listen: ..., lookups: ..., ingest: ... }",
     .help = "the lookup pages and endpoints for events that `wherry up` serves"},
    {.name = "memory",
     .type = WH_OPTION_SIZE,
     .offset = offsetof(top_words, memory_bytes),
     .def = "64MiB",
     .min = MEMORY_MIN_BYTES,
     .max = 0,
     .help = "ceiling of the resident size of the whole process"},
    {.name = "ledger",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, ledger),
     .shape = "postgres://user@host:port/database, dynamodb:TABLE, "
              "or { ... }",
     .help = "where Wherry keeps its own state"},
    {.name = "quarantine",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(top_words, quarantine),
     .help = "store that also keeps the rejected rows of the "
             "pipelines that read it; else this machine does"},
    {.name = "catalog",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(top_words, catalog),
     .help = "address of a table that gets a row for every object "
             "that is published: connection:table"},
    {.name = "log",
     .type = WH_OPTION_NODE,
     .offset = offsetof(top_words, log),
     .shape = "text, json, cloudwatch, or { to: cloudwatch, ... }",
     .help = "where log lines go, and in which form"},
    {0}};

// --- for all sections ----------------------------------------------------------------------------

// Texts outside connections hold no references, only perhaps "$${" for "${".
static wh_status unescape(void *context, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                          wh_error *err) {
  (void)context;
  size_t references = 0;
  wh_status status = wh_reference_check(scalar, &references, NULL);
  if (status != WH_OK || references > 0) { // wh_load_references tells about these
    *ret = scalar->text;
    return WH_OK;
  }
  return wh_reference_resolve(NULL, scalar, arena, ret, err);
}

void wh_load_options(wh_loader *l, const wh_option *table, const wh_node *map,
                     const char *const *skip, const char *owner, bool lazy, void *target) {
  wh_option_context context = {
      .arena = l->arena,
      .base_folder = l->config->folder,
      .resolve = unescape,
      .lazy = lazy,
      .problem = wh_problems_take,
      .problem_context = &l->problems,
  };
  wh_error err = {0};
  wh_status status = wh_options_parse(table, map, skip, owner, &context, target, &err);
  if (status == WH_ERR_MEMORY)
    l->problems.out_of_memory = true;
  else if (status != WH_OK)
    wh_problems_add(&l->problems, false, &err);
}

const char *wh_load_owner(wh_loader *l, const char *fmt, ...) {
  char text[WH_CONFIG_NAME_MAX * 4];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  wh_str s = wh_str_of(text);
  char *copy = wh_arena_cstr(l->arena, wh_str_sub(s, 0, wh_utf8_valid_prefix(s)));
  if (!copy) l->problems.out_of_memory = true;
  return copy ? copy : "";
}

void *wh_load_array(wh_loader *l, size_t count, size_t size) {
  void *array = wh_arena_array(l->arena, count, size);
  if (!array) l->problems.out_of_memory = true;
  return array;
}

bool wh_load_is_map(wh_loader *l, const wh_node *node, const char *owner) {
  if (!node || wh_node_is_null(node)) return false;
  if (node->kind == WH_NODE_MAP) return true;
  wh_problems_error(&l->problems, node, "%s: expected a map, found %s", owner,
                    wh_node_kind_name(node));
  return false;
}

bool wh_load_is_text(wh_loader *l, const wh_node *node, const char *owner, const char *what) {
  if (node->kind == WH_NODE_SCALAR && !wh_node_is_null(node)) return true;
  wh_problems_error(&l->problems, node, "%s: expected %s, found %s", owner, what,
                    wh_node_kind_name(node));
  return false;
}

bool wh_load_name(wh_loader *l, const wh_node *key, const char *what) {
  wh_str name = key->text;
  bool fits = name.len > 0 && name.len <= WH_CONFIG_NAME_MAX;
  for (size_t i = 0; fits && i < name.len; i++) {
    char c = name.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    fits = letter || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }
  if (fits) return true;
  wh_problems_error(&l->problems, key,
                    "'%.*s' cannot be the name of a %s: names are 1 to %d letters, digits, '-' and "
                    "'_'",
                    WH_SHOWN(name), what, WH_CONFIG_NAME_MAX);
  return false;
}

wh_hint wh_hint_of(wh_str word, const wh_str *words, size_t count) {
  wh_hint hint = {{0}};
  wh_str near = wh_str_nearest(word, words, count);
  if (near.len) snprintf(hint.text, sizeof hint.text, " Did you mean '%.*s'?", WH_SHOWN(near));
  return hint;
}

const wh_node *wh_node_key(const wh_node *map, const char *key) {
  if (!map || map->kind != WH_NODE_MAP) return NULL;
  for (size_t i = 0; i < map->count; i++)
    if (wh_str_is(map->entries[i].key->text, key)) return map->entries[i].key;
  return NULL;
}

// --- memory --------------------------------------------------------------------------------------

// Libraries behind the connectors that are used need their part of the memory.
static void check_memory(wh_loader *l, const wh_node *memory_node) {
  const wh_config_private *own = l->own;
  int64_t reserved = 0;
  for (size_t i = 0; i < own->connection_count; i++) {
    const wh_connector *type = own->connections[i].info.type;
    bool counted = !type;
    for (size_t j = 0; j < i; j++)
      counted = counted || own->connections[j].info.type == type;
    if (!counted) reserved += (int64_t)type->reserve_bytes;
  }
  reserved += (int64_t)wh_config_codec_reserve(l->config);
  if (own->ledger.info.type) reserved += (int64_t)own->ledger.info.type->reserve_bytes;
  if (l->config->log.to == WH_LOG_CLOUDWATCH) reserved += WH_AWS_LOGS_LIBRARY_BYTES;
  if (l->config->memory_bytes - reserved >= MEMORY_OWN_MIN_BYTES) return;
  enum { MIB = 1 << 20 };
  int64_t need = (reserved + MEMORY_OWN_MIN_BYTES + MIB - 1) / MIB;
  wh_problems_error(&l->problems, memory_node ? memory_node : l->config->root,
                    "memory: %lld MiB are too little: the libraries of these connections take "
                    "%lld MiB of it. Give at least %lldMiB",
                    (long long)(l->config->memory_bytes / MIB),
                    (long long)((reserved + MIB - 1) / MIB), (long long)need);
}

// --- quarantine ----------------------------------------------------------------------------------

static void load_quarantine(wh_loader *l, wh_str name) {
  const wh_node *node = wh_node_get(l->config->root, "quarantine");
  if (!name.len || !node) return;
  const wh_connection_info *info = wh_load_connection(l, node, "quarantine", name);
  if (info && info->type && !info->type->store)
    wh_problems_error(&l->problems, node,
                      "quarantine: %.*s holds no objects. Name a store, such as one of type s3",
                      WH_SHOWN(name));
  l->config->quarantine = name;
}

// --- the whole -----------------------------------------------------------------------------------

static void load_top(wh_loader *l) {
  wh_config *config = l->config;
  const wh_node *root = config->root;
  top_words top = {0};
  wh_load_options(l, wh_top_options, root, NULL, "the configuration", true, &top);
  const wh_node *version = wh_node_get(root, "version");
  if (version && version->kind == WH_NODE_SCALAR && top.version > 1) {
    wh_problems_error(&l->problems, version,
                      "version %lld is newer than this Wherry, which knows 1",
                      (long long)top.version);
  }
  config->memory_bytes = top.memory_bytes;
  wh_load_log(l, top.log);
  wh_load_references(l, root);
  wh_load_connections(l, top.connections);
  wh_load_ingests(l, top.serve);
  wh_load_ledger(l, top.ledger);
  load_quarantine(l, top.quarantine);
  wh_load_masks(l, top.masks);
  wh_load_pipelines(l, top.pipelines);
  wh_load_ingest_ledger(l);
  wh_load_teams(l, top.teams);
  wh_load_sites(l, top.sites);
  wh_load_retain(l, top.retain);
  wh_load_catalog(l, wh_node_get(root, "catalog"));
  wh_load_serve(l, top.serve);
  wh_load_ranges(l);
  wh_load_datasets(l);
  wh_load_triggers(l);
  wh_load_order(l);
  check_memory(l, wh_node_get(root, "memory"));
}

static wh_status fail_read(const char *path, wh_status status, bool overlay,
                           const char *environment, wh_error *err) {
  if (status == WH_ERR_LIMIT) {
    return wh_fail(err, WH_ERR_LIMIT, "%s is larger than the %d MiB a configuration may have", path,
                   WH_CONFIG_BYTES_MAX >> 20);
  }
  if (status != WH_ERR_NOT_FOUND) return status;
  if (overlay) {
    return wh_fail(err, status, "there is no %s, which --env %s lays over the configuration", path,
                   environment);
  }
  return wh_fail(err, status,
                 "there is no %s. Make a project with: wherry init, or name the file with -c",
                 path);
}

static wh_status read_tree(wh_loader *l, const char *path, bool overlay, wh_node **ret,
                           wh_error *err) {
  const wh_config_source *source = &l->config->source;
  wh_str text;
  wh_status status = wh_os_read_file(source->os, path, WH_CONFIG_BYTES_MAX, l->arena, &text, err);
  if (status != WH_OK) return fail_read(path, status, overlay, source->environment, err);
  return wh_yaml_parse(text, path, l->arena, &l->problems, ret, err);
}

// "wherry.yaml" and "prod" give "wherry.prod.yaml".
static wh_status overlay_path(wh_loader *l, wh_error *err) {
  wh_str environment = wh_str_of(l->config->source.environment);
  bool fits = environment.len > 0 && environment.len <= WH_CONFIG_NAME_MAX;
  for (size_t i = 0; i < environment.len; i++)
    fits = fits && environment.data[i] != '/' && (unsigned char)environment.data[i] > ' ';
  if (!fits) return wh_fail(err, WH_ERR_USAGE, "--env takes a name such as prod");
  wh_str path = wh_str_of(l->own->path), ending = WH_STR(".yaml");
  if (wh_str_ends(path, ".yml"))
    ending = WH_STR(".yml");
  else if (!wh_str_ends(path, ".yaml"))
    ending = WH_STR("");
  wh_str result = wh_arena_printf(l->arena, "%.*s.%.*s%.*s", (int)(path.len - ending.len),
                                  path.data, WH_STR_ARG(environment), WH_STR_ARG(ending));
  if (!result.data) return wh_fail_memory(err);
  l->own->overlay_path = result.data;
  return WH_OK;
}

static wh_status read_trees(wh_loader *l, wh_error *err) {
  if (l->config->source.environment) WH_TRY(overlay_path(l, err));
  wh_problems_init(&l->problems, l->arena, l->own->overlay_path);
  wh_node *base = NULL, *over = NULL;
  WH_TRY(read_tree(l, l->own->path, false, &base, err));
  l->config->root = base;
  if (!l->own->overlay_path) return WH_OK;
  WH_TRY(read_tree(l, l->own->overlay_path, true, &over, err));
  return wh_overlay(base, over, l->arena, &l->config->root, err);
}

static const char *copy_text(wh_arena *arena, const char *text, bool *failed) {
  char *copy = text ? wh_arena_cstr(arena, wh_str_of(text)) : NULL;
  *failed = *failed || (text && !copy);
  return copy;
}

static wh_status set_paths(wh_config *config, const wh_config_source *source, wh_error *err) {
  wh_arena *arena = &config->arena;
  bool failed = false;
  config->source = *source;
  const char *path = copy_text(arena, source->path ? source->path : DEFAULT_FILE, &failed);
  config->source.path = path;
  config->source.environment = copy_text(arena, source->environment, &failed);
  if (failed) return wh_fail_memory(err);
  const char *folder = wh_path_folder(arena, path);
  const char *state = folder ? wh_path_join(arena, folder, ".wherry") : NULL;
  const char *ledger = state ? wh_path_join(arena, state, "ledger.db") : NULL;
  config->own = WH_NEW(arena, struct wh_config_private);
  if (!ledger || !config->own) return wh_fail_memory(err);
  config->folder = wh_str_of(folder);
  config->state_folder = wh_str_of(state);
  config->ledger_path = wh_str_of(ledger);
  config->own->path = path;
  pthread_mutex_init(&config->own->mutex, NULL);
  return WH_OK;
}

static wh_status load(wh_config *config, const wh_config_source *source, wh_error *err) {
  WH_TRY(set_paths(config, source, err));
  wh_loader l = {.config = config, .own = config->own, .arena = &config->arena};
  WH_TRY(read_trees(&l, err));
  load_top(&l);
  return wh_problems_finish(&l.problems, &config->problems, &config->problem_count,
                            &config->error_count, err);
}

wh_status wh_config_load(const wh_config_source *source, wh_config **ret, wh_error *err) {
  wh_config *config = wh_mem_alloc_zero(source->mem, sizeof *config);
  if (!config) return wh_fail_memory(err);
  wh_arena_init(&config->arena, source->mem);
  wh_status status = load(config, source, err);
  if (status != WH_OK) {
    wh_config_free(config);
    return status;
  }
  *ret = config;
  return WH_OK;
}

void wh_config_free(wh_config *config) {
  if (!config) return;
  if (config->own) {
    for (size_t i = 0; i < config->own->connection_count; i++)
      wh_connection_close(&config->own->connections[i]);
    wh_connection_close(&config->own->ledger);
    pthread_mutex_destroy(&config->own->mutex);
  }
  wh_mem *mem = config->arena.mem;
  wh_arena_free(&config->arena);
  wh_mem_free(mem, config, sizeof *config);
}
