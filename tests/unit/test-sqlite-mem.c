// SQLite's memory. A program of its own: the accountant must be there before SQLite's first use.
#include "base/sqlite_mem.h"
#include "test.h"

#include <sqlite3.h>

static int fill(sqlite3 **ret) {
  int code = sqlite3_open(":memory:", ret);
  if (code != SQLITE_OK) return code;
  return sqlite3_exec(*ret,
                      "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);"
                      "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<500)"
                      "  INSERT INTO t SELECT i, printf('%0200d', i) FROM c;"
                      "CREATE INDEX t_b ON t(b);",
                      NULL, NULL, NULL);
}

TEST(sqlite_allocates_from_the_accountant) {
  REQUIRE(wh_sqlite_use_mem(&test_mem));
  sqlite3 *db = NULL;
  CHECK_EQ(fill(&db), SQLITE_OK);
  CHECK(test_mem.used > 500 * 200 * 2);
  sqlite3_close(db);
  sqlite3_shutdown();
  CHECK_EQ(test_mem.used, 0);
  CHECK(wh_sqlite_use_mem(NULL));
}

TEST(sqlite_meets_the_ceiling) {
  wh_mem small;
  wh_mem_init(&small, 200 * 1000);
  REQUIRE(wh_sqlite_use_mem(&small));
  sqlite3 *db = NULL;
  CHECK_EQ(fill(&db), SQLITE_NOMEM);
  sqlite3_close(db);
  sqlite3_shutdown();
  CHECK_EQ(small.used, 0);
  CHECK(small.peak <= 200 * 1000 + 4096);
  CHECK(wh_sqlite_use_mem(NULL));
}

TEST(sqlite_survives_every_want_of_memory) {
  REQUIRE(wh_sqlite_use_mem(&test_mem));
  int code = SQLITE_NOMEM;
  size_t n = 1;
  for (; code != SQLITE_OK && n < 100000; n += 1 + n / 20) {
    test_mem.fail_at = test_mem.count + n;
    sqlite3 *db = NULL;
    code = fill(&db);
    test_mem.fail_at = 0;
    CHECK(code == SQLITE_OK || code == SQLITE_NOMEM);
    sqlite3_close(db);
    sqlite3_shutdown();
    CHECK_EQ(test_mem.used, 0);
  }
  CHECK_EQ(code, SQLITE_OK);
  CHECK(n > 100);
  CHECK(wh_sqlite_use_mem(NULL));
}
