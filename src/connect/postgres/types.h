// PostgreSQL's types <-> wh_type. The table of what is what stands in postgres.h.
#pragma once

#include "connect/postgres/postgres.h"
#include "connect/sql.h"

// How a value travels in the binary protocol: what the server's ..._send functions write.
typedef enum wh_pg_form {
  WH_PG_OTHER, // only as text: cast in the SELECT, and so TEXT; written by COPY in text format
  WH_PG_BOOL,
  WH_PG_INT2,
  WH_PG_INT4,
  WH_PG_INT8,
  WH_PG_OID,  // an unsigned int4
  WH_PG_XID8, // an unsigned int8
  WH_PG_FLOAT4,
  WH_PG_FLOAT8,
  WH_PG_NUMERIC,
  WH_PG_TEXT,
  WH_PG_CHAR, // text filled up with blanks
  WH_PG_BYTES,
  WH_PG_DATE,      // days since 2000
  WH_PG_TIME,      // microseconds since midnight
  WH_PG_TIMESTAMP, // microseconds since 2000
  WH_PG_UUID,
  WH_PG_JSON,
  WH_PG_JSONB, // a version, 1, and the text
  WH_PG_ARRAY,
} wh_pg_form;

// wh_sql_column.native of types that have no fixed OID.
enum {
  WH_PG_OID_ENUM = 3500,     // anyenum
  WH_PG_OID_GEOMETRY = 2276, // any: a geometry of PostGIS
  WH_PG_OID_OTHER = 705,     // unknown: what is only read and written as text
};

typedef struct wh_pg_base { // a type that comes with every server
  uint32_t oid, array_oid;
  const char *name;
  wh_pg_form form;
  wh_kind kind;
  bool zoned;
} wh_pg_base;
const wh_pg_base *wh_pg_base_of(uint32_t oid);             // NULL: not one whose form we know
const wh_pg_base *wh_pg_item_of(uint32_t oid);             // of an array of these; NULL: it is none
const wh_pg_base *wh_pg_base_of_kind(const wh_type *type); // what a new column is made with

// A type as the catalog describes it, domains taken off.
typedef struct wh_pg_type {
  uint32_t oid;
  int32_t modifier; // atttypmod; -1: none
  wh_str name, schema;
  char kind;     // pg_type.typtype: 'b' base, 'e' enum, 'c' composite, 'p' pseudo ...
  char category; // pg_type.typcategory: 'A' array ...
  uint32_t item; // of an array; 0
} wh_pg_type;

// How a column is read.
typedef struct wh_pg_reading {
  wh_type type;
  wh_pg_form form;
  wh_pg_form item_form;                                                     // of an array's items
  enum { WH_PG_AS_IS, WH_PG_AS_TEXT, WH_PG_AS_NUMERIC, WH_PG_AS_WKB } cast; // in the SELECT
  bool open_scale;    // numeric without precision: a sample decides (sample.c)
  uint32_t native;    // for wh_sql_column
  int32_t limit;      // for wh_sql_column: characters; digits of a numeric
  const char *unread; // why it cannot be read
} wh_pg_reading;

// `item` is the type of an array's items; else NULL. Item types live in the arena.
wh_status wh_pg_reading_of(const wh_pg_type *type, const wh_pg_type *item, wh_arena *arena,
                           wh_pg_reading *ret, wh_error *err);

// The verbs of a driver (connect/sql.h).
bool wh_pg_declare(const wh_type *type, bool in_key, wh_buf *out);
void wh_pg_declared(const wh_type *type, bool in_key, wh_sql_column *column);
const char *wh_pg_clash(const wh_type *type, const wh_sql_column *column);
bool wh_pg_checks(const wh_type *type, const wh_sql_column *column);
// All of them at a glance; false: some may not, see each.
bool wh_pg_fits_all(const wh_sql_column *column, const wh_column *values);
bool wh_pg_fits(const wh_sql_column *column, const wh_column *values, size_t row, char *reason);

// The form in which bulk writes a column; WH_PG_OTHER: the whole COPY is in text format.
wh_pg_form wh_pg_write_form(uint32_t native);
bool wh_pg_parse_uuid(wh_str text, uint8_t out[16]);
