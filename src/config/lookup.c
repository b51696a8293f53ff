#include "config/serve.h"

enum { SHOW_MAX = 100, PROOFS_MAX = 10, RATE_MAX = 1000000 };

typedef struct lookup_words {
  wh_str from, by, label, title, logo;
  const wh_node *proof, *rate;
  wh_str_list show;
} lookup_words;

const wh_option wh_lookup_options[] = {
    {.name = "from",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(lookup_words, from),
     .required = true,
     .help = "table that is asked: connection:table"},
    {.name = "by",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(lookup_words, by),
     .required = true,
     .help = "column that finds the row"},
    {.name = "label",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(lookup_words, label),
     .help = "what the page calls it; the column's name in words where it is not given"},
    {.name = "proof",
     .type = WH_OPTION_NODE,
     .offset = offsetof(lookup_words, proof),
     .required = true,
     .shape = "{ Column: mask } or { Column: { mask: ..., label: ... } }",
     .help = "what the asker must also know: columns that hold a keyed hash, and their masks"},
    {.name = "show",
     .type = WH_OPTION_LIST,
     .offset = offsetof(lookup_words, show),
     .required = true,
     .help = "columns that the answer shows; no others can appear"},
    {.name = "title",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(lookup_words, title),
     .help = "of the page; the lookup's name in words where it is not given"},
    {.name = "logo",
     .type = WH_OPTION_PATH,
     .offset = offsetof(lookup_words, logo),
     .help = "SVG or PNG file that the page shows"},
    {.name = "rate",
     .type = WH_OPTION_NODE,
     .offset = offsetof(lookup_words, rate),
     .shape = "{ by_address: 30, by_key: 10 }",
     .help = "how often may be asked"},
    {0}};

typedef struct proof_words {
  wh_str mask, label;
} proof_words;

const wh_option wh_proof_options[] = {
    {.name = "mask",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(proof_words, mask),
     .required = true,
     .help = "the mask, of kind hmac, that the column was made with"},
    {.name = "label",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(proof_words, label),
     .help = "what the page asks for"},
    {0}};

typedef struct rate_words {
  int64_t by_address, by_key;
} rate_words;

const wh_option wh_rate_options[] = {{.name = "by_address",
                                      .type = WH_OPTION_INT,
                                      .offset = offsetof(rate_words, by_address),
                                      .def = "30",
                                      .min = 1,
                                      .max = RATE_MAX,
                                      .help = "questions a minute from one address"},
                                     {.name = "by_key",
                                      .type = WH_OPTION_INT,
                                      .offset = offsetof(rate_words, by_key),
                                      .def = "10",
                                      .min = 1,
                                      .max = RATE_MAX,
                                      .help = "wrong proofs an hour for one key"},
                                     {0}};

wh_str wh_name_in_words(wh_str name, wh_arena *arena) {
  char *text = wh_arena_alloc(arena, 2 * name.len + 1);
  if (!text) return (wh_str){0};
  size_t len = 0;
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    bool upper = c >= 'A' && c <= 'Z';
    bool after_lower = i > 0 && name.data[i - 1] >= 'a' && name.data[i - 1] <= 'z';
    bool alone = i + 1 == name.len || !(name.data[i + 1] >= 'A' && name.data[i + 1] <= 'Z');
    if (c == '-' || c == '_') c = ' ';
    if (upper && after_lower) text[len++] = ' ';
    // "VATNumber" keeps its first word as it is.
    if (upper && len > 0 && text[len - 1] == ' ' && alone) c = (char)(c + 32);
    if (len == 0 && c >= 'a' && c <= 'z') c = (char)(c - 32);
    text[len++] = c;
  }
  return wh_str_trim(wh_str_n(text, len));
}

static wh_str in_words(wh_loader *l, wh_str name) {
  wh_str words = wh_name_in_words(name, l->arena);
  if (!words.data) l->problems.out_of_memory = true;
  return words;
}

// "PostcodeProof" asks for a postcode.
static wh_str without_proof(wh_str name) {
  static const char *const endings[] = {"Proof", "_proof", "-proof"};
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    size_t len = strlen(endings[i]);
    if (name.len > len && wh_str_ends(name, endings[i])) return wh_str_sub(name, 0, name.len - len);
  }
  return name;
}

