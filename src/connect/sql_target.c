// The pieces of statements.
#include "connect/sql_target.h"

bool wh_sql_is_key(const wh_sql_target *t, size_t column) {
  for (size_t i = 0; i < t->key_count; i++)
    if (t->key[i] == column) return true;
  return false;
}

bool wh_sql_add_column(wh_buf *sql, const wh_sql_target *t, const char *alias, size_t column) {
  if (alias) {
    wh_buf_add_c(sql, alias);
    wh_buf_add_char(sql, '.');
  }
  return t->driver->name(sql, t->names[column]);
}

bool wh_sql_add_columns(wh_buf *sql, const wh_sql_target *t, const char *alias) {
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_sql_add_column(sql, t, alias, i);
  }
  return !sql->failed;
}

bool wh_sql_add_key(wh_buf *sql, const wh_sql_target *t, const char *alias) {
  for (size_t i = 0; i < t->key_count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_sql_add_column(sql, t, alias, t->key[i]);
  }
  return !sql->failed;
}

bool wh_sql_add_key_equal(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b) {
  for (size_t i = 0; i < t->key_count; i++) {
    wh_buf_add_c(sql, i ? " AND " : "");
    wh_sql_add_column(sql, t, a, t->key[i]);
    wh_buf_add_c(sql, " = ");
    wh_sql_add_column(sql, t, b, t->key[i]);
  }
  return !sql->failed;
}

typedef bool (*pair)(wh_buf *sql, wh_str a, wh_str b);

// One of the driver's comparisons, of a column in `a` and in `b`.
static bool add_pair(wh_buf *sql, const wh_sql_target *t, pair add, const char *a, const char *b,
                     size_t column) {
  WH_CLEAN_BUF wh_buf left, right;
  wh_buf_init(&left, sql->mem, WH_SQL_TEXT_MAX);
  wh_buf_init(&right, sql->mem, WH_SQL_TEXT_MAX);
  bool whole = wh_sql_add_column(&left, t, a, column) && wh_sql_add_column(&right, t, b, column) &&
               add(sql, wh_buf_str(&left), wh_buf_str(&right));
  if (!whole) sql->failed = true;
  return whole;
}

bool wh_sql_add_same(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b,
                     size_t column) {
  return add_pair(sql, t, t->driver->same, a, b, column);
}

bool wh_sql_add_key_same(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b) {
  for (size_t i = 0; i < t->key_count; i++) {
    wh_buf_add_c(sql, i ? " AND " : "");
    if (t->columns[t->key[i]].folds)
      add_pair(sql, t, t->driver->same_bytes, a, b, t->key[i]);
    else
      add_pair(sql, t, t->driver->same, a, b, t->key[i]);
  }
  return !sql->failed;
}

bool wh_sql_add_differs(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b) {
  const char *between = "(";
  for (size_t i = 0; i < t->schema.count; i++) {
    if (wh_sql_is_key(t, i)) continue;
    wh_buf_add_c(sql, between);
    wh_buf_add_c(sql, "NOT (");
    add_pair(sql, t, t->driver->same, a, b, i);
    wh_buf_add_char(sql, ')');
    between = " OR ";
  }
  return wh_buf_add_c(sql, between[0] == '(' ? "(1 = 0)" : ")");
}

bool wh_sql_add_set(wh_buf *sql, const wh_sql_target *t, const char *left, const char *from,
                    bool into_stage, int64_t order) {
  bool nothing_else = true;
  for (size_t i = 0; i < t->schema.count; i++)
    nothing_else &= wh_sql_is_key(t, i);
  const char *between = "";
  for (size_t i = 0; i < t->schema.count; i++) {
    if (wh_sql_is_key(t, i) && !(nothing_else && i == t->key[0])) continue;
    wh_buf_add_c(sql, between);
    wh_buf_add_c(sql, left);
    wh_sql_add_column(sql, t, NULL, i);
    wh_buf_add_c(sql, " = ");
    wh_sql_add_column(sql, t, from, i);
    between = ", ";
  }
  if (!t->has_order || into_stage) return !sql->failed;
  wh_buf_add_c(sql, between);
  wh_buf_add_c(sql, left);
  t->driver->name(sql, WH_STR(WH_ORDER_COLUMN));
  wh_buf_add_c(sql, " = ");
  return wh_sql_add_i64(sql, order);
}

bool wh_sql_add_i64(wh_buf *sql, int64_t value) {
  // The lowest is no literal: -9223372036854775808 is a minus before a number that is too large.
  if (value == INT64_MIN) return wh_buf_add_c(sql, "(-9223372036854775807 - 1)");
  return wh_buf_printf(sql, value < 0 ? "(%lld)" : "%lld", (long long)value);
}

