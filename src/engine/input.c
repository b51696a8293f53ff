#include "engine/input.h"

#include "connect/sealed_store.h"
#include "data/deleted.h"
#include "engine/archive.h"
#include "engine/dataset.h"
#include "engine/deletes.h"
#include "engine/lanes.h"
#include "engine/model.h"
#include "engine/shared.h"

wh_status wh_input_connect(wh_engine *engine, const wh_address *address, wh_connection **ret,
                           bool *ret_is_rows, wh_error *err) {
  WH_TRY(wh_config_connect(engine->config, address->connection, ret, err));
  *ret_is_rows = (*ret)->type->store == NULL;
  return WH_OK;
}

// --- which columns are fetched -----------------------------------------------------------------

static bool is_needed(const wh_run_input *in, wh_str column) {
  const wh_pipeline *p = in->pipeline;
  if (p->gate.all || wh_str_eq(p->read.cursor, column)) return true;
  if (in->info.tells_deleted && wh_str_is(column, WH_DELETED_COLUMN)) return true;
  for (size_t i = 0; i < p->gate.count; i++) {
    if (wh_str_eq(p->gate.columns[i].from, column)) return true;
  }
  return wh_node_mentions(p->steps, column); // how a step names a column
}

// All words in a tree of options, behind those that are in `words`; NULL: only counts them.
static size_t words_of(const wh_node *node, wh_str *words, size_t count) {
  if (!node) return count;
  if (node->kind == WH_NODE_SCALAR) {
    if (words) words[count] = node->text;
    return count + 1;
  }
  for (size_t i = 0; i < node->count; i++) {
    bool map = node->kind == WH_NODE_MAP;
    if (map) count = words_of(node->entries[i].key, words, count);
    count = words_of(map ? node->entries[i].value : node->items[i], words, count);
  }
  return count;
}

// The columns that an object's reader has to give of a pipeline's table, as far as they can be
// known before it is opened: those that cross, and whatever a step may name. NULL: all.
static wh_status wanted_of(const wh_pipeline *p, wh_arena *arena, const wh_str **ret,
                           size_t *ret_count, wh_error *err) {
  *ret = NULL;
  *ret_count = 0;
  if (p->gate.all) return WH_OK;
  size_t count = p->gate.count + words_of(p->steps, NULL, 0);
  wh_str *wanted = WH_NEW_ARRAY(arena, count + 1, wh_str);
  if (!wanted) return wh_fail_memory(err);
  for (size_t i = 0; i < p->gate.count; i++)
    wanted[i] = p->gate.columns[i].from;
  count = words_of(p->steps, wanted, p->gate.count);
  wanted[count++] = WH_STR(WH_DELETED_COLUMN);
  *ret = wanted;
  *ret_count = count;
  return WH_OK;
}

static wh_status choose_wanted(wh_run_input *in, wh_error *err) {
  if (in->tells_rows) return WH_OK; // the manifest's hash is of all
  return wanted_of(in->pipeline, in->arena, &in->wanted, &in->wanted_count, err);
}

// Keeps of the source's schema what is needed, in `fetched` and the query.
static wh_status choose_columns(wh_run_input *in, wh_error *err) {
  const wh_schema *all = &in->info.schema;
  wh_field *fields = WH_NEW_ARRAY(in->arena, all->count, wh_field);
  wh_str *names = WH_NEW_ARRAY(in->arena, all->count, wh_str);
  if (!fields || !names) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < all->count; i++) {
    if (!is_needed(in, all->fields[i].name)) continue;
    fields[count] = all->fields[i];
    names[count++] = all->fields[i].name;
  }
  in->fetched = (wh_schema){.count = count, .fields = fields};
  in->query.columns = names;
  in->query.column_count = count;
  if (count == 0) {
    return wh_node_fail(in->pipeline->node, err,
                        "pipeline %.*s: none of its columns is in the source",
                        WH_STR_ARG(in->pipeline->name));
  }
  return WH_OK;
}

