#include "engine/dataset_files.h"

#include "base/crypto.h"
#include "data/keybytes.h"
#include "data/rowhash.h"
#include "data/sorter.h"
#include "engine/hashed_upload.h"
#include "step/rowbytes.h"

enum {
  SORTER_SHARE_OF_MEMORY = 8,
  PENDING_ROWS = 4096, // of a partition that are gathered before they are encoded
  PENDING_BYTES = 256 * 1024,
  RECORD_ENDS = 2 * sizeof(uint32_t), // behind each record: where its key and its row begin
};

// A file that is being written.
typedef struct part {
  wh_str partition; // the values' bytes (step/rowbytes.h), in `key`
  wh_buf key;
  wh_hashed_upload *upload; // NULL: none is open
  wh_batch pending;
  wh_dataset_file file;
} part;

struct wh_dataset_files {
  wh_engine *engine;
  wh_connection *c;
  const wh_dataset_shape *shape;
  wh_arena *arena; // the caller's: of what outlives this
  wh_arena own;
  wh_schema file_schema;      // without the columns of the partition
  const size_t *file_columns; // which of the shape's schema each is
  size_t partition_columns[WH_DATASET_PARTITION_MAX];
  wh_schema partition_schema;
  wh_batch partition; // one row, whose values a file's are
  const size_t *sort_columns;
  wh_encoding encoding;
  wh_put_options put;
  part *parts;
  size_t part_count, part_max;
  size_t last; // the part that the row before went to
  wh_sorter *sorter;
  uint64_t waiting; // rows that went there
  wh_buf record, key;
  uint64_t number; // of files begun
  wh_dataset_file *made;
  size_t made_count, made_cap;
};

// --- names ---------------------------------------------------------------------------------------

static void add_escaped(wh_buf *out, wh_str text) {
  for (size_t i = 0; i < text.len; i++) {
    unsigned char b = (unsigned char)text.data[i];
    bool plain = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
                 b == '-' || b == '_' || b == '.';
    if (plain)
      wh_buf_add_char(out, (char)b);
    else
      wh_buf_printf(out, "%%%02X", b);
  }
}

static wh_status add_folder(wh_buf *path, wh_str name, wh_str value, wh_error *err) {
  size_t from = path->len;
  add_escaped(path, name);
  wh_buf_add_char(path, '=');
  if (value.data)
    add_escaped(path, value);
  else
    wh_buf_add_c(path, WH_DATASET_NULL);
  WH_TRY(wh_buf_check(path, err));
  if (path->len - from > WH_DATASET_SEGMENT_MAX)
    return wh_fail(err, WH_ERR_LIMIT,
                   "partition_by: a value of %.*s makes a folder's name of more than %d bytes",
                   WH_STR_ARG(name), (int)WH_DATASET_SEGMENT_MAX);
  wh_buf_add_char(path, '/');
  return WH_OK;
}

// The values of the partition whose bytes these are, as texts that outlive the files.
static wh_status partition_texts(wh_dataset_files *f, wh_str bytes, wh_str **ret, wh_error *err) {
  size_t count = f->partition_schema.count;
  wh_str *texts = WH_NEW_ARRAY(f->arena, count ? count : 1, wh_str);
  if (!texts) return wh_fail_memory(err);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, f->engine->mem, 0);
  wh_batch_reset(&f->partition);
  for (size_t i = 0; i < count; i++) {
    wh_column *column = &f->partition.columns[i];
    WH_TRY(wh_row_bytes_read(column, &bytes, err));
    texts[i] = (wh_str){0};
    if (wh_column_is_null(column, 0)) continue;
    wh_buf_clear(&text);
    wh_column_write(column, 0, &text);
    WH_TRY(wh_buf_check(&text, err));
    texts[i] = wh_arena_str(f->arena, wh_buf_str(&text));
    if (!texts[i].data) return wh_fail_memory(err);
  }
  *ret = texts;
  return WH_OK;
}

