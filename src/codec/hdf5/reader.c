#include "codec/hdf5/reader.h"

#include "codec/hdf5/fit.h"

enum { LISTED_MAX = 8 }; // datasets that are named when one has to be chosen

// What both readers have.
typedef struct tables {
  wh_mem *mem;
  wh_arena arena;
  h5_file file;
  h5_datasets datasets;
  h5_table *items;
  h5_fit *fits; // schema.fields NULL: rows are as the file has them
  size_t count;
  size_t batch_rows, batch_bytes;
} tables;

static wh_status tables_open(tables *t, const wh_codec_context *context, wh_input *in, size_t count,
                             wh_error *err) {
  t->mem = context->mem;
  wh_arena_init(&t->arena, t->mem);
  t->batch_rows = context->batch_rows ? context->batch_rows : WH_BATCH_ROWS_DEFAULT;
  if (t->batch_rows > WH_BATCH_ROWS_MAX) t->batch_rows = WH_BATCH_ROWS_MAX;
  t->batch_bytes = context->batch_bytes ? context->batch_bytes : WH_BATCH_BYTES_DEFAULT;
  t->datasets = (h5_datasets){.file = &t->file, .arena = &t->arena};
  t->items = WH_NEW_ARRAY(&t->arena, count, h5_table);
  t->fits = WH_NEW_ARRAY(&t->arena, count, h5_fit);
  if (!t->items || !t->fits) return wh_fail_memory(err);
  return h5_file_open(&t->file, t->mem, in, err);
}

static void tables_close(tables *t) {
  for (size_t i = 0; i < t->count; i++)
    h5_fit_free(&t->fits[i]);
  h5_datasets_close(&t->datasets);
  h5_file_close(&t->file);
  wh_arena_free(&t->arena);
}

// Of the columns given, those that are wanted.
static wh_status wanted_of(tables *t, const h5_wish *wish, const wh_schema *given, wh_schema *ret,
                           wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(&t->arena, given->count, wh_field);
  size_t count = 0;
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < given->count; i++)
    if (h5_is_wanted(wish, given->fields[i].name)) fields[count++] = given->fields[i];
  return wh_schema_copy(&(wh_schema){count, fields}, &t->arena, ret, err);
}

// The next table, with the schema given, if there is one.
static wh_status tables_add(tables *t, const h5_spec *spec, const h5_wish *wish,
                            const wh_schema *given, bool may_widen, bool *ret_widened,
                            wh_error *err) {
  h5_table *table = &t->items[t->count];
  *ret_widened = false;
  WH_TRY(h5_table_make(&t->datasets, spec, wish, &t->arena, table, err));
  size_t at = t->count++;
  wh_schema as;
  if (!given) return WH_OK;
  WH_TRY(wanted_of(t, wish, given, &as, err));
  if (wh_schema_eq(&as, &table->schema)) {
    table->schema = as; // it knows how private they are
    return WH_OK;
  }
  return h5_fit_make(table, &as, may_widen, t->mem, &t->arena, &t->fits[at], ret_widened, err);
}

static const wh_schema *schema_of(const tables *t, size_t i) {
  return t->fits[i].schema.fields ? &t->fits[i].schema : &t->items[i].schema;
}

static wh_status tables_fill(tables *t, size_t i, wh_batch *batch, wh_rejects *rejects,
                             wh_error *err) {
  if (t->fits[i].schema.fields)
    return h5_fit_fill(&t->fits[i], &t->items[i], batch, t->batch_rows, t->batch_bytes, rejects,
                       err);
  return h5_table_fill(&t->items[i], batch, t->batch_rows, t->batch_bytes, rejects, err);
}

// --- one table -----------------------------------------------------------------------------------

typedef struct reader {
  wh_reader base;
  tables tables;
  bool widened;
} reader;

static wh_status reader_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  reader *r = (reader *)base;
  if (r->widened) return wh_fail(err, WH_ERR_WIDEN, "the file has more than fits the schema given");
  wh_status status = tables_fill(&r->tables, 0, batch, rejects, err);
  r->base.bytes_read = r->tables.file.bytes.fetched;
  return status == WH_ERR_END ? WH_OK : status;
}

static void reader_close(wh_reader *base) {
  reader *r = (reader *)base;
  wh_mem *mem = r->tables.mem;
  tables_close(&r->tables);
  wh_mem_free(mem, r, sizeof *r);
}

