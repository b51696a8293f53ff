// The source's reader: one statement in one read transaction.
#include "connect/sqlite/cursor.h"
#include "connect/sqlite/decode.h"
#include "connect/sqlite/source.h"

typedef struct reader {
  wh_reader base;
  wh_sqlite_db db;
  wh_arena arena;
  wh_str what; // "sales_order", for messages
  wh_schema schema;
  wh_sqlite_decoder *decoders;
  wh_sqlite_cursor cursor;
  bool narrowed; // the cursor is the column behind those of the schema
  sqlite3_stmt *stmt;
  wh_buf raw;
  size_t batch_rows, batch_bytes;
  uint64_t limit;
  uint64_t rows;         // that counted, so far
  size_t rejected_bytes; // by this call of `next`, about
  bool ended;
} reader;

static void end_read(reader *r) {
  sqlite3_finalize(r->stmt); // and with it the snapshot, so that the writers' log can shrink
  r->stmt = NULL;
  r->ended = true;
  if (r->db.handle && !sqlite3_get_autocommit(r->db.handle))
    sqlite3_exec(r->db.handle, "ROLLBACK", NULL, NULL, NULL);
}

static void reader_close(wh_reader *base) {
  reader *r = (reader *)base;
  if (!r) return;
  end_read(r);
  wh_mem *mem = r->raw.mem;
  wh_sqlite_close(&r->db);
  wh_buf_free(&r->raw);
  wh_arena_free(&r->arena);
  wh_mem_free(mem, r, sizeof *r);
}

static wh_status reject_row(reader *r, size_t column, const wh_sqlite_misfit *misfit,
                            wh_rejects *rejects, wh_error *err) {
  WH_TRY(wh_sqlite_row_json(r->stmt, r->decoders, r->schema.count, &r->raw, err));
  wh_reject reject = {
      .rule = wh_str_of(misfit->rule),
      .column = r->decoders[column].name,
      .reason = wh_str_of(misfit->reason),
      .place = {.row = r->rows},
  };
  r->rejected_bytes += r->raw.len + sizeof *misfit;
  return rejects->raw(rejects, &reject, wh_buf_str(&r->raw), err);
}

static wh_status append_row(reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_sqlite_misfit misfit;
    wh_status status = wh_sqlite_decode(&r->decoders[i], sqlite3_column_value(r->stmt, (int)i),
                                        &batch->columns[i], &misfit, err);
    if (status == WH_OK) continue;
    wh_batch_row_undo(batch);
    return status == WH_ERR_TYPE ? reject_row(r, i, &misfit, rejects, err) : status;
  }
  // Rows count on from the first one until a rejected one leaves a gap.
  if (batch->rows == 0) batch->first_row = r->rows;
  if (batch->places || r->rows != batch->first_row + batch->rows)
    WH_TRY(wh_batch_set_place(batch, (wh_place){.row = r->rows}, err));
  size_t before = batch->bytes;
  wh_batch_row_end(batch);
  // SQLite itself refuses a value that is too large; all of a row together are looked at here.
  return wh_source_check_row(r->db.connection, r->what, r->rows, batch->bytes - before, err);
}

static wh_status counts(reader *r, bool *ret, wh_error *err) {
  *ret = true;
  if (!r->narrowed) return WH_OK;
  sqlite3_value *value = sqlite3_column_value(r->stmt, (int)r->schema.count);
  return wh_sqlite_cursor_passes(&r->cursor, value, ret, err);
}

static wh_status reader_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  reader *r = (reader *)base;
  wh_connection *c = r->db.connection;
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  r->rejected_bytes = 0;
  while (!r->ended && !wh_batch_full(batch, r->batch_rows, r->batch_bytes) &&
         r->rejected_bytes < WH_BATCH_BYTES_DEFAULT) {
    int rc = sqlite3_step(r->stmt);
    if (rc == SQLITE_DONE) {
      end_read(r);
      break;
    }
    if (rc != SQLITE_ROW)
      return wh_sqlite_fail(&r->db, rc, err, "reading %.*s, row %llu", WH_STR_ARG(r->what),
                            (unsigned long long)r->rows + 1);
    bool count;
    WH_TRY(counts(r, &count, err));
    if (!count) continue;
    r->rows++;
    WH_TRY(append_row(r, batch, rejects, err));
    if (r->limit && r->rows >= r->limit) end_read(r);
  }
  base->bytes_read += batch->bytes;
  base->paused = !r->ended;
  return WH_OK;
}

