// Sites: folders of pages, and the places in stores where they are shown.
#include "config/private.h"

#include "connect/store.h"

enum { WH_CONFIG_SITES_MAX = 100 };

typedef struct site_words {
  wh_str from, to;
  int64_t keep;
} site_words;

const wh_option wh_site_options[] = {
    {.name = "from",
     .type = WH_OPTION_PATH,
     .offset = offsetof(site_words, from),
     .required = true,
     .help = "folder of the pages; index.html in it is the front page"},
    {.name = "to",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(site_words, to),
     .required = true,
     .help = "where they are shown: a store, or a folder in one: web:report/"},
    {.name = "keep",
     .type = WH_OPTION_INT,
     .offset = offsetof(site_words, keep),
     .def = "5",
     .min = 2,
     .max = 100,
     .help = "versions that stay, the present one among them"},
    {0}};

static const char *why_not(const wh_address *to, const wh_connection_info *info, wh_error *err) {
  wh_str prefix = to->thing;
  if (!info->type->store) return "its connection holds no objects: name a folder or a bucket";
  if (!prefix.len) return NULL;
  if (!wh_str_ends(prefix, "/")) return "write a folder with a '/' at the end: web:report/";
  if (wh_glob_prefix(prefix).len != prefix.len || memchr(prefix.data, '{', prefix.len))
    return "a site's place is no pattern";
  if (wh_str_starts(prefix, WH_OWN_PREFIX)) return "that is Wherry's own folder. Choose another";
  if (wh_key_check(wh_str_sub(prefix, 0, prefix.len - 1), err) != WH_OK) return err->text;
  return NULL;
}

static bool load_place(wh_loader *l, const wh_node *map, const char *owner, wh_address *ret) {
  const wh_node *node = wh_node_get(map, "to");
  wh_address to;
  wh_error err = {0};
  if (!wh_load_address(l, node, wh_load_owner(l, "%s: to", owner), &to)) return false;
  const char *why = why_not(&to, wh_config_find_connection(l->config, to.connection), &err);
  if (why)
    wh_problems_error(&l->problems, node, "%s: to: '%.*s': %s", owner, WH_SHOWN(node->text), why);
  *ret = to;
  return !why;
}

static void load_site(wh_loader *l, const wh_node *key, const wh_node *node, wh_site *ret) {
  const char *owner = wh_load_owner(l, "site %.*s", WH_SHOWN(key->text));
  site_words words = {0};
  *ret = (wh_site){.name = key->text, .node = node};
  if (!wh_load_name(l, key, "site")) return;
  if (wh_node_is_null(node))
    wh_problems_error(&l->problems, key, "%s: say from where, and to where", owner);
  if (!wh_load_is_map(l, node, owner)) return;
  wh_load_options(l, wh_site_options, node, NULL, owner, true, &words);
  ret->from = words.from;
  ret->keep = words.keep;
  ret->is_usable = load_place(l, node, owner, &ret->to);
}

static bool holds(const wh_site *outer, const wh_site *inner) {
  wh_str prefix = outer->to.thing;
  return wh_str_eq(wh_str_sub(inner->to.thing, 0, prefix.len), prefix);
}

// What one publishes and removes would be the other's.
static void check_nested(wh_loader *l, const wh_site *sites, size_t at) {
  const wh_site *a = &sites[at];
  for (size_t i = 0; i < at && a->is_usable; i++) {
    const wh_site *b = &sites[i];
    if (!b->is_usable || !wh_load_same_place(l, a->to.connection, b->to.connection) ||
        (!holds(a, b) && !holds(b, a)))
      continue;
    wh_problems_error(&l->problems, a->to.node,
                      "site %.*s: to: site %.*s is there, or one within the other. Give each a "
                      "folder of its own",
                      WH_SHOWN(a->name), WH_SHOWN(b->name));
  }
}

void wh_load_sites(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "sites")) return;
  if (node->count > WH_CONFIG_SITES_MAX) {
    wh_problems_error(&l->problems, node, "sites: more than %d", (int)WH_CONFIG_SITES_MAX);
    return;
  }
  wh_site *sites = wh_load_array(l, node->count, sizeof *sites);
  if (!sites) return;
  for (size_t i = 0; i < node->count; i++) {
    load_site(l, node->entries[i].key, node->entries[i].value, &sites[i]);
    check_nested(l, sites, i);
  }
  l->config->sites = sites;
  l->config->site_count = node->count;
}

wh_status wh_config_find_site(const wh_config *config, wh_str name, const wh_site **ret,
                              wh_error *err) {
  wh_str words[WH_CONFIG_SITES_MAX];
  for (size_t i = 0; i < config->site_count; i++) {
    *ret = &config->sites[i];
    if (wh_str_eq((*ret)->name, name)) return WH_OK;
    words[i] = (*ret)->name;
  }
  return wh_fail(err, WH_ERR_USAGE, "no site '%.*s'.%s", WH_SHOWN(name),
                 wh_hint_of(name, words, config->site_count).text);
}

const wh_site *wh_config_site_at(const wh_config *config, wh_str connection, wh_str prefix) {
  for (size_t i = 0; i < config->site_count; i++) {
    const wh_site *s = &config->sites[i];
    if (wh_str_eq(s->to.connection, connection) && wh_str_eq(s->to.thing, prefix)) return s;
  }
  return NULL;
}
