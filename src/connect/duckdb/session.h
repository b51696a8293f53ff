// One DuckDB with one statement: opened with its limits, told of its tables, prepared. Private to
// this folder.
#pragma once

#include "base/thread.h"
#include "connect/duckdb/duckdb.h"
#include "connect/duckdb/types.h"
#include "connect/sql_tables.h"

typedef struct wh_duckdb_session {
  wh_connection *connection;
  wh_sql_tables *tables;
  wh_arena arena;
  duckdb_database database;
  duckdb_connection sql;
  duckdb_extracted_statements statements;
  duckdb_prepared_statement statement;
  wh_schema schema; // of the statement's result, in the arena
  wh_class privacy; // the highest of what it reads, which any column may tell; internal at least
  wh_file *scratch_lock;
  const char *scratch; // folder of its own; NULL: it must not spill
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  pthread_t watch; // that interrupts it where it is asked to stop
  bool is_watched, ended;
  wh_error failure; // of a table, the first; its text is what DuckDB tells, too
} wh_duckdb_session;

// `spills`: it is to run, else only looked at. On failure nothing is left.
wh_status wh_duckdb_session_open(wh_connection *c, const wh_source_query *query, bool spills,
                                 wh_duckdb_session **ret, wh_error *err);
void wh_duckdb_session_close(wh_duckdb_session *s); // NULL is fine
// What DuckDB says of a failure, with the model's file and line in front of it; or that of a table,
// or that it was asked to stop.
wh_status wh_duckdb_fail(wh_duckdb_session *s, const char *text, wh_error *err);
// A table failed: remembers why. Any thread.
void wh_duckdb_note(wh_duckdb_session *s, const wh_error *why);
bool wh_duckdb_stopping(const wh_duckdb_session *s);

// Makes each of the session's functions known (scan.c).
wh_status wh_duckdb_add_functions(wh_duckdb_session *s, wh_error *err);

// A folder of its own to spill into (scratch.c). What killed processes left is removed.
wh_status wh_duckdb_scratch_open(wh_connection *c, wh_arena *arena, const char **ret,
                                 wh_file **ret_lock, wh_error *err);
void wh_duckdb_scratch_close(wh_connection *c, const char *folder, wh_file *lock);
