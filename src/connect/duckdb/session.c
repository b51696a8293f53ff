#include "connect/duckdb/session.h"

#include <signal.h>
#include <stdio.h>

enum { LOOK_US = 50000 };

// --- being asked to stop -------------------------------------------------------------------------

bool wh_duckdb_stopping(const wh_duckdb_session *s) {
  const atomic_bool *cancel = s->connection->cancel, *stop = s->tables->stop;
  return (cancel && atomic_load(cancel)) || (stop && atomic_load(stop));
}

// A statement may sort or join for long without a look at anything of ours.
static void *watch(void *context) {
  wh_duckdb_session *s = context;
  pthread_mutex_lock(&s->mutex);
  while (!s->ended) {
    if (wh_duckdb_stopping(s)) wh_duckdb.duckdb_interrupt(s->sql);
    struct timespec until = wh_cond_until(LOOK_US);
    pthread_cond_timedwait(&s->changed, &s->mutex, &until);
  }
  pthread_mutex_unlock(&s->mutex);
  return NULL;
}

static void stop_watch(wh_duckdb_session *s) {
  if (!s->is_watched) return;
  pthread_mutex_lock(&s->mutex);
  s->ended = true;
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->mutex);
  pthread_join(s->watch, NULL);
  s->is_watched = false;
}

// --- failures ------------------------------------------------------------------------------------

void wh_duckdb_note(wh_duckdb_session *s, const wh_error *why) {
  pthread_mutex_lock(&s->mutex);
  if (s->failure.status == WH_OK) s->failure = *why;
  pthread_mutex_unlock(&s->mutex);
}

// DuckDB ends what it says with the line concerned and a mark below it: "\n\nLINE 3: SELECT ...\n
// ^". Line breaks become spaces.
static wh_status fail_at_line(const wh_duckdb_session *s, const char *text, wh_error *err) {
  static const char mark[] = "\nLINE ";
  const char *found = strstr(text, mark);
  wh_str said = wh_str_trim(wh_str_n(text, found ? (size_t)(found - text) : strlen(text)));
  size_t digits = 0;
  const char *line = found ? found + sizeof mark - 1 : "";
  while (line[digits] >= '0' && line[digits] <= '9')
    digits++;
  wh_status status = wh_fail(err, WH_ERR_USAGE, "%.*s%s%.*s: %.*s", WH_STR_ARG(s->connection->name),
                             digits ? ":" : "", (int)digits, line, WH_STR_ARG(said));
  for (char *c = err ? err->text : NULL; c && *c; c++)
    if (*c == '\n') *c = ' ';
  return status;
}

// There may be room again.
static wh_status full(wh_error *err) {
  if (!err) return WH_ERR_NO_SPACE;
  err->status = WH_ERR_NO_SPACE;
  err->retry = true;
  return err->status;
}

wh_status wh_duckdb_fail(wh_duckdb_session *s, const char *text, wh_error *err) {
  if (!text) text = "it failed without a word";
  pthread_mutex_lock(&s->mutex);
  wh_error failure = s->failure;
  pthread_mutex_unlock(&s->mutex);
  if (wh_duckdb_stopping(s))
    return wh_fail(err, WH_ERR_CANCELLED, "stopped; the model runs again at the next start");
  if (failure.status != WH_OK) {
    if (err) *err = failure;
    wh_error_prefix(err, "%.*s: ", WH_STR_ARG(s->connection->name));
    return failure.status;
  }
  wh_status status = fail_at_line(s, text, err);
  if (strstr(text, "No space left on device")) return full(err);
  if (!strstr(text, "Out of Memory Error")) return status;
  const wh_duckdb_options *options = s->connection->options;
  return wh_fail(err, WH_ERR_LIMIT,
                 "%.*s: this takes more than the %lld bytes that read: memory gives to DuckDB, and "
                 "cannot be done on disk instead. Give it more, or let the query do less at once",
                 WH_STR_ARG(s->connection->name), (long long)options->memory_bytes);
}

// --- limits --------------------------------------------------------------------------------------

static wh_status set(wh_duckdb_session *s, duckdb_config config, const char *name,
                     const char *value, wh_error *err) {
  if (wh_duckdb.duckdb_set_config(config, name, value) == DUCKDB_SUCCESS) return WH_OK;
  return wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: DuckDB does not take %s = %s",
                 WH_STR_ARG(s->connection->name), name, value);
}

