// The listening socket.
#pragma once

#include "base/arena.h"
#include "base/error.h"

// Binds "127.0.0.1:8080", "[::1]:0", "localhost:80" and listens. WH_ERR_BUSY: somebody else does.
// `word` of `serve` said so: "listen".
wh_status wh_listen(wh_str where, const char *word, int *ret_fd, wh_error *err);
// "127.0.0.1:8080" as the system knows it.
wh_status wh_listen_name(int fd, wh_arena *arena, wh_str *ret, wh_error *err);
