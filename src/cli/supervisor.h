// The supervisor that started the service and waits to hear that it is up (systemd with
// Type=notify). What it is told, and how, is sd_notify(3)'s: a datagram of NAME=VALUE to the unix
// socket that NOTIFY_SOCKET names, a path or, with '@' in front, an abstract name.
#pragma once

#include "base/environment.h"
#include "base/error.h"

#define WH_SUPERVISOR_READY    "READY=1"
#define WH_SUPERVISOR_ALIVE    "WATCHDOG=1"
#define WH_SUPERVISOR_STOPPING "STOPPING=1"

// Nothing, and WH_OK, where nobody listens: no NOTIFY_SOCKET.
wh_status wh_supervisor_tell(const wh_environment *environment, const char *what, wh_error *err);