static wh_status name_file(wh_dataset_files *f, part *p, wh_error *err) {
  WH_CLEAN_BUF wh_buf path;
  wh_buf_init(&path, f->engine->mem, 0);
  wh_str *texts;
  WH_TRY(partition_texts(f, p->partition, &texts, err));
  for (size_t i = 0; i < f->partition_schema.count; i++)
    WH_TRY(add_folder(&path, f->partition_schema.fields[i].name, texts[i], err));
  wh_buf_printf(&path, "%.*s-%05llu%s", WH_STR_ARG(f->shape->run), (unsigned long long)++f->number,
                f->shape->format.codec->extensions[0]);
  WH_TRY(wh_buf_check(&path, err));
  p->file = (wh_dataset_file){.partition = texts};
  p->file.path = wh_arena_str(f->arena, wh_buf_str(&path));
  if (!p->file.path.data) return wh_fail_memory(err);
  if (f->shape->sort_by.count) p->file.sorted_by = f->shape->sort_by;
  return WH_OK;
}

// --- one file ------------------------------------------------------------------------------------

static wh_status begin_file(wh_dataset_files *f, part *p, wh_error *err) {
  if (f->made_count >= WH_DATASET_FILES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "more than %d files of one version",
                   (int)WH_DATASET_FILES_MAX);
  WH_TRY(name_file(f, p, err));
  wh_str key =
      wh_arena_printf(&f->own, "%.*s%.*s", WH_STR_ARG(f->shape->prefix), WH_STR_ARG(p->file.path));
  if (!key.data) return wh_fail_memory(err);
  wh_upload *upload;
  WH_TRY(f->c->type->store->put(f->c, key, &f->put, &upload, err));
  return wh_hashed_upload_open(f->engine->mem, upload, key, &f->encoding, &p->upload, err);
}

static wh_status keep_made(wh_dataset_files *f, const wh_dataset_file *file, wh_error *err) {
  if (f->made_count == f->made_cap) {
    size_t cap = f->made_cap ? 2 * f->made_cap : 16;
    wh_dataset_file *made = WH_NEW_ARRAY(f->arena, cap, wh_dataset_file);
    if (!made) return wh_fail_memory(err);
    if (f->made_count) memcpy(made, f->made, f->made_count * sizeof *made);
    f->made = made;
    f->made_cap = cap;
  }
  f->made[f->made_count++] = *file;
  return WH_OK;
}

static wh_status end_file(wh_dataset_files *f, part *p, wh_error *err) {
  if (!p->upload) return WH_OK;
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(wh_hashed_upload_seal(p->upload, hex, &p->file.bytes, err));
  wh_hashed_upload_close(p->upload);
  p->upload = NULL;
  p->file.sha256 = wh_arena_str(f->arena, wh_str_of(hex));
  if (!p->file.sha256.data) return wh_fail_memory(err);
  return keep_made(f, &p->file, err);
}

// `row_hash`: the sum over the rows, with the columns of the partition.
static wh_status write_rows(wh_dataset_files *f, part *p, const wh_batch *rows, uint64_t row_hash,
                            wh_error *err) {
  if (!p->upload) WH_TRY(begin_file(f, p, err));
  WH_TRY(wh_hashed_upload_write(p->upload, rows, err));
  p->file.rows += rows->rows;
  p->file.row_hash += row_hash;
  return wh_hashed_upload_bytes(p->upload) >= f->shape->file_bytes ? end_file(f, p, err) : WH_OK;
}

static wh_status flush(wh_dataset_files *f, part *p, wh_error *err) {
  if (p->pending.rows == 0) return WH_OK;
  WH_TRY(write_rows(f, p, &p->pending, 0, err));
  wh_batch_reset(&p->pending);
  return WH_OK;
}

static wh_status row_added(wh_dataset_files *f, part *p, uint64_t row_hash, wh_error *err) {
  wh_batch_row_end(&p->pending);
  if (!p->upload) WH_TRY(begin_file(f, p, err));
  p->file.row_hash += row_hash;
  return wh_batch_full(&p->pending, PENDING_ROWS, PENDING_BYTES) ? flush(f, p, err) : WH_OK;
}

// --- partitions ----------------------------------------------------------------------------------

static wh_status open_part(wh_dataset_files *f, wh_str partition, part **ret, wh_error *err) {
  part *p = &f->parts[f->part_count];
  *p = (part){0};
  wh_buf_init(&p->key, f->engine->mem, 0);
  f->part_count++;
  wh_buf_add_str(&p->key, partition);
  WH_TRY(wh_buf_check(&p->key, err));
  p->partition = wh_buf_str(&p->key);
  *ret = p;
  return wh_batch_init(&p->pending, f->engine->mem, &f->file_schema, err);
}

