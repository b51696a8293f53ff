// The sink over a driver, inside. See sql.h for how rows travel and sql_target.h for its targets.
//
// Its own tables, in the schema that names without one belong to:
//   _wherry_marks   which object of a pipeline is loaded, and how far
//   _wherry_lease   the epoch of the worker that a pipeline belongs to
//   _wherry_tables  tables that are replaced: the order of the object that each equals
//   _wherry_stages  replacements under way
// and, beside a target T, _wherry_order_T, _wherry_deleted_T and _wherry_stage_T where they are
// needed.
#pragma once

#include "connect/sql_target.h"

struct wh_sink {
  wh_connection *connection;
  const wh_sql_driver *driver;
  wh_sql_session *session; // NULL: not open
  bool in_transaction;
  wh_arena arena;
  wh_sql_target *targets;
  size_t count;
  bool has_replace;
  wh_str home;                         // schema of the tables below
  wh_str marks, lease, tables, stages; // quoted
  wh_arena load_arena;
  wh_load load;       // of the transaction under way
  bool mark_is_there; // it has a row
  bool has_joined;    // the load joined others in the transaction
};

// sql_sink.c: the driver's verbs over the sink's session.
wh_status wh_sql_run(wh_sink *sink, const wh_buf *sql, const wh_str *params, size_t count,
                     uint64_t *ret_rows, wh_error *err);
wh_status wh_sql_run_c(wh_sink *sink, const char *sql, wh_error *err);
// The same, together with what comes next where the driver can (run_later).
wh_status wh_sql_run_later(wh_sink *sink, const wh_buf *sql, const wh_str *params, size_t count,
                           uint64_t *ret_rows, wh_error *err);
wh_status wh_sql_run_c_later(wh_sink *sink, const char *sql, wh_error *err);
// All of them; *ret_rows: of those that count.
wh_status wh_sql_run_all(wh_sink *sink, const wh_sql_statements *s, uint64_t *ret_rows,
                         wh_error *err);
// The first row's values as numbers; false in *ret_found when there is none. NULL counts as 0.
wh_status wh_sql_ask_i64(wh_sink *sink, const wh_buf *sql, const wh_str *params, size_t count,
                         bool *ret_found, int64_t *ret, size_t ret_count, wh_error *err);
wh_status wh_sql_open_session(wh_sink *sink, wh_sql_access access, wh_error *err);
wh_status wh_sql_has_table(wh_sink *sink, wh_str schema, wh_str table, bool *ret, wh_error *err);

// Text of a parameter in the arena.
wh_str wh_sql_i64_text(wh_arena *arena, int64_t value);
// 64 hexadecimal digits that stand for all of the texts; empty without memory.
wh_str wh_sql_digest(wh_arena *arena, const wh_str *texts, size_t count);
// The name of a table of ours beside `name`; one that would be too long is cut, with a digest
// behind it. Empty without memory, as the next.
wh_str wh_sql_own_name(const wh_sql_driver *driver, wh_arena *arena, const char *prefix,
                       wh_str name);
// "schema"."name", or the name alone.
wh_str wh_sql_quoted(const wh_sql_driver *driver, wh_arena *arena, wh_str schema, wh_str name);
// Text about our own tables: %m is the marks, %l the lease, %t the tables, %s the stages, $ the
// server's long text, ? the next parameter, counted from 1 in each call.
void wh_sql_add_text(const wh_sink *sink, wh_buf *sql, const char *text);
wh_status wh_sql_run_text(wh_sink *sink, const char *text, const wh_str *params, size_t count,
                          uint64_t *ret_rows, wh_error *err);
wh_status wh_sql_run_text_later(wh_sink *sink, const char *text, const wh_str *params, size_t count,
                                uint64_t *ret_rows, wh_error *err);
wh_status wh_sql_ask_text(wh_sink *sink, const char *text, const wh_str *params, size_t count,
                          bool *ret_found, int64_t *ret, size_t ret_count, wh_error *err);

