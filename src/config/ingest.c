// serve.ingest: the endpoints that take events, and the connection `ingest` that they are read by.
#include "config/serve.h"

#define ENDPOINT_BODY_MAX (64ll << 20)

enum { RATE_MAX = 1000000, CONCURRENCY_MAX = 4096, COLUMNS_MAX = 1000 };

typedef struct ingest_words {
  const wh_node *columns, *auth;
  wh_str to;
  int on_invalid;
  int64_t max_body, rate, concurrency, backlog, keep_us;
} ingest_words;

static const char *const on_invalid_choices[] = {"refuse", "quarantine", NULL};

const wh_option wh_ingest_words[] = {
    {.name = "columns",
     .type = WH_OPTION_NODE,
     .offset = offsetof(ingest_words, columns),
     .required = true,
     .shape = "{ name: type } or { name: { type: ..., required: true } }",
     .help = "what is taken of an event; other fields stay out"},
    {.name = "auth",
     .type = WH_OPTION_NODE,
     .offset = offsetof(ingest_words, auth),
     .shape = "none, { api_key: ${secret:name} }, { hmac: ... } or { bearer: ... }",
     .help = "who may send; only an address of this machine itself may do without"},
    {.name = "to",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(ingest_words, to),
     .help = "a connection of type sqs: each event becomes a message of its queue"},
    {.name = "on_invalid",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(ingest_words, on_invalid),
     .choices = on_invalid_choices,
     .def = "refuse",
     .help = "refuse a request with an event that does not fit its columns, or take it and let "
             "the pipelines keep such events in quarantine"},
    {.name = "max_body",
     .type = WH_OPTION_SIZE,
     .offset = offsetof(ingest_words, max_body),
     .def = "1MiB",
     .min = 1024,
     .max = ENDPOINT_BODY_MAX,
     .help = "largest body of a request; at most an eighth of `memory`"},
    {.name = "rate",
     .type = WH_OPTION_INT,
     .offset = offsetof(ingest_words, rate),
     .def = "0",
     .min = 0,
     .max = RATE_MAX,
     .help = "requests a second from one network (an IPv6 /64 counts as one address); 0: any"},
    {.name = "concurrency",
     .type = WH_OPTION_INT,
     .offset = offsetof(ingest_words, concurrency),
     .def = "256",
     .min = 1,
     .max = CONCURRENCY_MAX,
     .help = "requests that are read or stored at once"},
    {.name = "backlog",
     .type = WH_OPTION_SIZE,
     .offset = offsetof(ingest_words, backlog),
     .def = "1GiB",
     .min = 1 << 20,
     .max = 0,
     .help =
         "bytes of events that may wait for the pipelines and the queue before senders are told "
         "to wait"},
    {.name = "keep",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(ingest_words, keep_us),
     .def = "7d",
     .min = 3600ll * 1000000,
     .max = 366ll * 86400 * 1000000,
     .help = "how long receipts and idempotency keys are kept"},
    {0}};

typedef struct ingest_column_words {
  wh_str type;
  bool required;
  int privacy;
} ingest_column_words;

const wh_option wh_ingest_column_options[] = {
    {.name = "type",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(ingest_column_words, type),
     .required = true,
     .help = "such as text, int64, decimal(12,2), timestamp, bool, list<text>"},
    {.name = "required",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(ingest_column_words, required),
     .def = "false",
     .help = "every event has it, and it is not null"},
    {.name = "class",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(ingest_column_words, privacy),
     .choices = wh_class_choices,
     .def = "internal",
     .help = "how private it is"},
    {0}};

// --- columns -------------------------------------------------------------------------------------

static void set_type(wh_loader *l, const wh_node *node, const char *owner, wh_str text,
                     wh_field *ret) {
  wh_error problem = {0};
  wh_status status = wh_type_parse(text, l->arena, &ret->type, &problem);
  if (status == WH_ERR_MEMORY)
    l->problems.out_of_memory = true;
  else if (status != WH_OK)
    wh_problems_error(&l->problems, node, "%s: %s", owner, problem.text);
  else if (ret->type.kind == WH_NULL)
    wh_problems_error(&l->problems, node, "%s: a column of nothing but null has no use", owner);
}

