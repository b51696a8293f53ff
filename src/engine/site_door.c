#include "engine/site_private.h"
#include "net/uri.h"

bool wh_site_is_page(wh_str path) {
  wh_str ending = wh_str_sub(path, path.len > 5 ? path.len - 5 : 0, path.len);
  if (wh_str_eq_nocase(ending, WH_STR(".html"))) return true;
  return path.len > 4 && wh_str_eq_nocase(wh_str_sub(path, path.len - 4, path.len), WH_STR(".htm"));
}

// --- types ---------------------------------------------------------------------------------------

// As registered with IANA (https://www.iana.org/assignments/media-types), texts in UTF-8.
static const struct {
  const char *ending, *type;
} types[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"geojson", "application/geo+json"},
    {"ndjson", "application/x-ndjson"},
    {"webmanifest", "application/manifest+json"},
    {"csv", "text/csv; charset=utf-8"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/vnd.microsoft.icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"parquet", "application/vnd.apache.parquet"},
    {"gz", "application/gzip"},
    {"zip", "application/zip"},
};

wh_str wh_site_type(wh_str path) {
  size_t dot = path.len;
  while (dot > 0 && path.data[dot - 1] != '.' && path.data[dot - 1] != '/')
    dot--;
  wh_str ending = wh_str_sub(path, dot, path.len);
  for (size_t i = 0; dot > 0 && i < sizeof types / sizeof *types; i++)
    if (wh_str_eq_nocase(ending, wh_str_of(types[i].ending))) return wh_str_of(types[i].type);
  return WH_STR("application/octet-stream");
}

// --- doors ---------------------------------------------------------------------------------------

// A name of a site is letters, digits, '-' and '_', so that nothing in it is HTML's.
static wh_status add_head(const wh_site *site, wh_buf *out, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, out->mem);
  wh_str title = wh_name_in_words(site->name, &arena);
  if (!title.data) return wh_fail_memory(err);
  wh_buf_printf(out,
                "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                "<title>%.*s</title>\n",
                WH_STR_ARG(title));
  return WH_OK;
}

// A page that is asked for is named behind '#' by its door, or by the address of an earlier version
// where a server shows this page for all that is not there; what the present version does not have
// becomes its front page, or that of the folder above. The address is put together from its parts,
// so that whatever stands in them it is one of this server's.
static const char script[] =
    "<script>\n"
    "const now = \"%.*s\", front = \"" WH_SITE_FRONT "\", at = location;\n"
    "const from = /^(.*?\\/)_versions\\/([0-9a-z]{26})\\/(.*)$/.exec(at.pathname);\n"
    "let root = from ? from[1] : at.pathname.replace(/[^/]*$/, \"\");\n"
    "let page = from ? from[3] : \"\", hash = at.hash;\n"
    "if (hash.startsWith(\"#/\")) [page, hash] = [hash.slice(2), \"\"];\n"
    "if (from && from[2] === now) {\n"
    "  if (from[3] === front) root = root.replace(/[^/]+\\/$/, \"\");\n"
    "  page = front;\n"
    "}\n"
    "const to = root + \"_versions/\" + now + \"/\" + (page || front);\n"
    "if (to !== at.pathname)\n"
    "  at.replace(at.protocol + \"//\" + at.host + to + at.search + hash);\n"
    "</script>\n";

wh_status wh_site_front_door(const wh_site *site, const wh_site_index *index, wh_buf *out,
                             wh_error *err) {
  WH_TRY(add_head(site, out, err));
  wh_buf_printf(out, "<meta name=\"wherry-version\" content=\"%llu\">\n",
                (unsigned long long)index->version);
  wh_buf_printf(out, script, WH_STR_ARG(index->folder));
  wh_buf_printf(out,
                "<noscript><meta http-equiv=\"refresh\" content=\"0; url=" WH_SITE_VERSIONS
                "%.*s/" WH_SITE_FRONT "\"></noscript>\n"
                "<p><a href=\"" WH_SITE_VERSIONS "%.*s/" WH_SITE_FRONT "\">Go on</a></p>\n",
                WH_STR_ARG(index->folder), WH_STR_ARG(index->folder));
  return wh_buf_check(out, err);
}

static void add_way(wh_str path, wh_buf *out) {
  for (size_t i = 0; i < path.len; i++)
    if (path.data[i] == '/') wh_buf_add_c(out, "../");
  wh_buf_add_c(out, WH_SITE_FRONT "#/");
  wh_uri_add_path(out, path);
}

wh_status wh_site_page_door(const wh_site *site, wh_str path, wh_buf *out, wh_error *err) {
  WH_TRY(add_head(site, out, err));
  wh_buf_add_c(out, "<meta http-equiv=\"refresh\" content=\"0; url=");
  add_way(path, out);
  wh_buf_add_c(out, "\">\n<p><a href=\"");
  add_way(path, out);
  wh_buf_add_c(out, "\">Go on</a></p>\n");
  return wh_buf_check(out, err);
}
