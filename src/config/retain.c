// How long things are kept, by zone.
#include "config/private.h"

enum { WH_CONFIG_RETAINS_MAX = 100 };

bool wh_retain_has(const wh_retain *r, wh_str connection, wh_str key) {
  return r->connection.len && wh_str_eq(r->connection, connection) &&
         wh_str_eq(wh_str_sub(key, 0, r->prefix.len), r->prefix);
}

static bool load_zone(wh_loader *l, const wh_node *key, const char *owner, wh_retain *ret) {
  if (wh_str_is(key->text, WH_RETAIN_QUARANTINE)) return true;
  wh_address address = {0};
  if (!wh_load_address(l, key, owner, &address)) return false;
  const wh_connection_info *info = wh_config_find_connection(l->config, address.connection);
  const char *why = NULL;
  if (!info->type->store)
    why = "its connection holds no objects";
  else if (!wh_str_ends(address.thing, "/"))
    why = "a zone is what keys begin with, with a '/' at the end: lake:inbound/";
  else if (wh_str_starts(address.thing, WH_OWN_PREFIX))
    why = "that is Wherry's own. Rejected rows go by: quarantine";
  else if (wh_glob_prefix(address.thing).len != address.thing.len)
    why = "a zone is no pattern: all keys that begin with it belong to it";
  if (why) wh_problems_error(&l->problems, key, "%s: %s", owner, why);
  ret->connection = address.connection;
  ret->prefix = address.thing;
  return !why;
}

static void load_one(wh_loader *l, const wh_node *key, const wh_node *value, wh_retain *ret) {
  const char *owner = wh_load_owner(l, "retain: %.*s", WH_SHOWN(key->text));
  wh_retain retain = {.zone = key->text};
  if (!load_zone(l, key, owner, &retain) || !wh_load_is_text(l, value, owner, "a time such as 90d"))
    return;
  if (!wh_parse_duration(value->text, &retain.keep_us)) {
    wh_problems_error(&l->problems, value, "%s: '%.*s' is no time. Write 90d", owner,
                      WH_SHOWN(value->text));
    return;
  }
  if (retain.keep_us < WH_RETAIN_MIN_US) {
    wh_problems_error(&l->problems, value, "%s: less than a day (1d) is too short", owner);
    return;
  }
  *ret = retain;
}

// Which of two times would count for an object?
static void check_nested(wh_loader *l, const wh_node *key, const wh_retain *list, size_t at) {
  const wh_retain *a = &list[at];
  for (size_t i = 0; i < at && a->connection.len; i++) {
    const wh_retain *b = &list[i];
    if (!wh_retain_has(a, b->connection, b->prefix) && !wh_retain_has(b, a->connection, a->prefix))
      continue;
    wh_problems_error(&l->problems, key, "retain: %.*s and %.*s: one zone lies within the other",
                      WH_SHOWN(a->zone), WH_SHOWN(b->zone));
  }
}

void wh_load_retain(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "retain")) return;
  if (node->count > WH_CONFIG_RETAINS_MAX) {
    wh_problems_error(&l->problems, node, "retain: more than %d zones", (int)WH_CONFIG_RETAINS_MAX);
    return;
  }
  wh_retain *list = wh_load_array(l, node->count, sizeof *list);
  if (!list) return;
  size_t count = 0;
  for (size_t i = 0; i < node->count; i++) {
    load_one(l, node->entries[i].key, node->entries[i].value, &list[count]);
    if (!list[count].zone.data) continue;
    check_nested(l, node->entries[i].key, list, count);
    count++;
  }
  l->config->retains = list;
  l->config->retain_count = count;
}