static bool is_own(wh_str name) {
  return wh_str_is(name, WH_INGEST_CURSOR) || wh_str_is(name, "_receipt") ||
         wh_str_is(name, "_received_at") || wh_str_starts(name, "_wherry_");
}

static void load_column(wh_loader *l, const char *endpoint, const wh_node_entry *entry,
                        wh_field *ret) {
  const wh_node *node = entry->value;
  wh_str name = entry->key->text;
  const char *owner = wh_load_owner(l, "%s: columns: %.*s", endpoint, WH_SHOWN(name));
  ingest_column_words words = {.privacy = WH_INTERNAL};
  *ret = (wh_field){.name = name, .type = wh_type_of(WH_STRING)};
  if (!name.len || is_own(name))
    wh_problems_error(&l->problems, entry->key, "%s: %s", owner,
                      name.len ? "this name is Wherry's own" : "the column has no name");
  if (node->kind == WH_NODE_MAP) {
    wh_load_options(l, wh_ingest_column_options, node, NULL, owner, false, &words);
    node = wh_node_get(node, "type");
  } else if (wh_load_is_text(l, node, owner, "a type or { type: ... }")) {
    words.type = node->text;
  }
  if (words.type.len && node) set_type(l, node, owner, words.type, ret);
  ret->nullable = !words.required;
  ret->privacy = (wh_class)words.privacy;
}

void wh_load_event_columns(wh_loader *l, const char *owner, const wh_node *node, wh_schema *ret) {
  if (!node) return; // told already
  if (node->kind != WH_NODE_MAP || node->count == 0 || node->count > COLUMNS_MAX) {
    wh_problems_error(&l->problems, node, "%s: columns: expected 1 to %d of { name: type }", owner,
                      COLUMNS_MAX);
    return;
  }
  wh_field *fields = wh_load_array(l, node->count, sizeof *fields);
  if (!fields) return;
  for (size_t i = 0; i < node->count; i++)
    load_column(l, owner, &node->entries[i], &fields[i]);
  if (wh_ingest_schema(fields, node->count, l->arena, ret, NULL) != WH_OK)
    l->problems.out_of_memory = true;
}

// --- who may send --------------------------------------------------------------------------------

static bool is_none(const wh_node *node) {
  return node && node->kind == WH_NODE_SCALAR && wh_str_is(node->text, "none");
}

static void load_auth(wh_loader *l, const char *owner, const wh_node *node, wh_ingest *ret) {
  if (!node) return;
  ret->open_to_all = is_none(node);
  if (ret->open_to_all) return;
  wh_load_auth(l, node, owner, ret->endpoint->name);
  ret->auth = node;
}

static bool is_of_this_machine(wh_str listen) {
  return wh_str_starts(listen, "127.") || wh_str_starts(listen, "localhost:") ||
         wh_str_starts(listen, "[::1]:");
}

#define NEEDS_AUTH                                                                                 \
  "others than this machine can reach %.*s, and anybody could send events. Say who may: auth: { "  \
  "api_key: ${secret:...} }, or auth: none"

static bool needs_auth(const wh_ingest *ingest, wh_str listen) {
  return !ingest->auth && !ingest->open_to_all && !is_of_this_machine(listen);
}

void wh_load_ingest_auth(wh_loader *l) {
  const wh_serve *serve = &l->config->serve;
  if (wh_config_has_reference(serve->listen)) return; // wh_config_serve looks
  for (size_t i = 0; i < serve->ingest_count; i++) {
    const wh_ingest *ingest = &serve->ingests[i];
    if (!ingest->endpoint->schema.count || wh_node_get(ingest->node, "auth")) continue; // told
    if (!needs_auth(ingest, serve->listen)) continue;
    wh_problems_error(&l->problems, ingest->node, "ingest %.*s: " NEEDS_AUTH,
                      WH_SHOWN(ingest->endpoint->name), WH_SHOWN(serve->listen));
  }
}

wh_status wh_config_ingest_auth(const wh_config *config, wh_error *err) {
  const wh_serve *serve = &config->serve;
  for (size_t i = 0; i < serve->ingest_count; i++) {
    const wh_ingest *ingest = &serve->ingests[i];
    if (!needs_auth(ingest, serve->listen)) continue;
    return wh_node_fail(ingest->node, err, "ingest %.*s: " NEEDS_AUTH,
                        WH_SHOWN(ingest->endpoint->name), WH_SHOWN(serve->listen));
  }
  return WH_OK;
}