// Where the source had no value to tell a type by, the type is what an earlier run saw: a table
// that happens to be empty today keeps its types.
static wh_status use_earlier_types(wh_run_input *in, wh_error *err) {
  if (!in->info.guessed) return WH_OK;
  bool found;
  wh_schema earlier;
  wh_ledger *ledger = in->engine->ledger;
  WH_TRY(ledger->type->pinned(ledger, in->pipeline->name, in->arena, &found, &earlier, err));
  if (!found) return WH_OK;
  size_t count = in->info.schema.count;
  wh_field *fields = WH_NEW_ARRAY(in->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    fields[i] = in->info.schema.fields[i];
    ptrdiff_t at = wh_schema_find(&earlier, fields[i].name);
    if (at >= 0 && in->info.guessed[i]) fields[i].type = earlier.fields[at].type;
  }
  in->info.schema.fields = fields;
  return WH_OK;
}

static wh_status check_cursor(wh_run_input *in, wh_error *err) {
  const wh_pipeline *p = in->pipeline;
  if (p->read.cursor.len == 0) return WH_OK;
  ptrdiff_t at = wh_schema_find(&in->info.schema, p->read.cursor);
  if (at < 0) {
    return wh_node_fail(p->node, err, "pipeline %.*s: the source has no column '%.*s' for a cursor",
                        WH_STR_ARG(p->name), WH_STR_ARG(p->read.cursor));
  }
  const wh_type *type = &in->info.schema.fields[at].type;
  if (type->kind != WH_TIMESTAMP && type->kind != WH_DATE && !wh_kind_is_int(type->kind)) {
    wh_str name = wh_type_friendly(type, in->arena);
    return wh_node_fail(p->node, err,
                        "pipeline %.*s: the cursor %.*s is a %.*s; a cursor must be a time or a "
                        "whole number",
                        WH_STR_ARG(p->name), WH_STR_ARG(p->read.cursor), WH_STR_ARG(name));
  }
  return WH_OK;
}

// A table takes each batch with a few statements, whose cost large batches share.
static void choose_batch(const wh_run_input *in, size_t *ret_rows, size_t *ret_bytes) {
  enum { SHARE_OF_MEMORY = 32, BYTES_MAX = 8 << 20, ROWS = 32768 };
  const wh_config *config = in->engine->config;
  wh_str to = in->pipeline->to.connection; // none where one file becomes another
  *ret_rows = (size_t)in->pipeline->batch_rows;
  *ret_bytes = 0;
  if (*ret_rows || !to.len) return;
  const wh_connector *type = wh_config_find_connection(config, to)->type;
  if (type->store) return;
  size_t share = (size_t)config->memory_bytes / SHARE_OF_MEMORY;
  *ret_rows = type->sink->batch_rows ? type->sink->batch_rows : ROWS;
  *ret_bytes = share < BYTES_MAX ? share : BYTES_MAX;
}

wh_status wh_input_describe(wh_engine *engine, const wh_pipeline *p, wh_arena *arena,
                            wh_run_input *ret, wh_error *err) {
  *ret = (wh_run_input){.engine = engine, .pipeline = p, .arena = arena, .is_rows = true};
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &p->from, &ret->connection, &is_rows, err));
  ret->query = (wh_source_query){.table = p->from.thing, .cursor = p->read.cursor};
  choose_batch(ret, &ret->query.batch_rows, &ret->query.batch_bytes);
  WH_TRY(wh_config_query(engine->config, p, arena, &ret->query.query, err));
  if (p->model) {
    WH_TRY(wh_model_open(engine, p, &ret->model, err));
    ret->query.tables = &ret->model->base;
  }
  WH_TRY(ret->connection->type->source->describe(ret->connection, &ret->query, arena, &ret->info,
                                                 err));
  ret->rows_total = ret->info.rows_estimate;
  WH_TRY(use_earlier_types(ret, err));
  WH_TRY(check_cursor(ret, err));
  return choose_columns(ret, err);
}

// --- databases ---------------------------------------------------------------------------------

// A wall-clock cursor is compared with the source's clock in the zone that the pipeline names.
static wh_status local_clock(wh_run_input *in, const wh_type *type, int64_t *clock_us,
                             wh_error *err) {
  if (type->kind != WH_TIMESTAMP || type->zoned) return WH_OK;
  wh_str name = in->pipeline->read.timezone;
  if (name.len == 0) return WH_OK; // taken as UTC; `plan` says so
  const wh_zone *zone;
  WH_TRY(wh_zone_open(in->engine->os, name, in->arena, &zone, err));
  int64_t second = *clock_us / 1000000;
  *clock_us += (int64_t)wh_zone_offset_at(zone, second) * 1000000;
  return WH_OK;
}

