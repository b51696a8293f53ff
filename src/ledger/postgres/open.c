// Opening, migrating and closing the ledger in PostgreSQL.
#include "ledger/migrations.h"
#include "ledger/postgres/postgres.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

// Migration i leads from version i to version i + 1.
static const wh_str *const migrations[] = {&wh_ledger_postgres_1, &wh_ledger_postgres_2,
                                           &wh_ledger_postgres_3, &wh_ledger_postgres_4,
                                           &wh_ledger_postgres_5};
enum { PG_LEDGER_VERSION = sizeof migrations / sizeof migrations[0] };

// --- sessions
// --------------------------------------------------------------------------------------

static int silence_of(int64_t lease_us) {
  int64_t ms = lease_us / 1000 * 2 / 3;
  return ms < PG_LEDGER_SILENCE_MS ? (int)ms : PG_LEDGER_SILENCE_MS;
}

// A server behind a cut line answers nobody and refuses nobody: the system has to give up for us.
static void notice_silence(wh_pg_session *s, int silence_ms) {
  int fd = PQsocket(s->conn), one = 1;
  int seconds = silence_ms / 1000 / 2 ? silence_ms / 1000 / 2 : 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one); // a Unix socket needs none of this
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &seconds, sizeof seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
}

// A worker that is stopped in a transaction would keep others waiting; what a verb acknowledged is
// on disk, and a transaction sees what was committed before each of its statements, whatever the
// database's own settings: the verbs lock what they decide upon.
static wh_status configure(wh_pg_session *s, int silence_ms, wh_error *err) {
  char sql[256];
  snprintf(sql, sizeof sql,
           "SET idle_in_transaction_session_timeout = %d;"
           " SET default_transaction_isolation = 'read committed';"
           " SELECT pg_catalog.set_config('synchronous_commit', 'on', false)"
           " WHERE pg_catalog.current_setting('synchronous_commit') = 'off'",
           silence_ms);
  return wh_pg_run_c(s, sql, err);
}

wh_status pg_ledger_connect(const pg_ledger *l, wh_connection *c, wh_pg_session **ret,
                            wh_error *err) {
  int silence_ms = silence_of(l->holder.lease_us);
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  WH_TRY(wh_pg_open(c, WH_SQL_WRITE, &s, err));
  const char *encoding = PQparameterStatus(s->conn, "server_encoding");
  if (!encoding || strcmp(encoding, "UTF8") != 0) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: the database is in %s; a ledger needs one in UTF8. Make one: CREATE "
                   "DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
                   WH_STR_ARG(c->name), encoding ? encoding : "an unknown encoding");
  }
  notice_silence(s, silence_ms);
  WH_TRY(configure(s, silence_ms, err));
  *ret = s;
  s = NULL;
  return WH_OK;
}

// --- the schema
// ------------------------------------------------------------------------------------

typedef struct schema_state {
  bool has_version, has_tables;
  uint64_t version;
} schema_state;

static wh_status see_tables(void *context, const wh_str *values, size_t count, wh_error *err) {
  (void)count, (void)err;
  schema_state *state = context;
  state->has_tables = wh_str_is(values[0], "t");
  state->has_version = wh_str_is(values[1], "t");
  return WH_OK;
}

static wh_status see_version(void *context, const wh_str *values, size_t count, wh_error *err) {
  (void)count, (void)err;
  schema_state *state = context;
  (void)wh_str_to_u64(values[0], &state->version);
  return WH_OK;
}

static wh_status look(pg_ledger *l, schema_state *ret, wh_error *err) {
  *ret = (schema_state){0};
  WH_TRY(wh_pg_ask(l->session,
                   WH_STR("SELECT count(*) > 0, count(*) FILTER (WHERE c.relname ="
                          " 'ledger_version') > 0 FROM pg_catalog.pg_class AS c"
                          " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
                          " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm')"),
                   &l->options.schema, 1, see_tables, ret, err));
  if (!ret->has_version) return WH_OK;
  return wh_pg_ask(l->session, WH_STR("SELECT max(version) FROM ledger_version"), NULL, 0,
                   see_version, ret, err);
}

// Leaves what is somebody else's, and newer ledgers, alone.
static wh_status check_ours(const pg_ledger *l, const schema_state *state, wh_error *err) {
  if (state->has_tables && !state->has_version) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%s: the schema %.*s holds tables of something else. Give another `schema` "
                   "under `ledger`",
                   l->base.path, WH_STR_ARG(l->options.schema));
  }
  if (state->version > PG_LEDGER_VERSION) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%s: a newer wherry wrote this ledger (version %llu; this one knows %d). Use "
                   "that wherry, or give this one a ledger of its own",
                   l->base.path, (unsigned long long)state->version, PG_LEDGER_VERSION);
  }
  return WH_OK;
}

