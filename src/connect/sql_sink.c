// A sink over a driver: opening, preparing, transactions.
#include "connect/sql_sink.h"

#include "base/crypto.h"
#include "connect/sink_table.h"

// --- Small things --------------------------------------------------------------------------------

wh_str wh_sql_i64_text(wh_arena *arena, int64_t value) {
  return wh_arena_printf(arena, "%lld", (long long)value);
}

wh_str wh_sql_digest(wh_arena *arena, const wh_str *texts, size_t count) {
  uint8_t digest[WH_SHA256_BYTES];
  WH_CLEAN_BUF wh_buf all;
  WH_CLEAN_BUF wh_buf hex;
  wh_buf_init(&all, arena->mem, 0);
  wh_buf_init(&hex, arena->mem, 0);
  for (size_t i = 0; i < count; i++) { // each with its length, so that no two lists are one text
    wh_buf_printf(&all, "%zu:", texts[i].len);
    wh_buf_add_str(&all, texts[i]);
  }
  if (all.failed) return (wh_str){0};
  wh_sha256_of(wh_buf_str(&all), digest);
  return wh_buf_add_hex(&hex, digest, sizeof digest) ? wh_arena_str(arena, wh_buf_str(&hex))
                                                     : (wh_str){0};
}

wh_str wh_sql_own_name(const wh_sql_driver *driver, wh_arena *arena, const char *prefix,
                       wh_str name) {
  enum { DIGEST = 8 }; // characters, behind an underscore
  wh_str whole = wh_arena_printf(arena, "%s%.*s", prefix, WH_STR_ARG(name));
  if (!whole.data || whole.len <= driver->name_max) return whole;
  wh_str digest = wh_sql_digest(arena, &name, 1);
  if (!digest.data) return (wh_str){0};
  size_t len = wh_utf8_cut(whole, driver->name_max - DIGEST - 1);
  return wh_arena_printf(arena, "%.*s_%.*s", (int)len, whole.data, DIGEST, digest.data);
}

wh_str wh_sql_quoted(const wh_sql_driver *driver, wh_arena *arena, wh_str schema, wh_str name) {
  WH_CLEAN_BUF wh_buf quoted;
  wh_buf_init(&quoted, arena->mem, 0);
  if (schema.len) {
    driver->name(&quoted, schema);
    wh_buf_add_char(&quoted, '.');
  }
  return driver->name(&quoted, name) ? wh_arena_str(arena, wh_buf_str(&quoted)) : (wh_str){0};
}

void wh_sql_add_text(const wh_sink *sink, wh_buf *sql, const char *text) {
  unsigned number = 0;
  for (const char *c = text; *c; c++) {
    if (*c == '?') {
      sink->driver->param(sql, ++number);
    } else if (*c == '$') {
      wh_buf_add_c(sql, sink->driver->text);
    } else if (*c == '%') {
      c++;
      wh_buf_add_str(sql, *c == 'm'   ? sink->marks
                          : *c == 'l' ? sink->lease
                          : *c == 't' ? sink->tables
                                      : sink->stages);
    } else {
      wh_buf_add_char(sql, *c);
    }
  }
}

// --- The session ---------------------------------------------------------------------------------

wh_status wh_sql_run(wh_sink *sink, const wh_buf *sql, const wh_str *params, size_t count,
                     uint64_t *ret_rows, wh_error *err) {
  WH_TRY(wh_buf_check(sql, err));
  return sink->driver->run(sink->session, wh_buf_str(sql), params, count, ret_rows, err);
}

wh_status wh_sql_run_text(wh_sink *sink, const char *text, const wh_str *params, size_t count,
                          uint64_t *ret_rows, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_sql_add_text(sink, &sql, text);
  return wh_sql_run(sink, &sql, params, count, ret_rows, err);
}

static wh_status run_later(wh_sink *sink, wh_str sql, const wh_str *params, size_t count,
                           uint64_t *ret_rows, wh_error *err) {
  const wh_sql_driver *d = sink->driver;
  return (d->run_later ? d->run_later : d->run)(sink->session, sql, params, count, ret_rows, err);
}

wh_status wh_sql_run_later(wh_sink *sink, const wh_buf *sql, const wh_str *params, size_t count,
                           uint64_t *ret_rows, wh_error *err) {
  WH_TRY(wh_buf_check(sql, err));
  return run_later(sink, wh_buf_str(sql), params, count, ret_rows, err);
}

wh_status wh_sql_run_text_later(wh_sink *sink, const char *text, const wh_str *params, size_t count,
                                uint64_t *ret_rows, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_sql_add_text(sink, &sql, text);
  return wh_sql_run_later(sink, &sql, params, count, ret_rows, err);
}

