#include "cli/sample_orders.h"

#include "cli/sample_names.h"
#include "data/temporal.h"

#include <sqlite3.h>

enum {
  DAY_S = 24 * 60 * 60,
  SPAN_S = 730 * DAY_S,    // how far back orders go
  QUIET_S = 60 * 60,       // nothing was updated in the last hour
  OPEN_S = 14 * DAY_S,     // younger orders are mostly still open
  HANDLING_S = 20 * DAY_S, // after which an order is not touched any more
  NIGHTLY_S = 2 * 60 * 60, // when the nightly job runs
  SPECIAL_ROWS = WH_SAMPLE_INVALID_STATUS + WH_SAMPLE_MISSING_NUMBER,
  SPECIAL_ROWS_FROM = 1000, // smaller samples have none
};

enum { STATUS_OPEN = 1, STATUS_BACK_ORDERED, STATUS_SHIPPED, STATUS_CANCELLED, STATUS_NONE = 9 };

static const char CREATE[] = "CREATE TABLE sales_order (\n"
                             "  id            INTEGER PRIMARY KEY,\n"
                             "  order_number  TEXT,\n"
                             "  customer_name TEXT,\n"
                             "  postcode      TEXT,\n"
                             "  status_code   INTEGER NOT NULL,\n"
                             "  order_date    TEXT,\n"
                             "  ship_date     TEXT,\n"
                             "  quantity      INTEGER NOT NULL,\n"
                             "  total         DECIMAL(12,2) NOT NULL,\n"
                             "  currency      TEXT NOT NULL,\n"
                             "  credit_limit  DECIMAL(12,2),\n"
                             "  margin        REAL,\n"
                             "  updated_at    TIMESTAMP NOT NULL\n"
                             ")";

typedef struct sample {
  const char *path; // for messages
  sqlite3 *db;
  sqlite3_stmt *stmt;
  wh_sample_random random;
  uint64_t rows;
  int64_t now_s;
  uint64_t special[SPECIAL_ROWS]; // row numbers; the first ones get the invalid status
  size_t special_count;
  wh_buf text;
} sample;

static wh_status fail_sqlite(sample *s, wh_error *err) {
  int code = s->db ? sqlite3_errcode(s->db) : SQLITE_NOMEM;
  if ((code & 0xff) == SQLITE_NOMEM) return wh_fail_memory(err);
  wh_status status = (code & 0xff) == SQLITE_FULL       ? WH_ERR_NO_SPACE
                     : (code & 0xff) == SQLITE_BUSY     ? WH_ERR_BUSY
                     : (code & 0xff) == SQLITE_CANTOPEN ? WH_ERR_NOT_FOUND
                     : (code & 0xff) == SQLITE_NOTADB   ? WH_ERR_DATA
                                                        : WH_ERR_IO;
  return wh_fail(err, status, "%s: %s", s->path, sqlite3_errmsg(s->db));
}

static wh_status run_sql(sample *s, const char *sql, wh_error *err) {
  return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? WH_OK : fail_sqlite(s, err);
}

static wh_status open_database(wh_os *os, sample *s, const char *path, int flags, wh_error *err) {
  int rc = sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, os->type->sqlite_vfs);
  if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(s->db, 5000);
  return rc == SQLITE_OK ? WH_OK : fail_sqlite(s, err);
}

static wh_status prepare(sample *s, const char *sql, wh_error *err) {
  return sqlite3_prepare_v2(s->db, sql, -1, &s->stmt, NULL) == SQLITE_OK ? WH_OK
                                                                         : fail_sqlite(s, err);
}

static wh_status step(sample *s, wh_error *err) {
  if (s->text.failed) return wh_fail_memory(err);
  int rc = sqlite3_step(s->stmt);
  sqlite3_reset(s->stmt);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? WH_OK : fail_sqlite(s, err);
}

static void close_sample(sample *s) {
  sqlite3_finalize(s->stmt);
  sqlite3_close(s->db);
  s->stmt = NULL;
  s->db = NULL;
  wh_buf_free(&s->text);
}

