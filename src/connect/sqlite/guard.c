// Newest wins. A row's version is the pair (newest_by value, object order); the SQL here says when
// an incoming pair replaces the stored one, so that the common row costs one statement:
//   - a greater pair replaces; a stored version that is missing or unreadable is the lowest;
//   - an equal pair with other content replaces: it comes from the same object, where the later of
//     two rows with one key and version wins, so that loading it again ends the same;
//   - an equal pair with equal content, and a lower pair, change nothing.
#include "connect/sqlite/sink.h"

#define LOWEST_ORDER "-9223372036854775808"

static void add_qualified(wh_buf *sql, const char *table, wh_str name) {
  wh_buf_add_c(sql, table);
  wh_buf_add_char(sql, '.');
  wh_sqlite_add_name(sql, name);
}

bool wh_sqlite_add_key(wh_buf *sql, const wh_sqlite_target *t) {
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_sqlite_add_name(sql, t->names[t->key[i]]);
    if (!t->may_collide) continue;
    wh_buf_add_c(sql, " COLLATE ");
    wh_sqlite_add_name(sql, t->collations[i]);
  }
  return !sql->failed;
}

bool wh_sqlite_add_differs(wh_buf *sql, const wh_sqlite_target *t) {
  const char *sep = "";
  for (size_t i = 0; i < t->schema.count; i++) {
    if (wh_sqlite_is_key(t, i)) continue;
    wh_buf_add_c(sql, sep);
    add_qualified(sql, "t", t->names[i]);
    wh_buf_add_c(sql, " COLLATE BINARY IS NOT ");
    add_qualified(sql, "excluded", t->names[i]);
    sep = " OR ";
  }
  return wh_buf_add_c(sql, sep[0] ? "" : "0");
}

bool wh_sqlite_add_set(wh_buf *sql, const wh_sqlite_target *t, int order) {
  const char *sep = " SET ";
  for (size_t i = 0; i < t->schema.count; i++) {
    if (wh_sqlite_is_key(t, i)) continue;
    wh_buf_add_c(sql, sep);
    wh_sqlite_add_name(sql, t->names[i]);
    wh_buf_add_c(sql, " = ");
    add_qualified(sql, "excluded", t->names[i]);
    sep = ", ";
  }
  if (order) {
    wh_buf_printf(sql, "%s\"" WH_ORDER_COLUMN "\" = ?%d", sep, order);
    sep = ", ";
  }
  if (sep[0] == ',') return !sql->failed;
  // Nothing but the key: something has to be set.
  wh_buf_add_c(sql, sep);
  wh_sqlite_add_name(sql, t->names[t->key[0]]);
  wh_buf_add_c(sql, " = ");
  add_qualified(sql, "excluded", t->names[t->key[0]]);
  return !sql->failed;
}

// The keys are equal byte for byte, not only under the index's collation. `other` names the other
// side: a table, or NULL for the parameters.
static void add_same_bytes(wh_buf *sql, const wh_sqlite_target *t, const char *other) {
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(sql, i ? " AND " : "");
    add_qualified(sql, "t", t->names[t->key[i]]);
    wh_buf_add_c(sql, " COLLATE BINARY = ");
    if (other)
      add_qualified(sql, other, t->names[t->key[i]]);
    else
      wh_buf_printf(sql, "?%zu", t->key[i] + 1);
  }
}

// The order of the stored row.
static void add_stored_order(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "coalesce(");
  if (t->has_side) {
    wh_buf_add_c(sql, "(SELECT s.\"" WH_ORDER_COLUMN "\" FROM ");
    wh_sqlite_add_name2(sql, "_wherry_order_", t->spec.table);
    wh_buf_add_c(sql, " AS s WHERE ");
    for (size_t i = 0; i < t->spec.key_count; i++) {
      wh_buf_add_c(sql, i ? " AND " : "");
      add_qualified(sql, "s", t->names[t->key[i]]);
      wh_buf_add_c(sql, " = ");
      add_qualified(sql, "t", t->names[t->key[i]]);
    }
    wh_buf_add_char(sql, ')');
  } else {
    wh_buf_add_c(sql, "t.\"" WH_ORDER_COLUMN "\"");
  }
  wh_buf_add_c(sql, ", " LOWEST_ORDER ")");
}

// `new <op> stored` of the versions.
static void add_version(wh_buf *sql, const wh_sqlite_target *t, const char *op, bool in_why) {
  wh_str name = t->names[t->version];
  bool ordered = t->version_is_ordered;
  if (!ordered) wh_buf_printf(sql, "%s(", t->compare);
  if (in_why)
    wh_buf_printf(sql, "?%zd", t->version + 1);
  else
    add_qualified(sql, "excluded", name);
  if (ordered) wh_buf_printf(sql, " %s ", op);
  if (!ordered) wh_buf_add_c(sql, ", ");
  add_qualified(sql, "t", name);
  if (ordered)
    wh_buf_add_c(sql, " COLLATE BINARY");
  else
    wh_buf_printf(sql, ") %s 0", op);
}

bool wh_sqlite_add_guard(wh_buf *sql, const wh_sqlite_target *t, int order) {
  if (t->may_collide) {
    add_same_bytes(sql, t, "excluded");
    wh_buf_add_c(sql, " AND ");
  }
  wh_buf_add_char(sql, '(');
  if (t->version >= 0) {
    add_qualified(sql, "t", t->names[t->version]);
    wh_buf_add_c(sql, " IS NULL OR ");
    add_version(sql, t, ">", false);
    wh_buf_add_c(sql, " OR (");
    add_version(sql, t, "=", false);
    wh_buf_add_c(sql, " AND (");
  }
  wh_buf_printf(sql, "?%d > ", order);
  add_stored_order(sql, t);
  wh_buf_printf(sql, " OR (?%d = ", order);
  add_stored_order(sql, t);
  wh_buf_add_c(sql, " AND (");
  wh_sqlite_add_differs(sql, t);
  return wh_buf_add_c(sql, t->version >= 0 ? ")))))" : ")))");
}

