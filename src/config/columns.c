#include "config/private.h"

// Names that Wherry adds to what it writes.
#define OWN_COLUMN_PREFIX "_wherry_"

typedef struct column_words {
  wh_str from, type, mask;
  int privacy;
} column_words;

const wh_option wh_column_options[] = {
    {.name = "from",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(column_words, from),
     .help = "the source's column; the same name where it is not given"},
    {.name = "type",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(column_words, type),
     .help = "type to cast to, such as int64, decimal(12,2), text, timestamp"},
    {.name = "class",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(column_words, privacy),
     .choices = wh_class_choices,
     .def = "internal",
     .help = "how private it is"},
    {.name = "mask",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(column_words, mask),
     .help = "mask that the values pass through"},
    {0}};

typedef struct column_place {
  wh_loader *l;
  const char *owner; // "pipeline x: columns: Name"
  const wh_node *node;
  const wh_connection_info *to;
} column_place;

static void set_type(const column_place *at, wh_str text, wh_gate_column *ret) {
  wh_error problem = {0};
  wh_status status = wh_type_parse(text, at->l->arena, &ret->type, &problem);
  ret->has_type = status == WH_OK;
  if (status == WH_OK) return;
  if (status == WH_ERR_MEMORY)
    at->l->problems.out_of_memory = true;
  else
    wh_problems_error(&at->l->problems, wh_node_get(at->node, "type"), "%s: %s", at->owner,
                      problem.text);
}

static void set_mask(const column_place *at, wh_str name, wh_gate_column *ret) {
  wh_config_private *own = at->l->own;
  const wh_mask_entry *entry = wh_mask_entry_find(at->l->config, name);
  if (entry) {
    ret->mask = &entry->mask;
    return;
  }
  wh_str *words = wh_load_array(at->l, own->mask_count, sizeof *words);
  if (!words) return;
  for (size_t i = 0; i < own->mask_count; i++)
    words[i] = own->masks[i].mask.name;
  wh_problems_error(&at->l->problems, wh_node_get(at->node, "mask"), "%s: no mask '%.*s'.%s",
                    at->owner, WH_SHOWN(name), wh_hint_of(name, words, own->mask_count).text);
}

// What a private column needs before it may cross.
static void check_class(const column_place *at, const wh_gate_column *column) {
  if (column->mask || !at->to || at->to->accepts[column->privacy]) return;
  if (wh_node_get(at->node, "mask")) return; // it was meant to have one; told already
  char list[64];
  size_t len = 0;
  list[0] = 0;
  for (int i = 0; wh_class_choices[i]; i++) {
    if (!at->to->accepts[i]) continue;
    int n = snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", wh_class_choices[i]);
    len += n > 0 ? (size_t)n : 0;
  }
  const wh_node *class = wh_node_get(at->node, "class");
  wh_problems_error(&at->l->problems, class ? class : at->node,
                    "%s is %s, and %.*s accepts only: %s. Give it a mask, or let connection %.*s "
                    "say accepts: [%s%s%s]",
                    at->owner, wh_class_choices[column->privacy], WH_SHOWN(at->to->name),
                    len ? list : "nothing", WH_SHOWN(at->to->name), list, len ? ", " : "",
                    wh_class_choices[column->privacy]);
}

static void load_long(const column_place *at, wh_gate_column *ret) {
  column_words words = {0};
  wh_load_options(at->l, wh_column_options, at->node, NULL, at->owner, true, &words);
  const wh_node *class = wh_node_get(at->node, "class");
  if (words.from.len) ret->from = words.from;
  ret->has_privacy = class && !wh_node_is_null(class);
  ret->privacy = (wh_class)words.privacy;
  if (words.type.len) set_type(at, words.type, ret);
  if (words.mask.len) set_mask(at, words.mask, ret);
}

static void load_column(wh_loader *l, const char *owner, const wh_connection_info *to,
                        const wh_node_entry *entry, wh_gate_column *ret) {
  const wh_node *node = entry->value;
  wh_str name = entry->key->text;
  column_place at = {l, wh_load_owner(l, "%s: %.*s", owner, WH_SHOWN(name)), node, to};
  *ret = (wh_gate_column){.name = name, .from = name, .privacy = WH_INTERNAL, .node = node};
  if (wh_str_starts(name, OWN_COLUMN_PREFIX)) {
    wh_problems_error(&l->problems, entry->key,
                      "%s: names that begin with " OWN_COLUMN_PREFIX " are Wherry's own", at.owner);
  }
  if (node->kind == WH_NODE_MAP) {
    load_long(&at, ret);
  } else if (wh_load_is_text(l, node, at.owner, "the source's column or { from: ... }")) {
    ret->from = node->text;
    if (node->text.len == 0) {
      wh_problems_error(&l->problems, node, "%s: the source's column has no name", at.owner);
    }
  }
  check_class(&at, ret);
}

void wh_load_columns(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner,
                     const wh_connection_info *to) {
  if (node->kind == WH_NODE_SCALAR && wh_str_is(node->text, "all")) {
    p->gate.all = true;
    return;
  }
  if (node->kind != WH_NODE_MAP) {
    wh_problems_error(&l->problems, node, "%s: expected all or { Name: source_column }, found %s",
                      owner, wh_node_kind_name(node));
    return;
  }
  if (node->count == 0) {
    wh_problems_error(&l->problems, node, "%s: no column is listed, so nothing could cross", owner);
    return;
  }
  if (node->count > WH_COLUMNS_MAX) {
    wh_problems_error(&l->problems, node, "%s: more than %d columns", owner, WH_COLUMNS_MAX);
    return;
  }
  wh_gate_column *columns = wh_load_array(l, node->count, sizeof *columns);
  if (!columns) return;
  for (size_t i = 0; i < node->count; i++)
    load_column(l, owner, to, &node->entries[i], &columns[i]);
  p->gate.columns = columns;
  p->gate.count = node->count;
}
