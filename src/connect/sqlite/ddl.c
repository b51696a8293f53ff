// The tables that the sink makes.
#include "connect/sqlite/sink.h"

enum { COMPACT_COLUMNS_MAX = 24 };

// A keyed table of few, small columns is its key's index: one tree instead of two. Wide rows would
// fill that tree's pages with few keys (withoutrowid.html, section 4). An INTEGER key is the rowid.
static bool is_compact(const wh_sqlite_target *t) {
  size_t keys = wh_sqlite_key_count(t);
  if (keys == 0 || t->schema.count > COMPACT_COLUMNS_MAX) return false;
  if (keys == 1 && t->schema.fields[t->key[0]].type.kind == WH_INT64) return false;
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_kind kind = t->schema.fields[i].type.kind;
    if (kind == WH_BINARY || kind == WH_LIST || kind == WH_STRUCT) return false;
  }
  return true;
}

static void add_column(wh_buf *sql, const wh_sqlite_target *t, size_t i) {
  wh_sqlite_add_name(sql, t->names[i]);
  if (t->declared[i].len) wh_buf_add_char(sql, ' ');
  wh_buf_add_str(sql, t->declared[i]);
}

static void add_key_names(wh_buf *sql, const wh_sqlite_target *t, const char *first) {
  wh_buf_add_c(sql, "  PRIMARY KEY (");
  wh_buf_add_c(sql, first);
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(sql, i || first[0] ? ", " : "");
    wh_sqlite_add_name(sql, t->names[t->key[i]]);
  }
  wh_buf_add_c(sql, ")\n");
}

bool wh_sqlite_add_table(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "CREATE TABLE ");
  wh_sqlite_add_name(sql, t->spec.table);
  wh_buf_add_c(sql, " (\n");
  bool keyed = wh_sqlite_key_count(t) > 0;
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, "  ");
    add_column(sql, t, i);
    if (!t->schema.fields[i].nullable || wh_sqlite_is_key(t, i)) wh_buf_add_c(sql, " NOT NULL");
    bool is_last = i + 1 == t->schema.count && !t->has_order && !keyed;
    wh_buf_add_c(sql, is_last ? "\n" : ",\n");
  }
  if (t->has_order) wh_buf_add_c(sql, "  \"" WH_ORDER_COLUMN "\" INTEGER NOT NULL");
  if (t->has_order) wh_buf_add_c(sql, keyed ? ",\n" : "\n");
  if (keyed) add_key_names(sql, t, "");
  return wh_buf_add_c(sql, is_compact(t) ? ") WITHOUT ROWID" : ")");
}

bool wh_sqlite_add_new_column(wh_buf *sql, const wh_sqlite_target *t, size_t column) {
  wh_buf_add_c(sql, WH_ALTERS);
  wh_sqlite_add_name(sql, t->spec.table);
  wh_buf_add_c(sql, " ADD COLUMN ");
  add_column(sql, t, column);
  return !sql->failed;
}

// Columns of the key as the table declares them, so that the same values are stored.
bool wh_sqlite_add_side_table(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "CREATE TABLE IF NOT EXISTS ");
  wh_sqlite_add_name2(sql, "_wherry_order_", t->spec.table);
  wh_buf_add_c(sql, " (\n");
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(sql, "  ");
    add_column(sql, t, t->key[i]);
    wh_buf_add_c(sql, " NOT NULL,\n");
  }
  wh_buf_add_c(sql, "  \"" WH_ORDER_COLUMN "\" INTEGER NOT NULL,\n");
  add_key_names(sql, t, "");
  return wh_buf_add_c(sql, ") WITHOUT ROWID");
}

// By their bytes: of two keys that collide under the table's collation one may be deleted.
bool wh_sqlite_add_deleted_table(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "CREATE TABLE IF NOT EXISTS ");
  wh_sqlite_add_name2(sql, "_wherry_deleted_", t->spec.table);
  wh_buf_add_c(sql, " (\n");
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(sql, "  ");
    add_column(sql, t, t->key[i]);
    wh_buf_add_c(sql, " NOT NULL,\n");
  }
  wh_buf_add_c(sql, "  \"" WH_ORDER_COLUMN
                    "\" INTEGER NOT NULL,\n  \"_wherry_time\" INTEGER NOT NULL,\n");
  add_key_names(sql, t, "");
  return wh_buf_add_c(sql, ") WITHOUT ROWID");
}

// Keys collide in the stage as they would in the table, and rows break its rules as they would.
bool wh_sqlite_add_stage_table(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "CREATE TABLE ");
  wh_sqlite_add_name2(sql, "_wherry_stage_", t->spec.table);
  wh_buf_add_c(sql, " (\n  \"_wherry_stage\" INTEGER NOT NULL");
  size_t keys = wh_sqlite_key_count(t);
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, ",\n  ");
    add_column(sql, t, i);
    if (t->required && t->required[i] && !wh_sqlite_is_key(t, i)) wh_buf_add_c(sql, " NOT NULL");
    for (size_t k = 0; k < keys; k++) {
      if (t->key[k] != i) continue;
      wh_buf_add_c(sql, " COLLATE ");
      wh_sqlite_add_name(sql, t->collations[k]);
      wh_buf_add_c(sql, " NOT NULL");
    }
  }
  wh_buf_add_str(sql, t->rules);
  wh_buf_add_c(sql, keys ? ",\n" : "\n");
  if (keys) add_key_names(sql, t, "\"_wherry_stage\"");
  return wh_buf_add_c(sql, keys ? ") WITHOUT ROWID" : ")");
}
