#include "serve/allowed.h"

#include "base/crypto.h"
#include "serve/headers.h"

bool wh_ingest_allows(const wh_ingest *ingest, struct MHD_Connection *connection) {
  static const char scheme[] = "Bearer ";
  if (!ingest->auth) return true;
  wh_str given = wh_header_of(connection, "Authorization");
  size_t len = sizeof scheme - 1;
  if (!wh_str_eq_nocase(wh_str_sub(given, 0, len), wh_str_n(scheme, len))) return false;
  return wh_equal_in_constant_time(wh_str_sub(given, len, given.len), ingest->api_key);
}
