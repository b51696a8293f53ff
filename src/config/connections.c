#include "config/private.h"

#include <stdio.h>

const char *const wh_class_choices[] = {"public", "internal", "personal", "secret", NULL};

typedef struct connection_words {
  wh_str type;
  wh_str_list accepts;
} connection_words;

const wh_option wh_connection_options[] = {{.name = "type",
                                            .type = WH_OPTION_TEXT,
                                            .offset = offsetof(connection_words, type),
                                            .required = true,
                                            .help = "what kind of place it is"},
                                           {.name = "accepts",
                                            .type = WH_OPTION_LIST,
                                            .offset = offsetof(connection_words, accepts),
                                            .choices = wh_class_choices,
                                            .def = "public, internal",
                                            .help = "classes of columns that may cross to it"},
                                           {0}};

static const char *const shared_words[] = {"type", "accepts", NULL};

// --- while loading -------------------------------------------------------------------------------

static const wh_connector *find_type(wh_loader *l, const wh_node *node, const char *owner,
                                     wh_str name) {
  enum { TYPES_MAX = 64 };
  const wh_connector *found = wh_connector_by_name(name);
  if (found || name.len == 0) return found;
  wh_str words[TYPES_MAX];
  char list[512];
  size_t count = 0, len = 0;
  list[0] = 0;
  for (; count < TYPES_MAX && wh_connectors[count]; count++) {
    words[count] = wh_str_of(wh_connectors[count]->name);
    if (len >= sizeof list) continue;
    int n = snprintf(list + len, sizeof list - len, "%s%s", count ? ", " : "",
                     wh_connectors[count]->name);
    len += n > 0 ? (size_t)n : 0;
  }
  wh_hint hint = wh_hint_of(name, words, count);
  const wh_node *type = wh_node_get(node, "type");
  wh_problems_error(&l->problems, type, "%s: no type '%.*s'.%s There are: %s", owner,
                    WH_SHOWN(name), hint.text, list);
  return NULL;
}

bool wh_load_words(wh_loader *l, const wh_node *node, const char *const *words, wh_node *ret) {
  *ret = *node;
  ret->count = 0;
  ret->entries = wh_load_array(l, node->count, sizeof *ret->entries);
  if (!ret->entries) return false;
  for (size_t i = 0; i < node->count; i++) {
    bool listed = false;
    for (size_t j = 0; words[j]; j++)
      listed = listed || wh_str_is(node->entries[i].key->text, words[j]);
    if (listed) ret->entries[ret->count++] = node->entries[i];
  }
  return true;
}

static size_t count_references(const wh_node *map) {
  size_t sum = 0;
  for (size_t i = 0; i < map->count; i++) {
    size_t count = 0;
    if (map->entries[i].value->kind != WH_NODE_SCALAR) continue;
    if (wh_reference_check(map->entries[i].value, &count, NULL) == WH_OK) sum += count;
  }
  return sum;
}

// As far as it can be judged without resolving anything.
void wh_load_connector(wh_loader *l, const wh_connection_entry *entry, wh_str secret) {
  const wh_connector *type = entry->info.type;
  const wh_node *node = entry->info.node;
  void *options = wh_load_array(l, 1, type->options_size ? type->options_size : 1);
  if (!options) return;
  size_t before = l->problems.count;
  wh_load_options(l, type->options, node, entry->words, entry->owner, true, options);
  bool can_be_judged = l->problems.count == before;
  wh_load_secrets(l, type->options, node, entry->owner, secret, true);
  if (!type->check || !can_be_judged || count_references(node) > 0) return;
  wh_error problem = {0};
  if (type->check(options, &problem) != WH_OK) {
    wh_problems_error(&l->problems, node, "%s: %s", entry->owner, problem.text);
  }
}

static void load_connection(wh_loader *l, wh_connection_entry *entry, const wh_node *key,
                            const wh_node *node) {
  entry->name_node = key;
  entry->info.name = key->text;
  entry->info.node = node;
  wh_load_name(l, key, "connection");
  const char *owner = wh_load_owner(l, "connection %.*s", WH_SHOWN(key->text));
  entry->owner = owner;
  entry->words = shared_words;
  if (wh_node_is_null(node)) {
    wh_problems_error(&l->problems, key, "%s needs 'type': %s", owner,
                      wh_connection_options[0].help);
    return;
  }
  wh_node shared;
  connection_words words = {0};
  if (!wh_load_is_map(l, node, owner) || !wh_load_words(l, node, shared_words, &shared)) return;
  wh_load_options(l, wh_connection_options, &shared, NULL, owner, true, &words);
  for (size_t i = 0; i < words.accepts.count; i++) {
    wh_class class;
    if (wh_class_parse(words.accepts.items[i], &class)) entry->info.accepts[class] = true;
  }
  entry->info.type = find_type(l, node, owner, words.type);
  if (entry->info.type) wh_load_connector(l, entry, key->text);
}

