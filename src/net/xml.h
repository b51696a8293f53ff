// XML answers, read by expat in one go. Document types are refused, so no entity can grow.
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum { WH_XML_DEPTH_MAX = 32, WH_XML_PATH_MAX = 512 };

// Told each element when it ends: `path` is "/ListBucketResult/Contents/Key" without namespaces,
// `text` what stands directly in it, both for the call. `start`, which may be NULL, is told when
// one begins. A visitor may not read XML itself.
typedef struct wh_xml_visitor {
  wh_status (*start)(void *context, wh_str path, wh_error *err);
  wh_status (*end)(void *context, wh_str path, wh_str text, wh_error *err);
  void *context;
} wh_xml_visitor;

// WH_ERR_DATA with line and column for what is no XML.
wh_status wh_xml_read(wh_mem *mem, wh_str xml, const wh_xml_visitor *visitor, wh_error *err);

// The text of the first element with that path; without data when there is none.
wh_status wh_xml_get(wh_mem *mem, wh_str xml, const char *path, wh_arena *arena, wh_str *ret,
                     wh_error *err);
// Appends text with & < > " and ' as entities.
bool wh_xml_add(wh_buf *out, wh_str text);
