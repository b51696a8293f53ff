#include "ledger/dataset.h"

#include "data/temporal.h"
#include "ledger/ledger.h"
#include "ledger/members.h"
#include "ledger/schema_json.h"

#include <inttypes.h>

static const char *const operations[] = {[WH_DATASET_APPEND] = "append",
                                         [WH_DATASET_REPLACE] = "replace",
                                         [WH_DATASET_COMPACT] = "compact",
                                         [WH_DATASET_ROLLBACK] = "rollback"};
enum { OPERATIONS = sizeof operations / sizeof *operations };

const char *wh_dataset_operation_name(wh_dataset_operation operation) {
  return operations[operation];
}

// --- keys ----------------------------------------------------------------------------------------

wh_str wh_dataset_key(wh_str prefix, uint64_t version, wh_arena *arena) {
  return wh_arena_printf(arena, "%.*s" WH_DATASET_VERSIONS "%0*" PRIu64 ".json", WH_STR_ARG(prefix),
                         WH_DATASET_VERSION_DIGITS, version);
}

uint64_t wh_dataset_key_version(wh_str prefix, wh_str key) {
  const size_t folder = prefix.len + strlen(WH_DATASET_VERSIONS);
  uint64_t version;
  bool fits = key.len == folder + WH_DATASET_VERSION_DIGITS + strlen(".json") &&
              wh_str_eq(wh_str_sub(key, 0, prefix.len), prefix) &&
              wh_str_is(wh_str_sub(key, prefix.len, folder), WH_DATASET_VERSIONS) &&
              wh_str_ends(key, ".json") &&
              wh_str_to_u64(wh_str_sub(key, folder, folder + WH_DATASET_VERSION_DIGITS), &version);
  return fits ? version : 0;
}

// --- writing -------------------------------------------------------------------------------------

static void add_texts(wh_buf *out, const char *name, const wh_str *items, size_t count) {
  wh_buf_printf(out, ",\"%s\":[", name);
  for (size_t i = 0; i < count; i++) {
    if (i) wh_buf_add_char(out, ',');
    if (items[i].data)
      wh_buf_add_json(out, items[i]);
    else
      wh_buf_add_c(out, "null");
  }
  wh_buf_add_char(out, ']');
}

static void add_numbers(wh_buf *out, uint64_t rows, uint64_t bytes, uint64_t row_hash) {
  wh_buf_printf(out, ",\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"row_hash\":\"%016" PRIx64 "\"",
                rows, bytes, row_hash);
}

static void add_file(wh_buf *out, const wh_dataset_index *index, const wh_dataset_file *file) {
  wh_buf_add_c(out, "{\"path\":");
  wh_buf_add_json(out, file->path);
  add_texts(out, "partition", file->partition, index->partition_by.count);
  if (file->sorted_by.count)
    add_texts(out, "sorted_by", file->sorted_by.items, file->sorted_by.count);
  add_numbers(out, file->rows, file->bytes, file->row_hash);
  wh_buf_add_c(out, ",\"sha256\":");
  wh_buf_add_json(out, file->sha256);
  wh_buf_add_char(out, '}');
}

static void add_origin(wh_buf *out, const wh_dataset_origin *origin) {
  wh_buf_add_c(out, ",\"origin\":{\"model\":");
  wh_buf_add_json(out, origin->model);
  wh_buf_add_c(out, ",\"sources\":[");
  for (size_t i = 0; i < origin->count; i++) {
    wh_buf_add_c(out, i ? ",{\"address\":" : "{\"address\":");
    wh_buf_add_json(out, origin->sources[i].address);
    wh_buf_printf(out, ",\"version\":%" PRIu64 ",\"object\":", origin->sources[i].version);
    wh_buf_add_json(out, origin->sources[i].object);
    wh_buf_add_char(out, '}');
  }
  wh_buf_add_c(out, "]}");
}

