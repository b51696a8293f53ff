#include "codec/parquet/schema_read.h"

typedef struct making {
  const pq_schema_element *elements;
  size_t count, at;
  pq_tree *tree;
  const pq_schema_options *options;
  wh_arena *arena;
  wh_error *err;
} making;

// Where in the tree: what is above the node in hand.
typedef struct above {
  uint8_t rep, slot_def, def; // def: of the parent when it has a value
  int depth;
} above;

static wh_status bad_schema(making *m, const char *what) {
  return wh_fail(m->err, WH_ERR_DATA, "the schema is damaged at its element %zu: %s", m->at, what);
}

static bool has_logical(const pq_schema_element *e, int kind) {
  return PQ_HAS(e, PQ_ELEMENT_LOGICAL) && PQ_HAS(&e->logical, kind);
}

// The legacy annotation, where there is no new one.
static bool has_converted(const pq_schema_element *e, pq_converted kind) {
  bool logical = PQ_HAS(e, PQ_ELEMENT_LOGICAL) && e->logical.has;
  return !logical && PQ_HAS(e, PQ_ELEMENT_CONVERTED) && e->converted == (int32_t)kind;
}

static bool is_text(const pq_schema_element *e) {
  return has_logical(e, PQ_LOGICAL_STRING) || has_logical(e, PQ_LOGICAL_ENUM) ||
         has_logical(e, PQ_LOGICAL_JSON) || has_converted(e, PQ_CONVERTED_UTF8) ||
         has_converted(e, PQ_CONVERTED_ENUM) || has_converted(e, PQ_CONVERTED_JSON);
}

static wh_unit unit_of(const pq_logical_unit *unit) {
  return PQ_HAS(unit, PQ_UNIT_MS) ? WH_UNIT_MS : PQ_HAS(unit, PQ_UNIT_US) ? WH_UNIT_US : WH_UNIT_NS;
}

static void set_type(pq_tree_node *node, wh_kind kind, pq_convert convert) {
  node->field.type = wh_type_of(kind);
  node->convert = convert;
}

static void set_temporal(pq_tree_node *node, wh_kind kind, pq_convert convert, wh_unit unit,
                         bool zoned) {
  set_type(node, kind, convert);
  node->field.type.unit = unit;
  node->field.type.zoned = zoned;
}

static bool set_decimal(pq_tree_node *node) {
  const pq_schema_element *e = node->element;
  int32_t precision = 0, scale = 0;
  if (has_logical(e, PQ_LOGICAL_DECIMAL)) {
    precision = e->logical.decimal.precision;
    scale = e->logical.decimal.scale;
  } else if (has_converted(e, PQ_CONVERTED_DECIMAL)) {
    precision = PQ_HAS(e, PQ_ELEMENT_PRECISION) ? e->precision : 0;
    scale = PQ_HAS(e, PQ_ELEMENT_SCALE) ? e->scale : 0;
  } else {
    return false;
  }
  set_type(node, WH_DECIMAL, PQ_DECIMAL);
  if (precision < 1 || scale < 0 || scale > precision) {
    node->refused = "it is a decimal whose precision and scale make no sense";
  } else if (precision > WH_DECIMAL_DIGITS_MAX) {
    node->refused = "it is a decimal of more than 38 digits";
  } else {
    node->field.type.precision = (uint8_t)precision;
    node->field.type.scale = (uint8_t)scale;
  }
  return true;
}

// INTEGER's kinds by signedness and log2 of the bytes.
static const wh_kind int_kinds[2][4] = {{WH_UINT8, WH_UINT16, WH_UINT32, WH_UINT64},
                                        {WH_INT8, WH_INT16, WH_INT32, WH_INT64}};

