// The data path of a run: reader -> steps -> gate -> expectations, with its reading side in a
// thread of its own or not.
#include "engine/flow.h"
#include "row_text.h"
#include "shop.h"

#include <stdio.h>
#include <unistd.h>

#define ORDERS  "    from: erp:t\n    to: lake:out/{run}.json\n"
#define COLUMNS "    columns: { Number: n, Status: s }\n"
static const char plain[] = SHOP_CONNECTIONS "  p:\n" ORDERS COLUMNS;
static const char stateful[] = SHOP_CONNECTIONS
    "  p:\n" ORDERS "    steps:\n"
    "      - dedupe: { key: [s] }\n"
    "      - map: { s: { S1: One, S2: Two, S3: Three, S4: Four, S5: Five } }\n" COLUMNS
    "    expect: { Status: { in: [One, Two, Four] } }\n";
static const char holding[] = SHOP_CONNECTIONS "  p:\n" ORDERS "    steps:\n"
                                               "      - dedupe: { key: [s], keep: last }\n" COLUMNS;
static const char sorting_out[] =
    SHOP_CONNECTIONS "  p:\n" ORDERS COLUMNS "    expect: { Status: { in: [S1, S3] } }\n";

// --- a reader that does as it is told ----------------------------------------------------------

typedef struct script {
  uint64_t rows, batch; // in all, and of a batch
  uint64_t fail_at;     // in this call of next; 0: never
  wh_status fail_with;
  uint64_t refuse_memory_at; // from the end of this call on
  uint64_t raw_every;        // each so many rows one is no row at all; 0: never
  uint64_t pause_at;         // this call gives nothing and goes on
  size_t text_bytes;         // of `s`; 0: "S1" and so on
} script;

typedef struct fake_reader {
  wh_reader reader;
  wh_schema schema;
  script told;
  uint64_t row; // the last that was given
  atomic_uint_fast64_t calls;
  char *text;
} fake_reader;

static wh_status give_row(fake_reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  wh_place place = {.row = ++r->row};
  if (r->told.raw_every && r->row % r->told.raw_every == 0) {
    wh_reject reject = {.rule = WH_STR("json"), .reason = WH_STR("no row"), .place = place};
    return rejects->raw(rejects, &reject, WH_STR("{"), err);
  }
  char status[32];
  snprintf(status, sizeof status, "S%d", (int)(r->row * 7 % 5) + 1);
  wh_str text = wh_str_of(status);
  if (r->told.text_bytes) text = wh_str_n(r->text, r->told.text_bytes);
  WH_TRY(wh_column_add_i64(&batch->columns[0], (int64_t)r->row, err));
  WH_TRY(wh_column_add_text(&batch->columns[1], text, err));
  WH_TRY(wh_batch_set_place(batch, place, err));
  wh_batch_row_end(batch);
  return WH_OK;
}

static wh_status fake_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  fake_reader *r = (fake_reader *)reader;
  uint64_t call = atomic_fetch_add(&r->calls, 1) + 1;
  reader->paused = call == r->told.pause_at;
  if (call == r->told.fail_at) return wh_fail(err, r->told.fail_with, "the line is cut");
  uint64_t last = r->row + r->told.batch;
  while (r->row < r->told.rows && r->row < last && !reader->paused)
    WH_TRY(give_row(r, batch, rejects, err));
  if (call == r->told.refuse_memory_at)
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + 1);
  return WH_OK;
}

// --- a flow over it ----------------------------------------------------------------------------

typedef struct bench {
  shop s;
  wh_arena arena;
  fake_reader reader;
  wh_gate gate;
  wh_window *window;
  wh_flow *flow;
  wh_buf text; // what came out, item by item or row by row
  wh_counts counts;
  uint64_t items, rows_through;
} bench;

static bool bench_init(bench *b, const char *config, script told, bool threads) {
  *b = (bench){0};
  wh_arena_init(&b->arena, &test_mem);
  wh_buf_init(&b->text, &test_mem, 0);
  b->reader =
      (fake_reader){.reader = {.schema = &b->reader.schema, .next = fake_next}, .told = told};
  rows_schema("n int64!; s string", &b->arena, &b->reader.schema);
  if (told.text_bytes) {
    b->reader.text = wh_arena_alloc(&b->arena, told.text_bytes);
    memset(b->reader.text, 'x', told.text_bytes);
  }
  if (!shop_start(&b->s, config) || !shop_open(&b->s)) return false;
  b->s.c.engine.single_thread = !threads;
  return CHECK_OK(
      wh_config_gate(b->s.c.config, shop_pipeline(&b->s, "p"), &b->arena, &b->gate, &test_err));
}

