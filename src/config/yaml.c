#include "config/yaml.h"

#include "config/quotes.h"

#include <stdlib.h>
#include <yaml.h>

typedef struct anchor {
  wh_str name;
  wh_node *node; // NULL while its own content is being read
  size_t weight; // nodes of it, aliases in full
} anchor;

typedef struct builder {
  yaml_parser_t parser;
  wh_str text;
  const char *file;
  wh_arena *arena;
  wh_problems *problems;
  anchor *anchors;
  size_t anchor_count;
  size_t nodes;                // so far, aliases in full
  int flow;                    // depth of { } and [ ] around what is being read
  size_t walked, walked_bytes; // of the text, in characters and in bytes
  wh_error *err;
} builder;

static wh_yaml_place place_of(yaml_mark_t mark) {
  return (wh_yaml_place){mark.line, mark.column};
}

// A node that stands only for a position.
static wh_node node_at(const builder *b, yaml_mark_t mark) {
  return (wh_node){
      .file = b->file, .line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

static wh_status fail_reader(builder *b) {
  // libyaml tells where in bytes, but keeps no mark for it.
  size_t at = b->parser.problem_offset < b->text.len ? b->parser.problem_offset : b->text.len;
  wh_node where = {.file = b->file, .line = 1, .column = 1};
  for (size_t i = 0; i < at; i++) {
    bool is_break = b->text.data[i] == '\n';
    where.line += is_break;
    where.column = is_break ? 1 : where.column + 1;
  }
  if (!wh_utf8_valid(b->text)) return wh_node_fail(&where, b->err, "the file is not UTF-8 text");
  return wh_node_fail(&where, b->err, "this is not YAML: %s", b->parser.problem);
}

static wh_status fail_parser(builder *b) {
  const yaml_parser_t *p = &b->parser;
  if (p->error == YAML_MEMORY_ERROR) return wh_fail_memory(b->err);
  if (p->error == YAML_READER_ERROR) return fail_reader(b);
  wh_yaml_trouble trouble = {
      .text = b->text,
      .file = b->file,
      .problem = p->problem ? p->problem : "something is wrong here",
      .context = p->context,
      .at = place_of(p->problem_mark),
      .began = place_of(p->context_mark),
      // The scanner may be past the closing sign already; then only the context knows.
      .in_flow = p->flow_level > 0 || (p->context && strstr(p->context, "flow")),
  };
  return wh_yaml_explain(&trouble, b->err);
}

static wh_status next_event(builder *b, yaml_event_t *ret) {
  if (!yaml_parser_parse(&b->parser, ret)) return fail_parser(b);
  return WH_OK;
}

// Counts nodes against the limit.
static wh_status count_nodes(builder *b, const wh_node *at, size_t weight) {
  if (weight <= WH_YAML_NODES_MAX && b->nodes + weight <= WH_YAML_NODES_MAX) {
    b->nodes += weight;
    return WH_OK;
  }
  return wh_node_fail(at, b->err,
                      "the file stands for more than %d values, counting each alias in full",
                      WH_YAML_NODES_MAX);
}

static wh_status new_node(builder *b, wh_node_kind kind, yaml_mark_t mark, wh_node **ret) {
  wh_node *node = WH_NEW(b->arena, wh_node);
  if (!node) return wh_fail_memory(b->err);
  *node = node_at(b, mark);
  node->kind = kind;
  WH_TRY(count_nodes(b, node, 1));
  *ret = node;
  return WH_OK;
}

// Tags would change what a value is; here that is for the option to say.
static void refuse_tag(builder *b, const yaml_char_t *tag, yaml_mark_t mark) {
  const char *text = (const char *)tag;
  if (!text) return;
  wh_error problem = {0};
  size_t at = wh_yaml_offset(b->text, place_of(mark));
  bool own = at + 1 < b->text.len && b->text.data[at] == '!' && b->text.data[at + 1] != '!';
  if (own) {
    WH_IGNORE(
        wh_yaml_needs_quotes(b->text, b->file, place_of(mark), b->flow > 0, "a tag", &problem));
    wh_problems_add(b->problems, false, &problem);
    return;
  }
  wh_node where = node_at(b, mark);
  wh_problems_error(b->problems, &where, "YAML tags have no meaning here. Leave it out.");
}

// --- anchors and aliases -------------------------------------------------------------------------

static anchor *find_anchor(builder *b, wh_str name) {
  for (size_t i = b->anchor_count; i-- > 0;)
    if (wh_str_eq(b->anchors[i].name, name)) return &b->anchors[i];
  return NULL;
}

// Announces an anchor before its content is read; *ret is its index, or SIZE_MAX without one.
static wh_status begin_anchor(builder *b, const yaml_char_t *name, yaml_mark_t mark, size_t *ret) {
  *ret = SIZE_MAX;
  if (!name) return WH_OK;
  if (b->anchor_count == WH_YAML_ANCHORS_MAX) {
    wh_node where = node_at(b, mark);
    return wh_node_fail(&where, b->err, "more than %d anchors", WH_YAML_ANCHORS_MAX);
  }
  if (!b->anchors) b->anchors = WH_NEW_ARRAY(b->arena, WH_YAML_ANCHORS_MAX, anchor);
  wh_str copy = wh_arena_str(b->arena, wh_str_of((const char *)name));
  if (!b->anchors || !copy.data) return wh_fail_memory(b->err);
  b->anchors[b->anchor_count] = (anchor){.name = copy};
  *ret = b->anchor_count++;
  return WH_OK;
}

static void end_anchor(builder *b, size_t index, wh_node *node, size_t before) {
  if (index == SIZE_MAX) return;
  b->anchors[index].node = node;
  b->anchors[index].weight = b->nodes - before;
}

static wh_status read_alias(builder *b, const yaml_event_t *event, wh_node **ret) {
  wh_str name = wh_str_of((const char *)event->data.alias.anchor);
  wh_node where = node_at(b, event->start_mark);
  const anchor *found = find_anchor(b, name);
  if (!found) {
    // Far more often a wildcard than a forgotten anchor.
    return wh_yaml_needs_quotes(b->text, b->file, place_of(event->start_mark), b->flow > 0,
                                "an alias", b->err);
  }
  if (!found->node) {
    return wh_node_fail(&where, b->err, "*%.*s stands inside what it names", WH_STR_ARG(name));
  }
  WH_TRY(count_nodes(b, &where, found->weight));
  *ret = found->node;
  return WH_OK;
}

// --- nodes ---------------------------------------------------------------------------------------

static wh_status read_node(builder *b, yaml_event_t *event, int depth, wh_node **ret);

// Where the mark stands in bytes; libyaml counts characters, from one mark to a later one.
static size_t offset_of(builder *b, yaml_mark_t mark) {
  size_t at = b->walked_bytes, left = mark.index - b->walked;
  if (mark.index < b->walked) return b->text.len;
  for (; left && at < b->text.len; left--) {
    at++;
    while (at < b->text.len && ((unsigned char)b->text.data[at] & 0xC0) == 0x80)
      at++;
  }
  b->walked = mark.index;
  b->walked_bytes = at;
  return at;
}

// Where the file says the text of a scalar letter by letter, on one line.
static uint32_t text_column(builder *b, const yaml_event_t *event, wh_str text) {
  bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  bool block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
               event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
  size_t at = offset_of(b, event->start_mark) + !plain;
  wh_str there = wh_str_sub(b->text, at, at + text.len);
  if (block || !wh_str_eq(there, text) || memchr(there.data, '\n', there.len)) return 0;
  return (uint32_t)event->start_mark.column + 1 + !plain;
}

static wh_status read_scalar(builder *b, const yaml_event_t *event, wh_node **ret) {
  size_t before = b->nodes, index;
  WH_TRY(begin_anchor(b, event->data.scalar.anchor, event->start_mark, &index));
  refuse_tag(b, event->data.scalar.tag, event->start_mark);
  wh_node *node = NULL;
  WH_TRY(new_node(b, WH_NODE_SCALAR, event->start_mark, &node));
  wh_str text = wh_str_n((const char *)event->data.scalar.value, event->data.scalar.length);
  if (memchr(text.data, 0, text.len)) {
    return wh_node_fail(node, b->err, "a text cannot hold a zero byte");
  }
  node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  node->text = wh_arena_str(b->arena, text);
  if (!node->text.data) return wh_fail_memory(b->err);
  node->text_column = text_column(b, event, text);
  end_anchor(b, index, node, before);
  *ret = node;
  return WH_OK;
}

// Children of a list or map while they are counted.
typedef struct child {
  wh_node *key; // NULL in a list
  wh_node *value;
  struct child *next;
} child;

typedef struct children {
  child *first, **last;
  size_t count;
} children;

static wh_status add_child(builder *b, children *list, wh_node *key, wh_node *value) {
  child *one = WH_NEW(b->arena, child);
  if (!one) return wh_fail_memory(b->err);
  *one = (child){.key = key, .value = value};
  *list->last = one;
  list->last = &one->next;
  list->count++;
  return WH_OK;
}

static wh_status read_items(builder *b, int depth, children *list) {
  for (;;) {
    yaml_event_t event;
    WH_TRY(next_event(b, &event));
    if (event.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&event);
      return WH_OK;
    }
    wh_node *item = NULL;
    WH_TRY(read_node(b, &event, depth + 1, &item));
    WH_TRY(add_child(b, list, NULL, item));
  }
}

static wh_status read_list(builder *b, yaml_event_t *event, int depth, wh_node **ret) {
  size_t before = b->nodes, index;
  bool flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
  WH_TRY(begin_anchor(b, event->data.sequence_start.anchor, event->start_mark, &index));
  refuse_tag(b, event->data.sequence_start.tag, event->start_mark);
  wh_node *node = NULL;
  WH_TRY(new_node(b, WH_NODE_LIST, event->start_mark, &node));
  children list = {.last = &list.first};
  b->flow += flow;
  WH_TRY(read_items(b, depth, &list));
  b->flow -= flow;
  node->items = WH_NEW_ARRAY(b->arena, list.count, wh_node *);
  if (!node->items) return wh_fail_memory(b->err);
  for (const child *one = list.first; one; one = one->next)
    node->items[node->count++] = one->value;
  end_anchor(b, index, node, before);
  *ret = node;
  return WH_OK;
}

// A key that may stand in the tree.
static bool check_key(builder *b, const wh_node *key) {
  if (key->kind != WH_NODE_SCALAR) {
    wh_problems_error(b->problems, key, "a word was expected here, found %s",
                      wh_node_kind_name(key));
    return false;
  }
  if (key->plain && wh_str_is(key->text, "<<")) {
    wh_problems_error(b->problems, key,
                      "merge keys (<<) are not taken. Write the words out, or repeat the whole map "
                      "with an alias.");
    return false;
  }
  if (key->text.len > 0) return true;
  wh_problems_error(b->problems, key, "a word was expected in front of the colon");
  return false;
}

static wh_status read_entries(builder *b, int depth, children *list, yaml_mark_t *ret_end) {
  for (;;) {
    yaml_event_t event;
    WH_TRY(next_event(b, &event));
    if (event.type == YAML_MAPPING_END_EVENT) {
      *ret_end = event.end_mark;
      yaml_event_delete(&event);
      return WH_OK;
    }
    wh_node *key = NULL, *value = NULL;
    WH_TRY(read_node(b, &event, depth + 1, &key));
    WH_TRY(next_event(b, &event));
    WH_TRY(read_node(b, &event, depth + 1, &value));
    if (check_key(b, key)) WH_TRY(add_child(b, list, key, value));
  }
}

static int by_key(const void *left, const void *right) {
  const wh_node_entry *a = *(wh_node_entry *const *)left, *b = *(wh_node_entry *const *)right;
  int order = wh_str_cmp(a->key->text, b->key->text);
  if (order != 0) return order;
  return a < b ? -1 : a > b; // in the order written
}

// The first of a key's values stays; every later one is a problem.
static wh_status drop_duplicates(builder *b, wh_node *map) {
  wh_node_entry **sorted = WH_NEW_ARRAY(b->arena, map->count, wh_node_entry *);
  if (!sorted) return wh_fail_memory(b->err);
  for (size_t i = 0; i < map->count; i++)
    sorted[i] = &map->entries[i];
  if (map->count > 1) qsort(sorted, map->count, sizeof(wh_node_entry *), by_key);
  size_t kept = map->count;
  for (size_t i = 1, first = 0; i < map->count; i++) {
    if (!wh_str_eq(sorted[i]->key->text, sorted[first]->key->text)) {
      first = i;
      continue;
    }
    const wh_node *key = sorted[i]->key;
    wh_problems_error(b->problems, key, "'%.*s' is given twice, first in line %u",
                      (int)wh_utf8_cut(key->text, 60), key->text.data, sorted[first]->key->line);
    sorted[i]->value = NULL;
    kept--;
  }
  if (kept == map->count) return WH_OK;
  size_t to = 0;
  for (size_t i = 0; i < map->count; i++)
    if (map->entries[i].value) map->entries[to++] = map->entries[i];
  map->count = to;
  return WH_OK;
}

// `to: {run}` reads as a map of one word without a value, which nothing here takes.
static bool was_meant_as_text(const builder *b, const wh_node *map, yaml_mark_t start,
                              yaml_mark_t end) {
  if (map->count != 1 || !wh_node_is_null(map->entries[0].value)) return false;
  if (map->entries[0].value->text.len > 0 || !map->entries[0].key->plain) return false;
  size_t from = wh_yaml_offset(b->text, place_of(start));
  size_t to = wh_yaml_offset(b->text, place_of(end));
  return to > from && !memchr(b->text.data + from, ':', to - from);
}

static wh_status read_map(builder *b, yaml_event_t *event, int depth, wh_node **ret) {
  size_t before = b->nodes, index;
  bool flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
  yaml_mark_t start = event->start_mark, end;
  WH_TRY(begin_anchor(b, event->data.mapping_start.anchor, start, &index));
  refuse_tag(b, event->data.mapping_start.tag, start);
  wh_node *node = NULL;
  WH_TRY(new_node(b, WH_NODE_MAP, start, &node));
  children list = {.last = &list.first};
  b->flow += flow;
  WH_TRY(read_entries(b, depth, &list, &end));
  b->flow -= flow;
  node->entries = WH_NEW_ARRAY(b->arena, list.count, wh_node_entry);
  if (!node->entries) return wh_fail_memory(b->err);
  for (const child *one = list.first; one; one = one->next)
    node->entries[node->count++] = (wh_node_entry){one->key, one->value};
  WH_TRY(drop_duplicates(b, node));
  if (flow && was_meant_as_text(b, node, start, end)) {
    return wh_yaml_needs_quotes(b->text, b->file, place_of(start), b->flow > 0, "a map", b->err);
  }
  end_anchor(b, index, node, before);
  *ret = node;
  return WH_OK;
}

static wh_status read_opened(builder *b, yaml_event_t *event, int depth, wh_node **ret) {
  if (depth > WH_YAML_DEPTH_MAX) {
    wh_node where = node_at(b, event->start_mark);
    return wh_node_fail(&where, b->err, "nested more than %d deep", WH_YAML_DEPTH_MAX);
  }
  switch (event->type) {
  case YAML_ALIAS_EVENT:
    return read_alias(b, event, ret);
  case YAML_SCALAR_EVENT:
    return read_scalar(b, event, ret);
  case YAML_SEQUENCE_START_EVENT:
    return read_list(b, event, depth, ret);
  case YAML_MAPPING_START_EVENT:
    return read_map(b, event, depth, ret);
  default:
    return wh_fail(b->err, WH_ERR_BUG, "%s: unexpected event %d", b->file, event->type);
  }
}

// Takes over the event.
static wh_status read_node(builder *b, yaml_event_t *event, int depth, wh_node **ret) {
  wh_status status = read_opened(b, event, depth, ret);
  yaml_event_delete(event);
  return status;
}

// --- the document --------------------------------------------------------------------------------

// The next event, which must be there: its content is of no interest.
static wh_status skip_event(builder *b, yaml_event_type_t *ret, wh_node *ret_where) {
  yaml_event_t event;
  WH_TRY(next_event(b, &event));
  *ret = event.type;
  *ret_where = node_at(b, event.start_mark);
  yaml_event_delete(&event);
  return WH_OK;
}

static wh_status read_document(builder *b, wh_node **ret) {
  yaml_event_type_t type = YAML_NO_EVENT;
  wh_node where;
  WH_TRY(skip_event(b, &type, &where)); // stream start
  WH_TRY(skip_event(b, &type, &where)); // document start, or the end of an empty stream
  if (type == YAML_STREAM_END_EVENT) {
    where.kind = WH_NODE_SCALAR;
    where.plain = true;
    where.text = WH_STR("");
    wh_node *node = WH_NEW(b->arena, wh_node);
    if (!node) return wh_fail_memory(b->err);
    *node = where;
    *ret = node;
    return WH_OK;
  }
  yaml_event_t event;
  WH_TRY(next_event(b, &event));
  WH_TRY(read_node(b, &event, 0, ret));
  WH_TRY(skip_event(b, &type, &where)); // document end
  WH_TRY(skip_event(b, &type, &where));
  if (type == YAML_STREAM_END_EVENT) return WH_OK;
  return wh_node_fail(&where, b->err, "a second document begins here; a file holds one");
}

wh_status wh_yaml_parse(wh_str text, const char *file, wh_arena *arena, wh_problems *problems,
                        wh_node **ret, wh_error *err) {
  wh_error own;
  builder b = {
      .text = text, .file = file, .arena = arena, .problems = problems, .err = err ? err : &own};
  if (!b.text.data) b.text = WH_STR("");
  if (!yaml_parser_initialize(&b.parser)) return wh_fail_memory(err);
  yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&b.parser, (const unsigned char *)b.text.data, b.text.len);
  wh_node *root = NULL;
  wh_status status = read_document(&b, &root);
  yaml_parser_delete(&b.parser);
  if (status == WH_OK) *ret = root;
  return status;
}