bool wh_sqlite_add_stage_guard(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "1");
  if (t->may_collide) {
    wh_buf_add_c(sql, " AND ");
    add_same_bytes(sql, t, "excluded");
  }
  if (t->version >= 0) {
    wh_buf_add_c(sql, " AND ");
    add_version(sql, t, ">=", false);
  }
  return !sql->failed;
}

wh_status wh_sqlite_prepare_why(wh_sqlite_db *db, wh_sqlite_target *t, bool in_stage,
                                wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, db->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT ");
  add_same_bytes(&sql, t, NULL);
  wh_buf_add_c(&sql, ", ");
  if (t->version >= 0)
    add_version(&sql, t, "=", true);
  else
    wh_buf_add_c(&sql, "1");
  wh_buf_add_c(&sql, ", ");
  if (in_stage)
    wh_buf_add_c(&sql, "0");
  else
    add_stored_order(&sql, t);
  wh_buf_add_c(&sql, " FROM ");
  wh_sqlite_add_name2(&sql, in_stage ? "_wherry_stage_" : "", t->spec.table);
  wh_buf_add_c(&sql, " AS t WHERE ");
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(&sql, i ? " AND " : "");
    add_qualified(&sql, "t", t->names[t->key[i]]);
    wh_buf_printf(&sql, " = ?%zu", t->key[i] + 1);
    if (!t->may_collide) continue;
    wh_buf_add_c(&sql, " COLLATE ");
    wh_sqlite_add_name(&sql, t->collations[i]);
  }
  if (in_stage) wh_buf_printf(&sql, " AND t.\"_wherry_stage\" = ?%zu", t->schema.count + 1);
  return wh_sqlite_prepare(db, &sql, &t->why, err);
}

// Versions whose stored text does not sort as they do: times spelled in somebody else's table,
// digits beyond SQLite's integers.
typedef struct comparison {
  wh_type type;
  wh_mem *mem;
} comparison;

// WH_ERR_TYPE when the value is missing or says nothing of the type.
static wh_status read_version(const comparison *c, sqlite3_value *value, wh_column *column) {
  if (sqlite3_value_type(value) == SQLITE_NULL) return WH_ERR_TYPE;
  wh_sqlite_decoder decoder = {.type = c->type, .mem = c->mem};
  wh_misfit misfit;
  return wh_sqlite_decode(&decoder, value, column, &misfit, NULL);
}

static wh_status compare_values(const comparison *c, sqlite3_value **values, int *ret) {
  wh_column columns[2];
  wh_value views[2];
  bool readable[2];
  wh_status status = WH_OK;
  for (int i = 0; i < 2; i++) {
    wh_column_init(&columns[i], c->mem, &c->type);
    wh_status one = read_version(c, values[i], &columns[i]);
    readable[i] = one == WH_OK && wh_value_get(&columns[i], 0, &views[i], NULL) == WH_OK;
    if (one != WH_OK && one != WH_ERR_TYPE) status = one;
  }
  *ret = readable[0] && readable[1] ? wh_value_compare(&views[0], &views[1])
                                    : (int)readable[0] - (int)readable[1];
  wh_column_free(&columns[0]);
  wh_column_free(&columns[1]);
  return status;
}

static bool read_instant(const comparison *c, sqlite3_value *value, wh_sqlite_instant *ret) {
  wh_sqlite_day day = {0};
  return sqlite3_value_type(value) == SQLITE_TEXT &&
         wh_sqlite_instant_parse(wh_sqlite_value_text(value), &day, ret) &&
         ret->has_date == (c->type.kind != WH_TIME) &&
         (!ret->has_time || ret->has_zone == c->type.zoned);
}

static int compare_instants(const comparison *c, sqlite3_value **values) {
  wh_sqlite_instant a, b;
  bool has_a = read_instant(c, values[0], &a), has_b = read_instant(c, values[1], &b);
  if (!has_a || !has_b) return (int)has_a - (int)has_b;
  if (a.seconds != b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

static void compare_versions(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count;
  const comparison *c = sqlite3_user_data(context);
  int order;
  if (c->type.kind == WH_DATE || c->type.kind == WH_TIME || c->type.kind == WH_TIMESTAMP) {
    order = compare_instants(c, values);
  } else if (compare_values(c, values, &order) != WH_OK) {
    sqlite3_result_error_nomem(context);
    return;
  }
  sqlite3_result_int(context, order);
}

wh_status wh_sqlite_make_compare(wh_sqlite_db *db, wh_sqlite_target *t, size_t index,
                                 wh_arena *arena, wh_error *err) {
  if (t->version < 0 || t->version_is_ordered) return WH_OK;
  comparison *c = WH_NEW(arena, comparison);
  t->compare = wh_arena_printf(arena, "wherry_compare_%zu", index).data;
  if (!c || !t->compare) return wh_fail_memory(err);
  *c = (comparison){.type = t->encoders[t->version].stored, .mem = db->connection->mem};
  int rc = sqlite3_create_function_v2(db->handle, t->compare, 2,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, c,
                                      compare_versions, NULL, NULL, NULL);
  return rc == SQLITE_OK ? WH_OK : wh_sqlite_fail(db, rc, err, "preparing the load");
}
