// The sample ERP: the same seed gives the same data, and the dirt is there in its measure.
#include "cli/sample_orders.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

#include <sqlite3.h>
#include <time.h>

static const int64_t NOW_US = 1795251600000000; // 2026-11-21 09:00:00 UTC

static wh_os_real os;
static sqlite3 *db;
static char path[512];

static bool begin(uint64_t seed, uint64_t rows) {
  if (!CHECK_OK(wh_os_real_init(&os, &test_mem, &test_err))) return false;
  snprintf(path, sizeof path, "%s/erp.db", test_folder());
  if (!CHECK_OK(wh_sample_orders(&os.base, path, seed, rows, NOW_US, &test_err))) return false;
  return CHECK(sqlite3_open(path, &db) == SQLITE_OK);
}

static void end(void) {
  sqlite3_close(db);
  db = NULL;
  wh_os_real_free(&os);
}

static int64_t ask(const char *sql) {
  sqlite3_stmt *stmt = NULL;
  CHECK(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
  int64_t answer = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
  sqlite3_finalize(stmt);
  return answer;
}

// FNV-1a over every value of every row.
static uint64_t hash_all(void) {
  uint64_t hash = 0xCBF29CE484222325;
  sqlite3_stmt *stmt = NULL;
  CHECK(sqlite3_prepare_v2(db, "SELECT * FROM sales_order ORDER BY id", -1, &stmt, NULL) ==
        SQLITE_OK);
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
      hash = (hash ^ (uint64_t)sqlite3_column_type(stmt, i)) * 0x100000001B3;
      const unsigned char *text = sqlite3_column_text(stmt, i);
      for (int n = sqlite3_column_bytes(stmt, i); n > 0; n--)
        hash = (hash ^ *text++) * 0x100000001B3;
    }
  }
  sqlite3_finalize(stmt);
  return hash;
}

TEST(the_same_seed_gives_the_same_orders) {
  uint64_t hashes[3];
  static const uint64_t seeds[] = {1, 1, 2};
  for (int i = 0; i < 3; i++) {
    REQUIRE(begin(seeds[i], 5000));
    hashes[i] = hash_all();
    end();
    remove(path);
  }
  CHECK(hashes[0] == hashes[1]);
  CHECK(hashes[0] != hashes[2]);
  // On every machine: a change of the generator changes the worked example.
  CHECK(hashes[0] == 0x38870a9756be6386);
}