// --- values
// ----------------------------------------------------------------------------------------

static void bind_text(sample *s, int column, const char *text, size_t len) {
  sqlite3_bind_text(s->stmt, column, text, (int)len, SQLITE_TRANSIENT);
}

static void bind_date(sample *s, int column, int64_t at_s) {
  wh_civil civil;
  wh_civil_from_us(at_s * 1000000, &civil);
  char text[32];
  int len = snprintf(text, sizeof text, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
  bind_text(s, column, text, (size_t)len);
}

static void bind_time(sample *s, int column, int64_t at_s) {
  wh_civil civil;
  wh_civil_from_us(at_s * 1000000, &civil);
  char text[48];
  int len = snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02dZ", civil.year, civil.month,
                     civil.day, civil.hour, civil.minute, civil.second);
  bind_text(s, column, text, (size_t)len);
}

// A date as the ERP keeps it, also when it does not: `missing` of 10,000.
static void bind_dirty_date(sample *s, int column, int64_t at_s, uint64_t missing) {
  if (!wh_sample_chance(&s->random, missing)) {
    bind_date(s, column, at_s);
    return;
  }
  switch (wh_sample_below(&s->random, 3)) {
  case 0:
    bind_text(s, column, "", 0);
    break;
  case 1:
    bind_text(s, column, "0000-00-00", 10);
    break;
  default:
    sqlite3_bind_null(s->stmt, column);
  }
}

static void bind_cents(sample *s, int column, int64_t cents) {
  sqlite3_bind_double(s->stmt, column, (double)cents / 100.0);
}

static int choose_status(sample *s, int64_t age_s) {
  uint64_t of100 = wh_sample_below(&s->random, 100);
  if (age_s < OPEN_S) {
    return of100 < 60   ? STATUS_OPEN
           : of100 < 75 ? STATUS_BACK_ORDERED
           : of100 < 95 ? STATUS_SHIPPED
                        : STATUS_CANCELLED;
  }
  return of100 < 4    ? STATUS_OPEN
         : of100 < 7  ? STATUS_BACK_ORDERED
         : of100 < 95 ? STATUS_SHIPPED
                      : STATUS_CANCELLED;
}

// --- rows
// ------------------------------------------------------------------------------------------

// Orders stand in the order of their dates, a little shuffled.
static int64_t order_time(sample *s, uint64_t row) {
  int64_t first = s->now_s - SPAN_S, last = s->now_s - 2 * QUIET_S;
  int64_t at = first + (int64_t)((unsigned __int128)(uint64_t)(last - first) * row / s->rows);
  at += (int64_t)wh_sample_below(&s->random, 3 * QUIET_S);
  return at < last ? at : last;
}

static int64_t update_time(sample *s, int64_t ordered_s) {
  int64_t last = ordered_s + HANDLING_S, limit = s->now_s - QUIET_S;
  if (last > limit) last = limit;
  int64_t at = ordered_s + (int64_t)wh_sample_below(&s->random, (uint64_t)(last - ordered_s) + 1);
  if (!wh_sample_chance(&s->random, 300)) return at;
  int64_t nightly = at - at % DAY_S + DAY_S + NIGHTLY_S;
  return nightly <= limit ? nightly : at;
}

// Where in `special` the row is, or special_count.
static size_t special_index(const sample *s, uint64_t row) {
  size_t i = 0;
  while (i < s->special_count && s->special[i] != row)
    i++;
  return i;
}

static void bind_order_number(sample *s, uint64_t row, bool is_missing) {
  if (is_missing) {
    sqlite3_bind_null(s->stmt, 2);
    return;
  }
  char text[32];
  bool spaces = wh_sample_chance(&s->random, 33);
  int len = snprintf(text, sizeof text, "SO%07u%s", (unsigned)(row + 1), spaces ? "  " : "");
  bind_text(s, 2, text, (size_t)len);
}