static wh_status bench_start(bench *b, uint64_t skip_through) {
  wh_flow_options options = {.engine = &b->s.c.engine,
                             .pipeline = shop_pipeline(&b->s, "p"),
                             .gate = &b->gate,
                             .reader = &b->reader.reader,
                             .window = b->window,
                             .hash_read = true,
                             .hash_out = true};
  WH_TRY(wh_flow_open(&options, &b->flow, &test_err));
  return wh_flow_start(b->flow, skip_through, &test_err);
}

static void bench_free(bench *b) {
  wh_flow_close(b->flow);
  atomic_store(&test_mem.fail_at, 0);
  wh_buf_free(&b->text);
  shop_end(&b->s);
  wh_arena_free(&b->arena);
}

static void add_counts(wh_counts *to, const wh_counts *from) {
  to->read += from->read;
  to->filtered += from->filtered;
  to->unchanged += from->unchanged;
  to->quarantined += from->quarantined;
}

// Takes items until the flow ends or fails.
static wh_status drain(bench *b, bool with_items) {
  for (;;) {
    wh_flow_item *item;
    wh_status status = wh_flow_next(b->flow, &item, &test_err);
    if (status != WH_OK) return status;
    b->items++;
    rows_write(item->batch, &b->text);
    wh_buf_add(&b->text, item->rejected->lines.data, item->rejected->lines.len);
    if (with_items) {
      const wh_counts *c = &item->counts;
      wh_buf_printf(&b->text, "= %d read %d filtered %d bad, through %d, %llx %llx\n", (int)c->read,
                    (int)c->filtered, (int)c->quarantined, (int)item->rows_through,
                    (unsigned long long)item->hash_read, (unsigned long long)item->hash_out);
    }
    CHECK(item->counts.quarantined == item->rejected->count);
    CHECK(item->rows_through == 0 || item->rows_through >= b->rows_through);
    if (item->rows_through) b->rows_through = item->rows_through;
    add_counts(&b->counts, &item->counts);
    b->counts.written += item->batch->rows;
    wh_flow_release(b->flow, item);
  }
}

static void check_sum(const bench *b) {
  const wh_counts *c = &b->counts;
  CHECK_EQ(c->read, c->written + c->filtered + c->unchanged + c->quarantined);
}

// Everything that a flow gives, as text.
static void run_whole(const char *config, script told, bool threads, bool with_items, wh_buf *out,
                      wh_counts *ret) {
  bench b;
  if (bench_init(&b, config, told, threads) && CHECK_OK(bench_start(&b, 0))) {
    CHECK_FAILS(drain(&b, with_items), WH_ERR_END);
    wh_flow_item *item;
    CHECK_FAILS(wh_flow_next(b.flow, &item, &test_err), WH_ERR_END); // and stays at its end
    check_sum(&b);
    CHECK_EQ(b.counts.read, told.rows);
    wh_buf_add(out, b.text.data, b.text.len);
    *ret = b.counts;
  }
  bench_free(&b);
}

static void compare_threads(const char *config, script told, wh_counts want) {
  WH_CLEAN_BUF wh_buf one;
  WH_CLEAN_BUF wh_buf many;
  wh_buf_init(&one, &test_mem, 0);
  wh_buf_init(&many, &test_mem, 0);
  wh_counts counts;
  run_whole(config, told, false, true, &one, &counts);
  run_whole(config, told, true, true, &many, &counts);
  CHECK(one.len > 0);
  CHECK_STR(wh_buf_str(&many), wh_buf_str(&one));
  CHECK_EQ(counts.written, want.written);
  CHECK_EQ(counts.filtered, want.filtered);
  CHECK_EQ(counts.quarantined, want.quarantined);
}

TEST(threads_give_the_same_items) {
  compare_threads(plain, (script){.rows = 500, .batch = 7}, (wh_counts){.written = 500});
  compare_threads(plain, (script){.rows = 3, .batch = 7}, (wh_counts){.written = 3});
  // 500 rows of which each tenth is none, five values, two of them not allowed.
  compare_threads(stateful, (script){.rows = 500, .batch = 7, .raw_every = 10},
                  (wh_counts){.written = 3, .filtered = 445, .quarantined = 52});
  compare_threads(holding, (script){.rows = 500, .batch = 7, .pause_at = 4},
                  (wh_counts){.written = 5, .filtered = 495});
  compare_threads(sorting_out, (script){.rows = 40, .batch = 4, .pause_at = 1},
                  (wh_counts){.written = 16, .quarantined = 24});
}

