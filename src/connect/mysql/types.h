// The servers' types and ours; the table is in mysql.h.
#pragma once

#include "connect/mysql/session.h"

// Sets in which texts differ when their bytes do; the plain _bin ones take no notice of spaces at
// the end.
#define WH_MYSQL_TEXT_SET   "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"
#define WH_MARIADB_TEXT_SET "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"

// What a column is to the server, in wh_sql_column.native: this, and beside it the digits of
// fractions of seconds (datetime(3)) and whether it is unsigned.
typedef enum wh_mysql_native {
  WH_MYSQL_OTHER,
  WH_MYSQL_INT,
  WH_MYSQL_YEAR,
  WH_MYSQL_BIT,
  WH_MYSQL_DECIMAL,
  WH_MYSQL_FLOAT,
  WH_MYSQL_DOUBLE,
  WH_MYSQL_DATE,
  WH_MYSQL_TIME,
  WH_MYSQL_DATETIME,
  WH_MYSQL_TIMESTAMP,
  WH_MYSQL_CHAR,
  WH_MYSQL_VARCHAR,
  WH_MYSQL_TEXT,
  WH_MYSQL_BINARY,
  WH_MYSQL_VARBINARY,
  WH_MYSQL_BLOB,
  WH_MYSQL_ENUM,
  WH_MYSQL_SET,
  WH_MYSQL_JSON,
  WH_MYSQL_UUID,
  WH_MYSQL_INET, // inet4, inet6
  WH_MYSQL_GEOMETRY,
} wh_mysql_native;

enum { WH_MYSQL_DIGITS_SHIFT = 8, WH_MYSQL_UNSIGNED = 1 << 16 };

static inline wh_mysql_native wh_mysql_native_of(const wh_sql_column *c) {
  return (wh_mysql_native)(c->native & 0xFF);
}
static inline int wh_mysql_digits_of(const wh_sql_column *c) {
  return (int)(c->native >> WH_MYSQL_DIGITS_SHIFT & 0xFF);
}

// By the words of information_schema: data_type "bigint", column_type "bigint(20) unsigned".
uint32_t wh_mysql_native_parse(wh_str data_type, wh_str column_type);

// How values come over the line.
typedef enum wh_mysql_wire {
  WH_MYSQL_WIRE_NONE, // nothing but NULL
  WH_MYSQL_WIRE_INT8,
  WH_MYSQL_WIRE_INT16,
  WH_MYSQL_WIRE_INT32,
  WH_MYSQL_WIRE_INT64,
  WH_MYSQL_WIRE_FLOAT,
  WH_MYSQL_WIRE_DOUBLE,
  WH_MYSQL_WIRE_DECIMAL, // as text
  WH_MYSQL_WIRE_DAY,     // year, month, day, time: as much of it as is not zero
  WH_MYSQL_WIRE_TIME,
  WH_MYSQL_WIRE_BIT,
  WH_MYSQL_WIRE_BYTES,
  WH_MYSQL_WIRE_GEOMETRY, // 4 bytes of SRID, WKB
} wh_mysql_wire;

typedef struct wh_mysql_field {
  wh_type type; // that it is read as
  wh_mysql_wire wire;
  bool is_unsigned;
} wh_mysql_field;
wh_mysql_field wh_mysql_field_of(const MYSQL_FIELD *field, const wh_mysql_options *options);

// The types of the driver (connect/sql.h).
bool wh_mysql_declare(const wh_type *type, bool in_key, wh_buf *out);
bool wh_mariadb_declare(const wh_type *type, bool in_key, wh_buf *out);
void wh_mysql_declared(const wh_type *type, bool in_key, wh_sql_column *column);
const char *wh_mysql_clash(const wh_type *type, const wh_sql_column *column);
bool wh_mysql_checks(const wh_type *type, const wh_sql_column *column);
bool wh_mysql_fits(const wh_sql_column *column, const wh_column *values, size_t row, char *reason);