// sql_bind.c: compares the target with the table that is there, and fills in what it is, t->clashes
// too. What else does not fit is appended to `difference`, a line each.
wh_status wh_sql_bind(wh_sink *sink, wh_sql_target *t, wh_buf *difference, wh_error *err);
// WH_ERR_REFUSED, with what does not fit.
wh_status wh_sql_refuse(const wh_sink *sink, const wh_sql_target *t, wh_str difference,
                        wh_error *err);

// sql_ddl.c
bool wh_sql_add_table(wh_buf *sql, const wh_sql_target *t);
bool wh_sql_add_side_table(wh_buf *sql, const wh_sql_target *t);
bool wh_sql_add_new_column(wh_buf *sql, const wh_sql_target *t, size_t column); // of t->adds
// Runs the CREATE TABLE where the table is not there, and another load is not quicker. Names are
// not quoted.
wh_status wh_sql_make_table(wh_sink *sink, wh_str schema, wh_str table, const wh_buf *create,
                            wh_error *err);

// sql_marks.c
wh_status wh_sql_make_bookkeeping(wh_sink *sink, wh_error *err);
// Locks the pipeline's row, whose epoch becomes the load's, and reads the mark under it.
wh_status wh_sql_take_lease(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err);
wh_status wh_sql_read_mark(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err);
// The key of the load's mark; empty without memory.
wh_str wh_sql_mark_id(wh_sink *sink);
wh_status wh_sql_write_mark(wh_sink *sink, const wh_mark *mark, wh_error *err);

// sql_write.c: the batch into the target, which may be one of deletions.
wh_status wh_sql_write_rows(wh_sink *sink, wh_sql_target *t, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err);

// sql_erase.c: makes the table of deletions where it is needed, and finds it where it is there.
wh_status wh_sql_prepare_deleted(wh_sink *sink, wh_sql_target *t, wh_error *err);
wh_status wh_sql_show_deleted(wh_sink *sink, wh_sql_target *t, wh_buf *sql, wh_error *err);
// In a transaction: whether there are any; and those that are old go.
wh_status wh_sql_begin_deleted(wh_sink *sink, wh_sql_target *t, wh_error *err);
wh_status wh_sql_purge_deleted(wh_sink *sink, wh_sql_target *t, wh_error *err);
// `drop` takes the rows out of the batch's table whose numbers the query gives, and counts them as
// superseded, or as unchanged.
typedef struct wh_sql_erase {
  wh_sink *sink;
  wh_status (*drop)(void *context, const wh_buf *sql, bool unchanged, wh_error *err);
  void *context;
} wh_sql_erase;
// Rows are in the batch's table: those that are older than their deletion are dropped.
wh_status wh_sql_meet_deleted(const wh_sql_erase *e, const wh_sql_target *t, wh_error *err);
// They are in the target: their deletions are over.
wh_status wh_sql_end_deleted(wh_sink *sink, const wh_sql_target *t, wh_error *err);
// Keys are in the table for them: what is newer is dropped, the others' rows are removed or marked.
wh_status wh_sql_erase_rows(const wh_sql_erase *e, const wh_sql_target *t, wh_error *err);

// sql_replace.c
wh_status wh_sql_prepare_stage(wh_sink *sink, wh_sql_target *t, wh_error *err);
// Finds or makes the load's stage; *ret_lost when the mark speaks of rows that are not there.
wh_status wh_sql_begin_stage(wh_sink *sink, wh_sql_target *t, const wh_mark *mark, bool *ret_lost,
                             wh_error *err);
wh_status wh_sql_keep_stage(wh_sink *sink, wh_sql_target *t, wh_error *err);
wh_status wh_sql_apply_stage(wh_sink *sink, wh_sql_target *t, wh_counts *counts, wh_error *err);
// Lets go of the stages that were worked on; what fails is told to nobody.
void wh_sql_release_stages(wh_sink *sink);
