// The rows of a dataset's files, one file after the other, as those of one object.
#include "engine/dataset.h"

typedef struct dataset_reader {
  wh_reader base;
  wh_dataset_source source;
  wh_mem *mem;
  wh_arena arena;       // the reader's
  wh_arena of_file;     // reset for each file
  wh_schema schema;     // of the rows: the index's
  wh_schema in_files;   // what a file is to have: without the columns of the partition
  ptrdiff_t *partition; // for each column of `schema`, which of the partition it is; -1: none
  wh_value *values;     // of the partition, in the file that is open
  size_t next_file;
  wh_input *stream;
  wh_reader *reader; // NULL: no file is open
  wh_batch batch;    // of the open file's rows
  bool has_batch;
  size_t *column; // for each column of `schema`, where it is in `batch`
  uint64_t rows, rows_of_file, bytes_of_files;
} dataset_reader;

static void close_file(dataset_reader *r) {
  if (r->has_batch) wh_batch_free(&r->batch);
  r->has_batch = false;
  wh_reader_close(r->reader);
  r->reader = NULL;
  wh_input_close(r->stream);
  r->stream = NULL;
  wh_arena_reset(&r->of_file);
}

// A file is gone: with its version, while this was read, or only the file.
static wh_status find_out(const dataset_reader *r, wh_error *err) {
  const wh_dataset_source *s = &r->source;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, r->mem);
  wh_str key = wh_dataset_key(s->prefix, s->index->version, &arena);
  if (!key.data) return wh_fail_memory(err);
  wh_object object;
  wh_status status = s->connection->type->store->stat(s->connection, key, &arena, &object, NULL);
  status = status == WH_ERR_NOT_FOUND ? WH_ERR_CHANGED : WH_ERR_DATA;
  if (err) err->status = status;
  return status;
}

static wh_status blame(const dataset_reader *r, wh_status status, wh_error *err) {
  if (status == WH_OK) return WH_OK;
  wh_str path = r->source.index->files[r->next_file].path;
  wh_error_prefix(err, "%.*s: ", WH_STR_ARG(path));
  return status == WH_ERR_NOT_FOUND ? find_out(r, err) : status;
}

static wh_status find_columns(dataset_reader *r, wh_error *err) {
  for (size_t i = 0; i < r->schema.count; i++) {
    const wh_field *field = &r->schema.fields[i];
    if (r->partition[i] >= 0) continue;
    ptrdiff_t at = wh_schema_find(r->reader->schema, field->name);
    if (at < 0 || !wh_type_eq(&field->type, &r->reader->schema->fields[at].type))
      return wh_fail(err, WH_ERR_DATA, "it has no column %.*s of the type that its index says",
                     WH_STR_ARG(field->name));
    r->column[i] = (size_t)at;
  }
  return WH_OK;
}

static wh_status read_values(dataset_reader *r, const wh_dataset_file *file, wh_error *err) {
  for (size_t i = 0; i < r->schema.count; i++) {
    if (r->partition[i] < 0) continue;
    const wh_type *type = &r->schema.fields[i].type;
    wh_str text = file->partition[r->partition[i]];
    r->values[i] = (wh_value){.type = *type, .is_null = true};
    if (!text.data) continue;
    wh_status status = wh_value_parse(text, type, &r->of_file, &r->values[i], err);
    if (status == WH_OK) continue;
    if (status == WH_ERR_TYPE && err) err->status = WH_ERR_DATA;
    return status == WH_ERR_TYPE ? WH_ERR_DATA : status;
  }
  return WH_OK;
}

static wh_status open_codec(dataset_reader *r, wh_error *err) {
  const wh_dataset_source *s = &r->source;
  const wh_dataset_file *file = &s->index->files[r->next_file];
  const wh_codec_type *codec = wh_codec_by_name(s->index->format);
  const void *options = s->format->codec == codec ? s->format->options : NULL;
  wh_str key =
      wh_arena_printf(&r->of_file, "%.*s%.*s", WH_STR_ARG(s->prefix), WH_STR_ARG(file->path));
  if (!key.data) return wh_fail_memory(err);
  WH_TRY(s->connection->type->store->open(s->connection, key, (wh_str){0}, &r->stream, err));
  if (r->stream->size != file->bytes)
    return wh_fail(err, WH_ERR_DATA, "has %llu bytes, and its index says %llu",
                   (unsigned long long)r->stream->size, (unsigned long long)file->bytes);
  WH_TRY(codec->open_reader(&s->context, r->stream, options, &r->in_files, &r->reader, err));
  WH_TRY(find_columns(r, err));
  WH_TRY(read_values(r, file, err));
  WH_TRY(wh_batch_init(&r->batch, r->mem, r->reader->schema, err));
  r->has_batch = true;
  r->rows_of_file = 0;
  return WH_OK;
}

