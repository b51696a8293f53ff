#include "connect/sqlite/describe.h"

#include "connect/sqlite/query.h"

enum { TABLES_MAX = 100000 };

// Does the table exist, and how is it spelled? pragma_table_list tells kinds apart.
static wh_status look_up_table(wh_sqlite_db *db, wh_str table, wh_arena *arena,
                               wh_sqlite_relation *relation, bool *ret_found, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db,
                             "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' "
                             "AND name = ?1 COLLATE NOCASE",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, table);
  WH_TRY(wh_sqlite_step(db, stmt, ret_found, err));
  if (!*ret_found) return WH_OK;
  relation->table = wh_arena_str(arena, wh_sqlite_text(stmt, 0));
  wh_str kind = wh_sqlite_text(stmt, 1);
  relation->is_view = wh_str_is(kind, "view");
  relation->is_virtual = wh_str_is(kind, "virtual");
  relation->has_rowid = wh_str_is(kind, "table") && sqlite3_column_int(stmt, 2) == 0;
  return relation->table.data ? WH_OK : wh_fail_memory(err);
}

static wh_status no_table(wh_sqlite_db *db, wh_str table, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, db->connection->mem);
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db,
                             "SELECT name, count(*) OVER () FROM sqlite_schema "
                             "WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' "
                             "ESCAPE '\\' AND name NOT LIKE '\\_wherry\\_%' ESCAPE '\\'",
                             &stmt, err));
  wh_str *names = NULL;
  size_t count = 0, cap = 0;
  bool row;
  WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  while (row && count < TABLES_MAX) {
    if (!names) {
      cap = (size_t)sqlite3_column_int64(stmt, 1);
      names = WH_NEW_ARRAY(&arena, cap, wh_str);
      if (!names) return wh_fail_memory(err);
    }
    names[count] = wh_arena_str(&arena, wh_sqlite_text(stmt, 0));
    if (!names[count].data) return wh_fail_memory(err);
    if (++count == cap) break;
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  }
  return wh_source_no_table(db->connection, table, names, count, err);
}

// One row of pragma_table_xinfo. Hidden: 1 a virtual table's argument, 2 and 3 generated columns.
static wh_status read_column(sqlite3_stmt *stmt, wh_arena *arena, const wh_sqlite_relation *r,
                             wh_sqlite_column *ret, wh_error *err) {
  *ret = (wh_sqlite_column){
      .name = wh_arena_str(arena, wh_sqlite_text(stmt, 0)),
      .declared = wh_arena_str(arena, wh_sqlite_text(stmt, 1)),
      .nullable = sqlite3_column_int(stmt, 2) == 0,
      .key_position = (uint32_t)sqlite3_column_int(stmt, 3),
      .is_generated = sqlite3_column_int(stmt, 4) > 1,
      .has_default = sqlite3_column_type(stmt, 5) != SQLITE_NULL,
  };
  if (!ret->name.data || !ret->declared.data) return wh_fail_memory(err);
  // Only the key of a table without rowid, and an INTEGER PRIMARY KEY, which is the rowid, are
  // free of NULLs by themselves (lang_createtable.html, section 3.5).
  bool is_rowid =
      sqlite3_column_int(stmt, 6) == 1 && wh_str_eq_nocase(ret->declared, WH_STR("INTEGER"));
  if (ret->key_position && !r->is_view && (!r->has_rowid || is_rowid)) ret->nullable = false;
  return WH_OK;
}

static wh_status read_table_columns(wh_sqlite_db *db, wh_arena *arena, wh_sqlite_relation *r,
                                    wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db,
                             "SELECT name, type, \"notnull\", pk, hidden, dflt_value, "
                             "max(pk) OVER (), count(*) OVER () "
                             "FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, r->table);
  bool row;
  WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  size_t cap = row ? (size_t)sqlite3_column_int64(stmt, 7) : 0;
  r->columns = WH_NEW_ARRAY(arena, cap, wh_sqlite_column);
  if (!r->columns) return wh_fail_memory(err);
  while (row) {
    r->has_not_null |= sqlite3_column_int(stmt, 2) == 1 && sqlite3_column_int(stmt, 3) == 0;
    if (wh_str_is(wh_sqlite_text(stmt, 0), WH_ORDER_COLUMN)) {
      r->has_order = true;
    } else if (r->count < cap) {
      WH_TRY(read_column(stmt, arena, r, &r->columns[r->count], err));
      r->count++;
    }
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  }
  return WH_OK;
}

wh_status wh_sqlite_relate(wh_sqlite_db *db, wh_str table, wh_str query, wh_arena *arena,
                           wh_sqlite_relation *ret, wh_error *err) {
  wh_sqlite_relation relation = {0};
  // In a query of the user's, "nmae" is a misspelled column, not the text SQLite would take it for;
  // views of the database may rely on that kindness (quirks.html, section 8).
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, query.len == 0, NULL);
  if (query.len) {
    WH_TRY(wh_sqlite_query_relate(db, query, arena, &relation, err));
  } else {
    bool found;
    WH_TRY(look_up_table(db, table, arena, &relation, &found, err));
    if (!found) return no_table(db, table, err);
    WH_TRY(read_table_columns(db, arena, &relation, err));
  }
  *ret = relation;
  return WH_OK;
}

ptrdiff_t wh_sqlite_relation_find(const wh_sqlite_relation *relation, wh_str name) {
  for (size_t i = 0; i < relation->count; i++)
    if (wh_str_eq(relation->columns[i].name, name)) return (ptrdiff_t)i;
  return -1;
}

wh_status wh_sqlite_no_column(const wh_sqlite_db *db, const wh_sqlite_relation *relation,
                              wh_str name, wh_error *err) {
  wh_str what = relation->table.len ? relation->table : WH_STR("the query");
  return wh_source_no_column(db->connection, what, name, relation->columns, relation->count,
                             sizeof *relation->columns, err);
}

bool wh_sqlite_add_from(wh_buf *sql, const wh_sqlite_relation *relation) {
  wh_buf_add_c(sql, " FROM ");
  if (relation->table.len) return wh_sqlite_add_name(sql, relation->table);
  // The line break ends a comment that the query may end with.
  wh_buf_add_char(sql, '(');
  wh_buf_add_str(sql, relation->query);
  return wh_buf_add_c(sql, "\n) AS q");
}

wh_status wh_sqlite_relation_schema(const wh_sqlite_relation *relation, wh_arena *arena,
                                    wh_schema *ret, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(arena, relation->count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < relation->count; i++) {
    const wh_sqlite_column *c = &relation->columns[i];
    fields[i] = (wh_field){
        .name = c->name, .type = c->type, .nullable = c->nullable, .privacy = WH_INTERNAL};
  }
  *ret = (wh_schema){.count = relation->count, .fields = fields};
  return WH_OK;
}

wh_status wh_sqlite_relation_key(const wh_sqlite_relation *relation, wh_arena *arena,
                                 const wh_str **ret, size_t *ret_count, wh_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < relation->count; i++)
    count += relation->columns[i].key_position != 0;
  wh_str *key = WH_NEW_ARRAY(arena, count, wh_str);
  if (!key) return wh_fail_memory(err);
  for (size_t i = 0; i < relation->count; i++) {
    uint32_t at = relation->columns[i].key_position;
    if (at && at <= count) key[at - 1] = relation->columns[i].name;
  }
  *ret = key;
  *ret_count = count;
  return WH_OK;
}
