// Values -> what TDS bulk copy takes: the server's own binary forms, texts in the encoding of their
// column, since the library does not convert them on this way.
#pragma once

#include "connect/sqlserver/types.h"

typedef struct wh_mssql_cell {
  int type; // db-lib's
  union {
    uint8_t u8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
    DBMONEY money;
    DBMONEY4 small_money;
    DBNUMERIC numeric;
    DBDATETIME datetime;
    DBDATETIME4 small_datetime;
    DBDATETIMEALL time;
    uint8_t uuid[16];
  } as;
  wh_buf text;
  const BYTE *data;
  DBINT len; // as bcp_collen takes it: 0: NULL; -1: an empty text
} wh_mssql_cell;

int wh_mssql_bulk_type(const wh_sql_column *column);
// Fills in data and len. The value fits (wh_mssql_fits).
wh_status wh_mssql_encode(const wh_column *values, size_t row, const wh_sql_column *column,
                          wh_mssql_cell *cell, wh_error *err);

// Bytes of the digits of a decimal of that precision on the line.
int wh_mssql_decimal_bytes(int precision);

wh_status wh_mssql_bulk(wh_sql_session *s, const wh_sql_bulk *bulk, wh_error *err);
