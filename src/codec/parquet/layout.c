#include "codec/parquet/layout.h"

typedef struct layout_maker {
  pq_layout *layout;
  wh_arena *arena;
  wh_error *err;
  pq_schema_element *elements;
  size_t element_count;
  pq_node nodes[WH_NESTING_MAX + 1]; // of the leaf being reached
  wh_str path[2 * WH_NESTING_MAX + 2];
  size_t path_count;
} layout_maker;

// Elements and leaves that a type makes.
static void count_type(const wh_type *type, size_t *elements, size_t *leaves) {
  *elements += type->kind == WH_LIST ? 2 : 1;
  if (type->field_count == 0) *leaves += 1;
  for (uint32_t i = 0; i < type->field_count; i++)
    count_type(&type->fields[i].type, elements, leaves);
}

static void set_integer(pq_schema_element *e, const wh_type *type) {
  static const int32_t converted[] = {
      [WH_INT8] = PQ_CONVERTED_INT8,     [WH_INT16] = PQ_CONVERTED_INT16,
      [WH_UINT8] = PQ_CONVERTED_UINT8,   [WH_UINT16] = PQ_CONVERTED_UINT16,
      [WH_UINT32] = PQ_CONVERTED_UINT32, [WH_UINT64] = PQ_CONVERTED_UINT64};
  if (type->kind == WH_INT32 || type->kind == WH_INT64) return;
  e->has |= PQ_BIT(PQ_ELEMENT_LOGICAL) | PQ_BIT(PQ_ELEMENT_CONVERTED);
  e->converted = converted[type->kind];
  e->logical.has = PQ_BIT(PQ_LOGICAL_INTEGER);
  e->logical.integer = (pq_logical_integer){.has = PQ_BIT(1) | PQ_BIT(2),
                                            .bits = (int8_t)(8 * wh_kind_width(type->kind)),
                                            .with_a_sign = type->kind <= WH_INT64};
}

static void set_decimal(pq_schema_element *e, const wh_type *type) {
  e->has |= PQ_BIT(PQ_ELEMENT_LOGICAL) | PQ_BIT(PQ_ELEMENT_CONVERTED) | PQ_BIT(PQ_ELEMENT_SCALE) |
            PQ_BIT(PQ_ELEMENT_PRECISION);
  e->converted = PQ_CONVERTED_DECIMAL;
  e->scale = type->scale;
  e->precision = type->precision;
  e->logical.has = PQ_BIT(PQ_LOGICAL_DECIMAL);
  e->logical.decimal = (pq_logical_decimal){
      .has = PQ_BIT(1) | PQ_BIT(2), .scale = type->scale, .precision = type->precision};
}

// The old annotations know milli- and microseconds, and mean UTC.
static void set_time(pq_schema_element *e, const wh_type *type) {
  bool stamp = type->kind == WH_TIMESTAMP;
  int unit = type->unit == WH_UNIT_NS   ? PQ_UNIT_NS
             : type->unit == WH_UNIT_US ? PQ_UNIT_US
                                        : PQ_UNIT_MS;
  pq_logical_time time = {
      .has = PQ_BIT(1) | PQ_BIT(2), .utc = stamp && type->zoned, .unit = {.has = PQ_BIT(unit)}};
  e->has |= PQ_BIT(PQ_ELEMENT_LOGICAL);
  e->logical.has = PQ_BIT(stamp ? PQ_LOGICAL_TIMESTAMP : PQ_LOGICAL_TIME);
  if (stamp)
    e->logical.timestamp = time;
  else
    e->logical.time = time;
  if (unit == PQ_UNIT_NS || !time.utc) return;
  e->has |= PQ_BIT(PQ_ELEMENT_CONVERTED);
  e->converted = unit == PQ_UNIT_MS ? PQ_CONVERTED_TIMESTAMP_MS : PQ_CONVERTED_TIMESTAMP_US;
}

static void set_plain(pq_schema_element *e, int logical, int converted) {
  e->has |= PQ_BIT(PQ_ELEMENT_LOGICAL);
  e->logical.has = PQ_BIT(logical);
  if (converted < 0) return;
  e->has |= PQ_BIT(PQ_ELEMENT_CONVERTED);
  e->converted = converted;
}

