// The postgres connector: a PostgreSQL database (version 12 or later; xid8, for exact
// cursors, from 13 on) as a source and as a sink.
//
//   erp:
//     type: postgres
//     host: erp.internal
//     database: erp
//     user: wherry
//     password: ${secret:erp}
//
// A `host` that begins with '/' is the folder of a Unix socket; there is no TLS on it. A pooler in
// front of the server has to keep a session with one server connection.
//
// Types, as a source. Values travel in PostgreSQL's own binary form.
//
//   bool                      bool
//   int2 int4 int8            int16 int32 int64
//   oid, xid; xid8            uint32; uint64
//   float4 float8             float32 float64
//   numeric(p,s)              decimal(p,s); where p > 38, decimal(38,s)
//   numeric                   decimal(38,s), see below
//   money                     decimal(38,s), s being what lc_monetary says
//   char(n)                   string, without the blanks that fill it up, which mean nothing
//   varchar text citext name  string
//   json jsonb xml            string
//   uuid; enum                string
//   bytea                     binary
//   date                      date
//   time, time(n)             time[s] where n = 0, time[ms] where n = 3, else time[us]
//   timestamp, timestamptz    timestamp, timestamp UTC; the unit in the same way
//   interval                  string: ISO 8601, P1Y2M3DT4H5M6S
//   timetz bit varbit, ranges, inet cidr macaddr, tsvector, points and the like, composite types,
//   hstore, and all others    string: the server's text
//   geometry, geography       binary: WKB (PostGIS)
//   T[]                       list of what T is; its lower bound is not kept
//   a domain                  what it is made from
//
// A value rejects its row (rule "type", "utf8" or "not_null") when it is an infinite or BC date or
// timestamp, the time 24:00, a numeric that is NaN or infinite or has more digits than its column
// keeps, or an array of more than one dimension.
//
// A numeric without precision: the first WH_PG_SAMPLE_ROWS rows say how many decimal places there
// are. The scale is 0 when there are none, else the next of 6, 12, 18 that holds them (so that it
// seldom changes), or their number; each time no more than leaves room for the whole digits that
// were seen. A query that says x::numeric(12,2) decides it.
//
// Rows come in one snapshot: a read-only, repeatable-read transaction. They come by COPY, the
// fastest way out of PostgreSQL, which takes no parameters: the bounds of a cursor stand in
// settings of the transaction (set_config), which the query reads, so that no value is ever part
// of its text.
//
// Cursors. A column of type xid8 is an exact cursor: each row holds the number of the transaction
// that wrote it last, kept by
//
//   CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS
//     $$ BEGIN NEW.changed := pg_current_xact_id(); RETURN NEW; END $$;
//   CREATE TRIGGER note_change BEFORE INSERT OR UPDATE ON sales_order
//     FOR EACH ROW EXECUTE FUNCTION note_change();
//
// A run reads below the oldest transaction that was still open when it began (the xmin of a
// snapshot taken before the one it reads in): what such transactions wrote is read once they have
// ended, however long they take. All other cursors are windowed, by the server's clock.
//
// Types, as a sink, of tables that it makes:
//
//   bool boolean, int8 smallint, int16 smallint, int32 integer, int64 bigint, uint8 smallint,
//   uint16 integer, uint32 bigint, uint64 numeric(20,0), float32 real, float64 double precision,
//   decimal(p,s) numeric(p,s), date date, time[u] time(0 | 3 | 6), timestamp[u] timestamp(0 | 3 |
//   6), timestamp[u,UTC] timestamptz(0 | 3 | 6), string text, binary bytea, list<T> an array; a
//   list of lists, or of structs, and a struct json, null text
//
// A text that holds a NUL character, and nanoseconds that are not whole microseconds, are not held
// by PostgreSQL: they reject their row.
#pragma once

#include "connect/connect.h"
#include "connect/server.h"

extern const wh_connector wh_connector_postgres;
extern const wh_source_type wh_pg_source;
extern const wh_sink_type wh_pg_sink;

typedef struct wh_pg_options {
  wh_server server;
  wh_str schema;
  wh_str application_name;
  wh_str tls_cert, tls_key;
} wh_pg_options;

enum {
  WH_PG_SAMPLE_ROWS = 10000,
  WH_PG_COUNT_BYTES = 8 << 20,   // counting the rows of a larger table is not cheap
  WH_PG_RAW_MAX = 64 << 10,      // bytes of a rejected row that quarantine keeps
  WH_PG_SQL_MAX = 4 << 20,       // bytes of a statement
  WH_PG_COPY_BYTES = 128 << 10,  // of rows that are sent together
  WH_PG_TABLES_MAX = 100000,     // that are looked at for a name that is nearly right
  WH_PG_RESERVE_BYTES = 2 << 20, // what libpq holds for a source and a sink, small rows given
};
