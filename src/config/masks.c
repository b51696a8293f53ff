#include "config/private.h"

typedef struct mask_words {
  int normalize;
  wh_str hmac, token;
  wh_str_list token_old;
  const wh_node *partial;
  bool null;
} mask_words;

const wh_option wh_mask_options[] = {
    {.name = "hmac",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(mask_words, hmac),
     .secret = true,
     .help = "key of an HMAC-SHA-256 that stands in place of the value, at least 16 bytes"},
    {.name = "token",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(mask_words, token),
     .secret = true,
     .help = "key of 32 bytes; a token stands in place of the value, and `wherry reveal` gives "
             "whoever has the key the value back"},
    {.name = "token_old",
     .type = WH_OPTION_LIST,
     .offset = offsetof(mask_words, token_old),
     .secret = true,
     .help = "keys that earlier tokens were made with, for `wherry reveal`"},
    {.name = "partial",
     .type = WH_OPTION_NODE,
     .offset = offsetof(mask_words, partial),
     .shape = "{ first: 0, last: 4 }",
     .help = "show only the first or last characters"},
    {.name = "null",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(mask_words, null),
     .help = "nothing stands in place of the value"},
    {.name = "normalize",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(mask_words, normalize),
     .choices = wh_normalize_names,
     .def = "none",
     .help = "form that values are brought to first, so that small differences do not matter"},
    {0}};

typedef struct partial_words {
  int64_t first, last;
  wh_str fill;
} partial_words;

const wh_option wh_partial_options[] = {{.name = "first",
                                         .type = WH_OPTION_INT,
                                         .offset = offsetof(partial_words, first),
                                         .min = 0,
                                         .max = 1000,
                                         .def = "0",
                                         .help = "characters shown at the start"},
                                        {.name = "last",
                                         .type = WH_OPTION_INT,
                                         .offset = offsetof(partial_words, last),
                                         .min = 0,
                                         .max = 1000,
                                         .def = "0",
                                         .help = "characters shown at the end"},
                                        {.name = "fill",
                                         .type = WH_OPTION_TEXT,
                                         .offset = offsetof(partial_words, fill),
                                         .def = "*",
                                         .help = "character in place of each hidden one"},
                                        {0}};

// --- while loading -------------------------------------------------------------------------------

static size_t characters(wh_str text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return count;
}

static void load_partial(wh_loader *l, wh_mask_entry *entry, const wh_node *node,
                         const char *owner) {
  partial_words words = {0};
  if (node->kind != WH_NODE_MAP) {
    wh_problems_error(&l->problems, node,
                      "%s: partial: expected { first: ..., last: ... }, found %s", owner,
                      wh_node_kind_name(node));
    return;
  }
  wh_load_options(l, wh_partial_options, node, NULL, wh_load_owner(l, "%s: partial", owner), true,
                  &words);
  entry->mask.kind = WH_MASK_PARTIAL;
  entry->mask.keep_first = (size_t)words.first;
  entry->mask.keep_last = (size_t)words.last;
  entry->mask.fill = words.fill;
  if (words.fill.len && characters(words.fill) != 1) {
    const wh_node *fill = wh_node_get(node, "fill");
    wh_problems_error(&l->problems, fill ? fill : node, "%s: fill: expected one character", owner);
  }
}

static const wh_node *given_node(const wh_node *map, const char *word) {
  const wh_node *node = wh_node_get(map, word);
  return node && !wh_node_is_null(node) ? node : NULL;
}

static void load_mask(wh_loader *l, wh_mask_entry *entry, const wh_node *key, const wh_node *node) {
  wh_load_name(l, key, "mask");
  const char *owner = wh_load_owner(l, "mask %.*s", WH_SHOWN(key->text));
  entry->node = node;
  entry->mask.name = key->text;
  if (!wh_load_is_map(l, node, owner)) {
    if (wh_node_is_null(node)) {
      wh_problems_error(&l->problems, key, "%s needs one of hmac, token, partial and null", owner);
    }
    return;
  }
  mask_words words = {0};
  wh_load_options(l, wh_mask_options, node, NULL, owner, true, &words);
  wh_load_secrets(l, wh_mask_options, node, owner, key->text, false);
  entry->mask.normalize = (wh_normalize)words.normalize;
  const wh_node *hmac = given_node(node, "hmac"), *token = given_node(node, "token");
  bool has_hmac = hmac, has_token = token;
  bool has_partial = words.partial && !wh_node_is_null(words.partial);
  int kinds = has_hmac + has_token + has_partial + words.null;
  if (kinds != 1) {
    wh_problems_error(&l->problems, kinds ? node : key,
                      "%s needs %s of hmac, token, partial and null", owner,
                      kinds ? "only one" : "one");
    return;
  }
  entry->key = has_token ? token : hmac;
  entry->keys_old = given_node(node, "token_old");
  if (entry->keys_old && !has_token)
    wh_problems_error(&l->problems, entry->keys_old,
                      "%s: token_old has keys, and there is no token", owner);
  entry->mask.kind = has_hmac ? WH_MASK_HMAC : has_token ? WH_MASK_TOKEN : WH_MASK_NULL;
  if (has_partial) load_partial(l, entry, words.partial, owner);
}

