// The sqlserver connector: SQL Server (2016 and later) and Azure SQL Database as a source and as a
// sink, through FreeTDS' db-lib, TDS 7.4.
//
//   erp:
//     type: sqlserver
//     host: erp.example.org     # Azure: NAME.database.windows.net
//     database: erp
//     user: wherry              # without: Kerberos, with the ticket that the system has
//     password: ${secret:erp}
//
// The line:
//   - `tls: verify` (the default): encrypted, the certificate is signed by an authority of the
//     system (or of `tls_ca`) and is for the name in `host`. `require`: encrypted, to whoever
//     answers. `off`: nothing is encrypted, the password neither. Azure SQL wants one of the first.
//   - FreeTDS 1.3 encrypts inside TDS (7.4); "strict" encryption (TDS 8) is not among what it
//   knows,
//     nor is a client's own certificate. Why a certificate is refused it does not say: Wherry then
//     asks for the certificate once more by itself, and says it (probe.h).
//   - It takes settings from a file alone: one is made in memory, without user and password. Its
//     environment variables TDSHOST, TDSPORT, TDSVER and TDSDUMP win over it.
//   - Logins: of SQL Server, and Kerberos (SSPI by GSSAPI) where `user` is left out. Entra (Azure
//     AD) tokens cannot be carried: FreeTDS has no FEDAUTH. Give the program a contained database
//     user (CREATE USER ... WITH PASSWORD).
//
// As a source, columns are read as
//
//   bit                               bool
//   tinyint, smallint, int, bigint    uint8, int16, int32, int64
//   decimal(p,s), numeric(p,s)        decimal(p,s)
//   money, smallmoney                 decimal(19,4), decimal(10,4)
//   real, float                       float32, float64
//   char .. nvarchar(max), text,      string, whatever their code page
//   ntext, xml, sysname, json
//   binary .. varbinary(max), image   binary
//   uniqueidentifier                  string: 36 characters in upper case
//   date                              date
//   time(0..6), time(7)               time[us], time[ns]
//   datetime, smalldatetime           timestamp[us]; datetime to its milliseconds
//   datetime2(0..6), datetime2(7)     timestamp[us], timestamp[ns]
//   datetimeoffset(0..6),             timestamp[us,UTC], timestamp[ns,UTC]; the offset is
//   datetimeoffset(7)                 taken off
//   rowversion (timestamp)            uint64
//   hierarchyid                       string: "/1/2/", by ToString()
//   geometry, geography               binary: WKB, by STAsBinary(), without the SRID
//   sql_variant, vector, own CLR      refused when the column is asked for: CAST it in a `query`
//   types
//
//   - Nanoseconds reach from 1677-09-21 to 2262-04-11: a row with a datetime2(7) beyond is rejected
//     (rule "type"). CAST the column to datetime2(6) in a `query` where such dates stand for "for
//     ever".
//   - A run reads in one snapshot where the database allows it (ALTER DATABASE ... SET
//     ALLOW_SNAPSHOT_ISOLATION ON; Azure SQL: always). Elsewhere it reads what is committed: a row
//     that moves while it is read may be missing, but then it changed, and a later run with a
//     cursor reads it. Everything is rolled back at the end, so that a query that writes changes
//     nothing.
//   - Rows come one after the other as the server sends them.
//   - Cursors: a rowversion column is exact. It is read up to min_active_rowversion(), taken before
//     the snapshot: no transaction under way can commit below it. All others are windowed.
//   - Text compares by its characters' codes (Latin1_General_100_BIN2), whatever its collation.
//   - The bookkeeping column and the tables named _wherry_* are not shown.
//
// As a sink every write mode is exact: rows and mark commit in one transaction. Rows go by TDS bulk
// copy into a #temporary table of the session, and from there by one guarded UPDATE and one INSERT
// (with UPDLOCK, HOLDLOCK; no MERGE). Views, memory-optimised and history tables are refused.
// Columns of new tables are
//
//   bool                 bit
//   int8, int16          smallint       uint8        tinyint
//   int32, uint16        int
//   int64, uint32        bigint         uint64       decimal(20,0)
//   float32, float64     real, float    NaN and infinities are rejected
//   decimal(p,s)         decimal(p,s)
//   date                 date           years 1 to 9999
//   time[u]              time(n)        with the digits of its unit: 0, 3, 6; of time[ns] 7: what
//   is timestamp[u]         datetime2(n)   finer than 100 nanoseconds is rejected timestamp[u,UTC]
//   datetimeoffset(n), at +00:00 string               nvarchar(max), in a key nvarchar(255) by code
//   (Latin1_General_100_BIN2) binary               varbinary(max), in a key varbinary(255) list,
//   struct         nvarchar(max) with JSON; reads back as string
//
// Columns of an existing table that are text, ntext, image, xml, hierarchyid, geometry, geography,
// sql_variant, rowversion, identity or computed are not written.
#pragma once

#include "connect/connect.h"
#include "connect/server.h"

extern const wh_connector wh_connector_sqlserver;
extern const wh_source_type wh_mssql_source;
extern const wh_sink_type wh_mssql_sink;

typedef struct wh_mssql_options {
  wh_server server;
  wh_str server_principal; // of Kerberos; empty: MSSQLSvc/HOST:PORT
  bool read_only_replica;  // ApplicationIntent=ReadOnly, of sources
} wh_mssql_options;

enum {
  WH_MSSQL_KEY_CHARACTERS = 255,      // of a text column in a key of a new table
  WH_MSSQL_RAW_MAX = 64 << 10,        // bytes of a rejected row that quarantine keeps
  WH_MSSQL_TABLES_MAX = 100000,       // that are looked through for a similar name
  WH_MSSQL_LOGIN_TEXT_MAX = 128,      // characters of a name or password at login
  WH_MSSQL_PATH_MAX = 200,            // bytes of `tls_ca`: a line of FreeTDS' settings has 255
  WH_MSSQL_PARAM_MAX = 4000,          // bytes of a parameter that goes as nvarchar(4000)
  WH_MSSQL_PACKET_BYTES = 16000,      // of the protocol; a TLS record has 16384
  WH_MSSQL_LIBRARY_BYTES = 512 << 10, // what the client library holds for a connection, about
};
