#include "config/private.h"

#include "connect/store.h"

enum { THING_SHOWN = 60 };

static void no_connection(wh_loader *l, const wh_node *node, const char *owner, wh_str name,
                          bool colon) {
  const wh_config_private *own = l->own;
  if (!colon && (memchr(name.data, '/', name.len) || memchr(name.data, '.', name.len))) {
    wh_problems_error(&l->problems, node,
                      "%s: '%.*s' is no address. Write connection:thing, such as lake:%.*s", owner,
                      WH_SHOWN(name), (int)wh_utf8_cut(name, THING_SHOWN), name.data);
    return;
  }
  wh_str *words = wh_load_array(l, own->connection_count, sizeof *words);
  if (!words) return;
  for (size_t i = 0; i < own->connection_count; i++)
    words[i] = own->connections[i].info.name;
  wh_problems_error(&l->problems, node, "%s: no connection '%.*s'.%s", owner, WH_SHOWN(name),
                    wh_hint_of(name, words, own->connection_count).text);
}

const wh_connection_info *wh_load_connection(wh_loader *l, const wh_node *node, const char *owner,
                                             wh_str name) {
  const wh_connection_info *info = wh_config_find_connection(l->config, name);
  if (!info) no_connection(l, node, owner, name, true);
  return info;
}

bool wh_load_address(wh_loader *l, const wh_node *node, const char *owner, wh_address *ret) {
  if (!node || node->kind != WH_NODE_SCALAR || wh_node_is_null(node)) return false; // told already
  wh_str text = node->text;
  size_t colon = wh_str_find(text, 0, ':');
  wh_str name = wh_str_sub(text, 0, colon);
  *ret = (wh_address){.connection = name, .node = node};
  if (colon < text.len) ret->thing = wh_str_sub(text, colon + 1, text.len);
  if (name.len == 0) {
    wh_problems_error(&l->problems, node, "%s: expected connection:thing, found '%.*s'", owner,
                      WH_SHOWN(text));
    return false;
  }
  const wh_connection_info *info = wh_config_find_connection(l->config, name);
  if (!info) no_connection(l, node, owner, name, colon < text.len);
  return info && info->type;
}

// Each part of a key that a pattern describes must be one that keys can have.
static const char *bad_part(wh_str pattern) {
  wh_str rest = pattern, part;
  while (wh_str_split(&rest, '/', &part)) {
    if (part.len == 0) return "keys have no empty parts, and do not begin or end with '/'";
    if (wh_str_is(part, ".") || wh_str_is(part, "..")) return "'.' and '..' are no parts of keys";
  }
  return NULL;
}

void wh_load_pattern(wh_loader *l, const wh_address *address, const char *owner) {
  wh_str pattern = address->thing;
  const char *why = NULL;
  if (pattern.len > WH_KEY_MAX)
    why = "it is longer than a key can be";
  else if (!wh_utf8_valid(pattern))
    why = "it is not UTF-8";
  else
    why = bad_part(pattern);
  if (why) {
    wh_problems_error(&l->problems, address->node, "%s: '%.*s' matches nothing: %s", owner,
                      WH_SHOWN(pattern), why);
    return;
  }
  if (memchr(pattern.data, '{', pattern.len)) {
    wh_problems_error(
        &l->problems, address->node,
        "%s: names in braces are for `to`. Here wildcards stand for what differs: * ? "
        "[a-z] and ** across folders",
        owner);
  }
}