void wh_load_masks(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "masks")) return;
  if (node->count > WH_CONFIG_MASKS_MAX) {
    wh_problems_error(&l->problems, node, "more than %d masks", WH_CONFIG_MASKS_MAX);
    return;
  }
  l->own->masks = wh_load_array(l, node->count, sizeof *l->own->masks);
  if (!l->own->masks) return;
  for (size_t i = 0; i < node->count; i++) {
    wh_mask_entry *entry = &l->own->masks[l->own->mask_count++];
    load_mask(l, entry, node->entries[i].key, node->entries[i].value);
  }
}

// --- afterwards ----------------------------------------------------------------------------------

wh_mask_entry *wh_mask_entry_find(const wh_config *config, wh_str name) {
  for (size_t i = 0; i < config->own->mask_count; i++)
    if (wh_str_eq(config->own->masks[i].mask.name, name)) return &config->own->masks[i];
  return NULL;
}

// One scalar stands for a list of one.
static wh_status resolve_old(wh_config *config, const wh_node *node, wh_str_list *ret,
                             wh_error *err) {
  bool is_list = node->kind == WH_NODE_LIST;
  size_t count = is_list ? node->count : 1;
  wh_str *items = WH_NEW_ARRAY(&config->arena, count, wh_str);
  if (!items) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(wh_reference_resolve(config, is_list ? node->items[i] : node, &config->arena, &items[i],
                                err));
  *ret = (wh_str_list){.items = items, .count = count};
  return WH_OK;
}

static wh_status make_ready(wh_config *config, wh_mask_entry *entry, wh_error *err) {
  wh_mask *mask = WH_NEW(&config->arena, wh_mask);
  if (!mask) return wh_fail_memory(err);
  *mask = entry->mask;
  if (entry->key) WH_TRY(wh_reference_resolve(config, entry->key, &config->arena, &mask->key, err));
  if (entry->keys_old) WH_TRY(resolve_old(config, entry->keys_old, &mask->keys_old, err));
  wh_status status = wh_mask_check(mask, err);
  if (status != WH_OK) {
    const wh_node *at = entry->key ? entry->key : entry->node;
    wh_error_prefix(err, "%s:%u:%u: ", at->file, at->line, at->column);
    return status;
  }
  entry->ready = mask;
  return WH_OK;
}

wh_status wh_config_mask(wh_config *config, wh_str name, const wh_mask **ret, wh_error *err) {
  wh_mask_entry *entry = wh_mask_entry_find(config, name);
  if (!entry) return wh_fail(err, WH_ERR_NOT_FOUND, "no mask '%.*s'", WH_SHOWN(name));
  pthread_mutex_lock(&config->own->mutex);
  wh_status status = entry->ready ? WH_OK : make_ready(config, entry, err);
  pthread_mutex_unlock(&config->own->mutex);
  if (status == WH_OK) *ret = entry->ready;
  return status;
}

wh_status wh_config_gate(wh_config *config, const wh_pipeline *pipeline, wh_arena *arena,
                         wh_gate *ret, wh_error *err) {
  const wh_gate *gate = &pipeline->gate;
  wh_gate_column *columns = WH_NEW_ARRAY(arena, gate->count, wh_gate_column);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < gate->count; i++) {
    columns[i] = gate->columns[i];
    if (columns[i].mask)
      WH_TRY(wh_config_mask(config, columns[i].mask->name, &columns[i].mask, err));
  }
  *ret = (wh_gate){.all = gate->all, .columns = columns, .count = gate->count};
  return WH_OK;
}
