// Statements that wait for the next one (connect/postgres/later.h), against a server.
#ifdef WHERRY_POSTGRES

#include "connect/postgres/later.h"
#include "place_postgres.h"
#include "test.h"

static wh_connection c;
static wh_pg_session *s;

static bool set_up(void) {
  const char *reason = NULL;
  test_postgres_open(&c, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  test_postgres_sql(&c, "CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY IMMEDIATE)");
  return CHECK_OK(wh_pg_open(&c, WH_SQL_WRITE, &s, &test_err));
}

static void tear_down(void) {
  wh_pg_close(s);
  s = NULL;
  test_postgres_close(&c);
}

#define LATER_TEST(ident)                                                                          \
  static void later_##ident(void);                                                                 \
  TEST(ident) {                                                                                    \
    if (set_up()) later_##ident();                                                                 \
    if (s) tear_down();                                                                            \
  }                                                                                                \
  static void later_##ident(void)

static wh_status later(const char *sql) {
  return wh_pg_run_later(s, wh_str_of(sql), NULL, 0, NULL, &test_err);
}

static wh_status later_row(const char *number, uint64_t *ret_rows) {
  wh_str n = wh_str_of(number);
  return wh_pg_run_later(s, WH_STR("INSERT INTO t VALUES ($1::int)"), &n, 1, ret_rows, &test_err);
}

static wh_status run(const char *sql) {
  return wh_pg_run(s, wh_str_of(sql), NULL, 0, NULL, &test_err);
}

static wh_status see(void *context, const wh_str *values, size_t count, wh_error *err) {
  (void)count, (void)err;
  (void)wh_str_to_u64(values[0], context);
  return WH_OK;
}

static wh_status count(uint64_t *ret) {
  return wh_pg_ask(s, WH_STR("SELECT count(*) FROM t"), NULL, 0, see, ret, &test_err);
}

static void check_rows(uint64_t want) {
  uint64_t rows = UINT64_MAX;
  CHECK_OK(count(&rows));
  CHECK_EQ(rows, want);
}

LATER_TEST(what_waits_goes_with_the_next) {
  uint64_t rows = 9;
  CHECK_OK(later("BEGIN"));
  CHECK_OK(later_row("1", &rows));
  CHECK_EQ(rows, 9); // nobody knows yet
  CHECK_STR(WH_STR("0"), wh_str_of(test_postgres_ask(&c, "SELECT count(*) FROM t")));
  check_rows(1);
  CHECK_EQ(rows, 1);
  CHECK_OK(later_row("2", &rows));
  CHECK_OK(run("COMMIT"));
  CHECK_STR(WH_STR("2"), wh_str_of(test_postgres_ask(&c, "SELECT count(*) FROM t")));
}

LATER_TEST(the_first_that_fails_is_told_of_and_nothing_behind_it_happens) {
  CHECK_OK(later("BEGIN"));
  CHECK_OK(later_row("1", NULL));
  CHECK_OK(later_row("1", NULL));
  CHECK_OK(later("INSERT INTO there_is_none VALUES (1)"));
  CHECK_FAILS(run("COMMIT"), WH_ERR_TYPE);
  CHECK_ERROR_HAS("unique");
  CHECK_OK(run("ROLLBACK"));
  check_rows(0);
  CHECK_EQ(s->later_count, 0);
}

// Without BEGIN they are one transaction, whose end may refuse what each of them had let pass.
LATER_TEST(what_is_refused_at_the_end_gives_no_results) {
  PGresult *waited = NULL, *last = NULL;
  CHECK_OK(run("DROP TABLE t"));
  CHECK_OK(run("CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"));
  CHECK_OK(
      wh_pg_describe(s, "put", WH_STR("INSERT INTO t VALUES (1) RETURNING n"), &last, &test_err));
  PQclear(last);
  last = NULL;
  CHECK_OK(wh_pg_exec_later(s, "put", NULL, 0, &waited, &test_err));
  CHECK_FAILS(wh_pg_exec_prepared(s, "put", NULL, 0, "putting", &last, &test_err), WH_ERR_TYPE);
  CHECK(!waited);
  CHECK(!last);
  check_rows(0);
  CHECK_OK(wh_pg_exec_later(s, "put", NULL, 0, &waited, &test_err));
  check_rows(1);
  CHECK(waited && PQntuples(waited) == 1);
  PQclear(waited);
}

LATER_TEST(whoever_is_gone_gets_no_result) {
  PGresult *waited = NULL;
  CHECK_OK(wh_pg_describe(s, "put", WH_STR("INSERT INTO t VALUES (1)"), &waited, &test_err));
  PQclear(waited);
  waited = NULL;
  CHECK_OK(wh_pg_exec_later(s, "put", NULL, 0, &waited, &test_err));
  wh_pg_ignore_later(s, &waited);
  check_rows(1);
  CHECK(!waited);
}

LATER_TEST(a_rollback_forgets_what_waits) {
  CHECK_OK(later("BEGIN"));
  CHECK_OK(later_row("1", NULL));
  CHECK_OK(run("ROLLBACK"));
  check_rows(0);
}

LATER_TEST(more_than_can_wait_are_sent) {
  enum { ROWS = 3 * WH_PG_LATER_MAX + 1 };
  CHECK_OK(later("BEGIN"));
  for (int i = 0; i < ROWS; i++) {
    char number[16];
    snprintf(number, sizeof number, "%d", i);
    CHECK_OK(later_row(number, NULL));
  }
  check_rows(ROWS);
}

static wh_status copy_rows(const char *sql, const char *rows) {
  WH_TRY(wh_pg_start_copy(s, wh_str_of(sql), PGRES_COPY_IN, "copying", &test_err));
  CHECK_EQ(PQputCopyData(s->conn, rows, (int)strlen(rows)), 1);
  CHECK_EQ(PQputCopyEnd(s->conn, NULL), 1);
  return wh_pg_finish(s, "copying", &test_err);
}

LATER_TEST(a_copy_takes_along_what_waits) {
  CHECK_OK(later("BEGIN"));
  CHECK_OK(later("SAVEPOINT a"));
  CHECK_OK(copy_rows("COPY t FROM STDIN", "1\n2\n"));
  CHECK_OK(later("RELEASE SAVEPOINT a"));
  CHECK_OK(later("SAVEPOINT b"));
  CHECK_FAILS(copy_rows("COPY t FROM STDIN", "3\n1\n"), WH_ERR_TYPE);
  CHECK_OK(run("ROLLBACK TO SAVEPOINT b"));
  CHECK_OK(later("SAVEPOINT c"));
  CHECK_FAILS(copy_rows("COPY there_is_none FROM STDIN", ""), WH_ERR_NOT_FOUND);
  CHECK_OK(run("ROLLBACK TO SAVEPOINT c"));
  CHECK_OK(later_row("4", NULL)); // has a parameter: goes in front of the copy, by itself
  CHECK_OK(copy_rows("COPY t FROM STDIN", "5\n"));
  check_rows(4);
  CHECK_OK(later("no SQL at all"));
  CHECK_FAILS(copy_rows("COPY t FROM STDIN", "6\n"), WH_ERR_USAGE);
  CHECK_OK(run("ROLLBACK"));
  check_rows(0);
}

LATER_TEST(a_line_that_is_lost_is_told_of) {
  CHECK_OK(later("BEGIN"));
  CHECK_OK(later_row("1", NULL));
  test_postgres_sql(&c, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                        "current_database() AND pid <> pg_backend_pid()");
  uint64_t rows = 0;
  CHECK_FAILS(count(&rows), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
}

static wh_status load(void) {
  WH_TRY(later("BEGIN"));
  WH_TRY(later("SAVEPOINT a"));
  WH_TRY(wh_pg_start_copy(s, WH_STR("COPY t FROM STDIN"), PGRES_COPY_IN, "copying", &test_err));
  CHECK_EQ(PQputCopyEnd(s->conn, NULL), 1);
  WH_TRY(wh_pg_finish(s, "copying", &test_err));
  WH_TRY(later_row("1", NULL));
  return run("ROLLBACK");
}

LATER_TEST(without_memory_nothing_is_left_behind) {
  for (size_t n = 1;; n++) {
    wh_pg_close(s); // with what it had put by
    s = NULL;
    REQUIRE_OK(wh_pg_open(&c, WH_SQL_WRITE, &s, &test_err));
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = load();
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    if (!CHECK_EQ(status, refused ? WH_ERR_MEMORY : WH_OK) || !refused) break;
    CHECK_OK(run("ROLLBACK"));
    check_rows(0);
  }
}

#else

#include "test.h"

TEST(postgres_is_not_built) {
  SKIP("this build has no PostgreSQL");
}

#endif