// The kind that the annotation names; WH_NULL: none.
static wh_kind annotated_int(const pq_schema_element *e) {
  static const pq_converted converted[2][4] = {
      {PQ_CONVERTED_UINT8, PQ_CONVERTED_UINT16, PQ_CONVERTED_UINT32, PQ_CONVERTED_UINT64},
      {PQ_CONVERTED_INT8, PQ_CONVERTED_INT16, PQ_CONVERTED_INT32, PQ_CONVERTED_INT64}};
  bool logical = has_logical(e, PQ_LOGICAL_INTEGER);
  for (int sign = 0; sign < 2; sign++) {
    for (int size = 0; size < 4; size++) {
      if (logical && e->logical.integer.with_a_sign == sign &&
          e->logical.integer.bits == 8 << size) {
        return int_kinds[sign][size];
      }
      if (has_converted(e, converted[sign][size])) return int_kinds[sign][size];
    }
  }
  return WH_NULL;
}

static void set_int(pq_tree_node *node, size_t bytes) {
  wh_kind kind = annotated_int(node->element);
  size_t width = wh_kind_width(kind);
  if (width == bytes || (width && bytes == 4 && width < 4))
    set_type(node, kind, width == bytes ? PQ_AS_IS : PQ_NARROW);
  else if (width)
    node->refused = "its integer type does not go with its physical type";
  else
    set_type(node, bytes == 4 ? WH_INT32 : WH_INT64, PQ_AS_IS);
}

static void set_int32(pq_tree_node *node) {
  const pq_schema_element *e = node->element;
  node->value_bytes = 4;
  if (has_logical(e, PQ_LOGICAL_DATE) || has_converted(e, PQ_CONVERTED_DATE))
    set_type(node, WH_DATE, PQ_AS_IS);
  else if (has_logical(e, PQ_LOGICAL_TIME) && PQ_HAS(&e->logical.time.unit, PQ_UNIT_MS))
    set_temporal(node, WH_TIME, PQ_TIME, WH_UNIT_MS, false);
  else if (has_converted(e, PQ_CONVERTED_TIME_MS))
    set_temporal(node, WH_TIME, PQ_TIME, WH_UNIT_MS, false);
  else if (!set_decimal(node))
    set_int(node, 4);
}

static void set_int64(pq_tree_node *node) {
  const pq_schema_element *e = node->element;
  node->value_bytes = 8;
  if (has_logical(e, PQ_LOGICAL_TIMESTAMP)) {
    const pq_logical_time *t = &e->logical.timestamp;
    set_temporal(node, WH_TIMESTAMP, PQ_AS_IS, unit_of(&t->unit), t->utc);
  } else if (has_logical(e, PQ_LOGICAL_TIME)) {
    set_temporal(node, WH_TIME, PQ_TIME, unit_of(&e->logical.time.unit), false);
  } else if (has_converted(e, PQ_CONVERTED_TIME_US)) {
    set_temporal(node, WH_TIME, PQ_TIME, WH_UNIT_US, false);
  } else if (has_converted(e, PQ_CONVERTED_TIMESTAMP_MS) ||
             has_converted(e, PQ_CONVERTED_TIMESTAMP_US)) {
    // LogicalTypes.md: the converted types mean instants.
    wh_unit unit = e->converted == PQ_CONVERTED_TIMESTAMP_MS ? WH_UNIT_MS : WH_UNIT_US;
    set_temporal(node, WH_TIMESTAMP, PQ_AS_IS, unit, true);
  } else if (!set_decimal(node)) {
    set_int(node, 8);
  }
}

static void set_fixed(pq_tree_node *node) {
  const pq_schema_element *e = node->element;
  if (e->type_length <= 0) {
    node->refused = "its values have no length";
    return;
  }
  if (e->type_length > PQ_FIXED_BYTES_MAX) {
    node->refused = "its values are longer than 1 MiB";
    return;
  }
  node->value_bytes = (uint32_t)e->type_length;
  if (has_logical(e, PQ_LOGICAL_UUID) && e->type_length == 16)
    set_type(node, WH_STRING, PQ_UUID_TEXT);
  else if (has_logical(e, PQ_LOGICAL_FLOAT16) && e->type_length == 2)
    set_type(node, WH_FLOAT32, PQ_HALF);
  else if (!set_decimal(node))
    set_type(node, WH_BINARY, PQ_BYTES);
}