static void check_mask(wh_loader *l, const wh_node *node, const char *owner, wh_str name) {
  const wh_config_private *own = l->own;
  const wh_mask_entry *entry = wh_mask_entry_find(l->config, name);
  if (entry && entry->mask.kind != WH_MASK_HMAC) {
    wh_problems_error(&l->problems, node,
                      "%s: mask %.*s is no keyed hash. A proof needs one of kind hmac", owner,
                      WH_SHOWN(name));
  }
  if (entry) return;
  wh_str *words = wh_load_array(l, own->mask_count, sizeof *words);
  if (!words) return;
  for (size_t i = 0; i < own->mask_count; i++)
    words[i] = own->masks[i].mask.name;
  wh_problems_error(&l->problems, node, "%s: no mask '%.*s'.%s", owner, WH_SHOWN(name),
                    wh_hint_of(name, words, own->mask_count).text);
}

static void load_proof(wh_loader *l, const char *lookup, const wh_node_entry *entry,
                       wh_lookup_proof *ret) {
  const wh_node *node = entry->value;
  const char *owner = wh_load_owner(l, "%s: proof: %.*s", lookup, WH_SHOWN(entry->key->text));
  proof_words words = {0};
  if (node->kind == WH_NODE_MAP) {
    wh_load_options(l, wh_proof_options, node, NULL, owner, true, &words);
    node = wh_node_get(node, "mask");
  } else if (wh_load_is_text(l, node, owner, "the name of a mask")) {
    words.mask = node->text;
  }
  if (words.mask.len && node) check_mask(l, node, owner, words.mask);
  wh_str label = words.label.len ? words.label : in_words(l, without_proof(entry->key->text));
  *ret = (wh_lookup_proof){.column = entry->key->text, .mask_name = words.mask, .label = label};
}

static void load_proofs(wh_loader *l, const char *owner, const wh_node *node, wh_lookup *ret) {
  if (!node) return; // told already
  if (node->kind != WH_NODE_MAP || node->count == 0) {
    wh_problems_error(
        &l->problems, node,
        "%s: proof: expected { Column: mask }, found %s. Without a proof, anybody could "
        "list every row",
        owner, node->kind == WH_NODE_MAP ? "an empty map" : wh_node_kind_name(node));
    return;
  }
  if (node->count > PROOFS_MAX) {
    wh_problems_error(&l->problems, node, "%s: proof: more than %d columns", owner, PROOFS_MAX);
    return;
  }
  ret->proofs = wh_load_array(l, node->count, sizeof *ret->proofs);
  if (!ret->proofs) return;
  for (size_t i = 0; i < node->count; i++)
    load_proof(l, owner, &node->entries[i], &ret->proofs[ret->proof_count++]);
}

static void check_show(wh_loader *l, const char *owner, const wh_node *map,
                       const wh_lookup *lookup) {
  const wh_node *node = wh_node_get(map, "show");
  if (!node || wh_node_is_null(node)) return; // told already
  if (lookup->show.count == 0 && node->kind == WH_NODE_LIST && node->count == 0) {
    wh_problems_error(&l->problems, node, "%s: show: the answer would be empty", owner);
  }
  if (lookup->show.count > SHOW_MAX) {
    wh_problems_error(&l->problems, node, "%s: show: more than %d columns", owner, SHOW_MAX);
    return;
  }
  for (size_t i = 0; i < lookup->show.count; i++) {
    const wh_node *item = node->kind == WH_NODE_LIST ? node->items[i] : node;
    wh_str name = lookup->show.items[i];
    if (wh_str_is(name, "found")) {
      wh_problems_error(&l->problems, item,
                        "%s: show: the answer has a word 'found' of its own. Give the column "
                        "another name in the table",
                        owner);
    }
    for (size_t j = 0; j < lookup->proof_count; j++) {
      if (!wh_str_eq(lookup->proofs[j].column, name)) continue;
      wh_problems_error(&l->problems, item, "%s: show: '%.*s' is a proof, which is never shown",
                        owner, WH_SHOWN(name));
    }
    for (size_t j = 0; j < i; j++) {
      if (!wh_str_eq(lookup->show.items[j], name)) continue;
      wh_problems_error(&l->problems, item, "%s: show: '%.*s' is listed twice", owner,
                        WH_SHOWN(name));
    }
  }
}

