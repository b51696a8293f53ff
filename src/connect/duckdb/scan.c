// Table functions: bind finds the table and tells its columns, init opens it with those that are
// wanted, and each call fills one chunk from its batches. (DuckDB, "C API: Table Functions".)
#include "connect/duckdb/session.h"

// Handed to the library with the function.
typedef struct function {
  wh_duckdb_session *session;
  wh_str name;
} function;

typedef struct bound {
  wh_duckdb_session *session;
  wh_str name, argument; // for messages
  const wh_sql_table *table;
} bound;

typedef struct scan {
  const bound *of;
  wh_mem *mem;
  wh_reader *reader;
  wh_batch batch;
  size_t row; // of the batch: the next
  size_t count;
  idx_t wanted[]; // columns of the table; one that it has not is not looked at
} scan;

// --- bind ----------------------------------------------------------------------------------------

static wh_status add_column(duckdb_bind_info info, const wh_field *field, wh_arena *arena,
                            wh_error *err) {
  char *name = wh_arena_cstr(arena, field->name);
  if (!name) return wh_fail_memory(err);
  duckdb_logical_type type;
  wh_status status = wh_duckdb_type_of(&field->type, arena, &type, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "column %.*s ", WH_STR_ARG(field->name));
    return status;
  }
  wh_duckdb.duckdb_bind_add_result_column(info, name, type);
  wh_duckdb.duckdb_destroy_logical_type(&type);
  return WH_OK;
}

// SQL does not tell their case.
static wh_status check_names(const wh_schema *schema, wh_error *err) {
  for (size_t i = 0; i < schema->count; i++)
    for (size_t j = 0; j < i; j++)
      if (wh_str_eq_nocase(schema->fields[i].name, schema->fields[j].name))
        return wh_fail(err, WH_ERR_REFUSED, "columns %.*s and %.*s differ in case only",
                       WH_STR_ARG(schema->fields[j].name), WH_STR_ARG(schema->fields[i].name));
  return WH_OK;
}

static wh_status add_columns(duckdb_bind_info info, bound *b, wh_arena *arena, wh_error *err) {
  const wh_schema *schema = &b->table->schema;
  WH_TRY(check_names(schema, err));
  for (size_t i = 0; i < schema->count; i++) {
    WH_TRY(add_column(info, &schema->fields[i], arena, err));
    if (schema->fields[i].privacy > b->session->privacy)
      b->session->privacy = schema->fields[i].privacy;
  }
  if (b->table->rows != WH_SIZE_UNKNOWN)
    wh_duckdb.duckdb_bind_set_cardinality(info, b->table->rows, true);
  return WH_OK;
}

static wh_status read_argument(duckdb_bind_info info, wh_arena *arena, wh_str *ret, wh_error *err) {
  duckdb_value value = wh_duckdb.duckdb_bind_get_parameter(info, 0);
  char *text = wh_duckdb.duckdb_get_varchar(value);
  *ret = text ? wh_arena_str(arena, wh_str_of(text)) : (wh_str){0};
  wh_duckdb.duckdb_free(text);
  wh_duckdb.duckdb_destroy_value(&value);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status try_bind(duckdb_bind_info info, const function *f, wh_error *err) {
  wh_duckdb_session *s = f->session;
  bound *b = WH_NEW(&s->arena, bound);
  if (!b) return wh_fail_memory(err);
  *b = (bound){.session = s, .name = f->name};
  WH_TRY(read_argument(info, &s->arena, &b->argument, err));
  WH_TRY(s->tables->find(s->tables, b->name, b->argument, &b->table, err));
  wh_status status = add_columns(info, b, &s->arena, err);
  if (status != WH_OK)
    wh_error_prefix(err, "%.*s('%.*s'): ", WH_STR_ARG(b->name), WH_STR_ARG(b->argument));
  else
    wh_duckdb.duckdb_bind_set_bind_data(info, b, NULL);
  return status;
}

static void bind(duckdb_bind_info info) {
  const function *f = wh_duckdb.duckdb_bind_get_extra_info(info);
  wh_error err = {0};
  if (try_bind(info, f, &err) == WH_OK) return;
  wh_duckdb_note(f->session, &err);
  wh_duckdb.duckdb_bind_set_error(info, err.text);
}

// --- init ----------------------------------------------------------------------------------------

static void close_scan(void *context) {
  scan *s = context;
  wh_batch_free(&s->batch);
  wh_reader_close(s->reader);
  wh_mem_free(s->mem, s, sizeof *s + s->count * sizeof s->wanted[0]);
}

// Only rows are counted, perhaps: of some column then, for there is no reading of none.
static wh_status open_table(scan *s, wh_error *err) {
  const wh_sql_table *table = s->of->table;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->mem);
  size_t *columns = WH_NEW_ARRAY(&arena, s->count + 1, size_t), count = 0;
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < s->count; i++)
    if (s->wanted[i] < table->schema.count) columns[count++] = s->wanted[i];
  if (!count) count = 1;
  WH_TRY(table->open(table, columns, count, &s->reader, err));
  return wh_batch_init(&s->batch, s->mem, s->reader->schema, err);
}