// When clocks go back an hour of wall-clock time comes twice: reading an hour more than the overlap
// costs little and loses nothing.
static int64_t overlap_of(const wh_pipeline *p, const wh_type *type) {
  int64_t overlap = p->read.overlap_us;
  if (type->kind == WH_TIMESTAMP && !type->zoned && p->read.timezone.len) {
    overlap += 3600ll * 1000000;
  }
  return wh_kind_is_int(type->kind) ? 0 : overlap;
}

// `--since`, as if the cursor stood there.
static wh_status since_value(const wh_pipeline *p, const wh_type *type, int64_t since_us,
                             wh_cursor *ret, wh_error *err) {
  int64_t day = 86400ll * 1000000;
  *ret = (wh_cursor){.found = true, .last = {.type = *type}};
  if (type->kind == WH_DATE) {
    ret->last.as.i = since_us / day - (since_us % day < 0);
    return WH_OK;
  }
  if (type->kind != WH_TIMESTAMP) {
    return wh_fail(err, WH_ERR_USAGE, "--since takes a time, but the cursor %.*s is a number",
                   WH_STR_ARG(p->read.cursor));
  }
  int64_t second = since_us / 1000000 - (since_us % 1000000 < 0);
  if (!wh_unit_convert(since_us, WH_UNIT_US, type->unit, &ret->last.as.i) &&
      !wh_unit_convert(second, WH_UNIT_S, type->unit, &ret->last.as.i)) {
    return wh_fail(err, WH_ERR_USAGE, "--since is out of range");
  }
  return WH_OK;
}

static wh_status set_range(wh_run_input *in, const wh_run_options *options, wh_error *err) {
  const wh_pipeline *p = in->pipeline;
  wh_source_query *q = &in->query;
  q->limit_rows = options->limit_rows;
  if (p->read.cursor.len == 0) return WH_OK;
  in->has_cursor = true;
  const wh_source_type *source = in->connection->type->source;
  wh_ledger *ledger = in->engine->ledger;
  WH_TRY(ledger->type->cursor(ledger, p->name, in->arena, &in->previous, err));
  if (options->full) in->previous.found = false;
  bool is_exact = in->info.cursor_kind == WH_CURSOR_EXACT;
  if (is_exact && in->previous.found && !in->previous.last.is_null) {
    q->has_from = true;
    q->from = in->previous.last;
  }
  WH_TRY(source->bound(in->connection, q, in->arena, &in->bound, err));
  ptrdiff_t at = wh_schema_find(&in->info.schema, p->read.cursor);
  const wh_type *type = &in->info.schema.fields[at].type;
  int64_t clock = in->bound.clock_us;
  WH_TRY(local_clock(in, type, &clock, err));
  int64_t overlap = overlap_of(p, type);
  if (is_exact) {
    q->has_to = in->bound.has_to;
    q->to = in->bound.to;
    overlap = 0;
  }
  if (options->has_since) {
    wh_value stored = in->previous.last;
    bool has_stored = in->previous.found && !stored.is_null;
    WH_TRY(since_value(p, type, options->since_us, &in->previous, err));
    q->has_from = true;
    q->from = in->previous.last;
    in->skips = has_stored && wh_value_compare(&q->from, &stored) > 0;
  } else if (in->previous.found && !in->previous.last.is_null) {
    q->has_from = true;
    WH_TRY(wh_window_start(&in->previous.last, clock, overlap, &q->from, err));
  }
  wh_window_init(&in->window, in->engine->mem);
  in->window.cursor = p->read.cursor;
  in->window.overlap = overlap;
  in->window.clock = wh_kind_is_int(type->kind) ? INT64_MAX : clock;
  in->window.clock_us = in->bound.clock_us;
  if (type->kind == WH_DATE) in->window.step = 86400ll * 1000000;
  if (type->kind == WH_TIMESTAMP) in->window.step = 1000000 / wh_unit_per_second(type->unit);
  if (in->previous.found && !options->has_since) {
    in->window.known = in->previous.window;
    in->window.known_count = in->previous.window_count;
  }
  return WH_OK;
}

wh_status wh_input_ranges_key(const wh_run_input *in, const wh_field **ret, wh_error *err) {
  const wh_pipeline *p = in->pipeline;
  ptrdiff_t at = in->info.key_count ? wh_schema_find(&in->info.schema, in->info.key[0]) : -1;
  if (at < 0)
    return wh_node_fail(p->node, err,
                        "pipeline %.*s: %.*s has no primary key, which read: ranges cuts",
                        WH_STR_ARG(p->name), WH_STR_ARG(p->from.thing));
  *ret = &in->info.schema.fields[at];
  return WH_OK;
}