static void check_from(wh_loader *l, const char *owner, const wh_node *map, wh_address *ret) {
  const wh_node *node = wh_node_get(map, "from");
  if (!wh_load_address(l, node, wh_load_owner(l, "%s: from", owner), ret)) return;
  const wh_connection_info *info = wh_config_find_connection(l->config, ret->connection);
  if (!info->type->source || !info->type->source->open_finder) {
    wh_problems_error(&l->problems, node, "%s: from: %.*s is no database: a lookup asks a table",
                      owner, WH_SHOWN(info->name));
  } else if (ret->thing.len == 0) {
    wh_problems_error(&l->problems, node, "%s: from: name a table, such as %.*s:orders", owner,
                      WH_SHOWN(info->name));
  }
}

static void load_lookup(wh_loader *l, wh_lookup *lookup, const wh_node *key, const wh_node *node) {
  wh_load_name(l, key, "lookup");
  const char *owner = wh_load_owner(l, "lookup %.*s", WH_SHOWN(key->text));
  *lookup = (wh_lookup){.name = key->text, .node = node};
  if (wh_str_is(key->text, "healthz")) {
    wh_problems_error(&l->problems, key,
                      "%s: /healthz tells whether the service lives. Give the lookup another name",
                      owner);
  }
  if (wh_str_is(key->text, "docs")) {
    wh_problems_error(&l->problems, key,
                      "%s: /docs is the documentation. Give the lookup another name", owner);
  }
  if (wh_node_is_null(node)) {
    wh_problems_error(&l->problems, key, "%s needs 'from', 'by', 'proof' and 'show'", owner);
    return;
  }
  if (!wh_load_is_map(l, node, owner)) return;
  lookup_words words = {0};
  rate_words rate = {0};
  wh_load_options(l, wh_lookup_options, node, NULL, owner, true, &words);
  wh_load_options(l, wh_rate_options, words.rate, NULL, wh_load_owner(l, "%s: rate", owner), true,
                  &rate);
  lookup->by = words.by;
  lookup->by_label = words.label.len ? words.label : in_words(l, words.by);
  lookup->title = words.title.len ? words.title : in_words(l, key->text);
  lookup->logo = words.logo;
  lookup->show = words.show;
  lookup->rate_by_address = rate.by_address;
  lookup->rate_by_key = rate.by_key;
  check_from(l, owner, node, &lookup->from);
  load_proofs(l, owner, words.proof, lookup);
  check_show(l, owner, node, lookup);
  for (size_t i = 0; i < lookup->proof_count; i++) {
    if (!wh_str_eq(lookup->proofs[i].column, lookup->by)) continue;
    wh_problems_error(&l->problems, words.proof, "%s: proof: '%.*s' is the key itself", owner,
                      WH_SHOWN(lookup->by));
  }
  if (words.logo.len && !wh_str_ends(words.logo, ".svg") && !wh_str_ends(words.logo, ".png")) {
    wh_problems_error(&l->problems, wh_node_get(node, "logo"),
                      "%s: logo: expected an .svg or .png file", owner);
  }
}

void wh_load_lookups(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "serve: lookups")) return;
  if (node->count > WH_CONFIG_LOOKUPS_MAX) {
    wh_problems_error(&l->problems, node, "more than %d lookups", WH_CONFIG_LOOKUPS_MAX);
    return;
  }
  wh_serve *serve = &l->config->serve;
  serve->lookups = wh_load_array(l, node->count, sizeof *serve->lookups);
  if (!serve->lookups) return;
  for (size_t i = 0; i < node->count; i++) {
    wh_lookup *lookup = &serve->lookups[serve->lookup_count++];
    load_lookup(l, lookup, node->entries[i].key, node->entries[i].value);
  }
}
