// An answer and the headers that every answer carries.
#pragma once

#include "serve/server.h"

typedef struct wh_response {
  unsigned status;
  const char *type; // Content-Type
  wh_str body;
  bool is_static;           // the body outlives the server's daemons; else it is copied
  const char *allow;        // 405: methods
  const char *location;     // 3xx
  int64_t retry_after_s;    // 0: none
  bool closes;              // the connection ends with it: what follows cannot be trusted
  bool is_cacheable;        // the logo; nothing else is ever stored
  bool for_programs;        // no browser shows it
  const char *authenticate; // 401: how (RFC 9110 section 11.6.1)
} wh_response;

#define WH_TYPE_HTML "text/html; charset=utf-8"
#define WH_TYPE_JSON "application/json"
#define WH_TYPE_TEXT "text/plain; charset=utf-8"

// MHD_NO when it cannot be sent: the connection is then closed.
enum MHD_Result wh_respond(wh_server *server, struct MHD_Connection *connection,
                           const wh_response *response);