static void close_part(part *p) {
  wh_hashed_upload_close(p->upload);
  wh_batch_free(&p->pending);
  wh_buf_free(&p->key);
}

// NULL: none is open, and there is room for no other.
static wh_status find_part(wh_dataset_files *f, wh_str partition, part **ret, wh_error *err) {
  *ret = NULL;
  for (size_t i = 0; i < f->part_count; i++) {
    size_t at = (f->last + i) % f->part_count; // rows of one partition come together
    if (!wh_str_eq(f->parts[at].partition, partition)) continue;
    f->last = at;
    *ret = &f->parts[at];
    return WH_OK;
  }
  return f->part_count < f->part_max ? open_part(f, partition, ret, err) : WH_OK;
}

static wh_status end_parts(wh_dataset_files *f, wh_error *err) {
  for (size_t i = 0; i < f->part_count; i++) {
    WH_TRY(flush(f, &f->parts[i], err));
    WH_TRY(end_file(f, &f->parts[i], err));
  }
  for (size_t i = 0; i < f->part_count; i++)
    close_part(&f->parts[i]);
  f->part_count = f->last = 0;
  return WH_OK;
}

// --- rows that wait ------------------------------------------------------------------------------

// What a row is sorted by: first those of one partition are together, then come the columns of
// sort_by, NULL before all others, and last its number, so that equal rows stay two.
static wh_status add_sort_key(wh_dataset_files *f, const wh_batch *batch, size_t row,
                              wh_error *err) {
  wh_buf_clear(&f->record);
  wh_buf_add_str(&f->record, wh_buf_str(&f->key));
  for (size_t i = 0; i < f->shape->sort_by.count; i++) {
    const wh_column *column = &batch->columns[f->sort_columns[i]];
    bool is_null = wh_column_is_null(column, row);
    wh_buf_add_char(&f->record, !is_null);
    if (!is_null) wh_key_bytes_add(column, row, &f->record);
  }
  uint64_t number = ++f->waiting;
  for (int shift = 56; shift >= 0; shift -= 8)
    wh_buf_add_char(&f->record, (char)(number >> shift));
  return wh_buf_check(&f->record, err);
}

static wh_status put_aside(wh_dataset_files *f, const wh_batch *batch, size_t row, uint64_t hash,
                           wh_error *err) {
  WH_TRY(add_sort_key(f, batch, row, err));
  uint32_t ends[2] = {(uint32_t)f->key.len, (uint32_t)f->record.len};
  wh_buf_add(&f->record, &hash, sizeof hash);
  for (size_t i = 0; i < f->file_schema.count; i++)
    wh_row_bytes_add(&batch->columns[f->file_columns[i]], row, false, &f->record);
  wh_buf_add(&f->record, ends, sizeof ends);
  WH_TRY(wh_buf_check(&f->record, err));
  if (f->record.len > WH_SORTER_RECORD_MAX)
    return wh_fail(err, WH_ERR_LIMIT,
                   "a row of %zu bytes is larger than one that can wait for its file: %d. Take "
                   "fewer partitions, or no sort_by",
                   f->record.len, (int)WH_SORTER_RECORD_MAX);
  return wh_sorter_add(f->sorter, wh_buf_str(&f->record), err);
}

static wh_status take_record(wh_dataset_files *f, wh_str record, part **current, wh_error *err) {
  uint32_t ends[2];
  uint64_t hash;
  memcpy(ends, record.data + record.len - RECORD_ENDS, sizeof ends);
  wh_str partition = wh_str_sub(record, 0, ends[0]);
  wh_str row = wh_str_sub(record, ends[1], record.len - RECORD_ENDS);
  memcpy(&hash, row.data, sizeof hash);
  row = wh_str_sub(row, sizeof hash, row.len);
  if (!*current || !wh_str_eq((*current)->partition, partition)) {
    WH_TRY(end_parts(f, err));
    WH_TRY(open_part(f, partition, current, err));
  }
  for (size_t i = 0; i < f->file_schema.count; i++)
    WH_TRY(wh_row_bytes_read(&(*current)->pending.columns[i], &row, err));
  return row_added(f, *current, hash, err);
}