// What is new since the last run is not worth several sessions, nor is a sample.
static bool wants_ranges(const wh_run_input *in) {
  return in->pipeline->read.ranges > 1 && !in->query.has_from && !in->query.limit_rows &&
         !in->engine->single_thread;
}

static wh_status open_ranges(wh_run_input *in, wh_error *err) {
  const wh_field *key;
  WH_TRY(wh_input_ranges_key(in, &key, err));
  in->ranges_key = key->name;
  return wh_range_reader_open(in->connection, &in->query, &in->fetched, key,
                              (size_t)in->pipeline->read.ranges, &in->ranges, &in->reader, err);
}

wh_status wh_input_open_rows(wh_engine *engine, const wh_pipeline *p, const wh_run_options *options,
                             wh_arena *arena, wh_run_input *ret, wh_error *err) {
  WH_TRY(wh_input_describe(engine, p, arena, ret, err));
  if (ret->model) WH_TRY(wh_model_scope_find(ret->model, options->full, err));
  WH_TRY(set_range(ret, options, err));
  if (ret->query.has_from) ret->rows_total = 0; // only a part of the table
  if (wants_ranges(ret) && p->read.shared && !engine->scratch_ledger)
    WH_TRY(wh_shared_open(ret, err));
  else if (wants_ranges(ret))
    WH_TRY(open_ranges(ret, err));
  else
    WH_TRY(ret->connection->type->source->open(ret->connection, &ret->query, &ret->fetched,
                                               &ret->reader, err));
  return p->read.deletes ? wh_deletes_open(ret, err) : WH_OK;
}

// --- objects -----------------------------------------------------------------------------------

// The bytes of an object, which the connection could decrypt if it had the key.
static wh_status open_stream(wh_connection *c, wh_str key, wh_str version, wh_input **ret,
                             wh_error *err) {
  WH_TRY(c->type->store->open(c, key, version, ret, err));
  if (wh_sealed_is(c) || !wh_sealed_looks_so(*ret)) return WH_OK;
  wh_input_close(*ret);
  *ret = NULL;
  return wh_fail(err, WH_ERR_DENIED,
                 "%.*s: %.*s: is encrypted, and the connection has no encryption_key",
                 WH_STR_ARG(c->name), WH_STR_ARG(key));
}

wh_status wh_input_read_small(wh_connection *c, wh_str key, size_t max, wh_arena *arena,
                              wh_str *ret, wh_error *err) {
  wh_input *in;
  WH_TRY(open_stream(c, key, (wh_str){0}, &in, err));
  wh_status status = WH_OK;
  if (in->size > max) {
    status = wh_fail(err, WH_ERR_LIMIT, "%.*s has more than %zu bytes", WH_STR_ARG(key), max);
  }
  size_t at = 0;
  char *data = status == WH_OK ? wh_arena_alloc(arena, (size_t)in->size + 1) : NULL;
  if (status == WH_OK && !data) status = wh_fail_memory(err);
  while (status == WH_OK && at < in->size) {
    size_t n;
    status = wh_input_read(in, data + at, (size_t)in->size - at, &n, err);
    if (status == WH_OK && n == 0) break;
    if (status == WH_OK) at += n;
  }
  wh_input_close(in);
  if (status == WH_OK) *ret = wh_str_n(data, at);
  return status;
}

wh_status wh_input_manifest(wh_connection *c, const wh_object *object, wh_arena *arena,
                            bool *ret_found, wh_manifest *ret, wh_error *err) {
  wh_str key = wh_manifest_key(object->key, arena);
  if (!key.data) return wh_fail_memory(err);
  wh_str text;
  wh_error inner = {0};
  wh_status status = wh_input_read_small(c, key, WH_MANIFEST_BYTES_MAX, arena, &text, &inner);
  *ret_found = false;
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  WH_TRY(wh_manifest_parse(text, arena, ret, err));
  // The manifest speaks of the bytes that Wherry published. A file that somebody else put there
  // since is a foreign one, known by its size; one of the same size fails the checksum.
  *ret_found = ret->bytes == object->size;
  return WH_OK;
}

