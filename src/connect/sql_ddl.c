// The tables that the sink makes for its targets.
#include "connect/sql_sink.h"

static void add_definition(wh_buf *sql, const wh_sql_target *t, size_t column, bool required) {
  wh_buf_add_c(sql, "  ");
  wh_sql_add_column(sql, t, NULL, column);
  wh_buf_add_char(sql, ' ');
  wh_buf_add_str(sql, t->columns[column].declared);
  if (required) wh_buf_add_c(sql, " NOT NULL");
}

static void add_order(wh_buf *sql, const wh_sql_target *t) {
  wh_buf_add_c(sql, "  ");
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, " bigint NOT NULL");
}

static bool add_end(wh_buf *sql, const wh_sql_target *t) {
  if (t->key_count) {
    wh_buf_add_c(sql, ",\n  PRIMARY KEY (");
    wh_sql_add_key(sql, t, NULL);
    wh_buf_add_char(sql, ')');
  }
  wh_buf_add_c(sql, "\n)");
  return wh_buf_add_c(sql, t->driver->table_options);
}

wh_status wh_sql_make_table(wh_sink *sink, wh_str schema, wh_str table, const wh_buf *create,
                            wh_error *err) {
  bool exists;
  WH_TRY(wh_sql_has_table(sink, schema, table, &exists, err));
  if (exists) return WH_OK;
  wh_status status = wh_sql_run(sink, create, NULL, 0, NULL, err);
  if (status == WH_OK) return WH_OK;
  // Another load may have been quicker.
  if (wh_sql_has_table(sink, schema, table, &exists, NULL) == WH_OK && exists) return WH_OK;
  return status;
}

bool wh_sql_add_table(wh_buf *sql, const wh_sql_target *t) {
  wh_buf_add_c(sql, "CREATE TABLE ");
  wh_buf_add_str(sql, t->table);
  wh_buf_add_c(sql, " (\n");
  for (size_t i = 0; i < t->schema.count; i++) {
    if (i) wh_buf_add_c(sql, ",\n");
    add_definition(sql, t, i, !t->columns[i].nullable || wh_sql_is_key(t, i));
  }
  if (t->has_order) {
    wh_buf_add_c(sql, ",\n");
    add_order(sql, t);
  }
  return add_end(sql, t);
}

bool wh_sql_add_new_column(wh_buf *sql, const wh_sql_target *t, size_t column) {
  wh_buf_add_c(sql, WH_ALTERS);
  wh_buf_add_str(sql, t->table);
  wh_buf_add_c(sql, " ADD ");
  wh_sql_add_column(sql, t, NULL, column);
  wh_buf_add_char(sql, ' ');
  wh_buf_add_str(sql, t->columns[column].declared);
  return wh_buf_add_c(sql, " NULL");
}

// Columns of the key as the table declares them, so that the same values are stored.
bool wh_sql_add_side_table(wh_buf *sql, const wh_sql_target *t) {
  wh_buf_add_c(sql, "CREATE TABLE ");
  wh_buf_add_str(sql, t->side);
  wh_buf_add_c(sql, " (\n");
  for (size_t i = 0; i < t->key_count; i++) {
    add_definition(sql, t, t->key[i], true);
    wh_buf_add_c(sql, ",\n");
  }
  add_order(sql, t);
  return add_end(sql, t);
}