bool wh_dataset_write(const wh_dataset_index *index, wh_buf *out) {
  uint64_t rows = 0, bytes = 0, row_hash = 0;
  for (size_t i = 0; i < index->file_count; i++) {
    rows += index->files[i].rows;
    bytes += index->files[i].bytes;
    row_hash += index->files[i].row_hash;
  }
  wh_buf_printf(out, "{\"dataset\":%d,\"version\":%" PRIu64 ",\"operation\":\"%s\",\"of\":%" PRIu64,
                WH_DATASET_VERSION, index->version, operations[index->operation], index->of);
  wh_buf_add_c(out, ",\"run\":");
  wh_buf_add_json(out, index->run);
  wh_buf_add_c(out, ",\"pipeline\":");
  wh_buf_add_json(out, index->pipeline);
  wh_buf_printf(out, ",\"order\":%" PRId64 ",\"source_order\":%" PRId64 ",\"created\":\"",
                index->order, index->source_order);
  (void)wh_iso_write_timestamp(index->created_us, WH_UNIT_US, true, out);
  wh_buf_add_c(out, "\",\"format\":");
  wh_buf_add_json(out, index->format);
  add_numbers(out, rows, bytes, row_hash);
  add_texts(out, "partition_by", index->partition_by.items, index->partition_by.count);
  wh_buf_add_c(out, ",\"schema\":");
  (void)wh_schema_write_json(&index->schema, out);
  if (index->origin.model.len) add_origin(out, &index->origin);
  wh_buf_add_c(out, ",\"files\":[");
  for (size_t i = 0; i < index->file_count; i++) {
    wh_buf_add_c(out, i ? ",\n" : "\n");
    add_file(out, index, &index->files[i]);
  }
  wh_buf_add_c(out, "]}\n");
  return !out->failed;
}

// --- parsing -------------------------------------------------------------------------------------

static wh_status read_operation(const wh_members *m, wh_dataset_operation *ret) {
  wh_str name = wh_json_text(m->root, "operation");
  for (int i = 0; i < OPERATIONS; i++) {
    if (!wh_str_is(name, operations[i])) continue;
    *ret = (wh_dataset_operation)i;
    return WH_OK;
  }
  return wh_member_fail(m, "operation", "none that there is");
}

// A list of texts, of which those may be null that `nulls` allows; it may be missing.
static wh_status read_texts(const wh_members *m, const char *name, bool nulls, wh_str_list *ret) {
  const json_t *list = json_object_get(m->root, name);
  *ret = (wh_str_list){0};
  if (!list) return WH_OK;
  size_t count = json_array_size(list);
  if (!json_is_array(list) || count > WH_COLUMNS_MAX) return wh_member_fail(m, name, "not a list");
  ret->items = WH_NEW_ARRAY(m->arena, count ? count : 1, wh_str);
  if (!ret->items) return wh_fail_memory(m->err);
  ret->count = count;
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_array_get(list, i);
    ret->items[i] = (wh_str){0};
    if (nulls && json_is_null(item)) continue;
    if (!json_is_string(item)) return wh_member_fail(m, name, "not a list of texts");
    wh_str text = wh_str_n(json_string_value(item), json_string_length(item));
    WH_TRY(wh_member_copy(m, text, &ret->items[i]));
  }
  return WH_OK;
}

static wh_status read_sums(const wh_members *m, uint64_t *ret_rows, uint64_t *ret_bytes,
                           uint64_t *ret_hash) {
  WH_TRY(wh_member_count(m, "rows", INT64_MAX, ret_rows));
  WH_TRY(wh_member_count(m, "bytes", INT64_MAX, ret_bytes));
  return wh_member_hash(m, "row_hash", ret_hash);
}

static wh_status read_file(const wh_members *m, const wh_dataset_index *index,
                           wh_dataset_file *file) {
  wh_str_list partition;
  WH_TRY(wh_member_text(m, "path", &file->path));
  if (wh_key_check(file->path, NULL) != WH_OK) return wh_member_fail(m, "path", "no key");
  WH_TRY(read_texts(m, "partition", true, &partition));
  if (partition.count != index->partition_by.count)
    return wh_member_fail(m, "partition", "not a value for each of partition_by");
  file->partition = partition.items;
  WH_TRY(read_texts(m, "sorted_by", false, &file->sorted_by));
  WH_TRY(read_sums(m, &file->rows, &file->bytes, &file->row_hash));
  return wh_member_sha256(m, "sha256", &file->sha256);
}

static wh_status read_files(const wh_members *m, wh_dataset_index *index) {
  const json_t *list = json_object_get(m->root, "files");
  size_t count = json_array_size(list);
  if (!json_is_array(list)) return wh_member_fail(m, "files", "not a list");
  if (count > WH_DATASET_FILES_MAX)
    return wh_fail(m->err, WH_ERR_LIMIT, "the dataset has more than %d files",
                   (int)WH_DATASET_FILES_MAX);
  wh_dataset_file *files = WH_NEW_ARRAY(m->arena, count ? count : 1, wh_dataset_file);
  if (!files) return wh_fail_memory(m->err);
  uint64_t rows = 0, bytes = 0, row_hash = 0;
  for (size_t i = 0; i < count; i++) {
    wh_members file = {json_array_get(list, i), m->arena, "the dataset's file", m->err};
    files[i] = (wh_dataset_file){0};
    WH_TRY(read_file(&file, index, &files[i]));
    rows += files[i].rows;
    bytes += files[i].bytes;
    row_hash += files[i].row_hash;
  }
  index->files = files;
  index->file_count = count;
  if (rows == index->rows && bytes == index->bytes && row_hash == index->row_hash) return WH_OK;
  return wh_member_fail(m, "files", "not what its rows, bytes and row_hash add up to");
}

