#include "connect/odbc/types.h"

enum { MICROSECOND_DIGITS = 6 };

static wh_type decimal_of(const wh_odbc_column *c) {
  // Oracle knows NUMBER(10,-2), hundreds, and NUMBER(2,5), 0.00012.
  int scale = c->digits > 0 ? c->digits : 0;
  int64_t precision = (int64_t)c->size + (c->digits < 0 ? -c->digits : 0);
  if (precision < scale) precision = scale;
  if (c->size == 0 || precision > WH_DECIMAL_DIGITS_MAX) return wh_type_of(WH_STRING);
  wh_type type = wh_type_of(WH_DECIMAL);
  type.precision = (uint8_t)precision;
  type.scale = (uint8_t)scale;
  return type;
}

static wh_type time_of(wh_kind kind, const wh_odbc_column *c) {
  wh_type type = wh_type_of(kind);
  if (c->digits > MICROSECOND_DIGITS) type.unit = WH_UNIT_NS;
  return type;
}

void wh_odbc_set_type(wh_odbc_column *c, bool is_unsigned) {
  switch (c->sql_type) {
  case SQL_BIT:
    c->sql.type = wh_type_of(WH_BOOL);
    break;
  case SQL_TINYINT:
    c->sql.type = wh_type_of(is_unsigned ? WH_UINT8 : WH_INT8);
    break;
  case SQL_SMALLINT:
    c->sql.type = wh_type_of(is_unsigned ? WH_UINT16 : WH_INT16);
    break;
  case SQL_INTEGER:
    c->sql.type = wh_type_of(is_unsigned ? WH_UINT32 : WH_INT32);
    break;
  case SQL_BIGINT:
    c->sql.type = wh_type_of(is_unsigned ? WH_UINT64 : WH_INT64);
    break;
  case SQL_DECIMAL:
  case SQL_NUMERIC:
    c->sql.type = decimal_of(c);
    break;
  case SQL_REAL:
    c->sql.type = wh_type_of(WH_FLOAT32);
    break;
  case SQL_FLOAT:
  case SQL_DOUBLE:
    c->sql.type = wh_type_of(WH_FLOAT64);
    break;
  case SQL_BINARY:
  case SQL_VARBINARY:
  case SQL_LONGVARBINARY:
    c->sql.type = wh_type_of(WH_BINARY);
    break;
  case SQL_TYPE_DATE:
    c->sql.type = wh_type_of(WH_DATE);
    break;
  case SQL_TIME: // of ODBC 2
  case SQL_TYPE_TIME:
    c->sql.type = time_of(WH_TIME, c);
    break;
  case SQL_TIMESTAMP: // of ODBC 2
  case SQL_TYPE_TIMESTAMP:
    c->sql.type = time_of(WH_TIMESTAMP, c);
    break;
  default: // ODBC 2's date has the number of SQL_DATETIME, which no column is
    c->sql.type = wh_type_of(c->sql_type == SQL_DATE ? WH_DATE : WH_STRING);
    break;
  }
}