static wh_status take_all(wh_dataset_files *f, wh_error *err) {
  part *current = NULL;
  for (;;) {
    wh_str record;
    wh_status status = wh_sorter_next(f->sorter, &record, err);
    if (status == WH_ERR_END) return WH_OK;
    WH_TRY(status);
    WH_TRY(take_record(f, record, &current, err));
  }
}

// --- outside -------------------------------------------------------------------------------------

static wh_status add_row(wh_dataset_files *f, const wh_batch *batch, size_t row, wh_error *err) {
  wh_buf_clear(&f->key);
  for (size_t i = 0; i < f->partition_schema.count; i++)
    wh_row_bytes_add(&batch->columns[f->partition_columns[i]], row, true, &f->key);
  WH_TRY(wh_buf_check(&f->key, err));
  uint64_t hash = wh_row_hash(batch, row);
  part *p = NULL;
  if (!f->shape->sort_by.count) WH_TRY(find_part(f, wh_buf_str(&f->key), &p, err));
  if (!p) return put_aside(f, batch, row, hash, err);
  for (size_t i = 0; i < f->file_schema.count; i++)
    WH_TRY(
        wh_column_add_from(&p->pending.columns[i], &batch->columns[f->file_columns[i]], row, err));
  return row_added(f, p, hash, err);
}

wh_status wh_dataset_files_add(wh_dataset_files *f, const wh_batch *batch, wh_error *err) {
  if (batch->rows == 0) return WH_OK;
  if (f->shape->sort_by.count || f->partition_schema.count) {
    for (size_t row = 0; row < batch->rows; row++)
      WH_TRY(add_row(f, batch, row, err));
    return WH_OK;
  }
  part *p;
  WH_TRY(find_part(f, (wh_str){0}, &p, err));
  return write_rows(f, p, batch, wh_batch_hash_sum(batch), err);
}

wh_status wh_dataset_files_finish(wh_dataset_files *f, const wh_dataset_file **ret,
                                  size_t *ret_count, wh_error *err) {
  WH_TRY(end_parts(f, err));
  if (f->waiting) WH_TRY(take_all(f, err));
  WH_TRY(end_parts(f, err));
  *ret = f->made;
  *ret_count = f->made_count;
  return WH_OK;
}

static wh_status find_column(const wh_dataset_shape *shape, const char *word, wh_str name,
                             size_t *ret, wh_error *err) {
  ptrdiff_t at = wh_schema_find(&shape->schema, name);
  if (at < 0)
    return wh_fail(err, WH_ERR_USAGE, "%s: no column '%.*s' arrives", word, WH_STR_ARG(name));
  *ret = (size_t)at;
  return WH_OK;
}

static wh_status refuse_type(const wh_dataset_files *f, const char *word, const wh_field *field,
                             wh_error *err) {
  wh_str type = wh_type_friendly(&field->type, f->arena);
  return wh_fail(err, WH_ERR_USAGE, "%s: the column %.*s is a %.*s, which cannot be that", word,
                 WH_STR_ARG(field->name), WH_STR_ARG(type));
}

// What has one text that others read the same way.
static bool can_be_partition(wh_kind kind) {
  return wh_kind_is_int(kind) || kind == WH_BOOL || kind == WH_STRING || kind == WH_DATE ||
         kind == WH_TIMESTAMP || kind == WH_DECIMAL;
}

