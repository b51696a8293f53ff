// Percent-encoding (RFC 3986), as AWS wants it in paths, queries and forms: all but A-Z a-z 0-9 - .
// _ ~ is encoded, with upper-case digits.
#pragma once

#include "base/buf.h"

bool wh_uri_add(wh_buf *out, wh_str text);      // "a/b c" -> "a%2Fb%20c"
bool wh_uri_add_path(wh_buf *out, wh_str text); // "a/b c" -> "a/b%20c"
// Decodes %XX where two digits follow; everything else stays, '+' too.
bool wh_uri_add_decoded(wh_buf *out, wh_str text);
// "&name=value", or without '&' where `out` is empty; both are encoded.
bool wh_uri_add_param(wh_buf *out, const char *name, wh_str value);
