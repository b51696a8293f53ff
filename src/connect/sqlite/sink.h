// The sink's own structures; see connect/sink.h for the contract and sqlite.h for the tables.
#pragma once

#include "connect/sqlite/describe.h"
#include "connect/sqlite/encode.h"

enum { WH_SQLITE_MANY = 16 }; // rows of one statement

typedef struct wh_sqlite_target {
  wh_target spec; // a deep copy
  wh_schema schema;
  // What the table is, once bound (target.c):
  bool exists;
  bool has_order;   // rows carry _wherry_order
  bool has_side;    // upsert: orders live in _wherry_order_<table>
  bool has_deleted; // upsert: deletions are remembered in _wherry_deleted_<table>
  bool any_deleted; // there may be some
  wh_str *names;    // of the schema's columns, as the table spells them
  wh_str *declared; // and declares them
  bool *adds;       // the table lacks it, and gets it
  size_t add_count;
  wh_sqlite_encoder *encoders; // for each column of the schema
  size_t *key;                 // indexes of the key's columns in the schema
  wh_str *collations;          // of the key's columns in the unique index
  bool undoes;                 // a statement for many rows that fails leaves none of them
  bool may_collide;            // one of them sees different bytes as equal
  ptrdiff_t version;           // index of newest_by, or -1
  bool version_is_ordered;     // stored values compare in SQL as they do as values
  const char *compare;         // name of the SQL function that compares versions otherwise
  // Columns of a type that the table's cannot take, a line each; empty: none. Refused when rows
  // come, not before: a source without rows knows its columns' types less well than one with.
  wh_str clashes;
  // Statements (put.c):
  sqlite3_stmt *put;                        // a row into the table, or the stage
  sqlite3_stmt *put_many;                   // `many` rows at once
  size_t many;                              // 0: always one by one
  wh_sqlite_encoder *many_encoders;         // schema.count for each of them
  size_t alone, alone_next;                 // rows to put one by one before many are tried again
  sqlite3_stmt *why;                        // why a row was not put
  sqlite3_stmt *put_order;                  // into the side table
  struct wh_sqlite_erasing {                // erase.c
    sqlite3_stmt *find, *remember, *forget; // deletions
    sqlite3_stmt *erase;                    // a row of the table: removes or marks it
    sqlite3_stmt *forget_order;             // its order, in the side table
    sqlite3_stmt *drop_marked;              // before the row comes again
  } erasing;
  // Replace: what the table that is there holds rows to (rules.c). NULL and empty: nothing.
  bool *required;  // of each column of the schema: never NULL
  wh_str rules;    // CHECK and UNIQUE, as they stand in the stage's text
  bool has_unique; // other columns than the key must differ from row to row
  // The load's rows so far.
  int64_t stage;
  int64_t accepted; // rows that went into the stage, duplicates too
  bool is_late;     // a newer object has replaced the table: nothing of this one counts
} wh_sqlite_target;

struct wh_sink {
  wh_connection *connection;
  wh_sqlite_db db;
  bool is_open;
  wh_arena arena;
  wh_sqlite_target *targets;
  size_t count;
  wh_arena load_arena;
  wh_load load;    // of the transaction under way
  bool has_joined; // it joined others in the transaction
};

static inline size_t wh_sqlite_key_count(const wh_sqlite_target *t) {
  return t->spec.mode == WH_WRITE_APPEND ? 0 : t->spec.key_count;
}

static inline bool wh_sqlite_is_key(const wh_sqlite_target *t, size_t column) {
  for (size_t i = 0; i < wh_sqlite_key_count(t); i++)
    if (t->key[i] == column) return true;
  return false;
}

// target.c: compares the target with the table that is there (db NULL: there is no database), and
// fills in what it is, t->clashes too. What else does not fit is appended to `difference`, a line
// each.
wh_status wh_sqlite_target_bind(wh_sqlite_db *db, wh_sqlite_target *t, wh_arena *arena,
                                wh_buf *difference, wh_error *err);
// WH_ERR_REFUSED, with what does not fit.
wh_status wh_sqlite_target_refuse(const wh_sink *sink, const wh_sqlite_target *t, wh_str difference,
                                  wh_error *err);
// rules.c: fills required, rules and has_unique; after the columns and the key.
wh_status wh_sqlite_read_rules(wh_sqlite_db *db, wh_sqlite_target *t, const wh_sqlite_relation *r,
                               wh_arena *arena, wh_error *err);
// clash.c: why values of the type cannot go into the column, or NULL; a phrase.
const char *wh_sqlite_clash(const wh_type *type, const wh_sqlite_column *column, bool is_own);

// ddl.c
bool wh_sqlite_add_table(wh_buf *sql, const wh_sqlite_target *t);
bool wh_sqlite_add_side_table(wh_buf *sql, const wh_sqlite_target *t);
bool wh_sqlite_add_new_column(wh_buf *sql, const wh_sqlite_target *t, size_t column); // of adds
bool wh_sqlite_add_deleted_table(wh_buf *sql, const wh_sqlite_target *t);
bool wh_sqlite_add_stage_table(wh_buf *sql, const wh_sqlite_target *t);

// prepare.c
wh_status wh_sqlite_sink_inspect(wh_sink *sink, wh_buf *ret_text, bool *ret_exists, bool *ret_fits,
                                 wh_error *err);