static void annotate(pq_schema_element *e, const wh_type *type) {
  switch (type->kind) {
  case WH_NULL:
    set_plain(e, PQ_LOGICAL_NULL, -1);
    break;
  case WH_STRING:
    set_plain(e, PQ_LOGICAL_STRING, PQ_CONVERTED_UTF8);
    break;
  case WH_DATE:
    set_plain(e, PQ_LOGICAL_DATE, PQ_CONVERTED_DATE);
    break;
  case WH_DECIMAL:
    set_decimal(e, type);
    break;
  case WH_TIME:
  case WH_TIMESTAMP:
    set_time(e, type);
    break;
  default:
    if (wh_kind_is_int(type->kind)) set_integer(e, type);
  }
}

// Bytes that a decimal of so many digits takes, in two's complement.
static uint32_t decimal_bytes(unsigned precision) {
  unsigned __int128 most = 1;
  for (unsigned i = 0; i < precision; i++)
    most *= 10;
  uint32_t bytes = 1;
  while (bytes < 16 && most - 1 > ((unsigned __int128)1 << (8 * bytes - 1)) - 1)
    bytes++;
  return bytes;
}

static void set_physical(pq_leaf *leaf, const wh_type *type) {
  bool seconds = type->unit == WH_UNIT_S;
  pq_type physical = PQ_INT32;
  switch (type->kind) {
  case WH_BOOL:
    physical = PQ_BOOLEAN;
    break;
  case WH_INT64:
  case WH_UINT64:
    physical = PQ_INT64;
    break;
  case WH_FLOAT32:
    physical = PQ_FLOAT;
    break;
  case WH_FLOAT64:
    physical = PQ_DOUBLE;
    break;
  case WH_DECIMAL:
    physical = type->precision <= 9 ? PQ_INT32 : type->precision <= 18 ? PQ_INT64 : PQ_FIXED;
    break;
  case WH_TIME:
    physical = type->unit <= WH_UNIT_MS ? PQ_INT32 : PQ_INT64;
    leaf->factor = seconds ? 1000 : 1;
    break;
  case WH_TIMESTAMP:
    physical = PQ_INT64;
    leaf->factor = seconds ? 1000 : 1;
    break;
  case WH_STRING:
  case WH_BINARY:
    physical = PQ_BYTE_ARRAY;
    break;
  default:
    break;
  }
  static const uint32_t widths[PQ_TYPE_COUNT] = {
      [PQ_BOOLEAN] = 1, [PQ_INT32] = 4, [PQ_INT64] = 8, [PQ_FLOAT] = 4, [PQ_DOUBLE] = 8};
  leaf->physical = physical;
  leaf->width = physical == PQ_FIXED ? decimal_bytes(type->precision) : widths[physical];
  leaf->unsigned_order = type->kind >= WH_UINT8 && type->kind <= WH_UINT64;
}

static pq_schema_element *add_element(layout_maker *m, wh_str name, int repetition) {
  pq_schema_element *e = &m->elements[m->element_count++];
  *e = (pq_schema_element){.has = PQ_BIT(PQ_ELEMENT_NAME) | PQ_BIT(PQ_ELEMENT_REPETITION),
                           .name = name,
                           .repetition = repetition};
  m->path[m->path_count++] = name;
  return e;
}

static void set_children(pq_schema_element *e, uint32_t count) {
  e->has |= PQ_BIT(PQ_ELEMENT_CHILDREN);
  e->children = (int32_t)count;
}

