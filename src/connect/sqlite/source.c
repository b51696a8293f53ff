#include "connect/sqlite/source.h"

#include "connect/table_list.h"

// Rows of a table: exact where counting is cheap, else WH_SIZE_UNKNOWN.
static wh_status count_rows(wh_sqlite_db *db, const wh_sqlite_relation *r, uint64_t *ret,
                            wh_error *err) {
  *ret = WH_SIZE_UNKNOWN;
  if (!r->has_rowid && (r->is_view || r->is_virtual || !r->table.len)) return WH_OK;
  int64_t bytes;
  WH_TRY(wh_sqlite_get_i64(db,
                           "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                           0, &bytes, err));
  if (bytes > WH_SQLITE_COUNT_BYTES) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, db->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT count(*)");
  wh_sqlite_add_from(&sql, r);
  WH_TRY(wh_buf_check(&sql, err));
  int64_t rows;
  WH_TRY(wh_sqlite_get_i64(db, wh_buf_str(&sql).data, 0, &rows, err));
  *ret = (uint64_t)rows;
  return WH_OK;
}

// For a progress bar: the span of rowids when counting is not cheap.
static wh_status estimate_rows(wh_sqlite_db *db, const wh_sqlite_relation *r, uint64_t *ret,
                               wh_error *err) {
  uint64_t rows;
  WH_TRY(count_rows(db, r, &rows, err));
  *ret = rows == WH_SIZE_UNKNOWN ? 0 : rows;
  if (rows != WH_SIZE_UNKNOWN || !r->has_rowid) return WH_OK;
  for (size_t i = 0; i < r->count; i++)
    if (wh_str_eq_nocase(r->columns[i].name, WH_STR("rowid"))) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, db->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT (SELECT max(rowid)");
  wh_sqlite_add_from(&sql, r);
  wh_buf_add_c(&sql, ") - (SELECT min(rowid)");
  wh_sqlite_add_from(&sql, r);
  wh_buf_add_c(&sql, ") + 1");
  WH_TRY(wh_buf_check(&sql, err));
  int64_t span;
  WH_TRY(wh_sqlite_get_i64(db, wh_buf_str(&sql).data, 0, &span, err));
  *ret = span > 0 ? (uint64_t)span : 0;
  return WH_OK;
}

static wh_status describe_table(wh_sqlite_db *db, wh_str name, wh_arena *arena, wh_table_info *ret,
                                wh_error *err) {
  wh_sqlite_relation relation;
  WH_TRY(wh_sqlite_relate(db, name, (wh_str){0}, arena, &relation, err));
  WH_TRY(wh_sqlite_sample(db, &relation, err));
  WH_TRY(count_rows(db, &relation, &ret->rows, err));
  WH_TRY(wh_sqlite_relation_schema(&relation, arena, &ret->schema, err));
  return wh_sqlite_relation_key(&relation, arena, &ret->key, &ret->key_count, err);
}

// Name, and whether it is a view.
#define TABLES                                                                                     \
  "SELECT name, type = 'view' FROM pragma_table_list WHERE schema = 'main' AND "                   \
  "type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "           \
  "name NOT LIKE '\\_wherry\\_%' ESCAPE '\\' ORDER BY 2, 1"

static wh_status list_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                             size_t *ret_count, wh_error *err) {
  WH_CLEAN_DB wh_sqlite_db db = {0};
  wh_table_list list = {.arena = arena};
  WH_TRY(wh_sqlite_open(c, WH_SQLITE_READ, &db, err));
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(&db, TABLES, &stmt, err));
  for (;;) {
    bool row;
    WH_TRY(wh_sqlite_step(&db, stmt, &row, err));
    if (!row) break;
    wh_table_name name = {.table = wh_sqlite_text(stmt, 0), .is_home = true};
    WH_TRY(wh_table_list_add(&list, &name, err));
  }
  *ret = list.items;
  *ret_count = list.count;
  return WH_OK;
}

wh_status wh_sqlite_discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                             wh_error *err) {
  WH_CLEAN_DB wh_sqlite_db db = {0};
  WH_TRY(wh_sqlite_open(c, WH_SQLITE_READ, &db, err));
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(&db, TABLES, &stmt, err));
  for (;;) {
    bool row;
    WH_TRY(wh_sqlite_step(&db, stmt, &row, err));
    if (!row) return WH_OK;
    wh_table_info info = {.name = wh_arena_str(arena, wh_sqlite_text(stmt, 0)),
                          .rows = WH_SIZE_UNKNOWN};
    if (!info.name.data) return wh_fail_memory(err);
    wh_status status = describe_table(&db, info.name, arena, &info, err);
    // A view over tables that are gone is shown without columns; it must not hide the others.
    bool is_broken_view = status == WH_ERR_USAGE && sqlite3_column_int(stmt, 1);
    if (status != WH_OK && !is_broken_view) return status;
    WH_TRY(visit(context, &info, err));
  }
}

