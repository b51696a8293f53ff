// Rows of many objects as those of one table. Each object is read with a schema of its own; columns
// of another type than the table's are cast, which loses nothing (data/type.h: wh_type_widen).
#include "engine/model.h"

#include "data/cast.h"

typedef struct table_reader {
  wh_reader base;
  const wh_model_table *table;
  wh_mem *mem;
  wh_arena arena; // as long as the reader
  wh_schema schema;
  size_t at; // the object that is read, or comes next
  wh_arena object_arena;
  wh_run_input in; // reader NULL: none is open
  wh_batch batch;  // of the object
  ptrdiff_t *map;  // of the table's columns to the object's; -1: it has not that one
  uint64_t rows;   // of the object so far
  uint64_t bytes_before;
} table_reader;

static void close_object(table_reader *r) {
  if (r->in.reader) r->bytes_before += r->in.reader->bytes_read;
  wh_batch_free(&r->batch);
  r->batch = (wh_batch){0};
  wh_input_close_run(&r->in);
  r->in = (wh_run_input){0};
  wh_arena_reset(&r->object_arena);
  r->rows = 0;
}

// Of the columns that are wanted those that the object has; else any, for its rows count.
static wh_status choose_columns(const table_reader *r, const wh_schema *own, wh_arena *arena,
                                wh_str **ret, size_t *ret_count, wh_error *err) {
  wh_str *wanted = WH_NEW_ARRAY(arena, r->schema.count + 1, wh_str);
  if (!wanted) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < r->schema.count; i++)
    if (wh_schema_find(own, r->schema.fields[i].name) >= 0)
      wanted[count++] = r->schema.fields[i].name;
  if (!count && own->count) wanted[count++] = own->fields[0].name;
  *ret = wanted;
  *ret_count = count;
  return WH_OK;
}

static wh_status open_object(table_reader *r, wh_error *err) {
  const wh_model_object *o = &r->table->objects[r->at];
  wh_str *wanted;
  size_t count;
  WH_TRY(choose_columns(r, o->schema, &r->object_arena, &wanted, &count, err));
  WH_TRY(wh_input_open_columns(r->table->of->engine, &r->table->pipeline, &o->object, o->schema,
                               wanted, count, r->table->scope, &r->object_arena, &r->in, err));
  const wh_schema *schema = r->in.reader->schema;
  for (size_t i = 0; i < r->schema.count; i++)
    r->map[i] = wh_schema_find(schema, r->schema.fields[i].name);
  return wh_batch_init(&r->batch, r->mem, schema, err);
}

static wh_status add_nulls(wh_column *column, size_t rows, wh_error *err) {
  for (size_t i = 0; i < rows; i++)
    WH_TRY(wh_column_add_null(column, err));
  return WH_OK;
}

static wh_status show(const table_reader *r, wh_batch *out, wh_error *err) {
  wh_batch_borrow_rows(out, &r->batch);
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_column *to = &out->columns[i];
    if (r->map[i] < 0) {
      WH_TRY(add_nulls(to, r->batch.rows, err));
      continue;
    }
    const wh_column *from = &r->batch.columns[r->map[i]];
    if (wh_type_eq(&from->type, &to->type)) {
      wh_column_borrow(to, from);
      continue;
    }
    wh_status status = wh_cast_column(from, to, NULL, NULL, NULL, err);
    if (status != WH_OK) {
      wh_error_prefix(err, "column %.*s: ", WH_STR_ARG(r->schema.fields[i].name));
      return status;
    }
  }
  return WH_OK;
}

// At its end an object must have had what its manifest says.
static wh_status end_object(const table_reader *r, wh_error *err) {
  const wh_run_input *in = &r->in;
  if (!in->tells_rows || r->rows == in->manifest.rows) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%llu rows were read, its manifest says %llu",
                 (unsigned long long)r->rows, (unsigned long long)in->manifest.rows);
}

// *ret_end: behind the last object.
static wh_status step(table_reader *r, wh_batch *out, wh_rejects *rejects, bool *ret_end,
                      wh_error *err) {
  *ret_end = r->at == r->table->object_count;
  if (*ret_end) return WH_OK;
  if (!r->in.reader) WH_TRY(open_object(r, err));
  wh_batch_reset(&r->batch);
  WH_TRY(r->in.reader->next(r->in.reader, &r->batch, rejects, err));
  r->rows += r->batch.rows;
  r->base.bytes_read = r->bytes_before + r->in.reader->bytes_read;
  if (r->batch.rows) return show(r, out, err);
  if (r->in.reader->paused) return WH_OK;
  WH_TRY(end_object(r, err));
  close_object(r);
  r->at++;
  return WH_OK;
}

static wh_status next(wh_reader *base, wh_batch *out, wh_rejects *rejects, wh_error *err) {
  table_reader *r = (table_reader *)base;
  bool is_end = false;
  while (out->rows == 0 && !is_end) {
    wh_status status = step(r, out, rejects, &is_end, err);
    if (status == WH_OK) continue;
    wh_error_append_row(err);
    wh_error_prefix(err, "%.*s: %.*s: ", WH_STR_ARG(r->table->pipeline.from.connection),
                    WH_STR_ARG(r->table->objects[r->at].object.key));
    return status;
  }
  return WH_OK;
}

static void close_table(wh_reader *base) {
  table_reader *r = (table_reader *)base;
  wh_mem *mem = r->mem;
  close_object(r);
  wh_arena_free(&r->object_arena);
  wh_arena_free(&r->arena);
  wh_mem_free(mem, r, sizeof *r);
}

static wh_status choose(table_reader *r, const size_t *columns, size_t count, wh_error *err) {
  const wh_schema *all = &r->table->base.schema;
  wh_field *fields = WH_NEW_ARRAY(&r->arena, count, wh_field);
  r->map = WH_NEW_ARRAY(&r->arena, count, ptrdiff_t);
  if (!fields || !r->map) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    fields[i] = all->fields[columns[i]];
  r->schema = (wh_schema){count, fields};
  return WH_OK;
}

wh_status wh_model_table_open(const wh_sql_table *base, const size_t *columns, size_t count,
                              wh_reader **ret, wh_error *err) {
  const wh_model_table *t = (const wh_model_table *)base;
  wh_mem *mem = t->of->engine->mem;
  table_reader *r = wh_mem_alloc_zero(mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->base = (wh_reader){.schema = &r->schema, .next = next, .close = close_table};
  r->table = t;
  r->mem = mem;
  wh_arena_init(&r->arena, mem);
  wh_arena_init(&r->object_arena, mem);
  wh_status status = choose(r, columns, count, err);
  if (status == WH_OK)
    *ret = &r->base;
  else
    close_table(&r->base);
  return status;
}