static wh_status read_partition_by(const wh_members *m, wh_dataset_index *index) {
  WH_TRY(read_texts(m, "partition_by", false, &index->partition_by));
  const wh_str_list *by = &index->partition_by;
  if (by->count > WH_DATASET_PARTITION_MAX)
    return wh_member_fail(m, "partition_by", "longer than a partition's columns can be");
  for (size_t i = 0; i < by->count; i++) {
    if (wh_schema_find(&index->schema, by->items[i]) < 0)
      return wh_member_fail(m, "partition_by", "not columns of its schema");
  }
  return WH_OK;
}

static wh_status read_sources(const wh_members *m, wh_dataset_origin *ret) {
  const json_t *list = json_object_get(m->root, "sources");
  size_t count = json_array_size(list);
  if (!json_is_array(list) || count > WH_DATASET_SOURCES_MAX)
    return wh_member_fail(m, "sources", "not a list that it can have");
  wh_dataset_source_version *sources = WH_NEW_ARRAY(m->arena, count + 1, wh_dataset_source_version);
  if (!sources) return wh_fail_memory(m->err);
  for (size_t i = 0; i < count; i++) {
    wh_members each = {json_array_get(list, i), m->arena, "the dataset's source", m->err};
    WH_TRY(wh_member_text(&each, "address", &sources[i].address));
    WH_TRY(wh_member_count(&each, "version", INT64_MAX, &sources[i].version));
    WH_TRY(wh_member_text(&each, "object", &sources[i].object));
  }
  ret->sources = sources;
  ret->count = count;
  return WH_OK;
}

static wh_status read_origin(const wh_members *m, wh_dataset_origin *ret) {
  const json_t *origin = json_object_get(m->root, "origin");
  *ret = (wh_dataset_origin){0};
  if (!origin) return WH_OK;
  wh_members members = {origin, m->arena, "the dataset's origin", m->err};
  WH_TRY(wh_member_sha256(&members, "model", &ret->model));
  return read_sources(&members, ret);
}

static wh_status read_index(const wh_members *m, wh_dataset_index *index) {
  WH_TRY(wh_member_form(m, "dataset", WH_DATASET_VERSION));
  WH_TRY(wh_member_count(m, "version", INT64_MAX, &index->version));
  WH_TRY(read_operation(m, &index->operation));
  WH_TRY(wh_member_count(m, "of", INT64_MAX, &index->of));
  WH_TRY(wh_member_text(m, "run", &index->run));
  WH_TRY(wh_member_text(m, "pipeline", &index->pipeline));
  WH_TRY(wh_member_number(m, "order", WH_ORDER_MAX, &index->order));
  WH_TRY(wh_member_number(m, "source_order", WH_ORDER_MAX, &index->source_order));
  WH_TRY(wh_member_instant(m, "created", &index->created_us));
  WH_TRY(wh_member_text(m, "format", &index->format));
  WH_TRY(read_sums(m, &index->rows, &index->bytes, &index->row_hash));
  const json_t *schema = json_object_get(m->root, "schema");
  if (!schema) return wh_member_fail(m, "schema", "");
  wh_status status = wh_schema_of_json(schema, m->arena, &index->schema, m->err);
  if (status != WH_OK) wh_error_prefix(m->err, "the dataset's index: ");
  WH_TRY(status);
  WH_TRY(read_partition_by(m, index));
  WH_TRY(read_origin(m, &index->origin));
  return read_files(m, index);
}

wh_status wh_dataset_parse(wh_str json, wh_arena *arena, wh_dataset_index *ret, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(json, WH_DATASET_INDEX_BYTES_MAX, "the dataset's index", &root, err));
  if (!json_is_object(root))
    return wh_fail(err, WH_ERR_DATA, "the dataset's index is not an object");
  wh_members members = {root, arena, "the dataset's index", err};
  wh_dataset_index index = {0};
  WH_TRY(read_index(&members, &index));
  *ret = index;
  return WH_OK;
}
