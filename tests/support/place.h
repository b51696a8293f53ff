// Databases that the contract tests run against. A new connector adds one entry to test_places;
// the tests in tests/contract then hold for it too.
#pragma once

#include "connect/connect.h"
#include "test.h"

typedef struct test_place test_place;
struct test_place {
  const char *name;
  // Fills `c` with a fresh, empty database; *reason is set instead when there is none here (SKIP).
  void (*open)(wh_connection *c, const char **reason);
  void (*close)(wh_connection *c);
  // Runs statements in it as another program would. Fails the test when they fail.
  void (*sql)(wh_connection *c, const char *text);
  // The first column of the first row, as text; "" for none. Lives until the next call.
  const char *(*ask)(wh_connection *c, const char *text);
};

extern const test_place *const test_places[]; // NULL-terminated