static wh_status make_decoders(reader *r, const wh_schema *schema, wh_error *err) {
  wh_connection *c = r->db.connection;
  WH_TRY(wh_schema_copy(schema, &r->arena, &r->schema, err));
  r->decoders = WH_NEW_ARRAY(&r->arena, r->schema.count, wh_sqlite_decoder);
  if (!r->decoders) return wh_fail_memory(err);
  for (size_t i = 0; i < r->schema.count; i++) {
    const wh_field *f = &r->schema.fields[i];
    r->decoders[i] = (wh_sqlite_decoder){
        .name = f->name, .type = f->type, .nullable = f->nullable, .mem = c->mem};
  }
  r->base.schema = &r->schema;
  return WH_OK;
}

// `SELECT columns[, cursor] FROM ...`
static wh_status build_select(reader *r, const wh_sqlite_relation *relation, wh_buf *sql,
                              wh_error *err) {
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_str name = r->schema.fields[i].name;
    if (wh_sqlite_relation_find(relation, name) < 0)
      return wh_sqlite_no_column(&r->db, relation, name, err);
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    wh_sqlite_add_name(sql, name);
  }
  if (r->schema.count == 0) wh_buf_add_c(sql, "SELECT 1");
  if (r->narrowed) {
    wh_buf_add_c(sql, ", ");
    wh_sqlite_add_name(sql, r->cursor.column);
  }
  wh_sqlite_add_from(sql, relation);
  return wh_buf_check(sql, err);
}

static wh_status set_cursor(reader *r, const wh_source_query *query,
                            const wh_sqlite_relation *relation, wh_error *err) {
  r->narrowed = query->cursor.len && (query->has_from || query->has_to);
  if (!r->narrowed) return WH_OK;
  if (wh_sqlite_relation_find(relation, query->cursor) < 0)
    return wh_sqlite_no_column(&r->db, relation, query->cursor, err);
  r->cursor = (wh_sqlite_cursor){
      .column = wh_arena_str(&r->arena, query->cursor),
      .has_from = query->has_from,
      .has_to = query->has_to,
      .mem = r->db.connection->mem,
  };
  if (!r->cursor.column.data) return wh_fail_memory(err);
  if (query->has_from) WH_TRY(wh_value_copy(&query->from, &r->arena, &r->cursor.from, err));
  if (query->has_to) WH_TRY(wh_value_copy(&query->to, &r->arena, &r->cursor.to, err));
  return WH_OK;
}

static wh_status start(reader *r, const wh_source_query *query, wh_error *err) {
  wh_connection *c = r->db.connection;
  wh_sqlite_relation relation;
  WH_TRY(wh_sqlite_run_c(&r->db, "BEGIN", err));
  WH_TRY(wh_sqlite_relate(&r->db, query->table, query->query, &r->arena, &relation, err));
  r->what = relation.table.len ? relation.table : WH_STR("the query");
  WH_TRY(set_cursor(r, query, &relation, err));
  WH_CLEAN_BUF wh_buf select, sql;
  wh_buf_init(&select, c->mem, WH_SQLITE_SQL_MAX);
  wh_buf_init(&sql, c->mem, WH_SQLITE_SQL_MAX);
  WH_TRY(build_select(r, &relation, &select, err));
  if (!r->narrowed) {
    WH_TRY(wh_sqlite_prepare(&r->db, &select, &r->stmt, err));
    return WH_OK;
  }
  WH_TRY(wh_sqlite_cursor_select(&r->db, &r->cursor, &relation, wh_buf_str(&select), &sql, err));
  WH_TRY(wh_sqlite_prepare(&r->db, &sql, &r->stmt, err));
  return wh_sqlite_cursor_bind(&r->db, &r->cursor, r->stmt, err);
}

static size_t or_default(size_t value, size_t otherwise, size_t most) {
  if (value == 0) value = otherwise;
  return value < most ? value : most;
}

wh_status wh_sqlite_open_reader(wh_connection *c, const wh_source_query *query,
                                const wh_schema *schema, wh_reader **ret, wh_error *err) {
  reader *r = wh_mem_alloc_zero(c->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->base = (wh_reader){.next = reader_next, .close = reader_close};
  r->limit = query->limit_rows;
  size_t batch_rows = query->batch_rows ? query->batch_rows : c->batch_rows;
  r->batch_rows = or_default(batch_rows, WH_BATCH_ROWS_DEFAULT, WH_BATCH_ROWS_MAX);
  r->batch_bytes = or_default(c->batch_bytes, WH_BATCH_BYTES_DEFAULT, WH_BATCH_BYTES_MAX);
  wh_arena_init(&r->arena, c->mem);
  wh_buf_init(&r->raw, c->mem, 0);
  wh_status status = wh_sqlite_open(c, WH_SQLITE_READ, &r->db, err);
  if (status == WH_OK) status = make_decoders(r, schema, err);
  if (status == WH_OK) status = start(r, query, err);
  if (status != WH_OK) {
    reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}