static wh_status set_leaf(making *m, pq_tree_node *node) {
  const pq_schema_element *e = node->element;
  set_type(node, WH_BINARY, PQ_BYTES);
  switch ((pq_type)e->type) {
  case PQ_BOOLEAN:
    set_type(node, WH_BOOL, PQ_BIT);
    break;
  case PQ_INT32:
    set_int32(node);
    break;
  case PQ_INT64:
    set_int64(node);
    break;
  case PQ_INT96:
    node->value_bytes = 12;
    set_temporal(node, WH_TIMESTAMP, PQ_INT96_TIME, m->options->int96_ns ? WH_UNIT_NS : WH_UNIT_US,
                 false);
    break;
  case PQ_FLOAT:
  case PQ_DOUBLE:
    node->value_bytes = e->type == PQ_FLOAT ? 4 : 8;
    set_type(node, e->type == PQ_FLOAT ? WH_FLOAT32 : WH_FLOAT64, PQ_AS_IS);
    break;
  case PQ_BYTE_ARRAY:
    if (!set_decimal(node) && is_text(e)) set_type(node, WH_STRING, PQ_TEXT);
    break;
  case PQ_FIXED:
    set_fixed(node);
    break;
  default:
    return bad_schema(m, "it has a physical type that does not exist");
  }
  if (has_logical(e, PQ_LOGICAL_NULL)) {
    set_type(node, WH_NULL, PQ_NOTHING);
    node->field.nullable = true;
  }
  return WH_OK;
}

static wh_status make_node(making *m, above up, bool as_item, pq_tree_node *ret);

static wh_status next_element(making *m, const pq_schema_element **ret) {
  if (m->at >= m->count) return bad_schema(m, "a group has fewer members than it says");
  const pq_schema_element *e = &m->elements[m->at];
  if (!wh_utf8_valid(e->name)) return bad_schema(m, "its name is not UTF-8");
  bool group = !PQ_HAS(e, PQ_ELEMENT_TYPE);
  if (group && (!PQ_HAS(e, PQ_ELEMENT_CHILDREN) || e->children < 0 ||
                (size_t)e->children > m->count - m->at)) {
    return bad_schema(m, "a group has more members than there are");
  }
  if (!PQ_HAS(e, PQ_ELEMENT_REPETITION) || e->repetition < PQ_REQUIRED ||
      e->repetition > PQ_REPEATED) {
    return bad_schema(m, "it is neither required nor optional nor repeated");
  }
  m->at++;
  *ret = e;
  return WH_OK;
}

// The struct's type out of its children's fields.
static wh_status set_struct_type(making *m, pq_tree_node *node) {
  wh_field *fields = WH_NEW_ARRAY(m->arena, node->child_count, wh_field);
  if (!fields) return wh_fail_memory(m->err);
  for (size_t i = 0; i < node->child_count; i++)
    fields[i] = node->children[i].field;
  node->field.type = wh_type_of(node->shape == PQ_LIST ? WH_LIST : WH_STRUCT);
  node->field.type.field_count = (uint32_t)node->child_count;
  node->field.type.fields = fields;
  return WH_OK;
}

static wh_status make_members(making *m, above up, pq_tree_node *node) {
  size_t count = (size_t)node->element->children;
  node->shape = PQ_STRUCT;
  if (count == 0) return bad_schema(m, "a group has no members");
  node->children = WH_NEW_ARRAY(m->arena, count, pq_tree_node);
  if (!node->children) return wh_fail_memory(m->err);
  node->child_count = count;
  for (size_t i = 0; i < count; i++)
    WH_TRY(make_node(m, up, false, &node->children[i]));
  return set_struct_type(m, node);
}

// The node around one item, which begins where a level says that the list has one.
static wh_status make_list(making *m, pq_tree_node *node) {
  node->shape = PQ_LIST;
  node->child_count = 1;
  node->children = WH_NEW(m->arena, pq_tree_node);
  return node->children ? WH_OK : wh_fail_memory(m->err);
}

static above below_repeated(above up) {
  return (above){.rep = (uint8_t)(up.rep + 1),
                 .slot_def = (uint8_t)(up.def + 1),
                 .def = (uint8_t)(up.def + 1),
                 .depth = up.depth + 1};
}