wh_status wh_sql_run_c_later(wh_sink *sink, const char *sql, wh_error *err) {
  return run_later(sink, wh_str_of(sql), NULL, 0, NULL, err);
}

wh_status wh_sql_run_c(wh_sink *sink, const char *sql, wh_error *err) {
  return sink->driver->run(sink->session, wh_str_of(sql), NULL, 0, NULL, err);
}

wh_status wh_sql_run_all(wh_sink *sink, const wh_sql_statements *s, uint64_t *ret_rows,
                         wh_error *err) {
  uint64_t all = 0, rows;
  for (size_t i = 0; i < s->count; i++) {
    WH_TRY(wh_sql_run(sink, &s->sql[i], NULL, 0, &rows, err));
    if (s->counts[i]) all += rows;
  }
  if (ret_rows) *ret_rows = all;
  return WH_OK;
}

typedef struct numbers {
  bool found;
  int64_t *values;
  size_t count;
} numbers;

static wh_status take_numbers(void *context, const wh_str *values, size_t count, wh_error *err) {
  numbers *n = context;
  if (n->found) return WH_OK;
  n->found = true;
  for (size_t i = 0; i < n->count && i < count; i++) {
    n->values[i] = 0;
    if (values[i].data && !wh_str_to_i64(values[i], &n->values[i]))
      return wh_fail(err, WH_ERR_DATA, "the server answered '%.*s' where a number was asked",
                     WH_STR_ARG(values[i]));
  }
  return WH_OK;
}

wh_status wh_sql_ask_i64(wh_sink *sink, const wh_buf *sql, const wh_str *params, size_t count,
                         bool *ret_found, int64_t *ret, size_t ret_count, wh_error *err) {
  numbers n = {.values = ret, .count = ret_count};
  WH_TRY(wh_buf_check(sql, err));
  WH_TRY(sink->driver->ask(sink->session, wh_buf_str(sql), params, count, take_numbers, &n, err));
  if (ret_found) *ret_found = n.found;
  return WH_OK;
}

wh_status wh_sql_ask_text(wh_sink *sink, const char *text, const wh_str *params, size_t count,
                          bool *ret_found, int64_t *ret, size_t ret_count, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_sql_add_text(sink, &sql, text);
  return wh_sql_ask_i64(sink, &sql, params, count, ret_found, ret, ret_count, err);
}

wh_status wh_sql_has_table(wh_sink *sink, wh_str schema, wh_str table, bool *ret, wh_error *err) {
  int64_t count = 0;
  WH_TRY(wh_sql_ask_text(sink,
                         "SELECT count(*) FROM information_schema.tables WHERE table_schema = ? "
                         "AND table_name = ?",
                         (wh_str[]){schema, table}, 2, NULL, &count, 1, err));
  *ret = count > 0;
  return WH_OK;
}

wh_status wh_sql_open_session(wh_sink *sink, wh_sql_access access, wh_error *err) {
  const wh_sql_driver *d = sink->driver;
  if (sink->session) return WH_OK;
  WH_TRY(d->open(sink->connection, access, &sink->session, err));
  // Servers that are akin share a connector; which one it is, the session knows.
  sink->driver = d = sink->session->driver;
  for (size_t i = 0; i < sink->count; i++)
    sink->targets[i].driver = d;
  WH_TRY(d->home(sink->session, &sink->arena, &sink->home, err));
  const struct {
    const char *name;
    wh_str *quoted;
  } own[] = {{"_wherry_marks", &sink->marks},
             {"_wherry_lease", &sink->lease},
             {"_wherry_tables", &sink->tables},
             {"_wherry_stages", &sink->stages}};
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
    *own[i].quoted = wh_sql_quoted(d, &sink->arena, sink->home, wh_str_of(own[i].name));
    if (!own[i].quoted->data) return wh_fail_memory(err);
  }
  return WH_OK;
}

// --- Opening -------------------------------------------------------------------------------------

// Of four bytes in UTF-8.
static bool has_long_character(wh_str name) {
  for (size_t i = 0; i < name.len; i++)
    if ((unsigned char)name.data[i] >= 0xF0) return true;
  return false;
}

