// Connecting, and what a session is told before it is used.
#include "connect/sqlserver/session.h"

#include "connect/sqlserver/driver.h"

#include <limits.h>
#include <pthread.h>

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static long whole_milliseconds(int64_t us) {
  int64_t ms = us / 1000 + (us % 1000 > 0);
  return ms > INT_MAX ? INT_MAX : (long)ms;
}

static int is_cancelled(void *db) {
  wh_mssql_session *s = (wh_mssql_session *)dbgetuserdata(db);
  const wh_connection *c = s ? s->base.connection : NULL;
  return c && c->cancel && atomic_load(c->cancel);
}

static int give_up(void *db) {
  (void)db;
  return INT_CANCEL;
}

// --- Logging in ----------------------------------------------------------------------------------

static bool set_login(LOGINREC *login, const wh_mssql_options *o, wh_sql_access access) {
  const wh_server *server = &o->server;
  bool whole = DBSETLAPP(login, "Wherry") == SUCCEED &&
               DBSETLDBNAME(login, server->database.data) == SUCCEED &&
               DBSETLCHARSET(login, "UTF-8") == SUCCEED && DBSETLUTF16(login, 1) == SUCCEED &&
               DBSETLPACKET(login, WH_MSSQL_PACKET_BYTES) == SUCCEED &&
               BCP_SETL(login, access == WH_SQL_WRITE) == SUCCEED;
  if (o->read_only_replica && access == WH_SQL_READ)
    whole = whole && DBSETLREADONLY(login, 1) == SUCCEED;
  if (server->user.len == 0) {
    whole = whole && DBSETLNETWORKAUTH(login, 1) == SUCCEED;
    if (o->server_principal.len)
      whole = whole && DBSETLSERVERPRINCIPAL(login, o->server_principal.data) == SUCCEED;
    return whole;
  }
  return whole && DBSETLUSER(login, server->user.data) == SUCCEED &&
         DBSETLPWD(login, server->password.data ? server->password.data : "") == SUCCEED;
}

static wh_status log_in(wh_mssql_session *s, wh_sql_access access, wh_error *err) {
  const wh_connection *c = s->base.connection;
  const char *name;
  WH_TRY(wh_mssql_settings(c, &name, err));
  LOGINREC *login = dblogin();
  if (!login) return wh_fail_memory(err);
  wh_mssql_enter(s);
  if (set_login(login, wh_mssql_options_of(s), access)) s->db = dbopen(login, name);
  dbloginfree(login);
  if (!s->db) return wh_mssql_fail_login(c, &s->trouble, err);
  dbsetuserdata(s->db, (BYTE *)s);
  dbsetinterrupt(s->db, is_cancelled, give_up);
  return WH_OK;
}

// --- The session ---------------------------------------------------------------------------------

// A longer value ends the reading before it is in memory whole: it is cut here, and then found to
// be too large. Text comes as UTF-16, of which each two bytes become one at least.
static long text_size(const wh_connection *c) {
  size_t limit = c->row_limit_bytes;
  return limit && limit < (INT_MAX - 2) / 2 ? (long)(2 * limit + 2) : INT_MAX;
}

// db-lib's own defaults are those of long ago. XACT_ABORT off: what a row is refused for ends the
// statement, not the transaction.
static wh_status prepare_session(wh_mssql_session *s, wh_sql_access access, wh_error *err) {
  const wh_connection *c = s->base.connection;
  int64_t lock_us = wh_mssql_options_of(s)->server.lock_timeout_us;
  if (c->wait_limit_us > 0 && c->wait_limit_us < lock_us) lock_us = c->wait_limit_us;
  char sql[640];
  snprintf(
      sql, sizeof sql,
      "SET ANSI_NULLS ON SET ANSI_NULL_DFLT_ON ON SET ANSI_PADDING ON SET ANSI_WARNINGS ON "
      "SET ARITHABORT ON SET CONCAT_NULL_YIELDS_NULL ON SET QUOTED_IDENTIFIER ON "
      "SET NUMERIC_ROUNDABORT OFF SET CURSOR_CLOSE_ON_COMMIT OFF SET IMPLICIT_TRANSACTIONS OFF "
      "SET NOCOUNT OFF SET XACT_ABORT OFF SET LANGUAGE us_english "
      "SET LOCK_TIMEOUT %ld SET TEXTSIZE %ld SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
      whole_milliseconds(lock_us), access == WH_SQL_READ ? text_size(c) : INT_MAX);
  return wh_mssql_run(s, wh_str_of(sql), "preparing the session", NULL, err);
}

wh_status wh_mssql_open(wh_connection *c, wh_sql_access access, wh_mssql_session **ret,
                        wh_error *err) {
  pthread_once(&library_once, wh_mssql_start_library);
  wh_mssql_session *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->base.connection = c;
  s->base.driver = &wh_mssql_driver;
  wh_status status = log_in(s, access, err);
  if (status == WH_OK) status = prepare_session(s, access, err);
  if (status != WH_OK) {
    wh_mssql_close(s);
    return status;
  }
  *ret = s;
  return WH_OK;
}

// The server rolls back what is under way when the line ends.
void wh_mssql_close(wh_mssql_session *s) {
  if (!s) return;
  wh_mssql_enter(s);
  if (s->db) dbclose(s->db);
  wh_mssql_enter(NULL);
  wh_mem_free(s->base.connection->mem, s, sizeof *s);
}
