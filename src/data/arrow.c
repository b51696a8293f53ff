#include "data/arrow.h"

enum { FORMAT_MAX = 24 };

// What one ArrowSchema owns; freed by its own release, so that a moved child stands alone.
typedef struct schema_private {
  wh_mem *mem;
  size_t size;
  struct ArrowSchema *child; // count of them, then the pointers and the text
} schema_private;

static void release_schema(struct ArrowSchema *schema) {
  schema_private *own = schema->private_data;
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
  }
  schema->release = NULL;
  wh_mem_free(own->mem, own, own->size);
}

static void write_format(const wh_type *type, char out[FORMAT_MAX]) {
  static const char units[] = "smun"; // seconds to nanoseconds
  static const char *const plain[] = {
      [WH_NULL] = "n",    [WH_BOOL] = "b",   [WH_INT8] = "c",    [WH_INT16] = "s",
      [WH_INT32] = "i",   [WH_INT64] = "l",  [WH_UINT8] = "C",   [WH_UINT16] = "S",
      [WH_UINT32] = "I",  [WH_UINT64] = "L", [WH_FLOAT32] = "f", [WH_FLOAT64] = "g",
      [WH_DATE] = "tdD",  [WH_STRING] = "u", [WH_BINARY] = "z",  [WH_LIST] = "+l",
      [WH_STRUCT] = "+s",
  };
  if (type->kind == WH_DECIMAL)
    snprintf(out, FORMAT_MAX, "d:%d,%d", type->precision, type->scale);
  else if (type->kind == WH_TIME)
    snprintf(out, FORMAT_MAX, "tt%c", units[type->unit]);
  else if (type->kind == WH_TIMESTAMP)
    snprintf(out, FORMAT_MAX, "ts%c:%s", units[type->unit], type->zoned ? "UTC" : "");
  else
    snprintf(out, FORMAT_MAX, "%s", plain[type->kind]);
}

static wh_status export_field(const wh_field *field, wh_mem *mem, struct ArrowSchema *ret,
                              wh_error *err) {
  size_t count = field->type.field_count;
  size_t children_size = count * (sizeof(struct ArrowSchema) + sizeof(struct ArrowSchema *));
  size_t size = sizeof(schema_private) + children_size + FORMAT_MAX + field->name.len + 1;
  schema_private *own = wh_mem_alloc_zero(mem, size);
  if (!own) return wh_fail_memory(err);
  own->mem = mem;
  own->size = size;
  own->child = (struct ArrowSchema *)(own + 1);
  struct ArrowSchema **children = (struct ArrowSchema **)(own->child + count);
  char *format = (char *)(children + count), *name = format + FORMAT_MAX;
  write_format(&field->type, format);
  if (field->name.len) memcpy(name, field->name.data, field->name.len);
  struct ArrowSchema schema = {.format = format,
                               .name = name,
                               .flags = field->nullable ? ARROW_FLAG_NULLABLE : 0,
                               .children = count ? children : NULL,
                               .release = release_schema,
                               .private_data = own};
  for (size_t i = 0; i < count; i++) {
    children[i] = &own->child[i];
    wh_status status = export_field(&field->type.fields[i], mem, children[i], err);
    if (status != WH_OK) {
      release_schema(&schema);
      return status;
    }
    schema.n_children++;
  }
  *ret = schema;
  return WH_OK;
}

wh_status wh_arrow_export_schema(const wh_schema *schema, wh_mem *mem, struct ArrowSchema *ret,
                                 wh_error *err) {
  wh_field whole = {.name = WH_STR(""),
                    .type = {.kind = WH_STRUCT,
                             .field_count = (uint32_t)schema->count,
                             .fields = schema->fields}};
  return export_field(&whole, mem, ret, err);
}

typedef struct array_private {
  wh_mem *mem;
  size_t size;
  int32_t *narrow; // times in seconds or milliseconds
  size_t narrow_size;
  const void *buffers[3];
  struct ArrowArray *child;
} array_private;