static wh_status check_names(const wh_sink *sink, const wh_schema *schema, wh_error *err) {
  size_t most = sink->driver->name_max;
  for (size_t i = 0; i < schema->count; i++) {
    wh_str name = schema->fields[i].name;
    if (name.len > most)
      return wh_fail(err, WH_ERR_REFUSED,
                     "%.*s: the column '%.*s' has a name of %zu bytes; %s allows %zu",
                     WH_STR_ARG(sink->connection->name), WH_STR_ARG(name), name.len,
                     sink->driver->product, most);
    if (sink->driver->names_are_short && has_long_character(name))
      return wh_fail(err, WH_ERR_REFUSED,
                     "%.*s: the column '%.*s' has a character in its name that %s allows in values "
                     "only. Give it another name under `columns`",
                     WH_STR_ARG(sink->connection->name), WH_STR_ARG(name), sink->driver->product);
  }
  return WH_OK;
}

static wh_status make_target(wh_sink *sink, const wh_target *spec, wh_sql_target *t,
                             wh_error *err) {
  wh_arena *arena = &sink->arena;
  t->driver = sink->driver;
  t->spec = *spec;
  t->version = -1;
  WH_TRY(wh_schema_copy(spec->schema, arena, &t->schema, err));
  t->spec.schema = &t->schema;
  t->spec.table = wh_arena_str(arena, spec->table);
  t->spec.newest_by = wh_arena_str(arena, spec->newest_by);
  t->key_count = spec->mode == WH_WRITE_APPEND ? 0 : spec->key_count;
  t->key = WH_NEW_ARRAY(arena, t->key_count, size_t);
  t->columns = WH_NEW_ARRAY(arena, t->schema.count, wh_sql_column);
  t->names = WH_NEW_ARRAY(arena, t->schema.count, wh_str);
  t->checked = WH_NEW_ARRAY(arena, t->schema.count, bool);
  t->adds = WH_NEW_ARRAY(arena, t->schema.count, bool);
  if (!t->adds || !t->spec.table.data || !t->spec.newest_by.data || !t->key || !t->columns ||
      !t->names || !t->checked)
    return wh_fail_memory(err);
  WH_TRY(wh_target_check(sink->connection, &t->spec, sink->driver->product, NULL, err));
  WH_TRY(check_names(sink, &t->schema, err));
  for (size_t i = 0; i < t->key_count; i++)
    WH_TRY(wh_target_find(sink->connection, &t->spec, spec->key[i], "key", &t->key[i], err));
  t->spec.key = NULL; // `key` says it
  size_t version;
  if (spec->mode == WH_WRITE_APPEND || spec->newest_by.len == 0) return WH_OK;
  WH_TRY(wh_target_find(sink->connection, &t->spec, spec->newest_by, "version", &version, err));
  t->version = (ptrdiff_t)version;
  return WH_OK;
}

wh_status wh_sql_sink_open(const wh_sql_driver *driver, wh_connection *c, const wh_target *targets,
                           size_t count, wh_sink **ret, wh_error *err) {
  wh_sink *sink = wh_mem_alloc_zero(c->mem, sizeof *sink);
  if (!sink) return wh_fail_memory(err);
  sink->connection = c;
  sink->driver = driver;
  wh_arena_init(&sink->arena, c->mem);
  wh_arena_init(&sink->load_arena, c->mem);
  sink->targets = WH_NEW_ARRAY(&sink->arena, count, wh_sql_target);
  wh_status status = sink->targets ? WH_OK : wh_fail_memory(err);
  for (size_t i = 0; status == WH_OK && i < count; i++) {
    sink->count = i + 1;
    sink->targets[i].index = i;
    sink->has_replace |= targets[i].mode == WH_WRITE_REPLACE;
    status = make_target(sink, &targets[i], &sink->targets[i], err);
  }
  if (status != WH_OK) {
    wh_sql_sink_close(sink);
    return status;
  }
  *ret = sink;
  return WH_OK;
}

void wh_sql_sink_close(wh_sink *sink) {
  if (!sink) return;
  wh_sql_sink_abort(sink);
  if (sink->session) sink->driver->close(sink->session);
  wh_mem *mem = sink->connection->mem;
  wh_arena_free(&sink->load_arena);
  wh_arena_free(&sink->arena);
  wh_mem_free(mem, sink, sizeof *sink);
}

// --- Preparing -----------------------------------------------------------------------------------

