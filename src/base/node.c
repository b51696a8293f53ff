#include "base/node.h"

#include <stdarg.h>
#include <stdio.h>

const wh_node *wh_node_get(const wh_node *map, const char *key) {
  if (!map || map->kind != WH_NODE_MAP) return NULL;
  for (size_t i = 0; i < map->count; i++) {
    if (wh_str_is(map->entries[i].key->text, key)) return map->entries[i].value;
  }
  return NULL;
}

bool wh_node_mentions(const wh_node *node, wh_str text) {
  if (!node) return false;
  switch (node->kind) {
  case WH_NODE_SCALAR:
    return wh_str_eq(node->text, text);
  case WH_NODE_LIST:
    for (size_t i = 0; i < node->count; i++) {
      if (wh_node_mentions(node->items[i], text)) return true;
    }
    return false;
  case WH_NODE_MAP:
    for (size_t i = 0; i < node->count; i++) {
      if (wh_str_eq(node->entries[i].key->text, text)) return true;
      if (wh_node_mentions(node->entries[i].value, text)) return true;
    }
    return false;
  }
  return false;
}

bool wh_node_is_null(const wh_node *node) {
  if (!node || node->kind != WH_NODE_SCALAR || !node->plain) return false;
  return node->text.len == 0 || wh_str_is(node->text, "~") || wh_str_is(node->text, "null");
}

wh_status wh_node_fail(const wh_node *node, wh_error *err, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  wh_status status =
      wh_fail(err, WH_ERR_USAGE, "%s:%u:%u: %s", node->file, node->line, node->column, text);
  if (err) err->place = (wh_place){.line = node->line, .column = node->column};
  return status;
}

const char *wh_node_kind_name(const wh_node *node) {
  switch (node->kind) {
  case WH_NODE_SCALAR:
    return wh_node_is_null(node) ? "nothing" : "a single value";
  case WH_NODE_LIST:
    return "a list";
  case WH_NODE_MAP:
    return "a map";
  }
  return "?";
}