static void release_array(struct ArrowArray *array) {
  array_private *own = array->private_data;
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  }
  array->release = NULL;
  wh_mem_free(own->mem, own->narrow, own->narrow_size);
  wh_mem_free(own->mem, own, own->size);
}

static wh_status start_array(struct ArrowArray *array, size_t length, size_t count, wh_mem *mem,
                             wh_error *err) {
  size_t size =
      sizeof(array_private) + count * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *));
  array_private *own = wh_mem_alloc_zero(mem, size);
  if (!own) return wh_fail_memory(err);
  own->mem = mem;
  own->size = size;
  own->child = (struct ArrowArray *)(own + 1);
  struct ArrowArray **children = (struct ArrowArray **)(own->child + count);
  for (size_t i = 0; i < count; i++)
    children[i] = &own->child[i];
  *array = (struct ArrowArray){.length = (int64_t)length,
                               .n_buffers = 1, // validity
                               .buffers = own->buffers,
                               .children = count ? children : NULL,
                               .release = release_array,
                               .private_data = own};
  return WH_OK;
}

// Arrow's time32.
static wh_status narrow_times(const wh_column *column, array_private *own, wh_error *err) {
  size_t size = column->length * sizeof *own->narrow;
  own->narrow = wh_mem_alloc(own->mem, size);
  if (!own->narrow) return wh_fail_memory(err);
  own->narrow_size = size;
  for (size_t i = 0; i < column->length; i++) {
    int64_t value = wh_column_i64(column, i);
    if (value != (int32_t)value)
      return wh_fail(err, WH_ERR_TYPE, "a time of day is out of range for Arrow");
    own->narrow[i] = (int32_t)value;
  }
  own->buffers[1] = own->narrow;
  return WH_OK;
}

static wh_status fill_array(const wh_column *column, struct ArrowArray *array, wh_error *err) {
  static const int32_t no_offsets[1] = {0}; // of a column without rows
  array_private *own = array->private_data;
  wh_kind kind = column->type.kind;
  own->buffers[0] = column->null_count ? column->validity : NULL;
  array->null_count = (int64_t)column->null_count;
  if (kind == WH_NULL) {
    array->n_buffers = 0;
  } else if (wh_kind_is_text(kind) || kind == WH_LIST) {
    array->n_buffers = kind == WH_LIST ? 2 : 3;
    own->buffers[1] = column->offsets ? column->offsets : no_offsets;
    own->buffers[2] = column->bytes;
  } else if (kind != WH_STRUCT) {
    array->n_buffers = 2;
    own->buffers[1] = column->values;
    if (kind == WH_TIME && column->type.unit <= WH_UNIT_MS) return narrow_times(column, own, err);
  }
  return WH_OK;
}

static wh_status export_column(const wh_column *column, wh_mem *mem, struct ArrowArray *ret,
                               wh_error *err) {
  struct ArrowArray array;
  WH_TRY(start_array(&array, column->length, column->child_count, mem, err));
  wh_status status = fill_array(column, &array, err);
  for (size_t i = 0; status == WH_OK && i < column->child_count; i++) {
    status = export_column(&column->children[i], mem, array.children[i], err);
    if (status == WH_OK) array.n_children++;
  }
  if (status == WH_OK)
    *ret = array;
  else
    release_array(&array);
  return status;
}

wh_status wh_arrow_export_batch(const wh_batch *batch, wh_mem *mem, struct ArrowArray *ret,
                                wh_error *err) {
  struct ArrowArray array;
  WH_TRY(start_array(&array, batch->rows, batch->schema->count, mem, err));
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < batch->schema->count; i++) {
    status = export_column(&batch->columns[i], mem, array.children[i], err);
    if (status == WH_OK) array.n_children++;
  }
  if (status == WH_OK)
    *ret = array;
  else
    release_array(&array);
  return status;
}