static wh_status add_leaf(layout_maker *m, pq_schema_element *e, size_t column, size_t depth,
                          uint8_t repeated) {
  pq_leaf *leaf = &m->layout->leaves[m->layout->count++];
  const wh_field *field = m->nodes[depth].field;
  *leaf = (pq_leaf){.column = column,
                    .node_count = depth + 1,
                    .type = &field->type,
                    .factor = 1,
                    .max_definition = m->nodes[depth].defined,
                    .max_repetition = repeated};
  set_physical(leaf, &field->type);
  pq_node *nodes = WH_NEW_ARRAY(m->arena, depth + 1, pq_node);
  leaf->path.items = WH_NEW_ARRAY(m->arena, m->path_count, wh_str);
  if (!nodes || !leaf->path.items) return wh_fail_memory(m->err);
  memcpy(nodes, m->nodes, (depth + 1) * sizeof *nodes);
  memcpy(leaf->path.items, m->path, m->path_count * sizeof *m->path);
  leaf->nodes = nodes;
  leaf->path.count = m->path_count;
  if (leaf->factor != 1) m->layout->has_seconds = true;
  e->has |= PQ_BIT(PQ_ELEMENT_TYPE);
  e->type = (int32_t)leaf->physical;
  if (leaf->physical == PQ_FIXED) {
    e->has |= PQ_BIT(PQ_ELEMENT_TYPE_LENGTH);
    e->type_length = (int32_t)leaf->width;
  }
  annotate(e, &field->type);
  return WH_OK;
}

static wh_status add_field(layout_maker *m, const wh_field *field, wh_str name, size_t column,
                           size_t depth, uint32_t child, uint8_t defined, uint8_t repeated) {
  const wh_type *type = &field->type;
  size_t path_count = m->path_count;
  bool optional = field->nullable || type->kind == WH_NULL;
  pq_schema_element *e = add_element(m, name, optional ? PQ_OPTIONAL : PQ_REQUIRED);
  defined = (uint8_t)(defined + optional);
  m->nodes[depth] = (pq_node){field, child, defined};
  wh_status status = WH_OK;
  if (type->kind == WH_LIST) {
    set_plain(e, PQ_LOGICAL_LIST, PQ_CONVERTED_LIST);
    set_children(e, 1);
    set_children(add_element(m, WH_STR("list"), PQ_REPEATED), 1);
    status = add_field(m, type->fields, WH_STR("element"), column, depth + 1, 0,
                       (uint8_t)(defined + 1), (uint8_t)(repeated + 1));
  } else if (type->kind == WH_STRUCT) {
    if (type->field_count == 0) {
      return wh_fail(m->err, WH_ERR_TYPE,
                     "'%.*s' is a struct without fields, which Parquet cannot hold. Leave the "
                     "column out, or write another format.",
                     WH_STR_ARG(name));
    }
    set_children(e, type->field_count);
    for (uint32_t i = 0; i < type->field_count && status == WH_OK; i++)
      status = add_field(m, &type->fields[i], type->fields[i].name, column, depth + 1, i, defined,
                         repeated);
  } else {
    status = add_leaf(m, e, column, depth, repeated);
  }
  m->path_count = path_count;
  return status;
}

wh_status pq_layout_make(const wh_schema *schema, wh_arena *arena, pq_layout *ret, wh_error *err) {
  if (schema->count == 0)
    return wh_fail(err, WH_ERR_TYPE, "there are no columns; a Parquet file needs at least one");
  size_t elements = 1, leaves = 0;
  for (size_t i = 0; i < schema->count; i++)
    count_type(&schema->fields[i].type, &elements, &leaves);
  pq_layout layout = {.schema = schema};
  layout_maker *m = WH_NEW(arena, layout_maker);
  layout.leaves = WH_NEW_ARRAY(arena, leaves, pq_leaf);
  layout.elements.items = WH_NEW_ARRAY(arena, elements, pq_schema_element);
  if (!m || !layout.leaves || !layout.elements.items) return wh_fail_memory(err);
  *m = (layout_maker){
      .layout = &layout, .arena = arena, .err = err, .elements = layout.elements.items};
  m->elements[m->element_count++] =
      (pq_schema_element){.has = PQ_BIT(PQ_ELEMENT_NAME) | PQ_BIT(PQ_ELEMENT_CHILDREN),
                          .name = WH_STR("schema"),
                          .children = (int32_t)schema->count};
  for (size_t i = 0; i < schema->count; i++)
    WH_TRY(add_field(m, &schema->fields[i], schema->fields[i].name, i, 0, 0, 0, 0));
  layout.elements.count = m->element_count;
  *ret = layout;
  return WH_OK;
}
