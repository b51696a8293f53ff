#include "nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

static void *must(void *ptr) {
  if (ptr) return ptr;
  fputs("nodes: out of memory\n", stderr);
  exit(1);
}

static wh_node *convert(wh_arena *arena, yaml_document_t *doc, int index) {
  yaml_node_t *from = yaml_document_get_node(doc, index);
  wh_node *node = must(WH_NEW(arena, wh_node));
  node->file = "test.yaml";
  node->line = (uint32_t)from->start_mark.line + 1;
  node->column = (uint32_t)from->start_mark.column + 1;
  if (from->type == YAML_SCALAR_NODE) {
    node->kind = WH_NODE_SCALAR;
    node->plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    wh_str text = {(const char *)from->data.scalar.value, from->data.scalar.length};
    node->text = wh_arena_str(arena, text);
    must((void *)node->text.data);
  } else if (from->type == YAML_SEQUENCE_NODE) {
    node->kind = WH_NODE_LIST;
    node->count = (size_t)(from->data.sequence.items.top - from->data.sequence.items.start);
    node->items = must(WH_NEW_ARRAY(arena, node->count, wh_node *));
    for (size_t i = 0; i < node->count; i++)
      node->items[i] = convert(arena, doc, from->data.sequence.items.start[i]);
  } else {
    node->kind = WH_NODE_MAP;
    node->count = (size_t)(from->data.mapping.pairs.top - from->data.mapping.pairs.start);
    node->entries = must(WH_NEW_ARRAY(arena, node->count, wh_node_entry));
    for (size_t i = 0; i < node->count; i++) {
      yaml_node_pair_t *pair = &from->data.mapping.pairs.start[i];
      node->entries[i].key = convert(arena, doc, pair->key);
      node->entries[i].value = convert(arena, doc, pair->value);
    }
  }
  return node;
}

const wh_node *test_nodes(wh_arena *arena, const char *yaml) {
  yaml_parser_t parser;
  yaml_document_t doc;
  must((void *)(uintptr_t)yaml_parser_initialize(&parser));
  yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, strlen(yaml));
  if (!yaml_parser_load(&parser, &doc) || !yaml_document_get_root_node(&doc)) {
    fprintf(stderr, "nodes: not YAML (%s): %s\n", parser.problem ? parser.problem : "empty", yaml);
    exit(1);
  }
  wh_node *root = convert(arena, &doc, 1);
  yaml_document_delete(&doc);
  yaml_parser_delete(&parser);
  return root;
}
