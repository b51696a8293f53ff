// The source's reader: one statement in one read transaction.
#include "connect/row_reader.h"
#include "connect/sqlite/cursor.h"
#include "connect/sqlite/decode.h"
#include "connect/sqlite/source.h"

enum { LOW = 2, HIGH = 3 }; // parameters; the first is the cursor's

typedef struct reader {
  wh_row_reader base;
  wh_sqlite_db db;
  wh_sqlite_decoder *decoders;
  wh_sqlite_cursor cursor;
  const wh_range *range; // while it is opened; NULL: all
  bool narrowed;         // the cursor is the column behind those of the schema
  sqlite3_stmt *stmt;
} reader;

static void end_read(reader *r) {
  sqlite3_finalize(r->stmt); // and with it the snapshot, so that the writers' log can shrink
  r->stmt = NULL;
  if (r->db.handle && !sqlite3_get_autocommit(r->db.handle))
    sqlite3_exec(r->db.handle, "ROLLBACK", NULL, NULL, NULL);
}

static void reader_close(wh_row_reader *base) {
  reader *r = (reader *)base;
  end_read(r);
  wh_sqlite_close(&r->db);
}

static wh_status write_json(wh_row_reader *base, wh_buf *out, wh_error *err) {
  reader *r = (reader *)base;
  return wh_sqlite_row_json(r->stmt, r->decoders, base->schema.count, out, err);
}

static wh_status append(wh_row_reader *base, wh_column *columns, size_t *ret_column,
                        wh_misfit *misfit, wh_error *err) {
  reader *r = (reader *)base;
  for (size_t i = 0; i < base->schema.count; i++) {
    sqlite3_value *value = sqlite3_column_value(r->stmt, (int)i);
    wh_status status = wh_sqlite_decode(&r->decoders[i], value, &columns[i], misfit, err);
    if (status == WH_OK) continue;
    *ret_column = i;
    return status;
  }
  return WH_OK;
}

static wh_status counts(reader *r, bool *ret, wh_error *err) {
  *ret = true;
  if (!r->narrowed) return WH_OK;
  sqlite3_value *value = sqlite3_column_value(r->stmt, (int)r->base.schema.count);
  return wh_sqlite_cursor_passes(&r->cursor, value, ret, err);
}

static wh_status fetch(wh_row_reader *base, bool *ret_row, wh_error *err) {
  reader *r = (reader *)base;
  int rc = SQLITE_DONE;
  bool count = false;
  bool is_enough = base->limit && base->rows >= base->limit;
  while (!count && !is_enough && (rc = sqlite3_step(r->stmt)) == SQLITE_ROW)
    WH_TRY(counts(r, &count, err));
  *ret_row = count;
  if (count) return WH_OK;
  if (rc != SQLITE_DONE)
    return wh_sqlite_fail(&r->db, rc, err, "reading %.*s, row %llu", WH_STR_ARG(base->what),
                          (unsigned long long)base->rows + 1);
  end_read(r);
  return WH_OK;
}

static wh_status make_decoders(reader *r, wh_error *err) {
  wh_connection *c = r->db.connection;
  r->decoders = WH_NEW_ARRAY(&r->base.arena, r->base.schema.count, wh_sqlite_decoder);
  if (!r->decoders) return wh_fail_memory(err);
  for (size_t i = 0; i < r->base.schema.count; i++) {
    const wh_field *f = &r->base.schema.fields[i];
    r->decoders[i] = (wh_sqlite_decoder){
        .name = f->name, .type = f->type, .nullable = f->nullable, .mem = c->mem};
  }
  return WH_OK;
}

// ` FROM (SELECT * FROM t WHERE ...)`: the cursor's conditions come behind, and its parameter is
// the first. Values of any type compare, in one order: numbers, text, blobs.
static void add_range(wh_buf *sql, const wh_sqlite_relation *relation, const wh_range *range) {
  wh_buf_add_c(sql, " FROM (SELECT *");
  wh_sqlite_add_from(sql, relation);
  wh_buf_add_c(sql, " WHERE ");
  if (range->low) {
    wh_sqlite_add_name(sql, range->column);
    wh_buf_printf(sql, " COLLATE BINARY >= ?%d", LOW);
  }
  if (range->low && range->high) wh_buf_add_c(sql, " AND ");
  if (range->high) {
    wh_sqlite_add_name(sql, range->column);
    wh_buf_printf(sql, " COLLATE BINARY < ?%d", HIGH);
  }
  if (!range->low) {
    wh_buf_add_c(sql, " OR ");
    wh_sqlite_add_name(sql, range->column);
    wh_buf_add_c(sql, " IS NULL");
  }
  wh_buf_add_char(sql, ')');
}