static wh_status migrate_from(pg_ledger *l, uint64_t version, wh_error *err) {
  if (version == 0) {
    WH_CLEAN_BUF wh_buf sql;
    wh_buf_init(&sql, l->base.mem, 0);
    wh_buf_add_c(&sql, "CREATE SCHEMA IF NOT EXISTS ");
    wh_pg_add_name(&sql, l->options.schema);
    WH_TRY(wh_buf_check(&sql, err));
    WH_TRY(wh_pg_run_c(l->session, sql.data, err));
  }
  for (; version < PG_LEDGER_VERSION; version++)
    WH_TRY(wh_pg_run_c(l->session, migrations[version]->data, err));
  WH_TRY(wh_pg_run_c(l->session, "DELETE FROM ledger_version", err));
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)version);
  wh_str number = wh_str_of(text);
  return wh_pg_run(l->session, WH_STR("INSERT INTO ledger_version (version) VALUES ($1)"), &number,
                   1, NULL, err);
}

// One worker at a time; whoever waited finds it done.
static wh_status migrate_alone(pg_ledger *l, wh_error *err) {
  WH_TRY(wh_pg_run_c(l->session, "SET LOCAL lock_timeout = '60s'", err));
  WH_TRY(wh_pg_run(l->session,
                   WH_STR("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended("
                          "'wherry ledger ' || $1, 0))"),
                   &l->options.schema, 1, NULL, err));
  schema_state state;
  WH_TRY(look(l, &state, err));
  WH_TRY(check_ours(l, &state, err));
  return state.version < PG_LEDGER_VERSION ? migrate_from(l, state.version, err) : WH_OK;
}

wh_status pg_ledger_migrate(pg_ledger *l, wh_error *err) {
  schema_state state;
  WH_TRY(look(l, &state, err));
  WH_TRY(check_ours(l, &state, err));
  if (state.version == PG_LEDGER_VERSION) return WH_OK;
  WH_TRY(wh_pg_run_c(l->session, "BEGIN", err));
  wh_status status = migrate_alone(l, err);
  if (status == WH_OK) return wh_pg_run(l->session, WH_STR("COMMIT"), NULL, 0, NULL, err);
  WH_IGNORE(wh_pg_run_c(l->session, "ROLLBACK", NULL));
  return status;
}

// --- opening
// ---------------------------------------------------------------------------------------

// Whoever worked and goes may leave something to do, in any pipeline. Not told where a lease is
// given back: workers that cannot do it for the same reason would wake each other without end.
static void tell_leaving(pg_ledger *l) {
  if (!l->session || !l->has_held) return;
  WH_IGNORE(wh_pg_run(l->session, WH_STR("SELECT pg_catalog.pg_notify(current_schema(), '')"), NULL,
                      0, NULL, NULL));
}

static void pg_close(wh_ledger *base) {
  pg_ledger *l = (pg_ledger *)base;
  l->is_closing = true;
  pg_keeper_stop(l);
  ledger_free(&l->base);
  tell_leaving(l);
  pg_ledger_drop_session(l);
  wh_arena_free(&l->scratch);
  wh_arena_free(&l->arena);
  wh_mem_free(l->base.mem, l, sizeof *l);
}

static const wh_ledger_type pg_type = {
    .name = "postgres",
    .listen = pg_listen,
    .heard = pg_heard,
    .close = pg_close,
    LEDGER_VERBS,
};

static wh_status open_ledger(pg_ledger *l, wh_connection *c, int64_t lease_us, wh_error *err) {
  l->base.path = wh_arena_cstr(&l->arena, c->name);
  if (!l->base.path) return wh_fail_memory(err);
  l->connection = *c;
  l->options = *wh_pg_options_of(c);
  if (!l->options.schema.len) l->options.schema = WH_STR(WH_LEDGER_SCHEMA);
  l->connection.options = &l->options;
  WH_TRY(ledger_holder_init(&l->holder, l->base.os, lease_us, &l->arena, err));
  WH_TRY(pg_keeper_init(l, err));
  WH_TRY(pg_ledger_connect(l, &l->connection, &l->session, err));
  atomic_store(&l->keeper.own_pid, PQbackendPID(l->session->conn));
  return pg_ledger_migrate(l, err);
}

wh_status wh_ledger_open_postgres(wh_connection *c, int64_t lease_us, wh_ledger **ret,
                                  wh_error *err) {
  pg_ledger *l = wh_mem_alloc_zero(c->mem, sizeof *l);
  if (!l) return wh_fail_memory(err);
  l->base.base.type = &pg_type;
  l->base.mem = c->mem;
  wh_arena_init(&l->arena, c->mem);
  wh_arena_init(&l->scratch, c->mem);
  wh_status status = ledger_init(&l->base, &pg_driver, c->os, c->mem, err);
  if (status == WH_OK) status = open_ledger(l, c, lease_us, err);
  if (status != WH_OK) {
    pg_close(&l->base.base);
    return status;
  }
  *ret = &l->base.base;
  return WH_OK;
}
