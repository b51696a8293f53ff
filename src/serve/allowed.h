// Whether a sender may send to an endpoint: by its API key (RFC 6750 section 2.1 has the form).
#pragma once

#include "config/config.h"

#include <microhttpd.h>

// True where the endpoint asks nobody.
bool wh_ingest_allows(const wh_ingest *ingest, struct MHD_Connection *connection);