TEST(nothing_to_read_gives_nothing) {
  for (int threads = 0; threads < 2; threads++) {
    bench b;
    if (bench_init(&b, holding, (script){.batch = 7}, threads) && CHECK_OK(bench_start(&b, 0))) {
      CHECK(wh_flow_holds_back(b.flow));
      CHECK_FAILS(drain(&b, false), WH_ERR_END);
      CHECK_EQ(b.items, 0);
    }
    bench_free(&b);
  }
}

TEST(a_reader_that_rejects_its_last_rows_is_heard) {
  for (int threads = 0; threads < 2; threads++) {
    bench b;
    script told = {.rows = 4, .batch = 3, .raw_every = 4}; // the last call has a reject and no row
    if (bench_init(&b, plain, told, threads) && CHECK_OK(bench_start(&b, 0))) {
      CHECK(!wh_flow_holds_back(b.flow));
      CHECK_FAILS(drain(&b, false), WH_ERR_END);
      CHECK_EQ(b.counts.quarantined, 1);
      CHECK_EQ(b.rows_through, 4);
      check_sum(&b);
    }
    bench_free(&b);
  }
}

// --- restarts ----------------------------------------------------------------------------------

// Wherever an attempt goes on from: what earlier ones gave and what this one gives is what one that
// was never interrupted gives.
static void skip_everywhere(const char *config, script told, bool threads) {
  WH_CLEAN_BUF wh_buf whole;
  wh_buf_init(&whole, &test_mem, 0);
  wh_counts all;
  run_whole(config, told, false, false, &whole, &all);
  rows_sort(&whole);
  for (uint64_t through = 1; through <= told.rows; through++) {
    WH_CLEAN_BUF wh_buf both;
    wh_buf_init(&both, &test_mem, 0);
    script first = told; // an attempt that reads just so far
    first.rows = through;
    wh_counts counts;
    run_whole(config, first, threads, false, &both, &counts);
    bench b;
    if (bench_init(&b, config, told, threads) && CHECK_OK(bench_start(&b, through)))
      CHECK_FAILS(drain(&b, false), WH_ERR_END);
    check_sum(&b);
    CHECK_EQ(b.counts.read, told.rows - through);
    CHECK_EQ(counts.filtered + b.counts.filtered, all.filtered);
    CHECK_EQ(counts.quarantined + b.counts.quarantined, all.quarantined);
    wh_buf_add(&both, b.text.data, b.text.len);
    rows_sort(&both); // where a batch ends decides the order
    CHECK_STR(wh_buf_str(&both), wh_buf_str(&whole));
    bench_free(&b);
    if (!test_failed()) continue;
    test_note("interrupted behind row %d", (int)through);
    return;
  }
}

TEST(rows_behind_a_restart_are_neither_counted_nor_given) {
  skip_everywhere(plain, (script){.rows = 23, .batch = 5}, false);
  skip_everywhere(plain, (script){.rows = 23, .batch = 5}, true);
  skip_everywhere(sorting_out, (script){.rows = 23, .batch = 5, .raw_every = 6}, false);
}

TEST(steps_know_the_rows_behind_a_restart) {
  skip_everywhere(stateful, (script){.rows = 23, .batch = 5, .raw_every = 6}, false);
  skip_everywhere(stateful, (script){.rows = 23, .batch = 23}, true);
}

// --- failures ----------------------------------------------------------------------------------

TEST(a_failure_of_the_reader_surfaces_once) {
  static const wh_status ways[] = {WH_ERR_IO, WH_ERR_DATA, WH_ERR_WIDEN};
  for (size_t i = 0; i < 6; i++) {
    bench b;
    script told = {.rows = 500, .batch = 7, .fail_at = 5, .fail_with = ways[i / 2]};
    if (bench_init(&b, holding, told, i % 2) && CHECK_OK(bench_start(&b, 0))) {
      CHECK_FAILS(drain(&b, false), ways[i / 2]);
      CHECK_STR(wh_str_of(test_err.text), WH_STR("the line is cut"));
      CHECK(wh_flow_reader_failed(b.flow));
      CHECK_EQ(b.counts.read, 28); // what came before it was given
      CHECK_EQ(b.counts.written, 0);
      wh_flow_item *item;
      CHECK_FAILS(wh_flow_next(b.flow, &item, &test_err), WH_ERR_END);
      CHECK_EQ(atomic_load(&b.reader.calls), 5); // and nothing was read behind it
    }
    bench_free(&b);
  }
}

