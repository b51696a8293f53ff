// Teams: people, and the objects that they may read and write.
#include "config/private.h"

enum { WH_CONFIG_TEAMS_MAX = 100 };

typedef struct team_words {
  wh_str_list read, write;
} team_words;

const wh_option wh_team_options[] = {
    {.name = "read",
     .type = WH_OPTION_LIST,
     .offset = offsetof(team_words, read),
     .help = "objects that it may list and read: \"lake:mart/finance/**\""},
    {.name = "write",
     .type = WH_OPTION_LIST,
     .offset = offsetof(team_words, write),
     .help = "objects that it may put and replace"},
    {0}};

static bool load_one(wh_loader *l, const wh_node *node, const char *owner, wh_address *ret) {
  if (!wh_load_address(l, node, owner, ret)) return false;
  const wh_connection_info *info = wh_config_find_connection(l->config, ret->connection);
  if (!info->type->store) {
    wh_problems_error(&l->problems, node, "%s: %.*s holds no objects: a %s is no object store",
                      owner, WH_SHOWN(info->name), info->type->name);
    return false;
  }
  if (ret->thing.len == 0) {
    wh_problems_error(&l->problems, node,
                      "%s: say which objects of %.*s, such as %.*s:mart/finance/**", owner,
                      WH_SHOWN(info->name), WH_SHOWN(info->name));
    return false;
  }
  wh_load_pattern(l, ret, owner);
  return true;
}

// A list, or one address by itself.
static wh_address *load_list(wh_loader *l, const wh_node *team, const char *word, const char *owner,
                             size_t *ret_count) {
  const wh_node *node = wh_node_get(team, word);
  if (!node || wh_node_is_null(node) || node->kind == WH_NODE_MAP) return NULL; // told already
  const wh_node *const *items = (const wh_node *const *)node->items;
  size_t count = node->count;
  if (node->kind == WH_NODE_SCALAR) {
    items = &node;
    count = 1;
  }
  wh_address *list = wh_load_array(l, count, sizeof *list);
  const char *place = wh_load_owner(l, "%s: %s", owner, word);
  for (size_t i = 0; list && i < count; i++)
    *ret_count += load_one(l, items[i], place, &list[*ret_count]);
  return list;
}

static void load_team(wh_loader *l, const wh_node *key, const wh_node *node, wh_team *ret) {
  *ret = (wh_team){.name = key->text, .node = node};
  wh_load_name(l, key, "team");
  const char *owner = wh_load_owner(l, "team %.*s", WH_SHOWN(key->text));
  team_words words = {0};
  if (!wh_node_is_null(node) && !wh_load_is_map(l, node, owner)) return;
  wh_load_options(l, wh_team_options, node, NULL, owner, true, &words);
  ret->reads = load_list(l, node, "read", owner, &ret->read_count);
  ret->writes = load_list(l, node, "write", owner, &ret->write_count);
  bool says = wh_node_get(node, "read") || wh_node_get(node, "write") ||
              wh_option_misspelt(wh_team_options, node, NULL, "read") ||
              wh_option_misspelt(wh_team_options, node, NULL, "write");
  if (!says)
    wh_problems_error(&l->problems, key, "%s: say what it may do: read: [\"lake:mart/finance/**\"]",
                      owner);
}

void wh_load_teams(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "teams")) return;
  if (node->count > WH_CONFIG_TEAMS_MAX) {
    wh_problems_error(&l->problems, node, "more than %d teams", (int)WH_CONFIG_TEAMS_MAX);
    return;
  }
  wh_team *teams = wh_load_array(l, node->count, sizeof *teams);
  if (!teams) return;
  for (size_t i = 0; i < node->count; i++)
    load_team(l, node->entries[i].key, node->entries[i].value, &teams[i]);
  l->config->teams = teams;
  l->config->team_count = node->count;
}

wh_status wh_config_find_team(const wh_config *config, wh_str name, const wh_team **ret,
                              wh_error *err) {
  wh_str words[WH_CONFIG_TEAMS_MAX];
  for (size_t i = 0; i < config->team_count; i++) {
    *ret = &config->teams[i];
    if (wh_str_eq((*ret)->name, name)) return WH_OK;
    words[i] = (*ret)->name;
  }
  return wh_fail(err, WH_ERR_USAGE, "no team '%.*s'.%s", WH_SHOWN(name),
                 wh_hint_of(name, words, config->team_count).text);
}
