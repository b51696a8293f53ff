// Why no trusted line to a server comes about: FreeTDS does not tell. Shakes hands once more, with
// OpenSSL, and goes.
#pragma once

#include "connect/server.h"

typedef enum wh_mssql_line {
  WH_MSSQL_LINE_UNKNOWN, // all seems well, or nobody answers
  WH_MSSQL_LINE_PLAIN,   // the server does not encrypt
  WH_MSSQL_LINE_OTHER_NAME,
  WH_MSSQL_LINE_EXPIRED,
  WH_MSSQL_LINE_UNSIGNED,   // by an authority that is trusted
  WH_MSSQL_LINE_NO_TRUSTED, // `tls_ca` has no certificates
} wh_mssql_line;

// Waits as long as a login does.
wh_mssql_line wh_mssql_probe(const wh_server *server);
