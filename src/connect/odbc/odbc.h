// The odbc connector: any database that has an ODBC driver, Oracle among them, as a source, through
// unixODBC.
//
//   erp:
//     type: odbc
//     driver: Oracle 21 ODBC driver      # as `odbcinst -q -d` names it; or `dsn: erp`
//     user: wherry
//     password: ${secret:erp}
//     options: ["DBQ=//erp.example.org:1521/ERP"]
//
// The connection string is made of the words: DRIVER or DSN, Server (`host`), Port, Database, UID,
// PWD, and `options` as they come. A value with characters that mean something there stands in
// braces, with closing ones doubled. All texts travel as UTF-16, so the driver has to be a Unicode
// driver for names that are not ASCII.
//
// Columns are read as
//
//   SQL_BIT                              bool
//   SQL_TINYINT .. SQL_BIGINT            int8 .. int64, or uint8 .. uint64 where it is unsigned
//   SQL_DECIMAL(p,s), SQL_NUMERIC(p,s)   decimal(p,s); string where p is unknown or over 38
//   SQL_REAL                             float32
//   SQL_FLOAT, SQL_DOUBLE                float64
//   SQL_CHAR .. SQL_WLONGVARCHAR         string
//   SQL_BINARY .. SQL_LONGVARBINARY      binary
//   SQL_TYPE_DATE                        date
//   SQL_TYPE_TIME                        time[us]; time[ns] with more than 6 digits
//   SQL_TYPE_TIMESTAMP                   timestamp[us]; timestamp[ns] with more than 6 digits
//   SQL_GUID, SQL_INTERVAL_*, and types  string, as the driver writes it
//   of the driver's own
//
//   - Numbers, dates and times come as text, so that the driver neither rounds nor guesses: what is
//     no value of its column rejects the row (rule "type"). Where a driver does not write dates as
//     2026-11-21 08:55:00.123, `dates: binary` takes them in ODBC's structures.
//   - Timestamps are without a zone. Where the database's have one, the driver gives them in the
//     session's.
//   - A run reads in one transaction that is rolled back. Its isolation is the first that the
//     driver offers of snapshot, repeatable read and serializable; databases that keep no old
//     versions of rows (Db2, Informix) then hold read locks, which `isolation: read_committed`
//     avoids.
//   - Rows come in arrays where the lengths of all columns are known and the driver can go back to
//     a value that was longer than it said; else row by row, in pieces.
//   - Cursors are windowed. The clock is that of Oracle, PostgreSQL, MySQL, MariaDB, SQL Server and
//     Db2; of others this machine's.
//   - Text compares in a cursor as the database compares it.
#pragma once

#include "connect/connect.h"

extern const wh_connector wh_connector_odbc;
extern const wh_source_type wh_odbc_source;

typedef enum wh_odbc_dates { WH_ODBC_DATES_TEXT, WH_ODBC_DATES_BINARY } wh_odbc_dates;
typedef enum wh_odbc_isolation {
  WH_ODBC_ISOLATION_AUTO,
  WH_ODBC_READ_COMMITTED,
  WH_ODBC_REPEATABLE_READ,
  WH_ODBC_SERIALIZABLE,
} wh_odbc_isolation;

typedef struct wh_odbc_options {
  wh_str dsn, driver;
  wh_str host;
  int64_t port;
  wh_str database, user, password;
  wh_str_list options; // "KEYWORD=value"
  int dates, isolation;
  int64_t connect_timeout_us, statement_timeout_us, rows_per_second;
} wh_odbc_options;

enum {
  WH_ODBC_RAW_MAX = 64 << 10,       // bytes of a rejected row that quarantine keeps
  WH_ODBC_TABLES_MAX = 100000,      // that are looked through for a name
  WH_ODBC_TEXT_MAX = 4 << 20,       // bytes of a statement
  WH_ODBC_NAME_MAX = 1024,          // UTF-16 units of a column's name
  WH_ODBC_CELL_MAX = 32 << 10,      // bytes; what may be longer comes in pieces
  WH_ODBC_ARRAY_BYTES = 1 << 20,    // of rows that are fetched at once
  WH_ODBC_ARRAY_ROWS = 1024,        //
  WH_ODBC_PIECE_BYTES = 64 << 10,   // of a long value
  WH_ODBC_COUNT_US = 1000000,       // that counting a table's rows may take
  WH_ODBC_COUNT_ALL_US = 10000000,  // and those of all tables that are discovered
  WH_ODBC_LIBRARY_BYTES = 16 << 20, // what driver manager and driver hold for a connection, about
};