static bool is_list(const pq_schema_element *e) {
  return has_logical(e, PQ_LOGICAL_LIST) || has_converted(e, PQ_CONVERTED_LIST);
}

static bool is_map(const pq_schema_element *e) {
  return has_logical(e, PQ_LOGICAL_MAP) || has_converted(e, PQ_CONVERTED_MAP) ||
         has_converted(e, PQ_CONVERTED_MAP_KEY_VALUE);
}

// LogicalTypes.md, "Backward-compatibility rules": whether the repeated element itself is the
// list's item, and not the one thing in it.
static bool repeated_is_item(making *m, const pq_schema_element *list,
                             const pq_schema_element *repeated) {
  if (PQ_HAS(repeated, PQ_ELEMENT_TYPE) || repeated->children != 1) return true;
  if (m->at < m->count && m->elements[m->at].repetition == PQ_REPEATED) return true;
  if (is_list(repeated) || is_map(repeated)) return true;
  if (wh_str_is(repeated->name, "array")) return true;
  size_t n = list->name.len;
  return repeated->name.len == n + 6 && wh_str_eq(wh_str_sub(repeated->name, 0, n), list->name) &&
         wh_str_ends(repeated->name, "_tuple");
}

// The annotated group stands in node->element, `up.def` is of the list itself.
static wh_status make_annotated_list(making *m, above up, pq_tree_node *node) {
  const pq_schema_element *repeated;
  WH_TRY(make_list(m, node));
  WH_TRY(next_element(m, &repeated));
  if (repeated->repetition != PQ_REPEATED) return bad_schema(m, "a list has no repeated member");
  pq_tree_node *item = node->children;
  above inner = below_repeated(up);
  bool pairs = is_map(node->element) && repeated->children != 1; // else a set: only its keys
  if (pairs || (!is_map(node->element) && repeated_is_item(m, node->element, repeated)) ||
      PQ_HAS(repeated, PQ_ELEMENT_TYPE)) {
    m->at--;
    WH_TRY(make_node(m, inner, true, item));
  } else {
    WH_TRY(make_node(m, inner, false, item));
  }
  item->field.name = WH_STR("item");
  return set_struct_type(m, node);
}

static bool is_collection(making *m, const pq_schema_element *e) {
  if (!is_list(e) && !is_map(e)) return false;
  // A list or map is a group of one repeated member; anything else so named is only a group.
  return e->children == 1 && m->at < m->count && m->elements[m->at].repetition == PQ_REPEATED;
}

// What the node holds when it is no repeated one, or an item of the list that it makes.
static wh_status make_content(making *m, above up, pq_tree_node *node) {
  const pq_schema_element *e = node->element;
  node->first_leaf = m->tree->leaf_count;
  node->slot_rep = up.rep;
  node->slot_def = up.slot_def;
  node->def = up.def;
  if (PQ_HAS(e, PQ_ELEMENT_TYPE)) {
    m->tree->leaves[m->tree->leaf_count++] = node;
    WH_TRY(set_leaf(m, node));
  } else if (is_collection(m, e)) {
    WH_TRY(make_annotated_list(m, up, node));
  } else {
    WH_TRY(make_members(m, (above){up.rep, up.slot_def, up.def, up.depth + 1}, node));
  }
  node->leaf_count = m->tree->leaf_count - node->first_leaf;
  return WH_OK;
}

// `as_item`: the element is repeated, and the list around it stands already.
static wh_status make_node(making *m, above up, bool as_item, pq_tree_node *ret) {
  const pq_schema_element *e;
  if (up.depth > WH_NESTING_MAX) {
    return wh_fail(m->err, WH_ERR_LIMIT, "the schema nests deeper than %d levels", WH_NESTING_MAX);
  }
  WH_TRY(next_element(m, &e));
  ret->element = e;
  ret->field = (wh_field){.name = e->name, .privacy = WH_INTERNAL};
  if (e->repetition != PQ_REPEATED || as_item) {
    ret->field.nullable = e->repetition == PQ_OPTIONAL;
    up.def = (uint8_t)(up.def + ret->field.nullable);
    return make_content(m, up, ret);
  }
  // Repeated without a list around it: a list of its own, of which nothing is NULL.
  ret->slot_rep = up.rep;
  ret->slot_def = up.slot_def;
  ret->def = up.def;
  ret->first_leaf = m->tree->leaf_count;
  WH_TRY(make_list(m, ret));
  ret->children->element = e;
  ret->children->field = (wh_field){.name = WH_STR("item"), .privacy = WH_INTERNAL};
  WH_TRY(make_content(m, below_repeated(up), ret->children));
  ret->leaf_count = ret->children->leaf_count;
  return set_struct_type(m, ret);
}

