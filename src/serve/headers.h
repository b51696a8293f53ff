// What a request's headers say before its body is read.
#pragma once

#include "serve/server.h"

// The value of a header; empty where there is none.
wh_str wh_header_of(struct MHD_Connection *connection, const char *name);

// Who asks, as far as it can be believed: what the limits count.
wh_ip wh_asker_of(const wh_server *server, struct MHD_Connection *connection);

// How the message is delimited.
typedef struct wh_framing {
  unsigned lengths, encodings, hosts;
  bool is_odd;
  uint64_t length;
} wh_framing;
wh_framing wh_framing_of(struct MHD_Connection *connection);
// Whether two programs could read it in two ways (RFC 9112 section 6.3, 11.2): a proxy in front of
// us may have read it the other way, so that it is refused.
bool wh_framing_is_doubtful(const wh_framing *framing);