static void bind_customer(sample *s) {
  uint32_t region = wh_sample_region(&s->random);
  wh_buf_clear(&s->text);
  wh_sample_name(&s->random, region, &s->text);
  bind_text(s, 3, s->text.data, s->text.len);
  wh_buf_clear(&s->text);
  wh_sample_postcode(&s->random, region, &s->text);
  if (wh_sample_chance(&s->random, 40))
    bind_text(s, 4, "", 0);
  else if (wh_sample_chance(&s->random, 20))
    sqlite3_bind_null(s->stmt, 4);
  else
    bind_text(s, 4, s->text.data, s->text.len);
}

static void bind_money(sample *s) {
  static const char *const currencies[] = {"EUR", "EUR", "EUR", "GBP", "USD", "PLN", "JPY"};
  const char *currency = currencies[wh_sample_below(&s->random, 7)];
  int64_t cents = 500 + (int64_t)wh_sample_below(&s->random, 250000);
  if (wh_sample_chance(&s->random, 20)) cents *= 100; // somebody furnishes an office
  sqlite3_bind_int64(s->stmt, 8, 1 + (int64_t)wh_sample_below(&s->random, 40));
  bind_cents(s, 9, cents);
  bind_text(s, 10, currency, 3);
  bind_cents(s, 11, 100000 * (1 + (int64_t)wh_sample_below(&s->random, 50)));
  bind_cents(s, 12, cents * (int64_t)(5 + wh_sample_below(&s->random, 36)) / 100);
}

static wh_status insert_row(sample *s, uint64_t row, wh_error *err) {
  size_t special = special_index(s, row);
  bool is_special = special < s->special_count;
  bool invalid = is_special && special < WH_SAMPLE_INVALID_STATUS;
  int64_t ordered_s = order_time(s, row), updated_s = update_time(s, ordered_s);
  int status = choose_status(s, s->now_s - ordered_s);
  sqlite3_bind_int64(s->stmt, 1, (int64_t)row + 1);
  bind_order_number(s, row, is_special && !invalid);
  bind_customer(s);
  sqlite3_bind_int64(s->stmt, 5, invalid ? STATUS_NONE : status);
  bind_dirty_date(s, 6, ordered_s, 60);
  if (status == STATUS_SHIPPED)
    bind_dirty_date(s, 7, updated_s, 150);
  else if (wh_sample_chance(&s->random, 1000))
    bind_text(s, 7, "", 0);
  else
    sqlite3_bind_null(s->stmt, 7);
  bind_money(s);
  bind_time(s, 13, updated_s);
  return step(s, err);
}

static void choose_special(sample *s) {
  if (s->rows < SPECIAL_ROWS_FROM) return;
  while (s->special_count < SPECIAL_ROWS) {
    uint64_t row = wh_sample_below(&s->random, s->rows);
    if (special_index(s, row) == s->special_count) s->special[s->special_count++] = row;
  }
}