// As the column would hold it; what is no number goes as text. Which it is need not be exact: a
// row is below the bound or it is not.
static wh_status bind_bound(reader *r, int number, const wh_value *v, wh_error *err) {
  if (!v || sqlite3_bind_parameter_count(r->stmt) < number) return WH_OK;
  int rc;
  if (v->type.kind == WH_FLOAT32 || v->type.kind == WH_FLOAT64) {
    rc = sqlite3_bind_double(r->stmt, number, v->as.f);
  } else if (wh_kind_is_int(v->type.kind) && v->type.kind != WH_UINT64) {
    rc = sqlite3_bind_int64(r->stmt, number, v->as.i);
  } else {
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, r->db.connection->mem, 0);
    wh_value_write(v, &text);
    WH_TRY(wh_buf_check(&text, err));
    wh_str copy = wh_arena_str(&r->base.arena, wh_buf_str(&text));
    if (!copy.data) return wh_fail_memory(err);
    rc = wh_sqlite_bind_str(r->stmt, number, copy);
  }
  return rc == SQLITE_OK ? WH_OK : wh_sqlite_fail(&r->db, rc, err, "reading");
}

static wh_status bind_range(reader *r, wh_error *err) {
  if (!r->range) return WH_OK;
  WH_TRY(bind_bound(r, LOW, r->range->low, err));
  return bind_bound(r, HIGH, r->range->high, err);
}

// `SELECT columns[, cursor] FROM ...`
static wh_status build_select(reader *r, const wh_sqlite_relation *relation, wh_buf *sql,
                              wh_error *err) {
  for (size_t i = 0; i < r->base.schema.count; i++) {
    wh_str name = r->base.schema.fields[i].name;
    if (wh_sqlite_relation_find(relation, name) < 0)
      return wh_sqlite_no_column(&r->db, relation, name, err);
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    wh_sqlite_add_name(sql, name);
  }
  if (r->base.schema.count == 0) wh_buf_add_c(sql, "SELECT 1");
  if (r->narrowed) {
    wh_buf_add_c(sql, ", ");
    wh_sqlite_add_name(sql, r->cursor.column);
  }
  if (r->range)
    add_range(sql, relation, r->range);
  else
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
      .column = wh_arena_str(&r->base.arena, query->cursor),
      .has_from = query->has_from,
      .has_to = query->has_to,
      .mem = r->db.connection->mem,
  };
  if (!r->cursor.column.data) return wh_fail_memory(err);
  if (query->has_from) WH_TRY(wh_value_copy(&query->from, &r->base.arena, &r->cursor.from, err));
  if (query->has_to) WH_TRY(wh_value_copy(&query->to, &r->base.arena, &r->cursor.to, err));
  return WH_OK;
}

static wh_status start(wh_row_reader *base, const wh_source_query *query, wh_error *err) {
  reader *r = (reader *)base;
  wh_connection *c = r->base.connection;
  wh_sqlite_relation relation;
  WH_TRY(wh_sqlite_open(c, WH_SQLITE_READ, &r->db, err));
  WH_TRY(make_decoders(r, err));
  WH_TRY(wh_sqlite_run_c(&r->db, "BEGIN", err));
  WH_TRY(wh_sqlite_relate(&r->db, query->table, query->query, &r->base.arena, &relation, err));
  r->base.what = relation.table.len ? relation.table : WH_STR("the query");
  WH_TRY(set_cursor(r, query, &relation, err));
  r->range = query->range;
  if (r->range && wh_sqlite_relation_find(&relation, r->range->column) < 0)
    return wh_sqlite_no_column(&r->db, &relation, r->range->column, err);
  WH_CLEAN_BUF wh_buf select, sql;
  wh_buf_init(&select, c->mem, WH_SQLITE_SQL_MAX);
  wh_buf_init(&sql, c->mem, WH_SQLITE_SQL_MAX);
  WH_TRY(build_select(r, &relation, &select, err));
  if (!r->narrowed) {
    WH_TRY(wh_sqlite_prepare(&r->db, &select, &r->stmt, err));
    return bind_range(r, err);
  }
  WH_TRY(wh_sqlite_cursor_select(&r->db, &r->cursor, &relation, wh_buf_str(&select), &sql, err));
  WH_TRY(wh_sqlite_prepare(&r->db, &sql, &r->stmt, err));
  WH_TRY(bind_range(r, err));
  return wh_sqlite_cursor_bind(&r->db, &r->cursor, r->stmt, err);
}

wh_status wh_sqlite_open_reader(wh_connection *c, const wh_source_query *query,
                                const wh_schema *schema, wh_reader **ret, wh_error *err) {
  static const wh_row_reader_type type = {
      .size = sizeof(reader),
      .start = start,
      .fetch = fetch,
      .append = append,
      .write_json = write_json,
      .close = reader_close,
  };
  return wh_row_reader_open(&type, c, query, schema, 0, ret, err);
}
