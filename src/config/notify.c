// Who is told of a pipeline's runs, and the table that keeps what was published.
#include "config/private.h"

typedef struct notify_words {
  wh_str_list to, on;
} notify_words;

// In the order of wh_notify_on's bits.
static const char *const on_choices[] = {"done", "failed", "quarantined", NULL};

const wh_option wh_notify_options[] = {
    {.name = "to",
     .type = WH_OPTION_LIST,
     .offset = offsetof(notify_words, to),
     .required = true,
     .help = "connections to topics or queues, of type sns or sqs"},
    {.name = "on",
     .type = WH_OPTION_LIST,
     .offset = offsetof(notify_words, on),
     .choices = on_choices,
     .help =
         "which runs are told: done, with something written (the default), failed, quarantined"},
    {0}};

typedef struct receivers {
  wh_loader *l;
  const wh_pipeline *p; // its `when` is loaded
  wh_notify *items;
  size_t count;
  const char *owner;
} receivers;

static unsigned bits_of(const wh_str_list *on) {
  unsigned bits = 0;
  for (size_t i = 0; i < on->count; i++)
    for (unsigned b = 0; on_choices[b]; b++)
      if (wh_str_is(on->items[i], on_choices[b])) bits |= 1u << b;
  return bits ? bits : WH_NOTIFY_DONE;
}

static void add_receiver(receivers *r, const wh_node *node, wh_str name, unsigned on) {
  const wh_connection_info *info = wh_load_connection(r->l, node, r->owner, name);
  if (!info || !info->type) return;
  if (!info->type->notify) {
    wh_problems_error(&r->l->problems, node,
                      "%s: %.*s takes no messages: it is of type %s. Name a connection of type sns "
                      "or sqs",
                      r->owner, WH_SHOWN(name), info->type->name);
    return;
  }
  bool starts = r->p->when.kind == WH_WHEN_EVENT && wh_str_eq(r->p->when.queue, name);
  const wh_node *from = wh_node_get(r->p->node, "from"); // which is looked at later
  bool feeds = from && from->kind == WH_NODE_SCALAR && wh_str_eq(from->text, name);
  if (starts || feeds) {
    wh_problems_error(&r->l->problems, node,
                      "%s: %.*s is the queue that starts the pipeline, which would hear itself",
                      r->owner, WH_SHOWN(name));
    return;
  }
  for (size_t i = 0; i < r->count; i++) {
    if (!wh_str_eq(r->items[i].connection, name)) continue;
    wh_problems_error(&r->l->problems, node, "%s: %.*s is listed twice", r->owner, WH_SHOWN(name));
    return;
  }
  if (r->count == WH_NOTIFY_MAX) {
    wh_problems_error(&r->l->problems, node, "%s: more than %d connections", r->owner,
                      WH_NOTIFY_MAX);
    return;
  }
  r->items[r->count++] = (wh_notify){.connection = info->name, .on = on};
}

static void add_map(receivers *r, const wh_node *map) {
  notify_words words = {0};
  wh_load_options(r->l, wh_notify_options, map, NULL, r->owner, true, &words);
  const wh_node *to = wh_node_get(map, "to");
  for (size_t i = 0; i < words.to.count; i++)
    add_receiver(r, to->kind == WH_NODE_LIST ? to->items[i] : to, words.to.items[i],
                 bits_of(&words.on));
}

static void add_node(receivers *r, const wh_node *node) {
  if (node->kind == WH_NODE_MAP)
    add_map(r, node);
  else if (wh_load_is_text(r->l, node, r->owner, "the name of a connection, or { to: NAME }"))
    add_receiver(r, node, node->text, WH_NOTIFY_DONE);
}

void wh_load_notify(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner) {
  if (!node || wh_node_is_null(node)) return;
  receivers r = {
      .l = l, .p = p, .owner = owner, .items = wh_load_array(l, WH_NOTIFY_MAX, sizeof *r.items)};
  if (!r.items) return;
  if (node->kind == WH_NODE_LIST) {
    for (size_t i = 0; i < node->count; i++)
      add_node(&r, node->items[i]);
  } else {
    add_node(&r, node);
  }
  p->notify = r.items;
  p->notify_count = r.count;
}

bool wh_notify_describe(const wh_notify *n, wh_buf *out) {
  wh_buf_printf(out, "%.*s", WH_STR_ARG(n->connection));
  if (n->on == WH_NOTIFY_DONE) return !out->failed;
  const char *before = " of runs that are ";
  for (unsigned b = 0; on_choices[b]; b++) {
    if (!(n->on & 1u << b)) continue;
    wh_buf_printf(out, "%s%s", before, on_choices[b]);
    before = ", ";
  }
  return !out->failed;
}

// --- the catalogue -------------------------------------------------------------------------------

void wh_load_catalog(wh_loader *l, const wh_node *node) {
  wh_address address;
  if (!wh_load_address(l, node, "catalog", &address)) return;
  const wh_connection_info *info = wh_config_find_connection(l->config, address.connection);
  if (!info->type->sink || info->type->sink->appends_only) {
    wh_problems_error(&l->problems, node,
                      "catalog: %.*s holds no tables that can be written: it is of type %s",
                      WH_SHOWN(info->name), info->type->name);
    return;
  }
  if (address.thing.len == 0) {
    wh_problems_error(&l->problems, node, "catalog: name a table, such as %.*s:Objects",
                      WH_SHOWN(info->name));
    return;
  }
  if (!info->accepts[WH_INTERNAL]) {
    wh_problems_error(&l->problems, node,
                      "catalog: %.*s does not accept internal columns, and those of manifests are. "
                      "Add internal to its `accepts`",
                      WH_SHOWN(info->name));
    return;
  }
  l->config->catalog = address;
}