static wh_status fill(sample *s, wh_error *err) {
  // Nobody sees the file before it is whole, so it needs no journal.
  WH_TRY(
      run_sql(s, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000", err));
  WH_TRY(run_sql(s, CREATE, err));
  WH_TRY(run_sql(s, "BEGIN", err));
  WH_TRY(prepare(s, "INSERT INTO sales_order VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", err));
  choose_special(s);
  for (uint64_t row = 0; row < s->rows; row++)
    WH_TRY(insert_row(s, row, err));
  WH_TRY(run_sql(s, "CREATE INDEX sales_order_updated_at ON sales_order (updated_at)", err));
  return run_sql(s, "COMMIT", err);
}

// --- the file
// --------------------------------------------------------------------------------------

static wh_status sync_file(wh_os *os, const char *path, wh_error *err) {
  wh_file *file;
  WH_TRY(wh_os_open(os, path, WH_OPEN_READ | WH_OPEN_WRITE, &file, err));
  wh_status status = file->type->sync(file, err);
  wh_file_close(file);
  return status;
}

static wh_status make(wh_os *os, sample *s, const char *part, wh_error *err) {
  wh_status status = open_database(os, s, part, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
  if (status == WH_OK) status = fill(s, err);
  close_sample(s);
  return status;
}

static wh_status put_in_place(wh_os *os, const char *part, const char *path, const char *folder,
                              wh_error *err) {
  WH_TRY(sync_file(os, part, err));
  WH_TRY(os->type->rename(os, part, path, err));
  return os->type->sync_dir(os, folder, err);
}

wh_status wh_sample_orders(wh_os *os, const char *path, uint64_t seed, uint64_t rows,
                           int64_t now_us, wh_error *err) {
  if (rows > WH_SAMPLE_ROWS_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "a sample has at most %d orders", WH_SAMPLE_ROWS_MAX);
  }
  bool exists;
  WH_TRY(wh_os_exists(os, path, &exists, err));
  if (exists) return wh_fail(err, WH_ERR_EXISTS, "%s: there is such a file already", path);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, os->mem);
  wh_str part = wh_arena_printf(&arena, "%s.part", path);
  char *folder = wh_path_folder(&arena, path);
  if (!part.data || !folder) return wh_fail_memory(err);
  wh_error inner = {0};
  wh_status removed = os->type->remove(os, part.data, &inner); // what a crash left
  if (removed != WH_OK && removed != WH_ERR_NOT_FOUND) {
    if (err) *err = inner;
    return removed;
  }
  sample s = {.path = path, .random = {seed}, .rows = rows, .now_s = now_us / 1000000};
  wh_buf_init(&s.text, os->mem, 0);
  wh_status status = make(os, &s, part.data, err);
  if (status == WH_OK) status = put_in_place(os, part.data, path, folder, err);
  if (status != WH_OK) WH_IGNORE(os->type->remove(os, part.data, NULL));
  return status;
}

// --- touching
// --------------------------------------------------------------------------------------

static wh_status count_rows(sample *s, wh_error *err) {
  sqlite3_stmt *stmt = NULL;
  int rc =
      sqlite3_prepare_v2(s->db, "SELECT coalesce(max(id), 0) FROM sales_order", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) s->rows = (uint64_t)sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  return rc == SQLITE_ROW ? WH_OK : fail_sqlite(s, err);
}

static uint64_t gcd(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// Walks over the rows with a stride that has no divisor in common with their number, so that each
// is met once.
static wh_status touch_rows(sample *s, uint64_t n, wh_error *err) {
  if (n > s->rows) n = s->rows;
  if (n == 0) return WH_OK;
  uint64_t stride = 1 + wh_sample_below(&s->random, s->rows),
           at = wh_sample_below(&s->random, s->rows);
  while (gcd(stride, s->rows) != 1)
    stride++;
  for (uint64_t i = 0; i < n; i++) {
    at = (at + stride) % s->rows;
    sqlite3_bind_int64(s->stmt, 1, (int64_t)at + 1);
    bind_date(s, 2, s->now_s);
    bind_time(s, 3, s->now_s);
    WH_TRY(step(s, err));
  }
  return WH_OK;
}

// 1 -> 2 -> 3; others stay as they are.
static const char TOUCH[] =
    "UPDATE sales_order SET updated_at = ?3,"
    " ship_date = CASE status_code WHEN 2 THEN ?2 ELSE ship_date END,"
    " status_code = CASE status_code WHEN 1 THEN 2 WHEN 2 THEN 3 ELSE status_code END"
    " WHERE id = ?1";

static wh_status touch(sample *s, uint64_t n, wh_error *err) {
  WH_TRY(run_sql(s, "BEGIN IMMEDIATE", err));
  WH_TRY(count_rows(s, err));
  WH_TRY(prepare(s, TOUCH, err));
  WH_TRY(touch_rows(s, n, err));
  return run_sql(s, "COMMIT", err); // else closing rolls back
}

wh_status wh_sample_orders_touch(wh_os *os, const char *path, uint64_t seed, uint64_t n,
                                 int64_t now_us, wh_error *err) {
  sample s = {.path = path, .random = {seed}, .now_s = now_us / 1000000};
  wh_buf_init(&s.text, os->mem, 0);
  wh_status status = open_database(os, &s, path, SQLITE_OPEN_READWRITE, err);
  if (status == WH_OK) status = touch(&s, n, err);
  close_sample(&s);
  return status;
}
