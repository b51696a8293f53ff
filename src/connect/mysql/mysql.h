// The mysql connector: MySQL (5.7 and later as a source, 8.0.17 and later as a sink) and MariaDB
// (10.2 and later) as a source and as a sink.
//
//   shop:
//     type: mysql
//     host: db.example.org      # a path ("/run/mysqld/mysqld.sock") is a Unix socket, without TLS
//     database: shop
//     user: wherry
//     password: ${secret:shop}
//
// As a source, columns are read as
//
//   tinyint(1)                        bool; with `booleans: off` int8. A 2 rejects its row
//   tinyint .. bigint                 int8 16 32 64; UNSIGNED: uint8 16 32 64
//   bit(1), bit(n)                    bool, uint64
//   float, double                     float32, float64
//   decimal(p,s)                      decimal(p,s); beyond 38 digits decimal(38,s), and rows whose
//                                     value has more are rejected
//   char .. longtext, enum, set,      string, whatever their character set
//   json, uuid, inet4, inet6
//   binary .. longblob                binary
//   geometry and its kinds            binary: WKB, without the SRID
//   date                              date
//   time(n)                           time[us]; below 0:00 or from 24:00 on the row is rejected
//   datetime(n)                       timestamp[us]
//   timestamp(n)                      timestamp[us,UTC]
//   year                              int16
//
//   - '0000-00-00' rejects its row, or is read as NULL with `zero_dates: "null"`. Dates with a day
//     or a month that is not, '2026-00-00', are rejected in any case.
//   - A value that does not fit its column rejects the row (rule "type", "not_null" or "utf8").
//   - A run reads in one snapshot: START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY. Tables
//     whose engine has no transactions (MyISAM) are read as they are.
//   - Rows come in the binary protocol, one after the other as the server sends them: neither side
//     holds more than a few. `statement_timeout` counts for the reading as a whole.
//   - The bookkeeping column and the tables named _wherry_* are not shown.
//   - Cursors are windowed: no column of these servers orders its rows by commit. Text is compared
//     by its bytes, whatever the collation.
//
// As a sink every write mode is exact: rows and mark commit in one transaction. Rows go in bulk by
// LOAD DATA LOCAL from memory, or, where the server has local_infile off, by prepared INSERTs of
// many rows. Each warning of the server is an error that rejects a row. Tables without transactions
// and views are refused. Columns of new tables (InnoDB) are
//
//   bool                 BOOLEAN
//   int8 .. uint64       TINYINT .. BIGINT UNSIGNED
//   float32, float64     FLOAT, DOUBLE                NaN and infinities are rejected; -0
//                                                     becomes 0, which is equal
//   decimal(p,s)         DECIMAL(p,s)                 MySQL: at most 30 places
//   date                 DATE                         years 1 to 9999
//   time[u]              TIME(6)                      what is finer than a microsecond is rejected
//   timestamp[u]         DATETIME(6)                  likewise
//   timestamp[u,UTC]     TIMESTAMP(6)                 1970-01-01T00:00:01 to 2038-01-19T03:14:07
//   string               LONGTEXT, in a key VARCHAR(255), both utf8mb4 and compared by bytes:
//                        utf8mb4_nopad_bin (MariaDB), utf8mb4_0900_bin (MySQL)
//   binary               LONGBLOB, in a key VARBINARY(255)
//   list, struct         LONGTEXT with JSON; reads back as string
//
// Text keys have 255 characters so that three of them go into one index (3072 bytes).
#pragma once

#include "connect/connect.h"
#include "connect/server.h"

extern const wh_connector wh_connector_mysql;
extern const wh_source_type wh_mysql_source;
extern const wh_sink_type wh_mysql_sink;

typedef enum wh_mysql_zero_dates { WH_MYSQL_ZERO_REJECT, WH_MYSQL_ZERO_NULL } wh_mysql_zero_dates;

typedef struct wh_mysql_options {
  wh_server server;
  int zero_dates; // wh_mysql_zero_dates
  bool booleans;  // tinyint(1) is bool
} wh_mysql_options;

enum {
  WH_MYSQL_KEY_CHARACTERS = 255,      // of a text column in a key of a new table
  WH_MYSQL_RAW_MAX = 64 << 10,        // bytes of a rejected row that quarantine keeps
  WH_MYSQL_TABLES_MAX = 100000,       // that are looked through for a similar name
  WH_MYSQL_LOAD_BYTES = 64 << 10,     // of encoded rows at a time
  WH_MYSQL_INSERT_ROWS = 128,         // of one INSERT, where LOAD DATA is forbidden
  WH_MYSQL_INSERT_BYTES = 1 << 20,    // likewise, about
  WH_MYSQL_PARAMS_MAX = 65535,        // of a prepared statement
  WH_MYSQL_LIBRARY_BYTES = 512 << 10, // what the client library holds for a connection, about
};