static wh_status set_limits(wh_duckdb_session *s, duckdb_config config, wh_error *err) {
  const wh_duckdb_options *options = s->connection->options;
  char memory[32], threads[32];
  snprintf(memory, sizeof memory, "%lldB", (long long)options->memory_bytes);
  snprintf(threads, sizeof threads, "%lld", (long long)options->threads);
  WH_TRY(set(s, config, "memory_limit", memory, err));
  if (options->threads) WH_TRY(set(s, config, "threads", threads, err));
  WH_TRY(set(s, config, "temp_directory", s->scratch ? s->scratch : "", err));
  WH_TRY(set(s, config, "autoinstall_known_extensions", "false", err));
  WH_TRY(set(s, config, "autoload_known_extensions", "false", err));
  return set(s, config, "allow_community_extensions", "false", err);
}

static wh_status run(wh_duckdb_session *s, const char *sql, wh_error *err) {
  duckdb_result result = {0};
  duckdb_state state = wh_duckdb.duckdb_query(s->sql, sql, &result);
  wh_status status = WH_OK;
  if (state != DUCKDB_SUCCESS)
    status = wh_duckdb_fail(s, wh_duckdb.duckdb_result_error(&result), err);
  wh_duckdb.duckdb_destroy_result(&result);
  return status;
}

// Set while it runs, the second lets it still write into its own scratch folder, and nowhere else.
static wh_status lock_up(wh_duckdb_session *s, wh_error *err) {
  WH_TRY(run(s, "SET TimeZone = 'UTC'", err));
  WH_TRY(run(s, "SET enable_external_access = false", err));
  return run(s, "SET lock_configuration = true", err);
}

// Its threads get no signals, like ours (base/thread.h).
static duckdb_state open_quietly(wh_duckdb_session *s, duckdb_config config, char **why) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  duckdb_state state = wh_duckdb.duckdb_open_ext(NULL, &s->database, config, why);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return state;
}

static wh_status open_database(wh_duckdb_session *s, wh_error *err) {
  duckdb_config config = NULL;
  char *why = NULL;
  if (wh_duckdb.duckdb_create_config(&config) != DUCKDB_SUCCESS) return wh_fail_memory(err);
  wh_status status = set_limits(s, config, err);
  if (status == WH_OK && open_quietly(s, config, &why) != DUCKDB_SUCCESS)
    status = wh_duckdb_fail(s, why, err);
  wh_duckdb.duckdb_free(why);
  wh_duckdb.duckdb_destroy_config(&config);
  WH_TRY(status);
  if (wh_duckdb.duckdb_connect(s->database, &s->sql) != DUCKDB_SUCCESS) return wh_fail_memory(err);
  return lock_up(s, err);
}

// --- the statement -------------------------------------------------------------------------------

static wh_status extract(wh_duckdb_session *s, wh_str query, wh_error *err) {
  char *text = wh_arena_cstr(&s->arena, query);
  if (!text) return wh_fail_memory(err);
  if (strlen(text) != query.len)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: has a NUL in it", WH_STR_ARG(s->connection->name));
  idx_t count = wh_duckdb.duckdb_extract_statements(s->sql, text, &s->statements);
  const char *why = s->statements ? wh_duckdb.duckdb_extract_statements_error(s->statements) : NULL;
  if (count == 0 && why) return wh_duckdb_fail(s, why, err);
  if (count == 1) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED, "%.*s: has %llu statements. A model is one SELECT",
                 WH_STR_ARG(s->connection->name), (unsigned long long)count);
}

static wh_status prepare(wh_duckdb_session *s, wh_error *err) {
  if (wh_duckdb.duckdb_prepare_extracted_statement(s->sql, s->statements, 0, &s->statement) !=
      DUCKDB_SUCCESS)
    return wh_duckdb_fail(s, wh_duckdb.duckdb_prepare_error(s->statement), err);
  if (wh_duckdb.duckdb_prepared_statement_type(s->statement) != DUCKDB_STATEMENT_SELECT)
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: is no SELECT, which is all that a model can be",
                   WH_STR_ARG(s->connection->name));
  if (wh_duckdb.duckdb_nparams(s->statement))
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: has parameters, for which a model has no values",
                   WH_STR_ARG(s->connection->name));
  return WH_OK;
}