// Where nothing says what the rows are, and there is only one dataset, they are that one's.
static wh_status choose_dataset(tables *t, h5_spec *spec, wh_error *err) {
  wh_str *paths = WH_NEW_ARRAY(&t->arena, LISTED_MAX + 1, wh_str);
  size_t count = 0;
  if (!paths) return wh_fail_memory(err);
  WH_TRY(h5_file_list(&t->file, LISTED_MAX + 1, &t->arena, paths, &count, err));
  if (count == 0) return wh_fail(err, WH_ERR_DATA, "the file has no datasets");
  if (count == 1) {
    spec->sides = WH_NEW(&t->arena, h5_side);
    if (!spec->sides) return wh_fail_memory(err);
    spec->sides[0].path = paths[0];
    spec->side_count = 1;
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf list;
  wh_buf_init(&list, t->mem, 0);
  for (size_t i = 0; i < count && i < LISTED_MAX; i++)
    wh_buf_printf(&list, "%s%.*s", i ? ", " : "", WH_STR_ARG(paths[i]));
  WH_TRY(wh_buf_check(&list, err));
  return wh_fail(err, WH_ERR_USAGE,
                 "the file has several datasets. Say which are the rows (format: { rows: PATH }): "
                 "%s%s",
                 list.data, count > LISTED_MAX ? ", ..." : "");
}

static wh_status reader_open(reader *r, const wh_codec_context *context, wh_input *in,
                             const wh_hdf5_table *options, const wh_schema *given, wh_error *err) {
  static const wh_hdf5_table none = {.index_from = 1};
  h5_spec spec;
  h5_wish wish = {
      .key = context->key, .wanted = context->wanted, .wanted_count = context->wanted_count};
  WH_TRY(tables_open(&r->tables, context, in, 1, err));
  WH_TRY(h5_spec_make(options ? options : &none, &r->tables.arena, &spec, err));
  if (spec.side_count == 0 && spec.repeated_count == 0)
    WH_TRY(choose_dataset(&r->tables, &spec, err));
  WH_TRY(tables_add(&r->tables, &spec, &wish, given, context->schema_may_widen, &r->widened, err));
  r->base.schema = schema_of(&r->tables, 0);
  r->base.bytes_read = r->tables.file.bytes.fetched;
  return WH_OK;
}

wh_status h5_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                         const wh_schema *given, wh_reader **ret, wh_error *err) {
  reader *r = wh_mem_alloc_zero(context->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->tables.mem = context->mem;
  r->base = (wh_reader){.schema_inferred = !given, .next = reader_next, .close = reader_close};
  wh_status status = reader_open(r, context, in, options, given, err);
  if (status != WH_OK) {
    reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}

// --- several tables ------------------------------------------------------------------------------

typedef struct tables_reader {
  wh_tables_reader base;
  tables tables;
  size_t at;
} tables_reader;

static wh_status tables_next(wh_tables_reader *base, size_t *ret_table, wh_batch *batches,
                             wh_rejects *rejects, wh_error *err) {
  tables_reader *r = (tables_reader *)base;
  while (r->at < r->tables.count) {
    wh_status status = tables_fill(&r->tables, r->at, &batches[r->at], rejects, err);
    r->base.bytes_read = r->tables.file.bytes.fetched;
    if (status == WH_OK) {
      *ret_table = r->at;
      return WH_OK;
    }
    wh_str name = r->tables.items[r->at].name;
    if (status != WH_ERR_END) {
      if (err && name.len) wh_error_prefix(err, "table %.*s: ", WH_STR_ARG(name));
      return status;
    }
    h5_table_done(&r->tables.items[r->at++]);
  }
  return WH_ERR_END;
}

static void tables_reader_close(wh_tables_reader *base) {
  tables_reader *r = (tables_reader *)base;
  wh_mem *mem = r->tables.mem;
  tables_close(&r->tables);
  wh_mem_free(mem, r, sizeof *r);
}

static wh_status tables_reader_open(tables_reader *r, const wh_codec_context *context, wh_input *in,
                                    const wh_table_spec *specs, size_t count, wh_error *err) {
  WH_TRY(tables_open(&r->tables, context, in, count, err));
  const wh_schema **schemas = WH_NEW_ARRAY(&r->tables.arena, count, const wh_schema *);
  if (!schemas) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    const wh_table_spec *s = &specs[i];
    h5_wish wish = {s->name, context->key, s->wanted, s->wanted_count};
    h5_spec spec;
    bool widened;
    WH_TRY(h5_spec_make(s->options, &r->tables.arena, &spec, err));
    WH_TRY(tables_add(&r->tables, &spec, &wish, s->given, false, &widened, err));
    schemas[i] = schema_of(&r->tables, i);
  }
  r->base.count = count;
  r->base.schemas = schemas;
  r->base.bytes_read = r->tables.file.bytes.fetched;
  return WH_OK;
}

wh_status h5_open_tables(const wh_codec_context *context, wh_input *in, const wh_table_spec *specs,
                         size_t count, wh_tables_reader **ret, wh_error *err) {
  tables_reader *r = wh_mem_alloc_zero(context->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->tables.mem = context->mem;
  r->base = (wh_tables_reader){.next = tables_next, .close = tables_reader_close};
  wh_status status = tables_reader_open(r, context, in, specs, count, err);
  if (status != WH_OK) {
    tables_reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}
