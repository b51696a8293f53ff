// Connecting: TLS, timeouts, and what a session is told before it is used.
#include "connect/mysql/session.h"

#include "connect/mysql/bulk.h"
#include "connect/mysql/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  OLDEST_MARIADB = 100200, // has utf8mb4_nopad_bin
  OLDEST_MYSQL = 80017,    // has utf8mb4_0900_bin
  IDLE_SECONDS = 86400, // a slow reader, or a long step between two chunks, is no reason to hang up
  PACKET_SPARE = 64 << 10, // bytes of a row in the protocol beyond those of its values
  KEEPALIVE_IDLE_S = 60,   // a peer that is gone without a word is noticed after about two minutes
  KEEPALIVE_EVERY_S = 15,
  KEEPALIVE_COUNT = 4,
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void) {
  mysql_server_init(0, NULL, NULL);
}

static unsigned whole_seconds(int64_t us) {
  int64_t seconds = us / 1000000 + (us % 1000000 > 0);
  return seconds > 0x7FFFFFFF ? 0x7FFFFFFF : (unsigned)seconds;
}

static bool is_socket_path(const wh_server *server) {
  return server->host.len > 0 && server->host.data[0] == '/';
}

// Authorities are named in any case: without, some versions of the library would take a trusted
// certificate of any name.
static void set_tls(MYSQL *h, const wh_server *server) {
  my_bool encrypt = server->tls != WH_TLS_OFF && !is_socket_path(server);
  my_bool verify = encrypt && server->tls == WH_TLS_VERIFY;
  mysql_optionsv(h, MYSQL_OPT_SSL_ENFORCE, &encrypt);
  mysql_optionsv(h, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
  if (!verify) return;
  if (server->tls_ca.len)
    mysql_optionsv(h, MYSQL_OPT_SSL_CA, server->tls_ca.data);
  else
    mysql_optionsv(h, MYSQL_OPT_SSL_CAPATH, X509_get_default_cert_dir());
}

static void set_options(wh_mysql_session *s, wh_sql_access access) {
  const wh_server *server = &wh_mysql_options_of(s)->server;
  MYSQL *h = s->handle;
  unsigned timeout = whole_seconds(server->connect_timeout_us);
  unsigned protocol = is_socket_path(server) ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
  unsigned local = access == WH_SQL_WRITE;
  my_bool no = 0;
  mysql_optionsv(h, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
  mysql_optionsv(h, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_optionsv(h, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_optionsv(h, MYSQL_OPT_LOCAL_INFILE, &local);
  mysql_optionsv(h, MYSQL_OPT_RECONNECT, &no); // a new session would have lost its transaction
  mysql_optionsv(h, MARIADB_OPT_IO_WAIT, wh_mysql_wait_io);
  // No file is ever opened for the server, whatever it asks for.
  wh_mysql_set_load_handler(s);
  set_tls(h, server);
}

// Not blocking, so that each wait is ours (see wh_mysql_wait_io). The second descriptor outlives
// the library's, which closes its own when it gives up.
static void set_socket(wh_mysql_session *s) {
  int fd = (int)mysql_get_socket(s->handle);
  const struct {
    int name, value;
  } tcp[] = {{TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
             {TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
             {TCP_KEEPCNT, KEEPALIVE_COUNT}};
  int on = 1;
  s->line = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  for (size_t i = 0; i < sizeof tcp / sizeof tcp[0]; i++)
    setsockopt(fd, IPPROTO_TCP, tcp[i].name, &tcp[i].value, sizeof(int));
}

static wh_status log_in(wh_mysql_session *s, wh_error *err) {
  const wh_server *server = &wh_mysql_options_of(s)->server;
  const wh_connection *c = s->base.connection;
  bool is_path = is_socket_path(server);
  wh_mysql_will_wait(s);
  if (!mysql_real_connect(s->handle, is_path ? NULL : server->host.data, server->user.data,
                          server->password.len ? server->password.data : "", server->database.data,
                          is_path ? 0 : (unsigned)server->port, is_path ? server->host.data : NULL,
                          CLIENT_FOUND_ROWS)) { // an UPDATE counts the rows that it matched
    wh_mysql_trouble t = wh_mysql_trouble_of(s, NULL);
    return wh_mysql_fail_login(c, &t, err);
  }
  set_socket(s);
  if (is_path) return WH_OK;
  if (server->tls != WH_TLS_OFF && !mysql_get_ssl_cipher(s->handle))
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server at %.*s does not encrypt. Give it a certificate, or say `tls: "
                   "off` where the network is trusted",
                   WH_STR_ARG(c->name), WH_STR_ARG(server->host));
  return WH_OK;
}

// The fourth and later parts of a version are the distribution's.
static wh_status check_version(wh_mysql_session *s, wh_sql_access access, wh_error *err) {
  s->is_mariadb = strstr(mysql_get_server_info(s->handle), "MariaDB") != NULL;
  s->base.driver = s->is_mariadb ? &wh_mariadb_driver : &wh_mysql_driver;
  unsigned long version = mysql_get_server_version(s->handle);
  unsigned long oldest = s->is_mariadb ? OLDEST_MARIADB : OLDEST_MYSQL;
  if (access == WH_SQL_READ || version >= oldest) return WH_OK;
  return wh_fail(
      err, WH_ERR_REFUSED,
      "%.*s: the server is %s %lu.%lu.%lu; rows can be loaded into %s from %lu.%lu.%lu on",
      WH_STR_ARG(s->base.connection->name), s->base.driver->product, version / 10000,
      version / 100 % 100, version % 100, s->base.driver->product, oldest / 10000,
      oldest / 100 % 100, oldest % 100);
}

static void add_timeouts(const wh_mysql_session *s, wh_buf *sql) {
  const wh_server *server = &wh_mysql_options_of(s)->server;
  int64_t lock_us = server->lock_timeout_us, most = s->base.connection->wait_limit_us;
  if (most > 0 && most < lock_us) lock_us = most;
  unsigned lock = whole_seconds(lock_us);
  if (lock == 0) lock = 1;
  wh_buf_printf(sql,
                ", innodb_lock_wait_timeout = %u, lock_wait_timeout = %u, net_write_timeout = %d, "
                "net_read_timeout = %d, wait_timeout = %d",
                lock, lock, IDLE_SECONDS, IDLE_SECONDS, IDLE_SECONDS);
  int64_t limit = server->statement_timeout_us;
  if (limit <= 0) return;
  if (s->is_mariadb)
    wh_buf_printf(sql, ", max_statement_time = %lld.%06lld", (long long)(limit / 1000000),
                  (long long)(limit % 1000000));
  else
    wh_buf_printf(sql, ", max_execution_time = %lld", (long long)(limit / 1000 + (limit < 1000)));
}

// A reader keeps the server's sql_mode, in which the user's queries are written. A writer's has
// nothing that makes another value of one, as a zero in an auto_increment column.
static wh_status set_variables(wh_mysql_session *s, wh_sql_access access, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SET time_zone = '+00:00', autocommit = 1, sql_auto_is_null = 0");
  add_timeouts(s, &sql);
  if (access == WH_SQL_WRITE)
    wh_buf_add_c(&sql, ", default_storage_engine = InnoDB, unique_checks = 1, "
                       "foreign_key_checks = 1, sql_mode = 'STRICT_ALL_TABLES,"
                       "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
                       "ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'");
  WH_TRY(wh_buf_check(&sql, err));
  WH_TRY(wh_mysql_run(s, wh_buf_str(&sql), "preparing the session", NULL, err));
  return wh_mysql_run_c(s,
                        access == WH_SQL_READ
                            ? "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                            : "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                        err);
}

static wh_status take_settings(void *context, const wh_str *values, size_t count, wh_error *err) {
  wh_mysql_session *s = context;
  (void)err;
  int64_t local = 0;
  if (count >= 2 && wh_str_to_i64(values[0], &local)) s->may_load = local != 0;
  if (count >= 2 && !wh_str_to_u64(values[1], &s->packet_max)) s->packet_max = 1 << 20;
  return WH_OK;
}

static wh_status prepare_session(wh_mysql_session *s, wh_sql_access access, wh_error *err) {
  const wh_connection *c = s->base.connection;
  WH_TRY(log_in(s, err));
  WH_TRY(check_version(s, access, err));
  WH_TRY(set_variables(s, access, err));
  if (access == WH_SQL_WRITE) {
    // Where it is off, a TIMESTAMP column that is declared without more changes by itself. Some
    // servers let only administrators say so; then it is on already, or columns say NULL.
    wh_mysql_will_wait(s);
    mysql_query(s->handle, "SET SESSION explicit_defaults_for_timestamp = 1");
    return wh_mysql_ask(&s->base, WH_STR("SELECT @@local_infile, @@max_allowed_packet"), NULL, 0,
                        take_settings, s, err);
  }
  // A larger row ends the reading before it is in memory.
  if (c->row_limit_bytes && c->row_limit_bytes < ULONG_MAX - PACKET_SPARE)
    s->handle->net.max_packet_size = c->row_limit_bytes + PACKET_SPARE;
  return WH_OK;
}

wh_status wh_mysql_open(wh_connection *c, wh_sql_access access, wh_mysql_session **ret,
                        wh_error *err) {
  pthread_once(&library_once, start_library);
  wh_mysql_session *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->base.connection = c;
  s->line = -1;
  s->handle = mysql_init(NULL);
  wh_status status = s->handle ? WH_OK : wh_fail_memory(err);
  if (status == WH_OK) {
    set_options(s, access);
    status = prepare_session(s, access, err);
  }
  if (status != WH_OK) {
    wh_mysql_close(s);
    return status;
  }
  *ret = s;
  return WH_OK;
}

void wh_mysql_cut(wh_mysql_session *s) {
  if (s->line >= 0) shutdown(s->line, SHUT_RDWR);
}

bool wh_mysql_line_is_up(const wh_mysql_session *s) {
  char byte;
  if (s->line < 0) return false;
  ssize_t got = recv(s->line, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

// A result that nobody reads any more would be read to its end first: the line is cut instead. The
// server then rolls back.
void wh_mysql_close(wh_mysql_session *s) {
  if (!s) return;
  if (s->handle) {
    if (s->handle->status != MYSQL_STATUS_READY) wh_mysql_cut(s);
    mysql_close(s->handle);
  }
  if (s->line >= 0) close(s->line);
  wh_mem_free(s->base.connection->mem, s, sizeof *s);
}
