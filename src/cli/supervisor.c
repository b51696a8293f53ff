#include "cli/supervisor.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char VARIABLE[] = "NOTIFY_SOCKET";

static wh_status read_address(const char *name, struct sockaddr_un *ret, socklen_t *ret_len,
                              wh_error *err) {
  size_t len = strlen(name);
  if ((name[0] != '/' && name[0] != '@') || len < 2)
    return wh_fail(err, WH_ERR_USAGE, "%s: '%s' is neither a path nor '@NAME'", VARIABLE, name);
  if (len >= sizeof ret->sun_path)
    return wh_fail(err, WH_ERR_LIMIT, "%s: '%s' is longer than the %zu bytes a socket's name has",
                   VARIABLE, name, sizeof ret->sun_path - 1);
  *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(ret->sun_path, name, len);
  if (name[0] == '@') ret->sun_path[0] = 0; // abstract: its length ends it, no NUL does
  *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
  return WH_OK;
}

wh_status wh_supervisor_tell(const wh_environment *environment, const char *what, wh_error *err) {
  const char *name = wh_environment_get(environment, VARIABLE);
  if (!name) return WH_OK;
  struct sockaddr_un address;
  socklen_t address_len;
  WH_TRY(read_address(name, &address, &address_len, err));
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return wh_fail(err, wh_status_from_errno(errno), "%s: no socket", VARIABLE);
  ssize_t sent =
      sendto(fd, what, strlen(what), MSG_NOSIGNAL, (struct sockaddr *)&address, address_len);
  int why = errno;
  close(fd);
  if (sent < 0)
    return wh_fail(err, wh_status_from_errno(why), "%s: cannot send %s to %s: %s", VARIABLE, what,
                   name, strerror(why));
  return WH_OK;
}
