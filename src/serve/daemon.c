// libmicrohttpd as it is used here: two threads that poll, every limit set, TLS by GnuTLS.
#include "serve/server.h"

#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

// TLS 1.2 and 1.3, forward secrecy only, no CBC.
#define TLS_PRIORITIES                                                                             \
  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-AES-128-CBC:-AES-256-CBC:-AES-128-CCM:"        \
  "-AES-256-CCM:%SERVER_PRECEDENCE"

enum { STACK_BYTES = 1 << 20 };

__attribute__((format(printf, 2, 0))) static void take_message(void *context, const char *fmt,
                                                               va_list args) {
  (void)context;
  char text[256];
  if (!wh_log_enabled(WH_LOG_DEBUG)) return;
  vsnprintf(text, sizeof text, fmt, args);
  wh_log(WH_LOG_DEBUG, "serve", "%s", text);
}

// Leaves escapes in paths as they are.
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
  (void)context, (void)connection;
  return strlen(text);
}

static enum MHD_Result admit(void *context, const struct sockaddr *address, socklen_t len) {
  wh_server *s = context;
  (void)len;
  return wh_connections_admit(&s->connections, address) ? MHD_YES : MHD_NO;
}

static void connection_changed(void *context, struct MHD_Connection *connection,
                               void **socket_context, enum MHD_ConnectionNotificationCode code) {
  wh_server *s = context;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    wh_connections_close(&s->connections, *socket_context);
    *socket_context = NULL;
    return;
  }
  const union MHD_ConnectionInfo *fd =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  const union MHD_ConnectionInfo *address =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (!fd || !address) return;
  *socket_context = wh_connections_open(&s->connections, fd->connect_fd, address->client_addr);
}

static struct MHD_Daemon *start(wh_server *s, const wh_tls_files *tls, int fd) {
  struct MHD_OptionItem secure[] = {
      {MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? (void *)tls->certificate.data : NULL},
      {MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? (void *)tls->key.data : NULL},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
      {MHD_OPTION_END, 0, NULL},
  };
  unsigned flags =
      MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
  if (tls) flags |= MHD_USE_TLS;
  return MHD_start_daemon(
      flags, 0, admit, s, wh_route_request, s, MHD_OPTION_EXTERNAL_LOGGER, take_message, s,
      MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)WH_SERVE_THREADS,
      MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_CONNECTION_LIMIT,
      (unsigned)s->connections.most, MHD_OPTION_CONNECTION_TIMEOUT,
      (unsigned)WH_SERVE_REQUEST_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)WH_SERVE_CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, s, MHD_OPTION_NOTIFY_COMPLETED,
      wh_route_completed, s, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s, MHD_OPTION_ARRAY,
      tls ? secure : &secure[3], MHD_OPTION_END);
}

wh_status wh_daemon_start(wh_server *s, const wh_tls_files *tls, struct MHD_Daemon **ret,
                          wh_error *err) {
  int fd = fcntl(s->listen_fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return wh_fail(err, WH_ERR_IO, "serve: too many files are open");
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct MHD_Daemon *daemon = start(s, tls, fd);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!daemon) {
    close(fd);
    return tls ? wh_fail(err, WH_ERR_USAGE,
                         "serve: tls: the certificate and its key cannot be used")
               : wh_fail(err, WH_ERR_MEMORY, "serve: the server's threads cannot be started");
  }
  *ret = daemon;
  return WH_OK;
}

void wh_daemon_quiesce(struct MHD_Daemon *daemon) {
  MHD_socket fd = MHD_quiesce_daemon(daemon);
  if (fd != MHD_INVALID_SOCKET) close(fd);
}

size_t wh_daemon_connections(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info =
      MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
  return info ? info->num_connections : 0;
}