wh_status wh_sqlite_sink_prepare(wh_sink *sink, wh_error *err);

// guard.c: the conditions under which a row replaces the one that is there.
// The version pair of the new row is greater, or equal with other content; `?order` is the number
// of the parameter that holds the new order.
bool wh_sqlite_add_guard(wh_buf *sql, const wh_sqlite_target *t, int order);
// In a stage: the new row's version is not lower.
bool wh_sqlite_add_stage_guard(wh_buf *sql, const wh_sqlite_target *t);
// `"c" COLLATE x` of the key, for ON CONFLICT.
bool wh_sqlite_add_key(wh_buf *sql, const wh_sqlite_target *t);
// `t.c IS NOT excluded.c OR ...` over all columns but the key; 0 when there are none.
bool wh_sqlite_add_differs(wh_buf *sql, const wh_sqlite_target *t);
// `SET c = excluded.c, ...` over all columns but the key.
bool wh_sqlite_add_set(wh_buf *sql, const wh_sqlite_target *t, int order);
// Statement that tells of the row with the key: same bytes?, same version?, order.
wh_status wh_sqlite_prepare_why(wh_sqlite_db *db, wh_sqlite_target *t, bool in_stage,
                                wh_error *err);
wh_status wh_sqlite_make_compare(wh_sqlite_db *db, wh_sqlite_target *t, size_t index,
                                 wh_arena *arena, wh_error *err);

// sink.c
void wh_sqlite_close_statements(wh_sqlite_target *t);

// put.c: prepares the statements below.
wh_status wh_sqlite_prepare_write(wh_sink *sink, wh_sqlite_target *t, wh_error *err);
// write.c
wh_status wh_sqlite_sink_write(wh_sink *sink, size_t target, const wh_batch *batch,
                               wh_rejects *rejects, wh_counts *counts, wh_error *err);

// What a row that comes meets of a deletion: NEWER, which supersedes it, or an older one, which it
// ends.
typedef enum wh_sqlite_met { WH_SQLITE_NONE, WH_SQLITE_NEWER, WH_SQLITE_OLDER } wh_sqlite_met;

// Binds a value of the row's key, for statements of several columns of one row; WH_ERR_BUG where it
// does not fit, which was looked at before.
wh_status wh_sqlite_bind_key(wh_sqlite_target *t, const wh_batch *batch, size_t row,
                             sqlite3_stmt *stmt, wh_error *err);

// erase.c: makes the table of deletions where it is needed, and finds it where it is there.
wh_status wh_sqlite_make_deleted(wh_sink *sink, wh_sqlite_target *t, wh_error *err);
wh_status wh_sqlite_prepare_erase(wh_sink *sink, wh_sqlite_target *t, wh_error *err);
void wh_sqlite_close_erase(wh_sqlite_target *t);
void wh_sqlite_reset_erase(wh_sqlite_target *t); // nothing of a batch is borrowed any more
// In a transaction: whether there are deletions at all; and those that are old go.
wh_status wh_sqlite_begin_erase(wh_sink *sink, wh_sqlite_target *t, wh_error *err);
wh_status wh_sqlite_purge_deleted(wh_sink *sink, wh_sqlite_target *t, wh_error *err);
wh_status wh_sqlite_meet(wh_sink *sink, wh_sqlite_target *t, const wh_batch *batch, size_t row,
                         wh_sqlite_met *ret, wh_error *err);
// Around the row that ends a deletion: before it is put, what is marked goes; when it was, the
// deletion is forgotten.
wh_status wh_sqlite_drop_marked(wh_sink *sink, wh_sqlite_target *t, const wh_batch *batch,
                                size_t row, wh_error *err);
wh_status wh_sqlite_forget_deleted(wh_sink *sink, wh_sqlite_target *t, const wh_batch *batch,
                                   size_t row, wh_error *err);
wh_status wh_sqlite_sink_erase(wh_sink *sink, size_t target, const wh_batch *batch,
                               wh_rejects *rejects, wh_counts *counts, wh_error *err);

// replace.c
// Drops what loads that cannot go on left behind.
wh_status wh_sqlite_clean_stages(wh_sink *sink, wh_sqlite_target *t, wh_error *err);
// Finds or makes the load's stage; *ret_lost when the mark speaks of rows that are not there.
wh_status wh_sqlite_begin_stage(wh_sink *sink, wh_sqlite_target *t, const wh_mark *mark,
                                bool *ret_lost, wh_error *err);
wh_status wh_sqlite_keep_stage(wh_sink *sink, wh_sqlite_target *t, wh_error *err);
wh_status wh_sqlite_apply_stage(wh_sink *sink, wh_sqlite_target *t, wh_counts *counts,
                                wh_error *err);

// marks.c
wh_status wh_sqlite_make_bookkeeping(wh_sqlite_db *db, wh_error *err);
wh_status wh_sqlite_take_lease(wh_sink *sink, wh_error *err);
wh_status wh_sqlite_read_mark(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err);
wh_status wh_sqlite_write_mark(wh_sink *sink, const wh_mark *mark, wh_error *err);
wh_status wh_sqlite_marks(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                          void *context, wh_error *err);