static wh_status inspect_target(wh_sink *sink, wh_sql_target *t, wh_buf *text, bool *ret_fits,
                                wh_error *err) {
  WH_CLEAN_BUF wh_buf part;
  wh_buf_init(&part, sink->connection->mem, WH_SQL_TEXT_MAX);
  WH_TRY(wh_sql_bind(sink, t, &part, err));
  if (t->clashes.len) wh_target_show(&part, t->clashes);
  *ret_fits = part.len == 0;
  if (part.len) {
    wh_target_show_difference(text, t->spec.table, wh_buf_str(&part));
    return wh_buf_check(text, err);
  }
  for (size_t i = 0; i < t->schema.count && t->add_count; i++) {
    wh_buf_clear(&part);
    if (t->adds[i]) wh_sql_add_new_column(&part, t, i);
    if (t->adds[i]) wh_target_show(text, wh_buf_str(&part));
  }
  wh_buf_clear(&part);
  wh_sql_add_table(&part, t);
  if (!t->add_count) wh_target_show(text, wh_buf_str(&part));
  if (t->has_side) {
    wh_buf_clear(&part);
    wh_sql_add_side_table(&part, t);
    wh_target_show(text, wh_buf_str(&part));
  }
  if (t->spec.erases) {
    wh_buf_clear(&part);
    WH_TRY(wh_sql_show_deleted(sink, t, &part, err));
    wh_target_show(text, wh_buf_str(&part));
  }
  return wh_buf_check(part.failed ? &part : text, err);
}

wh_status wh_sql_sink_inspect(wh_sink *sink, wh_buf *ret_text, bool *ret_exists, bool *ret_fits,
                              wh_error *err) {
  bool all_exist = true, all_fit = true;
  WH_TRY(wh_sql_open_session(sink, WH_SQL_READ, err));
  for (size_t i = 0; i < sink->count; i++) {
    bool fits;
    WH_TRY(inspect_target(sink, &sink->targets[i], ret_text, &fits, err));
    all_exist &= sink->targets[i].exists;
    all_fit &= fits;
  }
  *ret_exists = all_exist;
  *ret_fits = all_fit;
  return WH_OK;
}

static wh_status make_missing(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  if (!t->exists) {
    wh_sql_add_table(&sql, t);
    WH_TRY(wh_sql_make_table(sink, t->schema_name, t->table_name, &sql, err));
  }
  if (!t->has_side) return WH_OK;
  wh_buf_clear(&sql);
  wh_sql_add_side_table(&sql, t);
  return wh_sql_make_table(sink, t->schema_name, t->side_name, &sql, err);
}

static wh_status make_batch_table(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_CLEAN_STATEMENTS wh_sql_statements s;
  wh_sql_statements_init(&s, sink->connection->mem);
  WH_TRY(t->driver->add_batch_table(t, &s, err));
  WH_TRY(wh_sql_statements_check(&s, err));
  return wh_sql_run_all(sink, &s, NULL, err);
}

// Stops at the first that fails.
static wh_status run_alters(wh_sink *sink, const wh_sql_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  for (size_t i = 0; i < t->schema.count; i++) {
    if (!t->adds[i]) continue;
    wh_buf_clear(&sql);
    wh_sql_add_new_column(&sql, t, i);
    WH_TRY(wh_sql_run(sink, &sql, NULL, 0, NULL, err));
  }
  return WH_OK;
}

// Another load may be quicker with some: what counts is that there are fewer each time.
static wh_status add_columns(wh_sink *sink, wh_sql_target *t, wh_buf *difference, wh_error *err) {
  while (t->add_count) {
    size_t before = t->add_count;
    wh_error why = {0};
    wh_status status = run_alters(sink, t, &why);
    WH_TRY(wh_sql_bind(sink, t, difference, err));
    if (t->add_count < before) continue;
    if (err) *err = why;
    return status != WH_OK ? status : wh_fail(err, WH_ERR_BUG, "an added column is not there");
  }
  return WH_OK;
}

static wh_status prepare_target(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf difference;
  wh_buf_init(&difference, sink->connection->mem, WH_SQL_TEXT_MAX);
  WH_TRY(wh_sql_bind(sink, t, &difference, err));
  if (difference.len) return wh_sql_refuse(sink, t, wh_buf_str(&difference), err);
  WH_TRY(add_columns(sink, t, &difference, err));
  bool is_new = !t->exists;
  WH_TRY(make_missing(sink, t, err));
  // As the catalog spells it, so that the next load finds the same.
  if (is_new) WH_TRY(wh_sql_bind(sink, t, &difference, err));
  if (difference.len) return wh_sql_refuse(sink, t, wh_buf_str(&difference), err);
  WH_TRY(wh_sql_prepare_deleted(sink, t, err));
  if (t->spec.mode == WH_WRITE_REPLACE) WH_TRY(wh_sql_prepare_stage(sink, t, err));
  return t->key_count ? make_batch_table(sink, t, err) : WH_OK;
}

