// A target against the table that is there.
#include "connect/sink_table.h"
#include "connect/sqlite/sink.h"

static bool is_time(wh_kind kind) {
  return kind == WH_DATE || kind == WH_TIME || kind == WH_TIMESTAMP;
}

static ptrdiff_t find_nocase(const wh_sqlite_relation *r, wh_str name) {
  for (size_t i = 0; i < r->count; i++)
    if (wh_str_eq_nocase(r->columns[i].name, name)) return (ptrdiff_t)i;
  return -1;
}

// Stored texts of these types do not sort as their values do, unless we wrote them all.
static bool is_ordered(const wh_type *type, wh_sqlite_affinity affinity, bool is_own) {
  bool as_text = affinity == WH_SQLITE_AFF_TEXT || affinity == WH_SQLITE_AFF_NONE;
  if (type->kind == WH_UINT64 || type->kind == WH_DECIMAL) return !as_text;
  return !is_time(type->kind) || is_own;
}

static wh_status set_column(wh_sqlite_target *t, size_t i, wh_str name, wh_str declared,
                            bool is_own, wh_arena *arena, wh_error *err) {
  const wh_type *type = &t->schema.fields[i].type;
  t->names[i] = wh_arena_str(arena, name);
  t->declared[i] = wh_arena_str(arena, declared);
  if (!t->names[i].data || !t->declared[i].data) return wh_fail_memory(err);
  wh_sqlite_encoder *e = &t->encoders[i];
  e->affinity = wh_sqlite_affinity_of(declared);
  e->stored = *type;
  if (is_own && is_time(type->kind)) e->stored = wh_sqlite_decl_parse(declared).exact;
  if (t->version == (ptrdiff_t)i) t->version_is_ordered = is_ordered(type, e->affinity, is_own);
  return WH_OK;
}

static wh_status bind_new(wh_sqlite_target *t, wh_arena *arena, wh_error *err) {
  t->has_order = !t->spec.side_table;
  t->has_side = t->spec.side_table && t->spec.mode == WH_WRITE_UPSERT;
  t->undoes = t->has_order || wh_sqlite_key_count(t) > 0;
  t->may_collide = false;
  for (size_t i = 0; i < t->spec.key_count; i++)
    t->collations[i] = WH_STR("BINARY");
  for (size_t i = 0; i < t->schema.count; i++) {
    WH_CLEAN_BUF wh_buf declared;
    wh_buf_init(&declared, arena->mem, 0);
    wh_sqlite_decl_write(&t->schema.fields[i].type, &declared);
    WH_TRY(wh_buf_check(&declared, err));
    WH_TRY(set_column(t, i, t->schema.fields[i].name, wh_buf_str(&declared), true, arena, err));
  }
  return WH_OK;
}

static wh_status compare_columns(wh_sqlite_target *t, const wh_sqlite_relation *r, wh_arena *arena,
                                 wh_buf *difference, wh_buf *clashes, wh_error *err) {
  for (size_t i = 0; i < t->schema.count; i++) {
    const wh_field *f = &t->schema.fields[i];
    ptrdiff_t at = find_nocase(r, f->name);
    WH_CLEAN_BUF wh_buf type;
    wh_buf_init(&type, arena->mem, 0);
    wh_sqlite_decl_write(&f->type, &type);
    WH_TRY(wh_buf_check(&type, err));
    if (at < 0 && t->spec.adds_columns && !wh_sqlite_is_key(t, i)) {
      t->adds[i] = true;
      t->add_count++;
      WH_TRY(set_column(t, i, f->name, wh_buf_str(&type), r->has_order, arena, err));
      continue;
    }
    if (at < 0) {
      wh_difference_add(difference, "column '%.*s' (%.*s) is missing", WH_STR_ARG(f->name),
                        WH_STR_ARG(wh_buf_str(&type)));
      continue;
    }
    const wh_sqlite_column *c = &r->columns[at];
    if (c->is_generated)
      wh_difference_add(difference, "column '%.*s' is computed", WH_STR_ARG(c->name));
    const char *clash = wh_sqlite_clash(&f->type, c, r->has_order);
    if (clash)
      wh_difference_add(clashes, "column '%.*s' is declared %.*s and %s: %.*s would come",
                        WH_STR_ARG(c->name),
                        WH_STR_ARG(c->declared.len ? c->declared : WH_STR("without a type")), clash,
                        WH_STR_ARG(wh_type_friendly(&f->type, arena)));
    WH_TRY(set_column(t, i, c->name, c->declared, r->has_order, arena, err));
  }
  return WH_OK;
}

// Columns that would stay empty but may not.
static void compare_others(const wh_sqlite_target *t, const wh_sqlite_relation *r,
                           wh_buf *difference) {
  size_t key_columns = 0;
  for (size_t i = 0; i < r->count; i++)
    key_columns += r->columns[i].key_position != 0;
  for (size_t i = 0; i < r->count; i++) {
    const wh_sqlite_column *c = &r->columns[i];
    bool is_filled = c->nullable || c->has_default || c->is_generated;
    // The rowid under another name fills itself.
    is_filled |= r->has_rowid && key_columns == 1 && c->key_position &&
                 wh_str_eq_nocase(c->declared, WH_STR("INTEGER"));
    for (size_t k = 0; k < t->schema.count; k++)
      is_filled |= wh_str_eq_nocase(t->schema.fields[k].name, c->name);
    if (!is_filled)
      wh_difference_add(difference,
                        "column '%.*s' must have a value and has no default, but nothing fills it",
                        WH_STR_ARG(c->name));
  }
}

