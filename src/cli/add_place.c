#include "cli/add.h"

enum { INDENT_DEFAULT = 2 };

// Offset of a line, counted from 1; the text's length where there are not so many.
static size_t line_start(wh_str text, size_t line) {
  size_t at = 0;
  for (; line > 1 && at < text.len; line--)
    at = wh_str_find(text, at, '\n') + 1;
  return at < text.len ? at : text.len;
}

// Blank lines, comments at the margin and the document's end mark belong to what comes next.
static bool belongs_below(wh_str line) {
  wh_str trimmed = wh_str_trim(line);
  return trimmed.len == 0 || line.data[0] == '#' || wh_str_is(trimmed, "...");
}

// The end of what stands above `at`.
static size_t back_up(wh_str text, size_t at, size_t floor) {
  while (at > floor) {
    size_t start = at - 1;
    while (start > 0 && text.data[start - 1] != '\n')
      start--;
    if (start < floor || !belongs_below(wh_str_sub(text, start, at))) break;
    at = start;
  }
  return at;
}

static wh_status refuse_flow(const wh_node *node, wh_error *err) {
  return wh_node_fail(node, err,
                      "`pipelines` is not written as an indented block, so there is no place to "
                      "put another. Write each pipeline on lines of its own");
}

// Block style: every key at the margin, every pipeline on a line below `pipelines:`.
static wh_status check_style(const wh_node *root, const wh_node_entry *entry, wh_error *err) {
  for (size_t i = 0; i < root->count; i++) {
    if (root->entries[i].key->column != 1) return refuse_flow(root->entries[i].key, err);
  }
  const wh_node *value = entry->value;
  if (value->kind == WH_NODE_MAP && value->count > 0) {
    bool block =
        value->entries[0].key->line > entry->key->line && value->entries[0].key->column > 1;
    return block ? WH_OK : refuse_flow(entry->key, err);
  }
  return value->kind == WH_NODE_SCALAR && value->text.len == 0 ? WH_OK
                                                               : refuse_flow(entry->key, err);
}

wh_status wh_add_find_place(const wh_config *config, wh_str text, wh_add_place *ret,
                            wh_error *err) {
  const wh_node *root = config->root;
  const wh_node_entry *entry = NULL, *next = NULL;
  for (size_t i = 0; i < root->count; i++) {
    if (wh_str_is(root->entries[i].key->text, "pipelines")) entry = &root->entries[i];
  }
  if (!entry) {
    *ret = (wh_add_place){back_up(text, text.len, 0), INDENT_DEFAULT, true};
    return WH_OK;
  }
  WH_TRY(check_style(root, entry, err));
  for (size_t i = 0; i < root->count; i++) {
    const wh_node_entry *e = &root->entries[i];
    if (e->key->line > entry->key->line && (!next || e->key->line < next->key->line)) next = e;
  }
  size_t floor = line_start(text, entry->key->line + 1);
  size_t below = next ? line_start(text, next->key->line) : text.len;
  const wh_node *value = entry->value;
  size_t indent = value->kind == WH_NODE_MAP && value->count ? value->entries[0].key->column - 1
                                                             : INDENT_DEFAULT;
  *ret = (wh_add_place){back_up(text, below, floor), indent, false};
  return WH_OK;
}