static wh_status end_file(dataset_reader *r, wh_error *err) {
  const wh_dataset_file *file = &r->source.index->files[r->next_file];
  if (r->rows_of_file != file->rows)
    return wh_fail(err, WH_ERR_DATA, "has %llu rows, and its index says %llu",
                   (unsigned long long)r->rows_of_file, (unsigned long long)file->rows);
  r->bytes_of_files += file->bytes;
  close_file(r);
  r->next_file++;
  return WH_OK;
}

static wh_status give(dataset_reader *r, wh_batch *out, wh_error *err) {
  size_t rows = r->batch.rows;
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_column *to = &out->columns[i];
    if (r->partition[i] < 0)
      WH_TRY(wh_column_add_range(to, &r->batch.columns[r->column[i]], 0, rows, err));
    for (size_t k = 0; r->partition[i] >= 0 && k < rows; k++)
      WH_TRY(wh_value_add(to, &r->values[i], err));
  }
  out->rows = rows;
  out->bytes = r->batch.bytes;
  out->first_row = r->rows + 1;
  r->rows += rows;
  r->rows_of_file += rows;
  return WH_OK;
}

// The rows of the file that is open, as many as its reader gives at once. Leaves the batch empty at
// its end.
static wh_status next_of_file(dataset_reader *r, wh_batch *out, wh_rejects *rejects,
                              wh_error *err) {
  if (!r->reader) WH_TRY(blame(r, open_codec(r, err), err));
  wh_batch_reset(&r->batch);
  WH_TRY(blame(r, r->reader->next(r->reader, &r->batch, rejects, err), err));
  r->base.bytes_read = r->bytes_of_files + r->reader->bytes_read;
  r->base.paused = r->reader->paused;
  if (r->batch.rows) return give(r, out, err);
  return r->reader->paused ? WH_OK : blame(r, end_file(r, err), err);
}

static wh_status reader_next(wh_reader *base, wh_batch *out, wh_rejects *rejects, wh_error *err) {
  dataset_reader *r = (dataset_reader *)base;
  base->paused = false;
  while (out->rows == 0 && !base->paused && r->next_file < r->source.index->file_count)
    WH_TRY(next_of_file(r, out, rejects, err));
  return WH_OK;
}

static void reader_close(wh_reader *base) {
  dataset_reader *r = (dataset_reader *)base;
  close_file(r);
  wh_arena_free(&r->of_file);
  wh_arena_free(&r->arena);
  wh_mem_free(r->mem, r, sizeof *r);
}

static ptrdiff_t in_partition(const wh_dataset_index *index, wh_str name) {
  for (size_t i = 0; i < index->partition_by.count; i++)
    if (wh_str_eq(index->partition_by.items[i], name)) return (ptrdiff_t)i;
  return -1;
}

static wh_status choose_columns(dataset_reader *r, wh_error *err) {
  const wh_dataset_index *index = r->source.index;
  size_t all = index->schema.count;
  wh_field *in_files = WH_NEW_ARRAY(&r->arena, all + 1, wh_field);
  r->partition = WH_NEW_ARRAY(&r->arena, all + 1, ptrdiff_t);
  r->values = WH_NEW_ARRAY(&r->arena, all + 1, wh_value);
  r->column = WH_NEW_ARRAY(&r->arena, all + 1, size_t);
  if (!in_files || !r->partition || !r->values || !r->column) return wh_fail_memory(err);
  for (size_t i = 0; i < all; i++) {
    const wh_field *field = &index->schema.fields[i];
    ptrdiff_t at = in_partition(index, field->name);
    if (at < 0) in_files[r->in_files.count++] = *field;
    r->partition[i] = at;
  }
  r->in_files.fields = in_files;
  return WH_OK;
}

wh_status wh_dataset_reader_open(const wh_dataset_source *source, wh_reader **ret, wh_error *err) {
  if (!wh_codec_by_name(source->index->format))
    return wh_fail(err, WH_ERR_DATA, "no codec is called '%.*s', which its index says",
                   WH_STR_ARG(source->index->format));
  wh_mem *mem = source->context.mem;
  dataset_reader *r = wh_mem_alloc_zero(mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  *r = (dataset_reader){.base = {.next = reader_next, .close = reader_close, .schema = &r->schema},
                        .source = *source,
                        .schema = source->index->schema,
                        .mem = mem};
  r->source.context.schema_may_widen = false;
  r->source.context.wanted = NULL;
  wh_arena_init(&r->arena, mem);
  wh_arena_init(&r->of_file, mem);
  wh_status status = choose_columns(r, err);
  if (status == WH_OK)
    *ret = &r->base;
  else
    reader_close(&r->base);
  return status;
}
