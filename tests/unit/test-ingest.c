// The log of events, and the bodies that become events.
#include "connect/ingest/ingest.h"
#include "connect/ingest/intake.h"
#include "connect/ingest/log.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

#include <sqlite3.h>

enum { GROUP = 3 };
#define HOUR_NS 3600000000000LL

static wh_os *os;
static wh_ingest_log *lg;

static void begin(void) {
  os = sim_os_new(&test_mem, test_seed());
  sim_vfs_use(os);
  CHECK_OK(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
}

static void end(void) {
  wh_ingest_log_close(lg);
  sim_vfs_use(NULL);
  sim_os_free(os);
}

static wh_ingest_entry entry_of(const char *lines, uint64_t events) {
  return (wh_ingest_entry){.lines = wh_str_of(lines), .events = events};
}

static wh_status append(wh_ingest_entry *e, int64_t since_us) {
  return wh_ingest_log_append(lg, &e, 1, since_us, &test_err);
}

// --- the log -------------------------------------------------------------------------------------

TEST(events_are_numbered_and_read_back) {
  begin();
  wh_ingest_entry a = entry_of("{}\n{}\n", 2), b = entry_of("{\"x\":1}\n", 1);
  wh_ingest_entry *both[] = {&a, &b};
  REQUIRE_OK(wh_ingest_log_append(lg, both, 2, 0, &test_err));
  CHECK_EQ(a.outcome, WH_INGEST_STORED);
  CHECK_EQ(b.receipt.first, a.receipt.first + 2);
  CHECK(strcmp(a.receipt.id, b.receipt.id) < 0);
  wh_ingest_state state;
  CHECK_OK(wh_ingest_log_state(lg, 0, &state, &test_err));
  CHECK_EQ(state.events, 3);
  CHECK_EQ(state.bytes, 14);
  CHECK_EQ(state.next, b.receipt.first + 1);
  CHECK_EQ(state.oldest_us, a.receipt.received_us);
  wh_ingest_receipt r;
  wh_str lines;
  bool found;
  CHECK_OK(wh_ingest_log_read(lg, 0, state.next, &found, &r, &lines, &test_err));
  CHECK(found);
  CHECK_STR(lines, WH_STR("{}\n{}\n"));
  CHECK_OK(wh_ingest_log_read(lg, r.first + 2, state.next, &found, &r, &lines, &test_err));
  CHECK(found);
  CHECK_STR(lines, WH_STR("{\"x\":1}\n"));
  CHECK_OK(wh_ingest_log_read(lg, r.first + 1, state.next, &found, &r, &lines, &test_err));
  CHECK(!found);
  CHECK_OK(wh_ingest_log_read(lg, 0, a.receipt.first, &found, &r, &lines, &test_err));
  CHECK(!found); // `to` is no part of it
  CHECK_OK(wh_ingest_log_find(lg, wh_str_of(b.receipt.id), &found, &r, &test_err));
  CHECK(found);
  CHECK_EQ(r.first, b.receipt.first);
  CHECK_OK(wh_ingest_log_find(lg, WH_STR("nothing"), &found, &r, &test_err));
  CHECK(!found);
  end();
}

TEST(a_key_counts_until_it_is_too_old) {
  begin();
  uint8_t key[WH_INGEST_HASH_BYTES] = {1}, one[WH_INGEST_HASH_BYTES] = {2};
  uint8_t two[WH_INGEST_HASH_BYTES] = {3};
  wh_ingest_entry first = entry_of("{}\n", 1), same = first, other = first, later = first;
  first.idempotency = same.idempotency = other.idempotency = later.idempotency = key;
  first.body_hash = same.body_hash = one;
  other.body_hash = later.body_hash = two;
  wh_ingest_entry *group[] = {&first, &same, &other}; // at the same moment
  REQUIRE_OK(wh_ingest_log_append(lg, group, 3, 0, &test_err));
  CHECK_EQ(first.outcome, WH_INGEST_STORED);
  CHECK_EQ(same.outcome, WH_INGEST_REPEATED);
  CHECK_EQ(other.outcome, WH_INGEST_CONFLICT);
  CHECK_STR(wh_str_of(same.receipt.id), wh_str_of(first.receipt.id));
  wh_ingest_log_close(lg);
  REQUIRE_OK(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  CHECK_OK(append(&same, 0));
  CHECK_EQ(same.outcome, WH_INGEST_REPEATED);
  wh_ingest_state state;
  CHECK_OK(wh_ingest_log_state(lg, 0, &state, &test_err));
  CHECK_EQ(state.events, 1);
  CHECK_OK(
      append(&later, first.receipt.received_us + 1)); // the first one has been kept long enough
  CHECK_EQ(later.outcome, WH_INGEST_STORED);
  CHECK_OK(append(&other, 0));
  CHECK_EQ(other.outcome, WH_INGEST_REPEATED);
  CHECK_STR(wh_str_of(other.receipt.id), wh_str_of(later.receipt.id));
  end();
}

TEST(what_was_taken_leaves_the_log) {
  begin();
  wh_ingest_entry e[4];
  for (size_t i = 0; i < 4; i++) {
    e[i] = entry_of("{}\n", 1);
    REQUIRE_OK(append(&e[i], 0));
    sim_os_advance(os, HOUR_NS);
  }
  wh_ingest_pruned gone;
  wh_ingest_receipt r;
  bool found;
  CHECK_OK(wh_ingest_log_prune(lg, e[2].receipt.first, 0, &gone, &test_err));
  CHECK_EQ(gone.bytes, 6);
  CHECK(!gone.more);
  CHECK_OK(wh_ingest_log_find(lg, wh_str_of(e[0].receipt.id), &found, &r, &test_err));
  CHECK(found); // its receipt is kept
  int64_t since_us = e[1].receipt.received_us;
  CHECK_OK(wh_ingest_log_prune(lg, e[2].receipt.first, since_us, &gone, &test_err));
  CHECK_EQ(gone.bytes, 0);
  CHECK_OK(wh_ingest_log_find(lg, wh_str_of(e[0].receipt.id), &found, &r, &test_err));
  CHECK(!found);
  CHECK_OK(wh_ingest_log_find(lg, wh_str_of(e[1].receipt.id), &found, &r, &test_err));
  CHECK(found);
  // However old: what was not taken stays, and so does the newest, from which numbers go on.
  CHECK_OK(wh_ingest_log_prune(lg, e[2].receipt.first, INT64_MAX, &gone, &test_err));
  CHECK_OK(wh_ingest_log_find(lg, wh_str_of(e[2].receipt.id), &found, &r, &test_err));
  CHECK(found);
  CHECK_OK(wh_ingest_log_prune(lg, INT64_MAX, INT64_MAX, &gone, &test_err));
  CHECK_EQ(gone.bytes, 6);
  int64_t next = e[3].receipt.first + 1;
  wh_ingest_log_close(lg);
  REQUIRE_OK(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  REQUIRE_OK(append(&e[0], 0));
  CHECK_EQ(e[0].receipt.first, next);
  end();
}

TEST(pruning_goes_in_steps) {
  begin();
  enum { MANY = WH_INGEST_PRUNE_ROWS + 10 };
  wh_ingest_entry e = entry_of("{}\n", 1);
  for (size_t i = 0; i < MANY; i++)
    REQUIRE_OK(append(&e, 0));
  wh_ingest_pruned gone;
  CHECK_OK(wh_ingest_log_prune(lg, INT64_MAX, INT64_MAX, &gone, &test_err));
  CHECK(gone.more);
  CHECK_EQ(gone.bytes, 3 * WH_INGEST_PRUNE_ROWS);
  uint64_t bytes = gone.bytes;
  for (int i = 0; gone.more && i < 10; i++) {
    CHECK_OK(wh_ingest_log_prune(lg, INT64_MAX, INT64_MAX, &gone, &test_err));
    bytes += gone.bytes;
  }
  CHECK(!gone.more);
  CHECK_EQ(bytes, 3 * MANY);
  end();
}

static void rewrite(const char *sql) {
  sqlite3 *db = NULL;
  char *said = NULL;
  CHECK_EQ(sqlite3_open_v2("state/ingest/e.db", &db, SQLITE_OPEN_READWRITE, os->type->sqlite_vfs),
           SQLITE_OK);
  CHECK_EQ(sqlite3_exec(db, sql, NULL, NULL, &said), SQLITE_OK);
  sqlite3_free(said);
  sqlite3_close(db);
}

TEST(what_was_sent_is_remembered) {
  begin();
  int64_t sent = -1;
  CHECK_OK(wh_ingest_log_sent(lg, &sent, &test_err));
  CHECK_EQ(sent, 0);
  CHECK_OK(wh_ingest_log_keep_sent(lg, 7, &test_err));
  CHECK_OK(wh_ingest_log_keep_sent(lg, 9, &test_err));
  wh_ingest_log_close(lg);
  REQUIRE_OK(wh_ingest_log_open_reader(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  CHECK_OK(wh_ingest_log_sent(lg, &sent, &test_err));
  CHECK_EQ(sent, 9);
  end();
}

TEST(sending_begins_once) {
  begin();
  int64_t sent = -1;
  CHECK_OK(wh_ingest_log_begin_sending(lg, 0, &test_err)); // of a new log: all that will come
  CHECK_OK(wh_ingest_log_begin_sending(lg, 5, &test_err));
  CHECK_OK(wh_ingest_log_sent(lg, &sent, &test_err));
  CHECK_EQ(sent, 0);
  CHECK_OK(wh_ingest_log_keep_sent(lg, 7, &test_err));
  CHECK_OK(wh_ingest_log_begin_sending(lg, 9, &test_err));
  CHECK_OK(wh_ingest_log_sent(lg, &sent, &test_err));
  CHECK_EQ(sent, 7);
  end();
}

TEST(a_log_of_the_first_version_gets_what_it_lacks) {
  begin();
  wh_ingest_entry e = entry_of("{}\n", 1);
  int64_t sent = -1;
  bool found = false;
  REQUIRE_OK(append(&e, 0));
  wh_ingest_log_close(lg);
  lg = NULL;
  rewrite("DROP TABLE sent; DROP TABLE position; ALTER TABLE body DROP COLUMN keys; PRAGMA "
          "user_version=1");
  REQUIRE_OK(wh_ingest_log_open_reader(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  CHECK_OK(wh_ingest_log_sent(lg, &sent, &test_err)); // whoever reads changes nothing
  CHECK_EQ(sent, 0);
  wh_ingest_log_close(lg);
  REQUIRE_OK(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  CHECK_OK(wh_ingest_log_keep_sent(lg, 5, &test_err));
  CHECK_OK(wh_ingest_log_sent(lg, &sent, &test_err));
  CHECK_EQ(sent, 5);
  wh_ingest_receipt r;
  CHECK_OK(wh_ingest_log_find(lg, wh_str_of(e.receipt.id), &found, &r, &test_err));
  CHECK(found);
  end();
}

TEST(numbers_never_come_again) {
  begin();
  wh_ingest_entry e = entry_of("{}\n", 1);
  REQUIRE_OK(append(&e, 0));
  int64_t before = e.receipt.first;
  wh_ingest_log_close(lg);
  // Somebody deletes the log, and the pipelines' cursors stay.
  static const char *const files[] = {"state/ingest/e.db", "state/ingest/e.db-wal"};
  for (size_t i = 0; i < 2; i++)
    WH_IGNORE(os->type->remove(os, files[i], &test_err));
  sim_os_advance(os, HOUR_NS);
  REQUIRE_OK(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  REQUIRE_OK(append(&e, 0));
  CHECK(e.receipt.first > before);
  end();
}

TEST(a_reader_finds_no_log_and_no_other_database) {
  begin();
  wh_ingest_log *reader;
  REQUIRE_OK(wh_ingest_log_open_reader(os, &test_mem, "state/none.db", &reader, &test_err));
  CHECK(!reader);
  REQUIRE_OK(wh_ingest_log_open_reader(os, &test_mem, "state/ingest/e.db", &reader, &test_err));
  CHECK(reader);
  wh_ingest_log_close(reader);
  wh_file *file;
  REQUIRE_OK(
      os->type->open(os, "state/other.db", WH_OPEN_WRITE | WH_OPEN_CREATE, &file, &test_err));
  CHECK_OK(file->type->write_at(file, 0, "this is no database, whatever it is", 35, &test_err));
  wh_file_close(file);
  CHECK_FAILS(wh_ingest_log_open(os, &test_mem, "state/other.db", &reader, &test_err), WH_ERR_DATA);
  end();
}

// --- of a feed -----------------------------------------------------------------------------------

static int64_t append_from(const uint64_t *keys, uint64_t events, const char *at) {
  wh_ingest_entry e = entry_of("{}\n", events);
  wh_ingest_entry *one = &e;
  wh_feed_position position = {WH_STR("shard/a"), wh_str_of(at)};
  e.keys = keys;
  CHECK_OK(wh_ingest_log_append_from(lg, &one, 1, &position, 1, &test_err));
  return e.receipt.first;
}

TEST(a_run_ends_before_it_removes_what_is_in_it) {
  begin();
  enum { GONE = 1 };
  const uint64_t put[] = {16, 32}, other[] = {64 | GONE, 48}, gone[] = {32 | GONE}, again[] = {32};
  int64_t to, first = append_from(put, 2, "1");
  bool more;
  append_from(other, 2, "2");
  int64_t removal = append_from(gone, 1, "3"), last = append_from(again, 1, "4");
  CHECK_OK(wh_ingest_log_bound(lg, 0, &to, &more, &test_err));
  CHECK_EQ(to, removal);
  CHECK(more);
  CHECK_OK(
      wh_ingest_log_bound(lg, removal, &to, &more, &test_err)); // a row may follow its deletion
  CHECK_EQ(to, last + 1);
  CHECK(!more);
  CHECK_OK(wh_ingest_log_bound(lg, last + 1, &to, &more, &test_err));
  CHECK_EQ(to, last + 1);
  CHECK(!more && first < removal);
  end();
}

TEST(a_run_of_a_feed_is_not_endless) {
  begin();
  enum { PAGE = 1000 };
  static uint64_t keys[PAGE];
  int64_t first = 0, to;
  bool more;
  for (uint64_t page = 0; page < 80; page++) {
    for (uint64_t i = 0; i < PAGE; i++)
      keys[i] = (page * PAGE + i) << 1;
    int64_t at = append_from(keys, PAGE, "x");
    if (!first) first = at;
  }
  CHECK_OK(wh_ingest_log_bound(lg, 0, &to, &more, &test_err));
  CHECK(more);
  CHECK(to - first <= WH_INGEST_WINDOW_EVENTS && to - first > WH_INGEST_WINDOW_EVENTS - PAGE);
  end();
}

TEST(positions_commit_with_what_came) {
  begin();
  wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  const uint64_t keys[] = {2};
  wh_feed_position *all, two[] = {{WH_STR("a"), WH_STR("1")}, {WH_STR("b"), WH_STR("2")}};
  size_t count;
  append_from(keys, 1, "7");
  CHECK_OK(wh_ingest_log_append_from(lg, NULL, 0, two, 2, &test_err));
  two[0].value = (wh_str){0}; // is over
  two[1].value = WH_STR("3");
  CHECK_OK(wh_ingest_log_append_from(lg, NULL, 0, two, 2, &test_err));
  wh_ingest_log_close(lg);
  CHECK_OK(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  CHECK_OK(wh_ingest_log_positions(lg, &arena, &all, &count, &test_err));
  REQUIRE(count == 2);
  CHECK_STR(all[0].name, WH_STR("b"));
  CHECK_STR(all[0].value, WH_STR("3"));
  CHECK_STR(all[1].value, WH_STR("7"));
  CHECK_OK(wh_ingest_log_forget(lg, &test_err));
  CHECK_OK(wh_ingest_log_positions(lg, &arena, &all, &count, &test_err));
  CHECK_EQ(count, 0);
  wh_arena_free(&arena);
  end();
}

// --- power and space -----------------------------------------------------------------------------

typedef struct sent {
  wh_ingest_entry entries[GROUP];
  uint8_t keys[GROUP][WH_INGEST_HASH_BYTES];
  bool acknowledged;
} sent;

enum { GROUPS = 12 };
static sent all[GROUPS];

static void make_groups(void) {
  static char text[GROUPS][GROUP][32];
  memset(all, 0, sizeof all);
  for (size_t g = 0; g < GROUPS; g++)
    for (size_t i = 0; i < GROUP; i++) {
      snprintf(text[g][i], sizeof text[g][i], "{\"n\":%zu}\n", g * GROUP + i);
      all[g].entries[i] = entry_of(text[g][i], 1);
      all[g].keys[i][0] = (uint8_t)(g * GROUP + i + 1);
      all[g].entries[i].idempotency = all[g].entries[i].body_hash = all[g].keys[i];
    }
}

// What senders do: each group until it is acknowledged; half of it is taken away on the way.
static wh_status send_all(void) {
  WH_TRY(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  for (size_t g = 0; g < GROUPS; g++) {
    wh_ingest_entry *group[GROUP];
    for (size_t i = 0; i < GROUP; i++)
      group[i] = &all[g].entries[i];
    WH_TRY(wh_ingest_log_append(lg, group, GROUP, 0, &test_err));
    all[g].acknowledged = true;
    wh_ingest_pruned gone;
    if (g == GROUPS / 2)
      WH_TRY(wh_ingest_log_prune(lg, all[1].entries[0].receipt.first, 0, &gone, &test_err));
  }
  return WH_OK;
}

// Every event once, in the order of its number, from the second group on.
static void check_log(void) {
  wh_ingest_receipt r;
  wh_str lines;
  bool found = true;
  int64_t from = all[1].entries[0].receipt.first;
  for (size_t n = GROUP; n < GROUPS * GROUP; n++) {
    char want[32];
    snprintf(want, sizeof want, "{\"n\":%zu}\n", n);
    REQUIRE_OK(wh_ingest_log_read(lg, from, INT64_MAX, &found, &r, &lines, &test_err));
    REQUIRE(found);
    CHECK_STR(lines, wh_str_of(want));
    CHECK_STR(wh_str_of(r.id), wh_str_of(all[n / GROUP].entries[n % GROUP].receipt.id));
    from = r.first + 1;
  }
  CHECK_OK(wh_ingest_log_read(lg, from, INT64_MAX, &found, &r, &lines, &test_err));
  CHECK(!found);
}

// Receipts that were given out are still good.
static void check_receipts(void) {
  wh_ingest_receipt r;
  bool found;
  REQUIRE_OK(wh_ingest_log_open(os, &test_mem, "state/ingest/e.db", &lg, &test_err));
  for (size_t g = 0; g < GROUPS; g++)
    for (size_t i = 0; all[g].acknowledged && i < GROUP; i++) {
      wh_str id = wh_str_of(all[g].entries[i].receipt.id);
      CHECK_OK(wh_ingest_log_find(lg, id, &found, &r, &test_err));
      CHECK(found);
    }
  wh_ingest_log_close(lg);
}

static uint64_t changes_of_all(void) {
  os = sim_os_new(&test_mem, test_seed());
  sim_vfs_use(os);
  make_groups();
  lg = NULL;
  CHECK_OK(send_all());
  check_log();
  uint64_t changes = sim_os_changes(os);
  end();
  return changes;
}

static void fail_at(uint64_t at, bool full) {
  os = sim_os_new(&test_mem, test_seed() + at);
  sim_vfs_use(os);
  make_groups();
  lg = NULL;
  if (full)
    sim_os_full_at(os, at, 0);
  else
    sim_os_fail_at(os, at);
  wh_status status = send_all();
  if (full && status != WH_OK) CHECK_EQ(status, WH_ERR_NO_SPACE);
  if (full && status != WH_OK) CHECK(test_err.retry);
  wh_ingest_log_close(lg);
  sim_os_full_at(os, 0, 0);
  sim_os_fail_at(os, 0);
  if (!full && at % 3 == 0)
    sim_os_kill(os);
  else if (!full)
    sim_os_restart(os);
  lg = NULL;
  check_receipts();
  lg = NULL;
  if (CHECK_OK(send_all())) check_log(); // with the same keys
  end();
}

TEST(nothing_acknowledged_is_lost_when_the_power_fails) {
  uint64_t changes = changes_of_all(), step = test_is_long() ? 1 : 3;
  test_note("%llu changes", (unsigned long long)changes);
  for (uint64_t at = 1 + test_random_below(step); at <= changes; at += step)
    fail_at(at, false);
}

TEST(nothing_is_lost_or_doubled_when_the_disk_is_full) {
  uint64_t changes = changes_of_all(), step = test_is_long() ? 1 : 3;
  for (uint64_t at = 1 + test_random_below(step); at <= changes; at += step)
    fail_at(at, true);
}

// --- bodies --------------------------------------------------------------------------------------

static wh_schema schema;
static wh_arena arena;

static void make_schema(void) {
  static wh_field fields[3];
  wh_arena_init(&arena, &test_mem);
  fields[0] = (wh_field){.name = WH_STR("id"), .type = wh_type_of(WH_STRING)};
  fields[1] = (wh_field){.name = WH_STR("a/b~c"), .nullable = true};
  fields[2] = (wh_field){.name = WH_STR("tags"), .nullable = true};
  CHECK_OK(wh_type_parse(WH_STR("decimal(12,2)"), &arena, &fields[1].type, &test_err));
  CHECK_OK(wh_type_parse(WH_STR("list<int64>"), &arena, &fields[2].type, &test_err));
  schema = (wh_schema){3, fields};
}

static wh_intake read_body(wh_intake_kind kind, const char *body, wh_status want) {
  wh_intake i;
  wh_intake_init(&i, &test_mem);
  test_err = (wh_error){0};
  CHECK_EQ(wh_intake_read(&i, &schema, kind, wh_str_of(body), 1 << 20, &test_err), want);
  return i;
}

static void check_lines(wh_intake_kind kind, const char *body, const char *lines) {
  wh_intake i = read_body(kind, body, WH_OK);
  CHECK_STR(wh_buf_str(&i.lines), wh_str_of(lines));
  CHECK_EQ(i.rejected, 0);
  wh_intake_free(&i);
}

TEST(bodies_become_lines_of_the_declared_columns) {
  make_schema();
  check_lines(WH_INTAKE_JSON, " {\"x\":{\"y\":[1]},\"id\":\"1\"} ", "{\"id\":\"1\"}\n");
  check_lines(WH_INTAKE_JSON, "[{\"id\":\"1\"},\n {\"a/b~c\":0.5,\"id\":\"\\u00e9\\n\"}]",
              "{\"id\":\"1\"}\n{\"id\":\"\u00e9\\n\",\"a/b~c\":0.50}\n");
  check_lines(WH_INTAKE_LINES, "{\"id\":\"1\"}\r\n\n{\"tags\":[ 1,2 ],\"id\":\"2\"}",
              "{\"id\":\"1\"}\n{\"id\":\"2\",\"tags\":[1,2]}\n");
  // Exact, whatever a double would make of it.
  check_lines(WH_INTAKE_JSON, "{\"id\":\"1\",\"a/b~c\":9999999999.99}",
              "{\"id\":\"1\",\"a/b~c\":9999999999.99}\n");
  wh_arena_free(&arena);
}

static void check_errors(wh_intake_kind kind, const char *body, bool malformed,
                         const char *errors) {
  wh_intake i = read_body(kind, body, WH_OK);
  CHECK_STR(wh_buf_str(&i.errors), wh_str_of(errors));
  CHECK_EQ(i.is_malformed, malformed);
  wh_intake_free(&i);
}

TEST(errors_point_at_their_fields) {
  make_schema();
  check_errors(WH_INTAKE_JSON, "{\"a/b~c\":1}", false,
               "{\"pointer\":\"/id\",\"detail\":\"'id' is missing\"}");
  check_errors(WH_INTAKE_JSON, "[{\"id\":\"1\"},{\"id\":\"2\",\"a/b~c\":true}]", false,
               "{\"pointer\":\"/1/a~1b~0c\",\"detail\":\"true, where decimal(12,2) is expected\"}");
  check_errors(WH_INTAKE_LINES, "{\"id\":\"1\"}\n{\"id\":\n", true,
               "{\"pointer\":\"/1/id\",\"detail\":\"expected a value, found the end of the "
               "line\"}");
  wh_arena_free(&arena);
}

TEST(bodies_that_cannot_be_read_are_refused_whole) {
  static const char *const bodies[] = {"",
                                       " \n",
                                       "[]",
                                       "[{\"id\":\"1\"}",
                                       "null",
                                       "\"text\"",
                                       "{\"id\":\"1\"} x",
                                       "[{\"id\":\"1\"},]"};
  make_schema();
  for (size_t n = 0; n < sizeof bodies / sizeof bodies[0]; n++) {
    wh_intake i = read_body(WH_INTAKE_JSON, bodies[n], WH_ERR_DATA);
    if (!CHECK(test_err.text[0])) test_note("%s", bodies[n]);
    wh_intake_free(&i);
  }
  wh_arena_free(&arena);
}

TEST(what_does_not_fit_is_kept_as_it_came) {
  make_schema();
  wh_intake i = read_body(WH_INTAKE_JSON, "[{\"id\":\n 1},{\"id\":\"2\"},7]", WH_OK);
  CHECK_STR(wh_buf_str(&i.lines), WH_STR("{\"id\":\"2\"}\n{\"id\":\r 1}\n7\n"));
  CHECK_EQ(i.events, 3);
  CHECK_EQ(i.rejected, 2);
  wh_intake_free(&i);
  wh_arena_free(&arena);
}

// What was rejected for a line break in a string is rejected whenever it is read.
TEST(what_does_not_fit_never_fits_later) {
  static const char *const bodies[] = {"{\"id\":\"a\nb\"}", "{\"id\":\"a\rb\"}",
                                       "[{\"id\":\"1\",\"x\":\"\r\n\"}\n]"};
  make_schema();
  for (size_t n = 0; n < sizeof bodies / sizeof bodies[0]; n++) {
    wh_intake first = read_body(WH_INTAKE_JSON, bodies[n], WH_OK);
    CHECK_EQ(first.rejected, 1);
    wh_intake again = read_body(WH_INTAKE_LINES, first.lines.data, WH_OK);
    CHECK_EQ(again.events, 1);
    CHECK_EQ(again.rejected, 1);
    CHECK_STR(wh_buf_str(&again.lines), wh_buf_str(&first.lines));
    wh_intake_free(&again);
    wh_intake_free(&first);
  }
  wh_arena_free(&arena);
}

TEST(every_event_is_a_line) {
  make_schema();
  wh_intake i = read_body(WH_INTAKE_LINES, "\v\n{\"id\":\"1\"}\n \v{\"id\":\"2\"}\r\n", WH_OK);
  CHECK_STR(wh_buf_str(&i.lines), WH_STR("{\"id\":\"1\"}\n\v\n\v{\"id\":\"2\"}\n"));
  wh_intake_free(&i);
  wh_arena_free(&arena);
}

TEST(an_event_may_not_grow_beyond_what_a_row_may_take) {
  make_schema();
  wh_intake i;
  wh_intake_init(&i, &test_mem);
  wh_str body = WH_STR("[{\"id\":\"1\",\"a/b~c\":1},{\"id\":\"2\"}]");
  CHECK_FAILS(wh_intake_read(&i, &schema, WH_INTAKE_JSON, body, 20, &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("more than 20 bytes");
  wh_intake_free(&i);
  wh_intake_init(&i, &test_mem);
  CHECK_OK(wh_intake_read(&i, &schema, WH_INTAKE_JSON, body, 30, &test_err));
  wh_intake_free(&i);
  wh_arena_free(&arena);
}

TEST(an_answer_lists_a_few_errors_of_many) {
  make_schema();
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, &test_mem, 0);
  for (int n = 0; n < 100; n++)
    wh_buf_add_c(&body, "{}\n");
  wh_intake i = read_body(WH_INTAKE_LINES, body.data, WH_OK);
  CHECK_EQ(i.rejected, 100);
  size_t listed = 0;
  for (const char *at = i.errors.data; (at = strstr(at, "pointer")); at++)
    listed++;
  CHECK_EQ(listed, WH_INTAKE_ERRORS_MAX);
  wh_intake_free(&i);
  wh_arena_free(&arena);
}

TEST(content_types) {
  CHECK_EQ(wh_intake_kind_of(WH_STR("application/json")), WH_INTAKE_JSON);
  CHECK_EQ(wh_intake_kind_of(WH_STR("Application/JSON; charset=UTF-8")), WH_INTAKE_JSON);
  CHECK_EQ(wh_intake_kind_of(WH_STR("application/x-ndjson")), WH_INTAKE_LINES);
  CHECK_EQ(wh_intake_kind_of(WH_STR("application/jsonl;charset=\"utf-8\"")), WH_INTAKE_LINES);
  CHECK_EQ(wh_intake_kind_of(WH_STR("application/json; charset=latin1")), WH_INTAKE_OTHER);
  CHECK_EQ(wh_intake_kind_of(WH_STR("text/plain")), WH_INTAKE_OTHER);
  CHECK_EQ(wh_intake_kind_of(WH_STR("")), WH_INTAKE_OTHER);
}

// --- gathering -----------------------------------------------------------------------------------

TEST(a_run_is_due_when_enough_has_gathered) {
  os = sim_os_new(&test_mem, test_seed());
  wh_ingest_endpoint e = {.name = WH_STR("e")}, f = {.name = WH_STR("f")};
  wh_ingest_endpoint both[] = {e, f};
  wh_ingest_options options = {both, 2};
  wh_connection c = {.name = WH_STR("ingest"),
                     .type = &wh_connector_ingest,
                     .options = &options,
                     .os = os,
                     .mem = &test_mem};
  REQUIRE_OK(wh_connector_ingest.open(&c, &test_err));
  wh_gather_limits limits = {.rows = 10, .bytes = 1000, .age_us = 5000000};
  wh_gather *g;
  const wh_source_type *source = wh_connector_ingest.source;
  CHECK_FAILS(source->gather(&c, WH_STR("x"), &limits, &g, &test_err), WH_ERR_NOT_FOUND);
  REQUIRE_OK(source->gather(&c, WH_STR("e"), &limits, &g, &test_err));
  CHECK_EQ(g->due_us(g), 0); // what is there at the start
  g->begin(g);
  CHECK_EQ(g->due_us(g), INT64_MAX);
  wh_ingest_tell(&c, &both[1], 100, 100);
  CHECK_EQ(g->due_us(g), INT64_MAX); // another endpoint's
  int64_t now_us = wh_now_us(os);
  wh_ingest_tell(&c, &both[0], 1, 10);
  CHECK(g->due_us(g) >= now_us + 5000000 && g->due_us(g) < now_us + 6000000);
  wh_ingest_tell(&c, &both[0], 9, 10);
  CHECK_EQ(g->due_us(g), 0);
  g->begin(g);
  wh_ingest_tell(&c, &both[0], 1, 1000);
  CHECK_EQ(g->due_us(g), 0);
  g->close(g);
  wh_connector_ingest.close(&c);
  sim_os_free(os);
}
