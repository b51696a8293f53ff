#include "net/xml.h"

#include <expat.h>
#include <limits.h>

// expat's hooks know no context, so this thread's parser has the accountant that was set last: a
// visitor may not read XML itself.
static _Thread_local wh_mem *expat_mem;

static void *expat_alloc(size_t size) {
  return wh_mem_alloc_unsized(expat_mem, size);
}

static void *expat_realloc(void *block, size_t size) {
  return wh_mem_realloc_unsized(expat_mem, block, size);
}

static void expat_release_block(void *block) {
  wh_mem_free_unsized(expat_mem, block);
}

typedef struct reading {
  const wh_xml_visitor *visitor;
  XML_Parser parser;
  wh_mem *mem;
  char path[WH_XML_PATH_MAX];
  size_t lengths[WH_XML_DEPTH_MAX]; // of the path above each element
  size_t depth, len;
  wh_buf text[WH_XML_DEPTH_MAX];
  wh_status status;
  wh_error *err;
} reading;

static void stop(reading *r, wh_status status) {
  if (r->status == WH_OK) r->status = status;
  XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *context, const char *name, const char **attributes) {
  reading *r = context;
  (void)attributes;
  if (r->status != WH_OK) return;
  const char *colon = strchr(name, ':');
  if (colon) name = colon + 1;
  size_t size = strlen(name);
  if (r->depth == WH_XML_DEPTH_MAX || r->len + 1 + size >= sizeof r->path) {
    stop(r, wh_fail(r->err, WH_ERR_LIMIT, "XML is nested deeper than %d, or its names are too long",
                    WH_XML_DEPTH_MAX));
    return;
  }
  wh_buf_clear(&r->text[r->depth]);
  r->lengths[r->depth++] = r->len;
  r->path[r->len++] = '/';
  memcpy(r->path + r->len, name, size);
  r->len += size;
  if (!r->visitor->start) return;
  wh_status status = r->visitor->start(r->visitor->context, wh_str_n(r->path, r->len), r->err);
  if (status != WH_OK) stop(r, status);
}

static void on_text(void *context, const char *data, int len) {
  reading *r = context;
  if (r->status != WH_OK || r->depth == 0) return;
  if (!wh_buf_add(&r->text[r->depth - 1], data, (size_t)len)) stop(r, wh_fail_memory(r->err));
}

static void on_end(void *context, const char *name) {
  reading *r = context;
  (void)name;
  if (r->status != WH_OK) return;
  wh_str path = {r->path, r->len}, text = wh_buf_str(&r->text[r->depth - 1]);
  wh_status status = r->visitor->end(r->visitor->context, path, text, r->err);
  if (status != WH_OK) stop(r, status);
  r->len = r->lengths[--r->depth];
}

static void on_doctype(void *context, const char *name, const char *system_id,
                       const char *public_id, int has_subset) {
  reading *r = context;
  (void)name, (void)system_id, (void)public_id, (void)has_subset;
  stop(r, wh_fail(r->err, WH_ERR_DATA, "XML with a document type, which no service sends"));
}

static wh_status parse(reading *r, wh_str xml) {
  XML_SetUserData(r->parser, r);
  XML_SetElementHandler(r->parser, on_start, on_end);
  XML_SetCharacterDataHandler(r->parser, on_text);
  XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
  if (xml.len > INT_MAX) return wh_fail(r->err, WH_ERR_LIMIT, "XML of %zu bytes", xml.len);
  if (XML_Parse(r->parser, xml.data, (int)xml.len, 1) == XML_STATUS_OK || r->status != WH_OK)
    return r->status;
  enum XML_Error code = XML_GetErrorCode(r->parser);
  if (code == XML_ERROR_NO_MEMORY) return wh_fail_memory(r->err);
  return wh_fail(r->err, WH_ERR_DATA, "not XML at line %lu, column %lu: %s",
                 XML_GetCurrentLineNumber(r->parser), XML_GetCurrentColumnNumber(r->parser) + 1,
                 XML_ErrorString(code));
}

wh_status wh_xml_read(wh_mem *mem, wh_str xml, const wh_xml_visitor *visitor, wh_error *err) {
  reading r = {.visitor = visitor, .mem = mem, .err = err};
  static const XML_Memory_Handling_Suite hooks = {expat_alloc, expat_realloc, expat_release_block};
  expat_mem = mem;
  r.parser = XML_ParserCreate_MM(NULL, &hooks, NULL);
  if (!r.parser) return wh_fail_memory(err);
  for (size_t i = 0; i < WH_XML_DEPTH_MAX; i++)
    wh_buf_init(&r.text[i], mem, 0);
  wh_status status = parse(&r, xml);
  for (size_t i = 0; i < WH_XML_DEPTH_MAX; i++)
    wh_buf_free(&r.text[i]);
  XML_ParserFree(r.parser);
  return status;
}

typedef struct wanted {
  wh_str path;
  wh_arena *arena;
  wh_str found;
} wanted;

static wh_status take_wanted(void *context, wh_str path, wh_str text, wh_error *err) {
  wanted *w = context;
  if (w->found.data || !wh_str_eq(path, w->path)) return WH_OK;
  w->found = wh_arena_str(w->arena, text);
  return w->found.data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_xml_get(wh_mem *mem, wh_str xml, const char *path, wh_arena *arena, wh_str *ret,
                     wh_error *err) {
  wanted w = {.path = wh_str_of(path), .arena = arena};
  wh_xml_visitor visitor = {.end = take_wanted, .context = &w};
  WH_TRY(wh_xml_read(mem, xml, &visitor, err));
  *ret = w.found;
  return WH_OK;
}

bool wh_xml_add(wh_buf *out, wh_str text) {
  bool ok = true;
  for (size_t i = 0; ok && i < text.len; i++) {
    switch (text.data[i]) {
    case '&':
      ok = wh_buf_add_c(out, "&amp;");
      break;
    case '<':
      ok = wh_buf_add_c(out, "&lt;");
      break;
    case '>':
      ok = wh_buf_add_c(out, "&gt;");
      break;
    case '"':
      ok = wh_buf_add_c(out, "&quot;");
      break;
    case '\'':
      ok = wh_buf_add_c(out, "&apos;");
      break;
    default:
      ok = wh_buf_add_char(out, text.data[i]);
    }
  }
  return ok;
}
