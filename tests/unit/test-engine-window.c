// The overlap of a windowed cursor: where a run starts, what it knows already, and what it
// remembers for the next.
#include "engine/window.h"
#include "row_text.h"
#include "test.h"

#define MINUTE (60ll * 1000000)
#define FIELDS "n int64!; at timestamp[us,UTC]; s string"

// "2026-11-21T09:00:00Z" to microseconds.
static int64_t at(const char *text) {
  wh_iso iso;
  if (!CHECK(wh_iso_parse(wh_str_of(text), &iso))) return 0;
  return wh_us_from_civil(&iso.civil) - (int64_t)iso.offset_s * 1000000;
}

// A source with a cursor, run after run: what the ledger keeps in between is here.
typedef struct story {
  wh_arena arena;
  wh_schema schema;
  wh_cursor cursor;
  int64_t overlap, clock, step;
  uint64_t first_row; // number of the next row that is read
  wh_buf sent, starts;
  uint64_t unchanged;
} story;

static void story_init(story *s, const char *fields) {
  *s = (story){.overlap = 10 * MINUTE, .clock = INT64_MAX, .first_row = 1};
  wh_arena_init(&s->arena, &test_mem);
  rows_schema(fields, &s->arena, &s->schema);
  wh_buf_init(&s->sent, &test_mem, 0);
  wh_buf_init(&s->starts, &test_mem, 0);
}

static void story_free(story *s) {
  wh_buf_free(&s->sent);
  wh_buf_free(&s->starts);
  wh_arena_free(&s->arena);
}

static void begin(story *s, wh_window *w) {
  wh_window_init(w, &test_mem);
  w->cursor = WH_STR("at");
  w->overlap = s->overlap;
  w->clock = s->clock;
  w->step = s->step;
  w->known = s->cursor.window;
  w->known_count = s->cursor.window_count;
}

// The rows of one batch go through; those that are not known are written to s->sent.
static void pass(story *s, wh_window *w, const char *rows) {
  wh_batch read, out;
  CHECK_OK(wh_batch_init(&read, &test_mem, &s->schema, &test_err));
  CHECK_OK(wh_batch_init(&out, &test_mem, &s->schema, &test_err));
  read.first_row = s->first_row;
  rows_add(&read, rows);
  s->first_row += read.rows;
  uint8_t keep[16];
  memset(keep, 0xFF, sizeof keep);
  CHECK(read.rows <= sizeof keep * 8);
  uint64_t unchanged = 0;
  CHECK_OK(wh_window_pass(w, &read, &read, keep, &unchanged, &test_err));
  s->unchanged += unchanged;
  CHECK_OK(wh_batch_filter(&read, keep, &out, &test_err));
  CHECK_EQ(read.rows, out.rows + unchanged);
  rows_write(&out, &s->sent);
  wh_batch_free(&out);
  wh_batch_free(&read);
}

static void end(story *s, wh_window *w) {
  CHECK_OK(wh_window_finish(w, &s->cursor, &s->arena, &s->cursor, &test_err));
  wh_window_free(w);
}

// One run over `rows`: `sent` go on, so many do not.
static void run(story *s, const char *rows, const char *sent, uint64_t unchanged) {
  wh_window w;
  begin(s, &w);
  wh_buf_clear(&s->sent);
  s->unchanged = 0;
  s->first_row = 1;
  pass(s, &w, rows);
  end(s, &w);
  CHECK_STR(wh_buf_str(&s->sent), wh_str_of(sent));
  CHECK_EQ(s->unchanged, unchanged);
}

// Where the next run starts, as the text of a value.
static void check_start(story *s, int64_t clock, const char *want) {
  wh_value start;
  if (!CHECK(s->cursor.found) ||
      !CHECK_OK(wh_window_start(&s->cursor.last, clock, s->overlap, &start, &test_err)))
    return;
  wh_buf_clear(&s->starts);
  wh_value_write(&start, &s->starts);
  CHECK_STR(wh_buf_str(&s->starts), wh_str_of(want));
}

