#include "serve/auth_connection.h"

#include <microhttpd.h>

typedef struct search {
  wh_str name;
  wh_str first;
  size_t count;
} search;

static enum MHD_Result look(void *context, enum MHD_ValueKind kind, const char *key,
                            const char *value) {
  (void)kind;
  search *s = context;
  if (!wh_str_eq_nocase(wh_str_of(key), s->name)) return MHD_YES;
  if (!s->count++) s->first = wh_str_of(value ? value : "");
  return MHD_YES;
}

size_t wh_auth_connection_header(void *connection, const char *name, wh_str *ret_first) {
  search s = {.name = wh_str_of(name)};
  MHD_get_connection_values(connection, MHD_HEADER_KIND, look, &s);
  if (s.count) *ret_first = s.first;
  return s.count;
}