static wh_status choose_columns(wh_dataset_files *f, wh_error *err) {
  const wh_dataset_shape *shape = f->shape;
  size_t all = shape->schema.count, count = shape->partition_by.count;
  wh_field *partition = WH_NEW_ARRAY(&f->own, count + 1, wh_field);
  wh_field *fields = WH_NEW_ARRAY(&f->own, all + 1, wh_field);
  size_t *columns = WH_NEW_ARRAY(&f->own, all + 1, size_t);
  bool *taken = WH_NEW_ARRAY(&f->own, all + 1, bool);
  if (!partition || !fields || !columns || !taken) return wh_fail_memory(err);
  memset(taken, 0, all * sizeof *taken);
  for (size_t i = 0; i < count; i++) {
    size_t *at = &f->partition_columns[i];
    WH_TRY(find_column(shape, "partition_by", shape->partition_by.items[i], at, err));
    partition[i] = shape->schema.fields[*at];
    if (!can_be_partition(partition[i].type.kind))
      return refuse_type(f, "partition_by", &partition[i], err);
    taken[*at] = true;
  }
  size_t kept = 0;
  for (size_t i = 0; i < all; i++) {
    if (taken[i]) continue;
    fields[kept] = shape->schema.fields[i];
    columns[kept++] = i;
  }
  if (kept == 0) return wh_fail(err, WH_ERR_USAGE, "partition_by: leaves no column for the files");
  f->partition_schema = (wh_schema){.count = count, .fields = partition};
  f->file_schema = (wh_schema){.count = kept, .fields = fields};
  f->file_columns = columns;
  return wh_batch_init(&f->partition, f->engine->mem, &f->partition_schema, err);
}

static wh_status choose_sorting(wh_dataset_files *f, wh_error *err) {
  const wh_str_list *by = &f->shape->sort_by;
  size_t *columns = WH_NEW_ARRAY(&f->own, by->count + 1, size_t);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < by->count; i++) {
    WH_TRY(find_column(f->shape, "sort_by", by->items[i], &columns[i], err));
    const wh_field *field = &f->shape->schema.fields[columns[i]];
    if (!wh_key_bytes_can(&field->type)) return refuse_type(f, "sort_by", field, err);
  }
  f->sort_columns = columns;
  const wh_config *config = f->engine->config;
  wh_str scratch = wh_arena_printf(&f->own, "%.*s/scratch", WH_STR_ARG(config->state_folder));
  if (!scratch.data) return wh_fail_memory(err);
  return wh_sorter_open(f->engine->os, f->engine->mem, scratch,
                        (size_t)config->memory_bytes / SORTER_SHARE_OF_MEMORY, &f->sorter, err);
}

static wh_status begin(wh_dataset_files *f, wh_error *err) {
  size_t most = (size_t)f->engine->config->memory_bytes / WH_DATASET_OPEN_MEMORY;
  if (f->c->type->reserve_bytes) most = 1; // an upload's parts are a large share of it already
  f->part_max = most < 1 ? 1 : most > WH_DATASET_OPEN_MAX ? WH_DATASET_OPEN_MAX : most;
  f->parts = WH_NEW_ARRAY(&f->own, f->part_max, part);
  if (!f->parts) return wh_fail_memory(err);
  WH_TRY(choose_columns(f, err));
  size_t memory = (size_t)f->engine->config->memory_bytes;
  f->encoding = (wh_encoding){.codec = f->shape->format.codec,
                              .options = f->shape->format.options,
                              .schema = &f->file_schema,
                              .context = {.os = f->engine->os,
                                          .mem = f->engine->mem,
                                          .row_limit_bytes = memory / WH_ROW_SHARE_OF_MEMORY,
                                          .part_bytes = memory / (4 * f->part_max),
                                          .threads = 1}};
  f->put = (wh_put_options){.replace = true}; // what an earlier attempt of the run may have left
  return choose_sorting(f, err);
}

wh_status wh_dataset_files_open(wh_engine *engine, wh_connection *c, const wh_dataset_shape *shape,
                                wh_arena *arena, wh_dataset_files **ret, wh_error *err) {
  wh_dataset_files *f = wh_mem_alloc_zero(engine->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->engine = engine;
  f->c = c;
  f->shape = shape;
  f->arena = arena;
  f->number = shape->numbered;
  wh_arena_init(&f->own, engine->mem);
  wh_buf_init(&f->record, engine->mem, 0);
  wh_buf_init(&f->key, engine->mem, 0);
  wh_status status = begin(f, err);
  if (status == WH_OK)
    *ret = f;
  else
    wh_dataset_files_close(f);
  return status;
}

void wh_dataset_files_close(wh_dataset_files *f) {
  if (!f) return;
  for (size_t i = 0; i < f->part_count; i++)
    close_part(&f->parts[i]);
  wh_sorter_close(f->sorter);
  wh_batch_free(&f->partition);
  wh_buf_free(&f->record);
  wh_buf_free(&f->key);
  wh_arena_free(&f->own);
  wh_mem_free(f->engine->mem, f, sizeof *f);
}