static wh_status read_manifest(wh_run_input *in, wh_error *err) {
  WH_TRY(wh_input_manifest(in->connection, &in->object, in->arena, &in->has_manifest, &in->manifest,
                           err));
  in->tells_rows = in->has_manifest && !wh_str_is(in->manifest.codec, WH_CODEC_RAW);
  return WH_OK;
}

// The object is the index of a dataset's version, which says itself what a manifest would: the rows
// are those of its files.
static wh_status read_index(wh_run_input *in, wh_error *err) {
  wh_str prefix = in->pipeline->read.dataset;
  wh_dataset_index *index = WH_NEW(in->arena, wh_dataset_index);
  if (!index) return wh_fail_memory(err);
  WH_TRY(wh_dataset_read(in->connection, prefix, wh_dataset_key_version(prefix, in->object.key),
                         in->arena, index, err));
  in->dataset = index;
  in->has_manifest = in->tells_rows = true;
  in->manifest = (wh_manifest){.codec = WH_STR(WH_CODEC_DATASET),
                               .order = index->order,
                               .rows = index->rows,
                               .row_hash = index->row_hash,
                               .schema = index->schema};
  return WH_OK;
}

static wh_codec_context context_of(const wh_run_input *in) {
  wh_codec_context context = {.os = in->engine->os,
                              .mem = in->engine->mem,
                              .row_limit_bytes =
                                  (size_t)in->engine->config->memory_bytes / WH_ROW_SHARE_OF_MEMORY,
                              .threads = in->engine->single_thread ? 1 : 2,
                              .schema_may_widen = in->inferred,
                              .wanted = in->wanted,
                              .wanted_count = in->wanted_count,
                              .key = in->object.key};
  choose_batch(in, &context.batch_rows, &context.batch_bytes);
  return context;
}

static wh_status open_dataset(wh_run_input *in, wh_error *err) {
  const wh_read *read = &in->pipeline->read;
  wh_dataset_source source = {.connection = in->connection,
                              .prefix = read->dataset,
                              .index = in->dataset,
                              .format = &read->format,
                              .context = context_of(in)};
  return wh_dataset_reader_open(&source, &in->reader, err);
}

// An archive, whose members have the rows.
static wh_status open_archive(wh_run_input *in, wh_error *err) {
  const wh_read *read = &in->pipeline->read;
  WH_TRY(open_stream(in->connection, in->object.key, in->object.version, &in->stream, err));
  wh_archive_source source = {.in = in->stream,
                              .members = read->members,
                              .codec = read->format.codec,
                              .options = read->format.options,
                              .context = context_of(in),
                              .given = in->has_given ? &in->given : NULL};
  WH_TRY(wh_archive_open(&source, &in->reader, err));
  in->is_compressed = true;
  in->bytes_total = wh_archive_bytes(in->reader);
  return WH_OK;
}

// The tables of the pipeline's branches, or of the one that it is.
static wh_status open_tables(wh_run_input *in, const wh_codec_type *codec,
                             wh_codec_context *context, wh_error *err) {
  enum { BYTES_MIN = 64 << 10 };
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(in->pipeline, &count);
  wh_table_spec *specs = WH_NEW_ARRAY(in->arena, count, wh_table_spec);
  if (!specs) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    const wh_pipeline *b = &branches[i];
    specs[i] = (wh_table_spec){.name = b->table, .options = b->table_options};
    if (!in->every_column)
      WH_TRY(wanted_of(b, in->arena, &specs[i].wanted, &specs[i].wanted_count, err));
  }
  context->wanted = NULL;
  context->wanted_count = 0;
  context->batch_bytes /= count; // there is a batch of each
  if (context->batch_bytes && context->batch_bytes < BYTES_MIN) context->batch_bytes = BYTES_MIN;
  in->inferred = false; // the object says what its types are
  if (in->pipeline->branch_count)
    return codec->open_tables(context, in->stream, specs, count, &in->tables, err);
  return wh_table_reader_open(codec, context, in->stream, specs, &in->reader, err);
}

