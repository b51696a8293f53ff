#include "serve/listen.h"

#include "serve/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

enum { BACKLOG = 128 };

typedef union any_address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} any_address;

static bool parse(wh_str where, any_address *ret, socklen_t *ret_len) {
  size_t colon = where.len;
  while (colon > 0 && where.data[colon - 1] != ':')
    colon--;
  uint64_t port;
  if (!colon || !wh_str_to_u64(wh_str_sub(where, colon, where.len), &port) || port > UINT16_MAX)
    return false;
  wh_str host = wh_str_sub(where, 0, colon - 1);
  bool is_v6 = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
  if (is_v6) host = wh_str_sub(host, 1, host.len - 1);
  if (wh_str_is(host, "localhost")) host = WH_STR("127.0.0.1");
  wh_ip ip;
  if (!wh_ip_parse(host, &ip)) return false;
  *ret = (any_address){0};
  if (is_v6) {
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons((uint16_t)port);
    memcpy(&ret->v6.sin6_addr, ip.bytes, sizeof ip.bytes);
    *ret_len = sizeof ret->v6;
  } else {
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons((uint16_t)port);
    memcpy(&ret->v4.sin_addr, ip.bytes + 12, 4);
    *ret_len = sizeof ret->v4;
  }
  return true;
}

static wh_status fail_errno(wh_str where, const char *word, int errnum, wh_error *err) {
  if (errnum == EADDRINUSE) {
    return wh_fail(err, WH_ERR_BUSY,
                   "serve: cannot listen on %.*s: another program does already. Stop it, or change "
                   "serve.%s",
                   WH_STR_ARG(where), word);
  }
  wh_status status = errnum == EACCES ? WH_ERR_DENIED : wh_status_from_errno(errnum);
  return wh_fail(err, status, "serve: cannot listen on %.*s: %s", WH_STR_ARG(where),
                 strerror(errnum));
}

wh_status wh_listen(wh_str where, const char *word, int *ret_fd, wh_error *err) {
  any_address address;
  socklen_t len;
  if (!parse(where, &address, &len)) {
    return wh_fail(err, WH_ERR_USAGE, "serve: %s: '%.*s' is no address and port", word,
                   WH_STR_ARG(where));
  }
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail_errno(where, word, errno, err);
  int on = 1, off = 0;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.any.sa_family == AF_INET6) // [::] takes IPv4 too
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, &address.any, len) != 0 || listen(fd, BACKLOG) != 0) {
    int errnum = errno;
    close(fd);
    return fail_errno(where, word, errnum, err);
  }
  *ret_fd = fd;
  return WH_OK;
}

wh_status wh_listen_name(int fd, wh_arena *arena, wh_str *ret, wh_error *err) {
  any_address address = {0};
  socklen_t len = sizeof address;
  char text[INET6_ADDRSTRLEN];
  if (getsockname(fd, &address.any, &len) != 0)
    return wh_fail(err, WH_ERR_IO, "serve: the socket has no name");
  bool is_v6 = address.any.sa_family == AF_INET6;
  const void *host = is_v6 ? (void *)&address.v6.sin6_addr : (void *)&address.v4.sin_addr;
  unsigned port = ntohs(is_v6 ? address.v6.sin6_port : address.v4.sin_port);
  if (!inet_ntop(address.any.sa_family, host, text, sizeof text))
    return wh_fail(err, WH_ERR_IO, "serve: the socket has no name");
  wh_str name = wh_arena_printf(arena, is_v6 ? "[%s]:%u" : "%s:%u", text, port);
  if (!name.data) return wh_fail_memory(err);
  *ret = name;
  return WH_OK;
}