TEST(the_dirt_is_there) {
  clock_t start = clock();
  REQUIRE(begin(7, 100000));
  test_note("100,000 orders in %.2f s of processor time",
            (double)(clock() - start) / CLOCKS_PER_SEC);
#define COUNT(condition) ask("SELECT count(*) FROM sales_order WHERE " condition)
  CHECK_EQ(COUNT("1"), 100000);
  CHECK_EQ(COUNT("status_code NOT IN (1, 2, 3, 4)"), WH_SAMPLE_INVALID_STATUS);
  CHECK_EQ(COUNT("order_number IS NULL"), WH_SAMPLE_MISSING_NUMBER);
  CHECK_EQ(COUNT("order_number IS NULL AND status_code = 9"), 0);
  CHECK_EQ(ask("SELECT count(DISTINCT trim(order_number)) FROM sales_order"), 100000 - 5);
  CHECK(COUNT("order_number <> trim(order_number)") > 200);
  CHECK_EQ(COUNT("trim(order_number) NOT GLOB 'SO[0-9][0-9][0-9][0-9][0-9][0-9][0-9]'"), 0);
  for (int status = 1; status <= 4; status++) {
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM sales_order WHERE status_code = %d", status);
    CHECK(ask(sql) > 2000);
  }
  CHECK(COUNT("status_code = 3") > 80000);
  CHECK(COUNT("customer_name <> trim(customer_name)") > 1000);
  CHECK(COUNT("customer_name = upper(customer_name) AND customer_name <> lower(customer_name)") >
        1000);
  CHECK(COUNT("length(CAST(customer_name AS BLOB)) > length(customer_name)") > 30000);
  CHECK(COUNT("unicode(trim(customer_name)) BETWEEN 0x4E00 AND 0x9FFF") > 2000);
  CHECK(COUNT("unicode(trim(customer_name)) BETWEEN 0x0600 AND 0x06FF") > 1000);
  CHECK(COUNT("postcode IS NULL") > 50);
  CHECK(COUNT("postcode = ''") > 100);
  CHECK(COUNT("postcode <> lower(postcode) AND postcode <> trim(postcode)") > 100);
  CHECK(COUNT("order_date = ''") > 50);
  CHECK(COUNT("order_date = '0000-00-00'") > 50);
  CHECK(COUNT("order_date IS NULL") > 50);
  CHECK(COUNT("ship_date = ''") > 500);
  CHECK(COUNT("status_code = 3 AND ship_date IS NULL") > 100);
  CHECK_EQ(COUNT("order_date > '0000-00-00' AND date(order_date) IS NOT order_date"), 0);
  CHECK_EQ(COUNT("typeof(updated_at) <> 'text' OR length(updated_at) <> 20"), 0);
  CHECK_EQ(COUNT("datetime(updated_at) || 'Z' IS NOT updated_at"), 0);
  CHECK_EQ(COUNT("updated_at > '2026-11-21 08:00:00Z' OR updated_at < '2024-11-20'"), 0);
  CHECK(COUNT("updated_at > '2026-11-20'") > 50);
  CHECK(ask("SELECT count(*) - count(DISTINCT updated_at) FROM sales_order") > 1000);
  CHECK_EQ(COUNT("margin IS NULL OR credit_limit IS NULL OR total <= 0"), 0);
  CHECK_EQ(
      COUNT("round(total * 100) <> total * 100 AND abs(round(total * 100) - total * 100) > 1e-6"),
      0);
  CHECK_EQ(ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
  end();
}

TEST(small_samples_are_clean_of_bad_rows) {
  REQUIRE(begin(3, 999));
  CHECK_EQ(COUNT("status_code = 9 OR order_number IS NULL"), 0);
  end();
  remove(path);
  REQUIRE(begin(3, 0));
  CHECK_EQ(COUNT("1"), 0);
  CHECK_OK(wh_sample_orders_touch(&os.base, path, 1, 10, NOW_US, &test_err));
  end();
  remove(path);
  REQUIRE(begin(3, 1));
  CHECK_OK(wh_sample_orders_touch(&os.base, path, 1, 10, NOW_US, &test_err));
  CHECK_EQ(COUNT("updated_at = '2026-11-21 09:00:00Z'"), 1);
  end();
}

TEST(touching_moves_orders_on) {
  REQUIRE(begin(5, 20000));
  int64_t before = COUNT("status_code = 3"), open = COUNT("status_code = 1");
  CHECK_OK(wh_sample_orders_touch(&os.base, path, 9, 300, NOW_US + 5000000, &test_err));
  CHECK_EQ(COUNT("updated_at = '2026-11-21 09:00:05Z'"), 300);
  CHECK(COUNT("status_code = 3") >= before);
  CHECK(COUNT("status_code = 1") < open);
  CHECK_EQ(COUNT("status_code = 9"), WH_SAMPLE_INVALID_STATUS);
  CHECK_OK(wh_sample_orders_touch(&os.base, path, 9, 1000000, NOW_US + 6000000, &test_err));
  CHECK_EQ(COUNT("updated_at = '2026-11-21 09:00:06Z'"), 20000);
  end();
}

TEST(what_cannot_be_made_is_said) {
  REQUIRE(begin(5, 10));
  CHECK_FAILS(wh_sample_orders(&os.base, path, 1, 10, NOW_US, &test_err), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("erp.db: there is such a file already");
  remove(path);
  CHECK_FAILS(wh_sample_orders(&os.base, path, 1, WH_SAMPLE_ROWS_MAX + 1ull, NOW_US, &test_err),
              WH_ERR_LIMIT);
  CHECK_FAILS(wh_sample_orders_touch(&os.base, path, 1, 10, NOW_US, &test_err), WH_ERR_NOT_FOUND);
  CHECK_FAILS(wh_sample_orders(&os.base, "/nowhere/at/all/erp.db", 1, 10, NOW_US, &test_err),
              WH_ERR_NOT_FOUND);
  end();
}

// Whole or not at all, on a disk that fills.
TEST(a_full_disk_leaves_nothing) {
  wh_os *sim = sim_os_new(&test_mem, 1);
  sim_vfs_use(sim);
  bool made = false;
  for (uint64_t n = 1; !made && n < 1000; n += 5) {
    sim_os_full_at(sim, n, 0);
    wh_status status = wh_sample_orders(sim, "erp.db", 1, 200, NOW_US, &test_err);
    sim_os_full_at(sim, 0, 0);
    made = status == WH_OK;
    if (!made) CHECK_EQ(status, WH_ERR_NO_SPACE);
    bool there = true;
    CHECK_OK(wh_os_exists(sim, "erp.db", &there, &test_err));
    CHECK_EQ(there, made);
    CHECK_OK(wh_os_exists(sim, "erp.db.part", &there, &test_err));
    CHECK(!there);
  }
  CHECK(made);
  sim_vfs_use(NULL);
  sim_os_free(sim);
}