wh_status wh_sqlite_describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                             wh_source_info *ret, wh_error *err) {
  WH_CLEAN_DB wh_sqlite_db db = {0};
  WH_TRY(wh_sqlite_open(c, WH_SQLITE_READ, &db, err));
  wh_sqlite_relation relation;
  wh_source_info info = {.cursor_kind = WH_CURSOR_WINDOWED};
  WH_TRY(wh_sqlite_run_c(&db, "BEGIN", err));
  WH_TRY(wh_sqlite_relate(&db, query->table, query->query, arena, &relation, err));
  if (query->cursor.len && wh_sqlite_relation_find(&relation, query->cursor) < 0)
    return wh_sqlite_no_column(&db, &relation, query->cursor, err);
  WH_TRY(wh_sqlite_sample(&db, &relation, err));
  WH_TRY(wh_sqlite_relation_schema(&relation, arena, &info.schema, err));
  bool *guessed = WH_NEW_ARRAY(arena, relation.count, bool);
  if (!guessed) return wh_fail_memory(err);
  for (size_t i = 0; i < relation.count; i++)
    guessed[i] = !relation.columns[i].seen && !relation.has_order;
  info.guessed = guessed;
  WH_TRY(wh_sqlite_relation_key(&relation, arena, &info.key, &info.key_count, err));
  if (!query->has_from && !query->has_to)
    WH_TRY(estimate_rows(&db, &relation, &info.rows_estimate, err));
  if (query->limit_rows && info.rows_estimate > query->limit_rows)
    info.rows_estimate = query->limit_rows;
  *ret = info;
  return WH_OK;
}

static wh_status extremes(wh_connection *c, wh_str table, wh_str column, wh_arena *arena,
                          wh_str *ret, wh_error *err) {
  WH_CLEAN_DB wh_sqlite_db db = {0};
  wh_sqlite_relation relation;
  WH_TRY(wh_sqlite_open(c, WH_SQLITE_READ, &db, err));
  WH_TRY(wh_sqlite_relate(&db, table, (wh_str){0}, arena, &relation, err));
  if (wh_sqlite_relation_find(&relation, column) < 0)
    return wh_sqlite_no_column(&db, &relation, column, err);
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, c->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT (SELECT min(");
  wh_sqlite_add_name(&sql, column);
  wh_buf_add_char(&sql, ')');
  wh_sqlite_add_from(&sql, &relation);
  wh_buf_add_c(&sql, ") AS low, (SELECT max("); // by itself, an index serves each
  wh_sqlite_add_name(&sql, column);
  wh_buf_add_char(&sql, ')');
  wh_sqlite_add_from(&sql, &relation);
  wh_buf_add_c(&sql, ") AS high");
  WH_TRY(wh_buf_check(&sql, err));
  *ret = wh_arena_str(arena, wh_buf_str(&sql));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status bound(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                       wh_bound *ret, wh_error *err) {
  (void)query, (void)arena, (void)err;
  *ret = (wh_bound){.clock_us = wh_now_us(c->os)}; // the file's clock is ours
  return WH_OK;
}

const wh_source_type wh_sqlite_source = {
    .tables = list_tables,
    .discover = wh_sqlite_discover,
    .describe = wh_sqlite_describe,
    .bound = bound,
    .open = wh_sqlite_open_reader,
    .extremes = extremes,
    .open_finder = wh_sqlite_open_finder,
};