TEST(rows_of_the_overlap_are_sent_once) {
  story s;
  story_init(&s, FIELDS);
  run(&s, "1|2026-11-21T08:00:00Z|a\n2|2026-11-21T08:55:00Z|b\n3|2026-11-21T09:00:00Z|c\n",
      "1|2026-11-21T08:00:00Z|a\n2|2026-11-21T08:55:00Z|b\n3|2026-11-21T09:00:00Z|c\n", 0);
  check_start(&s, INT64_MAX, "2026-11-21T08:50:00Z");
  CHECK_EQ(s.cursor.window_count, 2); // the first row lies below the next start
  run(&s, "2|2026-11-21T08:55:00Z|b\n3|2026-11-21T09:00:00Z|c\n", "", 2);
  // One that committed late, and one that is new.
  run(&s,
      "2|2026-11-21T08:55:00Z|b\n4|2026-11-21T08:51:00Z|late\n3|2026-11-21T09:00:00Z|c\n"
      "5|2026-11-21T09:05:00Z|new\n",
      "4|2026-11-21T08:51:00Z|late\n5|2026-11-21T09:05:00Z|new\n", 2);
  check_start(&s, INT64_MAX, "2026-11-21T08:55:00Z");
  CHECK_EQ(s.cursor.window_count, 3); // the late one has left the window again
  story_free(&s);
}

TEST(rows_at_the_edge_of_the_next_window_are_remembered) {
  story s;
  story_init(&s, FIELDS);
  // The start is inclusive: a row right on it is read again, one a microsecond before it is not.
  run(&s,
      "1|2026-11-21T08:49:59.999999Z|before\n2|2026-11-21T08:50:00Z|edge\n"
      "3|2026-11-21T09:00:00Z|last\n",
      "1|2026-11-21T08:49:59.999999Z|before\n2|2026-11-21T08:50:00Z|edge\n"
      "3|2026-11-21T09:00:00Z|last\n",
      0);
  CHECK_EQ(s.cursor.window_count, 2);
  run(&s, "2|2026-11-21T08:50:00Z|edge\n3|2026-11-21T09:00:00Z|last\n", "", 2);
  story_free(&s);
}

TEST(rows_that_share_the_boundary_value) {
  story s;
  story_init(&s, FIELDS);
  s.overlap = 0; // even so, the boundary itself is read again
  run(&s, "1|2026-11-21T09:00:00Z|a\n", "1|2026-11-21T09:00:00Z|a\n", 0);
  check_start(&s, INT64_MAX, "2026-11-21T09:00:00Z");
  run(&s, "1|2026-11-21T09:00:00Z|a\n2|2026-11-21T09:00:00Z|a\n3|2026-11-21T09:00:00Z|b\n",
      "2|2026-11-21T09:00:00Z|a\n3|2026-11-21T09:00:00Z|b\n", 1);
  run(&s, "3|2026-11-21T09:00:00Z|b\n2|2026-11-21T09:00:00Z|a\n1|2026-11-21T09:00:00Z|a\n", "", 3);
  story_free(&s);
}

TEST(whole_numbers_are_read_from_the_last_on) {
  story s;
  story_init(&s, "at int64; s string");
  s.overlap = 0;
  run(&s, "7|a\n9|b\n", "7|a\n9|b\n", 0);
  check_start(&s, 1, "9"); // numbers have no clock
  run(&s, "9|b\n9|c\n~|d\n", "9|c\n~|d\n", 1);
  run(&s, "9|b\n9|c\n~|d\n-9223372036854775808|e\n9223372036854775807|f\n",
      "-9223372036854775808|e\n9223372036854775807|f\n", 3);
  check_start(&s, 1, "9223372036854775807");
  story_free(&s);
  story_init(&s, "at uint64; s string");
  s.overlap = 0;
  run(&s, "18446744073709551615|a\n1|b\n", "18446744073709551615|a\n1|b\n", 0);
  check_start(&s, 1, "18446744073709551615");
  run(&s, "18446744073709551615|a\n", "", 1);
  story_free(&s);
}

