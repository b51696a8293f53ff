// A TCP connection, within a time and until somebody wants to stop.
#include "connect/sftp/sftp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { SLICE_MS = 100, PORT_CHARS = 8 };

// Until the socket is connected: 0, or an errno.
static wh_status wait_connected(wh_connection *c, int fd, int64_t until_ns, int *ret_errno,
                                wh_error *err) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
  while (poll(&poll_fd, 1, SLICE_MS) <= 0) {
    if (c->cancel && atomic_load(c->cancel)) return wh_fail(err, WH_ERR_CANCELLED, "stopped");
    if (c->os->type->monotonic_ns(c->os) < until_ns) continue;
    *ret_errno = ETIMEDOUT;
    return WH_OK;
  }
  socklen_t len = sizeof *ret_errno;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, ret_errno, &len) != 0) *ret_errno = errno;
  return WH_OK;
}

static wh_status connect_to(wh_connection *c, const struct addrinfo *to, int64_t until_ns,
                            int *ret_fd, int *ret_errno, wh_error *err) {
  int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  *ret_errno = errno;
  if (fd < 0) return WH_OK;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // requests are small
  wh_status status = WH_OK;
  *ret_errno = 0;
  if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
    *ret_errno = errno;
    if (errno == EINPROGRESS) status = wait_connected(c, fd, until_ns, ret_errno, err);
  }
  if (status == WH_OK && *ret_errno == 0)
    *ret_fd = fd;
  else
    close(fd);
  return status;
}

wh_status wh_sftp_dial(wh_connection *c, int64_t until_ns, int *ret_fd, wh_error *err) {
  const wh_sftp_options *o = wh_sftp_options_of(c);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  char port[PORT_CHARS];
  snprintf(port, sizeof port, "%d", (int)o->port);
  int code = getaddrinfo(o->host.data, port, &hints, &found);
  if (code != 0) {
    wh_status status = wh_fail(err, WH_ERR_UNAVAILABLE, "no address of %.*s: %s",
                               WH_STR_ARG(o->host), gai_strerror(code));
    if (err) err->retry = true;
    return status;
  }
  int fd = -1, problem = 0;
  wh_status status = WH_OK;
  for (struct addrinfo *to = found; to && fd < 0 && status == WH_OK; to = to->ai_next)
    status = connect_to(c, to, until_ns, &fd, &problem, err);
  freeaddrinfo(found);
  if (status != WH_OK) return status;
  if (fd >= 0) {
    *ret_fd = fd;
    return WH_OK;
  }
  status = wh_fail(err, WH_ERR_UNAVAILABLE, "no connection to %.*s, port %d: %s",
                   WH_STR_ARG(o->host), (int)o->port, strerror(problem));
  if (err) err->retry = true;
  return status;
}