static wh_status open_reader(wh_run_input *in, wh_error *err) {
  if (in->dataset) return open_dataset(in, err);
  if (in->pipeline->read.members.len) return open_archive(in, err);
  wh_connection *c = in->connection;
  const wh_format *format = &in->pipeline->read.format;
  const wh_codec_type *codec = format->codec ? format->codec : wh_codec_by_key(in->object.key);
  if (!codec) {
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s: no codec reads files with this ending. To move them as they are, say "
                   "raw: true",
                   WH_STR_ARG(in->object.key));
  }
  WH_TRY(open_stream(c, in->object.key, in->object.version, &in->stream, err));
  wh_compression compression = wh_codec_compression(codec, in->object.key);
  if (compression != WH_UNCOMPRESSED) {
    WH_TRY(wh_decompress_open(in->engine->mem, in->stream, compression, &in->stream, err));
    in->is_compressed = true;
    in->bytes_total = 0; // nobody knows
  }
  wh_codec_context context = context_of(in);
  if (in->pipeline->branch_count || in->pipeline->table.len)
    return open_tables(in, codec, &context, err);
  const wh_codec_type *to = wh_codec_by_key(in->pipeline->to.thing);
  if (in->pipeline->write.format.codec) to = in->pipeline->write.format.codec;
  if (to) wh_lanes_part_size(in->engine, to, &context);
  const void *options = codec == format->codec ? format->options : NULL;
  return codec->open_reader(&context, in->stream, options, in->has_given ? &in->given : NULL,
                            &in->reader, err);
}

bool wh_input_is_final(wh_status status) {
  return status == WH_ERR_DATA || status == WH_ERR_TYPE || status == WH_ERR_LIMIT ||
         status == WH_ERR_NOT_FOUND;
}

wh_status wh_input_blame(wh_run_input *in, wh_status status, wh_error *err) {
  if (status == WH_OK || in->is_rows) return status;
  in->at_fault = wh_input_is_final(status);
  if (!err) return status;
  wh_str name = wh_path_name(in->object.key);
  wh_error_prefix(err, "%.*s: ", WH_STR_ARG(name));
  if (status == WH_ERR_DATA) wh_error_append(err, ". Nothing of it was loaded.");
  return status;
}

static void close_object(wh_run_input *in) {
  wh_reader_close(in->reader);
  in->reader = NULL;
  wh_tables_reader_close(in->tables);
  in->tables = NULL;
  wh_input_close(in->stream);
  in->stream = NULL;
}

wh_status wh_input_reopen(wh_run_input *in, wh_error *err) {
  close_object(in);
  return wh_input_blame(in, open_reader(in, err), err);
}

wh_status wh_input_widen(wh_run_input *in, wh_error *err) {
  WH_TRY(wh_schema_copy(in->reader->schema, in->arena, &in->given, err));
  in->has_given = true;
  return wh_input_reopen(in, err);
}

wh_status wh_input_identity(const wh_pipeline *p, wh_str key, wh_str version, wh_arena *arena,
                            wh_str *ret, wh_error *err) {
  *ret = wh_arena_printf(arena, "%.*s:%.*s@%.*s", WH_STR_ARG(p->from.connection), WH_STR_ARG(key),
                         WH_STR_ARG(version));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

bool wh_input_split(wh_str identity, wh_str *ret_connection, wh_str *ret_key, wh_str *ret_version) {
  size_t colon = wh_str_find(identity, 0, ':'), at = identity.len;
  while (at > colon && identity.data[at - 1] != '@')
    at--;
  if (colon == identity.len || at <= colon + 1) return false;
  *ret_connection = wh_str_sub(identity, 0, colon);
  *ret_key = wh_str_sub(identity, colon + 1, at - 1);
  *ret_version = wh_str_sub(identity, at, identity.len);
  return true;
}

// What is known of ret->object before it is opened.
static wh_status know_object(wh_run_input *ret, wh_error *err) {
  const wh_object *o = &ret->object;
  WH_TRY(wh_input_identity(ret->pipeline, o->key, o->version, ret->arena, &ret->identity, err));
  WH_TRY(ret->pipeline->read.dataset.len ? read_index(ret, err) : read_manifest(ret, err));
  ret->order = ret->has_manifest ? ret->manifest.order : o->modified_us;
  ret->bytes_total = ret->dataset ? ret->dataset->bytes : o->size;
  ret->inferred = !ret->tells_rows;
  ret->has_given = ret->tells_rows;
  if (!ret->tells_rows) return WH_OK;
  ret->given = ret->manifest.schema;
  ret->rows_total = ret->manifest.rows;
  return WH_OK;
}

static wh_status open_known(wh_run_input *ret, bool every_column, wh_error *err) {
  wh_ledger *ledger = ret->engine->ledger;
  bool is_one = !ret->pipeline->branch_count && !ret->pipeline->table.len;
  if (ret->inferred && is_one)
    WH_TRY(ledger->type->pinned(ledger, ret->pipeline->name, ret->arena, &ret->has_given,
                                &ret->given, err));
  ret->every_column = every_column;
  if (!every_column && is_one) WH_TRY(choose_wanted(ret, err));
  return wh_input_blame(ret, open_reader(ret, err), err);
}

static wh_status find_object(wh_engine *engine, const wh_pipeline *p, wh_str key, wh_str version,
                             wh_arena *arena, wh_run_input *ret, wh_error *err) {
  *ret = (wh_run_input){.engine = engine, .pipeline = p, .arena = arena};
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &p->from, &ret->connection, &is_rows, err));
  const wh_store_type *store = ret->connection->type->store;
  wh_status status = store->stat(ret->connection, key, arena, &ret->object, err);
  if (status == WH_ERR_NOT_FOUND && p->read.dataset.len) {
    if (err) err->status = WH_ERR_CHANGED; // the version is kept no more, and a newer one is there
    return WH_ERR_CHANGED;
  }
  ret->at_fault = status == WH_ERR_NOT_FOUND;
  WH_TRY(status);
  if (version.len && !wh_str_eq(version, ret->object.version)) {
    return wh_fail(err, WH_ERR_CHANGED, "%.*s was replaced before it was read", WH_STR_ARG(key));
  }
  return know_object(ret, err);
}

