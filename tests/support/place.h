// Databases that the contract tests run against. A new connector adds one entry to test_places;
// the tests in tests/contract then hold for it too.
#pragma once

#include "connect/connect.h"
#include "test.h"

// What the SQL of a test says in braces, as this database spells it: {int64} is BIGINT here and
// INTEGER there. The words are in place.c, where every place has all of them.
typedef struct test_word {
  const char *word, *text;
} test_word;

// What a place cannot do; tests say what they need.
enum {
  TEST_SQL = 1,          // tables of others, made in SQL; columns and names as databases have them
  TEST_TRANSACTIONS = 2, // rows and marks that are seen together
  TEST_REPLACE = 4,
  TEST_APPEND_TO_NEW = 8, // tables without a key
  TEST_SIDE_TABLE = 16,
  TEST_MANY_TURNS = 32,   // hundreds of loads within seconds
  TEST_FOREIGN_KEYS = 64, // known once the place is open
};

typedef struct test_place test_place;
struct test_place {
  const char *name;
  // Fills `c` with a fresh, empty database; *reason is set instead when there is none here (SKIP).
  void (*open)(wh_connection *c, const char **reason);
  void (*close)(wh_connection *c);
  // Runs statements in it as another program would. Fails the test when they fail.
  void (*sql)(wh_connection *c, const char *text);
  // The first column of the first row, as text; "" for none, "~" for NULL. Lives until the next
  // call.
  const char *(*ask)(wh_connection *c, const char *text);
  const test_word *words; // ends with {0}
  unsigned lacks;         // of the above
  bool is_slow;           // a connection takes milliseconds
  bool only_reads;        // it is no sink
  bool one_writer;        // whoever writes keeps everybody else from writing
};

extern const test_place *const test_places[]; // NULL-terminated

// `text` with its {words} replaced. Lives until the third call after this one. What is
// no word of the place stays as it is: JSON has braces too.
const char *test_place_text(const test_place *place, const char *text);
// place->sql and place->ask of such texts.
void test_place_sql(const test_place *place, wh_connection *c, const char *text);
const char *test_place_ask(const test_place *place, wh_connection *c, const char *text);