static wh_status try_init(duckdb_init_info info, const bound *b, wh_error *err) {
  wh_mem *mem = b->session->connection->mem;
  size_t count = wh_duckdb.duckdb_init_get_column_count(info);
  scan *s = wh_mem_alloc_zero(mem, sizeof *s + count * sizeof s->wanted[0]);
  if (!s) return wh_fail_memory(err);
  s->of = b;
  s->mem = mem;
  s->count = count;
  for (size_t i = 0; i < count; i++)
    s->wanted[i] = wh_duckdb.duckdb_init_get_column_index(info, i);
  wh_status status = open_table(s, err);
  if (status == WH_OK)
    wh_duckdb.duckdb_init_set_init_data(info, s, close_scan);
  else
    close_scan(s);
  return status;
}

static void init(duckdb_init_info info) {
  const bound *b = wh_duckdb.duckdb_init_get_bind_data(info);
  wh_error err = {0};
  if (try_init(info, b, &err) == WH_OK) return;
  wh_duckdb_note(b->session, &err);
  wh_duckdb.duckdb_init_set_error(info, err.text);
}

// --- chunks --------------------------------------------------------------------------------------

// Whatever does not fit the table that it was said to be: there is no quarantine here.
static wh_status fail_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                          size_t row, wh_error *err) {
  (void)self, (void)batch, (void)row;
  return wh_fail_at(err, WH_ERR_TYPE, reject->place, "%.*s%s%.*s", WH_STR_ARG(reject->column),
                    reject->column.len ? ": " : "", WH_STR_ARG(reject->reason));
}

static wh_status fail_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)text;
  return fail_row(self, reject, NULL, 0, err);
}

static wh_status next_batch(scan *s, wh_error *err) {
  wh_rejects rejects = {.row = fail_row, .raw = fail_raw};
  do {
    wh_batch_reset(&s->batch);
    s->row = 0;
    if (wh_duckdb_stopping(s->of->session))
      return wh_fail(err, WH_ERR_CANCELLED, "stopped; the model runs again at the next start");
    WH_TRY(s->reader->next(s->reader, &s->batch, &rejects, err));
  } while (s->batch.rows == 0 && s->reader->paused);
  return WH_OK;
}

static wh_status fill_columns(const scan *s, size_t rows, duckdb_data_chunk out, wh_error *err) {
  size_t at = 0;
  for (size_t i = 0; i < s->count; i++) {
    if (s->wanted[i] >= s->of->table->schema.count) continue;
    const wh_column *column = &s->batch.columns[at];
    duckdb_vector vector = wh_duckdb.duckdb_data_chunk_get_vector(out, i);
    wh_status status = wh_duckdb_fill(column, s->row, rows, vector, 0, err);
    if (status != WH_OK) {
      wh_str name = s->reader->schema->fields[at].name;
      wh_error_prefix(err, "%.*s('%.*s'): column %.*s ", WH_STR_ARG(s->of->name),
                      WH_STR_ARG(s->of->argument), WH_STR_ARG(name));
      return status;
    }
    at++;
  }
  return WH_OK;
}

static wh_status try_fill(scan *s, duckdb_data_chunk out, wh_error *err) {
  if (s->row == s->batch.rows) WH_TRY(next_batch(s, err));
  size_t rows = s->batch.rows - s->row, most = wh_duckdb.duckdb_vector_size();
  if (rows > most) rows = most;
  if (rows) WH_TRY(fill_columns(s, rows, out, err));
  s->row += rows;
  wh_duckdb.duckdb_data_chunk_set_size(out, rows); // none: the end
  return WH_OK;
}

static void fill(duckdb_function_info info, duckdb_data_chunk out) {
  scan *s = wh_duckdb.duckdb_function_get_init_data(info);
  wh_error err = {0};
  if (try_fill(s, out, &err) == WH_OK) return;
  wh_duckdb_note(s->of->session, &err);
  wh_duckdb.duckdb_function_set_error(info, err.text);
}

// --- the functions -------------------------------------------------------------------------------

static wh_status add_function(wh_duckdb_session *s, wh_str name, wh_error *err) {
  function *f = WH_NEW(&s->arena, function);
  char *text = wh_arena_cstr(&s->arena, name);
  if (!f || !text) return wh_fail_memory(err);
  *f = (function){s, name};
  duckdb_table_function made = wh_duckdb.duckdb_create_table_function();
  duckdb_logical_type argument = wh_duckdb.duckdb_create_logical_type(DUCKDB_VARCHAR);
  wh_duckdb.duckdb_table_function_set_name(made, text);
  wh_duckdb.duckdb_table_function_add_parameter(made, argument);
  wh_duckdb.duckdb_table_function_set_extra_info(made, f, NULL);
  wh_duckdb.duckdb_table_function_set_bind(made, bind);
  wh_duckdb.duckdb_table_function_set_init(made, init);
  wh_duckdb.duckdb_table_function_set_function(made, fill);
  wh_duckdb.duckdb_table_function_supports_projection_pushdown(made, true);
  duckdb_state state = wh_duckdb.duckdb_register_table_function(s->sql, made);
  wh_duckdb.duckdb_destroy_logical_type(&argument);
  wh_duckdb.duckdb_destroy_table_function(&made);
  if (state == DUCKDB_SUCCESS) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: DuckDB has a function named %.*s itself. Give the connection another name",
                 WH_STR_ARG(s->connection->name), WH_STR_ARG(name));
}

wh_status wh_duckdb_add_functions(wh_duckdb_session *s, wh_error *err) {
  for (size_t i = 0; i < s->tables->function_count; i++)
    WH_TRY(add_function(s, s->tables->functions[i], err));
  return WH_OK;
}
