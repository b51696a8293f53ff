#include "connect/duckdb/session.h"

static wh_status no_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                           size_t *ret_count, wh_error *err) {
  (void)c, (void)arena, (void)ret, (void)err;
  *ret_count = 0;
  return WH_OK;
}

static wh_status nothing_to_discover(wh_connection *c, wh_arena *arena, wh_table_visit visit,
                                     void *context, wh_error *err) {
  (void)c, (void)arena, (void)visit, (void)context, (void)err;
  return WH_OK;
}

static wh_status describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                          wh_source_info *ret, wh_error *err) {
  wh_duckdb_session *s;
  WH_TRY(wh_duckdb_session_open(c, query, false, &s, err));
  *ret = (wh_source_info){.cursor_kind = WH_CURSOR_WINDOWED};
  wh_status status = wh_schema_copy(&s->schema, arena, &ret->schema, err);
  wh_duckdb_session_close(s);
  return status;
}

// --- rows ----------------------------------------------------------------------------------------

typedef struct rows {
  wh_reader base;
  wh_connection *connection;
  wh_arena arena; // as long as the reader
  wh_schema schema;
  size_t *columns; // of the result, for each of the schema's
  wh_duckdb_session *session;
  duckdb_result result;
  duckdb_data_chunk chunk;
  size_t chunk_rows, row;
  wh_arena values_arena; // as long as the chunk
  wh_duckdb_values *values;
  uint64_t read, limit; // 0: none
  size_t batch_rows, batch_bytes;
  bool started, ended;
} rows;

static wh_status start(rows *r, wh_error *err) {
  r->started = true;
  if (wh_duckdb.duckdb_execute_prepared_streaming(r->session->statement, &r->result) ==
      DUCKDB_SUCCESS)
    return WH_OK;
  return wh_duckdb_fail(r->session, wh_duckdb.duckdb_result_error(&r->result), err);
}

static void drop_chunk(rows *r) {
  if (r->chunk) wh_duckdb.duckdb_destroy_data_chunk(&r->chunk);
  r->chunk = NULL;
  r->chunk_rows = r->row = 0;
  wh_arena_reset(&r->values_arena);
}

static wh_status look_at_columns(rows *r, wh_error *err) {
  r->values = WH_NEW_ARRAY(&r->values_arena, r->schema.count, wh_duckdb_values);
  if (!r->values) return wh_fail_memory(err);
  for (size_t i = 0; i < r->schema.count; i++) {
    size_t at = r->columns[i];
    duckdb_vector vector = wh_duckdb.duckdb_data_chunk_get_vector(r->chunk, at);
    duckdb_logical_type type =
        wh_duckdb.duckdb_prepared_statement_column_logical_type(r->session->statement, at);
    wh_status status = wh_duckdb_values_init(vector, type, &r->values_arena, &r->values[i], err);
    wh_duckdb.duckdb_destroy_logical_type(&type);
    WH_TRY(status);
  }
  return WH_OK;
}

static wh_status next_chunk(rows *r, wh_error *err) {
  drop_chunk(r);
  r->chunk = wh_duckdb.duckdb_fetch_chunk(r->result);
  if (r->chunk) {
    r->chunk_rows = wh_duckdb.duckdb_data_chunk_get_size(r->chunk);
    r->ended = r->chunk_rows == 0;
    return look_at_columns(r, err);
  }
  const char *why = wh_duckdb.duckdb_result_error(&r->result);
  r->ended = true;
  return why ? wh_duckdb_fail(r->session, why, err) : WH_OK;
}

static wh_status append_row(rows *r, wh_batch *batch, wh_error *err) {
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_status status = wh_duckdb_take(&r->values[i], r->row, &batch->columns[i], err);
    if (status == WH_OK) continue;
    wh_error_prefix(err, "%.*s: row %llu: column %.*s ", WH_STR_ARG(r->connection->name),
                    (unsigned long long)r->read + 1, WH_STR_ARG(r->schema.fields[i].name));
    return status;
  }
  size_t before = batch->bytes;
  wh_batch_row_end(batch);
  r->row++;
  r->read++;
  return wh_source_check_row(r->connection, WH_STR("the result"), r->read, batch->bytes - before,
                             err);
}

static wh_status next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  (void)rejects; // what DuckDB computed either fits or ends the run
  rows *r = (rows *)base;
  if (!r->started) WH_TRY(start(r, err));
  batch->first_row = r->read + 1;
  while (!r->ended && !wh_batch_full(batch, r->batch_rows, r->batch_bytes)) {
    if (r->limit && r->read == r->limit) break;
    if (r->row == r->chunk_rows)
      WH_TRY(next_chunk(r, err));
    else
      WH_TRY(append_row(r, batch, err));
  }
  return WH_OK;
}

static void close_rows(wh_reader *base) {
  rows *r = (rows *)base;
  wh_mem *mem = r->connection->mem;
  drop_chunk(r);
  if (r->started) wh_duckdb.duckdb_destroy_result(&r->result);
  wh_duckdb_session_close(r->session);
  wh_arena_free(&r->values_arena);
  wh_arena_free(&r->arena);
  wh_mem_free(mem, r, sizeof *r);
}

// The columns that are wanted, where they stand in the result, whose types must still be those.
static wh_status find_columns(rows *r, const wh_schema *schema, wh_error *err) {
  WH_TRY(wh_schema_copy(schema, &r->arena, &r->schema, err));
  r->columns = WH_NEW_ARRAY(&r->arena, schema->count, size_t);
  if (!r->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < schema->count; i++) {
    ptrdiff_t at = wh_schema_find(&r->session->schema, schema->fields[i].name);
    if (at < 0 || !wh_type_eq(&schema->fields[i].type, &r->session->schema.fields[at].type))
      return wh_fail(err, WH_ERR_CHANGED, "%.*s: column %.*s is not what it was a moment ago",
                     WH_STR_ARG(r->connection->name), WH_STR_ARG(schema->fields[i].name));
    r->columns[i] = (size_t)at;
  }
  return WH_OK;
}

static wh_status open_rows(wh_connection *c, const wh_source_query *query, const wh_schema *schema,
                           wh_reader **ret, wh_error *err) {
  rows *r = wh_mem_alloc_zero(c->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->base = (wh_reader){.schema = &r->schema, .next = next, .close = close_rows};
  r->connection = c;
  wh_arena_init(&r->arena, c->mem);
  wh_arena_init(&r->values_arena, c->mem);
  r->limit = query->limit_rows;
  r->batch_rows = query->batch_rows ? query->batch_rows : c->batch_rows;
  r->batch_bytes = query->batch_bytes ? query->batch_bytes : c->batch_bytes;
  wh_status status = wh_duckdb_session_open(c, query, true, &r->session, err);
  if (status == WH_OK) status = find_columns(r, schema, err);
  if (status == WH_OK)
    *ret = &r->base;
  else
    close_rows(&r->base);
  return status;
}

// --- the connector -------------------------------------------------------------------------------

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  WH_TRY(wh_duckdb_load(c, err));
  wh_buf_printf(ret_note, "DuckDB %s runs it", wh_duckdb.duckdb_library_version());
  return wh_buf_check(ret_note, err);
}

static const wh_source_type source = {
    .tables = no_tables, .discover = nothing_to_discover, .describe = describe, .open = open_rows};

static const wh_option no_options[] = {{0}};

const wh_connector wh_connector_duckdb = {
    .name = "duckdb",
    .help = "SQL models over objects",
    .options = no_options,
    .options_size = sizeof(wh_duckdb_options),
    .source = &source,
    .reach = reach,
};