static wh_status describe_column(wh_duckdb_session *s, size_t i, wh_field *ret, wh_error *err) {
  const char *name = wh_duckdb.duckdb_prepared_statement_column_name(s->statement, i);
  *ret = (wh_field){.nullable = true, .privacy = s->privacy};
  ret->name = name ? wh_arena_str(&s->arena, wh_str_of(name)) : (wh_str){0};
  wh_duckdb.duckdb_free((void *)(uintptr_t)name);
  if (!ret->name.data) return wh_fail_memory(err);
  duckdb_logical_type type =
      wh_duckdb.duckdb_prepared_statement_column_logical_type(s->statement, i);
  wh_status status = wh_duckdb_type_from(type, &s->arena, &ret->type, err);
  wh_duckdb.duckdb_destroy_logical_type(&type);
  if (status == WH_ERR_REFUSED) {
    wh_error_prefix(err, "%.*s: column %.*s ", WH_STR_ARG(s->connection->name),
                    WH_STR_ARG(ret->name));
    wh_error_append(err, ", which Wherry has not. Cast it in the SQL, to text for instance");
  }
  return status;
}

static wh_status describe(wh_duckdb_session *s, wh_error *err) {
  size_t count = wh_duckdb.duckdb_prepared_statement_column_count(s->statement);
  if (count > WH_COLUMNS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "%.*s: has more than %d columns",
                   WH_STR_ARG(s->connection->name), WH_COLUMNS_MAX);
  wh_field *fields = WH_NEW_ARRAY(&s->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    WH_TRY(describe_column(s, i, &fields[i], err));
    for (size_t j = 0; j < i; j++)
      if (wh_str_eq(fields[i].name, fields[j].name))
        return wh_fail(err, WH_ERR_REFUSED,
                       "%.*s: gives two columns named %.*s. Tell them apart with AS",
                       WH_STR_ARG(s->connection->name), WH_STR_ARG(fields[i].name));
  }
  s->schema = (wh_schema){count, fields};
  return WH_OK;
}

static wh_status open_session(wh_duckdb_session *s, const wh_source_query *query, bool spills,
                              wh_error *err) {
  if (spills)
    WH_TRY(wh_duckdb_scratch_open(s->connection, &s->arena, &s->scratch, &s->scratch_lock, err));
  WH_TRY(open_database(s, err));
  WH_TRY(wh_duckdb_add_functions(s, err));
  WH_TRY(wh_thread_start(&s->watch, watch, s, err));
  s->is_watched = true;
  WH_TRY(extract(s, query->query, err));
  WH_TRY(prepare(s, err));
  return describe(s, err);
}

wh_status wh_duckdb_session_open(wh_connection *c, const wh_source_query *query, bool spills,
                                 wh_duckdb_session **ret, wh_error *err) {
  if (!query->tables) return wh_fail(err, WH_ERR_BUG, "a model without its tables");
  WH_TRY(wh_duckdb_load(c, err));
  wh_duckdb_session *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->connection = c;
  s->privacy = WH_INTERNAL;
  s->tables = query->tables;
  wh_arena_init(&s->arena, c->mem);
  pthread_mutex_init(&s->mutex, NULL);
  WH_IGNORE(wh_cond_init(&s->changed, NULL));
  wh_status status = open_session(s, query, spills, err);
  if (status == WH_OK)
    *ret = s;
  else
    wh_duckdb_session_close(s);
  return status;
}

void wh_duckdb_session_close(wh_duckdb_session *s) {
  if (!s) return;
  stop_watch(s);
  if (s->statement) wh_duckdb.duckdb_destroy_prepare(&s->statement);
  if (s->statements) wh_duckdb.duckdb_destroy_extracted(&s->statements);
  if (s->sql) wh_duckdb.duckdb_disconnect(&s->sql);
  if (s->database) wh_duckdb.duckdb_close(&s->database);
  wh_duckdb_scratch_close(s->connection, s->scratch, s->scratch_lock);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->mutex);
  wh_mem *mem = s->connection->mem;
  wh_arena_free(&s->arena);
  wh_mem_free(mem, s, sizeof *s);
}