wh_status wh_input_open_object(wh_engine *engine, const wh_pipeline *p, wh_str key, wh_str version,
                               bool every_column, wh_arena *arena, wh_run_input *ret,
                               wh_error *err) {
  WH_TRY(find_object(engine, p, key, version, arena, ret, err));
  return open_known(ret, every_column, err);
}

wh_status wh_input_open_version(wh_engine *engine, const wh_pipeline *p, const wh_object *object,
                                wh_arena *arena, wh_run_input *ret, wh_error *err) {
  *ret = (wh_run_input){.engine = engine, .pipeline = p, .arena = arena, .object = *object};
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &p->from, &ret->connection, &is_rows, err));
  WH_TRY(know_object(ret, err));
  return open_known(ret, true, err);
}

// The index as if the dataset had those files alone.
static wh_status keep_scope(wh_run_input *in, const wh_model_scope *scope, wh_error *err) {
  wh_dataset_index *index = WH_NEW(in->arena, wh_dataset_index);
  wh_dataset_file *files = WH_NEW_ARRAY(in->arena, in->dataset->file_count + 1, wh_dataset_file);
  if (!index || !files) return wh_fail_memory(err);
  *index = *in->dataset;
  index->files = files;
  index->file_count = index->rows = index->bytes = index->row_hash = 0;
  for (size_t i = 0; i < in->dataset->file_count; i++) {
    const wh_dataset_file *file = &in->dataset->files[i];
    if (!wh_model_scope_has(scope, in->dataset, file)) continue;
    files[index->file_count++] = *file;
    index->rows += file->rows;
    index->bytes += file->bytes;
    index->row_hash += file->row_hash;
  }
  in->dataset = index;
  in->manifest.rows = in->rows_total = index->rows;
  in->manifest.row_hash = index->row_hash;
  in->bytes_total = index->bytes;
  return WH_OK;
}

wh_status wh_input_open_columns(wh_engine *engine, const wh_pipeline *p, const wh_object *object,
                                const wh_schema *given, wh_str *wanted, size_t wanted_count,
                                const wh_model_scope *scope, wh_arena *arena, wh_run_input *ret,
                                wh_error *err) {
  WH_TRY(find_object(engine, p, object->key, object->version, arena, ret, err));
  if (scope) WH_TRY(keep_scope(ret, scope, err));
  if (given) {
    ret->given = *given;
    ret->has_given = true;
    ret->inferred = false;
  }
  ret->wanted = wanted;
  ret->wanted_count = wanted_count;
  return wh_input_blame(ret, open_reader(ret, err), err);
}

void wh_input_close_run(wh_run_input *in) {
  close_object(in);
  wh_model_close(in->model);
  in->model = NULL;
  wh_window_free(&in->window);
}

const wh_schema *wh_input_schema(const wh_run_input *in, size_t branch) {
  return in->tables ? in->tables->schemas[branch] : in->reader->schema;
}

uint64_t wh_input_bytes_read(const wh_run_input *in) {
  return in->tables ? in->tables->bytes_read : in->reader->bytes_read;
}