static wh_status check_names(making *m) {
  const pq_tree *tree = m->tree;
  enum { SLOTS_PER_COLUMN = 2 };
  size_t slots = tree->count * SLOTS_PER_COLUMN + 1;
  uint32_t *table = WH_NEW_ARRAY(m->arena, slots, uint32_t);
  if (!table) return wh_fail_memory(m->err);
  for (size_t i = 0; i < tree->count; i++) {
    wh_str name = tree->columns[i].field.name;
    uint64_t hash = 1469598103934665603u; // FNV-1a
    for (size_t b = 0; b < name.len; b++)
      hash = (hash ^ (uint8_t)name.data[b]) * 1099511628211u;
    size_t at = (size_t)(hash % slots);
    for (; table[at]; at = (at + 1) % slots) {
      if (!wh_str_eq(tree->columns[table[at] - 1].field.name, name)) continue;
      return wh_fail(m->err, WH_ERR_DATA, "two columns have the name '%.*s'", WH_STR_ARG(name));
    }
    table[at] = (uint32_t)i + 1;
  }
  return WH_OK;
}

wh_status pq_tree_make(const pq_structs *elements, const pq_schema_options *options,
                       wh_arena *arena, pq_tree *ret, wh_error *err) {
  pq_tree tree = {0};
  making m = {.elements = elements->items,
              .count = elements->count,
              .tree = &tree,
              .options = options,
              .arena = arena,
              .err = err};
  if (m.count == 0) return bad_schema(&m, "there is none");
  const pq_schema_element *root = &m.elements[m.at++];
  if (PQ_HAS(root, PQ_ELEMENT_TYPE) || !PQ_HAS(root, PQ_ELEMENT_CHILDREN) || root->children < 0 ||
      (size_t)root->children >= m.count + 1) {
    return bad_schema(&m, "its root is no group of columns");
  }
  tree.count = (size_t)root->children;
  if (tree.count > WH_COLUMNS_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "the file has %zu columns; at most %d can be read",
                   tree.count, WH_COLUMNS_MAX);
  }
  tree.columns = WH_NEW_ARRAY(arena, tree.count, pq_tree_node);
  tree.leaves = WH_NEW_ARRAY(arena, m.count, pq_tree_node *);
  if (!tree.columns || !tree.leaves) return wh_fail_memory(err);
  for (size_t i = 0; i < tree.count; i++)
    WH_TRY(make_node(&m, (above){0}, false, &tree.columns[i]));
  if (m.at != m.count) return bad_schema(&m, "it stands behind the last column");
  WH_TRY(check_names(&m));
  *ret = tree;
  return WH_OK;
}

// The schema's elements from the root down to the leaf's: those whose members hold it.
wh_str pq_leaf_path(const pq_tree *tree, uint32_t leaf, wh_arena *arena) {
  const pq_tree_node *target = tree->leaves[leaf];
  wh_str path = {0};
  const pq_tree_node *nodes = tree->columns;
  for (size_t count = tree->count; count;) {
    size_t i = 0;
    while (i + 1 < count && nodes[i].first_leaf + nodes[i].leaf_count <= leaf)
      i++;
    const pq_tree_node *node = &nodes[i];
    bool item = path.data && wh_str_is(node->field.name, "item");
    if (!item) {
      path = path.data ? wh_arena_printf(arena, "%.*s.%.*s", WH_STR_ARG(path),
                                         WH_STR_ARG(node->field.name))
                       : node->field.name;
    }
    if (node == target || !path.data) break;
    nodes = node->children;
    count = node->child_count;
  }
  return path;
}