TEST(null_values_are_known_every_run) {
  story s;
  story_init(&s, FIELDS);
  run(&s, "1|~|a\n2|2026-11-21T09:00:00Z|b\n", "1|~|a\n2|2026-11-21T09:00:00Z|b\n", 0);
  run(&s, "1|~|a\n2|2026-11-21T09:00:00Z|b\n", "", 2);
  run(&s, "1|~|changed\n3|2026-11-21T19:00:00Z|c\n", "1|~|changed\n3|2026-11-21T19:00:00Z|c\n", 0);
  run(&s, "1|~|changed\n3|2026-11-21T19:00:00Z|c\n", "", 2); // though row 2 is long behind
  story_free(&s);
}

TEST(only_null_values_make_no_cursor_and_are_still_known) {
  story s;
  story_init(&s, FIELDS);
  run(&s, "1|~|a\n2|~|b\n", "1|~|a\n2|~|b\n", 0);
  CHECK(!s.cursor.found);
  CHECK_EQ(s.cursor.window_count, 2);
  story_free(&s);
}

TEST(future_values_do_not_move_the_start_past_the_clock) {
  story s;
  story_init(&s, FIELDS);
  s.clock = at("2026-11-21T09:00:00Z");
  run(&s, "1|2026-11-21T08:58:00Z|a\n2|2031-01-01T00:00:00Z|future\n",
      "1|2026-11-21T08:58:00Z|a\n2|2031-01-01T00:00:00Z|future\n", 0);
  check_start(&s, s.clock, "2026-11-21T08:50:00Z");
  s.clock = at("2026-11-21T09:05:00Z");
  check_start(&s, s.clock, "2026-11-21T08:55:00Z");
  run(&s, "1|2026-11-21T08:58:00Z|a\n3|2026-11-21T09:04:00Z|b\n2|2031-01-01T00:00:00Z|future\n",
      "3|2026-11-21T09:04:00Z|b\n", 2);
  // The one from the future is read, and known, in every run; changed, it is sent.
  s.clock = at("2026-11-22T09:05:00Z");
  run(&s, "2|2031-01-01T00:00:00Z|future\n", "", 1);
  run(&s, "2|2031-01-01T00:00:00Z|changed\n", "2|2031-01-01T00:00:00Z|changed\n", 0);
  run(&s, "2|2031-01-01T00:00:00Z|changed\n", "", 1);
  story_free(&s);
}

TEST(a_row_that_goes_and_comes_back_is_sent_each_time) {
  story s;
  story_init(&s, FIELDS);
  static const char a[] = "1|2026-11-21T09:00:00Z|a\n", b[] = "1|2026-11-21T09:00:00Z|b\n";
  run(&s, a, a, 0);
  run(&s, b, b, 0);
  run(&s, a, a, 0); // only what the last run read is known
  run(&s, a, "", 1);
  story_free(&s);
}

TEST(a_run_that_reads_nothing_keeps_the_cursor) {
  story s;
  story_init(&s, FIELDS);
  run(&s, "1|2026-11-21T09:00:00Z|a\n", "1|2026-11-21T09:00:00Z|a\n", 0);
  run(&s, "", "", 0);
  check_start(&s, INT64_MAX, "2026-11-21T08:50:00Z");
  // Neither do rows below it move it back, which have been deleted and given another time.
  run(&s, "2|2026-11-21T08:52:00Z|b\n", "2|2026-11-21T08:52:00Z|b\n", 0);
  check_start(&s, INT64_MAX, "2026-11-21T08:50:00Z");
  run(&s, "2|2026-11-21T08:52:00Z|b\n", "", 1);
  story_free(&s);
}

