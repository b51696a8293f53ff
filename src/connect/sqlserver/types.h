// The server's types and ours; the table is in sqlserver.h.
#pragma once

#include "connect/sqlserver/session.h"
#include "data/batch.h"

// In which texts are ordered by their characters' codes. Spaces at the end still do not count.
#define WH_MSSQL_BY_CODE "Latin1_General_100_BIN2"

// What a column is to the server: wh_sql_column.native, with the digits of fractions of seconds,
// the code page of a text that is not Unicode, and whether the server fills it with numbers.
typedef enum wh_mssql_native {
  WH_MSSQL_OTHER,
  WH_MSSQL_BIT,
  WH_MSSQL_TINYINT,
  WH_MSSQL_SMALLINT,
  WH_MSSQL_INT,
  WH_MSSQL_BIGINT,
  WH_MSSQL_DECIMAL,
  WH_MSSQL_MONEY,
  WH_MSSQL_SMALLMONEY,
  WH_MSSQL_REAL,
  WH_MSSQL_FLOAT,
  WH_MSSQL_DATE,
  WH_MSSQL_TIME,
  WH_MSSQL_DATETIME,
  WH_MSSQL_SMALLDATETIME,
  WH_MSSQL_DATETIME2,
  WH_MSSQL_DATETIMEOFFSET,
  WH_MSSQL_CHAR,
  WH_MSSQL_VARCHAR,
  WH_MSSQL_NCHAR,
  WH_MSSQL_NVARCHAR,
  WH_MSSQL_TEXT,
  WH_MSSQL_NTEXT,
  WH_MSSQL_BINARY,
  WH_MSSQL_VARBINARY,
  WH_MSSQL_IMAGE,
  WH_MSSQL_UUID,
  WH_MSSQL_XML,
  WH_MSSQL_JSON,
  WH_MSSQL_ROWVERSION,
  WH_MSSQL_HIERARCHY,
  WH_MSSQL_GEOMETRY, // geography, too
  WH_MSSQL_VARIANT,
} wh_mssql_native;

enum {
  WH_MSSQL_DIGITS_SHIFT = 6,
  WH_MSSQL_IDENTITY = 1 << 10,
  WH_MSSQL_OTHER_PAGE = 1 << 11, // than the database's
  WH_MSSQL_PAGE_SHIFT = 16,
  WH_MSSQL_UTF8_PAGE = 65001,
  WH_MSSQL_TICK_DIGITS = 7, // the finest: 100 nanoseconds
};

static inline wh_mssql_native wh_mssql_native_of(const wh_sql_column *c) {
  return (wh_mssql_native)(c->native & 0x3F);
}
static inline int wh_mssql_digits_of(const wh_sql_column *c) {
  return (int)(c->native >> WH_MSSQL_DIGITS_SHIFT & 0xF);
}
static inline uint32_t wh_mssql_page_of(const wh_sql_column *c) {
  return c->native >> WH_MSSQL_PAGE_SHIFT;
}
static inline bool wh_mssql_is_unicode(const wh_sql_column *c) {
  wh_mssql_native n = wh_mssql_native_of(c);
  return n == WH_MSSQL_NCHAR || n == WH_MSSQL_NVARCHAR || n == WH_MSSQL_NTEXT;
}

// As sys.columns has it: the type's name and max_length (bytes; -1: max), precision, scale,
// collation and its code page. Fills in type, declared, native, limit, folds and unread.
typedef struct wh_mssql_catalog_type {
  wh_str name;
  int64_t bytes, precision, scale;
  wh_str collation;
  int64_t page;
} wh_mssql_catalog_type;
wh_status wh_mssql_type_column(const wh_mssql_catalog_type *t, wh_arena *arena,
                               wh_sql_column *column, wh_error *err);

// The types of the driver (connect/sql.h).
bool wh_mssql_declare(const wh_type *type, bool in_key, wh_buf *out);
void wh_mssql_declared(const wh_type *type, bool in_key, wh_sql_column *column);
const char *wh_mssql_clash(const wh_type *type, const wh_sql_column *column);
bool wh_mssql_checks(const wh_type *type, const wh_sql_column *column);
bool wh_mssql_fits(const wh_sql_column *column, const wh_column *values, size_t row, char *reason);

// UTF-8 in a code page of Windows; false where a character has none there. `out` may be NULL.
bool wh_mssql_to_page(uint32_t page, wh_str text, wh_buf *out);