// --- where they go -------------------------------------------------------------------------------

static void check_accepted(wh_loader *l, const wh_node *node, const char *owner,
                           const wh_connection_info *to, const wh_schema *schema) {
  for (size_t i = WH_INGEST_OWN_COLUMNS; i < schema->count; i++) {
    const wh_field *f = &schema->fields[i];
    if (to->accepts[f->privacy]) continue;
    wh_problems_error(
        &l->problems, node,
        "%s: to: column %.*s is %s, which %.*s does not accept. Name the class in its "
        "`accepts`, or leave the column out",
        owner, WH_SHOWN(f->name), wh_class_choices[f->privacy], WH_SHOWN(to->name));
  }
}

static void load_to(wh_loader *l, const char *owner, wh_str to, wh_ingest *ret) {
  const wh_node *node = wh_node_get(ret->node, "to");
  if (!to.len || !node) return;
  const wh_connection_info *info =
      wh_load_connection(l, node, wh_load_owner(l, "%s: to", owner), to);
  if (!info || !info->type) return;
  if (!info->type->post) {
    wh_problems_error(&l->problems, node,
                      "%s: to: %.*s takes no events: it is of type %s. Name a connection of type "
                      "sqs; what goes elsewhere is read by a pipeline, from: ingest:%.*s",
                      owner, WH_SHOWN(to), info->type->name, WH_SHOWN(ret->endpoint->name));
    return;
  }
  if (ret->quarantines)
    wh_problems_error(&l->problems, wh_node_get(ret->node, "on_invalid"),
                      "%s: on_invalid: a queue has no quarantine. Without the word such a request "
                      "is refused",
                      owner);
  check_accepted(l, node, owner, info, &ret->endpoint->schema);
  ret->to = to;
  ret->post = info->type->post;
}

// --- endpoints -----------------------------------------------------------------------------------

static const char *log_path(wh_loader *l, wh_str name) {
  wh_str path = wh_arena_printf(l->arena, "%.*s/ingest/%.*s.db",
                                WH_STR_ARG(l->config->state_folder), WH_STR_ARG(name));
  if (!path.data) l->problems.out_of_memory = true;
  return path.data;
}

static void check_body(wh_loader *l, const char *owner, const wh_ingest *ingest) {
  int64_t most = l->config->memory_bytes / WH_CONFIG_ROW_SHARE;
  if (ingest->max_body <= most) return;
  const wh_node *node = wh_node_get(ingest->node, "max_body");
  wh_problems_error(&l->problems, node ? node : ingest->node,
                    "%s: max_body: more than an eighth of `memory`, which is %lld bytes", owner,
                    (long long)most);
}

static void load_endpoint(wh_loader *l, const wh_node_entry *entry, wh_ingest_endpoint *endpoint,
                          wh_ingest *ret) {
  const wh_node *node = entry->value;
  wh_str name = entry->key->text;
  const char *owner = wh_load_owner(l, "ingest %.*s", WH_SHOWN(name));
  wh_load_name(l, entry->key, "endpoint");
  *endpoint = (wh_ingest_endpoint){.name = name, .log = log_path(l, name)};
  *ret = (wh_ingest){.endpoint = endpoint, .node = node};
  if (wh_node_is_null(node)) {
    wh_problems_error(&l->problems, entry->key, "%s needs 'columns': what is taken of an event",
                      owner);
    return;
  }
  if (!wh_load_is_map(l, node, owner)) return;
  ingest_words words = {0};
  wh_load_options(l, wh_ingest_words, node, NULL, owner, true, &words);
  ret->quarantines = words.on_invalid == 1;
  ret->max_body = words.max_body;
  ret->rate = words.rate;
  ret->concurrency = words.concurrency;
  ret->backlog = words.backlog;
  ret->keep_us = words.keep_us;
  wh_load_event_columns(l, owner, words.columns, &endpoint->schema);
  load_auth(l, owner, words.auth, ret);
  load_to(l, owner, words.to, ret);
  check_body(l, owner, ret);
}

