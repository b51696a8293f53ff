// A request's headers as libmicrohttpd has them, for wh_auth_request.header; the context is the
// struct MHD_Connection.
#pragma once

#include "base/str.h"

size_t wh_auth_connection_header(void *connection, const char *name, wh_str *ret_first);
