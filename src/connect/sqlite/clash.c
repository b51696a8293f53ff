// Which values may go into which existing columns. What would come out other than it went in is
// refused, except where single values decide (the encoder rejects those).
#include "connect/sqlite/sink.h"

#include "data/number.h"

static bool is_time(wh_kind kind) {
  return kind == WH_DATE || kind == WH_TIME || kind == WH_TIMESTAMP;
}

static bool is_nested(wh_kind kind) {
  return kind == WH_LIST || kind == WH_STRUCT;
}

static bool is_float(wh_kind kind) {
  return kind == WH_FLOAT32 || kind == WH_FLOAT64;
}

static bool int_within(wh_kind inner, wh_kind outer) {
  __int128 inner_least, inner_most, least, most;
  wh_int_range(inner, &inner_least, &inner_most);
  wh_int_range(outer, &least, &most);
  return inner_least >= least && inner_most <= most;
}

// Tables of ours: the declaration is the type.
static const char *own_clash(const wh_type *t, const wh_sqlite_column *c) {
  wh_type e = wh_sqlite_decl_parse(c->declared).exact;
  if (e.kind == WH_NULL || t->kind == WH_NULL) return NULL;
  if (is_nested(t->kind))
    return wh_str_is(c->declared, "JSON") ? NULL : "keeps no lists or structures";
  if (wh_str_is(c->declared, "JSON")) return "keeps lists or structures";
  if (wh_kind_is_int(t->kind) && wh_kind_is_int(e.kind))
    return int_within(t->kind, e.kind) ? NULL : "keeps smaller numbers";
  if (t->kind == WH_FLOAT32 && e.kind == WH_FLOAT64) return NULL;
  if (t->kind != e.kind) return "keeps another type";
  if (t->kind == WH_DECIMAL)
    return e.scale >= t->scale && e.precision - e.scale >= t->precision - t->scale
               ? NULL
               : "keeps fewer digits";
  if (t->kind == WH_TIMESTAMP && t->zoned != e.zoned)
    return e.zoned ? "keeps times with a zone" : "keeps times without a zone";
  return NULL;
}

static const char *number_clash(const wh_type *t, const wh_sqlite_column *c,
                                wh_sqlite_affinity affinity) {
  if (c->seen && is_time(c->type.kind)) return "holds dates or times";
  if (affinity == WH_SQLITE_AFF_TEXT)
    return t->kind == WH_DECIMAL || t->kind == WH_UINT64 ? NULL : "keeps text";
  if (is_float(t->kind) || (t->kind == WH_DECIMAL && t->scale > 0))
    return affinity == WH_SQLITE_AFF_INTEGER ? "keeps whole numbers" : NULL;
  bool is_wide = t->kind == WH_INT64 || t->kind == WH_UINT64;
  return is_wide && affinity == WH_SQLITE_AFF_REAL ? "keeps floats, which round large numbers"
                                                   : NULL;
}

static const char *time_clash(const wh_type *t, const wh_sqlite_column *c,
                              wh_sqlite_affinity affinity) {
  if (affinity == WH_SQLITE_AFF_INTEGER || affinity == WH_SQLITE_AFF_REAL) return "keeps numbers";
  if (!c->seen || affinity == WH_SQLITE_AFF_TEXT) return NULL;
  if (wh_kind_is_int(c->type.kind) || is_float(c->type.kind)) return "holds numbers";
  if (t->kind != WH_TIMESTAMP || c->type.kind != WH_TIMESTAMP || t->zoned == c->type.zoned)
    return NULL;
  return c->type.zoned ? "holds times with a zone" : "holds times without a zone";
}

const char *wh_sqlite_clash(const wh_type *t, const wh_sqlite_column *c, bool is_own) {
  if (is_own) return own_clash(t, c);
  wh_sqlite_affinity affinity = wh_sqlite_affinity_of(c->declared);
  bool keeps_text = affinity == WH_SQLITE_AFF_TEXT || affinity == WH_SQLITE_AFF_NONE;
  switch (t->kind) {
  case WH_NULL:
    return NULL;
  case WH_STRING:
    return keeps_text ? NULL : "turns text that looks like a number into one";
  case WH_BINARY:
    return affinity == WH_SQLITE_AFF_NONE || wh_sqlite_decl_parse(c->declared).is == WH_SQLITE_BLOB
               ? NULL
               : "keeps no binary";
  case WH_LIST:
  case WH_STRUCT:
    return keeps_text || affinity == WH_SQLITE_AFF_NUMERIC ? NULL : "keeps numbers";
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return time_clash(t, c, affinity);
  default:
    return number_clash(t, c, affinity);
  }
}
