// How sure a line has to be.
#pragma once

typedef enum wh_tls {
  WH_TLS_VERIFY,  // encrypted, and the server is who its certificate says
  WH_TLS_REQUIRE, // encrypted, to whoever answers
  WH_TLS_OFF,
} wh_tls;