wh_status wh_sql_sink_prepare(wh_sink *sink, wh_error *err) {
  // A session that was used before may have gone stale; its batch tables go with it.
  if (sink->session) {
    sink->driver->close(sink->session);
    sink->session = NULL;
  }
  WH_TRY(wh_sql_open_session(sink, WH_SQL_WRITE, err));
  WH_TRY(wh_sql_make_bookkeeping(sink, err));
  for (size_t i = 0; i < sink->count; i++)
    WH_TRY(prepare_target(sink, &sink->targets[i], err));
  return WH_OK;
}

// --- Transactions --------------------------------------------------------------------------------

void wh_sql_sink_abort(wh_sink *sink) {
  if (!sink->in_transaction) return;
  sink->in_transaction = sink->has_joined = false;
  WH_IGNORE(sink->driver->run(sink->session, WH_STR("ROLLBACK"), NULL, 0, NULL, NULL));
  wh_sql_release_stages(sink);
}

static wh_status begin_load(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err) {
  wh_mark mark;
  WH_TRY(wh_sql_take_lease(sink, arena, &mark, err));
  sink->mark_is_there = mark.found;
  for (size_t i = 0; i < sink->count; i++) {
    wh_sql_target *t = &sink->targets[i];
    bool lost;
    WH_TRY(wh_sql_begin_deleted(sink, t, err));
    if (t->spec.mode != WH_WRITE_REPLACE) continue;
    WH_TRY(wh_sql_begin_stage(sink, t, &mark, &lost, err));
    // Rows that the mark counts are gone with their stage: the object is read from its beginning.
    if (lost) mark = (wh_mark){.found = true, .order = mark.order, .time_us = mark.time_us};
  }
  *ret = mark;
  return WH_OK;
}

wh_status wh_sql_sink_begin(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                            wh_error *err) {
  if (!sink->session)
    return wh_fail(err, WH_ERR_BUG, "%.*s: begin before prepare",
                   WH_STR_ARG(sink->connection->name));
  wh_arena_reset(&sink->load_arena);
  WH_TRY(wh_load_copy(load, &sink->load_arena, &sink->load, err));
  WH_TRY(wh_sql_run_c_later(sink, sink->driver->begin, err));
  sink->in_transaction = true;
  wh_status status = begin_load(sink, arena, ret, err);
  if (status != WH_OK) wh_sql_sink_abort(sink);
  return status;
}

static wh_status join_load(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err) {
  const wh_sql_driver *d = sink->driver;
  // The one before stays whatever becomes of this one.
  if (sink->has_joined && d->load_release[0])
    WH_TRY(wh_sql_run_c_later(sink, d->load_release, err));
  WH_TRY(wh_sql_run_c_later(sink, d->load_savepoint, err));
  sink->has_joined = true;
  WH_TRY(wh_sql_read_mark(sink, arena, ret, err));
  sink->mark_is_there = ret->found;
  for (size_t i = 0; i < sink->count; i++)
    WH_TRY(wh_sql_begin_deleted(sink, &sink->targets[i], err));
  return WH_OK;
}

// The lease's row is locked since the transaction began.
wh_status wh_sql_sink_join(wh_sink *sink, const wh_load *load, wh_arena *arena, wh_mark *ret,
                           wh_error *err) {
  if (!sink->in_transaction || sink->has_replace)
    return wh_fail(err, WH_ERR_BUG, "%.*s: nothing to join", WH_STR_ARG(sink->connection->name));
  wh_arena_reset(&sink->load_arena);
  WH_TRY(wh_load_copy(load, &sink->load_arena, &sink->load, err));
  return join_load(sink, arena, ret, err);
}

wh_status wh_sql_sink_leave(wh_sink *sink, wh_error *err) {
  return wh_sql_run_c(sink, sink->driver->to_load_savepoint, err);
}

wh_status wh_sql_sink_mark(wh_sink *sink, wh_mark *mark, wh_error *err) {
  for (size_t i = 0; i < sink->count; i++) {
    wh_sql_target *t = &sink->targets[i];
    if (mark->done) WH_TRY(wh_sql_purge_deleted(sink, t, err));
    if (t->spec.mode != WH_WRITE_REPLACE) continue;
    if (mark->done)
      WH_TRY(wh_sql_apply_stage(sink, t, &mark->counts, err));
    else
      WH_TRY(wh_sql_keep_stage(sink, t, err));
  }
  return wh_sql_write_mark(sink, mark, err);
}

wh_status wh_sql_sink_commit(wh_sink *sink, wh_error *err) {
  wh_status status = wh_sql_run_c(sink, "COMMIT", err);
  // Where the answer was lost nobody knows; the next begin reads the mark.
  sink->in_transaction = sink->has_joined = false;
  wh_sql_release_stages(sink);
  return status;
}
