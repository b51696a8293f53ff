// The sqlite connector: a database file as a source and as a sink.
//
//   erp:
//     type: sqlite
//     path: erp.db
//
// Types, as a source. SQLite types values, not columns, so a column's type comes from what its
// declaration says and from a sample of at most WH_SQLITE_SAMPLE_ROWS rows:
//   - INT... -> int64; BOOL, BOOLEAN -> bool (0 and 1); REAL, FLOAT, DOUBLE -> float64;
//     DECIMAL(p,s), NUMERIC(p,s) -> decimal(p,s); TEXT, CHAR, CLOB -> string; BLOB -> binary;
//     DATE -> date; TIME -> time[us]; DATETIME, TIMESTAMP -> timestamp[us]. A DATE column whose
//     values have times is a timestamp; one whose values carry zones is timestamp[us,UTC]; one that
//     shows more than six fraction digits has nanoseconds.
//   - A declaration that most of the sampled values contradict (a DATETIME that holds unix seconds)
//     does not count. Then, and for columns without a (known) declaration and expressions of a
//     query, what is stored decides: int64, float64 (integers and reals), string, binary, and
//     string for a mixture, whose numbers then become their canonical text.
//   - A value that does not fit its column rejects the row (rule "type", "not_null" or "utf8").
//   - Tables that Wherry created say exactly what they hold (see connect/sqlite/types.h); their
//     bookkeeping column and the tables named _wherry_* are not shown.
// Cursors are windowed: no column of SQLite orders its rows by commit.
//
// As a sink every write mode is exact: rows and mark commit in one transaction. Its own tables are
// _wherry_marks, _wherry_lease, _wherry_tables, _wherry_stages, and for a target T that lacks the
// order column _wherry_order_T, and _wherry_stage_T while a replace is under way.
#pragma once

#include "connect/connect.h"

extern const wh_connector wh_connector_sqlite;
extern const wh_source_type wh_sqlite_source;
extern const wh_sink_type wh_sqlite_sink;

typedef struct wh_sqlite_options {
  wh_str path;
  int64_t busy_timeout_us;
} wh_sqlite_options;

enum {
  WH_SQLITE_SAMPLE_ROWS = 1000,
  WH_SQLITE_COUNT_BYTES = 64 << 20,     // counting the rows of a larger database is not cheap
  WH_SQLITE_RAW_MAX = 64 << 10,         // bytes of a rejected row that quarantine keeps
  WH_SQLITE_SQL_MAX = 4 << 20,          // bytes of a statement
  WH_SQLITE_SOURCE_CACHE_KIB = 2 << 10, // page caches; a scan needs little
  WH_SQLITE_SINK_CACHE_KIB = 8 << 10,
};