// The gate casts, which takes memory that there is not.
TEST(a_failure_of_a_step_is_not_the_readers) {
  static const char casting[] = SHOP_CONNECTIONS
      "  p:\n" ORDERS "    columns: { Number: { from: n, type: string }, Status: s }\n";
  for (int threads = 0; threads < 2; threads++) {
    bench b;
    script told = {.rows = 50, .batch = 7, .refuse_memory_at = 1};
    if (bench_init(&b, casting, told, threads) && CHECK_OK(bench_start(&b, 0))) {
      CHECK_FAILS(drain(&b, false), WH_ERR_MEMORY);
      CHECK(!wh_flow_reader_failed(b.flow));
      CHECK_EQ(b.items, 0);
      wh_flow_item *item;
      CHECK_FAILS(wh_flow_next(b.flow, &item, &test_err), WH_ERR_END);
    }
    bench_free(&b);
  }
}

TEST(steps_that_do_not_bind_are_told_of) {
  bench b;
  static const char unknown[] =
      SHOP_CONNECTIONS "  p:\n" ORDERS "    columns: { Number: nummer }\n";
  if (bench_init(&b, unknown, (script){.rows = 1, .batch = 1}, true)) {
    CHECK_FAILS(bench_start(&b, 0), WH_ERR_USAGE);
    CHECK_ERROR_HAS("nummer");
    CHECK(!b.flow);
    CHECK_EQ(atomic_load(&b.reader.calls), 0);
  }
  bench_free(&b);
}

TEST(every_refused_allocation_ends_a_flow_well) {
  for (size_t n = 1;; n++) {
    bench b;
    script told = {.rows = 30, .batch = 7, .raw_every = 9};
    if (!bench_init(&b, stateful, told, n % 2)) return;
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_status status = bench_start(&b, 10);
    while (status == WH_OK) {
      wh_flow_item *item;
      status = wh_flow_next(b.flow, &item, &test_err);
      if (status == WH_OK) wh_flow_release(b.flow, item);
    }
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.failed, 0);
    bench_free(&b);
    if (!refused) {
      CHECK_EQ(status, WH_ERR_END);
      return;
    }
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) return;
  }
}

// --- closing -----------------------------------------------------------------------------------

static void wait_for_calls(bench *b, uint64_t calls) {
  for (int i = 0; i < 5000 && atomic_load(&b->reader.calls) < calls; i++)
    usleep(1000);
  CHECK_EQ(atomic_load(&b->reader.calls), calls);
}

TEST(a_flow_may_be_closed_while_it_is_full) {
  for (int taken = 0; taken <= WH_FLOW_SLOTS; taken++) {
    bench b;
    if (bench_init(&b, plain, (script){.rows = 10000, .batch = 7}, true) &&
        CHECK_OK(bench_start(&b, 0))) {
      wait_for_calls(&b, WH_FLOW_SLOTS); // and no more: none was given back
      usleep(2000);
      wait_for_calls(&b, WH_FLOW_SLOTS);
      wh_flow_item *items[WH_FLOW_SLOTS];
      for (int i = 0; i < taken; i++)
        CHECK_OK(wh_flow_next(b.flow, &items[i], &test_err));
      for (int i = 0; i < taken; i++) // items that are held keep their rows
        CHECK_EQ(wh_column_i64(&items[i]->batch->columns[0], 0), i * 7 + 1);
    }
    bench_free(&b);
  }
}

// `memory` is 64 MiB: of rows that are as large as these one goes at a time.
TEST(large_rows_go_one_at_a_time_and_a_flow_may_be_closed_then) {
  bench b;
  script told = {.rows = 50, .batch = 1, .text_bytes = 5 << 20};
  if (bench_init(&b, plain, told, true) && CHECK_OK(bench_start(&b, 0))) {
    wait_for_calls(&b, 1);
    usleep(2000);
    wait_for_calls(&b, 1);
    wh_flow_item *item;
    CHECK_OK(wh_flow_next(b.flow, &item, &test_err));
    wh_flow_release(b.flow, item);
    wait_for_calls(&b, 2);
  }
  bench_free(&b);
}

TEST(a_flow_that_was_not_started_may_be_closed) {
  bench b;
  if (bench_init(&b, plain, (script){.rows = 1, .batch = 1}, true)) {
    wh_flow_options options = {.engine = &b.s.c.engine,
                               .pipeline = shop_pipeline(&b.s, "p"),
                               .gate = &b.gate,
                               .reader = &b.reader.reader};
    CHECK_OK(wh_flow_open(&options, &b.flow, &test_err));
    CHECK_STR(wh_flow_schema(b.flow)->fields[0].name, WH_STR("Number"));
  }
  bench_free(&b);
  wh_flow_close(NULL);
}
