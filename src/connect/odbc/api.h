// unixODBC, loaded when a connection first needs it: a program that reads no ODBC source neither
// needs it nor pays for it with memory.
#pragma once

#include "connect/odbc/odbc.h"

#include <sql.h>

#include <sqlext.h>

#include <sqlucode.h>

// sqltypes.h has names for these that mean something else elsewhere.
#undef TRUE
#undef FALSE

#define WH_ODBC_FUNCTIONS(X)                                                                       \
  X(SQLAllocHandle)                                                                                \
  X(SQLBindCol) X(SQLBindParameter) X(SQLCancel) X(SQLColAttributeW) X(SQLColumnsW)                \
      X(SQLDataSourcesW) X(SQLDescribeColW) X(SQLDisconnect) X(SQLDriverConnectW) X(SQLDriversW)   \
          X(SQLEndTran) X(SQLExecDirectW) X(SQLExecute) X(SQLFetch) X(SQLFreeHandle)               \
              X(SQLFreeStmt) X(SQLGetData) X(SQLGetDiagRecW) X(SQLGetInfoW) X(SQLNumParams)        \
                  X(SQLNumResultCols) X(SQLPrepareW) X(SQLPrimaryKeysW) X(SQLSetConnectAttrW)      \
                      X(SQLSetEnvAttr) X(SQLSetPos) X(SQLSetStmtAttrW) X(SQLStatisticsW)           \
                          X(SQLTablesW)

typedef struct wh_odbc_api {
#define WH_ODBC_MEMBER(function) __typeof__(&function) function;
  WH_ODBC_FUNCTIONS(WH_ODBC_MEMBER)
#undef WH_ODBC_MEMBER
} wh_odbc_api;

// Filled once for the process, by wh_odbc_load.
extern wh_odbc_api wh_odbc;

// Before any of them is called. WH_ERR_NOT_FOUND where unixODBC is not installed.
wh_status wh_odbc_load(const wh_connection *c, wh_error *err);