TEST(dates_start_at_a_whole_day) {
  story s;
  story_init(&s, "n int64!; at date");
  s.step = 1440 * MINUTE;
  run(&s, "1|2026-03-01\n2|2026-03-02\n", "1|2026-03-01\n2|2026-03-02\n", 0);
  check_start(&s, INT64_MAX, "2026-03-01"); // ten minutes before the 2nd begins
  run(&s, "1|2026-03-01\n2|2026-03-02\n", "", 2);
  run(&s, "1|1969-12-30\n", "1|1969-12-30\n", 0);
  story_free(&s);
  story_init(&s, "n int64!; at date");
  s.step = 1440 * MINUTE;
  run(&s, "1|1969-12-30\n", "1|1969-12-30\n", 0);
  check_start(&s, INT64_MAX, "1969-12-29");
  run(&s, "1|1969-12-30\n2|1969-12-29\n", "2|1969-12-29\n", 1);
  story_free(&s);
}

TEST(starts_round_down_in_coarser_and_finer_units) {
  story s;
  story_init(&s, "at timestamp[s,UTC]");
  s.step = 1000000;
  s.clock = at("2026-11-21T09:00:00.500000Z"); // between two values
  run(&s, "2026-11-21T10:00:00Z\n2026-11-21T08:50:00Z\n",
      "2026-11-21T10:00:00Z\n2026-11-21T08:50:00Z\n", 0);
  check_start(&s, s.clock, "2026-11-21T08:50:00Z");
  run(&s, "2026-11-21T10:00:00Z\n2026-11-21T08:50:00Z\n", "", 2);
  story_free(&s);
  story_init(&s, "at timestamp[ns,UTC]");
  run(&s, "2026-11-21T09:00:00.000000999Z\n", "2026-11-21T09:00:00.000000999Z\n", 0);
  check_start(&s, INT64_MAX, "2026-11-21T08:50:00Z");
  run(&s, "2026-11-21T09:00:00.000000999Z\n2026-11-21T09:00:00.000000998Z\n",
      "2026-11-21T09:00:00.000000998Z\n", 1);
  story_free(&s);
}

TEST(what_is_remembered_does_not_depend_on_batches_and_order) {
  story s;
  story_init(&s, FIELDS);
  wh_window w;
  begin(&s, &w);
  pass(&s, &w, "1|2026-11-21T08:00:00Z|a\n2|2026-11-21T08:56:00Z|b\n");
  pass(&s, &w, "3|2026-11-21T09:00:00Z|c\n");
  pass(&s, &w, "4|2026-11-21T08:00:00Z|d\n5|~|e\n6|2026-11-21T08:50:00Z|f\n");
  end(&s, &w);
  CHECK_EQ(s.cursor.window_count, 4);
  run(&s, "6|2026-11-21T08:50:00Z|f\n5|~|e\n3|2026-11-21T09:00:00Z|c\n2|2026-11-21T08:56:00Z|b\n",
      "", 4);
  story_free(&s);
}

// More rows than can be remembered: none are, and all are sent again, rather than some.
TEST(a_window_that_is_too_large_is_cut) {
  story s;
  story_init(&s, FIELDS);
  wh_window w;
  begin(&s, &w);
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &s.schema, &test_err));
  uint8_t keep[512];
  uint64_t unchanged, total = 0;
  int64_t now = at("2026-11-21T09:00:00Z");
  while (total <= WH_WINDOW_HASHES_MAX + 4096) {
    wh_batch_reset(&batch);
    batch.first_row = total + 1;
    for (int i = 0; i < 4096; i++) {
      CHECK_OK(wh_column_add_i64(&batch.columns[0], (int64_t)total++, &test_err));
      CHECK_OK(wh_column_add_i64(&batch.columns[1], now, &test_err));
      CHECK_OK(wh_column_add_text(&batch.columns[2], WH_STR("x"), &test_err));
      wh_batch_row_end(&batch);
    }
    memset(keep, 0xFF, sizeof keep);
    if (!CHECK_OK(wh_window_pass(&w, &batch, &batch, keep, &unchanged, &test_err))) break;
    CHECK_EQ(unchanged, 0);
  }
  wh_batch_free(&batch);
  end(&s, &w);
  CHECK(s.cursor.window_cut && s.cursor.window_count == 0);
  check_start(&s, INT64_MAX, "2026-11-21T08:50:00Z");
  run(&s, "1|2026-11-21T09:00:00Z|x\n", "1|2026-11-21T09:00:00Z|x\n", 0);
  CHECK(!s.cursor.window_cut);
  story_free(&s);
}