void wh_load_connections(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "connections")) return;
  if (node->count > WH_CONFIG_CONNECTIONS_MAX) {
    wh_problems_error(&l->problems, node, "more than %d connections", WH_CONFIG_CONNECTIONS_MAX);
    return;
  }
  l->own->connections = wh_load_array(l, node->count, sizeof *l->own->connections);
  if (!l->own->connections) return;
  for (size_t i = 0; i < node->count; i++) {
    wh_connection_entry *entry = &l->own->connections[l->own->connection_count++];
    load_connection(l, entry, node->entries[i].key, node->entries[i].value);
  }
}

// --- afterwards ----------------------------------------------------------------------------------

size_t wh_config_connection_count(const wh_config *config) {
  return config->own ? config->own->connection_count : 0; // none of its own: made for one file
}

const wh_connection_info *wh_config_connection_info(const wh_config *config, size_t i) {
  return &config->own->connections[i].info;
}

static wh_connection_entry *find_entry(const wh_config *config, wh_str name) {
  for (size_t i = 0; i < config->own->connection_count; i++)
    if (wh_str_eq(config->own->connections[i].info.name, name)) return &config->own->connections[i];
  return NULL;
}

const wh_connection_info *wh_config_find_connection(const wh_config *config, wh_str name) {
  const wh_connection_entry *entry = find_entry(config, name);
  return entry ? &entry->info : NULL;
}

typedef wh_status (*resolver)(void *context, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                              wh_error *err);

// As its options say, and not open.
static wh_status make(wh_config *config, const wh_connection_entry *entry, resolver resolve,
                      wh_connection **ret, wh_error *err) {
  const wh_connector *type = entry->info.type;
  wh_arena *arena = &config->arena;
  wh_connection *c = WH_NEW(arena, wh_connection);
  void *options = wh_arena_alloc(arena, type->options_size);
  if (!c || !options) return wh_fail_memory(err);
  if (entry->made) memcpy(options, entry->made, type->options_size);
  wh_option_context context = {
      .arena = arena,
      .base_folder = config->folder,
      .resolve = resolve,
      .resolve_context = config,
  };
  if (!entry->made)
    WH_TRY(wh_options_parse(type->options, entry->info.node, entry->words, entry->owner, &context,
                            options, err));
  *c = (wh_connection){
      .name = entry->info.name,
      .type = type,
      .options = options,
      .os = config->source.os,
      .mem = config->source.mem,
      .batch_rows = WH_BATCH_ROWS_DEFAULT,
      .batch_bytes = WH_BATCH_BYTES_DEFAULT,
      .row_limit_bytes = (size_t)config->memory_bytes / WH_CONFIG_ROW_SHARE,
      .environment = {config->source.getenv, config->source.getenv_context},
  };
  *ret = c;
  return WH_OK;
}

wh_status wh_connection_make_ready(wh_config *config, wh_connection_entry *entry, wh_error *err) {
  if (entry->ready) return WH_OK;
  const wh_connector *type = entry->info.type;
  wh_connection *c;
  WH_TRY(make(config, entry, wh_reference_resolve, &c, err));
  wh_status status = type->check ? type->check(c->options, err) : WH_OK;
  if (status != WH_OK) {
    wh_error_prefix(err, "%s:%u:%u: %s: ", entry->info.node->file, entry->info.node->line,
                    entry->info.node->column, entry->owner);
    return status;
  }
  if (type->open) WH_TRY(type->open(c, err));
  entry->ready = c;
  return WH_OK;
}

void wh_connection_close(wh_connection_entry *entry) {
  if (entry->ready && entry->info.type->close) entry->info.type->close(entry->ready);
  entry->ready = NULL;
}

static wh_status find_usable(const wh_config *config, wh_str name, wh_connection_entry **ret,
                             wh_error *err) {
  *ret = find_entry(config, name);
  if (!*ret) return wh_fail(err, WH_ERR_NOT_FOUND, "no connection '%.*s'", WH_SHOWN(name));
  if ((*ret)->info.type) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "connection %.*s has no type that is known", WH_SHOWN(name));
}

wh_status wh_config_connect(wh_config *config, wh_str name, wh_connection **ret, wh_error *err) {
  wh_connection_entry *entry;
  WH_TRY(find_usable(config, name, &entry, err));
  pthread_mutex_lock(&config->own->mutex);
  wh_status status = wh_connection_make_ready(config, entry, err);
  pthread_mutex_unlock(&config->own->mutex);
  if (status == WH_OK) *ret = entry->ready;
  return status;
}

static wh_status describe(wh_config *config, wh_connection_entry *entry, const wh_connection **ret,
                          wh_error *err) {
  wh_connection *c = NULL;
  pthread_mutex_lock(&config->own->mutex);
  wh_status status = make(config, entry, wh_reference_resolve_shown, &c, err);
  pthread_mutex_unlock(&config->own->mutex);
  if (status == WH_OK) *ret = c;
  return status;
}

wh_status wh_config_describe(wh_config *config, wh_str name, const wh_connection **ret,
                             wh_error *err) {
  wh_connection_entry *entry;
  WH_TRY(find_usable(config, name, &entry, err));
  return describe(config, entry, ret, err);
}

wh_status wh_config_describe_ledger(wh_config *config, const wh_connection **ret, wh_error *err) {
  *ret = NULL;
  if (!config->own->ledger.info.type) return WH_OK;
  return describe(config, &config->own->ledger, ret, err);
}