bool wh_sql_add_stage_is(wh_buf *sql, const wh_sql_target *t, const char *alias) {
  if (alias) wh_buf_printf(sql, "%s.", alias);
  t->driver->name(sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(sql, " = ");
  return wh_sql_add_i64(sql, t->stage_id);
}

bool wh_sql_add_not_staged(wh_buf *sql, const wh_sql_target *t) {
  if (!t->key_count) return !sql->failed;
  wh_buf_printf(sql, " WHERE NOT EXISTS (SELECT 1 FROM %.*s AS s WHERE ", WH_STR_ARG(t->stage));
  wh_sql_add_stage_is(sql, t, "s");
  wh_buf_add_c(sql, " AND ");
  wh_sql_add_key_equal(sql, t, "s", "t");
  if (t->may_collide) {
    wh_buf_add_c(sql, " AND ");
    wh_sql_add_key_same(sql, t, "s", "t");
  }
  if (t->has_unique) {
    wh_buf_add_c(sql, " AND NOT ");
    wh_sql_add_differs(sql, t, "s", "t");
  }
  return wh_buf_add_char(sql, ')');
}

bool wh_sql_add_stored_order(wh_buf *sql, const wh_sql_target *t, const char *stored) {
  wh_str column = WH_STR(WH_ORDER_COLUMN);
  wh_buf_add_c(sql, "coalesce(");
  if (t->has_side) {
    wh_buf_add_c(sql, "(SELECT o.");
    t->driver->name(sql, column);
    wh_buf_add_c(sql, " FROM ");
    wh_buf_add_str(sql, t->side);
    wh_buf_add_c(sql, " o WHERE ");
    wh_sql_add_key_equal(sql, t, "o", stored);
    wh_buf_add_char(sql, ')');
  } else {
    wh_buf_add_c(sql, stored);
    wh_buf_add_char(sql, '.');
    t->driver->name(sql, column);
  }
  wh_buf_add_c(sql, ", ");
  wh_sql_add_i64(sql, INT64_MIN);
  return wh_buf_add_char(sql, ')');
}

// `incoming op stored` of the versions; text by its bytes.
static bool add_versions(wh_buf *sql, const wh_sql_target *t, const char *incoming, const char *op,
                         const char *stored) {
  const char *sides[] = {incoming, stored};
  bool is_text = wh_kind_is_text(t->schema.fields[t->version].type.kind);
  for (int i = 0; i < 2; i++) {
    if (i) wh_buf_printf(sql, " %s ", op);
    if (!is_text) {
      wh_sql_add_column(sql, t, sides[i], (size_t)t->version);
      continue;
    }
    WH_CLEAN_BUF wh_buf name;
    wh_buf_init(&name, sql->mem, WH_SQL_TEXT_MAX);
    if (!wh_sql_add_column(&name, t, sides[i], (size_t)t->version) ||
        !t->driver->bytes(sql, wh_buf_str(&name)))
      sql->failed = true;
  }
  return !sql->failed;
}

// `stored order op order`.
static bool add_orders(wh_buf *sql, const wh_sql_target *t, const char *stored, const char *op,
                       int64_t order) {
  wh_sql_add_stored_order(sql, t, stored);
  wh_buf_printf(sql, " %s ", op);
  return wh_sql_add_i64(sql, order);
}

static bool add_stage_guard(wh_buf *sql, const wh_sql_target *t, const char *stored,
                            const char *incoming) {
  return t->version < 0 ? wh_buf_add_c(sql, "1 = 1") : add_versions(sql, t, incoming, ">=", stored);
}

bool wh_sql_add_guard(wh_buf *sql, const wh_sql_target *t, const char *stored, const char *incoming,
                      bool into_stage, int64_t order) {
  if (into_stage) return add_stage_guard(sql, t, stored, incoming);
  wh_buf_add_char(sql, '(');
  if (t->version >= 0) {
    wh_sql_add_column(sql, t, stored, (size_t)t->version);
    wh_buf_add_c(sql, " IS NULL OR ");
    add_versions(sql, t, incoming, ">", stored);
    wh_buf_add_c(sql, " OR ");
    add_versions(sql, t, incoming, "=", stored);
    wh_buf_add_c(sql, " AND (");
  }
  add_orders(sql, t, stored, "<", order);
  wh_buf_add_c(sql, " OR ");
  add_orders(sql, t, stored, "=", order);
  wh_buf_add_c(sql, " AND ");
  wh_sql_add_differs(sql, t, stored, incoming);
  return wh_buf_add_c(sql, t->version >= 0 ? "))" : ")");
}

// --- Statements ----------------------------------------------------------------------------------

void wh_sql_statements_init(wh_sql_statements *s, wh_mem *mem) {
  *s = (wh_sql_statements){0};
  for (size_t i = 0; i < WH_SQL_STATEMENTS; i++)
    wh_buf_init(&s->sql[i], mem, WH_SQL_TEXT_MAX);
}

void wh_sql_statements_free(wh_sql_statements *s) {
  for (size_t i = 0; i < WH_SQL_STATEMENTS; i++)
    wh_buf_free(&s->sql[i]);
}

wh_buf *wh_sql_more(wh_sql_statements *s, bool counts) {
  s->counts[s->count] = counts;
  return &s->sql[s->count++];
}

wh_status wh_sql_statements_check(const wh_sql_statements *s, wh_error *err) {
  for (size_t i = 0; i < s->count; i++)
    WH_TRY(wh_buf_check(&s->sql[i], err));
  return WH_OK;
}
