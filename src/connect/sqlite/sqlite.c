#include "connect/sqlite/db.h"

static const wh_option options[] = {
    {.name = "path",
     .type = WH_OPTION_PATH,
     .offset = offsetof(wh_sqlite_options, path),
     .required = true,
     .help = "the database file; a sink creates it when it is missing"},
    {.name = "busy_timeout",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(wh_sqlite_options, busy_timeout_us),
     .def = "5s",
     .help = "how long to wait while another program holds the database"},
    {0},
};

static wh_status check(const void *given, wh_error *err) {
  const wh_sqlite_options *o = given;
  if (o->path.len == 0) return wh_fail(err, WH_ERR_USAGE, "path is empty");
  if (memchr(o->path.data, 0, o->path.len))
    return wh_fail(err, WH_ERR_USAGE, "path has a NUL byte");
  return WH_OK;
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  const wh_sqlite_options *o = c->options;
  bool exists;
  WH_TRY(wh_sqlite_exists(c, &exists, err));
  if (!exists) {
    wh_buf_printf(ret_note, "no database at %.*s yet: a sink creates it, a source needs it",
                  WH_STR_ARG(o->path));
    return wh_buf_check(ret_note, err);
  }
  WH_CLEAN_DB wh_sqlite_db db = {0};
  WH_TRY(wh_sqlite_open(c, WH_SQLITE_READ, &db, err));
  int64_t tables, bytes;
  WH_TRY(wh_sqlite_get_i64(&db,
                           "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND "
                           "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "
                           "name NOT LIKE '\\_wherry\\_%' ESCAPE '\\'",
                           0, &tables, err));
  WH_TRY(wh_sqlite_get_i64(&db,
                           "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                           0, &bytes, err));
  wh_buf_printf(ret_note, "%lld %s, %.1f MB, SQLite %s", (long long)tables,
                tables == 1 ? "table" : "tables", (double)bytes / 1e6, sqlite3_libversion());
  return wh_buf_check(ret_note, err);
}

const wh_connector wh_connector_sqlite = {
    .name = "sqlite",
    .help = "an SQLite database file, as a source and as a sink",
    .options = options,
    .options_size = sizeof(wh_sqlite_options),
    .source = &wh_sqlite_source,
    .sink = &wh_sqlite_sink,
    .check = check,
    .reach = reach,
    // What one source and one sink hold in their page caches, and SQLite itself.
    .reserve_bytes = (WH_SQLITE_SOURCE_CACHE_KIB + WH_SQLITE_SINK_CACHE_KIB + 2048) * 1024,
    .reserve_is_accounted = true, // base/sqlite_mem.h
};
