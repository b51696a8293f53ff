// A target of a sink in a database server: what the table is, and the pieces that statements about
// it are made of. For connect/sql_*.c and for the drivers' own statements.
//
// Names in statements: `t` is the row that is there, of the table or its stage; `s` the row that
// comes, of the batch's table.
#pragma once

#include "connect/sql.h"

#define WH_SQL_NUMBER "_wherry_n"      // the row's index in the batch
#define WH_SQL_SIDE   "_wherry_order_" // before the name of a table: where its rows' orders are
#define WH_SQL_STAGE  "_wherry_stage"  // which load's stage a row belongs to
#define WH_SQL_DELETED                                                                             \
  "_wherry_deleted_" // before the name of a table: where its deletions are kept

// What the target is filled with by one statement or a few.
enum { WH_SQL_STATEMENTS = 4 };
typedef struct wh_sql_statements {
  wh_buf sql[WH_SQL_STATEMENTS];  // initialised by whoever passes it
  bool counts[WH_SQL_STATEMENTS]; // the rows it changed are rows written
  size_t count;
} wh_sql_statements;

typedef struct wh_sql_target {
  const wh_sql_driver *driver;
  wh_target spec; // a deep copy; `key` here says it, not spec.key
  wh_schema schema;
  size_t index; // in its sink
  size_t *key;  // indexes of the key's columns in the schema; none for append
  size_t key_count;
  ptrdiff_t version; // index of newest_by, or -1
  // What the table is, once bound (sql_bind.c):
  bool exists;
  bool has_order;         // rows carry WH_ORDER_COLUMN
  bool has_side;          // upsert: orders live in _wherry_order_<table>
  bool may_collide;       // a key's column sees different bytes as equal
  bool has_unique;        // other columns than the key must differ from row to row
  wh_sql_column *columns; // of the table, for each column of the schema
  wh_str *names;          // theirs
  bool *checked;          // values are looked at one by one
  bool *adds;             // the table lacks it, and gets it
  size_t add_count;
  wh_str name;                                           // "public.orders", for people
  wh_str schema_name, table_name, side_name, stage_name; // not quoted
  wh_str table, side, stage, batch;                      // quoted, with their schema
  wh_str id;    // digest of the table's name, its key in _wherry_tables
  wh_str shape; // digest of what the stage has to look like
  // Columns of a type that the table's cannot take, a line each; empty: none. Refused when rows
  // come, not before: a source without rows knows its columns' types less well than one with.
  wh_str clashes;
  // Deletions (sql_erase.c): the target that remembers them, NULL where there are none; of that
  // one, the target whose rows it deletes.
  struct wh_sql_target *deleted;
  const struct wh_sql_target *erases;
  bool any_deleted; // there may be some
  // The load's rows so far (sql_replace.c).
  int64_t stage_id;
  int64_t accepted; // rows that went into the stage, duplicates too
  bool is_late;     // a newer object has replaced the table: nothing of this one counts
  wh_str let_go;    // ends the session's lock on it; without data: none is held
} wh_sql_target;

bool wh_sql_is_key(const wh_sql_target *t, size_t column);

// Each returns whether the buffer is still whole.

// `alias.name`, or the name alone.
bool wh_sql_add_column(wh_buf *sql, const wh_sql_target *t, const char *alias, size_t column);
// `"a", "b"` of all columns, or of the key's.
bool wh_sql_add_columns(wh_buf *sql, const wh_sql_target *t, const char *alias);
bool wh_sql_add_key(wh_buf *sql, const wh_sql_target *t, const char *alias);
// `s.k = t.k AND ...`: as the table's index compares.
bool wh_sql_add_key_equal(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b);
// The same by bytes.
bool wh_sql_add_key_same(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b);
// Whether a column is the same in both, NULL too.
bool wh_sql_add_same(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b,
                     size_t column);
// Whether a row of `a` and one of `b` differ in a column that is not the key's; for targets that
// are nothing but key: that 1 is 0.
bool wh_sql_add_differs(wh_buf *sql, const wh_sql_target *t, const char *a, const char *b);
// `c = s.c, ..., "_wherry_order" = N` without the key; `left` goes before each name: "" or "t.".
// For targets that are nothing but key: the key itself. The order only into a table that has it.
bool wh_sql_add_set(wh_buf *sql, const wh_sql_target *t, const char *left, const char *from,
                    bool into_stage, int64_t order);
bool wh_sql_add_i64(wh_buf *sql, int64_t value); // as a literal of the type bigint
// `alias._wherry_stage = N`: a row of the load's stage; `alias` may be NULL.
bool wh_sql_add_stage_is(wh_buf *sql, const wh_sql_target *t, const char *alias);
// Behind a DELETE of `t`: ` WHERE ...`, the rows that the stage does not have. Without a key
// nothing can be told apart: all of them. Two rows may change places in a column that must be
// unique: with such columns, what differs goes too, before the first row comes.
bool wh_sql_add_not_staged(wh_buf *sql, const wh_sql_target *t);
// Newest wins: whether the row of `s` replaces that of `t`. A row's version is the pair
// (newest_by value, object order):
//   - a greater pair replaces; a stored version that is missing is the lowest;
//   - an equal pair with other content replaces: it comes from the same object, where the later of
//     two rows with one key and version wins, so that loading it again ends the same;
//   - an equal pair with equal content, and a lower pair, change nothing.
// Into a stage: it replaces what is not newer.
bool wh_sql_add_guard(wh_buf *sql, const wh_sql_target *t, const char *stored, const char *incoming,
                      bool into_stage, int64_t order);
// The order of the row `stored`, the lowest when it has none.
bool wh_sql_add_stored_order(wh_buf *sql, const wh_sql_target *t, const char *stored);

// Statements. One more, as the buffer to write it into; `counts`: see above.
wh_buf *wh_sql_more(wh_sql_statements *s, bool counts);
void wh_sql_statements_init(wh_sql_statements *s, wh_mem *mem);
void wh_sql_statements_free(wh_sql_statements *s);
#define WH_CLEAN_STATEMENTS __attribute__((cleanup(wh_sql_statements_free)))
wh_status wh_sql_statements_check(const wh_sql_statements *s, wh_error *err);

static inline bool wh_sql_into_stage(const wh_sql_target *t) {
  return t->spec.mode == WH_WRITE_REPLACE;
}