// Matches the columns of one unique index with the key; all of them, in any order.
static wh_status match_index(wh_sqlite_db *db, wh_sqlite_target *t, wh_str index, wh_arena *arena,
                             bool *ret, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db, "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key = 1",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, index);
  size_t matched = 0, columns = 0;
  for (;; columns++) {
    bool row;
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
    if (!row) break;
    for (size_t k = 0; k < t->spec.key_count; k++) {
      if (!wh_str_eq_nocase(t->names[t->key[k]], wh_sqlite_text(stmt, 0))) continue;
      t->collations[k] = wh_arena_str(arena, wh_sqlite_text(stmt, 1));
      if (!t->collations[k].data) return wh_fail_memory(err);
      matched++;
    }
  }
  *ret = columns == t->spec.key_count && matched == columns;
  return WH_OK;
}

static wh_status find_unique_index(wh_sqlite_db *db, wh_sqlite_target *t,
                                   const wh_sqlite_relation *r, wh_arena *arena, bool *ret,
                                   wh_error *err) {
  *ret = true;
  if (t->spec.key_count == 1) {
    ptrdiff_t at = find_nocase(r, t->names[t->key[0]]);
    bool is_rowid = at >= 0 && r->has_rowid && r->columns[at].key_position == 1 &&
                    wh_str_eq_nocase(r->columns[at].declared, WH_STR("INTEGER"));
    for (size_t i = 0; i < r->count; i++)
      is_rowid &= r->columns[i].key_position <= 1;
    t->collations[0] = WH_STR("BINARY");
    if (is_rowid) return WH_OK;
  }
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      db, "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND partial = 0", &stmt,
      err));
  wh_sqlite_bind_str(stmt, 1, r->table);
  for (;;) {
    bool row;
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
    if (!row) break;
    WH_TRY(match_index(db, t, wh_sqlite_text(stmt, 0), arena, ret, err));
    if (*ret) return WH_OK;
  }
  *ret = false;
  return WH_OK;
}

static wh_status compare_key(wh_sqlite_db *db, wh_sqlite_target *t, const wh_sqlite_relation *r,
                             wh_arena *arena, wh_buf *difference, wh_error *err) {
  bool found;
  WH_TRY(find_unique_index(db, t, r, arena, &found, err));
  t->may_collide = false;
  for (size_t i = 0; i < t->spec.key_count; i++)
    t->may_collide |= !wh_str_eq_nocase(t->collations[i], WH_STR("BINARY"));
  if (found) return WH_OK;
  WH_CLEAN_BUF wh_buf names;
  wh_buf_init(&names, arena->mem, 0);
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(&names, i ? ", " : "");
    wh_sqlite_add_name(&names, t->names[t->key[i]]);
  }
  WH_TRY(wh_buf_check(&names, err));
  wh_difference_add(difference,
                    "no unique index is on exactly the key (%.*s): CREATE UNIQUE INDEX makes one",
                    WH_STR_ARG(wh_buf_str(&names)));
  return WH_OK;
}

static wh_status table_exists(wh_sqlite_db *db, wh_str table, bool *ret, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      db,
      "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
      &stmt, err));
  wh_sqlite_bind_str(stmt, 1, table);
  return wh_sqlite_step(db, stmt, ret, err);
}

wh_status wh_sqlite_target_refuse(const wh_sink *sink, const wh_sqlite_target *t, wh_str difference,
                                  wh_error *err) {
  return wh_target_refuse(sink->connection, t->spec.table, difference, t->clashes, err);
}

wh_status wh_sqlite_target_bind(wh_sqlite_db *db, wh_sqlite_target *t, wh_arena *arena,
                                wh_buf *difference, wh_error *err) {
  t->exists = false;
  t->clashes = (wh_str){0};
  t->add_count = 0;
  for (size_t i = 0; i < t->schema.count; i++)
    t->adds[i] = false;
  if (db) WH_TRY(table_exists(db, t->spec.table, &t->exists, err));
  if (!t->exists) return bind_new(t, arena, err);
  wh_sqlite_relation r;
  size_t before = difference->len;
  WH_TRY(wh_sqlite_relate(db, t->spec.table, (wh_str){0}, arena, &r, err));
  if (r.is_view || r.is_virtual) {
    wh_difference_add(difference, "it is a %s, not a table", r.is_view ? "view" : "virtual table");
    return wh_buf_check(difference, err);
  }
  WH_TRY(wh_sqlite_sample(db, &r, err));
  t->spec.table = r.table;
  t->has_order = r.has_order;
  t->undoes = r.has_not_null;
  t->has_side = !r.has_order && t->spec.mode == WH_WRITE_UPSERT;
  WH_CLEAN_BUF wh_buf clashes;
  wh_buf_init(&clashes, arena->mem, 0);
  WH_TRY(compare_columns(t, &r, arena, difference, &clashes, err));
  WH_TRY(wh_buf_check(&clashes, err));
  t->clashes = wh_arena_str(arena, wh_buf_str(&clashes));
  if (!t->clashes.data) return wh_fail_memory(err);
  compare_others(t, &r, difference);
  // Only with all columns there does it make sense to look for an index on them.
  if (difference->len == before && wh_sqlite_key_count(t))
    WH_TRY(compare_key(db, t, &r, arena, difference, err));
  if (difference->len == before && t->spec.mode == WH_WRITE_REPLACE)
    WH_TRY(wh_sqlite_read_rules(db, t, &r, arena, err));
  return wh_buf_check(difference, err);
}