// What is rejected is known by what was read, and apart from what was sent.
TEST(a_rejected_row_is_known_the_next_time) {
  story s;
  story_init(&s, FIELDS);
  wh_batch read;
  REQUIRE_OK(wh_batch_init(&read, &test_mem, &s.schema, &test_err));
  read.first_row = 1;
  rows_add(&read, "1|2026-11-21T09:00:00Z|a\n2|2026-11-21T08:00:00Z|old\n3|~|none\n");
  for (int round = 0; round < 2; round++) {
    wh_window w;
    begin(&s, &w);
    bool known[3];
    for (size_t i = 0; i < 3; i++)
      CHECK_OK(wh_window_reject(&w, &read, i, &known[i], &test_err));
    end(&s, &w);
    CHECK_EQ(known[0], round);
    CHECK_EQ(known[1], 0); // lies below the window
    CHECK_EQ(known[2], round);
    CHECK_EQ(s.cursor.window_count, 2);
  }
  wh_batch_free(&read);
  // The rule was mended: the same row is sent now.
  run(&s, "1|2026-11-21T09:00:00Z|a\n", "1|2026-11-21T09:00:00Z|a\n", 0);
  story_free(&s);
}

TEST(rows_that_steps_left_out_are_noted_for_the_cursor_alone) {
  story s;
  story_init(&s, FIELDS);
  wh_batch read, out;
  REQUIRE_OK(wh_batch_init(&read, &test_mem, &s.schema, &test_err));
  REQUIRE_OK(wh_batch_init(&out, &test_mem, &s.schema, &test_err));
  read.first_row = 1;
  rows_add(&read, "1|2026-11-21T09:00:00Z|a\n2|2026-11-21T09:01:00Z|b\n3|2026-11-21T09:02:00Z|c\n");
  uint8_t only_second = 2, keep = 0xFF;
  REQUIRE_OK(wh_batch_filter(&read, &only_second, &out, &test_err));
  wh_window w;
  begin(&s, &w);
  uint64_t unchanged = 7;
  CHECK_OK(wh_window_pass(&w, &read, &out, &keep, &unchanged, &test_err));
  CHECK_EQ(unchanged, 0);
  CHECK_OK(wh_window_pass(&w, &read, &out, NULL, &unchanged, &test_err)); // none of them at all
  end(&s, &w);
  CHECK_EQ(s.cursor.window_count, 1);
  check_start(&s, INT64_MAX, "2026-11-21T08:52:00Z");
  begin(&s, &w);
  w.cursor = WH_STR("gone");
  CHECK_FAILS(wh_window_pass(&w, &read, &out, &keep, &unchanged, &test_err), WH_ERR_BUG);
  wh_window_free(&w);
  wh_batch_free(&out);
  wh_batch_free(&read);
  story_free(&s);
}