// The connection that pipelines read them by.
static void add_connection(wh_loader *l, const wh_node *node, const wh_ingest_options *options) {
  wh_config_private *own = l->own;
  for (size_t i = 0; i < own->connection_count; i++) {
    if (!wh_str_is(own->connections[i].info.name, WH_INGEST_CONNECTION)) continue;
    wh_problems_error(&l->problems, own->connections[i].name_node,
                      "connection " WH_INGEST_CONNECTION
                      ": the name is taken by what serve.ingest takes. Give it another");
    return;
  }
  wh_connection_entry *grown = wh_load_array(l, own->connection_count + 1, sizeof *grown);
  if (!grown) return;
  if (own->connection_count) memcpy(grown, own->connections, own->connection_count * sizeof *grown);
  grown[own->connection_count++] = (wh_connection_entry){
      .info = {.name = WH_STR(WH_INGEST_CONNECTION), .type = &wh_connector_ingest, .node = node},
      .owner = "connection " WH_INGEST_CONNECTION,
      .made = options};
  own->connections = grown;
}

static size_t load_endpoints(wh_loader *l, const wh_node *node, wh_ingest_endpoint *endpoints) {
  if (!node) return 0;
  wh_ingest *ingests = wh_load_array(l, node->count, sizeof *ingests);
  if (!ingests) return 0;
  for (size_t i = 0; i < node->count; i++)
    load_endpoint(l, &node->entries[i], &endpoints[i], &ingests[i]);
  l->config->serve.ingests = ingests;
  l->config->serve.ingest_count = node->count;
  return node->count;
}

void wh_load_ingests(wh_loader *l, const wh_node *serve) {
  const wh_node *node = serve && serve->kind == WH_NODE_MAP ? wh_node_get(serve, "ingest") : NULL;
  if (!wh_load_is_map(l, node, "serve: ingest")) node = NULL;
  size_t count = node ? node->count : 0, queues = wh_count_inboxes(l);
  if (count + queues == 0) return;
  if (count + queues > WH_CONFIG_INGESTS_MAX) {
    wh_problems_error(&l->problems, node ? node : wh_node_get(l->config->root, "connections"),
                      "more than %d endpoints and queues", WH_CONFIG_INGESTS_MAX);
    return;
  }
  wh_ingest_endpoint *endpoints = wh_load_array(l, count + queues, sizeof *endpoints);
  wh_ingest_options *options = wh_load_array(l, 1, sizeof *options);
  if (!endpoints || !options) return;
  count = load_endpoints(l, node, endpoints);
  *options = (wh_ingest_options){endpoints, count + queues};
  wh_load_inboxes(l, endpoints + count);
  const wh_node *first =
      queues ? wh_config_find_connection(l->config, endpoints[count].queue)->node : NULL;
  add_connection(l, node ? node : first, options);
}

bool wh_config_reads_ingest(const wh_config *config, wh_str endpoint) {
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_address *from = &config->pipelines[i].from;
    if (wh_str_is(from->connection, WH_INGEST_CONNECTION) && wh_str_eq(from->thing, endpoint))
      return true;
  }
  return false;
}

// What goes to a queue alone needs no ledger.
static bool needs_own_ledger(const wh_config *config) {
  for (size_t i = 0; i < config->serve.ingest_count; i++) {
    const wh_ingest *ingest = &config->serve.ingests[i];
    if (!ingest->to.len || wh_config_reads_ingest(config, ingest->endpoint->name)) return true;
  }
  return false;
}

void wh_load_ingest_ledger(wh_loader *l) {
  if (!l->own->ledger.info.type) return;
  const wh_node *node = wh_node_get(l->config->root, "ledger");
  if (needs_own_ledger(l->config))
    wh_problems_error(&l->problems, node,
                      "ledger: several workers may share it, but what serve.ingest takes is on the "
                      "machine that took it. Leave `ledger` out where events are taken, or let "
                      "them go to a queue alone");
  if (l->config->inbox_count)
    wh_problems_error(
        &l->problems, node,
        "ledger: several workers may share it, but what was read of the queue %.*s is "
        "on the machine that read it. Leave `ledger` out there",
        WH_SHOWN(l->config->inboxes[0].name));
}
