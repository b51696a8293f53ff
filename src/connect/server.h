// The words that connections to servers share: where the server is, who asks, and how sure the line
// has to be. A connector's option table begins with WH_SERVER_OPTIONS, its struct with a wh_server.
#pragma once

#include "base/option.h"
#include "net/tls.h"

typedef struct wh_server {
  wh_str host;
  int64_t port;
  wh_str database, user, password;
  int tls; // wh_tls
  wh_str tls_ca;
  int64_t connect_timeout_us;
  int64_t lock_timeout_us;      // how long a statement waits for somebody else's lock
  int64_t statement_timeout_us; // how long one may take at all; 0: no limit
  int64_t rows_per_second;      // that a source reads at most; 0: no limit
} wh_server;

extern const char *const wh_tls_choices[]; // "verify", "require", "off"

// `struct_`: the connector's struct, whose member `server` is a wh_server. `port_`: a string.
#define WH_SERVER_OPTIONS(struct_, port_)                                                          \
  {.name = "host",                                                                                 \
   .type = WH_OPTION_TEXT,                                                                         \
   .offset = offsetof(struct_, server.host),                                                       \
   .required = true,                                                                               \
   .help = "the server's name or address"},                                                        \
      {.name = "port",                                                                             \
       .type = WH_OPTION_INT,                                                                      \
       .offset = offsetof(struct_, server.port),                                                   \
       .def = port_,                                                                               \
       .min = 1,                                                                                   \
       .max = 65535,                                                                               \
       .help = "where it listens"},                                                                \
      {.name = "database",                                                                         \
       .type = WH_OPTION_TEXT,                                                                     \
       .offset = offsetof(struct_, server.database),                                               \
       .required = true,                                                                           \
       .help = "the database's name"},                                                             \
      {.name = "user",                                                                             \
       .type = WH_OPTION_TEXT,                                                                     \
       .offset = offsetof(struct_, server.user),                                                   \
       .help = "who logs in"},                                                                     \
      {.name = "password",                                                                         \
       .type = WH_OPTION_TEXT,                                                                     \
       .offset = offsetof(struct_, server.password),                                               \
       .secret = true,                                                                             \
       .help = "the user's password"},                                                             \
      {.name = "tls",                                                                              \
       .type = WH_OPTION_ENUM,                                                                     \
       .offset = offsetof(struct_, server.tls),                                                    \
       .def = "verify",                                                                            \
       .choices = wh_tls_choices,                                                                  \
       .help = "verify the server's certificate and name, only encrypt, or neither"},              \
      {.name = "tls_ca",                                                                           \
       .type = WH_OPTION_PATH,                                                                     \
       .offset = offsetof(struct_, server.tls_ca),                                                 \
       .help = "certificates of the authorities to trust; the system's without it"},               \
      {.name = "connect_timeout",                                                                  \
       .type = WH_OPTION_DURATION,                                                                 \
       .offset = offsetof(struct_, server.connect_timeout_us),                                     \
       .def = "10s",                                                                               \
       .min = 1000000,                                                                             \
       .max = -1,                                                                                  \
       .help = "how long to wait for an answer when connecting"},                                  \
      {.name = "lock_timeout",                                                                     \
       .type = WH_OPTION_DURATION,                                                                 \
       .offset = offsetof(struct_, server.lock_timeout_us),                                        \
       .def = "5s",                                                                                \
       .help = "how long to wait for rows that somebody else has locked"},                         \
      {.name = "statement_timeout",                                                                \
       .type = WH_OPTION_DURATION,                                                                 \
       .offset = offsetof(struct_, server.statement_timeout_us),                                   \
       .def = "0",                                                                                 \
       .help = "how long one statement may take; 0: as long as it needs"},                         \
  {                                                                                                \
    .name = "rows_per_second", .type = WH_OPTION_INT,                                              \
    .offset = offsetof(struct_, server.rows_per_second), .def = "0", .min = 0, .max = -1,          \
    .help = "how many rows a source reads at most in a second, so that others get their turn; 0: " \
            "no limit"                                                                             \
  }

// Problems that the table cannot express: NUL bytes, tls_ca without tls.
wh_status wh_server_check(const wh_server *server, wh_error *err);