TEST(starts_do_not_overflow_and_texts_are_refused) {
  wh_value last = {.type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_US}}, start;
  last.as.i = INT64_MIN + 5;
  CHECK_OK(wh_window_start(&last, INT64_MAX, 10 * MINUTE, &start, &test_err));
  CHECK(start.as.i == INT64_MIN);
  last.as.i = 1000;
  CHECK_OK(wh_window_start(&last, INT64_MIN + 5, 10 * MINUTE, &start, &test_err));
  CHECK(start.as.i == INT64_MIN);
  last = (wh_value){.type = {.kind = WH_STRING}, .as.s = WH_STR("x")};
  CHECK_FAILS(wh_window_start(&last, 0, 0, &start, &test_err), WH_ERR_TYPE);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("a cursor must be a time or a whole number"));
}

TEST(memory_that_is_refused_leaves_no_cursor) {
  for (size_t n = 1;; n++) {
    story s;
    story_init(&s, FIELDS);
    wh_batch read;
    REQUIRE_OK(wh_batch_init(&read, &test_mem, &s.schema, &test_err));
    read.first_row = 1;
    rows_add(&read, "1|2026-11-21T09:00:00Z|a\n");
    wh_window w;
    begin(&s, &w);
    uint8_t keep = 1;
    uint64_t unchanged;
    wh_cursor next = {0};
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_status status = wh_window_pass(&w, &read, &read, &keep, &unchanged, &test_err);
    if (status == WH_OK) status = wh_window_finish(&w, &s.cursor, &s.arena, &next, &test_err);
    atomic_store(&test_mem.fail_at, 0);
    wh_window_free(&w);
    wh_batch_free(&read);
    story_free(&s);
    if (status == WH_OK) return;
    CHECK_EQ(status, WH_ERR_MEMORY);
    CHECK(!next.found);
  }
}

// --- windows put together ------------------------------------------------------------------------

static const char *const merged_rows[] = {
    "1|2026-11-21T08:00:00Z|a\n", "2|2026-11-21T08:52:00Z|b\n",
    "3|2026-11-21T09:00:00Z|c\n", "4|~|d\n",
    "5|2026-11-21T08:50:00Z|e\n",
};
enum { MERGED_ROWS = sizeof merged_rows / sizeof *merged_rows };

// Rows whose bit is set are seen by one window, the others by another; both go to a third.
static void see_apart(story *s, unsigned split, wh_cursor *ret) {
  wh_window parts[2], whole;
  begin(s, &whole);
  for (unsigned side = 0; side < 2; side++) {
    wh_window *w = &parts[side];
    begin(s, w);
    for (unsigned i = 0; i < MERGED_ROWS; i++)
      if ((split >> i & 1) == side) pass(s, w, merged_rows[i]);
    const wh_value *highest = w->any ? &w->highest_value : NULL;
    CHECK_OK(wh_window_merge(&whole, highest, w->cut, w->entries, w->count, &test_err));
    wh_window_free(w);
  }
  CHECK_OK(wh_window_finish(&whole, &(wh_cursor){0}, &s->arena, ret, &test_err));
  wh_window_free(&whole);
}

TEST(windows_put_together_are_the_whole) {
  story s;
  story_init(&s, FIELDS);
  wh_cursor want;
  see_apart(&s, 0, &want);
  CHECK_EQ(want.window_count, 4); // without the first, which lies below the next start
  for (unsigned split = 1; split < 1u << MERGED_ROWS; split++) {
    wh_cursor got;
    see_apart(&s, split, &got);
    CHECK_EQ(wh_value_compare(&got.last, &want.last), 0);
    CHECK_EQ(got.window_count, want.window_count);
    CHECK(!got.window_cut && memcmp(got.window, want.window, want.window_count * 8) == 0);
  }
  story_free(&s);
}

TEST(what_one_window_had_to_forget_is_forgotten) {
  story s;
  story_init(&s, FIELDS);
  wh_window w;
  begin(&s, &w);
  pass(&s, &w, merged_rows[2]);
  CHECK_OK(wh_window_merge(&w, NULL, true, NULL, 0, &test_err));
  end(&s, &w);
  CHECK(s.cursor.window_cut);
  CHECK_EQ(s.cursor.window_count, 0);
  story_free(&s);
}
